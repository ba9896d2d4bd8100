//! One media worker: a loop of read, decide, send.

use super::browsers::Browsers;
use super::events::EventSink;
use super::inbox::{Inbox, Order};
use super::ports::{Pair, PortRange, Sockets};
use super::writer::WriteQueue;
use crate::clock::Clock;
use crate::error::EdgeError;
use crate::sys::epoll::{Epoll, Interest, Ready};
use crate::sys::icmp;
use crate::sys::process::prefer_this_thread;
use cp_media::{MediaCommand, Node, NodeConfig, Sink, WriteOp};
use cp_vocab::media::MediaEvent;
use cp_vocab::{LegId, RecordingId, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const WAKE_TOKEN: u64 = u64::MAX;
/// Reports taken from epoll at once.
const READY_MAX: usize = 256;
/// Packets read before the node's output is sent, so that a packet waits for few others.
const PACKETS_PER_DRAIN: usize = 32;
/// Longest datagram taken; RTP keeps below the MTU, and longer ones are dropped.
const PACKET_BYTES_MAX: usize = 2_048;
/// Port pairs bound between two looks at the sockets: binding must not delay packets.
const PAIRS_PER_ROUND: usize = 16;
/// ICMP errors read from a socket at once.
const ICMP_PER_ROUND_MAX: usize = 8;
/// From this many packets since the last pause on, the worker pauses instead of waiting for the
/// very next packet: a wake-up costs more than a packet, and packets come in crowds.
const BUSY_PACKETS: usize = 4;
/// Length of a pause, and so the delay it can add to a packet.
const PAUSE: Duration = Duration::from_millis(1);
/// Rounds between two looks at the node's counters.
const ROUNDS_PER_GAUGE: u32 = 512;

/// What a worker has done since its start; `legs` is a level.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerCounters {
    pub packets_in: u64,
    pub packets_out: u64,
    /// Packets the kernel refused to send.
    pub send_errors: u64,
    pub legs: u64,
    /// Times the node panicked and all its legs were lost.
    pub panics: u64,
    /// The node's own counts, a little behind.
    pub node: cp_media::Counters,
}

/// Counters, shared with who reads them.
#[derive(Default)]
pub(super) struct Gauge {
    packets_in: AtomicU64,
    packets_out: AtomicU64,
    send_errors: AtomicU64,
    legs: AtomicU64,
    panics: AtomicU64,
    node: Mutex<cp_media::Counters>,
}

impl Gauge {
    pub(super) fn read(&self) -> WorkerCounters {
        WorkerCounters {
            packets_in: self.packets_in.load(Relaxed),
            packets_out: self.packets_out.load(Relaxed),
            send_errors: self.send_errors.load(Relaxed),
            legs: self.legs.load(Relaxed),
            panics: self.panics.load(Relaxed),
            node: *self.node.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

pub(super) struct Worker {
    config: NodeConfig,
    pub(super) clock: Clock,
    pub(super) epoll: Epoll,
    inbox: Arc<Inbox>,
    /// The inboxes of all workers, by number.
    pub(super) peers: Arc<[Arc<Inbox>]>,
    range: Arc<PortRange>,
    pub(super) node: Node,
    pub(super) out: Output,
    /// Taken from the inbox; what a panic leaves here is carried out by the next node.
    orders: VecDeque<Order>,
    /// Pairs still to bind for `Grow` orders.
    to_bind: usize,
    /// Packets since the last pause.
    since_pause: usize,
    paused_until: Timestamp,
    rounds: u32,
    /// What is lost when the node panics.
    pub(super) legs: FxHashSet<LegId>,
    /// Legs on their way here, with the orders that wait for them.
    pub(super) expected: FxHashMap<LegId, Vec<MediaCommand>>,
    gauge: Arc<Gauge>,
}

impl Worker {
    pub(super) fn new(
        config: NodeConfig,
        clock: Clock,
        (inbox, peers): (Arc<Inbox>, Arc<[Arc<Inbox>]>),
        range: Arc<PortRange>,
        events: EventSink,
        writes: Arc<WriteQueue>,
        gauge: Arc<Gauge>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&*inbox.wake, WAKE_TOKEN, Interest::Read)?;
        Ok(Self {
            node: Node::new(config.clone()),
            out: Output {
                worker: config.worker,
                sockets: Sockets::new(),
                browsers: None,
                sink: events,
                events: Vec::new(),
                writes,
                recordings: FxHashSet::default(),
                failed: Vec::new(),
                sent: 0,
                send_errors: 0,
            },
            config,
            clock,
            epoll,
            inbox,
            peers,
            range,
            orders: VecDeque::new(),
            to_bind: 0,
            since_pause: 0,
            paused_until: Timestamp::ZERO,
            rounds: 0,
            legs: FxHashSet::default(),
            expected: FxHashMap::default(),
            gauge,
        })
    }

    /// Take browsers in through these sockets.
    pub(super) fn serve_browsers(&mut self, browsers: Browsers) -> io::Result<()> {
        browsers.watch(&self.epoll)?;
        self.out.browsers = Some(browsers);
        Ok(())
    }

    /// Bind the first pairs, before the thread starts. An error when there is not even one.
    pub(super) fn bind_first(&mut self, pairs: usize) -> Result<(), EdgeError> {
        let bound =
            self.out
                .sockets
                .bind(pairs.max(1), self.config.worker, &self.range, &self.epoll);
        let (ports, shortage) = bound;
        if let Some(shortage) = shortage {
            if ports.is_empty() {
                return Err(self.range.nothing_bound(&shortage));
            }
            self.exhausted(&shortage);
        }
        self.out.events.push(MediaEvent::Ports { ports });
        self.out.sink.put(&mut self.out.events);
        Ok(())
    }

    /// The thread. A panic of the node costs the legs of this worker, which are told as
    /// unreachable, and no more.
    pub(super) fn run(mut self) {
        prefer_this_thread();
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.serve())) {
                Ok(()) => return,
                Err(_) => self.start_over(),
            }
        }
    }

    fn serve(&mut self) {
        let mut ready = [Ready::EMPTY; READY_MAX];
        loop {
            // While something is ready, read on; only then rest.
            let mut count = self.epoll.wait(&mut ready, Some(Duration::ZERO));
            if count == 0 && self.to_bind == 0 {
                count = self.rest(&mut ready);
            }
            // Orders before packets: a packet sent after an order was given finds it carried out.
            self.inbox.wake.awake();
            let go_on = self.inbox.take(&mut self.orders);
            while let Some(order) = self.orders.pop_front() {
                self.take_order(order);
            }
            if self.to_bind > 0 {
                self.bind_some();
            }
            self.read(&ready[..count]);
            let now = self.clock.now();
            if self.node.next_timeout().is_some_and(|t| t <= now) {
                self.node.tick(now);
            }
            self.finish_round();
            if !go_on {
                return self.stop();
            }
        }
    }

    /// Pause when busy, else wait for the next packet, order or timer.
    fn rest(&mut self, ready: &mut [Ready]) -> usize {
        let now = self.clock.now();
        let timer = self.node.next_timeout().map(|t| t.since(now));
        if self.since_pause >= BUSY_PACKETS {
            self.since_pause = 0;
            // Rounds begin a pause apart, however long their work takes.
            let next = (self.paused_until + PAUSE).max(now);
            let pause = timer.map_or(next.since(now), |t| t.min(next.since(now)));
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
            self.paused_until = self.clock.now();
            return 0;
        }
        self.since_pause = 0;
        let timeout = if self.inbox.wake.may_sleep() {
            timer
        } else {
            Some(Duration::ZERO)
        };
        self.epoll.wait(ready, timeout)
    }

    fn read(&mut self, ready: &[Ready]) {
        let mut buffer = [0; PACKET_BYTES_MAX];
        let mut packets = 0;
        let now = self.clock.now();
        for report in ready {
            if report.token() == WAKE_TOKEN {
                self.inbox.wake.clear();
                continue;
            }
            if Browsers::owns(report.token()) {
                packets += self.read_browsers(report.token(), now);
                continue;
            }
            let Some((port, rtcp, socket)) = self.out.sockets.by_token(report.token()) else {
                continue;
            };
            if report.error() {
                read_errors(socket, port, now, &mut self.node);
            }
            if report.readable()
                && let Some((length, from)) = receive(socket, &mut buffer)
            {
                packets += 1;
                self.node
                    .receive(now, port, rtcp, from, &mut buffer[..length]);
                if packets % PACKETS_PER_DRAIN == 0 {
                    self.node.drain(&mut self.out);
                }
            }
        }
        self.since_pause += packets;
        self.gauge.packets_in.fetch_add(packets as u64, Relaxed);
    }

    fn read_browsers(&mut self, token: u64, now: Timestamp) -> usize {
        // Out of the output meanwhile: the node is drained into it after the batch.
        let Some(mut browsers) = self.out.browsers.take() else {
            return 0;
        };
        let node = &mut self.node;
        let read = catch_unwind(AssertUnwindSafe(|| {
            browsers.read(token, now, &self.epoll, &mut |tcp, from, bytes| {
                node.receive_peer(now, tcp, from, bytes);
            })
        }));
        self.out.browsers = Some(browsers);
        match read {
            Ok(packets) => {
                self.node.drain(&mut self.out);
                packets
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Send everything the node has, and tell of failures it must know.
    fn finish_round(&mut self) {
        self.node.drain(&mut self.out);
        if !self.out.failed.is_empty() {
            let now = self.clock.now();
            for (recording, error) in std::mem::take(&mut self.out.failed) {
                self.node.recording_failed(now, recording, error);
            }
            self.node.drain(&mut self.out);
        }
        if let Some(browsers) = &mut self.out.browsers {
            browsers.flush();
        }
        self.out.sink.put(&mut self.out.events);
        let gauge = &self.gauge;
        gauge.legs.store(self.node.leg_count() as u64, Relaxed);
        if self.out.sent > 0 {
            gauge.packets_out.fetch_add(self.out.sent, Relaxed);
            gauge.send_errors.fetch_add(self.out.send_errors, Relaxed);
            (self.out.sent, self.out.send_errors) = (0, 0);
        }
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(ROUNDS_PER_GAUGE) {
            *gauge.node.lock().unwrap_or_else(PoisonError::into_inner) = self.node.counters();
        }
    }

    pub(super) fn take_order(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Command(command) => {
                let Some(command) = self.unless_expected(command) else {
                    return;
                };
                match &command {
                    MediaCommand::Open { leg, .. } => {
                        self.legs.insert(*leg);
                    }
                    MediaCommand::Close { leg } => {
                        self.legs.remove(leg);
                    }
                    _ => {}
                }
                let peer = match &command {
                    MediaCommand::Peer { leg, .. } => Some(*leg),
                    _ => None,
                };
                self.node.command(now, command);
                // A description may have been refused: then there is no leg.
                self.legs.extend(peer.filter(|l| self.node.has_leg(*l)));
            }
            Order::Expect(leg) => self.expect(leg),
            Order::Give { leg, port, to } => self.give(leg, port, to),
            Order::Arrive(arrival) => self.arrive(*arrival),
            Order::Grow(pairs) => self.to_bind = self.to_bind.saturating_add(pairs),
            Order::RecordingFailed(recording, error) => {
                self.node.recording_failed(now, recording, error);
            }
            #[cfg(test)]
            Order::Panic => panic!("as the test ordered"),
        }
    }

    fn bind_some(&mut self) {
        let count = self.to_bind.min(PAIRS_PER_ROUND);
        let worker = self.config.worker;
        let bound = self
            .out
            .sockets
            .bind(count, worker, &self.range, &self.epoll);
        let (ports, shortage) = bound;
        self.to_bind -= count;
        if !ports.is_empty() {
            self.out.events.push(MediaEvent::Ports { ports });
        }
        if let Some(shortage) = shortage {
            self.to_bind = 0;
            self.exhausted(&shortage);
        }
    }

    fn exhausted(&mut self, shortage: &impl std::fmt::Display) {
        let worker = self.config.worker;
        tracing::warn!(worker, %shortage, "no more RTP ports");
        self.out.events.push(MediaEvent::PortsExhausted { worker });
    }

    /// The node is in an unknown state: give it up, say so, begin with an empty one.
    fn start_over(&mut self) {
        let lost = self.legs.len();
        let worker = self.config.worker;
        tracing::error!(worker, lost, "a media node panicked; its legs are lost");
        self.gauge.panics.fetch_add(1, Relaxed);
        // Other SSRCs and sequence numbers than those just given up.
        self.config.seed = self.config.seed.wrapping_mul(3).wrapping_add(1);
        self.node = Node::new(self.config.clone());
        self.out.failed.clear();
        let legs = self.legs.drain();
        let lost = legs.map(|leg| MediaEvent::Unreachable { leg });
        self.out.events.extend(lost);
        for recording in std::mem::take(&mut self.out.recordings) {
            self.out.writes.put(worker, recording, WriteOp::Finish);
            self.out.events.push(MediaEvent::RecordingEnded {
                recording,
                duration_ms: 0,
                error: Some("the media worker failed".to_owned()),
            });
        }
        self.out.sink.put(&mut self.out.events);
    }

    /// End: close recordings whole.
    fn stop(&mut self) {
        let now = self.clock.now();
        for recording in std::mem::take(&mut self.out.recordings) {
            self.node
                .command(now, MediaCommand::StopRecording { recording });
        }
        self.finish_round();
    }
}

/// One datagram, or `None` when there is none after all, or one too long to be RTP.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    // A pending ICMP error takes the place of one read; the error queue tells which.
    let received = socket.recv_from(buffer).or_else(|e| {
        if is_icmp(&e) {
            socket.recv_from(buffer)
        } else {
            Err(e)
        }
    });
    received.ok().filter(|(length, _)| *length < buffer.len())
}

fn read_errors(socket: &UdpSocket, port: u16, now: Timestamp, node: &mut Node) {
    // Reading the pending error clears it.
    let _ = socket.take_error();
    for _ in 0..ICMP_PER_ROUND_MAX {
        let Some(error) = icmp::next(socket) else {
            return;
        };
        if error.nobody_there() {
            node.unreachable(now, port);
        }
    }
}

fn is_icmp(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH)
    )
}

/// Where the node's results go.
pub(super) struct Output {
    worker: u16,
    sockets: Sockets,
    browsers: Option<Browsers>,
    sink: EventSink,
    events: Vec<MediaEvent>,
    writes: Arc<WriteQueue>,
    /// Recordings with an open file.
    recordings: FxHashSet<RecordingId>,
    /// Recordings whose step was refused by the full queue.
    failed: Vec<(RecordingId, String)>,
    sent: u64,
    send_errors: u64,
}

impl Output {
    pub(super) fn take_pair(&mut self, port: u16, epoll: &Epoll) -> Option<Pair> {
        self.sockets.take(port, epoll)
    }

    pub(super) fn put_pair(&mut self, pair: Pair, epoll: &Epoll) -> io::Result<()> {
        self.sockets.put(pair, epoll)
    }

    pub(super) fn tell(&mut self, event: MediaEvent) {
        self.events.push(event);
    }
}

impl Sink for Output {
    fn send(&mut self, port: u16, rtcp: bool, to: SocketAddr, bytes: &[u8]) {
        let Some(socket) = self.sockets.by_port(port, rtcp) else {
            return;
        };
        // An ICMP error of an earlier packet is reported once in place of a send.
        let sent = socket.send_to(bytes, to);
        let sent = match sent {
            Err(e) if is_icmp(&e) => socket.send_to(bytes, to),
            other => other,
        };
        self.sent += 1;
        self.send_errors += u64::from(sent.is_err());
    }

    fn send_peer(&mut self, tcp: bool, to: SocketAddr, bytes: &[u8]) {
        if let Some(browsers) = &mut self.browsers {
            self.sent += 1;
            self.send_errors += u64::from(!browsers.send(tcp, to, bytes));
        }
    }

    fn event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }

    fn write(&mut self, recording: RecordingId, op: WriteOp) {
        match &op {
            WriteOp::Create { .. } => self.recordings.insert(recording),
            WriteOp::Finish => self.recordings.remove(&recording),
            WriteOp::Append(_) | WriteOp::PatchHeader(_) => true,
        };
        if !self.writes.put(self.worker, recording, op) {
            self.recordings.remove(&recording);
            let why = "the disk is too slow: too much waits to be written";
            self.failed.push((recording, why.to_owned()));
        }
    }
}
