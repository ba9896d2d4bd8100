//! Signalling sockets, owned by the engine's thread.
//!
//! UDP is read with `recvmmsg` and written with `sendmmsg` on that thread. TCP, TLS, WS and WSS
//! connections are tokio tasks; they hand whole messages over through one bounded queue and wake
//! the thread. Nothing here blocks but [`Signalling::poll`], and that only until its deadline.

mod accept;
mod admission;
mod config;
mod counters;
mod limits;
mod owner;
mod resolve;
mod stream;
mod table;
mod tls;
mod udp;
mod websocket;

pub use config::{CertificateFiles, DnsConfig, ListenConfig};
pub use counters::Counters;
pub use limits::Limits;

use crate::clock::Clock;
use crate::error::EdgeError;
use crate::sys::epoll::{Epoll, Interest, Ready};
use crate::wake::{Wake, Waker};
use accept::{Gate, Order};
use admission::Admission;
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::{ConnectionId, Flow, ResolveError, Target, Transport};
use limits::*;
use resolve::{Names, Question};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use stream::{FromTask, Outlet};
use table::{Handle, Outgoing, Table};
use tls::TlsState;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use udp::UdpSockets;

/// Who listens on a TCP port of this machine: name and process id, where the system tells.
pub fn tcp_port_holder(port: u16) -> Option<String> {
    owner::of_port(Transport::Tcp, port)
}

/// The epoll token of the eventfd; UDP sockets have their index.
const WAKE_TOKEN: u64 = u64::MAX;
/// Reports taken from epoll at once; more come with the next `poll`.
const READY_MAX: usize = 64;

/// What `poll` gives.
#[derive(Debug)]
pub enum SignalIn {
    /// A UDP datagram that is no keep-alive. Nothing about it has been checked.
    Datagram { flow: Flow, bytes: Bytes },
    /// One SIP message of a connection. `tls_name` is the SIP domain the far side proved by its
    /// certificate (RFC 5922): the client's for accepted connections, the server's for ours.
    Message {
        flow: Flow,
        tls_name: Option<String>,
        bytes: Bytes,
    },
    /// A connection that messages came or went over is gone.
    Closed { connection: ConnectionId },
    /// A message to this target did not get out, or (UDP) nobody took it. A UDP target is always
    /// given as `Target::Addr`.
    SendFailed { target: Target },
    /// The answer to [`Signalling::resolve`].
    Resolved {
        id: u64,
        targets: Result<Vec<Target>, ResolveError>,
    },
    /// A [`Waker`] was used.
    Woken,
}

/// All signalling of the server. See the module.
pub struct Signalling {
    clock: Clock,
    epoll: Epoll,
    wake: Arc<Wake>,
    udp: UdpSockets,
    table: Table,
    gate: Gate,
    inbound: mpsc::Receiver<FromTask>,
    /// Found while sending; given by the next `poll`. At most a few per message sent.
    pending: Vec<SignalIn>,
    names: Names,
    lookups: Arc<Semaphore>,
    runtime: runtime::Handle,
    listeners: Vec<(Transport, SocketAddr, AbortHandle)>,
    more: bool,
}

impl Signalling {
    /// Bind all addresses and start to accept. Tasks run on `tokio`; the caller's thread is the
    /// one to poll. Errors name the address and what to do.
    pub fn bind(
        config: ListenConfig,
        tokio: &runtime::Handle,
        clock: Clock,
    ) -> Result<Self, EdgeError> {
        let epoll = Epoll::new().map_err(EdgeError::system("make an epoll instance"))?;
        let wake = Wake::new().map_err(EdgeError::system("make an eventfd"))?;
        epoll
            .add(&*wake, WAKE_TOKEN, Interest::Read)
            .map_err(EdgeError::system("watch an eventfd"))?;
        let udp = UdpSockets::bind(&config.udp, &epoll)?;
        let (queue, inbound) = mpsc::channel(INBOUND_QUEUE_MAX);
        let counters = Arc::<Counters>::default();
        let gate = Gate {
            admission: Admission::new(&config.limits, Arc::clone(&counters)),
            outlet: Outlet {
                queue,
                wake: Arc::clone(&wake),
                limits: Arc::new(config.limits.clone()),
                counters,
            },
            tls: Arc::new(TlsState::load(config.certificate.clone())?),
            next_id: Arc::new(AtomicU64::new(1)),
        };
        let listeners = listen_all(&config, tokio, &gate)?;
        let names = {
            let _inside = tokio.enter();
            Names::new(&config.dns)?
        };
        Ok(Self {
            clock,
            epoll,
            wake,
            udp,
            table: Table::default(),
            gate,
            inbound,
            pending: Vec::new(),
            names,
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            runtime: tokio.clone(),
            listeners,
            more: false,
        })
    }

    /// What is listened on, with the ports that were taken for port 0.
    pub fn local_addresses(&self) -> Vec<(Transport, SocketAddr)> {
        let udp = self.udp.addresses().map(|a| (Transport::Udp, a));
        let rest = self.listeners.iter().map(|(t, a, _)| (*t, *a));
        udp.chain(rest).collect()
    }

    /// To wake `poll` from other threads.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wake))
    }

    /// Counts for the metrics page.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.gate.outlet.counters)
    }

    /// Read the certificate files again, for handshakes from now on; connections stay. On an error
    /// the old ones stay in force.
    pub fn reload_certificates(&self) -> Result<(), EdgeError> {
        self.gate.tls.reload()
    }

    /// Wait until something arrives or `deadline` (`None`: for ever), and push what came to `out`
    /// as one batch with the one time returned. What is queued to send is sent first.
    pub fn poll(&mut self, deadline: Option<Timestamp>, out: &mut Vec<SignalIn>) -> Timestamp {
        self.flush();
        let timeout = self.time_to_wait(deadline);
        let mut ready = [Ready::EMPTY; READY_MAX];
        let count = self.epoll.wait(&mut ready, timeout);
        self.wake.awake();
        let now = self.clock.now();
        self.more = false;
        out.append(&mut self.pending);
        for report in &ready[..count] {
            if report.token() == WAKE_TOKEN {
                self.wake.clear();
                continue;
            }
            let token = report.token() as usize;
            if report.error() {
                self.udp.errors(token, out);
            }
            if report.readable() {
                let counters = &self.gate.outlet.counters;
                self.more |= self.udp.receive(token, out, counters);
            }
            // Writable: `flush` of the next poll sends the rest.
        }
        self.take_inbound(out);
        if self.wake.take_called() {
            out.push(SignalIn::Woken);
        }
        now
    }

    fn time_to_wait(&self, deadline: Option<Timestamp>) -> Option<Duration> {
        let may_sleep = self.wake.may_sleep();
        if self.more || !self.pending.is_empty() || !may_sleep {
            return Some(Duration::ZERO);
        }
        deadline.map(|d| d.since(self.clock.now()))
    }

    fn take_inbound(&mut self, out: &mut Vec<SignalIn>) {
        for _ in 0..INBOUND_PER_POLL_MAX {
            let Ok(item) = self.inbound.try_recv() else {
                return;
            };
            match item {
                FromTask::Opened(id, handle) => self.table.insert(id, handle),
                FromTask::In(event) => {
                    if let SignalIn::Message { flow, .. } = &event
                        && let Some(id) = flow.connection
                    {
                        self.table.mark_known(id);
                    }
                    out.push(event);
                }
                FromTask::Gone(connection, unwritten) => {
                    let failed = unwritten
                        .into_iter()
                        .map(|target| SignalIn::SendFailed { target });
                    out.extend(failed);
                    if self.table.remove(connection).is_some_and(|h| h.known) {
                        out.push(SignalIn::Closed { connection });
                    }
                }
            }
        }
        self.more = true;
    }

    /// Queue a message. UDP leaves with `flush` (or the next `poll`); connections write on their
    /// own. A failure is reported by a later `poll` as [`SignalIn::SendFailed`].
    pub fn send(&mut self, target: Target, bytes: Bytes) {
        match &target {
            Target::Flow(flow) => match flow.connection {
                None => self.send_udp(Some(flow.local), flow.remote, bytes),
                Some(id) => {
                    if self
                        .table
                        .queue(id, Outgoing { addr: None, bytes })
                        .is_err()
                    {
                        self.fail(target);
                    }
                }
            },
            Target::Addr {
                transport: Transport::Udp,
                addr,
                ..
            } => self.send_udp(None, *addr, bytes),
            Target::Addr {
                transport,
                addr,
                server_name,
            } => {
                let found = self.table.find(*transport, *addr, server_name.as_deref());
                let id = found.or_else(|| self.open(*transport, *addr, server_name.clone()));
                let Some(id) = id else {
                    return self.fail(target);
                };
                let addr = Some(Box::new(target));
                if let Err(unsent) = self.table.queue(id, Outgoing { addr, bytes })
                    && let Some(target) = unsent.addr
                {
                    self.fail(*target);
                }
            }
        }
    }

    fn send_udp(&mut self, local: Option<SocketAddr>, to: SocketAddr, bytes: Bytes) {
        let counters = &self.gate.outlet.counters;
        if self.udp.queue(local, to, bytes, counters).is_err() {
            self.fail(Target::Addr {
                transport: Transport::Udp,
                addr: to,
                server_name: None,
            });
        }
    }

    fn fail(&mut self, target: Target) {
        self.pending.push(SignalIn::SendFailed { target });
    }

    /// Open a connection; `None` when we may not or cannot: nobody connects *to* a browser.
    fn open(
        &mut self,
        transport: Transport,
        addr: SocketAddr,
        server_name: Option<String>,
    ) -> Option<ConnectionId> {
        if !matches!(transport, Transport::Tcp | Transport::Tls) {
            return None;
        }
        let limits = &self.gate.outlet.limits;
        if self.table.opened_by_us() >= limits.outgoing_connections_max {
            tracing::warn!(
                limit = limits.outgoing_connections_max,
                "too many connections opened by us"
            );
            return None;
        }
        let (sender, queue) = mpsc::channel(limits.queued_per_connection_max);
        let id = self.gate.new_id();
        let handle = Handle {
            queue: Some(sender),
            transport,
            remote: addr,
            server_name: server_name.clone(),
            opened_by_us: true,
            known: true,
        };
        self.table.insert(id, handle);
        Counters::add(&self.gate.outlet.counters.connections_opened, 1);
        let order = Order {
            id,
            transport,
            addr,
            server_name,
        };
        self.runtime
            .spawn(accept::connect(order, queue, self.gate.clone()));
        Some(id)
    }

    /// Send the queued datagrams.
    pub fn flush(&mut self) {
        let counters = &self.gate.outlet.counters;
        self.udp.flush(&self.epoll, &mut self.pending, counters);
    }

    /// End a connection when what is queued for it has been written. `Closed` follows.
    pub fn close(&mut self, connection: ConnectionId) {
        self.table.close(connection);
    }

    /// Find targets for a host, best first (RFC 3263). Addresses are answered by the next `poll`;
    /// names are asked of DNS in the background. Never blocks; always answered by `Resolved`.
    pub fn resolve(
        &mut self,
        id: u64,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
    ) {
        let question = Question {
            host: host.to_owned(),
            port,
            transport,
            secure,
        };
        if let Some(targets) = question.at_once() {
            let targets = Ok(targets);
            return self.pending.push(SignalIn::Resolved { id, targets });
        }
        let Ok(permit) = Arc::clone(&self.lookups).try_acquire_owned() else {
            let targets = Err(ResolveError::Busy);
            return self.pending.push(SignalIn::Resolved { id, targets });
        };
        let (names, outlet) = (self.names.clone(), self.gate.outlet.clone());
        self.runtime.spawn(async move {
            let targets = names.answer(&question).await;
            let answer = SignalIn::Resolved { id, targets };
            outlet.give(FromTask::In(answer)).await;
            drop(permit);
        });
    }
}

impl Drop for Signalling {
    /// Listeners stop at once; connections end when they have written what is queued.
    fn drop(&mut self) {
        for (_, _, listener) in &self.listeners {
            listener.abort();
        }
    }
}

fn listen_all(
    config: &ListenConfig,
    tokio: &runtime::Handle,
    gate: &Gate,
) -> Result<Vec<(Transport, SocketAddr, AbortHandle)>, EdgeError> {
    let _inside = tokio.enter();
    let wanted = [
        (Transport::Tcp, &config.tcp),
        (Transport::Tls, &config.tls),
        (Transport::Ws, &config.ws),
        (Transport::Wss, &config.wss),
    ];
    let mut bound = Vec::new();
    for (transport, addresses) in wanted {
        for addr in addresses {
            if transport.is_secure() && gate.tls.server().is_none() {
                return Err(EdgeError::NoCertificate {
                    transport,
                    addr: *addr,
                });
            }
            let listener = open_listener(*addr).map_err(|e| bind_error(transport, *addr, e))?;
            let local = listener
                .local_addr()
                .map_err(|e| bind_error(transport, *addr, e))?;
            bound.push((transport, local, listener));
        }
    }
    // Only when all addresses are ours does any of them accept.
    Ok(bound
        .into_iter()
        .map(|(transport, local, listener)| {
            let task = tokio.spawn(accept::listen(listener, transport, gate.clone()));
            (transport, local, task.abort_handle())
        })
        .collect())
}

fn open_listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bind_error(transport: Transport, addr: SocketAddr, source: io::Error) -> EdgeError {
    if source.kind() == io::ErrorKind::AddrInUse {
        return EdgeError::AddressInUse {
            transport,
            addr,
            owner: owner::of_port(transport, addr.port()),
        };
    }
    EdgeError::Bind {
        transport,
        addr,
        source,
    }
}
