//! A caller, a queue, an agent with a desk phone.

use crate::world::{CALLER, HIGH};
use cp_interop::phone::Setup;
use cp_interop::server::{number, phone, tenant, trunk};
use cp_interop::{Phone, Server, Sipp};
use serde_json::{Value, json};

/// Agents Ann (1001) and Bob (1002) on one queue; they are available while their phones are registered.
fn support(queue: Value) -> Value {
    let agent = |name: &str, extension: &str, user: &str| {
        json!({"name": name, "extension": extension, "queues": ["support"], "phone": user,
               "available_when_registered": true, "wrap_up_ms": 0})
    };
    let mut row = json!({"name": "support", "wrap_up_ms": 0, "ring_ms_max": 20_000});
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), queue) {
        row.extend(more);
    }
    tenant(json!({
        "phones": [phone("1001"), phone("1002"), phone("1003")],
        "agents": [agent("Ann", "201", "1001"), agent("Bob", "202", "1002")],
        "queues": [row],
        "trunks": [trunk("carrier", &["127.0.0.2/32"], "")],
        "numbers": [number("support", json!({"to": "queue", "queue": "support"}))],
    }))
}

fn agent(user: &str, server: &Server) -> Phone {
    Setup::new(user).tone(1_000).start(server)
}

#[test]
fn a_caller_waits_with_music_and_reaches_an_agent() {
    let server = Server::start(&support(json!({"record": true})));
    let mut caller = Setup::new("1003").tone(600).start(&server);
    caller.dial(&server.uri("support"));
    caller.expect("CALL_ESTABLISHED");
    server.wait_trail("a place in the queue", |t| t.has("queue.entered"));
    caller.hears_something_but(HIGH);
    let mut ann = agent("1001", &server);
    ann.expect("CALL_INCOMING");
    ann.accept();
    caller.hears(HIGH);
    ann.hears(600.0);
    caller.hang_up();
    ann.expect("CALL_CLOSED");
    let trail = server.wait_only_trail();
    trail.assert_gapless();
    trail.assert_order(&[
        "interaction.started",
        "leg.answered",
        "queue.entered",
        "offer.made",
        "offer.ended",
        "call.bridged",
        "recording.started",
        "interaction.ended",
    ]);
    assert_eq!(trail.count("offer.made"), 1);
    assert_eq!(
        trail.find("offer.ended").map(|e| e["how"].clone()),
        Some(json!("accepted"))
    );
}

#[test]
fn a_recording_holds_both_sides() {
    let server = Server::start(&support(json!({"record": true})));
    let mut ann = agent("1001", &server);
    let mut caller = Setup::new("1003").tone(600).start(&server);
    caller.dial(&server.uri("support"));
    ann.expect("CALL_INCOMING");
    ann.accept();
    caller.hears(HIGH);
    ann.hears(600.0);
    caller.hang_up();
    ann.expect("CALL_CLOSED");
    server.wait_only_trail();
    let recording = cp_interop::wait::until("a finished recording", || {
        let page = server.get("/v1/recordings");
        cp_interop::events::items(&page).first().cloned()
    });
    let id = recording["id"].as_str().expect("an id").to_string();
    let audio = server.http.get(&format!("/v1/recordings/{id}/audio"));
    let audio = audio.expect("GET the audio");
    assert_eq!(audio.status, 200, "{}", audio.text());
    let path = server.folder().join("got.wav");
    std::fs::write(&path, &audio.body).expect("write");
    for (channel, hz) in [(0, 600.0), (1, HIGH)] {
        let side = cp_interop::tone::Audio::read(&path, channel).expect("a WAV");
        let middle = side.part(side.seconds() / 2.0 - 0.2, 0.4);
        assert!(
            middle.has(hz),
            "channel {channel}: {:.2} at {hz} Hz",
            middle.purity(hz)
        );
    }
}

#[test]
fn an_agent_who_does_not_answer_is_passed_over() {
    let server = Server::start(&support(
        json!({"ring_ms_max": 1_500, "demote_on_no_answer": true}),
    ));
    let mut ann = agent("1001", &server);
    let mut caller = Setup::new("1003").tone(600).start(&server);
    caller.dial(&server.uri("support"));
    ann.expect("CALL_INCOMING");
    ann.expect("CALL_CLOSED");
    let mut bob = agent("1002", &server);
    bob.expect("CALL_INCOMING");
    bob.accept();
    caller.hears(HIGH);
    let trail = server.wait_trail("two offers", |t| t.count("offer.ended") == 2);
    let how: Vec<_> = trail.all("offer.ended").map(|e| e["how"].clone()).collect();
    assert_eq!(how, [json!("timed_out"), json!("accepted")]);
}

#[test]
fn a_caller_abandons() {
    let server = Server::start(&support(json!({})));
    Sipp::new("uac")
        .from(CALLER)
        .dial("support")
        .run(server.sip);
    let trail = server.wait_only_trail();
    trail.assert_order(&["queue.entered", "queue.left", "interaction.ended"]);
    assert_eq!(
        trail.find("queue.left").map(|e| e["exit"].clone()),
        Some(json!("abandoned"))
    );
    assert_eq!(trail.end_reason(), "abandoned");
}

#[test]
fn an_unstaffed_queue_refuses() {
    let server = Server::start(&support(json!({"refuse_when_unstaffed": true})));
    Sipp::new("uac_refused")
        .dial("support")
        .value("STATUS", 480)
        .run(server.sip);
    assert_eq!(server.wait_only_trail().end_reason(), "unavailable");
}

#[test]
fn a_full_queue_refuses() {
    let server = Server::start(&support(json!({"waiting_max": 1})));
    let first = Sipp::new("uac")
        .dial("support")
        .hold_ms(4_000)
        .start(server.sip);
    server.wait_trail("one who waits", |t| t.has("queue.entered"));
    Sipp::new("uac_refused")
        .dial("support")
        .value("STATUS", 480)
        .run(server.sip);
    first.succeed();
    server.wait_trail("a refusal", |t| t.end_reason() == "unavailable");
}
