//! What needs the inside of the engine; everything else is tested by the simulator's scenarios.

use crate::{Engine, EngineConfig, Input, Note, Output, Restore};
use cp_interaction::State;
use cp_sip::message::Message;
use cp_sip::ua::Listen;
use cp_vocab::command::{Actor, Command, CommandEnvelope, CommandResult};
use cp_vocab::event::{EventRecord, StreamId};
use cp_vocab::media::{MediaEvent, PortPair};
use cp_vocab::model::*;
use cp_vocab::net::{Flow, Transport};
use cp_vocab::party::NumberRules;
use cp_vocab::*;
use std::net::SocketAddr;
use std::sync::Arc;

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 5060);
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Bench {
    engine: Engine,
    tenant: TenantId,
    ids: IdSource,
    now: Timestamp,
    log: Vec<EventRecord>,
    sent: Vec<Message>,
    replies: Vec<CommandResult>,
    faults: Vec<InteractionId>,
}

impl Bench {
    /// One tenant that answers whatever comes from 10.0.1.0/24 for `answer`.
    fn new() -> Self {
        let mut ids = IdSource::from_u64(1);
        let tenant: TenantId = ids.next(START);
        let mut s = Snapshot::default();
        s.tenants.push(Tenant {
            id: tenant,
            name: "test".into(),
            domain: String::new(),
            interactions_max: 0,
            record_by_default: false,
            suspended: false,
            presence_reasons: vec![],
            safety: Default::default(),
        });
        s.trunks.push(Trunk {
            id: ids.next(START),
            tenant,
            name: "world".into(),
            auth: TrunkAuth::Address {
                networks: vec![Network {
                    addr: [10, 0, 1, 0].into(),
                    prefix: 24,
                }],
            },
            host: String::new(),
            transport: Transport::Udp,
            user: String::new(),
            password: Pii(String::new()),
            register: false,
            rules: NumberRules::default(),
            codecs: vec![],
            health_interval_s: 0,
            channels_max: 0,
            srtp: false,
            dial_prefixes: vec![],
            may_dial_out: false,
            identity: TrunkIdentity::default(),
        });
        s.numbers.push(Number {
            id: ids.next(START),
            tenant,
            number: "answer".into(),
            name: "answer".into(),
            destination: Destination::Answer { greeting: None },
            public: true,
            keep_identity: None,
        });
        let local: SocketAddr = SERVER.into();
        let listen = vec![Listen {
            transport: Transport::Udp,
            local,
            advertised: local,
        }];
        let mut bench = Self {
            engine: Engine::new(EngineConfig::new([1; 32], [2; 32], listen)),
            tenant,
            ids,
            now: START,
            log: vec![],
            sent: vec![],
            replies: vec![],
            faults: vec![],
        };
        let ports = (0..200)
            .map(|i| PortPair {
                worker: 0,
                rtp: ([10, 0, 0, 1], 20_000 + i * 2).into(),
            })
            .collect();
        bench.give(Input::Media(MediaEvent::Ports { ports }));
        bench.give(Input::Restore(Box::new(Restore {
            snapshot: Arc::new(s),
            ..Restore::default()
        })));
        bench
    }

    fn give(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Append { records, .. } => self.log.extend(records),
                Output::Transmit { bytes, .. } => {
                    self.sent.push(Message::parse(bytes).unwrap());
                }
                Output::Reply { result, .. } => self.replies.push(result),
                Output::Note(Note::Fault { interaction, .. }) => self.faults.push(interaction),
                _ => {}
            }
        }
    }

    fn receive(&mut self, text: String) {
        let flow = Flow {
            transport: Transport::Udp,
            local: SERVER.into(),
            remote: ([10, 0, 1, 9], 5060).into(),
            connection: None,
        };
        self.give(Input::Datagram {
            flow,
            tls_name: None,
            bytes: text.into(),
        });
    }

    /// Offers media in a call, anew after the first time; the final answer's status.
    fn offer(&mut self, name: &str, cseq: u32, media: &str) -> u16 {
        let of_call = |m: &&Message| !m.is_request() && m.call_id() == name && m.status() >= 200;
        let tag_in = |sent: &[Message]| {
            let ok = sent.iter().filter(of_call).find(|m| m.status() == 200)?;
            Some(ok.to()?.tag?.to_string())
        };
        let sdp = format!(
            "v=0\r\no=- 1 {cseq} IN IP4 10.0.1.9\r\ns=-\r\nc=IN IP4 10.0.1.9\r\nt=0 0\r\n{media}\r\n"
        );
        let head = |method: &str, tag: Option<String>| {
            let to = tag.map_or(String::new(), |t| format!(";tag={t}"));
            format!(
                "{method} sip:answer@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.9;branch=z9hG4bK{name}{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: <sip:{name}@10.0.1.9>;tag=f{name}\r\nTo: <sip:answer@10.0.0.1>{to}\r\nCall-ID: {name}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{name}@10.0.1.9>\r\n"
            )
        };
        let invite = format!(
            "{}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            head("INVITE", tag_in(&self.sent)),
            sdp.len()
        );
        self.receive(invite);
        let status = self.sent.iter().rfind(of_call).unwrap().status();
        let ack = head("ACK", tag_in(&self.sent));
        self.receive(format!("{ack}Content-Length: 0\r\n\r\n"));
        status
    }

    /// A call that is answered; its interaction.
    fn call(&mut self, name: &str) -> InteractionId {
        assert_eq!(self.offer(name, 1, "m=audio 4000 RTP/AVP 0"), 200);
        let started = |r: &&EventRecord| matches!(r.event, Event::Started { .. });
        match self.log.iter().rev().find(started).unwrap().stream {
            StreamId::Interaction(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn mute(&mut self, id: InteractionId) -> CommandResult {
        let leg = self.engine.interaction(id).unwrap().legs[0].id;
        let command = Command::Mute { leg, muted: true };
        let envelope = CommandEnvelope {
            id: self.ids.next(self.now),
            tenant: self.tenant,
            actor: Actor::System,
            command,
        };
        self.give(Input::Command(envelope));
        self.replies.pop().unwrap()
    }

    fn records(&self, id: InteractionId) -> Vec<EventRecord> {
        let of = |r: &&EventRecord| r.stream == StreamId::Interaction(id);
        self.log.iter().filter(of).cloned().collect()
    }

    fn byes(&self) -> Vec<String> {
        self.sent
            .iter()
            .filter(|m| m.is_request() && m.method().as_str() == "BYE")
            .map(|m| m.call_id().to_string())
            .collect()
    }
}

/// The log of a faulty interaction has no gap, one end, and a replay that agrees with memory.
fn ended_as_internal(bench: &Bench, id: InteractionId) {
    let records = bench.records(id);
    let seqs: Vec<u64> = records.iter().map(|r| r.seq).collect();
    assert_eq!(seqs, (1..=records.len() as u64).collect::<Vec<_>>());
    let ends: Vec<EndReason> = records
        .iter()
        .filter_map(|r| match r.event {
            Event::Ended { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [EndReason::Internal]);
    let replayed = State::replay(id, bench.tenant, &records);
    assert_eq!(replayed.live_legs().count(), 0);
    if let Some(live) = bench.engine.interaction(id) {
        assert_eq!(*live, replayed);
    }
}

#[test]
fn a_panic_ends_its_interaction_and_no_other() {
    let mut bench = Bench::new();
    let (sick, well) = (bench.call("sick"), bench.call("well"));
    bench.engine.panic_in.push(sick);
    let refused = bench.mute(sick).unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    assert_eq!(bench.faults, [sick]);
    assert_eq!(bench.byes(), ["sick"]);
    ended_as_internal(&bench, sick);
    assert!(bench.mute(well).is_ok());
    assert!(bench.engine.interaction(well).unwrap().legs[0].is_answered());
    let third = bench.call("third");
    assert!(bench.mute(third).is_ok());
    assert_eq!(bench.engine.stats().legs, 2);
}

#[test]
fn a_panic_in_the_polite_end_is_survived_too() {
    let mut bench = Bench::new();
    let (sick, well) = (bench.call("sick"), bench.call("well"));
    bench.engine.panic_in.extend([sick, sick]);
    let refused = bench.mute(sick).unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    assert_eq!(bench.faults, [sick, sick]);
    assert_eq!(bench.byes(), ["sick"]);
    ended_as_internal(&bench, sick);
    assert!(bench.mute(well).is_ok());
    assert_eq!(bench.engine.stats().legs, 1);
}

#[test]
fn a_panic_at_the_first_step_refuses_the_call() {
    let mut bench = Bench::new();
    let well = bench.call("well");
    // Ids come from the engine's seed: the next interaction is found by trying it out.
    let mut twin = Bench::new();
    twin.call("well");
    let next = twin.call("sick");
    bench.engine.panic_in.push(next);
    let text = "INVITE sip:answer@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.9;branch=z9hG4bKsick\r\nMax-Forwards: 70\r\nFrom: <sip:sick@10.0.1.9>;tag=fsick\r\nTo: <sip:answer@10.0.0.1>\r\nCall-ID: sick\r\nCSeq: 1 INVITE\r\nContact: <sip:sick@10.0.1.9>\r\nContent-Length: 0\r\n\r\n";
    bench.receive(text.to_string());
    assert_eq!(bench.faults, [next]);
    assert!(bench.records(next).is_empty(), "it never began");
    assert_eq!(bench.sent.last().unwrap().status(), 500);
    assert_eq!(bench.engine.stats().legs, 1);
    assert!(bench.mute(well).is_ok());
}

/// A far end that offered keys, or somebody between, may not go on without them (CVE-2022-39269).
#[test]
fn what_was_encrypted_once_stays_encrypted() {
    let key = "inline:".to_string() + &"A".repeat(40);
    let secure = format!("m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {key}");
    let held = format!("{secure}\r\na=sendonly");
    let bare = "m=audio 4000 RTP/SAVP 0";
    let optional = format!("m=audio 4000 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {key}");
    let plain = "m=audio 4000 RTP/AVP 0";
    let mut bench = Bench::new();
    for (cseq, media, status) in [
        (1, secure.as_str(), 200),
        (2, plain, 488),
        (3, bare, 488),
        (4, &held, 200),
        (5, plain, 488),
        (6, &optional, 200),
        (7, &secure, 200),
    ] {
        assert_eq!(
            bench.offer("sealed", cseq, media),
            status,
            "{cseq}: {media}"
        );
    }
    // Who began in the open may go on so, and may turn to keys; then they stay.
    for (cseq, media, status) in [
        (1, plain, 200),
        (2, plain, 200),
        (3, &secure, 200),
        (4, plain, 488),
    ] {
        assert_eq!(bench.offer("open", cseq, media), status, "{cseq}: {media}");
    }
    assert_eq!(bench.engine.stats().legs, 2);
}
