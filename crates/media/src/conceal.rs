//! Concealment of lost audio by repeating the last pitch period with a fade (in the manner of
//! ITU-T G.711 Appendix I), for codecs that cannot conceal by themselves.

/// Shortest and longest pitch period looked for, in tenths of a ms (400 Hz down to 66 Hz).
const LAG_MIN_TENTHS: usize = 25;
const LAG_MAX_TENTHS: usize = 150;
/// Stretch that is compared to find the period, in ms.
const MATCH_MS: usize = 10;
/// Past kept, in ms: the longest period plus the stretch compared, and some.
const HISTORY_MS: usize = 40;
/// Full level for this long, then a fade to silence over the next.
const HOLD_MS: usize = 10;
const FADE_MS: usize = 50;
/// Cross-fade back to the true signal, in ms.
const BLEND_MS: usize = 4;

/// The past of one stream and what is being made up from it.
pub struct Concealer {
    per_ms: usize,
    history: Vec<i16>,
    /// The period being repeated.
    period: Vec<i16>,
    at: usize,
    /// Samples made up since the last true one.
    made: usize,
}

impl Concealer {
    pub fn new(rate_hz: u32) -> Self {
        let per_ms = (rate_hz / 1_000) as usize;
        Self {
            per_ms,
            history: vec![0; HISTORY_MS * per_ms],
            period: Vec::new(),
            at: 0,
            made: 0,
        }
    }

    /// True samples came: blends them in after a gap, and remembers them.
    pub fn good(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            let blend = (BLEND_MS * self.per_ms).min(samples.len());
            for (i, s) in samples[..blend].iter_mut().enumerate() {
                let made = i32::from(self.next());
                let w = ((i + 1) * 256 / (blend + 1)) as i32;
                *s = ((i32::from(*s) * w + made * (256 - w)) >> 8) as i16;
            }
            self.made = 0;
        }
        self.remember(samples);
    }

    fn remember(&mut self, samples: &[i16]) {
        let keep = self.history.len();
        if samples.len() >= keep {
            self.history
                .copy_from_slice(&samples[samples.len() - keep..]);
        } else {
            self.history.copy_within(samples.len().., 0);
            self.history[keep - samples.len()..].copy_from_slice(samples);
        }
    }

    fn next(&mut self) -> i16 {
        let hold = HOLD_MS * self.per_ms;
        let fade = FADE_MS * self.per_ms;
        let gone = self.made.saturating_sub(hold);
        self.made += 1;
        if gone >= fade || self.period.is_empty() {
            return 0;
        }
        let s = i32::from(self.period[self.at]);
        self.at = (self.at + 1) % self.period.len();
        (s * (fade - gone) as i32 / fade as i32) as i16
    }

    /// Appends `count` samples in place of lost ones.
    pub fn conceal(&mut self, count: usize, out: &mut Vec<i16>) {
        if self.made == 0 {
            self.find_period();
        }
        for _ in 0..count {
            let s = self.next();
            out.push(s);
        }
    }

    fn find_period(&mut self) {
        let len = self.history.len();
        let lag = best_lag(
            &self.history,
            LAG_MIN_TENTHS * self.per_ms / 10,
            LAG_MAX_TENTHS * self.per_ms / 10,
            MATCH_MS * self.per_ms,
        );
        self.period.clear();
        self.period.extend_from_slice(&self.history[len - lag..]);
        // The joint between the end of a period and its beginning is smoothed with what preceded it.
        let blend = lag / 4;
        for i in 0..blend {
            let tail = lag - blend + i;
            let before = i32::from(self.history[len - lag - blend + i]);
            let w = ((i + 1) * 256 / (blend + 1)) as i32;
            let now = i32::from(self.period[tail]);
            // At the very end it must run into the first sample of the period.
            self.period[tail] = ((now * (256 - w) + before * w) >> 8) as i16;
        }
        self.at = 0;
    }
}

/// The lag at which the last `window` samples are most like what lay that much earlier (normalised
/// cross-correlation). `samples` holds at least `window + longest`.
pub fn best_lag(samples: &[i16], shortest: usize, longest: usize, window: usize) -> usize {
    let len = samples.len();
    let recent = &samples[len - window..];
    let mut best = (f32::MIN, longest);
    // At 16 kHz and above every other lag is enough: half a sample of 8 kHz.
    let step = if shortest >= 40 { 2 } else { 1 };
    for lag in (shortest..=longest).step_by(step) {
        let earlier = &samples[len - window - lag..len - lag];
        let (mut cross, mut energy) = (0i64, 1i64);
        for (a, b) in recent.iter().zip(earlier) {
            cross += i64::from(i32::from(*a) * i32::from(*b));
            energy += i64::from(i32::from(*b) * i32::from(*b));
        }
        let score = cross as f32 / (energy as f32).sqrt();
        if score > best.0 {
            best = (score, lag);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{power, sine, tone_snr_db};

    #[test]
    fn a_voiced_sound_goes_on_through_a_gap() {
        for rate in [8_000u32, 16_000] {
            let frame = rate as usize / 50;
            // 200 Hz: every frame holds whole periods, so the true signal is known.
            let tone = sine(200.0, 8_000.0, rate, frame * 50);
            let mut c = Concealer::new(rate);
            let mut out = Vec::new();
            for (i, f) in tone.chunks(frame).enumerate() {
                if i % 10 == 5 {
                    c.conceal(frame, &mut out);
                } else {
                    let mut f = f.to_vec();
                    c.good(&mut f);
                    out.extend_from_slice(&f);
                }
            }
            let snr = tone_snr_db(&out[frame * 2..], 200.0, rate);
            assert!(snr > 20.0, "{rate}: {snr} dB");
        }
    }

    #[test]
    fn a_long_gap_fades_to_silence() {
        let mut c = Concealer::new(8_000);
        c.good(&mut sine(300.0, 8_000.0, 8_000, 800));
        let mut out = Vec::new();
        c.conceal(1_600, &mut out);
        assert!(power(&out[..80]) > 1e6);
        assert!(out[600..].iter().all(|s| *s == 0));
    }
}
