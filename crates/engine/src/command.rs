//! Commands from people and programs: who may do it is checked here once more (tenant, and for
//! agents that it is their own call), then they go to the interaction or the routing they name.

use crate::core::{Engine, Entry};
use crate::index::Index;
use crate::io::Output;
use cp_interaction::{Input as IxInput, Interaction};
use cp_routing::{LeaseEnd, LeaseKind, RouterInput};
use cp_vocab::command::{Actor, Command, CommandEnvelope, CommandReply, CommandResult};
use cp_vocab::event::LogPosition;
use cp_vocab::model::Snapshot;
use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::sync::Arc;

impl Engine {
    pub(crate) fn command(&mut self, now: Timestamp, envelope: CommandEnvelope) {
        let CommandEnvelope {
            id,
            tenant,
            actor,
            command,
        } = envelope;
        if let Some(result) = self.dispatch(now, id, tenant, actor, command) {
            self.put(Output::Reply {
                command: id,
                result,
                after: LogPosition::default(),
            });
        }
    }

    /// `None`: the interaction answers.
    fn dispatch(
        &mut self,
        now: Timestamp,
        id: CommandId,
        tenant: TenantId,
        actor: Actor,
        command: Command,
    ) -> Option<CommandResult> {
        let result = match command {
            Command::Configure { snapshot } => {
                self.configure(now, snapshot);
                Ok(CommandReply::default())
            }
            Command::Drain { on } => self.drain(on),
            Command::Pushed { agent, on } => self.pushed(now, tenant, actor, agent, on),
            command @ (Command::IdentityForwarding { .. }
            | Command::Live
            | Command::Bans
            | Command::OutboundUsage) => Ok(self.told(now, tenant, command)),
            Command::IdentityForget { numbers } => Ok(self.identity_forget(tenant, &numbers)),
            Command::Ban { address, seconds } => self.ban(now, address, seconds),
            Command::Device { device, ask } => self.device(now, tenant, actor, device, *ask),
            Command::Seats { leg, seats } => self.seats_command(tenant, actor, leg, seats),
            Command::Explain { interaction } => self.explain(now, tenant, interaction),
            command @ (Command::SetPresence { .. }
            | Command::Heartbeat { .. }
            | Command::EndSession { .. }
            | Command::FinishWrapUp { .. }
            | Command::ExtendWrapUp { .. }) => self.agent_command(now, tenant, actor, command),
            Command::Dial { agent, target } => match self.may_start(tenant, actor, Some(agent)) {
                Ok(()) => {
                    let input = IxInput::Dial {
                        agent,
                        target,
                        command: id,
                    };
                    self.start(now, tenant, Some(agent), input);
                    return None;
                }
                Err(e) => Err(e),
            },
            Command::Originate {
                target,
                destination,
                caller,
            } => match self.may_start(tenant, actor, None) {
                Ok(()) => {
                    let input = IxInput::Originate {
                        target,
                        plan: destination,
                        caller,
                        command: id,
                    };
                    self.start(now, tenant, None, input);
                    return None;
                }
                Err(e) => Err(e),
            },
            command @ (Command::Devices { .. }
            | Command::Fetch { .. }
            | Command::SwitchCall { .. }) => match self.device_command(tenant, actor, command) {
                Ok(switch) => return self.dispatch(now, id, tenant, actor, switch),
                Err(result) => *result,
            },
            Command::ReportCaller { interaction } => {
                self.report_caller(now, tenant, actor, interaction)
            }
            Command::TellContext {
                interaction,
                subject,
                context,
            } => self.context_told(now, tenant, interaction, subject, context),
            other => match self.target_of(tenant, actor, &other) {
                Ok(interaction) => {
                    self.work.push_back((
                        interaction,
                        IxInput::Command {
                            id,
                            actor,
                            command: other,
                        },
                    ));
                    return None;
                }
                Err(e) => Err(e),
            },
        };
        Some(result)
    }

    /// What is asked and changes nothing.
    fn told(&self, now: Timestamp, tenant: TenantId, command: Command) -> CommandReply {
        match command {
            Command::IdentityForwarding { number } => self.identity_figures(tenant, number),
            Command::Bans => self.bans(now),
            Command::OutboundUsage => self.outbound_usage(now, tenant),
            _ => self.live(now, tenant),
        }
    }

    /// A browser of the agent is told by a push from now on, or no more.
    fn pushed(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        actor: Actor,
        agent: AgentId,
        on: bool,
    ) -> CommandResult {
        let known = self.index.agent(agent).filter(|a| a.tenant == tenant);
        if known.is_none() || actor != Actor::System {
            let detail = "Only the house says who is reached by a push.";
            return Err(Refusal::new(Code::Forbidden, detail));
        }
        let kind = LeaseKind::Push;
        let input = if on {
            self.web.pushed.insert(agent);
            let until = Timestamp::FAR;
            RouterInput::Lease { agent, kind, until }
        } else {
            self.web.pushed.remove(&agent);
            let why = LeaseEnd::Lost;
            RouterInput::LeaseEnded { agent, kind, why }
        };
        self.routed(now, input)
    }

    fn drain(&mut self, on: bool) -> CommandResult {
        self.draining = on;
        Ok(CommandReply::default())
    }

    /// What an agent says of itself.
    fn agent_command(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        actor: Actor,
        command: Command,
    ) -> CommandResult {
        match command {
            Command::SetPresence { agent, presence } => {
                self.for_agent(tenant, actor, agent).and_then(|()| {
                    self.presence_by = Some(actor);
                    let done = self.routed(now, RouterInput::SetPresence { agent, presence });
                    self.run(now);
                    self.presence_by = None;
                    done
                })
            }
            Command::Heartbeat { agent, session } => {
                self.for_agent(tenant, actor, agent).and_then(|()| {
                    let kind = LeaseKind::Desktop(session);
                    self.routed(
                        now,
                        RouterInput::Lease {
                            agent,
                            kind,
                            until: Timestamp::FAR,
                        },
                    )
                })
            }
            Command::EndSession {
                agent,
                session,
                signed_out,
            } => self.for_agent(tenant, actor, agent).and_then(|()| {
                let kind = LeaseKind::Desktop(session);
                let why = match signed_out {
                    true => LeaseEnd::SignedOff,
                    false => LeaseEnd::Closed,
                };
                self.routed(now, RouterInput::LeaseEnded { agent, kind, why })
            }),
            Command::FinishWrapUp { agent } => self
                .for_agent(tenant, actor, agent)
                .and_then(|()| self.routed(now, RouterInput::FinishWrapUp { agent })),
            Command::ExtendWrapUp { agent, by_ms } => self
                .for_agent(tenant, actor, agent)
                .and_then(|()| self.routed(now, RouterInput::ExtendWrapUp { agent, by_ms })),
            _ => Err(Refusal::new(
                Code::BadRequest,
                "This command cannot be carried out here.",
            )),
        }
    }

    fn routed(&mut self, now: Timestamp, input: RouterInput) -> CommandResult {
        match self.try_route(now, input) {
            Ok(()) => Ok(CommandReply::default()),
            Err(e) => Err(Refusal::new(e.code(), sentence(&e.to_string()))),
        }
    }

    /// The agent exists in the tenant; an agent may speak for itself only.
    pub(crate) fn for_agent(
        &self,
        tenant: TenantId,
        actor: Actor,
        agent: AgentId,
    ) -> Result<(), Refusal> {
        if self.index.agent(agent).is_none_or(|a| a.tenant != tenant) {
            return Err(Refusal::new(Code::NotFound, "There is no such agent."));
        }
        match actor {
            Actor::Agent(me) if me != agent => Err(Refusal::new(
                Code::Forbidden,
                "An agent may do this for itself only.",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn may_start(
        &self,
        tenant: TenantId,
        actor: Actor,
        agent: Option<AgentId>,
    ) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::new(
                Code::Draining,
                "This node is being taken out of service. Try another.",
            ));
        }
        if !self.writable {
            return Err(Refusal::new(
                Code::StoreUnavailable,
                "The log cannot be written; new calls are refused.",
            ));
        }
        if self.interactions.len() >= self.config.interactions_max {
            return Err(Refusal::new(
                Code::Overload,
                "Too many interactions at this moment.",
            ));
        }
        match agent {
            Some(agent) => self.for_agent(tenant, actor, agent),
            None => Ok(()),
        }
    }

    fn start(&mut self, now: Timestamp, tenant: TenantId, agent: Option<AgentId>, input: IxInput) {
        let id: InteractionId = self.ids.next(now);
        let phone = agent
            .and_then(|a| self.index.agent(a))
            .and_then(|a| a.phone);
        let busy_on = phone.and_then(|p| {
            let endpoint = cp_vocab::event::Endpoint::Phone(p);
            self.legs
                .values()
                .find(|l| l.endpoint == endpoint)
                .and_then(|l| l.worker())
        });
        let busy_on = busy_on.or_else(|| agent.and_then(|a| self.worker_of(a)));
        let worker = busy_on.unwrap_or_else(|| self.ports.least_used());
        let interaction = Interaction::new(id, tenant);
        self.interactions.insert(
            id,
            Entry {
                interaction,
                tenant,
                worker,
                seq: 0,
                timers: FxHashMap::default(),
            },
        );
        self.work.push_back((id, input));
    }

    /// The interaction a command is for, if the actor may command it.
    pub(crate) fn target_of(
        &self,
        tenant: TenantId,
        actor: Actor,
        command: &Command,
    ) -> Result<InteractionId, Refusal> {
        let (interaction, leg) = match command {
            Command::HangUp { interaction }
            | Command::AddParty { interaction, .. }
            | Command::Supervise { interaction, .. }
            | Command::StartRecording { interaction }
            | Command::PauseRecording { interaction }
            | Command::ResumeRecording { interaction }
            | Command::StopRecording { interaction }
            | Command::Requeue { interaction, .. }
            | Command::SetPriority { interaction, .. }
            | Command::ReportCaller { interaction }
            | Command::EndAwait { interaction, .. }
            | Command::Tell { interaction, .. }
            | Command::WrapUp { interaction, .. } => (Some(*interaction), None),
            Command::HangUpLeg { leg }
            | Command::Hold { leg }
            | Command::Resume { leg }
            | Command::Mute { leg, .. }
            | Command::Switch { leg, .. }
            | Command::BlindTransfer { leg, .. }
            | Command::Consult { leg, .. }
            | Command::CompleteTransfer { leg }
            | Command::Merge { leg }
            | Command::CancelConsult { leg }
            | Command::Park { leg, .. }
            | Command::SetSuperviseMode { leg, .. }
            | Command::TakeOver { leg }
            | Command::Play { leg, .. }
            | Command::StopPlaying { leg }
            | Command::Collect { leg, .. }
            | Command::Seats { leg, .. }
            | Command::SendDigits { leg, .. } => {
                let id = self.interaction_of(*leg);
                (id.or_else(|| self.recent.interaction_of(*leg)), Some(*leg))
            }
            Command::AcceptOffer { offer } | Command::RejectOffer { offer } => {
                let gone = || Refusal::new(Code::OfferGone, "The offer is no longer open.");
                (Some(*self.offers.get(offer).ok_or_else(gone)?), None)
            }
            Command::Retrieve { slot, .. } => {
                (self.parked.get(&(tenant, slot.clone())).copied(), None)
            }
            _ => {
                return Err(Refusal::new(
                    Code::BadRequest,
                    "This command cannot be carried out here.",
                ));
            }
        };
        let missing = || Refusal::new(Code::NotFound, "There is no such interaction or leg now.");
        let id = interaction.ok_or_else(missing)?;
        if self.recent.ended(id, tenant) {
            return Err(Refusal::new(
                Code::InteractionEnded,
                "The interaction has ended.",
            ));
        }
        let entry = self
            .interactions
            .get(&id)
            .filter(|e| e.tenant == tenant)
            .ok_or_else(missing)?;
        self.own(actor, &entry.interaction, leg, command)?;
        if let Command::Switch { leg, to, .. } = command {
            self.may_switch(entry.interaction.state(), *leg, *to)?;
        }
        Ok(id)
    }

    /// Agents command their own calls; supervisors, administrators and programs any of the tenant.
    fn own(
        &self,
        actor: Actor,
        interaction: &Interaction,
        leg: Option<LegId>,
        command: &Command,
    ) -> Result<(), Refusal> {
        if let Command::Tell { event, .. } = command
            && (actor != Actor::System || !event.is_aside())
        {
            let detail = "Only the house writes such events into a log.";
            return Err(Refusal::new(Code::Forbidden, detail));
        }
        let Actor::Agent(me) = actor else {
            return Ok(());
        };
        let forbidden = || Refusal::new(Code::Forbidden, "This is not your call.");
        let mine = match command {
            Command::AcceptOffer { offer } | Command::RejectOffer { offer } => interaction
                .state()
                .offer
                .as_ref()
                .is_some_and(|o| o.offer == *offer && o.agent == me),
            Command::WrapUp { agent, .. } => {
                *agent == me && interaction.state().legs.iter().any(|l| l.agent == Some(me))
            }
            Command::Supervise { agent, .. } | Command::Retrieve { agent, .. } => *agent == me,
            _ => match leg {
                // Ending or muting the other party of one's own call is part of the work.
                Some(leg) => {
                    let at_own = interaction
                        .state()
                        .leg(leg)
                        .is_some_and(|l| l.agent == Some(me));
                    let light = matches!(
                        command,
                        Command::HangUpLeg { .. }
                            | Command::Play { .. }
                            | Command::SendDigits { .. }
                    );
                    at_own || (light && interaction.agent_leg(me).is_some())
                }
                None if interaction.state().ended.is_some() => {
                    interaction.state().legs.iter().any(|l| l.agent == Some(me))
                }
                None => interaction.agent_leg(me).is_some(),
            },
        };
        if mine { Ok(()) } else { Err(forbidden()) }
    }

    /// Takes a changed configuration into use: running interactions keep what they began with.
    pub(crate) fn configure(&mut self, now: Timestamp, snapshot: Arc<Snapshot>) {
        let gone: Vec<PhoneId> = self
            .index
            .snapshot
            .phones
            .iter()
            .filter(|p| {
                !snapshot
                    .phones
                    .iter()
                    .any(|n| n.id == p.id && n.ha1_md5 == p.ha1_md5)
            })
            .map(|p| p.id)
            .collect();
        let old = std::mem::replace(&mut self.index, Index::new(snapshot)).snapshot;
        self.identity.configure(&self.index.snapshot);
        self.tell_lifted(now, &old);
        self.tell_emergency(now, &old);
        for phone in gone {
            // Deleted, or its password changed: what was registered with the old one is not trusted.
            self.ua.drop_phone(now, phone);
        }
        let trunks = self.trunk_configs();
        self.ua.configure_trunks(now, trunks);
        let agents = self.index.snapshot.agents.clone();
        let queues = self.index.snapshot.queues.clone();
        self.route(now, RouterInput::Configure { agents, queues });
        // An agent who got a phone that is registered already.
        let held: Vec<AgentId> = self
            .index
            .snapshot
            .phones
            .iter()
            .filter(|p| self.ua.contacts(p.id).next().is_some())
            .filter_map(|p| p.agent)
            .collect();
        for agent in held {
            self.route(
                now,
                RouterInput::Lease {
                    agent,
                    kind: LeaseKind::Phone,
                    until: Timestamp::FAR,
                },
            );
        }
    }

    fn explain(
        &self,
        now: Timestamp,
        tenant: TenantId,
        interaction: InteractionId,
    ) -> CommandResult {
        let of_tenant = self
            .interactions
            .get(&interaction)
            .is_none_or(|e| e.tenant == tenant);
        let explain = of_tenant
            .then(|| self.router.explain(interaction, now))
            .flatten();
        match explain {
            Some(e) => Ok(CommandReply {
                document: serde_json::to_value(e).ok(),
                ..Default::default()
            }),
            None => Err(Refusal::new(
                Code::NotFound,
                "No routing decision is known for this interaction.",
            )),
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) => format!("{}{}.", c.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}
