//! Virtual phones over real SIP and RTP: callers who come and go, and robots who answer.
//!
//! Each line has its own user agent, socket and media worker, built from the same parts as the
//! server, so that it is a peer on the wire and nothing less.

use anyhow::Result;
use cp_edge::media::{EventSource, MediaConfig, MediaWorkers, event_queue};
use cp_edge::signalling::ListenConfig;
use cp_edge::{Clock, SignalIn, Signalling};
use cp_sip::sdp::{self, LocalMedia, SrtpPolicy};
use cp_sip::ua::*;
use cp_vocab::media::{Codec, MediaCommand, MediaEvent, MediaPlan, Playback, PortPair, Samples};
use cp_vocab::net::{Flow, Target, Transport};
use cp_vocab::*;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Calls one line of callers has at a time; a caller beyond does not call.
const CALLS_MAX: usize = 40;
/// A caller who is not served hangs up after this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Who calls. Each has a number of its own, from the range that is nobody's (555-01xx).
const CALLERS: &[&str] = &[
    "Maria Lopez",
    "James Carter",
    "Aisha Khan",
    "Tom Becker",
    "Yuki Tanaka",
    "Olga Petrova",
    "Samuel Okoye",
    "Claire Dubois",
    "Ivan Horvat",
    "Priya Nair",
    "Lars Nilsson",
    "Fatima Zahra",
    "Daniel Kim",
    "Emma Rossi",
    "Pedro Alves",
    "Hannah Weiss",
    "Omar Haddad",
    "Grace Mwangi",
    "Liam Murphy",
    "Sofie Jansen",
];

pub(super) enum Role {
    /// The world outside: calls `number` by itself (never, without `every`), and answers whatever
    /// number is called there.
    Outside {
        number: String,
        every: Option<Duration>,
    },
    Agent {
        user: String,
        password: String,
    },
}

/// What a line did so far, for the screen.
#[derive(Default)]
pub(super) struct Figures {
    pub placed: AtomicU64,
    pub talking: AtomicU64,
}

pub(super) struct Line {
    own: SocketAddr,
    figures: Arc<Figures>,
    stop: Arc<AtomicBool>,
    waker: cp_edge::Waker,
    thread: JoinHandle<()>,
}

struct Call {
    leg: LegId,
    port: PortPair,
    local: LocalMedia,
    answered: bool,
    open: bool,
    incoming: bool,
    /// When it is answered (incoming) or hung up.
    due: Timestamp,
}

struct Phones {
    role: Role,
    voices: Vec<Samples>,
    server: SocketAddr,
    own: SocketAddr,
    ua: UserAgent,
    signalling: Signalling,
    media: MediaWorkers,
    events: EventSource,
    calls: HashMap<CallRef, Call>,
    /// Our answers to offers of calls that still ring.
    answers: HashMap<CallRef, sdp::Answered>,
    ports: Vec<PortPair>,
    ids: IdSource,
    next_call: Timestamp,
    figures: Arc<Figures>,
    stop: Arc<AtomicBool>,
}

/// The server may call; it is known by its address, everybody else is turned away.
struct OnlyServer(SocketAddr);
impl Directory for OnlyServer {
    fn admit(&self, flow: &Flow, _: Option<&str>, _: &cp_sip::message::Message) -> Admission {
        if flow.remote.port() == self.0.port() {
            Admission::Trunk(TrunkId::from_u128(1))
        } else {
            Admission::Refuse { status: 403 }
        }
    }
    fn credential(&self, _: &str, _: &str) -> Option<Credential> {
        None
    }
}

impl Line {
    /// Starts the phones of one role at 127.0.0.`host`.
    pub(super) fn start(
        role: Role,
        voices: Vec<Samples>,
        host: u8,
        server_port: u16,
        tokio: &tokio::runtime::Handle,
    ) -> Result<Self> {
        let clock = Clock::start();
        let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
        let listen = ListenConfig {
            udp: vec![SocketAddr::new(ip, 0)],
            ..ListenConfig::default()
        };
        let signalling = Signalling::bind(listen, tokio, clock)?;
        let own = signalling
            .local_addresses()
            .first()
            .map_or(SocketAddr::new(ip, 5060), |a| a.1);
        let (sink, events) = event_queue(signalling.waker());
        let mut config = MediaConfig::new(ip, 40_000..=44_000, std::env::temp_dir());
        config.workers = Some(1);
        config.pairs_at_start = CALLS_MAX;
        let media = MediaWorkers::start(config, clock, sink)?;
        let mut ids = IdSource::from_seed(crate::serve::random_seed()?);
        let server = SocketAddr::from(([127, 0, 0, 1], server_port));
        let ua_listen = vec![Listen {
            transport: Transport::Udp,
            local: own,
            advertised: own,
        }];
        let mut ua = UserAgent::new(UaConfig::new(
            ids.random(),
            crate::serve::random_seed()?,
            ua_listen,
        ));
        if let Role::Agent { user, password } = &role {
            let trunk = TrunkConfig {
                id: TrunkId::from_u128(1),
                host: server.to_string(),
                transport: Transport::Udp,
                user: user.clone(),
                password: password.clone(),
                register: true,
                health_interval_s: 0,
                addresses: vec![server],
            };
            ua.configure_trunks(clock.now(), vec![trunk]);
        }
        let figures = Arc::<Figures>::default();
        let stop = Arc::<AtomicBool>::default();
        let waker = signalling.waker();
        let next_call = clock.now() + Duration::from_secs(2);
        let phones = Phones {
            role,
            voices,
            server,
            own,
            ua,
            signalling,
            media,
            events,
            calls: HashMap::new(),
            answers: HashMap::new(),
            ports: vec![],
            ids,
            next_call,
            figures: figures.clone(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("demo-phones".into())
            .spawn(move || phones.run())?;
        Ok(Self {
            own,
            figures,
            stop,
            waker,
            thread,
        })
    }

    /// Where it is called.
    pub(super) fn address(&self) -> SocketAddr {
        self.own
    }

    pub(super) fn figures(&self) -> Arc<Figures> {
        self.figures.clone()
    }

    /// Hangs up everything and ends.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        let _ = self.thread.join();
    }
}

impl Phones {
    fn run(mut self) {
        let mut batch = Vec::new();
        let mut events = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let deadline = self.deadline();
            let now = self.signalling.poll(deadline, &mut batch);
            for input in batch.drain(..) {
                self.signal(now, input);
            }
            self.events.drain(&mut events);
            for event in events.drain(..) {
                if let MediaEvent::Ports { ports } = event {
                    self.ports.extend(ports);
                }
            }
            if self.ua.next_timeout().is_some_and(|t| t <= now) {
                self.ua.handle_timeout(now);
            }
            self.habits(now);
            self.drain(now);
        }
        let now = self.deadline().unwrap_or_default();
        let live: Vec<CallRef> = self.calls.keys().copied().collect();
        for call in live {
            self.ua.hang_up(now, call, None);
        }
        self.drain(now);
        self.signalling.flush();
    }

    fn deadline(&self) -> Option<Timestamp> {
        let calls = self.calls.values().map(|c| c.due).min();
        let calls_itself = matches!(self.role, Role::Outside { every: Some(_), .. });
        let next = calls_itself.then_some(self.next_call);
        [self.ua.next_timeout(), calls, next]
            .into_iter()
            .flatten()
            .min()
    }

    /// A number from 0 to 1.
    fn chance(&mut self) -> f64 {
        (self.ids.random() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn seconds(&mut self, from: f64, to: f64) -> Duration {
        let c = self.chance();
        Duration::from_secs_f64(from + c * (to - from))
    }

    fn signal(&mut self, now: Timestamp, input: SignalIn) {
        match input {
            SignalIn::Datagram { flow, bytes } => {
                let server = OnlyServer(self.server);
                self.ua.receive(now, &flow, None, bytes, &server);
            }
            SignalIn::SendFailed { target } => self.ua.send_failed(now, &target),
            SignalIn::Resolved { id, targets } => {
                self.ua
                    .resolved(now, id, targets.map_err(|_| ResolveError::NotFound))
            }
            _ => {}
        }
        self.drain(now);
    }

    /// What people do by themselves: call, answer, hang up.
    fn habits(&mut self, now: Timestamp) {
        if let Role::Outside {
            number,
            every: Some(every),
        } = &self.role
            && self.next_call <= now
        {
            let (number, every) = (number.clone(), *every);
            let gap = -self.chance().max(1e-6).ln() * every.as_secs_f64();
            self.next_call = now + Duration::from_secs_f64(gap.clamp(0.2, 300.0));
            if self.calls.len() < CALLS_MAX {
                self.place(now, &number);
            }
        }
        let due: Vec<CallRef> = self
            .calls
            .iter()
            .filter(|(_, c)| c.due <= now)
            .map(|(r, _)| *r)
            .collect();
        for call in due {
            let answer = self
                .calls
                .get(&call)
                .is_some_and(|c| c.incoming && !c.answered);
            if answer {
                self.pick_up(now, call);
            } else {
                self.ua.hang_up(now, call, None);
                self.over(call);
            }
        }
    }

    fn local(&mut self) -> Option<(PortPair, LocalMedia)> {
        let port = self.ports.pop()?;
        let session_id = self.ids.random() >> 2;
        let local = LocalMedia {
            rtp: port.rtp,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            srtp: SrtpPolicy::Off,
            srtp_key: [0; 44],
            send: true,
            receive: true,
            session_id,
            version: 1,
            ptime_ms: 20,
        };
        Some((port, local))
    }

    fn place(&mut self, now: Timestamp, number: &str) {
        let Some((port, local)) = self.local() else {
            return;
        };
        let who = (self.ids.random() % CALLERS.len() as u64) as usize;
        let area = 201 + 37 * who % 700;
        let caller = format!("+1{area}55501{:02}", 10 + 4 * who);
        let server = self.server;
        let uri = format!("sip:{number}@{server}");
        let call = self.ua.invite(
            now,
            OutgoingCall {
                request_uri: uri.clone(),
                target: Some(Target::Addr {
                    transport: Transport::Udp,
                    addr: server,
                    server_name: None,
                }),
                from: NameAddrOwned {
                    display: Some(CALLERS[who].into()),
                    uri: format!("sip:{caller}@{}", self.own.ip()),
                },
                to: NameAddrOwned { display: None, uri },
                contact_user: caller,
                sdp: Some(sdp::offer(&local)),
                headers: vec![],
                parts: vec![],
                credential: None,
                via_trunk: None,
                ring_timeout: Duration::from_secs(120),
                supported_100rel: false,
            },
        );
        let talk = self.seconds(25.0, 60.0);
        self.keep(
            call,
            port,
            local,
            false,
            now + PATIENCE.min(talk + PATIENCE),
        );
        self.figures.placed.fetch_add(1, Ordering::Relaxed);
    }

    fn keep(
        &mut self,
        call: CallRef,
        port: PortPair,
        local: LocalMedia,
        incoming: bool,
        due: Timestamp,
    ) {
        let leg = self.ids.next(due);
        self.calls.insert(
            call,
            Call {
                leg,
                port,
                local,
                answered: false,
                open: false,
                incoming,
                due,
            },
        );
    }

    fn pick_up(&mut self, now: Timestamp, call: CallRef) {
        let Some(c) = self.calls.get_mut(&call) else {
            return;
        };
        c.answered = true;
        c.due = now + Duration::from_secs(300);
        let (sdp, plan) = match self.answers.remove(&call) {
            Some(a) => (a.sdp, a.plan),
            None => return,
        };
        if self.ua.answer(now, call, sdp).is_ok() {
            self.talk(now, call, plan);
        }
    }

    /// Opens the audio path and starts to speak.
    fn talk(&mut self, now: Timestamp, call: CallRef, plan: MediaPlan) {
        let voice = match self.voices.len() {
            0 => None,
            n => Some(self.voices[(self.ids.random() % n as u64) as usize].clone()),
        };
        let id: PlaybackId = self.ids.next(now);
        let Some(c) = self.calls.get_mut(&call).filter(|c| !c.open) else {
            return;
        };
        c.open = true;
        self.figures.talking.fetch_add(1, Ordering::Relaxed);
        let leg = c.leg;
        let _ = self.media.send(
            0,
            MediaCommand::Open {
                leg,
                port: c.port,
                plan: Some(plan),
            },
        );
        if let Some(voice) = voice {
            let pause = cp_media::tones::silence(2_500);
            let playback = Playback {
                id,
                sounds: vec![voice, pause],
                repeat: true,
                barge_in: false,
                mix_with_call: false,
            };
            let _ = self.media.send(0, MediaCommand::Play { leg, playback });
        }
    }

    fn over(&mut self, call: CallRef) {
        self.answers.remove(&call);
        let Some(c) = self.calls.remove(&call) else {
            return;
        };
        if c.open {
            let _ = self.media.send(0, MediaCommand::Close { leg: c.leg });
            self.figures.talking.fetch_sub(1, Ordering::Relaxed);
        }
        self.ports.insert(0, c.port);
    }

    fn drain(&mut self, now: Timestamp) {
        while let Some(output) = self.ua.poll() {
            match output {
                UaOutput::Transmit { target, bytes, .. } => self.signalling.send(target, bytes),
                UaOutput::Close { connection } => self.signalling.close(connection),
                UaOutput::Resolve {
                    id,
                    host,
                    port,
                    transport,
                    secure,
                } => self.signalling.resolve(id, &host, port, transport, secure),
                UaOutput::Event(event) => self.event(now, event),
            }
        }
    }

    fn event(&mut self, now: Timestamp, event: UaEvent) {
        match event {
            UaEvent::Incoming { call, offer, .. } => self.rung(now, call, offer),
            UaEvent::Answered { call, sdp } => {
                let talk = self.seconds(25.0, 60.0);
                let Some(c) = self.calls.get_mut(&call) else {
                    return;
                };
                c.answered = true;
                // Served or not: a queue answers at once, so patience and talk count together.
                c.due = now + talk + Duration::from_secs(20);
                let plan = sdp.and_then(|s| sdp::complete(&c.local, &s).ok());
                if let Some(plan) = plan {
                    self.talk(now, call, plan);
                }
            }
            UaEvent::Reoffered { call, sdp } => {
                let Some(c) = self.calls.get_mut(&call) else {
                    return;
                };
                c.local.version += 1;
                match sdp.map(|s| sdp::answer(&c.local, &s)) {
                    Some(Ok(a)) => {
                        let _ = self.media.send(
                            0,
                            MediaCommand::Plan {
                                leg: c.leg,
                                plan: a.plan,
                            },
                        );
                        self.ua.accept_reoffer(now, call, a.sdp);
                    }
                    _ => self.ua.reject_reoffer(now, call, 488),
                }
            }
            UaEvent::Failed { call, .. } | UaEvent::Ended { call, .. } => self.over(call),
            _ => {}
        }
    }

    fn rung(&mut self, now: Timestamp, call: CallRef, offer: Option<bytes::Bytes>) {
        let Some((port, local)) = self.local() else {
            let _ = self.ua.reject(now, call, 486, vec![]);
            return;
        };
        let answered = offer.map(|o| sdp::answer(&local, &o));
        match answered {
            Some(Ok(answer)) => {
                let _ = self.ua.progress(now, call, 180, None);
                let due = now + self.seconds(1.5, 4.0);
                self.answers.insert(call, answer);
                self.keep(call, port, local, true, due);
            }
            _ => {
                self.ports.push(port);
                let _ = self.ua.reject(now, call, 488, vec![]);
            }
        }
    }
}
