//! Moving the write-ahead log into the database file without making commits wait: a thread of its
//! own copies the bulk while the writer goes on, the writer finishes the small rest so that the
//! log starts over.

use super::connect::failed;
use super::options::Options;
use crate::error::Result;
use crate::log::shared::{Counts, Shared};
use rusqlite::Connection;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, atomic::AtomicBool};
use std::thread::JoinHandle;

/// The writer looks at the log's size every so many commits, and at each once the log is long.
const LOOK_EVERY_COMMITS: u32 = 16;
/// Pages not yet copied that make a checkpoint worth its syncs (16 MiB).
const COPY_PAGES_MIN: u64 = 4_096;
/// Pages in the log from which the writer finishes a checkpoint itself (128 MiB), if little is left …
const FINISH_PAGES: u64 = 32_768;
/// … or, from here on (1 GiB), however much is left: commits wait, the disk does not run full.
const FINISH_PAGES_HARD: u64 = 262_144;
/// Little: pages the writer copies between two commits.
const REST_PAGES_MAX: u64 = 1_024;

/// State of the write-ahead log.
#[derive(Clone, Copy)]
struct Backlog {
    pages: u64,
    left: u64,
}

fn checkpoint(conn: &Connection, mode: &str) -> Result<Backlog> {
    conn.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))
        .and_then(|mut s| {
            s.query_row([], |r| {
                // -1 when there is no log yet.
                let pages: i64 = r.get(1)?;
                let copied: i64 = r.get(2)?;
                Ok(Backlog {
                    pages: pages.max(0) as u64,
                    left: (pages - copied).max(0) as u64,
                })
            })
        })
        .map_err(failed)
}

/// The writer's side.
pub(crate) struct Wal {
    commits: u32,
    copier: Copier,
}

/// The copying thread, stopped when dropped.
struct Copier {
    wake: Option<SyncSender<()>>,
    busy: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wal {
    /// Starts the copying thread.
    pub(crate) fn start(options: &Options, shared: &Arc<Shared>) -> Result<Self> {
        let conn = super::connect::writer(options)?;
        // One wake-up waiting is enough.
        let (wake, woken) = sync_channel(1);
        let busy = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("store-copy".into())
            .spawn({
                let (shared, busy) = (Arc::clone(shared), Arc::clone(&busy));
                move || copy(&conn, &woken, &busy, &shared.counts)
            })
            .map_err(|e| crate::error::StoreError::Open {
                path: options.path.clone(),
                detail: e.to_string(),
            })?;
        Ok(Self {
            commits: 0,
            copier: Copier {
                wake: Some(wake),
                busy,
                thread: Some(thread),
            },
        })
    }

    /// Looks after the log's size now and then.
    pub(crate) fn after_commit(&mut self, conn: &Connection, counts: &Counts) {
        self.commits += 1;
        let long = counts.wal_pages.load(Relaxed) >= FINISH_PAGES;
        if self.commits < LOOK_EVERY_COMMITS && !long {
            return;
        }
        self.commits = 0;
        let backlog = match checkpoint(conn, "NOOP") {
            Ok(backlog) => backlog,
            Err(e) => {
                tracing::warn!(error = %e, "cannot look at the write-ahead log");
                return;
            }
        };
        counts.wal_pages.store(backlog.pages, Relaxed);
        let copying = self.copier.busy.load(Relaxed);
        let finish = backlog.pages >= FINISH_PAGES
            && (!copying && backlog.left <= REST_PAGES_MAX && backlog.left > 0);
        if finish || backlog.pages >= FINISH_PAGES_HARD {
            if let Err(e) = checkpoint(conn, "PASSIVE") {
                tracing::warn!(error = %e, "cannot finish a checkpoint");
            }
        } else if backlog.left >= COPY_PAGES_MIN && !copying {
            self.copier.wake();
        }
    }

    /// At the end: everything into the database file.
    pub(crate) fn finish(&mut self, conn: &Connection) {
        self.copier.stop();
        if let Err(e) = checkpoint(conn, "TRUNCATE") {
            tracing::warn!(error = %e, "the write-ahead log stays; it is read at the next start");
        }
    }
}

impl Copier {
    fn wake(&self) {
        if let Some(wake) = &self.wake {
            match wake.try_send(()) {
                Ok(()) | Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => {
                    tracing::error!("the checkpoint thread is gone");
                }
            }
        }
    }

    fn stop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.stop();
    }
}

fn copy(conn: &Connection, woken: &Receiver<()>, busy: &AtomicBool, counts: &Counts) {
    while woken.recv().is_ok() {
        busy.store(true, Relaxed);
        // What came while the bulk was copied is copied too, so that little is left for the writer.
        for _ in 0..2 {
            match checkpoint(conn, "PASSIVE") {
                Ok(_) => {
                    counts.checkpoints.fetch_add(1, Relaxed);
                }
                Err(e) => {
                    tracing::warn!(error = %e, "cannot copy the write-ahead log");
                    break;
                }
            }
        }
        busy.store(false, Relaxed);
    }
}
