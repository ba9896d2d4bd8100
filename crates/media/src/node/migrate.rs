//! A leg goes from one node to another with its numbers, keys and figures, so that the far side notices
//! nothing. Whom it hears, and what plays to it, is said anew where it arrives.

use super::leg::{Leg, Way};
use super::{NO_SLOT, Node, PHASES, Slot};
use cp_vocab::media::{Hears, MediaEvent};
use cp_vocab::{LegId, Timestamp};

/// A leg between two nodes.
pub struct MovingLeg(Box<Leg>);

impl Node {
    /// Takes a leg out, to be put into another node. Its playback ends as interrupted, and so do
    /// recordings that have it on the left. `None` when it is not here.
    pub fn take_leg(&mut self, now: Timestamp, id: LegId) -> Option<MovingLeg> {
        let slot = *self.by_id.get(&id)?;
        self.end_recordings_of(now, id);
        if let Some(playing) = self.leg(slot).and_then(|l| l.player.as_ref()).map(|p| p.id) {
            self.end_playback(slot, playing, true);
        }
        self.set_hears(slot, Hears::default());
        self.set_speaks(slot, None);
        self.unplace(slot);
        let mut leg = self.legs[slot as usize].take()?;
        self.by_id.remove(&id);
        self.by_port[usize::from(leg.port)] = NO_SLOT;
        self.free.push(slot);
        self.rewire_hearers_of(id);
        // Whatever names slots, mixes or clips of this node stays behind.
        leg.forwards.clear();
        leg.heard_slots.clear();
        leg.voice = None;
        leg.tracked = None;
        leg.egress = None;
        leg.way = Way::Nothing;
        leg.sender.pause();
        (leg.recorded, leg.taps, leg.tapped) = (0, 0, false);
        Some(MovingLeg(leg))
    }

    /// Puts in a leg that another node had.
    pub fn put_leg(&mut self, now: Timestamp, moving: MovingLeg) {
        let MovingLeg(mut leg) = moving;
        // As when one is opened: the newer one holds.
        if let Some(&old) = self.by_id.get(&leg.id) {
            self.close(now, old);
        }
        let old = self.by_port[usize::from(leg.port)];
        if old != NO_SLOT {
            self.close(now, old);
        }
        leg.phase = (self.opened % PHASES as u64) as u8;
        self.opened += 1;
        let (id, port) = (leg.id, leg.port);
        let seated = leg.seats.is_some();
        let slot = self.slot_for(leg);
        if seated {
            self.seated.push(slot);
        }
        self.by_id.insert(id, slot);
        self.by_port[usize::from(port)] = slot;
        self.count_recordings(slot);
        self.rewire(slot);
    }

    /// A place for a leg.
    pub(super) fn slot_for(&mut self, leg: Box<Leg>) -> Slot {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.legs.push(None);
                (self.legs.len() - 1) as Slot
            }
        };
        self.legs[slot as usize] = Some(leg);
        slot
    }
}

impl MovingLeg {
    pub fn id(&self) -> LegId {
        self.0.id
    }

    /// What is told when it arrives nowhere.
    pub fn lost(&self) -> MediaEvent {
        MediaEvent::Unreachable { leg: self.0.id }
    }
}
