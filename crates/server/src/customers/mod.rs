//! Customers' proofs: the desk is given its store, its way to the engine and its messages, follows
//! the log, and is handed what callers enter in private.

pub mod mail;
mod messages;
pub mod sms;

use crate::config::Config;
use crate::drive::{ENTERED_MAX, Entered, Handle, Message};
use anyhow::{Context, Result};
use cp_edge::Clock;
use cp_proof::{Desk, Engine, Parts, Settings};
use cp_store::Store;
use cp_vocab::command::CommandEnvelope;
use cp_vocab::event::LogPosition;
use messages::Adapters;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Private entries that are checked at a time: each takes a password hash.
const CHECKS_MAX: usize = 2;
/// Pause after the log could not be read.
const RETRY: Duration = Duration::from_secs(1);
/// The log is looked at this often without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Commands to the engine whose reply nobody waits for.
struct Commands(Handle);

impl Engine for Commands {
    fn tell(&self, envelope: CommandEnvelope) {
        // The reply goes nowhere: what became of the command is in the log.
        let (reply, _) = tokio::sync::oneshot::channel();
        if !self.0.send_waiting(Message::Command { envelope, reply }) {
            tracing::warn!("the engine is gone; a command of the proof desk was not taken");
        }
    }
}

/// Where customers' browsers reach us.
fn public_url(config: &Config, http: SocketAddr) -> String {
    match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_string(),
        None => format!("http://localhost:{}", http.port()),
    }
}

/// Starts the desk and its follower.
pub(crate) fn start(
    config: &Config,
    http: SocketAddr,
    store: &Arc<dyn Store>,
    handle: &Handle,
    runtime: &tokio::runtime::Handle,
    clock: Clock,
) -> Result<Arc<Desk>> {
    let desk = Desk::new(Parts {
        store: store.clone(),
        engine: Arc::new(Commands(handle.clone())),
        messages: Arc::new(Adapters::new(config, runtime)?),
        clock: Arc::new(move || clock.now()),
        settings: Settings {
            public_url: public_url(config, http),
        },
    });
    let desk = Arc::new(desk.context("proofs cannot be looked after")?);
    let cursor = desk.head().context("the log cannot be read for proofs")?;
    let commits = handle.shared().commits.subscribe();
    runtime.spawn(follow(desk.clone(), cursor, commits));
    let (entries, entered) = sync_channel(ENTERED_MAX);
    let _ = handle.shared().entered.set(entries);
    let entered = Arc::new(Mutex::new(entered));
    for n in 0..CHECKS_MAX {
        let (desk, entered) = (desk.clone(), entered.clone());
        std::thread::Builder::new()
            .name(format!("cp-proof-{n}"))
            .spawn(move || check(&desk, &entered))
            .context("cannot start a thread for proofs")?;
    }
    Ok(desk)
}

fn check(desk: &Desk, entered: &Mutex<Receiver<Entered>>) {
    loop {
        let next = {
            let waiting = entered.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.recv()
        };
        let Ok(e) = next else {
            return;
        };
        if let Err(error) = desk.entered(e.tenant, e.interaction, e.leg, e.digits) {
            let code = error.code().as_str();
            tracing::warn!(interaction = %e.interaction, code, %error, "a private entry");
        }
    }
}

async fn follow(
    desk: Arc<Desk>,
    mut cursor: u64,
    mut commits: tokio::sync::watch::Receiver<LogPosition>,
) {
    loop {
        let (at, following) = (cursor, desk.clone());
        let look = tokio::task::spawn_blocking(move || {
            let mut cursor = at;
            let more = following.follow(&mut cursor);
            (cursor, more)
        });
        let Ok((after, more)) = look.await else {
            return;
        };
        cursor = after;
        match more {
            Ok(true) => {}
            Ok(false) => tokio::select! {
                changed = commits.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            },
            Err(error) => {
                tracing::warn!(
                    code = error.code().as_str(),
                    "proofs: the log cannot be read"
                );
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
