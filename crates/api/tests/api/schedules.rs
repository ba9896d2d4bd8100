//! Business hours: kept, tried, refused with the field that is wrong, and led by.

use crate::world::World;
use serde_json::{Value, json};

fn office() -> Value {
    json!({
        "name": "Office", "time_zone": "Europe/Berlin",
        "week": [
            { "day": "friday", "from": "09:00", "until": "12:00" },
            { "day": "friday", "from": "13:00", "until": "17:00" },
            { "day": "saturday", "from": "22:00", "until": "02:00" },
        ],
        "special_days": [{ "date": "2026-12-25", "name": "Christmas" }],
    })
}

#[tokio::test]
async fn hours_are_kept_tried_and_led_by() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let made = admin.post("/v1/schedules", office()).await.expect(201);
    let id = made["id"].as_str().unwrap();
    // Berlin is an hour ahead of UTC in winter.
    for (at, open, until) in [
        ("2026-11-20T10:59:00Z", true, "2026-11-20T11:00:00.000Z"),
        ("2026-11-20T11:30:00Z", false, "2026-11-20T12:00:00.000Z"),
        ("2026-11-22T00:30:00Z", true, "2026-11-22T01:00:00.000Z"),
    ] {
        let path = format!("/v1/schedules/{id}/opening?at={at}");
        let told = admin.get(&path).await.expect(200);
        assert_eq!(
            (&told["open"], &told["until"]),
            (&json!(open), &json!(until)),
            "{at}"
        );
    }
    let body = json!({ "schedule": office(), "at": "2026-12-25T10:00:00Z" });
    let told = admin.post("/v1/schedule-trials", body).await.expect(200);
    assert_eq!(
        (&told["open"], &told["special_day"]),
        (&json!(false), &json!("Christmas"))
    );

    let closed = json!({ "to": "reject", "status": 480 });
    let hours =
        json!({ "to": "hours", "schedule": id, "open": { "to": "echo" }, "closed": closed });
    let number = json!({ "number": "700", "destination": hours });
    admin.post("/v1/numbers", number).await.expect(201);
    assert_eq!(
        admin.delete(&format!("/v1/schedules/{id}")).await.status,
        409
    );
}

#[tokio::test]
async fn wrong_hours_name_their_field() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let day = |from: &str, until: &str| json!([{ "day": "monday", "from": from, "until": until }]);
    for (name, value, pointer) in [
        ("time_zone", json!("Mars/Olympus"), "/time_zone"),
        ("week", day("09:00", "09:00"), "/week/0/until"),
        (
            "special_days",
            json!([{ "date": "2026-12-25" }, { "date": "2026-12-25" }]),
            "/special_days/1/date",
        ),
    ] {
        let mut body = office();
        body[name] = value;
        let answer = admin.post("/v1/schedules", body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(pointer), "{}", answer.text());
    }
    for wrong in [
        json!({ "week": day("9 o'clock", "17:00") }),
        json!({ "week": day("25:00", "26:00") }),
    ] {
        let mut body = office();
        body["week"] = wrong["week"].clone();
        assert_eq!(admin.post("/v1/schedules", body).await.status, 400);
    }
    // Inside of a menu hours would be asked too late.
    let hours = json!({ "to": "hours", "schedule": w.alpha.by_prefix["sch"], "open": { "to": "echo" }, "closed": { "to": "echo" } });
    let menu = json!({ "to": "menu", "prompt": { "kind": "speech", "text": "?" }, "choices": { "1": hours }, "timeout_ms": 5000, "fallback": { "to": "echo" } });
    let answer = admin
        .post(
            "/v1/numbers",
            json!({ "number": "701", "destination": menu }),
        )
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}
