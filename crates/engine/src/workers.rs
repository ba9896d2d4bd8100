//! All legs that hear one another are carried by one media worker. Where calls of different workers
//! come together, their legs are brought to one.

use crate::core::Engine;
use crate::io::Output;
use crate::web::Awaits;
use bytes::Bytes;
use cp_interaction::Input as IxInput;
use cp_sip::ua::CallRef;
use cp_vocab::media::MediaCommand;
use cp_vocab::web::{PeerAsk, Signal};
use cp_vocab::*;

impl Engine {
    /// Has the leg carried by worker `to`. What it hears there is to be said anew.
    pub(crate) fn move_leg(&mut self, now: Timestamp, leg: LegId, to: u16) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        if entry.web.is_some() {
            return self.move_web_leg(now, leg, to);
        }
        let Some(port) = entry.port.filter(|p| p.worker != to) else {
            return;
        };
        entry.port = Some(self.ports.moved(port, to));
        self.put(Output::MoveLeg { leg, port, to });
    }

    /// A leg joins an interaction that another worker carries. What is signalled by SIP from a browser
    /// is moved by a re-INVITE, which is heard as a gap: the others come to it.
    pub(crate) fn bring_together(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        worker: u16,
        leg: LegId,
    ) {
        let fixed =
            |l: &crate::leg::LegEntry| l.web.as_ref().filter(|w| w.by_sip).map(|w| w.worker);
        match self.legs.get(&leg).and_then(fixed) {
            Some(to) => self.move_interaction(now, id, to),
            None => self.move_leg(now, leg, worker),
        }
    }

    /// The worker that mixes a conference.
    pub(crate) fn worker_of_conference(&self, conference: ConferenceId) -> u16 {
        let workers = self.ports.workers().max(1);
        (conference.as_u128() % workers as u128) as u16
    }

    /// Legs of this interaction join a conference that is mixed elsewhere: all of it goes there.
    pub(crate) fn move_interaction(&mut self, now: Timestamp, id: InteractionId, to: u16) {
        let Some(entry) = self.interactions.get_mut(&id).filter(|e| e.worker != to) else {
            return;
        };
        entry.worker = to;
        let legs = self.legs.iter().filter(|(_, l)| l.interaction == id);
        let legs: Vec<LegId> = legs.map(|(l, _)| *l).collect();
        for leg in legs {
            self.move_leg(now, leg, to);
        }
        self.work.push_back((id, IxInput::WorkerChanged));
    }

    /// A peer connection stays with the port it was made on, so that the browser is asked to make another:
    /// by its socket, or by a re-INVITE without SDP, whose answer is its offer (RFC 3261 14.1).
    fn move_web_leg(&mut self, now: Timestamp, leg: LegId, to: u16) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let open = std::mem::take(&mut entry.open);
        let call = entry.calls.first().copied();
        let Some(web) = entry.web.as_mut().filter(|w| w.worker != to) else {
            entry.open = open;
            return;
        };
        let (from, by_sip) = (web.worker, web.by_sip);
        web.worker = to;
        web.moved = true;
        web.connected = false;
        if open {
            self.put_media(from, MediaCommand::Close { leg });
        }
        let Some(call) = call.filter(|_| by_sip) else {
            return self.signal_leg(leg, Signal::Reconnect { leg });
        };
        let asked = self.ua.reoffer(now, call, None).is_ok();
        let web = self.legs.get_mut(&leg).and_then(|l| l.web.as_mut());
        if let Some(web) = web.filter(|_| asked) {
            web.reinvites = web.reinvites.saturating_add(1);
        }
    }

    /// The softphone's offer for the worker its leg went to.
    pub(crate) fn reoffer_answered(&mut self, call: CallRef, sdp: Option<Bytes>) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return;
        };
        let web = self.legs.get_mut(&leg).and_then(|l| l.web.as_mut());
        let Some(web) = web.filter(|w| w.reinvites > 0) else {
            return;
        };
        web.reinvites -= 1;
        web.awaits = Awaits::Moved(call);
        let sdp = sdp.as_deref().map(String::from_utf8_lossy);
        let sdp = sdp.unwrap_or_default().into_owned();
        self.ask_peer(leg, PeerAsk::TakeOffer { sdp, fresh: true });
    }

    /// Without another peer connection it hears nothing more.
    pub(crate) fn reoffer_failed(&mut self, now: Timestamp, call: CallRef) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return;
        };
        let web = self.legs.get(&leg).and_then(|l| l.web.as_ref());
        if web.is_some_and(|w| w.reinvites > 0) {
            self.over(now, leg, EndReason::Incompatible);
        }
    }
}
