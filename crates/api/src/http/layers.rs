//! What is around every answer: request id, security headers, a log line, figures.

use crate::auth::token;
use crate::problem::Problem;
use crate::state::ApiState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use cp_vocab::Code;
use std::time::Instant;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer request ids of clients are replaced by ours.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Scripts, styles and sockets from here only; nobody may frame the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

pub(crate) async fn around(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    // The pattern, not the path: paths name people's ids and would be a label without bound.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let api = request.uri().path().starts_with("/v1/");
    let mut response = match crate::contact::cors::preflight(&request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let status = response.status();
    dress(&state, response.headers_mut(), &id, api);
    let took = begun.elapsed();
    state.0.meters.requests.count(status, took);
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    tracing::debug!(%method, path, status = status.as_u16(), took_us = took.as_micros() as u64, request = ?id, "request");
    response
}

fn dress(state: &ApiState, headers: &mut HeaderMap, id: &HeaderValue, api: bool) {
    for (name, value) in SECURITY_HEADERS {
        // What is meant for other sites says so itself.
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if state.0.settings.tls {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(REQUEST_ID, id.clone());
}

/// The client's own id when it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |v: &&HeaderValue| {
        let bytes = v.as_bytes();
        let fine = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
        !bytes.is_empty() && bytes.len() <= REQUEST_ID_CHARS_MAX && bytes.iter().all(fine)
    };
    headers
        .get(REQUEST_ID)
        .filter(harmless)
        .cloned()
        .unwrap_or_else(|| {
            let mut random = [0u8; 10];
            token::fill_random(&mut random);
            HeaderValue::from_str(&token::hex(&random)).expect("hex is header text")
        })
}

/// A panic in a handler is ours: it is logged, answered 500, and the connection goes on.
pub(crate) async fn survive(request: Request, next: Next) -> Response {
    use futures_util::FutureExt;
    let run = std::panic::AssertUnwindSafe(next.run(request)).catch_unwind();
    run.await.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        let problem = Problem::new(Code::Internal, "this is a fault of ours and was logged");
        axum::response::IntoResponse::into_response(problem)
    })
}
