//! Rational resampling by a Kaiser-windowed polyphase FIR: 8, 16 and 48 kHz among one another, and
//! any other pair for prompts.

use rustc_hash::FxHashMap;
use std::f64::consts::PI;
use std::sync::Arc;

/// Filter length in samples of the lower rate: 4 ms at 8 kHz, 2 ms of delay.
const SPAN: usize = 32;
/// Kaiser shape: about 70 dB of stop band.
const BETA: f64 = 7.0;
/// Centre of the transition, as a part of half the lower rate.
const CUTOFF: f64 = 0.945;
/// Phases above which a pair of rates is approximated by whole numbers below it.
const PHASES_MAX: u32 = 640;

/// The taps of one pair of rates; shared by all resamplers of the pair.
pub struct Filter {
    up: usize,
    down: usize,
    taps: usize,
    /// `up` phases of `taps` coefficients, each phase in the order of the samples it meets.
    phases: Vec<f32>,
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Modified Bessel function of the first kind, order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

impl Filter {
    fn new(from_hz: u32, to_hz: u32) -> Self {
        let (from_hz, to_hz) = (from_hz.max(1), to_hz.max(1));
        let g = gcd(from_hz, to_hz);
        let (mut up, mut down) = (to_hz / g, from_hz / g);
        if up > PHASES_MAX {
            // Odd rates (11,127 Hz and the like): within 0.1 %, inaudible.
            down = (u64::from(down) * u64::from(PHASES_MAX) / u64::from(up)).max(1) as u32;
            up = PHASES_MAX;
        }
        let (up, down) = (up as usize, down as usize);
        let stretch = down.div_ceil(up).max(1);
        let taps = SPAN * stretch;
        let total = taps * up;
        // In units of the rate `from * up`: pass below half the lower of both.
        let cutoff = CUTOFF * 0.5 / (up.max(down) as f64);
        let middle = (total - 1) as f64 / 2.0;
        let norm = bessel(BETA);
        let prototype: Vec<f64> = (0..total)
            .map(|n| {
                let x = n as f64 - middle;
                let sinc = if x == 0.0 {
                    2.0 * cutoff
                } else {
                    (2.0 * PI * cutoff * x).sin() / (PI * x)
                };
                let r = x / (middle + 0.5);
                sinc * bessel(BETA * (1.0 - r * r).max(0.0).sqrt()) / norm * up as f64
            })
            .collect();
        let mut phases = vec![0.0f32; total];
        for phase in 0..up {
            // A phase must pass a constant exactly, or the phases would hum.
            let sum: f64 = (0..taps).map(|k| prototype[phase + k * up]).sum();
            for k in 0..taps {
                let value = prototype[phase + (taps - 1 - k) * up] / sum;
                phases[phase * taps + k] = value as f32;
            }
        }
        Self {
            up,
            down,
            taps,
            phases,
        }
    }
}

/// Filters already computed, by pair of rates.
#[derive(Default)]
pub struct Filters(FxHashMap<(u32, u32), Arc<Filter>>);

/// Pairs of rates kept; at the limit all are forgotten (they are recomputed in well under 1 ms).
const FILTERS_MAX: usize = 64;

impl Filters {
    /// A resampler from one rate to another, in Hz.
    pub fn resampler(&mut self, from_hz: u32, to_hz: u32) -> Resampler {
        if self.0.len() >= FILTERS_MAX {
            self.0.clear();
        }
        let filter = self
            .0
            .entry((from_hz, to_hz))
            .or_insert_with(|| Arc::new(Filter::new(from_hz, to_hz)));
        Resampler::with(filter.clone())
    }
}

/// One stream's state. A frame whose length divides evenly gives exactly its share each time.
pub struct Resampler {
    filter: Arc<Filter>,
    /// `taps - 1` samples of the past, then the block at work.
    buffer: Vec<f32>,
    /// Where the next output lies, in input samples and phase.
    at: usize,
    phase: usize,
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (x, y) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for i in 0..8 {
            lanes[i] += x[i] * y[i];
        }
    }
    lanes.iter().sum()
}

impl Resampler {
    fn with(filter: Arc<Filter>) -> Self {
        Self {
            buffer: vec![0.0; filter.taps - 1],
            filter,
            at: 0,
            phase: 0,
        }
    }

    /// For a single use; streams share filters by [`Filters`].
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        Self::with(Arc::new(Filter::new(from_hz, to_hz)))
    }

    /// Forget the past.
    pub fn reset(&mut self) {
        self.buffer.clear();
        self.buffer.resize(self.filter.taps - 1, 0.0);
        self.at = 0;
        self.phase = 0;
    }

    fn run(&mut self, mut emit: impl FnMut(f32)) {
        let f = &self.filter;
        let past = f.taps - 1;
        let fresh = self.buffer.len() - past;
        let (whole, part) = (f.down / f.up, f.down % f.up);
        while self.at < fresh {
            let taps = &f.phases[self.phase * f.taps..(self.phase + 1) * f.taps];
            emit(dot(&self.buffer[self.at..self.at + f.taps], taps));
            self.at += whole;
            self.phase += part;
            if self.phase >= f.up {
                self.phase -= f.up;
                self.at += 1;
            }
        }
        self.at -= fresh;
        let len = self.buffer.len();
        self.buffer.copy_within(len - past.., 0);
        self.buffer.truncate(past);
    }

    /// Appends the resampled form of `input`.
    pub fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        self.buffer.extend(input.iter().map(|s| f32::from(*s)));
        self.run(|y| out.push(y.round_ties_even() as i16));
    }

    /// Appends the resampled form of sums that may exceed 16 bits.
    pub fn process_sums(&mut self, input: &[i32], out: &mut Vec<i32>) {
        self.buffer.extend(input.iter().map(|s| *s as f32));
        self.run(|y| out.push(y as i32));
    }
}

/// A whole clip at another rate.
pub fn convert(input: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz {
        return input.to_vec();
    }
    let mut out = Vec::with_capacity(
        (input.len() as u64 * u64::from(to_hz) / u64::from(from_hz.max(1)) + 1) as usize,
    );
    Resampler::new(from_hz, to_hz).process(input, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{power_at, sine, tone_snr_db};

    #[test]
    fn frames_give_their_exact_share() {
        for (from, to) in [
            (8_000, 16_000),
            (16_000, 8_000),
            (48_000, 8_000),
            (8_000, 48_000),
            (48_000, 16_000),
            (16_000, 48_000),
        ] {
            let mut r = Resampler::new(from, to);
            for _ in 0..10 {
                let mut out = Vec::new();
                r.process(&vec![1_000; from as usize / 50], &mut out);
                assert_eq!(out.len(), to as usize / 50, "{from} to {to}");
            }
        }
    }

    #[test]
    fn tones_pass_and_aliases_do_not() {
        for (from, to) in [
            (8_000u32, 16_000u32),
            (16_000, 8_000),
            (48_000, 8_000),
            (8_000, 48_000),
            (22_050, 8_000),
            (44_100, 16_000),
            (11_127, 8_000),
        ] {
            let tone = sine(1_000.0, 10_000.0, from, from as usize);
            let out = convert(&tone, from, to);
            assert!(
                (out.len() as i64 - i64::from(to)).abs() < 12,
                "{}",
                out.len()
            );
            let settled = &out[to as usize / 10..];
            let level = power_at(settled, 1_000.0, to) / 5.0e7;
            let snr = tone_snr_db(&settled[..to as usize / 10 * 4], 1_000.0, to);
            // 11,127 Hz is approximated: the tone is a little off pitch.
            if from != 11_127 {
                assert!((0.98..1.02).contains(&level), "{from} to {to}: {level}");
                assert!(snr > 55.0, "{from} to {to}: {snr} dB");
            }
        }
        // 4.6 kHz does not fit into 8 kHz: it must vanish, not fold to 3.4 kHz.
        let out = convert(&sine(4_600.0, 10_000.0, 48_000, 48_000), 48_000, 8_000);
        let folded = 10.0 * (power_at(&out[800..], 3_400.0, 8_000) / 5.0e7).log10();
        assert!(folded < -60.0, "{folded} dB");
        let out = convert(&sine(3_000.0, 10_000.0, 48_000, 48_000), 48_000, 8_000);
        let kept = 10.0 * (power_at(&out[800..], 3_000.0, 8_000) / 5.0e7).log10();
        assert!(kept > -0.5, "{kept} dB");
    }
}
