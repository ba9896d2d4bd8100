//! Making a passkey on the customer's own device, by a link that is good once.

use crate::channel::text_of;
use crate::credential::PasskeyBody;
use crate::desk::{Desk, random};
use crate::error::{ProofError, Result};
use cp_identity::proof::code;
use cp_identity::webauthn;
use cp_store::Ticket;
use cp_vocab::person::ProofMethod;
use cp_vocab::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const ENROL: &str = "enrol";
/// How long the link is good.
const ENROL_S_MAX: u64 = 15 * 60;

/// What is kept of a link.
#[derive(Serialize, Deserialize)]
struct Enrolment {
    nonce: String,
    person: PersonId,
}

impl Desk {
    /// A link by which a customer's browser or app registers a passkey or device key of its own.
    pub fn enrolment(&self, tenant: TenantId, person: PersonId) -> Result<String> {
        let row = self.store.person(tenant, person)?;
        let person = row.ok_or(ProofError::NotFound)?.row.id;
        let secret = code::token(&random()?);
        let wanted = Enrolment {
            nonce: cp_identity::b64::encode(&random::<32>()?),
            person,
        };
        self.store.ticket_put(Ticket {
            key: Pii(code::key(ENROL, &secret)),
            tenant,
            kind: ENROL.into(),
            interaction: None,
            body: Pii(text_of(&wanted)?),
            expires_at: self.now() + Duration::from_secs(ENROL_S_MAX),
        })?;
        Ok(format!("{}/prove#enrol={secret}", self.settings.public_url))
    }

    /// What a browser needs to make a passkey: challenge, domain, the person's id and name.
    pub fn enrol_options(&self, secret: &str) -> Result<serde_json::Value> {
        let key = code::key(ENROL, secret);
        let ticket = self.store.ticket(ENROL, &key, self.now())?;
        let ticket = ticket.ok_or(ProofError::NotProven)?;
        let wanted: Enrolment =
            serde_json::from_str(ticket.body.expose()).map_err(|_| ProofError::NotProven)?;
        let person = wanted.person;
        let row = self.store.person(ticket.tenant, person)?;
        let row = row.ok_or(ProofError::NotProven)?.row;
        let algorithms = webauthn::Algorithm::ALL.map(webauthn::Algorithm::cose);
        Ok(serde_json::json!({
            "challenge": wanted.nonce, "rp_id": self.relying_party().id,
            "user_id": row.id.to_string(), "user_name": row.name.expose(), "algorithms": algorithms,
        }))
    }

    /// Keeps the passkey that a browser made. The link is used up.
    pub fn enrol_passkey(
        &self,
        secret: &str,
        label: &str,
        client_data_json: &[u8],
        attestation_object: &[u8],
    ) -> Result<CredentialId> {
        let key = code::key(ENROL, secret);
        let ticket = self.store.ticket_take(ENROL, &key, self.now())?;
        let ticket = ticket.ok_or(ProofError::NotProven)?;
        let wanted: Enrolment =
            serde_json::from_str(ticket.body.expose()).map_err(|_| ProofError::NotProven)?;
        let person = wanted.person;
        let challenge = cp_identity::b64::decode(&wanted.nonce).unwrap_or_default();
        let policy = webauthn::Policy {
            user_verification: true,
            ..webauthn::Policy::default()
        };
        let new = webauthn::Registration {
            client_data_json,
            attestation_object,
        };
        let made = webauthn::register(&self.relying_party(), policy, &challenge, new);
        let made = made.map_err(|e| {
            tracing::info!(code = e.code(), "a passkey was not taken");
            ProofError::NotProven
        })?;
        let body = text_of(&PasskeyBody::of(&made))?;
        self.put_credential(ticket.tenant, person, ProofMethod::Passkey, label, body)
    }
}
