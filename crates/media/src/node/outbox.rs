//! What waits for the shell: datagrams in one reused buffer, events, file operations.

use super::{Sink, Slot};
use crate::record::WriteOp;
use cp_vocab::media::MediaEvent;
use cp_vocab::{RecordingId, Timestamp};
use std::net::SocketAddr;

/// Bytes of datagrams that may wait; a shell that does not drain loses the rest (counted). Audio that
/// late is worthless.
const PENDING_BYTES_MAX: usize = 16 << 20;

struct Datagram {
    start: u32,
    len: u32,
    via: Via,
    to: SocketAddr,
}

/// Which socket a datagram leaves by.
#[derive(Clone, Copy)]
enum Via {
    Port {
        port: u16,
        rtcp: bool,
    },
    /// The worker's one socket for browsers, or a TCP connection.
    Peer {
        tcp: bool,
    },
}

#[derive(Default)]
pub(crate) struct Outbox {
    /// Time of the call that is being carried out.
    pub(crate) now: Timestamp,
    /// Slots of browser legs that were given something to send.
    pub(crate) dirty: Vec<Slot>,
    bytes: Vec<u8>,
    datagrams: Vec<Datagram>,
    events: Vec<MediaEvent>,
    writes: Vec<(RecordingId, WriteOp)>,
    dropped: u64,
}

impl Outbox {
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
    /// Lets `fill` append one datagram; it is taken back when `fill` fails or the box is full.
    pub(crate) fn datagram<E>(
        &mut self,
        port: u16,
        rtcp: bool,
        to: SocketAddr,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> bool {
        if self.bytes.len() > PENDING_BYTES_MAX {
            self.dropped += 1;
            return false;
        }
        let start = self.bytes.len();
        if fill(&mut self.bytes).is_err() {
            self.bytes.truncate(start);
            return false;
        }
        self.datagrams.push(Datagram {
            start: start as u32,
            len: (self.bytes.len() - start) as u32,
            via: Via::Port { port, rtcp },
            to,
        });
        true
    }
    /// A datagram of a browser leg, complete.
    pub(crate) fn peer_datagram(&mut self, tcp: bool, to: SocketAddr, bytes: &[u8]) {
        if self.bytes.len() > PENDING_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.datagrams.push(Datagram {
            start,
            len: bytes.len() as u32,
            via: Via::Peer { tcp },
            to,
        });
    }
    /// Events follow from commands and packets of open legs, each bounded per drain by the packets read.
    pub(crate) fn event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }
    pub(crate) fn write(&mut self, recording: RecordingId, op: WriteOp) {
        self.writes.push((recording, op));
    }
    pub(crate) fn drain(&mut self, sink: &mut impl Sink) {
        for d in self.datagrams.drain(..) {
            let at = d.start as usize;
            let bytes = &self.bytes[at..at + d.len as usize];
            match d.via {
                Via::Port { port, rtcp } => sink.send(port, rtcp, d.to, bytes),
                Via::Peer { tcp } => sink.send_peer(tcp, d.to, bytes),
            }
        }
        self.bytes.clear();
        for e in self.events.drain(..) {
            sink.event(e);
        }
        for (recording, op) in self.writes.drain(..) {
            sink.write(recording, op);
        }
    }
}
