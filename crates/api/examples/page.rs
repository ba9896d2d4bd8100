//! Serves the page over a made-up floor, for working on its looks: `cargo run -p cp-api --example page`,
//! then sign in as `agent`, `supervisor` or `administrator` with the password `crosspoint`.
//! The engine here is a toy: it moves one agent through offer, call and wrap-up.

use cp_api::auth::password;
use cp_api::{ApiState, Backend, Readiness, Settings};
use cp_store::{Change, ConfigRow, Edit, Options, Role, SqliteStore, Store, User};
use cp_vocab::command::{Actor, CommandEnvelope, CommandResult};
use cp_vocab::event::{CallStatus, Direction, LegRole, LogPosition};
use cp_vocab::id::TypedId;
use cp_vocab::live::*;
use cp_vocab::media::Sound;
use cp_vocab::model::*;
use cp_vocab::*;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

const PEOPLE: [&str; 6] = [
    "Ann Berg",
    "Sam Okoye",
    "Bo Lindqvist",
    "Chidi Nwosu",
    "Dana Petrova",
    "Eko Wijaya",
];
const QUEUES: [&str; 3] = ["Sales", "Support", "Billing"];

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    Timestamp(since.as_micros() as u64)
}
fn ago(s: u64) -> Timestamp {
    Timestamp(now().0 - s * 1_000_000)
}
fn tenant() -> TenantId {
    TenantId::from_u128(1)
}
fn agent(i: usize) -> AgentId {
    AgentId::from_u128(1 + i as u128)
}
fn queue(i: usize) -> QueueId {
    QueueId::from_u128(1 + i as u128)
}
fn call(i: u128) -> InteractionId {
    InteractionId::from_u128(i)
}

struct Toy {
    live: Mutex<LiveDocument>,
    log: Mutex<(u64, u64)>,
    store: Arc<SqliteStore>,
    commits: watch::Sender<LogPosition>,
}

impl Toy {
    /// Writes an event, so that the page has something to follow.
    fn tell(&self, stream: StreamId, event: Event) {
        let mut log = self.log.lock().expect("toy");
        log.0 += 1;
        let seq = match stream {
            StreamId::Interaction(i) if i == call(100) => {
                log.1 += 1;
                log.1
            }
            _ => 0,
        };
        let record = EventRecord {
            stream,
            seq,
            at: now(),
            tenant: tenant(),
            event,
        };
        self.store
            .append(vec![record], LogPosition(log.0))
            .expect("toy log");
    }

    fn apply(&self, command: &Command) {
        let mut live = self.live.lock().expect("toy");
        let own = agent(0);
        match command {
            Command::SetPresence { agent, presence } => {
                for a in live.agents.iter_mut().filter(|a| a.id == *agent) {
                    a.presence = presence.clone();
                    a.since = now();
                }
                drop(live);
                self.tell(
                    StreamId::Agent(*agent),
                    Event::PresenceChanged {
                        agent: *agent,
                        presence: presence.clone(),
                        by: Actor::System,
                    },
                );
            }
            Command::AcceptOffer { .. } => {
                live.agents[0].offers.clear();
                live.agents[0].state = RoutingState::Interacting;
                live.agents[0].since = now();
                live.agents[0].interaction = Some(call(100));
                live.agents[0].leg = Some(LegId::from_u128(1));
                if let Some(i) = live.interactions.iter_mut().find(|i| i.id == call(100)) {
                    i.waiting = false;
                    i.recording = RecordingState::On;
                    i.legs.push(leg(1, LegRole::Agent, Some(own), "101"));
                }
                drop(live);
                self.tell(
                    StreamId::Interaction(call(100)),
                    Event::OfferEnded {
                        offer: OfferId::from_u128(1),
                        agent: own,
                        how: cp_vocab::event::OfferEnd::Accepted,
                    },
                );
                self.tell(
                    StreamId::Interaction(call(100)),
                    Event::LegAnswered {
                        leg: LegId::from_u128(1),
                        codec: Some("opus".into()),
                        secure: true,
                        dialog: None,
                    },
                );
                self.tell(
                    StreamId::Interaction(call(100)),
                    Event::Bridged { legs: vec![] },
                );
            }
            Command::Hold { .. } | Command::Resume { .. } => {
                let held = matches!(command, Command::Hold { .. });
                for l in live
                    .interactions
                    .iter_mut()
                    .filter(|i| i.id == call(100))
                    .flat_map(|i| &mut i.legs)
                {
                    l.held = held && l.role == LegRole::Customer;
                }
                drop(live);
                self.tell(
                    StreamId::Interaction(call(100)),
                    Event::LegHeld {
                        leg: LegId::from_u128(1),
                        by_far_end: false,
                    },
                );
            }
            Command::HangUpLeg { .. } | Command::RejectOffer { .. } => {
                live.agents[0].offers.clear();
                live.agents[0].state = RoutingState::WrapUp;
                live.agents[0].wrap_up_until = Some(now() + Duration::from_secs(30));
                live.agents[0].interaction = Some(call(100));
                drop(live);
                self.tell(
                    StreamId::Interaction(call(100)),
                    Event::Ended {
                        reason: EndReason::HungUp,
                        by: None,
                        detail: None,
                    },
                );
            }
            Command::FinishWrapUp { .. } => {
                live.agents[0].state = RoutingState::Idle;
                live.agents[0].wrap_up_until = None;
                live.agents[0].interaction = None;
                drop(live);
                self.tell(
                    StreamId::Agent(own),
                    Event::RoutingStateChanged {
                        agent: own,
                        state: RoutingState::Idle,
                        interaction: None,
                    },
                );
            }
            _ => {}
        }
    }
}

impl Backend for Toy {
    fn command(&self, envelope: CommandEnvelope) -> BoxFuture<'_, CommandResult> {
        let mut reply = CommandReply::default();
        match &envelope.command {
            Command::Live => {
                let mut live = self.live.lock().expect("toy").clone();
                live.at = now();
                reply.document = serde_json::to_value(live).ok();
            }
            other => self.apply(other),
        }
        async move { Ok(reply) }.boxed()
    }
    fn commits(&self) -> watch::Receiver<LogPosition> {
        self.commits.subscribe()
    }
    fn readiness(&self) -> Readiness {
        Readiness {
            ready: true,
            ..Default::default()
        }
    }
    fn metrics(&self) -> String {
        String::new()
    }
}

fn leg(n: u128, role: LegRole, agent: Option<AgentId>, address: &str) -> LiveLeg {
    LiveLeg {
        id: LegId::from_u128(n),
        role,
        address: Pii(Address::Number(address.into())),
        agent,
        status: CallStatus::Connected,
        since: ago(94),
        held: false,
        muted: false,
        supervise: None,
    }
}

fn floor() -> LiveDocument {
    let states = [
        RoutingState::Offered,
        RoutingState::Idle,
        RoutingState::Interacting,
        RoutingState::WrapUp,
        RoutingState::NotResponding,
        RoutingState::Idle,
    ];
    let presences = [
        Presence::Available,
        Presence::Available,
        Presence::Available,
        Presence::Available,
        Presence::Available,
        Presence::Meal,
    ];
    let agents = (0..PEOPLE.len()).map(|i| LiveAgent {
        id: agent(i),
        presence: presences[i].clone(),
        next_presence: None,
        state: states[i],
        since: ago(35 + 71 * i as u64),
        phone_reachable: i != 4,
        desktop: true,
        offers: match i {
            0 => vec![LiveOffer {
                id: OfferId::from_u128(1),
                interaction: call(100),
                queue: Some(queue(1)),
                deadline: now() + Duration::from_secs(45),
            }],
            _ => vec![],
        },
        interaction: (i == 2).then(|| call(101)),
        leg: None,
        wrap_up_until: None,
    });
    let interactions = (0..5u128).map(|i| LiveInteraction {
        id: call(100 + i),
        direction: Direction::Inbound,
        from: Pii(Address::Number(format!("+4930123456{i}"))),
        from_name: (i == 0).then(|| Pii("Maria Fernández".into())),
        to: Pii(Address::Number("+15550100".into())),
        started: ago(40 + 33 * i as u64),
        queue: Some(queue(i as usize % 3)),
        waiting: i != 1,
        priority: 0,
        recording: if i == 1 {
            RecordingState::On
        } else {
            RecordingState::Off
        },
        slot: None,
        legs: vec![
            leg(10 + i, LegRole::Customer, None, &format!("+4930123456{i}")),
            leg(30 + i, LegRole::Agent, (i == 1).then(|| agent(2)), "103"),
        ][..if i == 1 { 2 } else { 1 }]
            .to_vec(),
    });
    let queues = (0..3).map(|i| LiveQueue {
        id: queue(i),
        waiting: [2, 1, 1][i],
        longest_wait_ms: [172_000, 40_000, 8_000][i],
        wait_estimate_ms: Some([95_000, 30_000, 12_000][i]),
        agents_signed_in: 5,
        agents_available: 1,
        entered: 60,
        answered: [41, 17, 9][i],
        abandoned: [3, 1, 0][i],
        service_level_pct: Some([71.4, 88.0, 96.0][i]),
    });
    LiveDocument {
        at: now(),
        agents: agents.collect(),
        queues: queues.collect(),
        interactions: interactions.collect(),
        ..Default::default()
    }
}

fn rows() -> Vec<ConfigRow> {
    let hash = Pii(password::hash("crosspoint"));
    let user = |n: u128, login: &str, name: &str, role| User {
        id: UserId::from_u128(n),
        tenant: tenant(),
        login: Pii(login.into()),
        name: Pii(name.into()),
        password_hash: hash.clone(),
        roles: vec![role],
        disabled: false,
    };
    let mut rows: Vec<ConfigRow> = vec![
        Tenant {
            id: tenant(),
            name: "Demo Company".into(),
            domain: "demo.local".into(),
            interactions_max: 0,
            record_by_default: false,
        }
        .into(),
        user(1, "agent", PEOPLE[0], Role::Agent).into(),
        user(2, "supervisor", PEOPLE[1], Role::Supervisor).into(),
        user(3, "administrator", "Ada Admin", Role::Administrator).into(),
    ];
    rows.extend(
        QUEUES
            .iter()
            .enumerate()
            .map(|(i, q)| Queue::with_defaults(queue(i), tenant(), *q).into()),
    );
    rows.extend(
        ["Spanish", "Contracts", "Routers"]
            .iter()
            .enumerate()
            .map(|(i, s)| {
                Skill {
                    id: SkillId::from_u128(1 + i as u128),
                    tenant: tenant(),
                    name: (*s).into(),
                }
                .into()
            }),
    );
    rows.extend(
        [
            "Sold",
            "Not interested",
            "Call again",
            "Wrong number",
            "Complaint",
        ]
        .iter()
        .enumerate()
        .map(|(i, c)| {
            WrapUpCode {
                id: WrapUpCodeId::from_u128(1 + i as u128),
                tenant: tenant(),
                name: (*c).into(),
            }
            .into()
        }),
    );
    for (i, name) in PEOPLE.iter().enumerate() {
        let phone = PhoneId::from_u128(1 + i as u128);
        rows.push(
            Phone {
                id: phone,
                tenant: tenant(),
                user: format!("10{}", i + 1),
                ha1_md5: Pii("0".repeat(32)),
                ha1_sha256: Pii("0".repeat(64)),
                agent: Some(agent(i)),
                name: format!("{name}'s phone"),
                require_srtp: false,
                may_dial_out: i % 2 == 0,
            }
            .into(),
        );
        rows.push(
            Agent {
                id: agent(i),
                tenant: tenant(),
                user: (i < 2).then(|| UserId::from_u128(1 + i as u128)),
                name: (*name).into(),
                extension: format!("10{}", i + 1),
                skills: vec![SkillLevel {
                    skill: SkillId::from_u128(1),
                    level: 6,
                }],
                queues: vec![queue(i % 3), queue((i + 1) % 3)],
                phone: Some(phone),
                available_when_registered: false,
                wrap_up_ms: None,
            }
            .into(),
        );
    }
    let leads = |i: usize| Destination::Queue { queue: queue(i) };
    for (i, (number, name, destination)) in [
        ("+15550100", "Sales line", leads(0)),
        ("+15550101", "Support line", leads(1)),
        ("600", "Echo test", Destination::Echo),
        (
            "601",
            "Closed",
            Destination::Announce {
                sound: Sound::Speech {
                    text: "We are closed.".into(),
                    voice: None,
                },
            },
        ),
    ]
    .into_iter()
    .enumerate()
    {
        rows.push(
            Number {
                id: NumberId::from_u128(1 + i as u128),
                tenant: tenant(),
                number: number.into(),
                name: name.into(),
                destination,
                public: i < 2,
            }
            .into(),
        );
    }
    rows
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(
        SqliteStore::open(&Options::at(folder.path().join("log.db")))
            .map_err(std::io::Error::other)?,
    );
    let (commits, _) = watch::channel(LogPosition(0));
    let teller = commits.clone();
    store.on_commit(Box::new(move |o| {
        let _ = teller.send_replace(o.upto);
    }));
    let edit = Edit::new(tenant(), Actor::System, now());
    store
        .apply(edit, rows().into_iter().map(Change::Create).collect())
        .map_err(std::io::Error::other)?;
    let toy = Arc::new(Toy {
        live: Mutex::new(floor()),
        log: Mutex::new((0, 0)),
        store: store.clone(),
        commits,
    });
    let caller = || Pii(Address::Number("+49301234560".into()));
    let started = Event::Started {
        direction: Direction::Inbound,
        from: caller(),
        from_name: Some(Pii("Maria Fernández".into())),
        to: caller(),
        uci: Uci::from_u128(1),
        number: None,
        trunk: None,
    };
    toy.tell(StreamId::Interaction(call(100)), started);
    toy.tell(
        StreamId::Interaction(call(100)),
        Event::Queued {
            queue: queue(1),
            priority: 0,
            position: 2,
            wait_estimate_ms: Some(30_000),
        },
    );
    let offer = Event::OfferMade {
        offer: OfferId::from_u128(1),
        agent: agent(0),
        queue: Some(queue(1)),
        deadline: now(),
        explain: "longest idle".into(),
    };
    toy.tell(StreamId::Interaction(call(100)), offer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8099").await?;
    println!("http://127.0.0.1:8099/");
    let state = ApiState::new(
        store,
        toy,
        Settings {
            recordings: folder.path().into(),
            ..Default::default()
        },
    );
    cp_api::serve(listener, state, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await
}
