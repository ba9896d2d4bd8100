//! Commands from the API: each is checked against the state, done, noted and answered.

use super::*;
use crate::state::LegStatus;
use cp_vocab::command::{Actor, Command, CommandResult};
use cp_vocab::media::{MediaCommand, Playback};

impl Interaction {
    pub(crate) fn command(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: CommandId,
        actor: Actor,
        command: Command,
    ) {
        if self.state.ended.is_some() && !matches!(command, Command::WrapUp { .. }) {
            let refusal = Refusal::new(Code::InteractionEnded, "The interaction has ended.");
            return self.reply(ctx, id, Err(refusal));
        }
        let what = name_of(&command);
        let result = self.carry_out(ctx, actor, command);
        if result.is_ok() {
            self.emit(
                ctx,
                Event::CommandTaken {
                    command: id,
                    actor,
                    what: what.to_string(),
                },
            );
        }
        let result = result.map(|mut r| {
            r.interaction.get_or_insert(self.state.id);
            r
        });
        self.reply(ctx, id, result);
    }

    fn carry_out(&mut self, ctx: &mut Ctx<'_>, actor: Actor, command: Command) -> CommandResult {
        match command {
            Command::HangUp { .. } => {
                self.end_all(ctx, EndReason::Released, None, None);
                Ok(CommandReply::default())
            }
            Command::HangUpLeg { leg } => {
                self.live(leg)?;
                self.end_leg(ctx, leg, EndReason::Released);
                Ok(CommandReply::default())
            }
            Command::Hold { leg } => self.hold(ctx, leg, true),
            Command::Resume { leg } => self.hold(ctx, leg, false),
            Command::Mute { leg, muted } => {
                self.live(leg)?;
                if self.state.leg(leg).is_some_and(|l| l.muted != muted) {
                    self.emit(ctx, Event::LegMuted { leg, muted });
                    ctx.out
                        .push(Output::Media(MediaCommand::Mute { leg, muted }));
                }
                Ok(CommandReply::default())
            }
            Command::BlindTransfer { leg, target } => {
                self.talking(leg)?;
                self.blind_transfer(ctx, leg, target)
            }
            Command::Consult { leg, target } => {
                self.talking(leg)?;
                self.consult(ctx, leg, &target)
            }
            Command::CompleteTransfer { leg } => self
                .live(leg)
                .and_then(|()| self.complete_transfer(ctx, leg)),
            Command::Merge { leg } => self.live(leg).and_then(|()| self.merge(ctx, leg)),
            Command::CancelConsult { leg } => {
                self.live(leg).and_then(|()| self.cancel_consult(ctx, leg))
            }
            Command::AddParty { target, .. } => self.add_party(ctx, &target),
            Command::Switch { leg, to, pull } => self.switch(ctx, leg, to, pull),
            Command::Park { leg, slot } => {
                self.talking(leg)?;
                self.park(ctx, leg, slot.as_deref())
            }
            Command::Retrieve { slot, agent } => self.retrieve(ctx, &slot, agent),
            Command::Supervise { agent, mode, .. } => self.supervise(ctx, agent, mode),
            Command::SetSuperviseMode { leg, mode } => self.set_mode(ctx, leg, mode),
            Command::TakeOver { leg } => self.take_over(ctx, leg),
            Command::Requeue {
                queue, priority, ..
            } => self.requeue(ctx, queue, priority),
            Command::EndAwait {
                met,
                queue,
                priority,
                ..
            } => {
                if self.awaiting.is_none() {
                    let detail = "The interaction waits for nothing.";
                    return Err(Refusal::new(Code::LegState, detail));
                }
                self.end_await(ctx, met, queue, priority);
                Ok(CommandReply::default())
            }
            Command::Collect {
                leg,
                sounds,
                digits_max,
                timeout_ms,
            } => {
                self.answered_leg(leg)?;
                self.collect(ctx, actor, leg, sounds, digits_max, timeout_ms)
            }
            Command::Tell { event, .. } => {
                self.emit(ctx, *event);
                Ok(CommandReply::default())
            }
            Command::SetPriority { priority, .. } => {
                self.ask(ctx, RouteAsk::SetPriority { priority });
                Ok(CommandReply::default())
            }
            Command::AcceptOffer { offer } => self.accept_offer(ctx, offer),
            Command::RejectOffer { offer } => self.reject_offer(ctx, offer),
            Command::WrapUp {
                agent, code, note, ..
            } => {
                self.emit(
                    ctx,
                    Event::WrapUpNoted {
                        agent,
                        code,
                        note: note.map(Pii),
                    },
                );
                Ok(CommandReply::default())
            }
            other => self.carry_out_media(ctx, actor, other),
        }
    }

    fn carry_out_media(
        &mut self,
        ctx: &mut Ctx<'_>,
        actor: Actor,
        command: Command,
    ) -> CommandResult {
        match command {
            Command::Play {
                leg,
                sounds,
                barge_in,
                mix_with_call,
            } => {
                self.answered_leg(leg)?;
                self.play_command(ctx, leg, sounds, barge_in, mix_with_call);
            }
            Command::StopPlaying { leg } => {
                self.answered_leg(leg)?;
                if let Some(then) = self.cut_prompt(ctx, leg) {
                    self.after_prompt(ctx, then);
                }
            }
            Command::SendDigits { leg, digits } => {
                self.answered_leg(leg)?;
                if digits.is_empty()
                    || digits.len() > 64
                    || !digits.chars().all(|c| "0123456789*#ABCDabcd,".contains(c))
                {
                    return Err(Refusal::new(
                        Code::BadRequest,
                        "Digits are 1 to 64 of 0-9, *, #, A-D and comma.",
                    ));
                }
                ctx.out
                    .push(Output::Media(MediaCommand::SendDigits { leg, digits }));
            }
            Command::StartRecording { .. } => {
                if self.state.recording.is_some() {
                    return Err(Refusal::new(
                        Code::Conflict,
                        "This interaction is being recorded already.",
                    ));
                }
                let left = self
                    .state
                    .customer()
                    .or(self.state.live_legs().next())
                    .filter(|l| l.is_answered());
                let Some(left) = left.map(|l| l.id) else {
                    return Err(Refusal::new(Code::LegState, "Nobody is connected yet."));
                };
                self.start_recording(ctx, left);
            }
            Command::PauseRecording { .. } => return self.pause_recording(ctx, actor, true),
            Command::ResumeRecording { .. } => return self.pause_recording(ctx, actor, false),
            Command::StopRecording { .. } => {
                if self.state.recording.is_none() {
                    return Err(Refusal::new(
                        Code::Conflict,
                        "This interaction is not being recorded.",
                    ));
                }
                self.stop_recording(ctx);
            }
            _ => {
                return Err(Refusal::new(
                    Code::BadRequest,
                    "This command does not go to an interaction.",
                ));
            }
        }
        Ok(CommandReply::default())
    }

    fn play_command(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        sounds: Vec<media::Sound>,
        barge_in: bool,
        mix_with_call: bool,
    ) {
        let id: PlaybackId = ctx.ids.next(ctx.now);
        let what = describe(&sounds);
        self.begin_prompt(ctx, leg, id, Then::Nothing);
        self.emit(
            ctx,
            Event::PromptStarted {
                leg,
                playback: id,
                what,
            },
        );
        let playback = Playback {
            id,
            sounds,
            repeat: false,
            barge_in,
            mix_with_call,
        };
        ctx.out
            .push(Output::Media(MediaCommand::Play { leg, playback }));
    }

    fn live(&self, leg: LegId) -> Result<(), Refusal> {
        match self.state.leg(leg) {
            None => Err(Refusal::new(
                Code::NotFound,
                "There is no such leg in this interaction.",
            )),
            Some(l) if !l.is_live() => Err(Refusal::new(Code::LegState, "The leg has ended.")),
            Some(_) => Ok(()),
        }
    }

    fn answered_leg(&self, leg: LegId) -> Result<(), Refusal> {
        self.live(leg)?;
        match self.state.leg(leg) {
            Some(l) if l.status == LegStatus::Answered => Ok(()),
            _ => Err(Refusal::new(Code::LegState, "The leg is not answered yet.")),
        }
    }

    /// The leg is in a conversation.
    fn talking(&self, leg: LegId) -> Result<(), Refusal> {
        self.answered_leg(leg)?;
        match self.state.leg(leg) {
            Some(l) if l.room == crate::state::Room::Talk => Ok(()),
            _ => Err(Refusal::new(
                Code::LegState,
                "The leg is not in a conversation.",
            )),
        }
    }

    fn hold(&mut self, ctx: &mut Ctx<'_>, by: LegId, on: bool) -> CommandResult {
        self.talking(by)?;
        let others: SmallVec<[LegId; 4]> = self
            .state
            .talkers()
            .filter(|l| l.id != by && l.held != on)
            .map(|l| l.id)
            .collect();
        for leg in others {
            let event = if on {
                Event::LegHeld {
                    leg,
                    by_far_end: false,
                }
            } else {
                Event::LegResumed {
                    leg,
                    by_far_end: false,
                }
            };
            self.emit(ctx, event);
        }
        Ok(CommandReply {
            leg: Some(by),
            ..Default::default()
        })
    }

    fn pause_recording(&mut self, ctx: &mut Ctx<'_>, actor: Actor, paused: bool) -> CommandResult {
        let Some(r) = self.state.recording.clone() else {
            return Err(Refusal::new(
                Code::Conflict,
                "This interaction is not being recorded.",
            ));
        };
        if r.paused != paused {
            let recording = r.id;
            self.emit(
                ctx,
                if paused {
                    Event::RecordingPaused {
                        recording,
                        by: actor,
                    }
                } else {
                    Event::RecordingResumed {
                        recording,
                        by: actor,
                    }
                },
            );
            ctx.out.push(Output::Media(MediaCommand::PauseRecording {
                recording,
                paused,
            }));
        }
        Ok(CommandReply::default())
    }

    fn requeue(&mut self, ctx: &mut Ctx<'_>, queue: QueueId, priority: i32) -> CommandResult {
        if ctx.directory.queue(queue).is_none() {
            return Err(Refusal::new(Code::NotFound, "There is no such queue."));
        }
        let Some(w) = self.state.waiting.clone() else {
            return Err(Refusal::new(
                Code::LegState,
                "The interaction is not waiting in a queue.",
            ));
        };
        self.leave_queue(ctx, QueueExit::Transferred, true);
        // Whoever moves it does not move it past the gate.
        let gated = ctx.directory.queue(queue).is_some_and(|q| q.gate.is_some());
        if let Some(leg) = self.state.waiting_party().map(|l| l.id).filter(|_| gated) {
            self.enter_queue(ctx, leg, queue, priority);
            return Ok(CommandReply::default());
        }
        // The time already waited goes along.
        let since = Timestamp(
            ctx.now
                .0
                .saturating_sub(ctx.wall.since(w.since).as_micros() as u64),
        );
        self.enqueue(ctx, queue, priority, since);
        Ok(CommandReply::default())
    }

    /// The agent accepted on the desktop: its phone is asked to answer by itself; it may also be picked up.
    fn accept_offer(&mut self, ctx: &mut Ctx<'_>, offer: OfferId) -> CommandResult {
        let leg = self.offer_leg(offer)?;
        ctx.out.push(Output::Leg {
            leg,
            direction: Direction::Outbound,
            command: LegCommand::AutoAnswer,
        });
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    fn reject_offer(&mut self, ctx: &mut Ctx<'_>, offer: OfferId) -> CommandResult {
        self.offer_leg(offer)?;
        self.ask(ctx, RouteAsk::Rejected { offer });
        Ok(CommandReply::default())
    }

    fn offer_leg(&self, offer: OfferId) -> Result<LegId, Refusal> {
        let gone = || Refusal::new(Code::OfferGone, "The offer is no longer open.");
        if self.state.offer.as_ref().is_none_or(|o| o.offer != offer) {
            return Err(gone());
        }
        self.purposes
            .iter()
            .find(|(_, p)| *p == Purpose::Offer(offer))
            .map(|(l, _)| *l)
            .ok_or_else(gone)
    }

    pub(crate) fn click_to_call(
        &mut self,
        ctx: &mut Ctx<'_>,
        agent: AgentId,
        target: DialTarget,
        command: CommandId,
    ) {
        let target_known = ctx.directory.resolve(self.state.tenant, &target);
        let phone = ctx
            .directory
            .resolve(self.state.tenant, &DialTarget::Agent { agent });
        let (to, phone) = match (target_known, phone) {
            (Ok(to), Ok(phone)) => (to, phone),
            (_, Err(_)) => {
                let refusal = Refusal::new(Code::AgentState, "Your phone is not registered.");
                self.never_began(ctx);
                return self.reply(ctx, command, Err(refusal));
            }
            (Err(reason), _) => {
                self.never_began(ctx);
                return self.reply(ctx, command, Err(reason.refusal()));
            }
        };
        self.start_outbound(ctx, phone.address.clone(), to.address);
        let leg = self.dial(
            ctx,
            phone,
            LegRole::Agent,
            None,
            Purpose::FirstParty(target),
            RING_MS_DEFAULT,
        );
        let id = self.state.id;
        self.reply(
            ctx,
            command,
            Ok(CommandReply {
                interaction: Some(id),
                leg: Some(leg),
                ..Default::default()
            }),
        );
    }

    pub(crate) fn first_party_answered(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        target: DialTarget,
    ) {
        match ctx.directory.resolve(self.state.tenant, &target) {
            Ok(to) => {
                let role = if to.agent.is_some() {
                    LegRole::Party
                } else {
                    LegRole::Customer
                };
                self.dial(
                    ctx,
                    to,
                    role,
                    Some(leg),
                    Purpose::Target { record: false },
                    60_000,
                );
            }
            Err(reason) => self.end_all(ctx, reason, None, None),
        }
    }

    pub(crate) fn originate(
        &mut self,
        ctx: &mut Ctx<'_>,
        target: DialTarget,
        plan: Destination,
        caller: Option<String>,
        command: CommandId,
    ) {
        match ctx.directory.resolve(self.state.tenant, &target) {
            Ok(to) => {
                let from = caller.map_or(Address::Anonymous, Address::Extension);
                self.start_outbound(ctx, from, to.address.clone());
                let leg = self.dial(ctx, to, LegRole::Customer, None, Purpose::Led(plan), 60_000);
                let id = self.state.id;
                self.reply(
                    ctx,
                    command,
                    Ok(CommandReply {
                        interaction: Some(id),
                        leg: Some(leg),
                        ..Default::default()
                    }),
                );
            }
            Err(reason) => {
                self.never_began(ctx);
                self.reply(ctx, command, Err(reason.refusal()));
            }
        }
    }

    /// Refused before anything was written down: there is nothing to keep.
    fn never_began(&mut self, ctx: &mut Ctx<'_>) {
        self.done = true;
        ctx.out.push(Output::Done);
    }

    fn start_outbound(&mut self, ctx: &mut Ctx<'_>, from: Address, to: Address) {
        let uci = ctx.ids.next(ctx.now);
        self.emit(
            ctx,
            Event::Started {
                direction: Direction::Outbound,
                from: Pii(from),
                from_name: None,
                to: Pii(to),
                uci,
                number: None,
                trunk: None,
            },
        );
    }
}

fn name_of(command: &Command) -> &'static str {
    match command {
        Command::HangUp { .. } => "hang_up",
        Command::HangUpLeg { .. } => "hang_up_leg",
        Command::Hold { .. } => "hold",
        Command::Resume { .. } => "resume",
        Command::Mute { .. } => "mute",
        Command::BlindTransfer { .. } => "blind_transfer",
        Command::Consult { .. } => "consult",
        Command::CompleteTransfer { .. } => "complete_transfer",
        Command::Merge { .. } => "merge",
        Command::CancelConsult { .. } => "cancel_consult",
        Command::AddParty { .. } => "add_party",
        Command::Switch { .. } => "switch",
        Command::Park { .. } => "park",
        Command::Retrieve { .. } => "retrieve",
        Command::Supervise { .. } => "supervise",
        Command::SetSuperviseMode { .. } => "set_supervise_mode",
        Command::TakeOver { .. } => "take_over",
        Command::Requeue { .. } => "requeue",
        Command::SetPriority { .. } => "set_priority",
        Command::ReportCaller { .. } => "report_caller",
        Command::EndAwait { .. } => "end_await",
        Command::Collect { .. } => "collect",
        Command::Tell { .. } => "tell",
        Command::AcceptOffer { .. } => "accept_offer",
        Command::RejectOffer { .. } => "reject_offer",
        Command::WrapUp { .. } => "wrap_up",
        Command::Play { .. } => "play",
        Command::StopPlaying { .. } => "stop_playing",
        Command::SendDigits { .. } => "send_digits",
        Command::StartRecording { .. } => "start_recording",
        Command::PauseRecording { .. } => "pause_recording",
        Command::ResumeRecording { .. } => "resume_recording",
        Command::StopRecording { .. } => "stop_recording",
        _ => "other",
    }
}
