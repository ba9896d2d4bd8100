//! The page's files, embedded in the binary.

use crate::extract::{none_match, not_modified};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/"]
struct Files;

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route(
            "/",
            get(|h: HeaderMap| async move { file("index.html", &h) }),
        )
        .route(
            "/docs",
            get(|h: HeaderMap| async move { file("docs.html", &h) }),
        )
        .route(
            "/favicon.ico",
            get(|h: HeaderMap| async move { file("icon.svg", &h) }),
        )
        .route("/assets/{*path}", get(asset))
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Reply {
    file(&path, &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Reply {
    let found = Files::get(path).ok_or_else(|| Problem::not_found("file"))?;
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
    // Asked again each time, answered 304 while the binary is the same.
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
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
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
