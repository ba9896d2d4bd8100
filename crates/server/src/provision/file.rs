//! The shape of a provisioning file: names instead of ids.

use cp_store::Role;
use cp_vocab::media::{Codec, Sound};
use cp_vocab::model::{Forward, KeepIdentity, SelectionRule, TrunkIdentity};
use cp_vocab::net::Transport;
use cp_vocab::party::NumberRules;
use cp_vocab::person::Awaited;
use cp_vocab::safety::{Outbound, RecordingConsent, Retention};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub tenants: Vec<TenantSpec>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSpec {
    pub name: String,
    pub domain: String,
    pub record_by_default: bool,
    pub interactions_max: u32,
    pub outbound: Outbound,
    pub retention: Retention,
    pub recording_consent: RecordingConsent,
    pub admin: Option<UserSpec>,
    pub users: Vec<UserSpec>,
    pub phones: Vec<PhoneSpec>,
    pub agents: Vec<AgentSpec>,
    pub queues: Vec<QueueSpec>,
    pub conferences: Vec<ConferenceSpec>,
    pub trunks: Vec<TrunkSpec>,
    pub numbers: Vec<NumberSpec>,
    pub points: Vec<PointSpec>,
    pub wrap_up_codes: Vec<String>,
    pub identity_certificates: Vec<IdentityCertificateSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    pub email: String,
    pub password: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub role: Option<Role>,
    #[serde(default)]
    pub agent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneSpec {
    pub user: String,
    pub password: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub agent: Option<String>,
    #[serde(default)]
    pub require_srtp: bool,
    #[serde(default)]
    pub may_dial_out: bool,
    #[serde(default)]
    pub forward: Option<Forward>,
    #[serde(default)]
    pub device: cp_vocab::model::Device,
}

/// A communication point (S4.2).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSpec {
    pub name: String,
    #[serde(default)]
    pub kind: cp_store::PointKind,
    pub destination: DestinationSpec,
    pub modes: Vec<cp_store::Mode>,
    #[serde(default)]
    pub origins: Vec<String>,
    #[serde(default)]
    pub fields: Vec<String>,
    #[serde(default)]
    pub consent: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub numbers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    pub name: String,
    pub extension: String,
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    #[serde(default)]
    pub queues: Vec<String>,
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default)]
    pub available_when_registered: bool,
    #[serde(default)]
    pub wrap_up_ms: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSpec {
    pub name: String,
    pub priority: Option<i32>,
    pub skills: BTreeMap<String, u8>,
    pub selection: Option<SelectionRule>,
    pub waiting_max: Option<u32>,
    pub wait_ms_max: Option<u64>,
    pub overflow: Option<DestinationSpec>,
    pub ring_ms_max: Option<u64>,
    pub demote_on_no_answer: Option<bool>,
    pub wrap_up_ms: Option<u64>,
    pub greeting: Option<Sound>,
    pub music: Option<Sound>,
    /// `true`: callers wait in silence.
    pub silent: bool,
    pub announce_every_ms: Option<u64>,
    pub record: Option<bool>,
    pub refuse_when_unstaffed: Option<bool>,
    pub service_level_ms: Option<u64>,
    pub service_level_pct: Option<u8>,
    #[serde(default)]
    pub switch_forbidden: Vec<cp_vocab::model::DeviceKind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConferenceSpec {
    pub name: String,
    #[serde(default)]
    pub members_max: u32,
    #[serde(default)]
    pub record: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkSpec {
    pub name: String,
    pub auth: TrunkAuthSpec,
    #[serde(default)]
    pub host: String,
    #[serde(default)]
    pub transport: Option<Transport>,
    #[serde(default)]
    pub user: String,
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub register: bool,
    #[serde(default)]
    pub rules: NumberRules,
    #[serde(default)]
    pub codecs: Vec<Codec>,
    #[serde(default)]
    pub health_interval_s: u32,
    #[serde(default)]
    pub channels_max: u32,
    #[serde(default)]
    pub srtp: bool,
    #[serde(default)]
    pub dial_prefixes: Vec<String>,
    #[serde(default)]
    pub may_dial_out: bool,
    #[serde(default)]
    pub identity: TrunkIdentity,
}

/// A certificate that signs for numbers, from files' contents.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityCertificateSpec {
    pub name: String,
    /// PEM, leaf first.
    pub chain: String,
    /// PKCS#8 in PEM.
    pub key: String,
    #[serde(default)]
    pub url: String,
}

#[derive(Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum TrunkAuthSpec {
    /// `192.0.2.0/24` or a single address.
    Address {
        networks: Vec<String>,
    },
    Digest {
        user: String,
        password: String,
    },
    Tls {
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSpec {
    pub number: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub public: bool,
    #[serde(default)]
    pub keep_identity: Option<KeepIdentity>,
    pub destination: DestinationSpec,
}

/// [`Destination`] with names instead of ids.
#[derive(Deserialize, Clone)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum DestinationSpec {
    Answer {
        #[serde(default)]
        greeting: Option<Sound>,
    },
    Echo,
    Announce {
        sound: Sound,
    },
    Queue {
        queue: String,
    },
    Agent {
        agent: String,
    },
    Phone {
        phone: String,
    },
    Conference {
        conference: String,
    },
    /// A SIP URI.
    Uri {
        uri: String,
        #[serde(default)]
        record: bool,
    },
    /// A number by a trunk.
    Trunk {
        trunk: String,
        number: String,
        #[serde(default)]
        record: bool,
    },
    Reject {
        status: u16,
    },
    Menu {
        prompt: Sound,
        choices: BTreeMap<char, Box<DestinationSpec>>,
        #[serde(default)]
        timeout_ms: u64,
        fallback: Box<DestinationSpec>,
    },
    /// Wait for what is decided beside the call: `what = { for = "proof", level = 2 }`.
    Await {
        what: Awaited,
        #[serde(default)]
        timeout_ms: u64,
        then: Box<DestinationSpec>,
        otherwise: Box<DestinationSpec>,
    },
}
