//! Calls: set-up, ends, races.

use super::world::*;
use crate::ua::*;
use std::time::Duration;

#[test]
fn a_call_is_made_answered_and_ended_by_the_callee() {
    let mut w = World::new(1, 2);
    let (a, b) = w.established(|_| {});
    w.run_ms(100);
    w.with_ua(B, |ua, now| {
        ua.hang_up(now, b, Some("Q.850;cause=16".into()))
    });
    w.run_ms(100);
    assert_eq!(
        w.lines(),
        [
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 200 INVITE",
            "0>1 ACK",
            "1>0 BYE",
            "0>1 200 BYE"
        ]
    );
    assert_eq!(w.events(A), ["Answered", "Ended Bye"]);
    assert_eq!(w.events(B), ["Incoming", "Confirmed"]);
    assert_eq!((w.ends(A, a), w.ends(B, b)), (1, 0));
    w.assert_empty();
}

#[test]
fn both_hang_up_at_once() {
    let mut w = World::new(2, 2);
    let (a, b) = w.established(|_| {});
    w.run_ms(100);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(1000);
    assert_eq!(
        w.lines()[4..],
        ["0>1 BYE", "1>0 BYE", "1>0 200 BYE", "0>1 200 BYE"]
    );
    assert_eq!((w.ends(A, a), w.ends(B, b)), (0, 0));
    w.assert_empty();
}

#[test]
fn the_caller_cancels_while_it_rings() {
    let mut w = World::new(3, 2);
    let a = w.call(A, B, |_| {});
    let b = w.incoming(B).unwrap();
    w.with_ua(B, |ua, now| ua.progress(now, b, 180, None))
        .unwrap();
    w.run_ms(100);
    w.with_ua(A, |ua, now| {
        ua.hang_up(now, a, Some("SIP;cause=200".into()))
    });
    w.run_ms(100);
    assert_eq!(
        w.lines(),
        [
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 180 INVITE",
            "0>1 CANCEL",
            "1>0 200 CANCEL",
            "1>0 487 INVITE",
            "0>1 ACK"
        ]
    );
    assert_eq!(w.events(A), ["Progress 180"]);
    assert_eq!(w.events(B), ["Incoming", "Ended Cancel"]);
    let reason = match &w.agents[B].events[1].1 {
        UaEvent::Ended { reason, .. } => reason.clone(),
        _ => None,
    };
    assert_eq!(reason.as_deref(), Some("SIP;cause=200"));
    w.assert_empty();
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut w = World::new(4, 2);
    let a = w.call(A, B, |_| {});
    let b = w.incoming(B).unwrap();
    w.run_ms(20);
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("answer")))
        .unwrap();
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(100);
    assert_eq!(
        w.lines()[2..],
        [
            "1>0 200 INVITE",
            "0>1 CANCEL",
            "0>1 ACK",
            "0>1 BYE",
            "1>0 200 CANCEL",
            "1>0 200 BYE"
        ]
    );
    assert_eq!(w.events(A), Vec::<String>::new());
    assert_eq!(w.events(B), ["Incoming", "Confirmed", "Ended Bye"]);
    w.assert_empty();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut w = World::new(5, 2);
    let a = w.call(A, B, |_| {});
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(100);
    assert_eq!(
        w.lines(),
        [
            "0>1 INVITE",
            "1>0 100 INVITE",
            "0>1 CANCEL",
            "1>0 200 CANCEL",
            "1>0 487 INVITE",
            "0>1 ACK"
        ]
    );
    w.assert_empty();
}

#[test]
fn nobody_answers_the_phone() {
    let mut w = World::new(6, 2);
    let a = w.call(A, B, |c| c.ring_timeout = Duration::from_secs(5));
    let b = w.incoming(B).unwrap();
    w.run(Duration::from_secs(6));
    assert_eq!(w.events(A), ["Failed 408"]);
    assert_eq!(w.events(B), ["Incoming", "Ended Cancel"]);
    assert_eq!((w.ends(A, a), w.ends(B, b)), (1, 1));
    w.assert_empty();
}

#[test]
fn an_invite_nobody_hears_is_repeated_and_fails() {
    let mut w = World::new(7, 2);
    w.lose = Box::new(|_| true);
    let a = w.call(A, B, |_| {});
    w.run(Duration::from_secs(40));
    assert_eq!(
        w.times(A, "INVITE"),
        [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]
    );
    assert_eq!(w.events(A), ["Failed 408"]);
    assert_eq!(w.agents[A].events[0].0.as_millis(), 1_032_000);
    assert_eq!(w.ends(A, a), 1);
    w.assert_empty();
}

#[test]
fn a_bye_nobody_hears_is_repeated_by_timer_e() {
    let mut w = World::new(8, 2);
    let (a, _) = w.established(|_| {});
    w.lose = Box::new(|_| true);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run(Duration::from_secs(40));
    assert_eq!(
        w.times(A, "BYE"),
        [
            0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
        ]
    );
    assert_eq!(w.agents[A].ua.table_sizes().calls, 0);
}

#[test]
fn a_200_is_repeated_until_acknowledged_and_given_up() {
    let mut w = World::new(9, 2);
    w.lose = Box::new(|line| line.starts_with("ACK") || line.starts_with("BYE"));
    w.call(A, B, |_| {});
    let b = w.incoming(B).unwrap();
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("answer")))
        .unwrap();
    w.run(Duration::from_secs(70));
    assert_eq!(
        w.times(B, "200 INVITE"),
        [
            0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
        ]
    );
    // Each repetition got its ACK again.
    assert_eq!(w.times(A, "ACK").len(), 11);
    assert_eq!(w.events(B), ["Incoming", "Ended AckTimeout"]);
    assert!(w.lines().contains(&"1>0 BYE".to_string()));
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut w = World::new(10, 2);
    w.call(A, B, |_| {});
    let b = w.incoming(B).unwrap();
    w.with_ua(B, |ua, now| {
        ua.answer(now, b, sdp("answer")).unwrap();
        ua.hang_up(now, b, None);
        ua.hang_up(now, b, None);
    });
    w.run_ms(200);
    assert_eq!(
        w.lines()[2..],
        ["1>0 200 INVITE", "0>1 ACK", "1>0 BYE", "0>1 200 BYE"]
    );
    assert_eq!(w.events(B), ["Incoming"]);
    w.assert_empty();
}

#[test]
fn a_refusal_carries_status_and_headers() {
    let mut w = World::new(11, 2);
    let a = w.call(A, B, |_| {});
    let b = w.incoming(B).unwrap();
    let headers = vec![
        ("Reason".to_string(), "Q.850;cause=17".to_string()),
        (
            "X-Bad\r\nInjected".to_string(),
            "v\r\nInjected: 1".to_string(),
        ),
    ];
    w.with_ua(B, |ua, now| ua.reject(now, b, 486, headers))
        .unwrap();
    w.run_ms(100);
    assert!(
        matches!(&w.agents[A].events[..], [(_, UaEvent::Failed { call, status: 486, reason: Some(r), .. })]
        if *call == a && r == "Q.850;cause=17")
    );
    assert_eq!(
        w.with_ua(B, |ua, now| ua.answer(now, b, sdp("x"))),
        Err(UaError::NoCall)
    );
    w.assert_empty();
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut w = World::new(12, 2);
    let a = w.call(A, B, |c| c.sdp = None);
    let b = w.incoming(B).unwrap();
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("offer")))
        .unwrap();
    let offer = w.wait(A, Duration::from_secs(1), |e| match e {
        UaEvent::Answered { sdp, .. } => sdp.clone(),
        _ => None,
    });
    assert_eq!(offer.as_deref(), Some(sdp("offer").as_bytes()));
    w.with_ua(A, |ua, now| ua.ack_with(now, a, sdp("answer")))
        .unwrap();
    w.run_ms(100);
    assert!(
        matches!(&w.agents[B].events[..], [_, (_, UaEvent::Confirmed { sdp: Some(s), .. })]
        if *s == sdp("answer"))
    );
    // Hanging up without having given the answer still acknowledges.
    let a2 = w.call(A, B, |c| c.sdp = None);
    w.run_ms(50);
    let b2 = match &w.agents[B].events.last().unwrap().1 {
        UaEvent::Incoming { call, .. } => *call,
        e => panic!("{e:?}"),
    };
    w.with_ua(B, |ua, now| ua.answer(now, b2, sdp("offer")))
        .unwrap();
    w.run_ms(50);
    w.with_ua(A, |ua, now| {
        ua.hang_up(now, a2, None);
        ua.hang_up(now, a, None);
    });
    w.run_ms(100);
    assert_eq!((w.ends(B, b), w.ends(B, b2)), (1, 1));
    w.assert_empty();
}

#[test]
fn over_tcp_nothing_is_repeated_but_the_200() {
    let mut w = World::new(13, 2);
    let (a, _) = w.established(|c| c.request_uri += ";transport=tcp");
    w.run_ms(100);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(100);
    assert_eq!(
        w.lines(),
        [
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 200 INVITE",
            "0>1 ACK",
            "0>1 BYE",
            "1>0 200 BYE"
        ]
    );
    let contact = w.wire[0].3.contact().unwrap().uri.to_string();
    assert_eq!(contact, "sip:alice@192.0.2.1:5060;transport=tcp");
    assert_eq!(w.wire[0].3.top_via().unwrap().transport, "TCP");
    w.assert_empty();
}

#[test]
fn a_large_request_goes_to_tcp_and_back_to_udp_when_refused() {
    for refuse in [false, true] {
        let mut w = World::new(14, 2);
        w.agents[B].refuse_tcp = refuse;
        let (a, b) = w.established(|c| c.headers.push(("X-Long".into(), "y".repeat(1_200))));
        let transports: Vec<_> = w
            .wire
            .iter()
            .filter(|p| label(&p.3) == "INVITE")
            .map(|p| p.3.top_via().unwrap().transport.to_string())
            .collect();
        let expected: &[&str] = if refuse { &["TCP", "UDP"] } else { &["TCP"] };
        assert_eq!(transports, expected);
        w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
        w.run_ms(100);
        assert_eq!(w.ends(A, a), 1);
        w.assert_empty();
    }
}
