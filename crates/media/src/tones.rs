//! Call progress tones as samples.

use cp_vocab::media::{Samples, Tone};
use std::f64::consts::TAU;
use std::sync::OnceLock;

/// Rate of generated tones, in Hz.
const RATE_HZ: u32 = 8_000;
/// Level of each frequency: about -13 dBm0, as exchanges do.
const AMPLITUDE: f64 = 4_000.0;

/// One period of a tone, made to be repeated (beep: once). North American frequencies for ringback
/// (known everywhere), ITU-T E.180 cadences. Every call gives the same memory, so that a node encodes
/// a tone once for all who hear it.
pub fn samples(tone: Tone) -> Samples {
    static MADE: [OnceLock<Samples>; 4] = [const { OnceLock::new() }; 4];
    MADE[tone as usize].get_or_init(|| make(tone)).clone()
}

fn make(tone: Tone) -> Samples {
    // (frequencies, ms on, ms off)
    let (hz, on, off): (&[f64], usize, usize) = match tone {
        Tone::Ringback => (&[440.0, 480.0], 2_000, 4_000),
        Tone::Busy => (&[480.0, 620.0], 500, 500),
        Tone::Congestion => (&[480.0, 620.0], 250, 250),
        Tone::Beep => (&[1_000.0], 400, 0),
    };
    let per_ms = RATE_HZ as usize / 1_000;
    let len = on * per_ms;
    let edge = 5 * per_ms;
    let data = (0..len + off * per_ms)
        .map(|i| {
            if i >= len {
                return 0;
            }
            let near = (i + 1).min(len - i).min(edge) as f64 / edge as f64;
            let t = i as f64 / f64::from(RATE_HZ);
            let wave: f64 = hz.iter().map(|f| (TAU * f * t).sin()).sum();
            (AMPLITUDE * near * wave) as i16
        })
        .collect();
    Samples {
        rate_hz: RATE_HZ,
        data,
    }
}

/// Silence of a length in ms.
pub fn silence(ms: u32) -> Samples {
    /// Longest silence made, in ms; longer ones are cut.
    const MS_MAX: u32 = 60_000;
    Samples {
        rate_hz: RATE_HZ,
        data: vec![0; (RATE_HZ / 1_000 * ms.min(MS_MAX)) as usize].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{power, power_at};

    #[test]
    fn tones_have_their_frequencies_and_cadence() {
        for (tone, hz, on_ms, ms) in [
            (Tone::Ringback, [440.0, 480.0], 2_000, 6_000),
            (Tone::Busy, [480.0, 620.0], 500, 1_000),
            (Tone::Congestion, [480.0, 620.0], 250, 500),
            (Tone::Beep, [1_000.0, 1_000.0], 400, 400),
        ] {
            let s = samples(tone);
            assert_eq!((s.rate_hz, s.data.len()), (8_000, ms * 8));
            let on = &s.data[..on_ms * 8];
            let all: f64 = if hz[0] == hz[1] {
                power_at(on, hz[0], 8_000)
            } else {
                hz.iter().map(|f| power_at(on, *f, 8_000)).sum()
            };
            assert!(all / power(on) > 0.95, "{tone:?}");
            assert!(s.data[on_ms * 8..].iter().all(|s| *s == 0));
        }
        assert_eq!(silence(250).data.len(), 2_000);
        assert_eq!(silence(u32::MAX).data.len(), 480_000);
    }
}
