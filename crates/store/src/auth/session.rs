//! Signed-in browsers.

use super::{Session, User};
use crate::config::{ConfigRow, read};
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

/// A session is marked seen at most this often.
pub(crate) const SEEN_EVERY: Duration = Duration::from_secs(60);

/// The user of a session, when there is one.
fn user(conn: &Connection, tenant: TenantId, user: UserId) -> Result<Option<User>> {
    match read::row(conn, tenant, user.into()) {
        Ok(v) => match v.row {
            ConfigRow::User(user) => Ok(Some(user)),
            _ => Ok(None),
        },
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) fn create(conn: &Connection, session: &Session) -> Result<()> {
    if user(conn, session.tenant, session.user)?.is_none() {
        return Err(StoreError::NotFound {
            kind: "user",
            id: session.user.to_string(),
        });
    }
    let made = conn
        .prepare_cached(
            "INSERT INTO session (id, tenant, user, token_hash, created_at, seen_at, expires_at, proved_at, origin)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| {
            s.execute(params![
                blob(session.id),
                blob(session.tenant),
                blob(session.user),
                session.token_hash.expose(),
                micros(session.created_at),
                micros(session.seen_at),
                micros(session.expires_at),
                micros(session.proved_at),
                serde_json::to_string(&session.origin).unwrap_or_default(),
            ])
        })
        .map_err(failed)?;
    if made == 0 {
        return Err(StoreError::Conflict {
            kind: "session",
            field: "id",
            holder: session.id.to_string(),
        });
    }
    Ok(())
}

fn row(r: &Row<'_>) -> rusqlite::Result<Session> {
    let origin: String = r.get(8)?;
    Ok(Session {
        id: id(r.get(0)?),
        tenant: id(r.get(1)?),
        user: id(r.get(2)?),
        token_hash: Pii(r.get(3)?),
        created_at: time(r.get(4)?),
        seen_at: time(r.get(5)?),
        expires_at: time(r.get(6)?),
        proved_at: time(r.get(7)?),
        // For people to read only: what cannot be read is not shown.
        origin: serde_json::from_str(&origin).unwrap_or_default(),
    })
}

/// The live sessions of a person, newest first.
pub(crate) fn of(
    conn: &Connection,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<Session>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT id, tenant, user, token_hash, created_at, seen_at, expires_at, proved_at, origin
             FROM session WHERE user = ?1 AND tenant = ?2 AND expires_at > ?3
             ORDER BY created_at DESC, id LIMIT 200",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![blob(user), blob(tenant), micros(now)], row)
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

pub(crate) fn proved(conn: &Connection, session: SessionId, now: Timestamp) -> Result<()> {
    conn.execute(
        "UPDATE session SET proved_at = ?2 WHERE id = ?1",
        params![blob(session), micros(now)],
    )
    .map(|_| ())
    .map_err(failed)
}

/// The live session of a token and its user.
pub(crate) fn by_token(
    conn: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(Session, User)>> {
    let session = conn
        .prepare_cached(
            "SELECT id, tenant, user, token_hash, created_at, seen_at, expires_at, proved_at, origin
             FROM session WHERE token_hash = ?1 AND expires_at > ?2",
        )
        .and_then(|mut s| s.query_row(params![hash, micros(now)], row).optional())
        .map_err(failed)?;
    let Some(session) = session else {
        return Ok(None);
    };
    let user = user(conn, session.tenant, session.user)?;
    Ok(user.filter(|u| !u.disabled).map(|u| (session, u)))
}

pub(crate) fn seen(conn: &Connection, session: SessionId, now: Timestamp) -> Result<()> {
    conn.prepare_cached("UPDATE session SET seen_at = max(seen_at, ?2) WHERE id = ?1")
        .and_then(|mut s| s.execute(params![blob(session), micros(now)]))
        .map(|_| ())
        .map_err(failed)
}

pub(crate) fn end(conn: &Connection, tenant: TenantId, session: SessionId) -> Result<()> {
    conn.execute(
        "DELETE FROM session WHERE id = ?1 AND tenant = ?2",
        params![blob(session), blob(tenant)],
    )
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn end_of(conn: &Connection, tenant: TenantId, user: UserId) -> Result<u64> {
    conn.execute(
        "DELETE FROM session WHERE user = ?1 AND tenant = ?2",
        params![blob(user), blob(tenant)],
    )
    .map(|n| n as u64)
    .map_err(failed)
}

/// Ends sessions that a provider vouched for: of its session, of one person, or of both.
pub(crate) fn end_at(
    conn: &Connection,
    tenant: TenantId,
    provider: IdentityProviderId,
    user: Option<UserId>,
    session: Option<&str>,
) -> Result<u64> {
    conn.execute(
        "DELETE FROM session WHERE tenant = ?1 AND json_extract(origin, '$.provider') = ?2
         AND (?3 IS NULL OR user = ?3) AND (?4 IS NULL OR json_extract(origin, '$.provider_session') = ?4)",
        params![blob(tenant), provider.to_string(), user.map(blob), session],
    )
    .map(|n| n as u64)
    .map_err(failed)
}

pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    conn.execute("DELETE FROM session WHERE expires_at <= ?1", [micros(now)])
        .map(|_| ())
        .map_err(failed)
}
