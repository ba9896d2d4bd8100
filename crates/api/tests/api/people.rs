//! How people and programs prove who they are, what they may hand out, and what is kept of it.

use crate::client::Client;
use crate::world::{PASSWORD, Rows, World, domain};
use cp_identity::b64;
use cp_identity::totp::{Totp, secret_bytes};
use cp_identity::webauthn::Algorithm;
use cp_identity::webauthn::soft::Soft;
use cp_store::{AuditFilter, PageRequest, Store};
use serde_json::{Value, json};

async fn sign_in(w: &World, rows: &Rows, login: &str) -> crate::client::Answer {
    let body = json!({ "login": login, "password": PASSWORD, "tenant": domain(rows.name), "kind": "token" });
    w.client.post("/v1/sessions", body).await
}

fn code_now(w: &World, secret: &str) -> String {
    let now_s = w.now().as_micros() / 1_000_000;
    let totp = Totp::default();
    totp.code(&secret_bytes(secret).unwrap(), totp.step(now_s))
}

/// Adds an app; gives its secret and the recovery codes.
async fn add_totp(w: &World, me: &Client) -> (String, Vec<String>) {
    let made = me.post("/v1/me/totp", json!({})).await.expect(201);
    let secret = made["secret"].as_str().unwrap().to_string();
    assert!(
        made["uri"]
            .as_str()
            .unwrap()
            .starts_with("otpauth://totp/Crosspoint:")
    );
    let code = code_now(w, &secret);
    let confirmed = me
        .post("/v1/me/totp/confirm", json!({ "code": code }))
        .await
        .expect(200);
    let codes: Vec<String> = serde_json::from_value(confirmed["recovery_codes"].clone()).unwrap();
    (secret, codes)
}

#[tokio::test]
async fn a_password_alone_does_not_open_once_there_is_an_app() {
    let w = World::new().await;
    let me = w.as_role(&w.alpha, "agent").await;
    // An app that was not confirmed does not lock anybody out.
    me.post("/v1/me/totp", json!({})).await.expect(201);
    sign_in(&w, &w.alpha, "agent").await.expect(201);
    let (secret, codes) = add_totp(&w, &me).await;
    assert_eq!(codes.len(), 10);
    me.post("/v1/me/totp", json!({})).await.problem(409);

    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    assert_eq!(step["methods"], json!(["totp", "recovery_code"]));
    assert_eq!(step["passkey"], Value::Null);
    let answer = |token: &Value, proof: Value| {
        let body = json!({ "token": token, "proof": proof });
        let client = w.client.clone();
        async move { client.post("/v1/sessions/second-factor", body).await }
    };
    let token = &step["token"];
    // The code that confirmed the app is used up; so the next one is needed.
    let spent = code_now(&w, &secret);
    answer(token, json!({ "code": spent })).await.problem(401);
    answer(token, json!({ "code": "000000" }))
        .await
        .problem(401);
    answer(token, json!({})).await.problem(400);
    w.advance_s(30);
    let code = code_now(&w, &secret);
    let session = answer(token, json!({ "code": code })).await.expect(201);
    assert_eq!(session["second_factors"], json!(["totp", "recovery_code"]));
    // Neither the step nor the code is good twice.
    answer(token, json!({ "code": code })).await.problem(401);
    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    answer(&step["token"], json!({ "code": code }))
        .await
        .problem(401);
    // A recovery code, in whatever spelling, once.
    let spelled = codes[0].to_lowercase().replace('-', " ");
    answer(&step["token"], json!({ "recovery_code": spelled }))
        .await
        .expect(201);
    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    answer(&step["token"], json!({ "recovery_code": codes[0] }))
        .await
        .problem(401);
    answer(&step["token"], json!({ "recovery_code": codes[1] }))
        .await
        .expect(201);
    // A step that took too long.
    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    w.advance_s(301);
    answer(&step["token"], json!({ "recovery_code": codes[2] }))
        .await
        .problem(401);
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_and_ends_the_step() {
    let w = World::new().await;
    let me = w.as_role(&w.alpha, "agent").await;
    add_totp(&w, &me).await;
    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    let mut statuses = vec![];
    for i in 0..7 {
        let proof = json!({ "code": format!("{i:06}") });
        let body = json!({ "token": step["token"], "proof": proof });
        statuses.push(
            w.client
                .post("/v1/sessions/second-factor", body)
                .await
                .status,
        );
    }
    assert!(
        statuses.iter().all(|s| [401, 429].contains(s)),
        "{statuses:?}"
    );
    // Another step of the same person has to wait too.
    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    let mut last = 0;
    for _ in 0..3 {
        let body = json!({ "token": step["token"], "proof": { "code": "999999" } });
        last = w
            .client
            .post("/v1/sessions/second-factor", body)
            .await
            .status;
    }
    assert_eq!(last, 429);
}

/// What a browser makes of its answers.
fn created(soft: &Soft, options: &Value) -> Value {
    let challenge = b64::decode(options["public_key"]["challenge"].as_str().unwrap()).unwrap();
    let made = soft.create(&challenge);
    json!({ "id": b64::encode(&soft.credential_id), "type": "public-key", "response": {
        "clientDataJSON": b64::encode(&made.client_data_json),
        "attestationObject": b64::encode(&made.attestation_object), "transports": ["internal"],
    }})
}

fn used(soft: &mut Soft, public_key: &Value) -> Value {
    let challenge = b64::decode(public_key["challenge"].as_str().unwrap()).unwrap();
    let got = soft.get(&challenge);
    json!({ "id": b64::encode(&soft.credential_id), "type": "public-key", "response": {
        "clientDataJSON": b64::encode(&got.client_data_json),
        "authenticatorData": b64::encode(&got.authenticator_data),
        "signature": b64::encode(&got.signature),
    }})
}

fn soft(id: &[u8]) -> Soft {
    Soft::new(Algorithm::Es256, id, "api.test", "http://api.test")
}

async fn add_passkey(me: &Client, soft: &Soft) -> Value {
    let options = me
        .post("/v1/me/passkeys/options", json!({}))
        .await
        .expect(200);
    assert_eq!(options["public_key"]["rp"]["id"], "api.test");
    let body = json!({ "token": options["token"], "name": "My phone", "credential": created(soft, &options) });
    me.post("/v1/me/passkeys", body).await.expect(201)
}

#[tokio::test]
async fn people_sign_in_by_passkey() {
    let w = World::new().await;
    let me = w.as_role(&w.alpha, "agent").await;
    let mut key = soft(b"the agent's phone");
    key.sign_count = 1;
    let made = add_passkey(&me, &key).await;
    assert_eq!(made["recovery_codes"].as_array().unwrap().len(), 10);
    let listed = me.get("/v1/me/credentials").await.expect(200);
    assert_eq!(listed["items"][0]["name"], "My phone");
    assert!(!listed.to_string().contains("public_key"));
    // As the second factor.
    let step = sign_in(&w, &w.alpha, "agent").await.expect(202);
    assert_eq!(step["methods"], json!(["passkey", "recovery_code"]));
    let ids = &step["passkey"]["allowCredentials"];
    assert_eq!(ids[0]["id"], b64::encode(b"the agent's phone"));
    let passkey = used(&mut key, &step["passkey"]);
    let body = json!({ "token": step["token"], "proof": { "passkey": passkey } });
    w.client
        .post("/v1/sessions/second-factor", body.clone())
        .await
        .expect(201);
    w.client
        .post("/v1/sessions/second-factor", body)
        .await
        .problem(401);
    // Alone, without a name.
    let begin = || w.client.post("/v1/sessions/passkey/options", json!({}));
    let options = begin().await.expect(200);
    let credential = used(&mut key, &options["public_key"]);
    let body = json!({ "token": options["token"], "credential": credential, "kind": "token" });
    let session = w
        .client
        .post("/v1/sessions/passkey", body.clone())
        .await
        .expect(201);
    assert_eq!(session["login"], "agent");
    // Replayed, with the answer of another challenge, with another key, with a counter gone back.
    w.client
        .post("/v1/sessions/passkey", body.clone())
        .await
        .problem(401);
    let options = begin().await.expect(200);
    let mut replayed = body;
    replayed["token"] = options["token"].clone();
    w.client
        .post("/v1/sessions/passkey", replayed)
        .await
        .problem(401);
    for bend in [0, 1, 2, 3] {
        let options = begin().await.expect(200);
        let mut thief = match bend {
            0 => soft(b"unknown"),
            1 => soft(b"the agent's phone"),
            2 => {
                key.sign_count = 1;
                key.flags = 0x05;
                let body = json!({ "token": options["token"], "credential": used(&mut key, &options["public_key"]) });
                w.client
                    .post("/v1/sessions/passkey", body)
                    .await
                    .problem(401);
                continue;
            }
            _ => Soft::new(
                Algorithm::Es256,
                b"the agent's phone",
                "api.test",
                "http://evil.test",
            ),
        };
        let credential = used(&mut thief, &options["public_key"]);
        let body = json!({ "token": options["token"], "credential": credential });
        w.client
            .post("/v1/sessions/passkey", body)
            .await
            .problem(401);
    }
    // The copied key was noted.
    let told = audit_of(&w, &w.alpha, "passkey.counter_back");
    assert_eq!(told, 1);
    // A page of another origin cannot register one.
    let options = me
        .post("/v1/me/passkeys/options", json!({}))
        .await
        .expect(200);
    let foreign = Soft::new(Algorithm::Es256, b"x", "api.test", "http://evil.test");
    let body = json!({ "token": options["token"], "name": "x", "credential": created(&foreign, &options) });
    let refused = me.post("/v1/me/passkeys", body).await.expect(400);
    assert_eq!(refused["errors"][0]["code"], "passkey_origin_mismatch");
    // Removed, the password is enough again.
    let id = listed["items"][0]["id"].as_str().unwrap();
    assert_eq!(
        me.delete(&format!("/v1/me/credentials/{id}")).await.status,
        204
    );
    sign_in(&w, &w.alpha, "agent").await.expect(201);
}

fn audit_of(w: &World, rows: &Rows, action: &str) -> usize {
    let filter = AuditFilter {
        action: Some(action.into()),
        ..Default::default()
    };
    let page = w
        .store
        .audit(rows.tenant, &filter, &PageRequest::first(100));
    page.unwrap().items.len()
}

#[tokio::test]
async fn dangerous_changes_want_a_recent_proof() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let user =
        json!({ "login": "new", "name": "New", "password": "correct horse", "roles": ["agent"] });
    w.advance_s(15 * 60 + 1);
    let (code, _) = admin.post("/v1/users", user.clone()).await.problem(403);
    assert_eq!(code, "step_up_required");
    // Everyday work goes on.
    admin
        .post("/v1/skills", json!({ "name": "Dutch" }))
        .await
        .expect(201);
    let prove = |body: Value| {
        let admin = admin.clone();
        async move { admin.post("/v1/sessions/current/step-up", body).await }
    };
    prove(json!({ "password": "wrong horse" }))
        .await
        .problem(401);
    prove(json!({ "proof": { "code": "123456" } }))
        .await
        .problem(400);
    assert_eq!(prove(json!({ "password": PASSWORD })).await.status, 204);
    admin.post("/v1/users", user).await.expect(201);
    // With an app, the password is not enough for it.
    let (secret, _) = add_totp(&w, &admin).await;
    w.advance_s(16 * 60);
    prove(json!({ "password": PASSWORD })).await.problem(400);
    let code = code_now(&w, &secret);
    assert_eq!(
        prove(json!({ "proof": { "code": code } })).await.status,
        204
    );
    admin
        .post(
            "/v1/api-keys",
            json!({ "name": "k", "scopes": ["queues:read"] }),
        )
        .await
        .expect(201);
    // Renewing a session proves nothing.
    w.advance_s(16 * 60);
    let renewed = admin
        .post("/v1/sessions/current/renew", json!({}))
        .await
        .expect(200);
    let renewed = w.client.bearer(renewed["token"].as_str().unwrap());
    let key = json!({ "name": "k2", "scopes": ["queues:read"] });
    renewed.post("/v1/api-keys", key).await.problem(403);
    // Programs are not asked.
    let me = w.as_role(&w.beta, "administrator").await;
    let key = json!({ "name": "k", "roles": ["administrator"] });
    let key = me.post("/v1/api-keys", key).await.expect(201);
    w.advance_s(3600);
    let program = w.client.bearer(key["secret"].as_str().unwrap());
    let user = json!({ "login": "new", "name": "New", "roles": ["agent"] });
    program.post("/v1/users", user).await.expect(201);
}

/// Every way in which somebody could give themselves or others more than they have.
#[tokio::test]
async fn nobody_grants_what_they_do_not_have() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let role = json!({ "name": "Personnel", "permissions": [
        "users:read", "users:write", "roles:read", "roles:write", "api-keys:read", "api-keys:write", "oauth-clients:write",
        "identity-providers:write", "queues:read", "oauth-clients:read", "identity-providers:read",
    ]});
    let role = admin.post("/v1/roles", role).await.expect(201);
    let role = role["id"].as_str().unwrap().to_string();
    let clerk = json!({ "login": "clerk", "name": "Clerk", "password": PASSWORD, "roles": [], "custom_roles": [role] });
    let clerk = admin.post("/v1/users", clerk).await.expect(201);
    let clerk_path = format!("/v1/users/{}", clerk["id"].as_str().unwrap());
    let session = sign_in(&w, &w.alpha, "clerk").await.expect(201);
    assert!(
        session["permissions"]
            .as_array()
            .unwrap()
            .contains(&json!("users:write"))
    );
    let me = w.client.bearer(session["token"].as_str().unwrap());

    let boss = format!("/v1/users/{}", w.alpha.admin_user);
    let table: Vec<(&str, String, Value)> = vec![
        // More for oneself, for a new person, for an old one.
        (
            "PATCH",
            clerk_path.clone(),
            json!({ "roles": ["administrator"] }),
        ),
        (
            "POST",
            "/v1/users".into(),
            json!({ "login": "x", "name": "X", "password": PASSWORD, "roles": ["administrator"] }),
        ),
        (
            "POST",
            "/v1/users".into(),
            json!({ "login": "x", "name": "X", "roles": ["operator"] }),
        ),
        (
            "PATCH",
            format!("/v1/users/{}", w.alpha.agent_user),
            json!({ "roles": ["supervisor"] }),
        ),
        // The way over somebody who may do more: their password, their second factor, their sessions.
        (
            "PATCH",
            boss.clone(),
            json!({ "password": "a new password" }),
        ),
        ("PATCH", boss.clone(), json!({ "login": "mine" })),
        ("DELETE", boss.clone(), json!({})),
        ("DELETE", format!("{boss}/credentials"), json!({})),
        ("DELETE", format!("{boss}/sessions"), json!({})),
        // A role, a key, a client, a provider that gives more.
        (
            "POST",
            "/v1/roles".into(),
            json!({ "name": "R", "permissions": ["trunks:write"] }),
        ),
        (
            "PATCH",
            format!("/v1/roles/{role}"),
            json!({ "permissions": ["users:write", "recordings:read"] }),
        ),
        (
            "POST",
            "/v1/api-keys".into(),
            json!({ "name": "K", "scopes": ["recordings:read"] }),
        ),
        (
            "POST",
            "/v1/api-keys".into(),
            json!({ "name": "K", "roles": ["agent"] }),
        ),
        (
            "POST",
            "/v1/oauth-clients".into(),
            json!({ "name": "C", "scopes": ["trunks:read"] }),
        ),
        (
            "POST",
            "/v1/identity-providers".into(),
            json!({ "name": "P", "issuer": "https://i.example", "client_id": "c", "default_roles": ["supervisor"] }),
        ),
        (
            "POST",
            "/v1/identity-providers".into(),
            json!({ "name": "P", "issuer": "https://i.example", "client_id": "c",
            "roles_claim": "groups", "role_rules": [{ "value": "all", "roles": ["administrator"] }] }),
        ),
    ];
    for (method, path, body) in table {
        let refused = me.json(method, &path, body.clone()).await;
        assert_eq!(
            refused.problem(403).0,
            "forbidden",
            "{method} {path} {body}"
        );
    }
    // The platform's own permissions are nobody's in a tenant.
    let role = json!({ "name": "R", "permissions": ["tenants:write"] });
    admin.post("/v1/roles", role).await.problem(403);
    for path in ["/v1/tenants", "/v1/audit-log"] {
        me.get(path).await.problem(403);
    }
    // What they have they may give.
    let role = json!({ "name": "Queue reader", "permissions": ["queues:read"] });
    me.post("/v1/roles", role).await.expect(201);
    // A role of another tenant is none.
    let foreign = json!({ "login": "y", "name": "Y", "roles": [], "custom_roles": [w.beta.by_prefix["rol"]] });
    let (code, at) = admin.post("/v1/users", foreign).await.problem(400);
    assert_eq!(
        (code.as_str(), at),
        ("bad_request", vec!["/custom_roles/0".to_string()])
    );
    // A role that somebody has stays; taking rights from it takes effect at once.
    let role_path = format!("/v1/roles/{}", clerk["custom_roles"][0].as_str().unwrap());
    admin.delete(&role_path).await.problem(409);
    admin
        .patch(&role_path, json!({ "permissions": ["queues:read"] }))
        .await
        .expect(200);
    me.get("/v1/users").await.problem(403);
    me.get("/v1/queues").await.expect(200);
    // The refusals are in the audit log.
    assert!(audit_of(&w, &w.alpha, "createUser") >= 2);
}

async fn form(w: &World, path: &str, body: &str) -> crate::client::Answer {
    let client = w
        .client
        .with("content-type", "application/x-www-form-urlencoded");
    client.send("POST", path, body.as_bytes()).await
}

#[tokio::test]
async fn programs_get_tokens_by_their_secret() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let client = json!({ "name": "CRM", "scopes": ["queues:read", "skills:read"], "token_s": 600 });
    let made = admin.post("/v1/oauth-clients", client).await.expect(201);
    let (id, secret) = (
        made["id"].as_str().unwrap(),
        made["secret"].as_str().unwrap(),
    );
    let path = format!("/v1/oauth-clients/{id}");
    assert!(!admin.get(&path).await.text().contains(secret));

    let ask = |more: &str| {
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}{more}")
    };
    let token = form(&w, "/v1/oauth/token", &ask("&scope=queues%3Aread")).await;
    assert_eq!(token.header("cache-control"), Some("no-store"));
    let token = token.expect(200);
    assert_eq!(
        (&token["token_type"], &token["expires_in"], &token["scope"]),
        (&json!("Bearer"), &json!(600), &json!("queues:read"))
    );
    let access = token["access_token"].as_str().unwrap();
    let program = w.client.bearer(access);
    program.get("/v1/queues").await.expect(200);
    program.get("/v1/skills").await.problem(403);
    program.get("/v1/me/sessions").await.problem(403);
    // By HTTP Basic, and with all scopes.
    let basic = w.client.with(
        "authorization",
        &format!("Basic {}", standard(&format!("{id}:{secret}"))),
    );
    let basic = basic.with("content-type", "application/x-www-form-urlencoded");
    let all = basic
        .send("POST", "/v1/oauth/token", b"grant_type=client_credentials")
        .await
        .expect(200);
    w.client
        .bearer(all["access_token"].as_str().unwrap())
        .get("/v1/skills")
        .await
        .expect(200);
    // Refusals are those of the RFC.
    let wrong = [
        (ask("&scope=users%3Awrite"), 400, "invalid_scope"),
        (
            ask("").replace("client_credentials", "password"),
            400,
            "unsupported_grant_type",
        ),
        (
            format!("client_id={id}&client_secret={secret}"),
            400,
            "invalid_request",
        ),
        (
            ask("&grant_type=client_credentials"),
            400,
            "invalid_request",
        ),
        (ask("").replace(secret, "cpc_0"), 401, "invalid_client"),
        (
            "grant_type=client_credentials".into(),
            401,
            "invalid_client",
        ),
        (
            ask("").replace(id, &w.beta.by_prefix["ocl"]),
            401,
            "invalid_client",
        ),
    ];
    for (body, status, error) in wrong {
        assert_eq!(
            form(&w, "/v1/oauth/token", &body).await.expect(status)["error"],
            error,
            "{body}"
        );
    }
    // Introspection tells about one's own tokens only.
    let about = |token: &str| ask(&format!("&token={token}"));
    let told = form(&w, "/v1/oauth/introspect", &about(access))
        .await
        .expect(200);
    assert_eq!(
        (&told["active"], &told["scope"]),
        (&json!(true), &json!("queues:read"))
    );
    let other = admin
        .post(
            "/v1/oauth-clients",
            json!({ "name": "Other", "scopes": ["queues:read"] }),
        )
        .await
        .expect(201);
    let others = format!(
        "client_id={}&client_secret={}&token={access}",
        other["id"].as_str().unwrap(),
        other["secret"].as_str().unwrap()
    );
    assert_eq!(
        form(&w, "/v1/oauth/introspect", &others).await.expect(200)["active"],
        false
    );
    form(&w, "/v1/oauth/revoke", &others).await.expect(200);
    program.get("/v1/queues").await.expect(200);
    // A new secret; the old one opens for a while.
    let rotated = admin
        .post(&format!("{path}/secret"), json!({ "overlap_s": 60 }))
        .await
        .expect(200);
    let fresh = ask("").replace(secret, rotated["secret"].as_str().unwrap());
    form(&w, "/v1/oauth/token", &fresh).await.expect(200);
    form(&w, "/v1/oauth/token", &ask("")).await.expect(200);
    w.advance_s(61);
    form(&w, "/v1/oauth/token", &ask("")).await.expect(401);
    // Ended, expired, and of a client that lost a scope.
    form(
        &w,
        "/v1/oauth/revoke",
        &fresh.replace("grant_type", &format!("token={access}&x")),
    )
    .await
    .expect(200);
    program.get("/v1/queues").await.problem(401);
    let token = form(&w, "/v1/oauth/token", &fresh).await.expect(200);
    let program = w.client.bearer(token["access_token"].as_str().unwrap());
    program.get("/v1/queues").await.expect(200);
    w.advance_s(601);
    program.get("/v1/queues").await.problem(401);
    let token = form(&w, "/v1/oauth/token", &fresh).await.expect(200);
    let program = w.client.bearer(token["access_token"].as_str().unwrap());
    admin
        .post(
            "/v1/sessions/current/step-up",
            json!({ "password": PASSWORD }),
        )
        .await;
    admin
        .patch(&path, json!({ "disabled": true }))
        .await
        .expect(200);
    program.get("/v1/queues").await.problem(401);
    form(&w, "/v1/oauth/token", &fresh).await.expect(401);
}

fn standard(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let w = World::new().await;
    let first = w.client.with("user-agent", "First browser").post("/v1/sessions",
        json!({ "login": "agent", "password": PASSWORD, "tenant": domain("alpha"), "kind": "token" })).await.expect(201);
    let first = w.client.bearer(first["token"].as_str().unwrap());
    let second = w.as_role(&w.alpha, "agent").await;
    let listed = second.get("/v1/me/sessions").await.expect(200);
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items.iter().filter(|s| s["current"] == true).count(), 1);
    let of_first = items
        .iter()
        .find(|s| s["user_agent"] == "First browser")
        .unwrap();
    assert_eq!(
        (&of_first["address"], &of_first["methods"]),
        (&json!("127.0.0.1"), &json!(["pwd"]))
    );
    let end = format!("/v1/me/sessions/{}", of_first["id"].as_str().unwrap());
    // Not by somebody else, of this or another tenant.
    for stranger in [
        w.as_role(&w.alpha, "supervisor").await,
        w.as_role(&w.beta, "agent").await,
    ] {
        stranger.delete(&end).await.problem(404);
    }
    assert_eq!(second.delete(&end).await.status, 204);
    first.get("/v1/queues").await.problem(401);
    let third = w.as_role(&w.alpha, "agent").await;
    assert_eq!(third.delete("/v1/me/sessions").await.status, 204);
    second.get("/v1/queues").await.problem(401);
    // An administrator ends all of somebody.
    let admin = w.as_role(&w.alpha, "administrator").await;
    let all = format!("/v1/users/{}/sessions", w.alpha.agent_user);
    assert_eq!(
        admin.get(&all).await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(admin.delete(&all).await.status, 204);
    third.get("/v1/queues").await.problem(401);
    let stranger = w.as_role(&w.beta, "administrator").await;
    stranger.get(&all).await.problem(404);
}

#[tokio::test]
async fn lost_second_factors_are_taken_away_by_an_administrator() {
    let w = World::new().await;
    let me = w.as_role(&w.alpha, "agent").await;
    add_totp(&w, &me).await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let path = format!("/v1/users/{}/credentials", w.alpha.agent_user);
    let listed = admin.get(&path).await.expect(200);
    assert_eq!(listed["items"][0]["kind"], "totp");
    assert!(!listed.to_string().contains("seed"));
    assert_eq!(admin.delete(&path).await.status, 204);
    me.get("/v1/queues").await.problem(401);
    sign_in(&w, &w.alpha, "agent").await.expect(201);
    assert_eq!(audit_of(&w, &w.alpha, "credentials.reset"), 1);
}

#[tokio::test]
async fn the_operator_makes_limits_and_suspends_tenants() {
    let w = World::new().await;
    let operator = w.operator().await;
    let new = json!({ "name": "Gamma", "domain": "gamma.example", "interactions_max": 5,
        "administrator": { "login": "ann", "name": "Ann", "password": "correct horse" } });
    w.as_role(&w.alpha, "administrator")
        .await
        .post("/v1/tenants", new.clone())
        .await
        .problem(403);
    let made = operator.post("/v1/tenants", new.clone()).await.expect(201);
    operator.post("/v1/tenants", new).await.problem(409);
    let path = format!("/v1/tenants/{}", made["id"].as_str().unwrap());
    let body = json!({ "login": "ann", "password": "correct horse", "tenant": "gamma.example", "kind": "token" });
    let ann = w
        .client
        .post("/v1/sessions", body.clone())
        .await
        .expect(201);
    assert_eq!(ann["roles"], json!(["administrator"]));
    let ann = w.client.bearer(ann["token"].as_str().unwrap());
    let key = ann
        .post(
            "/v1/api-keys",
            json!({ "name": "k", "scopes": ["queues:read"] }),
        )
        .await
        .expect(201);
    let key = w.client.bearer(key["secret"].as_str().unwrap());
    key.get("/v1/queues").await.expect(200);
    assert_eq!(
        operator.get("/v1/tenants").await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );

    let blind = operator
        .raw_json("PATCH", &path, json!({ "suspended": true }))
        .await;
    assert_eq!(blind.problem(428).0, "precondition_required");
    operator
        .patch(&path, json!({ "suspended": true }))
        .await
        .expect(200);
    for client in [&ann, &key] {
        assert_eq!(client.get("/v1/queues").await.problem(403).0, "suspended");
    }
    assert_eq!(
        w.client
            .post("/v1/sessions", body.clone())
            .await
            .problem(403)
            .0,
        "suspended"
    );
    let own = format!("/v1/tenants/{}", w.alpha.tenant);
    operator
        .patch(&own, json!({ "suspended": true }))
        .await
        .problem(409);
    let changed = operator
        .patch(&path, json!({ "suspended": false, "interactions_max": 9 }))
        .await
        .expect(200);
    assert_eq!(changed["interactions_max"], 9);
    key.get("/v1/queues").await.expect(200);
    // The tenant sees in its own log what the operator did.
    let log = ann
        .get("/v1/audit-log?action=tenant.updated")
        .await
        .expect(200);
    assert_eq!(log["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn everything_done_is_in_the_audit_log() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let user =
        json!({ "login": "new", "name": "New", "password": "a fine password", "roles": ["agent"] });
    let made = admin.post("/v1/users", user).await.expect(201);
    let path = format!("/v1/users/{}", made["id"].as_str().unwrap());
    admin
        .patch(
            &path,
            json!({ "name": "Newer", "password": "another fine one" }),
        )
        .await
        .expect(200);
    admin.delete(&path).await;
    let recording = format!("/v1/recordings/{}/audio", w.alpha.recording);
    admin.get(&recording).await;
    let wrong = json!({ "login": "administrator", "password": "wrong", "tenant": domain("alpha") });
    w.client.post("/v1/sessions", wrong).await.problem(401);

    let of = |query: &str| {
        let (admin, path) = (admin.clone(), format!("/v1/audit-log?{query}"));
        async move {
            admin.get(&path).await.expect(200)["items"]
                .as_array()
                .unwrap()
                .clone()
        }
    };
    let target = made["id"].as_str().unwrap();
    let trail = of(&format!("target={target}")).await;
    let actions: Vec<&str> = trail
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["user.deleted", "user.updated", "user.created"]);
    let changed = &trail[1];
    assert_eq!(changed["detail"]["before"]["name"], "New");
    assert_eq!(changed["detail"]["after"]["name"], "Newer");
    assert_eq!(changed["detail"]["after"]["password_hash"], "***");
    assert_eq!(
        changed["actor"],
        json!({ "kind": "user", "id": w.alpha.admin_user })
    );
    assert_eq!(changed["address"], "127.0.0.1");
    assert_eq!(
        of("action=recordingAudio").await[0]["target"],
        w.alpha.recording.to_string()
    );
    assert_eq!(of("action=session.opened").await.len(), 1);
    assert_eq!(of("action=session.refused").await.len(), 1);
    assert_eq!(
        of(&format!("actor={}&action=user.*", w.alpha.admin_user))
            .await
            .len(),
        3
    );
    // No secret in any of it.
    let export = admin.get("/v1/audit-log/export").await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let export = export.text();
    assert!(export.lines().count() >= 7);
    for secret in [
        "argon2id",
        "a fine password",
        "another fine one",
        PASSWORD,
        "cps_",
    ] {
        assert!(!export.contains(secret), "{secret}");
    }
    // Sound; of the other tenant nothing.
    let found = admin.get("/v1/audit-log/verification").await.expect(200);
    assert_eq!(
        (&found["ok"], &found["fault"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(found["head"].as_str().unwrap().len(), 64);
    let stranger = w.as_role(&w.beta, "administrator").await;
    assert!(
        !stranger
            .get("/v1/audit-log/export")
            .await
            .text()
            .contains(target)
    );
}

#[tokio::test]
async fn the_first_person_is_made_with_the_token_of_the_first_start() {
    let w = World::empty(Some("0123456789abcdef")).await;
    assert_eq!(w.client.get("/v1/setup").await.expect(200)["needed"], true);
    let body = |token: &str| {
        json!({ "token": token, "tenant": "House", "kind": "token",
        "person": { "login": "ann", "name": "Ann", "password": "correct horse" } })
    };
    w.client.post("/v1/setup", body("guess")).await.problem(403);
    let session = w
        .client
        .post("/v1/setup", body("0123456789abcdef"))
        .await
        .expect(201);
    assert_eq!(session["roles"], json!(["administrator", "operator"]));
    let ann = w.client.bearer(session["token"].as_str().unwrap());
    ann.get("/v1/tenants").await.expect(200);
    ann.post("/v1/skills", json!({ "name": "Dutch" }))
        .await
        .expect(201);
    assert_eq!(w.client.get("/v1/setup").await.expect(200)["needed"], false);
    w.client
        .post("/v1/setup", body("0123456789abcdef"))
        .await
        .problem(409);
    // Where tenants come from a file there is no such door.
    let w = World::empty(None).await;
    assert_eq!(w.client.get("/v1/setup").await.expect(200)["needed"], false);
    w.client
        .post("/v1/setup", body("0123456789abcdef"))
        .await
        .problem(409);
}
