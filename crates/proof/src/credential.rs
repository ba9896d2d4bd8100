//! What customers can prove themselves with: made, listed, removed. Secrets go in and never come out.

use crate::channel::text_of;
use crate::desk::{Desk, random};
use crate::error::{ProofError, Result};
use crate::verify::{KnowledgeBody, PinBody, TotpBody};
use cp_identity::proof::device::KeyKind;
use cp_identity::proof::{knowledge, pin};
use cp_identity::totp::{Totp, secret_bytes, secret_text};
use cp_identity::webauthn;
use cp_store::Credential;
use cp_vocab::person::ProofMethod;
use cp_vocab::*;
use serde::{Deserialize, Serialize};

/// A credential without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CredentialView {
    pub id: CredentialId,
    pub method: ProofMethod,
    pub label: String,
    pub created_at: String,
    pub used_at: Option<String>,
}

/// A new credential.
pub enum NewCredential {
    Pin(Pii<String>),
    /// A seed of ours is drawn and shown once.
    Totp,
    /// The seed of an app that has one (base 32).
    TotpSeed(Pii<String>),
    DeviceKey {
        kind: KeyKind,
        key: Vec<u8>,
    },
    Knowledge {
        question: String,
        answer: Pii<String>,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceBody {
    pub kind: KeyKind,
    /// base64url.
    pub key: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PasskeyBody {
    pub id: String,
    pub public_key: String,
    pub algorithm: String,
    pub sign_count: u32,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub user_verified: bool,
}

impl PasskeyBody {
    pub(crate) fn of(c: &webauthn::Credential) -> Self {
        Self {
            id: cp_identity::b64::encode(&c.id),
            public_key: cp_identity::b64::encode(&c.public_key),
            algorithm: c.algorithm.word().into(),
            sign_count: c.sign_count,
            backup_eligible: c.backup_eligible,
            backed_up: c.backed_up,
            user_verified: c.user_verified,
        }
    }
    pub(crate) fn credential(&self) -> Option<webauthn::Credential> {
        let algorithms = webauthn::Algorithm::ALL;
        Some(webauthn::Credential {
            id: cp_identity::b64::decode(&self.id)?,
            public_key: cp_identity::b64::decode(&self.public_key)?,
            algorithm: algorithms
                .into_iter()
                .find(|a| a.word() == self.algorithm)?,
            sign_count: self.sign_count,
            backup_eligible: self.backup_eligible,
            backed_up: self.backed_up,
            aaguid: [0; 16],
            user_verified: self.user_verified,
        })
    }
}

impl Desk {
    pub fn credentials(&self, tenant: TenantId, person: PersonId) -> Result<Vec<CredentialView>> {
        self.known(tenant, person)?;
        let kept = self.store.credentials(tenant, person)?;
        Ok(kept.iter().map(view).collect())
    }

    /// Keeps a credential. A new PIN takes the old one's place. For `Totp` the address for an
    /// authenticator app comes back, once.
    ///
    /// # Errors
    /// `NotFound` for a person of another tenant; `Unfit` for a weak PIN or a key of the wrong size.
    pub fn add_credential(
        &self,
        tenant: TenantId,
        person: PersonId,
        label: &str,
        new: NewCredential,
    ) -> Result<(CredentialId, Option<String>)> {
        self.known(tenant, person)?;
        let mut shown = None;
        let (method, body) = match new {
            NewCredential::Pin(secret) => {
                pin::check(secret.expose()).map_err(|e| ProofError::Unfit(weak(e)))?;
                let hash = pin::hash(secret.expose(), &random()?).ok_or(ProofError::Crypto)?;
                for old in self.store.credentials(tenant, person)? {
                    if old.method == ProofMethod::Pin {
                        self.store.credential_delete(tenant, person, old.id)?;
                    }
                }
                (ProofMethod::Pin, text_of(&PinBody { hash })?)
            }
            NewCredential::Totp => {
                let seed = random::<20>()?;
                let name = self.store.person(tenant, person)?;
                let name = name.map_or_else(String::new, |p| p.row.name.into_inner());
                shown = Some(Totp::default().uri(&seed, "Crosspoint", &name));
                (ProofMethod::Totp, totp_body(secret_text(&seed))?)
            }
            NewCredential::TotpSeed(seed) => {
                let bytes = secret_bytes(seed.expose()).filter(|b| b.len() >= 16);
                let bytes =
                    bytes.ok_or(ProofError::Unfit("a seed is base 32 of 16 bytes or more"))?;
                (ProofMethod::Totp, totp_body(secret_text(&bytes))?)
            }
            NewCredential::DeviceKey { kind, key } => {
                if key.len() != kind.key_bytes() {
                    let detail =
                        "an Ed25519 key has 32 bytes, an ES256 key 65 (uncompressed point)";
                    return Err(ProofError::Unfit(detail));
                }
                let key = cp_identity::b64::encode(&key);
                (ProofMethod::DeviceKey, text_of(&DeviceBody { kind, key })?)
            }
            NewCredential::Knowledge { question, answer } => {
                let plain = knowledge::plain(answer.expose());
                if plain.is_empty() {
                    return Err(ProofError::Unfit("an answer has letters or digits"));
                }
                let hash = pin::hash(&plain, &random()?).ok_or(ProofError::Crypto)?;
                let body = text_of(&KnowledgeBody { question, hash })?;
                (ProofMethod::Knowledge, body)
            }
        };
        let id = self.put_credential(tenant, person, method, label, body)?;
        Ok((id, shown))
    }

    pub(crate) fn put_credential(
        &self,
        tenant: TenantId,
        person: PersonId,
        method: ProofMethod,
        label: &str,
        body: String,
    ) -> Result<CredentialId> {
        let id = self.new_id();
        self.store.credential_put(Credential {
            id,
            tenant,
            person,
            method,
            label: label.to_string(),
            body: Pii(body),
            created_at: self.now(),
            used_at: None,
        })?;
        Ok(id)
    }

    pub fn remove_credential(
        &self,
        tenant: TenantId,
        person: PersonId,
        id: CredentialId,
    ) -> Result<()> {
        Ok(self.store.credential_delete(tenant, person, id)?)
    }

    fn known(&self, tenant: TenantId, person: PersonId) -> Result<()> {
        match self.store.person(tenant, person)? {
            Some(p) if p.row.id == person => Ok(()),
            _ => Err(ProofError::NotFound),
        }
    }
}

fn totp_body(seed: String) -> Result<String> {
    text_of(&TotpBody {
        seed,
        last_step: None,
    })
}

fn weak(e: pin::WeakPin) -> &'static str {
    match e {
        pin::WeakPin::Length => "a PIN has 4 to 12 digits",
        pin::WeakPin::Digits => "a PIN has digits only",
        pin::WeakPin::Guessable => "a PIN must not repeat one digit or count up or down",
    }
}

fn view(c: &Credential) -> CredentialView {
    CredentialView {
        id: c.id,
        method: c.method,
        label: c.label.clone(),
        created_at: c.created_at.to_rfc3339(),
        used_at: c.used_at.map(|t| t.to_rfc3339()),
    }
}
