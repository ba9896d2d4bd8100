//! Free ports on the loopback addresses, apart from those of tests beside.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// Below the range the kernel gives to clients, above well-known services.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

static NEXT: Mutex<Option<u16>> = Mutex::new(None);

/// The first of `count` neighbouring ports, free for UDP and TCP on every loopback address.
///
/// # Panics
/// When the whole range is in use.
pub fn block(count: u16) -> u16 {
    let mut next = NEXT.lock().unwrap_or_else(|e| e.into_inner());
    // Processes that test at the same time start at different places.
    let spread = (std::process::id() % 100) as u16 * 120;
    let mut first = next.unwrap_or(FIRST + spread);
    for _ in FIRST..LAST {
        if first + count >= LAST {
            first = FIRST;
        }
        if (first..first + count).all(is_free) {
            *next = Some(first + count);
            return first;
        }
        first += 1;
    }
    panic!("no {count} free ports between {FIRST} and {LAST}");
}

/// One port.
pub fn one() -> u16 {
    // Even, because media takes the next one for RTCP and SIP clients the next one for TLS.
    let first = block(3);
    first + first % 2
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
