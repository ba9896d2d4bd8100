//! Re-INVITE and UPDATE of ours: offers, session refreshes, glare (14, RFC 3311).

use super::UserAgent;
use super::call::{CallState, Offer, sdp_hash};
use super::event::{CallRef, DialogEnd, UaError, UaEvent};
use super::reply::{ALLOW, SUPPORTED};
use super::request::{Failure, Owner};
use super::uas::sdp_of;
use crate::header::HeaderName;
use crate::io::CallTimer;
use crate::message::{Message, Method};
use crate::table::Handle;
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::Flow;
use std::time::Duration;

/// Times an offer is repeated after 491; then it has failed.
const GLARE_TRIES_MAX: u8 = 3;

impl UserAgent {
    /// Offers new SDP: by re-INVITE, in an early dialog by UPDATE. `None` asks for their offer,
    /// to be answered by `ack_with`. While another offer runs the latest waits for its end.
    /// The outcome is `ReofferAnswered` or `ReofferFailed`.
    ///
    /// # Errors
    /// `NoCall`; `State` when the call is over, or early and its peer cannot do UPDATE.
    pub fn reoffer(
        &mut self,
        now: Timestamp,
        call: CallRef,
        sdp: Option<String>,
    ) -> Result<(), UaError> {
        self.io.now = now;
        let entry = self.calls.get_mut(call.handle()).ok_or(UaError::NoCall)?;
        match entry.state {
            CallState::Cancelling | CallState::Closing => return Err(UaError::State),
            CallState::Early => {
                let answered = match (&entry.uas, &entry.uac) {
                    (Some(uas), _) => uas.sdp_done,
                    (_, Some(uac)) => uac.answered_early,
                    _ => false,
                };
                let able = entry.peer.update && answered && entry.dialogs.len() == 1;
                if !able || sdp.is_none() {
                    return Err(UaError::State);
                }
            }
            CallState::Answered | CallState::Confirmed => {}
        }
        let busy = entry.state == CallState::Answered
            || !entry.offer.is_none()
            || entry.accepted.is_some();
        if let Some(glare) = entry.glare.as_mut() {
            // The newest wish goes out when the back-off ends.
            **glare = (sdp.map(Bytes::from), 0, false);
        } else if busy {
            entry.queued_reoffer = Some(Box::new(sdp));
        } else {
            self.send_offer(call, sdp.map(Bytes::from), 0, false);
        }
        Ok(())
    }

    /// Sends the offer that waited, if nothing is running any more.
    pub(crate) fn run_queued_reoffer(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let free = entry.state == CallState::Confirmed
            && entry.offer.is_none()
            && entry.accepted.is_none();
        if free && let Some(sdp) = entry.queued_reoffer.take() {
            self.send_offer(call, sdp.map(Bytes::from), 0, false);
        }
    }

    /// Refreshes the session with what was agreed: an UPDATE without SDP, else a re-INVITE with
    /// the same.
    pub(crate) fn refresh_session(&mut self, call: CallRef) {
        let sdp = self
            .calls
            .get(call.handle())
            .and_then(|c| c.local_sdp.clone());
        self.send_offer(call, sdp, 0, true);
    }

    fn send_offer(&mut self, call: CallRef, sdp: Option<Bytes>, tries: u8, refresh: bool) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let update = entry.state == CallState::Early || (refresh && entry.peer.update);
        let method = if update {
            Method::Update
        } else {
            Method::Invite
        };
        let (mut draft, hop) = entry.draft(0, method);
        draft.headers.push((HeaderName::Allow, ALLOW.into()));
        draft
            .headers
            .push((HeaderName::Supported, SUPPORTED.into()));
        if let Some(session) = entry.session {
            let refresher = if session.we_refresh { "uac" } else { "uas" };
            let value = format!("{};refresher={refresher}", session.interval_s);
            draft
                .headers
                .push((HeaderName::SessionExpires, value.into()));
        }
        if !(update && refresh) {
            draft.body = sdp.clone().unwrap_or_default();
        }
        entry.offer = Offer::Ours {
            request: None,
            sdp,
            tries,
            refresh,
        };
        let credential = entry.credential.clone();
        let handle = self.send_request(draft, hop, Owner::Reoffer(call), credential);
        if let Some(entry) = self.calls.get_mut(call.handle())
            && let Offer::Ours { request, .. } = &mut entry.offer
        {
            *request = Some(handle);
        }
    }

    /// A response to our re-INVITE or UPDATE.
    pub(crate) fn reoffer_response(&mut self, call: CallRef, response: &Message, flow: &Flow) {
        let status = response.status();
        if status < 200 {
            return;
        }
        let accepted = (200..300).contains(&status);
        let invite = response.method() == Method::Invite;
        let cseq = response.cseq().map_or(0, |c| c.number);
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            if accepted && invite {
                self.undo_stray(response, flow);
            }
            return;
        };
        if entry.state == CallState::Closing {
            // Hung up meanwhile: the 2xx still gets its ACK.
            if accepted && invite {
                self.send_ack(call, cseq, None, None);
            }
            return;
        }
        if !matches!(entry.offer, Offer::Ours { .. }) {
            if accepted && invite {
                self.repeat_ack(call, cseq);
            }
            return;
        }
        let Offer::Ours {
            sdp,
            tries,
            refresh,
            ..
        } = std::mem::replace(&mut entry.offer, Offer::None)
        else {
            return;
        };
        match status {
            200..300 => self.reoffer_accepted(call, response, sdp, refresh),
            491 if tries < GLARE_TRIES_MAX => self.back_off(call, sdp, tries, refresh),
            // 12.2.1.2: the far side has no such dialog.
            408 | 481 => {
                self.end_call(call, DialogEnd::RemoteGone481, None);
                self.send_bye(call, None);
            }
            _ => self.reoffer_refused(call, status, refresh),
        }
    }

    fn reoffer_accepted(
        &mut self,
        call: CallRef,
        response: &Message,
        offered: Option<Bytes>,
        refresh: bool,
    ) {
        let invite = response.method() == Method::Invite;
        let cseq = response.cseq().map_or(0, |c| c.number);
        let sdp = sdp_of(response).ok().flatten();
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if let Some(dialog) = entry.dialog_mut() {
            dialog.refresh_target(response);
        }
        if let Some(sdp) = &sdp {
            entry.remote_sdp = sdp_hash(sdp);
        }
        let owes_answer = invite && offered.is_none();
        if owes_answer {
            entry.offer = Offer::OursToAck { cseq };
        } else {
            entry.local_sdp = offered;
        }
        if invite && !owes_answer {
            self.send_ack(call, cseq, None, None);
        }
        self.take_session(call, response, false);
        if !refresh {
            self.io.event(UaEvent::ReofferAnswered { call, sdp });
        }
        self.run_queued_reoffer(call);
    }

    fn reoffer_refused(&mut self, call: CallRef, status: u16, refresh: bool) {
        if refresh {
            self.refresh_again_soon(call);
        } else {
            self.io.event(UaEvent::ReofferFailed { call, status });
        }
        self.run_queued_reoffer(call);
    }

    /// 491: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms (14.1).
    fn back_off(&mut self, call: CallRef, sdp: Option<Bytes>, tries: u8, refresh: bool) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let wait_ms = match entry.outgoing {
            true => 2_100 + 10 * self.io.below(191),
            false => 10 * self.io.below(201),
        };
        // Meanwhile their offer may come and be taken, so the slot stays free; what we want waits.
        entry.glare = Some(Box::new((sdp, tries + 1, refresh)));
        self.arm_call(call, CallTimer::Glare, Duration::from_millis(wait_ms));
    }

    pub(crate) fn retry_reoffer(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if !matches!(entry.state, CallState::Confirmed | CallState::Early) {
            return;
        }
        if !entry.offer.is_none() || entry.accepted.is_some() {
            // Theirs is running: wait for it.
            return self.arm_call(call, CallTimer::Glare, Duration::from_millis(200));
        }
        if let Some(glare) = entry.glare.take() {
            let (sdp, tries, refresh) = *glare;
            self.send_offer(call, sdp, tries, refresh);
        }
    }

    /// Our re-INVITE or UPDATE got no response.
    pub(crate) fn reoffer_failed(&mut self, call: CallRef, failure: Failure) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.state == CallState::Closing {
            return;
        }
        entry.offer = Offer::None;
        // 12.2.1.2: no answer to a request in the dialog ends it.
        let cause = match failure {
            Failure::Timeout => DialogEnd::RemoteGone481,
            Failure::Transport => DialogEnd::TransportLost,
        };
        self.end_call(call, cause, None);
        self.send_bye(call, Some("SIP;cause=408;text=\"No answer\""));
    }

    /// Sends the INVITE of an outgoing call again with another session interval.
    pub(crate) fn resend_invite(&mut self, call: CallRef, old: Handle, interval_s: u32) -> bool {
        let Some((mut draft, target)) = self.requests.get(old).and_then(|r| r.again()) else {
            return false;
        };
        draft.cseq += 1;
        draft
            .headers
            .retain(|(name, _)| !matches!(name, HeaderName::SessionExpires | HeaderName::MinSe));
        let text: Box<str> = interval_s.to_string().into();
        draft
            .headers
            .push((HeaderName::SessionExpires, text.clone()));
        draft.headers.push((HeaderName::MinSe, text));
        let credential = self.call_credential(call);
        let cseq = draft.cseq;
        let hop = crate::dialog::Hop::Target(target);
        let request = self.send_request(draft, hop, Owner::Invite(call), credential);
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            entry.local_cseq = entry.local_cseq.max(cseq);
            if let Some(uac) = entry.uac.as_mut() {
                uac.request = request;
            }
        }
        true
    }
}
