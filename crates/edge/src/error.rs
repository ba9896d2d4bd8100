//! What can go wrong at the edge, in words that say what to do.

use cp_vocab::net::Transport;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the edge could not start or take an order.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error(
        "port {} is in use by {}: cannot listen on {addr} ({}); stop it, or listen for {} elsewhere",
        addr.port(), owner.as_deref().unwrap_or("another process"), transport.via(), transport.via()
    )]
    AddressInUse {
        transport: Transport,
        addr: SocketAddr,
        /// Name and process id of who holds it, where the system tells us.
        owner: Option<String>,
    },
    #[error(
        "cannot listen on {addr} ({}): {source}; is it an address of this machine, and is the port allowed to this user?",
        transport.via()
    )]
    Bind {
        transport: Transport,
        addr: SocketAddr,
        source: io::Error,
    },
    #[error("{} is listed for {addr} but no certificate is set; set certificate and key, or remove the address", transport.via())]
    NoCertificate {
        transport: Transport,
        addr: SocketAddr,
    },
    #[error("cannot use {} as {what}: {why}", path.display())]
    Certificate {
        path: PathBuf,
        what: &'static str,
        why: String,
    },
    #[error("cannot set up the DNS resolver: {why}")]
    Resolver { why: String },
    #[error(
        "no RTP port of {first}-{last} could be bound on {addr}: {why}; free the range or set another"
    )]
    NoMediaPorts {
        addr: std::net::IpAddr,
        first: u16,
        last: u16,
        why: String,
    },
    #[error(
        "the RTP port range {first}-{last} is too small: at least one even port and the one after it"
    )]
    PortRange { first: u16, last: u16 },
    #[error("there is no media worker {worker}")]
    NoSuchWorker { worker: u16 },
    #[error("media worker {worker} does not take its orders ({waiting} are waiting)")]
    WorkerOverloaded { worker: u16, waiting: usize },
    #[error("cannot {what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

impl EdgeError {
    /// Stable word for logs, metrics and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse { .. } => "address_in_use",
            Self::Bind { .. } => "bind_failed",
            Self::NoCertificate { .. } => "no_certificate",
            Self::Certificate { .. } => "certificate_unusable",
            Self::Resolver { .. } => "resolver_unusable",
            Self::NoMediaPorts { .. } => "no_media_ports",
            Self::PortRange { .. } => "port_range_too_small",
            Self::NoSuchWorker { .. } => "no_such_worker",
            Self::WorkerOverloaded { .. } => "worker_overloaded",
            Self::System { .. } => "system_call_failed",
        }
    }

    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
