//! What browsers ask: who carries an agent's calls, calls out, answers, hang-ups. Everything an
//! interaction sees of it is a leg event, as from any phone.

use crate::arrival::Arrival;
use crate::core::Engine;
use crate::io::Output;
use crate::web::{Awaits, Context, Holder, Timer, WebLeg};
use cp_interaction::{Input as IxInput, LegEvent};
use cp_routing::{LeaseEnd, LeaseKind, RouterInput};
use cp_sip::sdp::SrtpPolicy;
use cp_vocab::command::{Actor, CommandReply, CommandResult};
use cp_vocab::event::Endpoint;
use cp_vocab::model::{Destination, DialTarget};
use cp_vocab::web::*;
use cp_vocab::*;
use std::time::Duration;

/// A tab that goes has this long to come back before its agent counts as gone (reload).
pub(crate) const RETURN: Duration = Duration::from_secs(3);
const RESUME: Duration = Duration::from_millis(RESUME_MS);
/// Digits in one message; a person presses fewer.
const DIGITS_MAX: usize = 64;

impl Engine {
    pub(crate) fn device(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        actor: Actor,
        device: DeviceId,
        ask: DeviceAsk,
    ) -> CommandResult {
        match ask {
            DeviceAsk::Attach { agent, carries } => {
                self.for_agent(tenant, actor, agent)?;
                Ok(self.attach(now, device, agent, &carries))
            }
            DeviceAsk::Detach { agent } => {
                self.for_agent(tenant, actor, agent)?;
                let attached = self.web.holders.get(&agent);
                if attached.is_some_and(|h| h.device == Some(device)) {
                    self.unhold(now, agent, LeaseEnd::SignedOff);
                }
                Ok(CommandReply::default())
            }
            DeviceAsk::Gone => {
                self.device_gone(now, device);
                Ok(CommandReply::default())
            }
            DeviceAsk::Call { agent, to, sdp } => {
                self.may_start(tenant, actor, Some(agent))?;
                let attached = self.web.holders.get(&agent);
                if attached.is_none_or(|h| h.device != Some(device)) {
                    let detail = "This tab does not carry your calls. Attach first.";
                    return Err(Refusal::new(Code::AgentState, detail));
                }
                let arrival = self.arrival_by_agent(agent, &to).map_err(refusal)?;
                self.enter(now, device, arrival, sdp, None)
            }
            DeviceAsk::CustomerCall(call) => self.customer_call(now, tenant, actor, device, *call),
            DeviceAsk::Resume { leg } => self.resume(tenant, device, leg),
            DeviceAsk::Accept { leg, sdp } => {
                self.own_leg(tenant, actor, device, leg)?;
                self.accept(device, leg, sdp)
            }
            other => self.leg_ask(now, tenant, actor, device, other),
        }
    }

    /// Asks about a leg that is there.
    fn leg_ask(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        actor: Actor,
        device: DeviceId,
        ask: DeviceAsk,
    ) -> CommandResult {
        let leg = match &ask {
            DeviceAsk::Reject { leg }
            | DeviceAsk::Offer { leg, .. }
            | DeviceAsk::Answer { leg, .. }
            | DeviceAsk::RequestOffer { leg }
            | DeviceAsk::Candidate { leg, .. }
            | DeviceAsk::Digits { leg, .. }
            | DeviceAsk::Mute { leg, .. }
            | DeviceAsk::Seats { leg, .. }
            | DeviceAsk::HangUp { leg } => *leg,
            _ => {
                let detail = "This cannot be asked here.";
                return Err(Refusal::new(Code::BadRequest, detail));
            }
        };
        self.own_leg(tenant, actor, device, leg)?;
        match ask {
            DeviceAsk::Reject { .. } => self.reject(now, leg)?,
            DeviceAsk::Offer { sdp, fresh, .. } => self.renegotiate(device, leg, sdp, fresh)?,
            DeviceAsk::Answer { sdp, .. } => self.ask_peer(leg, PeerAsk::TakeAnswer { sdp }),
            DeviceAsk::RequestOffer { .. } => self.ask_peer(leg, PeerAsk::MakeOffer),
            DeviceAsk::Candidate { candidate, .. } => {
                self.ask_peer(leg, PeerAsk::Candidate { candidate });
            }
            DeviceAsk::Digits { digits, .. } => {
                let fit = |c: char| "0123456789*#ABCD".contains(c);
                if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.chars().all(fit) {
                    let detail = "Digits are 0 to 9, *, # and A to D, at most 64.";
                    return Err(Refusal::new(Code::BadRequest, detail));
                }
                self.ask_peer(leg, PeerAsk::Press { digits });
            }
            DeviceAsk::Mute { muted, .. } => {
                if let Some(worker) = self.legs.get(&leg).and_then(|l| l.worker()) {
                    let mute = cp_vocab::media::MediaCommand::Mute { leg, muted };
                    self.put_media(worker, mute);
                }
            }
            DeviceAsk::Seats { seats, .. } => return self.seats(leg, seats),
            _ => self.over(now, leg, EndReason::HungUp),
        }
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    /// The leg is of this device, or of another tab of the same agent.
    fn own_leg(
        &self,
        tenant: TenantId,
        actor: Actor,
        device: DeviceId,
        leg: LegId,
    ) -> Result<(), Refusal> {
        let missing = || Refusal::new(Code::NotFound, "There is no such leg on this device now.");
        let entry = self.legs.get(&leg).ok_or_else(missing)?;
        let web = entry.web.as_ref().filter(|w| !w.by_sip);
        let web = web.ok_or_else(missing)?;
        let of = self.interactions.get(&entry.interaction).map(|e| e.tenant);
        let mine = match (web.agent, actor) {
            (Some(agent), Actor::Agent(me)) => agent == me,
            (None, _) => web.device == Some(device),
            _ => false,
        };
        if of == Some(tenant) && mine {
            Ok(())
        } else {
            Err(missing())
        }
    }

    fn attach(
        &mut self,
        now: Timestamp,
        device: DeviceId,
        agent: AgentId,
        carries: &[LegId],
    ) -> CommandReply {
        let before = self.web.holders.insert(
            agent,
            Holder {
                device: Some(device),
            },
        );
        if let Some(old) = before.and_then(|h| h.device).filter(|d| *d != device) {
            self.signal(old, Signal::Replaced);
        }
        let lost = self.web.lost.remove(&agent);
        self.route(
            now,
            RouterInput::Lease {
                agent,
                kind: LeaseKind::Phone,
                until: Timestamp::FAR,
            },
        );
        let of_agent = |w: &WebLeg| w.agent == Some(agent) && !w.by_sip;
        let mut legs: Vec<LegId> = Vec::new();
        for (id, entry) in &mut self.legs {
            let answered = entry.answered;
            if let Some(web) = entry.web.as_mut().filter(|w| of_agent(w)) {
                // What rings, rings in the newest tab; what is talked on stays where it is, which is
                // this tab when only its socket is another.
                let rings = !answered && !entry.inbound;
                if web.device.is_none() || rings || carries.contains(id) {
                    web.device = Some(device);
                }
                legs.push(*id);
            }
        }
        legs.sort_unstable();
        let legs: Vec<DeviceLeg> = legs.iter().filter_map(|l| self.device_leg(*l)).collect();
        CommandReply {
            document: Some(serde_json::json!({ "legs": legs, "lost": lost })),
            ..Default::default()
        }
    }

    /// The browser no longer carries the agent's calls; a phone may.
    fn unhold(&mut self, now: Timestamp, agent: AgentId, why: LeaseEnd) {
        self.web.holders.remove(&agent);
        if why == LeaseEnd::Lost {
            self.web.lost.insert(agent);
        }
        let phone = self.index.agent(agent).and_then(|a| a.phone);
        if phone.is_some_and(|p| self.ua.contacts(p).next().is_some()) {
            return;
        }
        self.route(
            now,
            RouterInput::LeaseEnded {
                agent,
                kind: LeaseKind::Phone,
                why,
            },
        );
    }

    fn device_gone(&mut self, now: Timestamp, device: DeviceId) {
        let held = self
            .web
            .holders
            .iter_mut()
            .find(|(_, h)| h.device == Some(device));
        if let Some((agent, holder)) = held {
            let agent = *agent;
            holder.device = None;
            self.web.at(now + RETURN, Timer::Holder(agent));
        }
        let mut away = Vec::new();
        for (id, entry) in &mut self.legs {
            let answered = entry.answered || entry.inbound;
            if let Some(web) = entry.web.as_mut().filter(|w| w.device == Some(device)) {
                web.device = None;
                // Rings on where a push told of it: another tab may be opened.
                let pushed = web.agent.is_some_and(|a| self.web.pushed.contains(&a));
                if pushed && !answered {
                    continue;
                }
                away.push((*id, if answered { RESUME } else { RETURN }));
            }
        }
        for (leg, time) in away {
            self.web.at(now + time, Timer::Away(leg));
        }
    }

    /// A time that a browser was given is over.
    pub(crate) fn web_timeout(&mut self, now: Timestamp) {
        while let Some(timer) = self.web.due(now) {
            match timer {
                Timer::Holder(agent) => {
                    let gone = self.web.holders.get(&agent);
                    if gone.is_some_and(|h| h.device.is_none()) {
                        self.unhold(now, agent, LeaseEnd::Lost);
                    }
                }
                Timer::Away(leg) => self.still_away(now, leg),
                Timer::Ring(leg) => {
                    let rings = self.legs.get(&leg).is_some_and(|l| !l.answered);
                    if rings {
                        self.over(now, leg, EndReason::NoAnswer);
                    }
                }
            }
        }
    }

    /// Packets that still come are as good as a socket: only who is silent too is gone.
    fn still_away(&mut self, now: Timestamp, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let Some(web) = entry.web.as_mut().filter(|w| w.device.is_none()) else {
            return;
        };
        if !entry.answered && !entry.inbound {
            self.over(now, leg, EndReason::Unavailable);
        } else if web.connected {
            // The tab lives: its newer socket hears of the leg from now on.
            let holder = web.agent.and_then(|a| self.web.holders.get(&a));
            web.device = holder.and_then(|h| h.device);
            self.web.at(now + RESUME, Timer::Away(leg));
        } else {
            self.over(now, leg, EndReason::Dropped);
        }
    }

    /// A browser calls: a new interaction, or it joins one that is parked.
    fn enter(
        &mut self,
        now: Timestamp,
        device: DeviceId,
        arrival: Arrival,
        sdp: String,
        context: Option<Context>,
    ) -> CommandResult {
        let tenant = arrival.tenant;
        if self.tenant_is_full(tenant) {
            let detail = "The tenant has as many calls as it may have.";
            return Err(Refusal::new(Code::Overload, detail));
        }
        let joins = arrival.slot.and_then(|id| self.parked_leg(id));
        let busy_on = arrival.agent.and_then(|a| self.worker_of(a));
        let worker = match joins {
            Some((id, _)) => self.interactions.get(&id).map_or(0, |e| e.worker),
            None => busy_on.unwrap_or_else(|| self.worker_for(&arrival)),
        };
        let leg: LegId = self.ids.next(now);
        let id = match joins {
            Some((id, _)) => id,
            None => self.ids.next(now),
        };
        let mut web = WebLeg::new(worker, Some(device), arrival.agent);
        web.context = context.clone().map(Box::new);
        let entry = self.web_entry(id, web, true);
        self.legs.insert(leg, entry);
        self.ask_peer(leg, PeerAsk::TakeOffer { sdp, fresh: false });
        let input = self.arrived(id, leg, worker, arrival, joins, String::new());
        self.step(now, id, input);
        if let Some(context) = context {
            self.tell_context(now, id, leg, context);
        }
        Ok(CommandReply {
            interaction: Some(id),
            leg: Some(leg),
            ..Default::default()
        })
    }

    /// What is known of a caller from elsewhere.
    pub(crate) fn context_told(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        id: InteractionId,
        subject: Option<String>,
        context: String,
    ) -> CommandResult {
        let missing = || Refusal::new(Code::NotFound, "There is no such interaction now.");
        let entry = self.interactions.get(&id).filter(|e| e.tenant == tenant);
        let state = entry.ok_or_else(missing)?.interaction.state();
        let leg = state.live_legs().next().map(|l| l.id);
        let page = Some(context);
        let context = Context { subject, page };
        self.tell_context(now, id, leg.ok_or_else(missing)?, context);
        Ok(CommandReply {
            interaction: Some(id),
            ..Default::default()
        })
    }

    /// Before anybody is offered the call: who looks at the offer sees it.
    pub(crate) fn tell_context(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        context: Context,
    ) {
        let told = Event::CustomerContext {
            leg,
            subject: context.subject,
            context: context.page.map(Pii),
        };
        self.step(now, id, IxInput::Noted(told));
    }

    fn customer_call(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        actor: Actor,
        device: DeviceId,
        call: CustomerCall,
    ) -> CommandResult {
        self.may_start(tenant, actor, None)?;
        let arrival = Arrival {
            tenant,
            endpoint: Endpoint::Browser,
            agent: None,
            from: Address::Anonymous,
            from_name: call.name.filter(|n| !n.is_empty()),
            to: Address::Extension("web".into()),
            number: None,
            plan: call.destination,
            internal: false,
            srtp: SrtpPolicy::Off,
            slot: None,
            fetch: None,
        };
        let context = Context {
            subject: call.subject,
            page: call.context,
        };
        self.enter(now, device, arrival, call.sdp, Some(context))
    }

    fn resume(&mut self, tenant: TenantId, device: DeviceId, leg: LegId) -> CommandResult {
        let missing = || Refusal::new(Code::NotFound, "The call is over.");
        let entry = self.legs.get_mut(&leg).ok_or_else(missing)?;
        let id = entry.interaction;
        let web = entry
            .web
            .as_mut()
            .filter(|w| w.agent.is_none() && !w.by_sip);
        let web = web.ok_or_else(missing)?;
        if self
            .interactions
            .get(&id)
            .is_none_or(|e| e.tenant != tenant)
        {
            return Err(missing());
        }
        let old = web.device.replace(device).filter(|d| *d != device);
        if let Some(old) = old {
            self.signal(old, Signal::Replaced);
        }
        Ok(CommandReply {
            interaction: Some(id),
            leg: Some(leg),
            ..Default::default()
        })
    }

    fn accept(&mut self, device: DeviceId, leg: LegId, sdp: String) -> CommandResult {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return Err(Refusal::new(Code::NotFound, "The call is over."));
        };
        let rings = !entry.answered && !entry.inbound;
        let Some(web) = entry.web.as_mut().filter(|_| rings) else {
            let detail = "This leg does not ring any more.";
            return Err(Refusal::new(Code::LegState, detail));
        };
        web.device = Some(device);
        web.awaits = Awaits::Accept;
        self.ask_peer(leg, PeerAsk::TakeOffer { sdp, fresh: true });
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    fn reject(&mut self, now: Timestamp, leg: LegId) -> Result<(), Refusal> {
        let entry = self.legs.get(&leg);
        if entry.is_none_or(|l| l.answered || l.inbound) {
            let detail = "This leg does not ring any more.";
            return Err(Refusal::new(Code::LegState, detail));
        }
        self.over(now, leg, EndReason::Declined);
        Ok(())
    }

    fn renegotiate(
        &mut self,
        device: DeviceId,
        leg: LegId,
        sdp: String,
        fresh: bool,
    ) -> Result<(), Refusal> {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return Ok(());
        };
        if !entry.answered && !entry.inbound {
            let detail = "This leg rings: accept it first.";
            return Err(Refusal::new(Code::LegState, detail));
        }
        let Some(web) = &mut entry.web else {
            return Ok(());
        };
        let old = web.device.replace(device).filter(|d| *d != device);
        if web.awaits == Awaits::Nothing {
            web.awaits = Awaits::Offered;
        }
        if let Some(old) = old {
            let reason = SignalEnd::Moved(Moved::MovedTab);
            self.signal(old, Signal::Ended { leg, reason });
        }
        self.ask_peer(leg, PeerAsk::TakeOffer { sdp, fresh });
        Ok(())
    }

    /// A browser's leg ends by the browser, or because it is gone.
    pub(crate) fn over(&mut self, now: Timestamp, leg: LegId, reason: EndReason) {
        let Some(id) = self.interaction_of(leg) else {
            return;
        };
        self.end_leg(now, leg, reason, None);
        let detail = None;
        let event = LegEvent::Ended { reason, detail };
        self.work.push_back((id, IxInput::Leg(leg, event)));
    }

    /// An agent dials in the browser: what their phone could dial.
    fn arrival_by_agent(&self, agent: AgentId, to: &DialTarget) -> Result<Arrival, u16> {
        let a = self.index.agent(agent).ok_or(404u16)?;
        let mut slot = None;
        let (plan, number, shown) = match to {
            DialTarget::Extension { extension } => {
                slot = self.parked.get(&(a.tenant, extension.clone())).copied();
                let (plan, number) = match self.index.destination(a.tenant, extension, false) {
                    Some(found) => found,
                    None if slot.is_some() => (Destination::Reject { status: 480 }, None),
                    None => (
                        self.outside_by_agent(a.tenant, a.phone, to, extension)?,
                        None,
                    ),
                };
                (plan, number, extension.clone())
            }
            other => {
                let plan = Destination::Dial {
                    target: other.clone(),
                    record: false,
                };
                (plan, None, shown(other))
            }
        };
        Ok(Arrival {
            tenant: a.tenant,
            endpoint: Endpoint::Browser,
            agent: Some(agent),
            from: Address::Extension(a.extension.clone()),
            from_name: Some(a.name.clone()).filter(|n| !n.is_empty()),
            to: Address::Extension(shown),
            number,
            plan,
            internal: true,
            srtp: SrtpPolicy::Off,
            slot,
            fetch: None,
        })
    }

    fn outside_by_agent(
        &self,
        tenant: TenantId,
        phone: Option<PhoneId>,
        to: &DialTarget,
        dialled: &str,
    ) -> Result<Destination, u16> {
        if let Some(phone) = phone.and_then(|p| self.index.phone(p)) {
            return self.outside(phone, dialled);
        }
        if crate::guard::is_emergency(dialled) {
            return match self.emergency_trunk(tenant) {
                Some(_) => Ok(crate::emergency::plan(dialled)),
                None => Err(EndReason::EmergencyNotLive.sip_status()),
            };
        }
        // Without a phone of their own there is no right to be read off it: as by click to call.
        self.index.trunk_for(tenant, dialled).ok_or(404u16)?;
        Ok(Destination::Dial {
            target: to.clone(),
            record: false,
        })
    }

    pub(crate) fn signal(&mut self, device: DeviceId, signal: Signal) {
        self.put(Output::Signal {
            device,
            signal,
            after: cp_vocab::event::LogPosition::default(),
        });
    }
}

fn shown(target: &DialTarget) -> String {
    match target {
        DialTarget::Uri { uri } => uri.clone(),
        DialTarget::Trunk { number, .. } => number.clone(),
        DialTarget::Phone { phone } => phone.to_string(),
        DialTarget::Agent { agent } => agent.to_string(),
        DialTarget::Extension { extension } => extension.clone(),
    }
}

/// A call that a phone would be refused with this status.
fn refusal(status: u16) -> Refusal {
    match status {
        403 => Refusal::new(Code::Forbidden, "This may not be dialled from here."),
        404 => Refusal::new(Code::NotFound, "Nobody has this number."),
        503 => Refusal::new(Code::Overload, "Too many calls at this moment."),
        _ => Refusal::new(Code::BadRequest, "This cannot be dialled."),
    }
}
