//! The world of the tests: agents by address, a seeded network, virtual time.

use crate::message::Message;
use crate::ua::*;
use bytes::Bytes;
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use cp_vocab::{IdSource, PhoneId, Timestamp, TrunkId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const C: usize = 2;
pub(crate) const REALM: &str = "cp.test";

pub(crate) fn addr(agent: usize) -> SocketAddr {
    format!("192.0.2.{}:5060", agent + 1).parse().unwrap()
}
pub(crate) fn trunk_id() -> TrunkId {
    IdSource::from_u64(9).next(Timestamp::from_secs(1))
}
pub(crate) fn phone_id() -> PhoneId {
    IdSource::from_u64(8).next(Timestamp::from_secs(1))
}

/// Admits everybody as one trunk, or challenges everybody.
pub(crate) struct Admit {
    pub(crate) challenge: bool,
}
impl Directory for Admit {
    fn admit(&self, _: &Flow, _: Option<&str>, _: &Message) -> Admission {
        match self.challenge {
            true => Admission::Challenge {
                realm: REALM.into(),
            },
            false => Admission::Trunk(trunk_id()),
        }
    }
    fn credential(&self, realm: &str, user: &str) -> Option<Credential> {
        use crate::digest::{Algorithm, ha1};
        (user == "alice").then(|| Credential {
            ha1_md5: ha1(Algorithm::Md5, user, realm, "wonder"),
            ha1_sha256: ha1(Algorithm::Sha256, user, realm, "wonder"),
            principal: Principal::Phone(phone_id()),
        })
    }
}

pub(crate) struct Agent {
    pub(crate) ua: UserAgent,
    pub(crate) directory: Admit,
    pub(crate) events: Vec<(Timestamp, UaEvent)>,
    pub(crate) refuse_tcp: bool,
}

struct Packet {
    to: usize,
    flow: Flow,
    bytes: Bytes,
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) agents: Vec<Agent>,
    queue: BTreeMap<(Timestamp, u64), Packet>,
    seq: u64,
    rng: StdRng,
    /// Share of datagrams lost, in percent.
    pub(crate) loss_pct: u64,
    /// Delay of a datagram: at least 5 ms, at most so many more.
    pub(crate) jitter_ms: u64,
    /// Whether a first line is lost: for scripted losses.
    pub(crate) lose: Box<dyn FnMut(&str) -> bool>,
    /// Every message sent: time, from, to, first line, whole.
    pub(crate) wire: Vec<(Timestamp, usize, usize, Message)>,
    /// What arrived nowhere (no agent has the address).
    pub(crate) strays: Vec<(Target, Message)>,
    pub(crate) resolves: Vec<(usize, UaOutput)>,
}

pub(crate) fn config(agent: usize, seed: u64) -> UaConfig {
    let listen = [Transport::Udp, Transport::Tcp].map(|transport| Listen {
        transport,
        local: addr(agent),
        advertised: addr(agent),
    });
    UaConfig::new(seed, [7; 32], listen.to_vec())
}

impl World {
    pub(crate) fn new(seed: u64, agents: usize) -> Self {
        Self::with(seed, agents, |_, _| {})
    }

    pub(crate) fn with(seed: u64, agents: usize, adjust: impl Fn(usize, &mut UaConfig)) -> Self {
        println!("seed {seed}");
        let agents = (0..agents)
            .map(|i| {
                let mut config = config(i, seed * 100 + i as u64);
                adjust(i, &mut config);
                Agent {
                    ua: UserAgent::new(config),
                    directory: Admit { challenge: false },
                    events: vec![],
                    refuse_tcp: false,
                }
            })
            .collect();
        Self {
            now: Timestamp::from_secs(1_000),
            agents,
            queue: BTreeMap::new(),
            seq: 0,
            rng: StdRng::seed_from_u64(seed),
            loss_pct: 0,
            jitter_ms: 0,
            lose: Box::new(|_| false),
            wire: vec![],
            strays: vec![],
            resolves: vec![],
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.rng.next_u64() % n.max(1)
    }

    /// Takes the outputs of an agent; to be called after each input.
    pub(crate) fn drain(&mut self, from: usize) {
        while let Some(output) = self.agents[from].ua.poll() {
            match output {
                UaOutput::Transmit { target, bytes, .. } => self.transmit(from, target, bytes),
                UaOutput::Event(event) => self.agents[from].events.push((self.now, event)),
                UaOutput::Resolve { .. } => self.resolves.push((from, output)),
                UaOutput::Close { .. } => {}
            }
        }
    }

    fn transmit(&mut self, from: usize, target: Target, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).expect("what we send parses");
        let (transport, remote) = match &target {
            Target::Flow(f) => (f.transport, f.remote),
            Target::Addr {
                transport, addr, ..
            } => (*transport, *addr),
        };
        let line = String::from_utf8_lossy(&bytes);
        let line = line.lines().next().unwrap_or("").to_string();
        let Some(to) = (0..self.agents.len()).find(|i| addr(*i) == remote) else {
            self.strays.push((target, message));
            return;
        };
        self.wire.push((self.now, from, to, message));
        if transport == Transport::Tcp && self.agents[to].refuse_tcp {
            let now = self.now;
            self.agents[from].ua.send_failed(now, &target);
            return;
        }
        let lost =
            transport == Transport::Udp && (self.below(100) < self.loss_pct || (self.lose)(&line));
        if lost {
            return;
        }
        let at = self.now
            + Duration::from_millis(
                5 + if self.jitter_ms > 0 {
                    self.below(self.jitter_ms)
                } else {
                    0
                },
            );
        self.seq += 1;
        let connection = (transport != Transport::Udp)
            .then(|| ConnectionId(1 + (from.min(to) * 100 + from.max(to)) as u64));
        let flow = Flow {
            transport,
            local: addr(to),
            remote: addr(from),
            connection,
        };
        self.queue
            .insert((at, self.seq), Packet { to, flow, bytes });
    }

    /// Gives bytes to an agent as if they came from an address.
    pub(crate) fn inject(&mut self, to: usize, remote: &str, text: &str) {
        let flow = Flow {
            transport: Transport::Udp,
            local: addr(to),
            remote: remote.parse().unwrap(),
            connection: None,
        };
        self.give(to, &flow, Bytes::copy_from_slice(text.as_bytes()));
    }

    pub(crate) fn give(&mut self, to: usize, flow: &Flow, bytes: Bytes) {
        let agent = &mut self.agents[to];
        agent
            .ua
            .receive(self.now, flow, None, bytes, &agent.directory);
        self.drain(to);
    }

    /// One step: the next packet or timer, up to `until`. False when nothing is left before it.
    fn step(&mut self, until: Timestamp) -> bool {
        let packet = self.queue.keys().next().copied();
        let timer = (0..self.agents.len())
            .filter_map(|i| self.agents[i].ua.next_timeout().map(|t| (t, i)))
            .min();
        let next = packet
            .map(|k| k.0)
            .into_iter()
            .chain(timer.map(|t| t.0))
            .min();
        let Some(next) = next.filter(|t| *t <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(next);
        match packet {
            Some(key) if key.0 <= next => {
                let packet = self.queue.remove(&key).unwrap();
                self.give(packet.to, &packet.flow, packet.bytes);
            }
            _ => {
                let (_, i) = timer.unwrap();
                let now = self.now;
                self.agents[i].ua.handle_timeout(now);
                self.drain(i);
            }
        }
        true
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..200_000 {
            if !self.step(until) {
                return;
            }
        }
        panic!("the world does not come to rest");
    }
    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Runs until an event of an agent matches.
    pub(crate) fn wait<T>(
        &mut self,
        agent: usize,
        time: Duration,
        pick: impl Fn(&UaEvent) -> Option<T>,
    ) -> Option<T> {
        let until = self.now + time;
        let mut seen = 0;
        loop {
            while seen < self.agents[agent].events.len() {
                if let Some(found) = pick(&self.agents[agent].events[seen].1) {
                    return Some(found);
                }
                seen += 1;
            }
            if !self.step(until) {
                return None;
            }
        }
    }

    /// Does something to an agent and takes its outputs.
    pub(crate) fn with_ua<T>(
        &mut self,
        i: usize,
        f: impl FnOnce(&mut UserAgent, Timestamp) -> T,
    ) -> T {
        let now = self.now;
        let out = f(&mut self.agents[i].ua, now);
        self.drain(i);
        out
    }

    pub(crate) fn call(
        &mut self,
        from: usize,
        to: usize,
        adjust: impl FnOnce(&mut OutgoingCall),
    ) -> CallRef {
        let mut call = OutgoingCall {
            request_uri: format!("sip:bob@{}", addr(to)),
            target: None,
            from: NameAddrOwned {
                display: Some("Alice \"A\"".into()),
                uri: format!("sip:alice@{}", addr(from)),
            },
            to: NameAddrOwned {
                display: None,
                uri: format!("sip:bob@{}", addr(to)),
            },
            contact_user: "alice".into(),
            sdp: Some(sdp("offer")),
            headers: vec![("X-Trace".into(), "1".into())],
            parts: vec![],
            credential: None,
            via_trunk: None,
            ring_timeout: Duration::from_secs(60),
            supported_100rel: false,
        };
        adjust(&mut call);
        self.with_ua(from, |ua, now| ua.invite(now, call))
    }

    pub(crate) fn incoming(&mut self, agent: usize) -> Option<CallRef> {
        let known: Vec<CallRef> = vec![];
        let _ = known;
        self.wait(agent, Duration::from_secs(40), |e| match e {
            UaEvent::Incoming { call, .. } => Some(*call),
            _ => None,
        })
    }

    /// A confirmed call from A to B: (A's, B's).
    pub(crate) fn established(
        &mut self,
        adjust: impl FnOnce(&mut OutgoingCall),
    ) -> (CallRef, CallRef) {
        let a = self.call(A, B, adjust);
        let b = self.incoming(B).expect("incoming");
        self.with_ua(B, |ua, now| ua.answer(now, b, sdp("answer")))
            .unwrap();
        self.wait(B, Duration::from_secs(40), |e| {
            matches!(e, UaEvent::Confirmed { .. }).then_some(())
        })
        .expect("confirmed");
        (a, b)
    }

    pub(crate) fn events(&self, agent: usize) -> Vec<String> {
        self.agents[agent]
            .events
            .iter()
            .map(|(_, e)| name(e))
            .collect()
    }

    /// First lines of what was sent, with time since the start.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.wire
            .iter()
            .map(|(_, from, to, m)| format!("{from}>{to} {}", label(m)))
            .collect()
    }

    /// Times in ms after the first at which an agent sent what the label says.
    pub(crate) fn times(&self, from: usize, what: &str) -> Vec<u64> {
        let all: Vec<Timestamp> = self
            .wire
            .iter()
            .filter(|(_, f, _, m)| *f == from && label(m) == what)
            .map(|(at, ..)| *at)
            .collect();
        all.iter()
            .map(|t| t.since(all[0]).as_millis() as u64)
            .collect()
    }

    /// Nothing may be left once all timers ran out.
    pub(crate) fn assert_empty(&mut self) {
        self.run(Duration::from_secs(400));
        for (i, agent) in self.agents.iter().enumerate() {
            let sizes = agent.ua.table_sizes();
            let clean = TableSizes {
                sources: sizes.sources,
                bindings: sizes.bindings,
                timers: sizes.timers,
                ..TableSizes::default()
            };
            assert_eq!(sizes, clean, "agent {i} leaks");
        }
    }

    /// Each call has exactly one end, or none where the owner ended it.
    pub(crate) fn ends(&self, agent: usize, call: CallRef) -> usize {
        self.agents[agent]
            .events
            .iter()
            .filter(|(_, e)| match e {
                UaEvent::Failed { call: c, .. } | UaEvent::Ended { call: c, .. } => *c == call,
                _ => false,
            })
            .count()
    }
}

pub(crate) fn label(m: &Message) -> String {
    match m.is_request() {
        true => m.method().to_string(),
        false => format!("{} {}", m.status(), m.method()),
    }
}

pub(crate) fn name(e: &UaEvent) -> String {
    match e {
        UaEvent::Incoming { .. } => "Incoming".into(),
        UaEvent::Progress { status, .. } => format!("Progress {status}"),
        UaEvent::Answered { .. } => "Answered".into(),
        UaEvent::Confirmed { .. } => "Confirmed".into(),
        UaEvent::Failed { status, .. } => format!("Failed {status}"),
        UaEvent::Reoffered { .. } => "Reoffered".into(),
        UaEvent::ReofferAnswered { .. } => "ReofferAnswered".into(),
        UaEvent::ReofferFailed { status, .. } => format!("ReofferFailed {status}"),
        UaEvent::Referred { .. } => "Referred".into(),
        UaEvent::Info { .. } => "Info".into(),
        UaEvent::Ended { cause, .. } => format!("Ended {cause:?}"),
        UaEvent::Registered { refresh, .. } => format!("Registered {refresh}"),
        UaEvent::Unregistered { why, .. } => format!("Unregistered {why:?}"),
        UaEvent::TrunkUp { .. } => "TrunkUp".into(),
        UaEvent::TrunkDown { why, .. } => format!("TrunkDown {why}"),
        UaEvent::Denied { what, .. } => format!("Denied {what}"),
    }
}

pub(crate) fn sdp(what: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns={what}\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
}
