//! Waiting: coming in, places and estimates, relaxations and announcements over time, leaving.

use crate::classes::{Skills, TaskKey};
use crate::estimate::announced;
use crate::io::{RouteError, RouterOutput, Ticket};
use crate::router::{BY_IDLE, Router, TimerOf};
use crate::ticket::{TicketSlot, Trail};
use crate::view::WaitEstimate;
use cp_vocab::event::QueueExit;
use cp_vocab::id::*;
use cp_vocab::model::Relaxation;
use cp_vocab::{Code, Timestamp};
use smallvec::SmallVec;
use std::time::Duration;

/// Priorities beyond are taken as this, so that a head start stays far from overflow.
const PRIORITY_MAX: i32 = 10_000;

impl Router {
    pub(crate) fn enqueue(&mut self, now: Timestamp, ticket: Ticket) {
        let admitted = self.admit(ticket.tenant, ticket.queue, ticket.interaction);
        let queue = match admitted {
            Ok(queue) => queue,
            Err(code) => return self.refuse(now, ticket, code),
        };
        self.tickets_made += 1;
        let mut extra: Skills = ticket.skills.iter().map(|s| (s.skill, s.level)).collect();
        extra.sort_unstable();
        self.enter(
            now,
            TicketSlot {
                interaction: ticket.interaction,
                tenant: ticket.tenant,
                queue,
                queue_id: ticket.queue,
                priority: ticket.priority,
                extra,
                since: ticket.since.min(now),
                entered: now,
                seq: self.tickets_made,
                key: 0,
                class: 0,
                stage: 0,
                preferred: ticket.preferred_agent,
                offer: None,
                listed: false,
                avoid: SmallVec::new(),
                predicted_ms: None,
                next_announce: None,
                timer: None,
                trail: Trail::default(),
            },
        );
    }

    /// Whether a ticket may come in, and the queue's number.
    fn admit(&self, tenant: TenantId, queue: QueueId, who: InteractionId) -> Result<u32, Code> {
        let number = *self.queue_by.get(&queue).ok_or(Code::NotFound)?;
        let slot = &self.queues[number as usize];
        if slot.config.tenant != tenant {
            return Err(Code::NotFound);
        }
        if self.ticket_by.contains_key(&who) {
            return Err(Code::Conflict);
        }
        self.door(number)?;
        Ok(number)
    }

    /// Whether the queue would take one more now: `QueueFull`, or `NoAgent` when it refuses while
    /// nobody is signed in. `NotFound` for a queue that is not there.
    pub fn admits(&self, queue: QueueId) -> Result<(), Code> {
        let number = *self.queue_by.get(&queue).ok_or(Code::NotFound)?;
        self.door(number)
    }

    fn door(&self, number: u32) -> Result<(), Code> {
        let slot = &self.queues[number as usize];
        let max = match slot.config.waiting_max {
            0 => self.config.waiting_max_per_queue,
            own => own,
        };
        let full = slot.order.len() >= max as usize
            || self.tickets.len() >= self.config.waiting_max as usize;
        if full {
            return Err(Code::QueueFull);
        }
        if slot.config.refuse_when_unstaffed && self.members[number as usize].signed_in() == 0 {
            return Err(Code::NoAgent);
        }
        Ok(())
    }

    fn refuse(&mut self, now: Timestamp, ticket: Ticket, code: Code) {
        let offset = self.config.day_offset_s;
        let mut overflow = None;
        if let (Code::QueueFull | Code::NoAgent, Some(number)) =
            (code, self.queue_by.get(&ticket.queue).copied())
        {
            let queue = self.queue(number);
            queue.day_mut(now, offset).refused += 1;
            overflow = queue.config.overflow.clone();
        }
        self.out(RouterOutput::Refused {
            interaction: ticket.interaction,
            queue: ticket.queue,
            code,
            overflow,
        });
    }

    /// Takes its place in its queue, tells it, and looks for an agent.
    fn enter(&mut self, now: Timestamp, mut slot: TicketSlot) {
        slot.entered = now;
        slot.stage = 0;
        let queue = &self.queues[slot.queue as usize].config;
        let every = queue.announce_every_ms;
        slot.next_announce = (every > 0).then(|| now + Duration::from_millis(every));
        let interaction = slot.interaction;
        let (ticket, ahead) = self.place(now, slot);
        let number = self.tickets[ticket as usize].queue;
        let queue = &self.queues[number as usize];
        let takers = self.classes.takers(self.tickets[ticket as usize].class);
        let free_at_once = self.idle[BY_IDLE].classes(takers) > 0;
        let duty = self.duty[number as usize];
        let estimate = if free_at_once {
            Some(0)
        } else {
            queue.model.estimate(ahead, duty).map(|e| e.mean_ms)
        };
        let predicted = queue.model.raw_ms(ahead, duty);
        let priority = self.tickets[ticket as usize].priority + queue.config.priority;
        let queue = queue.config.id;
        self.out(RouterOutput::Queued {
            interaction,
            queue,
            priority,
            position: ahead + 1,
            wait_estimate_ms: estimate,
        });
        if !free_at_once {
            self.ticket(ticket).predicted_ms = predicted;
        }
        self.wait(now, ticket);
    }

    /// Puts a ticket into the books, its key computed; tells how many are before it.
    fn place(&mut self, now: Timestamp, mut slot: TicketSlot) -> (u32, u32) {
        slot.key = self.key_of(slot.queue, slot.priority, slot.since);
        let (class, coarse) = self.join_class(slot.queue, slot.stage, slot.extra.clone());
        slot.class = class;
        if coarse {
            let what = "too many different wishes wait: goes by its queue's skills alone";
            slot.trail.step(now, what.into());
        }
        let (key, seq, number) = (slot.key, slot.seq, slot.queue);
        let boost = slot.since.as_micros() as i64 - key;
        let interaction = slot.interaction;
        let ticket = self.tickets.insert(slot) as u32;
        self.ticket_by.insert(interaction, ticket);
        let queue = self.queue(number);
        queue.boost_min = if queue.order.len() == 0 {
            boost
        } else {
            queue.boost_min.min(boost)
        };
        let ahead = queue
            .order
            .insert((key, seq, ticket))
            .expect("invariant: an arrival number is used once");
        (ticket, ahead as u32)
    }

    fn join_class(&mut self, queue: u32, stage: u8, extra: Skills) -> (u32, bool) {
        let key = TaskKey {
            queue,
            stage,
            extra,
        };
        let by = &self.queue_by;
        self.classes
            .join_task(key, &self.queues[queue as usize].config, |id| {
                by.get(&id).copied()
            })
    }

    /// Arrival minus the head start of the queue's and the ticket's priority.
    fn key_of(&self, queue: u32, priority: i32, since: Timestamp) -> i64 {
        let steps = self.queues[queue as usize]
            .config
            .priority
            .saturating_add(priority)
            .clamp(-PRIORITY_MAX, PRIORITY_MAX);
        let boost_us = (self.config.priority_boost_ms as i64).saturating_mul(1_000);
        (since.as_micros() as i64).saturating_sub(boost_us.saturating_mul(steps.into()))
    }

    /// Back in its place after a failed connect, as if it had never left.
    pub(crate) fn readmit(&mut self, now: Timestamp, mut slot: TicketSlot) {
        let Some(number) = self.queue_by.get(&slot.queue_id).copied() else {
            return self.out(RouterOutput::Overflow {
                interaction: slot.interaction,
                queue: slot.queue_id,
                to: None,
                why: QueueExit::Released,
                waited_ms: slot.entered_ms(now),
            });
        };
        slot.queue = number;
        slot.stage = self.stage_due(now, number, slot.entered);
        let every = self.queues[number as usize].config.announce_every_ms;
        slot.next_announce = (every > 0).then(|| now + Duration::from_millis(every));
        let (ticket, ahead) = self.place(now, slot);
        let estimate = self.estimate(number, ahead).map(|e| e.mean_ms);
        let slot = &self.tickets[ticket as usize];
        let output = RouterOutput::Queued {
            interaction: slot.interaction,
            queue: slot.queue_id,
            priority: slot.priority + self.queues[number as usize].config.priority,
            position: ahead + 1,
            wait_estimate_ms: estimate,
        };
        self.out(output);
        self.wait(now, ticket);
    }

    /// A ticket without an offer looks for an agent, or joins those who wait.
    pub(crate) fn wait(&mut self, now: Timestamp, ticket: u32) {
        self.ticket(ticket).avoid.retain(|(_, until)| *until > now);
        self.relax(now, ticket);
        if self.matching_held || !self.offer_to_ticket(now, ticket) {
            let slot = self.ticket(ticket);
            slot.listed = true;
            let entry = slot.entry(ticket);
            self.waiting.insert(entry);
            self.set_ticket_timer(ticket);
        }
    }

    pub(crate) fn unlist_ticket(&mut self, ticket: u32) {
        let slot = self.ticket(ticket);
        if slot.listed {
            slot.listed = false;
            let entry = slot.entry(ticket);
            self.waiting.remove(entry);
        }
    }

    pub(crate) fn find_ticket(&self, interaction: InteractionId) -> Result<u32, RouteError> {
        self.ticket_by
            .get(&interaction)
            .copied()
            .ok_or(RouteError::NotWaiting)
    }

    pub(crate) fn requeue(
        &mut self,
        now: Timestamp,
        interaction: InteractionId,
        queue: QueueId,
        since: Option<Timestamp>,
    ) -> Result<(), RouteError> {
        let ticket = self.find_ticket(interaction)?;
        let number = *self.queue_by.get(&queue).ok_or(RouteError::UnknownQueue)?;
        let tenant = self.tickets[ticket as usize].tenant;
        let to = &self.queues[number as usize];
        if to.config.tenant != tenant {
            return Err(RouteError::OtherTenant);
        }
        let max = match to.config.waiting_max {
            0 => self.config.waiting_max_per_queue,
            own => own,
        };
        if number != self.tickets[ticket as usize].queue && to.order.len() >= max as usize {
            return Err(RouteError::QueueFull);
        }
        let freed = self.cancel_offer(ticket);
        let mut slot = self.leave_queue(now, ticket, QueueExit::Transferred);
        if let Some(agent) = freed {
            self.refresh(now, agent);
        }
        let from = slot.queue_id;
        slot.trail
            .step(now, format!("moved from {from} to {queue}"));
        slot.queue = number;
        slot.queue_id = queue;
        slot.since = since.unwrap_or(slot.since).min(now);
        slot.avoid.clear();
        self.enter(now, slot);
        Ok(())
    }

    pub(crate) fn set_priority(
        &mut self,
        now: Timestamp,
        interaction: InteractionId,
        priority: i32,
    ) -> Result<(), RouteError> {
        let ticket = self.find_ticket(interaction)?;
        self.unlist_ticket(ticket);
        let slot = &mut self.tickets[ticket as usize];
        slot.priority = priority;
        slot.trail.step(now, format!("priority set to {priority}"));
        self.rekey(ticket);
        if self.tickets[ticket as usize].offer.is_none() {
            self.wait(now, ticket);
        }
        Ok(())
    }

    /// Computes the key anew and moves the place in the queue. Not listed meanwhile.
    pub(crate) fn rekey(&mut self, ticket: u32) {
        let slot = &self.tickets[ticket as usize];
        let (number, old, seq) = (slot.queue, slot.key, slot.seq);
        let key = self.key_of(number, slot.priority, slot.since);
        let boost = slot.since.as_micros() as i64 - key;
        self.ticket(ticket).key = key;
        let queue = self.queue(number);
        queue.order.remove((old, seq, ticket));
        queue.order.insert((key, seq, ticket));
        queue.boost_min = queue.boost_min.min(boost);
    }

    /// Joins the class of its queue, stage and wishes anew. Not listed meanwhile.
    pub(crate) fn reclass(&mut self, now: Timestamp, ticket: u32) {
        let slot = &self.tickets[ticket as usize];
        let (queue, stage, extra) = (slot.queue, slot.stage, slot.extra.clone());
        let (class, coarse) = self.join_class(queue, stage, extra);
        let slot = self.ticket(ticket);
        slot.class = class;
        if coarse {
            let what = "too many different wishes wait: goes by its queue's skills alone";
            slot.trail.step(now, what.into());
        }
    }

    pub(crate) fn remove(
        &mut self,
        now: Timestamp,
        interaction: InteractionId,
        exit: QueueExit,
    ) -> Result<(), RouteError> {
        let ticket = self.find_ticket(interaction)?;
        let freed = self.cancel_offer(ticket);
        let slot = self.leave_queue(now, ticket, exit);
        self.finish(Box::new(slot));
        if let Some(agent) = freed {
            self.refresh(now, agent);
        }
        Ok(())
    }

    pub(crate) fn overflow(&mut self, now: Timestamp, ticket: u32, why: QueueExit) {
        let slot = self.take(now, ticket, why);
        self.out(RouterOutput::Overflow {
            interaction: slot.interaction,
            queue: slot.queue_id,
            to: self.queues[slot.queue as usize].config.overflow.clone(),
            why,
            waited_ms: slot.entered_ms(now),
        });
        self.finish(Box::new(slot));
    }

    pub(crate) fn leave_queue(
        &mut self,
        now: Timestamp,
        ticket: u32,
        exit: QueueExit,
    ) -> TicketSlot {
        let slot = self.take(now, ticket, exit);
        self.out(RouterOutput::Left {
            interaction: slot.interaction,
            queue: slot.queue_id,
            exit,
            waited_ms: slot.entered_ms(now),
        });
        slot
    }

    /// Takes a ticket without an offer out of the books and counts it.
    fn take(&mut self, now: Timestamp, ticket: u32, exit: QueueExit) -> TicketSlot {
        self.unlist_ticket(ticket);
        let slot = self.tickets.remove(ticket as usize);
        debug_assert!(slot.offer.is_none(), "offers end before tickets leave");
        self.ticket_by.remove(&slot.interaction);
        self.classes.leave_task(slot.class);
        if let Some(at) = slot.timer {
            self.timers.remove(&(at, TimerOf::Ticket(ticket)));
        }
        let offset = self.config.day_offset_s;
        let waited_ms = slot.entered_ms(now);
        let queue = self.queue(slot.queue);
        let was_there = queue.order.remove((slot.key, slot.seq, ticket));
        debug_assert!(was_there, "a ticket is in its queue");
        queue.count_exit(now, offset, exit, waited_ms);
        let told = slot.predicted_ms.filter(|_| exit == QueueExit::Answered);
        queue
            .model
            .waited(waited_ms, exit == QueueExit::Abandoned, told);
        TicketSlot {
            timer: None,
            ..slot
        }
    }

    pub(crate) fn estimate(&self, queue: u32, ahead: u32) -> Option<WaitEstimate> {
        let model = &self.queues[queue as usize].model;
        model.estimate(ahead, self.duty[queue as usize])
    }

    /// How many are before it in its queue.
    pub(crate) fn ahead(&self, ticket: u32) -> u32 {
        let slot = &self.tickets[ticket as usize];
        let queue = &self.queues[slot.queue as usize];
        queue.order.rank((slot.key, slot.seq, ticket)) as u32
    }

    /// When it has waited long enough.
    pub(crate) fn max_wait(&self, ticket: u32) -> Option<Timestamp> {
        let slot = &self.tickets[ticket as usize];
        let max = self.queues[slot.queue as usize].config.wait_ms_max;
        (max > 0).then(|| slot.entered + Duration::from_millis(max))
    }

    /// How many relaxations of a queue apply to who came in at `entered`.
    pub(crate) fn stage_due(&self, now: Timestamp, queue: u32, entered: Timestamp) -> u8 {
        let relaxations = &self.queues[queue as usize].config.relaxations;
        let due = |r: &&Relaxation| entered + Duration::from_millis(r.after_ms) <= now;
        relaxations.iter().take_while(due).count() as u8
    }

    fn relaxes_at(&self, ticket: u32) -> Option<Timestamp> {
        let slot = &self.tickets[ticket as usize];
        let relaxations = &self.queues[slot.queue as usize].config.relaxations;
        let next = relaxations.get(usize::from(slot.stage))?;
        Some(slot.entered + Duration::from_millis(next.after_ms))
    }

    pub(crate) fn set_ticket_timer(&mut self, ticket: u32) {
        let slot = &self.tickets[ticket as usize];
        let next = match slot.offer {
            Some(offer) => Some(offer.deadline),
            None => [
                self.max_wait(ticket),
                self.relaxes_at(ticket),
                slot.next_announce,
                slot.avoid.iter().map(|(_, until)| *until).min(),
            ]
            .into_iter()
            .flatten()
            .min(),
        };
        if next == slot.timer {
            return;
        }
        if let Some(old) = slot.timer {
            self.timers.remove(&(old, TimerOf::Ticket(ticket)));
        }
        self.ticket(ticket).timer = next;
        if let Some(at) = next {
            self.timers.insert((at, TimerOf::Ticket(ticket)));
        }
    }

    pub(crate) fn ticket_timer(&mut self, now: Timestamp, ticket: u32) {
        if let Some(offer) = self.tickets[ticket as usize].offer {
            if offer.deadline <= now {
                self.offer_timed_out(now, ticket);
            } else {
                self.set_ticket_timer(ticket);
            }
            return;
        }
        if self.max_wait(ticket).is_some_and(|at| at <= now) {
            return self.overflow(now, ticket, QueueExit::TimedOut);
        }
        let slot = &self.tickets[ticket as usize];
        let avoided = slot.avoid.iter().any(|(_, until)| *until <= now);
        if avoided || self.relaxes_at(ticket).is_some_and(|at| at <= now) {
            self.unlist_ticket(ticket);
            self.wait(now, ticket);
            if self.tickets[ticket as usize].offer.is_some() {
                return;
            }
        }
        if self.tickets[ticket as usize]
            .next_announce
            .is_some_and(|at| at <= now)
        {
            self.announce(now, ticket);
        }
        self.set_ticket_timer(ticket);
    }

    /// Applies the relaxations that are due to a ticket that is not listed.
    fn relax(&mut self, now: Timestamp, ticket: u32) {
        let slot = &self.tickets[ticket as usize];
        let stage = self.stage_due(now, slot.queue, slot.entered);
        let slot = self.ticket(ticket);
        if slot.stage == stage {
            return;
        }
        slot.stage = stage;
        let old = slot.class;
        slot.trail.step(now, format!("relaxed to step {stage}"));
        self.classes.leave_task(old);
        self.reclass(now, ticket);
    }

    fn announce(&mut self, now: Timestamp, ticket: u32) {
        let ahead = self.ahead(ticket);
        let slot = &self.tickets[ticket as usize];
        let number = slot.queue;
        let every = self.queues[number as usize].config.announce_every_ms;
        let output = RouterOutput::Announce {
            interaction: slot.interaction,
            queue: slot.queue_id,
            position: ahead + 1,
            wait_estimate_ms: self.estimate(number, ahead).map(announced),
        };
        self.out(output);
        self.ticket(ticket).next_announce = (every > 0).then(|| now + Duration::from_millis(every));
    }
}

impl TicketSlot {
    /// Waited in this queue.
    pub(crate) fn entered_ms(&self, now: Timestamp) -> u64 {
        now.since(self.entered).as_millis() as u64
    }
}
