//! Rows derived from the log for lists, searches and restarts, written in the same transaction as
//! the records they come from. They can be dropped and built again at any time.
//!
//! Only the kinds that change a row cost a statement; there is no read on the way.

mod call;
pub(crate) mod forwarding;
pub(crate) mod outbound;
mod people;
mod queue;
pub(crate) mod read;
mod rebuild;
pub(crate) mod reports;
mod rows;

pub use forwarding::ForwardingRow;
pub(crate) use rebuild::rebuild;
pub use reports::ReportRow;
pub use rows::*;

use crate::config::{ConfigKind, Webhook};
use crate::error::Result;
use crate::log::codec::{blob, micros};
use crate::sqlite::connect::failed;
use cp_vocab::model::Queue;
use cp_vocab::*;
use rusqlite::{Connection, Params};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;

/// The configuration the projections look at, kept in memory by the writer.
#[derive(Default)]
pub(crate) struct Watch {
    webhooks: FxHashMap<TenantId, Vec<Webhook>>,
    service_level_ms: FxHashMap<QueueId, u64>,
}

impl Watch {
    pub(crate) fn load(conn: &Connection) -> Result<Self> {
        let mut watch = Self::default();
        for hook in bodies::<Webhook>(conn, ConfigKind::Webhook)? {
            if !hook.disabled {
                watch.webhooks.entry(hook.tenant).or_default().push(hook);
            }
        }
        for queue in bodies::<Queue>(conn, ConfigKind::Queue)? {
            watch
                .service_level_ms
                .insert(queue.id, queue.service_level_ms);
        }
        Ok(watch)
    }
}

fn bodies<T: DeserializeOwned>(conn: &Connection, kind: ConfigKind) -> Result<Vec<T>> {
    crate::config::read::bodies(conn, kind)
}

/// Brings all projections up to date with a record just inserted at `cursor`, and queues what
/// must be sent because of it.
pub(crate) fn apply(
    conn: &Connection,
    watch: &Watch,
    record: &EventRecord,
    cursor: u64,
) -> Result<()> {
    project(conn, watch, record)?;
    let Some(webhooks) = watch.webhooks.get(&record.tenant) else {
        return Ok(());
    };
    let kind = record.event.kind();
    for webhook in webhooks.iter().filter(|w| w.wants(kind)) {
        crate::outbox::sqlite::enqueue(conn, record, cursor, webhook.id)?;
    }
    Ok(())
}

/// The part that a rebuild repeats.
fn project(conn: &Connection, watch: &Watch, record: &EventRecord) -> Result<()> {
    match record.stream {
        StreamId::Interaction(interaction) => {
            call::apply(conn, record, interaction)?;
            forwarding::apply(conn, record)?;
            reports::apply(conn, record)?;
            queue::apply(conn, watch, record)
        }
        StreamId::Agent(_) | StreamId::Phone(_) | StreamId::Trunk(_) => people::apply(conn, record),
        StreamId::Tenant(_) => outbound::apply(conn, record),
    }
}

/// Runs a statement that is kept prepared.
fn run(conn: &Connection, sql: &str, params: impl Params) -> Result<()> {
    conn.prepare_cached(sql)
        .and_then(|mut s| s.execute(params))
        .map(|_| ())
        .map_err(failed)
}

/// An id that may be missing, as a column.
fn maybe<T: id::TypedId>(id: Option<T>) -> Option<[u8; 16]> {
    id.map(blob)
}

/// A value as JSON in a column.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("invariant: rows hold no maps with other keys than text")
}

/// The word of a unit-only enum, without quotes.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn at(record: &EventRecord) -> i64 {
    micros(record.at)
}
