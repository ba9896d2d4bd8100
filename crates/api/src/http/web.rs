//! The pages' files, embedded in the binary.

use crate::extract::{none_match, not_modified};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use cp_store::{PageRequest, Point, Store, StoreError, StoreExt};
use cp_vocab::{Code, PointId};
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
    let index = || get(|h: HeaderMap| async move { desktop("index.html", &h) });
    Router::new()
        .route("/", index())
        // Pages of the desktop have addresses of their own; the script reads them.
        .route("/app", index())
        .route("/app/{*path}", index())
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
        // What shows calls while no tab is open, and what makes an app of the page.
        .route(
            "/sw.js",
            get(|h: HeaderMap| async move { desktop("sw.js", &h) }),
        )
        .route(
            "/manifest.webmanifest",
            get(|h: HeaderMap| async move { desktop("manifest.webmanifest", &h) }),
        )
        .route("/assets/{*path}", get(asset))
        .route(
            "/identity/certificates/{file}",
            get(crate::resource::identity_certificates::publish),
        )
        .merge(widget_routes())
}

/// The customer's side: the script that any page may load, the page of a link, the demo's shop.
fn widget_routes() -> Router<ApiState> {
    Router::new()
        .route("/widget.js", get(script))
        .route(
            "/c/{point}",
            get(|h: HeaderMap| async move { widget("point/index.html", &h) }),
        )
        .route("/point/{*path}", get(point_file))
        .route("/shop", get(|| async { Redirect::permanent("/shop/") }))
        .route("/shop/", get(shop_page))
        .route("/shop/point", get(shop_point))
        .route("/shop/{*path}", get(shop_file))
}

fn widget(path: &str, headers: &HeaderMap) -> Reply {
    built(&format!("widget/{path}"), path, headers).unwrap_or_else(|| {
        let detail = "the widget is not built: run scripts/web build, or make run";
        Err(Problem::new(Code::NotFound, detail))
    })
}

/// Encodings that the build writes beside each text, best first: the word in HTTP, and the ending.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// A built file in the best form that the client takes.
fn built(file: &str, path: &str, headers: &HeaderMap) -> Option<Reply> {
    let fit = ENCODINGS.iter().filter(|(word, _)| takes(headers, word));
    let mut packed =
        fit.filter_map(|(word, end)| Some((*word, Built::get(&format!("{file}{end}"))?)));
    match packed.next() {
        Some((word, found)) => Some(answer(path, found, headers).map(|mut response| {
            let word = HeaderValue::from_static(word);
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, word);
            response
        })),
        None => Built::get(file).map(|found| answer(path, found, headers)),
    }
}

/// Whether `Accept-Encoding` names it and does not rule it out (RFC 9110 12.5.3).
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut items = values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','));
    items.any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|n| n.eq_ignore_ascii_case(encoding));
        let out = |p: &str| {
            let weight = p.strip_prefix("q=").or(p.strip_prefix("Q="));
            weight.is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
        };
        named && !parts.any(out)
    })
}

/// Loaded by pages of other sites, so it says that it may be.
async fn script(headers: HeaderMap) -> Reply {
    let mut response = widget("widget.js", &headers)?;
    let out = response.headers_mut();
    let anybody = HeaderValue::from_static("cross-origin");
    out.insert("cross-origin-resource-policy", anybody);
    out.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    Ok(response)
}

async fn point_file(Path(path): Path<String>, headers: HeaderMap) -> Reply {
    widget(&format!("point/{path}"), &headers)
}

/// The shop is part of the demo alone.
fn shop(state: &ApiState, path: &str, headers: &HeaderMap) -> Reply {
    if !state.0.settings.demo_shop {
        return Err(Problem::not_found("shop: it belongs to the demo"));
    }
    widget(&format!("shop/{path}"), headers)
}

async fn shop_page(State(state): State<ApiState>, headers: HeaderMap) -> Reply {
    shop(&state, "index.html", &headers)
}

async fn shop_file(
    State(state): State<ApiState>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Reply {
    shop(&state, &path, &headers)
}

/// Which communication point the shop's page was given.
async fn shop_point(State(state): State<ApiState>) -> Reply {
    if !state.0.settings.demo_shop {
        return Err(Problem::not_found("shop: it belongs to the demo"));
    }
    let point = state.store(|s| first_point(s)).await?;
    Ok(axum::Json(serde_json::json!({ "point": point })).into_response())
}

/// The oldest point of the only tenant there is in a demo.
fn first_point(store: &dyn Store) -> Result<Option<PointId>, StoreError> {
    let tenants = store.tenants(&PageRequest::first(1))?;
    let Some(tenant) = tenants.items.first() else {
        return Ok(None);
    };
    let points = store.list::<Point>(tenant.row.id, &PageRequest::first(1))?;
    Ok(points.items.first().map(|p| p.row.id))
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Reply {
    desktop(&format!("assets/{path}"), &headers).or_else(|_| page(&path, &headers))
}

/// A file of the desktop; its page is stood in for when it is not built.
fn desktop(path: &str, headers: &HeaderMap) -> Reply {
    match built(&format!("desktop/{path}"), path, headers) {
        Some(reply) => reply,
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
        let mut response = not_modified(tag).into_response();
        response
            .headers_mut()
            .insert(header::VARY, header::ACCEPT_ENCODING.into());
        return Ok(response);
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
    out.insert(header::VARY, header::ACCEPT_ENCODING.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_taken_as_the_client_says() {
        for (said, br, gzip) in [
            ("", false, false),
            ("gzip, deflate, br, zstd", true, true),
            ("GZIP", false, true),
            ("br;q=0, gzip;q=0.5", false, true),
            ("br ; q=1.0", true, false),
            ("brotli, xgzip", false, false),
            ("identity", false, false),
        ] {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(said))]);
            assert_eq!(takes(&headers, "br"), br, "{said}");
            assert_eq!(takes(&headers, "gzip"), gzip, "{said}");
        }
        assert!(!takes(&HeaderMap::new(), "br"));
    }
}
