//! Signing in, locking out, cookies, tokens, keys.

use crate::world::{PASSWORD, World, domain};
use serde_json::json;

#[tokio::test]
async fn a_person_signs_in_by_token_and_out_again() {
    let w = World::new().await;
    let session = w.sign_in(&w.alpha, "agent", "token").await;
    assert_eq!(session["agent"], w.alpha.agent.to_string());
    assert_eq!(session["roles"], json!(["agent"]));
    assert!(
        session["permissions"]
            .as_array()
            .unwrap()
            .contains(&json!("offers:answer"))
    );
    assert!(session.get("csrf_token").is_none());
    let token = session["token"].as_str().unwrap();
    assert!(token.starts_with("cps_"));
    let me = w.client.bearer(token);
    assert_eq!(
        me.get("/v1/sessions/current").await.expect(200)["login"],
        "agent"
    );
    assert_eq!(me.delete("/v1/sessions/current").await.status, 204);
    assert_eq!(
        me.get("/v1/sessions/current").await.problem(401).0,
        "unauthenticated"
    );
    assert_eq!(w.engine.commands_of("end_session").len(), 1);
}

#[tokio::test]
async fn a_browser_gets_a_cookie_and_must_show_the_csrf_value() {
    let w = World::new().await;
    let body = json!({ "login": "administrator", "password": PASSWORD, "tenant": domain("alpha") });
    let answer = w.client.post("/v1/sessions", body).await;
    let cookie = answer.header("set-cookie").unwrap().to_string();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session = answer.expect(201);
    assert!(
        session.get("token").is_none(),
        "the token is in the cookie only"
    );
    let browser = w.client.with("cookie", cookie.split(';').next().unwrap());
    let skill = json!({ "name": "Spanish" });
    assert_eq!(browser.get("/v1/skills").await.status, 200);
    let (code, _) = browser.post("/v1/skills", skill.clone()).await.problem(403);
    assert_eq!(code, "forbidden");
    let wrong = browser.with("x-csrf-token", "0123456789abcdef0123456789abcdef");
    wrong.post("/v1/skills", skill.clone()).await.problem(403);
    let right = browser.with("x-csrf-token", session["csrf_token"].as_str().unwrap());
    right.post("/v1/skills", skill.clone()).await.expect(201);
    let foreign = right.with("sec-fetch-site", "cross-site");
    foreign.post("/v1/skills", skill).await.problem(403);
    assert_eq!(
        browser.get("/v1/sessions/current").await.expect(200)["csrf_token"],
        session["csrf_token"]
    );
}

#[tokio::test]
async fn guessing_is_slowed_down_alike_for_known_and_unknown_names() {
    let w = World::new().await;
    let attempt = |login: &'static str, password: &'static str| {
        let body = json!({ "login": login, "password": password, "tenant": domain("alpha"), "kind": "token" });
        let client = w.client.clone();
        async move { client.post("/v1/sessions", body).await }
    };
    let mut seen = vec![];
    for login in ["agent", "nobody"] {
        let mut statuses = vec![];
        for _ in 0..8 {
            let answer = attempt(login, "wrong password").await;
            statuses.push((
                answer.status,
                answer.header("retry-after").map(str::to_string),
                answer.text(),
            ));
        }
        seen.push(statuses);
    }
    assert_eq!(
        seen[0], seen[1],
        "known and unknown names are answered alike"
    );
    let statuses: Vec<u16> = seen[0].iter().map(|s| s.0).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(seen[0][6].1.as_deref(), Some("1"));
    let locked = attempt("agent", PASSWORD).await;
    assert_eq!(locked.status, 429, "the right password has to wait too");
    w.advance_s(2);
    assert_eq!(attempt("agent", PASSWORD).await.status, 201);
    assert_eq!(
        attempt("agent", "wrong password").await.status,
        401,
        "success forgives"
    );
}

#[tokio::test]
async fn a_refused_sign_in_is_in_the_audit_log_of_its_house_also_for_a_name_that_is_nobodys() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    for login in ["agent", "my secret typed as a name"] {
        let body = json!({ "login": login, "password": "wrong password", "tenant": domain("alpha"), "kind": "token" });
        w.client.post("/v1/sessions", body).await.problem(401);
    }
    let path = "/v1/audit-log?action=session.refused";
    let mut log = json!(null);
    for _ in 0..500 {
        log = admin.get(path).await.expect(200);
        if log["items"].as_array().unwrap().len() == 2 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut by: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["detail"]["by"].as_str())
        .collect();
    by.sort_unstable();
    assert_eq!(by, ["password", "unknown_name"], "{log}");
    assert!(!log.to_string().contains("my secret"), "{log}");
}

#[tokio::test]
async fn a_name_of_two_tenants_needs_the_domain() {
    let w = World::new().await;
    let body = json!({ "login": "agent", "password": PASSWORD, "kind": "token" });
    w.client.post("/v1/sessions", body).await.problem(401);
    let body = json!({ "login": "AGENT", "password": PASSWORD, "tenant": "BETA.example", "kind": "token" });
    let session = w.client.post("/v1/sessions", body).await.expect(201);
    assert_eq!(session["tenant"], w.beta.tenant.to_string());
}

#[tokio::test]
async fn sessions_renew_expire_and_end_with_the_password() {
    let w = World::new().await;
    let old = w.as_role(&w.alpha, "agent").await;
    let renewed = old
        .post("/v1/sessions/current/renew", json!({}))
        .await
        .expect(200);
    old.get("/v1/live").await.problem(401);
    let me = w.client.bearer(renewed["token"].as_str().unwrap());
    assert_eq!(me.get("/v1/live").await.status, 200);
    let wrong = json!({ "current": "not this one", "new": "another password" });
    let (_, pointers) = me
        .post("/v1/sessions/current/password", wrong)
        .await
        .problem(400);
    assert_eq!(pointers, ["/current"]);
    for weak in [
        "password1",
        "qwertz123",
        "agent2026",
        "crosspoint1",
        "11111111",
    ] {
        let change = json!({ "current": PASSWORD, "new": weak });
        let (_, pointers) = me
            .post("/v1/sessions/current/password", change)
            .await
            .problem(400);
        assert_eq!(pointers, ["/new"], "{weak}");
    }
    let change = json!({ "current": PASSWORD, "new": "another password" });
    assert_eq!(
        me.post("/v1/sessions/current/password", change)
            .await
            .status,
        204
    );
    me.get("/v1/live").await.problem(401);
    let body = json!({ "login": "agent", "password": "another password", "tenant": domain("alpha"), "kind": "token" });
    let session = w.client.post("/v1/sessions", body).await.expect(201);
    let me = w.client.bearer(session["token"].as_str().unwrap());
    w.advance_s(12 * 3600 + 1);
    me.get("/v1/live").await.problem(401);
}

#[tokio::test]
async fn disabling_a_person_ends_their_sessions_and_the_last_administrator_stays() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let path = format!("/v1/users/{}", w.alpha.agent_user);
    admin
        .patch(&path, json!({ "disabled": true }))
        .await
        .expect(200);
    agent.get("/v1/live").await.problem(401);
    let body = json!({ "login": "agent", "password": PASSWORD, "tenant": domain("alpha") });
    w.client.post("/v1/sessions", body).await.problem(401);
    let path = format!("/v1/users/{}", w.alpha.admin_user);
    assert_eq!(admin.delete(&path).await.problem(409).0, "conflict");
    assert_eq!(
        admin
            .patch(&path, json!({ "roles": ["agent"] }))
            .await
            .problem(409)
            .0,
        "conflict"
    );
    let operator = json!({ "login": "op", "name": "Op", "roles": ["operator"] });
    admin.post("/v1/users", operator).await.problem(403);
}

#[tokio::test]
async fn api_keys_are_shown_once_and_hold_to_their_scopes() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let body = json!({ "name": "reports", "scopes": ["interactions:read", "queues:read"] });
    let once = admin.with("idempotency-key", "k1");
    let made = once.post("/v1/api-keys", body.clone()).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("cp_"));
    let again = once.post("/v1/api-keys", body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let again = again.expect(201);
    assert_eq!(
        (&again["id"], &again["secret"]),
        (&made["id"], &json!(null))
    );
    let listed = admin.get("/v1/api-keys").await;
    assert!(
        !listed.text().contains(&secret[3..]),
        "the secret is nowhere"
    );
    let key = w.client.bearer(secret);
    assert_eq!(key.get("/v1/queues").await.status, 200);
    assert_eq!(key.get("/v1/users").await.problem(403).0, "forbidden");
    key.get("/v1/sessions/current").await.problem(403);
    let beyond = json!({ "name": "x", "scopes": ["node:drain"] });
    admin.post("/v1/api-keys", beyond).await.problem(403);
    let unknown = json!({ "name": "x", "scopes": ["calls:steal"] });
    assert_eq!(
        admin.post("/v1/api-keys", unknown).await.problem(400).1,
        ["/scopes/0"]
    );
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 204);
    key.get("/v1/queues").await.problem(401);
}
