//! A leg's outgoing audio: from samples or ready bytes to packets of the agreed length.

use super::leg::Leg;
use super::outbox::Outbox;
use super::receive::send_rtp;
use crate::codec::{Encoder, working_rate_hz};
use crate::comfort;
use crate::rtp::Header;
use cp_vocab::Timestamp;
use cp_vocab::media::{Codec, MediaPlan};

/// Silent frames after which comfort noise takes over, when agreed (200 ms).
const SILENCE_FRAMES: u32 = 10;
/// Frames between comfort noise packets (500 ms).
const NOISE_EVERY: u32 = 25;

/// What a leg is to hear in one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    /// 20 ms encoded for this leg's codec are in the work space.
    Encoded,
    /// 20 ms of samples at the leg's rate are in the work space.
    Pcm,
    Silence,
}

/// Space reused by all legs of a node.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) sums: Vec<i32>,
    pub(crate) pcm: Vec<i16>,
    pub(crate) bytes: Vec<u8>,
    /// Plain form of a packet on its way to a cipher.
    pub(crate) plain: Vec<u8>,
}

/// Encoder and packetiser of one leg.
pub(crate) struct Egress {
    codec: Codec,
    encoder: Encoder,
    /// Encoded bytes that do not fill a packet yet (all codecs but Opus carry 8 bytes per ms).
    bytes: Vec<u8>,
    /// Samples that do not fill an Opus frame yet.
    samples: Vec<i16>,
    silent: u32,
    /// Frames since this leg's own voice was last taken out of what it hears.
    pub(crate) since_own: u32,
}

/// Milliseconds of audio per packet: what the plan says when we can make it, 20 otherwise.
pub(crate) fn packet_ms(plan: &MediaPlan) -> u32 {
    match (plan.codec, plan.ptime_ms) {
        (Codec::Opus, 30) => 20,
        (_, ms @ (10 | 20 | 30 | 40 | 60)) => u32::from(ms),
        _ => 20,
    }
}

/// The byte of silence of a G.711 law.
fn silence_byte(codec: Codec) -> Option<u8> {
    match codec {
        Codec::Pcmu => Some(0xff),
        Codec::Pcma => Some(0xd5),
        Codec::G722 | Codec::Opus => None,
    }
}

impl Egress {
    fn new(codec: Codec, opus_rate_hz: u32) -> Option<Self> {
        Some(Self {
            codec,
            encoder: Encoder::new(codec, opus_rate_hz).ok()?,
            bytes: Vec::new(),
            samples: Vec::new(),
            silent: 0,
            since_own: u32::MAX,
        })
    }

    /// The leg's egress, made anew when the codec changed.
    pub(crate) fn of(
        slot: &mut Option<Box<Self>>,
        codec: Codec,
        opus_rate_hz: u32,
    ) -> Option<&mut Self> {
        if slot.as_ref().is_none_or(|e| e.codec != codec) {
            *slot = Self::new(codec, opus_rate_hz).map(Box::new);
        }
        slot.as_deref_mut()
    }
}

/// Sends one frame of a leg, or keeps it until a packet is full. Returns how many packets went.
pub(crate) fn deliver(
    leg: &mut Leg,
    now: Timestamp,
    frame: Frame,
    opus_rate_hz: u32,
    work: &mut Work,
    outbox: &mut Outbox,
) -> u64 {
    let Some(plan) = &leg.plan else {
        return 0;
    };
    let (codec, clock_hz) = (plan.codec, plan.codec.clock_hz());
    let (payload_type, noise_agreed) = (plan.payload_type_send, plan.comfort_noise);
    let ms = packet_ms(plan);
    let frame_units = clock_hz / 50;
    if frame == Frame::Encoded && ms == 20 {
        if let Some(e) = &mut leg.egress {
            e.silent = 0;
        }
        return send(
            leg,
            now,
            payload_type,
            frame_units,
            Piece::Work,
            work,
            outbox,
        );
    }
    let mut egress = leg.egress.take();
    let mut sent = 0;
    if let Some(e) = Egress::of(&mut egress, codec, opus_rate_hz) {
        e.silent = if frame == Frame::Silence {
            e.silent + 1
        } else {
            0
        };
        let over = e.silent.saturating_sub(SILENCE_FRAMES);
        if noise_agreed && over > 0 && silence_byte(codec).is_some() {
            if over % NOISE_EVERY == 1 {
                work.bytes.clear();
                work.bytes.push(comfort::SILENCE_LEVEL);
                let kind = comfort::PAYLOAD_TYPE;
                sent = send(leg, now, kind, frame_units, Piece::Work, work, outbox);
            } else {
                leg.sender.skip(frame_units);
            }
            e.bytes.clear();
        } else {
            sent = e.encode_and_send(leg, now, frame, ms, work, outbox, payload_type);
        }
    }
    leg.egress = egress;
    sent
}

impl Egress {
    #[allow(clippy::too_many_arguments)] // one frame's facts
    fn encode_and_send(
        &mut self,
        leg: &mut Leg,
        now: Timestamp,
        frame: Frame,
        ms: u32,
        work: &mut Work,
        outbox: &mut Outbox,
        payload_type: u8,
    ) -> u64 {
        let units = self.codec.clock_hz() / 1_000 * ms;
        let rate_hz = self.encoder.rate_hz();
        if frame == Frame::Silence {
            work.pcm.clear();
            work.pcm.resize((rate_hz / 50) as usize, 0);
        }
        if ms == 20 {
            work.bytes.clear();
            let done = match (frame, silence_byte(self.codec)) {
                (Frame::Silence, Some(b)) => {
                    work.bytes.resize(160, b);
                    true
                }
                _ => self.encoder.encode(&work.pcm, &mut work.bytes).is_ok(),
            };
            if !done {
                return 0;
            }
            return send(leg, now, payload_type, units, Piece::Work, work, outbox);
        }
        let mut sent = 0;
        if self.codec == Codec::Opus {
            self.samples.extend_from_slice(&work.pcm);
            let len = (rate_hz / 1_000 * ms) as usize;
            while self.samples.len() >= len {
                work.bytes.clear();
                let done = self.encoder.encode(&self.samples[..len], &mut work.bytes);
                self.samples.drain(..len);
                if done.is_ok() {
                    sent += send(leg, now, payload_type, units, Piece::Work, work, outbox);
                }
            }
            return sent;
        }
        if self.encoder.encode(&work.pcm, &mut self.bytes).is_err() {
            return 0;
        }
        let len = 8 * ms as usize;
        let mut at = 0;
        while self.bytes.len() - at >= len {
            let piece = Piece::Bytes(&self.bytes[at..at + len]);
            sent += send(leg, now, payload_type, units, piece, work, outbox);
            at += len;
        }
        self.bytes.drain(..at);
        sent
    }
}

enum Piece<'a> {
    /// The bytes in the work space.
    Work,
    Bytes(&'a [u8]),
}

fn send(
    leg: &mut Leg,
    now: Timestamp,
    payload_type: u8,
    units: u32,
    piece: Piece<'_>,
    work: &mut Work,
    outbox: &mut Outbox,
) -> u64 {
    let Some(to) = leg.destination() else {
        return 0;
    };
    let Some(codec) = leg.plan.as_ref().map(|p| p.codec) else {
        return 0;
    };
    let numbers = leg.sender.own(now, codec.clock_hz(), units);
    let header = Header {
        marker: numbers.fresh,
        payload_type,
        sequence: numbers.sequence,
        timestamp: numbers.timestamp,
        ssrc: leg.sender.ssrc,
    };
    let payload = match &piece {
        Piece::Work => work.bytes.as_slice(),
        Piece::Bytes(b) => b,
    };
    u64::from(send_rtp(outbox, &mut work.plain, leg, to, header, payload))
}

/// Rate at which a plan's audio is made, in Hz.
pub(crate) fn rate_of(plan: &MediaPlan, opus_rate_hz: u32) -> u32 {
    working_rate_hz(plan.codec, opus_rate_hz)
}
