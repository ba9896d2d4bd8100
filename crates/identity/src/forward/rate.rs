//! How often a number forwards, over its last hundred calls.

use super::Kept;
use cp_vocab::TenantId;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Calls of one number that its rate looks back on.
pub const WINDOW_CALLS: u32 = 100;

/// Rate and counters of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rate {
    /// Calls in the window, at most [`WINDOW_CALLS`].
    pub calls: u32,
    /// Of those, forwarded.
    pub forwarded: u32,
    /// Since the number was first seen: identities kept, calls matched, calls that matched nothing.
    pub kept: u64,
    pub hits: u64,
    pub misses: u64,
}

impl Rate {
    pub fn permille(&self) -> u32 {
        (self.forwarded * 1_000)
            .checked_div(self.calls)
            .unwrap_or(0)
    }
}

#[derive(Default)]
struct Number {
    /// One bit per call, the newest lowest; set when it was forwarded.
    window: u128,
    rate: Rate,
    used: u64,
}

pub(super) struct Rates {
    most: usize,
    numbers: FxHashMap<(TenantId, Box<str>), Number>,
    by_use: BTreeSet<(u64, TenantId, Box<str>)>,
    uses: u64,
}

const WINDOW_MASK: u128 = (1 << WINDOW_CALLS) - 1;

impl Rates {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            numbers: FxHashMap::default(),
            by_use: BTreeSet::new(),
            uses: 0,
        }
    }

    /// Counts a call and gives the rate before it.
    pub(super) fn called(&mut self, tenant: TenantId, number: &str) -> Rate {
        let n = self.touch(tenant, number);
        let before = n.rate;
        n.window = (n.window << 1) & WINDOW_MASK;
        n.rate.calls = (n.rate.calls + 1).min(WINDOW_CALLS);
        n.rate.forwarded = n.window.count_ones();
        before
    }

    /// One of the calls came back: the newest that is not marked yet stands for it.
    pub(super) fn forwarded(&mut self, tenant: TenantId, number: &str) {
        let n = self.touch(tenant, number);
        let free = n.window.trailing_ones();
        if free < n.rate.calls {
            n.window |= 1 << free;
            n.rate.forwarded = n.window.count_ones();
        }
    }

    pub(super) fn kept(&mut self, tenant: TenantId, number: &str, kept: Kept) {
        if kept == Kept::Stored {
            self.touch(tenant, number).rate.kept += 1;
        }
    }

    pub(super) fn matched(&mut self, tenant: TenantId, number: &str, hit: bool) {
        let n = self.touch(tenant, number);
        if hit {
            n.rate.hits += 1;
        } else {
            n.rate.misses += 1;
        }
    }

    /// Calls newest first.
    pub(super) fn restore(
        &mut self,
        tenant: TenantId,
        number: &str,
        calls: &[bool],
        (kept, hits, misses): (u64, u64, u64),
    ) {
        let n = self.touch(tenant, number);
        let calls = &calls[..calls.len().min(WINDOW_CALLS as usize)];
        n.window = calls
            .iter()
            .rev()
            .fold(0, |w, forwarded| (w << 1) | u128::from(*forwarded));
        n.rate = Rate {
            calls: calls.len() as u32,
            forwarded: n.window.count_ones(),
            kept,
            hits,
            misses,
        };
    }

    pub(super) fn get(&self, tenant: TenantId, number: &str) -> Option<Rate> {
        let key = (tenant, Box::from(number));
        self.numbers.get(&key).map(|n| n.rate)
    }

    pub(super) fn of_tenant(&self, tenant: TenantId, most: usize) -> Vec<(&str, Rate)> {
        let newest = self.by_use.iter().rev().filter(|(_, t, _)| *t == tenant);
        newest
            .take(most)
            .filter_map(|(_, t, number)| {
                let found = self.numbers.get(&(*t, number.clone()))?;
                Some((&**number, found.rate))
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len().max(self.by_use.len())
    }

    pub(super) fn erase(&mut self, tenant: TenantId, number: &str) {
        let key = (tenant, Box::from(number));
        if let Some(n) = self.numbers.remove(&key) {
            self.by_use.remove(&(n.used, tenant, key.1));
        }
    }

    fn touch(&mut self, tenant: TenantId, number: &str) -> &mut Number {
        self.uses += 1;
        let key = (tenant, Box::<str>::from(number));
        if !self.numbers.contains_key(&key)
            && self.numbers.len() >= self.most
            && let Some((_, t, longest_unused)) = self.by_use.pop_first()
        {
            self.numbers.remove(&(t, longest_unused));
        }
        let n = self.numbers.entry(key.clone()).or_default();
        self.by_use.remove(&(n.used, tenant, key.1.clone()));
        n.used = self.uses;
        self.by_use.insert((n.used, tenant, key.1));
        n
    }
}
