//! A network between addresses: delay, loss, reordering and duplication from one seeded source.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How bad the network is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quality {
    pub delay_min: Duration,
    /// Beyond the minimum, uniformly; more than the spacing of packets reorders them.
    pub jitter: Duration,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    pub duplicate: f64,
}

impl Quality {
    pub const PERFECT: Self = Self {
        delay_min: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: 0.0,
        duplicate: 0.0,
    };

    /// A network as phones meet it, by seed.
    pub fn bad(rng: &mut ChaCha8Rng) -> Self {
        Self {
            delay_min: Duration::from_millis(rng.random_range(0..40)),
            jitter: Duration::from_millis(rng.random_range(0..60)),
            loss: f64::from(rng.random_range(0u32..12)) / 100.0,
            duplicate: f64::from(rng.random_range(0u32..4)) / 100.0,
        }
    }
}

pub struct Network {
    pub quality: Quality,
    pub(crate) rng: ChaCha8Rng,
    pub sent: u64,
    pub lost: u64,
}

impl Network {
    pub fn new(seed: u64, quality: Quality) -> Self {
        Self {
            quality,
            rng: ChaCha8Rng::seed_from_u64(seed),
            sent: 0,
            lost: 0,
        }
    }

    /// When the copies of one packet arrive; empty when it is lost.
    pub fn travel(&mut self) -> Vec<Duration> {
        self.sent += 1;
        if self.rng.random_bool(self.quality.loss) {
            self.lost += 1;
            return vec![];
        }
        let copies = if self.rng.random_bool(self.quality.duplicate) {
            2
        } else {
            1
        };
        (0..copies)
            .map(|_| {
                let jitter = self.quality.jitter.as_micros() as u64;
                let extra = if jitter == 0 {
                    0
                } else {
                    self.rng.next_u64() % jitter
                };
                self.quality.delay_min + Duration::from_micros(extra)
            })
            .collect()
    }
}
