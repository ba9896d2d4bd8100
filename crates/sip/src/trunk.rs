//! What is known of each trunk: whether its registration holds, whether it answers OPTIONS, and
//! whether that makes it up or down. Pure; `ua::trunks` sends and receives.

use crate::table::{Handle, Table};
use crate::ua::TrunkConfig;
use cp_vocab::{Timestamp, TrunkId};
use rustc_hash::FxHashMap;
use std::time::Duration;

/// OPTIONS in a row without a good answer before a trunk is down.
const FAILURES_TO_DOWN: u32 = 2;
/// Good answers in a row before a trunk that was down is up again.
const SUCCESSES_TO_UP: u32 = 2;
/// First wait after a failed registration; doubles up to the maximum.
const BACK_OFF: Duration = Duration::from_secs(5);
const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// A change of a trunk, to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TrunkChange {
    Up,
    Down(&'static str),
}

/// One condition of being up, with hysteresis.
#[derive(Clone, Copy, Default, Debug)]
struct Condition {
    good: Option<bool>,
    /// Results in a row that say otherwise.
    against: u32,
}

impl Condition {
    fn note(&mut self, good: bool, needed: u32) {
        if self.good == Some(good) {
            self.against = 0;
            return;
        }
        self.against += 1;
        // The first result ever decides at once.
        if self.good.is_none() || self.against >= needed {
            self.good = Some(good);
            self.against = 0;
        }
    }
}

pub(crate) struct TrunkState {
    pub(crate) config: TrunkConfig,
    pub(crate) call_id: Box<str>,
    pub(crate) local_tag: u64,
    pub(crate) cseq: u32,
    pub(crate) expires_s: u32,
    pub(crate) registered: bool,
    register_failures: u32,
    registration: Condition,
    health: Condition,
    told: Option<bool>,
    pub(crate) rtt_ms: u32,
    pub(crate) sent_at: Timestamp,
    pub(crate) register_at: Timestamp,
    pub(crate) options_at: Timestamp,
}

impl TrunkState {
    pub(crate) fn new(config: TrunkConfig, call_id: String, local_tag: u64) -> Self {
        Self {
            config,
            call_id: call_id.into(),
            local_tag,
            cseq: 0,
            expires_s: 3_600,
            registered: false,
            register_failures: 0,
            registration: Condition::default(),
            health: Condition::default(),
            told: None,
            rtt_ms: 0,
            sent_at: Timestamp::ZERO,
            register_at: Timestamp::FAR,
            options_at: Timestamp::FAR,
        }
    }

    /// The registration holds for `granted_s`: when to refresh it.
    pub(crate) fn registered(&mut self, granted_s: u32) -> Duration {
        self.registered = true;
        self.register_failures = 0;
        self.registration.note(true, 1);
        let margin = (granted_s / 8).clamp(1, 120);
        Duration::from_secs(u64::from(granted_s.saturating_sub(margin).max(1)))
    }

    /// It was refused or got no answer: when to try again, given a jitter in thousandths.
    pub(crate) fn register_failed(&mut self, jitter: u64) -> Duration {
        self.registered = false;
        self.registration.note(false, 1);
        let doublings = self.register_failures.min(8);
        self.register_failures += 1;
        let wait = (BACK_OFF * (1 << doublings)).min(BACK_OFF_MAX);
        // A fifth more or less, so that many trunks do not come back at once.
        wait.mul_f64(0.8 + 0.4 * (jitter.min(1_000) as f64 / 1_000.0))
    }

    pub(crate) fn answered(&mut self, good: bool) {
        let needed = if good {
            SUCCESSES_TO_UP
        } else {
            FAILURES_TO_DOWN
        };
        self.health.note(good, needed);
    }

    /// What changed since it was last told.
    pub(crate) fn change(&mut self) -> Option<TrunkChange> {
        let registration = match self.config.register {
            true => self.registration.good,
            false => Some(true),
        };
        let health = match self.config.health_interval_s > 0 {
            true => self.health.good,
            false => Some(true),
        };
        let up = match (registration, health) {
            (Some(false), _) | (_, Some(false)) => false,
            (Some(true), Some(true)) => true,
            _ => return None,
        };
        if self.told == Some(up) {
            return None;
        }
        self.told = Some(up);
        Some(match (up, registration) {
            (true, _) => TrunkChange::Up,
            (false, Some(false)) => TrunkChange::Down("registration"),
            (false, _) => TrunkChange::Down("no_answer"),
        })
    }
}

/// All trunks; as many as are configured.
#[derive(Default)]
pub(crate) struct Trunks {
    pub(crate) table: Table<TrunkState>,
    pub(crate) by_id: FxHashMap<TrunkId, Handle>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::net::Transport;
    use cp_vocab::{IdSource, TrunkId};

    fn state(register: bool, health_interval_s: u32) -> TrunkState {
        let id: TrunkId = IdSource::from_u64(1).next(Timestamp::ZERO);
        let config = TrunkConfig {
            id,
            host: "carrier.example".into(),
            transport: Transport::Udp,
            user: String::new(),
            password: String::new(),
            register,
            health_interval_s,
            addresses: vec![],
        };
        TrunkState::new(config, "c".into(), 1)
    }

    #[test]
    fn health_has_hysteresis() {
        let mut t = state(false, 30);
        t.answered(true);
        assert_eq!(t.change(), Some(TrunkChange::Up));
        t.answered(false);
        assert_eq!(t.change(), None);
        t.answered(true);
        t.answered(false);
        assert_eq!(t.change(), None);
        t.answered(false);
        assert_eq!(t.change(), Some(TrunkChange::Down("no_answer")));
        t.answered(true);
        assert_eq!(t.change(), None);
        t.answered(true);
        assert_eq!(t.change(), Some(TrunkChange::Up));
    }

    #[test]
    fn registration_backs_off_and_recovers() {
        let mut t = state(true, 0);
        let waits: Vec<u64> = (0..8).map(|_| t.register_failed(500).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(t.change(), Some(TrunkChange::Down("registration")));
        assert_eq!(t.registered(3_600).as_secs(), 3_480);
        assert_eq!(t.change(), Some(TrunkChange::Up));
        assert_eq!(t.registered(60).as_secs(), 53);
        assert_eq!(t.change(), None);
    }
}
