//! The ports the engine may put into an SDP: only pairs that a media worker has bound.

use cp_vocab::Timestamp;
use cp_vocab::media::PortPair;
use std::collections::VecDeque;
use std::time::Duration;

/// A freed port rests so long before it is used again, so that late packets of the old call meet
/// nobody.
pub(crate) const REST: Duration = Duration::from_millis(250);
/// Below this many free pairs the worker is asked for more.
pub(crate) const LOW_WATER: usize = 64;

#[derive(Default)]
struct Pool {
    free: VecDeque<PortPair>,
    resting: VecDeque<(Timestamp, PortPair)>,
    asked: bool,
    exhausted: bool,
    in_use: usize,
}

/// Free lists, one for each worker.
#[derive(Default)]
pub(crate) struct Ports {
    pools: Vec<Pool>,
}

impl Ports {
    pub(crate) fn add(&mut self, pairs: Vec<PortPair>) {
        for pair in pairs {
            let w = usize::from(pair.worker);
            if self.pools.len() <= w {
                self.pools.resize_with(w + 1, Pool::default);
            }
            self.pools[w].free.push_back(pair);
            self.pools[w].asked = false;
            self.pools[w].exhausted = false;
        }
    }

    pub(crate) fn exhausted(&mut self, worker: u16) {
        if let Some(p) = self.pools.get_mut(usize::from(worker)) {
            p.asked = false;
            p.exhausted = true;
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.pools.len()
    }

    pub(crate) fn in_use(&self) -> usize {
        self.pools.iter().map(|p| p.in_use).sum()
    }

    /// A port of this worker, or `None` when none is free and none has rested long enough.
    pub(crate) fn take(&mut self, worker: u16, now: Timestamp) -> Option<PortPair> {
        let pool = self.pools.get_mut(usize::from(worker))?;
        while let Some((until, _)) = pool.resting.front()
            && *until <= now
        {
            let (_, pair) = pool.resting.pop_front().expect("front was seen");
            pool.free.push_back(pair);
        }
        // When everything else is in use, a port that has not rested fully is better than a refusal.
        let pair = pool.free.pop_front().or_else(|| {
            pool.exhausted
                .then(|| pool.resting.pop_front().map(|(_, p)| p))
                .flatten()
        })?;
        pool.in_use += 1;
        Some(pair)
    }

    pub(crate) fn give_back(&mut self, pair: PortPair, now: Timestamp) {
        if let Some(pool) = self.pools.get_mut(usize::from(pair.worker)) {
            pool.in_use = pool.in_use.saturating_sub(1);
            pool.resting.push_back((now + REST, pair));
        }
    }

    /// A port in use goes to another worker for good.
    pub(crate) fn moved(&mut self, pair: PortPair, to: u16) -> PortPair {
        if let Some(pool) = self.pools.get_mut(usize::from(pair.worker)) {
            pool.in_use = pool.in_use.saturating_sub(1);
        }
        if let Some(pool) = self.pools.get_mut(usize::from(to)) {
            pool.in_use += 1;
        }
        PortPair { worker: to, ..pair }
    }

    /// The workers that should bind more, each told once until it answers.
    pub(crate) fn hungry(&mut self) -> Option<u16> {
        let w = self
            .pools
            .iter()
            .position(|p| p.free.len() < LOW_WATER && !p.asked && !p.exhausted)?;
        self.pools[w].asked = true;
        Some(w as u16)
    }

    /// The worker with the most free ports, for a new interaction that is bound to none.
    pub(crate) fn least_used(&self) -> u16 {
        self.pools
            .iter()
            .enumerate()
            .min_by_key(|(_, p)| p.in_use)
            .map_or(0, |(w, _)| w as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(n: u16) -> PortPair {
        PortPair {
            worker: 0,
            rtp: ([127, 0, 0, 1], n).into(),
        }
    }

    #[test]
    fn ports_rest_before_they_return() {
        let mut ports = Ports::default();
        ports.add(vec![pair(10_000)]);
        let t = Timestamp::from_secs(1);
        let p = ports.take(0, t).unwrap();
        assert_eq!(ports.take(0, t), None);
        ports.give_back(p, t);
        assert_eq!(ports.take(0, t), None, "still resting");
        assert_eq!(ports.take(0, t + REST), Some(p));
        assert_eq!(ports.take(7, t), None, "no such worker");
        assert_eq!(ports.in_use(), 1);
    }

    #[test]
    fn a_worker_is_asked_once() {
        let mut ports = Ports::default();
        ports.add(vec![pair(10_000)]);
        assert_eq!(ports.hungry(), Some(0));
        assert_eq!(ports.hungry(), None);
        ports.add(vec![pair(10_002)]);
        assert_eq!(ports.hungry(), Some(0));
        ports.exhausted(0);
        assert_eq!(ports.hungry(), None, "nothing more is to be had");
    }
}
