//! Counters of queues per quarter of an hour.

use super::{Watch, run};
use crate::error::Result;
use crate::log::codec::blob;
use cp_vocab::event::QueueExit;
use cp_vocab::*;
use rusqlite::{Connection, params};

/// Length of an interval.
pub(super) const QUARTER_US: u64 = 15 * 60 * 1_000_000;

pub(super) fn apply(conn: &Connection, watch: &Watch, record: &EventRecord) -> Result<()> {
    let quarter = (record.at.as_micros() / QUARTER_US) as i64;
    match &record.event {
        Event::Queued { queue, .. } => run(
            conn,
            "INSERT INTO queue_interval (tenant, queue, quarter, entered) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (tenant, quarter, queue) DO UPDATE SET entered = entered + 1",
            params![blob(record.tenant), blob(*queue), quarter],
        ),
        Event::Dequeued {
            queue,
            exit,
            waited_ms,
        } => {
            let level = watch.service_level_ms.get(queue).copied().unwrap_or(0);
            let one = |is: bool| i64::from(is);
            let waited = *waited_ms as i64;
            let answered = *exit == QueueExit::Answered;
            let abandoned = *exit == QueueExit::Abandoned;
            run(
                conn,
                "INSERT INTO queue_interval (tenant, queue, quarter, answered, abandoned,
                     overflowed, timed_out, transferred, released, in_service_level,
                     answered_wait_ms, abandoned_wait_ms, wait_ms_max)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                 ON CONFLICT (tenant, quarter, queue) DO UPDATE SET
                     answered = answered + ?4, abandoned = abandoned + ?5,
                     overflowed = overflowed + ?6, timed_out = timed_out + ?7,
                     transferred = transferred + ?8, released = released + ?9,
                     in_service_level = in_service_level + ?10,
                     answered_wait_ms = answered_wait_ms + ?11,
                     abandoned_wait_ms = abandoned_wait_ms + ?12,
                     wait_ms_max = max(wait_ms_max, ?13)",
                params![
                    blob(record.tenant),
                    blob(*queue),
                    quarter,
                    one(answered),
                    one(abandoned),
                    one(*exit == QueueExit::Overflowed),
                    one(*exit == QueueExit::TimedOut),
                    one(*exit == QueueExit::Transferred),
                    one(*exit == QueueExit::Released),
                    one(answered && *waited_ms <= level),
                    if answered { waited } else { 0 },
                    if abandoned { waited } else { 0 },
                    waited,
                ],
            )
        }
        _ => Ok(()),
    }
}
