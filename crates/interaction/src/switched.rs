//! What a replay makes of a call that moved to another device (S1.6).

use crate::state::{Room, State};
use cp_vocab::LegId;

impl State {
    /// `to` becomes in everything what `from` was.
    pub(crate) fn switched(&mut self, from: LegId, to: LegId) {
        let Some(was) = self.leg(from).cloned() else {
            return;
        };
        self.each(&[to], |l| {
            l.role = was.role;
            l.room = was.room.clone();
            l.held = was.held;
            l.muted = was.muted;
            l.supervise = was.supervise;
            l.cause = was.cause;
        });
        self.each(&[from], |l| {
            l.room = Room::Alone;
            l.held = false;
            l.supervise = None;
        });
        let moved = |l: &mut LegId| {
            if *l == from {
                *l = to
            }
        };
        for l in &mut self.legs {
            l.cause.as_mut().map(moved);
        }
        if let Some(c) = &mut self.consult {
            moved(&mut c.by);
            moved(&mut c.leg);
        }
        if let Some(op) = &mut self.op {
            moved(&mut op.user);
            op.second.as_mut().map(moved);
            op.revival.as_mut().map(moved);
        }
    }
}
