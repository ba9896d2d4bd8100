//! From the workers to the engine: a bounded queue that wakes the engine's loop.

use crate::wake::Waker;
use cp_vocab::media::MediaEvent;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Events that may wait for the engine. From half of it on, interim `Quality` figures are dropped
/// (the next ones replace them); at the limit everything is, and counted: an engine that far
/// behind serves nobody.
const EVENTS_MAX: usize = 65_536;

struct Queue {
    events: Mutex<VecDeque<MediaEvent>>,
    dropped: AtomicU64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<MediaEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where workers put events; clone one for each.
#[derive(Clone)]
pub struct EventSink {
    queue: Arc<Queue>,
    waker: Waker,
}

/// Where the engine's thread takes them.
pub struct EventSource(Arc<Queue>);

/// A queue of media events whose sink wakes `waker`.
pub fn event_queue(waker: Waker) -> (EventSink, EventSource) {
    let queue = Arc::new(Queue {
        events: Mutex::default(),
        dropped: AtomicU64::new(0),
    });
    let source = EventSource(Arc::clone(&queue));
    (EventSink { queue, waker }, source)
}

impl EventSink {
    /// Hand over all of `events`, with one wake-up.
    pub(super) fn put(&self, events: &mut Vec<MediaEvent>) {
        if events.is_empty() {
            return;
        }
        let mut dropped = 0;
        {
            let mut queue = self.queue.lock();
            for event in events.drain(..) {
                let interim = matches!(event, MediaEvent::Quality { last: false, .. });
                let room = if interim { EVENTS_MAX / 2 } else { EVENTS_MAX };
                if queue.len() < room {
                    queue.push_back(event);
                } else {
                    dropped += u64::from(!interim);
                }
            }
        }
        if dropped > 0 {
            self.queue.dropped.fetch_add(dropped, Relaxed);
            tracing::error!(dropped, "the engine does not take media events");
        }
        self.waker.wake();
    }
}

impl EventSource {
    /// Move everything that waits to the end of `out`.
    pub fn drain(&self, out: &mut Vec<MediaEvent>) {
        out.extend(self.0.lock().drain(..));
    }

    /// Events lost because the engine did not take them.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::Wake;
    use cp_vocab::LegId;
    use cp_vocab::id::TypedId;
    use cp_vocab::media::Quality;

    #[test]
    fn figures_give_way_first_and_the_queue_is_bounded() {
        let waker = Waker(Wake::new().expect("eventfd"));
        let (sink, source) = event_queue(waker);
        let quality = |last| MediaEvent::Quality {
            leg: LegId::from_u128(1),
            quality: Quality::default(),
            last,
        };
        let mut interim = vec![quality(false); EVENTS_MAX];
        sink.put(&mut interim);
        let mut finals = vec![quality(true); EVENTS_MAX];
        sink.put(&mut finals);
        assert_eq!(source.dropped(), (EVENTS_MAX / 2) as u64);
        let mut out = Vec::new();
        source.drain(&mut out);
        assert_eq!(out.len(), EVENTS_MAX);
        sink.put(&mut vec![quality(true)]);
        source.drain(&mut out);
        assert_eq!(out.len(), EVENTS_MAX + 1);
    }
}
