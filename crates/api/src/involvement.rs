//! What an agent may see of interactions: those they were offered or took part in.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::problem::{Problem, Reply};
use cp_store::Store;
use cp_vocab::{AgentId, Event, EventRecord, InteractionId, StreamId};

/// Records of one interaction that are looked through; who came into it later than this is not
/// found by the search, only by the rows of the store.
const RECORDS_LOOKED_THROUGH_MAX: usize = 2_000;

/// Whether this record brings the agent into the interaction.
pub(crate) fn brings_in(event: &Event, agent: AgentId) -> bool {
    match event {
        Event::OfferMade { agent: a, .. } => *a == agent,
        Event::LegAdded { agent: a, .. } => *a == Some(agent),
        Event::WrapUpStarted { agent: a, .. } => *a == agent,
        _ => false,
    }
}

pub(crate) fn any_brings_in(records: &[EventRecord], agent: AgentId) -> bool {
    records.iter().any(|r| brings_in(&r.event, agent))
}

/// Whether the agent was ever part of it.
pub(crate) fn involves(store: &dyn Store, agent: AgentId, id: InteractionId) -> Reply<bool> {
    let records = store.stream(StreamId::Interaction(id), 1, RECORDS_LOOKED_THROUGH_MAX)?;
    Ok(any_brings_in(&records, agent))
}

/// That the caller may read this interaction of their tenant.
///
/// # Errors
/// 404 for what is not theirs: that it exists is not theirs to know.
pub(crate) fn may_read(
    store: &dyn Store,
    caller: &Caller,
    id: InteractionId,
) -> Reply<cp_store::InteractionRow> {
    let row = store.interaction(caller.tenant, id)?;
    if caller.has(Permission::InteractionsRead) {
        return Ok(row);
    }
    let agent = caller.own_agent()?;
    if row.agents.contains(&agent) || involves(store, agent, id)? {
        return Ok(row);
    }
    Err(Problem::not_found("interaction"))
}
