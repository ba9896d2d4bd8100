//! How records look in the database.

use crate::error::{Result, StoreError};
use cp_vocab::id::TypedId;
use cp_vocab::*;
use rusqlite::Row;

/// The bytes of an id in a column.
pub(crate) fn blob<T: TypedId>(id: T) -> [u8; 16] {
    id.as_u128().to_be_bytes()
}

pub(crate) fn id<T: TypedId>(bytes: [u8; 16]) -> T {
    T::from_u128(u128::from_be_bytes(bytes))
}

/// The stream column: which sort of stream, then its id.
pub(crate) fn stream_key(stream: StreamId) -> [u8; 17] {
    let (tag, raw) = match stream {
        StreamId::Interaction(i) => (1, blob(i)),
        StreamId::Agent(i) => (2, blob(i)),
        StreamId::Phone(i) => (3, blob(i)),
        StreamId::Trunk(i) => (4, blob(i)),
        StreamId::Tenant(i) => (5, blob(i)),
    };
    let mut key = [tag; 17];
    key[1..].copy_from_slice(&raw);
    key
}

fn stream_of(key: [u8; 17]) -> Option<StreamId> {
    let mut raw = [0; 16];
    raw.copy_from_slice(&key[1..]);
    Some(match key[0] {
        1 => StreamId::Interaction(id(raw)),
        2 => StreamId::Agent(id(raw)),
        3 => StreamId::Phone(id(raw)),
        4 => StreamId::Trunk(id(raw)),
        5 => StreamId::Tenant(id(raw)),
        _ => return None,
    })
}

/// Writes the event as JSON into `out`, which is emptied first.
pub(crate) fn encode(event: &Event, out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    let written = match event {
        Event::LegQuality { leg, quality } => serde_json::to_writer(
            &mut *out,
            &Event::LegQuality {
                leg: *leg,
                quality: finite(quality),
            },
        ),
        event => serde_json::to_writer(&mut *out, event),
    };
    written.map_err(|e| StoreError::Unreadable {
        what: "a record to be written",
        detail: e.to_string(),
    })
}

/// The figures with 0 for NaN and infinity: JSON has neither, they would be written as null and
/// could not be read back.
pub(crate) fn finite(quality: &media::Quality) -> media::Quality {
    let finite = |v: f32| if v.is_finite() { v } else { 0.0 };
    media::Quality {
        jitter_ms: finite(quality.jitter_ms),
        rtt_ms: quality.rtt_ms.map(finite),
        mos: finite(quality.mos),
        remote_loss_pct: quality.remote_loss_pct.map(finite),
        ..*quality
    }
}

/// The columns [`record`] reads, in its order.
pub(crate) const RECORD_COLUMNS: &str = "cursor, stream, seq, at, tenant, body";

/// Reads a record and its cursor from [`RECORD_COLUMNS`].
pub(crate) fn record(row: &Row<'_>) -> rusqlite::Result<(u64, EventRecord)> {
    let unreadable = |column: usize, e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e)
    };
    let stream =
        stream_of(row.get(1)?).ok_or_else(|| unreadable(1, "no stream of this release".into()))?;
    let body = row.get_ref(5)?.as_str()?;
    Ok((
        row.get::<_, i64>(0)? as u64,
        EventRecord {
            stream,
            seq: row.get::<_, i64>(2)? as u64,
            at: time(row.get(3)?),
            tenant: id(row.get(4)?),
            event: serde_json::from_str(body).map_err(|e| unreadable(5, e.into()))?,
        },
    ))
}

/// A time in a column. Times past the year 294,000 are cut to what the column holds.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_micros().min(i64::MAX as u64) as i64
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp(micros as u64)
}
