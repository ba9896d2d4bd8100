//! The sockets through which browsers reach one media worker: one UDP port for all of them, and
//! the same number over TCP for networks that let no UDP out (RFC 6544 passive candidates, frames
//! of RFC 4571).

use super::BrowserConfig;
use crate::error::EdgeError;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::mmsg::ReceiveBatch;
use crate::sys::socket::{mark_as_voice, set_buffers};
use cp_media::peer::PeerAddresses;
use cp_vocab::Timestamp;
use cp_vocab::net::Transport;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

pub(super) const UDP_TOKEN: u64 = u64::MAX - 1;
pub(super) const TCP_TOKEN: u64 = u64::MAX - 2;
/// Tokens of TCP connections begin here; those of RTP sockets end far below.
const CONNECTION_TOKEN: u64 = 1 << 62;
/// Batches of datagrams read in one round: other sockets wait for it.
const BATCHES_PER_ROUND: usize = 4;
/// Ports tried for UDP and TCP together before the start is given up.
const ANY_PORT_TRIES: usize = 16;
/// TCP connections at most; further ones are closed at once.
const CONNECTIONS_MAX: usize = 2_048;
/// New connections taken in one round.
const ACCEPTS_PER_ROUND: usize = 32;
/// A connection without a byte for this long is closed: a browser checks its path every 2.5 s.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Bytes that may wait for a browser that does not read; what comes then is dropped, as the
/// network would do.
const OUT_BYTES_MAX: usize = 256 * 1024;
/// Kernel buffer of the shared socket.
const BUFFER_BYTES: i32 = 4 << 20;
/// Bytes read from one connection in one round.
const READ_BYTES: usize = 16 * 1024;

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    /// What does not make a whole frame yet: less than a frame and one read.
    input: Vec<u8>,
    output: VecDeque<u8>,
    heard_at: Timestamp,
}

/// One worker's sockets for browsers.
pub(super) struct Browsers {
    udp: UdpSocket,
    batch: ReceiveBatch,
    listener: Option<TcpListener>,
    connections: Vec<Option<Connection>>,
    by_peer: FxHashMap<SocketAddr, usize>,
    /// Connections with something left to write.
    behind: Vec<usize>,
    looked_at: Timestamp,
    pub(super) addresses: PeerAddresses,
}

/// Whatever port is free for both: the system picks it for UDP, and its number may be taken for TCP.
fn any_port(config: &BrowserConfig) -> Result<(UdpSocket, Option<TcpListener>), EdgeError> {
    let any = SocketAddr::new(config.addr, 0);
    let mut bound = sockets(any, config.tcp);
    for _ in 1..ANY_PORT_TRIES {
        if bound.is_ok() {
            break;
        }
        bound = sockets(any, config.tcp);
    }
    bound
}

impl Browsers {
    /// Binds the ports of worker `worker`.
    pub(super) fn bind(config: &BrowserConfig, worker: u16) -> Result<Self, EdgeError> {
        let wanted = match config.port {
            0 => 0,
            port => port.checked_add(worker).ok_or(EdgeError::PortRange {
                first: port,
                last: u16::MAX,
            })?,
        };
        let at = SocketAddr::new(config.addr, wanted);
        let (udp, listener) = match sockets(at, config.tcp) {
            Err(EdgeError::Bind { source, .. })
                if config.any_if_taken && source.kind() == io::ErrorKind::AddrInUse =>
            {
                tracing::warn!(
                    port = wanted,
                    "taken by another process; browsers get any port"
                );
                any_port(config)?
            }
            bound if wanted == 0 && bound.is_err() => any_port(config)?,
            bound => bound?,
        };
        let local = udp
            .local_addr()
            .map_err(EdgeError::system("set up the socket for browsers"))?;
        let advertised = |ip: &std::net::IpAddr| SocketAddr::new(*ip, local.port());
        let all: Vec<SocketAddr> = config.advertised.iter().map(advertised).collect();
        Ok(Self {
            udp,
            batch: ReceiveBatch::new(),
            addresses: PeerAddresses {
                tcp: if listener.is_some() {
                    all.clone()
                } else {
                    vec![]
                },
                udp: all,
            },
            listener,
            connections: Vec::new(),
            by_peer: FxHashMap::default(),
            behind: Vec::new(),
            looked_at: Timestamp::ZERO,
        })
    }

    /// The shared port's number.
    pub(super) fn port(&self) -> u16 {
        self.addresses.udp.first().map_or(0, |a| a.port())
    }

    pub(super) fn watch(&self, epoll: &Epoll) -> io::Result<()> {
        epoll.add(&self.udp, UDP_TOKEN, Interest::Read)?;
        match &self.listener {
            Some(listener) => epoll.add(listener, TCP_TOKEN, Interest::Read),
            None => Ok(()),
        }
    }

    /// Whether the token is one of ours.
    pub(super) fn owns(token: u64) -> bool {
        (CONNECTION_TOKEN..=UDP_TOKEN).contains(&token)
    }

    /// Reads what made `token` ready; `take` gets each datagram or frame. How many came.
    pub(super) fn read(
        &mut self,
        token: u64,
        now: Timestamp,
        epoll: &Epoll,
        take: &mut dyn FnMut(bool, SocketAddr, &[u8]),
    ) -> usize {
        match token {
            UDP_TOKEN => self.read_udp(take),
            TCP_TOKEN => {
                self.accept(now, epoll);
                0
            }
            _ => self.read_connection((token - CONNECTION_TOKEN) as usize, now, take),
        }
    }

    fn read_udp(&mut self, take: &mut dyn FnMut(bool, SocketAddr, &[u8])) -> usize {
        let mut packets = 0;
        for _ in 0..BATCHES_PER_ROUND {
            // An error is an ICMP answer to something sent, and cleared by being read.
            let Ok(count) = self.batch.receive(&self.udp) else {
                return packets;
            };
            for datagram in self.batch.datagrams() {
                take(false, datagram.from, datagram.bytes);
            }
            packets += count;
            if count < crate::sys::mmsg::BATCH {
                break;
            }
        }
        packets
    }

    fn accept(&mut self, now: Timestamp, epoll: &Epoll) {
        self.close_idle(now);
        for _ in 0..ACCEPTS_PER_ROUND {
            let Some(Ok((stream, peer))) = self.listener.as_ref().map(TcpListener::accept) else {
                return;
            };
            let free = self.connections.iter().position(Option::is_none);
            let index = free.unwrap_or(self.connections.len());
            if index >= CONNECTIONS_MAX || self.by_peer.contains_key(&peer) {
                continue; // Dropped, and so closed.
            }
            let token = CONNECTION_TOKEN + index as u64;
            let ready = stream
                .set_nonblocking(true)
                .and_then(|()| stream.set_nodelay(true))
                .and_then(|()| epoll.add(&stream, token, Interest::Read));
            if ready.is_err() {
                continue;
            }
            let connection = Some(Connection {
                stream,
                peer,
                input: Vec::new(),
                output: VecDeque::new(),
                heard_at: now,
            });
            self.by_peer.insert(peer, index);
            match self.connections.get_mut(index) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
        }
    }

    fn read_connection(
        &mut self,
        index: usize,
        now: Timestamp,
        take: &mut dyn FnMut(bool, SocketAddr, &[u8]),
    ) -> usize {
        let Some(Some(c)) = self.connections.get_mut(index) else {
            return 0;
        };
        let mut buffer = [0; READ_BYTES];
        match c.stream.read(&mut buffer) {
            Ok(0) => {
                self.close(index);
                return 0;
            }
            Ok(n) => c.input.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return 0,
            Err(_) => {
                self.close(index);
                return 0;
            }
        }
        c.heard_at = now;
        let mut at = 0;
        let mut frames = 0;
        while let Some(head) = c.input.get(at..at + 2) {
            let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
            let Some(frame) = c.input.get(at + 2..at + 2 + length) else {
                break;
            };
            take(true, c.peer, frame);
            at += 2 + length;
            frames += 1;
        }
        c.input.drain(..at);
        frames
    }

    fn close(&mut self, index: usize) {
        if let Some(c) = self.connections.get_mut(index).and_then(Option::take) {
            self.by_peer.remove(&c.peer);
        }
    }

    /// Closes connections that say nothing; looked at when somebody knocks and every few seconds.
    pub(super) fn close_idle(&mut self, now: Timestamp) {
        if now.since(self.looked_at) < Duration::from_secs(5) {
            return;
        }
        self.looked_at = now;
        for index in 0..self.connections.len() {
            let heard = self.connections[index].as_ref().map(|c| c.heard_at);
            if heard.is_some_and(|at| now.since(at) >= IDLE_MAX) {
                self.close(index);
            }
        }
    }

    /// Sends one datagram or frame; `false` when it is lost.
    pub(super) fn send(&mut self, tcp: bool, to: SocketAddr, bytes: &[u8]) -> bool {
        if !tcp {
            return self.udp.send_to(bytes, to).is_ok();
        }
        let Some(&index) = self.by_peer.get(&to) else {
            return false;
        };
        let Some(Some(c)) = self.connections.get_mut(index) else {
            return false;
        };
        if c.output.len() + bytes.len() + 2 > OUT_BYTES_MAX {
            return false;
        }
        let idle = c.output.is_empty();
        c.output.extend((bytes.len() as u16).to_be_bytes());
        c.output.extend(bytes);
        if idle {
            self.behind.push(index);
        }
        true
    }

    /// Writes what waits for TCP connections, as far as they take it.
    pub(super) fn flush(&mut self) {
        let mut behind = std::mem::take(&mut self.behind);
        behind.retain(|&index| {
            let Some(Some(c)) = self.connections.get_mut(index) else {
                return false;
            };
            loop {
                let (first, _) = c.output.as_slices();
                if first.is_empty() {
                    return false;
                }
                match c.stream.write(first) {
                    Ok(n) if n > 0 => {
                        c.output.drain(..n);
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
                    _ => {
                        self.close(index);
                        return false;
                    }
                }
            }
        });
        self.behind = behind;
    }
}

/// The UDP socket, and the TCP listener at the same number.
fn sockets(at: SocketAddr, tcp: bool) -> Result<(UdpSocket, Option<TcpListener>), EdgeError> {
    let refused = |transport, addr| {
        move |source| EdgeError::Bind {
            transport,
            addr,
            source,
        }
    };
    let udp = UdpSocket::bind(at).map_err(refused(Transport::Udp, at))?;
    let ready = || {
        udp.set_nonblocking(true)?;
        set_buffers(&udp, BUFFER_BYTES);
        // Only a wish: a system that does not grant it still carries calls.
        let _ = mark_as_voice(&udp, at.is_ipv6());
        udp.local_addr()
    };
    let local = ready().map_err(EdgeError::system("set up the socket for browsers"))?;
    if !tcp {
        return Ok((udp, None));
    }
    let listener = TcpListener::bind(local).map_err(refused(Transport::Tcp, local))?;
    listener
        .set_nonblocking(true)
        .map_err(EdgeError::system("set up the TCP listener for browsers"))?;
    Ok((udp, Some(listener)))
}
