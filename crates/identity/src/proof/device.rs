//! A key kept by a device: it signs a challenge that names the call, so that the signature is of no
//! use in another.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519};
use aws_lc_rs::signature::{UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Raw 32 bytes.
    Ed25519,
    /// The uncompressed point, 65 bytes.
    Es256,
}

impl KeyKind {
    pub fn key_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::Es256 => 65,
        }
    }
}

/// What the device signs. `server`: the domain it is for; `subject`: the interaction or the data channel;
/// `nonce`: drawn by us.
pub fn challenge(server: &str, subject: &str, nonce: &str) -> String {
    format!("crosspoint proof v1\n{server}\n{subject}\n{nonce}")
}

/// Whether `signature` is the key's over the challenge. ES256 is taken raw (64 bytes) or as ASN.1.
pub fn verify(kind: KeyKind, key: &[u8], challenge: &str, signature: &[u8]) -> bool {
    if key.len() != kind.key_bytes() {
        return false;
    }
    let by = |algorithm: &'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(algorithm, key)
            .verify(challenge.as_bytes(), signature)
            .is_ok()
    };
    match kind {
        KeyKind::Ed25519 => by(&ED25519),
        KeyKind::Es256 if signature.len() == 64 => by(&ECDSA_P256_SHA256_FIXED),
        KeyKind::Es256 => by(&ECDSA_P256_SHA256_ASN1),
    }
}
