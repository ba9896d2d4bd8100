//! The words between the engine and its media workers. Packets never pass through the engine; it
//! says who hears whom, and the workers carry it out.

use crate::id::*;
use crate::web::{PeerAsk, PeerSaid};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    Opus,
    G722,
    Pcma,
    Pcmu,
}

impl Codec {
    /// Name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }
    /// RTP clock in Hz. G.722 says 8000 although it samples at 16000 (RFC 3551 4.5.2).
    pub fn clock_hz(self) -> u32 {
        if self == Self::Opus { 48_000 } else { 8_000 }
    }
    /// Rate of the samples the codec takes and gives, in Hz.
    pub fn sample_rate_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 => 16_000,
            Self::Pcma | Self::Pcmu => 8_000,
        }
    }
    /// The static payload type, or the dynamic one we offer.
    pub fn default_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 96,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum SrtpSuite {
    AesCm128HmacSha1_80,
    AesCm128HmacSha1_32,
    AeadAes128Gcm,
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// Name in `a=crypto` (RFC 4568, RFC 7714).
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }
    /// Length of master key and of master salt, in bytes.
    pub fn key_and_salt_len(self) -> (usize, usize) {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => (16, 14),
            Self::AeadAes128Gcm => (16, 12),
            Self::AeadAes256Gcm => (32, 12),
        }
    }
}

/// Keys of one SDES-SRTP leg; each is master key followed by master salt. Prints no key.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    pub suite: SrtpSuite,
    pub local: Vec<u8>,
    pub remote: Vec<u8>,
}
impl std::fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SrtpKeys({})", self.suite.name())
    }
}

/// What offer and answer agreed for one audio stream: the outcome of the pure SDP negotiation,
/// all a media leg needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaPlan {
    /// Where the far side said it receives RTP; latching may correct it.
    pub remote: SocketAddr,
    /// Where it receives RTCP; `None` when multiplexed with RTP.
    pub remote_rtcp: Option<SocketAddr>,
    pub codec: Codec,
    /// Payload type we send (the far side's number) and the one we expect (ours).
    pub payload_type_send: u8,
    pub payload_type_receive: u8,
    /// RFC 4733 payload types (send, receive) when agreed.
    pub dtmf: Option<(u8, u8)>,
    pub ptime_ms: u16,
    /// Whether we send to them: false when they put us on hold (`sendonly`, `inactive`, `0.0.0.0`).
    pub send: bool,
    /// Whether we take their audio: false when we hold them or they said `recvonly`/`inactive`.
    pub receive: bool,
    pub srtp: Option<SrtpKeys>,
    /// In-band G.711 comfort noise (payload type 13, RFC 3389) agreed.
    pub comfort_noise: bool,
    /// The far side said it plays two channels (Opus, `stereo=1`, RFC 7587 6.1).
    pub stereo: bool,
}

/// A pair of bound local ports (RTP even, RTCP next) owned by one media worker. Given to the engine
/// by the edge after binding, so that a port in an SDP is always one that is open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PortPair {
    pub worker: u16,
    pub rtp: SocketAddr,
}

/// Who a leg hears: a mix without its own voice, and single legs beside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hears {
    pub mix: Option<MixId>,
    pub legs: SmallVec<[LegId; 2]>,
}

impl Hears {
    pub fn nobody() -> Self {
        Self::default()
    }
    pub fn leg(leg: LegId) -> Self {
        Self {
            mix: None,
            legs: SmallVec::from_slice(&[leg]),
        }
    }
    pub fn mix(mix: MixId) -> Self {
        Self {
            mix: Some(mix),
            legs: SmallVec::new(),
        }
    }
}

/// What can be played.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sound {
    /// A prompt of the tenant or of the house by name (`music`, `greeting`, …).
    Prompt { name: String },
    /// Words for the speech provider; `voice` names one of its voices.
    Speech {
        text: String,
        #[serde(default)]
        voice: Option<String>,
    },
    /// A call-progress tone.
    Tone { tone: Tone },
    /// Silence of a length, to space others.
    Silence { ms: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    Ringback,
    Busy,
    Congestion,
    Beep,
}

/// 16-bit mono samples at a rate; shared, since one prompt plays to many.
#[derive(Clone, PartialEq, Eq)]
pub struct Samples {
    pub rate_hz: u32,
    pub data: Arc<[i16]>,
}
impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Samples({} at {} Hz)", self.data.len(), self.rate_hz)
    }
}

/// A sequence to play to one leg. The driver resolves each [`Sound`] to samples before the worker sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playback<S = Sound> {
    pub id: PlaybackId,
    pub sounds: Vec<S>,
    /// Start over at the end until stopped (hold music).
    pub repeat: bool,
    /// A digit from the leg stops it (prompt barge-in).
    pub barge_in: bool,
    /// Whether what the leg otherwise hears goes on below it (announcement during a call).
    pub mix_with_call: bool,
}

/// Engine to worker. `S` is [`Sound`] as the engine says it, [`Samples`] as the worker gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MediaCommand<S = Sound> {
    /// Take a bound port into use for a leg. Without a plan it only latches and waits (early offer out).
    Open {
        leg: LegId,
        port: PortPair,
        plan: Option<MediaPlan>,
    },
    /// A (re)negotiated plan.
    Plan {
        leg: LegId,
        plan: MediaPlan,
    },
    /// Free the port; a last quality report follows.
    Close {
        leg: LegId,
    },
    /// What this leg hears from now on.
    Hear {
        leg: LegId,
        hears: Hears,
    },
    /// Which mix this leg's voice goes into (`None`: none). Legs it is heard by singly are in their `Hear`.
    Speak {
        leg: LegId,
        into: Option<MixId>,
    },
    /// Leave the leg's voice out everywhere, or let it in again.
    Mute {
        leg: LegId,
        muted: bool,
    },
    Play {
        leg: LegId,
        playback: Playback<S>,
    },
    Stop {
        leg: LegId,
        playback: PlaybackId,
    },
    /// Send digits as agreed (RFC 4733, or in-band where it was not).
    SendDigits {
        leg: LegId,
        digits: String,
    },
    /// Write `left` and `right` as the two channels of a WAV. `left` is the customer's side.
    /// `right` is everything that side hears when `None` (conference).
    Record {
        recording: RecordingId,
        left: LegId,
        right: Option<LegId>,
        path: String,
    },
    /// Write silence until resumed (card numbers, S3.5).
    PauseRecording {
        recording: RecordingId,
        paused: bool,
    },
    StopRecording {
        recording: RecordingId,
    },
    /// About a leg that is a browser's peer connection.
    Peer {
        leg: LegId,
        ask: PeerAsk,
    },
    /// Where the voices this leg hears come from (S3.6).
    Seats {
        leg: LegId,
        seats: SeatsAsk,
    },
}

/// Seats at most that one listener's layout names.
pub const SEATS_MAX: usize = 64;
/// How long a selected one stays near, at most.
pub const NEAR_MS_MAX: u32 = 60_000;

/// What a listener asks of the places of the others (S3.6). What is left out stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SeatsAsk {
    /// Each voice on a track of its own, as far as the browser offered lines for them; its page places them.
    #[serde(default)]
    pub tracks: Option<bool>,
    /// Pictures moved by hand.
    #[serde(default)]
    pub seats: Vec<SeatAt>,
    /// One comes near for a time, and the others move.
    #[serde(default)]
    pub select: Option<Selected>,
}

/// A picture's place, in thousandths: `x` from -1000 (left) to 1000 (right), `y` from 0 (front) to 1000 (back).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeatAt {
    pub leg: LegId,
    pub x: i16,
    pub y: i16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Selected {
    pub leg: LegId,
    pub near_ms: u32,
}

impl<S> MediaCommand<S> {
    /// The leg that carries the command out; of a recording the left one.
    pub fn leg(&self) -> Option<LegId> {
        match self {
            Self::Open { leg, .. }
            | Self::Plan { leg, .. }
            | Self::Close { leg }
            | Self::Hear { leg, .. }
            | Self::Speak { leg, .. }
            | Self::Mute { leg, .. }
            | Self::Play { leg, .. }
            | Self::Stop { leg, .. }
            | Self::SendDigits { leg, .. }
            | Self::Peer { leg, .. }
            | Self::Seats { leg, .. }
            | Self::Record { left: leg, .. } => Some(*leg),
            Self::PauseRecording { .. } | Self::StopRecording { .. } => None,
        }
    }
}

/// How a leg sounded, from RTP and RTCP.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Quality {
    pub packets_received: u64,
    pub packets_lost: u64,
    pub packets_sent: u64,
    pub jitter_ms: f32,
    /// Round trip by RTCP, when the far side sends reports.
    pub rtt_ms: Option<f32>,
    /// Estimate by the E-model (ITU-T G.107 simplified), 1.0 to 4.5.
    pub mos: f32,
    /// What the far side told of us.
    pub remote_loss_pct: Option<f32>,
}

/// Worker to engine.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaEvent {
    /// First packet from the far side.
    Flowing { leg: LegId },
    Digit {
        leg: LegId,
        digit: char,
        duration_ms: u32,
    },
    PlaybackEnded {
        leg: LegId,
        playback: PlaybackId,
        interrupted: bool,
    },
    /// Nothing received for the limit although the plan says we receive.
    Silent { leg: LegId, silent_ms: u64 },
    /// ICMP port or host unreachable came back, repeatedly.
    Unreachable { leg: LegId },
    Quality {
        leg: LegId,
        quality: Quality,
        last: bool,
    },
    RecordingEnded {
        recording: RecordingId,
        duration_ms: u64,
        error: Option<String>,
    },
    /// Bound ports the engine may use from now on.
    Ports { ports: Vec<PortPair> },
    /// About a browser's peer connection.
    Peer { leg: LegId, said: PeerSaid },
    /// No more ports can be bound (range or file descriptors used up).
    PortsExhausted { worker: u16 },
}
