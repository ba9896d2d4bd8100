//! Which events one socket may see.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::involvement::brings_in;
use cp_vocab::{AgentId, Event, EventRecord, InteractionId, PhoneId, StreamId, TenantId};
use std::collections::HashMap;

/// Interactions a socket remembers whether they are its agent's. At the limit all are forgotten
/// and looked up again when they move.
pub(crate) const INTERACTIONS_REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Send,
    Skip,
    /// Whether the agent is in this interaction has to be looked up first.
    LookUp(InteractionId, AgentId),
}

pub(crate) struct Scope {
    tenant: TenantId,
    /// Sees everything of the tenant.
    all: bool,
    agent: Option<AgentId>,
    phone: Option<PhoneId>,
    /// Sees what came by communication points.
    contacts: bool,
    involved: HashMap<InteractionId, bool>,
}

impl Scope {
    pub(crate) fn new(caller: &Caller, phone: Option<PhoneId>) -> Self {
        Self {
            tenant: caller.tenant,
            all: caller.has(Permission::EventsRead),
            agent: caller.agent,
            phone,
            contacts: caller.has(Permission::ContactsRead),
            involved: HashMap::new(),
        }
    }

    pub(crate) fn judge(&mut self, record: &EventRecord) -> Verdict {
        if record.tenant != self.tenant {
            return Verdict::Skip;
        }
        if self.all {
            return Verdict::Send;
        }
        let Some(agent) = self.agent else {
            return Verdict::Skip;
        };
        match record.stream {
            StreamId::Interaction(id) => self.judge_interaction(id, agent, record),
            StreamId::Agent(a) if a == agent => Verdict::Send,
            // Who is here is for all to see; what they are doing is not.
            StreamId::Agent(_) => send_if(matches!(
                record.event,
                Event::PresenceChanged { .. } | Event::NextPresenceSet { .. }
            )),
            StreamId::Phone(p) => send_if(self.phone == Some(p)),
            StreamId::Tenant(_) => send_if(
                self.contacts
                    && matches!(
                        record.event,
                        Event::ContactCame { .. } | Event::ContactChanged { .. }
                    ),
            ),
            StreamId::Trunk(_) => Verdict::Skip,
        }
    }

    fn judge_interaction(
        &mut self,
        id: InteractionId,
        agent: AgentId,
        record: &EventRecord,
    ) -> Verdict {
        if brings_in(&record.event, agent) {
            self.learn(id, true);
        } else if record.seq == 1 {
            self.learn(id, false);
        }
        let Some(involved) = self.involved.get(&id).copied() else {
            return Verdict::LookUp(id, agent);
        };
        if matches!(record.event, Event::Ended { .. }) && !involved {
            self.involved.remove(&id);
        }
        send_if(involved)
    }

    pub(crate) fn learn(&mut self, id: InteractionId, involved: bool) {
        if self.involved.len() >= INTERACTIONS_REMEMBERED_MAX {
            self.involved.clear();
        }
        self.involved.insert(id, involved);
    }
}

fn send_if(yes: bool) -> Verdict {
    if yes { Verdict::Send } else { Verdict::Skip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;
    use crate::auth::permission::Permissions;
    use cp_store::Role;
    use cp_vocab::command::Actor;
    use cp_vocab::id::TypedId;
    use cp_vocab::model::Presence;
    use cp_vocab::*;

    const TENANT: u128 = 1;

    fn scope(role: Role) -> Scope {
        let caller = Caller {
            address: String::new(),
            proved_at: None,
            tenant: TenantId::from_u128(TENANT),
            principal: Principal::Key(ApiKeyId::from_u128(1)),
            permissions: Permissions::of_roles(&[role]),
            agent: Some(AgentId::from_u128(10)),
        };
        Scope::new(&caller, Some(PhoneId::from_u128(20)))
    }

    fn record(tenant: u128, stream: StreamId, seq: u64, event: Event) -> EventRecord {
        EventRecord {
            stream,
            seq,
            at: Timestamp::ZERO,
            tenant: TenantId::from_u128(tenant),
            event,
        }
    }

    fn call(n: u128) -> (InteractionId, StreamId) {
        let id = InteractionId::from_u128(n);
        (id, StreamId::Interaction(id))
    }

    fn ended() -> Event {
        Event::Ended {
            reason: EndReason::HungUp,
            by: None,
            detail: None,
        }
    }

    fn offer_to(agent: u128) -> Event {
        Event::OfferMade {
            offer: OfferId::from_u128(1),
            agent: AgentId::from_u128(agent),
            queue: None,
            deadline: Timestamp::ZERO,
            explain: String::new(),
        }
    }

    #[test]
    fn nobody_sees_another_tenant() {
        for role in [
            Role::Agent,
            Role::Supervisor,
            Role::Administrator,
            Role::Operator,
        ] {
            let foreign = record(2, call(1).1, 1, ended());
            assert_eq!(scope(role).judge(&foreign), Verdict::Skip, "{role:?}");
        }
    }

    #[test]
    fn an_agent_sees_a_call_from_the_offer_on() {
        let (_, stream) = call(5);
        let mut s = scope(Role::Agent);
        let queued = || Event::LegRinging {
            leg: LegId::from_u128(1),
            early_media: false,
            dialog: None,
        };
        assert_eq!(s.judge(&record(TENANT, stream, 1, queued())), Verdict::Skip);
        assert_eq!(
            s.judge(&record(TENANT, stream, 2, offer_to(11))),
            Verdict::Skip
        );
        assert_eq!(s.judge(&record(TENANT, stream, 3, queued())), Verdict::Skip);
        assert_eq!(
            s.judge(&record(TENANT, stream, 4, offer_to(10))),
            Verdict::Send
        );
        assert_eq!(s.judge(&record(TENANT, stream, 5, ended())), Verdict::Send);
    }

    #[test]
    fn a_call_that_began_before_is_looked_up_once() {
        let (id, stream) = call(6);
        let mut s = scope(Role::Agent);
        let agent = AgentId::from_u128(10);
        assert_eq!(
            s.judge(&record(TENANT, stream, 7, offer_to(11))),
            Verdict::LookUp(id, agent)
        );
        s.learn(id, true);
        assert_eq!(
            s.judge(&record(TENANT, stream, 7, offer_to(11))),
            Verdict::Send
        );
    }

    #[test]
    fn who_answers_contacts_is_told_of_them_and_of_nothing_else_of_the_tenant() {
        let stream = StreamId::Tenant(TenantId::from_u128(TENANT));
        let came = || Event::ContactCame {
            contact: ContactId::from_u128(1),
            point: PointId::from_u128(2),
            what: "callback".into(),
            mode: None,
        };
        let denied = Event::AccessDenied {
            what: "x".into(),
            detail: String::new(),
        };
        let mut s = scope(Role::Agent);
        assert_eq!(s.judge(&record(TENANT, stream, 1, came())), Verdict::Send);
        assert_eq!(s.judge(&record(TENANT, stream, 2, denied)), Verdict::Skip);
        s.contacts = false;
        assert_eq!(s.judge(&record(TENANT, stream, 3, came())), Verdict::Skip);
    }

    #[test]
    fn others_presence_is_seen_but_not_their_work_nor_their_phones() {
        let mut s = scope(Role::Agent);
        let other = AgentId::from_u128(11);
        let presence = Event::PresenceChanged {
            agent: other,
            presence: Presence::Break,
            by: Actor::System,
        };
        let state = Event::RoutingStateChanged {
            agent: other,
            state: model::RoutingState::Interacting,
            interaction: None,
        };
        let gone = || Event::PhoneUnregistered {
            phone: PhoneId::from_u128(21),
            why: String::new(),
        };
        assert_eq!(
            s.judge(&record(TENANT, StreamId::Agent(other), 1, presence)),
            Verdict::Send
        );
        assert_eq!(
            s.judge(&record(TENANT, StreamId::Agent(other), 2, state)),
            Verdict::Skip
        );
        let phone = |n| StreamId::Phone(PhoneId::from_u128(n));
        assert_eq!(
            s.judge(&record(TENANT, phone(21), 1, gone())),
            Verdict::Skip
        );
        assert_eq!(
            s.judge(&record(TENANT, phone(20), 1, gone())),
            Verdict::Send
        );
    }
}
