//! How a node goes: no new calls, running ones may end, within a limit, and at once when told twice.

use crate::world::{CALLED, OPERATOR, call, carrier, hang_up, readyz, refused, server, signal};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_draining_node_lets_calls_end_and_takes_no_new_ones() {
    let mut server = server(&[]);
    let (mut a, mut b) = (carrier(), carrier());
    let dialog = call(&mut a, &server, CALLED);
    signal(&server, "TERM");
    let body = readyz(&server, 503);
    assert_eq!(
        (&body["ready"], &body["draining"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        server.http.get("/healthz").map(|r| r.status).ok(),
        Some(200)
    );
    assert_eq!(refused(&mut b, &server, CALLED), 503);
    assert!(server.is_running(), "it waits for the call");
    hang_up(&mut a, dialog);
    let status = server.process().wait(Duration::from_secs(10));
    assert!(status.success(), "{status}: {}", server.log_tail());
}

#[test]
fn the_drain_has_a_limit() {
    let mut server = server(&[("CROSSPOINT_DRAIN_MS_MAX", "1500")]);
    let mut probe = carrier();
    let dialog = call(&mut probe, &server, CALLED);
    let begun = Instant::now();
    signal(&server, "TERM");
    let status = server.process().wait(Duration::from_secs(15));
    let took = begun.elapsed();
    assert!(status.success(), "{status}: {}", server.log_tail());
    assert!(
        took >= Duration::from_millis(1_400),
        "it waits for the call: {took:?}"
    );
    assert!(took < Duration::from_secs(8), "and not for ever: {took:?}");
    // Whoever still talked was told, and the log says why.
    let bye = probe.answer_next("BYE").expect("a BYE");
    assert_eq!(bye.header("Call-ID"), dialog.call_id);
    let log = server.log();
    assert!(!log.contains("changed its health"), "{log}");
    server.crash_and_restart();
    let trail = server.wait_only_trail();
    assert_eq!(trail.end_reason(), "node_lost");
    let detail = &trail.find("interaction.ended").expect("an end")["detail"];
    assert_eq!(detail, "stopped", "{:?}", trail.kinds());
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut server = server(&[("CROSSPOINT_DRAIN_MS_MAX", "600000")]);
    let mut probe = carrier();
    let dialog = call(&mut probe, &server, CALLED);
    signal(&server, "TERM");
    readyz(&server, 503);
    signal(&server, "TERM");
    let status = server.process().wait(Duration::from_secs(8));
    assert!(status.success(), "{status}: {}", server.log_tail());
    drop(dialog);
}

#[test]
fn an_operator_drains_and_takes_back() {
    let server = server(&[]);
    let mut probe = carrier();
    readyz(&server, 200);
    let operator = server.client(OPERATOR.0, OPERATOR.1);
    let drain = |on: bool| {
        let answer = operator.post("/v1/node/drain", &json!({"on": on}));
        assert_eq!(answer.map(|a| a.status).ok(), Some(204));
    };
    drain(true);
    readyz(&server, 503);
    assert_eq!(refused(&mut probe, &server, CALLED), 503);
    drain(false);
    readyz(&server, 200);
    let dialog = call(&mut probe, &server, CALLED);
    hang_up(&mut probe, dialog);
}
