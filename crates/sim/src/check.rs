//! What must hold after every run, whatever happened in it.

use crate::world::World;
use cp_interaction::State;
use cp_vocab::*;
use std::collections::BTreeMap;

/// A promise of the house that a run broke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invariant {
    pub what: &'static str,
    pub detail: String,
}

/// Every broken promise of this run; empty is right. Call it when all phones have hung up and time
/// has passed.
pub fn check_invariants(world: &World) -> Vec<Invariant> {
    let mut broken = Vec::new();
    let mut fail = |what, detail: String| broken.push(Invariant { what, detail });
    for w in &world.log.wrong {
        fail("the log has no gaps", w.clone());
    }
    for f in &world.faults_seen {
        fail("no interaction panics", f.clone());
    }
    for (id, records) in world.log.interactions() {
        let ends = records
            .iter()
            .filter(|r| matches!(r.event, Event::Ended { .. }))
            .count();
        if ends != 1 {
            let kinds: Vec<&str> = records.iter().map(|r| r.event.kind()).collect();
            fail(
                "every interaction has exactly one end",
                format!("{id}: {ends} ends in {kinds:?}"),
            );
        }
        let replayed = State::replay(id, records[0].tenant, &records);
        if let Some(live) = world.engine.interaction(id)
            && *live != replayed
        {
            fail(
                "replay gives the same state",
                format!("{id}:\n  live {live:?}\n  log  {replayed:?}"),
            );
        }
        if let Some(l) = replayed.live_legs().next() {
            fail("no leg outlives its interaction", format!("{id}: {l:?}"));
        }
    }
    exclusive_offers(world, &mut broken);
    leaks(world, &mut broken);
    broken
}

/// No agent holds two offers at a time.
fn exclusive_offers(world: &World, broken: &mut Vec<Invariant>) {
    let mut open: BTreeMap<AgentId, OfferId> = BTreeMap::new();
    for r in &world.log.durable {
        match &r.event {
            Event::OfferMade { offer, agent, .. } => {
                if let Some(other) = open.insert(*agent, *offer) {
                    let detail = format!("{agent} got {offer} while holding {other}");
                    broken.push(Invariant {
                        what: "one agent, one offer",
                        detail,
                    });
                }
            }
            Event::OfferEnded { agent, .. } => {
                open.remove(agent);
            }
            Event::Ended {
                reason: EndReason::NodeLost,
                ..
            } => open.clear(),
            _ => {}
        }
    }
}

fn leaks(world: &World, broken: &mut Vec<Invariant>) {
    let mut fail = |what, detail: String| broken.push(Invariant { what, detail });
    for (table, n) in world.engine.tables() {
        if n != 0 {
            fail("nothing leaks", format!("{n} left in {table}"));
        }
    }
    let ports = world.engine.stats().ports_in_use;
    if ports != 0 || !world.media.legs.is_empty() || !world.media.recordings.is_empty() {
        let detail = format!(
            "{ports} ports, media legs {:?}, recordings {:?}",
            world.media.legs.keys(),
            world.media.recordings.keys()
        );
        fail("nothing leaks", detail);
    }
    let router = world.engine.router();
    for queue in router.queues() {
        for (interaction, _) in router.waiting(queue) {
            fail("nobody waits for ever", format!("{interaction} in {queue}"));
        }
    }
    for agent in router.agents() {
        let Some(view) = router.agent_view(agent, world.line()) else {
            continue;
        };
        if view.offer.is_some() || !view.interactions.is_empty() {
            let detail = format!("{}: {:?} {:?}", view.name, view.offer, view.interactions);
            fail("no agent is left in a ghost state", detail);
        }
    }
    for p in &world.phones {
        for c in p.calls.iter().filter(|c| c.over.is_none() && !p.dead) {
            fail(
                "no phone is left in a ghost call",
                format!("{}: {c:?}", p.name),
            );
        }
    }
}

/// What must hold at every moment: a replay of the log gives the state in memory.
pub fn check_replay(world: &World) -> Vec<Invariant> {
    let mut broken = Vec::new();
    for id in world.engine.interactions() {
        let Some(live) = world.engine.interaction(id) else {
            continue;
        };
        let records = world.log.all_of(id);
        let replayed = State::replay(id, live.tenant, &records);
        if *live != replayed {
            let what = "replay gives the same state at every moment";
            let detail = format!("{id}:\n  live {live:?}\n  log  {replayed:?}");
            broken.push(Invariant { what, detail });
        }
    }
    broken
}
