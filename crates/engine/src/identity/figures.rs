//! Rates, hits and misses, for the page about identity over forwarding.

use super::customer;
use crate::core::Engine;
use cp_identity::forward::{Attachment, Kept, NotAttached, Rate};
use cp_sip::ua::Principal;
use cp_vocab::command::CommandReply;
use cp_vocab::*;
use serde_json::{Value, json};

/// Numbers in one answer; the rest is asked for one by one.
const NUMBERS_MAX: usize = 1_000;

/// Of one connection, since the node started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    calls: u64,
    kept: u64,
    hits: u64,
    misses: u64,
    ambiguous: u64,
}

impl Counters {
    pub(super) fn sent(&mut self, kept: Kept) {
        self.calls += 1;
        self.kept += u64::from(kept == Kept::Stored);
    }
    pub(super) fn diverted(&mut self, outcome: &Result<Attachment, NotAttached>) {
        match outcome {
            Ok(_) => self.hits += 1,
            Err(why) => {
                self.misses += 1;
                self.ambiguous += u64::from(*why == NotAttached::Ambiguous);
            }
        }
    }
}

impl Engine {
    /// Answer to [`Command::IdentityForwarding`].
    pub(crate) fn identity_figures(
        &self,
        tenant: TenantId,
        number: Option<String>,
    ) -> CommandReply {
        let identity = &self.identity;
        let digits = |n: &str| n.trim_start_matches('+').to_string();
        let listed = match number {
            Some(n) => {
                let n = digits(&n);
                let rate = identity.forwarding.rate(tenant, &n).unwrap_or_default();
                vec![self.number_figures(tenant, &n, &rate)]
            }
            None => identity
                .forwarding
                .numbers(tenant, NUMBERS_MAX)
                .into_iter()
                .map(|(n, rate)| self.number_figures(tenant, n, &rate))
                .collect(),
        };
        let trunks: Vec<Value> = self
            .index
            .snapshot
            .trunks
            .iter()
            .filter(|t| t.tenant == tenant)
            .map(|t| {
                let key = (tenant, customer(Principal::Trunk(t.id)));
                let c = identity.customers.get(&key).copied().unwrap_or_default();
                json!({
                    "trunk": t.id, "name": t.name, "keep": t.identity.keep,
                    "verify": t.identity.verify, "sign": t.identity.sign,
                    "calls": c.calls, "kept": c.kept, "hits": c.hits,
                    "misses": c.misses, "ambiguous": c.ambiguous,
                })
            })
            .collect();
        let limits = identity.forwarding.limits();
        let document = json!({
            "numbers": listed,
            "trunks": trunks,
            "kept_now": identity.forwarding.len(),
            "threshold_percent": f64::from(limits.threshold_permille) / 10.0,
            "calls_min": limits.calls_min,
            "retention_s": limits.retention.as_secs(),
            "verifies": identity.config.trust.is_some(),
        });
        CommandReply {
            document: Some(document),
            ..CommandReply::default()
        }
    }

    /// A person is erased: what is kept in memory of their numbers goes as well.
    pub(crate) fn identity_forget(
        &mut self,
        tenant: TenantId,
        numbers: &[Pii<String>],
    ) -> CommandReply {
        for number in numbers {
            let digits = number.expose().trim_start_matches('+');
            self.identity.forwarding.erase(tenant, digits);
            self.cards.reports.forget(tenant, digits);
        }
        CommandReply::default()
    }

    fn number_figures(&self, tenant: TenantId, number: &str, rate: &Rate) -> Value {
        let keep = self.keeps(tenant, number);
        json!({
            "number": format!("+{number}"),
            "calls": rate.calls,
            "forwarded": rate.forwarded,
            "rate_percent": f64::from(rate.permille()) / 10.0,
            "likely": self.identity.forwarding.is_likely(rate),
            "keep": keep,
            "kept": rate.kept,
            "hits": rate.hits,
            "misses": rate.misses,
        })
    }

    /// What is set for a number itself.
    pub(super) fn keeps(&self, tenant: TenantId, number: &str) -> Option<model::KeepIdentity> {
        let with_plus = format!("+{number}");
        let found = [with_plus.as_str(), number].into_iter().find_map(|n| {
            match self.index.dialled(tenant, n)? {
                crate::index::Dialled::Number(i) => Some(&self.index.snapshot.numbers[i]),
                _ => None,
            }
        });
        found.and_then(|n| n.keep_identity)
    }
}
