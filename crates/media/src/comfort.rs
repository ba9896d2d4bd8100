//! Comfort noise (RFC 3389): a level on the wire, noise of that level for the ear.

/// Payload type of comfort noise at 8 kHz (RFC 3551).
pub const PAYLOAD_TYPE: u8 = 13;
/// Level we announce for our own silence, in -dBov: far below speech, yet not a dead line.
pub const SILENCE_LEVEL: u8 = 70;
/// Noise louder than this is not believed, in -dBov.
const LOUDEST: u8 = 30;

/// A noise generator.
#[derive(Clone, Debug)]
pub struct Noise {
    state: u32,
    amplitude: i32,
}

impl Noise {
    /// From the payload of a comfort noise packet (first byte is the level; spectral bytes are not used).
    pub fn from_payload(payload: &[u8], seed: u32) -> Self {
        let level = payload
            .first()
            .map_or(SILENCE_LEVEL, |b| b & 0x7f)
            .max(LOUDEST);
        // 0 dBov is a full-scale square wave (32767 rms); uniform noise has rms = peak / sqrt(3).
        let rms = 32_767.0 * 10f32.powf(-f32::from(level) / 20.0);
        Self {
            state: seed | 1,
            amplitude: (rms * 1.732) as i32,
        }
    }

    /// Appends `count` samples.
    pub fn fill(&mut self, count: usize, out: &mut Vec<i16>) {
        for _ in 0..count {
            // xorshift32
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            let r = (self.state >> 16) as i32 - 32_768;
            out.push(((r * self.amplitude) >> 15) as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::power;

    #[test]
    fn noise_has_the_level_announced() {
        for level in [40u8, 50, 60] {
            let mut out = Vec::new();
            Noise::from_payload(&[level, 7, 7], 5).fill(8_000, &mut out);
            let db = 10.0 * (power(&out) / (32_767.0f64 * 32_767.0)).log10();
            assert!((db + f64::from(level)).abs() < 1.0, "{level}: {db}");
        }
        // Nonsense stays quiet.
        let mut out = Vec::new();
        Noise::from_payload(&[0], 5).fill(8_000, &mut out);
        assert!(out.iter().all(|s| s.abs() < 2_000));
        Noise::from_payload(&[], 5).fill(80, &mut out);
    }
}
