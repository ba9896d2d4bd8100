//! Who did what: one chain per tenant, in which each entry's hash covers the entry before.
//!
//! Changing, moving or removing an entry breaks the chain from there on. Cutting off its end is
//! seen by the head, which is marked with a key that does not lie in the database.

mod diff;
pub(crate) mod sqlite;

pub use diff::{DETAIL_BYTES_MAX, redacted};
pub(crate) use diff::{difference, names};

use aws_lc_rs::digest::{Context, SHA256};
use cp_vocab::command::Actor;
use cp_vocab::{TenantId, Timestamp};
use serde_json::Value;

/// Something that was done, or tried.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEntry {
    pub tenant: TenantId,
    pub at: Timestamp,
    pub actor: Actor,
    /// `user.updated`, `sessions.sign_in`, an operation's id.
    pub action: String,
    /// Id of what it was done to; may be empty.
    pub target: String,
    /// Where the request came from; empty when it came from inside.
    pub address: String,
    /// What more there is to say: `before` and `after` of a change, the status of a refusal. No
    /// secrets: whoever makes an entry leaves them out ([`redacted`]).
    pub detail: Value,
}

/// An entry in its chain.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditRecord {
    /// 1, 2, 3 … in the tenant.
    pub seq: u64,
    pub entry: AuditEntry,
    pub hash: [u8; 32],
}

/// Which entries are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    /// Id of who did it, as text.
    pub actor: Option<String>,
    /// The action, or its beginning with `*` at the end.
    pub action: Option<String>,
    pub target: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// What verifying a chain found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditVerdict {
    /// Entries looked at.
    pub entries: u64,
    /// Hash of the last one, in hex; all zero for an empty chain. Keep it elsewhere to prove later
    /// that the chain only grew.
    pub head: String,
    pub fault: Option<AuditFault>,
}

/// The first thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditFault {
    #[error("entry {0} is missing")]
    Missing(u64),
    #[error("entry {0} was changed")]
    Changed(u64),
    #[error("entries after {0} were cut off, or the end was written anew")]
    Cut(u64),
    #[error("the log does not begin with its tenant: it was taken away, or begun anew")]
    Begun,
    #[error("the end is marked with key {0}, which is not among the keys given")]
    KeyMissing(String),
    #[error("the end of the chain was not marked with our key")]
    Forged,
}

impl AuditFault {
    /// Stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "audit_missing",
            Self::Changed(_) => "audit_changed",
            Self::Cut(_) => "audit_cut",
            Self::Begun => "audit_begun",
            Self::KeyMissing(_) => "audit_key_missing",
            Self::Forged => "audit_forged",
        }
    }
}

/// The texts of an entry as they lie in the database, which is what is hashed.
pub(crate) struct Texts<'a> {
    pub(crate) at: i64,
    pub(crate) actor: &'a str,
    pub(crate) action: &'a str,
    pub(crate) target: &'a str,
    pub(crate) address: &'a str,
    pub(crate) detail: &'a str,
}

/// SHA-256 over the hash before, the number, and each text with its length before it.
pub(crate) fn chained(before: &[u8; 32], tenant: &[u8; 16], seq: u64, t: &Texts<'_>) -> [u8; 32] {
    let mut c = Context::new(&SHA256);
    c.update(before);
    c.update(tenant);
    c.update(&seq.to_be_bytes());
    c.update(&t.at.to_be_bytes());
    for text in [t.actor, t.action, t.target, t.address, t.detail] {
        c.update(&(text.len() as u64).to_be_bytes());
        c.update(text.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(c.finish().as_ref());
    hash
}
