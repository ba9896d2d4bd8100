//! The listening side: accepts, limits, and lets go gracefully.

use super::connection::{Anonymous, Connection};
use crate::state::ApiState;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections at a time; beyond it the listener does not accept, and clients wait in its backlog.
pub(crate) const CONNECTIONS_MAX: usize = 20_000;
/// A request's head must arrive within this time, also the first and the next on a kept connection.
pub(crate) const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// A request's head is at most this long; longer ones are answered 431.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;
/// After the shutdown signal, requests that run have this long to end.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors) the listener rests this long.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is done, then ends gracefully: no new connections, running requests and
/// the close of open WebSockets are waited for, at most [`GRACE`].
///
/// # Errors
/// None at present; kept for listeners that can fail for good.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = crate::router(state.clone());
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let anonymous = Anonymous::default();
    let (closing, _) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let place = places.clone().acquire_owned();
        let (stream, remote) = tokio::select! {
            () = &mut shutdown => break,
            next = async { (place.await, listener.accept().await) } => match next {
                (Ok(place), Ok((stream, remote))) => ((stream, place), remote),
                (_, Err(e)) => {
                    tracing::warn!(error = %e, "accept");
                    tokio::time::sleep(ACCEPT_REST).await;
                    continue;
                }
                (Err(_), _) => break,
            },
        };
        let (connection, another_went) = anonymous.admit(remote);
        if another_went {
            state.0.meters.connections_let_go.add(1);
        }
        let (router, closing) = (router.clone(), closing.subscribe());
        tasks.spawn(async move {
            let (stream, _place) = stream;
            converse(stream, remote, router, connection, closing).await;
        });
    }
    drop(listener);
    closing.send_replace(true);
    state.0.fanout.close();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("connections were cut at shutdown");
    }
    Ok(())
}

async fn converse(
    stream: TcpStream,
    remote: SocketAddr,
    router: Router,
    connection: Connection,
    mut closing: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let let_go = connection.let_go();
    let service = router.layer(axum::Extension(connection));
    let service = TowerToHyperService::new(service);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        hyper::service::Service::call(&service, request.map(axum::body::Body::new) as Request)
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut conversation = pin!(conversation);
    let result = tokio::select! {
        result = conversation.as_mut() => result,
        () = let_go => return,
        () = closed(&mut closing) => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(e) = result {
        tracing::trace!(family = if remote.is_ipv4() { 4 } else { 6 }, error = %e, "connection");
    }
}

/// Until the node goes down.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that whoever would say it is gone, which is the same.
    let _gone = closing.wait_for(|c| *c).await.is_err();
}
