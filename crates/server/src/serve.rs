//! Start to stop: everything is wired here, in order.

use crate::backend::ServerBackend;
use crate::config::{Config, WEBRTC_PORT, WebRtcPort};
use crate::drive::{self, Driver, Handle, Message};
use crate::identity::Certificates;
use crate::metrics::Sources;
use crate::revocations::Believed;
use crate::sounds::Sounds;
use crate::{customers, followers, provision, secrets, telemetry, traces};
use anyhow::{Context, Result};
use cp_api::privacy::Ledger;
use cp_api::{ApiState, Settings, SipAddresses};
use cp_edge::media::{BrowserConfig, EventSource, MediaConfig, MediaWorkers, event_queue};
use cp_edge::signalling::{CertificateFiles, ListenConfig};
use cp_edge::{Clock, Signalling};
use cp_engine::{Engine, EngineConfig};
use cp_sip::ua::Listen;
use cp_store::{Health, Options, SqliteStore, Store};
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::net::Transport;
use cp_vocab::*;
use std::fs::DirBuilder;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Open files wanted: a socket pair per leg, connections, the database.
const FILES_WANTED: u64 = 262_144;
/// Port pairs bound at a time when the free ones run low.
pub const PORTS_PER_STEP: usize = 512;
/// How often a draining node looks whether calls are left, when nothing tells it.
const DRAIN_LOOK: Duration = Duration::from_millis(200);
/// Time for the goodbyes to calls that are up at the end, and how often it is looked whether they are out.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
const FAREWELL_LOOK: Duration = Duration::from_millis(20);

/// A server that runs; stop it with [`Running::stop`].
pub struct Running {
    pub handle: Handle,
    pub http: SocketAddr,
    pub sip: Vec<(Transport, SocketAddr)>,
    /// What people type into a softphone; the same on the page and in the terminal.
    pub sip_host: String,
    pub store: Arc<dyn Store>,
    believed: Arc<Believed>,
    runtime: tokio::runtime::Runtime,
    driver: std::thread::JoinHandle<()>,
    stop_http: tokio::sync::watch::Sender<bool>,
    drain: Duration,
}

/// 32 random bytes of the operating system.
pub fn random_seed() -> Result<[u8; 32]> {
    let mut seed = [0u8; 32];
    aws_lc_rs::rand::fill(&mut seed)
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    Ok(seed)
}

/// `crosspoint serve`: runs until SIGINT or SIGTERM, then drains.
pub fn run(config: Config) -> Result<()> {
    telemetry::start(&config)?;
    let running = start(config)?;
    tracing::info!(
        http_port = running.http.port(),
        sip = running.sip.len(),
        "ready"
    );
    running.wait_for_signal()?;
    running.stop()
}

/// Recordings and password hashes lie in it: made for its owner alone. One that exists stays as it is.
pub(crate) fn make_data_folder(folder: &Path) -> Result<()> {
    let mut maker = DirBuilder::new();
    let made = maker.recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make {}", folder.display()))
}

/// Starts everything; returns when calls are taken.
pub fn start(config: Config) -> Result<Running> {
    cp_edge::raise_file_limit(FILES_WANTED);
    make_data_folder(&config.data)?;
    let clock = Clock::start();
    let mut ids = IdSource::from_seed(random_seed()?);
    if let Some(path) = &config.http_leaked_passwords {
        cp_api::leaks::refuse(path).context("http.leaked_passwords")?;
    }
    let (store, erasures) = open_store(&config, &mut ids, clock)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("cp-io")
        .enable_all()
        .build()
        .context("cannot start the I/O threads")?;
    outlive_file_limit(&runtime)?;
    let signalling = Signalling::bind(listen_config(&config), runtime.handle(), clock)?;
    let sip = signalling.local_addresses();
    let own = own_address(&config);
    let (handle, inbox) = drive::channel(signalling.waker());
    let sources = Arc::new(Sources {
        handle: handle.clone(),
        store: store.clone(),
        signalling: signalling.counters(),
        traces: std::sync::OnceLock::new(),
    });

    let media = start_media(&config, clock, own, signalling.waker())?;
    let engine = Engine::new(engine_config(&config, &sip, own)?);
    let sounds = Sounds::new(crate::sounds::prompts(&config)?, handle.clone());

    watch_store(&store, &handle);
    let restore = crate::restore::restore(store.as_ref(), clock.now())?;
    let client = client(&config, &runtime, own)?;
    let certificates = Certificates::new(client.clone(), runtime.handle().clone(), handle.clone());
    let believed = Believed::start(&config, client.clone(), runtime.handle(), handle.clone())?;
    let driver = Driver::new(
        engine,
        signalling,
        media,
        store.clone(),
        sounds,
        certificates,
        clock,
        inbox,
        &handle,
    );
    let driver = std::thread::Builder::new()
        .name("cp-engine".into())
        .spawn(move || driver.run())
        .context("cannot start the engine thread")?;
    handle.send_waiting(Message::Restore(Box::new(restore)));

    let (push, pictures) =
        followers::start(&config, &client, &store, &handle, runtime.handle(), clock)?;
    let (stop_http, stopped) = tokio::sync::watch::channel(false);
    let backend = ServerBackend::new(sources.clone(), push, client, pictures, &config);
    let carried = (backend, &store, erasures);
    let (http, state) = start_http(&config, &runtime, carried, (&sip, own), stopped)?;
    let proofs = customers::start(&config, http, &store, &handle, runtime.handle(), clock)?;
    state.set_proofs(proofs);
    runtime.spawn(sweep(store.clone(), clock));
    if let Some(endpoint) = &config.otlp_endpoint {
        let followed = traces::start(
            endpoint,
            &config.data,
            store.clone(),
            &handle,
            runtime.handle(),
        )?;
        let _ = sources.traces.set(followed);
    }
    let drain = Duration::from_millis(config.drain_ms_max);
    Ok(Running {
        handle,
        http,
        sip_host: sip_addresses(&sip, own).host,
        sip,
        store,
        believed,
        runtime,
        driver,
        stop_http,
        drain,
    })
}

/// The one client for everything fetched over HTTP.
fn client(
    config: &Config,
    runtime: &tokio::runtime::Runtime,
    own: IpAddr,
) -> Result<cp_fetch::Client> {
    let _inside = runtime.enter();
    let config = cp_fetch::Config {
        allow: config.fetch_allow.clone(),
        own: vec![own],
        name_servers: config.fetch_name_servers.clone(),
        hosts: config
            .fetch_hosts
            .iter()
            .map(|h| (h.name.clone(), h.addr))
            .collect(),
        authorities: config.fetch_authorities.clone(),
        ..cp_fetch::Config::default()
    };
    cp_fetch::Client::new(config).context("cannot set up fetching over HTTP")
}

/// At a limit of file size the system kills who does not listen to SIGXFSZ; for us that is a full
/// disk, and running calls live on.
fn outlive_file_limit(runtime: &tokio::runtime::Runtime) -> Result<()> {
    let _inside = runtime.enter();
    // Listening once is enough: the handler stays when the listener goes.
    let _handled =
        signal(SignalKind::from_raw(libc::SIGXFSZ)).context("cannot listen to SIGXFSZ")?;
    Ok(())
}

/// Expired sessions and idempotency keys go every few minutes.
async fn sweep(store: Arc<dyn Store>, clock: Clock) {
    let mut every = tokio::time::interval(Duration::from_secs(300));
    loop {
        every.tick().await;
        let store = store.clone();
        let swept = tokio::task::spawn_blocking(move || store.sweep(clock.now())).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "expired rows could not be removed");
        }
    }
}

/// Opens the database and brings it to where it was: a restored backup is cleaned of everybody who
/// was erased since.
fn open_store(
    config: &Config,
    ids: &mut IdSource,
    clock: Clock,
) -> Result<(Arc<dyn Store>, Arc<Ledger>)> {
    let vault = Arc::new(secrets::vault(config)?);
    let ledger = Arc::new(Ledger::new(config.data.join("erasures.log"), vault.clone()));
    let options = Options {
        durability: config.durability,
        vault: Some(vault),
        ..Options::at(secrets::database(config))
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&options)?);
    if let Some(path) = &config.provision {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let made = provision::apply(store.as_ref(), &text, ids, clock.now())?;
        if made > 0 {
            tracing::info!(tenants = made, "provisioned");
        }
    }
    let folder = config.data.join("recordings");
    let repeated = ledger
        .repeat(store.as_ref(), &folder, clock.now())
        .context("people who were erased may be in this database: nobody is served")?;
    if repeated.erasures > 0 {
        let (erasures, held) = (repeated.erasures, repeated.held);
        tracing::warn!(erasures, held, "erased again after a restore");
    }
    Ok((store, ledger))
}

fn listen_config(config: &Config) -> ListenConfig {
    ListenConfig {
        udp: config.sip_udp.clone(),
        tcp: config.sip_tcp.clone(),
        tls: config.sip_tls.clone(),
        ws: config.sip_ws.clone(),
        wss: config.sip_wss.clone(),
        certificate: CertificateFiles {
            chain: config.sip_certificate.clone(),
            key: config.sip_key.clone(),
            client_authorities: config.sip_client_authorities.clone(),
            client_required: false,
            server_authorities: config.sip_server_authorities.clone(),
        },
        ..ListenConfig::default()
    }
}

/// What we put into SDP and Contact when we listen on all addresses.
fn own_address(config: &Config) -> IpAddr {
    if let Some(ip) = config.sip_advertised {
        return ip;
    }
    let listened = config
        .sip_udp
        .iter()
        .chain(&config.sip_tcp)
        .map(|a| a.ip())
        .find(|ip| !ip.is_unspecified());
    listened.unwrap_or_else(|| {
        // The address the routing table would use outwards; nothing is sent by this.
        let probe = UdpSocket::bind("0.0.0.0:0").and_then(|s| {
            s.connect("192.0.2.1:9")?;
            s.local_addr()
        });
        probe
            .map(|a| a.ip())
            .ok()
            .filter(|ip| !ip.is_unspecified())
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    })
}

fn engine_config(
    config: &Config,
    sip: &[(Transport, SocketAddr)],
    own: IpAddr,
) -> Result<EngineConfig> {
    let listen = sip
        .iter()
        .map(|(transport, local)| {
            let ip = match (config.sip_advertised, local.ip().is_unspecified()) {
                (Some(ip), _) => ip,
                (None, true) => own,
                (None, false) => local.ip(),
            };
            Listen {
                transport: *transport,
                local: *local,
                advertised: SocketAddr::new(ip, local.port()),
            }
        })
        .collect();
    let mut engine = EngineConfig::new(random_seed()?, random_seed()?, listen);
    engine.emergency_live = config.emergency_live;
    engine.interactions_max = config.interactions_max;
    engine.session_expires_s = config.session_expires_s;
    engine.identity = crate::identity::engine_config(config)?;
    Ok(engine)
}

fn start_media(
    config: &Config,
    clock: Clock,
    own: IpAddr,
    waker: cp_edge::Waker,
) -> Result<(MediaWorkers, EventSource)> {
    let advertised = config.media_advertised.or(config.sip_advertised);
    let advertised = advertised.unwrap_or(if config.media_address.is_unspecified() {
        own
    } else {
        config.media_address
    });
    let mut media = MediaConfig::new(
        config.media_address,
        config.media_ports.clone(),
        config.data.join("recordings"),
    );
    media.advertised = advertised;
    media.workers = config.media_workers;
    media.pairs_at_start = pairs_at_start(config);
    media.browsers = browsers(config, advertised);
    media.node.silent_after = Duration::from_millis(config.media_silent_ms);
    let (sink, source) = event_queue(waker);
    Ok((MediaWorkers::start(media, clock, sink)?, source))
}

/// How browsers reach the media workers.
fn browsers(config: &Config, advertised: IpAddr) -> Option<BrowserConfig> {
    let (port, any_if_taken) = match config.webrtc_port {
        WebRtcPort::Off => return None,
        WebRtcPort::Auto => (WEBRTC_PORT, true),
        WebRtcPort::Fixed(port) => (port, false),
    };
    let mut advertised_to = config.webrtc_advertised.clone();
    if advertised_to.is_empty() {
        advertised_to.push(advertised);
        // A page of this machine reaches us by its own loopback, whatever the network is doing.
        if config.media_address.is_unspecified() && !advertised.is_loopback() {
            advertised_to.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
    }
    Some(BrowserConfig {
        advertised: advertised_to,
        any_if_taken,
        tcp: config.webrtc_tcp,
        ..BrowserConfig::new(config.media_address, port)
    })
}

/// Port pairs bound before the first call: a few hundred, and never more than half of the range, so
/// that every worker gets its share.
fn pairs_at_start(config: &Config) -> usize {
    let pairs = config.media_ports.len() / 2;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = config.media_workers.unwrap_or(cores).max(1);
    (pairs / (2 * workers)).clamp(1, 256)
}

fn watch_store(store: &Arc<dyn Store>, handle: &Handle) {
    let committed = handle.clone();
    store.on_commit(Box::new(move |outcome| {
        let shared = committed.shared();
        if let Some(error) = &outcome.error {
            tracing::error!(%error, position = outcome.upto.0, "records were refused by the log");
            shared.refuse(outcome.upto);
        }
        shared.committed.store(outcome.upto.0, Ordering::Release);
        shared.commits.send_replace(outcome.upto);
        committed.wake();
    }));
    let health = handle.clone();
    store.on_health(Box::new(move |h| {
        let writable = h.is_ok();
        if health.shared().closing.load(Ordering::Relaxed) && matches!(h, Health::Closed) {
            return;
        }
        tracing::warn!(writable, "the store changed its health");
        health.send(Message::Health { writable });
    }));
}

fn start_http(
    config: &Config,
    runtime: &tokio::runtime::Runtime,
    (backend, store, erasures): (ServerBackend, &Arc<dyn Store>, Arc<Ledger>),
    (sip, own): (&[(Transport, SocketAddr)], IpAddr),
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> Result<(SocketAddr, ApiState)> {
    let settings = Settings {
        tls: config.http_tls,
        origins: config.http_origins.clone(),
        behind_proxy: config.http_behind_proxy,
        step_up_s: config.http_step_up_s,
        setup_token: secrets::setup_token(store.as_ref())?,
        recordings: config.data.join("recordings"),
        erasures: Some(erasures),
        sip: sip_addresses(sip, own),
        demo_shop: config.demo_shop,
        webrtc: cp_api::WebRtcSettings {
            turn: config.webrtc_turn.clone(),
            turn_secret: config.webrtc_turn_secret.clone(),
            turn_ttl_s: config.webrtc_turn_ttl_s,
            ..cp_api::WebRtcSettings::default()
        },
        ..Settings::default()
    };
    let state = ApiState::new(store.clone(), Arc::new(backend), settings);
    runtime.spawn(cp_api::privacy::run(state.clone()));
    let address = config.http_listen;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(address))
        .with_context(|| http_refused(address))?;
    let bound = listener.local_addr()?;
    let served = state.clone();
    runtime.spawn(async move {
        let shutdown = async move {
            let _ = stopped.wait_for(|s| *s).await;
        };
        if let Err(error) = cp_api::serve(listener, served, shutdown).await {
            tracing::error!(%error, "HTTP stopped");
        }
    });
    Ok((bound, state))
}

fn http_refused(address: SocketAddr) -> String {
    let holder = cp_edge::signalling::tcp_port_holder(address.port());
    let holder = holder.map_or_else(String::new, |h| format!(" ({h} holds the port)"));
    format!(
        "cannot listen on {address} for HTTP{holder}; stop it, or set http.listen (CROSSPOINT_HTTP_LISTEN) to another address"
    )
}

/// What people type into a softphone.
fn sip_addresses(sip: &[(Transport, SocketAddr)], own: IpAddr) -> SipAddresses {
    let port = |wanted: Transport| {
        sip.iter()
            .find(|(t, _)| *t == wanted)
            .map(|(_, a)| a.port())
    };
    let listened = sip
        .first()
        .map(|(_, a)| a.ip())
        .filter(|ip| !ip.is_unspecified());
    SipAddresses {
        host: listened.unwrap_or(own).to_string(),
        udp: port(Transport::Udp),
        tcp: port(Transport::Tcp),
        tls: port(Transport::Tls),
    }
}

/// SIGTERM and SIGINT.
struct Ends {
    term: Signal,
    int: Signal,
}

impl Ends {
    fn listen() -> Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

impl Running {
    /// Until SIGINT or SIGTERM. SIGHUP reads the certificates again.
    pub fn wait_for_signal(&self) -> Result<()> {
        self.runtime.block_on(async {
            let mut ends = Ends::listen()?;
            let mut hangup = signal(SignalKind::hangup())?;
            loop {
                tokio::select! {
                    () = ends.recv() => return Ok(()),
                    _ = hangup.recv() => {
                        self.handle.send(Message::ReloadCertificates);
                        self.believed.reload();
                    }
                }
            }
        })
    }

    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// Says goodbye to everybody, and waits until that is written and sent, or the limit is reached;
    /// what is left then ends as `node_lost` at the next start.
    fn end_calls(&self) {
        let shared = self.handle.shared();
        let left = || shared.stats.lock().map_or(0, |s| s.interactions);
        let until = std::time::Instant::now() + FAREWELL_MAX;
        self.handle.send_waiting(Message::EndCalls);
        self.runtime.block_on(async {
            while (left() > 0 || shared.held.load(Ordering::Relaxed) > 0)
                && std::time::Instant::now() < until
            {
                tokio::time::sleep(FAREWELL_LOOK).await;
            }
        });
    }

    /// No new calls; the running ones may end, up to the limit; then everything is written and closed.
    pub fn stop(self) -> Result<()> {
        let shared = self.handle.shared().clone();
        shared.draining.store(true, Ordering::Relaxed);
        let (reply, _gone) = tokio::sync::oneshot::channel();
        let mut ids = IdSource::from_seed(random_seed()?);
        let envelope = CommandEnvelope {
            id: ids.next(Timestamp::ZERO),
            tenant: TenantId::from_u128(0),
            actor: Actor::System,
            command: Command::Drain { on: true },
        };
        self.handle
            .send_waiting(Message::Command { envelope, reply });
        let left = || shared.stats.lock().map_or(0, |s| s.interactions);
        let until = std::time::Instant::now() + self.drain;
        let mut commits = shared.commits.subscribe();
        tracing::info!(interactions = left(), "draining");
        self.runtime.block_on(async {
            let mut ends = Ends::listen()?;
            while left() > 0 && std::time::Instant::now() < until {
                tokio::select! {
                    () = ends.recv() => break,
                    // Each end of a call is a commit; the time-out covers the last look.
                    _ = commits.changed() => {}
                    () = tokio::time::sleep(DRAIN_LOOK) => {}
                }
            }
            anyhow::Ok(())
        })?;
        let cut = left();
        if cut > 0 {
            tracing::warn!(interactions = cut, "ending the calls that are still up");
            self.end_calls();
        }
        self.stop_http.send_replace(true);
        self.handle.send_waiting(Message::Stop);
        let _ = self.driver.join();
        shared.closing.store(true, Ordering::Relaxed);
        self.store.close();
        self.runtime.shutdown_timeout(Duration::from_secs(2));
        Ok(())
    }
}
