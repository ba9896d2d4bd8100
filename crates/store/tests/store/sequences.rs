//! Any mixture of good and bad batches over a few streams does what a simple model says.

use crate::support::*;
use cp_store::StoreError;
use cp_vocab::event::*;
use cp_vocab::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A record to come: which stream, and how far from the number that is due.
type Planned = (u8, i8);

fn plans() -> impl Strategy<Value = Vec<Vec<Planned>>> {
    let off = prop_oneof![8 => Just(0i8), 1 => Just(1i8), 1 => Just(-1i8), 1 => Just(-2i8)];
    let record = (0u8..4, off);
    prop::collection::vec(prop::collection::vec(record, 1..6), 1..40)
}

/// The model: numbers per stream; a batch is kept whole or refused at its first bad record.
#[derive(Default, Clone)]
struct Model {
    last: BTreeMap<StreamId, u64>,
    kept: Vec<EventRecord>,
}

impl Model {
    fn append(&mut self, batch: &[EventRecord]) -> Result<(), StoreError> {
        let mut next = self.clone();
        for record in batch {
            let last = next.last.entry(record.stream).or_default();
            if record.seq != *last + 1 {
                return Err(StoreError::SequenceConflict {
                    stream: record.stream,
                    expected: *last + 1,
                    got: record.seq,
                });
            }
            *last += 1;
            next.kept.push(record.clone());
        }
        *self = next;
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_log_keeps_what_the_model_keeps(plans in plans(), reopen_at in 0usize..40) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::of(open(&dir));
        let mut world = World::new(1);
        let streams: Vec<StreamId> = (0..4)
            .map(|i| match i {
                0 => StreamId::Agent(world.id()),
                _ => StreamId::Interaction(world.id()),
            })
            .collect();
        let mut model = Model::default();
        let mut verdicts = Vec::new();
        for (i, plan) in plans.iter().enumerate() {
            if i == reopen_at {
                for (position, want) in verdicts.drain(..) {
                    prop_assert_eq!(log.outcome(position), want);
                }
                drop(log);
                log = Log::of(open(&dir));
            }
            let mut ahead = model.last.clone();
            let batch: Vec<EventRecord> = plan
                .iter()
                .map(|(which, off)| {
                    let stream = streams[usize::from(*which)];
                    let last = ahead.entry(stream).or_default();
                    *last += 1;
                    // 0 would ask the store for a number.
                    let seq = last.saturating_add_signed(i64::from(*off)).max(1);
                    world.later(1);
                    let agent: AgentId = world.id();
                    world.record(stream, seq, Event::LeaseLost { agent, what: "x".into() })
                })
                .collect();
            let want = model.append(&batch);
            verdicts.push((log.append(batch), want));
        }
        for (position, want) in verdicts {
            prop_assert_eq!(log.outcome(position), want);
        }
        let kept: Vec<EventRecord> =
            log.store.follow(0, 10_000).unwrap().into_iter().map(|(_, r)| r).collect();
        prop_assert_eq!(&kept, &model.kept);
        for stream in streams {
            let want: Vec<_> = kept.iter().filter(|r| r.stream == stream).cloned().collect();
            prop_assert_eq!(log.store.stream(stream, 1, 10_000).unwrap(), want);
        }
    }
}
