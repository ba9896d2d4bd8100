//! Whether what was brought proves the customer. Every try is counted before its outcome is known,
//! for the person and for where it comes from.

use crate::desk::Desk;
use crate::error::{ProofError, Result};
use crate::settle::Call;
use cp_identity::proof::record::{Proven, Record};
use cp_identity::proof::{code, knowledge, pin, tries};
use cp_identity::totp::{Totp, secret_bytes};
use cp_store::Credential;
use cp_vocab::person::{ProofMethod, ProofStep};
use cp_vocab::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const CODE: &str = "code";
pub(crate) const QUESTIONS: &str = "questions";

/// What somebody entered.
#[derive(Clone, Debug)]
pub enum Entry {
    Pin(Pii<String>),
    Totp(Pii<String>),
    Code(Pii<String>),
    /// By the id of the question.
    Answers(BTreeMap<String, Pii<String>>),
}

impl Entry {
    pub fn method(&self) -> ProofMethod {
        match self {
            Self::Pin(_) => ProofMethod::Pin,
            Self::Totp(_) => ProofMethod::Totp,
            Self::Code(_) => ProofMethod::Code,
            Self::Answers(_) => ProofMethod::Knowledge,
        }
    }
}

/// A proof that an agent takes down or sees.
#[derive(Clone, Debug)]
pub enum Witnessed {
    Entry(Entry),
    /// The picture compared with the one kept, by the agent or a provider.
    Photo {
        matches: bool,
    },
}

/// What is kept of a PIN: the hash alone.
#[derive(Serialize, Deserialize)]
pub(crate) struct PinBody {
    pub hash: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TotpBody {
    /// Base 32.
    pub seed: String,
    #[serde(default)]
    pub last_step: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KnowledgeBody {
    pub question: String,
    pub hash: String,
}

impl Desk {
    /// # Errors
    /// `NotProven` when it is wrong; `Locked` when it is not even looked at.
    pub(crate) fn check(&self, call: Call, record: &Record, entry: &Entry) -> Result<()> {
        let subjects = self.subjects(record);
        let now = self.now();
        for subject in &subjects {
            let (before, _) = self.store.tries(call.tenant, subject, now, tries::begin)?;
            if let Some(wait_s) = tries::wait_s(&before, now) {
                return Err(ProofError::Locked { wait_s });
            }
        }
        let right = match entry {
            Entry::Pin(pin) => self.check_pin(call, record, pin)?,
            Entry::Totp(code) => self.check_totp(call, record, code)?,
            Entry::Code(code) => self.check_code(call, record, code)?,
            Entry::Answers(answers) => self.check_answers(call, record, answers)?,
        };
        if !right {
            return Err(ProofError::NotProven);
        }
        for subject in &subjects {
            self.store.tries(call.tenant, subject, now, tries::passed)?;
        }
        Ok(())
    }

    /// Whose tries are counted: the person's, and those from this number.
    fn subjects(&self, record: &Record) -> Vec<String> {
        let mut subjects: Vec<String> = record.person.iter().map(ToString::to_string).collect();
        let caller = record.caller.expose();
        if !caller.is_empty() && caller != "anonymous" {
            let key = code::key("tries", caller);
            subjects.push(format!("from:{}", cp_identity::b64::encode(&key)));
        }
        subjects
    }

    fn of(&self, call: Call, record: &Record, method: ProofMethod) -> Result<Vec<Credential>> {
        let Some(person) = record.person else {
            return Ok(vec![]);
        };
        let mut all = self.store.credentials(call.tenant, person)?;
        all.retain(|c| c.method == method);
        Ok(all)
    }

    fn check_pin(&self, call: Call, record: &Record, entered: &Pii<String>) -> Result<bool> {
        let kept = self.of(call, record, ProofMethod::Pin)?;
        let body = kept.first().and_then(body::<PinBody>);
        // Whoever is unknown, or has none, takes as long.
        let hash = body.map_or_else(|| self.decoy.clone(), |b| b.hash);
        let right = pin::verify(&code::plain(entered.expose()), &hash);
        let (Some(kept), true) = (kept.first(), right) else {
            return Ok(false);
        };
        self.store
            .credential_used(kept.id, kept.body.clone(), self.now())?;
        Ok(true)
    }

    fn check_totp(&self, call: Call, record: &Record, entered: &Pii<String>) -> Result<bool> {
        let now = self.now();
        for kept in self.of(call, record, ProofMethod::Totp)? {
            let Some(mut found) = body::<TotpBody>(&kept) else {
                continue;
            };
            let seed = secret_bytes(&found.seed).unwrap_or_default();
            let now_s = now.as_millis() / 1_000;
            let typed = code::plain(entered.expose());
            if let Ok(step) = Totp::default().verify(&seed, &typed, now_s, found.last_step) {
                found.last_step = Some(step);
                let body = serde_json::to_string(&found).map_err(|_| ProofError::Crypto)?;
                self.store.credential_used(kept.id, Pii(body), now)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A code that was sent for this call. Good once.
    fn check_code(&self, call: Call, _: &Record, entered: &Pii<String>) -> Result<bool> {
        let purpose = format!("{CODE}:{}", call.id);
        let key = code::key(&purpose, &code::plain(entered.expose()));
        let found = self.store.ticket_take(CODE, &key, self.now())?;
        Ok(found.is_some_and(|t| t.tenant == call.tenant && t.interaction == Some(call.id)))
    }

    /// All of the questions that were asked, and no others.
    fn check_answers(
        &self,
        call: Call,
        record: &Record,
        answers: &BTreeMap<String, Pii<String>>,
    ) -> Result<bool> {
        let key = code::key(QUESTIONS, &call.id.to_string());
        let Some(asked) = self.store.ticket_take(QUESTIONS, &key, self.now())? else {
            return Ok(false);
        };
        let asked: Vec<String> = serde_json::from_str(asked.body.expose()).unwrap_or_default();
        let kept = self.of(call, record, ProofMethod::Knowledge)?;
        let mut right = !asked.is_empty() && asked.len() == answers.len();
        for id in &asked {
            let found = kept.iter().find(|c| c.id.to_string() == *id);
            let found = found.and_then(body::<KnowledgeBody>);
            let hash = found.map_or_else(|| self.decoy.clone(), |b| b.hash);
            let answer = answers.get(id).map_or("", |a| a.expose());
            right &= pin::verify(&knowledge::plain(answer), &hash);
        }
        Ok(right)
    }

    /// An agent took down what the customer said, or compared the picture. `by`: who saw it.
    ///
    /// # Errors
    /// `NotProven`, `Locked`, `NoPerson`, `NoCredential` without a picture.
    pub fn witness(
        &self,
        tenant: TenantId,
        id: InteractionId,
        what: &Witnessed,
        intent: Option<String>,
        by: &str,
    ) -> Result<()> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.record(tenant, id)?;
        self.identify(call, &mut record)?;
        let person = record.person.ok_or(ProofError::NoPerson)?;
        let (method, checked) = match what {
            Witnessed::Entry(Entry::Pin(_)) => {
                let detail =
                    "a PIN is not told to anybody: let the customer enter it, POST …/proof/ask";
                return Err(ProofError::Unfit(detail));
            }
            Witnessed::Entry(entry) => (entry.method(), self.check(call, &record, entry)),
            Witnessed::Photo { matches } => {
                let row = self.store.person(tenant, person)?;
                if row.is_none_or(|p| p.row.photo.is_none()) {
                    return Err(ProofError::NoCredential("picture"));
                }
                let seen = if *matches {
                    Ok(())
                } else {
                    Err(ProofError::NotProven)
                };
                (ProofMethod::Photo, seen)
            }
        };
        if let Err(e) = checked {
            record.failures = record.failures.saturating_add(1);
            let step = match e {
                ProofError::Locked { .. } => ProofStep::Locked,
                _ => ProofStep::Failed,
            };
            self.settle(call, &mut record, step)?;
            return Err(e);
        }
        record.add(Proven {
            method,
            at: self.now(),
            intent,
            by: Some(by.to_string()),
        });
        self.settle(call, &mut record, ProofStep::Proven)
    }
}

pub(crate) fn body<T: serde::de::DeserializeOwned>(c: &Credential) -> Option<T> {
    serde_json::from_str(c.body.expose()).ok()
}
