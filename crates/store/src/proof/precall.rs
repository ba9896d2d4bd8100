use super::Precall;
use super::credential::check_body;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::log::read::unreadable;
use crate::page::PAGE_ROWS_MAX;
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str =
    "id, tenant, partner, called, identifier, body, made_at, expires_at, interaction";

fn read(r: &Row<'_>) -> rusqlite::Result<Precall> {
    Ok(Precall {
        id: id(r.get(0)?),
        tenant: id(r.get(1)?),
        partner: id(r.get(2)?),
        called: Pii(r.get(3)?),
        identifier: Pii(r.get(4)?),
        body: Pii(r.get(5)?),
        made_at: time(r.get(6)?),
        expires_at: time(r.get(7)?),
        interaction: r.get::<_, Option<[u8; 16]>>(8)?.map(id),
    })
}

pub(crate) fn put(conn: &Connection, p: &Precall, open_max: u32, now: Timestamp) -> Result<()> {
    check_body(&p.body)?;
    let open: u32 = conn
        .query_row(
            "SELECT count(*) FROM precall WHERE tenant = ?1 AND partner = ?2 AND expires_at > ?3",
            params![blob(p.tenant), blob(p.partner), micros(now)],
            |r| r.get(0),
        )
        .map_err(failed)?;
    if open >= open_max {
        return Err(StoreError::Invalid {
            field: "precalls",
            problem: "are too many for this caller",
        });
    }
    conn.execute(
        "INSERT INTO precall (id, tenant, partner, called, identifier, body, made_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            blob(p.id),
            blob(p.tenant),
            blob(p.partner),
            p.called.expose(),
            p.identifier.expose(),
            p.body.expose(),
            micros(p.made_at),
            micros(p.expires_at)
        ],
    )
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn claim(
    conn: &Connection,
    tenant: TenantId,
    identifier: &str,
    called: &str,
    interaction: InteractionId,
    now: Timestamp,
) -> Result<Option<Precall>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM precall WHERE tenant = ?1 AND identifier = ?2
         AND (called = '' OR called = ?3) AND expires_at > ?4 AND interaction IS NULL
         ORDER BY id LIMIT 1"
    );
    let found = conn
        .prepare_cached(&sql)
        .map_err(failed)?
        .query_row(params![blob(tenant), identifier, called, micros(now)], read)
        .optional()
        .map_err(unreadable)?;
    let Some(mut found) = found else {
        return Ok(None);
    };
    let key = params![blob(found.id), blob(interaction)];
    conn.execute("UPDATE precall SET interaction = ?2 WHERE id = ?1", key)
        .map_err(failed)?;
    found.interaction = Some(interaction);
    Ok(Some(found))
}

pub(crate) fn end(conn: &Connection, interaction: InteractionId) -> Result<()> {
    conn.execute(
        "DELETE FROM precall WHERE interaction = ?1",
        [blob(interaction)],
    )
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn list(conn: &Connection, tenant: TenantId, now: Timestamp) -> Result<Vec<Precall>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM precall
         WHERE tenant = ?1 AND (expires_at > ?2 OR interaction IS NOT NULL)
         ORDER BY id DESC LIMIT ?3"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(
            params![blob(tenant), micros(now), PAGE_ROWS_MAX as i64],
            read,
        )
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn delete(conn: &Connection, tenant: TenantId, id: PrecallId) -> Result<()> {
    let key = params![blob(id), blob(tenant)];
    let gone = conn
        .execute("DELETE FROM precall WHERE id = ?1 AND tenant = ?2", key)
        .map_err(failed)?;
    if gone == 0 {
        return Err(StoreError::NotFound {
            kind: "precall",
            id: id.to_string(),
        });
    }
    Ok(())
}

/// Expired announcements go, unless a call that used one still runs (at most a day).
pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    let day_ago = Timestamp(now.0.saturating_sub(86_400_000_000));
    conn.execute(
        "DELETE FROM precall WHERE expires_at <= ?1 AND (interaction IS NULL OR expires_at <= ?2)",
        params![micros(now), micros(day_ago)],
    )
    .map(|_| ())
    .map_err(failed)
}
