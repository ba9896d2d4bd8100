//! Messages of a browser, read and bounded.

use cp_vocab::model::DialTarget;
use cp_vocab::web::{CARRIED_MAX, DeviceAsk, SDP_BYTES_MAX};
use cp_vocab::{AgentId, LegId};
use serde::Deserialize;
use serde_json::Value;

/// Longest `ref`, and longest number or name dialled.
const REF_CHARS_MAX: usize = 64;
const TO_CHARS_MAX: usize = 256;
const CANDIDATE_BYTES_MAX: usize = 1_024;

/// One message.
pub(super) struct Message {
    pub(super) reference: Option<String>,
    pub(super) say: Say,
}

/// Why a message is refused: code and words.
pub(super) struct Bad {
    pub(super) reference: Option<String>,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

#[derive(Deserialize)]
#[serde(tag = "media", rename_all = "snake_case")]
pub(super) enum Say {
    Attach {
        #[serde(default)]
        legs: Vec<LegId>,
    },
    Detach,
    Call {
        #[serde(default)]
        to: Option<Value>,
        sdp: String,
        #[serde(default)]
        context: Option<Value>,
        #[serde(default)]
        name: Option<String>,
    },
    Accept {
        leg: LegId,
        sdp: String,
    },
    Reject {
        leg: LegId,
    },
    Offer {
        leg: LegId,
        sdp: String,
        #[serde(default)]
        peer: Option<Peer>,
    },
    Answer {
        leg: LegId,
        sdp: String,
    },
    RequestOffer {
        leg: LegId,
    },
    Candidate {
        leg: LegId,
        candidate: String,
    },
    Digits {
        leg: LegId,
        digits: String,
    },
    Mute {
        leg: LegId,
        on: bool,
    },
    Hold {
        leg: LegId,
        on: bool,
    },
    Hangup {
        leg: LegId,
    },
    Seats {
        leg: LegId,
        #[serde(flatten)]
        seats: crate::call::SeatsInput,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Peer {
    New,
}

impl Say {
    /// The leg it is about.
    pub(super) fn leg(&self) -> Option<LegId> {
        match self {
            Self::Attach { .. } | Self::Detach | Self::Call { .. } => None,
            Self::Accept { leg, .. }
            | Self::Reject { leg }
            | Self::Offer { leg, .. }
            | Self::Answer { leg, .. }
            | Self::RequestOffer { leg }
            | Self::Candidate { leg, .. }
            | Self::Digits { leg, .. }
            | Self::Mute { leg, .. }
            | Self::Hold { leg, .. }
            | Self::Seats { leg, .. }
            | Self::Hangup { leg } => Some(*leg),
        }
    }

    /// What is said about a leg, as the engine takes it; `None` for what is not of that kind.
    pub(super) fn into_ask(self) -> Option<DeviceAsk> {
        Some(match self {
            Self::Accept { leg, sdp } => DeviceAsk::Accept { leg, sdp },
            Self::Reject { leg } => DeviceAsk::Reject { leg },
            Self::Offer { leg, sdp, peer } => DeviceAsk::Offer {
                leg,
                sdp,
                fresh: peer.is_some(),
            },
            Self::Answer { leg, sdp } => DeviceAsk::Answer { leg, sdp },
            Self::RequestOffer { leg } => DeviceAsk::RequestOffer { leg },
            Self::Candidate { leg, candidate } => DeviceAsk::Candidate { leg, candidate },
            Self::Digits { leg, digits } => DeviceAsk::Digits { leg, digits },
            Self::Mute { leg, on } => DeviceAsk::Mute { leg, muted: on },
            Self::Hangup { leg } => DeviceAsk::HangUp { leg },
            Self::Seats { leg, seats } => DeviceAsk::Seats {
                leg,
                seats: seats.into(),
            },
            Self::Attach { .. } | Self::Detach | Self::Call { .. } | Self::Hold { .. } => {
                return None;
            }
        })
    }

    fn sdp(&self) -> Option<&str> {
        match self {
            Self::Call { sdp, .. }
            | Self::Accept { sdp, .. }
            | Self::Offer { sdp, .. }
            | Self::Answer { sdp, .. } => Some(sdp),
            _ => None,
        }
    }
}

/// Whether a text is a message of this page rather than a heartbeat.
pub(super) fn is_media(value: &Value) -> bool {
    value.get("media").is_some()
}

pub(super) fn read(mut value: Value) -> Result<Message, Bad> {
    let reference = value.get("ref").and_then(Value::as_str);
    let reference = reference.map(|r| r.chars().take(REF_CHARS_MAX).collect::<String>());
    let bad = |code, detail: String| Bad {
        reference: reference.clone(),
        code,
        detail,
    };
    if let Some(map) = value.as_object_mut() {
        map.remove("ref");
    }
    let say: Say = serde_json::from_value(value).map_err(|e| bad("bad_message", e.to_string()))?;
    if say.sdp().is_some_and(|s| s.len() > SDP_BYTES_MAX) {
        let detail = format!("an SDP has at most {SDP_BYTES_MAX} bytes");
        return Err(bad("sdp_too_large", detail));
    }
    if let Say::Attach { legs } = &say
        && legs.len() > CARRIED_MAX
    {
        let detail = format!("a tab carries {CARRIED_MAX} legs at most");
        return Err(bad("bad_message", detail));
    }
    if let Say::Candidate { candidate, .. } = &say
        && candidate.len() > CANDIDATE_BYTES_MAX
    {
        let detail = format!("a candidate has at most {CANDIDATE_BYTES_MAX} bytes");
        return Err(bad("candidate_malformed", detail));
    }
    Ok(Message { reference, say })
}

/// Where an agent dials: text, or a target as in REST.
pub(super) fn target(to: Option<Value>) -> Result<DialTarget, String> {
    match to {
        Some(Value::String(text)) => {
            let extension = text.trim().to_string();
            let fits = !extension.is_empty() && extension.chars().count() <= TO_CHARS_MAX;
            if !fits || extension.chars().any(char::is_control) {
                return Err(format!("`to` has 1 to {TO_CHARS_MAX} characters"));
            }
            Ok(DialTarget::Extension { extension })
        }
        Some(other) => serde_json::from_value(other).map_err(|e| format!("`to`: {e}")),
        None => Err("missing field `to`".into()),
    }
}

/// The call of an agent, as the engine takes it.
pub(super) fn call_of(agent: AgentId, to: Option<Value>, sdp: String) -> Result<DeviceAsk, String> {
    Ok(DeviceAsk::Call {
        agent,
        to: target(to)?,
        sdp,
    })
}
