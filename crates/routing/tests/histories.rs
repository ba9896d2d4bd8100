//! Random histories against a naive model: what may never happen, whatever the order of events.
#![allow(clippy::unwrap_used)]

use cp_routing::*;
use cp_vocab::event::{OfferEnd, QueueExit};
use cp_vocab::id::*;
use cp_vocab::model::*;
use cp_vocab::{Code, Timestamp};
use proptest::prelude::*;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const AGENTS: u8 = 6;
const QUEUES: u8 = 4;
const SKILLS: u8 = 3;

#[derive(Clone, Debug)]
enum Op {
    Call {
        queue: u8,
        priority: i8,
        skill: Option<(u8, u8)>,
        prefers: Option<u8>,
    },
    Presence {
        agent: u8,
        presence: u8,
    },
    Phone {
        agent: u8,
        for_s: Option<u8>,
    },
    PhoneGone {
        agent: u8,
    },
    Desktop {
        agent: u8,
    },
    DesktopEnds {
        agent: u8,
        lost: bool,
    },
    Answer {
        pick: u8,
        how: u8,
    },
    StaleAnswer {
        pick: u8,
    },
    Leave {
        pick: u8,
        exit: bool,
    },
    Move {
        pick: u8,
        queue: u8,
    },
    Priority {
        pick: u8,
        priority: i8,
    },
    WorkEnds {
        agent: u8,
        wrap_up: bool,
        failed: bool,
    },
    FinishWrapUp {
        agent: u8,
    },
    Direct {
        agent: u8,
    },
    Reconfigure {
        agent: u8,
        queues: u8,
        skill: u8,
        level: u8,
    },
    RemoveAgent {
        agent: u8,
    },
    ChangeQueue {
        queue: u8,
        rule: u8,
        level: u8,
        present: bool,
    },
    Wait {
        ms: u32,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let (a, q) = (0..AGENTS, 0..QUEUES);
    let wish = proptest::option::weighted(0.3, (0..SKILLS, 1u8..6));
    prop_oneof![
        6 => (q.clone(), -1i8..2, wish, proptest::option::weighted(0.2, a.clone()))
            .prop_map(|(queue, priority, skill, prefers)| Op::Call { queue, priority, skill, prefers }),
        4 => (a.clone(), 0u8..4).prop_map(|(agent, presence)| Op::Presence { agent, presence }),
        3 => (a.clone(), proptest::option::of(1u8..90)).prop_map(|(agent, for_s)| Op::Phone { agent, for_s }),
        1 => a.clone().prop_map(|agent| Op::PhoneGone { agent }),
        1 => a.clone().prop_map(|agent| Op::Desktop { agent }),
        1 => (a.clone(), any::<bool>()).prop_map(|(agent, lost)| Op::DesktopEnds { agent, lost }),
        6 => (any::<u8>(), 0u8..6).prop_map(|(pick, how)| Op::Answer { pick, how }),
        1 => any::<u8>().prop_map(|pick| Op::StaleAnswer { pick }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(pick, exit)| Op::Leave { pick, exit }),
        1 => (any::<u8>(), q.clone()).prop_map(|(pick, queue)| Op::Move { pick, queue }),
        1 => (any::<u8>(), -2i8..3).prop_map(|(pick, priority)| Op::Priority { pick, priority }),
        5 => (a.clone(), any::<bool>(), proptest::bool::weighted(0.15))
            .prop_map(|(agent, wrap_up, failed)| Op::WorkEnds { agent, wrap_up, failed }),
        1 => a.clone().prop_map(|agent| Op::FinishWrapUp { agent }),
        1 => a.clone().prop_map(|agent| Op::Direct { agent }),
        1 => (a.clone(), any::<u8>(), 0..SKILLS, 0u8..6)
            .prop_map(|(agent, queues, skill, level)| Op::Reconfigure { agent, queues, skill, level }),
        1 => a.prop_map(|agent| Op::RemoveAgent { agent }),
        1 => (q, 0u8..5, 0u8..6, proptest::bool::weighted(0.8))
            .prop_map(|(queue, rule, level, present)| Op::ChangeQueue { queue, rule, level, present }),
        4 => (0u32..40_000).prop_map(|ms| Op::Wait { ms }),
    ]
}

fn agent_id(n: u8) -> AgentId {
    AgentId::from_u128(100 + u128::from(n))
}
fn queue_id(n: u8) -> QueueId {
    QueueId::from_u128(200 + u128::from(n))
}
fn skill_id(n: u8) -> SkillId {
    SkillId::from_u128(300 + u128::from(n))
}
fn tenant() -> TenantId {
    TenantId::from_u128(1)
}

/// What the model remembers of a waiting interaction.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: Ticket,
    entered: Timestamp,
    seq: u64,
    offer: Option<(OfferId, AgentId)>,
    avoid: BTreeMap<AgentId, Timestamp>,
}

struct World {
    router: Router,
    now: Timestamp,
    agents: BTreeMap<AgentId, Agent>,
    queues: BTreeMap<QueueId, Queue>,
    waiting: BTreeMap<InteractionId, Waiting>,
    /// Agents and the work they hold, offers and tickets included in `waiting`.
    working: BTreeMap<AgentId, Vec<InteractionId>>,
    taken: BTreeMap<InteractionId, (AgentId, Waiting)>,
    ended_offers: Vec<OfferId>,
    made: u64,
    /// Every interaction let in reaches one of these exactly once.
    ends: BTreeMap<InteractionId, u32>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            router: Router::new(RouterConfig::default()),
            now: Timestamp::from_secs(1_700_000_000),
            agents: BTreeMap::new(),
            queues: BTreeMap::new(),
            waiting: BTreeMap::new(),
            working: BTreeMap::new(),
            taken: BTreeMap::new(),
            ended_offers: vec![],
            made: 0,
            ends: BTreeMap::new(),
        };
        for n in 0..QUEUES {
            world.put_queue(n, n, n % 3);
        }
        for n in 0..AGENTS {
            world.put_agent(n, n.wrapping_mul(37) | 1, n % SKILLS, n);
        }
        world.configure();
        world
    }

    fn put_queue(&mut self, n: u8, rule: u8, level: u8) {
        use SelectionRule::*;
        let mut queue = Queue::with_defaults(queue_id(n), tenant(), format!("q{n}"));
        queue.priority = i32::from(n == 3);
        queue.selection = [
            LongestIdle,
            LeastOccupied,
            LeastFlexible,
            BestScore,
            RoundRobin,
        ][usize::from(rule % 5)];
        queue.demote_on_no_answer = n.is_multiple_of(2);
        queue.wait_ms_max = if n == 1 { 90_000 } else { 0 };
        queue.waiting_max = if n == 2 { 3 } else { 0 };
        if level > 0 {
            let skill = skill_id(n % SKILLS);
            queue.skills = vec![SkillLevel { skill, level }];
            queue.relaxations = vec![
                Relaxation {
                    after_ms: 20_000,
                    drop_skills: vec![],
                    lower_levels_by: 2,
                    widen_to: vec![],
                },
                Relaxation {
                    after_ms: 45_000,
                    drop_skills: vec![skill],
                    lower_levels_by: 0,
                    widen_to: vec![queue_id((n + 1) % QUEUES)],
                },
            ];
        }
        self.queues.insert(queue.id, queue);
    }

    fn put_agent(&mut self, n: u8, queues: u8, skill: u8, level: u8) {
        let id = agent_id(n);
        let queues = (0..QUEUES).filter(|q| queues >> q & 1 == 1).map(queue_id);
        let agent = Agent {
            id,
            tenant: tenant(),
            user: None,
            name: format!("a{n}"),
            extension: String::new(),
            skills: vec![SkillLevel {
                skill: skill_id(skill),
                level,
            }],
            queues: queues.collect(),
            phone: None,
            available_when_registered: n == 5,
            wrap_up_ms: (n == 4).then_some(0),
        };
        self.agents.insert(id, agent);
    }

    fn configure(&mut self) {
        let agents = self.agents.values().cloned().collect();
        let queues = self.queues.values().cloned().collect();
        self.give(RouterInput::Configure { agents, queues })
            .unwrap();
    }

    fn give(&mut self, input: RouterInput) -> Result<(), RouteError> {
        let result = self.router.handle(self.now, input);
        self.drain();
        result
    }

    fn drain(&mut self) {
        while let Some(output) = self.router.poll() {
            self.watch(output);
        }
    }

    /// Checks each output against the model and follows it.
    fn watch(&mut self, output: RouterOutput) {
        match output {
            RouterOutput::Offer {
                offer,
                interaction,
                agent,
                deadline,
                explain,
                ..
            } => {
                assert!(deadline > self.now);
                let holds = self
                    .waiting
                    .values()
                    .filter(|w| w.offer.is_some_and(|(_, a)| a == agent));
                assert_eq!(holds.count(), 0, "one offer for an agent");
                assert!(
                    self.working.get(&agent).is_none_or(Vec::is_empty),
                    "an agent at work is left alone"
                );
                let ticket = self
                    .waiting
                    .get_mut(&interaction)
                    .expect("only who waits is offered");
                assert!(ticket.offer.is_none(), "one offer for a ticket");
                ticket.offer = Some((offer, agent));
                if explain.starts_with("became free") {
                    self.first_of_those_able(interaction, agent);
                }
            }
            RouterOutput::OfferEnded {
                offer,
                interaction,
                agent,
                how,
            } => {
                let ticket = self.waiting.get_mut(&interaction).unwrap();
                assert_eq!(
                    ticket.offer.take(),
                    Some((offer, agent)),
                    "the live offer ends"
                );
                if !matches!(how, OfferEnd::Accepted | OfferEnd::Cancelled) {
                    let until = self.now + Duration::from_millis(self.router.config().avoid_ms);
                    ticket.avoid.insert(agent, until);
                }
                self.ended_offers.push(offer);
            }
            RouterOutput::Left {
                interaction,
                exit,
                waited_ms,
                ..
            } => {
                let gone = self.waiting.remove(&interaction).expect("waited");
                assert!(gone.offer.is_none(), "offers end before the wait");
                assert_eq!(
                    u128::from(waited_ms),
                    self.now.since(gone.entered).as_millis()
                );
                match exit {
                    QueueExit::Answered => {}
                    QueueExit::Transferred => {
                        // Comes back by `Queued` at once.
                        self.taken
                            .insert(interaction, (AgentId::from_u128(0), gone));
                    }
                    _ => *self.ends.entry(interaction).or_default() += 1,
                }
            }
            RouterOutput::Overflow {
                interaction, why, ..
            } => {
                let gone = self.waiting.remove(&interaction).expect("waited");
                assert!(gone.offer.is_none());
                assert!(matches!(why, QueueExit::TimedOut | QueueExit::Released));
                *self.ends.entry(interaction).or_default() += 1;
            }
            RouterOutput::Queued {
                interaction,
                queue,
                position,
                ..
            } => {
                if let Some((from, mut back)) = self.taken.remove(&interaction) {
                    // Moved, not back from a failed accept.
                    if from.as_u128() == 0 {
                        back.avoid.clear();
                        back.entered = self.now;
                    }
                    back.ticket.queue = queue;
                    back.offer = None;
                    self.waiting.insert(interaction, back);
                }
                let ahead = self.ahead(interaction);
                assert_eq!(position as usize, ahead + 1);
            }
            _ => {}
        }
    }

    fn key(&self, ticket: &Waiting) -> (i64, u64) {
        let queue = &self.queues[&ticket.ticket.queue];
        let steps = i64::from(queue.priority + ticket.ticket.priority);
        let boost = self.router.config().priority_boost_ms as i64 * 1_000;
        (ticket.ticket.since.0 as i64 - steps * boost, ticket.seq)
    }

    fn ahead(&self, interaction: InteractionId) -> usize {
        let me = &self.waiting[&interaction];
        self.waiting
            .values()
            .filter(|w| w.ticket.queue == me.ticket.queue && self.key(w) < self.key(me))
            .count()
    }

    /// The naive form of "this agent may have this ticket now".
    fn able(&self, agent: AgentId, waiting: &Waiting, at: Timestamp) -> bool {
        let Some(agent) = self.agents.get(&agent) else {
            return false;
        };
        let queue = &self.queues[&waiting.ticket.queue];
        let mut wanted: BTreeMap<SkillId, u8> = BTreeMap::new();
        for s in queue.skills.iter().chain(&waiting.ticket.skills) {
            let have = wanted.entry(s.skill).or_default();
            *have = (*have).max(s.level);
        }
        let mut queues = BTreeSet::from([queue.id]);
        for r in &queue.relaxations {
            if waiting.entered + Duration::from_millis(r.after_ms) <= at {
                wanted.retain(|s, _| !r.drop_skills.contains(s));
                wanted
                    .values_mut()
                    .for_each(|l| *l = l.saturating_sub(r.lower_levels_by).max(1));
                queues.extend(r.widen_to.iter().filter(|q| self.queues.contains_key(q)));
            }
        }
        let level = |skill| {
            agent
                .skills
                .iter()
                .find(|s| s.skill == skill)
                .map_or(0, |s| s.level)
        };
        agent.queues.iter().any(|q| queues.contains(q))
            && wanted.iter().all(|(skill, want)| level(*skill) >= *want)
    }

    fn first_of_those_able(&self, interaction: InteractionId, agent: AgentId) {
        let chosen = &self.waiting[&interaction];
        for (other, waiting) in &self.waiting {
            let free = waiting.offer.is_none() && *other != interaction;
            let avoided = waiting.avoid.get(&agent).is_some_and(|t| *t >= self.now);
            // Who is relaxed in this very moment may come a step later.
            let before = Timestamp(self.now.0 - 1);
            let able = self.able(agent, waiting, before) && self.able(agent, waiting, self.now);
            if free && !avoided && able {
                assert!(
                    self.key(chosen) < self.key(waiting),
                    "first come, first served: {interaction} {:?} before {other} {:?} for {agent}",
                    self.key(chosen),
                    self.key(waiting)
                );
            }
        }
    }

    fn invariants(&self) {
        for agent in self.router.agents() {
            let view = self.router.agent_view(agent, self.now).unwrap();
            if !view.routable {
                continue;
            }
            assert_eq!(view.state, RoutingState::Idle);
            for (interaction, waiting) in &self.waiting {
                let avoided = waiting.avoid.get(&agent).is_some_and(|t| *t > self.now);
                assert!(
                    waiting.offer.is_some() || avoided || !self.able(agent, waiting, self.now),
                    "{agent} is idle while {interaction} waits"
                );
            }
        }
        let mut listed = BTreeMap::new();
        for queue in self.router.queues() {
            let order: Vec<_> = self.router.waiting(queue).collect();
            let stats = self.router.queue_stats(queue, self.now).unwrap();
            assert_eq!(stats.waiting as usize, order.len());
            let oldest = order
                .iter()
                .map(|(i, _)| self.waiting[i].ticket.since)
                .min();
            let longest = oldest.map_or(0, |t| self.now.since(t).as_millis());
            assert_eq!(u128::from(stats.longest_wait_ms), longest);
            for pair in order.windows(2) {
                let [a, b] = [&self.waiting[&pair[0].0], &self.waiting[&pair[1].0]];
                assert!(self.key(a) < self.key(b), "a queue is in order");
            }
            let members = self.agents.values().filter(|a| a.queues.contains(&queue));
            let c = stats.agents;
            assert_eq!(
                (c.signed_in() + c.offline) as usize,
                members.count(),
                "{c:?}"
            );
            listed.extend(order);
        }
        let ours = self.waiting.iter().map(|(i, w)| (*i, w.offer.is_some()));
        assert!(ours.eq(listed), "the router's books are ours");
        for (interaction, count) in &self.ends {
            assert_eq!(*count, 1, "{interaction} ends once");
        }
    }

    fn pick(&self, pick: u8) -> Option<InteractionId> {
        let n = self.waiting.len();
        (n > 0).then(|| *self.waiting.keys().nth(usize::from(pick) % n).unwrap())
    }

    fn call(&mut self, queue: u8, priority: i8, skill: Option<(u8, u8)>, prefers: Option<u8>) {
        self.made += 1;
        let ticket = Ticket {
            interaction: InteractionId::from_u128(u128::from(self.made)),
            tenant: tenant(),
            queue: queue_id(queue),
            priority: priority.into(),
            skills: skill
                .map(|(s, level)| SkillLevel {
                    skill: skill_id(s),
                    level,
                })
                .into_iter()
                .collect::<SmallVec<_>>(),
            since: self.now,
            preferred_agent: prefers.map(agent_id),
        };
        let refused = match self.queues.get(&ticket.queue) {
            None => Some(Code::NotFound),
            Some(q) => {
                let there = self
                    .waiting
                    .values()
                    .filter(|w| w.ticket.queue == q.id)
                    .count();
                (q.waiting_max > 0 && there >= q.waiting_max as usize).then_some(Code::QueueFull)
            }
        };
        if refused.is_none() {
            let waiting = Waiting {
                ticket: ticket.clone(),
                entered: self.now,
                seq: self.made,
                offer: None,
                avoid: BTreeMap::new(),
            };
            self.waiting.insert(ticket.interaction, waiting);
        }
        self.router
            .handle(self.now, RouterInput::Enqueue(ticket))
            .unwrap();
        if let Some(want) = refused {
            let got = self.router.poll();
            assert!(
                matches!(got, Some(RouterOutput::Refused { code, .. }) if code == want),
                "{got:?}"
            );
        }
        self.drain();
    }

    fn answer(&mut self, pick: u8, how: u8) {
        let offers: Vec<_> = self
            .waiting
            .iter()
            .filter_map(|(i, w)| Some((*i, w.offer?)))
            .collect();
        if offers.is_empty() {
            return;
        }
        let (interaction, (offer, agent)) = offers[usize::from(pick) % offers.len()];
        match how {
            0 => self.give(RouterInput::Rejected { offer }).unwrap(),
            1 => self.give(RouterInput::Unreachable { offer }).unwrap(),
            _ => {
                let kept = self.waiting[&interaction].clone();
                self.working.entry(agent).or_default().push(interaction);
                self.give(RouterInput::Accepted { offer }).unwrap();
                self.taken.insert(interaction, (agent, kept));
                assert_eq!(
                    self.give(RouterInput::Accepted { offer }),
                    Err(RouteError::OfferGone)
                );
            }
        }
    }

    fn work_ends(&mut self, agent: u8, wrap_up: bool, failed: bool) {
        let agent = agent_id(agent);
        let Some(interaction) = self.working.get_mut(&agent).and_then(Vec::pop) else {
            return;
        };
        let from_queue = self.taken.get(&interaction).cloned();
        if let (true, Some((_, kept))) = (failed, &from_queue) {
            let back_in = self.queues.contains_key(&kept.ticket.queue);
            if back_in {
                let until = self.now + Duration::from_millis(self.router.config().avoid_ms);
                self.taken
                    .get_mut(&interaction)
                    .unwrap()
                    .1
                    .avoid
                    .insert(agent, until);
            } else {
                self.waiting.insert(
                    interaction,
                    Waiting {
                        offer: None,
                        ..kept.clone()
                    },
                );
                self.taken.remove(&interaction);
            }
            self.give(RouterInput::AcceptFailed { agent, interaction })
                .unwrap();
            return;
        }
        self.taken.remove(&interaction);
        self.give(RouterInput::WorkEnded {
            agent,
            interaction,
            wrap_up,
        })
        .unwrap();
        if from_queue.is_some() {
            *self.ends.entry(interaction).or_default() += 1;
        }
    }

    fn wait(&mut self, ms: u32) {
        let until = self.now + Duration::from_millis(ms.into());
        while let Some(at) = self.router.next_timeout().filter(|at| *at <= until) {
            // A limit set by a new configuration may have passed already.
            self.now = at.max(self.now);
            self.router.handle_timeout(self.now);
            self.drain();
            self.invariants();
        }
        self.now = until;
    }

    fn step(&mut self, op: &Op) {
        match op.clone() {
            Op::Call {
                queue,
                priority,
                skill,
                prefers,
            } => self.call(queue, priority, skill, prefers),
            Op::Answer { pick, how } => self.answer(pick, how),
            Op::WorkEnds {
                agent,
                wrap_up,
                failed,
            } => self.work_ends(agent, wrap_up, failed),
            Op::Wait { ms } => self.wait(ms),
            Op::StaleAnswer { pick } => {
                let n = self.ended_offers.len();
                if n > 0 {
                    let offer = self.ended_offers[usize::from(pick) % n];
                    for input in [
                        RouterInput::Accepted { offer },
                        RouterInput::Rejected { offer },
                    ] {
                        assert_eq!(self.give(input), Err(RouteError::OfferGone));
                    }
                }
            }
            Op::Leave { pick, exit } => {
                let exit = if exit {
                    QueueExit::Abandoned
                } else {
                    QueueExit::Released
                };
                if let Some(interaction) = self.pick(pick) {
                    self.give(RouterInput::Remove { interaction, exit })
                        .unwrap();
                    assert_eq!(
                        self.give(RouterInput::Remove { interaction, exit }),
                        Err(RouteError::NotWaiting)
                    );
                }
            }
            Op::Move { pick, queue } => {
                if let Some(interaction) = self.pick(pick) {
                    let queue = queue_id(queue);
                    let _ = self.give(RouterInput::Requeue {
                        interaction,
                        queue,
                        since: None,
                    });
                }
            }
            Op::Priority { pick, priority } => {
                if let Some(interaction) = self.pick(pick) {
                    let priority = priority.into();
                    self.waiting.get_mut(&interaction).unwrap().ticket.priority = priority;
                    self.give(RouterInput::SetPriority {
                        interaction,
                        priority,
                    })
                    .unwrap();
                }
            }
            Op::Reconfigure {
                agent,
                queues,
                skill,
                level,
            } => {
                self.put_agent(agent, queues, skill, level);
                self.configure();
            }
            Op::RemoveAgent { agent } => {
                // The work of a removed agent goes on; the model forgets the agent when it ends.
                self.agents.remove(&agent_id(agent));
                self.configure();
            }
            Op::ChangeQueue {
                queue,
                rule,
                level,
                present,
            } => {
                if present {
                    self.put_queue(queue, rule, level);
                    self.configure();
                } else {
                    let old = self.queues.clone();
                    self.queues.remove(&queue_id(queue));
                    let agents = self.agents.values().cloned().collect();
                    let queues = self.queues.values().cloned().collect();
                    let result = self
                        .router
                        .handle(self.now, RouterInput::Configure { agents, queues });
                    // Ordering of what overflows is judged by the old configuration.
                    let new = std::mem::replace(&mut self.queues, old);
                    result.unwrap();
                    self.drain();
                    self.queues = new;
                }
            }
            other => self.agent_step(other),
        }
    }

    fn agent_step(&mut self, op: Op) {
        let session = |agent: u8| LeaseKind::Desktop(SessionId::from_u128(agent.into()));
        let input = match op {
            Op::Presence { agent, presence } => RouterInput::SetPresence {
                agent: agent_id(agent),
                presence: [
                    Presence::Available,
                    Presence::Available,
                    Presence::Break,
                    Presence::Offline,
                ][usize::from(presence)]
                .clone(),
            },
            Op::Phone { agent, for_s } => RouterInput::Lease {
                agent: agent_id(agent),
                kind: LeaseKind::Phone,
                until: for_s.map_or(Timestamp::FAR, |s| self.now + Duration::from_secs(s.into())),
            },
            Op::PhoneGone { agent } => RouterInput::LeaseEnded {
                agent: agent_id(agent),
                kind: LeaseKind::Phone,
                why: LeaseEnd::Lost,
            },
            Op::Desktop { agent } => RouterInput::Lease {
                agent: agent_id(agent),
                kind: session(agent),
                until: Timestamp::FAR,
            },
            Op::DesktopEnds { agent, lost } => RouterInput::LeaseEnded {
                agent: agent_id(agent),
                kind: session(agent),
                why: if lost {
                    LeaseEnd::Lost
                } else {
                    LeaseEnd::SignedOff
                },
            },
            Op::FinishWrapUp { agent } => RouterInput::FinishWrapUp {
                agent: agent_id(agent),
            },
            Op::Direct { agent } => {
                self.made += 1;
                let interaction = InteractionId::from_u128(u128::from(self.made));
                let input = RouterInput::Direct {
                    agent: agent_id(agent),
                    interaction,
                    queue: None,
                };
                if self.router.agent_view(agent_id(agent), self.now).is_some() {
                    let held = self.working.entry(agent_id(agent)).or_default();
                    if held.len() == 10 {
                        return;
                    }
                    held.push(interaction);
                }
                input
            }
            other => panic!("{other:?}"),
        };
        let _ = self.give(input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_forbidden_ever_happens(ops in proptest::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in &ops {
            world.step(op);
            world.invariants();
        }
        // All can be brought to an end.
        while let Some(interaction) = world.waiting.keys().next().copied() {
            world.give(RouterInput::Remove { interaction, exit: QueueExit::Abandoned }).unwrap();
        }
        for agent in 0..AGENTS {
            while world.working.get(&agent_id(agent)).is_some_and(|w| !w.is_empty()) {
                world.work_ends(agent, false, false);
            }
        }
        world.invariants();
        world.wait(4_000_000);
        prop_assert_eq!(world.waiting.len() + world.taken.len(), 0);
    }
}
