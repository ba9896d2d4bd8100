//! What every part of the user agent shares: the time of the current input, the timers, and the
//! queue of outputs.

use crate::table::Handle;
use crate::timer::TimerQueue;
use crate::transaction::Timers;
use crate::ua::{CallRef, UaEvent, UaOutput};
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::Target;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::time::Duration;

/// Timers of one call. At most one of each kind runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallTimer {
    /// Repeat the 2xx, or the reliable provisional response.
    Repeat,
    /// 64*T1 without ACK or PRACK.
    Unacknowledged,
    /// The owner's ring time-out.
    Ring,
    /// Refresh the session, or give it up (RFC 4028).
    Session,
    /// Retry after 491.
    Glare,
    /// The 1xx we must repeat every minute (13.3.1.1), so that proxies keep the call.
    KeepRinging,
    /// The implicit subscription of a REFER runs out.
    Subscription,
    /// The ACK of an old 2xx need no longer be repeated.
    ForgetAck,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    ClientRetransmit(Handle),
    ClientDeadline(Handle),
    ServerRetransmit(Handle),
    ServerDeadline(Handle),
    Call(CallRef, CallTimer),
    Binding(Handle),
    TrunkRegister(Handle),
    TrunkOptions(Handle),
    /// A name nobody resolves.
    Resolve(u64),
}

/// Shared by all parts; `now` is set at the start of every input.
pub(crate) struct Io {
    pub(crate) now: Timestamp,
    pub(crate) timers: TimerQueue<Timer>,
    pub(crate) out: VecDeque<UaOutput>,
    rng: StdRng,
}

impl Io {
    pub(crate) fn new(seed: u64, t: &Timers) -> Self {
        Self {
            now: Timestamp::ZERO,
            timers: TimerQueue::new(&[
                t.t1,
                t.t1 * 64,
                t.t4,
                t.t2,
                t.t1 * 2,
                t.t1 * 4,
                Duration::from_secs(60),
            ]),
            out: VecDeque::new(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    pub(crate) fn event(&mut self, event: UaEvent) {
        self.out.push_back(UaOutput::Event(event));
    }

    pub(crate) fn transmit(&mut self, target: &Target, bytes: &Bytes, call: Option<CallRef>) {
        self.out.push_back(UaOutput::Transmit {
            target: target.clone(),
            bytes: bytes.clone(),
            call,
        });
    }

    pub(crate) fn arm(&mut self, delay: Duration, timer: Timer) -> Timestamp {
        self.timers.schedule(self.now, delay, timer)
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in `0..n`; 0 for `n == 0`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.rng.next_u64()) * u128::from(n)) >> 64) as u64
    }
}
