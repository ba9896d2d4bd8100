//! One connection over WebSocket (RFC 7118): a message of the socket is a message of SIP.

use super::counters::Counters;
use super::limits::*;
use super::stream::{End, Line, Outbox, finish};
use super::table::Outgoing;
use bytes::Bytes;
use cp_sip::message::MESSAGE_BYTES_MAX;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// The subprotocol a SIP client must ask for (RFC 7118 4.1).
const SUBPROTOCOL: &str = "sip";

/// Do the WebSocket handshake on an accepted stream.
#[allow(clippy::result_large_err)] // the type is the library's
pub(super) async fn accept<S>(stream: S) -> Result<WebSocketStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(WEBSOCKET_READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    tokio_tungstenite::accept_hdr_async_with_config(stream, choose_subprotocol, Some(config)).await
}

#[allow(clippy::result_large_err)] // the type is the library's
fn choose_subprotocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, ErrorResponse> {
    let offered = request
        .headers()
        .get_all("Sec-WebSocket-Protocol")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case(SUBPROTOCOL));
    if !offered {
        let mut refusal = ErrorResponse::new(Some(
            "this WebSocket speaks the subprotocol \"sip\" (RFC 7118)".to_owned(),
        ));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Err(refusal);
    }
    response.headers_mut().insert(
        "Sec-WebSocket-Protocol",
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(response)
}

/// Serve a WebSocket until it ends, then tell the engine.
pub(super) async fn serve<S>(
    socket: WebSocketStream<S>,
    line: Line,
    queue: mpsc::Receiver<Outgoing>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut outbox = Outbox::new(queue);
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = read(&mut stream, &line) => end,
        end = write(&mut sink, &line, &mut outbox) => end,
    };
    finish(line, end, outbox).await;
}

async fn read<S>(stream: &mut SplitStream<WebSocketStream<S>>, line: &Line) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let opened = Instant::now();
    let mut heard = opened;
    let mut spoken = false;
    loop {
        let patience = line.patience(opened, heard, spoken);
        let message = match timeout_at(patience, stream.next()).await {
            Err(_) if spoken => return End::Expelled("idle"),
            Err(_) => return End::Expelled("no_message"),
            Ok(None) => return End::Closed,
            Ok(Some(Err(Error::Capacity(_)))) => return End::Expelled("message_too_long"),
            Ok(Some(Err(Error::Io(error)))) => return End::Failed(error),
            Ok(Some(Err(error))) => return End::Failed(io::Error::other(error)),
            Ok(Some(Ok(message))) => message,
        };
        heard = Instant::now();
        let bytes: Bytes = match message {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return End::Closed,
            // The library answers pings.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            // Keep-alive as on a stream (RFC 5626 4.4.1); a single CRLF is a pong.
            if bytes.len() >= 4 {
                line.pong.notify_one();
            }
            continue;
        }
        spoken = true;
        // An exact copy: the library's buffer may be larger and would be kept alive.
        if !line.give_message(Bytes::copy_from_slice(&bytes)).await {
            return End::Closed;
        }
    }
}

async fn write<S>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    line: &Line,
    outbox: &mut Outbox,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let time_max = line.outlet.limits.write_time_max;
    loop {
        let message = tokio::select! {
            biased;
            message = outbox.queue.recv() => message,
            () = line.pong.notified() => {
                let pong = Message::Text(Utf8Bytes::from_static("\r\n"));
                match timeout(time_max, sink.send(pong)).await {
                    Err(_) => return End::Expelled("does_not_read"),
                    Ok(Err(error)) => return End::Failed(io::Error::other(error)),
                    Ok(Ok(())) => continue,
                }
            }
        };
        let Some(message) = message else {
            let _ = timeout(time_max, sink.close()).await;
            return End::Closed;
        };
        outbox.current = Some(message.addr);
        match timeout(time_max, sink.send(frame(message.bytes))).await {
            Err(_) => return End::Expelled("does_not_read"),
            Ok(Err(error)) => return End::Failed(io::Error::other(error)),
            Ok(Ok(())) => outbox.current = None,
        }
        Counters::add(&line.outlet.counters.messages_out, 1);
    }
}

/// Text where it is UTF-8, as browsers prefer, else binary (RFC 7118 5.2 allows both).
fn frame(bytes: Bytes) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}
