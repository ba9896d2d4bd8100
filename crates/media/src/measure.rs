//! Measuring signals: used by the digit detector's tests, the tests of every audio path and the bench.

use std::f64::consts::TAU;

/// A sine of `len` samples.
pub fn sine(hz: f64, amplitude: f64, rate_hz: u32, len: usize) -> Vec<i16> {
    sine_from(hz, amplitude, rate_hz, 0, len)
}

/// A piece of a longer sine: `len` samples from sample `from` on.
pub fn sine_from(hz: f64, amplitude: f64, rate_hz: u32, from: usize, len: usize) -> Vec<i16> {
    (from..from + len)
        .map(|i| (amplitude * (TAU * hz * i as f64 / f64::from(rate_hz)).sin()) as i16)
        .collect()
}

/// Power of one frequency in a signal, as the mean square of that sine (Goertzel as a plain
/// correlation).
pub fn power_at(samples: &[i16], hz: f64, rate_hz: u32) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, s) in samples.iter().enumerate() {
        let phase = TAU * hz * i as f64 / f64::from(rate_hz);
        re += f64::from(*s) * phase.cos();
        im += f64::from(*s) * phase.sin();
    }
    let n = samples.len().max(1) as f64;
    2.0 * (re * re + im * im) / (n * n)
}

/// Mean square of a signal.
pub fn power(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    sum / samples.len().max(1) as f64
}

/// How far the tone at `hz` stands above everything else, in dB.
pub fn tone_snr_db(samples: &[i16], hz: f64, rate_hz: u32) -> f64 {
    let tone = power_at(samples, hz, rate_hz);
    let rest = (power(samples) - tone).max(1e-9);
    10.0 * (tone.max(1e-9) / rest).log10()
}
