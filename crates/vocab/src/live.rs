//! What a tenant looks like right now: the answer to [`Command::Live`](crate::Command::Live).
//! The engine fills it, the API filters it by permission, screens draw it. Times are RFC 3339.

use crate::command::SuperviseMode;
use crate::event::{CallStatus, Direction, LegRole};
use crate::id::*;
use crate::model::{Presence, RoutingState};
use crate::party::Address;
use crate::pii::Pii;
use crate::time::{Timestamp, rfc3339, rfc3339_option};
use serde::{Deserialize, Serialize};

/// Everything live of one tenant at one instant.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveDocument {
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    pub agents: Vec<LiveAgent>,
    pub queues: Vec<LiveQueue>,
    pub interactions: Vec<LiveInteraction>,
    pub phones: Vec<LivePhone>,
    pub trunks: Vec<LiveTrunk>,
}

/// One agent now. Agents who are offline are listed too.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveAgent {
    pub id: AgentId,
    pub presence: Presence,
    /// What the presence becomes when the current work ends.
    #[serde(default)]
    pub next_presence: Option<Presence>,
    pub state: RoutingState,
    /// When the pair of presence and state last changed.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// Whether the agent's phone is registered (or otherwise reachable).
    pub phone_reachable: bool,
    /// Whether a desktop holds the lease.
    pub desktop: bool,
    /// Pending offers to this agent.
    #[serde(default)]
    pub offers: Vec<LiveOffer>,
    /// The interaction being handled or wrapped up.
    #[serde(default)]
    pub interaction: Option<InteractionId>,
    /// The agent's own leg in it.
    #[serde(default)]
    pub leg: Option<LegId>,
    /// When wrap-up ends by itself.
    #[serde(default, with = "rfc3339_option")]
    pub wrap_up_until: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveOffer {
    pub id: OfferId,
    pub interaction: InteractionId,
    #[serde(default)]
    pub queue: Option<QueueId>,
    #[serde(with = "rfc3339")]
    pub deadline: Timestamp,
}

/// One queue now. The counts are of the current local day.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveQueue {
    pub id: QueueId,
    pub waiting: u32,
    pub longest_wait_ms: u64,
    #[serde(default)]
    pub wait_estimate_ms: Option<u64>,
    /// Agents of the queue who are not offline.
    pub agents_signed_in: u32,
    /// Agents of the queue who could be offered work this instant.
    pub agents_available: u32,
    pub entered: u64,
    pub answered: u64,
    pub abandoned: u64,
    /// Share of answered and abandoned calls that were answered in time, in per cent; none before the first.
    #[serde(default)]
    pub service_level_pct: Option<f32>,
}

/// One interaction that has not ended (or is being wrapped up).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveInteraction {
    pub id: InteractionId,
    /// `sequence` of the newest event of its trail that this is made of.
    #[serde(default)]
    pub seq: u64,
    pub direction: Direction,
    pub from: Pii<Address>,
    #[serde(default)]
    pub from_name: Option<Pii<String>>,
    pub to: Pii<Address>,
    #[serde(with = "rfc3339")]
    pub started: Timestamp,
    /// The queue it waits in or was answered from.
    #[serde(default)]
    pub queue: Option<QueueId>,
    /// Whether it waits there now.
    #[serde(default)]
    pub waiting: bool,
    /// Since when it waits there.
    #[serde(default, with = "rfc3339_option")]
    pub waiting_since: Option<Timestamp>,
    #[serde(default)]
    pub priority: i32,
    #[serde(default)]
    pub recording: RecordingState,
    /// The park slot, when parked.
    #[serde(default)]
    pub slot: Option<String>,
    #[serde(default)]
    pub legs: Vec<LiveLeg>,
    /// What is shown of the caller while it rings.
    #[serde(default)]
    pub card: Option<crate::card::RingCard>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    #[default]
    Off,
    On,
    Paused,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveLeg {
    pub id: LegId,
    pub role: LegRole,
    pub address: Pii<Address>,
    #[serde(default)]
    pub agent: Option<AgentId>,
    pub status: CallStatus,
    /// When `status` was reached.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    #[serde(default)]
    pub held: bool,
    #[serde(default)]
    pub muted: bool,
    /// Set on a supervisor's leg.
    #[serde(default)]
    pub supervise: Option<SuperviseMode>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LivePhone {
    pub id: PhoneId,
    pub registered: bool,
    #[serde(default)]
    pub transport: Option<String>,
    /// The software it names in `User-Agent`.
    #[serde(default)]
    pub user_agent: Option<String>,
    #[serde(default, with = "rfc3339_option")]
    pub expires: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveTrunk {
    pub id: TrunkId,
    pub up: bool,
    /// Round trip of the last OPTIONS.
    #[serde(default)]
    pub rtt_ms: Option<u32>,
    /// Why it is down.
    #[serde(default)]
    pub why: Option<String>,
    pub channels: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc3339_and_unknown_parts_default() {
        let doc: LiveDocument =
            serde_json::from_str(r#"{"at":"2026-01-02T03:04:05.678Z","agents":[]}"#).unwrap();
        assert_eq!(doc.at.to_rfc3339(), "2026-01-02T03:04:05.678Z");
        let json = serde_json::to_value(&doc).unwrap();
        assert_eq!(json["at"], "2026-01-02T03:04:05.678Z");
        assert_eq!(json["queues"], serde_json::json!([]));
    }
}
