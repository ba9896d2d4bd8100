//! Orders to one worker.

use super::ports::Pair;
use crate::wake::Wake;
use cp_media::{MediaCommand, MovingLeg};
use cp_vocab::{LegId, RecordingId};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Orders that may wait. A worker takes all of them every millisecond, so the limit is reached
/// only when it is stuck; then orders are refused.
const ORDERS_MAX: usize = 65_536;

pub(super) enum Order {
    Command(MediaCommand),
    Grow(usize),
    /// This leg is on its way from another worker: orders for it wait until it is here.
    Expect(LegId),
    /// Give this leg, and the sockets of its port, to another worker.
    Give {
        leg: LegId,
        port: u16,
        to: u16,
    },
    /// A leg from another worker.
    Arrive(Box<Arrival>),
    /// A step on the file of a recording failed.
    RecordingFailed(RecordingId, String),
    /// Stands for a bug in the node.
    #[cfg(test)]
    Panic,
}

/// What one worker hands to another: sockets always, the leg's state when it was open.
pub(super) struct Arrival {
    pub(super) leg: LegId,
    pub(super) pair: Option<Pair>,
    pub(super) state: Option<MovingLeg>,
}

#[derive(Default)]
struct Waiting {
    orders: VecDeque<Order>,
    stop: bool,
}

pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    pub(super) wake: Arc<Wake>,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            waiting: Mutex::default(),
            wake: Wake::new()?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave an order; how many wait, when there is no room.
    pub(super) fn push(&self, order: Order) -> Result<(), usize> {
        {
            let mut waiting = self.lock();
            if waiting.orders.len() >= ORDERS_MAX {
                return Err(waiting.orders.len());
            }
            waiting.orders.push_back(order);
        }
        self.wake.wake();
        Ok(())
    }

    /// Ask the worker to end.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.wake.wake();
    }

    /// Move what waits to the end of `orders`; `false` when the worker is to end.
    pub(super) fn take(&self, orders: &mut VecDeque<Order>) -> bool {
        let mut waiting = self.lock();
        if orders.is_empty() {
            std::mem::swap(&mut waiting.orders, orders);
        } else {
            orders.append(&mut waiting.orders);
        }
        !waiting.stop
    }
}
