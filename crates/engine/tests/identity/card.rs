//! Ring cards (S3.1): what came with a call is decoded before it rings, and only what holds is shown.

use crate::bench::*;
use cp_identity::json::{Object, Value};
use cp_identity::passport::Ppt;
use cp_identity::passport::sign::NewPassport;
use cp_identity::rcd::digest_of;
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_vocab::brand::{Brand, BrandIncentive, Picture, PictureKind};
use cp_vocab::card::{CardProof, ContentOf, RingCard};
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::event::StreamId;
use cp_vocab::*;

/// A token of the far provider with these claims beside the parties.
fn rich(b: &Bench, ppt: Ppt, orig: &str, dest: &str, claims: &str) -> String {
    let (orig, dest) = (number(orig), [number(dest)]);
    let more = Value::parse(claims.as_bytes()).unwrap();
    let new = NewPassport {
        ppt,
        orig: &orig,
        dest: &dest,
        iat: (b.now.as_micros() / 1_000_000) as i64,
        more: more.as_object().unwrap().clone(),
    };
    let rng = aws_lc_rs::rand::SystemRandom::new();
    format!("Identity: {}", b.far.sign(&new, &rng).unwrap().header)
}

fn digested() -> String {
    let digest = digest_of(b"picture");
    format!(
        r#"{{"rcd":{{"nam":"Example Bank","icn":"https://brand.example/logo.png"}},"rcdi":{{"/icn":"{digest}"}},
            "crn":"About your card","lnk":"https://brand.example/ring?c={{caller}}&d={{called}}&l={{language}}&r={{ring}}",
            "ofr":{{"id":"coffee","text":"A coffee for your time"}}}}"#
    )
}

fn decoded(b: &Bench) -> Option<&Event> {
    b.events("card.decoded").last().copied()
}

fn refused(b: &Bench) -> Option<String> {
    match b.events("card.refused").last()? {
        Event::CardRefused { why, .. } => Some(why.clone()),
        _ => None,
    }
}

fn call_infos(m: &Message) -> Vec<String> {
    m.headers(HeaderName::CallInfo)
        .map(str::to_string)
        .collect()
}

fn from(m: &Message) -> String {
    m.from().unwrap().display_text().into_owned()
}

fn rung(b: &Bench) -> Message {
    b.invites_to(DESK_IP).pop().expect("the desk rings").1
}

#[test]
fn a_signed_card_is_decoded_before_the_phone_rings() {
    let mut b = Bench::new();
    let token = rich(&b, Ppt::Rcd, A, DESK, &digested());
    b.invite(CARRIER, A, DESK, "one", &[token]);
    let Some(Event::CardDecoded {
        leg,
        proof,
        by,
        name,
        reason,
        picture,
        picture_digest,
        link,
        incentive,
        ..
    }) = decoded(&b)
    else {
        panic!("{:?}", b.events("card.refused"));
    };
    assert_eq!(*proof, CardProof::Signed);
    assert_eq!(by.as_deref(), Some("709J"));
    assert_eq!(name.as_ref().unwrap().expose(), "Example Bank");
    assert_eq!(reason.as_ref().unwrap().expose(), "About your card");
    assert_eq!(
        picture.as_ref().unwrap().expose(),
        "https://brand.example/logo.png"
    );
    assert_eq!(picture_digest.as_deref(), Some(&*digest_of(b"picture")));
    let filled =
        format!("https://brand.example/ring?c=%2B12155551212&d=%2B12155551300&l=en&r={leg}");
    assert_eq!(link.as_ref().unwrap().expose(), &filled);
    assert_eq!(incentive.as_ref().unwrap().id, "coffee");
    let phone = rung(&b);
    assert_eq!(from(&phone), "Example Bank");
    assert_eq!(
        call_infos(&phone),
        [
            "<data:>;purpose=jcard;call-reason=\"About your card\";verified=\"true\"".to_string(),
            format!("<{filled}>;purpose=info"),
        ]
    );
    assert_eq!(phone.header(HeaderName::Subject), Some("About your card"));
    assert!(b.events("leg.answered").is_empty(), "nobody answered yet");
}

#[test]
fn a_token_that_has_the_data_beside_the_number_will_do() {
    let mut b = Bench::new();
    let claims = r#"{"attest":"A","origid":"123e4567-e89b-12d3-a456-426655440000","crn":"Hello"}"#;
    let token = rich(&b, Ppt::Shaken, A, DESK, claims);
    b.invite(CARRIER, A, DESK, "one", &[token]);
    assert!(decoded(&b).is_some());
    assert_eq!(rung(&b).header(HeaderName::Subject), Some("Hello"));
}

#[test]
fn a_third_party_may_tell_of_who_is_proven() {
    let mut b = Bench::new();
    let good = b.token(A, DESK, cp_identity::passport::Attestation::A);
    let claims = r#"{"iss":"SHAKEN 709J","rcd":{"nam":"Bank"}}"#;
    let other = rich(&b, Ppt::Rcd, A, DESK, claims);
    b.invite(CARRIER, A, DESK, "one", &[good, other]);
    assert!(decoded(&b).is_some(), "{:?}", refused(&b));
    assert_eq!(from(&rung(&b)), "Bank");
}

/// What a call came with, and why it rings plainly.
#[test]
fn what_does_not_hold_rings_plainly() {
    type Make = fn(&Bench) -> Vec<String>;
    let table: &[(&str, Make, &str)] = &[
        (
            "the caller id inside is another",
            |b| {
                let claims = r#"{"rcd":{"nam":"Bank","apn":"+12155559999"}}"#;
                vec![rich(b, Ppt::Rcd, A, DESK, claims)]
            },
            "caller_is_not_source",
        ),
        (
            "the card inside names another number",
            |b| {
                let claims = r#"{"rcd":{"nam":"Bank","jcd":["vcard",[["fn",{},"text","Bank"],["tel",{},"uri","tel:+12155559999"]]]}}"#;
                vec![rich(b, Ppt::Rcd, A, DESK, claims)]
            },
            "caller_is_not_source",
        ),
        (
            "made for another caller, beside a good token",
            |b| {
                let good = b.token(A, DESK, cp_identity::passport::Attestation::A);
                let other = rich(
                    b,
                    Ppt::Rcd,
                    "+12155559999",
                    DESK,
                    r#"{"rcd":{"nam":"Bank"}}"#,
                );
                vec![good, other]
            },
            "not_verified",
        ),
        (
            "of a third party, for another caller, beside a good token",
            |b| {
                let good = b.token(A, DESK, cp_identity::passport::Attestation::A);
                let claims = r#"{"iss":"SHAKEN 709J","rcd":{"nam":"Bank"}}"#;
                vec![good, rich(b, Ppt::Rcd, "+12155559999", DESK, claims)]
            },
            "source_is_not_caller",
        ),
        (
            "of a third party, made for a call to somebody else",
            |b| {
                let good = b.token(A, DESK, cp_identity::passport::Attestation::A);
                let claims = r#"{"iss":"SHAKEN 709J","rcd":{"nam":"Bank"}}"#;
                vec![good, rich(b, Ppt::Rcd, A, C, claims)]
            },
            "metadata_of_another_call",
        ),
        (
            "of a third party alone",
            |b| {
                let claims = r#"{"iss":"SHAKEN 709J","rcd":{"nam":"Bank"}}"#;
                vec![rich(b, Ppt::Rcd, A, DESK, claims)]
            },
            "not_verified",
        ),
        (
            "of a third party whose certificate bears another name",
            |b| {
                let good = b.token(A, DESK, cp_identity::passport::Attestation::A);
                let claims = r#"{"iss":"Brands Inc","rcd":{"nam":"Bank"}}"#;
                vec![good, rich(b, Ppt::Rcd, A, DESK, claims)]
            },
            "not_verified",
        ),
        (
            "a picture without a digest",
            |b| {
                let good = b.token(A, DESK, cp_identity::passport::Attestation::A);
                let claims = r#"{"rcd":{"nam":"Bank","icn":"https://brand.example/x.png"}}"#;
                vec![good, rich(b, Ppt::Rcd, A, DESK, claims)]
            },
            "metadata_malformed",
        ),
        (
            "a link with a field that no call has",
            |b| {
                let claims = r#"{"rcd":{"nam":"Bank"},"lnk":"https://brand.example/{password}"}"#;
                vec![rich(b, Ppt::Rcd, A, DESK, claims)]
            },
            "link_refused",
        ),
        (
            "no valid signature",
            |b| {
                let t = rich(b, Ppt::Rcd, A, DESK, r#"{"rcd":{"nam":"Bank"}}"#);
                let at = t.find(";info").unwrap() - 10;
                let other = if &t[at..at + 1] == "A" { "B" } else { "A" };
                vec![format!("{}{other}{}", &t[..at], &t[at + 1..])]
            },
            "not_verified",
        ),
        (
            "Call-Info of a trunk that is not trusted",
            |_| {
                vec![
                    "Call-Info: <data:>;purpose=jcard;call-reason=\"Your bank\";verified=\"true\""
                        .into(),
                ]
            },
            "not_trusted",
        ),
        (
            "an icon of a trunk that is not trusted, oddly spaced",
            |_| vec!["CALL-INFO : <https://evil.example/x.png> ; purpose=ICON".into()],
            "not_trusted",
        ),
    ];
    for (what, make, why) in table {
        let mut b = Bench::new();
        let lines = make(&b);
        b.invite(CARRIER, A, DESK, "one", &lines);
        assert_eq!(refused(&b).as_deref(), Some(*why), "{what}");
        assert!(decoded(&b).is_none(), "{what}");
        let phone = rung(&b);
        assert!(call_infos(&phone).is_empty(), "{what}");
        assert_eq!(from(&phone), "", "{what}");
        assert!(phone.header(HeaderName::Subject).is_none(), "{what}");
    }
}

#[test]
fn a_token_that_another_call_has_shown_brands_nothing() {
    let mut b = Bench::new();
    let token = rich(&b, Ppt::Rcd, A, DESK, &digested());
    b.invite(CARRIER, A, DESK, "one", std::slice::from_ref(&token));
    b.invite(CARRIER, A, DESK, "two", &[token]);
    assert_eq!(b.events("card.decoded").len(), 1);
    assert_eq!(refused(&b).as_deref(), Some("metadata_of_another_call"));
}

#[test]
fn a_call_without_metadata_is_told_nothing_of() {
    let mut b = Bench::new();
    let token = b.token(A, DESK, cp_identity::passport::Attestation::A);
    b.invite(CARRIER, A, DESK, "one", &[token]);
    assert!(decoded(&b).is_none());
    assert!(refused(&b).is_none());
    assert!(call_infos(&rung(&b)).is_empty());
}

fn trusted() -> Bench {
    Bench::with(|s| s.trunks[0].identity.trusted = true)
}

#[test]
fn a_trusted_trunk_tells_of_its_callers_in_call_info() {
    let mut b = trusted();
    let card = r#"["vcard",[["fn",{},"text","Example Bank"],["tel",{},"uri","tel:+1-215-555-1212"],["logo",{},"uri","https://brand.example/l.png"]]]"#;
    let card: String = card.bytes().map(|b| format!("%{b:02X}")).collect();
    let lines = [
        format!("Call-Info: <data:application/vcard+json,{card}>;purpose=jcard;call-reason=\"Say \\\"hi\\\", now\""),
        "Call-Info: <https://brand.example/i.png>;purpose=icon, <https://brand.example/r?c={caller}>;purpose=info".into(),
        "P-Asserted-Identity: <tel:+12155551212>".into(),
    ];
    b.invite(CARRIER, A, DESK, "one", &lines);
    let Some(Event::CardDecoded {
        proof,
        by,
        name,
        reason,
        picture,
        link,
        ..
    }) = decoded(&b)
    else {
        panic!("{:?}", b.events("card.refused"));
    };
    assert_eq!((*proof, by.as_deref()), (CardProof::Trunk, Some("carrier")));
    let text = |t: &Option<Pii<String>>| t.as_ref().map(|t| t.expose().clone());
    assert_eq!(text(name).as_deref(), Some("Example Bank"));
    assert_eq!(text(reason).as_deref(), Some("Say \"hi\", now"));
    assert_eq!(
        text(picture).as_deref(),
        Some("https://brand.example/i.png")
    );
    assert_eq!(
        text(link).as_deref(),
        Some("https://brand.example/r?c=%2B12155551212")
    );
    let phone = rung(&b);
    assert!(
        call_infos(&phone)[0].ends_with("call-reason=\"Say \\\"hi\\\", now\""),
        "{:?}",
        call_infos(&phone)
    );
}

#[test]
fn call_info_must_be_of_this_caller_and_harmless() {
    let reason = "Call-Info: <data:>;purpose=jcard;call-reason=\"Your bank\"".to_string();
    let other = r#"["vcard",[["fn",{},"text","Bank"],["tel",{},"text","+12155559999"]]]"#;
    let other: String = other.bytes().map(|b| format!("%{b:02X}")).collect();
    let table: Vec<(&str, Vec<String>, &str)> = vec![
        (
            "shows another number than the network vouches for",
            vec![reason, "P-Asserted-Identity: <tel:+12155559999>".into()],
            "caller_is_not_source",
        ),
        (
            "a card of another number",
            vec![format!("Call-Info: <data:,{other}>;purpose=jcard")],
            "caller_is_not_source",
        ),
        (
            "a card that is none",
            vec!["Call-Info: <data:,hello>;purpose=jcard".into()],
            "metadata_malformed",
        ),
        (
            "an icon that is no https address",
            vec!["Call-Info: <http://brand.example/i.png>;purpose=icon".into()],
            "metadata_malformed",
        ),
        (
            "a link that is script",
            vec!["Call-Info: <javascript:alert(1)>;purpose=info".into()],
            "link_refused",
        ),
    ];
    for (what, lines, why) in table {
        let mut b = trusted();
        b.invite(CARRIER, A, DESK, "one", &lines);
        assert_eq!(refused(&b).as_deref(), Some(why), "{what}");
        assert!(call_infos(&rung(&b)).is_empty(), "{what}");
    }
    // Texts become one line, cut off; the message to the phone stays one message.
    let mut b = trusted();
    let hostile = format!(
        "Call-Info: <data:>;purpose=jcard;call-reason=\"<img onerror=x>\u{202e}evil\t{}\"",
        "x".repeat(10_000)
    );
    b.invite(CARRIER, A, DESK, "one", &[hostile]);
    let Some(Event::CardDecoded { reason, .. }) = decoded(&b) else {
        panic!("{:?}", b.events("card.refused"));
    };
    let reason = reason.as_ref().unwrap().expose();
    assert_eq!(reason.chars().count(), 64);
    assert!(!reason.contains(['\n', '\t', '\u{202e}']), "{reason:?}");
    assert_eq!(rung(&b).header(HeaderName::Subject), Some(&**reason));
}

#[test]
fn content_that_comes_is_added_to_the_card() {
    let mut b = Bench::new();
    let token = rich(&b, Ppt::Rcd, A, DESK, &digested());
    b.invite(CARRIER, A, DESK, "one", &[token]);
    let id = match b.log.iter().find(|r| r.event.kind() == "card.decoded") {
        Some(r) => match r.stream {
            StreamId::Interaction(id) => id,
            _ => panic!("not of an interaction"),
        },
        None => panic!("{:?}", b.events("card.refused")),
    };
    let came = Event::CardContent {
        of: ContentOf::Picture,
        name: None,
        reason: None,
        picture: Some("/pictures/00".into()),
        fault: None,
        after_ms: 12,
    };
    let tell = |actor| CommandEnvelope {
        id: CommandId::from_u128(7),
        tenant: b.tenant,
        actor,
        command: Command::Tell {
            interaction: id,
            event: Box::new(came.clone()),
        },
    };
    let envelope = tell(Actor::System);
    b.give(cp_engine::Input::Command(envelope));
    let mut card = RingCard::begun(decoded(&b).unwrap()).unwrap();
    assert!(card.add(b.events("card.content")[0]));
    assert_eq!(card.picture.as_deref(), Some("/pictures/00"));
    assert_eq!(card.name.unwrap().expose(), "Example Bank");
    b.answer(DESK_IP, 180, "");
    assert!(
        b.events("card.incentive_given").is_empty(),
        "nobody answered"
    );
}

/// S3.1 rule 6: what people said of a caller is asked before anything is shown.
#[test]
fn a_caller_whom_people_reported_rings_plainly() {
    let mut b = Bench::new();
    let call = |b: &mut Bench, reason: &str| {
        let claims = format!(r#"{{"rcd":{{"nam":"Example Bank"}},"crn":"{reason}"}}"#);
        let token = rich(b, Ppt::Rcd, A, DESK, &claims);
        b.invite(CARRIER, A, DESK, reason, &[token]);
        match b
            .log
            .iter()
            .rfind(|r| r.event.kind() == "identity.judged")
            .unwrap()
            .stream
        {
            StreamId::Interaction(id) => id,
            other => panic!("{other:?}"),
        }
    };
    let first = call(&mut b, "one");
    assert!(decoded(&b).is_some());
    b.command(Command::ReportCaller { interaction: first });
    let Some(Event::CallerReported { number, proven, .. }) = b.events("caller.reported").last()
    else {
        panic!("not reported");
    };
    assert_eq!((number.expose().as_str(), *proven), ("12155551212", true));
    let report = cp_engine::Reported {
        number: number.expose().clone(),
        tenant: b.tenant,
        proven: true,
        at: b.now,
    };
    call(&mut b, "two");
    assert_eq!(refused(&b).as_deref(), Some("caller_is_reported"));
    assert_eq!(b.events("card.decoded").len(), 1);
    assert_eq!(from(&rung(&b)), "");
    // Erased with the person; a restart knows what was said.
    b.forget(&[A]);
    call(&mut b, "three");
    assert_eq!(b.events("card.decoded").len(), 2);
    b.restore_reports(vec![report]);
    call(&mut b, "four");
    assert_eq!(b.events("card.decoded").len(), 2);
}

/// The last INVITE to `ip` is answered, with media.
fn taken(b: &mut Bench, ip: [u8; 4]) {
    let (_, invite) = b.invites_to(ip).pop().unwrap();
    let line = |name: HeaderName, title: &str| -> String {
        let values = invite.headers(name);
        values.map(|v| format!("{title}: {v}\r\n")).collect()
    };
    let sdp = "v=0\r\no=d 1 1 IN IP4 10.0.3.1\r\ns=-\r\nc=IN IP4 10.0.3.1\r\nt=0 0\r\n\
               m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    let text = format!(
        "SIP/2.0 200 OK\r\n{}{}{};tag=far\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:x@10.0.3.1>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        line(HeaderName::Via, "Via"),
        line(HeaderName::From, "From"),
        line(HeaderName::To, "To").trim_end(),
        invite.call_id(),
        sdp.len()
    );
    b.datagram(ip, &text);
}

#[test]
fn what_was_offered_is_given_once_when_somebody_answers() {
    let mut b = Bench::new();
    let token = rich(&b, Ppt::Rcd, A, DESK, &digested());
    b.invite(CARRIER, A, DESK, "one", &[token]);
    b.answer(DESK_IP, 180, "");
    assert!(b.events("card.incentive_given").is_empty());
    taken(&mut b, DESK_IP);
    taken(&mut b, DESK_IP);
    match b.events("card.incentive_given")[..] {
        [
            Event::CardIncentiveGiven {
                incentive, brand, ..
            },
        ] => {
            assert_eq!((&*incentive.id, *brand), ("coffee", None));
        }
        ref other => panic!("{other:?}"),
    }
    // Turned away, nothing is given.
    let mut b = Bench::new();
    let token = rich(&b, Ppt::Rcd, A, DESK, &digested());
    b.invite(CARRIER, A, DESK, "one", &[token]);
    b.answer(DESK_IP, 486, "");
    assert!(b.events("card.incentive_given").is_empty());
}

#[test]
fn numbers_of_a_brand_show_it_wherever_they_call() {
    let branded = |stock, reason: &'static str| {
        Bench::with(move |s| {
            let tenant = s.tenants[0].id;
            let picture = Picture {
                id: PictureId::from_u128(1),
                tenant,
                name: "logo".into(),
                kind: PictureKind::Png,
                digest: "00".repeat(32),
                bytes: 1,
            };
            s.brands.push(Brand {
                id: BrandId::from_u128(1),
                tenant,
                name: "Our Shop".into(),
                reason: reason.into(),
                picture: Some(picture.id),
                link: "https://shop.example/{caller}/{called}".into(),
                incentive: Some(BrandIncentive {
                    text: "A coffee".into(),
                    stock,
                    until: None,
                }),
                numbers: vec![s.numbers[0].id],
                disabled: false,
            });
            s.pictures.push(picture);
        })
    };
    let mut b = branded(Some(1), "Your order");
    b.invite(EXCHANGE, B, C, "out", &[]);
    let sent = b.invites_to(CARRIER).pop().unwrap().1;
    assert!(is_valid(&b.verified_beyond(&sent, B)));
    assert_eq!(from(&sent), "Our Shop");
    assert_eq!(
        call_infos(&sent),
        [
            "<data:>;purpose=jcard;call-reason=\"Your order\"",
            "<https://shop.example/%2B12155551213/%2B12155551214>;purpose=info",
        ]
    );
    let claims = |m: &Message| -> Object {
        let header = m.header(HeaderName::Identity).unwrap();
        let claims = header.split('.').nth(1).unwrap();
        let json = cp_identity::b64::decode(claims).unwrap();
        Value::parse(&json).unwrap().as_object().unwrap().clone()
    };
    let said = claims(&sent);
    assert_eq!(said["rcd"].canonical(), r#"{"nam":"Our Shop"}"#);
    assert_eq!(said["crn"].as_text(), Some("Your order"));
    assert_eq!(
        said["lnk"].as_text(),
        Some("https://shop.example/{caller}/{called}")
    );
    assert!(said["ofr"].canonical().contains("A coffee"));
    assert_eq!(b.events("card.sent").len(), 1);
    // One was there, and it is promised to whom rings now.
    b.invite(EXCHANGE, B, C, "out2", &[]);
    let second = b.invites_to(CARRIER).pop().unwrap().1;
    assert!(!claims(&second).contains_key("ofr"));
    // The first one is taken: it is given, and noted as ours.
    let first = b.invites_to(CARRIER)[0].1.call_id().to_string();
    assert_ne!(first, second.call_id());
    taken(&mut b, CARRIER);
    assert!(
        b.events("card.incentive_given").is_empty(),
        "the second call offered nothing"
    );
    // Another number of the house shows no brand.
    b.invite(EXCHANGE, DESK, C, "out3", &[]);
    let plain = b.invites_to(CARRIER).pop().unwrap().1;
    assert_eq!(from(&plain), "");
    assert!(call_infos(&plain).is_empty());
    assert!(!claims(&plain).contains_key("rcd"));
    let mut b = branded(Some(1), "Your order");
    b.invite(EXCHANGE, B, C, "out", &[]);
    taken(&mut b, CARRIER);
    match b.events("card.incentive_given")[..] {
        [Event::CardIncentiveGiven { brand, .. }] => {
            assert_eq!(*brand, Some(BrandId::from_u128(1)));
        }
        ref other => panic!("{other:?}"),
    }
    b.invite(EXCHANGE, B, C, "out4", &[]);
    let after = b.invites_to(CARRIER).pop().unwrap().1;
    assert!(!claims(&after).contains_key("ofr"), "there was one");
    // A stranger who shows our number is not us.
    let mut b = branded(None, "x");
    b.invite(CARRIER, B, DESK, "in", &[]);
    assert!(b.events("card.sent").is_empty());
}
