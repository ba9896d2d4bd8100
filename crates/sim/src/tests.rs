mod scenarios;

use crate::seeds;

/// Runs of every `cargo test`; more with `CP_SEEDS`, one alone with `CP_SEED`.
const SEEDS: u64 = 1_000;

#[test]
fn seeds() {
    let number = |name| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let (from, to) = match number("CP_SEED") {
        Some(one) => (one, one + 1),
        None => {
            let from = number("CP_SEED_FROM").unwrap_or(1);
            (from, from + number("CP_SEEDS").unwrap_or(SEEDS))
        }
    };
    let mut failed = vec![];
    for seed in from..to {
        let outcome = std::panic::catch_unwind(|| seeds::run(seed));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => {
                eprintln!("CP_SEED={seed} cargo test -p cp-sim seeds");
                if from + 1 == to {
                    eprintln!("{}", broken.actions.join("\n"));
                    eprintln!("{}", broken.ladder.join("\n"));
                    eprintln!("{}", broken.story.join("\n"));
                }
                for i in broken.invariants.iter().take(4) {
                    eprintln!("  {}: {}", i.what, i.detail);
                }
                failed.push(seed);
            }
            Err(_) => {
                eprintln!("CP_SEED={seed} cargo test -p cp-sim seeds (panic)");
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?} of {from}..{to}");
}

/// Random runs that never transfer or park prove little.
#[test]
fn random_runs_reach_everything() {
    let mut all = std::collections::BTreeMap::new();
    for seed in 1..60 {
        for (kind, n) in seeds::kinds(seed) {
            *all.entry(kind).or_insert(0) += n;
        }
    }
    for kind in [
        "call.bridged",
        "call.unbridged",
        "conference.joined",
        "conference.merged",
        "consult.started",
        "interaction.ended",
        "leg.held",
        "offer.made",
        "park.parked",
        "queue.left",
        "recording.ended",
        "shared_op.state_changed",
        "supervise.started",
        "transfer.completed",
        "transfer.failed",
        "wrap_up.ended",
    ] {
        assert!(all.contains_key(kind), "{kind} never happened: {all:#?}");
    }
}
