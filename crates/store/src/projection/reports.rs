//! Callers that people reported: one row per number and tenant, so that a restart knows them (S3.1).

use super::{at, run};
use crate::error::Result;
use crate::log::codec::{blob, id};
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, params};

/// Rows that are read back, the newest; older ones are forgotten at a start.
const ROWS_READ_MAX: i64 = 50_000;

/// The latest report of a number by a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportRow {
    /// Canonical.
    pub number: String,
    pub tenant: TenantId,
    pub proven: bool,
    pub at: Timestamp,
}

pub(super) fn apply(conn: &Connection, record: &EventRecord) -> Result<()> {
    let Event::CallerReported { number, proven, .. } = &record.event else {
        return Ok(());
    };
    // What erasure left of it is no number.
    if number.expose().is_empty() {
        return Ok(());
    }
    run(
        conn,
        "INSERT INTO caller_report (number, tenant, proven, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (number, tenant, proven) DO UPDATE SET at = max(at, ?4)",
        params![number.expose(), blob(record.tenant), proven, at(record)],
    )
}

/// Rows of all tenants, the oldest of the newest first.
pub(crate) fn all(conn: &Connection) -> Result<Vec<ReportRow>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT number, tenant, proven, at FROM
             (SELECT * FROM caller_report ORDER BY at DESC LIMIT ?1) ORDER BY at",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![ROWS_READ_MAX], |r| {
            Ok(ReportRow {
                number: r.get(0)?,
                tenant: id(r.get(1)?),
                proven: r.get(2)?,
                at: Timestamp(r.get::<_, i64>(3)? as u64),
            })
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}
