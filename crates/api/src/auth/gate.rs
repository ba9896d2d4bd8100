//! The one gate every operation is behind: who asks, whether they may, and whether it was asked
//! before. What is not in the table of operations is not reachable.

use super::permission::{Permission, Permissions};
use super::{Caller, Principal, audit, forbidden, token};
use crate::extract::BODY_BYTES_MAX;
use crate::http::connection::Connection;
use crate::idempotency;
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cp_store::{AccessToken, ApiKey, OAuthClient, Session, User};
use cp_vocab::model::{Snapshot, Tenant};
use cp_vocab::{Code, TenantId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A request that takes longer is answered 504; what it began goes on.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// A body that takes longer to arrive is answered 408.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    Open,
    /// Anybody, from pages of other sites too: the operation checks their origin itself.
    Page,
    SignedIn,
    AnyOf(&'static [Permission]),
}

/// Who keeps the answer of an operation that honours `Idempotency-Key`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Idempotence {
    None,
    Gate,
    Handler,
}

/// Which requests the gate writes into the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audited {
    No,
    /// Those that were refused for lack of a right.
    Refusals,
    /// Those that were done or refused for lack of a right.
    Yes,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// The operation's name.
    pub(crate) id: &'static str,
    pub(crate) access: Access,
    /// A person's session must have been proven lately.
    pub(crate) step_up: bool,
    pub(crate) audit: Audited,
    pub(crate) idempotence: Idempotence,
    /// What a request weighs of its address's share of a minute, when it is open; 0: nothing.
    pub(crate) weight: u32,
}

/// The gate of each operation by path and method.
#[derive(Default, Debug)]
pub(crate) struct Gates(HashMap<&'static str, Vec<(Method, Gate)>>);

impl Gates {
    pub(crate) fn insert(
        &mut self,
        method: Method,
        path: &'static str,
        gate: Gate,
    ) -> Option<Gate> {
        let before = self.find(&method, path);
        self.0.entry(path).or_default().push((method, gate));
        before
    }
    fn find(&self, method: &Method, path: &str) -> Option<Gate> {
        let of_path = self.0.get(path)?;
        let exact = of_path.iter().find(|(m, _)| m == method);
        let get =
            || (method == Method::HEAD).then(|| of_path.iter().find(|(m, _)| m == Method::GET));
        exact.or_else(|| get().flatten()).map(|(_, gate)| *gate)
    }
}

/// What authenticated a request.
enum Credential {
    Bearer(String),
    Cookie(String),
}

/// The middleware around every operation.
pub(crate) async fn gate(
    State(state): State<ApiState>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let gates = state.0.gates.get().expect("set when the router is made");
    let Some(gate) = gates.find(request.method(), path.as_str()) else {
        return Problem::not_found("operation").into_response();
    };
    match tokio::time::timeout(REQUEST_TIME_MAX, pass(&state, gate, request, next)).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => Problem::new(Code::Timeout, "this took too long").into_response(),
    }
}

async fn pass(state: &ApiState, gate: Gate, request: Request, next: Next) -> Reply {
    let (mut parts, body) = request.into_parts();
    if !matches!(gate.access, Access::Page) {
        refuse_foreign_page(&parts.method, &parts.headers)?;
    }
    if matches!(gate.access, Access::Open | Access::Page) {
        keep_pace(state, gate, &parts)?;
        return carry_out(state, gate, parts, body, next).await;
    }
    let mut caller = admit(state, &parts.method, &parts.headers).await?;
    let connection = parts.extensions.get::<Connection>();
    if let Some(connection) = connection {
        connection.proved();
    }
    let address = source(state, connection, &parts.headers);
    caller.address = address.map(|a| a.to_string()).unwrap_or_default();
    let did = audit::Did::new(gate, &caller, parts.uri.path());
    let result = match may(state, gate, &caller) {
        Ok(()) => {
            parts.extensions.insert(caller);
            carry_out(state, gate, parts, body, next).await
        }
        Err(problem) => Err(problem),
    };
    if let Some(entry) = did.entry(state, &result) {
        audit::keep(state, entry).await;
    }
    result
}

/// Whether the address has not asked for more than its share.
fn keep_pace(state: &ApiState, gate: Gate, parts: &axum::http::request::Parts) -> Reply<()> {
    let from = source(state, parts.extensions.get::<Connection>(), &parts.headers);
    let (Some(from), 1..) = (from, gate.weight) else {
        return Ok(());
    };
    let taken = state.0.pace.take(state.now(), from, gate.weight);
    taken.map_err(|wait_s| {
        let detail =
            format!("Too many requests from this address. Wait {wait_s} s, then try again.");
        Problem::new(Code::TooManyRequests, detail).retry_after_s(wait_s)
    })
}

/// Whether the caller may do this, now.
fn may(state: &ApiState, gate: Gate, caller: &Caller) -> Reply<()> {
    if let Access::AnyOf(of) = gate.access
        && !caller.permissions.has_any(of)
    {
        return Err(forbidden(of));
    }
    let proven_for = Duration::from_secs(state.0.settings.step_up_s);
    match caller.proved_at {
        Some(at) if gate.step_up && state.now().since(at) > proven_for => {
            let detail =
                "Prove again that it is you before this: POST /v1/sessions/current/step-up";
            Err(Problem::new(Code::StepUpRequired, detail))
        }
        _ => Ok(()),
    }
}

async fn carry_out(
    state: &ApiState,
    gate: Gate,
    parts: axum::http::request::Parts,
    body: Body,
    next: Next,
) -> Reply {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        // Untouched: an upgrade to a WebSocket lives in it.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let body = read(&parts.headers, body).await?;
    idempotency::around(state, gate.idempotence, parts, body, next).await
}

/// Where a request comes from, as far as that is known.
pub(crate) fn source(
    state: &ApiState,
    connection: Option<&Connection>,
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

/// A browser says when a page of another site makes it ask; nothing here is meant for those.
fn refuse_foreign_page(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    let foreign = matches!(site, Some("cross-site" | "same-site"));
    if foreign && *method != Method::GET && *method != Method::HEAD {
        let detail = "requests from pages of another origin are not taken";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// Reads the body within the limits of size and time.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("a body may have at most {BODY_BYTES_MAX} bytes");
        Problem::new(Code::TooLarge, detail)
    };
    let said = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|n| n > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let reading = axum::body::to_bytes(body, BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_TIME_MAX, reading).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // The only failure besides the limit is a client that went away, who reads no answer.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(
            Problem::new(Code::Timeout, "the body took too long to arrive")
                .with_status(axum::http::StatusCode::REQUEST_TIMEOUT),
        ),
    }
}

/// Finds out who asks.
///
/// # Errors
/// 401 without a valid credential; 403 for a browser's unsafe request without its CSRF value.
pub(crate) async fn admit(state: &ApiState, method: &Method, headers: &HeaderMap) -> Reply<Caller> {
    let credential = credential(state, headers).ok_or_else(|| {
        Problem::new(
            Code::Unauthenticated,
            "Sign in first: send a session's cookie, or a token as Authorization: Bearer.",
        )
    })?;
    let refused = || {
        Problem::new(
            Code::Unauthenticated,
            "This sign-in is not valid (any more). Sign in again.",
        )
    };
    match credential {
        Credential::Bearer(t) if t.starts_with(token::SESSION_PREFIX) => {
            let (session, user) = session(state, &t).await?.ok_or_else(refused)?;
            of_user(state, session, user).await
        }
        Credential::Bearer(t) if t.starts_with(token::ACCESS_PREFIX) => {
            let (hash, now) = (token::sha256(t.as_bytes()), state.now());
            let found = state
                .store(move |s| s.access_token_by_hash(&hash, now))
                .await?;
            let (access, client) = found.ok_or_else(refused)?;
            open_tenant(state, access.tenant).await?;
            Ok(of_client(&access, &client))
        }
        Credential::Bearer(t) => {
            let key = api_key(state, &t).await?.ok_or_else(refused)?;
            open_tenant(state, key.tenant).await?;
            Ok(of_key(key))
        }
        Credential::Cookie(t) => {
            let (session, user) = session(state, &t).await?.ok_or_else(refused)?;
            let safe = *method == Method::GET || *method == Method::HEAD;
            let shown = headers.get("x-csrf-token").and_then(|v| v.to_str().ok());
            if !safe && !shown.is_some_and(|s| token::same(s, &token::csrf(&t))) {
                let detail = "Send the session's csrf_token as X-CSRF-Token.";
                return Err(Problem::new(Code::Forbidden, detail));
            }
            of_user(state, session, user).await
        }
    }
}

fn credential(state: &ApiState, headers: &HeaderMap) -> Option<Credential> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Credential::Bearer(token.trim().to_string()));
    }
    session_cookie(state, headers).map(Credential::Cookie)
}

/// The session token a browser sent.
pub(crate) fn session_cookie(state: &ApiState, headers: &HeaderMap) -> Option<String> {
    cookie(headers, cookie_name(state))
}

/// The first cookie of this name.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v.to_string())
}

pub(crate) fn cookie_name(state: &ApiState) -> &'static str {
    if state.0.settings.tls {
        "__Host-cp_session"
    } else {
        "cp_session"
    }
}

async fn session(state: &ApiState, token: &str) -> Reply<Option<(Session, User)>> {
    let hash = token::sha256(token.as_bytes());
    let now = state.now();
    Ok(state.store(move |s| s.session_by_token(&hash, now)).await?)
}

async fn api_key(state: &ApiState, token: &str) -> Reply<Option<ApiKey>> {
    let hash = token::sha256(token.as_bytes());
    let now = state.now();
    Ok(state.store(move |s| s.api_key_by_hash(&hash, now)).await?)
}

async fn of_user(state: &ApiState, session: Session, user: User) -> Reply<Caller> {
    let snapshot = open_tenant(state, user.tenant).await?;
    let agent = snapshot
        .agents
        .iter()
        .find(|a| a.user == Some(user.id) && a.tenant == user.tenant);
    Ok(Caller {
        tenant: user.tenant,
        principal: Principal::User {
            id: user.id,
            session: session.id,
        },
        agent: agent.map(|a| a.id),
        permissions: permissions_of(state, &user).await?,
        address: String::new(),
        proved_at: Some(session.proved_at),
    })
}

/// What somebody may do: by the roles everybody knows and by those of their tenant.
pub(crate) async fn permissions_of(state: &ApiState, user: &User) -> Reply<Permissions> {
    let built_in = Permissions::of_roles(&user.roles);
    if user.custom_roles.is_empty() {
        return Ok(built_in);
    }
    let user = user.clone();
    Ok(state
        .store(move |s| crate::resource::roles::permissions(s, &user))
        .await?)
}

/// The configuration, if the tenant may be used.
async fn open_tenant(state: &ApiState, tenant: TenantId) -> Reply<Arc<Snapshot>> {
    let snapshot = state.snapshot().await?;
    let suspended = |t: &Tenant| t.id == tenant && t.suspended;
    if snapshot.tenants.iter().any(suspended) {
        return Err(Problem::new(Code::Suspended, SUSPENDED));
    }
    Ok(snapshot)
}

pub(crate) const SUSPENDED: &str =
    "Your organisation's account is suspended. Ask whoever runs this server.";

fn of_key(key: ApiKey) -> Caller {
    Caller {
        tenant: key.tenant,
        permissions: crate::resource::api_keys::permissions(&key),
        principal: Principal::Key(key.id),
        agent: None,
        address: String::new(),
        proved_at: None,
    }
}

/// What the token carries, and of that what the client still may.
fn of_client(access: &AccessToken, client: &OAuthClient) -> Caller {
    let set = |words: &[String]| -> Permissions {
        words
            .iter()
            .filter_map(|s| s.parse::<Permission>().ok())
            .collect()
    };
    Caller {
        tenant: access.tenant,
        permissions: set(&access.scopes).intersection(set(&client.scopes)),
        principal: Principal::Client(client.id),
        agent: None,
        address: String::new(),
        proved_at: None,
    }
}
