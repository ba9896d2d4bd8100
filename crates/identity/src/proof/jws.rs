//! Our own small JSON web signatures (RFC 7515, compact): ES256 by keys of ours, HS256 by shared
//! secrets. The algorithm is ours to say: nothing of a token is used before its signature holds,
//! and no key is ever taken from a token.

use crate::b64;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longer tokens are refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Key names longer than this are refused.
const KID_BYTES_MAX: usize = 64;

/// Why a token is not taken. [`TokenFault::code`] is stable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum TokenFault {
    #[error("the token cannot be read")]
    Malformed,
    #[error("the token is not signed by the algorithm used here")]
    Algorithm,
    #[error("the token is of another kind")]
    Kind,
    #[error("the token names a key that is not ours")]
    UnknownKey,
    #[error("the signature does not verify")]
    Signature,
    #[error("the token is of another tenant")]
    Tenant,
    #[error("the token is of another call")]
    Interaction,
    #[error("the token is of another party of the call")]
    Leg,
    #[error("the token has expired")]
    Expired,
    #[error("the token is from the future")]
    NotYet,
    #[error("the token was revoked or replaced")]
    Revoked,
    #[error("the token lasts longer than is allowed")]
    TooLong,
    #[error("a claim is missing or of the wrong form")]
    Claim,
}

impl TokenFault {
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Kind => "kind",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Tenant => "tenant",
            Self::Interaction => "interaction",
            Self::Leg => "leg",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Revoked => "revoked",
            Self::TooLong => "too_long",
            Self::Claim => "claim",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    alg: String,
    kid: String,
    typ: String,
}

/// A private key of ours (P-256) and its name.
pub struct SigningKey {
    pub kid: String,
    key: EcdsaKeyPair,
}

impl std::fmt::Debug for SigningKey {
    // The key must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key as PKCS#8.
    pub fn generate(rng: &dyn SecureRandom) -> Option<Vec<u8>> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, rng).ok()?;
        Some(made.as_ref().to_vec())
    }

    pub fn from_pkcs8(kid: &str, der: &[u8]) -> Option<Self> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
        Some(Self {
            kid: kid.to_string(),
            key,
        })
    }

    /// The uncompressed point.
    pub fn public(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// As a JSON Web Key (RFC 7517).
    pub fn jwk(&self) -> serde_json::Value {
        let point = self.public();
        let half = |r: std::ops::Range<usize>| b64::encode(point.get(r).unwrap_or_default());
        serde_json::json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "kid": self.kid, "x": half(1..33), "y": half(33..65) })
    }

    pub fn sign<C: Serialize>(
        &self,
        typ: &str,
        claims: &C,
        rng: &dyn SecureRandom,
    ) -> Option<String> {
        let input = input("ES256", &self.kid, typ, claims)?;
        let signature = self.key.sign(rng, input.as_bytes()).ok()?;
        Some(format!("{input}.{}", b64::encode(signature.as_ref())))
    }
}

/// Signs by a shared secret.
pub fn sign_shared<C: Serialize>(
    kid: &str,
    typ: &str,
    claims: &C,
    secret: &[u8],
) -> Option<String> {
    let input = input("HS256", kid, typ, claims)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, input.as_bytes());
    Some(format!("{input}.{}", b64::encode(tag.as_ref())))
}

fn input<C: Serialize>(alg: &str, kid: &str, typ: &str, claims: &C) -> Option<String> {
    let head = Head {
        alg: alg.into(),
        kid: kid.into(),
        typ: typ.into(),
    };
    let head = b64::encode(&serde_json::to_vec(&head).ok()?);
    let body = b64::encode(&serde_json::to_vec(claims).ok()?);
    Some(format!("{head}.{body}"))
}

/// A token taken apart; its claims are out of reach until the signature was checked.
pub struct Unverified<'a> {
    input: &'a str,
    body: &'a str,
    signature: Vec<u8>,
    alg: String,
    /// Which key it says it is signed by: only for looking that up.
    pub kid: String,
}

impl<'a> Unverified<'a> {
    /// # Errors
    /// `Malformed`, or `Kind` for a token that is not a `typ`.
    pub fn parse(token: &'a str, typ: &str) -> Result<Self, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Malformed);
        }
        let (input, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (head, body) = input.split_once('.').ok_or(TokenFault::Malformed)?;
        let head = b64::decode(head).ok_or(TokenFault::Malformed)?;
        let head: Head = serde_json::from_slice(&head).map_err(|_| TokenFault::Malformed)?;
        let signature = b64::decode(signature).ok_or(TokenFault::Malformed)?;
        if body.contains('.') || head.kid.len() > KID_BYTES_MAX {
            return Err(TokenFault::Malformed);
        }
        if head.typ != typ {
            return Err(TokenFault::Kind);
        }
        Ok(Self {
            input,
            body,
            signature,
            alg: head.alg,
            kid: head.kid,
        })
    }

    /// Checks against our keys.
    pub fn verify<C: DeserializeOwned>(self, keys: &[SigningKey]) -> Result<C, TokenFault> {
        if self.alg != "ES256" {
            return Err(TokenFault::Algorithm);
        }
        let key = keys.iter().find(|k| k.kid == self.kid);
        let key = key.ok_or(TokenFault::UnknownKey)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public())
            .verify(self.input.as_bytes(), &self.signature)
            .map_err(|_| TokenFault::Signature)?;
        self.claims()
    }

    /// Checks against a shared secret, in constant time.
    pub fn verify_shared<C: DeserializeOwned>(self, secret: &[u8]) -> Result<C, TokenFault> {
        if self.alg != "HS256" {
            return Err(TokenFault::Algorithm);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, self.input.as_bytes(), &self.signature)
            .map_err(|_| TokenFault::Signature)?;
        self.claims()
    }

    fn claims<C: DeserializeOwned>(self) -> Result<C, TokenFault> {
        let body = b64::decode(self.body).ok_or(TokenFault::Malformed)?;
        serde_json::from_slice(&body).map_err(|_| TokenFault::Claim)
    }
}
