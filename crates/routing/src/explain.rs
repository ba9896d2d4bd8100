//! Why, and how it stands: explanations of decisions and the live figures.

use crate::agent::AgentSlot;
use crate::classes::{level_of, requirement};
use crate::offers::Chosen;
use crate::router::{BY_IDLE, FINISHED_MAX, Router};
use crate::ticket::{Decided, TicketSlot};
use crate::view::{
    AgentView, Candidate, Decision, Explain, QueueStats, Reason, ReasonCount, StateCounts,
};
use cp_vocab::Timestamp;
use cp_vocab::id::*;
use cp_vocab::model::{SelectionRule, SkillLevel};
use rustc_hash::FxHashMap;
use std::fmt::Write;

impl StateCounts {
    /// All but the offline ones.
    pub fn signed_in(&self) -> u32 {
        self.available
            + self.unreachable
            + self.offered
            + self.interacting
            + self.wrap_up
            + self.not_responding
            + self.away
    }
}

impl Router {
    /// Notes what a decision was made from. Called when the agent has left the idle ones and
    /// before the offer is in the books.
    pub(crate) fn decide(
        &self,
        now: Timestamp,
        offer: OfferId,
        ticket: u32,
        agent: u32,
        how: Chosen,
    ) -> Decided {
        let waiting = &self.tickets[ticket as usize];
        let (mut eligible, mut runner_up) = (1, None);
        if how != Chosen::ByAgent && !self.idle[BY_IDLE].is_empty() {
            eligible += self.idle[BY_IDLE].count(self.classes.takers(waiting.class));
            runner_up = self
                .runner_up(ticket, agent)
                .map(|slot| self.agents[slot as usize].candidate(now));
        }
        Decided {
            at: now,
            offer,
            rule: self.classes.task(waiting.class).rule,
            how,
            chosen: self.agents[agent as usize].candidate(now),
            eligible,
            runner_up,
            members: self.members[waiting.queue as usize],
            waited_ms: waiting.entered_ms(now),
            ended: None,
        }
    }

    /// Keeps what is known of an interaction that left.
    pub(crate) fn finish(&mut self, ticket: Box<TicketSlot>) {
        let interaction = ticket.interaction;
        if self.finished.insert(interaction, ticket).is_some() {
            return;
        }
        self.finished_order.push_back(interaction);
        if self.finished_order.len() > FINISHED_MAX
            && let Some(oldest) = self.finished_order.pop_front()
        {
            self.finished.remove(&oldest);
        }
    }

    /// Why it was routed as it was; of waiting ones, of those being worked on and of the last few
    /// thousand that left.
    pub fn explain(&self, interaction: InteractionId, now: Timestamp) -> Option<Explain> {
        if let Some(ticket) = self.ticket_by.get(&interaction) {
            let slot = &self.tickets[*ticket as usize];
            let ahead = self.ahead(*ticket);
            return Some(Explain {
                position: Some(ahead + 1),
                wait_estimate: self.estimate(slot.queue, ahead),
                not_taken_by: self.reasons(now, slot),
                ..self.explanation(slot)
            });
        }
        if let Some(agent) = self.taken.get(&interaction) {
            let work = &self.agents[*agent as usize].work;
            let ticket = work
                .iter()
                .find(|w| w.interaction == interaction)
                .and_then(|w| w.ticket.as_ref())?;
            return Some(self.explanation(ticket));
        }
        self.finished
            .get(&interaction)
            .map(|ticket| self.explanation(ticket))
    }

    fn explanation(&self, ticket: &TicketSlot) -> Explain {
        let config = self
            .queue_by
            .get(&ticket.queue_id)
            .map(|n| &self.queues[*n as usize].config);
        let (wanted, queues) = config
            .map(|q| requirement(q, ticket.stage, &ticket.extra))
            .unwrap_or_default();
        Explain {
            interaction: ticket.interaction,
            queue: ticket.queue_id,
            priority: ticket.priority + config.map_or(0, |q| q.priority),
            since: ticket.since,
            wanted: wanted
                .iter()
                .map(|(skill, level)| SkillLevel {
                    skill: *skill,
                    level: *level,
                })
                .collect(),
            queues: queues.to_vec(),
            position: None,
            wait_estimate: None,
            not_taken_by: Vec::new(),
            steps: ticket.trail.steps.iter().cloned().collect(),
            decisions: ticket.trail.decisions.iter().map(Decided::told).collect(),
            decisions_dropped: ticket.trail.dropped,
        }
    }

    /// Every agent of the tenant under the first reason that keeps this ticket away.
    fn reasons(&self, _now: Timestamp, ticket: &TicketSlot) -> Vec<ReasonCount> {
        let mut counts: FxHashMap<Reason, u32> = FxHashMap::default();
        let task = self.classes.task(ticket.class);
        for (slot, agent) in &self.agents {
            if agent.config.tenant != ticket.tenant {
                continue;
            }
            let in_queue = task
                .queues
                .iter()
                .any(|q| agent.queues.binary_search(q).is_ok());
            let reason = if !in_queue {
                Reason::NotInQueue
            } else if let Some(lack) = agent.lacks(&task.skills) {
                lack
            } else if let Some(obstacle) = agent.obstacle() {
                obstacle
            } else if ticket.avoids(slot as u32) {
                Reason::AvoidedByTicket
            } else {
                Reason::NotFirst
            };
            *counts.entry(reason).or_default() += 1;
        }
        let mut list: Vec<ReasonCount> = counts
            .into_iter()
            .map(|(reason, agents)| ReasonCount { reason, agents })
            .collect();
        list.sort_unstable_by_key(|c| c.reason);
        list
    }

    /// Live figures; `None` when there is no such queue.
    pub fn queue_stats(&self, queue: QueueId, now: Timestamp) -> Option<QueueStats> {
        let number = *self.queue_by.get(&queue)?;
        let slot = &self.queues[number as usize];
        let day = slot.day(now, self.config.day_offset_s);
        let members = self.members[number as usize];
        let waiting = slot.order.len() as u32;
        let mut estimated_wait = self.estimate(number, waiting);
        if waiting == 0 && members.available > 0 {
            estimated_wait = Some(Default::default());
        }
        let oldest = slot.oldest(|t| self.tickets[t as usize].since);
        Some(QueueStats {
            queue,
            name: slot.config.name.clone(),
            waiting,
            ringing: slot.ringing,
            longest_wait_ms: oldest.map_or(0, |t| now.since(t).as_millis() as u64),
            estimated_wait,
            service_level_pct: day.service_level_pct(),
            service_level_target_pct: slot.config.service_level_pct,
            service_level_ms: slot.config.service_level_ms,
            answered: day.answered,
            answered_in_time: day.answered_in_time,
            abandoned: day.abandoned,
            overflowed: day.overflowed,
            refused: day.refused,
            average_wait_ms: day.answered_wait_ms / day.answered.max(1),
            handle_ms: slot.model.handle_ms() as u64,
            patience_ms: slot.model.patience_ms() as u64,
            agents: members,
        })
    }

    /// One agent live; `None` when there is no such agent.
    /// The member of a queue who has been idle longest and has its skills: whom a colleague reaches who
    /// asks the queue for help. Looks at every agent, so it is for people's wishes, not for matching.
    pub fn free_agent(&self, queue: QueueId) -> Option<AgentId> {
        let number = *self.queue_by.get(&queue)?;
        let wanted: Vec<(SkillId, u8)> = self.queues[number as usize]
            .config
            .skills
            .iter()
            .map(|s| (s.skill, s.level))
            .collect();
        let agents = self.agents.iter().map(|(_, a)| a);
        let free =
            agents.filter(|a| a.listed && a.queues.contains(&number) && a.lacks(&wanted).is_none());
        free.min_by_key(|a| (a.idle_since, a.order)).map(|a| a.id)
    }

    pub fn agent_view(&self, agent: AgentId, now: Timestamp) -> Option<AgentView> {
        let slot = *self.agent_by.get(&agent)?;
        let who = &self.agents[slot as usize];
        let because = who.obstacle();
        Some(AgentView {
            agent,
            tenant: who.config.tenant,
            name: who.config.name.clone(),
            presence: who.presence.clone(),
            next_presence: who.next_presence.clone(),
            state: who.state,
            state_since: who.state_since,
            routable: because.is_none(),
            because,
            phone_until: who.phone_until,
            desktop_until: who.desktops.iter().map(|d| d.until).max(),
            offer: who.offer.map(|(id, _, _)| id),
            interactions: who.work.iter().map(|w| w.interaction).collect(),
            wrap_up_until: who.wrap_up.map(|w| w.until),
            occupancy: who.occupancy_now(now),
            answered: who.answered,
            missed: who.missed,
        })
    }

    /// The agents of the configuration, in no order.
    pub fn agents(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.agents.iter().map(|(_, a)| a.id)
    }

    /// The queues of the configuration, in no order.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> + '_ {
        self.queues.iter().map(|(_, q)| q.config.id)
    }

    /// The interactions waiting in a queue in their order, with whether each is being offered.
    pub fn waiting(&self, queue: QueueId) -> impl Iterator<Item = (InteractionId, bool)> + '_ {
        self.queue_by
            .get(&queue)
            .into_iter()
            .flat_map(|n| self.queues[*n as usize].order.iter())
            .map(|(_, _, ticket)| {
                let slot = &self.tickets[ticket as usize];
                (slot.interaction, slot.offer.is_some())
            })
    }

    /// The live offer of an interaction: offer, agent, deadline.
    pub fn offer_of(&self, interaction: InteractionId) -> Option<(OfferId, AgentId, Timestamp)> {
        let ticket = self.ticket_by.get(&interaction)?;
        let offer = self.tickets[*ticket as usize].offer?;
        let agent = self.agents[offer.agent as usize].id;
        Some((offer.id, agent, offer.deadline))
    }
}

impl AgentSlot {
    fn candidate(&self, now: Timestamp) -> Candidate {
        Candidate {
            agent: self.id,
            idle_ms: now.since(self.idle_since).as_millis() as u64,
            occupancy: self.occupancy_now(now),
        }
    }

    fn lacks(&self, wanted: &[(SkillId, u8)]) -> Option<Reason> {
        let mut skills: Vec<(SkillId, u8)> = self
            .config
            .skills
            .iter()
            .map(|s| (s.skill, s.level))
            .collect();
        skills.sort_unstable();
        wanted
            .iter()
            .map(|(skill, level)| (level_of(&skills, *skill), *level))
            .find(|(have, want)| have < want)
            .map(|(have, _)| {
                if have == 0 {
                    Reason::MissingSkill
                } else {
                    Reason::LevelTooLow
                }
            })
    }
}

impl Decided {
    fn told(&self) -> Decision {
        Decision {
            at: self.at,
            offer: self.offer,
            rule: self.rule,
            chosen: self.chosen,
            eligible: self.eligible,
            runner_up: self.runner_up,
            members: self.members,
            waited_ms: self.waited_ms,
            because: self.because(),
            ended: self.ended,
        }
    }

    /// One line for the agent's screen and the log.
    pub(crate) fn because(&self) -> String {
        let mut text = String::with_capacity(96);
        let wrote = self.write(&mut text);
        debug_assert!(wrote.is_ok(), "writing to a string does not fail");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let idle_s = self.chosen.idle_ms / 1_000;
        let busy_pct = (self.chosen.occupancy * 100.0).round() as u32;
        let able = self.eligible;
        match (self.how, self.rule) {
            (Chosen::ByAgent, _) => {
                text.push_str("became free; this one is first of those the agent can take");
            }
            (Chosen::Preferred, _) => write!(text, "preferred agent, idle {idle_s} s")?,
            (Chosen::Guarded, _) => write!(
                text,
                "least occupied ({busy_pct} %) of {able} able, all above the mean"
            )?,
            (_, SelectionRule::LongestIdle) => {
                write!(text, "longest idle ({idle_s} s) of {able} able")?;
            }
            (_, SelectionRule::LeastOccupied) => {
                write!(text, "least occupied ({busy_pct} %) of {able} able")?;
            }
            (_, SelectionRule::LeastFlexible) => {
                write!(text, "least flexible of {able} able, idle {idle_s} s")?;
            }
            (_, SelectionRule::BestScore) => {
                write!(text, "best score of {able} able, idle {idle_s} s")?;
            }
            (_, SelectionRule::RoundRobin) => write!(text, "next in turn of {able} able")?,
        }
        let tenths = self.waited_ms / 100;
        write!(text, "; waited {}.{} s", tenths / 10, tenths % 10)
    }
}
