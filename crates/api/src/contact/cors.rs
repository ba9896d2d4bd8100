//! Pages of other sites may ask here, when the point says so.

use crate::problem::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use cp_store::Point;
use cp_vocab::Code;

/// What pages of other sites may ask begins with this.
const PREFIX: &str = "/v1/contact/";

/// The answer to a browser that asks whether it may ask. It learns nothing: which origins a point
/// takes is said with the answer itself.
pub(crate) fn preflight(request: &Request) -> Option<Response> {
    if *request.method() != Method::OPTIONS || !request.uri().path().starts_with(PREFIX) {
        return None;
    }
    let origin = request.headers().get(header::ORIGIN)?.clone();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let set = |h: &mut HeaderMap, name, value| h.insert(name, HeaderValue::from_static(value));
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "content-type, x-contact-secret",
    );
    set(headers, header::ACCESS_CONTROL_MAX_AGE, "600");
    set(headers, header::VARY, "origin");
    Some(response)
}

/// The origin of the page that asks, when the point takes it. A program that is no browser sends
/// none; it can do no more than a page.
///
/// # Errors
/// 403 `origin_refused`.
pub(crate) fn allowed(point: &Point, headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(None);
    };
    let text = origin.to_str().unwrap_or("");
    let here = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let same = here.is_some_and(|host| {
        text.strip_prefix("https://")
            .or(text.strip_prefix("http://"))
            == Some(host)
    });
    let listed = point.origins.iter().any(|o| o.eq_ignore_ascii_case(text));
    if same || listed {
        return Ok(Some(origin.clone()));
    }
    let detail = "pages of this origin may not use this communication point; add it to its origins";
    Err(Problem::new(Code::OriginRefused, detail))
}

/// Lets the page read the answer.
pub(crate) fn open(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    let anybody = HeaderValue::from_static("cross-origin");
    headers.insert("cross-origin-resource-policy", anybody);
}
