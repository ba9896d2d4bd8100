//! The tenant's rules of proof, and callers who announce their calls: rows of the configuration.

use crate::id::*;
use crate::person::{Fact, ProofMethod};
use crate::pii::Pii;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How secure fields look before the caller is proven.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockedFields {
    /// Shown whole, marked as not to be spoken.
    Marked,
    /// Marked, and all but the last characters covered.
    #[default]
    Masked,
    /// Marked, without a value.
    Hidden,
}

/// Whether callers are asked for their customer number before they prove themselves by telephone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskNumber {
    #[default]
    Never,
    /// Those whose number belongs to nobody: which tells them that.
    Unknown,
    /// Everybody: the question tells nobody whether the number they call from is known.
    Always,
}

/// How a fact is compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactTest {
    Equals,
    AtLeast,
    AtMost,
}

/// Where a proven caller waits, by a fact that only proof makes usable (S0.1 rule 7).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlacementRule {
    /// Proven at least to this level.
    pub level: u8,
    /// Applies to callers on their way to, or waiting in, this queue; none: any.
    #[serde(default)]
    pub from: Option<QueueId>,
    pub fact: String,
    pub test: FactTest,
    pub value: Fact,
    /// Moved here; none: stays and only the priority changes.
    #[serde(default)]
    pub to: Option<QueueId>,
    #[serde(default)]
    pub priority: i32,
}

/// One for each tenant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProofPolicy {
    pub id: ProofPolicyId,
    pub tenant: TenantId,
    /// What each way of proof is worth, 0 (not accepted) to 4, where it is not the default.
    pub levels: BTreeMap<ProofMethod, u8>,
    /// What is asked for, and the level it takes.
    pub intents: BTreeMap<String, u8>,
    /// Tried in this order on the phone.
    pub phone_methods: Vec<ProofMethod>,
    pub placement: Vec<PlacementRule>,
    /// A proof older than this counts no more, in seconds.
    pub proof_s_max: u32,
    pub locked_fields: LockedFields,
    #[serde(default)]
    pub ask_number: AskNumber,
    /// Wrong entries in one call before it counts as not met.
    pub tries_per_call: u8,
    /// How long a code or a link is good, in seconds.
    pub code_s_max: u32,
}

impl ProofPolicy {
    /// What holds for a tenant that has set nothing.
    pub fn with_defaults(id: ProofPolicyId, tenant: TenantId) -> Self {
        Self {
            id,
            tenant,
            levels: BTreeMap::new(),
            intents: BTreeMap::new(),
            phone_methods: vec![ProofMethod::Pin, ProofMethod::Totp, ProofMethod::Code],
            placement: vec![],
            proof_s_max: 3_600,
            locked_fields: LockedFields::Masked,
            ask_number: AskNumber::Never,
            tries_per_call: 3,
            code_s_max: 300,
        }
    }
}

/// How often somebody was wrong of late.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tries {
    /// In a row.
    pub failures: u32,
    pub last: crate::Timestamp,
    /// Days since 1970, and the failures of that day.
    pub day: u32,
    pub day_failures: u32,
}

/// Somebody who may announce calls (S4.3): the result of the pre-authentication phase.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallerPartner {
    pub id: CallerPartnerId,
    pub tenant: TenantId,
    pub name: String,
    /// The shared secret that signs its tokens (HMAC-SHA-256), base64url.
    pub secret: Pii<String>,
    /// The person on whose behalf it calls, when it is always the same one.
    #[serde(default)]
    pub person: Option<PersonId>,
    /// Announced calls that may be open at a time.
    pub open_max: u32,
    /// Longest time from token to call, in seconds.
    pub valid_s_max: u32,
    #[serde(default)]
    pub disabled: bool,
}
