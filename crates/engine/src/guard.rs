//! Numbers that must never be dialled by accident. The check runs on what is about to leave, after
//! every rewrite, so that no dialling habit gets around it. Where it errs, it errs by refusing.

use cp_sip::header::HeaderName;
use cp_sip::message::{Message, Method};
use std::borrow::Cow;

/// Short codes that reach emergency services somewhere (ITU-T E.161 Supplement 1 and national plans).
const EMERGENCY: &[&str] = &[
    "000", "066", "100", "101", "102", "103", "104", "105", "106", "107", "108", "110", "111",
    "112", "113", "114", "115", "116", "117", "118", "119", "120", "122", "123", "127", "128",
    "130", "131", "132", "133", "140", "144", "150", "155", "158", "160", "166", "190", "191",
    "192", "193", "194", "195", "196", "197", "198", "199", "911", "912", "913", "933", "991",
    "992", "993", "994", "995", "997", "998", "999",
];

/// Codes of two digits: taken only where nothing stands before them but one way out.
const TWO_DIGITS: &[&str] = &["08", "15", "16", "17", "18"];

/// Codes that help in so many places that any short number ending in them is held back: behind
/// whatever prefix a house or a carrier may strip.
const ANYWHERE: &[&str] = &["911", "112", "999", "000"];
/// Longest number that counts as short.
const SHORT_DIGITS_MAX: usize = 6;

/// Prefixes people put before a number to get out of a house (`9,911`, `0112`).
const ACCESS: &[&str] = &[
    "", "0", "00", "000", "9", "90", "99", "8", "1", "011", "0011",
];

/// Times an escape is undone; who escapes more often is refused.
const UNESCAPES_MAX: usize = 4;

/// Whether what leaves could reach an emergency service: any way of writing or prefixing it.
pub fn is_emergency(dial: &str) -> bool {
    let Some(plain) = unescaped(dial) else {
        return true;
    };
    let lower = plain.to_lowercase();
    let trimmed = lower.trim();
    if is_urn(trimmed) {
        return true;
    }
    candidates(trimmed).any(|c| is_urn(c.trim()) || is_code(c))
}

/// Whether a message that asks for a call (or a transfer, or carries words) would reach one: by
/// its Request-URI, its To, its routes, or where it refers to.
pub(crate) fn reaches_emergency(message: &[u8]) -> bool {
    let asks = ["INVITE ", "REFER ", "MESSAGE ", "SUBSCRIBE "];
    if !asks.iter().any(|m| message.starts_with(m.as_bytes())) {
        return false;
    }
    let Ok(m) = Message::parse(bytes::Bytes::copy_from_slice(message)) else {
        return true; // We send nothing that we cannot read.
    };
    let to = m.to();
    if to.as_ref().is_some_and(|to| to.tag.is_some()) && m.method() == Method::Invite {
        return false; // Inside a dialog that stands: whom it reaches was decided before.
    }
    let named = [HeaderName::Route, HeaderName::ReferTo];
    let mut named = named.iter().flat_map(|name| m.headers(*name)).map(bare_uri);
    is_emergency(m.uri()) || to.is_some_and(|to| is_emergency(to.uri)) || named.any(is_emergency)
}

/// The URI in `"Name" <sip:x>;lr`.
fn bare_uri(value: &str) -> &str {
    let inner = value.split_once('<').map_or(value, |(_, rest)| rest);
    inner.split('>').next().unwrap_or("")
}

fn is_urn(text: &str) -> bool {
    // RFC 5031; `urn:service:test.sos` is what tests use (RFC 6881 17).
    ["urn:service:sos", "service:sos", "sos"].iter().any(|p| {
        let rest = text.strip_prefix(p);
        rest.is_some_and(|r| r.is_empty() || r.starts_with(['.', '@', ';', '?']))
    })
}

/// What of an address may be the number: the user part without password and parameters, and where
/// there is none the host.
fn candidates(text: &str) -> impl Iterator<Item = &str> {
    let rest = ["sip:", "sips:", "tel:", "im:", "pres:", "urn:"]
        .iter()
        .find_map(|s| text.strip_prefix(s))
        .unwrap_or(text);
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, _)) => (user, ""),
        None => (rest, rest),
    };
    let user = user.split(['@', ';', '?']).next().unwrap_or("");
    // A password is no number, but who writes `a:911@b` may find a peer that splits elsewhere.
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let host = host.split([';', '?', ':']).next().unwrap_or("");
    [name, password, host].into_iter().filter(|c| !c.is_empty())
}

fn is_code(text: &str) -> bool {
    if text.chars().any(|c| c.is_alphabetic()) {
        return false; // A name is no number.
    }
    if text.chars().filter(|c| *c == '.').count() == 3 && text.parse::<std::net::Ipv4Addr>().is_ok()
    {
        return false; // Neither is an address.
    }
    let digits: String = text.chars().filter_map(digit).collect();
    if digits.is_empty() || digits.len() > SHORT_DIGITS_MAX + 2 {
        return false;
    }
    let behind = |codes: &[&str], access: &[&str]| {
        access.iter().any(|p| {
            digits
                .strip_prefix(p)
                .is_some_and(|rest| codes.contains(&rest))
        })
    };
    behind(EMERGENCY, ACCESS)
        || behind(TWO_DIGITS, &["", "0", "9"])
        || (digits.len() <= SHORT_DIGITS_MAX && ANYWHERE.iter().any(|c| digits.ends_with(c)))
}

/// The value of a decimal digit in the scripts that keyboards and handsets write.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 12] = [
        0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0E50, 0x0ED0, 0x17E0, 0xFF10,
        0x1D7CE,
    ];
    let c = c as u32;
    let zero = ZEROS.iter().find(|z| (**z..**z + 10).contains(&c))?;
    char::from_digit(c - zero, 10)
}

/// Undoes percent-escapes until none is left; `None` when they are nested too deep.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..UNESCAPES_MAX {
        match unescape(&text) {
            Some(once) => text = Cow::Owned(once),
            None => return Some(text),
        }
    }
    None
}

/// `None`: nothing to undo.
fn unescape(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let (mut i, mut found) = (0, false);
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(b) => {
                out.push(b);
                found = true;
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    found.then(|| String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ways of writing a number that helps; none of them leaves a demo or a test.
    const DRESSES: &[&str] = &[
        "911",
        "112",
        "999",
        "000",
        "110",
        "119",
        "+911",
        "+112",
        "9911",
        "9-911",
        "9,911",
        "0112",
        "00112",
        "1911",
        "011911",
        "90911",
        "99112",
        "(911)",
        "9.1.1",
        "9 1 1",
        "+49112",
        "+1911",
        "777911",
        "15",
        "017",
        "08",
        "sip:911@pbx",
        "SIP:911@x",
        "sip:112@10.0.0.1;transport=tcp",
        "sips:112@x",
        "sip:+112@x",
        "sip:911@x;user=phone",
        "sip:911;phone-context=+1@x",
        "sip:911:secret@host",
        "sip:911?Subject=x",
        "911@x",
        "tel:911",
        "tel:112;phone-context=+1",
        "tel:+1-911",
        "911;ext=1",
        "sip:911",
        "sip:%39%31%31@x",
        "sip:%2539%2531%2531@x",
        "sip:%252539%252531%252531@x",
        "%EF%BC%99%EF%BC%91%EF%BC%91",
        "\u{ff19}\u{ff11}\u{ff11}",
        "\u{0661}\u{0661}\u{0662}",
        "9\u{200b}1\u{200b}1",
        "9\u{a0}11",
        " 911 ",
        "urn:service:sos",
        "URN:service:SOS.police",
        "urn:service:sos.fire",
        "sos",
        "sip:sos@x",
        "sip:urn:service:sos@x",
        "urn%3Aservice%3Asos",
        "%25252525252539%25252525252531",
    ];

    #[test]
    fn emergency_numbers_in_every_dress() {
        assert!(DRESSES.len() >= 30);
        for dial in DRESSES {
            assert!(is_emergency(dial), "{dial}");
        }
        for dial in [
            "+4930123456",
            "1001",
            "2001",
            "sip:alice@example.org",
            "answer",
            "+12125550911",
            "agent0911",
            "700",
            "sip:bob@10.0.0.112",
            "sip:10.0.0.112",
            "sip:127.0.0.1:5060",
            "urn:service:test.sos",
            "sosumi",
            "sip:+4930112@x",
            "4930999112",
            "",
            "sip:@x",
            "%",
            "%zz",
        ] {
            assert!(!is_emergency(dial), "{dial}");
        }
    }

    #[test]
    fn messages_are_judged_by_every_address_in_them() {
        let message = |first: &str, extra: &str| {
            format!(
                "{first} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                 To: <sip:x@y>\r\nCall-ID: 1\r\nCSeq: 1 {}\r\nMax-Forwards: 70\r\n{extra}Content-Length: 0\r\n\r\n",
                first.split(' ').next().unwrap()
            )
        };
        for (message, want) in [
            (message("INVITE sip:911@gw", ""), true),
            (message("INVITE urn:service:sos", ""), true),
            (
                message("INVITE sip:x@gw", "Route: <sip:%31%31%32@gw;lr>\r\n"),
                true,
            ),
            (
                message("REFER sip:x@gw", "Refer-To: \"Help\" <tel:112>\r\n"),
                true,
            ),
            (message("MESSAGE sip:112@gw", ""), true),
            (
                message("INVITE sip:x@gw", "Route: <sip:10.0.0.112;lr>\r\n"),
                false,
            ),
            (message("INVITE sip:+4930123456@gw", ""), false),
            (message("OPTIONS sip:112@gw", ""), false),
            ("INVITE garbage".to_string(), true),
        ] {
            assert_eq!(reaches_emergency(message.as_bytes()), want, "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_between_the_digits_is_no_way_out(
            dress in proptest::sample::select(vec!["911", "112", "999"]),
            between in proptest::sample::select(vec!["", "-", ".", " ", "\u{200b}", "(", ")", "/", "%2D", "%20"]),
            around in proptest::sample::select(vec![("", ""), ("sip:", "@x"), ("tel:", ""), ("sips:", "@h;user=phone")]),
            escaped in proptest::bool::ANY,
        ) {
            let digits: Vec<String> = dress
                .bytes()
                .map(|b| if escaped { format!("%{b:02x}") } else { (b as char).to_string() })
                .collect();
            let dial = format!("{}{}{}", around.0, digits.join(between), around.1);
            proptest::prop_assert!(is_emergency(&dial), "{}", dial);
        }
    }
}
