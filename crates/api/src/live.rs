//! What is going on right now.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_vocab::command::Actor;
use cp_vocab::live::LiveDocument;
use cp_vocab::{AgentId, Code, Command};
use serde_json::Value;
use utoipa::ToSchema;

/// Agents, queues and interactions at one instant, and where to follow events from.
#[derive(ToSchema)]
#[schema(as = Live)]
#[allow(dead_code)]
pub(crate) struct LiveView {
    #[schema(format = DateTime)]
    at: String,
    /// Follow `/v1/events` from here and nothing is missed.
    cursor: String,
    agents: Vec<LiveAgentView>,
    queues: Vec<LiveQueueView>,
    #[schema(value_type = Vec<Object>)]
    interactions: Value,
    #[schema(value_type = Vec<Object>)]
    phones: Value,
    #[schema(value_type = Vec<Object>)]
    trunks: Value,
}

#[derive(ToSchema)]
#[schema(as = LiveAgent)]
#[allow(dead_code)]
pub(crate) struct LiveAgentView {
    id: published::AgentId,
    presence: published::Presence,
    /// What it becomes when the current work ends.
    next_presence: Option<published::Presence>,
    state: published::RoutingState,
    #[schema(format = DateTime)]
    since: String,
    phone_reachable: bool,
    desktop: bool,
    #[schema(value_type = Vec<Object>)]
    offers: Value,
    interaction: Option<published::InteractionId>,
    leg: Option<published::LegId>,
    wrap_up_until: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = LiveQueue)]
#[allow(dead_code)]
pub(crate) struct LiveQueueView {
    id: published::QueueId,
    waiting: u32,
    longest_wait_ms: u64,
    wait_estimate_ms: Option<u64>,
    agents_signed_in: u32,
    agents_available: u32,
    /// Since the day began.
    entered: u64,
    answered: u64,
    abandoned: u64,
    service_level_pct: Option<f32>,
}

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::get(
            "/v1/live",
            "live",
            "Live",
            "Agents, queues and interactions now",
        )
        .describe("Without live:read only your own interactions and phone are in it.")
        .needs(&[Permission::LiveRead, Permission::LiveReadOwn])
        .replies::<LiveView>(200, "Now"),
        live,
    );
}

async fn live(State(state): State<ApiState>, caller: Caller) -> Reply {
    // The cursor first: what happens in between is in the document and told again, never missed.
    let cursor = state.store(|s| s.head()).await?;
    let reply = state
        .command(caller.tenant, Actor::System, Command::Live)
        .await?;
    let failed = |_| Problem::new(Code::Internal, "the live state cannot be read");
    let document = reply.document.unwrap_or(Value::Null);
    let mut document: LiveDocument = serde_json::from_value(document).map_err(failed)?;
    if !caller.has(Permission::LiveRead) {
        let snapshot = state.snapshot().await?;
        let own = snapshot.agents.iter().find(|a| Some(a.id) == caller.agent);
        document
            .phones
            .retain(|p| own.is_some_and(|a| a.phone == Some(p.id)));
        narrow(&mut document, caller.agent);
    }
    let mut body = serde_json::to_value(document).expect("a document is plain data");
    body["cursor"] = cursor.to_string().into();
    Ok(axum::Json(body).into_response())
}

/// Leaves of others only whether they are free.
fn narrow(document: &mut LiveDocument, own: Option<AgentId>) {
    let mut mine = Vec::new();
    for agent in &mut document.agents {
        if Some(agent.id) == own {
            mine.extend(agent.interaction);
            mine.extend(agent.offers.iter().map(|o| o.interaction));
        } else {
            agent.offers.clear();
            agent.interaction = None;
            agent.leg = None;
            agent.wrap_up_until = None;
        }
    }
    let in_it = |i: &cp_vocab::live::LiveInteraction| {
        own.is_some() && i.legs.iter().any(|l| l.agent == own)
    };
    document
        .interactions
        .retain(|i| mine.contains(&i.id) || in_it(i));
    document.trunks.clear();
}
