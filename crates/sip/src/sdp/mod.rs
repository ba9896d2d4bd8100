//! SDP offer/answer (RFC 3264, 8866, 4568) as pure functions: what we can, and what they said, in;
//! the text to send and the plan for the media leg out. One audio stream; everything else is refused
//! line by line, as RFC 3264 6 asks.

mod crypto;
mod describe;
mod negotiate;
mod parse;
#[cfg(test)]
mod tests;

use cp_vocab::media::{Codec, MediaPlan};
use std::net::SocketAddr;

/// Largest SDP we read, in bytes; beyond it is [`SdpError::TooLarge`].
pub const SDP_BYTES_MAX: usize = 16_384;
/// Most m-lines of one SDP; beyond it is [`SdpError::TooLarge`], since an answer must have them all.
pub const MEDIA_LINES_MAX: usize = 32;
/// Most formats of one m-line; beyond it is [`SdpError::TooLarge`].
pub const FORMATS_MAX: usize = 64;
/// Most rtpmap, and most crypto attributes of one m-line; further ones are not looked at.
pub const ATTRIBUTES_MAX: usize = 64;

/// How a leg treats SDES-SRTP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SrtpPolicy {
    /// Plain RTP only: an offer of RTP/SAVP is refused.
    Off,
    /// Best effort: we offer RTP/AVP with `a=crypto` and take SRTP wherever it is offered.
    #[default]
    Allow,
    /// RTP/SAVP only; plain RTP is refused.
    Require,
}

/// Our side of one audio stream.
#[derive(Clone)]
pub struct LocalMedia {
    /// Where we receive RTP, as the far side is to see it.
    pub rtp: SocketAddr,
    /// In order of our preference, which decides when we answer.
    pub codecs: Vec<Codec>,
    pub srtp: SrtpPolicy,
    /// Randomness from which the master keys of this leg are derived. The same for the life of the
    /// leg, so that a re-offer does not change the keys.
    pub srtp_key: [u8; 44],
    /// Whether we want to send, and to receive: both unless we put them on hold.
    pub send: bool,
    pub receive: bool,
    /// `o=` numbers; the version goes up with each new description (RFC 3264 8).
    pub session_id: u64,
    pub version: u64,
    /// Packet time we ask for, in ms.
    pub ptime_ms: u16,
}

/// Our answer and what it means for the media leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    pub sdp: String,
    pub plan: MediaPlan,
}

/// Why two descriptions do not come together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    #[error("SDP line {line} is malformed")]
    Malformed { line: usize },
    #[error("SDP is larger than we read")]
    TooLarge,
    #[error("no audio stream we could take")]
    NoAudio,
    #[error("no codec in common")]
    NoCodec,
    #[error("the media address cannot be used")]
    Address,
    #[error("SRTP is required here and was not offered")]
    SrtpRequired,
    #[error("SRTP was demanded and is off here, or no suite is in common")]
    SrtpRefused,
    #[error("the far side refused our audio stream")]
    Refused,
}

impl SdpError {
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed { .. } => "sdp_malformed",
            Self::TooLarge => "sdp_too_large",
            Self::NoAudio => "sdp_no_audio",
            Self::NoCodec => "sdp_no_codec",
            Self::Address => "sdp_address",
            Self::SrtpRequired => "sdp_srtp_required",
            Self::SrtpRefused => "sdp_srtp_refused",
            Self::Refused => "sdp_refused",
        }
    }

    /// The status to refuse an offer with.
    pub fn sip_status(self) -> u16 {
        match self {
            Self::Malformed { .. } => 400,
            Self::TooLarge => 413,
            _ => 488,
        }
    }
}

/// Our offer: one audio line.
pub fn offer(local: &LocalMedia) -> String {
    describe::offer(local)
}

/// Answers an offer. The far side's m-lines come back in their order; the audio line we take is the
/// first that fits, an SRTP one before a plain one unless SRTP is off.
pub fn answer(local: &LocalMedia, offer: &[u8]) -> Result<Answered, SdpError> {
    let session = parse::session(offer)?;
    let choice = negotiate::choose(local, &session)?;
    Ok(Answered {
        sdp: describe::answer(local, &session, &choice),
        plan: choice.plan,
    })
}

/// What came of our offer: `local` is what we offered, `answer` what came back.
pub fn complete(local: &LocalMedia, answer: &[u8]) -> Result<MediaPlan, SdpError> {
    let session = parse::session(answer)?;
    negotiate::complete(local, &session)
}
