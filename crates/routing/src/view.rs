//! What the pool shows of itself: live figures and explained decisions.

use cp_vocab::Timestamp;
use cp_vocab::event::OfferEnd;
use cp_vocab::id::*;
use cp_vocab::model::{Presence, RoutingState, SelectionRule, SkillLevel};
use serde::Serialize;

/// How many members of a queue are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StateCounts {
    /// Could be offered work now.
    pub available: u32,
    /// Idle and present, but the phone is not there, or pausing after a failed offer.
    pub unreachable: u32,
    pub offered: u32,
    pub interacting: u32,
    pub wrap_up: u32,
    pub not_responding: u32,
    /// Idle, signed in, presence other than available.
    pub away: u32,
    pub offline: u32,
}

/// An estimated wait. The range is the honest form; the mean alone is a false precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaitEstimate {
    pub mean_ms: u64,
    pub p50_ms: u64,
    pub p90_ms: u64,
}

/// Live figures of one queue; those of today start at midnight of the house's zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueStats {
    pub queue: QueueId,
    pub name: String,
    /// In the queue, those being offered included.
    pub waiting: u32,
    /// Of these, being offered now.
    pub ringing: u32,
    pub longest_wait_ms: u64,
    /// For a caller who would come now; missing while nobody is on duty.
    pub estimated_wait: Option<WaitEstimate>,
    /// Share of today's calls answered within the target, 0 to 100; missing before the first one.
    /// Callers who hung up within the target do not count.
    pub service_level_pct: Option<f64>,
    pub service_level_target_pct: u8,
    pub service_level_ms: u64,
    pub answered: u64,
    pub answered_in_time: u64,
    pub abandoned: u64,
    pub overflowed: u64,
    pub refused: u64,
    /// Mean wait of today's answered calls.
    pub average_wait_ms: u64,
    /// Mean of work and wrap-up, estimated online.
    pub handle_ms: u64,
    /// Mean patience, estimated online.
    pub patience_ms: u64,
    pub agents: StateCounts,
}

/// One agent as the live page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentView {
    pub agent: AgentId,
    pub tenant: TenantId,
    pub name: String,
    pub presence: Presence,
    /// What it becomes after the work at hand.
    pub next_presence: Option<Presence>,
    pub state: RoutingState,
    pub state_since: Timestamp,
    /// Could be offered work now.
    pub routable: bool,
    /// Why not, when not.
    pub because: Option<Reason>,
    pub phone_until: Option<Timestamp>,
    pub desktop_until: Option<Timestamp>,
    pub offer: Option<OfferId>,
    pub interactions: Vec<InteractionId>,
    pub wrap_up_until: Option<Timestamp>,
    /// Share of the last hour (exponentially weighted) spent at work, 0 to 1.
    pub occupancy: f64,
    pub answered: u64,
    pub missed: u64,
}

/// Why an agent does not get a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    NotInQueue,
    MissingSkill,
    LevelTooLow,
    Offline,
    Away,
    NoPhone,
    Paused,
    Offered,
    Interacting,
    WrapUp,
    NotResponding,
    /// Rejected or missed this very ticket a short while ago.
    AvoidedByTicket,
    /// Could have had it, another was before by the selection rule.
    NotFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    pub reason: Reason,
    pub agents: u32,
}

/// An eligible agent of a decision with what the rule looked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Candidate {
    pub agent: AgentId,
    pub idle_ms: u64,
    pub occupancy: f64,
}

/// One offer as it was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    #[serde(with = "cp_vocab::time::rfc3339")]
    pub at: Timestamp,
    pub offer: OfferId,
    pub rule: SelectionRule,
    pub chosen: Candidate,
    /// Idle agents who could have had it, the chosen one included; with very many classes of
    /// agents a lower bound.
    pub eligible: u32,
    /// The next by the rule.
    pub runner_up: Option<Candidate>,
    /// The queue's members by state at that moment.
    pub members: StateCounts,
    pub waited_ms: u64,
    pub because: String,
    pub ended: Option<OfferEnd>,
}

/// Something that changed what the ticket wants or where it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainStep {
    #[serde(with = "cp_vocab::time::rfc3339")]
    pub at: Timestamp,
    pub what: String,
}

/// Why an interaction was routed as it was. Bounded: the last steps and decisions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explain {
    pub interaction: InteractionId,
    pub queue: QueueId,
    pub priority: i32,
    #[serde(with = "cp_vocab::time::rfc3339")]
    pub since: Timestamp,
    /// What it wants now, after relaxations.
    pub wanted: Vec<SkillLevel>,
    /// Whose agents it takes now.
    pub queues: Vec<QueueId>,
    pub position: Option<u32>,
    pub wait_estimate: Option<WaitEstimate>,
    /// Filled while it waits: every agent of the tenant counted under the first reason that keeps
    /// the work away.
    pub not_taken_by: Vec<ReasonCount>,
    pub steps: Vec<ExplainStep>,
    pub decisions: Vec<Decision>,
    /// Older decisions that were dropped from the list.
    pub decisions_dropped: u32,
}
