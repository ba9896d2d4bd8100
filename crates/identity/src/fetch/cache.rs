//! Certificates fetched before, and fetches under way: one fetch per address however many calls
//! wait for it, failures remembered for a while, the oldest entry given up when it is full.

use crate::Fault;
use crate::certificate::{Credential, Trust};
use cp_vocab::Timestamp;
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Whoever waits for a certificate; the caller's own number.
pub type Waiter = u64;

#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Addresses held; beyond it the least recently used settled one goes.
    pub entries_max: usize,
    /// Fetches under way; beyond it a new address fails at once, the call goes on unverified.
    pub fetches_max: usize,
    /// Waiters of one address; beyond it a waiter fails at once.
    pub waiters_max: usize,
    /// When the answer says nothing about its life.
    pub default_life: Duration,
    /// However long the answer says it lives.
    pub life_max: Duration,
    /// A failure is not tried again before this.
    pub failure_life: Duration,
    pub fetch_time_max: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            entries_max: 1_000,
            fetches_max: 64,
            waiters_max: 2_000,
            default_life: Duration::from_secs(3_600),
            life_max: Duration::from_secs(86_400),
            failure_life: Duration::from_secs(45),
            fetch_time_max: super::FETCH_TIME_MAX,
        }
    }
}

/// What a fetch brought.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// Body, and seconds to keep it by Cache-Control or Expires; zero means do not keep.
    Body {
        bytes: Vec<u8>,
        max_age_s: Option<u64>,
    },
    /// No answer, a status other than 200, a body over the limit, a refused address.
    Failed(Fault),
}

#[derive(Clone, Debug)]
pub enum Input {
    /// A call needs the certificate at `url`.
    Want { url: String, waiter: Waiter },
    /// The call is gone.
    Forget { url: String, waiter: Waiter },
    /// The answer to [`Output::Fetch`].
    Done { url: String, fetched: Fetched },
    /// Time has passed.
    Tick,
}

#[derive(Clone, Debug)]
pub enum Output {
    /// Fetch it; give up at `deadline` (the cache does so by itself as well).
    Fetch { url: String, deadline: Timestamp },
    /// The waiter's certificate, or why there is none.
    Ready {
        waiter: Waiter,
        url: String,
        result: Result<Arc<Credential>, Fault>,
    },
}

enum State {
    Fetching {
        deadline: Timestamp,
        waiters: Vec<Waiter>,
    },
    Settled {
        result: Result<Arc<Credential>, Fault>,
        until: Timestamp,
        /// Orders the entries by use.
        used: u64,
    },
}

/// Machine: drain [`Cache::poll`] after every [`Cache::handle`].
pub struct Cache {
    limits: CacheLimits,
    trust: Arc<Trust>,
    entries: FxHashMap<String, State>,
    by_use: BTreeSet<(u64, String)>,
    deadlines: BTreeSet<(Timestamp, String)>,
    uses: u64,
    out: VecDeque<Output>,
}

impl Cache {
    pub fn new(limits: CacheLimits, trust: Arc<Trust>) -> Self {
        Self {
            limits,
            trust,
            entries: FxHashMap::default(),
            by_use: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            uses: 0,
            out: VecDeque::new(),
        }
    }

    /// What is known now, without waiting; time and revocation are judged by the verifier.
    pub fn get(&self, url: &str, now: Timestamp) -> Option<Result<&Arc<Credential>, Fault>> {
        match self.entries.get(url)? {
            State::Settled { result, until, .. } if now < *until => {
                Some(result.as_ref().map_err(|f| *f))
            }
            _ => None,
        }
    }

    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.expire(now);
        match input {
            Input::Want { url, waiter } => self.want(now, url, waiter),
            Input::Forget { url, waiter } => {
                if let Some(State::Fetching { waiters, .. }) = self.entries.get_mut(&url) {
                    waiters.retain(|w| *w != waiter);
                }
            }
            Input::Done { url, fetched } => self.done(now, url, fetched),
            Input::Tick => {}
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(t, _)| *t)
    }

    /// Addresses held, settled or under way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn ready(&mut self, waiter: Waiter, url: &str, result: Result<Arc<Credential>, Fault>) {
        self.out.push_back(Output::Ready {
            waiter,
            url: url.to_string(),
            result,
        });
    }

    fn want(&mut self, now: Timestamp, url: String, waiter: Waiter) {
        if super::check_url(&url).is_err() {
            return self.ready(waiter, &url, Err(Fault::FetchRefused));
        }
        self.uses += 1;
        let uses = self.uses;
        match self.entries.get_mut(&url) {
            Some(State::Settled {
                result,
                until,
                used,
            }) if now < *until => {
                let result = result.clone();
                let before = std::mem::replace(used, uses);
                self.by_use.remove(&(before, url.clone()));
                self.by_use.insert((uses, url.clone()));
                return self.ready(waiter, &url, result);
            }
            Some(State::Fetching { waiters, .. }) => {
                if waiters.len() < self.limits.waiters_max {
                    waiters.push(waiter);
                    return;
                }
                return self.ready(waiter, &url, Err(Fault::FetchFailed));
            }
            Some(State::Settled { used, .. }) => {
                let stale = (*used, url.clone());
                self.by_use.remove(&stale);
                self.entries.remove(&url);
            }
            None => {}
        }
        let under_way = self.deadlines.len();
        if under_way >= self.limits.fetches_max || !self.make_room() {
            return self.ready(waiter, &url, Err(Fault::FetchFailed));
        }
        let deadline = now + self.limits.fetch_time_max;
        self.deadlines.insert((deadline, url.clone()));
        self.out.push_back(Output::Fetch {
            url: url.clone(),
            deadline,
        });
        self.entries.insert(
            url,
            State::Fetching {
                deadline,
                waiters: vec![waiter],
            },
        );
    }

    /// Gives up the least recently used settled entry when full; `false` if none is settled.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < self.limits.entries_max {
            return true;
        }
        match self.by_use.pop_first() {
            Some((_, url)) => {
                self.entries.remove(&url);
                true
            }
            None => false,
        }
    }

    fn done(&mut self, now: Timestamp, url: String, fetched: Fetched) {
        // An answer nobody asked for, or one after its deadline, is dropped.
        if !matches!(self.entries.get(&url), Some(State::Fetching { .. })) {
            return;
        }
        let (result, life) = match fetched {
            Fetched::Failed(fault) => (Err(fault), self.limits.failure_life),
            Fetched::Body { bytes, max_age_s } => match Credential::read(&bytes, &self.trust) {
                Ok(c) => {
                    let asked = max_age_s.map(Duration::from_secs);
                    let life = asked.unwrap_or(self.limits.default_life);
                    let left = c.expires_at() - now;
                    (Ok(Arc::new(c)), life.min(self.limits.life_max).min(left))
                }
                Err(fault) => (Err(fault), self.limits.failure_life),
            },
        };
        self.settle(now, url, result, life);
    }

    fn settle(
        &mut self,
        now: Timestamp,
        url: String,
        result: Result<Arc<Credential>, Fault>,
        life: Duration,
    ) {
        self.uses += 1;
        let settled = State::Settled {
            result: result.clone(),
            until: now + life,
            used: self.uses,
        };
        self.by_use.insert((self.uses, url.clone()));
        if let Some(State::Fetching { deadline, waiters }) =
            self.entries.insert(url.clone(), settled)
        {
            self.deadlines.remove(&(deadline, url.clone()));
            for waiter in waiters {
                self.ready(waiter, &url, result.clone());
            }
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((deadline, url)) = self.deadlines.first().cloned() {
            if deadline > now {
                break;
            }
            self.settle(now, url, Err(Fault::FetchFailed), self.limits.failure_life);
        }
    }
}

#[cfg(test)]
mod tests;
