//! Sounds made by calculation: call-progress tones, the beep that stands in for what is missing,
//! silence, and the house's hold music.

use cp_vocab::media::{Samples, Tone};
use std::f64::consts::TAU;
use std::sync::Arc;

const RATE_HZ: u32 = 8_000;
const MUSIC_RATE_HZ: u32 = 16_000;
/// A longer silence is cut to this.
const SILENCE_MS_MAX: u32 = 60_000;

/// Which country's tones (ITU-T E.180).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ToneSet {
    /// 425 Hz: most of Europe.
    #[default]
    Europe,
    /// The precise tone plan: 440+480, 480+620 Hz.
    NorthAmerica,
}

/// One cadence of a tone at 8 kHz, to be repeated.
pub fn tone(set: ToneSet, tone: Tone) -> Samples {
    let (frequencies, on_ms, off_ms): (&[f64], u32, u32) = match (set, tone) {
        (_, Tone::Beep) => return beep(),
        (ToneSet::Europe, Tone::Ringback) => (&[425.0], 1_000, 4_000),
        (ToneSet::Europe, Tone::Busy) => (&[425.0], 480, 480),
        (ToneSet::Europe, Tone::Congestion) => (&[425.0], 240, 240),
        (ToneSet::NorthAmerica, Tone::Ringback) => (&[440.0, 480.0], 2_000, 4_000),
        (ToneSet::NorthAmerica, Tone::Busy) => (&[480.0, 620.0], 500, 500),
        (ToneSet::NorthAmerica, Tone::Congestion) => (&[480.0, 620.0], 250, 250),
    };
    sines(frequencies, on_ms, off_ms)
}

/// 200 ms of 1,000 Hz: also what is heard where a sound could not be made.
pub fn beep() -> Samples {
    sines(&[1_000.0], 200, 0)
}

/// Silence, at most a minute.
pub fn silence(ms: u32) -> Samples {
    let len = ms.min(SILENCE_MS_MAX) as usize * RATE_HZ as usize / 1_000;
    Samples {
        rate_hz: RATE_HZ,
        data: vec![0; len].into(),
    }
}

/// Sum of sines at about -13 dBm0 with edges of 5 ms, then a pause.
fn sines(frequencies: &[f64], on_ms: u32, off_ms: u32) -> Samples {
    let rate = f64::from(RATE_HZ);
    let on = (on_ms * RATE_HZ / 1_000) as usize;
    let off = (off_ms * RATE_HZ / 1_000) as usize;
    let edge = 0.005 * rate;
    let level = 7_000.0 / frequencies.len() as f64;
    let sample = |i: usize| {
        let t = i as f64 / rate;
        let sum: f64 = frequencies.iter().map(|f| (TAU * f * t).sin()).sum();
        let fade = (i as f64 / edge).min((on - i) as f64 / edge).min(1.0);
        (sum * level * fade) as i16
    };
    Samples {
        rate_hz: RATE_HZ,
        data: (0..on).map(sample).chain((0..off).map(|_| 0)).collect(),
    }
}

/// Sixteen bars of soft broken chords at 16 kHz, made to be repeated. Ours, so free of any rights.
pub fn hold_music() -> Samples {
    /// Semitones above A3 of the four chords, each played up and down.
    const CHORDS: [[i32; 4]; 4] = [[0, 3, 7, 12], [-4, 0, 3, 8], [3, 7, 10, 15], [-2, 2, 5, 10]];
    const NOTES_PER_CHORD: usize = 8;
    const NOTE_S: f64 = 0.32;
    let rate = f64::from(MUSIC_RATE_HZ);
    let note = (NOTE_S * rate) as usize;
    let notes = CHORDS.len() * 4 * NOTES_PER_CHORD;
    let mut mix = vec![0.0_f64; note * notes];
    let len = mix.len();
    for n in 0..notes {
        let chord = CHORDS[n / NOTES_PER_CHORD % CHORDS.len()];
        let step = [0, 1, 2, 3, 2, 1, 2, 1][n % NOTES_PER_CHORD];
        let bass = n % NOTES_PER_CHORD == 0;
        add_note(&mut mix, n * note, len, chord[step], 0.16, rate);
        if bass {
            add_note(&mut mix, n * note, len, chord[0] - 12, 0.2, rate);
        }
    }
    Samples {
        rate_hz: MUSIC_RATE_HZ,
        data: mix
            .iter()
            .map(|s| (s.clamp(-1.0, 1.0) * 20_000.0) as i16)
            .collect::<Arc<[i16]>>(),
    }
}

/// A plucked tone of 1.6 s; what rings beyond the end goes on at the start, so that the loop has no seam.
fn add_note(mix: &mut [f64], start: usize, len: usize, semitones: i32, level: f64, rate: f64) {
    let frequency = 220.0 * 2.0_f64.powf(f64::from(semitones) / 12.0);
    for i in 0..(1.6 * rate) as usize {
        let t = i as f64 / rate;
        let envelope = (t / 0.015).min(1.0) * (-3.0 * t).exp();
        let wave = (TAU * frequency * t).sin() + 0.3 * (2.0 * TAU * frequency * t).sin();
        mix[(start + i) % len] += level * envelope * wave;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Power of a frequency by the Goertzel recurrence, relative to the whole.
    fn share(samples: &[i16], rate_hz: u32, frequency: f64) -> f64 {
        let w = TAU * frequency / f64::from(rate_hz);
        let (mut a, mut b) = (0.0, 0.0);
        for s in samples {
            (a, b) = (f64::from(*s) + 2.0 * w.cos() * a - b, a);
        }
        let power = (a * a + b * b - 2.0 * w.cos() * a * b) / samples.len() as f64;
        let all: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        2.0 * power / all
    }

    #[test]
    fn tones_have_their_frequencies_and_cadence() {
        let eu = tone(ToneSet::Europe, Tone::Busy);
        assert_eq!(eu.data.len(), 7_680);
        assert!(share(&eu.data[..3_840], eu.rate_hz, 425.0) > 0.9);
        assert!(eu.data[3_840..].iter().all(|s| *s == 0));
        let us = tone(ToneSet::NorthAmerica, Tone::Ringback);
        assert_eq!(us.data.len(), 48_000);
        for f in [440.0, 480.0] {
            assert!((share(&us.data[..16_000], us.rate_hz, f) - 0.5).abs() < 0.05);
        }
        assert!(share(&beep().data, 8_000, 1_000.0) > 0.9);
        assert_eq!(silence(20).data.len(), 160);
        assert_eq!(silence(u32::MAX).data.len(), 480_000);
    }

    #[test]
    fn the_music_is_audible_does_not_clip_and_has_no_seam() {
        let music = hold_music();
        assert!(music.data.len() > 30 * 16_000);
        let peak = music.data.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((4_000..20_000).contains(&peak), "{peak}");
        let seam = i32::from(music.data[0]) - i32::from(*music.data.last().unwrap());
        assert!(seam.abs() < 1_500, "{seam}");
    }
}
