//! What a node does on its own: digits told and passed on, playbacks started and ended.

use super::leg::Way;
use super::player::Player;
use super::{Deferred, Node, Slot};
use crate::dtmf::event::{Event, Press};
use cp_vocab::media::{MediaEvent, Playback, Samples};
use cp_vocab::{PlaybackId, Timestamp};

/// How long a key pressed by message counts as held.
const PRESS_MS: u32 = 100;

impl Node {
    pub(super) fn run_deferred(&mut self, now: Timestamp) {
        // What runs may defer again (a rewire after a digit); the bound only guards.
        for _ in 0..4 {
            if self.deferred.is_empty() {
                return;
            }
            for work in std::mem::take(&mut self.deferred) {
                match work {
                    Deferred::Rewire(slot) => self.rewire(slot),
                    Deferred::Pressed(slot) => self.pressed(slot),
                    Deferred::Digit(slot, digit, ms, in_band) => {
                        self.digit(slot, digit, ms, in_band);
                    }
                    Deferred::Played(slot, id) => self.end_playback(slot, id, false),
                    Deferred::RecordingFull(id) => {
                        self.end_recording(now, id, Some("the file reached its largest size"));
                    }
                }
            }
        }
    }

    /// Takes one RFC 4733 packet of a leg.
    pub(super) fn take_event(
        &mut self,
        now: Timestamp,
        slot: Slot,
        timestamp: u32,
        payload: &[u8],
    ) {
        let Ok(event) = Event::parse(payload) else {
            self.counters.malformed += 1;
            return;
        };
        self.with_events(now, slot, |events, clock_hz, tell| {
            events.receive(now, timestamp, clock_hz, event, tell);
        });
    }

    /// Ends a press whose end was lost.
    pub(super) fn check_events(&mut self, now: Timestamp, slot: Slot) {
        self.with_events(now, slot, |events, clock_hz, tell| {
            events.check(now, clock_hz, tell);
        });
    }

    pub(super) fn with_events(
        &mut self,
        now: Timestamp,
        slot: Slot,
        run: impl FnOnce(&mut crate::dtmf::event::Receiver, u32, &mut dyn FnMut(Press)),
    ) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let clock_hz = leg.plan.as_ref().map_or(8_000, |p| p.codec.clock_hz());
        let deferred = &mut self.deferred;
        run(&mut leg.events, clock_hz, &mut |press| {
            deferred.push(match press {
                Press::Started(_) => Deferred::Pressed(slot),
                Press::Ended(digit, ms) => Deferred::Digit(slot, digit, ms, false),
            });
        });
        self.run_deferred(now);
    }

    /// A key went down: prompts that may be interrupted stop at once, not at its release.
    fn pressed(&mut self, slot: Slot) {
        let barged = self
            .leg(slot)
            .and_then(|l| l.player.as_ref())
            .filter(|p| p.barge_in)
            .map(|p| p.id);
        if let Some(id) = barged {
            self.end_playback(slot, id, true);
        }
    }

    fn digit(&mut self, slot: Slot, digit: char, duration_ms: u32, in_band: bool) {
        let Some(leg) = self.leg(slot) else {
            return;
        };
        let id = leg.id;
        let muted = leg.muted;
        self.outbox.event(MediaEvent::Digit {
            leg: id,
            digit,
            duration_ms,
        });
        // In-band tones reach the hearers as audio; events were forwarded if the way is a relay.
        if in_band || muted {
            return;
        }
        let hearers: smallvec::SmallVec<[Slot; 2]> = self
            .heard_by
            .get(&id)
            .into_iter()
            .flatten()
            .filter_map(|h| self.by_id.get(h).copied())
            .collect();
        for h in hearers {
            let Some(hearer) = self.leg_mut(h) else {
                continue;
            };
            let forwarded = hearer.way == Way::Relay(slot)
                && hearer.plan.as_ref().is_some_and(|p| p.dtmf.is_some());
            // Those who hear several are listeners, not the other end of the call.
            let alone = hearer.hears.mix.is_none() && hearer.hears.legs.len() == 1;
            if alone && !forwarded {
                hearer.digits.push(&digit.to_string());
                self.rewire(h);
            }
        }
    }

    /// A key pressed by message: as one heard in the media, and passed on by us.
    pub(super) fn press(&mut self, slot: Slot, digit: char) {
        self.pressed(slot);
        let Some(leg) = self.leg(slot) else {
            return;
        };
        let id = leg.id;
        self.outbox.event(MediaEvent::Digit {
            leg: id,
            digit,
            duration_ms: PRESS_MS,
        });
        let hearers: smallvec::SmallVec<[Slot; 2]> = self
            .heard_by
            .get(&id)
            .into_iter()
            .flatten()
            .filter_map(|h| self.by_id.get(h).copied())
            .collect();
        for h in hearers {
            if let Some(hearer) = self.leg_mut(h)
                && hearer.hears.mix.is_none()
                && hearer.hears.legs.len() == 1
            {
                hearer.digits.push(&digit.to_string());
                self.rewire(h);
            }
        }
    }

    pub(super) fn play(&mut self, slot: Slot, playback: Playback<Samples>) {
        // One playback at a time: the newer replaces the older, which is told as interrupted.
        if let Some(id) = self.leg(slot).and_then(|l| l.player.as_ref()).map(|p| p.id) {
            self.end_playback(slot, id, true);
        }
        if let Some(leg) = self.leg_mut(slot) {
            leg.player = Some(Box::new(Player::new(playback)));
            self.rewire(slot);
        }
    }

    pub(super) fn end_playback(&mut self, slot: Slot, id: PlaybackId, interrupted: bool) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        if leg.player.as_ref().is_none_or(|p| p.id != id) {
            return;
        }
        if let Some(mut player) = leg.player.take() {
            player.release(&mut self.clips);
        }
        self.outbox.event(MediaEvent::PlaybackEnded {
            leg: leg.id,
            playback: id,
            interrupted,
        });
        self.rewire(slot);
    }

    pub(super) fn send_digits(&mut self, slot: Slot, digits: &str) {
        if let Some(leg) = self.leg_mut(slot) {
            leg.digits.push(digits);
            self.rewire(slot);
        }
    }
}
