//! Who calls, and where it wants to go: decided before anything is kept of the call.

use crate::core::Engine;
use crate::switch::Fetch;
use cp_interaction::Input as IxInput;
use cp_sip::message::Message;
use cp_sip::sdp::SrtpPolicy;
use cp_sip::ua::{CallRef, Principal};
use cp_sip::uri::SipUri;
use cp_vocab::event::Endpoint;
use cp_vocab::model::{Destination, DialTarget, Trunk};
use cp_vocab::*;

/// A caller, and where it wants to go.
pub(crate) struct Arrival {
    pub tenant: TenantId,
    pub endpoint: Endpoint,
    pub agent: Option<AgentId>,
    pub from: Address,
    pub from_name: Option<String>,
    pub to: Address,
    pub number: Option<NumberId>,
    pub plan: Destination,
    pub internal: bool,
    pub srtp: SrtpPolicy,
    /// Picks up what is parked in this slot.
    pub slot: Option<InteractionId>,
    /// Takes over this leg of its own person.
    pub fetch: Option<(InteractionId, LegId)>,
}

impl Engine {
    pub(crate) fn arrival(
        &self,
        now: Timestamp,
        principal: Principal,
        invite: &Message,
        replacing: bool,
    ) -> Result<Arrival, u16> {
        let dialled = match invite.uri() {
            // A service rather than somebody's address (RFC 5031).
            urn if urn.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("urn:")) => urn.to_string(),
            uri => SipUri::parse(uri)
                .ok_or(400u16)?
                .user_decoded()
                .into_owned(),
        };
        let mut arrival = match principal {
            Principal::Trunk(t) => {
                let trunk = self.index.trunk(t).ok_or(403u16)?;
                self.arrival_by_trunk(now, trunk, &dialled, invite)
            }
            Principal::Phone(p) => self.arrival_by_phone(p, &dialled, replacing),
        }?;
        arrival.plan = self.index.by_hours(arrival.plan, now);
        Ok(arrival)
    }

    pub(crate) fn arrival_by_trunk(
        &self,
        now: Timestamp,
        trunk: &Trunk,
        dialled: &str,
        invite: &Message,
    ) -> Result<Arrival, u16> {
        if trunk.channels_max != 0
            && self.trunk_calls.get(&trunk.id).copied().unwrap_or(0) >= trunk.channels_max
        {
            return Err(503);
        }
        let to = trunk.rules.normalise(dialled);
        let called_back = self.called_back(trunk.tenant, to.user(), now);
        let number = || self.index.destination(trunk.tenant, to.user(), true);
        let found = called_back
            .map(|phone| (Destination::Phone { phone }, None))
            .or_else(number)
            .or_else(|| self.index.destination(trunk.tenant, dialled, true));
        let (plan, number) = match found {
            Some(found) => found,
            None => (self.through(trunk, dialled)?, None),
        };
        let from_header = invite.from().ok_or(400u16)?;
        // A trusted trunk's word on who calls goes before what the caller wrote.
        let asserted = trunk
            .identity
            .trusted
            .then(|| crate::identity::asserted(invite))
            .flatten();
        let from_uri = asserted.as_deref().unwrap_or(from_header.uri);
        let from_user = match from_uri.split_once(':') {
            Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => number.to_string(),
            _ => SipUri::parse(from_uri)
                .map(|u| u.user_decoded().into_owned())
                .unwrap_or_default(),
        };
        Ok(Arrival {
            tenant: trunk.tenant,
            endpoint: Endpoint::Trunk(trunk.id),
            agent: None,
            from: trunk.rules.normalise(&from_user),
            from_name: Some(from_header.display_text().into_owned()).filter(|d| !d.is_empty()),
            to,
            number,
            plan,
            internal: false,
            srtp: if trunk.srtp {
                SrtpPolicy::Require
            } else {
                SrtpPolicy::Allow
            },
            slot: None,
            fetch: None,
        })
    }

    pub(crate) fn arrival_by_phone(
        &self,
        phone: PhoneId,
        dialled: &str,
        replacing: bool,
    ) -> Result<Arrival, u16> {
        let p = self.index.phone(phone).ok_or(403u16)?;
        let agent = self.index.agent_of_phone(phone);
        let slot = self.parked.get(&(p.tenant, dialled.to_string())).copied();
        let found = self.index.destination(p.tenant, dialled, false);
        let mut fetch = None;
        let (plan, number) = match (found, slot) {
            // Help comes before whatever somebody called 112 in the house.
            (_, None) if self.helps(p.tenant, dialled) => (crate::emergency::plan(dialled), None),
            (Some(f), _) => f,
            (None, _) if let Some(asked) = self.fetch_by_code(p, dialled) => match asked {
                Fetch::Take(id, leg) => {
                    fetch = Some((id, leg));
                    (Destination::Reject { status: 480 }, None)
                }
                Fetch::Say(text) => (crate::switch::say(text), None),
            },
            (None, Some(_)) => (Destination::Reject { status: 480 }, None),
            // Where a Replaces leads is said by the dialog it names.
            (None, None) if replacing => (Destination::Reject { status: 481 }, None),
            (None, None) => (self.outside(p, dialled)?, None),
        };
        Ok(Arrival {
            tenant: p.tenant,
            endpoint: Endpoint::Phone(phone),
            agent: agent.map(|a| a.id),
            from: Address::Extension(agent.map_or_else(|| p.user.clone(), |a| a.extension.clone())),
            from_name: Some(agent.map_or_else(|| p.name.clone(), |a| a.name.clone()))
                .filter(|n| !n.is_empty()),
            to: Address::Extension(dialled.to_string()),
            number,
            plan,
            internal: true,
            srtp: if p.require_srtp {
                SrtpPolicy::Require
            } else {
                SrtpPolicy::Allow
            },
            slot,
            fetch,
        })
    }

    /// A customer's exchange calls a number that is not the tenant's own.
    fn through(&self, from: &Trunk, dialled: &str) -> Result<Destination, u16> {
        if !from.may_dial_out {
            return Err(404);
        }
        if crate::guard::is_emergency(dialled) {
            let live = self.emergency_trunk(from.tenant).is_some();
            return match live {
                true => Ok(crate::emergency::plan(dialled)),
                false => Err(EndReason::EmergencyNotLive.sip_status()),
            };
        }
        let (trunk, address) = self.index.trunk_for(from.tenant, dialled).ok_or(404u16)?;
        if trunk.id == from.id {
            return Err(404); // It would come straight back.
        }
        Ok(Destination::Dial {
            target: DialTarget::Trunk {
                trunk: trunk.id,
                number: address.user().to_string(),
            },
            record: false,
        })
    }

    /// A phone dials a number that is not the tenant's own.
    pub(crate) fn outside(
        &self,
        phone: &cp_vocab::model::Phone,
        dialled: &str,
    ) -> Result<Destination, u16> {
        if crate::guard::is_emergency(dialled) {
            let live = self.emergency_trunk(phone.tenant).is_some();
            return match live {
                // Whoever may dial nothing else may dial this.
                true => Ok(crate::emergency::plan(dialled)),
                false => Err(EndReason::EmergencyNotLive.sip_status()),
            };
        }
        let (trunk, address) = self.index.trunk_for(phone.tenant, dialled).ok_or(404u16)?;
        if !phone.may_dial_out {
            return Err(403);
        }
        let target = DialTarget::Trunk {
            trunk: trunk.id,
            number: address.user().to_string(),
        };
        Ok(Destination::Dial {
            target,
            record: false,
        })
    }

    /// Legs of one interaction live on one worker; a phone with a call keeps to that call's worker, so
    /// that the two can be connected later.
    pub(crate) fn worker_for(&self, arrival: &Arrival) -> u16 {
        let workers = self.ports.workers().max(1);
        if let Destination::Conference { conference } = &arrival.plan {
            return self.worker_of_conference(*conference);
        }
        if workers > 1
            && let Endpoint::Phone(_) = arrival.endpoint
            && let Some(l) = self.legs.values().find(|l| l.endpoint == arrival.endpoint)
            && let Some(worker) = l.worker()
        {
            return worker;
        }
        self.ports.least_used()
    }

    /// Whether the newcomer may take the place of that dialog: phones of the same tenant only.
    pub(crate) fn replaced(
        &self,
        old: CallRef,
        arrival: &Arrival,
    ) -> Option<(InteractionId, LegId)> {
        let leg = self.calls.get(&old)?;
        let id = self.interaction_of(*leg)?;
        let tenant = self.interactions.get(&id)?.tenant;
        (tenant == arrival.tenant && matches!(arrival.endpoint, Endpoint::Phone(_)))
            .then_some((id, *leg))
    }

    pub(crate) fn parked_leg(&self, id: InteractionId) -> Option<(InteractionId, LegId)> {
        let state = self.interactions.get(&id)?.interaction.state();
        let leg = state
            .live_legs()
            .find(|l| matches!(l.room, cp_interaction::Room::Parked(_)))?;
        Some((id, leg.id))
    }
}

/// A call that takes the place of leg `old`: of its own person's, or by Replaces.
pub(crate) fn joining(old: LegId, leg: LegId, arrival: Arrival, call_id: String) -> IxInput {
    let Arrival {
        endpoint,
        agent,
        from: address,
        fetch,
        ..
    } = arrival;
    match fetch {
        Some(_) => IxInput::SwitchIn {
            old,
            leg,
            endpoint,
            agent,
            address,
            call_id,
        },
        None => IxInput::Replace {
            old,
            leg,
            endpoint,
            agent,
            address,
            call_id,
        },
    }
}
