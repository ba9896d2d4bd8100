//! The engine's state, its input dispatch, and the gate between what is decided and what leaves.

use crate::index::Index;
use crate::io::*;
use crate::leg::LegEntry;
use crate::ports::Ports;
use cp_interaction::{Interaction, TimerKind};
use cp_routing::{Router, RouterConfig};
use cp_sip::ua::{CallRef, Listen, TrunkConfig, UaConfig, UserAgent};
use cp_vocab::event::{EventRecord, LogPosition};
use cp_vocab::media::{Codec, MediaCommand};
use cp_vocab::model::Snapshot;
use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Interactions in memory at most; further calls are refused with 503.
pub(crate) const INTERACTIONS_MAX: usize = 200_000;

#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub seed: [u8; 32],
    pub nonce_secret: [u8; 32],
    pub listen: Vec<Listen>,
    /// Codecs offered to phones, best first.
    pub codecs: Vec<Codec>,
    /// Let calls to emergency services leave. Off everywhere but in a live site.
    pub emergency_live: bool,
    /// Wall-clock time minus the driver's line, in microseconds; event times are `now + wall_offset_us`.
    pub wall_offset_us: i64,
    pub interactions_max: usize,
    pub session_expires_s: u32,
    pub router: RouterConfig,
    pub identity: crate::identity::IdentityConfig,
}

impl EngineConfig {
    pub fn new(seed: [u8; 32], nonce_secret: [u8; 32], listen: Vec<Listen>) -> Self {
        Self {
            seed,
            nonce_secret,
            listen,
            codecs: vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
            emergency_live: false,
            wall_offset_us: 0,
            interactions_max: INTERACTIONS_MAX,
            session_expires_s: 1_800,
            router: RouterConfig {
                seed,
                ..RouterConfig::default()
            },
            identity: crate::identity::IdentityConfig::default(),
        }
    }
}

/// Counters for the metrics page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub interactions: usize,
    pub legs: usize,
    pub ports_in_use: usize,
    pub started: u64,
    pub ended: u64,
    pub refused: u64,
    pub faults: u64,
}

pub(crate) struct Entry {
    pub interaction: Interaction,
    pub tenant: TenantId,
    /// The media worker that carries all its legs.
    pub worker: u16,
    /// Number of the last record in its log.
    pub seq: u64,
    /// Timers by kind; a timer whose time differs from the entry's was cancelled.
    pub timers: FxHashMap<TimerKind, Timestamp>,
}

pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) ids: IdSource,
    pub(crate) index: Index,
    pub(crate) ua: UserAgent,
    pub(crate) router: Router,
    pub(crate) interactions: FxHashMap<InteractionId, Entry>,
    pub(crate) legs: FxHashMap<LegId, LegEntry>,
    pub(crate) calls: FxHashMap<CallRef, LegId>,
    pub(crate) offers: FxHashMap<OfferId, InteractionId>,
    /// Legs given up whose last quality report is still to come.
    pub(crate) closing: FxHashMap<LegId, InteractionId>,
    pub(crate) recordings: FxHashMap<RecordingId, InteractionId>,
    /// Until when the log says a phone is registered; refreshes before that need no record.
    pub(crate) logged_until: FxHashMap<PhoneId, Timestamp>,
    pub(crate) ports: Ports,
    pub(crate) rooms: FxHashMap<ConferenceId, u32>,
    pub(crate) parked: FxHashMap<(TenantId, String), InteractionId>,
    pub(crate) trunk_calls: FxHashMap<TrunkId, u32>,
    pub(crate) web: crate::web::Web,
    /// Last health of each trunk: round trip in ms, or why it is down.
    pub(crate) trunk_states: FxHashMap<TrunkId, Result<u32, String>>,
    pub(crate) tenant_calls: FxHashMap<TenantId, u32>,
    pub(crate) outbound: crate::outbound::Outbound,
    /// Interactions in which somebody asks for help; nothing of them waits.
    pub(crate) urgent: rustc_hash::FxHashSet<InteractionId>,
    /// Oldest first.
    pub(crate) call_backs: Vec<crate::emergency::CallBack>,
    timers: BinaryHeap<Reverse<(Timestamp, InteractionId, TimerKind)>>,
    /// Decisions of the routing that are still to be told; it is drained right after each input.
    pub(crate) routed: VecDeque<cp_routing::RouterOutput>,
    /// Inputs to interactions that outputs of others caused; run before anything else.
    pub(crate) work: VecDeque<(InteractionId, cp_interaction::Input)>,
    pub(crate) scratch: Vec<cp_interaction::Output>,
    pub(crate) appended: Vec<EventRecord>,
    pub(crate) position: LogPosition,
    pending: Vec<Output>,
    out: VecDeque<Output>,
    /// On whose behalf the presence change that is being carried out is.
    pub(crate) presence_by: Option<cp_vocab::command::Actor>,
    /// Who asked for the next presence of an agent.
    pub(crate) next_presence_by: FxHashMap<AgentId, cp_vocab::command::Actor>,
    /// Calls that ended before both sides knew of them while the log could not be written.
    pub(crate) unconfirmed: rustc_hash::FxHashSet<CallRef>,
    pub(crate) recent: crate::recent::Recent,
    pub(crate) identity: crate::identity::Identity,
    pub(crate) cards: crate::card::Cards,
    /// The next input of each of these panics.
    #[cfg(test)]
    pub(crate) panic_in: Vec<InteractionId>,
    pub(crate) draining: bool,
    pub(crate) writable: bool,
    pub(crate) stats: Stats,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        let mut ids = IdSource::from_seed(config.seed);
        let mut ua = UaConfig::new(ids.random(), config.nonce_secret, config.listen.clone());
        ua.session_expires_s = config.session_expires_s;
        ua.limits.calls_max = config.interactions_max.saturating_mul(2);
        let identity = crate::identity::Identity::new(config.identity.clone());
        Self {
            router: Router::new(config.router.clone()),
            ua: UserAgent::new(ua),
            ids,
            config,
            index: Index::default(),
            interactions: FxHashMap::default(),
            legs: FxHashMap::default(),
            calls: FxHashMap::default(),
            offers: FxHashMap::default(),
            closing: FxHashMap::default(),
            recordings: FxHashMap::default(),
            logged_until: FxHashMap::default(),
            ports: Ports::default(),
            rooms: FxHashMap::default(),
            parked: FxHashMap::default(),
            trunk_calls: FxHashMap::default(),
            web: crate::web::Web::default(),
            trunk_states: FxHashMap::default(),
            tenant_calls: FxHashMap::default(),
            outbound: crate::outbound::Outbound::default(),
            urgent: rustc_hash::FxHashSet::default(),
            call_backs: Vec::new(),
            timers: BinaryHeap::new(),
            routed: VecDeque::new(),
            work: VecDeque::new(),
            scratch: Vec::new(),
            appended: Vec::new(),
            position: LogPosition::default(),
            pending: Vec::new(),
            out: VecDeque::new(),
            presence_by: None,
            next_presence_by: FxHashMap::default(),
            unconfirmed: rustc_hash::FxHashSet::default(),
            recent: crate::recent::Recent::default(),
            identity,
            cards: crate::card::Cards::default(),
            #[cfg(test)]
            panic_in: Vec::new(),
            draining: false,
            writable: true,
            stats: Stats::default(),
        }
    }

    /// Takes one input. Drain [`Engine::poll`] afterwards.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Datagram {
                flow,
                tls_name,
                bytes,
            } => {
                self.ua
                    .receive(now, &flow, tls_name.as_deref(), bytes, &self.index);
            }
            Input::FlowClosed(connection) => self.ua.flow_closed(now, connection),
            Input::SendFailed(target) => self.ua.send_failed(now, &target),
            Input::Resolved { id, targets } => {
                let found = targets.ok_or(cp_sip::ua::ResolveError::NotFound);
                self.ua.resolved(now, id, found);
            }
            Input::Media(event) => self.media_event(now, event),
            Input::Command(envelope) => self.command(now, envelope),
            Input::Timeout => self.timeout(now),
            Input::StoreHealth { writable } => {
                self.writable = writable;
                self.unconfirmed.clear();
            }
            Input::CertificateFetched { url, fetched } => {
                self.certificate_fetched(now, url, fetched);
            }
            Input::IdentityTrust(trust) => self.identity.trust(trust),
            Input::EndCalls => {
                self.draining = true;
                let all = self.interactions.keys().copied().collect::<Vec<_>>();
                for id in all {
                    self.work.push_back((id, cp_interaction::Input::NodeStops));
                }
            }
            Input::Restore(restore) => self.restore(now, *restore),
        }
        self.run(now);
        self.release();
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timeout`] is wanted.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let own = self.timers.peek().map(|Reverse((at, _, _))| *at);
        let web = self.web.next_timeout();
        let cut = self.outbound.next_cut().map(|at| self.line_of(at));
        let identity = self.identity.next_timeout();
        [
            own,
            web,
            cut,
            self.ua.next_timeout(),
            self.router.next_timeout(),
            identity,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub fn stats(&self) -> Stats {
        Stats {
            interactions: self.interactions.len(),
            legs: self.legs.len(),
            ports_in_use: self.ports.in_use(),
            ..self.stats
        }
    }

    /// How full the tables are that must be empty when nobody calls: for metrics, and for tests
    /// that nothing leaks.
    pub fn tables(&self) -> [(&'static str, usize); 12] {
        let sip = self.ua.table_sizes();
        let [at_the_door, identities, _] = self.identity.sizes();
        [
            ("interactions", self.interactions.len()),
            ("legs", self.legs.len()),
            ("calls", self.calls.len()),
            ("offers", self.offers.len()),
            ("closing", self.closing.len()),
            ("recordings", self.recordings.len()),
            ("rooms", self.rooms.len()),
            ("parked", self.parked.len()),
            ("at_the_door", at_the_door),
            ("identities", identities),
            ("sip_calls", sip.calls),
            ("sip_requests", sip.requests),
        ]
    }

    /// Whether new calls are refused because the node is being taken out of service.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// How full the SIP tables are.
    pub fn table_sizes(&self) -> cp_sip::ua::TableSizes {
        self.ua.table_sizes()
    }

    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.index.snapshot
    }

    /// Durable state of an interaction in memory, for replay tests and the simulator.
    pub fn interaction(&self, id: InteractionId) -> Option<&cp_interaction::State> {
        self.interactions.get(&id).map(|e| e.interaction.state())
    }
    pub fn interactions(&self) -> impl Iterator<Item = InteractionId> + '_ {
        self.interactions.keys().copied()
    }
    pub fn router(&self) -> &Router {
        &self.router
    }

    fn timeout(&mut self, now: Timestamp) {
        while let Some(Reverse((at, id, kind))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            if let Some(e) = self.interactions.get_mut(&id)
                && e.timers.get(&kind) == Some(&at)
            {
                e.timers.remove(&kind);
                self.work
                    .push_back((id, cp_interaction::Input::Timer(kind)));
            }
        }
        self.web_timeout(now);
        self.cut_calls(now);
        if self.ua.next_timeout().is_some_and(|t| t <= now) {
            self.ua.handle_timeout(now);
        }
        if self.identity.next_timeout().is_some_and(|t| t <= now) {
            self.identity_timeout(now);
        }
        if self.router.next_timeout().is_some_and(|t| t <= now) {
            self.router.handle_timeout(now);
            self.drain_router();
        }
    }

    pub(crate) fn set_timer(&mut self, id: InteractionId, kind: TimerKind, at: Option<Timestamp>) {
        let Some(e) = self.interactions.get_mut(&id) else {
            return;
        };
        match at {
            Some(at) => {
                e.timers.insert(kind, at);
                self.timers.push(Reverse((at, id, kind)));
            }
            None => {
                e.timers.remove(&kind);
            }
        }
    }

    pub(crate) fn wall(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add_signed(self.config.wall_offset_us))
    }

    /// The driver's time of a wall-clock time.
    pub(crate) fn line_of(&self, wall: Timestamp) -> Timestamp {
        Timestamp(
            wall.0
                .saturating_add_signed(self.config.wall_offset_us.saturating_neg()),
        )
    }

    /// Puts a record into the log of this input.
    pub(crate) fn append(&mut self, record: EventRecord) {
        self.position.0 += 1;
        self.appended.push(record);
    }

    pub(crate) fn put(&mut self, output: Output) {
        self.pending.push(output);
    }
    pub(crate) fn put_media(&mut self, worker: u16, command: MediaCommand) {
        // What is played names a tenant; opening and closing concern none.
        let tenant = TenantId::from_u128(0);
        self.pending.push(Output::Media {
            worker,
            tenant,
            command,
        });
    }

    /// Ends the input: what it promised waits for the last record it made.
    fn release(&mut self) {
        while let Some(worker) = self.ports.hungry() {
            self.out.push_back(Output::GrowPorts { worker });
        }
        let after = if self.appended.is_empty() {
            LogPosition::default()
        } else {
            self.position
        };
        if !self.appended.is_empty() {
            let records = std::mem::take(&mut self.appended);
            self.out.push_back(Output::Append {
                records,
                upto: self.position,
            });
        }
        for mut output in self.pending.drain(..) {
            match &mut output {
                // Also a repetition waits for what it repeats: never ahead of the log.
                Output::Transmit { after: a, .. } if *a != NOW => *a = self.position,
                Output::Transmit { after: a, .. } => *a = LogPosition::default(),
                Output::Reply { after: a, .. } => *a = after,
                // Never ahead of the reply it follows.
                Output::Signal { after: a, .. } => *a = self.position,
                _ => {}
            }
            self.out.push_back(output);
        }
    }

    pub(crate) fn trunk_configs(&self) -> Vec<TrunkConfig> {
        self.index
            .snapshot
            .trunks
            .iter()
            .map(|t| TrunkConfig {
                id: t.id,
                host: t.host.clone(),
                transport: t.transport,
                user: t.user.clone(),
                password: t.password.expose().clone(),
                register: t.register,
                health_interval_s: t.health_interval_s,
                addresses: vec![],
            })
            .collect()
    }
}

/// Marks a transmission that promises nothing (100, retransmission, challenge) inside one input.
pub(crate) const NOW: LogPosition = LogPosition(u64::MAX);

/// How long an outgoing call may ring at the SIP layer beyond what the interaction asked.
pub(crate) fn ring_time(ms: u64) -> Duration {
    Duration::from_millis(ms.clamp(1_000, 300_000))
}
