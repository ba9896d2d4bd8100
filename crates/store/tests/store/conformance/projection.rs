//! Rows derived from the log.

use super::{Make, Setting};
use cp_store::*;
use cp_vocab::command::Actor;
use cp_vocab::event::*;
use cp_vocab::model::*;
use cp_vocab::*;
use std::time::Duration;

pub(super) fn a_call_is_projected(make: Make) {
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

pub(super) fn lists_are_filtered_and_paged(make: Make) {
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

pub(super) fn conference_and_park_are_projected(make: Make) {
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

pub(super) fn people_are_projected(make: Make) {
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
            next_presence: None,
            presence_since: since,
            state: RoutingState::Interacting,
            state_since: s.world.now,
            interaction: Some(interaction),
        }]
    );
    let next = |presence| Event::NextPresenceSet {
        agent,
        presence,
        by: Actor::Agent(agent),
    };
    let next_of = |s: &Setting| s.store().agent_states(s.world.tenant).unwrap()[0].clone();
    say(&s, StreamId::Agent(agent), next(Some(Presence::Break)));
    assert_eq!(next_of(&s).next_presence, Some(Presence::Break));
    assert_eq!(next_of(&s).presence, Presence::Available);
    say(&s, StreamId::Agent(agent), next(None));
    assert_eq!(next_of(&s).next_presence, None);
    say(&s, StreamId::Agent(agent), next(Some(Presence::Break)));
    say(
        &s,
        StreamId::Agent(agent),
        presence(Presence::Other("Stocktaking".into())),
    );
    assert_eq!(next_of(&s).next_presence, None, "it holds now");
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

pub(super) fn queues_are_counted_per_quarter(make: Make) {
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

pub(super) fn projections_can_be_built_again(make: Make) {
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

/// How a number forwards and who reported it: learned from the log, built again from it, and erased
/// with the person, for one tenant and for good.
pub(super) fn what_is_known_of_a_number_goes_with_its_person(make: Make) {
    const HERS: &str = "12155551212";
    const HIS: &str = "12155551213";
    let mut s = Setting::new(make);
    let (tenant, other) = (s.world.tenant, s.world.id::<TenantId>());
    for (who, number) in [(tenant, HERS), (tenant, HIS), (other, HERS)] {
        let id = s.world.id();
        let step = |step: &str, detail: &str| Event::IdentityStepTaken {
            leg: None,
            step: step.into(),
            detail: detail.into(),
            number: Some(Pii(number.into())),
            original: None,
        };
        let reported = Event::CallerReported {
            by: Actor::System,
            number: Pii(number.into()),
            proven: true,
        };
        let events = [
            s.world.started(),
            step("kept", "stored"),
            step("kept", "not_likely"),
            step("matched", "key"),
            reported,
        ];
        let record = |(n, e)| {
            let record = s.world.record(StreamId::Interaction(id), n as u64 + 1, e);
            EventRecord {
                tenant: who,
                ..record
            }
        };
        s.log
            .commit(events.into_iter().enumerate().map(record).collect())
            .unwrap();
    }
    let known = |s: &Setting| {
        let numbers = s.store().forwarding().unwrap();
        let mut numbers: Vec<_> = numbers
            .into_iter()
            .map(|f| (f.tenant, f.number, f.calls, f.kept, f.hits))
            .collect();
        let reports = s.store().caller_reports().unwrap();
        let mut reports: Vec<_> = reports.into_iter().map(|r| (r.tenant, r.number)).collect();
        numbers.sort();
        reports.sort();
        (numbers, reports)
    };
    let row = |who, number: &str| (who, number.to_string(), "10".to_string(), 1, 1);
    let mut wanted = vec![row(tenant, HERS), row(tenant, HIS), row(other, HERS)];
    wanted.sort();
    let (numbers, reports) = known(&s);
    assert_eq!((&numbers, reports.len()), (&wanted, 3));
    s.store().rebuild_projections().unwrap();
    assert_eq!(known(&s), (numbers, reports));
    let gone = s
        .store()
        .erase_persons(tenant, &[], &[format!("+{HERS}")])
        .unwrap();
    assert_eq!(gone, 2);
    wanted.retain(|w| w.0 == other || w.1 == HIS);
    let (numbers, reports) = known(&s);
    assert_eq!((numbers, reports.len()), (wanted, 2));
    assert!(!reports.contains(&(tenant, HERS.to_string())));
}

pub(super) fn bad_cursors_are_refused(make: Make) {
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
