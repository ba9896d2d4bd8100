//! A URL, taken apart and judged as text, before anything is asked of anybody.

use crate::FetchError;
use crate::allow::{Allowed, allows_address, allows_host};
use crate::request::Ports;
use http::Uri;
use std::net::IpAddr;

/// Longest URL that is looked at.
pub(crate) const URL_BYTES_MAX: usize = 4_096;

/// Where to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) secure: bool,
    /// A name in lower case, or an address.
    pub(crate) host: String,
    /// The host, when it is an address.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: u16,
    /// Path and query.
    pub(crate) path: String,
    /// The operator named this host: wherever it leads may be connected to.
    pub(crate) allowed: bool,
}

impl Place {
    pub(crate) fn read(url: &str, allow: &[Allowed], ports: Ports) -> Result<Self, FetchError> {
        let bad = |why| FetchError::Url { why };
        if url.len() > URL_BYTES_MAX {
            return Err(bad("too long"));
        }
        let uri: Uri = url.parse().map_err(|_| bad("not well formed"))?;
        let authority = uri.authority().ok_or(bad("no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("user information in it"));
        }
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(FetchError::Scheme),
        };
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if host.is_empty() || (ip.is_none() && !is_name(&host)) {
            return Err(bad("not a host name"));
        }
        let port = match (authority.port_u16(), secure) {
            (Some(port), _) => port,
            // A number that is no port is not the default one.
            (None, _) if authority.as_str().len() != authority.host().len() => {
                return Err(bad("not a port"));
            }
            (None, true) => 443,
            (None, false) => 80,
        };
        let allowed =
            allows_host(allow, &host, port) || ip.is_some_and(|i| allows_address(allow, i));
        // A network may be allowed that the name turns out to lead to: the connector sees that.
        let may_be_allowed = allowed || allow.iter().any(|a| matches!(a, Allowed::Network { .. }));
        if !secure && !may_be_allowed {
            return Err(FetchError::Scheme);
        }
        if !ports.admit(port) && !may_be_allowed {
            return Err(FetchError::Port { port });
        }
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            secure,
            ip,
            port,
            path: path.to_string(),
            allowed,
            host,
        })
    }

    /// The rules of the public internet, for an address that no entry of the allow-list names.
    pub(crate) fn check_public(&self, ports: Ports) -> Result<(), FetchError> {
        if !self.secure {
            return Err(FetchError::Scheme);
        }
        if !ports.admit(self.port) {
            return Err(FetchError::Port { port: self.port });
        }
        Ok(())
    }

    /// The Host header.
    pub(crate) fn host_header(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// Where a Location header leads, as a URL.
    pub(crate) fn join(&self, location: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        if location.contains("://") {
            return location.to_string();
        }
        if let Some(rest) = location.strip_prefix("//") {
            return format!("{scheme}://{rest}");
        }
        let host = self.host_header();
        if location.starts_with('/') {
            return format!("{scheme}://{host}{location}");
        }
        let path = self.path.split('?').next().unwrap_or("/");
        let folder = path.rsplit_once('/').map_or("", |(f, _)| f);
        format!("{scheme}://{host}{folder}/{location}")
    }
}

/// Letters, digits, hyphens and underscores between dots.
fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Place, FetchError> {
        Place::read(url, &[], Ports::Https)
    }

    #[test]
    fn what_is_refused_as_text() {
        let table = [
            ("https://example.com/a?b=c", None),
            ("https://example.com:8443", None),
            ("http://example.com/", Some("fetch_scheme")),
            ("ftp://example.com/", Some("fetch_scheme")),
            ("file:///etc/passwd", Some("fetch_url")),
            ("gopher://example.com:70/", Some("fetch_scheme")),
            ("https://user:secret@example.com/", Some("fetch_url")),
            ("https://example.com:22/", Some("fetch_port")),
            ("https://example.com:99999/", Some("fetch_url")),
            ("https:///x", Some("fetch_url")),
            ("https://exa mple.com/", Some("fetch_url")),
            ("https://a..b/", Some("fetch_url")),
            ("", Some("fetch_url")),
            ("/only/a/path", Some("fetch_url")),
        ];
        for (url, want) in table {
            let got = read(url).err();
            assert_eq!(got.as_ref().map(FetchError::code), want, "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(read(&long).unwrap_err().code(), "fetch_url");
    }

    #[test]
    fn locations_are_joined() {
        let here = read("https://example.com/a/b?c").unwrap();
        let table = [
            ("https://other.example/x", "https://other.example/x"),
            ("//other.example/x", "https://other.example/x"),
            ("/x?y", "https://example.com/x?y"),
            ("x", "https://example.com/a/x"),
        ];
        for (location, want) in table {
            assert_eq!(here.join(location), want);
        }
    }
}
