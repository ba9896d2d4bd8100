//! Outgoing legs and the guards they pass: the engine's side of [`crate::outbound`].

use crate::core::Engine;
use crate::guard;
use crate::outbound::Wanted;
use cp_interaction::{Input as IxInput, LegEvent, Resolved};
use cp_sip::uri::SipUri;
use cp_vocab::command::CommandResult;
use cp_vocab::event::{Endpoint, StreamId};
use cp_vocab::safety::{Live, Outbound as Rules};
use cp_vocab::*;
use std::time::Duration;

impl Engine {
    /// Lets an outgoing leg leave, whatever asked for it; phones of ours may always be rung.
    pub(crate) fn let_out(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        to: &Resolved,
    ) -> Result<(), EndReason> {
        let by_address = match to.endpoint {
            Endpoint::Phone(_) | Endpoint::Browser => return Ok(()),
            Endpoint::Trunk(_) => false,
            Endpoint::Uri => true,
        };
        let tenant = self
            .interactions
            .get(&id)
            .map(|e| e.tenant)
            .ok_or(EndReason::Internal)?;
        if guard::is_emergency(&to.dial) {
            let live = match to.endpoint {
                Endpoint::Trunk(trunk) => self.takes_emergencies(tenant, trunk),
                _ => false,
            };
            return if live {
                Ok(())
            } else {
                Err(EndReason::EmergencyNotLive)
            };
        }
        let user = match by_address {
            true => SipUri::parse(&to.dial)
                .map(|u| u.user_decoded().into_owned())
                .unwrap_or_default(),
            false => to.address.user().to_string(),
        };
        let Some(t) = self.index.tenant(tenant) else {
            return Err(EndReason::Refused);
        };
        let wanted = Wanted {
            tenant,
            rules: &t.safety.outbound,
            number: &user,
            by_address,
        };
        let wall = self.wall(now);
        let (result, alerts) = self.outbound.admit(wall, leg, &wanted);
        if let Err(why) = result {
            self.note_refusal(now, tenant, id, &to.dial, why);
        }
        for (what, detail) in alerts {
            let what = what.to_string();
            let event = Event::OutboundAlert { what, detail };
            self.append_aside(now, Some(tenant), StreamId::Tenant(tenant), event);
        }
        result
    }

    fn note_refusal(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        interaction: InteractionId,
        to: &str,
        why: EndReason,
    ) {
        if self.outbound.logs_refusal(tenant) {
            let to = Pii(to.to_string());
            let event = Event::OutboundRefused {
                interaction,
                to,
                why,
            };
            self.append_aside(now, Some(tenant), StreamId::Tenant(tenant), event);
        }
    }

    /// The far end of an outgoing leg answered: from now on it costs.
    pub(crate) fn costs_from_now(&mut self, now: Timestamp, leg: LegId) {
        let Some(tenant) = self.outbound.tenant_of(leg) else {
            return;
        };
        let wall = self.wall(now);
        let rules = rules_of(&self.index, tenant);
        self.outbound.answered(wall, tenant, leg, rules);
    }

    /// The leg is over: what it cost is charged and written down.
    pub(crate) fn charge(&mut self, now: Timestamp, interaction: InteractionId, leg: LegId) {
        let Some(tenant) = self.outbound.tenant_of(leg) else {
            return;
        };
        let wall = self.wall(now);
        let charge = self
            .outbound
            .ended(wall, tenant, leg, rules_of(&self.index, tenant));
        if let Some(c) = charge {
            let event = Event::OutboundCharged {
                interaction,
                leg,
                prefix: c.prefix,
                seconds: c.seconds,
                micros: c.micros,
                day: c.day,
            };
            self.append_aside(now, Some(tenant), StreamId::Tenant(tenant), event);
        }
    }

    /// SIP sources that are banned, and until when.
    pub(crate) fn bans(&self, now: Timestamp) -> CommandReply {
        let one = |(ip, until): (std::net::IpAddr, Timestamp)| serde_json::json!({ "address": ip, "until": self.wall(until).to_rfc3339() });
        let items: Vec<_> = self.ua.bans(now).into_iter().map(one).collect();
        CommandReply {
            document: Some(serde_json::json!({ "items": items })),
            ..CommandReply::default()
        }
    }

    pub(crate) fn ban(
        &mut self,
        now: Timestamp,
        address: std::net::IpAddr,
        seconds: u64,
    ) -> CommandResult {
        if seconds > 0 {
            let until = now + Duration::from_secs(seconds);
            self.ua.ban(now, address, until);
        } else if !self.ua.unban(now, address) {
            return Err(Refusal::new(Code::NotFound, "That address is not banned."));
        }
        Ok(CommandReply::default())
    }

    /// Calls now, and what is spent with them.
    pub(crate) fn outbound_usage(&self, now: Timestamp, tenant: TenantId) -> CommandReply {
        let rules = rules_of(&self.index, tenant);
        let (calls, today, month) = self.outbound.usage(self.wall(now), tenant, rules);
        let document = serde_json::json!({
            "calls": calls, "calls_max": rules.calls_max,
            "spent_today_micros": today, "spend_daily_max_micros": rules.spend_daily_max_micros,
            "spent_this_month_micros": month, "spend_monthly_max_micros": rules.spend_monthly_max_micros,
        });
        CommandReply {
            document: Some(document),
            ..CommandReply::default()
        }
    }

    /// Ends the calls whose money is spent.
    pub(crate) fn cut_calls(&mut self, now: Timestamp) {
        let wall = self.wall(now);
        for tenant in self.outbound.due(wall) {
            for leg in self
                .outbound
                .cut(wall, tenant, rules_of(&self.index, tenant))
            {
                let Some(id) = self.interaction_of(leg) else {
                    continue;
                };
                self.end_leg(now, leg, EndReason::SpendLimit, None);
                let ended = LegEvent::Ended {
                    reason: EndReason::SpendLimit,
                    detail: None,
                };
                self.work.push_back((id, IxInput::Leg(leg, ended)));
            }
        }
    }

    /// Tells of steps towards emergency calls being live, or away from it.
    pub(crate) fn tell_emergency(&mut self, now: Timestamp, old: &cp_vocab::model::Snapshot) {
        if old.version == 0 {
            return; // The first one: nothing changed.
        }
        let new = self.index.snapshot.clone();
        for t in &new.tenants {
            let was = old.tenants.iter().find(|o| o.id == t.id);
            let is = &t.safety.emergency.live;
            if was.map_or(&Live::Off, |o| &o.safety.emergency.live) == is {
                continue;
            }
            let (what, by) = match is {
                Live::Off => ("off", String::new()),
                Live::Requested { by, .. } => ("requested", by.to_string()),
                Live::On { approved_by, .. } => ("live", approved_by.to_string()),
            };
            let what = what.to_string();
            let event = Event::EmergencyChanged { what, by };
            self.append_aside(now, Some(t.id), StreamId::Tenant(t.id), event);
        }
    }

    /// Tells of limits that were lifted, or hold again, with a changed configuration.
    pub(crate) fn tell_lifted(&mut self, now: Timestamp, old: &cp_vocab::model::Snapshot) {
        let before = |id: TenantId| {
            let t = old.tenants.iter().find(|t| t.id == id)?;
            t.safety.outbound.lifted.clone()
        };
        let new = self.index.snapshot.clone();
        if old.version == 0 {
            return; // The first one: nothing changed.
        }
        for t in &new.tenants {
            let (was, is) = (before(t.id), &t.safety.outbound.lifted);
            let told = match (was, is) {
                (was, Some(l)) if was.as_ref() != Some(l) => {
                    Some((l.by.clone(), l.reason.clone(), Some(l.until)))
                }
                (Some(l), None) => Some((l.by, l.reason, None)),
                _ => None,
            };
            if let Some((by, reason, until)) = told {
                let event = Event::OutboundLifted { by, reason, until };
                self.append_aside(now, Some(t.id), StreamId::Tenant(t.id), event);
            }
        }
    }
}

/// The rules of a tenant; of one that is gone, those of a careful house.
fn rules_of(index: &crate::index::Index, tenant: TenantId) -> &Rules {
    static CAREFUL: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    match index.tenant(tenant) {
        Some(t) => &t.safety.outbound,
        None => CAREFUL.get_or_init(Rules::default),
    }
}
