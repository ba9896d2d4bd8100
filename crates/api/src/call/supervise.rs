//! Listen, whisper, barge, take over.

use super::{Done, Nothing, agent_or_own, run_as};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id};
use crate::operation::{Api, post};
use crate::problem::Reply;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use cp_vocab::command::SuperviseMode;
use cp_vocab::id::TypedId;
use cp_vocab::{AgentId, Command, InteractionId, LegId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MODES: &[Permission] = &[
    Permission::SuperviseListen,
    Permission::SuperviseWhisper,
    Permission::SuperviseBarge,
];

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SuperviseInput {
    #[schema(value_type = published::SuperviseMode)]
    mode: SuperviseMode,
    /// Whose phone joins; your own when left out.
    #[serde(default)]
    #[schema(value_type = Option<published::AgentId>)]
    agent: Option<AgentId>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ModeInput {
    #[schema(value_type = published::SuperviseMode)]
    mode: SuperviseMode,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Supervision";
    api.add(
        post(
            "/v1/interactions/{id}/supervise",
            "supervise",
            tag,
            "Join a call with your phone",
        )
        .needs(MODES)
        .path_id(InteractionId::PREFIX)
        .body::<SuperviseInput>()
        .idempotent()
        .replies::<Done>(201, "Your phone rings; `leg` is yours"),
        supervise,
    );
    api.add(
        post(
            "/v1/legs/{id}/supervise-mode",
            "setSuperviseMode",
            tag,
            "Change how you take part",
        )
        .needs(MODES)
        .path_id(LegId::PREFIX)
        .body::<ModeInput>()
        .idempotent()
        .replies::<Done>(200, "Changed"),
        set_mode,
    );
    api.add(
        post(
            "/v1/legs/{id}/take-over",
            "takeOver",
            tag,
            "Take the agent's place",
        )
        .describe("`id` is your supervising leg.")
        .needs(&[Permission::SuperviseTakeOver])
        .path_id(LegId::PREFIX)
        .optional_body::<Nothing>()
        .idempotent()
        .replies::<Done>(200, "Taken over"),
        take_over,
    );
}

fn permission(mode: SuperviseMode) -> Permission {
    match mode {
        SuperviseMode::Listen => Permission::SuperviseListen,
        SuperviseMode::Whisper => Permission::SuperviseWhisper,
        SuperviseMode::Barge => Permission::SuperviseBarge,
    }
}

async fn supervise(
    State(state): State<ApiState>,
    caller: Caller,
    Id(interaction): Id<InteractionId>,
    Body(input): Body<SuperviseInput>,
) -> Reply {
    caller.need(permission(input.mode))?;
    let agent = agent_or_own(&caller, input.agent, Permission::CallsControl)?;
    let command = Command::Supervise {
        interaction,
        agent,
        mode: input.mode,
    };
    run_as(
        &state,
        &caller,
        caller.actor(),
        command,
        StatusCode::CREATED,
    )
    .await
}

async fn set_mode(
    State(state): State<ApiState>,
    caller: Caller,
    Id(leg): Id<LegId>,
    Body(input): Body<ModeInput>,
) -> Reply {
    caller.need(permission(input.mode))?;
    let command = Command::SetSuperviseMode {
        leg,
        mode: input.mode,
    };
    run_as(&state, &caller, caller.actor(), command, StatusCode::OK).await
}

async fn take_over(State(state): State<ApiState>, caller: Caller, Id(leg): Id<LegId>) -> Reply {
    let command = Command::TakeOver { leg };
    run_as(&state, &caller, caller.actor(), command, StatusCode::OK).await
}
