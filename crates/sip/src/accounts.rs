//! Guesses at one user's password, from wherever they come: many addresses that try few passwords
//! each get no further than one that tries many.

use crate::ua::Principal;
use cp_vocab::Timestamp;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Wrong passwords for one user within [`WINDOW`]; afterwards only sources that knew the password
/// before are let in until it is over.
pub(crate) const GUESSES_MAX: u32 = 10;
pub(crate) const WINDOW: Duration = Duration::from_secs(600);
/// Sources remembered for a user that knew its password; the oldest is forgotten first.
const PROVEN_MAX: usize = 8;

#[derive(Default)]
struct Account {
    guesses: u32,
    since: Timestamp,
    guessed_from: Option<IpAddr>,
    /// Newest last.
    proven: Vec<IpAddr>,
}

/// Users that exist, and no others: as many entries at most as there are credentials.
#[derive(Default)]
pub(crate) struct Accounts(FxHashMap<Principal, Account>);

impl Accounts {
    /// Whether a password for the user is not even looked at when it comes from there.
    pub(crate) fn is_locked(&self, now: Timestamp, user: Principal, ip: IpAddr) -> bool {
        self.0.get(&user).is_some_and(|a| {
            a.guesses >= GUESSES_MAX && now < a.since + WINDOW && !a.proven.contains(&ip)
        })
    }

    pub(crate) fn failed(&mut self, now: Timestamp, user: Principal, ip: IpAddr) {
        let account = self.0.entry(user).or_default();
        if account.guesses == 0 || now >= account.since + WINDOW {
            (account.guesses, account.since) = (0, now);
        }
        account.guesses = account.guesses.saturating_add(1);
        account.guessed_from = Some(ip);
    }

    pub(crate) fn succeeded(&mut self, user: Principal, ip: IpAddr) {
        let account = self.0.entry(user).or_default();
        if account.proven.last() == Some(&ip) {
            return;
        }
        account.proven.retain(|known| *known != ip);
        if account.proven.len() >= PROVEN_MAX {
            account.proven.remove(0);
        }
        account.proven.push(ip);
    }

    /// Opens what was last guessed at from there: an operator trusts that source again.
    pub(crate) fn unlock(&mut self, ip: IpAddr) {
        for account in self.0.values_mut() {
            if account.guessed_from == Some(ip) {
                account.guesses = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::IdSource;
    use std::net::Ipv4Addr;

    fn ip(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    fn phone(n: u64) -> Principal {
        Principal::Phone(IdSource::from_u64(n).next(Timestamp::ZERO))
    }

    #[test]
    fn many_sources_get_no_more_guesses_than_one_and_who_knew_it_still_comes_in() {
        let t = Timestamp::from_secs(1_000);
        let user = phone(1);
        let other = phone(2);
        let mut accounts = Accounts::default();
        accounts.succeeded(user, ip(1));
        let mut looked_at = 0;
        for n in 0..1_000 {
            let source = ip(100 + n);
            if !accounts.is_locked(t, user, source) {
                looked_at += 1;
                accounts.failed(t, user, source);
            }
        }
        assert_eq!(looked_at, GUESSES_MAX);
        assert!(!accounts.is_locked(t, user, ip(1)), "its phone");
        assert!(!accounts.is_locked(t, other, ip(100)), "another user");
        assert!(accounts.is_locked(t + Duration::from_secs(599), user, ip(2)));
        assert!(!accounts.is_locked(t + WINDOW, user, ip(2)), "it ends");
        // An operator takes the ban of the last guesser back.
        accounts.unlock(ip(109));
        assert!(!accounts.is_locked(t, user, ip(2)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut accounts = Accounts::default();
        let user = phone(1);
        for n in 0..100 {
            accounts.succeeded(user, ip(n));
        }
        assert_eq!(accounts.0[&user].proven.len(), PROVEN_MAX);
        assert_eq!(accounts.0[&user].proven.last(), Some(&ip(99)));
    }
}
