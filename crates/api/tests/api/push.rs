//! Browsers that ring: whose they are, and what is told when one cannot be.

use crate::world::World;
use serde_json::json;

fn browser(endpoint: &str) -> serde_json::Value {
    json!({ "endpoint": endpoint, "keys": { "p256dh": "B", "auth": "a" }, "label": "Work" })
}

#[tokio::test]
async fn a_browser_is_its_persons_alone() {
    let w = World::new().await;
    let (ada, boss) = (
        w.as_role(&w.alpha, "agent").await,
        w.as_role(&w.alpha, "administrator").await,
    );
    let path = "/v1/push-subscriptions";
    let made = ada
        .post(path, browser("https://push.example.net/secret"))
        .await
        .expect(201);
    assert_eq!(made["service"], "push.example.net");
    let listed = ada.get(path).await.expect(200);
    assert_eq!(listed["items"][0]["label"], "Work");
    assert!(!listed.to_string().contains("secret"), "{listed}");
    assert_eq!(boss.get(path).await.expect(200)["items"], json!([]));
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    boss.send("DELETE", &one, b"").await.problem(404);
    boss.post(&format!("{one}/test"), json!({}))
        .await
        .problem(404);
    let tried = ada
        .post(&format!("{one}/test"), json!({}))
        .await
        .expect(200);
    assert_eq!(tried["taken"], true);
    assert_eq!(ada.send("DELETE", &one, b"").await.status, 204);
    assert_eq!(ada.get(path).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn what_cannot_ring_is_refused_with_the_field_at_fault() {
    let w = World::new().await;
    let ada = w.as_role(&w.alpha, "agent").await;
    let path = "/v1/push-subscriptions";
    let refused = ada.post(path, browser("http://push.example.net/")).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("/endpoint"), "{}", refused.text());
    ada.post(path, json!({ "endpoint": "https://x.example" }))
        .await
        .problem(400);
}
