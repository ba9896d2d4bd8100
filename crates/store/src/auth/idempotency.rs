//! Requests that were answered before.

use super::{
    IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_BYTES_MAX, Idempotency, Idempotent, RESPONSE_BYTES_MAX,
    StoredResponse,
};
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, micros};
use crate::sqlite::connect::failed;
use cp_vocab::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

fn expiry(now: Timestamp) -> i64 {
    micros(now + Duration::from_secs(IDEMPOTENCY_HOURS * 3_600))
}

fn check_key(key: &str) -> Result<()> {
    let problem = match key.len() {
        0 => "must not be empty",
        n if n > IDEMPOTENCY_KEY_BYTES_MAX => "is too long",
        _ => return Ok(()),
    };
    Err(StoreError::Invalid {
        field: "idempotency_key",
        problem,
    })
}

fn check_response(response: &StoredResponse) -> Result<()> {
    if response.body.len() > RESPONSE_BYTES_MAX {
        return Err(StoreError::Invalid {
            field: "response",
            problem: "is too long to be kept",
        });
    }
    Ok(())
}

/// What is known of a key that has not expired.
fn known(
    conn: &Connection,
    tenant: TenantId,
    key: &str,
    request_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Idempotency> {
    let row = conn
        .prepare_cached(
            "SELECT request_hash, status, content_type, body FROM idempotency
             WHERE tenant = ?1 AND key = ?2 AND expires_at > ?3",
        )
        .and_then(|mut s| {
            s.query_row(params![blob(tenant), key, micros(now)], |r| {
                Ok((
                    r.get::<_, [u8; 32]>(0)?,
                    r.get::<_, Option<u16>>(1)?,
                    r.get::<_, Option<String>>(2)?,
                    r.get::<_, Option<Vec<u8>>>(3)?,
                ))
            })
            .optional()
        })
        .map_err(failed)?;
    match row {
        None => Ok(Idempotency::New),
        Some((hash, ..)) if hash != *request_hash => Err(StoreError::IdempotencyMismatch),
        Some((_, None, ..)) => Ok(Idempotency::InProgress),
        Some((_, Some(status), content_type, body)) => Ok(Idempotency::Done(StoredResponse {
            status,
            content_type: content_type.unwrap_or_default(),
            body: body.unwrap_or_default(),
        })),
    }
}

/// Reserves a key, or says what is known of it.
pub(crate) fn begin(
    conn: &Connection,
    tenant: TenantId,
    key: &str,
    request_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Idempotency> {
    check_key(key)?;
    let known = known(conn, tenant, key, request_hash, now)?;
    if known == Idempotency::New {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO idempotency (tenant, key, request_hash, expires_at)
             VALUES (?1, ?2, ?3, ?4)",
        )
        .and_then(|mut s| s.execute(params![blob(tenant), key, request_hash, expiry(now)]))
        .map_err(failed)?;
    }
    Ok(known)
}

/// Keeps the answer of a reserved key.
pub(crate) fn finish(
    conn: &Connection,
    tenant: TenantId,
    key: &str,
    response: &StoredResponse,
    now: Timestamp,
) -> Result<()> {
    check_response(response)?;
    let changed = conn
        .prepare_cached(
            "UPDATE idempotency SET status = ?3, content_type = ?4, body = ?5, expires_at = ?6
             WHERE tenant = ?1 AND key = ?2",
        )
        .and_then(|mut s| {
            s.execute(params![
                blob(tenant),
                key,
                response.status,
                response.content_type,
                response.body,
                expiry(now)
            ])
        })
        .map_err(failed)?;
    if changed == 0 {
        return Err(StoreError::NotFound {
            kind: "idempotency key",
            id: key.chars().take(64).collect(),
        });
    }
    Ok(())
}

pub(crate) fn abandon(conn: &Connection, tenant: TenantId, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM idempotency WHERE tenant = ?1 AND key = ?2 AND status IS NULL")
        .and_then(|mut s| s.execute(params![blob(tenant), key]))
        .map(|_| ())
        .map_err(failed)
}

/// Keeps the answer of an edit in the edit's transaction, or says that it was done before.
pub(crate) fn keep(
    conn: &Connection,
    tenant: TenantId,
    idempotent: &Idempotent,
    now: Timestamp,
) -> Result<()> {
    match begin(conn, tenant, &idempotent.key, &idempotent.request_hash, now)? {
        Idempotency::Done(response) => Err(StoreError::AlreadyDone(Box::new(response))),
        Idempotency::New | Idempotency::InProgress => {
            finish(conn, tenant, &idempotent.key, &idempotent.response, now)
        }
    }
}

/// At the start: what was being carried out died with the process.
pub(crate) fn drop_unfinished(conn: &Connection) -> Result<()> {
    conn.execute("DELETE FROM idempotency WHERE status IS NULL", [])
        .map(|_| ())
        .map_err(failed)
}

pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    conn.execute(
        "DELETE FROM idempotency WHERE expires_at <= ?1",
        [micros(now)],
    )
    .map(|_| ())
    .map_err(failed)
}
