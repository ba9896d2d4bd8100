//! The pool owner: its parts, the way in and out, timers, and the one place where an agent's
//! computed state is brought up to date.

use crate::agent::{AgentSlot, decay, occupancy_key};
use crate::classes::Classes;
use crate::index::{ClassIndex, Entry};
use crate::io::{RouteError, RouterConfig, RouterInput, RouterOutput};
use crate::queue::QueueSlot;
use crate::ticket::TicketSlot;
use crate::view::StateCounts;
use cp_vocab::Timestamp;
use cp_vocab::id::*;
use rustc_hash::FxHashMap;
use slab::Slab;
use std::collections::{BTreeSet, VecDeque};

/// Tickets that left, for their explanation; the oldest go.
pub(crate) const FINISHED_MAX: usize = 4_096;

/// The orders in which idle agents can be looked at, as places in [`AgentSlot::keys`].
pub(crate) const BY_IDLE: usize = 0;
pub(crate) const BY_OCCUPANCY: usize = 1;
pub(crate) const BY_TURN: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum TimerOf {
    Agent(u32),
    Ticket(u32),
}

/// Occupancy over the agents of one tenant, closed under the same decay as each agent's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TenantPool {
    pub(crate) clocked: u32,
    pub(crate) busy: u32,
    sum: f64,
    at: Timestamp,
}

impl TenantPool {
    fn advance(&mut self, now: Timestamp) {
        self.sum = decay(self.sum, self.at, now, f64::from(self.busy));
        self.at = now;
    }

    fn join(&mut self, now: Timestamp, occupancy: f64, busy: bool) {
        self.advance(now);
        self.sum += occupancy;
        self.clocked += 1;
        self.busy += u32::from(busy);
    }

    fn leave(&mut self, now: Timestamp, occupancy: f64, busy: bool) {
        self.advance(now);
        self.clocked -= 1;
        self.busy -= u32::from(busy);
        // The last one out takes the rounding errors along.
        self.sum = match self.clocked {
            0 => 0.0,
            _ => (self.sum - occupancy).max(0.0),
        };
    }

    pub(crate) fn mean(&self, now: Timestamp) -> f64 {
        if self.clocked == 0 {
            return 0.0;
        }
        decay(self.sum, self.at, now, f64::from(self.busy)) / f64::from(self.clocked)
    }
}

/// One pool of agents and queues that share them. Single writer; everything in memory.
pub struct Router {
    pub(crate) config: RouterConfig,
    pub(crate) ids: IdSource,
    pub(crate) outputs: VecDeque<RouterOutput>,

    pub(crate) agents: Slab<AgentSlot>,
    pub(crate) agent_by: FxHashMap<AgentId, u32>,
    pub(crate) agents_made: u64,
    pub(crate) pools: Vec<TenantPool>,
    pub(crate) pool_by: FxHashMap<TenantId, u32>,

    pub(crate) queues: Slab<QueueSlot>,
    pub(crate) queue_by: FxHashMap<QueueId, u32>,
    /// Beside the queues, by their numbers, small and close together: members by state, and the
    /// weight of the agents on duty.
    pub(crate) members: Vec<StateCounts>,
    pub(crate) duty: Vec<f64>,

    pub(crate) tickets: Slab<TicketSlot>,
    pub(crate) ticket_by: FxHashMap<InteractionId, u32>,
    pub(crate) tickets_made: u64,
    pub(crate) offer_by: FxHashMap<OfferId, u32>,
    /// Interactions accepted and still being worked on, by agent.
    pub(crate) taken: FxHashMap<InteractionId, u32>,
    pub(crate) finished: FxHashMap<InteractionId, Box<TicketSlot>>,
    pub(crate) finished_order: VecDeque<InteractionId>,

    pub(crate) classes: Classes,
    pub(crate) waiting: ClassIndex,
    pub(crate) idle: [ClassIndex; 3],
    /// Which of the orders some queue uses.
    pub(crate) orders_used: [bool; 3],
    pub(crate) timers: BTreeSet<(Timestamp, TimerOf)>,
    /// While the configuration changes, nobody is matched.
    pub(crate) matching_held: bool,
}

impl Router {
    pub fn new(config: RouterConfig) -> Self {
        Self {
            ids: IdSource::from_seed(config.seed),
            config,
            outputs: VecDeque::new(),
            agents: Slab::new(),
            agent_by: FxHashMap::default(),
            agents_made: 0,
            pools: Vec::new(),
            pool_by: FxHashMap::default(),
            queues: Slab::new(),
            queue_by: FxHashMap::default(),
            members: Vec::new(),
            duty: Vec::new(),
            tickets: Slab::new(),
            ticket_by: FxHashMap::default(),
            tickets_made: 0,
            offer_by: FxHashMap::default(),
            taken: FxHashMap::default(),
            finished: FxHashMap::default(),
            finished_order: VecDeque::new(),
            classes: Classes::default(),
            waiting: ClassIndex::default(),
            idle: Default::default(),
            orders_used: [true, false, false],
            timers: BTreeSet::new(),
            matching_held: false,
        }
    }

    pub fn config(&self) -> &RouterConfig {
        &self.config
    }

    /// Takes one input. An error means that nothing changed and nothing came out (a late accept, an
    /// unknown agent); refusals of new tickets come as [`RouterOutput::Refused`].
    pub fn handle(&mut self, now: Timestamp, input: RouterInput) -> Result<(), RouteError> {
        debug_assert!(self.outputs.is_empty(), "drained before the next input");
        match input {
            RouterInput::Configure { agents, queues } => self.configure(now, agents, queues),
            RouterInput::Restore {
                agent,
                presence,
                not_responding,
                wrap_up,
            } => self.restore(now, agent, presence, not_responding, wrap_up)?,
            RouterInput::SetPresence { agent, presence } => {
                self.set_presence(now, agent, presence)?
            }
            RouterInput::Lease { agent, kind, until } => self.lease(now, agent, kind, until)?,
            RouterInput::LeaseEnded { agent, kind, why } => {
                self.lease_ended(now, agent, kind, why)?
            }
            RouterInput::Enqueue(ticket) => self.enqueue(now, ticket),
            RouterInput::Requeue {
                interaction,
                queue,
                since,
            } => self.requeue(now, interaction, queue, since)?,
            RouterInput::SetPriority {
                interaction,
                priority,
            } => self.set_priority(now, interaction, priority)?,
            RouterInput::Remove { interaction, exit } => self.remove(now, interaction, exit)?,
            RouterInput::Accepted { offer } => self.accepted(now, offer)?,
            RouterInput::Rejected { offer } => self.rejected(now, offer)?,
            RouterInput::Unreachable { offer } => self.unreachable(now, offer)?,
            RouterInput::AcceptFailed { agent, interaction } => {
                self.accept_failed(now, agent, interaction)?
            }
            RouterInput::Direct {
                agent,
                interaction,
                queue,
            } => self.direct(now, agent, interaction, queue)?,
            RouterInput::WorkEnded {
                agent,
                interaction,
                wrap_up,
            } => self.work_ended(now, agent, interaction, wrap_up)?,
            RouterInput::FinishWrapUp { agent } => self.finish_wrap_up(now, agent)?,
            RouterInput::ExtendWrapUp { agent, by_ms } => self.extend_wrap_up(now, agent, by_ms)?,
        }
        Ok(())
    }

    /// The next decision; drain before the next input.
    pub fn poll(&mut self) -> Option<RouterOutput> {
        self.outputs.pop_front()
    }

    /// When [`Router::handle_timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Does all that is due at `now`. What one timer starts anew lies after `now`, so this ends.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        debug_assert!(self.outputs.is_empty(), "drained before the next input");
        while let Some((at, of)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            match of {
                TimerOf::Agent(agent) => {
                    self.agents[agent as usize].timer = None;
                    self.agent_timer(now, agent);
                }
                TimerOf::Ticket(ticket) => {
                    self.tickets[ticket as usize].timer = None;
                    self.ticket_timer(now, ticket);
                }
            }
        }
    }

    pub(crate) fn out(&mut self, output: RouterOutput) {
        self.outputs.push_back(output);
    }

    pub(crate) fn find_agent(&self, agent: AgentId) -> Result<u32, RouteError> {
        self.agent_by
            .get(&agent)
            .copied()
            .ok_or(RouteError::UnknownAgent)
    }

    pub(crate) fn agent(&mut self, agent: u32) -> &mut AgentSlot {
        &mut self.agents[agent as usize]
    }

    pub(crate) fn ticket(&mut self, ticket: u32) -> &mut TicketSlot {
        &mut self.tickets[ticket as usize]
    }

    pub(crate) fn queue(&mut self, queue: u32) -> &mut QueueSlot {
        &mut self.queues[queue as usize]
    }

    /// After the facts of an agent changed: joins or leaves the idle ones (and takes work), tells
    /// the new state, keeps the figures.
    pub(crate) fn refresh(&mut self, now: Timestamp, slot: u32) {
        self.take_next_presence(now, slot);
        let agent = &mut self.agents[slot as usize];
        let routable = agent.obstacle().is_none();
        if routable && !agent.listed {
            agent.idle_since = agent.idle_kept.take().unwrap_or(now);
            if self.matching_held || !self.offer_to_agent(now, slot) {
                self.list_agent(now, slot);
            }
        } else if !routable {
            agent.idle_kept = None;
            if agent.listed {
                self.unlist_agent(slot);
            }
        }
        self.publish(now, slot);
    }

    fn publish(&mut self, now: Timestamp, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        let (state, interaction) = agent.computed_state();
        let told = (state, interaction) == (agent.state, agent.state_interaction);
        if !told {
            agent.state = state;
            agent.state_interaction = interaction;
            agent.state_since = now;
            let output = RouterOutput::AgentState {
                agent: agent.id,
                state,
                interaction,
            };
            self.outputs.push_back(output);
        }
        let category = agent.computed_category();
        if category != agent.category {
            for queue in &agent.queues {
                let counts = &mut self.members[*queue as usize];
                *agent.category.of(counts) -= 1;
                *category.of(counts) += 1;
            }
            agent.category = category;
        }
        let on_duty = agent.computed_on_duty();
        if on_duty != agent.on_duty {
            let sign = if on_duty { 1.0 } else { -1.0 };
            for (queue, share) in agent.queues.iter().zip(&agent.shares) {
                self.duty[*queue as usize] += sign * share;
            }
            agent.on_duty = on_duty;
        }
        self.clock(now, slot);
        self.set_agent_timer(slot);
    }

    /// Occupancy counts while available or busy; breaks neither raise nor lower it, and who signs
    /// in starts at the mean, so that nobody is flooded for having been away.
    fn clock(&mut self, now: Timestamp, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        let busy = !agent.work.is_empty() || agent.wrap_up.is_some();
        let clocked = busy || agent.computed_on_duty();
        if busy == agent.busy && clocked == agent.clocked {
            return;
        }
        let pool = &mut self.pools[agent.tenant_pool as usize];
        let occupancy = agent.occupancy_now(now);
        if agent.clocked {
            pool.leave(now, occupancy, agent.busy);
        }
        agent.occupancy = occupancy;
        agent.occupancy_at = now;
        if clocked {
            pool.join(now, occupancy, busy);
        }
        agent.busy = busy;
        agent.clocked = clocked;
    }

    /// Takes an agent who goes for good out of the tenant's figures.
    pub(crate) fn leave_figures(&mut self, now: Timestamp, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        if agent.clocked {
            let pool = &mut self.pools[agent.tenant_pool as usize];
            pool.leave(now, agent.occupancy_now(now), agent.busy);
            agent.clocked = false;
            agent.busy = false;
        }
    }

    /// Starts a fresh agent's occupancy at the tenant's mean.
    pub(crate) fn begin_occupancy(&mut self, now: Timestamp, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        if !agent.clocked {
            agent.occupancy = self.pools[agent.tenant_pool as usize].mean(now);
            agent.occupancy_at = now;
        }
    }

    pub(crate) fn list_agent(&mut self, now: Timestamp, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        agent.keys = [
            agent.idle_since.as_micros() as i64,
            occupancy_key(agent.occupancy_now(now), now),
            agent.last_offer.as_micros() as i64,
        ];
        agent.listed = true;
        for (index, used) in self.orders_used.iter().enumerate() {
            if *used {
                self.idle[index].insert(entry_of(agent, slot, index));
            }
        }
    }

    pub(crate) fn unlist_agent(&mut self, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        agent.listed = false;
        for (index, used) in self.orders_used.iter().enumerate() {
            if *used {
                self.idle[index].remove(entry_of(agent, slot, index));
            }
        }
    }

    pub(crate) fn set_agent_timer(&mut self, slot: u32) {
        let agent = &mut self.agents[slot as usize];
        let next = agent.next_timer();
        if next == agent.timer {
            return;
        }
        if let Some(old) = agent.timer {
            self.timers.remove(&(old, TimerOf::Agent(slot)));
        }
        agent.timer = next;
        if let Some(at) = next {
            self.timers.insert((at, TimerOf::Agent(slot)));
        }
    }
}

/// How a listed agent stands in one of the orders.
pub(crate) fn entry_of(agent: &AgentSlot, slot: u32, index: usize) -> Entry {
    Entry {
        key: agent.keys[index],
        order: agent.order,
        slot,
        class: agent.class,
    }
}
