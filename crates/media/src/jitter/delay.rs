//! How long packets must wait so that nearly all come in time.

use cp_vocab::Timestamp;

/// Largest delay aimed at, in ms.
const TARGET_MS_MAX: u32 = 300;
/// Width and number of the histogram's buckets: 5 ms each, the last takes all above.
const BUCKET_US: i64 = 5_000;
const BUCKETS: usize = 80;
/// Part of the arrivals that the delay must let in time.
const IN_TIME: f32 = 0.98;
/// Weight an old arrival keeps with each new one.
const FORGET: f32 = 0.995;
/// The quickest transit is looked for over two of these, in us.
const BASE_WINDOW_US: u64 = 4_000_000;

/// Delay estimation from arrivals.
pub(super) struct Delay {
    buckets: [f32; BUCKETS],
    pub(super) count: u32,
    base_now: i64,
    base_before: i64,
    base_since: Timestamp,
    pub(super) target_us: i64,
}

impl Delay {
    pub(super) fn new() -> Self {
        Self {
            buckets: [0.0; BUCKETS],
            count: 0,
            base_now: i64::MAX,
            base_before: i64::MAX,
            base_since: Timestamp::ZERO,
            target_us: 10_000,
        }
    }
    pub(super) fn base(&self) -> i64 {
        self.base_now.min(self.base_before)
    }
    pub(super) fn arrive(&mut self, now: Timestamp, transit: i64) {
        if now.0.saturating_sub(self.base_since.0) > BASE_WINDOW_US {
            self.base_before = self.base_now;
            self.base_now = i64::MAX;
            self.base_since = now;
        }
        self.base_now = self.base_now.min(transit);
        let late = transit.wrapping_sub(self.base()).max(0);
        let bucket = ((late / BUCKET_US) as usize).min(BUCKETS - 1);
        self.count = self.count.saturating_add(1);
        let keep = FORGET.min(1.0 - 1.0 / (self.count as f32 + 1.0));
        for b in &mut self.buckets {
            *b *= keep;
        }
        self.buckets[bucket] += 1.0 - keep;
        let total: f32 = self.buckets.iter().sum();
        let mut sum = 0.0;
        let mut at = 0;
        for (i, b) in self.buckets.iter().enumerate() {
            sum += b;
            at = i;
            if sum >= IN_TIME * total {
                break;
            }
        }
        let us = (at as i64 + 1) * BUCKET_US + BUCKET_US;
        self.target_us = us.min(i64::from(TARGET_MS_MAX) * 1_000);
    }
}
