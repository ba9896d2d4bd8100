//! Signing in, renewing, signing out, changing one's password.

use crate::auth::gate::{cookie_name, session_cookie};
use crate::auth::permission::Permissions;
use crate::auth::{Caller, Principal, password, token};
use crate::extract::Body;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cp_store::{Edit, Role, Session, StoreExt, User};
use cp_vocab::{Code, Command, Pii, SessionId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use utoipa::ToSchema;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionKind {
    /// For browsers: an HttpOnly cookie, and a CSRF value to send with everything but GET.
    #[default]
    Cookie,
    /// For programs: a token to send as `Authorization: Bearer`.
    Token,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) login: String,
    #[schema(min_length = 1, max_length = 256)]
    pub(crate) password: String,
    /// Domain of the tenant, when several share this server and have people of the same name.
    #[serde(default)]
    #[schema(max_length = 253)]
    pub(crate) tenant: Option<String>,
    #[serde(default)]
    pub(crate) kind: SessionKind,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(min_length = 1, max_length = 256)]
    pub(crate) current: String,
    #[schema(min_length = 8, max_length = 256)]
    pub(crate) new: String,
}

/// Who is signed in, and what they may.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    #[schema(value_type = published::SessionId)]
    pub(crate) id: SessionId,
    pub(crate) expires_at: String,
    #[schema(value_type = published::UserId)]
    pub(crate) user: UserId,
    pub(crate) login: String,
    pub(crate) name: String,
    #[schema(value_type = Vec<published::Role>)]
    pub(crate) roles: Vec<Role>,
    #[schema(value_type = Vec<String>)]
    pub(crate) permissions: Permissions,
    /// The agent this person is, when they are one.
    #[schema(value_type = Option<published::AgentId>)]
    pub(crate) agent: Option<cp_vocab::AgentId>,
    #[schema(value_type = published::TenantId)]
    pub(crate) tenant: TenantId,
    pub(crate) tenant_name: String,
    /// For browsers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) csrf_token: Option<String>,
    /// For programs; told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Sessions";
    api.add(
        operation::post("/v1/sessions", "signIn", tag, "Sign in")
            .describe("Repeated failures are answered 429 with Retry-After, whether the name exists or not.")
            .open()
            .body::<SignIn>()
            .replies::<SessionView>(201, "Signed in"),
        sign_in,
    );
    api.add(
        operation::get(
            "/v1/sessions/current",
            "currentSession",
            tag,
            "Who is signed in",
        )
        .replies::<SessionView>(200, "The session"),
        current,
    );
    api.add(
        operation::post(
            "/v1/sessions/current/renew",
            "renewSession",
            tag,
            "Renew the session under a new token",
        )
        .describe("The old token ends.")
        .replies::<SessionView>(200, "The new session"),
        renew,
    );
    api.add(
        operation::delete("/v1/sessions/current", "signOut", tag, "Sign out").empty("Signed out"),
        sign_out,
    );
    api.add(
        operation::post(
            "/v1/sessions/current/password",
            "changePassword",
            tag,
            "Change one's own password",
        )
        .describe("All sessions of this person end; sign in again.")
        .body::<PasswordChange>()
        .empty("Changed"),
        change_password,
    );
}

async fn sign_in(
    State(state): State<ApiState>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    Body(input): Body<SignIn>,
) -> Reply {
    let source = source(&state, connection.as_ref(), &headers);
    begin(&state, &input.login, source)?;
    let _turn = state.password_check_turn().await?;
    let (login, kind) = (input.login.clone(), input.kind);
    let user = state.store(move |s| find(s, &input)).await?;
    let Some(user) = user else {
        state.0.meters.sign_ins_failed.add(1);
        tracing::warn!("a sign-in failed");
        let detail =
            "wrong name or password; if your organisation shares this server, give its domain too";
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    state.0.lockout.succeeded(&login, source);
    if let Some(c) = connection {
        c.proved();
    }
    open(&state, user, kind, StatusCode::CREATED).await
}

/// Where a request comes from, as far as that is known.
pub(crate) fn source(
    state: &ApiState,
    connection: Option<&Extension<Connection>>,
    headers: &HeaderMap,
) -> Option<IpAddr> {
    let peer = connection.map(|c| c.remote().ip().to_canonical());
    if !state.0.settings.behind_proxy {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|v| v.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.or(peer)
}

fn begin(state: &ApiState, login: &str, source: Option<IpAddr>) -> Result<(), Problem> {
    state
        .0
        .lockout
        .begin(state.now(), login, source)
        .map_err(|wait_s| {
            let detail = format!("too many failures; wait {wait_s} s");
            Problem::new(Code::TooManyRequests, detail).retry_after_s(wait_s)
        })
}

/// The user, when the password is right. One hash is computed in every case.
fn find(store: &dyn cp_store::Store, input: &SignIn) -> Reply<Option<User>> {
    let mut users = store.users_by_login(&input.login)?;
    if let Some(domain) = input.tenant.as_deref().filter(|d| !d.is_empty()) {
        let snapshot = store.snapshot()?;
        let named = |t: &&cp_vocab::model::Tenant| t.domain.eq_ignore_ascii_case(domain);
        let tenant = snapshot.tenants.iter().find(named).map(|t| t.id);
        users.retain(|u| Some(u.row.tenant) == tenant);
    }
    users.retain(|u| !u.row.disabled);
    // Two tenants with the same name of a person: the domain is needed.
    let user = if users.len() == 1 { users.pop() } else { None };
    let hash = user.as_ref().map(|u| u.row.password_hash.expose().as_str());
    let right = password::verify(hash, &input.password);
    Ok(user.filter(|_| right).map(|u| u.row))
}

/// Makes a session and answers with it.
async fn open(state: &ApiState, user: User, kind: SessionKind, status: StatusCode) -> Reply {
    let secret = token::generate(token::SESSION_PREFIX);
    let now = state.now();
    let session = Session {
        id: state.new_id(),
        tenant: user.tenant,
        user: user.id,
        token_hash: Pii(token::sha256(secret.as_bytes())),
        created_at: now,
        seen_at: now,
        expires_at: now + Duration::from_secs(state.0.settings.session_s),
    };
    let kept = session.clone();
    state.store(move |s| s.session_create(kept)).await?;
    let mut view = view(state, &session, &user).await?;
    match kind {
        SessionKind::Token => view.token = Some(secret.clone()),
        SessionKind::Cookie => view.csrf_token = Some(token::csrf(&secret)),
    }
    let mut response = (status, axum::Json(view)).into_response();
    if kind == SessionKind::Cookie {
        set_cookie(state, &mut response, &secret, state.0.settings.session_s);
    }
    Ok(response)
}

async fn view(state: &ApiState, session: &Session, user: &User) -> Reply<SessionView> {
    let snapshot = state.snapshot().await?;
    let tenant = snapshot.tenants.iter().find(|t| t.id == user.tenant);
    let own = |a: &&cp_vocab::model::Agent| a.user == Some(user.id) && a.tenant == user.tenant;
    Ok(SessionView {
        id: session.id,
        expires_at: session.expires_at.to_rfc3339(),
        user: user.id,
        login: user.login.expose().clone(),
        name: user.name.expose().clone(),
        roles: user.roles.clone(),
        permissions: Permissions::of_roles(&user.roles),
        agent: snapshot.agents.iter().find(own).map(|a| a.id),
        tenant: user.tenant,
        tenant_name: tenant.map(|t| t.name.clone()).unwrap_or_default(),
        csrf_token: None,
        token: None,
    })
}

/// The session and its user by the token that was shown.
async fn shown(
    state: &ApiState,
    headers: &HeaderMap,
) -> Reply<(String, Session, User, SessionKind)> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| Some(v.to_str().ok()?.split_once(' ')?.1.trim().to_string()));
    let kind = if bearer.is_some() {
        SessionKind::Token
    } else {
        SessionKind::Cookie
    };
    let none = || Problem::new(Code::Forbidden, "an API key has no session");
    let secret = bearer
        .or_else(|| session_cookie(state, headers))
        .ok_or_else(none)?;
    let (hash, now) = (token::sha256(secret.as_bytes()), state.now());
    let found = state.store(move |s| s.session_by_token(&hash, now)).await?;
    let (session, user) = found.ok_or_else(none)?;
    Ok((secret, session, user, kind))
}

async fn current(State(state): State<ApiState>, headers: HeaderMap) -> Reply {
    let (secret, session, user, kind) = shown(&state, &headers).await?;
    let mut view = view(&state, &session, &user).await?;
    if kind == SessionKind::Cookie {
        view.csrf_token = Some(token::csrf(&secret));
    }
    Ok(axum::Json(view).into_response())
}

async fn renew(State(state): State<ApiState>, headers: HeaderMap) -> Reply {
    let (_, session, user, kind) = shown(&state, &headers).await?;
    let response = open(&state, user, kind, StatusCode::OK).await?;
    state
        .store(move |s| s.session_end(session.tenant, session.id))
        .await?;
    Ok(response)
}

async fn sign_out(State(state): State<ApiState>, caller: Caller) -> Reply {
    let Principal::User { session, .. } = caller.principal else {
        return Err(Problem::new(Code::Forbidden, "an API key has no session"));
    };
    let tenant = caller.tenant;
    state.store(move |s| s.session_end(tenant, session)).await?;
    if let Some(agent) = caller.agent {
        let end = Command::EndSession { agent, session };
        // The sign-out is done either way; the lease would end by itself.
        let _ = state
            .command(tenant, cp_vocab::command::Actor::Agent(agent), end)
            .await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&state, &mut response, "", 0);
    Ok(response)
}

async fn change_password(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Body(input): Body<PasswordChange>,
) -> Reply {
    let (_, _, user, _) = shown(&state, &headers).await?;
    let login = user.login.expose().clone();
    begin(&state, &login, None)?;
    let _turn = state.password_check_turn().await?;
    let (tenant, id, now) = (user.tenant, user.id, state.now());
    state
        .edit(move |store| {
            let mut row = store.get::<User>(tenant, id)?;
            if !password::verify(Some(row.row.password_hash.expose()), &input.current) {
                let fault = FieldError::new("/current", "format", "this is not your password");
                return Err(Problem::invalid(vec![fault]));
            }
            row.row.password_hash = Pii(password::hash(&input.new));
            let edit = Edit::new(tenant, cp_vocab::command::Actor::User(id), now);
            store.update(edit, row.row, Some(row.version))?;
            store.sessions_end_of(tenant, id)?;
            Ok(())
        })
        .await?;
    state.0.lockout.succeeded(&login, None);
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&state, &mut response, "", 0);
    Ok(response)
}

fn set_cookie(state: &ApiState, response: &mut Response, value: &str, max_age_s: u64) {
    let secure = if state.0.settings.tls { "; Secure" } else { "" };
    let name = cookie_name(state);
    let text =
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}");
    if let Ok(v) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, v);
    }
}
