//! A leg goes to another worker, with its sockets and its state: two calls that are to become one may
//! have begun on different cores.

use super::inbox::{Arrival, Order};
use super::worker::Worker;
use cp_media::MediaCommand;
use cp_vocab::LegId;
use cp_vocab::media::MediaEvent;

/// Orders that wait for one leg to arrive; it is here within a few milliseconds. Further ones are
/// dropped and told in the log.
const WAITING_ORDERS_MAX: usize = 256;

impl Worker {
    /// From now on orders for this leg wait.
    pub(super) fn expect(&mut self, leg: LegId) {
        self.expected.insert(leg, Vec::new());
    }

    /// The order, unless it is kept for a leg that is on its way.
    pub(super) fn unless_expected(&mut self, command: MediaCommand) -> Option<MediaCommand> {
        if self.expected.is_empty() {
            return Some(command);
        }
        let Some(waiting) = command.leg().and_then(|l| self.expected.get_mut(&l)) else {
            return Some(command);
        };
        if waiting.len() < WAITING_ORDERS_MAX {
            waiting.push(command);
        } else {
            tracing::error!("too many orders for a leg that is on its way");
        }
        None
    }

    pub(super) fn give(&mut self, leg: LegId, port: u16, to: u16) {
        let now = self.clock.now();
        // Nothing that came for it before may be lost: what the node has is sent first.
        let state = self.node.take_leg(now, leg);
        self.legs.remove(&leg);
        self.node.drain(&mut self.out);
        let pair = self.out.take_pair(port, &self.epoll);
        let arrival = Order::Arrive(Box::new(Arrival { leg, pair, state }));
        let taken = self.peers.get(usize::from(to)).map(|p| p.push(arrival));
        if !matches!(taken, Some(Ok(()))) {
            tracing::error!(to, "a worker does not take a leg");
            self.out.tell(MediaEvent::Unreachable { leg });
        }
    }

    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let Arrival { leg, pair, state } = arrival;
        let now = self.clock.now();
        let watched = pair.map(|p| self.out.put_pair(p, &self.epoll));
        if let Some(Err(error)) = watched {
            tracing::error!(%error, "the sockets of a leg cannot be watched");
            self.out.tell(MediaEvent::Unreachable { leg });
        }
        if let Some(state) = state {
            self.legs.insert(leg);
            self.node.put_leg(now, state);
        }
        for command in self.expected.remove(&leg).into_iter().flatten() {
            self.take_order(Order::Command(command));
        }
    }
}
