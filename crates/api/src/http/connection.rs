//! One client connection: where it comes from, and whether anybody signed in on it yet.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedSemaphorePermit;

/// In the extensions of every request that came through [`crate::serve`].
#[derive(Clone)]
pub(crate) struct Connection(Arc<Inner>);

struct Inner {
    remote: SocketAddr,
    /// Its place among the connections nobody has signed in on; given back at the first proof.
    anonymous: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Connection {
    pub(crate) fn new(remote: SocketAddr, anonymous: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Inner {
            remote,
            anonymous: Mutex::new(Some(anonymous)),
        }))
    }
    pub(crate) fn remote(&self) -> SocketAddr {
        self.0.remote
    }
    /// A request on it was signed in.
    pub(crate) fn proved(&self) {
        self.0.anonymous.lock().expect("no panic while held").take();
    }
}
