//! Why a leg or an interaction ended, told apart so that a drop is never taken for a hang-up.

use serde::{Deserialize, Serialize};

/// The typed reason an interaction or a leg ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The far party hung up (BYE, or CANCEL before answer).
    HungUp,
    /// Our side ended it by command (agent or API).
    Released,
    /// The caller left before an agent answered.
    Abandoned,
    /// Media or transport was lost: silence past the limit, ICMP errors, session timer, closed connection.
    Dropped,
    /// The leg went on elsewhere by transfer.
    Transferred,
    /// The person went on with the same call on another device (S1.6).
    Switched,
    /// The caller was sent to another channel on purpose.
    Deflected,
    /// S1.3: the call ended itself because its related call took over.
    SelfTerminated,
    /// The node that carried it died.
    NodeLost,
    Busy,
    NoAnswer,
    Declined,
    /// No such number or extension.
    NotFound,
    /// Nobody could take it (no agent, queue full, maximum wait without overflow).
    Unavailable,
    /// An offer or attempt was withdrawn because another won.
    Cancelled,
    /// No ports, no store, overload, draining.
    Overload,
    /// Not allowed by policy or credentials.
    Refused,
    /// The other side spoke a protocol we could not use (no common codec, malformed answer).
    Incompatible,
    /// A fault of ours; the interaction was ended politely.
    Internal,
    /// The tenant may not dial there.
    DestinationBlocked,
    /// The tenant's money for calls is spent.
    SpendLimit,
    /// No calls leave at this hour.
    OutsideHours,
    /// Too many outgoing calls at a time or within a minute.
    OutboundLimit,
    /// An emergency number, and emergency calls are not live here.
    EmergencyNotLive,
}

impl EndReason {
    /// Whether this end is a loss that callback tokens and revival may act on (S4.6); never true
    /// for ends that a person or a rule intended.
    pub fn is_drop(self) -> bool {
        matches!(self, Self::Dropped | Self::NodeLost)
    }
    /// The SIP final status for a leg that was not yet answered.
    pub fn sip_status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Busy => 486,
            Self::NoAnswer | Self::Unavailable => 480,
            Self::Declined => 603,
            Self::Refused
            | Self::DestinationBlocked
            | Self::SpendLimit
            | Self::OutsideHours
            | Self::EmergencyNotLive => 403,
            Self::OutboundLimit => 503,
            Self::Incompatible => 488,
            Self::Overload => 503,
            Self::Cancelled | Self::Abandoned => 487,
            Self::Internal => 500,
            _ => 480,
        }
    }
    /// The code in the API, in events and in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::HungUp => "hung_up",
            Self::Released => "released",
            Self::Abandoned => "abandoned",
            Self::Dropped => "dropped",
            Self::Transferred => "transferred",
            Self::Switched => "switched",
            Self::Deflected => "deflected",
            Self::SelfTerminated => "self_terminated",
            Self::NodeLost => "node_lost",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
            Self::Overload => "overload",
            Self::Refused => "refused",
            Self::Incompatible => "incompatible",
            Self::Internal => "internal",
            Self::DestinationBlocked => "destination_blocked",
            Self::SpendLimit => "spend_limit",
            Self::OutsideHours => "outside_hours",
            Self::OutboundLimit => "outbound_limit",
            Self::EmergencyNotLive => "emergency_not_live",
        }
    }
    /// What a command is refused with whose target cannot be dialled for this reason.
    pub fn refusal(self) -> crate::Refusal {
        use crate::Code;
        let (code, detail) = match self {
            Self::NotFound => (Code::NotFound, "Nothing has that number or extension."),
            Self::DestinationBlocked => (
                Code::DestinationBlocked,
                "Your outbound rules do not allow that destination.",
            ),
            Self::SpendLimit => (
                Code::SpendLimit,
                "The limit of spending on calls is reached; an administrator can raise or lift it.",
            ),
            Self::OutsideHours => (
                Code::OutsideHours,
                "Your outbound rules allow no calls at this hour.",
            ),
            Self::OutboundLimit => (
                Code::OutboundLimit,
                "Too many outgoing calls at this moment. Try again in a minute.",
            ),
            Self::EmergencyNotLive => (
                Code::EmergencyNotLive,
                "Emergency calls are not live here. Use another telephone.",
            ),
            Self::Refused => (Code::Forbidden, "That target may not be dialled."),
            _ => (Code::NoAgent, "That target cannot be reached."),
        };
        crate::Refusal::new(code, detail)
    }
}
