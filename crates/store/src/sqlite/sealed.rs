//! Sealing inside the database: two SQL functions, so that no statement that reads or writes a body
//! can forget it, and the changes of all rows at once.

use super::connect::failed;
use crate::error::{Result, StoreError};
use crate::vault::{SEALED, Vault, VaultError};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Adds `cp_seal(kind, id, text)` and `cp_open(kind, id, text)` to a connection. Without a vault
/// both give the text back.
pub(crate) fn install(conn: &Connection, vault: Option<&Arc<Vault>>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let keys = vault.cloned();
    conn.create_scalar_function("cp_seal", 3, flags, move |c| {
        let text = text(c)?;
        match &keys {
            Some(v) => v.seal(&place(c)?, text.as_bytes()).map_err(told),
            None => Ok(text),
        }
    })?;
    let keys = vault.cloned();
    conn.create_scalar_function("cp_open", 3, flags, move |c| {
        let text = text(c)?;
        if !text.starts_with(SEALED) {
            return Ok(text);
        }
        let Some(vault) = &keys else {
            return Err(told(VaultError::KeyMissing(key_id(&text))));
        };
        let plain = vault.open(&place(c)?, &text).map_err(told)?;
        String::from_utf8(plain).map_err(|_| told(VaultError::Tampered))
    })
}

fn text(c: &Context<'_>) -> rusqlite::Result<String> {
    c.get(2)
}

/// Kind and id of the row, which the seal is bound to.
fn place(c: &Context<'_>) -> rusqlite::Result<Vec<u8>> {
    let kind: i64 = c.get(0)?;
    let mut place = kind.to_be_bytes().to_vec();
    if let ValueRef::Blob(id) = c.get_raw(1) {
        place.extend_from_slice(id);
    }
    Ok(place)
}

fn told(e: VaultError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(Box::new(e))
}

fn key_id(sealed: &str) -> String {
    let rest = sealed.strip_prefix(SEALED).unwrap_or_default();
    rest.split(':')
        .next()
        .unwrap_or_default()
        .chars()
        .take(8)
        .collect()
}

/// Where sealed texts lie: table, column, how it is read as text, and what the seal is bound to.
struct Place {
    table: &'static str,
    column: &'static str,
    text: &'static str,
    kind: &'static str,
    id: &'static str,
}

const PLACES: [Place; 5] = [
    Place {
        table: "config_row",
        column: "body",
        text: "body",
        kind: "kind",
        id: "id",
    },
    Place {
        table: "factor",
        column: "body",
        text: "body",
        kind: "kind + 1000",
        id: "id",
    },
    Place {
        table: "credential",
        column: "body",
        text: "body",
        kind: "2000",
        id: "id",
    },
    Place {
        table: "push_subscription",
        column: "auth",
        text: "auth",
        kind: "4000",
        id: "id",
    },
    // Bytes, sealed as their hex digits.
    Place {
        table: "signing_key",
        column: "pkcs8",
        text: "CAST(pkcs8 AS TEXT)",
        kind: "3000",
        id: "CAST(id AS BLOB)",
    },
];

/// How many texts each key sealed; those not sealed are under an empty id.
pub(crate) fn census(conn: &Connection) -> Result<BTreeMap<String, u64>> {
    let mut by_key = BTreeMap::new();
    for Place { table, text, .. } in PLACES {
        let sql = format!(
            "SELECT CASE WHEN {text} LIKE '{SEALED}%' THEN substr({text}, {}, 8) ELSE '' END, count(*)
             FROM {table} GROUP BY 1",
            SEALED.len() + 1
        );
        let mut statement = conn.prepare(&sql).map_err(failed)?;
        let rows = statement.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)));
        for row in rows.map_err(failed)? {
            let (id, n) = row.map_err(failed)?;
            *by_key.entry(id).or_insert(0) += n as u64;
        }
    }
    Ok(by_key)
}

/// At the start: every body must open with the keys given, and none stays open once there is one.
///
/// # Errors
/// `KeyMissing`, before anything runs.
pub(crate) fn prepare(conn: &Connection, path: &Path, vault: Option<&Arc<Vault>>) -> Result<()> {
    let census = census(conn)?;
    let have = |id: &str| vault.is_some_and(|v| v.ids().any(|k| k == id));
    if let Some(key) = census.keys().find(|id| !id.is_empty() && !have(id)) {
        return Err(StoreError::KeyMissing {
            path: path.into(),
            key: key.clone(),
        });
    }
    if vault.is_some() && census.get("").is_some_and(|n| *n > 0) {
        let sealed = reseal(conn, &format!("NOT LIKE '{SEALED}%'"))?;
        tracing::info!(rows = sealed, "sealed what lay open");
    }
    Ok(())
}

/// Seals everything with the first key of the vault again; says how many bodies.
pub(crate) fn rotate(conn: &Connection, vault: &Vault) -> Result<u64> {
    let others = format!("NOT LIKE '{SEALED}{}:%'", vault.active());
    reseal(conn, &others)
}

fn reseal(conn: &Connection, which: &str) -> Result<u64> {
    let mut rows = 0;
    for p in PLACES {
        let Place {
            table,
            column,
            text,
            kind,
            id,
        } = p;
        let sealed = format!("cp_seal({kind}, {id}, cp_open({kind}, {id}, {text}))");
        // A column of bytes takes no text.
        let sealed = match text == column {
            true => sealed,
            false => format!("CAST({sealed} AS BLOB)"),
        };
        let sql = format!("UPDATE {table} SET {column} = {sealed} WHERE {text} {which}");
        rows += conn.execute(&sql, params![]).map_err(failed)? as u64;
    }
    Ok(rows)
}
