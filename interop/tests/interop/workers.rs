//! A machine with several cores carries calls on several media workers; calls that come together
//! must be heard all the same.

use crate::world::{HIGH, LOW, world};
use cp_interop::phone::Setup;
use cp_interop::{Phone, Server, Trail};
use serde_json::json;

#[test]
fn calls_of_two_workers_meet_in_a_conference() {
    let server = Server::start_with(&world(None), &[("CROSSPOINT_MEDIA_WORKERS", "2")]);
    let mut a = Setup::new("1001").tone(HIGH as u32).start(&server);
    let mut c = Setup::new("1003").tone(LOW as u32).start(&server);
    let mut desk = Setup::new("1002").tone(2_000).auto_answer().start(&server);
    let room = server.id_of("conferences", "name", "room");
    // Each call begins where there is less to do, so the second begins beside the first.
    let mut to_the_room = |caller: &mut Phone| {
        caller.dial(&server.uri("1002"));
        caller.expect("CALL_ESTABLISHED");
        caller.hears(2_000.0);
        let talks = |t: &Trail| t.has("call.bridged") && !t.has("conference.joined");
        let trail = server.wait_trail("a bridge", talks);
        let destination = json!({"to": "conference", "conference": room});
        server.command(
            &format!("/v1/legs/{}/transfer", trail.leg_of("1002")),
            &json!({"destination": destination}),
        );
        desk.expect("CALL_CLOSED");
    };
    to_the_room(&mut a);
    to_the_room(&mut c);
    a.hears(LOW);
    c.hears(HIGH);
    c.hang_up();
    a.hears_nothing();
}
