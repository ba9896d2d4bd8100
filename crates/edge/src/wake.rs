//! Waking a thread that sleeps in epoll, without a system call when it does not sleep.

use crate::sys::event::EventFd;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Shared by the sleeper and those who wake it. The two flags are a Dekker pair: the sleeper says
/// "I sleep" and then looks for news; the waker leaves news and then looks whether one sleeps.
/// With sequential consistency at least one of them sees the other, so no wake-up is lost.
pub(crate) struct Wake {
    event: EventFd,
    news: AtomicBool,
    sleeping: AtomicBool,
    /// Set by [`Waker`] only, so that the sleeper can tell outside wake-ups from inside ones.
    called: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            event: EventFd::new()?,
            news: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            called: AtomicBool::new(false),
        }))
    }

    /// There is something to look at. Many calls before the sleeper looks cost one.
    pub(crate) fn wake(&self) {
        self.news.store(true, SeqCst);
        if self.sleeping.swap(false, SeqCst) {
            self.event.signal();
        }
    }

    /// Sleeper: about to sleep. `false` means there is news, do not.
    pub(crate) fn may_sleep(&self) -> bool {
        self.sleeping.store(true, SeqCst);
        !self.news.load(SeqCst)
    }

    /// Sleeper: awake again; what was left before this call is to be looked at now.
    pub(crate) fn awake(&self) {
        self.sleeping.store(false, SeqCst);
        self.news.store(false, SeqCst);
    }

    /// Sleeper: the event was reported readable.
    pub(crate) fn clear(&self) {
        self.event.clear();
    }

    /// Sleeper: whether somebody outside called since the last look.
    pub(crate) fn take_called(&self) -> bool {
        self.called.load(SeqCst) && self.called.swap(false, SeqCst)
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Wakes the loop that polls [`crate::Signalling`]; cheap to clone, callable from every thread.
#[derive(Clone)]
pub struct Waker(pub(crate) Arc<Wake>);

impl Waker {
    /// Make the next (or the present) `poll` return, with `SignalIn::Woken` among what it gives.
    pub fn wake(&self) {
        self.0.called.store(true, SeqCst);
        self.0.wake();
    }
}
