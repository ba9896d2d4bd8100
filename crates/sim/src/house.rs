//! The house that every scenario plays in: one tenant with agents, queues and numbers, and a
//! neighbour who must not reach it.

use crate::world::START;
use cp_vocab::media::{Codec, Sound};
use cp_vocab::model::*;
use cp_vocab::net::Transport;
use cp_vocab::party::NumberRules;
use cp_vocab::person::Awaited;
use cp_vocab::*;
use std::collections::BTreeMap;

/// The password of every phone.
pub const PASSWORD: &str = "secret";

/// Who lives in the house: name of the phone's user, extension, queues.
const PEOPLE: &[(&str, &str, &[&str])] = &[
    ("bob", "1001", &["support", "narrow"]),
    ("eve", "1002", &[]),
    ("dan", "1003", &["sales"]),
    ("sup", "1005", &[]),
];

/// Ids by name.
#[derive(Clone, Default)]
pub struct House {
    pub tenant: Option<TenantId>,
    pub other: Option<TenantId>,
    pub agents: BTreeMap<String, AgentId>,
    pub queues: BTreeMap<String, QueueId>,
    pub devices: BTreeMap<String, PhoneId>,
    pub conference: Option<ConferenceId>,
}

fn speech(text: &str) -> Sound {
    Sound::Speech {
        text: text.into(),
        voice: None,
    }
}

fn ha1(user: &str, realm: &str) -> (Pii<String>, Pii<String>) {
    use cp_sip::digest::{Algorithm, ha1};
    (
        Pii(ha1(Algorithm::Md5, user, realm, PASSWORD)),
        Pii(ha1(Algorithm::Sha256, user, realm, PASSWORD)),
    )
}

fn tenant(id: TenantId, name: &str) -> Tenant {
    Tenant {
        id,
        name: name.into(),
        domain: name.into(),
        interactions_max: 0,
        record_by_default: false,
        suspended: false,
        presence_reasons: vec![],
        safety: Default::default(),
    }
}

fn trunk(id: TrunkId, tenant: TenantId, name: &str, host: [u8; 4], prefix: u8) -> Trunk {
    Trunk {
        id,
        tenant,
        name: name.into(),
        auth: TrunkAuth::Address {
            networks: vec![Network {
                addr: host.into(),
                prefix,
            }],
        },
        host: String::new(),
        transport: Transport::Udp,
        user: String::new(),
        password: Pii(String::new()),
        register: false,
        rules: NumberRules::default(),
        codecs: vec![Codec::Pcmu],
        health_interval_s: 0,
        channels_max: 0,
        srtp: false,
        dial_prefixes: vec![],
        may_dial_out: false,
        identity: TrunkIdentity::default(),
    }
}

impl House {
    /// The house and its configuration.
    pub fn build() -> (Self, Snapshot) {
        let mut ids = IdSource::from_u64(1);
        let mut house = Self::default();
        let mut s = Snapshot {
            version: 1,
            ..Snapshot::default()
        };
        let us: TenantId = ids.next(START);
        let them: TenantId = ids.next(START);
        house.tenant = Some(us);
        house.other = Some(them);
        s.tenants = vec![tenant(us, "test"), tenant(them, "other")];
        house.queues(&mut ids, &mut s, us);
        for (name, extension, queues) in PEOPLE {
            house.person(&mut ids, &mut s, us, name, extension, queues);
        }
        house.person(&mut ids, &mut s, them, "zed", "1001", &[]);
        let (ha1_md5, ha1_sha256) = ha1("kim", "test");
        s.phones.push(Phone {
            id: ids.next(START),
            tenant: us,
            user: "kim".into(),
            ha1_md5,
            ha1_sha256,
            agent: None,
            name: "Reception".into(),
            require_srtp: false,
            may_dial_out: true,
            forward: None,
            device: Default::default(),
        });
        house.devices(&mut ids, &mut s, us);
        s.trunks
            .push(trunk(ids.next(START), us, "world", [10, 0, 1, 200], 29));
        let mut out = trunk(ids.next(START), us, "far", [10, 0, 1, 208], 32);
        out.host = "10.0.1.208".into();
        out.dial_prefixes = vec!["+49".into()];
        out.rules.send_plus = true;
        out.channels_max = 2;
        s.trunks.push(out);
        let conference: ConferenceId = ids.next(START);
        house.conference = Some(conference);
        s.conferences.push(Conference {
            id: conference,
            tenant: us,
            name: "room".into(),
            members_max: 3,
            record: false,
        });
        house.numbers(&mut ids, &mut s, us, conference);
        (house, s)
    }

    /// Further devices of Bob: a second desk, a loudspeaker, a mobile behind the trunk.
    fn devices(&mut self, ids: &mut IdSource, s: &mut Snapshot, us: TenantId) {
        let bob = self.agents["bob"];
        for (user, kind, number) in [
            ("desk", DeviceKind::Desk, ""),
            ("loud", DeviceKind::Speaker, ""),
            ("handy", DeviceKind::Mobile, "+4930777"),
        ] {
            let (ha1_md5, ha1_sha256) = ha1(user, "test");
            let id: PhoneId = ids.next(START);
            self.devices.insert(user.into(), id);
            s.phones.push(Phone {
                id,
                tenant: us,
                user: user.into(),
                ha1_md5,
                ha1_sha256,
                agent: Some(bob),
                name: user.into(),
                require_srtp: false,
                may_dial_out: false,
                forward: None,
                device: Device {
                    kind,
                    place: "room 1".into(),
                    number: number.into(),
                },
            });
        }
    }

    fn queues(&mut self, ids: &mut IdSource, s: &mut Snapshot, us: TenantId) {
        for name in [
            "support", "sales", "narrow", "empty", "ring-a", "ring-b", "greeted",
        ] {
            let id: QueueId = ids.next(START);
            self.queues.insert(name.into(), id);
            let mut q = Queue::with_defaults(id, us, name);
            q.wrap_up_ms = 5_000;
            q.ring_ms_max = 10_000;
            s.queues.push(q);
        }
        let by = self.queues.clone();
        for q in &mut s.queues {
            match q.name.as_str() {
                "support" => q.switch_forbidden = vec![DeviceKind::Speaker],
                // One may wait, two seconds at most; then the sales people.
                "narrow" => {
                    q.waiting_max = 1;
                    q.wait_ms_max = 20_000;
                    q.overflow = Some(Destination::Queue { queue: by["sales"] });
                }
                "empty" => q.refuse_when_unstaffed = true,
                // Two queues that overflow into each other.
                "ring-a" => {
                    q.refuse_when_unstaffed = true;
                    q.overflow = Some(Destination::Queue {
                        queue: by["ring-b"],
                    });
                }
                "ring-b" => {
                    q.refuse_when_unstaffed = true;
                    q.overflow = Some(Destination::Queue {
                        queue: by["ring-a"],
                    });
                }
                "greeted" => {
                    q.greeting = Some(speech("Welcome."));
                    q.record = true;
                }
                _ => {}
            }
        }
    }

    fn person(
        &mut self,
        ids: &mut IdSource,
        s: &mut Snapshot,
        tenant: TenantId,
        name: &str,
        extension: &str,
        queues: &[&str],
    ) {
        let (agent, phone): (AgentId, PhoneId) = (ids.next(START), ids.next(START));
        let realm = if Some(tenant) == self.tenant {
            "test"
        } else {
            "other"
        };
        let (ha1_md5, ha1_sha256) = ha1(name, realm);
        s.phones.push(Phone {
            id: phone,
            tenant,
            user: name.into(),
            ha1_md5,
            ha1_sha256,
            agent: Some(agent),
            name: name.into(),
            require_srtp: false,
            may_dial_out: true,
            forward: None,
            device: Default::default(),
        });
        self.devices.insert(name.into(), phone);
        s.agents.push(Agent {
            id: agent,
            tenant,
            user: None,
            name: name.into(),
            extension: extension.into(),
            skills: vec![],
            queues: queues.iter().map(|q| self.queues[*q]).collect(),
            phone: Some(phone),
            available_when_registered: true,
            wrap_up_ms: None,
        });
        self.agents.insert(name.into(), agent);
    }

    fn numbers(
        &self,
        ids: &mut IdSource,
        s: &mut Snapshot,
        us: TenantId,
        conference: ConferenceId,
    ) {
        let queue = |name: &str| Destination::Queue {
            queue: self.queues[name],
        };
        let bob = Destination::Agent {
            agent: self.agents["bob"],
        };
        let menu = Destination::Menu {
            prompt: speech("Press one for support, two for Bob."),
            choices: BTreeMap::from([
                ('1', Box::new(queue("support"))),
                ('2', Box::new(bob.clone())),
            ]),
            timeout_ms: 4_000,
            fallback: Box::new(Destination::Announce {
                sound: speech("Goodbye."),
            }),
        };
        let announce = Destination::Announce {
            sound: speech("We are closed."),
        };
        for (number, destination) in [
            ("answer", Destination::Answer { greeting: None }),
            ("echo", Destination::Echo),
            ("announce", announce),
            ("menu", menu),
            ("room", Destination::Conference { conference }),
            ("busy", Destination::Reject { status: 486 }),
            ("bob-direct", bob),
        ] {
            s.numbers.push(self.number(ids, us, number, destination));
        }
        for name in self.queues.keys() {
            s.numbers.push(self.number(ids, us, name, queue(name)));
        }
        s.numbers
            .push(self.number(ids, us, "queue", queue("support")));
        for (number, what) in [
            ("expected", Awaited::ExpectedCaller),
            ("proven", Awaited::Proof { level: 2 }),
        ] {
            let awaits = Destination::Await {
                what,
                timeout_ms: 10_000,
                then: Box::new(queue("support")),
                otherwise: Box::new(Destination::Reject { status: 603 }),
            };
            s.numbers.push(self.number(ids, us, number, awaits));
        }
    }

    fn number(
        &self,
        ids: &mut IdSource,
        tenant: TenantId,
        number: &str,
        destination: Destination,
    ) -> Number {
        Number {
            id: ids.next(START),
            tenant,
            number: number.into(),
            name: number.into(),
            destination,
            public: true,
            keep_identity: None,
        }
    }

    pub fn us(&self) -> TenantId {
        self.tenant.expect("built")
    }

    /// A name for an agent, for stories.
    pub fn name_of(&self, agent: AgentId) -> String {
        self.agents
            .iter()
            .find(|(_, id)| **id == agent)
            .map_or_else(|| agent.to_string(), |(n, _)| n.clone())
    }
    pub fn queue_name(&self, queue: QueueId) -> String {
        self.queues
            .iter()
            .find(|(_, id)| **id == queue)
            .map_or_else(|| queue.to_string(), |(n, _)| n.clone())
    }
}
