//! One spelling for every number and address that is signed or compared (RFC 8224 8.3, 8.5).

mod habits;
mod regions;

pub use regions::Region;

use std::borrow::Cow;

/// Longest international number (ITU-T E.164).
pub const E164_DIGITS_MAX: usize = 15;
/// Longest dialled string with feature codes (`*67` and the like) in front of a number.
pub const DIALLED_MAX: usize = 24;
/// Longer input is refused unread.
pub const INPUT_BYTES_MAX: usize = 1_024;

/// A caller or destination in canonical form.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Identifier {
    /// Digits, `#` and `*`; an E.164 number has no `+`.
    Number(String),
    /// Lower case, without password, port, parameters and headers.
    Uri(String),
}

impl Identifier {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(s) | Self::Uri(s) => s,
        }
    }
}

/// The canonical form of a number or address as it stands in a header, or `None`.
///
/// `region` is the country whose dialling habits bare digits are read by.
pub fn canonical(input: &str, region: Option<&Region>) -> Option<Identifier> {
    if input.len() > INPUT_BYTES_MAX {
        return None;
    }
    let text = addr_spec(input.trim_matches([' ', '\t', '\r', '\n']))?;
    match text.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel") => tel(rest, region),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => sip("sip", rest, region),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sips") => sip("sips", rest, region),
        Some(_) => None,
        // Parameters as a `tel:` has them mean the same without it.
        None if text.contains(';') => tel(text, region),
        None => number(without_extension(text), region).map(Identifier::Number),
    }
}

/// The number before `ext. 5`, `extension 5` or `x5`: whoever signs signs the number.
fn without_extension(text: &str) -> &str {
    let number = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = number.trim_end_matches([' ', '.', ':']);
    let ends_with = |word: &&&str| {
        let at = number.len().checked_sub(word.len());
        at.and_then(|at| number.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    let word = ["extension", "ext", "x"].iter().find(ends_with);
    match word {
        Some(word) if number.len() < text.len() => {
            number[..number.len() - word.len()].trim_end_matches([' ', ','])
        }
        _ => text,
    }
}

/// What stands between the angle brackets of `"Name" <sip:…>;tag=…`, or all of it without any.
fn addr_spec(text: &str) -> Option<&str> {
    // A bracket inside the quoted name is none.
    let after_name = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.1,
        None => text,
    };
    match after_name.split_once('<') {
        Some((_, inner)) => inner.split_once('>').map(|(uri, _)| uri),
        None => (after_name.len() == text.len()).then_some(text),
    }
}

/// One line for the command: the canonical form, or `INVALID`.
pub fn line(input: &str, region: &str) -> String {
    match canonical(input, Region::find(region)) {
        Some(id) => id.as_str().to_string(),
        None => "INVALID".to_string(),
    }
}

/// Whether text is a number in canonical form already, as claims must carry it.
pub fn is_canonical_number(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let most = if digits { E164_DIGITS_MAX } else { DIALLED_MAX };
    (1..=most).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'#' | b'*'))
}

fn tel(rest: &str, region: Option<&Region>) -> Option<Identifier> {
    let (digits, params) = rest.split_once(';').unwrap_or((rest, ""));
    let context = params.split(';').find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.eq_ignore_ascii_case("phone-context").then_some(value)
    });
    // RFC 3966 5.1.5: a local number is completed by a context that is a prefix, or read where that
    // is a country; an emergency number stays as it is dialled (RFC 8224 8.3).
    let found = match context.filter(|_| !digits.starts_with('+')) {
        Some(prefix) if prefix.starts_with('+') => {
            let country = prefix.strip_prefix('+').and_then(Region::of_country_code);
            service(digits, country.or(region))
                .or_else(|| number(&format!("{prefix}{digits}"), None))
                .or_else(|| number(digits, Some(country?)))
        }
        _ => number(digits, region),
    };
    found.map(Identifier::Number)
}

fn sip(scheme: &str, rest: &str, region: Option<&Region>) -> Option<Identifier> {
    let (user, host) = match rest.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    let end = host.find(['?', ';']).unwrap_or(host.len());
    let (host, params) = host.split_at(end);
    let host = host_only(host)?.to_ascii_lowercase();
    let Some(user) = user else {
        return Some(Identifier::Uri(format!("{scheme}:{host}")));
    };
    let user = user.split(':').next().unwrap_or("");
    let user = unescape(user.split(';').next().unwrap_or(""))?;
    if user.is_empty() {
        return None;
    }
    let by_param = params
        .split('?')
        .next()
        .unwrap_or("")
        .split(';')
        .any(|p| p.eq_ignore_ascii_case("user=phone"));
    // Bare digits are a number by local policy only, which is to have a region (RFC 8224 8.3).
    let may_be = by_param || user.starts_with('+') || region.is_some();
    let may_be = may_be || matches!(user.as_str(), "112" | "911");
    match number(&user, region).filter(|_| may_be) {
        Some(n) => Some(Identifier::Number(n)),
        None => {
            let proper = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'@');
            user.bytes()
                .all(proper)
                .then(|| Identifier::Uri(format!("{scheme}:{}@{host}", user.to_ascii_lowercase())))
        }
    }
}

/// Host without its port; `None` when either is improper.
fn host_only(text: &str) -> Option<&str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let end = v6.find(']')?;
            v6[..end].parse::<std::net::Ipv6Addr>().ok()?;
            (&text[..end + 2], &v6[end + 1..])
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let host_ok = host.starts_with('[') || (!host.is_empty() && host.bytes().all(name));
    let port_ok = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (host_ok && port_ok).then_some(host)
}

/// Undoes escapes of characters that need none (RFC 3986 2.3); others stay, with capital hex.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let hex = rest.get(at + 1..at + 3)?;
        let value = u8::from_str_radix(hex, 16).ok().filter(|_| {
            // `from_str_radix` takes a sign, an escape does not.
            hex.bytes().all(|b| b.is_ascii_hexdigit())
        })?;
        let plain = value.is_ascii_alphanumeric() || b"-._~+#*()".contains(&value);
        if plain {
            out.push(char::from(value));
        } else {
            out.push('%');
            out.push_str(&hex.to_ascii_uppercase());
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Some(out)
}

/// Digits, `#` and `*` of what was written, and whether a `+` led them. Visual separators go
/// (RFC 3966 5.1.1, RFC 8224 8.3); letters, other scripts' digits and a `+` inside make it none.
fn digits(text: &str) -> Option<(String, bool)> {
    let plus = text.trim_start_matches([' ', '(']).starts_with('+');
    // `+44 (0)20 …`: the trunk zero in brackets is for who dials inside the country.
    let abroad = plus || text.starts_with("00");
    let text = match text.find("(0)") {
        Some(at) if abroad && at > 1 => Cow::Owned(text.replacen("(0)", "", 1)),
        _ => Cow::Borrowed(text),
    };
    let mut kept = String::with_capacity(text.len());
    let mut pluses = 0;
    for c in text.chars() {
        match c {
            '0'..='9' | '#' | '*' => kept.push(c),
            // The tilde stands where one waits for a second dial tone (ITU-T E.123).
            '-' | '.' | '(' | ')' | ' ' | '/' | '~' => {}
            '+' => pluses += 1,
            _ => return None,
        }
    }
    let fits = !kept.is_empty() && kept.len() <= DIALLED_MAX && pluses <= usize::from(plus);
    fits.then_some((kept, plus))
}

/// A number that stays as it is dialled, or `None`.
fn service(text: &str, region: Option<&Region>) -> Option<String> {
    let (kept, plus) = digits(text)?;
    (!plus && habits::is_service(&kept, region)).then_some(kept)
}

fn number(text: &str, region: Option<&Region>) -> Option<String> {
    let (kept, plus) = digits(text)?;
    if plus {
        return e164(&kept);
    }
    if kept.contains(['#', '*']) {
        // Feature codes go to the switch that knows them, as they are.
        return kept.bytes().any(|b| b.is_ascii_digit()).then_some(kept);
    }
    if habits::is_service(&kept, region) {
        return Some(kept);
    }
    let Some(region) = region else {
        return e164(&kept);
    };
    international(&kept, region)
        .or_else(|| region.national(&kept))
        .or_else(|| region.without_plus(&kept))
        .or_else(|| region.bare(&kept))
        .or_else(|| {
            let foreign = !kept.starts_with('0') && !region.claims(&kept);
            (foreign && regions::is_e164(&kept)).then_some(kept)
        })
}

/// An international number in today's form.
fn e164(digits: &str) -> Option<String> {
    let today = regions::today(digits);
    regions::is_e164(&today).then(|| today.into_owned())
}

/// What follows the country's own international prefix, or `00` as ITU-T E.123 has it.
fn international(digits: &str, region: &Region) -> Option<String> {
    let usual = [region.international(), "00"];
    let others = habits::other_internationals(region.country_code);
    usual.iter().chain(others).find_map(|prefix| {
        let rest = digits.strip_prefix(prefix)?;
        e164(rest)
    })
}

#[cfg(test)]
mod tests;
