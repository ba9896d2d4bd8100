//! What the projections tell.

use cp_vocab::event::{Direction, Endpoint, LegRole};
use cp_vocab::media::Quality;
use cp_vocab::model::{Presence, RoutingState};
use cp_vocab::*;
use serde::{Deserialize, Serialize};

/// Where an interaction stands, for lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionState {
    /// In its flow: ringing, prompts, digits.
    Started,
    /// Waiting in a queue.
    Queued,
    /// Parties are connected.
    Connected,
    Parked,
    Ended,
}

/// An interaction in a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InteractionRow {
    pub id: InteractionId,
    pub tenant: TenantId,
    pub direction: Direction,
    pub from: Pii<Address>,
    pub from_name: Option<Pii<String>>,
    pub to: Pii<Address>,
    pub uci: Uci,
    pub number: Option<NumberId>,
    pub trunk: Option<TrunkId>,
    /// The last queue it was in.
    pub queue: Option<QueueId>,
    /// Agents who answered, in order.
    pub agents: Vec<AgentId>,
    pub state: InteractionState,
    pub started_at: Timestamp,
    /// When parties were first connected with each other. Prompts and queues do not count.
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Time in queues that is over.
    pub waited_ms: u64,
    /// Time in which parties were connected and that is over.
    pub talk_ms: u64,
    pub end_reason: Option<EndReason>,
    pub recordings: u32,
    pub wrap_up_code: Option<WrapUpCodeId>,
}

/// Which interactions are wanted; every set field must match.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct InteractionFilter {
    /// Started at or after.
    pub from: Option<Timestamp>,
    /// Started before.
    pub until: Option<Timestamp>,
    pub state: Option<InteractionState>,
    /// Not ended yet (true) or ended (false).
    pub open: Option<bool>,
    pub direction: Option<Direction>,
    pub queue: Option<QueueId>,
    /// An agent who answered.
    pub agent: Option<AgentId>,
    pub end_reason: Option<EndReason>,
    /// Part of the number, address or name of either party.
    pub party: Option<String>,
    pub uci: Option<Uci>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LegRow {
    pub id: LegId,
    pub interaction: InteractionId,
    pub role: LegRole,
    pub direction: Direction,
    pub endpoint: Endpoint,
    pub address: Pii<Address>,
    pub agent: Option<AgentId>,
    /// SIP Call-ID.
    pub call_id: String,
    pub added_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
    pub codec: Option<String>,
    pub secure: bool,
    /// The last figures told.
    pub quality: Option<Quality>,
    /// What is needed to end the dialog after a crash of the node.
    pub dialog: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordingRow {
    pub id: RecordingId,
    pub interaction: InteractionId,
    pub tenant: TenantId,
    /// As the recorder was told; relative to the recordings folder.
    pub path: String,
    pub left: LegId,
    pub right: Option<LegId>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub duration_ms: Option<u64>,
    pub paused: bool,
    pub error: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AgentStateRow {
    pub agent: AgentId,
    pub presence: Presence,
    /// What it becomes after the work at hand.
    pub next_presence: Option<Presence>,
    pub presence_since: Timestamp,
    pub state: RoutingState,
    pub state_since: Timestamp,
    pub interaction: Option<InteractionId>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegistrationRow {
    pub phone: PhoneId,
    pub tenant: TenantId,
    pub contact: Pii<String>,
    pub transport: String,
    pub registered_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrunkStateRow {
    pub trunk: TrunkId,
    pub up: bool,
    pub rtt_ms: Option<u32>,
    pub why: Option<String>,
    pub since: Timestamp,
}

/// Sums of one queue over a span of time. Entries count when they happened, exits when they did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueueCounters {
    pub queue: QueueId,
    pub entered: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub overflowed: u64,
    pub timed_out: u64,
    pub transferred: u64,
    pub released: u64,
    /// Answered within the queue's service level time.
    pub in_service_level: u64,
    /// Waiting time of those answered.
    pub answered_wait_ms: u64,
    /// Waiting time of those who abandoned.
    pub abandoned_wait_ms: u64,
    /// The longest wait that ended in the span.
    pub wait_ms_max: u64,
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    pub records: u64,
    pub commits: u64,
    pub commit_failures: u64,
    pub batches_refused: u64,
    /// Records waiting for the writer now.
    pub queued: u64,
    /// Time of all commits together.
    pub commit_us_total: u64,
    /// The longest commit.
    pub commit_us_max: u64,
    pub checkpoints: u64,
    /// Size of the write-ahead log now, in pages.
    pub wal_pages: u64,
}
