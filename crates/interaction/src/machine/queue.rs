//! Waiting in a queue, offers to agents, and what follows an answer.

use super::*;
use cp_vocab::media::Sound;

impl Interaction {
    pub(crate) fn enter_queue(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        queue: QueueId,
        priority: i32,
    ) {
        let Some(config) = ctx.directory.queue(queue) else {
            return self.end_leg_with(ctx, leg, EndReason::NotFound, None);
        };
        if let Some(gate) = config.gate.clone() {
            let otherwise = gate
                .otherwise
                .map_or(Next::Queue(queue), |d| Next::Plan(*d));
            let awaiting = Awaiting {
                leg,
                then: Next::Queue(queue),
                otherwise,
                priority,
            };
            return self.begin_await(ctx, awaiting, gate.what, gate.timeout_ms);
        }
        self.pass_gate(ctx, leg, queue, priority);
    }

    /// Past the gate of a queue.
    pub(crate) fn pass_gate(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        queue: QueueId,
        priority: i32,
    ) {
        let Some(config) = ctx.directory.queue(queue) else {
            return self.end_leg_with(ctx, leg, EndReason::NotFound, None);
        };
        // The greeting is heard before the place in line is taken; a transferred or returned caller has heard it.
        if let Some(greeting) = config.greeting.clone()
            && self.state.served_by.is_none()
        {
            let then = Then::Enqueue(queue, priority);
            return self.play(ctx, leg, vec![greeting], true, then);
        }
        self.enqueue(ctx, queue, priority, ctx.now);
    }

    pub(crate) fn enqueue(
        &mut self,
        ctx: &mut Ctx<'_>,
        queue: QueueId,
        priority: i32,
        since: Timestamp,
    ) {
        self.ask(
            ctx,
            RouteAsk::Enqueue {
                queue,
                priority,
                skills: vec![],
                since,
            },
        );
    }

    pub(crate) fn route_event(&mut self, ctx: &mut Ctx<'_>, event: RouteEvent) {
        match event {
            RouteEvent::Queued {
                queue,
                priority,
                position,
                wait_estimate_ms,
            } => {
                // It ended, or went on, while the routing took it in.
                if self.waiting_party().is_none() {
                    let exit = QueueExit::Abandoned;
                    return self.ask(ctx, RouteAsk::Remove { exit });
                }
                self.emit(
                    ctx,
                    Event::Queued {
                        queue,
                        priority,
                        position,
                        wait_estimate_ms,
                    },
                );
            }
            RouteEvent::Announce {
                queue,
                position,
                wait_estimate_ms,
            } => self.announce(ctx, queue, position, wait_estimate_ms),
            RouteEvent::Offer {
                offer,
                agent,
                queue,
                deadline,
                explain,
            } => self.offered(ctx, offer, agent, queue, deadline, explain),
            RouteEvent::OfferEnded { offer, agent, how } => {
                self.offer_ended(ctx, offer, agent, how)
            }
            RouteEvent::Overflow { queue, to, why } => self.overflow(ctx, queue, to, why),
            RouteEvent::WrapUpStarted { agent, until } => {
                self.emit(ctx, Event::WrapUpStarted { agent, until })
            }
            RouteEvent::WrapUpEnded { agent, timed_out } => {
                if self.state.wrap_up.contains(&agent) {
                    self.emit(ctx, Event::WrapUpEnded { agent, timed_out });
                }
            }
        }
    }

    fn announce(
        &mut self,
        ctx: &mut Ctx<'_>,
        queue: QueueId,
        position: u32,
        wait_estimate_ms: Option<u64>,
    ) {
        let Some(leg) = self.waiting_leg().filter(|_| self.prompts.is_empty()) else {
            return;
        };
        self.emit(
            ctx,
            Event::QueueAnnounced {
                queue,
                position,
                wait_estimate_ms,
            },
        );
        let text = announcement(position, wait_estimate_ms);
        self.play(
            ctx,
            leg,
            vec![Sound::Speech { text, voice: None }],
            false,
            Then::Nothing,
        );
    }

    fn waiting_leg(&self) -> Option<LegId> {
        self.state.waiting.as_ref()?;
        self.waiting_party()
    }

    fn waiting_party(&self) -> Option<LegId> {
        if self.state.ended.is_some() || self.end_reason.is_some() {
            return None;
        }
        self.state.waiting_party().map(|l| l.id)
    }

    fn offered(
        &mut self,
        ctx: &mut Ctx<'_>,
        offer: OfferId,
        agent: AgentId,
        queue: Option<QueueId>,
        deadline: Timestamp,
        explain: String,
    ) {
        if self.waiting_leg().is_none() {
            let exit = QueueExit::Abandoned;
            return self.ask(ctx, RouteAsk::Remove { exit });
        }
        let resolved = ctx
            .directory
            .resolve(self.state.tenant, &DialTarget::Agent { agent });
        // The log shows wall-clock time; the routing counts on the monotonic line.
        let shown = ctx.wall + deadline.since(ctx.now);
        self.emit(
            ctx,
            Event::OfferMade {
                offer,
                agent,
                queue,
                deadline: shown,
                explain,
            },
        );
        match resolved {
            Ok(to) => {
                let ring_ms_max = (deadline.since(ctx.now).as_millis() as u64).max(1) + 1_000;
                let cause = self.waiting_leg();
                self.dial(
                    ctx,
                    to,
                    LegRole::Agent,
                    cause,
                    Purpose::Offer(offer),
                    ring_ms_max,
                );
            }
            Err(_) => self.ask(ctx, RouteAsk::Unreachable { offer }),
        }
    }

    fn offer_ended(&mut self, ctx: &mut Ctx<'_>, offer: OfferId, agent: AgentId, how: OfferEnd) {
        if self.state.offer.as_ref().is_none_or(|o| o.offer != offer) {
            return;
        }
        self.emit(ctx, Event::OfferEnded { offer, agent, how });
        if how != OfferEnd::Accepted {
            self.stop_ringing(ctx, offer, how);
        }
    }

    /// The phone that rings for an offer which is over.
    fn stop_ringing(&mut self, ctx: &mut Ctx<'_>, offer: OfferId, how: OfferEnd) {
        let ringing = self
            .purposes
            .iter()
            .find(|(_, p)| *p == Purpose::Offer(offer))
            .map(|(l, _)| *l);
        if let Some(leg) = ringing {
            self.take_purpose(leg);
            let reason = if how == OfferEnd::TimedOut {
                EndReason::NoAnswer
            } else {
                EndReason::Cancelled
            };
            self.end_leg(ctx, leg, reason);
        }
    }

    /// The agent's phone was answered: accept, leave the queue, connect.
    pub(crate) fn offer_answered(&mut self, ctx: &mut Ctx<'_>, offer: OfferId, leg: LegId) {
        self.ask(ctx, RouteAsk::Accepted { offer });
        let agent = self.state.leg(leg).and_then(|l| l.agent);
        if let (Some(o), Some(agent)) = (self.state.offer.clone(), agent)
            && o.offer == offer
        {
            self.emit(
                ctx,
                Event::OfferEnded {
                    offer,
                    agent,
                    how: OfferEnd::Accepted,
                },
            );
        }
        let customer = self.waiting_leg();
        self.leave_queue(ctx, QueueExit::Answered, false);
        self.stop_prompt(ctx);
        match customer {
            Some(customer) => self.bridge(ctx, customer, leg),
            None => self.end_leg(ctx, leg, EndReason::Cancelled),
        }
    }

    pub(crate) fn stop_prompt(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(leg) = self.prompts.first().map(|p| p.leg) {
            self.cut_prompt(ctx, leg);
        }
    }

    /// Leaves the queue; `tell`: the routing does not know yet.
    pub(crate) fn leave_queue(&mut self, ctx: &mut Ctx<'_>, exit: QueueExit, tell: bool) {
        if let Some(w) = self.state.waiting.clone() {
            if let Some(o) = self.state.offer.clone().filter(|_| tell) {
                let (offer, how) = (o.offer, OfferEnd::Cancelled);
                let agent = o.agent;
                self.emit(ctx, Event::OfferEnded { offer, agent, how });
                self.stop_ringing(ctx, offer, how);
            }
            let waited_ms = ctx.wall.since(w.since).as_millis() as u64;
            self.emit(
                ctx,
                Event::Dequeued {
                    queue: w.queue,
                    exit,
                    waited_ms,
                },
            );
            if tell {
                self.ask(ctx, RouteAsk::Remove { exit });
            }
        }
    }

    fn overflow(
        &mut self,
        ctx: &mut Ctx<'_>,
        queue: QueueId,
        to: Option<Destination>,
        why: QueueExit,
    ) {
        let leg = self.waiting_party();
        if self.state.waiting.is_some() {
            self.leave_queue(ctx, why, false);
        }
        let Some(leg) = leg else { return };
        self.stop_prompt(ctx);
        self.overflows += 1;
        match to {
            Some(Destination::Queue { queue: next }) if next == queue => self.farewell(ctx, leg),
            _ if self.overflows > OVERFLOWS_MAX => self.farewell(ctx, leg),
            Some(plan) => self.run(ctx, leg, plan),
            None => self.farewell(ctx, leg),
        }
    }

    /// Nobody can take it: say so and let the caller go.
    fn farewell(&mut self, ctx: &mut Ctx<'_>, leg: LegId) {
        let text = "All our agents are busy. Please call again later. Goodbye.".to_string();
        self.play(
            ctx,
            leg,
            vec![Sound::Speech { text, voice: None }],
            false,
            Then::End(EndReason::Unavailable),
        );
        let at = ctx.now + std::time::Duration::from_secs(15);
        ctx.out.push(Output::Timer {
            kind: TimerKind::Farewell,
            at: Some(at),
        });
    }
}

fn announcement(position: u32, wait_estimate_ms: Option<u64>) -> String {
    let place = if position <= 1 {
        "You are next in line.".to_string()
    } else {
        format!("You are number {position} in line.")
    };
    match wait_estimate_ms.map(|ms| ms.div_ceil(60_000)) {
        None => place,
        Some(0 | 1) => format!("{place} The estimated wait is about one minute."),
        Some(m) => format!("{place} The estimated wait is about {m} minutes."),
    }
}
