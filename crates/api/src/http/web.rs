//! The pages' files, embedded in the binary.

use crate::extract::{none_match, not_modified};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` made in `web/`: `desktop/…` and `widget/…`.
#[derive(RustEmbed)]
#[folder = "$CP_WEB_DIST"]
struct Built;

/// What needs no building: the API reference and the page that stands in for a desktop not built.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/"]
struct Pages;

/// Names under `assets/` of a built page carry a hash of their content: they never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Asked again each time, answered 304 while the binary is the same.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

pub(crate) fn routes() -> Router<ApiState> {
    let desktop = || get(|h: HeaderMap| async move { desktop("index.html", &h) });
    Router::new()
        .route("/", desktop())
        // Pages of the desktop have addresses of their own; the script reads them.
        .route("/app", desktop())
        .route("/app/{*path}", desktop())
        .route(
            "/docs",
            get(|h: HeaderMap| async move { page("docs.html", &h) }),
        )
        // What customers open beside a call.
        .route(
            "/prove",
            get(|h: HeaderMap| async move { page("prove.html", &h) }),
        )
        .route(
            "/favicon.ico",
            get(|h: HeaderMap| async move { page("icon.svg", &h) }),
        )
        .route(
            "/icon.svg",
            get(|h: HeaderMap| async move { page("icon.svg", &h) }),
        )
        .route("/assets/{*path}", get(asset))
        .route(
            "/identity/certificates/{file}",
            get(crate::resource::identity_certificates::publish),
        )
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Reply {
    desktop(&format!("assets/{path}"), &headers).or_else(|_| page(&path, &headers))
}

/// A file of the desktop; its page is stood in for when it is not built.
fn desktop(path: &str, headers: &HeaderMap) -> Reply {
    match Built::get(&format!("desktop/{path}")) {
        Some(file) => answer(path, file, headers),
        None if path == "index.html" => page(path, headers),
        None => Err(Problem::not_found("file")),
    }
}

fn page(path: &str, headers: &HeaderMap) -> Reply {
    let found = Pages::get(path).ok_or_else(|| Problem::not_found("file"))?;
    answer(path, found, headers)
}

fn answer(path: &str, found: EmbeddedFile, headers: &HeaderMap) -> Reply {
    let tag = format!(
        "\"{}\"",
        &crate::auth::token::hex(&found.metadata.sha256_hash())[..20]
    );
    let tag = HeaderValue::from_str(&tag).expect("hex is header text");
    if none_match(headers, &tag) {
        return Ok(not_modified(tag));
    }
    let mut response: Response = found.data.into_owned().into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime(path)));
    let keep = if path.starts_with("assets/") {
        FOR_EVER
    } else {
        ASK_AGAIN
    };
    out.insert(header::CACHE_CONTROL, keep);
    out.insert(header::ETAG, tag);
    Ok(response)
}

fn mime(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("wav") => "audio/wav",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
