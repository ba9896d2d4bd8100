//! Measures the log: `cargo run --release -p cp-store --example log_bench [seconds] [folder]`.
//!
//! Prints one JSON line: durable records per second with 64 producers that each wait for their
//! own commit (`log_events_per_s`; `_nofsync` without waiting for the disk; `_batched` with the
//! records of a call handed over in steps of four as an engine does), and the commit latency at
//! 1,000 batches of four per second.

use cp_store::{CommitOutcome, Durability, Options, SqliteStore, Store};
use cp_vocab::event::*;
use cp_vocab::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const PRODUCERS: usize = 64;
const PACED_BATCHES_PER_S: u32 = 1_000;

/// Producers wait here, each for its own position.
struct Gate {
    /// Position, and who waits for it, in order.
    waiting: Mutex<Waiting>,
    settled: Vec<Slot>,
}

struct Waiting {
    position: u64,
    order: std::collections::VecDeque<(u64, usize)>,
}

#[derive(Default)]
struct Slot {
    done: Mutex<bool>,
    wake: Condvar,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(Waiting {
                position: 0,
                order: std::collections::VecDeque::new(),
            }),
            settled: (0..PRODUCERS).map(|_| Slot::default()).collect(),
        })
    }

    fn append(&self, store: &dyn Store, producer: usize, batch: Vec<EventRecord>) {
        let mut waiting = self.waiting.lock().expect("no producer panics");
        waiting.position += 1;
        let position = waiting.position;
        waiting.order.push_back((position, producer));
        store
            .append(batch, LogPosition(position))
            .expect("the queue holds all producers");
    }

    fn wait(&self, producer: usize) {
        let slot = &self.settled[producer];
        let mut done = slot.done.lock().expect("no producer panics");
        while !*done {
            done = slot.wake.wait(done).expect("no producer panics");
        }
        *done = false;
    }

    fn settle(&self, outcome: &CommitOutcome) {
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let mut waiting = self.waiting.lock().expect("no producer panics");
        while let Some((position, producer)) = waiting.order.front().copied() {
            if position > outcome.upto.0 {
                break;
            }
            waiting.order.pop_front();
            let slot = &self.settled[producer];
            *slot.done.lock().expect("no producer panics") = true;
            slot.wake.notify_one();
        }
    }
}

/// Records of calls, one after the other.
struct Calls {
    ids: IdSource,
    tenant: TenantId,
    left: std::vec::IntoIter<EventRecord>,
}

impl Calls {
    fn new(seed: u64) -> Self {
        Self {
            ids: IdSource::from_u64(seed),
            tenant: TenantId::from_u128(1),
            left: Vec::new().into_iter(),
        }
    }

    fn next(&mut self) -> EventRecord {
        if let Some(record) = self.left.next() {
            return record;
        }
        self.left = self.call().into_iter();
        self.left.next().expect("a call has records")
    }

    /// A queued call with its two legs, about as an engine tells it: 27 records.
    fn call(&mut self) -> Vec<EventRecord> {
        let now = wall_clock();
        let stream = StreamId::Interaction(self.ids.next(now));
        let (a, b): (LegId, LegId) = (self.ids.next(now), self.ids.next(now));
        let queue: QueueId = QueueId::from_u128(7);
        let agent: AgentId = AgentId::from_u128(9);
        let offer: OfferId = self.ids.next(now);
        let recording: RecordingId = self.ids.next(now);
        let playback: PlaybackId = self.ids.next(now);
        let added = |leg, role, agent| Event::LegAdded {
            leg,
            role,
            direction: Direction::Inbound,
            endpoint: Endpoint::Uri,
            address: Pii(Address::Number("+4930123456".into())),
            agent,
            call_id: "3848276298220188511@atlanta.example.com".into(),
            cause: None,
        };
        let answered = |leg| Event::LegAnswered {
            leg,
            codec: Some("opus".into()),
            secure: true,
            dialog: Some("3848276298220188511@atlanta.example.com;a=9fxced76sl;b=314159".into()),
        };
        let ended = |leg| Event::LegEnded {
            leg,
            reason: EndReason::HungUp,
            detail: Some("200".into()),
        };
        let digit = |digit| Event::DigitReceived {
            leg: a,
            digit: Pii(digit),
        };
        let quality = |leg| Event::LegQuality {
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
        };
        let prompt = |what: &str| Event::PromptStarted {
            leg: a,
            playback,
            what: what.into(),
        };
        let prompt_ended = Event::PromptEnded {
            leg: a,
            playback,
            interrupted: true,
        };
        let events = vec![
            Event::Started {
                direction: Direction::Inbound,
                from: Pii(Address::Number("+4930123456".into())),
                from_name: Some(Pii("Ada Lovelace".into())),
                to: Pii(Address::Number("+18005550100".into())),
                uci: self.ids.next(now),
                number: Some(self.ids.next(now)),
                trunk: Some(self.ids.next(now)),
            },
            added(a, LegRole::Customer, None),
            answered(a),
            prompt("welcome"),
            digit('1'),
            prompt_ended.clone(),
            digit('2'),
            Event::Queued {
                queue,
                priority: 0,
                position: 3,
                wait_estimate_ms: Some(31_000),
            },
            prompt("music"),
            Event::QueueAnnounced {
                queue,
                position: 2,
                wait_estimate_ms: Some(20_000),
            },
            Event::OfferMade {
                offer,
                agent,
                queue: Some(queue),
                deadline: now,
                explain: "longest idle of 4: idle 81 s, skill billing 7".into(),
            },
            added(b, LegRole::Agent, Some(agent)),
            Event::LegRinging {
                leg: b,
                early_media: false,
            },
            answered(b),
            Event::OfferEnded {
                offer,
                agent,
                how: OfferEnd::Accepted,
            },
            prompt_ended,
            Event::Dequeued {
                queue,
                exit: QueueExit::Answered,
                waited_ms: 18_000,
            },
            Event::Bridged { legs: vec![a, b] },
            Event::RecordingStarted {
                recording,
                left: a,
                right: Some(b),
                path: "2026/11/20/rec_01JD3X.wav".into(),
            },
            quality(a),
            quality(b),
            Event::Unbridged { legs: vec![a, b] },
            ended(a),
            ended(b),
            Event::RecordingEnded {
                recording,
                duration_ms: 181_000,
                error: None,
            },
            Event::Ended {
                reason: EndReason::HungUp,
                by: Some(a),
                detail: None,
            },
            Event::WrapUpStarted { agent, until: now },
        ];
        let tenant = self.tenant;
        (1..)
            .zip(events)
            .map(|(seq, event)| EventRecord {
                stream,
                seq,
                at: now,
                tenant,
                event,
            })
            .collect()
    }
}

fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970");
    Timestamp(since.as_micros() as u64)
}

fn open(folder: &Path, durability: Durability) -> Arc<SqliteStore> {
    for end in ["", "-wal", "-shm", ".lock"] {
        // Not there the first time.
        let _ = std::fs::remove_file(folder.join(format!("bench.db{end}")));
    }
    let options = Options {
        durability,
        ..Options::at(folder.join("bench.db"))
    };
    Arc::new(SqliteStore::open(&options).expect("the folder can be written"))
}

/// Records per second with all producers, each waiting for its commit.
fn flood(folder: &Path, durability: Durability, batch: usize, time: Duration) -> f64 {
    let store = open(folder, durability);
    let gate = Gate::new();
    let settle = Arc::clone(&gate);
    store.on_commit(Box::new(move |o| settle.settle(&o)));
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (store, gate) = (Arc::clone(&store), Arc::clone(&gate));
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut calls = Calls::new(producer as u64 + 1);
                while !stop.load(Ordering::Relaxed) {
                    let records: Vec<_> = (0..batch).map(|_| calls.next()).collect();
                    gate.append(&*store, producer, records);
                    gate.wait(producer);
                    count.fetch_add(batch as u64, Ordering::Relaxed);
                }
            })
        })
        .collect();
    // The first part warms caches and grows the files.
    std::thread::sleep(time / 5);
    let (from, start) = (count.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(time);
    let rate = (count.load(Ordering::Relaxed) - from) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for producer in producers {
        producer.join().expect("no producer panics");
    }
    let figures = store.figures();
    eprintln!(
        "{durability:?} batch {batch}: {rate:.0}/s, {} commits, {:.0} us each, longest {} us, {} checkpoints",
        figures.commits,
        figures.commit_us_total as f64 / figures.commits.max(1) as f64,
        figures.commit_us_max,
        figures.checkpoints,
    );
    rate
}

/// Commit latencies in milliseconds at a steady pace: (p50, p99, p99.9).
fn paced(folder: &Path, time: Duration) -> (f64, f64, f64) {
    let store = open(folder, Durability::Full);
    let sent = Arc::new(Mutex::new(std::collections::VecDeque::new()));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (settle, keep) = (Arc::clone(&sent), Arc::clone(&taken));
    store.on_commit(Box::new(move |o| {
        let now = Instant::now();
        let mut sent = settle.lock().expect("no holder panics");
        let mut taken = keep.lock().expect("no holder panics");
        while let Some((position, at)) = sent.front().copied() {
            if position > o.upto.0 {
                break;
            }
            sent.pop_front();
            taken.push(now.duration_since(at).as_secs_f64() * 1_000.0);
        }
    }));
    let mut calls: Vec<_> = (1..=40).map(Calls::new).collect();
    let pause = Duration::from_secs(1) / PACED_BATCHES_PER_S;
    let start = Instant::now();
    let mut position = 0u64;
    while start.elapsed() < time {
        position += 1;
        let n = position as usize % calls.len();
        let batch = (0..4).map(|_| calls[n].next()).collect();
        sent.lock()
            .expect("no holder panics")
            .push_back((position, Instant::now()));
        store
            .append(batch, LogPosition(position))
            .expect("the queue is not full at this pace");
        let next = start + pause * position as u32;
        if let Some(wait) = next.checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
    }
    store.close();
    let mut taken = taken.lock().expect("no holder panics");
    taken.sort_by(f64::total_cmp);
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize];
    (at(0.5), at(0.99), at(0.999))
}

fn main() {
    let mut args = std::env::args().skip(1);
    let seconds: u64 = args.next().and_then(|a| a.parse().ok()).unwrap_or(5);
    let folder: PathBuf = args.next().map_or_else(
        || std::env::temp_dir().join(format!("log-bench-{}", std::process::id())),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let time = Duration::from_secs(seconds);
    let full = flood(&folder, Durability::Full, 1, time);
    let batched = flood(&folder, Durability::Full, 4, time);
    let os = flood(&folder, Durability::Os, 1, time);
    let (p50, p99, p999) = paced(&folder, time);
    println!(
        "{{\"log_events_per_s\":{full:.0},\"log_events_per_s_nofsync\":{os:.0},\
         \"log_events_per_s_batched\":{batched:.0},\"commit_p50_ms\":{p50:.3},\
         \"commit_p99_ms\":{p99:.3},\"commit_p999_ms\":{p999:.3}}}"
    );
    for end in ["", "-wal", "-shm", ".lock"] {
        // What is left behind is only space.
        let _ = std::fs::remove_file(folder.join(format!("bench.db{end}")));
    }
}
