//! One process per database: a lock on a file beside it, which dies with its holder.

use crate::error::{Result, StoreError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held while the database is open.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    _file: File,
}

impl ProcessLock {
    /// Takes the lock beside `database`.
    ///
    /// # Errors
    /// `InUseByProcess` names the holder; `Open` when the lock file cannot be made.
    pub(crate) fn take(database: &Path) -> Result<Self> {
        let path = beside(database);
        let open = |e: std::io::Error| StoreError::Open {
            path: path.clone(),
            detail: e.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(open)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder's number is a courtesy; without it the lock still holds.
                let _ = file.read_to_string(&mut text);
                let holder = match text.trim() {
                    "" => "another process".to_string(),
                    pid => format!("process {pid}"),
                };
                return Err(StoreError::InUseByProcess {
                    path: database.into(),
                    holder,
                });
            }
            Err(TryLockError::Error(e)) => return Err(open(e)),
        }
        file.set_len(0).map_err(open)?;
        file.rewind().map_err(open)?;
        writeln!(file, "{}", std::process::id()).map_err(open)?;
        Ok(Self { _file: file })
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
