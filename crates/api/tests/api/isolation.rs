//! Driven from the OpenAPI document, so that a new operation is covered the day it appears.

use crate::client::{Answer, Client};
use crate::events::{connect, events, next};
use crate::world::{MARK, Rows, World};
use cp_vocab::id::TypedId;
use serde_json::{Map, Value, json};

/// One operation of the document with its parameters filled in from a tenant's rows.
struct Walk {
    id: String,
    method: String,
    path: String,
    body: Option<Value>,
    open: bool,
    has_id: bool,
    permissions: Vec<String>,
}

fn walks(rows: &Rows) -> Vec<Walk> {
    let document = cp_api::openapi();
    let mut walks = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, op) in item.as_object().unwrap() {
            let mut filled = path.clone();
            for p in op["parameters"].as_array().unwrap() {
                if p["in"] == "path" {
                    let value = sample(&p["schema"], rows, 0);
                    let name = format!("{{{}}}", p["name"].as_str().unwrap());
                    filled = filled.replace(&name, value.as_str().unwrap());
                }
            }
            assert!(!filled.contains('{'), "{filled}");
            let content = op["requestBody"]["content"].as_object();
            let schema = content.and_then(|c| Some(&c.get("application/json")?["schema"]));
            walks.push(Walk {
                id: op["operationId"].as_str().unwrap().to_string(),
                method: method.to_uppercase(),
                has_id: *path != filled,
                path: filled,
                body: schema.map(|s| sample(s, rows, 0)),
                open: op["security"] == json!([]),
                permissions: op["x-permissions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|p| p.as_str().unwrap().to_string())
                    .collect(),
            });
        }
    }
    assert!(walks.len() > 90, "{}", walks.len());
    walks
}

/// A small value that a schema takes; ids are those of `rows`.
fn sample(schema: &Value, rows: &Rows, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return sample(
            &cp_api::openapi()["components"]["schemas"][name],
            rows,
            depth,
        );
    }
    if let Some(of) = schema.get("x-patch-of") {
        let mut whole = sample(of, rows, depth);
        // A patch with every id in it, and a name that is new.
        whole
            .as_object_mut()
            .unwrap()
            .retain(|k, _| k != "password");
        return whole;
    }
    if let Some(prefix) = schema["x-id"].as_str() {
        return rows
            .by_prefix
            .get(prefix)
            .cloned()
            .unwrap_or_else(|| format!("{prefix}_{}", "0".repeat(26)))
            .into();
    }
    if let Some(branches) = schema["oneOf"].as_array() {
        // The one that names most of the tenant's rows shows most.
        let branches = branches.iter().filter(|b| b["type"] != "null" && depth < 4);
        let samples = branches.map(|b| sample(b, rows, depth + 1));
        return samples
            .max_by_key(|v| v.to_string().matches('_').count())
            .unwrap_or(Value::Null);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|e| e.first()) {
        return first.clone();
    }
    match schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str())
    {
        Some("object") => object(schema, rows, depth),
        Some("array") => json!([]),
        Some("integer") => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => "1"
            .repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize)
            .into(),
    }
}

fn object(schema: &Value, rows: &Rows, depth: usize) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut map = Map::new();
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        let names_a_row = of.to_string().contains("Id\"");
        if required.contains(&json!(name)) || (names_a_row && depth < 2) {
            map.insert(name.clone(), sample(of, rows, depth + 1));
        }
    }
    Value::Object(map)
}

async fn go(client: &Client, walk: &Walk) -> Answer {
    match &walk.body {
        Some(body) => client.json(&walk.method, &walk.path, body.clone()).await,
        None => client.send(&walk.method, &walk.path, b"").await,
    }
}

#[tokio::test]
async fn two_tenants_see_nothing_of_each_other() {
    let w = World::new().await;
    let (alpha, beta) = (w.alpha.clone(), w.beta.clone());
    let marked = format!("{}{MARK}", alpha.name);
    let mut strangers = vec![("token of a program", w.program(&beta).await)];
    strangers.push(("key of a program", w.key(&beta).await));
    for role in ["administrator", "supervisor", "agent"] {
        strangers.push((role, w.as_role(&beta, role).await));
    }
    for (role, stranger) in strangers {
        for walk in walks(&alpha) {
            if walk.open || walk.id == "signOut" || walk.id == "renewSession" || walk.id == "events"
            {
                continue;
            }
            let answer = go(&stranger, &walk).await;
            let what = format!("{role} {} {} {}", walk.id, answer.status, answer.text());
            assert!(!answer.text().contains(&marked), "{what}");
            // The log of beta's own people names what strangers before this one asked for.
            let own_words = walk.id.ends_with("AuditLog");
            for id in [alpha.tenant.to_string(), alpha.admin_user.to_string()] {
                assert!(own_words || !answer.text().contains(&id), "{what}");
            }
            if walk.has_id && walk.id != "retrieveParked" {
                assert!(matches!(answer.status, 400 | 403 | 404), "{what}");
            }
        }
    }
    // What the engine was asked names nothing of alpha in beta's name.
    let ids: Vec<&String> = alpha.by_prefix.values().collect();
    for envelope in w
        .engine
        .commands
        .lock()
        .unwrap()
        .iter()
        .filter(|e| e.tenant == beta.tenant)
    {
        let Ok(text) = serde_json::to_string(&envelope.command) else {
            continue;
        };
        let foreign = ids.iter().find(|id| text.contains(id.as_str()));
        let left_to_the_engine = text.contains("\"leg\"") || text.contains("\"offer\"");
        assert!(foreign.is_none() || left_to_the_engine, "{text}");
    }
}

/// All that an administrator may give to a program.
async fn scopes(admin: &Client) -> Vec<String> {
    let all = admin.get("/v1/permissions").await.expect(200);
    let all = all["items"].as_array().unwrap().iter();
    let grantable = all.filter(|p| p["grantable"] == true);
    grantable
        .map(|p| p["permission"].as_str().unwrap().to_string())
        .collect()
}

impl World {
    /// Somebody with a token of an OAuth client that may do whatever can be given to one.
    async fn program(&self, rows: &Rows) -> Client {
        let admin = self.as_role(rows, "administrator").await;
        let client = json!({ "name": "Everything", "scopes": scopes(&admin).await });
        let made = admin.post("/v1/oauth-clients", client).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_string();
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            text("id"),
            text("secret")
        );
        let kind = "application/x-www-form-urlencoded";
        let asking = self.client.with("content-type", kind);
        let token = asking
            .send("POST", "/v1/oauth/token", body.as_bytes())
            .await;
        let token = token.expect(200);
        self.client.bearer(token["access_token"].as_str().unwrap())
    }

    async fn key(&self, rows: &Rows) -> Client {
        let admin = self.as_role(rows, "administrator").await;
        let key = json!({ "name": "Everything", "roles": ["administrator"] });
        let made = admin.post("/v1/api-keys", key).await.expect(201);
        self.client.bearer(made["secret"].as_str().unwrap())
    }
}

/// Whoever listens hears what happens in their own tenant alone: by a session, a key, a token, from
/// now on and from a cursor that somebody of the other tenant was given.
#[tokio::test]
async fn nobody_hears_the_events_of_another_tenant() {
    let w = World::new().await;
    let (alpha, beta) = (w.alpha.clone(), w.beta.clone());
    let of = |n: u128| cp_vocab::InteractionId::from_u128(0xEA12_0000 + n);
    let owner = w.as_role(&alpha, "administrator").await;
    let mut theirs = connect(&owner, "").await.unwrap();
    let cursor = next(&mut theirs).await["cursor"]
        .as_str()
        .unwrap()
        .to_string();
    let listeners = [
        ("session", w.as_role(&beta, "supervisor").await),
        ("key", w.key(&beta).await),
        ("token", w.program(&beta).await),
    ];
    for (n, (what, client)) in listeners.iter().enumerate() {
        let n = n as u128 * 10;
        let mut now = connect(client, "").await.unwrap();
        assert_eq!(next(&mut now).await["control"], "hello", "{what}");
        let mut before = connect(client, &format!("?cursor={cursor}")).await.unwrap();
        // Of calls, and of the configuration.
        w.append(&alpha, of(n), vec![start()]).await;
        let skill = json!({ "name": format!("skill {what}") });
        owner.post("/v1/skills", skill).await.expect(201);
        w.append(&beta, of(n + 1), vec![start()]).await;
        for socket in [&mut now, &mut before] {
            let mut seen = vec![];
            while !seen.contains(&of(n + 1).to_string()) {
                let event = events(socket, 1).await.remove(0);
                let text = event.to_string();
                assert!(!text.contains(&alpha.tenant.to_string()), "{what}: {text}");
                assert!(!text.contains(&of(n).to_string()), "{what}: {text}");
                assert!(!text.contains(MARK), "{what}: {text}");
                seen.push(event["subject"].as_str().unwrap_or_default().to_string());
            }
        }
        // The owner did hear of it: the silence is not that of a deaf socket.
        let mut heard = vec![];
        while !heard.contains(&of(n).to_string()) {
            let event = events(&mut theirs, 1).await.remove(0);
            heard.push(event["subject"].as_str().unwrap_or_default().to_string());
        }
        assert!(!heard.contains(&of(n + 1).to_string()), "{what}");
    }
    assert_eq!(connect(&w.client, "").await.err(), Some(401), "nobody");
}

#[tokio::test]
async fn the_walk_is_not_empty_the_owner_can_do_what_strangers_cannot() {
    let w = World::new().await;
    let owner = w.as_role(&w.alpha, "administrator").await;
    for walk in walks(&w.alpha) {
        if walk.method != "GET" || walk.open || walk.id == "events" {
            continue;
        }
        // What the platform's operator alone may do is tested in `people`.
        if walk.permissions == ["tenants:read"] {
            continue;
        }
        let answer = go(&owner, &walk).await;
        // What is the node's is nobody's who owns a tenant on it.
        let nodes = walk.path.starts_with("/v1/node/");
        let want = if nodes { 403 } else { 200 };
        assert_eq!(answer.status, want, "{} {}", walk.id, answer.text());
    }
    for command in [
        "holdLeg",
        "pauseRecording",
        "muteLeg",
        "setPresence",
        "requeue",
        "hangUp",
    ] {
        let walk = walks(&w.alpha)
            .into_iter()
            .find(|x| x.id == command)
            .unwrap();
        let answer = go(&owner, &walk).await;
        // What is the node's is nobody's who owns a tenant on it.
        let nodes = walk.path.starts_with("/v1/node/");
        let want = if nodes { 403 } else { 200 };
        assert_eq!(answer.status, want, "{} {}", walk.id, answer.text());
    }
}

#[tokio::test]
async fn every_operation_needs_its_permission() {
    let w = World::new().await;
    for walk in walks(&w.alpha) {
        let answer = go(&w.client, &walk).await;
        // These are open, and answer 401 to whoever proves nothing.
        let proving = [
            "signIn",
            "metrics",
            // A customer's socket has a token of its own kind.
            "customerCall",
            "signInSecondFactor",
            "signInByPasskey",
            "oauthToken",
            "oauthIntrospect",
            "oauthRevoke",
        ];
        if proving.contains(&walk.id.as_str()) {
            continue;
        }
        if walk.open {
            assert_ne!(answer.status, 401, "{} is open", walk.id);
        } else {
            assert_eq!(
                answer.status,
                401,
                "{} without a sign-in: {}",
                walk.id,
                answer.text()
            );
        }
    }
    for role in ["agent", "supervisor", "administrator"] {
        let session = w.sign_in(&w.beta, role, "token").await;
        let held: Vec<&str> = session["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_str().unwrap())
            .collect();
        let client = w.client.bearer(session["token"].as_str().unwrap());
        for walk in walks(&w.alpha) {
            let lacks = !walk.permissions.is_empty()
                && !walk.permissions.iter().any(|p| held.contains(&p.as_str()));
            if lacks {
                let (code, _) = go(&client, &walk).await.problem(403);
                assert_eq!(code, "forbidden", "{role} {}", walk.id);
            }
        }
    }
}

#[tokio::test]
async fn an_agent_is_held_to_what_is_theirs() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let own = format!("/v1/agents/{}/presence", w.alpha.agent);
    let others = format!("/v1/agents/{}/presence", w.alpha.supervisor_agent);
    let presence = json!({ "presence": "break" });
    agent.json("PUT", &own, presence.clone()).await.expect(200);
    agent.json("PUT", &others, presence).await.problem(403);
    let set = w.engine.commands_of("set_presence");
    assert_eq!(set.len(), 1);
    assert_eq!(set[0].actor, cp_vocab::command::Actor::Agent(w.alpha.agent));
    // Calls are dialled from one's own phone only.
    let target = json!({ "kind": "extension", "extension": "200" });
    agent
        .post("/v1/calls", json!({ "target": target }))
        .await
        .expect(201);
    let other_phone = json!({ "target": target, "agent": w.alpha.supervisor_agent.to_string() });
    agent.post("/v1/calls", other_phone).await.problem(403);
    let originate = json!({ "target": target, "destination": { "to": "echo" } });
    agent.post("/v1/calls", originate).await.problem(403);
    // Interactions one was offered can be read; others of the tenant cannot.
    let offered = format!("/v1/interactions/{}", w.alpha.interaction);
    agent.get(&offered).await.expect(200);
    let stranger = TypedId::from_u128(4242);
    let started = cp_vocab::Event::Ended {
        reason: cp_vocab::EndReason::HungUp,
        by: None,
        detail: None,
    };
    w.append(&w.alpha, stranger, vec![start(), started]).await;
    agent
        .get(&format!("/v1/interactions/{stranger}"))
        .await
        .problem(404);
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    supervisor
        .get(&format!("/v1/interactions/{stranger}"))
        .await
        .expect(200);
    // Live state: one's own interaction, and of others only whether they are free.
    let live = agent.get("/v1/live").await.expect(200);
    assert_eq!(live["interactions"].as_array().unwrap().len(), 1);
    assert_eq!(live["agents"].as_array().unwrap().len(), 2);
    assert!(live["cursor"].is_string());
    let whole = supervisor.get("/v1/live").await.expect(200);
    assert_eq!(whole["interactions"].as_array().unwrap().len(), 2);
}

fn start() -> cp_vocab::Event {
    use cp_vocab::{Address, Pii};
    cp_vocab::Event::Started {
        direction: cp_vocab::event::Direction::Inbound,
        from: Pii(Address::Anonymous),
        from_name: None,
        to: Pii(Address::Extension("100".into())),
        uci: cp_vocab::id::TypedId::from_u128(9),
        number: None,
        trunk: None,
    }
}
