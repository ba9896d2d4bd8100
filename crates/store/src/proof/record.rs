use super::ProofRow;
use super::credential::check_body;
use crate::error::Result;
use crate::log::codec::{blob, id, micros};
use crate::log::read::unreadable;
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) fn put(conn: &Connection, row: &ProofRow, now: Timestamp) -> Result<()> {
    check_body(&row.body)?;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO proof (interaction, tenant, person, body, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut s| {
        s.execute(params![
            blob(row.interaction),
            blob(row.tenant),
            row.person.map(blob),
            row.body.expose(),
            micros(now)
        ])
    })
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn get(
    conn: &Connection,
    tenant: TenantId,
    interaction: InteractionId,
) -> Result<Option<ProofRow>> {
    conn.prepare_cached("SELECT person, body FROM proof WHERE interaction = ?1 AND tenant = ?2")
        .map_err(failed)?
        .query_row(params![blob(interaction), blob(tenant)], |r| {
            Ok(ProofRow {
                interaction,
                tenant,
                person: r.get::<_, Option<[u8; 16]>>(0)?.map(id),
                body: Pii(r.get(1)?),
            })
        })
        .optional()
        .map_err(unreadable)
}
