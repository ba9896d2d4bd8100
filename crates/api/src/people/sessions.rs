//! Who is signed in where, and ending it.

use super::credentials::below;
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Id, PageView};
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_store::{Session, StoreError, StoreExt, User};
use cp_vocab::id::TypedId;
use cp_vocab::{SessionId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// A live session of somebody.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionRow {
    #[schema(value_type = published::SessionId)]
    id: SessionId,
    /// The one that asks.
    current: bool,
    created_at: String,
    seen_at: String,
    expires_at: String,
    proved_at: String,
    /// Where it was opened from.
    #[schema(example = "192.0.2.7")]
    address: String,
    /// The browser or program.
    user_agent: String,
    /// RFC 8176: `pwd`, `otp`, `hwk`, `fed` …
    methods: Vec<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "My sign-in";
    api.add(
        operation::get("/v1/me/sessions", "mySessions", tag, "Where I am signed in")
            .lists::<SessionRow>("All of them"),
        mine,
    );
    api.add(
        operation::delete(
            "/v1/me/sessions",
            "endMyOtherSessions",
            tag,
            "Sign out everywhere else",
        )
        .empty("Ended"),
        end_others,
    );
    api.add(
        operation::delete(
            "/v1/me/sessions/{id}",
            "endMySession",
            tag,
            "End one of my sessions",
        )
        .path_id(SessionId::PREFIX)
        .empty("Ended"),
        end_mine,
    );
    api.add(
        operation::get(
            "/v1/users/{id}/sessions",
            "userSessions",
            "Users",
            "Where somebody is signed in",
        )
        .needs(&[Permission::UsersWrite])
        .path_id(UserId::PREFIX)
        .lists::<SessionRow>("All of them"),
        of_user,
    );
    api.add(
        operation::delete(
            "/v1/users/{id}/sessions",
            "endUserSessions",
            "Users",
            "Sign somebody out everywhere",
        )
        .needs(&[Permission::UsersWrite])
        .path_id(UserId::PREFIX)
        .empty("Ended"),
        end_of_user,
    );
}

fn views(all: Vec<Session>, current: Option<SessionId>) -> axum::response::Response {
    let view = |s: Session| SessionRow {
        id: s.id,
        current: Some(s.id) == current,
        created_at: s.created_at.to_rfc3339(),
        seen_at: s.seen_at.to_rfc3339(),
        expires_at: s.expires_at.to_rfc3339(),
        proved_at: s.proved_at.to_rfc3339(),
        address: s.origin.address.into_inner(),
        user_agent: s.origin.agent,
        methods: s.origin.methods,
    };
    let items: Vec<SessionRow> = all.into_iter().map(view).collect();
    axum::Json(PageView { items, next: None }).into_response()
}

async fn all_of(state: &ApiState, caller: &Caller, user: UserId) -> Reply<Vec<Session>> {
    let (tenant, now) = (caller.tenant, state.now());
    Ok(state
        .store(move |s| s.sessions_of(tenant, user, now))
        .await?)
}

async fn mine(State(state): State<ApiState>, caller: Caller) -> Reply {
    let (id, session) = caller.person()?;
    Ok(views(all_of(&state, &caller, id).await?, Some(session)))
}

async fn end_others(State(state): State<ApiState>, caller: Caller) -> Reply {
    let (id, session) = caller.person()?;
    let all = all_of(&state, &caller, id).await?;
    let tenant = caller.tenant;
    state
        .store(move |s| {
            let mut others = all.iter().map(|s| s.id).filter(|id| *id != session);
            others.try_for_each(|id| s.session_end(tenant, id))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end_mine(State(state): State<ApiState>, caller: Caller, Id(id): Id<SessionId>) -> Reply {
    let (user, _) = caller.person()?;
    let all = all_of(&state, &caller, user).await?;
    if !all.iter().any(|s| s.id == id) {
        return Err(Problem::not_found("session"));
    }
    let tenant = caller.tenant;
    state.store(move |s| s.session_end(tenant, id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn of_user(State(state): State<ApiState>, caller: Caller, Id(id): Id<UserId>) -> Reply {
    let tenant = caller.tenant;
    state.store(move |s| s.get::<User>(tenant, id)).await?;
    Ok(views(all_of(&state, &caller, id).await?, None))
}

async fn end_of_user(State(state): State<ApiState>, caller: Caller, Id(id): Id<UserId>) -> Reply {
    let user = below(&state, &caller, id).await?;
    state
        .store(move |s| s.sessions_end_of(user.tenant, user.id))
        .await
        .map_err(|e: StoreError| Problem::from(e))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
