//! The address as the socket sees it. Call this on what the resolver gave, for every candidate,
//! immediately before connecting: a name that resolves to a public address first and to loopback
//! second is refused the second time.

use std::net::SocketAddr;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressFault {
    #[error("not a public address")]
    NotPublic,
    #[error("a port other than 443 and 8443")]
    Port,
}

/// Whether a connection may be opened to fetch a certificate.
pub fn check_socket(to: SocketAddr) -> Result<(), AddressFault> {
    if !matches!(to.port(), 443 | 8443) {
        return Err(AddressFault::Port);
    }
    cp_vocab::net::is_public(to.ip())
        .then_some(())
        .ok_or(AddressFault::NotPublic)
}
