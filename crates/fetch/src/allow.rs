//! What an operator allows beyond the public internet.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One entry of an allow-list: a host (`idp.house.example`, `localhost:8443`) or a network
/// (`10.1.0.0/16`, `127.0.0.1`, `fd00::/8`). To an allowed target any port (or the one named) and
/// plain `http` may be used, and its address need not be public.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// A name as it stands in the URL; wherever it leads is trusted.
    Host {
        name: String,
        port: Option<u16>,
    },
    Network {
        addr: IpAddr,
        prefix: u8,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is neither a host, host:port nor a network such as 10.1.0.0/16")]
pub struct AllowedError {
    text: String,
}

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, AllowedError> {
        let bad = || AllowedError {
            text: text.to_string(),
        };
        let (head, prefix) = match text.split_once('/') {
            Some((head, prefix)) => (head, Some(prefix.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        if let Ok(addr) = head.trim_matches(['[', ']']).parse::<IpAddr>() {
            let most = if addr.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.unwrap_or(most);
            return (prefix <= most)
                .then_some(Self::Network { addr, prefix })
                .ok_or_else(bad);
        }
        let (name, port) = match head.split_once(':') {
            Some((name, port)) => (name, Some(port.parse::<u16>().map_err(|_| bad())?)),
            None => (head, None),
        };
        let proper = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
        if prefix.is_some() || name.is_empty() || !name.bytes().all(proper) {
            return Err(bad());
        }
        Ok(Self::Host {
            name: name.to_ascii_lowercase(),
            port,
        })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { name, port: None } => f.write_str(name),
            Self::Host {
                name,
                port: Some(port),
            } => write!(f, "{name}:{port}"),
            Self::Network { addr, prefix } => write!(f, "{addr}/{prefix}"),
        }
    }
}

/// Whether a list names the host.
pub(crate) fn allows_host(list: &[Allowed], host: &str, port: u16) -> bool {
    list.iter().any(|a| match a {
        Allowed::Host { name, port: only } => {
            name.eq_ignore_ascii_case(host) && only.is_none_or(|p| p == port)
        }
        Allowed::Network { .. } => false,
    })
}

/// Whether a list names the address.
pub(crate) fn allows_address(list: &[Allowed], ip: IpAddr) -> bool {
    list.iter().any(|a| match a {
        Allowed::Network { addr, prefix } => cp_vocab::model::Network {
            addr: *addr,
            prefix: *prefix,
        }
        .contains(ip),
        Allowed::Host { .. } => false,
    })
}
