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
    let stats = world.engine.stats();
    if stats.legs != 0 || stats.ports_in_use != 0 || !world.media.legs.is_empty() {
        let detail = format!("{stats:?}, media legs {}", world.media.legs.len());
        broken.push(Invariant {
            what: "nothing leaks",
            detail,
        });
    }
    for p in &world.phones {
        if let Some(c) = p.live_call().filter(|_| !p.dead) {
            broken.push(Invariant {
                what: "no phone is left in a ghost call",
                detail: format!("{}: {c:?}", p.name),
            });
        }
    }
}
