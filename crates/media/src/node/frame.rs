//! The 20 ms clock: decode, mix, play, record. Legs are spread over four phases of 5 ms; legs that
//! hear one another share a phase, so that a frame passes through in one go.

use super::egress::{Frame, deliver, packet_ms, rate_of};
use super::leg::{Leg, Way};
use super::mix::clamp;
use super::{Deferred, Node, PHASES, Slot};
use crate::codec::working_rate_hz;
use crate::dtmf::detect::Heard;
use crate::dtmf::event::Step;
use crate::dtmf::tone;
use crate::rtp::Header;
use cp_vocab::Timestamp;
use smallvec::SmallVec;

/// Length of a phase in us.
pub(super) const PHASE_US: u64 = 5_000;
/// Phases made up for after a stall; the rest is skipped, since late audio is worthless.
const CATCH_UP_MAX: u64 = 8;
/// Frames without own voice after which a leg may share an encoder with memory (1 s).
const SHARE_AFTER: u32 = 50;
/// What a leg hears below an announcement that is mixed with the call: -12 dB.
const DUCK_SHIFT: u32 = 2;

impl Node {
    pub(super) fn run_frames(&mut self, now: Timestamp) {
        let due = now.0 / PHASE_US;
        if self.phases.iter().all(|p| p.is_empty()) {
            self.next_phase = due + 1;
            return;
        }
        if self.next_phase == 0 {
            self.next_phase = due;
        }
        if due > self.next_phase + CATCH_UP_MAX {
            self.counters.overruns += due - self.next_phase;
            self.next_phase = due;
        }
        while self.next_phase <= due {
            self.run_phase((self.next_phase % PHASES as u64) as usize, now);
            self.next_phase += 1;
        }
    }

    /// When the next phase with work begins.
    pub(super) fn next_frame(&self) -> Option<Timestamp> {
        (0..PHASES as u64)
            .map(|k| self.next_phase + k)
            .find(|n| !self.phases[(n % PHASES as u64) as usize].is_empty())
            .map(|n| Timestamp(n * PHASE_US))
    }

    fn run_phase(&mut self, phase: usize, now: Timestamp) {
        if self.phases[phase].is_empty() {
            return;
        }
        // Nothing below changes who is in a phase: such changes are deferred.
        let list = std::mem::take(&mut self.phases[phase]);
        for &slot in &list {
            self.decode(slot, now);
        }
        for index in 0..self.mixes.len() {
            if self.mixes[index]
                .as_ref()
                .is_some_and(|m| usize::from(m.phase) == phase)
            {
                self.run_mix(index);
            }
        }
        for &slot in &list {
            if self.leg(slot).is_some_and(|l| l.tracked.is_some()) {
                self.encode_tracks(slot, now);
            }
        }
        for &slot in &list {
            if let Some(mut leg) = self.legs[slot as usize].take() {
                if leg.way == Way::Frames {
                    self.produce(&mut leg, slot, now);
                }
                self.legs[slot as usize] = Some(leg);
            }
        }
        self.phases[phase] = list;
        self.run_recordings(phase);
        self.run_deferred(now);
    }

    fn decode(&mut self, slot: Slot, now: Timestamp) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let Some(voice) = &mut leg.voice else {
            return;
        };
        voice.advance(now);
        if voice.voiced
            && let Some(mut detector) = voice.detector.take()
        {
            let deferred = &mut self.deferred;
            detector.feed(voice.at_rate(8_000, &mut self.filters), |heard| {
                deferred.push(match heard {
                    Heard::Pressed(_) => Deferred::Pressed(slot),
                    Heard::Released(digit, ms) => Deferred::Digit(slot, digit, ms, true),
                });
            });
            voice.detector = Some(detector);
        }
    }

    fn run_mix(&mut self, index: usize) {
        let Some(mut mix) = self.mixes[index].take() else {
            return;
        };
        mix.clear();
        for i in 0..mix.speakers.len() {
            let slot = mix.speakers[i];
            let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
                continue;
            };
            if leg.muted {
                continue;
            }
            if let Some(voice) = &mut leg.voice
                && voice.speaks()
            {
                mix.add(voice.rate_hz(), &voice.frame);
                voice.mixed_into = Some(index as u32);
            }
        }
        let mut wanted: SmallVec<[u32; 4]> = SmallVec::new();
        for &slot in &mix.hearers {
            let plan = self.leg(slot).and_then(|l| l.plan.as_ref());
            if let Some(codec) = plan.map(|p| p.codec) {
                let rate = working_rate_hz(codec, self.config.opus_rate_hz);
                if !wanted.contains(&rate) {
                    wanted.push(rate);
                }
            }
        }
        mix.finish(&wanted, &mut self.filters, &mut self.work.sums);
        self.mixes[index] = Some(mix);
    }

    /// Makes and sends what `leg` hears in this frame. The leg is out of its slot meanwhile.
    fn produce(&mut self, leg: &mut Leg, slot: Slot, now: Timestamp) {
        if leg.destination().is_none() {
            self.play_unheard(leg, slot);
            return;
        }
        leg.outgoing.clear();
        if !leg.digits.is_empty() {
            let sent = self.produce_digit(leg, now);
            if leg.digits.is_empty() {
                self.deferred.push(Deferred::Rewire(slot));
            }
            if sent {
                return;
            }
        }
        let calm = leg.player.is_none();
        let placed = calm && leg.seats.as_ref().is_some_and(|s| s.picture.is_some());
        let mut frame = Frame::Silence;
        if leg.tapped || !placed {
            frame = self.assemble(leg, slot);
        }
        if leg.tapped && frame == Frame::Pcm {
            leg.outgoing.extend_from_slice(&self.work.pcm);
        }
        if placed && let Some(stereo) = self.picture_frame(leg, slot) {
            frame = stereo;
        }
        // Whom it hears comes on lines of their own: the first one is for what we play.
        if calm && leg.is_apart() {
            return;
        }
        self.counters.sent += deliver(
            leg,
            now,
            frame,
            self.config.opus_rate_hz,
            &mut self.work,
            &mut self.outbox,
        );
    }

    /// A prompt to a far side that has us on hold passes unheard: whoever waits for its end goes on.
    fn play_unheard(&mut self, leg: &mut Leg, slot: Slot) {
        let (Some(plan), Some(player)) = (&leg.plan, &mut leg.player) else {
            return;
        };
        let rate = rate_of(plan, self.config.opus_rate_hz);
        player.prepare(rate, &mut self.clips, &mut self.filters);
        if !player.pcm(&mut self.clips, true, &mut self.work.pcm) {
            self.deferred.push(Deferred::Played(slot, player.id));
        }
    }

    /// Sends a digit's frame; `false` in the pause between digits, when audio may go.
    fn produce_digit(&mut self, leg: &mut Leg, now: Timestamp) -> bool {
        let Some(plan) = &leg.plan else {
            return false;
        };
        let codec = plan.codec;
        let clock_hz = codec.clock_hz();
        let units = clock_hz / 50;
        let Some((payload_type, _)) = plan.dtmf else {
            let Some((digit, at)) = leg.digits.tone_step() else {
                return false;
            };
            let rate = rate_of(plan, self.config.opus_rate_hz);
            let whole = tone::samples(digit, crate::dtmf::event::DIGIT_MS as usize, rate);
            let frame = (rate / 50) as usize;
            let from = at as usize * frame;
            self.work.pcm.clear();
            self.work.pcm.extend_from_slice(&whole[from..from + frame]);
            let (work, outbox) = (&mut self.work, &mut self.outbox);
            let opus_rate_hz = self.config.opus_rate_hz;
            self.counters.sent += deliver(leg, now, Frame::Pcm, opus_rate_hz, work, outbox);
            return true;
        };
        let Some(Step::Event { event, first }) = leg.digits.event_step(units) else {
            return false;
        };
        let Some(to) = leg.destination() else {
            return true;
        };
        let numbers = if first {
            let n = leg.sender.own(now, clock_hz, units);
            leg.digit_timestamp = n.timestamp;
            n
        } else {
            leg.sender.skip(units);
            leg.sender.again(now, leg.digit_timestamp)
        };
        let header = Header {
            marker: first,
            payload_type,
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            ssrc: leg.sender.ssrc,
        };
        let plain = &mut self.work.plain;
        let bytes = event.to_bytes();
        let sent = super::receive::send_rtp(&mut self.outbox, plain, leg, to, header, &bytes);
        self.counters.sent += u64::from(sent);
        true
    }

    /// Puts what the leg hears into the work space.
    fn assemble(&mut self, leg: &mut Leg, slot: Slot) -> Frame {
        let Some(plan) = &leg.plan else {
            return Frame::Silence;
        };
        let (codec, opus_rate_hz) = (plan.codec, self.config.opus_rate_hz);
        let rate = rate_of(plan, opus_rate_hz);
        let ready = packet_ms(plan) == 20 && !leg.tapped;
        let mut announcing = false;
        if let Some(player) = &mut leg.player {
            player.prepare(rate, &mut self.clips, &mut self.filters);
            let alone = !player.mix_with_call;
            let work = &mut self.work;
            let more = if alone && ready {
                player.encoded(&mut self.clips, codec, opus_rate_hz, &mut work.bytes)
            } else {
                let stitch = super::clip::is_bytewise(codec);
                player.pcm(&mut self.clips, stitch, &mut work.pcm)
            };
            if !more {
                self.deferred.push(Deferred::Played(slot, player.id));
            } else if alone && ready {
                return Frame::Encoded;
            } else {
                self.work.pcm.resize((rate / 50) as usize, 0);
                if alone {
                    return Frame::Pcm;
                }
                announcing = true;
            }
        }
        self.assemble_call(leg, slot, rate, ready, announcing)
    }

    /// Sums the mix without the leg's own voice, the single legs, and an announcement waiting in the
    /// work space.
    fn assemble_call(
        &mut self,
        leg: &mut Leg,
        slot: Slot,
        rate: u32,
        ready: bool,
        announcing: bool,
    ) -> Frame {
        let sums = &mut self.work.sums;
        sums.clear();
        let mut heard = false;
        let apart = leg.is_apart() && !leg.tapped;
        if let Some(mix) = leg
            .hears_mix
            .filter(|_| !apart)
            .and_then(|i| self.mixes.get_mut(i as usize))
            .and_then(|m| m.as_mut())
            && !mix.is_silent()
        {
            let own = leg
                .voice
                .as_ref()
                .filter(|v| v.mixed_into.is_some() && v.mixed_into == leg.hears_mix);
            if let Some(e) = &mut leg.egress {
                e.since_own = if own.is_some() {
                    0
                } else {
                    e.since_own.saturating_add(1)
                };
            }
            // An encoder with memory is not left and joined at every pause for breath.
            let rested = leg
                .egress
                .as_ref()
                .is_none_or(|e| e.since_own > SHARE_AFTER);
            let plain = own.is_none() && leg.heard_slots.is_empty() && !announcing && ready;
            let shared = leg
                .plan
                .as_ref()
                .map(|p| p.codec)
                .filter(|c| plain && (rested || super::clip::is_bytewise(*c)));
            if let Some(codec) = shared
                && let Some(b) = mix.encoded(codec, self.config.opus_rate_hz, &mut self.work.pcm)
            {
                self.work.bytes.clear();
                self.work.bytes.extend_from_slice(b);
                return Frame::Encoded;
            }
            sums.extend_from_slice(mix.total(rate));
            for (a, s) in sums.iter_mut().zip(own.map_or(&[][..], |v| &v.frame)) {
                *a -= i32::from(*s);
            }
            heard = true;
        }
        sums.resize((rate / 50) as usize, 0);
        heard |= !apart && self.add_singles(leg, slot, rate);
        if !heard && !announcing {
            return Frame::Silence;
        }
        if announcing {
            for (a, s) in self.work.sums.iter_mut().zip(&self.work.pcm) {
                *a = (*a >> DUCK_SHIFT) + i32::from(*s);
            }
        }
        clamp(&self.work.sums, &mut self.work.pcm);
        Frame::Pcm
    }

    /// Adds the voices of the legs heard singly; whether there was any.
    fn add_singles(&mut self, leg: &mut Leg, slot: Slot, rate: u32) -> bool {
        let mut heard = false;
        for i in 0..leg.heard_slots.len() {
            // A leg may hear itself: the echo test.
            let source = match leg.heard_slots[i] {
                own if own == slot => Some(&mut *leg),
                other => self.legs[other as usize].as_deref_mut(),
            };
            let Some(source) = source.filter(|s| !s.muted) else {
                continue;
            };
            if let Some(voice) = &mut source.voice
                && voice.voiced
            {
                heard = true;
                let frame = voice.at_rate(rate, &mut self.filters);
                for (a, s) in self.work.sums.iter_mut().zip(frame) {
                    *a += i32::from(*s);
                }
            }
        }
        heard
    }
}
