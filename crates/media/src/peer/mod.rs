//! A browser's peer connection (ICE, DTLS, SRTP, its SDP) as a node sees it: a transport below a
//! leg. RTP goes in and out in the clear; who is heard, mixed or recorded is decided above, as for
//! any other leg. [`rtc`] implements it on str0m; nothing else in this crate knows that library.

pub mod rtc;
pub mod stun;

use cp_vocab::Timestamp;
use cp_vocab::media::Codec;
use smallvec::SmallVec;
use std::net::SocketAddr;

/// Where a peer connection is reached: what candidates are made of.
#[derive(Clone, Debug, Default)]
pub struct PeerAddresses {
    /// Advertised addresses of the worker's one UDP socket.
    pub udp: Vec<SocketAddr>,
    /// Advertised addresses of its TCP listener (passive candidates); empty: no TCP.
    pub tcp: Vec<SocketAddr>,
}

/// Makes peer connections that share one certificate and the worker's ports.
pub trait PeerMaker: Send {
    fn make(&self, now: Timestamp) -> Box<dyn Peer>;
}

/// One peer connection. Time is an argument; [`Peer::drain`] is to be called after each other call.
pub trait Peer: Send {
    /// Their offer; gives our answer. Nothing changes on an error.
    ///
    /// # Errors
    /// [`PeerError`] when it cannot be read or has nothing in it that we can do.
    fn take_offer(&mut self, sdp: &str) -> Result<String, PeerError>;
    /// Our offer: audio, and video when the far side asked for some before.
    ///
    /// # Errors
    /// [`PeerError::State`] when there is nothing to offer.
    fn make_offer(&mut self) -> Result<String, PeerError>;
    /// Their answer to our last offer.
    ///
    /// # Errors
    /// As [`Peer::take_offer`]; [`PeerError::State`] without an open offer.
    fn take_answer(&mut self, sdp: &str) -> Result<(), PeerError>;
    /// A candidate that came by signalling.
    ///
    /// # Errors
    /// [`PeerError::Candidate`].
    fn add_candidate(&mut self, candidate: &str) -> Result<(), PeerError>;
    /// What was agreed, once it was.
    fn agreed(&self) -> Option<&Agreed>;
    /// Our ICE user fragment: STUN requests name it. Changes with an ICE restart.
    fn ufrag(&mut self) -> String;
    /// A datagram that may be for this peer. `false`: it is not (authenticated STUN only, until an
    /// address is known), and nothing changed.
    fn receive(&mut self, now: Timestamp, tcp: bool, from: SocketAddr, bytes: &[u8]) -> bool;
    /// RTP to send, in the clear. Lost while not connected.
    fn send(&mut self, now: Timestamp, packet: &Outgoing<'_>);
    /// Ask the far side for a whole picture.
    fn request_picture(&mut self);
    /// Time has come to [`Peer::drain`]'s answer, or something was sent.
    fn advance(&mut self, now: Timestamp);
    /// Say goodbye.
    fn close(&mut self, now: Timestamp);
    /// Hands out everything that came up; when to [`Peer::advance`] at the latest.
    fn drain(&mut self, out: &mut dyn FnMut(PeerOutput<'_>)) -> Timestamp;
}

/// What comes out of a peer.
#[derive(Debug)]
pub enum PeerOutput<'a> {
    Send {
        tcp: bool,
        to: SocketAddr,
        bytes: &'a [u8],
    },
    Packet(Incoming),
    /// DTLS is through: media can flow.
    Connected,
    /// The far side wants a whole picture.
    PictureWanted,
    /// The far side closed it, or it failed for good.
    Closed,
}

/// One RTP packet from the browser, decrypted.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub video: bool,
    pub payload_type: u8,
    pub marker: bool,
    /// Extended: never wraps.
    pub sequence: u64,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: std::sync::Arc<[u8]>,
}

/// Voices that may have a line of their own; who hears more hears them mixed. A description of so many
/// lines still fits [`cp_vocab::web::SDP_BYTES_MAX`].
pub const TRACKS_MAX: usize = 12;

/// Which of a browser's m-lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    Audio,
    Video,
    /// A voice alone: its place in [`Agreed::tracks`].
    Track(u8),
}

/// One RTP packet to the browser. Its SSRC is the peer's own.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub line: Line,
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub payload: &'a [u8],
}

/// Outcome of a negotiation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    pub codec: Codec,
    pub payload_type: u8,
    /// RFC 4733 payload types with their clock in Hz, the best first.
    pub events: SmallVec<[(u8, u32); 2]>,
    pub send: bool,
    pub receive: bool,
    pub video: Option<AgreedVideo>,
    /// They play two channels (RFC 7587 `stereo=1`).
    pub stereo: bool,
    /// Audio lines beyond the first.
    pub tracks: Vec<TrackLine>,
}

/// A line on which a browser can be sent one voice alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackLine {
    /// `a=mid` of it.
    pub mid: String,
    pub send: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgreedVideo {
    /// Payload types with what they carry, the best first.
    pub formats: SmallVec<[(u8, VideoFormat); 4]>,
    pub send: bool,
    pub receive: bool,
}

/// What a forwarded video packet is; equal formats need no transcoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VideoFormat {
    Vp8,
    /// Packetisation mode, and profile without the level (RFC 6184 8.1).
    H264 {
        mode: u8,
        profile: u16,
    },
}

/// Why a description or candidate was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeerError {
    #[error("the SDP cannot be read: {0}")]
    Malformed(String),
    #[error("no audio line with ICE and DTLS in it: {0}")]
    NoAudio(String),
    #[error("no audio codec in common: we speak Opus, PCMU and PCMA")]
    NoCodec,
    #[error("the candidate cannot be read: {0}")]
    Candidate(String),
    #[error("this does not fit the state of the negotiation: {0}")]
    State(&'static str),
    #[error("too many browser legs on this server at the moment")]
    Busy,
    #[error("this server has no port for browsers")]
    Off,
}

impl PeerError {
    /// Stable code, as in docs/webrtc.md.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "sdp_malformed",
            Self::NoAudio(_) => "sdp_no_audio",
            Self::NoCodec => "sdp_no_codec",
            Self::Candidate(_) => "candidate_malformed",
            Self::State(_) => "wrong_state",
            Self::Busy => "busy_worker",
            Self::Off => "webrtc_off",
        }
    }
}
