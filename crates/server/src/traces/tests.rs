use super::spans::{LEGS_MAX, MOMENTS_MAX, of_interaction};
use cp_vocab::event::{Direction, Endpoint, EventRecord, LegRole, QueueExit, StreamId};
use cp_vocab::media::Quality;
use cp_vocab::party::Address;
use cp_vocab::*;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::trace::SpanData;

const SECRET: &str = "+15557654321";

fn id<T: TypedId>(n: u128) -> T {
    T::from_u128(n)
}

/// Records one second apart.
fn log(events: Vec<Event>) -> Vec<EventRecord> {
    let record = |(i, event)| EventRecord {
        stream: StreamId::Interaction(id(7)),
        seq: i as u64 + 1,
        at: Timestamp::from_secs(1_000 + i as u64),
        tenant: id(1),
        event,
    };
    events.into_iter().enumerate().map(record).collect()
}

fn started() -> Event {
    Event::Started {
        direction: Direction::Inbound,
        from: Pii(Address::Number(SECRET.into())),
        from_name: Some(Pii(SECRET.into())),
        to: Pii(Address::Number(SECRET.into())),
        uci: id(2),
        number: Some(id(3)),
        trunk: Some(id(4)),
    }
}

fn leg(n: u128, role: LegRole) -> Event {
    Event::LegAdded {
        leg: id(n),
        role,
        direction: Direction::Inbound,
        endpoint: Endpoint::Trunk(id(4)),
        address: Pii(Address::Number(SECRET.into())),
        agent: None,
        call_id: SECRET.into(),
        cause: None,
    }
}

fn answered(n: u128) -> Event {
    Event::LegAnswered {
        leg: id(n),
        codec: Some("PCMA".into()),
        secure: false,
        dialog: Some(SECRET.into()),
    }
}

fn leg_ended(n: u128, reason: EndReason) -> Event {
    Event::LegEnded {
        leg: id(n),
        reason,
        detail: Some(SECRET.into()),
    }
}

fn ended(reason: EndReason) -> Event {
    Event::Ended {
        reason,
        by: None,
        detail: Some(SECRET.into()),
    }
}

fn attribute(span: &SpanData, key: &str) -> String {
    let found = span.attributes.iter().find(|a| a.key.as_str() == key);
    found.map_or(String::new(), |a| a.value.to_string())
}

#[test]
fn an_interaction_is_a_root_and_a_child_for_each_leg() {
    let records = log(vec![
        started(),
        leg(11, LegRole::Customer),
        answered(11),
        Event::Queued {
            queue: id(5),
            priority: 0,
            position: 1,
            wait_estimate_ms: None,
        },
        Event::Dequeued {
            queue: id(5),
            exit: QueueExit::Abandoned,
            waited_ms: 900,
        },
        Event::LegQuality {
            leg: id(11),
            quality: Quality {
                packets_received: 50,
                ..Quality::default()
            },
        },
        leg_ended(11, EndReason::HungUp),
        ended(EndReason::Abandoned),
    ]);
    let spans = of_interaction(id(7), &records);
    let [root, leg] = spans.as_slice() else {
        panic!("{} spans", spans.len());
    };
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    assert_eq!(leg.parent_span_id, root.span_context.span_id());
    assert_eq!(leg.span_context.trace_id(), root.span_context.trace_id());
    assert_eq!(attribute(root, "crosspoint.queue.exit"), "abandoned");
    assert_eq!(attribute(root, "crosspoint.queue.waited_ms"), "900");
    assert_eq!(attribute(root, "crosspoint.end_reason"), "abandoned");
    assert_eq!(attribute(leg, "crosspoint.setup_ms"), "1000");
    assert_eq!(attribute(leg, "crosspoint.talk_ms"), "4000");
    assert_eq!(attribute(leg, "crosspoint.packets_received"), "50");
    assert_eq!(attribute(leg, "crosspoint.leg.role"), "customer");
    let took = |s: &SpanData| s.end_time.duration_since(s.start_time).map(|d| d.as_secs());
    assert_eq!((took(root).ok(), took(leg).ok()), (Some(7), Some(5)));
    assert_eq!(root.status, Status::Unset);
}

#[test]
fn nothing_of_people_is_in_a_span() {
    let records = log(vec![
        started(),
        leg(11, LegRole::Customer),
        answered(11),
        Event::DigitReceived {
            leg: id(11),
            digit: Pii('5'),
        },
        Event::PromptStarted {
            leg: id(11),
            playback: id(8),
            what: SECRET.into(),
        },
        Event::WrapUpNoted {
            agent: id(9),
            code: None,
            note: Some(Pii(SECRET.into())),
        },
        leg_ended(11, EndReason::HungUp),
        ended(EndReason::HungUp),
    ]);
    let text = format!("{:?}", of_interaction(id(7), &records));
    assert!(!text.contains("5557654321"), "{text}");
}

#[test]
fn a_lost_call_is_an_error_and_ends_when_the_log_does() {
    let records = log(vec![
        started(),
        leg(11, LegRole::Customer),
        ended(EndReason::NodeLost),
    ]);
    let spans = of_interaction(id(7), &records);
    assert_eq!(spans[0].status, Status::error("node_lost"));
    assert_eq!(spans[1].end_time, spans[0].end_time);
}

#[test]
fn a_log_without_a_start_gives_nothing() {
    assert!(of_interaction(id(7), &[]).is_empty());
    let records = log(vec![ended(EndReason::HungUp)]);
    assert!(of_interaction(id(7), &records).is_empty());
    // A leg that was never added is no reason to fail.
    let records = log(vec![started(), answered(99), ended(EndReason::HungUp)]);
    assert_eq!(of_interaction(id(7), &records).len(), 1);
}

#[test]
fn limits_hold_and_say_so() {
    let mut events = vec![started()];
    events.extend((0..LEGS_MAX as u128 + 5).map(|n| leg(100 + n, LegRole::Party)));
    let held = |_| Event::LegHeld {
        leg: id(100),
        by_far_end: false,
    };
    events.extend((0..MOMENTS_MAX + 3).map(held));
    events.push(ended(EndReason::HungUp));
    let spans = of_interaction(id(7), &log(events));
    assert_eq!(spans.len(), LEGS_MAX + 1);
    assert_eq!(
        attribute(&spans[0], "crosspoint.legs"),
        (LEGS_MAX + 5).to_string()
    );
    assert_eq!(spans[1].events.len(), MOMENTS_MAX);
    assert_eq!(spans[1].events.dropped_count, 3);
}
