//! Connections come to be: accepted by a listener or opened for a message.

use super::admission::{Admission, Permit};
use super::counters::Counters;
use super::limits::*;
use super::stream::{self, FromTask, Line, Outbox, Outlet};
use super::table::{Handle, Outgoing};
use super::tls::{TlsState, proven_name};
use super::websocket;
use cp_vocab::net::{ConnectionId, Flow, Transport};
use rustls_pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What listeners and connectors share.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) outlet: Outlet,
    pub(super) admission: Arc<Admission>,
    pub(super) tls: Arc<TlsState>,
    pub(super) next_id: Arc<AtomicU64>,
}

impl Gate {
    pub(super) fn new_id(&self) -> ConnectionId {
        ConnectionId(self.next_id.fetch_add(1, Relaxed))
    }
}

/// Accept for ever; ends when the task is aborted.
pub(super) async fn listen(listener: TcpListener, transport: Transport, gate: Gate) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let Some(permit) = gate.admission.enter(remote.ip()) else {
                    continue;
                };
                tokio::spawn(admit(stream, remote, transport, gate.clone(), permit));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(transport = transport.via(), %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Errors of accept(2) that concern the connection that was coming, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted
    )
}

/// Handshakes; then the connection is served by a task of its own, which is small: the state of a
/// handshake is not, and connections live long. The permit goes with it to the end.
async fn admit(
    stream: TcpStream,
    remote: SocketAddr,
    transport: Transport,
    gate: Gate,
    permit: Permit,
) {
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(&stream).set_keepalive(true);
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let flow = Flow {
        transport,
        local,
        remote,
        connection: Some(gate.new_id()),
    };
    let time_max = gate.outlet.limits.handshake_time_max;
    let counters = Arc::clone(&gate.outlet.counters);
    let failed = || Counters::add(&counters.handshakes_failed, 1);
    match transport {
        Transport::Udp => {}
        Transport::Tcp => {
            let (line, queue) = open(&gate, flow, None).await;
            spawn(stream::serve(stream, line, queue), permit);
        }
        Transport::Tls => {
            let Ok(Ok((stream, name))) = timeout(time_max, accept_tls(stream, &gate)).await else {
                return failed();
            };
            let (line, queue) = open(&gate, flow, name).await;
            spawn(stream::serve(stream, line, queue), permit);
        }
        Transport::Ws => {
            let accepted = timeout(time_max, websocket::accept(stream)).await;
            let Ok(Ok(socket)) = accepted else {
                return failed();
            };
            let (line, queue) = open(&gate, flow, None).await;
            spawn(websocket::serve(socket, line, queue), permit);
        }
        Transport::Wss => {
            let accepted = timeout(time_max, async {
                let (stream, name) = accept_tls(stream, &gate).await?;
                let socket = websocket::accept(stream).await.map_err(io::Error::other)?;
                Ok::<_, io::Error>((socket, name))
            });
            let Ok(Ok((socket, name))) = accepted.await else {
                return failed();
            };
            let (line, queue) = open(&gate, flow, name).await;
            spawn(websocket::serve(socket, line, queue), permit);
        }
    }
}

fn spawn(service: impl Future<Output = ()> + Send + 'static, permit: Permit) {
    tokio::spawn(async move {
        service.await;
        drop(permit);
    });
}

async fn accept_tls(
    stream: TcpStream,
    gate: &Gate,
) -> io::Result<(TlsStream<TcpStream>, Option<String>)> {
    let config = gate
        .tls
        .server()
        .ok_or_else(|| io::Error::other("no certificate"))?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let name = proven_name(stream.get_ref().1.peer_certificates());
    Ok((stream, name))
}

/// Tell the engine's thread of an accepted connection.
async fn open(
    gate: &Gate,
    flow: Flow,
    tls_name: Option<String>,
) -> (Line, mpsc::Receiver<Outgoing>) {
    let (sender, queue) = mpsc::channel(gate.outlet.limits.queued_per_connection_max);
    let handle = Handle {
        queue: Some(sender),
        transport: flow.transport,
        remote: flow.remote,
        server_name: None,
        opened_by_us: false,
        known: false,
    };
    let id = flow.connection.expect("an accepted connection has an id");
    gate.outlet.give(FromTask::Opened(id, handle)).await;
    (line(gate, flow, tls_name, false), queue)
}

fn line(gate: &Gate, flow: Flow, tls_name: Option<String>, opened_by_us: bool) -> Line {
    Line {
        outlet: gate.outlet.clone(),
        flow,
        tls_name,
        opened_by_us,
        pong: Notify::new(),
    }
}

/// A connection to open.
pub(super) struct Order {
    pub(super) id: ConnectionId,
    pub(super) transport: Transport,
    pub(super) addr: SocketAddr,
    pub(super) server_name: Option<String>,
}

/// Open a connection and serve it until its end. When it cannot be opened, what was queued for it
/// is told as failed.
pub(super) async fn connect(order: Order, queue: mpsc::Receiver<Outgoing>, gate: Gate) {
    let time_max = gate.outlet.limits.connect_time_max;
    let opened = timeout(time_max, async {
        let stream = TcpStream::connect(order.addr).await?;
        stream.set_nodelay(true)?;
        let _ = socket2::SockRef::from(&stream).set_keepalive(true);
        let local = stream.local_addr()?;
        if order.transport != Transport::Tls {
            return Ok((local, stream, None));
        }
        Ok::<_, io::Error>((local, stream, Some(server_name(&order)?)))
    })
    .await
    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let (local, stream, name) = match opened {
        Ok(opened) => opened,
        Err(error) => return give_up(&order, &error, queue, &gate).await,
    };
    let flow = Flow {
        transport: order.transport,
        local,
        remote: order.addr,
        connection: Some(order.id),
    };
    let Some(name) = name else {
        let line = line(&gate, flow, None, true);
        return stream::serve(stream, line, queue).await;
    };
    let connector = TlsConnector::from(gate.tls.client());
    let secured = timeout(time_max, connector.connect(name, stream))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match secured {
        Ok(stream) => {
            let line = line(&gate, flow, order.server_name, true);
            stream::serve(stream, line, queue).await;
        }
        Err(error) => give_up(&order, &error, queue, &gate).await,
    }
}

/// The name the server must prove: the one asked for, else its address.
fn server_name(order: &Order) -> io::Result<ServerName<'static>> {
    match &order.server_name {
        Some(name) => ServerName::try_from(name.clone()).map_err(io::Error::other),
        None => Ok(ServerName::IpAddress(order.addr.ip().into())),
    }
}

async fn give_up(order: &Order, error: &io::Error, queue: mpsc::Receiver<Outgoing>, gate: &Gate) {
    tracing::info!(
        connection = order.id.0,
        transport = order.transport.via(),
        server = order.server_name.as_deref().unwrap_or(""),
        %error,
        "cannot connect"
    );
    let unwritten = Outbox::new(queue).unwritten(None);
    gate.outlet.give(FromTask::Gone(order.id, unwritten)).await;
}
