//! What an engine tells of a queued, recorded call of two legs: 27 records.

use cp_vocab::event::*;
use cp_vocab::*;

/// Records of calls, one after the other.
pub(crate) struct Calls {
    ids: IdSource,
    left: std::vec::IntoIter<EventRecord>,
}

/// The ids of one call.
struct Call {
    customer: LegId,
    desk: LegId,
    queue: QueueId,
    agent: AgentId,
    offer: OfferId,
    recording: RecordingId,
    playback: PlaybackId,
    now: Timestamp,
}

impl Calls {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ids: IdSource::from_u64(seed),
            left: Vec::new().into_iter(),
        }
    }

    pub(crate) fn next(&mut self) -> EventRecord {
        if let Some(record) = self.left.next() {
            return record;
        }
        self.left = self.call().into_iter();
        self.left.next().expect("a call has records")
    }

    fn call(&mut self) -> Vec<EventRecord> {
        let now = wall_clock();
        let stream = StreamId::Interaction(self.ids.next(now));
        let call = Call {
            customer: self.ids.next(now),
            desk: self.ids.next(now),
            queue: QueueId::from_u128(7),
            agent: AgentId::from_u128(9),
            offer: self.ids.next(now),
            recording: self.ids.next(now),
            playback: self.ids.next(now),
            now,
        };
        let started = Event::Started {
            direction: Direction::Inbound,
            from: Pii(Address::Number("+4930123456".into())),
            from_name: Some(Pii("Ada Lovelace".into())),
            to: Pii(Address::Number("+18005550100".into())),
            uci: self.ids.next(now),
            number: Some(self.ids.next(now)),
            trunk: Some(self.ids.next(now)),
        };
        let events = std::iter::once(started)
            .chain(call.menu())
            .chain(call.queue())
            .chain(call.conversation())
            .chain(call.end());
        (1..)
            .zip(events)
            .map(|(seq, event)| EventRecord {
                stream,
                seq,
                at: now,
                tenant: TenantId::from_u128(1),
                event,
            })
            .collect()
    }
}

impl Call {
    fn menu(&self) -> [Event; 6] {
        let digit = |digit| Event::DigitReceived {
            leg: self.customer,
            digit: Pii(digit),
        };
        [
            self.added(self.customer, LegRole::Customer, None),
            self.answered(self.customer),
            self.prompt("welcome"),
            digit('1'),
            self.prompt_ended(),
            digit('2'),
        ]
    }

    fn queue(&self) -> [Event; 10] {
        let (queue, agent, offer) = (self.queue, self.agent, self.offer);
        [
            Event::Queued {
                queue,
                priority: 0,
                position: 3,
                wait_estimate_ms: Some(31_000),
            },
            self.prompt("music"),
            Event::QueueAnnounced {
                queue,
                position: 2,
                wait_estimate_ms: Some(20_000),
            },
            Event::OfferMade {
                offer,
                agent,
                queue: Some(queue),
                deadline: self.now,
                explain: "longest idle of 4: idle 81 s, skill billing 7".into(),
            },
            self.added(self.desk, LegRole::Agent, Some(agent)),
            Event::LegRinging {
                leg: self.desk,
                early_media: false,
                dialog: None,
            },
            self.answered(self.desk),
            Event::OfferEnded {
                offer,
                agent,
                how: OfferEnd::Accepted,
            },
            self.prompt_ended(),
            Event::Dequeued {
                queue,
                exit: QueueExit::Answered,
                waited_ms: 18_000,
            },
        ]
    }

    fn conversation(&self) -> [Event; 5] {
        let legs = vec![self.customer, self.desk];
        [
            Event::Bridged { legs: legs.clone() },
            Event::RecordingStarted {
                recording: self.recording,
                left: self.customer,
                right: Some(self.desk),
                agent: None,
                path: "2026/11/20/rec_01JD3X.wav".into(),
            },
            quality(self.customer),
            quality(self.desk),
            Event::Unbridged { legs },
        ]
    }

    fn end(&self) -> [Event; 5] {
        let ended = |leg| Event::LegEnded {
            leg,
            reason: EndReason::HungUp,
            detail: Some("200".into()),
        };
        [
            ended(self.customer),
            ended(self.desk),
            Event::RecordingEnded {
                recording: self.recording,
                duration_ms: 181_000,
                error: None,
            },
            Event::Ended {
                reason: EndReason::HungUp,
                by: Some(self.customer),
                detail: None,
            },
            Event::WrapUpStarted {
                agent: self.agent,
                until: self.now,
            },
        ]
    }

    fn added(&self, leg: LegId, role: LegRole, agent: Option<AgentId>) -> Event {
        Event::LegAdded {
            leg,
            role,
            direction: Direction::Inbound,
            endpoint: Endpoint::Uri,
            address: Pii(Address::Number("+4930123456".into())),
            agent,
            call_id: "3848276298220188511@atlanta.example.com".into(),
            cause: None,
        }
    }

    fn answered(&self, leg: LegId) -> Event {
        Event::LegAnswered {
            leg,
            codec: Some("opus".into()),
            secure: true,
            dialog: Some("3848276298220188511@atlanta.example.com;a=9fxced76sl;b=314159".into()),
        }
    }

    fn prompt(&self, what: &str) -> Event {
        Event::PromptStarted {
            leg: self.customer,
            playback: self.playback,
            what: what.into(),
        }
    }

    fn prompt_ended(&self) -> Event {
        Event::PromptEnded {
            leg: self.customer,
            playback: self.playback,
            interrupted: true,
        }
    }
}

fn quality(leg: LegId) -> Event {
    Event::LegQuality {
        leg,
        quality: media::Quality {
            packets_received: 9_000,
            packets_lost: 3,
            packets_sent: 9_000,
            jitter_ms: 2.25,
            rtt_ms: Some(31.5),
            mos: 4.31,
            remote_loss_pct: Some(0.1),
        },
    }
}

fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970");
    Timestamp(since.as_micros() as u64)
}
