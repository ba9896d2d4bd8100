//! [`PrivacyStore`] as SQLite serves it.

use super::SqliteStore;
use super::connect::failed;
use crate::error::Result;
use crate::page::{Page, PageRequest};
use crate::privacy::{self, Consent, PrivacyJob, PrivacyStore, Taken};
use cp_vocab::*;

/// How long one try to cut the write-ahead log waits for readers, and how many there are.
const SCRUB_WAIT: std::time::Duration = std::time::Duration::from_secs(1);
const SCRUB_TRIES_MAX: u32 = 5;

impl PrivacyStore for SqliteStore {
    fn interactions_of(
        &self,
        tenant: TenantId,
        identifiers: &[String],
        persons: &[PersonId],
        after: Option<InteractionId>,
        limit: usize,
    ) -> Result<Vec<InteractionId>> {
        self.readers
            .with(|c| privacy::interactions_of(c, tenant, identifiers, persons, after, limit))
    }
    fn interactions_before(
        &self,
        tenant: TenantId,
        before: Timestamp,
        after: Option<InteractionId>,
        limit: usize,
    ) -> Result<Vec<InteractionId>> {
        self.readers
            .with(|c| privacy::interactions_before(c, tenant, before, after, limit))
    }
    fn erase_interaction(&self, tenant: TenantId, interaction: InteractionId) -> Result<Taken> {
        self.write(move |tx| privacy::erase_interaction(tx.conn, tenant, interaction))
    }
    fn remove_interaction(&self, tenant: TenantId, interaction: InteractionId) -> Result<Taken> {
        self.write(move |tx| privacy::remove_interaction(tx.conn, tenant, interaction))
    }
    fn erase_persons(
        &self,
        tenant: TenantId,
        persons: &[PersonId],
        identifiers: &[String],
    ) -> Result<u64> {
        let (persons, identifiers) = (persons.to_vec(), identifiers.to_vec());
        self.write(move |tx| privacy::erase_persons(tx.conn, tenant, &persons, &identifiers))
    }
    fn scrub(&self) -> Result<()> {
        // A checkpoint brings the overwritten pages into the file and cuts the write-ahead log. Who
        // reads at the moment may hold it up: then it is tried again.
        let conn = rusqlite::Connection::open(self.path()).map_err(failed)?;
        conn.busy_timeout(SCRUB_WAIT).map_err(failed)?;
        for _ in 0..SCRUB_TRIES_MAX {
            let busy: i64 = conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))
                .map_err(failed)?;
            if busy == 0 {
                return Ok(());
            }
        }
        tracing::warn!("the write-ahead log could not be cut; what is next written overwrites it");
        Ok(())
    }
    fn tell(&self, tenant: TenantId, at: Timestamp, events: Vec<Event>) -> Result<()> {
        self.write(move |tx| {
            for event in events {
                let stream = StreamId::Tenant(tenant);
                tx.append(EventRecord {
                    stream,
                    seq: 0,
                    at,
                    tenant,
                    event,
                })?;
            }
            Ok(())
        })
    }
    fn consent_put(&self, consent: Consent) -> Result<()> {
        self.write(move |tx| privacy::consent_put(tx.conn, &consent))
    }
    fn consents(
        &self,
        tenant: TenantId,
        identifier: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Consent>> {
        self.readers
            .with(|c| privacy::consents(c, tenant, identifier, page))
    }
    fn consent_withdraw(
        &self,
        tenant: TenantId,
        id: ConsentId,
        at: Timestamp,
        how: String,
    ) -> Result<Consent> {
        self.write(move |tx| privacy::consent_withdraw(tx.conn, tenant, id, at, &how))
    }
    fn privacy_job_put(&self, job: PrivacyJob) -> Result<()> {
        self.write(move |tx| privacy::job_put(tx.conn, &job))
    }
    fn privacy_jobs(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<PrivacyJob>> {
        self.readers.with(|c| privacy::jobs(c, tenant, page))
    }
    fn privacy_job(&self, tenant: TenantId, id: PrivacyJobId) -> Result<PrivacyJob> {
        self.readers.with(|c| privacy::job_of(c, tenant, id))
    }
    fn privacy_jobs_open(&self, limit: usize) -> Result<Vec<PrivacyJob>> {
        self.readers.with(|c| privacy::jobs_open(c, limit))
    }
}
