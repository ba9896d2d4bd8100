//! Rich call data: the digests of RFC 9795, what is taken and what spoils all of it.
#![allow(clippy::unwrap_used)]

use cp_identity::json::Value;
use cp_identity::rcd::{RcdFault, digest_of, inert, read};

const CARD: &str = r#"["vcard",[["version",{},"text","4.0"],["fn",{},"text","Q Branch"],["org",{},"text","MI6;Q Branch Spy Gadgets"],["photo",{},"uri","https://example.com/photos/quartermaster-256x256.png"],["logo",{},"uri","https://example.com/logos/mi6-256x256.jpg"],["logo",{},"uri","https://example.com/logos/mi6-64x64.jpg"]]]"#;

#[test]
fn digests() {
    assert_eq!(
        digest_of(CARD.as_bytes()),
        "sha256-7kdCBZqH0nqMSPsmABvsKlHPhZEStgjojhdSJGRr3rk"
    );
    let other = CARD.replace("quartermaster-256x256", "q-256x256");
    assert_eq!(
        digest_of(other.as_bytes()),
        "sha256-qCn4pEH6BJu7zXndLFuAP6DwlTv5fRmJ1AFkqftwnCs"
    );
    assert_eq!(
        digest_of(b"\"Q Branch Spy Gadgets\""),
        "sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY"
    );
}

#[test]
fn what_is_taken() {
    let digest = digest_of(CARD.as_bytes());
    let claims = |text: &str| Value::parse(text.as_bytes()).unwrap();
    for (name, text, fault) in [
        ("name only", r#"{"rcd":{"nam":"Q"}}"#.to_string(), None),
        (
            "reason only",
            r#"{"crn":"For your ears only"}"#.into(),
            None,
        ),
        (
            "card and its pictures with digests",
            format!(
                r#"{{"rcd":{{"nam":"Q","jcd":{CARD}}},"rcdi":{{"/jcd":"{digest}","/jcd/1/3/3":"sha256-a","/jcd/1/4/3":"sha256-b","/jcd/1/5/3":"sha256-c"}}}}"#
            ),
            None,
        ),
        (
            "card elsewhere, with what it names",
            r#"{"rcd":{"nam":"Q","jcl":"https://e.example/c"},"rcdi":{"/jcl":"sha256-x","/jcl/1/3/3":"sha256-y"}}"#.into(),
            None,
        ),
        (
            "card whose pictures have no digests",
            format!(r#"{{"rcd":{{"nam":"Q","jcd":{CARD}}},"rcdi":{{"/jcd":"{digest}"}}}}"#),
            Some(RcdFault::Undigested),
        ),
        (
            "card with a plain picture",
            r#"{"rcd":{"nam":"Q","jcd":["vcard",[["photo",{},"uri","http://e.example/i"]]]}}"#
                .into(),
            Some(RcdFault::Address),
        ),
        (
            "something else than a card",
            r#"{"rcd":{"nam":"Q","jcd":[]}}"#.into(),
            Some(RcdFault::Card),
        ),
        (
            "icon with digest",
            r#"{"rcd":{"nam":"Q","icn":"https://e.example/i"},"rcdi":{"/icn":"sha256-x"}}"#.into(),
            None,
        ),
        ("no name", r#"{"rcd":{}}"#.into(), Some(RcdFault::NoName)),
        (
            "rcd is text",
            r#"{"rcd":"Q"}"#.into(),
            Some(RcdFault::NoName),
        ),
        (
            "icon without digest",
            r#"{"rcd":{"nam":"Q","icn":"https://e.example/i"}}"#.into(),
            Some(RcdFault::Undigested),
        ),
        (
            "http icon",
            r#"{"rcd":{"nam":"Q","icn":"http://e.example/i"}}"#.into(),
            Some(RcdFault::Address),
        ),
        (
            "script icon",
            r#"{"rcd":{"nam":"Q","icn":"javascript:alert(1)"}}"#.into(),
            Some(RcdFault::Address),
        ),
        (
            "both cards",
            r#"{"rcd":{"nam":"Q","jcd":[],"jcl":"https://e.example/c"}}"#.into(),
            Some(RcdFault::Card),
        ),
        (
            "wrong digest",
            format!(r#"{{"rcd":{{"nam":"Q","jcd":{CARD}}},"rcdi":{{"/jcd":"sha256-AAAA"}}}}"#),
            Some(RcdFault::Digest),
        ),
        (
            "other hash",
            r#"{"rcd":{"nam":"Q"},"rcdi":{"/nam":"sha1-x"}}"#.into(),
            Some(RcdFault::Digest),
        ),
        (
            "pointer to nothing",
            r#"{"rcd":{"nam":"Q"},"rcdi":{"/x/9":"sha256-x"}}"#.into(),
            Some(RcdFault::Digest),
        ),
        (
            "reason is a number",
            r#"{"crn":5}"#.into(),
            Some(RcdFault::Reason),
        ),
    ] {
        let found = read(claims(&text).as_object().unwrap());
        assert_eq!(found.err(), fault, "{name}");
    }
}

#[test]
fn hostile_words_are_inert() {
    assert_eq!(inert("a\r\nVia: x\u{202e}b\u{0}", 64), "a  Via: x b ");
    assert_eq!(inert(&"x".repeat(10_000), 64).len(), 64);
}
