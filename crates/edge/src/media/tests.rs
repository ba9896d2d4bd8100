use super::*;
use crate::wake::{Wake, Waker};
use cp_vocab::LegId;
use cp_vocab::id::TypedId;
use cp_vocab::media::MediaEvent;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The next events, or a failure when none come.
fn wait(source: &EventSource, until: impl Fn(&[MediaEvent]) -> bool) -> Vec<MediaEvent> {
    let end = Instant::now() + Duration::from_secs(10);
    let mut events = Vec::new();
    while !until(&events) {
        assert!(Instant::now() < end, "seen: {events:?}");
        source.drain(&mut events);
        std::thread::yield_now();
    }
    events
}

#[test]
fn a_bug_in_the_node_costs_its_legs_and_not_the_worker() {
    let (sink, source) = event_queue(Waker(Wake::new().expect("eventfd")));
    let dir = tempfile::tempdir().expect("directory");
    let here = Ipv4Addr::LOCALHOST.into();
    let config = MediaConfig {
        workers: Some(1),
        pairs_at_start: 2,
        ..MediaConfig::new(here, 31_900..=31_999, dir.path().to_owned())
    };
    let media = MediaWorkers::start(config, Clock::start(), sink).expect("start");
    let events = wait(&source, |e| !e.is_empty());
    let [MediaEvent::Ports { ports }] = &events[..] else {
        panic!("{events:?}");
    };
    let leg = LegId::from_u128(1);
    let open = || MediaCommand::Open {
        leg,
        port: ports[0],
        plan: None,
    };
    for _ in 0..2 {
        media.send(0, open()).expect("taken");
        media.order(0, Order::Panic).expect("taken");
        let events = wait(&source, |e| !e.is_empty());
        assert_eq!(events, [MediaEvent::Unreachable { leg }]);
    }
    // Orders given together with the fatal one are not lost with it.
    media.order(0, Order::Panic).expect("taken");
    media.send(0, open()).expect("taken");
    media.send(0, MediaCommand::Close { leg }).expect("taken");
    let events = wait(&source, |e| !e.is_empty());
    let closed =
        |e: &MediaEvent| matches!(e, MediaEvent::Quality { leg: l, last: true, .. } if *l == leg);
    assert!(events.iter().any(closed), "{events:?}");
    assert_eq!(media.counters(0).expect("worker 0").panics, 3);
}
