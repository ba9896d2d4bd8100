//! How often numbers forward: one row per number, so that a restart need not learn it again (S1.2).

use super::{at, run};
use crate::error::Result;
use crate::log::codec::{blob, id};
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, params};

/// Numbers that are read back, those called last first; what is beyond is learned anew.
const NUMBERS_READ_MAX: i64 = 100_000;

/// What is known of one number's forwarding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardingRow {
    pub tenant: TenantId,
    /// Canonical, without a plus.
    pub number: String,
    /// One character per call of the last hundred, newest first; `1` was forwarded.
    pub calls: String,
    pub kept: u64,
    pub hits: u64,
    pub misses: u64,
}

/// The newest call that is not marked yet was forwarded.
const MARK: &str = "calls = CASE instr(calls, '0') WHEN 0 THEN calls
    ELSE substr(calls, 1, instr(calls, '0') - 1) || '1' || substr(calls, instr(calls, '0') + 1) END";

pub(super) fn apply(conn: &Connection, record: &EventRecord) -> Result<()> {
    let Event::IdentityStepTaken {
        step,
        detail,
        number: Some(number),
        ..
    } = &record.event
    else {
        return Ok(());
    };
    // What erasure left of it is no number.
    let number = number.expose();
    if number.is_empty() {
        return Ok(());
    }
    let (calls, change, by) = match step.as_str() {
        "kept" => (
            "0",
            "calls = substr('0' || calls, 1, 100), kept = kept + ?4".to_string(),
            u8::from(detail == "stored"),
        ),
        "matched" => ("", format!("{MARK}, hits = hits + ?4"), 1),
        "not_attached" => ("", format!("{MARK}, misses = misses + ?4"), 1),
        // Sent on before the device was reached: the call counts here.
        "forwarded" if matches!(detail.as_str(), "unconditional" | "unavailable") => (
            "1",
            "calls = substr('1' || calls, 1, 100), hits = hits + ?4".to_string(),
            0,
        ),
        "forwarded" => ("", format!("{MARK}, hits = hits + ?4"), 0),
        _ => return Ok(()),
    };
    let counted = |word: &str| if step == word { by } else { 0 };
    run(
        conn,
        &format!(
            "INSERT INTO forwarding (tenant, number, calls, kept, hits, misses, used)
             VALUES (?1, ?2, ?3, ?5, ?6, ?7, ?8)
             ON CONFLICT (tenant, number) DO UPDATE SET {change}, used = ?8"
        ),
        params![
            blob(record.tenant),
            number,
            calls,
            by,
            counted("kept"),
            counted("matched"),
            counted("not_attached"),
            at(record)
        ],
    )
}

/// Rows of all tenants, those called last first.
pub(crate) fn all(conn: &Connection) -> Result<Vec<ForwardingRow>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT tenant, number, calls, kept, hits, misses FROM forwarding
             ORDER BY used DESC LIMIT ?1",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![NUMBERS_READ_MAX], |r| {
            Ok(ForwardingRow {
                tenant: id(r.get(0)?),
                number: r.get(1)?,
                calls: r.get(2)?,
                kept: r.get::<_, i64>(3)? as u64,
                hits: r.get::<_, i64>(4)? as u64,
                misses: r.get::<_, i64>(5)? as u64,
            })
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}
