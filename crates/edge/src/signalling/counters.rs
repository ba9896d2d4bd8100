//! What the signalling edge has seen, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the start; `connections_open` is a level. Read them from any thread.
#[derive(Debug, Default)]
pub struct Counters {
    pub datagrams_in: AtomicU64,
    pub datagrams_out: AtomicU64,
    /// Dropped because the kernel took no more for too long.
    pub datagrams_dropped: AtomicU64,
    pub messages_in: AtomicU64,
    pub messages_out: AtomicU64,
    pub connections_open: AtomicU64,
    pub connections_accepted: AtomicU64,
    pub connections_opened: AtomicU64,
    /// Closed at once because of `connections_max` or `connections_per_source_max`.
    pub connections_refused: AtomicU64,
    /// TLS or WebSocket handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Closed for what they sent or did not send (too long, garbage, too slow, idle).
    pub connections_expelled: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }
    pub(super) fn sub(counter: &AtomicU64, n: u64) {
        counter.fetch_sub(n, Relaxed);
    }
}
