//! How a database is opened.

use crate::vault::Vault;
use std::path::PathBuf;
use std::sync::Arc;

/// What a commit survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Power loss: every commit is synced to the disk before it is reported.
    #[default]
    Full,
    /// A crash of the process. After a power loss the database is sound but the last commits may
    /// be missing.
    Os,
    /// For measurement: a power loss may damage the database.
    Off,
}

/// Where the database is and what it may use.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// The database file; its folder is made when missing, `-wal`, `-shm` and `.lock` stand beside.
    pub path: PathBuf,
    pub durability: Durability,
    /// Connections for reading; a reader beyond waits for one. At least 1.
    pub readers: usize,
    /// The database may grow to this many bytes, then it counts as full. `None`: to the disk's end.
    pub size_max: Option<u64>,
    /// Seals what is kept of secrets. `None`: it lies open (tests, measurements).
    pub vault: Option<Arc<Vault>>,
}

impl Options {
    /// A database at `path` with full durability and four readers.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Full,
            readers: 4,
            size_max: None,
            vault: None,
        }
    }
}
