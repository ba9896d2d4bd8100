//! Kill -9 under load, and a file system that refuses to let files grow. The child is this test
//! binary itself, started again with a folder to work in.

use crate::support::*;
use cp_store::*;
use cp_vocab::event::*;
use cp_vocab::*;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

const FOLDER: &str = "CP_STORE_CRASH_CHILD";
/// Streams the child writes to at a time.
const STREAMS: u64 = 8;
/// Batches under way at a time, as many as a busy engine has.
const UNDER_WAY: u64 = 64;
/// Records per batch: a batch that is there in part shows.
const BATCH: u64 = 3;

fn stream(world: u128, n: u64) -> StreamId {
    StreamId::Interaction(id::TypedId::from_u128((world << 64) | u128::from(n)))
}

/// Does nothing as a test; as a child it writes until it is killed, and prints
/// `ack <position>` for what is durable and `failing` / `ok` when the health changes.
#[test]
fn child_that_writes() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = SqliteStore::open(&Options::at(PathBuf::from(folder).join("crosspoint.db")));
    let store = Arc::new(store.unwrap());
    let say = |text: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").unwrap();
        out.flush().unwrap();
    };
    let durable = Arc::new((Mutex::new(0), Condvar::new()));
    let told = Arc::clone(&durable);
    store.on_commit(Box::new(move |o| {
        assert_eq!(o.error, None);
        say(format!("ack {}", o.upto.0));
        *told.0.lock().unwrap() = o.upto.0;
        told.1.notify_one();
    }));
    store.on_health(Box::new(move |h| {
        say(if h.is_ok() { "ok" } else { "failing" }.to_string());
    }));
    let mut world = World::new(1);
    world.tenant = id::TypedId::from_u128(1);
    // This run's streams are new; position p writes batch p / STREAMS of stream p % STREAMS.
    let run = u128::from(store.head().unwrap()) + 1;
    say(format!("run {run}"));
    for position in 0.. {
        let (which, step) = (position % STREAMS, position / STREAMS);
        let batch = (1..=BATCH)
            .map(|i| {
                let seq = step * BATCH + i;
                let event = if seq == 1 {
                    world.started()
                } else {
                    Event::CommandTaken {
                        command: world.id(),
                        actor: command::Actor::System,
                        what: "x".repeat(300),
                    }
                };
                world.record(stream(run, which), seq, event)
            })
            .collect::<Vec<_>>();
        store.append(batch, LogPosition(position + 1)).unwrap();
        let upto = durable.0.lock().unwrap();
        let under_way = |upto: &mut u64| position + 1 - *upto >= UNDER_WAY;
        drop(durable.1.wait_while(upto, under_way).unwrap());
    }
}

/// A running child, killed when dropped.
struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    run: u128,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Writer {
    fn start(dir: &tempfile::TempDir, mut command: Command) -> Self {
        let mut child = command
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut writer = Self {
            child,
            lines,
            run: 0,
        };
        writer.run = loop {
            if let Some(run) = writer.next().unwrap().strip_prefix("run ") {
                break run.parse().unwrap();
            }
        };
        writer
    }

    /// The next line; `None` at the end. A line that was cut off by the kill does not count.
    fn next(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    fn kill(&mut self) {
        // Kill -9; an error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Reads to the end; the last position acknowledged.
    fn last_ack(&mut self, mut last: u64) -> u64 {
        while let Some(line) = self.next() {
            if let Some(position) = ack(&line) {
                last = last.max(position);
            }
        }
        last
    }
}

fn ack(line: &str) -> Option<u64> {
    line.strip_prefix("ack ")?.parse().ok()
}

fn myself() -> (PathBuf, [&'static str; 3]) {
    let args = ["crash::child_that_writes", "--exact", "--nocapture"];
    (std::env::current_exe().unwrap(), args)
}

/// What a crash may leave: everything acknowledged, whole batches, numbers without gaps.
fn check(dir: &tempfile::TempDir, run: u128, acknowledged: u64) {
    let store = open(dir);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let mut batches = Vec::new();
    for which in 0..STREAMS {
        let all = store.stream(stream(run, which), 1, 10_000).unwrap();
        assert!(all.len() < 10_000, "read to the end");
        assert!(all.iter().zip(1..).all(|(r, seq)| r.seq == seq));
        assert_eq!(all.len() as u64 % BATCH, 0, "no batch in part");
        batches.push(all.len() as u64 / BATCH);
    }
    // The kept batches are the first ones in the order they were handed over.
    let kept: u64 = batches.iter().sum();
    for (which, count) in batches.iter().enumerate() {
        let want = (kept + STREAMS - 1 - which as u64) / STREAMS;
        assert_eq!(*count, want, "stream {which} of {batches:?}");
    }
    assert!(kept >= acknowledged, "kept {kept} of {acknowledged}");
    // Projections went along.
    let open = store.open_interactions().unwrap();
    for which in (0..STREAMS).filter(|w| batches[*w as usize] > 0) {
        let StreamId::Interaction(i) = stream(run, which) else {
            unreachable!()
        };
        assert!(open.contains(&i));
    }
}

#[test]
fn kill_nine_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    // The same database again and again, killed early, later, and in between.
    for acks in [1, 40, 150, 7] {
        let (exe, args) = myself();
        let mut command = Command::new(exe);
        command.args(args);
        let mut writer = Writer::start(&dir, command);
        let mut last = 0;
        for _ in 0..acks {
            let line = writer.next().expect("the child runs until it is killed");
            last = last.max(ack(&line).unwrap());
        }
        writer.kill();
        let acknowledged = writer.last_ack(last);
        assert!(acknowledged > 0);
        check(&dir, writer.run, acknowledged);
    }
}

#[test]
fn files_that_may_not_grow_stop_the_log_until_they_may() {
    let dir = tempfile::tempdir().unwrap();
    // A soft limit of 3 MiB per file, whose signal is ignored: writes fail as on a full disk.
    let (exe, args) = myself();
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -S -f 6144; exec \"$0\" \"$@\"")
        .arg(exe)
        .args(args);
    let mut writer = Writer::start(&dir, command);
    let mut last = 0;
    loop {
        let line = writer
            .next()
            .expect("the child lives on when the disk is full");
        match ack(&line) {
            Some(position) => last = position,
            None => {
                assert_eq!(line, "failing");
                break;
            }
        }
    }
    assert!(last > 0, "it worked before");
    let raised = Command::new("prlimit")
        .args(["--pid", &writer.child.id().to_string(), "--fsize=unlimited"])
        .status()
        .expect("prlimit is part of util-linux");
    assert!(raised.success());
    let mut line = writer.next().unwrap();
    while line != "ok" {
        // A commit from before may still be told; nothing else is.
        assert!(ack(&line).is_none_or(|p| p >= last), "{line}");
        line = writer.next().unwrap();
    }
    for _ in 0..5 {
        let line = writer.next().unwrap();
        let position = ack(&line).expect("acknowledged again");
        assert!(position > last);
        last = position;
    }
    writer.kill();
    let acknowledged = writer.last_ack(last);
    check(&dir, writer.run, acknowledged);
}
