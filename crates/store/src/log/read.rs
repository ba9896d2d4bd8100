//! Reading the log.

use super::codec::{RECORD_COLUMNS, id, record, stream_key};
use crate::error::{Result, StoreError};
use crate::sqlite::connect::failed;
use cp_vocab::{EventRecord, InteractionId, StreamId};
use rusqlite::Connection;

/// Records one read returns at most; a larger limit is lowered to this.
pub const RECORDS_READ_MAX: usize = 10_000;

/// Records of one interaction that a replay reads at most. One beyond makes the replay fail with
/// `Unreadable`, since a part of a log is no state.
pub const REPLAY_RECORDS_MAX: usize = 1_000_000;

pub(crate) fn stream(
    conn: &Connection,
    stream: StreamId,
    from_seq: u64,
    limit: usize,
) -> Result<Vec<EventRecord>> {
    let sql = format!(
        "SELECT {RECORD_COLUMNS} FROM event WHERE stream = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(
            (
                &stream_key(stream)[..],
                from_seq.min(i64::MAX as u64) as i64,
                limit as i64,
            ),
            |row| record(row).map(|(_, r)| r),
        )
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn follow(
    conn: &Connection,
    cursor: u64,
    limit: usize,
) -> Result<Vec<(u64, EventRecord)>> {
    let sql =
        format!("SELECT {RECORD_COLUMNS} FROM event WHERE cursor > ?1 ORDER BY cursor LIMIT ?2");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(
            (
                cursor.min(i64::MAX as u64) as i64,
                limit.min(RECORDS_READ_MAX) as i64,
            ),
            record,
        )
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn replay(conn: &Connection, interaction: InteractionId) -> Result<Vec<EventRecord>> {
    let records = stream(
        conn,
        StreamId::Interaction(interaction),
        1,
        REPLAY_RECORDS_MAX + 1,
    )?;
    if records.len() > REPLAY_RECORDS_MAX {
        return Err(StoreError::Unreadable {
            what: "an interaction's log",
            detail: format!("it has more than {REPLAY_RECORDS_MAX} records"),
        });
    }
    Ok(records)
}

pub(crate) fn open_interactions(conn: &Connection) -> Result<Vec<InteractionId>> {
    let mut statement = conn
        .prepare_cached("SELECT id FROM interaction WHERE ended_at IS NULL ORDER BY id")
        .map_err(failed)?;
    let rows = statement
        .query_map([], |r| r.get(0).map(id))
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// An error while reading rows: one that cannot be decoded is not the database's fault.
pub(crate) fn unreadable(e: rusqlite::Error) -> StoreError {
    match e {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Unreadable {
            what: "a row",
            detail: e.to_string(),
        },
        e => failed(e),
    }
}
