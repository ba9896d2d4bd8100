//! Rich call data in signed tokens.

use super::*;

/// Rich call data in signed tokens (RFC 9795), from a carrier by UDP and by TCP: what is shown before
/// anybody answers, and what is left out, with its reason; the telephone rings all the same.
#[test]
fn signed_rich_call_data_is_shown_before_anybody_answers() {
    const PICTURE: &str = "RIFF\u{4}\0\0\0WEBPa logo";
    let w = plain();
    let mut desk = Setup::new("1001").start(&w.server);
    let at = |path: &str| format!("https://{SITE}:{SITE_PORT}{path}");
    let card = format!(
        "[\"vcard\",\n  [[\"fn\", {{}}, \"text\", \"Example Bank\"], [\"photo\", {{}}, \"uri\", \"{}\"]]]\n",
        at("/logo.webp")
    );
    w.site.put("/logo.webp", PICTURE.into());
    w.site.put("/card.json", card.clone());
    let compact = serde_json::from_str::<Value>(&card)
        .expect("a jCard")
        .to_string();
    let signed = |icon: &str| {
        json!({"rcd": {"nam": "Example Bank", "icn": at("/logo.webp")}, "crn": "About your card",
               "rcdi": {"/icn": icon}})
    };
    let linked = |card: &str, photo: &str| {
        json!({"rcd": {"nam": "Example Bank", "jcl": at("/card.json")}, "crn": "About your card",
               "rcdi": {"/jcl": card, "/jcl/1/1/3": photo}})
    };
    let good = digest(PICTURE);
    let inline = json!({"rcd": {"nam": "Example Bank", "jcd": ["vcard", [["fn", {}, "text", "X"]]]},
                        "rcdi": {"/jcd": digest("another card")}});
    // Claims, transport, whether the number has a token beside; what of the content is told, and why
    // nothing is shown.
    let table: Vec<(&str, Value, bool, bool, Value, &str)> = vec![
        (
            "a picture, by UDP",
            signed(&good),
            false,
            false,
            json!(["shown"]),
            "",
        ),
        (
            "beside the number's token, by TCP",
            signed(&good),
            true,
            true,
            json!(["shown"]),
            "",
        ),
        (
            "a card elsewhere, as its bytes were signed",
            linked(&digest(&card), &good),
            true,
            true,
            json!(["shown"]),
            "",
        ),
        (
            "a card elsewhere, as its one line was signed",
            linked(&digest(&compact), &good),
            false,
            false,
            json!(["shown"]),
            "",
        ),
        (
            "another picture than was signed",
            signed(&digest("x")),
            true,
            true,
            json!(["not_as_signed"]),
            "",
        ),
        (
            "another card than was signed",
            linked(&digest("x"), &good),
            true,
            true,
            json!(["not_as_signed"]),
            "",
        ),
        (
            "another photo in the card",
            linked(&digest(&card), &digest("x")),
            true,
            true,
            json!(["not_as_signed"]),
            "",
        ),
        (
            "a card inside that is not as signed",
            inline,
            true,
            true,
            Value::Null,
            "metadata_malformed",
        ),
        (
            "no digest at all",
            json!({"rcd": {"nam": "Example Bank", "icn": at("/logo.webp")}}),
            true,
            true,
            Value::Null,
            "metadata_malformed",
        ),
    ];
    let begun = now_s();
    for (n, (what, claims, tcp, beside, content, why)) in table.into_iter().enumerate() {
        // No two calls show the same token.
        let iat = begun - 40 + 5 * n as i64;
        let mut headers = vec![w.far.token("rcd", A, DESK, iat, &claims)];
        if beside {
            headers.push(w.far.shaken_at(A, DESK, iat));
        }
        let lines = headers.iter().map(|h| format!("\n      Identity: {h}"));
        let sipp = Sipp::new("uac_identity")
            .from(CARRIER)
            .value("FROM", A)
            .value("EXTRA", lines.collect::<String>());
        let sipp = if tcp { sipp.tcp() } else { sipp };
        let known: Vec<String> = w
            .server
            .trails()
            .into_iter()
            .map(|t| t.interaction)
            .collect();
        let sipp = sipp.dial(DESK).hold_ms(50).start(w.server.sip);
        desk.expect("CALL_INCOMING");
        let trail = w.server.wait_trail("its card", |t| {
            let told = t.has("card.refused") || t.has("card.content");
            !known.contains(&t.interaction) && told
        });
        assert!(!trail.has("leg.answered"), "{what}: {:?}", trail.kinds());
        let card = w
            .server
            .get(&format!("/v1/interactions/{}", trail.interaction))["card"]
            .clone();
        if why.is_empty() {
            assert_eq!(
                (&card["shown"], &card["proof"], &card["by"]),
                (&json!(true), &json!("signed"), &json!("709J")),
                "{what}: {card}"
            );
            assert_eq!(
                (&card["name"], &card["reason"]),
                (&json!("Example Bank"), &json!("About your card")),
                "{what}"
            );
            let states: Vec<&Value> = card["content"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|c| &c["state"])
                .collect();
            assert_eq!(json!(states), content, "{what}: {card}");
            let shown = states[0] == "shown";
            assert_eq!(card["picture"].is_string(), shown, "{what}: {card}");
            if let Some(path) = card["picture"].as_str() {
                let picture = w.server.http.get(path).expect("GET the picture");
                assert_eq!((picture.status, &*picture.body), (200, PICTURE.as_bytes()));
            }
        } else {
            assert_eq!(
                (&card["shown"], &card["why"]),
                (&json!(false), &json!(why)),
                "{what}: {card}"
            );
            // What is wrong with the data takes nothing from the number that is proven beside it.
            assert_eq!(w.trust(&trail.interaction)["verdict"], "valid", "{what}");
        }
        desk.accept();
        sipp.succeed();
        desk.expect("CALL_CLOSED");
    }
}

/// `rcdi` has digests so (RFC 9795 6.1); by another way than the server's.
fn digest(content: &str) -> String {
    let program = "import base64,hashlib,sys\n\
        print('sha256-'+base64.b64encode(hashlib.sha256(sys.stdin.buffer.read()).digest()).decode().rstrip('='))";
    python(program, content).trim().to_string()
}
