//! Park and retrieve, with ring-back to the one who parked (S1.3 rules 6, 10 and 12).

use super::*;
use crate::state::Room;
use cp_vocab::command::CommandResult;

impl Interaction {
    pub(crate) fn park(
        &mut self,
        ctx: &mut Ctx<'_>,
        by: LegId,
        wanted: Option<&str>,
    ) -> CommandResult {
        let user = self
            .state
            .leg(by)
            .cloned()
            .expect("the command named a live leg");
        if self.state.consult.is_some() {
            return Err(Refusal::new(
                Code::Conflict,
                "A consultation is going on. End it first.",
            ));
        }
        let others: SmallVec<[LegId; 4]> = self
            .state
            .live_legs()
            .filter(|l| l.id != by && l.is_answered() && l.supervise.is_none())
            .map(|l| l.id)
            .collect();
        let rest = match others[..] {
            [rest] => rest,
            [] => {
                return Err(Refusal::new(
                    Code::LegState,
                    "There is nobody in the call who could be parked.",
                ));
            }
            _ => {
                return Err(Refusal::new(
                    Code::Conflict,
                    "A call of more than two parties cannot be parked.",
                ));
            }
        };
        let Some(slot) = ctx.directory.park_slot(self.state.tenant, wanted) else {
            return Err(Refusal::new(
                Code::Conflict,
                "That park slot is taken, or none is free.",
            ));
        };
        self.parked_by = Some((by, user.endpoint, user.agent, user.address.clone()));
        let to = Pii(slot.clone());
        self.emit(
            ctx,
            Event::TransferStarted {
                kind_of: TransferKind::Blind,
                by,
                to,
            },
        );
        self.emit(
            ctx,
            Event::Parked {
                leg: rest,
                slot: slot.clone(),
                by: Some(by),
            },
        );
        self.end_leg(ctx, by, EndReason::SelfTerminated);
        let at = ctx.now + std::time::Duration::from_millis(PARK_RETURN_MS);
        ctx.out.push(Output::Timer {
            kind: TimerKind::ParkReturn,
            at: Some(at),
        });
        Ok(CommandReply {
            slot: Some(slot),
            leg: Some(rest),
            ..Default::default()
        })
    }

    /// Rings a phone for the parked party (API: an agent's phone retrieves).
    pub(crate) fn retrieve(
        &mut self,
        ctx: &mut Ctx<'_>,
        slot: &str,
        agent: AgentId,
    ) -> CommandResult {
        if self.parked_slot() != Some(slot) {
            return Err(Refusal::new(
                Code::NotFound,
                "Nothing is parked in that slot.",
            ));
        }
        let to = ctx
            .directory
            .resolve(self.state.tenant, &DialTarget::Agent { agent })
            .map_err(|_| Refusal::new(Code::AgentState, "The agent's phone is not registered."))?;
        let leg = self.dial(
            ctx,
            to,
            LegRole::Agent,
            None,
            Purpose::Retrieve(slot.to_string()),
            RING_MS_DEFAULT,
        );
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    pub(crate) fn retrieved(&mut self, ctx: &mut Ctx<'_>, slot: String, leg: LegId) {
        let parked = self
            .state
            .live_legs()
            .find(|l| l.room == Room::Parked(slot.clone()))
            .map(|l| l.id);
        match parked {
            Some(parked) => {
                ctx.out.push(Output::Timer {
                    kind: TimerKind::ParkReturn,
                    at: None,
                });
                self.parked_by = None;
                self.park_attempts = 0;
                self.emit(ctx, Event::ParkRetrieved { slot, by: leg });
                self.bridge(ctx, parked, leg);
                let others: SmallVec<[LegId; 2]> = self
                    .purposes
                    .iter()
                    .filter(|(_, p)| matches!(p, Purpose::Retrieve(_) | Purpose::ParkReturn(_)))
                    .map(|(l, _)| *l)
                    .collect();
                for l in others {
                    self.dismiss(ctx, l, EndReason::Cancelled);
                }
            }
            // Somebody else was faster.
            None => self.end_leg(ctx, leg, EndReason::Cancelled),
        }
    }

    /// Nobody came for the call: ring the one who parked it.
    pub(crate) fn park_return(&mut self, ctx: &mut Ctx<'_>) {
        let Some(slot) = self.parked_slot().map(str::to_string) else {
            return;
        };
        self.park_attempts += 1;
        let target =
            self.parked_by
                .as_ref()
                .and_then(|(_, endpoint, agent, _)| match (agent, endpoint) {
                    (Some(agent), _) => Some(DialTarget::Agent { agent: *agent }),
                    (None, Endpoint::Phone(phone)) => Some(DialTarget::Phone { phone: *phone }),
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
                    None,
                    Purpose::ParkReturn(slot),
                    RING_MS_DEFAULT,
                );
            }
            None => self.park_return_failed(ctx, slot),
        }
    }

    pub(crate) fn park_return_failed(&mut self, ctx: &mut Ctx<'_>, slot: String) {
        if self.park_attempts >= PARK_ATTEMPTS_MAX {
            self.emit(
                ctx,
                Event::ParkReturned {
                    slot,
                    attempt: self.park_attempts,
                },
            );
            return self.end_all(ctx, EndReason::Unavailable, None, None);
        }
        let at = ctx.now + std::time::Duration::from_millis(PARK_RETURN_MS);
        ctx.out.push(Output::Timer {
            kind: TimerKind::ParkReturn,
            at: Some(at),
        });
    }
}
