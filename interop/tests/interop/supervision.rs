//! A supervisor with a desk phone: listens, whispers, barges in, takes over. Each party sends a tone
//! of its own, and what each hears tells who is heard.

use crate::world::HIGH;
use cp_interop::phone::Setup;
use cp_interop::server::{number, phone, tenant};
use cp_interop::{Phone, Server, Trail};
use serde_json::{Value, json};

const CUSTOMER: f64 = 600.0;
const AGENT: f64 = HIGH;
const SUPERVISOR: f64 = 2_000.0;

/// Ann (1001) works for the queue, Sue (1002) supervises and takes no calls, 1003 is the customer.
fn team() -> Value {
    let agent = |name: &str, extension: &str, user: &str, queues: &[&str]| {
        json!({"name": name, "extension": extension, "queues": queues, "phone": user,
               "available_when_registered": true})
    };
    tenant(json!({
        "phones": [phone("1001"), phone("1002"), phone("1003")],
        "agents": [agent("Ann", "201", "1001", &["support"]), agent("Sue", "202", "1002", &[])],
        "queues": [{"name": "support", "wrap_up_ms": 60_000}],
        "users": [{"email": "sue@interop.test", "password": "sue has a password",
                   "role": "supervisor", "agent": "Sue"}],
        "numbers": [number("support", json!({"to": "queue", "queue": "support"}))],
    }))
}

/// The customer talks to Ann; Sue's phone is there and answers by itself.
fn talking(server: &Server) -> (Phone, Phone, Phone, Trail) {
    let mut ann = Setup::new("1001").tone(AGENT as u32).start(server);
    let sue = Setup::new("1002").tone(SUPERVISOR as u32).auto_answer();
    let sue = sue.start(server);
    let mut customer = Setup::new("1003").tone(CUSTOMER as u32).start(server);
    customer.dial(&server.uri("support"));
    ann.expect("CALL_INCOMING");
    ann.accept();
    customer.hears(AGENT);
    ann.hears(CUSTOMER);
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    (ann, sue, customer, trail)
}

#[test]
fn a_supervisor_listens_whispers_barges_in_and_takes_over() {
    let server = Server::start(&team());
    let (mut ann, mut sue, mut customer, trail) = talking(&server);
    let supervisor = server.client("sue@interop.test", "sue has a password");
    let command = |path: &str, body: &Value| {
        let answer = supervisor.post(path, body);
        let answer = answer.unwrap_or_else(|e| panic!("POST {path}: {e}"));
        assert!(answer.status < 300, "POST {path}: {}", answer.text());
        answer.json()
    };
    // Listen: hears both, and nobody hears her.
    let path = format!("/v1/interactions/{}/supervise", trail.interaction);
    let made = command(&path, &json!({"mode": "listen"}));
    let leg = made["leg"].as_str().expect("a leg").to_string();
    sue.expect("CALL_ESTABLISHED");
    sue.hears_both(CUSTOMER, AGENT);
    customer.hears(AGENT);
    ann.hears(CUSTOMER);
    // Whisper: the agent alone hears her.
    let mode = |mode: &str| {
        command(
            &format!("/v1/legs/{leg}/supervise-mode"),
            &json!({"mode": mode}),
        )
    };
    mode("whisper");
    ann.hears_both(CUSTOMER, SUPERVISOR);
    customer.hears(AGENT);
    sue.hears_both(CUSTOMER, AGENT);
    // Barge: everybody hears everybody else.
    mode("barge");
    customer.hears_both(AGENT, SUPERVISOR);
    ann.hears_both(CUSTOMER, SUPERVISOR);
    sue.hears_both(CUSTOMER, AGENT);
    // Back to listening: she is gone for both.
    mode("listen");
    customer.hears(AGENT);
    ann.hears(CUSTOMER);
    sue.hears_both(CUSTOMER, AGENT);
    // Take over: the agent is out, and wraps up.
    command(&format!("/v1/legs/{leg}/take-over"), &json!({}));
    ann.expect("CALL_CLOSED");
    customer.hears(SUPERVISOR);
    sue.hears(CUSTOMER);
    let trail = server.wait_trail("wrap-up", |t| t.has("wrap_up.started"));
    assert!(!trail.is_over(), "{:?}", trail.kinds());
    customer.hang_up();
    sue.expect("CALL_CLOSED");
    let trail = server.wait_trail("an end", Trail::is_over);
    trail.assert_order(&[
        "call.bridged",
        "supervise.started",
        "supervise.changed",
        "supervise.changed",
        "supervise.changed",
        "supervise.taken_over",
        "interaction.ended",
    ]);
    assert_eq!(trail.end_reason(), "hung_up");
}

#[test]
fn a_supervisor_who_hangs_up_leaves_the_call_as_it_was() {
    let server = Server::start(&team());
    let (ann, mut sue, mut customer, trail) = talking(&server);
    let agent = server.id_of("agents", "name", "Sue");
    let body = json!({"mode": "barge", "agent": agent});
    server.command(
        &format!("/v1/interactions/{}/supervise", trail.interaction),
        &body,
    );
    sue.expect("CALL_ESTABLISHED");
    customer.hears_both(AGENT, SUPERVISOR);
    sue.hang_up();
    customer.hears(AGENT);
    ann.hears(CUSTOMER);
    customer.hang_up();
    let trail = server.wait_trail("an end", Trail::is_over);
    assert_eq!(trail.end_reason(), "hung_up");
}
