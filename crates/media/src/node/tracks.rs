//! Voices on lines of their own (S3.6): what a browser hears of several comes one by one, so that its
//! page can place each. A voice in the browser's codec is forwarded packet by packet; another is
//! encoded once for all who want it so.

use super::leg::Leg;
use super::sender::Sender;
use super::{Node, Slot};
use crate::codec::Encoder;
use crate::peer::{Line, Outgoing, TRACKS_MAX, TrackLine};
use crate::rtp::Header;
use cp_vocab::media::{Codec, MediaEvent, SeatsAsk};
use cp_vocab::web::{HeardOn, PeerSaid};
use cp_vocab::{LegId, Timestamp};
use rand::Rng;
use smallvec::SmallVec;

pub(super) type Heard = SmallVec<[(LegId, Slot); 8]>;

/// A browser's lines beyond the first.
#[derive(Default)]
pub(crate) struct Tracks {
    /// It asked about seats: it is told whom it hears.
    asked: bool,
    wanted: bool,
    /// Everybody it hears has a line, and nobody comes mixed.
    pub(crate) on: bool,
    /// By the place in [`crate::peer::Agreed::tracks`].
    lines: Vec<Track>,
    /// And how many lines were missing.
    told: Option<(Vec<HeardOn>, usize)>,
    speaking: Vec<LegId>,
}

struct Track {
    source: Option<(LegId, Slot)>,
    sender: Sender,
}

/// Who takes a leg's voice alone.
#[derive(Default)]
pub(crate) struct Tracked {
    /// Hearer, and which of its lines.
    by: SmallVec<[(Slot, u8); 4]>,
    codes: SmallVec<[Code; 1]>,
}

/// The voice in another codec than its own.
struct Code {
    codec: Codec,
    encoder: Encoder,
    bytes: Vec<u8>,
}

impl Node {
    pub(super) fn take_seats(&mut self, now: Timestamp, slot: Slot, ask: &SeatsAsk) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        if let Some(web) = &mut leg.web {
            web.tracks.asked = true;
            web.tracks.wanted = ask.tracks.unwrap_or(web.tracks.wanted);
        }
        self.move_seats(now, slot, ask);
        if !self.seated.contains(&slot) {
            self.seated.push(slot);
        }
        self.rewire(slot);
    }

    /// Whom a leg hears, singly or in its mix, in the order they came.
    pub(super) fn heard(&self, slot: Slot) -> Heard {
        let mut heard = Heard::new();
        let Some(leg) = self.leg(slot) else {
            return heard;
        };
        let mix = leg
            .hears_mix
            .and_then(|i| self.mixes.get(i as usize)?.as_ref());
        let mixed = mix.into_iter().flat_map(|m| m.speakers.iter().copied());
        let singles = leg.hears.legs.iter().filter_map(|l| self.by_id.get(l));
        for other in mixed.chain(singles.copied()).filter(|s| *s != slot) {
            if let Some(id) = self.leg(other).map(|l| l.id)
                && !heard.iter().any(|(h, _)| *h == id)
            {
                heard.push((id, other));
            }
        }
        heard
    }

    /// Gives each voice that the leg hears a line, or takes all back when there are not enough.
    pub(super) fn decide_tracks(&mut self, slot: Slot) {
        let leg = self.leg(slot);
        let Some(web) = leg.and_then(|l| l.web.as_ref()).filter(|w| w.tracks.asked) else {
            return;
        };
        let sends = leg.and_then(|l| l.plan.as_ref()).is_some_and(|p| p.send);
        let lines: Vec<TrackLine> = web.peer.agreed().map_or(vec![], |a| a.tracks.clone());
        let wanted = web.tracks.wanted && sends;
        let heard = self.heard(slot);
        let several = heard.len() >= 2 && heard.len() <= TRACKS_MAX;
        let usable = lines.iter().filter(|l| l.send).count();
        let on = wanted && several && usable >= heard.len();
        let lacking = if wanted && several {
            heard.len().saturating_sub(usable)
        } else {
            0
        };
        let changed = self.assign(slot, &lines, if on { &heard } else { &[] });
        let Some(web) = self.leg_mut(slot).and_then(|l| l.web.as_mut()) else {
            return;
        };
        let tracks = &mut web.tracks;
        tracks.on = on;
        let line_of = |id: LegId| {
            let at = tracks
                .lines
                .iter()
                .position(|t| t.source.map(|s| s.0) == Some(id));
            at.and_then(|at| lines.get(at)).map(|l| l.mid.clone())
        };
        let list: Vec<_> = heard.iter().map(|(id, _)| (*id, line_of(*id))).collect();
        let told = Some((list.clone(), lacking));
        if tracks.told != told {
            tracks.told = told;
            let said = PeerSaid::Tracks {
                tracks: list,
                lacking,
            };
            if let Some(leg) = self.leg(slot).map(|l| l.id) {
                self.outbox.event(MediaEvent::Peer { leg, said });
            }
        }
        for source in changed {
            self.decide_voice(source);
            self.place(source);
        }
    }

    /// Keeps the lines of those who are heard still. Returns the sources that were gained or lost.
    fn assign(&mut self, slot: Slot, lines: &[TrackLine], heard: &[(LegId, Slot)]) -> Vec<Slot> {
        let mut changed = Vec::new();
        let seeds = match lines {
            [] => [0; 2],
            _ => [self.rng.next_u32(), self.rng.next_u32()],
        };
        let Some(web) = self.leg_mut(slot).and_then(|l| l.web.as_mut()) else {
            return changed;
        };
        let tracks = &mut web.tracks;
        for n in tracks.lines.len() as u32..lines.len() as u32 {
            let sender = Sender::new(0, seeds[0] as u16, seeds[1].wrapping_add(n));
            tracks.lines.push(Track {
                source: None,
                sender,
            });
        }
        let mut moves: SmallVec<[(Slot, u8, bool); 8]> = SmallVec::new();
        let usable = |n: usize| lines.get(n).is_some_and(|l| l.send);
        for (n, track) in tracks.lines.iter_mut().enumerate() {
            let gone = track.source.filter(|s| !usable(n) || !heard.contains(s));
            if let Some((_, source)) = gone {
                track.source = None;
                track.sender.pause();
                moves.push((source, n as u8, false));
            }
        }
        for (id, source) in heard {
            if tracks
                .lines
                .iter()
                .any(|t| t.source == Some((*id, *source)))
            {
                continue;
            }
            let free = |(n, t): &(usize, &mut Track)| t.source.is_none() && usable(*n);
            if let Some((n, track)) = tracks.lines.iter_mut().enumerate().find(free) {
                track.source = Some((*id, *source));
                moves.push((*source, n as u8, true));
            }
        }
        for (source, n, gained) in moves {
            changed.push(source);
            let Some(leg) = self.leg_mut(source) else {
                continue;
            };
            let tracked = leg.tracked.get_or_insert_default();
            tracked.by.retain(|b| *b != (slot, n));
            if gained {
                tracked.by.push((slot, n));
            }
            if tracked.by.is_empty() {
                leg.tracked = None;
            }
        }
        changed
    }

    /// The leg's peer connection goes: nobody's voice is sent on its lines.
    pub(super) fn untrack(&mut self, slot: Slot) {
        for source in self.assign(slot, &[], &[]) {
            self.decide_voice(source);
            self.place(source);
        }
    }

    /// One packet of a voice, to those who take it alone and in its own codec.
    pub(super) fn track_packet(
        &mut self,
        now: Timestamp,
        slot: Slot,
        (epoch, ext): (u32, u32),
        header: Header,
        payload: &[u8],
    ) {
        let Some(leg) = self.leg(slot).filter(|l| !l.muted) else {
            return;
        };
        let (Some(tracked), Some(codec)) = (&leg.tracked, leg.voice_codec()) else {
            return;
        };
        let clock_hz = codec.clock_hz();
        for (hearer, n) in tracked.by.clone() {
            let Some(leg) = self.legs[hearer as usize].as_deref_mut() else {
                continue;
            };
            if !takes(leg, codec) {
                continue;
            }
            let Some(track) = track_of(leg, n) else {
                continue;
            };
            let numbers = track
                .sender
                .forward(now, clock_hz, slot, epoch, ext, header.timestamp);
            if let Some(numbers) = numbers {
                let marker = header.marker || numbers.fresh;
                let at = (numbers.sequence, numbers.timestamp, marker);
                self.send_track(now, hearer, n, at, payload);
            }
        }
    }

    /// One frame of a voice, to those who take it alone in another codec than its own.
    pub(super) fn encode_tracks(&mut self, slot: Slot, now: Timestamp) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let own = leg.voice_codec();
        let (Some(mut tracked), Some(mut voice)) = (leg.tracked.take(), leg.voice.take()) else {
            return;
        };
        let voiced = voice.voiced && !leg.muted;
        for code in &mut tracked.codes {
            code.bytes.clear();
        }
        for &(hearer, n) in &tracked.by {
            let Some(leg) = self.legs[hearer as usize].as_deref_mut() else {
                continue;
            };
            let codec = leg.plan.as_ref().map(|p| p.codec);
            let Some(codec) = codec.filter(|c| Some(*c) != own && takes(leg, *c)) else {
                continue;
            };
            let units = codec.clock_hz() / 50;
            let Some(track) = track_of(leg, n) else {
                continue;
            };
            if !voiced {
                track.sender.skip(units);
                continue;
            }
            let numbers = track.sender.own(now, codec.clock_hz(), units);
            let opus_rate_hz = self.config.opus_rate_hz;
            let Some(at) = code_of(&mut tracked.codes, codec, opus_rate_hz) else {
                continue;
            };
            let code = &mut tracked.codes[at];
            if code.bytes.is_empty() {
                let frame = voice.at_rate(code.encoder.rate_hz(), &mut self.filters);
                if code.encoder.encode(frame, &mut code.bytes).is_err() {
                    continue;
                }
            }
            let at = (numbers.sequence, numbers.timestamp, numbers.fresh);
            self.send_track(now, hearer, n, at, &code.bytes);
        }
        if let Some(leg) = self.leg_mut(slot) {
            leg.tracked = Some(tracked);
            leg.voice = Some(voice);
        }
    }

    fn send_track(
        &mut self,
        now: Timestamp,
        hearer: Slot,
        n: u8,
        (sequence, timestamp, marker): (u16, u32, bool),
        payload: &[u8],
    ) {
        let Some(leg) = self.legs[hearer as usize].as_deref_mut() else {
            return;
        };
        let (Some(web), Some(plan)) = (&mut leg.web, &leg.plan) else {
            return;
        };
        let packet = Outgoing {
            line: Line::Track(n),
            payload_type: plan.payload_type_send,
            marker,
            sequence,
            timestamp,
            payload,
        };
        web.peer.send(now, &packet);
        if !std::mem::replace(&mut web.dirty, true) {
            self.outbox.dirty.push(hearer);
        }
        leg.sender.packets += 1;
        leg.sender.octets += payload.len() as u64;
        self.counters.sent += 1;
    }

    /// Ten times a second: who speaks, and whose time near is over.
    pub(super) fn look_after_seats(&mut self, now: Timestamp) {
        for slot in std::mem::take(&mut self.seated) {
            let near = self.near_is_over(now, slot);
            let speaking: Vec<LegId> = self
                .heard(slot)
                .iter()
                .filter(|(_, s)| self.leg(*s).is_some_and(is_speaking))
                .map(|(id, _)| *id)
                .collect();
            let Some(leg) = self.leg_mut(slot) else {
                continue;
            };
            let id = leg.id;
            let asked = leg.web.as_mut().map(|w| &mut w.tracks).filter(|t| t.asked);
            let stays = asked.is_some() || leg.seats.as_ref().is_some_and(|s| s.is_waiting());
            let asked = leg.web.as_mut().map(|w| &mut w.tracks).filter(|t| t.asked);
            if let Some(tracks) = asked.filter(|t| t.speaking != speaking) {
                tracks.speaking.clone_from(&speaking);
                let said = PeerSaid::Speaking { legs: speaking };
                self.outbox.event(MediaEvent::Peer { leg: id, said });
            }
            if stays {
                self.seated.push(slot);
            }
            if near {
                self.rewire(slot);
            }
        }
    }
}

fn is_speaking(leg: &Leg) -> bool {
    !leg.muted && leg.voice.as_ref().is_some_and(|v| v.is_speaking())
}

fn track_of(leg: &mut Leg, n: u8) -> Option<&mut Track> {
    leg.web.as_mut()?.tracks.lines.get_mut(usize::from(n))
}

/// Whether a hearer's lines carry a voice in this codec now: not while something plays to it instead.
fn takes(leg: &Leg, codec: Codec) -> bool {
    let fits = leg
        .plan
        .as_ref()
        .is_some_and(|p| p.send && p.codec == codec);
    fits && leg.player.as_ref().is_none_or(|p| p.mix_with_call)
}

fn code_of(codes: &mut SmallVec<[Code; 1]>, codec: Codec, opus_rate_hz: u32) -> Option<usize> {
    if let Some(at) = codes.iter().position(|c| c.codec == codec) {
        return Some(at);
    }
    codes.push(Code {
        codec,
        encoder: Encoder::new(codec, opus_rate_hz).ok()?,
        bytes: Vec::new(),
    });
    Some(codes.len() - 1)
}
