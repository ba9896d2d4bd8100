//! The deciding half: inputs become events, commands to legs, media and routing.

mod await_;
mod collect;
mod command;
mod consult;
mod leg;
mod node;
mod notice;
mod park;
mod plan;
mod queue;
mod settle;
mod supervise;
mod switch;
mod transfer;

use crate::directory::Directory;
use crate::io::*;
use crate::state::{Leg, State};
use crate::topology::{Ambient, Path};
use cp_vocab::command::{CommandReply, SuperviseMode};
use cp_vocab::event::*;
use cp_vocab::model::{Destination, DialTarget};
use cp_vocab::*;
use smallvec::SmallVec;

/// Legs one interaction may have at a time; another is refused with `conflict`.
pub(crate) const LEGS_MAX: usize = 64;
/// Ring-backs of a parked call before it is let go.
pub(crate) const PARK_ATTEMPTS_MAX: u32 = 3;
/// How long a parked call waits before it rings the one who parked it.
pub(crate) const PARK_RETURN_MS: u64 = 120_000;
/// How long a leg made for a person rings when nothing else says so.
pub(crate) const RING_MS_DEFAULT: u64 = 30_000;
/// A menu without a time-out of its own waits this long for a digit.
pub(crate) const MENU_MS_DEFAULT: u64 = 5_000;

/// Queues a caller may overflow through; then it is let go, so that queues that overflow into each
/// other cannot send it round for ever.
pub(crate) const OVERFLOWS_MAX: u8 = 5;

/// A menu whose prompt never ends by itself goes on after this long.
pub(crate) const MENU_PROMPT_MS_MAX: u64 = 60_000;

/// What a decision may use. `now` runs on the monotonic line, `wall` is what the log shows.
pub struct Ctx<'a> {
    pub now: Timestamp,
    pub wall: Timestamp,
    pub ids: &'a mut IdSource,
    pub directory: &'a dyn Directory,
    pub out: &'a mut Vec<Output>,
}

/// Why a leg was made: what its answer or failure means.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Purpose {
    /// For an offer of the routing.
    Offer(OfferId),
    /// The target of the caller's plan.
    Target {
        record: bool,
    },
    /// The agent's own phone of a click-to-call.
    FirstParty(DialTarget),
    /// A program's call: this plan runs when answered.
    Led(Destination),
    Consult,
    TransferTarget,
    Revival,
    Supervise(SuperviseMode),
    AddParty,
    /// Another device of this leg's person: takes its place when it answers.
    Switch {
        old: LegId,
    },
    /// A phone that picks up the parked call in this slot.
    Retrieve(String),
    /// The parker's phone, rung back.
    ParkReturn(String),
}

/// What happens after a prompt.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Then {
    Nothing,
    Enqueue(QueueId, i32),
    End(EndReason),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Prompt {
    pub leg: LegId,
    pub playback: PlaybackId,
    pub then: Then,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Menu {
    pub leg: LegId,
    /// Time for a digit once the prompt is over.
    pub wait_ms: u64,
    pub choices: std::collections::BTreeMap<char, Box<Destination>>,
    pub fallback: Box<Destination>,
}

/// Waiting for a program to say how to go on.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Awaiting {
    pub leg: LegId,
    pub then: Next,
    pub otherwise: Next,
    /// What it has been given already for the queue it is on its way to.
    pub priority: i32,
}

/// How it goes on after waiting.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Next {
    Plan(Destination),
    /// Into the queue, past its gate.
    Queue(QueueId),
}

/// Digits asked for in private.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Collecting {
    pub leg: LegId,
    pub digits: Pii<String>,
    pub digits_max: u8,
    pub wait_ms: u64,
    /// What was changed so that nobody listens, and is to be undone.
    pub held: bool,
    pub paused: bool,
}

/// One interaction in memory: the durable state and what may be forgotten in a crash.
pub struct Interaction {
    pub(crate) state: State,
    pub(crate) purposes: SmallVec<[(LegId, Purpose); 2]>,
    /// Runs as soon as this leg is answered.
    pub(crate) plan: Option<(LegId, Destination)>,
    /// One for each leg at most.
    pub(crate) prompts: SmallVec<[Prompt; 1]>,
    pub(crate) menu: Option<Box<Menu>>,
    pub(crate) awaiting: Option<Box<Awaiting>>,
    pub(crate) collecting: Option<Box<Collecting>>,
    pub(crate) echo: Option<LegId>,
    pub(crate) sent_paths: SmallVec<[(LegId, Path); 3]>,
    pub(crate) sent_ambient: SmallVec<[(LegId, Ambient, PlaybackId); 2]>,
    /// Legs whose media path is open; a last quality report is owed for each.
    pub(crate) media: SmallVec<[LegId; 3]>,
    /// The leg whose phone asked for the running transfer by REFER and wants to hear how it goes.
    pub(crate) referrer: Option<LegId>,
    pub(crate) end_reason: Option<(EndReason, Option<LegId>, Option<String>)>,
    pub(crate) park_attempts: u32,
    pub(crate) overflows: u8,
    pub(crate) parked_by: Option<(LegId, Endpoint, Option<AgentId>, Address)>,
    /// The recording was cut because its leg moved; it goes on as a new one.
    pub(crate) record_again: bool,
    /// Legs that heard of the recording.
    pub(crate) told: SmallVec<[LegId; 3]>,
    pub(crate) done: bool,
}

impl Interaction {
    pub fn new(id: InteractionId, tenant: TenantId) -> Self {
        Self::from_state(State::new(id, tenant))
    }

    /// Takes up an interaction whose log was replayed, to end it or to go on with it.
    pub fn from_state(state: State) -> Self {
        Self {
            state,
            purposes: SmallVec::new(),
            plan: None,
            prompts: SmallVec::new(),
            menu: None,
            awaiting: None,
            collecting: None,
            echo: None,
            sent_paths: SmallVec::new(),
            sent_ambient: SmallVec::new(),
            media: SmallVec::new(),
            referrer: None,
            end_reason: None,
            park_attempts: 0,
            overflows: 0,
            parked_by: None,
            record_again: false,
            told: SmallVec::new(),
            done: false,
        }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether nothing more can come: all legs ended, wrap-up and recording over.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The agent leg of `agent`, if it is in this interaction now.
    pub fn agent_leg(&self, agent: AgentId) -> Option<&Leg> {
        self.state.live_legs().find(|l| l.agent == Some(agent))
    }

    /// The slot in which a party of this interaction is parked.
    pub fn parked_slot(&self) -> Option<&str> {
        self.state.live_legs().find_map(|l| match &l.room {
            crate::state::Room::Parked(slot) => Some(slot.as_str()),
            _ => None,
        })
    }

    /// One input; everything it causes is in `ctx.out` afterwards.
    pub fn handle(&mut self, ctx: &mut Ctx<'_>, input: Input) {
        match input {
            Input::Incoming { .. } => self.incoming(ctx, input),
            Input::Dial {
                agent,
                target,
                command,
            } => self.click_to_call(ctx, agent, target, command),
            Input::Originate {
                target,
                plan,
                caller,
                command,
            } => self.originate(ctx, target, plan, caller, command),
            Input::Leg(leg, event) => self.leg_event(ctx, leg, event),
            Input::Noted(event) => self.emit(ctx, event),
            Input::Route(event) => self.route_event(ctx, event),
            Input::Command { id, actor, command } => self.command(ctx, id, actor, command),
            Input::PlaybackEnded {
                leg,
                playback,
                interrupted,
            } => self.playback_ended(ctx, leg, playback, interrupted),
            Input::RecordingEnded {
                recording,
                duration_ms,
                error,
            } => {
                if self
                    .state
                    .recording
                    .as_ref()
                    .is_some_and(|r| r.id == recording)
                {
                    self.emit(
                        ctx,
                        Event::RecordingEnded {
                            recording,
                            duration_ms,
                            error,
                        },
                    );
                    self.record_on(ctx);
                }
            }
            Input::Quality { leg, quality } => {
                self.media.retain(|l| *l != leg);
                if quality.packets_received > 0 || quality.packets_lost > 0 {
                    self.emit(ctx, Event::LegQuality { leg, quality });
                }
            }
            Input::Timer(kind) => self.timer(ctx, kind),
            Input::Replace {
                old,
                leg,
                endpoint,
                agent,
                address,
                call_id,
            } => self.replace(
                ctx,
                old,
                NewLeg {
                    leg,
                    endpoint,
                    agent,
                    address,
                    call_id,
                },
            ),
            Input::SwitchIn {
                old,
                leg,
                endpoint,
                agent,
                address,
                call_id,
            } => self.switch_in(
                ctx,
                old,
                NewLeg {
                    leg,
                    endpoint,
                    agent,
                    address,
                    call_id,
                },
            ),
            Input::Adopt { leg, from, instead } => self.adopt(ctx, *leg, from, instead),
            Input::Release { leg, to } => self.release(ctx, leg, to),
            Input::WorkerChanged => self.worker_changed(),
            Input::NodeLost => self.node_lost(ctx),
            Input::NodeStops => self.node_stops(ctx),
            Input::Fault => self.end_all(ctx, EndReason::Internal, None, None),
        }
        self.settle(ctx);
    }

    pub(crate) fn emit(&mut self, ctx: &mut Ctx<'_>, event: Event) {
        self.state.apply(&event, ctx.wall);
        ctx.out.push(Output::Event(event));
        // A state of the related calls that lasts no longer than this input is told all the same
        // (S1.3 rule 5); while everything is being ended only the end is.
        if self.end_reason.is_none() {
            self.settle_shared(ctx);
        }
    }

    pub(crate) fn reply(
        &self,
        ctx: &mut Ctx<'_>,
        command: CommandId,
        result: Result<CommandReply, Refusal>,
    ) {
        ctx.out.push(Output::Reply { command, result });
    }

    /// The agent is in this call now, and wraps it up as the queue has it that it came from.
    pub(crate) fn occupy(&self, ctx: &mut Ctx<'_>, agent: AgentId) {
        let queue = self.state.served_by;
        self.ask(ctx, RouteAsk::Occupy { agent, queue });
    }

    pub(crate) fn ask(&self, ctx: &mut Ctx<'_>, ask: RouteAsk) {
        ctx.out.push(Output::Route(ask));
    }

    pub(crate) fn purpose(&self, leg: LegId) -> Option<&Purpose> {
        self.purposes
            .iter()
            .find(|(l, _)| *l == leg)
            .map(|(_, p)| p)
    }

    pub(crate) fn take_purpose(&mut self, leg: LegId) -> Option<Purpose> {
        let at = self.purposes.iter().position(|(l, _)| *l == leg)?;
        Some(self.purposes.swap_remove(at).1)
    }

    fn timer(&mut self, ctx: &mut Ctx<'_>, kind: TimerKind) {
        match kind {
            TimerKind::MenuDigit => self.menu_timeout(ctx),
            TimerKind::ParkReturn => self.park_return(ctx),
            TimerKind::Await => self.end_await(ctx, false, None, 0),
            TimerKind::Collect => self.end_collect(ctx, false),
            TimerKind::Farewell => self.end_all(ctx, EndReason::Unavailable, None, None),
        }
    }
}

/// An incoming leg that joins a call which is there.
pub(crate) struct NewLeg {
    pub leg: LegId,
    pub endpoint: Endpoint,
    pub agent: Option<AgentId>,
    pub address: Address,
    pub call_id: String,
}

/// What the playback of a list of sounds is called in the log: kinds and names, never spoken words
/// (they may hold personal data).
pub(crate) fn describe(sounds: &[media::Sound]) -> String {
    let mut text = String::new();
    for s in sounds {
        if !text.is_empty() {
            text.push('+');
        }
        text.push_str(match s {
            media::Sound::Prompt { name } => name,
            media::Sound::Speech { .. } => "speech",
            media::Sound::Tone { .. } => "tone",
            media::Sound::Silence { .. } => "silence",
        });
    }
    text
}
