//! UDP: batches in, batches out, replies from the address that was called.

use super::SignalIn;
use super::counters::Counters;
use super::limits::*;
use crate::error::EdgeError;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::icmp;
use crate::sys::mmsg::{BATCH, Outgoing, ReceiveBatch, SendBatch};
use crate::sys::socket::{set_buffers, tell_local_address};
use bytes::Bytes;
use cp_vocab::net::{Flow, Target, Transport};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};

struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
    /// Bound to `0.0.0.0` or `::`: the local address is learned per datagram.
    wildcard: bool,
    queue: VecDeque<Outgoing>,
    /// The kernel took no more; we asked to be told when it does again.
    blocked: bool,
}

/// All UDP sockets of the engine's thread; the index of a socket is its epoll token.
pub(super) struct UdpSockets {
    sockets: Vec<Socket>,
    receive: ReceiveBatch,
    send: SendBatch,
}

impl UdpSockets {
    pub(super) fn bind(addresses: &[SocketAddr], epoll: &Epoll) -> Result<Self, EdgeError> {
        let mut sockets = Vec::with_capacity(addresses.len());
        for (token, addr) in addresses.iter().enumerate() {
            let socket =
                open(*addr).map_err(|source| super::bind_error(Transport::Udp, *addr, source))?;
            epoll
                .add(&socket.socket, token as u64, Interest::Read)
                .map_err(EdgeError::system("watch a UDP socket"))?;
            sockets.push(socket);
        }
        Ok(Self {
            sockets,
            receive: ReceiveBatch::new(),
            send: SendBatch::new(),
        })
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|s| s.local)
    }

    /// Take what waits on socket `token`, bounded. Says whether more may be waiting.
    pub(super) fn receive(
        &mut self,
        token: usize,
        out: &mut Vec<SignalIn>,
        counters: &Counters,
    ) -> bool {
        let Some(socket) = self.sockets.get(token) else {
            return false;
        };
        for _ in 0..BATCHES_PER_POLL_MAX {
            let count = match self.receive.receive(&socket.socket) {
                Ok(count) => count,
                // An ICMP error is reported once in place of data; the queue tells which.
                Err(e) if is_icmp(&e) => continue,
                Err(_) => return false,
            };
            Counters::add(&counters.datagrams_in, count as u64);
            for datagram in self.receive.datagrams() {
                if is_keep_alive(datagram.bytes) {
                    continue;
                }
                let local = match datagram.to {
                    Some(ip) if socket.wildcard => SocketAddr::new(ip, socket.local.port()),
                    _ => socket.local,
                };
                out.push(SignalIn::Datagram {
                    flow: Flow {
                        transport: Transport::Udp,
                        local,
                        remote: datagram.from,
                        connection: None,
                    },
                    // One exact allocation: a call that keeps its INVITE must not keep the
                    // batch of 64 that it came with.
                    bytes: Bytes::copy_from_slice(datagram.bytes),
                });
            }
            if count < BATCH {
                return false;
            }
        }
        true
    }

    /// Read the ICMP errors of socket `token`: each is a datagram of ours that nobody took.
    pub(super) fn errors(&mut self, token: usize, out: &mut Vec<SignalIn>) {
        let Some(socket) = self.sockets.get(token) else {
            return;
        };
        // Reading the pending error clears it; the queue below tells more.
        let _ = socket.socket.take_error();
        for _ in 0..ICMP_PER_POLL_MAX {
            let Some(error) = icmp::next(&socket.socket) else {
                break;
            };
            if error.nobody_there() {
                out.push(failed(error.to));
            }
        }
    }

    /// Queue a datagram on the socket that owns `local`, or any that reaches `to`. `Err` when there
    /// is none.
    pub(super) fn queue(
        &mut self,
        local: Option<SocketAddr>,
        to: SocketAddr,
        bytes: Bytes,
        counters: &Counters,
    ) -> Result<(), ()> {
        let socket = match local {
            Some(local) => self.sockets.iter_mut().find(|s| {
                s.local == local
                    || (s.wildcard
                        && s.local.port() == local.port()
                        && s.local.is_ipv4() == local.is_ipv4())
            }),
            None => self
                .sockets
                .iter_mut()
                .filter(|s| s.local.is_ipv4() == to.is_ipv4())
                .max_by_key(|s| {
                    (
                        s.wildcard || s.local.ip().is_loopback() == to.ip().is_loopback(),
                        !s.wildcard,
                    )
                }),
        };
        let socket = socket.ok_or(())?;
        let source = local
            .filter(|l| socket.wildcard && !l.ip().is_unspecified())
            .map(|l| l.ip());
        if socket.queue.len() >= UDP_QUEUE_MAX {
            socket.queue.pop_front();
            Counters::add(&counters.datagrams_dropped, 1);
        }
        socket.queue.push_back(Outgoing { to, source, bytes });
        Ok(())
    }

    /// Send what is queued. Datagrams that cannot be sent are reported in `out`.
    pub(super) fn flush(&mut self, epoll: &Epoll, out: &mut Vec<SignalIn>, counters: &Counters) {
        for (token, socket) in self.sockets.iter_mut().enumerate() {
            if socket.queue.is_empty() {
                continue;
            }
            flush_one(socket, &mut self.send, out, counters);
            let blocked = !socket.queue.is_empty();
            if blocked != socket.blocked {
                let interest = if blocked {
                    Interest::ReadWrite
                } else {
                    Interest::Read
                };
                if epoll.change(&socket.socket, token as u64, interest).is_ok() {
                    socket.blocked = blocked;
                }
            }
        }
    }
}

fn open(addr: SocketAddr) -> io::Result<Socket> {
    let domain = socket2::Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    let socket: UdpSocket = socket.into();
    let local = socket.local_addr()?;
    let wildcard = local.ip().is_unspecified();
    if wildcard {
        tell_local_address(&socket, addr.is_ipv6())?;
    }
    icmp::enable(&socket, addr.is_ipv6())?;
    set_buffers(&socket, UDP_KERNEL_BUFFER_BYTES);
    Ok(Socket {
        socket,
        local,
        wildcard,
        queue: VecDeque::new(),
        blocked: false,
    })
}

fn flush_one(
    socket: &mut Socket,
    batch: &mut SendBatch,
    out: &mut Vec<SignalIn>,
    counters: &Counters,
) {
    // An ICMP error of an earlier datagram is reported once by the next call, whatever that sends;
    // so an error counts against the first datagram only when it comes twice.
    let mut failed_before = false;
    while !socket.queue.is_empty() {
        match batch.send(&socket.socket, socket.queue.iter()) {
            Ok(sent) => {
                failed_before = false;
                Counters::add(&counters.datagrams_out, sent as u64);
                socket.queue.drain(..sent);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if is_icmp(&e) && !failed_before => failed_before = true,
            Err(_) => {
                failed_before = false;
                if let Some(datagram) = socket.queue.pop_front() {
                    out.push(failed(datagram.to));
                }
            }
        }
    }
}

fn failed(to: SocketAddr) -> SignalIn {
    SignalIn::SendFailed {
        target: Target::Addr {
            transport: Transport::Udp,
            addr: to,
            server_name: None,
        },
    }
}

fn is_icmp(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT)
    )
}

/// Phones keep NAT bindings open with empty lines, zero bytes or nothing at all, and by RFC 5626
/// 3.5.2 with STUN (whose first byte is 0 or 1, which no SIP message begins with).
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|b| *b <= 1)
        || bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alives_are_told_from_messages() {
        for (bytes, expected) in [
            (&b""[..], true),
            (b"\r\n\r\n", true),
            (b"\0", true),
            (b"\0\x01\0\0\x21\x12\xa4\x42", true),
            (b"\r\nOPTIONS", false),
            (b"x", false),
        ] {
            assert_eq!(is_keep_alive(bytes), expected, "{bytes:?}");
        }
    }
}
