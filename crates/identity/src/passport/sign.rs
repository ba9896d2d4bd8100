//! Signing: canonical JSON, the JOSE header in its order, ES256 in raw form.

use super::{Attestation, Ppt};
use crate::canonical::Identifier;
use crate::certificate::{CHAIN_CERTIFICATES_MAX, read_pem};
use crate::header;
use crate::json::{Object, Value};
use crate::tnauth::TnAuthList;
use crate::{Fault, b64};
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use x509_parser::pem::Pem;

/// A private key, where its certificate is published, and what that speaks for.
pub struct Signer {
    key: EcdsaKeyPair,
    x5u: String,
    scope: TnAuthList,
}

impl std::fmt::Debug for Signer {
    // The key must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("x5u", &self.x5u)
            .finish_non_exhaustive()
    }
}

/// A signed token and the header value that carries it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    pub token: String,
    pub header: String,
}

/// What a new token says.
#[derive(Clone, Debug)]
pub struct NewPassport<'a> {
    pub ppt: Ppt,
    pub orig: &'a Identifier,
    pub dest: &'a [Identifier],
    /// Seconds since 1970.
    pub iat: i64,
    /// Beyond the four above: `attest`, `origid`, `div`, `mky`, `rcd` …
    pub more: Object,
}

impl<'a> NewPassport<'a> {
    /// RFC 8588; `origid` is a UUID the caller draws.
    pub fn shaken(
        orig: &'a Identifier,
        dest: &'a [Identifier],
        iat: i64,
        attest: Attestation,
        origid: &str,
    ) -> Self {
        let more = Object::from([
            ("attest".to_string(), attest.as_str().into()),
            ("origid".to_string(), origid.into()),
        ]);
        Self {
            ppt: Ppt::Shaken,
            orig,
            dest,
            iat,
            more,
        }
    }
}

impl Signer {
    /// From PKCS#8 in DER (P-256).
    pub fn from_pkcs8(der: &[u8], x5u: &str, scope: TnAuthList) -> Result<Self, Fault> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| Fault::CertificateUnsuitable)?;
        Ok(Self {
            key,
            x5u: x5u.to_string(),
            scope,
        })
    }

    /// From the raw scalar and the uncompressed point (65 bytes).
    pub fn from_raw(
        scalar: &[u8],
        point: &[u8],
        x5u: &str,
        scope: TnAuthList,
    ) -> Result<Self, Fault> {
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar,
            point,
        )
        .map_err(|_| Fault::CertificateUnsuitable)?;
        Ok(Self {
            key,
            x5u: x5u.to_string(),
            scope,
        })
    }

    /// From the files an operator has: the key in PKCS#8 PEM, and the certificate chain in PEM, leaf
    /// first, whose leaf must be for that key.
    pub fn from_pem(key: &str, chain: &str, x5u: &str) -> Result<Self, Fault> {
        let chain = read_pem(chain.as_bytes(), CHAIN_CERTIFICATES_MAX)?;
        let leaf = chain.first().ok_or(Fault::CertificateMalformed)?;
        let scope = leaf.numbers().ok_or(Fault::TnAuthList)?.clone();
        let block = Pem::iter_from_buffer(key.as_bytes())
            .next()
            .and_then(Result::ok)
            .filter(|b| b.label == "PRIVATE KEY")
            .ok_or(Fault::CertificateUnsuitable)?;
        let signer = Self::from_pkcs8(&block.contents, x5u, scope)?;
        if signer.key.public_key().as_ref() != leaf.public_key() {
            return Err(Fault::CertificateUnsuitable);
        }
        Ok(signer)
    }

    /// Whether the certificate lists the identifier itself.
    pub fn lists(&self, identifier: &str) -> bool {
        self.scope.covers(identifier)
    }

    /// The service provider code, where it has one.
    pub fn spc(&self) -> Option<&str> {
        self.scope.spc()
    }

    pub fn x5u(&self) -> &str {
        &self.x5u
    }

    /// Whether the certificate lets us sign for the identifier: a number it lists, or any with a
    /// service provider code, whose numbers the operator answers for.
    pub fn speaks_for(&self, identifier: &str) -> bool {
        self.scope.covers(identifier) || self.scope.spc().is_some()
    }

    /// Signs. `rng` is the caller's: this crate draws nothing.
    pub fn sign(&self, new: &NewPassport<'_>, rng: &dyn SecureRandom) -> Result<Signed, Fault> {
        let mut claims = new.more.clone();
        claims.insert("iat".into(), Value::Int(new.iat));
        claims.insert("orig".into(), Value::Object(one(new.orig)));
        claims.insert("dest".into(), Value::Object(many(new.dest)));
        self.sign_claims(new.ppt.as_str(), claims, rng)
    }

    /// Signs claims as they are, sorted into canonical form.
    pub fn sign_claims(
        &self,
        ppt: Option<&str>,
        claims: Object,
        rng: &dyn SecureRandom,
    ) -> Result<Signed, Fault> {
        let input = signing_input(ppt, &self.x5u, claims);
        let signature = self
            .key
            .sign(rng, input.as_bytes())
            .map_err(|_| Fault::Signature)?;
        let token = format!("{input}.{}", b64::encode(signature.as_ref()));
        let header = header::format(&token, &self.x5u, ppt);
        Ok(Signed { token, header })
    }
}

/// `header.claims` in canonical form (RFC 8225 9).
pub fn signing_input(ppt: Option<&str>, x5u: &str, claims: Object) -> String {
    let mut jose = Object::from([
        ("alg".to_string(), "ES256".into()),
        ("typ".to_string(), "passport".into()),
        ("x5u".to_string(), x5u.into()),
    ]);
    if let Some(ppt) = ppt {
        jose.insert("ppt".into(), ppt.into());
    }
    let part = |o| b64::encode(Value::Object(o).canonical().as_bytes());
    format!("{}.{}", part(jose), part(claims))
}

/// `{"tn":"…"}` or `{"uri":"…"}`.
pub(crate) fn one(id: &Identifier) -> Object {
    match id {
        Identifier::Number(n) => Object::from([("tn".to_string(), n.as_str().into())]),
        Identifier::Uri(u) => Object::from([("uri".to_string(), u.as_str().into())]),
    }
}

/// `{"tn":["…"]}`, `{"uri":["…"]}` or both.
pub(crate) fn many(ids: &[Identifier]) -> Object {
    let mut out = Object::new();
    for id in ids {
        let (kind, text) = match id {
            Identifier::Number(n) => ("tn", n),
            Identifier::Uri(u) => ("uri", u),
        };
        let list = out
            .entry(kind.to_string())
            .or_insert_with(|| Value::List(Vec::new()));
        if let Value::List(items) = list {
            items.push(text.as_str().into());
        }
    }
    out
}
