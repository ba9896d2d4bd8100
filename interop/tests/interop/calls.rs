//! Each call-control operation of RFC 3261 and its neighbours, by SIPp scenarios.

use crate::world::{server, server_with};
use cp_interop::{Sipp, ports};
use std::net::SocketAddr;

/// Scenarios against the number `answer` that need nothing else, over one server.
#[test]
fn scenarios_against_an_answering_number() {
    let server = server();
    let scenarios = [
        "uac",
        "uac_hold",
        "uac_hold_zero",
        "uac_late_offer",
        "uac_update",
        "uac_timer",
        "uac_timer_small",
        "uac_extension",
        "uac_video",
        "uac_no_codec",
        "options",
    ];
    for scenario in scenarios {
        eprintln!("{scenario}");
        Sipp::new(scenario).dial("answer").run(server.sip);
    }
    Sipp::new("uac").dial("answer").tcp().run(server.sip);
    Sipp::new("uac_hold").dial("answer").tcp().run(server.sip);
    Sipp::new("uac").dial("answer").calls(50).run(server.sip);
    let trails = server.trails();
    assert!(trails.len() >= 55, "{} interactions", trails.len());
    for trail in trails {
        trail.assert_gapless();
        assert!(trail.is_over(), "{:?}", trail.kinds());
    }
}

#[test]
fn a_call_is_told_by_its_log() {
    let server = server();
    Sipp::new("uac").dial("answer").run(server.sip);
    let trail = server.wait_only_trail();
    trail.assert_gapless();
    trail.assert_order(&[
        "interaction.started",
        "leg.added",
        "leg.answered",
        "leg.ended",
    ]);
    assert_eq!(trail.end_reason(), "hung_up");
    let started = trail.find("interaction.started").expect("checked above");
    assert_eq!(started["direction"], "inbound");
    assert_eq!(started["to"]["value"], "answer", "{started}");
}

#[test]
fn refusals_have_the_right_status() {
    let server = server();
    // An unknown number, a number that refuses, a phone that is not registered.
    for (number, status) in [("nobody", 404), ("reject", 486), ("+15550101001", 480)] {
        let caller = Sipp::new("uac_refused")
            .dial(number)
            .value("STATUS", status);
        caller.run(server.sip);
    }
}

fn far_end() -> (Sipp, SocketAddr) {
    far_end_with("uas", "")
}

/// A callee on an address of its own, not started yet.
fn far_end_with(scenario: &str, status: &str) -> (Sipp, SocketAddr) {
    let port = ports::one();
    let callee = Sipp::new(scenario).from([127, 0, 0, 3]).port(port);
    (
        callee.value("STATUS", status),
        SocketAddr::from(([127, 0, 0, 3], port)),
    )
}

#[test]
fn a_call_goes_through_to_the_far_end() {
    let (callee, addr) = far_end();
    let server = server_with(addr);
    let callee = callee.start(server.sip);
    Sipp::new("uac").dial("out").run(server.sip);
    callee.succeed();
    let trail = server.wait_only_trail();
    trail.assert_order(&[
        "interaction.started",
        "leg.added",
        "leg.added",
        "leg.ringing",
        "leg.answered",
        "call.bridged",
        "interaction.ended",
    ]);
}

#[test]
fn the_far_end_hangs_up() {
    let (callee, addr) = far_end_with("uas_bye", "");
    let server = server_with(addr);
    let callee = callee.start(server.sip);
    Sipp::new("uac_remote_bye").dial("out").run(server.sip);
    callee.succeed();
    assert_eq!(server.wait_only_trail().end_reason(), "hung_up");
}

#[test]
fn the_caller_gives_up() {
    let (callee, addr) = far_end_with("uas_no_answer", "");
    let server = server_with(addr);
    let callee = callee.start(server.sip);
    Sipp::new("uac_cancel").dial("out").run(server.sip);
    callee.succeed();
    let trail = server.wait_only_trail();
    assert!(
        ["abandoned", "hung_up"].contains(&trail.end_reason()),
        "{}",
        trail.end_reason()
    );
}

#[test]
fn the_far_end_refuses() {
    for (theirs, ours, reason) in [("486", "486", "busy"), ("603", "603", "declined")] {
        let (callee, addr) = far_end_with("uas_refuses", theirs);
        let server = server_with(addr);
        let callee = callee.start(server.sip);
        Sipp::new("uac_refused")
            .dial("out")
            .value("STATUS", ours)
            .run(server.sip);
        callee.succeed();
        assert_eq!(server.wait_only_trail().end_reason(), reason);
    }
}

#[test]
fn early_media_is_reliable_when_the_caller_asks() {
    let (callee, addr) = far_end_with("uas_early", "");
    let server = server_with(addr);
    let callee = callee.start(server.sip);
    Sipp::new("uac_prack").dial("out").run(server.sip);
    callee.succeed();
}

#[test]
fn digits_choose_from_a_menu() {
    for scenario in ["uac_dtmf_info", "uac_dtmf_rtp"] {
        let server = server();
        let caller = Sipp::new(scenario)
            .dial("menu")
            .value("DIGIT", 1)
            .hold_ms(1_500);
        caller.run(server.sip);
        let trail = server.wait_only_trail();
        trail.assert_order(&["leg.answered", "leg.digit", "interaction.ended"]);
        let digit = trail.find("leg.digit").expect("checked above");
        assert_eq!(digit["digit"], "1", "{scenario}: {digit}");
    }
}

#[test]
fn a_hundred_calls_leave_nothing_behind() {
    let (callee, addr) = far_end();
    let server = server_with(addr);
    let callee = callee.calls(100).start(server.sip);
    Sipp::new("uac").dial("out").calls(100).run(server.sip);
    callee.succeed();
    let open = server.get("/v1/interactions?open=true&limit=200");
    assert_eq!(open["items"].as_array().map(Vec::len), Some(0), "{open}");
}
