//! Consultation: hold the other party, ask a third one, then connect them, come together, or return.

use super::transfer::unreachable_target;
use super::*;
use crate::state::Consult;
use cp_vocab::command::CommandResult;

impl Interaction {
    pub(crate) fn consult(
        &mut self,
        ctx: &mut Ctx<'_>,
        by: LegId,
        target: &DialTarget,
    ) -> CommandResult {
        if self.state.consult.is_some() {
            return Err(Refusal::new(
                Code::Conflict,
                "A consultation is going on already.",
            ));
        }
        if self.other_party(by).is_none() {
            return Err(Refusal::new(
                Code::LegState,
                "There is nobody to consult about.",
            ));
        }
        let to = ctx
            .directory
            .resolve(self.state.tenant, target)
            .map_err(unreachable_target)?;
        let leg = self.dial(
            ctx,
            to,
            LegRole::Consulted,
            Some(by),
            Purpose::Consult,
            RING_MS_DEFAULT,
        );
        self.emit(ctx, Event::ConsultStarted { by, leg });
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    pub(crate) fn complete_transfer(&mut self, ctx: &mut Ctx<'_>, by: LegId) -> CommandResult {
        let Some(c) = self.state.consult.clone().filter(|c| c.by == by) else {
            return Err(Refusal::new(
                Code::LegState,
                "There is no consultation to complete.",
            ));
        };
        let Some(rest) = self.other_party(by).map(|l| l.id) else {
            return Err(Refusal::new(
                Code::LegState,
                "The party to be transferred has left.",
            ));
        };
        let answered = self.state.leg(c.leg).is_some_and(Leg::is_answered);
        self.finish_consult(ctx, c, by, rest, answered);
        Ok(CommandReply {
            leg: Some(rest),
            ..Default::default()
        })
    }

    pub(crate) fn finish_consult(
        &mut self,
        ctx: &mut Ctx<'_>,
        c: Consult,
        by: LegId,
        rest: LegId,
        answered: bool,
    ) {
        let shown = self
            .state
            .leg(c.leg)
            .map(|l| l.address.user().to_string())
            .unwrap_or_default();
        self.emit(
            ctx,
            Event::TransferStarted {
                kind_of: TransferKind::Attended,
                by,
                to: Pii(shown),
            },
        );
        self.emit(
            ctx,
            Event::ConsultEnded {
                by,
                leg: c.leg,
                completed: true,
            },
        );
        if answered {
            self.bridge(ctx, rest, c.leg);
            self.emit(
                ctx,
                Event::TransferCompleted {
                    kind_of: TransferKind::Attended,
                    by,
                    to_leg: Some(c.leg),
                },
            );
        } else {
            // Still ringing: the waiting party hears it ring from now on.
            self.take_purpose(c.leg);
            self.purposes.push((c.leg, Purpose::TransferTarget));
            self.leave_conference(ctx, rest);
            self.emit(ctx, Event::Unbridged { legs: vec![rest] });
        }
        self.end_leg(ctx, by, EndReason::Transferred);
    }

    /// One side of a consultation ended. The asker's hanging up completes it, as on every desk phone;
    /// the consulted party's brings the others back together.
    pub(crate) fn consult_side_ended(
        &mut self,
        ctx: &mut Ctx<'_>,
        c: Consult,
        was: &Leg,
        reason: EndReason,
    ) {
        if was.id == c.leg {
            self.take_purpose(c.leg);
            return self.emit(
                ctx,
                Event::ConsultEnded {
                    by: c.by,
                    leg: c.leg,
                    completed: false,
                },
            );
        }
        let rest = self
            .other_party(c.by)
            .filter(|l| l.id != c.leg)
            .map(|l| l.id);
        match rest {
            Some(rest) if !reason.is_drop() => {
                let answered = self.state.leg(c.leg).is_some_and(Leg::is_answered);
                self.finish_consult(ctx, c, was.id, rest, answered);
            }
            // The asker's phone was lost: the third party knows too little to be left with the call.
            _ => {
                self.dismiss(ctx, c.leg, EndReason::Cancelled);
                self.party_left(ctx, was, reason, None);
            }
        }
    }

    pub(crate) fn cancel_consult(&mut self, ctx: &mut Ctx<'_>, by: LegId) -> CommandResult {
        if self.state.consult.as_ref().is_none_or(|c| c.by != by) {
            return Err(Refusal::new(
                Code::LegState,
                "There is no consultation to cancel.",
            ));
        }
        self.drop_consult(ctx);
        Ok(CommandReply::default())
    }

    pub(crate) fn drop_consult(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(c) = self.state.consult.clone() {
            self.end_leg(ctx, c.leg, EndReason::Released);
        }
    }

    /// Consultation to conference.
    pub(crate) fn merge(&mut self, ctx: &mut Ctx<'_>, by: LegId) -> CommandResult {
        let Some(c) = self.state.consult.clone().filter(|c| c.by == by) else {
            return Err(Refusal::new(
                Code::LegState,
                "There is no consultation to merge.",
            ));
        };
        if !self.state.leg(c.leg).is_some_and(Leg::is_answered) {
            return Err(Refusal::new(
                Code::LegState,
                "The consulted party has not answered yet.",
            ));
        }
        let mut legs: Vec<LegId> = self.state.talkers().map(|l| l.id).collect();
        legs.push(c.leg);
        self.emit(ctx, Event::Merged { legs });
        Ok(CommandReply::default())
    }

    pub(crate) fn merge_in(&mut self, ctx: &mut Ctx<'_>, leg: LegId) {
        // Who is added to somebody in a room joins the room.
        let room = self.state.live_legs().find_map(|l| match l.room {
            crate::state::Room::Conference(c) => Some(c),
            _ => None,
        });
        if let Some(conference) = room {
            return self.join_conference(ctx, leg, conference);
        }
        let mut legs: Vec<LegId> = self.state.talkers().map(|l| l.id).collect();
        legs.push(leg);
        self.emit(ctx, Event::Merged { legs });
    }

    pub(crate) fn add_party(&mut self, ctx: &mut Ctx<'_>, target: &DialTarget) -> CommandResult {
        if self.state.live_legs().count() >= LEGS_MAX {
            return Err(Refusal::new(
                Code::Conflict,
                format!("A call holds at most {LEGS_MAX} parties."),
            ));
        }
        let to = ctx
            .directory
            .resolve(self.state.tenant, target)
            .map_err(unreachable_target)?;
        let role = if to.agent.is_some() {
            LegRole::Agent
        } else {
            LegRole::Party
        };
        let leg = self.dial(ctx, to, role, None, Purpose::AddParty, RING_MS_DEFAULT);
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }
}
