//! Devices of one person (S1.6): which there are, which of their calls is meant, and what the rules
//! forbid. How a call moves is the interaction's matter.

use crate::core::Engine;
use cp_interaction::{Leg, Room, State};
use cp_vocab::command::{Actor, Command, CommandReply, CommandResult, Device};
use cp_vocab::event::Endpoint;
use cp_vocab::model::{Destination, DeviceKind, Phone};
use cp_vocab::net::Target;
use cp_vocab::*;
use serde_json::json;
use std::net::IpAddr;

/// What a device dials to bring its person's call here; with several calls, a number follows.
pub const FETCH_CODE: &str = "*75";
/// Calls of one person that are told apart by a digit; further ones are not offered.
const CALLS_TOLD: usize = 9;

/// What dialling [`FETCH_CODE`] means now.
pub(crate) enum Fetch {
    Take(InteractionId, LegId),
    /// Nothing to take, or a question back, or a rule: said to the caller.
    Say(String),
}

impl Engine {
    /// Checks a move of `leg` to a device: same person, and no rule of the queue against it.
    pub(crate) fn may_switch(&self, state: &State, leg: LegId, to: Device) -> Result<(), Refusal> {
        let missing =
            |what: &str| Refusal::new(Code::NotFound, format!("There is no such {what}."));
        let l = state.leg(leg).ok_or_else(|| missing("leg"))?;
        let (owner, kind) = match to {
            Device::Browser(agent) => (Some(agent), DeviceKind::Browser),
            Device::Phone(phone) => {
                let phone = self.index.phone(phone);
                let phone = phone.filter(|p| p.tenant == state.tenant);
                let phone = phone.ok_or_else(|| missing("device"))?;
                (phone.agent, phone.device.kind)
            }
        };
        if l.agent.is_none() || owner != l.agent {
            let detail = "That device belongs to somebody else. Bind it to the agent first.";
            return Err(Refusal::new(Code::Forbidden, detail));
        }
        let queue = state.served_by.and_then(|q| self.index.queue(q));
        if queue.is_some_and(|q| q.switch_forbidden.contains(&kind)) {
            let detail = format!("Calls of this queue may not be moved to a {}.", kind.word());
            return Err(Refusal::new(Code::Forbidden, detail));
        }
        Ok(())
    }

    /// The leg that the owner of a device has in a call now.
    fn leg_of_owner(
        &self,
        tenant: TenantId,
        id: InteractionId,
        to: Device,
    ) -> Result<LegId, Refusal> {
        let missing =
            |what: &str| Refusal::new(Code::NotFound, format!("There is no such {what}."));
        if self.recent.ended(id, tenant) {
            let detail = "The interaction has ended.";
            return Err(Refusal::new(Code::InteractionEnded, detail));
        }
        let entry = self.interactions.get(&id).filter(|e| e.tenant == tenant);
        let entry = entry.ok_or_else(|| missing("interaction now"))?;
        let agent = match to {
            Device::Browser(agent) => Some(agent),
            Device::Phone(phone) => {
                let phone = self.index.phone(phone).filter(|p| p.tenant == tenant);
                phone.ok_or_else(|| missing("device"))?.agent
            }
        };
        agent
            .and_then(|a| entry.interaction.agent_leg(a))
            .map(|l| l.id)
            .ok_or_else(|| {
                let detail = "Whoever this device belongs to is not in that call.";
                Refusal::new(Code::Forbidden, detail)
            })
    }

    /// Legs of the agent that could be moved away to another endpoint than `to`, oldest first.
    fn movable(
        &self,
        tenant: TenantId,
        agent: AgentId,
        to: Option<Endpoint>,
    ) -> Vec<(&State, &Leg)> {
        let mut found: Vec<(&State, &Leg)> = self
            .interactions
            .values()
            .filter(|e| e.tenant == tenant)
            .map(|e| e.interaction.state())
            .flat_map(|s| s.live_legs().map(move |l| (s, l)))
            .filter(|(_, l)| l.agent == Some(agent) && l.is_answered())
            .filter(|(_, l)| Some(l.endpoint) != to)
            .filter(|(s, l)| {
                matches!(l.room, Room::Talk | Room::Conference(_))
                    || s.consult.as_ref().is_some_and(|c| c.leg == l.id)
            })
            .collect();
        found.sort_by_key(|(_, l)| l.id);
        found.truncate(CALLS_TOLD);
        found
    }

    /// Commands about devices: the switch they come down to, or what to answer.
    pub(crate) fn device_command(
        &self,
        tenant: TenantId,
        actor: Actor,
        command: Command,
    ) -> Result<Command, Box<CommandResult>> {
        let refused = |e: Refusal| Box::new(Err(e));
        match command {
            Command::Devices { agent } => {
                self.for_agent(tenant, actor, agent).map_err(refused)?;
                Err(Box::new(self.devices(tenant, agent)))
            }
            Command::Fetch { agent, to, leg } => {
                self.for_agent(tenant, actor, agent).map_err(refused)?;
                let leg = self.fetched(tenant, agent, to, leg)?;
                let pull = true;
                Ok(Command::Switch { leg, to, pull })
            }
            Command::SwitchCall { interaction, to } => {
                let leg = self.leg_of_owner(tenant, interaction, to);
                let pull = false;
                let leg = leg.map_err(refused)?;
                Ok(Command::Switch { leg, to, pull })
            }
            other => Ok(other),
        }
    }

    /// The leg that a `Command::Fetch` means; else what to answer, which may be a question.
    fn fetched(
        &self,
        tenant: TenantId,
        agent: AgentId,
        to: Device,
        leg: Option<LegId>,
    ) -> Result<LegId, Box<CommandResult>> {
        let calls = self.movable(tenant, agent, Some(endpoint_of(to)));
        let named = |wanted: &LegId| calls.iter().any(|(_, l)| l.id == *wanted);
        match (leg, calls.as_slice()) {
            (Some(leg), _) if named(&leg) => Ok(leg),
            (None, [(_, only)]) => Ok(only.id),
            (Some(_), _) | (None, []) => Err(Box::new(Err(Refusal::new(
                Code::LegState,
                "There is no call on another device that could be fetched.",
            )))),
            (None, several) => {
                let choices: Vec<_> = several
                    .iter()
                    .map(|(s, l)| json!({"leg": l.id, "interaction": s.id, "with": with(s, l)}))
                    .collect();
                let document = Some(json!({
                    "ask": "You have several calls. Which one?", "choices": choices,
                }));
                Err(Box::new(Ok(CommandReply {
                    document,
                    ..CommandReply::default()
                })))
            }
        }
    }

    /// A phone dialled the fetch code: what it gets.
    pub(crate) fn fetch_by_code(&self, phone: &Phone, code: &str) -> Option<Fetch> {
        let which = code.strip_prefix(FETCH_CODE)?;
        let Some(agent) = phone.agent else {
            let text = "This phone belongs to nobody. There is no call to fetch.";
            return Some(Fetch::Say(text.into()));
        };
        let here = Some(Endpoint::Phone(phone.id));
        let calls = self.movable(phone.tenant, agent, here);
        let chosen = match (which.parse::<usize>(), calls.as_slice()) {
            (Ok(n), _) => n.checked_sub(1).and_then(|i| calls.get(i)),
            (Err(_), [only]) if which.is_empty() => Some(only),
            _ => None,
        };
        Some(match (chosen, calls.len()) {
            (Some((s, l)), _) => match self.may_switch(s, l.id, Device::Phone(phone.id)) {
                Ok(()) => Fetch::Take(s.id, l.id),
                Err(refusal) => Fetch::Say(refusal.detail),
            },
            (None, 0) => Fetch::Say("There is no call on another device.".into()),
            (None, n) => {
                let mut text = format!("You have {n} calls.");
                for (i, (s, l)) in calls.iter().enumerate() {
                    let digit = i + 1;
                    text.push_str(&format!(
                        " For the call with {}, dial star 7 5 {digit}.",
                        with(s, l)
                    ));
                }
                Fetch::Say(text)
            }
        })
    }

    /// The devices of an agent, nearest first, each with what stands against a move to it.
    fn devices(&self, tenant: TenantId, agent: AgentId) -> CommandResult {
        let calls: Vec<(&State, &Leg)> = self.movable_anywhere(tenant, agent);
        let current: Vec<PhoneId> = calls
            .iter()
            .filter_map(|(_, l)| match l.endpoint {
                Endpoint::Phone(p) => Some(p),
                _ => None,
            })
            .collect();
        let here: Vec<(Option<IpAddr>, &str)> = current
            .iter()
            .filter_map(|p| self.index.phone(*p))
            .map(|p| (self.address_of(p.id), p.device.place.as_str()))
            .collect();
        let own = self.index.snapshot.phones.iter();
        let mut devices: Vec<(bool, serde_json::Value)> = own
            .filter(|p| p.tenant == tenant && p.agent == Some(agent))
            .map(|p| {
                let address = self.address_of(p.id);
                let near = here.iter().any(|(ip, place)| {
                    (!place.is_empty() && *place == p.device.place)
                        || (ip.is_some() && *ip == address)
                });
                let forbidden = calls.iter().find_map(|(s, l)| {
                    let at = current.contains(&p.id);
                    let refused = self.may_switch(s, l.id, Device::Phone(p.id)).err();
                    refused.filter(|_| !at).map(|r| r.detail)
                });
                let reachable = address.is_some() || !p.device.number.is_empty();
                let device = json!({
                    "device": p.id, "name": p.name, "kind": p.device.kind, "place": p.device.place,
                    "reachable": reachable, "in_call": current.contains(&p.id), "near": near,
                    "forbidden": forbidden,
                });
                (near, device)
            })
            .collect();
        if self.web.holders.contains_key(&agent) {
            let in_call = calls.iter().any(|(_, l)| l.endpoint == Endpoint::Browser);
            let forbidden = calls
                .iter()
                .find_map(|(s, l)| self.may_switch(s, l.id, Device::Browser(agent)).err());
            let forbidden = forbidden.filter(|_| !in_call).map(|r| r.detail);
            let device = json!({
                "device": "browser", "name": "Browser", "kind": DeviceKind::Browser, "place": "",
                "reachable": true, "in_call": in_call, "near": true, "forbidden": forbidden,
            });
            devices.push((true, device));
        }
        devices.sort_by_key(|(near, _)| !near);
        let devices: Vec<_> = devices.into_iter().map(|(_, d)| d).collect();
        let legs: Vec<_> = calls
            .iter()
            .map(|(s, l)| json!({"leg": l.id, "interaction": s.id, "with": with(s, l)}))
            .collect();
        Ok(CommandReply {
            document: Some(json!({ "devices": devices, "calls": legs })),
            ..CommandReply::default()
        })
    }

    fn movable_anywhere(&self, tenant: TenantId, agent: AgentId) -> Vec<(&State, &Leg)> {
        self.movable(tenant, agent, None)
    }

    /// Where a registered device speaks from.
    fn address_of(&self, phone: PhoneId) -> Option<IpAddr> {
        self.ua.contacts(phone).next().map(|b| match &b.target {
            Target::Flow(f) => f.remote.ip(),
            Target::Addr { addr, .. } => addr.ip(),
        })
    }
}

fn endpoint_of(device: Device) -> Endpoint {
    match device {
        Device::Phone(phone) => Endpoint::Phone(phone),
        Device::Browser(_) => Endpoint::Browser,
    }
}

/// Who the person of a leg talks to, for people.
fn with(state: &State, leg: &Leg) -> String {
    let other = state
        .live_legs()
        .find(|l| l.id != leg.id && l.agent != leg.agent);
    let name = state.from_name.clone().filter(|n| !n.is_empty());
    match other {
        Some(o) if o.address == state.from => name.unwrap_or_else(|| o.address.user().to_string()),
        Some(o) => o.address.user().to_string(),
        None => state.from.user().to_string(),
    }
}

/// Said to who dialled the code, then the line is closed.
pub(crate) fn say(text: String) -> Destination {
    let sound = cp_vocab::media::Sound::Speech { text, voice: None };
    Destination::Announce { sound }
}

/// Whether this kind of device is reached by a number rather than a registration.
pub(crate) fn by_number(phone: &Phone) -> bool {
    phone.device.kind == DeviceKind::Mobile && !phone.device.number.is_empty()
}
