//! Commands: what people and programs may do to calls, agents and offers.

mod agents;
mod calls;
mod devices;
mod interactions;
mod legs;
mod spoken;
mod supervise;

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id};
use crate::operation::{Api, Op};
use crate::problem::{Problem, Reply};
use crate::references;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cp_vocab::command::Actor;
use cp_vocab::id::TypedId;
use cp_vocab::{Code, Command, CommandReply, InteractionId, LegId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::str::FromStr;
use utoipa::ToSchema;

pub(crate) use agents::REASON_CHARS_MAX;
pub(crate) use legs::SeatsInput;

pub(crate) fn add(api: &mut Api) {
    calls::add(api);
    interactions::add(api);
    legs::add(api);
    devices::add(api);
    supervise::add(api);
    agents::add(api);
}

/// What a command made; ids are there when they apply.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandDone)]
pub(crate) struct Done {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<published::InteractionId>)]
    interaction: Option<InteractionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<published::LegId>)]
    leg: Option<LegId>,
    /// The park slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
}

/// No field at all.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

pub(crate) const CONTROL: &[Permission] = &[Permission::CallsControl, Permission::CallsControlOwn];

/// Runs a command for a caller: in their own name with `broad`, else as the agent they are, which
/// the engine holds to what is theirs.
pub(crate) async fn run(
    state: &ApiState,
    caller: &Caller,
    broad: Permission,
    command: Command,
    status: StatusCode,
) -> Reply<Response> {
    let actor = caller.actor_with(broad)?;
    run_as(state, caller, actor, command, status).await
}

pub(crate) async fn run_as(
    state: &ApiState,
    caller: &Caller,
    actor: Actor,
    command: Command,
    status: StatusCode,
) -> Reply<Response> {
    let named = serde_json::to_value(&command).expect("a command of the API is plain data");
    let tenant = caller.tenant;
    let interaction = named
        .get("interaction")
        .and_then(|v| v.as_str()?.parse::<InteractionId>().ok());
    let missing = state
        .store(move |store| {
            if let Some(id) = interaction {
                store.interaction(tenant, id)?;
            }
            references::missing(store, &*store.snapshot()?, tenant, &named)
        })
        .await?;
    if !missing.is_empty() {
        return Err(Problem::invalid(missing));
    }
    let done = state.command(tenant, actor, command).await?;
    Ok((status, axum::Json(Done::from(done))).into_response())
}

impl From<CommandReply> for Done {
    fn from(r: CommandReply) -> Self {
        Self {
            interaction: r.interaction,
            leg: r.leg,
            slot: r.slot,
        }
    }
}

/// Adds a command named by the id in its path and what its body says.
fn add_command<I, B>(api: &mut Api, op: Op, make: fn(I, B) -> Command)
where
    I: TypedId + FromStr + Display + Send + Sync + 'static,
    B: DeserializeOwned + ToSchema + Send + 'static,
{
    let op = op
        .needs(CONTROL)
        .path_id(I::PREFIX)
        .optional_body::<B>()
        .idempotent()
        .replies::<Done>(200, "Done");
    let handler = move |State(state): State<ApiState>,
                        caller: Caller,
                        Id(id): Id<I>,
                        Body(body): Body<B>| async move {
        run(
            &state,
            &caller,
            Permission::CallsControl,
            make(id, body),
            StatusCode::OK,
        )
        .await
    };
    api.add(op, handler);
}

/// The agent a command is for: the one named (which needs `broad` unless it is the caller), else
/// the caller's own.
fn agent_or_own(
    caller: &Caller,
    named: Option<cp_vocab::AgentId>,
    broad: Permission,
) -> Result<cp_vocab::AgentId, Problem> {
    match named {
        Some(agent) => caller.own_unless(agent, broad).map(|()| agent),
        None => caller.own_agent(),
    }
}

/// That the agent is one of the tenant; 404 otherwise.
async fn agent_of_tenant(state: &ApiState, caller: &Caller, agent: cp_vocab::AgentId) -> Reply<()> {
    let snapshot = state.snapshot().await?;
    let known = |a: &cp_vocab::model::Agent| a.id == agent && a.tenant == caller.tenant;
    if snapshot.agents.iter().any(known) {
        return Ok(());
    }
    Err(Problem::new(Code::NotFound, "no such agent"))
}
