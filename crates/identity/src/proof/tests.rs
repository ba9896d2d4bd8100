use super::assertion::{Claims, Place};
use super::jws::{SigningKey, TokenFault};
use super::record::{ClaimedBy, Proven, Record};
use super::*;
use aws_lc_rs::rand::SystemRandom;
use cp_vocab::id::TypedId;
use cp_vocab::person::{Fact, Field, FieldClass};
use cp_vocab::proof::{CallerPartner, FactTest, LockedFields, PlacementRule, Tries};
use cp_vocab::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn policy() -> ProofPolicy {
    let mut p = ProofPolicy::with_defaults(ProofPolicyId::from_u128(1), tenant());
    p.intents = [("balance".to_string(), 2), ("transfer".to_string(), 3)].into();
    p
}
fn tenant() -> TenantId {
    TenantId::from_u128(7)
}
fn call(n: u128) -> InteractionId {
    InteractionId::from_u128(n)
}
fn leg(n: u128) -> LegId {
    LegId::from_u128(n)
}
fn key(kid: &str) -> SigningKey {
    let der = SigningKey::generate(&SystemRandom::new()).unwrap();
    SigningKey::from_pkcs8(kid, &der).unwrap()
}
fn proven(method: ProofMethod, at: Timestamp, intent: Option<&str>) -> Proven {
    Proven {
        method,
        at,
        intent: intent.map(Into::into),
        by: None,
    }
}
fn record(proofs: Vec<Proven>) -> Record {
    Record {
        person: Some(PersonId::from_u128(3)),
        leg: Some(leg(5)),
        proofs,
        ..Record::default()
    }
}

#[test]
fn what_proofs_are_worth_together() {
    use ProofMethod::*;
    let p = policy();
    let table: &[(&[ProofMethod], u8)] = &[
        (&[], 0),
        (&[Knowledge], 1),
        (&[Pin], 2),
        (&[Code], 2),
        // Both are known: no more than one of them.
        (&[Knowledge, Pin], 2),
        (&[Totp, Code], 2),
        (&[Pin, Code], 3),
        (&[Photo, Pin], 3),
        (&[DeviceKey], 3),
        (&[Passkey], 3),
        (&[Passkey, Pin], 4),
        (&[Knowledge, Passkey], 3),
    ];
    for (methods, want) in table {
        assert_eq!(level(&p, methods.iter().copied()), *want, "{methods:?}");
    }
    let mut strict = policy();
    strict.levels.insert(Code, 0);
    assert_eq!(level(&strict, [Code]), 0, "a way that is not accepted");
}

#[test]
fn what_is_asked_for_decides_what_is_enough() {
    let p = policy();
    let r = record(vec![proven(ProofMethod::Pin, NOW, None)]);
    assert!(r.allows(&p, "balance", NOW));
    assert!(!r.allows(&p, "transfer", NOW));
    assert!(r.allows(&p, "opening hours", NOW), "nothing is needed");
    assert_eq!(r.scope(&p, NOW), ["balance"]);
}

#[test]
fn a_step_up_raises_only_what_was_asked() {
    let p = policy();
    let mut r = record(vec![proven(ProofMethod::Pin, NOW, None)]);
    r.add(proven(ProofMethod::Code, NOW, Some("transfer")));
    assert!(r.allows(&p, "transfer", NOW));
    assert_eq!(r.level(&p, NOW), 2, "for everything else as before");
}

#[test]
fn proofs_age_and_are_of_one_person() {
    let p = policy();
    let mut r = record(vec![proven(ProofMethod::Pin, NOW, None)]);
    let later = NOW + Duration::from_secs(3_599);
    assert_eq!(r.level(&p, later), 2);
    assert_eq!(r.level(&p, later + Duration::from_secs(1)), 0);
    r.claim(PersonId::from_u128(4), ClaimedBy::Agent);
    assert_eq!(r.level(&p, NOW), 0, "somebody else has proven nothing");
    let mut over = record(vec![proven(ProofMethod::Pin, NOW, None)]);
    over.revoked = true;
    assert_eq!(over.level(&p, NOW), 0);
    assert_eq!(over.claims(&p, (tenant(), call(1)), "j", NOW), None);
}

fn claims() -> Claims {
    let r = record(vec![proven(ProofMethod::Passkey, NOW, None)]);
    r.claims(&policy(), (tenant(), call(1)), "j1", NOW).unwrap()
}
fn place() -> Place<'static> {
    Place {
        tenant: tenant(),
        interaction: call(1),
        leg: leg(5),
        current: Some("j1"),
    }
}

#[test]
fn an_assertion_says_who_how_and_for_what() {
    let k = key("a");
    let token = assertion::sign(&k, &claims(), &SystemRandom::new()).unwrap();
    let read = assertion::verify(&[k], &token, place(), NOW).unwrap();
    assert_eq!((read.acr, read.methods), (3, vec![ProofMethod::Passkey]));
    assert_eq!(read.amr, ["hwk"]);
    assert_eq!(read.scp, ["balance", "transfer"]);
    assert_eq!(read.exp - read.iat, assertion::ASSERTION_S_MAX);
}

/// `change` makes an otherwise good assertion one that must be refused.
fn refused(change: impl Fn(&mut Claims), want: TokenFault) {
    let k = key("a");
    let mut c = claims();
    change(&mut c);
    let token = assertion::sign(&k, &c, &SystemRandom::new()).unwrap();
    let got = assertion::verify(&[k], &token, place(), NOW);
    assert_eq!(got.unwrap_err(), want);
}

#[test]
fn assertions_of_elsewhere_and_otherwhen_are_refused() {
    refused(|c| c.aud = TenantId::from_u128(8), TokenFault::Tenant);
    refused(|c| c.cid = call(2), TokenFault::Interaction);
    refused(|c| c.cnf.leg = leg(6), TokenFault::Leg);
    refused(|c| c.iss = "else".into(), TokenFault::Claim);
    refused(|c| c.exp = c.iat, TokenFault::Expired);
    refused(
        |c| (c.iat, c.exp) = (c.iat - 1_000, c.iat - 1),
        TokenFault::Expired,
    );
    refused(|c| c.nbf += 61, TokenFault::NotYet);
    refused(
        |c| (c.iat, c.exp) = (c.iat + 61, c.exp + 61),
        TokenFault::NotYet,
    );
    refused(|c| c.auth_time += 3_600, TokenFault::NotYet);
    refused(|c| c.exp = c.iat + 86_400, TokenFault::TooLong);
    refused(|c| c.jti = "replaced".into(), TokenFault::Revoked);
}

#[test]
fn forged_assertions_are_refused() {
    let (k, other) = (key("a"), key("b"));
    let rng = SystemRandom::new();
    let good = assertion::sign(&k, &claims(), &rng).unwrap();
    let foreign = assertion::sign(&other, &claims(), &rng).unwrap();
    let disguised = {
        let der = SigningKey::generate(&rng).unwrap();
        let k2 = SigningKey::from_pkcs8("a", &der).unwrap();
        assertion::sign(&k2, &claims(), &rng).unwrap()
    };
    let head = |json: &str| crate::b64::encode(json.as_bytes());
    let (_, rest) = good.split_once('.').unwrap();
    let (body, _) = rest.split_once('.').unwrap();
    let with_head = |h: &str| format!("{}.{rest}", head(h));
    let by_public_key = jws::sign_shared("a", assertion::KIND, &claims(), k.public()).unwrap();
    let other_claims = {
        let mut c = claims();
        c.acr = 4;
        let b = crate::b64::encode(&serde_json::to_vec(&c).unwrap());
        good.replace(body, &b)
    };
    let notice = k.sign(precall::NOTICE_KIND, &claims(), &rng).unwrap();
    let table = [
        (foreign, TokenFault::UnknownKey),
        (disguised, TokenFault::Signature),
        (other_claims, TokenFault::Signature),
        (by_public_key, TokenFault::Algorithm),
        (
            with_head(r#"{"alg":"none","kid":"a","typ":"cp-proof+jwt"}"#),
            TokenFault::Algorithm,
        ),
        (
            with_head(r#"{"alg":"RS256","kid":"a","typ":"cp-proof+jwt"}"#),
            TokenFault::Algorithm,
        ),
        (
            with_head(r#"{"alg":"ES256","kid":"../../etc/passwd","typ":"cp-proof+jwt"}"#),
            TokenFault::UnknownKey,
        ),
        (
            with_head(r#"{"alg":"ES256","kid":"a","typ":"JWT"}"#),
            TokenFault::Kind,
        ),
        (
            with_head(r#"{"alg":"ES256","typ":"cp-proof+jwt","jwk":{}}"#),
            TokenFault::Malformed,
        ),
        (notice, TokenFault::Kind),
        (good.replace('.', ""), TokenFault::Malformed),
        (format!("{good}="), TokenFault::Malformed),
        (String::new(), TokenFault::Malformed),
        ("a.b.c.d".into(), TokenFault::Malformed),
        ("x".repeat(jws::TOKEN_BYTES_MAX + 1), TokenFault::Malformed),
    ];
    let keys = [k];
    for (token, want) in table {
        let got = assertion::verify(&keys, &token, place(), NOW);
        assert_eq!(got.unwrap_err(), want, "{}", &token[..token.len().min(80)]);
    }
    assert!(assertion::verify(&keys, &good, place(), NOW).is_ok());
}

proptest! {
    #[test]
    fn no_text_is_an_assertion(text in "[A-Za-z0-9_.=-]{0,300}") {
        prop_assert!(assertion::verify(&[], &text, place(), NOW).is_err());
    }
}

#[test]
fn waits_grow_and_a_day_has_an_end() {
    let mut t = Tries::default();
    let mut now = NOW;
    let mut waits = Vec::new();
    let mut taken = 0;
    for _ in 0..200 {
        match tries::wait_s(&t, now) {
            None => {
                t = tries::begin(t, now);
                taken += 1;
            }
            Some(s) => {
                waits.push(s);
                let before = t;
                t = tries::begin(t, now);
                assert_eq!(t, before, "who has to wait is not counted");
                if t.day_failures >= tries::DAY_MAX {
                    break;
                }
                now = now + Duration::from_secs(s);
            }
        }
    }
    assert_eq!(waits[..7], [60, 120, 240, 480, 960, 1_920, 3_600]);
    assert_eq!(taken, tries::DAY_MAX);
    let tomorrow = now + Duration::from_secs(tries::wait_s(&t, now).unwrap());
    assert_eq!(tries::wait_s(&t, tomorrow), None);
}

#[test]
fn a_right_one_forgives() {
    let mut t = Tries::default();
    for _ in 0..3 {
        t = tries::begin(t, NOW);
    }
    t = tries::passed(tries::begin(t, NOW), NOW);
    assert_eq!((t.failures, t.day_failures), (0, 3));
}

#[test]
fn pins() {
    for bad in [
        "123",
        "0000",
        "1234",
        "987654",
        "12a4",
        "",
        "1234567890123",
        "90123",
    ] {
        assert!(pin::check(bad).is_err(), "{bad}");
    }
    assert_eq!(pin::check("2580"), Ok(()));
    let kept = pin::hash("2580", &[7; 16]).unwrap();
    assert!(
        kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{kept}"
    );
    assert!(pin::verify("2580", &kept));
    assert!(!pin::verify("2581", &kept));
    assert!(!pin::verify("2580", "not a hash"));
}

#[test]
fn a_channel_repeats_a_number_of_the_call() {
    let caller = "+15550100";
    assert!(pairing::matches("+1 555-0100", caller, None));
    assert!(!pairing::matches("+15550199", caller, None));
    assert!(pairing::matches("48 15", caller, Some("4815")));
    assert!(!pairing::matches("4816", caller, Some("4815")));
    assert!(!pairing::matches("", "", Some("")), "nothing is no number");
}

#[test]
fn devices_sign_the_challenge_of_this_call() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::generate().unwrap();
    let here = device::challenge("ten", "int_1", "n");
    let there = device::challenge("ten", "int_2", "n");
    let signature = pair.sign(here.as_bytes());
    let public = pair.public_key().as_ref();
    let kind = device::KeyKind::Ed25519;
    assert!(device::verify(kind, public, &here, signature.as_ref()));
    assert!(!device::verify(kind, public, &there, signature.as_ref()));
    assert!(!device::verify(
        kind,
        &public[1..],
        &here,
        signature.as_ref()
    ));
    assert!(!device::verify(
        device::KeyKind::Es256,
        public,
        &here,
        signature.as_ref()
    ));
}

#[test]
fn placement_looks_at_facts_after_proof_only() {
    let (general, premium) = (QueueId::from_u128(1), QueueId::from_u128(2));
    let mut p = policy();
    p.placement = vec![PlacementRule {
        level: 2,
        from: Some(general),
        fact: "balance".into(),
        test: FactTest::AtLeast,
        value: Fact::Number(10_000.0),
        to: Some(premium),
        priority: 5,
    }];
    let facts = |n: f64| BTreeMap::from([("balance".to_string(), Fact::Number(n))]);
    let at = |level, n, from| placement::place(&p, level, &facts(n), from);
    let want = placement::Place {
        queue: Some(premium),
        priority: 5,
    };
    assert_eq!(at(2, 25_000.0, Some(general)), Some(want));
    assert_eq!(at(0, 25_000.0, Some(general)), None, "not proven");
    assert_eq!(at(1, 25_000.0, Some(general)), None, "not well enough");
    assert_eq!(at(2, 9_999.0, Some(general)), None);
    assert_eq!(at(2, 25_000.0, Some(premium)), None, "there already");
    assert_eq!(
        placement::place(&p, 4, &BTreeMap::new(), Some(general)),
        None
    );
}

#[test]
fn secure_fields_are_marked_until_proven() {
    let field = |class| Field {
        name: "iban".into(),
        label: "IBAN".into(),
        value: Pii("DE02120300000000202051".into()),
        class,
    };
    let secure = field(FieldClass::Secure);
    let masked = fields::show(&secure, false, LockedFields::Masked);
    assert_eq!((masked.locked, masked.value.as_str()), (true, "••••51"));
    let marked = fields::show(&secure, false, LockedFields::Marked);
    assert!(marked.locked && marked.value.ends_with("202051"));
    assert_eq!(fields::show(&secure, false, LockedFields::Hidden).value, "");
    let open = fields::show(&secure, true, LockedFields::Masked);
    assert!(open.secure && !open.locked && open.value.ends_with("202051"));
    assert!(!fields::show(&field(FieldClass::Open), false, LockedFields::Masked).locked);
    let short = Field {
        value: Pii("123".into()),
        ..secure
    };
    assert_eq!(
        fields::show(&short, false, LockedFields::Masked).value,
        "••••"
    );
}

fn partner() -> CallerPartner {
    CallerPartner {
        id: CallerPartnerId::from_u128(9),
        tenant: tenant(),
        name: "Partner".into(),
        secret: Pii(crate::b64::encode(&[42; 32])),
        person: None,
        open_max: 10,
        valid_s_max: 600,
        disabled: false,
    }
}
fn announcement() -> precall::Announcement {
    precall::Announcement {
        jti: "0123456789abcdef".into(),
        iat: NOW.as_millis() / 1_000,
        exp: NOW.as_millis() / 1_000 + 300,
        from: Pii("+1 555 01-23".into()),
        to: None,
        name: Some(Pii("Ann".into())),
        reason: None,
        customer: None,
    }
}

#[test]
fn announcements_by_partners() {
    let p = partner();
    let token = precall::announce(&p, &announcement()).unwrap();
    assert_eq!(precall::partner_of(&token), Some(p.id));
    assert_eq!(precall::verify(&token, &p, NOW), Ok(announcement()));
    assert_eq!(precall::identifier("+1 555 01-23"), "+15550123");
    assert_eq!(precall::identifier(" Lobby Phone "), "lobby phone");
}

#[test]
fn announcements_that_make_no_record() {
    let p = partner();
    let try_it = |change: &dyn Fn(&mut precall::Announcement), by: &CallerPartner, at: i64| {
        let mut a = announcement();
        change(&mut a);
        let token = precall::announce(by, &a).unwrap();
        let now = Timestamp((NOW.0 as i64 + at * 1_000_000) as u64);
        precall::verify(&token, &p, now).err()
    };
    let stranger = CallerPartner {
        secret: Pii(crate::b64::encode(&[43; 32])),
        ..partner()
    };
    assert_eq!(try_it(&|_| {}, &stranger, 0), Some(TokenFault::Signature));
    assert_eq!(try_it(&|_| {}, &p, 61), Some(TokenFault::Expired));
    assert_eq!(try_it(&|_| {}, &p, 60), None);
    assert_eq!(try_it(&|_| {}, &p, -61), Some(TokenFault::NotYet));
    assert_eq!(try_it(&|_| {}, &p, -60), None);
    assert_eq!(try_it(&|a| a.exp = a.iat, &p, 0), Some(TokenFault::Expired));
    assert_eq!(
        try_it(&|a| a.exp = a.iat + 601, &p, 0),
        Some(TokenFault::TooLong)
    );
    assert_eq!(
        try_it(&|a| a.jti = "short".into(), &p, 0),
        Some(TokenFault::Claim)
    );
    assert_eq!(
        try_it(&|a| a.from = Pii("  ".into()), &p, 0),
        Some(TokenFault::Claim)
    );
    assert_eq!(
        try_it(&|a| a.name = Some(Pii("x".repeat(201))), &p, 0),
        Some(TokenFault::Claim)
    );
    let token = precall::announce(&p, &announcement()).unwrap();
    let off = CallerPartner {
        disabled: true,
        ..partner()
    };
    assert_eq!(precall::verify(&token, &off, NOW), Err(TokenFault::Revoked));
    let assertion = assertion::sign(&key("a"), &claims(), &SystemRandom::new()).unwrap();
    assert_eq!(precall::verify(&assertion, &p, NOW), Err(TokenFault::Kind));
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Guess(u64);

impl Guess {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    /// A signature that somebody might guess, as it is written.
    fn signature(&mut self) -> String {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.next().to_le_bytes()).collect();
        crate::b64::encode(&bytes)
    }
}

/// Somebody without the secret tries a million tokens: signatures at random under a body of their
/// own, and right ones with one character changed.
#[test]
fn a_million_guessed_tokens_make_no_record() {
    const TOKENS: usize = 1_000_000;
    let p = partner();
    let good = precall::announce(&p, &announcement()).unwrap();
    assert!(precall::verify(&good, &p, NOW).is_ok());
    let (input, _) = good.rsplit_once('.').unwrap();
    let mut guess = Guess(0x5EED);
    let mut taken = 0;
    for n in 0..TOKENS {
        let token = if n % 4 == 0 {
            let mut bytes = good.clone().into_bytes();
            let at = guess.next() as usize % bytes.len();
            let other = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
            let change = other[guess.next() as usize % other.len()];
            if bytes[at] == change {
                continue;
            }
            bytes[at] = change;
            String::from_utf8(bytes).unwrap()
        } else {
            format!("{input}.{}", guess.signature())
        };
        taken += usize::from(precall::verify(&token, &p, NOW).is_ok());
    }
    assert_eq!(taken, 0);
}

#[test]
fn notices_of_our_own_calls() {
    let k = key("a");
    let at = NOW.as_millis() / 1_000;
    let notice = precall::Notice {
        iss: "Example Bank".into(),
        tenant: tenant(),
        jti: "n".into(),
        iat: at,
        exp: at + 120,
        from: Pii("+15550001".into()),
        to: Pii("+15550100".into()),
        reason: Some(Pii("your order".into())),
    };
    let token = precall::sign_notice(&k, &notice, &SystemRandom::new()).unwrap();
    let keys = [k];
    assert_eq!(precall::verify_notice(&keys, &token, NOW), Ok(notice));
    let late = NOW + Duration::from_secs(120);
    assert_eq!(
        precall::verify_notice(&keys, &token, late),
        Err(TokenFault::Expired)
    );
    let other = [key("a")];
    assert_eq!(
        precall::verify_notice(&other, &token, NOW),
        Err(TokenFault::Signature)
    );
}

#[test]
fn codes_have_eight_digits_and_belong_to_one_call() {
    assert_eq!(code::code([0; 8]), "00000000");
    assert_eq!(code::code([0xff; 8]).len(), code::CODE_DIGITS);
    assert_ne!(
        code::key("int_1", "12345678"),
        code::key("int_2", "12345678")
    );
    assert_ne!(code::key("a:b", "c"), code::key("a", "b:c"));
    assert_eq!(code::plain("12 34-56 78"), "12345678");
    assert_eq!(
        knowledge::plain(" O'Hara Street "),
        knowledge::plain("ohara street")
    );
    assert_eq!(knowledge::choose(3, &[1; 8]).len(), 2);
}
