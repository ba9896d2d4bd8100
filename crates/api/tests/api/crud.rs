//! Rows: made, read, changed, removed; all faults at once; tags; idempotency; passwords.

use crate::world::World;
use cp_store::StoreExt;
use serde_json::{Value, json};

#[tokio::test]
async fn a_queue_from_making_to_removing() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let made = admin.post("/v1/queues", json!({ "name": "Billing" })).await;
    assert_eq!(made.header("etag"), Some("\"1\""));
    let location = made.header("location").unwrap().to_string();
    let queue = made.expect(201);
    assert_eq!(queue["ring_ms_max"], 20_000, "defaults of a new queue");
    assert_eq!(
        location,
        format!("/v1/queues/{}", queue["id"].as_str().unwrap())
    );
    let read = admin.get(&location).await;
    assert_eq!(read.header("cache-control"), Some("no-store"));
    assert_eq!(read.expect(200), queue);
    let fresh = admin.with("if-none-match", "\"1\"");
    assert_eq!(fresh.get(&location).await.status, 304);
    let changed = admin
        .patch(&location, json!({ "ring_ms_max": 15_000, "music": null }))
        .await;
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let changed = changed.expect(200);
    assert_eq!(
        (&changed["ring_ms_max"], &changed["name"]),
        (&json!(15_000), &json!("Billing"))
    );
    assert_eq!(admin.delete(&location).await.status, 204);
    admin.get(&location).await.problem(404);
    let configured = w.engine.commands_of("configure");
    assert_eq!(configured.len(), 3, "the engine was told of each change");
}

#[tokio::test]
async fn every_fault_of_a_body_is_told_at_once() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let body = json!({
        "name": "", "priority": 5000, "ring_ms_max": "long", "selection": "best_looking", "colour": "red",
        "skills": [{ "skill": w.alpha.skill, "level": 11 }, { "level": 1 }],
        "overflow": { "to": "queue" },
    });
    let (code, pointers) = admin.post("/v1/queues", body).await.problem(400);
    assert_eq!(code, "bad_request");
    assert_eq!(
        pointers,
        [
            "/colour",
            "/name",
            "/overflow/queue",
            "/priority",
            "/ring_ms_max",
            "/selection",
            "/skills/0/level",
            "/skills/1/skill"
        ]
    );
    // Well formed, but wrong together: references and the kind's own rules.
    let body = json!({
        "name": "x", "skills": [{ "skill": w.beta.skill, "level": 1 }], "overflow": { "to": "queue", "queue": w.beta.queue },
        "relaxations": [{ "after_ms": 9 }, { "after_ms": 3 }],
    });
    let (_, pointers) = admin.post("/v1/queues", body).await.problem(400);
    assert_eq!(
        pointers,
        ["/overflow/queue", "/relaxations", "/skills/0/skill"]
    );
    let menu = json!({
        "number": "100", "destination": { "to": "menu", "prompt": { "kind": "prompt", "name": "m" }, "timeout_ms": 5000,
            "choices": { "1": { "to": "echo" }, "x": { "to": "echo" } }, "fallback": { "to": "reject", "status": 486 } },
    });
    let (_, pointers) = admin.post("/v1/numbers", menu).await.problem(400);
    assert_eq!(pointers, ["/destination/choices/x"]);
}

#[tokio::test]
async fn bodies_that_are_no_json_too_long_or_of_another_kind() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let json_type = admin.with("content-type", "application/json");
    let (code, _) = json_type
        .send("POST", "/v1/skills", b"{\"name\": ")
        .await
        .problem(400);
    assert_eq!(code, "bad_request");
    let form = admin.with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        form.send("POST", "/v1/skills", b"name=x")
            .await
            .problem(415)
            .0,
        "unsupported_media"
    );
    for body in [json!([1]), json!("x"), json!(null)] {
        admin.post("/v1/skills", body).await.problem(400);
    }
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(300_000));
    assert_eq!(
        json_type
            .send("POST", "/v1/skills", long.as_bytes())
            .await
            .problem(413)
            .0,
        "too_large"
    );
    let head = format!(
        "POST /v1/skills HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nauthorization: {}\r\n\r\n",
        admin.headers[0].1
    );
    let mut bytes = head.into_bytes();
    for _ in 0..40 {
        bytes.extend_from_slice(format!("2710\r\n{}\r\n", " ".repeat(10_000)).as_bytes());
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(w.client.raw(&bytes).await.problem(413).0, "too_large");
    let control = json!({ "name": "bell\u{7}" });
    assert_eq!(
        admin.post("/v1/skills", control).await.problem(400).1,
        ["/name"]
    );
}

#[tokio::test]
async fn a_change_of_what_changed_since_is_refused() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let path = format!("/v1/skills/{}", w.alpha.skill);
    // An edit must say what it was made from.
    for (method, at) in [
        ("PATCH", path.as_str()),
        ("DELETE", &path),
        ("PATCH", "/v1/tenant"),
    ] {
        let blind = admin.raw_json(method, at, json!({ "name": "blind" })).await;
        assert_eq!(
            blind.problem(428).0,
            "precondition_required",
            "{method} {at}"
        );
    }
    let seen = admin.with("if-match", "\"1\"");
    seen.patch(&path, json!({ "name": "first" }))
        .await
        .expect(200);
    assert_eq!(
        seen.patch(&path, json!({ "name": "second" }))
            .await
            .problem(412)
            .0,
        "precondition_failed"
    );
    assert_eq!(
        seen.delete(&path).await.problem(412).0,
        "precondition_failed"
    );
    admin
        .with("if-match", "\"nonsense")
        .patch(&path, json!({ "name": "x" }))
        .await
        .problem(412);
    assert_eq!(admin.get(&path).await.expect(200)["name"], "first");
    // Of two at once with the same tag, one wins.
    let seen = admin.with("if-match", "\"2\"");
    let (a, b) = tokio::join!(
        seen.patch(&path, json!({ "name": "a" })),
        seen.patch(&path, json!({ "name": "b" })),
    );
    let mut statuses = [a.status, b.status];
    statuses.sort();
    assert_eq!(statuses, [200, 412]);
    // A change that changes nothing is none.
    let same = admin.get(&path).await.expect(200)["name"].clone();
    let answer = admin.patch(&path, json!({ "name": same })).await;
    assert_eq!(answer.header("etag"), Some("\"3\""));
}

#[tokio::test]
async fn a_repeated_post_makes_one_row_and_gives_the_same_answer() {
    let w = World::new().await;
    let admin = w
        .as_role(&w.alpha, "administrator")
        .await
        .with("idempotency-key", "order-7");
    let body = json!({ "name": "Italian" });
    let first = admin.post("/v1/skills", body.clone()).await.expect(201);
    let again = admin.post("/v1/skills", body.clone()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    let other = admin.post("/v1/skills", json!({ "name": "Greek" })).await;
    assert_eq!(other.problem(422).0, "idempotency_mismatch");
    let elsewhere = admin.post("/v1/wrap-up-codes", body.clone()).await;
    assert_eq!(
        elsewhere.problem(422).0,
        "idempotency_mismatch",
        "another operation is another request"
    );
    let skills = admin.get("/v1/skills").await.expect(200);
    assert_eq!(skills["items"].as_array().unwrap().len(), 2);
    // Another person has keys of their own, another tenant too.
    let beta = w
        .as_role(&w.beta, "administrator")
        .await
        .with("idempotency-key", "order-7");
    assert_ne!(
        beta.post("/v1/skills", body.clone()).await.expect(201)["id"],
        first["id"]
    );
    // Also where the row itself would be refused the second time.
    let user = w.alpha.admin_user;
    let agent = json!({ "name": "Boss", "extension": "900", "user": user });
    let admin = admin.with("idempotency-key", "order-9");
    let boss = admin.post("/v1/agents", agent.clone()).await.expect(201);
    assert_eq!(
        admin.post("/v1/agents", agent.clone()).await.expect(201),
        boss
    );
    let admin = admin.with("idempotency-key", "order-10");
    assert_eq!(
        admin.post("/v1/agents", agent).await.problem(400).1,
        ["/user"]
    );
    // At once: still one.
    let admin = admin.with("idempotency-key", "order-8");
    let greek = json!({ "name": "Greek" });
    let posts = (0..8).map(|_| admin.post("/v1/skills", greek.clone()));
    let answers = futures_util::future::join_all(posts).await;
    let ids: std::collections::HashSet<String> = answers
        .iter()
        .map(|a| a.json()["id"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    let long = admin.with("idempotency-key", &"k".repeat(201));
    long.post("/v1/skills", body).await.problem(400);
}

#[tokio::test]
async fn a_repeated_command_is_sent_to_the_engine_once() {
    let w = World::new().await;
    let agent = w
        .as_role(&w.alpha, "agent")
        .await
        .with("idempotency-key", "call-1");
    let body = json!({ "target": { "kind": "extension", "extension": "200" } });
    let first = agent.post("/v1/calls", body.clone()).await.expect(201);
    let again = agent.post("/v1/calls", body.clone()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    assert_eq!(w.engine.commands_of("dial").len(), 1);
    let other = json!({ "target": { "kind": "extension", "extension": "201" } });
    assert_eq!(
        agent.post("/v1/calls", other).await.problem(422).0,
        "idempotency_mismatch"
    );
    // What failed for a passing reason may be tried again under the same key.
    let refusal = cp_vocab::Refusal::new(cp_vocab::Code::PortsExhausted, "no ports");
    *w.engine.refuse_with.lock().unwrap() = Some(refusal);
    let agent = agent.with("idempotency-key", "call-2");
    assert_eq!(
        agent.post("/v1/calls", body.clone()).await.problem(503).0,
        "ports_exhausted"
    );
    *w.engine.refuse_with.lock().unwrap() = None;
    agent.post("/v1/calls", body).await.expect(201);
}

#[tokio::test]
async fn passwords_come_in_and_never_out() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let phone = json!({ "user": "201", "password": "open sesame 1", "name": "Desk" });
    let made = admin.post("/v1/phones", phone).await;
    let (text, row) = (made.text(), made.json());
    let path = format!("/v1/phones/{}", row["id"].as_str().unwrap());
    let id = row["id"].as_str().unwrap().parse().unwrap();
    let kept = w
        .store
        .get::<cp_vocab::model::Phone>(w.alpha.tenant, id)
        .unwrap()
        .row;
    // echo -n '201:alpha.example:open sesame 1' | md5sum, sha256sum
    let secrets = cp_api::auth::password::digest_secrets("201", "alpha.example", "open sesame 1");
    assert_eq!(kept.ha1_md5.expose(), &secrets.ha1_md5);
    assert_eq!(kept.ha1_sha256.expose(), &secrets.ha1_sha256);
    let listed = admin.get("/v1/phones").await.text();
    for secret in [
        "open sesame",
        secrets.ha1_md5.as_str(),
        secrets.ha1_sha256.as_str(),
        "ha1",
        "password",
    ] {
        assert!(
            !text.contains(secret) && !listed.contains(secret),
            "{secret}"
        );
    }
    admin
        .post("/v1/phones", json!({ "user": "202" }))
        .await
        .problem(400);
    admin
        .post("/v1/phones", json!({ "user": "202", "password": "short" }))
        .await
        .problem(400);
    let (_, pointers) = admin
        .patch(&path, json!({ "user": "203" }))
        .await
        .problem(400);
    assert_eq!(
        pointers,
        ["/password"],
        "a new user part needs the password again"
    );
    admin
        .patch(&path, json!({ "name": "Hall" }))
        .await
        .expect(200);
    let settings = admin.get(&format!("{path}/settings")).await.expect(200);
    assert_eq!(
        (&settings["user"], &settings["domain"]),
        (&json!("201"), &json!("alpha.example"))
    );
    let trunks = admin.get("/v1/trunks").await.text();
    assert!(
        !trunks.contains("hunter2") && !trunks.contains("password"),
        "{trunks}"
    );
    let digest = json!({ "name": "t", "auth": { "by": "digest", "user": "peer", "password": "carrier password" } });
    let trunk = admin.post("/v1/trunks", digest).await;
    assert!(!trunk.text().contains("ha1") && !trunk.text().contains("carrier password"));
    let path = format!("/v1/trunks/{}", trunk.expect(201)["id"].as_str().unwrap());
    let by_address =
        json!({ "auth": { "by": "address", "networks": [{ "addr": "192.0.2.0", "prefix": 24 }] } });
    let changed = admin.patch(&path, by_address).await.expect(200);
    assert_eq!(changed["auth"]["by"], "address");
    let users = admin.get("/v1/users").await.text();
    assert!(!users.contains("argon2") && !users.contains("password"));
}

#[tokio::test]
async fn an_agent_and_its_phone_name_each_other() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let (agent, phone) = (w.alpha.agent.to_string(), w.alpha.phone.to_string());
    let second = json!({ "user": "301", "password": "long enough", "agent": agent });
    let second = admin.post("/v1/phones", second).await.expect(201);
    let at = |kind: &str, id: &str| format!("/v1/{kind}/{id}");
    // A second phone is a further device; the agent's own stays what it was.
    assert_eq!(
        admin.get(&at("agents", &agent)).await.json()["phone"],
        json!(phone)
    );
    assert_eq!(second["agent"], json!(agent));
    let second = second["id"].as_str().unwrap();
    admin
        .patch(&at("agents", &agent), json!({ "phone": second }))
        .await
        .expect(200);
    for phone in [&phone, second] {
        let row = admin.get(&at("phones", phone)).await.json();
        assert_eq!(row["agent"], json!(agent));
    }
    admin
        .patch(&at("agents", &agent), json!({ "phone": phone }))
        .await
        .expect(200);
    admin
        .patch(&at("phones", second), json!({ "agent": null }))
        .await
        .expect(200);
    assert_eq!(admin.delete(&at("phones", &phone)).await.status, 204);
    assert_eq!(
        admin.get(&at("agents", &agent)).await.json()["phone"],
        Value::Null
    );
}

#[tokio::test]
async fn what_is_named_by_others_stays_and_what_is_taken_is_told() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let queue = format!("/v1/queues/{}", w.alpha.queue);
    assert_eq!(admin.delete(&queue).await.problem(409).0, "conflict");
    let twice = json!({ "login": "AGENT", "name": "again", "roles": [] });
    let (code, pointers) = admin.post("/v1/users", twice).await.problem(409);
    assert_eq!(
        (code.as_str(), pointers),
        ("conflict", vec!["/login".to_string()])
    );
    let taken = json!({ "name": "n", "extension": "9", "user": w.alpha.agent_user });
    assert_eq!(
        admin.post("/v1/agents", taken).await.problem(400).1,
        ["/user"]
    );
}

#[tokio::test]
async fn lists_are_paged_by_cursor() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    for i in 0..5 {
        admin
            .post("/v1/skills", json!({ "name": format!("s{i}") }))
            .await
            .expect(201);
    }
    let mut names = vec![];
    let mut path = "/v1/skills?limit=2".to_string();
    loop {
        let page = admin.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        names.extend(
            items
                .iter()
                .map(|i| i["name"].as_str().unwrap().to_string()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/skills?limit=2&cursor={next}");
    }
    names.sort();
    assert_eq!(names, ["alpha-secret skill", "s0", "s1", "s2", "s3", "s4"]);
    let (_, pointers) = admin
        .get("/v1/interactions?limit=0&open=perhaps&queue=x&from=noon")
        .await
        .problem(400);
    assert_eq!(pointers, ["from", "limit", "open", "queue"]);
    let none = admin.get("/v1/interactions?state=parked").await.expect(200);
    assert_eq!(none["items"], json!([]));
}
