//! What the user agent tells its owner, and the handles both use.

use super::config::Principal;
use crate::message::Message;
use bytes::Bytes;
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use cp_vocab::{PhoneId, TrunkId};

/// One call leg: an INVITE and the dialog that comes of it.
#[derive(Copy, Clone, Eq, PartialEq, PartialOrd, Ord, Hash, Debug)]
pub struct CallRef(pub u64);

/// Something for the owner to do or to know, in order.
#[derive(Clone, Debug)]
pub enum UaOutput {
    Transmit {
        target: Target,
        bytes: Bytes,
        /// The call it belongs to, for gating on durability; `None` for what promises nothing.
        call: Option<CallRef>,
    },
    Close {
        connection: ConnectionId,
    },
    /// Look this up (RFC 3263, see [`crate::locate`]) and call `resolved`.
    Resolve {
        id: u64,
        host: String,
        port: Option<u16>,
        transport: Option<Transport>,
        /// `sips:`: only TLS will do.
        secure: bool,
    },
    Event(UaEvent),
}

/// Why a dialog ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DialogEnd {
    Bye,
    Cancel,
    /// Our 2xx (or reliable provisional response) was never acknowledged.
    AckTimeout,
    /// The far side stopped refreshing the session (RFC 4028).
    SessionExpired,
    TransportLost,
    /// The far side knows nothing of the dialog any more (481 or 408 to a request of ours).
    RemoteGone481,
    Internal,
}

/// Which call a Refer-To names by its `Replaces` (attended transfer).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReferReplaces {
    Call(CallRef),
    /// A dialog that is not ours.
    Unknown,
}

/// Why a binding went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unregistration {
    Requested,
    Expired,
    FlowClosed,
    /// Pushed out by a newer binding of the same phone.
    Replaced,
    /// `drop_phone` was called.
    Dropped,
}

/// What happened. Every [`CallRef`] gets exactly one `Failed` or `Ended`, except that after
/// `reject` or `hang_up` by the owner no further event comes for that call.
#[derive(Clone, Debug)]
pub enum UaEvent {
    /// A call comes in. 100 was sent already. `replaces` names a dialog of ours but is not yet
    /// authorised: the owner decides.
    Incoming {
        call: CallRef,
        principal: Principal,
        flow: Flow,
        invite: Message,
        /// The SDP offer; `None`: the caller wants ours.
        offer: Option<Bytes>,
        replaces: Option<CallRef>,
    },
    /// 101 to 199 for an outgoing call (PRACK done).
    Progress {
        call: CallRef,
        status: u16,
        sdp: Option<Bytes>,
    },
    /// 2xx of an outgoing call. The ACK was sent, unless our INVITE had no offer: then the owner
    /// answers with `ack_with`.
    Answered {
        call: CallRef,
        sdp: Option<Bytes>,
    },
    /// The ACK to our 2xx arrived (with SDP when the offer was ours).
    Confirmed {
        call: CallRef,
        sdp: Option<Bytes>,
    },
    /// An outgoing call got a final non-2xx, timed out (408) or could not be sent (503).
    Failed {
        call: CallRef,
        status: u16,
        reason: Option<String>,
        /// Where a 3xx leads: its best Contact.
        contact: Option<String>,
    },
    /// A re-INVITE or UPDATE with new SDP (`None`: the far side wants an offer): answer with
    /// `accept_reoffer` or `reject_reoffer`.
    Reoffered {
        call: CallRef,
        sdp: Option<Bytes>,
    },
    ReofferAnswered {
        call: CallRef,
        sdp: Option<Bytes>,
    },
    ReofferFailed {
        call: CallRef,
        status: u16,
    },
    /// REFER in a dialog; 202 and the first NOTIFY were sent. Report by `refer_progress`.
    Referred {
        call: CallRef,
        refer_to: String,
        replaces: Option<ReferReplaces>,
        referred_by: Option<String>,
    },
    /// INFO (DTMF relay and others); 200 was sent.
    Info {
        call: CallRef,
        content_type: String,
        body: Bytes,
    },
    Ended {
        call: CallRef,
        cause: DialogEnd,
        /// The far side's Reason header.
        reason: Option<String>,
    },
    Registered {
        phone: PhoneId,
        /// For `restore_binding` after a restart.
        binding: String,
        contact: String,
        expires_s: u32,
        transport: Transport,
        /// Whether the binding was there before.
        refresh: bool,
    },
    Unregistered {
        phone: PhoneId,
        why: Unregistration,
    },
    TrunkUp {
        trunk: TrunkId,
        rtt_ms: u32,
    },
    TrunkDown {
        trunk: TrunkId,
        why: &'static str,
    },
    /// A request was refused or ignored, for counters, bans and the audit. At most one per
    /// source and second.
    Denied {
        flow: Flow,
        what: &'static str,
    },
}

/// Why a call on the user agent was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UaError {
    #[error("no such call")]
    NoCall,
    #[error("the call is not in a state that allows it")]
    State,
    #[error("a limit is reached")]
    Limit,
    #[error("not a dialog snapshot")]
    Snapshot,
    #[error("a header or URI has characters it cannot have")]
    Text,
}

impl UaError {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoCall => "no_call",
            Self::State => "call_state",
            Self::Limit => "limit",
            Self::Snapshot => "bad_snapshot",
            Self::Text => "bad_text",
        }
    }
}

/// A name could not be resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("no such name")]
    NotFound,
    #[error("the name servers did not answer")]
    Timeout,
    #[error("no address with an acceptable transport")]
    NoTransport,
}
