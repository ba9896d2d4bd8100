//! What is known of the customer of one interaction, and what it amounts to.

use super::{assertion, level, needed};
use cp_vocab::person::ProofMethod;
use cp_vocab::proof::ProofPolicy;
use cp_vocab::*;
use serde::{Deserialize, Serialize};

/// Proofs kept of one call; further ones replace the oldest.
const PROOFS_MAX: usize = 16;

/// How we came to think who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedBy {
    /// The number it calls from.
    Caller,
    /// The customer number it keyed.
    Entered,
    /// An agent or a program said so.
    Agent,
    /// The call was announced (S4.3).
    Announcement,
    /// A data channel that was paired with the call.
    Channel,
}

/// One proof.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proven {
    pub method: ProofMethod,
    pub at: Timestamp,
    /// Given for this alone; it raises nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// By whom it was seen: an agent who compared a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    #[serde(default)]
    pub person: Option<PersonId>,
    #[serde(default)]
    pub claimed_by: Option<ClaimedBy>,
    /// Stands for the customer number it keyed when that is nobody's.
    #[serde(default)]
    pub stranger: Option<String>,
    /// The customer's leg; a proof is of this party alone.
    #[serde(default)]
    pub leg: Option<LegId>,
    /// What it calls from, and what it called.
    #[serde(default)]
    pub caller: Pii<String>,
    #[serde(default)]
    pub called: Pii<String>,
    #[serde(default)]
    pub proofs: Vec<Proven>,
    /// Wrong entries in this call.
    #[serde(default)]
    pub failures: u8,
    /// The number spoken to the caller, which a data channel may repeat.
    #[serde(default)]
    pub spoken: Option<Pii<String>>,
    #[serde(default)]
    pub jti: Option<String>,
    #[serde(default)]
    pub token: Option<Pii<String>>,
    /// The call is over.
    #[serde(default)]
    pub revoked: bool,
    #[serde(default)]
    pub carried_from: Option<InteractionId>,
    /// Where it waits, or what it waits for.
    #[serde(default)]
    pub queue: Option<QueueId>,
    /// The priority it was given there by placement.
    #[serde(default)]
    pub priority: Option<i32>,
    /// How often placement moved it.
    #[serde(default)]
    pub moves: u8,
    /// A data channel was offered, or is there.
    #[serde(default)]
    pub channel: bool,
    /// Who announced the call (S4.3), and in whose name.
    #[serde(default)]
    pub announced_by: Option<String>,
    #[serde(default)]
    pub announced_name: Option<Pii<String>>,
    /// The level it awaits, while it does.
    #[serde(default)]
    pub awaits: Option<u8>,
    #[serde(default)]
    pub awaits_for: Option<QueueId>,
}

impl Record {
    fn fresh<'a>(
        &'a self,
        policy: &ProofPolicy,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Proven> {
        let most = std::time::Duration::from_secs(policy.proof_s_max.into());
        let gone = self.revoked || self.person.is_none();
        self.proofs
            .iter()
            .filter(move |p| !gone && now.since(p.at) < most)
    }

    /// The level for anything.
    pub fn level(&self, policy: &ProofPolicy, now: Timestamp) -> u8 {
        let general = self.fresh(policy, now).filter(|p| p.intent.is_none());
        level(policy, general.map(|p| p.method))
    }

    /// The level for one thing: what was proven for it alone counts too.
    pub fn level_for(&self, policy: &ProofPolicy, intent: &str, now: Timestamp) -> u8 {
        let counts = |p: &&Proven| p.intent.as_deref().is_none_or(|i| i == intent);
        let for_it = self.fresh(policy, now).filter(counts);
        level(policy, for_it.map(|p| p.method))
    }

    /// Whether what is asked for may be done now.
    pub fn allows(&self, policy: &ProofPolicy, intent: &str, now: Timestamp) -> bool {
        self.level_for(policy, intent, now) >= needed(policy, intent)
    }

    /// What it is enough for, of what the policy names.
    pub fn scope(&self, policy: &ProofPolicy, now: Timestamp) -> Vec<String> {
        let allowed = policy
            .intents
            .keys()
            .filter(|i| self.allows(policy, i, now));
        allowed.cloned().collect()
    }

    pub fn methods(&self, policy: &ProofPolicy, now: Timestamp) -> Vec<ProofMethod> {
        let mut methods: Vec<ProofMethod> = Vec::new();
        for p in self.fresh(policy, now) {
            if !methods.contains(&p.method) {
                methods.push(p.method);
            }
        }
        methods
    }

    /// When the oldest proof that counts was given: the age of the whole.
    pub fn proven_at(&self, policy: &ProofPolicy, now: Timestamp) -> Option<Timestamp> {
        self.fresh(policy, now).map(|p| p.at).min()
    }

    pub fn expires_at(&self, policy: &ProofPolicy, now: Timestamp) -> Option<Timestamp> {
        let most = std::time::Duration::from_secs(policy.proof_s_max.into());
        self.proven_at(policy, now).map(|at| at + most)
    }

    /// Takes a proof. The same way again replaces what it proved before.
    pub fn add(&mut self, proven: Proven) {
        let same = |p: &Proven| p.method == proven.method && p.intent == proven.intent;
        self.proofs.retain(|p| !same(p));
        if self.proofs.len() >= PROOFS_MAX {
            self.proofs.remove(0);
        }
        self.proofs.push(proven);
    }

    /// Another person than thought: what was proven was proven of the former.
    pub fn claim(&mut self, person: PersonId, by: ClaimedBy) {
        if self.person != Some(person) {
            self.proofs.clear();
            self.jti = None;
            self.token = None;
        }
        self.person = Some(person);
        self.claimed_by = Some(by);
    }

    /// The claims of an assertion made now; none when nothing is proven.
    pub fn claims(
        &self,
        policy: &ProofPolicy,
        place: (TenantId, InteractionId),
        jti: &str,
        now: Timestamp,
    ) -> Option<assertion::Claims> {
        let (person, leg) = (self.person?, self.leg?);
        let auth = self.proven_at(policy, now)?;
        let seconds = |t: Timestamp| t.as_millis() / 1_000;
        let at = seconds(now);
        let until = self.expires_at(policy, now).map_or(at, seconds);
        let methods = self.methods(policy, now);
        let mut amr: Vec<String> = methods.iter().map(|m| super::amr(*m).into()).collect();
        amr.dedup();
        Some(assertion::Claims {
            iss: assertion::ISSUER.into(),
            aud: place.0,
            sub: person,
            cid: place.1,
            cnf: assertion::Confirmation { leg },
            jti: jti.into(),
            iat: at,
            nbf: at,
            exp: until.min(at + assertion::ASSERTION_S_MAX),
            auth_time: seconds(auth),
            acr: self.level(policy, now),
            methods,
            amr,
            scp: self.scope(policy, now),
        })
    }
}
