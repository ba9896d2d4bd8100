//! The durable truth of one node: the event log, what is projected from it, the outbox, the
//! configuration, and who may sign in. The only crate that speaks SQL.
//!
//! Everything outside talks to [`Store`], whose words are those of the domain, so that another
//! database can stand behind it. [`SqliteStore`] is the one that ships inside the binary.
//!
//! How a record gets there: [`Store::append`] puts a batch into a bounded queue and returns; one
//! writer thread takes all that waits, checks the sequence of each batch, inserts the records
//! together with their projections and outbox rows in one transaction, syncs once, and tells the
//! commit callback up to which [`cp_vocab::event::LogPosition`] the log is durable.

pub mod audit;
pub mod auth;
mod brand;
pub mod config;
pub mod contact;
mod error;
pub mod log;
mod migrate;

pub mod outbox;
mod page;
mod privacy;
pub mod projection;
pub mod proof;
pub mod push;
mod sqlite;
mod store;
pub mod vault;

pub use audit::{AuditEntry, AuditFault, AuditFilter, AuditRecord, AuditVerdict};
pub use auth::{
    AccessToken, ApiKey, ClientSecret, CustomRole, ExternalIdentity, Factor, FactorKind,
    Idempotency, Idempotent, IdentityProvider, OAuthClient, Origin, Role, RoleRule, Session,
    StoredResponse, User,
};
pub use brand::BrandStore;
pub use config::{
    Change, ConfigId, ConfigKind, ConfigRow, Edit, Entity, StoreExt, Version, Versioned, Webhook,
};
pub use contact::{
    AskedMode, Contact, ContactChange, ContactFilter, ContactKind, ContactState, ContactStore,
    Mode, NumberLease, Point, PointKind,
};
pub use error::{Health, Result, StoreError};
pub use log::{CommitCallback, CommitOutcome, HealthCallback, Refused};
pub use outbox::{OutboxId, OutboxItem, OutboxKind, OutboxResult};
pub use page::{PAGE_ROWS_MAX, Page, PageRequest};
pub use privacy::{Consent, IDENTIFIERS_MAX, PrivacyJob, PrivacyStore, Taken};
pub use projection::{
    AgentStateRow, Figures, ForwardingRow, InteractionFilter, InteractionRow, InteractionState,
    LegRow, QueueCounters, RecordingRow, RegistrationRow, ReportRow, TrunkStateRow,
};
pub use proof::{Credential, Precall, ProofRow, ProofStore, SigningKey, Ticket};
pub use push::{PUSH_SUBSCRIPTIONS_MAX, PushRow, PushStore};
pub use sqlite::{Durability, Options, SqliteStore};
pub use store::Store;
pub use vault::{Vault, VaultError};
