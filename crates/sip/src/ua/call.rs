//! What the user agent keeps per call.

use super::config::ClientCredential;
use super::event::CallRef;
use crate::dialog::Dialog;
use crate::header_value::NameAddr;
use crate::io::CallTimer;
use crate::message::Message;
use crate::table::Handle;
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::{Flow, Target};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::Duration;

/// Early dialogs one outgoing call may have by forking; responses of further forks are ignored.
pub(crate) const FORKS_MAX: usize = 12;
/// Reliable provisional responses that may wait for the PRACK of one before; further are dropped.
pub(crate) const PROVISIONALS_MAX: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallState {
    /// No final response yet.
    Early,
    /// Ended for the owner; the INVITE still waits for its final response.
    Cancelling,
    /// Incoming: 2xx sent, no ACK yet. Outgoing: 2xx came, the owner owes the answer for the ACK.
    Answered,
    Confirmed,
    /// Ended; our BYE is on its way.
    Closing,
}

/// One call. An idle confirmed one keeps names, one dialog and the local SDP: about 1 to 2 kB.
pub(crate) struct Call {
    pub(crate) id: CallRef,
    pub(crate) state: CallState,
    /// We sent the INVITE: owner of the Call-ID (decides glare back-off, 14.1).
    pub(crate) outgoing: bool,
    /// No further event for this call.
    pub(crate) silent: bool,
    pub(crate) call_id: Box<str>,
    pub(crate) local_tag: u64,
    /// `"name" <uri>` of either side, without tags.
    pub(crate) local: Box<str>,
    pub(crate) remote: Box<str>,
    pub(crate) contact_user: Box<str>,
    pub(crate) local_cseq: u32,
    /// One once confirmed, and for incoming calls; several while an outgoing call forks.
    pub(crate) dialogs: SmallVec<[Dialog; 1]>,
    pub(crate) peer: Peer,
    pub(crate) credential: Option<Box<ClientCredential>>,
    /// The realm that wanted it when the call began: nobody else is shown a digest of it later.
    pub(crate) realm: Option<Box<str>>,
    /// Our last offer or answer, for session refreshes.
    pub(crate) local_sdp: Option<Bytes>,
    /// The far side's last SDP, as a hash: the same again is a refresh.
    pub(crate) remote_sdp: u64,
    pub(crate) uas: Option<Box<UasInvite>>,
    pub(crate) uac: Option<Box<UacInvite>>,
    /// A 2xx of ours (initial or re-INVITE) that waits for its ACK.
    pub(crate) accepted: Option<Box<Accepted>>,
    /// The ACK of the latest 2xx, repeated when the 2xx is.
    pub(crate) ack: Option<Box<SentAck>>,
    pub(crate) offer: Offer,
    /// `reoffer` called while another was running.
    pub(crate) queued_reoffer: Option<Box<Option<String>>>,
    /// An offer of ours that waits after 491: SDP, tries, whether it is a session refresh.
    pub(crate) glare: Option<Box<(Option<Bytes>, u8, bool)>>,
    pub(crate) session: Option<Session>,
    pub(crate) refer: Option<Box<Refer>>,
    /// We sent a REFER: its NOTIFYs are welcome.
    pub(crate) referring: bool,
    pub(crate) timers: SmallVec<[(CallTimer, Timestamp); 2]>,
}

/// What the far side said it can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) update: bool,
    pub(crate) timer: bool,
}

/// An incoming INVITE without a final response.
pub(crate) struct UasInvite {
    pub(crate) tx: Handle,
    pub(crate) invite: Message,
    pub(crate) flow: Flow,
    pub(crate) has_offer: bool,
    pub(crate) supports_100rel: bool,
    pub(crate) requires_100rel: bool,
    /// The reliable provisional response that waits for its PRACK.
    pub(crate) reliable: Option<Reliable>,
    pub(crate) rseq: u32,
    pub(crate) waiting: VecDeque<(u16, Option<String>)>,
    /// A reliable provisional response carried our SDP, so the 2xx must not.
    pub(crate) sdp_done: bool,
    /// The answer the PRACK brought to an offer of ours.
    pub(crate) early_answer: Option<Bytes>,
    /// Answer with this once the PRACK is in (RFC 3262 3).
    pub(crate) answer: Option<String>,
    /// Last provisional status, repeated every minute.
    pub(crate) ringing: Option<u16>,
    /// Headers the owner wants in every response from now on.
    pub(crate) extra: Vec<(String, String)>,
}

pub(crate) struct Reliable {
    pub(crate) bytes: Bytes,
    pub(crate) rseq: u32,
    pub(crate) with_sdp: bool,
    pub(crate) interval: Duration,
}

/// An outgoing INVITE without a final response for the owner.
pub(crate) struct UacInvite {
    pub(crate) request: Handle,
    /// We sent no offer.
    pub(crate) late_offer: bool,
    pub(crate) cancel: Cancel,
    pub(crate) cancel_reason: Option<String>,
    /// An answer that crosses the CANCEL counts.
    pub(crate) answer_stands: bool,
    /// Session interval to ask for, raised by 422.
    pub(crate) session_expires_s: u32,
    /// The answer came in a reliable provisional response.
    pub(crate) answered_early: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cancel {
    No,
    /// As soon as a provisional response comes (9.1).
    Wanted,
    Sent,
}

pub(crate) struct Accepted {
    pub(crate) bytes: Bytes,
    pub(crate) target: Target,
    pub(crate) cseq: u32,
    pub(crate) interval: Duration,
    pub(crate) initial: bool,
    /// Our 2xx had the offer: the ACK brings the answer.
    pub(crate) offered: bool,
    /// Send BYE as soon as the ACK is in (15): the Reason.
    pub(crate) bye: Option<Option<String>>,
}

pub(crate) struct SentAck {
    pub(crate) cseq: u32,
    pub(crate) target: Target,
    pub(crate) bytes: Bytes,
}

/// Offer/answer after the first (RFC 3264, 14, RFC 3311).
pub(crate) enum Offer {
    None,
    /// We asked: the request, the SDP (`None`: we want their offer) and the tries so far.
    Ours {
        request: Option<Handle>,
        sdp: Option<Bytes>,
        tries: u8,
        refresh: bool,
    },
    /// Their offer came in our re-INVITE's 2xx; the owner owes the answer for the ACK.
    OursToAck {
        cseq: u32,
    },
    /// They asked.
    Theirs {
        tx: Handle,
        request: Message,
        flow: Flow,
    },
}

impl Offer {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A running session timer (RFC 4028).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    pub(crate) interval_s: u32,
    pub(crate) we_refresh: bool,
}

/// An accepted REFER whose implicit subscription runs (RFC 3515).
pub(crate) struct Refer {
    /// CSeq of the REFER, the `id` of its event.
    pub(crate) id: u32,
}

impl Call {
    /// The dialog of a confirmed call, or the only early one.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        self.dialogs.first()
    }
    pub(crate) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        self.dialogs.first_mut()
    }

    pub(crate) fn fork(&mut self, remote_tag: &str) -> Option<&mut Dialog> {
        self.dialogs
            .iter_mut()
            .find(|d| &*d.remote_tag == remote_tag)
    }

    pub(crate) fn next_cseq(&mut self) -> u32 {
        // Half the range is ours (8.1.1.5); no dialog lives for two thousand million requests.
        self.local_cseq = (self.local_cseq + 1) & 0x7fff_ffff;
        self.local_cseq
    }

    pub(crate) fn set_timer(&mut self, kind: CallTimer, at: Timestamp) {
        self.stop_timer(kind);
        self.timers.push((kind, at));
    }
    pub(crate) fn stop_timer(&mut self, kind: CallTimer) {
        self.timers.retain(|(k, _)| *k != kind);
    }
    /// Whether a firing is the one last set; takes it out.
    pub(crate) fn take_timer(&mut self, kind: CallTimer, at: Timestamp) -> bool {
        let valid = self.timers.contains(&(kind, at));
        if valid {
            self.stop_timer(kind);
        }
        valid
    }
}

impl CallRef {
    pub(crate) fn handle(self) -> Handle {
        Handle {
            index: self.0 as u32,
            serial: (self.0 >> 32) as u32,
        }
    }
    pub(crate) fn from_handle(handle: Handle) -> Self {
        Self((u64::from(handle.serial) << 32) | u64::from(handle.index))
    }
}

/// `"name" <uri>` without tag and parameters.
pub(crate) fn name_addr_text(addr: &NameAddr<'_>) -> Box<str> {
    if addr.display.is_empty() {
        format!("<{}>", addr.uri).into()
    } else {
        format!("\"{}\" <{}>", addr.display, addr.uri).into()
    }
}

/// A hash of an SDP body; 0 for none.
pub(crate) fn sdp_hash(body: &[u8]) -> u64 {
    use std::hash::Hasher;
    if body.is_empty() {
        return 0;
    }
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    hasher.write(body);
    hasher.finish() | 1
}
