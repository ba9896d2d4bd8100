//! How much one address may ask of operations that are open to anybody and dear or worth guessing
//! at. In memory: a restart forgives.

use cp_vocab::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

/// Weight of one address in a minute; more is answered 429. Operations say what they weigh.
pub(crate) const WEIGHT_MAX: u32 = 120;
/// Addresses remembered; at the limit those of earlier minutes go, then all begin anew.
const ADDRESSES_MAX: usize = 20_000;
const WINDOW_S: u64 = 60;

/// Which minute, and what was asked in it.
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<IpAddr, (u64, u32)>>);

impl Pace {
    /// Counts a request.
    ///
    /// # Errors
    /// Seconds until the address may ask again.
    pub(crate) fn take(&self, now: Timestamp, from: IpAddr, weight: u32) -> Result<(), u64> {
        let seconds = now.as_millis() / 1_000;
        let minute = seconds / WINDOW_S;
        let mut seen = self.0.lock().expect("no panic while held");
        if seen.len() >= ADDRESSES_MAX && !seen.contains_key(&from) {
            seen.retain(|_, (at, _)| *at == minute);
            if seen.len() >= ADDRESSES_MAX {
                seen.clear();
            }
        }
        let entry = seen.entry(from).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        if entry.1.saturating_add(weight) > WEIGHT_MAX {
            return Err(WINDOW_S - seconds % WINDOW_S);
        }
        entry.1 += weight;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn an_address_has_its_share_of_a_minute_and_others_theirs() {
        let pace = Pace::default();
        let now = Timestamp::from_secs(1_800_000_000);
        let passed = (0..1_000).filter(|_| pace.take(now, ip(1), 4).is_ok());
        assert_eq!(passed.count() as u32, WEIGHT_MAX / 4);
        assert_eq!(pace.take(now, ip(1), 1), Err(60));
        assert_eq!(pace.take(now, ip(2), 4), Ok(()));
        let later = Timestamp::from_secs(1_800_000_060);
        assert_eq!(pace.take(later, ip(1), 4), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let pace = Pace::default();
        for n in 0..ADDRESSES_MAX as u32 + 500 {
            let now = Timestamp::from_secs(1_800_000_000 + u64::from(n) / 100);
            let _ = pace.take(now, ip(n), 1);
        }
        assert!(pace.0.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
