//! REFER and its NOTIFYs (RFC 3515, RFC 4488), Replaces (RFC 3891).

use super::UserAgent;
use super::call::{CallState, Refer};
use super::event::{CallRef, ReferReplaces, UaError, UaEvent};
use super::reply::Inbound;
use super::request::Owner;
use crate::build::reason_phrase;
use crate::header::HeaderName;
use crate::header_value::{NameAddr, Replaces};
use crate::io::CallTimer;
use crate::message::{Message, Method};
use crate::text::token_value;
use crate::uri::{SipUri, decode};
use bytes::Bytes;
use cp_vocab::Timestamp;
use std::time::Duration;

/// How long a transfer may take before its subscription ends by itself.
const SUBSCRIPTION: Duration = Duration::from_secs(180);

/// What a script writes for a tag it does not have yet.
const UNKNOWN_TAG: &str = "null";

impl UserAgent {
    /// The call an INVITE with Replaces is to take the place of: `Err` is the status to refuse it
    /// with (RFC 3891 3).
    pub(crate) fn replaced_call(&self, invite: &Message) -> Result<Option<CallRef>, u16> {
        let Some(value) = invite.header(HeaderName::Replaces) else {
            return Ok(None);
        };
        if invite.count(HeaderName::Replaces) > 1 {
            return Err(400);
        }
        let replaces = Replaces::parse(value).ok_or(400_u16)?;
        let call = self.find_replaced(&replaces).ok_or(481_u16)?;
        let entry = self.calls.get(call.handle()).ok_or(481_u16)?;
        match entry.state {
            CallState::Confirmed | CallState::Answered if replaces.early_only => Err(486),
            CallState::Confirmed | CallState::Answered => Ok(Some(call)),
            // An early dialog may be replaced by the side that started it only.
            CallState::Early if entry.outgoing => Ok(Some(call)),
            CallState::Early => Err(481),
            CallState::Cancelling | CallState::Closing => Err(603),
        }
    }

    fn find_replaced(&self, replaces: &Replaces<'_>) -> Option<CallRef> {
        let call = *self.by_local_tag.get(&token_value(replaces.to_tag)?)?;
        let entry = self.calls.get(call.handle())?;
        let remote =
            |tag: &str| *tag == *replaces.from_tag || (tag.is_empty() && replaces.from_tag == "0");
        let matches = *entry.call_id == *replaces.call_id
            && entry.dialogs.iter().any(|d| remote(&d.remote_tag));
        matches.then_some(call)
    }

    /// REFER inside a call.
    pub(crate) fn refer(&mut self, inbound: &Inbound<'_>, call: CallRef, cseq: u32) {
        let request = inbound.message;
        let target = request
            .header(HeaderName::ReferTo)
            .filter(|_| request.count(HeaderName::ReferTo) == 1)
            .and_then(NameAddr::parse);
        let Some(target) = target else {
            return self.answer_new(inbound, 400, &[]);
        };
        let Some(entry) = self.calls.get(call.handle()) else {
            return;
        };
        if entry.refer.is_some() {
            // One transfer at a time per call.
            return self.answer_new(inbound, 491, &[]);
        }
        if entry.state != CallState::Confirmed {
            return self.answer_new(inbound, 403, &[]);
        }
        let quiet = request
            .header(HeaderName::ReferSub)
            .is_some_and(|v| v.trim().eq_ignore_ascii_case("false"));
        let refer_to = target.uri.to_string();
        let replaces = self.refer_replaces(&refer_to);
        let tx = self.open_server(inbound, false);
        let mut b = self.response(inbound, 202, None);
        if quiet {
            b.header(HeaderName::ReferSub, "false");
        }
        let bytes = self.finish_dialog_response(b, inbound, "", None);
        self.respond(tx, call, 202, bytes);
        if !quiet {
            if let Some(entry) = self.calls.get_mut(call.handle()) {
                entry.refer = Some(Box::new(Refer { id: cseq }));
            }
            self.arm_call(call, CallTimer::Subscription, SUBSCRIPTION);
            self.notify(call, 100);
        }
        self.io.event(UaEvent::Referred {
            call,
            refer_to,
            replaces,
            referred_by: request
                .header(HeaderName::ReferredBy)
                .and_then(NameAddr::parse)
                .map(|a| a.uri.to_string()),
        });
    }

    fn refer_replaces(&self, refer_to: &str) -> Option<ReferReplaces> {
        let uri = SipUri::parse(refer_to)?;
        let escaped = uri.headers.split('&').find_map(|h| {
            let (name, value) = h.split_once('=')?;
            name.eq_ignore_ascii_case("Replaces").then_some(value)
        })?;
        let value = decode(escaped);
        let found = Replaces::parse(&value)
            .and_then(|r| self.find_replaced(&r).or_else(|| self.find_misnamed(&r)));
        Some(found.map_or(ReferReplaces::Unknown, ReferReplaces::Call))
    }

    /// The call a phone means that names it wrongly. JsSIP takes the tags of a call it received the
    /// wrong way round, and says `to-tag=null` of one that still rings.
    fn find_misnamed(&self, replaces: &Replaces<'_>) -> Option<CallRef> {
        let turned = Replaces {
            to_tag: replaces.from_tag,
            from_tag: replaces.to_tag,
            ..*replaces
        };
        if let Some(found) = self.find_replaced(&turned) {
            return Some(found);
        }
        if replaces.to_tag != UNKNOWN_TAG {
            return None;
        }
        // Only the phone that is in the call knows its Call-ID and its own tag.
        let names = |e: &super::call::Call| {
            *e.call_id == *replaces.call_id
                && e.dialogs
                    .iter()
                    .any(|d| *d.remote_tag == *replaces.from_tag)
        };
        let mut calls = self.by_local_tag.values();
        calls
            .find(|c| self.calls.get(c.handle()).is_some_and(|e| names(e)))
            .copied()
    }

    /// Asks the far side to call somebody else (RFC 3515); what its NOTIFYs tell is taken and not
    /// reported. `refer_to` is a URI, with an escaped `Replaces` for an attended transfer.
    ///
    /// # Errors
    /// `NoCall`; `State` while the call is not up.
    pub fn refer_out(
        &mut self,
        now: Timestamp,
        call: CallRef,
        refer_to: &str,
    ) -> Result<(), UaError> {
        self.io.now = now;
        let entry = self.calls.get_mut(call.handle()).ok_or(UaError::NoCall)?;
        if entry.state != CallState::Confirmed {
            return Err(UaError::State);
        }
        entry.referring = true;
        let (mut draft, hop) = entry.draft(0, Method::Refer);
        let target = format!("<{refer_to}>");
        draft.headers.push((HeaderName::ReferTo, target.into()));
        let credential = entry.credential.clone();
        self.send_request(draft, hop, Owner::Nobody, credential);
        Ok(())
    }

    /// What a `Replaces` header says to name this dialog to its far side (RFC 3891). `None` while
    /// there is no dialog.
    pub fn replaces(&self, call: CallRef) -> Option<String> {
        let entry = self.calls.get(call.handle())?;
        let remote = &entry.dialog()?.remote_tag;
        let local = crate::text::token(entry.local_tag);
        Some(format!(
            "{};to-tag={remote};from-tag={local}",
            entry.call_id
        ))
    }

    /// Reports how the transfer goes. A final status ends the subscription; later ones, and those
    /// for a REFER that wanted no reports, do nothing.
    pub fn refer_progress(&mut self, now: Timestamp, call: CallRef, status: u16) {
        self.io.now = now;
        if (100..700).contains(&status) {
            self.notify(call, status);
        }
    }

    fn notify(&mut self, call: CallRef, status: u16) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if entry.state != CallState::Confirmed {
            return;
        }
        let Some(refer) = &entry.refer else {
            return;
        };
        let event = format!("refer;id={}", refer.id);
        let (mut draft, hop) = entry.draft(0, Method::Notify);
        draft.headers.push((HeaderName::Event, event.into()));
        let state = match status {
            ..200 => format!("active;expires={}", SUBSCRIPTION.as_secs()),
            _ => "terminated;reason=noresource".to_string(),
        };
        draft
            .headers
            .push((HeaderName::SubscriptionState, state.into()));
        draft.content_type = "message/sipfrag;version=2.0";
        draft.body = Bytes::from(format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)));
        if status >= 200 {
            entry.refer = None;
            entry.stop_timer(CallTimer::Subscription);
        }
        let credential = entry.credential.clone();
        self.send_request(draft, hop, Owner::Notify(call), credential);
    }
}
