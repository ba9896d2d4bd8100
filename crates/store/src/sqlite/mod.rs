//! The store on SQLite, inside the binary: one writer thread, a copying thread, a few readers.

pub(crate) mod checkpoint;
pub(crate) mod connect;
mod lock;
mod options;
mod readers;
pub(crate) mod sealed;
mod serve;
mod serve_privacy;
mod serve_proof;

pub use options::{Durability, Options};

use crate::audit::sqlite as audit;
use crate::auth::idempotency;
use crate::config::snapshot;
use crate::error::{Result, StoreError};
use crate::log::queue::Job;
use crate::log::records::{self, Records};
use crate::log::shared::Shared;
use crate::log::writer::{EditJob, Tx, Writer};
use crate::migrate::{PROJECTION_VERSION, meta, migrate, set_meta};
use crate::projection::{self, Watch};
use crate::vault::Vault;
use checkpoint::Wal;
use connect::failed;
use lock::ProcessLock;
use readers::Readers;
use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

const PROJECTIONS: &str = "projection_version";

/// A [`crate::Store`] on one SQLite database file. Closed when dropped.
pub struct SqliteStore {
    shared: Arc<Shared>,
    pub(crate) readers: Readers,
    snapshot: snapshot::Cache,
    writer: Mutex<Option<JoinHandle<()>>>,
    vault: Option<Arc<Vault>>,
    _lock: ProcessLock,
}

impl SqliteStore {
    /// Opens the database, makes it when missing, migrates it when older, builds the projections
    /// again when this release computes them otherwise, and starts the writer.
    ///
    /// # Errors
    /// `InUseByProcess`, `Newer`, `Foreign`, `Corrupt`, `ReadOnly`, `Full`, or `Open`.
    pub fn open(options: &Options) -> Result<Self> {
        let path = options.path.as_path();
        let opening = |detail: String| StoreError::Open {
            path: path.into(),
            detail,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| opening(e.to_string()))?;
        }
        let lock = ProcessLock::take(path)?;
        let mut conn = connect::writer(options)?;
        migrate(&mut conn, path)?;
        sealed::prepare(&conn, path, options.vault.as_ref())?;
        let (records, watch) = prepare(&mut conn)?;
        let shared = Arc::new(Shared::new(options.size_max));
        let wal = Wal::start(options, &shared)?;
        let readers = Readers::open(path, options.readers, options.vault.as_ref())?;
        let writer = Writer::new(
            Arc::clone(&shared),
            conn,
            records,
            watch,
            wal,
            options.vault.clone(),
        );
        let thread = std::thread::Builder::new()
            .name("store-write".into())
            .spawn(move || writer.run())
            .map_err(|e| opening(e.to_string()))?;
        Ok(Self {
            shared,
            readers,
            snapshot: snapshot::Cache::default(),
            writer: Mutex::new(Some(thread)),
            vault: options.vault.clone(),
            _lock: lock,
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        self.readers.path()
    }

    /// Changes how large the database may grow; at the limit it counts as full until this is
    /// raised. `None`: to the disk's end.
    pub fn set_size_max(&self, bytes: Option<u64>) {
        self.shared.set_size_max(bytes);
    }

    /// Runs `f` in the writer's next transaction and waits for the commit.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        let job = Waited {
            f: Some(f),
            value: None,
            answer,
        };
        self.shared
            .queue
            .push(Job::Edit(Box::new(job)))
            .map_err(|(_, e)| e)?;
        // A dropped job means that the writer is gone.
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Seals everything with the first key of the vault again and marks the audit chains with it;
    /// says how many bodies were sealed anew. Blocks the writer meanwhile.
    ///
    /// # Errors
    /// `Invalid` for a store without a vault.
    pub fn rotate_secrets(&self) -> Result<u64> {
        let vault = self.vault.clone().ok_or(StoreError::Invalid {
            field: "secrets",
            problem: "have no key",
        })?;
        self.write(move |tx| {
            audit::mark_again(tx.conn, &vault)?;
            sealed::rotate(tx.conn, &vault)
        })
    }

    /// How many bodies each key sealed; those that lie open are under an empty id.
    ///
    /// # Errors
    /// An outage.
    pub fn secrets_census(&self) -> Result<std::collections::BTreeMap<String, u64>> {
        self.readers.with(sealed::census)
    }

    fn stop(&self) {
        self.shared.queue.close();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Brings what is derived and what died with the last process in order.
fn prepare(conn: &mut Connection) -> Result<(Records, Watch)> {
    let tx = conn.transaction().map_err(failed)?;
    let records = Records::open(&tx)?;
    idempotency::drop_unfinished(&tx)?;
    let watch = Watch::load(&tx)?;
    if meta(&tx, PROJECTIONS)? < PROJECTION_VERSION {
        let head = records::head(&tx)?;
        if head > 0 {
            tracing::info!(records = head, "building the projections again");
            projection::rebuild(&tx, &watch)?;
        }
        set_meta(&tx, PROJECTIONS, PROJECTION_VERSION)?;
    }
    tx.commit().map_err(failed)?;
    Ok((records, watch))
}

/// An edit whose caller waits.
struct Waited<F, T> {
    f: Option<F>,
    value: Option<T>,
    answer: SyncSender<Result<T>>,
}

impl<F, T> EditJob for Waited<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let f = self.f.take().expect("invariant: an edit runs once");
        self.value = Some(f(tx)?);
        Ok(())
    }

    fn settle(self: Box<Self>, outcome: Result<()>) {
        let Self { value, answer, .. } = *self;
        // The caller may have gone.
        let _ = answer.send(outcome.and_then(|()| value.ok_or(StoreError::Closed)));
    }
}
