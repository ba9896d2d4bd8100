//! Persons: who customers are over all their numbers, addresses and devices, and how well it is
//! proven that one of them is on the line.

use crate::id::*;
use crate::pii::Pii;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an identity of a person is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// E.164 with `+`.
    Phone,
    /// An e-mail address, in lower case.
    Email,
    /// A number or name the house knows the customer by.
    Account,
    /// A device or browser, by a name of its own.
    Device,
}

impl IdentityKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Account => "account",
            Self::Device => "device",
        }
    }
}

/// One way a person is known. Unique in the tenant; merging persons moves it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    pub kind: IdentityKind,
    pub value: Pii<String>,
}

impl Identity {
    /// The one form in which it is kept and looked up: no spaces, numbers without separators,
    /// addresses in lower case.
    pub fn canonical(kind: IdentityKind, value: &str) -> Self {
        let value = value.trim();
        let value = match kind {
            IdentityKind::Phone => value
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || "+*#".contains(*c))
                .collect(),
            IdentityKind::Email => value.to_lowercase(),
            IdentityKind::Account | IdentityKind::Device => value.to_string(),
        };
        Self {
            kind,
            value: Pii(value),
        }
    }
    /// The text that is unique in a tenant.
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.value.expose())
    }
}

/// Who may hear a field of a customer's record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldClass {
    /// May be spoken of with anybody on the line.
    #[default]
    Open,
    /// Marked until the caller is proven (S0.1 rule 5).
    Secure,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub label: String,
    pub value: Pii<String>,
    #[serde(default)]
    pub class: FieldClass,
}

/// Something known of a person that routing may use, but only once the caller is proven.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    Flag(bool),
    Number(f64),
    Word(String),
}

/// A customer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    pub tenant: TenantId,
    pub name: Pii<String>,
    #[serde(default)]
    pub identities: Vec<Identity>,
    #[serde(default)]
    pub fields: Vec<Field>,
    #[serde(default)]
    pub facts: BTreeMap<String, Fact>,
    /// Where a picture of the person is kept; what an agent compares with.
    #[serde(default)]
    pub photo: Option<Pii<String>>,
    /// Persons that turned out to be this one. Their interactions and credentials are this person's.
    #[serde(default)]
    pub merged: Vec<PersonId>,
}

/// A way to prove who one is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofMethod {
    /// Answers to questions: the last resort.
    Knowledge,
    /// A code sent to an address of the person.
    Code,
    /// A link sent to an address of the person.
    Link,
    Pin,
    Totp,
    /// A key kept by a device, signing a challenge of this call.
    DeviceKey,
    Passkey,
    /// A picture compared with the one kept, by a person or a provider.
    Photo,
    /// The caller announced the call beforehand with a token (S4.3).
    Announced,
}

impl ProofMethod {
    pub const ALL: &'static [ProofMethod] = &[
        Self::Knowledge,
        Self::Code,
        Self::Link,
        Self::Pin,
        Self::Totp,
        Self::DeviceKey,
        Self::Passkey,
        Self::Photo,
        Self::Announced,
    ];
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Knowledge => "knowledge",
            Self::Code => "code",
            Self::Link => "link",
            Self::Pin => "pin",
            Self::Totp => "totp",
            Self::DeviceKey => "device_key",
            Self::Passkey => "passkey",
            Self::Photo => "photo",
            Self::Announced => "announced",
        }
    }
}

/// What an interaction waits for outside itself, before it goes on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Awaited {
    /// That the caller is proven to this level (1 to 4).
    Proof { level: u8 },
    /// That the call was announced beforehand (S4.3).
    ExpectedCaller,
}

impl Awaited {
    /// Whether people have to do something on the line meanwhile, so that it must be answered.
    pub fn needs_answer(&self) -> bool {
        matches!(self, Self::Proof { .. })
    }
}

/// Why the proof of an interaction changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofStep {
    /// We know who it says it is.
    Claimed,
    Proven,
    /// A proof was wrong.
    Failed,
    /// No more tries.
    Locked,
    /// More is needed for what is asked.
    StepUp,
    /// It came along with the caller from another interaction.
    Carried,
    /// A data channel was tied to the call.
    Paired,
    Revoked,
}
