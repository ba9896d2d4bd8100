//! What every handler shares.

use crate::auth::gate::Gates;
use crate::auth::lockout::Lockout;
use crate::auth::pace::Pace;
use crate::auth::pending::Pending;
use crate::auth::token;
use crate::backend::Backend;
use crate::ops::Meters;
use crate::people::Step;
use crate::problem::{Problem, Reply};
use crate::stream::Leases;
use crate::stream::fanout::Fanout;
use crate::webrtc::{Spent, WebRtcSettings};
use cp_store::Store;
use cp_vocab::command::{Actor, CommandEnvelope};
use cp_vocab::id::TypedId;
use cp_vocab::model::Snapshot;
use cp_vocab::web::Signal;
use cp_vocab::{Code, Command, CommandReply, DeviceId, IdSource, TenantId, Timestamp};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::{Semaphore, mpsc};

/// Password checks at a time: each takes 19 MiB and a core for tens of milliseconds.
pub(crate) const PASSWORD_CHECKS_MAX: usize = 2;
/// Sign-ins that may wait for a check; more are answered 429 at once.
pub(crate) const PASSWORD_CHECKS_WAITING_MAX: usize = 64;
/// Blocking store calls at a time; more wait for their turn within the request's time limit.
pub(crate) const STORE_CALLS_MAX: usize = 64;

/// Where the clock of an [`ApiState`] comes from; tests put their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What differs between installations.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder that recordings' paths are relative to.
    pub recordings: PathBuf,
    /// Where erasures are written down beside the database, for backups that are restored.
    pub erasures: Option<Arc<crate::privacy::Ledger>>,
    /// The page is reached over TLS: cookies are `Secure` with the `__Host-` prefix, and answers
    /// carry `Strict-Transport-Security`.
    pub tls: bool,
    /// A proxy of yours is in front and appends the client's address to `X-Forwarded-For`; its last
    /// entry counts for the limits of failed sign-ins. Without a proxy clients could lie with it.
    pub behind_proxy: bool,
    /// Further origins (`https://desk.example`) whose pages may open the event socket; its own
    /// always may.
    pub origins: Vec<String>,
    /// What people type into a softphone.
    pub sip: SipAddresses,
    /// Opens `POST /v1/setup` on an empty database; `None` where tenants come from elsewhere.
    pub setup_token: Option<String>,
    /// How long a proof of who one is counts for dangerous changes, in seconds.
    pub step_up_s: u64,
    /// Serve the demo's shop page.
    pub demo_shop: bool,
    /// Calls in the browser.
    pub webrtc: WebRtcSettings,
    /// How long a session lasts without being renewed, in seconds.
    pub session_s: u64,
    /// Shown by `/healthz` and in the OpenAPI document's server.
    pub version: &'static str,
}

/// The SIP side as phones reach it; an absent port is not served.
#[derive(Clone, Debug, Default)]
pub struct SipAddresses {
    pub host: String,
    pub udp: Option<u16>,
    pub tcp: Option<u16>,
    pub tls: Option<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recordings: PathBuf::from("recordings"),
            erasures: None,
            tls: false,
            behind_proxy: false,
            origins: Vec::new(),
            sip: SipAddresses {
                host: "127.0.0.1".into(),
                udp: Some(5060),
                tcp: Some(5060),
                tls: None,
            },
            demo_shop: false,
            webrtc: WebRtcSettings::default(),
            session_s: 12 * 60 * 60,
            setup_token: None,
            step_up_s: 15 * 60,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct ApiState(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) ids: Mutex<IdSource>,
    pub(crate) lockout: Lockout,
    pub(crate) pace: Pace,
    pub(crate) steps: Pending<Step>,
    pub(crate) password_checks: Semaphore,
    pub(crate) store_calls: Arc<Semaphore>,
    pub(crate) meters: Meters,
    pub(crate) fanout: Fanout,
    pub(crate) leases: Leases,
    pub(crate) taps: crate::contact::Taps,
    pub(crate) spent: Spent,
    pub(crate) gates: OnceLock<Gates>,
    proofs: OnceLock<Arc<cp_proof::Desk>>,
    /// Announcements that are looked at.
    pub(crate) announcements: Arc<Semaphore>,
    /// Held while a snapshot is taken and handed over, so that an older one never comes second.
    configuring: tokio::sync::Mutex<()>,
    editing: tokio::sync::Mutex<()>,
    /// One erasure or sweep at a time.
    pub(crate) erasing: tokio::sync::Mutex<()>,
}

impl ApiState {
    pub fn new(store: Arc<dyn Store>, backend: Arc<dyn Backend>, settings: Settings) -> Self {
        Self::with_clock(store, backend, settings, Arc::new(wall_clock))
    }

    /// For tests that move the time.
    pub fn with_clock(
        store: Arc<dyn Store>,
        backend: Arc<dyn Backend>,
        settings: Settings,
        clock: Clock,
    ) -> Self {
        let mut seed = [0u8; 32];
        token::fill_random(&mut seed);
        Self(Arc::new(Inner {
            store,
            backend,
            settings,
            clock,
            ids: Mutex::new(IdSource::from_seed(seed)),
            lockout: Lockout::default(),
            pace: Pace::default(),
            steps: Pending::default(),
            password_checks: Semaphore::new(PASSWORD_CHECKS_MAX),
            store_calls: Arc::new(Semaphore::new(STORE_CALLS_MAX)),
            meters: Meters::default(),
            fanout: Fanout::default(),
            leases: Leases::default(),
            taps: crate::contact::Taps::default(),
            spent: Spent::default(),
            gates: OnceLock::new(),
            proofs: OnceLock::new(),
            announcements: Arc::new(crate::proof::places()),
            configuring: tokio::sync::Mutex::new(()),
            editing: tokio::sync::Mutex::new(()),
            erasing: tokio::sync::Mutex::new(()),
        }))
    }

    /// Who looks after customers' proofs. Once; until then what asks for it is answered 503.
    pub fn set_proofs(&self, desk: Arc<cp_proof::Desk>) {
        let _ = self.0.proofs.set(desk);
    }

    pub(crate) fn proofs(&self) -> Reply<Arc<cp_proof::Desk>> {
        let none = || Problem::new(Code::StoreUnavailable, "proofs are not looked after yet");
        self.0.proofs.get().cloned().ok_or_else(none)
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    pub(crate) fn new_id<T: TypedId>(&self) -> T {
        let now = self.now();
        self.0.ids.lock().expect("no panic while held").next(now)
    }

    /// Runs calls of the store (and other work that blocks) where blocking is allowed.
    pub(crate) async fn store<T: Send + 'static, E: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let permit = self.0.store_calls.clone().acquire_owned().await;
        let store = self.0.store.clone();
        let run = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            call(store.as_ref())
        });
        match run.await {
            Ok(result) => result,
            Err(e) => std::panic::resume_unwind(e.into_panic()),
        }
    }

    /// Reads and changes the configuration with nobody else in between. Rows that mirror each
    /// other (an agent and its phone) are changed together from what was read here.
    pub(crate) async fn edit<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Reply<T> + Send + 'static,
    ) -> Reply<T> {
        let _turn = self.0.editing.lock().await;
        self.store(call).await
    }

    /// Sends a command to the engine and waits until what it did is durable.
    pub(crate) async fn command(
        &self,
        tenant: TenantId,
        actor: Actor,
        command: Command,
    ) -> Reply<CommandReply> {
        let envelope = CommandEnvelope {
            id: self.new_id(),
            tenant,
            actor,
            command,
        };
        Ok(self.0.backend.command(envelope).await?)
    }

    /// What the engine tells a browser, from now on.
    pub(crate) fn signals(&self, device: DeviceId) -> mpsc::Receiver<Signal> {
        self.0.backend.signals(device)
    }

    /// The configuration as of the last commit.
    pub(crate) async fn snapshot(&self) -> Reply<Arc<Snapshot>> {
        Ok(self.store(|s| s.snapshot()).await?)
    }

    /// Tells the engine that the configuration changed. The change is durable already, so a
    /// failure here is logged and not told: the next change or start brings it.
    pub(crate) async fn publish_configuration(&self, tenant: TenantId) {
        let _turn = self.0.configuring.lock().await;
        let result = match self.snapshot().await {
            Ok(snapshot) => {
                let configure = Command::Configure { snapshot };
                self.command(tenant, Actor::System, configure).await
            }
            Err(e) => Err(e),
        };
        if let Err(e) = result {
            tracing::error!(code = e.code.as_str(), detail = %e.detail, "configuration not taken over");
        }
        self.0.fanout.nudge();
    }

    /// One of the few places for a password check.
    pub(crate) async fn password_check_turn(&self) -> Reply<tokio::sync::SemaphorePermit<'_>> {
        let busy = || {
            Problem::new(
                Code::TooManyRequests,
                "Too many people are signing in at once. Try again in two seconds.",
            )
            .retry_after_s(2)
        };
        let waiting = self
            .0
            .meters
            .sign_ins_waiting
            .enter(PASSWORD_CHECKS_WAITING_MAX);
        let _waiting = waiting.ok_or_else(busy)?;
        self.0.password_checks.acquire().await.map_err(|_| busy())
    }
}

/// Microseconds since 1970 by the operating system.
fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| d.as_micros() as u64))
}
