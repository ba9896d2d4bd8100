//! The document, the page, recordings, refusals of the engine, health and metrics, odd requests.

use crate::world::World;
use cp_vocab::{Code, Refusal};
use serde_json::json;

#[test]
fn the_committed_document_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let same = committed == cp_api::openapi_text();
    assert!(
        same,
        "openapi.json has drifted: cargo run -p cp-api --example openapi > openapi.json"
    );
}

#[test]
fn the_document_is_whole() {
    let document = cp_api::openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let name = reference
            .split('"')
            .next()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
    let mut ids = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, op) in item.as_object().unwrap() {
            assert!(ids.insert(op["operationId"].to_string()), "{path} {method}");
            assert!(!op["summary"].as_str().unwrap().is_empty(), "{path}");
            assert!(
                op["responses"].as_object().unwrap().len() > 1,
                "{path} {method}"
            );
            // What is told once (secrets, codes, tokens of a step) is not kept for a repetition.
            // SCIM has its own way to be repeated: the name is unique.
            let told_once = [
                "/v1/sessions",
                "/v1/me/",
                "/v1/oauth",
                "/v1/setup",
                "/scim/",
            ];
            let told_once = told_once.iter().any(|p| path.starts_with(p));
            let creates = method == "post" && !told_once && !path.contains("/node/")
                    // Pages of customers have no account whose keys could be told apart.
                    && !path.starts_with("/v1/contact/")
                    // Asks and changes nothing.
                    && !path.ends_with("/verify") && !path.ends_with("/allow") && path != "/v1/schedule-trials"
                    // Of people who are not signed in: each secret there is good once.
                    && !path.starts_with("/v1/data-sessions") && path != "/v1/precall"
                    // Of an identity provider: a token there counts once.
                    && !path.starts_with("/v1/oidc/");
            let honours = op["parameters"].to_string().contains("Idempotency-Key");
            assert_eq!(creates, honours && method == "post", "{path} {method}");
        }
    }
}

#[tokio::test]
async fn the_page_is_served_strictly_and_cached_by_tag() {
    let w = World::new().await;
    let page = w.client.get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let tag = page.header("etag").unwrap().to_string();
    assert_eq!(
        w.client.with("if-none-match", &tag).get("/").await.status,
        304
    );
    let html = page.text() + &w.client.get("/docs").await.text();
    for unwanted in [
        "http://",
        "https://",
        "<script>",
        " style=",
        " onclick",
        "javascript:",
    ] {
        assert!(!html.contains(unwanted), "{unwanted}");
    }
    for asset in html.split("/assets/").skip(1) {
        let path = format!("/assets/{}", asset.split('"').next().unwrap());
        assert_eq!(w.client.get(&path).await.status, 200, "{path}");
    }
    for path in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/src/lib.rs",
        "/assets/none.js",
        "/elsewhere",
    ] {
        assert_eq!(
            w.client.get(path).await.problem(404).0,
            "not_found",
            "{path}"
        );
    }
}

#[tokio::test]
async fn odd_requests_get_problems() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    assert_eq!(
        admin.send("PUT", "/v1/queues", b"").await.problem(405).0,
        "bad_request"
    );
    assert_eq!(
        admin.get("/v1/queues/que_nonsense").await.problem(404).0,
        "not_found"
    );
    let other_kind = format!("/v1/queues/{}", w.alpha.agent);
    assert_eq!(admin.get(&other_kind).await.problem(404).0, "not_found");
    let long = format!("/v1/interactions?party={}", "x".repeat(5_000));
    assert_eq!(admin.get(&long).await.problem(400).0, "bad_request");
    assert_eq!(
        w.client
            .bearer("cp_unknown")
            .get("/v1/queues")
            .await
            .problem(401)
            .0,
        "unauthenticated"
    );
    assert_eq!(
        w.client
            .with("authorization", "Basic YTpi")
            .get("/v1/queues")
            .await
            .problem(401)
            .0,
        "unauthenticated"
    );
    let answer = w.client.with("x-request-id", "abc-1").get("/healthz").await;
    assert_eq!(answer.header("x-request-id"), Some("abc-1"));
    let answer = w
        .client
        .with("x-request-id", "bad id!")
        .get("/healthz")
        .await;
    assert_eq!(answer.header("x-request-id").unwrap().len(), 20);
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(60_000)
    );
    assert_eq!(w.client.raw(head.as_bytes()).await.status, 431);
    assert_eq!(
        w.client.raw(b"BREW /pot HTCPCP/1.0\r\n\r\n").await.status,
        400
    );
    assert_eq!(
        w.client.get("/healthz").await.status,
        200,
        "the next request works"
    );
}

#[tokio::test]
async fn recordings_are_heard_in_whole_and_in_part() {
    let w = World::new().await;
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    let list = supervisor
        .get(&format!(
            "/v1/recordings?interaction={}",
            w.alpha.interaction
        ))
        .await
        .expect(200);
    assert_eq!(list["items"][0]["id"], w.alpha.recording.to_string());
    assert!(
        list["items"][0].get("path").is_none(),
        "where it lies is not told"
    );
    let path = format!("/v1/recordings/{}/audio", w.alpha.recording);
    let whole = supervisor.get(&path).await;
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.text(), "alpha-secret sound of a call");
    let part = supervisor.with("range", "bytes=13-17").get(&path).await;
    assert_eq!((part.status, part.text().as_str()), (206, "sound"));
    assert_eq!(part.header("content-range"), Some("bytes 13-17/28"));
    let beyond = supervisor.with("range", "bytes=100-").get(&path).await;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some("bytes */28"))
    );
    w.as_role(&w.alpha, "agent")
        .await
        .get(&path)
        .await
        .problem(403);
}

#[tokio::test]
async fn an_interaction_with_its_legs_trail_and_reason() {
    let w = World::new().await;
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    let path = format!("/v1/interactions/{}", w.alpha.interaction);
    let one = supervisor.get(&path).await.expect(200);
    assert_eq!(one["legs"][0]["id"], w.alpha.leg.to_string());
    assert_eq!(one["started_at"], "2025-12-29T09:20:00.000Z");
    assert!(!one.to_string().contains("tags of the dialog"));
    let first = supervisor
        .get(&format!("{path}/events?limit=2"))
        .await
        .expect(200);
    let kinds = |page: &serde_json::Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|e| e["type"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(kinds(&first), ["interaction.started", "offer.made"]);
    let rest = format!("{path}/events?cursor={}", first["next"].as_str().unwrap());
    let rest = supervisor.get(&rest).await.expect(200);
    assert_eq!(
        kinds(&rest),
        ["leg.added", "leg.answered", "recording.started"]
    );
    assert!(!rest.to_string().contains("tags of the dialog"));
    let why = supervisor.get(&format!("{path}/explain")).await.expect(200);
    assert_eq!(why["explanation"]["chosen"], "longest idle");
}

#[tokio::test]
async fn refusals_of_the_engine_reach_the_caller_with_their_code() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let accept = format!("/v1/offers/{}/accept", w.alpha.offer);
    agent.post(&accept, json!({})).await.expect(200);
    let table = [
        (Code::OfferGone, 409, "offer_gone"),
        (Code::InteractionEnded, 409, "interaction_ended"),
        (Code::QueueFull, 503, "queue_full"),
        (Code::Draining, 503, "draining"),
        (Code::StoreUnavailable, 503, "store_unavailable"),
    ];
    for (code, status, word) in table {
        *w.engine.refuse_with.lock().unwrap() = Some(Refusal::new(code, "not now"));
        assert_eq!(agent.post(&accept, json!({})).await.problem(status).0, word);
    }
    *w.engine.refuse_with.lock().unwrap() = None;
    let unknown = format!("/v1/offers/{}/accept", w.beta.offer);
    agent.post(&unknown, json!({})).await.problem(404);
    let supervise = format!("/v1/interactions/{}/supervise", w.alpha.interaction);
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    supervisor
        .post(&supervise, json!({ "mode": "whisper" }))
        .await
        .expect(201);
    supervisor
        .post(&supervise, json!({ "mode": "shout" }))
        .await
        .problem(400);
    let sent = w.engine.commands_of("supervise");
    assert_eq!(sent.len(), 1);
    let play = format!("/v1/legs/{}/play", w.alpha.leg);
    let bad = json!({ "sounds": [{ "kind": "speech" }, { "kind": "song" }], "loud": true });
    assert_eq!(
        agent.post(&play, bad).await.problem(400).1,
        ["/loud", "/sounds/0/text", "/sounds/1/kind"]
    );
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let w = World::new().await;
    assert_eq!(w.client.get("/healthz").await.expect(200)["status"], "ok");
    assert_eq!(w.client.get("/readyz").await.expect(200)["ready"], true);
    *w.engine.ready.lock().unwrap() = false;
    assert_eq!(
        w.client.get("/readyz").await.expect(503)["checks"][0]["name"],
        "store"
    );
    let metrics = w.client.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    let text = metrics.text();
    for line in [
        "crosspoint_calls 3",
        "crosspoint_http_requests_total{class=\"2xx\"} ",
        "crosspoint_http_request_seconds_bucket{le=\"+Inf\"} ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let forwarded = w.client.with("x-forwarded-for", "198.51.100.1");
    forwarded.get("/metrics").await.problem(401);
    let admin = w.as_role(&w.alpha, "administrator").await;
    admin
        .with("forwarded", "for=198.51.100.1")
        .get("/metrics")
        .await
        .problem(403);
    admin
        .post("/v1/node/drain", json!({ "on": true }))
        .await
        .problem(403);
}
