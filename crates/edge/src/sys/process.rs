//! What this process may use: cores and descriptors.

/// Raise the soft limit of open files to `wanted`, or as far as the hard limit lets us (a
/// privileged process raises that too). Returns the limit in force; each media leg takes two.
pub fn raise_file_limit(wanted: u64) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live local.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } < 0 {
        return 0;
    }
    if limit.rlim_cur >= wanted {
        return limit.rlim_cur;
    }
    for max in [limit.rlim_max.max(wanted), limit.rlim_max] {
        let raised = libc::rlimit {
            rlim_cur: wanted.min(max),
            rlim_max: max,
        };
        // SAFETY: `raised` is a live local.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            return raised.rlim_cur;
        }
    }
    limit.rlim_cur
}

/// How many cores this process may run on (sched_getaffinity(2)); at least one.
pub(crate) fn usable_cores() -> usize {
    // SAFETY: cpu_set_t is a plain bit set; all-zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is a live local of the length given; pid 0 means this thread.
    let rc = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if rc < 0 {
        return 1;
    }
    // SAFETY: pure bit counting.
    (unsafe { libc::CPU_COUNT(&set) } as usize).max(1)
}

/// Nice value asked for threads that carry voice.
const VOICE_NICE: i32 = -10;

/// Let the calling thread run before its siblings: a packet is late after a millisecond, a SIP
/// message after a hundred. One step up where the process runs in real time (a thread of equal
/// priority would otherwise run out its slice first), else a better nice value. Where neither is
/// permitted nothing changes.
pub(crate) fn prefer_this_thread() {
    // SAFETY: no pointers; 0 means the calling thread.
    let policy = unsafe { libc::sched_getscheduler(0) };
    if policy == libc::SCHED_RR || policy == libc::SCHED_FIFO {
        let mut param = libc::sched_param { sched_priority: 0 };
        // SAFETY: `param` is a live local, and 0 means the calling thread. The maximum is asked
        // with plain numbers.
        unsafe {
            libc::sched_getparam(0, &raw mut param);
            let max = libc::sched_get_priority_max(policy);
            param.sched_priority = (param.sched_priority + 1).min(max);
            libc::sched_setscheduler(0, policy, &raw const param);
        }
    } else {
        // SAFETY: no pointers; on Linux a nice value belongs to the thread, and 0 is the caller.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, VOICE_NICE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told() {
        assert!(usable_cores() >= 1);
        let limit = raise_file_limit(64);
        assert!(limit >= 64);
        assert_eq!(raise_file_limit(64), limit);
    }
}
