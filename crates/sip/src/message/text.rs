//! The character classes of RFC 3261 25.1 and the small scanners the parsers share.

const TOKEN: u8 = 1;
const HOST: u8 = 2;

const CLASS: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut i = 0;
    while i < 256 {
        let c = i as u8;
        if c.is_ascii_alphanumeric() {
            table[i] = TOKEN | HOST;
        }
        i += 1;
    }
    let token = b"-.!%*_+`'~";
    let mut i = 0;
    while i < token.len() {
        table[token[i] as usize] |= TOKEN;
        i += 1;
    }
    // RFC 3261 has no underscore in host names; the internet has.
    let host = b"-._";
    let mut i = 0;
    while i < host.len() {
        table[host[i] as usize] |= HOST;
        i += 1;
    }
    table
};

/// `token`, not empty.
pub(crate) fn is_token(s: &[u8]) -> bool {
    !s.is_empty() && s.iter().all(|&c| CLASS[c as usize] & TOKEN != 0)
}

/// `callid = word [ "@" word ]` in RFC 3261; any visible character here, since some send base64 with
/// its `=`, and we only compare.
pub(crate) fn is_call_id(s: &[u8]) -> bool {
    !s.is_empty() && s.iter().all(|&c| c > b' ' && c != 0x7f)
}

pub(crate) fn is_token_char(c: u8) -> bool {
    CLASS[c as usize] & TOKEN != 0
}

/// Host name, IPv4 address, or IPv6 reference in brackets.
pub(crate) fn is_host(s: &str) -> bool {
    match s.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !s.is_empty() && s.bytes().all(|c| CLASS[c as usize] & HOST != 0),
    }
}

/// Digits only, up to `max`; `None` when empty, not a number, or larger.
pub(crate) fn number(s: &str, max: u64) -> Option<u64> {
    if s.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for c in s.bytes() {
        if !c.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(c - b'0'))?;
    }
    (value <= max).then_some(value)
}

/// Linear white space of one unfolded field, and of a folded one.
pub(crate) fn is_blank(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\r' | b'\n')
}

pub(crate) fn trim(s: &str) -> &str {
    let b = s.as_bytes();
    // Most values have nothing to trim; looking at two bytes is cheaper than two searches.
    match (b.first(), b.last()) {
        (Some(&first), Some(&last)) if !is_blank(first) && !is_blank(last) => s,
        _ => s.trim_matches([' ', '\t', '\r', '\n']),
    }
}

/// Position of the quote that closes the string opened at byte 0, escapes respected.
pub(crate) fn closing_quote(s: &str) -> Option<usize> {
    let b = s.as_bytes();
    let mut at = 1;
    while at < b.len() {
        let hit = at + memchr::memchr2(b'"', b'\\', &b[at..])?;
        if b[hit] == b'"' {
            return Some(hit);
        }
        at = hit + 2;
    }
    None
}

/// Splits at `separator` outside quotes and `<>`. The rest is `None` when there was no separator.
pub(crate) fn split_element(s: &str, separator: u8) -> (&str, Option<&str>) {
    let b = s.as_bytes();
    // The usual field is one element; then nothing else matters.
    if memchr::memchr(separator, b).is_none() {
        return (s, None);
    }
    let (mut at, mut angle) = (0, false);
    while at < b.len() {
        match b[at] {
            b'"' => match closing_quote(&s[at..]) {
                Some(end) => at += end,
                None => return (s, None),
            },
            b'<' => angle = true,
            b'>' => angle = false,
            c if c == separator && !angle => return (&s[..at], Some(&s[at + 1..])),
            _ => {}
        }
        at += 1;
    }
    (s, None)
}

/// The elements of a list, trimmed, empty ones left out (RFC 3261 7.3.1 forbids them, some send them).
pub(crate) fn split_list(s: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(s);
    std::iter::from_fn(move || {
        let (element, more) = split_element(rest?, b',');
        rest = more;
        Some(trim(element))
    })
    .filter(|element| !element.is_empty())
}
