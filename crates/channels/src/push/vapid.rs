//! Who sends: a token signed for one push service (RFC 8292).

use super::PushError;
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// A token lives half of what is allowed (24 h), so that a slow clock does not spoil it.
const LIFE_S: u64 = 12 * 3600;

/// The key that signs our pushes. Browsers are told its public half when they subscribe, so a new
/// key needs new subscriptions.
pub struct Vapid {
    key: EcdsaKeyPair,
    contact: String,
}

impl Vapid {
    /// From the private key's 32 bytes and its public half (65 bytes); `contact` is a `mailto:` or
    /// `https:` address where the push service reaches the operator.
    ///
    /// # Errors
    /// `Signer` when the halves are no pair or the contact is none of the two.
    pub fn new(private: &[u8], public: &[u8], contact: &str) -> Result<Self, PushError> {
        if !(contact.starts_with("mailto:") || contact.starts_with("https://")) {
            return Err(PushError::Signer);
        }
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            private,
            public,
        )
        .map_err(|_| PushError::Signer)?;
        let contact = contact.into();
        Ok(Self { key, contact })
    }

    /// A new pair to keep: private key (32 bytes) and public key (65).
    ///
    /// # Errors
    /// `Crypto` when the system has no randomness to give.
    pub fn generate() -> Result<(Vec<u8>, Vec<u8>), PushError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| PushError::Crypto)?;
        let private = key
            .private_key()
            .as_be_bytes()
            .map_err(|_| PushError::Crypto)?;
        Ok((
            private.as_ref().to_vec(),
            key.public_key().as_ref().to_vec(),
        ))
    }

    /// What a page gives to `pushManager.subscribe` as `applicationServerKey`.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref())
    }

    /// The value of `Authorization` for a push service.
    ///
    /// # Errors
    /// `Crypto` when signing fails.
    pub fn authorization(&self, origin: &str, now_s: u64) -> Result<String, PushError> {
        let part = |v: serde_json::Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let head = part(json!({"typ": "JWT", "alg": "ES256"}));
        let claims = part(json!({"aud": origin, "exp": now_s + LIFE_S, "sub": self.contact}));
        let signed = format!("{head}.{claims}");
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| PushError::Crypto)?;
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        Ok(format!(
            "vapid t={signed}.{signature}, k={}",
            self.public_key()
        ))
    }
}
