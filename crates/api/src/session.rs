//! Signing in, renewing, signing out, changing one's password.

use crate::auth::gate::{SUSPENDED, cookie_name, permissions_of, session_cookie, source};
use crate::auth::permission::Permissions;
use crate::auth::{Caller, Principal, audit, password, token};
use crate::extract::Body;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::people::{Factors, SecondFactorNeeded, needed};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cp_store::{AuditEntry, Edit, Origin, Role, Session, StoreExt, User};
use cp_vocab::command::Actor;
use cp_vocab::{Code, Command, Pii, RoleId, SessionId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
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
    #[schema(value_type = Vec<published::RoleId>)]
    pub(crate) custom_roles: Vec<RoleId>,
    #[schema(value_type = Vec<String>)]
    pub(crate) permissions: Permissions,
    /// When the person last proved who they are; dangerous changes want it to be recent.
    pub(crate) proved_at: String,
    /// `passkey`, `totp`, `recovery_code`: what the person can prove the session again with;
    /// empty: the password.
    pub(crate) second_factors: Vec<&'static str>,
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
            .describe(
                "Repeated failures are answered 429 with Retry-After, whether the name exists or not. Who has a passkey or \
                 an authenticator app is answered 202: send the second factor to `/v1/sessions/second-factor`.",
            )
            .open()
            .unaudited()
            .replies::<SecondFactorNeeded>(202, "The password is right; the second factor is wanted")
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
    let visitor = Visitor::of(&state, connection.as_ref().map(|c| &c.0), &headers);
    begin(&state, &input.login, visitor.source)?;
    let turn = state.password_check_turn().await?;
    let (login, kind, domain) = (input.login.clone(), input.kind, input.tenant.clone());
    let (known, right) = state.store(move |s| find(s, &input)).await?;
    drop(turn);
    let Some(user) = known.clone().filter(|_| right) else {
        state.0.meters.sign_ins_failed.add(1);
        tracing::warn!("a sign-in failed");
        // Not waited for, and done for a name that is nobody's too: neither the time a commit takes
        // nor what it leaves behind for the next request tells that a name is known.
        let state = state.clone();
        tokio::spawn(async move { visitor.note_refused(&state, known, domain).await });
        let detail = "Wrong name or password. Check both; if your organisation shares this server, give its domain too.";
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    state.0.lockout.succeeded(&login, visitor.source);
    if let Some(c) = connection {
        c.proved();
    }
    let factors = Factors::of(&state, &user).await?;
    if factors.any() {
        return Ok(needed(&state, &headers, &user, &factors, kind));
    }
    open(
        &state,
        user,
        kind,
        StatusCode::CREATED,
        visitor.proven(&["pwd"]),
    )
    .await
}

/// Who is at the door, before it is known who they are.
pub(crate) struct Visitor {
    pub(crate) source: Option<IpAddr>,
    agent: String,
}

/// Characters of a `User-Agent` that are kept.
const AGENT_CHARS_MAX: usize = 200;

impl Visitor {
    pub(crate) fn of(
        state: &ApiState,
        connection: Option<&Connection>,
        headers: &HeaderMap,
    ) -> Self {
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|v| v.to_str().ok());
        Self {
            source: source(state, connection, headers),
            agent: agent
                .unwrap_or_default()
                .chars()
                .take(AGENT_CHARS_MAX)
                .collect(),
        }
    }

    fn address(&self) -> String {
        self.source.map(|a| a.to_string()).unwrap_or_default()
    }

    /// What a session says of where it came from, with how its person proved themselves.
    pub(crate) fn proven(&self, methods: &[&str]) -> Origin {
        Origin {
            address: Pii(self.address()),
            agent: self.agent.clone(),
            methods: methods.iter().map(|m| (*m).to_string()).collect(),
            ..Origin::default()
        }
    }

    /// A sign-in that was refused, in the audit log of the house it was meant for. What was typed as a
    /// name is not kept when it is nobody's: it may be a password.
    async fn note_refused(&self, state: &ApiState, known: Option<User>, domain: Option<String>) {
        if let Some(user) = known {
            return self.note(state, &user, "session.refused", "password").await;
        }
        let Ok(snapshot) = state.snapshot().await else {
            return;
        };
        let tenant = match (domain.as_deref(), snapshot.tenants.as_slice()) {
            (Some(d), all) if !d.is_empty() => {
                all.iter().find(|t| t.domain.eq_ignore_ascii_case(d))
            }
            (_, [only]) => Some(only),
            _ => None,
        };
        let now = state.now();
        let Some(tenant) = tenant.map(|t| t.id) else {
            // Of no house in particular: as much work, and nothing to keep.
            let _ = state.store(move |s| s.sweep(now)).await;
            return;
        };
        let entry = AuditEntry {
            tenant,
            at: now,
            actor: Actor::System,
            action: "session.refused".into(),
            target: String::new(),
            address: self.address(),
            detail: json!({ "by": "unknown_name" }),
        };
        audit::keep(state, entry).await;
    }

    /// An entry of the audit log about somebody at the door.
    pub(crate) async fn note(&self, state: &ApiState, user: &User, action: &str, by: &str) {
        let entry = AuditEntry {
            tenant: user.tenant,
            at: state.now(),
            actor: Actor::User(user.id),
            action: action.into(),
            target: user.id.to_string(),
            address: self.address(),
            detail: json!({ "by": by }),
        };
        audit::keep(state, entry).await;
    }
}

pub(crate) fn begin(state: &ApiState, login: &str, source: Option<IpAddr>) -> Result<(), Problem> {
    state
        .0
        .lockout
        .begin(state.now(), login, source)
        .map_err(|wait_s| {
            let detail = format!("Too many failed sign-ins. Wait {wait_s} s, then try again; an administrator can set a new password.");
            Problem::new(Code::TooManyRequests, detail).retry_after_s(wait_s)
        })
}

/// The user, when there is one of this name, and whether the password is theirs. One hash is
/// computed in every case.
fn find(store: &dyn cp_store::Store, input: &SignIn) -> Reply<(Option<User>, bool)> {
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
    Ok((user.map(|u| u.row), right))
}

/// Makes a session and answers with it.
///
/// # Errors
/// 403 when the tenant is suspended.
pub(crate) async fn open(
    state: &ApiState,
    user: User,
    kind: SessionKind,
    status: StatusCode,
    origin: Origin,
) -> Reply {
    let (secret, session) = make(state, &user, origin).await?;
    answer(state, &user, &session, &secret, kind, status).await
}

/// Makes a session; gives its token.
///
/// # Errors
/// 403 when the tenant is suspended.
pub(crate) async fn make(
    state: &ApiState,
    user: &User,
    origin: Origin,
) -> Reply<(String, Session)> {
    let snapshot = state.snapshot().await?;
    let suspended = |t: &cp_vocab::model::Tenant| t.id == user.tenant && t.suspended;
    if snapshot.tenants.iter().any(suspended) {
        return Err(Problem::new(Code::Suspended, SUSPENDED));
    }
    let entry = AuditEntry {
        tenant: user.tenant,
        at: state.now(),
        actor: Actor::User(user.id),
        action: "session.opened".into(),
        target: user.id.to_string(),
        address: origin.address.expose().clone(),
        detail: json!({ "methods": origin.methods }),
    };
    audit::keep(state, entry).await;
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
        proved_at: now,
        origin,
    };
    let kept = session.clone();
    state.store(move |s| s.session_create(kept)).await?;
    Ok((secret, session))
}

async fn answer(
    state: &ApiState,
    user: &User,
    session: &Session,
    secret: &str,
    kind: SessionKind,
    status: StatusCode,
) -> Reply {
    let mut view = view(state, session, user).await?;
    match kind {
        SessionKind::Token => view.token = Some(secret.to_string()),
        SessionKind::Cookie => view.csrf_token = Some(token::csrf(secret)),
    }
    let mut response = (status, axum::Json(view)).into_response();
    if kind == SessionKind::Cookie {
        set_cookie(state, &mut response, secret, state.0.settings.session_s);
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
        custom_roles: user.custom_roles.clone(),
        proved_at: session.proved_at.to_rfc3339(),
        second_factors: Factors::of(state, user).await?.methods(),
        permissions: permissions_of(state, user).await?,
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
    let none = || {
        Problem::new(
            Code::Forbidden,
            "only people who are signed in have a session",
        )
    };
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
    let (secret, mut renewed) = make(&state, &user, session.origin.clone()).await?;
    // Renewing proves nothing new.
    let (id, proved_at) = (renewed.id, session.proved_at);
    renewed.proved_at = proved_at;
    state
        .store(move |s| s.session_proved(id, proved_at))
        .await?;
    let response = answer(&state, &user, &renewed, &secret, kind, StatusCode::OK).await?;
    state
        .store(move |s| s.session_end(session.tenant, session.id))
        .await?;
    Ok(response)
}

async fn sign_out(State(state): State<ApiState>, caller: Caller) -> Reply {
    let Principal::User { session, .. } = caller.principal else {
        return Err(Problem::new(
            Code::Forbidden,
            "only people who are signed in have a session",
        ));
    };
    let tenant = caller.tenant;
    state.store(move |s| s.session_end(tenant, session)).await?;
    if let Some(agent) = caller.agent {
        let end = Command::EndSession {
            agent,
            session,
            signed_out: true,
        };
        // The sign-out is done either way; the lease would end by itself.
        let _ = state.command(tenant, Actor::Agent(agent), end).await;
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
    // Before anything is counted as a guess.
    if password::is_weak(&input.new, &[&login, user.name.expose()]) {
        let fault = FieldError::new("/new", "too_weak", password::WEAK);
        return Err(Problem::invalid(vec![fault]));
    }
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
            let edit = Edit::new(tenant, Actor::User(id), now);
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

pub(crate) fn set_cookie(state: &ApiState, response: &mut Response, value: &str, max_age_s: u64) {
    let secure = if state.0.settings.tls { "; Secure" } else { "" };
    let name = cookie_name(state);
    let text =
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}");
    if let Ok(v) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, v);
    }
}
