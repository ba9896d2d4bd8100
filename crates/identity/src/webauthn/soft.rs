//! A passkey in software, for tests: makes what a browser and an authenticator make together.
//! Everything it says can be bent. Never in the program: behind a feature that only tests turn on.

use super::Algorithm;
use crate::b64;
use crate::der::Reader;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use ciborium::Value;

enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// One key of one person for one domain.
pub struct Soft {
    key: Key,
    pub credential_id: Vec<u8>,
    pub rp_id: String,
    pub origin: String,
    /// Flags besides "a new key is attached": present and verified to begin with.
    pub flags: u8,
    pub sign_count: u32,
    /// Sign the new key's attestation by itself instead of giving none.
    pub self_attestation: bool,
    /// Appended to the client's JSON before its brace: `,"crossOrigin":true`.
    pub more_client_data: String,
}

/// `create()`'s answer.
pub struct Created {
    pub client_data_json: Vec<u8>,
    pub attestation_object: Vec<u8>,
}

/// `get()`'s answer.
pub struct Got {
    pub client_data_json: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Soft {
    /// # Panics
    /// When no key can be made.
    pub fn new(algorithm: Algorithm, credential_id: &[u8], rp_id: &str, origin: &str) -> Self {
        let key = match algorithm {
            Algorithm::Es256 => Key::P256(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a P-256 key"),
            ),
            Algorithm::EdDsa => Key::Ed25519(Ed25519KeyPair::generate().expect("an Ed25519 key")),
            Algorithm::Rs256 => Key::Rsa(Box::new(
                RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("an RSA key"),
            )),
        };
        Self {
            key,
            credential_id: credential_id.to_vec(),
            rp_id: rp_id.into(),
            origin: origin.into(),
            flags: 0x05,
            sign_count: 0,
            self_attestation: false,
            more_client_data: String::new(),
        }
    }

    /// Answers `navigator.credentials.create()`.
    pub fn create(&self, challenge: &[u8]) -> Created {
        let client_data_json = self.client_data("webauthn.create", challenge);
        let mut data = self.head(self.flags | 0x40);
        data.extend([0u8; 16]);
        data.extend((self.credential_id.len() as u16).to_be_bytes());
        data.extend(&self.credential_id);
        data.extend(cbor(&self.cose()));
        let (format, statement) = if self.self_attestation {
            let signed = [&data[..], super::sha256(&client_data_json).as_ref()].concat();
            let statement = vec![
                (Value::from("alg"), Value::from(self.algorithm().cose())),
                (Value::from("sig"), Value::from(self.sign(&signed))),
            ];
            ("packed", statement)
        } else {
            ("none", vec![])
        };
        let object = Value::Map(vec![
            (Value::from("fmt"), Value::from(format)),
            (Value::from("attStmt"), Value::Map(statement)),
            (Value::from("authData"), Value::from(data)),
        ]);
        Created {
            client_data_json,
            attestation_object: cbor(&object),
        }
    }

    /// Answers `navigator.credentials.get()`; counts up unless it stands at 0.
    pub fn get(&mut self, challenge: &[u8]) -> Got {
        if self.sign_count > 0 {
            self.sign_count += 1;
        }
        let client_data_json = self.client_data("webauthn.get", challenge);
        let authenticator_data = self.head(self.flags);
        let hash = super::sha256(&client_data_json);
        let signature = self.sign(&[&authenticator_data[..], hash.as_ref()].concat());
        Got {
            client_data_json,
            authenticator_data,
            signature,
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::P256(_) => Algorithm::Es256,
            Key::Ed25519(_) => Algorithm::EdDsa,
            Key::Rsa(_) => Algorithm::Rs256,
        }
    }

    fn client_data(&self, ceremony: &str, challenge: &[u8]) -> Vec<u8> {
        format!(
            r#"{{"type":"{ceremony}","challenge":"{}","origin":"{}"{}}}"#,
            b64::encode(challenge),
            self.origin,
            self.more_client_data
        )
        .into_bytes()
    }

    fn head(&self, flags: u8) -> Vec<u8> {
        let mut data = super::sha256(self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.sign_count.to_be_bytes());
        data
    }

    fn cose(&self) -> Value {
        let pair = |k: i64, v: Value| (Value::from(k), v);
        let alg = pair(3, self.algorithm().cose().into());
        Value::Map(match &self.key {
            Key::P256(k) => {
                let point = k.public_key().as_ref();
                vec![
                    pair(1, 2.into()),
                    alg,
                    pair(-1, 1.into()),
                    pair(-2, point[1..33].into()),
                    pair(-3, point[33..].into()),
                ]
            }
            Key::Ed25519(k) => vec![
                pair(1, 1.into()),
                alg,
                pair(-1, 6.into()),
                pair(-2, k.public_key().as_ref().into()),
            ],
            Key::Rsa(k) => {
                let (n, e) = rsa_numbers(k.public_key().as_ref());
                vec![
                    pair(1, 3.into()),
                    alg,
                    pair(-1, n.into()),
                    pair(-2, e.into()),
                ]
            }
        })
    }

    fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::P256(k) => k.sign(&random, signed).expect("signs").as_ref().to_vec(),
            Key::Ed25519(k) => k.sign(signed).as_ref().to_vec(),
            Key::Rsa(k) => {
                let mut signature = vec![0; k.public_modulus_len()];
                k.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
                    .expect("signs");
                signature
            }
        }
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 A.1.1), without their leading zeros.
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let numbers = || {
        let mut inside = Reader(Reader(der).any()?.1);
        let (_, n) = inside.any()?;
        let (_, e) = inside.any()?;
        Some((n.strip_prefix(&[0]).unwrap_or(n), e))
    };
    numbers().expect("the library writes what it says")
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("a vector takes what is written");
    out
}
