//! How often one may be wrong: a few times freely, then with growing waits, then not before tomorrow.

use cp_vocab::Timestamp;
use cp_vocab::proof::Tries;

/// Failures in a row without a wait.
pub const FREE: u32 = 4;
/// The first wait; it doubles.
pub const WAIT_S_MIN: u64 = 60;
pub const WAIT_S_MAX: u64 = 3_600;
/// Failures of a day (UTC) after which nothing is taken until the next.
pub const DAY_MAX: u32 = 20;
/// Failures are forgotten after this long without one.
const FORGET_S: u64 = 24 * 3_600;

fn seconds(t: Timestamp) -> u64 {
    t.as_millis() / 1_000
}

fn day(now: Timestamp) -> u32 {
    (seconds(now) / 86_400) as u32
}

/// Seconds until another try is taken; none when it is taken now.
pub fn wait_s(tries: &Tries, now: Timestamp) -> Option<u64> {
    if tries.day == day(now) && tries.day_failures >= DAY_MAX {
        return Some(86_400 - seconds(now) % 86_400);
    }
    if tries.failures <= FREE {
        return None;
    }
    let doublings = (tries.failures - FREE - 1).min(16);
    let wait = (WAIT_S_MIN << doublings).min(WAIT_S_MAX);
    let until = seconds(tries.last) + wait;
    until.checked_sub(seconds(now)).filter(|w| *w > 0)
}

/// Counts a try before its outcome is known, so that many at once cannot all be first. One that has
/// to wait is not counted.
pub fn begin(mut tries: Tries, now: Timestamp) -> Tries {
    if wait_s(&tries, now).is_some() {
        return tries;
    }
    if seconds(now).saturating_sub(seconds(tries.last)) >= FORGET_S {
        tries.failures = 0;
    }
    if tries.day != day(now) {
        tries.day = day(now);
        tries.day_failures = 0;
    }
    tries.failures = tries.failures.saturating_add(1);
    tries.day_failures = tries.day_failures.saturating_add(1);
    tries.last = now;
    tries
}

/// The try was right: the row begins anew; the day keeps what was wrong before.
pub fn passed(mut tries: Tries, _: Timestamp) -> Tries {
    tries.failures = 0;
    tries.day_failures = tries.day_failures.saturating_sub(1);
    tries
}
