//! Whose packets a leg takes and where it sends: symmetric RTP (RFC 4961) with a latch against strangers.

use cp_vocab::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;

/// After the first packet (or a new plan) another source may still take over for this long: phones
/// behind address translation change their port while the call is set up.
const SETTLE: Duration = Duration::from_secs(2);
/// When the known source has been quiet this long, another may take over (it moved).
const QUIET: Duration = Duration::from_secs(2);

/// The source a leg is latched onto.
#[derive(Clone, Debug, Default)]
pub struct Latch {
    source: Option<SocketAddr>,
    settled_at: Timestamp,
    heard_at: Timestamp,
    /// The source before a move, and until when its stragglers are ignored.
    left: Option<(SocketAddr, Timestamp)>,
}

impl Latch {
    /// The far side as packets showed it, `None` before the first.
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// A new plan: another source may take over at its first packet.
    pub fn rearm(&mut self, now: Timestamp) {
        self.settled_at = now + SETTLE;
    }

    /// The far side moved to another signalled address: send there at once, and do not latch back
    /// onto the old source's last packets.
    pub fn release(&mut self, now: Timestamp) {
        self.left = self.source.take().map(|s| (s, now + SETTLE));
        self.rearm(now);
    }

    /// Whether a packet from `from` may be looked at. `signalled` is the address in the SDP: once
    /// packets came from there nobody else takes over inside the settling time.
    pub fn admits(&self, now: Timestamp, from: SocketAddr, signalled: SocketAddr) -> bool {
        // Whoever talks from the signalled address is the one the call was agreed with.
        if from == signalled {
            return true;
        }
        match self.source {
            None => !self
                .left
                .is_some_and(|(left, until)| left == from && now < until),
            Some(s) if s == from => true,
            Some(s) => {
                let quiet = now.since(self.heard_at) >= QUIET;
                let settling = now < self.settled_at && s != signalled;
                quiet || settling
            }
        }
    }

    /// A packet from `from` proved valid. Returns whether the source changed.
    pub fn accept(&mut self, now: Timestamp, from: SocketAddr) -> bool {
        self.heard_at = now;
        if self.source == Some(from) {
            return false;
        }
        if self.source.is_none() {
            self.settled_at = self.settled_at.max(now + SETTLE);
        }
        self.source = Some(from);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }
    fn t(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    #[test]
    fn latches_settles_and_holds() {
        // (at ms, from, signalled, taken)
        let steps = [
            (0, 1, 9, true),
            (500, 2, 9, true),    // still settling
            (1_900, 1, 9, true),  // back
            (2_100, 2, 9, false), // settled
            (3_000, 1, 9, true),
            (4_900, 2, 9, false), // 1.9 s quiet
            (5_000, 2, 9, true),  // 2 s quiet: moved
            (5_020, 1, 9, false),
        ];
        let mut latch = Latch::default();
        for (at, from, signalled, taken) in steps {
            let got = latch.admits(t(at), a(from), a(signalled));
            assert_eq!(got, taken, "at {at} from {from}");
            if got {
                latch.accept(t(at), a(from));
            }
        }
    }

    #[test]
    fn nobody_displaces_the_signalled_address_while_it_talks() {
        let mut latch = Latch::default();
        latch.accept(t(0), a(9));
        assert!(!latch.admits(t(100), a(1), a(9)));
        latch.rearm(t(200));
        assert!(!latch.admits(t(300), a(1), a(9)));
        // A new plan names another address: that one may come.
        assert!(latch.admits(t(300), a(5), a(5)));
        // Moved: stragglers of the old source do not pull it back.
        latch.release(t(400));
        assert_eq!(latch.source(), None);
        assert!(!latch.admits(t(420), a(9), a(5)));
        assert!(latch.admits(t(420), a(5), a(5)));
        // A stranger who was first loses the leg when the real one talks, however late.
        let mut latch = Latch::default();
        latch.accept(t(0), a(66));
        assert!(latch.admits(t(9_000), a(5), a(5)));
        latch.accept(t(9_000), a(5));
        assert!(!latch.admits(t(9_020), a(66), a(5)));
    }
}
