//! Where to listen and with what.

use super::limits::Limits;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen, and the limits that hold there. Port 0 takes a free one (tests).
#[derive(Clone, Debug, Default)]
pub struct ListenConfig {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    pub tls: Vec<SocketAddr>,
    pub ws: Vec<SocketAddr>,
    pub wss: Vec<SocketAddr>,
    pub certificate: CertificateFiles,
    pub dns: DnsConfig,
    pub limits: Limits,
}

/// PEM files for TLS and WSS; read at start and again by `Signalling::reload_certificates`.
#[derive(Clone, Debug, Default)]
pub struct CertificateFiles {
    /// Certificate chain, leaf first, and its key. Both are needed for `tls` and `wss`. They are
    /// also shown to servers that ask us for a certificate.
    pub chain: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Authorities whose client certificates are accepted; `None` asks no client for one.
    pub client_authorities: Option<PathBuf>,
    /// Refuse clients without a certificate (else it is optional).
    pub client_required: bool,
    /// Authorities of servers we connect to; `None` takes those of the system.
    pub server_authorities: Option<PathBuf>,
}

/// How host names become addresses.
#[derive(Clone, Debug)]
pub struct DnsConfig {
    /// Name servers; empty takes those of the system (`/etc/resolv.conf`).
    pub servers: Vec<SocketAddr>,
    /// Names known without asking, before `/etc/hosts`.
    pub hosts: Vec<(String, IpAddr)>,
    /// Time for all look-ups of one name together.
    pub time_max: Duration,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            hosts: Vec::new(),
            time_max: Duration::from_secs(5),
        }
    }
}
