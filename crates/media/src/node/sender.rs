//! The outgoing numbers of one leg: one SSRC, one rising sequence, one timestamp line, whoever is heard.

use super::Slot;
use cp_vocab::Timestamp;

/// How one source's numbers map onto ours while its packets are forwarded.
#[derive(Clone, Copy)]
struct Map {
    source: Slot,
    epoch: u32,
    in_ext: u32,
    out_ext: u32,
    in_timestamp: u32,
    out_timestamp: u32,
}

pub(crate) struct Sender {
    pub(crate) ssrc: u32,
    /// Next sequence number, extended, never reused: SRTP needs that.
    next_ext: u32,
    /// Timestamp of the newest packet and when it went.
    last_timestamp: u32,
    pub(crate) sent_at: Option<Timestamp>,
    /// Timestamp of the next frame while frames follow one another.
    next_timestamp: Option<u32>,
    map: Option<Map>,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

/// Numbers for one outgoing packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Numbers {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    /// First packet after a change of source: goes out with the marker bit.
    pub(crate) fresh: bool,
}

impl Sender {
    pub(crate) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            // The top bit of the first number stays clear, as RFC 3711 3.3.1 advises.
            next_ext: u32::from(sequence & 0x7fff),
            last_timestamp: timestamp,
            sent_at: None,
            next_timestamp: None,
            map: None,
            packets: 0,
            octets: 0,
        }
    }

    /// The timestamp of something that starts now, after whatever was sent before.
    fn resume(&self, now: Timestamp, clock_hz: u32) -> u32 {
        let Some(at) = self.sent_at else {
            return self.last_timestamp;
        };
        let elapsed = now.since(at).as_micros() * u128::from(clock_hz) / 1_000_000;
        self.last_timestamp
            .wrapping_add((elapsed as u32).max(clock_hz / 50))
    }

    /// RTP timestamp that corresponds to `now`, for a sender report.
    pub(crate) fn timestamp_at(&self, now: Timestamp, clock_hz: u32) -> u32 {
        let Some(at) = self.sent_at else {
            return self.last_timestamp;
        };
        let elapsed = now.since(at).as_micros() * u128::from(clock_hz) / 1_000_000;
        self.last_timestamp.wrapping_add(elapsed as u32)
    }

    /// Numbers for a forwarded packet; `None` when it is older than the change of source.
    #[inline]
    pub(crate) fn forward(
        &mut self,
        now: Timestamp,
        clock_hz: u32,
        source: Slot,
        epoch: u32,
        ext: u32,
        timestamp: u32,
    ) -> Option<Numbers> {
        let (map, fresh) = match self.map {
            Some(m) if m.source == source && m.epoch == epoch => (m, false),
            _ => {
                let m = Map {
                    source,
                    epoch,
                    in_ext: ext,
                    out_ext: self.next_ext,
                    in_timestamp: timestamp,
                    out_timestamp: self.resume(now, clock_hz),
                };
                self.map = Some(m);
                self.next_timestamp = None;
                (m, true)
            }
        };
        let ahead = ext.wrapping_sub(map.in_ext);
        if ahead > u32::MAX / 2 {
            return None;
        }
        let out_ext = map.out_ext.wrapping_add(ahead);
        let out_timestamp = map
            .out_timestamp
            .wrapping_add(timestamp.wrapping_sub(map.in_timestamp));
        if out_ext >= self.next_ext {
            self.next_ext = out_ext + 1;
            self.last_timestamp = out_timestamp;
            self.sent_at = Some(now);
        }
        Some(Numbers {
            sequence: out_ext as u16,
            timestamp: out_timestamp,
            fresh,
        })
    }

    /// Numbers for a packet of our own that covers `units` of the RTP clock.
    pub(crate) fn own(&mut self, now: Timestamp, clock_hz: u32, units: u32) -> Numbers {
        let fresh = self.next_timestamp.is_none();
        let timestamp = self
            .next_timestamp
            .unwrap_or_else(|| self.resume(now, clock_hz));
        self.map = None;
        let sequence = self.next_ext as u16;
        self.next_ext += 1;
        self.last_timestamp = timestamp;
        self.next_timestamp = Some(timestamp.wrapping_add(units));
        self.sent_at = Some(now);
        Numbers {
            sequence,
            timestamp,
            fresh,
        }
    }

    /// Numbers for a further packet with a timestamp used before (RFC 4733 updates).
    pub(crate) fn again(&mut self, now: Timestamp, timestamp: u32) -> Numbers {
        let sequence = self.next_ext as u16;
        self.next_ext += 1;
        self.map = None;
        self.sent_at = Some(now);
        Numbers {
            sequence,
            timestamp,
            fresh: false,
        }
    }

    /// Time passes without a packet (silence suppressed, or covered by an event).
    pub(crate) fn skip(&mut self, units: u32) {
        if let Some(t) = &mut self.next_timestamp {
            *t = t.wrapping_add(units);
        }
    }

    /// The way changes: what follows starts at its own time and with its own numbers. A source is
    /// known by its slot, and a newcomer may have taken the slot of the one who left.
    pub(crate) fn pause(&mut self) {
        self.next_timestamp = None;
        self.map = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000 + ms)
    }

    #[test]
    fn stays_continuous_over_sources_and_own_frames() {
        let mut s = Sender::new(1, 100, 5_000);
        let a = s.forward(t(0), 8_000, 1, 0, 65_536, 777).unwrap();
        assert_eq!((a.sequence, a.timestamp, a.fresh), (100, 5_000, true));
        // A gap at the source stays a gap, so that the far side conceals it.
        let b = s.forward(t(40), 8_000, 1, 0, 65_538, 777 + 320).unwrap();
        assert_eq!((b.sequence, b.timestamp, b.fresh), (102, 5_320, false));
        let late = s.forward(t(41), 8_000, 1, 0, 65_537, 777 + 160).unwrap();
        assert_eq!((late.sequence, late.timestamp), (101, 5_160));
        // Another source, 60 ms later.
        let c = s.forward(t(100), 8_000, 2, 0, 9, 0).unwrap();
        assert_eq!((c.sequence, c.timestamp, c.fresh), (103, 5_320 + 480, true));
        assert_eq!(s.forward(t(101), 8_000, 2, 0, 8, 0), None);
        let d = s.own(t(120), 8_000, 160);
        let e = s.own(t(141), 8_000, 160);
        assert_eq!((d.sequence, d.timestamp, d.fresh), (104, 5_960, true));
        assert_eq!((e.sequence, e.timestamp, e.fresh), (105, 6_120, false));
    }
}
