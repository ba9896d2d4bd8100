//! Calls that come in: who is believed, who waits, who is refused.

use crate::bench::*;
use cp_identity::passport::Attestation;
use cp_sip::header::HeaderName;
use cp_vocab::Event;
use cp_vocab::model::*;
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The carrier's trunk, changed.
fn carrier(change: impl FnOnce(&mut TrunkIdentity)) -> Bench {
    Bench::with(|s| change(&mut s.trunks[0].identity))
}

#[test]
fn a_signed_call_rings_with_its_verdict() {
    let mut b = Bench::new();
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "one", &[token]);
    assert_eq!(b.judged(), ("number".into(), "valid".into(), vec![]));
    match b.events("identity.judged")[0] {
        Event::IdentityJudged {
            trust,
            attestation,
            origid,
            headers,
            code,
            ..
        } => {
            assert_eq!(trust.by.as_deref(), Some("709J"));
            assert_eq!(trust.at, b.now);
            assert_eq!(trust.who.as_ref().unwrap().expose(), "12155551212");
            assert_eq!(attestation.as_deref(), Some("A"));
            assert_eq!(
                origid.as_deref(),
                Some("123e4567-e89b-12d3-a456-426655440000")
            );
            assert_eq!((*headers, *code), (1, None));
        }
        _ => unreachable!(),
    }
    let (_, rung) = b.invites_to(DESK_IP).pop().unwrap();
    assert_eq!(
        rung.header(HeaderName::PAssertedIdentity),
        Some("<tel:+12155551212;verstat=TN-Validation-Passed>")
    );
    assert_eq!(b.fetched.len(), 1);
    // The next call finds the certificate; nobody fetches or waits.
    let token = b.token(A, DESK, Attestation::B);
    b.invite(CARRIER, A, DESK, "two", &[token]);
    assert_eq!(b.fetched.len(), 1);
    assert_eq!(
        b.judged(),
        (
            "asserted".into(),
            "valid".into(),
            vec!["attestation_b".into()]
        )
    );
}

/// What a call came with, what it is called, and the status it would be refused with.
#[test]
fn every_fault_has_its_verdict_and_status() {
    type Make = fn(&mut Bench) -> Vec<String>;
    let table: &[(&str, Make, &str, &str, u16)] = &[
        ("nothing", |_| vec![], "none", "no_identity", 428),
        (
            "an unknown type",
            |b| {
                let t = b.token(A, DESK, Attestation::A);
                let head = "eyJhbGciOiJFUzI1NiIsInBwdCI6InJwaCIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmZhci5leGFtcGxlLzcwOUoucGVtIn0";
                let rest = t
                    .split_once('.')
                    .unwrap()
                    .1
                    .replace("ppt=shaken", "ppt=rph");
                vec![format!("Identity: {head}.{rest}")]
            },
            "none",
            "unsupported_ppt",
            428,
        ),
        (
            "a forged signature",
            |b| {
                let t = b.token(A, DESK, Attestation::A);
                let at = t.find(";info").unwrap() - 10;
                let other = if &t[at..at + 1] == "A" { "B" } else { "A" };
                vec![format!("{}{other}{}", &t[..at], &t[at + 1..])]
            },
            "invalid",
            "signature",
            438,
        ),
        (
            "an old token",
            |b| {
                let old = cp_vocab::Timestamp(b.now.0 - 61_000_000);
                vec![b.token_at(A, DESK, Attestation::A, old)]
            },
            "stale",
            "stale",
            403,
        ),
        (
            "a token of tomorrow",
            |b| vec![b.token_at(A, DESK, Attestation::A, b.now + seconds(61))],
            "stale",
            "stale",
            403,
        ),
        (
            "another caller's token",
            |b| vec![b.token("+12155559999", DESK, Attestation::A)],
            "invalid",
            "orig_mismatch",
            438,
        ),
        (
            "a token for somebody else",
            |b| vec![b.token(A, C, Attestation::A)],
            "invalid",
            "dest_mismatch",
            438,
        ),
        (
            "a foreign certificate",
            |b| {
                let (pem, key) = Authority::new().provider("709J");
                let url = "https://cert.foreign.example/x.pem";
                b.web.insert(url.into(), pem.clone());
                let signer =
                    cp_identity::passport::sign::Signer::from_pem(&key, &pem, url).unwrap();
                vec![sign(&signer, A, DESK, Attestation::A, b.now)]
            },
            "invalid",
            "certificate_untrusted",
            437,
        ),
        (
            "a certificate that is not there",
            |b| {
                b.web.clear();
                vec![b.token(A, DESK, Attestation::A)]
            },
            "refused",
            "fetch_failed",
            436,
        ),
        (
            "a certificate on a private address",
            |b| {
                let t = b.token(A, DESK, Attestation::A);
                let (pem, key) = b.root.provider("709J");
                let _ = t;
                let url = "https://127.0.0.1/x.pem";
                let signer =
                    cp_identity::passport::sign::Signer::from_pem(&key, &pem, url).unwrap();
                vec![sign(&signer, A, DESK, Attestation::A, b.now)]
            },
            "refused",
            "fetch_refused",
            436,
        ),
        (
            "a broken header",
            |_| vec!["Identity: what".into()],
            "invalid",
            "header_malformed",
            438,
        ),
    ];
    for (what, make, verdict, reason, code) in table {
        // By default the call goes on and tells the peer why it is not believed.
        let mut b = Bench::new();
        let headers = make(&mut b);
        b.invite(CARRIER, A, DESK, "x", &headers);
        let (_, found, reasons) = b.judged();
        assert_eq!(
            (found.as_str(), reasons[0].as_str()),
            (*verdict, *reason),
            "{what}"
        );
        assert_eq!(b.invites_to(DESK_IP).len(), 1, "{what} rings");
        b.answer(DESK_IP, 180, "");
        let ringing = b.responses(180);
        let told = ringing[0].header(HeaderName::Reason).unwrap();
        assert!(
            told.starts_with(&format!("STIR ;cause={code} ;text=")),
            "{what}: {told}"
        );
        assert!(b.responses(100)[0].header(HeaderName::Reason).is_none());
        // Where the trunk wants it, it is refused with its status and nothing begins.
        let mut b = carrier(|i| i.on_failure = IdentityFailure::Reject);
        let headers = make(&mut b);
        b.invite(CARRIER, A, DESK, "x", &headers);
        assert_eq!(b.responses(*code).len(), 1, "{what}");
        assert!(b.invites_to(DESK_IP).is_empty(), "{what}");
        assert!(b.events("interaction.started").is_empty(), "{what}");
        assert_eq!(b.events("trunk.identity_refused").len(), 1, "{what}");
        // Without a claim a call goes on when only false claims are to be refused.
        let mut b = carrier(|i| i.on_failure = IdentityFailure::RejectFailed);
        let headers = make(&mut b);
        b.invite(CARRIER, A, DESK, "x", &headers);
        assert_eq!(
            b.invites_to(DESK_IP).len(),
            usize::from(*verdict == "none"),
            "{what}"
        );
    }
}

#[test]
fn one_bad_header_does_not_spoil_a_good_one() {
    let mut b = Bench::new();
    let good = b.token(A, DESK, Attestation::A);
    let headers = ["Identity: what;info=<x>".to_string(), good.clone(), good];
    b.invite(CARRIER, A, DESK, "x", &headers);
    assert_eq!(b.judged().1, "valid");
}

#[test]
fn reasons_in_the_old_form_or_not_at_all() {
    for (form, want) in [
        (
            IdentityReason::Sip,
            Some("SIP;cause=428;text=\"Use Identity Header\""),
        ),
        (IdentityReason::None, None),
    ] {
        let mut b = carrier(|i| i.reason = form);
        b.invite(CARRIER, A, DESK, "x", &[]);
        b.answer(DESK_IP, 180, "");
        assert_eq!(b.responses(180)[0].header(HeaderName::Reason), want);
    }
}

#[test]
fn nobody_waits_longer_than_the_limit() {
    let mut b = Bench::new();
    b.hold_fetches = true;
    for i in 0..1_000 {
        let token = b.token(A, DESK, Attestation::A);
        b.invite(CARRIER, A, DESK, &format!("c{i}"), &[token]);
    }
    assert_eq!(b.fetched.len(), 1, "one fetch for a thousand calls");
    assert!(b.invites_to(DESK_IP).is_empty());
    assert_eq!(
        b.responses(100).len(),
        1_000,
        "the callers are told to wait"
    );
    b.pass(Duration::from_millis(1_499));
    assert!(b.invites_to(DESK_IP).is_empty());
    b.pass(Duration::from_millis(1));
    assert_eq!(b.invites_to(DESK_IP).len(), 1_000);
    assert_eq!(
        b.judged(),
        (
            "unknown".into(),
            "refused".into(),
            vec!["fetch_failed".into()]
        )
    );
    // Late is late for those, and good for the next.
    b.deliver();
    b.hold_fetches = false;
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "next", &[token]);
    assert_eq!(b.judged().1, "valid");
}

#[test]
fn who_gives_up_at_the_door_leaves_nothing() {
    let mut b = Bench::new();
    b.hold_fetches = true;
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "x", &[token]);
    b.cancel(CARRIER, A, DESK, "x");
    b.deliver();
    b.pass(seconds(40));
    assert!(b.events("interaction.started").is_empty());
    assert!(b.invites_to(DESK_IP).is_empty());
    let full: Vec<_> = b
        .engine
        .tables()
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .collect();
    assert_eq!(full, vec![]);
}

#[test]
fn a_token_shown_twice_is_noted_or_refused() {
    let mut b = Bench::new();
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "first", std::slice::from_ref(&token));
    assert_eq!(b.judged().0, "number");
    b.invite(CARRIER, A, DESK, "second", std::slice::from_ref(&token));
    assert_eq!(
        b.judged(),
        ("asserted".into(), "valid".into(), vec!["replayed".into()])
    );
    let mut b = carrier(|i| {
        i.refuse_replayed = true;
        i.on_failure = IdentityFailure::RejectFailed;
    });
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "first", std::slice::from_ref(&token));
    b.invite(CARRIER, A, DESK, "second", &[token]);
    assert_eq!(b.responses(438).len(), 1);
}

#[test]
fn marks_of_strangers_count_for_nothing() {
    let forged = [
        "P-Asserted-Identity: <tel:+12155550000;verstat=TN-Validation-Passed>".to_string(),
        "X-Verstat: TN-Validation-Passed".to_string(),
        "P-Attestation-Indicator: A".to_string(),
    ];
    let from = "<sip:+12155551212;verstat=TN-Validation-Passed@far.example;user=phone>";
    let mut b = Bench::new();
    b.invite_from(CARRIER, from, DESK, "x", &forged);
    assert_eq!(b.judged().1, "none");
    let (_, rung) = b.invites_to(DESK_IP).pop().unwrap();
    let text = String::from_utf8_lossy(rung.bytes()).into_owned();
    assert!(
        !text.contains("Passed") && !text.contains("12155550000"),
        "{text}"
    );
    assert!(!text.contains("Attestation") && text.contains("verstat=No-TN-Validation"));
    // A trunk whose word counts is believed, and no further than its word goes.
    let mut b = carrier(|i| i.trusted = true);
    b.invite_from(CARRIER, from, DESK, "x", &forged);
    assert_eq!(
        b.judged(),
        ("asserted".into(), "valid".into(), vec!["trunk_word".into()])
    );
    let (_, rung) = b.invites_to(DESK_IP).pop().unwrap();
    assert!(
        rung.from().unwrap().uri.contains("12155550000"),
        "the asserted caller is shown"
    );
}

#[test]
fn an_anonymous_caller_is_not_judged_for_it() {
    let mut b = carrier(|i| i.on_failure = IdentityFailure::Reject);
    let token = b.token(A, DESK, Attestation::A);
    b.invite_from(
        CARRIER,
        "<sip:anonymous@anonymous.invalid>",
        DESK,
        "x",
        &[token],
    );
    assert_eq!(b.judged().2, vec!["anonymous".to_string()]);
    assert_eq!(b.invites_to(DESK_IP).len(), 1);
}

#[test]
fn a_trunk_may_be_left_unverified() {
    let mut b = carrier(|i| i.verify = false);
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "x", &[token]);
    assert!(b.events("identity.judged").is_empty());
    assert!(b.fetched.is_empty());
    let (_, rung) = b.invites_to(DESK_IP).pop().unwrap();
    assert!(rung.header(HeaderName::PAssertedIdentity).is_none());
}
