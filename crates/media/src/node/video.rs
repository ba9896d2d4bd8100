//! Video between browsers that hear one another: forwarded packet by packet, never decoded. Of several
//! one is seen, who speaks; that one sees who spoke before.

use super::{Node, Slot};
use crate::peer::{Incoming, Line, Outgoing};
use cp_vocab::Timestamp;
use std::time::Duration;

/// Whole pictures are asked for this often at most: each costs ten times an ordinary one.
const PICTURE_EVERY: Duration = Duration::from_millis(500);
/// Who has been seen for less is not left for a louder one.
const STAGE_MIN: Duration = Duration::from_millis(1_500);
/// One picture at 30 a second, on the clock of 90 kHz: the step between two sources.
const PICTURE_UNITS: u32 = 3_000;

/// How one source's numbers map onto what a browser is sent.
#[derive(Default)]
pub(crate) struct Forward {
    source: Option<(Slot, u32)>,
    in_sequence: u64,
    out_sequence: u64,
    in_timestamp: u32,
    out_timestamp: u32,
    /// The next never sent, and the timestamp of the last.
    next: u64,
    last_timestamp: u32,
    asked_at: Option<Timestamp>,
}

impl Forward {
    /// Our numbers for a packet, and whether the source is new; `None` when it is older than that.
    fn numbers(&mut self, from: Slot, packet: &Incoming) -> Option<(u16, u32, bool)> {
        let source = (from, packet.ssrc);
        let fresh = self.source != Some(source);
        if fresh {
            self.source = Some(source);
            self.in_sequence = packet.sequence;
            self.out_sequence = self.next;
            self.in_timestamp = packet.timestamp;
            self.out_timestamp = self.last_timestamp.wrapping_add(PICTURE_UNITS);
        }
        let sequence = self.out_sequence + packet.sequence.checked_sub(self.in_sequence)?;
        let ahead = packet.timestamp.wrapping_sub(self.in_timestamp);
        let timestamp = self.out_timestamp.wrapping_add(ahead);
        if sequence >= self.next {
            self.next = sequence + 1;
            self.last_timestamp = timestamp;
        }
        Some((sequence as u16, timestamp, fresh))
    }
}

impl Node {
    /// Ten times a second: whose picture each mix shows. Whoever speaks loudest comes, and stays until
    /// another speaks.
    pub(super) fn choose_stages(&mut self, now: Timestamp) {
        for index in 0..self.mixes.len() {
            let Some(mix) = self.mixes[index].as_ref() else {
                continue;
            };
            let shows = |s: &Slot| self.leg(*s).is_some_and(shows_picture);
            let mut showing = mix.speakers.iter().copied().filter(shows);
            let Some(first) = showing.clone().next() else {
                continue;
            };
            let loud = |s: &Slot| {
                let voice = self.leg(*s).filter(|l| !l.muted)?.voice.as_ref()?;
                voice.is_speaking().then(|| voice.power())
            };
            let [stage, before] = mix
                .stage
                .map(|s| s.filter(|s| showing.clone().any(|x| x == *s)));
            let loudest = showing.clone().max_by_key(|s| loud(s).unwrap_or(-1));
            let loudest = loudest.filter(|s| loud(s).is_some());
            let settled = stage.is_some() && now.since(mix.stage_since) < STAGE_MIN;
            let next = match (stage, loudest) {
                (Some(s), _) if settled || loudest.is_none() => s,
                (_, Some(l)) => l,
                (_, None) => first,
            };
            let other = if stage == Some(next) { before } else { stage };
            let other = other
                .filter(|o| *o != next)
                .or_else(|| showing.find(|s| *s != next));
            let changed = stage != Some(next);
            if let Some(mix) = self.mixes[index].as_mut() {
                mix.stage = [Some(next), other];
                if changed {
                    mix.stage_since = now;
                }
            }
        }
    }

    /// Whose picture a leg sees.
    fn seen_by(&self, hearer: Slot) -> Option<Slot> {
        let leg = self.leg(hearer)?;
        if let Some(mix) = leg.hears_mix {
            return self.mixes.get(mix as usize)?.as_ref()?.seen_by(hearer);
        }
        let mut heard = leg
            .hears
            .legs
            .iter()
            .filter_map(|l| self.by_id.get(l).copied());
        heard.find(|s| self.leg(*s).is_some_and(shows_picture))
    }

    /// A video packet goes to the browsers that see this leg.
    pub(super) fn forward_video(&mut self, now: Timestamp, slot: Slot, packet: &Incoming) {
        let Some(leg) = self.leg(slot) else { return };
        let agreed = leg.web.as_ref().and_then(|w| w.peer.agreed());
        let Some(video) = agreed.and_then(|a| a.video.as_ref()) else {
            return;
        };
        let of_type = video
            .formats
            .iter()
            .find(|(pt, _)| *pt == packet.payload_type);
        let Some(&(_, format)) = of_type else { return };
        let mix = leg.speaks.and_then(|m| self.mix_by_id.get(&m).copied());
        let mix = mix.and_then(|i| self.mixes[i as usize].as_ref());
        let mixed = mix.into_iter().flat_map(|m| m.hearers.iter().copied());
        let singly = self.heard_by.get(&leg.id).into_iter().flatten();
        let hearers: smallvec::SmallVec<[Slot; 4]> = singly
            .filter_map(|h| self.by_id.get(h).copied())
            .chain(mixed)
            .filter(|h| self.seen_by(*h) == Some(slot))
            .collect();
        let mut picture = false;
        for hearer in hearers {
            let Some(leg) = self.legs[hearer as usize].as_deref_mut() else {
                continue;
            };
            let Some(web) = leg.web.as_mut() else {
                continue;
            };
            let video = web.peer.agreed().and_then(|a| a.video.as_ref());
            let taken = video
                .filter(|v| v.send)
                .and_then(|v| v.formats.iter().find(|(_, f)| *f == format));
            let Some(&(payload_type, _)) = taken else {
                continue;
            };
            let Some((sequence, timestamp, fresh)) = web.video.numbers(slot, packet) else {
                continue;
            };
            picture |= fresh;
            web.peer.send(
                now,
                &Outgoing {
                    line: Line::Video,
                    payload_type,
                    marker: packet.marker,
                    sequence,
                    timestamp,
                    payload: &packet.payload,
                },
            );
            if !std::mem::replace(&mut web.dirty, true) {
                self.outbox.dirty.push(hearer);
            }
        }
        if picture {
            self.ask_picture(now, slot);
        }
    }

    /// A browser cannot decode what it is sent: whoever it sees is asked for a whole picture.
    pub(super) fn picture_wanted(&mut self, slot: Slot) {
        if let Some(source) = self.seen_by(slot) {
            self.ask_picture(self.outbox.now, source);
        }
    }

    fn ask_picture(&mut self, now: Timestamp, slot: Slot) {
        let Some(web) = self.leg_mut(slot).and_then(|l| l.web.as_mut()) else {
            return;
        };
        let asked = web.video.asked_at.map(|at| now.since(at));
        if asked.is_some_and(|since| since < PICTURE_EVERY) {
            return;
        }
        web.video.asked_at = Some(now);
        web.peer.request_picture();
        if !std::mem::replace(&mut web.dirty, true) {
            self.outbox.dirty.push(slot);
        }
    }
}

/// Whether a leg's browser sends video that is taken.
fn shows_picture(leg: &super::leg::Leg) -> bool {
    let agreed = leg.web.as_ref().and_then(|w| w.peer.agreed());
    agreed
        .and_then(|a| a.video.as_ref())
        .is_some_and(|v| v.receive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u64, timestamp: u32) -> Incoming {
        Incoming {
            video: true,
            payload_type: 96,
            marker: false,
            sequence,
            timestamp,
            ssrc,
            payload: [].into(),
        }
    }

    #[test]
    fn numbers_go_on_over_sources_and_keep_gaps() {
        let mut f = Forward::default();
        assert_eq!(f.numbers(1, &packet(7, 70_000, 50)), Some((0, 3_000, true)));
        assert_eq!(
            f.numbers(1, &packet(7, 70_002, 3_050)),
            Some((2, 6_000, false))
        );
        assert_eq!(
            f.numbers(1, &packet(7, 70_001, 50)),
            Some((1, 3_000, false))
        );
        assert_eq!(f.numbers(2, &packet(9, 5, 900)), Some((3, 9_000, true)));
        assert_eq!(f.numbers(2, &packet(9, 4, 800)), None);
    }
}
