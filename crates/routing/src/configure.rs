//! A changed configuration against what is there. Only what differs is touched.

use crate::agent::AgentSlot;
use crate::classes::Skills;
use crate::queue::QueueSlot;
use crate::router::{BY_IDLE, BY_OCCUPANCY, BY_TURN, Router, TenantPool, TimerOf, entry_of};
use crate::view::StateCounts;
use cp_vocab::Timestamp;
use cp_vocab::event::{OfferEnd, QueueExit};
use cp_vocab::id::*;
use cp_vocab::model::{Agent, Queue, SelectionRule};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Highest level of a skill; more is taken as this.
const LEVEL_MAX: u8 = 10;

impl Router {
    pub(crate) fn configure(&mut self, now: Timestamp, agents: Vec<Agent>, queues: Vec<Queue>) {
        self.matching_held = true;
        let gone = self.remove_queues(now, &queues);
        let changed = self.put_queues(queues, &gone);
        self.use_orders();
        self.remove_agents(now, &agents);
        for agent in agents {
            self.put_agent(now, agent);
        }
        // No agent refers to them any more.
        for (_, number) in gone {
            self.queues.remove(number as usize);
        }
        for number in changed {
            self.reclass_queue(now, number);
        }
        self.matching_held = false;
        self.match_all(now);
    }

    /// Lets the tickets of vanished queues go and frees the names; the slots are freed by the caller.
    fn remove_queues(&mut self, now: Timestamp, queues: &[Queue]) -> Vec<(QueueId, u32)> {
        let keep: FxHashSet<QueueId> = queues.iter().map(|q| q.id).collect();
        let mut gone: Vec<(QueueId, u32)> = self
            .queue_by
            .iter()
            .filter(|(id, _)| !keep.contains(id))
            .map(|(id, number)| (*id, *number))
            .collect();
        gone.sort_unstable();
        for (id, number) in &gone {
            let tickets: Vec<u32> = self.queues[*number as usize]
                .order
                .iter()
                .map(|(_, _, ticket)| ticket)
                .collect();
            for ticket in tickets {
                let freed = self.cancel_offer(ticket);
                self.overflow(now, ticket, QueueExit::Released);
                if let Some(agent) = freed {
                    self.refresh(now, agent);
                }
            }
            self.classes.forget_queue(*number);
            self.queue_by.remove(id);
        }
        gone
    }

    /// Inserts new queues and replaces changed ones; returns those whose tickets need new classes.
    fn put_queues(&mut self, queues: Vec<Queue>, gone: &[(QueueId, u32)]) -> Vec<u32> {
        let mut changed = FxHashSet::default();
        // Queues that came or went: who widens to them resolves anew.
        let mut moved: FxHashSet<QueueId> = gone.iter().map(|(id, _)| *id).collect();
        for mut queue in queues {
            queue.relaxations.sort_by_key(|r| r.after_ms);
            // A stage is counted in a byte.
            queue.relaxations.truncate(usize::from(u8::MAX));
            if let Some(number) = self.queue_by.get(&queue.id) {
                let slot = &mut self.queues[*number as usize];
                if slot.config != queue {
                    slot.config = queue;
                    changed.insert(*number);
                }
                continue;
            }
            let id = queue.id;
            let number = self.queues.insert(QueueSlot::new(queue));
            if number >= self.members.len() {
                self.members.resize(number + 1, StateCounts::default());
                self.duty.resize(number + 1, 0.0);
            }
            self.members[number] = StateCounts::default();
            self.duty[number] = 0.0;
            self.queue_by.insert(id, number as u32);
            moved.insert(id);
        }
        for (number, slot) in &self.queues {
            let mut wider = slot.config.relaxations.iter().flat_map(|r| &r.widen_to);
            if wider.any(|q| moved.contains(q)) {
                changed.insert(number as u32);
            }
        }
        let mut changed: Vec<u32> = changed
            .into_iter()
            .filter(|n| gone.iter().all(|(_, gone)| gone != n))
            .collect();
        changed.sort_unstable();
        changed
    }

    /// Keeps only the orders of idle agents that some queue asks for.
    fn use_orders(&mut self) {
        let mut used = [true, false, false];
        for (_, queue) in &self.queues {
            match queue.config.selection {
                SelectionRule::LeastOccupied | SelectionRule::LeastFlexible => {
                    used[BY_OCCUPANCY] = true;
                }
                SelectionRule::RoundRobin => used[BY_TURN] = true,
                SelectionRule::LongestIdle | SelectionRule::BestScore => {}
            }
        }
        for index in [BY_OCCUPANCY, BY_TURN] {
            if used[index] == self.orders_used[index] {
                continue;
            }
            let listed: Vec<u32> = self.idle[BY_IDLE].iter().map(|e| e.slot).collect();
            for slot in listed {
                let entry = entry_of(&self.agents[slot as usize], slot, index);
                if used[index] {
                    self.idle[index].insert(entry);
                } else {
                    self.idle[index].remove(entry);
                }
            }
        }
        self.orders_used = used;
    }

    fn remove_agents(&mut self, now: Timestamp, agents: &[Agent]) {
        let keep: FxHashSet<AgentId> = agents.iter().map(|a| a.id).collect();
        let mut gone: Vec<(AgentId, u32)> = self
            .agent_by
            .iter()
            .filter(|(id, _)| !keep.contains(id))
            .map(|(id, slot)| (*id, *slot))
            .collect();
        gone.sort_unstable();
        for (_, slot) in gone {
            self.withdraw_offer(now, slot, OfferEnd::Rescinded);
            let who = self.agent(slot);
            who.removed = true;
            let at_work = !who.work.is_empty();
            self.join_queues(slot, SmallVec::new());
            self.refresh(now, slot);
            if !at_work {
                self.drop_agent(now, slot);
            }
        }
    }

    /// Forgets an agent without work.
    pub(crate) fn drop_agent(&mut self, now: Timestamp, slot: u32) {
        self.refresh(now, slot);
        self.leave_figures(now, slot);
        let who = self.agents.remove(slot as usize);
        debug_assert!(!who.listed && who.offer.is_none());
        if let Some(at) = who.timer {
            self.timers.remove(&(at, TimerOf::Agent(slot)));
        }
        if who.class != u32::MAX {
            self.classes.leave_agent(who.class);
        }
        self.agent_by.remove(&who.id);
    }

    fn put_agent(&mut self, now: Timestamp, config: Agent) {
        let queues = self.numbers_of(&config);
        let Some(slot) = self.agent_by.get(&config.id).copied() else {
            let slot = self.new_agent(now, config);
            self.join_queues(slot, queues);
            self.refresh(now, slot);
            return;
        };
        let who = &self.agents[slot as usize];
        if who.config == config && who.queues == queues && !who.removed {
            return;
        }
        if who.config.tenant != config.tenant {
            // Ids are never reused across tenants; a changed tenant is another agent.
            self.leave_figures(now, slot);
            let pool = self.pool_of(config.tenant);
            self.agent(slot).tenant_pool = pool;
        }
        if self.agents[slot as usize].listed {
            self.unlist_agent(slot);
            let who = self.agent(slot);
            who.idle_kept = Some(who.idle_since);
        }
        let who = self.agent(slot);
        who.config = config;
        who.removed = false;
        self.join_queues(slot, queues);
        self.refresh(now, slot);
    }

    fn new_agent(&mut self, now: Timestamp, config: Agent) -> u32 {
        self.agents_made += 1;
        let (id, tenant) = (config.id, config.tenant);
        let slot = self
            .agents
            .insert(AgentSlot::new(config, self.agents_made, now)) as u32;
        self.agent(slot).tenant_pool = self.pool_of(tenant);
        self.agent_by.insert(id, slot);
        slot
    }

    fn pool_of(&mut self, tenant: TenantId) -> u32 {
        let next = self.pools.len() as u32;
        let pool = *self.pool_by.entry(tenant).or_insert(next);
        if pool == next {
            self.pools.push(TenantPool::default());
        }
        pool
    }

    /// Numbers of the agent's queues, of its own tenant alone.
    fn numbers_of(&self, config: &Agent) -> SmallVec<[u32; 8]> {
        let mut numbers: SmallVec<[u32; 8]> = config
            .queues
            .iter()
            .filter_map(|q| self.queue_by.get(q).copied())
            .filter(|n| self.queues[*n as usize].config.tenant == config.tenant)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Moves an agent who is not listed into a set of queues and the class that follows.
    fn join_queues(&mut self, slot: u32, queues: SmallVec<[u32; 8]>) {
        let who = &mut self.agents[slot as usize];
        debug_assert!(!who.listed || who.removed);
        if who.listed {
            self.unlist_agent(slot);
        }
        let who = &mut self.agents[slot as usize];
        for (queue, share) in who.queues.iter().zip(&who.shares) {
            *who.category.of(&mut self.members[*queue as usize]) -= 1;
            if who.on_duty {
                self.duty[*queue as usize] -= share;
            }
        }
        let old: FxHashMap<u32, f64> = who
            .queues
            .iter()
            .copied()
            .zip(who.shares.iter().copied())
            .collect();
        let even = 1.0 / queues.len().max(1) as f64;
        let mut shares: SmallVec<[f64; 8]> = queues
            .iter()
            .map(|q| old.get(q).copied().unwrap_or(even))
            .collect();
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|s| *s /= sum);
        for (queue, share) in queues.iter().zip(&shares) {
            *who.category.of(&mut self.members[*queue as usize]) += 1;
            if who.on_duty {
                self.duty[*queue as usize] += share;
            }
        }
        who.queues = queues;
        who.shares = shares;
        let mut skills: Skills = who
            .config
            .skills
            .iter()
            .map(|s| (s.skill, s.level.min(LEVEL_MAX)))
            .collect();
        skills.sort_unstable();
        skills.reverse();
        skills.dedup_by_key(|(s, _)| *s);
        skills.reverse();
        let class = self.classes.join_agent(&who.queues, &skills);
        let old = std::mem::replace(&mut who.class, class);
        if old != u32::MAX {
            self.classes.leave_agent(old);
        }
    }

    /// New classes and places for the tickets of a changed queue.
    fn reclass_queue(&mut self, now: Timestamp, number: u32) {
        let tickets: Vec<u32> = self.queues[number as usize]
            .order
            .iter()
            .map(|(_, _, ticket)| ticket)
            .collect();
        for ticket in &tickets {
            self.unlist_ticket(*ticket);
            let class = self.tickets[*ticket as usize].class;
            self.classes.leave_task(class);
        }
        self.classes.forget_queue(number);
        for ticket in tickets {
            let entered = self.tickets[ticket as usize].entered;
            let stage = self.stage_due(now, number, entered);
            let slot = self.ticket(ticket);
            slot.stage = stage;
            let offered = slot.offer.is_some();
            self.reclass(now, ticket);
            self.rekey(ticket);
            if !offered {
                self.wait(now, ticket);
            }
        }
    }

    /// After a change every waiting ticket may find an idle agent; first come, first served.
    fn match_all(&mut self, now: Timestamp) {
        if self.waiting.is_empty() || self.idle[BY_IDLE].is_empty() {
            return;
        }
        let waiting: Vec<u32> = self.waiting.iter().map(|e| e.slot).collect();
        for ticket in waiting {
            if self.idle[BY_IDLE].is_empty() {
                return;
            }
            self.unlist_ticket(ticket);
            self.wait(now, ticket);
        }
    }
}
