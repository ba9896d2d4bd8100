//! RTP from strangers: sprayed at every media port of a running call.

use crate::world::*;
use cp_interop::phone::Setup;
use cp_interop::server::metric;
use cp_interop::{Server, wait};
use std::net::UdpSocket;
use std::time::Duration;

const HIGH: u32 = 1_000;
const LOW: u32 = 600;
/// Packets in every test run, at a pace that a stranger on the net could keep up.
const PACKETS: u32 = 20_000;
const PER_S: u32 = 10_000;

#[test]
fn rtp_from_a_stranger_is_neither_heard_nor_answered() {
    let (first, last) = (28_000, 28_000 + 599);
    let first = first + u16::try_from(std::process::id() % 16).expect("small") * 2;
    let range = format!("{first}-{last}");
    let settings = [
        ("CROSSPOINT_MEDIA_PORTS", range.as_str()),
        ("CROSSPOINT_MEDIA_WORKERS", "1"),
    ];
    let mut server = Server::start_with(&world(), &settings);
    let mut a = Setup::new("1001").tone(HIGH).start(&server);
    let b = Setup::new("1002").tone(LOW).auto_answer().start(&server);
    a.dial(&server.uri("1002"));
    a.expect("CALL_ESTABLISHED");
    wait::until("they hear each other", || {
        (a.heard().is_some() && b.heard().is_some()).then_some(())
    });
    a.hears(f64::from(LOW));
    b.hears(f64::from(HIGH));
    let stranger = UdpSocket::bind((STRANGER, 0)).expect("a socket");
    stranger
        .set_nonblocking(true)
        .expect("a socket that does not wait");
    let mut pace = Pace::new(PER_S);
    for n in 0..PACKETS * length() {
        pace.turn();
        let port = first + (n % 600) as u16;
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let _ = stranger.send_to(&packet(n), to);
    }
    a.hears(f64::from(LOW));
    b.hears(f64::from(HIGH));
    let mut buffer = [0; 2_048];
    let came = (0..1_000)
        .filter(|_| stranger.recv_from(&mut buffer).is_ok())
        .count();
    assert_eq!(came, 0, "packets went to the stranger");
    let counted = wait::try_until(Duration::from_secs(5), || {
        let text = server.http.get("/metrics").ok()?.text();
        metric(&text, "crosspoint_media_rtp_discarded_total").filter(|n| *n > 0.0)
    });
    assert!(counted.is_some(), "strangers are counted");
    a.hang_up();
    unharmed(&mut server, "the spray");
}

/// Loud PCMU, short RTCP, STUN, a ClientHello, and noise, by turns.
fn packet(n: u32) -> Vec<u8> {
    let mut rtp = vec![0x80, 0];
    rtp.extend_from_slice(&(n as u16).to_be_bytes());
    rtp.extend_from_slice(&(n * 160).to_be_bytes());
    rtp.extend_from_slice(&0xBADC_0FFE_u32.to_be_bytes());
    match n % 8 {
        0..=3 => rtp.extend((0..160).map(|i| if i % 8 < 4 { 0x00 } else { 0x80 })),
        // RTCP of one to seven bytes (RTP bleed), and a goodbye for whoever is there.
        4 => rtp = vec![0x80, 0xc8, 0, 6][..1 + (n as usize / 8) % 4].to_vec(),
        5 => rtp = [&[0x81, 0xcb, 0, 1][..], &n.to_be_bytes()].concat(),
        // A binding request without MESSAGE-INTEGRITY (RFC 8489), with the candidate nominated.
        6 => {
            rtp = vec![0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42];
            rtp.extend_from_slice(&[n as u8; 12]);
            rtp.extend_from_slice(&[0, 0x25, 0, 0]);
        }
        // DTLS 1.2 ClientHello with the null cipher alone.
        _ => {
            rtp = vec![
                22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0,
                42, 0xfe, 0xfd,
            ];
            rtp.extend_from_slice(&[n as u8; 32]);
            rtp.extend_from_slice(&[0, 0, 0, 2, 0, 0, 1, 0]);
        }
    }
    rtp
}
