//! Moving a call between the devices of one person (S1.6): pushed from where it is, or fetched by the
//! device that wants it, which may be a voice assistant that heard its owner say so.

use super::spoken::{Heard, hear};
use super::{CONTROL, Done, agent_of_tenant, run};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id};
use crate::operation::{Api, get, post};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cp_vocab::command::Device;
use cp_vocab::id::TypedId;
use cp_vocab::model::DeviceKind;
use cp_vocab::{AgentId, Code, Command, CommandReply, InteractionId, LegId, PhoneId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SwitchInput {
    /// A phone bound to the same agent (`phn_…`), or `browser`: the tab in which that agent works.
    #[schema(min_length = 1, max_length = 30)]
    target_device: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FetchInput {
    /// The device that wants the call: a phone (`phn_…`), or `browser`.
    #[schema(min_length = 1, max_length = 30)]
    device: String,
    /// Which of several calls; without it the reply asks.
    #[serde(default)]
    #[schema(value_type = Option<published::LegId>)]
    leg: Option<LegId>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SpokenInput {
    /// The device that heard it, and wants the call.
    #[schema(min_length = 1, max_length = 30)]
    device: String,
    /// What its recogniser understood.
    #[schema(min_length = 1, max_length = 200)]
    text: String,
}

/// One of the agent's calls that could be moved.
#[derive(Serialize, Deserialize, ToSchema)]
struct MovableCall {
    #[schema(value_type = published::LegId)]
    leg: LegId,
    #[schema(value_type = published::InteractionId)]
    interaction: InteractionId,
    /// Who is at the other end.
    with: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
struct DeviceView {
    /// `phn_…`, or `browser`.
    device: String,
    name: String,
    #[schema(value_type = published::DeviceKind)]
    kind: DeviceKind,
    place: String,
    /// Registered, or reached by its number.
    reachable: bool,
    in_call: bool,
    /// In the same place as the device that has the call, or speaking from the same address.
    near: bool,
    /// Why the call may not go there; absent when it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forbidden: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
struct DevicesView {
    /// Nearest first.
    devices: Vec<DeviceView>,
    calls: Vec<MovableCall>,
}

/// The call comes, or the question which one is meant.
#[derive(Serialize, Default, ToSchema)]
struct FetchDone {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<published::InteractionId>)]
    interaction: Option<InteractionId>,
    /// The leg of the device that asked; it is rung, and may answer by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<published::LegId>)]
    leg: Option<LegId>,
    /// To be shown or spoken to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<MovableCall>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Devices";
    api.add(
        get(
            "/v1/agents/{id}/devices",
            "listDevices",
            tag,
            "Devices an agent's call can be moved to",
        )
        .needs(CONTROL)
        .path_id(AgentId::PREFIX)
        .replies::<DevicesView>(200, "Devices, nearest first, and the calls there are"),
        devices,
    );
    let switch = |path, id| {
        post(path, id, tag, "Move the call to another device of the same person")
            .describe("The device is rung; the leg lives until it answers, and goes on when it does not. The other parties are asked nothing.")
            .needs(CONTROL)
            .body::<SwitchInput>()
            .idempotent()
            .replies::<Done>(200, "The device rings")
    };
    api.add(
        switch("/v1/legs/{id}/switch", "switchLeg").path_id(LegId::PREFIX),
        switch_leg,
    );
    api.add(
        switch("/v1/calls/{id}/switch", "switchCall").path_id(InteractionId::PREFIX),
        switch_call,
    );
    api.add(
        post(
            "/v1/agents/{id}/fetch",
            "fetchCall",
            tag,
            "Bring the agent's call to this device",
        )
        .needs(CONTROL)
        .path_id(AgentId::PREFIX)
        .body::<FetchInput>()
        .idempotent()
        .replies::<FetchDone>(200, "It comes, or which one is asked"),
        fetch,
    );
    api.add(
        post("/v1/agents/{id}/spoken", "spokenToDevice", tag, "What a voice assistant heard its owner say")
            .describe("“Take the call”, “bring my call here”; with several calls the answer is a question to be spoken, and “the second one” goes on from there.")
            .needs(CONTROL)
            .path_id(AgentId::PREFIX)
            .body::<SpokenInput>()
            .idempotent()
            .replies::<FetchDone>(200, "It comes, or what to say to the person"),
        spoken,
    );
}

/// A device as requests name it.
enum Named {
    Phone(PhoneId),
    Browser,
}

fn device(text: &str, pointer: &str) -> Reply<Named> {
    if text == "browser" {
        return Ok(Named::Browser);
    }
    text.parse().map(Named::Phone).map_err(|_| {
        let detail = "a device is a phone's id, or browser";
        Problem::invalid(vec![FieldError::new(pointer, "format", detail)])
    })
}

/// The agent exists in the tenant, and the caller may act for it.
async fn admitted(state: &ApiState, caller: &Caller, agent: AgentId) -> Reply<()> {
    agent_of_tenant(state, caller, agent).await?;
    caller.own_unless(agent, Permission::CallsControl)
}

async fn command(state: &ApiState, caller: &Caller, command: Command) -> Reply<CommandReply> {
    let actor = caller.actor_with(Permission::CallsControl)?;
    state.command(caller.tenant, actor, command).await
}

/// The document of a reply as the type it is published as.
fn document<T: serde::de::DeserializeOwned>(reply: &CommandReply, field: &str) -> Option<T> {
    let document = reply.document.as_ref()?;
    let part = if field.is_empty() {
        document
    } else {
        document.get(field)?
    };
    serde_json::from_value(part.clone()).ok()
}

async fn devices(State(state): State<ApiState>, caller: Caller, Id(agent): Id<AgentId>) -> Reply {
    admitted(&state, &caller, agent).await?;
    let reply = command(&state, &caller, Command::Devices { agent }).await?;
    let view: DevicesView = document(&reply, "")
        .ok_or_else(|| Problem::new(Code::Internal, "no devices can be told at the moment"))?;
    Ok(axum::Json(view).into_response())
}

async fn switch_leg(
    State(state): State<ApiState>,
    caller: Caller,
    Id(leg): Id<LegId>,
    Body(input): Body<SwitchInput>,
) -> Reply<Response> {
    let to = match device(&input.target_device, "/target_device")? {
        Named::Phone(phone) => Device::Phone(phone),
        Named::Browser => Device::Browser(caller.own_agent()?),
    };
    let command = Command::Switch {
        leg,
        to,
        pull: false,
    };
    run(
        &state,
        &caller,
        Permission::CallsControl,
        command,
        StatusCode::OK,
    )
    .await
}

async fn switch_call(
    State(state): State<ApiState>,
    caller: Caller,
    Id(interaction): Id<InteractionId>,
    Body(input): Body<SwitchInput>,
) -> Reply<Response> {
    let to = match device(&input.target_device, "/target_device")? {
        Named::Phone(phone) => Device::Phone(phone),
        Named::Browser => Device::Browser(caller.own_agent()?),
    };
    let command = Command::SwitchCall { interaction, to };
    run(
        &state,
        &caller,
        Permission::CallsControl,
        command,
        StatusCode::OK,
    )
    .await
}

async fn fetched(
    state: &ApiState,
    caller: &Caller,
    agent: AgentId,
    named: &str,
    leg: Option<LegId>,
) -> Reply<FetchDone> {
    let to = match device(named, "/device")? {
        Named::Phone(phone) => Device::Phone(phone),
        Named::Browser => Device::Browser(agent),
    };
    let reply = command(state, caller, Command::Fetch { agent, to, leg }).await?;
    Ok(FetchDone {
        ask: document(&reply, "ask"),
        choices: document(&reply, "choices").unwrap_or_default(),
        interaction: reply.interaction,
        leg: reply.leg,
    })
}

async fn fetch(
    State(state): State<ApiState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    Body(input): Body<FetchInput>,
) -> Reply {
    admitted(&state, &caller, agent).await?;
    let done = fetched(&state, &caller, agent, &input.device, input.leg).await?;
    Ok(axum::Json(done).into_response())
}

async fn spoken(
    State(state): State<ApiState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    Body(input): Body<SpokenInput>,
) -> Reply {
    admitted(&state, &caller, agent).await?;
    let say = |text: &str| FetchDone {
        ask: Some(text.to_string()),
        ..FetchDone::default()
    };
    let done = match hear(&input.text) {
        Heard::Nothing => say("I did not understand. Say: take the call."),
        Heard::Fetch(which) => {
            let mut done = fetched(&state, &caller, agent, &input.device, None).await?;
            match which.and_then(|n| done.choices.get(n)) {
                Some(call) => {
                    let leg = Some(call.leg);
                    done = fetched(&state, &caller, agent, &input.device, leg).await?;
                }
                None if !done.choices.is_empty() => done.ask = Some(question(&done.choices)),
                None => {}
            }
            done
        }
    };
    Ok(axum::Json(done).into_response())
}

fn question(choices: &[MovableCall]) -> String {
    let mut text = format!("You have {} calls.", choices.len());
    for (n, call) in choices.iter().enumerate() {
        text.push_str(&format!(" Number {}: with {}.", n + 1, call.with));
    }
    text.push_str(" Which one?");
    text
}
