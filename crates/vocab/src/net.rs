//! Where bytes come from and go to: flows of the signalling transports.

mod public;

pub use public::is_public;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl Transport {
    /// Whether the transport itself repeats lost messages (RFC 3261 17: no retransmission timers then).
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }
    /// The token in a Via header.
    pub fn via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }
}

/// A connection accepted or opened by the edge; 0 is never used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// One way in and out: a UDP five-tuple or an open connection (RFC 5626 "flow").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    pub transport: Transport,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// `None` for UDP.
    pub connection: Option<ConnectionId>,
}

impl fmt::Debug for Flow {
    // The remote address is personal data of a caller; logs get transport and connection only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.transport)?;
        if let Some(c) = self.connection {
            write!(f, "#{}", c.0)?;
        }
        Ok(())
    }
}

/// Where a message is to go.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Target {
    /// Back on a flow that exists. If it is gone, the edge reports it and sends nothing.
    Flow(Flow),
    /// To an address; the edge reuses a connection or opens one. `server_name` is what TLS must prove.
    Addr {
        transport: Transport,
        addr: SocketAddr,
        server_name: Option<String>,
    },
}

/// Why a host name gave no target (RFC 3263).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResolveError {
    /// The name does not exist, or has no address for the transport asked for.
    NotFound,
    /// No name server answered in time.
    TimedOut,
    /// The name server refused, or its answer made no sense.
    Failed,
    /// Too many look-ups are under way; try later.
    Busy,
}

impl ResolveError {
    /// Stable word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Busy => "busy",
        }
    }
}
