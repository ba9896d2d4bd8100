//! Media workers: one thread per core, each with its bound ports and a sans-IO media node.
//!
//! A packet is read, judged by the node and sent on by the same thread; the engine only says who
//! hears whom. Ports are bound before the engine may name them in an SDP and stay bound; the engine
//! keeps the list of free ones. Recordings are written by one more thread, so that a slow disk
//! never holds a packet up.

mod browsers;
mod events;
mod inbox;
mod moving;
mod ports;
mod worker;
mod writer;

#[cfg(test)]
mod tests;

pub use cp_media::{Counters as NodeCounters, MediaCommand, NodeConfig};
pub use events::{EventSink, EventSource, event_queue};
pub use worker::WorkerCounters;

use crate::clock::Clock;
use crate::error::EdgeError;
use crate::sys::process::usable_cores;
use browsers::Browsers;
use cp_media::PeerConfig;
use cp_vocab::LegId;
use cp_vocab::media::PortPair;
use inbox::{Inbox, Order};
use ports::PortRange;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use worker::{Gauge, Worker};
use writer::Writer;

/// Port pairs each worker has when `start` returns, unless set otherwise.
const PAIRS_AT_START: usize = 256;
/// Bytes of recordings that may wait for the disk. At the limit the recording whose step does not
/// fit ends with an error; its call goes on.
const RECORDING_QUEUE_BYTES_MAX: usize = 64 << 20;
/// Workers at most, whatever the machine has.
const WORKERS_MAX: usize = 256;

/// How media is carried.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// Address the RTP sockets are bound to.
    pub addr: IpAddr,
    /// Address that is put into SDP; the same as `addr` unless behind a one-to-one NAT.
    pub advertised: IpAddr,
    /// Ports for RTP (even) and RTCP (the odd one after it).
    pub ports: RangeInclusive<u16>,
    /// Threads; `None` takes one per core this process may use.
    pub workers: Option<usize>,
    /// Port pairs per worker bound by `start`.
    pub pairs_at_start: usize,
    /// Recordings are written below this directory.
    pub record_dir: PathBuf,
    /// See [`RECORDING_QUEUE_BYTES_MAX`].
    pub recording_queue_bytes_max: usize,
    /// How the nodes behave; `worker`, `seed` and `peers` are set per worker.
    pub node: NodeConfig,
    /// Legs of browsers; `None`: none are taken.
    pub browsers: Option<BrowserConfig>,
}

/// How browsers reach the workers.
#[derive(Clone, Debug)]
pub struct BrowserConfig {
    /// Address the sockets are bound to.
    pub addr: IpAddr,
    /// Addresses told to browsers, one candidate each.
    pub advertised: Vec<IpAddr>,
    /// Worker *n* takes this port plus *n*; 0: any.
    pub port: u16,
    /// When that port is taken, any other will do.
    pub any_if_taken: bool,
    /// Whether TCP is taken too, at the same numbers.
    pub tcp: bool,
    pub legs_max: usize,
    pub half_open_max: usize,
}

impl BrowserConfig {
    /// On one address, both bound and advertised, with the house limits.
    pub fn new(addr: IpAddr, port: u16) -> Self {
        Self {
            addr,
            advertised: vec![addr],
            port,
            any_if_taken: false,
            tcp: true,
            legs_max: cp_media::node::PEER_LEGS_MAX,
            half_open_max: cp_media::node::PEER_HALF_OPEN_MAX,
        }
    }
}

impl MediaConfig {
    /// Media on one address, both bound and advertised.
    pub fn new(addr: IpAddr, ports: RangeInclusive<u16>, record_dir: PathBuf) -> Self {
        Self {
            addr,
            advertised: addr,
            ports,
            workers: None,
            pairs_at_start: PAIRS_AT_START,
            record_dir,
            recording_queue_bytes_max: RECORDING_QUEUE_BYTES_MAX,
            node: NodeConfig::default(),
            browsers: None,
        }
    }
}

/// The running workers. Dropping it stops them; recordings under way are closed whole.
pub struct MediaWorkers {
    inboxes: Vec<Arc<Inbox>>,
    gauges: Vec<Arc<Gauge>>,
    threads: Vec<JoinHandle<()>>,
    writer: Option<Writer>,
    browser_ports: Vec<u16>,
}

impl MediaWorkers {
    /// Bind the first ports and start the threads. The ports are announced by `MediaEvent::Ports`
    /// before this returns.
    pub fn start(config: MediaConfig, clock: Clock, events: EventSink) -> Result<Self, EdgeError> {
        let count = config
            .workers
            .unwrap_or_else(usable_cores)
            .clamp(1, WORKERS_MAX);
        let range = PortRange::new(&config)?;
        let inboxes = (0..count)
            .map(|_| Inbox::new().map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(EdgeError::system("make an eventfd"))?;
        let writer = Writer::start(
            config.record_dir.clone(),
            config.recording_queue_bytes_max,
            inboxes.clone(),
        )
        .map_err(EdgeError::system("start the recording thread"))?;
        let mut media = Self {
            inboxes,
            gauges: Vec::new(),
            threads: Vec::new(),
            writer: Some(writer),
            browser_ports: Vec::new(),
        };
        let peers: Arc<[Arc<Inbox>]> = media.inboxes.clone().into();
        let seed = RandomState::new().build_hasher().finish();
        for (index, inbox) in media.inboxes.clone().iter().enumerate() {
            let browsers = config
                .browsers
                .as_ref()
                .map(|c| Browsers::bind(c, index as u16))
                .transpose()?;
            let served = browsers.as_ref().zip(config.browsers.as_ref());
            let node = NodeConfig {
                worker: index as u16,
                seed,
                peers: served.map(|(b, c)| PeerConfig {
                    anchor: clock.anchor(),
                    addresses: b.addresses.clone(),
                    legs_max: c.legs_max,
                    half_open_max: c.half_open_max,
                }),
                ..config.node.clone()
            };
            let gauge = Arc::<Gauge>::default();
            let queue = media.writer.as_ref().expect("just started").queue();
            let mut worker = Worker::new(
                node,
                clock,
                (Arc::clone(inbox), Arc::clone(&peers)),
                Arc::clone(&range),
                events.clone(),
                queue,
                Arc::clone(&gauge),
            )
            .map_err(EdgeError::system("make an epoll instance"))?;
            if let Some(browsers) = browsers {
                media.browser_ports.push(browsers.port());
                worker
                    .serve_browsers(browsers)
                    .map_err(EdgeError::system("watch the sockets for browsers"))?;
            }
            worker.bind_first(config.pairs_at_start)?;
            let thread = std::thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || worker.run())
                .map_err(EdgeError::system("start a media thread"))?;
            media.gauges.push(gauge);
            media.threads.push(thread);
        }
        Ok(media)
    }

    /// How many workers there are; they are numbered from 0.
    pub fn count(&self) -> u16 {
        self.inboxes.len() as u16
    }

    /// The port of each worker for browsers (UDP and TCP); empty when none are taken.
    pub fn browser_ports(&self) -> &[u16] {
        &self.browser_ports
    }

    /// Give a worker an order. Orders to one worker are carried out in order. An error means that
    /// it was not taken: there is no such worker, or it is stuck and its inbox full.
    pub fn send(&self, worker: u16, command: MediaCommand) -> Result<(), EdgeError> {
        self.order(worker, Order::Command(command))
    }

    /// Have a leg carried by another worker, with the sockets of its `port`; the far side notices
    /// nothing. Whom it hears and what plays to it is to be said anew, to the new worker; such orders
    /// may follow at once. An error means that it stays where it is.
    pub fn move_leg(&self, leg: LegId, port: PortPair, to: u16) -> Result<(), EdgeError> {
        self.order(to, Order::Expect(leg))?;
        let port = (port.worker, port.rtp.port());
        let given = Order::Give {
            leg,
            port: port.1,
            to,
        };
        self.order(port.0, given)
    }

    /// Ask a worker to bind `pairs` more port pairs; answered by `MediaEvent::Ports` in pieces, and
    /// by `PortsExhausted` when not all could be bound.
    pub fn grow(&self, worker: u16, pairs: usize) -> Result<(), EdgeError> {
        self.order(worker, Order::Grow(pairs))
    }

    /// What worker `worker` has done so far.
    pub fn counters(&self, worker: u16) -> Option<WorkerCounters> {
        self.gauges.get(usize::from(worker)).map(|g| g.read())
    }

    fn order(&self, worker: u16, order: Order) -> Result<(), EdgeError> {
        let inbox = self
            .inboxes
            .get(usize::from(worker))
            .ok_or(EdgeError::NoSuchWorker { worker })?;
        inbox
            .push(order)
            .map_err(|waiting| EdgeError::WorkerOverloaded { worker, waiting })
    }
}

impl Drop for MediaWorkers {
    fn drop(&mut self) {
        for inbox in &self.inboxes {
            inbox.stop();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        // After the workers: what they still had to write is in its queue.
        drop(self.writer.take());
    }
}
