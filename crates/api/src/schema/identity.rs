//! Published forms of the settings of call identity; see [`super::vocabulary`].
#![allow(dead_code)]

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityFailure {
    Continue,
    RejectFailed,
    Reject,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityReason {
    Stir,
    Sip,
    None,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeepIdentity {
    Always,
    Learned,
    Never,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DivertedBy {
    Diversion,
    HistoryInfo,
    Both,
    Neither,
}

/// Call identity on one trunk (STIR/SHAKEN). What is left out is at its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrunkIdentity {
    /// Verify Identity headers of calls that come in here. Default true.
    pub(crate) verify: bool,
    /// What becomes of calls whose identity does not hold. Emergency calls always go on.
    pub(crate) on_failure: IdentityFailure,
    /// How a failure is told to the peer.
    pub(crate) reason: IdentityReason,
    /// Whether its word counts: P-Asserted-Identity, verstat, older tokens of calls it transfers.
    pub(crate) trusted: bool,
    /// Sign calls that leave here with the tenant's certificate. Default true.
    pub(crate) sign: bool,
    /// Hand Identity headers of calls that are not diverted through unchanged.
    pub(crate) pass: bool,
    /// Put the original inside the div (div-o) in place of beside it.
    pub(crate) nest: bool,
    /// Take a token that another call has shown before for invalid; otherwise it is noted.
    pub(crate) refuse_replayed: bool,
    /// Whether the identity of calls that go out here is kept for when they come back.
    pub(crate) keep: KeepIdentity,
    /// What tells the next party who diverted a call.
    pub(crate) diverted_by: DivertedBy,
}

impl Default for TrunkIdentity {
    fn default() -> Self {
        Self {
            verify: true,
            on_failure: IdentityFailure::Continue,
            reason: IdentityReason::Stir,
            trusted: false,
            sign: true,
            pass: false,
            nest: false,
            refuse_replayed: false,
            keep: KeepIdentity::Learned,
            diverted_by: DivertedBy::Diversion,
        }
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ForwardWhen {
    Always,
    Busy,
    NoAnswer,
    Unavailable,
    NotReached,
}

/// Where a phone's calls go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forward {
    /// A number or extension as the phone would dial it; numbers outside need `may_dial_out`.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) to: String,
    pub(crate) when: ForwardWhen,
}
