//! What the API asks of this process.

use crate::card::Pictures;
use crate::config::Config;
use crate::drive::{Handle, Message};
use crate::metrics::Sources;
use crate::outside::Fetching;
use crate::push::Push;
use cp_api::{Backend, Check, Outside, Pusher, Readiness};
use cp_store::Store;
use cp_vocab::command::{Command, CommandEnvelope, CommandResult};
use cp_vocab::event::LogPosition;
use cp_vocab::web::Signal;
use cp_vocab::*;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// A command not answered in this time (the disk hangs) is answered with `timeout`; it may still be carried out.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(10);

pub struct ServerBackend {
    handle: Handle,
    store: Arc<dyn Store>,
    sources: Arc<Sources>,
    push: Arc<Push>,
    outside: Fetching,
    pictures: Arc<Pictures>,
    /// With whether what it cannot look at is refused.
    scanner: Option<(cp_fetch::Scanner, bool)>,
}

impl ServerBackend {
    pub fn new(
        sources: Arc<Sources>,
        push: Arc<Push>,
        client: cp_fetch::Client,
        pictures: Arc<Pictures>,
        config: &Config,
    ) -> Self {
        let scanner = cp_fetch::Scanner::at(&config.uploads_scanner);
        Self {
            handle: sources.handle.clone(),
            store: sources.store.clone(),
            sources,
            push,
            outside: Fetching(client),
            pictures,
            scanner: scanner.map(|s| (s, config.uploads_scan_required)),
        }
    }

    async fn ask(&self, envelope: CommandEnvelope) -> CommandResult {
        let tenant = envelope.tenant;
        let named = interaction_of(&envelope.command);
        let drains = match envelope.command {
            Command::Drain { on } => Some(on),
            _ => None,
        };
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
        if let (Ok(_), Some(on)) = (&result, drains) {
            self.handle.shared().draining.store(on, Ordering::Relaxed);
        }
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
        | Command::ReportCaller { interaction }
        | Command::EndAwait { interaction, .. }
        | Command::Tell { interaction, .. }
        | Command::WrapUp { interaction, .. } => Some(*interaction),
        _ => None,
    }
}

impl Backend for ServerBackend {
    fn outside(&self) -> Option<&dyn Outside> {
        Some(&self.outside)
    }

    fn scan<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, String>> {
        Box::pin(async move {
            let Some((scanner, required)) = &self.scanner else {
                return Ok(None);
            };
            match scanner.scan(bytes).await {
                Ok(cp_fetch::Scan::Clean) => Ok(None),
                Ok(cp_fetch::Scan::Found(name)) => {
                    tracing::warn!(found = %name, "a virus scanner refused what was sent in");
                    Ok(Some(name))
                }
                Err(e) => {
                    tracing::warn!(required, "what was sent in was not scanned: {e}");
                    if *required {
                        Err(e.to_string())
                    } else {
                        Ok(None)
                    }
                }
            }
        })
    }

    fn pusher(&self) -> Option<&dyn Pusher> {
        Some(self.push.as_ref())
    }

    fn picture(&self, digest: &str) -> Option<Vec<u8>> {
        self.pictures.find(digest).map(|b| b.to_vec())
    }

    fn command(&self, envelope: CommandEnvelope) -> BoxFuture<'_, CommandResult> {
        Box::pin(self.ask(envelope))
    }

    fn commits(&self) -> watch::Receiver<LogPosition> {
        self.handle.shared().commits.subscribe()
    }

    fn signals(&self, device: DeviceId) -> mpsc::Receiver<Signal> {
        self.handle.shared().devices.listen(device)
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
        self.sources.page()
    }
}
