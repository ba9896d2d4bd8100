//! Transfers of every kind, with the shared state of the related calls (S1.3): the original call
//! ends itself when it learns that the second exists, and is set up again when the second fails.

use super::*;

use cp_vocab::command::CommandResult;

impl Interaction {
    /// The other party that `by` would leave behind: the customer, or whoever else is in the call.
    pub(crate) fn other_party(&self, by: LegId) -> Option<&Leg> {
        let consulted = self.state.consult.as_ref().map(|c| c.leg);
        let fits = |l: &&Leg| {
            l.id != by && Some(l.id) != consulted && l.supervise.is_none() && l.is_answered()
        };
        self.state
            .live_legs()
            .filter(|l| l.role == LegRole::Customer)
            .find(fits)
            .or_else(|| self.state.live_legs().find(fits))
    }

    pub(crate) fn blind_transfer(
        &mut self,
        ctx: &mut Ctx<'_>,
        by: LegId,
        target: Destination,
    ) -> CommandResult {
        let Some(rest) = self.other_party(by).map(|l| l.id) else {
            return Err(Refusal::new(
                Code::LegState,
                "There is nobody in the call who could be transferred.",
            ));
        };
        if self.state.op.as_ref().is_some_and(|o| o.user == by) {
            return Err(Refusal::new(
                Code::Conflict,
                "This leg is being transferred already.",
            ));
        }
        let target = match target {
            Destination::Dial {
                target: DialTarget::Extension { extension },
                record,
            } => match ctx.directory.dialled(self.state.tenant, &extension) {
                Some(d) => d,
                None => {
                    let target = DialTarget::Extension { extension };
                    let known = ctx.directory.resolve(self.state.tenant, &target);
                    known.map_err(unreachable_target)?;
                    Destination::Dial { target, record }
                }
            },
            other => other,
        };
        if self.state.consult.is_some() {
            self.drop_consult(ctx);
        }
        match as_target(&target) {
            Some(dial) => self.transfer_to_party(ctx, by, rest, dial),
            None => self.transfer_to_plan(ctx, by, rest, target),
        }
    }

    fn transfer_to_party(
        &mut self,
        ctx: &mut Ctx<'_>,
        by: LegId,
        rest: LegId,
        dial: DialTarget,
    ) -> CommandResult {
        let to = ctx
            .directory
            .resolve(self.state.tenant, &dial)
            .map_err(unreachable_target)?;
        let shown = Pii(to.dial.clone());
        self.emit(
            ctx,
            Event::TransferStarted {
                kind_of: TransferKind::Blind,
                by,
                to: shown,
            },
        );
        let role = if to.agent.is_some() {
            LegRole::Agent
        } else {
            LegRole::Party
        };
        let leg = self.dial(
            ctx,
            to,
            role,
            Some(by),
            Purpose::TransferTarget,
            RING_MS_DEFAULT,
        );
        self.leave_conference(ctx, rest);
        self.emit(ctx, Event::Unbridged { legs: vec![rest] });
        self.stop_prompt(ctx);
        self.leave_by_transfer(ctx, by);
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    /// To a queue, a menu, an announcement: no third party, the caller goes on by itself.
    fn transfer_to_plan(
        &mut self,
        ctx: &mut Ctx<'_>,
        by: LegId,
        rest: LegId,
        plan: Destination,
    ) -> CommandResult {
        let kind_of = if matches!(plan, Destination::Queue { .. }) {
            TransferKind::Queue
        } else {
            TransferKind::Blind
        };
        let to = Pii(plan_name(&plan).to_string());
        self.emit(ctx, Event::TransferStarted { kind_of, by, to });
        self.leave_conference(ctx, rest);
        self.emit(ctx, Event::Unbridged { legs: vec![rest] });
        self.emit(
            ctx,
            Event::TransferCompleted {
                kind_of,
                by,
                to_leg: None,
            },
        );
        self.refer_progress(ctx, 200);
        self.end_leg(ctx, by, EndReason::Transferred);
        self.run(ctx, rest, plan);
        Ok(CommandReply::default())
    }

    /// The user's leg goes when its call learns of the second call (rule 7), unless its phone asked
    /// for the transfer and waits to hear how it goes: then it is told and hangs up by itself.
    fn leave_by_transfer(&mut self, ctx: &mut Ctx<'_>, by: LegId) {
        if self.referrer == Some(by) {
            self.emit(
                ctx,
                Event::LegHeld {
                    leg: by,
                    by_far_end: false,
                },
            );
            return;
        }
        self.end_leg(ctx, by, EndReason::Transferred);
    }

    pub(crate) fn transfer_answered(&mut self, ctx: &mut Ctx<'_>, leg: LegId) {
        let Some(op) = self.state.op.clone() else {
            return;
        };
        let rest = self
            .state
            .live_legs()
            .find(|l| l.id != leg && l.id != op.user && l.supervise.is_none())
            .map(|l| l.id);
        let Some(rest) = rest else {
            return self.end_leg(ctx, leg, EndReason::Cancelled);
        };
        let by = op.user;
        self.bridge(ctx, rest, leg);
        self.emit(
            ctx,
            Event::TransferCompleted {
                kind_of: TransferKind::Blind,
                by,
                to_leg: Some(leg),
            },
        );
        self.refer_progress(ctx, 200);
        if self.referrer.take().is_some() {
            self.end_leg(ctx, by, EndReason::Transferred);
        }
    }

    /// The second call failed. While the user is still there, all is as before; if not, the original
    /// call is set up again (rule 8).
    pub(crate) fn transfer_failed(&mut self, ctx: &mut Ctx<'_>, reason: EndReason) {
        let Some(op) = self.state.op.clone() else {
            return;
        };
        self.emit(
            ctx,
            Event::TransferFailed {
                kind_of: TransferKind::Blind,
                by: op.user,
                reason,
            },
        );
        self.refer_progress(ctx, reason.sip_status());
        let rest = self
            .state
            .live_legs()
            .find(|l| l.id != op.user && l.supervise.is_none())
            .map(|l| l.id);
        let Some(rest) = rest else { return };
        if self.state.leg(op.user).is_some_and(Leg::is_live) {
            self.referrer = None;
            return self.bridge(ctx, rest, op.user);
        }
        let target = self
            .state
            .leg(op.user)
            .and_then(|user| match (user.agent, user.endpoint) {
                (Some(agent), _) => Some(DialTarget::Agent { agent }),
                (None, Endpoint::Phone(phone)) => Some(DialTarget::Phone { phone }),
                _ => None,
            });
        let to = target.and_then(|t| ctx.directory.resolve(self.state.tenant, &t).ok());
        match to {
            Some(to) => {
                let role = if to.agent.is_some() {
                    LegRole::Agent
                } else {
                    LegRole::Party
                };
                self.dial(
                    ctx,
                    to,
                    role,
                    Some(op.user),
                    Purpose::Revival,
                    RING_MS_DEFAULT,
                );
            }
            None => self.end_all(ctx, EndReason::Unavailable, None, None),
        }
    }

    pub(crate) fn revived(&mut self, ctx: &mut Ctx<'_>, leg: LegId) {
        let rest = self
            .state
            .live_legs()
            .find(|l| l.id != leg && l.supervise.is_none())
            .map(|l| l.id);
        if let Some(rest) = rest {
            self.bridge(ctx, rest, leg);
        }
    }

    /// The phone sent REFER: a blind transfer to what it dialled.
    pub(crate) fn referred(&mut self, ctx: &mut Ctx<'_>, leg: LegId, to: &str) {
        self.referrer = Some(leg);
        if !self
            .state
            .leg(leg)
            .is_some_and(|l| l.room == crate::state::Room::Talk)
        {
            self.refer_progress(ctx, 481);
            self.referrer = None;
            return;
        }
        let extension = to.to_string();
        let target = Destination::Dial {
            target: DialTarget::Extension { extension },
            record: false,
        };
        if let Err(refusal) = self.blind_transfer(ctx, leg, target) {
            self.refer_progress(ctx, refusal.code.sip_status());
            self.referrer = None;
            // An attempt is an attempt; who asks by API has the refusal in hand.
            if self.state.op.is_none() && self.state.consult.is_none() {
                self.emit_failed_transfer(ctx, leg, to, &refusal);
            }
        }
    }

    fn emit_failed_transfer(&mut self, ctx: &mut Ctx<'_>, by: LegId, to: &str, refusal: &Refusal) {
        let kind_of = TransferKind::Blind;
        let to = Pii(to.to_string());
        self.emit(ctx, Event::TransferStarted { kind_of, by, to });
        let reason = match refusal.code {
            Code::NotFound => EndReason::NotFound,
            Code::Forbidden => EndReason::Refused,
            _ => EndReason::Unavailable,
        };
        self.emit(
            ctx,
            Event::TransferFailed {
                kind_of,
                by,
                reason,
            },
        );
    }

    pub(crate) fn refer_progress(&mut self, ctx: &mut Ctx<'_>, status: u16) {
        if let Some(leg) = self.referrer
            && let Some(l) = self.state.leg(leg).filter(|l| l.is_live())
        {
            let command = LegCommand::ReferProgress { status };
            ctx.out.push(Output::Leg {
                leg,
                direction: l.direction,
                command,
            });
        }
    }

    /// INVITE with Replaces: the new leg takes the place of `old`.
    pub(crate) fn replace(&mut self, ctx: &mut Ctx<'_>, old: LegId, new: NewLeg) {
        let NewLeg {
            leg,
            endpoint,
            agent,
            address,
            call_id,
        } = new;
        let shown = address.user().to_string();
        let was = self.state.leg(old).filter(|l| l.is_live()).cloned();
        // A consultation would lose its meaning when one of its sides became somebody else.
        let consulting = self
            .state
            .consult
            .as_ref()
            .is_some_and(|c| c.by == old || c.leg == old);
        let parked = was
            .as_ref()
            .is_some_and(|l| matches!(l.room, crate::state::Room::Parked(_)));
        // A ringing phone's call may be picked up when somebody was called, not an agent by a queue.
        let ringing = was.as_ref().is_some_and(|l| !l.is_answered())
            && matches!(self.purpose(old), Some(Purpose::Target { .. }));
        let talking = was
            .as_ref()
            .is_some_and(|l| l.is_answered() && l.room == crate::state::Room::Talk);
        let free = !consulting && (parked || ringing || talking);
        let Some(was) = was.filter(|_| free) else {
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
                role: match (agent, parked) {
                    (Some(_), _) => LegRole::Agent,
                    (None, true) => LegRole::Party,
                    (None, false) => was.role,
                },
                direction: Direction::Inbound,
                endpoint,
                address: Pii(address),
                agent,
                call_id,
                cause: was.cause.filter(|_| ringing),
            },
        );
        if let Some(agent) = agent {
            self.occupy(ctx, agent);
        }
        match &was.room {
            _ if ringing => {
                if let Some(purpose) = self.take_purpose(old) {
                    self.purposes.push((leg, purpose));
                }
                self.end_leg(ctx, old, EndReason::Cancelled);
            }
            // Picking up a parked call: the parked leg stays, the newcomer talks to it.
            crate::state::Room::Parked(slot) => {
                self.purposes.push((leg, Purpose::Retrieve(slot.clone())))
            }
            _ => {
                self.emit(
                    ctx,
                    Event::TransferStarted {
                        kind_of: TransferKind::Attended,
                        by: old,
                        to: Pii(shown),
                    },
                );
                self.referrer = Some(old);
                self.purposes.push((leg, Purpose::TransferTarget));
            }
        }
        ctx.out.push(Output::Leg {
            leg,
            direction: Direction::Inbound,
            command: LegCommand::Answer,
        });
    }

    /// The far leg of the phone's other call arrives and takes the place of the phone's leg here.
    pub(crate) fn adopt(
        &mut self,
        ctx: &mut Ctx<'_>,
        moved: Leg,
        from: InteractionId,
        instead: LegId,
    ) {
        let rest = self.other_party(instead).map(|l| l.id);
        let shown = moved.address.user().to_string();
        self.emit(
            ctx,
            Event::TransferStarted {
                kind_of: TransferKind::Attended,
                by: instead,
                to: Pii(shown),
            },
        );
        let (id, answered) = (moved.id, moved.is_answered());
        self.media.push(id);
        if let Some(agent) = moved.agent {
            self.occupy(ctx, agent);
        }
        self.emit(
            ctx,
            Event::LegMovedIn {
                leg: id,
                from,
                role: if moved.agent.is_some() {
                    LegRole::Agent
                } else {
                    LegRole::Party
                },
                direction: moved.direction,
                endpoint: moved.endpoint,
                address: Pii(moved.address),
                agent: moved.agent,
                answered,
                dialog: moved.dialog,
            },
        );
        match rest {
            Some(rest) if answered => {
                self.bridge(ctx, rest, id);
                let kind_of = TransferKind::Attended;
                self.emit(
                    ctx,
                    Event::TransferCompleted {
                        kind_of,
                        by: instead,
                        to_leg: Some(id),
                    },
                );
                self.refer_progress(ctx, 200);
                self.referrer = None;
                self.end_leg(ctx, instead, EndReason::Transferred);
            }
            Some(rest) => {
                self.purposes.push((id, Purpose::TransferTarget));
                self.leave_conference(ctx, rest);
                self.emit(ctx, Event::Unbridged { legs: vec![rest] });
            }
            None => self.end_leg(ctx, id, EndReason::Cancelled),
        }
    }

    /// This interaction gives a leg away and ends.
    pub(crate) fn release(&mut self, ctx: &mut Ctx<'_>, leg: LegId, to: InteractionId) {
        let agent = self.state.leg(leg).and_then(|l| l.agent);
        self.leave_conference(ctx, leg);
        self.emit(ctx, Event::LegMovedOut { leg, to });
        self.media.retain(|l| *l != leg);
        self.take_purpose(leg);
        if let Some(agent) = agent {
            let wrap_up = false;
            self.ask(ctx, RouteAsk::WorkEnded { agent, wrap_up });
        }
        // Its worker keeps it: what played to it here must not go on there.
        let played = self.sent_ambient.iter().filter(|(l, _, _)| *l == leg);
        let mut stop: SmallVec<[PlaybackId; 2]> = played.map(|(_, _, p)| *p).collect();
        let told = self.prompts.iter().filter(|p| p.leg == leg);
        stop.extend(told.map(|p| p.playback));
        self.prompts.retain(|p| p.leg != leg);
        for playback in stop {
            let command = media::MediaCommand::Stop { leg, playback };
            ctx.out.push(Output::Media(command));
        }
        self.end_all(ctx, EndReason::Transferred, None, None);
    }
}

pub(super) fn unreachable_target(reason: EndReason) -> Refusal {
    match reason {
        EndReason::Unavailable => Refusal::new(
            Code::NoAgent,
            "The phone of that party is not registered, or nobody of that queue is free.",
        ),
        other => other.refusal(),
    }
}

/// A destination that is one party to ring.
fn as_target(plan: &Destination) -> Option<DialTarget> {
    match plan {
        Destination::Agent { agent } => Some(DialTarget::Agent { agent: *agent }),
        Destination::Phone { phone } => Some(DialTarget::Phone { phone: *phone }),
        Destination::Dial { target, .. } => Some(target.clone()),
        _ => None,
    }
}

fn plan_name(plan: &Destination) -> &'static str {
    match plan {
        Destination::Queue { .. } => "queue",
        Destination::Conference { .. } => "conference",
        Destination::Menu { .. } => "menu",
        Destination::Await { .. } => "await",
        _ => "announcement",
    }
}
