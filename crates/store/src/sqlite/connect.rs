//! Connections, their settings, and what their errors mean.

use super::options::{Durability, Options};
use crate::error::{Result, StoreError};
use crate::vault::Vault;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a statement waits for a lock that a foreign program holds.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Statements kept prepared per connection; one beyond is prepared again when it is needed.
const STATEMENTS_CACHED_MAX: usize = 128;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Page cache of each reader, in KiB.
const READER_CACHE_KIB: i64 = 8 * 1024;

/// The connection that writes. Checkpoints are made by hand (`super::checkpoint`).
pub(crate) fn writer(options: &Options) -> Result<Connection> {
    let path = options.path.as_path();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|e| opening(path, e))?;
    settle(&conn, WRITER_CACHE_KIB, options.vault.as_ref()).map_err(|e| opening(path, e))?;
    let mode: String = conn
        .pragma_update_and_check(None, "journal_mode", "wal", |r| r.get(0))
        .map_err(|e| opening(path, e))?;
    if mode != "wal" {
        return Err(StoreError::Open {
            path: path.into(),
            detail: format!("its file system has no write-ahead log (journal mode {mode})"),
        });
    }
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Os => "NORMAL",
        Durability::Off => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)
        .and_then(|()| conn.pragma_update(None, "wal_autocheckpoint", 0))
        .map_err(|e| opening(path, e))?;
    Ok(conn)
}

/// A connection that only reads.
pub(crate) fn reader(path: &Path, vault: Option<&Arc<Vault>>) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|e| opening(path, e))?;
    settle(&conn, READER_CACHE_KIB, vault).map_err(|e| opening(path, e))?;
    Ok(conn)
}

fn settle(conn: &Connection, cache_kib: i64, vault: Option<&Arc<Vault>>) -> rusqlite::Result<()> {
    super::sealed::install(conn, vault)?;
    conn.busy_timeout(BUSY_WAIT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // What is deleted is overwritten: an erased person must not be found in the file.
    conn.pragma_update(None, "secure_delete", true)?;
    Ok(())
}

/// What an error of an open database means.
pub(crate) fn failed(e: rusqlite::Error) -> StoreError {
    let detail = e.to_string();
    match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { detail },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly { detail },
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            // Only a foreign program can hold a lock against us.
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked,
        ) => StoreError::Io { detail },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { detail },
        _ => StoreError::Database { detail },
    }
}

/// What an error while opening means.
pub(crate) fn opening(path: &Path, e: rusqlite::Error) -> StoreError {
    match failed(e) {
        e
        @ (StoreError::Corrupt { .. } | StoreError::ReadOnly { .. } | StoreError::Full { .. }) => e,
        StoreError::Io { detail } | StoreError::Database { detail } => StoreError::Open {
            path: path.into(),
            detail,
        },
        e => e,
    }
}
