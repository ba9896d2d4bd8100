//! Logs (key = value, or JSON lines) and the way to the OpenTelemetry collector.
//!
//! Personal data prints as `‹pii›` by its type, so nothing needs to be filtered here but what others
//! write: libraries speak only from `warn` up, and a panic gives its place, not its words.

use crate::config::Config;
use anyhow::{Context, Result};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::SpanExporter as _;
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How long the collector may take for one batch.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(5);

/// Starts logging to stderr. Once per process; a second call is ignored.
pub fn start(config: &Config) -> Result<()> {
    let subscriber = subscriber(config, std::io::stderr)?;
    if subscriber.try_init().is_ok() {
        std::panic::set_hook(Box::new(tell_of_panic));
    }
    Ok(())
}

/// What logs are made with; tests give a writer of their own.
pub fn subscriber<W>(config: &Config, writer: W) -> Result<impl tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter =
        EnvFilter::try_new(&config.log_filter).context("log.filter is not a valid filter")?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false);
    let lines = if config.log_json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.boxed()
    };
    Ok(tracing_subscriber::registry()
        .with(lines.with_filter(filter_fn(is_speakable)))
        .with(filter))
}

/// Ours is written with care; libraries print addresses and headers below `warn`.
fn is_speakable(meta: &Metadata<'_>) -> bool {
    let ours = ["cp_", "crosspoint"]
        .iter()
        .any(|p| meta.target().starts_with(p));
    ours || *meta.level() <= Level::WARN
}

/// The words of a panic may quote what was being read; only fixed ones are printed.
fn tell_of_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let words = panic.payload().downcast_ref::<&'static str>();
    let words = words.copied().unwrap_or("‹pii›");
    let place = panic.location().map_or_else(String::new, |l| l.to_string());
    let thread = std::thread::current();
    tracing::error!(
        place,
        thread = thread.name().unwrap_or("-"),
        words,
        "panicked"
    );
}

/// The way to a collector, for a thread that is inside the runtime.
pub fn exporter(endpoint: &str) -> Result<SpanExporter> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_TIME_MAX)
        .build()
        .context("otlp.endpoint cannot be used")?;
    let resource = Resource::builder()
        .with_service_name("crosspoint")
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// What went wrong with an export in a word.
pub fn kind_of(error: &OTelSdkError) -> &'static str {
    match error {
        OTelSdkError::AlreadyShutdown => "shut down",
        OTelSdkError::Timeout(_) => "timed out",
        _ => "failed",
    }
}
