//! baresip phones: registration, audio both ways through every codec and SRTP, hold, transfer.

use crate::world::{HIGH, LOW, server, world};
use cp_interop::digest::Algorithm;
use cp_interop::phone::Setup;
use cp_interop::probe::Probe;
use cp_interop::server::{DOMAIN, password};
use cp_interop::{Phone, Server};
use std::net::Ipv4Addr;

/// 1001 sends 1 kHz, the others 600 Hz.
fn phone(user: &str) -> Setup {
    Setup::new(user).tone(if user == "1001" { 1_000 } else { 600 })
}

/// 1001 calls 1002, who answers.
fn connect(server: &Server, a: Setup, b: Setup) -> (Phone, Phone) {
    let (mut a, mut b) = (a.start(server), b.start(server));
    a.dial(&server.uri("1002"));
    b.expect("CALL_INCOMING");
    b.accept();
    a.expect("CALL_ESTABLISHED");
    b.expect("CALL_ESTABLISHED");
    (a, b)
}

#[test]
fn digest_by_md5_and_sha256() {
    let server = server();
    for (user, algorithm) in [("1001", Algorithm::Md5), ("1002", Algorithm::Sha256)] {
        let mut probe = Probe::udp(Ipv4Addr::LOCALHOST, 0);
        let answer = probe.register(user, DOMAIN, &password(user), algorithm, server.sip);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{}: {}", algorithm.name(), answer.text);
        assert!(answer.header("Contact").contains(user), "{}", answer.text);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_alike() {
    let server = server();
    let mut seen = Vec::new();
    for (user, secret) in [("1001", "wrong"), ("9999", "wrong")] {
        let mut probe = Probe::udp(Ipv4Addr::new(127, 0, 0, 7), 0);
        let answer = probe.register(user, DOMAIN, secret, Algorithm::Md5, server.sip);
        let answer = answer.expect("an answer");
        let names: Vec<String> = answer
            .text
            .lines()
            .filter_map(|l| Some(l.split_once(':')?.0.to_string()))
            .collect();
        seen.push((answer.status, names));
    }
    assert!([401, 403].contains(&seen[0].0), "{seen:?}");
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn two_phones_hear_each_other() {
    let server = server();
    let (mut a, mut b) = connect(&server, phone("1001"), phone("1002"));
    a.hears(LOW);
    b.hears(HIGH);
    a.hang_up();
    b.expect("CALL_CLOSED");
    let trail = server.wait_only_trail();
    trail.assert_order(&["interaction.started", "call.bridged", "interaction.ended"]);
    assert_eq!(trail.end_reason(), "hung_up");
    assert_eq!(trail.count("leg.answered"), 2);
}

#[test]
fn codecs_are_transcoded_and_srtp_is_unwrapped() {
    let (opus, g722) = ("opus/48000/2", "G722/16000/1");
    let table = [
        (
            phone("1001").codecs("PCMA"),
            phone("1002").codecs("PCMU"),
            [false, false],
        ),
        (
            phone("1001").codecs(opus),
            phone("1002").codecs("PCMU"),
            [false, false],
        ),
        (
            phone("1001").codecs(g722),
            phone("1002").codecs(opus),
            [false, false],
        ),
        (
            phone("1001").codecs("PCMU").srtp(),
            phone("1002").codecs("PCMU"),
            [true, false],
        ),
        (
            phone("1001").codecs("PCMU"),
            phone("1002").codecs(opus).srtp(),
            [false, true],
        ),
        (
            phone("1001").codecs(g722).srtp().tcp(),
            phone("1002").codecs("PCMA").srtp(),
            [true, true],
        ),
    ];
    for (a, b, secure) in table {
        let server = server();
        let what = format!("{a:?} {b:?}");
        eprintln!("{what}");
        let (mut a, mut b) = connect(&server, a, b);
        a.hears(LOW);
        b.hears(HIGH);
        a.hang_up();
        b.expect("CALL_CLOSED");
        let trail = server.wait_only_trail();
        let mut got: Vec<bool> = trail
            .all("leg.answered")
            .map(|e| e["secure"] == true)
            .collect();
        let mut want = secure.to_vec();
        got.sort_unstable();
        want.sort_unstable();
        assert_eq!(got, want, "{what}");
    }
}

#[test]
fn a_phone_holds_and_resumes() {
    let server = server();
    let (mut a, b) = connect(&server, phone("1001"), phone("1002"));
    b.hears(HIGH);
    a.hold();
    server.wait_trail("a hold", |t| t.has("leg.held"));
    b.hears_something_but(HIGH);
    a.resume();
    server.wait_trail("a resumption", |t| t.has("leg.resumed"));
    b.hears(HIGH);
    a.hang_up();
    let trail = server.wait_only_trail();
    trail.assert_order(&[
        "call.bridged",
        "leg.held",
        "leg.resumed",
        "interaction.ended",
    ]);
}

#[test]
fn a_phone_transfers_blindly() {
    let server = server();
    let (mut a, b) = connect(&server, phone("1001"), phone("1002"));
    let mut c = Setup::new("1003").tone(1_000).auto_answer().start(&server);
    b.hears(HIGH);
    // B's partner leaves; C sends the tone A sent, so what B hears tells nothing: what C hears does.
    a.transfer(&server.uri("1003"));
    c.expect("CALL_ESTABLISHED");
    c.hears(LOW);
    a.expect("CALL_CLOSED");
    b.hears(HIGH);
    c.hang_up();
    let trail = server.wait_trail("an end", |t| t.is_over() && t.has("transfer.completed"));
    trail.assert_order(&[
        "call.bridged",
        "transfer.started",
        "transfer.completed",
        "interaction.ended",
    ]);
}

#[test]
fn a_failed_transfer_gives_the_call_back() {
    let server = server();
    let (mut a, mut b) = connect(&server, phone("1001"), phone("1002"));
    b.hears(HIGH);
    a.transfer(&server.uri("no-such-extension"));
    server.wait_trail("a failed transfer", |t| t.has("transfer.failed"));
    b.hears(HIGH);
    b.hang_up();
    a.expect("CALL_CLOSED");
}

#[test]
fn a_busy_phone_and_one_that_does_not_answer() {
    let server = server();
    let mut a = phone("1001").start(&server);
    let mut b = phone("1002").start(&server);
    a.dial(&server.uri("1002"));
    b.expect("CALL_INCOMING");
    b.hang_up();
    a.expect("CALL_CLOSED");
    let trail = server.wait_only_trail();
    assert!(
        ["busy", "declined"].contains(&trail.end_reason()),
        "{}",
        trail.end_reason()
    );
}

#[test]
fn a_conference_of_three() {
    let server = server();
    let mut a = phone("1001").start(&server);
    let mut b = phone("1002").start(&server);
    a.dial(&server.uri("conf"));
    a.expect("CALL_ESTABLISHED");
    b.dial(&server.uri("conf"));
    b.expect("CALL_ESTABLISHED");
    // Everybody hears the other and not themselves.
    a.hears(LOW);
    b.hears(HIGH);
    let mut c = Setup::new("1003").tone(2_000).start(&server);
    c.dial(&server.uri("conf"));
    c.expect("CALL_ESTABLISHED");
    let mixed = cp_interop::wait::try_until(cp_interop::wait::PATIENCE, || {
        let heard = c.heard()?.last(400)?;
        let both = heard.purity(HIGH) > 0.2 && heard.purity(LOW) > 0.2;
        (both && heard.purity(2_000.0) < 0.05).then_some(())
    });
    assert!(
        mixed.is_some(),
        "the third hears both others and not itself"
    );
}

#[test]
fn a_phone_that_vanishes_is_a_drop() {
    let server = Server::start_with(&world(None), &[("CROSSPOINT_MEDIA_SILENT_MS", "3000")]);
    let (mut a, mut b) = connect(&server, phone("1001"), phone("1002"));
    b.hears(HIGH);
    a.vanish();
    b.expect("CALL_CLOSED");
    let trail = server.wait_only_trail();
    assert_eq!(trail.end_reason(), "dropped", "{:?}", trail.kinds());
}
