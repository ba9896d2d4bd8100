//! A call moves to another device of the same person (S1.6): the new device is rung or calls in, and
//! only its answer ends the old leg. Nobody else in the call is asked anything: they hear another leg.

use super::*;
use crate::state::Room;
use cp_vocab::command::{CommandResult, Device};
use cp_vocab::media::MediaCommand;

impl Interaction {
    /// Rings `device` for the person of `leg`. That it is this person's device, and that the rules
    /// allow it, was checked by whoever sent the command on.
    pub(crate) fn switch(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        device: Device,
        pull: bool,
    ) -> CommandResult {
        self.may_move(leg)?;
        let Some(was) = self.state.leg(leg).cloned() else {
            return Err(Refusal::new(Code::NotFound, "There is no such leg."));
        };
        let target = match device {
            Device::Phone(phone) => DialTarget::Phone { phone },
            Device::Browser(agent) => DialTarget::Agent { agent },
        };
        let away = || Refusal::new(Code::AgentState, "That device is not reachable now.");
        let found = ctx.directory.resolve(self.state.tenant, &target);
        let mut to = found.map_err(|_| away())?;
        // An agent who works in no browser is rung at a phone; that was not asked for.
        if matches!(device, Device::Browser(_)) && to.endpoint != Endpoint::Browser {
            return Err(away());
        }
        if to.endpoint == was.endpoint {
            let detail = "The call is on that device already.";
            return Err(Refusal::new(Code::Conflict, detail));
        }
        // The device acts for the person, whoever it was given to on paper.
        to.agent = was.agent;
        let target = to.endpoint;
        let purpose = Purpose::Switch { old: leg };
        let new = self.dial_as(ctx, to, was.role, Some(leg), purpose, RING_MS_DEFAULT, pull);
        if pull && target == Endpoint::Browser {
            ctx.out.push(Output::Leg {
                leg: new,
                direction: Direction::Outbound,
                command: LegCommand::AutoAnswer,
            });
        }
        let source = was.endpoint;
        self.emit(
            ctx,
            Event::SwitchStarted {
                leg,
                to_leg: new,
                source,
                target,
                pull,
            },
        );
        Ok(CommandReply {
            leg: Some(new),
            ..Default::default()
        })
    }

    /// A device of the same person called to fetch `old`: it is answered at once.
    pub(crate) fn switch_in(&mut self, ctx: &mut Ctx<'_>, old: LegId, new: NewLeg) {
        let was = self.may_move(old).ok().and_then(|()| self.state.leg(old));
        let leg = new.leg;
        let Some(was) = was.cloned() else {
            let command = LegCommand::End {
                reason: EndReason::Cancelled,
                reject_status: Some(481),
            };
            let direction = Direction::Inbound;
            ctx.out.push(Output::Leg {
                leg,
                direction,
                command,
            });
            return;
        };
        self.emit(
            ctx,
            Event::LegAdded {
                leg,
                role: was.role,
                direction: Direction::Inbound,
                endpoint: new.endpoint,
                address: Pii(new.address),
                agent: was.agent,
                call_id: new.call_id,
                cause: Some(old),
            },
        );
        self.emit(
            ctx,
            Event::SwitchStarted {
                leg: old,
                to_leg: leg,
                source: was.endpoint,
                target: new.endpoint,
                pull: true,
            },
        );
        self.purposes.push((leg, Purpose::Switch { old }));
        ctx.out.push(Output::Leg {
            leg,
            direction: Direction::Inbound,
            command: LegCommand::Answer,
        });
    }

    /// Whether this leg may move now: it is in a conversation, and nothing else moves it.
    fn may_move(&self, leg: LegId) -> Result<(), Refusal> {
        let Some(l) = self.state.leg(leg) else {
            let detail = "There is no such leg in this interaction.";
            return Err(Refusal::new(Code::NotFound, detail));
        };
        let in_talk = matches!(l.room, Room::Talk | Room::Conference(_));
        // A consulted party talks to the asker in no room of its own.
        let consulted = self.state.consult.as_ref().is_some_and(|c| c.leg == leg);
        if !l.is_answered() || !(in_talk || consulted) {
            let detail = "Only a call in conversation can be moved to another device.";
            return Err(Refusal::new(Code::LegState, detail));
        }
        if self.state.op.as_ref().is_some_and(|o| o.user == leg) {
            let detail = "This leg is being transferred.";
            return Err(Refusal::new(Code::Conflict, detail));
        }
        if self.mover_of(leg).is_some() {
            let detail = "The call is being moved already. Wait, or end the attempt.";
            return Err(Refusal::new(Code::Conflict, detail));
        }
        if self.state.live_legs().count() >= LEGS_MAX {
            let detail = format!("A call holds at most {LEGS_MAX} parties.");
            return Err(Refusal::new(Code::Conflict, detail));
        }
        Ok(())
    }

    /// The leg that is to take the place of `old`.
    fn mover_of(&self, old: LegId) -> Option<LegId> {
        let mut movers = self.purposes.iter();
        let found = movers.find(|(_, p)| *p == Purpose::Switch { old });
        found.map(|(l, _)| *l)
    }

    /// Whether `leg` is rung for somebody who is in the call: its coming adds nobody.
    pub(crate) fn moves_live_leg(&self, leg: LegId) -> bool {
        match self.purpose(leg) {
            Some(Purpose::Switch { old }) => self.state.leg(*old).is_some_and(Leg::is_live),
            _ => false,
        }
    }

    /// The new device answered: everything `old` was, it is from now on.
    pub(crate) fn switched(&mut self, ctx: &mut Ctx<'_>, old: LegId, new: LegId) {
        // In a room the others have interactions of their own.
        let in_room = |l: &Leg| matches!(l.room, Room::Conference(_));
        let others = self.state.live_legs().any(|l| l.id != old && l.id != new)
            || self
                .state
                .leg(old)
                .is_some_and(|l| l.is_live() && in_room(l));
        let transferred = self.state.op.as_ref().is_some_and(|o| o.user == old);
        let Some(was) = self
            .state
            .leg(old)
            .filter(|_| others && !transferred)
            .cloned()
        else {
            let reason = EndReason::Cancelled;
            self.emit(
                ctx,
                Event::SwitchFailed {
                    leg: old,
                    to_leg: new,
                    reason,
                },
            );
            return self.end_leg(ctx, new, reason);
        };
        self.emit(ctx, Event::LegSwitched { from: old, to: new });
        if was.muted {
            let muted = true;
            ctx.out
                .push(Output::Media(MediaCommand::Mute { leg: new, muted }));
        }
        if self.state.recording.as_ref().is_some_and(|r| r.left == old) {
            self.record_again = true;
            self.stop_recording(ctx);
        }
        self.dismiss(ctx, old, EndReason::Switched);
    }

    /// A recording of the leg that moved is over: it goes on with the new leg.
    pub(crate) fn record_on(&mut self, ctx: &mut Ctx<'_>) {
        if !std::mem::take(&mut self.record_again) || self.end_reason.is_some() {
            return;
        }
        let left = self.state.customer().or(self.state.talkers().next());
        if let Some(left) = left.filter(|l| l.is_answered()).map(|l| l.id) {
            self.start_recording(ctx, left);
        }
    }

    /// The new device did not come about. Who is still on the old one goes on there.
    pub(crate) fn switch_failed(
        &mut self,
        ctx: &mut Ctx<'_>,
        old: LegId,
        was: &Leg,
        reason: EndReason,
        detail: Option<String>,
    ) {
        self.emit(
            ctx,
            Event::SwitchFailed {
                leg: old,
                to_leg: was.id,
                reason,
            },
        );
        if !self.state.leg(old).is_some_and(Leg::is_live) {
            self.left_alone(ctx, was, reason, detail);
        }
    }

    /// The leg that was to be moved is gone first. When its person hung up or lost the device, the
    /// other one rings on; when it left by another operation, there is nothing to move.
    pub(crate) fn mover_gone(
        &mut self,
        ctx: &mut Ctx<'_>,
        old: LegId,
        reason: EndReason,
        consulting: bool,
    ) {
        let stays = !consulting && (reason == EndReason::HungUp || reason.is_drop());
        if let Some(new) = self.mover_of(old).filter(|_| !stays) {
            let reason = EndReason::Cancelled;
            self.emit(
                ctx,
                Event::SwitchFailed {
                    leg: old,
                    to_leg: new,
                    reason,
                },
            );
            self.dismiss(ctx, new, reason);
        }
    }
}
