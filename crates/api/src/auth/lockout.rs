//! Slows down guessing: each failure beyond the free ones doubles the wait, per sign-in name
//! (known or not) and per source address. Kept in memory: a restart forgives, which is rare.

use cp_vocab::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

/// Failures of one name before it has to wait.
pub const FAILURES_FREE_LOGIN: u32 = 5;
/// Failures from one address before it has to wait; higher, since offices share an address.
pub const FAILURES_FREE_SOURCE: u32 = 30;
/// The longest wait: the lock-out.
pub const WAIT_S_MAX: u64 = 15 * 60;
/// A name or address without a failure for this long starts anew.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);
/// Names and addresses remembered. At the limit those that failed longest ago are forgotten.
const ENTRIES_MAX: usize = 20_000;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Login(String),
    Source(IpAddr),
}

#[derive(Clone, Copy)]
struct Entry {
    failures: u32,
    last: Timestamp,
}

impl Entry {
    fn free_at(&self, free: u32) -> Timestamp {
        let over = self.failures.saturating_sub(free);
        if over == 0 {
            return Timestamp::ZERO;
        }
        let wait_s = 1u64
            .checked_shl(over - 1)
            .unwrap_or(WAIT_S_MAX)
            .min(WAIT_S_MAX);
        self.last + Duration::from_secs(wait_s)
    }
}

/// All failures remembered.
#[derive(Default)]
pub struct Lockout {
    entries: Mutex<HashMap<Key, Entry>>,
}

impl Lockout {
    /// Counts an attempt before it is judged, so that many at once are not free.
    ///
    /// # Errors
    /// Seconds to wait; such an attempt is neither judged nor counted.
    pub fn begin(&self, now: Timestamp, login: &str, source: Option<IpAddr>) -> Result<(), u64> {
        let mut entries = self.entries.lock().expect("no panic while held");
        let keys = keys(login, source);
        let free_at = keys
            .iter()
            .filter_map(|(key, free)| {
                let entry = entries.get(key)?;
                (now.since(entry.last) < FORGET_AFTER).then(|| entry.free_at(*free))
            })
            .max()
            .unwrap_or(Timestamp::ZERO);
        if free_at > now {
            let wait = free_at.since(now);
            return Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        }
        make_room(&mut entries, now);
        for (key, _) in keys {
            let entry = entries.entry(key).or_insert(Entry {
                failures: 0,
                last: now,
            });
            if now.since(entry.last) >= FORGET_AFTER {
                entry.failures = 0;
            }
            entry.failures = entry.failures.saturating_add(1);
            entry.last = now;
        }
        Ok(())
    }

    /// The attempt was right: the name starts anew, the address gets this attempt back.
    pub fn succeeded(&self, login: &str, source: Option<IpAddr>) {
        let mut entries = self.entries.lock().expect("no panic while held");
        entries.remove(&Key::Login(fold(login)));
        if let Some(entry) = source.and_then(|ip| entries.get_mut(&Key::Source(ip))) {
            entry.failures = entry.failures.saturating_sub(1);
        }
    }
}

fn fold(login: &str) -> String {
    login.trim().to_lowercase()
}

fn keys(login: &str, source: Option<IpAddr>) -> Vec<(Key, u32)> {
    let mut keys = vec![(Key::Login(fold(login)), FAILURES_FREE_LOGIN)];
    keys.extend(source.map(|ip| (Key::Source(ip), FAILURES_FREE_SOURCE)));
    keys
}

fn make_room(entries: &mut HashMap<Key, Entry>, now: Timestamp) {
    if entries.len() + 2 <= ENTRIES_MAX {
        return;
    }
    entries.retain(|_, e| now.since(e.last) < FORGET_AFTER);
    if entries.len() + 2 <= ENTRIES_MAX {
        return;
    }
    let mut times: Vec<Timestamp> = entries.values().map(|e| e.last).collect();
    let (_, cut, _) = times.select_nth_unstable(ENTRIES_MAX / 10);
    let cut = *cut;
    entries.retain(|_, e| e.last > cut);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + s)
    }

    #[test]
    fn waits_double_up_to_the_lock_out() {
        let l = Lockout::default();
        let mut now = 0;
        let mut waits = vec![];
        for _ in 0..20 {
            if let Err(wait) = l.begin(at(now), "Ann", None) {
                waits.push(wait);
                now += wait;
                assert_eq!(l.begin(at(now), "ann ", None), Ok(()));
            }
        }
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits.last(), Some(&WAIT_S_MAX));
        assert_eq!(l.begin(at(now), "bob", None), Ok(()), "others are free");
    }

    #[test]
    fn success_and_time_forgive() {
        let l = Lockout::default();
        for _ in 0..FAILURES_FREE_LOGIN {
            l.begin(at(0), "ann", None).unwrap();
        }
        l.succeeded("ann", None);
        assert_eq!(l.begin(at(0), "ann", None), Ok(()));
        for _ in 0..FAILURES_FREE_LOGIN {
            let _ = l.begin(at(0), "ann", None);
        }
        assert!(l.begin(at(0), "ann", None).is_err());
        assert_eq!(l.begin(at(3600), "ann", None), Ok(()));
    }

    #[test]
    fn a_source_that_tries_many_names_waits_too() {
        let l = Lockout::default();
        let ip = Some(IpAddr::from([192, 0, 2, 1]));
        for i in 0..=FAILURES_FREE_SOURCE {
            l.begin(at(0), &format!("user{i}"), ip).unwrap();
        }
        assert_eq!(l.begin(at(0), "another", ip), Err(1));
        assert_eq!(l.begin(at(0), "another", None), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let l = Lockout::default();
        for i in 0..ENTRIES_MAX as u64 + 5_000 {
            let _ = l.begin(at(i / 100), &format!("u{i}"), None);
        }
        assert!(l.entries.lock().unwrap().len() <= ENTRIES_MAX);
    }
}
