//! Rich call data in a token (RFC 9795): name, picture, card and reason, shown only when every
//! rule holds. Nothing is fetched here.

use crate::json::{Object, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Longest call reason that is shown (RFC 9796 gives 64 as what displays take).
pub const REASON_CHARS_MAX: usize = 64;
/// Longest name that is taken.
pub const NAME_CHARS_MAX: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RcdFault {
    #[error("rcd has no name")]
    NoName,
    #[error("rcd has both a card and the address of one, or neither proper")]
    Card,
    #[error("an address is not https")]
    Address,
    #[error("external content has no digest in rcdi")]
    Undigested,
    #[error("a digest does not match, or is not sha256")]
    Digest,
    #[error("the call reason is no text")]
    Reason,
}

/// What a token says of the caller, checked as far as it goes without fetching.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RichCallData {
    pub name: Option<String>,
    /// Shown number that differs from the caller's (`apn`).
    pub presented: Option<String>,
    pub icon: Option<String>,
    pub card: Option<Value>,
    pub card_address: Option<String>,
    pub reason: Option<String>,
    /// JSON pointer and `sha256-…` of content to check when it is fetched.
    pub digests: Vec<(String, String)>,
}

impl RichCallData {
    /// The digest that `rcdi` has for this JSON pointer.
    pub fn digest(&self, pointer: &str) -> Option<&str> {
        let found = self.digests.iter().find(|(p, _)| p == pointer);
        found.map(|(_, digest)| digest.as_str())
    }
}

/// Reads `rcd`, `crn` and `rcdi`. On any fault none of it may be used (RFC 9795 8).
pub fn read(claims: &Object) -> Result<RichCallData, RcdFault> {
    let mut found = RichCallData::default();
    if let Some(reason) = claims.get("crn") {
        let reason = reason.as_text().ok_or(RcdFault::Reason)?;
        let reason = inert(reason.trim(), REASON_CHARS_MAX);
        found.reason = Some(reason).filter(|r| !r.trim().is_empty());
    }
    let Some(rcd) = claims.get("rcd") else {
        return Ok(found);
    };
    let rcd_object = rcd.as_object().ok_or(RcdFault::NoName)?;
    let name = rcd_object.get("nam").and_then(Value::as_text);
    found.name = Some(inert(name.ok_or(RcdFault::NoName)?, NAME_CHARS_MAX));
    found.presented = rcd_object
        .get("apn")
        .and_then(Value::as_text)
        .map(str::to_string);
    found.icon = address(rcd_object.get("icn"))?;
    found.card_address = address(rcd_object.get("jcl"))?;
    match rcd_object.get("jcd") {
        Some(_) if found.card_address.is_some() => return Err(RcdFault::Card),
        Some(card @ Value::List(_)) => found.card = Some(card.clone()),
        Some(_) => return Err(RcdFault::Card),
        None => {}
    }
    if let Some(digests) = claims.get("rcdi") {
        let digests = digests.as_object().ok_or(RcdFault::Digest)?;
        for (pointer, digest) in digests {
            let digest = digest
                .as_text()
                .filter(|d| d.starts_with("sha256-"))
                .ok_or(RcdFault::Digest)?;
            // What lies in a card elsewhere is checked when that is fetched.
            if pointer.starts_with("/jcl/") && found.card_address.is_some() {
                found.digests.push((pointer.clone(), digest.to_string()));
                continue;
            }
            // What is inside the token can be checked now.
            let at = resolve(rcd, pointer).ok_or(RcdFault::Digest)?;
            let external = at.as_text().is_some_and(|t| t.starts_with("https://"));
            if !external && digest_of(at.canonical().as_bytes()) != digest {
                return Err(RcdFault::Digest);
            }
            found.digests.push((pointer.clone(), digest.to_string()));
        }
    }
    let mut outside = Vec::new();
    outside.extend(found.icon.iter().map(|_| "/icn".to_string()));
    outside.extend(found.card_address.iter().map(|_| "/jcl".to_string()));
    if let Some(card) = &found.card {
        outside.extend(referenced(card)?);
    }
    if !outside.iter().all(|o| found.digest(o).is_some()) {
        return Err(RcdFault::Undigested);
    }
    Ok(found)
}

/// Pointers to what a card refers to elsewhere: each needs a digest of its content (RFC 9795 6.1).
fn referenced(card: &Value) -> Result<Vec<String>, RcdFault> {
    let properties = match card.as_list() {
        Some([Value::Text(kind), Value::List(properties)]) if kind == "vcard" => properties,
        _ => return Err(RcdFault::Card),
    };
    let mut found = Vec::new();
    for (i, property) in properties.iter().enumerate() {
        let Some([_, _, Value::Text(kind), values @ ..]) = property.as_list() else {
            return Err(RcdFault::Card);
        };
        for (j, value) in values.iter().enumerate() {
            match value.as_text() {
                Some(t) if kind == "uri" && t.starts_with("https://") => {
                    found.push(format!("/jcd/1/{i}/{}", j + 3));
                }
                Some(t) if kind == "uri" && t.starts_with("http://") => {
                    return Err(RcdFault::Address);
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// `sha256-` and the digest in standard Base64 without padding (RFC 9795 6.1).
pub fn digest_of(content: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    format!("sha256-{}", STANDARD_NO_PAD.encode(digest.as_ref()))
}

/// The same from a digest in hex.
pub fn digest_of_hex(hex: &str) -> Option<String> {
    let byte = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    Some(format!("sha256-{}", STANDARD_NO_PAD.encode(bytes?)))
}

fn address(v: Option<&Value>) -> Result<Option<String>, RcdFault> {
    match v {
        None => Ok(None),
        Some(v) => {
            let text = v.as_text().filter(|t| t.starts_with("https://"));
            Ok(Some(text.ok_or(RcdFault::Address)?.to_string()))
        }
    }
}

/// JSON pointer (RFC 6901).
fn resolve<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    let mut at = value;
    for part in pointer.strip_prefix('/')?.split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        at = match at {
            Value::Object(o) => o.get(&part)?,
            Value::List(l) => l.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

/// Text of a stranger as one line: control characters and direction overrides become spaces.
pub fn inert(text: &str, chars_max: usize) -> String {
    let plain = |c: char| {
        // What has no width hides text as well as it turns it; the joiners belong to writing.
        let turns = matches!(c, '\u{061c}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{e0000}'..='\u{e007f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
        if c.is_control() || turns { ' ' } else { c }
    };
    text.chars().take(chars_max).map(plain).collect()
}
