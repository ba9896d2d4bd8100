//! `Idempotency-Key`: asking twice does it once.

use crate::auth::Caller;
use crate::auth::gate::Idempotence;
use crate::auth::token::sha256;
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cp_store::{Idempotency, Idempotent, Store, StoreError, StoredResponse};
use cp_vocab::{Code, TenantId, Timestamp};
use std::convert::Infallible;

/// Longest key a client may send.
pub(crate) const KEY_CHARS_MAX: usize = 200;
/// Longest answer that is kept; all that these operations give are far shorter.
const KEPT_BYTES_MAX: usize = cp_store::auth::RESPONSE_BYTES_MAX;

/// The key of a request and what the request was; in the extensions of operations that keep their
/// answer themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    key: String,
    request_hash: [u8; 32],
}

impl Key {
    pub(crate) fn keeping(self, response: StoredResponse) -> Idempotent {
        Idempotent {
            key: self.key,
            request_hash: self.request_hash,
            response,
        }
    }
}

impl Key {
    /// The answer of the same request before, when there was one.
    pub(crate) fn answered(
        &self,
        store: &dyn Store,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<Option<Response>, StoreError> {
        match store.idempotency_begin(tenant, &self.key, &self.request_hash, now)? {
            Idempotency::Done(kept) => Ok(Some(replay(kept))),
            Idempotency::InProgress => Ok(None),
            Idempotency::New => {
                store.idempotency_abandon(tenant, &self.key)?;
                Ok(None)
            }
        }
    }
}

/// The key, when the client sent one.
pub(crate) struct MaybeKey(pub(crate) Option<Key>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeKey {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Key>().cloned()))
    }
}

/// Runs the rest of a request, once per key.
pub(crate) async fn around(
    state: &ApiState,
    how: Idempotence,
    mut parts: Parts,
    body: Bytes,
    next: Next,
) -> Reply {
    let key = match how {
        Idempotence::None => None,
        _ => key_of(&parts, &body)?,
    };
    let Some(key) = key else {
        return Ok(next.run(Request::from_parts(parts, Body::from(body))).await);
    };
    if how == Idempotence::Handler {
        parts.extensions.insert(key);
        return Ok(next.run(Request::from_parts(parts, Body::from(body))).await);
    }
    let tenant = tenant_of(&parts);
    match begin(state, tenant, &key).await? {
        Idempotency::Done(stored) => Ok(replay(stored)),
        Idempotency::InProgress => Err(Problem::new(
            Code::Conflict,
            "the same request is being carried out; ask again for its answer",
        )
        .retry_after_s(1)),
        Idempotency::New => {
            // In a task of its own: a client that goes away must not leave the key reserved.
            let state = state.clone();
            let request = Request::from_parts(parts, Body::from(body));
            let run =
                tokio::spawn(
                    async move { finish(&state, tenant, key, next.run(request).await).await },
                );
            run.await.unwrap_or_else(|_| {
                Err(Problem::new(Code::Internal, "this failed and was not kept"))
            })
        }
    }
}

async fn begin(state: &ApiState, tenant: TenantId, key: &Key) -> Reply<Idempotency> {
    let (key, now) = (key.clone(), state.now());
    let begin = state.store(move |s| s.idempotency_begin(tenant, &key.key, &key.request_hash, now));
    Ok(begin.await?)
}

/// Keeps what was answered, unless the same request might be answered otherwise later.
async fn finish(state: &ApiState, tenant: TenantId, key: Key, response: Response) -> Reply {
    let status = response.status();
    let later_may_differ = status.is_server_error()
        || matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, KEPT_BYTES_MAX).await;
    let settled = match &body {
        Ok(bytes) if !later_may_differ => {
            let kept = StoredResponse {
                status: status.as_u16(),
                content_type: content_type(&parts.headers),
                body: bytes.to_vec(),
            };
            let now = state.now();
            state
                .store(move |s| s.idempotency_finish(tenant, &key.key, kept, now))
                .await
        }
        _ => {
            state
                .store(move |s| s.idempotency_abandon(tenant, &key.key))
                .await
        }
    };
    if let Err(e) = settled {
        tracing::warn!(code = e.code(), "an idempotency key was not settled");
    }
    let body = body.map_err(|_| Problem::new(Code::Internal, "the answer could not be read"))?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn key_of(parts: &Parts, body: &[u8]) -> Result<Option<Key>, Problem> {
    let Some(value) = parts.headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim();
    if text.is_empty() || text.len() > KEY_CHARS_MAX {
        let detail = format!("Idempotency-Key must have 1 to {KEY_CHARS_MAX} visible characters");
        return Err(Problem::new(Code::BadRequest, detail));
    }
    // Each principal has keys of its own, so that one cannot learn another's answers.
    let principal = parts
        .extensions
        .get::<Caller>()
        .map_or_else(String::new, |c| c.principal.to_string());
    let mut what = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    what.extend_from_slice(body);
    Ok(Some(Key {
        key: format!("{principal}:{text}"),
        request_hash: sha256(&what),
    }))
}

fn tenant_of(parts: &Parts) -> TenantId {
    let caller = parts.extensions.get::<Caller>();
    caller.expect("idempotent operations are signed in").tenant
}

fn content_type(headers: &axum::http::HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    value
        .and_then(|v| v.to_str().ok())
        .unwrap_or("")
        .to_string()
}

/// The answer given before.
pub(crate) fn replay(stored: StoredResponse) -> Response {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut response = (status, stored.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if let Ok(v) = HeaderValue::from_str(&stored.content_type)
        && !stored.content_type.is_empty()
    {
        headers.insert(header::CONTENT_TYPE, v);
    }
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}
