//! Requests inside a dialog of ours (12.2.2).

use super::UserAgent;
use super::call::{CallState, Offer};
use super::event::{CallRef, DialogEnd, UaEvent};
use super::reply::{ALLOW, Inbound, SUPPORTED};
use super::uas::sdp_of;
use crate::header::HeaderName;
use crate::message::{Message, Method};
use crate::table::Handle;

impl UserAgent {
    pub(crate) fn in_dialog(
        &mut self,
        inbound: &Inbound<'_>,
        method: &Method,
        call: CallRef,
        fork: usize,
    ) {
        let number = inbound.message.cseq().map_or(0, |c| c.number);
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let over = matches!(entry.state, CallState::Cancelling | CallState::Closing);
        let Some(dialog) = entry.dialogs.get_mut(fork) else {
            return;
        };
        // A BYE that crosses ours is answered 200 (15.1.2 has nothing against it).
        if over && *method != Method::Bye {
            return self.answer_new(inbound, 481, &[]);
        }
        if !dialog.accept_cseq(number) {
            return self.answer_new(inbound, 500, &[]);
        }
        dialog.flow = Some(*inbound.flow);
        match method {
            Method::Invite => self.re_invite(inbound, call),
            Method::Update => self.update(inbound, call),
            Method::Bye => self.bye(inbound, call),
            Method::Prack => self.prack(inbound, call),
            Method::Info => self.info(inbound, call),
            Method::Refer => self.refer(inbound, call, number),
            Method::Options => self.answer_in_dialog(inbound, call, 200),
            Method::Notify if entry.referring => self.answer_in_dialog(inbound, call, 200),
            Method::Notify => self.answer_in_dialog(inbound, call, 481),
            Method::Subscribe => {
                self.answer_new(inbound, 489, &[(HeaderName::AllowEvents, "refer")])
            }
            Method::Other(_) => self.answer_new(inbound, 501, &[(HeaderName::Allow, ALLOW)]),
            _ => self.answer_new(inbound, 405, &[(HeaderName::Allow, ALLOW)]),
        }
    }

    /// Answers without a body.
    pub(crate) fn answer_in_dialog(&mut self, inbound: &Inbound<'_>, call: CallRef, status: u16) {
        let tx = self.open_server(inbound, inbound.message.method() == Method::Invite);
        let mut b = self.response(inbound, status, None);
        if inbound.message.method() == Method::Options {
            b.header(HeaderName::Allow, ALLOW);
            b.header(HeaderName::Supported, SUPPORTED);
            b.header(HeaderName::Accept, "application/sdp");
        }
        let bytes = b.finish();
        self.respond(tx, call, status, bytes);
    }

    fn bye(&mut self, inbound: &Inbound<'_>, call: CallRef) {
        self.answer_in_dialog(inbound, call, 200);
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        match entry.state {
            // Our own BYE is on its way and will find nobody: fine.
            CallState::Closing => return,
            CallState::Early if entry.outgoing => {
                // A callee cannot end an early dialog so (15); its final response will.
                return;
            }
            CallState::Early => self.refuse_invite(call, 487, &[]),
            CallState::Cancelling | CallState::Answered | CallState::Confirmed => {}
        }
        self.drop_their_offer(call);
        let reason = inbound.message.header(HeaderName::Reason);
        self.end_call(call, DialogEnd::Bye, reason.map(str::to_string));
        self.remove_call(call);
    }

    fn info(&mut self, inbound: &Inbound<'_>, call: CallRef) {
        self.answer_in_dialog(inbound, call, 200);
        self.io.event(UaEvent::Info {
            call,
            content_type: inbound.message.content_type().unwrap_or("").to_string(),
            body: inbound.message.body_bytes(),
        });
    }

    fn re_invite(&mut self, inbound: &Inbound<'_>, call: CallRef) {
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        let pending_answer = matches!(entry.offer, Offer::Theirs { .. });
        if entry.state == CallState::Early || pending_answer {
            return self.retry_later(inbound);
        }
        // Our own offer is pending (14.2), or our 2xx still waits for its ACK (RFC 5407 3.1.4).
        if !entry.offer.is_none() || entry.accepted.is_some() {
            return self.answer_new(inbound, 491, &[]);
        }
        self.their_offer(inbound, call, true);
    }

    fn update(&mut self, inbound: &Inbound<'_>, call: CallRef) {
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        let has_offer = !inbound.message.body().is_empty();
        let early_unfinished = entry.state == CallState::Early
            && !entry.outgoing
            && !entry.uas.as_ref().is_some_and(|u| u.sdp_done);
        if has_offer {
            if matches!(entry.offer, Offer::Theirs { .. }) || early_unfinished {
                return self.retry_later(inbound);
            }
            if !entry.offer.is_none() {
                return self.answer_new(inbound, 491, &[]);
            }
        }
        self.their_offer(inbound, call, false);
    }

    /// 500 with a random Retry-After of 0 to 10 s (14.2, RFC 3311 5.2).
    fn retry_later(&mut self, inbound: &Inbound<'_>) {
        let after = self.io.below(11).to_string();
        self.answer_new(inbound, 500, &[(HeaderName::RetryAfter, &after)]);
    }

    /// A re-INVITE or UPDATE that may be taken: refreshes are answered here, new SDP goes to the
    /// owner.
    fn their_offer(&mut self, inbound: &Inbound<'_>, call: CallRef, invite: bool) {
        let request = inbound.message;
        if let Some(min_se) = self.session_too_small(request) {
            return self.answer_new(inbound, 422, &[(HeaderName::MinSe, &min_se)]);
        }
        let sdp = match sdp_of(request) {
            Ok(sdp) => sdp,
            Err(status) => {
                return self.answer_new(
                    inbound,
                    status,
                    &[(HeaderName::Accept, "application/sdp")],
                );
            }
        };
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if let Some(dialog) = entry.dialog_mut() {
            dialog.refresh_target(request);
        }
        let hash = sdp.as_ref().map_or(0, |s| super::call::sdp_hash(s));
        let same = hash != 0 && hash == entry.remote_sdp && entry.local_sdp.is_some();
        let tx = self.open_server(inbound, invite);
        if same || (sdp.is_none() && !invite) {
            let local = self
                .calls
                .get(call.handle())
                .and_then(|c| c.local_sdp.clone());
            let body = local.filter(|_| same);
            return self.accept_offer(inbound, call, tx, body, false);
        }
        if invite {
            let trying = self.response(inbound, 100, None).finish();
            self.layer.respond(&mut self.io, tx, 100, trying);
        }
        self.layer.set_server_call(tx, call);
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            entry.offer = Offer::Theirs {
                tx,
                request: request.clone(),
                flow: *inbound.flow,
            };
        }
        self.io.event(UaEvent::Reoffered { call, sdp });
    }

    /// 200 to a re-INVITE or UPDATE.
    fn accept_offer(
        &mut self,
        inbound: &Inbound<'_>,
        call: CallRef,
        tx: Handle,
        sdp: Option<bytes::Bytes>,
        offered: bool,
    ) {
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        let user = entry.contact_user.clone();
        let mut b = self.response(inbound, 200, None);
        b.copy(inbound.message, HeaderName::RecordRoute);
        self.put_session(call, inbound.message, &mut b);
        let bytes = self.finish_dialog_response(b, inbound, &user, sdp.as_deref());
        self.respond(tx, call, 200, bytes.clone());
        if inbound.message.method() == Method::Invite {
            let accepted = super::call::Accepted {
                bytes,
                target: super::reply::reply_target(inbound.message, inbound.flow),
                cseq: inbound.message.cseq().map_or(0, |c| c.number),
                interval: self.layer.t.t1,
                initial: false,
                offered,
                bye: None,
            };
            self.await_ack(call, accepted);
        }
    }

    /// Accepts a `Reoffered` with our answer (or, when it had no SDP, our offer).
    pub fn accept_reoffer(&mut self, now: cp_vocab::Timestamp, call: CallRef, sdp: String) {
        self.io.now = now;
        self.finish_their_offer(call, 200, Some(sdp));
    }

    /// Refuses a `Reoffered`; the call goes on as before.
    pub fn reject_reoffer(&mut self, now: cp_vocab::Timestamp, call: CallRef, status: u16) {
        self.io.now = now;
        let status = if (300..700).contains(&status) {
            status
        } else {
            488
        };
        self.finish_their_offer(call, status, None);
    }

    /// Refuses a pending re-INVITE or UPDATE of a call that ends (15.1.2).
    pub(crate) fn drop_their_offer(&mut self, call: CallRef) {
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            entry.queued_reoffer = None;
            entry.glare = None;
        }
        self.finish_their_offer(call, 487, None);
    }

    /// Answers a pending re-INVITE or UPDATE of theirs, if there is one.
    pub(crate) fn finish_their_offer(&mut self, call: CallRef, status: u16, sdp: Option<String>) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if !matches!(entry.offer, Offer::Theirs { .. }) {
            return;
        }
        let Offer::Theirs { tx, request, flow } = std::mem::replace(&mut entry.offer, Offer::None)
        else {
            return;
        };
        let inbound = Inbound {
            message: &request,
            flow: &flow,
        };
        let asked: Option<bytes::Bytes> = sdp_of(&request).ok().flatten();
        if let Some(sdp) = sdp {
            let sdp = bytes::Bytes::from(sdp);
            entry.local_sdp = Some(sdp.clone());
            if let Some(asked) = &asked {
                entry.remote_sdp = super::call::sdp_hash(asked);
            }
            self.accept_offer(&inbound, call, tx, Some(sdp), asked.is_none());
        } else {
            let bytes = self.response(&inbound, status, None).finish();
            self.respond(tx, call, status, bytes);
        }
        self.run_queued_reoffer(call);
    }

    /// A final response to PRACK or NOTIFY: only a dialog the far side does not know matters.
    pub(crate) fn dialog_response(&mut self, call: CallRef, response: &Message) {
        let entry = self.calls.get_mut(call.handle());
        if let (481, Some(entry)) = (response.status(), entry) {
            // The subscription, or the provisional response, is gone; the call itself may live.
            entry.refer = None;
        }
    }
}
