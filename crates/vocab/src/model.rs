//! The configuration snapshot the engine works from: immutable, replaced whole, so that an
//! interaction never sees half of a change. The store keeps it as rows; the API edits it.

mod identity;

pub use identity::*;

use crate::brand::{Brand, Picture};
use crate::id::*;
use crate::media::{Codec, Sound};
use crate::net::Transport;
use crate::party::NumberRules;
use crate::person::Awaited;
use crate::pii::Pii;
use crate::safety::Safety;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    /// SIP domain and digest realm of its phones. Empty: this tenant answers for every domain (single-tenant).
    pub domain: String,
    /// Concurrent interactions allowed; 0 means no limit of its own.
    #[serde(default)]
    pub interactions_max: u32,
    #[serde(default)]
    pub record_by_default: bool,
    /// Nobody signs in and no call is taken or placed, until it is lifted.
    #[serde(default)]
    pub suspended: bool,
    /// Reasons to be away of the tenant's own, as agents choose them.
    #[serde(default)]
    pub presence_reasons: Vec<String>,
    #[serde(default)]
    pub safety: Box<Safety>,
}

impl Tenant {
    /// The digest realm of its phones: the domain in lower case, or the product's name without one.
    pub fn realm(&self) -> String {
        if self.domain.is_empty() {
            "crosspoint".to_string()
        } else {
            self.domain.to_ascii_lowercase()
        }
    }
}

/// Where a number, extension or overflow leads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Destination {
    /// Answer (playing `greeting` if any) and hold the line until the caller hangs up.
    Answer {
        #[serde(default)]
        greeting: Option<Sound>,
    },
    /// Answer and send everything back.
    Echo,
    /// Answer and play, then hang up.
    Announce {
        sound: Sound,
    },
    Queue {
        queue: QueueId,
    },
    Agent {
        agent: AgentId,
    },
    Phone {
        phone: PhoneId,
    },
    Conference {
        conference: ConferenceId,
    },
    /// Dial out: a SIP URI, or a number by a trunk.
    Dial {
        target: DialTarget,
        #[serde(default)]
        record: bool,
    },
    /// Refuse with this SIP status.
    Reject {
        status: u16,
    },
    /// By business hours; where a number leads, nowhere deeper.
    Hours {
        schedule: ScheduleId,
        open: Box<Destination>,
        closed: Box<Destination>,
    },
    /// Read one digit against a menu.
    Menu {
        prompt: Sound,
        choices: BTreeMap<char, Box<Destination>>,
        timeout_ms: u64,
        fallback: Box<Destination>,
    },
    /// Wait until a program says how to go on (`Command::EndAwait`): met, or not in time.
    Await {
        what: Awaited,
        #[serde(default)]
        timeout_ms: u64,
        then: Box<Destination>,
        otherwise: Box<Destination>,
    },
}

/// What a caller must have met before a place in a queue is taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gate {
    pub what: Awaited,
    pub timeout_ms: u64,
    /// Where those go who did not; `None`: into the queue all the same.
    #[serde(default)]
    pub otherwise: Option<Box<Destination>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DialTarget {
    /// A SIP URI, sent where it says.
    Uri {
        uri: String,
    },
    /// A number or name by a trunk.
    Trunk {
        trunk: TrunkId,
        number: String,
    },
    Phone {
        phone: PhoneId,
    },
    Agent {
        agent: AgentId,
    },
    Extension {
        extension: String,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Number {
    pub id: NumberId,
    pub tenant: TenantId,
    /// E.164 with `+`, an extension, or a name: as callers and phones dial it.
    pub number: String,
    pub name: String,
    pub destination: Destination,
    /// Whether trunks may reach it (false: only the tenant's own phones).
    pub public: bool,
    /// Whether the identity of its calls is kept for when they come back; `None`: as the trunk says.
    #[serde(default)]
    pub keep_identity: Option<KeepIdentity>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Phone {
    pub id: PhoneId,
    pub tenant: TenantId,
    /// User part it registers with; also its extension.
    pub user: String,
    /// Digest secrets: `H(user:realm:password)` for MD5 and SHA-256 (RFC 8760), hex.
    pub ha1_md5: Pii<String>,
    pub ha1_sha256: Pii<String>,
    pub agent: Option<AgentId>,
    pub name: String,
    /// Refuse media without SRTP.
    #[serde(default)]
    pub require_srtp: bool,
    /// Numbers outside the tenant it may dial through trunks.
    #[serde(default)]
    pub may_dial_out: bool,
    #[serde(default)]
    pub forward: Option<Forward>,
    /// What moving a call here needs to know (S1.6).
    #[serde(default)]
    pub device: Device,
}

/// What kind of thing a device is; rules about moving calls name kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    #[default]
    Desk,
    Softphone,
    Browser,
    Mobile,
    /// A voice assistant or loudspeaker: everybody in the room hears.
    Speaker,
}

impl DeviceKind {
    /// For sentences.
    pub fn word(self) -> &'static str {
        match self {
            Self::Desk => "desk phone",
            Self::Softphone => "softphone",
            Self::Browser => "browser",
            Self::Mobile => "mobile",
            Self::Speaker => "loudspeaker",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    pub kind: DeviceKind,
    /// Where it stands, as people say it (`room 12`); devices of one place are near each other.
    pub place: String,
    /// A mobile without an account here is reached by this number through a trunk. Empty: by registration.
    pub number: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum TrunkAuth {
    /// Source addresses (with prefix length) that are this trunk.
    Address { networks: Vec<Network> },
    /// It authenticates to us by digest.
    Digest {
        user: String,
        ha1_md5: Pii<String>,
        ha1_sha256: Pii<String>,
    },
    /// Mutual TLS: the certificate must bear this name.
    Tls { name: String },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Network {
    pub addr: IpAddr,
    pub prefix: u8,
}

impl Network {
    /// Whether `ip` lies in the network. Families do not mix, but IPv4-mapped IPv6 counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.addr, ip.to_canonical()) {
            (IpAddr::V4(n), IpAddr::V4(i)) => {
                let bits = u32::from(self.prefix.min(32));
                bits == 0 || (u32::from(n) ^ u32::from(i)) >> (32 - bits) == 0
            }
            (IpAddr::V6(n), IpAddr::V6(i)) => {
                let bits = u32::from(self.prefix.min(128));
                bits == 0 || (u128::from(n) ^ u128::from(i)) >> (128 - bits) == 0
            }
            _ => false,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trunk {
    pub id: TrunkId,
    pub tenant: TenantId,
    pub name: String,
    pub auth: TrunkAuth,
    /// Host or `host:port` calls leave to; empty for inbound only.
    pub host: String,
    pub transport: Transport,
    /// Credentials we answer challenges with, and register with when `register` is set.
    pub user: String,
    pub password: Pii<String>,
    pub register: bool,
    pub rules: NumberRules,
    pub codecs: Vec<Codec>,
    /// OPTIONS every so many seconds; 0: never.
    pub health_interval_s: u32,
    pub channels_max: u32,
    /// Use SDES-SRTP on calls that leave here.
    #[serde(default)]
    pub srtp: bool,
    /// Patterns of numbers that may leave here, by prefix (`+49`, ``). Empty: none.
    #[serde(default)]
    pub dial_prefixes: Vec<String>,
    /// Calls from here may leave by other trunks (a customer's own exchange); off: they reach the
    /// tenant's public numbers only.
    #[serde(default)]
    pub may_dial_out: bool,
    #[serde(default)]
    pub identity: TrunkIdentity,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skill {
    pub id: SkillId,
    pub tenant: TenantId,
    pub name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SkillLevel {
    pub skill: SkillId,
    /// 1 (learning) to 10 (expert).
    pub level: u8,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agent {
    pub id: AgentId,
    pub tenant: TenantId,
    pub user: Option<UserId>,
    pub name: String,
    pub extension: String,
    pub skills: Vec<SkillLevel>,
    pub queues: Vec<QueueId>,
    pub phone: Option<PhoneId>,
    /// Presence follows the phone: available while registered (a hot desk without a desktop).
    #[serde(default)]
    pub available_when_registered: bool,
    /// Wrap-up overrides the queue's when set.
    #[serde(default)]
    pub wrap_up_ms: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum SelectionRule {
    #[default]
    LongestIdle,
    LeastOccupied,
    LeastFlexible,
    BestScore,
    RoundRobin,
}

/// After `after_ms` of waiting: drop skills, lower levels, or take agents of another queue too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Relaxation {
    pub after_ms: u64,
    #[serde(default)]
    pub drop_skills: Vec<SkillId>,
    /// Subtracted from every level still wanted.
    #[serde(default)]
    pub lower_levels_by: u8,
    #[serde(default)]
    pub widen_to: Vec<QueueId>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Queue {
    pub id: QueueId,
    pub tenant: TenantId,
    pub name: String,
    /// Higher goes first; ties by arrival. Also the head start: one step is worth `priority_boost_ms`.
    pub priority: i32,
    pub skills: Vec<SkillLevel>,
    pub selection: SelectionRule,
    pub relaxations: Vec<Relaxation>,
    /// Waiting at most; more are refused (503 or overflow). 0: the house limit.
    pub waiting_max: u32,
    pub wait_ms_max: u64,
    pub overflow: Option<Destination>,
    /// An offer not answered in this time counts against the agent.
    pub ring_ms_max: u64,
    /// Whether an agent who let an offer ring out is set to not responding.
    pub demote_on_no_answer: bool,
    pub wrap_up_ms: u64,
    /// Service level: this share of calls answered within this time.
    pub service_level_pct: u8,
    pub service_level_ms: u64,
    pub greeting: Option<Sound>,
    pub music: Option<Sound>,
    /// Say position and estimated wait this often; 0: never.
    pub announce_every_ms: u64,
    pub record: bool,
    /// Refuse callers at once when no agent is signed in at all (else they wait).
    pub refuse_when_unstaffed: bool,
    #[serde(default)]
    pub gate: Option<Gate>,
    /// Kinds of device its calls may not be moved to (S1.6): customer data on a loudspeaker.
    #[serde(default)]
    pub switch_forbidden: Vec<DeviceKind>,
}

impl Queue {
    /// A queue with the defaults a new one has in the desktop.
    pub fn with_defaults(id: QueueId, tenant: TenantId, name: impl Into<String>) -> Self {
        Self {
            id,
            tenant,
            name: name.into(),
            priority: 0,
            skills: vec![],
            selection: SelectionRule::LongestIdle,
            relaxations: vec![],
            waiting_max: 0,
            wait_ms_max: 15 * 60_000,
            overflow: None,
            ring_ms_max: 20_000,
            demote_on_no_answer: true,
            wrap_up_ms: 30_000,
            service_level_pct: 80,
            service_level_ms: 20_000,
            greeting: None,
            music: Some(Sound::Prompt {
                name: "music".into(),
            }),
            announce_every_ms: 30_000,
            record: false,
            refuse_when_unstaffed: false,
            gate: None,
            switch_forbidden: vec![],
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Conference {
    pub id: ConferenceId,
    pub tenant: TenantId,
    pub name: String,
    pub members_max: u32,
    pub record: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WrapUpCode {
    pub id: WrapUpCodeId,
    pub tenant: TenantId,
    pub name: String,
}

/// Everything the engine decides from. Built by the store, indexed by the engine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Rises with each change.
    pub version: u64,
    pub tenants: Vec<Tenant>,
    pub numbers: Vec<Number>,
    pub phones: Vec<Phone>,
    pub trunks: Vec<Trunk>,
    pub skills: Vec<Skill>,
    pub agents: Vec<Agent>,
    pub queues: Vec<Queue>,
    pub conferences: Vec<Conference>,
    pub wrap_up_codes: Vec<WrapUpCode>,
    #[serde(default)]
    pub schedules: Vec<crate::schedule::Schedule>,
    #[serde(default)]
    pub certificates: Vec<IdentityCertificate>,
    #[serde(default)]
    pub brands: Vec<Brand>,
    #[serde(default)]
    pub pictures: Vec<Picture>,
}

/// Why an agent is here or away.
#[derive(Clone, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Available,
    Break,
    Meeting,
    Training,
    Meal,
    #[default]
    Offline,
    /// A reason of the tenant's own; counts as away.
    Other(String),
}

/// What an agent is doing, set by the routing alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum RoutingState {
    #[default]
    Idle,
    Offered,
    Interacting,
    WrapUp,
    NotResponding,
}
