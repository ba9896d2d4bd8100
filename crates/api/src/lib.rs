//! Crosspoint over HTTP: REST under `/v1`, events over WebSocket, the OpenAPI document, metrics
//! and health, and the page that agents, supervisors and administrators work with.
//!
//! The engine is not known here: commands go through [`Backend`], which the server's driver
//! implements; rows, sessions and the log come from the store. Every operation is added once to a
//! table ([`operation`]) that makes the route, the permission gate and the documentation of it.

pub mod auth;
mod backend;
mod bans;
mod call;
mod card;
mod contact;
mod crud;
mod extract;
mod history;
mod http;
mod idempotency;
mod identity;
mod interactions;
mod involvement;
pub mod leaks;
mod live;
mod openapi;
mod operation;
mod ops;
mod people;
pub mod privacy;
mod problem;
mod proof;
mod push;
mod qr;
mod recordings;
mod references;
mod reports;
mod resource;
mod schema;
mod scim;
mod session;
mod state;
mod stream;
mod webrtc;

pub use backend::{Backend, Check, Outside, PushRefused, Pusher, Readiness};
pub use http::serve::serve;
pub use openapi::{openapi, openapi_text};
pub use people::SETUP_TOKEN_BYTES;
pub use problem::{FieldError, Problem};
/// Tokens for customers' pages.
pub mod customer {
    pub use crate::webrtc::{CallClaims, mint};
}
pub use state::{ApiState, Clock, Settings, SipAddresses};
pub use webrtc::WebRtcSettings;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use cp_vocab::Code;

/// Every operation there is.
pub(crate) fn operations() -> operation::Api {
    let mut api = operation::Api::default();
    session::add(&mut api);
    people::add(&mut api);
    scim::add(&mut api);
    live::add(&mut api);
    identity::add(&mut api);
    interactions::add(&mut api);
    history::add(&mut api);
    reports::add(&mut api);
    call::add(&mut api);
    contact::add(&mut api);
    recordings::add(&mut api);
    proof::add(&mut api);
    push::add(&mut api);
    stream::socket::add(&mut api);
    webrtc::add(&mut api);
    resource::add(&mut api);
    ops::add(&mut api);
    bans::add(&mut api);
    privacy::add(&mut api);
    api
}

/// The whole API and page as one service. One per [`ApiState`].
pub fn router(state: ApiState) -> Router {
    let (routes, gates, _) = operations().into_parts();
    let _ = state.0.gates.set(gates);
    routes
        .route_layer(from_fn_with_state(state.clone(), auth::gate::gate))
        .merge(http::web::routes())
        .fallback(|| async { Problem::new(Code::NotFound, "there is nothing here; see /docs") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                Code::BadRequest,
                "this path does not know that method; see /docs",
            )
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(from_fn_with_state(state.clone(), http::layers::around))
        .layer(from_fn(http::layers::survive))
        .with_state(state)
}
