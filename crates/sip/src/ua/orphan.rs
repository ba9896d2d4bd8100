//! Dialogs nobody keeps: snapshots for the log, the BYE of a dialog a crashed process had, and
//! 2xx responses nobody waits for.

use super::UserAgent;
use super::call::CallState;
use super::draft::Draft;
use super::event::{CallRef, UaError};
use super::reply::Inbound;
use super::request::Owner;
use crate::dialog::{Dialog, Hop};
use crate::header::HeaderName;
use crate::message::{Message, Method};
use crate::text::token;
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::{Flow, Target, Transport};
use std::net::SocketAddr;

/// Form of the snapshot text.
const SNAPSHOT_VERSION: &str = "d1";
/// Form of the snapshot of a call that rings.
const RING_VERSION: &str = "r1";
/// How far past the snapshot's CSeq number an orphan's BYE starts: requests that went out after
/// the snapshot must not make it look old.
const CSEQ_LEAP: u32 = 1_000;
/// A snapshot is a line of the log; longer ones are not ours.
const SNAPSHOT_BYTES_MAX: usize = 16_384;

impl UserAgent {
    /// What `end_orphan` needs to end this call's dialog after a crash: one opaque line.
    /// `None` while there is no dialog.
    pub fn dialog_snapshot(&self, call: CallRef) -> Option<String> {
        let entry = self.calls.get(call.handle())?;
        if !matches!(entry.state, CallState::Answered | CallState::Confirmed) {
            return None;
        }
        let dialog = entry.dialog()?;
        let hop = match dialog.next_hop() {
            Hop::Target(target) => hop_text(&target),
            Hop::Targets(_) | Hop::Uri(_) => String::new(),
        };
        let fields = [
            SNAPSHOT_VERSION,
            &entry.call_id,
            &token(entry.local_tag),
            &dialog.remote_tag,
            &entry.local,
            &entry.remote,
            &dialog.remote_target,
            &dialog.routes.join(","),
            &entry.local_cseq.to_string(),
            &hop,
        ]
        .map(|field| field.replace(['\t', '\r', '\n'], " "));
        Some(fields.join("\t"))
    }

    /// What `end_orphan` needs to stop a phone of an outgoing call from ringing after a crash.
    /// `None` while it does not ring.
    pub fn ring_snapshot(&self, call: CallRef) -> Option<String> {
        let entry = self.calls.get(call.handle())?;
        if entry.state != CallState::Early {
            return None;
        }
        let (draft, target, branch) = self.ringing_request(entry.uac.as_ref()?.request)?;
        let fields = [
            RING_VERSION,
            &draft.uri,
            &draft.routes.join(","),
            &draft.from,
            &draft.to,
            &draft.call_id,
            &draft.cseq.to_string(),
            &token(branch),
            &hop_text(&target),
        ]
        .map(|field| field.replace(['\t', '\r', '\n'], " "));
        Some(fields.join("\t"))
    }

    /// Withdraws the INVITE of a snapshot: same branch, so that the phone knows which is meant.
    fn end_ringing(&mut self, snapshot: &str) -> Result<(), UaError> {
        let fields: Vec<&str> = snapshot.split('\t').collect();
        let [
            RING_VERSION,
            uri,
            routes,
            from,
            to,
            call_id,
            cseq,
            branch,
            hop,
        ] = fields[..]
        else {
            return Err(UaError::Snapshot);
        };
        let (Ok(cseq), Some(branch), Some(target)) = (
            cseq.parse(),
            crate::text::token_value(branch),
            snapshot_hop(hop),
        ) else {
            return Err(UaError::Snapshot);
        };
        let routes = crate::message::text::split_list(routes).filter(|r| !r.is_empty());
        let draft = Draft {
            method: Method::Invite,
            uri: uri.into(),
            routes: routes.map(Into::into).collect(),
            from: from.into(),
            to: to.into(),
            call_id: call_id.into(),
            cseq,
            max_forwards: 70,
            contact_user: None,
            headers: Vec::new(),
            others: Vec::new(),
            auth: None,
            content_type: "",
            body: Bytes::new(),
        };
        self.cancel_foreign(draft, target, branch);
        Ok(())
    }

    /// Ends the dialog of a snapshot with a BYE, whose answer nobody waits for; a call that only rang
    /// with a CANCEL.
    ///
    /// # Errors
    /// `Snapshot` when the text is not one.
    pub fn end_orphan(&mut self, now: Timestamp, snapshot: &str) -> Result<(), UaError> {
        self.io.now = now;
        if snapshot.len() > SNAPSHOT_BYTES_MAX {
            return Err(UaError::Snapshot);
        }
        if snapshot.starts_with(RING_VERSION) {
            return self.end_ringing(snapshot);
        }
        let fields: Vec<&str> = snapshot.split('\t').collect();
        let [
            SNAPSHOT_VERSION,
            call_id,
            local_tag,
            remote_tag,
            local,
            remote,
            target,
            routes,
            cseq,
            hop,
        ] = fields[..]
        else {
            return Err(UaError::Snapshot);
        };
        let cseq: u32 = cseq.parse().map_err(|_| UaError::Snapshot)?;
        let routes: Box<[Box<str>]> = crate::message::text::split_list(routes)
            .filter(|r| !r.is_empty())
            .map(Into::into)
            .collect();
        let dialog = Dialog {
            remote_tag: remote_tag.into(),
            remote_target: target.into(),
            routes,
            remote_cseq: None,
            rseq: None,
            flow: None,
            hop: snapshot_hop(hop),
        };
        let from = format!("{local};tag={local_tag}");
        self.send_orphan_bye(
            &dialog,
            (&from, remote),
            call_id,
            cseq.saturating_add(CSEQ_LEAP),
        );
        Ok(())
    }

    fn send_orphan_bye(
        &mut self,
        dialog: &Dialog,
        (from, remote): (&str, &str),
        call_id: &str,
        cseq: u32,
    ) {
        let to = match dialog.remote_tag.is_empty() {
            true => remote.to_string(),
            false => format!("{remote};tag={}", dialog.remote_tag),
        };
        let draft = orphan_draft(Method::Bye, dialog, (from, &to), call_id, cseq);
        self.send_request(draft, dialog.next_hop(), Owner::Nobody, None);
    }

    /// A response nothing waits for. A 2xx to an INVITE means that somebody believes in a call:
    /// acknowledge and end it, which clears ghosts after a crash.
    pub(crate) fn stray_response(&mut self, inbound: &Inbound<'_>) {
        let response = inbound.message;
        let status = response.status();
        if !(200..300).contains(&status) || response.method() != Method::Invite {
            return;
        }
        // The 2xx of a call that lives, after its transaction ended: only the ACK was lost.
        let tag = response.from().and_then(|f| f.tag).unwrap_or("");
        let call = crate::text::token_value(tag).and_then(|t| self.by_local_tag.get(&t).copied());
        if let Some(call) = call {
            let remote = response.to().and_then(|to| to.tag).unwrap_or("");
            let entry = self.calls.get(call.handle());
            let known = entry
                .and_then(|c| c.dialog())
                .is_some_and(|d| *d.remote_tag == *remote);
            if known {
                return self.repeat_ack(call, response.cseq().map_or(0, |c| c.number));
            }
        }
        if !self.limiter.take(self.io.now, inbound.flow.remote.ip()) {
            return self.deny(inbound.flow, "stray_response");
        }
        self.undo_stray(response, inbound.flow);
    }

    /// ACK and BYE for a 2xx nobody wants: a fork that lost, a call that is over.
    pub(crate) fn undo_stray(&mut self, response: &Message, flow: &Flow) {
        let (Some(from), Some(to), Some(cseq)) = (
            response.header(HeaderName::From),
            response.header(HeaderName::To),
            response.cseq(),
        ) else {
            return;
        };
        let Some(dialog) = Dialog::uac(response, "", flow).filter(|d| !d.remote_target.is_empty())
        else {
            return;
        };
        let ends = (from, to);
        let ack = orphan_draft(Method::Ack, &dialog, ends, response.call_id(), cseq.number);
        self.send_request(ack, dialog.next_hop(), Owner::Nobody, None);
        // Beyond whatever the early dialog used (PRACK, UPDATE).
        let next = cseq.number.saturating_add(CSEQ_LEAP);
        let bye = orphan_draft(Method::Bye, &dialog, ends, response.call_id(), next);
        self.send_request(bye, dialog.next_hop(), Owner::Nobody, None);
    }
}

fn hop_text(target: &Target) -> String {
    match target {
        Target::Flow(flow) => format!("{}/{}", flow.transport.via(), flow.remote),
        Target::Addr {
            transport, addr, ..
        } => format!("{}/{addr}", transport.via()),
    }
}

fn snapshot_hop(text: &str) -> Option<Target> {
    let (transport, addr) = text.split_once('/')?;
    let addr: SocketAddr = addr.parse().ok()?;
    let transport = [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
    ]
    .into_iter()
    .find(|t| t.via() == transport)?;
    Some(Target::Addr {
        transport,
        addr,
        server_name: None,
    })
}

fn orphan_draft(
    method: Method,
    dialog: &Dialog,
    (from, to): (&str, &str),
    call_id: &str,
    cseq: u32,
) -> Draft {
    let (uri, routes) = dialog.request_uri_and_routes();
    Draft {
        method,
        uri: uri.into(),
        routes: routes.into_iter().map(Into::into).collect(),
        from: from.into(),
        to: to.into(),
        call_id: call_id.into(),
        cseq,
        max_forwards: 70,
        contact_user: None,
        headers: Vec::new(),
        others: Vec::new(),
        auth: None,
        content_type: "",
        body: Bytes::new(),
    }
}
