use super::SigningKey;
use crate::error::Result;
use crate::log::codec::{micros, time};
use crate::log::read::unreadable;
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, params};

/// Keys read at most: the newest signs, the others verify what is still valid (certificates of
/// erasure for good). Beyond it the oldest verify no more.
const KEYS_MAX: i64 = 64;

pub(crate) fn list(conn: &Connection) -> Result<Vec<SigningKey>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT id, created_at, unhex(cp_open(3000, CAST(id AS BLOB), CAST(pkcs8 AS TEXT)))
             FROM signing_key ORDER BY created_at DESC LIMIT ?1",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map([KEYS_MAX], |r| {
            Ok(SigningKey {
                id: r.get(0)?,
                created_at: time(r.get(1)?),
                pkcs8: Pii(r.get(2)?),
            })
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn put(conn: &Connection, key: &SigningKey) -> Result<()> {
    conn.execute(
        "INSERT INTO signing_key (id, created_at, pkcs8) VALUES (?1, ?2, CAST(cp_seal(3000, CAST(?1 AS BLOB), hex(?3)) AS BLOB))",
        params![key.id, micros(key.created_at), key.pkcs8.expose()],
    )
    .map(|_| ())
    .map_err(failed)
}
