//! Recordings of a node: who is recorded, and a frame of each every 20 ms.

use super::leg::{Leg, Way};
use super::{Deferred, Node, Slot};
use crate::record::{Recorder, WriteOp};
use crate::resample::Resampler;
use cp_vocab::media::MediaEvent;
use cp_vocab::{LegId, RecordingId, Timestamp};

/// Rates of recordings, in Hz: wideband when any side is.
const NARROW_HZ: u32 = 8_000;
const WIDE_HZ: u32 = 16_000;

pub(super) struct Recording {
    pub(super) id: RecordingId,
    pub(super) left: LegId,
    pub(super) right: Option<LegId>,
    pub(super) paused: bool,
    pub(super) phase: u8,
    pub(super) recorder: Recorder,
    /// From the rate of what the left leg hears, when that is recorded.
    pub(super) resampler: Option<(u32, Resampler)>,
}

impl Node {
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
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for r in recordings.iter_mut() {
            // A leg that is connected to others takes their phase: its recording goes with it, or it would
            // be written only while somebody else keeps the old phase alive.
            if let Some(leg) = self.by_id.get(&r.left).and_then(|s| self.leg(*s)) {
                r.phase = leg.phase;
            }
            if usize::from(r.phase) != phase {
                continue;
            }
            let rate_hz = r.recorder.rate_hz();
            left.clear();
            right.clear();
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
