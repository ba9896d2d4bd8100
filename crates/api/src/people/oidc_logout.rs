//! Who signs out at an identity provider is signed out here (OpenID Connect Back-Channel Logout 1.0):
//! the provider sends a signed token, from server to server.

use super::form;
use super::oidc::{Fault, discover, keys, provider};
use crate::auth::audit;
use crate::auth::gate::source;
use crate::extract::Id;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cp_identity::oidc::{Logout, SKEW_S, says_it_is_for, verify_logout};
use cp_identity::proof::code;
use cp_store::{AuditEntry, IdentityProvider, StoreError, Ticket};
use cp_vocab::command::Actor;
use cp_vocab::id::TypedId;
use cp_vocab::{IdentityProviderId, Pii, Timestamp, UserId};
use serde_json::json;

const USED: &str = "oidc-logout";
/// Of an address's share of a minute: each may have the provider asked for its keys.
const LOGOUT_WEIGHT: u32 = 2;

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::post(
            "/v1/oidc/{id}/backchannel-logout",
            "oidcBackchannelLogout",
            "Sign-in elsewhere",
            "The provider says who has signed out there",
        )
        .describe(
            "OpenID Connect Back-Channel Logout 1.0: `logout_token` in a form. Sessions that this provider opened end, those \
             of `sid` alone when it names one. 400 with `error` as RFC 6749 5.2 says it.",
        )
        .open()
        .weighs(LOGOUT_WEIGHT)
        .unaudited()
        .path_id(IdentityProviderId::PREFIX)
        .form(form::MIME, &["logout_token"])
        .content(200, "application/json", "Signed out, or nobody was signed in"),
        logout,
    );
}

async fn logout(
    State(state): State<ApiState>,
    Id(id): Id<IdentityProviderId>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let address = source(&state, connection.as_ref().map(|c| &c.0), &headers);
    let fields = form::read(&headers, &body);
    let token = fields.ok().and_then(|mut f| f.remove("logout_token"));
    let Some(token) = token else {
        return Ok(refused("logout_token is missing"));
    };
    match sign_out(&state, id, &token).await {
        Ok((provider, user, ended)) => {
            let entry = AuditEntry {
                tenant: provider.tenant,
                at: state.now(),
                actor: Actor::System,
                action: "session.ended_by_provider".into(),
                target: user.map_or_else(|| provider.id.to_string(), |u| u.to_string()),
                address: address.map(|a| a.to_string()).unwrap_or_default(),
                detail: json!({ "provider": provider.id, "sessions": ended }),
            };
            audit::keep(&state, entry).await;
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            Ok((StatusCode::OK, no_store, axum::Json(json!({}))).into_response())
        }
        Err(fault) => {
            tracing::warn!(code = fault.code(), "a logout by a provider was refused");
            Ok(refused("the token is not taken"))
        }
    }
}

fn refused(what: &str) -> Response {
    let body = axum::Json(json!({ "error": "invalid_request", "error_description": what }));
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::BAD_REQUEST, no_store, body).into_response()
}

/// Ends what the token names; how many sessions that were.
async fn sign_out(
    state: &ApiState,
    id: IdentityProviderId,
    token: &str,
) -> Result<(IdentityProvider, Option<UserId>, u64), Fault> {
    let provider = provider(state, id).await?;
    // Nobody has the provider asked for its keys by what it would not send.
    if !says_it_is_for(token, &provider.issuer, &provider.client_id) {
        return Err(cp_identity::oidc::OidcError::Audience.into());
    }
    let discovery = discover(state, &provider).await?;
    let keys = keys(state, &discovery).await?;
    let now_s = (state.now().as_micros() / 1_000_000) as i64;
    let place = (provider.issuer.as_str(), provider.client_id.as_str());
    let said = verify_logout(token, &keys, place, now_s)?;
    let (by, kept) = (provider.clone(), used(&provider, &said));
    let ended = state.store(move |s| {
        match s.ticket_put(kept) {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => return Ok(None),
            Err(e) => return Err(e),
        }
        let user = match &said.subject {
            Some(subject) => s.user_by_subject(by.id, subject)?.map(|u| u.row.id),
            None => None,
        };
        // Somebody who was never here has no sessions; without a person the session names them.
        if said.subject.is_some() && user.is_none() {
            return Ok(Some((None, 0)));
        }
        let session = said.session.clone().map(Pii);
        let ended = s.sessions_end_at(by.tenant, by.id, user, session)?;
        Ok(Some((user, ended)))
    });
    let ended = ended.await.map_err(|e: StoreError| Fault::Ours(e.into()))?;
    let (user, ended) = ended.ok_or(Fault::Word("oidc_repeated"))?;
    Ok((provider, user, ended))
}

/// A token counts once.
fn used(provider: &IdentityProvider, said: &Logout) -> Ticket {
    let until = said.expires_s.saturating_add(2 * SKEW_S);
    Ticket {
        key: Pii(code::key(&format!("{USED}:{}", provider.id), &said.id)),
        tenant: provider.tenant,
        kind: USED.into(),
        interaction: None,
        body: Pii("{}".into()),
        expires_at: Timestamp::from_secs(u64::try_from(until).unwrap_or(0)),
    }
}
