//! All timers of the signalling in one queue. Entries are never taken out early: whoever set a
//! timer remembers the time it is valid for and ignores a firing for another ("lazy cancellation").
//!
//! SIP uses few distinct delays (T1, T4, 64*T1, ...), so each gets a lane: a queue whose entries
//! arrive in order and cost nothing to sort. Everything else goes to a heap.

use cp_vocab::Timestamp;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

struct Entry<K> {
    at: Timestamp,
    /// Ties fire in the order they were set.
    seq: u64,
    key: K,
}

impl<K> PartialEq for Entry<K> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}
impl<K> Eq for Entry<K> {}
impl<K> PartialOrd for Entry<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Entry<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.seq).cmp(&(other.at, other.seq))
    }
}

struct Lane<K> {
    delay: Duration,
    entries: VecDeque<Entry<K>>,
}

/// Timers with keys of type `K`. Holds at most a few entries per transaction and call, all of
/// which fire in the end, so its size is bounded by theirs.
pub(crate) struct TimerQueue<K> {
    lanes: Vec<Lane<K>>,
    heap: BinaryHeap<Reverse<Entry<K>>>,
    seq: u64,
}

impl<K: Copy> TimerQueue<K> {
    /// `delays` are the ones that occur often; any other works too.
    pub(crate) fn new(delays: &[Duration]) -> Self {
        Self {
            lanes: delays
                .iter()
                .map(|&delay| Lane {
                    delay,
                    entries: VecDeque::new(),
                })
                .collect(),
            heap: BinaryHeap::new(),
            seq: 0,
        }
    }

    /// Sets a timer and gives the time it will fire at.
    pub(crate) fn schedule(&mut self, now: Timestamp, delay: Duration, key: K) -> Timestamp {
        let at = now + delay;
        self.seq += 1;
        let entry = Entry {
            at,
            seq: self.seq,
            key,
        };
        let lane = self.lanes.iter_mut().find(|lane| lane.delay == delay);
        match lane {
            Some(lane) if lane.entries.back().is_none_or(|last| last.at <= at) => {
                lane.entries.push_back(entry);
            }
            // Time went back (or the delay is rare): the heap sorts it.
            _ => self.heap.push(Reverse(entry)),
        }
        at
    }

    /// When the next entry fires; it may turn out to be cancelled.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let lanes = self.lanes.iter().filter_map(|l| l.entries.front());
        let heap = self.heap.peek().map(|r| &r.0);
        lanes.chain(heap).min().map(|e| e.at)
    }

    /// The earliest entry that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, K)> {
        let mut best: Option<(Timestamp, u64, Option<usize>)> =
            self.heap.peek().map(|r| (r.0.at, r.0.seq, None));
        for (i, lane) in self.lanes.iter().enumerate() {
            if let Some(front) = lane.entries.front()
                && best.is_none_or(|(at, seq, _)| (front.at, front.seq) < (at, seq))
            {
                best = Some((front.at, front.seq, Some(i)));
            }
        }
        let (at, _, place) = best?;
        if at > now {
            return None;
        }
        let entry = match place {
            Some(i) => self.lanes[i].entries.pop_front(),
            None => self.heap.pop().map(|r| r.0),
        };
        entry.map(|e| (e.at, e.key))
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len() + self.lanes.iter().map(|l| l.entries.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_in_order_from_lanes_and_heap() {
        let ms = Duration::from_millis;
        let mut queue = TimerQueue::new(&[ms(500), ms(5000)]);
        let t0 = Timestamp::from_secs(100);
        queue.schedule(t0, ms(5000), 'c');
        queue.schedule(t0, ms(500), 'a');
        queue.schedule(t0, ms(700), 'b');
        queue.schedule(t0 + ms(100), ms(500), 'B');
        // An earlier clock than before must not break the order of the lane.
        queue.schedule(Timestamp::from_secs(99), ms(500), '0');
        assert_eq!(queue.next(), Some(Timestamp::from_millis(99_500)));
        let mut seen = String::new();
        while let Some((_, key)) = queue.pop_due(t0 + ms(4999)) {
            seen.push(key);
        }
        assert_eq!(seen, "0aBb");
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.pop_due(t0 + ms(5000)).map(|e| e.1), Some('c'));
        assert_eq!(queue.next(), None);
    }
}
