//! Erasing people, deleting what was kept long enough, consents, and the jobs that do it step by step.
//!
//! The log stays whole: the records of an erased person keep their number, time and kind and lose
//! what is of type `Pii` (docs/adr). Deleted pages are overwritten, not only given free.

use crate::error::{Result, StoreError};
use crate::log::codec::{RECORD_COLUMNS, blob, encode, id, micros, record, stream_key, time};
use crate::log::read::unreadable;
use crate::page::{Page, PageRequest};
use crate::sqlite::connect::failed;
use cp_vocab::id::TypedId;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Identities of one person that are looked for at most; more are refused with `Invalid`.
pub const IDENTIFIERS_MAX: usize = 500;

/// What a customer agreed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consent {
    pub id: ConsentId,
    pub tenant: TenantId,
    /// The number or address it is of.
    pub identifier: Pii<String>,
    /// To what: `recording`, `marketing`, …
    pub what: String,
    /// How it was given, in words.
    pub how: String,
    pub interaction: Option<InteractionId>,
    pub given_at: Timestamp,
    pub recorded_by: String,
    pub withdrawn: Option<(Timestamp, String)>,
}

/// An erasure, or a sweep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivacyJob {
    pub id: PrivacyJobId,
    pub tenant: TenantId,
    /// `erasure` or `retention`.
    pub kind: String,
    /// `waiting`, `running`, `done`.
    pub state: String,
    pub requested_by: String,
    /// What for, as JSON; emptied when it is done.
    pub request: Pii<String>,
    pub total: u64,
    pub done: u64,
    /// What was done, as JSON.
    pub counts: String,
    /// Signed, when it is done.
    pub certificate: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// What was taken out of one interaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    pub records: u64,
    pub legs: u64,
}

/// A part of [`crate::Store`].
pub trait PrivacyStore {
    /// Interactions that ended and in which one of these numbers or addresses took part, oldest
    /// first, after `after`.
    fn interactions_of(
        &self,
        tenant: TenantId,
        identifiers: &[String],
        persons: &[PersonId],
        after: Option<InteractionId>,
        limit: usize,
    ) -> Result<Vec<InteractionId>>;
    /// Interactions that ended before an instant, oldest first, after `after`.
    fn interactions_before(
        &self,
        tenant: TenantId,
        before: Timestamp,
        after: Option<InteractionId>,
        limit: usize,
    ) -> Result<Vec<InteractionId>>;
    /// Takes people out of the records and rows of an interaction that ended.
    fn erase_interaction(&self, tenant: TenantId, interaction: InteractionId) -> Result<Taken>;
    /// Removes an interaction that ended: its records, rows, proofs.
    fn remove_interaction(&self, tenant: TenantId, interaction: InteractionId) -> Result<Taken>;
    /// Removes what is kept of persons beside their interactions: rows, credentials, proofs, tries,
    /// announced calls, consents, what waits to be sent again. Says how many rows went.
    fn erase_persons(
        &self,
        tenant: TenantId,
        persons: &[PersonId],
        identifiers: &[String],
    ) -> Result<u64>;
    /// Overwrites in the files what was deleted.
    fn scrub(&self) -> Result<()>;
    /// Appends events of the tenant.
    fn tell(&self, tenant: TenantId, at: Timestamp, events: Vec<Event>) -> Result<()>;

    fn consent_put(&self, consent: Consent) -> Result<()>;
    fn consents(
        &self,
        tenant: TenantId,
        identifier: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Consent>>;
    /// # Errors
    /// `NotFound`, also when it is another tenant's; `Invalid` when it was withdrawn before.
    fn consent_withdraw(
        &self,
        tenant: TenantId,
        id: ConsentId,
        at: Timestamp,
        how: String,
    ) -> Result<Consent>;

    /// Writes a job, new or as it stands now.
    fn privacy_job_put(&self, job: PrivacyJob) -> Result<()>;
    fn privacy_jobs(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<PrivacyJob>>;
    /// # Errors
    /// `NotFound`, also when it is another tenant's.
    fn privacy_job(&self, tenant: TenantId, id: PrivacyJobId) -> Result<PrivacyJob>;
    /// Jobs of all tenants that are not done, oldest first.
    fn privacy_jobs_open(&self, limit: usize) -> Result<Vec<PrivacyJob>>;
}

/// `?, ?, ?` for a list, or one that nothing equals.
fn marks(n: usize) -> String {
    if n == 0 {
        "NULL".into()
    } else {
        vec!["?"; n].join(", ")
    }
}

pub(crate) fn interactions_of(
    conn: &Connection,
    tenant: TenantId,
    identifiers: &[String],
    persons: &[PersonId],
    after: Option<InteractionId>,
    limit: usize,
) -> Result<Vec<InteractionId>> {
    if identifiers.len() > IDENTIFIERS_MAX || persons.len() > IDENTIFIERS_MAX {
        return Err(StoreError::Invalid {
            field: "identities",
            problem: "are too many",
        });
    }
    let (list, people) = (marks(identifiers.len()), marks(persons.len()));
    let sql = format!(
        "SELECT i.id FROM interaction i WHERE i.tenant = ? AND i.id > ? AND i.state = 4 AND (
             json_extract(i.from_address, '$.value') IN ({list})
             OR json_extract(i.to_address, '$.value') IN ({list})
             OR EXISTS (SELECT 1 FROM leg l WHERE l.interaction = i.id
                        AND json_extract(l.address, '$.value') IN ({list}))
             OR EXISTS (SELECT 1 FROM proof p WHERE p.interaction = i.id AND p.person IN ({people})))
         ORDER BY i.id LIMIT ?"
    );
    let mut values: Vec<rusqlite::types::Value> = vec![
        blob(tenant).to_vec().into(),
        after.map_or_else(Vec::new, |a| blob(a).to_vec()).into(),
    ];
    for _ in 0..3 {
        values.extend(identifiers.iter().map(|i| i.clone().into()));
    }
    values.extend(persons.iter().map(|p| blob(*p).to_vec().into()));
    values.push((limit as i64).into());
    ids(conn, &sql, rusqlite::params_from_iter(values))
}

pub(crate) fn interactions_before(
    conn: &Connection,
    tenant: TenantId,
    before: Timestamp,
    after: Option<InteractionId>,
    limit: usize,
) -> Result<Vec<InteractionId>> {
    ids(
        conn,
        "SELECT id FROM interaction WHERE tenant = ?1 AND id > ?2 AND state = 4 AND ended_at < ?3
         ORDER BY id LIMIT ?4",
        params![
            blob(tenant),
            after.map_or_else(Vec::new, |a| blob(a).to_vec()),
            micros(before),
            limit as i64
        ],
    )
}

fn ids<T: TypedId>(conn: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map(values, |r| r.get(0).map(id))
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Whether the interaction is the tenant's and over.
fn check_over(conn: &Connection, tenant: TenantId, interaction: InteractionId) -> Result<()> {
    let over: Option<bool> = conn
        .query_row(
            "SELECT state = 4 FROM interaction WHERE tenant = ?1 AND id = ?2",
            params![blob(tenant), blob(interaction)],
            |r| r.get(0),
        )
        .optional()
        .map_err(failed)?;
    match over {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::Invalid {
            field: "interaction",
            problem: "has not ended",
        }),
        None => Err(StoreError::NotFound {
            kind: "interaction",
            id: interaction.to_string(),
        }),
    }
}

pub(crate) fn erase_interaction(
    conn: &Connection,
    tenant: TenantId,
    interaction: InteractionId,
) -> Result<Taken> {
    check_over(conn, tenant, interaction)?;
    let mut taken = Taken::default();
    let key = stream_key(StreamId::Interaction(interaction));
    let sql = format!("SELECT {RECORD_COLUMNS} FROM event WHERE stream = ?1 ORDER BY seq");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([&key[..]], record).map_err(failed)?;
    let records: Vec<(u64, EventRecord)> =
        rows.collect::<rusqlite::Result<_>>().map_err(unreadable)?;
    let mut body = Vec::new();
    for (cursor, mut record) in records {
        if record.event.erase() {
            encode(&record.event, &mut body)?;
            let text = std::str::from_utf8(&body).expect("invariant: JSON is UTF-8");
            run(
                conn,
                "UPDATE event SET body = ?2 WHERE cursor = ?1",
                params![cursor as i64, text],
            )?;
            taken.records += 1;
        }
    }
    // Events of the tenant that name the interaction.
    taken.records += erase_mentions(conn, tenant, interaction)?;
    let nobody = serde_json::to_string(&Address::default()).unwrap_or_default();
    run(
        conn,
        "UPDATE interaction SET from_address = ?3, to_address = ?3, from_name = NULL
         WHERE tenant = ?1 AND id = ?2",
        params![blob(tenant), blob(interaction), nobody],
    )?;
    taken.legs = run(
        conn,
        "UPDATE leg SET address = ?2 WHERE interaction = ?1",
        params![blob(interaction), nobody],
    )?;
    beside(conn, interaction)?;
    Ok(taken)
}

/// Records of the tenant's own stream about this interaction.
fn erase_mentions(conn: &Connection, tenant: TenantId, interaction: InteractionId) -> Result<u64> {
    let key = stream_key(StreamId::Tenant(tenant));
    let sql = format!(
        "SELECT {RECORD_COLUMNS} FROM event WHERE stream = ?1 AND json_extract(body, '$.interaction') = ?2"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(params![&key[..], interaction.to_string()], record)
        .map_err(failed)?;
    let records: Vec<(u64, EventRecord)> =
        rows.collect::<rusqlite::Result<_>>().map_err(unreadable)?;
    let mut body = Vec::new();
    let mut changed = 0;
    for (cursor, mut record) in records {
        if record.event.erase() {
            encode(&record.event, &mut body)?;
            let text = std::str::from_utf8(&body).expect("invariant: JSON is UTF-8");
            run(
                conn,
                "UPDATE event SET body = ?2 WHERE cursor = ?1",
                params![cursor as i64, text],
            )?;
            changed += 1;
        }
    }
    Ok(changed)
}

pub(crate) fn remove_interaction(
    conn: &Connection,
    tenant: TenantId,
    interaction: InteractionId,
) -> Result<Taken> {
    check_over(conn, tenant, interaction)?;
    let key = stream_key(StreamId::Interaction(interaction));
    erase_mentions(conn, tenant, interaction)?;
    let records = run(conn, "DELETE FROM event WHERE stream = ?1", [&key[..]])?;
    let legs = run(
        conn,
        "DELETE FROM leg WHERE interaction = ?1",
        [blob(interaction)],
    )?;
    run(
        conn,
        "DELETE FROM recording WHERE interaction = ?1",
        [blob(interaction)],
    )?;
    run(
        conn,
        "DELETE FROM interaction WHERE tenant = ?1 AND id = ?2",
        params![blob(tenant), blob(interaction)],
    )?;
    beside(conn, interaction)?;
    Ok(Taken { records, legs })
}

/// What other tables have of an interaction.
fn beside(conn: &Connection, interaction: InteractionId) -> Result<()> {
    for sql in [
        "DELETE FROM proof WHERE interaction = ?1",
        "DELETE FROM ticket WHERE interaction = ?1",
        "DELETE FROM precall WHERE interaction = ?1",
        "DELETE FROM incentive_use WHERE interaction = ?1",
    ] {
        run(conn, sql, [blob(interaction)])?;
    }
    // What the customer's page asked for and told of itself.
    run(
        conn,
        "DELETE FROM contact WHERE json_extract(body, '$.interaction') = ?1",
        [interaction.to_string()],
    )
    .map(drop)
}

pub(crate) fn erase_persons(
    conn: &Connection,
    tenant: TenantId,
    persons: &[PersonId],
    identifiers: &[String],
) -> Result<u64> {
    let mut gone = 0;
    for person in persons {
        for sql in [
            "DELETE FROM credential WHERE tenant = ?1 AND person = ?2",
            "DELETE FROM proof WHERE tenant = ?1 AND person = ?2",
        ] {
            gone += run(conn, sql, params![blob(tenant), blob(*person)])?;
        }
        gone += run(
            conn,
            "DELETE FROM tries WHERE tenant = ?1 AND subject LIKE '%' || ?2 || '%'",
            params![blob(tenant), person.to_string()],
        )?;
    }
    for identifier in identifiers {
        for sql in [
            "DELETE FROM precall WHERE tenant = ?1 AND identifier = ?2",
            "DELETE FROM consent WHERE tenant = ?1 AND identifier = ?2",
            "DELETE FROM tries WHERE tenant = ?1 AND subject LIKE '%' || ?2 || '%'",
            // Callbacks, messages and numbers lent, of whom never a call came about too.
            "DELETE FROM contact WHERE tenant = ?1 AND instr(body, ?2) > 0",
            "DELETE FROM number_lease WHERE tenant = ?1 AND instr(body, ?2) > 0",
            "DELETE FROM forwarding WHERE tenant = ?1 AND number = ltrim(?2, '+')",
            "DELETE FROM caller_report WHERE tenant = ?1 AND number = ltrim(?2, '+')",
            // Answers kept for repetitions may name the person.
            "DELETE FROM idempotency WHERE tenant = ?1 AND instr(CAST(body AS TEXT), ?2) > 0",
        ] {
            gone += run(conn, sql, params![blob(tenant), identifier])?;
        }
    }
    Ok(gone)
}

fn run(conn: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<u64> {
    conn.prepare_cached(sql)
        .and_then(|mut s| s.execute(values))
        .map(|n| n as u64)
        .map_err(failed)
}

// --- consents

const CONSENT: &str =
    "SELECT id, tenant, identifier, what, how, interaction, given_at, recorded_by,
    withdrawn_at, withdrawn_how FROM consent";

fn consent(r: &Row<'_>) -> rusqlite::Result<Consent> {
    let withdrawn_at: Option<i64> = r.get(8)?;
    let how: Option<String> = r.get(9)?;
    Ok(Consent {
        id: id(r.get(0)?),
        tenant: id(r.get(1)?),
        identifier: Pii(r.get(2)?),
        what: r.get(3)?,
        how: r.get(4)?,
        interaction: r.get::<_, Option<[u8; 16]>>(5)?.map(id),
        given_at: time(r.get(6)?),
        recorded_by: r.get(7)?,
        withdrawn: withdrawn_at.map(|t| (time(t), how.unwrap_or_default())),
    })
}

pub(crate) fn consent_put(conn: &Connection, c: &Consent) -> Result<()> {
    run(
        conn,
        "INSERT INTO consent (id, tenant, identifier, what, how, interaction, given_at, recorded_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            blob(c.id), blob(c.tenant), c.identifier.expose(), c.what, c.how,
            c.interaction.map(blob), micros(c.given_at), c.recorded_by
        ],
    )
    .map(drop)
}

pub(crate) fn consents(
    conn: &Connection,
    tenant: TenantId,
    identifier: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Consent>> {
    let after = page_after::<ConsentId>(page)?;
    let sql = format!(
        "{CONSENT} WHERE tenant = ?1 AND (?2 IS NULL OR identifier = ?2) AND id > ?3 ORDER BY id LIMIT ?4"
    );
    let rows = page.rows();
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let found = statement
        .query_map(
            params![blob(tenant), identifier, after, rows as i64 + 1],
            consent,
        )
        .map_err(failed)?;
    let items = found
        .collect::<rusqlite::Result<Vec<_>>>()
        .map_err(failed)?;
    Ok(Page::cut(items, rows, |c| c.id.to_string()))
}

fn page_after<T: TypedId + std::str::FromStr>(page: &PageRequest) -> Result<Vec<u8>> {
    let Some(after) = &page.after else {
        return Ok(vec![]);
    };
    let wrong = StoreError::Invalid {
        field: "cursor",
        problem: "is not one that a page gave",
    };
    after
        .parse::<T>()
        .map(|i| blob(i).to_vec())
        .map_err(|_| wrong)
}

pub(crate) fn consent_withdraw(
    conn: &Connection,
    tenant: TenantId,
    of: ConsentId,
    at: Timestamp,
    how: &str,
) -> Result<Consent> {
    let found = conn
        .query_row(
            &format!("{CONSENT} WHERE tenant = ?1 AND id = ?2"),
            params![blob(tenant), blob(of)],
            consent,
        )
        .optional()
        .map_err(failed)?;
    let Some(mut row) = found else {
        return Err(StoreError::NotFound {
            kind: "consent",
            id: of.to_string(),
        });
    };
    if row.withdrawn.is_some() {
        return Err(StoreError::Invalid {
            field: "consent",
            problem: "was withdrawn before",
        });
    }
    run(
        conn,
        "UPDATE consent SET withdrawn_at = ?2, withdrawn_how = ?3 WHERE id = ?1",
        params![blob(of), micros(at), how],
    )?;
    row.withdrawn = Some((at, how.to_string()));
    Ok(row)
}

// --- jobs

const JOB: &str =
    "SELECT id, tenant, kind, state, requested, request, total, done, counts, certificate,
    created_at, finished_at FROM privacy_job";

fn job(r: &Row<'_>) -> rusqlite::Result<PrivacyJob> {
    Ok(PrivacyJob {
        id: id(r.get(0)?),
        tenant: id(r.get(1)?),
        kind: r.get(2)?,
        state: r.get(3)?,
        requested_by: r.get(4)?,
        request: Pii(r.get(5)?),
        total: r.get::<_, i64>(6)? as u64,
        done: r.get::<_, i64>(7)? as u64,
        counts: r.get(8)?,
        certificate: r.get(9)?,
        created_at: time(r.get(10)?),
        finished_at: r.get::<_, Option<i64>>(11)?.map(time),
    })
}

pub(crate) fn job_put(conn: &Connection, j: &PrivacyJob) -> Result<()> {
    run(
        conn,
        "INSERT INTO privacy_job (id, tenant, kind, state, requested, request, total, done, counts,
             certificate, created_at, finished_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (id) DO UPDATE SET state = ?4, request = ?6, total = ?7, done = ?8, counts = ?9,
             certificate = ?10, finished_at = ?12",
        params![
            blob(j.id), blob(j.tenant), j.kind, j.state, j.requested_by, j.request.expose(), j.total as i64,
            j.done as i64, j.counts, j.certificate, micros(j.created_at), j.finished_at.map(micros)
        ],
    )
    .map(drop)
}

pub(crate) fn jobs(
    conn: &Connection,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<PrivacyJob>> {
    let after = page_after::<PrivacyJobId>(page)?;
    let rows = page.rows();
    let sql = format!("{JOB} WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let found = statement
        .query_map(params![blob(tenant), after, rows as i64 + 1], job)
        .map_err(failed)?;
    let items = found
        .collect::<rusqlite::Result<Vec<_>>>()
        .map_err(failed)?;
    Ok(Page::cut(items, rows, |j| j.id.to_string()))
}

pub(crate) fn job_of(conn: &Connection, tenant: TenantId, of: PrivacyJobId) -> Result<PrivacyJob> {
    conn.query_row(
        &format!("{JOB} WHERE tenant = ?1 AND id = ?2"),
        params![blob(tenant), blob(of)],
        job,
    )
    .optional()
    .map_err(failed)?
    .ok_or_else(|| StoreError::NotFound {
        kind: "privacy_job",
        id: of.to_string(),
    })
}

pub(crate) fn jobs_open(conn: &Connection, limit: usize) -> Result<Vec<PrivacyJob>> {
    let sql = format!("{JOB} WHERE finished_at IS NULL ORDER BY id LIMIT ?1");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let found = statement.query_map([limit as i64], job).map_err(failed)?;
    found.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)
}
