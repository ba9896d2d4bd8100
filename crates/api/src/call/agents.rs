//! Presence, wrap-up, and the answer to an offer.

use super::{Done, Nothing, agent_of_tenant, run, run_as};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id};
use crate::operation::{Api, Op, post, put};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use cp_vocab::command::Actor;
use cp_vocab::id::TypedId;
use cp_vocab::model::Presence;
use cp_vocab::{AgentId, Command, InteractionId, OfferId, WrapUpCodeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest presence reason of a tenant's own.
pub(crate) const REASON_CHARS_MAX: usize = 40;

const PRESENCE: &[Permission] = &[Permission::PresenceSet, Permission::PresenceSetOwn];

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresenceInput {
    #[schema(value_type = published::Presence)]
    presence: Presence,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WrapUpInput {
    #[schema(value_type = published::InteractionId)]
    interaction: InteractionId,
    #[serde(default)]
    #[schema(value_type = Option<published::WrapUpCodeId>)]
    code: Option<WrapUpCodeId>,
    #[serde(default)]
    #[schema(max_length = 4000)]
    note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExtendInput {
    #[schema(minimum = 1_000, maximum = 600_000)]
    by_ms: u64,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Agents";
    let of_agent = |op: Op| {
        op.path_id(AgentId::PREFIX)
            .idempotent()
            .replies::<Done>(200, "Done")
    };
    api.add(
        of_agent(put(
            "/v1/agents/{id}/presence",
            "setPresence",
            tag,
            "Set presence",
        ))
        .describe("While work is going on it becomes the next status.")
        .needs(PRESENCE)
        .body::<PresenceInput>(),
        set_presence,
    );
    api.add(
        of_agent(post(
            "/v1/agents/{id}/wrap-up",
            "noteWrapUp",
            tag,
            "Give code and note for the work just done",
        ))
        .needs(super::CONTROL)
        .body::<WrapUpInput>(),
        note_wrap_up,
    );
    api.add(
        of_agent(post(
            "/v1/agents/{id}/wrap-up/finish",
            "finishWrapUp",
            tag,
            "End wrap-up",
        ))
        .needs(super::CONTROL)
        .optional_body::<Nothing>(),
        finish_wrap_up,
    );
    api.add(
        of_agent(post(
            "/v1/agents/{id}/wrap-up/extend",
            "extendWrapUp",
            tag,
            "Take more time to wrap up",
        ))
        .needs(super::CONTROL)
        .body::<ExtendInput>(),
        extend_wrap_up,
    );
    add_offers(api);
}

fn add_offers(api: &mut Api) {
    let of_offer = |op: Op| {
        op.needs(&[Permission::OffersAnswer])
            .path_id(OfferId::PREFIX)
            .optional_body::<Nothing>()
            .idempotent()
            .replies::<Done>(200, "Done")
    };
    api.add(
        of_offer(post(
            "/v1/offers/{id}/accept",
            "acceptOffer",
            "Offers",
            "Take the work",
        )),
        accept,
    );
    api.add(
        of_offer(post(
            "/v1/offers/{id}/reject",
            "rejectOffer",
            "Offers",
            "Leave it to others",
        )),
        reject,
    );
}

async fn set_presence(
    State(state): State<ApiState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    Body(input): Body<PresenceInput>,
) -> Reply {
    agent_of_tenant(&state, &caller, agent).await?;
    caller.own_unless(agent, Permission::PresenceSet)?;
    check_reason(&input.presence)?;
    let command = Command::SetPresence {
        agent,
        presence: input.presence,
    };
    run(
        &state,
        &caller,
        Permission::PresenceSet,
        command,
        StatusCode::OK,
    )
    .await
}

/// A reason of the tenant's own is a short text.
fn check_reason(presence: &Presence) -> Result<(), Problem> {
    match presence {
        Presence::Other(reason)
            if reason.trim().is_empty() || reason.chars().count() > REASON_CHARS_MAX =>
        {
            let detail = format!("a reason has 1 to {REASON_CHARS_MAX} characters");
            Err(Problem::invalid(vec![FieldError::new(
                "/presence/other",
                "format",
                detail,
            )]))
        }
        _ => Ok(()),
    }
}

/// A command about an agent's wrap-up, by the agent or by who controls calls.
async fn about_wrap_up(
    state: &ApiState,
    caller: &Caller,
    agent: AgentId,
    command: Command,
) -> Reply {
    agent_of_tenant(state, caller, agent).await?;
    caller.own_unless(agent, Permission::CallsControl)?;
    run(
        state,
        caller,
        Permission::CallsControl,
        command,
        StatusCode::OK,
    )
    .await
}

async fn note_wrap_up(
    State(state): State<ApiState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    Body(input): Body<WrapUpInput>,
) -> Reply {
    let command = Command::WrapUp {
        interaction: input.interaction,
        agent,
        code: input.code,
        note: input.note,
    };
    about_wrap_up(&state, &caller, agent, command).await
}

async fn finish_wrap_up(
    State(state): State<ApiState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Reply {
    about_wrap_up(&state, &caller, agent, Command::FinishWrapUp { agent }).await
}

async fn extend_wrap_up(
    State(state): State<ApiState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    Body(input): Body<ExtendInput>,
) -> Reply {
    let command = Command::ExtendWrapUp {
        agent,
        by_ms: input.by_ms,
    };
    about_wrap_up(&state, &caller, agent, command).await
}

async fn accept(State(state): State<ApiState>, caller: Caller, Id(offer): Id<OfferId>) -> Reply {
    answer(&state, &caller, Command::AcceptOffer { offer }).await
}

async fn reject(State(state): State<ApiState>, caller: Caller, Id(offer): Id<OfferId>) -> Reply {
    answer(&state, &caller, Command::RejectOffer { offer }).await
}

/// Offers are answered as the agent they were made to, whatever else one may do.
async fn answer(state: &ApiState, caller: &Caller, command: Command) -> Reply {
    let actor = Actor::Agent(caller.own_agent()?);
    run_as(state, caller, actor, command, StatusCode::OK).await
}
