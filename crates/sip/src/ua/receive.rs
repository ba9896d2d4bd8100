//! What comes in: judged, matched to its transaction and dialog, admitted.

use super::UserAgent;
use super::config::{Admission, Directory, Principal};
use super::event::{CallRef, UaEvent};
use super::reply::{ALLOW, Inbound};
use crate::header::HeaderName;
use crate::message::{Message, Method};
use crate::text::token_value;
use crate::validate::{Verdict, validate};
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::Flow;

impl UserAgent {
    /// Takes one message off a flow. `tls_name` is the proven name of a client certificate.
    pub fn receive(
        &mut self,
        now: Timestamp,
        flow: &Flow,
        tls_name: Option<&str>,
        bytes: Bytes,
        directory: &dyn Directory,
    ) {
        self.io.now = now;
        // Keep-alives and noise have nobody to answer to.
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        let inbound = Inbound {
            message: &message,
            flow,
        };
        match validate(&message, flow.transport) {
            Verdict::Ok => {}
            Verdict::Drop => return,
            Verdict::Reply {
                status,
                reason,
                headers,
            } => {
                if self.limiter.take(now, flow.remote.ip()) {
                    let headers: Vec<(HeaderName, &str)> =
                        headers.iter().map(|(n, v)| (*n, v.as_ref())).collect();
                    self.answer_stateless(&inbound, status, reason, &headers);
                } else {
                    self.deny(flow, "malformed");
                }
                return;
            }
        }
        if !message.is_request() {
            return self.receive_response(&inbound);
        }
        match message.method() {
            Method::Ack => self.receive_ack(&inbound),
            Method::Cancel => self.receive_cancel(&inbound),
            method => self.receive_request(&inbound, &method, tls_name, directory),
        }
    }

    fn receive_response(&mut self, inbound: &Inbound<'_>) {
        let response = inbound.message;
        match self.layer.response(&mut self.io, response) {
            Some((owner, news)) => {
                self.client_news(owner, &news, Some(response), Some(inbound.flow));
            }
            None => self.stray_response(inbound),
        }
    }

    fn receive_ack(&mut self, inbound: &Inbound<'_>) {
        let key = self.layer.server_key(inbound.message, &Method::Ack);
        // The ACK to a non-2xx has the branch of its INVITE, that to a 2xx its own; some peers
        // reuse the branch for both, so a dialog that waits goes first.
        if self.dialog_ack(inbound) {
            return;
        }
        if let Some(tx) = self.layer.find_server(key) {
            self.layer.acknowledged(&mut self.io, tx);
        }
    }

    fn receive_cancel(&mut self, inbound: &Inbound<'_>) {
        let own = self.layer.server_key(inbound.message, &Method::Cancel);
        if let Some(tx) = self.layer.find_server(own) {
            return self.layer.repeated(&mut self.io, tx);
        }
        let key = self.layer.server_key(inbound.message, &Method::Invite);
        let Some(invite) = self.layer.find_server(key) else {
            return self.answer_stateless(inbound, 481, "Call/Transaction Does Not Exist", &[]);
        };
        let call = self.layer.server_call(invite);
        let tag = call
            .and_then(|c| self.calls.get(c.handle()))
            .map_or_else(|| self.io.random(), |c| c.local_tag);
        let tx = self.open_server(inbound, false);
        let bytes = self.response(inbound, 200, Some(tag)).finish();
        self.layer.respond(&mut self.io, tx, 200, bytes);
        if let Some(call) = call {
            let reason = inbound.message.header(HeaderName::Reason);
            self.cancelled_by_peer(call, invite, reason);
        }
    }

    fn receive_request(
        &mut self,
        inbound: &Inbound<'_>,
        method: &Method,
        tls_name: Option<&str>,
        directory: &dyn Directory,
    ) {
        let request = inbound.message;
        let key = self.layer.server_key(request, method);
        if let Some(tx) = self.layer.find_server(key) {
            return self.layer.repeated(&mut self.io, tx);
        }
        if self.layer.servers_len() >= self.config.limits.server_transactions_max {
            self.deny(inbound.flow, "server_transactions");
            return self.answer_stateless(
                inbound,
                503,
                "Service Unavailable",
                &[(HeaderName::RetryAfter, "5")],
            );
        }
        if let Some(tag) = request.to().and_then(|to| to.tag) {
            return match self.find_dialog(request, tag) {
                Some((call, fork)) => self.in_dialog(inbound, method, call, fork),
                None => self.no_dialog(inbound, method),
            };
        }
        if let Some(principal) = self.admit(inbound, tls_name, directory) {
            self.out_of_dialog(inbound, method, principal);
        }
    }

    /// The call and the fork a request with this To tag is for.
    pub(crate) fn find_dialog(&self, request: &Message, tag: &str) -> Option<(CallRef, usize)> {
        let call = *self.by_local_tag.get(&token_value(tag)?)?;
        let entry = self.calls.get(call.handle())?;
        if *entry.call_id != *request.call_id() {
            return None;
        }
        let remote = request.from()?.tag.unwrap_or("");
        let fork = entry
            .dialogs
            .iter()
            .position(|d| *d.remote_tag == *remote)?;
        Some((call, fork))
    }

    fn no_dialog(&mut self, inbound: &Inbound<'_>, method: &Method) {
        // Answering strangers costs a token, so that we are no amplifier.
        if !self.limiter.take(self.io.now, inbound.flow.remote.ip()) {
            return self.deny(inbound.flow, "no_dialog");
        }
        let (status, reason) = match method {
            Method::Register => (400, "To with a tag"),
            _ => (481, "Call/Transaction Does Not Exist"),
        };
        self.answer_stateless(inbound, status, reason, &[]);
    }

    /// Who the request comes from; `None` when it was answered or dropped.
    fn admit(
        &mut self,
        inbound: &Inbound<'_>,
        tls_name: Option<&str>,
        directory: &dyn Directory,
    ) -> Option<Principal> {
        match directory.admit(inbound.flow, tls_name, inbound.message) {
            Admission::Trunk(trunk) => Some(Principal::Trunk(trunk)),
            Admission::Challenge { realm } => self.challenge(inbound, &realm, directory),
            Admission::Refuse { status } => {
                if self.limiter.take(self.io.now, inbound.flow.remote.ip()) {
                    let reason = crate::build::reason_phrase(status);
                    self.answer_stateless(inbound, status, reason, &[]);
                }
                self.deny(inbound.flow, "refused");
                None
            }
            Admission::Silent => {
                self.deny(inbound.flow, "silent");
                None
            }
        }
    }

    fn out_of_dialog(&mut self, inbound: &Inbound<'_>, method: &Method, principal: Principal) {
        let request = inbound.message;
        let merge = self.layer.merge_key(request);
        if self.layer.is_merged(merge) {
            return self.answer_stateless(inbound, 482, "Loop Detected", &[]);
        }
        match method {
            Method::Invite => self.incoming_invite(inbound, principal),
            Method::Register => self.register(inbound, principal),
            Method::Options => self.options(inbound),
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => {
                self.answer_new(inbound, 481, &[]);
            }
            // Transfers are taken inside calls only.
            Method::Refer => self.answer_new(inbound, 403, &[]),
            Method::Subscribe => {
                self.answer_new(inbound, 489, &[(HeaderName::AllowEvents, "refer")])
            }
            Method::Other(_) => self.answer_new(inbound, 501, &[(HeaderName::Allow, ALLOW)]),
            _ => self.answer_new(inbound, 405, &[(HeaderName::Allow, ALLOW)]),
        }
    }

    fn options(&mut self, inbound: &Inbound<'_>) {
        self.answer_new(
            inbound,
            200,
            &[
                (HeaderName::Allow, ALLOW),
                (HeaderName::Supported, super::reply::SUPPORTED),
                (HeaderName::Accept, "application/sdp"),
                (HeaderName::AllowEvents, "refer"),
            ],
        );
    }

    /// Tells the owner of a refusal, at most once per source and second.
    pub(crate) fn deny(&mut self, flow: &Flow, what: &'static str) {
        if self.limiter.may_report(self.io.now, flow.remote.ip()) {
            self.io.event(UaEvent::Denied { flow: *flow, what });
        }
    }
}
