//! A small pool of connections that read. Each read sees the database as of its begin.

use super::connect;
use crate::error::Result;
use crate::vault::Vault;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Readers {
    pub(crate) fn open(path: &Path, count: usize, vault: Option<&Arc<Vault>>) -> Result<Self> {
        let idle = (0..count.max(1))
            .map(|_| connect::reader(path, vault))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            path: path.into(),
            idle: Mutex::new(idle),
            returned: Condvar::new(),
        })
    }

    /// Runs `f` with a connection, after waiting for one if all are busy.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let lease = self.lease();
        f(lease.conn.as_ref().expect("a lease holds its connection"))
    }

    /// Runs `f` so that all its statements see one state of the database.
    pub(crate) fn consistent<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.with(|conn| {
            let tx = conn.unchecked_transaction().map_err(connect::failed)?;
            f(&tx)
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn lease(&self) -> Lease<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(conn) = idle.pop() {
                return Lease {
                    pool: self,
                    conn: Some(conn),
                };
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Gives the connection back, also when the reader panics.
struct Lease<'a> {
    pool: &'a Readers,
    conn: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(conn);
            self.pool.returned.notify_one();
        }
    }
}
