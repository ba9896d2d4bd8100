//! The engine thread's view of the connections: who is open, and how to reach them.

use bytes::Bytes;
use cp_vocab::net::{ConnectionId, Target, Transport};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// A message on its way to a connection's task. Small, since every queue has room for a block of
/// them from the start.
pub(super) struct Outgoing {
    /// The address it was sent to, so that a failure can name it; `None` when it was sent to the
    /// connection's own flow.
    pub(super) addr: Option<Box<Target>>,
    pub(super) bytes: Bytes,
}

/// What the engine's thread holds of one connection.
pub(super) struct Handle {
    /// Dropping it ends the connection after what is queued has been written; `None` when that has
    /// been done.
    pub(super) queue: Option<mpsc::Sender<Outgoing>>,
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    /// For connections opened by us over TLS: the name that the server proved.
    pub(super) server_name: Option<String>,
    pub(super) opened_by_us: bool,
    /// Whether the engine ever heard of it or sent to it; only then it is told of the end.
    pub(super) known: bool,
}

#[derive(Default)]
pub(super) struct Table {
    by_id: FxHashMap<ConnectionId, Handle>,
    by_peer: FxHashMap<(Transport, SocketAddr), SmallVec<[ConnectionId; 1]>>,
    opened_by_us: usize,
}

impl Table {
    pub(super) fn insert(&mut self, id: ConnectionId, handle: Handle) {
        // An accepted TLS connection has proved no name to us: it serves its own flow only and is
        // no way to an address (RFC 5923 would ask for a certificate).
        if handle.opened_by_us || !handle.transport.is_secure() {
            self.by_peer
                .entry((handle.transport, handle.remote))
                .or_default()
                .push(id);
        }
        self.opened_by_us += usize::from(handle.opened_by_us);
        self.by_id.insert(id, handle);
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Handle> {
        let handle = self.by_id.remove(&id)?;
        self.opened_by_us -= usize::from(handle.opened_by_us);
        self.unlink(id, handle.transport, handle.remote);
        Some(handle)
    }

    /// Take no more for a connection and let it end; it stays in the table until it has.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(handle) = self.by_id.get_mut(&id) {
            handle.queue = None;
            let (transport, remote) = (handle.transport, handle.remote);
            self.unlink(id, transport, remote);
        }
    }

    fn unlink(&mut self, id: ConnectionId, transport: Transport, remote: SocketAddr) {
        if let Some(ids) = self.by_peer.get_mut(&(transport, remote)) {
            ids.retain(|i| *i != id);
            if ids.is_empty() {
                self.by_peer.remove(&(transport, remote));
            }
        }
    }

    /// An open connection to an address that may carry a message for `server_name`.
    pub(super) fn find(
        &self,
        transport: Transport,
        addr: SocketAddr,
        server_name: Option<&str>,
    ) -> Option<ConnectionId> {
        let ids = self.by_peer.get(&(transport, addr))?;
        ids.iter().copied().find(|id| {
            self.by_id.get(id).is_some_and(|handle| {
                handle.queue.as_ref().is_some_and(|q| !q.is_closed())
                    && (!transport.is_secure() || handle.server_name.as_deref() == server_name)
            })
        })
    }

    /// Queue a message; it comes back when the queue is full or the connection gone.
    pub(super) fn queue(&mut self, id: ConnectionId, message: Outgoing) -> Result<(), Outgoing> {
        let Some(handle) = self.by_id.get_mut(&id) else {
            return Err(message);
        };
        handle.known = true;
        let Some(queue) = &handle.queue else {
            return Err(message);
        };
        queue.try_send(message).map_err(|e| e.into_inner())
    }

    pub(super) fn mark_known(&mut self, id: ConnectionId) {
        if let Some(handle) = self.by_id.get_mut(&id) {
            handle.known = true;
        }
    }

    pub(super) fn opened_by_us(&self) -> usize {
        self.opened_by_us
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len() + self.by_peer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(
        transport: Transport,
        opened_by_us: bool,
        server_name: Option<&str>,
    ) -> (Handle, mpsc::Receiver<Outgoing>) {
        let (queue, receiver) = mpsc::channel(1);
        let handle = Handle {
            queue: Some(queue),
            transport,
            remote: ([192, 0, 2, 1], 5061).into(),
            server_name: server_name.map(str::to_owned),
            opened_by_us,
            known: false,
        };
        (handle, receiver)
    }

    #[test]
    fn a_tls_connection_is_reused_only_for_the_name_it_proved() {
        let mut table = Table::default();
        let addr = ([192, 0, 2, 1], 5061).into();
        let (ours, _r1) = handle(Transport::Tls, true, Some("sip.example"));
        let (theirs, _r2) = handle(Transport::Tls, false, None);
        table.insert(ConnectionId(1), ours);
        table.insert(ConnectionId(2), theirs);
        for (name, expected) in [
            (Some("sip.example"), Some(ConnectionId(1))),
            (Some("evil.example"), None),
            (None, None),
        ] {
            assert_eq!(table.find(Transport::Tls, addr, name), expected, "{name:?}");
        }
        assert_eq!(table.find(Transport::Tcp, addr, None), None);
    }

    #[test]
    fn removal_leaves_nothing_behind() {
        let mut table = Table::default();
        let (h, _r) = handle(Transport::Tcp, true, None);
        table.insert(ConnectionId(1), h);
        assert_eq!(table.opened_by_us(), 1);
        assert!(table.remove(ConnectionId(1)).is_some());
        assert_eq!((table.len(), table.opened_by_us()), (0, 0));
        assert!(table.remove(ConnectionId(1)).is_none());
    }

    #[test]
    fn a_full_queue_and_a_dead_task_give_the_message_back() {
        let mut table = Table::default();
        let (h, receiver) = handle(Transport::Tcp, true, None);
        table.insert(ConnectionId(1), h);
        let message = || Outgoing {
            addr: None,
            bytes: Bytes::from_static(b"x"),
        };
        assert!(table.queue(ConnectionId(1), message()).is_ok());
        assert!(table.queue(ConnectionId(1), message()).is_err(), "full");
        drop(receiver);
        assert!(table.queue(ConnectionId(1), message()).is_err(), "dead");
        assert!(table.queue(ConnectionId(2), message()).is_err(), "unknown");
    }
}
