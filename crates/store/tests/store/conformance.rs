//! What every implementation of the store must do, written against `dyn Store`.

use crate::support::*;
use cp_store::*;
use cp_vocab::command::Actor;
use cp_vocab::event::*;
use cp_vocab::model::*;
use cp_vocab::refusal::{Code, Refusal};
use cp_vocab::*;
use std::sync::Arc;
use std::time::Duration;

/// An empty store, kept alive by what else is returned.
type Make = fn() -> (Arc<dyn Store>, Box<dyn std::any::Any>);

fn sqlite() -> (Arc<dyn Store>, Box<dyn std::any::Any>) {
    let dir = tempfile::tempdir().unwrap();
    (open(&dir), Box::new(dir))
}

macro_rules! conformance {
    ($($name:ident)*) => {
        mod on_sqlite { $(#[test] fn $name() { super::$name(super::sqlite); })* }
    };
}

conformance! {
    records_come_back_as_they_were_given
    a_gap_or_a_repeat_refuses_its_batch_alone
    the_store_numbers_streams_with_several_writers
    followers_see_one_order
    open_interactions_are_those_that_did_not_end
    a_call_is_projected
    lists_are_filtered_and_paged
    conference_and_park_are_projected
    people_are_projected
    queues_are_counted_per_quarter
    projections_can_be_built_again
    configuration_rows_have_versions
    unique_texts_are_kept_unique
    named_rows_must_exist
    one_edit_is_all_or_nothing
    the_snapshot_follows_each_change
    tenants_do_not_see_each_other
    users_sign_in
    api_keys_expire
    repeated_requests_get_the_first_answer
    an_edit_keeps_its_answer
    webhooks_fill_the_outbox
    dead_deliveries_can_be_revived
    bad_cursors_are_refused
    closed_means_closed
    not_a_number_does_not_spoil_the_log
}

/// A tenant with a queue and an agent.
struct Setting {
    world: World,
    log: Log,
    queue: Queue,
    agent: Agent,
    _keep: Box<dyn std::any::Any>,
}

impl Setting {
    fn new(make: Make) -> Self {
        let (store, keep) = make();
        let mut world = World::new(1);
        let queue = world.queue_row("Support");
        let agent = world.agent_row("100");
        store
            .apply(
                world.edit(),
                vec![
                    Change::Create(world.tenant_row().into()),
                    Change::Create(queue.clone().into()),
                    Change::Create(agent.clone().into()),
                ],
            )
            .unwrap();
        Self {
            world,
            log: Log::of(store),
            queue,
            agent,
            _keep: keep,
        }
    }

    fn store(&self) -> &dyn Store {
        &*self.log.store
    }

    fn call(&mut self) -> Call {
        let call = self.world.call(self.queue.id, self.agent.id);
        self.log.commit(call.records.clone()).unwrap();
        call
    }
}

fn records_come_back_as_they_were_given(make: Make) {
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

fn a_gap_or_a_repeat_refuses_its_batch_alone(make: Make) {
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

fn the_store_numbers_streams_with_several_writers(make: Make) {
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

fn followers_see_one_order(make: Make) {
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

fn open_interactions_are_those_that_did_not_end(make: Make) {
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

fn a_call_is_projected(make: Make) {
    let mut s = Setting::new(make);
    let start = s.world.now;
    let call = s.call();
    let at = |ms| start + Duration::from_millis(ms);
    let row = s
        .store()
        .interaction(s.world.tenant, call.interaction)
        .unwrap();
    assert_eq!(row.state, InteractionState::Ended);
    assert_eq!(row.direction, Direction::Inbound);
    assert_eq!(row.from.expose().user(), "+4930123456");
    assert_eq!(row.from_name.as_ref().unwrap().expose(), "Ada Lovelace");
    assert_eq!(row.to.expose().user(), "+18005550100");
    assert_eq!(row.queue, Some(s.queue.id));
    assert_eq!(row.agents, [s.agent.id]);
    assert_eq!(row.started_at, at(0));
    assert_eq!(row.answered_at, Some(at(6_010)));
    assert_eq!(row.ended_at, Some(at(36_010)));
    assert_eq!((row.waited_ms, row.talk_ms), (5_000, 30_000));
    assert_eq!(row.end_reason, Some(EndReason::HungUp));
    assert_eq!(row.recordings, 1);

    let legs = s.store().legs(s.world.tenant, call.interaction).unwrap();
    assert_eq!(
        legs.iter().map(|l| (l.id, l.role)).collect::<Vec<_>>(),
        [
            (call.customer, LegRole::Customer),
            (call.desk, LegRole::Agent)
        ]
    );
    assert_eq!(legs[1].codec.as_deref(), Some("opus"));
    assert_eq!(legs[1].quality.as_ref().unwrap().mos, 4.4);
    assert_eq!(legs[1].end_reason, Some(EndReason::HungUp));
    assert!(legs[1].secure);

    let recording = s.store().recording(s.world.tenant, call.recording).unwrap();
    assert_eq!(recording.duration_ms, Some(30_000));
    assert_eq!(recording.path, "2026/11/x.wav");
    let page = PageRequest::default();
    let list = s
        .store()
        .recordings(s.world.tenant, Some(call.interaction), &page)
        .unwrap();
    assert_eq!(list.items, [recording]);
    let nothing = s.world.id();
    assert!(
        s.store()
            .recordings(s.world.tenant, Some(nothing), &page)
            .unwrap()
            .items
            .is_empty()
    );

    // Wrap-up comes after the end.
    let code = s.world.id();
    let noted = Event::WrapUpNoted {
        agent: s.agent.id,
        code: Some(code),
        note: None,
    };
    let stream = StreamId::Interaction(call.interaction);
    let seq = call.records.len() as u64 + 1;
    s.log
        .commit(vec![s.world.record(stream, seq, noted)])
        .unwrap();
    let row = s
        .store()
        .interaction(s.world.tenant, call.interaction)
        .unwrap();
    assert_eq!(row.wrap_up_code, Some(code));
    assert_eq!(row.state, InteractionState::Ended);
}

fn lists_are_filtered_and_paged(make: Make) {
    let mut s = Setting::new(make);
    let start = s.world.now;
    let mut calls = Vec::new();
    for _ in 0..7 {
        calls.push(s.call());
        s.world.later(60_000);
    }
    let live = s.world.call(s.queue.id, s.agent.id);
    s.log.commit(live.records[..4].to_vec()).unwrap();
    let tenant = s.world.tenant;
    let newest_first: Vec<_> = std::iter::once(&live)
        .chain(calls.iter().rev())
        .map(|c| c.interaction)
        .collect();

    let all = InteractionFilter::default();
    let mut seen = Vec::new();
    let mut page = PageRequest::first(3);
    loop {
        let got = s.store().interactions(tenant, &all, &page).unwrap();
        assert!(got.items.len() <= 3);
        seen.extend(got.items.iter().map(|r| r.id));
        match got.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, newest_first);

    let count = |filter: InteractionFilter| {
        let page = PageRequest::first(100);
        s.store()
            .interactions(tenant, &filter, &page)
            .unwrap()
            .items
            .len()
    };
    let f = InteractionFilter::default;
    let table = [
        (
            InteractionFilter {
                open: Some(true),
                ..f()
            },
            1,
        ),
        (
            InteractionFilter {
                open: Some(false),
                ..f()
            },
            7,
        ),
        (
            InteractionFilter {
                state: Some(InteractionState::Queued),
                ..f()
            },
            1,
        ),
        (
            InteractionFilter {
                queue: Some(s.queue.id),
                ..f()
            },
            8,
        ),
        (
            InteractionFilter {
                queue: Some(QueueId::from_u128(1)),
                ..f()
            },
            0,
        ),
        (
            InteractionFilter {
                agent: Some(s.agent.id),
                ..f()
            },
            7,
        ),
        (
            InteractionFilter {
                direction: Some(Direction::Outbound),
                ..f()
            },
            0,
        ),
        (
            InteractionFilter {
                end_reason: Some(EndReason::HungUp),
                ..f()
            },
            7,
        ),
        (
            InteractionFilter {
                party: Some("ada LOV".into()),
                ..f()
            },
            8,
        ),
        (
            InteractionFilter {
                party: Some("30123".into()),
                ..f()
            },
            8,
        ),
        (
            InteractionFilter {
                party: Some("5550100".into()),
                ..f()
            },
            8,
        ),
        // The form the address is kept in is not searched.
        (
            InteractionFilter {
                party: Some("kind".into()),
                ..f()
            },
            0,
        ),
        (
            InteractionFilter {
                party: Some("%".into()),
                ..f()
            },
            0,
        ),
        (
            InteractionFilter {
                until: Some(start),
                ..f()
            },
            0,
        ),
        (
            InteractionFilter {
                from: Some(start),
                until: Some(start + Duration::from_micros(1)),
                ..f()
            },
            1,
        ),
    ];
    for (filter, want) in table {
        assert_eq!(count(filter.clone()), want, "{filter:?}");
    }
}

fn conference_and_park_are_projected(make: Make) {
    let mut s = Setting::new(make);
    let call = s.world.call(s.queue.id, s.agent.id);
    let stream = StreamId::Interaction(call.interaction);
    let conference = s.world.id();
    let leg = call.customer;
    let steps = [
        (
            Event::ConferenceJoined {
                conference,
                leg,
                members: 2,
            },
            InteractionState::Connected,
        ),
        (
            Event::ConferenceLeft {
                conference,
                leg,
                members: 1,
            },
            InteractionState::Started,
        ),
        (
            Event::Parked {
                leg,
                slot: "701".into(),
                by: None,
            },
            InteractionState::Parked,
        ),
        (
            Event::ParkRetrieved {
                slot: "701".into(),
                by: leg,
            },
            InteractionState::Started,
        ),
        (
            Event::Bridged { legs: vec![leg] },
            InteractionState::Connected,
        ),
        (
            Event::Ended {
                reason: EndReason::Dropped,
                by: None,
                detail: None,
            },
            InteractionState::Ended,
        ),
        // Late events do not revive it.
        (
            Event::Parked {
                leg,
                slot: "701".into(),
                by: None,
            },
            InteractionState::Ended,
        ),
    ];
    s.log.commit(call.records[..3].to_vec()).unwrap();
    for (seq, (event, state)) in (4..).zip(steps) {
        s.world.later(1_000);
        s.log
            .commit(vec![s.world.record(stream, seq, event.clone())])
            .unwrap();
        let row = s
            .store()
            .interaction(s.world.tenant, call.interaction)
            .unwrap();
        assert_eq!(row.state, state, "after {event:?}");
    }
    let row = s
        .store()
        .interaction(s.world.tenant, call.interaction)
        .unwrap();
    assert_eq!(
        row.talk_ms, 2_000,
        "a second in the conference, one bridged until the end"
    );
}

fn people_are_projected(make: Make) {
    let mut s = Setting::new(make);
    let (agent, phone, trunk) = (s.agent.id, s.world.id::<PhoneId>(), s.world.id::<TrunkId>());
    let since = s.world.now;
    let presence = |presence| Event::PresenceChanged {
        agent,
        presence,
        by: Actor::Agent(agent),
    };
    let registered = |contact: &str| Event::PhoneRegistered {
        phone,
        contact: Pii(contact.into()),
        expires_s: 60,
        transport: "udp".into(),
    };
    let say = |s: &Setting, stream, event| {
        s.log
            .commit(vec![s.world.record(stream, 0, event)])
            .unwrap();
    };
    say(&s, StreamId::Agent(agent), presence(Presence::Available));
    s.world.later(1_000);
    let interaction = s.world.id();
    let busy = Event::RoutingStateChanged {
        agent,
        state: RoutingState::Interacting,
        interaction: Some(interaction),
    };
    say(&s, StreamId::Agent(agent), busy);
    let rows = s.store().agent_states(s.world.tenant).unwrap();
    assert_eq!(
        rows,
        [AgentStateRow {
            agent,
            presence: Presence::Available,
            presence_since: since,
            state: RoutingState::Interacting,
            state_since: s.world.now,
            interaction: Some(interaction),
        }]
    );
    say(
        &s,
        StreamId::Agent(agent),
        presence(Presence::Other("Stocktaking".into())),
    );
    let rows = s.store().agent_states(s.world.tenant).unwrap();
    assert_eq!(rows[0].presence, Presence::Other("Stocktaking".into()));
    assert_eq!(rows[0].state, RoutingState::Interacting);

    say(&s, StreamId::Phone(phone), registered("sip:100@192.0.2.1"));
    say(&s, StreamId::Phone(phone), registered("sip:100@192.0.2.2"));
    let now = s.world.now;
    assert_eq!(s.store().registrations(now).unwrap().len(), 2);
    let expired = now + Duration::from_secs(60);
    assert_eq!(s.store().registrations(expired).unwrap(), []);
    let gone = Event::PhoneUnregistered {
        phone,
        why: "expired".into(),
    };
    say(&s, StreamId::Phone(phone), gone);
    assert_eq!(s.store().registrations(now).unwrap(), []);

    say(
        &s,
        StreamId::Trunk(trunk),
        Event::TrunkUp { trunk, rtt_ms: 20 },
    );
    let up = s.world.now;
    s.world.later(1_000);
    say(
        &s,
        StreamId::Trunk(trunk),
        Event::TrunkUp { trunk, rtt_ms: 21 },
    );
    let state = s.store().trunk_states(s.world.tenant).unwrap();
    assert_eq!((state[0].since, state[0].rtt_ms), (up, Some(21)));
    say(
        &s,
        StreamId::Trunk(trunk),
        Event::TrunkDown {
            trunk,
            why: "timeout".into(),
        },
    );
    let state = s.store().trunk_states(s.world.tenant).unwrap();
    assert_eq!((state[0].up, state[0].since), (false, s.world.now));
}

fn queues_are_counted_per_quarter(make: Make) {
    let mut s = Setting::new(make);
    let queue = s.queue.id;
    let quarter = Duration::from_secs(900);
    let start = s.world.now;
    let exits = [
        (QueueExit::Answered, 5_000),
        (QueueExit::Answered, 25_000),
        (QueueExit::Abandoned, 7_000),
        (QueueExit::Overflowed, 90_000),
        (QueueExit::TimedOut, 1),
        (QueueExit::Transferred, 2),
        (QueueExit::Released, 3),
    ];
    for (exit, waited_ms) in exits {
        let stream = StreamId::Interaction(s.world.id());
        let started = s.world.started();
        let entered = Event::Queued {
            queue,
            priority: 0,
            position: 1,
            wait_estimate_ms: None,
        };
        let left = Event::Dequeued {
            queue,
            exit,
            waited_ms,
        };
        let batch = [started, entered, left];
        let batch = (1..)
            .zip(batch)
            .map(|(seq, e)| s.world.record(stream, seq, e))
            .collect();
        s.log.commit(batch).unwrap();
    }
    let tenant = s.world.tenant;
    let got = s
        .store()
        .queue_counters(tenant, start, start + Duration::from_micros(1))
        .unwrap();
    assert_eq!(
        got,
        [QueueCounters {
            queue,
            entered: 7,
            answered: 2,
            abandoned: 1,
            overflowed: 1,
            timed_out: 1,
            transferred: 1,
            released: 1,
            in_service_level: 1,
            answered_wait_ms: 30_000,
            abandoned_wait_ms: 7_000,
            wait_ms_max: 90_000,
        }]
    );
    let next = start + quarter;
    assert_eq!(
        s.store()
            .queue_counters(tenant, next, next + quarter)
            .unwrap(),
        []
    );
    let day = s
        .store()
        .queue_counters(tenant, start, start + quarter * 96)
        .unwrap();
    assert_eq!(day, got);
}

/// Everything the projections tell of a tenant.
fn projections(s: &Setting) -> String {
    let tenant = s.world.tenant;
    let page = PageRequest::first(500);
    let store = s.store();
    let list = store
        .interactions(tenant, &InteractionFilter::default(), &page)
        .unwrap();
    let legs: Vec<_> = list
        .items
        .iter()
        .map(|i| store.legs(tenant, i.id).unwrap())
        .collect();
    serde_json::to_string(&(
        &list.items,
        legs,
        store.recordings(tenant, None, &page).unwrap().items,
        store.agent_states(tenant).unwrap(),
        store.registrations(Timestamp::ZERO).unwrap(),
        store.trunk_states(tenant).unwrap(),
        store
            .queue_counters(tenant, Timestamp::ZERO, s.world.now)
            .unwrap(),
    ))
    .unwrap()
}

fn projections_can_be_built_again(make: Make) {
    let mut s = Setting::new(make);
    for _ in 0..3 {
        s.call();
    }
    let live = s.world.call(s.queue.id, s.agent.id);
    s.log.commit(live.records[..12].to_vec()).unwrap();
    let agent = s.agent.id;
    let event = Event::PresenceChanged {
        agent,
        presence: Presence::Meal,
        by: Actor::Agent(agent),
    };
    s.log
        .commit(vec![s.world.record(StreamId::Agent(agent), 0, event)])
        .unwrap();
    let before = projections(&s);
    assert!(before.contains("meal") && before.contains("int_"));
    s.store().rebuild_projections().unwrap();
    assert_eq!(projections(&s), before);
}

fn configuration_rows_have_versions(make: Make) {
    let mut s = Setting::new(make);
    let tenant = s.world.tenant;
    let mut queue = s.queue.clone();
    let made = s.store().get::<Queue>(tenant, queue.id).unwrap();
    assert_eq!((made.version, &made.row), (Version(1), &queue));
    assert_eq!(made.created_at, s.world.now);

    queue.priority = 5;
    let later = s.world.later(1_000);
    let v2 = s
        .store()
        .update(s.world.edit(), queue.clone(), Some(Version(1)))
        .unwrap();
    assert_eq!(v2, Version(2));
    let stale = s
        .store()
        .update(s.world.edit(), queue.clone(), Some(Version(1)))
        .unwrap_err();
    assert_eq!(
        stale,
        StoreError::VersionMismatch {
            current: Version(2),
            expected: Version(1)
        }
    );
    assert_eq!(Refusal::from(stale).code, Code::PreconditionFailed);
    let got = s.store().get::<Queue>(tenant, queue.id).unwrap();
    assert_eq!((got.row.priority, got.updated_at), (5, later));
    assert!(got.created_at < got.updated_at);

    let last = s.store().follow(s.store().head().unwrap() - 1, 1).unwrap();
    assert_eq!(
        last[0].1.event,
        Event::ConfigurationChanged {
            by: Actor::System,
            what: "queue.updated".into(),
            id: queue.id.to_string()
        }
    );

    assert!(
        s.store()
            .delete(s.world.edit(), queue.id, Some(Version(1)))
            .is_err()
    );
    s.store()
        .delete(s.world.edit(), queue.id, Some(Version(2)))
        .unwrap();
    let gone = s.store().get::<Queue>(tenant, queue.id).unwrap_err();
    assert_eq!(gone.code(), "not_found");
    let gone = s.store().delete(s.world.edit(), queue.id, None);
    assert_eq!(gone.unwrap_err().code(), "not_found");
    let gone = s.store().update(s.world.edit(), queue, None);
    assert_eq!(gone.unwrap_err().code(), "not_found");
}

fn unique_texts_are_kept_unique(make: Make) {
    let mut s = Setting::new(make);
    let edit = s.world.edit();
    let phone = s.world.phone_row("200");
    s.store().create(edit.clone(), phone.clone()).unwrap();
    let twin = s.world.phone_row("200");
    assert_eq!(
        s.store().create(edit.clone(), twin.clone()),
        Err(StoreError::Conflict {
            kind: "phone",
            field: "user",
            holder: phone.id.to_string()
        })
    );
    let again = s.store().create(edit.clone(), phone.clone());
    assert_eq!(again.unwrap_err().code(), "conflict");
    // The text is free once its holder has another one, or is gone.
    let moved = Phone {
        user: "201".into(),
        ..phone.clone()
    };
    s.store().update(edit.clone(), moved, None).unwrap();
    s.store().create(edit.clone(), twin.clone()).unwrap();
    s.store().delete(edit.clone(), twin.id, None).unwrap();
    s.store().update(edit.clone(), phone, None).unwrap();
    // Names differ by more than case.
    let queue = s.world.queue_row(" support ");
    let taken = s.store().create(edit.clone(), queue).unwrap_err();
    assert_eq!(taken.code(), "conflict");
    let nameless = s.world.queue_row("  ");
    let refused = s.store().create(edit.clone(), nameless).unwrap_err();
    assert_eq!(refused.code(), "invalid");
    let endless = s.world.queue_row(&"x".repeat(5_000));
    let refused = s.store().create(edit, endless).unwrap_err();
    assert_eq!(refused.code(), "invalid");
}

fn named_rows_must_exist(make: Make) {
    let mut s = Setting::new(make);
    let edit = s.world.edit();
    let number = |destination| Number {
        id: NumberId::from_u128(77),
        tenant: s.world.tenant,
        number: "+18005550100".into(),
        name: "Main".into(),
        destination,
        public: true,
    };
    let missing = QueueId::from_u128(5);
    let menu = |queue| Destination::Menu {
        prompt: media::Sound::Silence { ms: 1 },
        choices: [('1', Box::new(Destination::Queue { queue }))].into(),
        timeout_ms: 1_000,
        fallback: Box::new(Destination::Echo),
    };
    assert_eq!(
        s.store().create(edit.clone(), number(menu(missing))),
        Err(StoreError::MissingReference {
            kind: "number",
            missing: missing.to_string()
        })
    );
    let good = number(menu(s.queue.id));
    s.store().create(edit.clone(), good.clone()).unwrap();
    assert_eq!(
        s.store().delete(edit.clone(), s.queue.id, None),
        Err(StoreError::InUse {
            id: s.queue.id.to_string(),
            by: good.id.to_string()
        })
    );
    assert!(s.store().get::<Queue>(s.world.tenant, s.queue.id).is_ok());
    let mut deep = Destination::Echo;
    for _ in 0..40 {
        deep = Destination::Menu {
            prompt: media::Sound::Silence { ms: 1 },
            choices: [].into(),
            timeout_ms: 1,
            fallback: Box::new(deep),
        };
    }
    let deep = Number {
        destination: deep,
        ..good.clone()
    };
    let refused = s.store().update(edit.clone(), deep, None).unwrap_err();
    assert_eq!(refused.code(), "invalid");
    s.store().delete(edit.clone(), good.id, None).unwrap();
    s.store().delete(edit.clone(), s.queue.id, None).unwrap();
    // A tenant goes last.
    let tenant = s.world.tenant;
    let busy = s.store().delete(edit.clone(), tenant, None).unwrap_err();
    assert_eq!(busy.code(), "in_use");
    s.store().delete(edit.clone(), s.agent.id, None).unwrap();
    s.store().delete(edit, tenant, None).unwrap();
    let orphan = s.world.queue_row("Orphan");
    let refused = s.store().create(s.world.edit(), orphan).unwrap_err();
    assert_eq!(refused.code(), "missing_reference");
}

fn one_edit_is_all_or_nothing(make: Make) {
    let mut s = Setting::new(make);
    let (mut agent, mut phone) = (s.world.agent_row("300"), s.world.phone_row("300"));
    // They name each other, which only one edit can make.
    agent.phone = Some(phone.id);
    phone.agent = Some(agent.id);
    let both = vec![
        Change::Create(agent.clone().into()),
        Change::Create(phone.clone().into()),
    ];
    let head = s.store().head().unwrap();
    let twin = s.world.phone_row("300");
    let mut three = both.clone();
    three.push(Change::Create(twin.into()));
    assert!(s.store().apply(s.world.edit(), three).is_err());
    assert_eq!(
        s.store().head().unwrap(),
        head,
        "no record of what was not done"
    );
    assert!(s.store().get::<Agent>(s.world.tenant, agent.id).is_err());
    let versions = s.store().apply(s.world.edit(), both).unwrap();
    assert_eq!(versions, [Version(1), Version(1)]);
    let gone = vec![
        Change::Delete {
            id: agent.id.into(),
            expected: None,
        },
        Change::Delete {
            id: phone.id.into(),
            expected: None,
        },
    ];
    assert!(s.store().apply(s.world.edit(), gone[..1].to_vec()).is_err());
    s.store().apply(s.world.edit(), gone).unwrap();
    // The log is as if nothing had failed.
    let call = s.world.call(s.queue.id, s.agent.id);
    s.log.commit(call.records).unwrap();
}

fn the_snapshot_follows_each_change(make: Make) {
    let mut s = Setting::new(make);
    let first = s.store().snapshot().unwrap();
    assert_eq!(first.queues, [s.queue.clone()]);
    assert_eq!(first.agents, [s.agent.clone()]);
    assert_eq!(first.tenants, [s.world.tenant_row()]);
    assert!(Arc::ptr_eq(&first, &s.store().snapshot().unwrap()));
    let skill = Skill {
        id: s.world.id(),
        tenant: s.world.tenant,
        name: "Billing".into(),
    };
    s.store().create(s.world.edit(), skill.clone()).unwrap();
    let second = s.store().snapshot().unwrap();
    assert_eq!(second.skills, std::slice::from_ref(&skill));
    assert!(second.version > first.version);
    let user = s.world.user_row("ada");
    s.store().create(s.world.edit(), user).unwrap();
    assert!(s.store().create(s.world.edit(), skill).is_err());
    assert_eq!(s.store().snapshot().unwrap().version, second.version);
}

fn tenants_do_not_see_each_other(make: Make) {
    let mut s = Setting::new(make);
    let call = s.call();
    let mut other = World::new(2);
    s.store().create(other.edit(), other.tenant_row()).unwrap();
    let mine = s.queue.id;
    let not_found = |e: StoreError| assert_eq!(e.code(), "not_found");
    not_found(s.store().get::<Queue>(other.tenant, mine).unwrap_err());
    not_found(s.store().delete(other.edit(), mine, None).unwrap_err());
    not_found(
        s.store()
            .interaction(other.tenant, call.interaction)
            .unwrap_err(),
    );
    not_found(s.store().legs(other.tenant, call.interaction).unwrap_err());
    not_found(
        s.store()
            .recording(other.tenant, call.recording)
            .unwrap_err(),
    );
    let foreign = s.store().update(other.edit(), s.queue.clone(), None);
    assert_eq!(foreign.unwrap_err().code(), "invalid");
    let mut borrower = other.agent_row("1");
    borrower.queues = vec![mine];
    let refused = s.store().create(other.edit(), borrower).unwrap_err();
    assert_eq!(refused.code(), "missing_reference");
    let page = PageRequest::default();
    assert!(
        s.store()
            .list::<Queue>(other.tenant, &page)
            .unwrap()
            .items
            .is_empty()
    );
    let mut seen: Vec<_> = s.store().tenants(&page).unwrap().items;
    assert_eq!(seen.len(), 2);
    assert!(seen.remove(0).row.id < seen.remove(0).row.id);
    // The same names and numbers inside are no concern of the other …
    let twin = other.queue_row("Support");
    s.store().create(other.edit(), twin).unwrap();
    // … but domains and public numbers are.
    let mut third = World::new(3);
    let mut row = third.tenant_row();
    row.domain = other.tenant_row().domain;
    let taken = s.store().create(third.edit(), row).unwrap_err();
    assert!(!taken.to_string().contains(&other.tenant.to_string()));
    assert_eq!(taken.code(), "conflict");
    third.later(1);
}

fn users_sign_in(make: Make) {
    let mut s = Setting::new(make);
    let user = s.world.user_row("Ada@Example.org");
    s.store().create(s.world.edit(), user.clone()).unwrap();
    let found = s.store().users_by_login(" ada@example.ORG").unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].row, user);
    assert_eq!(s.store().users_by_login("bob").unwrap(), []);

    let now = s.world.now;
    let session = |s: &mut Setting, byte| Session {
        id: s.world.id(),
        tenant: s.world.tenant,
        user: user.id,
        token_hash: Pii([byte; 32]),
        created_at: now,
        seen_at: now,
        expires_at: now + Duration::from_secs(3_600),
    };
    let a = session(&mut s, 1);
    let b = session(&mut s, 2);
    s.store().session_create(a.clone()).unwrap();
    s.store().session_create(b.clone()).unwrap();
    assert_eq!(
        s.store().session_create(b.clone()).unwrap_err().code(),
        "conflict"
    );
    let (seen, who) = s.store().session_by_token(&[1; 32], now).unwrap().unwrap();
    assert_eq!((seen, who), (a.clone(), user.clone()));
    let later = now + Duration::from_secs(61);
    s.store()
        .session_by_token(&[1; 32], later)
        .unwrap()
        .unwrap();
    let (seen, _) = s
        .store()
        .session_by_token(&[1; 32], later)
        .unwrap()
        .unwrap();
    assert_eq!(seen.seen_at, later);
    assert_eq!(s.store().session_by_token(&[9; 32], now).unwrap(), None);
    assert_eq!(
        s.store().session_by_token(&[1; 32], a.expires_at).unwrap(),
        None
    );
    s.store().session_end(s.world.tenant, a.id).unwrap();
    s.store().session_end(s.world.tenant, a.id).unwrap();
    assert_eq!(s.store().session_by_token(&[1; 32], now).unwrap(), None);

    let disabled = User {
        disabled: true,
        ..user.clone()
    };
    s.store().update(s.world.edit(), disabled, None).unwrap();
    assert_eq!(s.store().session_by_token(&[2; 32], now).unwrap(), None);
    s.store()
        .update(s.world.edit(), user.clone(), None)
        .unwrap();
    assert!(s.store().session_by_token(&[2; 32], now).unwrap().is_some());
    assert_eq!(
        s.store().sessions_end_of(s.world.tenant, user.id).unwrap(),
        1
    );
    let c = session(&mut s, 3);
    s.store().session_create(c).unwrap();
    s.store().sweep(now + Duration::from_secs(4_000)).unwrap();
    assert_eq!(s.store().session_by_token(&[3; 32], now).unwrap(), None);
    let d = session(&mut s, 4);
    s.store().session_create(d.clone()).unwrap();
    s.store().delete(s.world.edit(), user.id, None).unwrap();
    assert_eq!(s.store().session_by_token(&[4; 32], now).unwrap(), None);
    assert_eq!(s.store().session_create(d).unwrap_err().code(), "not_found");
}

fn api_keys_expire(make: Make) {
    let mut s = Setting::new(make);
    let now = s.world.now;
    let key = ApiKey {
        id: s.world.id(),
        tenant: s.world.tenant,
        name: "crm".into(),
        secret_hash: Pii([7; 32]),
        scopes: vec![],
        roles: vec![Role::Supervisor],
        created_at: now,
        expires_at: Some(now + Duration::from_secs(10)),
    };
    s.store().create(s.world.edit(), key.clone()).unwrap();
    assert_eq!(
        s.store().api_key_by_hash(&[7; 32], now).unwrap(),
        Some(key.clone())
    );
    let late = now + Duration::from_secs(10);
    assert_eq!(s.store().api_key_by_hash(&[7; 32], late).unwrap(), None);
    assert_eq!(s.store().api_key_by_hash(&[8; 32], now).unwrap(), None);
    s.store().delete(s.world.edit(), key.id, None).unwrap();
    assert_eq!(s.store().api_key_by_hash(&[7; 32], now).unwrap(), None);
}

fn answer(body: &str) -> StoredResponse {
    StoredResponse {
        status: 201,
        content_type: "application/json".into(),
        body: body.as_bytes().to_vec(),
    }
}

fn repeated_requests_get_the_first_answer(make: Make) {
    let s = Setting::new(make);
    let (tenant, now) = (s.world.tenant, s.world.now);
    let begin = |hash, at| s.store().idempotency_begin(tenant, "k1", &[hash; 32], at);
    assert_eq!(begin(1, now), Ok(Idempotency::New));
    assert_eq!(begin(1, now), Ok(Idempotency::InProgress));
    assert_eq!(begin(2, now), Err(StoreError::IdempotencyMismatch));
    s.store()
        .idempotency_finish(tenant, "k1", answer("{}"), now)
        .unwrap();
    assert_eq!(begin(1, now), Ok(Idempotency::Done(answer("{}"))));
    let other = TenantId::from_u128(3);
    assert_eq!(
        s.store().idempotency_begin(other, "k1", &[2; 32], now),
        Ok(Idempotency::New)
    );
    let tomorrow = now + Duration::from_secs(24 * 3_600);
    assert_eq!(begin(2, tomorrow), Ok(Idempotency::New));
    s.store().idempotency_abandon(tenant, "k1").unwrap();
    assert_eq!(begin(1, tomorrow), Ok(Idempotency::New));
    assert!(
        s.store()
            .idempotency_finish(tenant, "k2", answer(""), now)
            .is_err()
    );
    for key in ["", &"k".repeat(256)] {
        let refused = s.store().idempotency_begin(tenant, key, &[1; 32], now);
        assert_eq!(refused.unwrap_err().code(), "invalid");
    }
    let long = answer(&"x".repeat(auth::RESPONSE_BYTES_MAX + 1));
    let refused = s.store().idempotency_finish(tenant, "k1", long, now);
    assert_eq!(refused.unwrap_err().code(), "invalid");
}

fn an_edit_keeps_its_answer(make: Make) {
    let mut s = Setting::new(make);
    let queue = s.world.queue_row("Sales");
    let mut edit = s.world.edit();
    edit.idempotency = Some(Idempotent {
        key: "k".into(),
        request_hash: [1; 32],
        response: answer("made"),
    });
    // A refused edit keeps nothing.
    let mut bad = queue.clone();
    bad.name.clear();
    assert!(s.store().create(edit.clone(), bad).is_err());
    s.store().create(edit.clone(), queue.clone()).unwrap();
    let repeated = s.store().create(edit.clone(), queue.clone());
    assert_eq!(
        repeated,
        Err(StoreError::AlreadyDone(Box::new(answer("made"))))
    );
    if let Some(i) = &mut edit.idempotency {
        i.request_hash = [2; 32];
    }
    assert_eq!(
        s.store().create(edit, queue),
        Err(StoreError::IdempotencyMismatch)
    );
}

fn webhooks_fill_the_outbox(make: Make) {
    let mut s = Setting::new(make);
    let hook = Webhook {
        id: s.world.id(),
        tenant: s.world.tenant,
        url: "http://127.0.0.1:9/hook".into(),
        secret: Pii("s".into()),
        events: vec!["interaction.*".into(), "queue.entered".into()],
        disabled: false,
    };
    s.store().create(s.world.edit(), hook.clone()).unwrap();
    let call = s.call();
    let now = s.world.now;
    let lease = Duration::from_secs(30);
    let claimed = s.store().outbox_claim(now, lease, 2).unwrap();
    assert_eq!(claimed.len(), 2);
    let rest = s.store().outbox_claim(now, lease, 10).unwrap();
    let all: Vec<_> = claimed.iter().chain(&rest).collect();
    let kinds: Vec<_> = all.iter().map(|i| i.record.event.kind()).collect();
    assert_eq!(
        kinds,
        ["interaction.started", "queue.entered", "interaction.ended"]
    );
    assert_eq!(all[0].record, call.records[0]);
    assert_eq!(all[0].kind, OutboxKind::Webhook { webhook: hook.id });
    assert_eq!(s.store().outbox_claim(now, lease, 10).unwrap(), []);
    // A claim that is not settled comes back.
    let again = s.store().outbox_claim(now + lease, lease, 10).unwrap();
    assert_eq!(again.len(), 3);
    for item in &again[1..] {
        s.store()
            .outbox_settle(item.id, OutboxResult::Done)
            .unwrap();
    }
    let at = now + lease * 10;
    let error = "503".to_string();
    s.store()
        .outbox_settle(again[0].id, OutboxResult::RetryAt { at, error })
        .unwrap();
    assert_eq!(
        s.store().outbox_claim(now + lease * 9, lease, 10).unwrap(),
        []
    );
    let third = s.store().outbox_claim(at, lease, 10).unwrap();
    assert_eq!((third.len(), third[0].attempts), (1, 1));
    assert_eq!(third[0].error.as_deref(), Some("503"));
    // A disabled endpoint gets nothing new; a deleted one takes its deliveries along.
    let disabled = Webhook {
        disabled: true,
        ..hook.clone()
    };
    s.store().update(s.world.edit(), disabled, None).unwrap();
    s.call();
    let far = s.world.now + lease * 100;
    assert_eq!(s.store().outbox_claim(far, lease, 10).unwrap().len(), 1);
    s.store().delete(s.world.edit(), hook.id, None).unwrap();
    assert_eq!(s.store().outbox_claim(far + lease, lease, 10).unwrap(), []);
}

fn dead_deliveries_can_be_revived(make: Make) {
    let mut s = Setting::new(make);
    let hook = Webhook {
        id: s.world.id(),
        tenant: s.world.tenant,
        url: "http://127.0.0.1:9/hook".into(),
        secret: Pii("s".into()),
        events: vec!["interaction.ended".into()],
        disabled: false,
    };
    s.store().create(s.world.edit(), hook).unwrap();
    for _ in 0..3 {
        s.call();
    }
    let (tenant, now, lease) = (s.world.tenant, s.world.now, Duration::from_secs(30));
    for item in s.store().outbox_claim(now, lease, 10).unwrap() {
        let error = "é".repeat(2_000);
        s.store()
            .outbox_settle(item.id, OutboxResult::Dead { error })
            .unwrap();
    }
    let page = s
        .store()
        .outbox_dead(tenant, &PageRequest::first(2))
        .unwrap();
    assert_eq!(page.items.len(), 2);
    assert!(page.items[0].id > page.items[1].id);
    let after = PageRequest {
        after: page.next,
        limit: 2,
    };
    let rest = s.store().outbox_dead(tenant, &after).unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let id = rest.items[0].id;
    let foreign = s.store().outbox_revive(TenantId::from_u128(1), id, now);
    assert_eq!(foreign.unwrap_err().code(), "not_found");
    s.store().outbox_revive(tenant, id, now).unwrap();
    assert!(s.store().outbox_revive(tenant, id, now).is_err());
    assert_eq!(s.store().outbox_claim(now, lease, 10).unwrap()[0].id, id);
    s.store()
        .sweep(now + Duration::from_secs(outbox::DEAD_DAYS * 86_400 + 3_600))
        .unwrap();
    let left = s
        .store()
        .outbox_dead(tenant, &PageRequest::default())
        .unwrap();
    assert!(left.items.is_empty());
}

fn bad_cursors_are_refused(make: Make) {
    let s = Setting::new(make);
    let tenant = s.world.tenant;
    for bad in ["", "x", "1", "zz.1", "1.zz", "-1.-1", "💥"] {
        let page = PageRequest {
            after: Some(bad.into()),
            limit: 5,
        };
        let all = InteractionFilter::default();
        let codes = [
            s.store().interactions(tenant, &all, &page).err(),
            s.store().recordings(tenant, None, &page).err(),
        ];
        for e in codes {
            assert_eq!(e.expect(bad).code(), "invalid");
        }
    }
    let page = PageRequest {
        after: Some("zz".into()),
        limit: 5,
    };
    assert_eq!(s.store().tenants(&page).unwrap_err().code(), "invalid");
    assert_eq!(
        s.store().outbox_dead(tenant, &page).unwrap_err().code(),
        "invalid"
    );
    let most = PageRequest::first(usize::MAX);
    assert!(s.store().tenants(&most).is_ok());
}

fn closed_means_closed(make: Make) {
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

fn not_a_number_does_not_spoil_the_log(make: Make) {
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
