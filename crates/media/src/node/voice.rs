//! A leg's incoming voice, decoded: one frame of 20 ms at a time, at whatever rate it is wanted.

use crate::dtmf::detect::Detector;
use crate::error::MediaError;
use crate::jitter::Playout;
use crate::resample::{Filters, Resampler};
use cp_vocab::Timestamp;
use cp_vocab::media::Codec;
use smallvec::SmallVec;

/// Mean square below which a frame counts as quiet (-60 dBFS).
const QUIET_POWER: i64 = 32 * 32;
/// Mean square above which a frame counts as speech (-45 dBFS), and frames it counts on (300 ms).
const SPEECH_POWER: i64 = 184 * 184;
const SPEECH_FRAMES: u32 = 15;
/// Quiet frames after which a voice is left out of mixes: half a second keeps word endings.
const QUIET_FRAMES: u32 = 25;

struct Copy {
    rate_hz: u32,
    resampler: Resampler,
    frame: Vec<i16>,
    /// Frame number it was made for.
    made: u64,
}

pub(crate) struct Voice {
    pub(crate) playout: Playout,
    /// In-band digits, on legs without telephone events.
    pub(crate) detector: Option<Box<Detector>>,
    pub(crate) frame: Vec<i16>,
    /// Whether the frame holds something to hear.
    pub(crate) voiced: bool,
    quiet: u32,
    /// Frames it still counts as speaking.
    speech: u32,
    /// Mean square, smoothed over about 300 ms.
    power: i64,
    count: u64,
    copies: SmallVec<[Copy; 1]>,
    /// The mix this frame was added to, by its number.
    pub(crate) mixed_into: Option<u32>,
}

impl Voice {
    pub(crate) fn new(codec: Codec, opus_rate_hz: u32, seed: u32) -> Result<Self, MediaError> {
        Ok(Self {
            playout: Playout::new(codec, opus_rate_hz, seed)?,
            detector: None,
            frame: Vec::new(),
            voiced: false,
            quiet: 0,
            speech: 0,
            power: 0,
            count: 0,
            copies: SmallVec::new(),
            mixed_into: None,
        })
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.playout.rate_hz()
    }

    /// Takes the next frame out of the playout.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.voiced = self.playout.frame(now, &mut self.frame);
        self.count += 1;
        self.mixed_into = None;
        self.speech = self.speech.saturating_sub(1);
        let mut mean = 0;
        if self.voiced {
            let energy: i64 = self
                .frame
                .iter()
                .map(|s| i64::from(i32::from(*s) * i32::from(*s)))
                .sum();
            mean = energy / self.frame.len().max(1) as i64;
            if mean > SPEECH_POWER {
                self.speech = SPEECH_FRAMES;
            }
            if energy < QUIET_POWER * self.frame.len() as i64 {
                self.quiet = self.quiet.saturating_add(1);
            } else {
                self.quiet = 0;
            }
        }
        self.power += (mean - self.power) / 16;
    }

    /// Whether somebody speaks, for people to see.
    pub(crate) fn is_speaking(&self) -> bool {
        self.speech > 0
    }

    /// How loud it has been lately.
    pub(crate) fn power(&self) -> i64 {
        self.power
    }

    /// Whether the voice is worth adding to a mix.
    pub(crate) fn speaks(&self) -> bool {
        self.voiced && self.quiet < QUIET_FRAMES
    }

    /// The frame at a rate, resampled once however many want it.
    pub(crate) fn at_rate(&mut self, rate_hz: u32, filters: &mut Filters) -> &[i16] {
        let own = self.playout.rate_hz();
        if rate_hz == own {
            return &self.frame;
        }
        let index = match self.copies.iter().position(|c| c.rate_hz == rate_hz) {
            Some(i) => i,
            None => {
                self.copies.push(Copy {
                    rate_hz,
                    resampler: filters.resampler(own, rate_hz),
                    frame: Vec::new(),
                    made: 0,
                });
                self.copies.len() - 1
            }
        };
        let copy = &mut self.copies[index];
        if copy.made != self.count {
            if copy.made + 1 != self.count {
                copy.resampler.reset();
            }
            copy.frame.clear();
            copy.resampler.process(&self.frame, &mut copy.frame);
            copy.made = self.count;
        }
        &copy.frame
    }
}
