//! Codecs behind two enums: bytes to samples and back. Opus runs at a rate of our choice, since
//! wideband (16 kHz) costs a third of full band and the telephone network carries no more.

use crate::error::MediaError;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::pcma::{PcmaDecoder, PcmaEncoder};
use audio_codec::pcmu::{PcmuDecoder, PcmuEncoder};
use audio_codec::{Decoder as _, Encoder as _};
use cp_vocab::media::Codec;

/// Longest packet we decode, in ms of audio (Opus allows 120).
pub const PACKET_MS_MAX: usize = 120;
/// Opus bit rate we send, in bit/s.
const OPUS_BITRATE: i32 = 32_000;
/// Encoder effort 0 to 10; measured as the best value at our cost.
const OPUS_COMPLEXITY: i32 = 5;
/// Largest Opus packet we make, in bytes.
const OPUS_PACKET_MAX: usize = 400;

/// Rate at which we decode and encode `codec`, in Hz.
pub fn working_rate_hz(codec: Codec, opus_rate_hz: u32) -> u32 {
    if codec == Codec::Opus {
        opus_rate_hz
    } else {
        codec.sample_rate_hz()
    }
}

/// Incoming codec state.
pub enum Decoder {
    Pcmu(PcmuDecoder),
    Pcma(PcmaDecoder),
    G722(Box<G722Decoder>),
    Opus { state: opus::Decoder, rate_hz: u32 },
}

impl Decoder {
    /// # Errors
    /// [`MediaError::Codec`] when libopus refuses the rate.
    pub fn new(codec: Codec, opus_rate_hz: u32) -> Result<Self, MediaError> {
        Ok(match codec {
            Codec::Pcmu => Self::Pcmu(PcmuDecoder::new()),
            Codec::Pcma => Self::Pcma(PcmaDecoder::new()),
            Codec::G722 => Self::G722(Box::new(G722Decoder::new())),
            Codec::Opus => Self::Opus {
                state: opus::Decoder::new(opus_rate_hz, opus::Channels::Mono)
                    .map_err(|_| refused("opus", "decoder"))?,
                rate_hz: opus_rate_hz,
            },
        })
    }

    /// Sample rate of what [`Decoder::decode`] gives, in Hz.
    pub fn rate_hz(&self) -> u32 {
        match self {
            Self::Pcmu(_) | Self::Pcma(_) => 8_000,
            Self::G722(_) => 16_000,
            Self::Opus { rate_hz, .. } => *rate_hz,
        }
    }

    fn longest(&self) -> usize {
        self.rate_hz() as usize / 1_000 * PACKET_MS_MAX
    }

    /// Appends the samples of one payload and returns how many.
    ///
    /// # Errors
    /// [`MediaError::Payload`] for an empty, oversized or undecodable payload.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, MediaError> {
        let at = out.len();
        let longest = self.longest();
        let (name, per_byte) = match self {
            Self::Pcmu(_) => ("PCMU", 1),
            Self::Pcma(_) => ("PCMA", 1),
            Self::G722(_) => ("G722", 2),
            Self::Opus { .. } => ("opus", 0),
        };
        if payload.is_empty() || payload.len() * per_byte > longest {
            return Err(MediaError::Payload(name));
        }
        let room = if per_byte == 0 {
            longest
        } else {
            payload.len() * per_byte
        };
        out.resize(at + room, 0);
        let space = &mut out[at..];
        let done = match self {
            Self::Pcmu(d) => d.decode_into(payload, space).ok(),
            Self::Pcma(d) => d.decode_into(payload, space).ok(),
            Self::G722(d) => d.decode_frame_into(payload, space).ok(),
            Self::Opus { state, .. } => state.decode(payload, space, false).ok(),
        };
        out.truncate(at + done.unwrap_or(0));
        done.ok_or(MediaError::Payload(name))
    }

    /// Appends `samples` that stand for a lost packet, when the codec can conceal by itself (Opus):
    /// from the redundancy in the packet after it, or by its own extrapolation.
    pub fn conceal(&mut self, samples: usize, next: Option<&[u8]>, out: &mut Vec<i16>) -> bool {
        let Self::Opus { state, .. } = self else {
            return false;
        };
        let at = out.len();
        out.resize(at + samples, 0);
        let done = match next {
            Some(bytes) => state.decode(bytes, &mut out[at..], true),
            None => state.decode(&[], &mut out[at..], false),
        };
        match done {
            Ok(n) if n == samples => true,
            _ => {
                out.truncate(at);
                false
            }
        }
    }
}

/// Outgoing codec state.
pub enum Encoder {
    Pcmu(PcmuEncoder),
    Pcma(PcmaEncoder),
    G722(Box<G722Encoder>),
    Opus { state: opus::Encoder, rate_hz: u32 },
}

impl Encoder {
    /// # Errors
    /// [`MediaError::Codec`] when libopus refuses the rate or a setting.
    pub fn new(codec: Codec, opus_rate_hz: u32) -> Result<Self, MediaError> {
        Ok(match codec {
            Codec::Pcmu => Self::Pcmu(PcmuEncoder::new()),
            Codec::Pcma => Self::Pcma(PcmaEncoder::new()),
            Codec::G722 => Self::G722(Box::new(G722Encoder::new())),
            Codec::Opus => {
                let make = || -> opus::Result<opus::Encoder> {
                    let mut e = opus::Encoder::new(
                        opus_rate_hz,
                        opus::Channels::Mono,
                        opus::Application::LowDelay,
                    )?;
                    e.set_complexity(OPUS_COMPLEXITY)?;
                    e.set_bitrate(opus::Bitrate::Bits(OPUS_BITRATE))?;
                    Ok(e)
                };
                Self::Opus {
                    state: make().map_err(|_| refused("opus", "encoder"))?,
                    rate_hz: opus_rate_hz,
                }
            }
        })
    }

    /// Sample rate of what [`Encoder::encode`] takes, in Hz.
    pub fn rate_hz(&self) -> u32 {
        match self {
            Self::Pcmu(_) | Self::Pcma(_) => 8_000,
            Self::G722(_) => 16_000,
            Self::Opus { rate_hz, .. } => *rate_hz,
        }
    }

    /// Appends the encoded form of `samples` (for Opus one frame of 10, 20, 40 or 60 ms).
    ///
    /// # Errors
    /// [`MediaError::Codec`] when the codec refuses the length.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Result<usize, MediaError> {
        let at = out.len();
        let room = match self {
            Self::Opus { .. } => OPUS_PACKET_MAX,
            _ => samples.len(),
        };
        out.resize(at + room, 0);
        let space = &mut out[at..];
        let done = match self {
            Self::Pcmu(e) => e.encode_into(samples, space).ok(),
            Self::Pcma(e) => e.encode_into(samples, space).ok(),
            Self::G722(e) => e.encode_into(samples, space).ok(),
            Self::Opus { state, .. } => state.encode(samples, space).ok(),
        };
        out.truncate(at + done.unwrap_or(0));
        done.ok_or(refused("encoder", "frame"))
    }
}

/// Rate of the stereo picture, in Hz: direction is in the high frequencies.
pub const STEREO_RATE_HZ: u32 = 48_000;
/// Bit rate of the picture, both ears together.
const STEREO_BITRATE: i32 = 64_000;
const STEREO_PACKET_MAX: usize = 800;

/// Opus in two channels at 48 kHz.
pub struct StereoEncoder(opus::Encoder);

impl StereoEncoder {
    /// # Errors
    /// [`MediaError::Codec`] when libopus refuses a setting.
    pub fn new() -> Result<Self, MediaError> {
        let make = || -> opus::Result<opus::Encoder> {
            let (stereo, application) = (opus::Channels::Stereo, opus::Application::LowDelay);
            let mut e = opus::Encoder::new(STEREO_RATE_HZ, stereo, application)?;
            e.set_complexity(OPUS_COMPLEXITY)?;
            e.set_bitrate(opus::Bitrate::Bits(STEREO_BITRATE))?;
            Ok(e)
        };
        make().map(Self).map_err(|_| refused("opus", "encoder"))
    }

    /// Appends the encoded form of 20 ms, left and right interleaved.
    ///
    /// # Errors
    /// [`MediaError::Codec`] when the codec refuses the length.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Result<usize, MediaError> {
        let at = out.len();
        out.resize(at + STEREO_PACKET_MAX, 0);
        let done = self.0.encode(samples, &mut out[at..]).ok();
        out.truncate(at + done.unwrap_or(0));
        done.ok_or(refused("encoder", "frame"))
    }
}

fn refused(codec: &'static str, what: &'static str) -> MediaError {
    MediaError::Codec { codec, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure;

    const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    #[test]
    fn every_codec_carries_a_tone() {
        for codec in ALL {
            let rate = working_rate_hz(codec, 16_000);
            let frame = rate as usize / 50;
            let mut encoder = Encoder::new(codec, 16_000).unwrap();
            let mut decoder = Decoder::new(codec, 16_000).unwrap();
            let tone = measure::sine(1_000.0, 8_000.0, rate, frame * 50);
            let mut heard = Vec::new();
            for f in tone.chunks(frame) {
                let mut bytes = Vec::new();
                encoder.encode(f, &mut bytes).unwrap();
                assert_eq!(decoder.decode(&bytes, &mut heard).unwrap(), frame);
            }
            let snr = measure::tone_snr_db(&heard[frame * 10..], 1_000.0, rate);
            assert!(snr > 20.0, "{codec:?}: {snr} dB");
        }
    }

    #[test]
    fn bad_payloads_are_refused_and_the_next_decodes() {
        for codec in ALL {
            let mut decoder = Decoder::new(codec, 16_000).unwrap();
            let mut out = Vec::new();
            for bad in [vec![], vec![0xff; 1_400]] {
                if codec == Codec::Opus && !bad.is_empty() {
                    continue; // any length may be Opus
                }
                let e = decoder.decode(&bad, &mut out).unwrap_err();
                assert_eq!(e.code(), "payload_undecodable", "{codec:?}");
                assert!(out.is_empty());
            }
            if codec == Codec::Opus {
                assert!(decoder.decode(&[0xff, 0xff, 0xff], &mut out).is_err());
            }
            let rate = decoder.rate_hz() as usize;
            let mut bytes = Vec::new();
            Encoder::new(codec, 16_000)
                .unwrap()
                .encode(&vec![0; rate / 50], &mut bytes)
                .unwrap();
            assert_eq!(decoder.decode(&bytes, &mut out).unwrap(), rate / 50);
        }
    }
}
