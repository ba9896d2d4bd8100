//! Parking by command and picking up by dialling the slot, with real phones.

use crate::world::{HIGH, server};
use cp_interop::Trail;
use cp_interop::phone::Setup;
use serde_json::json;

const THIRD: f64 = 2_000.0;

#[test]
fn a_parked_call_is_picked_up_from_another_phone() {
    let server = server();
    let mut a = Setup::new("1001").tone(1_000).start(&server);
    let mut b = Setup::new("1002").tone(600).start(&server);
    let mut c = Setup::new("1003").tone(2_000).start(&server);
    a.dial(&server.uri("1002"));
    b.expect("CALL_INCOMING");
    b.accept();
    a.expect("CALL_ESTABLISHED");
    b.hears(HIGH);
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let leg = trail.leg_of("1002");
    let reply = server.command(&format!("/v1/legs/{leg}/park"), &json!({}));
    b.expect("CALL_CLOSED");
    let slot = reply["slot"].as_str().expect("a slot").to_string();
    // Dialling the slot is picking up.
    c.dial(&server.uri(&slot));
    c.expect("CALL_ESTABLISHED");
    c.hears(HIGH);
    a.hears(THIRD);
    c.hang_up();
    let trail = server.wait_trail("an end", Trail::is_over);
    trail.assert_order(&[
        "call.bridged",
        "park.parked",
        "park.retrieved",
        "interaction.ended",
    ]);
}
