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
    /// One of the two; both are looked at, whatever the first one says.
    PinOrTotp(Pii<String>),
    Code(Pii<String>),
    /// By the id of the question.
    Answers(BTreeMap<String, Pii<String>>),
}

impl Entry {
    pub fn method(&self) -> ProofMethod {
        match self {
            Self::Pin(_) | Self::PinOrTotp(_) => ProofMethod::Pin,
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
    /// By what it proves the customer.
    ///
    /// # Errors
    /// `NotProven` when it is wrong; `Locked` when it is not even looked at.
    pub(crate) fn check(&self, call: Call, record: &Record, entry: &Entry) -> Result<ProofMethod> {
        let subjects = subjects(record);
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
            Entry::PinOrTotp(keyed) => {
                let pin = self.check_pin(call, record, keyed)?;
                let totp = self.check_totp(call, record, keyed)?;
                if totp && !pin {
                    self.passed(call, &subjects)?;
                    return Ok(ProofMethod::Totp);
                }
                pin
            }
            Entry::Code(code) => self.check_code(call, record, code)?,
            Entry::Answers(answers) => self.check_answers(call, record, answers)?,
        };
        if !right {
            return Err(ProofError::NotProven);
        }
        self.passed(call, &subjects)?;
        Ok(entry.method())
    }

    fn passed(&self, call: Call, subjects: &[String]) -> Result<()> {
        let now = self.now();
        for subject in subjects {
            self.store.tries(call.tenant, subject, now, tries::passed)?;
        }
        Ok(())
    }

    /// The work of a check without anything to check: what is no call's, or of a wrong number, takes
    /// as long as a wrong proof.
    pub(crate) fn pretend(&self, entry: &Entry) {
        match entry {
            Entry::Pin(text) | Entry::PinOrTotp(text) => {
                pin::verify(&code::plain(text.expose()), &self.decoy);
            }
            Entry::Answers(answers) => {
                for answer in answers.values().take(knowledge::ASKED) {
                    pin::verify(&knowledge::plain(answer.expose()), &self.decoy);
                }
            }
            Entry::Totp(_) | Entry::Code(_) => {}
        }
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
        let kept = self.of(call, record, ProofMethod::Totp)?;
        if kept.is_empty() {
            let (typed, now_s) = (code::plain(entered.expose()), now.as_millis() / 1_000);
            // As long as for somebody who has one.
            let _ = Totp::default().verify(self.decoy.as_bytes(), &typed, now_s, None);
        }
        for kept in kept {
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
            Witnessed::Entry(Entry::Pin(_) | Entry::PinOrTotp(_)) => {
                let detail =
                    "a PIN is not told to anybody: let the customer enter it, POST …/proof/ask";
                return Err(ProofError::Unfit(detail));
            }
            Witnessed::Entry(entry) => {
                let checked = self.check(call, &record, entry).map(|_| ());
                (entry.method(), checked)
            }
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

/// Whose tries are counted: the customer's, and those from this number. Somebody unknown has a
/// customer's place too, by what it keyed or calls from: it is slowed down, and takes as long.
fn subjects(record: &Record) -> Vec<String> {
    let caller = record.caller.expose();
    let known = record.person.map(|p| p.to_string());
    let unknown = || record.stranger.clone().unwrap_or_else(|| stand_in(caller));
    let mut subjects = vec![known.unwrap_or_else(unknown)];
    if !caller.is_empty() && caller != "anonymous" {
        let key = code::key("tries", caller);
        subjects.push(format!("from:{}", cp_identity::b64::encode(&key)));
    }
    subjects
}

/// In place of a customer who is not there: no two that are named differently share it.
pub(crate) fn stand_in(named: &str) -> String {
    let key = code::key("stranger", named);
    format!("nobody:{}", cp_identity::b64::encode(&key))
}

pub(crate) fn body<T: serde::de::DeserializeOwned>(c: &Credential) -> Option<T> {
    serde_json::from_str(c.body.expose()).ok()
}
