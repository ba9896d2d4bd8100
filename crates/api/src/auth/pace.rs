//! How much one address may ask of operations that are open to anybody and dear or worth guessing
//! at. In memory: a restart forgives.

use cp_vocab::Timestamp;
use std::net::IpAddr;
use std::sync::Mutex;

/// Weight of one address in a minute; more is answered 429. Operations say what they weigh.
pub(crate) const WEIGHT_MAX: u32 = 120;
/// Addresses remembered; at the limit those of earlier minutes go, then all begin anew.
const ADDRESSES_MAX: usize = 20_000;

pub(crate) struct Pace(Mutex<cp_vocab::pace::Pace<IpAddr>>);

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(cp_vocab::pace::Pace::new(
            WEIGHT_MAX,
            ADDRESSES_MAX,
        )))
    }
}

impl Pace {
    /// Counts a request.
    ///
    /// # Errors
    /// Seconds until the address may ask again.
    pub(crate) fn take(&self, now: Timestamp, from: IpAddr, weight: u32) -> Result<(), u64> {
        let mut seen = self.0.lock().expect("no panic while held");
        seen.take(now, from, weight)
    }
}
