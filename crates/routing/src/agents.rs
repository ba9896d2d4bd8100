//! Presence, leases, work and wrap-up. Everything here changes facts and then refreshes.

use crate::agent::{DESKTOPS_MAX, Desktop, NotResponding, Work, WrapUp};
use crate::io::{LeaseEnd, LeaseKind, RouteError, RouterOutput};
use crate::router::Router;
use cp_vocab::Timestamp;
use cp_vocab::event::OfferEnd;
use cp_vocab::id::*;
use cp_vocab::model::Presence;
use std::time::Duration;

/// A wrap-up with all its extensions at most; longer is refused.
const WRAP_UP_MS_MAX: u64 = 3_600_000;
/// Calls an agent can be in at once (a call, its consultation, and some room); older ones are
/// dropped from the books, since an engine that never ends them must not fill them.
const WORK_MAX: usize = 16;

impl Router {
    pub(crate) fn restore(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        presence: Presence,
        not_responding: bool,
        wrap_up: Option<(InteractionId, Timestamp)>,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        self.begin_occupancy(now, slot);
        let who = self.agent(slot);
        who.presence = presence;
        who.not_responding = not_responding.then_some(NotResponding::Missed);
        who.wrap_up = wrap_up.map(|(interaction, until)| WrapUp {
            interaction,
            queue: None,
            work_started: now,
            started: now,
            until,
        });
        // Known to the log already.
        (who.state, who.state_interaction) = who.computed_state();
        who.state_since = now;
        self.refresh(now, slot);
        Ok(())
    }

    /// Sets presence; while the agent works it becomes the next one.
    pub(crate) fn set_presence(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        presence: Presence,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let who = self.agent(slot);
        who.not_responding = None;
        who.paused_until = None;
        who.unreachable_in_a_row = 0;
        let later = Some(&presence).filter(|p| who.is_working() && **p != who.presence);
        if who.next_presence.as_ref() != later {
            who.next_presence = later.cloned();
            let presence = who.next_presence.clone();
            self.out(RouterOutput::NextPresence { agent, presence });
        }
        if self.agents[slot as usize].next_presence.is_none() {
            self.presence(now, slot, presence, false);
        }
        self.refresh(now, slot);
        Ok(())
    }

    /// The work at hand is over: the presence asked for meanwhile holds from now on.
    pub(crate) fn take_next_presence(&mut self, now: Timestamp, slot: u32) {
        let who = &mut self.agents[slot as usize];
        if who.next_presence.is_none() || who.is_working() {
            return;
        }
        if let Some(presence) = who.next_presence.take() {
            self.presence(now, slot, presence, false);
        }
    }

    /// Changes presence; who goes away while being offered something has declined it.
    fn presence(&mut self, now: Timestamp, slot: u32, presence: Presence, automatic: bool) {
        if self.agents[slot as usize].presence == presence {
            return;
        }
        if self.agents[slot as usize].presence == Presence::Offline {
            self.begin_occupancy(now, slot);
        }
        let who = self.agent(slot);
        let away = presence != Presence::Available;
        who.presence = presence.clone();
        who.next_presence = None;
        let agent = who.id;
        self.out(RouterOutput::PresenceSet {
            agent,
            presence,
            automatic,
        });
        if away {
            let how = if automatic {
                OfferEnd::Rescinded
            } else {
                OfferEnd::Rejected
            };
            self.withdraw_offer(now, slot, how);
        }
    }

    pub(crate) fn lease(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        kind: LeaseKind,
        until: Timestamp,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let house = now + Duration::from_millis(self.config.lease_ms);
        let who = self.agent(slot);
        match kind {
            LeaseKind::Phone => {
                let new = who.phone_until.is_none();
                who.phone_until = Some(until);
                if new {
                    who.paused_until = None;
                    who.unreachable_in_a_row = 0;
                    if who.config.available_when_registered {
                        who.not_responding = None;
                        self.presence(now, slot, Presence::Available, true);
                    }
                }
            }
            LeaseKind::Push => {
                who.pushed = true;
                if who.not_responding == Some(NotResponding::DesktopLost) {
                    who.not_responding = None;
                }
            }
            LeaseKind::Desktop(session) => {
                let until = until.min(house);
                who.desktops.retain(|d| d.session != session);
                if who.desktops.len() == DESKTOPS_MAX {
                    who.desktops.remove(0);
                }
                who.desktops.push(Desktop {
                    session,
                    until,
                    dropped: false,
                });
                if who.not_responding == Some(NotResponding::DesktopLost) {
                    who.not_responding = None;
                }
            }
        }
        self.refresh(now, slot);
        Ok(())
    }

    pub(crate) fn lease_ended(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        kind: LeaseKind,
        why: LeaseEnd,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let who = self.agent(slot);
        match (kind, why) {
            (LeaseKind::Phone, _) => {
                if who.phone_until.is_some() {
                    self.phone_gone(now, slot, why);
                }
            }
            (LeaseKind::Push, _) => {
                who.pushed = false;
                if who.phone_until.is_none() {
                    self.withdraw_offer(now, slot, OfferEnd::Rescinded);
                }
            }
            (LeaseKind::Desktop(session), LeaseEnd::Lost) => {
                if let Some(d) = who.desktops.iter_mut().find(|d| d.session == session) {
                    d.dropped = true;
                }
            }
            (LeaseKind::Desktop(session), _) => {
                let had = who.desktops.len();
                who.desktops.retain(|d| d.session != session);
                let last = had > 0 && who.desktops.is_empty();
                let stays = why == LeaseEnd::Closed && who.pushed;
                if last && !stays && !who.config.available_when_registered {
                    who.not_responding = None;
                    self.presence(now, slot, Presence::Offline, true);
                }
            }
        }
        self.refresh(now, slot);
        Ok(())
    }

    fn phone_gone(&mut self, now: Timestamp, slot: u32, why: LeaseEnd) {
        let who = self.agent(slot);
        who.phone_until = None;
        let (agent, follows) = (who.id, who.config.available_when_registered);
        if why == LeaseEnd::Lost {
            self.out(RouterOutput::LeaseLost {
                agent,
                what: "phone",
            });
        }
        // What a push rings, rings on: another page may be opened.
        if !self.agents[slot as usize].pushed {
            self.withdraw_offer(now, slot, OfferEnd::Rescinded);
        }
        if follows {
            self.presence(now, slot, Presence::Offline, true);
        }
    }

    /// No desktop has been heard for the whole lease: presence stays as the person set it, work
    /// stays away until the desktop is heard again or a presence is set. Whom a push reaches needs
    /// no desktop.
    fn desktop_gone(&mut self, now: Timestamp, slot: u32) {
        let who = self.agent(slot);
        if who.config.available_when_registered || who.pushed {
            return;
        }
        if who.presence == Presence::Available && who.not_responding.is_none() {
            who.not_responding = Some(NotResponding::DesktopLost);
        }
        let agent = who.id;
        self.out(RouterOutput::LeaseLost {
            agent,
            what: "desktop",
        });
        self.withdraw_offer(now, slot, OfferEnd::Rescinded);
    }

    pub(crate) fn agent_timer(&mut self, now: Timestamp, slot: u32) {
        let who = self.agent(slot);
        if who.phone_until.is_some_and(|t| t <= now) {
            self.phone_gone(now, slot, LeaseEnd::Lost);
        }
        let who = self.agent(slot);
        let had = who.desktops.len();
        who.desktops.retain(|d| d.until > now);
        if had > 0 && who.desktops.is_empty() {
            self.desktop_gone(now, slot);
        }
        let who = self.agent(slot);
        if who.paused_until.is_some_and(|t| t <= now) {
            who.paused_until = None;
        }
        if who.wrap_up.is_some_and(|w| w.until <= now) {
            self.end_wrap_up(now, slot, true);
        }
        self.refresh(now, slot);
    }

    pub(crate) fn direct(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        interaction: InteractionId,
        queue: Option<QueueId>,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let who = self.agent(slot);
        if who.work.iter().any(|w| w.interaction == interaction) {
            return Ok(());
        }
        if who.work.len() == WORK_MAX {
            who.work.remove(0);
        }
        who.work.push(Work {
            interaction,
            started: now,
            ticket: None,
            queue,
        });
        self.withdraw_offer(now, slot, OfferEnd::Rescinded);
        self.refresh(now, slot);
        Ok(())
    }

    pub(crate) fn work_ended(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        interaction: InteractionId,
        wrap_up: bool,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let who = self.agent(slot);
        let at = who
            .work
            .iter()
            .position(|w| w.interaction == interaction)
            .ok_or(RouteError::NoSuchWork)?;
        let mut work = who.work.remove(at);
        if self.taken.get(&interaction) == Some(&slot) {
            self.taken.remove(&interaction);
        }
        let queue = work.ticket.as_ref().map(|t| t.queue_id);
        if let Some(ticket) = work.ticket.take() {
            self.finish(ticket);
        }
        let length_ms = self.wrap_up_ms(slot, queue.or(work.queue));
        if wrap_up && length_ms > 0 && !self.agents[slot as usize].removed {
            self.begin_wrap_up(now, slot, &work, queue, length_ms);
        } else {
            self.handled(now, queue, work.started);
        }
        self.drop_if_done(now, slot);
        Ok(())
    }

    fn wrap_up_ms(&self, slot: u32, queue: Option<QueueId>) -> u64 {
        let own = self.agents[slot as usize].config.wrap_up_ms;
        let queue = queue
            .and_then(|q| self.queue_by.get(&q))
            .map(|q| self.queues[*q as usize].config.wrap_up_ms);
        own.or(queue).unwrap_or(0).min(WRAP_UP_MS_MAX)
    }

    fn begin_wrap_up(
        &mut self,
        now: Timestamp,
        slot: u32,
        work: &Work,
        queue: Option<QueueId>,
        length_ms: u64,
    ) {
        // One at a time: what is still open of the work before ends now.
        self.end_wrap_up(now, slot, false);
        let until = now + Duration::from_millis(length_ms);
        let who = self.agent(slot);
        who.wrap_up = Some(WrapUp {
            interaction: work.interaction,
            queue,
            work_started: work.started,
            started: now,
            until,
        });
        let agent = who.id;
        self.out(RouterOutput::WrapUpStarted {
            agent,
            interaction: work.interaction,
            until,
        });
    }

    fn end_wrap_up(&mut self, now: Timestamp, slot: u32, timed_out: bool) {
        let who = self.agent(slot);
        let Some(wrap_up) = who.wrap_up.take() else {
            return;
        };
        let agent = who.id;
        self.out(RouterOutput::WrapUpEnded {
            agent,
            interaction: wrap_up.interaction,
            timed_out,
        });
        self.handled(now, wrap_up.queue, wrap_up.work_started);
    }

    /// Work and wrap-up are over: the queue learns how long that took.
    fn handled(&mut self, now: Timestamp, queue: Option<QueueId>, started: Timestamp) {
        if let Some(number) = queue.and_then(|q| self.queue_by.get(&q).copied()) {
            let ms = now.since(started).as_millis() as u64;
            self.queue(number).model.handled(ms);
        }
    }

    pub(crate) fn finish_wrap_up(
        &mut self,
        now: Timestamp,
        agent: AgentId,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        if self.agents[slot as usize].wrap_up.is_none() {
            return Err(RouteError::NotInWrapUp);
        }
        self.end_wrap_up(now, slot, false);
        self.drop_if_done(now, slot);
        Ok(())
    }

    pub(crate) fn extend_wrap_up(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        by_ms: u64,
    ) -> Result<(), RouteError> {
        let slot = self.find_agent(agent)?;
        let who = self.agent(slot);
        let wrap_up = who.wrap_up.as_mut().ok_or(RouteError::NotInWrapUp)?;
        let until = wrap_up.until + Duration::from_millis(by_ms);
        if until.since(wrap_up.started) > Duration::from_millis(WRAP_UP_MS_MAX) {
            return Err(RouteError::WrapUpTooLong);
        }
        wrap_up.until = until;
        let interaction = wrap_up.interaction;
        self.out(RouterOutput::WrapUpExtended {
            agent,
            interaction,
            until,
        });
        self.refresh(now, slot);
        Ok(())
    }

    /// An agent gone from the configuration is let go when the last work ends.
    fn drop_if_done(&mut self, now: Timestamp, slot: u32) {
        let who = &self.agents[slot as usize];
        let done = who.removed && who.work.is_empty();
        self.refresh(now, slot);
        if done {
            self.drop_agent(now, slot);
        }
    }
}
