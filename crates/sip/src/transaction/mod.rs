//! Transactions (RFC 3261 17, RFC 6026): two pure machines and the layer that runs them over
//! tables, keys and timers.

pub mod client;
pub mod layer;
pub mod server;
#[cfg(test)]
mod tests;

pub(crate) use layer::{ClientNews, Layer};

use std::time::Duration;

/// Timer values of RFC 3261 table 4. `t1` must not be zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Round-trip estimate; 500 ms.
    pub t1: Duration,
    /// Longest interval between repetitions; 4 s.
    pub t2: Duration,
    /// Longest life of a message in the network; 5 s.
    pub t4: Duration,
    /// Longest wait for a final response after a provisional one; above 3 minutes (16.6 step 11).
    pub timer_c: Duration,
    /// How long a client INVITE absorbs final responses over UDP; at least 32 s.
    pub timer_d: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            timer_c: Duration::from_secs(200),
            timer_d: Duration::from_secs(32),
        }
    }
}
