//! How long a match takes: an agent becomes free among 10,000 while 100,000 wait, 200 skills.
//!
//! `cargo run --release -p cp-routing --example match_bench` prints one JSON line. The time is that
//! of the whole step as the engine sees it: the input that frees the agent until its offer is out.
#![allow(clippy::unwrap_used)]

use cp_routing::{LeaseKind, Router, RouterConfig, RouterInput, RouterOutput, Ticket};
use cp_vocab::Timestamp;
use cp_vocab::event::QueueExit;
use cp_vocab::id::*;
use cp_vocab::model::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

const AGENTS: u128 = 10_000;
const WAITING: u64 = 100_000;
const SKILLS: u128 = 200;
const QUEUES: u128 = 200;
const MATCHES: usize = 200_000;
const ROUNDS: usize = 10;

struct Bench {
    router: Router,
    now: Timestamp,
    rng: StdRng,
    tenant: TenantId,
    calls: u128,
    /// Agents with their call, work being done.
    working: Vec<(AgentId, InteractionId)>,
}

impl Bench {
    fn new() -> Self {
        let config = RouterConfig {
            waiting_max_per_queue: 200_000,
            waiting_max: 400_000,
            ..RouterConfig::default()
        };
        let mut bench = Self {
            router: Router::new(config),
            now: Timestamp::from_secs(1_700_000_000),
            rng: StdRng::seed_from_u64(42),
            tenant: TenantId::from_u128(1),
            calls: 0,
            working: Vec::new(),
        };
        bench.configure();
        bench
    }

    fn skill(&mut self, level: u8) -> SkillLevel {
        SkillLevel {
            skill: SkillId::from_u128(self.rng.random_range(0..SKILLS)),
            level,
        }
    }

    /// Every agent has one to five queues and up to eight skills of random levels: nearly every
    /// profile is different, which is the worst case for classes. Each queue wants one skill.
    fn configure(&mut self) {
        let rules = [
            SelectionRule::LongestIdle,
            SelectionRule::LeastOccupied,
            SelectionRule::LeastFlexible,
        ];
        let mut queues = Vec::new();
        for n in 0..QUEUES {
            let mut queue =
                Queue::with_defaults(QueueId::from_u128(n), self.tenant, format!("q{n}"));
            queue.skills = vec![SkillLevel {
                skill: SkillId::from_u128(n % SKILLS),
                level: 1 + (n % 4) as u8,
            }];
            queue.selection = rules[n as usize % rules.len()];
            queue.wait_ms_max = 0;
            queue.wrap_up_ms = 0;
            queue.priority = (n % 3) as i32;
            queues.push(queue);
        }
        let mut agents = Vec::new();
        for n in 0..AGENTS {
            let of: Vec<u128> = (0..self.rng.random_range(1..6))
                .map(|_| self.rng.random_range(0..QUEUES))
                .collect();
            let mut skills: Vec<SkillLevel> = of
                .iter()
                .map(|q| SkillLevel {
                    skill: SkillId::from_u128(q % SKILLS),
                    level: 3 + (n % 8) as u8,
                })
                .collect();
            for _ in 0..3 {
                let level = self.rng.random_range(1..10);
                skills.push(self.skill(level));
            }
            agents.push(Agent {
                id: AgentId::from_u128(n),
                tenant: self.tenant,
                user: None,
                name: String::new(),
                extension: String::new(),
                skills,
                queues: of.iter().map(|q| QueueId::from_u128(*q)).collect(),
                phone: None,
                available_when_registered: true,
                wrap_up_ms: None,
            });
        }
        self.give(RouterInput::Configure { agents, queues });
    }

    fn give(&mut self, input: RouterInput) {
        self.router.handle(self.now, input).unwrap();
        while let Some(output) = self.router.poll() {
            self.follow(output);
        }
    }

    fn follow(&mut self, output: RouterOutput) -> Option<OfferId> {
        match output {
            RouterOutput::Offer {
                offer,
                agent,
                interaction,
                ..
            } => {
                self.working.push((agent, interaction));
                Some(offer)
            }
            _ => None,
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.calls += 1;
        let mut skills = SmallVec::new();
        // One in ten has a wish of its own.
        if self.rng.random_range(0..10) == 0 {
            skills.push(self.skill(1));
        }
        Ticket {
            interaction: InteractionId::from_u128(self.calls),
            tenant: self.tenant,
            queue: QueueId::from_u128(self.rng.random_range(0..QUEUES)),
            priority: 0,
            skills,
            since: self.now,
            preferred_agent: None,
        }
    }

    fn tick(&mut self) {
        self.now = self.now + Duration::from_micros(500);
    }

    /// Drains and accepts every offer that was made.
    fn settle(&mut self, mut offers: Vec<OfferId>) {
        while let Some(offer) = offers.pop() {
            self.router
                .handle(self.now, RouterInput::Accepted { offer })
                .unwrap();
            while let Some(output) = self.router.poll() {
                offers.extend(self.follow(output));
            }
        }
    }

    fn fill(&mut self) {
        for n in 0..AGENTS {
            self.give(RouterInput::Lease {
                agent: AgentId::from_u128(n),
                kind: LeaseKind::Phone,
                until: Timestamp::FAR,
            });
        }
        let mut waiting = 0;
        while waiting < WAITING {
            self.tick();
            let ticket = self.ticket();
            let (_, offer) = self.timed(RouterInput::Enqueue(ticket));
            waiting += u64::from(offer.is_none());
            self.settle(offer.into_iter().collect());
        }
    }

    /// One input with its outputs; the time from the input until the offer is out.
    fn timed(&mut self, input: RouterInput) -> (u64, Option<OfferId>) {
        let start = Instant::now();
        self.router.handle(self.now, input).unwrap();
        let mut offered = None;
        let mut rest = SmallVec::<[RouterOutput; 4]>::new();
        while let Some(output) = self.router.poll() {
            if let RouterOutput::Offer { offer, .. } = &output {
                offered = Some(*offer);
            }
            rest.push(output);
        }
        let took = start.elapsed().as_nanos() as u64;
        rest.into_iter().for_each(|o| {
            self.follow(o);
        });
        (took, offered)
    }
}

fn percentile(times: &mut [u64], p: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * p).round() as usize;
    times[at] as f64 / 1_000.0
}

/// Times of one round, in nanoseconds.
#[derive(Default)]
struct Round {
    freed: Vec<u64>,
    arrived: Vec<u64>,
    accepted: Vec<u64>,
    offers_per_s: f64,
}

/// All agents at work, the crowd waits: agents become free, are offered the first they can take,
/// accept; for each answered one another comes.
fn busy(bench: &mut Bench) -> Round {
    let mut round = Round::default();
    let begun = Instant::now();
    let mut offers = 0_u64;
    for _ in 0..MATCHES / ROUNDS {
        bench.tick();
        let at = bench.rng.random_range(0..bench.working.len());
        let (agent, interaction) = bench.working.swap_remove(at);
        let (took, offer) = bench.timed(RouterInput::WorkEnded {
            agent,
            interaction,
            wrap_up: true,
        });
        round.freed.push(took);
        if let Some(offer) = offer {
            offers += 1;
            let start = Instant::now();
            bench.settle(vec![offer]);
            round.accepted.push(start.elapsed().as_nanos() as u64);
        }
        let ticket = bench.ticket();
        let (took, offer) = bench.timed(RouterInput::Enqueue(ticket));
        round.arrived.push(took);
        offers += u64::from(offer.is_some());
        bench.settle(offer.into_iter().collect());
    }
    round.offers_per_s = offers as f64 / begun.elapsed().as_secs_f64();
    round
}

/// The other way round: nobody waits, most are idle, an arriving ticket looks for its agent.
fn calm(bench: &mut Bench) -> Vec<u64> {
    let mut picked = Vec::new();
    for _ in 0..MATCHES / ROUNDS {
        bench.tick();
        let ticket = bench.ticket();
        let interaction = ticket.interaction;
        let (took, offer) = bench.timed(RouterInput::Enqueue(ticket));
        picked.push(took);
        match offer {
            Some(offer) => {
                bench.settle(vec![offer]);
                if bench.working.len() > 3_000 {
                    let (agent, interaction) = bench.working.remove(0);
                    bench.give(RouterInput::WorkEnded {
                        agent,
                        interaction,
                        wrap_up: false,
                    });
                }
            }
            None => bench.give(RouterInput::Remove {
                interaction,
                exit: QueueExit::Abandoned,
            }),
        }
    }
    picked
}

fn empty(bench: &mut Bench) {
    let all: Vec<QueueId> = bench.router.queues().collect();
    for queue in all {
        let waiting: Vec<InteractionId> = bench.router.waiting(queue).map(|(i, _)| i).collect();
        for interaction in waiting {
            bench.give(RouterInput::Remove {
                interaction,
                exit: QueueExit::Abandoned,
            });
        }
    }
    for (agent, interaction) in std::mem::take(&mut bench.working) {
        bench.give(RouterInput::WorkEnded {
            agent,
            interaction,
            wrap_up: false,
        });
    }
}

fn main() {
    let mut bench = Bench::new();
    bench.fill();
    let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| busy(&mut bench)).collect();
    empty(&mut bench);
    let mut calm: Vec<Vec<u64>> = (0..ROUNDS).map(|_| calm(&mut bench)).collect();
    // The machine is shared: the round least disturbed by others tells what the code costs.
    let least = |values: Vec<f64>| values.into_iter().fold(f64::INFINITY, f64::min);
    let mut of = |pick: fn(&mut Round) -> &mut Vec<u64>, p: f64| {
        least(rounds.iter_mut().map(|r| percentile(pick(r), p)).collect())
    };
    let (p50, p99) = (of(|r| &mut r.freed, 0.5), of(|r| &mut r.freed, 0.99));
    let p999 = of(|r| &mut r.freed, 0.999);
    let (enqueue50, enqueue99) = (of(|r| &mut r.arrived, 0.5), of(|r| &mut r.arrived, 0.99));
    let accept99 = of(|r| &mut r.accepted, 0.99);
    let mut picked = |p: f64| least(calm.iter_mut().map(|t| percentile(t, p)).collect());
    let (pick50, pick99) = (picked(0.5), picked(0.99));
    let rate = rounds.iter().map(|r| r.offers_per_s).fold(0.0, f64::max);
    println!(
        "{{\"match_p50_us\":{p50:.3},\"match_p99_us\":{p99:.3},\"match_p999_us\":{p999:.3},\
         \"enqueue_p50_us\":{enqueue50:.3},\"enqueue_p99_us\":{enqueue99:.3},\
         \"accept_p99_us\":{accept99:.3},\"pick_p50_us\":{pick50:.3},\"pick_p99_us\":{pick99:.3},\
         \"offers_per_s\":{rate:.0},\"agents\":{AGENTS},\"waiting\":{WAITING},\
         \"skills\":{SKILLS},\"rounds\":{ROUNDS}}}"
    );
}
