//! Source limits: a token bucket per address for what strangers may cost us, and bans for those
//! who guess passwords.

use crate::accounts::Accounts;
use crate::ua::{Principal, UaLimits};
use cp_vocab::Timestamp;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::time::Duration;

/// One wrong digest is forgiven each so often.
const FORGIVE_EVERY: Duration = Duration::from_secs(60);
/// A source without misdeeds for so long starts anew with short bans.
const BAN_MEMORY: Duration = Duration::from_secs(24 * 3_600);
/// A source from which a right digest came so lately is an office: one phone of it with a wrong
/// password locks itself, not the house.
const PROVEN_FOR: Duration = Duration::from_secs(3_600);
/// `Denied` events of one source are at least so far apart.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Doublings of a ban; the configured maximum cuts earlier.
const BAN_DOUBLINGS_MAX: u32 = 16;

struct Source {
    /// Tokens in millionths, and when they were counted.
    tokens: u64,
    seen: Timestamp,
    failures: u32,
    failed: Timestamp,
    bans: u32,
    banned_until: Timestamp,
    reported: Timestamp,
    proven: Timestamp,
}

/// Buckets by source address. Holds at most `sources_max`; when full, the older half of those
/// without a running ban is forgotten.
pub(crate) struct Limiter {
    limits: UaLimits,
    sources: FxHashMap<IpAddr, Source>,
    accounts: Accounts,
}

/// IPv6 sources own a /64 at least, so that is what is counted.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

const TOKEN: u64 = 1_000_000;

impl Limiter {
    pub(crate) fn new(limits: UaLimits) -> Self {
        Self {
            limits,
            sources: FxHashMap::default(),
            accounts: Accounts::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    fn source(&mut self, now: Timestamp, ip: IpAddr) -> &mut Source {
        let ip = network(ip);
        if self.sources.len() >= self.limits.sources_max && !self.sources.contains_key(&ip) {
            self.shrink(now);
        }
        let burst = u64::from(self.limits.unauthenticated_burst) * TOKEN;
        let per_s = u64::from(self.limits.unauthenticated_per_s);
        let source = self.sources.entry(ip).or_insert(Source {
            tokens: burst,
            seen: now,
            failures: 0,
            failed: now,
            bans: 0,
            banned_until: Timestamp::ZERO,
            reported: Timestamp::ZERO,
            proven: Timestamp::ZERO,
        });
        // A token is a million and a second a million microseconds: the rate needs no division.
        let elapsed = now.since(source.seen).as_micros() as u64;
        source.tokens = source
            .tokens
            .saturating_add(elapsed.saturating_mul(per_s))
            .min(burst);
        source.seen = now;
        source
    }

    fn shrink(&mut self, now: Timestamp) {
        let mut seen: Vec<Timestamp> = self.sources.values().map(|s| s.seen).collect();
        let middle = seen.len() / 2;
        let (_, &mut median, _) = seen.select_nth_unstable(middle);
        self.sources
            .retain(|_, s| s.seen > median || s.banned_until > now);
        if self.sources.len() >= self.limits.sources_max {
            // All of them banned or of one instant: start over rather than grow.
            self.sources.clear();
        }
    }

    /// Takes a token; `false`: the source has none left and gets no answer.
    pub(crate) fn take(&mut self, now: Timestamp, ip: IpAddr) -> bool {
        let source = self.source(now, ip);
        if source.tokens < TOKEN {
            return false;
        }
        source.tokens -= TOKEN;
        true
    }

    pub(crate) fn is_banned(&self, now: Timestamp, ip: IpAddr) -> bool {
        self.sources
            .get(&network(ip))
            .is_some_and(|s| s.banned_until > now)
    }

    /// Whether nobody at this address may prove to be the user for now.
    pub(crate) fn is_locked(&self, now: Timestamp, user: Principal, ip: IpAddr) -> bool {
        self.accounts.is_locked(now, user, network(ip))
    }

    /// The right digest came: its challenge costs nothing.
    pub(crate) fn succeeded(&mut self, now: Timestamp, ip: IpAddr, user: Principal) {
        self.accounts.succeeded(user, network(ip));
        let burst = u64::from(self.limits.unauthenticated_burst) * TOKEN;
        let source = self.source(now, ip);
        source.tokens = (source.tokens + TOKEN).min(burst);
        source.proven = now;
    }

    /// A wrong digest came for that user, or for none that there is; `true` when it brought a ban.
    pub(crate) fn failed(&mut self, now: Timestamp, ip: IpAddr, user: Option<Principal>) -> bool {
        let locked = user.is_some_and(|u| self.is_locked(now, u, ip));
        if let Some(user) = user.filter(|_| !locked) {
            self.accounts.failed(now, user, network(ip));
        }
        let limits = self.limits;
        let source = self.source(now, ip);
        if locked && source.proven != Timestamp::ZERO && source.proven + PROVEN_FOR > now {
            return false;
        }
        let quiet = now.since(source.failed);
        let forgiven = (quiet.as_secs() / FORGIVE_EVERY.as_secs()) as u32;
        source.failures = source.failures.saturating_sub(forgiven) + 1;
        if quiet > BAN_MEMORY {
            source.bans = 0;
        }
        source.failed = now;
        if source.failures <= limits.digest_failures_max {
            return false;
        }
        let doublings = source.bans.min(BAN_DOUBLINGS_MAX);
        let ban = (limits.ban * (1 << doublings)).min(limits.ban_max);
        source.bans += 1;
        source.failures = 0;
        source.banned_until = now + ban;
        true
    }

    /// The networks that are banned now, each with the end of its ban.
    pub(crate) fn bans(&self, now: Timestamp) -> Vec<(IpAddr, Timestamp)> {
        let banned = self.sources.iter().filter(|(_, s)| s.banned_until > now);
        banned.map(|(ip, s)| (*ip, s.banned_until)).collect()
    }

    /// Takes a ban back, and what led to it; `false`: there was none.
    pub(crate) fn unban(&mut self, now: Timestamp, ip: IpAddr) -> bool {
        self.accounts.unlock(network(ip));
        match self.sources.get_mut(&network(ip)) {
            Some(s) if s.banned_until > now => {
                (s.banned_until, s.failures, s.bans) = (Timestamp::ZERO, 0, 0);
                true
            }
            _ => false,
        }
    }

    /// Bans a source because a person says so.
    pub(crate) fn ban(&mut self, now: Timestamp, ip: IpAddr, until: Timestamp) {
        self.source(now, ip).banned_until = until;
    }

    /// Whether a `Denied` event may be given for this source now.
    pub(crate) fn may_report(&mut self, now: Timestamp, ip: IpAddr) -> bool {
        let source = self.source(now, ip);
        if source.reported != Timestamp::ZERO && now.since(source.reported) < REPORT_EVERY {
            return false;
        }
        source.reported = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        Limiter::new(UaLimits {
            unauthenticated_per_s: 10,
            unauthenticated_burst: 5,
            digest_failures_max: 3,
            sources_max: 10,
            ..UaLimits::default()
        })
    }
    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn phone(n: u64) -> Principal {
        Principal::Phone(cp_vocab::IdSource::from_u64(n).next(Timestamp::ZERO))
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut l = limiter();
        let t = Timestamp::from_secs(100);
        assert_eq!((0..10).filter(|_| l.take(t, A)).count(), 5);
        assert!(!l.take(t + Duration::from_millis(99), A));
        assert!(l.take(t + Duration::from_millis(200), A));
        l.succeeded(t + Duration::from_millis(200), A, phone(1));
        assert!(l.take(t + Duration::from_millis(200), A));
    }

    #[test]
    fn guessing_brings_growing_bans() {
        let mut l = limiter();
        let mut t = Timestamp::from_secs(100);
        for expected_s in [600, 1_200, 2_400] {
            assert_eq!((0..4).filter(|_| l.failed(t, A, None)).count(), 1);
            assert!(l.is_banned(t + Duration::from_secs(expected_s - 1), A));
            t = t + Duration::from_secs(expected_s);
            assert!(!l.is_banned(t, A));
        }
        // Slow mistakes are forgiven.
        t = t + Duration::from_secs(3_600);
        for _ in 0..20 {
            t = t + FORGIVE_EVERY;
            assert!(!l.failed(t, A, None));
        }
    }

    #[test]
    fn one_phone_with_a_wrong_password_does_not_shut_its_office_out() {
        let t = Timestamp::from_secs(100);
        let mut l = Limiter::new(UaLimits::default());
        l.succeeded(t, A, phone(1));
        let banned = (0..1_000).any(|_| l.failed(t, A, Some(phone(2))));
        assert!(!banned && l.is_locked(t, phone(2), A) && !l.is_locked(t, phone(1), A));
        // Who tries one user after the other is no such phone.
        assert!((3..1_000).any(|n| l.failed(t, A, Some(phone(n)))));
    }

    #[test]
    fn people_see_bans_and_take_them_back() {
        let mut l = limiter();
        let t = Timestamp::from_secs(100);
        assert!(l.bans(t).is_empty() && !l.unban(t, A));
        for _ in 0..4 {
            l.failed(t, A, None);
        }
        assert_eq!(l.bans(t), [(A, t + Duration::from_secs(600))]);
        assert!(l.unban(t, A) && !l.is_banned(t, A) && !l.unban(t, A));
        l.ban(t, A, t + Duration::from_secs(3));
        assert!(l.is_banned(t, A) && !l.is_banned(t + Duration::from_secs(3), A));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut l = limiter();
        for i in 0..1_000_u32 {
            let ip = IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + i));
            l.take(Timestamp::from_millis(u64::from(i)), ip);
            assert!(l.len() <= 10);
        }
    }
}
