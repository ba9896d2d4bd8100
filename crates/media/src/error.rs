//! What can be wrong with the bytes and plans this crate is given.

/// A typed refusal of input; [`MediaError::code`] is stable and used as a metric label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("RTP packet of {0} bytes is shorter than its header")]
    RtpTruncated(usize),
    #[error("RTP version is {0}, not 2")]
    RtpVersion(u8),
    #[error("RTP padding is longer than the payload")]
    RtpPadding,
    #[error("RTCP packet is malformed: {0}")]
    Rtcp(&'static str),
    #[error("SRTP keys do not fit the suite {0}")]
    SrtpKeys(&'static str),
    #[error("SRTP packet failed authentication or is malformed")]
    SrtpAuthentication,
    #[error("SRTP packet was seen before")]
    SrtpReplay,
    #[error("SRTP synchronisation sources are used up for this key")]
    SrtpSources,
    #[error("SRTP keystream is used up")]
    SrtpExhausted,
    #[error("payload does not decode as {0}")]
    Payload(&'static str),
    #[error("codec {codec} refused: {what}")]
    Codec {
        codec: &'static str,
        what: &'static str,
    },
    #[error("not a WAV file: {0}")]
    Wav(&'static str),
    #[error("WAV format is not supported: {0}")]
    WavFormat(&'static str),
}

impl MediaError {
    /// Stable word for metrics and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RtpTruncated(_) => "rtp_truncated",
            Self::RtpVersion(_) => "rtp_version",
            Self::RtpPadding => "rtp_padding",
            Self::Rtcp(_) => "rtcp_malformed",
            Self::SrtpKeys(_) => "srtp_keys",
            Self::SrtpAuthentication => "srtp_authentication",
            Self::SrtpReplay => "srtp_replay",
            Self::SrtpSources => "srtp_sources",
            Self::SrtpExhausted => "srtp_exhausted",
            Self::Payload(_) => "payload_undecodable",
            Self::Codec { .. } => "codec_refused",
            Self::Wav(_) => "wav_malformed",
            Self::WavFormat(_) => "wav_format",
        }
    }
}
