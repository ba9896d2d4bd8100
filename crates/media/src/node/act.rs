//! What a node does on its own: digits told and passed on, playbacks started and ended, recordings.

use super::leg::{Leg, Way};
use super::player::Player;
use super::{Deferred, Node, Recording, Slot};
use crate::dtmf::event::{Event, Press};
use crate::record::{Recorder, WriteOp};
use cp_vocab::media::{MediaEvent, Playback, Samples};
use cp_vocab::{LegId, PlaybackId, RecordingId, Timestamp};

/// Rates of recordings, in Hz: wideband when any side is.
const NARROW_HZ: u32 = 8_000;
const WIDE_HZ: u32 = 16_000;

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

    pub(super) fn record(
        &mut self,
        now: Timestamp,
        id: RecordingId,
        left: LegId,
        right: Option<LegId>,
        path: String,
    ) {
        self.end_recording(now, id, None);
        let Some(slot) = self.slot_of(left) else {
            self.outbox.event(MediaEvent::RecordingEnded {
                recording: id,
                duration_ms: 0,
                error: Some("the leg to record is gone".to_owned()),
            });
            return;
        };
        let wide = |leg: Option<&Leg>| {
            leg.and_then(|l| l.plan.as_ref())
                .is_some_and(|p| p.codec.sample_rate_hz() > NARROW_HZ)
        };
        let other = right.and_then(|r| self.by_id.get(&r).copied());
        let rate_hz = if wide(self.leg(slot)) || other.is_some_and(|s| wide(self.leg(s))) {
            WIDE_HZ
        } else {
            NARROW_HZ
        };
        let phase = self.leg(slot).map_or(0, |l| l.phase);
        let (recorder, create) = Recorder::new(path, rate_hz);
        self.outbox.write(id, create);
        self.recordings.push(Recording {
            id,
            left,
            right,
            paused: false,
            phase,
            recorder,
            resampler: None,
        });
        self.mark_recorded(left, right, 1);
    }

    /// Legs of a recording are decoded while it runs.
    fn mark_recorded(&mut self, left: LegId, right: Option<LegId>, change: i32) {
        for id in std::iter::once(left).chain(right) {
            if let Some(&slot) = self.by_id.get(&id)
                && let Some(leg) = self.leg_mut(slot)
            {
                leg.recorded = leg.recorded.saturating_add_signed(change);
                if right.is_none() {
                    leg.taps = leg.taps.saturating_add_signed(change);
                    leg.tapped = leg.taps > 0;
                }
                self.rewire(slot);
            }
        }
    }

    /// A leg that opens is already part of recordings that name it.
    pub(super) fn count_recordings(&mut self, slot: Slot) {
        let Some(id) = self.leg(slot).map(|l| l.id) else {
            return;
        };
        let recorded = self
            .recordings
            .iter()
            .filter(|r| r.right == Some(id))
            .count();
        if let Some(leg) = self.leg_mut(slot) {
            leg.recorded = recorded as u32;
        }
    }

    pub(super) fn end_recording(&mut self, _now: Timestamp, id: RecordingId, error: Option<&str>) {
        let Some(index) = self.recordings.iter().position(|r| r.id == id) else {
            return;
        };
        let mut recording = self.recordings.swap_remove(index);
        let outbox = &mut self.outbox;
        recording.recorder.finish(|op| outbox.write(id, op));
        outbox.event(MediaEvent::RecordingEnded {
            recording: id,
            duration_ms: recording.recorder.duration_ms(),
            error: error.map(str::to_owned),
        });
        self.mark_recorded(recording.left, recording.right, -1);
    }

    /// The shell could not carry out a file operation (disk full, read-only): the recording ends and no
    /// further operation of it is produced.
    pub fn recording_failed(&mut self, _now: Timestamp, recording: RecordingId, error: String) {
        let Some(index) = self.recordings.iter().position(|r| r.id == recording) else {
            return;
        };
        let ended = self.recordings.swap_remove(index);
        self.outbox.event(MediaEvent::RecordingEnded {
            recording,
            duration_ms: ended.recorder.duration_ms(),
            error: Some(error),
        });
        self.mark_recorded(ended.left, ended.right, -1);
    }

    pub(super) fn end_recordings_of(&mut self, now: Timestamp, leg: LegId) {
        while let Some(id) = self.recordings.iter().find(|r| r.left == leg).map(|r| r.id) {
            self.end_recording(now, id, None);
        }
    }

    /// Adds a frame to every recording of a phase.
    pub(super) fn run_recordings(&mut self, phase: usize) {
        if self.recordings.is_empty() {
            return;
        }
        let mut recordings = std::mem::take(&mut self.recordings);
        for r in recordings
            .iter_mut()
            .filter(|r| usize::from(r.phase) == phase)
        {
            let rate_hz = r.recorder.rate_hz();
            let (mut left, mut right) = (Vec::new(), Vec::new());
            if !r.paused {
                self.voice_into(r.left, rate_hz, &mut left);
                match r.right {
                    Some(id) => self.voice_into(id, rate_hz, &mut right),
                    None => self.heard_into(r, &mut right),
                }
            }
            let (id, outbox) = (r.id, &mut self.outbox);
            let room = r
                .recorder
                .frame(&left, &right, |op: WriteOp| outbox.write(id, op));
            if !room {
                self.deferred.push(Deferred::RecordingFull(id));
            }
        }
        self.recordings = recordings;
    }

    fn voice_into(&mut self, id: LegId, rate_hz: u32, out: &mut Vec<i16>) {
        let Some(&slot) = self.by_id.get(&id) else {
            return;
        };
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        if leg.muted {
            return;
        }
        if let Some(voice) = &mut leg.voice
            && voice.voiced
        {
            out.extend_from_slice(voice.at_rate(rate_hz, &mut self.filters));
        }
    }

    /// Everything the left leg heard in this frame.
    fn heard_into(&mut self, r: &mut Recording, out: &mut Vec<i16>) {
        let Some(&slot) = self.by_id.get(&r.left) else {
            return;
        };
        let rate_hz = r.recorder.rate_hz();
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        match leg.way {
            Way::Relay(source) => {
                let id = self.leg(source).map(|l| l.id);
                if let Some(id) = id {
                    self.voice_into(id, rate_hz, out);
                }
            }
            Way::Frames if !leg.outgoing.is_empty() => {
                let from_hz = leg.outgoing.len() as u32 * 50;
                if from_hz == rate_hz {
                    out.extend_from_slice(&leg.outgoing);
                    return;
                }
                if r.resampler.as_ref().is_none_or(|(hz, _)| *hz != from_hz) {
                    r.resampler = Some((from_hz, self.filters.resampler(from_hz, rate_hz)));
                }
                if let Some((_, resampler)) = &mut r.resampler {
                    resampler.process(&leg.outgoing, out);
                }
            }
            _ => {}
        }
    }
}
