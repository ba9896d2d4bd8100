//! The store in domain words. Every method but [`Store::append`] may block on the disk: call them
//! where blocking is allowed.

use crate::audit::{AuditEntry, AuditFilter, AuditRecord, AuditVerdict};
use crate::auth::{
    AccessToken, ApiKey, Factor, FactorKind, Idempotency, IdentityProvider, OAuthClient, Session,
    StoredResponse, User,
};
use crate::brand::BrandStore;
use crate::config::{Change, ConfigId, ConfigKind, ConfigRow, Edit, Version, Versioned};
use crate::contact::ContactStore;
use crate::error::{Health, Result};
use crate::log::{CommitCallback, HealthCallback, Refused};
use crate::outbox::{OutboxId, OutboxItem, OutboxResult};
use crate::page::{Page, PageRequest};
use crate::projection::{
    AgentStateRow, Figures, ForwardingRow, InteractionFilter, InteractionRow, LegRow,
    QueueCounters, RecordingRow, RegistrationRow, ReportRow, TrunkStateRow,
};
use crate::push::PushStore;
use cp_vocab::event::LogPosition;
use cp_vocab::model::{Snapshot, Tenant};
use cp_vocab::*;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Everything that outlives a process. Object safe; one conformance suite holds every
/// implementation to what is written here.
pub trait Store:
    Send
    + Sync
    + PushStore
    + ContactStore
    + crate::proof::ProofStore
    + crate::privacy::PrivacyStore
    + BrandStore
{
    // --- the log

    /// Hands over records that became true, in order, and returns at once. The batch is kept whole
    /// or not at all; the commit callback tells which, naming `position`. Positions must rise.
    ///
    /// `seq` must follow the last record of the stream (1 starts it). `seq` 0 asks for the next
    /// number, for streams that outlive the writer or have several (agents, phones, trunks,
    /// tenants); an interaction's records are always numbered by its owner.
    ///
    /// # Errors
    /// `Backlogged` (the queue is full: give the same batch again later, before any newer one) and
    /// `Closed`; the batch comes back in [`Refused`].
    fn append(&self, batch: Vec<EventRecord>, position: LogPosition) -> Result<(), Refused>;

    /// Who is told about commits; replaces the one before. Runs on the writer's thread: hand over
    /// and return.
    fn on_commit(&self, callback: CommitCallback);

    /// Who is told when the health changes; replaces the one before. Runs on the writer's thread.
    fn on_health(&self, callback: HealthCallback);

    /// Whether records can be made durable at the moment. Cheap.
    fn health(&self) -> Health;

    /// Up to `limit` records of a stream from `from_seq` on, in order.
    fn stream(&self, stream: StreamId, from_seq: u64, limit: usize) -> Result<Vec<EventRecord>>;

    /// Up to `limit` records after `cursor` in the order they were committed, each with its
    /// cursor. 0 starts at the beginning.
    fn follow(&self, cursor: u64, limit: usize) -> Result<Vec<(u64, EventRecord)>>;

    /// The cursor of the newest record; 0 when there is none.
    fn head(&self) -> Result<u64>;

    /// The number of the last durable record of a stream; 0 when there is none.
    fn last_seq(&self, stream: StreamId) -> Result<u64>;

    /// Interactions that started and did not end: what a restart must end as `node_lost`.
    fn open_interactions(&self) -> Result<Vec<InteractionId>>;

    /// All records of an interaction, to rebuild its state.
    fn replay(&self, interaction: InteractionId) -> Result<Vec<EventRecord>>;

    // --- what is projected from the log, in the same transaction

    /// Interactions of a tenant, newest first.
    fn interactions(
        &self,
        tenant: TenantId,
        filter: &InteractionFilter,
        page: &PageRequest,
    ) -> Result<Page<InteractionRow>>;

    /// # Errors
    /// `NotFound`, also when it belongs to another tenant.
    fn interaction(&self, tenant: TenantId, id: InteractionId) -> Result<InteractionRow>;

    /// The legs of an interaction in the order they were added.
    fn legs(&self, tenant: TenantId, interaction: InteractionId) -> Result<Vec<LegRow>>;

    /// Recordings of a tenant (or of one interaction), newest first.
    fn recordings(
        &self,
        tenant: TenantId,
        interaction: Option<InteractionId>,
        page: &PageRequest,
    ) -> Result<Page<RecordingRow>>;

    /// # Errors
    /// `NotFound`, also when it belongs to another tenant.
    fn recording(&self, tenant: TenantId, id: RecordingId) -> Result<RecordingRow>;

    /// Last known presence and routing state of a tenant's agents.
    fn agent_states(&self, tenant: TenantId) -> Result<Vec<AgentStateRow>>;

    /// Registrations that expire after `now`, of every tenant: what a restart takes over.
    fn registrations(&self, now: Timestamp) -> Result<Vec<RegistrationRow>>;

    /// Last known state of a tenant's trunks.
    fn trunk_states(&self, tenant: TenantId) -> Result<Vec<TrunkStateRow>>;

    /// Sums per queue over `[from, until)`, widened to whole quarters of an hour.
    fn queue_counters(
        &self,
        tenant: TenantId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<QueueCounters>>;

    /// Spent on outgoing calls by day (`20261120`), oldest first: this month's at least.
    fn outbound_spent(&self, tenant: TenantId) -> Result<Vec<(u32, u64)>>;

    /// How often numbers forward, of all tenants, those called last first.
    fn forwarding(&self) -> Result<Vec<ForwardingRow>>;

    /// Callers that people reported, of all tenants, the oldest first.
    fn caller_reports(&self) -> Result<Vec<ReportRow>>;

    /// Drops all projections and builds them again from the log. Blocks the writer meanwhile.
    fn rebuild_projections(&self) -> Result<()>;

    // --- the outbox

    /// Takes up to `limit` due items and hides them from others for `lease`. An item whose lease
    /// runs out is due again: delivery is at least once.
    fn outbox_claim(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<OutboxItem>>;

    /// Says how a claimed item went.
    fn outbox_settle(&self, id: OutboxId, result: OutboxResult) -> Result<()>;

    /// Items of a tenant that were given up, newest first.
    fn outbox_dead(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<OutboxItem>>;

    /// Makes a dead item due again.
    ///
    /// # Errors
    /// `NotFound` when it is not dead or belongs to another tenant.
    fn outbox_revive(&self, tenant: TenantId, id: OutboxId, now: Timestamp) -> Result<()>;

    // --- the configuration

    /// Carries out all changes or none. References are checked after the last change, so rows of
    /// one call may name each other. Each change appends `tenant.configuration_changed` to the
    /// tenant's stream in the same transaction; the snapshot's version rises when a row of it
    /// changed. Returns the new version of each row (0 for a deleted one).
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `MissingReference`, `InUse`, `VersionMismatch`, `Invalid`,
    /// `IdempotencyMismatch`, `AlreadyDone`, or an outage.
    fn apply(&self, edit: Edit, changes: Vec<Change>) -> Result<Vec<Version>>;

    /// # Errors
    /// `NotFound`, also when it belongs to another tenant.
    fn row(&self, tenant: TenantId, id: ConfigId) -> Result<Versioned<ConfigRow>>;

    /// Rows of a kind, oldest first.
    fn rows(
        &self,
        tenant: TenantId,
        kind: ConfigKind,
        page: &PageRequest,
    ) -> Result<Page<Versioned<ConfigRow>>>;

    /// All tenants of the platform, oldest first. None: the first start.
    fn tenants(&self, page: &PageRequest) -> Result<Page<Versioned<Tenant>>>;

    /// The configuration the engine works from, as of the last commit. Shared until it changes.
    fn snapshot(&self) -> Result<Arc<Snapshot>>;

    // --- who may come in

    /// The users with this sign-in name, over all tenants (one per tenant at most).
    fn users_by_login(&self, login: &str) -> Result<Vec<Versioned<User>>>;

    /// The key whose secret has this hash, unless it expired by `now`.
    fn api_key_by_hash(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<ApiKey>>;

    fn session_create(&self, session: Session) -> Result<()>;

    /// The session whose token has this hash and its user, unless it or the user expired, ended or
    /// is disabled. Marks it seen (written at most once a minute).
    fn session_by_token(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<(Session, User)>>;

    /// Ends a session; not an error when it has ended.
    fn session_end(&self, tenant: TenantId, id: SessionId) -> Result<()>;

    /// Ends all sessions of a user (password changed, user disabled); returns how many.
    fn sessions_end_of(&self, tenant: TenantId, user: UserId) -> Result<u64>;

    /// Ends the sessions that this provider vouched for: those of one person, of one of the
    /// provider's own sessions, or of both; returns how many.
    fn sessions_end_at(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
        user: Option<UserId>,
        session: Option<Pii<String>>,
    ) -> Result<u64>;

    /// The live sessions of a person, newest first.
    fn sessions_of(&self, tenant: TenantId, user: UserId, now: Timestamp) -> Result<Vec<Session>>;

    /// The session's person proved who they are once more.
    fn session_proved(&self, id: SessionId, now: Timestamp) -> Result<()>;

    /// A provider by its id alone: whoever signs in has no tenant yet.
    fn identity_provider(&self, id: IdentityProviderId) -> Result<Option<IdentityProvider>>;

    /// The person who is `subject` at an identity provider.
    fn user_by_subject(
        &self,
        provider: IdentityProviderId,
        subject: &str,
    ) -> Result<Option<Versioned<User>>>;

    // --- how people prove themselves

    /// # Errors
    /// `NotFound` for a person who is not there, `Conflict` when the key is taken, `Invalid` at
    /// [`crate::auth::FACTORS_OF_USER_MAX`].
    fn factors_add(&self, factors: Vec<Factor>) -> Result<()>;

    fn factors_of(&self, tenant: TenantId, user: UserId) -> Result<Vec<Factor>>;

    fn factor_by_key(&self, kind: FactorKind, key: &[u8]) -> Result<Option<Factor>>;

    /// Marks a use if the factor still stands at `before`; of two who show the same code, one
    /// is told `true`.
    fn factor_used(&self, id: FactorId, before: u64, after: u64, now: Timestamp) -> Result<bool>;

    /// Replaces what is kept of it; says whether it was there.
    fn factor_change(&self, tenant: TenantId, id: FactorId, body: Value) -> Result<bool>;

    /// Says whether it was there.
    fn factor_remove(&self, tenant: TenantId, id: FactorId) -> Result<bool>;

    /// All of a person's; returns how many.
    fn factors_remove_of(&self, tenant: TenantId, user: UserId) -> Result<u64>;

    // --- what programs hold

    /// A client by its id alone: the token endpoint knows no tenant yet.
    fn oauth_client(&self, id: OAuthClientId) -> Result<Option<OAuthClient>>;

    /// Keeps a token; beyond [`crate::auth::TOKENS_OF_CLIENT_MAX`] the client's oldest ends.
    fn access_token_create(&self, token: AccessToken) -> Result<()>;

    /// The live token with this hash and its client, unless that is disabled.
    fn access_token_by_hash(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<(AccessToken, OAuthClient)>>;

    /// Not an error when it has ended.
    fn access_token_end(&self, tenant: TenantId, hash: &[u8; 32]) -> Result<()>;

    fn access_tokens_end_of(&self, tenant: TenantId, client: OAuthClientId) -> Result<u64>;

    // --- who did what

    /// Adds an entry to its tenant's chain. Changes by [`Store::apply`] add theirs themselves.
    fn audit_append(&self, entry: AuditEntry) -> Result<()>;

    /// Entries, newest first.
    fn audit(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>>;

    /// Walks the tenant's chain from its beginning.
    fn audit_verify(&self, tenant: TenantId) -> Result<AuditVerdict>;

    /// Tenants that have a chain, also those that are gone.
    fn audit_tenants(&self) -> Result<Vec<TenantId>>;

    // --- idempotency

    /// Reserves a key for a request that is about to be carried out. A reservation that is never
    /// finished is dropped at the next start, when what it began has died too.
    ///
    /// # Errors
    /// `IdempotencyMismatch` when the key was used with another request.
    fn idempotency_begin(
        &self,
        tenant: TenantId,
        key: &str,
        request_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency>;

    /// Keeps the answer for 24 hours.
    fn idempotency_finish(
        &self,
        tenant: TenantId,
        key: &str,
        response: StoredResponse,
        now: Timestamp,
    ) -> Result<()>;

    /// Gives the key free: nothing was done.
    fn idempotency_abandon(&self, tenant: TenantId, key: &str) -> Result<()>;

    // --- upkeep

    /// Removes expired sessions and idempotency keys. Call it every few minutes.
    fn sweep(&self, now: Timestamp) -> Result<()>;

    /// Counts since the start, for metrics.
    fn figures(&self) -> Figures;

    /// Checks the database for damage; the list is empty when there is none. Slow on large ones.
    fn verify(&self) -> Result<Vec<String>>;

    /// Writes out what is queued, then stops the writer. Later calls that write get `Closed`.
    fn close(&self);
}
