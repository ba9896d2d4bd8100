//! A small world: ids, records of a call, and waiting for commits.

use cp_store::*;
use cp_vocab::command::Actor;
use cp_vocab::event::*;
use cp_vocab::media::Quality;
use cp_vocab::model::*;
use cp_vocab::*;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for something that must happen; past it the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) ids: IdSource,
    pub(crate) now: Timestamp,
    pub(crate) tenant: TenantId,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut ids = IdSource::from_u64(seed);
        let now = Timestamp::from_secs(1_700_000_000);
        let tenant = ids.next(now);
        Self { ids, now, tenant }
    }

    pub(crate) fn id<T: id::TypedId>(&mut self) -> T {
        self.ids.next(self.now)
    }

    pub(crate) fn later(&mut self, ms: u64) -> Timestamp {
        self.now = self.now + Duration::from_millis(ms);
        self.now
    }

    pub(crate) fn edit(&self) -> Edit {
        Edit::new(self.tenant, Actor::System, self.now)
    }

    pub(crate) fn tenant_row(&self) -> Tenant {
        Tenant {
            id: self.tenant,
            name: format!("Tenant {}", self.tenant),
            domain: format!("{}.example", self.tenant),
            interactions_max: 0,
            record_by_default: false,
            suspended: false,
            presence_reasons: vec![],
            safety: Default::default(),
        }
    }

    pub(crate) fn queue_row(&mut self, name: &str) -> Queue {
        Queue::with_defaults(self.id(), self.tenant, name)
    }

    pub(crate) fn phone_row(&mut self, user: &str) -> Phone {
        Phone {
            id: self.id(),
            tenant: self.tenant,
            user: user.into(),
            ha1_md5: Pii("m".into()),
            ha1_sha256: Pii("s".into()),
            agent: None,
            name: format!("Phone {user}"),
            require_srtp: false,
            may_dial_out: false,
            forward: None,
            device: Default::default(),
        }
    }

    pub(crate) fn agent_row(&mut self, extension: &str) -> Agent {
        Agent {
            id: self.id(),
            tenant: self.tenant,
            user: None,
            name: format!("Agent {extension}"),
            extension: extension.into(),
            skills: vec![],
            queues: vec![],
            phone: None,
            available_when_registered: false,
            wrap_up_ms: None,
        }
    }

    pub(crate) fn user_row(&mut self, login: &str) -> User {
        User {
            password_hash: Pii("$argon2id$x".into()),
            ..User::new(self.id(), self.tenant, login, "A Person", vec![Role::Agent])
        }
    }

    pub(crate) fn record(&self, stream: StreamId, seq: u64, event: Event) -> EventRecord {
        EventRecord {
            stream,
            seq,
            at: self.now,
            tenant: self.tenant,
            event,
        }
    }

    pub(crate) fn started(&mut self) -> Event {
        Event::Started {
            direction: Direction::Inbound,
            from: Pii(Address::Number("+4930123456".into())),
            from_name: Some(Pii("Ada Lovelace".into())),
            to: Pii(Address::Number("+18005550100".into())),
            uci: self.id(),
            number: None,
            trunk: None,
        }
    }

    /// A call of one interaction through a queue to an agent, recorded, with its wrap-up.
    pub(crate) fn call(&mut self, queue: QueueId, agent: AgentId) -> Call {
        let interaction: InteractionId = self.id();
        let (customer, desk): (LegId, LegId) = (self.id(), self.id());
        let (offer, recording): (OfferId, RecordingId) = (self.id(), self.id());
        let started = self.started();
        let leg = |leg, role, agent| Event::LegAdded {
            leg,
            role,
            direction: Direction::Inbound,
            endpoint: Endpoint::Uri,
            address: Pii(Address::Sip("sip:ada@example.org".into())),
            agent,
            call_id: "abc@host".into(),
            cause: None,
        };
        let answered = |leg| Event::LegAnswered {
            leg,
            codec: Some("opus".into()),
            secure: true,
            dialog: Some("opaque".into()),
        };
        let ended = |leg| Event::LegEnded {
            leg,
            reason: EndReason::HungUp,
            detail: None,
        };
        let steps = vec![
            (0, started),
            (0, leg(customer, LegRole::Customer, None)),
            (10, answered(customer)),
            (
                1_000,
                Event::Queued {
                    queue,
                    priority: 0,
                    position: 1,
                    wait_estimate_ms: Some(5_000),
                },
            ),
            (
                2_000,
                Event::OfferMade {
                    offer,
                    agent,
                    queue: Some(queue),
                    deadline: self.now,
                    explain: "longest idle".into(),
                },
            ),
            (10, leg(desk, LegRole::Agent, Some(agent))),
            (2_990, answered(desk)),
            (
                0,
                Event::OfferEnded {
                    offer,
                    agent,
                    how: OfferEnd::Accepted,
                },
            ),
            (
                0,
                Event::Dequeued {
                    queue,
                    exit: QueueExit::Answered,
                    waited_ms: 5_000,
                },
            ),
            (
                0,
                Event::Bridged {
                    legs: vec![customer, desk],
                },
            ),
            (
                0,
                Event::RecordingStarted {
                    recording,
                    left: customer,
                    right: Some(desk),
                    agent: None,
                    path: "2026/11/x.wav".into(),
                },
            ),
            (
                5_000,
                Event::LegQuality {
                    leg: desk,
                    quality: Quality {
                        packets_received: 250,
                        packets_lost: 1,
                        packets_sent: 250,
                        jitter_ms: 1.5,
                        rtt_ms: None,
                        mos: 4.4,
                        remote_loss_pct: None,
                    },
                },
            ),
            (
                25_000,
                Event::Unbridged {
                    legs: vec![customer, desk],
                },
            ),
            (0, ended(customer)),
            (0, ended(desk)),
            (
                0,
                Event::RecordingEnded {
                    recording,
                    duration_ms: 30_000,
                    error: None,
                },
            ),
            (
                0,
                Event::Ended {
                    reason: EndReason::HungUp,
                    by: Some(customer),
                    detail: None,
                },
            ),
            (
                0,
                Event::WrapUpStarted {
                    agent,
                    until: self.now,
                },
            ),
        ];
        let records = steps
            .into_iter()
            .enumerate()
            .map(|(i, (ms, event))| {
                self.later(ms);
                self.record(StreamId::Interaction(interaction), i as u64 + 1, event)
            })
            .collect();
        Call {
            interaction,
            customer,
            desk,
            recording,
            records,
        }
    }
}

pub(crate) struct Call {
    pub(crate) interaction: InteractionId,
    pub(crate) customer: LegId,
    pub(crate) desk: LegId,
    pub(crate) recording: RecordingId,
    pub(crate) records: Vec<EventRecord>,
}

/// Hands batches over and waits for what becomes of them.
pub(crate) struct Log {
    pub(crate) store: Arc<dyn Store>,
    position: Mutex<u64>,
    outcomes: Arc<(Mutex<Vec<CommitOutcome>>, Condvar)>,
}

impl Log {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        let outcomes = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let seen = Arc::clone(&outcomes);
        store.on_commit(Box::new(move |outcome| {
            seen.0.lock().unwrap().push(outcome);
            seen.1.notify_all();
        }));
        Self {
            store,
            position: Mutex::new(0),
            outcomes,
        }
    }

    /// Hands a batch over; returns its position.
    pub(crate) fn append(&self, batch: Vec<EventRecord>) -> LogPosition {
        let mut position = self.position.lock().unwrap();
        *position += 1;
        self.store.append(batch, LogPosition(*position)).unwrap();
        LogPosition(*position)
    }

    /// What became of the batch at `position`.
    pub(crate) fn outcome(&self, position: LogPosition) -> Result<(), StoreError> {
        let (seen, changed) = &*self.outcomes;
        let settled = |all: &Vec<CommitOutcome>| {
            let exact = all.iter().find(|o| o.upto == position && o.error.is_some());
            match exact {
                Some(o) => Some(Err(o.error.clone().unwrap())),
                None => all.iter().any(|o| o.upto >= position).then_some(Ok(())),
            }
        };
        let guard = seen.lock().unwrap();
        let (guard, wait) = changed
            .wait_timeout_while(guard, PATIENCE, |all| settled(all).is_none())
            .unwrap();
        assert!(!wait.timed_out(), "no outcome for {position:?}");
        settled(&guard).unwrap()
    }

    /// Appends and waits.
    pub(crate) fn commit(&self, batch: Vec<EventRecord>) -> Result<(), StoreError> {
        let position = self.append(batch);
        self.outcome(position)
    }

    /// Whether the batch is still undecided.
    pub(crate) fn is_undecided(&self, position: LogPosition) -> bool {
        !self
            .outcomes
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|o| o.upto >= position)
    }
}

pub(crate) fn open(dir: &TempDir) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(&options(dir)).expect("a fresh folder can be opened"))
}

pub(crate) fn options(dir: &TempDir) -> Options {
    Options::at(dir.path().join("crosspoint.db"))
}

/// Waits until the health of the store is as wanted.
pub(crate) fn watch_health(store: &Arc<SqliteStore>) -> std::sync::mpsc::Receiver<Health> {
    let (tell, told) = std::sync::mpsc::sync_channel(64);
    store.on_health(Box::new(move |h| {
        // The test may be over.
        let _ = tell.send(h.clone());
    }));
    told
}
