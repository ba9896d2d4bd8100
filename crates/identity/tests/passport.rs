//! Tokens from signing to verdict, over a certificate authority of our own.
#![allow(clippy::unwrap_used)]

mod common;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use common::pki::World;
use cp_identity::canonical::Identifier;
use cp_identity::divert::{Diversion, NoDiv, diversions, nested};
use cp_identity::json::{Object, Value};
use cp_identity::passport::sign::{NewPassport, Signed};
use cp_identity::passport::{Attestation, Leniency, Passport, Ppt};
use cp_identity::verify::{Call, Policy, Report, needed, verify};
use cp_identity::{Fault, Verdict, b64};
use cp_vocab::Timestamp;
use proptest::prelude::*;
use std::sync::OnceLock;

const NOW_S: i64 = 1_800_000_000;
const ORIGID: &str = "123e4567-e89b-12d3-a456-426655440000";

fn n(text: &str) -> Identifier {
    Identifier::Number(text.into())
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

fn shaken(w: &World, orig: &str, dest: &str, iat: i64) -> Signed {
    let (orig, dest) = (n(orig), [n(dest)]);
    let new = NewPassport::shaken(&orig, &dest, iat, Attestation::A, ORIGID);
    w.signers[0].sign(&new, &SystemRandom::new()).unwrap()
}

fn call<'a>(orig: &'a str, dest: &'a str) -> Call<'a> {
    Call {
        orig: Some(orig),
        dest,
        date_s: None,
        date_binds: true,
        fingerprints: None,
        trusted_transfer: false,
    }
}

fn judge(w: &World, values: &[&str], c: &Call<'_>) -> Report {
    let now = Timestamp::from_secs(NOW_S as u64);
    verify(values, c, w, &w.trust, &Policy::default(), now)
}

const A: &str = "12155551212";
const B: &str = "12155551213";
const C: &str = "12155551214";
const D: &str = "12155551215";

fn divert(
    w: &World,
    by: usize,
    originals: &[&str],
    from: &str,
    to: &str,
) -> Result<Vec<Signed>, NoDiv> {
    let (from, to) = (n(from), n(to));
    let d = Diversion {
        from: &from,
        to: &to,
        iat: NOW_S,
        history_index: Some("1.1"),
    };
    diversions(originals, &d, &w.signers[by], &SystemRandom::new())
}

#[test]
fn two_hops_there_and_verified() {
    let w = world();
    let first = shaken(w, A, B, NOW_S).header;
    let second = divert(w, 1, &[&first], B, C).unwrap().remove(0).header;
    let third = divert(w, 0, &[&first, &second], C, D).unwrap();
    assert_eq!(third.len(), 1);
    let third = third[0].header.clone();
    let r = judge(w, &[&third, &first, &second, &first], &call(A, D));
    assert_eq!((r.verdict, r.fault), (Verdict::Valid, None));
    assert_eq!(r.attestation, Some(Attestation::A));
    assert_eq!(r.diversions, [B, C]);
    assert_eq!(r.origid.as_deref(), Some(ORIGID));
    // Any header left out breaks it.
    for values in [
        vec![&third, &first],
        vec![&third, &second],
        vec![&first, &second],
    ] {
        let values: Vec<&str> = values.into_iter().map(String::as_str).collect();
        assert_eq!(judge(w, &values, &call(A, D)).sip_code(), Some(438));
    }
    let urls = needed(&[&third, &first, &second], &Policy::default());
    assert_eq!(urls.len(), 2);
}

#[test]
fn nested_to_the_limit() {
    let w = world();
    let mut header = shaken(w, A, "12155550000", NOW_S).header;
    for i in 0..5 {
        let (from, to) = (
            n(&format!("1215555000{i}")),
            n(&format!("1215555000{}", i + 1)),
        );
        let d = Diversion {
            from: &from,
            to: &to,
            iat: NOW_S,
            history_index: None,
        };
        header = nested(&header, &d, &w.signers[i % 2], &SystemRandom::new())
            .unwrap()
            .header;
        let r = judge(w, &[&header], &call(A, to.as_str()));
        assert_eq!((r.verdict, r.diversions.len()), (Verdict::Valid, i + 1));
        let again = nested(&header, &d, &w.signers[0], &SystemRandom::new());
        assert_eq!(again, Err(NoDiv::Unlinked));
    }
    let (from, to) = (n("12155550005"), n("12155550006"));
    let d = Diversion {
        from: &from,
        to: &to,
        iat: NOW_S,
        history_index: None,
    };
    assert_eq!(
        nested(&header, &d, &w.signers[0], &SystemRandom::new()),
        Err(NoDiv::TooMany)
    );
}

#[test]
fn when_no_div_is_made() {
    let w = world();
    let first = shaken(w, A, B, NOW_S).header;
    assert_eq!(divert(w, 1, &[], B, C), Err(NoDiv::NoIdentity));
    assert_eq!(divert(w, 1, &[&first], B, B), Err(NoDiv::Unchanged));
    assert_eq!(divert(w, 1, &[&first], D, C), Err(NoDiv::Unlinked));
    assert_eq!(divert(w, 1, &["x;info=<y>"], B, C), Err(NoDiv::Unlinked));
    let mut own = World::new();
    let limited = own.add("Delegate", common::pki::number_list(B));
    assert!(divert(&own, limited, &[&first], B, C).is_ok());
    let other = shaken(&own, A, C, NOW_S).header;
    assert_eq!(divert(&own, limited, &[&other], C, D), Err(NoDiv::NotOurs));
    let mut all = vec![first];
    for i in 0..6 {
        let from = if i == 0 {
            B.to_string()
        } else {
            format!("1215555900{i}")
        };
        let values: Vec<&str> = all.iter().map(String::as_str).collect();
        match divert(w, 1, &values, &from, &format!("1215555900{}", i + 1)) {
            Ok(mut made) => all.push(made.remove(0).header),
            Err(e) => assert_eq!((i, e), (5, NoDiv::TooMany)),
        }
    }
    assert_eq!(all.len(), 6);
}

#[test]
fn old_inside_fresh_only_from_the_trusted() {
    let w = world();
    let first = shaken(w, A, B, NOW_S - 3_600).header;
    let second = divert(w, 1, &[&first], B, C).unwrap().remove(0).header;
    let mut c = call(A, C);
    assert_eq!(judge(w, &[&first, &second], &c).sip_code(), Some(403));
    c.trusted_transfer = true;
    assert_eq!(judge(w, &[&first, &second], &c).verdict, Verdict::Valid);
    let older = shaken(w, A, B, NOW_S - 10_801).header;
    assert_eq!(judge(w, &[&older, &second], &c).sip_code(), Some(403));
}

#[test]
fn number_certificates_and_the_inventory() {
    let mut w = World::new();
    let of_a = w.add("Delegate", common::pki::number_list(A));
    let (a, d, dest) = (n(A), n(D), [n(B)]);
    for (orig, code) in [(&a, None), (&d, Some(437))] {
        let new = NewPassport::shaken(orig, &dest, NOW_S, Attestation::A, ORIGID);
        let header = w.signers[of_a]
            .sign(&new, &SystemRandom::new())
            .unwrap()
            .header;
        assert_eq!(
            judge(&w, &[&header], &call(orig.as_str(), B)).sip_code(),
            code
        );
    }
    let first = shaken(&w, A, B, NOW_S).header;
    let by_stranger = divert(&w, 1, &[&first], B, C).unwrap().remove(0).header;
    assert_eq!(
        judge(&w, &[&first, &by_stranger], &call(A, C)).verdict,
        Verdict::Valid
    );
    w.holders.insert(B.into(), "709J".into());
    let r = judge(&w, &[&first, &by_stranger], &call(A, C));
    assert_eq!(r.fault, Some(Fault::NotAuthoritative));
}

#[test]
fn one_bad_header_does_not_spoil_a_good_one() {
    let w = world();
    let good = shaken(w, A, B, NOW_S).header;
    let bad = good.replace("eyJ", "eyK");
    let unknown = good.replace("ppt=shaken", "ppt=future");
    for values in [vec![&bad, &good], vec![&good, &bad], vec![&unknown, &good]] {
        let values: Vec<&str> = values.into_iter().map(String::as_str).collect();
        let r = judge(w, &values, &call(A, B));
        assert_eq!(r.verdict, Verdict::Valid);
        assert_eq!(r.headers.iter().filter(|h| h.outcome.is_err()).count(), 1);
    }
}

#[test]
fn nothing_to_verify() {
    let w = world();
    let good = shaken(w, A, B, NOW_S).header;
    let r = judge(w, &[], &call(A, B));
    assert_eq!((r.verdict, r.sip_code()), (Verdict::None, Some(428)));
    let anonymous = Call {
        orig: None,
        ..call(A, B)
    };
    let r = judge(w, &[&good], &anonymous);
    assert_eq!((r.verdict, r.sip_code()), (Verdict::None, None));
    let many = vec![good.as_str(); 13];
    assert_eq!(judge(w, &many, &call(A, B)).sip_code(), Some(438));
}

#[test]
fn media_keys() {
    let w = world();
    let print = ("sha-256", "02:1a:cc:54");
    let mut claims = Object::from([
        ("iat".into(), Value::Int(NOW_S)),
        (
            "orig".into(),
            Value::parse(br#"{"tn":"12155551212"}"#).unwrap(),
        ),
        (
            "dest".into(),
            Value::parse(br#"{"tn":["12155551213"]}"#).unwrap(),
        ),
    ]);
    claims.insert(
        "mky".into(),
        Value::parse(br#"[{"alg":"sha-256","dig":"021ACC54"}]"#).unwrap(),
    );
    let header = w.signers[0]
        .sign_claims(None, claims, &SystemRandom::new())
        .unwrap()
        .header;
    let mut c = call(A, B);
    for (offered, fault) in [
        (None, None),
        (Some(&[print][..]), None),
        (
            Some(&[("sha-256", "03:1a:cc:54")][..]),
            Some(Fault::MediaKeyMismatch),
        ),
        (Some(&[][..]), Some(Fault::MediaKeyMismatch)),
    ] {
        c.fingerprints = offered;
        assert_eq!(judge(w, &[&header], &c).fault, fault);
    }
}

#[test]
fn compact_form() {
    let w = world();
    let (a, b) = (n(A), [n(B)]);
    let new = NewPassport {
        ppt: Ppt::Base,
        orig: &a,
        dest: &b,
        iat: NOW_S,
        more: Object::new(),
    };
    let signed = w.signers[0].sign(&new, &SystemRandom::new()).unwrap();
    let signature = signed.token.rsplit('.').next().unwrap();
    let header = format!("..{signature};info=<https://cert.example.org/0.pem>");
    let mut c = call(A, B);
    assert_eq!(
        judge(w, &[&header], &c).fault,
        Some(Fault::CompactForm),
        "no Date"
    );
    c.date_s = Some(NOW_S);
    assert_eq!(judge(w, &[&header], &c).verdict, Verdict::Valid);
    c.date_s = Some(NOW_S + 1);
    assert_eq!(judge(w, &[&header], &c).fault, Some(Fault::Signature));
    let as_shaken = format!("{header};ppt=shaken");
    assert_eq!(judge(w, &[&as_shaken], &c).fault, Some(Fault::CompactForm));
}

/// Published tokens and the keys they do or do not verify with.
#[test]
fn tokens_of_the_rfcs() {
    let Some(facts) = common::shared("facts/identity.md") else {
        return;
    };
    let tokens: Vec<&str> = facts
        .split(['`', '\n'])
        .filter(|t| t.starts_with("eyJ") && t.split('.').count() == 3)
        .collect();
    let point = |pem: &str| {
        let text: String = pem.chars().filter(|c| !c.is_whitespace()).collect();
        let url = text.replace('+', "-").replace('/', "_").replace('=', "");
        b64::decode(&url).unwrap()[26..].to_vec()
    };
    let k8225 = point(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==",
    );
    let k8946 = point(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmzGM1VsO+3IqbMF54rQMaYKQftO4hUYm9wv5wutLgEd9FsiTy3+4+Wa2O7pffOXPC0QzO+yD8hGEXGP/2mZo6w==",
    );
    let lenient = Leniency {
        iat_as_text: true,
        origid_any: false,
    };
    let verified = |t: &str, key: &[u8]| {
        let (input, signature) = t.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        key.verify(input.as_bytes(), &b64::decode(signature).unwrap())
            .is_ok()
    };
    let read = |t: &str, l| Passport::parse(t, l).map(|p| p.dest).map_err(Fault::code);
    // V-1: the string iat needs leniency.
    assert!(verified(tokens[0], &k8225));
    assert_eq!(read(tokens[0], Leniency::default()), Err("claim_malformed"));
    assert_eq!(
        read(tokens[0], lenient),
        Ok(vec!["sip:alice@example.com".into()])
    );
    // V-2: signed with no published key.
    assert!(!verified(tokens[1], &k8225));
    assert!(read(tokens[1], Leniency::default()).is_ok());
    // V-3, V-4: good signatures, but the link has a digit too many.
    assert!(verified(tokens[2], &k8946) && verified(tokens[3], &k8946));
    let p = Passport::parse(tokens[3], Leniency::default()).unwrap();
    assert_eq!(p.div.as_deref(), Some("121555551213"));
    assert!(
        !read(tokens[2], lenient)
            .unwrap()
            .contains(p.div.as_ref().unwrap())
    );
    // V-5: dest.tn is text.
    assert!(verified(tokens[4], &k8946));
    assert_eq!(read(tokens[4], lenient), Err("claim_malformed"));
    // O-1 to O-3.
    for t in &tokens[5..8] {
        assert!(verified(t, &k8946) && read(t, Leniency::default()).is_ok());
        // What we would write of the same claims is the same, byte for byte.
        let input = &t[..t.rfind('.').unwrap()];
        let p = Passport::parse(t, Leniency::default()).unwrap();
        let ours = cp_identity::passport::sign::signing_input(p.ppt.as_str(), &p.x5u, p.claims);
        assert_eq!(ours, input);
    }
}

/// Cases of each property; `CP_CASES=100000` for a long run.
fn cases() -> u32 {
    let wanted = std::env::var("CP_CASES").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn signed_is_verified(orig in "[1-9][0-9]{6,14}", dest in "[1-9*#][0-9*#]{2,13}", iat in NOW_S - 60..=NOW_S + 60, attest in 0..3) {
        let w = world();
        let attest = [Attestation::A, Attestation::B, Attestation::C][attest as usize];
        let (o, d) = (n(&orig), [n(&dest)]);
        let new = NewPassport::shaken(&o, &d, iat, attest, ORIGID);
        let header = w.signers[0].sign(&new, &SystemRandom::new()).unwrap().header;
        let r = judge(w, &[&header], &call(&orig, &dest));
        prop_assert_eq!(r.verdict, Verdict::Valid);
        prop_assert_eq!(r.attestation, Some(attest));
    }

    #[test]
    fn any_header(value in "\\PC{0,200}") {
        let w = world();
        let r = judge(w, &[&value], &call(A, B));
        prop_assert_ne!(r.verdict, Verdict::Valid);
    }

    #[test]
    fn anything_around_the_dots(jose in "\\PC{0,60}", claims in "\\PC{0,120}", signature in proptest::collection::vec(any::<u8>(), 0..70)) {
        let token = format!("{}.{}.{};info=<https://cert.example.org/0.pem>", b64::encode(jose.as_bytes()), b64::encode(claims.as_bytes()), b64::encode(&signature));
        prop_assert_ne!(judge(world(), &[&token], &call(A, B)).verdict, Verdict::Valid);
    }

    /// One changed character of token or address is never valid.
    #[test]
    fn one_changed_character(at in 0usize..500, to in proptest::char::range(' ', '~')) {
        let w = world();
        static HEADER: OnceLock<String> = OnceLock::new();
        let header = HEADER.get_or_init(|| shaken(w, A, B, NOW_S).header);
        let end = header.find(";alg").unwrap();
        let at = at % end;
        let mut changed: Vec<char> = header.chars().collect();
        prop_assume!(changed[at] != to);
        changed[at] = to;
        let changed: String = changed.into_iter().collect();
        // Names of parameters are read in any case, and space around them is none.
        let same_meaning = at >= header.find(";info").unwrap() && at < header.find('<').unwrap();
        let r = judge(w, &[&changed], &call(A, B));
        prop_assert!(r.verdict != Verdict::Valid || same_meaning, "{}", changed);
    }

    #[test]
    fn canonical_json_is_idempotent(claims in proptest::collection::btree_map("\\PC{0,6}", prop_oneof![
        any::<i64>().prop_map(Value::Int), "\\PC{0,9}".prop_map(Value::Text), Just(Value::Null), any::<bool>().prop_map(Value::Bool),
        proptest::collection::vec(any::<i64>().prop_map(Value::Int), 0..4).prop_map(Value::List),
    ], 0..8)) {
        let value = Value::Object(claims);
        let once = value.canonical();
        let read = Value::parse(once.as_bytes()).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.canonical(), once);
    }
}
