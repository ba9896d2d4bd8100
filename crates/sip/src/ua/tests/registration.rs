//! Registrations, digests, source limits, trunks.

use super::dialogs::answer_to;
use super::world::*;
use crate::digest::{ClientCredential, ClientSession};
use crate::header::HeaderName;
use crate::message::Message;
use crate::ua::*;
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use std::time::Duration;

const S: Duration = Duration::from_secs(1);
const PHONE: &str = "203.0.113.5:5070";

/// A phone of another make, by hand.
struct Phone {
    flow: Flow,
    cseq: u32,
    user: &'static str,
    password: &'static str,
    sha256: bool,
    branch: u32,
}

impl Phone {
    fn new(transport: Transport) -> Self {
        Self {
            flow: Flow {
                transport,
                local: addr(A),
                remote: PHONE.parse().unwrap(),
                connection: (transport != Transport::Udp).then_some(ConnectionId(77)),
            },
            cseq: 0,
            user: "alice",
            password: "wonder",
            sha256: true,
            branch: 0,
        }
    }

    fn text(&mut self, method: &str, headers: &str) -> String {
        self.cseq += 1;
        self.branch += 1;
        format!(
            "{method} sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/{} {PHONE};branch=z9hG4bK{};rport\r\n\
             From: <sip:{user}@{REALM}>;tag=p\r\nTo: <sip:{user}@{REALM}>\r\nCall-ID: reg\r\n\
             CSeq: {} {method}\r\nMax-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n",
            self.flow.transport.via(),
            self.branch,
            self.cseq,
            user = self.user,
        )
    }

    fn send(&self, w: &mut World, text: &str) -> Option<Message> {
        let before = w.strays.len();
        w.give(
            A,
            &self.flow,
            bytes::Bytes::copy_from_slice(text.as_bytes()),
        );
        (w.strays.len() > before).then(|| w.strays.last().unwrap().1.clone())
    }

    /// Sends, answers the challenge, gives the last response and the Authorization used.
    fn request(&mut self, w: &mut World, method: &str, headers: &str) -> (Option<Message>, String) {
        let text = self.text(method, headers);
        let Some(reply) = self.send(w, &text) else {
            return (None, String::new());
        };
        if reply.status() != 401 {
            return (Some(reply), String::new());
        }
        let wanted = if self.sha256 { "SHA-256" } else { "MD5" };
        let challenge = reply
            .headers(HeaderName::WwwAuthenticate)
            .filter(|c| c.contains(&format!("algorithm={wanted}")));
        let mut session = ClientSession::pick(challenge, "cnonce").unwrap();
        let credential = ClientCredential {
            user: self.user.into(),
            password: self.password.into(),
        };
        let value = session.authorization(&credential, method, &format!("sip:{REALM}"), b"");
        let auth = format!("Authorization: {value}\r\n");
        let text = self.text(method, &format!("{auth}{headers}"));
        (self.send(w, &text), auth)
    }

    fn register(&mut self, w: &mut World, headers: &str) -> Option<Message> {
        self.request(w, "REGISTER", headers).0
    }
}

fn world() -> World {
    let mut w = World::new(1, 1);
    w.agents[A].directory.challenge = true;
    w
}

const CONTACT: &str = "Contact: <sip:alice@203.0.113.5:5070>\r\n";

#[test]
fn both_digests_register_and_a_replay_does_not() {
    for sha256 in [true, false] {
        let mut w = world();
        let mut phone = Phone::new(Transport::Udp);
        phone.sha256 = sha256;
        let (reply, auth) = phone.request(&mut w, "REGISTER", CONTACT);
        let reply = reply.unwrap();
        assert_eq!(reply.status(), 200);
        assert_eq!(
            reply.header(HeaderName::Contact),
            Some("<sip:alice@203.0.113.5:5070>;expires=3600")
        );
        // SHA-256 is offered first (RFC 8760 2.4).
        let offered: Vec<_> = w.strays[0].1.headers(HeaderName::WwwAuthenticate).collect();
        assert!(offered[0].contains("MD5") && offered[1].contains("SHA-256"));
        // Somebody heard the header and sends it again: no entry, only a new challenge.
        let replay = phone.text(
            "REGISTER",
            &format!("{auth}Contact: <sip:mallory@198.51.100.66>\r\n"),
        );
        let reply = phone.send(&mut w, &replay).unwrap();
        assert_eq!(reply.status(), 401);
        assert!(
            reply
                .header(HeaderName::WwwAuthenticate)
                .unwrap()
                .contains("stale=true")
        );
        let contacts: Vec<_> = w.agents[A]
            .ua
            .contacts(phone_id())
            .map(|b| b.uri.to_string())
            .collect();
        assert_eq!(contacts, ["sip:alice@203.0.113.5:5070"]);
        assert_eq!(w.events(A), ["Registered false"]);
    }
}

#[test]
fn known_and_unknown_users_look_alike() {
    let mut seen = vec![];
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", "wrong"),
        ("nobody", "wonder"),
    ] {
        for method in ["REGISTER", "INVITE"] {
            let mut w = world();
            let mut phone = Phone::new(Transport::Udp);
            (phone.user, phone.password) = (user, password);
            let (reply, _) = phone.request(&mut w, method, CONTACT);
            let text = |m: &Message| {
                let headers: Vec<String> = m
                    .all()
                    .filter(|(n, _)| !matches!(*n, "To" | "From" | "WWW-Authenticate" | "CSeq"))
                    .map(|(n, v)| format!("{n}: {v}"))
                    .collect();
                format!("{} {headers:?}", m.status())
            };
            seen.push([text(&w.strays[0].1), text(&reply.unwrap())]);
            assert_eq!(w.events(A), ["Denied digest"]);
        }
    }
    assert!(seen.iter().all(|s| *s == seen[0]), "{seen:?}");
    assert!(seen[0][0].starts_with("401 ") && seen[0][1].starts_with("403 "));
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut w = world();
    let mut phone = Phone::new(Transport::Udp);
    let (_, auth) = phone.request(&mut w, "OPTIONS", "");
    assert!(!auth.is_empty());
    phone.branch += 50;
    let first = phone.text("REGISTER", CONTACT);
    let challenge = phone.send(&mut w, &first).unwrap();
    let value = ClientSession::pick(challenge.headers(HeaderName::WwwAuthenticate), "c")
        .unwrap()
        .authorization(
            &ClientCredential {
                user: "alice".into(),
                password: "wonder".into(),
            },
            "REGISTER",
            &format!("sip:{REALM}"),
            b"",
        );
    let text = phone
        .text("REGISTER", &format!("Authorization: {value}\r\n{CONTACT}"))
        .replace("To: <sip:alice@", "To: <sip:bob@");
    assert_eq!(phone.send(&mut w, &text).unwrap().status(), 403);
    assert_eq!(w.events(A), ["Denied foreign_address"]);
}

#[test]
fn bindings_come_and_go() {
    let mut w = world();
    let mut phone = Phone::new(Transport::Udp);
    let contacts = |w: &World| -> Vec<String> {
        w.agents[A]
            .ua
            .contacts(phone_id())
            .map(|b| b.uri.to_string())
            .collect()
    };
    // Too brief, too long, none asked.
    let reply = phone
        .register(&mut w, &format!("{CONTACT}Expires: 10\r\n"))
        .unwrap();
    assert_eq!(
        (reply.status(), reply.header(HeaderName::MinExpires)),
        (423, Some("60"))
    );
    let reply = phone
        .register(&mut w, &format!("{CONTACT}Expires: 99999999999\r\n"))
        .unwrap();
    assert!(
        reply
            .header(HeaderName::Contact)
            .unwrap()
            .ends_with("expires=3600")
    );
    assert_eq!(phone.register(&mut w, "").unwrap().status(), 200);
    // Two, by preference; the same again is a refresh.
    phone.register(
        &mut w,
        "Contact: <sip:a@203.0.113.6>;q=0.5;expires=100, <sip:b@203.0.113.7>;q=0.9\r\n",
    );
    assert_eq!(
        contacts(&w),
        [
            "sip:alice@203.0.113.5:5070",
            "sip:b@203.0.113.7",
            "sip:a@203.0.113.6"
        ]
    );
    phone.register(
        &mut w,
        "Contact: <sip:alice@203.0.113.5:5070>;expires=200\r\n",
    );
    assert_eq!(
        w.events(A),
        [
            "Registered false",
            "Registered false",
            "Registered false",
            "Registered true"
        ]
    );
    // One runs out, one is taken back, the star takes the rest.
    w.run(101 * S);
    assert_eq!(contacts(&w).len(), 2);
    phone.register(&mut w, "Contact: <sip:b@203.0.113.7>;expires=0\r\n");
    assert_eq!(
        phone
            .register(&mut w, "Contact: *\r\nExpires: 60\r\n")
            .unwrap()
            .status(),
        400
    );
    assert_eq!(
        phone
            .register(&mut w, "Contact: *\r\nExpires: 0\r\n")
            .unwrap()
            .status(),
        200
    );
    assert_eq!(contacts(&w), Vec::<String>::new());
    assert_eq!(
        w.events(A)[4..],
        [
            "Unregistered Expired",
            "Unregistered Requested",
            "Unregistered Requested"
        ]
    );
    // The newest pushes the oldest out.
    for i in 0..10 {
        phone.register(&mut w, &format!("Contact: <sip:c{i}@203.0.113.8>\r\n"));
        w.run_ms(10);
    }
    assert_eq!(contacts(&w).len(), 8);
    assert_eq!(contacts(&w)[7], "sip:c2@203.0.113.8");
    w.run(3_700 * S);
    assert_eq!(w.agents[A].ua.table_sizes().bindings, 0);
}

#[test]
fn an_old_register_changes_nothing() {
    let mut w = world();
    let mut phone = Phone::new(Transport::Udp);
    phone.register(&mut w, CONTACT);
    w.run(10 * S);
    phone.cseq = 0;
    let reply = phone
        .register(&mut w, &format!("{CONTACT}Expires: 0\r\n"))
        .unwrap();
    assert_eq!(reply.status(), 500);
    assert_eq!(w.agents[A].ua.contacts(phone_id()).count(), 1);
}

#[test]
fn a_connection_is_the_way_back_and_goes_with_its_bindings() {
    let mut w = world();
    let mut phone = Phone::new(Transport::Wss);
    let contact = "Supported: outbound, path\r\nContact: <sip:x@abc.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\r\n";
    let reply = phone.register(&mut w, contact).unwrap();
    assert_eq!(reply.header(HeaderName::FlowTimer), Some("120"));
    assert!(reply.lists(HeaderName::Require, "outbound"));
    let target = w.agents[A]
        .ua
        .contacts(phone_id())
        .next()
        .unwrap()
        .target
        .clone();
    assert_eq!(target, Target::Flow(phone.flow));
    // The same instance over a new connection takes the place of the old.
    phone.flow.connection = Some(ConnectionId(78));
    let moved = contact.replace("abc.invalid", "def.invalid");
    phone.register(&mut w, &moved);
    assert_eq!(w.agents[A].ua.contacts(phone_id()).count(), 1);
    w.with_ua(A, |ua, now| ua.flow_closed(now, ConnectionId(77)));
    assert_eq!(w.agents[A].ua.contacts(phone_id()).count(), 1);
    w.with_ua(A, |ua, now| ua.flow_closed(now, ConnectionId(78)));
    assert_eq!(w.agents[A].ua.contacts(phone_id()).count(), 0);
    assert_eq!(
        w.events(A),
        [
            "Registered false",
            "Registered true",
            "Unregistered FlowClosed"
        ]
    );
}

#[test]
fn a_phone_behind_nat_is_called_where_it_was_heard() {
    let mut w = world();
    let mut phone = Phone::new(Transport::Udp);
    phone.register(&mut w, "Contact: <sip:alice@192.168.1.7:5060>\r\n");
    let binding = w.agents[A].ua.contacts(phone_id()).next().unwrap().clone();
    assert_eq!(binding.target, Target::Flow(phone.flow));
    // And after a restart too.
    let UaEvent::Registered { binding, .. } = w.agents[A].events[0].1.clone() else {
        panic!()
    };
    let mut ua = UserAgent::new(config(A, 2));
    let at = w.now + 100 * S;
    ua.restore_binding(w.now, phone_id(), &binding, at);
    ua.restore_binding(w.now, phone_id(), &binding, at);
    ua.restore_binding(w.now, phone_id(), "b1\tnonsense", at);
    let restored: Vec<_> = ua.contacts(phone_id()).collect();
    assert_eq!(restored.len(), 1);
    assert_eq!(restored[0].target, Target::Flow(phone.flow));
    ua.handle_timeout(at);
    assert_eq!(ua.contacts(phone_id()).count(), 0);
    ua.drop_phone(at, phone_id());
    // The clock was set back by days while nobody looked: no binding outlives what can be granted.
    let mut ua = UserAgent::new(config(A, 2));
    ua.restore_binding(w.now, phone_id(), &binding, w.now + 200_000 * S);
    assert_eq!(ua.contacts(phone_id()).count(), 1);
    ua.handle_timeout(w.now + 3_600 * S);
    assert_eq!(ua.contacts(phone_id()).count(), 0);
    // Set forward beyond its end: the phone will be back when it refreshes.
    let mut ua = UserAgent::new(config(A, 2));
    ua.restore_binding(w.now + 200 * S, phone_id(), &binding, at);
    assert_eq!(ua.contacts(phone_id()).count(), 0);
}

#[test]
fn guessing_is_slowed_down_and_banned() {
    let mut w = world();
    let mut phone = Phone::new(Transport::Udp);
    phone.password = "guess";
    let mut answered = 0;
    for _ in 0..40 {
        answered += usize::from(phone.register(&mut w, CONTACT).is_some());
        w.run_ms(10);
    }
    assert_eq!(answered, 11);
    assert!(
        w.events(A).iter().any(|e| e == "Denied banned")
            || w.events(A).iter().any(|e| e == "Denied digest")
    );
    // The right password does not help during the ban, and does after it.
    phone.password = "wonder";
    assert!(phone.register(&mut w, CONTACT).is_none());
    w.run(599 * S);
    assert!(phone.register(&mut w, CONTACT).is_none());
    w.run(2 * S);
    assert_eq!(phone.register(&mut w, CONTACT).unwrap().status(), 200);
}

#[test]
fn unanswered_challenges_run_dry_and_answered_ones_do_not() {
    let mut w = World::with(1, 1, |_, c| {
        c.limits.unauthenticated_burst = 10;
        c.limits.unauthenticated_per_s = 1;
    });
    w.agents[A].directory.challenge = true;
    let mut phone = Phone::new(Transport::Udp);
    for _ in 0..50 {
        assert_eq!(phone.register(&mut w, CONTACT).unwrap().status(), 200);
    }
    let answered = (0..30)
        .filter(|_| {
            let text = phone.text("REGISTER", CONTACT);
            phone.send(&mut w, &text).is_some()
        })
        .count();
    assert_eq!(answered, 10);
}

#[test]
fn an_authenticated_phone_calls() {
    let mut w = World::new(2, 2);
    w.agents[B].directory.challenge = true;
    let a = w.call(A, B, |c| {
        c.credential = Some(ClientCredential {
            user: "alice".into(),
            password: "wonder".into(),
        });
    });
    let b = w.incoming(B).unwrap();
    assert!(
        matches!(&w.agents[B].events[0].1, UaEvent::Incoming { principal: Principal::Phone(p), .. } if *p == phone_id())
    );
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("answer")))
        .unwrap();
    w.run_ms(50);
    w.with_ua(A, |ua, now| ua.hang_up(now, a, None));
    w.run_ms(50);
    assert_eq!(
        w.lines(),
        [
            "0>1 INVITE",
            "1>0 401 INVITE",
            "0>1 ACK",
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 200 INVITE",
            "0>1 ACK",
            "0>1 BYE",
            "1>0 200 BYE"
        ]
    );
    assert_eq!(w.wire[3].3.cseq().unwrap().number, 2);
    // A wrong password fails once and does not go in circles.
    let wrong = w.call(A, B, |c| {
        c.credential = Some(ClientCredential {
            user: "alice".into(),
            password: "x".into(),
        });
    });
    w.run(S);
    assert_eq!(
        (w.ends(A, wrong), w.events(A).last().unwrap().as_str()),
        (1, "Failed 403")
    );
    w.assert_empty();
}

/// A far end that wants a digest for a BYE: whether it gets one.
fn is_shown(challenged: bool, outgoing: bool, status: u16, realm: &str) -> bool {
    let mut w = World::new(7, 2);
    w.agents[B].directory.challenge = challenged;
    let a = w.call(A, B, |c| {
        c.credential = Some(ClientCredential {
            user: "alice".into(),
            password: "wonder".into(),
        });
    });
    let b = w.incoming(B).unwrap();
    w.with_ua(B, |ua, now| ua.answer(now, b, sdp("answer")))
        .unwrap();
    w.run_ms(50);
    let (who, whom, call) = if outgoing { (A, B, a) } else { (B, A, b) };
    w.with_ua(who, |ua, now| ua.hang_up(now, call, None));
    let bye = w.wire.last().unwrap().3.clone();
    assert_eq!(label(&bye), "BYE");
    let header = if status == 407 { "Proxy" } else { "WWW" };
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
    let text = String::from_utf8_lossy(bye.bytes()).into_owned();
    let lines = text
        .lines()
        .filter(|l| copied.iter().any(|n| l.starts_with(&format!("{n}:"))));
    let echo: String = lines.map(|l| format!("{l}\r\n")).collect();
    let answer = format!(
        "SIP/2.0 {status} Who\r\n{echo}{header}-Authenticate: Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"
    );
    let from = addr(whom).to_string();
    w.inject(who, &from, &answer);
    w.run_ms(100);
    let said = w
        .wire
        .iter()
        .map(|e| String::from_utf8_lossy(e.3.bytes()).into_owned());
    said.filter(|m| m.starts_with("BYE "))
        .any(|m| m.contains("uthorization: Digest"))
}

#[test]
fn a_digest_is_shown_to_who_asked_for_it_at_the_begin_and_to_nobody_else() {
    let realm = super::world::REALM;
    let cases = [
        // Nobody wanted one at the begin: the far end of the call is not the carrier.
        (false, true, 401, realm, false),
        (false, true, 407, "anything", false),
        // Another realm than that of the begin.
        (true, true, 401, "other", false),
        (true, true, 407, "other", false),
        // A call that came in has no password at all.
        (true, false, 401, realm, false),
        // The same realm may ask again.
        (true, true, 401, realm, true),
    ];
    for case in cases {
        let (challenged, outgoing, status, realm, shown) = case;
        assert_eq!(
            is_shown(challenged, outgoing, status, realm),
            shown,
            "{case:?}"
        );
    }
}

fn trunk(register: bool, health_interval_s: u32) -> TrunkConfig {
    TrunkConfig {
        id: trunk_id(),
        host: "192.0.2.2".into(),
        transport: Transport::Udp,
        user: "alice".into(),
        password: "wonder".into(),
        register,
        health_interval_s,
        addresses: vec![],
    }
}

#[test]
fn a_trunk_is_watched_by_options() {
    let mut w = World::new(3, 2);
    w.with_ua(A, |ua, now| {
        ua.configure_trunks(now, vec![trunk(false, 30)])
    });
    w.run(100 * S);
    assert_eq!(w.events(A), ["TrunkUp"]);
    assert_eq!(w.times(A, "OPTIONS").len(), 4);
    w.lose = Box::new(|_| true);
    w.run(100 * S);
    assert_eq!(w.events(A), ["TrunkUp"]);
    w.run(60 * S);
    assert_eq!(w.events(A), ["TrunkUp", "TrunkDown no_answer"]);
    w.lose = Box::new(|_| false);
    w.run(120 * S);
    assert_eq!(w.events(A), ["TrunkUp", "TrunkDown no_answer", "TrunkUp"]);
    // The same configuration changes nothing; an empty one ends it.
    w.with_ua(A, |ua, now| {
        ua.configure_trunks(now, vec![trunk(false, 30)])
    });
    w.with_ua(A, |ua, now| ua.configure_trunks(now, vec![]));
    let before = w.wire.len();
    w.run(100 * S);
    assert_eq!(w.wire.len(), before);
    w.assert_empty();
}

#[test]
fn a_trunk_registers_refreshes_and_unregisters() {
    let mut w = World::new(4, 2);
    w.agents[B].directory.challenge = true;
    w.with_ua(A, |ua, now| ua.configure_trunks(now, vec![trunk(true, 0)]));
    w.run(2 * S);
    assert_eq!(w.events(A), ["TrunkUp"]);
    assert_eq!(w.events(B), ["Registered false"]);
    w.run(3_600 * S);
    assert_eq!(w.events(B), ["Registered false", "Registered true"]);
    w.with_ua(A, |ua, now| ua.configure_trunks(now, vec![]));
    w.run(2 * S);
    assert_eq!(w.events(B)[2..], ["Unregistered Requested"]);
    w.assert_empty();
}

#[test]
fn a_trunk_that_refuses_is_asked_less_and_less_often() {
    let mut w = World::new(5, 1);
    w.with_ua(A, |ua, now| {
        let mut config = trunk(true, 0);
        config.host = "198.51.100.1".into();
        ua.configure_trunks(now, vec![config]);
    });
    let mut at = vec![];
    let mut seen = 0;
    for _ in 0..4_000 {
        w.run_ms(100);
        while seen < w.strays.len() {
            let request = w.strays[seen].1.clone();
            seen += 1;
            at.push(w.now.as_millis());
            let reply = match at.len() {
                1 => answer_to(&request, "423 Brief", "Min-Expires: 7200\r\n", Some("t")),
                _ => answer_to(&request, "403 No", "", Some("t")),
            };
            w.inject(A, "198.51.100.1:5060", &reply);
        }
    }
    assert_eq!(w.events(A), ["TrunkDown registration"]);
    assert_eq!(w.strays[1].1.header(HeaderName::Expires), Some("7200"));
    let gaps: Vec<u64> = at.windows(2).map(|p| (p[1] - p[0]) / 1_000).collect();
    assert!(gaps[0] == 0 && gaps.len() <= 8, "{gaps:?}");
    assert!(gaps[1..].windows(2).all(|p| p[1] > p[0]), "{gaps:?}");
}
