//! The configuration snapshot with the look-ups that calls need, built once per change.

use cp_vocab::model::*;
use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What dialling something inside a tenant means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialled {
    Number(usize),
    Agent(usize),
    Phone(usize),
}

/// Positions are into the snapshot's lists; the snapshot is never changed in place.
#[derive(Default)]
pub struct Index {
    pub snapshot: Arc<Snapshot>,
    tenants: FxHashMap<TenantId, usize>,
    domains: FxHashMap<String, usize>,
    phones: FxHashMap<PhoneId, usize>,
    phone_users: FxHashMap<(TenantId, String), usize>,
    agents: FxHashMap<AgentId, usize>,
    queues: FxHashMap<QueueId, usize>,
    trunks: FxHashMap<TrunkId, usize>,
    conferences: FxHashMap<ConferenceId, usize>,
    dialled: FxHashMap<(TenantId, String), Dialled>,
}

fn by<K: std::hash::Hash + Eq, T>(list: &[T], key: impl Fn(&T) -> K) -> FxHashMap<K, usize> {
    list.iter().enumerate().map(|(i, x)| (key(x), i)).collect()
}

impl Index {
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let s = &snapshot;
        let mut dialled: FxHashMap<(TenantId, String), Dialled> = FxHashMap::default();
        // Later entries win: a number that somebody set up on purpose beats an extension.
        for (i, p) in s.phones.iter().enumerate() {
            dialled.insert((p.tenant, p.user.clone()), Dialled::Phone(i));
        }
        for (i, a) in s.agents.iter().enumerate() {
            dialled.insert((a.tenant, a.extension.clone()), Dialled::Agent(i));
        }
        for (i, n) in s.numbers.iter().enumerate() {
            dialled.insert((n.tenant, n.number.clone()), Dialled::Number(i));
        }
        Self {
            tenants: by(&s.tenants, |t| t.id),
            domains: by(&s.tenants, |t| t.domain.to_ascii_lowercase()),
            phones: by(&s.phones, |p| p.id),
            phone_users: by(&s.phones, |p| (p.tenant, p.user.clone())),
            agents: by(&s.agents, |a| a.id),
            queues: by(&s.queues, |q| q.id),
            trunks: by(&s.trunks, |t| t.id),
            conferences: by(&s.conferences, |c| c.id),
            dialled,
            snapshot,
        }
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id).map(|i| &self.snapshot.tenants[*i])
    }
    /// The tenant of a SIP domain; the only tenant, when there is one, answers for every domain.
    pub fn tenant_of_domain(&self, host: &str) -> Option<&Tenant> {
        let exact = self.domains.get(&host.to_ascii_lowercase());
        match (exact, self.snapshot.tenants.as_slice()) {
            (Some(i), _) => Some(&self.snapshot.tenants[*i]),
            (None, [only]) => Some(only),
            (None, _) => self.domains.get("").map(|i| &self.snapshot.tenants[*i]),
        }
    }
    pub fn phone(&self, id: PhoneId) -> Option<&Phone> {
        self.phones.get(&id).map(|i| &self.snapshot.phones[*i])
    }
    pub fn phone_by_user(&self, tenant: TenantId, user: &str) -> Option<&Phone> {
        self.phone_users
            .get(&(tenant, user.to_string()))
            .map(|i| &self.snapshot.phones[*i])
    }
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.agents.get(&id).map(|i| &self.snapshot.agents[*i])
    }
    pub fn queue(&self, id: QueueId) -> Option<&Queue> {
        self.queues.get(&id).map(|i| &self.snapshot.queues[*i])
    }
    pub fn trunk(&self, id: TrunkId) -> Option<&Trunk> {
        self.trunks.get(&id).map(|i| &self.snapshot.trunks[*i])
    }
    pub fn conference(&self, id: ConferenceId) -> Option<&Conference> {
        self.conferences
            .get(&id)
            .map(|i| &self.snapshot.conferences[*i])
    }

    /// The agent whose phone this is.
    pub fn agent_of_phone(&self, phone: PhoneId) -> Option<&Agent> {
        let p = self.phone(phone)?;
        match p.agent {
            Some(a) => self.agent(a),
            None => None,
        }
    }

    pub fn dialled(&self, tenant: TenantId, user: &str) -> Option<Dialled> {
        self.dialled.get(&(tenant, user.to_string())).copied()
    }

    /// The destination after business hours have been asked; hours that are gone count as closed.
    pub fn by_hours(&self, mut plan: Destination, now: Timestamp) -> Destination {
        while let Destination::Hours {
            schedule,
            open,
            closed,
        } = plan
        {
            let hours = self.snapshot.schedules.iter().find(|s| s.id == schedule);
            plan = match hours {
                Some(s) if s.is_open(now) => *open,
                _ => *closed,
            };
        }
        plan
    }

    /// What dialling `user` leads to inside the tenant; `public_only` for calls from outside.
    pub fn destination(
        &self,
        tenant: TenantId,
        user: &str,
        public_only: bool,
    ) -> Option<(Destination, Option<NumberId>)> {
        match self.dialled(tenant, user)? {
            Dialled::Number(i) => {
                let n = &self.snapshot.numbers[i];
                (n.public || !public_only).then(|| (n.destination.clone(), Some(n.id)))
            }
            _ if public_only => None,
            Dialled::Agent(i) => Some((
                Destination::Agent {
                    agent: self.snapshot.agents[i].id,
                },
                None,
            )),
            Dialled::Phone(i) => {
                let p = &self.snapshot.phones[i];
                let own = p.agent.and_then(|a| self.agent(a));
                // A further device of an agent is rung itself; the agent's own phone stands for the agent.
                Some(
                    match own.filter(|a| a.phone.is_none_or(|own| own == p.id)) {
                        Some(a) => (Destination::Agent { agent: a.id }, None),
                        None => (Destination::Phone { phone: p.id }, None),
                    },
                )
            }
        }
    }

    /// The trunk a number leaves by: the longest matching prefix among the tenant's trunks.
    pub fn trunk_for(&self, tenant: TenantId, dialled: &str) -> Option<(&Trunk, Address)> {
        let mut best: Option<(&Trunk, Address, usize)> = None;
        for t in self
            .snapshot
            .trunks
            .iter()
            .filter(|t| t.tenant == tenant && !t.host.is_empty())
        {
            let address = t.rules.normalise(dialled);
            for prefix in &t.dial_prefixes {
                if address.user().starts_with(prefix.as_str())
                    && best.as_ref().is_none_or(|b| prefix.len() > b.2)
                {
                    best = Some((t, address.clone(), prefix.len()));
                }
            }
        }
        best.map(|(t, a, _)| (t, a))
    }

    /// The trunk whose address this is; the most specific network wins.
    pub fn trunk_by_address(&self, ip: std::net::IpAddr) -> Option<&Trunk> {
        self.snapshot
            .trunks
            .iter()
            .filter_map(|t| match &t.auth {
                TrunkAuth::Address { networks } => networks
                    .iter()
                    .filter(|n| n.contains(ip))
                    .map(|n| n.prefix)
                    .max()
                    .map(|p| (p, t)),
                _ => None,
            })
            .max_by_key(|(p, _)| *p)
            .map(|(_, t)| t)
    }

    pub fn trunk_by_tls(&self, name: &str) -> Option<&Trunk> {
        self.snapshot
            .trunks
            .iter()
            .find(|t| matches!(&t.auth, TrunkAuth::Tls { name: n } if n.eq_ignore_ascii_case(name)))
    }

    /// The trunk that authenticates with this user name to a realm.
    pub fn trunk_by_user(&self, realm_tenant: TenantId, user: &str) -> Option<&Trunk> {
        self.snapshot.trunks.iter().find(|t| {
            t.tenant == realm_tenant
                && matches!(&t.auth, TrunkAuth::Digest { user: u, .. } if u == user)
        })
    }
}
