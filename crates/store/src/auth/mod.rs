//! Who may come in, and which requests were answered before.

pub(crate) mod idempotency;
pub(crate) mod session;

use cp_vocab::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Agent,
    Supervisor,
    Administrator,
    /// Runs the platform: sees and makes tenants.
    Operator,
}

/// A person who signs in. Secrets are hashes made by the caller.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub tenant: TenantId,
    /// Unique in the tenant, whatever the case.
    pub login: Pii<String>,
    pub name: Pii<String>,
    /// PHC string (argon2id). Empty: cannot sign in by password.
    pub password_hash: Pii<String>,
    pub roles: Vec<Role>,
    #[serde(default)]
    pub disabled: bool,
}

/// A key for programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub tenant: TenantId,
    pub name: String,
    /// SHA-256 of the secret, which is shown once and never kept.
    pub secret_hash: Pii<[u8; 32]>,
    pub roles: Vec<Role>,
    /// Permissions (`resource:action`) besides those of the roles.
    #[serde(default)]
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A signed-in browser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    pub id: SessionId,
    pub tenant: TenantId,
    pub user: UserId,
    /// SHA-256 of the token.
    pub token_hash: Pii<[u8; 32]>,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An answer kept for a repeated request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredResponse {
    pub status: u16,
    pub content_type: String,
    /// At most [`RESPONSE_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// Answers kept for repetition are at most this long; longer ones are refused with `Invalid`.
pub const RESPONSE_BYTES_MAX: usize = 256 * 1024;
/// Idempotency keys are at most this long; longer ones are refused with `Invalid`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How long an answer is kept.
pub const IDEMPOTENCY_HOURS: u64 = 24;

/// What is known of an idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Idempotency {
    /// Not seen before: reserved for the caller, who finishes or abandons it.
    New,
    /// The same request is being carried out.
    InProgress,
    Done(StoredResponse),
}

/// An idempotency key whose answer is kept in the same transaction as the edit it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotent {
    pub key: String,
    pub request_hash: [u8; 32],
    pub response: StoredResponse,
}
