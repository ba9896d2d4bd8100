//! What waits for the shell: datagrams in one reused buffer, events, file operations.

use super::Sink;
use crate::record::WriteOp;
use cp_vocab::RecordingId;
use cp_vocab::media::MediaEvent;
use std::net::SocketAddr;

/// Bytes of datagrams that may wait; a shell that does not drain loses the rest (counted). Audio that
/// late is worthless.
const PENDING_BYTES_MAX: usize = 16 << 20;

struct Datagram {
    start: u32,
    len: u32,
    port: u16,
    rtcp: bool,
    to: SocketAddr,
}

#[derive(Default)]
pub(crate) struct Outbox {
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
            port,
            rtcp,
            to,
        });
        true
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
            sink.send(d.port, d.rtcp, d.to, &self.bytes[at..at + d.len as usize]);
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
