//! What the API asks of this process.

use crate::drive::{Handle, Message};
use cp_api::{Backend, Check, Readiness};
use cp_store::Store;
use cp_vocab::command::{Command, CommandEnvelope, CommandResult};
use cp_vocab::event::LogPosition;
use cp_vocab::*;
use futures_util::future::BoxFuture;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// A command not answered in this time (the disk hangs) is answered with `timeout`; it may still be carried out.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(10);

pub struct ServerBackend {
    handle: Handle,
    store: Arc<dyn Store>,
}

impl ServerBackend {
    pub fn new(handle: Handle, store: Arc<dyn Store>) -> Self {
        Self { handle, store }
    }

    async fn ask(&self, envelope: CommandEnvelope) -> CommandResult {
        let tenant = envelope.tenant;
        let named = interaction_of(&envelope.command);
        let (reply, answer) = oneshot::channel();
        if !self.handle.send(Message::Command { envelope, reply }) {
            return Err(Refusal::new(
                Code::Overload,
                "The engine is busy. Try again in a moment.",
            ));
        }
        let result = match tokio::time::timeout(COMMAND_TIME_MAX, answer).await {
            Ok(Ok(result)) => result,
            _ => Err(Refusal::new(
                Code::Timeout,
                "The engine did not answer in time.",
            )),
        };
        match (result, named) {
            // The engine forgets what has ended; the log does not.
            (Err(r), Some(id)) if r.code == Code::NotFound && self.has_ended(tenant, id).await => {
                Err(Refusal::new(
                    Code::InteractionEnded,
                    "The interaction has ended.",
                ))
            }
            (result, _) => result,
        }
    }

    async fn has_ended(&self, tenant: TenantId, id: InteractionId) -> bool {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.interaction(tenant, id).is_ok())
            .await
            .unwrap_or(false)
    }
}

fn interaction_of(command: &Command) -> Option<InteractionId> {
    match command {
        Command::HangUp { interaction }
        | Command::AddParty { interaction, .. }
        | Command::Supervise { interaction, .. }
        | Command::StartRecording { interaction }
        | Command::PauseRecording { interaction }
        | Command::ResumeRecording { interaction }
        | Command::StopRecording { interaction }
        | Command::Requeue { interaction, .. }
        | Command::SetPriority { interaction, .. }
        | Command::WrapUp { interaction, .. } => Some(*interaction),
        _ => None,
    }
}

impl Backend for ServerBackend {
    fn command(&self, envelope: CommandEnvelope) -> BoxFuture<'_, CommandResult> {
        Box::pin(self.ask(envelope))
    }

    fn commits(&self) -> watch::Receiver<LogPosition> {
        self.handle.shared().commits.subscribe()
    }

    fn readiness(&self) -> Readiness {
        let shared = self.handle.shared();
        let healthy = self.store.health().is_ok();
        let draining = shared.draining.load(Ordering::Relaxed);
        let store = Check {
            name: "store",
            ok: healthy,
            detail: (!healthy).then(|| "the log cannot be written".into()),
        };
        let writable = shared.writable.load(Ordering::Relaxed);
        let engine = Check {
            name: "engine",
            ok: writable,
            detail: (!writable).then(|| "new calls are refused".into()),
        };
        Readiness {
            ready: healthy && writable && !draining,
            draining,
            checks: vec![store, engine],
        }
    }

    fn metrics(&self) -> String {
        let shared = self.handle.shared();
        let stats = shared.stats.lock().map(|s| *s).unwrap_or_default();
        let figures = self.store.figures();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, value: u64| {
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            );
        };
        family(
            "crosspoint_interactions",
            "gauge",
            "Interactions in memory.",
            stats.interactions as u64,
        );
        family(
            "crosspoint_legs",
            "gauge",
            "Legs in memory.",
            stats.legs as u64,
        );
        family(
            "crosspoint_media_ports_in_use",
            "gauge",
            "RTP port pairs in use.",
            stats.ports_in_use as u64,
        );
        family(
            "crosspoint_interactions_started_total",
            "counter",
            "Interactions started.",
            stats.started,
        );
        family(
            "crosspoint_interactions_ended_total",
            "counter",
            "Interactions ended.",
            stats.ended,
        );
        family(
            "crosspoint_calls_refused_total",
            "counter",
            "Calls refused before they began.",
            stats.refused,
        );
        family(
            "crosspoint_interaction_faults_total",
            "counter",
            "Interactions ended by a fault of ours.",
            stats.faults,
        );
        family(
            "crosspoint_sip_denied_total",
            "counter",
            "SIP requests denied.",
            shared.denied.load(Ordering::Relaxed),
        );
        family(
            "crosspoint_held_outputs",
            "gauge",
            "Messages waiting for the log.",
            shared.held.load(Ordering::Relaxed),
        );
        family(
            "crosspoint_log_position",
            "gauge",
            "Last durable record.",
            shared.committed.load(Ordering::Relaxed),
        );
        family(
            "crosspoint_log_records_total",
            "counter",
            "Records made durable.",
            figures.records,
        );
        family(
            "crosspoint_log_commits_total",
            "counter",
            "Transactions of the log.",
            figures.commits,
        );
        text
    }
}
