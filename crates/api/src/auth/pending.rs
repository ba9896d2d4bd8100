//! What waits for its second step: a code after a password, the answer of an authenticator, the
//! way back from an identity provider. In memory: after a restart people begin anew.

use super::token;
use cp_vocab::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// A step not taken within this time is forgotten.
pub(crate) const STEP_TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// Steps waited for; beyond it the oldest tenth is forgotten.
const STEPS_MAX: usize = 10_000;

/// Values by unguessable tokens; each is taken once.
pub(crate) struct Pending<T>(Mutex<HashMap<String, (Timestamp, T)>>);

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<T> Pending<T> {
    /// Keeps a value and gives the token it is taken with.
    pub(crate) fn put(&self, now: Timestamp, value: T) -> String {
        let token = token::generate(token::STEP_PREFIX);
        self.put_back(now, token.clone(), value);
        token
    }

    /// Keeps a value under the token it was taken with.
    pub(crate) fn put_back(&self, now: Timestamp, token: String, value: T) {
        let mut steps = self.0.lock().expect("no panic while held");
        if steps.len() >= STEPS_MAX {
            steps.retain(|_, (at, _)| now.since(*at) < STEP_TIME_MAX);
        }
        if steps.len() >= STEPS_MAX {
            let mut times: Vec<Timestamp> = steps.values().map(|(at, _)| *at).collect();
            let (_, cut, _) = times.select_nth_unstable(STEPS_MAX / 10);
            let cut = *cut;
            steps.retain(|_, (at, _)| *at > cut);
        }
        steps.insert(token, (now, value));
    }

    /// Takes a value away; `None` when it was taken, forgotten or never there.
    pub(crate) fn take(&self, now: Timestamp, token: &str) -> Option<T> {
        let (at, value) = self.0.lock().expect("no panic while held").remove(token)?;
        (now.since(at) < STEP_TIME_MAX).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_taken_once_and_in_time() {
        let p = Pending::default();
        let at = Timestamp::from_secs;
        let token = p.put(at(0), 1);
        assert_eq!(p.take(at(1), "cpx_other"), None);
        assert_eq!(p.take(at(1), &token), Some(1));
        assert_eq!(p.take(at(1), &token), None);
        let token = p.put(at(0), 2);
        assert_eq!(p.take(at(300), &token), None);
    }

    #[test]
    fn memory_is_bounded() {
        let p = Pending::default();
        for i in 0..STEPS_MAX as u64 + 500 {
            p.put(Timestamp::from_millis(i), i);
        }
        assert!(p.0.lock().unwrap().len() <= STEPS_MAX);
    }
}
