//! Forks, ghosts, failing targets, strangers, lossy networks.

use super::dialogs::answer_to;
use super::world::*;
use crate::header::HeaderName;
use crate::ua::*;
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::{Flow, Target, Transport};
use std::time::Duration;

const S: Duration = Duration::from_secs(1);
const FAR: &str = "198.51.100.9:5060";

fn udp(addr: &str) -> Target {
    Target::Addr {
        transport: Transport::Udp,
        addr: addr.parse().unwrap(),
        server_name: None,
    }
}

fn contact(user: &str) -> String {
    format!("Contact: <sip:{user}@{FAR}>\r\n")
}

#[test]
fn of_two_forks_that_answer_one_wins_and_one_is_ended() {
    let mut w = World::new(1, 1);
    let a = w.call(A, B, |c| c.target = Some(udp(FAR)));
    let invite = w.strays[0].1.clone();
    for (status, tag) in [
        ("180 Ringing", "f1"),
        ("180 Ringing", "f2"),
        ("200 OK", "f2"),
        ("200 OK", "f1"),
        ("200 OK", "f2"),
    ] {
        let text = answer_to(&invite, status, &contact(tag), Some(tag));
        w.inject(A, FAR, &text);
    }
    assert_eq!(w.events(A), ["Progress 180", "Progress 180", "Answered"]);
    let sent: Vec<(String, String, String)> = w.strays[1..]
        .iter()
        .map(|(_, m)| {
            (
                label(m),
                m.uri().to_string(),
                m.to().unwrap().tag.unwrap().to_string(),
            )
        })
        .collect();
    let entry = |what: &str, tag: &str| {
        (
            what.to_string(),
            format!("sip:{tag}@{FAR}"),
            tag.to_string(),
        )
    };
    assert_eq!(
        sent,
        [
            entry("ACK", "f2"),
            entry("ACK", "f1"),
            entry("BYE", "f1"),
            entry("ACK", "f2")
        ]
    );
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    assert_eq!(label(&w.strays.last().unwrap().1), "BYE");
    w.assert_empty();
}

#[test]
fn a_2xx_nobody_waits_for_is_acknowledged_and_ended() {
    let mut w = World::new(2, 1);
    let text = |contact: &str| {
        format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKold\r\n\
             From: <sip:a@192.0.2.1>;tag=old\r\nTo: <sip:b@198.51.100.9>;tag=theirs\r\nCall-ID: old\r\n\
             CSeq: 3 INVITE\r\n{contact}Record-Route: <sip:198.51.100.7;lr>\r\nRecord-Route: <sip:198.51.100.8;lr>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    w.inject(A, FAR, &text("")); // Without a Contact there is nobody to tell.
    assert!(w.strays.is_empty());
    w.inject(A, FAR, &text(&contact("b")));
    let sent: Vec<String> = w
        .strays
        .iter()
        .map(|(t, m)| format!("{} {} {:?}", label(m), m.cseq().unwrap().number, t))
        .collect();
    assert!(
        sent[0].starts_with("ACK 3 ") && sent[1].starts_with("BYE 1003 "),
        "{sent:?}"
    );
    assert!(sent[0].contains("198.51.100.8:5060"), "{sent:?}");
    let routes: Vec<_> = w.strays[0].1.headers(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:198.51.100.8;lr>", "<sip:198.51.100.7;lr>"]);
    w.assert_empty();
}

#[test]
fn a_dialog_of_a_process_that_died_is_ended_from_its_snapshot() {
    let mut w = World::new(3, 2);
    let (_, b) = w.established(|_| {});
    w.run_ms(100);
    let snapshot = w.agents[B].ua.dialog_snapshot(b).unwrap();
    // A new process at the same address.
    w.agents[B].ua = UserAgent::new(config(B, 77));
    assert_eq!(
        w.with_ua(B, |ua, now| ua.end_orphan(now, "rubbish")),
        Err(UaError::Snapshot)
    );
    w.with_ua(B, |ua, now| ua.end_orphan(now, &snapshot))
        .unwrap();
    w.run_ms(100);
    assert_eq!(w.events(A), ["Answered", "Ended Bye"]);
    w.assert_empty();
}

#[test]
fn requests_fail_over_to_the_next_target() {
    let mut w = World::new(4, 2);
    let a = w.call(A, B, |c| c.request_uri = "sip:bob@carrier.example".into());
    let (
        _,
        UaOutput::Resolve {
            id,
            host,
            port,
            transport,
            secure,
        },
    ) = w.resolves[0].clone()
    else {
        panic!()
    };
    assert_eq!(
        (host.as_str(), port, transport, secure),
        ("carrier.example", None, None, false)
    );
    let targets = vec![
        udp("198.51.100.1:5060"),
        udp("198.51.100.2:5060"),
        udp("192.0.2.2:5060"),
    ];
    w.with_ua(A, |ua, now| ua.resolved(now, id, Ok(targets.clone())));
    let first = targets[0].clone();
    w.with_ua(A, |ua, now| ua.send_failed(now, &first));
    let second = w.strays[1].1.clone();
    w.inject(
        A,
        "198.51.100.2:5060",
        &answer_to(&second, "503 Busy", "", Some("x")),
    );
    let b = w.incoming(B).unwrap();
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("answer")))
        .unwrap();
    w.run_ms(50);
    assert_eq!(w.events(A), ["Answered"]);
    // Three attempts, three branches, one CSeq.
    let branches: std::collections::HashSet<String> = w
        .strays
        .iter()
        .map(|s| &s.1)
        .chain([&w.wire[0].3])
        .filter(|m| label(m) == "INVITE")
        .map(|m| m.top_via().unwrap().branch.unwrap().to_string())
        .collect();
    assert_eq!(branches.len(), 3);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    // What failed is tried last for a while.
    w.call(A, B, |c| c.request_uri = "sip:bob@carrier.example".into());
    let (_, UaOutput::Resolve { id, .. }) = w.resolves[1].clone() else {
        panic!()
    };
    let before = w.strays.len();
    w.with_ua(A, |ua, now| ua.resolved(now, id, Ok(targets)));
    w.run_ms(5);
    assert_eq!(w.strays.len(), before, "sent to a target that works");
}

#[test]
fn a_name_nobody_resolves_fails_the_call_once() {
    for answer in [Some(Err(ResolveError::NotFound)), Some(Ok(vec![])), None] {
        let mut w = World::new(5, 1);
        let a = w.call(A, B, |c| c.request_uri = "sip:bob@nowhere.example".into());
        if let Some(answer) = answer {
            let (_, UaOutput::Resolve { id, .. }) = w.resolves[0].clone() else {
                panic!()
            };
            w.with_ua(A, |ua, now| ua.resolved(now, id, answer));
        }
        w.run(11 * S);
        assert_eq!(w.events(A), ["Failed 503"]);
        let tel = w.call(A, B, |c| c.request_uri = "tel:+4930".into());
        w.run_ms(1);
        assert_eq!((w.ends(A, a), w.ends(A, tel)), (1, 1));
        // Hanging up while the name is looked up sends nothing.
        let quiet = w.call(A, B, |c| c.request_uri = "sip:bob@nowhere.example".into());
        w.with_ua(A, |ua, now| ua.hang_up(now, quiet, None));
        assert!(w.strays.is_empty());
        w.assert_empty();
    }
}

#[test]
fn methods_and_strangers_are_answered_as_they_should_be() {
    let mut w = World::new(6, 2);
    let request = |method: &str, extra: &str| {
        format!(
            "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{method}{}\r\n\
             From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: {method}{}\r\nCSeq: 1 {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:a@192.0.2.1>\r\n{extra}Content-Length: 0\r\n\r\n",
            extra.len(),
            extra.len()
        )
    };
    const REPLACES: &str = "Replaces: a@b;to-tag=1;from-tag=2\r\n";
    for (method, extra, expected) in [
        ("OPTIONS", "", 200),
        ("MESSAGE", "", 405),
        ("PUBLISH", "", 405),
        ("FLY", "", 501),
        ("SUBSCRIBE", "Event: presence\r\n", 489),
        ("BYE", "", 481),
        ("CANCEL", "", 481),
        ("PRACK", "", 481),
        ("UPDATE", "", 481),
        ("INFO", "", 481),
        ("NOTIFY", "", 481),
        ("REFER", "Refer-To: <sip:c@192.0.2.3>\r\n", 403),
        ("REGISTER", "", 403),
        ("INVITE", "Require: magic\r\n", 420),
        ("OPTIONS", REPLACES, 400),
        ("REGISTER", REPLACES, 400),
        ("SUBSCRIBE", REPLACES, 400),
        ("INVITE", REPLACES, 481),
    ] {
        w.inject(B, "192.0.2.1:5060", &request(method, extra));
        let got = w
            .wire
            .last()
            .map(|p| (p.3.status(), p.3.method().to_string()));
        assert_eq!(got, Some((expected, method.to_string())));
    }
    let no_hops = request("INVITE", "")
        .replace("Max-Forwards: 70", "Max-Forwards: 0")
        .replace("z9hG4bK", "z9hG4bKm")
        .replace("Call-ID: ", "Call-ID: m");
    w.inject(B, "192.0.2.1:5060", &no_hops);
    assert_eq!(w.wire.last().unwrap().3.status(), 483);
    // The same request by another way is a loop (8.2.2.2).
    let invite = request("INVITE", "");
    w.inject(B, "192.0.2.1:5060", &invite);
    w.inject(
        B,
        "192.0.2.1:5060",
        &invite.replace("branch=z9hG4bK", "branch=z9hG4bKother"),
    );
    assert_eq!(w.wire.last().unwrap().3.status(), 482);
    assert_eq!(w.events(B), ["Incoming"]);
    // Senders who use one branch are not taken for one another (17.2.3).
    let other = invite
        .replace("UDP 192.0.2.1:5060", "UDP 192.0.2.3:5060")
        .replace("Call-ID: ", "Call-ID: z");
    w.inject(B, "192.0.2.1:5060", &other);
    assert_eq!(w.events(B), ["Incoming", "Incoming"]);
}

#[test]
fn replies_go_where_the_via_says() {
    let mut w = World::new(7, 1);
    for (via, expected, marked) in [
        (
            "10.0.0.1:7000;branch=z9hG4bKa;rport",
            "203.0.113.5:6000",
            true,
        ),
        ("10.0.0.1:7000;branch=z9hG4bKb", "203.0.113.5:7000", false),
        ("10.0.0.1;branch=z9hG4bKc", "203.0.113.5:5060", false),
    ] {
        let text = format!(
            "OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:x@10.0.0.1>;tag=1\r\n\
             To: <sip:a@192.0.2.1>\r\nCall-ID: {via}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        w.inject(A, "203.0.113.5:6000", &text);
        let (target, reply) = w.strays.last().unwrap();
        assert!(
            matches!(target, Target::Flow(f) if f.remote.to_string() == expected),
            "{via}"
        );
        let top = reply.top_via().unwrap();
        assert_eq!(top.received, Some("203.0.113.5"));
        assert_eq!(top.rport, marked.then_some(Some(6000)));
    }
}

#[test]
fn an_overloaded_agent_says_503() {
    let mut w = World::with(8, 2, |_, c| c.limits.calls_max = 1);
    w.call(A, B, |_| {});
    w.incoming(B).unwrap();
    // A holds its own call too; C is not needed.
    w.agents[A].ua = {
        let mut c = config(A, 5);
        c.limits.calls_max = 10;
        UserAgent::new(c)
    };
    w.call(A, B, |_| {});
    w.run_ms(100);
    assert_eq!(w.events(A), ["Failed 503"]);
    assert_eq!(w.events(B), ["Incoming", "Denied calls"]);
}

/// Random calls over a network that loses up to 30 % and reorders: each call has one end on each
/// side, nobody disagrees for long, and nothing is left.
#[test]
fn lossy_networks_leave_no_ghosts_and_no_leaks() {
    for seed in seeds() {
        let mut w = World::with(seed, 2, |_, c| c.session_expires_s = 120);
        w.loss_pct = seed % 31;
        w.jitter_ms = 300 * (seed % 3);
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = |n: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % n
        };
        let mut ours: Vec<(usize, CallRef, bool)> = vec![];
        let mut taken = [0, 0];
        for _ in 0..120 {
            w.run_ms(50 + roll(700));
            for i in [A, B] {
                while taken[i] < w.agents[i].events.len() {
                    let event = w.agents[i].events[taken[i]].1.clone();
                    taken[i] += 1;
                    match event {
                        UaEvent::Incoming { call, .. } => {
                            ours.push((i, call, false));
                            match roll(5) {
                                0 => {
                                    let done =
                                        w.with_ua(i, |ua, now| ua.reject(now, call, 486, vec![]));
                                    ours.last_mut().unwrap().2 = done.is_ok();
                                }
                                1 => drop(w.with_ua(i, |ua, now| {
                                    ua.progress(now, call, 183, Some(sdp("early")))
                                })),
                                2 => {}
                                _ => drop(
                                    w.with_ua(i, |ua, now| ua.answer(now, call, sdp("answer"))),
                                ),
                            }
                        }
                        UaEvent::Reoffered { call, .. } => w.with_ua(i, |ua, now| match roll(3) {
                            0 => ua.reject_reoffer(now, call, 488),
                            _ => ua.accept_reoffer(now, call, sdp("re")),
                        }),
                        _ => {}
                    }
                }
            }
            let pick = |ours: &Vec<(usize, CallRef, bool)>, n: u64| {
                ours.get(n as usize % ours.len().max(1)).copied()
            };
            match roll(6) {
                0 if ours.len() < 12 => {
                    let from = roll(2) as usize;
                    let call = w.call(from, 1 - from, |c| {
                        c.supported_100rel = true;
                        c.ring_timeout = 20 * S;
                    });
                    ours.push((from, call, false));
                }
                1 => {
                    if let Some((i, call, _)) = pick(&ours, roll(99)) {
                        w.with_ua(i, |ua, now| ua.hang_up(now, call, None));
                        for entry in ours.iter_mut().filter(|o| o.0 == i && o.1 == call) {
                            entry.2 = true;
                        }
                    }
                }
                2 => {
                    if let Some((i, call, _)) = pick(&ours, roll(99)) {
                        let offer = sdp(&format!("offer {}", roll(1_000)));
                        let _ = w.with_ua(i, |ua, now| ua.reoffer(now, call, Some(offer)));
                    }
                }
                3 => {
                    if let Some((i, call, _)) = pick(&ours, roll(99)) {
                        let _ = w.with_ua(i, |ua, now| ua.answer(now, call, sdp("late answer")));
                    }
                }
                _ => {}
            }
        }
        // A hangs up what is left; B must then learn of every end, whatever was lost.
        for entry in ours.iter_mut().filter(|o| o.0 == A) {
            w.run_ms(20);
            if w.ends(A, entry.1) == 0 {
                w.with_ua(A, |ua, now| ua.hang_up(now, entry.1, None));
                entry.2 = true;
            }
        }
        w.run(Duration::from_secs(300));
        // Calls that came in after the last look at the events.
        for i in [A, B] {
            for (_, event) in w.agents[i].events[taken[i]..].iter().cloned() {
                if let UaEvent::Incoming { call, .. } = event {
                    ours.push((i, call, false));
                }
            }
        }
        // A caller may vanish before it heard a single response: an owner lets nothing ring for ever.
        for entry in ours.iter_mut() {
            let answered = w.agents[entry.0].events.iter().any(|(_, e)| {
                matches!(e, UaEvent::Confirmed { call, .. } | UaEvent::Answered { call, .. } if *call == entry.1)
            });
            if !answered && w.ends(entry.0, entry.1) == 0 {
                w.with_ua(entry.0, |ua, now| ua.hang_up(now, entry.1, None));
                entry.2 = true;
            }
        }
        for (i, call, by_owner) in &ours {
            let ends = w.ends(*i, *call);
            assert!(
                ends == 1 || (*by_owner && ends == 0),
                "seed {seed}: {ends} ends, agent {i}"
            );
        }
        w.assert_empty();
    }
}

#[test]
fn a_flow_that_closes_fails_what_waits_on_it() {
    let mut w = World::new(9, 1);
    let flow = Flow {
        transport: Transport::Wss,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: FAR.parse().unwrap(),
        connection: Some(cp_vocab::net::ConnectionId(4)),
    };
    let a = w.call(A, B, |c| c.target = Some(Target::Flow(flow)));
    assert_eq!(w.strays.len(), 1);
    w.with_ua(A, |ua, now| {
        ua.flow_closed(now, cp_vocab::net::ConnectionId(3))
    });
    assert_eq!(w.ends(A, a), 0);
    w.with_ua(A, |ua, now| {
        ua.flow_closed(now, cp_vocab::net::ConnectionId(4))
    });
    assert_eq!(w.events(A), ["Failed 503"]);
    w.assert_empty();
}

#[test]
fn noise_is_ignored() {
    let mut w = World::new(10, 1);
    for noise in [
        "",
        "\r\n\r\n",
        "hello",
        "SIP/2.0 200 OK\r\n\r\n",
        "\0\0\0",
        "ACK sip:a SIP/2.0\r\n\r\n",
    ] {
        w.inject(A, FAR, noise);
    }
    w.give(
        A,
        &Flow {
            transport: Transport::Udp,
            local: addr(A),
            remote: FAR.parse().unwrap(),
            connection: None,
        },
        Bytes::from_static(&[0xff; 300]),
    );
    assert!(w.strays.is_empty() && w.agents[A].events.is_empty());
    assert_eq!(w.agents[A].ua.next_timeout(), None::<Timestamp>);
}

/// 150 seeds, or those of `CP_SEEDS=from..to`.
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("CP_SEEDS").ok();
    let range = asked.as_deref().and_then(|s| {
        let (from, to) = s.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    range.unwrap_or(0..150)
}

#[test]
fn a_caller_whose_connection_breaks_is_gone() {
    let mut w = World::new(11, 2);
    w.call(A, B, |c| c.request_uri += ";transport=tcp");
    w.incoming(B).unwrap();
    let flow = w.wire[1]
        .3
        .top_via()
        .map(|_| cp_vocab::net::ConnectionId(2))
        .unwrap();
    w.with_ua(B, |ua, now| ua.flow_closed(now, flow));
    assert_eq!(w.events(B), ["Incoming", "Ended TransportLost"]);
    assert_eq!(w.agents[B].ua.table_sizes().server_transactions, 0);
    w.with_ua(A, |ua, now| ua.flow_closed(now, flow));
    // An address was called, not a flow: the caller waits as long as it wants to.
    w.run(70 * S);
    assert_eq!(w.events(A).last().map(String::as_str), Some("Failed 408"));
    w.assert_empty();
}

#[test]
fn a_dialog_outlives_its_connection() {
    let mut w = World::new(12, 2);
    let (a, b) = w.established(|c| c.request_uri += ";transport=tcp");
    w.run_ms(50);
    let gone = cp_vocab::net::ConnectionId(2);
    w.with_ua(B, |ua, now| ua.flow_closed(now, gone));
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    // The edge reports that the flow is gone; the Contact is an address, so that is tried.
    let flow = Flow {
        transport: Transport::Tcp,
        local: addr(B),
        remote: addr(A),
        connection: Some(gone),
    };
    let before = w.wire.len();
    w.with_ua(B, |ua, now| ua.send_failed(now, &Target::Flow(flow)));
    assert_eq!(w.lines()[before..], ["1>0 BYE"]);
    w.run_ms(50);
    assert_eq!(w.ends(A, a), 1);
    w.assert_empty();
}

#[test]
fn a_call_by_a_trunk_takes_its_way_and_its_credential() {
    let mut w = World::new(13, 2);
    w.agents[B].directory.challenge = true;
    w.with_ua(A, |ua, now| {
        ua.configure_trunks(
            now,
            vec![TrunkConfig {
                id: trunk_id(),
                host: "carrier.example".into(),
                transport: Transport::Udp,
                user: "alice".into(),
                password: "wonder".into(),
                register: false,
                health_interval_s: 0,
                addresses: vec!["198.51.100.1:5060".parse().unwrap(), addr(B)],
            }],
        );
    });
    let a = w.call(A, B, |c| {
        c.request_uri = "sip:%2A98%23@carrier.example".into();
        c.via_trunk = Some(trunk_id());
    });
    w.with_ua(A, |ua, now| ua.send_failed(now, &udp("198.51.100.1:5060")));
    let b = w.incoming(B).unwrap();
    let UaEvent::Incoming { invite, .. } = &w.agents[B].events[0].1 else {
        panic!()
    };
    assert_eq!(invite.uri(), "sip:%2A98%23@carrier.example");
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run_ms(50);
    assert_eq!((w.ends(A, a), w.ends(B, b)), (1, 0));
    w.assert_empty();
}

/// The torture messages of RFC 4475, each over UDP and TCP, and a call after each.
#[test]
fn a_call_works_after_each_torture_message() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/vectors/rfc4475"
    );
    if std::env::var("CP_NO_SHARED").is_ok_and(|v| v == "1") {
        return;
    }
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the shared vectors lie beside the repository (CP_NO_SHARED=1 leaves them out)")
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "dat"))
        .collect();
    files.sort();
    assert!(files.len() >= 49);
    for challenge in [false, true] {
        let mut w = World::new(14, 2);
        for file in &files {
            let bytes = Bytes::from(std::fs::read(file).unwrap());
            for transport in [Transport::Udp, Transport::Tcp] {
                w.agents[B].directory.challenge = challenge;
                let connection = transport
                    .is_reliable()
                    .then_some(cp_vocab::net::ConnectionId(50));
                let flow = Flow {
                    transport,
                    local: addr(B),
                    remote: FAR.parse().unwrap(),
                    connection,
                };
                w.give(B, &flow, bytes.clone());
                w.agents[B].directory.challenge = false;
                let calls: Vec<CallRef> = w.agents[B]
                    .events
                    .drain(..)
                    .filter_map(|(_, e)| match e {
                        UaEvent::Incoming { call, .. } => Some(call),
                        _ => None,
                    })
                    .collect();
                assert!(
                    calls.is_empty() || !challenge,
                    "{file:?} reached the owner unauthenticated"
                );
                for call in calls {
                    w.with_ua(B, |ua, now| ua.hang_up(now, call, None));
                }
                let (a, b) = w.established(|_| {});
                w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
                w.run_ms(50);
                assert_eq!(w.ends(B, b), 1, "{file:?}");
                w.agents.iter_mut().for_each(|a| a.events.clear());
            }
        }
        w.assert_empty();
    }
}

/// Messages of real calls with bytes changed, doubled, cut: nothing panics, nothing gets stuck.
#[test]
fn mutated_messages_do_no_harm() {
    let mut w = World::new(15, 2);
    let (a, b) = w.established(|c| c.supported_100rel = true);
    w.with_ua(A, |ua, now| ua.reoffer(now, a, Some(sdp("hold"))))
        .unwrap();
    w.run_ms(50);
    w.with_ua(B, |ua, now| ua.accept_reoffer(now, b, sdp("held")));
    w.run_ms(50);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(50);
    let seeds: Vec<Bytes> = w.wire.iter().map(|p| p.3.bytes().clone()).collect();
    let mut dice = 0x5eed_u64;
    let mut roll = |n: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (dice >> 33) as usize % n.max(1)
    };
    for round in 0..20_000 {
        let mut bytes = seeds[roll(seeds.len())].to_vec();
        for _ in 0..=roll(4) {
            let at = roll(bytes.len());
            match roll(5) {
                0 => bytes[at] = roll(256) as u8,
                1 => bytes.truncate(at.max(10)),
                2 => bytes.insert(at, b"\r\n;,:<>@\"%"[roll(10)]),
                3 => drop(bytes.drain(at..(at + roll(20)).min(bytes.len()))),
                _ => {
                    let piece = bytes[at..(at + roll(60)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        let to = roll(2);
        let flow = Flow {
            transport: [Transport::Udp, Transport::Tcp][roll(2)],
            local: addr(to),
            remote: addr(1 - to),
            connection: None,
        };
        w.give(to, &flow, Bytes::from(bytes));
        if round % 50 == 0 {
            w.run_ms(200);
            for i in [A, B] {
                let calls: Vec<CallRef> = w.agents[i]
                    .events
                    .drain(..)
                    .filter_map(|(_, e)| match e {
                        UaEvent::Incoming { call, .. } => Some(call),
                        _ => None,
                    })
                    .collect();
                for call in calls {
                    let _ = w.with_ua(i, |ua, now| ua.answer(now, call, sdp("answer")));
                }
            }
        }
    }
    let (_, b) = w.established(|_| {});
    w.with_ua(B, |ua, now| ua.hang_up(now, b, None));
    w.run(Duration::from_secs(60));
    for agent in &w.agents {
        let sizes = agent.ua.table_sizes();
        assert!(
            sizes.requests < 50 && sizes.client_transactions < 50,
            "{sizes:?}"
        );
    }
}
