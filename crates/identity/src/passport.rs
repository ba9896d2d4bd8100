//! The token itself (RFC 8225, 8588, 8946): reading it strictly, and signing it.

pub mod sign;

use crate::canonical::is_canonical_number;
use crate::header::TOKEN_BYTES_MAX;
use crate::json::{Object, Value};
use crate::{Fault, b64};
use std::borrow::Cow;

/// Destinations of one token; more make it malformed.
pub const DESTINATIONS_MAX: usize = 64;
/// Longest URI identifier.
const URI_BYTES_MAX: usize = 512;
/// The last second of year 9999: later is no time but an overflow.
const IAT_MAX: i64 = 253_402_300_799;

/// The token types we know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ppt {
    /// No `ppt`: RFC 8225 alone.
    Base,
    Shaken,
    Div,
    /// A div with the diverted token inside (RFC 8946 5).
    DivO,
    /// Rich call data (RFC 9795).
    Rcd,
}

impl Ppt {
    /// `Err` for the types we do not know.
    pub fn parse(ppt: Option<&str>) -> Result<Self, Fault> {
        match ppt {
            None => Ok(Self::Base),
            Some("shaken") => Ok(Self::Shaken),
            Some("div") => Ok(Self::Div),
            Some("div-o") => Ok(Self::DivO),
            Some("rcd") => Ok(Self::Rcd),
            Some(_) => Err(Fault::UnsupportedPpt),
        }
    }
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Base => None,
            Self::Shaken => Some("shaken"),
            Self::Div => Some("div"),
            Self::DivO => Some("div-o"),
            Self::Rcd => Some("rcd"),
        }
    }
    pub fn is_diversion(self) -> bool {
        matches!(self, Self::Div | Self::DivO)
    }
}

/// How far the signer vouches (RFC 8588 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Attestation {
    /// Knows the customer and their right to the number.
    A,
    /// Knows the customer.
    B,
    /// Only where the call came in.
    C,
}

impl Attestation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// Allowances for signers that do not keep to the letter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leniency {
    /// Takes `"iat":"1443208345"`, as the examples of several RFCs have it.
    pub iat_as_text: bool,
    /// Takes an `origid` that is no UUID.
    pub origid_any: bool,
}

/// A token that is well formed; nothing is proven yet.
#[derive(Clone, Debug)]
pub struct Passport<'a> {
    /// The whole token, as received.
    pub token: Cow<'a, str>,
    pub ppt: Ppt,
    pub x5u: String,
    /// Seconds since 1970; may be negative, which is merely very stale.
    pub iat: i64,
    /// Canonical number or URI.
    pub orig: String,
    pub dest: Vec<String>,
    /// The diverting identifier of `div` and `div-o`.
    pub div: Option<String>,
    pub attest: Option<Attestation>,
    pub origid: Option<String>,
    /// The nested token of `div-o`.
    pub opt: Option<String>,
    /// All claims, for constraints, `mky` and rich call data.
    pub claims: Object,
    pub signature: [u8; 64],
}

impl<'a> Passport<'a> {
    /// Reads the full form. Every signed byte is kept as received: nothing is serialised again.
    pub fn parse(token: &'a str, leniency: Leniency) -> Result<Self, Fault> {
        Self::read(Cow::Borrowed(token), leniency)
    }

    pub(crate) fn read(token: Cow<'a, str>, leniency: Leniency) -> Result<Self, Fault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let mut parts = token.split('.');
        let (Some(jose), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Fault::TokenMalformed);
        };
        if jose.is_empty() || claims.is_empty() {
            return Err(Fault::TokenMalformed);
        }
        let (ppt, x5u) = jose_header(jose)?;
        let signature = b64::decode(signature)
            .and_then(|s| <[u8; 64]>::try_from(s).ok())
            .ok_or(Fault::Signature)?;
        let claims = object(claims)?;
        let mut found = Self {
            ppt,
            x5u,
            iat: iat(&claims, leniency)?,
            orig: orig(&claims)?,
            dest: dest(&claims)?,
            div: None,
            attest: None,
            origid: None,
            opt: None,
            claims,
            signature,
            token: Cow::Borrowed(""),
        };
        found.read_extension(leniency)?;
        found.token = token;
        Ok(found)
    }

    /// What the signature is over.
    pub fn signing_input(&self) -> &[u8] {
        let end = self.token.rfind('.').unwrap_or(0);
        &self.token.as_bytes()[..end]
    }

    /// `..signature`, for `ppi` of a Reason header (RFC 9410 3).
    pub fn compact(&self) -> String {
        format!("..{}", b64::encode(&self.signature))
    }

    fn read_extension(&mut self, leniency: Leniency) -> Result<(), Fault> {
        const BAD: Fault = Fault::ClaimMalformed;
        match self.ppt {
            Ppt::Shaken => {
                self.attest = Some(match text(&self.claims, "attest").ok_or(BAD)? {
                    "A" => Attestation::A,
                    "B" => Attestation::B,
                    "C" => Attestation::C,
                    _ => return Err(BAD),
                });
                let origid = text(&self.claims, "origid").ok_or(BAD)?;
                if !(is_uuid(origid) || leniency.origid_any && !origid.is_empty()) {
                    return Err(BAD);
                }
                self.origid = Some(origid.to_string());
            }
            Ppt::Div | Ppt::DivO => {
                let div = self
                    .claims
                    .get("div")
                    .and_then(Value::as_object)
                    .ok_or(BAD)?;
                let known = div
                    .keys()
                    .all(|k| matches!(k.as_str(), "tn" | "uri" | "hi"));
                let hi = div.get("hi").is_none_or(|h| h.as_text().is_some());
                let one = match (div.get("tn"), div.get("uri")) {
                    (Some(tn), None) => tn_claim(tn),
                    (None, Some(uri)) => uri_claim(uri),
                    _ => None,
                };
                if !known || !hi {
                    return Err(BAD);
                }
                self.div = Some(one.ok_or(BAD)?);
                let opt = self.claims.get("opt");
                // RFC 8946 3: a div carries no opt; 5: a div-o carries a full-form one.
                match (self.ppt, opt) {
                    (Ppt::Div, None) => {}
                    (Ppt::DivO, Some(Value::Text(inner))) if !inner.starts_with('.') => {
                        self.opt = Some(inner.clone());
                    }
                    _ => return Err(BAD),
                }
            }
            Ppt::Rcd => {
                self.claims
                    .get("rcd")
                    .and_then(Value::as_object)
                    .ok_or(BAD)?;
            }
            Ppt::Base => {}
        }
        Ok(())
    }
}

fn object(part: &str) -> Result<Object, Fault> {
    let bytes = b64::decode(part).ok_or(Fault::TokenMalformed)?;
    match Value::parse(&bytes) {
        Some(Value::Object(o)) => Ok(o),
        _ => Err(Fault::TokenMalformed),
    }
}

fn text<'o>(o: &'o Object, name: &str) -> Option<&'o str> {
    o.get(name).and_then(Value::as_text)
}

/// Type and certificate address of the JOSE header. The key never comes from the token itself:
/// `jwk`, `x5c` and the like are not even looked at.
fn jose_header(part: &str) -> Result<(Ppt, String), Fault> {
    let jose = object(part)?;
    if text(&jose, "alg") != Some("ES256") {
        return Err(Fault::Algorithm);
    }
    if text(&jose, "typ") != Some("passport") || jose.contains_key("crit") {
        return Err(Fault::TokenMalformed);
    }
    let ppt = match jose.get("ppt") {
        None => None,
        Some(v) => Some(v.as_text().ok_or(Fault::TokenMalformed)?),
    };
    let ppt = Ppt::parse(ppt)?;
    let x5u = text(&jose, "x5u").filter(|u| !u.is_empty());
    Ok((ppt, x5u.ok_or(Fault::TokenMalformed)?.to_string()))
}

fn iat(claims: &Object, leniency: Leniency) -> Result<i64, Fault> {
    let seconds = match claims.get("iat") {
        Some(Value::Int(n)) => Some(*n),
        Some(Value::Text(t)) if leniency.iat_as_text => t.parse().ok(),
        _ => None,
    };
    seconds
        .filter(|s| *s <= IAT_MAX)
        .ok_or(Fault::ClaimMalformed)
}

fn tn_claim(v: &Value) -> Option<String> {
    v.as_text()
        .filter(|t| is_canonical_number(t))
        .map(str::to_string)
}

fn uri_claim(v: &Value) -> Option<String> {
    v.as_text()
        .filter(|u| {
            u.len() <= URI_BYTES_MAX && u.contains(':') && u.bytes().all(|b| b.is_ascii_graphic())
        })
        .map(str::to_string)
}

/// Exactly one identity (RFC 8225 5.2.1).
fn orig(claims: &Object) -> Result<String, Fault> {
    let one = claims.get("orig").and_then(Value::as_object);
    let found = one
        .filter(|o| o.len() == 1)
        .and_then(|o| match (o.get("tn"), o.get("uri")) {
            (Some(tn), None) => tn_claim(tn),
            (None, Some(uri)) => uri_claim(uri),
            _ => None,
        });
    found.ok_or(Fault::ClaimMalformed)
}

/// One or more identities, always in arrays (RFC 8225 5.2.1).
fn dest(claims: &Object) -> Result<Vec<String>, Fault> {
    const BAD: Fault = Fault::ClaimMalformed;
    let all = claims.get("dest").and_then(Value::as_object).ok_or(BAD)?;
    let mut out = Vec::new();
    for (kind, values) in all {
        let read = match kind.as_str() {
            "tn" => tn_claim,
            "uri" => uri_claim,
            _ => return Err(BAD),
        };
        let values = values.as_list().filter(|l| !l.is_empty()).ok_or(BAD)?;
        if out.len() + values.len() > DESTINATIONS_MAX {
            return Err(BAD);
        }
        for v in values {
            out.push(read(v).ok_or(BAD)?);
        }
    }
    (!out.is_empty()).then_some(out).ok_or(BAD)
}

/// 8-4-4-4-12 hexadecimal digits (RFC 4122 3).
fn is_uuid(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 36
        && b.iter().enumerate().all(|(i, c)| match i {
            8 | 13 | 18 | 23 => *c == b'-',
            _ => c.is_ascii_hexdigit(),
        })
}
