//! What is going on now, as one document for wallboards and desktops.

use crate::core::Engine;
use cp_interaction::{Leg, LegStatus, Room, State};
use cp_vocab::command::CommandReply;
use cp_vocab::*;
use serde_json::{Value, json};

/// Interactions listed at most; the counts are of all.
pub const LIVE_INTERACTIONS_MAX: usize = 1_000;

impl Engine {
    pub(crate) fn live(&self, now: Timestamp, tenant: TenantId) -> CommandReply {
        let wall = self.wall(now);
        let agents: Vec<Value> = self
            .index
            .snapshot
            .agents
            .iter()
            .filter(|a| a.tenant == tenant)
            .map(|a| {
                let registered = a.phone.is_some_and(|p| self.ua.contacts(p).next().is_some());
                let view = self.router.agent_view(a.id, now).and_then(|v| serde_json::to_value(v).ok());
                json!({"id": a.id, "name": a.name, "extension": a.extension, "phone_registered": registered, "routing": view})
            })
            .collect();
        let queues: Vec<Value> = self
            .index
            .snapshot
            .queues
            .iter()
            .filter(|q| q.tenant == tenant)
            .map(|q| {
                let stats = self
                    .router
                    .queue_stats(q.id, now)
                    .and_then(|v| serde_json::to_value(v).ok());
                json!({"id": q.id, "name": q.name, "stats": stats})
            })
            .collect();
        let mine = || self.interactions.values().filter(|e| e.tenant == tenant);
        let interactions: Vec<Value> = mine()
            .take(LIVE_INTERACTIONS_MAX)
            .map(|e| interaction(e.interaction.state()))
            .collect();
        let phones: Vec<Value> = self
            .index
            .snapshot
            .phones
            .iter()
            .filter(|p| p.tenant == tenant)
            .map(
                |p| json!({"id": p.id, "user": p.user, "contacts": self.ua.contacts(p.id).count()}),
            )
            .collect();
        let document = json!({
            "at": wall.to_rfc3339(),
            "agents": agents,
            "queues": queues,
            "interactions": interactions,
            "interaction_count": mine().count(),
            "phones": phones,
            "parked": self.parked.iter().filter(|((t, _), _)| *t == tenant).map(|((_, slot), i)| json!({"slot": slot, "interaction": i})).collect::<Vec<_>>(),
        });
        CommandReply {
            document: Some(document),
            ..Default::default()
        }
    }
}

fn interaction(state: &State) -> Value {
    json!({
        "id": state.id,
        "uci": state.uci,
        "direction": state.direction,
        "from": state.from,
        "from_name": state.from_name,
        "to": state.to,
        "queue": state.waiting.as_ref().map(|w| w.queue).or(state.served_by),
        "waiting_since": state.waiting.as_ref().map(|w| w.since.to_rfc3339()),
        "offer": state.offer.as_ref().map(|o| json!({"id": o.offer, "agent": o.agent, "deadline": o.deadline})),
        "shared_state": state.shared,
        "recording": state.recording.as_ref().map(|r| json!({"id": r.id, "paused": r.paused})),
        "wrap_up": state.wrap_up,
        "ended": state.ended,
        "legs": state.live_legs().map(leg).collect::<Vec<_>>(),
    })
}

fn leg(l: &Leg) -> Value {
    let status = match l.status {
        LegStatus::Dialing => "dialing",
        LegStatus::Ringing => "ringing",
        LegStatus::Answered => "connected",
        LegStatus::Ended(_) => "disconnected",
    };
    let room = match &l.room {
        Room::Alone => "alone",
        Room::Talk => "talk",
        Room::Conference(_) => "conference",
        Room::Parked(_) => "parked",
    };
    json!({
        "id": l.id, "role": l.role, "address": l.address, "agent": l.agent, "status": status, "room": room,
        "held": l.held, "holding": l.holding, "muted": l.muted, "supervise": l.supervise,
    })
}
