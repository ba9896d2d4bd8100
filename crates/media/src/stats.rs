//! Reception figures of one RTP stream (RFC 3550 6.4, A.1, A.3, A.8) and the MOS estimate.

use cp_vocab::Timestamp;
use cp_vocab::media::Codec;

/// A forward jump of more packets than this is taken for a restart of the sender (RFC 3550 A.1).
const DROPOUT_MAX: u16 = 3_000;
/// Packets this far behind the newest are still told from duplicates; older ones are stale.
const WINDOW: u32 = 128;

/// What a packet's sequence number told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Not seen before. `ext` is the sequence number made monotonic over wraps and restarts.
    Fresh { ext: u32 },
    /// The same number again.
    Duplicate,
    /// Too old, or a jump that the next packet must confirm.
    Stale,
}

/// Counts one incoming stream over all its SSRCs and restarts.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    ssrc: u32,
    started: bool,
    /// Changes when the sender starts anew (SSRC or sequence): maps made before no longer hold.
    epoch: u32,
    base: u32,
    newest: u32,
    /// Bit n is set when `newest - n` was received.
    window: u128,
    confirm: Option<u16>,
    received_epoch: u64,
    received_before: u64,
    expected_before: u64,
    transit: Option<i64>,
    /// In RTP clock units.
    jitter: f32,
    expected_prior: u64,
    received_prior: u64,
}

impl Reception {
    /// SSRC of the stream now.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }
    /// How many times the sender started anew.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }
    /// Highest extended sequence number.
    pub fn newest(&self) -> u32 {
        self.newest
    }
    /// Packets received, duplicates and stale ones left out.
    pub fn received(&self) -> u64 {
        self.received_before + self.received_epoch
    }
    fn expected(&self) -> u64 {
        if self.started {
            self.expected_before + u64::from(self.newest.wrapping_sub(self.base)) + 1
        } else {
            0
        }
    }
    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received())
    }
    /// Interarrival jitter in RTP clock units (RFC 3550 A.8).
    pub fn jitter(&self) -> f32 {
        self.jitter
    }

    fn start(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        if self.started {
            self.received_before += self.received_epoch;
            self.expected_before += u64::from(self.newest.wrapping_sub(self.base)) + 1;
            self.epoch += 1;
        }
        self.received_epoch = 0;
        self.ssrc = ssrc;
        self.started = true;
        // A cycle in reserve, so that packets reordered across the start stay positive.
        self.newest = (self.newest & 0xffff_0000).wrapping_add(0x1_0000) | u32::from(sequence);
        self.base = self.newest;
        self.window = 1;
        self.confirm = None;
        self.transit = None;
        self.received_epoch += 1;
        Arrival::Fresh { ext: self.newest }
    }

    /// Takes one packet's numbers.
    pub fn arrive(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        if !self.started || ssrc != self.ssrc {
            return self.start(ssrc, sequence);
        }
        let ahead = sequence.wrapping_sub(self.newest as u16);
        let behind = (self.newest as u16).wrapping_sub(sequence);
        if ahead == 0 {
            return Arrival::Duplicate;
        }
        if ahead < DROPOUT_MAX {
            self.newest = self.newest.wrapping_add(u32::from(ahead));
            self.window = self.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.confirm = None;
            self.received_epoch += 1;
            return Arrival::Fresh { ext: self.newest };
        }
        if u32::from(behind) < WINDOW {
            let bit = 1u128 << behind;
            if self.window & bit != 0 {
                return Arrival::Duplicate;
            }
            let ext = self.newest.wrapping_sub(u32::from(behind));
            // One from before the first we saw: nothing expects it.
            if ext < self.base {
                return Arrival::Stale;
            }
            self.window |= bit;
            self.received_epoch += 1;
            return Arrival::Fresh { ext };
        }
        if self.confirm == Some(sequence) {
            return self.start(ssrc, sequence);
        }
        self.confirm = Some(sequence.wrapping_add(1));
        Arrival::Stale
    }

    /// Takes the timing of an audio packet that was fresh.
    pub fn time(&mut self, now: Timestamp, timestamp: u32, clock_hz: u32) {
        let arrival = (now.as_micros() as i128 * i128::from(clock_hz) / 1_000_000) as u32;
        let transit = i64::from(arrival.wrapping_sub(timestamp) as i32);
        if let Some(before) = self.transit {
            let d = i64::from((transit as i32).wrapping_sub(before as i32)).unsigned_abs() as f32;
            // A jump of a second is a new talk spurt with its own timestamps, not jitter.
            if d < clock_hz as f32 {
                self.jitter += (d - self.jitter) / 16.0;
            }
        }
        self.transit = Some(transit);
    }

    /// Fraction lost since the last call in 1/256, for a report block (RFC 3550 A.3).
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.expected_prior;
        let received = self.received() - self.received_prior;
        self.expected_prior = self.expected();
        self.received_prior = self.received();
        let lost = expected.saturating_sub(received);
        (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8
    }
}

/// Mean opinion score 1.0 to 4.5 by the E-model (ITU-T G.107 simplified; the impairment of a codec
/// and its robustness to loss with concealment by G.113 Appendix I).
///
/// `loss` is a fraction 0 to 1, `delay_ms` one way from mouth to ear.
pub fn mos(codec: Codec, loss: f32, delay_ms: f32) -> f32 {
    let robustness = match codec {
        Codec::Pcma | Codec::Pcmu => 25.1,
        Codec::G722 => 20.0,
        Codec::Opus => 30.0,
    };
    let loss_pct = loss.clamp(0.0, 1.0) * 100.0;
    let equipment = 95.0 * loss_pct / (loss_pct + robustness);
    let delay = 0.024 * delay_ms
        + if delay_ms > 177.3 {
            0.11 * (delay_ms - 177.3)
        } else {
            0.0
        };
    let r = (93.2 - delay - equipment).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_loss_duplicates_and_wrap() {
        let mut r = Reception::default();
        for s in [65_533u16, 65_534, 65_535, 0, 1, 3] {
            assert!(matches!(r.arrive(7, s), Arrival::Fresh { .. }), "{s}");
        }
        assert_eq!((r.received(), r.lost()), (6, 1));
        assert_eq!(r.arrive(7, 3), Arrival::Duplicate);
        assert_eq!(r.arrive(7, 65_535), Arrival::Duplicate);
        assert!(matches!(r.arrive(7, 2), Arrival::Fresh { .. }));
        assert_eq!((r.received(), r.lost(), r.epoch()), (7, 0, 0));
    }

    #[test]
    fn restart_needs_two_in_a_row_and_numbers_go_on_rising() {
        let mut r = Reception::default();
        r.arrive(7, 100);
        let before = r.newest();
        assert_eq!(r.arrive(7, 40_000), Arrival::Stale);
        let Arrival::Fresh { ext } = r.arrive(7, 40_001) else {
            panic!("confirmed")
        };
        assert!(ext > before && r.epoch() == 1);
        let Arrival::Fresh { ext: other } = r.arrive(8, 5) else {
            panic!("new source")
        };
        assert!(other > ext && r.epoch() == 2 && r.lost() == 0);
    }

    #[test]
    fn jitter_follows_rfc3550() {
        let mut r = Reception::default();
        for i in 0..200u64 {
            r.arrive(1, i as u16);
            // Every other packet 10 ms late: |D| is 80 units each time.
            let late = if i % 2 == 1 { 10_000 } else { 0 };
            r.time(
                Timestamp(1_000_000 + i * 20_000 + late),
                (i * 160) as u32,
                8_000,
            );
        }
        assert!((r.jitter() - 80.0).abs() < 1.0, "{}", r.jitter());
    }

    #[test]
    fn mos_falls_with_loss_and_delay() {
        assert!(mos(Codec::Pcmu, 0.0, 20.0) > 4.3);
        let mild = mos(Codec::Pcmu, 0.05, 50.0);
        let bad = mos(Codec::Pcmu, 0.2, 50.0);
        assert!(mild < 4.2 && bad < mild && bad >= 1.0);
        assert!(mos(Codec::Pcmu, 0.0, 400.0) < 3.9);
    }

    proptest! {
        #[test]
        fn a_number_is_fresh_only_once(seqs in proptest::collection::vec(0u16..300, 1..400)) {
            let mut r = Reception::default();
            let mut seen = std::collections::HashSet::new();
            for s in seqs {
                if let Arrival::Fresh { ext } = r.arrive(1, s) {
                    prop_assert!(seen.insert(ext));
                }
            }
            prop_assert_eq!(r.received(), seen.len() as u64);
        }
    }
}
