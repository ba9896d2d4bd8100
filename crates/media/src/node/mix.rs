//! Mixes: voices summed once per rate, each hearer given the sum without its own voice, and one
//! encoding for all who hear the plain sum in the same codec.

use super::Slot;
use crate::codec::Encoder;
use crate::resample::{Filters, Resampler};
use cp_vocab::media::Codec;
use cp_vocab::{MixId, Timestamp};
use smallvec::SmallVec;

/// Rates of voices and encoders at most: 8 kHz, 16 kHz and the rate of Opus.
const RATES_MAX: usize = 3;

/// Sums at one rate.
struct Bus {
    rate_hz: u32,
    /// Voices of this rate.
    sum: Vec<i32>,
    /// Voices of all rates.
    total: Vec<i32>,
    /// To the other rates, made when first needed.
    to: SmallVec<[(u32, Resampler); 2]>,
    /// Whether any voice of this rate was added this frame; one more frame is resampled for the tail.
    voiced: bool,
    was_voiced: bool,
}

/// One encoding of the plain sum.
struct Shared {
    codec: Codec,
    encoder: Encoder,
    bytes: Vec<u8>,
    made: u64,
}

pub(crate) struct Mix {
    pub(crate) id: MixId,
    pub(crate) phase: u8,
    pub(crate) speakers: Vec<Slot>,
    pub(crate) hearers: Vec<Slot>,
    buses: SmallVec<[Bus; RATES_MAX]>,
    shared: SmallVec<[Shared; 2]>,
    count: u64,
    /// Voices in this frame.
    voices: u32,
    /// Whose picture the others see, who had it before, and since when.
    pub(crate) stage: [Option<Slot>; 2],
    pub(crate) stage_since: Timestamp,
}

impl Mix {
    pub(crate) fn new(id: MixId, phase: u8) -> Self {
        Self {
            id,
            phase,
            speakers: Vec::new(),
            hearers: Vec::new(),
            buses: SmallVec::new(),
            shared: SmallVec::new(),
            count: 0,
            voices: 0,
            stage: [None; 2],
            stage_since: Timestamp::default(),
        }
    }

    /// Whose picture a hearer sees: nobody sees themselves.
    pub(crate) fn seen_by(&self, hearer: Slot) -> Option<Slot> {
        let mut seen = self.stage.iter().flatten().copied();
        seen.find(|s| *s != hearer && self.speakers.contains(s))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.speakers.is_empty() && self.hearers.is_empty()
    }

    /// Whether nobody spoke in this frame.
    pub(crate) fn is_silent(&self) -> bool {
        self.voices == 0
    }

    fn bus(&mut self, rate_hz: u32) -> &mut Bus {
        let index = match self.buses.iter().position(|b| b.rate_hz == rate_hz) {
            Some(i) => i,
            None => {
                let len = (rate_hz / 50) as usize;
                self.buses.push(Bus {
                    rate_hz,
                    sum: vec![0; len],
                    total: vec![0; len],
                    to: SmallVec::new(),
                    voiced: false,
                    was_voiced: false,
                });
                self.buses.len() - 1
            }
        };
        &mut self.buses[index]
    }

    /// A new frame begins.
    pub(crate) fn clear(&mut self) {
        self.count += 1;
        self.voices = 0;
        for b in &mut self.buses {
            b.sum.fill(0);
            b.was_voiced = b.voiced;
            b.voiced = false;
        }
    }

    /// Adds one voice.
    pub(crate) fn add(&mut self, rate_hz: u32, frame: &[i16]) {
        self.voices += 1;
        let bus = self.bus(rate_hz);
        bus.voiced = true;
        for (a, s) in bus.sum.iter_mut().zip(frame) {
            *a += i32::from(*s);
        }
    }

    /// All voices are in: makes the totals of the rates `wanted`.
    pub(crate) fn finish(&mut self, wanted: &[u32], filters: &mut Filters, scratch: &mut Vec<i32>) {
        for rate in wanted {
            self.bus(*rate);
        }
        for i in 0..self.buses.len() {
            let bus = &mut self.buses[i];
            bus.total.copy_from_slice(&bus.sum);
        }
        for from in 0..self.buses.len() {
            if !self.buses[from].voiced && !self.buses[from].was_voiced {
                continue;
            }
            for to in 0..self.buses.len() {
                let rate_hz = self.buses[to].rate_hz;
                if to == from || !wanted.contains(&rate_hz) {
                    continue;
                }
                let bus = &mut self.buses[from];
                if !bus.to.iter().any(|(r, _)| *r == rate_hz) {
                    bus.to
                        .push((rate_hz, filters.resampler(bus.rate_hz, rate_hz)));
                }
                scratch.clear();
                for (r, resampler) in &mut bus.to {
                    if *r == rate_hz {
                        resampler.process_sums(&bus.sum, scratch);
                    }
                }
                for (t, s) in self.buses[to].total.iter_mut().zip(scratch.iter()) {
                    *t += *s;
                }
            }
        }
    }

    /// Sum of all voices at a rate that was wanted.
    pub(crate) fn total(&self, rate_hz: u32) -> &[i32] {
        self.buses
            .iter()
            .find(|b| b.rate_hz == rate_hz)
            .map_or(&[], |b| &b.total)
    }

    /// The plain sum encoded, once per frame and codec.
    pub(crate) fn encoded(
        &mut self,
        codec: Codec,
        opus_rate_hz: u32,
        pcm: &mut Vec<i16>,
    ) -> Option<&[u8]> {
        let index = match self.shared.iter().position(|s| s.codec == codec) {
            Some(i) => i,
            None => {
                self.shared.push(Shared {
                    codec,
                    encoder: Encoder::new(codec, opus_rate_hz).ok()?,
                    bytes: Vec::new(),
                    made: 0,
                });
                self.shared.len() - 1
            }
        };
        if self.shared[index].made != self.count {
            let rate = self.shared[index].encoder.rate_hz();
            clamp(self.total(rate), pcm);
            let shared = &mut self.shared[index];
            shared.bytes.clear();
            shared.encoder.encode(pcm, &mut shared.bytes).ok()?;
            shared.made = self.count;
        }
        Some(&self.shared[index].bytes)
    }
}

/// Sums as samples, limited to 16 bits.
pub(crate) fn clamp(sums: &[i32], out: &mut Vec<i16>) {
    out.clear();
    out.extend(sums.iter().map(|s| (*s).clamp(-32_768, 32_767) as i16));
}
