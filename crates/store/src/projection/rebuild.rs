//! Building the projections again from the log.

use super::{Watch, project};
use crate::error::Result;
use crate::log::read;
use crate::sqlite::connect::failed;
use rusqlite::Connection;

/// What is derived; the outbox is not, since what was sent is not to be sent again.
pub(crate) const TABLES: &[&str] = &[
    "interaction",
    "leg",
    "recording",
    "agent_state",
    "registration",
    "trunk_state",
    "queue_interval",
    "outbound_spend",
    "forwarding",
    "caller_report",
];

/// Records read at a time.
const STEP: usize = 5_000;

/// Empties the projections and applies the whole log to them, inside the caller's transaction.
pub(crate) fn rebuild(conn: &Connection, watch: &Watch) -> Result<()> {
    for table in TABLES {
        conn.execute(&format!("DELETE FROM {table}"), [])
            .map_err(failed)?;
    }
    let mut cursor = 0;
    loop {
        let records = read::follow(conn, cursor, STEP)?;
        let Some((last, _)) = records.last() else {
            return Ok(());
        };
        cursor = *last;
        for (_, record) in &records {
            project(conn, watch, record)?;
        }
    }
}
