//! [`ProofStore`] as SQLite serves it.

use super::SqliteStore;
use crate::config::{Versioned, read as config};
use crate::error::Result;
use crate::proof::{
    Credential, Precall, ProofRow, ProofStore, SigningKey, Ticket, credential, keys, precall,
    record, ticket, tries,
};
use cp_vocab::person::{Identity, Person};
use cp_vocab::proof::{CallerPartner, ProofPolicy, Tries};
use cp_vocab::*;

impl ProofStore for SqliteStore {
    fn person_by_identity(
        &self,
        tenant: TenantId,
        identity: &Identity,
    ) -> Result<Option<Versioned<Person>>> {
        self.readers
            .with(|c| config::person_by_identity(c, tenant, identity))
    }
    fn person(&self, tenant: TenantId, id: PersonId) -> Result<Option<Versioned<Person>>> {
        self.readers
            .consistent(|c| config::person_by_id(c, tenant, id))
    }

    fn credential_put(&self, c: Credential) -> Result<()> {
        self.write(move |tx| credential::put(tx.conn, &c))
    }
    fn credentials(&self, tenant: TenantId, person: PersonId) -> Result<Vec<Credential>> {
        self.readers
            .with(|c| credential::of_person(c, tenant, person))
    }
    fn credential(&self, id: CredentialId) -> Result<Option<Credential>> {
        self.readers.with(|c| credential::by_id(c, id))
    }
    fn credential_used(&self, id: CredentialId, body: Pii<String>, now: Timestamp) -> Result<()> {
        self.write(move |tx| credential::used(tx.conn, id, &body, now))
    }
    fn credential_delete(
        &self,
        tenant: TenantId,
        person: PersonId,
        id: CredentialId,
    ) -> Result<()> {
        self.write(move |tx| credential::delete(tx.conn, tenant, person, id))
    }
    fn credentials_move(&self, tenant: TenantId, from: PersonId, to: PersonId) -> Result<()> {
        self.write(move |tx| credential::hand_over(tx.conn, tenant, from, to))
    }

    fn tries(
        &self,
        tenant: TenantId,
        subject: &str,
        now: Timestamp,
        change: fn(Tries, Timestamp) -> Tries,
    ) -> Result<(Tries, Tries)> {
        let subject = subject.to_string();
        self.write(move |tx| tries::change(tx.conn, tenant, &subject, now, change))
    }

    fn ticket_put(&self, t: Ticket) -> Result<()> {
        self.write(move |tx| ticket::put(tx.conn, &t))
    }
    fn ticket(&self, kind: &str, key: &[u8; 32], now: Timestamp) -> Result<Option<Ticket>> {
        self.readers.with(|c| ticket::peek(c, kind, key, now))
    }
    fn ticket_take(&self, kind: &str, key: &[u8; 32], now: Timestamp) -> Result<Option<Ticket>> {
        let (kind, key) = (kind.to_string(), *key);
        self.write(move |tx| ticket::take(tx.conn, &kind, &key, now))
    }
    fn ticket_change(&self, t: Ticket) -> Result<()> {
        self.write(move |tx| ticket::change(tx.conn, &t))
    }
    fn ticket_end(&self, key: &[u8; 32]) -> Result<()> {
        let key = *key;
        self.write(move |tx| ticket::end(tx.conn, &key))
    }
    fn tickets_end_of(&self, interaction: InteractionId) -> Result<()> {
        self.write(move |tx| ticket::end_of(tx.conn, interaction))
    }

    fn proof_put(&self, row: ProofRow, now: Timestamp) -> Result<()> {
        self.write(move |tx| record::put(tx.conn, &row, now))
    }
    fn proof(&self, tenant: TenantId, interaction: InteractionId) -> Result<Option<ProofRow>> {
        self.readers.with(|c| record::get(c, tenant, interaction))
    }

    fn proof_policy(&self, tenant: TenantId) -> Result<Option<ProofPolicy>> {
        self.readers.with(|c| config::proof_policy(c, tenant))
    }

    fn caller_partner(&self, id: CallerPartnerId) -> Result<Option<CallerPartner>> {
        self.readers.with(|c| config::caller_partner(c, id))
    }
    fn precall_put(&self, p: Precall, open_max: u32, now: Timestamp) -> Result<()> {
        self.write(move |tx| precall::put(tx.conn, &p, open_max, now))
    }
    fn precall_claim(
        &self,
        tenant: TenantId,
        identifier: &str,
        called: &str,
        interaction: InteractionId,
        now: Timestamp,
    ) -> Result<Option<Precall>> {
        let (identifier, called) = (identifier.to_string(), called.to_string());
        self.write(move |tx| {
            precall::claim(tx.conn, tenant, &identifier, &called, interaction, now)
        })
    }
    fn precall_end(&self, interaction: InteractionId) -> Result<()> {
        self.write(move |tx| precall::end(tx.conn, interaction))
    }
    fn precalls(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Precall>> {
        self.readers.with(|c| precall::list(c, tenant, now))
    }
    fn precall_delete(&self, tenant: TenantId, id: PrecallId) -> Result<()> {
        self.write(move |tx| precall::delete(tx.conn, tenant, id))
    }

    fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.readers.with(keys::list)
    }
    fn signing_key_put(&self, key: SigningKey) -> Result<()> {
        self.write(move |tx| keys::put(tx.conn, &key))
    }
}
