//! Customers' proof: what an agent sees before and after, what a browser or app brings beside the
//! call, where the proven wait, and announced calls.

use crate::client::Client;
use crate::world::{Rows, World};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use cp_identity::b64;
use cp_vocab::event::{Direction, Endpoint, LegRole};
use cp_vocab::id::TypedId;
use cp_vocab::person::Awaited;
use cp_vocab::*;
use serde_json::{Value, json};

const CALLER: &str = "+15550100";
const CALLED: &str = "+18005550100";

/// A call of `CALLER` to the tenant, heard of by the proof desk.
struct Call {
    id: InteractionId,
    leg: LegId,
    path: String,
}

impl World {
    async fn call(&self, n: u128, from: &str, more: Vec<Event>) -> Call {
        let rows = self.alpha.clone();
        let id = InteractionId::from_u128(0xCA11_0000 + n);
        let leg = LegId::from_u128(0x1E60_0000 + n);
        let address = |text: &str| Pii(Address::Number(text.to_string()));
        let mut events = vec![
            Event::Started {
                direction: Direction::Inbound,
                from: address(from),
                from_name: None,
                to: address(CALLED),
                uci: Uci::from_u128(n),
                number: None,
                trunk: None,
            },
            Event::LegAdded {
                leg,
                role: LegRole::Customer,
                direction: Direction::Inbound,
                endpoint: Endpoint::Uri,
                address: address(from),
                agent: None,
                call_id: "c".into(),
                cause: None,
            },
            Event::OfferMade {
                offer: OfferId::from_u128(n),
                agent: rows.agent,
                queue: None,
                deadline: Timestamp::ZERO,
                explain: String::new(),
            },
        ];
        events.extend(more);
        self.heard(id, events).await;
        Call {
            id,
            leg,
            path: format!("/v1/interactions/{id}"),
        }
    }

    /// Appends, and lets the desk follow.
    async fn heard(&self, id: InteractionId, events: Vec<Event>) {
        use cp_store::Store;
        let mut cursor = self.store.head().unwrap();
        self.append(&self.alpha.clone(), id, events).await;
        let desk = self.desk.clone();
        tokio::task::spawn_blocking(move || desk.follow(&mut cursor).unwrap())
            .await
            .unwrap();
    }

    async fn enters(&self, call: &Call, digits: &str) {
        let (desk, tenant) = (self.desk.clone(), self.alpha.tenant);
        let (id, leg, digits) = (call.id, call.leg, Pii(digits.to_string()));
        tokio::task::spawn_blocking(move || desk.entered(tenant, id, leg, digits).unwrap())
            .await
            .unwrap();
    }

    /// Commands of this word that the desk gave for the call.
    fn told(&self, word: &str) -> Vec<Value> {
        let all = self.engine.commands.lock().unwrap();
        all.iter()
            .filter_map(|e| serde_json::to_value(&e.command).ok())
            .filter(|c| c["command"] == word)
            .collect()
    }

    fn last_mail(&self) -> String {
        let mails = self.engine.mails.lock().unwrap();
        mails.last().unwrap().1.clone()
    }
}

fn person(rows: &Rows) -> String {
    rows.by_prefix["per"].clone()
}

fn ended() -> Event {
    Event::Ended {
        reason: EndReason::HungUp,
        by: None,
        detail: None,
    }
}

fn waits_for_proof(call_leg: u128, level: u8, queue: Option<QueueId>) -> Event {
    Event::AwaitStarted {
        leg: LegId::from_u128(0x1E60_0000 + call_leg),
        what: Awaited::Proof { level },
        until: Timestamp::ZERO,
        queue,
    }
}

fn field(customer: &Value) -> (bool, String) {
    let f = &customer["fields"][0];
    (
        f["locked"].as_bool().unwrap(),
        f["value"].as_str().unwrap().to_string(),
    )
}

async fn give_pin(admin: &Client, rows: &Rows, pin: &str) {
    let path = format!("/v1/persons/{}/credentials", person(rows));
    let body = json!({ "method": "pin", "pin": pin });
    admin.post(&path, body).await.expect(201);
}

#[tokio::test]
async fn secure_fields_are_marked_until_a_code_proves_the_caller() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let call = w.call(1, CALLER, vec![]).await;
    let customer = agent
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(field(&customer), (true, "••••56".into()));
    assert_eq!(customer["claimed_by"], "caller");
    assert_eq!(customer["proof"]["level"], 0);

    // The agent has a code sent; it goes to the customer's own address, and into no log.
    let ask = json!({ "method": "code" });
    agent
        .post(&format!("{}/proof/ask", call.path), ask)
        .await
        .expect(204);
    let mail = w.last_mail();
    let code: String = mail.chars().filter(char::is_ascii_digit).take(8).collect();
    let wrong = json!({ "code": "00000000" });
    let refused = agent.post(&format!("{}/proof", call.path), wrong).await;
    assert_eq!(refused.problem(403).0, "forbidden");
    let right = json!({ "code": code });
    agent
        .post(&format!("{}/proof", call.path), right.clone())
        .await
        .expect(204);

    let customer = agent
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(field(&customer), (false, "alpha-secret 1,234.56".into()));
    assert_eq!(customer["proof"]["methods"], json!(["code"]));
    assert_eq!(customer["proof"]["trust"]["level"], "person");
    // A code is good once.
    let again = agent.post(&format!("{}/proof", call.path), right).await;
    assert_eq!(again.problem(403).0, "forbidden");
}

#[tokio::test]
async fn an_assertion_is_good_in_its_call_and_ends_with_it() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let call = w.call(1, CALLER, vec![]).await;
    let other = w.call(2, CALLER, vec![]).await;
    admin
        .patch(
            &format!("/v1/persons/{}", person(&w.alpha)),
            json!({ "photo": "https://pictures.example/ann" }),
        )
        .await
        .expect(200);
    let path = format!("{}/proof", call.path);
    let none = admin.get(&path).await.expect(200);
    assert_eq!(none["assertion"], Value::Null);
    let ask = json!({ "photo_matches": true });
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    supervisor.post(&path, ask).await.expect(204);
    let token = admin.get(&path).await.expect(200)["assertion"].clone();
    let shown = json!({ "assertion": token });
    let verify = |path: &str| format!("{path}/proof/verify");
    let here = admin
        .post(&verify(&call.path), shown.clone())
        .await
        .expect(200);
    assert_eq!(here["valid"], true, "{here}");
    assert_eq!(here["claims"]["acr"], 2);
    assert_eq!(here["claims"]["amr"], json!(["face"]));
    let there = admin
        .post(&verify(&other.path), shown.clone())
        .await
        .expect(200);
    assert_eq!(
        (&there["valid"], &there["fault"]),
        (&json!(false), &json!("interaction"))
    );
    // Also when nobody was there to follow the end.
    w.append(&w.alpha.clone(), call.id, vec![ended()]).await;
    let over = admin.post(&verify(&call.path), shown).await.expect(200);
    assert_eq!(over["fault"], "revoked");
    // What was proven is no longer so; the record is locked again.
    let customer = admin
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert!(field(&customer).0);
}

/// The name of the key that signed a token.
fn kid(token: &Value) -> String {
    let head = token.as_str().unwrap().split('.').next().unwrap();
    let head: Value = serde_json::from_slice(&b64::decode(head).unwrap()).unwrap();
    head["kid"].as_str().unwrap().to_string()
}

async fn kids(w: &World) -> Vec<String> {
    let set = w.client.get("/.well-known/jwks.json").await.expect(200);
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|k| k["kid"].as_str().unwrap().to_string())
        .collect()
}

#[tokio::test]
async fn a_new_signing_key_leaves_what_the_old_one_signed_good_until_it_ends() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    let calls = [
        w.call(1, CALLER, vec![]).await,
        w.call(2, CALLER, vec![]).await,
    ];
    let photo = json!({ "photo": "https://pictures.example/ann" });
    let path = format!("/v1/persons/{}", person(&w.alpha));
    admin.patch(&path, photo).await.expect(200);
    let proven = async |call: &Call| {
        let path = format!("{}/proof", call.path);
        let seen = json!({ "photo_matches": true });
        supervisor.post(&path, seen).await.expect(204);
        admin.get(&path).await.expect(200)["assertion"].clone()
    };
    let valid = async |call: &Call, token: &Value| {
        let path = format!("{}/proof/verify", call.path);
        let shown = json!({ "assertion": token });
        admin.post(&path, shown).await.expect(200)["valid"] == true
    };
    let old = proven(&calls[0]).await;
    let wish = json!({ "from": CALLED, "to": CALLER, "valid_s": 3600 });
    let notice = admin.post("/v1/precall-notices", wish).await.expect(201);
    let ours = async || {
        let shown = json!({ "notice": notice["notice"] });
        let path = "/v1/precall-notices/verify";
        w.client.post(path, shown).await.expect(200)["valid"] == true
    };

    admin
        .post("/v1/node/signing-keys", json!({}))
        .await
        .problem(403);
    let operator = w.operator().await;
    let made = operator
        .post("/v1/node/signing-keys", json!({}))
        .await
        .expect(201);
    assert_eq!(made["retiring"], json!([kid(&old)]));
    let new = proven(&calls[1]).await;
    assert_eq!(kid(&new), made["kid"].as_str().unwrap());
    assert_eq!(kids(&w).await, [kid(&new), kid(&old)]);
    assert!(valid(&calls[0], &old).await && valid(&calls[1], &new).await);
    assert!(ours().await);
    // What it signed last has ended by then, and so does the key.
    w.advance_s(59 * 60);
    assert!(ours().await, "a notice of an hour, a minute before its end");
    w.advance_s(2 * 60 + 1);
    assert!(!ours().await);
    assert_eq!(kids(&w).await, [kid(&new)]);
}

#[tokio::test]
async fn one_address_cannot_try_links_and_proofs_without_end() {
    let w = World::new().await;
    let body = json!({ "caller": CALLER, "called": CALLED });
    for _ in 0..30 {
        let opened = w.client.post("/v1/data-sessions", body.clone()).await;
        assert_eq!(opened.status, 201, "{}", opened.text());
    }
    let refused = w.client.post("/v1/data-sessions", body.clone()).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.problem(429).0, "too_many_requests");
    let guess = json!({ "session": "x", "number": CALLER, "proof": { "method": "link" } });
    let path = "/v1/data-sessions/auth";
    w.client.post(path, guess.clone()).await.problem(429);
    w.advance_s(60);
    w.client.post(path, guess).await.problem(403);
    w.client.post("/v1/data-sessions", body).await.expect(201);
}

#[tokio::test]
async fn a_customer_on_a_strange_telephone_keys_its_number_first() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    give_pin(&admin, &w.alpha, "2580").await;
    let account = json!({ "identities": [{ "kind": "phone", "value": CALLER }, { "kind": "account", "value": "471122" }] });
    let path = format!("/v1/persons/{}", person(&w.alpha));
    admin.patch(&path, account).await.expect(200);
    let gate = |n| waits_for_proof(n, 2, Some(w.alpha.queue));
    let policy = |ask: &str| json!({ "ask_number": ask });
    let rules = "/v1/proof-policy";
    let bad = admin.json("PUT", rules, policy("sometimes")).await;
    assert_eq!(bad.problem(400).1, ["/ask_number"]);
    admin
        .json("PUT", rules, policy("unknown"))
        .await
        .expect(200);
    let said = |n: usize| w.told("collect")[n]["sounds"].to_string();

    // From a strange number: the customer number, then the PIN of whose it is.
    let strange = w.call(1, "+15550999", vec![gate(1)]).await;
    assert!(said(0).contains("customer number"), "{}", said(0));
    w.enters(&strange, "471122").await;
    assert!(said(1).contains("personal number"), "{}", said(1));
    w.enters(&strange, "2580").await;
    assert_eq!(w.told("end_await")[0]["met"], true);
    let customer = admin.get(&format!("{}/customer", strange.path)).await;
    let customer = customer.expect(200);
    assert_eq!(customer["person"], json!(person(&w.alpha)));
    assert_eq!(
        (&customer["claimed_by"], &customer["proof"]["level"]),
        (&json!("entered"), &json!(2))
    );

    // A number that is nobody's goes on the same way, and leads nowhere.
    let lost = w.call(2, "+15550998", vec![gate(2)]).await;
    w.enters(&lost, "999999").await;
    assert_eq!(said(3), said(1), "the same question");
    for _ in 0..3 {
        w.enters(&lost, "2580").await;
    }
    assert_eq!(w.told("end_await")[1]["met"], false);

    // From the known number nobody is asked for it; unless everybody is, which tells nothing.
    let before = w.told("collect").len();
    w.call(3, CALLER, vec![gate(3)]).await;
    assert_eq!(said(before), said(1));
    admin.json("PUT", rules, policy("always")).await.expect(200);
    let known = w.call(4, CALLER, vec![gate(4)]).await;
    assert_eq!(said(before + 1), said(0));
    // Whose number is keyed counts, not whose telephone it is.
    w.enters(&known, "999999").await;
    w.enters(&known, "2580").await;
    let customer = admin.get(&format!("{}/customer", known.path)).await;
    let customer = customer.expect(200);
    assert_eq!(
        (&customer["person"], &customer["proof"]["level"]),
        (&Value::Null, &json!(0))
    );
}

/// The code an authenticator app shows `steps` from now.
fn app_code(w: &World, otpauth: &Value, steps: u64) -> String {
    let seed = otpauth.as_str().unwrap().split("secret=").nth(1).unwrap();
    let seed = cp_identity::totp::secret_bytes(seed.split('&').next().unwrap()).unwrap();
    let step = w.desk.now().as_millis() / 30_000 + steps;
    cp_identity::totp::Totp::default().code(&seed, step)
}

#[tokio::test]
async fn what_is_asked_on_the_telephone_tells_a_stranger_nothing() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let rules = "/v1/proof-policy";
    let customer = async |account: &str, email: Option<&str>| {
        let mut identities = vec![json!({ "kind": "account", "value": account })];
        identities.extend(email.map(|e| json!({ "kind": "email", "value": e })));
        let body = json!({ "name": account, "identities": identities });
        let made = admin.post("/v1/persons", body).await.expect(201);
        format!("/v1/persons/{}/credentials", made["id"].as_str().unwrap())
    };
    // One with a PIN, one with an app, one with an address alone, one with nothing; and nobody.
    let house = async |first: u32| {
        let number = |n: u32| (first + n).to_string();
        let with_pin = customer(&number(1), None).await;
        let pin = json!({ "method": "pin", "pin": "2580" });
        admin.post(&with_pin, pin).await.expect(201);
        let with_app = customer(&number(2), None).await;
        let app = admin.post(&with_app, json!({ "method": "totp" })).await;
        let app = app.expect(201)["otpauth"].clone();
        let email = format!("cara{first}@example.org");
        customer(&number(3), Some(&email)).await;
        customer(&number(4), None).await;
        ([1, 2, 3, 4, 5].map(number), app)
    };

    // By turns: each rule, each kind of customer and nobody at all; wrong answers, and none.
    let mut n = 0;
    for methods in [
        json!(["pin", "totp", "code"]),
        json!(["totp"]),
        json!(["code"]),
        json!(["code", "pin"]),
        json!(["link"]),
    ] {
        let policy = json!({ "phone_methods": methods, "ask_number": "always" });
        admin.json("PUT", rules, policy).await.expect(200);
        for keyed in [["1357", "1357", "1357"], ["", "", "13571357"]] {
            let mut heard: Vec<Vec<Value>> = vec![];
            let (numbers, _) = house(1_000_000 + n as u32 * 10).await;
            for number in &numbers {
                n += 1;
                // Each from a telephone of its own: one that was wrong too often is slowed down.
                let from = format!("+1555030{n:04}");
                let before = w.engine.commands.lock().unwrap().len();
                let call = w.call(n, &from, vec![waits_for_proof(n, 2, None)]).await;
                w.enters(&call, number).await;
                for digits in keyed {
                    w.enters(&call, digits).await;
                }
                let all = w.engine.commands.lock().unwrap();
                let told = all[before..].iter().map(|e| &e.command);
                let asked = told.filter(|c| !matches!(c, Command::Tell { .. }));
                let mut asked: Vec<Value> =
                    asked.map(|c| serde_json::to_value(c).unwrap()).collect();
                for command in &mut asked {
                    command["leg"] = Value::Null;
                    command["interaction"] = Value::Null;
                    // Each call has a number of its own to tell.
                    let sounds = command["sounds"].to_string();
                    if sounds.contains("enter this number") {
                        command["sounds"] = json!(sounds.split("number:").next());
                    }
                }
                heard.push(asked);
            }
            for (of, number) in heard.iter().zip(&numbers) {
                assert_eq!(of, &heard[4], "{methods} {keyed:?} {number}");
            }
        }
    }

    // And whoever has one of it comes in, by the same question.
    let policy = json!({ "ask_number": "always" });
    admin.json("PUT", rules, policy).await.expect(200);
    let (numbers, app) = house(2_000_000).await;
    for (number, entries, method) in [
        (&numbers[0], vec!["2580".to_string()], "pin"),
        (&numbers[1], vec![app_code(&w, &app, 0)], "totp"),
        (&numbers[2], vec![String::new()], "code"),
    ] {
        n += 1;
        let from = format!("+1555030{n:04}");
        let call = w.call(n, &from, vec![waits_for_proof(n, 2, None)]).await;
        w.enters(&call, number).await;
        for digits in entries {
            w.enters(&call, &digits).await;
        }
        if method == "code" {
            let digits = w.last_mail();
            let code: String = digits
                .chars()
                .filter(char::is_ascii_digit)
                .take(8)
                .collect();
            w.enters(&call, &code).await;
        }
        assert_eq!(w.told("end_await").last().unwrap()["met"], true, "{method}");
        let seen = admin
            .get(&format!("{}/customer", call.path))
            .await
            .expect(200);
        assert_eq!(seen["proof"]["methods"], json!([method]));
    }
}

#[tokio::test]
async fn a_number_that_was_tried_too_often_is_slowed_down_whether_it_is_anybodys() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    give_pin(&admin, &w.alpha, "2580").await;
    let account = json!({ "identities": [{ "kind": "account", "value": "471122" }] });
    let path = format!("/v1/persons/{}", person(&w.alpha));
    admin.patch(&path, account).await.expect(200);
    let policy = json!({ "ask_number": "always" });
    admin
        .json("PUT", "/v1/proof-policy", policy)
        .await
        .expect(200);
    // From many telephones: after how many calls a try ends the questions at once.
    let mut n = 0;
    let mut patience = async |number: &str| {
        let mut questions = vec![];
        for _ in 0..4 {
            n += 1;
            let from = format!("+1555040{n:04}");
            let before = w.told("collect").len();
            let call = w.call(n, &from, vec![waits_for_proof(n, 2, None)]).await;
            w.enters(&call, number).await;
            for _ in 0..3 {
                w.enters(&call, "1357").await;
            }
            questions.push(w.told("collect").len() - before);
        }
        questions
    };
    let known = patience("471122").await;
    assert_eq!(
        known,
        [4, 4, 2, 2],
        "the number, and a PIN while it is taken"
    );
    assert_eq!(patience("999999").await, known);
}

#[tokio::test]
async fn a_pin_on_the_line_lets_the_caller_through_and_places_it() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    give_pin(&admin, &w.alpha, "2580").await;
    let vip = admin
        .post("/v1/queues", json!({ "name": "premium" }))
        .await
        .expect(201)["id"]
        .clone();
    let policy = json!({ "placement": [{ "level": 2, "from": w.alpha.queue, "fact": "balance",
        "test": "at_least", "value": 10000, "to": vip, "priority": 5 }] });
    admin
        .json("PUT", "/v1/proof-policy", policy)
        .await
        .expect(200);
    let facts = json!({ "facts": { "balance": 25000 } });
    admin
        .patch(&format!("/v1/persons/{}", person(&w.alpha)), facts)
        .await
        .expect(200);

    let gate = waits_for_proof(1, 2, Some(w.alpha.queue));
    let call = w.call(1, CALLER, vec![gate]).await;
    assert_eq!(w.told("collect").len(), 1, "the caller is asked");
    assert_eq!(w.told("end_await").len(), 0);
    w.enters(&call, "9999").await;
    assert_eq!(w.told("collect").len(), 2, "and asked again");
    w.enters(&call, "2580").await;
    let met = &w.told("end_await")[0];
    assert_eq!(
        (&met["met"], &met["queue"], &met["priority"]),
        (&json!(true), &vip, &json!(5))
    );
    // A second gate on its way asks nothing: the proof came along.
    w.heard(
        call.id,
        vec![Event::AwaitEnded {
            leg: call.leg,
            met: true,
        }],
    )
    .await;
    w.heard(call.id, vec![waits_for_proof(1, 2, None)]).await;
    assert_eq!(w.told("collect").len(), 2);
    assert_eq!(w.told("end_await").len(), 2);
}

#[tokio::test]
async fn one_who_waits_is_moved_the_moment_proof_comes_and_not_before() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let vip = admin
        .post("/v1/queues", json!({ "name": "premium" }))
        .await
        .expect(201)["id"]
        .clone();
    let policy = json!({ "placement": [{ "level": 2, "fact": "vip", "test": "equals", "value": true,
        "to": vip, "priority": 3 }] });
    admin
        .json("PUT", "/v1/proof-policy", policy)
        .await
        .expect(200);
    let changes = json!({ "facts": { "vip": true }, "photo": "https://pictures.example/ann" });
    admin
        .patch(&format!("/v1/persons/{}", person(&w.alpha)), changes)
        .await
        .expect(200);
    let queued = Event::Queued {
        queue: w.alpha.queue,
        priority: 0,
        position: 1,
        wait_estimate_ms: None,
    };
    let call = w.call(1, CALLER, vec![queued]).await;
    admin
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(w.told("requeue").len(), 0, "a number proves nothing");
    let photo = json!({ "photo_matches": true });
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    supervisor
        .post(&format!("{}/proof", call.path), photo)
        .await
        .expect(204);
    let moved = w.told("requeue");
    assert_eq!(
        (moved.len(), &moved[0]["queue"], &moved[0]["priority"]),
        (1, &vip, &json!(3))
    );
}

#[tokio::test]
async fn strangers_are_asked_alike_and_tries_are_limited() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    give_pin(&admin, &w.alpha, "2580").await;
    for (n, from) in [(1, CALLER), (2, "+15550199")] {
        let before = w.told("collect").len();
        let call = w.call(n, from, vec![waits_for_proof(n, 2, None)]).await;
        for _ in 0..3 {
            w.enters(&call, "9999").await;
        }
        assert_eq!(w.told("collect").len() - before, 3, "{from}");
        let last = w.told("end_await").pop().unwrap();
        assert_eq!(last["met"], false);
    }
    // Two more wrong ones, and the right one is not looked at any more.
    let call = w.call(3, CALLER, vec![waits_for_proof(3, 2, None)]).await;
    w.enters(&call, "9999").await;
    w.enters(&call, "9999").await;
    w.enters(&call, "2580").await;
    assert_eq!(w.told("end_await").pop().unwrap()["met"], false);
    w.advance_s(61);
    let call = w.call(4, CALLER, vec![waits_for_proof(4, 2, None)]).await;
    w.enters(&call, "2580").await;
    assert_eq!(w.told("end_await").pop().unwrap()["met"], true);
}

#[tokio::test]
async fn a_proof_travels_with_the_callers_leg_and_with_nobody_else() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    give_pin(&admin, &w.alpha, "2580").await;
    let call = w.call(1, CALLER, vec![waits_for_proof(1, 2, None)]).await;
    w.enters(&call, "2580").await;
    let old = admin.get(&format!("{}/proof", call.path)).await.expect(200)["assertion"].clone();
    // An attended transfer between two calls of an agent: the leg goes on in another interaction.
    let there = w.call(2, "+15550155", vec![]).await;
    let moved = Event::LegMovedIn {
        leg: call.leg,
        from: call.id,
        role: LegRole::Customer,
        direction: Direction::Inbound,
        endpoint: Endpoint::Uri,
        address: Pii(Address::Number(CALLER.into())),
        agent: None,
        answered: true,
        dialog: None,
    };
    // The call it came from is over before anybody hears of the move.
    w.append(&w.alpha.clone(), call.id, vec![ended()]).await;
    w.heard(there.id, vec![moved]).await;
    let customer = admin
        .get(&format!("{}/customer", there.path))
        .await
        .expect(200);
    assert_eq!(customer["proof"]["level"], 2);
    assert_eq!(customer["proof"]["carried_from"], json!(call.id));
    let shown = json!({ "assertion": old });
    let stale = admin
        .post(&format!("{}/proof/verify", there.path), shown.clone())
        .await
        .expect(200);
    assert_eq!(stale["fault"], "interaction");
    let gone = admin
        .post(&format!("{}/proof/verify", call.path), shown)
        .await
        .expect(200);
    assert_eq!(gone["fault"], "revoked");
    // The caller hangs up, others talk on: they are not the caller.
    let left = Event::LegEnded {
        leg: call.leg,
        reason: EndReason::HungUp,
        detail: None,
    };
    w.heard(there.id, vec![left]).await;
    let customer = admin
        .get(&format!("{}/customer", there.path))
        .await
        .expect(200);
    assert_eq!(customer["proof"]["level"], 0);
}

#[tokio::test]
async fn what_is_asked_for_decides_and_a_step_up_is_for_that_alone() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    give_pin(&admin, &w.alpha, "2580").await;
    let policy = json!({ "intents": { "balance": 2, "transfer": 3 } });
    admin
        .json("PUT", "/v1/proof-policy", policy)
        .await
        .expect(200);
    let call = w.call(1, CALLER, vec![waits_for_proof(1, 2, None)]).await;
    w.enters(&call, "2580").await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let allow = format!("{}/proof/allow", call.path);
    let balance = agent
        .post(&allow, json!({ "intent": "balance" }))
        .await
        .expect(200);
    assert_eq!(balance["allowed"], true);
    let transfer = agent
        .post(&allow, json!({ "intent": "transfer" }))
        .await
        .expect(200);
    assert_eq!(
        (&transfer["allowed"], &transfer["needed"]),
        (&json!(false), &json!(3))
    );
    assert_eq!(transfer["step_up"], json!(["code", "link"]));
    let requests = async || {
        let path = format!("{}/customer", call.path);
        agent.get(&path).await.expect(200)["proof"]["requests"].clone()
    };
    let row = |intent: &str, needed: u8, allowed: bool| json!({ "intent": intent, "needed": needed, "allowed": allowed });
    let asked = json!([row("balance", 2, true), row("transfer", 3, false)]);
    assert_eq!(requests().await, asked);
    let ask = json!({ "method": "code", "intent": "transfer" });
    agent
        .post(&format!("{}/proof/ask", call.path), ask)
        .await
        .expect(204);
    let code: String = w
        .last_mail()
        .chars()
        .filter(char::is_ascii_digit)
        .take(8)
        .collect();
    w.enters(&call, &code).await;
    let transfer = agent
        .post(&allow, json!({ "intent": "transfer" }))
        .await
        .expect(200);
    assert_eq!(transfer["allowed"], true);
    let customer = agent
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(requests().await[1], row("transfer", 3, true));
    assert_eq!(customer["proof"]["level"], 2, "nothing else is raised");
    assert_eq!(customer["proof"]["scope"], json!(["balance", "transfer"]));
}

#[tokio::test]
async fn a_data_channel_is_paired_by_the_number_of_the_call() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let call = w.call(1, CALLER, vec![]).await;
    let upgrade = format!("{}/channel-upgrade", call.path);
    let made = admin
        .post(&upgrade, json!({ "send": true }))
        .await
        .expect(200);
    assert_eq!(made["link"], Value::Null);
    let mail = w.last_mail();
    let secret = mail
        .split("/prove#")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let open = || {
        w.client
            .post("/v1/data-sessions", json!({ "link": secret }))
    };
    let session = open().await.expect(201)["session"].clone();
    assert_eq!(
        open().await.problem(403).0,
        "forbidden",
        "a link opens once"
    );
    let auth = |number: Value| {
        let body = json!({ "session": session, "number": number, "proof": { "method": "link" } });
        w.client.post("/v1/data-sessions/auth", body)
    };
    assert_eq!(auth("+15550199".into()).await.status, 403);
    let customer = admin
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(customer["proof"]["level"], 0, "the call is as it was");
    let state = auth(made["number"].clone()).await.expect(200);
    assert_eq!(
        (&state["paired"], &state["level"]),
        (&json!(true), &json!(2))
    );
    let customer = admin
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(customer["proof"]["methods"], json!(["link"]));
}

#[tokio::test]
async fn three_wrong_numbers_close_a_data_channel() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let call = w.call(1, CALLER, vec![]).await;
    let made = admin
        .post(&format!("{}/channel-upgrade", call.path), json!({}))
        .await
        .expect(200);
    let link = made["link"]
        .as_str()
        .unwrap()
        .split_once('#')
        .unwrap()
        .1
        .to_string();
    let session = w
        .client
        .post("/v1/data-sessions", json!({ "link": link }))
        .await
        .expect(201)["session"]
        .clone();
    let auth = |number: &str| {
        let body = json!({ "session": session, "number": number, "proof": { "method": "link" } });
        w.client.post("/v1/data-sessions/auth", body)
    };
    for _ in 0..3 {
        assert_eq!(auth("0000000").await.status, 403);
    }
    assert_eq!(
        auth(made["number"].as_str().unwrap()).await.status,
        403,
        "also the right one"
    );
    let state = json!({ "session": session });
    assert_eq!(
        w.client.post("/v1/data-sessions/state", state).await.status,
        403
    );
}

#[tokio::test]
async fn a_device_key_signs_for_this_channel_only() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = b64::encode(pair.public_key().as_ref());
    let path = format!("/v1/persons/{}/credentials", person(&w.alpha));
    let body = json!({ "method": "device_key", "kind": "ed25519", "key": key, "label": "phone" });
    let credential = admin.post(&path, body).await.expect(201)["id"].clone();
    let number = json!({ "number": CALLED, "public": true, "destination": { "to": "echo" } });
    admin.post("/v1/numbers", number).await.expect(201);
    let call = w.call(1, CALLER, vec![]).await;

    let named = json!({ "caller": CALLER, "called": CALLED });
    let one = w
        .client
        .post("/v1/data-sessions", named.clone())
        .await
        .expect(201);
    let two = w.client.post("/v1/data-sessions", named).await.expect(201);
    let sign =
        |challenge: &Value| b64::encode(pair.sign(challenge.as_str().unwrap().as_bytes()).as_ref());
    let auth = |session: &Value, signature: String| {
        let proof =
            json!({ "method": "device_key", "credential": credential, "signature": signature });
        let body = json!({ "session": session["session"], "number": CALLER, "proof": proof });
        w.client.post("/v1/data-sessions/auth", body)
    };
    let replayed = auth(&two, sign(&one["challenge"])).await;
    assert_eq!(replayed.status, 403);
    let good = sign(&one["challenge"]);
    let state = auth(&one, good.clone()).await.expect(200);
    assert_eq!(state["level"], 3);
    assert_eq!(
        auth(&one, good).await.status,
        403,
        "a challenge is used once"
    );
    let customer = admin
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(customer["proof"]["trust"]["level"], "strong");
    // Whether there is such a call does not show when a channel is opened.
    let nobody = json!({ "caller": "+15550111", "called": "+18005550199" });
    let opened = w.client.post("/v1/data-sessions", nobody).await.expect(201);
    // Nor whose the number is: what is to be signed names the server and this channel.
    let named = |opened: &Value| -> Vec<String> {
        let text = opened["challenge"].as_str().unwrap();
        text.lines().take(2).map(String::from).collect()
    };
    assert_eq!(named(&opened), named(&one));
    assert!(!opened.to_string().contains("ten_"), "{opened}");
}

#[tokio::test]
async fn questions_are_the_last_resort() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let call = w.call(1, CALLER, vec![]).await;
    let ask = format!("{}/proof/questions", call.path);
    assert_eq!(admin.post(&ask, json!({})).await.problem(409).0, "conflict");
    let path = format!("/v1/persons/{}/credentials", person(&w.alpha));
    for (q, a) in [
        ("First school?", "Hill Road"),
        ("First car?", "Mini Cooper"),
    ] {
        let body = json!({ "method": "knowledge", "question": q, "answer": a });
        admin.post(&path, body).await.expect(201);
    }
    let asked = admin.post(&ask, json!({})).await.expect(200);
    let answers = |school: &str| -> Value {
        let all = asked["questions"].as_array().unwrap().iter();
        let given = all.map(|q| {
            let said = if q["question"] == "First school?" {
                school
            } else {
                "mini cooper"
            };
            (q["id"].as_str().unwrap().to_string(), json!(said))
        });
        json!({ "answers": serde_json::Map::from_iter(given) })
    };
    let proof = format!("{}/proof", call.path);
    assert_eq!(admin.post(&proof, answers("Lake Road")).await.status, 403);
    // They are asked once: the same right answers need to be asked for again.
    assert_eq!(admin.post(&proof, answers("hill road")).await.status, 403);
    admin.post(&ask, json!({})).await.expect(200);
    admin.post(&proof, answers("hill  ROAD")).await.expect(204);
    let customer = admin
        .get(&format!("{}/customer", call.path))
        .await
        .expect(200);
    assert_eq!(customer["proof"]["level"], 1);
    assert!(field(&customer).0, "not enough for secure fields");
}

fn announcement(rows: &Rows, secret: &[u8], now_s: u64, nonce: &str, from: &str) -> String {
    let head = json!({ "alg": "HS256", "kid": rows.by_prefix["cpa"], "typ": "cp-precall+jwt" });
    let body =
        json!({ "jti": nonce, "iat": now_s, "exp": now_s + 300, "from": from, "name": "Ann" });
    let input = format!(
        "{}.{}",
        b64::encode(head.to_string().as_bytes()),
        b64::encode(body.to_string().as_bytes())
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", b64::encode(tag.as_ref()))
}

/// Announcements are looked at after they were answered.
async fn announced(w: &World, admin: &Client, want: usize) -> Value {
    let mut list = Value::Null;
    for _ in 0..200 {
        list = admin.get("/v1/precalls").await.expect(200);
        if list["items"].as_array().unwrap().len() == want && w.desk.now() > Timestamp::ZERO {
            return list;
        }
        tokio::task::yield_now().await;
    }
    panic!("not {want}: {list}");
}

#[tokio::test]
async fn announced_calls_one_record_one_call() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let now_s = w.desk.now().as_millis() / 1_000;
    let secret = [0x2a; 32];
    let send = |token: String| w.client.post("/v1/precall", json!({ "token": token }));
    let good = announcement(&w.alpha, &secret, now_s, "nonce-0123456789", "+1 555 0123");
    let taken = send(good.clone()).await;
    announced(&w, &admin, 1).await;
    let bad = [
        good.clone(),
        announcement(&w.alpha, &[1; 32], now_s, "nonce-1123456789", "+15550124"),
        announcement(
            &w.alpha,
            &secret,
            now_s - 3_600,
            "nonce-2123456789",
            "+15550125",
        ),
        "nothing of the sort".to_string(),
    ];
    for token in bad {
        let refused = send(token).await;
        assert_eq!(
            (refused.status, refused.text()),
            (taken.status, taken.text()),
            "no oracle"
        );
    }
    // An announcement after them is on the list, so they were looked at before it.
    send(announcement(
        &w.alpha,
        &secret,
        now_s,
        "nonce-3123456789",
        "+15550126",
    ))
    .await;
    announced(&w, &admin, 2).await;

    let expected = |n: u128| Event::AwaitStarted {
        leg: LegId::from_u128(0x1E60_0000 + n),
        what: Awaited::ExpectedCaller,
        until: Timestamp::ZERO,
        queue: None,
    };
    let outcome = |w: &World| w.told("end_await").pop().unwrap()["met"].clone();
    let first = w.call(1, "+15550123", vec![expected(1)]).await;
    assert_eq!(outcome(&w), true);
    let customer = admin
        .get(&format!("{}/customer", first.path))
        .await
        .expect(200);
    assert_eq!(customer["announced_by"], "alpha-secret partner");
    assert_eq!(customer["proof"]["trust"]["methods"], json!(["call_token"]));
    w.call(2, "+15550123", vec![expected(2)]).await;
    assert_eq!(outcome(&w), false, "a second call is screened");
    w.heard(first.id, vec![ended()]).await;
    announced(&w, &admin, 1).await;
    w.call(3, "+15550123", vec![expected(3)]).await;
    assert_eq!(outcome(&w), false, "the record died with its call");
    w.advance_s(301);
    w.call(4, "+15550126", vec![expected(4)]).await;
    assert_eq!(outcome(&w), false, "too late");
}

#[tokio::test]
async fn announcements_have_a_pace_per_address_and_per_identifier_and_tell_nothing() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let secret = [0x2a; 32];
    let send = |token: String| w.client.post("/v1/precall", json!({ "token": token }));
    let now_s = w.desk.now().as_millis() / 1_000;
    // Five of one identifier; one that nobody signed uses up nothing.
    let mut answers = vec![];
    for n in 0..8 {
        let forged = announcement(
            &w.alpha,
            &[1; 32],
            now_s,
            &format!("forged-{n:010}"),
            "+15550123",
        );
        answers.push(send(forged).await);
        let good = announcement(
            &w.alpha,
            &secret,
            now_s,
            &format!("nonce-{n:010}"),
            "+15550123",
        );
        answers.push(send(good).await);
    }
    let other = announcement(&w.alpha, &secret, now_s, "nonce-9999999999", "+15550124");
    answers.push(send(other).await);
    let list = announced(&w, &admin, 6).await;
    let all = list["items"].as_array().unwrap();
    let of_it = all.iter().filter(|p| p["identifier"] == "+15550123");
    assert_eq!(of_it.count(), 5, "{list}");
    for answer in &answers {
        assert_eq!((answer.status, answer.text()), (202, "{}".into()));
    }
    // An address has its share of a minute, of nonsense too.
    let mut taken = answers.len();
    loop {
        let answer = send("nonsense".into()).await;
        if answer.status != 202 {
            assert!(answer.header("retry-after").is_some());
            assert_eq!(answer.problem(429).0, "too_many_requests");
            break;
        }
        taken += 1;
    }
    assert_eq!(taken, 60);
    w.advance_s(60);
    assert_eq!(send("nonsense".into()).await.status, 202);
}

#[tokio::test]
async fn two_administrators_do_not_overwrite_each_others_rules_unseen() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let path = "/v1/proof-policy";
    let read = admin.get(path).await;
    let first = read.header("etag").unwrap().to_string();
    let put =
        async |tag: &str, body: Value| admin.with("if-match", tag).json("PUT", path, body).await;
    let one = put(&first, json!({ "intents": { "balance": 2 } })).await;
    assert_eq!(one.status, 200);
    let second = one.header("etag").unwrap().to_string();
    assert_ne!(first, second);
    let late = put(&first, json!({ "intents": { "transfer": 3 } })).await;
    assert_eq!(late.problem(412).0, "precondition_failed");
    let now = admin.get(path).await;
    assert_eq!(now.header("etag"), Some(second.as_str()));
    assert_eq!(now.expect(200)["intents"], json!({ "balance": 2 }));
    put(&second, json!({ "intents": { "transfer": 3 } }))
        .await
        .expect(200);
}

#[tokio::test]
async fn who_may_announce_and_what_proves_a_customer_are_changed_by_somebody_who_is_there() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let partner = json!({ "name": "Acme" });
    admin
        .post("/v1/caller-partners", partner.clone())
        .await
        .expect(201);
    w.advance_s(15 * 60 + 1);
    let of = format!("/v1/persons/{}", person(&w.alpha));
    let pin = json!({ "method": "pin", "pin": "2580" });
    let refused = [
        admin.post("/v1/caller-partners", partner).await,
        admin.post(&format!("{of}/credentials"), pin).await,
        admin.post(&format!("{of}/enrolment"), json!({})).await,
        admin.json("PUT", "/v1/proof-policy", json!({})).await,
    ];
    for answer in refused {
        assert_eq!(answer.problem(403).0, "step_up_required");
    }
}

#[tokio::test]
async fn the_house_announces_its_own_calls() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let wish = json!({ "from": "+18005550100", "to": CALLER, "reason": "your order",
        "send_to": { "by": "email", "address": "ann@example.org" } });
    let made = admin.post("/v1/precall-notices", wish).await.expect(201);
    assert!(w.last_mail().contains("+18005550100"));
    let check = |notice: Value| {
        w.client
            .post("/v1/precall-notices/verify", json!({ "notice": notice }))
    };
    let verdict = check(made["notice"].clone()).await.expect(200);
    assert_eq!(verdict["claims"]["reason"], "your order");
    let forged = format!("{}x", made["notice"].as_str().unwrap());
    assert_eq!(check(forged.into()).await.expect(200)["valid"], false);
    w.advance_s(601);
    assert_eq!(
        check(made["notice"].clone()).await.expect(200)["fault"],
        "expired"
    );
    let keys = w.client.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(keys["keys"][0]["crv"], "P-256");
}

#[tokio::test]
async fn weak_pins_and_wrong_rules_are_refused_with_what_to_do() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let path = format!("/v1/persons/{}/credentials", person(&w.alpha));
    for pin in ["1234", "0000", "12a4"] {
        let refused = admin
            .post(&path, json!({ "method": "pin", "pin": pin }))
            .await;
        assert_eq!(refused.problem(400).0, "bad_request", "{pin}");
    }
    let rules = json!({ "intents": { "transfer": 9 }, "phone_methods": ["passkey"] });
    let refused = admin
        .json("PUT", "/v1/proof-policy", rules)
        .await
        .problem(400);
    assert_eq!(refused.1, ["/intents/transfer", "/phone_methods/0"]);
    let agent = w.as_role(&w.alpha, "agent").await;
    assert_eq!(
        agent
            .get(&format!("/v1/persons/{}", person(&w.alpha)))
            .await
            .status,
        403
    );
    let call = w.call(1, "+15550199", vec![]).await;
    let nobody = agent
        .post(
            &format!("{}/proof/ask", call.path),
            json!({ "method": "pin" }),
        )
        .await;
    assert_eq!(nobody.problem(404).0, "not_found");
}
