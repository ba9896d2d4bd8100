//! What ended a short while ago, so that a command that comes too late is told so.

use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Ended interactions and legs remembered; the oldest is forgotten first, and a command for it is
/// told that there is no such thing.
pub const RECENT_MAX: usize = 20_000;

#[derive(Default)]
pub(crate) struct Recent {
    interactions: FxHashMap<InteractionId, TenantId>,
    interaction_order: VecDeque<InteractionId>,
    legs: FxHashMap<LegId, InteractionId>,
    leg_order: VecDeque<LegId>,
}

impl Recent {
    pub(crate) fn interaction(&mut self, id: InteractionId, tenant: TenantId) {
        if self.interactions.insert(id, tenant).is_none() {
            self.interaction_order.push_back(id);
        }
        if self.interaction_order.len() > RECENT_MAX
            && let Some(old) = self.interaction_order.pop_front()
        {
            self.interactions.remove(&old);
        }
    }

    pub(crate) fn leg(&mut self, leg: LegId, id: InteractionId) {
        if self.legs.insert(leg, id).is_none() {
            self.leg_order.push_back(leg);
        }
        if self.leg_order.len() > RECENT_MAX
            && let Some(old) = self.leg_order.pop_front()
        {
            self.legs.remove(&old);
        }
    }

    pub(crate) fn interaction_of(&self, leg: LegId) -> Option<InteractionId> {
        self.legs.get(&leg).copied()
    }

    /// Whether this interaction of the tenant ended lately.
    pub(crate) fn ended(&self, id: InteractionId, tenant: TenantId) -> bool {
        self.interactions.get(&id) == Some(&tenant)
    }
}
