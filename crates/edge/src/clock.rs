//! The only clock of the server.

use cp_vocab::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time, anchored once to the wall clock. All copies of one clock agree, so a time taken
/// by a media worker can be compared with one taken by the engine. A step of the wall clock after
/// the anchor changes nothing here: timers never jump.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    origin_wall: Timestamp,
}

impl Clock {
    /// Anchor a clock to the wall time of this moment.
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            origin: Instant::now(),
            origin_wall: Timestamp(wall.as_micros() as u64),
        }
    }

    /// One moment on this clock's line and the system's, for a library that counts by the latter.
    pub(crate) fn anchor(&self) -> cp_media::peer::rtc::Anchor {
        cp_media::peer::rtc::Anchor {
            instant: self.origin,
            at: self.origin_wall,
        }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.origin_wall + self.origin.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_agree_and_time_goes_forward() {
        let clock = Clock::start();
        let copy = clock;
        let first = clock.now();
        let second = copy.now();
        assert!(second >= first);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_micros() as u64;
        assert!(wall.abs_diff(second.as_micros()) < 5_000_000);
    }
}
