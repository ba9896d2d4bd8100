use crate::error::Result;
use crate::log::codec::{blob, micros, time};
use crate::sqlite::connect::failed;
use cp_vocab::proof::Tries;
use cp_vocab::*;
use rusqlite::{Connection, OptionalExtension, params};

/// Subjects that failed longer ago than this are forgotten, in days.
const FORGET_DAYS: u64 = 7;

pub(crate) fn change(
    conn: &Connection,
    tenant: TenantId,
    subject: &str,
    now: Timestamp,
    change: fn(Tries, Timestamp) -> Tries,
) -> Result<(Tries, Tries)> {
    let before = conn
        .prepare_cached(
            "SELECT failures, last_at, day, day_failures FROM tries
             WHERE tenant = ?1 AND subject = ?2",
        )
        .and_then(|mut s| {
            s.query_row(params![blob(tenant), subject], |r| {
                Ok(Tries {
                    failures: r.get(0)?,
                    last: time(r.get(1)?),
                    day: r.get(2)?,
                    day_failures: r.get(3)?,
                })
            })
            .optional()
        })
        .map_err(failed)?
        .unwrap_or_default();
    let after = change(before, now);
    if after == Tries::default() {
        let key = params![blob(tenant), subject];
        conn.execute("DELETE FROM tries WHERE tenant = ?1 AND subject = ?2", key)
            .map_err(failed)?;
    } else if after != before {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO tries (tenant, subject, failures, last_at, day, day_failures)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut s| {
            s.execute(params![
                blob(tenant),
                subject,
                after.failures,
                micros(after.last),
                after.day,
                after.day_failures
            ])
        })
        .map_err(failed)?;
    }
    Ok((before, after))
}

pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    let old = Timestamp(now.0.saturating_sub(FORGET_DAYS * 86_400 * 1_000_000));
    conn.execute("DELETE FROM tries WHERE last_at < ?1", [micros(old)])
        .map(|_| ())
        .map_err(failed)
}
