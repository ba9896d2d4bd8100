//! Listen, whisper, barge, take over.

use super::*;
use cp_vocab::command::CommandResult;

impl Interaction {
    pub(crate) fn supervise(
        &mut self,
        ctx: &mut Ctx<'_>,
        agent: AgentId,
        mode: SuperviseMode,
    ) -> CommandResult {
        if self.state.talkers().count() < 2 {
            return Err(Refusal::new(
                Code::LegState,
                "There is no conversation to join yet.",
            ));
        }
        if self.agent_leg(agent).is_some() {
            return Err(Refusal::new(
                Code::Conflict,
                "This agent is in the call already.",
            ));
        }
        if self.state.live_legs().count() >= LEGS_MAX {
            return Err(Refusal::new(
                Code::Conflict,
                format!("A call holds at most {LEGS_MAX} parties."),
            ));
        }
        let to = ctx
            .directory
            .resolve(self.state.tenant, &DialTarget::Agent { agent })
            .map_err(|_| {
                Refusal::new(
                    Code::AgentState,
                    "The supervisor's phone is not registered.",
                )
            })?;
        let leg = self.dial(
            ctx,
            to,
            LegRole::Supervisor,
            None,
            Purpose::Supervise(mode),
            RING_MS_DEFAULT,
        );
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    pub(crate) fn set_mode(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        mode: SuperviseMode,
    ) -> CommandResult {
        match self.state.leg(leg).and_then(|l| l.supervise) {
            Some(before) if before == mode => Ok(CommandReply::default()),
            Some(_) => {
                self.emit(ctx, Event::SuperviseChanged { leg, mode });
                Ok(CommandReply::default())
            }
            None => Err(Refusal::new(Code::LegState, "This leg does not supervise.")),
        }
    }

    /// The supervisor takes the place of the agent, who leaves.
    pub(crate) fn take_over(&mut self, ctx: &mut Ctx<'_>, by: LegId) -> CommandResult {
        if self.state.leg(by).and_then(|l| l.supervise).is_none() {
            return Err(Refusal::new(Code::LegState, "This leg does not supervise."));
        }
        let from = self
            .state
            .talkers()
            .find(|l| l.role == LegRole::Agent && l.id != by)
            .map(|l| l.id);
        let Some(from) = from else {
            return Err(Refusal::new(
                Code::LegState,
                "There is no agent to take over from.",
            ));
        };
        if self.state.consult.as_ref().is_some_and(|c| c.by == from) {
            self.drop_consult(ctx);
        }
        self.emit(ctx, Event::TakenOver { by, from });
        self.end_leg(ctx, from, EndReason::Transferred);
        Ok(CommandReply::default())
    }
}
