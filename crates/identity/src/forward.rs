//! Identity that survives forwarding by a device that drops it: verify, decide whether the called
//! number is likely to forward, keep, match the call that comes back, re-attach. What is attached
//! is certain or it is not attached: any doubt about which call came back attaches nothing.

mod pairs;
mod rate;

pub use rate::{Rate, WINDOW_CALLS};

use crate::Verdict;
use crate::passport::Attestation;
use cp_vocab::{TenantId, Timestamp};
use pairs::{Found, Pairs};
use rate::Rates;
use rustc_hash::FxHashMap;
use slab::Slab;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// One of our own calls: drawn by the caller of this machine, put into the INVITE to the device
/// (User-to-User, Session-ID, a header of our own), and certain when it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct CallKey(pub u128);

/// The trunk or customer connection a called number belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct CustomerKey(pub u64);

/// Limits and defaults of the machine.
#[derive(Clone, Copy, Debug)]
pub struct ForwardLimits {
    /// How long a kept identity waits for its call to come back.
    pub retention: Duration,
    /// How often one record may be attached; more than once only for devices that ring several
    /// targets at a time.
    pub uses_max: u8,
    /// Calls a number must have had before its rate counts.
    pub calls_min: u32,
    /// Forwarded calls in a thousand from which a number is likely to forward.
    pub threshold_permille: u32,
    /// Records of one tenant; the oldest of the tenant goes when there would be more.
    pub tenant_records_max: usize,
    /// Records in all; the oldest goes.
    pub records_max: usize,
    /// Identity header bytes of one record; a call with more is not kept.
    pub record_bytes_max: usize,
    /// Caller and called pairs that are watched. Beyond it matching by numbers stops for one
    /// retention time, since it could no longer be sure; matching by key goes on.
    pub pairs_max: usize,
    /// Numbers with a forwarding rate; the one not called for longest goes.
    pub numbers_max: usize,
}

impl Default for ForwardLimits {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(120),
            uses_max: 1,
            calls_min: 20,
            threshold_permille: 50,
            tenant_records_max: 20_000,
            records_max: 50_000,
            record_bytes_max: 32 * 1_024,
            pairs_max: 200_000,
            numbers_max: 100_000,
        }
    }
}

/// What is set for the called number or its trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Likelihood {
    /// The number has a forward configured, or the trunk is one that forwards: always keep.
    Always,
    /// By the observed rate.
    #[default]
    Learned,
    /// Keep nothing.
    Never,
}

/// A call on its way to a device.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub tenant: TenantId,
    pub customer: CustomerKey,
    pub call: CallKey,
    /// Canonical caller; `None` when anonymous.
    pub orig: Option<&'a str>,
    /// Canonical called number.
    pub called: &'a str,
    /// Result of verifying `identity`. Verification comes first: only what is valid is kept.
    pub verdict: Verdict,
    pub attestation: Option<Attestation>,
    /// Identity header values as received.
    pub identity: &'a [&'a str],
    pub likelihood: Likelihood,
}

/// What was done with an incoming call's identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    Stored,
    NotLikely,
    NotVerified,
    Anonymous,
    TooLarge,
}

/// A call that a device sent back, marked as diverted.
#[derive(Clone, Copy, Debug)]
pub struct Diverted<'a> {
    pub tenant: TenantId,
    /// The connection it came in on.
    pub customer: CustomerKey,
    /// Our key, if the device kept it.
    pub call: Option<CallKey>,
    pub orig: Option<&'a str>,
    /// From Diversion (top-most) or History-Info (last `mp` or `rc`), canonical.
    pub diverting: Option<&'a str>,
    /// Identity headers that it carries already.
    pub identity: &'a [&'a str],
}

/// How a record was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Matched {
    ByKey,
    ByNumbers,
}

/// Why nothing was attached; the call goes on as a new one with its own attestation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAttached {
    /// Nothing was kept for it, or no longer.
    NoRecord,
    /// More than one call could have come back.
    Ambiguous,
    /// The device put another caller in place.
    OtherCaller,
    /// The key belongs to another called number, customer or tenant.
    OtherNumber,
    /// No caller, or no diverting number, and no key.
    NothingToMatch,
    /// Too many calls to be sure of any; see [`ForwardLimits::pairs_max`].
    Blind,
    /// It was attached as often as allowed.
    UsedUp,
}

impl NotAttached {
    pub fn code(self) -> &'static str {
        match self {
            Self::NoRecord => "no_record",
            Self::Ambiguous => "ambiguous",
            Self::OtherCaller => "other_caller",
            Self::OtherNumber => "other_number",
            Self::NothingToMatch => "nothing_to_match",
            Self::Blind => "blind",
            Self::UsedUp => "used_up",
        }
    }
}

/// What to attach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    pub call: CallKey,
    pub by: Matched,
    pub attestation: Option<Attestation>,
    /// When the call first came in.
    pub arrived_at: Timestamp,
    /// The number it was made to.
    pub called: Box<str>,
    /// Original Identity header values, bytes unchanged, without those the call carries already.
    pub identity: Vec<Arc<str>>,
}

/// One step of a call, for the trace page. The caller stores it with the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Verified(Verdict),
    Decided { likely: bool, rate_permille: u32 },
    Kept(Kept),
    Matched(Matched),
    NotAttached(NotAttached),
    Attached { headers: u8 },
}

/// What happened, for counters and the trace.
pub type Steps = smallvec::SmallVec<[Step; 4]>;

struct Record {
    tenant: TenantId,
    customer: CustomerKey,
    call: CallKey,
    orig: Box<str>,
    called: Box<str>,
    identity: Vec<Arc<str>>,
    attestation: Option<Attestation>,
    arrived_at: Timestamp,
    expires_at: Timestamp,
    uses: u8,
}

/// The machine. All of it is memory; nothing outlives the retention time but rates.
pub struct Forwarding {
    limits: ForwardLimits,
    records: Slab<Record>,
    by_call: FxHashMap<CallKey, usize>,
    by_age: BTreeSet<(Timestamp, usize)>,
    by_tenant: FxHashMap<TenantId, BTreeSet<(Timestamp, usize)>>,
    pairs: Pairs,
    rates: Rates,
}

impl Forwarding {
    pub fn new(limits: ForwardLimits) -> Self {
        Self {
            records: Slab::new(),
            by_call: FxHashMap::default(),
            by_age: BTreeSet::new(),
            by_tenant: FxHashMap::default(),
            pairs: Pairs::new(limits.pairs_max, limits.retention),
            rates: Rates::new(limits.numbers_max),
            limits,
        }
    }

    /// A call goes out to a device. Call it for every one, verified or not: a call that is not
    /// kept still makes another one with the same numbers uncertain.
    pub fn arrived(&mut self, now: Timestamp, call: &Incoming<'_>) -> (Kept, Steps) {
        self.expire(now);
        let rate = self.rates.called(call.tenant, call.called);
        let likely = match call.likelihood {
            Likelihood::Always => true,
            Likelihood::Never => false,
            Likelihood::Learned => self.is_likely(&rate),
        };
        let mut steps = Steps::new();
        steps.push(Step::Verified(call.verdict));
        let kept = self.keep(now, call, likely);
        if kept != Kept::NotVerified {
            steps.push(Step::Decided {
                likely,
                rate_permille: rate.permille(),
            });
        }
        steps.push(Step::Kept(kept));
        self.rates.kept(call.tenant, call.called, kept);
        (kept, steps)
    }

    fn keep(&mut self, now: Timestamp, call: &Incoming<'_>, likely: bool) -> Kept {
        let Some(orig) = call.orig else {
            return Kept::Anonymous;
        };
        let bytes: usize = call.identity.iter().map(|h| h.len()).sum();
        let kept = if call.verdict != Verdict::Valid || call.identity.is_empty() {
            Kept::NotVerified
        } else if !likely {
            Kept::NotLikely
        } else if bytes > self.limits.record_bytes_max {
            Kept::TooLarge
        } else {
            Kept::Stored
        };
        let numbers = pairs::key(call.tenant, call.customer, orig, call.called);
        self.pairs.seen(now, numbers, call.call);
        if kept == Kept::Stored {
            self.store(now, call, orig);
        }
        kept
    }

    fn store(&mut self, now: Timestamp, call: &Incoming<'_>, orig: &str) {
        // The same key twice would make "certain" a lie: the first record goes.
        if let Some(&old) = self.by_call.get(&call.call) {
            self.remove(old);
        }
        let of_tenant = self.by_tenant.get(&call.tenant).map_or(0, BTreeSet::len);
        let oldest = if of_tenant >= self.limits.tenant_records_max {
            self.by_tenant
                .get(&call.tenant)
                .and_then(|s| s.first())
                .copied()
        } else if self.records.len() >= self.limits.records_max {
            self.by_age.first().copied()
        } else {
            None
        };
        if let Some((_, slot)) = oldest {
            self.remove(slot);
        }
        let expires_at = now + self.limits.retention;
        let mut identity: Vec<Arc<str>> = Vec::new();
        for h in call.identity {
            if !identity.iter().any(|kept| &**kept == *h) {
                identity.push(Arc::from(*h));
            }
        }
        let slot = self.records.insert(Record {
            tenant: call.tenant,
            customer: call.customer,
            call: call.call,
            orig: orig.into(),
            called: call.called.into(),
            identity,
            attestation: call.attestation,
            arrived_at: now,
            expires_at,
            uses: 0,
        });
        self.by_call.insert(call.call, slot);
        self.by_age.insert((expires_at, slot));
        self.by_tenant
            .entry(call.tenant)
            .or_default()
            .insert((expires_at, slot));
    }

    /// The call to the device ended. It stops making others uncertain a little later: what the
    /// device sent before it knew may still be on the way.
    pub fn ended(&mut self, now: Timestamp, call: &Incoming<'_>) {
        if let Some(orig) = call.orig {
            let numbers = pairs::key(call.tenant, call.customer, orig, call.called);
            self.pairs.ended(now, numbers, call.call);
        }
    }

    /// A device sent a call back: finds what to attach, or says why nothing is.
    pub fn diverted(
        &mut self,
        now: Timestamp,
        call: &Diverted<'_>,
    ) -> (Result<Attachment, NotAttached>, Steps) {
        self.expire(now);
        let mut steps = Steps::new();
        let found = self.find(now, call);
        if let Some(diverting) = self.diverting(call, &found) {
            self.rates.forwarded(call.tenant, &diverting);
            self.rates.matched(call.tenant, &diverting, found.is_ok());
        }
        let outcome = found.map(|(slot, by)| {
            steps.push(Step::Matched(by));
            let attachment = self.attach(slot, by, call.identity);
            steps.push(Step::Attached {
                headers: attachment.identity.len() as u8,
            });
            attachment
        });
        if let Err(why) = outcome {
            steps.push(Step::NotAttached(why));
            return (Err(why), steps);
        }
        (outcome, steps)
    }

    /// The number whose forwarding was seen: what the call says, or what the record knows.
    fn diverting(
        &self,
        call: &Diverted<'_>,
        found: &Result<(usize, Matched), NotAttached>,
    ) -> Option<Box<str>> {
        match (call.diverting, found) {
            (Some(number), _) => Some(number.into()),
            (None, Ok((slot, _))) => Some(self.records[*slot].called.clone()),
            (None, Err(_)) => None,
        }
    }

    fn find(&self, now: Timestamp, call: &Diverted<'_>) -> Result<(usize, Matched), NotAttached> {
        if let Some(key) = call.call {
            // A key names one call: if that one was not kept, no other may stand in for it.
            let slot = *self.by_call.get(&key).ok_or(NotAttached::NoRecord)?;
            let r = &self.records[slot];
            let same_place = r.tenant == call.tenant
                && r.customer == call.customer
                && call.diverting.is_none_or(|d| d == &*r.called);
            return self.admit(slot, Matched::ByKey, call, same_place);
        }
        let (Some(orig), Some(diverting)) = (call.orig, call.diverting) else {
            return Err(NotAttached::NothingToMatch);
        };
        let numbers = pairs::key(call.tenant, call.customer, orig, diverting);
        match self.pairs.find(now, numbers) {
            Found::Blind => Err(NotAttached::Blind),
            Found::None => Err(NotAttached::NoRecord),
            Found::Several => Err(NotAttached::Ambiguous),
            Found::One(key) => {
                let slot = *self.by_call.get(&key).ok_or(NotAttached::NoRecord)?;
                let r = &self.records[slot];
                // The pair is known by its hash only, so the record is compared.
                let same_place = r.tenant == call.tenant
                    && r.customer == call.customer
                    && &*r.called == diverting;
                self.admit(slot, Matched::ByNumbers, call, same_place)
            }
        }
    }

    fn admit(
        &self,
        slot: usize,
        by: Matched,
        call: &Diverted<'_>,
        same_place: bool,
    ) -> Result<(usize, Matched), NotAttached> {
        let record = &self.records[slot];
        if !same_place {
            return Err(NotAttached::OtherNumber);
        }
        if call.orig != Some(&*record.orig) {
            return Err(NotAttached::OtherCaller);
        }
        if record.uses >= self.limits.uses_max {
            return Err(NotAttached::UsedUp);
        }
        Ok((slot, by))
    }

    fn attach(&mut self, slot: usize, by: Matched, present: &[&str]) -> Attachment {
        let record = &mut self.records[slot];
        record.uses += 1;
        Attachment {
            call: record.call,
            by,
            attestation: record.attestation,
            arrived_at: record.arrived_at,
            called: record.called.clone(),
            identity: record
                .identity
                .iter()
                .filter(|h| !present.contains(&&***h))
                .cloned()
                .collect(),
        }
    }

    /// A forward was seen that did not leave us and come back: configured here, or asked for by a
    /// phone (302). It counts for the number's rate, as does the call itself when it never reached
    /// the device.
    pub fn observed(&mut self, tenant: TenantId, diverting: &str, reached: bool) {
        if !reached {
            self.rates.called(tenant, diverting);
        }
        self.rates.forwarded(tenant, diverting);
    }

    /// Whether the key is of a call whose identity is kept.
    pub fn holds(&self, call: CallKey) -> bool {
        self.by_call.contains_key(&call)
    }

    /// Numbers of a tenant with their rates, those called last first, at most `most`.
    pub fn numbers(&self, tenant: TenantId, most: usize) -> Vec<(&str, Rate)> {
        self.rates.of_tenant(tenant, most)
    }

    /// Whether a number with this rate is likely to forward by what was seen.
    pub fn is_likely(&self, rate: &Rate) -> bool {
        rate.calls >= self.limits.calls_min && rate.permille() >= self.limits.threshold_permille
    }

    pub fn limits(&self) -> &ForwardLimits {
        &self.limits
    }

    /// What an earlier process knew of a number: its last calls, newest first, whether each was
    /// forwarded, and what was kept, matched and not matched.
    pub fn restore(
        &mut self,
        tenant: TenantId,
        number: &str,
        calls: &[bool],
        counters: (u64, u64, u64),
    ) {
        self.rates.restore(tenant, number, calls, counters);
    }

    /// The rate and counters of a number, for its page.
    pub fn rate(&self, tenant: TenantId, number: &str) -> Option<Rate> {
        self.rates.get(tenant, number)
    }

    /// Forgets a person: everything kept with the number as caller or called.
    pub fn erase(&mut self, tenant: TenantId, number: &str) {
        let slots: Vec<usize> = self
            .records
            .iter()
            .filter(|(_, r)| r.tenant == tenant && (&*r.orig == number || &*r.called == number))
            .map(|(slot, _)| slot)
            .collect();
        for slot in slots {
            self.remove(slot);
        }
        self.rates.erase(tenant, number);
    }

    /// Records held now.
    pub fn len(&self) -> usize {
        self.records.len()
    }
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// When the next record is to be forgotten; hand the time to [`Self::expire`].
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.by_age.first().map(|(t, _)| *t)
    }

    pub fn expire(&mut self, now: Timestamp) {
        while let Some(&(at, slot)) = self.by_age.first() {
            if at > now {
                break;
            }
            self.remove(slot);
        }
        self.pairs.expire(now);
    }

    fn remove(&mut self, slot: usize) {
        let record = self.records.remove(slot);
        self.by_call.remove(&record.call);
        self.by_age.remove(&(record.expires_at, slot));
        if let Some(set) = self.by_tenant.get_mut(&record.tenant) {
            set.remove(&(record.expires_at, slot));
            if set.is_empty() {
                self.by_tenant.remove(&record.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests;
