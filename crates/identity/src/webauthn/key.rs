//! Public keys as authenticators give them: COSE_Key (RFC 9052 7, RFC 9053, RFC 8230).

use super::{WebAuthnError, cbor};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use ciborium::Value;

const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const RSA_N: i64 = -1;
const RSA_E: i64 = -2;

/// What a key signs with. In the order we ask for: `pubKeyCredParams`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    Es256,
    EdDsa,
    Rs256,
}

impl Algorithm {
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Number in the COSE registry.
    pub fn cose(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Rs256 => -257,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

pub(super) struct PublicKey(Material);

enum Material {
    /// Uncompressed point.
    P256([u8; 65]),
    Ed25519(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl PublicKey {
    pub(super) fn read(cose: &[u8]) -> Result<Self, WebAuthnError> {
        material(cose)
            .map(Self)
            .ok_or(WebAuthnError::KeyUnsupported)
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Rsa { .. } => Algorithm::Rs256,
        }
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .verify(signed, signature)
                .is_ok(),
            Material::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point)
                .verify(signed, signature)
                .is_ok(),
            Material::Rsa { n, e } => PublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
        }
    }
}

fn material(cose: &[u8]) -> Option<Material> {
    let map = cbor::map(cose)?;
    let number = |label| cbor::get_number(&map, label)?.as_integer().map(i128::from);
    let bytes = |label| cbor::get_number(&map, label).and_then(Value::as_bytes);
    match (number(KTY)?, number(ALG)?) {
        (2, -7) if number(CRV)? == 1 => {
            let mut point = [4u8; 65];
            let x: &[u8; 32] = bytes(X)?.as_slice().try_into().ok()?;
            let y: &[u8; 32] = bytes(Y)?.as_slice().try_into().ok()?;
            point[1..33].copy_from_slice(x);
            point[33..].copy_from_slice(y);
            Some(Material::P256(point))
        }
        (1, -8) if number(CRV)? == 6 => {
            let x = bytes(X)?;
            (x.len() == 32).then(|| Material::Ed25519(x.clone()))
        }
        (3, -257) => {
            let (n, e) = (bytes(RSA_N)?, bytes(RSA_E)?);
            // 2048 to 8192 bits, no leading zeros; an exponent larger than this is nobody's.
            let fits = (256..=1024).contains(&n.len()) && (1..=4).contains(&e.len());
            let plain = n[..].first() != Some(&0) && e[..].first() != Some(&0);
            (fits && plain).then(|| Material::Rsa {
                n: n.clone(),
                e: e.clone(),
            })
        }
        _ => None,
    }
}
