//! Digits as tones, for far sides that did not agree to events.

use super::frequencies;
use std::f64::consts::TAU;

/// Level of each of the two tones: -9 dBm0 or so, well above what detectors need.
const AMPLITUDE: f64 = 6_000.0;
/// Edges are rounded over this long, in ms, to keep clicks away.
const EDGE_MS: usize = 2;

/// The tone of a digit: `ms` long at `rate_hz`. Empty for a character that is no digit.
pub fn samples(digit: char, ms: usize, rate_hz: u32) -> Vec<i16> {
    let Some((low, high)) = frequencies(digit) else {
        return Vec::new();
    };
    let len = rate_hz as usize * ms / 1_000;
    let edge = (rate_hz as usize * EDGE_MS / 1_000).max(1);
    (0..len)
        .map(|i| {
            let t = i as f64 / f64::from(rate_hz);
            let wave = (TAU * low * t).sin() + (TAU * high * t).sin();
            let near = (i + 1).min(len - i).min(edge) as f64 / edge as f64;
            (AMPLITUDE * near * wave) as i16
        })
        .collect()
}
