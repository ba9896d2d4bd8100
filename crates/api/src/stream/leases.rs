//! Which desktops hold a socket, so that a lost one ends its session unless it comes right back.

use cp_vocab::SessionId;
use std::collections::HashMap;
use std::sync::Mutex;

/// Sockets by session, and of all.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<SessionId, Count>>);

#[derive(Default, Clone, Copy)]
struct Count {
    open: usize,
    /// Rises with each socket, so that a wait for a return can tell whether one came.
    opened: u64,
}

impl Leases {
    /// A socket of the session opened.
    pub(crate) fn open(&self, session: SessionId) {
        let mut map = self.0.lock().expect("no panic while held");
        let count = map.entry(session).or_default();
        count.open += 1;
        count.opened += 1;
    }

    /// One closed. When it was the last, a mark to ask [`Leases::gone`] with later.
    pub(crate) fn close(&self, session: SessionId) -> Option<u64> {
        let mut map = self.0.lock().expect("no panic while held");
        let count = map.get_mut(&session)?;
        count.open = count.open.saturating_sub(1);
        (count.open == 0).then_some(count.opened)
    }

    /// Whether no socket of the session opened since the mark; then it is forgotten.
    pub(crate) fn gone(&self, session: SessionId, mark: u64) -> bool {
        let mut map = self.0.lock().expect("no panic while held");
        let gone = map
            .get(&session)
            .is_some_and(|c| c.open == 0 && c.opened == mark);
        if gone {
            map.remove(&session);
        }
        gone
    }

    pub(crate) fn sockets_of(&self, session: SessionId) -> usize {
        let map = self.0.lock().expect("no panic while held");
        map.get(&session).map_or(0, |c| c.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::id::TypedId;

    #[test]
    fn only_the_last_socket_ends_a_session_and_only_if_none_returns() {
        let leases = Leases::default();
        let s = SessionId::from_u128(1);
        leases.open(s);
        leases.open(s);
        assert_eq!(leases.close(s), None, "another tab is open");
        let mark = leases.close(s).expect("the last");
        leases.open(s);
        assert!(!leases.gone(s, mark), "it came back");
        let mark = leases.close(s).expect("the last");
        assert!(leases.gone(s, mark));
        assert!(!leases.gone(s, mark), "told once");
    }
}
