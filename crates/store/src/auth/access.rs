//! Tokens that OAuth 2 clients hold.

use super::OAuthClient;
use crate::config::{ConfigRow, read};
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, params};

/// Live tokens of one client at most; a further one ends the oldest.
pub const TOKENS_OF_CLIENT_MAX: usize = 1_000;

/// A token of a client; the token itself is not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessToken {
    pub hash: Pii<[u8; 32]>,
    pub tenant: TenantId,
    pub client: OAuthClientId,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

pub(crate) fn create(conn: &Connection, token: &AccessToken) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO access_token (hash, tenant, client, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .and_then(|mut s| {
        s.execute(params![
            token.hash.expose(),
            blob(token.tenant),
            blob(token.client),
            token.scopes.join(" "),
            micros(token.created_at),
            micros(token.expires_at),
        ])
    })
    .map_err(failed)?;
    conn.prepare_cached(
        "DELETE FROM access_token WHERE client = ?1 AND hash NOT IN
         (SELECT hash FROM access_token WHERE client = ?1 ORDER BY created_at DESC, hash LIMIT ?2)",
    )
    .and_then(|mut s| s.execute(params![blob(token.client), TOKENS_OF_CLIENT_MAX as i64]))
    .map(|_| ())
    .map_err(failed)
}

/// The live token of a hash and its client, unless that is disabled or gone.
pub(crate) fn by_hash(
    conn: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(AccessToken, OAuthClient)>> {
    let token = conn
        .prepare_cached(
            "SELECT tenant, client, scopes, created_at, expires_at FROM access_token
             WHERE hash = ?1 AND expires_at > ?2",
        )
        .and_then(|mut s| {
            s.query_row(params![hash, micros(now)], |r| {
                let scopes: String = r.get(2)?;
                Ok(AccessToken {
                    hash: Pii(*hash),
                    tenant: id(r.get(0)?),
                    client: id(r.get(1)?),
                    scopes: scopes.split_whitespace().map(String::from).collect(),
                    created_at: time(r.get(3)?),
                    expires_at: time(r.get(4)?),
                })
            })
            .optional()
        })
        .map_err(failed)?;
    let Some(token) = token else {
        return Ok(None);
    };
    match read::row(conn, token.tenant, token.client.into()) {
        Ok(v) => match v.row {
            ConfigRow::OAuthClient(c) if !c.disabled => Ok(Some((token, c))),
            _ => Ok(None),
        },
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) fn end(conn: &Connection, tenant: TenantId, hash: &[u8; 32]) -> Result<()> {
    conn.execute(
        "DELETE FROM access_token WHERE hash = ?1 AND tenant = ?2",
        params![hash, blob(tenant)],
    )
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn end_of(conn: &Connection, tenant: TenantId, client: OAuthClientId) -> Result<u64> {
    conn.execute(
        "DELETE FROM access_token WHERE client = ?1 AND tenant = ?2",
        params![blob(client), blob(tenant)],
    )
    .map(|n| n as u64)
    .map_err(failed)
}

pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM access_token WHERE expires_at <= ?1";
    conn.execute(sql, [micros(now)]).map(|_| ()).map_err(failed)
}
