//! Client connections: where each comes from, and whether anybody signed in on it yet.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Connections on which nobody has signed in. One more lets the oldest of them go, so that a crowd
/// of silent ones takes nobody's place: whoever has something to say says it before it is oldest.
pub(crate) const ANONYMOUS_MAX: usize = 1_024;
/// Of these, from one address; one more lets the oldest of that address go.
pub(crate) const ANONYMOUS_OF_ADDRESS_MAX: usize = 256;

/// The connections nobody has signed in on, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Anonymous(Arc<Mutex<VecDeque<Waiting>>>);

struct Waiting {
    address: IpAddr,
    let_go: Arc<Notify>,
}

impl Anonymous {
    /// A connection came in; gives it and whether another had to go for it.
    pub(crate) fn admit(&self, remote: SocketAddr) -> (Connection, bool) {
        let address = remote.ip().to_canonical();
        let let_go = Arc::new(Notify::new());
        let mut waiting = self.0.lock().expect("no panic while held");
        let of_address = waiting.iter().filter(|w| w.address == address).count();
        let goes = if of_address >= ANONYMOUS_OF_ADDRESS_MAX {
            waiting.iter().position(|w| w.address == address)
        } else if waiting.len() >= ANONYMOUS_MAX {
            Some(0)
        } else {
            None
        };
        let gone = goes.and_then(|i| waiting.remove(i));
        if let Some(w) = &gone {
            w.let_go.notify_one();
        }
        waiting.push_back(Waiting {
            address,
            let_go: let_go.clone(),
        });
        let connection = Connection(Arc::new(Inner {
            remote,
            let_go,
            anonymous: self.clone(),
        }));
        (connection, gone.is_some())
    }

    fn forget(&self, let_go: &Arc<Notify>) {
        let mut waiting = self.0.lock().expect("no panic while held");
        waiting.retain(|w| !Arc::ptr_eq(&w.let_go, let_go));
    }
}

/// In the extensions of every request that came through [`crate::serve`].
#[derive(Clone)]
pub(crate) struct Connection(Arc<Inner>);

struct Inner {
    remote: SocketAddr,
    let_go: Arc<Notify>,
    anonymous: Anonymous,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.anonymous.forget(&self.let_go);
    }
}

impl Connection {
    pub(crate) fn remote(&self) -> SocketAddr {
        self.0.remote
    }
    /// A request on it was signed in.
    pub(crate) fn proved(&self) {
        self.0.anonymous.forget(&self.0.let_go);
    }
    /// Until it has to go for another.
    pub(crate) fn let_go(&self) -> impl Future<Output = ()> + Send + use<> {
        let notify = self.0.let_go.clone();
        async move { notify.notified().await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, address], port))
    }

    fn told_to_go(c: &Connection) -> bool {
        use futures_util::FutureExt;
        c.let_go().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_silent_one_goes_and_those_who_proved_stay() {
        let all = Anonymous::default();
        let kept: Vec<_> = (0..ANONYMOUS_OF_ADDRESS_MAX)
            .map(|i| all.admit(from(1, i as u16)).0)
            .collect();
        kept[0].proved();
        let (a, gone) = all.admit(from(1, 9_000));
        assert!(!gone, "a place was free");
        let (_b, gone) = all.admit(from(1, 9_001));
        assert!(gone && told_to_go(&kept[1]) && !told_to_go(&kept[0]) && !told_to_go(&a));
        let (_c, gone) = all.admit(from(2, 1));
        assert!(!gone, "another address is not in the way");
    }

    #[test]
    fn a_crowd_of_addresses_is_bounded_and_closed_ones_are_forgotten() {
        let all = Anonymous::default();
        let kept: Vec<_> = (0..ANONYMOUS_MAX)
            .map(|i| all.admit(from((i / 200) as u8, i as u16)).0)
            .collect();
        let (last, gone) = all.admit(from(99, 1));
        assert!(gone && told_to_go(&kept[0]));
        drop(last);
        drop(kept);
        assert!(all.0.lock().unwrap().is_empty());
    }
}
