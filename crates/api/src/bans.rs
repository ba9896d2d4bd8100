//! SIP sources that guessed passwords, or that an operator wants away.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_vocab::{Code, Command};
use serde::Deserialize;
use serde_json::json;
use std::net::IpAddr;
use utoipa::ToSchema;

const MAY: &[Permission] = &[Permission::NodeBans];

#[derive(ToSchema)]
#[schema(as = Bans)]
#[allow(dead_code)]
struct BansView {
    items: Vec<BanView>,
}

#[derive(ToSchema)]
#[schema(as = Ban)]
#[allow(dead_code)]
struct BanView {
    /// An IPv4 address, or the /64 of an IPv6 one.
    address: String,
    #[schema(format = DateTime)]
    until: String,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = BanMaking)]
#[serde(deny_unknown_fields)]
struct BanInput {
    #[schema(minimum = 1, maximum = 43200)]
    minutes: u64,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Operations";
    let address = || json!({ "type": "string", "maxLength": 45 });
    api.add(
        operation::get(
            "/v1/node/bans",
            "listBans",
            tag,
            "List SIP sources that are banned",
        )
        .needs(MAY)
        .replies::<BansView>(200, "Now"),
        list,
    );
    api.add(
        operation::put("/v1/node/bans/{address}", "ban", tag, "Ban a SIP source")
            .describe("It gets no answer meanwhile. Calls that run go on.")
            .needs(MAY)
            .path_param("address", address())
            .body::<BanInput>()
            .empty("Banned"),
        ban,
    );
    api.add(
        operation::delete("/v1/node/bans/{address}", "unban", tag, "Take a ban back")
            .needs(MAY)
            .path_param("address", address())
            .empty("Taken back"),
        unban,
    );
}

async fn list(State(state): State<ApiState>, caller: Caller) -> Reply {
    let reply = state
        .command(caller.tenant, caller.actor(), Command::Bans)
        .await?;
    let document = reply
        .document
        .ok_or_else(|| Problem::new(Code::Internal, "no list"))?;
    Ok(axum::Json(document).into_response())
}

async fn ban(
    State(state): State<ApiState>,
    caller: Caller,
    Path(address): Path<String>,
    Body(input): Body<BanInput>,
) -> Reply {
    set(state, caller, &address, input.minutes * 60).await
}

async fn unban(
    State(state): State<ApiState>,
    caller: Caller,
    Path(address): Path<String>,
) -> Reply {
    set(state, caller, &address, 0).await
}

async fn set(state: ApiState, caller: Caller, address: &str, seconds: u64) -> Reply {
    let address: IpAddr = address
        .parse()
        .map_err(|_| Problem::new(Code::NotFound, "that is no IP address"))?;
    let command = Command::Ban { address, seconds };
    state
        .command(caller.tenant, caller.actor(), command)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
