//! How much may come in by communication points: nobody there is signed in.

use cp_vocab::{PointId, Timestamp};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

/// Requests of one address at one point in a minute; more are answered 429.
pub(crate) const PER_ADDRESS_MAX: u32 = 30;
/// Requests at one point in a minute from everywhere.
pub(crate) const PER_POINT_MAX: u32 = 600;
/// Looks of one address at what became of its requests in a minute; a page in a call looks every few
/// seconds, and many customers may sit behind one address.
pub(crate) const LOOKS_PER_ADDRESS_MAX: u32 = 1_200;
/// Addresses remembered; at the limit all begin anew.
const ENTRIES_MAX: usize = 20_000;
const WINDOW_S: u64 = 60;

/// Of one address at a point, or of all; whether they are looks alone.
type Key = (PointId, Option<IpAddr>, bool);
/// Which minute, and how many in it.
type Count = (u64, u32);

#[derive(Default)]
pub(crate) struct Taps(Mutex<HashMap<Key, Count>>);

impl Taps {
    /// Counts a request; false when it is one too many. `looks`: it asks for nothing but how a request
    /// of its own stands.
    pub(crate) fn pass(
        &self,
        now: Timestamp,
        point: PointId,
        from: Option<IpAddr>,
        looks: bool,
    ) -> bool {
        let minute = now.as_millis() / 1_000 / WINDOW_S;
        let mut seen = self.0.lock().expect("no panic while held");
        if seen.len() >= ENTRIES_MAX {
            seen.retain(|_, (at, _)| *at == minute);
            if seen.len() >= ENTRIES_MAX {
                seen.clear();
            }
        }
        let mut count = |key, max| {
            let entry = seen.entry(key).or_insert((minute, 0));
            if entry.0 != minute {
                *entry = (minute, 0);
            }
            entry.1 += 1;
            entry.1 <= max
        };
        if looks {
            return count((point, from, true), LOOKS_PER_ADDRESS_MAX);
        }
        let point_free = count((point, None, false), PER_POINT_MAX);
        point_free && from.is_none_or(|ip| count((point, Some(ip), false), PER_ADDRESS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::id::TypedId;

    #[test]
    fn one_address_and_one_point_have_their_share_of_a_minute() {
        let taps = Taps::default();
        let point = PointId::from_u128(1);
        let now = Timestamp::from_secs(1_800_000_000);
        let ip = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
        let passed = (0..100)
            .filter(|_| taps.pass(now, point, ip(1), false))
            .count();
        assert_eq!(passed as u32, PER_ADDRESS_MAX);
        assert!(
            taps.pass(now, point, ip(1), true),
            "who is in a call may look"
        );
        assert!(
            taps.pass(now, point, ip(2), false),
            "others are not in the way"
        );
        let many = (0..1_000u16).filter(|n| {
            let ip = Some(IpAddr::from([10, 1, (n >> 8) as u8, *n as u8]));
            taps.pass(now, point, ip, false)
        });
        assert!(many.count() < PER_POINT_MAX as usize);
        let later = Timestamp::from_secs(1_800_000_060);
        assert!(taps.pass(later, point, ip(1), false), "a new minute");
    }
}
