//! A server's signalling edge under test.

use bytes::Bytes;
use cp_edge::{Clock, ListenConfig, SignalIn, Signalling};
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long to wait for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Site {
    pub(crate) signalling: Signalling,
    pub(crate) clock: Clock,
    pub(crate) runtime: Runtime,
    seen: Vec<SignalIn>,
}

impl Site {
    pub(crate) fn new(config: ListenConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("runtime");
        let clock = Clock::start();
        let signalling = Signalling::bind(config, runtime.handle(), clock).expect("bind");
        Self {
            signalling,
            clock,
            runtime,
            seen: Vec::new(),
        }
    }

    pub(crate) fn address(&self, transport: Transport) -> SocketAddr {
        self.signalling
            .local_addresses()
            .into_iter()
            .find(|(t, _)| *t == transport)
            .expect("listens")
            .1
    }

    /// Poll until `pick` takes an event (others stay for later) or patience ends.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&SignalIn) -> Option<T>,
    ) -> T {
        let deadline = self.clock.now() + PATIENCE;
        loop {
            for i in 0..self.seen.len() {
                if let Some(found) = pick(&self.seen[i]) {
                    self.seen.remove(i);
                    return found;
                }
            }
            let before = self.clock.now();
            assert!(before < deadline, "no {what}; seen: {:?}", self.seen);
            let now = self.signalling.poll(Some(deadline), &mut self.seen);
            assert!(now >= before, "one time per batch, going forward");
        }
    }

    pub(crate) fn datagram(&mut self) -> (Flow, Bytes) {
        self.until("datagram", |e| match e {
            SignalIn::Datagram { flow, bytes } => Some((*flow, bytes.clone())),
            _ => None,
        })
    }

    pub(crate) fn message(&mut self) -> (Flow, Option<String>, Bytes) {
        self.until("message", |e| match e {
            SignalIn::Message {
                flow,
                tls_name,
                bytes,
            } => Some((*flow, tls_name.clone(), bytes.clone())),
            _ => None,
        })
    }

    pub(crate) fn closed(&mut self) -> ConnectionId {
        self.until("closed", |e| match e {
            SignalIn::Closed { connection } => Some(*connection),
            _ => None,
        })
    }

    pub(crate) fn send_failed(&mut self) -> Target {
        self.until("send failed", |e| match e {
            SignalIn::SendFailed { target } => Some(target.clone()),
            _ => None,
        })
    }
}

pub(crate) fn to(transport: Transport, addr: SocketAddr) -> Target {
    Target::Addr {
        transport,
        addr,
        server_name: None,
    }
}

/// A message with a body, so that framing has to count.
pub(crate) fn options(n: usize) -> Bytes {
    let body = "x".repeat(n % 50);
    format!(
        "OPTIONS sip:{n}@127.0.0.1 SIP/2.0\r\nCall-ID: {n}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}
