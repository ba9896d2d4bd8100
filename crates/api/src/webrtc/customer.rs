//! `GET /v1/customer/call`: the socket of a page without an account. It may start the one call its
//! token names, or take that call up again after a reload.

use super::desk::{calling, refused};
use super::message::{self, Bad, Say};
use super::token::{self, CallClaims, Resume};
use super::{code_of, ice};
use crate::extract::Query;
use crate::http::serve::closed;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use crate::stream::socket::{HEARTBEAT_EVERY, SEND_TIME_MAX, SILENCE_MAX, own_origin};
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use cp_vocab::command::Actor;
use cp_vocab::web::{CONTEXT_BYTES_MAX, CustomerCall, DeviceAsk, RESUME_MS, Signal};
use cp_vocab::{Code, Command, CommandReply, DeviceId, LegId, TenantId};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Sockets of customers at a time; one more is answered 503.
const SOCKETS_MAX: usize = 2_000;
/// A socket that starts no call is closed after this long.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Longest message; longer ones close the socket.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages in a minute; more close the socket.
const MESSAGES_MAX: u32 = 300;
const NAME_CHARS_MAX: usize = 64;

const POLICY: u16 = 1008;
const GOING_AWAY: u16 = 1001;
const SILENT: u16 = 4408;

pub(super) fn add(api: &mut Api) {
    let text = json!({ "type": "string", "maxLength": 4_000 });
    api.add(
        operation::get(
            "/v1/customer/call",
            "customerCall",
            "Calls",
            "Call from a page without an account (WebSocket)",
        )
        .describe("The messages are described in docs/webrtc.md.")
        .open()
        .query("token", text.clone(), "A call token.")
        .query(
            "resume",
            text,
            "Instead: the `resume` of a call that goes on.",
        )
        .content(101, "application/json", "Switching to a WebSocket"),
        open,
    );
}

/// What the socket may do.
enum Right {
    Call {
        claims: Box<CallClaims>,
        serial: String,
        expires_s: u64,
    },
    Resume(Resume),
}

impl Right {
    fn tenant(&self) -> TenantId {
        match self {
            Self::Call { claims, .. } => claims.tenant,
            Self::Resume(r) => r.tenant,
        }
    }
    fn origins(&self) -> &[String] {
        match self {
            Self::Call { claims, .. } => &claims.origins,
            Self::Resume(r) => &r.origins,
        }
    }
    fn video(&self) -> bool {
        match self {
            Self::Call { claims, .. } => claims.video,
            Self::Resume(r) => r.video,
        }
    }
}

async fn open(
    State(state): State<ApiState>,
    query: Query,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Reply {
    let right = right_of(&state, &query)?;
    check_origin(&state, &headers, right.origins())?;
    let upgrade = upgrade.map_err(|_| Problem::new(Code::BadRequest, "this is a WebSocket"))?;
    if state.0.meters.customer_sockets.get() >= SOCKETS_MAX {
        let detail = "too many calls are open";
        return Err(Problem::new(Code::Overload, detail).retry_after_s(5));
    }
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    let response: Response = upgrade.on_upgrade(move |socket| async move {
        let meters = state.clone();
        let Some(_inside) = meters.0.meters.customer_sockets.enter(SOCKETS_MAX) else {
            return;
        };
        let device = state.new_id();
        let talk = Talk {
            signals: state.signals(device),
            device,
            tenant: right.tenant(),
            right,
            state,
            socket,
            leg: None,
            messages: 0,
        };
        talk.run().await;
    });
    Ok(response)
}

fn right_of(state: &ApiState, query: &Query) -> Result<Right, Problem> {
    let settings = &state.0.settings.webrtc;
    let now = state.now();
    if let Some(text) = query.text("resume") {
        let (resume, _, _) = token::verify(settings, "resume", &text, now)?;
        return Ok(Right::Resume(resume));
    }
    let Some(text) = query.text("token") else {
        let detail = "a call token is needed";
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    let (claims, serial, expires_s) = token::verify::<CallClaims>(settings, "call", &text, now)?;
    if state.0.spent.is_spent(&serial) {
        let detail = "the call token was used already; load the page again";
        return Err(Problem::new(Code::Unauthenticated, detail));
    }
    Ok(Right::Call {
        claims: Box::new(claims),
        serial,
        expires_s,
    })
}

/// A token taken from one page must not work on another.
fn check_origin(state: &ApiState, headers: &HeaderMap, origins: &[String]) -> Result<(), Problem> {
    let origin = headers.get(header::ORIGIN).and_then(|v| v.to_str().ok());
    let fits = match origin {
        // Programs send none, and they could send any.
        None => true,
        Some(o) if origins.is_empty() => own_origin(state, headers, o),
        Some(o) => origins.iter().any(|a| a.eq_ignore_ascii_case(o)),
    };
    if fits {
        return Ok(());
    }
    let detail = "this call token is not for pages of this origin";
    Err(Problem::new(Code::Forbidden, detail))
}

struct Talk {
    state: ApiState,
    tenant: TenantId,
    right: Right,
    device: DeviceId,
    signals: mpsc::Receiver<Signal>,
    socket: WebSocket,
    leg: Option<LegId>,
    messages: u32,
}

/// Why the socket ends; `None`: the client went away, or the call is over.
type End = Option<(u16, &'static str)>;

impl Talk {
    async fn run(mut self) {
        let end = self.converse().await.err().flatten();
        let frame = end.map(|(code, reason)| CloseFrame {
            code,
            reason: reason.into(),
        });
        let close = self.socket.send(Message::Close(frame));
        let _ = tokio::time::timeout(SEND_TIME_MAX, close).await;
        // The engine keeps the call for a while in case the page comes back.
        let _ = self.ask(DeviceAsk::Gone).await;
    }

    async fn converse(&mut self) -> Result<(), End> {
        let resumed = match &self.right {
            Right::Resume(r) => Some(r.leg),
            Right::Call { .. } => None,
        };
        if let Some(leg) = resumed {
            match self.ask(DeviceAsk::Resume { leg }).await {
                Ok(_) => self.leg = Some(leg),
                Err(problem) => {
                    let bad = bad_of(None, &problem);
                    self.say(refused(bad, Some(leg))).await?;
                    return Err(None);
                }
            }
        }
        self.greet().await?;
        let mut closing = self.state.0.fanout.closing();
        let mut heard = Instant::now();
        let started = heard;
        let mut minute = tokio::time::interval(Duration::from_secs(60));
        loop {
            let limit = match self.leg {
                Some(_) => heard + SILENCE_MAX,
                None => started + IDLE_MAX,
            };
            tokio::select! {
                () = closed(&mut closing) => return Err(Some((GOING_AWAY, "the node goes down; connect again"))),
                () = tokio::time::sleep_until(limit) => return Err(Some((SILENT, "no heartbeat, or no call"))),
                _ = minute.tick() => self.messages = 0,
                signal = self.signals.recv() => {
                    let Some(signal) = signal else { return Err(Some((1011, "too slow"))) };
                    self.pass(signal).await?;
                }
                message = self.socket.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.hear(&text).await?,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        _ => return Err(None),
                    }
                }
            }
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        let who = self.device.to_string();
        let servers = ice::servers(&self.state.0.settings.webrtc, self.state.now(), &who);
        let hello = json!({
            "media": "hello", "ice_servers": servers, "resume_ms": RESUME_MS,
            "context_bytes_max": CONTEXT_BYTES_MAX, "video": self.right.video(), "leg": self.leg,
            "heartbeat_ms": HEARTBEAT_EVERY.as_millis() as u64,
            "silence_ms_max": SILENCE_MAX.as_millis() as u64,
        });
        self.say(hello).await
    }

    async fn pass(&mut self, signal: Signal) -> Result<(), End> {
        let over = matches!(signal, Signal::Ended { .. } | Signal::Replaced);
        let value = serde_json::to_value(signal).expect("a signal is plain data");
        self.say(value).await?;
        if over { Err(None) } else { Ok(()) }
    }

    async fn hear(&mut self, text: &str) -> Result<(), End> {
        self.messages += 1;
        if self.messages > MESSAGES_MAX {
            return Err(Some((POLICY, "too many messages")));
        }
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        if value.get("control").and_then(Value::as_str) == Some("heartbeat") {
            let at = self.state.now().to_rfc3339();
            return self.say(json!({ "control": "heartbeat", "at": at })).await;
        }
        let message = match message::read(value) {
            Ok(m) => m,
            Err(bad) => return self.say(refused(bad, self.leg)).await,
        };
        let reference = message.reference;
        let silent = matches!(message.say, Say::Candidate { .. });
        let leg = message.say.leg();
        match self.carry_out(message.say).await {
            Ok(_) if silent => Ok(()),
            Ok(mut reply) => {
                reply["ref"] = json!(reference);
                self.say(reply).await
            }
            Err(mut bad) => {
                bad.reference = reference;
                self.say(refused(bad, leg)).await
            }
        }
    }

    async fn carry_out(&mut self, say: Say) -> Result<Value, Bad> {
        let not_here = || Bad {
            reference: None,
            code: "bad_message",
            detail: "this message is for desktops".into(),
        };
        match say {
            Say::Call {
                sdp, context, name, ..
            } => self.call(sdp, context, name).await,
            other => {
                let known = other.leg().is_some() && other.leg() == self.leg;
                if !known {
                    return Err(Bad {
                        reference: None,
                        code: "no_such_leg",
                        detail: "this page has no such call".into(),
                    });
                }
                let ask = other.into_ask().ok_or_else(not_here)?;
                let done = self.ask(ask).await;
                done.map(|_| json!({ "media": "ok" }))
                    .map_err(|p| bad_of(None, &p))
            }
        }
    }

    async fn call(
        &mut self,
        sdp: String,
        context: Option<Value>,
        name: Option<String>,
    ) -> Result<Value, Bad> {
        let bad = |code, detail: &str| Bad {
            reference: None,
            code,
            detail: detail.into(),
        };
        let Right::Call {
            claims,
            serial,
            expires_s,
        } = &self.right
        else {
            return Err(bad("wrong_state", "this socket takes up a call"));
        };
        if self.leg.is_some() {
            return Err(bad("wrong_state", "the call has begun"));
        }
        let context = context.filter(|c| !c.is_null());
        if context.as_ref().is_some_and(|c| !c.is_object()) {
            return Err(bad("context_malformed", "context is a JSON object"));
        }
        let context = context.map(|c| c.to_string());
        if context
            .as_ref()
            .is_some_and(|c| c.len() > CONTEXT_BYTES_MAX)
        {
            let detail = format!("context has at most {CONTEXT_BYTES_MAX} bytes");
            return Err(bad("context_too_large", &detail));
        }
        let plain = |n: String| -> String {
            let shown = n.chars().filter(|c| !c.is_control());
            shown.take(NAME_CHARS_MAX).collect()
        };
        let (serial, expires_s) = (serial.clone(), *expires_s);
        let claims = claims.clone();
        if !self
            .state
            .0
            .spent
            .spend(serial, expires_s, self.state.now())
        {
            return Err(bad("unauthenticated", "the call token was used already"));
        }
        let call = CustomerCall {
            destination: claims.destination,
            name: name.map(plain).or(claims.name),
            subject: claims.subject,
            context,
            sdp,
        };
        let done = self.ask(DeviceAsk::CustomerCall(Box::new(call))).await;
        let done = done.map_err(|p| bad_of(None, &p))?;
        self.leg = done.leg;
        let mut reply = calling(&done);
        if let Some(leg) = done.leg {
            let resume = Resume {
                tenant: self.tenant,
                leg,
                origins: claims.origins,
                video: claims.video,
            };
            reply["resume"] = json!(token::resume_of(&self.state, resume));
        }
        Ok(reply)
    }

    async fn ask(&mut self, ask: DeviceAsk) -> Result<CommandReply, Problem> {
        let command = Command::Device {
            device: self.device,
            ask: Box::new(ask),
        };
        self.state
            .command(self.tenant, Actor::System, command)
            .await
    }

    async fn say(&mut self, value: Value) -> Result<(), End> {
        let send = self.socket.send(Message::text(value.to_string()));
        match tokio::time::timeout(SEND_TIME_MAX, send).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(None),
        }
    }
}

fn bad_of(reference: Option<String>, problem: &Problem) -> Bad {
    Bad {
        reference,
        code: code_of(problem),
        detail: problem.detail.clone(),
    }
}
