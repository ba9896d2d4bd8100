//! recvmmsg(2) and sendmmsg(2): many datagrams per system call.

use super::address::{CONTROL_WORDS, Control, RawAddress, local_of, put_source};
use bytes::Bytes;
use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

/// Datagrams per system call.
pub(crate) const BATCH: usize = 64;
/// The longest UDP payload; a longer one cannot come.
const DATAGRAM_BYTES_MAX: usize = 65_536;

fn empty_header() -> libc::mmsghdr {
    // SAFETY: mmsghdr is made of pointers and integers; all-zero is a valid, empty value.
    unsafe { std::mem::zeroed() }
}

/// One datagram of the last batch; the bytes stay in the reused buffer.
pub(crate) struct Received<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) from: SocketAddr,
    /// The address it was sent to, when the socket was asked to tell.
    pub(crate) to: Option<IpAddr>,
}

/// Receive buffers for one batch, reused for every socket of a thread. The 4 MB are mapped lazily:
/// only the pages that datagrams reach are ever backed by memory.
pub(crate) struct ReceiveBatch {
    data: Vec<u8>,
    names: Vec<RawAddress>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    count: usize,
}

// SAFETY: the raw pointers inside `vectors` and `headers` only ever point into the heap memory of
// the other fields, which moves with the batch and which nothing else refers to.
unsafe impl Send for ReceiveBatch {}

impl ReceiveBatch {
    pub(crate) fn new() -> Self {
        let mut batch = Self {
            data: vec![0; BATCH * DATAGRAM_BYTES_MAX],
            names: vec![RawAddress::empty(); BATCH],
            controls: vec![[0; CONTROL_WORDS]; BATCH],
            vectors: Vec::with_capacity(BATCH),
            headers: vec![empty_header(); BATCH],
            count: BATCH,
        };
        // The vectors are never resized after this, so the pointers stay good.
        for chunk in batch.data.chunks_exact_mut(DATAGRAM_BYTES_MAX) {
            batch.vectors.push(libc::iovec {
                iov_base: chunk.as_mut_ptr().cast(),
                iov_len: DATAGRAM_BYTES_MAX,
            });
        }
        for (i, header) in batch.headers.iter_mut().enumerate() {
            header.msg_hdr.msg_name = (&raw mut batch.names[i]).cast();
            header.msg_hdr.msg_iov = &raw mut batch.vectors[i];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = batch.controls[i].as_mut_ptr().cast();
        }
        batch
    }

    /// Take what waits on `socket`, at most [`BATCH`]; does not block. Returns how many came.
    pub(crate) fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        // The kernel wrote the true lengths of the last batch over the room there is.
        for header in &mut self.headers[..self.count] {
            header.msg_hdr.msg_namelen = RawAddress::LEN;
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
            header.msg_hdr.msg_flags = 0;
        }
        self.count = 0;
        // SAFETY: every header points at live, distinct parts of this batch with their true
        // lengths; none of them is touched otherwise before the call returns.
        let n = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        self.count = n as usize;
        Ok(self.count)
    }

    /// The datagrams of the last [`Self::receive`], in order; cut-off ones are left out.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Received<'_>> {
        (0..self.count).filter_map(|i| {
            let header = &self.headers[i];
            if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                return None;
            }
            let start = i * DATAGRAM_BYTES_MAX;
            // SAFETY: the kernel filled this header's control buffer in the last `receive`, and
            // the buffer lives in `self`.
            let to = unsafe { local_of(&header.msg_hdr) };
            Some(Received {
                bytes: &self.data[start..start + header.msg_len as usize],
                from: self.names[i].get()?,
                to,
            })
        })
    }
}

/// A datagram to send.
pub(crate) struct Outgoing {
    pub(crate) to: SocketAddr,
    /// Leave from this address (needed on a socket bound to a wildcard).
    pub(crate) source: Option<IpAddr>,
    pub(crate) bytes: Bytes,
}

/// Headers for one batch of datagrams to send, reused.
pub(crate) struct SendBatch {
    names: Vec<RawAddress>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: as for `ReceiveBatch`: pointers are rewritten before each use.
unsafe impl Send for SendBatch {}

impl SendBatch {
    pub(crate) fn new() -> Self {
        Self {
            names: vec![RawAddress::empty(); BATCH],
            controls: vec![[0; CONTROL_WORDS]; BATCH],
            vectors: vec![
                libc::iovec {
                    iov_base: std::ptr::null_mut(),
                    iov_len: 0
                };
                BATCH
            ],
            headers: vec![empty_header(); BATCH],
        }
    }

    /// Send as many of the first [`BATCH`] as the kernel takes; returns how many it took. An error
    /// is about the first of them.
    pub(crate) fn send<'a>(
        &mut self,
        socket: impl AsFd,
        datagrams: impl Iterator<Item = &'a Outgoing>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for (i, datagram) in datagrams.take(BATCH).enumerate() {
            let (name, name_len) = RawAddress::new(datagram.to);
            self.names[i] = name;
            self.vectors[i] = libc::iovec {
                iov_base: datagram.bytes.as_ptr().cast_mut().cast(),
                iov_len: datagram.bytes.len(),
            };
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = name_len;
            header.msg_iov = &raw mut self.vectors[i];
            header.msg_iovlen = 1;
            (header.msg_control, header.msg_controllen) = match datagram.source {
                Some(source) => {
                    let used = put_source(&mut self.controls[i], source);
                    (self.controls[i].as_mut_ptr().cast(), used as _)
                }
                None => (std::ptr::null_mut(), 0),
            };
            count = i + 1;
        }
        if count == 0 {
            return Ok(0);
        }
        // SAFETY: the first `count` headers point at live parts of this batch and at the bytes of
        // the datagrams, which the iterator's borrow keeps alive; the kernel only reads them.
        let n = unsafe {
            libc::sendmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                count as u32,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(n as usize)
    }
}
