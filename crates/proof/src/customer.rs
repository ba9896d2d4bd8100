//! What an agent sees of the customer: the record with its locks, and how well the caller is proven.

use crate::desk::{Desk, random};
use crate::error::{ProofError, Result};
use crate::settle::Call;
use crate::verify::{KnowledgeBody, QUESTIONS, body};
use cp_identity::proof::fields::{self, Shown};
use cp_identity::proof::jws::TokenFault;
use cp_identity::proof::record::{ClaimedBy, Record};
use cp_identity::proof::{assertion, code, knowledge, needed, worth};
use cp_store::Ticket;
use cp_vocab::person::{IdentityKind, ProofMethod, ProofStep};
use cp_vocab::trust::Trust;
use cp_vocab::*;
use serde::Serialize;
use std::time::Duration;

/// The level that unlocks secure fields.
const FIELDS_LEVEL: u8 = 2;
/// How long questions stay asked, in seconds.
const QUESTIONS_S_MAX: u64 = 300;

#[derive(Clone, Debug, Serialize)]
pub struct ProofView {
    pub level: u8,
    pub methods: Vec<ProofMethod>,
    pub proven_at: Option<String>,
    pub expires_at: Option<String>,
    /// What it is enough for.
    pub scope: Vec<String>,
    /// What the rules name, and whether it may be done now.
    pub requests: Vec<Request>,
    /// Wrong tries in this call.
    pub failures: u8,
    pub trust: Trust,
    /// The call it came along from.
    pub carried_from: Option<InteractionId>,
    /// The number a data channel may repeat, once one was made.
    pub number: Option<String>,
}

/// Something that may be asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    pub intent: String,
    pub needed: u8,
    pub allowed: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct CustomerView {
    pub person: Option<PersonId>,
    pub name: Option<String>,
    pub claimed_by: Option<ClaimedBy>,
    pub fields: Vec<Shown>,
    /// Where the picture is kept; to compare with, also before proof.
    pub photo: Option<String>,
    /// Ways of proof this customer has.
    pub methods: Vec<ProofMethod>,
    /// Who announced the call (S4.3).
    pub announced_by: Option<String>,
    pub proof: ProofView,
}

/// Whether what is asked for may be done.
#[derive(Clone, Debug, Serialize)]
pub struct Allowed {
    pub allowed: bool,
    pub needed: u8,
    pub level: u8,
    /// Ways this customer has that would be enough.
    pub step_up: Vec<ProofMethod>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Question {
    pub id: CredentialId,
    pub question: String,
}

impl Desk {
    /// The record also of a call that is over, when there is one.
    fn looked_at(&self, call: Call) -> Result<Record> {
        match self.record(call.tenant, call.id) {
            Err(ProofError::Ended) => {
                let mut kept = self.kept(call.tenant, call.id)?.unwrap_or_default();
                kept.revoked = true;
                Ok(kept)
            }
            other => other,
        }
    }

    /// # Errors
    /// `Store(NotFound)` for a call that is not there, or of another tenant.
    pub fn customer(&self, tenant: TenantId, id: InteractionId) -> Result<CustomerView> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.looked_at(call)?;
        if !record.revoked && record.person.is_none() {
            self.identify(call, &mut record)?;
            if record.person.is_some() {
                self.keep(tenant, id, &record)?;
            }
        }
        let policy = self.policy(tenant)?;
        let proven = record.level(&policy, self.now()) >= FIELDS_LEVEL;
        let person = match record.person {
            Some(p) => self.store.person(tenant, p)?.map(|p| p.row),
            None => None,
        };
        let methods = match &person {
            Some(p) => self.has(tenant, p)?,
            None => vec![],
        };
        let shown = person.iter().flat_map(|p| &p.fields);
        let fields = shown
            .map(|f| fields::show(f, proven, policy.locked_fields))
            .collect();
        Ok(CustomerView {
            person: person.as_ref().map(|p| p.id),
            name: person.as_ref().map(|p| p.name.expose().clone()),
            claimed_by: record.claimed_by,
            fields,
            photo: person.and_then(|p| p.photo).map(Pii::into_inner),
            methods,
            announced_by: record.announced_by.clone(),
            proof: self.proof_view(tenant, &record)?,
        })
    }

    fn proof_view(&self, tenant: TenantId, record: &Record) -> Result<ProofView> {
        let policy = self.policy(tenant)?;
        let now = self.now();
        let time = |t: Option<Timestamp>| t.map(|t| t.to_rfc3339());
        Ok(ProofView {
            level: record.level(&policy, now),
            methods: record.methods(&policy, now),
            proven_at: time(record.proven_at(&policy, now)),
            expires_at: time(record.expires_at(&policy, now)),
            scope: record.scope(&policy, now),
            requests: policy
                .intents
                .iter()
                .map(|(intent, needed)| Request {
                    intent: intent.clone(),
                    needed: *needed,
                    allowed: record.allows(&policy, intent, now),
                })
                .collect(),
            failures: record.failures,
            trust: self.trust(&policy, record),
            carried_from: record.carried_from,
            number: record.spoken.clone().map(Pii::into_inner),
        })
    }

    /// Ways of proof a person has.
    fn has(&self, tenant: TenantId, person: &cp_vocab::person::Person) -> Result<Vec<ProofMethod>> {
        let mut methods: Vec<ProofMethod> = Vec::new();
        for c in self.store.credentials(tenant, person.id)? {
            if !methods.contains(&c.method) {
                methods.push(c.method);
            }
        }
        let reach = [IdentityKind::Email, IdentityKind::Phone];
        if person.identities.iter().any(|i| reach.contains(&i.kind))
            && self.address_of(tenant, person.id)?.is_some()
        {
            methods.extend([ProofMethod::Code, ProofMethod::Link]);
        }
        if person.photo.is_some() {
            methods.push(ProofMethod::Photo);
        }
        Ok(methods)
    }

    /// An agent says who it is. Whatever was proven of somebody else counts no more.
    pub fn claim(&self, tenant: TenantId, id: InteractionId, person: PersonId) -> Result<()> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.record(tenant, id)?;
        let found = self.store.person(tenant, person)?;
        let found = found.ok_or(ProofError::NotFound)?;
        record.claim(found.row.id, ClaimedBy::Agent);
        self.settle(call, &mut record, ProofStep::Claimed)
    }

    /// The assertion of now, renewed when it is about to expire; none when nothing is proven.
    pub fn assertion(&self, tenant: TenantId, id: InteractionId) -> Result<Option<String>> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.record(tenant, id)?;
        let policy = self.policy(tenant)?;
        if record.level(&policy, self.now()) == 0 {
            return Ok(None);
        }
        if self.verified(call, &record).is_err() {
            self.renew(call, &policy, &mut record)?;
            self.keep(tenant, id, &record)?;
        }
        Ok(record.token.map(Pii::into_inner))
    }

    fn verified(&self, call: Call, record: &Record) -> Result<assertion::Claims, TokenFault> {
        let leg = record.leg.ok_or(TokenFault::Leg)?;
        let token = record.token.as_ref().ok_or(TokenFault::Revoked)?;
        let place = assertion::Place {
            tenant: call.tenant,
            interaction: call.id,
            leg,
            current: record.jti.as_deref(),
        };
        // Renewed a minute early, so that nobody is handed one that expires on the way.
        let now = self.now() + Duration::from_secs(60);
        assertion::verify(self.ring().live(now), token.expose(), place, now)
    }

    /// Whether an assertion that was shown holds for this call now.
    ///
    /// # Errors
    /// The fault, in `Ok(Err(…))`; stores' failures outside.
    pub fn verify_assertion(
        &self,
        tenant: TenantId,
        id: InteractionId,
        token: &str,
    ) -> Result<Result<assertion::Claims, TokenFault>> {
        let record = match self.record(tenant, id) {
            Ok(record) => record,
            Err(ProofError::Ended) => return Ok(Err(TokenFault::Revoked)),
            Err(e) => return Err(e),
        };
        let Some(leg) = record.leg else {
            return Ok(Err(TokenFault::Leg));
        };
        let place = assertion::Place {
            tenant,
            interaction: id,
            leg,
            current: record.jti.as_deref(),
        };
        let now = self.now();
        Ok(assertion::verify(self.ring().live(now), token, place, now))
    }

    /// Whether the caller may have what it asks for, and by what it could get so far.
    pub fn allowed(&self, tenant: TenantId, id: InteractionId, intent: &str) -> Result<Allowed> {
        let call = Call { tenant, id };
        let record = self.looked_at(call)?;
        let policy = self.policy(tenant)?;
        let now = self.now();
        let needed = needed(&policy, intent);
        let mut step_up = Vec::new();
        let person = match record.person {
            Some(p) => self.store.person(tenant, p)?,
            None => None,
        };
        if let (Some(person), false) = (person, record.allows(&policy, intent, now)) {
            let done = record.methods(&policy, now);
            for method in self.has(tenant, &person.row)? {
                let with = done.iter().copied().chain([method]);
                let enough = cp_identity::proof::level(&policy, with) >= needed;
                if enough && worth(&policy, method) > 0 && !done.contains(&method) {
                    step_up.push(method);
                }
            }
        }
        Ok(Allowed {
            allowed: record.allows(&policy, intent, now),
            needed,
            level: record.level_for(&policy, intent, now),
            step_up,
        })
    }

    /// Questions to ask now, for five minutes and one answer. The same while they stay asked, so
    /// that nobody leafs through them.
    ///
    /// # Errors
    /// `NoPerson`; `NoCredential` with fewer questions kept than are asked.
    pub fn questions(&self, tenant: TenantId, id: InteractionId) -> Result<Vec<Question>> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.record(tenant, id)?;
        self.identify(call, &mut record)?;
        let person = record.person.ok_or(ProofError::NoPerson)?;
        self.keep(tenant, id, &record)?;
        let mut kept = self.store.credentials(tenant, person)?;
        kept.retain(|c| c.method == ProofMethod::Knowledge);
        if kept.len() < knowledge::ASKED {
            return Err(ProofError::NoCredential("questions"));
        }
        let now = self.now();
        let key = code::key(QUESTIONS, &id.to_string());
        let asked = match self.store.ticket(QUESTIONS, &key, now)? {
            Some(t) => serde_json::from_str(t.body.expose()).unwrap_or_default(),
            None => {
                let chosen = knowledge::choose(kept.len(), &random()?);
                let ids: Vec<String> = chosen.iter().map(|i| kept[*i].id.to_string()).collect();
                // An expired one may still lie there.
                self.store.ticket_end(&key)?;
                self.store.ticket_put(Ticket {
                    key: Pii(key),
                    tenant,
                    kind: QUESTIONS.into(),
                    interaction: Some(id),
                    body: Pii(serde_json::json!(ids).to_string()),
                    expires_at: now + Duration::from_secs(QUESTIONS_S_MAX),
                })?;
                ids
            }
        };
        let chosen = kept.iter().filter(|c| asked.contains(&c.id.to_string()));
        Ok(chosen
            .filter_map(|c| {
                let kept: KnowledgeBody = body(c)?;
                Some(Question {
                    id: c.id,
                    question: kept.question,
                })
            })
            .collect())
    }
}
