//! Errors as RFC 9457 problem details with a stable `code`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cp_store::StoreError;
use cp_vocab::{Code, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Errors told of one body at most; the rest is left out, since nobody reads more.
pub(crate) const FIELD_ERRORS_MAX: usize = 100;

/// One thing wrong with a body or a parameter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or the name of the parameter.
    pub pointer: String,
    /// Stable: `required`, `type`, `unknown_field`, `too_small`, `too_large`, `too_short`,
    /// `too_long`, `too_weak`, `format`, `not_one_of`, `missing_reference`, `taken`, `conflict`.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.into(),
            detail: detail.into(),
        }
    }
}

/// The body of every error answer, `application/problem+json`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// Names the kind of problem: `/docs#<code>`.
    #[serde(rename = "type")]
    pub type_: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Stable; what programs decide by.
    pub code: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A request that was not done, with everything the answer says.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<FieldError>,
    /// Instead of the code's own status (405, 416).
    status: Option<StatusCode>,
    retry_after_s: Option<u64>,
    allow: Option<String>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            status: None,
            retry_after_s: None,
            allow: None,
        }
    }
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }
    /// A body or parameters with these faults.
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        errors.truncate(FIELD_ERRORS_MAX);
        let detail = match errors.as_slice() {
            [one] => one.detail.clone(),
            many => format!("{} things are wrong with this request", many.len()),
        };
        Self {
            errors,
            ..Self::new(Code::BadRequest, detail)
        }
    }
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
    pub fn allow(mut self, methods: String) -> Self {
        self.allow = Some(methods);
        self
    }
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| {
            StatusCode::from_u16(self.code.http_status()).expect("codes carry HTTP statuses")
        })
    }
}

impl From<Refusal> for Problem {
    fn from(r: Refusal) -> Self {
        let p = Self::new(r.code, r.detail);
        match r.code {
            Code::TooManyRequests | Code::Overload | Code::StoreUnavailable => p.retry_after_s(1),
            _ => p,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        if e.is_outage() || matches!(e, StoreError::Unreadable { .. }) {
            tracing::error!(code = e.code(), error = %e, "store");
        }
        if let StoreError::Conflict { field, kind, .. } = &e {
            let detail = format!("another {kind} has this {field}");
            let mut p = Self::new(Code::Conflict, detail.clone());
            p.errors = vec![FieldError::new(format!("/{field}"), "taken", detail)];
            return p;
        }
        Refusal::from(e).into()
    }
}

/// The reason phrase of the status is the title: short and the same for all problems of a code.
fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let document = ProblemDocument {
            type_: format!("/docs#{}", self.code.as_str()),
            title: title(status).into(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code.as_str().into(),
            errors: self.errors,
        };
        let body = serde_json::to_vec(&document).expect("a problem is plain data");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(s) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, s.into());
        }
        if let Some(v) = self.allow.and_then(|a| HeaderValue::from_str(&a).ok()) {
            headers.insert(header::ALLOW, v);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"crosspoint\""),
            );
        }
        response
    }
}

pub(crate) type Reply<T = Response> = Result<T, Problem>;
