//! What a queue learns about itself: how long work takes, how long callers are patient, and by how
//! much its wait estimates have been wrong.

use crate::erlang::time_to_front;
use crate::view::WaitEstimate;

/// How much of the past one observation replaces (a memory of about 100).
const FORGET: f64 = 0.01;
/// Before anything was observed: three minutes of work, ten minutes of patience, each worth a few
/// observations so that the first odd call does not decide.
const PRIOR_HANDLE_MS: f64 = 180_000.0;
const PRIOR_HANDLE_WEIGHT: f64 = 3.0;
const PRIOR_PATIENCE_MS: f64 = 600_000.0;
/// Floors and ceilings of what is believed, whatever is observed.
const HANDLE_MS: (f64, f64) = (2_000.0, 4.0 * 3_600_000.0);
const PATIENCE_MS: (f64, f64) = (10_000.0, 4.0 * 3_600_000.0);
const RATIO: (f64, f64) = (0.5, 2.0);
/// No estimate is longer; a queue that would take longer is told as this.
const ESTIMATE_MS_MAX: f64 = 4.0 * 3_600_000.0;

/// Exponentially forgotten sums of one queue.
#[derive(Clone, Debug)]
pub(crate) struct WaitModel {
    handle_sum_ms: f64,
    handle_weight: f64,
    abandoned: f64,
    waited_sum_ms: f64,
    actual_sum_ms: f64,
    predicted_sum_ms: f64,
}

impl Default for WaitModel {
    fn default() -> Self {
        Self {
            handle_sum_ms: PRIOR_HANDLE_MS * PRIOR_HANDLE_WEIGHT,
            handle_weight: PRIOR_HANDLE_WEIGHT,
            abandoned: 1.0,
            waited_sum_ms: PRIOR_PATIENCE_MS,
            actual_sum_ms: 300_000.0,
            predicted_sum_ms: 300_000.0,
        }
    }
}

impl WaitModel {
    /// Work and wrap-up of one ticket are over.
    pub(crate) fn handled(&mut self, ms: u64) {
        self.handle_sum_ms = self.handle_sum_ms * (1.0 - FORGET) + ms as f64;
        self.handle_weight = self.handle_weight * (1.0 - FORGET) + 1.0;
    }

    /// A wait ended. Patience is estimated as abandonments per waited time (maximum likelihood with
    /// the answered ones censored); the ratio filter learns from those who waited and were told.
    pub(crate) fn waited(&mut self, ms: u64, abandoned: bool, predicted_ms: Option<u64>) {
        self.abandoned = self.abandoned * (1.0 - FORGET) + f64::from(u8::from(abandoned));
        self.waited_sum_ms = self.waited_sum_ms * (1.0 - FORGET) + ms as f64;
        if let (false, Some(predicted @ 1..)) = (abandoned, predicted_ms) {
            self.actual_sum_ms = self.actual_sum_ms * (1.0 - FORGET) + ms as f64;
            self.predicted_sum_ms = self.predicted_sum_ms * (1.0 - FORGET) + predicted as f64;
        }
    }

    pub(crate) fn handle_ms(&self) -> f64 {
        (self.handle_sum_ms / self.handle_weight).clamp(HANDLE_MS.0, HANDLE_MS.1)
    }

    pub(crate) fn patience_ms(&self) -> f64 {
        (self.waited_sum_ms / self.abandoned.max(1e-6)).clamp(PATIENCE_MS.0, PATIENCE_MS.1)
    }

    fn ratio(&self) -> f64 {
        (self.actual_sum_ms / self.predicted_sum_ms.max(1.0)).clamp(RATIO.0, RATIO.1)
    }

    /// Wait of a caller with `ahead` others before, while `agents` (a weight: shares of agents on
    /// duty) serve this queue. `None` while nobody does.
    pub(crate) fn estimate(&self, ahead: u32, agents: f64) -> Option<WaitEstimate> {
        let (mean, variance) = self.raw(ahead, agents)?;
        let corrected = (mean * self.ratio()).min(ESTIMATE_MS_MAX);
        // Two moments as a gamma; its quantiles by Wilson and Hilferty.
        let shape = mean * mean / variance;
        let quantile = |z: f64| {
            let root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt());
            (corrected * root.max(0.0).powi(3)).min(ESTIMATE_MS_MAX) as u64
        };
        Some(WaitEstimate {
            mean_ms: corrected as u64,
            p50_ms: quantile(0.0),
            p90_ms: quantile(1.281_551_6),
        })
    }

    /// The estimate before the ratio filter, which is what the filter compares with.
    pub(crate) fn raw_ms(&self, ahead: u32, agents: f64) -> Option<u64> {
        self.raw(ahead, agents)
            .map(|(mean, _)| mean.min(ESTIMATE_MS_MAX) as u64)
    }

    fn raw(&self, ahead: u32, agents: f64) -> Option<(f64, f64)> {
        if agents <= 1e-6 {
            return None;
        }
        Some(time_to_front(
            ahead,
            agents / self.handle_ms(),
            1.0 / self.patience_ms(),
        ))
    }
}

/// What callers are told: whole steps of 30 s, rounded down.
pub(crate) fn announced(estimate: WaitEstimate) -> u64 {
    const STEP_MS: u64 = 30_000;
    estimate.mean_ms / STEP_MS * STEP_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learns_work_and_patience() {
        let mut model = WaitModel::default();
        assert_eq!(model.estimate(3, 0.0), None);
        for i in 0..600 {
            model.handled(60_000);
            model.waited(30_000, i % 4 == 0, Some(30_000));
        }
        assert!((model.handle_ms() - 60_000.0).abs() < 500.0);
        assert!((model.patience_ms() - 120_000.0).abs() < 4_000.0);
        let estimate = model.estimate(4, 10.0).unwrap();
        // 6 s a step, a little faster for those who give up.
        assert!((26_000..30_000).contains(&estimate.mean_ms), "{estimate:?}");
        assert!(estimate.p50_ms < estimate.mean_ms && estimate.mean_ms < estimate.p90_ms);
        assert_eq!(announced(estimate), 0);
        assert_eq!(
            announced(WaitEstimate {
                mean_ms: 119_999,
                p50_ms: 0,
                p90_ms: 0
            }),
            90_000
        );
    }

    #[test]
    fn corrects_a_steady_error_within_bounds() {
        let mut model = WaitModel::default();
        let before = model.estimate(9, 5.0).unwrap().mean_ms;
        for _ in 0..1_000 {
            model.waited(45_000, false, Some(30_000));
        }
        let patience_effect = model.raw_ms(9, 5.0).unwrap();
        let after = model.estimate(9, 5.0).unwrap().mean_ms;
        assert!(after > before);
        assert!((after as f64 / patience_effect as f64 - 1.5).abs() < 0.02);
        for _ in 0..1_000 {
            model.waited(3_000_000, false, Some(1_000));
        }
        assert!(model.estimate(9, 5.0).unwrap().mean_ms <= 2 * model.raw_ms(9, 5.0).unwrap() + 1);
    }
}
