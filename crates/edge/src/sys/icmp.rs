//! ICMP errors of an unconnected UDP socket, from its error queue (IP_RECVERR, ip(7)).

use super::address::{CONTROL_WORDS, Control, RawAddress};
use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

/// A datagram of ours that could not be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Undelivered {
    /// Where it was going.
    pub(crate) to: SocketAddr,
    /// The error as errno, e.g. ECONNREFUSED for "port unreachable".
    pub(crate) errno: i32,
}

impl Undelivered {
    /// Whether it says that nobody is there (and not, say, that the datagram was too long).
    pub(crate) fn nobody_there(&self) -> bool {
        matches!(
            self.errno,
            libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT
        )
    }
}

/// Ask the kernel to queue ICMP errors for `socket`.
pub(crate) fn enable(socket: impl AsFd, ipv6: bool) -> io::Result<()> {
    let (level, name) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    } else {
        (libc::IPPROTO_IP, libc::IP_RECVERR)
    };
    super::socket::set_option(socket, level, name, 1)
}

/// The next queued error, or `None` when there is none; does not block.
pub(crate) fn next(socket: impl AsFd) -> Option<Undelivered> {
    let mut name = RawAddress::empty();
    let mut control: Control = [0; CONTROL_WORDS];
    // The start of the datagram comes along; nobody needs it.
    let mut payload = [0u8; 4];
    let mut vector = libc::iovec {
        iov_base: payload.as_mut_ptr().cast(),
        iov_len: payload.len(),
    };
    // SAFETY: msghdr is made of pointers and integers; all-zero is a valid, empty value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = RawAddress::LEN;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the header points at live locals with their true lengths.
    let n = unsafe {
        libc::recvmsg(
            socket.as_fd().as_raw_fd(),
            &raw mut header,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    if n < 0 {
        return None;
    }
    let to = name.get()?;
    // SAFETY: the kernel filled `control`, which is alive; CMSG_* stay inside it, and the payload
    // of a RECVERR message is a sock_extended_err.
    unsafe {
        let mut cmsg = libc::CMSG_FIRSTHDR(&raw const header);
        while !cmsg.is_null() {
            let kind = ((*cmsg).cmsg_level, (*cmsg).cmsg_type);
            if kind == (libc::IPPROTO_IP, libc::IP_RECVERR)
                || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
            {
                let error = libc::CMSG_DATA(cmsg)
                    .cast::<libc::sock_extended_err>()
                    .read_unaligned();
                return Some(Undelivered {
                    to,
                    errno: error.ee_errno as i32,
                });
            }
            cmsg = libc::CMSG_NXTHDR(&raw const header, cmsg);
        }
    }
    None
}
