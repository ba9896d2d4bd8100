//! The lists of what people prove themselves with; administrators can take it away, never see it.

use super::factors::note;
use super::totp::me;
use crate::auth::Caller;
use crate::auth::gate::permissions_of;
use crate::auth::permission::Permission;
use crate::extract::{Id, PageView};
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_store::{Factor, FactorKind, StoreExt, User};
use cp_vocab::id::TypedId;
use cp_vocab::{Code, FactorId, UserId};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

/// A passkey or an app, without anything secret; recovery codes are only counted.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInCredential)]
pub(crate) struct CredentialView {
    #[schema(value_type = published::FactorId)]
    id: FactorId,
    /// `passkey` or `totp`.
    kind: &'static str,
    name: String,
    /// An app that was not confirmed yet does not count.
    confirmed: bool,
    created_at: String,
    used_at: Option<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "My sign-in";
    api.add(
        operation::get(
            "/v1/me/credentials",
            "myCredentials",
            tag,
            "My passkeys and authenticator app",
        )
        .lists::<CredentialView>("All of them"),
        mine,
    );
    api.add(
        operation::delete(
            "/v1/me/credentials/{id}",
            "removeMyCredential",
            tag,
            "Remove a passkey or the app",
        )
        .step_up()
        .path_id(FactorId::PREFIX)
        .empty("Removed"),
        remove_mine,
    );
    api.add(
        operation::get(
            "/v1/users/{id}/credentials",
            "userCredentials",
            "Users",
            "How somebody proves themselves",
        )
        .needs(&[Permission::UsersWrite])
        .path_id(UserId::PREFIX)
        .lists::<CredentialView>("All of them"),
        of_user,
    );
    api.add(
        operation::delete(
            "/v1/users/{id}/credentials",
            "resetCredentials",
            "Users",
            "Take away somebody's passkeys, app and recovery codes",
        )
        .describe("For people who lost them. Their sessions end; the password stays.")
        .needs(&[Permission::UsersWrite])
        .step_up()
        .path_id(UserId::PREFIX)
        .empty("Taken away"),
        reset,
    );
}

fn views(all: Vec<Factor>) -> axum::response::Response {
    let shown = all.into_iter().filter_map(|c| {
        let kind = match c.kind {
            FactorKind::Passkey => "passkey",
            FactorKind::Totp => "totp",
            FactorKind::RecoveryCode => return None,
        };
        Some(CredentialView {
            id: c.id,
            kind,
            name: c.body["name"]
                .as_str()
                .unwrap_or("Authenticator app")
                .into(),
            confirmed: c.kind == FactorKind::Passkey || c.body["confirmed"] == true,
            created_at: c.created_at.to_rfc3339(),
            used_at: c.used_at.map(|t| t.to_rfc3339()),
        })
    });
    let items: Vec<CredentialView> = shown.collect();
    axum::Json(PageView { items, next: None }).into_response()
}

async fn mine(State(state): State<ApiState>, caller: Caller) -> Reply {
    let ((id, _), tenant) = (caller.person()?, caller.tenant);
    Ok(views(state.store(move |s| s.factors_of(tenant, id)).await?))
}

async fn remove_mine(State(state): State<ApiState>, caller: Caller, Id(id): Id<FactorId>) -> Reply {
    let user = me(&state, &caller).await?;
    let (tenant, of) = (user.tenant, user.id);
    let all = state.store(move |s| s.factors_of(tenant, of)).await?;
    let own = |c: &&Factor| c.id == id && c.kind != FactorKind::RecoveryCode;
    let found = all.iter().find(own).map(|c| c.id);
    let found = found.ok_or_else(|| Problem::not_found("credential"))?;
    state.store(move |s| s.factor_remove(tenant, found)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Somebody of the caller's tenant whom the caller may change: nobody reaches above themselves.
pub(super) async fn below(state: &ApiState, caller: &Caller, id: UserId) -> Reply<User> {
    let tenant = caller.tenant;
    let user = state.store(move |s| s.get::<User>(tenant, id)).await?.row;
    if !caller
        .permissions
        .may_grant(permissions_of(state, &user).await?)
    {
        let detail = "this person may do more than you; ask somebody who may do as much";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(user)
}

async fn of_user(State(state): State<ApiState>, caller: Caller, Id(id): Id<UserId>) -> Reply {
    let user = below(&state, &caller, id).await?;
    let all = state.store(move |s| s.factors_of(user.tenant, user.id));
    Ok(views(all.await?))
}

async fn reset(State(state): State<ApiState>, caller: Caller, Id(id): Id<UserId>) -> Reply {
    let user = below(&state, &caller, id).await?;
    let (tenant, of) = (user.tenant, user.id);
    let removed = state
        .store(move |s| {
            let removed = s.factors_remove_of(tenant, of)?;
            s.sessions_end_of(tenant, of)?;
            Ok::<_, cp_store::StoreError>(removed)
        })
        .await?;
    note(
        &state,
        &user,
        "credentials.reset",
        json!({ "removed": removed }),
    )
    .await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
