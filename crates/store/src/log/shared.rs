//! What the writer's thread and everybody else both see.

use super::queue::Queue;
use super::{CommitCallback, CommitOutcome, HealthCallback};
use crate::error::{Health, Result};
use crate::projection::Figures;
use crate::sqlite::connect::failed;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) counts: Counts,
    health: Mutex<Health>,
    on_commit: Mutex<Option<Arc<CommitCallback>>>,
    on_health: Mutex<Option<Arc<HealthCallback>>>,
    /// Raised with each change of the configuration, so that readers know theirs is old.
    snapshot_changes: AtomicU64,
    /// Bytes the database may have; `u64::MAX`: no limit.
    size_max: AtomicU64,
    size_max_changed: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(size_max: Option<u64>) -> Self {
        Self {
            queue: Queue::default(),
            counts: Counts::default(),
            health: Mutex::new(Health::Ok),
            on_commit: Mutex::new(None),
            on_health: Mutex::new(None),
            snapshot_changes: AtomicU64::new(0),
            size_max: AtomicU64::new(size_max.unwrap_or(u64::MAX)),
            size_max_changed: AtomicBool::new(size_max.is_some()),
        }
    }

    pub(crate) fn on_commit(&self, callback: CommitCallback) {
        *lock(&self.on_commit) = Some(Arc::new(callback));
    }

    pub(crate) fn on_health(&self, callback: HealthCallback) {
        *lock(&self.on_health) = Some(Arc::new(callback));
    }

    pub(crate) fn committed(&self, outcome: CommitOutcome) {
        let callback = lock(&self.on_commit).clone();
        if let Some(callback) = callback {
            guarded(|| callback(outcome));
        }
    }

    pub(crate) fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    pub(crate) fn set_health(&self, health: Health) {
        let was = std::mem::replace(&mut *lock(&self.health), health.clone());
        match (&was, &health) {
            (Health::Ok, Health::Failing { error, .. }) => {
                tracing::error!(code = error.code(), %error, "the log cannot be written");
            }
            (Health::Failing { attempts, .. }, Health::Ok) => {
                tracing::info!(attempts, "the log can be written again");
            }
            _ => {}
        }
        // Another failed attempt is no change.
        if std::mem::discriminant(&was) == std::mem::discriminant(&health) {
            return;
        }
        let callback = lock(&self.on_health).clone();
        if let Some(callback) = callback {
            guarded(|| callback(&health));
        }
    }

    pub(crate) fn snapshot_changed(&self) {
        self.snapshot_changes.fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot_changes(&self) -> u64 {
        self.snapshot_changes.load(Relaxed)
    }

    pub(crate) fn set_size_max(&self, bytes: Option<u64>) {
        self.size_max.store(bytes.unwrap_or(u64::MAX), Relaxed);
        self.size_max_changed.store(true, Relaxed);
    }

    /// Gives the connection the size limit if that has changed.
    pub(crate) fn set_page_limit(&self, conn: &Connection) -> Result<()> {
        if !self.size_max_changed.swap(false, Relaxed) {
            return Ok(());
        }
        let page: i64 = conn
            .pragma_query_value(None, "page_size", |r| r.get(0))
            .map_err(failed)?;
        let pages = self.size_max.load(Relaxed) / page.max(1) as u64;
        // SQLite lowers what is too large to its own maximum.
        let pages = pages.clamp(1, 4_294_967_294) as i64;
        conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(failed)
    }
}

/// A callback that panics must not take the log with it.
fn guarded(call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!("a callback of the log panicked");
    }
}

/// Counts for metrics.
#[derive(Default)]
pub(crate) struct Counts {
    records: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    commit_us_total: AtomicU64,
    commit_us_max: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) wal_pages: AtomicU64,
}

impl Counts {
    pub(crate) fn committed(&self, records: u64, took: Duration) {
        let us = took.as_micros() as u64;
        self.records.fetch_add(records, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.commit_us_total.fetch_add(us, Relaxed);
        self.commit_us_max.fetch_max(us, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn figures(&self, queued: usize) -> Figures {
        Figures {
            records: self.records.load(Relaxed),
            commits: self.commits.load(Relaxed),
            commit_failures: self.failures.load(Relaxed),
            batches_refused: self.refused.load(Relaxed),
            queued: queued as u64,
            commit_us_total: self.commit_us_total.load(Relaxed),
            commit_us_max: self.commit_us_max.load(Relaxed),
            checkpoints: self.checkpoints.load(Relaxed),
            wal_pages: self.wal_pages.load(Relaxed),
        }
    }
}
