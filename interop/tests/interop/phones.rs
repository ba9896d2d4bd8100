//! baresip phones: registration, audio both ways through every codec and SRTP, hold, transfer.

use crate::world::{HIGH, LOW, server, world, world_with_srtp};
use cp_interop::digest::Algorithm;
use cp_interop::phone::Setup;
use cp_interop::probe::Probe;
use cp_interop::server::{DOMAIN, password};
use cp_interop::wait::holds_for;
use cp_interop::{Phone, Server, Trail};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

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
        let users = [("1001", secure[0]), ("1002", secure[1])];
        let users: Vec<&str> = users.iter().filter(|u| u.1).map(|u| u.0).collect();
        let server = Server::start(&world_with_srtp(&users));
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
    let mut c = Setup::new("1003").start(&server);
    b.hears(HIGH);
    // By command: baresip hangs up by itself when its REFER fails.
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let leg = trail.leg_of("1001");
    let target = json!({"to": "phone", "phone": server.id_of("phones", "user", "1003")});
    server.command(
        &format!("/v1/legs/{leg}/transfer"),
        &json!({"destination": target}),
    );
    c.expect("CALL_INCOMING");
    c.hang_up();
    server.wait_trail("a failed transfer", |t| t.has("transfer.failed"));
    b.hears(HIGH);
    a.hears(LOW);
    b.hang_up();
    a.expect("CALL_CLOSED");
}

#[test]
fn an_attended_transfer_by_command() {
    let server = server();
    let (mut a, b) = connect(&server, phone("1001"), phone("1002"));
    let mut c = Setup::new("1003").tone(2_000).start(&server);
    b.hears(HIGH);
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let leg = trail.leg_of("1001");
    let target = json!({"kind": "extension", "extension": "1003"});
    server.command(
        &format!("/v1/legs/{leg}/consult"),
        &json!({"target": target}),
    );
    c.expect("CALL_INCOMING");
    c.accept();
    // A and C talk, B waits and hears neither.
    c.hears(HIGH);
    a.hears(2_000.0);
    b.hears_something_but(HIGH);
    server.command(&format!("/v1/legs/{leg}/complete"), &json!({}));
    b.hears(2_000.0);
    c.hears(LOW);
    a.expect("CALL_CLOSED");
    c.hang_up();
    let trail = server.wait_trail("an end", Trail::is_over);
    trail.assert_order(&[
        "call.bridged",
        "consult.started",
        "transfer.completed",
        "interaction.ended",
    ]);
}

#[test]
fn an_attended_transfer_by_refer_with_replaces() {
    let server = server();
    let mut b = phone("1002").auto_answer().start(&server);
    let mut c = Setup::new("1003").tone(1_000).auto_answer().start(&server);
    // The transferor is a phone with two calls; the one of Debian cannot do this.
    let mut desk = Probe::udp(Ipv4Addr::LOCALHOST, 0);
    let call = |desk: &mut Probe, user: &str| {
        let (uri, password) = (server.uri(user), password("1001"));
        let (answer, dialog) = desk.invite_as("1001", &password, &uri, server.sip);
        dialog.unwrap_or_else(|| panic!("call to {user}: {answer:?}"))
    };
    let mut first = call(&mut desk, "1002");
    let mut second = call(&mut desk, "1003");
    let replaces = second.replaces().replace(';', "%3B").replace('=', "%3D");
    let target = format!("Refer-To: <sip:1003@{DOMAIN}?Replaces={replaces}>");
    let answer = desk.in_dialog(&mut first, "REFER", &[target]);
    assert_eq!(answer.map(|a| a.status), Some(202));
    // 100, then how it ended.
    desk.answer_next("NOTIFY").expect("a first NOTIFY");
    let told = desk.answer_next("NOTIFY").expect("a last NOTIFY");
    assert!(told.body().contains("200"), "{}", told.text);
    b.hears(HIGH);
    c.hears(LOW);
    desk.in_dialog(&mut first, "BYE", &[]);
    desk.in_dialog(&mut second, "BYE", &[]);
    // They go on without the one who brought them together.
    holds_for(Duration::from_secs(1), "the transferred call", || {
        !b.has_seen("CALL_CLOSED") && !c.has_seen("CALL_CLOSED")
    });
    b.hang_up();
    c.expect("CALL_CLOSED");
}

#[test]
fn three_phones_become_a_conference() {
    let server = server();
    let (a, b) = connect(&server, phone("1001"), phone("1002"));
    let mut c = Setup::new("1003").tone(2_000).auto_answer().start(&server);
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let leg = trail.leg_of("1001");
    let target = json!({"kind": "extension", "extension": "1003"});
    server.command(
        &format!("/v1/legs/{leg}/consult"),
        &json!({"target": target}),
    );
    c.expect("CALL_ESTABLISHED");
    a.hears(2_000.0);
    server.command(&format!("/v1/legs/{leg}/merge"), &json!({}));
    for (phone, one, other) in [(&a, LOW, 2_000.0), (&b, HIGH, 2_000.0), (&c, HIGH, LOW)] {
        phone.hears_both(one, other);
    }
    server.wait_trail("a merge", |t| t.has("conference.merged"));
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
    c.hears_both(HIGH, LOW);
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
