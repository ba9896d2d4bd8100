//! The closed set of what goes into an interaction and what comes out.

use crate::directory::Resolved;
use cp_vocab::command::{Actor, Command, CommandResult};
use cp_vocab::event::{Direction, Endpoint, OfferEnd, QueueExit};
use cp_vocab::media::MediaCommand;
use cp_vocab::model::{Destination, SkillLevel};
use cp_vocab::*;

/// What the protocol layer tells about a leg.
#[derive(Clone, PartialEq, Debug)]
pub enum LegEvent {
    /// An outgoing leg rings; `early_media`: its audio already flows.
    Ringing {
        early_media: bool,
        /// As in `Answered`.
        dialog: Option<String>,
    },
    Answered {
        codec: Option<String>,
        secure: bool,
        dialog: Option<String>,
    },
    Held,
    Resumed,
    Digit(char),
    /// The phone asked to be transferred (REFER) to a dialled target.
    Referred {
        to: String,
    },
    /// The phone asked to connect this call with its other call, leg `other` of interaction `interaction`.
    ReferredToLeg {
        interaction: InteractionId,
        other: LegId,
    },
    Ended {
        reason: EndReason,
        detail: Option<String>,
    },
}

/// What the protocol layer is to do with a leg.
#[derive(Clone, PartialEq, Debug)]
pub enum LegCommand {
    /// Start an outgoing leg. `caller` is shown to the far end.
    Dial {
        to: Resolved,
        caller: Address,
        caller_name: Option<String>,
        ring_ms_max: u64,
        auto_answer: bool,
    },
    /// Tell the caller that it rings; with `early_media` its audio path opens now.
    Ring {
        early_media: bool,
    },
    Answer,
    /// End it: before answer as the final status of `reason`, afterwards by BYE; `reject_status` overrides the status.
    End {
        reason: EndReason,
        reject_status: Option<u16>,
    },
    /// Progress of a transfer the phone asked for (SIP status of the new leg).
    ReferProgress {
        status: u16,
    },
    /// Ring again so that the phone answers by itself (the agent accepted on the desktop).
    AutoAnswer,
}

/// What the routing tells.
#[derive(Clone, PartialEq, Debug)]
pub enum RouteEvent {
    Queued {
        queue: QueueId,
        priority: i32,
        position: u32,
        wait_estimate_ms: Option<u64>,
    },
    Announce {
        queue: QueueId,
        position: u32,
        wait_estimate_ms: Option<u64>,
    },
    Offer {
        offer: OfferId,
        agent: AgentId,
        queue: Option<QueueId>,
        deadline: Timestamp,
        explain: String,
    },
    OfferEnded {
        offer: OfferId,
        agent: AgentId,
        how: OfferEnd,
    },
    /// Waited too long, or refused at the door.
    Overflow {
        queue: QueueId,
        to: Option<Destination>,
        why: QueueExit,
    },
    WrapUpStarted {
        agent: AgentId,
        until: Timestamp,
    },
    WrapUpEnded {
        agent: AgentId,
        timed_out: bool,
    },
}

/// What an interaction asks of the routing.
#[derive(Clone, PartialEq, Debug)]
pub enum RouteAsk {
    Enqueue {
        queue: QueueId,
        priority: i32,
        skills: Vec<SkillLevel>,
        since: Timestamp,
    },
    Remove {
        exit: QueueExit,
    },
    SetPriority {
        priority: i32,
    },
    Accepted {
        offer: OfferId,
    },
    Rejected {
        offer: OfferId,
    },
    Unreachable {
        offer: OfferId,
    },
    /// A call outside queues keeps this agent busy; `queue`: the one the call was answered from before.
    Occupy {
        agent: AgentId,
        queue: Option<QueueId>,
    },
    WorkEnded {
        agent: AgentId,
        wrap_up: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum TimerKind {
    MenuDigit,
    ParkReturn,
    /// A refused caller is let go after the announcement, at the latest now.
    Farewell,
    /// What is awaited did not come.
    Await,
    /// No more digits came.
    Collect,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// A call came in.
    Incoming {
        leg: LegId,
        endpoint: Endpoint,
        agent: Option<AgentId>,
        from: Address,
        from_name: Option<String>,
        to: Address,
        number: Option<NumberId>,
        call_id: String,
        plan: Destination,
        /// Dialled by one of the tenant's own phones.
        internal: bool,
    },
    /// A call is to be placed: the agent's phone first, then the target.
    Dial {
        agent: AgentId,
        target: cp_vocab::model::DialTarget,
        command: CommandId,
    },
    /// A call is to be placed by a program and led to `plan` when answered.
    Originate {
        target: cp_vocab::model::DialTarget,
        plan: Destination,
        caller: Option<String>,
        command: CommandId,
    },
    Leg(LegId, LegEvent),
    Route(RouteEvent),
    Command {
        id: CommandId,
        actor: Actor,
        command: Command,
    },
    PlaybackEnded {
        leg: LegId,
        playback: PlaybackId,
        interrupted: bool,
    },
    RecordingEnded {
        recording: RecordingId,
        duration_ms: u64,
        error: Option<String>,
    },
    Quality {
        leg: LegId,
        quality: cp_vocab::media::Quality,
    },
    Timer(TimerKind),
    /// A phone picks up: this incoming leg takes the place of `old` (INVITE with Replaces), or the parked party's other end when `old` is the parked leg.
    Replace {
        old: LegId,
        leg: LegId,
        endpoint: Endpoint,
        agent: Option<AgentId>,
        address: Address,
        call_id: String,
    },
    /// A device of the same person calls in to take over leg `old` (S1.6, pull).
    SwitchIn {
        old: LegId,
        leg: LegId,
        endpoint: Endpoint,
        agent: Option<AgentId>,
        address: Address,
        call_id: String,
    },
    /// A leg arrives from another interaction and takes the place of `instead`.
    Adopt {
        leg: Box<crate::state::Leg>,
        from: InteractionId,
        instead: LegId,
    },
    /// A leg leaves for another interaction; the one that stays behind ends.
    Release {
        leg: LegId,
        to: InteractionId,
    },
    /// The engine found something out that belongs into the log and decides nothing here.
    Noted(Event),
    /// Its legs are carried by another media worker, which knows nothing yet of who hears whom.
    WorkerChanged,
    /// The node that carried this died (restart): end it.
    NodeLost,
    /// This process is about to stop: end politely whatever is up.
    NodeStops,
    /// End politely after a fault of ours.
    Fault,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// To be appended to the log; what follows must not leave before it is durable.
    Event(Event),
    Leg {
        leg: LegId,
        direction: Direction,
        command: LegCommand,
    },
    Media(MediaCommand),
    Route(RouteAsk),
    Timer {
        kind: TimerKind,
        at: Option<Timestamp>,
    },
    Reply {
        command: CommandId,
        result: CommandResult,
    },
    /// The engine moves the far leg of another interaction here (attended transfer between two calls).
    Take {
        from: InteractionId,
        beside: LegId,
        instead: LegId,
    },
    /// Digits asked for in private: to whoever asked, not to the log.
    Entered {
        leg: LegId,
        digits: Pii<String>,
        complete: bool,
    },
    /// Last output: everything ended, nothing more will come but wrap-up.
    Done,
}
