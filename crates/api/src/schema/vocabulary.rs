//! Published forms of the vocabulary's types. They are never built: handlers read and write the
//! vocabulary itself, these say in OpenAPI what that looks like. The tests below hold the two together.
#![allow(dead_code)]

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! ids {
    ($($name:ident = $prefix:literal;)*) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct $name(pub(crate) String);
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-7][0-9A-HJKMNP-TV-Z]{25}$")))
                    .extensions(Some(ExtensionsBuilder::new().add("x-id", $prefix).build()))
                    .into()
            }
        }
        impl ToSchema for $name {}
    )*};
}

ids! {
    TenantId = "ten"; InteractionId = "int"; LegId = "leg"; Uci = "uci"; AgentId = "agt"; UserId = "usr";
    QueueId = "que"; SkillId = "skl"; NumberId = "num"; TrunkId = "trk"; PhoneId = "phn"; OfferId = "off";
    RecordingId = "rec"; ConferenceId = "cnf"; WrapUpCodeId = "wuc"; ScheduleId = "sch"; ApiKeyId = "key"; SessionId = "ses";
    RoleId = "rol"; OAuthClientId = "ocl"; IdentityProviderId = "idp"; FactorId = "fac";
    PersonId = "per"; CredentialId = "crd"; DataSessionId = "dat"; CallerPartnerId = "cpa"; PrecallId = "pre";
    PointId = "cpt"; ContactId = "ctc";
    PushId = "psh"; BrandId = "brd"; PictureId = "pic";
}

/// A prompt, words to speak, a tone, or silence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Sound {
    /// A prompt of the tenant or of the house by name.
    Prompt {
        #[schema(min_length = 1, max_length = 100)]
        name: String,
    },
    /// Words for the speech provider.
    Speech {
        #[schema(min_length = 1, max_length = 4000)]
        text: String,
        #[schema(max_length = 100)]
        voice: Option<String>,
    },
    Tone {
        tone: Tone,
    },
    Silence {
        #[schema(maximum = 60_000)]
        ms: u32,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    Ringback,
    Busy,
    Congestion,
    Beep,
}

/// Where a number, an extension or an overflow leads.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "to", rename_all = "snake_case")]
pub(crate) enum Destination {
    /// Answer and hold the line until the caller hangs up.
    Answer {
        greeting: Option<Sound>,
    },
    /// Answer and send everything back.
    Echo,
    /// Answer, play, hang up.
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
    /// Dial out.
    Dial {
        target: DialTarget,
        #[serde(default)]
        record: bool,
    },
    /// Refuse with a SIP status.
    Reject {
        #[schema(minimum = 400, maximum = 699)]
        status: u16,
    },
    /// By business hours; only where a number leads, not inside of menus and overflows.
    Hours {
        schedule: ScheduleId,
        #[schema(no_recursion)]
        open: Box<Destination>,
        #[schema(no_recursion)]
        closed: Box<Destination>,
    },
    /// Read one digit against a menu.
    Menu {
        prompt: Sound,
        #[schema(no_recursion)]
        choices: BTreeMap<String, Destination>,
        #[schema(minimum = 500, maximum = 120_000)]
        timeout_ms: u64,
        #[schema(no_recursion)]
        fallback: Box<Destination>,
    },
    /// Wait until something is met that is decided beside the call.
    Await {
        what: Awaited,
        #[serde(default)]
        #[schema(maximum = 600_000)]
        timeout_ms: u64,
        #[schema(no_recursion)]
        then: Box<Destination>,
        /// When it is not met, or not in time.
        #[schema(no_recursion)]
        otherwise: Box<Destination>,
    },
}

/// What is waited for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "for", rename_all = "snake_case")]
pub(crate) enum Awaited {
    /// That the caller is proven to this level.
    Proof {
        #[schema(minimum = 1, maximum = 4)]
        level: u8,
    },
    /// That the call was announced beforehand by somebody on the caller list.
    ExpectedCaller,
}

/// What a caller must have met before a place in a queue is taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gate {
    pub(crate) what: Awaited,
    #[schema(minimum = 1_000, maximum = 600_000)]
    pub(crate) timeout_ms: u64,
    /// Where those go who did not; without it into the queue all the same.
    #[serde(default)]
    #[schema(no_recursion)]
    pub(crate) otherwise: Option<Box<Destination>>,
}

/// One way a person is known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) kind: IdentityKind,
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) value: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityKind {
    /// E.164 with `+`.
    Phone,
    Email,
    /// A number or name the house knows the customer by.
    Account,
    Device,
}

/// A line of a customer's record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) label: String,
    #[schema(max_length = 2000)]
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) class: FieldClass,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FieldClass {
    #[default]
    Open,
    /// Not to be spoken of before the caller is proven.
    Secure,
}

/// A flag, a number or a word.
#[derive(Debug, Deserialize)]
pub(crate) struct Fact(serde_json::Value);

impl PartialSchema for Fact {
    fn schema() -> RefOr<Schema> {
        use utoipa::openapi::schema::SchemaType;
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([
                Type::String,
                Type::Number,
                Type::Boolean,
            ]))
            .build()
            .into()
    }
}
impl ToSchema for Fact {}

/// A way to prove who one is.
#[derive(Debug, Deserialize, ToSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProofMethod {
    Knowledge,
    Code,
    Link,
    Pin,
    Totp,
    DeviceKey,
    Passkey,
    Photo,
    Announced,
}

/// Whom to dial.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum DialTarget {
    /// A SIP URI, sent where it says.
    Uri {
        #[schema(min_length = 5, max_length = 256)]
        uri: String,
    },
    /// A number or name by a trunk.
    Trunk {
        trunk: TrunkId,
        #[schema(min_length = 1, max_length = 64)]
        number: String,
    },
    Phone {
        phone: PhoneId,
    },
    Agent {
        agent: AgentId,
    },
    /// A number or extension as a phone of the tenant would dial it.
    Extension {
        #[schema(min_length = 1, max_length = 64)]
        extension: String,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkillLevel {
    pub(crate) skill: SkillId,
    /// 1 (learning) to 10 (expert).
    #[schema(minimum = 1, maximum = 10)]
    pub(crate) level: u8,
}

/// What is asked for less strictly after some waiting.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relaxation {
    pub(crate) after_ms: u64,
    #[serde(default)]
    #[schema(max_items = 50)]
    pub(crate) drop_skills: Vec<SkillId>,
    /// Subtracted from every level still wanted.
    #[serde(default)]
    #[schema(maximum = 10)]
    pub(crate) lower_levels_by: u8,
    /// Agents of these queues may be offered it too.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub(crate) widen_to: Vec<QueueId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SelectionRule {
    LongestIdle,
    LeastOccupied,
    LeastFlexible,
    BestScore,
    RoundRobin,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Codec {
    Opus,
    G722,
    Pcma,
    Pcmu,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

/// How a trunk's numbers become E.164 and back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(crate) struct NumberRules {
    /// Country code without `+`; empty leaves numbers as they are.
    #[schema(max_length = 4)]
    pub(crate) country_code: String,
    #[schema(max_length = 4)]
    pub(crate) national_prefix: String,
    #[schema(max_length = 6)]
    pub(crate) international_prefix: String,
    pub(crate) send_plus: bool,
    /// Shorter digit strings are extensions; 0 means 7.
    #[schema(maximum = 15)]
    pub(crate) digits_min: u8,
}

/// Addresses with a prefix length.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    #[schema(value_type = String, max_length = 45)]
    pub(crate) addr: std::net::IpAddr,
    #[schema(maximum = 128)]
    pub(crate) prefix: u8,
}

/// How two people may meet.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Audio,
    Video,
    /// In writing.
    Chat,
}

/// Where a communication point stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PointKind {
    Page,
    App,
    Link,
    Qr,
    Email,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContactKind {
    Call,
    Callback,
    Message,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContactState {
    Offered,
    Open,
    Taken,
    Done,
}

/// What kind of thing a device is; rules about moving calls name kinds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeviceKind {
    Desk,
    Softphone,
    Browser,
    Mobile,
    Speaker,
}

/// What moving a call to this device needs to know.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Device {
    pub(crate) kind: DeviceKind,
    /// Where it stands; devices of one place are near each other.
    #[schema(max_length = 100)]
    pub(crate) place: String,
    /// A mobile without an account here is reached by this number through a trunk.
    #[schema(max_length = 32)]
    pub(crate) number: String,
}

impl Default for Device {
    fn default() -> Self {
        let (kind, place, number) = (DeviceKind::Desk, String::new(), String::new());
        Self {
            kind,
            place,
            number,
        }
    }
}

/// Why an agent is here or away. A reason of the tenant's own is `{"other": "…"}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Presence {
    Available,
    Break,
    Meeting,
    Training,
    Meal,
    Offline,
    Other(String),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoutingState {
    Idle,
    Offered,
    Interacting,
    WrapUp,
    NotResponding,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SuperviseMode {
    /// Hears all, is heard by nobody.
    Listen,
    /// Heard by the agent alone.
    Whisper,
    /// Heard by all.
    Barge,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    Inbound,
    Outbound,
    Internal,
}

/// A number, an extension, a SIP address, or an anonymous caller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub(crate) enum Address {
    /// E.164 with leading `+`.
    Number(String),
    Extension(String),
    Sip(String),
    Anonymous,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Agent,
    Supervisor,
    Administrator,
    /// Runs the platform.
    Operator,
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::id::TypedId;
    use cp_vocab::{media, model};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    /// What the vocabulary writes is what is published.
    fn agrees<Published: DeserializeOwned + ToSchema>(value: impl Serialize) {
        let json = serde_json::to_value(value).unwrap();
        let schemas = crate::openapi::schemas();
        let faults = validate_against(schemas, &Published::name(), &json);
        assert!(faults.is_empty(), "{json}: {faults:?}");
        serde_json::from_value::<Published>(json.clone()).unwrap_or_else(|e| panic!("{json}: {e}"));
    }

    fn validate_against(
        schemas: &serde_json::Map<String, serde_json::Value>,
        name: &str,
        json: &serde_json::Value,
    ) -> Vec<crate::problem::FieldError> {
        super::super::validate::check(schemas, &schemas[name], json)
    }

    #[test]
    fn published_forms_are_the_vocabulary() {
        let speech = media::Sound::Speech {
            text: "hello".into(),
            voice: None,
        };
        agrees::<Sound>(speech.clone());
        agrees::<Sound>(media::Sound::Tone {
            tone: media::Tone::Beep,
        });
        agrees::<Sound>(media::Sound::Silence { ms: 500 });
        let queue = model::Destination::Queue {
            queue: cp_vocab::QueueId::from_u128(7),
        };
        let reject = model::Destination::Reject { status: 486 };
        let menu = model::Destination::Menu {
            prompt: speech.clone(),
            choices: [('1', Box::new(queue.clone()))].into(),
            timeout_ms: 5_000,
            fallback: Box::new(reject.clone()),
        };
        let trunk = model::DialTarget::Trunk {
            trunk: cp_vocab::TrunkId::from_u128(9),
            number: "+15551234567".into(),
        };
        let dial = model::Destination::Dial {
            target: trunk,
            record: true,
        };
        let announce = model::Destination::Announce {
            sound: speech.clone(),
        };
        let answer = model::Destination::Answer {
            greeting: Some(speech),
        };
        let hours = model::Destination::Hours {
            schedule: cp_vocab::ScheduleId::from_u128(11),
            open: Box::new(queue.clone()),
            closed: Box::new(reject.clone()),
        };
        for d in [
            hours,
            queue,
            reject,
            menu,
            dial,
            announce,
            answer,
            model::Destination::Echo,
        ] {
            agrees::<Destination>(d);
        }
        for p in [
            model::Presence::Available,
            model::Presence::Other("fire drill".into()),
        ] {
            agrees::<Presence>(p);
        }
        for s in [
            model::SelectionRule::LongestIdle,
            model::SelectionRule::RoundRobin,
        ] {
            agrees::<SelectionRule>(s);
        }
        agrees::<NumberRules>(cp_vocab::party::NumberRules::default());
        agrees::<SuperviseMode>(cp_vocab::command::SuperviseMode::Whisper);
        agrees::<Codec>(media::Codec::G722);
        agrees::<Transport>(cp_vocab::net::Transport::Wss);
        agrees::<Address>(cp_vocab::Address::Anonymous);
        agrees::<Address>(cp_vocab::Address::Extension("100".into()));
        agrees::<Role>(cp_store::Role::Administrator);
    }
}
