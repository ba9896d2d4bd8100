//! One leg's state inside a node.

use super::Slot;
use super::sender::Sender;
use crate::latch::Latch;
use crate::srtp::{Protect, Unprotect};
use crate::stats::Reception;
use cp_vocab::media::{Codec, Hears, MediaPlan};
use cp_vocab::{LegId, MixId, Timestamp};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// Packets a leg may bring per second; more are dropped and counted. A 10 ms stream with events has
/// 150, a burst after a stall some more.
const PACKETS_PER_SECOND_MAX: u32 = 1_000;

/// SRTP state of a leg.
pub(crate) struct Cipher {
    pub(crate) out: Box<dyn Protect>,
    pub(crate) incoming: Box<dyn Unprotect>,
}

/// ICMP errors since the last packet received.
#[derive(Clone, Copy, Default)]
pub(crate) struct Trouble {
    pub(crate) since: Option<Timestamp>,
    pub(crate) count: u32,
    pub(crate) told: bool,
}

pub(crate) struct Leg {
    pub(crate) id: LegId,
    /// RTP port; RTCP is the next.
    pub(crate) port: u16,
    pub(crate) plan: Option<MediaPlan>,
    pub(crate) cipher: Option<Cipher>,
    pub(crate) latch: Latch,
    /// Where RTCP came from, once some did.
    pub(crate) rtcp_source: Option<SocketAddr>,
    pub(crate) reception: Reception,
    pub(crate) sender: Sender,
    pub(crate) hears: Hears,
    pub(crate) speaks: Option<MixId>,
    pub(crate) muted: bool,
    /// Legs to which this leg's packets are forwarded at once.
    pub(crate) forwards: SmallVec<[Slot; 2]>,
    /// When the far side last gave a sign of life, or when it was first expected to.
    pub(crate) alive_at: Timestamp,
    pub(crate) flowed: bool,
    pub(crate) silent_told: bool,
    pub(crate) trouble: Trouble,
    rate_window: Timestamp,
    rate_count: u32,
}

impl Leg {
    pub(crate) fn new(now: Timestamp, id: LegId, port: u16, sender: Sender) -> Self {
        Self {
            id,
            port,
            plan: None,
            cipher: None,
            latch: Latch::default(),
            rtcp_source: None,
            reception: Reception::default(),
            sender,
            hears: Hears::default(),
            speaks: None,
            muted: false,
            forwards: SmallVec::new(),
            alive_at: now,
            flowed: false,
            silent_told: false,
            trouble: Trouble::default(),
            rate_window: now,
            rate_count: 0,
        }
    }

    /// Whether one more packet fits the rate a leg may have.
    pub(crate) fn within_rate(&mut self, now: Timestamp) -> bool {
        if now.0.saturating_sub(self.rate_window.0) >= 1_000_000 {
            self.rate_window = now;
            self.rate_count = 0;
        }
        self.rate_count += 1;
        self.rate_count <= PACKETS_PER_SECOND_MAX
    }

    /// Where RTP goes; `None` when nobody is to hear or no address is known.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        let plan = self.plan.as_ref().filter(|p| p.send)?;
        let to = self.latch.source().unwrap_or(plan.remote);
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// Codec and whether we take its audio.
    pub(crate) fn voice_codec(&self) -> Option<Codec> {
        self.plan.as_ref().filter(|p| p.receive).map(|p| p.codec)
    }

    /// The far side lives.
    pub(crate) fn sign_of_life(&mut self, now: Timestamp) {
        self.alive_at = now;
        self.silent_told = false;
        self.trouble = Trouble::default();
    }
}
