//! Which tone is in a recording: Goertzel over the end of a WAV file, also of one still growing.

use std::path::Path;

/// 16-bit samples of one channel.
#[derive(Debug, Clone, Default)]
pub struct Audio {
    pub rate_hz: u32,
    pub samples: Vec<i16>,
}

impl Audio {
    /// Reads channel `channel` (from 0) of a 16-bit PCM WAV. A recorder writes the length into the
    /// header only when it closes the file, so the data chunk is taken to reach to the end of the file
    /// when its length is nil or too great. `None` when there is no header yet.
    pub fn read(path: &Path, channel: usize) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        if bytes.get(..4)? != b"RIFF" {
            return None;
        }
        let (mut at, mut channels, mut rate_hz) = (12, 1usize, 8_000);
        while bytes.get(at..at + 4)? != b"data" {
            if bytes.get(at..at + 4)? == b"fmt " {
                channels = usize::from(half(at + 10)?).max(1);
                rate_hz = word(at + 12)?;
            }
            at += 8 + word(at + 4)? as usize;
        }
        let length = word(at + 4)? as usize;
        let data = bytes.get(at + 8..)?;
        let data = if length == 0 || length > data.len() {
            data
        } else {
            &data[..length]
        };
        let samples = data
            .chunks_exact(2 * channels)
            .filter_map(|frame| frame.get(2 * channel..2 * channel + 2))
            .map(|s| i16::from_le_bytes([s[0], s[1]]))
            .collect();
        Some(Self { rate_hz, samples })
    }

    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate_hz)
    }

    /// The last `ms` milliseconds; `None` when there is less.
    pub fn last(&self, ms: u32) -> Option<Self> {
        let wanted = (u64::from(self.rate_hz) * u64::from(ms) / 1_000) as usize;
        let from = self.samples.len().checked_sub(wanted)?;
        Some(Self {
            rate_hz: self.rate_hz,
            samples: self.samples[from..].to_vec(),
        })
    }

    /// From `from_s` for `length_s` seconds, as far as there is audio.
    pub fn part(&self, from_s: f64, length_s: f64) -> Self {
        let at = |s: f64| ((s * f64::from(self.rate_hz)) as usize).min(self.samples.len());
        Self {
            rate_hz: self.rate_hz,
            samples: self.samples[at(from_s)..at(from_s + length_s)].to_vec(),
        }
    }

    /// Root mean square, 0 to 1 of full scale.
    pub fn level(&self) -> f64 {
        if self.samples.is_empty() {
            return 0.0;
        }
        let sum: f64 = self.samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        (sum / self.samples.len() as f64).sqrt() / 32_768.0
    }

    /// Share of the power that lies at `hz`, 0 to 1: near 1 for a clean tone, near 0 for another
    /// tone, speech or noise. 0 for silence.
    pub fn purity(&self, hz: f64) -> f64 {
        let total: f64 = self.samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        let n = self.samples.len() as f64;
        if n == 0.0 || self.level() < SILENCE {
            return 0.0;
        }
        // Goertzel at the exact frequency, not at the nearest bin.
        let w = std::f64::consts::TAU * hz / f64::from(self.rate_hz);
        let coefficient = 2.0 * w.cos();
        let (mut s1, mut s2) = (0.0, 0.0);
        for sample in &self.samples {
            let s0 = f64::from(*sample) + coefficient * s1 - s2;
            (s2, s1) = (s1, s0);
        }
        let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
        (2.0 * power / (n * total)).min(1.0)
    }

    /// Whether the tone dominates.
    pub fn has(&self, hz: f64) -> bool {
        self.purity(hz) > TONE
    }
}

/// Below this level there is nothing to hear (about -54 dBFS).
pub const SILENCE: f64 = 0.002;
/// Share of power a tone must have to count as heard; codecs and a lost packet leave more than that.
pub const TONE: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate_hz: u32, amplitude: f64) -> Audio {
        let sample = |i: usize| {
            let t = i as f64 / f64::from(rate_hz);
            ((t * hz * std::f64::consts::TAU).sin() * amplitude * 32_767.0) as i16
        };
        Audio {
            rate_hz,
            samples: (0..rate_hz as usize / 2).map(sample).collect(),
        }
    }

    #[test]
    fn tells_tones_apart_at_every_rate() {
        for rate in [8_000, 16_000, 48_000] {
            let a = tone(1_000.0, rate, 0.5);
            assert!(a.purity(1_000.0) > 0.99, "{rate}: {}", a.purity(1_000.0));
            assert!(a.purity(600.0) < 0.01, "{rate}: {}", a.purity(600.0));
            assert!(a.has(1_000.0) && !a.has(600.0));
        }
    }

    #[test]
    fn silence_is_no_tone() {
        assert!(!tone(1_000.0, 8_000, 0.0005).has(1_000.0));
        assert!(!Audio::default().has(1_000.0));
    }

    #[test]
    fn reads_a_file_that_is_still_growing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.wav");
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data\0\0\0\0".to_vec();
        for i in 0..100i16 {
            wav.extend(i.to_le_bytes());
            wav.extend((-i).to_le_bytes());
        }
        std::fs::write(&path, &wav).expect("write");
        let right = Audio::read(&path, 1).expect("a WAV");
        assert_eq!(
            (right.rate_hz, right.samples.len(), right.samples[7]),
            (8_000, 100, -7)
        );
        assert!(right.last(20).is_none());
        assert_eq!(right.last(10).map(|a| a.samples.len()), Some(80));
        std::fs::write(&path, b"RIFF").expect("write");
        assert!(Audio::read(&path, 0).is_none());
    }
}
