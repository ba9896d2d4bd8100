//! The address as text.

use std::net::Ipv4Addr;

/// Longest address that is looked at.
pub const URL_BYTES_MAX: usize = 512;

/// Where to fetch from, taken apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// A DNS name in lower case.
    pub host: String,
    /// 443 or 8443 (ATIS-1000074).
    pub port: u16,
    /// Begins with `/`; holds no query and no fragment.
    pub path: String,
}

/// Why an address is refused before any socket opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlFault {
    #[error("longer than the limit")]
    TooLong,
    #[error("not https")]
    Scheme,
    #[error("a character that does not belong in an address")]
    Character,
    #[error("user information in the address")]
    UserInfo,
    #[error("query, parameters or fragment in the address")]
    Extra,
    #[error("a port other than 443 and 8443")]
    Port,
    #[error("an IP address in place of a name")]
    IpLiteral,
    #[error("not a public host name")]
    Host,
}

/// Checks `https://name[:443|:8443]/path`; everything else is refused (ATIS-1000074 5.3.1).
pub fn check_url(url: &str) -> Result<Target, UrlFault> {
    if url.len() > URL_BYTES_MAX {
        return Err(UrlFault::TooLong);
    }
    let scheme_end = url.find("://").ok_or(UrlFault::Scheme)?;
    if !url[..scheme_end].eq_ignore_ascii_case("https") {
        return Err(UrlFault::Scheme);
    }
    let rest = &url[scheme_end + 3..];
    let odd = |b: u8| !b.is_ascii_graphic() || b"\\<>\"^`{|}".contains(&b);
    if rest.bytes().any(odd) {
        return Err(UrlFault::Character);
    }
    let (authority, path) = match rest.find(['/', '?', '#', ';']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    if authority.contains('@') {
        return Err(UrlFault::UserInfo);
    }
    if !path.starts_with('/') || path.contains(['?', '#', ';']) {
        return Err(UrlFault::Extra);
    }
    if authority.starts_with('[') {
        return Err(UrlFault::IpLiteral);
    }
    let (host, port) = match authority.split_once(':') {
        None => (authority, 443),
        Some((host, "443")) => (host, 443),
        Some((host, "8443")) => (host, 8443),
        Some(_) => return Err(UrlFault::Port),
    };
    Ok(Target {
        host: check_host(host)?,
        port,
        path: path.to_string(),
    })
}

/// A name of two labels or more whose last is no number: resolvers read `0x7f000001`, `2130706433`
/// and `127.1` as addresses.
fn check_host(host: &str) -> Result<String, UrlFault> {
    let host = host.to_ascii_lowercase();
    if host.parse::<Ipv4Addr>().is_ok() {
        return Err(UrlFault::IpLiteral);
    }
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.last().copied().unwrap_or("");
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        return Err(UrlFault::IpLiteral);
    }
    let proper = |l: &&str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let private = matches!(
        last,
        "localhost" | "local" | "internal" | "localdomain" | "arpa" | "onion" | "home" | "lan"
    );
    if host.len() > 253 || labels.len() < 2 || !labels.iter().all(proper) || private {
        return Err(UrlFault::Host);
    }
    Ok(host)
}
