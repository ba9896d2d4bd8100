//! What may be shown of a call before it is answered (S3.1), rule by rule.
#![allow(clippy::unwrap_used)]

use cp_identity::canonical::Region;
use cp_identity::card::{Call, Card, Content, Incentive, Plain, fill, judge, picture_is};
use cp_identity::json::Value;
use cp_identity::rcd::digest_of;

fn call() -> Call<'static> {
    Call {
        caller: "+12025550147",
        called: "+12025550199",
        ring: "leg_01",
        language: "en",
        region: Region::find("US"),
    }
}

fn judged(claims: &str) -> Result<Card, Plain> {
    let claims = Value::parse(claims.as_bytes()).unwrap();
    judge(claims.as_object().unwrap(), &call())
}

/// Claims of a sound token with `more` added.
fn claims(more: &str) -> String {
    format!(
        r#"{{"iat":1,"orig":{{"tn":"12025550147"}},"dest":{{"tn":["12025550199"]}},"rcd":{{"nam":"Example Bank"}},"crn":"Your card"{more}}}"#
    )
}

#[test]
fn metadata_of_this_call_is_shown_with_its_link_filled() {
    let digest = digest_of(b"png");
    let text = claims(r#","lnk":"https://brand.example/ring?c={caller}&r={ring}&l={language}","ofr":{"id":"coffee","text":"A coffee for your time"}"#)
        .replace(r#""nam":"Example Bank""#, r#""nam":"Example Bank","apn":"+1 (202) 555-0147","icn":"https://brand.example/i.png""#)
        .replace(r#","crn""#, &format!(r#","rcdi":{{"/icn":"{digest}"}},"crn""#));
    let card = judged(&text).unwrap();
    assert_eq!(
        card,
        Card {
            name: Some("Example Bank".into()),
            reason: Some("Your card".into()),
            picture: Some(Content {
                address: "https://brand.example/i.png".into(),
                digest: Some(digest.clone()),
            }),
            details: None,
            details_digests: vec![],
            link: Some("https://brand.example/ring?c=%2B12025550147&r=leg_01&l=en".into()),
            incentive: Some(Incentive {
                id: "coffee".into(),
                text: "A coffee for your time".into()
            }),
        }
    );
    assert!(picture_is(b"png", &digest));
    assert!(!picture_is(b"other", &digest));
}

#[test]
fn what_disagrees_rings_plainly() {
    let swap = |from: &str, to: &str| judged(&claims("").replace(from, to));
    for (what, found, plain) in [
        (
            "nothing inside",
            judged(r#"{"orig":{"tn":"12025550147"}}"#),
            Plain::None,
        ),
        (
            "caller id is not the source",
            swap(
                r#""nam":"Example Bank""#,
                r#""nam":"Example Bank","apn":"12025550111""#,
            ),
            Plain::CallerNotSource,
        ),
        (
            "source is not the caller",
            swap("12025550147", "12025550148"),
            Plain::SourceNotCaller,
        ),
        (
            "no source",
            swap(r#""orig":{"tn":"12025550147"},"#, ""),
            Plain::SourceNotCaller,
        ),
        (
            "meant for another",
            swap("12025550199", "12025550198"),
            Plain::OtherCall,
        ),
        (
            "meant for nobody",
            swap(r#"["12025550199"]"#, "[]"),
            Plain::OtherCall,
        ),
    ] {
        assert_eq!(found, Err(plain), "{what}");
    }
    let malformed = swap(r#"{"nam":"Example Bank"}"#, "[]");
    assert_eq!(malformed.unwrap_err().code(), "metadata_malformed");
}

#[test]
fn hostile_texts_are_one_plain_line() {
    let text = claims("").replace(
        "Your card",
        &format!("<img onerror=x>\\n\\u202eevil{}", "x".repeat(10_000)),
    );
    let reason = judged(&text).unwrap().reason.unwrap();
    assert_eq!(reason.chars().count(), 64);
    assert!(!reason.contains(['\n', '\u{202e}']), "{reason:?}");
    // Markup stays text: who shows it escapes it, as the pages do.
    assert!(reason.starts_with("<img onerror=x>"), "{reason:?}");
}

#[test]
fn links_that_could_lead_elsewhere_are_refused() {
    for template in [
        "",
        "http://brand.example/",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "https://user@brand.example/",
        "https://{caller}.example/",
        "https://brand.example/{password}",
        "https://brand.example/{caller",
        "https://brand.example/caller}",
        "https://brand.example/ x",
        "https://brand.example\\@evil.example/",
    ] {
        assert_eq!(fill(template, &call()), Err(Plain::Link), "{template}");
    }
    let long = format!("https://brand.example/{}", "x".repeat(3_000));
    assert_eq!(fill(&long, &call()), Err(Plain::Link));
    let hostile = Call {
        caller: "sip:../../a?b=c#d@x",
        ..call()
    };
    assert_eq!(
        fill("https://brand.example/c/{caller}", &hostile).unwrap(),
        "https://brand.example/c/sip%3A..%2F..%2Fa%3Fb%3Dc%23d%40x"
    );
    for wrong in [
        r#","ofr":"x""#,
        r#","ofr":{"id":"a b","text":"x"}"#,
        r#","ofr":{"id":"a"}"#,
    ] {
        assert_eq!(judged(&claims(wrong)), Err(Plain::Incentive), "{wrong}");
    }
    assert_eq!(judged(&claims(r#","lnk":7"#)), Err(Plain::Link));
}
