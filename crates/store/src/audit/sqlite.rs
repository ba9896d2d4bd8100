//! The chains in the database.

use super::{AuditEntry, AuditFault, AuditFilter, AuditRecord, AuditVerdict, Texts, chained, diff};
use crate::config::hex;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::log::read::unreadable;
use crate::page::{Page, PageRequest};
use crate::sqlite::connect::failed;
use crate::vault::Vault;
use cp_vocab::TenantId;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Entries read at a time when a chain is verified.
const VERIFY_ROWS: i64 = 1_000;

/// Adds an entry to the end of its tenant's chain.
pub(crate) fn append(conn: &Connection, vault: Option<&Vault>, entry: &AuditEntry) -> Result<()> {
    let tenant = blob(entry.tenant);
    let found = head(conn, entry.tenant)?;
    let sound = goes_on(conn, vault, entry, found.as_ref())?;
    let (last, before) = match found {
        Some(h) => (h.seq, h.hash),
        None => last_row(conn, entry.tenant)?.unwrap_or((0, [0; 32])),
    };
    let seq = last + 1;
    let actor = serde_json::to_string(&entry.actor).expect("invariant: an actor is plain data");
    let detail = diff::bounded(entry.detail.clone()).to_string();
    let texts = Texts {
        at: micros(entry.at),
        actor: &actor,
        action: &entry.action,
        target: &entry.target,
        address: &entry.address,
        detail: &detail,
    };
    let hash = chained(&before, &tenant, seq, &texts);
    conn.prepare_cached(
        "INSERT INTO audit (tenant, seq, at, actor, action, target, address, detail, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .and_then(|mut s| {
        s.execute(params![
            tenant,
            seq as i64,
            texts.at,
            texts.actor,
            texts.action,
            texts.target,
            texts.address,
            texts.detail,
            hash
        ])
    })
    .map_err(failed)?;
    let mark = match (vault, sound) {
        (None, _) => String::new(),
        (Some(v), true) => v.mark(&end(&tenant, seq, &hash)),
        (Some(_), false) => BROKEN.to_string(),
    };
    conn.prepare_cached(
        "INSERT INTO audit_head (tenant, seq, hash, mark) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tenant) DO UPDATE SET seq = ?2, hash = ?3, mark = ?4",
    )
    .and_then(|mut s| s.execute(params![tenant, seq as i64, hash, mark]))
    .map(|_| ())
    .map_err(failed)
}

/// In place of a mark, from the moment that an end was found which was not ours: a mark upon it would
/// hide what was done to the chain.
const BROKEN: &str = "broken";
/// How each tenant's chain begins.
const BEGINS: &str = "tenant.created";

/// Whether the chain may be marked with this entry as its end: its end until now was, or this is
/// how a chain begins.
fn goes_on(
    conn: &Connection,
    vault: Option<&Vault>,
    entry: &AuditEntry,
    last: Option<&Head>,
) -> Result<bool> {
    match (vault, last) {
        (None, _) => Ok(true),
        (Some(v), Some(h)) => {
            let covered = end(&blob(entry.tenant), h.seq, &h.hash);
            Ok(v.marked(&covered, &h.mark) == Some(true))
        }
        (Some(_), None) => {
            let empty = first(conn, entry.tenant)?.is_none();
            Ok(empty && (entry.action == BEGINS || !is_tenant(conn, entry.tenant)?))
        }
    }
}

/// Where a chain goes on whose head is gone.
fn last_row(conn: &Connection, tenant: TenantId) -> Result<Option<(u64, [u8; 32])>> {
    conn.prepare_cached("SELECT seq, hash FROM audit WHERE tenant = ?1 ORDER BY seq DESC LIMIT 1")
        .and_then(|mut s| {
            s.query_row([blob(tenant)], |r| {
                Ok((r.get::<_, i64>(0)? as u64, r.get(1)?))
            })
            .optional()
        })
        .map_err(failed)
}

/// What the first entry of a chain says was done.
fn first(conn: &Connection, tenant: TenantId) -> Result<Option<String>> {
    conn.prepare_cached("SELECT action FROM audit WHERE tenant = ?1 ORDER BY seq LIMIT 1")
        .and_then(|mut s| s.query_row([blob(tenant)], |r| r.get(0)).optional())
        .map_err(failed)
}

/// Whether there is such a tenant now.
fn is_tenant(conn: &Connection, tenant: TenantId) -> Result<bool> {
    let kind = crate::config::ConfigKind::Tenant.code();
    conn.prepare_cached("SELECT 1 FROM config_row WHERE kind = ?1 AND id = ?2")
        .and_then(|mut s| s.exists(params![kind, blob(tenant)]))
        .map_err(failed)
}

/// What the mark of a head covers.
fn end(tenant: &[u8; 16], seq: u64, hash: &[u8; 32]) -> Vec<u8> {
    [&tenant[..], &seq.to_be_bytes(), hash].concat()
}

struct Head {
    seq: u64,
    hash: [u8; 32],
    mark: String,
}

fn head(conn: &Connection, tenant: TenantId) -> Result<Option<Head>> {
    conn.prepare_cached("SELECT seq, hash, mark FROM audit_head WHERE tenant = ?1")
        .and_then(|mut s| {
            s.query_row([blob(tenant)], |r| {
                Ok(Head {
                    seq: r.get::<_, i64>(0)? as u64,
                    hash: r.get(1)?,
                    mark: r.get(2)?,
                })
            })
            .optional()
        })
        .map_err(failed)
}

/// After the keys changed: marks every head with the new one, if the old mark is right.
pub(crate) fn mark_again(conn: &Connection, vault: &Vault) -> Result<()> {
    // A database that was never sealed has no marks at all; one that lacks some lost them.
    let marked = conn
        .prepare_cached("SELECT 1 FROM audit_head WHERE mark <> ''")
        .and_then(|mut s| s.exists([]))
        .map_err(failed)?;
    for tenant in tenants(conn)? {
        let Some(h) = head(conn, tenant)? else {
            continue;
        };
        let covered = end(&blob(tenant), h.seq, &h.hash);
        // A wrong mark stays: it is what tells.
        if (h.mark.is_empty() && !marked) || vault.marked(&covered, &h.mark) == Some(true) {
            let sql = "UPDATE audit_head SET mark = ?2 WHERE tenant = ?1";
            conn.execute(sql, params![blob(tenant), vault.mark(&covered)])
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Tenants that have a chain, or should have one.
pub(crate) fn tenants(conn: &Connection) -> Result<Vec<TenantId>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT tenant FROM audit_head UNION SELECT DISTINCT tenant FROM audit
             UNION SELECT id FROM config_row WHERE kind = ?1",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map([crate::config::ConfigKind::Tenant.code()], |r| {
            Ok(id(r.get(0)?))
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

const COLUMNS: &str = "seq, at, actor, action, target, address, detail, hash, tenant";

fn record(r: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    let json = |column: usize, e: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e))
    };
    let (actor, detail): (String, String) = (r.get(2)?, r.get(6)?);
    Ok(AuditRecord {
        seq: r.get::<_, i64>(0)? as u64,
        entry: AuditEntry {
            tenant: id(r.get(8)?),
            at: time(r.get(1)?),
            actor: serde_json::from_str(&actor).map_err(|e| json(2, e))?,
            action: r.get(3)?,
            target: r.get(4)?,
            address: r.get(5)?,
            detail: serde_json::from_str(&detail).map_err(|e| json(6, e))?,
        },
        hash: r.get(7)?,
    })
}

/// Entries, newest first.
pub(crate) fn list(
    conn: &Connection,
    tenant: TenantId,
    filter: &AuditFilter,
    page: &PageRequest,
) -> Result<Page<AuditRecord>> {
    let before = match &page.after {
        None => i64::MAX,
        Some(text) => text.parse().map_err(|_| StoreError::Invalid {
            field: "cursor",
            problem: "is not one that a page gave",
        })?,
    };
    let (family, action) = match filter.action.as_deref().and_then(|a| a.strip_suffix('*')) {
        Some(family) => (Some(family), None),
        None => (None, filter.action.as_deref()),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE tenant = ?1 AND seq < ?2
           AND (?3 IS NULL OR instr(actor, ?3) > 0)
           AND (?4 IS NULL OR action = ?4)
           AND (?5 IS NULL OR substr(action, 1, length(?5)) = ?5)
           AND (?6 IS NULL OR target = ?6)
           AND (?7 IS NULL OR at >= ?7) AND (?8 IS NULL OR at < ?8)
         ORDER BY seq DESC LIMIT ?9"
    );
    let rows = page.rows();
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let found = statement
        .query_map(
            params![
                blob(tenant),
                before,
                filter.actor,
                action,
                family,
                filter.target,
                filter.from.map(micros),
                filter.until.map(micros),
                (rows + 1) as i64
            ],
            record,
        )
        .map_err(failed)?;
    let found = found.collect::<rusqlite::Result<_>>().map_err(unreadable)?;
    Ok(Page::cut(found, rows, |r: &AuditRecord| r.seq.to_string()))
}

/// Walks a chain from its beginning.
pub(crate) fn verify(
    conn: &Connection,
    vault: Option<&Vault>,
    tenant: TenantId,
) -> Result<AuditVerdict> {
    let (mut seq, mut hash) = (0u64, [0u8; 32]);
    let verdict = |seq, hash: &[u8; 32], fault| AuditVerdict {
        entries: seq,
        head: hex(hash),
        fault,
    };
    loop {
        let batch = links(conn, tenant, seq)?;
        if batch.is_empty() {
            break;
        }
        for (number, right, told) in batch {
            if number != seq + 1 {
                return Ok(verdict(seq, &hash, Some(AuditFault::Missing(seq + 1))));
            }
            let right = right(&hash);
            if right != told {
                return Ok(verdict(seq, &hash, Some(AuditFault::Changed(number))));
            }
            (seq, hash) = (number, right);
        }
    }
    // A tenant's chain begins with the tenant: one that was taken away whole is missed, and so is
    // what came before one that was begun anew.
    if first(conn, tenant)?.as_deref() != Some(BEGINS) && is_tenant(conn, tenant)? {
        return Ok(verdict(seq, &hash, Some(AuditFault::Begun)));
    }
    let fault = match head(conn, tenant)? {
        None if seq == 0 => None,
        None => Some(AuditFault::Cut(seq)),
        Some(h) if h.seq != seq || h.hash != hash => Some(AuditFault::Cut(seq)),
        Some(h) => match vault.map(|v| v.marked(&end(&blob(tenant), seq, &hash), &h.mark)) {
            None | Some(Some(true)) => None,
            Some(Some(false)) => Some(AuditFault::Forged),
            Some(None) if h.mark.is_empty() || h.mark == BROKEN => Some(AuditFault::Forged),
            Some(None) => Some(AuditFault::KeyMissing(h.mark.chars().take(8).collect())),
        },
    };
    Ok(verdict(seq, &hash, fault))
}

/// Number, what the hash should be given the one before, and what it is.
type Link = (u64, Box<dyn Fn(&[u8; 32]) -> [u8; 32]>, [u8; 32]);

fn links(conn: &Connection, tenant: TenantId, after: u64) -> Result<Vec<Link>> {
    let tenant = blob(tenant);
    let mut statement = conn
        .prepare_cached(
            "SELECT seq, at, actor, action, target, address, detail, hash FROM audit
             WHERE tenant = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![tenant, after as i64, VERIFY_ROWS], |r| {
            let seq = r.get::<_, i64>(0)? as u64;
            let at = r.get(1)?;
            let text: [String; 5] = [r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?];
            let right = move |before: &[u8; 32]| {
                let [actor, action, target, address, detail] = &text;
                let t = Texts {
                    at,
                    actor,
                    action,
                    target,
                    address,
                    detail,
                };
                chained(before, &tenant, seq, &t)
            };
            // A hash of another length is no hash of ours.
            let told = r.get::<_, [u8; 32]>(7).unwrap_or([0; 32]);
            Ok((
                seq,
                Box::new(right) as Box<dyn Fn(&[u8; 32]) -> [u8; 32]>,
                told,
            ))
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}
