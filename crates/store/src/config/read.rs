//! Reading the configuration.

use super::edit::raw;
use super::keys::hex;
use super::row::{ConfigId, ConfigKind, ConfigRow, Entity};
use super::{Version, Versioned};
use crate::auth::{ApiKey, User};
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, time};
use crate::log::read::unreadable;
use crate::page::{Page, PageRequest};
use crate::sqlite::connect::failed;
use cp_vocab::model::Tenant;
use cp_vocab::person::{Identity, Person};
use cp_vocab::proof::{CallerPartner, ProofPolicy};
use cp_vocab::*;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::de::DeserializeOwned;

const COLUMNS: &str = "version, created_at, updated_at, cp_open(kind, id, body)";

fn versioned(kind: ConfigKind) -> impl FnMut(&Row<'_>) -> rusqlite::Result<Versioned<ConfigRow>> {
    move |row| {
        let text = row.get_ref(3)?.as_str()?;
        Ok(Versioned {
            version: Version(row.get::<_, i64>(0)? as u64),
            created_at: time(row.get(1)?),
            updated_at: time(row.get(2)?),
            row: ConfigRow::from_json(kind, text).map_err(|e| {
                rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(e))
            })?,
        })
    }
}

pub(super) fn not_found(id: ConfigId) -> StoreError {
    StoreError::NotFound {
        kind: id.kind().word(),
        id: id.to_string(),
    }
}

pub(crate) fn row(
    conn: &Connection,
    tenant: TenantId,
    id: ConfigId,
) -> Result<Versioned<ConfigRow>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM config_row WHERE kind = ?1 AND id = ?2 AND tenant = ?3"
    ))
    .map_err(failed)?
    .query_row(
        params![id.kind().code(), raw(id), blob(tenant)],
        versioned(id.kind()),
    )
    .optional()
    .map_err(unreadable)?
    .ok_or_else(|| not_found(id))
}

/// A row in whichever tenant.
pub(crate) fn anywhere<T: Entity>(conn: &Connection, id: T::Id) -> Result<Option<T>> {
    let id: ConfigId = id.into();
    let sql = format!("SELECT {COLUMNS} FROM config_row WHERE kind = ?1 AND id = ?2");
    let found = collect(conn, &sql, params![id.kind().code(), raw(id)], id.kind())?;
    Ok(found.into_iter().next().map(|v| typed(v).row))
}

/// One page of a kind: of a tenant, or of all.
fn page(
    conn: &Connection,
    tenant: Option<TenantId>,
    kind: ConfigKind,
    page: &PageRequest,
) -> Result<Page<Versioned<ConfigRow>>> {
    let after = match &page.after {
        None => 0,
        Some(text) => u128::from_str_radix(text, 16).map_err(|_| StoreError::Invalid {
            field: "cursor",
            problem: "is not one that a page gave",
        })?,
    };
    let rows = page.rows();
    let (sql, scope) = match tenant {
        Some(tenant) => ("tenant = ?1 AND kind = ?2", Some(blob(tenant))),
        None => ("?1 IS NULL AND kind = ?2", None),
    };
    let sql =
        format!("SELECT {COLUMNS} FROM config_row WHERE {sql} AND id > ?3 ORDER BY id LIMIT ?4");
    let found = collect(
        conn,
        &sql,
        params![scope, kind.code(), after.to_be_bytes(), (rows + 1) as i64],
        kind,
    )?;
    Ok(Page::cut(found, rows, |v| {
        format!("{:x}", v.row.id().raw())
    }))
}

fn collect(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    kind: ConfigKind,
) -> Result<Vec<Versioned<ConfigRow>>> {
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map(params, versioned(kind))
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn rows(
    conn: &Connection,
    tenant: TenantId,
    kind: ConfigKind,
    request: &PageRequest,
) -> Result<Page<Versioned<ConfigRow>>> {
    page(conn, Some(tenant), kind, request)
}

pub(crate) fn tenants(conn: &Connection, request: &PageRequest) -> Result<Page<Versioned<Tenant>>> {
    let found = page(conn, None, ConfigKind::Tenant, request)?;
    Ok(found.map(typed))
}

fn typed<T: Entity>(v: Versioned<ConfigRow>) -> Versioned<T> {
    v.map(|row| T::from_row(row).expect("invariant: the query asked for this kind"))
}

/// All rows of a kind, of every tenant, by id.
pub(crate) fn bodies<T: DeserializeOwned>(conn: &Connection, kind: ConfigKind) -> Result<Vec<T>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT cp_open(kind, id, body) FROM config_row WHERE kind = ?1 ORDER BY id",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map([kind.code()], |r| {
            serde_json::from_str(r.get_ref(0)?.as_str()?)
                .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e)))
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

/// The rows of a kind that hold a unique text, in any scope.
fn holders<T: Entity>(conn: &Connection, space: &str, text: &str) -> Result<Vec<Versioned<T>>> {
    let sql = "SELECT r.version, r.created_at, r.updated_at, cp_open(r.kind, r.id, r.body)
         FROM config_key k JOIN config_row r ON r.kind = k.kind AND r.id = k.id
         WHERE k.space = ?1 AND k.key = ?2 ORDER BY r.id";
    let found = collect(conn, sql, params![space, text], T::KIND)?;
    Ok(found.into_iter().map(typed).collect())
}

pub(crate) fn users_by_login(conn: &Connection, login: &str) -> Result<Vec<Versioned<User>>> {
    holders(conn, "user.login", &login.trim().to_lowercase())
}

pub(crate) fn user_by_subject(
    conn: &Connection,
    provider: IdentityProviderId,
    subject: &str,
) -> Result<Option<Versioned<User>>> {
    let found = holders(conn, "user.subject", &format!("{provider} {subject}"))?;
    Ok(found.into_iter().next())
}

/// The person of a tenant that a unique text of it names.
fn person(
    conn: &Connection,
    tenant: TenantId,
    space: &str,
    text: &str,
) -> Result<Option<Versioned<Person>>> {
    let sql = "SELECT r.version, r.created_at, r.updated_at, cp_open(r.kind, r.id, r.body)
         FROM config_key k JOIN config_row r ON r.kind = k.kind AND r.id = k.id
         WHERE k.space = ?1 AND k.key = ?2 AND k.scope = ?3";
    let found = collect(
        conn,
        sql,
        params![space, text, blob(tenant)],
        ConfigKind::Person,
    )?;
    Ok(found.into_iter().next().map(typed))
}

pub(crate) fn person_by_identity(
    conn: &Connection,
    tenant: TenantId,
    identity: &Identity,
) -> Result<Option<Versioned<Person>>> {
    person(conn, tenant, "person.identity", &identity.key())
}

/// The person, also by an id that was merged into it.
pub(crate) fn person_by_id(
    conn: &Connection,
    tenant: TenantId,
    id: PersonId,
) -> Result<Option<Versioned<Person>>> {
    match row(conn, tenant, id.into()) {
        Ok(found) => Ok(Some(typed(found))),
        Err(StoreError::NotFound { .. }) => person(conn, tenant, "person.merged", &id.to_string()),
        Err(e) => Err(e),
    }
}

/// A tenant's rules of proof, when it has set any.
pub(crate) fn proof_policy(conn: &Connection, tenant: TenantId) -> Result<Option<ProofPolicy>> {
    let found = rows(
        conn,
        tenant,
        ConfigKind::ProofPolicy,
        &PageRequest::first(1),
    )?;
    Ok(found.items.into_iter().next().map(|v| typed(v).row))
}

/// A caller who announces calls, of whatever tenant: its tokens name it.
pub(crate) fn caller_partner(
    conn: &Connection,
    id: CallerPartnerId,
) -> Result<Option<CallerPartner>> {
    let sql = format!("SELECT {COLUMNS} FROM config_row WHERE kind = ?1 AND id = ?2");
    let kind = ConfigKind::CallerPartner;
    let found = collect(conn, &sql, params![kind.code(), raw(id.into())], kind)?;
    Ok(found.into_iter().next().map(|v| typed(v).row))
}

pub(crate) fn api_key_by_hash(
    conn: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<ApiKey>> {
    let found = holders::<ApiKey>(conn, "api_key.secret", &hex(hash))?;
    Ok(found
        .into_iter()
        .map(|v| v.row)
        .find(|k| k.expires_at.is_none_or(|at| at > now)))
}
