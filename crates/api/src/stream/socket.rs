//! `GET /v1/events`: one WebSocket of a desktop or a program.
//!
//! What is sent is read in the order of the log from a cursor on; nothing is kept for a slow
//! reader: when it falls behind the ring, the log is read again from where it is. Cut sockets
//! resume with `?cursor=` of the last event (or heartbeat) they saw.

use super::fanout::{Committed, READ_RECORDS};
use super::scope::{Scope, Verdict};
use crate::auth::gate::admit;
use crate::auth::permission::Permission;
use crate::auth::{Caller, Principal};
use crate::extract::Query;
use crate::http::serve::closed;
use crate::involvement::involves;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use crate::webrtc::Desk;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use cp_vocab::command::Actor;
use cp_vocab::{AgentId, Code, Command, SessionId};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

/// Open sockets at a time; one more is answered 503.
pub(crate) const SOCKETS_MAX: usize = 10_000;
/// Sockets of one session (tabs); one more is answered 429.
pub(crate) const SOCKETS_OF_SESSION_MAX: usize = 16;
/// The client says this often that it is there.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
/// Without a word for this long the socket is closed, and the agent counts as gone.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(20);
/// A reader that takes no frame for this long is cut; it resumes by cursor.
pub(crate) const SEND_TIME_MAX: Duration = Duration::from_secs(10);
/// After a cut, a desktop has this long to come back (reload, other network) before its session
/// counts as gone.
pub(crate) const RETURN_TIME_MAX: Duration = Duration::from_secs(3);
/// The right to listen is looked at again this often.
pub(crate) const RECHECK_EVERY: Duration = Duration::from_secs(30);
/// Longest message of a client; longer ones close the socket.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages of a client between two looks at its rights; more close the socket.
const MESSAGES_MAX: u32 = 300;
/// Events written before the socket is flushed.
const BATCH_EVENTS: usize = 64;

const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const SIGNED_OUT: u16 = 4401;
const SILENT: u16 = 4408;

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::get("/v1/events", "events", "Events", "Follow events (WebSocket)")
            .describe(
                "Sends CloudEvents as text frames, each with the `cursor` to resume after it, and control frames \
                 (`{\"control\":\"hello\"|\"heartbeat\", \"cursor\":…}`). Send `{\"control\":\"heartbeat\"}` every \
                 `heartbeat_ms` of the hello. Without events:read only what concerns you is sent.",
            )
            .needs(&[Permission::EventsRead, Permission::EventsReadOwn])
            .query("cursor", json!({ "type": "string", "maxLength": 32 }), "Resume after this; without it, from now on.")
            .content(101, "application/json", "Switching to a WebSocket"),
        open,
    );
}

async fn open(
    State(state): State<ApiState>,
    caller: Caller,
    query: Query,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Reply {
    let cursor = query.parse("cursor", "a cursor of this stream", |v| {
        v.parse::<u64>().ok()
    });
    query.finish()?;
    let upgrade = upgrade.map_err(|_| Problem::new(Code::BadRequest, "this is a WebSocket"))?;
    refuse_foreign_origin(&state, &headers)?;
    if state.0.meters.sockets.get() >= SOCKETS_MAX {
        return Err(Problem::new(Code::Overload, "too many sockets are open").retry_after_s(5));
    }
    if let Principal::User { session, .. } = caller.principal
        && state.0.leases.sockets_of(session) >= SOCKETS_OF_SESSION_MAX
    {
        return Err(Problem::new(
            Code::TooManyRequests,
            "too many tabs are open",
        ));
    }
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    let response: Response = upgrade.on_upgrade(move |socket| async move {
        let meters = state.clone();
        let Some(_inside) = meters.0.meters.sockets.enter(SOCKETS_MAX) else {
            return;
        };
        let credential = credential(&headers);
        run(state, caller, credential, cursor, socket).await;
    });
    Ok(response)
}

/// Browsers let any page open a socket to anywhere and send the cookie along; the origin tells.
fn refuse_foreign_origin(state: &ApiState, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &header::HeaderValue| v.to_str().ok())
    };
    let Some(origin) = text(header::ORIGIN) else {
        return Ok(());
    };
    if own_origin(state, headers, origin) {
        return Ok(());
    }
    let detail = "sockets of pages from another origin are not taken";
    Err(Problem::new(Code::Forbidden, detail))
}

/// Whether an origin is ours: that of the request's host, or one of the settings.
pub(crate) fn own_origin(state: &ApiState, headers: &HeaderMap, origin: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok());
    let of_origin = origin.split_once("://").map_or(origin, |(_, h)| h);
    let allowed = &state.0.settings.origins;
    of_origin.eq_ignore_ascii_case(host.unwrap_or("")) || allowed.iter().any(|a| a == origin)
}

/// What proves the caller again later.
fn credential(headers: &HeaderMap) -> HeaderMap {
    let kept = [header::AUTHORIZATION, header::COOKIE];
    let pairs = kept.iter().flat_map(|n| {
        headers
            .get_all(n)
            .iter()
            .map(move |v| (n.clone(), v.clone()))
    });
    pairs.collect()
}

/// Why a socket ends, as its close frame says it. `None`: the client went away.
type End = Option<(u16, &'static str)>;

async fn run(
    state: ApiState,
    caller: Caller,
    credential: HeaderMap,
    cursor: Option<u64>,
    socket: WebSocket,
) {
    let desktop = match (caller.principal, caller.agent) {
        (Principal::User { session, .. }, Some(agent)) => Some((agent, session)),
        _ => None,
    };
    if let Some((_, session)) = desktop {
        state.0.leases.open(session);
    }
    let (sink, stream) = socket.split();
    let desk = desktop.map(|(agent, _)| Desk::new(state.clone(), caller.tenant, agent));
    let mut talk = Talk {
        state: state.clone(),
        desk,
        scope: Scope::new(&caller, None),
        caller,
        credential,
        sink,
        cursor: cursor.unwrap_or(0),
        desktop,
        messages: 0,
        heard: Instant::now(),
    };
    let end = talk.converse(cursor.is_some(), stream).await;
    if let Some((code, reason)) = end {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let _ =
            tokio::time::timeout(SEND_TIME_MAX, talk.sink.send(Message::Close(Some(frame)))).await;
    }
    if let Some((agent, session)) = desktop {
        let caller = talk.caller.clone();
        let desk = talk.desk.take();
        drop(talk);
        if let Some(desk) = desk {
            desk.leave().await;
        }
        leave(state, caller, agent, session).await;
    }
}

/// The desktop's socket is gone; its session too unless another socket opens soon.
async fn leave(state: ApiState, caller: Caller, agent: AgentId, session: SessionId) {
    let Some(mark) = state.0.leases.close(session) else {
        return;
    };
    let mut closing = state.0.fanout.closing();
    tokio::select! {
        () = tokio::time::sleep(RETURN_TIME_MAX) => {}
        () = closed(&mut closing) => {}
    }
    if state.0.leases.gone(session, mark) {
        let end = Command::EndSession {
            agent,
            session,
            signed_out: false,
        };
        // The lease runs out by itself when this does not get through.
        let _ = state.command(caller.tenant, Actor::Agent(agent), end).await;
    }
}

struct Talk {
    state: ApiState,
    caller: Caller,
    credential: HeaderMap,
    scope: Scope,
    sink: SplitSink<WebSocket, Message>,
    /// Everything up to here was sent or was not for this socket.
    cursor: u64,
    desktop: Option<(AgentId, SessionId)>,
    /// The tab as a phone.
    desk: Option<Desk>,
    messages: u32,
    heard: Instant,
}

impl Talk {
    async fn converse(&mut self, resume: bool, mut stream: SplitStream<WebSocket>) -> End {
        match self.begin(resume).await {
            Ok(ring) => self.attend(ring, &mut stream).await.err().flatten(),
            Err(end) => end,
        }
    }

    /// Greets and catches up with the log.
    async fn begin(&mut self, resume: bool) -> Result<broadcast::Receiver<Arc<Committed>>, End> {
        const FAILED: End = Some((1011, "the log cannot be read at the moment"));
        let phone = self.own_phone().await;
        self.scope = Scope::new(&self.caller, phone);
        let fanout = &self.state.clone().0.fanout;
        let ring = fanout.subscribe(&self.state).await.map_err(|_| FAILED)?;
        let head = self.state.store(|s| s.head()).await.map_err(|_| FAILED)?;
        // A cursor from before the database was replaced would wait for ever.
        if !resume || self.cursor > head {
            self.cursor = head;
        }
        self.lease().await;
        let hello = json!({
            "control": "hello", "cursor": self.cursor.to_string(),
            "heartbeat_ms": HEARTBEAT_EVERY.as_millis() as u64,
            "silence_ms_max": SILENCE_MAX.as_millis() as u64,
        });
        self.say(&hello).await?;
        self.catch_up().await?;
        Ok(ring)
    }

    async fn own_phone(&self) -> Option<cp_vocab::PhoneId> {
        let agent = self.caller.agent?;
        let snapshot = self.state.snapshot().await.ok()?;
        snapshot.agents.iter().find(|a| a.id == agent)?.phone
    }

    /// Until either side ends it; always an `Err` with the end.
    async fn attend(
        &mut self,
        mut ring: broadcast::Receiver<Arc<Committed>>,
        stream: &mut SplitStream<WebSocket>,
    ) -> Result<(), End> {
        let mut closing = self.state.0.fanout.closing();
        let mut recheck = tokio::time::interval_at(Instant::now() + RECHECK_EVERY, RECHECK_EVERY);
        loop {
            tokio::select! {
                () = closed(&mut closing) => return Err(Some((GOING_AWAY, "the node goes down; connect again"))),
                () = tokio::time::sleep_until(self.heard + SILENCE_MAX) => return Err(Some((SILENT, "no heartbeat"))),
                _ = recheck.tick() => self.recheck().await?,
                message = stream.next() => self.hear(message).await?,
                signal = signal_of(&mut self.desk) => {
                    let Some(signal) = signal else { return Err(Some((1011, "the signals were not taken"))) };
                    self.say(&signal).await?;
                }
                first = ring.recv() => self.take(first, &mut ring).await?,
            }
        }
    }

    /// Sends what the ring has, in one flush.
    async fn take(
        &mut self,
        first: Result<Arc<Committed>, RecvError>,
        ring: &mut broadcast::Receiver<Arc<Committed>>,
    ) -> Result<(), End> {
        let mut next = match first {
            Ok(c) => Ok(c),
            Err(RecvError::Lagged(n)) => Err(TryRecvError::Lagged(n)),
            Err(RecvError::Closed) => return Err(Some((GOING_AWAY, "the node goes down"))),
        };
        for taken in 1..=BATCH_EVENTS {
            match next {
                // The ring follows the log without gaps; an older one was caught up with already.
                Ok(c) if c.cursor <= self.cursor => {}
                Ok(c) => self.pass(&c).await?,
                Err(TryRecvError::Lagged(_)) => self.catch_up().await?,
                Err(_) => break,
            }
            if taken == BATCH_EVENTS {
                break;
            }
            next = ring.try_recv();
        }
        self.flush().await
    }

    /// Reads the log from the cursor to its head.
    async fn catch_up(&mut self) -> Result<(), End> {
        self.state.0.meters.socket_reads_behind.add(1);
        loop {
            let cursor = self.cursor;
            let read = self
                .state
                .store(move |s| s.follow(cursor, READ_RECORDS))
                .await;
            let records = read.map_err(|_| Some((1011, "the log cannot be read at the moment")))?;
            let full = records.len() == READ_RECORDS;
            for (at, record) in records {
                self.pass(&Committed::new(at, record)).await?;
            }
            self.flush().await?;
            if !full {
                return Ok(());
            }
        }
    }

    /// Writes one event if it is for this socket.
    async fn pass(&mut self, committed: &Committed) -> Result<(), End> {
        let verdict = match self.scope.judge(&committed.record) {
            Verdict::LookUp(id, agent) => {
                let found = self.state.store(move |s| involves(s, agent, id)).await;
                self.scope.learn(id, found.unwrap_or(false));
                self.scope.judge(&committed.record)
            }
            verdict => verdict,
        };
        if verdict == Verdict::Send {
            let message = Message::text(committed.text());
            timely(self.sink.feed(message)).await?;
        }
        self.cursor = committed.cursor;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        timely(self.sink.flush()).await
    }

    async fn say(&mut self, value: &Value) -> Result<(), End> {
        timely(self.sink.send(Message::text(value.to_string()))).await
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let Some(Ok(message)) = message else {
            return Err(None);
        };
        self.heard = Instant::now();
        self.messages += 1;
        if self.messages > MESSAGES_MAX {
            return Err(Some((POLICY, "too many messages")));
        }
        match message {
            Message::Text(text) => self.hear_text(&text).await,
            Message::Close(_) => Err(None),
            Message::Binary(_) => Err(Some((POLICY, "text only"))),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn hear_text(&mut self, text: &str) -> Result<(), End> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        if value.get("control").and_then(Value::as_str) == Some("heartbeat") {
            return self.heartbeat().await;
        }
        match &mut self.desk {
            Some(desk) if Desk::takes(&value) => match desk.hear(value).await {
                Some(reply) => self.say(&reply).await,
                None => Ok(()),
            },
            _ => Err(Some((
                POLICY,
                "only heartbeats and media messages of agents are heard here",
            ))),
        }
    }

    async fn heartbeat(&mut self) -> Result<(), End> {
        self.lease().await;
        let at = self.state.now().to_rfc3339();
        let beat = json!({ "control": "heartbeat", "cursor": self.cursor.to_string(), "at": at });
        self.say(&beat).await
    }

    /// Renews the desktop's lease with the engine.
    async fn lease(&self) {
        if let Some((agent, session)) = self.desktop {
            let beat = Command::Heartbeat { agent, session };
            let _ = self
                .state
                .command(self.caller.tenant, Actor::Agent(agent), beat)
                .await;
        }
    }

    /// Whether the caller may still listen, and to what.
    async fn recheck(&mut self) -> Result<(), End> {
        self.messages = 0;
        let caller = match admit(&self.state, &Method::GET, &self.credential).await {
            Ok(caller) => caller,
            Err(p) if p.code == Code::Unauthenticated => {
                return Err(Some((SIGNED_OUT, "signed out")));
            }
            // A store that fails for a moment signs nobody out.
            Err(_) => return Ok(()),
        };
        if !caller
            .permissions
            .has_any(&[Permission::EventsRead, Permission::EventsReadOwn])
        {
            return Err(Some((SIGNED_OUT, "not allowed any more")));
        }
        if caller.permissions != self.caller.permissions || caller.agent != self.caller.agent {
            self.caller = caller;
            let phone = self.own_phone().await;
            self.scope = Scope::new(&self.caller, phone);
        }
        Ok(())
    }
}

/// A send that does not wait for ever for a reader.
async fn timely(send: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match tokio::time::timeout(SEND_TIME_MAX, send).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(None),
    }
}

async fn signal_of(desk: &mut Option<Desk>) -> Option<Value> {
    match desk {
        Some(desk) => desk.signal().await,
        None => std::future::pending().await,
    }
}
