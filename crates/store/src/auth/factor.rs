//! Passkeys, authenticator apps and recovery codes of people.

use crate::config::read;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::log::read::unreadable;
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

/// Factors of one person at most; one more is refused with `Invalid`.
pub const FACTORS_OF_USER_MAX: usize = 60;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FactorKind {
    Passkey,
    Totp,
    RecoveryCode,
}

impl FactorKind {
    fn code(self) -> i64 {
        match self {
            Self::Passkey => 1,
            Self::Totp => 2,
            Self::RecoveryCode => 3,
        }
    }
    fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Passkey),
            2 => Some(Self::Totp),
            3 => Some(Self::RecoveryCode),
            _ => None,
        }
    }
}

/// One way in which a person proves themselves.
#[derive(Clone, PartialEq, Debug)]
pub struct Factor {
    pub id: FactorId,
    pub tenant: TenantId,
    pub user: UserId,
    pub kind: FactorKind,
    /// Unique in its kind: a passkey's own id, a code's hash, the id of a person with an app.
    pub key: Vec<u8>,
    /// Rises with use: the counter of a passkey, the step of the last code.
    pub mark: u64,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// What the caller keeps; sealed at rest.
    pub body: Value,
}

const COLUMNS: &str = "id, tenant, user, kind, key, mark, created_at, used_at, \
                       cp_open(kind + 1000, id, body)";

fn row(r: &Row<'_>) -> rusqlite::Result<Factor> {
    let bad = |column: usize, e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, e)
    };
    let kind = FactorKind::from_code(r.get(3)?);
    let body: String = r.get(8)?;
    Ok(Factor {
        id: id(r.get(0)?),
        tenant: id(r.get(1)?),
        user: id(r.get(2)?),
        kind: kind.ok_or_else(|| bad(3, "no kind of this release".into()))?,
        key: r.get(4)?,
        mark: r.get::<_, i64>(5)? as u64,
        created_at: time(r.get(6)?),
        used_at: r.get::<_, Option<i64>>(7)?.map(time),
        body: serde_json::from_str(&body).map_err(|e| bad(8, e.into()))?,
    })
}

pub(crate) fn add(conn: &Connection, c: &Factor) -> Result<()> {
    // The person must be there, and of this tenant.
    read::row(conn, c.tenant, c.user.into())?;
    if of(conn, c.tenant, c.user)?.len() >= FACTORS_OF_USER_MAX {
        return Err(StoreError::Invalid {
            field: "factors",
            problem: "are too many for one person; remove one",
        });
    }
    let made = conn
        .prepare_cached(
            "INSERT INTO factor (id, tenant, user, kind, key, mark, created_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, cp_seal(?4 + 1000, ?1, ?8)) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| {
            s.execute(params![
                blob(c.id),
                blob(c.tenant),
                blob(c.user),
                c.kind.code(),
                c.key,
                c.mark as i64,
                micros(c.created_at),
                c.body.to_string(),
            ])
        })
        .map_err(failed)?;
    if made == 0 {
        return Err(StoreError::Conflict {
            kind: "factor",
            field: "key",
            holder: "another one".into(),
        });
    }
    Ok(())
}

/// All of a person's, oldest first.
pub(crate) fn of(conn: &Connection, tenant: TenantId, user: UserId) -> Result<Vec<Factor>> {
    let sql = format!("SELECT {COLUMNS} FROM factor WHERE user = ?1 AND tenant = ?2 ORDER BY id");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(params![blob(user), blob(tenant)], row)
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn by_key(conn: &Connection, kind: FactorKind, key: &[u8]) -> Result<Option<Factor>> {
    let sql = format!("SELECT {COLUMNS} FROM factor WHERE kind = ?1 AND key = ?2");
    conn.prepare_cached(&sql)
        .and_then(|mut s| s.query_row(params![kind.code(), key], row).optional())
        .map_err(unreadable)
}

/// Marks a use, if the factor still stands at `before`; says whether it did.
pub(crate) fn mark_used(
    conn: &Connection,
    id: FactorId,
    before: u64,
    after: u64,
    now: Timestamp,
) -> Result<bool> {
    conn.prepare_cached("UPDATE factor SET mark = ?3, used_at = ?4 WHERE id = ?1 AND mark = ?2")
        .and_then(|mut s| s.execute(params![blob(id), before as i64, after as i64, micros(now)]))
        .map(|n| n == 1)
        .map_err(failed)
}

/// Replaces what is kept of it.
pub(crate) fn change(
    conn: &Connection,
    tenant: TenantId,
    id: FactorId,
    body: &Value,
) -> Result<bool> {
    conn.prepare_cached(
        "UPDATE factor SET body = cp_seal(kind + 1000, id, ?3) WHERE id = ?1 AND tenant = ?2",
    )
    .and_then(|mut s| s.execute(params![blob(id), blob(tenant), body.to_string()]))
    .map(|n| n == 1)
    .map_err(failed)
}

/// Removes one; says whether it was there. Of two who use the same code, one is told so.
pub(crate) fn remove(conn: &Connection, tenant: TenantId, id: FactorId) -> Result<bool> {
    conn.prepare_cached("DELETE FROM factor WHERE id = ?1 AND tenant = ?2")
        .and_then(|mut s| s.execute(params![blob(id), blob(tenant)]))
        .map(|n| n == 1)
        .map_err(failed)
}

pub(crate) fn remove_of(conn: &Connection, tenant: TenantId, user: UserId) -> Result<u64> {
    conn.execute(
        "DELETE FROM factor WHERE user = ?1 AND tenant = ?2",
        params![blob(user), blob(tenant)],
    )
    .map(|n| n as u64)
    .map_err(failed)
}
