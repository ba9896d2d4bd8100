//! The house's hold music: a loop synthesised here, note by note, so that no recording's rights are
//! involved. Slow arpeggios of soft bell tones over a pad; the same samples on every run.

use cp_vocab::media::Samples;
use std::f64::consts::TAU;
use std::sync::OnceLock;

/// Rate in Hz: wideband legs hear it in full, narrowband ones after resampling.
const RATE_HZ: u32 = 16_000;
/// Length of one beat, in samples: 0.5 s.
const BEAT: usize = 8_000;
/// Beats of a bar and bars of the loop.
const BEATS: usize = 4;

/// Chords of the loop as semitones above C3 (130.8 Hz): C, Am, F, G, Em, Am, Dm, G with a seventh here
/// and there.
const CHORDS: [[i32; 4]; 8] = [
    [0, 7, 12, 16],
    [-3, 4, 12, 16],
    [-7, 5, 9, 16],
    [-5, 7, 11, 14],
    [4, 7, 11, 16],
    [-3, 4, 7, 12],
    [2, 9, 12, 17],
    [-5, 5, 11, 14],
];
/// Melody in semitones above C4, one note per beat; 99 rests.
const MELODY: [i32; 32] = [
    16, 99, 12, 14, 12, 99, 9, 99, 9, 12, 99, 16, 14, 99, 99, 11, 11, 99, 14, 16, 12, 99, 9, 99,
    14, 12, 9, 99, 11, 99, 7, 99,
];

fn hz(semitones: i32, base: f64) -> f64 {
    base * 2f64.powf(f64::from(semitones) / 12.0)
}

/// Adds a note with a soft attack and an exponential decay; it may ring over the loop's end into its
/// beginning, so that the seam cannot be heard.
fn note(mix: &mut [f64], at: usize, hz: f64, level: f64, decay_s: f64, partials: &[f64]) {
    let rate = f64::from(RATE_HZ);
    let len = (decay_s * 5.0 * rate) as usize;
    let attack = 0.012 * rate;
    for (k, amplitude) in partials.iter().enumerate() {
        // A rotating pointer instead of a sine per sample: twenty times as fast, and as exact. Higher
        // partials fade sooner, as strings do.
        let turn = TAU * hz * (k + 1) as f64 / rate;
        let fade = (-1.0 / (decay_s * rate) - 1.5 * k as f64 / rate).exp();
        let (sin, cos) = turn.sin_cos();
        let (step_re, step_im) = (cos * fade, sin * fade);
        let (mut re, mut im) = (level * amplitude, 0.0);
        for i in 0..len {
            let index = (at + i) % mix.len();
            mix[index] += im * (i as f64 / attack).min(1.0);
            (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
        }
    }
}

/// The loop: 16 s at 16 kHz, mono, made to be repeated. Every call gives the same memory.
pub fn samples() -> Samples {
    static MADE: OnceLock<Samples> = OnceLock::new();
    MADE.get_or_init(make).clone()
}

fn make() -> Samples {
    let mut mix = vec![0.0f64; CHORDS.len() * BEATS * BEAT];
    let base = 130.81;
    for (bar, chord) in CHORDS.iter().enumerate() {
        let start = bar * BEATS * BEAT;
        // Pad: the whole chord, slow to fade.
        for s in chord {
            note(&mut mix, start, hz(*s, base), 0.07, 1.6, &[1.0, 0.3]);
        }
        // Arpeggio in eighths, up and down.
        for step in 0..BEATS * 2 {
            let tone = chord[[0, 1, 2, 3, 2, 3, 2, 1][step]];
            let at = start + step * BEAT / 2;
            note(
                &mut mix,
                at,
                hz(tone, base * 2.0),
                0.13,
                0.45,
                &[1.0, 0.35, 0.12],
            );
        }
        for beat in 0..BEATS {
            let tone = MELODY[bar * BEATS + beat];
            if tone != 99 {
                let at = start + beat * BEAT;
                note(
                    &mut mix,
                    at,
                    hz(tone, base * 2.0),
                    0.2,
                    0.6,
                    &[1.0, 0.2, 0.25, 0.05],
                );
            }
        }
    }
    let peak = mix.iter().fold(0.0f64, |m, s| m.max(s.abs()));
    // Peak at -9 dBFS: music must not be louder than the agent who follows it.
    let gain = 11_600.0 / peak;
    Samples {
        rate_hz: RATE_HZ,
        data: mix.iter().map(|s| (s * gain) as i16).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::power;

    #[test]
    fn the_loop_is_steady_quiet_enough_and_seamless() {
        let music = samples();
        assert_eq!(music.data.len(), 16 * 16_000);
        assert_eq!(music, make());
        let peak = music
            .data
            .iter()
            .map(|s| i32::from(*s).abs())
            .max()
            .unwrap();
        assert!((11_000..12_000).contains(&peak));
        for second in music.data.chunks(16_000) {
            let db = 10.0 * (power(second) / 1.07e9).log10();
            assert!((-40.0..-12.0).contains(&db), "{db}");
        }
        let jump = i32::from(music.data[0]) - i32::from(*music.data.last().unwrap());
        assert!(jump.abs() < 1_500, "{jump}");
    }
}
