//! Inside calls: reliable provisional responses, offers, glare, session timers, transfer.

use super::world::*;
use crate::header::HeaderName;
use crate::message::Message;
use crate::ua::*;
use std::time::Duration;

const S: Duration = Duration::from_secs(1);

fn reliable(w: &mut World) -> (CallRef, CallRef) {
    let a = w.call(A, B, |c| c.supported_100rel = true);
    let b = w.incoming(B).unwrap();
    (a, b)
}

#[test]
fn early_media_goes_reliably_and_the_answer_waits_for_the_prack() {
    let mut w = World::new(1, 2);
    let (a, b) = reliable(&mut w);
    w.with_ua(B, |ua, now| {
        ua.progress(now, b, 183, Some(sdp("early"))).unwrap();
        ua.progress(now, b, 180, None).unwrap();
        ua.answer(now, b, sdp("early")).unwrap();
        assert_eq!(ua.answer(now, b, sdp("early")), Err(UaError::State));
    });
    w.run_ms(200);
    assert_eq!(
        w.lines()[2..],
        [
            "1>0 183 INVITE",
            "0>1 PRACK",
            "1>0 200 PRACK",
            "1>0 200 INVITE",
            "0>1 ACK"
        ]
    );
    assert_eq!(w.events(A), ["Progress 183", "Answered"]);
    // The answer went with the 183, so the 200 has none (RFC 6337 3.1.1).
    assert!(w.wire[5].3.body().is_empty());
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(100);
    assert_eq!(w.ends(B, b), 1);
    w.assert_empty();
}

#[test]
fn a_lost_prack_is_repeated_and_the_183_too() {
    let mut w = World::new(2, 2);
    let mut lost = 0;
    w.lose = Box::new(move |line| {
        lost += usize::from(line.starts_with("PRACK"));
        line.starts_with("PRACK") && lost <= 3
    });
    let (a, b) = reliable(&mut w);
    w.with_ua(B, |ua, now| ua.progress(now, b, 183, Some(sdp("early"))))
        .unwrap();
    w.run(5 * S);
    assert_eq!(w.times(B, "183 INVITE"), [0, 500, 1_500, 3_500]);
    assert_eq!(w.times(A, "PRACK"), [0, 500, 1_500, 3_500]);
    // Repetitions of the 183 are no new progress.
    assert_eq!(w.events(A), ["Progress 183"]);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run(S);
    assert_eq!(w.ends(B, b), 1);
    w.assert_empty();
}

#[test]
fn a_183_never_acknowledged_fails_the_call() {
    let mut w = World::new(3, 2);
    w.lose = Box::new(|line| line.starts_with("PRACK"));
    let (a, b) = reliable(&mut w);
    w.with_ua(B, |ua, now| ua.progress(now, b, 183, Some(sdp("early"))))
        .unwrap();
    w.run(40 * S);
    assert_eq!(w.events(A), ["Progress 183", "Failed 504"]);
    assert_eq!(w.events(B), ["Incoming", "Ended AckTimeout"]);
    assert_eq!((w.ends(A, a), w.ends(B, b)), (1, 1));
    w.assert_empty();
}

#[test]
fn an_update_changes_the_session_before_the_answer() {
    let mut w = World::new(4, 2);
    let (a, b) = reliable(&mut w);
    assert_eq!(
        w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("x")))),
        Err(UaError::State)
    );
    w.with_ua(B, |ua, now| ua.progress(now, b, 183, Some(sdp("early"))))
        .unwrap();
    w.run_ms(100);
    w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("update"))))
        .unwrap();
    w.run_ms(50);
    w.with_ua(B, |ua, now| ua.accept_reoffer(now, b, sdp("updated")));
    w.run_ms(50);
    assert_eq!(w.events(A), ["Progress 183", "ReofferAnswered"]);
    assert_eq!(w.events(B), ["Incoming", "Reoffered"]);
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("updated")))
        .unwrap();
    w.run_ms(100);
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(100);
    assert_eq!(w.ends(A, a), 1);
    w.assert_empty();
}

#[test]
fn a_call_is_held_and_taken_back() {
    let mut w = World::new(5, 2);
    let (a, b) = w.established(|_| {});
    w.run_ms(100);
    w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("hold"))))
        .unwrap();
    // Only the latest wish waits.
    w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("lost"))))
        .unwrap();
    w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("resume"))))
        .unwrap();
    w.run_ms(50);
    w.with_ua(B, |ua, now| ua.accept_reoffer(now, b, sdp("held")));
    w.run_ms(50);
    w.with_ua(B, |ua, now| ua.reject_reoffer(now, b, 488));
    w.run_ms(100);
    assert_eq!(
        w.events(A),
        ["Answered", "ReofferAnswered", "ReofferFailed 488"]
    );
    assert_eq!(
        w.events(B),
        ["Incoming", "Confirmed", "Reoffered", "Reoffered"]
    );
    assert_eq!(
        w.lines()[4..],
        [
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 200 INVITE",
            "0>1 ACK",
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 488 INVITE",
            "0>1 ACK"
        ]
    );
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(100);
    w.assert_empty();
}

#[test]
fn the_same_sdp_again_is_answered_without_the_owner() {
    let mut w = World::new(6, 2);
    let (a, b) = w.established(|_| {});
    w.run_ms(50);
    w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("offer"))))
        .unwrap();
    w.run_ms(100);
    assert_eq!(w.events(A), ["Answered", "ReofferAnswered"]);
    assert_eq!(w.events(B), ["Incoming", "Confirmed"]);
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(100);
    w.assert_empty();
}

#[test]
fn an_offer_can_be_asked_for() {
    let mut w = World::new(7, 2);
    let (a, b) = w.established(|_| {});
    w.run_ms(50);
    w.with_ua(A, |ua, now| ua.reoffer(now, a, None)).unwrap();
    w.run_ms(50);
    w.with_ua(B, |ua, now| ua.accept_reoffer(now, b, sdp("their offer")));
    w.run_ms(50);
    w.with_ua(A, |ua, now| ua.ack_with(now, a, sdp("our answer")))
        .unwrap();
    w.run_ms(50);
    let got = w.agents[B].events.last().map(|e| e.1.clone());
    assert!(
        matches!(got, Some(UaEvent::ReofferAnswered { sdp: Some(s), .. }) if s == sdp("our answer"))
    );
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(100);
    w.assert_empty();
}

#[test]
fn glare_is_settled_by_backing_off() {
    for seed in 0..20 {
        let mut w = World::new(seed, 2);
        let (a, b) = w.established(|_| {});
        w.run_ms(100);
        w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("from a"))))
            .unwrap();
        w.with_ua(B, |ua, now| ua.reoffer(now, b, Some(sdp("from b"))))
            .unwrap();
        let until = w.now + 15 * S;
        let mut seen = [0, 0];
        while w.now < until {
            w.run_ms(5);
            for (i, call) in [(A, a), (B, b)] {
                let asked = w.events(i).iter().filter(|e| *e == "Reoffered").count();
                if asked > seen[i] {
                    seen[i] = asked;
                    w.with_ua(i, |ua, now| ua.accept_reoffer(now, call, sdp("ok")));
                }
            }
        }
        assert_eq!(w.times(A, "491 INVITE").len(), 1);
        for i in [A, B] {
            let done = w
                .events(i)
                .iter()
                .filter(|e| *e == "ReofferAnswered")
                .count();
            assert_eq!(done, 1, "agent {i}: {:?}", w.events(i));
        }
        // The owner of the Call-ID waits longer (14.1).
        let (ta, tb) = (w.times(A, "INVITE"), w.times(B, "INVITE"));
        assert!((2_100..=4_020).contains(&(ta[2] - ta[1])), "{ta:?}");
        assert!(tb[1] <= 2_020, "{tb:?}");
        w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
        w.run_ms(100);
        w.assert_empty();
    }
}

#[test]
fn a_request_out_of_order_gets_500_and_a_stranger_481() {
    let mut w = World::new(8, 2);
    let (_, b) = w.established(|_| {});
    let text = |branch: &str, tag: &str, cseq: u32, w: &World| {
        let m = &w.wire[0].3;
        let to = w.wire[2].3.header(HeaderName::To).unwrap();
        let to = to.split(";tag=").next().unwrap();
        format!(
            "INFO sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}\r\n\
             From: {}\r\nTo: {to};tag={tag}\r\nCall-ID: {}\r\nCSeq: {cseq} INFO\r\nMax-Forwards: 70\r\n\
             Content-Type: application/dtmf-relay\r\nContent-Length: 10\r\n\r\nSignal=5\r\n",
            m.header(HeaderName::From).unwrap(),
            m.call_id(),
        )
    };
    let tag = w.wire[2].3.to().unwrap().tag.unwrap().to_string();
    let from = w.wire.len();
    for (branch, tag, cseq) in [
        ("1", &*tag, 9),
        ("2", &tag, 5),
        ("1", &tag, 9),
        ("3", "other", 10),
    ] {
        let message = text(branch, tag, cseq, &w);
        w.inject(B, "192.0.2.1:5060", &message);
    }
    assert_eq!(
        w.lines()[from..],
        [
            "1>0 200 INFO",
            "1>0 500 INFO",
            "1>0 200 INFO",
            "1>0 481 INFO"
        ]
    );
    assert_eq!(w.events(B), ["Incoming", "Confirmed", "Info"]);
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run(S);
    w.assert_empty();
}

#[test]
fn sessions_are_refreshed_by_who_agreed_to() {
    let mut w = World::with(9, 2, |_, c| c.session_expires_s = 100);
    let (a, b) = w.established(|_| {});
    w.run(Duration::from_secs(460));
    // The caller refreshes at half the interval, by UPDATE, silently.
    assert_eq!(w.times(A, "UPDATE").len(), 9);
    assert_eq!(w.times(A, "UPDATE")[1], 50_010);
    assert_eq!(w.events(A), ["Answered"]);
    assert_eq!(w.events(B), ["Incoming", "Confirmed"]);
    assert!(
        w.wire[2]
            .3
            .header(HeaderName::SessionExpires)
            .unwrap()
            .contains("refresher=uac")
    );
    assert!(w.wire[2].3.lists(HeaderName::Require, "timer"));
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run(S);
    assert_eq!(w.ends(B, b), 1);
    w.assert_empty();
}

#[test]
fn a_session_nobody_refreshes_ends_on_both_sides() {
    let mut w = World::with(10, 2, |_, c| c.session_expires_s = 90);
    let (a, b) = w.established(|_| {});
    w.run_ms(100);
    w.lose = Box::new(|_| true);
    w.run(Duration::from_secs(200));
    assert_eq!(w.events(A), ["Answered", "Ended RemoteGone481"]);
    assert_eq!(
        w.events(B),
        ["Incoming", "Confirmed", "Ended SessionExpired"]
    );
    // 90 s less a third of it.
    let ended = w.agents[B].events[2].0.since(w.agents[B].events[1].0);
    assert_eq!(ended.as_secs(), 59);
    assert_eq!((w.ends(A, a), w.ends(B, b)), (1, 1));
    w.assert_empty();
}

#[test]
fn too_small_an_interval_is_refused_and_asked_again() {
    // B wants more than A offers: simulated by A offering the least and B's own Min-SE in the way.
    let mut w = World::new(11, 2);
    let invite = "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
        From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.1>\r\nMax-Forwards: 70\r\nSupported: timer\r\nSession-Expires: 60\r\n\
        Content-Length: 0\r\n\r\n";
    w.inject(B, "192.0.2.1:5060", invite);
    let reply = w.wire.last().unwrap().3.clone();
    assert_eq!(
        (reply.status(), reply.header(HeaderName::MinSe)),
        (422, Some("90"))
    );
    // As caller: the interval asked for is taken.
    let mut w = World::with(12, 1, |_, c| c.session_expires_s = 100);
    let a = w.call(A, B, |_| {});
    let sent = w.strays[0].1.clone();
    let reply = answer_to(&sent, "422 Too Small", "Min-SE: 300\r\n", Some("t1"));
    w.inject(A, "192.0.2.2:5060", &reply);
    let again = w
        .strays
        .iter()
        .rev()
        .find(|s| s.1.method().as_str() == "INVITE")
        .unwrap()
        .1
        .clone();
    assert_eq!(again.header(HeaderName::SessionExpires), Some("300"));
    assert_eq!(again.header(HeaderName::MinSe), Some("300"));
    assert_eq!(again.cseq().unwrap().number, 2);
    assert_eq!(again.call_id(), sent.call_id());
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.assert_empty();
}

/// A response to a message, as a peer of another make would write it.
pub(super) fn answer_to(m: &Message, status: &str, headers: &str, tag: Option<&str>) -> String {
    let tag = tag.map_or(String::new(), |t| format!(";tag={t}"));
    let head = |n| m.header(n).unwrap().to_string();
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}Content-Length: 0\r\n\r\n",
        head(HeaderName::Via),
        head(HeaderName::From),
        head(HeaderName::To),
        m.call_id(),
        head(HeaderName::CSeq),
    )
}

#[test]
fn a_transfer_is_accepted_and_reported() {
    let mut w = World::new(13, 2);
    let (_, b) = w.established(|_| {});
    w.run_ms(100);
    let to = w.wire[2].3.header(HeaderName::To).unwrap().to_string();
    let from = w.wire[0].3.header(HeaderName::From).unwrap().to_string();
    let refer = |cseq: u32, extra: &str| {
        format!(
            "REFER sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKr{cseq}\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} REFER\r\nMax-Forwards: 70\r\n\
             Contact: <sip:alice@192.0.2.1>\r\n{extra}Content-Length: 0\r\n\r\n",
            w.wire[0].3.call_id()
        )
    };
    let good = refer(
        7,
        "Refer-To: <sip:carol@192.0.2.9?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>\r\nReferred-By: <sip:alice@192.0.2.1>\r\n",
    );
    let none = refer(8, "");
    let second = refer(9, "Refer-To: <sip:dave@192.0.2.9>\r\n");
    let start = w.wire.len();
    w.inject(B, "192.0.2.1:5060", &good);
    w.inject(B, "192.0.2.1:5060", &none);
    w.inject(B, "192.0.2.1:5060", &second);
    w.with_ua(B, |ua, now| ua.refer_progress(now, b, 180));
    w.with_ua(B, |ua, now| ua.refer_progress(now, b, 200));
    w.with_ua(B, |ua, now| ua.refer_progress(now, b, 200));
    let lines: Vec<String> = w.lines()[start..]
        .iter()
        .filter(|l| l.starts_with("1>0"))
        .cloned()
        .collect();
    assert_eq!(
        lines,
        [
            "1>0 202 REFER",
            "1>0 NOTIFY",
            "1>0 400 REFER",
            "1>0 491 REFER",
            "1>0 NOTIFY",
            "1>0 NOTIFY"
        ]
    );
    let notifies: Vec<(String, String)> = w
        .wire
        .iter()
        .filter(|p| label(&p.3) == "NOTIFY")
        .map(|p| {
            (
                String::from_utf8_lossy(p.3.body()).trim().to_string(),
                p.3.header(HeaderName::SubscriptionState)
                    .unwrap()
                    .to_string(),
            )
        })
        .collect();
    assert_eq!(
        notifies,
        [
            ("SIP/2.0 100 Trying".into(), "active;expires=180".into()),
            ("SIP/2.0 180 Ringing".into(), "active;expires=180".into()),
            (
                "SIP/2.0 200 OK".into(),
                "terminated;reason=noresource".to_string()
            ),
        ]
    );
    assert!(
        matches!(&w.agents[B].events[2].1, UaEvent::Referred { refer_to, replaces: Some(ReferReplaces::Unknown), referred_by: Some(by), .. }
        if refer_to.starts_with("sip:carol@") && by == "sip:alice@192.0.2.1")
    );
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(100);
    w.assert_empty();
}

#[test]
fn replaces_finds_the_call_it_names() {
    let mut w = World::new(14, 3);
    let (a, b) = w.established(|_| {});
    w.run_ms(100);
    let tag = |value: &str| value.split("tag=").nth(1).unwrap().to_string();
    let call_id = w.wire[0].3.call_id().to_string();
    let to_b = tag(w.wire[2].3.header(HeaderName::To).unwrap());
    let from_a = tag(w.wire[0].3.header(HeaderName::From).unwrap());
    for (replaces, expected) in [
        (format!("{call_id};to-tag={from_a};from-tag={to_b}"), 481),
        (
            format!("{call_id};to-tag={to_b};from-tag={from_a};early-only"),
            486,
        ),
        (format!("other;to-tag={to_b};from-tag={from_a}"), 481),
        ("nonsense".into(), 400),
        (format!("{call_id};from-tag={from_a}"), 400),
        (format!("{call_id};to-tag={to_b}"), 400),
        // The tag is not to be guessed from a part of it, nor by another case.
        (
            format!(
                "{call_id};to-tag={};from-tag={from_a}",
                &to_b[..to_b.len() - 1]
            ),
            481,
        ),
        (format!("{call_id};to-tag={to_b};from-tag=0"), 481),
        (
            format!(
                "{call_id};to-tag={to_b};from-tag={from_a}\n{call_id};to-tag={to_b};from-tag={from_a}"
            ),
            400,
        ),
        (format!("{call_id};to-tag={to_b};from-tag={from_a}"), 0),
    ] {
        let c = w.call(C, B, |call| {
            let each = replaces.lines().map(|r| ("Replaces".into(), r.into()));
            call.headers.extend(each)
        });
        w.run_ms(50);
        if expected == 0 {
            let last = w.agents[B].events.last().unwrap().1.clone();
            let UaEvent::Incoming { call, replaces, .. } = last else {
                panic!("{last:?}")
            };
            assert_eq!(replaces, Some(b));
            w.with_ua(B, |ua, now| {
                ua.answer(now, call, sdp("answer")).unwrap();
                ua.hang_up(now, b, None);
            });
            w.run_ms(100);
            assert_eq!(w.ends(A, a), 1);
            w.with_ua(C, |ua, now| ua.hang_up(now, c, None));
        } else {
            let found = w.agents[C].events.last().map(|e| name(&e.1));
            assert_eq!(found, Some(format!("Failed {expected}")));
        }
    }
    w.run_ms(100);
    w.assert_empty();
}

/// JsSIP turns the tags of a call that came to it, and has none of a call that still rings.
#[test]
fn a_refer_finds_the_call_that_a_browser_misnames() {
    let mut w = World::new(15, 3);
    let (_, b) = w.established(|_| {});
    w.run_ms(100);
    let tag = |value: &str| value.split("tag=").nth(1).unwrap().to_string();
    let of = |w: &World, at: usize, name| w.wire[at].3.header(name).unwrap().to_string();
    let (first_from, first_to) = (of(&w, 0, HeaderName::From), of(&w, 2, HeaderName::To));
    let first_id = w.wire[0].3.call_id().to_string();
    let start = w.wire.len();
    let c = w.call(C, B, |_| {});
    w.run_ms(50);
    let second_id = w.wire[start].3.call_id().to_string();
    let from_c = tag(&of(&w, start, HeaderName::From));
    let UaEvent::Incoming { call: ringing, .. } = w.agents[B].events.last().unwrap().1 else {
        panic!("{:?}", w.agents[B].events)
    };
    let mut cseq = 20;
    let mut found = |w: &mut World, to: &str, from: &str| {
        cseq += 1;
        let refer = format!(
            "REFER sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKm{cseq}\r\n\
             From: {first_from}\r\nTo: {first_to}\r\nCall-ID: {first_id}\r\nCSeq: {cseq} REFER\r\nMax-Forwards: 70\r\n\
             Contact: <sip:alice@192.0.2.1>\r\nRefer-Sub: false\r\n\
             Refer-To: <sip:carol@192.0.2.9?Replaces={second_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>\r\nContent-Length: 0\r\n\r\n",
        );
        w.inject(B, "192.0.2.1:5060", &refer);
        match &w.agents[B].events.last().unwrap().1 {
            UaEvent::Referred { replaces, .. } => *replaces,
            other => panic!("{other:?}"),
        }
    };
    let named = Some(ReferReplaces::Call(ringing));
    let unknown = Some(ReferReplaces::Unknown);
    assert_eq!(found(&mut w, "null", &from_c), named);
    assert_eq!(found(&mut w, "null", "guess"), unknown);
    assert_eq!(found(&mut w, "undefined", &from_c), unknown);
    w.with_ua(B, |ua, now| ua.answer(now, ringing, sdp("answer")).unwrap());
    w.run_ms(50);
    let answered = w.wire[start..]
        .iter()
        .rev()
        .find(|p| label(&p.3).starts_with("200"));
    let to_b = tag(answered.unwrap().3.header(HeaderName::To).unwrap());
    assert_eq!(found(&mut w, &to_b, &from_c), named);
    assert_eq!(found(&mut w, &from_c, &to_b), named);
    assert_eq!(found(&mut w, &from_c, "guess"), unknown);
    w.with_ua(C, |ua, now| ua.hang_up(now, c, None));
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(100);
    w.assert_empty();
}
