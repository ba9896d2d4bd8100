//! What is going on now, as one document for wallboards and desktops.

use crate::core::Engine;
use cp_interaction::{Leg, Room, State};
use cp_vocab::card::RingCard;
use cp_vocab::command::CommandReply;
use cp_vocab::event::Endpoint;
use cp_vocab::live::*;
use cp_vocab::model::{Agent, Phone, Queue, Trunk};
use cp_vocab::*;

/// Interactions listed at most; a wallboard of more would be read by nobody.
pub(crate) const LIVE_INTERACTIONS_MAX: usize = 1_000;

/// The interaction each agent is wrapping up.
type Wrapped = rustc_hash::FxHashMap<AgentId, InteractionId>;

impl Engine {
    pub(crate) fn live(&self, now: Timestamp, tenant: TenantId) -> CommandReply {
        let s = &self.index.snapshot;
        let interactions = self
            .interactions
            .values()
            .filter(|e| e.tenant == tenant)
            .take(LIVE_INTERACTIONS_MAX);
        // Work that ended stays the agent's while it is wrapped up.
        let of = self
            .interactions
            .values()
            .filter(|e| e.tenant == tenant)
            .map(|e| e.interaction.state());
        let wrapped: Wrapped = of
            .flat_map(|s| s.wrap_up.iter().map(|a| (*a, s.id)))
            .collect();
        let document = LiveDocument {
            at: self.wall(now),
            agents: s
                .agents
                .iter()
                .filter(|a| a.tenant == tenant)
                .map(|a| self.live_agent(now, a, &wrapped))
                .collect(),
            queues: s
                .queues
                .iter()
                .filter(|q| q.tenant == tenant)
                .map(|q| self.live_queue(now, q))
                .collect(),
            interactions: interactions
                .map(|e| {
                    let state = e.interaction.state();
                    live_interaction(state, e.seq, self.cards.shown.get(&state.id))
                })
                .collect(),
            phones: s
                .phones
                .iter()
                .filter(|p| p.tenant == tenant)
                .map(|p| self.live_phone(p))
                .collect(),
            trunks: s
                .trunks
                .iter()
                .filter(|t| t.tenant == tenant)
                .map(|t| self.live_trunk(t))
                .collect(),
        };
        CommandReply {
            document: serde_json::to_value(document).ok(),
            ..Default::default()
        }
    }

    fn live_agent(&self, now: Timestamp, a: &Agent, wrapped: &Wrapped) -> LiveAgent {
        let view = self.router.agent_view(a.id, now);
        let offer = view.as_ref().and_then(|v| v.offer).and_then(|id| {
            let interaction = *self.offers.get(&id)?;
            let state = self.interactions.get(&interaction)?.interaction.state();
            let deadline = state.offer.as_ref()?.deadline;
            Some(LiveOffer {
                id,
                interaction,
                queue: state.waiting.as_ref().map(|w| w.queue),
                deadline,
            })
        });
        let interaction = view
            .as_ref()
            .and_then(|v| v.interactions.first().copied())
            .or_else(|| wrapped.get(&a.id).copied());
        let leg = interaction.and_then(|i| {
            self.interactions
                .get(&i)
                .and_then(|e| e.interaction.agent_leg(a.id))
                .map(|l| l.id)
        });
        let wrap_up_until = view
            .as_ref()
            .and_then(|v| v.wrap_up_until)
            .map(|t| self.wall(t));
        LiveAgent {
            id: a.id,
            presence: view
                .as_ref()
                .map(|v| v.presence.clone())
                .unwrap_or_default(),
            next_presence: view.as_ref().and_then(|v| v.next_presence.clone()),
            state: view.as_ref().map(|v| v.state).unwrap_or_default(),
            since: self.wall(view.as_ref().map_or(now, |v| v.state_since)),
            phone_reachable: a
                .phone
                .is_some_and(|p| self.ua.contacts(p).next().is_some())
                || self.web.holders.contains_key(&a.id)
                || self.web.pushed.contains(&a.id),
            desktop: view.as_ref().is_some_and(|v| v.desktop_until.is_some()),
            offers: offer.into_iter().collect(),
            interaction,
            leg,
            wrap_up_until,
        }
    }

    fn live_queue(&self, now: Timestamp, q: &Queue) -> LiveQueue {
        let Some(s) = self.router.queue_stats(q.id, now) else {
            return LiveQueue {
                id: q.id,
                waiting: 0,
                longest_wait_ms: 0,
                wait_estimate_ms: None,
                agents_signed_in: 0,
                agents_available: 0,
                entered: 0,
                answered: 0,
                abandoned: 0,
                service_level_pct: None,
            };
        };
        LiveQueue {
            id: q.id,
            waiting: s.waiting,
            longest_wait_ms: s.longest_wait_ms,
            wait_estimate_ms: s.estimated_wait.as_ref().map(|e| e.mean_ms),
            agents_signed_in: on_duty(&s.agents),
            agents_available: s.agents.available,
            entered: s.answered + s.abandoned + s.overflowed + u64::from(s.waiting),
            answered: s.answered,
            abandoned: s.abandoned,
            service_level_pct: s.service_level_pct.map(|p| p as f32),
        }
    }

    fn live_phone(&self, p: &Phone) -> LivePhone {
        let binding = self.ua.contacts(p.id).next();
        LivePhone {
            id: p.id,
            registered: binding.is_some(),
            transport: binding.map(|b| transport_of(&b.target).via().to_ascii_lowercase()),
            user_agent: binding
                .and_then(|b| b.user_agent.as_deref())
                .map(str::to_string),
            expires: binding.map(|b| self.wall(b.expires_at)),
        }
    }

    fn live_trunk(&self, t: &Trunk) -> LiveTrunk {
        let state = self.trunk_states.get(&t.id);
        LiveTrunk {
            id: t.id,
            // A trunk that nobody asks after is taken to be up.
            up: state.is_none_or(|s| s.is_ok()),
            rtt_ms: state.and_then(|s| s.as_ref().ok().copied()),
            why: state.and_then(|s| s.as_ref().err().cloned()),
            channels: self.trunk_calls.get(&t.id).copied().unwrap_or(0),
        }
    }
}

fn on_duty(s: &cp_routing::StateCounts) -> u32 {
    s.available + s.unreachable + s.offered + s.interacting + s.wrap_up + s.not_responding + s.away
}

fn transport_of(target: &cp_vocab::net::Target) -> cp_vocab::net::Transport {
    match target {
        cp_vocab::net::Target::Flow(f) => f.transport,
        cp_vocab::net::Target::Addr { transport, .. } => *transport,
    }
}

fn live_interaction(state: &State, seq: u64, card: Option<&RingCard>) -> LiveInteraction {
    let slot = state.live_legs().find_map(|l| match &l.room {
        Room::Parked(slot) => Some(slot.clone()),
        _ => None,
    });
    LiveInteraction {
        id: state.id,
        seq,
        direction: state.direction,
        from: Pii(state.from.clone()),
        from_name: state.from_name.clone().map(Pii),
        to: Pii(state.to.clone()),
        started: state.started_at,
        queue: state.waiting.as_ref().map(|w| w.queue).or(state.served_by),
        waiting: state.waiting.is_some(),
        waiting_since: state.waiting.as_ref().map(|w| w.since),
        priority: state.waiting.as_ref().map_or(0, |w| w.priority),
        recording: match &state.recording {
            None => RecordingState::Off,
            Some(r) if r.paused => RecordingState::Paused,
            Some(_) => RecordingState::On,
        },
        slot,
        legs: state.live_legs().map(|l| live_leg(state, l)).collect(),
        card: card.cloned(),
    }
}

fn live_leg(state: &State, l: &Leg) -> LiveLeg {
    debug_assert!(!matches!(l.endpoint, Endpoint::Uri) || l.agent.is_none());
    LiveLeg {
        id: l.id,
        role: l.role,
        address: Pii(l.address.clone()),
        agent: l.agent,
        status: l.call_status(),
        since: l.since,
        held: state.is_on_hold(l),
        muted: l.muted,
        supervise: l.supervise,
    }
}
