//! The log itself.

use super::{Make, Setting};
use crate::support::*;
use cp_store::*;
use cp_vocab::event::*;
use cp_vocab::refusal::{Code, Refusal};
use cp_vocab::*;

pub(super) fn records_come_back_as_they_were_given(make: Make) {
    let mut s = Setting::new(make);
    let call = s.world.call(s.queue.id, s.agent.id);
    // In several batches, of which the last holds two streams.
    for batch in call.records.chunks(5) {
        s.log.commit(batch.to_vec()).unwrap();
    }
    let stream = StreamId::Interaction(call.interaction);
    assert_eq!(s.store().replay(call.interaction).unwrap(), call.records);
    assert_eq!(s.store().stream(stream, 3, 2).unwrap(), call.records[2..4]);
    assert_eq!(s.store().stream(stream, 1_000, 2).unwrap(), []);
    assert_eq!(
        s.store().last_seq(stream).unwrap(),
        call.records.len() as u64
    );
    let nobody = s.world.id();
    assert_eq!(s.store().replay(nobody).unwrap(), []);
    assert_eq!(
        s.store().last_seq(StreamId::Interaction(nobody)).unwrap(),
        0
    );
}

pub(super) fn a_gap_or_a_repeat_refuses_its_batch_alone(make: Make) {
    let mut s = Setting::new(make);
    let (a, b) = (s.call(), s.world.call(s.queue.id, s.agent.id));
    let next = a.records.len() as u64 + 1;
    let stream = StreamId::Interaction(a.interaction);
    for got in [1, next - 1, next + 1, u64::MAX] {
        // The batch begins well, so that nothing of it may be kept.
        let bad = s.world.record(
            stream,
            got,
            Event::LegRinging {
                leg: a.customer,
                early_media: false,
                dialog: None,
            },
        );
        let batch = vec![b.records[0].clone(), bad];
        let refused = s.log.append(batch);
        let good = s.world.id();
        let first = s.world.started();
        let other = s
            .log
            .append(vec![s.world.record(StreamId::Interaction(good), 1, first)]);
        assert_eq!(
            s.log.outcome(refused),
            Err(StoreError::SequenceConflict {
                stream,
                expected: next,
                got
            })
        );
        assert_eq!(s.log.outcome(other), Ok(()));
        assert_eq!(s.store().replay(b.interaction).unwrap(), []);
        assert_eq!(s.store().last_seq(stream).unwrap(), next - 1);
    }
    assert!(s.store().health().is_ok());
    assert_eq!(s.log.commit(b.records), Ok(()));
}

pub(super) fn the_store_numbers_streams_with_several_writers(make: Make) {
    let s = Setting::new(make);
    let tenant = StreamId::Tenant(s.world.tenant);
    let before = s.store().last_seq(tenant).unwrap();
    assert_eq!(before, 3, "one record for each row made");
    let denied = || {
        let event = Event::AccessDenied {
            what: "sip".into(),
            detail: "wrong password".into(),
        };
        s.world.record(tenant, 0, event)
    };
    s.log.commit(vec![denied(), denied()]).unwrap();
    let numbers: Vec<u64> = s
        .store()
        .stream(tenant, 1, 10)
        .unwrap()
        .iter()
        .map(|r| r.seq)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let mut world = World::new(9);
    let own = world.id();
    let first = world.started();
    let unnumbered = world.record(StreamId::Interaction(own), 0, first);
    assert!(matches!(
        s.log.commit(vec![unnumbered]),
        Err(StoreError::Invalid { field: "seq", .. })
    ));
}

pub(super) fn followers_see_one_order(make: Make) {
    let mut s = Setting::new(make);
    let start = s.store().head().unwrap();
    let (a, b) = (s.call(), s.call());
    let given: Vec<_> = a.records.iter().chain(&b.records).cloned().collect();
    let mut seen = Vec::new();
    let mut cursor = start;
    loop {
        let page = s.store().follow(cursor, 7).unwrap();
        let Some((last, _)) = page.last() else { break };
        assert!(page.len() <= 7 && page[0].0 > cursor);
        cursor = *last;
        seen.extend(page.into_iter().map(|(_, r)| r));
    }
    assert_eq!(seen, given);
    assert_eq!(s.store().head().unwrap(), cursor);
    assert_eq!(s.store().follow(u64::MAX, 7).unwrap(), []);
}

pub(super) fn open_interactions_are_those_that_did_not_end(make: Make) {
    let mut s = Setting::new(make);
    s.call();
    let live = s.world.call(s.queue.id, s.agent.id);
    s.log.commit(live.records[..4].to_vec()).unwrap();
    assert_eq!(s.store().open_interactions().unwrap(), [live.interaction]);
    let end = s.world.record(
        StreamId::Interaction(live.interaction),
        5,
        Event::Ended {
            reason: EndReason::NodeLost,
            by: None,
            detail: None,
        },
    );
    s.log.commit(vec![end]).unwrap();
    assert_eq!(s.store().open_interactions().unwrap(), []);
    let row = s
        .store()
        .interaction(s.world.tenant, live.interaction)
        .unwrap();
    assert_eq!(row.end_reason, Some(EndReason::NodeLost));
}

pub(super) fn closed_means_closed(make: Make) {
    let mut s = Setting::new(make);
    let call = s.call();
    s.store().close();
    s.store().close();
    assert_eq!(s.store().health(), Health::Closed);
    let refused = s.store().append(call.records.clone(), LogPosition(99));
    let refused = refused.unwrap_err();
    assert_eq!(refused.error, StoreError::Closed);
    assert_eq!(refused.batch, call.records);
    let edit = s.world.edit();
    let queue = s.world.queue_row("Late");
    let refused = s.store().create(edit, queue).unwrap_err();
    assert_eq!(refused, StoreError::Closed);
    assert_eq!(Refusal::from(refused).code, Code::StoreUnavailable);
    // What was written can still be read.
    assert_eq!(s.store().replay(call.interaction).unwrap(), call.records);
}

pub(super) fn not_a_number_does_not_spoil_the_log(make: Make) {
    let mut s = Setting::new(make);
    let call = s.call();
    let stream = StreamId::Interaction(call.interaction);
    let quality = media::Quality {
        packets_received: 0,
        packets_lost: 0,
        packets_sent: 0,
        jitter_ms: f32::NAN,
        rtt_ms: Some(f32::INFINITY),
        mos: f32::NEG_INFINITY,
        remote_loss_pct: None,
    };
    let seq = call.records.len() as u64 + 1;
    let leg = call.desk;
    let event = Event::LegQuality { leg, quality };
    s.log
        .commit(vec![s.world.record(stream, seq, event)])
        .unwrap();
    let last = s.store().stream(stream, seq, 1).unwrap();
    let Event::LegQuality { quality, .. } = &last[0].event else {
        panic!("{last:?}");
    };
    assert_eq!((quality.jitter_ms, quality.rtt_ms), (0.0, Some(0.0)));
    let legs = s.store().legs(s.world.tenant, call.interaction).unwrap();
    assert_eq!(legs[1].quality.as_ref().unwrap().mos, 0.0);
}
