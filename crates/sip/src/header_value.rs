//! Typed views of header values. Each borrows from the message and is strict about the grammar of
//! RFC 3261 25.1 where a guess would be a guess about who is called or who answers.

use crate::message::Method;
use crate::message::text;
use std::borrow::Cow;

/// `;name=value;name` after a value. Iterates trimmed names and values, quotes removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Params<'a>(pub &'a str);

impl<'a> Params<'a> {
    /// Value of a parameter, names in any case: `Some("")` for a flag.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|p| p.name.eq_ignore_ascii_case(name))
            .map(|p| p.value.unwrap_or(""))
    }

    /// Each parameter in order. Ill-formed ones are given with an empty name.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut rest = Some(text::trim(self.0)).filter(|s| !s.is_empty());
        if let Some(s) = rest {
            rest = Some(s.strip_prefix(';').unwrap_or(s));
        }
        std::iter::from_fn(move || {
            let (element, more) = text::split_element(rest?, b';');
            // One `;` too many at the end is common and harmless.
            rest = more.filter(|more| !text::trim(more).is_empty());
            Some(Param::parse(element))
        })
    }
}

/// One parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// Empty when the parameter cannot be read.
    pub name: &'a str,
    pub value: Option<&'a str>,
}

impl<'a> Param<'a> {
    fn parse(s: &'a str) -> Self {
        let bad = Self {
            name: "",
            value: None,
        };
        let (name, value) = match memchr::memchr(b'=', s.as_bytes()) {
            Some(at) => (text::trim(&s[..at]), Some(text::trim(&s[at + 1..]))),
            None => (text::trim(s), None),
        };
        if !text::is_token(name.as_bytes()) {
            return bad;
        }
        let value = match value {
            None => None,
            Some(v) if v.starts_with('"') => match text::closing_quote(v) {
                Some(end) if end + 1 == v.len() => Some(&v[1..end]),
                _ => return bad,
            },
            Some(v) if v.is_empty() || v.bytes().any(|c| c <= b' ' || c == b',' || c == b'"') => {
                return bad;
            }
            some => some,
        };
        Self { name, value }
    }
}

/// Top of a Via list or any of its values (RFC 3261 20.42).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Via<'a> {
    /// As written: `UDP`, `TCP`, `TLS`, `WS`, `WSS`, or any other.
    pub transport: &'a str,
    /// `sent-by`, IPv6 with its brackets.
    pub host: &'a str,
    pub port: Option<u16>,
    pub branch: Option<&'a str>,
    pub received: Option<&'a str>,
    /// RFC 3581: absent, asked for (`Some(None)`), or filled in.
    pub rport: Option<Option<u16>>,
    pub params: Params<'a>,
    /// Of `SIP/2.0/UDP`.
    pub version: &'a str,
}

impl<'a> Via<'a> {
    pub fn parse(s: &'a str) -> Option<Self> {
        let mut parts = s.splitn(3, '/');
        let protocol = text::trim(parts.next()?);
        let version = text::trim(parts.next()?);
        let rest = text::trim(parts.next()?);
        let at = rest.bytes().position(text::is_blank)?;
        let (transport, rest) = (&rest[..at], text::trim(&rest[at..]));
        let (sent_by, params) = match memchr::memchr(b';', rest.as_bytes()) {
            Some(at) => (text::trim(&rest[..at]), &rest[at..]),
            None => (rest, ""),
        };
        let (host, port) = host_port(sent_by)?;
        if !protocol.eq_ignore_ascii_case("SIP") || !text::is_token(transport.as_bytes()) {
            return None;
        }
        let mut via = Self {
            transport,
            host,
            port,
            branch: None,
            received: None,
            rport: None,
            params: Params(params),
            version,
        };
        for param in via.params.iter() {
            if param.name.is_empty() {
                return None;
            } else if param.name.eq_ignore_ascii_case("branch") {
                via.branch = param.value;
            } else if param.name.eq_ignore_ascii_case("received") {
                via.received = param.value;
            } else if param.name.eq_ignore_ascii_case("rport") {
                via.rport = Some(match param.value {
                    Some(port) => Some(text::number(port, 65_535)? as u16),
                    None => None,
                });
            }
        }
        Some(via)
    }

    /// Branch made by an RFC 3261 element: the cookie and something after it (RFC 4475 3.2.1). Others
    /// are matched by the rules of RFC 3261 17.2.3 for RFC 2543.
    pub fn rfc3261_branch(&self) -> Option<&'a str> {
        self.branch.filter(|b| {
            b.get(..7)
                .is_some_and(|c| c.eq_ignore_ascii_case("z9hG4bK"))
                && b.len() > 7
        })
    }
}

/// `host [":" port]`, white space around the colon allowed as in Via.
pub fn host_port(s: &str) -> Option<(&str, Option<u16>)> {
    let colon = match s.strip_prefix('[') {
        Some(_) => {
            let end = s.find(']')?;
            s[end..].find(':').map(|at| at + end)
        }
        None => memchr::memchr(b':', s.as_bytes()),
    };
    let (host, port) = match colon {
        Some(at) => {
            let port = text::number(text::trim(&s[at + 1..]), 65_535)?;
            (text::trim(&s[..at]), Some(port as u16))
        }
        None => (s, None),
    };
    text::is_host(host).then_some((host, port))
}

/// `name-addr` or `addr-spec` with parameters: From, To, Contact, Route, Refer-To and others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameAddr<'a> {
    /// Without the quotes around it, escapes as written; see [`NameAddr::display_text`].
    pub display: &'a str,
    /// As written, escapes kept.
    pub uri: &'a str,
    pub tag: Option<&'a str>,
    /// Of the header field, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    pub fn parse(s: &'a str) -> Option<Self> {
        let s = text::trim(s);
        let b = s.as_bytes();
        let (display, uri, rest) = if b.first() == Some(&b'"') {
            let end = text::closing_quote(s)?;
            let rest = text::trim(&s[end + 1..]);
            let close = memchr::memchr(b'>', rest.as_bytes())?;
            (
                &s[1..end],
                rest.strip_prefix('<')?.get(..close.checked_sub(1)?)?,
                &rest[close + 1..],
            )
        } else if let Some(open) = memchr::memchr(b'<', b) {
            let close = open + memchr::memchr(b'>', &b[open..])?;
            let display = text::trim(&s[..open]);
            // RFC 3261 25.1 has tokens and spaces. What cannot be taken for something else is let
            // through; a comma or a semicolon can (RFC 4475 3.1.2.15).
            let plain = display
                .bytes()
                .all(|c| (c >= b' ' || c == b'\t') && !b",;\"\\\x7f".contains(&c));
            if !plain {
                return None;
            }
            (display, &s[open + 1..close], &s[close + 1..])
        } else {
            // RFC 3261 20: without <> everything after `;` belongs to the header field, and a URI
            // with `?` or a comma needs the <>.
            let end = memchr::memchr(b';', b).unwrap_or(b.len());
            let uri = text::trim(&s[..end]);
            if uri.bytes().any(|c| c == b'?' || c == b',') {
                return None;
            }
            ("", uri, &s[end..])
        };
        let rest = text::trim(rest);
        if !has_scheme(uri) || !(rest.is_empty() || rest.starts_with(';')) {
            return None;
        }
        let params = Params(rest);
        let mut tag = None;
        for param in params.iter() {
            if param.name.is_empty() {
                return None;
            }
            if param.name.eq_ignore_ascii_case("tag") {
                tag = param.value;
            }
        }
        Some(Self {
            display,
            uri,
            tag,
            params,
        })
    }

    /// Display name with `\x` escapes undone.
    pub fn display_text(&self) -> Cow<'a, str> {
        if !self.display.contains('\\') {
            return Cow::Borrowed(self.display);
        }
        let mut text = String::with_capacity(self.display.len());
        let mut chars = self.display.chars();
        while let Some(c) = chars.next() {
            text.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        Cow::Owned(text)
    }

    /// The `expires` parameter of a contact, in seconds.
    pub fn expires(&self) -> Option<u32> {
        seconds(self.params.get("expires")?)
    }

    /// The `q` parameter of a contact in thousandths; 1000 when absent or unreadable.
    pub fn q(&self) -> u16 {
        self.params
            .get("q")
            .and_then(|q| q.parse::<f32>().ok())
            .filter(|q| (0.0..=1.0).contains(q))
            .map_or(1_000, |q| (q * 1_000.0).round() as u16)
    }
}

/// Scheme, colon, something after it, and no white space or angle bracket.
fn has_scheme(uri: &str) -> bool {
    let b = uri.as_bytes();
    let Some(colon) = memchr::memchr(b':', b) else {
        return false;
    };
    colon > 0
        && colon + 1 < b.len()
        && b[0].is_ascii_alphabetic()
        && b[..colon]
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'))
        && b.iter()
            .all(|&c| c > b' ' && !matches!(c, b'<' | b'>' | b'"'))
}

/// CSeq (RFC 3261 20.16).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    /// The number must be below 2^31 (RFC 3261 8.1.1.5).
    pub fn parse(s: &str) -> Option<Self> {
        let at = s.bytes().position(text::is_blank)?;
        let number = text::number(&s[..at], u64::from(u32::MAX >> 1))? as u32;
        let method = text::trim(&s[at..]);
        text::is_token(method.as_bytes()).then(|| Self {
            number,
            method: Method::from_token(method),
        })
    }
}

/// RAck (RFC 3262 7.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RAck {
    pub rseq: u32,
    pub cseq: CSeq,
}

impl RAck {
    pub fn parse(s: &str) -> Option<Self> {
        let at = s.bytes().position(text::is_blank)?;
        let rseq = text::number(&s[..at], u64::from(u32::MAX))? as u32;
        let cseq = CSeq::parse(text::trim(&s[at..]))?;
        Some(Self { rseq, cseq })
    }
}

/// Session-Expires (RFC 4028 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresher {
    Uac,
    Uas,
}

impl SessionExpires {
    pub fn parse(s: &str) -> Option<Self> {
        let (value, params) = s.split_at(memchr::memchr(b';', s.as_bytes()).unwrap_or(s.len()));
        let refresher = match Params(params).get("refresher") {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self {
            seconds: seconds(text::trim(value))?,
            refresher,
        })
    }
}

/// Replaces (RFC 3891 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaces<'a> {
    pub call_id: &'a str,
    pub to_tag: &'a str,
    pub from_tag: &'a str,
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    pub fn parse(s: &'a str) -> Option<Self> {
        let (call_id, params) = s.split_at(memchr::memchr(b';', s.as_bytes())?);
        let params = Params(params);
        Some(Self {
            call_id: text::trim(call_id),
            to_tag: params.get("to-tag")?,
            from_tag: params.get("from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }
}

/// Delta-seconds: all digits; more than 32 bits counts as the most there is.
pub fn seconds(s: &str) -> Option<u32> {
    if s.is_empty() || !s.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    Some(s.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_that_read() {
        for (s, display, uri, tag) in [
            ("sip:a@b", "", "sip:a@b", None),
            ("sip:a@b;tag=1;x", "", "sip:a@b", Some("1")),
            (
                "<sip:a@b;tag=no>;TAG=\"q;,\"",
                "",
                "sip:a@b;tag=no",
                Some("q;,"),
            ),
            (
                "Anna B. <sip:a@b> ; tag = 1",
                "Anna B.",
                "sip:a@b",
                Some("1"),
            ),
            (
                "\"a<b>, \\\"c\\\\\"<tel:1>",
                "a<b>, \\\"c\\\\",
                "tel:1",
                None,
            ),
            ("A&B (home) #1 <sip:a@b>", "A&B (home) #1", "sip:a@b", None),
            ("Müller <sip:a@b>;tag=1;", "Müller", "sip:a@b", Some("1")),
            (
                "<sip:a@b?Replaces=x%3Bto-tag%3D1,2>",
                "",
                "sip:a@b?Replaces=x%3Bto-tag%3D1,2",
                None,
            ),
        ] {
            let got = NameAddr::parse(s).map(|a| (a.display, a.uri, a.tag));
            assert_eq!(got, Some((display, uri, tag)), "{s}");
        }
    }

    #[test]
    fn addresses_that_do_not() {
        for s in [
            "",
            "a@b",
            "<>",
            "<sip:a@b",
            "sip:a@b>",
            "\"x <sip:a@b>",
            "\"x\"",
            "\"x\" sip:a@b",
            "\"x\"<",
            "<sip:a@b>x",
            "<sip:a@b>;;",
            "<sip:a@b>;=1",
            "<sip:a@b>;tag=",
            "<sip:a@b>;tag=a b",
            "<sip:a@b>;t=\"x",
            "A, B <sip:a@b>",
            "A;B <sip:a@b>",
            "A\x07B <sip:a@b>",
            "<sip:a @b>",
            "< sip:a@b>",
            "sip:a@b?x=y",
            "sip:a,b",
            "<1:a>",
            "<sip:>",
        ] {
            assert_eq!(NameAddr::parse(s), None, "{s}");
        }
    }

    #[test]
    fn vias() {
        let via = Via::parse("SIP/2.0/WSS 5j0.invalid;branch=z9hG4bK;rport=7;received=::1;keep")
            .expect("a Via");
        assert_eq!(
            (via.transport, via.host, via.port),
            ("WSS", "5j0.invalid", None)
        );
        assert_eq!((via.rport, via.received), (Some(Some(7)), Some("::1")));
        assert_eq!(
            (via.rfc3261_branch(), via.params.get("keep")),
            (None, Some(""))
        );
        for s in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 h",
            "XIP/2.0/UDP h",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP h;rport=x",
            "SIP/2.0/UDP h;;branch=1",
            "SIP/2.0/UDP h i",
            "SIP/2.0/UDP ;branch=1",
        ] {
            assert_eq!(Via::parse(s), None, "{s}");
        }
    }

    #[test]
    fn small_values() {
        assert_eq!(
            RAck::parse("776656 1 INVITE").map(|r| (r.rseq, r.cseq.number)),
            Some((776_656, 1))
        );
        assert_eq!(RAck::parse("1 INVITE"), None);
        let timer = SessionExpires::parse("1800 ; refresher = UAS").expect("a timer");
        assert_eq!(
            (timer.seconds, timer.refresher),
            (1_800, Some(Refresher::Uas))
        );
        assert_eq!(SessionExpires::parse("soon"), None);
        let replaces = Replaces::parse("a@b;from-tag=1;to-tag=2;early-only").expect("a dialog");
        assert_eq!(
            (replaces.call_id, replaces.from_tag, replaces.to_tag),
            ("a@b", "1", "2")
        );
        assert!(replaces.early_only);
        assert_eq!(Replaces::parse("a@b;from-tag=1"), None);
        assert_eq!(
            (
                seconds("60"),
                seconds("99999999999"),
                seconds("-1"),
                seconds("")
            ),
            (Some(60), Some(u32::MAX), None, None)
        );
        assert_eq!(CSeq::parse("1INVITE"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(s in "[ -~ü\"<>;=,:/\\\\]{0,60}") {
            if let Some(a) = NameAddr::parse(&s) {
                let _ = (a.display_text(), a.expires(), a.q());
            }
            let _ = Via::parse(&s);
            let _ = Via::parse(&format!("SIP/2.0/UDP {s}"));
            let _ = (CSeq::parse(&s), RAck::parse(&s), Replaces::parse(&s), SessionExpires::parse(&s));
            prop_assert!(Params(&s).iter().count() <= s.len() + 1);
            prop_assert!(crate::message::text::split_list(&s).all(|e| !e.is_empty()));
        }
    }
}
