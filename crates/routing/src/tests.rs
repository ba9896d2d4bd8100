//! Scenarios as text: what happens on the left, what callers and agents would see on the right.
//!
//! ```text
//! queue <name> [skills=de:5,en] [prio=1] [rule=least_occupied] [ring=20] [wrap=0] [max=2] [wait=60]
//!       [announce=30] [demote=no] [overflow=<queue>] [staffed] [relax=30:drop=de] [relax=60:lower=2] [relax=90:widen=<queue>]
//! agent <name> <queue>… [skills=de:5] [hot] [wrap=5]
//! configure                     apply the queues and agents declared so far
//! drop <agent|queue> <name>     take it out of the configuration
//! <agent> available|break|offline
//! <agent> phone [for <s>] | phone gone | phone off | desktop [off|lost|closed] | push [gone] | direct <call> | ends <call> [wrap]
//! <agent> finish | extend <s> | failed <call>
//! call <n> <queue> [prio=2] [skills=fr:3] [since=<s ago>] [prefers=<agent>]
//! accept|reject|unreachable <call> ; hangup <call> ; move <call> <queue> ; priority <call> <n>
//! wait <s> ; explain <call>
//! ```

use crate::*;
use cp_vocab::event::QueueExit;
use cp_vocab::id::*;
use cp_vocab::model::*;
use cp_vocab::{Code, Timestamp};
use expect_test::{Expect, expect};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

struct World {
    router: Router,
    now: Timestamp,
    start: Timestamp,
    ids: BTreeMap<String, u128>,
    queues: Vec<Queue>,
    agents: Vec<Agent>,
    /// Last offer made for each call, live or not.
    offers: BTreeMap<String, OfferId>,
    told: String,
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words
        .iter()
        .find_map(|w| w.strip_prefix(name)?.strip_prefix('='))
}

fn secs(text: &str) -> u64 {
    (text.parse::<f64>().unwrap() * 1_000.0) as u64
}

impl World {
    fn new() -> Self {
        let start = Timestamp::from_secs(1_700_000_000);
        Self {
            router: Router::new(RouterConfig::default()),
            now: start,
            start,
            ids: BTreeMap::new(),
            queues: vec![],
            agents: vec![],
            offers: BTreeMap::new(),
            told: String::new(),
        }
    }

    fn id<T: TypedId>(&mut self, name: &str) -> T {
        let next = self.ids.len() as u128 + 1;
        T::from_u128(*self.ids.entry(name.to_owned()).or_insert(next))
    }

    fn name<T: TypedId>(&self, id: T) -> &str {
        let found = self.ids.iter().find(|(_, raw)| **raw == id.as_u128());
        found.map_or("?", |(name, _)| name)
    }

    fn tenant() -> TenantId {
        TenantId::from_u128(7_777)
    }

    fn skills(&mut self, text: Option<&str>) -> Vec<SkillLevel> {
        let words = text.into_iter().flat_map(|t| t.split(','));
        words
            .map(|w| {
                let (name, level) = w.split_once(':').unwrap_or((w, "1"));
                SkillLevel {
                    skill: self.id(name),
                    level: level.parse().unwrap(),
                }
            })
            .collect()
    }

    fn declare_queue(&mut self, words: &[&str]) {
        let name = words[1];
        let mut queue = Queue::with_defaults(self.id(name), Self::tenant(), name);
        queue.wrap_up_ms = option(words, "wrap").map_or(0, secs);
        queue.announce_every_ms = option(words, "announce").map_or(0, secs);
        queue.ring_ms_max = option(words, "ring").map_or(20_000, secs);
        queue.wait_ms_max = option(words, "wait").map_or(0, secs);
        queue.priority = option(words, "prio").map_or(0, |p| p.parse().unwrap());
        queue.waiting_max = option(words, "max").map_or(0, |p| p.parse().unwrap());
        queue.demote_on_no_answer = option(words, "demote") != Some("no");
        queue.refuse_when_unstaffed = words.contains(&"staffed");
        queue.skills = self.skills(option(words, "skills"));
        queue.selection = match option(words, "rule") {
            Some("least_occupied") => SelectionRule::LeastOccupied,
            Some("least_flexible") => SelectionRule::LeastFlexible,
            Some("best_score") => SelectionRule::BestScore,
            Some("round_robin") => SelectionRule::RoundRobin,
            _ => SelectionRule::LongestIdle,
        };
        queue.overflow =
            option(words, "overflow").map(|q| Destination::Queue { queue: self.id(q) });
        for word in words {
            let Some(text) = word.strip_prefix("relax=") else {
                continue;
            };
            let (after, what) = text.split_once(':').unwrap();
            let (what, arg) = what.split_once('=').unwrap();
            let mut relaxation = Relaxation {
                after_ms: secs(after),
                drop_skills: vec![],
                lower_levels_by: 0,
                widen_to: vec![],
            };
            match what {
                "drop" => relaxation.drop_skills = vec![self.id(arg)],
                "lower" => relaxation.lower_levels_by = arg.parse().unwrap(),
                "widen" => relaxation.widen_to = vec![self.id(arg)],
                other => panic!("{other}"),
            }
            queue.relaxations.push(relaxation);
        }
        self.queues.retain(|q| q.id != queue.id);
        self.queues.push(queue);
    }

    fn declare_agent(&mut self, words: &[&str]) {
        let id = self.id(words[1]);
        let queues = words[2..]
            .iter()
            .filter(|w| !w.contains('=') && **w != "hot");
        let agent = Agent {
            id,
            tenant: Self::tenant(),
            user: None,
            name: words[1].into(),
            extension: "1".into(),
            skills: self.skills(option(words, "skills")),
            queues: queues.map(|q| self.id(q)).collect(),
            phone: None,
            available_when_registered: words.contains(&"hot"),
            wrap_up_ms: option(words, "wrap").map(secs),
        };
        self.agents.retain(|a| a.id != id);
        self.agents.push(agent);
    }

    fn step(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "queue" => return self.declare_queue(&words),
            "agent" => return self.declare_agent(&words),
            "wait" => return self.wait(secs(words[1])),
            "explain" => return self.explain(words[1]),
            _ => {}
        }
        let input = self.input(&words);
        if let Err(e) = self.router.handle(self.now, input) {
            self.tell(&format!("! {line}: {} ({e})", e.code().as_str()));
        }
        self.drain();
    }

    fn input(&mut self, words: &[&str]) -> RouterInput {
        match words[0] {
            "configure" => {}
            "drop" => {
                let id: QueueId = self.id(words[2]);
                self.queues.retain(|q| q.id != id);
                let id: AgentId = self.id(words[2]);
                self.agents.retain(|a| a.id != id);
            }
            "call" => return RouterInput::Enqueue(self.ticket(words)),
            "accept" => {
                return RouterInput::Accepted {
                    offer: self.offers[words[1]],
                };
            }
            "reject" => {
                return RouterInput::Rejected {
                    offer: self.offers[words[1]],
                };
            }
            "unreachable" => {
                return RouterInput::Unreachable {
                    offer: self.offers[words[1]],
                };
            }
            "hangup" => {
                return RouterInput::Remove {
                    interaction: self.id(words[1]),
                    exit: QueueExit::Abandoned,
                };
            }
            "move" => {
                return RouterInput::Requeue {
                    interaction: self.id(words[1]),
                    queue: self.id(words[2]),
                    since: None,
                };
            }
            "priority" => {
                return RouterInput::SetPriority {
                    interaction: self.id(words[1]),
                    priority: words[2].parse().unwrap(),
                };
            }
            _ => return self.agent_input(words),
        }
        RouterInput::Configure {
            agents: self.agents.clone(),
            queues: self.queues.clone(),
        }
    }

    fn ticket(&mut self, words: &[&str]) -> Ticket {
        Ticket {
            interaction: self.id(words[1]),
            tenant: Self::tenant(),
            queue: self.id(words[2]),
            priority: option(words, "prio").map_or(0, |p| p.parse().unwrap()),
            skills: SmallVec::from_vec(self.skills(option(words, "skills"))),
            since: option(words, "since")
                .map_or(self.now, |s| Timestamp(self.now.0 - secs(s) * 1_000)),
            preferred_agent: option(words, "prefers").map(|a| self.id(a)),
        }
    }

    fn agent_input(&mut self, words: &[&str]) -> RouterInput {
        let agent: AgentId = self.id(words[0]);
        let session = LeaseKind::Desktop(SessionId::from_u128(agent.as_u128()));
        let presence = |presence| RouterInput::SetPresence { agent, presence };
        let lost = |kind, why| RouterInput::LeaseEnded { agent, kind, why };
        match words[1..] {
            ["available"] => presence(Presence::Available),
            ["break"] => presence(Presence::Break),
            ["offline"] => presence(Presence::Offline),
            ["phone", "gone"] => lost(LeaseKind::Phone, LeaseEnd::Lost),
            ["phone", "off"] => lost(LeaseKind::Phone, LeaseEnd::SignedOff),
            ["desktop", "lost"] => lost(session, LeaseEnd::Lost),
            ["desktop", "off"] => lost(session, LeaseEnd::SignedOff),
            ["desktop", "closed"] => lost(session, LeaseEnd::Closed),
            ["push", "gone"] => lost(LeaseKind::Push, LeaseEnd::Lost),
            ["push"] => RouterInput::Lease {
                agent,
                kind: LeaseKind::Push,
                until: Timestamp::FAR,
            },
            ["phone", "for", s] => RouterInput::Lease {
                agent,
                kind: LeaseKind::Phone,
                until: self.now + Duration::from_millis(secs(s)),
            },
            ["phone"] => RouterInput::Lease {
                agent,
                kind: LeaseKind::Phone,
                until: Timestamp::FAR,
            },
            ["desktop"] => RouterInput::Lease {
                agent,
                kind: session,
                until: Timestamp::FAR,
            },
            ["direct", call] => RouterInput::Direct {
                agent,
                interaction: self.id(call),
                queue: None,
            },
            ["ends", call, ref rest @ ..] => RouterInput::WorkEnded {
                agent,
                interaction: self.id(call),
                wrap_up: rest == ["wrap"],
            },
            ["failed", call] => RouterInput::AcceptFailed {
                agent,
                interaction: self.id(call),
            },
            ["finish"] => RouterInput::FinishWrapUp { agent },
            ["extend", s] => RouterInput::ExtendWrapUp {
                agent,
                by_ms: secs(s),
            },
            _ => panic!("no such step: {words:?}"),
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.router.next_timeout().filter(|at| *at <= until) {
            assert!(at >= self.now, "timers do not lie in the past");
            self.now = at;
            self.router.handle_timeout(at);
            self.drain();
        }
        self.now = until;
    }

    fn tell(&mut self, text: &str) {
        let at = self.now.since(self.start).as_millis();
        writeln!(self.told, "{}.{} {text}", at / 1_000, at % 1_000 / 100).unwrap();
    }

    fn drain(&mut self) {
        while let Some(output) = self.router.poll() {
            let text = self.words(output);
            self.tell(&text);
        }
    }

    fn estimate(ms: Option<u64>) -> String {
        ms.map_or("?".into(), |ms| format!("{} s", ms / 1_000))
    }

    fn words(&mut self, output: RouterOutput) -> String {
        use RouterOutput::*;
        match output {
            Queued {
                interaction: i,
                queue,
                position,
                wait_estimate_ms,
                ..
            } => format!(
                "{} waits in {}, place {position}, about {}",
                self.name(i),
                self.name(queue),
                Self::estimate(wait_estimate_ms)
            ),
            Announce {
                interaction: i,
                position,
                wait_estimate_ms,
                ..
            } => format!(
                "{} hears: place {position}, about {}",
                self.name(i),
                Self::estimate(wait_estimate_ms)
            ),
            Offer {
                offer,
                interaction: i,
                agent,
                explain,
                deadline,
                ..
            } => {
                let name = self.name(i).to_owned();
                self.offers.insert(name.clone(), offer);
                let ring = deadline.since(self.now).as_secs();
                format!("{name} rings {} for {ring} s: {explain}", self.name(agent))
            }
            OfferEnded {
                interaction: i,
                agent,
                how,
                ..
            } => {
                format!("{} at {}: {how:?}", self.name(i), self.name(agent))
            }
            Overflow {
                interaction: i,
                to,
                why,
                waited_ms,
                ..
            } => {
                let to = match to {
                    Some(Destination::Queue { queue }) => self.name(queue).to_owned(),
                    Some(_) => "elsewhere".into(),
                    None => "nowhere".into(),
                };
                format!(
                    "{} overflows to {to}: {why:?} after {} s",
                    self.name(i),
                    waited_ms / 1_000
                )
            }
            Refused {
                interaction: i,
                code,
                overflow,
                ..
            } => {
                let to = if overflow.is_some() { ", overflow" } else { "" };
                format!("{} refused: {}{to}", self.name(i), code.as_str())
            }
            Left {
                interaction: i,
                queue,
                exit,
                waited_ms,
            } => format!(
                "{} left {}: {exit:?} after {} s",
                self.name(i),
                self.name(queue),
                waited_ms / 1_000
            ),
            AgentState {
                agent,
                state,
                interaction,
            } => format!(
                "{} is {state:?}{}",
                self.name(agent),
                interaction.map_or(String::new(), |i| format!(" with {}", self.name(i)))
            ),
            NextPresence { agent, presence } => {
                format!("{} will be {presence:?}", self.name(agent))
            }
            PresenceSet {
                agent,
                presence,
                automatic,
            } => format!(
                "{} presence {presence:?}{}",
                self.name(agent),
                if automatic { " by itself" } else { "" }
            ),
            LeaseLost { agent, what } => format!("{} lost the {what}", self.name(agent)),
            WrapUpStarted { agent, until, .. } => format!(
                "{} wraps up for {} s",
                self.name(agent),
                until.since(self.now).as_secs()
            ),
            WrapUpExtended { agent, until, .. } => format!(
                "{} wraps up {} s more",
                self.name(agent),
                until.since(self.now).as_secs()
            ),
            WrapUpEnded {
                agent, timed_out, ..
            } => {
                format!(
                    "{} wrapped up{}",
                    self.name(agent),
                    if timed_out { " (time)" } else { "" }
                )
            }
        }
    }

    fn explain(&mut self, call: &str) {
        let id = self.id(call);
        let Some(explain) = self.router.explain(id, self.now) else {
            return self.tell(&format!("{call}: nothing known"));
        };
        let mut text = format!("{call} explained:");
        for step in &explain.steps {
            write!(text, " [{}]", step.what).unwrap();
        }
        for d in &explain.decisions {
            let name = self.name(d.chosen.agent);
            write!(
                text,
                " {{{name} of {}: {} -> {:?}}}",
                d.eligible, d.because, d.ended
            )
            .unwrap();
        }
        for not in &explain.not_taken_by {
            write!(text, " {}x{:?}", not.agents, not.reason).unwrap();
        }
        self.tell(&text);
    }
}

/// Plays a script, one step per line or `;`, and compares what was told.
#[track_caller]
fn check(script: &str, told: Expect) {
    told.assert_eq(&play(script).told);
}

fn play(script: &str) -> World {
    let mut world = World::new();
    for line in script.split(['\n', ';']).map(str::trim) {
        if !line.is_empty() && !line.starts_with('#') {
            world.step(line);
        }
    }
    world
}

const ONE: &str = "queue q wrap=30; agent anna q; configure; anna phone; anna available;";
const TWO: &str = "queue q; agent anna q; agent ben q; configure;
    anna phone; anna available; wait 1; ben phone; ben available;";

#[test]
fn a_call_is_offered_answered_and_wrapped_up() {
    check(
        &format!("{ONE} wait 5; call A q; wait 3; accept A; wait 60; anna ends A wrap; wait 40"),
        expect![[r#"
            0.0 anna presence Available
            5.0 A waits in q, place 1, about 0 s
            5.0 A rings anna for 20 s: longest idle (5 s) of 1 able; waited 0.0 s
            5.0 anna is Offered with A
            8.0 A at anna: Accepted
            8.0 A left q: Answered after 3 s
            8.0 anna is Interacting with A
            68.0 anna wraps up for 30 s
            68.0 anna is WrapUp with A
            98.0 anna wrapped up (time)
            98.0 anna is Idle
        "#]],
    );
}

#[test]
fn a_freed_agent_takes_the_longest_waiting() {
    check(
        &format!(
            "{ONE} call A q; accept A; call B q; wait 1; call C q; anna ends A wrap; wait 10; anna finish; explain C"
        ),
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about 0 s
            0.0 A rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with A
            0.0 A at anna: Accepted
            0.0 A left q: Answered after 0 s
            0.0 anna is Interacting with A
            0.0 B waits in q, place 1, about 180 s
            1.0 C waits in q, place 2, about 318 s
            1.0 anna wraps up for 30 s
            1.0 anna is WrapUp with A
            11.0 anna wrapped up
            11.0 B rings anna for 20 s: became free; this one is first of those the agent can take; waited 11.0 s
            11.0 anna is Offered with B
            11.0 C explained: 1xOffered
        "#]],
    );
}

#[test]
fn no_answer_demotes_and_the_caller_keeps_the_place() {
    check(
        &format!(
            "{TWO} call A q; wait 1; call B q; wait 21; call C q; anna available; wait 1; accept A"
        ),
        expect![[r#"
            0.0 anna presence Available
            1.0 ben presence Available
            1.0 A waits in q, place 1, about 0 s
            1.0 A rings anna for 20 s: longest idle (1 s) of 2 able; waited 0.0 s
            1.0 anna is Offered with A
            2.0 B waits in q, place 2, about 0 s
            2.0 B rings ben for 20 s: longest idle (1 s) of 1 able; waited 0.0 s
            2.0 ben is Offered with B
            21.0 A at anna: TimedOut
            21.0 anna is NotResponding
            22.0 B at ben: TimedOut
            22.0 ben is NotResponding
            23.0 C waits in q, place 3, about ?
            23.0 B rings anna for 20 s: became free; this one is first of those the agent can take; waited 21.0 s
            23.0 anna is Offered with B
            24.0 ! accept A: offer_gone (the offer has ended)
        "#]],
    );
}

#[test]
fn without_demotion_the_agent_stays_and_the_caller_goes_round() {
    check(
        "queue q demote=no ring=10; agent anna q; configure; anna phone; anna available;
         call A q; wait 15; explain A; wait 30",
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about 0 s
            0.0 A rings anna for 10 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with A
            10.0 A at anna: TimedOut
            10.0 anna is Idle
            15.0 A explained: {anna of 1: longest idle (0 s) of 1 able; waited 0.0 s -> Some(TimedOut)} 1xAvoidedByTicket
            40.0 A rings anna for 10 s: longest idle (30 s) of 1 able; waited 40.0 s
            40.0 anna is Offered with A
        "#]],
    );
}

#[test]
fn a_rejecting_agent_is_avoided_for_a_while() {
    check(
        &format!(
            "{ONE} call A q; reject A; call B q; wait 1; accept B; anna ends B; wait 28; explain A; wait 2"
        ),
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about 0 s
            0.0 A rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with A
            0.0 A at anna: Rejected
            0.0 anna is Idle
            0.0 B waits in q, place 2, about 0 s
            0.0 B rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with B
            1.0 B at anna: Accepted
            1.0 B left q: Answered after 1 s
            1.0 anna is Interacting with B
            1.0 anna is Idle
            29.0 A explained: {anna of 1: longest idle (0 s) of 1 able; waited 0.0 s -> Some(Rejected)} 1xAvoidedByTicket
            30.0 A rings anna for 20 s: longest idle (29 s) of 1 able; waited 30.0 s
            30.0 anna is Offered with A
        "#]],
    );
}

#[test]
fn an_ended_offer_cannot_be_accepted() {
    check(
        &format!("{TWO} call A q; wait 20; wait 1; hangup A; accept A; reject A; unreachable A"),
        expect![[r#"
            0.0 anna presence Available
            1.0 ben presence Available
            1.0 A waits in q, place 1, about 0 s
            1.0 A rings anna for 20 s: longest idle (1 s) of 2 able; waited 0.0 s
            1.0 anna is Offered with A
            21.0 A at anna: TimedOut
            21.0 A rings ben for 20 s: longest idle (20 s) of 1 able; waited 20.0 s
            21.0 ben is Offered with A
            21.0 anna is NotResponding
            22.0 A at ben: Cancelled
            22.0 A left q: Abandoned after 21 s
            22.0 ben is Idle
            22.0 ! accept A: offer_gone (the offer has ended)
            22.0 ! reject A: offer_gone (the offer has ended)
            22.0 ! unreachable A: offer_gone (the offer has ended)
        "#]],
    );
}

#[test]
fn hanging_up_while_ringing_leaves_the_agent_first() {
    check(
        &format!("{TWO} wait 5; call A q; wait 2; hangup A; call B q"),
        expect![[r#"
                  0.0 anna presence Available
                  1.0 ben presence Available
                  6.0 A waits in q, place 1, about 0 s
                  6.0 A rings anna for 20 s: longest idle (6 s) of 2 able; waited 0.0 s
                  6.0 anna is Offered with A
                  8.0 A at anna: Cancelled
                  8.0 A left q: Abandoned after 2 s
                  8.0 anna is Idle
                  8.0 B waits in q, place 1, about 0 s
                  8.0 B rings anna for 20 s: longest idle (8 s) of 2 able; waited 0.0 s
                  8.0 anna is Offered with B
        "#]],
    );
}

#[test]
fn a_phone_that_cannot_be_reached_rests_longer_each_time() {
    check(
        &format!(
            "{ONE} call A q; call B q; call C q; call D q; unreachable A; wait 5; unreachable B; wait 10; unreachable C; wait 60; anna available"
        ),
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about 0 s
            0.0 A rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with A
            0.0 B waits in q, place 2, about 318 s
            0.0 C waits in q, place 3, about 430 s
            0.0 D waits in q, place 4, about 525 s
            0.0 A at anna: Rescinded
            0.0 anna is Idle
            5.0 B rings anna for 20 s: became free; this one is first of those the agent can take; waited 5.0 s
            5.0 anna is Offered with B
            5.0 B at anna: Rescinded
            5.0 anna is Idle
            15.0 C rings anna for 20 s: became free; this one is first of those the agent can take; waited 15.0 s
            15.0 anna is Offered with C
            15.0 C at anna: Rescinded
            15.0 anna is NotResponding
            75.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 75.0 s
            75.0 anna is Offered with A
        "#]],
    );
}

#[test]
fn connecting_fails_after_the_accept() {
    check(
        &format!(
            "{ONE} call A q; wait 2; accept A; wait 1; call B q; anna failed A; wait 6; explain A"
        ),
        expect![[r#"
                  0.0 anna presence Available
                  0.0 A waits in q, place 1, about 0 s
                  0.0 A rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
                  0.0 anna is Offered with A
                  2.0 A at anna: Accepted
                  2.0 A left q: Answered after 2 s
                  2.0 anna is Interacting with A
                  3.0 B waits in q, place 1, about 180 s
                  3.0 A waits in q, place 1, about 180 s
                  3.0 anna is Idle
                  8.0 B rings anna for 20 s: became free; this one is first of those the agent can take; waited 5.0 s
                  8.0 anna is Offered with B
                  9.0 A explained: [connecting failed, back in its place] {anna of 1: longest idle (0 s) of 1 able; waited 0.0 s -> Some(Accepted)} 1xOffered
        "#]],
    );
}

#[test]
fn leases_decide_who_can_be_reached() {
    check(
        "queue q; agent anna q; configure; anna available; call A q; wait 5; anna desktop; anna phone for 60; wait 1;
         anna phone gone; wait 5; anna phone for 60; wait 9; anna desktop; accept A; anna ends A; wait 20; anna phone; wait 40; anna desktop; wait 1;
         anna desktop lost; call B q; wait 10; anna desktop; reject B; anna desktop off",
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about ?
            5.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 5.0 s
            5.0 anna is Offered with A
            6.0 anna lost the phone
            6.0 A at anna: Rescinded
            6.0 anna is Idle
            11.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 11.0 s
            11.0 anna is Offered with A
            20.0 A at anna: Accepted
            20.0 A left q: Answered after 20 s
            20.0 anna is Interacting with A
            20.0 anna is Idle
            65.0 anna lost the desktop
            65.0 anna is NotResponding
            80.0 anna is Idle
            81.0 B waits in q, place 1, about 134 s
            91.0 B rings anna for 20 s: became free; this one is first of those the agent can take; waited 10.0 s
            91.0 anna is Offered with B
            91.0 B at anna: Rejected
            91.0 anna is Idle
            91.0 anna presence Offline by itself
        "#]],
    );
}

/// A push makes nobody available, but who is available stays so with the page closed.
#[test]
fn whom_a_push_reaches_is_offered_work_without_a_page() {
    check(
        "queue q; agent anna q; configure; anna push; call A q; wait 1; anna desktop; anna phone; anna available; accept A; anna ends A;
         anna phone off; anna desktop closed; wait 1; call B q; wait 2; anna phone; anna phone gone; wait 1; accept B; anna ends B;
         call C q; anna push gone; wait 1; anna push; wait 1; reject C; anna desktop; anna desktop off",
        expect![[r#"
            0.0 A waits in q, place 1, about ?
            1.0 anna presence Available
            1.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 1.0 s
            1.0 anna is Offered with A
            1.0 A at anna: Accepted
            1.0 A left q: Answered after 1 s
            1.0 anna is Interacting with A
            1.0 anna is Idle
            2.0 B waits in q, place 1, about 0 s
            2.0 B rings anna for 20 s: longest idle (1 s) of 1 able; waited 0.0 s
            2.0 anna is Offered with B
            4.0 anna lost the phone
            5.0 B at anna: Accepted
            5.0 B left q: Answered after 3 s
            5.0 anna is Interacting with B
            5.0 anna is Idle
            5.0 C waits in q, place 1, about 0 s
            5.0 C rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            5.0 anna is Offered with C
            5.0 C at anna: Rescinded
            5.0 anna is Idle
            6.0 C rings anna for 20 s: became free; this one is first of those the agent can take; waited 1.0 s
            6.0 anna is Offered with C
            7.0 C at anna: Rejected
            7.0 anna is Idle
            7.0 anna presence Offline by itself
        "#]],
    );
}

#[test]
fn a_hot_desk_follows_its_phone() {
    check(
        "queue q; agent anna q hot; configure; call A q; anna phone for 30; wait 1; accept A; wait 40; anna ends A; anna phone; anna break; anna phone; anna phone off",
        expect![[r#"
            0.0 A waits in q, place 1, about ?
            0.0 anna presence Available by itself
            0.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 0.0 s
            0.0 anna is Offered with A
            1.0 A at anna: Accepted
            1.0 A left q: Answered after 1 s
            1.0 anna is Interacting with A
            30.0 anna lost the phone
            30.0 anna presence Offline by itself
            41.0 anna is Idle
            41.0 anna presence Available by itself
            41.0 anna presence Break
            41.0 anna presence Offline by itself
        "#]],
    );
}

#[test]
fn a_full_or_unstaffed_queue_refuses() {
    check(
        "queue o; queue q max=2 overflow=o; queue s staffed; agent anna s q; configure; call A q; call B q; call C q; call A q;
         call D s; anna phone; anna break; call E s; call F nowhere",
        expect![[r#"
                  0.0 A waits in q, place 1, about ?
                  0.0 B waits in q, place 2, about ?
                  0.0 C refused: queue_full, overflow
                  0.0 A refused: conflict
                  0.0 D refused: no_agent
                  0.0 anna presence Break
                  0.0 E waits in s, place 1, about ?
                  0.0 F refused: not_found
        "#]],
    );
}

#[test]
fn the_longest_wait_ends_in_overflow_but_not_while_ringing() {
    check(
        "queue o; queue q wait=30 overflow=o ring=20; agent anna q; configure; call A q; wait 25; anna phone; anna available;
         wait 10; call B q; wait 40",
        expect![[r#"
            0.0 A waits in q, place 1, about ?
            25.0 anna presence Available
            25.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 25.0 s
            25.0 anna is Offered with A
            35.0 B waits in q, place 2, about 318 s
            45.0 A at anna: TimedOut
            45.0 A overflows to o: TimedOut after 45 s
            45.0 anna is NotResponding
            65.0 B overflows to o: TimedOut after 30 s
        "#]],
    );
}

#[test]
fn skills_and_levels_decide_who_is_able() {
    check(
        "queue q skills=de:5 relax=20:lower=2 relax=40:drop=de relax=60:widen=r; queue r;
         agent anna q skills=de:4; agent ben q; agent cleo r; configure; anna phone; anna available; ben phone; ben available; cleo phone; cleo available;
         call A q; explain A; call B q; call C q skills=fr; wait 19; explain C; wait 1; wait 45; explain C",
        expect![[r#"
            0.0 anna presence Available
            0.0 ben presence Available
            0.0 cleo presence Available
            0.0 A waits in q, place 1, about 90 s
            0.0 A explained: 1xNotInQueue 1xMissingSkill 1xLevelTooLow
            0.0 B waits in q, place 2, about 168 s
            0.0 C waits in q, place 3, about 237 s
            19.0 C explained: 1xNotInQueue 1xMissingSkill 1xLevelTooLow
            20.0 A rings anna for 20 s: longest idle (20 s) of 1 able; waited 20.0 s
            20.0 anna is Offered with A
            40.0 A at anna: TimedOut
            40.0 A rings ben for 20 s: longest idle (40 s) of 1 able; waited 40.0 s
            40.0 ben is Offered with A
            40.0 anna is NotResponding
            60.0 A at ben: TimedOut
            60.0 A rings cleo for 20 s: longest idle (60 s) of 1 able; waited 60.0 s
            60.0 cleo is Offered with A
            60.0 ben is NotResponding
            65.0 C explained: [relaxed to step 1] [relaxed to step 2] [relaxed to step 3] 3xMissingSkill
        "#]],
    );
}

#[test]
fn priority_is_a_head_start_and_within_it_the_first_come() {
    check(
        "queue q; queue vip prio=1; agent anna q vip; configure; call A q; wait 100; call B vip; call C vip; call D q prio=-1; wait 250; call E vip;
         priority D 5; anna phone; anna available; accept D; anna ends D; accept B; anna ends B; accept C; anna ends C; accept A; anna ends A",
        expect![[r#"
            0.0 A waits in q, place 1, about ?
            100.0 B waits in vip, place 1, about ?
            100.0 C waits in vip, place 2, about ?
            100.0 D waits in q, place 2, about ?
            350.0 E waits in vip, place 3, about ?
            350.0 anna presence Available
            350.0 D rings anna for 20 s: became free; this one is first of those the agent can take; waited 250.0 s
            350.0 anna is Offered with D
            350.0 D at anna: Accepted
            350.0 D left q: Answered after 250 s
            350.0 anna is Interacting with D
            350.0 B rings anna for 20 s: became free; this one is first of those the agent can take; waited 250.0 s
            350.0 anna is Offered with B
            350.0 B at anna: Accepted
            350.0 B left vip: Answered after 250 s
            350.0 anna is Interacting with B
            350.0 C rings anna for 20 s: became free; this one is first of those the agent can take; waited 250.0 s
            350.0 anna is Offered with C
            350.0 C at anna: Accepted
            350.0 C left vip: Answered after 250 s
            350.0 anna is Interacting with C
            350.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 350.0 s
            350.0 anna is Offered with A
            350.0 A at anna: Accepted
            350.0 A left q: Answered after 350 s
            350.0 anna is Interacting with A
            350.0 E rings anna for 20 s: became free; this one is first of those the agent can take; waited 0.0 s
            350.0 anna is Offered with E
        "#]],
    );
}

#[test]
fn moving_keeps_the_time_of_arrival() {
    check(
        "queue q; queue r; agent anna r; configure; call A q; wait 5; call B r; wait 5; move A r; explain A; anna phone; anna available; move A nowhere; move X r",
        expect![[r#"
            0.0 A waits in q, place 1, about ?
            5.0 B waits in r, place 1, about ?
            10.0 A left q: Transferred after 10 s
            10.0 A waits in r, place 1, about ?
            10.0 A explained: [moved from que_00000000000000000000000001 to que_00000000000000000000000002] 1xOffline
            10.0 anna presence Available
            10.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 0.0 s
            10.0 anna is Offered with A
            10.0 ! move A nowhere: not_found (no such queue)
            10.0 ! move X r: conflict (the interaction does not wait in a queue)
        "#]],
    );
}

#[test]
fn selection_rules_pick_as_they_say() {
    let crew = |rule| {
        format!(
            "queue q rule={rule}; queue z; agent expert q z skills=de:9,en:9; agent plain q skills=de:2; agent busy q skills=de:5,fr; configure;
             busy phone; busy available; busy direct X; wait 600; busy ends X; wait 1; expert phone; expert available; wait 1; plain phone; plain available; wait 1;
             call A q; reject A"
        )
    };
    let rings = |rule| {
        let told = play(&crew(rule)).told;
        told.lines()
            .filter_map(|l| {
                l.split_once(" A rings ")
                    .map(|(_, r)| r.split(' ').next().unwrap().to_owned())
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(rings("longest_idle"), "busy expert");
    assert_eq!(rings("least_occupied"), "expert plain");
    assert_eq!(rings("least_flexible"), "plain busy");
    assert_eq!(rings("best_score"), "expert busy");
    assert_eq!(rings("round_robin"), "expert plain");
}

#[test]
fn a_preferred_agent_goes_first_when_there() {
    check(
        &format!("{TWO} wait 10; call A q prefers=ben; call B q prefers=ben"),
        expect![[r#"
            0.0 anna presence Available
            1.0 ben presence Available
            11.0 A waits in q, place 1, about 0 s
            11.0 A rings ben for 20 s: preferred agent, idle 10 s; waited 0.0 s
            11.0 ben is Offered with A
            11.0 B waits in q, place 2, about 0 s
            11.0 B rings anna for 20 s: longest idle (11 s) of 1 able; waited 0.0 s
            11.0 anna is Offered with B
        "#]],
    );
}

#[test]
fn direct_calls_occupy_and_wrap_up_waits_for_them() {
    check(
        &format!(
            "{ONE} call A q; anna direct X; wait 1; anna ends X; wait 31; accept A; anna ends A wrap; anna direct Y; wait 10; anna ends Y; anna extend 60; anna extend 9999; wait 79; wait 1; anna finish; anna ends Q"
        ),
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about 0 s
            0.0 A rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with A
            0.0 A at anna: Rescinded
            0.0 anna is Interacting with X
            1.0 A rings anna for 20 s: became free; this one is first of those the agent can take; waited 1.0 s
            1.0 anna is Offered with A
            21.0 A at anna: TimedOut
            21.0 anna is NotResponding
            32.0 ! accept A: offer_gone (the offer has ended)
            32.0 ! anna ends A wrap: agent_state (the agent has no such work)
            32.0 anna is Interacting with Y
            42.0 anna is NotResponding
            42.0 ! anna extend 60: agent_state (the agent is not in wrap-up)
            42.0 ! anna extend 9999: agent_state (the agent is not in wrap-up)
            122.0 ! anna finish: agent_state (the agent is not in wrap-up)
            122.0 ! anna ends Q: agent_state (the agent has no such work)
        "#]],
    );
}

#[test]
fn going_away_while_ringing_declines() {
    check(
        &format!(
            "{TWO} call A q; anna break; wait 1; accept A; ben break; ben ends A; call B q; explain B"
        ),
        expect![[r#"
            0.0 anna presence Available
            1.0 ben presence Available
            1.0 A waits in q, place 1, about 0 s
            1.0 A rings anna for 20 s: longest idle (1 s) of 2 able; waited 0.0 s
            1.0 anna is Offered with A
            1.0 anna presence Break
            1.0 A at anna: Rejected
            1.0 A rings ben for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            1.0 ben is Offered with A
            1.0 anna is Idle
            2.0 A at ben: Accepted
            2.0 A left q: Answered after 1 s
            2.0 ben is Interacting with A
            2.0 ben will be Some(Break)
            2.0 ben presence Break
            2.0 ben is Idle
            2.0 B waits in q, place 1, about ?
            2.0 B explained: 2xAway
        "#]],
    );
}

#[test]
fn callers_hear_place_and_wait_in_steps() {
    check(
        "queue q announce=30; agent anna q; configure; anna phone; anna available; call A q; accept A; call B q; call C q; wait 31; hangup B; wait 30; hangup C; wait 60",
        expect![[r#"
            0.0 anna presence Available
            0.0 A waits in q, place 1, about 0 s
            0.0 A rings anna for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
            0.0 anna is Offered with A
            0.0 A at anna: Accepted
            0.0 A left q: Answered after 0 s
            0.0 anna is Interacting with A
            0.0 B waits in q, place 1, about 180 s
            0.0 C waits in q, place 2, about 318 s
            30.0 B hears: place 1, about 180 s
            30.0 C hears: place 2, about 300 s
            31.0 B left q: Abandoned after 31 s
            60.0 C hears: place 1, about 180 s
            61.0 C left q: Abandoned after 61 s
        "#]],
    );
}

#[test]
fn a_changed_configuration_moves_what_waits_and_keeps_who_works() {
    check(
        &format!("{TWO} call A q; accept A; call B q; call C q skills=fr; queue r; agent ben r skills=fr; configure; agent ben q r skills=fr; configure;
          drop agent anna; anna ends A wrap; anna available; drop queue q; ben available"),
        expect![[r#"
                  0.0 anna presence Available
                  1.0 ben presence Available
                  1.0 A waits in q, place 1, about 0 s
                  1.0 A rings anna for 20 s: longest idle (1 s) of 2 able; waited 0.0 s
                  1.0 anna is Offered with A
                  1.0 A at anna: Accepted
                  1.0 A left q: Answered after 0 s
                  1.0 anna is Interacting with A
                  1.0 B waits in q, place 1, about 0 s
                  1.0 B rings ben for 20 s: longest idle (0 s) of 1 able; waited 0.0 s
                  1.0 ben is Offered with B
                  1.0 C waits in q, place 2, about 168 s
                  1.0 anna is Idle
                  1.0 ! anna available: not_found (no such agent)
                  1.0 B at ben: Cancelled
                  1.0 B overflows to nowhere: Released after 0 s
                  1.0 ben is Idle
                  1.0 C overflows to nowhere: Released after 0 s
        "#]],
    );
}

#[test]
fn refusals_have_codes() {
    let mut world = play(ONE);
    let ticket = Ticket {
        interaction: InteractionId::from_u128(1),
        tenant: TenantId::from_u128(1),
        queue: world.id("q"),
        priority: i32::MAX,
        skills: SmallVec::new(),
        since: Timestamp::FAR,
        preferred_agent: None,
    };
    // Another tenant's queue is as unknown as one that does not exist.
    world
        .router
        .handle(world.now, RouterInput::Enqueue(ticket.clone()))
        .unwrap();
    assert!(matches!(
        world.router.poll(),
        Some(RouterOutput::Refused {
            code: Code::NotFound,
            ..
        })
    ));
    assert_eq!(world.router.poll(), None);
    // Extreme values stay within bounds.
    let own = Ticket {
        tenant: World::tenant(),
        ..ticket
    };
    world
        .router
        .handle(world.now, RouterInput::Enqueue(own))
        .unwrap();
    world.drain();
    assert!(world.told.contains("rings anna"), "{}", world.told);
}

#[test]
fn too_many_different_wishes_go_by_the_queue_alone() {
    let mut world = play("queue q; agent anna q; configure; anna phone");
    let max = crate::classes::TASK_CLASSES_MAX as u128;
    let (queue, start) = (world.id("q"), world.start);
    let call = |n: u128| Ticket {
        interaction: InteractionId::from_u128(10_000 + n),
        tenant: World::tenant(),
        queue,
        priority: 0,
        skills: SmallVec::from_vec(vec![SkillLevel {
            skill: SkillId::from_u128(10_000 + n),
            level: 1,
        }]),
        since: start,
        preferred_agent: None,
    };
    let mut config = RouterConfig {
        waiting_max_per_queue: 20_000,
        ..RouterConfig::default()
    };
    config.seed = [1; 32];
    let mut router = Router::new(config);
    std::mem::swap(&mut router, &mut world.router);
    world.step("configure");
    world.step("anna phone");
    for n in 0..=max {
        let ticket = call(n);
        world
            .router
            .handle(world.now, RouterInput::Enqueue(ticket))
            .unwrap();
        while world.router.poll().is_some() {}
    }
    // Nobody has the wishes of the first, and there is no room for those of the last.
    world.step("anna available");
    let last = InteractionId::from_u128(10_000 + max);
    assert!(world.router.offer_of(last).is_some());
    let explain = world.router.explain(last, world.now).unwrap();
    assert!(explain.steps[0].what.contains("too many different wishes"));
    // Classes nobody waits in are reused.
    let exit = QueueExit::Abandoned;
    for n in 0..=max {
        let interaction = InteractionId::from_u128(10_000 + n);
        world
            .router
            .handle(world.now, RouterInput::Remove { interaction, exit })
            .unwrap();
        while world.router.poll().is_some() {}
    }
    for n in 0..2 * max {
        let (ticket, interaction) = (call(50_000 + n), InteractionId::from_u128(60_000 + n));
        world
            .router
            .handle(world.now, RouterInput::Enqueue(ticket))
            .unwrap();
        while world.router.poll().is_some() {}
        assert!(
            world
                .router
                .explain(interaction, world.now)
                .unwrap()
                .steps
                .is_empty()
        );
        world
            .router
            .handle(world.now, RouterInput::Remove { interaction, exit })
            .unwrap();
        while world.router.poll().is_some() {}
    }
}
