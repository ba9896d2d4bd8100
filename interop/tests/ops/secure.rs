//! SIP over TLS and over secure WebSockets, certificates that change, and calls that must be
//! encrypted.

use crate::wire::{Certificate, OverTls, OverWss, tls};
use crate::world::{CALLED, hang_up, server, signal};
use cp_interop::digest::Algorithm;
use cp_interop::probe::Probe;
use cp_interop::server::{DOMAIN, password};
use cp_interop::{Server, ports, wait};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use tempfile::TempDir;

struct Secure {
    server: Server,
    folder: TempDir,
    certificate: Certificate,
    tls: SocketAddr,
    wss: SocketAddr,
}

fn secure() -> Secure {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificate = Certificate::write(folder.path());
    let local = || SocketAddr::from((Ipv4Addr::LOCALHOST, ports::one()));
    let (tls, wss) = (local(), local());
    let settings = [
        ("CROSSPOINT_SIP_TLS", tls.to_string()),
        ("CROSSPOINT_SIP_WSS", wss.to_string()),
        (
            "CROSSPOINT_SIP_CERTIFICATE",
            certificate.chain.display().to_string(),
        ),
        ("CROSSPOINT_SIP_KEY", certificate.key.display().to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let server = server(&settings);
    Secure {
        server,
        folder,
        certificate,
        tls,
        wss,
    }
}

impl Secure {
    fn over_tls(&self) -> Probe {
        let stream = tls(self.tls, self.certificate.read()).expect("a TLS connection");
        let local = stream.sock.local_addr().expect("an address");
        Probe::over(Box::new(OverTls::new(stream)), local)
    }
    fn over_wss(&self) -> Probe {
        let stream = tls(self.wss, self.certificate.read()).expect("a TLS connection");
        let local = stream.sock.local_addr().expect("an address");
        let channel =
            OverWss::open(stream, "wss", "sip").unwrap_or_else(|s| panic!("refused with {s}"));
        Probe::over(Box::new(channel), local)
    }
}

/// Registers and calls; both must work.
fn registers_and_calls(probe: &mut Probe, server: &Server, peer: SocketAddr) {
    let registered = probe.register("1001", DOMAIN, &password("1001"), Algorithm::Sha256, peer);
    assert_eq!(
        registered.map(|r| r.status),
        Some(200),
        "REGISTER: {}",
        server.log_tail()
    );
    let (answer, dialog) = probe.invite_as("1001", &password("1001"), &server.uri(CALLED), peer);
    let answer = answer.unwrap_or_else(|| panic!("no answer: {}", server.log_tail()));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.body().contains("m=audio"), "{}", answer.text);
    hang_up(probe, dialog.expect("an answered call"));
}

#[test]
fn a_phone_registers_and_calls_over_tls() {
    let s = secure();
    let mut probe = s.over_tls();
    registers_and_calls(&mut probe, &s.server, s.tls);
    let phone = s.server.id_of("phones", "user", "1001");
    let live = s.server.get("/v1/live");
    let found = live["phones"]
        .as_array()
        .and_then(|p| p.iter().find(|p| p["id"] == *phone));
    assert_eq!(
        found.map(|p| &p["transport"]),
        Some(&serde_json::json!("tls")),
        "{live}"
    );
}

#[test]
fn a_phone_registers_and_calls_over_wss() {
    let s = secure();
    let mut probe = s.over_wss();
    registers_and_calls(&mut probe, &s.server, s.wss);
    // Only who speaks SIP over it (RFC 7118 section 4).
    let stream = tls(s.wss, s.certificate.read()).expect("a TLS connection");
    assert_eq!(OverWss::open(stream, "wss", "chat").err(), Some(400));
}

#[test]
fn a_phone_registers_and_calls_over_plain_websocket() {
    let ws = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::one()));
    let server = server(&[("CROSSPOINT_SIP_WS", &ws.to_string())]);
    let connect = || TcpStream::connect(ws).expect("a connection");
    let local = connect().local_addr().expect("an address");
    let channel = OverWss::open(connect(), "ws", "sip");
    let channel = channel.unwrap_or_else(|s| panic!("refused with {s}"));
    let mut probe = Probe::over(Box::new(channel), local);
    registers_and_calls(&mut probe, &server, ws);
    assert_eq!(OverWss::open(connect(), "ws", "chat").err(), Some(400));
}

#[test]
fn a_connection_that_trusts_another_certificate_fails_and_the_next_works() {
    let s = secure();
    let other = tempfile::tempdir().expect("a temporary folder");
    let stranger = Certificate::write(other.path());
    assert!(tls(s.tls, stranger.read()).is_err());
    let mut probe = s.over_tls();
    // Strangers are asked who they are: an answer all the same.
    assert_eq!(probe.options(s.tls).map(|r| r.status), Some(401));
}

#[test]
fn a_phone_with_srtp_only_gets_488_without() {
    let s = secure();
    let mut probe = s.over_tls();
    let uri = s.server.uri(CALLED);
    let (answer, _) = probe.invite_as("1002", &password("1002"), &uri, s.tls);
    assert_eq!(answer.map(|a| a.status), Some(488));
    probe.srtp = true;
    let (answer, dialog) = probe.invite_as("1002", &password("1002"), &uri, s.tls);
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.body().contains("RTP/SAVP"), "{}", answer.text);
    assert!(
        answer
            .body()
            .contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"),
        "{}",
        answer.text
    );
    hang_up(&mut probe, dialog.expect("an answered call"));
}

#[test]
fn certificates_are_read_again_on_sighup() {
    let s = secure();
    let mut running = s.over_tls();
    let old = s.certificate.read();
    let new = Certificate::write(s.folder.path());
    assert!(tls(s.tls, new.read()).is_err(), "not before it is told");
    signal(&s.server, "HUP");
    wait::until_within(wait::PATIENCE, "the new certificate", || {
        tls(s.tls, new.read()).ok()
    });
    assert!(tls(s.tls, old).is_err(), "the old one is gone");
    // Who is connected stays so.
    assert_eq!(running.options(s.tls).map(|r| r.status), Some(401));
    // Files that cannot be used change nothing.
    std::fs::write(&new.key, "no key").expect("write the key");
    signal(&s.server, "HUP");
    wait::until_within(wait::PATIENCE, "a word of warning", || {
        s.server
            .log()
            .contains("the old certificates stay")
            .then_some(())
    });
    assert!(tls(s.tls, new.read()).is_ok());
}
