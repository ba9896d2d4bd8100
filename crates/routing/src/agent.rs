//! One agent: the facts, and the routing state computed from them.

use crate::ticket::TicketSlot;
use crate::view::{Reason, StateCounts};
use cp_vocab::Timestamp;
use cp_vocab::id::*;
use cp_vocab::model::{Agent, Presence, RoutingState};
use smallvec::SmallVec;

/// Desktops of one agent at once; the one heard least recently gives way.
pub(crate) const DESKTOPS_MAX: usize = 8;
/// Failures to reach the phone in a row after which the agent is set to not responding.
pub(crate) const UNREACHABLE_MAX: u8 = 3;
/// Memory of the occupancy: weights fall by e in this time, so that the mean age of what is
/// remembered is that of a flat sliding hour.
pub(crate) const OCCUPANCY_MEMORY_US: f64 = 1_800.0 * 1e6;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotResponding {
    /// Let an offer ring out or cannot be reached; ends when the agent sets a presence.
    Missed,
    /// The desktop fell silent; ends also when it is heard again.
    DesktopLost,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Desktop {
    pub(crate) session: SessionId,
    pub(crate) until: Timestamp,
    /// Its connection broke; the lease runs on in case it comes back.
    pub(crate) dropped: bool,
}

#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) interaction: InteractionId,
    pub(crate) started: Timestamp,
    /// As it waited, when it came from a queue: for a failed connect and for explanations.
    pub(crate) ticket: Option<Box<TicketSlot>>,
    /// The queue a colleague had it from who handed it on.
    pub(crate) queue: Option<QueueId>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct WrapUp {
    pub(crate) interaction: InteractionId,
    pub(crate) queue: Option<QueueId>,
    pub(crate) work_started: Timestamp,
    pub(crate) started: Timestamp,
    pub(crate) until: Timestamp,
}

/// Where an agent counts in the figures of its queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Category {
    Available,
    Unreachable,
    Offered,
    Interacting,
    WrapUp,
    NotResponding,
    Away,
    Offline,
}

impl Category {
    pub(crate) fn of(self, counts: &mut StateCounts) -> &mut u32 {
        match self {
            Self::Available => &mut counts.available,
            Self::Unreachable => &mut counts.unreachable,
            Self::Offered => &mut counts.offered,
            Self::Interacting => &mut counts.interacting,
            Self::WrapUp => &mut counts.wrap_up,
            Self::NotResponding => &mut counts.not_responding,
            Self::Away => &mut counts.away,
            Self::Offline => &mut counts.offline,
        }
    }
}

#[derive(Debug)]
pub(crate) struct AgentSlot {
    pub(crate) id: AgentId,
    pub(crate) config: Agent,
    pub(crate) class: u32,
    /// Queue numbers, sorted.
    pub(crate) queues: SmallVec<[u32; 8]>,
    /// Share of the work taken from each of `queues`, exponentially weighted; sums to 1.
    pub(crate) shares: SmallVec<[f64; 8]>,
    /// Breaks ties; never reused.
    pub(crate) order: u64,
    pub(crate) tenant_pool: u32,

    // Facts.
    pub(crate) presence: Presence,
    /// What it becomes when the work at hand is over.
    pub(crate) next_presence: Option<Presence>,
    pub(crate) desktops: SmallVec<[Desktop; 1]>,
    pub(crate) phone_until: Option<Timestamp>,
    /// A push reaches a browser of the agent.
    pub(crate) pushed: bool,
    pub(crate) not_responding: Option<NotResponding>,
    pub(crate) paused_until: Option<Timestamp>,
    pub(crate) unreachable_in_a_row: u8,
    /// Ticket being offered.
    pub(crate) offer: Option<(OfferId, u32, InteractionId)>,
    pub(crate) work: SmallVec<[Work; 1]>,
    pub(crate) wrap_up: Option<WrapUp>,
    /// Gone from the configuration; kept until the work is done.
    pub(crate) removed: bool,

    // Derived, and written by `Router::refresh` alone.
    pub(crate) state: RoutingState,
    pub(crate) state_interaction: Option<InteractionId>,
    pub(crate) state_since: Timestamp,
    pub(crate) category: Category,
    pub(crate) on_duty: bool,
    pub(crate) clocked: bool,
    pub(crate) busy: bool,
    /// In the index of idle agents, under these keys.
    pub(crate) listed: bool,
    pub(crate) keys: [i64; 3],
    /// Idle since; a cancelled offer does not cost the place (`idle_kept`).
    pub(crate) idle_since: Timestamp,
    pub(crate) idle_kept: Option<Timestamp>,
    pub(crate) last_offer: Timestamp,
    pub(crate) occupancy: f64,
    pub(crate) occupancy_at: Timestamp,
    pub(crate) timer: Option<Timestamp>,

    pub(crate) answered: u64,
    pub(crate) missed: u64,
}

impl AgentSlot {
    pub(crate) fn new(config: Agent, order: u64, now: Timestamp) -> Self {
        Self {
            id: config.id,
            config,
            class: u32::MAX,
            queues: SmallVec::new(),
            shares: SmallVec::new(),
            order,
            tenant_pool: 0,
            presence: Presence::Offline,
            next_presence: None,
            desktops: SmallVec::new(),
            phone_until: None,
            pushed: false,
            not_responding: None,
            paused_until: None,
            unreachable_in_a_row: 0,
            offer: None,
            work: SmallVec::new(),
            wrap_up: None,
            removed: false,
            state: RoutingState::Idle,
            state_interaction: None,
            state_since: now,
            category: Category::Offline,
            on_duty: false,
            clocked: false,
            busy: false,
            listed: false,
            keys: [0; 3],
            idle_since: now,
            idle_kept: None,
            last_offer: Timestamp::ZERO,
            occupancy: 0.0,
            occupancy_at: now,
            timer: None,
            answered: 0,
            missed: 0,
        }
    }

    /// What the agent is doing: work over offer over wrap-up over silence.
    pub(crate) fn computed_state(&self) -> (RoutingState, Option<InteractionId>) {
        if let Some(work) = self.work.last() {
            return (RoutingState::Interacting, Some(work.interaction));
        }
        if let Some((_, _, interaction)) = self.offer {
            return (RoutingState::Offered, Some(interaction));
        }
        if let Some(wrap_up) = &self.wrap_up {
            return (RoutingState::WrapUp, Some(wrap_up.interaction));
        }
        if self.not_responding.is_some() {
            return (RoutingState::NotResponding, None);
        }
        (RoutingState::Idle, None)
    }

    /// What keeps work away; `None` when it can be offered.
    pub(crate) fn obstacle(&self) -> Option<Reason> {
        let (state, _) = self.computed_state();
        match state {
            RoutingState::Interacting => return Some(Reason::Interacting),
            RoutingState::Offered => return Some(Reason::Offered),
            RoutingState::WrapUp => return Some(Reason::WrapUp),
            RoutingState::NotResponding => return Some(Reason::NotResponding),
            RoutingState::Idle => {}
        }
        match self.presence {
            Presence::Available => {}
            Presence::Offline => return Some(Reason::Offline),
            _ => return Some(Reason::Away),
        }
        if self.removed {
            return Some(Reason::Offline);
        }
        if !self.pushed && (self.phone_until.is_none() || self.desktop_dropped()) {
            return Some(Reason::NoPhone);
        }
        self.paused_until.map(|_| Reason::Paused)
    }

    /// Had desktops, and each has lost its connection.
    pub(crate) fn desktop_dropped(&self) -> bool {
        !self.config.available_when_registered
            && !self.desktops.is_empty()
            && self.desktops.iter().all(|d| d.dropped)
    }

    pub(crate) fn computed_category(&self) -> Category {
        match self.obstacle() {
            None => Category::Available,
            Some(Reason::Interacting) => Category::Interacting,
            Some(Reason::Offered) => Category::Offered,
            Some(Reason::WrapUp) => Category::WrapUp,
            Some(Reason::NotResponding) => Category::NotResponding,
            Some(Reason::Offline) => Category::Offline,
            Some(Reason::Away) => Category::Away,
            Some(_) => Category::Unreachable,
        }
    }

    pub(crate) fn is_working(&self) -> bool {
        !self.work.is_empty() || self.wrap_up.is_some()
    }

    /// Serves the queues now or after the work at hand: the servers of the wait estimate.
    pub(crate) fn computed_on_duty(&self) -> bool {
        let next = self.next_presence.as_ref().unwrap_or(&self.presence);
        *next == Presence::Available
            && (self.phone_until.is_some() || self.pushed)
            && self.not_responding.is_none()
            && !self.removed
    }

    /// Occupancy at `now`, remembered exponentially.
    pub(crate) fn occupancy_now(&self, now: Timestamp) -> f64 {
        if !self.clocked {
            return self.occupancy;
        }
        decay(
            self.occupancy,
            self.occupancy_at,
            now,
            f64::from(u8::from(self.busy)),
        )
    }

    /// The earliest time at which something about this agent ends by itself.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        let phone = self.phone_until.filter(|t| *t != Timestamp::FAR);
        let desktop = self.desktops.iter().map(|d| d.until).min();
        let wrap_up = self.wrap_up.map(|w| w.until);
        [phone, desktop, wrap_up, self.paused_until]
            .into_iter()
            .flatten()
            .min()
    }
}

/// An exponentially weighted share after a time at a constant `level` (0 or 1, or a number of agents).
pub(crate) fn decay(value: f64, from: Timestamp, to: Timestamp, level: f64) -> f64 {
    let keep = (-(to.since(from).as_micros() as f64) / OCCUPANCY_MEMORY_US).exp();
    value * keep + level * (1.0 - keep)
}

/// A key that orders idle agents by occupancy for good: all idle ones decay by the same factor, so
/// the time at which each would have been at 1 never changes while idle.
pub(crate) fn occupancy_key(occupancy: f64, at: Timestamp) -> i64 {
    at.as_micros() as i64 + (OCCUPANCY_MEMORY_US * occupancy.max(1e-9).ln()) as i64
}
