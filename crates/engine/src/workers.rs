//! All legs that hear one another are carried by one media worker. Where calls of different workers
//! come together, their legs are brought to one.

use crate::core::Engine;
use crate::io::Output;
use cp_interaction::Input as IxInput;
use cp_vocab::*;

impl Engine {
    /// Has the leg carried by worker `to`. What it hears there is to be said anew.
    pub(crate) fn move_leg(&mut self, leg: LegId, to: u16) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        if entry.web.is_some() {
            return self.move_web_leg(leg, to);
        }
        let Some(port) = entry.port.filter(|p| p.worker != to) else {
            return;
        };
        entry.port = Some(self.ports.moved(port, to));
        self.put(Output::MoveLeg { leg, port, to });
    }

    /// A leg joins an interaction that another worker carries. What is signalled by SIP from a browser
    /// cannot be moved, so the others come to it.
    pub(crate) fn bring_together(&mut self, id: InteractionId, worker: u16, leg: LegId) {
        let fixed =
            |l: &crate::leg::LegEntry| l.web.as_ref().filter(|w| w.by_sip).map(|w| w.worker);
        match self.legs.get(&leg).and_then(fixed) {
            Some(to) => self.move_interaction(id, to),
            None => self.move_leg(leg, worker),
        }
    }

    /// The worker that mixes a conference.
    pub(crate) fn worker_of_conference(&self, conference: ConferenceId) -> u16 {
        let workers = self.ports.workers().max(1);
        (conference.as_u128() % workers as u128) as u16
    }

    /// Legs of this interaction join a conference that is mixed elsewhere: all of it goes there.
    pub(crate) fn move_interaction(&mut self, id: InteractionId, to: u16) {
        let Some(entry) = self.interactions.get_mut(&id).filter(|e| e.worker != to) else {
            return;
        };
        entry.worker = to;
        let legs = self.legs.iter().filter(|(_, l)| l.interaction == id);
        let legs: Vec<LegId> = legs.map(|(l, _)| *l).collect();
        for leg in legs {
            self.move_leg(leg, to);
        }
        self.work.push_back((id, IxInput::WorkerChanged));
    }
}
