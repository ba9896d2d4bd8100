//! Phones that come and go, as the log and the routing hear of it.

use crate::core::Engine;
use cp_routing::{LeaseEnd, LeaseKind, RouterInput};
use cp_sip::ua::Unregistration;
use cp_vocab::event::StreamId;
use cp_vocab::*;

impl Engine {
    pub(crate) fn registered(
        &mut self,
        now: Timestamp,
        phone: PhoneId,
        binding: String,
        expires_s: u32,
        transport: &str,
        refresh: bool,
    ) {
        let Some(p) = self.index.phone(phone) else {
            return;
        };
        let (tenant, agent) = (p.tenant, p.agent);
        // A refresh is written down only when the log would otherwise think the phone gone; the
        // record is valid for half as long again as it says.
        let until = now + std::time::Duration::from_secs(u64::from(expires_s));
        let half = now + std::time::Duration::from_secs(u64::from(expires_s) / 2);
        let logged = self.logged_until.get(&phone).copied().unwrap_or_default();
        if !refresh || logged < half {
            self.logged_until.insert(phone, until);
            let event = Event::PhoneRegistered {
                phone,
                contact: Pii(binding),
                expires_s,
                transport: transport.to_string(),
            };
            self.append_aside(now, Some(tenant), StreamId::Phone(phone), event);
        }
        if !refresh && let Some(agent) = agent {
            self.route(
                now,
                RouterInput::Lease {
                    agent,
                    kind: LeaseKind::Phone,
                    until: Timestamp::FAR,
                },
            );
        }
    }

    pub(crate) fn unregistered(&mut self, now: Timestamp, phone: PhoneId, why: Unregistration) {
        let Some(p) = self.index.phone(phone) else {
            return;
        };
        let (tenant, agent) = (p.tenant, p.agent);
        if self.ua.contacts(phone).next().is_some() {
            return; // Another contact of it is still there.
        }
        self.logged_until.remove(&phone);
        let event = Event::PhoneUnregistered {
            phone,
            why: format!("{why:?}").to_ascii_lowercase(),
        };
        self.append_aside(now, Some(tenant), StreamId::Phone(phone), event);
        let others = self.index.snapshot.phones.iter();
        let reachable = others
            .filter(|p| p.agent == agent && p.id != phone)
            .any(|p| self.ua.contacts(p.id).next().is_some());
        // Or the agent's browser carries the calls.
        let carried = agent.is_some_and(|a| self.web.holders.contains_key(&a));
        if let Some(agent) = agent.filter(|_| !reachable && !carried) {
            let why = if why == Unregistration::Requested {
                LeaseEnd::SignedOff
            } else {
                LeaseEnd::Lost
            };
            self.route(
                now,
                RouterInput::LeaseEnded {
                    agent,
                    kind: LeaseKind::Phone,
                    why,
                },
            );
        }
    }
}
