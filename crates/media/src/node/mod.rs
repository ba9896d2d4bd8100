//! Everything one media worker owns, sans-IO: the shell gives it datagrams, commands and the time,
//! and drains datagrams, events and file operations.
//!
//! The order of a shell's loop: any number of [`Node::command`], [`Node::receive`] and
//! [`Node::unreachable`], then [`Node::tick`] when [`Node::next_timeout`] has passed, then
//! [`Node::drain`]. All legs that hear one another must live in the same node.

mod act;
mod clip;
mod command;
mod egress;
mod frame;
mod house;
mod leg;
mod migrate;
mod mix;
mod outbox;
mod peers;
mod picture;
mod player;
mod receive;
mod recording;
mod route;
mod sender;
mod tracks;
mod video;
mod voice;

use crate::error::MediaError;
use crate::record::WriteOp;
use crate::resample::Filters;
use clip::Clips;
use cp_vocab::media::{MediaEvent, Samples};
use cp_vocab::{LegId, MixId, PlaybackId, RecordingId, Timestamp};
use egress::Work;
use leg::Leg;
pub use migrate::MovingLeg;
use mix::Mix;
use outbox::Outbox;
use peers::Peers;
pub use peers::{PEER_HALF_OPEN_MAX, PEER_LEGS_MAX, PeerConfig};
use rand::SeedableRng;
use rand::rngs::StdRng;
use recording::Recording;
use rustc_hash::FxHashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A media command as a worker gets it.
pub type MediaCommand = cp_vocab::media::MediaCommand<Samples>;

/// How a node behaves. `..NodeConfig::default()` fills what a shell does not care about.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Number of the worker, for logs.
    pub worker: u16,
    /// Seeds SSRCs, sequence numbers and report intervals.
    pub seed: u64,
    /// A leg whose far side flowed and then sent neither RTP nor RTCP for this long is `Silent`.
    pub silent_after: Duration,
    /// The same for a far side that never sent anything.
    pub silent_after_start: Duration,
    /// ICMP errors over this time without a packet received make a leg `Unreachable`.
    pub unreachable_after: Duration,
    /// The same for a far side that never sent anything: it may only be slow to open its port.
    pub unreachable_after_start: Duration,
    /// Time between RTCP reports, on average (RFC 3550 6.2).
    pub rtcp_interval: Duration,
    /// Time between `Quality` events of a leg.
    pub quality_interval: Duration,
    /// Rate at which Opus is decoded and encoded when it is not forwarded: 16,000 or 48,000.
    pub opus_rate_hz: u32,
    /// Legs of browsers; `None` refuses them.
    pub peers: Option<PeerConfig>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            worker: 0,
            seed: 0,
            silent_after: Duration::from_secs(20),
            silent_after_start: Duration::from_secs(60),
            unreachable_after: Duration::from_secs(2),
            unreachable_after_start: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(5),
            quality_interval: Duration::from_secs(10),
            opus_rate_hz: 16_000,
            peers: None,
        }
    }
}

/// Where a node's results go; called from [`Node::drain`] only.
pub trait Sink {
    /// Send `bytes` from the RTP socket (`rtcp` false) or the RTCP socket of local `port` (the RTP
    /// port number) to `to`.
    fn send(&mut self, port: u16, rtcp: bool, to: SocketAddr, bytes: &[u8]);
    /// Send `bytes` to a browser: from the worker's one socket for browsers, or as one frame
    /// (RFC 4571) of the TCP connection that came from `to`.
    fn send_peer(&mut self, tcp: bool, to: SocketAddr, bytes: &[u8]);
    fn event(&mut self, event: MediaEvent);
    /// Carry out a step on a recording's file.
    fn write(&mut self, recording: RecordingId, op: WriteOp);
}

/// What happened to packets that brought no audio; each drop is counted once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Accepted RTP packets.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Forwarded on the fast path.
    pub relayed: u64,
    /// For a port no leg uses.
    pub no_leg: u64,
    /// Before a plan, or while the plan says we do not receive.
    pub unwanted: u64,
    pub malformed: u64,
    /// From an address the leg is not latched onto.
    pub stranger: u64,
    pub unknown_payload_type: u64,
    pub srtp_authentication: u64,
    pub srtp_replay: u64,
    pub duplicate: u64,
    /// Too old or an unconfirmed jump.
    pub stale: u64,
    /// Above the packet rate a leg may have.
    pub flood: u64,
    /// The far side used our SSRC; we took another.
    pub ssrc_collision: u64,
    pub rtcp_received: u64,
    pub rtcp_malformed: u64,
    /// Datagrams and events dropped because the shell did not drain.
    pub outbox_full: u64,
    /// Commands that name a leg or recording that is not here.
    pub unknown_target: u64,
    /// Plans whose SRTP keys do not fit; the leg stays without a plan.
    pub bad_plan: u64,
    /// Phases of 5 ms skipped because the shell came too late.
    pub overruns: u64,
    /// Stereo frames encoded: fewer than sent when listeners share them.
    pub stereo_encoded: u64,
}

impl Counters {
    /// Counts a packet by what was wrong with it.
    fn refuse(&mut self, error: &MediaError) {
        *match error {
            MediaError::SrtpReplay => &mut self.srtp_replay,
            MediaError::SrtpAuthentication | MediaError::SrtpSources => {
                &mut self.srtp_authentication
            }
            _ => &mut self.malformed,
        } += 1;
    }
}

/// Slot of a leg inside the node.
pub(crate) type Slot = u32;
const NO_SLOT: Slot = Slot::MAX;

/// A frame's phases.
const PHASES: usize = 4;

/// Work found in the middle of something and done after it.
enum Deferred {
    Rewire(Slot),
    Pressed(Slot),
    /// Leg, digit, length in ms, heard in the voice.
    Digit(Slot, char, u32, bool),
    Played(Slot, PlaybackId),
    RecordingFull(RecordingId),
}

/// One media worker's legs, mixes, playbacks and recordings.
pub struct Node {
    config: NodeConfig,
    rng: StdRng,
    legs: Vec<Option<Box<Leg>>>,
    free: Vec<Slot>,
    by_port: Box<[Slot]>,
    by_id: FxHashMap<LegId, Slot>,
    /// Who hears a leg singly, by the id of the leg heard, whether it is open yet or not.
    heard_by: FxHashMap<LegId, Vec<LegId>>,
    mixes: Vec<Option<Mix>>,
    mix_by_id: FxHashMap<MixId, u32>,
    recordings: Vec<Recording>,
    clips: Clips,
    filters: Filters,
    /// Legs with work per frame, by phase.
    phases: [Vec<Slot>; PHASES],
    /// Number of the next phase since the epoch.
    next_phase: u64,
    /// Number of the last 100 ms looked after.
    house_at: u64,
    opened: u64,
    deferred: Vec<Deferred>,
    work: Work,
    outbox: Outbox,
    counters: Counters,
    peers: Option<Peers>,
    /// Legs that asked about seats.
    seated: Vec<Slot>,
    pictures: Vec<Option<picture::Picture>>,
    /// Stereo frames encoded so far.
    encodings: u64,
}

impl Node {
    pub fn new(config: NodeConfig) -> Self {
        Self {
            peers: config.peers.clone().map(Peers::new),
            rng: StdRng::seed_from_u64(config.seed ^ (u64::from(config.worker) << 48)),
            config,
            legs: Vec::new(),
            free: Vec::new(),
            by_port: vec![NO_SLOT; 1 << 16].into_boxed_slice(),
            by_id: FxHashMap::default(),
            heard_by: FxHashMap::default(),
            outbox: Outbox::default(),
            mixes: Vec::new(),
            mix_by_id: FxHashMap::default(),
            recordings: Vec::new(),
            clips: Clips::default(),
            filters: Filters::default(),
            phases: Default::default(),
            next_phase: 0,
            house_at: 0,
            opened: 0,
            deferred: Vec::new(),
            work: Work::default(),
            counters: Counters::default(),
            seated: Vec::new(),
            pictures: Vec::new(),
            encodings: 0,
        }
    }

    /// How many legs are open.
    pub fn leg_count(&self) -> usize {
        self.by_id.len()
    }

    /// Whether a leg is open.
    pub fn has_leg(&self, leg: LegId) -> bool {
        self.by_id.contains_key(&leg)
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        let mut c = self.counters;
        c.outbox_full = self.outbox.dropped();
        c.stereo_encoded = self.encodings;
        c
    }

    /// Does the work whose time has come. Cheap when there is none.
    pub fn tick(&mut self, now: Timestamp) {
        self.outbox.now = now;
        self.run_peers(now);
        self.run_frames(now);
        self.run_house(now);
    }

    /// When [`Node::tick`] next has work; `None` while no leg is open.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        if self.by_id.is_empty() {
            return None;
        }
        let peers = self.peers.as_ref().and_then(Peers::next_timeout);
        let frame = self.next_frame();
        [Some(self.next_house()), frame, peers]
            .into_iter()
            .flatten()
            .min()
    }

    /// Hands everything that came up to `sink`, in order per kind.
    pub fn drain(&mut self, sink: &mut impl Sink) {
        self.flush_peers();
        self.outbox.drain(sink);
    }

    fn leg_mut(&mut self, slot: Slot) -> Option<&mut Leg> {
        self.legs.get_mut(slot as usize)?.as_deref_mut()
    }
    fn leg(&self, slot: Slot) -> Option<&Leg> {
        self.legs.get(slot as usize)?.as_deref()
    }
    fn slot_of(&mut self, leg: LegId) -> Option<Slot> {
        let slot = self.by_id.get(&leg).copied();
        if slot.is_none() {
            self.counters.unknown_target += 1;
        }
        slot
    }
}

#[cfg(test)]
mod tests;
