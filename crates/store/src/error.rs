//! What can go wrong in the store, in the words of the domain.

use crate::auth::StoredResponse;
use crate::config::Version;
use cp_vocab::StreamId;
use cp_vocab::refusal::{Code, Refusal};
use std::path::PathBuf;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Everything the store refuses or fails at. [`StoreError::code`] is stable.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue before the writer is full ([`crate::log::RECORDS_QUEUED_MAX`]). Nothing was taken; hand
    /// it over again after a commit.
    #[error("the log has a backlog of {queued} records; try again after the next commit")]
    Backlogged { queued: usize },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The record does not follow the last one of its stream. Its whole batch was refused.
    #[error("record {got} of {stream} does not follow: {expected} is next")]
    SequenceConflict {
        stream: StreamId,
        expected: u64,
        got: u64,
    },
    /// The disk is full, or the size limit of the database is reached.
    #[error("no space for the database: {detail}")]
    Full { detail: String },
    /// The file or its file system is read-only.
    #[error("the database cannot be written: {detail}")]
    ReadOnly { detail: String },
    /// The disk failed.
    #[error("the disk failed: {detail}")]
    Io { detail: String },
    /// The file is damaged or is no database.
    #[error("the database file is damaged: {detail}")]
    Corrupt { detail: String },
    /// Any other complaint of the database: a fault of ours.
    #[error("the database refused a statement: {detail}")]
    Database { detail: String },
    /// A row in the database cannot be read back: it was written by something else.
    #[error("cannot read {what}: {detail}")]
    Unreadable { what: &'static str, detail: String },
    /// Another process has the database open.
    #[error(
        "{} is in use by {holder}; stop that one first, or give this one a data directory of its own",
        path.display()
    )]
    InUseByProcess { path: PathBuf, holder: String },
    /// The database was made by a later release.
    #[error(
        "the database has schema {found}, this release knows up to {known}: run the newer release, \
         or restore a backup made before the upgrade"
    )]
    Newer { found: u32, known: u32 },
    /// The file is a database of another program.
    #[error("{} is a database of another program; name another file", path.display())]
    Foreign { path: PathBuf },
    /// The database was sealed with a key that was not given.
    #[error(
        "{} holds secrets sealed with key {key}, which was not given: name the file that has it in secrets.key_file \
         (or give the key in CROSSPOINT_SECRETS_KEY), or restore the key from where you keep it",
        path.display()
    )]
    KeyMissing { path: PathBuf, key: String },
    /// The database could not be opened.
    #[error("cannot open {}: {detail}", path.display())]
    Open { path: PathBuf, detail: String },

    /// No such row in this tenant.
    #[error("no {kind} {id}")]
    NotFound { kind: &'static str, id: String },
    /// The row exists already, or its `field` is taken by `holder`.
    #[error("{field} of this {kind} is taken by {holder}")]
    Conflict {
        kind: &'static str,
        field: &'static str,
        holder: String,
    },
    /// The row names something that does not exist in its tenant.
    #[error("this {kind} names {missing}, which does not exist")]
    MissingReference { kind: &'static str, missing: String },
    /// The row cannot go while others name it.
    #[error("{id} is named by {by}")]
    InUse { id: String, by: String },
    /// The row is not at the version the edit was made from (412).
    #[error("the row is at version {}, not at {}", current.0, expected.0)]
    VersionMismatch { current: Version, expected: Version },
    /// A value that cannot be kept (empty key, nesting too deep, row of another tenant).
    #[error("{field} {problem}")]
    Invalid {
        field: &'static str,
        problem: &'static str,
    },
    /// The same idempotency key was used before with another request.
    #[error("the idempotency key was used with another request")]
    IdempotencyMismatch,
    /// The same request was carried out before; this was its answer.
    #[error("the request was carried out before")]
    AlreadyDone(Box<StoredResponse>),
}

impl StoreError {
    /// Stable code, for logs, metrics and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Backlogged { .. } => "store_backlogged",
            Self::Closed => "store_closed",
            Self::SequenceConflict { .. } => "sequence_conflict",
            Self::Full { .. } => "store_full",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Io { .. } => "store_io",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Database { .. } => "store_database",
            Self::Unreadable { .. } => "store_unreadable",
            Self::InUseByProcess { .. } => "store_in_use",
            Self::Newer { .. } => "store_newer",
            Self::Foreign { .. } => "store_foreign",
            Self::KeyMissing { .. } => "store_key_missing",
            Self::Open { .. } => "store_open",
            Self::NotFound { .. } => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::MissingReference { .. } => "missing_reference",
            Self::InUse { .. } => "in_use",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::Invalid { .. } => "invalid",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::AlreadyDone(_) => "already_done",
        }
    }

    /// Whether the store as a whole is at fault (503), not what was asked of it.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Backlogged { .. }
                | Self::Closed
                | Self::Full { .. }
                | Self::ReadOnly { .. }
                | Self::Io { .. }
                | Self::Corrupt { .. }
                | Self::Database { .. }
        )
    }
}

/// How the error reaches people and programs.
impl From<StoreError> for Refusal {
    fn from(e: StoreError) -> Self {
        let code = match &e {
            StoreError::NotFound { .. } => Code::NotFound,
            StoreError::Conflict { .. }
            | StoreError::InUse { .. }
            | StoreError::SequenceConflict { .. } => Code::Conflict,
            StoreError::MissingReference { .. } | StoreError::Invalid { .. } => Code::BadRequest,
            StoreError::VersionMismatch { .. } => Code::PreconditionFailed,
            StoreError::IdempotencyMismatch => Code::IdempotencyMismatch,
            e if e.is_outage() => {
                // What the disk said is for the operator's log, not for a client.
                return Refusal::new(
                    Code::StoreUnavailable,
                    "the store cannot write at the moment",
                );
            }
            _ => return Refusal::new(Code::Internal, "the store failed"),
        };
        Refusal::new(code, e.to_string())
    }
}

/// Whether the log takes records. When it does not, new calls are refused and running ones live.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Health {
    #[default]
    Ok,
    /// The last commit failed. What was handed over is held and tried again until it succeeds.
    Failing {
        error: StoreError,
        /// Attempts since the last success.
        attempts: u32,
    },
    Closed,
}

impl Health {
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}
