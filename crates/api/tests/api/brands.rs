//! How a business shows itself when it calls.

use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn png(n: u8) -> String {
    STANDARD.encode([b"\x89PNG\r\n\x1a\n".as_slice(), &[n; 40]].concat())
}

#[tokio::test]
async fn a_brand_has_a_picture_that_everybody_may_see() {
    let w = World::new().await;
    let boss = w.as_role(&w.alpha, "administrator").await;
    let picture = json!({ "name": "Logo", "data": png(1) });
    let made = boss.post("/v1/pictures", picture).await.expect(201);
    assert!(made.get("data").is_none(), "{made}");
    let listed = boss.get("/v1/pictures").await.expect(200);
    assert!(listed.to_string().contains("Logo"), "{listed}");

    let number = &w.alpha.by_prefix["num"];
    let brand = json!({
        "name": "Example Bank", "reason": "Your card", "picture": made["id"],
        "link": "https://bank.example/ring?c={caller}", "numbers": [number],
        "incentive": { "text": "A coffee", "stock": 5 },
    });
    let kept = boss.post("/v1/brands", brand.clone()).await.expect(201);
    assert_eq!(kept["incentive"]["stock"], 5);
    // The number carries this brand, and the picture is in use.
    let mut second = brand.clone();
    second["name"] = "Other".into();
    boss.post("/v1/brands", second).await.problem(409);
    let path = format!("/v1/pictures/{}", made["id"].as_str().unwrap());
    boss.send("DELETE", &path, b"").await.problem(409);

    let digest = made["digest"].as_str().unwrap();
    let shown = w.client.get(&format!("/pictures/{digest}")).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("content-type"), Some("image/png"));
    assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
    w.client
        .get(&format!("/pictures/{}", "0".repeat(64)))
        .await
        .problem(404);
}

#[tokio::test]
async fn what_no_phone_should_show_is_refused_with_the_field_at_fault() {
    let w = World::new().await;
    let boss = w.as_role(&w.alpha, "administrator").await;
    let svg = STANDARD.encode("<svg onload=alert(1)>");
    let large = STANDARD.encode([b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 100_000]].concat());
    for data in [svg.as_str(), "not base64!", "", &large] {
        let refused = boss
            .post("/v1/pictures", json!({ "name": "x", "data": data }))
            .await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains("/data"), "{}", refused.text());
    }
    let number = &w.alpha.by_prefix["num"];
    for (field, value) in [
        ("/name", json!("two\nlines")),
        ("/name", json!("x".repeat(36))),
        ("/reason", json!("x".repeat(65))),
        ("/link", json!("http://bank.example/")),
        ("/link", json!("https://{caller}.example/")),
        ("/link", json!("https://bank.example/{password}")),
        ("/picture", json!("pic_00000000000000000000000000")),
    ] {
        let mut brand = json!({ "name": "Example", "numbers": [number] });
        brand[&field[1..]] = value;
        let refused = boss.post("/v1/brands", brand).await;
        assert!(
            refused.status == 400 || refused.status == 409,
            "{}",
            refused.text()
        );
        assert!(
            refused.text().contains(field),
            "{field}: {}",
            refused.text()
        );
    }
    // Strangers' pictures are not ours to show.
    let other = w.as_role(&w.beta, "administrator").await;
    let theirs = other
        .post("/v1/pictures", json!({ "name": "Logo", "data": png(2) }))
        .await
        .expect(201);
    let stolen = json!({ "name": "Example", "numbers": [number], "picture": theirs["id"] });
    assert_ne!(boss.post("/v1/brands", stolen).await.status, 201);
}
