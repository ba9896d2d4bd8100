//! Digits heard in the voice: eight Goertzel filters over blocks of 12.75 ms at 8 kHz, debounced over
//! two blocks.

use super::DIGITS;

/// Row frequencies in Hz (ITU-T Q.23).
pub const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
/// Column frequencies in Hz.
pub const HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// Samples of a block at 8 kHz.
const BLOCK: usize = 102;
/// Weakest tone taken, as the mean square of one of both: about -30 dBm0.
const POWER_MIN: f32 = 2.0e4;
/// Largest difference of level between both tones (8 dB).
const TWIST_MAX: f32 = 6.3;
/// Part of the block's power that must lie in the two tones.
const PURITY_MIN: f32 = 0.62;
/// How far the strongest of a group stands above the next (6 dB).
const SELECTIVITY: f32 = 4.0;
/// Blocks without the digit that end a press.
const RELEASE_BLOCKS: u32 = 2;

/// Detects digits in 8 kHz samples.
pub struct Detector {
    coefficients: [f32; 8],
    state: [(f32, f32); 8],
    energy: f32,
    filled: usize,
    last: Option<char>,
    pressed: Option<char>,
    blocks: u32,
    missing: u32,
}

/// What a block told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Pressed(char),
    /// With the length of the press in ms.
    Released(char, u32),
}

impl Default for Detector {
    fn default() -> Self {
        let mut coefficients = [0.0; 8];
        for (c, hz) in coefficients.iter_mut().zip(LOW_HZ.iter().chain(&HIGH_HZ)) {
            *c = (2.0 * (std::f64::consts::TAU * hz / 8_000.0).cos()) as f32;
        }
        Self {
            coefficients,
            state: [(0.0, 0.0); 8],
            energy: 0.0,
            filled: 0,
            last: None,
            pressed: None,
            blocks: 0,
            missing: 0,
        }
    }
}

impl Detector {
    /// Takes samples and tells presses and releases.
    pub fn feed(&mut self, samples: &[i16], mut tell: impl FnMut(Heard)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let take = (BLOCK - self.filled).min(rest.len());
            let (now, later) = rest.split_at(take);
            for s in now {
                let x = f32::from(*s);
                self.energy += x * x;
                for ((s1, s2), c) in self.state.iter_mut().zip(&self.coefficients) {
                    let s0 = x + c * *s1 - *s2;
                    *s2 = *s1;
                    *s1 = s0;
                }
            }
            self.filled += take;
            rest = later;
            if self.filled == BLOCK {
                let digit = self.judge();
                if let Some(heard) = self.debounce(digit) {
                    tell(heard);
                }
                self.state = [(0.0, 0.0); 8];
                self.energy = 0.0;
                self.filled = 0;
            }
        }
    }

    fn judge(&self) -> Option<char> {
        let mut power = [0.0f32; 8];
        for ((p, (s1, s2)), c) in power.iter_mut().zip(&self.state).zip(&self.coefficients) {
            // Mean square of a sine of that frequency.
            *p = 2.0 * (s1 * s1 + s2 * s2 - c * s1 * s2) / (BLOCK * BLOCK) as f32;
        }
        let (row, low) = strongest(&power[..4])?;
        let (column, high) = strongest(&power[4..])?;
        let total = self.energy / BLOCK as f32;
        let good = low > POWER_MIN
            && high > POWER_MIN
            && low < high * TWIST_MAX
            && high < low * TWIST_MAX
            && low + high > PURITY_MIN * total;
        const KEYS: [[usize; 4]; 4] =
            [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];
        good.then(|| DIGITS[KEYS[row][column]])
    }

    fn debounce(&mut self, digit: Option<char>) -> Option<Heard> {
        let twice = digit == self.last;
        self.last = digit;
        if let Some(p) = self.pressed {
            self.blocks += 1;
            if digit == Some(p) {
                self.missing = 0;
                return None;
            }
            self.missing += 1;
            if self.missing < RELEASE_BLOCKS {
                return None;
            }
            self.pressed = None;
            let blocks = self.blocks - self.missing;
            return Some(Heard::Released(p, blocks * BLOCK as u32 / 8));
        }
        let d = digit.filter(|_| twice)?;
        self.pressed = Some(d);
        self.blocks = 2;
        self.missing = 0;
        Some(Heard::Pressed(d))
    }
}

/// The strongest of four, when it stands clear of the others.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let mut best = (0, f32::MIN);
    let mut second = f32::MIN;
    for (i, p) in group.iter().enumerate() {
        if *p > best.1 {
            second = best.1;
            best = (i, *p);
        } else if *p > second {
            second = *p;
        }
    }
    (best.1 > SELECTIVITY * second).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::super::tone;
    use super::*;

    fn presses(samples: &[i16]) -> String {
        let mut d = Detector::default();
        let mut heard = String::new();
        for f in samples.chunks(160) {
            d.feed(f, |h| {
                if let Heard::Pressed(c) = h {
                    heard.push(c);
                }
            });
        }
        heard
    }

    #[test]
    fn hears_every_digit_once_through_g711() {
        let mut signal = Vec::new();
        for d in DIGITS {
            signal.extend(tone::samples(d, 50, 8_000));
            signal.resize(signal.len() + 400, 0);
        }
        let mut bytes = Vec::new();
        let mut coded = Vec::new();
        use crate::codec::{Decoder, Encoder};
        use cp_vocab::media::Codec;
        Encoder::new(Codec::Pcmu, 16_000)
            .unwrap()
            .encode(&signal, &mut bytes)
            .unwrap();
        for b in bytes.chunks(160) {
            Decoder::new(Codec::Pcmu, 16_000)
                .unwrap()
                .decode(b, &mut coded)
                .unwrap();
        }
        assert_eq!(presses(&coded), DIGITS.iter().collect::<String>());
    }

    #[test]
    fn a_long_press_is_one_and_its_length_is_told() {
        let mut signal = tone::samples('5', 1_000, 8_000);
        signal.resize(signal.len() + 800, 0);
        let mut d = Detector::default();
        let mut all = Vec::new();
        d.feed(&signal, |h| all.push(h));
        assert_eq!(all[0], Heard::Pressed('5'));
        let Heard::Released('5', ms) = all[1] else {
            panic!("{all:?}")
        };
        assert!((960..=1_020).contains(&ms), "{ms}");
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn noise_and_single_tones_are_no_digits() {
        let mut noise = Vec::new();
        crate::comfort::Noise::from_payload(&[30], 9).fill(80_000, &mut noise);
        assert_eq!(presses(&noise), "");
        for hz in [697.0, 1_209.0, 440.0, 1_000.0, 425.0] {
            assert_eq!(
                presses(&crate::measure::sine(hz, 9_000.0, 8_000, 8_000)),
                ""
            );
        }
        assert_eq!(presses(&crate::music::samples().data[..160_000]), "");
    }
}
