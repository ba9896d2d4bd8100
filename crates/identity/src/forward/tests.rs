use super::*;
use cp_vocab::TypedId;
use std::collections::HashMap;

const B: &str = "12155551213";

fn tenant(n: u128) -> TenantId {
    TenantId::from_u128(n)
}

fn at(s: u64) -> Timestamp {
    Timestamp::from_secs(1_764_000_000 + s)
}

fn incoming<'a>(key: u128, orig: &'a str, called: &'a str, token: &'a [&'a str]) -> Incoming<'a> {
    Incoming {
        tenant: tenant(1),
        customer: CustomerKey(7),
        call: CallKey(key),
        orig: Some(orig),
        called,
        verdict: Verdict::Valid,
        attestation: Some(Attestation::A),
        identity: token,
        likelihood: Likelihood::Always,
    }
}

fn diverted<'a>(key: Option<u128>, orig: &'a str, diverting: Option<&'a str>) -> Diverted<'a> {
    Diverted {
        tenant: tenant(1),
        customer: CustomerKey(7),
        call: key.map(CallKey),
        orig: Some(orig),
        diverting,
        identity: &[],
    }
}

fn new() -> Forwarding {
    Forwarding::new(ForwardLimits::default())
}

#[test]
fn kept_and_attached_by_numbers_and_by_key() {
    for key in [None, Some(1)] {
        let mut f = new();
        let (kept, steps) = f.arrived(at(0), &incoming(1, "12155551212", B, &["tok;info=<x>"]));
        assert_eq!(kept, Kept::Stored);
        assert!(steps.contains(&Step::Kept(Kept::Stored)));
        let (found, _) = f.diverted(at(20), &diverted(key, "12155551212", Some(B)));
        let found = found.unwrap();
        assert_eq!(&*found.identity[0], "tok;info=<x>");
        assert_eq!(found.attestation, Some(Attestation::A));
        // Consumed: the second is a new call.
        let (again, _) = f.diverted(at(21), &diverted(key, "12155551212", Some(B)));
        assert_eq!(again, Err(NotAttached::UsedUp));
    }
}

#[test]
fn only_numbers_that_forward_are_kept() {
    let mut f = new();
    // B forwards 20 of 100, B2 one of 100.
    for (number, every) in [(B, 5u64), ("12155551299", 100)] {
        for i in 0..100 {
            let mut c = incoming(1_000 + u128::from(i), "12025550100", number, &[]);
            c.likelihood = Likelihood::Learned;
            f.arrived(at(i), &c);
            if i % every == 0 {
                let _ = f.diverted(at(i), &diverted(None, "12025550100", Some(number)));
            }
        }
    }
    assert_eq!(f.rate(tenant(1), B).unwrap().permille(), 200);
    assert_eq!(f.rate(tenant(1), "12155551299").unwrap().permille(), 10);
    let mut c = incoming(1, "12155551212", B, &["a"]);
    c.likelihood = Likelihood::Learned;
    assert_eq!(f.arrived(at(500), &c).0, Kept::Stored);
    c.called = "12155551299";
    c.call = CallKey(2);
    assert_eq!(f.arrived(at(500), &c).0, Kept::NotLikely);
    assert!(
        f.diverted(at(505), &diverted(None, "12155551212", Some(B)))
            .0
            .is_ok()
    );
    let none = diverted(Some(2), "12155551212", Some("12155551299"));
    assert_eq!(f.diverted(at(505), &none).0, Err(NotAttached::NoRecord));
}

#[test]
fn what_is_not_attached() {
    let table: &[(&str, Diverted<'_>, u64, NotAttached)] = &[
        (
            "expired",
            diverted(None, "12155551212", Some(B)),
            121,
            NotAttached::NoRecord,
        ),
        (
            "expired, by key",
            diverted(Some(1), "12155551212", Some(B)),
            121,
            NotAttached::NoRecord,
        ),
        (
            "other caller",
            diverted(None, "12155551277", Some(B)),
            5,
            NotAttached::NoRecord,
        ),
        (
            "other caller, by key",
            diverted(Some(1), "12155551277", Some(B)),
            5,
            NotAttached::OtherCaller,
        ),
        (
            "other called",
            diverted(None, "12155551212", Some("12155551277")),
            5,
            NotAttached::NoRecord,
        ),
        (
            "other called, by key",
            diverted(Some(1), "12155551212", Some("12155551277")),
            5,
            NotAttached::OtherNumber,
        ),
        (
            "unknown key, right numbers",
            diverted(Some(9), "12155551212", Some(B)),
            5,
            NotAttached::NoRecord,
        ),
        (
            "no diverting number",
            diverted(None, "12155551212", None),
            5,
            NotAttached::NothingToMatch,
        ),
        (
            "no caller",
            Diverted {
                orig: None,
                ..diverted(None, "", Some(B))
            },
            5,
            NotAttached::NothingToMatch,
        ),
        (
            "other tenant",
            Diverted {
                tenant: tenant(2),
                ..diverted(None, "12155551212", Some(B))
            },
            5,
            NotAttached::NoRecord,
        ),
        (
            "other tenant, by key",
            Diverted {
                tenant: tenant(2),
                ..diverted(Some(1), "12155551212", Some(B))
            },
            5,
            NotAttached::OtherNumber,
        ),
        (
            "other customer, by key",
            Diverted {
                customer: CustomerKey(8),
                ..diverted(Some(1), "12155551212", Some(B))
            },
            5,
            NotAttached::OtherNumber,
        ),
    ];
    for (name, call, seconds, why) in table {
        let mut f = new();
        f.arrived(at(0), &incoming(1, "12155551212", B, &["a"]));
        assert_eq!(f.diverted(at(*seconds), call).0, Err(*why), "{name}");
    }
}

#[test]
fn a_second_call_with_the_same_numbers_makes_both_uncertain() {
    for verdict in [Verdict::Valid, Verdict::Invalid, Verdict::None] {
        let mut f = new();
        f.arrived(at(0), &incoming(1, "12155551212", B, &["one"]));
        let mut spoofed = incoming(2, "12155551212", B, &["two"]);
        spoofed.verdict = verdict;
        f.arrived(at(1), &spoofed);
        let call = diverted(None, "12155551212", Some(B));
        assert_eq!(f.diverted(at(5), &call).0, Err(NotAttached::Ambiguous));
        // The key still tells them apart.
        let by_key = f
            .diverted(at(5), &diverted(Some(1), "12155551212", Some(B)))
            .0;
        assert_eq!(&*by_key.unwrap().identity[0], "one");
    }
}

#[test]
fn an_ended_call_stops_counting_after_a_grace() {
    let mut f = new();
    let first = incoming(1, "12155551212", B, &["one"]);
    f.arrived(at(0), &first);
    f.ended(at(1), &first);
    f.arrived(at(2), &incoming(2, "12155551212", B, &["two"]));
    let call = diverted(None, "12155551212", Some(B));
    assert_eq!(f.diverted(at(10), &call).0, Err(NotAttached::Ambiguous));
    assert_eq!(&*f.diverted(at(40), &call).0.unwrap().identity[0], "two");
}

#[test]
fn timing_of_the_window() {
    for (seconds, hit) in [
        (29, true),
        (61, true),
        (91, true),
        (119, true),
        (120, false),
        (10_800, false),
    ] {
        let mut f = new();
        f.arrived(at(0), &incoming(1, "12155551212", B, &["a"]));
        let found = f
            .diverted(at(seconds), &diverted(None, "12155551212", Some(B)))
            .0;
        assert_eq!(found.is_ok(), hit, "{seconds} s");
    }
}

#[test]
fn headers_that_came_back_are_not_doubled() {
    let mut f = new();
    f.arrived(at(0), &incoming(1, "12155551212", B, &["a", "b", "a"]));
    let mut call = diverted(None, "12155551212", Some(B));
    call.identity = &["a", "own"];
    let found = f.diverted(at(1), &call).0.unwrap();
    assert_eq!(
        found.identity.iter().map(|h| &**h).collect::<Vec<_>>(),
        ["b"]
    );
}

#[test]
fn memory_has_a_bound() {
    let limits = ForwardLimits {
        tenant_records_max: 100,
        records_max: 150,
        pairs_max: 200,
        numbers_max: 50,
        ..ForwardLimits::default()
    };
    let mut f = Forwarding::new(limits);
    for i in 0..10_000u64 {
        let orig = format!("1202555{i:04}");
        let called = format!("1303555{:04}", i % 1_000);
        let mut c = incoming(u128::from(i), &orig, &called, &["a"]);
        c.tenant = tenant(u128::from(i % 3));
        f.arrived(at(i / 1_000), &c);
        assert!(f.len() <= 150);
        assert!(f.rates.len() <= 50);
        assert!(f.pairs.len() <= 200);
    }
    // Unwatched calls went by, so numbers alone prove nothing for a while; keys still do.
    let (orig, called) = ("12025559999".to_string(), "13035550999".to_string());
    let mut call = diverted(None, &orig, Some(&called));
    call.tenant = tenant(9_999 % 3);
    assert_eq!(f.diverted(at(10), &call).0, Err(NotAttached::Blind));
    call.call = Some(CallKey(9_999));
    assert!(f.diverted(at(10), &call).0.is_ok());
    f.expire(at(10_000));
    assert!(f.is_empty() && f.next_timeout().is_none() && f.pairs.len() == 0);
}

#[test]
fn large_identity_is_not_kept_and_erase_forgets() {
    let mut f = new();
    let big = "x".repeat(40_000);
    assert_eq!(
        f.arrived(at(0), &incoming(1, "12155551212", B, &[&big])).0,
        Kept::TooLarge
    );
    f.arrived(at(0), &incoming(2, "12155551288", B, &["a"]));
    assert_eq!(f.len(), 1);
    f.erase(tenant(1), "12155551288");
    assert!(f.is_empty());
}

/// A cheap generator, so that the case is the same everywhere.
struct Lcg(u64);
impl Lcg {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// 10,000 calls in the air, some with the same caller, some from strangers with a borrowed number,
/// three in ten come back, half of them without a key: what is attached is always the call's own.
#[test]
fn ten_thousand_at_once_and_none_wrong() {
    for seed in 0..20 {
        let mut g = Lcg(seed);
        let mut f = new();
        let mut calls: Vec<(u128, String, String, String, bool)> = Vec::new();
        let mut seen: HashMap<(String, String), u32> = HashMap::new();
        for i in 0..10_000u64 {
            let shared = g.below(20) == 0;
            let orig = if shared {
                format!("1202555{:04}", g.below(20))
            } else {
                format!("1{}", 2_120_000_000 + i)
            };
            let called = format!("1303555{:04}", g.below(if shared { 10 } else { 2_000 }));
            let genuine = g.below(10) != 0;
            let token = format!("token-of-{i};info=<x>");
            let values = [token.as_str()];
            let mut c = incoming(u128::from(i), &orig, &called, &values);
            if !genuine {
                c.verdict = Verdict::Invalid;
            }
            f.arrived(at(i / 200), &c);
            *seen.entry((orig.clone(), called.clone())).or_default() += 1;
            calls.push((u128::from(i), orig, called, token, genuine));
        }
        let (mut attached, mut wrong) = (0, 0);
        for (key, orig, called, token, genuine) in &calls {
            if g.below(10) >= 3 {
                continue;
            }
            let keyed = g.below(2) == 0;
            let call = diverted(keyed.then_some(*key), orig, Some(called));
            if let Ok(a) = f.diverted(at(60), &call).0 {
                attached += 1;
                if &*a.identity[0] != token.as_str() || !genuine {
                    wrong += 1;
                }
            }
        }
        assert_eq!(wrong, 0, "seed {seed}");
        assert!(attached > 2_000, "seed {seed}: only {attached}");
    }
}
