//! Legs: made, ringing, answered, ended; and what each of these means for the others.

use super::*;
use crate::directory::Resolved;
use crate::state::LegStatus;

impl Interaction {
    /// Dials a target on behalf of a caller who is not answered until the target is.
    pub(crate) fn dial_for(
        &mut self,
        ctx: &mut Ctx<'_>,
        caller: LegId,
        target: &DialTarget,
        record: bool,
    ) {
        match ctx.directory.resolve(self.state.tenant, target) {
            Ok(to) => {
                let role = match (to.agent, self.state.customer()) {
                    (Some(_), _) => LegRole::Agent,
                    (None, None) => LegRole::Customer,
                    (None, Some(_)) => LegRole::Party,
                };
                self.dial(
                    ctx,
                    to,
                    role,
                    Some(caller),
                    Purpose::Target { record },
                    RING_MS_DEFAULT,
                );
            }
            Err(reason) => self.end_leg(ctx, caller, reason),
        }
    }

    /// Adds an outgoing leg and starts it.
    pub(crate) fn dial(
        &mut self,
        ctx: &mut Ctx<'_>,
        to: Resolved,
        role: LegRole,
        cause: Option<LegId>,
        purpose: Purpose,
        ring_ms_max: u64,
    ) -> LegId {
        self.dial_as(ctx, to, role, cause, purpose, ring_ms_max, false)
    }

    /// The same, for a phone that may be asked to answer by itself.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn dial_as(
        &mut self,
        ctx: &mut Ctx<'_>,
        to: Resolved,
        role: LegRole,
        cause: Option<LegId>,
        purpose: Purpose,
        ring_ms_max: u64,
        auto_answer: bool,
    ) -> LegId {
        let leg: LegId = ctx.ids.next(ctx.now);
        // The agent of an offer, or of a call that moves, is busy with this already.
        let by_offer = matches!(purpose, Purpose::Offer(_) | Purpose::Switch { .. });
        let (agent, endpoint, address) = (to.agent, to.endpoint, to.address.clone());
        self.emit(
            ctx,
            Event::LegAdded {
                leg,
                role,
                direction: Direction::Outbound,
                endpoint,
                address: Pii(address),
                agent,
                call_id: String::new(),
                cause,
            },
        );
        self.purposes.push((leg, purpose));
        if let (Some(agent), false) = (agent, by_offer) {
            self.occupy(ctx, agent);
        }
        let (caller, caller_name) = match self.purpose(leg) {
            // Their own number would tell them nothing: the one they talk to is shown.
            Some(Purpose::Switch { old }) => match self.other_party(*old) {
                Some(l) if l.id != leg => (l.address.clone(), None),
                _ => self.shown_to(cause, role),
            },
            _ => self.shown_to(cause, role),
        };
        let command = LegCommand::Dial {
            to,
            caller,
            caller_name,
            ring_ms_max,
            auto_answer,
        };
        ctx.out.push(Output::Leg {
            leg,
            direction: Direction::Outbound,
            command,
        });
        leg
    }

    /// Whose number the new leg's phone shows: the customer's, except on a consultation, where the asker's is.
    fn shown_to(&self, cause: Option<LegId>, role: LegRole) -> (Address, Option<String>) {
        if matches!(role, LegRole::Consulted | LegRole::Customer)
            && let Some(asker) = cause.and_then(|c| self.state.leg(c))
        {
            return (asker.address.clone(), None);
        }
        if self.state.direction == Direction::Outbound {
            return (self.state.to.clone(), None);
        }
        (self.state.from.clone(), self.state.from_name.clone())
    }

    pub(crate) fn leg_event(&mut self, ctx: &mut Ctx<'_>, leg: LegId, event: LegEvent) {
        if self.state.leg(leg).is_none_or(|l| !l.is_live()) {
            return;
        }
        match event {
            LegEvent::Ringing {
                early_media,
                dialog,
            } => self.ringing(ctx, leg, early_media, dialog),
            LegEvent::Answered {
                codec,
                secure,
                dialog,
            } => {
                if !self.media.contains(&leg) {
                    self.media.push(leg);
                }
                self.emit(
                    ctx,
                    Event::LegAnswered {
                        leg,
                        codec,
                        secure,
                        dialog,
                    },
                );
                self.answered(ctx, leg);
            }
            LegEvent::Held => self.emit(
                ctx,
                Event::LegHeld {
                    leg,
                    by_far_end: true,
                },
            ),
            LegEvent::Resumed => self.emit(
                ctx,
                Event::LegResumed {
                    leg,
                    by_far_end: true,
                },
            ),
            LegEvent::Digit(d) => self.digit(ctx, leg, d),
            LegEvent::Referred { to } => self.referred(ctx, leg, &to),
            LegEvent::ReferredToLeg { interaction, other } => {
                self.referrer = Some(leg);
                ctx.out.push(Output::Take {
                    from: interaction,
                    beside: other,
                    instead: leg,
                });
            }
            LegEvent::Ended { reason, detail } => self.leg_ended(ctx, leg, reason, detail),
        }
    }

    fn ringing(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        early_media: bool,
        dialog: Option<String>,
    ) {
        let before = self.state.leg(leg).map(|l| (l.status, l.early_media));
        if before == Some((LegStatus::Ringing, early_media))
            || before == Some((LegStatus::Ringing, true))
        {
            // A further contact of the same person rings: known, so that it can be stopped too.
            let new = dialog.is_some() && self.state.leg(leg).is_some_and(|l| l.dialog != dialog);
            if new {
                self.emit(
                    ctx,
                    Event::LegRinging {
                        leg,
                        early_media,
                        dialog,
                    },
                );
            }
            return;
        }
        if early_media && !self.media.contains(&leg) {
            self.media.push(leg);
        }
        self.emit(
            ctx,
            Event::LegRinging {
                leg,
                early_media,
                dialog,
            },
        );
        match self.purpose(leg) {
            Some(Purpose::Target { .. }) => {
                if let Some(caller) = self
                    .caller_of(leg)
                    .filter(|c| !c.is_answered())
                    .map(|c| c.id)
                {
                    if early_media && !self.media.contains(&caller) {
                        self.media.push(caller);
                    }
                    let command = LegCommand::Ring { early_media };
                    ctx.out.push(Output::Leg {
                        leg: caller,
                        direction: Direction::Inbound,
                        command,
                    });
                }
            }
            Some(Purpose::TransferTarget) => self.refer_progress(ctx, 180),
            _ => {}
        }
    }

    /// The leg for which `leg` was made, if it is still there.
    pub(crate) fn caller_of(&self, leg: LegId) -> Option<&Leg> {
        self.state
            .leg(leg)?
            .cause
            .and_then(|c| self.state.leg(c))
            .filter(|l| l.is_live())
    }

    fn answered(&mut self, ctx: &mut Ctx<'_>, leg: LegId) {
        if let Some((of, plan)) = self.plan.take_if(|(l, _)| *l == leg) {
            return self.run(ctx, of, plan);
        }
        let Some(purpose) = self.take_purpose(leg) else {
            return self.caller_answered(ctx, leg);
        };
        match purpose {
            Purpose::Offer(offer) => self.offer_answered(ctx, offer, leg),
            Purpose::Target { record } => self.target_answered(ctx, leg, record),
            Purpose::FirstParty(target) => self.first_party_answered(ctx, leg, target),
            Purpose::Led(plan) => self.run(ctx, leg, plan),
            Purpose::Consult => {}
            Purpose::TransferTarget => self.transfer_answered(ctx, leg),
            Purpose::Revival => self.revived(ctx, leg),
            Purpose::Supervise(mode) => self.emit(ctx, Event::SuperviseStarted { leg, mode }),
            Purpose::AddParty => self.merge_in(ctx, leg),
            Purpose::Switch { old } => self.switched(ctx, old, leg),
            Purpose::Retrieve(slot) => self.retrieved(ctx, slot, leg),
            Purpose::ParkReturn(slot) => self.retrieved(ctx, slot, leg),
        }
    }

    fn target_answered(&mut self, ctx: &mut Ctx<'_>, leg: LegId, record: bool) {
        let Some(caller) = self.caller_of(leg) else {
            return self.end_leg(ctx, leg, EndReason::Cancelled);
        };
        let (id, answered) = (caller.id, caller.is_answered());
        if answered {
            self.bridge(ctx, id, leg);
        } else {
            // The caller's answer completes the bridge (`caller_answered`).
            ctx.out.push(Output::Leg {
                leg: id,
                direction: Direction::Inbound,
                command: LegCommand::Answer,
            });
        }
        if record {
            self.start_recording(ctx, id);
        }
    }

    /// An incoming leg that waited for its target was answered: connect the two.
    fn caller_answered(&mut self, ctx: &mut Ctx<'_>, caller: LegId) {
        let target = self
            .state
            .live_legs()
            .find(|l| l.cause == Some(caller) && l.is_answered())
            .map(|l| l.id);
        if let Some(target) = target {
            self.bridge(ctx, caller, target);
        }
    }

    pub(crate) fn bridge(&mut self, ctx: &mut Ctx<'_>, a: LegId, b: LegId) {
        self.leave_conference(ctx, a);
        self.leave_conference(ctx, b);
        self.emit(ctx, Event::Bridged { legs: vec![a, b] });
        let tenant = ctx.directory.record_by_default(self.state.tenant);
        let queue = self
            .state
            .served_by
            .and_then(|q| ctx.directory.queue(q))
            .is_some_and(|q| q.record);
        if tenant || queue {
            let left = self.state.customer().map_or(a, |l| l.id);
            self.start_recording(ctx, left);
        }
    }

    /// Our side ends a leg.
    pub(crate) fn end_leg(&mut self, ctx: &mut Ctx<'_>, leg: LegId, reason: EndReason) {
        self.end_leg_with(ctx, leg, reason, None);
    }

    pub(crate) fn end_leg_with(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        reason: EndReason,
        status: Option<u16>,
    ) {
        let Some(l) = self.state.leg(leg).filter(|l| l.is_live()) else {
            return;
        };
        let direction = l.direction;
        let command = LegCommand::End {
            reason,
            reject_status: status,
        };
        ctx.out.push(Output::Leg {
            leg,
            direction,
            command,
        });
        self.leg_ended(ctx, leg, reason, None);
    }

    /// Ends everything with one reason.
    pub(crate) fn end_all(
        &mut self,
        ctx: &mut Ctx<'_>,
        reason: EndReason,
        by: Option<LegId>,
        detail: Option<String>,
    ) {
        self.end_reason.get_or_insert((reason, by, detail));
        self.plan = None;
        if self.state.waiting.is_some() {
            let exit = match self.end_reason {
                Some((EndReason::Abandoned | EndReason::HungUp, _, _)) => QueueExit::Abandoned,
                _ => QueueExit::Released,
            };
            self.leave_queue(ctx, exit, true);
        }
        let legs: SmallVec<[LegId; 4]> = self.state.live_legs().map(|l| l.id).collect();
        for leg in legs {
            self.end_leg(ctx, leg, reason);
        }
    }

    /// A leg is over, whoever ended it: note it, then see what it means for the rest.
    pub(crate) fn leg_ended(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        reason: EndReason,
        detail: Option<String>,
    ) {
        let consult = self.state.consult.clone();
        let Some((was, purpose)) = self.note_ended(ctx, leg, reason, detail.clone()) else {
            return;
        };
        // When everything is being ended, no leg's end means anything for the others any more.
        if self.state.ended.is_some() || self.end_reason.is_some() {
            return;
        }
        let consult = consult.filter(|c| c.by == leg || c.leg == leg);
        self.mover_gone(ctx, leg, reason, consult.is_some());
        if let Some(c) = consult {
            return self.consult_side_ended(ctx, c, &was, reason);
        }
        match purpose {
            Some(p) if !was.is_answered() => self.attempt_failed(ctx, p, &was, reason, detail),
            _ => self.party_left(ctx, &was, reason, detail),
        }
    }

    /// Our side ends a leg whose end means nothing for the others.
    pub(crate) fn dismiss(&mut self, ctx: &mut Ctx<'_>, leg: LegId, reason: EndReason) {
        if let Some(direction) = self
            .state
            .leg(leg)
            .filter(|l| l.is_live())
            .map(|l| l.direction)
        {
            let reject_status = None;
            let command = LegCommand::End {
                reason,
                reject_status,
            };
            ctx.out.push(Output::Leg {
                leg,
                direction,
                command,
            });
            self.note_ended(ctx, leg, reason, None);
        }
    }

    /// Writes down the end of a leg, and lets go of what it had. What it was, and what for.
    fn note_ended(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        reason: EndReason,
        detail: Option<String>,
    ) -> Option<(Leg, Option<Purpose>)> {
        let was = self.state.leg(leg).filter(|l| l.is_live()).cloned()?;
        self.leave_conference(ctx, leg);
        self.prompts.retain(|p| p.leg != leg);
        self.emit(
            ctx,
            Event::LegEnded {
                leg,
                reason,
                detail,
            },
        );
        let purpose = self.take_purpose(leg);
        self.agent_freed(ctx, &was, &purpose);
        Some((was, purpose))
    }

    fn agent_freed(&mut self, ctx: &mut Ctx<'_>, was: &Leg, purpose: &Option<Purpose>) {
        let Some(agent) = was.agent else { return };
        if let Some(Purpose::Offer(_)) = purpose {
            return; // Never accepted: the offer's own end frees the agent.
        }
        if self.state.live_legs().any(|l| l.agent == Some(agent)) {
            return;
        }
        // Who called in has no work to wrap up, agent or not.
        let called_in = self.state.legs.first().is_some_and(|l| l.id == was.id)
            && was.direction == Direction::Inbound;
        let wrap_up = self.state.served_by.is_some()
            && was.is_answered()
            && was.role == LegRole::Agent
            && !called_in;
        self.ask(ctx, RouteAsk::WorkEnded { agent, wrap_up });
    }

    /// A leg that was being rung did not come about.
    fn attempt_failed(
        &mut self,
        ctx: &mut Ctx<'_>,
        purpose: Purpose,
        was: &Leg,
        reason: EndReason,
        detail: Option<String>,
    ) {
        match purpose {
            Purpose::Offer(offer) => match reason {
                EndReason::Declined => self.ask(ctx, RouteAsk::Rejected { offer }),
                EndReason::Cancelled | EndReason::NoAnswer => {}
                _ => self.ask(ctx, RouteAsk::Unreachable { offer }),
            },
            Purpose::Target { .. } | Purpose::FirstParty(_) | Purpose::Led(_) => {
                let caller = was
                    .cause
                    .filter(|c| self.state.leg(*c).is_some_and(Leg::is_live));
                match caller {
                    // Another leg is still being tried for the same caller.
                    Some(c) if self.state.live_legs().any(|l| l.cause == Some(c)) => {}
                    _ => self.end_all(ctx, reason, Some(was.id), detail),
                }
            }
            Purpose::TransferTarget => self.transfer_failed(ctx, reason),
            Purpose::Revival => self.end_all(ctx, EndReason::Unavailable, Some(was.id), detail),
            Purpose::ParkReturn(slot) => self.park_return_failed(ctx, slot),
            Purpose::Switch { old } => self.switch_failed(ctx, old, was, reason, detail),
            Purpose::Retrieve(_) | Purpose::Consult | Purpose::Supervise(_) | Purpose::AddParty => {
                let talking = self.state.talkers().count();
                if talking == 1 || self.state.live_legs().next().is_none() {
                    self.left_alone(ctx, was, reason, detail);
                }
            }
        }
    }

    /// Somebody who was in the call is gone. The customer's going ends it unless others talk on;
    /// an agent's going leaves nobody to talk to.
    pub(crate) fn party_left(
        &mut self,
        ctx: &mut Ctx<'_>,
        was: &Leg,
        reason: EndReason,
        detail: Option<String>,
    ) {
        // A supervisor's going changes nothing, and a transferred-away user is expected to go.
        if was.role == LegRole::Supervisor
            || was.supervise.is_some()
            || matches!(reason, EndReason::Transferred | EndReason::SelfTerminated)
        {
            return;
        }
        let transferring = self
            .state
            .op
            .as_ref()
            .filter(|op| op.user == was.id)
            .and_then(|op| self.state.leg(op.second?))
            .is_some_and(Leg::is_live);
        if transferring || self.state.talkers().count() >= 2 {
            return;
        }
        if was.role == LegRole::Customer {
            let abandoned = self.state.waiting.is_some() && reason == EndReason::HungUp;
            let reason = if abandoned {
                EndReason::Abandoned
            } else {
                reason
            };
            return self.end_all(ctx, reason, Some(was.id), detail);
        }
        self.left_alone(ctx, was, reason, detail);
    }

    /// Somebody is gone, or did not come: whoever is left may be alone, or rung for nobody.
    pub(crate) fn left_alone(
        &mut self,
        ctx: &mut Ctx<'_>,
        was: &Leg,
        reason: EndReason,
        detail: Option<String>,
    ) {
        if self.state.talkers().count() >= 2 {
            return;
        }
        // Those for whom the others ring: answered, or a caller we have not answered yet.
        let waits = |l: &&Leg| {
            l.supervise.is_none()
                && l.role != LegRole::Supervisor
                && (l.is_answered() || l.direction == Direction::Inbound)
        };
        let waiting = self.state.live_legs().filter(waits).count();
        if waiting == 0 {
            let abandoned = self.state.waiting.is_some() && reason == EndReason::HungUp;
            let reason = if abandoned {
                EndReason::Abandoned
            } else {
                reason
            };
            return self.end_all(ctx, reason, Some(was.id), detail);
        }
        let in_room = waiting > 1
            || self
                .state
                .live_legs()
                .any(|l| matches!(l.room, crate::state::Room::Conference(_)));
        let someone_coming = self.state.live_legs().any(|l| {
            !l.is_answered() && l.role != LegRole::Supervisor && !self.moves_live_leg(l.id)
        });
        if in_room
            || someone_coming
            || self.state.waiting.is_some()
            || self.parked_slot().is_some()
            || self.menu.is_some()
            || self.prompts.iter().any(|p| p.then != Then::Nothing)
        {
            return;
        }
        if reason.is_drop()
            && let (Some(queue), Some(customer)) =
                (self.state.served_by, self.state.customer().map(|l| l.id))
        {
            // The agent's phone was lost, not hung up: the customer goes back in line, ahead of newcomers.
            self.emit(
                ctx,
                Event::Unbridged {
                    legs: vec![customer],
                },
            );
            return self.enqueue(ctx, queue, 1, ctx.now);
        }
        self.end_all(ctx, reason, Some(was.id), detail);
    }
}
