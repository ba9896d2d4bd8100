//! Measures the list of announced calls: `cargo run --release -p cp-store --example precall_bench [entries]`.
//!
//! Fills the list (100,000 entries of 100 partners unless said otherwise), then looks for callers who
//! are on it and for callers who are not, as a call that rings does. Prints one JSON line.

use cp_store::{Durability, Options, Precall, ProofStore, SqliteStore};
use cp_vocab::id::TypedId;
use cp_vocab::{CallerPartnerId, InteractionId, Pii, PrecallId, TenantId, Timestamp};
use std::time::Instant;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
const PARTNERS: u128 = 100;
const LOOKUPS: u128 = 2_000;

fn caller(n: u128) -> String {
    format!("+1555{n:07}")
}

/// Microseconds at these percentiles.
fn percentiles(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    [50, 99].map(|p| times[times.len() * p / 100])
}

fn main() {
    let entries = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let entries: u128 = entries.unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options {
        durability: Durability::Os,
        ..Options::at(folder.path().join("bench.db"))
    };
    let store = SqliteStore::open(&options).expect("the folder can be written");
    let tenant = TenantId::from_u128(1);
    let began = Instant::now();
    for n in 0..entries {
        let entry = Precall {
            id: PrecallId::from_u128(n + 1),
            tenant,
            partner: CallerPartnerId::from_u128(n % PARTNERS),
            called: Pii(String::new()),
            identifier: Pii(caller(n)),
            body: Pii("{}".into()),
            made_at: NOW,
            expires_at: Timestamp(NOW.0 + 600_000_000),
            interaction: None,
        };
        store
            .precall_put(entry, u32::MAX, NOW)
            .expect("room on the list");
    }
    let put_us = began.elapsed().as_secs_f64() * 1e6 / entries as f64;
    let time = |from: &dyn Fn(u128) -> String, want: bool| {
        let one = |n| {
            let call = InteractionId::from_u128(1_000_000_000 + n);
            let began = Instant::now();
            let found = store.precall_claim(tenant, &from(n), "+18005550100", call, NOW);
            assert_eq!(found.expect("a store that answers").is_some(), want);
            began.elapsed().as_secs_f64() * 1e6
        };
        percentiles((0..LOOKUPS).map(one).collect())
    };
    let known = time(&|n| caller(n * (entries / LOOKUPS).max(1)), true);
    let unknown = time(&|n| caller(entries + n), false);
    println!(
        "{{\"precall_entries\":{entries},\"precall_put_us\":{put_us:.0},\
         \"precall_claim_us_p50\":{:.0},\"precall_claim_us_p99\":{:.0},\
         \"precall_stranger_us_p50\":{:.0},\"precall_stranger_us_p99\":{:.0}}}",
        known[0], known[1], unknown[0], unknown[1]
    );
}
