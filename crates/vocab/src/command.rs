//! What people and programs may ask of the engine. Commands are checked, become events, and are
//! answered with what they made or a [`Refusal`].

use crate::id::*;
use crate::media::{SeatsAsk, Sound};
use crate::model::{Destination, DialTarget, Presence, Snapshot};
use crate::refusal::Refusal;
use crate::web::DeviceAsk;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// On whose behalf a command runs; the API has already checked the permission, the engine checks
/// the tenant and the ownership of what is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    Agent(AgentId),
    User(UserId),
    ApiKey(ApiKeyId),
    /// A program with an OAuth 2 token.
    Client(OAuthClientId),
    /// The phone itself (a REFER, a feature code).
    Phone(PhoneId),
    System,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CommandEnvelope {
    pub id: CommandId,
    pub tenant: TenantId,
    pub actor: Actor,
    pub command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuperviseMode {
    /// Hears all, is heard by nobody.
    Listen,
    /// Heard by the agent alone.
    Whisper,
    /// Heard by all.
    Barge,
}

/// A device a call can be moved to (S1.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Device {
    Phone(PhoneId),
    /// The browser tab in which this agent works.
    Browser(AgentId),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Click to call: rings the agent's phone, then the target.
    Dial {
        agent: AgentId,
        target: DialTarget,
    },
    /// A call placed by a program, led to a destination when answered.
    Originate {
        target: DialTarget,
        destination: Destination,
        #[serde(default)]
        caller: Option<String>,
    },
    HangUp {
        interaction: InteractionId,
    },
    HangUpLeg {
        leg: LegId,
    },
    /// Put the other parties of `leg` on hold (agent's leg), with music.
    Hold {
        leg: LegId,
    },
    Resume {
        leg: LegId,
    },
    Mute {
        leg: LegId,
        muted: bool,
    },
    /// Leave the call and send the other party there.
    BlindTransfer {
        leg: LegId,
        target: Destination,
    },
    /// Hold the other party and ring a third one.
    Consult {
        leg: LegId,
        target: DialTarget,
    },
    /// Attended transfer: connect the held party with the consulted one and leave.
    CompleteTransfer {
        leg: LegId,
    },
    /// All three together.
    Merge {
        leg: LegId,
    },
    /// Drop the consulted party and return.
    CancelConsult {
        leg: LegId,
    },
    /// Move `leg` to another device of the same person (S1.6): it is rung, and only its answer ends
    /// `leg`. `pull`: asked for at that device, which may answer by itself.
    Switch {
        leg: LegId,
        to: Device,
        #[serde(default)]
        pull: bool,
    },
    /// The same, for the leg that the owner of the device has in this interaction.
    SwitchCall {
        interaction: InteractionId,
        to: Device,
    },
    /// Bring the agent's live call to this device; with several calls and no `leg` the reply asks which.
    Fetch {
        agent: AgentId,
        to: Device,
        #[serde(default)]
        leg: Option<LegId>,
    },
    /// The devices an agent's call can be moved to, as a JSON text.
    Devices {
        agent: AgentId,
    },
    /// What is known of the caller from elsewhere (a number lent to a page), told to the call.
    TellContext {
        interaction: InteractionId,
        #[serde(default)]
        subject: Option<String>,
        /// JSON text; data, never interpreted.
        context: String,
    },
    /// Bring another party into the call.
    AddParty {
        interaction: InteractionId,
        target: DialTarget,
    },
    /// Put the other party in a slot where anybody may pick it up.
    Park {
        leg: LegId,
        #[serde(default)]
        slot: Option<String>,
    },
    /// Pick up a parked call on an agent's phone.
    Retrieve {
        slot: String,
        agent: AgentId,
    },
    /// A supervisor's phone joins.
    Supervise {
        interaction: InteractionId,
        agent: AgentId,
        mode: SuperviseMode,
    },
    SetSuperviseMode {
        leg: LegId,
        mode: SuperviseMode,
    },
    /// The supervisor takes the agent's place.
    TakeOver {
        leg: LegId,
    },
    Play {
        leg: LegId,
        sounds: Vec<Sound>,
        #[serde(default)]
        barge_in: bool,
        #[serde(default)]
        mix_with_call: bool,
    },
    StopPlaying {
        leg: LegId,
    },
    SendDigits {
        leg: LegId,
        digits: String,
    },
    /// Where the voices that `leg` hears come from (S3.6).
    Seats {
        leg: LegId,
        seats: SeatsAsk,
    },
    StartRecording {
        interaction: InteractionId,
    },
    PauseRecording {
        interaction: InteractionId,
    },
    ResumeRecording {
        interaction: InteractionId,
    },
    StopRecording {
        interaction: InteractionId,
    },
    /// Move a waiting interaction to another queue, with this priority there (none: 0).
    Requeue {
        interaction: InteractionId,
        queue: QueueId,
        #[serde(default)]
        priority: i32,
    },
    /// What an interaction awaited (`Destination::Await`, a queue's gate) was met or not. Met, it may
    /// be led to another queue than the one it waited for, and with a priority.
    EndAwait {
        interaction: InteractionId,
        met: bool,
        #[serde(default)]
        queue: Option<QueueId>,
        #[serde(default)]
        priority: i32,
    },
    /// Ask the party at `leg` for digits that nobody else hears or sees: its conversation waits on
    /// hold, the recording pauses, and the digits go to the program alone, never into the log.
    Collect {
        leg: LegId,
        sounds: Vec<Sound>,
        digits_max: u8,
        timeout_ms: u64,
    },
    /// A fact that a feature beside the call writes into the interaction's log. Only of the house
    /// itself, and only events of [`crate::Event::is_aside`].
    #[serde(skip)]
    Tell {
        interaction: InteractionId,
        event: Box<crate::Event>,
    },
    SetPriority {
        interaction: InteractionId,
        priority: i32,
    },
    /// The caller of this call abuses it: no name and picture of theirs is shown any more.
    ReportCaller {
        interaction: InteractionId,
    },

    SetPresence {
        agent: AgentId,
        presence: Presence,
    },
    /// The desktop is alive; without one for [`crate::model`]'s lease time the agent counts as gone.
    Heartbeat {
        agent: AgentId,
        session: SessionId,
    },
    /// The desktop signed off.
    EndSession {
        agent: AgentId,
        session: SessionId,
        /// The person signed out; otherwise the page was closed, and a push may still reach them.
        signed_out: bool,
    },
    AcceptOffer {
        offer: OfferId,
    },
    RejectOffer {
        offer: OfferId,
    },
    /// Code and note for the work just done; the timer goes on until finished.
    WrapUp {
        interaction: InteractionId,
        agent: AgentId,
        #[serde(default)]
        code: Option<WrapUpCodeId>,
        #[serde(default)]
        note: Option<String>,
    },
    FinishWrapUp {
        agent: AgentId,
    },
    ExtendWrapUp {
        agent: AgentId,
        by_ms: u64,
    },

    /// A changed configuration, already durable.
    #[serde(skip)]
    Configure {
        snapshot: Arc<Snapshot>,
    },
    /// What a browser that carries calls asks.
    #[serde(skip)]
    Device {
        device: DeviceId,
        ask: Box<DeviceAsk>,
    },
    /// Whether a browser of the agent is told by a push when no tab is open. Of the house itself.
    #[serde(skip)]
    Pushed {
        agent: AgentId,
        on: bool,
    },
    /// Refuse new calls, let running ones end.
    Drain {
        on: bool,
    },
    /// Why an interaction was routed as it was; answered with a JSON text.
    Explain {
        interaction: InteractionId,
    },
    /// What is known of the forwarding of numbers, as a JSON text: one number, or those of the tenant.
    IdentityForwarding {
        #[serde(default)]
        number: Option<String>,
    },
    /// Forgets what is kept in memory of these numbers: their identities, and how often they forward.
    IdentityForget {
        numbers: Vec<crate::Pii<String>>,
    },
    /// SIP sources that are banned; answered with a JSON text.
    Bans,
    /// Bans a SIP source for so long; 0 takes a ban back.
    Ban {
        address: std::net::IpAddr,
        seconds: u64,
    },
    /// Calls and money of outgoing calls now; answered with a JSON text.
    OutboundUsage,
    /// Live state as a JSON text: agents, queues, interactions of the tenant.
    Live,
}

/// What an accepted command made. Ids are there when they apply.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CommandReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<InteractionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Answers of `Explain` and `Live`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<serde_json::Value>,
}

pub type CommandResult = Result<CommandReply, Refusal>;
