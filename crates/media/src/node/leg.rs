//! One leg's state inside a node.

use super::Slot;
use super::egress::Egress;
use super::house::Reports;
use super::peers::Web;
use super::picture::Seated;
use super::player::Player;
use super::sender::Sender;
use super::tracks::Tracked;
use super::voice::Voice;
use crate::dtmf::event::{DigitQueue, Receiver};
use crate::error::MediaError;
use crate::latch::Latch;
use crate::srtp::{self, Protect, Unprotect};
use crate::stats::Reception;
use cp_vocab::media::{Codec, Hears, MediaPlan, SrtpKeys};
use cp_vocab::{LegId, MixId, Timestamp};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// Packets a leg may bring per second; more are dropped and counted. A 10 ms stream with events has
/// 150, a burst after a stall some more.
const PACKETS_PER_SECOND_MAX: u32 = 1_000;

/// SRTP state of a leg.
pub(crate) struct Cipher {
    keys: SrtpKeys,
    pub(crate) out: Box<dyn Protect>,
    pub(crate) incoming: Box<dyn Unprotect>,
}

impl Cipher {
    /// The state for new keys; a direction whose key stays keeps its state (roll-over counter, replay
    /// window), whatever became of the other.
    ///
    /// # Errors
    /// As [`srtp::pair`].
    pub(crate) fn renew(before: Option<Self>, keys: &SrtpKeys) -> Result<Self, MediaError> {
        let (mut out, mut incoming) = (None, None);
        if let Some(b) = before.filter(|b| b.keys.suite == keys.suite) {
            out = Some(b.out).filter(|_| b.keys.local == keys.local);
            incoming = Some(b.incoming).filter(|_| b.keys.remote == keys.remote);
        }
        Ok(Self {
            out: match out {
                Some(kept) => kept,
                None => srtp::protect(keys.suite, &keys.local)?,
            },
            incoming: match incoming {
                Some(kept) => kept,
                None => srtp::unprotect(keys.suite, &keys.remote)?,
            },
            keys: keys.clone(),
        })
    }
}

/// ICMP errors since the last packet received.
#[derive(Clone, Copy, Default)]
pub(crate) struct Trouble {
    pub(crate) since: Option<Timestamp>,
    pub(crate) count: u32,
    pub(crate) told: bool,
}

/// How audio reaches a leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// No plan, or the far side wants nothing.
    Nothing,
    /// Hears nobody: now and then a packet to keep the path open.
    Idle,
    /// Packets of this leg are forwarded as they come.
    Relay(Slot),
    /// One frame per 20 ms is made here.
    Frames,
}

pub(crate) struct Leg {
    pub(crate) id: LegId,
    /// RTP port; RTCP is the next.
    pub(crate) port: u16,
    pub(crate) plan: Option<MediaPlan>,
    pub(crate) cipher: Option<Cipher>,
    /// The browser's peer connection below this leg.
    pub(crate) web: Option<Box<Web>>,
    /// Who takes this voice on a line of its own.
    pub(crate) tracked: Option<Box<Tracked>>,
    /// Where the voices it hears come from.
    pub(crate) seats: Option<Box<Seated>>,
    pub(crate) latch: Latch,
    /// Where RTCP came from, once some did.
    pub(crate) rtcp_source: Option<SocketAddr>,
    pub(crate) reports: Reports,
    pub(crate) opened_at: Timestamp,
    pub(crate) reception: Reception,
    pub(crate) sender: Sender,
    pub(crate) hears: Hears,
    pub(crate) speaks: Option<MixId>,
    pub(crate) muted: bool,
    /// Legs to which this leg's packets are forwarded at once.
    pub(crate) forwards: SmallVec<[Slot; 2]>,
    pub(crate) way: Way,
    /// Slots of `hears.legs` that are open.
    pub(crate) heard_slots: SmallVec<[Slot; 2]>,
    /// Index of `hears.mix`.
    pub(crate) hears_mix: Option<u32>,
    /// Which of the four phases of a frame, and the place in its list when there is work.
    pub(crate) phase: u8,
    pub(crate) placed: Option<u32>,
    /// Decoded voice, while somebody wants it.
    pub(crate) voice: Option<Box<Voice>>,
    pub(crate) egress: Option<Box<Egress>>,
    pub(crate) player: Option<Box<Player>>,
    pub(crate) events: Receiver,
    /// Sender epoch the events belong to.
    pub(crate) events_epoch: u32,
    pub(crate) digits: DigitQueue,
    pub(crate) digit_timestamp: u32,
    /// Recordings this leg is a channel of.
    pub(crate) recorded: u32,
    /// Recordings of everything this leg hears.
    pub(crate) taps: u32,
    pub(crate) tapped: bool,
    /// What it heard in this frame, while tapped.
    pub(crate) outgoing: Vec<i16>,
    /// When the far side last gave a sign of life, or when it was first expected to.
    pub(crate) alive_at: Timestamp,
    pub(crate) flowed: bool,
    pub(crate) silent_told: bool,
    pub(crate) trouble: Trouble,
    rate_window: Timestamp,
    rate_count: u32,
}

impl Leg {
    pub(crate) fn new(now: Timestamp, id: LegId, port: u16, phase: u8, sender: Sender) -> Self {
        Self {
            id,
            port,
            plan: None,
            cipher: None,
            web: None,
            tracked: None,
            seats: None,
            latch: Latch::default(),
            rtcp_source: None,
            reports: Reports::default(),
            opened_at: now,
            reception: Reception::default(),
            sender,
            hears: Hears::default(),
            speaks: None,
            muted: false,
            forwards: SmallVec::new(),
            way: Way::Nothing,
            heard_slots: SmallVec::new(),
            hears_mix: None,
            phase,
            placed: None,
            voice: None,
            egress: None,
            player: None,
            events: Receiver::default(),
            events_epoch: 0,
            digits: DigitQueue::default(),
            digit_timestamp: 0,
            recorded: 0,
            taps: 0,
            tapped: false,
            outgoing: Vec::new(),
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

    /// Each voice it hears comes on a line of its own.
    pub(crate) fn is_apart(&self) -> bool {
        self.web.as_ref().is_some_and(|w| w.tracks.on)
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
