//! Measures the log: `cargo run --release -p cp-store --example log_bench [seconds] [folder]`.
//!
//! Prints one JSON line: durable records per second with 64 producers, each of which hands over
//! one record and goes on when that is durable (`log_events_per_s`; `_nofsync` without waiting for
//! the disk; `_batched` with four records at a time, as an engine's steps have), and the commit
//! latency at 1,000 batches of four per second. As in an engine, the producers are calls that one
//! thread serves, not threads.

mod calls;

use calls::Calls;
use cp_store::{CommitOutcome, Durability, Options, SqliteStore, Store};
use cp_vocab::event::LogPosition;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const PRODUCERS: u64 = 64;
const PACED_BATCHES_PER_S: u32 = 1_000;

/// The last position that is durable, told from the writer to the thread that serves the calls.
#[derive(Default)]
struct Durable {
    upto: Mutex<u64>,
    risen: Condvar,
}

impl Durable {
    fn watch(store: &dyn Store) -> Arc<Self> {
        let durable = Arc::new(Self::default());
        let told = Arc::clone(&durable);
        store.on_commit(Box::new(move |o: CommitOutcome| {
            assert!(o.error.is_none(), "{:?}", o.error);
            *told.upto.lock().expect("no holder panics") = o.upto.0;
            told.risen.notify_one();
        }));
        durable
    }

    /// Waits until more than `seen` is durable.
    fn past(&self, seen: u64) -> u64 {
        let upto = self.upto.lock().expect("no holder panics");
        let upto = self.risen.wait_while(upto, |upto| *upto <= seen);
        *upto.expect("no holder panics")
    }
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
    let durable = Durable::watch(&*store);
    let mut calls: Vec<_> = (1..=PRODUCERS).map(Calls::new).collect();
    let mut position = 0;
    let mut hand_over = |producer: u64| {
        position += 1;
        let calls = &mut calls[producer as usize];
        let records = (0..batch).map(|_| calls.next()).collect();
        store
            .append(records, LogPosition(position))
            .expect("the queue holds all producers");
    };
    // Producers go on in the order they were served, so position p is always of producer p - 1
    // modulo their number.
    (0..PRODUCERS).for_each(&mut hand_over);
    let mut seen = 0;
    // The first part warms caches and grows the files.
    let (mut start, mut from) = (Instant::now(), None);
    loop {
        let upto = durable.past(seen);
        for done in seen..upto {
            hand_over(done % PRODUCERS);
        }
        seen = upto;
        match from {
            None if start.elapsed() > time / 5 => {
                start = Instant::now();
                from = Some(seen);
            }
            Some(from) if start.elapsed() > time => {
                let rate = ((seen - from) as usize * batch) as f64 / start.elapsed().as_secs_f64();
                store.close();
                report(&*store, &format!("{durability:?}, {batch} at a time"), rate);
                return rate;
            }
            _ => {}
        }
    }
}

fn report(store: &dyn Store, what: &str, rate: f64) {
    let figures = store.figures();
    eprintln!(
        "{what}: {rate:.0}/s, {} commits, {:.0} us each, longest {} us, {} checkpoints",
        figures.commits,
        figures.commit_us_total as f64 / figures.commits.max(1) as f64,
        figures.commit_us_max,
        figures.checkpoints,
    );
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
