//! The world: one engine, phones, a network, a log, and the time that they share.

use crate::ladder;
use crate::log::Log;
use crate::media::Media;
use crate::network::{Network, Quality};
use crate::phone::{Phone, PhoneWant};
use bytes::Bytes;
use cp_engine::{Engine, EngineConfig, Input, Output, Restore};
use cp_sip::ua::{CallRef, Listen, UaOutput};
use cp_vocab::command::{Actor, Command, CommandEnvelope, CommandResult};
use cp_vocab::event::LogPosition;
use cp_vocab::media::MediaEvent;
use cp_vocab::model::Snapshot;
use cp_vocab::net::{Flow, Target, Transport};
use cp_vocab::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What can go wrong besides the network.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    /// The log answers after this long.
    SlowDisk(Duration),
    /// The log answers nothing any more, or again.
    DiskFails(bool),
    /// The process is killed and started again.
    Restart,
    /// The process is about to end, and says goodbye.
    Stop,
}

pub(crate) enum Thing {
    Packet {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
    },
    Media(MediaEvent),
    Commit(LogPosition),
    Resolved(u64, Option<Vec<Target>>),
    PickUp(usize, CallRef),
    HangUp(usize, CallRef),
}

struct Due {
    at: Timestamp,
    order: u64,
    thing: Thing,
}
impl PartialEq for Due {
    fn eq(&self, o: &Self) -> bool {
        self.order == o.order
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, o: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(o))
    }
}
impl Ord for Due {
    fn cmp(&self, o: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(o.at, o.order))
    }
}

enum Held {
    Send(Target, Bytes),
    Reply(CommandId, CommandResult),
}

/// Steps one run may take; beyond it something goes round in circles and the run fails.
const STEPS_MAX: u64 = 5_000_000;
/// Where the engine listens.
pub const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 5060);
/// Virtual runs begin here.
pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

pub struct World {
    pub now: Timestamp,
    pub engine: Engine,
    pub phones: Vec<Phone>,
    pub log: Log,
    pub media: Media,
    pub network: Network,
    pub snapshot: Arc<Snapshot>,
    pub ladder: Vec<String>,
    pub replies: BTreeMap<CommandId, CommandResult>,
    pub ids: IdSource,
    pub restarts: u32,
    /// What browsers were told, in order.
    pub signals: Vec<(DeviceId, cp_vocab::web::Signal)>,
    pub faults_seen: Vec<String>,
    pub disk_delay: Duration,
    /// How far the wall clock of the server's process was off when it started: time on its line
    /// is ours and this.
    pub clock_off_us: i64,
    /// What the next process takes the wall clock to be off from its own line.
    pub wall_off_us: i64,
    ports: u16,
    live: bool,
    committed: LogPosition,
    held: VecDeque<(LogPosition, Held)>,
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
    seed: u64,
    steps: u64,
}

impl World {
    pub fn new(seed: u64, snapshot: Snapshot) -> Self {
        Self::with_ports(seed, snapshot, crate::media::PORTS)
    }

    /// A world whose media worker has only so many ports.
    pub fn with_ports(seed: u64, snapshot: Snapshot, ports: u16) -> Self {
        Self::of(seed, snapshot, ports, false)
    }

    /// A world that with `live` lets emergency calls out.
    pub fn of(seed: u64, snapshot: Snapshot, ports: u16, live: bool) -> Self {
        let snapshot = Arc::new(snapshot);
        let mut world = Self {
            now: START,
            engine: Self::engine(seed, 0, live),
            live,
            phones: vec![],
            log: Log::default(),
            media: Media::default(),
            network: Network::new(seed, Quality::PERFECT),
            snapshot,
            ladder: vec![],
            replies: BTreeMap::new(),
            ids: IdSource::from_u64(seed ^ 0x5eed),
            restarts: 0,
            signals: Vec::new(),
            faults_seen: vec![],
            disk_delay: Duration::from_millis(1),
            clock_off_us: 0,
            wall_off_us: 0,
            ports,
            committed: LogPosition::default(),
            held: VecDeque::new(),
            due: BinaryHeap::new(),
            order: 0,
            seed,
            steps: 0,
        };
        world.boot(Restore::default());
        world
    }

    fn engine(seed: u64, wall_offset_us: i64, live: bool) -> Engine {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let local: SocketAddr = SERVER.into();
        let listen = vec![Listen {
            transport: Transport::Udp,
            local,
            advertised: local,
        }];
        let mut config = EngineConfig::new(key, [9; 32], listen);
        config.wall_offset_us = wall_offset_us;
        config.emergency_live = live;
        Engine::new(config)
    }

    fn boot(&mut self, mut restore: Restore) {
        restore.snapshot = self.snapshot.clone();
        self.give(Input::Media(MediaEvent::Ports {
            ports: Media::ports(self.ports),
        }));
        self.give(Input::Restore(Box::new(restore)));
    }

    /// A phone at an address of its own; with a password it registers as `user`.
    pub fn phone(&mut self, name: &str, host: u8, password: Option<&str>) -> usize {
        self.phone_of(name, name, host, password)
    }

    /// A phone of a user who may have several.
    pub fn phone_of(&mut self, name: &str, user: &str, host: u8, password: Option<&str>) -> usize {
        let addr: SocketAddr = ([10, 0, 1, host], 5060).into();
        let mut phone = Phone::new(name, addr, SERVER.into(), self.seed ^ u64::from(host) << 32);
        if user == "zed" {
            phone.domain = "other".into();
        }
        if let Some(password) = password {
            phone.register(self.now, user, password);
        }
        self.phones.push(phone);
        let at = self.phones.len() - 1;
        self.drain_phone(at);
        at
    }

    pub fn at(&self, name: &str) -> usize {
        self.phones
            .iter()
            .position(|p| p.name == name)
            .unwrap_or_else(|| panic!("no phone {name}"))
    }

    pub fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::SlowDisk(d) => self.disk_delay = d,
            Fault::DiskFails(on) => {
                self.log.failing = on;
                self.give(Input::StoreHealth { writable: !on });
                if !on {
                    self.commit_later();
                }
            }
            Fault::Restart => self.restart(),
            Fault::Stop => self.give(Input::EndCalls),
        }
    }

    fn restart(&mut self) {
        self.restarts += 1;
        self.log.crash();
        self.log.failing = false;
        self.held.clear();
        self.media = Media::default();
        self.due.retain(|d| {
            !matches!(
                d.0.thing,
                Thing::Media(_) | Thing::Commit(_) | Thing::Resolved(..)
            )
        });
        self.committed = LogPosition::default();
        let seed = self.seed.wrapping_add(u64::from(self.restarts) << 48);
        self.engine = Self::engine(seed, self.wall_off_us, self.live);
        let restore = Restore {
            open: self.log.open(),
            bindings: self.bindings(),
            spent: self.spent(),
            ..Restore::default()
        };
        self.boot(restore);
    }

    fn spent(&self) -> Vec<(TenantId, u32, u64)> {
        let charges = self.log.durable.iter().filter_map(|r| match r.event {
            Event::OutboundCharged { micros, day, .. } => Some((r.tenant, day, micros)),
            _ => None,
        });
        charges.collect()
    }

    fn bindings(&self) -> Vec<(PhoneId, String, Timestamp)> {
        let mut known: BTreeMap<PhoneId, (String, Timestamp)> = BTreeMap::new();
        for r in &self.log.durable {
            match &r.event {
                Event::PhoneRegistered {
                    phone,
                    contact,
                    expires_s,
                    ..
                } => {
                    let until = r.at + Duration::from_secs(u64::from(*expires_s));
                    let until = Timestamp(until.0.saturating_add_signed(-self.wall_off_us));
                    known.insert(*phone, (contact.0.clone(), until));
                }
                Event::PhoneUnregistered { phone, .. } => {
                    known.remove(phone);
                }
                _ => {}
            }
        }
        known
            .into_iter()
            .filter(|(_, (_, until))| *until > self.line())
            .map(|(p, (c, u))| (p, c, u))
            .collect()
    }

    pub fn command(&mut self, tenant: TenantId, actor: Actor, command: Command) -> CommandId {
        let id: CommandId = self.ids.next(self.now);
        self.give(Input::Command(CommandEnvelope {
            id,
            tenant,
            actor,
            command,
        }));
        id
    }

    /// Runs until `d` has passed.
    pub fn run(&mut self, d: Duration) {
        let end = self.now + d;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until nothing but registrations and timers far away are left, at most `d`.
    pub fn settle(&mut self, d: Duration) {
        self.run(d);
    }

    fn step(&mut self, end: Timestamp) -> bool {
        self.steps += 1;
        assert!(
            self.steps < STEPS_MAX,
            "seed {}: the world does not come to rest",
            self.seed
        );
        let packet = self.due.peek().map(|Reverse(d)| d.at);
        let engine = self.engine.next_timeout().map(|t| self.engine_time(t));
        let phone = self
            .phones
            .iter()
            .enumerate()
            .filter_map(|(i, p)| p.ua.next_timeout().map(|t| (t, i)))
            .min();
        let next = [packet, engine, phone.map(|p| p.0)]
            .into_iter()
            .flatten()
            .min();
        let Some(next) = next.filter(|n| *n <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if packet == Some(next) {
            let Reverse(due) = self.due.pop().expect("peeked");
            self.happen(due.thing);
        } else if engine == Some(next) {
            self.give(Input::Timeout);
        } else if let Some((_, at)) = phone {
            let now = self.now;
            self.phones[at].ua.handle_timeout(now);
            self.drain_phone(at);
        }
        true
    }

    fn happen(&mut self, thing: Thing) {
        match thing {
            Thing::Packet { from, to, bytes } => {
                if to == SERVER.into() {
                    let flow = Flow {
                        transport: Transport::Udp,
                        local: to,
                        remote: from,
                        connection: None,
                    };
                    self.give(Input::Datagram {
                        flow,
                        tls_name: None,
                        bytes,
                    });
                } else if let Some(at) = self.phones.iter().position(|p| p.addr == to && !p.dead) {
                    let now = self.now;
                    self.phones[at].receive(now, from, bytes);
                    self.drain_phone(at);
                }
            }
            Thing::Media(event) => {
                self.media.happened(&event);
                self.give(Input::Media(event));
            }
            Thing::Resolved(id, targets) => self.give(Input::Resolved { id, targets }),
            Thing::Commit(upto) => {
                if let Some(p) = self.log.commit(upto) {
                    self.committed = p;
                    self.release();
                }
            }
            Thing::PickUp(at, call) => {
                let now = self.now;
                let want = self.phones[at].pick_up(now, call);
                self.want(at, want);
                self.drain_phone(at);
            }
            Thing::HangUp(at, call) => {
                let now = self.now;
                self.phones[at].hang_up_call(now, call);
                self.drain_phone(at);
            }
        }
    }

    pub(crate) fn later(&mut self, after: Duration, thing: Thing) {
        self.order += 1;
        self.due.push(Reverse(Due {
            at: self.now + after,
            order: self.order,
            thing,
        }));
    }

    fn name(&self, addr: SocketAddr) -> String {
        if addr == SERVER.into() {
            return "cp".into();
        }
        self.phones
            .iter()
            .find(|p| p.addr == addr)
            .map_or_else(|| "?".into(), |p| p.name.clone())
    }

    fn send(&mut self, from: SocketAddr, target: Target, bytes: Bytes) {
        let to = match target {
            Target::Flow(f) => f.remote,
            Target::Addr { addr, .. } => addr,
        };
        let line = ladder::line(self.now, START, &self.name(from), &self.name(to), &bytes);
        self.ladder.push(line);
        for delay in self.network.travel() {
            self.later(
                delay,
                Thing::Packet {
                    from,
                    to,
                    bytes: bytes.clone(),
                },
            );
        }
    }

    fn want(&mut self, at: usize, want: Option<PhoneWant>) {
        match want {
            Some(PhoneWant::AnswerAt(call, d)) => self.later(d, Thing::PickUp(at, call)),
            Some(PhoneWant::HangUpAt(call, d)) => self.later(d, Thing::HangUp(at, call)),
            None => {}
        }
    }

    /// Lets a phone's outputs out.
    pub fn drain_phone(&mut self, at: usize) {
        while let Some(output) = self.phones[at].ua.poll() {
            match output {
                UaOutput::Transmit { target, bytes, .. } => {
                    if !self.phones[at].dead {
                        let from = self.phones[at].addr;
                        self.send(from, target, bytes);
                    }
                }
                UaOutput::Event(event) => {
                    let now = self.now;
                    let want = self.phones[at].event(now, event);
                    self.want(at, want);
                }
                UaOutput::Resolve { id, .. } => {
                    let now = self.now;
                    let addr = SERVER.into();
                    let target = Target::Addr {
                        transport: Transport::Udp,
                        addr,
                        server_name: None,
                    };
                    self.phones[at].ua.resolved(now, id, Ok(vec![target]));
                }
                UaOutput::Close { .. } => {}
            }
        }
    }

    /// Our time as the server's process counts it.
    pub fn line(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_add_signed(self.clock_off_us))
    }

    fn engine_time(&self, t: Timestamp) -> Timestamp {
        if t == Timestamp::FAR {
            return t;
        }
        Timestamp(t.0.saturating_add_signed(-self.clock_off_us))
    }

    pub fn give(&mut self, input: Input) {
        self.engine.handle(self.line(), input);
        while let Some(output) = self.engine.poll() {
            self.carry(output);
        }
    }

    fn carry(&mut self, output: Output) {
        match output {
            Output::Append { records, upto } => {
                self.log.append(records, upto);
                self.commit_later();
            }
            Output::Transmit {
                target,
                bytes,
                after,
            } => self.hold(after, Held::Send(target, bytes)),
            Output::Reply {
                command,
                result,
                after,
            } => self.hold(after, Held::Reply(command, result)),
            Output::MoveLeg { leg, to, .. } => {
                for (d, event) in self.media.move_leg(self.now, leg, to) {
                    self.later(d, Thing::Media(event));
                }
            }
            Output::Media {
                worker, command, ..
            } => {
                for (d, event) in self.media.command(self.now, worker, command) {
                    self.later(d, Thing::Media(event));
                }
            }
            Output::Resolve { id, host, port, .. } => {
                let addr = self
                    .phones
                    .iter()
                    .map(|p| p.addr)
                    .find(|a| host == a.ip().to_string());
                let targets = addr
                    .map(|a| SocketAddr::new(a.ip(), port.unwrap_or(5060)))
                    .map(|addr| {
                        vec![Target::Addr {
                            transport: Transport::Udp,
                            addr,
                            server_name: None,
                        }]
                    });
                self.later(Duration::from_millis(1), Thing::Resolved(id, targets));
            }
            Output::Note(cp_engine::Note::Fault { interaction, what }) => {
                self.faults_seen.push(format!("{interaction}: {what}"));
            }
            // No world has roots yet, so no certificate is ever asked for.
            Output::FetchCertificate { .. } => {}
            Output::Signal { device, signal, .. } => self.signals.push((device, signal)),
            Output::Note(_)
            | Output::Close(_)
            | Output::GrowPorts { .. }
            | Output::Entered { .. } => {}
        }
    }

    fn commit_later(&mut self) {
        if let Some(p) = self.log.pending() {
            self.later(self.disk_delay, Thing::Commit(p));
        }
    }

    fn hold(&mut self, after: LogPosition, held: Held) {
        if after <= self.committed {
            self.let_go(held);
        } else {
            self.held.push_back((after, held));
        }
    }

    fn release(&mut self) {
        while self.held.front().is_some_and(|(a, _)| *a <= self.committed) {
            if let Some((_, held)) = self.held.pop_front() {
                self.let_go(held);
            }
        }
    }

    fn let_go(&mut self, held: Held) {
        match held {
            Held::Send(target, bytes) => self.send(SERVER.into(), target, bytes),
            Held::Reply(id, result) => {
                self.replies.insert(id, result);
            }
        }
    }
}
