//! The writer on a file it may not write. (A test that runs as root cannot take the right away
//! from a file, so the connection is the one that may not.)

use super::queue::Job;
use super::records::Records;
use super::shared::Shared;
use super::writer::Writer;
use crate::error::{Health, StoreError};
use crate::projection::Watch;
use crate::sqlite::checkpoint::Wal;
use crate::sqlite::{Options, SqliteStore, connect};
use cp_vocab::event::LogPosition;
use cp_vocab::id::TypedId;
use cp_vocab::*;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_read_only_file_is_told_by_the_health_and_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(dir.path().join("crosspoint.db"));
    drop(SqliteStore::open(&options).unwrap());
    let shared = Arc::new(Shared::new(None));
    let conn = connect::writer(&options).unwrap();
    let records = Records::open(&conn).unwrap();
    let wal = Wal::start(&options, &shared).unwrap();
    conn.pragma_update(None, "query_only", true).unwrap();

    let (tell, told) = sync_channel(16);
    let health = tell.clone();
    shared.on_health(Box::new(move |h| health.send(Err(h.clone())).unwrap()));
    shared.on_commit(Box::new(move |o| tell.send(Ok(o)).unwrap()));
    let writer = Writer::new(
        Arc::clone(&shared),
        conn,
        records,
        Watch::default(),
        wal,
        None,
    );
    let thread = std::thread::spawn(move || writer.run());

    let agent = AgentId::from_u128(1);
    let record = EventRecord {
        stream: StreamId::Agent(agent),
        seq: 1,
        at: Timestamp::from_secs(1),
        tenant: TenantId::from_u128(2),
        event: Event::LeaseLost {
            agent,
            what: "x".into(),
        },
    };
    let job = Job::Append {
        batch: vec![record],
        position: LogPosition(7),
    };
    assert!(shared.queue.push(job).is_ok());
    let first = told.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(
            &first,
            Err(Health::Failing {
                error: StoreError::ReadOnly { .. },
                ..
            })
        ),
        "{first:?}"
    );
    assert_eq!(shared.queue.records(), 1, "held");
    // Told at the end that it was not kept, and only then.
    shared.queue.close();
    let outcome = told.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(outcome.upto, LogPosition(7));
    assert_eq!(outcome.error, Some(StoreError::Closed));
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Err(Health::Closed));
    thread.join().unwrap();
    let store = SqliteStore::open(&options).unwrap();
    assert_eq!(crate::Store::head(&store), Ok(0));
}
