//! Carriers over TLS: one that shows a certificate and calls in, one that is called and must show the
//! right one.

use crate::wire::{Authority, NAME, OverTls, Tls, TlsCarrier, tls_as};
use crate::world::{CALLED, CALLER, hang_up};
use cp_interop::probe::{Channel, Probe};
use cp_interop::server::{media_ports, number, password, phone, tenant};
use cp_interop::{Server, ports};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const CARRIER: &str = "carrier.interop.test";
const PATIENCE: Duration = Duration::from_secs(10);

struct World {
    server: Server,
    tls: SocketAddr,
    authority: Authority,
}

/// The carrier is known by its certificate; the number `out` leads to it, at this port.
fn world(port: u16) -> World {
    let authority = Authority::new();
    authority.sign(NAME);
    authority.sign(CARRIER);
    let tls = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::one()));
    let file = |name: &str| authority.file(name).display().to_string();
    let settings = [
        ("CROSSPOINT_SIP_TLS", tls.to_string()),
        ("CROSSPOINT_SIP_CERTIFICATE", file(&format!("{NAME}.pem"))),
        ("CROSSPOINT_SIP_KEY", file(&format!("{NAME}.key"))),
        ("CROSSPOINT_SIP_CLIENT_AUTHORITIES", file("ca.pem")),
        ("CROSSPOINT_SIP_SERVER_AUTHORITIES", file("ca.pem")),
        ("CROSSPOINT_MEDIA_PORTS", media_ports(200)),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let out = json!({"to": "trunk", "trunk": "secure", "number": "2001"});
    let provision = tenant(json!({
        "phones": [phone("1001")],
        "trunks": [{
            "name": "secure", "auth": {"by": "tls", "name": CARRIER},
            "host": format!("localhost:{port}"), "transport": "tls", "dial_prefixes": [""],
        }],
        "numbers": [number(CALLED, json!({"to": "answer"})), number("out", out)],
    }));
    World {
        server: Server::start_with(&provision, &settings),
        tls,
        authority,
    }
}

fn probe(stream: Tls) -> Probe {
    let local = stream.sock.local_addr().expect("an address");
    Probe::over(Box::new(OverTls::new(stream)), local)
}

#[test]
fn a_carrier_is_known_by_its_certificate() {
    let w = world(9);
    let connect = |own| tls_as(w.tls, w.authority.certificate(), own);
    let own = Some((&w.authority, CARRIER));
    let mut carrier = probe(connect(own).expect("a TLS connection"));
    let uri = w.server.uri(CALLED);
    let (answer, dialog) = carrier.invite(&uri, CALLER, w.tls, &[]);
    assert_eq!(
        answer.map(|a| a.status),
        Some(200),
        "{}",
        w.server.log_tail()
    );
    hang_up(&mut carrier, dialog.expect("an answered call"));
    let trail = w.server.wait_only_trail();
    let started = trail.find("interaction.started").expect("a start");
    assert!(started["trunk"].is_string(), "{started}");
    // Without one, or with one for another name, it is a stranger.
    w.authority.sign("other.interop.test");
    let other = Some((&w.authority, "other.interop.test"));
    for own in [None, other] {
        let mut stranger = probe(connect(own).expect("a TLS connection"));
        let (answer, _) = stranger.invite(&uri, CALLER, w.tls, &[]);
        assert_eq!(answer.map(|a| a.status), Some(401));
    }
    // One that our authority has not signed does not even connect.
    let forger = Authority::new();
    forger.sign(CARRIER);
    let stream = connect(Some((&forger, CARRIER)));
    let answer = stream
        .ok()
        .and_then(|s| probe(s).invite(&uri, CALLER, w.tls, &[]).0);
    assert_eq!(answer.map(|a| a.status), None);
}

#[test]
fn a_call_goes_out_over_tls_to_who_shows_the_right_certificate() {
    let hosts = Authority::new();
    hosts.sign("localhost");
    for trusted in [true, false] {
        // The port must be known before the server starts, its authority before the carrier.
        let port = ports::one();
        let w = world(port);
        w.authority.sign("localhost");
        let authority = if trusted { &w.authority } else { &hosts };
        let carrier = TlsCarrier::listen_at(authority, "localhost", port);
        let far = std::thread::spawn(move || {
            let mut line = carrier.accept().ok()?;
            let invite = line.receive(PATIENCE)?;
            assert!(line.send(ok_to(&invite, port).as_bytes()));
            let ack = line.receive(PATIENCE)?;
            let bye = line.receive(PATIENCE)?;
            assert!(line.send(ok_to(&bye, port).as_bytes()));
            Some((invite, ack, bye))
        });
        let mut caller = Probe::udp(Ipv4Addr::LOCALHOST, 0);
        let uri = w.server.uri("out");
        let called = caller.invite_as("1001", &password("1001"), &uri, w.server.sip);
        let status = called.0.map_or(0, |a| a.status);
        if !trusted {
            assert!(status >= 400, "{status}");
            assert!(far.join().expect("no panic").is_none());
            continue;
        }
        assert_eq!(status, 200, "{}", w.server.log_tail());
        hang_up(&mut caller, called.1.expect("an answered call"));
        let (invite, ack, bye) = far.join().expect("no panic").expect("a call");
        let target = format!("INVITE sips:2001@localhost:{port} SIP/2.0");
        assert!(invite.starts_with(&target), "{invite}");
        assert!(invite.contains("Via: SIP/2.0/TLS "), "{invite}");
        assert!(
            ack.starts_with("ACK ") && bye.starts_with("BYE "),
            "{ack}{bye}"
        );
    }
}

/// 200 with an answer to the offer for an INVITE, a bare 200 for anything else.
fn ok_to(request: &str, port: u16) -> String {
    let mut text = String::from("SIP/2.0 200 OK\r\n");
    for line in request.lines().take_while(|l| !l.is_empty()) {
        let name = line.split(':').next().unwrap_or("");
        match name {
            "To" if !line.contains("tag=") => text.push_str(&format!("{line};tag=far\r\n")),
            "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route" => {
                text.push_str(&format!("{line}\r\n"));
            }
            _ => {}
        }
    }
    if !request.starts_with("INVITE") {
        return text + "Content-Length: 0\r\n\r\n";
    }
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
               m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    text + &format!(
        "Contact: <sips:far@localhost:{port}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}
