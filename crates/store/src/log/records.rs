//! Appending: the sequence check and the insert.

use super::codec::{blob, encode, micros, stream_key};
use crate::error::{Result, StoreError};
use crate::sqlite::connect::failed;
use cp_vocab::{Event, EventRecord, StreamId};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use rustc_hash::FxHashMap;

/// Streams whose last number is kept in memory. Beyond, all are forgotten and looked up again.
const STREAMS_CACHED_MAX: usize = 200_000;

/// Inserts one record.
pub(crate) const INSERT: &str = "INSERT INTO event (cursor, stream, seq, kind, at, tenant, body)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// What the writer knows of the log.
pub(crate) struct Records {
    last_seq: FxHashMap<StreamId, u64>,
    kinds: FxHashMap<(&'static str, u16), i64>,
    /// Cursor of the newest record, committed or being written.
    head: u64,
    body: Vec<u8>,
}

impl Records {
    /// Registers the event kinds of this release and finds the head.
    pub(crate) fn open(conn: &Connection) -> Result<Self> {
        let mut kinds = FxHashMap::default();
        for &(name, version) in Event::CATALOGUE {
            conn.execute(
                "INSERT INTO event_kind (name, version) VALUES (?1, ?2)
                 ON CONFLICT (name, version) DO NOTHING",
                (name, version),
            )
            .map_err(failed)?;
            let code = conn
                .query_row(
                    "SELECT code FROM event_kind WHERE name = ?1 AND version = ?2",
                    (name, version),
                    |r| r.get(0),
                )
                .map_err(failed)?;
            kinds.insert((name, version), code);
        }
        let mut records = Self {
            last_seq: FxHashMap::default(),
            kinds,
            head: 0,
            body: Vec::with_capacity(1024),
        };
        records.forget(conn)?;
        Ok(records)
    }

    /// Forgets what a rolled back transaction left in memory.
    pub(crate) fn forget(&mut self, conn: &Connection) -> Result<()> {
        self.last_seq.clear();
        self.head = head(conn)?;
        Ok(())
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Returns to an earlier head after a part of a transaction was rolled back.
    pub(crate) fn rewind(&mut self, head: u64) {
        self.last_seq.clear();
        self.head = head;
    }

    /// Checks that every record of the batch follows its stream and puts their numbers into
    /// `numbers`. On an error nothing is remembered of the batch.
    pub(crate) fn number(
        &mut self,
        conn: &Connection,
        batch: &[EventRecord],
        numbers: &mut Vec<u64>,
    ) -> Result<()> {
        numbers.clear();
        if self.last_seq.len() > STREAMS_CACHED_MAX {
            self.last_seq.clear();
        }
        for (i, record) in batch.iter().enumerate() {
            let stream = record.stream;
            let last = match self.last_seq.get(&stream) {
                Some(last) => *last,
                None => last_seq(conn, stream)?,
            };
            let verdict = match record.seq {
                0 if matches!(stream, StreamId::Interaction(_)) => Some(StoreError::Invalid {
                    field: "seq",
                    problem: "of an interaction's record must be given by its owner",
                }),
                0 => None,
                seq if seq == last + 1 => None,
                got => Some(StoreError::SequenceConflict {
                    stream,
                    expected: last + 1,
                    got,
                }),
            };
            if let Some(refusal) = verdict {
                // Streams of the records before are looked up again when they come next.
                for earlier in &batch[..i] {
                    self.last_seq.remove(&earlier.stream);
                }
                return Err(refusal);
            }
            self.last_seq.insert(stream, last + 1);
            numbers.push(last + 1);
        }
        Ok(())
    }

    /// Inserts a record under `seq`; returns its cursor. `insert` is [`INSERT`], prepared.
    pub(crate) fn insert(
        &mut self,
        insert: &mut CachedStatement<'_>,
        record: &EventRecord,
        seq: u64,
    ) -> Result<u64> {
        encode(&record.event, &mut self.body)?;
        let body = std::str::from_utf8(&self.body).expect("invariant: JSON is UTF-8");
        let kind = self
            .kinds
            .get(&(record.event.kind(), record.event.version()))
            .copied()
            .expect("invariant: every kind of the catalogue was registered at open");
        let cursor = self.head + 1;
        insert
            .execute((
                cursor as i64,
                &stream_key(record.stream)[..],
                seq as i64,
                kind,
                micros(record.at),
                &blob(record.tenant)[..],
                body,
            ))
            .map_err(failed)?;
        self.head = cursor;
        Ok(cursor)
    }
}

pub(crate) fn head(conn: &Connection) -> Result<u64> {
    conn.prepare_cached("SELECT coalesce(max(cursor), 0) FROM event")
        .and_then(|mut s| s.query_row([], |r| r.get::<_, i64>(0)))
        .map(|c| c as u64)
        .map_err(failed)
}

pub(crate) fn last_seq(conn: &Connection, stream: StreamId) -> Result<u64> {
    conn.prepare_cached("SELECT seq FROM event WHERE stream = ?1 ORDER BY seq DESC LIMIT 1")
        .and_then(|mut s| {
            s.query_row([&stream_key(stream)[..]], |r| r.get::<_, i64>(0))
                .optional()
        })
        .map(|seq| seq.unwrap_or(0) as u64)
        .map_err(failed)
}
