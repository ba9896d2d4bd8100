//! Who holds a port: for the message that a person reads when the server cannot start.

use cp_vocab::net::Transport;
use std::fs;

/// Processes looked at before giving up.
const PROCESSES_MAX: usize = 10_000;

/// `name (process 123)` of the process that holds `port`, when `/proc` tells.
pub(super) fn of_port(transport: Transport, port: u16) -> Option<String> {
    let tables: [&str; 2] = if transport == Transport::Udp {
        ["/proc/net/udp", "/proc/net/udp6"]
    } else {
        ["/proc/net/tcp", "/proc/net/tcp6"]
    };
    let inode = tables.iter().find_map(|t| inode_of(t, port))?;
    let link = format!("socket:[{inode}]");
    fs::read_dir("/proc")
        .ok()?
        .take(PROCESSES_MAX)
        .flatten()
        .find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let holds = fs::read_dir(entry.path().join("fd"))
                .ok()?
                .flatten()
                .any(|fd| fs::read_link(fd.path()).is_ok_and(|l| l.as_os_str() == link.as_str()));
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            holds.then(|| format!("{} (process {pid})", name.trim()))
        })
}

/// The inode of the socket bound to `port`. Columns of proc(5) `/proc/net/tcp`: local address is
/// the second, the inode the tenth.
fn inode_of(table: &str, port: u16) -> Option<u64> {
    let wanted = format!(":{port:04X}");
    fs::read_to_string(table)
        .ok()?
        .lines()
        .skip(1)
        .find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let inode: u64 = fields.get(9)?.parse().ok()?;
            (fields.get(1)?.ends_with(&wanted) && inode != 0).then_some(inode)
        })
}
