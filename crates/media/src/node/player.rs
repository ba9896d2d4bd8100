//! A playback's place in its sequence of clips.

use super::clip::{ClipIndex, Clips, is_bytewise};
use crate::resample::Filters;
use cp_vocab::PlaybackId;
use cp_vocab::media::{Codec, Playback, Samples};

/// Sounds of one playback; further ones are left out.
const SOUNDS_MAX: usize = 256;

pub(crate) struct Player {
    pub(crate) id: PlaybackId,
    pub(crate) barge_in: bool,
    pub(crate) mix_with_call: bool,
    repeat: bool,
    sounds: Vec<Samples>,
    /// Clips of the sounds, once the leg's rate is known.
    clips: Vec<ClipIndex>,
    rate_hz: u32,
    at_clip: usize,
    /// In samples at `rate_hz`.
    at: usize,
}

impl Player {
    pub(crate) fn new(playback: Playback<Samples>) -> Self {
        let mut sounds = playback.sounds;
        sounds.truncate(SOUNDS_MAX);
        sounds.retain(|s| !s.data.is_empty() && s.rate_hz > 0);
        Self {
            id: playback.id,
            barge_in: playback.barge_in,
            mix_with_call: playback.mix_with_call,
            repeat: playback.repeat,
            sounds,
            clips: Vec::new(),
            rate_hz: 0,
            at_clip: 0,
            at: 0,
        }
    }

    /// Takes the clips for the rate the leg is encoded at; keeps the place when the rate changes.
    pub(crate) fn prepare(&mut self, rate_hz: u32, clips: &mut Clips, filters: &mut Filters) {
        if self.rate_hz == rate_hz {
            return;
        }
        let before = self.rate_hz;
        self.release(clips);
        for s in &self.sounds {
            if let Ok(index) = clips.acquire(s, rate_hz, filters) {
                self.clips.push(index);
            }
        }
        self.rate_hz = rate_hz;
        if before > 0 {
            let frame = (rate_hz / 50) as usize;
            let at = self.at as u64 * u64::from(rate_hz) / u64::from(before);
            self.at = at as usize / frame * frame;
        }
    }

    pub(crate) fn release(&mut self, clips: &mut Clips) {
        for index in self.clips.drain(..) {
            clips.release(index);
        }
        self.rate_hz = 0;
    }

    /// The clip at the place now; steps over the ends of clips. `None` at the end of it all.
    fn clip(&mut self, clips: &mut Clips) -> Option<ClipIndex> {
        loop {
            if self.at_clip >= self.clips.len() {
                if !self.repeat || self.clips.is_empty() {
                    return None;
                }
                self.at_clip = 0;
                self.at = 0;
            }
            let index = self.clips[self.at_clip];
            let len = clips.get(index).map_or(0, |c| c.len());
            if self.at < len {
                return Some(index);
            }
            // Clips are never empty, so this ends.
            self.at_clip += 1;
            self.at = 0;
        }
    }

    /// Replaces `out` by the next frame as samples, shorter when it ends inside. `false` when nothing is left.
    pub(crate) fn pcm(&mut self, clips: &mut Clips, stitch: bool, out: &mut Vec<i16>) -> bool {
        let frame = (self.rate_hz / 50) as usize;
        out.clear();
        while out.len() < frame {
            let Some(index) = self.clip(clips) else {
                break;
            };
            let Some(clip) = clips.get(index) else {
                break;
            };
            let piece = clip.pcm(self.at, frame - out.len());
            out.extend_from_slice(piece);
            self.at += piece.len();
            if !stitch || piece.is_empty() {
                break;
            }
        }
        !out.is_empty()
    }

    /// Replaces `out` by the next frame encoded. `false` when nothing is left.
    pub(crate) fn encoded(
        &mut self,
        clips: &mut Clips,
        codec: Codec,
        opus_rate_hz: u32,
        out: &mut Vec<u8>,
    ) -> bool {
        let frame = (self.rate_hz / 50) as usize;
        out.clear();
        if !is_bytewise(codec) {
            let Some(clip) = self.clip(clips).and_then(|i| clips.get(i)) else {
                return false;
            };
            if let Some(bytes) = clip.frame(codec, opus_rate_hz, self.at) {
                out.extend_from_slice(bytes);
            }
            self.at += frame;
            return !out.is_empty();
        }
        while out.len() < frame {
            let Some(clip) = self.clip(clips).and_then(|i| clips.get(i)) else {
                break;
            };
            let piece = clip.g711(codec, self.at, frame - out.len());
            if piece.is_empty() {
                break;
            }
            out.extend_from_slice(piece);
            self.at += piece.len();
        }
        if out.is_empty() {
            return false;
        }
        // The last frame of a prompt is filled up with silence.
        let silence = if codec == Codec::Pcmu { 0xff } else { 0xd5 };
        out.resize(frame, silence);
        true
    }
}
