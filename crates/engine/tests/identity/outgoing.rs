//! Calls that leave: who signs, for what, and what a refusal leads to.

use crate::bench::*;
use cp_identity::passport::Attestation;
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_vocab::model::*;

fn identities(m: &Message) -> Vec<String> {
    m.headers(HeaderName::Identity)
        .map(str::to_string)
        .collect()
}

/// The exchange calls out with this caller.
fn call_out(b: &mut Bench, caller: &str) -> Message {
    b.invite(EXCHANGE, caller, C, "out", &[]);
    b.invites_to(CARRIER).pop().expect("it leaves").1
}

#[test]
fn attestation_follows_what_we_know() {
    // A customer of ours with a number of theirs, and with another one.
    for (caller, want) in [(B, Attestation::A), ("+12155559999", Attestation::B)] {
        let mut b = Bench::new();
        let sent = call_out(&mut b, caller);
        let report = b.verified_beyond(&sent, caller);
        assert!(is_valid(&report), "{:?}", report.fault);
        assert_eq!(report.attestation, Some(want), "{caller}");
        assert_eq!(b.steps(), [format!("signed attestation_{}", want.as_str())]);
        let at = sent.header(HeaderName::Date).unwrap();
        assert_eq!(cp_vocab::Timestamp::parse_sip_date(at), Some(b.now));
    }
    // What came from the world and leaves again: only where it came in.
    let mut b = Bench::with(|s| {
        s.numbers[0].destination = Destination::Dial {
            target: DialTarget::Trunk {
                trunk: s.trunks[0].id,
                number: C.into(),
            },
            record: false,
        };
    });
    b.invite(CARRIER, A, B, "x", &[]);
    let (_, sent) = b.invites_to(CARRIER).pop().unwrap();
    assert_eq!(
        b.verified_beyond(&sent, A).attestation,
        Some(Attestation::C)
    );
    // The number itself forwards: it is said who did, and a signed call keeps its token.
    assert!(sent.header(HeaderName::Diversion).unwrap().contains(B));
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "y", std::slice::from_ref(&token));
    let (_, sent) = b.invites_to(CARRIER).pop().unwrap();
    let report = b.verified_beyond(&sent, A);
    assert_eq!(
        (is_valid(&report), report.attestation),
        (true, Some(Attestation::A))
    );
    assert_eq!(report.diversions, ["12155551213"]);
}

#[test]
fn each_call_has_its_own_origid_in_canonical_claims() {
    let mut b = Bench::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let sent = call_out(&mut b, B);
        let report = b.verified_beyond(&sent, B);
        seen.push(report.origid.unwrap());
        let header = &identities(&sent)[0];
        let claims = header.split('.').nth(1).unwrap();
        let json = String::from_utf8(cp_identity::b64::decode(claims).unwrap()).unwrap();
        let iat = b.now.as_micros() / 1_000_000;
        let origid = &seen[seen.len() - 1];
        assert_eq!(
            json,
            format!(
                r#"{{"attest":"A","dest":{{"tn":["12155551214"]}},"iat":{iat},"orig":{{"tn":"12155551213"}},"origid":"{origid}"}}"#
            )
        );
    }
    seen.dedup();
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_refused_identity_is_signed_anew_once() {
    let mut b = Bench::new();
    let first = call_out(&mut b, B);
    b.pass(std::time::Duration::from_secs(3));
    b.answer(CARRIER, 438, "");
    let again = b.invites_to(CARRIER);
    assert_eq!(again.len(), 2);
    assert_ne!(identities(&again[1].1), identities(&first));
    b.answer(CARRIER, 438, "");
    assert_eq!(b.invites_to(CARRIER).len(), 2);
    let refused = |m: &&Message| !m.is_request() && m.status() >= 400;
    assert_eq!(
        b.sent.iter().map(|(_, m)| m).filter(refused).count(),
        1,
        "the caller is told"
    );
}

#[test]
fn who_has_no_certificate_or_does_not_want_to_signs_nothing() {
    let mut b = Bench::with(|s| s.certificates.clear());
    assert!(identities(&call_out(&mut b, B)).is_empty());
    let mut b = Bench::with(|s| s.trunks[0].identity.sign = false);
    assert!(identities(&call_out(&mut b, B)).is_empty());
}

#[test]
fn what_is_passed_on_is_unchanged() {
    let mut b = Bench::with(|s| s.trunks[1].identity.pass = true);
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "x", std::slice::from_ref(&token));
    let (_, sent) = b.invites_to(EXCHANGE).pop().unwrap();
    assert_eq!(
        identities(&sent),
        [token.strip_prefix("Identity: ").unwrap()]
    );
}

#[test]
fn a_customers_exchange_calls_only_where_it_may() {
    let mut b = Bench::with(|s| s.trunks[1].may_dial_out = false);
    b.invite(EXCHANGE, B, C, "x", &[]);
    assert_eq!(b.responses(404).len(), 1);
    let mut b = Bench::new();
    b.invite(EXCHANGE, B, "911", "x", &[]);
    assert!(b.invites_to(CARRIER).is_empty());
}
