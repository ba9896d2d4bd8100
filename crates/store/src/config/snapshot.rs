//! The snapshot the engine works from, read once per change.

use super::edit::SNAPSHOT_VERSION;
use super::read::bodies;
use super::row::ConfigKind;
use crate::error::Result;
use crate::migrate::meta;
use cp_vocab::TenantId;
use cp_vocab::model::{Snapshot, Tenant};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the last snapshot with the number of changes it was read after.
#[derive(Default)]
pub(crate) struct Cache {
    last: Mutex<Option<(u64, Arc<Snapshot>)>>,
}

impl Cache {
    /// The snapshot after `changes`, read by `read` if the last one is older.
    pub(crate) fn get(
        &self,
        changes: u64,
        read: impl FnOnce() -> Result<Snapshot>,
    ) -> Result<Arc<Snapshot>> {
        // Held while reading, so that a crowd reads once.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, snapshot)) = &*last
            && *at >= changes
        {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = Arc::new(read()?);
        *last = Some((changes, Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

/// Reads the snapshot; `conn` must be in a read transaction.
pub(crate) fn read(conn: &Connection) -> Result<Snapshot> {
    let tenants: Vec<Tenant> = bodies(conn, ConfigKind::Tenant)?;
    let suspended: Vec<TenantId> = tenants
        .iter()
        .filter(|t| t.suspended)
        .map(|t| t.id)
        .collect();
    let mut snapshot = Snapshot {
        version: meta(conn, SNAPSHOT_VERSION)?,
        tenants,
        numbers: bodies(conn, ConfigKind::Number)?,
        phones: bodies(conn, ConfigKind::Phone)?,
        trunks: bodies(conn, ConfigKind::Trunk)?,
        skills: bodies(conn, ConfigKind::Skill)?,
        agents: bodies(conn, ConfigKind::Agent)?,
        queues: bodies(conn, ConfigKind::Queue)?,
        conferences: bodies(conn, ConfigKind::Conference)?,
        wrap_up_codes: bodies(conn, ConfigKind::WrapUpCode)?,
        schedules: bodies(conn, ConfigKind::Schedule)?,
        certificates: bodies(conn, ConfigKind::IdentityCertificate)?,
        brands: bodies(conn, ConfigKind::Brand)?,
        pictures: bodies(conn, ConfigKind::Picture)?,
    };
    // What of a suspended tenant could take or place a call is not there for the engine.
    let live = |tenant: TenantId| !suspended.contains(&tenant);
    snapshot.numbers.retain(|r| live(r.tenant));
    snapshot.phones.retain(|r| live(r.tenant));
    snapshot.trunks.retain(|r| live(r.tenant));
    snapshot.agents.retain(|r| live(r.tenant));
    Ok(snapshot)
}
