//! How much of something each may do in a minute.

use crate::time::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;

const WINDOW_S: u64 = 60;

/// Counts by key, in minutes of the clock. Pure: whoever shares it between threads locks it.
#[derive(Clone, Debug)]
pub struct Pace<K> {
    weight_max: u32,
    keys_max: usize,
    /// Which minute, and what was taken in it.
    taken: HashMap<K, (u64, u32)>,
}

impl<K: Eq + Hash> Pace<K> {
    /// `weight_max`: what one key may take in a minute. `keys_max`: keys remembered; at that many
    /// those of earlier minutes go, then all begin anew.
    pub fn new(weight_max: u32, keys_max: usize) -> Self {
        Self {
            weight_max,
            keys_max,
            taken: HashMap::new(),
        }
    }

    /// Takes a share of the key's minute.
    ///
    /// # Errors
    /// Seconds until the next minute, when there is not so much left; nothing is taken then.
    pub fn take(&mut self, now: Timestamp, key: K, weight: u32) -> Result<(), u64> {
        let seconds = now.as_millis() / 1_000;
        let minute = seconds / WINDOW_S;
        if self.taken.len() >= self.keys_max && !self.taken.contains_key(&key) {
            self.taken.retain(|_, (at, _)| *at == minute);
            if self.taken.len() >= self.keys_max {
                self.taken.clear();
            }
        }
        let entry = self.taken.entry(key).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        if entry.1.saturating_add(weight) > self.weight_max {
            return Err(WINDOW_S - seconds % WINDOW_S);
        }
        entry.1 += weight;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_share_of_a_minute() {
        let mut pace = Pace::new(120, 20_000);
        let now = Timestamp::from_secs(1_800_000_000);
        let passed = (0..1_000).filter(|_| pace.take(now, 1, 4).is_ok());
        assert_eq!(passed.count(), 30);
        assert_eq!(pace.take(now, 1, 1), Err(60));
        assert_eq!(pace.take(now, 2, 4), Ok(()));
        let later = Timestamp::from_secs(1_800_000_060);
        assert_eq!(pace.take(later, 1, 4), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut pace = Pace::new(1, 1_000);
        for n in 0..1_500 {
            let now = Timestamp::from_secs(1_800_000_000 + n / 100);
            let _ = pace.take(now, n, 1);
        }
        assert!(pace.taken.len() <= 1_000);
    }
}
