//! A log in memory that commits late, fails, or loses what was not committed.

use cp_vocab::event::{EventRecord, LogPosition, StreamId};
use cp_vocab::*;
use std::collections::{BTreeMap, VecDeque};

#[derive(Default)]
pub struct Log {
    pub durable: Vec<EventRecord>,
    waiting: VecDeque<(LogPosition, Vec<EventRecord>)>,
    pub failing: bool,
    /// Sequence errors found on the way in: there must be none.
    pub wrong: Vec<String>,
}

impl Log {
    pub fn append(&mut self, records: Vec<EventRecord>, upto: LogPosition) {
        self.waiting.push_back((upto, records));
    }

    /// Commits what waits up to `upto`; gives the position that is durable now.
    pub fn commit(&mut self, upto: LogPosition) -> Option<LogPosition> {
        if self.failing {
            return None;
        }
        let mut last = None;
        while self.waiting.front().is_some_and(|(p, _)| *p <= upto) {
            let (position, records) = self.waiting.pop_front().expect("front was seen");
            for r in records {
                self.check_sequence(&r);
                self.durable.push(r);
            }
            last = Some(position);
        }
        last
    }

    fn check_sequence(&mut self, r: &EventRecord) {
        if let StreamId::Interaction(id) = r.stream {
            let want = self.of(id).count() as u64 + 1;
            if r.seq != want {
                self.wrong.push(format!(
                    "{id}: {} has seq {}, expected {want}",
                    r.event.kind(),
                    r.seq
                ));
            }
        }
    }

    pub fn pending(&self) -> Option<LogPosition> {
        self.waiting.back().map(|(p, _)| *p)
    }

    /// The process died: what was not committed is gone.
    pub fn crash(&mut self) {
        self.waiting.clear();
    }

    pub fn of(&self, id: InteractionId) -> impl Iterator<Item = &EventRecord> {
        self.durable
            .iter()
            .filter(move |r| r.stream == StreamId::Interaction(id))
    }

    /// All records of an interaction, those not yet durable too.
    pub fn all_of(&self, id: InteractionId) -> Vec<EventRecord> {
        let waiting = self.waiting.iter().flat_map(|(_, r)| r.iter());
        let of = |r: &&EventRecord| r.stream == StreamId::Interaction(id);
        let mut all: Vec<EventRecord> = self.of(id).cloned().collect();
        all.extend(waiting.filter(of).cloned());
        all
    }

    /// Every interaction in the log with its records, in order.
    pub fn interactions(&self) -> BTreeMap<InteractionId, Vec<EventRecord>> {
        let mut all: BTreeMap<InteractionId, Vec<EventRecord>> = BTreeMap::new();
        for r in &self.durable {
            if let StreamId::Interaction(id) = r.stream {
                all.entry(id).or_default().push(r.clone());
            }
        }
        all
    }

    /// Started and not ended: what a restart takes up.
    pub fn open(&self) -> Vec<(InteractionId, TenantId, Vec<EventRecord>)> {
        self.interactions()
            .into_iter()
            .filter(|(_, records)| {
                !records
                    .iter()
                    .any(|r| matches!(r.event, Event::Ended { .. }))
            })
            .map(|(id, records)| (id, records[0].tenant, records))
            .collect()
    }
}
