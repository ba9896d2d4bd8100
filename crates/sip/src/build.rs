//! Writes messages. Append-only: fields stand in the order of the calls. Nothing a caller passes can
//! start a new line: CR, LF and NUL in a value become spaces, in a URI they and white space are
//! escaped, and a field whose name is no token is left out.

use crate::header::HeaderName;
use crate::message::{Message, Method, text};
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt::{self, Write};
use std::net::SocketAddr;

/// First allocation, in bytes: what a usual message takes.
const ROOM: usize = 1_024;

/// A message being written. Ends with [`Builder::finish`] or [`Builder::body`].
#[derive(Debug)]
pub struct Builder {
    out: BytesMut,
}

/// Writes text with its line breaks taken out.
struct Safe<'a>(&'a mut BytesMut);

impl Write for Safe<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        put_safe(self.0, s.as_bytes());
        Ok(())
    }
}

fn put_safe(out: &mut BytesMut, value: &[u8]) {
    if memchr::memchr3(b'\r', b'\n', 0, value).is_none() {
        out.put_slice(value);
    } else {
        out.extend(value.iter().map(|&c| {
            if matches!(c, b'\r' | b'\n' | 0) {
                b' '
            } else {
                c
            }
        }));
    }
}

fn put_number(out: &mut BytesMut, number: u64) {
    // Writing into a BytesMut cannot fail.
    let _ = write!(out, "{number}");
}

impl Builder {
    /// `METHOD uri SIP/2.0`. The URI is taken as written, escapes and all.
    pub fn request(method: &Method, uri: &str) -> Self {
        let mut out = BytesMut::with_capacity(ROOM);
        out.put_slice(method.as_str().as_bytes());
        out.put_u8(b' ');
        for &c in uri.as_bytes() {
            if c <= b' ' || c == 0x7f {
                let _ = write!(out, "%{c:02X}");
            } else {
                out.put_u8(c);
            }
        }
        out.put_slice(b" SIP/2.0\r\n");
        Self { out }
    }

    /// `SIP/2.0 status reason`.
    pub fn response(status: u16, reason: &str) -> Self {
        let mut out = BytesMut::with_capacity(ROOM);
        out.put_slice(b"SIP/2.0 ");
        put_number(&mut out, u64::from(status));
        out.put_u8(b' ');
        put_safe(&mut out, reason.as_bytes());
        out.put_slice(b"\r\n");
        Self { out }
    }

    /// A response with Via, From, To, Call-ID and CSeq of the request (RFC 3261 8.2.6.2). `to_tag` is
    /// added unless To has one. A 100 also gets the Timestamp (8.2.6.1).
    pub fn response_to(request: &Message, status: u16, reason: &str, to_tag: Option<&str>) -> Self {
        Self::response_from(request, None, status, reason, to_tag)
    }

    /// As [`Builder::response_to`], with `received` and `rport` of the topmost Via filled in from where
    /// the request came from (RFC 3261 18.2.1, RFC 3581 4).
    pub fn response_from(
        request: &Message,
        source: Option<SocketAddr>,
        status: u16,
        reason: &str,
        to_tag: Option<&str>,
    ) -> Self {
        let mut this = Self::response(status, reason);
        let mut top = true;
        for (_, _, value) in request.raw().filter(|(n, _, _)| *n == HeaderName::Via) {
            this.out.put_slice(b"Via: ");
            match source.filter(|_| top).zip(request.top_via()) {
                Some((source, via)) => this.put_via(value, via, source),
                None => this.out.put_slice(value),
            }
            this.out.put_slice(b"\r\n");
            top = false;
        }
        this.copy(request, HeaderName::From);
        if let Some((_, _, to)) = request.raw().find(|(n, _, _)| *n == HeaderName::To) {
            this.out.put_slice(b"To: ");
            this.out.put_slice(to);
            let tagged = request.to().is_some_and(|to| to.tag.is_some());
            if let (false, Some(tag)) = (tagged, to_tag) {
                this.out.put_slice(b";tag=");
                put_safe(&mut this.out, tag.as_bytes());
            }
            this.out.put_slice(b"\r\n");
        }
        this.copy(request, HeaderName::CallId);
        this.copy(request, HeaderName::CSeq);
        if status == 100 {
            this.copy(request, HeaderName::Timestamp);
        }
        this
    }

    /// The first element of `value` with `received` and `rport` replaced, the others as they are.
    fn put_via(&mut self, value: &[u8], via: crate::header_value::Via<'_>, source: SocketAddr) {
        let (_, rest) = match std::str::from_utf8(value) {
            Ok(value) => text::split_element(value, b','),
            Err(_) => return self.out.put_slice(value),
        };
        let _ = write!(self.out, "SIP/2.0/{} {}", via.transport, via.host);
        if let Some(port) = via.port {
            let _ = write!(self.out, ":{port}");
        }
        for p in via.params.iter() {
            let replaced =
                p.name.eq_ignore_ascii_case("received") || p.name.eq_ignore_ascii_case("rport");
            if replaced {
                continue;
            }
            match p.value {
                Some(v) if text::is_token(v.as_bytes()) || text::is_host(v) => {
                    let _ = write!(self.out, ";{}={v}", p.name);
                }
                Some(v) => {
                    let _ = write!(self.out, ";{}=\"{v}\"", p.name);
                }
                None => {
                    let _ = write!(self.out, ";{}", p.name);
                }
            }
        }
        let ip = source.ip().to_canonical();
        if via.rport.is_some() || via.host.trim_matches(['[', ']']).parse() != Ok(ip) {
            let _ = write!(self.out, ";received={ip}");
        }
        if via.rport.is_some() {
            let _ = write!(self.out, ";rport={}", source.port());
        }
        if let Some(rest) = rest {
            self.out.put_u8(b',');
            self.out.put_slice(rest.as_bytes());
        }
    }

    /// One field. `Other` is left out; it has no name.
    pub fn header(&mut self, name: HeaderName, value: &str) -> &mut Self {
        self.field(name.as_str().as_bytes(), value.as_bytes())
    }

    /// One field with formatted text, without a string in between.
    pub fn header_fmt(&mut self, name: HeaderName, value: fmt::Arguments<'_>) -> &mut Self {
        if name == HeaderName::Other {
            return self;
        }
        self.out.put_slice(name.as_str().as_bytes());
        self.out.put_slice(b": ");
        let _ = Safe(&mut self.out).write_fmt(value);
        self.out.put_slice(b"\r\n");
        self
    }

    /// One field of any name.
    pub fn other(&mut self, name: &str, value: &str) -> &mut Self {
        self.field(name.as_bytes(), value.as_bytes())
    }

    /// One field of any name with bytes as they are to stand.
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        if text::is_token(name) {
            self.out.put_slice(name);
            self.out.put_slice(b": ");
            put_safe(&mut self.out, value);
            self.out.put_slice(b"\r\n");
        }
        self
    }

    /// All fields of that name, in their order, byte for byte.
    pub fn copy(&mut self, from: &Message, name: HeaderName) -> &mut Self {
        for (_, written, value) in from.raw().filter(|(n, _, _)| *n == name) {
            let known = name.as_str().as_bytes();
            self.out
                .put_slice(if known.is_empty() { written } else { known });
            self.out.put_slice(b": ");
            // What was parsed has no line end inside; a NUL in a quoted pair stays (RFC 4475 3.1.1.2).
            self.out.put_slice(value);
            self.out.put_slice(b"\r\n");
        }
        self
    }

    /// Ends the message without a body.
    pub fn finish(&mut self) -> Bytes {
        self.out.put_slice(b"Content-Length: 0\r\n\r\n");
        std::mem::take(&mut self.out).freeze()
    }

    /// Ends the message with a body.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> Bytes {
        self.header(HeaderName::ContentType, content_type);
        self.out.put_slice(b"Content-Length: ");
        put_number(&mut self.out, body.len() as u64);
        self.out.put_slice(b"\r\n\r\n");
        self.out.put_slice(body);
        std::mem::take(&mut self.out).freeze()
    }
}

/// Phrases of RFC 3261 21 and later registrations, by status.
const REASONS: &[(u16, &str)] = &[
    (100, "Trying"),
    (180, "Ringing"),
    (181, "Call Is Being Forwarded"),
    (182, "Queued"),
    (183, "Session Progress"),
    (200, "OK"),
    (202, "Accepted"),
    (204, "No Notification"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (410, "Gone"),
    (412, "Conditional Request Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (423, "Interval Too Brief"),
    (428, "Use Identity Header"),
    (429, "Provide Referrer Identity"),
    (430, "Flow Failed"),
    (433, "Anonymity Disallowed"),
    (436, "Bad Identity Info"),
    (437, "Unsupported Credential"),
    (438, "Invalid Identity Header"),
    (439, "First Hop Lacks Outbound Support"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (489, "Bad Event"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (494, "Security Agreement Required"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (513, "Message Too Large"),
    (555, "Push Notification Service Not Supported"),
    (580, "Precondition Failure"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
    (606, "Not Acceptable"),
    (607, "Unwanted"),
    (608, "Rejected"),
];

/// The registered phrase; by class for others.
pub fn reason_phrase(status: u16) -> &'static str {
    match REASONS.binary_search_by_key(&status, |(code, _)| *code) {
        Ok(at) => REASONS[at].1,
        Err(_) => match status / 100 {
            1 => "Progress",
            2 => "OK",
            3 => "Redirect",
            4 => "Client Error",
            5 => "Server Error",
            _ => "Global Failure",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{Verdict, validate};
    use cp_vocab::net::Transport;
    use expect_test::expect;
    use proptest::prelude::*;

    fn parse(bytes: Bytes) -> Message {
        Message::parse(bytes).expect("what we write is a message")
    }

    const REQUEST: &str = "INVITE sip:a@b SIP/2.0\r\n\
        v: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1;x=\"y z\" , SIP/2.0/TCP far;branch=2\r\n\
        Via: SIP/2.0/TCP further;branch=3\r\nf: <sip:c@d>;tag=1\r\nt: <sip:a@b>\r\ni: id\r\nCSeq: 1 INVITE\r\n\
        Record-Route: <sip:p1;lr>\r\nTimestamp: 54\r\n\r\n";

    #[test]
    fn a_response_copies_what_it_must() {
        let request = parse(Bytes::from_static(REQUEST.as_bytes()));
        let source = "192.0.2.7:4711".parse().ok();
        let bytes = Builder::response_from(&request, source, 180, reason_phrase(180), Some("t2"))
            .copy(&request, HeaderName::RecordRoute)
            .header(HeaderName::Contact, "<sip:us>")
            .finish();
        expect![[r#"
            SIP/2.0 180 Ringing
            Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;x="y z";received=192.0.2.7;rport=4711, SIP/2.0/TCP far;branch=2
            Via: SIP/2.0/TCP further;branch=3
            From: <sip:c@d>;tag=1
            To: <sip:a@b>;tag=t2
            Call-ID: id
            CSeq: 1 INVITE
            Record-Route: <sip:p1;lr>
            Contact: <sip:us>
            Content-Length: 0

        "#]]
        .assert_eq(&String::from_utf8_lossy(&bytes).replace('\r', ""));
        let trying = parse(Builder::response_to(&request, 100, "Trying", None).finish());
        assert_eq!(trying.header(HeaderName::Timestamp), Some("54"));
        assert_eq!(trying.to().map(|t| t.tag), Some(None));
        assert_eq!(trying.top_via().and_then(|v| v.rport), Some(None));
    }

    #[test]
    fn received_is_left_out_where_it_says_nothing_new() {
        let request = REQUEST
            .replace(";rport", "")
            .replace("10.0.0.1", "[2001:db8::1]");
        let request = parse(request.into());
        let via = |source: &str| {
            let source = source.parse().ok();
            let m = parse(Builder::response_from(&request, source, 200, "OK", None).finish());
            let via = m.top_via().expect("a Via");
            (via.received.map(str::to_owned), via.rport)
        };
        assert_eq!(via("[2001:db8::1]:9"), (None, None));
        assert_eq!(via("[2001:db8::2]:9"), (Some("2001:db8::2".into()), None));
    }

    #[test]
    fn nothing_starts_a_new_line() {
        let evil = "x\r\nInjected: y\n\nz\0";
        let method = Method::from_token("INFO");
        let mut b = Builder::request(&method, "sip:a@b \r\nInjected: y");
        b.header(HeaderName::Subject, evil)
            .header_fmt(HeaderName::Reason, format_args!("a{evil}b"))
            .other("X-Name", evil)
            .other("X-Na\r\nme", "y")
            .other("X Name", "y")
            .other("", "y")
            .header(HeaderName::Other, "y");
        let m = parse(b.body(evil, b"body"));
        let names: Vec<_> = m.all().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "Subject",
                "Reason",
                "X-Name",
                "Content-Type",
                "Content-Length"
            ]
        );
        assert_eq!(m.uri(), "sip:a@b%20%0D%0AInjected:%20y");
        assert_eq!((m.defect(), m.body()), (None, &b"body"[..]));
        let m = parse(Builder::response(200, evil).finish());
        assert_eq!(m.all().count(), 1);
        assert!(m.reason().starts_with("x  Injected: y"));
    }

    #[test]
    fn a_phrase_for_every_status() {
        assert_eq!(
            (reason_phrase(486), reason_phrase(499)),
            ("Busy Here", "Client Error")
        );
        assert!(REASONS.is_sorted());
        assert!((100..700).all(|status| !reason_phrase(status).is_empty()));
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(
            user in "\\PC{1,20}",
            display in "[a-zA-Z0-9 äöü]{0,20}",
            tag in "[a-z0-9]{1,20}",
            call_id in "[a-zA-Z0-9@.-]{1,30}",
            number in 0_u32..=0x7fff_ffff,
            extra in proptest::collection::vec(("X-[a-zA-Z0-9]{1,20}", "\\PC{0,40}"), 0..20),
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let uri = format!("sip:{}@h.example:5070;lr", crate::uri::encode_user(&user));
            let mut b = Builder::request(&Method::Message, &uri);
            b.header(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bKx")
                .header_fmt(HeaderName::From, format_args!("\"{display}\" <{uri}>;tag={tag}"))
                .header_fmt(HeaderName::To, format_args!("<{uri}>"))
                .header(HeaderName::CallId, &call_id)
                .header_fmt(HeaderName::CSeq, format_args!("{number} MESSAGE"));
            for (name, value) in &extra {
                b.other(name, value);
            }
            let m = parse(b.body("text/plain", &body));
            prop_assert_eq!(validate(&m, Transport::Tcp), Verdict::Ok);
            prop_assert_eq!(m.uri(), uri.as_str());
            let from = m.from().expect("a From");
            prop_assert_eq!((from.display, from.uri, from.tag), (display.as_str(), uri.as_str(), Some(tag.as_str())));
            prop_assert_eq!(m.call_id(), call_id);
            prop_assert_eq!(m.cseq().map(|c| c.number), Some(number));
            prop_assert_eq!(m.body(), &body[..]);
            let blank = [' ', '\t'];
            let got: Vec<_> = m.all().filter(|(n, _)| n.starts_with("X-")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            let want: Vec<_> = extra.iter().map(|(n, v)| (n.clone(), v.trim_matches(blank).to_owned())).collect();
            prop_assert_eq!(got, want);
        }
    }
}
