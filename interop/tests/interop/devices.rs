//! A call that moves between the devices of one person (S1.6): desk phones are baresip, the far end
//! is a probe that would see every message.

use crate::world::{CALLER, HIGH, LOW};
use cp_interop::probe::Probe;
use cp_interop::server::{number, phone, tenant, trunk};
use cp_interop::{Phone, Server, phone::Setup};
use serde_json::{Value, json};
use std::time::Duration;

/// Bob's softphone 1002 and desk 1003, his loudspeaker 1004 that the queue's calls may not go to.
fn house() -> Value {
    let of_bob = |user: &str, kind: &str| {
        let mut row = phone(user);
        row["agent"] = json!("Bob");
        row["device"] = json!({"kind": kind, "place": "room 1"});
        row
    };
    let bob = json!({"name": "Bob", "extension": "202", "phone": "1002", "queues": ["support"],
        "available_when_registered": true});
    tenant(json!({
        "phones": [phone("1001"), of_bob("1002", "softphone"), of_bob("1003", "desk"), of_bob("1004", "speaker")],
        "agents": [bob],
        "queues": [{"name": "support", "silent": true, "switch_forbidden": ["speaker"]}],
        "trunks": [trunk("carrier", &["127.0.0.2/32"], "")],
        "numbers": [number("support", json!({"to": "queue", "queue": "support"}))],
    }))
}

fn softphone(server: &Server) -> Phone {
    Setup::new("1002").tone(600).start(server)
}

#[test]
fn pushed_to_the_desk_and_fetched_back() {
    let server = Server::start(&house());
    let mut customer = Setup::new("1001").tone(1_000).start(&server);
    let mut soft = softphone(&server);
    let mut desk = Setup::new("1003").tone(1_800).codecs("PCMA").start(&server);
    customer.dial(&server.uri("1002"));
    soft.expect("CALL_INCOMING");
    soft.accept();
    customer.expect("CALL_ESTABLISHED");
    customer.hears(LOW);
    let trail = server.wait_trail("bridged", |t| t.has("call.bridged"));
    let device = server.id_of("phones", "user", "1003");
    let path = format!("/v1/calls/{}/switch", trail.interaction);
    server.command(&path, &json!({"target_device": device}));
    desk.expect("CALL_INCOMING");
    customer.hears(LOW);
    desk.accept();
    soft.expect("CALL_CLOSED");
    customer.hears(1_800.0);
    desk.hears(HIGH);
    // The softphone dials for it.
    soft.dial(&server.uri("*75"));
    soft.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    customer.hears(LOW);
    soft.hears(HIGH);
    customer.hang_up();
    soft.expect("CALL_CLOSED");
    let trail = server.trail(&trail.interaction);
    assert_eq!(trail.count("switch.completed"), 2);
    trail.assert_order(&["switch.started", "switch.completed", "interaction.ended"]);
}

/// The far end is a trunk's call: after the ACK it hears of nothing until it hangs up itself.
#[test]
fn the_far_end_sees_no_message_while_the_call_moves_or_fails_to() {
    let server = Server::start(&house());
    let mut soft = softphone(&server);
    let mut desk = Setup::new("1003").tone(1_800).start(&server);
    let mut far = Probe::udp(CALLER.into(), 0);
    let (answer, dialog) = far.invite(&server.uri("support"), "15550100", server.sip, &[]);
    assert_eq!(answer.map(|a| a.status), Some(200));
    let mut dialog = dialog.expect("a dialog");
    soft.expect("CALL_INCOMING");
    soft.accept();
    soft.expect("CALL_ESTABLISHED");
    let trail = server.wait_trail("bridged", |t| t.has("call.bridged"));
    let leg = trail.leg_of("202");
    let id = |user: &str| server.id_of("phones", "user", user);
    let path = format!("/v1/legs/{leg}/switch");
    let forbidden = server.post(&path, &json!({"target_device": id("1004")}));
    assert_eq!(
        (forbidden.status, &forbidden.json()["code"]),
        (403, &json!("forbidden"))
    );
    // Declined: the call stays where it is.
    server.command(&path, &json!({"target_device": id("1003")}));
    desk.expect("CALL_INCOMING");
    desk.hang_up();
    server.wait_trail("the refusal", |t| t.has("switch.failed"));
    // Fetched by the desk's voice assistant.
    let agent = server.id_of("agents", "name", "Bob");
    let spoken = json!({"device": id("1003"), "text": "Please bring my call here"});
    server.command(&format!("/v1/agents/{agent}/spoken"), &spoken);
    desk.expect("CALL_INCOMING");
    desk.accept();
    soft.expect("CALL_CLOSED");
    server.wait_trail("the move", |t| t.has("switch.completed"));
    let heard = far.receive(Duration::from_millis(500));
    assert!(heard.is_none(), "the far end was sent {heard:?}");
    let bye = far.in_dialog(&mut dialog, "BYE", &[]);
    assert_eq!(bye.map(|b| b.status), Some(200));
    desk.expect("CALL_CLOSED");
}
