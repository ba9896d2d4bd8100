//! The first start: the first tenant and the first person, by whoever can read the server's output.

use super::tenants::{FirstPerson, TenantNew, make};
use crate::auth::token;
use crate::extract::Body;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::session::{SessionKind, SessionView, Visitor, begin, open};
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use cp_store::{Edit, PageRequest, Role, StoreExt, User};
use cp_vocab::command::Actor;
use cp_vocab::{Code, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Random bytes in the token that the server prints at its first start.
pub const SETUP_TOKEN_BYTES: usize = 16;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupInput {
    /// As the server printed it when it started.
    #[schema(min_length = 1, max_length = 100)]
    token: String,
    /// Name of the first tenant.
    #[schema(min_length = 1, max_length = 100, example = "Example Ltd")]
    tenant: String,
    /// Its SIP domain; empty while it is the only one.
    #[serde(default)]
    #[schema(max_length = 253)]
    domain: String,
    /// Who administers it and runs the platform.
    person: FirstPerson,
    #[serde(default)]
    kind: SessionKind,
}

/// Whether the first start is still ahead.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupState {
    needed: bool,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Setup";
    api.add(
        operation::get(
            "/v1/setup",
            "setupState",
            tag,
            "Whether the first person is still to be made",
        )
        .open()
        .replies::<SetupState>(200, "Yes or no"),
        state_of,
    );
    api.add(
        operation::post(
            "/v1/setup",
            "setup",
            tag,
            "Make the first tenant and its first person",
        )
        .describe(
            "Once, on an empty database, with the token that the server printed when it started.",
        )
        .open()
        .unaudited()
        .body::<SetupInput>()
        .replies::<SessionView>(201, "Made, and signed in"),
        setup,
    );
}

async fn needed(state: &ApiState) -> Reply<bool> {
    let first = PageRequest::first(1);
    let tenants = state.store(move |s| s.tenants(&first)).await?;
    Ok(tenants.items.is_empty() && state.0.settings.setup_token.is_some())
}

async fn state_of(State(state): State<ApiState>) -> Reply {
    let needed = needed(&state).await?;
    Ok(axum::Json(json!({ "needed": needed })).into_response())
}

/// The first person of a tenant stands elsewhere in this body.
fn at_person(mut problem: Problem) -> Problem {
    for e in &mut problem.errors {
        e.pointer = e.pointer.replace("/administrator/", "/person/");
    }
    problem
}

async fn setup(
    State(state): State<ApiState>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    Body(input): Body<SetupInput>,
) -> Reply {
    if !needed(&state).await? {
        let detail =
            "The first person has been made. Sign in; another administrator can make further ones.";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let visitor = Visitor::of(&state, connection.as_ref().map(|c| &c.0), &headers);
    begin(&state, "setup", visitor.source)?;
    let right = state.0.settings.setup_token.as_deref();
    if !right.is_some_and(|r| token::same(r, input.token.trim())) {
        let detail = "This is not the token that the server printed when it started. Look at its output or log.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let ids: (_, UserId) = (state.new_id(), state.new_id());
    let (tenant, user) = ids;
    let mut edit = Edit::new(tenant, Actor::User(user), state.now());
    edit.address = visitor.source.map(|a| a.to_string()).unwrap_or_default();
    let new = TenantNew {
        name: input.tenant,
        domain: input.domain,
        interactions_max: 0,
        administrator: input.person,
    };
    let person = state
        .edit(move |s| {
            // Of two who are first, one is.
            if !s.tenants(&PageRequest::first(1))?.items.is_empty() {
                return Err(Problem::new(
                    Code::Conflict,
                    "The first person has been made. Sign in.",
                ));
            }
            make(s, edit, ids, new, vec![Role::Administrator, Role::Operator])
                .map_err(at_person)?;
            Ok(s.get::<User>(tenant, user)?.row)
        })
        .await?;
    state.publish_configuration(tenant).await;
    open(
        &state,
        person,
        input.kind,
        StatusCode::CREATED,
        visitor.proven(&["pwd"]),
    )
    .await
}
