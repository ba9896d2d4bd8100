//! What a device may show of a call before it is answered (S3.1): the metadata that came with the
//! call, decoded, held against the call it came with, and its link filled for this call.
//!
//! Nothing is fetched here. A device rings at once with the plain caller id; what this module lets
//! through may be added while it rings.

pub mod call_info;
mod claims;
pub mod vcard;

pub use claims::{Rich, made, of_header};

use crate::canonical::{Identifier, Region, canonical, is_canonical_number};
use crate::json::{Object, Value};
use crate::rcd::{self, RcdFault};

/// Longest link, filled.
pub const LINK_BYTES_MAX: usize = 2_048;
/// Longest text of an incentive.
pub const INCENTIVE_CHARS_MAX: usize = 120;
/// What comes later than this after the ring began is not shown any more (S3.1 rule 10).
pub const CONTENT_WAIT_MS_MAX: u64 = 800;
/// Claim with our link template: `https://brand.example/ring?caller={caller}`.
const LINK_CLAIM: &str = "lnk";
/// Claim with what is offered to who answers: `{"id": "…", "text": "…"}`.
const INCENTIVE_CLAIM: &str = "ofr";

/// The call itself, as signalling and verification told it: what metadata must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Caller as in the proven token or, from our own house, as the engine set it.
    pub caller: &'a str,
    pub called: &'a str,
    /// Id of the ringing leg, for the link.
    pub ring: &'a str,
    /// BCP 47, for the link.
    pub language: &'a str,
    /// Country whose dialling habits bare digits are read by.
    pub region: Option<&'static Region>,
}

/// Why a call rings plainly, without picture, name and reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Plain {
    #[error("the call carries no metadata")]
    None,
    #[error("the metadata cannot be read: {0}")]
    Malformed(RcdFault),
    #[error("the caller id that the metadata shows is not its own call source")]
    CallerNotSource,
    #[error("the metadata's call source is not the caller of this call")]
    SourceNotCaller,
    #[error("the metadata was made for a call to somebody else")]
    OtherCall,
    #[error("the link is no https address, too long, or has a field that no call fills")]
    Link,
    #[error("the incentive is not understood")]
    Incentive,
}

impl Plain {
    /// Stable code, for events and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "no_metadata",
            Self::Malformed(_) => "metadata_malformed",
            Self::CallerNotSource => "caller_is_not_source",
            Self::SourceNotCaller => "source_is_not_caller",
            Self::OtherCall => "metadata_of_another_call",
            Self::Link => "link_refused",
            Self::Incentive => "incentive_refused",
        }
    }
}

/// Something offered to who answers; it counts only once the call was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incentive {
    pub id: String,
    pub text: String,
}

/// Something to be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    pub address: String,
    /// What its bytes must have; a signer always gives one.
    pub digest: Option<String>,
}

/// What may be shown while it rings. All texts are one line of plain text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Card {
    pub name: Option<String>,
    pub reason: Option<String>,
    pub picture: Option<Content>,
    /// A business card that lies elsewhere.
    pub details: Option<Content>,
    /// JSON pointer into the details, and the digest of what the address there leads to.
    pub details_digests: Vec<(String, String)>,
    /// Filled for this call; activating it brings further content.
    pub link: Option<String>,
    pub incentive: Option<Incentive>,
}

/// The card of a call from the claims of a token **whose signature was verified**, or why there is
/// none. Metadata of strangers must not come here unverified.
///
/// # Errors
/// [`Plain`]: the call then rings with its caller id and nothing else.
pub fn judge(claims: &Object, call: &Call<'_>) -> Result<Card, Plain> {
    let data = rcd::read(claims).map_err(Plain::Malformed)?;
    let link = claims.get(LINK_CLAIM);
    let incentive = claims.get(INCENTIVE_CLAIM);
    let says_nothing = data.name.is_none() && data.reason.is_none();
    if says_nothing && link.is_none() && incentive.is_none() {
        return Err(Plain::None);
    }
    let one = |text: &str| number(text, call.region);
    // Claims are in canonical form, which a region would read anew.
    let source = claims.get("orig").and_then(party).and_then(claimed);
    let inline = data.card.as_ref().map(vcard::jcard);
    let inline = match inline {
        Some(None) => return Err(Plain::Malformed(RcdFault::Card)),
        Some(found) => found,
        None => None,
    };
    let numbers = inline.iter().flat_map(|c| &c.numbers);
    let numbers: Vec<_> = numbers.map(|n| one(n)).collect();
    let shown = data.presented.as_deref().map(one);
    let strange = shown.is_some_and(|s| s.is_none() || s != source);
    if source.is_none() || strange || !(numbers.is_empty() || numbers.contains(&source)) {
        let none = source.is_none() && !strange;
        return Err(if none {
            Plain::SourceNotCaller
        } else {
            Plain::CallerNotSource
        });
    }
    if source != one(call.caller) {
        return Err(Plain::SourceNotCaller);
    }
    let called = one(call.called);
    let meant = claims.get("dest").is_some_and(|dest| {
        let mut parties = parties(dest);
        parties.any(|p| called.is_some() && claimed(p) == called)
    });
    if !meant {
        return Err(Plain::OtherCall);
    }
    Ok(Card {
        picture: picture(&data, inline.as_ref()),
        details: data.card_address.clone().map(|address| Content {
            address,
            digest: data.digest("/jcl").map(str::to_string),
        }),
        details_digests: details_digests(&data),
        name: data.name,
        reason: data.reason,
        link: match link {
            None => None,
            Some(v) => Some(fill(v.as_text().ok_or(Plain::Link)?, call)?),
        },
        incentive: incentive.map(read_incentive).transpose()?,
    })
}

/// The picture of the token itself, else the first of the business card in it.
fn picture(data: &rcd::RichCallData, card: Option<&vcard::BusinessCard>) -> Option<Content> {
    let of = |address: &str, pointer: &str| {
        let digest = data.digest(pointer)?.to_string();
        let address = address.to_string();
        Some(Content {
            address,
            digest: Some(digest),
        })
    };
    let own = data.icon.as_deref().and_then(|a| of(a, "/icn"));
    own.or_else(|| {
        let (address, pointer) = card?.picture.as_ref()?;
        of(address, &format!("/jcd{pointer}"))
    })
}

fn details_digests(data: &rcd::RichCallData) -> Vec<(String, String)> {
    let inside = |(pointer, digest): &(String, String)| {
        let pointer = pointer.strip_prefix("/jcl")?;
        (!pointer.is_empty()).then(|| (pointer.to_string(), digest.clone()))
    };
    data.digests.iter().filter_map(inside).collect()
}

/// A party of the call or a number that is shown, in canonical form.
fn number(text: &str, region: Option<&Region>) -> Option<Identifier> {
    canonical(text, region).or_else(|| claimed(text))
}

/// A party as claims name it.
fn claimed(text: &str) -> Option<Identifier> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    match is_canonical_number(digits) {
        true => Some(Identifier::Number(digits.into())),
        false => canonical(text, None),
    }
}

/// `{"tn": "…"}` or `{"uri": "…"}`.
fn party(v: &Value) -> Option<&str> {
    let object = v.as_object()?;
    object
        .get("tn")
        .or_else(|| object.get("uri"))
        .and_then(Value::as_text)
}

/// `{"tn": ["…"], "uri": ["…"]}`.
fn parties(v: &Value) -> impl Iterator<Item = &str> {
    let object = v.as_object();
    ["tn", "uri"]
        .into_iter()
        .filter_map(move |kind| object?.get(kind)?.as_list())
        .flatten()
        .filter_map(Value::as_text)
}

fn read_incentive(v: &Value) -> Result<Incentive, Plain> {
    let text = |name: &str| {
        let object = v.as_object()?;
        object.get(name)?.as_text()
    };
    let id = text("id").filter(|id| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        !id.is_empty() && id.len() <= 64 && id.bytes().all(plain)
    });
    let shown = text("text").filter(|t| !t.trim().is_empty());
    match (id, shown) {
        (Some(id), Some(shown)) => Ok(Incentive {
            id: id.into(),
            text: rcd::inert(shown, INCENTIVE_CHARS_MAX),
        }),
        _ => Err(Plain::Incentive),
    }
}

/// Fills the variable fields of a link with the data of this call (S3.1 rule 8): `{caller}`,
/// `{called}`, `{ring}` and `{language}`, each percent-encoded, so that no caller writes a path.
///
/// # Errors
/// `Link` for anything but https with a host, an unknown or unclosed field, a field in the host, or
/// a result beyond [`LINK_BYTES_MAX`].
pub fn fill(template: &str, call: &Call<'_>) -> Result<String, Plain> {
    // Who keeps to RFC 3986 has the braces escaped.
    let template = template.replace("%7B", "{").replace("%7b", "{");
    let template = template.replace("%7D", "}").replace("%7d", "}");
    let rest = template.strip_prefix("https://").ok_or(Plain::Link)?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let sound = !host.is_empty()
        && !host.contains(['@', '{', '}', '\\'])
        && template.bytes().all(|b| b.is_ascii_graphic());
    if !sound || template.len() > LINK_BYTES_MAX {
        return Err(Plain::Link);
    }
    let mut out = String::with_capacity(template.len() + 64);
    let mut left = template.as_str();
    while let Some((before, field)) = left.split_once('{') {
        let (name, after) = field.split_once('}').ok_or(Plain::Link)?;
        out.push_str(before);
        let value = match name {
            "caller" => call.caller,
            "called" => call.called,
            "ring" => call.ring,
            "language" => call.language,
            _ => return Err(Plain::Link),
        };
        escape(value, &mut out);
        left = after;
    }
    if left.contains('}') {
        return Err(Plain::Link);
    }
    out.push_str(left);
    if out.len() > LINK_BYTES_MAX {
        return Err(Plain::Link);
    }
    Ok(out)
}

/// Percent-encodes all but the unreserved characters (RFC 3986 2.3).
fn escape(value: &str, out: &mut String) {
    for b in value.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
}

/// Whether fetched bytes are those that the signer meant (RFC 9795 6.1).
pub fn picture_is(bytes: &[u8], digest: &str) -> bool {
    rcd::digest_of(bytes) == digest
}
