//! The kinds of configuration rows: what is unique among them and what each names.

use crate::auth::{ApiKey, CustomRole, IdentityProvider, OAuthClient, User};
use crate::contact::Point;
use cp_vocab::brand::{Brand, Picture};
use cp_vocab::model::{
    Agent, Conference, IdentityCertificate, Number, Phone, Queue, Skill, Tenant, Trunk, WrapUpCode,
};
use cp_vocab::person::Person;
use cp_vocab::proof::{CallerPartner, ProofPolicy};
use cp_vocab::schedule::Schedule;
use cp_vocab::*;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A receiver of events by HTTP: what the outbox is filled for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Webhook {
    pub id: WebhookId,
    pub tenant: TenantId,
    pub url: String,
    /// Signs the deliveries.
    pub secret: Pii<String>,
    /// Event kinds wanted: `interaction.ended`, a family `leg.*`, or `*`.
    pub events: Vec<String>,
    #[serde(default)]
    pub disabled: bool,
}

impl Webhook {
    /// Whether an event of this kind is to be delivered.
    pub fn wants(&self, kind: &str) -> bool {
        !self.disabled
            && self.events.iter().any(|e| match e.strip_suffix('*') {
                Some(family) => kind.starts_with(family),
                None => e == kind,
            })
    }
}

/// A type that is kept as a configuration row.
pub trait Entity: Into<ConfigRow> + Sized {
    type Id: Into<ConfigId> + Copy;
    const KIND: ConfigKind;
    /// `None` when the row is of another kind.
    fn from_row(row: ConfigRow) -> Option<Self>;
}

macro_rules! kinds {
    ($($name:ident($id:ident) = $word:literal, $code:literal;)*) => {
        /// What a configuration row is.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ConfigKind { $($name,)* }

        impl ConfigKind {
            pub const ALL: &'static [ConfigKind] = &[$(ConfigKind::$name,)*];
            /// The word in errors and events.
            pub fn word(self) -> &'static str { match self { $(Self::$name => $word,)* } }
            /// The number in the database; never reused.
            pub(crate) fn code(self) -> i64 { match self { $(Self::$name => $code,)* } }
        }

        /// Names any configuration row.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum ConfigId { $($name($id),)* }

        impl ConfigId {
            pub fn kind(self) -> ConfigKind { match self { $(Self::$name(_) => ConfigKind::$name,)* } }
            pub(crate) fn raw(self) -> u128 { match self { $(Self::$name(i) => i.as_u128(),)* } }
            pub(crate) fn from_raw(code: i64, raw: u128) -> Option<Self> {
                match code { $($code => Some(Self::$name($id::from_u128(raw))),)* _ => None }
            }
        }
        impl fmt::Display for ConfigId {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$name(i) => i.fmt(f),)* }
            }
        }

        /// Any configuration row.
        #[derive(Clone, PartialEq, Debug)]
        pub enum ConfigRow { $($name($name),)* }

        impl ConfigRow {
            pub fn id(&self) -> ConfigId { match self { $(Self::$name(r) => ConfigId::$name(r.id),)* } }
            pub fn kind(&self) -> ConfigKind { match self { $(Self::$name(_) => ConfigKind::$name,)* } }
            pub(crate) fn to_json(&self) -> serde_json::Result<String> {
                match self { $(Self::$name(r) => serde_json::to_string(r),)* }
            }
            pub(crate) fn from_json(kind: ConfigKind, text: &str) -> serde_json::Result<Self> {
                Ok(match kind { $(ConfigKind::$name => Self::$name(serde_json::from_str(text)?),)* })
            }
        }

        $(
            impl From<$id> for ConfigId { fn from(i: $id) -> Self { Self::$name(i) } }
            impl From<$name> for ConfigRow { fn from(r: $name) -> Self { Self::$name(r) } }
            impl Entity for $name {
                type Id = $id;
                const KIND: ConfigKind = ConfigKind::$name;
                fn from_row(row: ConfigRow) -> Option<Self> {
                    match row { ConfigRow::$name(r) => Some(r), _ => None }
                }
            }
        )*
    };
}

kinds! {
    Tenant(TenantId) = "tenant", 1;
    User(UserId) = "user", 2;
    ApiKey(ApiKeyId) = "api_key", 3;
    Agent(AgentId) = "agent", 4;
    Queue(QueueId) = "queue", 5;
    Skill(SkillId) = "skill", 6;
    Number(NumberId) = "number", 7;
    Trunk(TrunkId) = "trunk", 8;
    Phone(PhoneId) = "phone", 9;
    Conference(ConferenceId) = "conference", 10;
    WrapUpCode(WrapUpCodeId) = "wrap_up_code", 11;
    Webhook(WebhookId) = "webhook", 12;
    CustomRole(RoleId) = "role", 60;
    OAuthClient(OAuthClientId) = "oauth_client", 61;
    IdentityProvider(IdentityProviderId) = "identity_provider", 62;
    IdentityCertificate(CertificateId) = "identity_certificate", 21;
    Person(PersonId) = "person", 13;
    ProofPolicy(ProofPolicyId) = "proof_policy", 14;
    CallerPartner(CallerPartnerId) = "caller_partner", 15;
    Point(PointId) = "point", 30;
    Schedule(ScheduleId) = "schedule", 41;
    Brand(BrandId) = "brand", 31;
    Picture(PictureId) = "picture", 32;
}

impl ConfigRow {
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Tenant(r) => r.id,
            Self::User(r) => r.tenant,
            Self::ApiKey(r) => r.tenant,
            Self::Agent(r) => r.tenant,
            Self::Queue(r) => r.tenant,
            Self::Skill(r) => r.tenant,
            Self::Number(r) => r.tenant,
            Self::Trunk(r) => r.tenant,
            Self::Phone(r) => r.tenant,
            Self::Conference(r) => r.tenant,
            Self::WrapUpCode(r) => r.tenant,
            Self::Schedule(r) => r.tenant,
            Self::IdentityCertificate(r) => r.tenant,
            Self::Webhook(r) => r.tenant,
            Self::CustomRole(r) => r.tenant,
            Self::OAuthClient(r) => r.tenant,
            Self::IdentityProvider(r) => r.tenant,
            Self::Brand(r) => r.tenant,
            Self::Picture(r) => r.tenant,
            Self::Person(r) => r.tenant,
            Self::ProofPolicy(r) => r.tenant,
            Self::CallerPartner(r) => r.tenant,
            Self::Point(r) => r.tenant,
        }
    }
}
