//! Scenarios as text: who does what, and what must then be so. `docs/simulation.md` has the language.
//!
//! A statement that makes no sense stops the run with its line: a scenario is a test.

use crate::check::check_invariants;
use crate::house::{House, PASSWORD};
use crate::phone::Answer;
use crate::story::Story;
use crate::world::{Fault, START, World};
use cp_vocab::command::{Actor, Command, Device, SuperviseMode};
use cp_vocab::event::StreamId;
use cp_vocab::media::Sound;
use cp_vocab::model::{Destination, DialTarget, Presence, Snapshot};
use cp_vocab::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where the phones of the house are: name, user it registers as, last byte of its address.
const PHONES: &[(&str, Option<&str>, u8)] = &[
    ("alice", None, 200),
    ("anna", None, 201),
    ("carl", None, 202),
    ("far", None, 208),
    ("stranger", None, 230),
    ("bob", Some("bob"), 2),
    ("bob2", Some("bob"), 12),
    ("eve", Some("eve"), 3),
    ("dan", Some("dan"), 4),
    ("sup", Some("sup"), 5),
    ("kim", Some("kim"), 6),
    ("zed", Some("zed"), 7),
    ("desk", Some("desk"), 22),
    ("loud", Some("loud"), 23),
    // Says it is Bob and does not know the password.
    ("thief", Some("bob"), 231),
];

/// What a scenario leaves to be looked at.
pub struct Run {
    pub house: House,
    pub world: World,
    seen: BTreeMap<String, (LegId, InteractionId)>,
    told: usize,
    line: String,
}

/// Runs a scenario, then lets everybody hang up and checks the promises of the house. Gives the
/// message ladder, unless it says `no ladder`, and the story of the log.
///
/// # Panics
/// When a statement is wrong, an expectation in it does not hold, or a promise is broken.
pub fn play(text: &str) -> String {
    play_in(text, false, |_, _| {})
}

/// The same in a house that was changed beforehand; with `live` its node lets emergency calls out.
///
/// # Panics
/// As [`play`].
pub fn play_in(text: &str, live: bool, change: impl FnOnce(&House, &mut Snapshot)) -> String {
    let mut run = Run::new(text, live, change);
    let statements = text.split([';', '\n']).map(str::trim);
    for statement in statements.filter(|s| !s.is_empty() && !s.starts_with('#')) {
        run.line = statement.to_string();
        run.statement(statement);
    }
    let told = run.told(text.contains("with ladder"));
    run.finish();
    told
}

fn duration(word: &str) -> Duration {
    let parse = |n: &str| n.parse::<u64>().ok();
    if let Some(ms) = word.strip_suffix("ms").and_then(parse) {
        Duration::from_millis(ms)
    } else if let Some(s) = word.strip_suffix('s').and_then(parse) {
        Duration::from_secs(s)
    } else {
        panic!("not a duration: {word}")
    }
}

impl Run {
    fn new(text: &str, live: bool, change: impl FnOnce(&House, &mut Snapshot)) -> Self {
        let (house, mut snapshot) = House::build();
        change(&house, &mut snapshot);
        let ports = text
            .split([';', '\n'])
            .find_map(|s| s.trim().strip_prefix("ports "))
            .map_or(crate::media::PORTS, |n| n.parse().expect("a number"));
        Self {
            house,
            world: World::of(1, snapshot, ports, live),
            seen: BTreeMap::new(),
            told: 0,
            line: String::new(),
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!(
            "`{}`: {what}\n{}\n{}",
            self.line,
            self.world.ladder.join("\n"),
            self.story()
        )
    }

    fn statement(&mut self, s: &str) {
        if let Some((who, rest)) = s.split_once(": ") {
            return self.command(who, rest);
        }
        let words: Vec<&str> = s.split_whitespace().collect();
        match words[..] {
            ["phones", ref names @ ..] => self.phones(names),
            ["ports", _] | ["with", "ladder"] => {}
            ["wait", d] => self.world.run(duration(d)),
            ["call", who, "->", to] => self.world.call(who, to),
            ["call", who, "->", to, "without", "sdp"] => self.world.call_late(who, to),
            ["disk", "slow", d] => self.world.fault(Fault::SlowDisk(duration(d))),
            ["disk", "fails"] => self.world.fault(Fault::DiskFails(true)),
            ["disk", "heals"] => self.world.fault(Fault::DiskFails(false)),
            ["restart"] => self.world.fault(Fault::Restart),
            ["node", "stops"] => self.world.fault(Fault::Stop),
            [who, ref does @ ..] => self.person(who, does),
            [] => {}
        }
    }

    fn phones(&mut self, names: &[&str]) {
        for name in names {
            let found = PHONES.iter().find(|(n, _, _)| n == name);
            let Some((name, user, host)) = found else {
                self.fail("no such phone")
            };
            match user {
                Some(user) => {
                    let password = if *name == "thief" { "guess" } else { PASSWORD };
                    self.world.phone_of(name, user, *host, Some(password))
                }
                None => self.world.phone(name, *host, None),
            };
        }
        self.world.run(Duration::from_secs(3));
        self.world.ladder.clear();
        self.told = self.world.log.durable.len();
    }

    fn person(&mut self, who: &str, does: &[&str]) {
        let w = &mut self.world;
        match does {
            ["hangs", "up"] => w.hang_up(who),
            ["holds"] => w.hold_call(who, true),
            ["resumes"] => w.hold_call(who, false),
            ["dies"] => w.dead(who, true),
            ["lives"] => w.dead(who, false),
            ["never", "answers"] => w.habit(who, Answer::Never),
            ["has", "one", "line"] => w.one_line(who),
            ["is", "silent"] => w.habit(who, Answer::Silent),
            ["answers", "after", d] => w.habit(who, Answer::After(duration(d))),
            ["sends", "audio", "and", "answers", "after", d] => {
                w.habit(who, Answer::EarlyMedia(duration(d)));
            }
            ["rejects", status] => {
                let status = status.parse().expect("a status");
                w.habit(who, Answer::Reject(status));
            }
            ["presses", digits] => digits.chars().for_each(|d| w.press(who, d)),
            ["refers", "to", to] => {
                if !w.refer(who, Some(to)) {
                    self.fail("there is no call to refer")
                }
            }
            ["refers", "both"] => {
                if !w.refer(who, None) {
                    self.fail("there are no two calls")
                }
            }
            ["picks", "up", "from", of] => {
                if !w.pick_up_call(who, of) {
                    self.fail("there is no call to pick up")
                }
            }
            _ => self.expectation(who, does),
        }
    }

    fn expectation(&self, who: &str, says: &[&str]) {
        let w = &self.world;
        let live = w.phones[w.at(who)].live_call();
        let last = w.phones[w.at(who)].calls.last();
        let holds = match says {
            ["hears", "music"] => w.legs_at(who).iter().any(|l| w.media.music(*l)),
            ["hears", "no", "music"] => !w.legs_at(who).iter().any(|l| w.media.music(*l)),
            ["hears", "nobody"] => w.phones.iter().all(|p| !w.hears(who, &p.name)),
            ["hears", "only", others @ ..] => w
                .phones
                .iter()
                .all(|p| w.hears(who, &p.name) == others.contains(&p.name.as_str())),
            ["and", other, "talk"] => w.hears(who, other) && w.hears(other, who),
            ["rings"] => live.is_some_and(|c| c.incoming && !c.answered),
            ["is", "on", "hold"] => self.is_on_hold(who),
            ["is", "not", "on", "hold"] => !self.is_on_hold(who),
            ["is", "free"] => live.is_none(),
            ["is", "in", "call"] => live.is_some_and(|c| c.answered),
            ["got", status] => last.is_some_and(|c| c.over.as_deref() == Some(*status)),
            _ => self.fail("I do not understand this"),
        };
        if !holds {
            self.fail("this is not so")
        }
    }

    /// As screens show it.
    fn is_on_hold(&self, who: &str) -> bool {
        let engine = &self.world.engine;
        let legs = self.world.legs_at(who);
        engine
            .interactions()
            .filter_map(|id| engine.interaction(id))
            .any(|s| {
                s.live_legs()
                    .any(|l| legs.contains(&l.id) && s.is_on_hold(l))
            })
    }

    /// The leg and the call of an agent now, or the last it had.
    fn own(&mut self, who: &str) -> Option<(LegId, InteractionId)> {
        let Some(agent) = self.house.agents.get(who).copied() else {
            // A caller's phone: the leg at its address.
            let known = self.world.phones.iter().any(|p| p.name == who);
            let legs = if known {
                self.world.legs_at(who)
            } else {
                vec![]
            };
            let leg = *legs.last()?;
            let engine = &self.world.engine;
            let id = engine
                .interactions()
                .find(|i| engine.interaction(*i).is_some_and(|s| s.leg(leg).is_some()))?;
            return Some((leg, id));
        };
        let engine = &self.world.engine;
        let now = engine
            .interactions()
            .filter_map(|id| engine.interaction(id))
            .flat_map(|s| s.live_legs().map(move |l| (l, s.id)))
            .filter(|(l, _)| l.agent == Some(agent))
            .map(|(l, id)| (l.id, id))
            .max();
        if let Some(found) = now {
            self.seen.insert(who.to_string(), found);
        }
        self.seen.get(who).copied().or_else(|| self.last_of(agent))
    }

    /// The last leg the log tells of an agent.
    fn last_of(&self, of: AgentId) -> Option<(LegId, InteractionId)> {
        let log = self.world.log.durable.iter().rev();
        log.filter_map(|r| match (&r.event, r.stream) {
            (Event::LegAdded { leg, agent, .. }, StreamId::Interaction(id))
                if *agent == Some(of) =>
            {
                Some((*leg, id))
            }
            _ => None,
        })
        .next()
    }

    /// The youngest interaction that has not ended.
    fn current(&mut self) -> Option<InteractionId> {
        let engine = &self.world.engine;
        let live = engine
            .interactions()
            .filter(|id| engine.interaction(*id).is_some_and(|s| s.ended.is_none()));
        let found = live.max();
        if let Some(id) = found {
            let leg = self.world.ids.next(self.world.now);
            self.seen.insert("current".into(), (leg, id));
        }
        found.or(self.seen.get("current").map(|(_, i)| *i))
    }

    fn command(&mut self, who: &str, rest: &str) {
        let (what, want) = match rest.split_once(" = ") {
            Some((what, code)) => (what.trim(), code.trim()),
            None => (rest.trim(), "ok"),
        };
        // `bob on eve: hold` is a command of Bob's for Eve's leg.
        let (who, of) = who.split_once(" on ").unwrap_or((who, who));
        let tenant = match who {
            "zed" => self.house.other.expect("built"),
            _ => self.house.us(),
        };
        let actor = match self.house.agents.get(who) {
            Some(a) => Actor::Agent(*a),
            None => Actor::System,
        };
        let words: Vec<&str> = what.split_whitespace().collect();
        let Some(command) = self.command_of(of, &words) else {
            self.fail("I do not understand this command, or there is no call for it")
        };
        let id = self.world.command(tenant, actor, command);
        self.world.run(Duration::from_millis(50));
        let got = match self.world.replies.get(&id) {
            None => "no reply",
            Some(Ok(_)) => "ok",
            Some(Err(refusal)) => refusal.code.as_str(),
        };
        if got != want {
            let got = got.to_string();
            self.fail(&format!("got {got}"))
        }
    }

    fn command_of(&mut self, of: &str, words: &[&str]) -> Option<Command> {
        let extension = |e: &str| DialTarget::Extension {
            extension: e.to_string(),
        };
        if let [word, rest @ ..] = words
            && let Some(command) = self.command_of_agent(of, word, rest)
        {
            return Some(command);
        }
        let own = self.own(of);
        let leg = own.map(|(l, _)| l);
        Some(match words {
            ["hold"] => Command::Hold { leg: leg? },
            ["resume"] => Command::Resume { leg: leg? },
            ["mute"] => Command::Mute {
                leg: leg?,
                muted: true,
            },
            ["unmute"] => Command::Mute {
                leg: leg?,
                muted: false,
            },
            ["transfer", to] => Command::BlindTransfer {
                leg: leg?,
                target: Destination::Dial {
                    target: extension(to),
                    record: false,
                },
            },
            ["consult", to] => Command::Consult {
                leg: leg?,
                target: extension(to),
            },
            ["complete"] => Command::CompleteTransfer { leg: leg? },
            ["merge"] => Command::Merge { leg: leg? },
            ["cancel"] => Command::CancelConsult { leg: leg? },
            ["park"] => Command::Park {
                leg: leg?,
                slot: None,
            },
            ["park", slot] => Command::Park {
                leg: leg?,
                slot: Some(slot.to_string()),
            },
            ["leave"] => Command::HangUpLeg { leg: leg? },
            ["ask"] => Command::Collect {
                leg: leg?,
                sounds: vec![],
                digits_max: 4,
                timeout_ms: 3_000,
            },
            ["send", digits] => Command::SendDigits {
                leg: leg?,
                digits: digits.to_string(),
            },
            ["play", text @ ..] => Command::Play {
                leg: leg?,
                sounds: vec![Sound::Speech {
                    text: text.join(" "),
                    voice: None,
                }],
                barge_in: true,
                mix_with_call: false,
            },
            ["stop", "playing"] => Command::StopPlaying { leg: leg? },
            ["move", "to", device] => Command::Switch {
                leg: leg?,
                to: Device::Phone(*self.house.devices.get(*device)?),
                pull: false,
            },
            ["take", "over"] => Command::TakeOver { leg: leg? },
            ["change", "to", mode] => Command::SetSuperviseMode {
                leg: leg?,
                mode: mode_of(mode)?,
            },
            _ => {
                let interaction = match own {
                    Some((_, i)) => i,
                    None => self.current()?,
                };
                return self.command_of_interaction(interaction, words);
            }
        })
    }

    fn command_of_interaction(
        &self,
        interaction: InteractionId,
        words: &[&str],
    ) -> Option<Command> {
        Some(match words {
            ["hang", "up"] => Command::HangUp { interaction },
            ["add", to] => Command::AddParty {
                interaction,
                target: DialTarget::Extension {
                    extension: to.to_string(),
                },
            },
            ["record"] => Command::StartRecording { interaction },
            ["pause"] => Command::PauseRecording { interaction },
            ["go", "on"] => Command::ResumeRecording { interaction },
            ["stop", "recording"] => Command::StopRecording { interaction },
            ["met"] => end_await(interaction, true, None),
            ["met", queue] => end_await(interaction, true, Some(*self.house.queues.get(*queue)?)),
            ["unmet"] => end_await(interaction, false, None),
            ["requeue", queue] => Command::Requeue {
                interaction,
                queue: *self.house.queues.get(*queue)?,
                priority: 0,
            },
            ["priority", n] => Command::SetPriority {
                interaction,
                priority: n.parse().ok()?,
            },
            _ => return None,
        })
    }

    /// Commands that name an agent or nothing at all.
    fn command_of_agent(&mut self, of: &str, word: &str, rest: &[&str]) -> Option<Command> {
        let agent = self.house.agents.get(of).copied();
        Some(match (word, rest) {
            ("drain", []) => Command::Drain { on: true },
            ("undrain", []) => Command::Drain { on: false },
            ("live", []) => Command::Live,
            ("dial", [to]) => Command::Dial {
                agent: agent?,
                target: DialTarget::Extension {
                    extension: to.to_string(),
                },
            },
            ("originate", [to, "to", plan]) => Command::Originate {
                target: DialTarget::Extension {
                    extension: to.to_string(),
                },
                destination: Destination::Queue {
                    queue: *self.house.queues.get(*plan)?,
                },
                caller: None,
            },
            ("retrieve", [slot]) => Command::Retrieve {
                slot: slot.to_string(),
                agent: agent?,
            },
            ("presence", [p]) => Command::SetPresence {
                agent: agent?,
                presence: match *p {
                    "available" => Presence::Available,
                    "offline" => Presence::Offline,
                    _ => Presence::Break,
                },
            },
            ("accept", []) => Command::AcceptOffer {
                offer: self.offer(agent?)?,
            },
            ("reject", []) => Command::RejectOffer {
                offer: self.offer(agent?)?,
            },
            ("fetch", ["at", device]) => Command::Fetch {
                agent: agent?,
                to: Device::Phone(*self.house.devices.get(*device)?),
                leg: None,
            },
            ("devices", []) => Command::Devices { agent: agent? },
            ("done", []) => Command::FinishWrapUp { agent: agent? },
            ("extend", [d]) => Command::ExtendWrapUp {
                agent: agent?,
                by_ms: duration(d).as_millis() as u64,
            },
            ("note", text) => Command::WrapUp {
                interaction: self.own(of)?.1,
                agent: agent?,
                code: None,
                note: Some(text.join(" ")),
            },
            ("supervises", [other, mode]) => Command::Supervise {
                interaction: self.own(other)?.1,
                agent: agent?,
                mode: mode_of(mode)?,
            },
            _ => return None,
        })
    }

    /// The last offer the log tells of this agent, open or not.
    fn offer(&self, agent: AgentId) -> Option<OfferId> {
        let log = self.world.log.durable.iter().rev();
        log.filter_map(|r| match &r.event {
            Event::OfferMade {
                offer, agent: a, ..
            } if *a == agent => Some(*offer),
            _ => None,
        })
        .next()
    }

    fn story(&self) -> String {
        let mut story = Story::new(&self.house, START);
        let mut lines: Vec<String> = Vec::new();
        for r in &self.world.log.durable[self.told.min(self.world.log.durable.len())..] {
            // Routing states follow from the offers; only what an agent would wonder about is told.
            let dull = matches!(r.stream, StreamId::Agent(_))
                && !matches!(
                    r.event,
                    Event::RoutingStateChanged {
                        state: model::RoutingState::NotResponding,
                        ..
                    } | Event::LeaseLost { .. }
                        | Event::PresenceChanged { .. }
                        | Event::NextPresenceSet { .. }
                );
            if !dull {
                lines.extend(story.line(r));
            }
        }
        lines.join("\n")
    }

    fn told(&self, ladder: bool) -> String {
        let story = self.story();
        match ladder {
            true => format!("wire\n{}\nlog\n{story}\n", self.world.ladder.join("\n")),
            false => format!("log\n{story}\n"),
        }
    }

    /// Everybody hangs up, time passes, and the promises must hold.
    fn finish(&mut self) {
        self.line = "the end".into();
        let w = &mut self.world;
        w.fault(Fault::DiskFails(false));
        let names: Vec<String> = w.phones.iter().map(|p| p.name.clone()).collect();
        for name in &names {
            w.habit(name, Answer::Reject(480));
            w.hang_up(name);
        }
        w.run(Duration::from_secs(600));
        let broken = check_invariants(w);
        if !broken.is_empty() {
            self.fail(&format!("{broken:#?}"))
        }
    }
}

fn end_await(interaction: InteractionId, met: bool, queue: Option<QueueId>) -> Command {
    Command::EndAwait {
        interaction,
        met,
        queue,
        priority: 0,
    }
}

fn mode_of(word: &str) -> Option<SuperviseMode> {
    Some(match word {
        "listen" => SuperviseMode::Listen,
        "whisper" => SuperviseMode::Whisper,
        "barge" => SuperviseMode::Barge,
        _ => return None,
    })
}
