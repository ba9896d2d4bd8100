//! Changing the configuration, inside the writer's transaction.

use super::keys::{self, Key};
use super::row::{ConfigId, ConfigKind, ConfigRow};
use super::{Change, Edit, Version};
use crate::audit::{self, AuditEntry};
use crate::auth::idempotency;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, micros};
use crate::log::writer::Tx;
use crate::migrate::{meta, set_meta};
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, params};

/// Name of the snapshot's version in the `meta` table.
pub(crate) const SNAPSHOT_VERSION: &str = "snapshot_version";

/// Changes of one edit at most; more are refused with `Invalid`.
const CHANGES_MAX: usize = 10_000;

/// Carries out an edit; the caller rolls back when it fails.
pub(crate) fn apply(tx: &mut Tx<'_>, edit: &Edit, changes: &[Change]) -> Result<Vec<Version>> {
    if changes.len() > CHANGES_MAX {
        return Err(StoreError::Invalid {
            field: "changes",
            problem: "are too many for one edit",
        });
    }
    if let Some(idempotent) = &edit.idempotency {
        idempotency::keep(tx.conn, edit.tenant, idempotent, edit.at)?;
    }
    let mut versions = Vec::with_capacity(changes.len());
    for change in changes {
        versions.push(carry_out(tx, edit, change)?);
    }
    for change in changes {
        match change {
            Change::Create(row) | Change::Update { row, .. } => names_exist(tx.conn, row)?,
            Change::Delete { id, .. } => unused(tx.conn, *id)?,
        }
    }
    if tx.snapshot_changed {
        let version = meta(tx.conn, SNAPSHOT_VERSION)?;
        set_meta(tx.conn, SNAPSHOT_VERSION, version + 1)?;
    }
    Ok(versions)
}

fn carry_out(tx: &mut Tx<'_>, edit: &Edit, change: &Change) -> Result<Version> {
    let before = match change {
        Change::Create(_) => None,
        Change::Update { row, .. } => body_of(tx.conn, edit, row.id())?,
        Change::Delete { id, .. } => body_of(tx.conn, edit, *id)?,
    };
    let (id, verb, version) = match change {
        Change::Create(row) => {
            of_tenant(edit, row)?;
            (row.id(), "created", create(tx.conn, edit, row)?)
        }
        Change::Update { row, expected } => {
            of_tenant(edit, row)?;
            (row.id(), "updated", update(tx.conn, edit, row, *expected)?)
        }
        Change::Delete { id, expected } => {
            delete(tx.conn, edit, *id, *expected)?;
            (*id, "deleted", Version(0))
        }
    };
    match id.kind() {
        ConfigKind::Webhook => tx.watch_changed = true,
        ConfigKind::Queue => {
            tx.watch_changed = true;
            tx.snapshot_changed = true;
        }
        ConfigKind::User
        | ConfigKind::ApiKey
        | ConfigKind::CustomRole
        | ConfigKind::OAuthClient
        | ConfigKind::IdentityProvider
        | ConfigKind::Point
        | ConfigKind::Person
        | ConfigKind::ProofPolicy
        | ConfigKind::CallerPartner => {}
        _ => tx.snapshot_changed = true,
    }
    let after = match change {
        Change::Create(row) | Change::Update { row, .. } => document(row),
        Change::Delete { .. } => None,
    };
    let entry = AuditEntry {
        tenant: edit.tenant,
        at: edit.at,
        actor: edit.actor,
        action: format!("{}.{verb}", id.kind().word()),
        target: id.to_string(),
        address: edit.address.clone(),
        detail: match id.kind() {
            // Customers may be erased; an entry of the chain may not.
            ConfigKind::Person | ConfigKind::CallerPartner => {
                audit::names(before.as_ref(), after.as_ref())
            }
            _ => audit::difference(before.as_ref(), after.as_ref()),
        },
    };
    audit::sqlite::append(tx.conn, tx.vault(), &entry)?;
    tx.append(EventRecord {
        stream: StreamId::Tenant(edit.tenant),
        seq: 0,
        at: edit.at,
        tenant: edit.tenant,
        event: Event::ConfigurationChanged {
            by: edit.actor,
            what: format!("{}.{verb}", id.kind().word()),
            id: id.to_string(),
        },
    })?;
    Ok(version)
}

fn document(row: &ConfigRow) -> Option<serde_json::Value> {
    serde_json::from_str(&body(row)).ok()
}

/// A row as it is before the change; none when it is not there, which the change itself refuses.
fn body_of(conn: &Connection, edit: &Edit, id: ConfigId) -> Result<Option<serde_json::Value>> {
    match super::read::row(conn, edit.tenant, id) {
        Ok(before) => Ok(document(&before.row)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn of_tenant(edit: &Edit, row: &ConfigRow) -> Result<()> {
    if row.tenant() == edit.tenant {
        return Ok(());
    }
    Err(StoreError::Invalid {
        field: "tenant",
        problem: "is not the one whose configuration is edited",
    })
}

fn create(conn: &Connection, edit: &Edit, row: &ConfigRow) -> Result<Version> {
    let id = row.id();
    if stored(conn, id)?.is_some() {
        return Err(StoreError::Conflict {
            kind: id.kind().word(),
            field: "id",
            holder: id.to_string(),
        });
    }
    conn.prepare_cached(
        "INSERT INTO config_row (kind, id, tenant, version, created_at, updated_at, body)
         VALUES (?1, ?2, ?3, 1, ?4, ?4, cp_seal(?1, ?2, ?5))",
    )
    .and_then(|mut s| {
        s.execute(params![
            id.kind().code(),
            raw(id),
            blob(row.tenant()),
            micros(edit.at),
            body(row),
        ])
    })
    .map_err(failed)?;
    attach(conn, row)?;
    Ok(Version(1))
}

fn update(
    conn: &Connection,
    edit: &Edit,
    row: &ConfigRow,
    expected: Option<Version>,
) -> Result<Version> {
    let id = row.id();
    let current = at_version(conn, edit, id, expected)?;
    let version = Version(current.0 + 1);
    conn.prepare_cached(
        "UPDATE config_row SET version = ?3, updated_at = ?4, body = cp_seal(?1, ?2, ?5)
         WHERE kind = ?1 AND id = ?2",
    )
    .and_then(|mut s| {
        s.execute(params![
            id.kind().code(),
            raw(id),
            version.0 as i64,
            micros(edit.at),
            body(row),
        ])
    })
    .map_err(failed)?;
    detach(conn, id)?;
    attach(conn, row)?;
    Ok(version)
}

fn delete(conn: &Connection, edit: &Edit, id: ConfigId, expected: Option<Version>) -> Result<()> {
    at_version(conn, edit, id, expected)?;
    detach(conn, id)?;
    let key = params![id.kind().code(), raw(id)];
    conn.execute("DELETE FROM config_row WHERE kind = ?1 AND id = ?2", key)
        .map_err(failed)?;
    // What lives only with the row goes with it.
    let rest: &[&str] = match id {
        ConfigId::User(_) => &[
            "DELETE FROM session WHERE user = ?1",
            "DELETE FROM factor WHERE user = ?1",
        ],
        ConfigId::OAuthClient(_) => &["DELETE FROM access_token WHERE client = ?1"],
        ConfigId::Person(_) => &["DELETE FROM credential WHERE person = ?1"],
        ConfigId::CallerPartner(_) => &["DELETE FROM precall WHERE partner = ?1"],
        ConfigId::Webhook(_) => &["DELETE FROM outbox WHERE kind = 1 AND target = ?1"],
        _ => &[],
    };
    for sql in rest {
        conn.execute(sql, [raw(id)]).map_err(failed)?;
    }
    Ok(())
}

/// The version of a row of the edit's tenant, checked.
fn at_version(
    conn: &Connection,
    edit: &Edit,
    id: ConfigId,
    expected: Option<Version>,
) -> Result<Version> {
    let current = match stored(conn, id)? {
        Some((tenant, version)) if tenant == edit.tenant => version,
        _ => return Err(super::read::not_found(id)),
    };
    match expected {
        Some(expected) if expected != current => {
            Err(StoreError::VersionMismatch { current, expected })
        }
        _ => Ok(current),
    }
}

fn stored(conn: &Connection, id: ConfigId) -> Result<Option<(TenantId, Version)>> {
    conn.prepare_cached("SELECT tenant, version FROM config_row WHERE kind = ?1 AND id = ?2")
        .and_then(|mut s| {
            s.query_row(params![id.kind().code(), raw(id)], |r| {
                Ok((
                    crate::log::codec::id(r.get(0)?),
                    Version(r.get::<_, i64>(1)? as u64),
                ))
            })
            .optional()
        })
        .map_err(failed)
}

/// Writes a row's keys and references.
fn attach(conn: &Connection, row: &ConfigRow) -> Result<()> {
    let id = row.id();
    for key in keys::of(row)? {
        claim(conn, id, &key)?;
    }
    for to in keys::references(row)? {
        conn.prepare_cached(
            "INSERT INTO config_reference (from_kind, from_id, to_kind, to_id)
             VALUES (?1, ?2, ?3, ?4)",
        )
        .and_then(|mut s| {
            s.execute(params![
                id.kind().code(),
                raw(id),
                to.kind().code(),
                raw(to)
            ])
        })
        .map_err(failed)?;
    }
    Ok(())
}

fn detach(conn: &Connection, id: ConfigId) -> Result<()> {
    for sql in [
        "DELETE FROM config_key WHERE kind = ?1 AND id = ?2",
        "DELETE FROM config_reference WHERE from_kind = ?1 AND from_id = ?2",
    ] {
        conn.prepare_cached(sql)
            .and_then(|mut s| s.execute(params![id.kind().code(), raw(id)]))
            .map_err(failed)?;
    }
    Ok(())
}

/// Takes a unique text, or says who has it.
fn claim(conn: &Connection, id: ConfigId, key: &Key) -> Result<()> {
    let scope: &[u8] = &key.scope.map(blob).map_or(Vec::new(), |b| b.to_vec());
    let holder: Option<(i64, [u8; 16])> = conn
        .prepare_cached(
            "SELECT kind, id FROM config_key WHERE space = ?1 AND key = ?2 AND scope = ?3",
        )
        .and_then(|mut s| {
            s.query_row(params![key.space, key.text, scope], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .optional()
        })
        .map_err(failed)?;
    if let Some((kind, raw)) = holder {
        let holder = match key.scope {
            Some(_) => ConfigId::from_raw(kind, u128::from_be_bytes(raw))
                .map_or_else(|| "another row".to_string(), |id| id.to_string()),
            // Another tenant's rows are not named.
            None => "another one".to_string(),
        };
        return Err(StoreError::Conflict {
            kind: id.kind().word(),
            field: key.field(),
            holder,
        });
    }
    conn.prepare_cached(
        "INSERT INTO config_key (space, scope, key, kind, id) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut s| {
        s.execute(params![
            key.space,
            scope,
            key.text,
            id.kind().code(),
            raw(id)
        ])
    })
    .map(|_| ())
    .map_err(failed)
}

/// Every row named, and the tenant, must be there. A row that a later change of the same edit
/// deleted again is not looked at.
fn names_exist(conn: &Connection, row: &ConfigRow) -> Result<()> {
    if stored(conn, row.id())?.is_none() {
        return Ok(());
    }
    let tenant = row.tenant();
    let mut named = keys::references(row)?;
    named.push(tenant.into());
    for to in named {
        if !matches!(stored(conn, to)?, Some((of, _)) if of == tenant) {
            return Err(StoreError::MissingReference {
                kind: row.kind().word(),
                missing: to.to_string(),
            });
        }
    }
    Ok(())
}

/// Nothing may name a row that is gone.
fn unused(conn: &Connection, id: ConfigId) -> Result<()> {
    if stored(conn, id)?.is_some() {
        return Ok(());
    }
    let by: Option<(i64, [u8; 16])> = match id {
        ConfigId::Tenant(tenant) => conn
            .query_row(
                "SELECT kind, id FROM config_row WHERE tenant = ?1 LIMIT 1",
                [blob(tenant)],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional(),
        _ => conn
            .query_row(
                "SELECT from_kind, from_id FROM config_reference
                 WHERE to_kind = ?1 AND to_id = ?2 LIMIT 1",
                params![id.kind().code(), raw(id)],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional(),
    }
    .map_err(failed)?;
    match by {
        None => Ok(()),
        Some((kind, raw)) => Err(StoreError::InUse {
            id: id.to_string(),
            by: ConfigId::from_raw(kind, u128::from_be_bytes(raw))
                .map_or_else(|| "another row".to_string(), |by| by.to_string()),
        }),
    }
}

pub(super) fn raw(id: ConfigId) -> [u8; 16] {
    id.raw().to_be_bytes()
}

fn body(row: &ConfigRow) -> String {
    row.to_json()
        .expect("invariant: configuration rows hold no maps with other keys than text")
}
