//! What goes into the router and what comes out.

use cp_vocab::event::{OfferEnd, QueueExit};
use cp_vocab::id::*;
use cp_vocab::model::{Agent, Destination, Presence, Queue, RoutingState, SkillLevel};
use cp_vocab::{Code, Timestamp};
use smallvec::SmallVec;

/// Limits and constants of one pool. `Default` is what a house starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterConfig {
    /// Seed of the offer ids.
    pub seed: [u8; 32],
    /// A desktop lease never reaches further than this from the heartbeat.
    pub lease_ms: u64,
    /// What one step of priority is worth: a ticket counts as if it had come so much earlier.
    pub priority_boost_ms: u64,
    /// After a rejected, unanswered or unreachable offer the ticket avoids that agent so long.
    pub avoid_ms: u64,
    /// Waiting per queue when the queue sets none; more are refused with `QueueFull`.
    pub waiting_max_per_queue: u32,
    /// Waiting in the whole pool; more are refused with `QueueFull`.
    pub waiting_max: u32,
    /// Pause of an agent whose phone could not be reached; doubles with each failure in a row, and
    /// at the third the agent is set to not responding.
    pub unreachable_pause_ms: u64,
    /// Start of the day for the figures of today, as seconds east of UTC.
    pub day_offset_s: i32,
    /// Least-flexible selection turns to least-occupied for agents whose occupancy is more than
    /// this above their tenant's mean.
    pub occupancy_guard: f64,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            seed: [0; 32],
            lease_ms: 45_000,
            priority_boost_ms: 300_000,
            avoid_ms: 30_000,
            waiting_max_per_queue: 10_000,
            waiting_max: 200_000,
            unreachable_pause_ms: 5_000,
            day_offset_s: 0,
            occupancy_guard: 0.05,
        }
    }
}

/// Work that waits for an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    pub interaction: InteractionId,
    pub tenant: TenantId,
    pub queue: QueueId,
    /// Added to the queue's own priority.
    pub priority: i32,
    /// Wanted beside the queue's skills; the higher level counts where both name one.
    pub skills: SmallVec<[SkillLevel; 4]>,
    /// Since when it waits; earlier than now keeps an old place.
    pub since: Timestamp,
    /// Taken before all others when idle and able.
    pub preferred_agent: Option<AgentId>,
}

/// What proves that an agent can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LeaseKind {
    /// A desktop's heartbeat. Optional: an agent who never had one is judged by the phone alone.
    Desktop(SessionId),
    /// The registration of the agent's phone, or a page that carries the calls. Without it no work is
    /// offered, unless a push reaches the agent.
    Phone,
    /// A push rings a browser of the agent though no page is open. It makes nobody available.
    Push,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LeaseEnd {
    /// Ended on purpose: desktop signed off, phone unregistered.
    SignedOff,
    /// The page was closed: the end of work too, unless a push reaches the agent.
    Closed,
    /// Connection, media or registration lost.
    Lost,
}

/// Everything that can happen to the pool.
#[derive(Clone, Debug, PartialEq)]
pub enum RouterInput {
    /// The whole configuration; compared with what is there. An agent at work keeps the work, a
    /// ticket whose queue is gone overflows as `Released`.
    Configure {
        agents: Vec<Agent>,
        queues: Vec<Queue>,
    },
    /// State of an agent before a restart, as the log tells it. Gives no output of its own.
    Restore {
        agent: AgentId,
        presence: Presence,
        not_responding: bool,
        wrap_up: Option<(InteractionId, Timestamp)>,
    },
    SetPresence {
        agent: AgentId,
        presence: Presence,
    },
    /// A heartbeat or a registration, valid until a time ([`Timestamp::FAR`] for a desktop: the
    /// house lease).
    Lease {
        agent: AgentId,
        kind: LeaseKind,
        until: Timestamp,
    },
    LeaseEnded {
        agent: AgentId,
        kind: LeaseKind,
        why: LeaseEnd,
    },
    Enqueue(Ticket),
    /// Move a waiting interaction to another queue. Its place follows from `since`, `None` keeps
    /// the old time of arrival. An offer in flight is cancelled.
    Requeue {
        interaction: InteractionId,
        queue: QueueId,
        since: Option<Timestamp>,
    },
    SetPriority {
        interaction: InteractionId,
        priority: i32,
    },
    /// The interaction leaves its queue (hang-up, transfer, end). Cancels an offer in flight.
    Remove {
        interaction: InteractionId,
        exit: QueueExit,
    },
    /// The agent took it. Refused with `OfferGone` when the offer has ended.
    Accepted {
        offer: OfferId,
    },
    /// The agent declined: the ticket keeps its place and avoids this agent for a while.
    Rejected {
        offer: OfferId,
    },
    /// Phone gone or busy: as rejected, and the agent pauses.
    Unreachable {
        offer: OfferId,
    },
    /// Connecting failed after the accept: the ticket returns to its old place, the agent pauses.
    AcceptFailed {
        agent: AgentId,
        interaction: InteractionId,
    },
    /// A call outside queues occupies the agent; an offer in flight is rescinded. `queue`: where the
    /// call came from before it was handed to the agent; its wrap-up time holds.
    Direct {
        agent: AgentId,
        interaction: InteractionId,
        queue: Option<QueueId>,
    },
    /// The agent's part in it is over; with `wrap_up` the wrap-up timer starts when no other work
    /// is left.
    WorkEnded {
        agent: AgentId,
        interaction: InteractionId,
        wrap_up: bool,
    },
    FinishWrapUp {
        agent: AgentId,
    },
    ExtendWrapUp {
        agent: AgentId,
        by_ms: u64,
    },
}

/// What the router decided. To be drained before the next input.
#[derive(Clone, Debug, PartialEq)]
pub enum RouterOutput {
    /// It waits now. Position counts from 1; the estimate is missing while nobody is on duty.
    Queued {
        interaction: InteractionId,
        queue: QueueId,
        /// The queue's and the ticket's together.
        priority: i32,
        position: u32,
        wait_estimate_ms: Option<u64>,
    },
    /// Time to tell the caller; the estimate is floored to steps of 30 s.
    Announce {
        interaction: InteractionId,
        queue: QueueId,
        position: u32,
        wait_estimate_ms: Option<u64>,
    },
    /// Ring this agent. No other offer exists for the interaction or for the agent until this one ends.
    Offer {
        offer: OfferId,
        interaction: InteractionId,
        agent: AgentId,
        queue: QueueId,
        deadline: Timestamp,
        explain: String,
    },
    OfferEnded {
        offer: OfferId,
        interaction: InteractionId,
        agent: AgentId,
        how: OfferEnd,
    },
    /// It left the queue without an agent: lead it to `to`, or end it politely.
    Overflow {
        interaction: InteractionId,
        queue: QueueId,
        to: Option<Destination>,
        why: QueueExit,
        waited_ms: u64,
    },
    /// It was not let in: `QueueFull`, `NoAgent`, `NotFound` (no such queue), `Conflict` (waits already).
    Refused {
        interaction: InteractionId,
        queue: QueueId,
        code: Code,
        overflow: Option<Destination>,
    },
    /// Waiting ended as the engine asked or by an accept (for `queue.left`).
    Left {
        interaction: InteractionId,
        queue: QueueId,
        exit: QueueExit,
        waited_ms: u64,
    },
    /// The computed routing state changed.
    AgentState {
        agent: AgentId,
        state: RoutingState,
        interaction: Option<InteractionId>,
    },
    PresenceSet {
        agent: AgentId,
        presence: Presence,
        /// Set by a lease that began or ended, not by a person.
        automatic: bool,
    },
    /// What the presence becomes after the work at hand; `None`: it stays after all.
    NextPresence {
        agent: AgentId,
        presence: Option<Presence>,
    },
    LeaseLost {
        agent: AgentId,
        /// `desktop` or `phone`.
        what: &'static str,
    },
    WrapUpStarted {
        agent: AgentId,
        interaction: InteractionId,
        until: Timestamp,
    },
    /// Also given with a later `until` by an extension.
    WrapUpExtended {
        agent: AgentId,
        interaction: InteractionId,
        until: Timestamp,
    },
    WrapUpEnded {
        agent: AgentId,
        interaction: InteractionId,
        timed_out: bool,
    },
}

/// Why an input had no effect. Nothing changed and nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    #[error("no such agent")]
    UnknownAgent,
    #[error("no such queue")]
    UnknownQueue,
    #[error("the interaction does not wait in a queue")]
    NotWaiting,
    #[error("the offer has ended")]
    OfferGone,
    #[error("the agent is not in wrap-up")]
    NotInWrapUp,
    #[error("the agent has no such work")]
    NoSuchWork,
    #[error("the queue belongs to another tenant")]
    OtherTenant,
    #[error("the queue is full")]
    QueueFull,
    #[error("the wrap-up cannot be longer than its limit")]
    WrapUpTooLong,
}

impl RouteError {
    /// The stable code people and programs see.
    pub fn code(self) -> Code {
        match self {
            Self::UnknownAgent | Self::UnknownQueue => Code::NotFound,
            Self::NotWaiting => Code::Conflict,
            Self::OfferGone => Code::OfferGone,
            Self::NotInWrapUp | Self::NoSuchWork => Code::AgentState,
            Self::OtherTenant => Code::Forbidden,
            Self::QueueFull => Code::QueueFull,
            Self::WrapUpTooLong => Code::BadRequest,
        }
    }
}
