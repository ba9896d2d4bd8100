//! The card of a call from its Call-Info (RFC 3261 20.9, RFC 9796). It is only as good as who sent
//! it: what strangers write there must not come here.

use super::vcard::{self, BusinessCard};
use super::{Call, Card, Content, Plain, fill, number};
use crate::b64;
use crate::json::Value;
use crate::rcd::{self, NAME_CHARS_MAX, REASON_CHARS_MAX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Call-Info values of one request that are looked at; the rest is passed over.
const VALUES_MAX: usize = 16;
/// Longest value that is read.
const VALUE_BYTES_MAX: usize = 16 * 1_024;

/// One value: an address and what it is for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Info<'a> {
    uri: &'a str,
    purpose: String,
    reason: Option<String>,
    digest: Option<String>,
}

/// Whether Call-Info values hold anything that would be shown.
pub fn is_rich(values: &[&str]) -> bool {
    read(values).iter().any(|i| i.shows())
}

/// The card of a call from the Call-Info of a peer whose word counts.
///
/// `name`: the display name beside the caller. `shown`: the caller id that is shown (From), which
/// must be the call's own source.
///
/// # Errors
/// [`Plain`]: the call then rings with its caller id and nothing else.
pub fn judge(
    values: &[&str],
    name: Option<&str>,
    shown: &str,
    call: &Call<'_>,
) -> Result<Card, Plain> {
    let mut infos = read(values);
    // A picture that is named goes before one within a card.
    infos.sort_by_key(|i| i.purpose != "icon");
    if !infos.iter().any(Info::shows) {
        return Err(Plain::None);
    }
    let source = number(call.caller, call.region);
    if source.is_none() {
        return Err(Plain::SourceNotCaller);
    }
    if number(shown, call.region) != source {
        return Err(Plain::CallerNotSource);
    }
    let mut card = Card::default();
    let named = name.map(|n| rcd::inert(n.trim(), NAME_CHARS_MAX));
    card.name = named.filter(|n| !n.is_empty());
    for info in infos {
        if card.reason.is_none() {
            card.reason = info.reason.clone();
        }
        match info.purpose.as_str() {
            "icon" if card.picture.is_none() => {
                let address = https(info.uri)?;
                card.picture = Some(Content {
                    address,
                    digest: info.digest,
                });
            }
            "info" if card.link.is_none() => card.link = Some(fill(info.uri, call)?),
            "jcard" | "card" => business_card(&mut card, info, call)?,
            _ => {}
        }
    }
    Ok(card)
}

/// A business card within the header, or its address.
fn business_card(card: &mut Card, info: Info<'_>, call: &Call<'_>) -> Result<(), Plain> {
    let malformed = Plain::Malformed(rcd::RcdFault::Card);
    let Some(data) = strip_scheme(info.uri, "data:") else {
        let address = https(info.uri)?;
        let content = Content {
            address,
            digest: info.digest,
        };
        card.details.get_or_insert(content);
        return Ok(());
    };
    if data.is_empty() {
        return Ok(()); // `<data:>`: there is no card, only a reason beside it.
    }
    let bytes = data_bytes(data).ok_or(malformed)?;
    let found = parse(&bytes).ok_or(malformed)?;
    if !speaks_for(&found, call) {
        return Err(Plain::CallerNotSource);
    }
    card.name = found.name.or_else(|| card.name.take());
    if let (None, Some((address, _))) = (&card.picture, found.picture) {
        let digest = None;
        card.picture = Some(Content { address, digest });
    }
    Ok(())
}

/// A business card in either form.
pub fn parse(bytes: &[u8]) -> Option<BusinessCard> {
    match Value::parse(bytes) {
        Some(value) => vcard::jcard(&value),
        None => vcard::vcard(std::str::from_utf8(bytes).ok()?),
    }
}

/// Whether a business card is one of the caller: it names no number, or the caller's too.
pub fn speaks_for(card: &BusinessCard, call: &Call<'_>) -> bool {
    let caller = number(call.caller, call.region);
    let mut numbers = card.numbers.iter();
    card.numbers.is_empty() || numbers.any(|n| number(n, call.region) == caller)
}

fn https(uri: &str) -> Result<String, Plain> {
    let fits = uri.len() <= super::LINK_BYTES_MAX && uri.bytes().all(|b| b.is_ascii_graphic());
    match strip_scheme(uri, "https://") {
        Some(rest) if fits && !rest.starts_with(['/', '?', '#']) && !rest.is_empty() => {
            Ok(format!("https://{rest}"))
        }
        _ => Err(Plain::Malformed(rcd::RcdFault::Address)),
    }
}

fn strip_scheme<'a>(uri: &'a str, scheme: &str) -> Option<&'a str> {
    let head = uri.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme)
        .then(|| &uri[scheme.len()..])
}

/// `[type][;base64],data` of a data URI (RFC 2397).
fn data_bytes(data: &str) -> Option<Vec<u8>> {
    let (head, body) = data.split_once(',')?;
    let body = unescape(body)?;
    if !head.to_ascii_lowercase().ends_with(";base64") {
        return Some(body);
    }
    let text = std::str::from_utf8(&body).ok()?;
    STANDARD.decode(text).ok().or_else(|| b64::decode(text))
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
    }
    Some(out)
}

impl Info<'_> {
    fn shows(&self) -> bool {
        self.reason.is_some() || matches!(self.purpose.as_str(), "icon" | "info" | "jcard" | "card")
    }
}

/// The values of all Call-Info headers, those that cannot be read left out.
fn read<'a>(values: &[&'a str]) -> Vec<Info<'a>> {
    let each = values.iter().filter(|v| v.len() <= VALUE_BYTES_MAX);
    let each = each.flat_map(|v| crate::marks::split_values(v));
    each.take(VALUES_MAX).filter_map(info).collect()
}

fn info(value: &str) -> Option<Info<'_>> {
    let (uri, mut params) = value.trim().strip_prefix('<')?.split_once('>')?;
    let mut found = Info {
        uri: uri.trim(),
        ..Info::default()
    };
    while let Some((name, text, after)) = param(params) {
        match name.to_ascii_lowercase().as_str() {
            "purpose" => found.purpose = text.to_ascii_lowercase(),
            "call-reason" if !text.trim().is_empty() => {
                found.reason = Some(rcd::inert(text.trim(), REASON_CHARS_MAX));
            }
            "integrity" if text.starts_with("sha256-") => found.digest = Some(text),
            _ => {}
        }
        params = after;
    }
    Some(found)
}

/// `;name=value` or `;name="va\"lue"`: name, value without quotes and escapes, the rest.
fn param(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start().strip_prefix(';')?.trim_start();
    let end = text.find([';', '=']).unwrap_or(text.len());
    let name = text[..end].trim();
    let Some(value) = text[end..].strip_prefix('=') else {
        return Some((name, String::new(), &text[end..]));
    };
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find(';').unwrap_or(value.len());
        return Some((name, value[..end].trim().to_string(), &value[end..]));
    };
    let (mut out, mut escaped) = (String::new(), false);
    for (i, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((name, out, &quoted[i + 1..])),
            _ => out.push(c),
        }
    }
    None // The quotes do not end: nothing of it is taken.
}
