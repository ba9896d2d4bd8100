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
    let found = Built::get(&format!("widget/{path}")).ok_or_else(|| {
        let detail = "the widget is not built: run scripts/web build, or make run";
        Problem::new(Code::NotFound, detail)
    })?;
    answer(path, found, headers)
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
