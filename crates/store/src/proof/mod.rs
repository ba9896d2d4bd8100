//! Customers and their proofs: credentials, counted tries, tickets good once, who is proven in
//! which interaction, and announced calls (S4.3).

pub(crate) mod credential;
pub(crate) mod keys;
pub(crate) mod precall;
pub(crate) mod record;
pub(crate) mod ticket;
pub(crate) mod tries;

use crate::config::Versioned;
use crate::error::Result;
use cp_vocab::person::{Identity, Person, ProofMethod};
use cp_vocab::proof::{CallerPartner, ProofPolicy, Tries};
use cp_vocab::*;

/// Something a person proves itself with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    pub id: CredentialId,
    pub tenant: TenantId,
    pub person: PersonId,
    pub method: ProofMethod,
    /// For people: `PIN`, `Anna's phone`.
    pub label: String,
    /// Its secret half as the feature writes it (JSON).
    pub body: Pii<String>,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// A secret that was given out and is good for a time: a code, a link, a data channel, a nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// SHA-256 of what its holder shows.
    pub key: Pii<[u8; 32]>,
    pub tenant: TenantId,
    pub kind: String,
    pub interaction: Option<InteractionId>,
    pub body: Pii<String>,
    pub expires_at: Timestamp,
}

/// Who the customer of an interaction is, and how well proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofRow {
    pub interaction: InteractionId,
    pub tenant: TenantId,
    pub person: Option<PersonId>,
    pub body: Pii<String>,
}

/// An announced call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Precall {
    pub id: PrecallId,
    pub tenant: TenantId,
    pub partner: CallerPartnerId,
    /// The number that will be called; empty: any of the tenant.
    pub called: Pii<String>,
    /// What the call will show as its caller.
    pub identifier: Pii<String>,
    pub body: Pii<String>,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
    /// The one call that used it, until that ends.
    pub interaction: Option<InteractionId>,
}

/// A private key of ours. The newest signs; the older ones verify what they signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SigningKey {
    pub id: String,
    pub created_at: Timestamp,
    pub pkcs8: Pii<Vec<u8>>,
}

/// Credentials of one person at most; more are refused with `Invalid`.
pub const CREDENTIALS_PER_PERSON_MAX: usize = 32;
/// Bytes of a body at most; longer ones are refused with `Invalid`.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the store knows of customers and proofs. A part of [`crate::Store`].
pub trait ProofStore {
    /// The person with this number, address or device.
    fn person_by_identity(
        &self,
        tenant: TenantId,
        identity: &Identity,
    ) -> Result<Option<Versioned<Person>>>;
    /// The person, also by the id of one that was merged into it.
    fn person(&self, tenant: TenantId, id: PersonId) -> Result<Option<Versioned<Person>>>;

    fn credential_put(&self, credential: Credential) -> Result<()>;
    fn credentials(&self, tenant: TenantId, person: PersonId) -> Result<Vec<Credential>>;
    /// By its id, of any tenant: a passkey or a device names its credential, nothing else.
    fn credential(&self, id: CredentialId) -> Result<Option<Credential>>;
    /// Keeps what a use changed (a counter, a last step), and when it was used.
    fn credential_used(&self, id: CredentialId, body: Pii<String>, now: Timestamp) -> Result<()>;
    /// # Errors
    /// `NotFound`, also when it belongs to another tenant or person.
    fn credential_delete(&self, tenant: TenantId, person: PersonId, id: CredentialId)
    -> Result<()>;
    /// Hands the credentials of one person to another (merging).
    fn credentials_move(&self, tenant: TenantId, from: PersonId, to: PersonId) -> Result<()>;

    /// Changes the count of tries of a subject in one step; gives what was before and what is now.
    fn tries(
        &self,
        tenant: TenantId,
        subject: &str,
        now: Timestamp,
        change: fn(Tries, Timestamp) -> Tries,
    ) -> Result<(Tries, Tries)>;

    /// # Errors
    /// `Conflict` when the same secret was given out before (a replay).
    fn ticket_put(&self, ticket: Ticket) -> Result<()>;
    /// The ticket, if it is of this kind and still good; it stays good.
    fn ticket(&self, kind: &str, key: &[u8; 32], now: Timestamp) -> Result<Option<Ticket>>;
    /// The ticket, which is used up by this.
    fn ticket_take(&self, kind: &str, key: &[u8; 32], now: Timestamp) -> Result<Option<Ticket>>;
    /// Replaces what a ticket says; nothing when it is gone.
    fn ticket_change(&self, ticket: Ticket) -> Result<()>;
    /// The ticket is good no more, whatever its kind.
    fn ticket_end(&self, key: &[u8; 32]) -> Result<()>;
    /// The tickets of a call are good no more.
    fn tickets_end_of(&self, interaction: InteractionId) -> Result<()>;

    fn proof_put(&self, row: ProofRow, now: Timestamp) -> Result<()>;
    fn proof(&self, tenant: TenantId, interaction: InteractionId) -> Result<Option<ProofRow>>;

    fn proof_policy(&self, tenant: TenantId) -> Result<Option<ProofPolicy>>;

    fn caller_partner(&self, id: CallerPartnerId) -> Result<Option<CallerPartner>>;
    /// Puts a call on the list of authorised callers, at most `open_max` of this partner.
    ///
    /// # Errors
    /// `Invalid` when so many are open.
    fn precall_put(&self, precall: Precall, open_max: u32, now: Timestamp) -> Result<()>;
    /// The open announcement that fits, now used by `interaction` and by no other call.
    fn precall_claim(
        &self,
        tenant: TenantId,
        identifier: &str,
        called: &str,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<Option<Precall>>;
    /// The call is over: its announcement goes.
    fn precall_end(&self, interaction: InteractionId) -> Result<()>;
    /// The announcements of a tenant that are open or in use, newest first, at most a page.
    fn precalls(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Precall>>;
    /// # Errors
    /// `NotFound`, also when it belongs to another tenant.
    fn precall_delete(&self, tenant: TenantId, id: PrecallId) -> Result<()>;

    /// Newest first.
    fn signing_keys(&self) -> Result<Vec<SigningKey>>;
    fn signing_key_put(&self, key: SigningKey) -> Result<()>;
}
