//! Where people's browsers are reached when no tab is open (Web Push, S3.1).

mod sqlite;

use crate::error::Result;
use cp_vocab::{Pii, PushId, TenantId, Timestamp, UserId};

/// Subscriptions a person may have; a further one drops the oldest.
pub const PUSH_SUBSCRIPTIONS_MAX: usize = 8;

/// One browser of one person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushRow {
    pub id: PushId,
    pub tenant: TenantId,
    pub user: UserId,
    /// Who has it can send: never shown again after it was given.
    pub endpoint: Pii<String>,
    pub p256dh: Pii<String>,
    /// Sealed in the database: with it others could make messages that the browser believes.
    pub auth: Pii<String>,
    /// What the person calls the browser.
    pub label: String,
    pub created_at: Timestamp,
}

/// The part of [`crate::Store`] that keeps push subscriptions.
pub trait PushStore: Send + Sync {
    /// Keeps a subscription; one with the same endpoint is replaced, whosever it was: a browser
    /// belongs to who signed in last.
    fn push_subscribe(&self, row: PushRow) -> Result<()>;

    /// A person's subscriptions, oldest first.
    fn push_subscriptions(&self, tenant: TenantId, user: UserId) -> Result<Vec<PushRow>>;

    /// Forgets one of a person's subscriptions; `false` when there was none of this id.
    fn push_unsubscribe(&self, tenant: TenantId, user: UserId, id: PushId) -> Result<bool>;

    /// Forgets a subscription that the push service no longer knows.
    fn push_gone(&self, id: PushId) -> Result<()>;

    /// Everybody who has one.
    fn push_users(&self) -> Result<Vec<(TenantId, UserId)>>;
}
