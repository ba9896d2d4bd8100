//! Between interactions and the routing: asks one way, decisions the other, agents' logs beside.

use crate::core::Engine;
use crate::io::{Note, Output};
use cp_interaction::{Input as IxInput, RouteAsk, RouteEvent};
use cp_routing::{RouteError, RouterInput, RouterOutput, Ticket};
use cp_vocab::command::Actor;
use cp_vocab::event::{EventRecord, QueueExit, StreamId};
use cp_vocab::*;

impl Engine {
    /// A record in a stream that is not an interaction's; the store numbers it (`seq` 0).
    pub(crate) fn append_aside(
        &mut self,
        now: Timestamp,
        tenant: Option<TenantId>,
        stream: StreamId,
        event: Event,
    ) {
        let Some(tenant) = tenant else { return };
        let at = self.wall(now);
        self.append(EventRecord {
            stream,
            seq: 0,
            at,
            tenant,
            event,
        });
    }

    fn agent_event(&mut self, now: Timestamp, agent: AgentId, event: Event) {
        let tenant = self.index.agent(agent).map(|a| a.tenant);
        self.append_aside(now, tenant, StreamId::Agent(agent), event);
    }

    /// An input to the routing whose refusal concerns nobody (a lease of an agent deleted meanwhile).
    pub(crate) fn route(&mut self, now: Timestamp, input: RouterInput) {
        if let Err(e) = self.try_route(now, input) {
            self.put(Output::Note(Note::Refused { code: e.code() }));
        }
    }

    /// An input to the routing whose refusal somebody waits for.
    pub(crate) fn try_route(
        &mut self,
        now: Timestamp,
        input: RouterInput,
    ) -> Result<(), RouteError> {
        let result = self.router.handle(now, input);
        self.drain_router();
        result
    }

    pub(crate) fn drain_router(&mut self) {
        while let Some(output) = self.router.poll() {
            self.routed.push_back(output);
        }
    }

    pub(crate) fn route_ask(&mut self, now: Timestamp, id: InteractionId, ask: RouteAsk) {
        let Some(tenant) = self.interactions.get(&id).map(|e| e.tenant) else {
            return;
        };
        match ask {
            RouteAsk::Enqueue {
                queue,
                priority,
                skills,
                since,
            } => {
                let ticket = Ticket {
                    interaction: id,
                    tenant,
                    queue,
                    priority,
                    skills: skills.into_iter().collect(),
                    since,
                    preferred_agent: None,
                };
                if self.try_route(now, RouterInput::Enqueue(ticket)).is_err() {
                    let event = RouteEvent::Overflow {
                        queue,
                        to: None,
                        why: QueueExit::Released,
                    };
                    self.work.push_back((id, IxInput::Route(event)));
                }
            }
            RouteAsk::Remove { exit } => self.route(
                now,
                RouterInput::Remove {
                    interaction: id,
                    exit,
                },
            ),
            RouteAsk::SetPriority { priority } => self.route(
                now,
                RouterInput::SetPriority {
                    interaction: id,
                    priority,
                },
            ),
            RouteAsk::Accepted { offer } => self.route(now, RouterInput::Accepted { offer }),
            RouteAsk::Rejected { offer } => self.route(now, RouterInput::Rejected { offer }),
            RouteAsk::Unreachable { offer } => self.route(now, RouterInput::Unreachable { offer }),
            RouteAsk::Occupy { agent, queue } => self.route(
                now,
                RouterInput::Direct {
                    agent,
                    interaction: id,
                    queue,
                },
            ),
            RouteAsk::WorkEnded { agent, wrap_up } => self.route(
                now,
                RouterInput::WorkEnded {
                    agent,
                    interaction: id,
                    wrap_up,
                },
            ),
        }
    }

    fn tell(&mut self, interaction: InteractionId, event: RouteEvent) {
        self.work.push_back((interaction, IxInput::Route(event)));
    }

    pub(crate) fn route_output(&mut self, now: Timestamp, output: RouterOutput) {
        match output {
            RouterOutput::Queued {
                interaction,
                queue,
                priority,
                position,
                wait_estimate_ms,
            } if self.interactions.contains_key(&interaction) => self.tell(
                interaction,
                RouteEvent::Queued {
                    queue,
                    priority,
                    position,
                    wait_estimate_ms,
                },
            ),
            // It ended while it was being taken in.
            RouterOutput::Queued { interaction, .. } => {
                let exit = QueueExit::Abandoned;
                self.route(now, RouterInput::Remove { interaction, exit });
            }
            RouterOutput::Announce {
                interaction,
                queue,
                position,
                wait_estimate_ms,
            } => self.tell(
                interaction,
                RouteEvent::Announce {
                    queue,
                    position,
                    wait_estimate_ms,
                },
            ),
            RouterOutput::Offer {
                offer,
                interaction,
                agent,
                queue,
                deadline,
                explain,
            } => {
                if !self.interactions.contains_key(&interaction) {
                    return self.route(
                        now,
                        RouterInput::Remove {
                            interaction,
                            exit: QueueExit::Abandoned,
                        },
                    );
                }
                let queue = Some(queue);
                self.tell(
                    interaction,
                    RouteEvent::Offer {
                        offer,
                        agent,
                        queue,
                        deadline,
                        explain,
                    },
                )
            }
            RouterOutput::OfferEnded {
                offer,
                interaction,
                agent,
                how,
            } => self.tell(interaction, RouteEvent::OfferEnded { offer, agent, how }),
            RouterOutput::Overflow {
                interaction,
                queue,
                to,
                why,
                ..
            } => self.tell(interaction, RouteEvent::Overflow { queue, to, why }),
            RouterOutput::Refused {
                interaction,
                queue,
                code,
                overflow,
            } => {
                self.put(Output::Note(Note::Refused { code }));
                self.tell(
                    interaction,
                    RouteEvent::Overflow {
                        queue,
                        to: overflow,
                        why: QueueExit::Overflowed,
                    },
                )
            }
            // The interaction wrote `queue.left` itself when it left.
            RouterOutput::Left { .. } => {}
            other => self.route_agent_output(now, other),
        }
    }

    /// Decisions about agents: their own log, and the wrap-up of their interactions.
    fn route_agent_output(&mut self, now: Timestamp, output: RouterOutput) {
        match output {
            RouterOutput::AgentState {
                agent,
                state,
                interaction,
            } => self.agent_event(
                now,
                agent,
                Event::RoutingStateChanged {
                    agent,
                    state,
                    interaction,
                },
            ),
            RouterOutput::PresenceSet {
                agent, presence, ..
            } => {
                // Asked for now, or while there was still work.
                let asked = self.next_presence_by.remove(&agent);
                let by = self.presence_by.take().or(asked).unwrap_or(Actor::System);
                self.agent_event(
                    now,
                    agent,
                    Event::PresenceChanged {
                        agent,
                        presence,
                        by,
                    },
                )
            }
            RouterOutput::NextPresence { agent, presence } => {
                let by = self.presence_by.take().unwrap_or(Actor::System);
                match presence {
                    Some(_) => self.next_presence_by.insert(agent, by),
                    None => self.next_presence_by.remove(&agent),
                };
                self.agent_event(
                    now,
                    agent,
                    Event::NextPresenceSet {
                        agent,
                        presence,
                        by,
                    },
                )
            }
            RouterOutput::LeaseLost { agent, what } => {
                let what = what.to_string();
                self.agent_event(now, agent, Event::LeaseLost { agent, what })
            }
            RouterOutput::WrapUpStarted {
                agent,
                interaction,
                until,
            }
            | RouterOutput::WrapUpExtended {
                agent,
                interaction,
                until,
            } => {
                let until = self.wall(until);
                self.tell(interaction, RouteEvent::WrapUpStarted { agent, until })
            }
            RouterOutput::WrapUpEnded {
                agent,
                interaction,
                timed_out,
            } => self.tell(interaction, RouteEvent::WrapUpEnded { agent, timed_out }),
            _ => {}
        }
    }
}
