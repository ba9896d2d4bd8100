//! Where a proven caller waits, by facts that only proof makes usable (S0.1 rule 7).

use cp_vocab::QueueId;
use cp_vocab::person::Fact;
use cp_vocab::proof::{FactTest, PlacementRule, ProofPolicy};
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// None: stays where it is.
    pub queue: Option<QueueId>,
    pub priority: i32,
}

fn holds(rule: &PlacementRule, facts: &BTreeMap<String, Fact>) -> bool {
    match (facts.get(&rule.fact), rule.test, &rule.value) {
        (Some(Fact::Number(have)), FactTest::AtLeast, Fact::Number(want)) => have >= want,
        (Some(Fact::Number(have)), FactTest::AtMost, Fact::Number(want)) => have <= want,
        (Some(have), FactTest::Equals, want) => have == want,
        _ => false,
    }
}

/// The first rule that holds. Without proof no fact is looked at at all.
pub fn place(
    policy: &ProofPolicy,
    level: u8,
    facts: &BTreeMap<String, Fact>,
    from: Option<QueueId>,
) -> Option<Place> {
    if level == 0 {
        return None;
    }
    let applies = |r: &&PlacementRule| {
        level >= r.level.max(1) && (r.from.is_none() || r.from == from) && holds(r, facts)
    };
    policy.placement.iter().find(applies).map(|r| Place {
        queue: r.to,
        priority: r.priority,
    })
}
