//! Outgoing calls: INVITE, its provisional and final responses, forks, ACK, CANCEL.

use super::UserAgent;
use super::call::{Call, CallState, Cancel, FORKS_MAX, Offer, Peer, SentAck, UacInvite, sdp_hash};
use super::config::{BodyPart, OutgoingCall};
use super::draft::{Draft, name_addr_of};
use super::event::{CallRef, DialogEnd, UaError, UaEvent};
use super::reply::{ALLOW, SUPPORTED};
use super::request::{Failure, Owner};
use super::trunks::trunk_credential;
use super::uas::sdp_of;
use crate::dialog::{Dialog, Hop};
use crate::header::HeaderName;
use crate::header_value::NameAddr;
use crate::io::CallTimer;
use crate::message::{Message, Method};
use crate::table::Handle;
use crate::text::{push_token, token};
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::{Flow, Target};
use smallvec::smallvec;

/// What we offer without reliable provisional responses.
const SUPPORTED_NO_100REL: &str = "timer, replaces, norefersub, path, outbound";

/// Of our bodies of several parts. No part we write has a line that begins so.
const MULTIPART: &str = "multipart/mixed;boundary=part-of-crosspoint";

/// The offer and what travels beside it (RFC 2046 5.1).
fn multipart(sdp: &str, parts: &[BodyPart]) -> String {
    let mut body = String::with_capacity(sdp.len() + 512);
    if !sdp.is_empty() {
        body.push_str("--part-of-crosspoint\r\nContent-Type: application/sdp\r\n\r\n");
        body.push_str(sdp);
    }
    for part in parts {
        let head = format!(
            "\r\n--part-of-crosspoint\r\nContent-Type: {}\r\nContent-ID: <{}>\r\n\
             Content-Disposition: by-reference;handling=optional\r\n\r\n",
            part.content_type, part.content_id
        );
        body.push_str(&head);
        body.push_str(&part.body);
    }
    body.push_str("\r\n--part-of-crosspoint--\r\n");
    body
}

impl UserAgent {
    /// Starts a call. Its INVITE is sent at once when the target is known. Ends in `Failed` or,
    /// after `Answered`, in `Ended`.
    pub fn invite(&mut self, now: Timestamp, mut outgoing: OutgoingCall) -> CallRef {
        self.io.now = now;
        let call = self.new_outgoing(&mut outgoing);
        let late_offer = outgoing.sdp.is_none();
        let ring_timeout = outgoing.ring_timeout;
        let target = outgoing.target.take();
        let by_trunk = outgoing.via_trunk.and_then(|t| self.trunk_way(t));
        let draft = self.invite_draft(call, outgoing);
        let hop = match (target, draft.routes.first()) {
            (Some(target), _) => Hop::Target(target),
            (None, Some(route)) => {
                Hop::Uri(NameAddr::parse(route).map_or(&**route, |a| a.uri).into())
            }
            (None, None) => by_trunk.unwrap_or_else(|| Hop::Uri(draft.uri.clone())),
        };
        self.arm_call(call, CallTimer::Ring, ring_timeout);
        let credential = self.call_credential(call);
        let request = self.send_request(draft, hop, Owner::Invite(call), credential);
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            entry.uac = Some(Box::new(UacInvite {
                request,
                late_offer,
                cancel: Cancel::No,
                cancel_reason: None,
                answer_stands: false,
                session_expires_s: self.config.session_expires_s,
                answered_early: false,
            }));
        }
        call
    }

    fn new_outgoing(&mut self, outgoing: &mut OutgoingCall) -> CallRef {
        let local_tag = self.io.random();
        let mut call_id = String::with_capacity(32);
        push_token(&mut call_id, self.io.random());
        push_token(&mut call_id, self.io.random());
        let trunk = outgoing
            .via_trunk
            .and_then(|id| self.trunks.by_id.get(&id).copied());
        let credential = outgoing.credential.take().map(Box::new);
        let credential =
            credential.or_else(|| trunk.and_then(|t| trunk_credential(&self.trunks, t)));
        self.add_call(Call {
            id: CallRef(0),
            state: CallState::Early,
            outgoing: true,
            silent: false,
            call_id: call_id.into(),
            local_tag,
            local: name_addr_of(&outgoing.from),
            remote: name_addr_of(&outgoing.to),
            contact_user: outgoing.contact_user.as_str().into(),
            local_cseq: 1,
            dialogs: smallvec![],
            peer: Peer::default(),
            credential,
            realm: None,
            local_sdp: outgoing.sdp.clone().map(Bytes::from),
            remote_sdp: 0,
            uas: None,
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
        })
    }

    fn invite_draft(&self, call: CallRef, outgoing: OutgoingCall) -> Draft {
        let entry = self.calls.get(call.handle());
        let tag = entry.map_or(0, |c| c.local_tag);
        let supported = match outgoing.supported_100rel && outgoing.sdp.is_some() {
            true => SUPPORTED,
            false => SUPPORTED_NO_100REL,
        };
        let mut draft = Draft {
            method: Method::Invite,
            uri: outgoing.request_uri.into(),
            routes: Vec::new(),
            from: format!("{};tag={}", name_addr_of(&outgoing.from), token(tag)).into(),
            to: name_addr_of(&outgoing.to),
            call_id: entry.map_or("".into(), |c| c.call_id.clone()),
            cseq: 1,
            max_forwards: 70,
            contact_user: Some(outgoing.contact_user.into()),
            headers: vec![
                (HeaderName::Allow, ALLOW.into()),
                (HeaderName::Supported, supported.into()),
            ],
            others: Vec::new(),
            auth: None,
            content_type: "application/sdp",
            body: Bytes::new(),
        };
        let sdp = outgoing.sdp.unwrap_or_default();
        (draft.content_type, draft.body) = match outgoing.parts.as_slice() {
            [] => ("application/sdp", sdp.into()),
            parts => (MULTIPART, multipart(&sdp, parts).into()),
        };
        let session_expires_s = self.config.session_expires_s;
        if session_expires_s > 0 {
            let text = session_expires_s.max(super::session::MIN_SE_S).to_string();
            draft
                .headers
                .push((HeaderName::SessionExpires, text.into()));
        }
        draft.take_headers(outgoing.headers);
        draft
    }

    pub(crate) fn call_credential(
        &self,
        call: CallRef,
    ) -> Option<Box<super::config::ClientCredential>> {
        self.calls.get(call.handle())?.credential.clone()
    }

    /// A response to the INVITE of an outgoing call.
    pub(crate) fn invite_response(
        &mut self,
        call: CallRef,
        request: Handle,
        response: &Message,
        flow: &Flow,
    ) {
        let status = response.status();
        if self.calls.get(call.handle()).is_none() {
            // The call is over, but its 2xx must be acknowledged and undone (13.2.2.4).
            if (200..300).contains(&status) {
                self.undo_stray(response, flow);
            }
            return;
        }
        match status {
            ..200 => self.invite_progress(call, response, flow),
            200..300 => self.invite_accepted(call, request, response, flow),
            _ => self.invite_refused(call, response),
        }
    }

    fn invite_progress(&mut self, call: CallRef, response: &Message, flow: &Flow) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry
            .uac
            .as_ref()
            .is_some_and(|u| u.cancel == Cancel::Wanted)
        {
            self.cancel_now(call);
        }
        let tag = response.to().and_then(|to| to.tag);
        let (Some(tag), true) = (tag, response.status() > 100) else {
            return;
        };
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.state != CallState::Early {
            return;
        }
        if entry.fork(tag).is_none() {
            if entry.dialogs.len() >= FORKS_MAX {
                return;
            }
            let Some(dialog) = Dialog::uac(response, "", flow) else {
                return;
            };
            entry.dialogs.push(dialog);
        }
        entry.peer.update |= response.lists(HeaderName::Allow, "UPDATE");
        let sdp = sdp_of(response).ok().flatten();
        let rseq = response
            .header(HeaderName::RSeq)
            .and_then(|v| v.parse::<u32>().ok());
        if let (Some(rseq), true) = (rseq, response.lists(HeaderName::Require, "100rel")) {
            let Some(fork) = entry.fork(tag) else {
                return;
            };
            // Only the next in order counts; a repetition had its PRACK (RFC 3262 4).
            if fork.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
                return;
            }
            fork.rseq = Some(rseq);
            if let (Some(uac), true) = (entry.uac.as_mut(), sdp.is_some()) {
                uac.answered_early = true;
            }
            self.send_prack(call, tag, rseq);
        }
        if let Some(sdp) = &sdp
            && let Some(entry) = self.calls.get_mut(call.handle())
        {
            entry.remote_sdp = sdp_hash(sdp);
        }
        self.io.event(UaEvent::Progress {
            call,
            status: response.status(),
            sdp,
        });
    }

    fn send_prack(&mut self, call: CallRef, tag: &str, rseq: u32) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let Some(fork) = entry.dialogs.iter().position(|d| *d.remote_tag == *tag) else {
            return;
        };
        let invite_cseq = entry
            .uac
            .as_ref()
            .and_then(|u| self.requests.get(u.request))
            .map_or(1, |r| r.draft.cseq);
        let (mut draft, hop) = entry.draft(fork, Method::Prack);
        draft.headers.push((
            HeaderName::RAck,
            format!("{rseq} {invite_cseq} INVITE").into(),
        ));
        let credential = entry.credential.clone();
        self.send_request(draft, hop, Owner::Prack(call), credential);
    }

    fn invite_accepted(&mut self, call: CallRef, request: Handle, response: &Message, flow: &Flow) {
        let tag = response.to().and_then(|to| to.tag).unwrap_or("");
        let draft = self.requests.get(request).map(|r| &r.draft);
        let cseq = response.cseq().map_or(0, |c| c.number);
        let auth = draft.and_then(|d| d.auth.clone());
        let uri: Box<str> = draft.map_or("".into(), |d| d.uri.clone());
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let Some(uac) = entry.uac.take() else {
            // A winner stands: the same again is a lost ACK, another fork loses.
            let repeated = entry.dialog().is_some_and(|d| *d.remote_tag == *tag);
            return match repeated {
                true => self.repeat_ack(call, cseq),
                false => self.undo_stray(response, flow),
            };
        };
        let Some(mut dialog) = Dialog::uac(response, &uri, flow) else {
            return;
        };
        if let Some(early) = entry.fork(tag) {
            dialog.rseq = early.rseq;
            dialog.remote_cseq = early.remote_cseq;
        }
        entry.dialogs = smallvec![dialog];
        entry.stop_timer(CallTimer::Ring);
        entry.peer = Peer::of(response);
        let stands = uac.answer_stands && !entry.silent;
        if entry.state == CallState::Cancelling && !stands {
            // The 200 crossed our CANCEL.
            entry.state = CallState::Confirmed;
            self.send_ack(call, cseq, auth, None);
            return self.send_bye(call, uac.cancel_reason.as_deref());
        }
        let sdp = sdp_of(response).ok().flatten();
        if let Some(sdp) = &sdp {
            entry.remote_sdp = sdp_hash(sdp);
        }
        if uac.late_offer {
            entry.state = CallState::Answered;
            entry.offer = Offer::OursToAck { cseq };
        } else {
            entry.state = CallState::Confirmed;
            self.send_ack(call, cseq, auth, None);
        }
        self.take_session(call, response, true);
        self.io.event(UaEvent::Answered { call, sdp });
        self.run_queued_reoffer(call);
    }

    /// Gives the answer to the offer a 2xx brought (our INVITE or re-INVITE had none).
    ///
    /// # Errors
    /// `NoCall`, `State` when no such answer is owed.
    pub fn ack_with(&mut self, now: Timestamp, call: CallRef, sdp: String) -> Result<(), UaError> {
        self.io.now = now;
        let entry = self.calls.get_mut(call.handle()).ok_or(UaError::NoCall)?;
        let Offer::OursToAck { cseq } = entry.offer else {
            return Err(UaError::State);
        };
        if !matches!(entry.state, CallState::Answered | CallState::Confirmed) {
            return Err(UaError::State);
        }
        entry.offer = Offer::None;
        entry.state = CallState::Confirmed;
        let sdp = Bytes::from(sdp);
        entry.local_sdp = Some(sdp.clone());
        self.send_ack(call, cseq, None, Some(sdp));
        self.run_queued_reoffer(call);
        Ok(())
    }

    /// Sends the ACK to a 2xx (13.2.2.4) and keeps it for repetitions.
    pub(crate) fn send_ack(
        &mut self,
        call: CallRef,
        cseq: u32,
        auth: Option<(HeaderName, Box<str>)>,
        sdp: Option<Bytes>,
    ) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.dialogs.is_empty() {
            return;
        }
        let next = entry.local_cseq;
        let (mut draft, hop) = entry.draft(0, Method::Ack);
        entry.local_cseq = next;
        draft.cseq = cseq;
        draft.auth = auth;
        draft.contact_user = None;
        draft.body = sdp.unwrap_or_default();
        self.send_request(draft, hop, Owner::Ack(call), None);
    }

    /// An ACK left; keeps it until the far side can no longer repeat its 2xx.
    pub(crate) fn ack_sent(&mut self, owner: Owner, cseq: u32, target: Target, bytes: Bytes) {
        let Owner::Ack(call) = owner else {
            return;
        };
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            if let [dialog] = &mut entry.dialogs[..] {
                dialog.hop = Some(target.clone());
            }
            entry.ack = Some(Box::new(SentAck {
                cseq,
                target,
                bytes,
            }));
            let linger = self.layer.t.t1 * 64;
            self.arm_call(call, CallTimer::ForgetAck, linger);
        }
    }

    /// The far side repeated a 2xx: its ACK was lost.
    pub(crate) fn repeat_ack(&mut self, call: CallRef, cseq: u32) {
        let entry = self.calls.get(call.handle());
        if let Some(ack) = entry
            .and_then(|c| c.ack.as_ref())
            .filter(|a| a.cseq == cseq)
        {
            self.io.transmit(&ack.target, &ack.bytes, Some(call));
        }
    }

    fn invite_refused(&mut self, call: CallRef, response: &Message) {
        if response.status() == 422 && self.retry_with_longer_session(call, response) {
            return;
        }
        let reason = response
            .header(HeaderName::Reason)
            .unwrap_or(response.reason())
            .to_string();
        let contact = matches!(response.status(), 300..400)
            .then(|| best_contact(response))
            .flatten();
        self.fail_call(call, response.status(), Some(reason), contact);
    }

    /// The INVITE got no response or could not be sent.
    pub(crate) fn invite_failed(&mut self, call: CallRef, failure: Failure) {
        let status = match failure {
            Failure::Timeout => 408,
            Failure::Transport => 503,
        };
        self.fail_call(call, status, None, None);
    }

    fn fail_call(
        &mut self,
        call: CallRef,
        status: u16,
        reason: Option<String>,
        contact: Option<String>,
    ) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if !entry.silent {
            self.io.event(UaEvent::Failed {
                call,
                status,
                reason,
                contact,
            });
        }
        self.remove_call(call);
    }

    /// The owner's ring time-out, or Timer C: cancel and report 408.
    pub(crate) fn ring_timed_out(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.state != CallState::Early || entry.uac.is_none() {
            return;
        }
        if !entry.silent {
            entry.silent = true;
            self.io.event(UaEvent::Failed {
                call,
                status: 408,
                reason: None,
                contact: None,
            });
        }
        self.cancel_call(call, Some("SIP;cause=408;text=\"Ring timeout\"".into()));
    }

    /// Withdraws an outgoing call: CANCEL as soon as there is a provisional response.
    pub(crate) fn cancel_call(&mut self, call: CallRef, reason: Option<String>) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let Some(uac) = entry.uac.as_mut() else {
            return;
        };
        entry.state = CallState::Cancelling;
        uac.cancel_reason = reason;
        uac.cancel = Cancel::Wanted;
        let request = uac.request;
        entry.stop_timer(CallTimer::Ring);
        if self.abandon_unsent(request) {
            return self.remove_call(call);
        }
        let tx = self.requests.get(request).and_then(|r| r.tx);
        if tx.and_then(|tx| self.layer.cancellable(tx)) == Some(true) {
            self.cancel_now(call);
        }
    }

    fn cancel_now(&mut self, call: CallRef) {
        let Some(uac) = self
            .calls
            .get_mut(call.handle())
            .and_then(|c| c.uac.as_mut())
        else {
            return;
        };
        uac.cancel = Cancel::Sent;
        let (request, reason) = (uac.request, uac.cancel_reason.clone());
        self.send_cancel(request, reason.as_deref());
    }

    pub(crate) fn is_cancelling(&self, request: Handle) -> bool {
        match self.requests.get(request).map(|r| r.owner) {
            Some(Owner::Invite(call)) => self
                .calls
                .get(call.handle())
                .is_none_or(|c| c.state == CallState::Cancelling),
            _ => false,
        }
    }

    /// Ends a confirmed dialog with BYE; the call stays until the BYE is answered. An early one is
    /// refused or cancelled instead (15).
    pub(crate) fn send_bye(&mut self, call: CallRef, reason: Option<&str>) {
        self.drop_their_offer(call);
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        entry.silent = true;
        if entry.state == CallState::Early {
            if entry.outgoing {
                return self.cancel_call(call, reason.map(str::to_string));
            }
            self.refuse_invite(call, 480, &[]);
            return self.remove_call(call);
        }
        entry.state = CallState::Closing;
        entry.timers.clear();
        entry.accepted = None;
        entry.session = None;
        if entry.dialogs.is_empty() {
            return self.remove_call(call);
        }
        let (mut draft, hop) = entry.draft(0, Method::Bye);
        draft.contact_user = None;
        if let Some(reason) = reason {
            draft.headers.push((HeaderName::Reason, reason.into()));
        }
        let credential = entry.credential.clone();
        self.send_request(draft, hop, Owner::Bye(call), credential);
    }

    /// Tells the owner that a call ended, once.
    pub(crate) fn end_call(&mut self, call: CallRef, cause: DialogEnd, reason: Option<String>) {
        if let Some(entry) = self.calls.get_mut(call.handle())
            && !entry.silent
        {
            entry.silent = true;
            self.io.event(UaEvent::Ended {
                call,
                cause,
                reason,
            });
        }
    }

    pub(crate) fn add_call(&mut self, call: Call) -> CallRef {
        let tag = call.local_tag;
        let handle = self.calls.insert(Box::new(call));
        let call = CallRef::from_handle(handle);
        if let Some(entry) = self.calls.get_mut(handle) {
            entry.id = call;
        }
        self.by_local_tag.insert(tag, call);
        call
    }

    pub(crate) fn remove_call(&mut self, call: CallRef) {
        self.drop_their_offer(call);
        if let Some(entry) = self.calls.remove(call.handle()) {
            self.by_local_tag.remove(&entry.local_tag);
        }
    }
}

/// The Contact of a 3xx with the highest q, the first of equals (8.1.3.4).
fn best_contact(response: &Message) -> Option<String> {
    let mut best: Option<(u16, &str)> = None;
    for contact in response
        .values(HeaderName::Contact)
        .filter_map(NameAddr::parse)
    {
        if best.is_none_or(|(q, _)| contact.q() > q) {
            best = Some((contact.q(), contact.uri));
        }
    }
    best.map(|(_, uri)| uri.to_string())
}
