//! [`Store`] as SQLite serves it: reads from the pool, writes through the writer.

use super::SqliteStore;
use super::connect::failed;
use crate::audit::{AuditEntry, AuditFilter, AuditRecord, AuditVerdict, sqlite as audit};
use crate::auth::{
    AccessToken, ApiKey, Factor, FactorKind, Idempotency, IdentityProvider, OAuthClient, Session,
    StoredResponse, User, access, factor, idempotency, session,
};
use crate::config::{
    Change, ConfigId, ConfigKind, ConfigRow, Edit, Version, Versioned, edit, read as config,
    snapshot,
};
use crate::error::{Health, Result, StoreError};
use crate::log::queue::Job;
use crate::log::{CommitCallback, HealthCallback, Refused, read as log, records};
use crate::outbox::{OutboxId, OutboxItem, OutboxResult, sqlite as outbox};
use crate::page::{Page, PageRequest};
use crate::projection::{self, read as projections};
use crate::projection::{
    AgentStateRow, Figures, InteractionFilter, InteractionRow, LegRow, QueueCounters, RecordingRow,
    RegistrationRow, TrunkStateRow,
};
use crate::proof::{precall, ticket, tries};
use crate::store::Store;
use cp_vocab::event::LogPosition;
use cp_vocab::model::{Snapshot, Tenant};
use cp_vocab::*;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

impl Store for SqliteStore {
    fn append(&self, batch: Vec<EventRecord>, position: LogPosition) -> Result<(), Refused> {
        match self.shared.queue.push(Job::Append { batch, position }) {
            Ok(()) => Ok(()),
            Err((Job::Append { batch, .. }, error)) => Err(Refused { batch, error }),
            Err((Job::Edit(_), _)) => unreachable!("the queue gives back what it was given"),
        }
    }

    fn on_commit(&self, callback: CommitCallback) {
        self.shared.on_commit(callback);
    }

    fn on_health(&self, callback: HealthCallback) {
        self.shared.on_health(callback);
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn stream(&self, stream: StreamId, from_seq: u64, limit: usize) -> Result<Vec<EventRecord>> {
        let limit = limit.min(crate::log::RECORDS_READ_MAX);
        self.readers
            .with(|c| log::stream(c, stream, from_seq, limit))
    }

    fn follow(&self, cursor: u64, limit: usize) -> Result<Vec<(u64, EventRecord)>> {
        self.readers.with(|c| log::follow(c, cursor, limit))
    }

    fn head(&self) -> Result<u64> {
        self.readers.with(records::head)
    }

    fn last_seq(&self, stream: StreamId) -> Result<u64> {
        self.readers.with(|c| records::last_seq(c, stream))
    }

    fn open_interactions(&self) -> Result<Vec<InteractionId>> {
        self.readers.with(log::open_interactions)
    }

    fn replay(&self, interaction: InteractionId) -> Result<Vec<EventRecord>> {
        self.readers.with(|c| log::replay(c, interaction))
    }

    fn interactions(
        &self,
        tenant: TenantId,
        filter: &InteractionFilter,
        page: &PageRequest,
    ) -> Result<Page<InteractionRow>> {
        self.readers
            .consistent(|c| projections::interactions(c, tenant, filter, page))
    }

    fn interaction(&self, tenant: TenantId, id: InteractionId) -> Result<InteractionRow> {
        self.readers
            .consistent(|c| projections::interaction(c, tenant, id))
    }

    fn legs(&self, tenant: TenantId, interaction: InteractionId) -> Result<Vec<LegRow>> {
        self.readers
            .consistent(|c| projections::legs(c, tenant, interaction))
    }

    fn recordings(
        &self,
        tenant: TenantId,
        interaction: Option<InteractionId>,
        page: &PageRequest,
    ) -> Result<Page<RecordingRow>> {
        self.readers
            .with(|c| projections::recordings(c, tenant, interaction, page))
    }

    fn recording(&self, tenant: TenantId, id: RecordingId) -> Result<RecordingRow> {
        self.readers.with(|c| projections::recording(c, tenant, id))
    }

    fn agent_states(&self, tenant: TenantId) -> Result<Vec<AgentStateRow>> {
        self.readers.with(|c| projections::agent_states(c, tenant))
    }

    fn registrations(&self, now: Timestamp) -> Result<Vec<RegistrationRow>> {
        self.readers.with(|c| projections::registrations(c, now))
    }

    fn trunk_states(&self, tenant: TenantId) -> Result<Vec<TrunkStateRow>> {
        self.readers.with(|c| projections::trunk_states(c, tenant))
    }

    fn queue_counters(
        &self,
        tenant: TenantId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<QueueCounters>> {
        self.readers
            .with(|c| projections::queue_counters(c, tenant, from, until))
    }

    fn outbound_spent(&self, tenant: TenantId) -> Result<Vec<(u32, u64)>> {
        self.readers
            .with(|c| projection::outbound::spent(c, tenant))
    }

    fn forwarding(&self) -> Result<Vec<projection::ForwardingRow>> {
        self.readers.with(projection::forwarding::all)
    }

    fn caller_reports(&self) -> Result<Vec<projection::ReportRow>> {
        self.readers.with(projection::reports::all)
    }

    fn rebuild_projections(&self) -> Result<()> {
        self.write(|tx| projection::rebuild(tx.conn, tx.watch()))
    }

    fn outbox_claim(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<OutboxItem>> {
        if !self.readers.with(|c| outbox::any_due(c, now))? {
            return Ok(Vec::new());
        }
        self.write(move |tx| outbox::claim(tx.conn, now, lease, limit))
    }

    fn outbox_settle(&self, id: OutboxId, result: OutboxResult) -> Result<()> {
        self.write(move |tx| outbox::settle(tx.conn, id, &result))
    }

    fn outbox_dead(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<OutboxItem>> {
        self.readers.with(|c| outbox::dead(c, tenant, page))
    }

    fn outbox_revive(&self, tenant: TenantId, id: OutboxId, now: Timestamp) -> Result<()> {
        self.write(move |tx| outbox::revive(tx.conn, tenant, id, now))
    }

    fn apply(&self, edit: Edit, changes: Vec<Change>) -> Result<Vec<Version>> {
        self.write(move |tx| edit::apply(tx, &edit, &changes))
    }

    fn row(&self, tenant: TenantId, id: ConfigId) -> Result<Versioned<ConfigRow>> {
        self.readers.with(|c| config::row(c, tenant, id))
    }

    fn rows(
        &self,
        tenant: TenantId,
        kind: ConfigKind,
        page: &PageRequest,
    ) -> Result<Page<Versioned<ConfigRow>>> {
        self.readers.with(|c| config::rows(c, tenant, kind, page))
    }

    fn tenants(&self, page: &PageRequest) -> Result<Page<Versioned<Tenant>>> {
        self.readers.with(|c| config::tenants(c, page))
    }

    fn snapshot(&self) -> Result<Arc<Snapshot>> {
        // Read before the rows: a change in between makes the next call read again.
        let changes = self.shared.snapshot_changes();
        self.snapshot
            .get(changes, || self.readers.consistent(snapshot::read))
    }

    fn users_by_login(&self, login: &str) -> Result<Vec<Versioned<User>>> {
        self.readers.with(|c| config::users_by_login(c, login))
    }

    fn api_key_by_hash(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<ApiKey>> {
        self.readers.with(|c| config::api_key_by_hash(c, hash, now))
    }

    fn session_create(&self, session: Session) -> Result<()> {
        self.write(move |tx| session::create(tx.conn, &session))
    }

    fn session_by_token(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<(Session, User)>> {
        let found = self
            .readers
            .consistent(|c| session::by_token(c, hash, now))?;
        if let Some((session, _)) = &found
            && now.since(session.seen_at) >= session::SEEN_EVERY
        {
            let id = session.id;
            // Signing in works while the disk is full; the mark can wait.
            if let Err(e) = self.write(move |tx| session::seen(tx.conn, id, now)) {
                tracing::debug!(code = e.code(), "cannot mark a session as seen");
            }
        }
        Ok(found)
    }

    fn session_end(&self, tenant: TenantId, id: SessionId) -> Result<()> {
        self.write(move |tx| session::end(tx.conn, tenant, id))
    }

    fn sessions_end_of(&self, tenant: TenantId, user: UserId) -> Result<u64> {
        self.write(move |tx| session::end_of(tx.conn, tenant, user))
    }

    fn sessions_end_at(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
        user: Option<UserId>,
        session: Option<Pii<String>>,
    ) -> Result<u64> {
        self.write(move |tx| {
            let name = session.as_ref().map(|s| s.expose().as_str());
            session::end_at(tx.conn, tenant, provider, user, name)
        })
    }

    fn sessions_of(&self, tenant: TenantId, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        self.readers.with(|c| session::of(c, tenant, user, now))
    }

    fn session_proved(&self, id: SessionId, now: Timestamp) -> Result<()> {
        self.write(move |tx| session::proved(tx.conn, id, now))
    }

    fn user_by_subject(
        &self,
        provider: IdentityProviderId,
        subject: &str,
    ) -> Result<Option<Versioned<User>>> {
        self.readers
            .with(|c| config::user_by_subject(c, provider, subject))
    }

    fn factors_add(&self, factors: Vec<Factor>) -> Result<()> {
        self.write(move |tx| {
            let mut all = factors.iter();
            all.try_for_each(|c| factor::add(tx.conn, c))
        })
    }

    fn factors_of(&self, tenant: TenantId, user: UserId) -> Result<Vec<Factor>> {
        self.readers.with(|c| factor::of(c, tenant, user))
    }

    fn factor_by_key(&self, kind: FactorKind, key: &[u8]) -> Result<Option<Factor>> {
        self.readers.with(|c| factor::by_key(c, kind, key))
    }

    fn factor_used(&self, id: FactorId, before: u64, after: u64, now: Timestamp) -> Result<bool> {
        self.write(move |tx| factor::mark_used(tx.conn, id, before, after, now))
    }

    fn factor_change(&self, tenant: TenantId, id: FactorId, body: Value) -> Result<bool> {
        self.write(move |tx| factor::change(tx.conn, tenant, id, &body))
    }

    fn factor_remove(&self, tenant: TenantId, id: FactorId) -> Result<bool> {
        self.write(move |tx| factor::remove(tx.conn, tenant, id))
    }

    fn factors_remove_of(&self, tenant: TenantId, user: UserId) -> Result<u64> {
        self.write(move |tx| factor::remove_of(tx.conn, tenant, user))
    }

    fn oauth_client(&self, id: OAuthClientId) -> Result<Option<OAuthClient>> {
        self.readers.with(|c| config::anywhere(c, id))
    }

    fn identity_provider(&self, id: IdentityProviderId) -> Result<Option<IdentityProvider>> {
        self.readers.with(|c| config::anywhere(c, id))
    }

    fn access_token_create(&self, token: AccessToken) -> Result<()> {
        self.write(move |tx| access::create(tx.conn, &token))
    }

    fn access_token_by_hash(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<(AccessToken, OAuthClient)>> {
        self.readers.consistent(|c| access::by_hash(c, hash, now))
    }

    fn access_token_end(&self, tenant: TenantId, hash: &[u8; 32]) -> Result<()> {
        let hash = *hash;
        self.write(move |tx| access::end(tx.conn, tenant, &hash))
    }

    fn access_tokens_end_of(&self, tenant: TenantId, client: OAuthClientId) -> Result<u64> {
        self.write(move |tx| access::end_of(tx.conn, tenant, client))
    }

    fn audit_append(&self, entry: AuditEntry) -> Result<()> {
        self.write(move |tx| audit::append(tx.conn, tx.vault(), &entry))
    }

    fn audit(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>> {
        self.readers.with(|c| audit::list(c, tenant, filter, page))
    }

    fn audit_verify(&self, tenant: TenantId) -> Result<AuditVerdict> {
        let vault = self.vault.as_deref();
        self.readers.consistent(|c| audit::verify(c, vault, tenant))
    }

    fn audit_tenants(&self) -> Result<Vec<TenantId>> {
        self.readers.with(audit::tenants)
    }

    fn idempotency_begin(
        &self,
        tenant: TenantId,
        key: &str,
        request_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency> {
        let (key, hash) = (key.to_string(), *request_hash);
        self.write(move |tx| idempotency::begin(tx.conn, tenant, &key, &hash, now))
    }

    fn idempotency_finish(
        &self,
        tenant: TenantId,
        key: &str,
        response: StoredResponse,
        now: Timestamp,
    ) -> Result<()> {
        let key = key.to_string();
        self.write(move |tx| idempotency::finish(tx.conn, tenant, &key, &response, now))
    }

    fn idempotency_abandon(&self, tenant: TenantId, key: &str) -> Result<()> {
        let key = key.to_string();
        self.write(move |tx| idempotency::abandon(tx.conn, tenant, &key))
    }

    fn sweep(&self, now: Timestamp) -> Result<()> {
        self.write(move |tx| {
            session::sweep(tx.conn, now)?;
            access::sweep(tx.conn, now)?;
            ticket::sweep(tx.conn, now)?;
            tries::sweep(tx.conn, now)?;
            precall::sweep(tx.conn, now)?;
            idempotency::sweep(tx.conn, now)?;
            crate::contact::sqlite::sweep(tx.conn, now)?;
            outbox::sweep(tx.conn, now)
        })
    }

    fn figures(&self) -> Figures {
        self.shared.counts.figures(self.shared.queue.records())
    }

    fn verify(&self) -> Result<Vec<String>> {
        self.readers.with(|c| {
            let mut statement = c.prepare("PRAGMA integrity_check").map_err(failed)?;
            let lines = statement
                .query_map([], |r| r.get::<_, String>(0))
                .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
                .map_err(failed);
            match lines {
                Ok(lines) => Ok(lines.into_iter().filter(|l| l != "ok").collect()),
                Err(StoreError::Corrupt { detail }) => Ok(vec![detail]),
                Err(e) => Err(e),
            }
        })
    }

    fn close(&self) {
        self.stop();
    }
}
