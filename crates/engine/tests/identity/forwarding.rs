//! S1.2: the identity of a call whose device sends it on.

use crate::bench::*;
use cp_identity::passport::Attestation;
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_vocab::model::*;
use cp_vocab::net::{Target, Transport};
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A verified call A to B that goes to the exchange and ends there; `forwards`: the exchange sends
/// it back towards C first.
fn history(b: &mut Bench, calls: u32, forwarded: u32) {
    for i in 0..calls {
        let id = format!("h{i}");
        let caller = format!("+1215556{i:04}");
        let token = b.token(&caller, B, Attestation::A);
        b.invite(CARRIER, &caller, B, &id, &[token]);
        if i < forwarded {
            let diversion = format!("Diversion: <sip:{B}@10.0.2.1>;reason=no-answer");
            b.invite(EXCHANGE, &caller, C, &format!("{id}back"), &[diversion]);
        }
        b.answer(EXCHANGE, 486, "");
        b.pass(seconds(1));
    }
    b.pass(seconds(200));
    b.sent.clear();
    b.log.clear();
}

/// The exchange sends the call on to C.
fn send_back(b: &mut Bench, id: &str, more: &[String]) -> (Target, Message) {
    let mut headers = vec![format!("Diversion: <sip:{B}@10.0.2.1>;reason=no-answer")];
    headers.extend_from_slice(more);
    b.invite(EXCHANGE, A, C, id, &headers);
    b.invites_to(CARRIER).pop().expect("it leaves for C")
}

fn identities(m: &Message) -> Vec<String> {
    m.headers(HeaderName::Identity)
        .map(str::to_string)
        .collect()
}

fn value(header: &str) -> &str {
    header.strip_prefix("Identity: ").unwrap()
}

/// The page's first case: B forwards 20 %, so the identity is kept and goes along with a div.
#[test]
fn the_original_comes_back_with_a_div() {
    let mut b = Bench::new();
    history(&mut b, 20, 4);
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
    assert_eq!(
        b.steps()[..2],
        ["verified valid", "decided likely rate=20.0%"]
    );
    assert_eq!(b.steps()[2], "kept stored");
    let (_, to_device) = b.invites_to(EXCHANGE).pop().unwrap();
    assert!(
        identities(&to_device).is_empty(),
        "the device is not given the token"
    );
    b.pass(seconds(29));
    let (target, sent) = send_back(&mut b, "second", &[]);
    let headers = identities(&sent);
    assert_eq!(headers.len(), 2);
    assert_eq!(headers[0], value(&token));
    assert!(headers[1].ends_with("ppt=div"), "{}", headers[1]);
    assert_eq!(
        sent.header(HeaderName::Diversion).unwrap(),
        "<sip:+12155551213@10.0.0.1>;reason=unknown;counter=1"
    );
    assert!(sent.header(HeaderName::Date).is_some());
    // Two tokens do not fit a datagram of 1,300 bytes.
    assert!(sent.bytes().len() > 1_300);
    let Target::Addr { transport, .. } = target else {
        panic!()
    };
    assert_eq!(transport, Transport::Tcp);
    let report = b.verified_beyond(&sent, A);
    assert!(is_valid(&report), "{:?}", report.fault);
    assert_eq!(report.diversions, ["12155551213"]);
    assert_eq!(
        b.steps()[3..],
        ["matched by_numbers", "attached headers=1", "div_made div"]
    );
    let page = b.figures();
    let of_b = page["numbers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|n| n["number"] == B)
        .unwrap();
    assert_eq!(
        (of_b["hits"].as_u64(), of_b["likely"].as_bool()),
        (Some(1), Some(true))
    );
    let exchange = &page["trunks"][1];
    assert_eq!(exchange["hits"], 1);
    assert_eq!(exchange["calls"], 21);
}

/// The page's second case: B forwards 1 %, so nothing is kept.
#[test]
fn who_hardly_forwards_keeps_nothing() {
    let mut b = Bench::new();
    history(&mut b, 100, 1);
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
    assert_eq!(
        b.steps()[1..3],
        ["decided not_likely rate=1.0%", "kept not_likely"]
    );
    let (_, sent) = send_back(&mut b, "second", &[]);
    let headers = identities(&sent);
    assert!(!headers.contains(&value(&token).to_string()));
    // An ordinary new call with its own attestation: a customer, and not with a number of theirs.
    assert_eq!(headers.len(), 1);
    assert_eq!(
        b.steps()[3..],
        ["not_attached no_record", "signed attestation_B"]
    );
    assert_eq!(b.figures()["kept_now"], 0);
}

fn always() -> Bench {
    Bench::with(|s| s.trunks[1].identity.keep = KeepIdentity::Always)
}

#[test]
fn what_is_set_goes_before_what_was_seen() {
    let mut b = always();
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
    assert_eq!(b.steps()[2], "kept stored");
    // The number's own setting goes before the trunk's.
    let mut b = Bench::with(|s| {
        s.trunks[1].identity.keep = KeepIdentity::Always;
        s.numbers[0].keep_identity = Some(KeepIdentity::Never);
    });
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", &[token]);
    assert_eq!(b.steps()[2], "kept not_likely");
}

/// Each makes the call that came back an ordinary new one.
#[test]
fn in_any_doubt_nothing_is_attached() {
    type Do = fn(&mut Bench);
    let first = |b: &mut Bench| {
        let token = b.token(A, B, Attestation::A);
        b.invite(CARRIER, A, B, "first", &[token]);
    };
    let table: &[(&str, Do, &str)] = &[
        ("nobody called", |_| {}, "no_record"),
        (
            "not verified",
            |b| {
                let t = b.token(A, C, Attestation::A);
                b.invite(CARRIER, A, B, "first", &[t]);
            },
            "no_record",
        ),
        (
            "two of the same numbers",
            |b| {
                for id in ["first", "twin"] {
                    let t = b.token(A, B, Attestation::A);
                    b.invite(CARRIER, A, B, id, &[t]);
                    b.pass(seconds(1));
                }
            },
            "ambiguous",
        ),
        (
            "one of two was never verified",
            |b| {
                let t = b.token(A, B, Attestation::A);
                b.invite(CARRIER, A, B, "first", &[t]);
                b.invite(CARRIER, A, B, "twin", &[]);
            },
            "ambiguous",
        ),
        (
            "too late",
            |b| {
                let t = b.token(A, B, Attestation::A);
                b.invite(CARRIER, A, B, "first", &[t]);
                b.pass(seconds(121));
            },
            "no_record",
        ),
        (
            "another caller",
            |b| {
                let t = b.token("+12155557777", B, Attestation::A);
                b.invite(CARRIER, "+12155557777", B, "first", &[t]);
            },
            "no_record",
        ),
    ];
    for (what, prepare, why) in table {
        let mut b = always();
        prepare(&mut b);
        b.sent.clear();
        let (_, sent) = send_back(&mut b, "back", &[]);
        let report = b.verified_beyond(&sent, A);
        assert!(report.diversions.is_empty(), "{what}");
        assert_eq!(
            identities(&sent).len(),
            1,
            "{what}: our own attestation alone"
        );
        assert!(
            b.steps().contains(&format!("not_attached {why}")),
            "{what}: {:?}",
            b.steps()
        );
    }
    // A record is used once.
    let mut b = always();
    first(&mut b);
    assert_eq!(identities(&send_back(&mut b, "back", &[]).1).len(), 2);
    assert_eq!(identities(&send_back(&mut b, "again", &[]).1).len(), 1);
    assert!(b.steps().contains(&"not_attached used_up".to_string()));
}

/// T1.11: how long a call may take until it comes back. Beyond the time that identities are kept it
/// is an ordinary new call; so it is sooner when nobody waits for the first one any more, unless our
/// key says which it was.
#[test]
fn a_call_comes_back_after_a_while() {
    let table = [
        (29, false, true),
        (61, false, true),
        (91, false, false),
        (91, true, true),
        (121, true, false),
        (10_800, true, false),
    ];
    for (after_s, with_key, kept) in table {
        let what = format!("after {after_s} s, key {with_key}");
        let mut b = always();
        let token = b.token(A, B, Attestation::A);
        b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
        let (_, to_device) = b.invites_to(EXCHANGE).pop().unwrap();
        let key = to_device.other("X-Crosspoint-Call").unwrap();
        let key = with_key.then(|| format!("X-Crosspoint-Call: {key}"));
        b.answer(EXCHANGE, 180, "");
        b.pass(seconds(after_s));
        b.sent.clear();
        let (_, sent) = send_back(&mut b, "back", key.as_slice());
        let headers = identities(&sent);
        assert_eq!(headers.len(), if kept { 2 } else { 1 }, "{what}");
        assert_eq!(headers.contains(&value(&token).to_string()), kept, "{what}");
        // The div is fresh however old the original is (S1.2 rule 9).
        let report = b.verified_beyond(&sent, A);
        assert!(is_valid(&report), "{what}: {:?}", report.fault);
        assert_eq!(report.diversions.is_empty(), !kept, "{what}");
    }
}

/// What is known of numbers begins again where it ended; a person who is erased is forgotten.
#[test]
fn rates_come_back_and_are_erased() {
    let mut b = Bench::new();
    let known = |number: &str, calls: &str, hits| cp_engine::Forwarded {
        tenant: b.tenant,
        number: number.trim_start_matches('+').into(),
        calls: calls.chars().map(|c| c == '1').collect(),
        kept: 7,
        hits,
        misses: 2,
    };
    let rates = vec![known(B, "0100100000", 5), known(C, "0000000000", 0)];
    b.restore(rates);
    let page = b.figures();
    let of = |page: &serde_json::Value, number: &str| {
        let numbers = page["numbers"].as_array().unwrap();
        numbers.iter().find(|n| n["number"] == number).cloned()
    };
    let of_b = of(&page, B).unwrap();
    assert_eq!(
        (&of_b["calls"], &of_b["forwarded"], &of_b["kept"]),
        (&10.into(), &2.into(), &7.into())
    );
    assert_eq!(
        page["numbers"][0]["number"], B,
        "those called last come first"
    );
    b.forget(&[B]);
    assert_eq!(of(&b.figures(), B), None);
    assert!(of(&b.figures(), C).is_some());
}

#[test]
fn our_key_makes_a_match_certain() {
    let mut b = always();
    let mut keys = Vec::new();
    let mut tokens = Vec::new();
    for id in ["one", "two", "three"] {
        let token = b.token(A, B, Attestation::A);
        b.pass(seconds(1));
        b.invite(CARRIER, A, B, id, std::slice::from_ref(&token));
        let (_, to_device) = b.invites_to(EXCHANGE).pop().unwrap();
        keys.push(to_device.other("X-Crosspoint-Call").unwrap().to_string());
        assert!(
            to_device
                .header(HeaderName::SessionId)
                .unwrap()
                .starts_with(&keys[keys.len() - 1])
        );
        tokens.push(token);
    }
    // Three with the same numbers are in the air; the key says which.
    let (_, sent) = send_back(&mut b, "back", &[format!("X-Crosspoint-Call: {}", keys[1])]);
    assert_eq!(identities(&sent)[0], value(&tokens[1]));
    let peer = "0".repeat(32);
    let session = format!("Session-ID: {};remote={peer}", keys[2]);
    let (_, sent) = send_back(&mut b, "back2", &[session]);
    assert_eq!(identities(&sent)[0], value(&tokens[2]));
    // A session id of the exchange's own is no key.
    let foreign = format!("Session-ID: {:032x};remote={peer}", 0xabcdef);
    send_back(&mut b, "back3", &[foreign]);
    assert!(b.steps().contains(&"not_attached ambiguous".to_string()));
}

#[test]
fn history_info_says_who_diverted_as_well() {
    let mut b = always();
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
    let history = format!(
        "History-Info: <sip:{B}@10.0.2.1?Reason=SIP%3Bcause%3D408>;index=1, <sip:{C}@10.0.0.1>;index=1.1;mp=1"
    );
    b.invite(EXCHANGE, A, C, "back", &[history]);
    let (_, sent) = b.invites_to(CARRIER).pop().unwrap();
    assert_eq!(identities(&sent)[0], value(&token));
}

#[test]
fn a_token_the_exchange_kept_is_not_doubled() {
    let mut b = always();
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
    let (_, sent) = send_back(&mut b, "back", std::slice::from_ref(&token));
    let headers = identities(&sent);
    assert_eq!(headers.len(), 2);
    assert_eq!(headers[0], value(&token));
    assert!(is_valid(&b.verified_beyond(&sent, A)));
    // Nothing was kept, the exchange brings it along: it ends at the customer's own number.
    let mut b = Bench::new();
    let token = b.token(A, B, Attestation::A);
    let (_, sent) = send_back(&mut b, "back", std::slice::from_ref(&token));
    assert_eq!(identities(&sent).len(), 2);
    assert!(is_valid(&b.verified_beyond(&sent, A)));
}

#[test]
fn one_header_for_those_who_take_no_more() {
    let mut b = Bench::with(|s| {
        s.trunks[1].identity.keep = KeepIdentity::Always;
        s.trunks[0].identity.nest = true;
        s.trunks[0].identity.diverted_by = DivertedBy::Both;
    });
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", &[token]);
    let (_, sent) = send_back(&mut b, "back", &[]);
    let headers = identities(&sent);
    assert_eq!(headers.len(), 1);
    assert!(headers[0].ends_with("ppt=div-o"));
    let report = b.verified_beyond(&sent, A);
    assert!(is_valid(&report), "{:?}", report.fault);
    assert_eq!(report.attestation, Some(Attestation::A));
    assert!(
        sent.header(HeaderName::HistoryInfo)
            .unwrap()
            .contains("index=1.1;mp=1")
    );
    assert!(sent.header(HeaderName::Diversion).is_some());
}

#[test]
fn without_a_certificate_the_original_goes_alone() {
    let mut b = Bench::with(|s| {
        s.trunks[1].identity.keep = KeepIdentity::Always;
        s.certificates.clear();
    });
    let token = b.token(A, B, Attestation::A);
    b.invite(CARRIER, A, B, "first", std::slice::from_ref(&token));
    let (_, sent) = send_back(&mut b, "back", &[]);
    assert_eq!(identities(&sent), [value(&token)]);
    assert!(b.steps().contains(&"div_absent not_ours".to_string()));
}

/// Forwarding of our own: by the phone's setting, by its 302, and when it is busy.
#[test]
fn phones_of_ours_send_calls_on_with_a_div() {
    let forward = |when| {
        Bench::with(|s| {
            s.phones[0].forward = Some(Forward { to: C.into(), when });
        })
    };
    let check = |b: &Bench, why: &str| {
        let (_, sent) = b.invites_to(CARRIER).pop().expect("it leaves for C");
        let report = b.verified_beyond(&sent, A);
        assert!(is_valid(&report), "{why}: {:?}", report.fault);
        assert_eq!(report.diversions, ["12155551300"], "{why}");
        let diversion = sent.header(HeaderName::Diversion).unwrap();
        assert!(diversion.contains(&format!("reason={why}")), "{diversion}");
        assert!(b.steps().contains(&format!("diverted {why}")));
    };
    // Each is one call of the number, and forwarded (S1.2 rule 8).
    let counted = |b: &mut Bench, why: &str| {
        let figures = b.figures();
        let number = figures["numbers"]
            .as_array()
            .unwrap()
            .iter()
            .find(|n| n["number"] == DESK);
        let number = number.unwrap_or_else(|| panic!("{why}: {figures}"));
        assert_eq!(
            (&number["calls"], &number["forwarded"]),
            (&1.into(), &1.into()),
            "{why}"
        );
    };
    let mut b = forward(ForwardWhen::Always);
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "x", &[token]);
    assert!(b.invites_to(DESK_IP).is_empty());
    check(&b, "unconditional");
    counted(&mut b, "unconditional");

    let mut b = forward(ForwardWhen::NotReached);
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "x", &[token]);
    b.answer(DESK_IP, 486, "");
    check(&b, "user-busy");
    counted(&mut b, "user-busy");

    let mut b = Bench::new();
    let token = b.token(A, DESK, Attestation::A);
    b.invite(CARRIER, A, DESK, "x", &[token]);
    b.answer(DESK_IP, 302, &format!("Contact: <sip:{C}@10.0.0.1>\r\n"));
    check(&b, "deflection");
    assert_eq!(
        b.figures()["numbers"][0]["forwarded"],
        1,
        "it counts for the number's rate"
    );
}

#[test]
fn a_phone_sends_calls_nowhere_it_may_not_call() {
    for (to, why) in [
        (C, "not_allowed"),
        ("911", "emergency"),
        ("desk", "itself"),
        ("4711", "nowhere"),
    ] {
        let mut b = Bench::with(|s| s.phones[0].may_dial_out = false);
        b.invite(CARRIER, A, DESK, "x", &[]);
        b.answer(DESK_IP, 302, &format!("Contact: <sip:{to}@10.0.0.1>\r\n"));
        assert!(b.invites_to(CARRIER).is_empty(), "{to}");
        assert!(
            b.steps().contains(&format!("not_diverted {why}")),
            "{to}: {:?}",
            b.steps()
        );
    }
}

/// Fifteen hundred verified calls in the air at once, a third sent on, in an order of their own:
/// what is attached is always the call's own, and doubt attaches nothing. (Ten thousand: the tests
/// of `cp_identity::forward`.)
#[test]
fn many_at_once_and_none_wrong() {
    let mut b = always();
    let calls = 1_500u64;
    // One in twenty shares its caller with the one before.
    let caller = |i: u64| format!("+1312555{:04}", if i % 20 == 19 { i - 1 } else { i });
    let mut tokens = Vec::new();
    for i in 0..calls {
        let token = b.token(&caller(i), B, Attestation::A);
        b.invite(
            CARRIER,
            &caller(i),
            B,
            &format!("c{i}"),
            std::slice::from_ref(&token),
        );
        tokens.push(token);
        b.now = b.now + Duration::from_millis(2);
    }
    b.sent.clear();
    let (mut attached, mut doubtful) = (0, 0);
    for n in 0..calls / 3 {
        let i = (n * 7_919 + 13) % calls;
        let diversion = format!("Diversion: <sip:{B}@10.0.2.1>");
        b.invite(EXCHANGE, &caller(i), C, &format!("b{i}"), &[diversion]);
        let (_, sent) = b.invites_to(CARRIER).pop().expect("it leaves");
        b.sent.clear();
        let shares = i % 20 >= 18;
        let headers = identities(&sent);
        if shares {
            assert_eq!(headers.len(), 1, "call {i} is one of two");
            doubtful += 1;
        } else {
            assert_eq!(headers[0], value(&tokens[i as usize]), "call {i}");
            attached += 1;
        }
    }
    assert!(attached > 400 && doubtful > 20, "{attached} {doubtful}");
}
