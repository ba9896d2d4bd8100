//! What can be wrong with a call's identity, and what each fault is called on the wire.

use serde::Serialize;

/// The outcome for a call or one token. Never a decision about the call by itself: the default
/// policy is to let the call go on and to carry the verdict along (RFC 8224 6.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Signature, certificate, freshness and numbers all hold.
    Valid,
    /// Something was claimed and is not so.
    Invalid,
    /// Signed too long ago, or in the future.
    Stale,
    /// The certificate may not or could not be fetched.
    Refused,
    /// Nothing that could be verified was present.
    None,
}

/// Why an identity did not verify. [`Fault::code`] is stable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Fault {
    #[error("no Identity header")]
    NoIdentity,
    #[error("the caller is anonymous, there is nothing to verify")]
    Anonymous,
    #[error("the PASSporT type is not one we know")]
    UnsupportedPpt,
    #[error("the token or its Date is outside the freshness window")]
    Stale,
    #[error("the certificate address is refused by policy")]
    FetchRefused,
    #[error("the certificate could not be fetched")]
    FetchFailed,
    #[error("the certificate cannot be read")]
    CertificateMalformed,
    #[error("the certificate does not lead to a trusted root")]
    CertificateUntrusted,
    #[error("a certificate of the path is expired or not valid yet")]
    CertificateExpired,
    #[error("a certificate of the path is revoked")]
    CertificateRevoked,
    #[error("the revocation list is older than its next update")]
    RevocationUnknown,
    #[error("the certificate's key or use does not fit ES256 signing by an end entity")]
    CertificateUnsuitable,
    #[error("the certificate has no proper TNAuthList")]
    TnAuthList,
    #[error(
        "the certificate's name shows neither its service provider code nor the issuer claimed"
    )]
    SubjectMismatch,
    #[error("the certificate does not cover the number")]
    NotAuthoritative,
    #[error("the certificate forbids or requires claims")]
    ClaimConstraint,
    #[error("the Identity header cannot be read")]
    HeaderMalformed,
    #[error("an Identity header or token is over a size limit")]
    TooLarge,
    #[error("the token cannot be read")]
    TokenMalformed,
    #[error("the token's algorithm is not ES256")]
    Algorithm,
    #[error("header parameters and token disagree")]
    ParameterMismatch,
    #[error("the compact form is not allowed here")]
    CompactForm,
    #[error("a claim is missing or of the wrong form")]
    ClaimMalformed,
    #[error("the signature does not verify")]
    Signature,
    #[error("the signed caller is not the caller of the request")]
    OrigMismatch,
    #[error("the signed destination is not the one called")]
    DestMismatch,
    #[error("the signed media key is not the one offered")]
    MediaKeyMismatch,
    #[error("a diversion without the token it diverts")]
    ChainIncomplete,
    #[error("another call has shown this token before")]
    Replayed,
    #[error("the diversions go in a circle")]
    ChainLoop,
    #[error("the diversions are more than the limit")]
    ChainTooLong,
    #[error("the caller differs between the tokens of a diversion")]
    ChainOrig,
}

impl Fault {
    /// Stable word for logs, the API and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoIdentity => "no_identity",
            Self::Anonymous => "anonymous",
            Self::UnsupportedPpt => "unsupported_ppt",
            Self::Stale => "stale",
            Self::FetchRefused => "fetch_refused",
            Self::FetchFailed => "fetch_failed",
            Self::CertificateMalformed => "certificate_malformed",
            Self::CertificateUntrusted => "certificate_untrusted",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateRevoked => "certificate_revoked",
            Self::RevocationUnknown => "revocation_unknown",
            Self::CertificateUnsuitable => "certificate_unsuitable",
            Self::TnAuthList => "tn_auth_list",
            Self::SubjectMismatch => "subject_mismatch",
            Self::NotAuthoritative => "not_authoritative",
            Self::ClaimConstraint => "claim_constraint",
            Self::HeaderMalformed => "header_malformed",
            Self::TooLarge => "too_large",
            Self::TokenMalformed => "token_malformed",
            Self::Algorithm => "algorithm",
            Self::ParameterMismatch => "parameter_mismatch",
            Self::CompactForm => "compact_form",
            Self::ClaimMalformed => "claim_malformed",
            Self::Signature => "signature",
            Self::OrigMismatch => "orig_mismatch",
            Self::DestMismatch => "dest_mismatch",
            Self::MediaKeyMismatch => "media_key_mismatch",
            Self::ChainIncomplete => "chain_incomplete",
            Self::Replayed => "replayed",
            Self::ChainLoop => "chain_loop",
            Self::ChainTooLong => "chain_too_long",
            Self::ChainOrig => "chain_orig",
        }
    }

    /// The response code RFC 8224 6.2.2 gives this fault; `None` where the absence is no fault.
    pub fn sip_code(self) -> Option<u16> {
        match self {
            Self::Anonymous => None,
            Self::NoIdentity | Self::UnsupportedPpt => Some(428),
            Self::Stale => Some(403),
            Self::FetchRefused | Self::FetchFailed => Some(436),
            Self::CertificateMalformed
            | Self::CertificateUntrusted
            | Self::CertificateExpired
            | Self::CertificateRevoked
            | Self::RevocationUnknown
            | Self::CertificateUnsuitable
            | Self::TnAuthList
            | Self::SubjectMismatch
            | Self::NotAuthoritative
            | Self::ClaimConstraint => Some(437),
            _ => Some(438),
        }
    }

    /// The reason phrase that goes with [`Self::sip_code`].
    pub fn phrase(self) -> &'static str {
        match (self, self.sip_code()) {
            (Self::UnsupportedPpt, _) => "Use Supported PASSporT Format",
            (_, None) => "",
            (_, Some(403)) => "Stale Date",
            (_, Some(428)) => "Use Identity Header",
            (_, Some(436)) => "Bad Identity Info",
            (_, Some(437)) => "Unsupported Credential",
            (_, Some(_)) => "Invalid Identity Header",
        }
    }

    pub fn verdict(self) -> Verdict {
        match self {
            Self::NoIdentity | Self::Anonymous | Self::UnsupportedPpt => Verdict::None,
            Self::Stale => Verdict::Stale,
            Self::FetchRefused | Self::FetchFailed => Verdict::Refused,
            _ => Verdict::Invalid,
        }
    }
}
