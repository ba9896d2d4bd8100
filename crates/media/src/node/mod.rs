//! Everything one media worker owns, sans-IO: the shell gives it datagrams, commands and the time,
//! and drains datagrams, events and file operations.
//!
//! The order of a shell's loop: any number of [`Node::command`], [`Node::receive`] and
//! [`Node::unreachable`], then [`Node::tick`] when [`Node::next_timeout`] has passed, then
//! [`Node::drain`]. All legs that hear one another must live in the same node.

mod command;
mod leg;
mod outbox;
mod receive;
mod sender;

use crate::record::WriteOp;
use cp_vocab::media::{MediaEvent, Samples};
use cp_vocab::{LegId, RecordingId, Timestamp};
use leg::Leg;
use outbox::Outbox;
use rand::SeedableRng;
use rand::rngs::StdRng;
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
        }
    }
}

/// Where a node's results go; called from [`Node::drain`] only.
pub trait Sink {
    /// Send `bytes` from the RTP socket (`rtcp` false) or the RTCP socket of local `port` (the RTP
    /// port number) to `to`.
    fn send(&mut self, port: u16, rtcp: bool, to: SocketAddr, bytes: &[u8]);
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
}

/// Slot of a leg inside the node.
pub(crate) type Slot = u32;
const NO_SLOT: Slot = Slot::MAX;

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
    outbox: Outbox,
    /// Plain form of a packet on its way to a cipher.
    scratch: Vec<u8>,
    counters: Counters,
}

impl Node {
    pub fn new(config: NodeConfig) -> Self {
        Self {
            rng: StdRng::seed_from_u64(config.seed ^ (u64::from(config.worker) << 48)),
            config,
            legs: Vec::new(),
            free: Vec::new(),
            by_port: vec![NO_SLOT; 1 << 16].into_boxed_slice(),
            by_id: FxHashMap::default(),
            heard_by: FxHashMap::default(),
            outbox: Outbox::default(),
            scratch: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// How many legs are open.
    pub fn leg_count(&self) -> usize {
        self.by_id.len()
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        let mut c = self.counters;
        c.outbox_full = self.outbox.dropped();
        c
    }

    /// Does the work whose time has come. Cheap when there is none.
    pub fn tick(&mut self, _now: Timestamp) {}

    /// When [`Node::tick`] next has work; `None` while no leg is open.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Hands everything that came up to `sink`, in order per kind.
    pub fn drain(&mut self, sink: &mut impl Sink) {
        self.outbox.drain(sink);
    }

    /// The shell could not carry out a file operation (disk full, read-only): the recording ends.
    /// Further operations of it are not produced.
    pub fn recording_failed(&mut self, _now: Timestamp, _recording: RecordingId, _error: String) {}

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
