//! `kill -9` in the middle of calls.

use crate::world::{HIGH, server};
use cp_interop::phone::Setup;
use cp_interop::wait;
use std::time::Duration;

#[test]
fn calls_that_died_end_as_node_lost() {
    let mut server = server();
    let mut a = Setup::new("1001").tone(1_000).start(&server);
    let mut b = Setup::new("1002").tone(600).auto_answer().start(&server);
    a.dial(&server.uri("1002"));
    b.expect("CALL_ESTABLISHED");
    b.hears(HIGH);
    let before = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    server.crash_and_restart();
    let after = wait::until_within(Duration::from_secs(10), "the end of the lost call", || {
        let trail = server.trail(&before.interaction);
        trail.is_over().then_some(trail)
    });
    after.assert_gapless();
    assert_eq!(after.end_reason(), "node_lost");
    assert_eq!(after.kinds()[..before.events.len()], before.kinds()[..]);
    // The phones are told, and can call again without a new registration.
    a.expect("CALL_CLOSED");
    b.expect("CALL_CLOSED");
    a.dial(&server.uri("1002"));
    b.hears(HIGH);
}

#[test]
fn a_phone_that_rings_stops_when_the_server_comes_back() {
    let mut server = server();
    let mut a = Setup::new("1001").start(&server);
    let mut b = Setup::new("1002").start(&server);
    a.dial(&server.uri("1002"));
    b.expect("CALL_INCOMING");
    server.wait_trail("a ring", |t| t.has("leg.ringing"));
    server.crash_and_restart();
    b.expect("CALL_CLOSED");
    let trail = server.wait_only_trail();
    assert_eq!(trail.end_reason(), "node_lost");
}
