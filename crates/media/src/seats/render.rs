//! Several voices as one stereo picture: constant-power panning, the delay between the ears, and the
//! shadow of the head. Cheap enough for a mix per listener: no convolution.

use super::geometry::Place;
use cp_vocab::LegId;

/// One frame: 20 ms at 48 kHz.
pub const FRAME_SAMPLES: usize = 960;
const RATE_HZ: f32 = 48_000.0;
/// Half the distance between the ears and the speed of sound, for the delay (Woodworth's formula).
const HEAD_RADIUS_M: f32 = 0.0875;
const SOUND_M_S: f32 = 343.0;
/// Longest delay between the ears, in samples, and one for interpolation.
const DELAY_MAX: usize = 34;
/// Voices in one picture at most; further ones are left out, the quietest first.
pub const SOURCES_MAX: usize = 16;
/// Corner of the head's shadow at 90 degrees; straight ahead there is none.
const SHADOW_HZ_MIN: f32 = 2_200.0;
const SHADOW_HZ_MAX: f32 = 20_000.0;

/// A voice to be placed: a frame of mono at 48 kHz.
pub struct Source<'a> {
    pub leg: LegId,
    pub frame: &'a [i16],
    pub place: Place,
}

/// What both ears get of one voice.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Ears {
    gain: [f32; 2],
    delay: [f32; 2],
    /// Smoothing of the far ear's low-pass, 0 (open) to 1.
    shadow: [f32; 2],
}

#[derive(Clone)]
struct Voice {
    leg: LegId,
    ears: Ears,
    past: [f32; DELAY_MAX],
    low: [f32; 2],
    heard: bool,
    /// What it gave to both ears in this frame: taken out again for whoever spoke it.
    given: [Vec<f32>; 2],
}

/// Renders the picture of one listener, or of all who hear the same.
#[derive(Clone, Default)]
pub struct Renderer {
    voices: Vec<Voice>,
    sum: [Vec<f32>; 2],
}

fn ears(place: Place) -> Ears {
    let azimuth = place.azimuth_deg.clamp(-90.0, 90.0).to_radians();
    let pan = (azimuth + std::f32::consts::FRAC_PI_2) / 2.0;
    let loud = 10f32.powf(place.gain_db / 20.0);
    let apart = HEAD_RADIUS_M / SOUND_M_S * (azimuth.sin() + azimuth);
    let samples = (apart * RATE_HZ).clamp(-(DELAY_MAX as f32 - 2.0), DELAY_MAX as f32 - 2.0);
    let side = azimuth.sin().abs();
    let corner = SHADOW_HZ_MAX - (SHADOW_HZ_MAX - SHADOW_HZ_MIN) * side;
    let smooth = (-std::f32::consts::TAU * corner / RATE_HZ).exp() * side;
    let far_is_left = azimuth > 0.0;
    Ears {
        gain: [pan.cos() * loud, pan.sin() * loud],
        delay: [samples.max(0.0), (-samples).max(0.0)],
        shadow: if far_is_left {
            [smooth, 0.0]
        } else {
            [0.0, smooth]
        },
    }
}

impl Renderer {
    /// One frame of stereo, interleaved left and right, from the voices of this moment. A voice that
    /// moved glides there within the frame, so that nothing clicks.
    pub fn render(&mut self, sources: &[Source<'_>], out: &mut [i16]) {
        self.place(sources, out.len() / 2);
        self.picture(None, out);
    }

    /// Places the voices of this moment; [`Renderer::picture`] then gives what each listener hears.
    pub fn place(&mut self, sources: &[Source<'_>], frames: usize) {
        for ear in &mut self.sum {
            ear.clear();
            ear.resize(frames, 0.0);
        }
        for v in &mut self.voices {
            v.heard = false;
        }
        for source in sources.iter().take(SOURCES_MAX) {
            self.add(source, frames);
        }
        self.voices.retain(|v| v.heard);
    }

    /// Whether this voice was among the last that were placed.
    pub fn is_heard(&self, leg: LegId) -> bool {
        self.voices.iter().any(|v| v.leg == leg)
    }

    /// The frame that was placed last, interleaved left and right, without one's own voice.
    pub fn picture(&self, without: Option<LegId>, out: &mut [i16]) {
        let own = self.voices.iter().find(|v| Some(v.leg) == without);
        for (ear, sum) in self.sum.iter().enumerate() {
            let given = own.map(|v| &v.given[ear]);
            for (i, value) in sum.iter().enumerate() {
                if let Some(slot) = out.get_mut(2 * i + ear) {
                    *slot = limit(value - given.map_or(0.0, |g| g[i]));
                }
            }
        }
    }

    fn add(&mut self, source: &Source<'_>, frames: usize) {
        let to = ears(source.place);
        let at = match self.voices.iter().position(|v| v.leg == source.leg) {
            Some(at) => at,
            None => {
                self.voices.push(Voice {
                    leg: source.leg,
                    ears: to,
                    past: [0.0; DELAY_MAX],
                    low: [0.0; 2],
                    heard: true,
                    given: Default::default(),
                });
                self.voices.len() - 1
            }
        };
        let voice = &mut self.voices[at];
        voice.heard = true;
        let from = voice.ears;
        for (ear, out) in self.sum.iter_mut().enumerate() {
            let mut low = voice.low[ear];
            let given = &mut voice.given[ear];
            given.clear();
            for (i, slot) in out.iter_mut().enumerate() {
                let t = (i + 1) as f32 / frames as f32;
                let glide = |a: f32, b: f32| a + (b - a) * t;
                let delay = glide(from.delay[ear], to.delay[ear]);
                let gain = glide(from.gain[ear], to.gain[ear]);
                let shadow = glide(from.shadow[ear], to.shadow[ear]);
                let value = tap(&voice.past, source.frame, i, delay);
                low = value + (low - value) * shadow;
                *slot += low * gain;
                given.push(low * gain);
            }
            voice.low[ear] = low;
        }
        remember(&mut voice.past, source.frame, frames);
        voice.ears = to;
    }
}

/// The sample `delay` samples before `i`, between two where it falls between.
fn tap(past: &[f32; DELAY_MAX], frame: &[i16], i: usize, delay: f32) -> f32 {
    let whole = delay.floor();
    let part = delay - whole;
    let at = |back: usize| -> f32 {
        if back <= i {
            frame.get(i - back).map_or(0.0, |s| f32::from(*s))
        } else {
            past.get(DELAY_MAX.wrapping_sub(back - i))
                .copied()
                .unwrap_or(0.0)
        }
    };
    let back = whole as usize;
    at(back) * (1.0 - part) + at(back + 1) * part
}

fn remember(past: &mut [f32; DELAY_MAX], frame: &[i16], frames: usize) {
    let end = frame.len().min(frames);
    for (slot, i) in past.iter_mut().zip(0..DELAY_MAX) {
        let back = DELAY_MAX - i;
        *slot = end.checked_sub(back).map_or(0.0, |at| f32::from(frame[at]));
    }
}

/// Loud pictures are bent, not cut: what is beyond three quarters comes in softly.
fn limit(value: f32) -> i16 {
    const KNEE: f32 = 24_576.0;
    const ROOM: f32 = 32_767.0 - KNEE;
    let loud = value.abs();
    if loud <= KNEE {
        return value as i16;
    }
    let bent = KNEE + ROOM * (1.0 - (-(loud - KNEE) / ROOM).exp());
    (bent.copysign(value)) as i16
}
