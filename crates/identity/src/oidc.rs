//! Signing in at an OpenID Connect provider, the half that is pure: what its discovery document and
//! keys say, and whether an ID token holds (OpenID Connect Core 3.1.3.7, RFC 7517, RFC 7519).
//!
//! Nothing a token says is used before its signature was verified; which algorithm it is verified
//! with is settled by the key, never by the token.

use crate::b64;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A discovery document or key set longer than this is refused.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// An ID token longer than this is refused.
pub const TOKEN_BYTES_MAX: usize = 32 * 1024;
/// Keys of a set that are looked at; further ones are passed over.
pub const KEYS_MAX: usize = 50;
/// Clocks may differ by this.
pub const SKEW_S: i64 = 60;
/// A token made longer ago than this is refused, whatever its end.
pub const AGE_S_MAX: i64 = 600;

/// Why a sign-in at a provider was refused. [`OidcError::code`] is stable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OidcError {
    #[error("the provider's discovery document cannot be read")]
    DiscoveryMalformed,
    #[error("the discovery document names another issuer than the one asked")]
    IssuerMismatch,
    #[error("the provider's keys cannot be read")]
    KeysMalformed,
    #[error("the ID token cannot be read")]
    TokenMalformed,
    #[error("the ID token's algorithm is not RS256, ES256 or EdDSA, or not its key's")]
    Algorithm,
    #[error("no key of the provider has signed this ID token")]
    KeyUnknown,
    #[error("the ID token's signature does not verify")]
    Signature,
    #[error("the ID token was made for another program")]
    Audience,
    #[error("the ID token has expired")]
    Expired,
    #[error("the ID token was made too long ago, or in the future")]
    NotFresh,
    #[error("the ID token answers another request than this browser's")]
    Nonce,
    #[error("the token signs nobody out")]
    NotALogout,
}

impl OidcError {
    /// Stable word for logs, the audit log and the page.
    pub fn code(self) -> &'static str {
        match self {
            Self::DiscoveryMalformed => "oidc_discovery_malformed",
            Self::IssuerMismatch => "oidc_issuer_mismatch",
            Self::KeysMalformed => "oidc_keys_malformed",
            Self::TokenMalformed => "oidc_token_malformed",
            Self::Algorithm => "oidc_algorithm",
            Self::KeyUnknown => "oidc_key_unknown",
            Self::Signature => "oidc_signature",
            Self::Audience => "oidc_audience",
            Self::Expired => "oidc_expired",
            Self::NotFresh => "oidc_not_fresh",
            Self::Nonce => "oidc_nonce",
            Self::NotALogout => "oidc_not_a_logout",
        }
    }
}

/// What is needed of `/.well-known/openid-configuration`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Discovery {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    /// Where the claims are that the ID token leaves out.
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    /// How the token endpoint wants to know us; empty: by HTTP Basic.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

impl Discovery {
    /// Where the document of an issuer lies.
    pub fn address(issuer: &str) -> String {
        format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        )
    }

    /// # Errors
    /// `DiscoveryMalformed`; `IssuerMismatch` when it speaks for somebody else.
    pub fn read(bytes: &[u8], issuer: &str) -> Result<Self, OidcError> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(OidcError::DiscoveryMalformed);
        }
        let found: Self =
            serde_json::from_slice(bytes).map_err(|_| OidcError::DiscoveryMalformed)?;
        if found.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(OidcError::IssuerMismatch);
        }
        Ok(found)
    }
}

/// One key of a provider.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
}

enum Material {
    Rs256 { n: Vec<u8>, e: Vec<u8> },
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
}

impl Material {
    fn of(key: &Jwk) -> Option<Self> {
        let bytes = |part: &Option<String>| b64::decode(part.as_deref()?);
        if key.usage.as_deref().is_some_and(|u| u != "sig") {
            return None;
        }
        let material = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => Self::Rs256 {
                n: bytes(&key.n)?,
                e: bytes(&key.e)?,
            },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
                (x.len() == 32 && y.len() == 32)
                    .then(|| Self::Es256([&[4u8][..], &x, &y].concat()))?
            }
            ("OKP", Some("Ed25519")) => Self::EdDsa(bytes(&key.x)?),
            _ => return None,
        };
        let said = key.alg.as_deref();
        said.is_none_or(|a| a == material.algorithm())
            .then_some(material)
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256 { .. } => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rs256 { n, e } => PublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, signature)
                .is_ok(),
            Self::EdDsa(point) => UnparsedPublicKey::new(&ED25519, point)
                .verify(signed, signature)
                .is_ok(),
        }
    }
}

/// A provider's keys that we can verify with.
pub struct Keys(Vec<(Option<String>, Material)>);

impl Keys {
    /// # Errors
    /// `KeysMalformed`. Keys of other kinds are passed over.
    pub fn read(bytes: &[u8]) -> Result<Self, OidcError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(OidcError::KeysMalformed);
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|_| OidcError::KeysMalformed)?;
        let keys = set.keys.into_iter().take(KEYS_MAX);
        let keys = keys.filter_map(|k| serde_json::from_value::<Jwk>(k).ok());
        let known = keys.filter_map(|k| Material::of(&k).map(|m| (k.kid, m)));
        Ok(Self(known.collect()))
    }
}

/// What an ID token must answer to.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now_s: i64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// Whatever must be understood, we do not (RFC 7515 4.1.11).
    #[serde(default)]
    crit: Option<Value>,
}

/// The claims of an ID token that holds.
///
/// # Errors
/// See [`OidcError`]; `KeyUnknown` is worth one more look at the provider's keys.
pub fn verify(
    token: &str,
    keys: &Keys,
    expected: Expected<'_>,
) -> Result<Map<String, Value>, OidcError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(OidcError::TokenMalformed);
    }
    let claims = signed_claims(token, keys, &["JWT"])?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    check_place_and_time(&claims, expected.issuer, expected.client_id, expected.now_s)?;
    if expected.nonce.is_empty() || text("nonce") != Some(expected.nonce) {
        return Err(OidcError::Nonce);
    }
    if text("sub").is_none_or(|s| s.is_empty() || s.len() > 255) {
        return Err(OidcError::TokenMalformed);
    }
    Ok(claims)
}

/// Who is signed out at a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logout {
    /// The person; none: whoever has the session.
    pub subject: Option<String>,
    /// The provider's session; none: all of the person's.
    pub session: Option<String>,
    /// A token counts once: its name, and when it may be forgotten.
    pub id: String,
    pub expires_s: i64,
}

/// What is named by `sid` and `jti` is no longer than this.
const NAME_BYTES_MAX: usize = 255;
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a logout token says (OpenID Connect Back-Channel Logout 1.0, section 2.6). Whether it was
/// shown before is for the caller to know.
///
/// # Errors
/// As [`verify`]; `NotALogout` for what is another kind of token.
pub fn verify_logout(
    token: &str,
    keys: &Keys,
    (issuer, client_id): (&str, &str),
    now_s: i64,
) -> Result<Logout, OidcError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(OidcError::TokenMalformed);
    }
    let claims = signed_claims(token, keys, &["logout+jwt", "JWT"])?;
    check_place_and_time(&claims, issuer, client_id, now_s)?;
    let event = claims.get("events").and_then(|e| e.get(LOGOUT_EVENT));
    // An ID token has a nonce, and must not do for this.
    if !event.is_some_and(Value::is_object) || claims.contains_key("nonce") {
        return Err(OidcError::NotALogout);
    }
    let named = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(s)) if (1..=NAME_BYTES_MAX).contains(&s.len()) => Ok(Some(s.clone())),
        Some(_) => Err(OidcError::TokenMalformed),
    };
    let (subject, session) = (named("sub")?, named("sid")?);
    if subject.is_none() && session.is_none() {
        return Err(OidcError::NotALogout);
    }
    Ok(Logout {
        subject,
        session,
        id: named("jti")?.ok_or(OidcError::TokenMalformed)?,
        expires_s: claims.get("exp").and_then(Value::as_i64).unwrap_or(now_s),
    })
}

/// Whether a token says that it comes from there and is for us: worth looking at, and nothing more.
pub fn says_it_is_for(token: &str, issuer: &str, client_id: &str) -> bool {
    let payload = token
        .split('.')
        .nth(1)
        .filter(|p| p.len() <= TOKEN_BYTES_MAX);
    let claims = payload.and_then(b64::decode);
    let claims = claims.and_then(|c| serde_json::from_slice::<Map<String, Value>>(&c).ok());
    claims.is_some_and(|c| of_issuer(&c, issuer) && check_audience(&c, client_id).is_ok())
}

fn of_issuer(claims: &Map<String, Value>, issuer: &str) -> bool {
    let said = claims.get("iss").and_then(Value::as_str);
    said.map(|i| i.trim_end_matches('/')) == Some(issuer.trim_end_matches('/'))
}

/// By whom, for whom and when.
fn check_place_and_time(
    claims: &Map<String, Value>,
    issuer: &str,
    client_id: &str,
    now_s: i64,
) -> Result<(), OidcError> {
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    if !of_issuer(claims, issuer) {
        return Err(OidcError::IssuerMismatch);
    }
    check_audience(claims, client_id)?;
    let exp = time("exp").ok_or(OidcError::TokenMalformed)?;
    if exp.saturating_add(SKEW_S) <= now_s {
        return Err(OidcError::Expired);
    }
    let iat = time("iat").ok_or(OidcError::TokenMalformed)?;
    if iat > now_s.saturating_add(SKEW_S) || iat < now_s - AGE_S_MAX {
        return Err(OidcError::NotFresh);
    }
    Ok(())
}

/// `kinds`: what the token may say it is, when it says so (RFC 8725 3.11).
fn signed_claims(
    token: &str,
    keys: &Keys,
    kinds: &[&str],
) -> Result<Map<String, Value>, OidcError> {
    let malformed = || OidcError::TokenMalformed;
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
    let part = |text| b64::decode(text).ok_or_else(malformed);
    let header: Header = serde_json::from_slice(&part(header)?).map_err(|_| malformed())?;
    let (payload, signature) = (part(payload)?, part(signature)?);
    if let Some(typ) = &header.typ
        && !kinds.iter().any(|k| k.eq_ignore_ascii_case(typ))
    {
        return Err(OidcError::TokenMalformed);
    }
    if header.crit.is_some() || !["RS256", "ES256", "EdDSA"].contains(&header.alg.as_str()) {
        return Err(OidcError::Algorithm);
    }
    let mut of_id = keys.0.iter().filter(|(kid, _)| match (&header.kid, kid) {
        (Some(wanted), Some(kid)) => wanted == kid,
        // A set of one need not name it.
        _ => keys.0.len() == 1,
    });
    let (_, key) = of_id.next().ok_or(OidcError::KeyUnknown)?;
    if key.algorithm() != header.alg {
        return Err(OidcError::Algorithm);
    }
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(OidcError::Signature);
    }
    serde_json::from_slice(&payload).map_err(|_| malformed())
}

/// We must be among those it is for; with several, the one it was given to.
fn check_audience(claims: &Map<String, Value>, client_id: &str) -> Result<(), OidcError> {
    let several = match claims.get("aud") {
        Some(Value::String(aud)) if aud == client_id => false,
        Some(Value::Array(all)) if all.iter().any(|a| a == client_id) => all.len() > 1,
        _ => return Err(OidcError::Audience),
    };
    match claims.get("azp") {
        Some(azp) if azp != client_id => Err(OidcError::Audience),
        None if several => Err(OidcError::Audience),
        _ => Ok(()),
    }
}

/// The challenge of a PKCE verifier (RFC 7636 4.2, S256).
pub fn pkce_challenge(verifier: &str) -> String {
    b64::encode(digest(&SHA256, verifier.as_bytes()).as_ref())
}
