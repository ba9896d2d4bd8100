//! What the engine asks of a node.

use super::leg::{Cipher, Leg};
use super::sender::Sender;
use super::{MediaCommand, NO_SLOT, Node, Slot};
use crate::srtp;
use cp_vocab::media::{Hears, MediaEvent, MediaPlan, PortPair};
use cp_vocab::{LegId, MixId, Timestamp};
use rand::Rng;

impl Node {
    /// Carries out one command. A command that names a leg or recording that is not here is counted
    /// and otherwise ignored: it raced with a close.
    pub fn command(&mut self, now: Timestamp, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg, port, plan } => self.open(now, leg, port, plan),
            MediaCommand::Plan { leg, plan } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.set_plan(now, slot, plan);
                }
            }
            MediaCommand::Close { leg } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.close(now, slot);
                }
            }
            MediaCommand::Hear { leg, hears } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.set_hears(slot, hears);
                }
            }
            MediaCommand::Speak { leg, into } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.set_speaks(slot, into);
                }
            }
            MediaCommand::Mute { leg, muted } => {
                if let Some(slot) = self.slot_of(leg)
                    && let Some(leg) = self.leg_mut(slot)
                {
                    leg.muted = muted;
                    self.rewire_around(slot);
                }
            }
            MediaCommand::Play { .. }
            | MediaCommand::Stop { .. }
            | MediaCommand::SendDigits { .. }
            | MediaCommand::Record { .. }
            | MediaCommand::PauseRecording { .. }
            | MediaCommand::StopRecording { .. } => {}
        }
    }

    fn open(&mut self, now: Timestamp, id: LegId, port: PortPair, plan: Option<MediaPlan>) {
        // A leg or a port opened twice: the newer one holds.
        if let Some(&old) = self.by_id.get(&id) {
            self.close(now, old);
        }
        let number = port.rtp.port();
        let old = self.by_port[usize::from(number)];
        if old != NO_SLOT {
            self.close(now, old);
        }
        let sender = Sender::new(
            self.rng.next_u32(),
            self.rng.next_u32() as u16,
            self.rng.next_u32(),
        );
        let leg = Box::new(Leg::new(now, id, number, sender));
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.legs.push(None);
                (self.legs.len() - 1) as Slot
            }
        };
        self.legs[slot as usize] = Some(leg);
        self.by_id.insert(id, slot);
        self.by_port[usize::from(number)] = slot;
        match plan {
            Some(plan) => self.set_plan(now, slot, plan),
            None => self.rewire_around(slot),
        }
    }

    fn set_plan(&mut self, now: Timestamp, slot: Slot, plan: MediaPlan) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let before = leg.plan.take();
        if before.as_ref().map(|p| &p.srtp) != Some(&plan.srtp) {
            leg.cipher = None;
            if let Some(keys) = &plan.srtp {
                match srtp::pair(keys) {
                    Ok((out, incoming)) => leg.cipher = Some(Cipher { out, incoming }),
                    // Never fall back to plain audio: without a plan the leg is silent both ways.
                    Err(_) => {
                        self.counters.bad_plan += 1;
                        self.rewire_around(slot);
                        return;
                    }
                }
            }
        }
        match &before {
            Some(b) if b.remote != plan.remote => leg.latch.release(now),
            _ => leg.latch.rearm(now),
        }
        if before.as_ref().is_none_or(|b| !b.receive) {
            leg.alive_at = now;
            leg.silent_told = false;
        }
        leg.plan = Some(plan);
        self.rewire_around(slot);
    }

    fn close(&mut self, _now: Timestamp, slot: Slot) {
        self.set_hears(slot, Hears::default());
        let Some(leg) = self.legs[slot as usize].take() else {
            return;
        };
        self.by_id.remove(&leg.id);
        self.by_port[usize::from(leg.port)] = NO_SLOT;
        self.free.push(slot);
        self.outbox.event(MediaEvent::Quality {
            leg: leg.id,
            quality: Self::quality(&leg),
            last: true,
        });
        self.rewire_hearers_of(leg.id);
    }

    fn set_hears(&mut self, slot: Slot, hears: Hears) {
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
        for source in before.legs.iter().chain(&hears.legs) {
            self.rewire_source(*source);
        }
    }

    fn set_speaks(&mut self, slot: Slot, into: Option<MixId>) {
        if let Some(leg) = self.leg_mut(slot) {
            leg.speaks = into;
        }
    }

    /// Whether `hearer` gets the packets of the one leg it hears as they are.
    fn forwards_to(&self, source: &Leg, hearer: &Leg) -> bool {
        hearer.hears.mix.is_none()
            && hearer.hears.legs.len() == 1
            && hearer.hears.legs[0] == source.id
            && !source.muted
            && source.voice_codec().is_some()
            && source.voice_codec() == hearer.plan.as_ref().filter(|p| p.send).map(|p| p.codec)
    }

    /// Decides anew how the voice of `source` reaches those who hear it.
    fn rewire_source(&mut self, source: LegId) {
        let Some(&slot) = self.by_id.get(&source) else {
            return;
        };
        let mut forwards = smallvec::SmallVec::new();
        if let (Some(hearers), Some(leg)) = (self.heard_by.get(&source), self.leg(slot)) {
            for id in hearers {
                let Some(&h) = self.by_id.get(id) else {
                    continue;
                };
                if self
                    .leg(h)
                    .is_some_and(|hearer| self.forwards_to(leg, hearer))
                {
                    forwards.push(h);
                }
            }
        }
        if let Some(leg) = self.leg_mut(slot) {
            leg.forwards = forwards;
        }
    }

    /// Legs that hear `source`: their ways are decided anew (it opened, changed or closed).
    fn rewire_hearers_of(&mut self, source: LegId) {
        self.rewire_source(source);
    }

    /// Everything that depends on this leg's plan, muting or hearing.
    pub(super) fn rewire_around(&mut self, slot: Slot) {
        let Some(leg) = self.leg(slot) else {
            return;
        };
        let id = leg.id;
        let heard = leg.hears.legs.clone();
        self.rewire_source(id);
        for source in heard {
            self.rewire_source(source);
        }
    }
}
