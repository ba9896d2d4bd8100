//! Published forms of what the proof desk answers. Never built; they say what it looks like.
#![allow(dead_code)]

use crate::schema::vocabulary as published;
use serde::Deserialize;
use utoipa::ToSchema;

/// A field as it may be shown now.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CustomerField {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) secure: bool,
    /// Not to be spoken: the caller is not proven.
    pub(crate) locked: bool,
    pub(crate) value: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClaimedBy {
    Caller,
    Entered,
    Agent,
    Announcement,
    Channel,
}

/// Something that may be asked for, and the level it takes.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofRequest {
    pub(crate) intent: String,
    pub(crate) needed: u8,
    pub(crate) allowed: bool,
}

/// How well the caller is proven.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CustomerProof {
    /// 0 (not at all) to 4.
    pub(crate) level: u8,
    pub(crate) methods: Vec<published::ProofMethod>,
    pub(crate) proven_at: Option<String>,
    pub(crate) expires_at: Option<String>,
    /// What it is enough for, of what the rules name.
    pub(crate) scope: Vec<String>,
    /// All that the rules name, and whether it may be done now.
    pub(crate) requests: Vec<ProofRequest>,
    /// Wrong tries in this call.
    pub(crate) failures: u8,
    /// The same in the shape of every proof of a call.
    #[schema(value_type = Object)]
    pub(crate) trust: serde_json::Value,
    #[schema(value_type = Option<published::InteractionId>)]
    pub(crate) carried_from: Option<String>,
    /// The number a page or app of the customer has to repeat.
    pub(crate) number: Option<String>,
}

/// Who the customer is, with locked fields covered.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Customer {
    #[schema(value_type = Option<published::PersonId>)]
    pub(crate) person: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) claimed_by: Option<ClaimedBy>,
    pub(crate) fields: Vec<CustomerField>,
    /// Where the picture to compare with is kept.
    pub(crate) photo: Option<String>,
    /// Ways of proof this customer has.
    pub(crate) methods: Vec<published::ProofMethod>,
    /// Who announced the call.
    pub(crate) announced_by: Option<String>,
    pub(crate) proof: CustomerProof,
}

/// Whether something may be done now.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofAllowed {
    pub(crate) allowed: bool,
    pub(crate) needed: u8,
    pub(crate) level: u8,
    /// Ways this customer has that would be enough.
    pub(crate) step_up: Vec<published::ProofMethod>,
}

/// Questions to ask now.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofQuestions {
    pub(crate) questions: Vec<ProofQuestion>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofQuestion {
    #[schema(value_type = published::CredentialId)]
    pub(crate) id: String,
    pub(crate) question: String,
}

/// The signed assertion of now; null when nothing is proven.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofAssertion {
    pub(crate) assertion: Option<String>,
}

/// Whether an assertion holds, and what it says.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofVerdict {
    pub(crate) valid: bool,
    /// Why not: `expired`, `interaction`, `signature` …
    pub(crate) fault: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) claims: Option<serde_json::Value>,
}

/// A link for the customer's browser.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChannelUpgrade {
    /// Absent when it was sent.
    pub(crate) link: Option<String>,
    /// Tell the caller; the page asks for it.
    pub(crate) number: String,
    pub(crate) sent: bool,
}

/// An opened data channel.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DataSession {
    /// Secret; names the channel in what follows.
    pub(crate) session: String,
    /// What a device key signs.
    pub(crate) challenge: String,
    /// What a passkey signs (base64url).
    pub(crate) passkey_challenge: String,
    pub(crate) rp_id: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DataSessionState {
    pub(crate) paired: bool,
    pub(crate) level: u8,
    pub(crate) methods: Vec<published::ProofMethod>,
    pub(crate) challenge: String,
    pub(crate) passkey_challenge: String,
}

/// What a customer can prove itself with, without the secret.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Credential)]
pub(crate) struct CredentialDocument {
    #[schema(value_type = published::CredentialId)]
    pub(crate) id: String,
    pub(crate) method: published::ProofMethod,
    pub(crate) label: String,
    pub(crate) created_at: String,
    pub(crate) used_at: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CredentialMade {
    #[schema(value_type = published::CredentialId)]
    pub(crate) id: String,
    /// For an authenticator app (`otpauth://…`): told once.
    pub(crate) otpauth: Option<String>,
    /// The same as a picture to scan (SVG).
    pub(crate) qr: Option<String>,
}

/// Our public keys (RFC 7517).
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct KeySet {
    #[schema(value_type = Vec<Object>)]
    pub(crate) keys: Vec<serde_json::Value>,
}
