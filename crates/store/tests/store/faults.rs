//! A full disk, a read-only one, damaged files, two processes.

use crate::support::*;
use cp_store::log::RECORDS_QUEUED_MAX;
use cp_store::*;
use cp_vocab::event::*;
use cp_vocab::refusal::{Code, Refusal};
use cp_vocab::{EventRecord, StreamId};
use std::fs;
use std::io::Write;
use std::sync::mpsc::sync_channel;

/// An event of about this many bytes.
fn bulky(bytes: usize) -> Event {
    Event::AccessDenied {
        what: "filler".into(),
        detail: "x".repeat(bytes),
    }
}

fn tenant_record(world: &World, bytes: usize) -> EventRecord {
    world.record(StreamId::Tenant(world.tenant), 0, bulky(bytes))
}

#[test]
fn a_full_disk_holds_what_was_handed_over_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let health = watch_health(&store);
    let mut world = World::new(1);
    store.create(world.edit(), world.tenant_row()).unwrap();
    let log = Log::of(store.clone());
    let (queue, agent) = (world.id(), world.id());
    let call = world.call(queue, agent);
    log.commit(call.records.clone()).unwrap();

    store.set_size_max(Some(400 * 1024));
    let mut acknowledged = 0;
    let held = loop {
        let position = log.append(vec![tenant_record(&world, 20_000)]);
        if let Ok(change) = health.try_recv() {
            assert!(matches!(
                change,
                Health::Failing {
                    error: StoreError::Full { .. },
                    ..
                }
            ));
            break position;
        }
        // Either it commits, or the health tells.
        while log.is_undecided(position) && store.health().is_ok() {
            std::thread::yield_now();
        }
        if store.health().is_ok() {
            acknowledged += 1;
        } else {
            break position;
        }
    };
    assert!(acknowledged > 0, "some fit");
    assert!(!store.health().is_ok());
    assert!(log.is_undecided(held), "neither acknowledged nor refused");

    // More is taken and held; an edit is told at once; reading goes on.
    let more = log.append(vec![tenant_record(&world, 10)]);
    let queue = world.queue_row("Late");
    let refused = store.create(world.edit(), queue.clone()).unwrap_err();
    assert_eq!(refused.code(), "store_full");
    assert_eq!(Refusal::from(refused).code, Code::StoreUnavailable);
    assert_eq!(store.replay(call.interaction).unwrap(), call.records);
    assert!(log.is_undecided(more));

    store.set_size_max(None);
    assert_eq!(log.outcome(held), Ok(()));
    assert_eq!(log.outcome(more), Ok(()));
    assert!(store.health().is_ok());
    store.create(world.edit(), queue).unwrap();
    let records = store
        .stream(StreamId::Tenant(world.tenant), 1, 10_000)
        .unwrap();
    let fillers = records
        .iter()
        .filter(|r| r.event.kind() == "tenant.access_denied");
    assert_eq!(fillers.count(), acknowledged + 2, "each once");
    assert!(records.iter().zip(1..).all(|(r, seq)| r.seq == seq));
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn closing_while_the_disk_is_full_says_what_was_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let health = watch_health(&store);
    let world = World::new(1);
    store.create(world.edit(), world.tenant_row()).unwrap();
    let log = Log::of(store.clone());
    store.set_size_max(Some(4_096));
    let lost = log.append(vec![tenant_record(&world, 1_000_000)]);
    assert!(!health.recv_timeout(PATIENCE).unwrap().is_ok());
    store.close();
    assert_eq!(log.outcome(lost), Err(StoreError::Closed));
    drop((log, store));
    let store = open(&dir);
    assert_eq!(store.last_seq(StreamId::Tenant(world.tenant)), Ok(1));
}

#[test]
fn a_full_queue_gives_the_batch_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut world = World::new(1);
    // The writer is kept busy inside a callback until the queue is full.
    let (entered, inside) = sync_channel(1);
    let (release, wait) = sync_channel::<()>(1);
    let wait = std::sync::Mutex::new(wait);
    store.on_commit(Box::new(move |_| {
        // Only the first commit waits.
        if entered.try_send(()).is_ok() {
            let _ = wait.lock().unwrap().recv();
        }
    }));
    let (own, first) = (world.id(), world.started());
    let first = world.record(StreamId::Interaction(own), 1, first);
    store.append(vec![first], LogPosition(1)).unwrap();
    inside.recv_timeout(PATIENCE).unwrap();
    let agent = world.id();
    let event = Event::LeaseLost {
        agent,
        what: "x".into(),
    };
    let record = world.record(StreamId::Agent(agent), 0, event);
    let half = vec![record.clone(); RECORDS_QUEUED_MAX / 2];
    store.append(half.clone(), LogPosition(2)).unwrap();
    store.append(half, LogPosition(3)).unwrap();
    let refused = store
        .append(vec![record.clone()], LogPosition(4))
        .unwrap_err();
    assert!(
        matches!(refused.error, StoreError::Backlogged { queued } if queued == RECORDS_QUEUED_MAX)
    );
    assert_eq!(refused.batch, [record]);
    assert_eq!(store.figures().queued as usize, RECORDS_QUEUED_MAX);
    let log = Log::of(store.clone());
    release.send(()).unwrap();
    assert_eq!(log.outcome(LogPosition(3)), Ok(()));
    store.append(refused.batch, LogPosition(4)).unwrap();
    assert_eq!(log.outcome(LogPosition(4)), Ok(()));
    assert_eq!(
        store.last_seq(StreamId::Agent(agent)),
        Ok(RECORDS_QUEUED_MAX as u64 + 1)
    );
}

#[test]
fn a_panicking_callback_does_not_stop_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let world = World::new(1);
    let (told, tell) = sync_channel(1);
    store.on_commit(Box::new(move |_| {
        let _ = told.try_send(());
        panic!("a fault of the driver");
    }));
    store
        .append(vec![tenant_record(&world, 1)], LogPosition(1))
        .unwrap();
    tell.recv_timeout(PATIENCE).unwrap();
    let log = Log::of(store);
    log.outcome(log.append(vec![tenant_record(&world, 1)]))
        .unwrap();
}

#[test]
fn a_second_process_is_told_who_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let Err(refused) = SqliteStore::open(&options(&dir)) else {
        panic!("opened twice");
    };
    assert_eq!(refused.code(), "store_in_use");
    let text = refused.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains("stop that one first"), "{text}");
    drop(store);
    open(&dir);
}

#[test]
fn foreign_and_damaged_files_are_refused_untouched() {
    let sqlite = |path: &std::path::Path| {
        let conn = rusqlite::Connection::open(path).unwrap();
        conn.execute_batch("CREATE TABLE bookmarks (url TEXT)")
            .unwrap();
    };
    let text =
        |path: &std::path::Path| fs::write(path, "hello, I am a text file. ".repeat(400)).unwrap();
    let table: [(fn(&std::path::Path), _); 2] =
        [(sqlite, "store_foreign"), (text, "store_corrupt")];
    for (make, code) in table {
        let dir = tempfile::tempdir().unwrap();
        let path = options(&dir).path;
        make(&path);
        let before = fs::read(&path).unwrap();
        let Err(refused) = SqliteStore::open(&options(&dir)) else {
            panic!("opened a file that is not ours");
        };
        assert_eq!(refused.code(), code, "{refused}");
        assert_eq!(fs::read(&path).unwrap().len(), before.len());
    }
}

#[test]
fn a_path_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.join("below").join("x.db"), dir.path().to_path_buf()] {
        let Err(refused) = SqliteStore::open(&Options::at(&path)) else {
            panic!("opened {}", path.display());
        };
        assert_eq!(refused.code(), "store_open", "{refused}");
    }
}

/// A database that was not closed: files copied while it was open, `calls` calls in them.
fn snapshot_of_a_running_store(calls: usize) -> (tempfile::TempDir, Vec<Call>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let log = Log::of(store.clone());
    let mut world = World::new(4);
    let (queue, agent) = (world.id(), world.id());
    let calls: Vec<_> = (0..calls)
        .map(|_| {
            let call = world.call(queue, agent);
            log.commit(call.records.clone()).unwrap();
            call
        })
        .collect();
    let copy = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("crosspoint.db{end}");
        fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    (copy, calls)
}

/// Opens and checks: whole batches only, in order, from the first on. Returns how many.
fn whole_batches(dir: &tempfile::TempDir, calls: &[Call]) -> usize {
    let store = open(dir);
    let mut kept = 0;
    for (i, call) in calls.iter().enumerate() {
        let got = store.replay(call.interaction).unwrap();
        if got.is_empty() {
            continue;
        }
        assert_eq!(got, call.records, "call {i} is whole");
        assert_eq!(kept, i, "no call before it is missing");
        kept += 1;
    }
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    // And it goes on from there.
    let log = Log::of(store);
    let mut world = World::new(99);
    let (queue, agent) = (world.id(), world.id());
    log.commit(world.call(queue, agent).records).unwrap();
    kept
}

#[test]
fn a_torn_tail_loses_whole_batches_at_the_end_only() {
    let (clean, calls) = snapshot_of_a_running_store(20);
    let wal = fs::read(clean.path().join("crosspoint.db-wal")).unwrap();
    let database = fs::read(clean.path().join("crosspoint.db")).unwrap();
    assert_eq!(whole_batches(&clean, &calls), 20);
    let mut last = 0;
    for cut in (0..=10).map(|tenth| wal.len() * tenth / 10) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("crosspoint.db"), &database).unwrap();
        fs::write(dir.path().join("crosspoint.db-wal"), &wal[..cut]).unwrap();
        let kept = whole_batches(&dir, &calls);
        assert!(kept >= last, "more of the log, fewer calls");
        last = kept;
    }
    assert_eq!(last, 20);
    // Garbage behind the end harms nothing, garbage inside it what comes after.
    for (at, harmed) in [(wal.len(), false), (wal.len() - 5_000, true)] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("crosspoint.db"), &database).unwrap();
        let mut file = fs::File::create(dir.path().join("crosspoint.db-wal")).unwrap();
        file.write_all(&wal[..at]).unwrap();
        file.write_all(&[0xA5; 9_000]).unwrap();
        drop(file);
        assert_eq!(whole_batches(&dir, &calls) < 20, harmed);
    }
}

#[test]
fn a_reservation_dies_with_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let world = World::new(1);
    let begin =
        |store: &SqliteStore| store.idempotency_begin(world.tenant, "k", &[1; 32], world.now);
    assert_eq!(begin(&store), Ok(Idempotency::New));
    assert_eq!(begin(&store), Ok(Idempotency::InProgress));
    drop(store);
    assert_eq!(begin(&open(&dir)), Ok(Idempotency::New));
}

#[test]
fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(1);
    let (queue, agent) = (world.queue_row("Support"), world.agent_row("1"));
    let call = world.call(queue.id, agent.id);
    let cut = 9;
    {
        let store = open(&dir);
        let rows = [
            world.tenant_row().into(),
            queue.clone().into(),
            agent.into(),
        ];
        let changes = rows.map(Change::Create).to_vec();
        store.apply(world.edit(), changes).unwrap();
        Log::of(store).commit(call.records[..cut].to_vec()).unwrap();
    }
    let store = open(&dir);
    assert_eq!(store.open_interactions().unwrap(), [call.interaction]);
    assert_eq!(store.snapshot().unwrap().queues, [queue]);
    let log = Log::of(store.clone());
    // The sequence goes on where it was.
    assert!(log.commit(call.records[cut - 1..].to_vec()).is_err());
    log.commit(call.records[cut..].to_vec()).unwrap();
    assert_eq!(store.replay(call.interaction).unwrap(), call.records);
    assert_eq!(store.open_interactions().unwrap(), []);
}
