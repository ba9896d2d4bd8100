//! The tenant that is attacked, and what the attackers have in common.

use cp_interop::Server;
use cp_interop::server::{metric, number, phone, tenant, trunk};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Source address of the carrier whose calls are good.
pub(crate) const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// A carrier whose machine has gone mad: what it sends is let in and then read.
pub(crate) const MAD_CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Nobody we know.
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

pub(crate) fn world() -> Value {
    tenant(json!({
        "phones": [phone("1001"), phone("1002")],
        "trunks": [trunk("carrier", &["127.0.0.2/32"], ""), trunk("mad", &["127.0.0.9/32"], "")],
        "numbers": [number("answer", json!({"to": "answer"}))],
    }))
}

/// How much longer than in every test run: 1 unless `CP_ATTACK` says otherwise.
pub(crate) fn length() -> u32 {
    let told = std::env::var("CP_ATTACK").ok();
    told.and_then(|v| v.parse().ok()).unwrap_or(1).max(1)
}

/// Gives turns at an even pace and says how many were had.
pub(crate) struct Pace {
    begun: Instant,
    per_s: f64,
    had: u64,
}

impl Pace {
    pub(crate) fn new(per_s: u32) -> Self {
        Self {
            begun: Instant::now(),
            per_s: f64::from(per_s),
            had: 0,
        }
    }
    /// Waits for the next turn; behind time it comes at once.
    pub(crate) fn turn(&mut self) {
        let due = Duration::from_secs_f64(self.had as f64 / self.per_s);
        while let Some(early) = due.checked_sub(self.begun.elapsed()) {
            std::thread::park_timeout(early.max(Duration::from_micros(50)));
        }
        self.had += 1;
    }
    pub(crate) fn rate(&self) -> f64 {
        self.had as f64 / self.begun.elapsed().as_secs_f64()
    }
}

/// Nothing of ours broke: it runs, no interaction had a fault, nothing panicked.
pub(crate) fn unharmed(server: &mut Server, after: &str) {
    assert!(
        server.is_running(),
        "{after} ended the server:\n{}",
        server.log_tail()
    );
    let text = server.http.get("/metrics").expect("metrics").text();
    let faults = metric(&text, "crosspoint_interaction_faults_total").unwrap_or(0.0);
    assert!(
        faults == 0.0,
        "{after}: {faults} faults\n{}",
        server.log_tail()
    );
    assert!(
        !server.log().contains("panicked"),
        "{after}:\n{}",
        server.log_tail()
    );
}

/// Memory of the server in MiB.
pub(crate) fn memory_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
