//! Erasing people over all their merged identities, retention, legal hold, consents.

use crate::client::Client;
use crate::world::{Rows, World};
use cp_store::ContactStore as _;
use cp_store::{PageRequest, PrivacyStore, Store};
use cp_vocab::event::{Direction, Endpoint, LegRole};
use cp_vocab::id::TypedId;
use cp_vocab::*;
use serde_json::{Value, json};

const ANN: &str = "+4930123456";
const ANNS_MOBILE: &str = "+491701234567";
const BEN: &str = "+4930999999";

/// A call of a number that ended, with a recording whose file is there.
async fn call(w: &World, r: &Rows, n: u128, from: &str) -> (InteractionId, std::path::PathBuf) {
    let interaction = InteractionId::from_u128(n << 40 | 1);
    let (leg, recording) = (
        LegId::from_u128(n << 40 | 2),
        RecordingId::from_u128(n << 40 | 3),
    );
    let number = || Pii(Address::Number(from.into()));
    let path = format!("call-{n}.wav");
    let file = w.recordings().join(&path);
    std::fs::write(&file, "sound").unwrap();
    let events = vec![
        Event::Started {
            direction: Direction::Inbound,
            from: number(),
            from_name: Some(Pii(format!("Name of {from}"))),
            to: Pii(Address::Number("+4930555".into())),
            uci: Uci::from_u128(n),
            number: None,
            trunk: None,
        },
        Event::LegAdded {
            leg,
            role: LegRole::Customer,
            direction: Direction::Inbound,
            endpoint: Endpoint::Uri,
            address: number(),
            agent: None,
            call_id: "c".into(),
            cause: None,
        },
        Event::RecordingStarted {
            recording,
            left: leg,
            right: None,
            agent: None,
            path,
        },
        Event::RecordingEnded {
            recording,
            duration_ms: 1,
            error: None,
        },
        Event::LegEnded {
            leg,
            reason: EndReason::HungUp,
            detail: None,
        },
        Event::Ended {
            reason: EndReason::HungUp,
            by: Some(leg),
            detail: None,
        },
    ];
    w.append(r, interaction, events).await;
    (interaction, file)
}

async fn done(admin: &Client, job: &Value) -> Value {
    let path = format!("/v1/privacy-jobs/{}", job["id"].as_str().unwrap());
    let waited = async {
        loop {
            let job = admin.get(&path).await.expect(200);
            if job["state"] == "done" {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waited)
        .await
        .expect("the job ends")
}

fn bytes_of_the_database(w: &World) -> Vec<u8> {
    let folder = w.recordings().parent().unwrap().to_path_buf();
    ["log.db", "log.db-wal"]
        .iter()
        .flat_map(|f| std::fs::read(folder.join(f)).unwrap_or_default())
        .collect()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|w| w == needle.as_bytes())
}

#[tokio::test]
async fn a_person_is_erased_over_all_merged_identities_and_nothing_of_it_is_found_again() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let (by_phone, file) = call(&w, &w.alpha, 1, ANN).await;
    let (by_mobile, _) = call(&w, &w.alpha, 2, ANNS_MOBILE).await;
    let (of_ben, bens_file) = call(&w, &w.alpha, 3, BEN).await;
    let (of_neighbour, _) = call(&w, &w.beta, 4, ANN).await;
    // Two records that turned out to be one person.
    let person = |name: &str, value: &str| json!({ "name": name, "identities": [{ "kind": "phone", "value": value }] });
    let ann = admin
        .post("/v1/persons", person("Ann", ANN))
        .await
        .expect(201);
    let other = admin
        .post("/v1/persons", person("A. Example", ANNS_MOBILE))
        .await
        .expect(201);
    let path = format!("/v1/persons/{}", ann["id"].as_str().unwrap());
    admin
        .post(&format!("{path}/merge"), json!({ "from": other["id"] }))
        .await
        .expect(200);
    let consent = json!({ "identifier": ANN, "what": "recording", "how": "said yes" });
    admin.post("/v1/consents", consent).await.expect(201);
    // A callback that never became a call, the page of a call, and somebody else's.
    let asked = |n: u128, number: &str, interaction| {
        let mut asked = crate::world::contact(&w.alpha);
        let id = cp_vocab::ContactId::from_u128(asked.id.as_u128() + n);
        (asked.id, asked.number, asked.interaction) = (id, Some(Pii(number.into())), interaction);
        let told = Event::ContactCame {
            contact: id,
            point: asked.point,
            what: "callback".into(),
            mode: None,
        };
        w.store.contact_create(asked, told).unwrap();
        id
    };
    let gone = [asked(1, ANN, None), asked(2, "+1999", Some(by_mobile))];
    let kept = asked(3, BEN, None);
    assert!(holds(&bytes_of_the_database(&w), ANN));
    let before = w.store.replay(by_phone).unwrap();

    let asked = json!({ "person": ann["id"], "reason": "asked by letter of 3 May" });
    let job = admin.post("/v1/erasures", asked).await.expect(202);
    let job = done(&admin, &job).await;
    assert_eq!((&job["total"], &job["done"]), (&json!(2), &json!(2)));
    assert_eq!(
        (&job["erased"]["interactions"], &job["erased"]["recordings"]),
        (&json!(2), &json!(2))
    );

    assert!(!file.exists() && bens_file.exists());
    for id in gone {
        assert!(w.store.contact(w.alpha.tenant, id).is_err(), "{id}");
    }
    assert!(w.store.contact(w.alpha.tenant, kept).is_ok());
    admin.get(&path).await.problem(404);
    for id in [by_phone, by_mobile] {
        let row = admin.get(&format!("/v1/interactions/{id}")).await.text();
        assert!(!row.contains("4930") && !row.contains("Ann"), "{row}");
    }
    // The log has lost nothing but the person: numbers, kinds and times are the same.
    let after = w.store.replay(by_phone).unwrap();
    let shape = |records: &[EventRecord]| {
        records
            .iter()
            .map(|r| (r.seq, r.at, r.event.kind()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&before), shape(&after));
    assert!(
        !serde_json::to_string(&after)
            .unwrap()
            .contains("4930123456")
    );
    // A rebuild from the log brings nothing back.
    w.store.rebuild_projections().unwrap();
    assert_eq!(
        w.store
            .interaction(w.alpha.tenant, by_phone)
            .unwrap()
            .from
            .expose(),
        &Address::Anonymous
    );
    // Others keep theirs, also the same number at the neighbour's.
    assert_eq!(
        w.store
            .interaction(w.alpha.tenant, of_ben)
            .unwrap()
            .from
            .expose()
            .user(),
        BEN
    );
    assert_eq!(
        w.store
            .interaction(w.beta.tenant, of_neighbour)
            .unwrap()
            .from
            .expose()
            .user(),
        ANN
    );
    assert_eq!(
        admin.get("/v1/consents").await.expect(200)["items"],
        json!([])
    );
    // In the very file: the mobile number was the person's alone.
    assert!(
        !holds(&bytes_of_the_database(&w), ANNS_MOBILE),
        "the number is still in the file"
    );
    assert!(
        !job.to_string().contains("123456"),
        "the certificate names no number"
    );
    checked_certificate(&job);
}

/// The certificate is signed by the key that comes with it, and tells what the job did.
fn checked_certificate(job: &Value) {
    use cp_identity::b64::decode;
    let token = job["certificate"].as_str().expect("signed");
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (head, body) = input.split_once('.').unwrap();
    let json_of = |part: &str| serde_json::from_slice::<Value>(&decode(part).unwrap()).unwrap();
    let key = &job["key"]["keys"][0];
    assert_eq!(
        (&json_of(head)["alg"], &json_of(head)["kid"]),
        (&json!("ES256"), &key["kid"])
    );
    let half = |n: &str| decode(key[n].as_str().unwrap()).unwrap();
    let point = [vec![4], half("x"), half("y")].concat();
    let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED;
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(algorithm, point);
    key.verify(input.as_bytes(), &decode(signature).unwrap())
        .expect("a good signature");
    let claims = json_of(body);
    assert_eq!(
        (&claims["sub"], &claims["erased"]),
        (&job["id"], &job["erased"])
    );
}

#[tokio::test]
async fn a_legal_hold_wins_and_nonsense_is_refused() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let (id, _) = call(&w, &w.alpha, 1, ANN).await;
    admin
        .patch(
            "/v1/retention",
            json!({ "legal_hold": "case 7", "events_days": 1 }),
        )
        .await
        .expect(200);
    let asked = || json!({ "identifiers": [ANN], "reason": "asked for" });
    let (code, _) = admin.post("/v1/erasures", asked()).await.problem(409);
    assert_eq!(code, "conflict");
    assert_eq!(
        w.store
            .interaction(w.alpha.tenant, id)
            .unwrap()
            .from
            .expose()
            .user(),
        ANN
    );
    admin
        .patch("/v1/retention", json!({ "legal_hold": null }))
        .await
        .expect(200);
    assert_eq!(
        admin
            .post("/v1/erasures", json!({ "reason": "nobody" }))
            .await
            .problem(400)
            .1,
        ["/person"]
    );
    let ghost = json!({ "person": format!("per_{}", "0".repeat(26)), "reason": "nobody" });
    admin.post("/v1/erasures", ghost).await.problem(404);
    // Only whoever may.
    let agent = w.as_role(&w.alpha, "agent").await;
    agent.post("/v1/erasures", asked()).await.problem(403);
    // A number written otherwise is the same number.
    let spaced = json!({ "identifiers": ["+49 30 123-456"], "reason": "asked for" });
    let job = admin.post("/v1/erasures", spaced).await.expect(202);
    assert_eq!(done(&admin, &job).await["erased"]["interactions"], 1);
}

#[tokio::test]
async fn retention_deletes_on_schedule_by_kind() {
    let w = World::new().await;
    let admin = w.as_role(&w.alpha, "administrator").await;
    let (old, old_file) = call(&w, &w.alpha, 1, ANN).await;
    w.advance_s(40 * 86_400);
    let admin_again = w.as_role(&w.alpha, "administrator").await;
    let (young, young_file) = call(&w, &w.alpha, 2, BEN).await;
    drop(admin);
    let days = json!({ "recordings_days": 30, "personal_days": 35, "events_days": 0 });
    admin_again.patch("/v1/retention", days).await.expect(200);
    w.sweep_privacy().await;
    assert!(!old_file.exists() && young_file.exists());
    let row = w.store.interaction(w.alpha.tenant, old).unwrap();
    assert_eq!(row.from.expose(), &Address::Anonymous);
    assert_eq!(
        w.store
            .interaction(w.alpha.tenant, young)
            .unwrap()
            .from
            .expose()
            .user(),
        BEN
    );
    let jobs = w
        .store
        .privacy_jobs(w.alpha.tenant, &PageRequest::first(10))
        .unwrap()
        .items;
    let jobs: Vec<_> = jobs.into_iter().filter(|j| j.kind == "retention").collect();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (jobs[0].kind.as_str(), jobs[0].state.as_str()),
        ("retention", "done")
    );
    // Nothing is left to do: no second job.
    w.sweep_privacy().await;
    let again = w
        .store
        .privacy_jobs(w.alpha.tenant, &PageRequest::first(10))
        .unwrap()
        .items;
    assert_eq!(again.iter().filter(|j| j.kind == "retention").count(), 1);
    // And in the end nothing of the interaction is left.
    admin_again
        .patch("/v1/retention", json!({ "events_days": 36 }))
        .await
        .expect(200);
    w.sweep_privacy().await;
    assert!(w.store.replay(old).unwrap().is_empty());
    assert!(w.store.interaction(w.alpha.tenant, old).is_err());
    assert!(!w.store.replay(young).unwrap().is_empty());
}

#[tokio::test]
async fn consents_are_given_seen_and_taken_back() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    let given =
        json!({ "identifier": "+49 30 123456", "what": "marketing", "how": "ticked the box" });
    let consent = agent.post("/v1/consents", given).await.expect(201);
    assert_eq!(
        (&consent["identifier"], &consent["withdrawn_at"]),
        (&json!(ANN), &Value::Null)
    );
    assert!(consent["recorded_by"].as_str().unwrap().starts_with("usr_"));
    let listed = supervisor
        .get("/v1/consents?identifier=%2B4930123456")
        .await
        .expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let path = format!("/v1/consents/{}/withdraw", consent["id"].as_str().unwrap());
    let how = json!({ "how": "said so on the phone" });
    let neighbour = w.as_role(&w.beta, "supervisor").await;
    neighbour.post(&path, how.clone()).await.problem(404);
    let back = agent.post(&path, how.clone()).await.expect(200);
    assert_eq!(back["withdrawn_how"], "said so on the phone");
    agent.post(&path, how).await.problem(400);
    let foreign = json!({ "identifier": ANN, "what": "x", "how": "yes yes", "interaction": w.beta.interaction });
    agent.post("/v1/consents", foreign).await.problem(404);
}
