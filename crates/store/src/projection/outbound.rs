//! What the tenant's own stream tells: what outgoing calls cost by day, and which files are gone.

use super::run;
use crate::error::Result;
use crate::log::codec::blob;
use crate::sqlite::connect::failed;
use cp_vocab::*;
use rusqlite::{Connection, params};

/// Days a tenant's spending is read back for: the day and month that limits are of.
const DAYS_READ_MAX: i64 = 62;

pub(super) fn apply(conn: &Connection, record: &EventRecord) -> Result<()> {
    if let Event::RecordingDeleted { recording, .. } = &record.event {
        return run(
            conn,
            "UPDATE recording SET error = 'deleted' WHERE id = ?1 AND tenant = ?2",
            params![blob(*recording), blob(record.tenant)],
        );
    }
    let Event::OutboundCharged {
        seconds,
        micros,
        day,
        ..
    } = &record.event
    else {
        return Ok(());
    };
    run(
        conn,
        "INSERT INTO outbound_spend (tenant, day, calls, seconds, micros) VALUES (?1, ?2, 1, ?3, ?4)
         ON CONFLICT (tenant, day) DO UPDATE SET
             calls = calls + 1, seconds = seconds + ?3, micros = min(micros + ?4, 9000000000000000000)",
        params![
            blob(record.tenant),
            *day,
            (*seconds).min(i64::MAX as u64) as i64,
            (*micros).min(1_000_000_000_000_000_000) as i64
        ],
    )
}

/// Spent per tenant and day, oldest first.
pub(crate) fn spent(conn: &Connection, tenant: TenantId) -> Result<Vec<(u32, u64)>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT day, micros FROM
                 (SELECT * FROM outbound_spend WHERE tenant = ?1 ORDER BY day DESC LIMIT ?2)
             ORDER BY day",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![blob(tenant), DAYS_READ_MAX], |r| {
            Ok((r.get::<_, i64>(0)? as u32, r.get::<_, i64>(1)? as u64))
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}
