//! One waiting interaction.

use crate::classes::Skills;
use crate::index::Entry;
use crate::offers::Chosen;
use crate::view::{Candidate, ExplainStep, StateCounts};
use cp_vocab::Timestamp;
use cp_vocab::event::OfferEnd;
use cp_vocab::id::*;
use cp_vocab::model::SelectionRule;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Agents a ticket avoids at once; the oldest gives way.
pub(crate) const AVOID_MAX: usize = 8;
/// Decisions and steps kept for the explanation of one interaction; the oldest go.
pub(crate) const DECISIONS_MAX: usize = 8;
pub(crate) const STEPS_MAX: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveOffer {
    pub(crate) id: OfferId,
    pub(crate) agent: u32,
    pub(crate) deadline: Timestamp,
}

/// An offer as it was decided, put in words when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) at: Timestamp,
    pub(crate) offer: OfferId,
    pub(crate) rule: SelectionRule,
    pub(crate) how: Chosen,
    pub(crate) chosen: Candidate,
    pub(crate) eligible: u32,
    pub(crate) runner_up: Option<Candidate>,
    pub(crate) members: StateCounts,
    pub(crate) waited_ms: u64,
    pub(crate) ended: Option<OfferEnd>,
}

/// What is told when somebody asks why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    pub(crate) decisions: Vec<Decided>,
    pub(crate) dropped: u32,
    pub(crate) steps: VecDeque<ExplainStep>,
}

impl Trail {
    pub(crate) fn step(&mut self, at: Timestamp, what: String) {
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(ExplainStep { at, what });
    }

    pub(crate) fn decided(&mut self, decision: Decided) {
        if self.decisions.is_empty() {
            // Most are offered once.
            self.decisions.reserve_exact(1);
        } else if self.decisions.len() == DECISIONS_MAX {
            self.decisions.remove(0);
            self.dropped += 1;
        }
        self.decisions.push(decision);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TicketSlot {
    pub(crate) interaction: InteractionId,
    pub(crate) tenant: TenantId,
    pub(crate) queue: u32,
    /// For when the queue number means another queue by the time it is looked at.
    pub(crate) queue_id: QueueId,
    /// Its own, without the queue's.
    pub(crate) priority: i32,
    /// The ticket's own wishes, sorted.
    pub(crate) extra: Skills,
    pub(crate) since: Timestamp,
    /// When it came into this queue: limits and figures count from here, the place from `since`.
    pub(crate) entered: Timestamp,
    /// Order of arrival, kept for life.
    pub(crate) seq: u64,
    /// Arrival minus head start, in microseconds; never changes while nothing is changed by hand.
    pub(crate) key: i64,
    pub(crate) class: u32,
    pub(crate) stage: u8,
    pub(crate) preferred: Option<AgentId>,
    pub(crate) offer: Option<LiveOffer>,
    /// In the index of waiting tickets.
    pub(crate) listed: bool,
    pub(crate) avoid: SmallVec<[(u32, Timestamp); 1]>,
    /// Raw estimate at entry, to compare with what it became.
    pub(crate) predicted_ms: Option<u64>,
    pub(crate) next_announce: Option<Timestamp>,
    pub(crate) timer: Option<Timestamp>,
    pub(crate) trail: Trail,
}

impl TicketSlot {
    pub(crate) fn entry(&self, slot: u32) -> Entry {
        Entry {
            key: self.key,
            order: self.seq,
            slot,
            class: self.class,
        }
    }

    pub(crate) fn avoids(&self, agent: u32) -> bool {
        self.avoid.iter().any(|(a, _)| *a == agent)
    }

    pub(crate) fn avoid(&mut self, agent: u32, until: Timestamp) {
        self.avoid.retain(|(a, _)| *a != agent);
        if self.avoid.len() == AVOID_MAX {
            self.avoid.remove(0);
        }
        self.avoid.push((agent, until));
    }
}
