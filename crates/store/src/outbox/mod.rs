//! What must be sent because something happened: rows written in the same transaction as the
//! record they come from, delivered at least once.

pub(crate) mod sqlite;

/// Items that were given up are kept this long.
pub const DEAD_DAYS: u64 = 30;
/// Items one claim takes at most; a larger limit is lowered to this.
pub const CLAIM_MAX: usize = 1_000;

use cp_vocab::{EventRecord, TenantId, Timestamp, WebhookId};

/// Names an outbox item; rises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OutboxId(pub u64);

/// By what means an item leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OutboxKind {
    /// An HTTP request to the endpoint of a [`crate::Webhook`] row.
    Webhook { webhook: WebhookId },
}

/// One delivery that is due.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxItem {
    pub id: OutboxId,
    pub tenant: TenantId,
    pub kind: OutboxKind,
    /// Cursor of the record, stable over retries: the idempotency key of the delivery.
    pub cursor: u64,
    pub record: EventRecord,
    /// Attempts that have failed.
    pub attempts: u32,
    pub error: Option<String>,
}

/// How an attempt went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutboxResult {
    Done,
    /// Try again at `at`.
    RetryAt {
        at: Timestamp,
        error: String,
    },
    /// Given up; kept for the dead-letter page.
    Dead {
        error: String,
    },
}
