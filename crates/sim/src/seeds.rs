//! Random runs: people with random habits, random commands, bad networks, slow and failing disks,
//! restarts with a clock that jumps. One seed gives one run, always the same.

mod browsers;

use crate::check::{Invariant, check_invariants, check_replay};
use crate::house::{House, PASSWORD};
use crate::network::Quality;
use crate::phone::Answer;
use crate::story::Story;
use crate::world::{Fault, START, World};
use browsers::Browsers;
use cp_vocab::command::{Actor, Command, Device, SuperviseMode};
use cp_vocab::media::Sound;
use cp_vocab::model::{Destination, DialTarget, Presence};
use cp_vocab::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Actions of one run.
const ACTIONS: std::ops::Range<u32> = 30..120;

const CALLERS: &[(&str, u8)] = &[("alice", 200), ("anna", 201), ("carl", 202), ("far", 208)];
const STAFF: &[(&str, &str, u8)] = &[
    ("bob", "bob", 2),
    ("eve", "eve", 3),
    ("dan", "dan", 4),
    ("sup", "sup", 5),
    ("kim", "kim", 6),
    ("bob2", "bob", 12),
    ("desk", "desk", 22),
];
const TARGETS: &[&str] = &[
    "queue",
    "queue",
    "queue",
    "sales",
    "narrow",
    "greeted",
    "empty",
    "ring-a",
    "menu",
    "answer",
    "announce",
    "echo",
    "room",
    "busy",
    "bob-direct",
    "nowhere",
];
const EXTENSIONS: &[&str] = &[
    "1001",
    "1002",
    "1003",
    "1005",
    "kim",
    "queue",
    "room",
    "menu",
    "701",
    "702",
    "+4930123456",
    "nowhere",
    "announce",
    "*75",
    "*752",
];

const PEOPLE: &[&str] = &["1001", "1002", "1003", "1005", "kim", "+4930123456"];

/// What a run leaves when it broke a promise.
#[derive(Debug)]
pub struct Broken {
    pub seed: u64,
    pub invariants: Vec<Invariant>,
    /// What was done, in order.
    pub actions: Vec<String>,
    pub ladder: Vec<String>,
    pub story: Vec<String>,
}

struct Play {
    world: World,
    house: House,
    rng: ChaCha8Rng,
    names: Vec<&'static str>,
    actions: Vec<String>,
    broken: Vec<Invariant>,
    /// Phones that were off at some time: a goodbye to them may have been lost.
    was_dead: Vec<String>,
    disk_fails: bool,
    browsers: Browsers,
}

/// One run.
///
/// # Errors
/// The promises that it broke.
pub fn run(seed: u64) -> Result<(), Box<Broken>> {
    let mut play = Play::new(seed);
    let n = play.rng.random_range(ACTIONS);
    for _ in 0..n {
        let ms = match play.rng.random_range(0u32..10) {
            0..=3 => play.rng.random_range(0u64..300),
            4..=8 => play.rng.random_range(300..4_000),
            _ => play.rng.random_range(4_000..40_000),
        };
        play.world.run(Duration::from_millis(ms));
        play.act();
        if play.rng.random_bool(0.2) {
            let found = check_replay(&play.world);
            play.broken.extend(found);
        }
        if !play.broken.is_empty() {
            break;
        }
    }
    play.end();
    let Play {
        world,
        broken,
        actions,
        house,
        ..
    } = play;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Box::new(Broken {
        seed,
        invariants: broken,
        actions,
        story: {
            let mut story = Story::new(&house, START);
            let log = &world.log.durable;
            log.iter().filter_map(|r| story.line(r)).collect()
        },
        ladder: world.ladder,
    }))
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (house, snapshot) = House::build();
        let ports = match rng.random_range(0u32..8) {
            0 => rng.random_range(2u16..10),
            _ => 400,
        };
        let mut world = World::with_ports(seed, snapshot, ports);
        let mut names = vec![];
        for (name, host) in CALLERS {
            world.phone(name, *host, None);
            names.push(*name);
        }
        for (name, user, host) in STAFF {
            if !matches!(*name, "bob2" | "desk") || rng.random_bool(0.4) {
                world.phone_of(name, user, *host, Some(PASSWORD));
                names.push(*name);
            }
        }
        world.run(Duration::from_secs(2));
        if rng.random_bool(0.6) {
            world.network.quality = Quality::bad(&mut rng);
        }
        let mut play = Self {
            world,
            house,
            rng,
            names,
            actions: vec![],
            broken: vec![],
            was_dead: vec![],
            disk_fails: false,
            browsers: Browsers::default(),
        };
        for name in play.names.clone() {
            play.change_habit(name);
        }
        play
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())]
    }

    fn someone(&mut self) -> &'static str {
        let names = self.names.clone();
        self.pick(&names)
    }

    fn did(&mut self, what: String) {
        let at = self.world.now.since(START);
        self.actions
            .push(format!("{:>8.3} {what}", at.as_secs_f64()));
    }

    fn change_habit(&mut self, who: &str) {
        let ms = Duration::from_millis(self.rng.random_range(0..12_000));
        let habit = match self.rng.random_range(0u32..12) {
            0 => Answer::Never,
            1 => Answer::Reject(486),
            2 => Answer::Reject(603),
            3 => Answer::EarlyMedia(ms),
            4 => Answer::Silent,
            5 => Answer::After(Duration::ZERO),
            6 => Answer::After(ms),
            _ => Answer::After(ms / 8),
        };
        let talk = match self.rng.random_range(0u32..3) {
            0 | 1 => None,
            _ => Some(Duration::from_millis(self.rng.random_range(100..30_000))),
        };
        self.world.habit(who, habit);
        let at = self.world.at(who);
        self.world.phones[at].talk = talk;
        self.did(format!("{who}: {habit:?}, talks {talk:?}"));
    }

    fn act(&mut self) {
        self.hear_signals();
        let who = self.someone();
        if self.disk_fails && self.rng.random_bool(0.3) {
            self.disk_fails = false;
            self.did("disk heals".into());
            self.world.fault(Fault::DiskFails(false));
        }
        match self.rng.random_range(0u32..100) {
            0..=20 => {
                let to = match self.rng.random_bool(0.7) {
                    true => self.pick(TARGETS),
                    false => self.pick(EXTENSIONS),
                };
                self.did(format!("{who} calls {to}"));
                match self.rng.random_bool(0.1) {
                    true => self.world.call_late(who, to),
                    false => self.world.call(who, to),
                }
            }
            21..=26 => {
                self.did(format!("{who} hangs up"));
                self.world.hang_up(who);
            }
            27..=29 => {
                let on = self.rng.random_bool(0.5);
                self.did(format!("{who} holds {on}"));
                self.world.hold_call(who, on);
            }
            30..=32 => {
                let digit = self.pick(&['1', '2', '#', '7']);
                self.did(format!("{who} presses {digit}"));
                self.world.press(who, digit);
            }
            33..=36 => {
                let to = self.pick(EXTENSIONS);
                self.did(format!("{who} refers to {to}"));
                self.world.refer(who, Some(to));
            }
            37..=39 => {
                self.did(format!("{who} refers both"));
                self.world.refer(who, None);
            }
            40..=42 => {
                let of = self.someone();
                self.did(format!("{who} picks up from {of}"));
                self.world.pick_up_call(who, of);
            }
            43..=45 => self.change_habit(who),
            46..=48 => {
                let dead = !self.world.phones[self.world.at(who)].dead;
                self.did(format!("{who} dead {dead}"));
                self.was_dead.push(who.to_string());
                self.world.dead(who, dead);
            }
            49..=52 => self.fault(),
            53..=64 => self.act_in_a_browser(),
            _ => self.command(),
        }
    }

    fn fault(&mut self) {
        match self.rng.random_range(0u32..8) {
            0 | 1 => {
                let d = Duration::from_millis(self.rng.random_range(0..1_500));
                self.did(format!("disk takes {d:?}"));
                self.world.fault(Fault::SlowDisk(d));
            }
            2 => {
                self.disk_fails = !self.disk_fails;
                self.did(format!("disk fails {}", self.disk_fails));
                self.world.fault(Fault::DiskFails(self.disk_fails));
            }
            3 | 4 => {
                let hour: i64 = 3_600_000_000;
                let jump = self.rng.random_range(-hour..hour);
                if self.rng.random_bool(0.5) {
                    self.world.clock_off_us = jump;
                }
                if self.rng.random_bool(0.3) {
                    self.world.wall_off_us = self.rng.random_range(-hour..hour);
                }
                self.disk_fails = false;
                self.did(format!("restart, clock off {}", self.world.clock_off_us));
                self.world.fault(Fault::Restart);
            }
            _ => {
                self.world.network.quality = Quality::bad(&mut self.rng);
                self.did(format!("network {:?}", self.world.network.quality));
            }
        }
    }

    /// A leg and its interaction, mostly alive.
    fn target(&mut self) -> (LegId, InteractionId, Option<AgentId>) {
        let mut all: Vec<(LegId, InteractionId, Option<AgentId>)> = self
            .world
            .engine
            .interactions()
            .filter_map(|id| self.world.engine.interaction(id))
            .flat_map(|s| s.legs.iter().map(|l| (l.id, s.id, l.agent)))
            .collect();
        all.sort();
        // Mostly somebody who talks, as desktops offer it.
        let talking: Vec<(LegId, InteractionId, Option<AgentId>)> = all
            .iter()
            .filter(|(l, id, agent)| {
                let state = self.world.engine.interaction(*id);
                agent.is_some() && state.is_some_and(|s| s.talkers().any(|t| t.id == *l))
            })
            .copied()
            .collect();
        if !talking.is_empty() && self.rng.random_bool(0.7) {
            return self.pick(&talking);
        }
        if all.is_empty() {
            let now = self.world.now;
            return (self.world.ids.next(now), self.world.ids.next(now), None);
        }
        self.pick(&all)
    }

    fn command(&mut self) {
        let (leg, interaction, own) = self.target();
        let agents: Vec<AgentId> = self.house.agents.values().copied().collect();
        let agent = self.pick(&agents);
        let actor = match self.rng.random_range(0u32..4) {
            0 => Actor::Agent(agent),
            1 => Actor::System,
            _ => own.map_or(Actor::System, Actor::Agent),
        };
        let extension = match self.rng.random_bool(0.6) {
            true => self.pick(PEOPLE).to_string(),
            false => self.pick(EXTENSIONS).to_string(),
        };
        let target = DialTarget::Extension { extension };
        let command = match self.rng.random_range(0u32..4) {
            0 => self.command_of_work(interaction, agent),
            1 => self.command_of_media(leg, interaction),
            _ => self.command_of_call(leg, interaction, agent, target),
        };
        self.did(format!("{actor:?} {command:?}"));
        self.world.command(self.house.us(), actor, command);
    }

    fn command_of_device(&mut self, leg: LegId, agent: AgentId) -> Command {
        let phone = self.pick(&["bob", "desk", "desk", "handy", "loud", "eve"]);
        let to = Device::Phone(self.house.devices[phone]);
        let bob = self.house.agents["bob"];
        match self.rng.random_range(0u32..5) {
            0 => Command::Devices { agent },
            1 => Command::Fetch {
                agent: bob,
                to,
                leg: None,
            },
            _ => Command::Switch {
                leg,
                to,
                pull: self.rng.random_bool(0.3),
            },
        }
    }

    fn command_of_call(
        &mut self,
        leg: LegId,
        interaction: InteractionId,
        agent: AgentId,
        target: DialTarget,
    ) -> Command {
        let mode = self.pick(&[
            SuperviseMode::Listen,
            SuperviseMode::Whisper,
            SuperviseMode::Barge,
        ]);
        let record = false;
        match self.rng.random_range(0u32..26) {
            0 => Command::Hold { leg },
            1 => Command::Resume { leg },
            2 | 3 => Command::BlindTransfer {
                leg,
                target: Destination::Dial { target, record },
            },
            4 | 5 | 18..=20 => Command::Consult { leg, target },
            6 | 21 => Command::CompleteTransfer { leg },
            7 => Command::Merge { leg },
            8 => Command::CancelConsult { leg },
            9 => Command::AddParty {
                interaction,
                target,
            },
            10 | 11 => Command::Park { leg, slot: None },
            12 => Command::Retrieve {
                slot: "701".into(),
                agent,
            },
            13 => Command::Supervise {
                interaction,
                agent,
                mode,
            },
            14 => Command::SetSuperviseMode { leg, mode },
            15 => Command::TakeOver { leg },
            22..=25 => self.command_of_device(leg, agent),
            16 => Command::HangUpLeg { leg },
            _ => Command::HangUp { interaction },
        }
    }

    fn command_of_media(&mut self, leg: LegId, interaction: InteractionId) -> Command {
        match self.rng.random_range(0u32..9) {
            8 => Command::Seats {
                leg,
                seats: browsers::seats_of(leg),
            },
            0 => Command::Mute { leg, muted: true },
            1 => Command::Play {
                leg,
                sounds: vec![Sound::Silence { ms: 5 }],
                barge_in: true,
                mix_with_call: false,
            },
            2 => Command::StopPlaying { leg },
            3 => Command::SendDigits {
                leg,
                digits: "12".into(),
            },
            4 => Command::StartRecording { interaction },
            5 => Command::PauseRecording { interaction },
            6 => Command::ResumeRecording { interaction },
            _ => Command::StopRecording { interaction },
        }
    }

    fn command_of_work(&mut self, interaction: InteractionId, agent: AgentId) -> Command {
        let offers: Vec<OfferId> = self
            .world
            .log
            .durable
            .iter()
            .rev()
            .filter_map(|r| match &r.event {
                Event::OfferMade { offer, .. } => Some(*offer),
                _ => None,
            })
            .take(3)
            .collect();
        let queues: Vec<QueueId> = self.house.queues.values().copied().collect();
        let queue = self.pick(&queues);
        let presence = self.pick(&[0, 0, 0, 1, 2]);
        match self.rng.random_range(0u32..10) {
            0 if !offers.is_empty() => Command::AcceptOffer {
                offer: self.pick(&offers),
            },
            1 if !offers.is_empty() => Command::RejectOffer {
                offer: self.pick(&offers),
            },
            2 | 3 => Command::SetPresence {
                agent,
                presence: match presence {
                    0 => Presence::Available,
                    1 => Presence::Break,
                    _ => Presence::Offline,
                },
            },
            4 => Command::FinishWrapUp { agent },
            5 => Command::ExtendWrapUp {
                agent,
                by_ms: 20_000,
            },
            6 => Command::Requeue {
                interaction,
                queue,
                priority: 0,
            },
            7 => Command::WrapUp {
                interaction,
                agent,
                code: None,
                note: Some("done".into()),
            },
            8 => Command::Dial {
                agent,
                target: DialTarget::Extension {
                    extension: self.pick(EXTENSIONS).to_string(),
                },
            },
            _ => Command::Originate {
                target: DialTarget::Extension {
                    extension: self.pick(EXTENSIONS).to_string(),
                },
                destination: Destination::Queue { queue },
                caller: None,
            },
        }
    }

    /// The server ends every call: no phone that was always on may still believe in one.
    fn end_at_the_server(&mut self) {
        let tenant = self.house.us();
        let w = &mut self.world;
        let mut live: Vec<InteractionId> = w.engine.interactions().collect();
        live.sort();
        for interaction in live {
            w.command(tenant, Actor::System, Command::HangUp { interaction });
        }
        w.run(Duration::from_secs(70));
        for p in w.phones.iter().filter(|p| !self.was_dead.contains(&p.name)) {
            // A phone that rang or called in vain when the process died hears of it by its own timers.
            // And a goodbye that was lost is not repeated by a process that dies.
            let told = |c: &&crate::phone::PhoneCall| {
                w.restarts == 0 || (c.answered && w.network.lost == 0)
            };
            if let Some(c) = p.live_call().filter(told) {
                self.broken.push(Invariant {
                    what: "no phone is left in a ghost call",
                    detail: format!("{} after the server ended all: {c:?}", p.name),
                });
            }
        }
    }

    /// The weather clears, everybody hangs up, time passes, and the promises must hold.
    fn end(&mut self) {
        let w = &mut self.world;
        w.network.quality = Quality::PERFECT;
        w.fault(Fault::DiskFails(false));
        w.fault(Fault::SlowDisk(Duration::from_millis(1)));
        for name in &self.names {
            w.dead(name, false);
            w.habit(name, Answer::Reject(480));
        }
        // What was on its way still arrives before the phones are put down.
        w.run(Duration::from_secs(1));
        self.close_browsers();
        if self.rng.random_bool(0.5) {
            self.end_at_the_server();
        }
        let w = &mut self.world;
        for name in &self.names {
            w.hang_up(name);
        }
        w.run(Duration::from_secs(700));
        self.broken.extend(check_replay(w));
        self.broken.extend(check_invariants(w));
    }
}

/// What happened in a run, by kind of event: to see that random runs reach everything.
pub fn kinds(seed: u64) -> std::collections::BTreeMap<&'static str, u32> {
    let mut play = Play::new(seed);
    for _ in 0..play.rng.random_range(ACTIONS) {
        let ms = play.rng.random_range(0..4_000);
        play.world.run(Duration::from_millis(ms));
        play.act();
    }
    let mut kinds = std::collections::BTreeMap::new();
    for r in &play.world.log.durable {
        *kinds.entry(r.event.kind()).or_default() += 1;
    }
    kinds
}
