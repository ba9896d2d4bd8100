//! Judges a parsed message before anything acts on it: what is answered with an error at once, what is
//! dropped, what goes on (RFC 3261 8.2, 16.3, 18.3; the messages of RFC 4475 are its test).

use crate::header::HeaderName;
use crate::header_value::{CSeq, NameAddr, Via};
use crate::message::{Defect, Message, Method, text};
use crate::uri::SipUri;
use cp_vocab::net::Transport;
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// Methods we answer; the Allow header of 405, 501 and of every INVITE and OPTIONS.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, REGISTER, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE, PUBLISH";
/// Option tags a peer may require of us.
pub const SUPPORTED: &[&str] = &[
    "100rel",
    "timer",
    "replaces",
    "norefersub",
    "path",
    "outbound",
];
/// The Supported header for [`SUPPORTED`].
pub const SUPPORTED_VALUE: &str = "100rel, timer, replaces, norefersub, path, outbound";
/// Most Via values of one message: as many as Max-Forwards can count down from its usual 70. A message
/// beyond is answered 400.
pub const VIA_MAX: usize = 71;

/// What becomes of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Ok,
    /// Answer the request with this at once, without state.
    Reply {
        status: u16,
        reason: &'static str,
        headers: SmallVec<[(HeaderName, Cow<'static, str>); 1]>,
    },
    /// Say nothing: a response or an ACK that cannot be used, or no way to answer.
    Drop,
}

/// Judges `message` that came over `transport`. Cheap: reads each field once.
pub fn validate(message: &Message, transport: Transport) -> Verdict {
    let checked = match message.is_request() {
        true => request(message),
        false => response(message),
    };
    let Err(Refusal(status, reason, header)) = checked.and_then(|()| on(transport, message)) else {
        return Verdict::Ok;
    };
    // No answer to a response or an ACK, nor without a Via to copy (RFC 3261 8.2.6.2). A Via that
    // cannot be read is copied all the same: the answer goes to where the request came from.
    let answerable = message.is_request()
        && message.method() != Method::Ack
        && message.header(HeaderName::Via).is_some();
    if !answerable {
        return Verdict::Drop;
    }
    Verdict::Reply {
        status,
        reason,
        headers: header.map_or_else(SmallVec::new, |h| smallvec![h]),
    }
}

/// Status, reason phrase, and the header that must go with it.
struct Refusal(u16, &'static str, Option<(HeaderName, Cow<'static, str>)>);

fn bad(reason: &'static str) -> Result<(), Refusal> {
    Err(Refusal(400, reason, None))
}

fn check(ok: bool, reason: &'static str) -> Result<(), Refusal> {
    if ok { Ok(()) } else { bad(reason) }
}

fn request(m: &Message) -> Result<(), Refusal> {
    if let Some(defect) = m.defect() {
        return Err(of_defect(defect));
    }
    let vias = vias(m)?;
    check(vias <= VIA_MAX, "Too many Via")?;
    once(m)?;
    let cseq = common(m)?;
    let method = m.method();
    let known = !matches!(method, Method::Other(_));
    if !known {
        // 501 says more than 400 where CSeq names another method as well (RFC 4475 3.1.2.18).
        let allow = (HeaderName::Allow, Cow::Borrowed(ALLOW));
        return Err(Refusal(501, "Not Implemented", Some(allow)));
    }
    check(cseq.method == method, "CSeq does not match the method")?;
    request_uri(m.uri())?;
    // An RFC 2543 client sends no Max-Forwards (RFC 3261 8.1.1.6 makes it mandatory since).
    if m.header(HeaderName::MaxForwards).is_some() {
        check(m.max_forwards().is_some(), "Bad Max-Forwards")?;
    }
    if let Some(expires) = m.header(HeaderName::Expires) {
        check(
            crate::header_value::seconds(expires).is_some(),
            "Bad Expires",
        )?;
    }
    if let Some(date) = m.header(HeaderName::Date) {
        check(is_date(date), "Bad Date")?;
    }
    contacts(m, &method)?;
    for route in m
        .values(HeaderName::Route)
        .chain(m.values(HeaderName::RecordRoute))
    {
        check(NameAddr::parse(route).is_some(), "Bad Route")?;
    }
    if method != Method::Ack && method != Method::Cancel {
        // RFC 3891 3: only an INVITE can take the place of a dialog.
        let misplaced = method != Method::Invite && m.header(HeaderName::Replaces).is_some();
        check(!misplaced, "Replaces outside an INVITE")?;
        required(m)?;
    }
    body(m, &method)
}

/// RFC 3261 8.2.2.1: the scheme decides first, then the form.
fn request_uri(uri: &str) -> Result<(), Refusal> {
    if uri.starts_with('<') {
        return bad("Request-URI in angle brackets");
    }
    let Some(parsed) = SipUri::parse(uri) else {
        return bad("Bad Request-URI");
    };
    // RFC 6881: emergency calls come with a service URN.
    let sos = uri
        .get(..15)
        .is_some_and(|s| s.eq_ignore_ascii_case("urn:service:sos"));
    if !parsed.is_sip() && !parsed.is_tel() && !sos {
        return Err(Refusal(416, "Unsupported URI Scheme", None));
    }
    // RFC 3261 19.1.1 table: no headers in a Request-URI (RFC 4475 3.1.2.11).
    check(parsed.headers.is_empty(), "Headers in the Request-URI")
}

/// Every Via reads; the first one's version is ours. Gives how many there are.
fn vias(m: &Message) -> Result<usize, Refusal> {
    let mut count = 0;
    for value in m.values(HeaderName::Via) {
        let Some(via) = Via::parse(value) else {
            return Err(Refusal(400, "Bad Via", None));
        };
        if via.version != "2.0" && count == 0 {
            return Err(Refusal(400, "Bad Via", None));
        }
        count += 1;
    }
    match count {
        0 => Err(Refusal(400, "Missing Via", None)),
        n => Ok(n),
    }
}

/// Fields that may come once only (RFC 4475 3.3.8, 3.3.9).
fn once(m: &Message) -> Result<(), Refusal> {
    let mut seen = 0_u128;
    for (name, _, _) in m.raw().filter(|(name, _, _)| name.is_single()) {
        let bit = 1_u128 << (name as u8);
        if seen & bit != 0 {
            return bad(match name {
                HeaderName::ContentLength => "Two Content-Length",
                _ => "A header field that may come once came twice",
            });
        }
        seen |= bit;
    }
    Ok(())
}

/// What requests and responses both must have.
fn common(m: &Message) -> Result<CSeq, Refusal> {
    let refuse = |reason| Refusal(400, reason, None);
    let field = |name, missing| m.header(name).ok_or_else(|| refuse(missing));
    let call_id = field(HeaderName::CallId, "Missing Call-ID")?;
    check(text::is_call_id(call_id.as_bytes()), "Bad Call-ID")?;
    let from = field(HeaderName::From, "Missing From")?;
    check(NameAddr::parse(from).is_some(), "Bad From")?;
    let to = field(HeaderName::To, "Missing To")?;
    check(NameAddr::parse(to).is_some(), "Bad To")?;
    let cseq = field(HeaderName::CSeq, "Missing CSeq")?;
    CSeq::parse(cseq).ok_or_else(|| refuse("Bad CSeq"))
}

fn contacts(m: &Message, method: &Method) -> Result<(), Refusal> {
    for contact in m.values(HeaderName::Contact) {
        let star = contact == "*" && *method == Method::Register;
        check(star || NameAddr::parse(contact).is_some(), "Bad Contact")?;
    }
    Ok(())
}

/// RFC 3261 8.2.2.3.
fn required(m: &Message) -> Result<(), Refusal> {
    let mut unsupported = String::new();
    for option in m.values(HeaderName::Require) {
        if !SUPPORTED.iter().any(|s| s.eq_ignore_ascii_case(option)) {
            if !unsupported.is_empty() {
                unsupported.push_str(", ");
            }
            unsupported.push_str(option);
        }
    }
    if unsupported.is_empty() {
        return Ok(());
    }
    let header = (HeaderName::Unsupported, Cow::Owned(unsupported));
    Err(Refusal(420, "Bad Extension", Some(header)))
}

/// RFC 3261 8.2.3 for requests whose body we would have to understand, and what their answer may be.
fn body(m: &Message, method: &Method) -> Result<(), Refusal> {
    if !matches!(
        method,
        Method::Invite | Method::Update | Method::Prack | Method::Ack
    ) {
        return Ok(());
    }
    if *method == Method::Invite && !accepts_sdp(m) {
        return Err(Refusal(406, "Not Acceptable", None));
    }
    if m.body().is_empty() {
        return Ok(());
    }
    let accept = (HeaderName::Accept, Cow::Borrowed("application/sdp"));
    let Some(content_type) = m.content_type() else {
        return bad("Missing Content-Type");
    };
    let encoded = m
        .header(HeaderName::ContentEncoding)
        .is_some_and(|e| !e.eq_ignore_ascii_case("identity"));
    if encoded {
        let none = (HeaderName::AcceptEncoding, Cow::Borrowed("identity"));
        return Err(Refusal(415, "Unsupported Media Type", Some(none)));
    }
    let kind = content_type.split(';').next().map_or("", text::trim);
    let optional = m
        .header(HeaderName::ContentDisposition)
        .is_some_and(|d| d.contains("handling=optional"));
    let known = kind.eq_ignore_ascii_case("application/sdp")
        || kind
            .get(..10)
            .is_some_and(|k| k.eq_ignore_ascii_case("multipart/"));
    if known || optional {
        Ok(())
    } else {
        Err(Refusal(415, "Unsupported Media Type", Some(accept)))
    }
}

/// No Accept means SDP is fine (RFC 3261 20.1), an empty one that nothing is.
fn accepts_sdp(m: &Message) -> bool {
    let mut values = m.values(HeaderName::Accept).peekable();
    if values.peek().is_none() {
        return m.header(HeaderName::Accept).is_none();
    }
    values.any(|range| {
        let kind = range.split(';').next().map_or("", text::trim);
        ["application/sdp", "application/*", "*/*"]
            .iter()
            .any(|k| k.eq_ignore_ascii_case(kind))
    })
}

fn response(m: &Message) -> Result<(), Refusal> {
    if let Some(defect) = m.defect() {
        return Err(of_defect(defect));
    }
    // RFC 3261 8.1.3.3: more than one Via means it was not for us (RFC 4475 3.3.10).
    if vias(m)? != 1 {
        return bad("Not for us");
    }
    once(m)?;
    common(m).map(|_| ())
}

/// RFC 3261 18.3: on a stream a body without Content-Length has no end, and what the framer cut off
/// is not the whole message. One without any sign of a body passes.
fn on(transport: Transport, m: &Message) -> Result<(), Refusal> {
    let stream = matches!(transport, Transport::Tcp | Transport::Tls);
    let has_body = !m.body().is_empty() || m.content_type().is_some();
    let bare = stream && has_body && m.header(HeaderName::ContentLength).is_none();
    check(!bare, "Missing Content-Length")
}

fn of_defect(defect: Defect) -> Refusal {
    let (status, reason) = match defect {
        Defect::Version => (505, "Version Not Supported"),
        Defect::TooLarge => (513, "Message Too Large"),
        Defect::RequestLine => (400, "Bad request line"),
        Defect::StatusCode => (400, "Bad status code"),
        Defect::HeaderLine => (400, "Bad header line"),
        Defect::LineEnd => (400, "Lone CR or LF"),
        Defect::HeadIncomplete => (400, "Head not complete"),
        Defect::TooManyFields => (400, "Too many header fields"),
        Defect::ContentLength => (400, "Bad Content-Length"),
        Defect::BodyTooShort => (400, "Body shorter than Content-Length"),
    };
    Refusal(status, reason, None)
}

/// `SIP-date` (RFC 3261 25.1): only GMT is allowed (RFC 4475 3.1.2.12).
fn is_date(date: &str) -> bool {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut parts = date.split_ascii_whitespace();
    let mut part = || parts.next().unwrap_or("");
    let day_name = part().strip_suffix(',').is_some_and(|d| DAYS.contains(&d));
    let day = text::number(part(), 31).is_some_and(|d| d >= 1);
    let month = MONTHS.contains(&part());
    let year = text::number(part(), 9_999).is_some();
    let time = part();
    let clock = time.len() == 8
        && time.bytes().enumerate().all(|(i, c)| match i {
            2 | 5 => c == b':',
            _ => c.is_ascii_digit(),
        });
    let zone = part() == "GMT";
    day_name && day && month && year && clock && zone && parts.next().is_none()
}
