//! Incoming calls: INVITE, provisional responses (RFC 3262), answer and refusal, ACK, CANCEL.

use super::UserAgent;
use super::call::{Accepted, Call, CallState, Offer, PROVISIONALS_MAX, Peer, Reliable, UasInvite};
use super::call::{name_addr_text, sdp_hash};
use super::config::Principal;
use super::event::{CallRef, DialogEnd, UaError, UaEvent};
use super::reply::{Inbound, SUPPORTED};
use crate::dialog::Dialog;
use crate::header::HeaderName;
use crate::header_value::RAck;
use crate::io::{CallTimer, Timer};
use crate::message::{Message, Method};
use crate::table::Handle;
use bytes::Bytes;
use cp_vocab::Timestamp;
use smallvec::smallvec;
use std::collections::VecDeque;
use std::time::Duration;

/// A provisional response is repeated so often, so that proxies keep the call (13.3.1.1).
const KEEP_RINGING_EVERY: Duration = Duration::from_secs(60);

impl UserAgent {
    pub(crate) fn incoming_invite(&mut self, inbound: &Inbound<'_>, principal: Principal) {
        let invite = inbound.message;
        if invite.max_forwards() == Some(0) {
            return self.answer_new(inbound, 483, &[]);
        }
        if self.calls.len() >= self.config.limits.calls_max {
            self.deny(inbound.flow, "calls");
            return self.answer_new(inbound, 503, &[(HeaderName::RetryAfter, "5")]);
        }
        let offer = match sdp_of(invite) {
            Ok(offer) => offer,
            Err(status) => {
                return self.answer_new(
                    inbound,
                    status,
                    &[(HeaderName::Accept, "application/sdp")],
                );
            }
        };
        if let Some(min_se) = self.session_too_small(invite) {
            return self.answer_new(inbound, 422, &[(HeaderName::MinSe, &min_se)]);
        }
        let replaces = match self.replaced_call(invite) {
            Ok(replaces) => replaces,
            Err(status) => return self.answer_new(inbound, status, &[]),
        };
        let Some(dialog) = Dialog::uas(invite, inbound.flow) else {
            return self.answer_new(inbound, 400, &[]);
        };
        let tx = self.open_server(inbound, true);
        let Some(call) = self.new_incoming(inbound, tx, dialog, offer.as_ref()) else {
            return self.answer_tx(inbound, tx, 400, &[]);
        };
        // The 100 promises nothing: it is not tied to the call, so that no gate holds it back.
        let trying = self.response(inbound, 100, None).finish();
        self.layer.respond(&mut self.io, tx, 100, trying);
        self.layer.set_server_call(tx, call);
        self.io.event(UaEvent::Incoming {
            call,
            principal,
            flow: *inbound.flow,
            invite: invite.clone(),
            offer,
            replaces,
        });
    }

    fn new_incoming(
        &mut self,
        inbound: &Inbound<'_>,
        tx: Handle,
        dialog: Dialog,
        offer: Option<&Bytes>,
    ) -> Option<CallRef> {
        let invite = inbound.message;
        let local_tag = self.io.random();
        let to = invite.to()?;
        let requires_100rel = invite.lists(HeaderName::Require, "100rel");
        let user = crate::uri::SipUri::parse(to.uri).and_then(|u| u.user);
        let call = Call {
            id: CallRef(0),
            state: CallState::Early,
            outgoing: false,
            silent: false,
            call_id: invite.call_id().into(),
            local_tag,
            local: name_addr_text(&to),
            remote: name_addr_text(&invite.from()?),
            contact_user: user.unwrap_or("").into(),
            local_cseq: 0,
            dialogs: smallvec![dialog],
            peer: Peer::of(invite),
            credential: None,
            realm: None,
            local_sdp: None,
            remote_sdp: offer.map_or(0, |o| sdp_hash(o)),
            uas: Some(Box::new(UasInvite {
                tx,
                invite: invite.clone(),
                flow: *inbound.flow,
                has_offer: offer.is_some(),
                supports_100rel: requires_100rel || invite.lists(HeaderName::Supported, "100rel"),
                requires_100rel,
                reliable: None,
                rseq: (self.io.below(0x3fff_ffff) + 1) as u32,
                waiting: VecDeque::new(),
                sdp_done: false,
                early_answer: None,
                answer: None,
                ringing: None,
                extra: Vec::new(),
            })),
            uac: None,
            accepted: None,
            ack: None,
            offer: Offer::None,
            queued_reoffer: None,
            glare: None,
            session: None,
            refer: None,
            referring: false,
            timers: smallvec![],
        };
        Some(self.add_call(call))
    }

    /// Puts headers into every further response to an incoming call (a Reason, RFC 9410 3); the 100
    /// is sent already.
    pub fn add_to_responses(&mut self, call: CallRef, headers: Vec<(String, String)>) {
        let entry = self.calls.get_mut(call.handle());
        if let Some(uas) = entry.and_then(|c| c.uas.as_mut()) {
            uas.extra = headers;
        }
    }

    /// Sends 101 to 199 to the caller, reliably (PRACK) when it requires that, or supports it and
    /// there is SDP. While one reliable response waits for its PRACK further ones queue; past
    /// eight they are dropped, since only the latest matters to a person.
    ///
    /// # Errors
    /// `NoCall`, `State` when the call has its final response.
    pub fn progress(
        &mut self,
        now: Timestamp,
        call: CallRef,
        status: u16,
        sdp: Option<String>,
    ) -> Result<(), UaError> {
        self.io.now = now;
        let entry = self.calls.get_mut(call.handle()).ok_or(UaError::NoCall)?;
        if entry.state != CallState::Early || !(101..200).contains(&status) {
            return Err(UaError::State);
        }
        let uas = entry.uas.as_mut().ok_or(UaError::State)?;
        if uas.answer.is_some() {
            return Err(UaError::State);
        }
        if uas.reliable.is_some() {
            if uas.waiting.len() < PROVISIONALS_MAX {
                uas.waiting.push_back((status, sdp));
            }
            return Ok(());
        }
        self.send_provisional(call, status, sdp);
        Ok(())
    }

    fn send_provisional(&mut self, call: CallRef, status: u16, sdp: Option<String>) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let Some(uas) = entry.uas.as_mut() else {
            return;
        };
        let reliable = uas.requires_100rel || (uas.supports_100rel && sdp.is_some());
        // Unreliable SDP is a preview of the answer; an offer cannot go that way (RFC 3262 5).
        let sdp = sdp.filter(|_| reliable || uas.has_offer);
        let (invite, flow, tx) = (uas.invite.clone(), uas.flow, uas.tx);
        let extra = uas.extra.clone();
        if reliable {
            uas.rseq += 1;
        }
        uas.ringing = Some(status);
        let (rseq, tag, user) = (uas.rseq, entry.local_tag, entry.contact_user.clone());
        if let Some(sdp) = &sdp {
            entry.local_sdp = Some(Bytes::copy_from_slice(sdp.as_bytes()));
        }
        let inbound = Inbound {
            message: &invite,
            flow: &flow,
        };
        let mut b = self.response(&inbound, status, Some(tag));
        b.copy(&invite, HeaderName::RecordRoute);
        put_extra(&mut b, &extra);
        if reliable {
            b.header(HeaderName::Require, "100rel");
            b.header_fmt(HeaderName::RSeq, format_args!("{rseq}"));
        }
        let bytes =
            self.finish_dialog_response(b, &inbound, &user, sdp.as_deref().map(str::as_bytes));
        self.respond(tx, call, status, bytes.clone());
        let t1 = self.layer.t.t1;
        if reliable {
            self.arm_call(call, CallTimer::Repeat, t1);
            self.arm_call(call, CallTimer::Unacknowledged, t1 * 64);
        } else {
            self.arm_call(call, CallTimer::KeepRinging, KEEP_RINGING_EVERY);
        }
        let uas = self
            .calls
            .get_mut(call.handle())
            .and_then(|c| c.uas.as_mut());
        if let (true, Some(uas)) = (reliable, uas) {
            uas.reliable = Some(Reliable {
                bytes,
                rseq,
                with_sdp: sdp.is_some(),
                interval: t1,
            });
        }
    }

    /// Answers the caller with 200. Waits by itself for the PRACK of a reliable provisional
    /// response that carried SDP (RFC 3262 3).
    ///
    /// # Errors
    /// `NoCall`, `State` when the call has its final response.
    pub fn answer(&mut self, now: Timestamp, call: CallRef, sdp: String) -> Result<(), UaError> {
        self.io.now = now;
        let entry = self.calls.get_mut(call.handle()).ok_or(UaError::NoCall)?;
        let uas = match (&entry.state, entry.uas.as_mut()) {
            (CallState::Early, Some(uas)) if uas.answer.is_none() => uas,
            _ => return Err(UaError::State),
        };
        if uas.reliable.as_ref().is_some_and(|r| r.with_sdp) {
            uas.answer = Some(sdp);
            return Ok(());
        }
        self.send_answer(call, sdp);
        Ok(())
    }

    fn send_answer(&mut self, call: CallRef, sdp: String) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let Some(uas) = entry.uas.as_deref() else {
            return;
        };
        let (invite, flow, tx) = (uas.invite.clone(), uas.flow, uas.tx);
        let (sdp_done, has_offer) = (uas.sdp_done, uas.has_offer);
        let extra = uas.extra.clone();
        let (tag, user) = (entry.local_tag, entry.contact_user.clone());
        if !sdp_done {
            entry.local_sdp = Some(Bytes::copy_from_slice(sdp.as_bytes()));
        }
        entry.state = CallState::Answered;
        let inbound = Inbound {
            message: &invite,
            flow: &flow,
        };
        let mut b = self.response(&inbound, 200, Some(tag));
        b.copy(&invite, HeaderName::RecordRoute);
        put_extra(&mut b, &extra);
        self.put_session(call, &invite, &mut b);
        let body = (!sdp_done).then_some(sdp.as_bytes());
        let bytes = self.finish_dialog_response(b, &inbound, &user, body);
        self.respond(tx, call, 200, bytes.clone());
        let cseq = invite.cseq().map_or(0, |c| c.number);
        let accepted = Accepted {
            bytes,
            target: super::reply::reply_target(&invite, &flow),
            cseq,
            interval: self.layer.t.t1,
            initial: true,
            offered: !has_offer && !sdp_done,
            bye: None,
        };
        self.await_ack(call, accepted);
    }

    /// Repeats a 2xx until its ACK comes, 64*T1 at most (13.3.1.4), over any transport.
    pub(crate) fn await_ack(&mut self, call: CallRef, accepted: Accepted) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        entry.accepted = Some(Box::new(accepted));
        entry.stop_timer(CallTimer::KeepRinging);
        let t1 = self.layer.t.t1;
        self.arm_call(call, CallTimer::Repeat, t1);
        self.arm_call(call, CallTimer::Unacknowledged, t1 * 64);
    }

    /// Refuses the call with 300 to 699 and extra headers. No event follows.
    ///
    /// # Errors
    /// `NoCall`, `State` when the call has its final response or the status is none.
    pub fn reject(
        &mut self,
        now: Timestamp,
        call: CallRef,
        status: u16,
        headers: Vec<(String, String)>,
    ) -> Result<(), UaError> {
        self.io.now = now;
        let entry = self.calls.get(call.handle()).ok_or(UaError::NoCall)?;
        if entry.uas.is_none() || entry.state != CallState::Early || !(300..700).contains(&status) {
            return Err(UaError::State);
        }
        self.refuse_invite(call, status, &headers);
        self.remove_call(call);
        Ok(())
    }

    /// Sends a final non-2xx to the INVITE of an early incoming call.
    pub(crate) fn refuse_invite(
        &mut self,
        call: CallRef,
        status: u16,
        headers: &[(String, String)],
    ) {
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        let Some(uas) = entry.uas.as_deref() else {
            return;
        };
        let inbound = Inbound {
            message: &uas.invite,
            flow: &uas.flow,
        };
        let mut b = self.response(&inbound, status, Some(entry.local_tag));
        put_extra(&mut b, headers);
        put_extra(&mut b, &uas.extra);
        b.header(HeaderName::Supported, SUPPORTED);
        let (tx, bytes) = (uas.tx, b.finish());
        self.respond(tx, call, status, bytes);
    }

    /// A CANCEL for an INVITE of this call came; its 200 is sent.
    pub(crate) fn cancelled_by_peer(&mut self, call: CallRef, tx: Handle, reason: Option<&str>) {
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        let initial = entry.uas.as_ref().is_some_and(|u| u.tx == tx);
        if initial && entry.state == CallState::Early {
            self.refuse_invite(call, 487, &[]);
            self.end_call(call, DialogEnd::Cancel, reason.map(str::to_string));
            self.remove_call(call);
        } else if matches!(&entry.offer, Offer::Theirs { tx: pending, .. } if *pending == tx) {
            self.finish_their_offer(call, 487, None);
        }
    }

    /// An ACK: `true` when a dialog of ours was waiting for it.
    pub(crate) fn dialog_ack(&mut self, inbound: &Inbound<'_>) -> bool {
        let ack = inbound.message;
        let found = ack
            .to()
            .and_then(|to| to.tag)
            .and_then(|tag| self.find_dialog(ack, tag));
        let Some((call, _)) = found else {
            return false;
        };
        let cseq = ack.cseq().map_or(0, |c| c.number);
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return false;
        };
        let Some(accepted) = entry.accepted.take_if(|a| a.cseq == cseq) else {
            return false;
        };
        entry.stop_timer(CallTimer::Repeat);
        entry.stop_timer(CallTimer::Unacknowledged);
        if let Some(dialog) = entry.dialog_mut() {
            dialog.flow = Some(*inbound.flow);
        }
        let mut sdp = Some(ack.body_bytes()).filter(|b| accepted.offered && !b.is_empty());
        if accepted.initial {
            let early = entry.uas.take().and_then(|mut uas| uas.early_answer.take());
            sdp = sdp.or(early);
            entry.state = CallState::Confirmed;
        }
        if let Some(sdp) = &sdp {
            entry.remote_sdp = sdp_hash(sdp);
        }
        let silent = entry.silent;
        if let Some(reason) = accepted.bye {
            self.send_bye(call, reason.as_deref());
        } else if !silent {
            if accepted.initial {
                self.io.event(UaEvent::Confirmed { call, sdp });
            } else if accepted.offered {
                self.io.event(UaEvent::ReofferAnswered { call, sdp });
            }
            self.run_queued_reoffer(call);
        }
        true
    }

    /// PRACK (RFC 3262 3).
    pub(crate) fn prack(&mut self, inbound: &Inbound<'_>, call: CallRef) {
        let rack = inbound
            .message
            .header(HeaderName::RAck)
            .and_then(RAck::parse);
        let body = inbound.message.body_bytes();
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let tag = entry.local_tag;
        let state = entry.state;
        let matched = match (entry.uas.as_mut(), rack) {
            (Some(uas), Some(rack)) if rack.cseq.method == Method::Invite => {
                let cseq = uas.invite.cseq().map(|c| c.number);
                uas.reliable
                    .take_if(|r| r.rseq == rack.rseq && cseq == Some(rack.cseq.number))
            }
            _ => None,
        };
        let Some(reliable) = matched else {
            return self.answer_new(inbound, 481, &[]);
        };
        let mut status = 200;
        if let Some(uas) = entry.uas.as_mut() {
            uas.sdp_done |= reliable.with_sdp;
            if !body.is_empty() && reliable.with_sdp && !uas.has_offer {
                uas.early_answer = Some(body);
            } else if !body.is_empty() {
                // A further offer in a PRACK: the peer may put it into an UPDATE.
                status = 488;
            }
        }
        if state == CallState::Early {
            entry.stop_timer(CallTimer::Repeat);
            entry.stop_timer(CallTimer::Unacknowledged);
        }
        let tx = self.open_server(inbound, false);
        let bytes = self.response(inbound, status, Some(tag)).finish();
        self.respond(tx, call, status, bytes);
        self.after_prack(call);
    }

    fn after_prack(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.state != CallState::Early {
            return;
        }
        let Some(uas) = entry.uas.as_mut() else {
            return;
        };
        if let Some(sdp) = uas.answer.take() {
            self.send_answer(call, sdp);
        } else if let Some((status, sdp)) = uas.waiting.pop_front() {
            let sdp = sdp.filter(|_| !uas.sdp_done);
            self.send_provisional(call, status, sdp);
        }
    }

    /// Repeats what waits for its ACK or PRACK.
    pub(crate) fn repeat_unacknowledged(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let t = self.layer.t;
        if let Some(accepted) = entry.accepted.as_mut() {
            accepted.interval = (accepted.interval * 2).min(t.t2);
            let interval = accepted.interval;
            self.io
                .transmit(&accepted.target, &accepted.bytes, Some(call));
            self.arm_call(call, CallTimer::Repeat, interval);
        } else if let Some(uas) = entry.uas.as_mut()
            && let Some(reliable) = uas.reliable.as_mut()
        {
            reliable.interval *= 2;
            let (interval, tx, bytes) = (reliable.interval, uas.tx, reliable.bytes.clone());
            // The transaction answers repetitions of the INVITE with the same.
            self.layer.respond(&mut self.io, tx, 180, bytes);
            self.arm_call(call, CallTimer::Repeat, interval);
        }
    }

    /// 64*T1 without ACK or PRACK.
    pub(crate) fn never_acknowledged(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.accepted.take().is_some() {
            entry.uas = None;
            self.end_call(call, DialogEnd::AckTimeout, None);
            self.send_bye(call, Some("SIP;cause=408;text=\"ACK Timeout\""));
        } else if entry.uas.is_some() {
            self.refuse_invite(call, 504, &[]);
            self.end_call(call, DialogEnd::AckTimeout, None);
            self.remove_call(call);
        }
    }

    /// The connection an unanswered INVITE came on is gone: nobody can be answered.
    pub(crate) fn caller_lost(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        // A re-INVITE that was lost with its connection ends nothing.
        if entry.state == CallState::Early && entry.uas.is_some() {
            self.end_call(call, DialogEnd::TransportLost, None);
            self.remove_call(call);
        }
    }

    /// Repeats the ringing once a minute.
    pub(crate) fn keep_ringing(&mut self, call: CallRef) {
        let uas = self.calls.get(call.handle()).and_then(|c| c.uas.as_ref());
        if let Some(uas) = uas {
            let tx = uas.tx;
            self.layer.repeated(&mut self.io, tx);
            self.arm_call(call, CallTimer::KeepRinging, KEEP_RINGING_EVERY);
        }
    }

    /// Sets a timer of a call; an earlier one of the kind is void.
    pub(crate) fn arm_call(&mut self, call: CallRef, kind: CallTimer, delay: Duration) {
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            let at = self.io.arm(delay, Timer::Call(call, kind));
            entry.set_timer(kind, at);
        }
    }
}

fn put_extra(b: &mut crate::build::Builder, headers: &[(String, String)]) {
    for (name, value) in headers {
        b.other(name, value);
    }
}

impl Peer {
    pub(crate) fn of(message: &Message) -> Self {
        Self {
            update: message.lists(HeaderName::Allow, "UPDATE"),
            timer: message.lists(HeaderName::Supported, "timer")
                || message.lists(HeaderName::Require, "timer"),
        }
    }
}

/// The SDP of a message: `None` without one, a status for a body we cannot use.
pub(crate) fn sdp_of(message: &Message) -> Result<Option<Bytes>, u16> {
    let body = message.body_bytes();
    if body.is_empty() {
        return Ok(None);
    }
    let content_type = message.content_type().unwrap_or("application/sdp");
    let kind = content_type.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/sdp") {
        return Ok(Some(body));
    }
    if kind
        .get(..10)
        .is_some_and(|k| k.eq_ignore_ascii_case("multipart/"))
    {
        return Ok(sdp_part(&body, content_type));
    }
    let optional = message
        .header(HeaderName::ContentDisposition)
        .is_some_and(|d| d.to_ascii_lowercase().contains("handling=optional"));
    if optional { Ok(None) } else { Err(415) }
}

/// The `application/sdp` part of a multipart body (RFC 5621).
fn sdp_part(body: &Bytes, content_type: &str) -> Option<Bytes> {
    let boundary = crate::header_value::Params(content_type.split_once(';')?.1).get("boundary")?;
    let delimiter = format!("--{boundary}");
    let text = std::str::from_utf8(body).ok()?;
    for part in text.split(delimiter.as_str()).skip(1) {
        let Some((head, rest)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let is_sdp = head.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("content-type")
                    && value
                        .trim()
                        .get(..15)
                        .is_some_and(|v| v.eq_ignore_ascii_case("application/sdp"))
            })
        });
        if is_sdp {
            return Some(body.slice_ref(rest.as_bytes()));
        }
    }
    None
}
