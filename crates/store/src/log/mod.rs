//! The append-only log: bounded queue, one writer thread with group commit, readers.

pub(crate) mod codec;
pub(crate) mod queue;
pub(crate) mod read;
pub(crate) mod records;
pub(crate) mod shared;
pub(crate) mod writer;

pub use read::{RECORDS_READ_MAX, REPLAY_RECORDS_MAX};

use crate::error::{Health, StoreError};
use cp_vocab::event::{EventRecord, LogPosition};

/// Records that may wait for the writer. At the limit [`crate::Store::append`] answers `Backlogged` and gives the
/// batch back; the engine refuses new calls meanwhile.
pub const RECORDS_QUEUED_MAX: usize = 200_000;

/// Records in one transaction, so that the first of a crowd does not wait for the last. The rest
/// goes into the next one.
pub const GROUP_RECORDS_MAX: usize = 4_096;

/// What became of the batches handed over.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitOutcome {
    /// Every batch up to here is settled: durable, unless an outcome with an error named it.
    pub upto: LogPosition,
    /// Set when the batch at exactly `upto` was refused for good (`SequenceConflict`, `Invalid`,
    /// or `Closed` with the disk still failing). Nothing of it was kept. A failing disk is not
    /// told here but by [`HealthCallback`]: its batches are held and tried again.
    pub error: Option<StoreError>,
}

pub type CommitCallback = Box<dyn Fn(CommitOutcome) + Send + Sync>;

/// Told each time the health changes.
pub type HealthCallback = Box<dyn Fn(&Health) + Send + Sync>;

/// A batch that was not taken, given back.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    pub batch: Vec<EventRecord>,
    #[source]
    pub error: StoreError,
}

impl From<Refused> for StoreError {
    fn from(r: Refused) -> Self {
        r.error
    }
}
