//! The token endpoint of OAuth 2 (RFC 6749 4.4), introspection (RFC 7662), revocation (RFC 7009)
//! and the metadata document (RFC 8414). Tokens are opaque; what they open is looked up each time,
//! so taking a right away takes effect at once.

use super::form;
use crate::auth::gate::source;
use crate::auth::token;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::resource::oauth_clients::opens;
use crate::session::begin;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cp_store::{AccessToken, AuditEntry, OAuthClient};
use cp_vocab::command::Actor;
use cp_vocab::{Code, OAuthClientId, Pii};
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use utoipa::ToSchema;

/// RFC 6749 5.1.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    #[schema(example = "cpa_…")]
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    expires_in: u32,
    scope: String,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "OAuth";
    let form = form::MIME;
    api.add(
        operation::post("/v1/oauth/token", "oauthToken", tag, "Get an access token")
            .describe(
                "`grant_type=client_credentials`, optionally `scope`; the client's id and secret by HTTP Basic or as \
                 `client_id` and `client_secret`. Errors are those of RFC 6749 5.2.",
            )
            .open()
            .unaudited()
            .form(form, &["grant_type", "scope", "client_id", "client_secret"])
            .replies::<TokenResponse>(200, "A token"),
        issue,
    );
    api.add(
        operation::post(
            "/v1/oauth/introspect",
            "oauthIntrospect",
            tag,
            "Ask about a token",
        )
        .describe("RFC 7662; a client learns about its own tokens only.")
        .open()
        .unaudited()
        .form(form, &["token", "client_id", "client_secret"])
        .content(
            200,
            "application/json",
            "`active` and, when it is, what it carries",
        ),
        introspect,
    );
    api.add(
        operation::post("/v1/oauth/revoke", "oauthRevoke", tag, "End a token")
            .describe("RFC 7009; a client ends its own tokens only.")
            .open()
            .unaudited()
            .form(form, &["token", "client_id", "client_secret"])
            .content(200, "application/json", "Ended, or never there"),
        revoke,
    );
    api.add(
        operation::get(
            "/.well-known/oauth-authorization-server",
            "oauthMetadata",
            tag,
            "Where the endpoints are (RFC 8414)",
        )
        .open()
        .content(200, "application/json", "Metadata"),
        metadata,
    );
}

/// An error as RFC 6749 5.2 says it.
fn refusal(status: StatusCode, error: &str, description: &str) -> Response {
    let body = axum::Json(json!({ "error": error, "error_description": description }));
    let mut response = (status, body).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let basic = HeaderValue::from_static("Basic realm=\"crosspoint\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, basic);
    }
    response
}

/// What a request carries and the client that proved itself by it.
struct Request {
    fields: HashMap<String, String>,
    client: OAuthClient,
    address: String,
}

/// A form as it came.
type Asked = (Option<Extension<Connection>>, HeaderMap, Bytes);

/// Authenticates the client (RFC 6749 2.3.1).
async fn authenticated(
    state: &ApiState,
    (connection, headers, body): Asked,
) -> Reply<Result<Request, Response>> {
    let (connection, headers) = (connection.as_ref().map(|c| &c.0), &headers);
    let bad = |what| {
        Ok(Err(refusal(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            what,
        )))
    };
    let fields = match form::read(headers, &body) {
        Ok(fields) => fields,
        Err(what) => return bad(what),
    };
    let in_form = fields.get("client_id").zip(fields.get("client_secret"));
    let in_form = in_form.map(|(i, s)| (i.clone(), s.clone()));
    let (id, secret) = match (basic(headers), in_form) {
        (Some(_), Some(_)) => return bad("give the client's secret once, not in two ways"),
        (Some(pair), None) | (None, Some(pair)) => pair,
        (None, None) => return Ok(Err(unknown_client())),
    };
    let address = source(state, connection, headers);
    begin(state, &format!("client {id}"), address)?;
    let Some(client) = find(state, &id).await? else {
        return Ok(Err(unknown_client()));
    };
    if client.disabled || !opens(&client, &secret, state.now()) {
        return Ok(Err(unknown_client()));
    }
    state.0.lockout.succeeded(&format!("client {id}"), address);
    if let Some(c) = connection {
        c.proved();
    }
    Ok(Ok(Request {
        fields,
        client,
        address: address.map(|a| a.to_string()).unwrap_or_default(),
    }))
}

fn unknown_client() -> Response {
    let what = "the client is not known, or this is not its secret";
    refusal(StatusCode::UNAUTHORIZED, "invalid_client", what)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(cp_identity::b64::decode_standard(encoded.trim())?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form::decoded(id)?, form::decoded(secret)?))
}

/// A client by its id, in whichever tenant; none of a suspended one.
async fn find(state: &ApiState, id: &str) -> Reply<Option<OAuthClient>> {
    let Ok(id) = id.parse::<OAuthClientId>() else {
        return Ok(None);
    };
    let found = state.store(move |s| s.oauth_client(id)).await?;
    let Some(client) = found else {
        return Ok(None);
    };
    let snapshot = state.snapshot().await?;
    let live = snapshot
        .tenants
        .iter()
        .any(|t| t.id == client.tenant && !t.suspended);
    Ok(live.then_some(client))
}

async fn issue(State(state): State<ApiState>, asked: Asked) -> Reply {
    let request = match authenticated(&state, asked).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let client = &request.client;
    match request.fields.get("grant_type").map(String::as_str) {
        Some("client_credentials") => {}
        Some(_) => {
            let what = "only client_credentials is given here";
            return Ok(refusal(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                what,
            ));
        }
        None => {
            let what = "grant_type is missing";
            return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_request", what));
        }
    }
    let scopes: Vec<String> = match request.fields.get("scope") {
        Some(asked) => asked.split_whitespace().map(String::from).collect(),
        None => client.scopes.clone(),
    };
    if scopes.is_empty() || scopes.iter().any(|s| !client.scopes.contains(s)) {
        let what = "the client may not have all of these scopes";
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_scope", what));
    }
    let (secret, now) = (token::generate(token::ACCESS_PREFIX), state.now());
    let kept = AccessToken {
        hash: Pii(token::sha256(secret.as_bytes())),
        tenant: client.tenant,
        client: client.id,
        scopes: scopes.clone(),
        created_at: now,
        expires_at: now + Duration::from_secs(u64::from(client.token_s)),
    };
    state.store(move |s| s.access_token_create(kept)).await?;
    note(
        &state,
        &request,
        "access_token.issued",
        json!({ "scopes": scopes }),
    )
    .await;
    let token = TokenResponse {
        access_token: secret,
        token_type: "Bearer",
        expires_in: client.token_s,
        scope: scopes.join(" "),
    };
    Ok(axum::Json(token).into_response())
}

async fn note(state: &ApiState, request: &Request, action: &str, detail: serde_json::Value) {
    let entry = AuditEntry {
        tenant: request.client.tenant,
        at: state.now(),
        actor: Actor::Client(request.client.id),
        action: action.into(),
        target: request.client.id.to_string(),
        address: request.address.clone(),
        detail,
    };
    crate::auth::audit::keep(state, entry).await;
}

/// The token a request is about, if it is one of the client's.
async fn own_token(state: &ApiState, request: &Request) -> Reply<Option<AccessToken>> {
    let Some(shown) = request.fields.get("token") else {
        return Ok(None);
    };
    let (hash, now) = (token::sha256(shown.as_bytes()), state.now());
    let found = state
        .store(move |s| s.access_token_by_hash(&hash, now))
        .await?;
    Ok(found
        .map(|(t, _)| t)
        .filter(|t| t.client == request.client.id))
}

async fn introspect(State(state): State<ApiState>, asked: Asked) -> Reply {
    let request = match authenticated(&state, asked).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let answer = match own_token(&state, &request).await? {
        None => json!({ "active": false }),
        Some(t) => json!({
            "active": true, "client_id": t.client, "token_type": "Bearer", "scope": t.scopes.join(" "),
            "iat": t.created_at.as_micros() / 1_000_000, "exp": t.expires_at.as_micros() / 1_000_000,
        }),
    };
    Ok(axum::Json(answer).into_response())
}

async fn revoke(State(state): State<ApiState>, asked: Asked) -> Reply {
    let request = match authenticated(&state, asked).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    if let Some(t) = own_token(&state, &request).await? {
        let (tenant, hash) = (t.tenant, *t.hash.expose());
        state
            .store(move |s| s.access_token_end(tenant, &hash))
            .await?;
        note(&state, &request, "access_token.revoked", json!({})).await;
    }
    Ok(axum::Json(json!({})).into_response())
}

async fn metadata(State(state): State<ApiState>, headers: HeaderMap) -> Reply {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let Some(host) = host else {
        return Err(crate::problem::Problem::new(
            Code::BadRequest,
            "name the host",
        ));
    };
    let scheme = if state.0.settings.tls {
        "https"
    } else {
        "http"
    };
    let base = state.0.settings.origins.first().cloned();
    let base = base.unwrap_or_else(|| format!("{scheme}://{host}"));
    let methods = ["client_secret_basic", "client_secret_post"];
    let document = json!({
        "issuer": base,
        "token_endpoint": format!("{base}/v1/oauth/token"),
        "introspection_endpoint": format!("{base}/v1/oauth/introspect"),
        "revocation_endpoint": format!("{base}/v1/oauth/revoke"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": methods,
        "scopes_supported": crate::auth::permission::Permission::ALL.iter().map(|p| p.as_str()).collect::<Vec<_>>(),
    });
    Ok(axum::Json(document).into_response())
}
