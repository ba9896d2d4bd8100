//! Matching, offers and their ends. A ticket has at most one offer and an agent at most one, so an
//! offer has exactly one winner.

use crate::agent::{NotResponding, UNREACHABLE_MAX, Work};
use crate::io::{RouteError, RouterOutput};
use crate::router::{BY_IDLE, BY_OCCUPANCY, BY_TURN, Router};
use crate::ticket::LiveOffer;
use cp_vocab::Timestamp;
use cp_vocab::event::{OfferEnd, QueueExit};
use cp_vocab::id::*;
use cp_vocab::model::SelectionRule;
use std::cmp::Reverse;
use std::time::Duration;

/// How fast the shares of an agent's queues follow what the agent really takes.
const SHARE_STEP: f64 = 0.1;
/// An agent counts at least this part of an even share for each of its queues, so that a queue
/// that was quiet for a while is not told an endless wait.
const SHARE_FLOOR: f64 = 0.25;

/// Why an agent got a ticket, for the explanation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chosen {
    /// The ticket looked for an agent and this one was first by the rule.
    ByRule,
    Preferred,
    /// The least flexible were all too busy, so the least occupied.
    Guarded,
    /// The agent became free and this ticket was first of those it can take.
    ByAgent,
}

impl Router {
    /// An agent became free: the ticket with the lowest key among those it can take.
    pub(crate) fn offer_to_agent(&mut self, now: Timestamp, slot: u32) -> bool {
        let class = self.agents[slot as usize].class;
        let tickets = &self.tickets;
        let found = self.waiting.best(self.classes.tasks_for(class), |ticket| {
            !tickets[ticket as usize].avoids(slot)
        });
        let Some(found) = found else {
            return false;
        };
        self.unlist_ticket(found.slot);
        self.make_offer(now, found.slot, slot, Chosen::ByAgent);
        true
    }

    /// A ticket wants an agent: the first by its queue's rule among the idle ones who can take it.
    pub(crate) fn offer_to_ticket(&mut self, now: Timestamp, ticket: u32) -> bool {
        let Some((agent, chosen)) = self.pick(now, ticket) else {
            return false;
        };
        self.unlist_agent(agent);
        self.make_offer(now, ticket, agent, chosen);
        self.refresh(now, agent);
        true
    }

    fn pick(&self, now: Timestamp, ticket: u32) -> Option<(u32, Chosen)> {
        let waiting = &self.tickets[ticket as usize];
        let takers = self.classes.takers(waiting.class);
        if let Some(preferred) = waiting.preferred
            && let Some(slot) = self.agent_by.get(&preferred)
        {
            let agent = &self.agents[*slot as usize];
            if agent.listed && takers.has(agent.class) && !waiting.avoids(*slot) {
                return Some((*slot, Chosen::Preferred));
            }
        }
        let allowed = |agent: u32| !waiting.avoids(agent);
        let rule = self.classes.task(waiting.class).rule;
        let found = match rule {
            SelectionRule::LongestIdle => self.idle[BY_IDLE].best(takers, allowed),
            SelectionRule::LeastOccupied => self.idle[BY_OCCUPANCY].best(takers, allowed),
            SelectionRule::RoundRobin => self.idle[BY_TURN].best(takers, allowed),
            SelectionRule::BestScore => self.idle[BY_IDLE].best_ranked(
                takers,
                |agents| Reverse(self.classes.score(waiting.class, agents)),
                allowed,
            ),
            SelectionRule::LeastFlexible => return self.least_flexible(now, ticket),
        };
        found.map(|e| (e.slot, Chosen::ByRule))
    }

    /// Agents who can do least go first, to keep the able ones free; but nobody far above the mean
    /// occupancy. If all are, the least occupied.
    fn least_flexible(&self, now: Timestamp, ticket: u32) -> Option<(u32, Chosen)> {
        let waiting = &self.tickets[ticket as usize];
        let takers = self.classes.takers(waiting.class);
        let pool = self.pool_by.get(&waiting.tenant).copied().unwrap_or(0);
        let limit = self.pools[pool as usize].mean(now) + self.config.occupancy_guard;
        let allowed = |agent: u32| !waiting.avoids(agent);
        let fresh = self.idle[BY_IDLE].best_ranked(
            takers,
            |agents| self.classes.flexibility(agents),
            |agent| allowed(agent) && self.agents[agent as usize].occupancy_now(now) <= limit,
        );
        if let Some(found) = fresh {
            return Some((found.slot, Chosen::ByRule));
        }
        let found = self.idle[BY_OCCUPANCY].best(takers, allowed)?;
        Some((found.slot, Chosen::Guarded))
    }

    /// Both have left their indexes. The caller refreshes the agent.
    fn make_offer(&mut self, now: Timestamp, ticket: u32, agent: u32, chosen: Chosen) {
        let id: OfferId = self.ids.next(now);
        let decision = self.decide(now, id, ticket, agent, chosen);
        let waiting = &mut self.tickets[ticket as usize];
        let queue = &mut self.queues[waiting.queue as usize];
        let deadline = now + Duration::from_millis(queue.config.ring_ms_max.max(1));
        debug_assert!(waiting.offer.is_none() && !waiting.listed);
        waiting.offer = Some(LiveOffer {
            id,
            agent,
            deadline,
        });
        queue.ringing += 1;
        let who = &mut self.agents[agent as usize];
        debug_assert!(who.offer.is_none() && !who.listed);
        who.offer = Some((id, ticket, waiting.interaction));
        who.last_offer = now;
        let output = RouterOutput::Offer {
            offer: id,
            interaction: waiting.interaction,
            agent: who.id,
            queue: waiting.queue_id,
            deadline,
            explain: decision.because(),
        };
        waiting.trail.decided(decision);
        self.offer_by.insert(id, ticket);
        self.outputs.push_back(output);
        self.set_ticket_timer(ticket);
    }

    /// The offer of a ticket is over; both sides are left for the caller to go on with.
    fn end_offer(&mut self, ticket: u32, how: OfferEnd) -> Option<LiveOffer> {
        let waiting = &mut self.tickets[ticket as usize];
        let offer = waiting.offer.take()?;
        if let Some(decision) = waiting.trail.decisions.last_mut() {
            decision.ended = Some(how);
        }
        self.offer_by.remove(&offer.id);
        self.queues[waiting.queue as usize].ringing -= 1;
        let who = &mut self.agents[offer.agent as usize];
        who.offer = None;
        let output = RouterOutput::OfferEnded {
            offer: offer.id,
            interaction: waiting.interaction,
            agent: who.id,
            how,
        };
        self.outputs.push_back(output);
        Some(offer)
    }

    /// The caller leaves or goes elsewhere: the agent keeps the place among the idle. Returns the
    /// agent, to be refreshed once the ticket is out of the books.
    pub(crate) fn cancel_offer(&mut self, ticket: u32) -> Option<u32> {
        let offer = self.end_offer(ticket, OfferEnd::Cancelled)?;
        let agent = self.agent(offer.agent);
        agent.idle_kept = Some(agent.idle_since);
        Some(offer.agent)
    }

    /// The offer failed on the agent's side: the ticket goes back to its place, with `avoid` away
    /// from this agent for a while. The caller refreshes the agent.
    fn fail_offer(&mut self, now: Timestamp, ticket: u32, how: OfferEnd, avoid: bool) {
        let Some(offer) = self.end_offer(ticket, how) else {
            return;
        };
        if avoid {
            let until = now + Duration::from_millis(self.config.avoid_ms.max(1));
            self.ticket(ticket).avoid(offer.agent, until);
        }
        if self.max_wait(ticket).is_some_and(|at| at <= now) {
            self.overflow(now, ticket, QueueExit::TimedOut);
        } else {
            self.wait(now, ticket);
        }
    }

    /// Ends the offer this agent has, if any, as something that happened to the agent.
    pub(crate) fn withdraw_offer(&mut self, now: Timestamp, agent: u32, how: OfferEnd) {
        if let Some((_, ticket, _)) = self.agents[agent as usize].offer {
            // An agent who is gone or busy cannot get it again anyway, and may once back.
            self.fail_offer(now, ticket, how, how == OfferEnd::Rejected);
        }
    }

    fn live(&self, offer: OfferId) -> Result<(u32, u32), RouteError> {
        let ticket = *self.offer_by.get(&offer).ok_or(RouteError::OfferGone)?;
        let live = self.tickets[ticket as usize]
            .offer
            .expect("invariant: a listed offer is live");
        Ok((ticket, live.agent))
    }

    pub(crate) fn accepted(&mut self, now: Timestamp, offer: OfferId) -> Result<(), RouteError> {
        let (ticket, agent) = self.live(offer)?;
        self.end_offer(ticket, OfferEnd::Accepted);
        let slot = self.leave_queue(now, ticket, QueueExit::Answered);
        self.share_moves(agent, slot.queue);
        let who = self.agent(agent);
        who.answered += 1;
        who.unreachable_in_a_row = 0;
        let interaction = slot.interaction;
        who.work.push(Work {
            interaction,
            started: now,
            ticket: Some(Box::new(slot)),
            queue: None,
        });
        self.taken.insert(interaction, agent);
        self.refresh(now, agent);
        Ok(())
    }

    /// The agent's share of this queue grows, that of the others shrinks.
    fn share_moves(&mut self, agent: u32, queue: u32) {
        let who = &mut self.agents[agent as usize];
        if !who.queues.contains(&queue) {
            return;
        }
        let floor = SHARE_FLOOR / who.queues.len() as f64;
        for (at, share) in who.queues.iter().zip(&mut who.shares) {
            let goal = if *at == queue { 1.0 } else { 0.0 };
            let new = (*share + SHARE_STEP * (goal - *share)).max(floor);
            if who.on_duty {
                self.duty[*at as usize] += new - *share;
            }
            *share = new;
        }
    }

    pub(crate) fn rejected(&mut self, now: Timestamp, offer: OfferId) -> Result<(), RouteError> {
        let (ticket, agent) = self.live(offer)?;
        self.agent(agent).unreachable_in_a_row = 0;
        self.fail_offer(now, ticket, OfferEnd::Rejected, true);
        self.refresh(now, agent);
        Ok(())
    }

    pub(crate) fn unreachable(&mut self, now: Timestamp, offer: OfferId) -> Result<(), RouteError> {
        let (ticket, agent) = self.live(offer)?;
        self.pause(now, agent);
        self.fail_offer(now, ticket, OfferEnd::Rescinded, true);
        self.refresh(now, agent);
        Ok(())
    }

    /// A phone that could not be reached rests a while, longer each time; a waiting crowd must not
    /// be offered to it one after the other.
    fn pause(&mut self, now: Timestamp, agent: u32) {
        let base = self.config.unreachable_pause_ms.max(1);
        let who = self.agent(agent);
        who.missed += 1;
        who.unreachable_in_a_row += 1;
        if who.unreachable_in_a_row >= UNREACHABLE_MAX {
            who.not_responding = Some(NotResponding::Missed);
            who.unreachable_in_a_row = 0;
            who.paused_until = None;
        } else {
            let ms = base << (who.unreachable_in_a_row - 1);
            who.paused_until = Some(now + Duration::from_millis(ms));
        }
    }

    /// Nobody answered in time.
    pub(crate) fn offer_timed_out(&mut self, now: Timestamp, ticket: u32) {
        let waiting = &self.tickets[ticket as usize];
        let Some(offer) = waiting.offer else {
            return;
        };
        let demote = self.queues[waiting.queue as usize]
            .config
            .demote_on_no_answer;
        let who = self.agent(offer.agent);
        who.missed += 1;
        if demote {
            who.not_responding = Some(NotResponding::Missed);
        }
        self.fail_offer(now, ticket, OfferEnd::TimedOut, true);
        self.refresh(now, offer.agent);
    }

    pub(crate) fn accept_failed(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        interaction: InteractionId,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let who = self.agent(slot);
        let at = who
            .work
            .iter()
            .position(|w| w.interaction == interaction && w.ticket.is_some())
            .ok_or(RouteError::NoSuchWork)?;
        let work = who.work.remove(at);
        who.answered -= 1;
        self.taken.remove(&interaction);
        self.pause(now, slot);
        if let Some(mut ticket) = work.ticket {
            let until = now + Duration::from_millis(self.config.avoid_ms.max(1));
            ticket.avoid(slot, until);
            ticket
                .trail
                .step(now, "connecting failed, back in its place".into());
            self.readmit(now, *ticket);
        }
        self.refresh(now, slot);
        Ok(())
    }

    /// The next agent by the rule who could have had it, for the explanation. Rules that rank
    /// classes tell the one idle longest.
    pub(crate) fn runner_up(&self, ticket: u32, chosen: u32) -> Option<u32> {
        let waiting = &self.tickets[ticket as usize];
        let index = match self.classes.task(waiting.class).rule {
            SelectionRule::LeastOccupied => BY_OCCUPANCY,
            SelectionRule::RoundRobin => BY_TURN,
            _ => BY_IDLE,
        };
        let takers = self.classes.takers(waiting.class);
        self.idle[index]
            .best(takers, |a| a != chosen && !waiting.avoids(a))
            .map(|e| e.slot)
    }
}
