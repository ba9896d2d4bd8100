//! Rules for outgoing calls, emergency calls by two people, retention: read, changed, refused.

use crate::client::Client;
use crate::world::World;
use cp_store::Store;
use serde_json::{Value, json};

#[tokio::test]
async fn rules_for_outgoing_calls_are_read_and_changed() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let rules = admin.get("/v1/outbound").await.expect(200);
    assert_eq!(
        (&rules["premium"], &rules["networks"]),
        (&json!(false), &json!(false)),
        "careful by default"
    );
    let patch = json!({
        "countries": ["DE", "AT"], "block": ["+49900"], "calls_max": 10, "spend_daily_max_micros": 5_000_000,
        "rates": [{ "prefix": "+49", "per_minute_micros": 20_000 }], "time_zone": "Europe/Berlin",
        "hours": [{ "days": [1, 2, 3, 4, 5], "from_minute": 480, "to_minute": 1_080 }],
    });
    let changed = admin.patch("/v1/outbound", patch).await;
    let tag = changed.header("etag").unwrap().to_string();
    assert_eq!(changed.expect(200)["rates"][0]["step_s"], 0);
    let stale = admin
        .with("if-match", "\"1\"")
        .patch("/v1/outbound", json!({ "calls_max": 1 }))
        .await;
    assert_eq!(stale.problem(412).0, "precondition_failed");
    assert_eq!(
        admin
            .with("if-match", &tag)
            .patch("/v1/outbound", json!({ "calls_max": 1 }))
            .await
            .status,
        200
    );
    // The neighbour's are its own, and an agent changes none.
    let neighbour = w.as_role(&w.beta, "administrator").await;
    assert_eq!(
        neighbour.get("/v1/outbound").await.expect(200)["calls_max"],
        0
    );
    let agent = w.as_role(&w.alpha, "agent").await;
    assert_eq!(
        agent
            .patch("/v1/outbound", json!({ "calls_max": 0 }))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn rules_that_make_no_sense_are_refused_with_the_place() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    for (patch, pointer) in [
        (json!({ "allow": ["+49", "49x"] }), "/allow/1"),
        (json!({ "block": ["+1234567890123456"] }), "/block/0"),
        (json!({ "countries": ["XX"] }), "/countries"),
        (json!({ "international": false }), "/home_country"),
        (json!({ "time_zone": "Mars/Base" }), "/time_zone"),
        (
            json!({ "hours": [{ "from_minute": 600, "to_minute": 600 }] }),
            "/hours/0",
        ),
        (
            json!({ "hours": [{ "days": [8], "from_minute": 0, "to_minute": 600 }] }),
            "/hours/0",
        ),
        (
            json!({ "rates": [{ "prefix": "x", "per_minute_micros": 1 }] }),
            "/rates/0",
        ),
        (json!({ "alert_pct": 0 }), "/alert_pct"),
        (json!({ "lifted": { "by": "me" } }), "/lifted"),
    ] {
        let (code, pointers) = admin
            .patch("/v1/outbound", patch.clone())
            .await
            .problem(400);
        assert_eq!(
            (code.as_str(), pointers),
            ("bad_request", vec![pointer.to_string()]),
            "{patch}"
        );
    }
}

#[tokio::test]
async fn limits_are_lifted_for_a_while_by_somebody_for_a_reason() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    assert_eq!(
        admin
            .post("/v1/outbound/lift", json!({ "minutes": 60 }))
            .await
            .status,
        400
    );
    let body = json!({ "minutes": 60, "reason": "storm in the north" });
    admin.post("/v1/outbound/lift", body).await.expect(200);
    let lifted = |w: &World| {
        let snapshot = w.store.snapshot().unwrap();
        let t = snapshot
            .tenants
            .iter()
            .find(|t| t.id.to_string() == w.alpha.tenant.to_string());
        t.unwrap().safety.outbound.lifted.clone()
    };
    let l = lifted(&w).expect("lifted");
    assert!(
        l.reason.contains("storm") && l.by.starts_with("usr_"),
        "{l:?}"
    );
    admin.delete("/v1/outbound/lift").await;
    assert_eq!(lifted(&w), None);
}

async fn step(client: &Client, what: &str) -> crate::client::Answer {
    client
        .post(&format!("/v1/emergency/{what}"), json!({}))
        .await
}

#[tokio::test]
async fn emergency_calls_go_live_by_two_people_only() {
    let w = World::new().await;
    let one = w.as_role(&w.alpha, "administrator").await;
    let user = json!({ "login": "second", "name": "Second", "password": "correct horse battery", "roles": ["administrator"] });
    one.post("/v1/users", user).await.expect(201);
    let session = json!({ "login": "second", "password": "correct horse battery", "tenant": "alpha.example", "kind": "token" });
    let session = w.client.post("/v1/sessions", session).await.expect(201);
    let two = w.client.bearer(session["token"].as_str().unwrap());
    let state = |v: Value| v["state"].as_str().unwrap().to_string();
    let trunk = format!("/v1/trunks/{}", w.alpha.by_prefix["trk"]);
    one.patch(&trunk, json!({ "host": "192.0.2.9" }))
        .await
        .expect(200);
    // Nobody goes live without a path, a number to call back and a place.
    let (_, pointers) = step(&one, "request").await.problem(400);
    assert_eq!(pointers, ["/trunk"]);
    let path = json!({
        "trunk": w.alpha.by_prefix["trk"], "callback": "+4930123456",
        "location": { "country": "DE", "city": "Berlin", "street": "Alexanderplatz" },
    });
    for (patch, pointer) in [
        (json!({ "trunk": w.beta.by_prefix["trk"] }), "/trunk"),
        (json!({ "callback": "911" }), "/callback"),
        (
            json!({ "phones": [{ "phone": w.beta.phone, "location": {} }] }),
            "/phones/0/phone",
        ),
    ] {
        let (_, pointers) = one.patch("/v1/emergency", patch).await.problem(400);
        assert_eq!(pointers, [pointer]);
    }
    one.patch("/v1/emergency", path).await.expect(200);
    assert_eq!(
        step(&one, "approve").await.problem(409).0,
        "conflict",
        "nobody asked"
    );
    assert_eq!(state(step(&one, "request").await.expect(200)), "requested");
    assert_eq!(
        step(&one, "approve").await.problem(403).0,
        "forbidden",
        "the same person"
    );
    let live = step(&two, "approve").await.expect(200);
    assert_eq!(state(live.clone()), "on");
    assert_ne!(live["requested_by"], live["approved_by"]);
    assert_eq!(step(&two, "request").await.status, 409);
    // A change of the path, also by one of the two, takes it back.
    let changed = one
        .patch("/v1/emergency", json!({ "number": "911" }))
        .await
        .expect(200);
    assert_eq!(state(changed), "off");
    // An asker who changes the path after asking gets no agreement to what was not seen.
    step(&one, "request").await.expect(200);
    one.patch("/v1/emergency", json!({ "number": "112" }))
        .await
        .expect(200);
    assert_eq!(step(&two, "approve").await.status, 409);
    // A program's key is no person.
    let key = json!({ "name": "program", "scopes": ["emergency:write"] });
    let key = one.post("/v1/api-keys", key).await.expect(201);
    let key = w.client.bearer(key["secret"].as_str().unwrap());
    assert_eq!(step(&key, "request").await.problem(403).0, "forbidden");
    // A trunk that emergency calls need stays.
    assert_eq!(one.delete(&trunk).await.status, 409);
}

#[tokio::test]
async fn two_administrators_who_race_make_one_request_and_no_live_by_one() {
    let w = World::new().await;
    let one = w.as_role(&w.alpha, "administrator").await;
    let trunk = format!("/v1/trunks/{}", w.alpha.by_prefix["trk"]);
    one.patch(&trunk, json!({ "host": "192.0.2.9" }))
        .await
        .expect(200);
    let path = json!({
        "trunk": w.alpha.by_prefix["trk"], "callback": "+4930123456",
        "location": { "latitude": 52.5, "longitude": 13.4 },
    });
    one.patch("/v1/emergency", path).await.expect(200);
    let (a, b) = tokio::join!(step(&one, "request"), step(&one, "approve"));
    assert_eq!(a.status, 200);
    assert!(b.status == 403 || b.status == 409, "{}", b.status);
    let state = one.get("/v1/emergency").await.expect(200);
    assert_eq!(state["state"], "requested");
}

#[tokio::test]
async fn retention_and_recording_consent() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let kept = admin
        .patch(
            "/v1/retention",
            json!({ "recordings_days": 90, "legal_hold": "case 7" }),
        )
        .await
        .expect(200);
    assert_eq!(
        (&kept["recordings_days"], &kept["legal_hold"]),
        (&json!(90), &json!("case 7"))
    );
    let kept = admin
        .patch("/v1/retention", json!({ "legal_hold": null }))
        .await
        .expect(200);
    assert_eq!(kept["legal_hold"], Value::Null);
    let policy = admin
        .patch(
            "/v1/recording-consent",
            json!({ "policy": "by_place", "home": "US-CA" }),
        )
        .await
        .expect(200);
    assert_eq!(policy["policy"], "by_place");
    assert_eq!(
        admin
            .patch("/v1/recording-consent", json!({ "home": "Mars" }))
            .await
            .status,
        400
    );
    assert_eq!(
        admin
            .patch("/v1/recording-consent", json!({ "policy": "never" }))
            .await
            .status,
        400
    );
}
