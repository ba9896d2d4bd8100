//! The address as the socket sees it. Call this on what the resolver gave, for every candidate,
//! immediately before connecting: a name that resolves to a public address first and to loopback
//! second is refused the second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
    let public = match to.ip() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    };
    public.then_some(()).ok_or(AddressFault::NotPublic)
}

/// Networks of the IANA special-purpose registry (RFC 6890), by first address and prefix length.
const DENIED_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let ip = u32::from(ip);
    !DENIED_V4
        .iter()
        .any(|(net, bits)| (ip ^ u32::from_be_bytes(*net)) >> (32 - bits) == 0)
}

/// Only global unicast (2000::/3), less its special parts. Addresses that carry an IPv4 address
/// are judged by it: a translator or tunnel would take us there.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let v4 = |a: u16, b: u16| is_public_v4(Ipv4Addr::from((u32::from(a) << 16) | u32::from(b)));
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    // NAT64 (RFC 6052) well-known prefix; the local-use one (RFC 8215) is private by meaning.
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return v4(s[6], s[7]);
    }
    if s[0] == 0x2002 {
        return v4(s[1], s[2]);
    }
    let global = s[0] & 0xe000 == 0x2000;
    let protocol = s[0] == 0x2001 && s[1] < 0x200; // Teredo, ORCHID, benchmarking
    let documentation = (s[0] == 0x2001 && s[1] == 0xdb8) || (s[0] == 0x3fff && s[1] < 0x1000);
    global && !protocol && !documentation
}
