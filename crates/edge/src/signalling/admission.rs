//! How many connections may be open, in total and from one source.

use super::counters::Counters;
use super::limits::Limits;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts accepted connections from before their handshake to their end.
pub(super) struct Admission {
    total_max: usize,
    per_source_max: usize,
    counters: Arc<Counters>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_source: FxHashMap<IpAddr, usize>,
}

impl Admission {
    pub(super) fn new(limits: &Limits, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            total_max: limits.connections_max,
            per_source_max: limits.connections_per_source_max,
            counters,
            open: Mutex::default(),
        })
    }

    /// Let a connection in, or `None` at a limit. The place is free again when the permit is dropped.
    pub(super) fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Permit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let from_source = open.by_source.get(&source).copied().unwrap_or(0);
        if open.total >= self.total_max || from_source >= self.per_source_max {
            Counters::add(&self.counters.connections_refused, 1);
            return None;
        }
        open.total += 1;
        open.by_source.insert(source, from_source + 1);
        Counters::add(&self.counters.connections_open, 1);
        Counters::add(&self.counters.connections_accepted, 1);
        Some(Permit {
            admission: Arc::clone(self),
            source,
        })
    }
}

/// One accepted connection.
pub(super) struct Permit {
    admission: Arc<Admission>,
    source: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self
            .admission
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(n) = open.by_source.get_mut(&self.source) {
            *n -= 1;
            if *n == 0 {
                open.by_source.remove(&self.source);
            }
        }
        Counters::sub(&self.admission.counters.connections_open, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_stopped_at_its_limit_and_the_house_at_its_own() {
        let limits = Limits {
            connections_max: 3,
            connections_per_source_max: 2,
            ..Limits::default()
        };
        let admission = Admission::new(&limits, Arc::default());
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let first = admission.enter(a).expect("room");
        let _second = admission.enter(a).expect("room");
        assert!(admission.enter(a).is_none(), "third of one source");
        let _third = admission.enter(b).expect("room for another source");
        assert!(admission.enter(b).is_none(), "house full");
        drop(first);
        assert!(admission.enter(b).is_some(), "a place is free again");
        assert!(
            admission
                .open
                .lock()
                .expect("lock")
                .by_source
                .contains_key(&a)
        );
    }
}
