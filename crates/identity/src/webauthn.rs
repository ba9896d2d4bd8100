//! Passkeys: checking what a browser brings back from `navigator.credentials` (WebAuthn Level 3,
//! sections 7.1 and 7.2). Pure functions: the caller draws the challenge, keeps it with the session
//! for a few minutes, takes it away at the first answer, and keeps the credential.
//!
//! Attestation is asked for as `none`: which make a key is of is not judged. A statement that
//! comes all the same is checked when it is `packed` by the key itself, and otherwise refused or
//! passed over as [`Attestation`] says.

mod cbor;
mod client;
mod data;
mod key;
#[cfg(feature = "soft-authenticator")]
pub mod soft;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use ciborium::Value;
use data::AuthenticatorData;
pub use key::Algorithm;
use key::PublicKey;

/// Bytes of a challenge the caller draws; fewer are refused (13.4.3 wants 16).
pub const CHALLENGE_BYTES: usize = 32;
const CHALLENGE_BYTES_MIN: usize = 16;
/// A client's JSON longer than this is refused.
pub const CLIENT_DATA_BYTES_MAX: usize = 4 * 1024;
/// An attestation object longer than this is refused: certificates of makers fit.
pub const ATTESTATION_BYTES_MAX: usize = 16 * 1024;
/// Authenticator data longer than this is refused: an RSA key of 8192 bits fits.
pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 4 * 1024;
/// A signature longer than this is refused.
pub const SIGNATURE_BYTES_MAX: usize = 1024;
/// Longest credential id (4.1).
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// Who asks: the domain the keys are made for, and the pages that may use them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelyingParty {
    /// A domain without scheme and port: `desk.example.com`.
    pub id: String,
    /// Whole origins, compared byte by byte: `https://desk.example.com`.
    pub origins: Vec<String>,
}

/// What is made of the statement about the authenticator's make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Attestation {
    /// `none`, or `packed` signed by the new key itself; others are refused.
    #[default]
    NoneOrSelf,
    /// Any well-formed statement; those besides the two above are not looked into and prove nothing.
    Ignored,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    pub attestation: Attestation,
    /// The authenticator must have checked a finger, face or PIN: a key alone is one factor.
    pub user_verification: bool,
}

/// What the browser brings after `navigator.credentials.create()`.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    pub client_data_json: &'a [u8],
    pub attestation_object: &'a [u8],
}

/// What the browser brings after `navigator.credentials.get()`.
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    pub credential_id: &'a [u8],
    pub client_data_json: &'a [u8],
    pub authenticator_data: &'a [u8],
    pub signature: &'a [u8],
}

/// A key somebody registered, as it is kept. None of it is secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    pub id: Vec<u8>,
    /// COSE_Key (RFC 9052 7) as the authenticator gave it.
    pub public_key: Vec<u8>,
    pub algorithm: Algorithm,
    /// Rises with each use; stays 0 with authenticators that do not count.
    pub sign_count: u32,
    /// It may be copied to other devices of the person (a synced passkey).
    pub backup_eligible: bool,
    pub backed_up: bool,
    /// Make of the authenticator, all zero when it does not say.
    pub aaguid: [u8; 16],
    pub user_verified: bool,
}

/// A use that held. The caller keeps `sign_count` and `backed_up` with the credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof {
    pub sign_count: u32,
    pub backed_up: bool,
    pub user_verified: bool,
}

/// Why a registration or a use was refused. To the person all of them are "this did not work";
/// [`WebAuthnError::code`] is stable and goes to the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebAuthnError {
    #[error("a part is longer than its limit")]
    TooLarge,
    #[error("the client data cannot be read")]
    ClientDataMalformed,
    #[error("the client data is of the other ceremony")]
    WrongCeremony,
    #[error("the challenge is not the one given out")]
    ChallengeMismatch,
    #[error("the page's origin is not one of ours")]
    OriginMismatch,
    #[error("the page was embedded in one of another origin")]
    CrossOrigin,
    #[error("the attestation object cannot be read")]
    AttestationMalformed,
    #[error("the attestation's format is not accepted")]
    AttestationRefused,
    #[error("the attestation's signature does not verify")]
    AttestationSignature,
    #[error("the authenticator data cannot be read")]
    AuthenticatorDataMalformed,
    #[error("the key was made for another domain")]
    RelyingPartyMismatch,
    #[error("nobody touched the authenticator")]
    UserNotPresent,
    #[error("the authenticator did not verify its user")]
    UserNotVerified,
    #[error("the public key is of a kind we do not take, or malformed")]
    KeyUnsupported,
    #[error("the credential is not the one expected")]
    CredentialMismatch,
    #[error("whether the key may be copied changed since it was registered")]
    BackupChanged,
    #[error("the signature does not verify")]
    Signature,
    #[error("the counter did not rise: the key may have been copied")]
    CounterBack,
}

impl WebAuthnError {
    /// Stable word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "passkey_too_large",
            Self::ClientDataMalformed => "passkey_client_data_malformed",
            Self::WrongCeremony => "passkey_wrong_ceremony",
            Self::ChallengeMismatch => "passkey_challenge_mismatch",
            Self::OriginMismatch => "passkey_origin_mismatch",
            Self::CrossOrigin => "passkey_cross_origin",
            Self::AttestationMalformed => "passkey_attestation_malformed",
            Self::AttestationRefused => "passkey_attestation_refused",
            Self::AttestationSignature => "passkey_attestation_signature",
            Self::AuthenticatorDataMalformed => "passkey_authenticator_data_malformed",
            Self::RelyingPartyMismatch => "passkey_relying_party_mismatch",
            Self::UserNotPresent => "passkey_user_not_present",
            Self::UserNotVerified => "passkey_user_not_verified",
            Self::KeyUnsupported => "passkey_key_unsupported",
            Self::CredentialMismatch => "passkey_credential_mismatch",
            Self::BackupChanged => "passkey_backup_changed",
            Self::Signature => "passkey_signature",
            Self::CounterBack => "passkey_counter_back",
        }
    }
}

/// Checks a new key (7.1). That no one else registered the same id is the caller's to check.
///
/// # Errors
/// See [`WebAuthnError`].
pub fn register(
    rp: &RelyingParty,
    policy: Policy,
    challenge: &[u8],
    new: Registration<'_>,
) -> Result<Credential, WebAuthnError> {
    client::check("webauthn.create", rp, challenge, new.client_data_json)?;
    if new.attestation_object.len() > ATTESTATION_BYTES_MAX {
        return Err(WebAuthnError::TooLarge);
    }
    let object = Object::read(new.attestation_object)?;
    let data = AuthenticatorData::read(&object.authenticator_data)?;
    let attested = data
        .attested
        .ok_or(WebAuthnError::AuthenticatorDataMalformed)?;
    check_flags(rp, policy, &data)?;
    let key = PublicKey::read(attested.public_key)?;
    let mut signed = object.authenticator_data.clone();
    signed.extend_from_slice(sha256(new.client_data_json).as_ref());
    object.check_statement(policy.attestation, &key, &signed)?;
    Ok(Credential {
        id: attested.credential_id.to_vec(),
        public_key: attested.public_key.to_vec(),
        algorithm: key.algorithm(),
        sign_count: data.sign_count,
        backup_eligible: data.backup_eligible(),
        backed_up: data.backed_up(),
        aaguid: attested.aaguid,
        user_verified: data.user_verified(),
    })
}

/// Checks the use of a registered key (7.2).
///
/// # Errors
/// See [`WebAuthnError`]. `CounterBack` is told only when everything else held: the key's owner
/// should hear of it.
pub fn authenticate(
    rp: &RelyingParty,
    policy: Policy,
    challenge: &[u8],
    credential: &Credential,
    used: Assertion<'_>,
) -> Result<Proof, WebAuthnError> {
    if used.credential_id != credential.id {
        return Err(WebAuthnError::CredentialMismatch);
    }
    client::check("webauthn.get", rp, challenge, used.client_data_json)?;
    if used.signature.len() > SIGNATURE_BYTES_MAX {
        return Err(WebAuthnError::TooLarge);
    }
    let data = AuthenticatorData::read(used.authenticator_data)?;
    check_flags(rp, policy, &data)?;
    if data.backup_eligible() != credential.backup_eligible {
        return Err(WebAuthnError::BackupChanged);
    }
    let key = PublicKey::read(&credential.public_key)?;
    let mut signed = used.authenticator_data.to_vec();
    signed.extend_from_slice(sha256(used.client_data_json).as_ref());
    if !key.verifies(&signed, used.signature) {
        return Err(WebAuthnError::Signature);
    }
    let counts = data.sign_count != 0 || credential.sign_count != 0;
    if counts && data.sign_count <= credential.sign_count {
        return Err(WebAuthnError::CounterBack);
    }
    Ok(Proof {
        sign_count: data.sign_count,
        backed_up: data.backed_up(),
        user_verified: data.user_verified(),
    })
}

fn check_flags(
    rp: &RelyingParty,
    policy: Policy,
    data: &AuthenticatorData<'_>,
) -> Result<(), WebAuthnError> {
    if verify_slices_are_equal(data.rp_id_hash, sha256(rp.id.as_bytes()).as_ref()).is_err() {
        return Err(WebAuthnError::RelyingPartyMismatch);
    }
    if !data.user_present() {
        return Err(WebAuthnError::UserNotPresent);
    }
    if policy.user_verification && !data.user_verified() {
        return Err(WebAuthnError::UserNotVerified);
    }
    Ok(())
}

/// The attestation object (6.5.4).
struct Object {
    format: String,
    statement: Vec<(Value, Value)>,
    authenticator_data: Vec<u8>,
}

impl Object {
    fn read(bytes: &[u8]) -> Result<Self, WebAuthnError> {
        let malformed = || WebAuthnError::AttestationMalformed;
        let map = cbor::map(bytes).ok_or_else(malformed)?;
        let text = |name| cbor::get_text(&map, name).ok_or_else(malformed);
        Ok(Self {
            format: text("fmt")?.as_text().ok_or_else(malformed)?.to_string(),
            statement: text("attStmt")?.as_map().ok_or_else(malformed)?.clone(),
            authenticator_data: text("authData")?.as_bytes().ok_or_else(malformed)?.clone(),
        })
    }

    fn check_statement(
        &self,
        policy: Attestation,
        key: &PublicKey,
        signed: &[u8],
    ) -> Result<(), WebAuthnError> {
        let certified = cbor::get_text(&self.statement, "x5c").is_some();
        match self.format.as_str() {
            "none" if self.statement.is_empty() => Ok(()),
            "none" => Err(WebAuthnError::AttestationMalformed),
            "packed" if !certified => self.check_self(key, signed),
            _ if policy == Attestation::Ignored => Ok(()),
            _ => Err(WebAuthnError::AttestationRefused),
        }
    }

    /// `packed`, signed by the new key itself (8.2).
    fn check_self(&self, key: &PublicKey, signed: &[u8]) -> Result<(), WebAuthnError> {
        let malformed = || WebAuthnError::AttestationMalformed;
        let get = |name| cbor::get_text(&self.statement, name).ok_or_else(malformed);
        let signature = get("sig")?.as_bytes().ok_or_else(malformed)?;
        let algorithm = get("alg")?.as_integer().ok_or_else(malformed)?;
        if i128::from(algorithm) != i128::from(key.algorithm().cose()) {
            return Err(malformed());
        }
        if key.verifies(signed, signature) {
            Ok(())
        } else {
            Err(WebAuthnError::AttestationSignature)
        }
    }
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}
