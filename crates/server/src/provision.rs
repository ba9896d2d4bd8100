//! First start from a file: tenants with their people, phones, queues and numbers, by name.
//!
//! Applied only while the database has no tenant. Everything wrong is reported at once, and nothing
//! is written then.

mod check;

use cp_api::auth::password;
use cp_store::{Change, ConfigRow, Edit, PageRequest, Role, Store, User};
use cp_vocab::command::Actor;
use cp_vocab::media::Sound;
use cp_vocab::model::*;
use cp_vocab::net::Transport;
use cp_vocab::safety::Safety;
use cp_vocab::*;
use std::collections::BTreeMap;

pub mod file;

use file::*;

#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    #[error("the provisioning file is not valid: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the provisioning file has {} error{}:\n  {}", .0.len(), if .0.len() == 1 { "" } else { "s" }, .0.join("\n  "))]
    Wrong(Vec<String>),
    #[error("the provisioning could not be stored")]
    Store(#[from] cp_store::StoreError),
}

/// Applies the file if the database is empty; says how many tenants it made.
pub fn apply(
    store: &dyn Store,
    text: &str,
    ids: &mut IdSource,
    now: Timestamp,
) -> Result<usize, ProvisionError> {
    let file: File = serde_json::from_str(text)?;
    if !store.tenants(&PageRequest::first(1))?.items.is_empty() {
        return Ok(0);
    }
    let mut wrong = check::problems(&file);
    let mut all = Vec::new();
    for spec in &file.tenants {
        let mut builder = Builder::new(spec, ids, now);
        let mut rows = builder.rows();
        rows.extend(builder.points());
        wrong.append(&mut builder.unknown);
        all.push((builder.tenant, rows));
    }
    if !wrong.is_empty() {
        return Err(ProvisionError::Wrong(wrong));
    }
    for (tenant, rows) in all {
        let changes = rows.into_iter().map(Change::Create).collect();
        store.apply(Edit::new(tenant, Actor::System, now), changes)?;
    }
    Ok(file.tenants.len())
}

/// The tenant itself.
fn row(id: TenantId, spec: &TenantSpec) -> Tenant {
    Tenant {
        id,
        name: spec.name.clone(),
        domain: spec.domain.clone(),
        interactions_max: spec.interactions_max,
        record_by_default: spec.record_by_default,
        suspended: false,
        presence_reasons: vec![],
        safety: Box::new(Safety {
            outbound: spec.outbound.clone(),
            retention: spec.retention.clone(),
            recording: spec.recording_consent.clone(),
            ..Safety::default()
        }),
    }
}

struct Builder<'a> {
    spec: &'a TenantSpec,
    tenant: TenantId,
    ids: &'a mut IdSource,
    now: Timestamp,
    agents: BTreeMap<&'a str, AgentId>,
    phones: BTreeMap<&'a str, PhoneId>,
    queues: BTreeMap<&'a str, QueueId>,
    conferences: BTreeMap<&'a str, ConferenceId>,
    trunks: BTreeMap<&'a str, TrunkId>,
    skills: BTreeMap<&'a str, SkillId>,
    users: BTreeMap<&'a str, UserId>,
    unknown: Vec<String>,
    realm: String,
}

impl<'a> Builder<'a> {
    fn new(spec: &'a TenantSpec, ids: &'a mut IdSource, now: Timestamp) -> Self {
        let tenant = ids.next(now);
        let agents = spec
            .agents
            .iter()
            .map(|a| (a.name.as_str(), ids.next(now)))
            .collect();
        let phones = spec
            .phones
            .iter()
            .map(|p| (p.user.as_str(), ids.next(now)))
            .collect();
        let queues = spec
            .queues
            .iter()
            .map(|q| (q.name.as_str(), ids.next(now)))
            .collect();
        let conferences = spec
            .conferences
            .iter()
            .map(|c| (c.name.as_str(), ids.next(now)))
            .collect();
        let trunks = spec
            .trunks
            .iter()
            .map(|t| (t.name.as_str(), ids.next(now)))
            .collect();
        let mut skills = BTreeMap::new();
        let named = spec
            .agents
            .iter()
            .flat_map(|a| a.skills.keys())
            .chain(spec.queues.iter().flat_map(|q| q.skills.keys()));
        for name in named {
            skills.entry(name.as_str()).or_insert_with(|| ids.next(now));
        }
        let users = spec
            .users
            .iter()
            .chain(&spec.admin)
            .map(|u| (u.email.as_str(), ids.next(now)))
            .collect();
        Self {
            spec,
            tenant,
            ids,
            now,
            agents,
            phones,
            queues,
            conferences,
            trunks,
            skills,
            users,
            realm: row(tenant, spec).realm(),
            unknown: vec![],
        }
    }

    fn find<T: TypedId>(
        unknown: &mut Vec<String>,
        map: &BTreeMap<&str, T>,
        kind: &str,
        name: &str,
    ) -> T {
        match map.get(name) {
            Some(id) => *id,
            None => {
                unknown.push(format!("{kind} {name:?} is named and not there"));
                T::from_u128(0)
            }
        }
    }

    fn skill_levels(&mut self, skills: &BTreeMap<String, u8>) -> Vec<SkillLevel> {
        skills
            .iter()
            .map(|(name, level)| SkillLevel {
                skill: Self::find(&mut self.unknown, &self.skills, "skill", name),
                level: *level,
            })
            .collect()
    }

    fn rows(&mut self) -> Vec<ConfigRow> {
        let spec = self.spec;
        let mut rows: Vec<ConfigRow> = vec![row(self.tenant, spec).into()];
        let tenant = self.tenant;
        for (name, id) in &self.skills {
            rows.push(
                Skill {
                    id: *id,
                    tenant,
                    name: name.to_string(),
                }
                .into(),
            );
        }
        for c in &spec.identity_certificates {
            rows.push(
                IdentityCertificate {
                    id: self.ids.next(self.now),
                    tenant,
                    name: c.name.clone(),
                    chain: c.chain.clone(),
                    key: Pii(c.key.clone()),
                    url: c.url.clone(),
                }
                .into(),
            );
        }
        for name in &spec.wrap_up_codes {
            rows.push(
                WrapUpCode {
                    id: self.ids.next(self.now),
                    tenant,
                    name: name.clone(),
                }
                .into(),
            );
        }
        for c in &spec.conferences {
            let id = self.conferences[c.name.as_str()];
            let room = Conference {
                id,
                tenant,
                name: c.name.clone(),
                members_max: c.members_max,
                record: c.record,
            };
            rows.push(room.into());
        }
        for q in &spec.queues {
            rows.push(self.queue(q).into());
        }
        for u in spec
            .admin
            .iter()
            .map(|u| (u, Role::Administrator))
            .chain(spec.users.iter().map(|u| (u, Role::Agent)))
        {
            rows.push(self.user(u.0, u.1).into());
        }
        for a in &spec.agents {
            rows.push(self.agent(a).into());
        }
        for p in &spec.phones {
            rows.push(self.phone(p).into());
        }
        for t in &spec.trunks {
            rows.push(self.trunk(t).into());
        }
        for n in &spec.numbers {
            let destination = self.destination(&n.destination);
            let id = self.ids.next(self.now);
            let number = Number {
                id,
                tenant,
                number: n.number.clone(),
                name: n.name.clone(),
                destination,
                public: n.public,
                keep_identity: n.keep_identity,
            };
            rows.push(number.into());
        }
        rows
    }

    fn points(&mut self) -> Vec<ConfigRow> {
        let points = &self.spec.points;
        points.iter().map(|p| self.point(p).into()).collect()
    }

    fn point(&mut self, p: &PointSpec) -> cp_store::Point {
        for number in &p.numbers {
            if !self.spec.numbers.iter().any(|n| n.number == *number) {
                let problem = format!("number {number:?} of point {:?} is not there", p.name);
                self.unknown.push(problem);
            }
        }
        cp_store::Point {
            id: self.ids.next(self.now),
            tenant: self.tenant,
            name: p.name.clone(),
            kind: p.kind,
            destination: self.destination(&p.destination),
            modes: p.modes.clone(),
            now: p.modes.clone(),
            origins: p.origins.clone(),
            fields: p.fields.clone(),
            consent: p.consent.clone(),
            title: p.title.clone(),
            numbers: p.numbers.clone(),
            number_ttl_s: 1_800,
            disabled: false,
        }
    }

    fn user(&mut self, u: &UserSpec, role: Role) -> User {
        User {
            id: self.users[u.email.as_str()],
            tenant: self.tenant,
            login: Pii(u.email.clone()),
            name: Pii(if u.name.is_empty() {
                u.email.clone()
            } else {
                u.name.clone()
            }),
            password_hash: Pii(password::hash(&u.password)),
            roles: vec![u.role.unwrap_or(role)],
            ..User::new(UserId::from_u128(0), self.tenant, "", "", vec![])
        }
    }

    fn agent(&mut self, a: &'a AgentSpec) -> Agent {
        let user = self
            .spec
            .users
            .iter()
            .chain(&self.spec.admin)
            .find(|u| u.agent.as_deref() == Some(&a.name));
        let named_by_phone = self
            .spec
            .phones
            .iter()
            .find(|p| p.agent.as_deref() == Some(&a.name))
            .map(|p| p.user.as_str());
        let phone = a.phone.as_deref().or(named_by_phone);
        let skills = self.skill_levels(&a.skills);
        Agent {
            id: self.agents[a.name.as_str()],
            tenant: self.tenant,
            user: user.map(|u| self.users[u.email.as_str()]),
            name: a.name.clone(),
            extension: a.extension.clone(),
            skills,
            queues: a
                .queues
                .iter()
                .map(|q| Self::find(&mut self.unknown, &self.queues, "queue", q))
                .collect(),
            phone: phone.map(|p| Self::find(&mut self.unknown, &self.phones, "phone", p)),
            available_when_registered: a.available_when_registered,
            wrap_up_ms: a.wrap_up_ms,
        }
    }

    fn phone(&mut self, p: &'a PhoneSpec) -> Phone {
        let secrets = password::digest_secrets(&p.user, &self.realm, &p.password);
        let owner = self
            .spec
            .agents
            .iter()
            .find(|a| a.phone.as_deref() == Some(&p.user))
            .map(|a| a.name.as_str());
        let agent = p.agent.as_deref().or(owner);
        Phone {
            id: self.phones[p.user.as_str()],
            tenant: self.tenant,
            user: p.user.clone(),
            ha1_md5: Pii(secrets.ha1_md5),
            ha1_sha256: Pii(secrets.ha1_sha256),
            agent: agent.map(|a| Self::find(&mut self.unknown, &self.agents, "agent", a)),
            name: p.name.clone(),
            require_srtp: p.require_srtp,
            may_dial_out: p.may_dial_out,
            forward: p.forward.clone(),
            device: p.device.clone(),
        }
    }

    fn queue(&mut self, q: &QueueSpec) -> Queue {
        let mut queue = Queue::with_defaults(self.queues[q.name.as_str()], self.tenant, &q.name);
        queue.skills = self.skill_levels(&q.skills);
        queue.priority = q.priority.unwrap_or(queue.priority);
        queue.selection = q.selection.unwrap_or(queue.selection);
        queue.waiting_max = q.waiting_max.unwrap_or(queue.waiting_max);
        queue.wait_ms_max = q.wait_ms_max.unwrap_or(queue.wait_ms_max);
        queue.overflow = q.overflow.as_ref().map(|d| self.destination(d));
        queue.ring_ms_max = q.ring_ms_max.unwrap_or(queue.ring_ms_max);
        queue.demote_on_no_answer = q.demote_on_no_answer.unwrap_or(queue.demote_on_no_answer);
        queue.wrap_up_ms = q.wrap_up_ms.unwrap_or(queue.wrap_up_ms);
        queue.greeting = q.greeting.clone();
        queue.music = if q.silent {
            Some(Sound::Silence { ms: 1_000 })
        } else {
            q.music.clone().or(queue.music)
        };
        queue.announce_every_ms = q.announce_every_ms.unwrap_or(queue.announce_every_ms);
        queue.record = q.record.unwrap_or(queue.record);
        queue.refuse_when_unstaffed = q
            .refuse_when_unstaffed
            .unwrap_or(queue.refuse_when_unstaffed);
        queue.switch_forbidden = q.switch_forbidden.clone();
        queue.service_level_ms = q.service_level_ms.unwrap_or(queue.service_level_ms);
        queue.service_level_pct = q.service_level_pct.unwrap_or(queue.service_level_pct);
        queue
    }

    fn trunk(&mut self, t: &TrunkSpec) -> Trunk {
        let auth = match &t.auth {
            TrunkAuthSpec::Address { networks } => TrunkAuth::Address {
                networks: networks.iter().filter_map(|n| self.network(n)).collect(),
            },
            TrunkAuthSpec::Digest { user, password } => {
                let s = password::digest_secrets(user, &self.realm, password);
                TrunkAuth::Digest {
                    user: user.clone(),
                    ha1_md5: Pii(s.ha1_md5),
                    ha1_sha256: Pii(s.ha1_sha256),
                }
            }
            TrunkAuthSpec::Tls { name } => TrunkAuth::Tls { name: name.clone() },
        };
        Trunk {
            id: self.trunks[t.name.as_str()],
            tenant: self.tenant,
            name: t.name.clone(),
            auth,
            host: t.host.clone(),
            transport: t.transport.unwrap_or(Transport::Udp),
            user: t.user.clone(),
            password: Pii(t.password.clone()),
            register: t.register,
            rules: t.rules.clone(),
            codecs: t.codecs.clone(),
            health_interval_s: t.health_interval_s,
            channels_max: t.channels_max,
            srtp: t.srtp,
            dial_prefixes: t.dial_prefixes.clone(),
            may_dial_out: t.may_dial_out,
            identity: t.identity,
        }
    }

    fn network(&mut self, text: &str) -> Option<Network> {
        let (addr, prefix) = match text.split_once('/') {
            Some((a, p)) => (a.parse().ok(), p.parse().ok()),
            None => {
                let addr: Option<std::net::IpAddr> = text.parse().ok();
                (addr, addr.map(|a| if a.is_ipv4() { 32 } else { 128 }))
            }
        };
        match (addr, prefix) {
            (Some(addr), Some(prefix)) => Some(Network { addr, prefix }),
            _ => {
                self.unknown
                    .push(format!("network {text:?} is not an address or a network"));
                None
            }
        }
    }

    fn destination(&mut self, d: &DestinationSpec) -> Destination {
        match d {
            DestinationSpec::Answer { greeting } => Destination::Answer {
                greeting: greeting.clone(),
            },
            DestinationSpec::Echo => Destination::Echo,
            DestinationSpec::Announce { sound } => Destination::Announce {
                sound: sound.clone(),
            },
            DestinationSpec::Queue { queue } => Destination::Queue {
                queue: Self::find(&mut self.unknown, &self.queues, "queue", queue),
            },
            DestinationSpec::Agent { agent } => Destination::Agent {
                agent: Self::find(&mut self.unknown, &self.agents, "agent", agent),
            },
            DestinationSpec::Phone { phone } => Destination::Phone {
                phone: Self::find(&mut self.unknown, &self.phones, "phone", phone),
            },
            DestinationSpec::Conference { conference } => Destination::Conference {
                conference: Self::find(
                    &mut self.unknown,
                    &self.conferences,
                    "conference",
                    conference,
                ),
            },
            DestinationSpec::Uri { uri, record } => Destination::Dial {
                target: DialTarget::Uri { uri: uri.clone() },
                record: *record,
            },
            DestinationSpec::Trunk {
                trunk,
                number,
                record,
            } => {
                let trunk = Self::find(&mut self.unknown, &self.trunks, "trunk", trunk);
                Destination::Dial {
                    target: DialTarget::Trunk {
                        trunk,
                        number: number.clone(),
                    },
                    record: *record,
                }
            }
            DestinationSpec::Reject { status } => Destination::Reject { status: *status },
            DestinationSpec::Await {
                what,
                timeout_ms,
                then,
                otherwise,
            } => Destination::Await {
                what: what.clone(),
                timeout_ms: *timeout_ms,
                then: Box::new(self.destination(then)),
                otherwise: Box::new(self.destination(otherwise)),
            },
            DestinationSpec::Menu {
                prompt,
                choices,
                timeout_ms,
                fallback,
            } => Destination::Menu {
                prompt: prompt.clone(),
                choices: choices
                    .iter()
                    .map(|(k, v)| (*k, Box::new(self.destination(v))))
                    .collect(),
                timeout_ms: *timeout_ms,
                fallback: Box::new(self.destination(fallback)),
            },
        }
    }
}
