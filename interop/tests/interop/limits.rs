//! What happens at limits and on bad input, as a caller or a program sees it.

use crate::world::{HIGH, server, world};
use cp_interop::phone::Setup;
use cp_interop::server::OPERATOR;
use cp_interop::{Server, Sipp, Trail, ports};
use serde_json::json;

#[test]
fn a_command_for_an_ended_call_is_a_conflict() {
    let server = server();
    Sipp::new("uac").dial("answer").run(server.sip);
    let trail = server.wait_only_trail();
    let path = format!("/v1/interactions/{}/hang-up", trail.interaction);
    let answer = server.post(&path, &json!({}));
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(answer.json()["code"], "interaction_ended");
    let leg = trail.leg_of("15550100");
    let answer = server.post(&format!("/v1/legs/{leg}/hold"), &json!({}));
    assert!([404, 409].contains(&answer.status), "{}", answer.text());
}

#[test]
fn without_ports_calls_are_refused_and_come_back() {
    let first = ports::block(42);
    let first = first + first % 2;
    let range = format!("{first}-{}", first + 39);
    let settings = [
        ("CROSSPOINT_MEDIA_PORTS", range.as_str()),
        ("CROSSPOINT_MEDIA_WORKERS", "1"),
    ];
    let server = Server::start_with(&world(None), &settings);
    // Twenty pairs of ports carry twenty legs.
    let held = Sipp::new("uac")
        .dial("answer")
        .calls(20)
        .hold_ms(3_000)
        .start(server.sip);
    cp_interop::wait::until("twenty answered calls", || {
        let answered = server
            .trails()
            .iter()
            .filter(|t| t.has("leg.answered"))
            .count();
        (answered == 20).then_some(())
    });
    Sipp::new("uac_refused")
        .dial("answer")
        .value("STATUS", 503)
        .run(server.sip);
    held.succeed();
    Sipp::new("uac").dial("answer").calls(5).run(server.sip);
}

#[test]
fn a_draining_node_refuses_new_calls_and_lets_running_ones_live() {
    let server = server();
    let mut a = Setup::new("1001").start(&server);
    let mut b = Setup::new("1002").tone(600).auto_answer().start(&server);
    a.dial(&server.uri("1002"));
    b.expect("CALL_ESTABLISHED");
    b.hears(HIGH);
    let operator = server.client(OPERATOR.0, OPERATOR.1);
    let drain = |on: bool| {
        let answer = operator.post("/v1/node/drain", &json!({"on": on}));
        answer.map(|a| a.status).ok()
    };
    assert_eq!(drain(true), Some(204));
    Sipp::new("uac_refused")
        .dial("answer")
        .value("STATUS", 503)
        .run(server.sip);
    assert_eq!(server.http.get("/readyz").map(|r| r.status).ok(), Some(503));
    assert_eq!(
        server.http.get("/healthz").map(|r| r.status).ok(),
        Some(200)
    );
    b.hears(HIGH);
    assert_eq!(drain(false), Some(204));
    Sipp::new("uac").dial("answer").run(server.sip);
    a.hang_up();
    b.expect("CALL_CLOSED");
    server.wait_trail("the end of the call", |t| {
        t.is_over() && t.has("call.bridged")
    });
}

#[test]
fn strangers_reach_nothing() {
    let server = server();
    // Neither a trunk nor a phone: challenged or refused, for known and unknown numbers alike.
    for number in ["answer", "1001", "nobody"] {
        let mut stranger = cp_interop::probe::Probe::udp([127, 0, 0, 66].into(), 0);
        let uri = format!("sip:{number}@{}", server.sip);
        let (answer, dialog) = stranger.invite(&uri, "mallory", server.sip, &[]);
        let status = answer.map(|a| a.status);
        assert!(dialog.is_none(), "{number}");
        assert!(
            [Some(401), Some(403), Some(407), None].contains(&status),
            "{number}: {status:?}"
        );
    }
    let none: Vec<Trail> = server.trails();
    assert!(none.is_empty(), "{none:?}");
}

#[test]
fn logs_hold_no_personal_data() {
    let settings = [("CROSSPOINT_LOG_FILTER", "debug")];
    let server = Server::start_with(&world(None), &settings);
    let mut a = Setup::new("1001").start(&server);
    let mut b = Setup::new("1002").tone(600).auto_answer().start(&server);
    a.dial(&server.uri("1002"));
    b.expect("CALL_ESTABLISHED");
    a.hang_up();
    Sipp::new("uac").dial("answer").run(server.sip);
    Sipp::new("uac_refused")
        .dial("nobody")
        .value("STATUS", 404)
        .run(server.sip);
    server.wait_trail("the end of the call", Trail::is_over);
    let log = server.log();
    for secret in ["15550100", "pw-1001", "sip:1001", "sip:1002", "Phone 1001"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
