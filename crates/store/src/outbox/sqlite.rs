//! The outbox's rows.

use super::{CLAIM_MAX, DEAD_DAYS, OutboxId, OutboxItem, OutboxKind, OutboxResult};
use crate::error::{Result, StoreError};
use crate::log::codec::{RECORD_COLUMNS, blob, id, micros, record};
use crate::log::read::unreadable;
use crate::page::{Page, PageRequest};
use crate::sqlite::connect::failed;
use cp_vocab::{EventRecord, TenantId, Timestamp, WebhookId};
use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row, params};
use std::time::Duration;

/// The number of [`OutboxKind::Webhook`] in the database.
const WEBHOOK: i64 = 1;

/// Errors are kept to this length; the rest is cut.
const ERROR_BYTES_MAX: usize = 1_024;

pub(crate) fn enqueue(
    conn: &Connection,
    record: &EventRecord,
    cursor: u64,
    webhook: WebhookId,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO outbox (tenant, kind, target, cursor, due_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut s| {
        s.execute(params![
            blob(record.tenant),
            WEBHOOK,
            blob(webhook),
            cursor as i64,
            micros(record.at),
        ])
    })
    .map(|_| ())
    .map_err(failed)
}

fn item(row: &Row<'_>) -> rusqlite::Result<OutboxItem> {
    // The record's columns come first.
    let (cursor, record) = record(row)?;
    let kind: i64 = row.get(8)?;
    if kind != WEBHOOK {
        let why = format!("no outbox kind of this release: {kind}");
        return Err(rusqlite::Error::FromSqlConversionFailure(
            8,
            Type::Integer,
            why.into(),
        ));
    }
    Ok(OutboxItem {
        id: OutboxId(row.get::<_, i64>(6)? as u64),
        tenant: id(row.get(7)?),
        kind: OutboxKind::Webhook {
            webhook: id(row.get(9)?),
        },
        cursor,
        record,
        attempts: row.get(10)?,
        error: row.get(11)?,
    })
}

fn items(conn: &Connection, rest: &str, params: impl Params) -> Result<Vec<OutboxItem>> {
    let columns: Vec<String> = RECORD_COLUMNS
        .split(", ")
        .map(|c| format!("e.{c}"))
        .collect();
    let sql = format!(
        "SELECT {}, o.id, o.tenant, o.kind, o.target, o.attempts, o.error
         FROM outbox o JOIN event e ON e.cursor = o.cursor {rest}",
        columns.join(", ")
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map(params, item).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

/// Whether anything is due: read before claiming, so that an idle outbox costs no commit.
pub(crate) fn any_due(conn: &Connection, now: Timestamp) -> Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE due_at <= ?1)")
        .and_then(|mut s| s.query_row([micros(now)], |r| r.get(0)))
        .map_err(failed)
}

pub(crate) fn claim(
    conn: &Connection,
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Vec<OutboxItem>> {
    let due = items(
        conn,
        "WHERE o.due_at <= ?1 ORDER BY o.due_at, o.id LIMIT ?2",
        params![micros(now), limit.min(CLAIM_MAX) as i64],
    )?;
    let until = micros(now + lease);
    for item in &due {
        conn.prepare_cached("UPDATE outbox SET due_at = ?2 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![item.id.0 as i64, until]))
            .map_err(failed)?;
    }
    Ok(due)
}

pub(crate) fn settle(conn: &Connection, id: OutboxId, result: &OutboxResult) -> Result<()> {
    let key = id.0 as i64;
    let (due_at, error) = match result {
        OutboxResult::Done => {
            conn.prepare_cached("DELETE FROM outbox WHERE id = ?1")
                .and_then(|mut s| s.execute([key]))
                .map_err(failed)?;
            return Ok(());
        }
        OutboxResult::RetryAt { at, error } => (Some(micros(*at)), error),
        OutboxResult::Dead { error } => (None, error),
    };
    let cut = error.floor_char_boundary(ERROR_BYTES_MAX.min(error.len()));
    conn.prepare_cached(
        "UPDATE outbox SET due_at = ?2, error = ?3, attempts = attempts + 1 WHERE id = ?1",
    )
    .and_then(|mut s| s.execute(params![key, due_at, &error[..cut]]))
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn dead(
    conn: &Connection,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<OutboxItem>> {
    let before = match &page.after {
        None => i64::MAX,
        Some(text) => text.parse().map_err(|_| StoreError::Invalid {
            field: "cursor",
            problem: "is not one that a page gave",
        })?,
    };
    let rows = page.rows();
    let found = items(
        conn,
        "WHERE o.tenant = ?1 AND o.due_at IS NULL AND o.id < ?2 ORDER BY o.id DESC LIMIT ?3",
        params![blob(tenant), before, (rows + 1) as i64],
    )?;
    Ok(Page::cut(found, rows, |i| i.id.0.to_string()))
}

pub(crate) fn revive(
    conn: &Connection,
    tenant: TenantId,
    id: OutboxId,
    now: Timestamp,
) -> Result<()> {
    let changed = conn
        .execute(
            "UPDATE outbox SET due_at = ?3, attempts = 0
             WHERE id = ?1 AND tenant = ?2 AND due_at IS NULL",
            params![id.0 as i64, blob(tenant), micros(now)],
        )
        .map_err(failed)?;
    if changed == 0 {
        return Err(StoreError::NotFound {
            kind: "dead delivery",
            id: id.0.to_string(),
        });
    }
    Ok(())
}

/// Forgets what was given up long ago.
pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    let before = micros(now).saturating_sub((DEAD_DAYS * 86_400 * 1_000_000) as i64);
    conn.execute(
        "DELETE FROM outbox WHERE due_at IS NULL
         AND (SELECT at FROM event WHERE event.cursor = outbox.cursor) < ?1",
        [before],
    )
    .map(|_| ())
    .map_err(failed)
}
