//! Who hears whom, and by which way: decided anew whenever a plan, a hearing, a playback or a
//! recording changes, so that the packet path only follows ready lists.

use super::leg::{Leg, Way};
use super::mix::Mix;
use super::voice::Voice;
use super::{Node, PHASES, Slot};
use cp_vocab::media::Hears;
use cp_vocab::{LegId, MixId};
use rand::Rng;
use smallvec::SmallVec;

type Slots = SmallVec<[Slot; 8]>;

fn add(list: &mut Slots, slot: Slot) {
    if !list.contains(&slot) {
        list.push(slot);
    }
}

impl Node {
    pub(super) fn set_hears(&mut self, slot: Slot, hears: Hears) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let id = leg.id;
        let before = std::mem::replace(&mut leg.hears, hears.clone());
        for source in &before.legs {
            if let Some(list) = self.heard_by.get_mut(source) {
                list.retain(|l| *l != id);
                if list.is_empty() {
                    self.heard_by.remove(source);
                }
            }
        }
        for source in &hears.legs {
            let list = self.heard_by.entry(*source).or_default();
            if !list.contains(&id) {
                list.push(id);
            }
        }
        if before.mix != hears.mix {
            self.leave_mix(slot, before.mix, |m| &mut m.hearers);
            let index = self.join_mix(slot, hears.mix, |m| &mut m.hearers);
            if let Some(leg) = self.leg_mut(slot) {
                leg.hears_mix = index;
            }
        }
        let mut around = self.around(slot);
        for source in &before.legs {
            if let Some(&s) = self.by_id.get(source) {
                add(&mut around, s);
            }
        }
        self.rewire_all(&around);
    }

    pub(super) fn set_speaks(&mut self, slot: Slot, into: Option<MixId>) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let before = std::mem::replace(&mut leg.speaks, into);
        if before != into {
            self.leave_mix(slot, before, |m| &mut m.speakers);
            self.join_mix(slot, into, |m| &mut m.speakers);
            self.reseat_hearers(before);
            self.reseat_hearers(into);
        }
        self.rewire(slot);
    }

    fn join_mix(
        &mut self,
        slot: Slot,
        id: Option<MixId>,
        list: fn(&mut Mix) -> &mut Vec<Slot>,
    ) -> Option<u32> {
        let id = id?;
        let index = match self.mix_by_id.get(&id) {
            Some(&i) => i,
            None => {
                let phase = self.leg(slot).map_or(0, |l| l.phase);
                let free = self.mixes.iter().position(|m| m.is_none());
                let index = free.unwrap_or(self.mixes.len());
                if index == self.mixes.len() {
                    self.mixes.push(None);
                }
                self.mixes[index] = Some(Mix::new(id, phase));
                self.mix_by_id.insert(id, index as u32);
                index as u32
            }
        };
        let mut phase = 0;
        if let Some(mix) = self.mixes[index as usize].as_mut() {
            phase = mix.phase;
            let list = list(mix);
            if !list.contains(&slot) {
                list.push(slot);
            }
        }
        self.set_phase(slot, phase);
        Some(index)
    }

    /// Who hears a mix voice by voice has other voices now.
    fn reseat_hearers(&mut self, mix: Option<MixId>) {
        let index = mix.and_then(|id| self.mix_by_id.get(&id).copied());
        let mix = index.and_then(|i| self.mixes[i as usize].as_ref());
        for hearer in mix.map_or(vec![], |m| m.hearers.clone()) {
            let leg = self.leg(hearer);
            let stereo = leg.and_then(|l| l.plan.as_ref()).is_some_and(|p| p.stereo);
            if stereo || leg.is_some_and(|l| l.web.is_some()) {
                self.decide_way(hearer);
                self.place(hearer);
            }
        }
    }

    fn leave_mix(&mut self, slot: Slot, id: Option<MixId>, list: fn(&mut Mix) -> &mut Vec<Slot>) {
        let Some(index) = id.and_then(|id| self.mix_by_id.get(&id).copied()) else {
            return;
        };
        let place = &mut self.mixes[index as usize];
        if let Some(mix) = place {
            list(mix).retain(|s| *s != slot);
            if mix.is_empty() {
                self.mix_by_id.remove(&mix.id);
                *place = None;
            }
        }
    }

    /// The legs whose way may depend on this one: itself, those it hears, those that hear it.
    fn around(&self, slot: Slot) -> Slots {
        let mut all = Slots::new();
        add(&mut all, slot);
        let Some(leg) = self.leg(slot) else {
            return all;
        };
        let hearers = self.heard_by.get(&leg.id).into_iter().flatten();
        for id in leg.hears.legs.iter().chain(hearers) {
            if let Some(&s) = self.by_id.get(id) {
                add(&mut all, s);
            }
        }
        all
    }

    /// Everything that depends on this leg is decided anew.
    pub(super) fn rewire(&mut self, slot: Slot) {
        let around = self.around(slot);
        self.rewire_all(&around);
    }

    /// The leg `id` has closed.
    pub(super) fn rewire_hearers_of(&mut self, id: LegId) {
        let hearers: Slots = self
            .heard_by
            .get(&id)
            .into_iter()
            .flatten()
            .filter_map(|h| self.by_id.get(h).copied())
            .collect();
        self.rewire_all(&hearers);
    }

    fn rewire_all(&mut self, around: &Slots) {
        let mut sources = around.clone();
        for &slot in around {
            self.decide_way(slot);
            if let Some(leg) = self.leg(slot) {
                for id in &leg.hears.legs {
                    if let Some(&s) = self.by_id.get(id) {
                        add(&mut sources, s);
                    }
                }
            }
        }
        for &slot in &sources {
            self.decide_voice(slot);
            self.place(slot);
        }
    }

    /// How audio reaches this leg.
    fn decide_way(&mut self, slot: Slot) {
        self.decide_tracks(slot);
        let Some(leg) = self.leg(slot) else {
            return;
        };
        let way = self.way_of(leg);
        let heard: SmallVec<[Slot; 2]> = leg
            .hears
            .legs
            .iter()
            .filter_map(|id| self.by_id.get(id).copied())
            .collect();
        // A leg that hears another one through frames runs right behind it.
        let phase = match (way, leg.hears.mix, heard.first()) {
            (Way::Frames, None, Some(&source)) if leg.speaks.is_none() => {
                self.leg(source).map(|s| s.phase)
            }
            _ => None,
        };
        if let Some(leg) = self.leg_mut(slot) {
            if leg.way != way {
                leg.sender.pause();
            }
            leg.way = way;
            leg.heard_slots = heard;
        }
        if let Some(phase) = phase {
            self.set_phase(slot, phase);
        }
        self.decide_picture(slot);
    }

    fn way_of(&self, leg: &Leg) -> Way {
        let Some(plan) = &leg.plan else {
            return Way::Nothing;
        };
        if !plan.send {
            return if leg.player.is_some() {
                Way::Frames
            } else {
                Way::Nothing
            };
        }
        let mixed = leg.hears.mix.is_some() && !leg.is_apart();
        if leg.player.is_some() || !leg.digits.is_empty() || mixed {
            return Way::Frames;
        }
        if leg.is_apart() {
            return if leg.tapped { Way::Frames } else { Way::Idle };
        }
        match leg.hears.legs.as_slice() {
            [] => Way::Idle,
            [one] => {
                let Some((slot, source)) = self
                    .by_id
                    .get(one)
                    .and_then(|s| self.leg(*s).map(|l| (*s, l)))
                else {
                    return Way::Idle;
                };
                match source.voice_codec() {
                    None => Way::Idle,
                    Some(_) if source.muted => Way::Frames,
                    Some(codec) if codec == plan.codec => Way::Relay(slot),
                    Some(_) => Way::Frames,
                }
            }
            _ => Way::Frames,
        }
    }

    /// Whether this leg's voice is decoded, and to whom its packets are forwarded.
    pub(super) fn decide_voice(&mut self, slot: Slot) {
        let Some(leg) = self.leg(slot) else {
            return;
        };
        let mut forwards = SmallVec::new();
        let mut wanted = leg.speaks.is_some() || leg.recorded > 0 || leg.tracked.is_some();
        for id in self.heard_by.get(&leg.id).into_iter().flatten() {
            let Some(&h) = self.by_id.get(id) else {
                continue;
            };
            let Some(hearer) = self.leg(h) else {
                continue;
            };
            match hearer.way {
                Way::Relay(s) if s == slot => {
                    forwards.push(h);
                    wanted |= hearer.tapped;
                }
                Way::Frames => wanted = true,
                _ => {}
            }
        }
        let codec = leg.voice_codec();
        let events = leg.plan.as_ref().is_some_and(|p| p.dtmf.is_some());
        let detect = codec.is_some() && !events;
        wanted |= detect;
        let opus_rate_hz = self.config.opus_rate_hz;
        let seed = self.rng.next_u32();
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        leg.forwards = forwards;
        let Some(codec) = codec.filter(|_| wanted) else {
            leg.voice = None;
            return;
        };
        if leg
            .voice
            .as_ref()
            .is_none_or(|v| v.playout.codec() != codec)
        {
            leg.voice = Voice::new(codec, opus_rate_hz, seed).ok().map(Box::new);
        }
        if let Some(voice) = &mut leg.voice {
            match (detect, voice.detector.is_some()) {
                (true, false) => voice.detector = Some(Box::default()),
                (false, true) => voice.detector = None,
                _ => {}
            }
        }
    }

    /// Puts the leg on its phase's list when it has work per frame, or takes it off.
    pub(super) fn place(&mut self, slot: Slot) {
        let Some(leg) = self.leg(slot) else {
            return;
        };
        // Time passes in a recording while its leg neither sends nor hears.
        let works = leg.way == Way::Frames || leg.voice.is_some() || leg.recorded > 0;
        let phase = usize::from(leg.phase);
        match (works, leg.placed) {
            (true, None) => {
                if self.phases.iter().all(|p| p.is_empty()) {
                    // The clock of frames starts at the next tick.
                    self.next_phase = 0;
                }
                let index = self.phases[phase].len() as u32;
                self.phases[phase].push(slot);
                if let Some(leg) = self.leg_mut(slot) {
                    leg.placed = Some(index);
                }
            }
            (false, Some(_)) => self.unplace(slot),
            _ => {}
        }
    }

    pub(super) fn unplace(&mut self, slot: Slot) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let Some(index) = leg.placed.take() else {
            return;
        };
        let list = &mut self.phases[usize::from(leg.phase)];
        list.swap_remove(index as usize);
        if let Some(&moved) = list.get(index as usize)
            && let Some(moved) = self.leg_mut(moved)
        {
            moved.placed = Some(index);
        }
    }

    fn set_phase(&mut self, slot: Slot, phase: u8) {
        debug_assert!(usize::from(phase) < PHASES);
        if self.leg(slot).is_none_or(|l| l.phase == phase) {
            return;
        }
        self.unplace(slot);
        if let Some(leg) = self.leg_mut(slot) {
            leg.phase = phase;
        }
        self.place(slot);
    }
}
