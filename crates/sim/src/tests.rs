use crate::phone::Answer;
use crate::world::{START, World};
use crate::{Fault, check_invariants};
use cp_vocab::command::{Actor, Command};
use cp_vocab::media::Codec;
use cp_vocab::model::*;
use cp_vocab::net::Transport;
use cp_vocab::party::NumberRules;
use cp_vocab::*;
use std::time::Duration;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

struct House {
    tenant: TenantId,
    bob: AgentId,
}

fn ha1(user: &str) -> (String, String) {
    use cp_sip::digest::{Algorithm, ha1};
    (
        ha1(Algorithm::Md5, user, "test", "secret"),
        ha1(Algorithm::Sha256, user, "test", "secret"),
    )
}

fn house() -> (House, Snapshot) {
    let mut ids = IdSource::from_u64(1);
    let tenant: TenantId = ids.next(START);
    let queue: QueueId = ids.next(START);
    let mut snapshot = Snapshot {
        version: 1,
        ..Snapshot::default()
    };
    snapshot.tenants.push(Tenant {
        id: tenant,
        name: "Test".into(),
        domain: "test".into(),
        interactions_max: 0,
        record_by_default: false,
    });
    let mut q = Queue::with_defaults(queue, tenant, "support");
    q.wrap_up_ms = 5_000;
    snapshot.queues.push(q);
    let mut agents = vec![];
    for (name, extension) in [("bob", "1001"), ("eve", "1002")] {
        let agent: AgentId = ids.next(START);
        let phone: PhoneId = ids.next(START);
        let (md5, sha256) = ha1(name);
        snapshot.phones.push(Phone {
            id: phone,
            tenant,
            user: name.into(),
            ha1_md5: Pii(md5),
            ha1_sha256: Pii(sha256),
            agent: Some(agent),
            name: name.into(),
            require_srtp: false,
            may_dial_out: false,
        });
        snapshot.agents.push(Agent {
            id: agent,
            tenant,
            user: None,
            name: name.into(),
            extension: extension.into(),
            skills: vec![],
            queues: if name == "bob" { vec![queue] } else { vec![] },
            phone: Some(phone),
            available_when_registered: true,
            wrap_up_ms: None,
        });
        agents.push(agent);
    }
    snapshot.trunks.push(Trunk {
        id: ids.next(START),
        tenant,
        name: "world".into(),
        auth: TrunkAuth::Address {
            networks: vec![Network {
                addr: [10, 0, 1, 200].into(),
                prefix: 29,
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
    });
    for (number, destination) in [
        ("answer", Destination::Answer { greeting: None }),
        ("queue", Destination::Queue { queue }),
        ("bob-direct", Destination::Agent { agent: agents[0] }),
    ] {
        snapshot.numbers.push(Number {
            id: ids.next(START),
            tenant,
            number: number.into(),
            name: number.into(),
            destination,
            public: true,
        });
    }
    (
        House {
            tenant,
            bob: agents[0],
        },
        snapshot,
    )
}

fn world(seed: u64) -> (House, World) {
    let (house, snapshot) = house();
    let mut w = World::new(seed, snapshot);
    w.phone("alice", 200, None);
    w.phone("bob", 2, Some("secret"));
    w.phone("eve", 3, Some("secret"));
    w.run(secs(3));
    (house, w)
}

fn sound(w: &World) {
    let broken = check_invariants(w);
    assert!(
        broken.is_empty(),
        "{broken:#?}\n{}\n{:?}",
        w.ladder.join("\n"),
        w.story()
    );
}

#[test]
fn a_call_is_answered_and_hung_up() {
    let (_, mut w) = world(1);
    w.ladder.clear();
    w.call("alice", "answer");
    w.run(secs(2));
    assert!(
        w.phones[0].live_call().is_some_and(|c| c.answered),
        "{}",
        w.ladder.join("\n")
    );
    w.hang_up("alice");
    w.run(secs(40));
    sound(&w);
    assert_eq!(
        w.story(),
        [
            "interaction.started",
            "leg.added",
            "leg.answered",
            "leg.ended",
            "interaction.ended",
            "leg.quality"
        ]
    );
}

#[test]
fn a_call_reaches_an_agent_through_a_queue() {
    let (_, mut w) = world(2);
    w.call("alice", "queue");
    w.run(secs(3));
    assert!(
        w.hears("alice", "bob") && w.hears("bob", "alice"),
        "{}\n{:?}",
        w.ladder.join("\n"),
        w.story()
    );
    w.hang_up("alice");
    w.run(secs(60));
    sound(&w);
    assert!(
        w.story().contains(&"wrap_up.ended".to_string()),
        "{:?}",
        w.story()
    );
}

#[test]
fn an_agent_called_directly_and_consulting() {
    let (h, mut w) = world(3);
    w.call("alice", "bob-direct");
    w.run(secs(3));
    assert!(
        w.hears("alice", "bob"),
        "{}\n{:?}",
        w.ladder.join("\n"),
        w.story()
    );
    let leg = w.legs_at("bob")[0];
    let c = w.command(
        h.tenant,
        Actor::Agent(h.bob),
        Command::Consult {
            leg,
            target: DialTarget::Extension {
                extension: "1002".into(),
            },
        },
    );
    w.run(secs(3));
    assert!(w.replies[&c].is_ok(), "{:?}", w.replies[&c]);
    assert!(
        w.hears("bob", "eve") && !w.hears("alice", "bob") && !w.hears("alice", "eve"),
        "{:?}",
        w.story()
    );
    let c = w.command(
        h.tenant,
        Actor::Agent(h.bob),
        Command::CompleteTransfer { leg },
    );
    w.run(secs(3));
    assert!(w.replies[&c].is_ok(), "{:?}", w.replies[&c]);
    assert!(
        w.hears("alice", "eve") && w.hears("eve", "alice"),
        "{:?}",
        w.story()
    );
    w.hang_up("alice");
    w.run(secs(60));
    sound(&w);
}

#[test]
fn an_agent_who_does_not_answer_is_passed_over() {
    let (_, mut w) = world(4);
    w.habit("bob", Answer::Never);
    w.call("alice", "queue");
    w.run(secs(30));
    w.hang_up("alice");
    w.run(secs(60));
    sound(&w);
    assert!(
        w.story().contains(&"offer.ended".to_string()),
        "{:?}",
        w.story()
    );
}

#[test]
fn a_restart_ends_what_it_lost() {
    let (_, mut w) = world(5);
    w.call("alice", "queue");
    w.run(secs(5));
    w.fault(Fault::Restart);
    w.run(secs(60));
    sound(&w);
    let story = w.story();
    assert!(
        story.contains(&"interaction.ended".to_string()),
        "{story:?}"
    );
}
