//! A desktop's tab as a phone: the media messages of its one socket.

use super::message::{self, Bad, Say};
use super::{code_of, ice};
use crate::problem::Problem;
use crate::state::ApiState;
use cp_vocab::command::{Actor, CommandReply};
use cp_vocab::web::{DeviceAsk, RESUME_MS, Signal};
use cp_vocab::{AgentId, Command, DeviceId, LegId, TenantId};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The device of one socket.
pub(crate) struct Desk {
    state: ApiState,
    tenant: TenantId,
    agent: AgentId,
    device: DeviceId,
    /// From the first media message on.
    signals: Option<mpsc::Receiver<Signal>>,
}

impl Desk {
    pub(crate) fn new(state: ApiState, tenant: TenantId, agent: AgentId) -> Self {
        Self {
            device: state.new_id(),
            state,
            tenant,
            agent,
            signals: None,
        }
    }

    /// The next thing to tell the browser; never while nothing was asked. `None`: it did not take
    /// what it was told, and is cut.
    pub(crate) async fn signal(&mut self) -> Option<Value> {
        match &mut self.signals {
            Some(signals) => {
                let signal = signals.recv().await?;
                Some(serde_json::to_value(signal).expect("a signal is plain data"))
            }
            None => std::future::pending().await,
        }
    }

    /// Whether a text is for this part of the socket.
    pub(crate) fn takes(value: &Value) -> bool {
        message::is_media(value)
    }

    /// Answers one message; `None` when there is nothing to say.
    pub(crate) async fn hear(&mut self, value: Value) -> Option<Value> {
        let message = match message::read(value) {
            Ok(m) => m,
            Err(bad) => return Some(refused(bad, None)),
        };
        if self.signals.is_none() {
            self.signals = Some(self.state.signals(self.device));
        }
        let (reference, say) = (message.reference, message.say);
        let leg = say.leg();
        let silent = matches!(say, Say::Candidate { .. });
        match self.carry_out(say).await {
            Ok(_) if silent => None,
            Ok(mut reply) => {
                reply["ref"] = json!(reference);
                Some(reply)
            }
            Err(problem) => {
                let bad = Bad {
                    reference,
                    code: code_of(&problem),
                    detail: problem.detail,
                };
                Some(refused(bad, leg))
            }
        }
    }

    async fn carry_out(&self, say: Say) -> Result<Value, Problem> {
        let agent = self.agent;
        let ok = json!({ "media": "ok" });
        match say {
            Say::Attach { legs: carries } => {
                let done = self.ask(DeviceAsk::Attach { agent, carries }).await?;
                Ok(self.attached(done))
            }
            Say::Detach => self.ask(DeviceAsk::Detach { agent }).await.map(|_| ok),
            Say::Call { to, sdp, .. } => {
                let ask = message::call_of(agent, to, sdp)
                    .map_err(|e| Problem::new(cp_vocab::Code::BadRequest, e))?;
                let done = self.ask(ask).await?;
                Ok(calling(&done))
            }
            Say::Mute { leg, on } => {
                let mute = Command::Mute { leg, muted: on };
                self.command(mute).await.map(|_| ok)
            }
            Say::Hold { leg, on } => {
                let hold = if on {
                    Command::Hold { leg }
                } else {
                    Command::Resume { leg }
                };
                self.command(hold).await.map(|_| ok)
            }
            other => match other.into_ask() {
                Some(ask) => self.ask(ask).await.map(|_| ok),
                None => Ok(ok),
            },
        }
    }

    fn attached(&self, done: CommandReply) -> Value {
        let document = done.document.unwrap_or_default();
        let settings = &self.state.0.settings.webrtc;
        let who = self.device.to_string();
        json!({
            "media": "attached", "device": self.device,
            "ice_servers": ice::servers(settings, self.state.now(), &who),
            "resume_ms": RESUME_MS,
            "legs": document["legs"], "lost": document["lost"],
        })
    }

    async fn ask(&self, ask: DeviceAsk) -> Result<CommandReply, Problem> {
        self.command(Command::Device {
            device: self.device,
            ask: Box::new(ask),
        })
        .await
    }

    async fn command(&self, command: Command) -> Result<CommandReply, Problem> {
        let actor = Actor::Agent(self.agent);
        self.state.command(self.tenant, actor, command).await
    }

    /// The socket is gone.
    pub(crate) async fn leave(self) {
        if self.signals.is_some() {
            // The engine's own timers end what this does not reach.
            let _ = self.ask(DeviceAsk::Gone).await;
        }
    }
}

pub(super) fn calling(done: &CommandReply) -> Value {
    json!({ "media": "calling", "leg": done.leg, "interaction": done.interaction })
}

pub(super) fn refused(bad: Bad, leg: Option<LegId>) -> Value {
    json!({
        "media": "error", "ref": bad.reference, "leg": leg,
        "code": bad.code, "detail": bad.detail,
    })
}
