//! Communication points (S4.2): matching, context, messages, callbacks, numbers, and who may ask.

use crate::client::{Answer, Client};
use crate::world::World;
use serde_json::{Value, json};

const SHOP: &str = "https://shop.example";

struct Shop {
    w: World,
    admin: Client,
    /// The page's side, as a browser sends it.
    page: Client,
    point: String,
}

impl Shop {
    async fn new(now: Value) -> Self {
        let w = World::new().await;
        let admin = w.as_role(&w.alpha, "administrator").await;
        let queue = w.alpha.queue.to_string();
        let point = json!({"name": "Shop", "destination": {"to": "queue", "queue": queue},
            "modes": ["audio", "video", "chat"], "now": now, "origins": [SHOP],
            "fields": ["product", "cart"], "numbers": ["+15550001"]});
        let point = admin.post("/v1/points", point).await.expect(201);
        let page = w
            .client
            .with("origin", SHOP)
            .with("sec-fetch-site", "cross-site");
        Self {
            point: format!("/v1/contact/{}", point["id"].as_str().unwrap()),
            w,
            admin,
            page,
        }
    }
    async fn ask(&self, mode: &str) -> Value {
        let context = json!({"url": "https://shop.example/lamp", "title": "Lamp",
            "fields": {"product": "<b>Lamp</b>", "other": "x"}});
        let body = json!({"mode": mode, "consent": true, "name": "Ann", "context": context});
        let answer = self
            .page
            .post(&format!("{}/requests", self.point), body)
            .await;
        answer.expect(201)
    }
    async fn of(&self, asked: &Value, what: &str, body: Value) -> Answer {
        let path = format!(
            "{}/requests/{}{what}",
            self.point,
            asked["contact"].as_str().unwrap()
        );
        let secret = asked["secret"].as_str().unwrap();
        self.page
            .with("x-contact-secret", secret)
            .post(&path, body)
            .await
    }
    async fn contact(&self, asked: &Value) -> Value {
        let path = format!("/v1/contacts/{}", asked["contact"].as_str().unwrap());
        self.admin.get(&path).await.expect(200)
    }
}

/// The page's example: video is wanted, audio and chat are taken; audio is offered, and what the
/// page says is there to be seen before anybody answers.
#[tokio::test]
async fn video_wanted_audio_offered_with_the_context_before_the_answer() {
    let shop = Shop::new(json!(["audio", "chat"])).await;
    let asked = shop.ask("video").await;
    assert_eq!(
        (&asked["state"], &asked["mode"]),
        (&json!("offered"), &json!("audio"))
    );
    assert!(
        asked.get("token").is_none(),
        "no call before the customer says yes"
    );
    let seen = shop.contact(&asked).await;
    assert_eq!(
        seen["context"],
        json!({"url": "https://shop.example/lamp", "title": "Lamp", "point": "Shop",
            "fields": {"product": "<b>Lamp</b>"}})
    );
    assert_eq!(
        (&seen["wanted"], &seen["state"]),
        (&json!("video"), &json!("offered"))
    );
    let yes = shop
        .of(&asked, "/answer", json!({"accept": true}))
        .await
        .expect(200);
    assert_eq!(
        (&yes["state"], &yes["mode"]),
        (&json!("start"), &json!("audio"))
    );
    assert!(yes["token"].as_str().is_some_and(|t| !t.is_empty()));
    let again = shop.of(&asked, "/answer", json!({"accept": true})).await;
    assert_eq!(again.problem(409).0, "conflict");
}

#[tokio::test]
async fn who_declines_leaves_a_message() {
    let shop = Shop::new(json!(["audio", "chat"])).await;
    let asked = shop.ask("video").await;
    let no = shop
        .of(&asked, "/answer", json!({"accept": false}))
        .await
        .expect(200);
    assert_eq!(
        (&no["state"], &no["mode"]),
        (&json!("message"), &Value::Null)
    );
    assert!(no.get("token").is_none());
    let message = json!({"text": "Is it dimmable?", "reply_to": "ann@example.org", "consent": true,
        "context": {"url": "https://shop.example/lamp", "fields": {}}});
    let kept = shop
        .page
        .post(&format!("{}/messages", shop.point), message)
        .await
        .expect(201);
    let seen = shop.contact(&kept).await;
    assert_eq!(
        (&seen["text"], &seen["kind"]),
        (&json!("Is it dimmable?"), &json!("message"))
    );
}

/// What led to no call becomes the message itself: one entry, with what was wanted; by its own page alone.
#[tokio::test]
async fn a_declined_request_becomes_the_message() {
    let shop = Shop::new(json!(["audio", "chat"])).await;
    let asked = shop.ask("video").await;
    shop.of(&asked, "/answer", json!({"accept": false}))
        .await
        .expect(200);
    let message = json!({"text": "Is it dimmable?", "reply_to": "ann@example.org", "consent": true,
        "request": asked["contact"]});
    let path = format!("{}/messages", shop.point);
    let foreign = shop.page.post(&path, message.clone()).await;
    assert_eq!(foreign.problem(404).0, "not_found");
    let own = shop
        .page
        .with("x-contact-secret", asked["secret"].as_str().unwrap());
    let kept = own.post(&path, message.clone()).await.expect(201);
    assert_eq!(kept["contact"], asked["contact"]);
    let seen = shop.contact(&asked).await;
    assert_eq!(
        (&seen["kind"], &seen["state"], &seen["wanted"]),
        (&json!("message"), &json!("open"), &json!("video"))
    );
    assert_eq!(seen["context"]["fields"]["product"], "<b>Lamp</b>");
    let listed = shop.admin.get("/v1/contacts?kind=message").await;
    assert_eq!(listed.expect(200)["items"].as_array().unwrap().len(), 1);
    let again = own.post(&path, message).await;
    assert_eq!(again.problem(409).0, "conflict");
}

#[tokio::test]
async fn a_message_says_something_and_can_be_answered() {
    let shop = Shop::new(json!(["chat"])).await;
    let path = format!("{}/messages", shop.point);
    for (text, reply_to, wrong) in [
        ("  ", "ann@example.org", "/text"),
        ("Hello", "   ", "/reply_to"),
        ("Hello", "ann", "/reply_to"),
        ("Hello", "@example.org", "/reply_to"),
    ] {
        let body = json!({"text": text, "reply_to": reply_to, "consent": true});
        let refused = shop.page.post(&path, body).await.problem(400);
        assert_eq!(refused.1, [wrong], "{text:?} {reply_to:?}");
    }
    let body = json!({"text": "Hello", "reply_to": "+49 (30) 123-456", "consent": true});
    shop.page.post(&path, body).await.expect(201);
}

#[tokio::test]
async fn a_wished_time_is_one_to_come() {
    let shop = Shop::new(json!(["audio"])).await;
    let path = format!("{}/callbacks", shop.point);
    for at in [
        "2020-01-31T12:00:00Z",
        "2999-01-31T12:00:00Z",
        "1969-12-31T23:00:00Z",
        "soon",
    ] {
        let body = json!({"number": "+49 30 1234567", "consent": true, "at": at});
        assert_eq!(
            shop.page.post(&path, body).await.problem(400).1,
            ["/at"],
            "{at}"
        );
    }
}

#[tokio::test]
async fn what_is_taken_is_live() {
    let shop = Shop::new(json!(["audio", "video"])).await;
    assert_eq!(shop.ask("video").await["state"], "start");
    let agent = shop.w.as_role(&shop.w.alpha, "agent").await;
    let now = shop.point.replace("contact", "points") + "/now";
    let chat = agent
        .json("PUT", &now, json!({"modes": ["chat"]}))
        .await
        .expect(200);
    assert_eq!(chat["now"], json!(["chat"]));
    let asked = shop.ask("video").await;
    assert_eq!(
        (&asked["state"], &asked["mode"]),
        (&json!("offered"), &json!("chat"))
    );
    let view = shop.page.get(&shop.point).await;
    assert_eq!(view.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(view.expect(200)["modes"], json!(["chat"]));
    // What was offered a moment ago may be gone.
    agent
        .json("PUT", &now, json!({"modes": []}))
        .await
        .expect(200);
    let late = shop
        .of(&asked, "/answer", json!({"accept": true}))
        .await
        .expect(200);
    assert_eq!(late["state"], "message");
    assert_eq!(shop.ask("audio").await["state"], "message");
    let more = agent.json("PUT", &now, json!({"modes": ["fax"]})).await;
    assert_eq!(more.problem(400).1, ["/modes/0"]);
}

#[tokio::test]
async fn a_change_of_mode_needs_both() {
    let shop = Shop::new(json!(["audio"])).await;
    let asked = shop.ask("audio").await;
    let at = format!("/v1/contacts/{}", asked["contact"].as_str().unwrap());
    let agent = shop.w.as_role(&shop.w.alpha, "agent").await;
    let video = || json!({"mode": "video"});
    let status = shop.of(&asked, "/mode", video()).await.expect(200);
    assert_eq!(status["mode"], "audio");
    assert_eq!(
        status["asked"],
        json!({"mode": "video", "by_customer": true})
    );
    // The customer cannot agree with itself.
    let own = shop
        .of(&asked, "/mode/answer", json!({"accept": true}))
        .await;
    assert_eq!(own.problem(409).0, "conflict");
    let no = agent
        .post(&format!("{at}/mode/answer"), json!({"accept": false}))
        .await;
    assert_eq!(no.expect(200)["mode"], "audio");
    agent.post(&format!("{at}/mode"), video()).await.expect(200);
    let yes = shop
        .of(&asked, "/mode/answer", json!({"accept": true}))
        .await
        .expect(200);
    assert_eq!(
        (&yes["mode"], &yes["asked"]),
        (&json!("video"), &Value::Null)
    );
    // Back to voice alone needs nobody's consent.
    let back = shop
        .of(&asked, "/mode", json!({"mode": "audio"}))
        .await
        .expect(200);
    assert_eq!(back["mode"], "audio");
    let chat = shop.of(&asked, "/mode", json!({"mode": "chat"})).await;
    assert_eq!(chat.problem(400).1, ["/mode"]);
}

#[tokio::test]
async fn a_callback_is_listed_called_and_put_aside() {
    let shop = Shop::new(json!([])).await;
    let path = format!("{}/callbacks", shop.point);
    let body = |number: &str| json!({"number": number, "name": "Ann", "consent": true, "at": "2026-01-31T12:00:00Z"});
    let kept = shop
        .page
        .post(&path, body("+49 (30) 123-456"))
        .await
        .expect(201);
    let agent = shop.w.as_role(&shop.w.alpha, "agent").await;
    let list = agent
        .get("/v1/contacts?kind=callback&state=open")
        .await
        .expect(200);
    let first = &list["items"][0];
    assert_eq!(
        (&first["id"], &first["number"]),
        (&kept["contact"], &json!("+4930123456"))
    );
    let at = format!("/v1/contacts/{}", kept["contact"].as_str().unwrap());
    let called = agent
        .post(&format!("{at}/call"), json!({}))
        .await
        .expect(200);
    assert_eq!(called["state"], "taken");
    assert!(called["interaction"].is_string());
    let dial = shop.w.engine.commands_of("dial");
    let dial = serde_json::to_value(&dial[0].command).unwrap();
    assert_eq!(dial["target"]["extension"], "+4930123456");
    agent
        .post(&format!("{at}/done"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        agent
            .post(&format!("{at}/call"), json!({}))
            .await
            .problem(409)
            .0,
        "conflict"
    );
    for bad in ["12", "sip:x@y.example", "++1555000", "1' OR '1'='1"] {
        let refused = shop.page.post(&path, body(bad)).await;
        assert_eq!(refused.problem(400).1, ["/number"], "{bad}");
    }
    let mut when = body("+4930123456");
    when["at"] = json!("tomorrow");
    assert_eq!(shop.page.post(&path, when).await.problem(400).1, ["/at"]);
}

#[tokio::test]
async fn a_number_carries_a_context_or_belongs_to_an_account() {
    let shop = Shop::new(json!(["audio"])).await;
    let number = format!("{}/number", shop.point);
    let body = || json!({"consent": true, "context": {"url": "https://shop.example/lamp"}});
    let lent = shop.page.post(&number, body()).await.expect(201);
    assert_eq!(lent["number"], "+15550001");
    assert_eq!(
        shop.page.post(&number, body()).await.problem(503).0,
        "overload"
    );
    let of_point = shop.point.replace("contact", "points") + "/numbers";
    let list = shop.admin.get(&of_point).await.expect(200);
    assert_eq!(list["items"][0]["free"], false);
    let assign = || json!({"number": "+15550001", "account": "acme", "payment": "pay_1"});
    assert_eq!(
        shop.admin.post(&of_point, assign()).await.problem(409).0,
        "conflict"
    );
    shop.w.advance_s(1_900);
    shop.admin.post(&of_point, assign()).await.expect(201);
    let list = shop.admin.get(&of_point).await.expect(200);
    assert_eq!(list["items"][0]["account"], "acme");
    assert_eq!(
        shop.page.post(&number, body()).await.problem(503).0,
        "overload"
    );
    let gone = shop.admin.delete(&format!("{of_point}/%2B15550001")).await;
    assert_eq!(gone.status, 204);
    shop.page.post(&number, body()).await.expect(201);
    let foreign = json!({"number": "+15559999", "account": "acme", "payment": "p"});
    assert_eq!(
        shop.admin.post(&of_point, foreign).await.problem(400).1,
        ["/number"]
    );
}

#[tokio::test]
async fn snippets_name_the_point_and_the_picture_is_a_picture() {
    let shop = Shop::new(json!(["audio"])).await;
    let at = shop.point.replace("contact", "points");
    let snippets = shop.admin.get(&format!("{at}/snippets")).await.expect(200);
    let id = at.rsplit('/').next().unwrap();
    for name in ["script", "link", "email", "qr"] {
        assert!(snippets[name].as_str().unwrap().contains(id), "{name}");
    }
    let qr = shop.admin.get(&format!("{at}/qr")).await;
    assert_eq!(qr.header("content-type"), Some("image/svg+xml"));
    assert!(qr.text().starts_with("<svg"));
}

#[tokio::test]
async fn who_may_not_ask_is_told_why() {
    let shop = Shop::new(json!(["audio"])).await;
    let request = format!("{}/requests", shop.point);
    let body = json!({"mode": "audio", "consent": true});
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "null",
    ] {
        let foreign = shop
            .page
            .with("origin", origin)
            .post(&request, body.clone())
            .await;
        assert_eq!(foreign.header("access-control-allow-origin"), None);
        assert_eq!(foreign.problem(403).0, "origin_refused", "{origin}");
    }
    // The server's own page may, and a program without an origin.
    let own = "http://api.test";
    shop.page
        .with("origin", own)
        .post(&request, body.clone())
        .await
        .expect(201);
    shop.w.client.post(&request, body.clone()).await.expect(201);
    let silent = json!({"mode": "audio", "consent": false});
    assert_eq!(
        shop.page.post(&request, silent).await.problem(400).1,
        ["/consent"]
    );
    let nowhere = shop
        .page
        .post("/v1/contact/cpt_0/requests", body.clone())
        .await;
    assert_eq!(nowhere.problem(404).0, "not_found");
    // A browser asks first.
    let first = shop.page.send("OPTIONS", &request, b"").await;
    assert_eq!(
        (first.status, first.header("access-control-allow-origin")),
        (204, Some(SHOP))
    );
    // Elsewhere pages of other sites are still refused.
    let elsewhere = shop.page.post("/v1/sessions", json!({})).await;
    assert_eq!(elsewhere.problem(403).0, "forbidden");
}

#[tokio::test]
async fn a_context_that_is_too_much_or_another_pages_request_is_refused() {
    let shop = Shop::new(json!(["audio"])).await;
    let request = format!("{}/requests", shop.point);
    let with = |size: usize| json!({"mode": "audio", "consent": true, "context": {"url": "https://x.example", "fields": {"product": "x".repeat(size)}}});
    assert_eq!(
        shop.page.post(&request, with(20_000)).await.problem(413).0,
        "too_large"
    );
    assert_eq!(
        shop.page
            .post(&request, with(1_000_000))
            .await
            .problem(413)
            .0,
        "too_large"
    );
    let asked = shop.ask("audio").await;
    let stranger = json!({"contact": asked["contact"], "secret": "ctk_guess"});
    let refused = shop.of(&stranger, "/mode", json!({"mode": "video"})).await;
    assert_eq!(refused.problem(404).0, "not_found");
    // One address has its share of a minute.
    let mut last = 201;
    for _ in 0..40 {
        last = shop.page.get(&shop.point).await.status;
    }
    assert_eq!(last, 429);
}
