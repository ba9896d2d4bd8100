//! Settings of call identity (RFC 8224, RFC 8588, RFC 8946; spec page S1.2).

use crate::id::*;
use crate::pii::Pii;
use serde::{Deserialize, Serialize};

/// What is done with a call whose identity does not hold. Emergency calls are never refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityFailure {
    /// It goes on and carries its verdict.
    #[default]
    Continue,
    /// What was claimed and is not so is refused (403, 436, 437, 438); without a claim it goes on.
    RejectFailed,
    /// As above, and calls without identity are refused as well (428).
    Reject,
}

/// How a failure is told to the peer that sent the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityReason {
    /// `Reason: STIR` (RFC 9410).
    #[default]
    Stir,
    /// `Reason: SIP`, for peers from before it.
    Sip,
    /// Not at all.
    None,
}

/// Whether the identity of calls to a number or trunk is kept for when they come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepIdentity {
    /// It forwards: always.
    Always,
    /// When the number forwards often enough, by what was seen.
    #[default]
    Learned,
    Never,
}

/// What tells the next party who diverted a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DivertedBy {
    /// `Diversion` (RFC 5806), which most trunks read.
    #[default]
    Diversion,
    /// `History-Info` (RFC 7044).
    HistoryInfo,
    Both,
    Neither,
}

/// Call identity on one trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct TrunkIdentity {
    /// Verify Identity headers of calls that come in here.
    pub verify: bool,
    pub on_failure: IdentityFailure,
    pub reason: IdentityReason,
    /// Its word counts: P-Asserted-Identity, verstat, and older tokens of calls it transfers. Off:
    /// such marks are taken off.
    pub trusted: bool,
    /// Sign calls that leave here, with the tenant's certificate.
    pub sign: bool,
    /// Hand Identity headers of calls that are not diverted through unchanged.
    pub pass: bool,
    /// One div-o that holds the original inside, in place of original and div side by side.
    pub nest: bool,
    /// Refuse to believe a token that another call has shown before; off: it is noted.
    pub refuse_replayed: bool,
    pub keep: KeepIdentity,
    pub diverted_by: DivertedBy,
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

/// A certificate of the tenant that signs for numbers (RFC 8226), with its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IdentityCertificate {
    pub id: CertificateId,
    pub tenant: TenantId,
    pub name: String,
    /// PEM, leaf first.
    pub chain: String,
    /// PKCS#8 in PEM, P-256.
    pub key: Pii<String>,
    /// Where verifiers fetch the chain (`x5u`); empty: from us.
    #[serde(default)]
    pub url: String,
}

/// When a phone's calls go elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardWhen {
    #[default]
    Always,
    Busy,
    NoAnswer,
    /// The phone is not registered.
    Unavailable,
    /// Busy, no answer or not registered.
    NotReached,
}

/// Calls of a phone go to another number or extension.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forward {
    /// As the phone would dial it; the phone's own rights count.
    pub to: String,
    #[serde(default)]
    pub when: ForwardWhen,
}

impl ForwardWhen {
    /// Whether a call that the phone did not take (its SIP status) goes elsewhere.
    pub fn after(self, status: u16) -> bool {
        match self {
            Self::Always => false,
            Self::Busy => matches!(status, 486 | 600),
            Self::NoAnswer => matches!(status, 408 | 480 | 487),
            Self::Unavailable => status == 404,
            Self::NotReached => matches!(status, 404 | 408 | 480 | 486 | 487 | 600),
        }
    }
}
