//! Waiting for a condition, with a deadline and a name.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// How long things may take on a busy two-core machine before a test calls them broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `ready` until it answers, every few milliseconds.
///
/// # Panics
/// After `limit`, naming `what` was awaited.
pub fn until_within<T>(limit: Duration, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    try_until(limit, &mut ready).unwrap_or_else(|| panic!("not within {limit:?}: {what}"))
}

/// Asks `ready` until it answers; `None` after `limit`.
pub fn try_until<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let found = ready();
        if found.is_some() || Instant::now() >= end {
            return found;
        }
        park_timeout(Duration::from_millis(10));
    }
}

/// [`until_within`] [`PATIENCE`].
pub fn until<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ready)
}

/// Watches that `holds` stays true for `span`.
///
/// # Panics
/// As soon as it does not.
pub fn holds_for(span: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(holds(), "did not hold: {what}");
        park_timeout(Duration::from_millis(20));
    }
}
