//! Which targets failed lately.

use cp_vocab::Timestamp;
use cp_vocab::net::Target;
use rustc_hash::FxHashMap;
use std::time::Duration;

/// A target that failed is tried last for so long.
const FAILED_FOR: Duration = Duration::from_secs(30);
/// Failed targets remembered; beyond that all are forgotten, which costs a few retries.
const FAILED_MAX: usize = 4_096;

/// Targets that failed lately.
#[derive(Default)]
pub(crate) struct Blacklist {
    until: FxHashMap<Target, Timestamp>,
}

impl Blacklist {
    pub(crate) fn failed(&mut self, now: Timestamp, target: Target) {
        // A flow that failed is gone; it needs no memory.
        if matches!(target, Target::Flow(_)) {
            return;
        }
        if self.until.len() >= FAILED_MAX {
            self.until.retain(|_, until| *until > now);
            if self.until.len() >= FAILED_MAX {
                self.until.clear();
            }
        }
        self.until.insert(target, now + FAILED_FOR);
    }

    pub(crate) fn is_failed(&self, now: Timestamp, target: &Target) -> bool {
        self.until.get(target).is_some_and(|until| *until > now)
    }

    /// Puts targets that failed lately last; none is left out, since all may have failed.
    pub(crate) fn order(&self, now: Timestamp, mut targets: Vec<Target>) -> Vec<Target> {
        if targets.len() > 1 && !self.until.is_empty() {
            targets.sort_by_key(|t| self.is_failed(now, t));
        }
        targets
    }
}
