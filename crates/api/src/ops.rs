//! For whoever runs the node: metrics, health, readiness, drain.

use crate::auth::Caller;
use crate::auth::gate::admit;
use crate::auth::permission::Permission;
use crate::backend::Check;
use crate::extract::Body;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::IntoResponse;
use cp_store::Health;
use cp_vocab::{Code, Command};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use utoipa::ToSchema;

/// Rises only.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many are inside; refuses beyond a maximum.
#[derive(Default)]
pub(crate) struct Gauge(AtomicUsize);

impl Gauge {
    /// `None` when `max` are inside already.
    pub(crate) fn enter(&self, max: usize) -> Option<Inside<'_>> {
        let enter = |n: usize| (n < max).then_some(n + 1);
        let entered = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
        entered.is_ok().then_some(Inside(self))
    }
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct Inside<'a>(&'a Gauge);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Upper bounds of the time classes of requests, in milliseconds.
const TIME_BOUNDS_MS: [u64; 8] = [1, 5, 10, 50, 100, 500, 1_000, 5_000];

/// Requests by class of status and of time.
#[derive(Default)]
pub(crate) struct Requests {
    by_class: [Counter; 5],
    by_time: [Counter; TIME_BOUNDS_MS.len() + 1],
    time_us: Counter,
}

impl Requests {
    pub(crate) fn count(&self, status: StatusCode, took: Duration) {
        let class = (status.as_u16() / 100).clamp(1, 5) - 1;
        self.by_class[class as usize].add(1);
        let ms = took.as_millis() as u64;
        let slot = TIME_BOUNDS_MS.partition_point(|b| *b < ms);
        self.by_time[slot].add(1);
        self.time_us.add(took.as_micros() as u64);
    }
}

/// What the API counts of itself.
#[derive(Default)]
pub(crate) struct Meters {
    pub(crate) requests: Requests,
    pub(crate) sign_ins_waiting: Gauge,
    pub(crate) sign_ins_failed: Counter,
    pub(crate) sockets: Gauge,
    pub(crate) customer_sockets: Gauge,
    pub(crate) socket_reads_behind: Counter,
    pub(crate) connections_let_go: Counter,
}

impl Meters {
    /// Appends these figures in the Prometheus text format.
    fn write(&self, out: &mut String) {
        let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, u64)]| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let none = String::new;
        let r = &self.requests;
        let classes: Vec<_> = (0..5)
            .map(|i| (format!("{{class=\"{}xx\"}}", i + 1), r.by_class[i].get()))
            .collect();
        family(
            "crosspoint_http_requests_total",
            "counter",
            "Answers by class of status.",
            &classes,
        );
        family(
            "crosspoint_http_sockets",
            "gauge",
            "Open event sockets.",
            &[(none(), self.sockets.get() as u64)],
        );
        family(
            "crosspoint_http_socket_catch_ups_total",
            "counter",
            "Times a socket had to read the log again.",
            &[(none(), self.socket_reads_behind.get())],
        );
        family(
            "crosspoint_http_connections_let_go_total",
            "counter",
            "Silent connections closed for newer ones.",
            &[(none(), self.connections_let_go.get())],
        );
        family(
            "crosspoint_sign_ins_failed_total",
            "counter",
            "Wrong sign-ins.",
            &[(none(), self.sign_ins_failed.get())],
        );
        let name = "crosspoint_http_request_seconds";
        let _ = writeln!(
            out,
            "# HELP {name} Time from head to answer.\n# TYPE {name} histogram"
        );
        let mut sum = 0;
        for (i, counter) in r.by_time.iter().enumerate() {
            sum += counter.get();
            let bound = TIME_BOUNDS_MS
                .get(i)
                .map_or("+Inf".into(), |ms| format!("{}", *ms as f64 / 1e3));
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {sum}");
        }
        let _ = writeln!(
            out,
            "{name}_sum {}\n{name}_count {sum}",
            r.time_us.get() as f64 / 1e6
        );
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DrainInput {
    /// True: refuse new calls, let running ones end. False: take calls again.
    pub(crate) on: bool,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Operations";
    api.add(
        operation::get("/healthz", "healthz", tag, "The process answers")
            .open()
            .content(200, "application/json", "Alive"),
        healthz,
    );
    api.add(
        operation::get(
            "/readyz",
            "readyz",
            tag,
            "Whether this node should be sent work",
        )
        .open()
        .content(200, "application/json", "Ready")
        .content(503, "application/json", "Not ready, with what is wrong"),
        readyz,
    );
    api.add(
        operation::get("/metrics", "metrics", tag, "Metrics for Prometheus")
            .describe("Open to the machine itself; from afar it needs metrics:read.")
            .open()
            .content(200, "text/plain", "Prometheus text format"),
        metrics,
    );
    api.add(
        operation::post(
            "/v1/node/drain",
            "drainNode",
            tag,
            "Drain this node, or take it back",
        )
        .needs(&[Permission::NodeDrain])
        .body::<DrainInput>()
        .empty("Done"),
        drain,
    );
    api.add(
        operation::get("/openapi.json", "openapi", tag, "This document")
            .open()
            .content(200, "application/json", "OpenAPI 3.1"),
        openapi,
    );
}

async fn healthz(State(state): State<ApiState>) -> impl IntoResponse {
    axum::Json(json!({ "status": "ok", "version": state.0.settings.version }))
}

async fn readyz(State(state): State<ApiState>) -> impl IntoResponse {
    let mut readiness = state.0.backend.readiness();
    let health = state.0.store.health();
    let detail = match &health {
        Health::Ok => None,
        Health::Failing { error, .. } => Some(error.code().to_string()),
        Health::Closed => Some("closed".into()),
    };
    if !readiness.checks.iter().any(|c| c.name == "store") {
        readiness.checks.push(Check {
            name: "store",
            ok: health.is_ok(),
            detail,
        });
    }
    readiness.ready &= health.is_ok() && !readiness.draining;
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, axum::Json(readiness))
}

async fn metrics(
    State(state): State<ApiState>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
) -> Reply {
    let here = connection.is_some_and(|c| c.remote().ip().to_canonical().is_loopback());
    // A proxy on this machine speaks for strangers; it says so in these.
    let forwarded = headers.contains_key("forwarded") || headers.contains_key("x-forwarded-for");
    if !here || forwarded {
        admit(&state, &Method::GET, &headers)
            .await?
            .need(Permission::MetricsRead)?;
    }
    let backend = state.0.backend.clone();
    let text = tokio::task::spawn_blocking(move || backend.metrics()).await;
    let mut text = text.map_err(|_| Problem::new(Code::Internal, "no metrics at the moment"))?;
    state.0.meters.write(&mut text);
    let mime = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, mime)], text).into_response())
}

async fn drain(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<DrainInput>,
) -> Reply {
    let command = Command::Drain { on: input.on };
    state
        .command(caller.tenant, caller.actor(), command)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn openapi() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, crate::openapi_text())
}
