//! What interactions may look up: the index, the registrations, the rooms and the park slots.

use crate::guard;
use crate::index::{Dialled, Index};
use crate::outbound::{Outbound, Wanted};
use cp_interaction::{Directory, Resolved};
use cp_sip::ua::UserAgent;
use cp_sip::uri::SipUri;
use cp_vocab::event::Endpoint;
use cp_vocab::media::Sound;
use cp_vocab::model::{Conference, Destination, DialTarget, Phone, Queue};
use cp_vocab::*;
use rustc_hash::FxHashMap;

/// Park slots of every tenant: 701 to 799.
pub const PARK_SLOTS: std::ops::RangeInclusive<u32> = 701..=799;

pub(crate) struct Lookup<'a> {
    pub index: &'a Index,
    pub ua: &'a UserAgent,
    pub browsers: &'a FxHashMap<AgentId, crate::web::Holder>,
    /// Agents who open a tab when a push tells them to.
    pub pushed: &'a rustc_hash::FxHashSet<AgentId>,
    pub router: &'a cp_routing::Router,
    pub rooms: &'a FxHashMap<ConferenceId, u32>,
    pub parked: &'a FxHashMap<(TenantId, String), InteractionId>,
    pub outbound: &'a Outbound,
    pub wall: Timestamp,
    /// Whether numbers of emergency services may leave; off in demos and tests.
    pub emergency_live: bool,
}

impl Lookup<'_> {
    fn phone(&self, tenant: TenantId, phone: PhoneId) -> Result<Resolved, EndReason> {
        let p = self
            .index
            .phone(phone)
            .filter(|p| p.tenant == tenant)
            .ok_or(EndReason::NotFound)?;
        // A phone whose calls go elsewhere need not be there.
        let forwards = p.forward.as_ref().is_some_and(|f| {
            use cp_vocab::model::ForwardWhen::*;
            matches!(f.when, Always | Unavailable | NotReached)
        });
        if !forwards && self.ua.contacts(phone).next().is_none() {
            if crate::switch::by_number(p) {
                return self.mobile(tenant, p);
            }
            return Err(EndReason::Unavailable);
        }
        Ok(Resolved {
            endpoint: Endpoint::Phone(phone),
            address: Address::Extension(p.user.clone()),
            agent: p.agent,
            dial: p.user.clone(),
        })
    }

    /// A mobile that is reached by its number: the tenant's trunk, and the same rules as for any number.
    fn mobile(&self, tenant: TenantId, p: &Phone) -> Result<Resolved, EndReason> {
        let (t, address) = self
            .index
            .trunk_for(tenant, &p.device.number)
            .ok_or(EndReason::Unavailable)?;
        let mut r = self.trunk(tenant, t.id, address)?;
        r.agent = p.agent;
        Ok(r)
    }

    /// The agent's own phone; another of its devices while that one is not there.
    fn agent(&self, tenant: TenantId, agent: AgentId) -> Result<Resolved, EndReason> {
        let a = self
            .index
            .agent(agent)
            .filter(|a| a.tenant == tenant)
            .ok_or(EndReason::NotFound)?;
        // While a tab is being loaded again a phone that is there is rung instead.
        let there = |p: &PhoneId| self.ua.contacts(*p).next().is_some();
        let holder = self.browsers.get(&agent);
        if holder.is_some_and(|h| h.device.is_some() || !a.phone.as_ref().is_some_and(there)) {
            return Ok(Resolved {
                endpoint: Endpoint::Browser,
                address: Address::Extension(a.extension.clone()),
                agent: Some(agent),
                dial: a.extension.clone(),
            });
        }
        let pushed = self.pushed.contains(&agent);
        let bound = self.index.snapshot.phones.iter();
        let bound = bound.filter(|p| p.agent == Some(agent) && p.tenant == tenant);
        let there = |p: &PhoneId| self.ua.contacts(*p).next().is_some();
        let phone = a
            .phone
            .filter(there)
            .or_else(|| bound.map(|p| p.id).find(there));
        if phone.is_none() && pushed {
            return Ok(Resolved {
                endpoint: Endpoint::Browser,
                address: Address::Extension(a.extension.clone()),
                agent: Some(agent),
                dial: a.extension.clone(),
            });
        }
        let phone = phone.or(a.phone).ok_or(EndReason::Unavailable)?;
        let mut r = self.phone(tenant, phone)?;
        r.agent = Some(agent);
        r.address = Address::Extension(a.extension.clone());
        Ok(r)
    }

    fn trunk(
        &self,
        tenant: TenantId,
        trunk: TrunkId,
        address: Address,
    ) -> Result<Resolved, EndReason> {
        let t = self
            .index
            .trunk(trunk)
            .filter(|t| t.tenant == tenant)
            .ok_or(EndReason::NotFound)?;
        let dial = t.rules.render(&address);
        if guard::is_emergency(&dial) || guard::is_emergency(address.user()) {
            return self.emergency(tenant, &dial);
        }
        self.may_leave(tenant, address.user(), false)?;
        Ok(Resolved {
            endpoint: Endpoint::Trunk(trunk),
            address,
            agent: None,
            dial,
        })
    }

    /// The short path, whatever trunk was meant.
    fn emergency(&self, tenant: TenantId, dialled: &str) -> Result<Resolved, EndReason> {
        let t = self.index.tenant(tenant).ok_or(EndReason::NotFound)?;
        let trunk = crate::emergency::trunk_of(t, self.emergency_live);
        Ok(Resolved {
            endpoint: Endpoint::Trunk(trunk.ok_or(EndReason::EmergencyNotLive)?),
            address: Address::Extension(dialled.to_string()),
            agent: None,
            dial: dialled.to_string(),
        })
    }

    fn may_leave(&self, tenant: TenantId, number: &str, by_address: bool) -> Result<(), EndReason> {
        let t = self.index.tenant(tenant).ok_or(EndReason::NotFound)?;
        let wanted = Wanted {
            tenant,
            rules: &t.safety.outbound,
            number,
            by_address,
        };
        self.outbound.check(self.wall, &wanted)
    }
}

impl Directory for Lookup<'_> {
    fn resolve(&self, tenant: TenantId, target: &DialTarget) -> Result<Resolved, EndReason> {
        match target {
            DialTarget::Phone { phone } => self.phone(tenant, *phone),
            DialTarget::Agent { agent } => self.agent(tenant, *agent),
            DialTarget::Trunk { trunk, number } => {
                let t = self.index.trunk(*trunk).ok_or(EndReason::NotFound)?;
                self.trunk(tenant, *trunk, t.rules.normalise(number))
            }
            DialTarget::Uri { uri } => {
                if guard::is_emergency(uri) {
                    return self.emergency(tenant, uri);
                }
                let user = SipUri::parse(uri).map(|u| u.user_decoded().into_owned());
                self.may_leave(tenant, user.as_deref().unwrap_or(""), true)?;
                Ok(Resolved {
                    endpoint: Endpoint::Uri,
                    address: Address::Sip(uri.clone()),
                    agent: None,
                    dial: uri.clone(),
                })
            }
            DialTarget::Extension { extension } => match self.index.dialled(tenant, extension) {
                Some(Dialled::Agent(i)) => self.agent(tenant, self.index.snapshot.agents[i].id),
                Some(Dialled::Phone(i)) => self.phone(tenant, self.index.snapshot.phones[i].id),
                Some(Dialled::Number(i)) => match &self.index.snapshot.numbers[i].destination {
                    Destination::Agent { agent } => self.agent(tenant, *agent),
                    Destination::Phone { phone } => self.phone(tenant, *phone),
                    // One step only: a number that dials an extension may not go round in circles.
                    Destination::Dial {
                        target: t @ (DialTarget::Uri { .. } | DialTarget::Trunk { .. }),
                        ..
                    } => self.resolve(tenant, t),
                    // Asked for one party, a queue gives its first free agent; waiting is not for who has
                    // somebody on hold.
                    Destination::Queue { queue } => {
                        let free = self.router.free_agent(*queue);
                        self.agent(tenant, free.ok_or(EndReason::Unavailable)?)
                    }
                    _ => Err(EndReason::NotFound),
                },
                None if guard::is_emergency(extension) => self.emergency(tenant, extension),
                None => {
                    let (t, address) = self
                        .index
                        .trunk_for(tenant, extension)
                        .ok_or(EndReason::NotFound)?;
                    self.trunk(tenant, t.id, address)
                }
            },
        }
    }

    fn dialled(&self, tenant: TenantId, digits: &str) -> Option<Destination> {
        self.index
            .destination(tenant, digits, false)
            .map(|(d, _)| d)
    }
    fn queue(&self, queue: QueueId) -> Option<&Queue> {
        self.index.queue(queue)
    }
    fn queue_admits(&self, queue: QueueId) -> Result<(), EndReason> {
        self.router
            .admits(queue)
            .map_err(|_| EndReason::Unavailable)
    }
    fn conference(&self, conference: ConferenceId) -> Option<&Conference> {
        self.index.conference(conference)
    }
    fn recording_path(
        &self,
        tenant: TenantId,
        interaction: InteractionId,
        recording: RecordingId,
    ) -> String {
        format!("{tenant}/{interaction}/{recording}.wav")
    }
    fn record_by_default(&self, tenant: TenantId) -> bool {
        self.index
            .tenant(tenant)
            .is_some_and(|t| t.record_by_default)
    }
    fn recording_notice(&self, tenant: TenantId, parties: &[&Address]) -> Option<Sound> {
        let consent = &self.index.tenant(tenant)?.safety.recording;
        consent.notice(parties.iter().copied())
    }
    fn park_slot(&self, tenant: TenantId, wanted: Option<&str>) -> Option<String> {
        let free = |slot: &String| !self.parked.contains_key(&(tenant, slot.clone()));
        match wanted {
            Some(w) => Some(w.to_string()).filter(|w| w.len() <= 16 && free(w)),
            None => PARK_SLOTS.map(|n| n.to_string()).find(free),
        }
    }
    fn conference_members(&self, conference: ConferenceId) -> u32 {
        self.rooms.get(&conference).copied().unwrap_or(0)
    }
}
