//! A discrete simulation over the real router against queueing theory, and the wait estimate
//! against the average that others announce.
#![allow(clippy::unwrap_used)]

use cp_routing::erlang::{ErlangA, ErlangC};
use cp_routing::*;
use cp_vocab::Timestamp;
use cp_vocab::event::QueueExit;
use cp_vocab::id::*;
use cp_vocab::model::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Happens {
    Arrival,
    Abandon(InteractionId),
    ServiceEnds(AgentId, InteractionId),
}

/// One call from its arrival.
#[derive(Clone, Copy, Debug)]
struct Call {
    arrived: Timestamp,
    /// Drawn at the arrival, so that every rule meets the same calls.
    service_s: f64,
    /// What the router estimated, when it had to wait.
    estimate_s: Option<f64>,
    wait_s: Option<f64>,
    abandoned: bool,
}

struct Centre {
    calls_per_s: f64,
    service_s: f64,
    patience_s: Option<f64>,
    /// Queues, each with an equal part of the calls.
    queues: u128,
    /// Queues of each agent.
    agents: Vec<Vec<u128>>,
    rule: SelectionRule,
}

impl Centre {
    fn plain(calls_per_s: f64, service_s: f64, patience_s: Option<f64>, agents: u32) -> Self {
        Self {
            calls_per_s,
            service_s,
            patience_s,
            queues: 1,
            agents: vec![vec![0]; agents as usize],
            rule: SelectionRule::LongestIdle,
        }
    }
}

struct Simulation {
    router: Router,
    centre: Centre,
    rng: StdRng,
    now: Timestamp,
    /// Events by time; `serial` keeps equal times in order.
    events: BinaryHeap<Reverse<(Timestamp, u64, Happens)>>,
    serial: u64,
    calls: HashMap<InteractionId, Call>,
    done: Vec<Call>,
    made: u128,
}

fn queue_id(n: u128) -> QueueId {
    QueueId::from_u128(1 + n)
}
fn tenant() -> TenantId {
    TenantId::from_u128(1)
}

impl Simulation {
    fn new(centre: Centre, seed: u64) -> Self {
        let queues: Vec<Queue> = (0..centre.queues)
            .map(|n| Queue {
                wrap_up_ms: 0,
                wait_ms_max: 0,
                announce_every_ms: 0,
                selection: centre.rule,
                ..Queue::with_defaults(queue_id(n), tenant(), "q")
            })
            .collect();
        let agents: Vec<Agent> = centre
            .agents
            .iter()
            .enumerate()
            .map(|(n, queues)| Agent {
                id: AgentId::from_u128(n as u128),
                tenant: tenant(),
                user: None,
                name: String::new(),
                extension: String::new(),
                skills: vec![],
                queues: queues.iter().map(|q| queue_id(*q)).collect(),
                phone: None,
                available_when_registered: true,
                wrap_up_ms: None,
            })
            .collect();
        let mut simulation = Self {
            router: Router::new(RouterConfig::default()),
            centre,
            rng: StdRng::seed_from_u64(seed),
            now: Timestamp::from_secs(1_700_000_000),
            events: BinaryHeap::new(),
            serial: 0,
            calls: HashMap::new(),
            done: vec![],
            made: 0,
        };
        let ids: Vec<AgentId> = agents.iter().map(|a| a.id).collect();
        simulation.give(RouterInput::Configure { agents, queues });
        for agent in ids {
            let (kind, until) = (LeaseKind::Phone, Timestamp::FAR);
            simulation.give(RouterInput::Lease { agent, kind, until });
        }
        simulation.after(0.0, Happens::Arrival);
        simulation
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        let u: f64 = self.rng.random();
        -mean * (1.0 - u).ln()
    }

    fn after(&mut self, seconds: f64, what: Happens) {
        self.serial += 1;
        let at = self.now + Duration::from_secs_f64(seconds);
        self.events.push(Reverse((at, self.serial, what)));
    }

    fn waited(&self, call: &Call) -> f64 {
        self.now.since(call.arrived).as_secs_f64()
    }

    fn give(&mut self, input: RouterInput) {
        self.router.handle(self.now, input).unwrap();
        let mut accepted = Vec::new();
        while let Some(output) = self.router.poll() {
            match output {
                RouterOutput::Queued {
                    interaction,
                    wait_estimate_ms,
                    ..
                } => {
                    let call = self.calls.get_mut(&interaction).unwrap();
                    call.estimate_s = wait_estimate_ms.map(|ms| ms as f64 / 1_000.0);
                }
                RouterOutput::Offer {
                    offer,
                    agent,
                    interaction,
                    ..
                } => {
                    accepted.push((offer, agent, interaction));
                }
                _ => {}
            }
        }
        // Agents answer at once, as the theory has it.
        for (offer, agent, interaction) in accepted {
            let mut call = self.calls.remove(&interaction).unwrap();
            call.wait_s = Some(self.waited(&call));
            self.done.push(call);
            self.after(call.service_s, Happens::ServiceEnds(agent, interaction));
            self.give(RouterInput::Accepted { offer });
        }
    }

    fn arrive(&mut self) {
        let next = self.exponential(1.0 / self.centre.calls_per_s);
        self.after(next, Happens::Arrival);
        self.made += 1;
        let interaction = InteractionId::from_u128(self.made);
        let call = Call {
            arrived: self.now,
            service_s: self.exponential(self.centre.service_s),
            estimate_s: None,
            wait_s: None,
            abandoned: false,
        };
        self.calls.insert(interaction, call);
        if let Some(patience) = self.centre.patience_s {
            let patience = self.exponential(patience);
            self.after(patience, Happens::Abandon(interaction));
        }
        let queue = queue_id(self.rng.random_range(0..self.centre.queues));
        self.give(RouterInput::Enqueue(Ticket {
            interaction,
            tenant: tenant(),
            queue,
            priority: 0,
            skills: SmallVec::new(),
            since: self.now,
            preferred_agent: None,
        }));
    }

    fn run(&mut self, calls: usize) {
        while self.done.len() < calls {
            let Reverse((at, _, what)) = self.events.pop().unwrap();
            self.now = at;
            match what {
                Happens::Arrival => self.arrive(),
                Happens::ServiceEnds(agent, interaction) => {
                    self.give(RouterInput::WorkEnded {
                        agent,
                        interaction,
                        wrap_up: true,
                    });
                }
                Happens::Abandon(interaction) => {
                    if let Some(mut call) = self.calls.remove(&interaction) {
                        call.wait_s = Some(self.waited(&call));
                        call.abandoned = true;
                        self.done.push(call);
                        let exit = QueueExit::Abandoned;
                        self.give(RouterInput::Remove { interaction, exit });
                    }
                }
            }
        }
    }
}

/// Mean and standard error by batch means, the first tenth left out.
fn measure(calls: &[Call], of: impl Fn(&Call) -> f64) -> (f64, f64) {
    const BATCHES: usize = 20;
    let settled = &calls[calls.len() / 10..];
    let means: Vec<f64> = settled
        .chunks_exact(settled.len() / BATCHES)
        .map(|batch| batch.iter().map(&of).sum::<f64>() / batch.len() as f64)
        .collect();
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[track_caller]
fn agree(what: &str, (mean, error): (f64, f64), theory: f64) {
    let off = (mean - theory) / error;
    assert!(
        off.abs() <= 3.0,
        "{what}: {mean:.4} against {theory:.4}, {off:.1} standard errors"
    );
    assert!(
        error < 0.15 * theory,
        "{what}: too few calls to tell, {mean:.4} +- {error:.4}"
    );
}

fn waited(call: &Call) -> f64 {
    f64::from(u8::from(call.wait_s.unwrap() > 0.0))
}

#[test]
fn without_abandonment_it_is_erlang_c() {
    for (seed, agents) in [(1, 10), (2, 8)] {
        let centre = Centre::plain(100.0 / 3_600.0, 180.0, None, agents);
        let theory = ErlangC::new(centre.calls_per_s, centre.service_s, agents);
        let mut simulation = Simulation::new(centre, seed);
        simulation.run(if agents == 10 { 120_000 } else { 60_000 });
        agree("P(wait)", measure(&simulation.done, waited), theory.p_wait);
        let wait = measure(&simulation.done, |c| c.wait_s.unwrap());
        agree("mean wait", wait, theory.mean_wait());
    }
}

#[test]
fn with_abandonment_it_is_erlang_a() {
    for (seed, agents) in [(3, 24), (4, 20)] {
        let centre = Centre::plain(0.1, 240.0, Some(180.0), agents);
        let theory = ErlangA::new(0.1, 240.0, 180.0, agents);
        let mut simulation = Simulation::new(centre, seed);
        simulation.run(50_000);
        let calls = &simulation.done;
        agree("P(wait)", measure(calls, waited), theory.p_wait);
        let gone = measure(calls, |c| f64::from(u8::from(c.abandoned)));
        agree("P(abandon)", gone, theory.p_abandon());
        agree(
            "mean wait",
            measure(calls, |c| c.wait_s.unwrap()),
            theory.mean_wait(),
        );
        let in_time = |c: &Call| f64::from(u8::from(!c.abandoned && c.wait_s.unwrap() <= 20.0));
        agree(
            "served in 20 s",
            measure(calls, in_time),
            theory.served_within(20.0),
        );
        let stats = simulation
            .router
            .queue_stats(queue_id(0), simulation.now)
            .unwrap();
        assert!((150_000..400_000).contains(&stats.handle_ms), "{stats:?}");
        assert!((90_000..400_000).contains(&stats.patience_ms), "{stats:?}");
    }
}

/// Root mean square and mean absolute error.
fn errors(pairs: &[(f64, f64)]) -> (f64, f64) {
    let n = pairs.len() as f64;
    let square = pairs
        .iter()
        .map(|(told, was)| (told - was).powi(2))
        .sum::<f64>();
    let absolute = pairs
        .iter()
        .map(|(told, was)| (told - was).abs())
        .sum::<f64>();
    ((square / n).sqrt(), absolute / n)
}

#[test]
fn the_estimate_beats_the_average_that_others_announce() {
    // Fifty agents a little overloaded, as in the golden comparison of estimators.
    let centre = Centre::plain(50.0 / 240.0 * 1.15, 240.0, Some(240.0), 50);
    let mut simulation = Simulation::new(centre, 5);
    simulation.run(40_000);
    let (mut ours, mut average) = (Vec::new(), Vec::new());
    let (mut sum, mut n) = (0.0, 0.0);
    for (at, call) in simulation.done.iter().enumerate() {
        let was = call.wait_s.unwrap();
        if call.abandoned {
            continue;
        }
        if let (true, Some(told @ 0.001..)) = (at > 4_000, call.estimate_s) {
            ours.push((told, was));
            average.push((sum / n, was));
        }
        // The average of those answered so far, as a queue's "average queue time".
        sum += was;
        n += 1.0;
    }
    assert!(ours.len() > 20_000);
    let (ours, average) = (errors(&ours), errors(&average));
    println!(
        "estimate rmse {:.1} s mae {:.1} s; average rmse {:.1} s mae {:.1} s",
        ours.0, ours.1, average.0, average.1
    );
    assert!(
        ours.0 < 0.65 * average.0,
        "rmse {ours:?} against {average:?}"
    );
    assert!(
        ours.1 < 0.65 * average.1,
        "mae {ours:?} against {average:?}"
    );
}

/// Four lines of work with five specialists each and five who can do all, at 70 % load.
fn mixed_crew(rule: SelectionRule) -> (f64, Vec<f64>) {
    let specialists = (0..4).flat_map(|q| vec![vec![q]; 5]);
    let generalists = vec![(0..4).collect::<Vec<u128>>(); 5];
    let centre = Centre {
        calls_per_s: 0.7 * 25.0 / 240.0,
        service_s: 240.0,
        patience_s: None,
        queues: 4,
        agents: specialists.chain(generalists).collect(),
        rule,
    };
    let agents = centre.agents.len() as u128;
    let mut simulation = Simulation::new(centre, 6);
    simulation.run(60_000);
    let (wait, _) = measure(&simulation.done, |c| c.wait_s.unwrap());
    let view = |n| {
        simulation
            .router
            .agent_view(AgentId::from_u128(n), simulation.now)
    };
    let answered = (0..agents).map(|n| view(n).unwrap().answered as f64);
    let answered: Vec<f64> = answered.collect();
    (wait, answered)
}

/// Jain's index of fairness: 1 when all answered the same number.
fn jain(answered: &[f64]) -> f64 {
    let sum: f64 = answered.iter().sum();
    let squares: f64 = answered.iter().map(|a| a * a).sum();
    sum * sum / (answered.len() as f64 * squares)
}

#[test]
fn keeping_the_able_free_shortens_the_wait_and_evening_out_is_fairer() {
    let (longest_idle, by_idle) = mixed_crew(SelectionRule::LongestIdle);
    let (least_flexible, _) = mixed_crew(SelectionRule::LeastFlexible);
    let (least_occupied, by_occupancy) = mixed_crew(SelectionRule::LeastOccupied);
    println!(
        "mean wait: longest idle {longest_idle:.1} s, least flexible {least_flexible:.1} s, least occupied {least_occupied:.1} s"
    );
    assert!(least_flexible < 0.97 * longest_idle);
    assert!(least_occupied < longest_idle);
    assert!(jain(&by_occupancy) > jain(&by_idle));
}
