//! Which calls with the same caller, called number and customer are in the air: only when there is
//! one may it be taken for the one that comes back. No identity is held here, only hashes.

use super::{CallKey, CustomerKey};
use cp_vocab::{TenantId, Timestamp};
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// Calls of one pair that are told apart; with more the pair is uncertain until all have aged out.
const CALLS_MAX: usize = 8;
/// How long after its end a call may still come back: a request repeated over UDP lives 32 s.
const ENDED_GRACE: Duration = Duration::from_secs(32);

/// Hash of the numbers. Two pairs with one hash are both uncertain, which is safe.
pub(super) fn key(tenant: TenantId, customer: CustomerKey, orig: &str, called: &str) -> u64 {
    let mut h = FxHasher::default();
    (tenant, customer, orig, called).hash(&mut h);
    h.finish()
}

#[derive(Default)]
struct Pair {
    calls: SmallVec<[(CallKey, Timestamp); 2]>,
    /// More than [`CALLS_MAX`] were seen; uncertain until then.
    crowded_until: Timestamp,
    expires_at: Timestamp,
}

pub(super) enum Found {
    None,
    One(CallKey),
    Several,
    Blind,
}

pub(super) struct Pairs {
    most: usize,
    retention: Duration,
    by_key: FxHashMap<u64, Pair>,
    by_age: BTreeSet<(Timestamp, u64)>,
    /// A call went unwatched; until it has aged out, nothing is certain.
    blind_until: Timestamp,
}

impl Pairs {
    pub(super) fn new(most: usize, retention: Duration) -> Self {
        Self {
            most,
            retention,
            by_key: FxHashMap::default(),
            by_age: BTreeSet::new(),
            blind_until: Timestamp::ZERO,
        }
    }

    pub(super) fn seen(&mut self, now: Timestamp, key: u64, call: CallKey) {
        let until = now + self.retention;
        if !self.by_key.contains_key(&key) && self.by_key.len() >= self.most {
            self.blind_until = until;
            return;
        }
        let pair = self.by_key.entry(key).or_default();
        pair.calls.retain(|(_, t)| *t > now);
        if pair.calls.len() == CALLS_MAX {
            pair.crowded_until = until;
        } else {
            pair.calls.push((call, until));
        }
        self.by_age.remove(&(pair.expires_at, key));
        pair.expires_at = until;
        self.by_age.insert((until, key));
    }

    pub(super) fn ended(&mut self, now: Timestamp, key: u64, call: CallKey) {
        if let Some(pair) = self.by_key.get_mut(&key) {
            for (c, until) in &mut pair.calls {
                if *c == call {
                    *until = (*until).min(now + ENDED_GRACE);
                }
            }
        }
    }

    pub(super) fn find(&self, now: Timestamp, key: u64) -> Found {
        if now < self.blind_until {
            return Found::Blind;
        }
        let Some(pair) = self.by_key.get(&key) else {
            return Found::None;
        };
        if now < pair.crowded_until {
            return Found::Several;
        }
        let mut live = pair.calls.iter().filter(|(_, until)| *until > now);
        match (live.next(), live.next()) {
            (None, _) => Found::None,
            (Some((call, _)), None) => Found::One(*call),
            (Some(_), Some(_)) => Found::Several,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_key.len().max(self.by_age.len())
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(&(at, key)) = self.by_age.first() {
            if at > now {
                break;
            }
            self.by_age.remove(&(at, key));
            self.by_key.remove(&key);
        }
    }
}
