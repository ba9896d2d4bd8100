//! URIs as they are written: escapes are kept, since a server in the middle must pass
//! `sip:%2A98%23@h` on as it came.

use crate::header_value::{Params, host_port};
use crate::message::text;
use std::borrow::Cow;

/// A `sip:`, `sips:` or `tel:` URI (RFC 3261 19.1, RFC 3966); others keep scheme and the rest in `user`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SipUri<'a> {
    /// As written.
    pub scheme: &'a str,
    /// Escapes and user parameters as written; the number of a `tel:` URI. `None` without a user part.
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    /// IPv6 with its brackets; empty for `tel:`.
    pub host: &'a str,
    pub port: Option<u16>,
    pub params: Params<'a>,
    /// After `?`, as written.
    pub headers: &'a str,
}

impl<'a> SipUri<'a> {
    /// `None` when it is not `scheme:…`, or a SIP URI without a proper host and port.
    pub fn parse(s: &'a str) -> Option<Self> {
        let (scheme, rest) = s.split_once(':')?;
        let mut letters = scheme.bytes();
        let scheme_ok = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'));
        if !scheme_ok
            || rest.is_empty()
            || rest.bytes().any(|c| c <= b' ' || c == b'<' || c == b'>')
        {
            return None;
        }
        let mut uri = Self {
            scheme,
            user: None,
            password: None,
            host: "",
            port: None,
            params: Params(""),
            headers: "",
        };
        if !is_sip(scheme) {
            let end = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
            let is_tel = scheme.eq_ignore_ascii_case("tel");
            let (user, params) = if is_tel {
                rest.split_at(end)
            } else {
                (rest, "")
            };
            uri.user = Some(user);
            uri.params = Params(params);
            return (!user.is_empty()).then_some(uri);
        }
        // The user part may hold `;`, `?` and `:`, but `@` only escaped, so the first one ends it.
        let rest = match memchr::memchr(b'@', rest.as_bytes()) {
            Some(at) => {
                let (user, password) = match rest[..at].split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (&rest[..at], None),
                };
                if user.is_empty() || !escapes_are_whole(&rest[..at]) {
                    return None;
                }
                uri.user = Some(user);
                uri.password = password;
                &rest[at + 1..]
            }
            None => rest,
        };
        let (rest, headers) = match memchr::memchr(b'?', rest.as_bytes()) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        let (host, params) = match memchr::memchr(b';', rest.as_bytes()) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        (uri.host, uri.port) = host_port(host)?;
        uri.params = Params(params);
        uri.headers = headers;
        Some(uri)
    }

    pub fn is_secure(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("sips")
    }

    pub fn is_sip(&self) -> bool {
        is_sip(self.scheme)
    }

    pub fn is_tel(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("tel")
    }

    /// Loose routing (RFC 3261 16.12).
    pub fn is_loose_route(&self) -> bool {
        self.params.get("lr").is_some()
    }

    /// User part with escapes undone, for looking people and numbers up; empty without one.
    pub fn user_decoded(&self) -> Cow<'a, str> {
        decode(self.user.unwrap_or(""))
    }

    /// Number or name that is called: the decoded user without its own parameters (`;phone-context=`)
    /// and without the visual separators of a number that begins with `+` (RFC 3966 5.1.1).
    pub fn dialled(&self) -> Cow<'a, str> {
        let user = self.user.unwrap_or("");
        let user = decode(&user[..memchr::memchr(b';', user.as_bytes()).unwrap_or(user.len())]);
        let separator = |c| matches!(c, '-' | '.' | '(' | ')');
        if user.starts_with('+') && user.contains(separator) {
            Cow::Owned(user.replace(separator, ""))
        } else {
            user
        }
    }

    /// The rules of RFC 3261 19.1.4, for finding a contact again.
    pub fn equivalent(&self, other: &SipUri<'_>) -> bool {
        const MUST_MATCH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        let same = |a: Option<&str>, b: Option<&str>| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => decode(a) == decode(b),
            _ => false,
        };
        let (mine, theirs) = (self.params, other.params);
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && same(self.user, other.user)
            && same(self.password, other.password)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
            && MUST_MATCH
                .iter()
                .all(|name| match (mine.get(name), theirs.get(name)) {
                    (Some(a), Some(b)) => decode(a).eq_ignore_ascii_case(&decode(b)),
                    (a, b) => a.is_none() && b.is_none(),
                })
            // Of a parameter that is there twice (which none may be) the first counts, on both sides.
            && mine.iter().all(|p| match (mine.get(p.name), theirs.get(p.name)) {
                (Some(a), Some(b)) => decode(a).eq_ignore_ascii_case(&decode(b)),
                _ => true,
            })
            && self.headers.eq_ignore_ascii_case(other.headers)
    }
}

fn is_sip(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")
}

/// Every `%` has two hex digits after it.
fn escapes_are_whole(s: &str) -> bool {
    let b = s.as_bytes();
    memchr::memchr_iter(b'%', b).all(
        |at| matches!(b.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit)),
    )
}

/// Undoes `%hh`. What does not decode to UTF-8 is read as Latin-1; a broken escape stays as it is.
pub fn decode(s: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', s.as_bytes()).is_none() {
        return Cow::Borrowed(s);
    }
    let b = s.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut at = 0;
    while at < b.len() {
        let hex = (b[at] == b'%')
            .then(|| s.get(at + 1..at + 3))
            .flatten()
            .filter(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(b[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    Cow::Owned(match String::from_utf8(out) {
        Ok(text) => text,
        Err(e) => e.as_bytes().iter().map(|&c| char::from(c)).collect(),
    })
}

/// Escapes a user part for a SIP URI (RFC 3261 25.1 `user-unreserved`).
pub fn encode_user(s: &str) -> Cow<'_, str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&c);
    if s.bytes().all(plain) {
        return Cow::Borrowed(s);
    }
    let mut out = String::with_capacity(s.len() + 8);
    for c in s.bytes() {
        if plain(c) {
            out.push(char::from(c));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(HEX[usize::from(c >> 4)]));
            out.push(char::from(HEX[usize::from(c & 15)]));
        }
    }
    Cow::Owned(out)
}

/// Whether it can be dialled as it is: `+` and digits, or digits, `*` and `#`.
pub fn is_number(s: &str) -> bool {
    let digits = s.strip_prefix('+').unwrap_or(s);
    !digits.is_empty() && text::trim(digits) == digits && {
        let plus = digits.len() < s.len();
        digits
            .bytes()
            .all(|c| c.is_ascii_digit() || (!plus && matches!(c, b'*' | b'#')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sip(s: &str) -> SipUri<'_> {
        SipUri::parse(s).unwrap_or_else(|| panic!("{s} is a URI"))
    }

    #[test]
    fn parts_are_found_and_escapes_kept() {
        let uri =
            sip("sips:%2A98%23:pa%20ss@[2001:db8::1]:5061;transport=TLS;lr?Subject=a&Route=b");
        assert_eq!(
            (uri.scheme, uri.user, uri.password),
            ("sips", Some("%2A98%23"), Some("pa%20ss"))
        );
        assert_eq!((uri.host, uri.port), ("[2001:db8::1]", Some(5061)));
        assert_eq!(uri.params.get("Transport"), Some("TLS"));
        assert_eq!(uri.headers, "Subject=a&Route=b");
        assert!(uri.is_secure() && uri.is_loose_route());
        assert_eq!(
            (uri.user_decoded(), uri.dialled()),
            ("*98#".into(), "*98#".into())
        );
        let tel = sip("tel:+49-30-1234;phone-context=x");
        assert_eq!(
            (tel.dialled(), tel.params.get("phone-context")),
            ("+49301234".into(), Some("x"))
        );
        assert_eq!(
            sip("sip:+1-212;phone-context=x@h;user=phone").dialled(),
            "+1212"
        );
        assert_eq!(sip("sip:j.r@h").dialled(), "j.r");
        assert_eq!(sip("sip:h").user, None);
        assert_eq!(sip("urn:service:sos").user, Some("service:sos"));
    }

    #[test]
    fn what_is_no_uri() {
        for s in [
            "",
            "sip",
            "sip:",
            ":x",
            "1sip:a@h",
            "sip:@h",
            "sip:a@",
            "sip:a@h:x",
            "sip:a@h:65536",
            "sip:a@h i",
            "sip:a@<h>",
            "sip:a@[::1",
            "sip:a@[zz]",
            "sip:a%4@h",
            "sip:a@h@i",
            "tel:",
            "sip:a@h/x",
        ] {
            assert_eq!(SipUri::parse(s), None, "{s}");
        }
    }

    #[test]
    fn equivalence_as_in_rfc3261_19_1_4() {
        for (a, b, same) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
                true,
            ),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com;newparam=5",
                true,
            ),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;newparam=5",
                true,
            ),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;security=off",
                false,
            ),
            ("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", false),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
            (
                "sip:bob@biloxi.com",
                "sip:bob@biloxi.com;transport=udp",
                false,
            ),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com", false),
            ("sip:bob@biloxi.com", "sip:biloxi.com", false),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next",
                false,
            ),
        ] {
            assert_eq!(sip(a).equivalent(&sip(b)), same, "{a} {b}");
            assert_eq!(sip(b).equivalent(&sip(a)), same, "{b} {a}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(decode("%2A%zz%4%+1%"), "*%zz%4%+1%");
        assert_eq!(decode("M%FCller %C3%BC"), "Müller Ã¼");
        assert_eq!(decode("%C3%BC"), "ü");
        assert_eq!(encode_user("a#b@c ü"), "a%23b%40c%20%C3%BC");
        assert!(is_number("+4930") && is_number("*98#"));
        assert!(!is_number("+") && !is_number("") && !is_number("+49*") && !is_number("a"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_users_survive(s in "\\PC{0,60}", user in "\\PC{1,20}") {
            let _ = SipUri::parse(&s);
            let _ = SipUri::parse(&format!("sip:{s}"));
            let _ = decode(&s);
            let text = format!("sip:{}@h", encode_user(&user));
            let uri = SipUri::parse(&text);
            prop_assert_eq!(uri.map(|u| u.user_decoded().into_owned()), Some(user));
        }
    }
}
