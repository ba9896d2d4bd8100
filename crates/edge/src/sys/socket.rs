//! Socket options.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

pub(super) fn set_option(socket: impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: `value` is a live local of the length given.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as u32,
        )
    };
    if rc < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Ask for `bytes` of kernel buffer each way. Beyond the system's limit where we may, else up to it.
pub(crate) fn set_buffers(socket: impl AsFd, bytes: i32) {
    let fd = socket.as_fd();
    for (force, plain) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        if set_option(fd, libc::SOL_SOCKET, force, bytes).is_err() {
            // The kernel trims the plain form to its limit and reports no error.
            let _ = set_option(fd, libc::SOL_SOCKET, plain, bytes);
        }
    }
}

/// Ask to be told the local address of each datagram (for sockets bound to a wildcard).
pub(crate) fn tell_local_address(socket: impl AsFd, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Mark what leaves `socket` as voice: DSCP "expedited forwarding" (RFC 4594 4.1).
pub(crate) fn mark_as_voice(socket: impl AsFd, ipv6: bool) -> io::Result<()> {
    const EXPEDITED_FORWARDING: i32 = 46 << 2;
    let (level, name) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
    } else {
        (libc::IPPROTO_IP, libc::IP_TOS)
    };
    set_option(socket, level, name, EXPEDITED_FORWARDING)
}
