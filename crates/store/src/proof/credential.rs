use super::{BODY_BYTES_MAX, CREDENTIALS_PER_PERSON_MAX, Credential};
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::log::read::unreadable;
use crate::sqlite::connect::failed;
use cp_vocab::person::ProofMethod;
use cp_vocab::*;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str =
    "id, tenant, person, method, label, cp_open(2000, id, body), created_at, used_at";

fn read(r: &Row<'_>) -> rusqlite::Result<Credential> {
    let word: String = r.get(3)?;
    let method = ProofMethod::ALL.iter().find(|m| m.as_str() == word);
    let unknown = || {
        let what = format!("unknown method {word}").into();
        rusqlite::Error::FromSqlConversionFailure(3, Type::Text, what)
    };
    Ok(Credential {
        id: id(r.get(0)?),
        tenant: id(r.get(1)?),
        person: id(r.get(2)?),
        method: *method.ok_or_else(unknown)?,
        label: r.get(4)?,
        body: Pii(r.get(5)?),
        created_at: time(r.get(6)?),
        used_at: r.get::<_, Option<i64>>(7)?.map(time),
    })
}

pub(crate) fn check_body(body: &Pii<String>) -> Result<()> {
    if body.expose().len() <= BODY_BYTES_MAX {
        return Ok(());
    }
    Err(StoreError::Invalid {
        field: "body",
        problem: "is too long to be kept",
    })
}

pub(crate) fn put(conn: &Connection, c: &Credential) -> Result<()> {
    check_body(&c.body)?;
    crate::config::read::row(conn, c.tenant, c.person.into())?;
    if of_person(conn, c.tenant, c.person)?.len() >= CREDENTIALS_PER_PERSON_MAX {
        return Err(StoreError::Invalid {
            field: "credentials",
            problem: "are too many for one person",
        });
    }
    conn.prepare_cached(
        "INSERT INTO credential (id, tenant, person, method, label, body, created_at, used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, cp_seal(2000, ?1, ?6), ?7, NULL)",
    )
    .and_then(|mut s| {
        s.execute(params![
            blob(c.id),
            blob(c.tenant),
            blob(c.person),
            c.method.as_str(),
            c.label,
            c.body.expose(),
            micros(c.created_at)
        ])
    })
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn of_person(
    conn: &Connection,
    tenant: TenantId,
    person: PersonId,
) -> Result<Vec<Credential>> {
    let sql =
        format!("SELECT {COLUMNS} FROM credential WHERE person = ?1 AND tenant = ?2 ORDER BY id");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(params![blob(person), blob(tenant)], read)
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
}

pub(crate) fn by_id(conn: &Connection, id: CredentialId) -> Result<Option<Credential>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM credential WHERE id = ?1"))
        .map_err(failed)?
        .query_row([blob(id)], read)
        .optional()
        .map_err(unreadable)
}

pub(crate) fn used(
    conn: &Connection,
    id: CredentialId,
    body: &Pii<String>,
    now: Timestamp,
) -> Result<()> {
    check_body(body)?;
    conn.prepare_cached(
        "UPDATE credential SET body = cp_seal(2000, ?1, ?2), used_at = ?3 WHERE id = ?1",
    )
    .and_then(|mut s| s.execute(params![blob(id), body.expose(), micros(now)]))
    .map(|_| ())
    .map_err(failed)
}

pub(crate) fn delete(
    conn: &Connection,
    tenant: TenantId,
    person: PersonId,
    id: CredentialId,
) -> Result<()> {
    let gone = conn
        .execute(
            "DELETE FROM credential WHERE id = ?1 AND tenant = ?2 AND person = ?3",
            params![blob(id), blob(tenant), blob(person)],
        )
        .map_err(failed)?;
    if gone == 0 {
        return Err(StoreError::NotFound {
            kind: "credential",
            id: id.to_string(),
        });
    }
    Ok(())
}

pub(crate) fn hand_over(
    conn: &Connection,
    tenant: TenantId,
    from: PersonId,
    to: PersonId,
) -> Result<()> {
    let key = params![blob(from), blob(to), blob(tenant)];
    let sql = "UPDATE credential SET person = ?2 WHERE person = ?1 AND tenant = ?3";
    conn.execute(sql, key).map_err(failed)?;
    let sql = "UPDATE proof SET person = ?2 WHERE person = ?1 AND tenant = ?3";
    conn.execute(sql, key).map(|_| ()).map_err(failed)
}
