use super::Ticket;
use super::credential::check_body;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::log::read::unreadable;
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "key, tenant, kind, interaction, body, expires_at";

fn read(r: &Row<'_>) -> rusqlite::Result<Ticket> {
    Ok(Ticket {
        key: Pii(r.get(0)?),
        tenant: id(r.get(1)?),
        kind: r.get(2)?,
        interaction: r.get::<_, Option<[u8; 16]>>(3)?.map(id),
        body: Pii(r.get(4)?),
        expires_at: time(r.get(5)?),
    })
}

pub(crate) fn put(conn: &Connection, t: &Ticket) -> Result<()> {
    check_body(&t.body)?;
    let made = conn
        .prepare_cached(
            "INSERT INTO ticket (key, tenant, kind, interaction, body, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| {
            s.execute(params![
                t.key.expose(),
                blob(t.tenant),
                t.kind,
                t.interaction.map(blob),
                t.body.expose(),
                micros(t.expires_at)
            ])
        })
        .map_err(failed)?;
    if made == 0 {
        return Err(StoreError::Conflict {
            kind: "ticket",
            field: "key",
            holder: t.kind.clone(),
        });
    }
    Ok(())
}

pub(crate) fn peek(
    conn: &Connection,
    kind: &str,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Ticket>> {
    let sql =
        format!("SELECT {COLUMNS} FROM ticket WHERE key = ?1 AND kind = ?2 AND expires_at > ?3");
    conn.prepare_cached(&sql)
        .map_err(failed)?
        .query_row(params![key, kind, micros(now)], read)
        .optional()
        .map_err(unreadable)
}

pub(crate) fn take(
    conn: &Connection,
    kind: &str,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Ticket>> {
    let found = peek(conn, kind, key, now)?;
    if found.is_some() {
        conn.execute("DELETE FROM ticket WHERE key = ?1", [key])
            .map_err(failed)?;
    }
    Ok(found)
}

pub(crate) fn change(conn: &Connection, t: &Ticket) -> Result<()> {
    check_body(&t.body)?;
    conn.prepare_cached(
        "UPDATE ticket SET body = ?2, interaction = ?3, expires_at = ?4 WHERE key = ?1",
    )
    .and_then(|mut s| {
        s.execute(params![
            t.key.expose(),
            t.body.expose(),
            t.interaction.map(blob),
            micros(t.expires_at)
        ])
    })
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn end(conn: &Connection, key: &[u8; 32]) -> Result<()> {
    conn.execute("DELETE FROM ticket WHERE key = ?1", [key])
        .map(|_| ())
        .map_err(failed)
}

pub(crate) fn end_of(conn: &Connection, interaction: InteractionId) -> Result<()> {
    conn.execute(
        "DELETE FROM ticket WHERE interaction = ?1",
        [blob(interaction)],
    )
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    conn.execute("DELETE FROM ticket WHERE expires_at <= ?1", [micros(now)])
        .map(|_| ())
        .map_err(failed)
}
