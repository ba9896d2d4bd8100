//! The stereo picture of several voices for a leg that plays two channels (S3.6): rendered once for all
//! who have the same places before them, and encoded once for those of them who are silent.

use super::egress::{Frame, packet_ms};
use super::leg::Leg;
use super::tracks::Heard;
use super::{Node, Slot};
use crate::codec::StereoEncoder;
use crate::seats::{FRAME_SAMPLES, Place, Renderer, Room, SOURCES_MAX, Seat, Source};
use cp_vocab::media::{Codec, SEATS_MAX, SeatsAsk};
use cp_vocab::{LegId, Timestamp};
use std::time::Duration;

/// Frames without own voice after which a leg takes the encoding of all (1 s): an encoder has memory.
const SHARE_AFTER: u32 = 50;

/// A listener's places, and its share in a picture.
#[derive(Default)]
pub(crate) struct Seated {
    /// Moved by hand, or one selected.
    room: Option<Room>,
    pub(crate) picture: Option<u32>,
    encoder: Option<StereoEncoder>,
    since_own: u32,
}

impl Seated {
    /// Somebody is near, and goes back by time.
    pub(crate) fn is_waiting(&self) -> bool {
        self.room
            .as_ref()
            .is_some_and(|r| r.next_timeout().is_some())
    }
}

/// What several listeners may share.
pub(crate) struct Picture {
    phase: u8,
    layout: Vec<(LegId, Slot, Place)>,
    users: u32,
    renderer: Renderer,
    encoder: Option<StereoEncoder>,
    /// Voices of this frame, one after the other.
    frames: Vec<i16>,
    pcm: Vec<i16>,
    bytes: Vec<u8>,
    /// Numbers of the frames they were made for.
    rendered: u64,
    encoded: u64,
}

impl Node {
    /// Pictures moved or selected by a listener.
    pub(super) fn move_seats(&mut self, now: Timestamp, slot: Slot, ask: &SeatsAsk) {
        if ask.seats.is_empty() && ask.select.is_none() {
            return;
        }
        let all = self.present(slot, &self.heard(slot));
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let seats = leg.seats.get_or_insert_default();
        let room = seats.room.get_or_insert_default();
        room.arrange(&all);
        for s in ask.seats.iter().take(SEATS_MAX) {
            let part = |v: i16| f32::from(v) / 1_000.0;
            room.seat(s.leg, Seat::new(part(s.x), part(s.y)));
        }
        if let Some(s) = ask.select {
            room.select(now, s.leg, Duration::from_millis(u64::from(s.near_ms)));
        }
    }

    /// Whether a selected one goes back now.
    pub(super) fn near_is_over(&mut self, now: Timestamp, slot: Slot) -> bool {
        let seats = self.leg_mut(slot).and_then(|l| l.seats.as_mut());
        let Some(room) = seats.and_then(|s| s.room.as_mut()) else {
            return false;
        };
        let over = room.next_timeout().is_some_and(|at| at <= now);
        if over {
            room.timeout(now);
        }
        over
    }

    /// Everybody who has a place in the session a leg hears, in the order they came; itself among them
    /// when it speaks there.
    fn present(&self, slot: Slot, heard: &Heard) -> Vec<LegId> {
        let mix = self.leg(slot).and_then(|l| l.hears_mix);
        let mix = mix.and_then(|i| self.mixes.get(i as usize)?.as_ref());
        let mixed = mix.into_iter().flat_map(|m| m.speakers.iter().copied());
        let mut all: Vec<LegId> = mixed.filter_map(|s| Some(self.leg(s)?.id)).collect();
        for (id, _) in heard {
            if !all.contains(id) {
                all.push(*id);
            }
        }
        all
    }

    /// Whether the leg hears in stereo, and which picture.
    pub(super) fn decide_picture(&mut self, slot: Slot) {
        let Some(leg) = self.leg(slot) else {
            return;
        };
        let plan = leg.plan.as_ref();
        let able = plan
            .is_some_and(|p| p.stereo && p.send && p.codec == Codec::Opus && packet_ms(p) == 20);
        let apart = leg.web.as_ref().is_some_and(|w| w.tracks.on);
        if !able || apart {
            return self.leave_picture(slot);
        }
        let (heard, phase) = (self.heard(slot), leg.phase);
        if heard.len() < 2 {
            return self.leave_picture(slot);
        }
        let all = self.present(slot, &heard);
        let layout = self.layout(slot, &all);
        let same = |p: &Picture| p.phase == phase && p.layout == layout;
        let own = self.leg(slot).and_then(|l| l.seats.as_ref()?.picture);
        let found = self
            .pictures
            .iter()
            .position(|p| p.as_ref().is_some_and(same));
        if found.is_some() && found == own.map(|o| o as usize) {
            return;
        }
        if found.is_none()
            && let Some(p) = own.and_then(|o| self.pictures[o as usize].as_mut())
            && p.users == 1
        {
            // Nobody else looks at it: the voices glide to their new places.
            (p.phase, p.layout) = (phase, layout);
            return;
        }
        let before = own.and_then(|o| self.pictures[o as usize].as_ref());
        let renderer = before.map(|p| p.renderer.clone()).unwrap_or_default();
        self.leave_picture(slot);
        let index = found.unwrap_or_else(|| self.new_picture(phase, layout, renderer));
        if let Some(p) = self.pictures[index].as_mut() {
            p.users += 1;
        }
        if let Some(leg) = self.leg_mut(slot) {
            leg.seats.get_or_insert_default().picture = Some(index as u32);
        }
    }

    fn layout(&mut self, slot: Slot, all: &[LegId]) -> Vec<(LegId, Slot, Place)> {
        let mut usual = Room::default();
        let own = self.legs[slot as usize]
            .as_deref_mut()
            .and_then(|l| l.seats.as_mut()?.room.as_mut());
        let room = own.unwrap_or(&mut usual);
        room.arrange(all);
        let places: Vec<_> = all.iter().map(|id| (*id, room.place_of(*id))).collect();
        let slot_of = |id: &LegId| self.by_id.get(id).copied();
        places
            .into_iter()
            .filter_map(|(id, place)| Some((id, slot_of(&id)?, place)))
            .collect()
    }

    fn new_picture(
        &mut self,
        phase: u8,
        layout: Vec<(LegId, Slot, Place)>,
        renderer: Renderer,
    ) -> usize {
        let index = match self.pictures.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.pictures.push(None);
                self.pictures.len() - 1
            }
        };
        self.pictures[index] = Some(Picture {
            phase,
            layout,
            users: 0,
            renderer,
            encoder: None,
            frames: Vec::new(),
            pcm: vec![0; FRAME_SAMPLES * 2],
            bytes: Vec::new(),
            rendered: 0,
            encoded: 0,
        });
        index
    }

    pub(super) fn leave_picture(&mut self, slot: Slot) {
        let seats = self.leg_mut(slot).and_then(|l| l.seats.as_mut());
        let Some(seats) = seats else { return };
        let left = seats.picture.take();
        seats.encoder = None;
        seats.since_own = 0;
        let Some(place) = left.and_then(|i| self.pictures.get_mut(i as usize)) else {
            return;
        };
        if let Some(p) = place {
            p.users -= 1;
            if p.users == 0 {
                *place = None;
            }
        }
    }

    /// One frame in stereo, encoded into the work space. The leg is out of its slot meanwhile.
    pub(super) fn picture_frame(&mut self, leg: &mut Leg, slot: Slot) -> Option<Frame> {
        let mut seats = leg.seats.take()?;
        let index = seats.picture? as usize;
        let mut picture = self.pictures.get_mut(index)?.take();
        let frame = picture
            .as_mut()
            .and_then(|p| self.look(p, &mut seats, leg, slot));
        self.pictures[index] = picture;
        leg.seats = Some(seats);
        frame
    }

    fn look(
        &mut self,
        p: &mut Picture,
        seats: &mut Seated,
        leg: &mut Leg,
        slot: Slot,
    ) -> Option<Frame> {
        // The shell numbers phases from one.
        let number = self.next_phase + 1;
        if p.rendered != number {
            self.render(p, leg, slot);
            p.rendered = number;
        }
        let own = p.renderer.is_heard(leg.id);
        seats.since_own = if own {
            0
        } else {
            seats.since_own.saturating_add(1)
        };
        let work = &mut self.work.bytes;
        work.clear();
        let listens = !p.layout.iter().any(|(_, at, _)| *at == slot);
        if listens || seats.since_own > SHARE_AFTER {
            if p.encoded != number {
                if p.encoder.is_none() {
                    p.encoder = StereoEncoder::new().ok();
                }
                p.renderer.picture(None, &mut p.pcm);
                p.bytes.clear();
                p.encoder.as_mut()?.encode(&p.pcm, &mut p.bytes).ok()?;
                p.encoded = number;
                self.encodings += 1;
            }
            work.extend_from_slice(&p.bytes);
            return Some(Frame::Encoded);
        }
        if seats.encoder.is_none() {
            seats.encoder = StereoEncoder::new().ok();
        }
        p.renderer.picture(Some(leg.id), &mut p.pcm);
        seats.encoder.as_mut()?.encode(&p.pcm, work).ok()?;
        self.encodings += 1;
        Some(Frame::Encoded)
    }

    /// Places all voices of this frame, that of `leg` (which is out of its slot) among them.
    fn render(&mut self, p: &mut Picture, leg: &mut Leg, slot: Slot) {
        p.frames.clear();
        let mut heard: smallvec::SmallVec<[(LegId, Place); SOURCES_MAX]> = Default::default();
        for &(id, at, place) in &p.layout {
            let source = if at == slot {
                Some(&mut *leg)
            } else {
                self.legs[at as usize].as_deref_mut()
            };
            let Some(source) = source.filter(|s| s.id == id && !s.muted) else {
                continue;
            };
            if let Some(voice) = source.voice.as_mut().filter(|v| v.speaks()) {
                let frame = voice.at_rate(crate::codec::STEREO_RATE_HZ, &mut self.filters);
                p.frames.extend_from_slice(frame);
                p.frames.resize((heard.len() + 1) * FRAME_SAMPLES, 0);
                heard.push((id, place));
            }
        }
        let frames = p.frames.chunks_exact(FRAME_SAMPLES);
        let sources: Vec<Source<'_>> = heard
            .iter()
            .zip(frames)
            .map(|(&(leg, place), frame)| Source { leg, frame, place })
            .collect();
        p.renderer.place(&sources, FRAME_SAMPLES);
    }
}
