//! OpenTelemetry traces, made by a follower of the log: nothing of this is in the path of a call.
//!
//! It reads what was committed by a cursor, and for each interaction that ended it reads its log
//! and sends its spans. The cursor is kept in a file, so a restart leaves no gap; ids are derived
//! from ours, so a batch sent twice is the same batch. When the collector is away it waits; when it
//! falls too far behind it goes on with the present and counts what it left out.

pub mod spans;

use crate::drive::Handle;
use crate::telemetry;
use anyhow::{Context, Result};
use cp_store::{Store, StoreError};
use cp_vocab::Event;
use cp_vocab::event::{LogPosition, StreamId};
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Records looked at in one round.
const RECORDS_PER_ROUND: usize = 2_000;
/// Interactions sent in one round; the cursor stops there and the rest is for the next.
const INTERACTIONS_PER_ROUND: usize = 200;
/// Records behind the newest at most. Beyond it the follower jumps to the newest and counts.
const BEHIND_MAX: u64 = 200_000;
/// Between two rounds while little happens, so that spans leave in batches.
const PAUSE: Duration = Duration::from_millis(500);
/// After a round it rests this many times as long as the round took: tracing never has more than a
/// fifth of a core while calls want it.
const REST_FACTOR: u32 = 4;
/// Pauses after failures: doubling between these.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// For the metrics page.
#[derive(Default)]
pub struct Counters {
    pub spans: AtomicU64,
    pub failures: AtomicU64,
    /// Records jumped over.
    pub skipped: AtomicU64,
    /// Records between the cursor and the newest, at the last look.
    pub behind: AtomicU64,
}

struct Follower {
    store: Arc<dyn Store>,
    file: PathBuf,
    counters: Arc<Counters>,
    cursor: u64,
}

/// What one look into the log gave.
struct Round {
    cursor: u64,
    spans: Vec<SpanData>,
    more: bool,
}

/// Starts to follow, on `runtime`, until it is shut down.
pub fn start(
    endpoint: &str,
    data: &std::path::Path,
    store: Arc<dyn Store>,
    handle: &Handle,
    runtime: &tokio::runtime::Handle,
) -> Result<Arc<Counters>> {
    let counters = Arc::<Counters>::default();
    let file = data.join("traces.cursor");
    let kept = std::fs::read_to_string(&file).ok();
    let head = store
        .head()
        .context("the log cannot be read for the traces")?;
    // A cursor beyond the newest record is of another database.
    let cursor = kept.and_then(|t| t.trim().parse().ok());
    let cursor = cursor.filter(|c| *c <= head).unwrap_or(head);
    let follower = Follower {
        store,
        file,
        counters: counters.clone(),
        cursor,
    };
    // From here on nothing is missed, whatever happens before the first batch.
    follower.keep();
    let exporter = {
        let _inside = runtime.enter();
        telemetry::exporter(endpoint)?
    };
    let commits = handle.shared().commits.subscribe();
    runtime.spawn(follow(follower, exporter, commits));
    Ok(counters)
}

async fn follow(
    mut follower: Follower,
    exporter: OtlpExporter,
    mut commits: tokio::sync::watch::Receiver<LogPosition>,
) {
    let mut retry = RETRY_MIN;
    loop {
        let begun = Instant::now();
        let look = tokio::task::spawn_blocking(move || {
            let round = follower.look();
            (follower, round)
        });
        // The blocking thread is gone only when the process ends.
        let Ok((back, round)) = look.await else {
            return;
        };
        follower = back;
        let sent = match round {
            Ok(round) => follower.send(&exporter, round).await,
            Err(error) => {
                tracing::warn!(code = error.code(), "traces: the log cannot be read");
                None
            }
        };
        match sent {
            Some(more) => {
                retry = RETRY_MIN;
                let rest = begun.elapsed() * REST_FACTOR;
                tokio::time::sleep(if more { rest } else { rest.max(PAUSE) }).await;
                if !more && commits.changed().await.is_err() {
                    return;
                }
            }
            None => {
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

impl Follower {
    fn keep(&self) {
        // When this fails, spans the collector has may be sent again; they keep their ids.
        let _ = std::fs::write(&self.file, format!("{}\n", self.cursor));
    }

    fn look(&mut self) -> Result<Round, StoreError> {
        let head = self.store.head()?;
        let behind = head.saturating_sub(self.cursor);
        self.counters.behind.store(behind, Relaxed);
        if behind > BEHIND_MAX {
            self.counters.skipped.fetch_add(behind, Relaxed);
            self.cursor = head;
        }
        let records = self.store.follow(self.cursor, RECORDS_PER_ROUND)?;
        let mut round = Round {
            cursor: self.cursor,
            spans: Vec::new(),
            more: records.len() >= RECORDS_PER_ROUND,
        };
        let mut ended = 0;
        for (cursor, record) in records {
            round.cursor = cursor;
            if let (StreamId::Interaction(id), Event::Ended { .. }) = (record.stream, &record.event)
            {
                let log = self.store.replay(id)?;
                round.spans.extend(spans::of_interaction(id, &log));
                ended += 1;
                if ended >= INTERACTIONS_PER_ROUND {
                    round.more = true;
                    break;
                }
            }
        }
        Ok(round)
    }

    /// Sends what a round found and moves on; `None` when it could not be sent.
    async fn send(&mut self, exporter: &OtlpExporter, round: Round) -> Option<bool> {
        let count = round.spans.len() as u64;
        if count > 0
            && let Err(error) = exporter.export(round.spans).await
        {
            self.counters.failures.fetch_add(1, Relaxed);
            // What the exporter says may quote the collector; whoever needs it finds it at debug.
            tracing::warn!(spans = count, "traces: the collector does not take spans");
            tracing::debug!(error = %telemetry::kind_of(&error), "traces: export failed");
            return None;
        }
        if round.cursor != self.cursor {
            self.cursor = round.cursor;
            self.keep();
        }
        self.counters.spans.fetch_add(count, Relaxed);
        let behind = self.counters.behind.load(Relaxed);
        self.counters
            .behind
            .store(if round.more { behind } else { 0 }, Relaxed);
        Some(round.more)
    }
}

#[cfg(test)]
mod tests;
