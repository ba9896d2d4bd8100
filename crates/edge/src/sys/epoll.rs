//! epoll(7).

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// What to be told about a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    ReadWrite,
}

impl Interest {
    fn bits(self) -> u32 {
        match self {
            Self::Read => libc::EPOLLIN as u32,
            Self::ReadWrite => (libc::EPOLLIN | libc::EPOLLOUT) as u32,
        }
    }
}

/// One report: the token given at registration and what is ready.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Ready(libc::epoll_event);

impl Ready {
    pub(crate) const EMPTY: Self = Self(libc::epoll_event { events: 0, u64: 0 });

    pub(crate) fn token(&self) -> u64 {
        self.0.u64
    }
    pub(crate) fn readable(&self) -> bool {
        self.0.events & libc::EPOLLIN as u32 != 0
    }
    pub(crate) fn error(&self) -> bool {
        self.0.events & libc::EPOLLERR as u32 != 0
    }
}

/// A level-triggered epoll instance.
pub(crate) struct Epoll {
    fd: OwnedFd,
    /// Whether epoll_pwait2 (Linux 5.11, microsecond time-outs) is missing; found out at first use.
    coarse: AtomicBool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked before it becomes an owned descriptor.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is open, just made by us and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self {
            fd,
            coarse: AtomicBool::new(false),
        })
    }

    fn control(&self, op: i32, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest.bits(),
            u64: token,
        };
        // SAFETY: both descriptors are open for the length of the call; `event` is a live local.
        let rc = unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                op,
                fd.as_fd().as_raw_fd(),
                &raw mut event,
            )
        };
        if rc < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    pub(crate) fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    pub(crate) fn change(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    pub(crate) fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, Interest::Read)
    }

    /// Wait for reports, at most `timeout` (`None`: for ever). An interrupted wait gives none.
    pub(crate) fn wait(&self, ready: &mut [Ready], timeout: Option<Duration>) -> usize {
        let n = if self.coarse.load(Relaxed) {
            self.wait_ms(ready, timeout)
        } else {
            self.wait_ns(ready, timeout)
        };
        usize::try_from(n).unwrap_or(0)
    }

    fn wait_ns(&self, ready: &mut [Ready], timeout: Option<Duration>) -> i64 {
        let spec = timeout.map(|t| libc::timespec {
            tv_sec: t.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: t.subsec_nanos() as libc::c_long,
        });
        let spec_ptr = spec
            .as_ref()
            .map_or(std::ptr::null(), |s| s as *const libc::timespec);
        // SAFETY: `ready` is a live slice of transparently wrapped epoll_event of the
        // length given; `spec` outlives the call; a null signal mask means "leave it alone".
        let n = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                ready.as_mut_ptr().cast::<libc::epoll_event>(),
                ready.len() as i32,
                spec_ptr,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        if n < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS) {
            self.coarse.store(true, Relaxed);
            return self.wait_ms(ready, timeout);
        }
        n
    }

    fn wait_ms(&self, ready: &mut [Ready], timeout: Option<Duration>) -> i64 {
        // Rounded up: waking before a deadline would spin.
        let ms = timeout.map_or(-1, |t| {
            t.as_micros().div_ceil(1_000).min(i32::MAX as u128) as i32
        });
        // SAFETY: `ready` is a live slice of epoll_event of the length given.
        let n = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                ready.as_mut_ptr().cast::<libc::epoll_event>(),
                ready.len() as i32,
                ms,
            )
        };
        i64::from(n)
    }
}
