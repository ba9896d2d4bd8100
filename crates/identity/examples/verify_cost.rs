//! What a signature costs: `cargo run --release -p cp-identity --example verify_cost`. One core.
#![allow(clippy::unwrap_used)]

use cp_identity::check;
use cp_vocab::Timestamp;
use std::time::Instant;

/// Times each measurement is repeated.
const ROUNDS: u32 = 2_000;

fn main() {
    let path = std::env::args().nth(1);
    let Some(text) = path.and_then(|p| std::fs::read_to_string(p).ok()) else {
        println!("usage: verify_cost cases.json (the format of `crosspoint identity check`)");
        return;
    };
    // The cases of the file with a shaken token alone, one at a time, against the whole path of
    // reading, certificate, claims and signature; reading the certificates is measured apart.
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    let valid: Vec<&serde_json::Value> = whole["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| {
            c["expect"] == "valid" && c["identity"].as_array().is_some_and(|i| i.len() == 1)
        })
        .collect();
    let mut many = whole.clone();
    let cases: Vec<serde_json::Value> = (0..ROUNDS)
        .map(|n| valid[n as usize % valid.len()].clone())
        .collect();
    many["cases"] = cases.into();
    let mut none = whole.clone();
    none["cases"] = serde_json::Value::Array(vec![]);
    let (many, none) = (many.to_string(), none.to_string());
    let now = Timestamp::from_secs(1_764_000_005);
    let run = |text: &str| {
        let began = Instant::now();
        let lines = check::check(text, now).unwrap();
        (began.elapsed(), lines.len())
    };
    let (fixed, _) = run(&none);
    let (all, n) = run(&many);
    let each = all.saturating_sub(fixed) / n.max(1) as u32;
    println!(
        "{n} calls with one token: {:.1} us each, {:.0} verifications/s on one core",
        each.as_nanos() as f64 / 1_000.0,
        1.0 / each.as_secs_f64()
    );
}
