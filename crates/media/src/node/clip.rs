//! Sounds being played, resampled and encoded once for everybody who hears them.
//!
//! A clip grows as its furthest listener advances, so that a long prompt costs nothing at its start;
//! those who come after, and every round of a loop, find the bytes ready.

use crate::codec::Encoder;
use crate::error::MediaError;
use crate::resample::{Filters, Resampler};
use cp_vocab::media::{Codec, Samples};
use rustc_hash::FxHashMap;

/// Bytes kept for clips nobody plays; the longest unused go first. Clips in use are bounded by their
/// players.
const IDLE_BYTES_MAX: usize = 64 << 20;

pub(crate) type ClipIndex = u32;

/// One sound at one rate.
pub(crate) struct Clip {
    samples: Samples,
    rate_hz: u32,
    /// Resampled so far; unused when the sound has this rate already.
    resampled: Vec<i16>,
    resampler: Option<Resampler>,
    source_at: usize,
    /// Length at `rate_hz`.
    len: usize,
    encoded: Vec<Encoded>,
    users: u32,
    used_at: u64,
}

struct Encoded {
    codec: Codec,
    encoder: Encoder,
    bytes: Vec<u8>,
    /// End of each frame in `bytes`, for codecs whose frames have no fixed length.
    ends: Vec<u32>,
    /// Samples encoded so far.
    done: usize,
}

impl Clip {
    fn frame_len(&self) -> usize {
        (self.rate_hz / 50) as usize
    }

    /// Length in samples at the clip's rate.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn bytes_held(&self) -> usize {
        self.samples.data.len() * 2
            + self.resampled.capacity() * 2
            + self
                .encoded
                .iter()
                .map(|e| e.bytes.capacity())
                .sum::<usize>()
    }

    /// Makes samples up to `end` ready.
    fn prepare(&mut self, end: usize) {
        let end = end.min(self.len);
        let Some(resampler) = &mut self.resampler else {
            return;
        };
        let step = (self.samples.rate_hz / 50).max(1) as usize;
        while self.resampled.len() < end {
            let data = &self.samples.data;
            let to = (self.source_at + step).min(data.len());
            if self.source_at < data.len() {
                resampler.process(&data[self.source_at..to], &mut self.resampled);
                self.source_at = to;
            } else {
                // The filter's delay: silence pushes the last samples out.
                resampler.process(&vec![0; step], &mut self.resampled);
            }
        }
    }

    /// Samples from `at`, at most `count`, fewer at the end.
    pub(crate) fn pcm(&mut self, at: usize, count: usize) -> &[i16] {
        let end = (at + count).min(self.len);
        self.prepare(end);
        let all: &[i16] = if self.resampler.is_some() {
            &self.resampled
        } else {
            &self.samples.data
        };
        all.get(at..end).unwrap_or(&[])
    }

    fn encoded(&mut self, codec: Codec, opus_rate_hz: u32, end: usize) -> Option<usize> {
        let index = match self.encoded.iter().position(|e| e.codec == codec) {
            Some(i) => i,
            None => {
                self.encoded.push(Encoded {
                    codec,
                    encoder: Encoder::new(codec, opus_rate_hz).ok()?,
                    bytes: Vec::new(),
                    ends: Vec::new(),
                    done: 0,
                });
                self.encoded.len() - 1
            }
        };
        let frame = self.frame_len();
        let mut pcm = Vec::new();
        while self.encoded[index].done < end {
            let done = self.encoded[index].done;
            pcm.clear();
            pcm.extend_from_slice(self.pcm(done, frame));
            if !is_bytewise(codec) {
                // Whole frames only: the last one is filled up with silence.
                pcm.resize(frame, 0);
            }
            if pcm.is_empty() {
                break;
            }
            let e = &mut self.encoded[index];
            e.encoder.encode(&pcm, &mut e.bytes).ok()?;
            e.ends.push(e.bytes.len() as u32);
            e.done += pcm.len();
        }
        Some(index)
    }

    /// G.711 bytes from `at`, at most `count`, fewer at the end: one byte per sample, so that pieces
    /// can be put together anywhere.
    pub(crate) fn g711(&mut self, codec: Codec, at: usize, count: usize) -> &[u8] {
        let end = (at + count).min(self.len);
        match self.encoded(codec, 16_000, end) {
            Some(i) => self.encoded[i].bytes.get(at..end).unwrap_or(&[]),
            None => &[],
        }
    }

    /// The encoded frame that begins at sample `at`, a multiple of the frame length.
    pub(crate) fn frame(&mut self, codec: Codec, opus_rate_hz: u32, at: usize) -> Option<&[u8]> {
        let number = at / self.frame_len();
        let index = self.encoded(codec, opus_rate_hz, at + 1)?;
        let e = &self.encoded[index];
        let end = *e.ends.get(number)? as usize;
        let start = match number {
            0 => 0,
            n => e.ends[n - 1] as usize,
        };
        e.bytes.get(start..end)
    }
}

/// Whether an encoding has one byte per sample and no memory.
pub(crate) fn is_bytewise(codec: Codec) -> bool {
    matches!(codec, Codec::Pcmu | Codec::Pcma)
}

/// All clips of a node.
#[derive(Default)]
pub(crate) struct Clips {
    clips: Vec<Option<Clip>>,
    free: Vec<ClipIndex>,
    /// By address of the samples and rate. The clip keeps the samples alive, so the address is its own.
    by_source: FxHashMap<(usize, u32), ClipIndex>,
    clock: u64,
    idle_bytes: usize,
}

impl Clips {
    /// A clip for `samples` at `rate_hz`, to be given back by [`Clips::release`].
    ///
    /// # Errors
    /// [`MediaError::WavFormat`] when the sound has no rate.
    pub(crate) fn acquire(
        &mut self,
        samples: &Samples,
        rate_hz: u32,
        filters: &mut Filters,
    ) -> Result<ClipIndex, MediaError> {
        if samples.rate_hz == 0 {
            return Err(MediaError::WavFormat("sample rate"));
        }
        self.clock += 1;
        let key = (samples.data.as_ptr() as usize, rate_hz);
        if let Some(&index) = self.by_source.get(&key)
            && let Some(clip) = &mut self.clips[index as usize]
            && clip.samples.data.len() == samples.data.len()
            && clip.samples.rate_hz == samples.rate_hz
        {
            if clip.users == 0 {
                self.idle_bytes = self.idle_bytes.saturating_sub(clip.bytes_held());
            }
            clip.users += 1;
            clip.used_at = self.clock;
            return Ok(index);
        }
        let same = samples.rate_hz == rate_hz;
        let len = (samples.data.len() as u64 * u64::from(rate_hz))
            .div_ceil(u64::from(samples.rate_hz)) as usize;
        let clip = Clip {
            samples: samples.clone(),
            rate_hz,
            resampled: Vec::new(),
            resampler: (!same).then(|| filters.resampler(samples.rate_hz, rate_hz)),
            source_at: 0,
            len,
            encoded: Vec::new(),
            users: 1,
            used_at: self.clock,
        };
        let index = self.free.pop().unwrap_or(self.clips.len() as ClipIndex);
        if index as usize == self.clips.len() {
            self.clips.push(None);
        }
        self.clips[index as usize] = Some(clip);
        self.by_source.insert(key, index);
        Ok(index)
    }

    pub(crate) fn get(&mut self, index: ClipIndex) -> Option<&mut Clip> {
        self.clips.get_mut(index as usize)?.as_mut()
    }

    pub(crate) fn release(&mut self, index: ClipIndex) {
        let Some(clip) = self.get(index) else {
            return;
        };
        clip.users = clip.users.saturating_sub(1);
        if clip.users > 0 {
            return;
        }
        self.idle_bytes += self.get(index).map_or(0, |c| c.bytes_held());
        while self.idle_bytes > IDLE_BYTES_MAX && self.drop_oldest() {}
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self
            .clips
            .iter()
            .enumerate()
            .filter_map(|(i, c)| c.as_ref().filter(|c| c.users == 0).map(|c| (c.used_at, i)))
            .min();
        let Some((_, index)) = oldest else {
            self.idle_bytes = 0;
            return false;
        };
        if let Some(clip) = self.clips[index].take() {
            self.idle_bytes = self.idle_bytes.saturating_sub(clip.bytes_held());
            let key = (clip.samples.data.as_ptr() as usize, clip.rate_hz);
            if self.by_source.get(&key) == Some(&(index as ClipIndex)) {
                self.by_source.remove(&key);
            }
            self.free.push(index as ClipIndex);
        }
        true
    }
}
