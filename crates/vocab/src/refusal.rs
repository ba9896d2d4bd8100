//! One list of the errors that reach people and programs, with a stable code, an HTTP status and
//! a SIP status each.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $http:literal, $sip:literal;)*) => {
        /// A stable error code. Codes are added, never renamed.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $name,)* }
        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            pub fn http_status(self) -> u16 { match self { $(Self::$name => $http,)* } }
            pub fn sip_status(self) -> u16 { match self { $(Self::$name => $sip,)* } }
        }
    };
}

codes! {
    BadRequest = "bad_request", 400, 400;
    Unauthenticated = "unauthenticated", 401, 401;
    Forbidden = "forbidden", 403, 403;
    /// A page of an origin that may not ask here.
    OriginRefused = "origin_refused", 403, 403;
    NotFound = "not_found", 404, 404;
    /// The tenant's outbound rules do not allow the destination.
    DestinationBlocked = "destination_blocked", 403, 403;
    /// The tenant's money for calls is spent.
    SpendLimit = "spend_limit", 403, 403;
    /// The tenant's outbound rules allow no calls at this hour.
    OutsideHours = "outside_hours", 403, 403;
    /// An emergency number, and emergency calls are not live.
    EmergencyNotLive = "emergency_not_live", 403, 403;
    Conflict = "conflict", 409, 491;
    /// The interaction named by a command has ended.
    InteractionEnded = "interaction_ended", 409, 481;
    /// The leg named by a command has ended or is not in a state that allows it.
    LegState = "leg_state", 409, 481;
    /// Somebody else won the offer, or its deadline has passed.
    OfferGone = "offer_gone", 409, 487;
    /// The agent is not in a state that allows it.
    AgentState = "agent_state", 409, 480;
    PreconditionFailed = "precondition_failed", 412, 412;
    /// The edit does not say which version it was made from (RFC 6585).
    PreconditionRequired = "precondition_required", 428, 400;
    /// The session must be proven again before this (RFC 9470).
    StepUpRequired = "step_up_required", 403, 403;
    /// The tenant is suspended by whoever runs the platform.
    Suspended = "suspended", 403, 403;
    TooLarge = "too_large", 413, 513;
    UnsupportedMedia = "unsupported_media", 415, 415;
    /// No codec or media in common.
    NotAcceptable = "not_acceptable", 422, 488;
    IdempotencyMismatch = "idempotency_mismatch", 422, 400;
    TooManyRequests = "too_many_requests", 429, 503;
    /// Too many outgoing calls of the tenant at a time or within a minute.
    OutboundLimit = "outbound_limit", 429, 503;
    Internal = "internal", 500, 500;
    QueueFull = "queue_full", 503, 480;
    NoAgent = "no_agent", 503, 480;
    PortsExhausted = "ports_exhausted", 503, 503;
    StoreUnavailable = "store_unavailable", 503, 503;
    Overload = "overload", 503, 503;
    /// Nobody can say whether what was sent in is harmful.
    ScannerUnavailable = "scanner_unavailable", 503, 503;
    Draining = "draining", 503, 503;
    Timeout = "timeout", 504, 408;
}

/// A refused command or request: what we were doing, why not, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{}: {detail}", code.as_str())]
pub struct Refusal {
    pub code: Code,
    /// One sentence for a person; carries no personal data.
    pub detail: String,
}

impl Refusal {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}
