//! Ring cards and pushes (S3.1) with real callers: metadata by SIP, content over TLS, a push service
//! of the test's own.

use crate::far::{Answer, Asked, Far, Receiver, vapid};
use cp_interop::phone::Setup;
use cp_interop::server::{number, phone, tenant, trunk};
use cp_interop::{Server, Sipp, wait};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ANN: (&str, &str) = ("ann@interop.test", "a long enough password");
/// What callers dial to reach Ann, and Bob.
const TO_ANN: &str = "+12155551300";
const TO_BOB: &str = "+12155551301";
/// Where a queue answers that Bob serves.
const TO_QUEUE: &str = "+12155551302";
const RINGS: usize = 100;
/// A picture by its first bytes, which is all that is looked at.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nthe logo of a bank";
const BOUND: &str = "push arrived after ring";

struct World {
    server: Server,
    far: Far,
}

/// What a brand's server answers, and a push service.
fn answer(asked: &Asked) -> Answer {
    let path = asked.path();
    let png = || Answer::new(200, "image/png", PICTURE);
    match path.split(['?', '/']).nth(1).unwrap_or("") {
        "push" => Answer::new(201, "text/plain", ""),
        "gone" => Answer::new(410, "text/plain", ""),
        "logo.png" => png(),
        "slow.png" => png().late(Duration::from_secs(3)),
        "script.png" => Answer::new(200, "image/png", "<svg onload=alert(1)>"),
        "ring" => {
            let text = json!({"name": "Example Bank", "reason": "<img src=x onerror=alert(1)>\nYour card"});
            Answer::new(200, "application/json", text.to_string())
        }
        "other" => {
            let text = json!({"name": "Another Bank", "caller": "+12155559999"});
            Answer::new(200, "application/json", text.to_string())
        }
        _ => Answer::new(404, "text/plain", ""),
    }
}

/// Ann (201) with a desk phone, Bob (202) without any. The trunk's word counts, but for the second.
fn world() -> World {
    let far = Far::start(answer);
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, &far.authority).expect("write the authority");
    let mut trusted = trunk("carrier", &["127.0.0.2/32"], "");
    trusted["identity"] = json!({"trusted": true});
    let house = tenant(json!({
        "users": [{"email": ANN.0, "password": ANN.1, "role": "agent"}],
        "phones": [phone("1001")],
        "agents": [
            {"name": "Ann", "extension": "201", "phone": "1001"},
            {"name": "Bob", "extension": "202", "queues": ["support"]},
        ],
        "queues": [{"name": "support", "wrap_up_ms": 0, "ring_ms_max": 20_000}],
        "trunks": [trusted, trunk("stranger", &["127.0.0.3/32"], "")],
        "numbers": [
            number(TO_ANN, json!({"to": "agent", "agent": "Ann"})),
            number(TO_BOB, json!({"to": "agent", "agent": "Bob"})),
            number(TO_QUEUE, json!({"to": "queue", "queue": "support"})),
        ],
    }));
    let allow = format!("localhost:{}", far.port);
    let path = authority.to_str().expect("a path of letters");
    let server = Server::start_with(
        &house,
        &[
            ("CROSSPOINT_FETCH_ALLOW", &allow),
            ("CROSSPOINT_FETCH_AUTHORITIES", path),
        ],
    );
    World { server, far }
}

fn change(server: &Server, method: &str, path: &str, body: &Value) {
    let mut http = server.http.clone();
    // Edits say what they were made from; any version will do here.
    http.headers.push(("If-Match".into(), "*".into()));
    let answer = http.send(method, path, Some(body));
    let answer = answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
    assert!(answer.status < 300, "{method} {path}: {}", answer.text());
}

/// Makes the person `ANN` the agent of this name, and lets a browser of hers ring.
fn subscribe(world: &World, agent: &str, endpoint: &str) -> Receiver {
    let server = &world.server;
    let user = server.id_of("users", "login", ANN.0);
    let id = server.id_of("agents", "name", agent);
    change(
        server,
        "PATCH",
        &format!("/v1/agents/{id}"),
        &json!({"user": user}),
    );
    let receiver = Receiver::new();
    let body =
        json!({"endpoint": world.far.url(endpoint), "keys": receiver.keys(), "label": "test"});
    let client = server.client(ANN.0, ANN.1);
    let made = client.post("/v1/push-subscriptions", &body);
    let made = made.expect("POST /v1/push-subscriptions");
    assert_eq!(made.status, 201, "{}", made.text());
    receiver
}

/// Header lines of the INVITE.
fn extra(lines: &[String]) -> String {
    lines.iter().map(|l| format!("\n      {l}")).collect()
}

fn card(server: &Server, interaction: &str) -> Value {
    server.get(&format!("/v1/interactions/{interaction}"))["card"].clone()
}

/// The card once nothing of it is under way.
fn settled(server: &Server, interaction: &str) -> Value {
    wait::until("the card's content", || {
        let card = card(server, interaction);
        let waiting = card["content"]
            .as_array()
            .is_some_and(|c| c.iter().any(|c| c["state"] == "waiting"));
        (!waiting).then_some(card)
    })
}

#[test]
fn a_caller_is_shown_with_picture_and_texts_before_anybody_answers() {
    let world = world();
    let (server, far) = (&world.server, &world.far);
    let mut ann = Setup::new("1001").start(server);
    let lines = [
        format!("Call-Info: <{}>;purpose=icon", far.url("/logo.png")),
        format!(
            "Call-Info: <{}>;purpose=info",
            far.url("/ring?c={caller}&d={called}")
        ),
        "Call-Info: <data:>;purpose=jcard;call-reason=\"About your card\"".into(),
    ];
    let sipp = Sipp::new("uac_cancel")
        .value("EXTRA", extra(&lines))
        .dial(TO_ANN)
        .hold_ms(2_000);
    let sipp = sipp.start(server.sip);
    ann.expect("CALL_INCOMING");
    let trail = server.wait_trail("a card", |t| t.count("card.content") == 2);
    assert!(!trail.has("leg.answered"), "{:?}", trail.kinds());
    let card = settled(server, &trail.interaction);
    assert_eq!(card["shown"], true, "{card}");
    assert_eq!(
        (&card["proof"], &card["by"]),
        (&json!("trunk"), &json!("carrier"))
    );
    assert_eq!(card["name"], "Example Bank");
    // What the link's function answered is one line of text, whatever it holds.
    assert_eq!(card["reason"], "<img src=x onerror=alert(1)> Your card");
    let asked = far.asked("/ring");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path(), "/ring?c=%2B15550100&d=%2B12155551300");
    let picture = card["picture"].as_str().expect("a picture");
    let shown = server.http.get(picture).expect("GET the picture");
    assert_eq!((shown.status, &*shown.body), (200, PICTURE));
    assert_eq!(shown.header("content-type"), Some("image/png"));
    for content in card["content"].as_array().expect("a list") {
        assert_eq!(content["state"], "shown", "{card}");
        println!("{} after {} ms", content["of"], content["after_ms"]);
    }
    sipp.succeed();
}

#[test]
fn what_is_late_wrong_or_of_strangers_is_left_out_and_nobody_waits_for_it() {
    let world = world();
    let (server, far) = (&world.server, &world.far);
    let mut ann = Setup::new("1001").start(server);
    let icon = |path: &str| vec![format!("Call-Info: <{}>;purpose=icon", far.url(path))];
    let trusted = [127, 0, 0, 2];
    let table: Vec<(Vec<String>, [u8; 4], &str)> = vec![
        (icon("/slow.png"), trusted, "late"),
        (icon("/script.png"), trusted, "unfit"),
        (icon("/missing.png"), trusted, "unreachable"),
        (
            vec!["Call-Info: <https://127.0.0.1:1/x.png>;purpose=icon".into()],
            trusted,
            "unreachable",
        ),
        (
            vec!["Call-Info: <https://169.254.169.254/x.png>;purpose=icon".into()],
            trusted,
            "unreachable",
        ),
        (
            vec![format!("Call-Info: <{}>;purpose=info", far.url("/other"))],
            trusted,
            "other_caller",
        ),
        (icon("/logo.png"), [127, 0, 0, 3], "not_trusted"),
    ];
    let mut known: Vec<String> = Vec::new();
    for (lines, from, why) in table {
        let sipp = Sipp::new("uac_cancel")
            .value("EXTRA", extra(&lines))
            .from(from)
            .dial(TO_ANN);
        let sipp = sipp.hold_ms(1_500).start(server.sip);
        ann.expect("CALL_INCOMING");
        let trail = server.wait_trail("a new call", |t| {
            !known.contains(&t.interaction) && t.has("interaction.started")
        });
        known.push(trail.interaction.clone());
        let card = settled(server, &trail.interaction);
        assert_eq!(card["picture"], Value::Null, "{why}: {card}");
        if from == trusted {
            assert_eq!(card["content"][0]["state"], why, "{card}");
            assert_ne!(card["name"], "Another Bank");
        } else {
            assert_eq!((&card["shown"], &card["why"]), (&json!(false), &json!(why)));
        }
        sipp.succeed();
        ann.expect("CALL_CLOSED");
    }
    assert_eq!(
        far.asked("/logo.png").len(),
        0,
        "nothing is fetched for strangers"
    );
}

/// When an event of a trail was, in ms since 1970.
fn ms(event: &Value) -> f64 {
    let time = event["time"].as_str().expect("a time");
    // `2026-01-02T03:04:05.678Z`: only the part within the hour matters for a difference.
    let clock = time.split_once('T').expect("a time").1;
    let parts: Vec<f64> = clock
        .trim_end_matches('Z')
        .split(':')
        .filter_map(|p| p.parse().ok())
        .collect();
    (parts[0] * 3_600.0 + parts[1] * 60.0 + parts[2]) * 1_000.0
}

fn of_day_ms(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).expect("after 1970");
    (since.as_micros() % 86_400_000_000) as f64 / 1_000.0
}

#[test]
fn every_ring_is_pushed_and_taken_back_when_the_caller_leaves() {
    let world = world();
    let (server, far) = (&world.server, &world.far);
    // No phone, no tab: only the push.
    let receiver = subscribe(&world, "Bob", "/push/bob");
    let lines = ["Call-Info: <data:>;purpose=jcard;call-reason=\"About your card\"".to_string()];
    let sipp = Sipp::new("uac_cancel")
        .value("EXTRA", extra(&lines))
        .dial(TO_BOB);
    sipp.calls(RINGS as u32)
        .rate(20)
        .hold_ms(400)
        .run(server.sip);
    let pushes = wait::until("a ring and an end for each call", || {
        let asked = far.asked("/push/bob");
        (asked.len() >= 2 * RINGS).then_some(asked)
    });
    assert_eq!(pushes.len(), 2 * RINGS);
    let messages: Vec<Value> = pushes.iter().map(|p| receiver.open(&p.body)).collect();
    let of = |kind: &str| -> Vec<(&Asked, &Value)> {
        pushes
            .iter()
            .zip(&messages)
            .filter(|(_, m)| m["kind"] == kind)
            .collect()
    };
    let (rings, ends) = (of("ring"), of("ring_ended"));
    assert_eq!((rings.len(), ends.len()), (RINGS, RINGS));
    let mut late: Vec<f64> = Vec::new();
    let trails = server.trails();
    for (push, ring) in &rings {
        assert_eq!(push.line, "POST /push/bob HTTP/1.1");
        assert_eq!((push.header("ttl"), push.header("urgency")), ("45", "high"));
        assert_eq!(push.header("content-encoding"), "aes128gcm");
        let topic = push.header("topic");
        assert!((1..=32).contains(&topic.len()), "{topic}");
        let claims = vapid(push.header("authorization"));
        assert_eq!(claims["aud"], far.url("").trim_end_matches('/'));
        assert_eq!(
            (&ring["title"], &ring["body"]),
            (&json!("Caller"), &json!("About your card · 15550100"))
        );
        let leg = ring["ring"].as_str().expect("a leg");
        assert_eq!(ring["url"], format!("/app/desk?answer={leg}"));
        let (end, ended) = ends
            .iter()
            .find(|(_, e)| e["ring"] == ring["ring"])
            .expect("its end");
        assert_eq!(ended["how"], "missed");
        assert!(end.at >= push.at, "an end comes after its ring");
        assert_eq!(
            end.header("topic"),
            topic,
            "and replaces it where it still waits"
        );
        let events = trails.iter().flat_map(|t| &t.events);
        let mut added = events.filter(|e| e["type"] == "leg.added" && e["data"]["leg"] == leg);
        late.push(of_day_ms(push.at) - ms(added.next().expect("the leg's event")));
    }
    late.sort_by(f64::total_cmp);
    println!(
        "{BOUND}: median {:.0} ms, worst of {RINGS} {:.0} ms",
        late[RINGS / 2],
        late[RINGS - 1]
    );
    // Whoever has the database has not what makes messages.
    let files = std::fs::read_dir(server.folder().join("data")).expect("the data folder");
    for file in files.flatten().filter(|f| f.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let secret = receiver.secret();
        let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(
            !found,
            "the secret of a browser lies open in {:?}",
            file.path()
        );
    }
}

/// An agent whom nothing but a push reaches is offered calls of a queue, too: as long as they say
/// that they are there.
#[test]
fn a_call_of_a_queue_rings_a_browser_that_has_no_page_open() {
    let world = world();
    let (server, far) = (&world.server, &world.far);
    let receiver = subscribe(&world, "Bob", "/push/queue");
    let bob = server.id_of("agents", "name", "Bob");
    let presence = |to: &str| {
        change(
            server,
            "PUT",
            &format!("/v1/agents/{bob}/presence"),
            &json!({"presence": to}),
        );
    };
    presence("available");
    let pushes = |n: usize| {
        wait::until("pushes", || {
            let asked = far.asked("/push/queue");
            (asked.len() >= n).then(|| {
                asked
                    .iter()
                    .map(|a| receiver.open(&a.body))
                    .collect::<Vec<Value>>()
            })
        })
    };
    let call = || {
        let sipp = Sipp::new("uac").value("EXTRA", "").dial(TO_QUEUE);
        sipp.hold_ms(1_000).run(server.sip)
    };
    call();
    let told = pushes(2);
    assert_eq!(
        (&told[0]["kind"], &told[1]["kind"]),
        (&json!("ring"), &json!("ring_ended"))
    );
    assert_eq!(
        (&told[0]["ring"], &told[1]["how"]),
        (&told[1]["ring"], &json!("missed"))
    );
    let trail = server.wait_trail("the end", |t| t.has("interaction.ended"));
    assert!(trail.has("offer.made"), "{:?}", trail.kinds());
    // Who is not there is left in peace.
    presence("offline");
    call();
    wait::until("the second call's end", || {
        let ended = server
            .trails()
            .iter()
            .filter(|t| t.has("interaction.ended"))
            .count();
        (ended == 2).then_some(())
    });
    assert_eq!(far.asked("/push/queue").len(), 2);
}

#[test]
fn a_call_taken_on_the_desk_phone_is_taken_back_from_the_browser() {
    let world = world();
    let receiver = subscribe(&world, "Ann", "/push/ann");
    let mut ann = Setup::new("1001").start(&world.server);
    let sipp = Sipp::new("uac")
        .value("EXTRA", "")
        .dial(TO_ANN)
        .start(world.server.sip);
    ann.expect("CALL_INCOMING");
    ann.accept();
    let pushes = wait::until("a ring and its end", || {
        let asked = world.far.asked("/push/ann");
        (asked.len() == 2).then_some(asked)
    });
    let end = receiver.open(&pushes[1].body);
    assert_eq!(
        (&end["kind"], &end["how"]),
        (&json!("ring_ended"), &json!("answered_elsewhere"))
    );
    sipp.succeed();
}

#[test]
fn a_browser_that_is_gone_is_forgotten_and_rings_no_more() {
    let world = world();
    let server = &world.server;
    subscribe(&world, "Bob", "/gone/bob");
    let client = server.client(ANN.0, ANN.1);
    let sipp = Sipp::new("uac_cancel").value("EXTRA", "").dial(TO_BOB);
    sipp.run(server.sip);
    wait::until("the subscription to go", || {
        let list = client.get("/v1/push-subscriptions").expect("GET").json();
        (list["items"] == json!([])).then_some(())
    });
    wait::until("an agent whom nothing reaches", || {
        let live = server.get("/v1/live");
        let bob = server.id_of("agents", "name", "Bob");
        let agents = live["agents"].as_array().cloned().unwrap_or_default();
        let bob = agents.into_iter().find(|a| a["id"] == bob)?;
        (bob["phone_reachable"] == false).then_some(())
    });
}
