//! Port pairs: taken from one range by all workers, bound once and kept.

use super::MediaConfig;
use crate::error::EdgeError;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::icmp;
use crate::sys::socket::mark_as_voice;
use cp_vocab::media::PortPair;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The next pair of the range that no worker has tried.
pub(super) struct PortRange {
    addr: IpAddr,
    advertised: IpAddr,
    first: u16,
    last: u16,
    next: AtomicU32,
}

impl PortRange {
    pub(super) fn new(config: &MediaConfig) -> Result<Arc<Self>, EdgeError> {
        let (first, last) = (*config.ports.start(), *config.ports.end());
        let even = u32::from(first).next_multiple_of(2).max(2);
        if even + 1 > u32::from(last) {
            return Err(EdgeError::PortRange { first, last });
        }
        Ok(Arc::new(Self {
            addr: config.addr,
            advertised: config.advertised,
            first,
            last,
            next: AtomicU32::new(even),
        }))
    }

    fn next(&self) -> Option<u16> {
        let port = self.next.fetch_add(2, Relaxed);
        if port >= u32::from(self.last) {
            // Put back, so that the counter cannot wrap however often it is asked.
            self.next.fetch_sub(2, Relaxed);
            return None;
        }
        Some(port as u16)
    }

    pub(super) fn nothing_bound(&self, why: &Shortage) -> EdgeError {
        EdgeError::NoMediaPorts {
            addr: self.addr,
            first: self.first,
            last: self.last,
            why: why.to_string(),
        }
    }
}

/// Why fewer ports were bound than asked for.
#[derive(Debug)]
pub(super) enum Shortage {
    RangeUsedUp,
    System(io::Error),
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RangeUsedUp => f.write_str("every port is taken"),
            Self::System(error) => error.fmt(f),
        }
    }
}

/// The two sockets of a leg.
pub(super) struct Pair {
    port: u16,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

const NO_PAIR: u32 = u32::MAX;

/// The sockets of one worker. The epoll token of a socket is twice its pair's index, plus one for
/// RTCP.
pub(super) struct Sockets {
    pairs: Vec<Option<Pair>>,
    /// Places of pairs that went to another worker.
    vacant: Vec<usize>,
    /// Index of the pair by RTP port.
    by_port: Box<[u32]>,
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            vacant: Vec::new(),
            by_port: vec![NO_PAIR; 1 << 16].into_boxed_slice(),
        }
    }

    /// Bind up to `count` pairs and watch them; pairs with a port in foreign use are skipped.
    pub(super) fn bind(
        &mut self,
        count: usize,
        worker: u16,
        range: &PortRange,
        epoll: &Epoll,
    ) -> (Vec<PortPair>, Option<Shortage>) {
        let mut bound = Vec::with_capacity(count);
        while bound.len() < count {
            let Some(port) = range.next() else {
                return (bound, Some(Shortage::RangeUsedUp));
            };
            match self.bind_pair(port, range.addr, epoll) {
                Ok(()) => bound.push(PortPair {
                    worker,
                    rtp: SocketAddr::new(range.advertised, port),
                }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return (bound, Some(Shortage::System(error))),
            }
        }
        (bound, None)
    }

    fn bind_pair(&mut self, port: u16, addr: IpAddr, epoll: &Epoll) -> io::Result<()> {
        let open = |port: u16| {
            let socket = UdpSocket::bind((addr, port))?;
            socket.set_nonblocking(true)?;
            icmp::enable(&socket, addr.is_ipv6())?;
            // Only a wish: a system that does not grant it still carries calls.
            let _ = mark_as_voice(&socket, addr.is_ipv6());
            Ok::<_, io::Error>(socket)
        };
        let pair = Pair {
            port,
            rtp: open(port)?,
            rtcp: open(port + 1)?,
        };
        self.put(pair, epoll)
    }

    /// Watch the sockets of a pair, new or from another worker.
    pub(super) fn put(&mut self, pair: Pair, epoll: &Epoll) -> io::Result<()> {
        let index = self.vacant.pop().unwrap_or(self.pairs.len());
        let watched = epoll
            .add(&pair.rtp, token(index, false), Interest::Read)
            .and_then(|()| epoll.add(&pair.rtcp, token(index, true), Interest::Read));
        if index == self.pairs.len() {
            self.pairs.push(None);
        }
        if let Err(error) = watched {
            self.vacant.push(index);
            return Err(error);
        }
        self.by_port[usize::from(pair.port)] = index as u32;
        self.pairs[index] = Some(pair);
        Ok(())
    }

    /// Give up the sockets of a port, for another worker.
    pub(super) fn take(&mut self, port: u16, epoll: &Epoll) -> Option<Pair> {
        let index = std::mem::replace(&mut self.by_port[usize::from(port)], NO_PAIR) as usize;
        let pair = self.pairs.get_mut(index)?.take()?;
        self.vacant.push(index);
        for socket in [&pair.rtp, &pair.rtcp] {
            if let Err(error) = epoll.remove(socket) {
                tracing::error!(%error, "a socket that goes to another worker stays watched");
            }
        }
        Some(pair)
    }

    /// RTP port, whether it is the RTCP socket, and the socket of an epoll token.
    pub(super) fn by_token(&self, token: u64) -> Option<(u16, bool, &UdpSocket)> {
        let pair = self.pairs.get((token >> 1) as usize)?.as_ref()?;
        let rtcp = token & 1 == 1;
        Some((pair.port, rtcp, if rtcp { &pair.rtcp } else { &pair.rtp }))
    }

    pub(super) fn by_port(&self, port: u16, rtcp: bool) -> Option<&UdpSocket> {
        let index = self.by_port[usize::from(port)] as usize;
        let pair = self.pairs.get(index)?.as_ref()?;
        Some(if rtcp { &pair.rtcp } else { &pair.rtp })
    }
}

fn token(index: usize, rtcp: bool) -> u64 {
    (index as u64) << 1 | u64::from(rtcp)
}
