//! Rings of an outgoing leg that come to nothing, and those begun anew.

use crate::core::Engine;
use crate::status::{rank, reason_of};
use cp_interaction::{Input as IxInput, LegEvent};
use cp_sip::ua::CallRef;
use cp_vocab::*;
use smallvec::{SmallVec, smallvec};

impl Engine {
    /// The phone is asked to answer by itself: rung anew with the headers that say so. Whoever picks
    /// up the first ring in that moment is answered by it, and the second is taken back.
    pub(crate) fn ring_again(&mut self, now: Timestamp, leg: LegId) {
        let Some(entry) = self
            .legs
            .get_mut(&leg)
            .filter(|l| !l.answered && !l.inbound && l.withdrawn.is_none())
        else {
            return;
        };
        let id = entry.interaction;
        if let Some(web) = entry.web.as_mut().filter(|w| !w.by_sip) {
            web.auto_answer = true;
            return self.signal_leg(leg, cp_vocab::web::Signal::AutoAnswer { leg });
        }
        let mut withdrawn = smallvec![];
        for call in std::mem::take(&mut entry.calls) {
            if self.ua.withdraw(now, call, None) {
                withdrawn.push(call);
            } else {
                self.calls.remove(&call);
            }
        }
        entry.withdrawn = Some(withdrawn);
        self.place(now, id, leg, true);
    }

    /// One contact refused, or was never reached: the leg fails with the last of them.
    pub(crate) fn failed(
        &mut self,
        now: Timestamp,
        call: CallRef,
        status: u16,
        reason: Option<String>,
        contact: Option<&str>,
    ) {
        let Some(leg) = self.calls.remove(&call) else {
            return;
        };
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let id = entry.interaction;
        if entry.withdrawn.as_ref().is_some_and(|w| w.contains(&call)) {
            return self.withdrawn_over(now, id, leg, call);
        }
        entry.calls.retain(|c| *c != call);
        // Among several contacts, "busy" and "declined" say more than "not there".
        let worse = entry.failed_with.is_none_or(|s| rank(status) > rank(s));
        if worse {
            entry.failed_with = Some(status);
        }
        let status = entry.failed_with.unwrap_or(status);
        // A decline is meant for all contacts of the person (RFC 3261 16.7: 6xx ends the search).
        let mut rest: SmallVec<[CallRef; 4]> = smallvec![];
        if status >= 600 {
            rest.extend(entry.all_calls());
            entry.calls.clear();
            entry.withdrawn.iter_mut().for_each(|w| w.clear());
        }
        for c in rest {
            self.calls.remove(&c);
            self.ua.hang_up(now, c, None);
        }
        if self
            .legs
            .get(&leg)
            .is_some_and(|l| l.all_calls().next().is_none())
        {
            if self.helped_again(now, leg, status)
                || self.signed_again(now, leg, status)
                || self.sent_on(now, leg, status, contact)
            {
                return;
            }
            self.drop_entry(now, leg);
            let detail = Some(match reason {
                Some(r) => format!("{status} {r}"),
                None => status.to_string(),
            });
            let reason = reason_of(status);
            self.work
                .push_back((id, IxInput::Leg(leg, LegEvent::Ended { reason, detail })));
        }
    }

    /// A ring that was taken back is over, and nobody had answered it.
    fn withdrawn_over(&mut self, now: Timestamp, id: InteractionId, leg: LegId, call: CallRef) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        entry
            .withdrawn
            .iter_mut()
            .for_each(|w| w.retain(|c| *c != call));
        if entry.all_calls().next().is_some() {
            return;
        }
        if entry.failed_with.take_if(|s| *s == 486).is_some() {
            // A phone of one line was busy with the first ring: it is free now.
            return self.place(now, id, leg, true);
        }
        let status = entry.failed_with.unwrap_or(487);
        self.drop_entry(now, leg);
        let (reason, detail) = (reason_of(status), Some(status.to_string()));
        self.work
            .push_back((id, IxInput::Leg(leg, LegEvent::Ended { reason, detail })));
    }
}
