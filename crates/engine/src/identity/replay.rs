//! Tokens seen before. What counts is what was signed, not the signature: a signature can be bent
//! into another valid one of the same text.

use cp_vocab::Timestamp;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

/// Tokens remembered; the oldest goes. At 60 s of freshness this is 1,600 calls/s.
const TOKENS_MAX: usize = 100_000;

#[derive(Default)]
pub(super) struct Replays {
    /// Hash of what was signed to hash of the Call-ID.
    seen: FxHashMap<u64, u64>,
    by_age: VecDeque<(Timestamp, u64)>,
}

impl Replays {
    /// Notes the token of a header value; whether another call has shown it within `window`.
    pub(super) fn seen(
        &mut self,
        now: Timestamp,
        window: Duration,
        header: &str,
        call_id: &str,
    ) -> bool {
        while let Some((at, key)) = self.by_age.front().copied()
            && (at + window <= now || self.by_age.len() >= TOKENS_MAX)
        {
            self.by_age.pop_front();
            self.seen.remove(&key);
        }
        let token = header.split(';').next().unwrap_or("").trim();
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let (key, call) = (hash(signed), hash(call_id));
        match self.seen.get(&key) {
            Some(first) => *first != call,
            None => {
                self.seen.insert(key, call);
                self.by_age.push_back((now, key));
                false
            }
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut h = DefaultHasher::new();
    h.write(text.as_bytes());
    h.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bent_signature_is_the_same_token() {
        let mut r = Replays::default();
        let t = Timestamp::from_secs(100);
        let window = Duration::from_secs(60);
        let mut seen = |now, header, call| r.seen(now, window, header, call);
        assert!(!seen(t, "a.b.sig1;info=<x>", "call-1"));
        // The same call again: a fork or a repetition.
        assert!(!seen(t, "a.b.sig1;info=<x>", "call-1"));
        assert!(seen(t, "a.b.sig2;info=<x>", "call-2"));
        assert!(!seen(t, "a.c.sig1;info=<x>", "call-3"));
        assert!(!seen(t + window, "a.b.sig1;info=<x>", "call-4"));
    }
}
