//! The schema and how a database of an earlier release becomes one of this: embedded numbered
//! steps, forward only, each in a transaction of its own.

use crate::error::{Result, StoreError};
use crate::sqlite::connect::{failed, opening};
use rusqlite::Connection;
use std::path::Path;

/// Step n brings a database from schema n - 1 to n. A released step is never edited.
pub(crate) const STEPS: &[&str] = &[
    include_str!("0001_log.sql"),
    include_str!("0002_configuration.sql"),
    include_str!("0003_projection.sql"),
    include_str!("0004_push.sql"),
    include_str!("0005_next_presence.sql"),
    include_str!("0006_proof.sql"),
    include_str!("0007_safety.sql"),
    include_str!("0008_brand.sql"),
    include_str!("0009_contact.sql"),
    include_str!("0010_people.sql"),
    include_str!("0011_forwarding.sql"),
    include_str!("0012_caller_report.sql"),
];

/// Marks a file as ours (`PRAGMA application_id`): "XPNT".
const APPLICATION_ID: i64 = 0x5850_4e54;

/// Raised when a projection is computed otherwise than before; a database with a lower number
/// has its projections built again from the log when it is opened.
pub(crate) const PROJECTION_VERSION: u64 = 1;

/// Brings the database to the schema of this release.
///
/// # Errors
/// `Newer`, `Foreign`, or the failure of a step, which leaves the database at the step before.
pub(crate) fn migrate(conn: &mut Connection, path: &Path) -> Result<()> {
    let known = STEPS.len() as u32;
    let application: i64 = pragma(conn, path, "application_id")?;
    let found = pragma(conn, path, "user_version")? as u32;
    if application != APPLICATION_ID {
        let tables: i64 = conn
            .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
            .map_err(|e| opening(path, e))?;
        if tables > 0 || application != 0 {
            return Err(StoreError::Foreign { path: path.into() });
        }
    }
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for step in found..known {
        let tx = conn.transaction().map_err(failed)?;
        tx.execute_batch(STEPS[step as usize]).map_err(failed)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(failed)?;
        tx.pragma_update(None, "user_version", i64::from(step) + 1)
            .map_err(failed)?;
        tx.commit().map_err(failed)?;
        if found > 0 {
            tracing::info!(from = step, to = step + 1, "database migrated");
        }
    }
    Ok(())
}

fn pragma(conn: &Connection, path: &Path, name: &str) -> Result<i64> {
    conn.pragma_query_value(None, name, |r| r.get(0))
        .map_err(|e| opening(path, e))
}

/// A number kept in the `meta` table; 0 when it was never set.
pub(crate) fn meta(conn: &Connection, name: &str) -> Result<u64> {
    conn.prepare_cached("SELECT coalesce(max(value), 0) FROM meta WHERE name = ?1")
        .and_then(|mut s| s.query_row([name], |r| r.get::<_, i64>(0)))
        .map(|v| v as u64)
        .map_err(failed)
}

pub(crate) fn set_meta(conn: &Connection, name: &str, value: u64) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .and_then(|mut s| s.execute((name, value as i64)))
    .map(|_| ())
    .map_err(failed)
}
