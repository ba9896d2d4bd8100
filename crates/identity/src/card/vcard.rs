//! Business cards: jCard (RFC 7095), and vCard text for peers from before it. Read for what a ring
//! shows, no more.

use crate::json::Value;
use crate::rcd::{self, NAME_CHARS_MAX};

/// Properties that are looked at; a card of more is cut off here.
const PROPERTIES_MAX: usize = 256;

/// What a ring shows of a business card.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BusinessCard {
    pub name: Option<String>,
    /// Address of the first picture that has one, with its JSON pointer in a jCard: `/1/5/3`.
    pub picture: Option<(String, String)>,
    /// Numbers it names; the caller must be one of them when there are any.
    pub numbers: Vec<String>,
}

/// A jCard: `["vcard", [["fn", {}, "text", "Example"], …]]`. `None`: it is none.
pub fn jcard(card: &Value) -> Option<BusinessCard> {
    let [Value::Text(kind), Value::List(properties)] = card.as_list()? else {
        return None;
    };
    if !kind.eq_ignore_ascii_case("vcard") {
        return None;
    }
    let mut found = BusinessCard::default();
    let mut organisation = None;
    for (i, property) in properties.iter().take(PROPERTIES_MAX).enumerate() {
        let parts = property.as_list()?;
        let (Some(name), Some(value)) = (parts.first().and_then(Value::as_text), parts.get(3))
        else {
            return None;
        };
        // Structured values are lists; the first part is the one that names.
        let text = value
            .as_text()
            .or_else(|| value.as_list()?.first()?.as_text());
        let Some(text) = text else { continue };
        match name.to_ascii_lowercase().as_str() {
            "fn" if found.name.is_none() => found.name = line(text),
            "org" if organisation.is_none() => organisation = line(text),
            "photo" | "logo" if found.picture.is_none() && text.starts_with("https://") => {
                found.picture = Some((text.to_string(), format!("/1/{i}/3")));
            }
            "tel" => found.numbers.push(text.to_string()),
            _ => {}
        }
    }
    found.name = found.name.or(organisation);
    Some(found)
}

/// A vCard as text (RFC 6350). `None`: it is none.
pub fn vcard(text: &str) -> Option<BusinessCard> {
    let head = text.trim_start().get(..11)?;
    if !head.eq_ignore_ascii_case("BEGIN:VCARD") {
        return None;
    }
    // Long lines go on in the next one, after a space.
    let text = text.replace("\r\n", "\n");
    let text = text.replace("\n ", "").replace("\n\t", "");
    let mut found = BusinessCard::default();
    let mut organisation = None;
    for (name, value) in text.lines().take(PROPERTIES_MAX).filter_map(property) {
        match name.as_str() {
            "FN" if found.name.is_none() => found.name = line(&value),
            "ORG" if organisation.is_none() => {
                organisation = line(value.split(';').next().unwrap_or_default());
            }
            "PHOTO" | "LOGO" if found.picture.is_none() && value.starts_with("https://") => {
                found.picture = Some((value, String::new()));
            }
            "TEL" => found.numbers.push(value),
            _ => {}
        }
    }
    found.name = found.name.or(organisation);
    Some(found)
}

/// Name in capitals, without group and parameters; value without escapes.
fn property(text: &str) -> Option<(String, String)> {
    let mut quoted = false;
    let colon = text.bytes().position(|b| {
        quoted ^= b == b'"';
        b == b':' && !quoted
    })?;
    let name = text[..colon].split(';').next()?;
    let name = name.rsplit('.').next()?.to_ascii_uppercase();
    let value = text[colon + 1..].replace("\\,", ",").replace("\\;", ";");
    Some((name, value))
}

fn line(text: &str) -> Option<String> {
    let text = rcd::inert(text.trim(), NAME_CHARS_MAX);
    Some(text).filter(|t| !t.trim().is_empty())
}
