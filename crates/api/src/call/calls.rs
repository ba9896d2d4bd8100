//! Placing calls.

use super::{Done, agent_or_own, run, run_as};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cp_vocab::model::{Destination, DialTarget};
use cp_vocab::{AgentId, Command};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Without `destination`: rings the agent's phone, then the target (click to call). With one:
/// dials the target and leads it there when it answers.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallInput {
    #[schema(value_type = published::DialTarget)]
    target: DialTarget,
    /// Whose phone; your own when left out.
    #[serde(default)]
    #[schema(value_type = Option<published::AgentId>)]
    agent: Option<AgentId>,
    #[serde(default)]
    #[schema(value_type = Option<published::Destination>)]
    destination: Option<Destination>,
    /// The number shown to the target; only with `destination`.
    #[serde(default)]
    #[schema(max_length = 64)]
    caller: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetrieveInput {
    /// On whose phone; your own when left out.
    #[serde(default)]
    #[schema(value_type = Option<published::AgentId>)]
    agent: Option<AgentId>,
}

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::post("/v1/calls", "placeCall", "Calls", "Place a call")
            .needs(&[
                Permission::CallsControl,
                Permission::CallsControlOwn,
                Permission::CallsOriginate,
            ])
            .body::<CallInput>()
            .idempotent()
            .replies::<Done>(201, "The call is being set up"),
        place,
    );
    api.add(
        operation::post(
            "/v1/parked/{slot}/retrieve",
            "retrieveParked",
            "Calls",
            "Pick up a parked call",
        )
        .needs(super::CONTROL)
        .path_param(
            "slot",
            json!({ "type": "string", "minLength": 1, "maxLength": 32 }),
        )
        .optional_body::<RetrieveInput>()
        .idempotent()
        .replies::<Done>(200, "The phone rings"),
        retrieve,
    );
}

async fn place(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<CallInput>,
) -> Reply {
    if let Some(destination) = input.destination {
        caller.need(Permission::CallsOriginate)?;
        let originate = Command::Originate {
            target: input.target,
            destination,
            caller: input.caller,
        };
        let actor = caller.actor();
        return run_as(&state, &caller, actor, originate, StatusCode::CREATED).await;
    }
    let agent = agent_or_own(&caller, input.agent, Permission::CallsControl)?;
    let dial = Command::Dial {
        agent,
        target: input.target,
    };
    run(
        &state,
        &caller,
        Permission::CallsControl,
        dial,
        StatusCode::CREATED,
    )
    .await
}

async fn retrieve(
    State(state): State<ApiState>,
    caller: Caller,
    Path(slot): Path<String>,
    Body(input): Body<RetrieveInput>,
) -> Reply {
    let agent = agent_or_own(&caller, input.agent, Permission::CallsControl)?;
    let slot = slot.chars().take(32).collect();
    let command = Command::Retrieve { slot, agent };
    run(
        &state,
        &caller,
        Permission::CallsControl,
        command,
        StatusCode::OK,
    )
    .await
}
