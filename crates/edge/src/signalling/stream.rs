//! One connection over TCP or TLS: a task that reads messages into the engine's queue and writes
//! what the engine queued.

use super::SignalIn;
use super::counters::Counters;
use super::limits::*;
use super::table::{Handle, Outgoing};
use crate::wake::Wake;
use bytes::Bytes;
use cp_sip::framer::{Frame, Framer};
use cp_vocab::net::{ConnectionId, Flow, Target};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a connection that sent nonsense stays open for the answer to it to be written.
const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// From the tasks to the engine's thread.
pub(super) enum FromTask {
    /// A connection was accepted; comes before everything else about it.
    Opened(ConnectionId, Handle),
    In(SignalIn),
    /// A connection is gone; nothing about it follows. These messages were not written.
    Gone(ConnectionId, Vec<Target>),
}

/// What every task shares.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) queue: mpsc::Sender<FromTask>,
    pub(super) wake: Arc<Wake>,
    pub(super) limits: Arc<Limits>,
    pub(super) counters: Arc<Counters>,
}

impl Outlet {
    /// Give something to the engine; waits while its queue is full. `false` when it is gone.
    pub(super) async fn give(&self, what: FromTask) -> bool {
        let given = self.queue.send(what).await.is_ok();
        self.wake.wake();
        given
    }
}

/// One open connection, as its task knows it.
pub(super) struct Line {
    pub(super) outlet: Outlet,
    pub(super) flow: Flow,
    pub(super) tls_name: Option<String>,
    /// Opened by us: then the far side need not say anything first.
    pub(super) opened_by_us: bool,
    /// The far side asked for a keep-alive answer.
    pub(super) pong: Notify,
}

impl Line {
    pub(super) async fn give_message(&self, bytes: Bytes) -> bool {
        Counters::add(&self.outlet.counters.messages_in, 1);
        self.outlet
            .give(FromTask::In(SignalIn::Message {
                flow: self.flow,
                tls_name: self.tls_name.clone(),
                bytes,
            }))
            .await
    }

    /// When to lose patience with a far side that was last heard at `heard`.
    pub(super) fn patience(&self, opened: Instant, heard: Instant, spoken: bool) -> Instant {
        let limits = &self.outlet.limits;
        if spoken || self.opened_by_us {
            heard + limits.idle_time_max
        } else {
            opened + limits.first_message_time_max
        }
    }
}

/// Why a connection ended; the word goes to the log.
pub(super) enum End {
    /// By the far side, or by us on the engine's order.
    Closed,
    Failed(io::Error),
    Expelled(&'static str),
}

/// What is to be written; kept beside the futures so that the rest can be told at the end.
pub(super) struct Outbox {
    pub(super) queue: mpsc::Receiver<Outgoing>,
    /// Being written: the address it was sent to, as in [`Outgoing`].
    pub(super) current: Option<Option<Box<Target>>>,
}

impl Outbox {
    pub(super) fn new(queue: mpsc::Receiver<Outgoing>) -> Self {
        Self {
            queue,
            current: None,
        }
    }

    /// The targets of everything that was not written, each once.
    pub(super) fn unwritten(mut self, flow: Option<Flow>) -> Vec<Target> {
        self.queue.close();
        let mut targets: Vec<Target> = Vec::new();
        let mut next = self.current.take();
        loop {
            if let Some(addr) = next {
                let target = addr.map(|a| *a).or(flow.map(Target::Flow));
                targets.extend(target.filter(|t| !targets.contains(t)));
            }
            match self.queue.try_recv() {
                Ok(message) => next = Some(message.addr),
                Err(_) => return targets,
            }
        }
    }
}

/// Serve a connection until it ends, then tell the engine.
pub(super) async fn serve<S>(stream: S, line: Line, queue: mpsc::Receiver<Outgoing>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut outbox = Outbox::new(queue);
    let (mut reader, mut writer) = tokio::io::split(stream);
    let end = tokio::select! {
        end = read(&mut reader, &line) => end,
        end = write(&mut writer, &line, &mut outbox) => end,
    };
    finish(line, end, outbox).await;
}

/// The last word about a connection.
pub(super) async fn finish(line: Line, end: End, outbox: Outbox) {
    let connection = line.flow.connection.map_or(0, |c| c.0);
    match end {
        End::Closed => tracing::debug!(connection, "connection closed"),
        End::Failed(error) => tracing::debug!(connection, %error, "connection failed"),
        End::Expelled(why) => {
            Counters::add(&line.outlet.counters.connections_expelled, 1);
            tracing::info!(connection, why, "connection expelled");
        }
    }
    let gone = FromTask::Gone(ConnectionId(connection), outbox.unwritten(Some(line.flow)));
    line.outlet.give(gone).await;
}

async fn read<R: AsyncRead + Unpin>(reader: &mut R, line: &Line) -> End {
    let limits = &line.outlet.limits;
    let mut framer = Framer::new();
    let opened = Instant::now();
    let mut heard = opened;
    let mut spoken = false;
    let mut message_begun: Option<Instant> = None;
    loop {
        let patience = line.patience(opened, heard, spoken);
        let deadline = match message_begun {
            Some(begun) => patience.min(begun + limits.message_time_max),
            None => patience,
        };
        match timeout_at(deadline, read_some(reader, &mut framer)).await {
            Err(_) if message_begun.is_some() => return End::Expelled("message_too_slow"),
            Err(_) if spoken || line.opened_by_us => return End::Expelled("idle"),
            Err(_) => return End::Expelled("no_message"),
            Ok(Err(error)) => return End::Failed(error),
            Ok(Ok(0)) => return End::Closed,
            Ok(Ok(_)) => heard = Instant::now(),
        }
        loop {
            match framer.frame() {
                Ok(Some(Frame::Message(bytes))) => {
                    spoken = true;
                    message_begun = None;
                    // An exact copy: a kept message must not keep the read buffer alive.
                    if !line.give_message(Bytes::copy_from_slice(&bytes)).await {
                        return End::Closed;
                    }
                    if bytes.len() > KEPT_BUFFER_BYTES_MAX && !framer.is_partial() {
                        framer = Framer::new();
                    }
                }
                Ok(Some(Frame::Ping)) => line.pong.notify_one(),
                Ok(Some(Frame::Pong)) => {}
                Ok(None) => break,
                Err(error) => {
                    if let Some(head) = error.head() {
                        line.give_message(head.clone()).await;
                        tokio::time::sleep(FAREWELL_TIME).await;
                    }
                    return End::Expelled(error.code());
                }
            }
        }
        if !framer.is_partial() {
            message_begun = None;
        } else if message_begun.is_none() {
            message_begun = Some(heard);
        }
    }
}

thread_local! {
    /// Connections are many and mostly idle: they share one read buffer per thread.
    static CHUNK: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_CHUNK_BYTES].into_boxed_slice());
}

/// Read once and put what came into `framer`; the number of bytes, 0 at the end of the stream.
async fn read_some<R: AsyncRead + Unpin>(reader: &mut R, framer: &mut Framer) -> io::Result<usize> {
    let mut read = |context: &mut Context<'_>| -> Poll<io::Result<usize>> {
        CHUNK.with_borrow_mut(|chunk| {
            let mut buffer = ReadBuf::new(chunk);
            ready!(Pin::new(&mut *reader).poll_read(context, &mut buffer))?;
            framer.push(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    };
    poll_fn(&mut read).await
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, line: &Line, outbox: &mut Outbox) -> End {
    let time_max = line.outlet.limits.write_time_max;
    loop {
        let message = tokio::select! {
            biased;
            message = outbox.queue.recv() => message,
            () = line.pong.notified() => {
                match timeout(time_max, write_out(writer, b"\r\n")).await {
                    Err(_) => return End::Expelled("does_not_read"),
                    Ok(Err(error)) => return End::Failed(error),
                    Ok(Ok(())) => continue,
                }
            }
        };
        let Some(message) = message else {
            // The engine let go of the connection and everything queued is written.
            let _ = timeout(time_max, writer.shutdown()).await;
            return End::Closed;
        };
        outbox.current = Some(message.addr);
        match timeout(time_max, write_out(writer, &message.bytes)).await {
            Err(_) => return End::Expelled("does_not_read"),
            Ok(Err(error)) => return End::Failed(error),
            Ok(Ok(())) => outbox.current = None,
        }
        Counters::add(&line.outlet.counters.messages_out, 1);
    }
}

async fn write_out<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}
