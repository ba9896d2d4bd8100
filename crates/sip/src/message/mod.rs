//! A SIP message as it came: its bytes, shared, and an index of spans. Typed views are made on demand
//! and borrow from it.

mod body;
mod method;
mod parse;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use body::PARTS_MAX;
pub use method::Method;
pub use parse::{HEADER_FIELDS_MAX, MESSAGE_BYTES_MAX, ParseError};

use crate::header::HeaderName;
use crate::header_value::{CSeq, NameAddr, Via};
use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// A parsed request or response. Cloning counts a reference.
///
/// Text: a field whose bytes are not UTF-8 is given as Latin-1 read into a `&str`; its bytes as they
/// came are in [`Message::raw`]. Folded fields (RFC 3261 7.3.1) are given, text and bytes, with each
/// line end replaced by two spaces.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    bytes: Bytes,
    start: Start,
    fields: SmallVec<[Field; 24]>,
    /// Index of the first field by name.
    first: [u8; HeaderName::COUNT],
    /// Texts of the values that are not UTF-8.
    repaired: Vec<(Span, Box<str>)>,
    body: Span,
    defect: Option<Defect>,
}

enum Start {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

#[derive(Clone, Copy)]
struct Field {
    header: HeaderName,
    name: Span,
    value: Span,
}

/// Half-open range of bytes; `u16` holds it, see [`MESSAGE_BYTES_MAX`].
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u16,
    to: u16,
}

impl Span {
    fn new(from: usize, to: usize) -> Self {
        Self {
            from: from as u16,
            to: to.max(from) as u16,
        }
    }
    fn len(self) -> usize {
        usize::from(self.to - self.from)
    }
    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[usize::from(self.from)..usize::from(self.to)]
    }
}

/// The first flaw in the form of a message that parsed all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// A version other than SIP/2.0.
    Version,
    RequestLine,
    StatusCode,
    /// A line without a colon, or whose name is no token.
    HeaderLine,
    /// CR or LF alone.
    LineEnd,
    /// The empty line after the head is missing.
    HeadIncomplete,
    TooManyFields,
    /// Content-Length is no number.
    ContentLength,
    /// Fewer bytes came than Content-Length says.
    BodyTooShort,
    /// Content-Length says more than [`MESSAGE_BYTES_MAX`].
    TooLarge,
}

impl Message {
    pub fn is_request(&self) -> bool {
        matches!(self.0.start, Start::Request { .. })
    }

    /// Of the request line, or of CSeq for a response; `Other("")` when a response has no usable CSeq.
    pub fn method(&self) -> Method {
        match &self.0.start {
            Start::Request { method, .. } => method.clone(),
            Start::Response { .. } => match self.cseq() {
                Some(cseq) => cseq.method,
                None => Method::Other("".into()),
            },
        }
    }

    /// Request-URI as it came, escapes and all; empty for a response.
    pub fn uri(&self) -> &str {
        match self.0.start {
            Start::Request { uri, .. } => self.text(uri),
            Start::Response { .. } => "",
        }
    }

    /// 100 to 699; 0 for a request and for a response whose code is no such number.
    pub fn status(&self) -> u16 {
        match self.0.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// Reason phrase of a response, which may be empty.
    pub fn reason(&self) -> &str {
        match self.0.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => self.text(reason),
        }
    }

    /// First field of that name, trimmed. `Other` finds nothing; see [`Message::other`].
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.first(name).map(|field| self.text(field.value))
    }

    /// Fields of that name in their order, trimmed, lists not split.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &str> + Clone {
        self.fields(name).map(|field| self.text(field.value))
    }

    /// Elements of all fields of that name in their order: for headers that are comma-separated lists.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.headers(name).flat_map(text::split_list)
    }

    /// First field of any name, known to us or not, in any case or compact form.
    pub fn other(&self, name: &str) -> Option<&str> {
        match HeaderName::from_bytes(name.as_bytes()) {
            HeaderName::Other => self
                .fields(HeaderName::Other)
                .find(|f| {
                    f.name
                        .of(&self.0.bytes)
                        .eq_ignore_ascii_case(name.as_bytes())
                })
                .map(|field| self.text(field.value)),
            known => self.header(known),
        }
    }

    /// All fields in their order: name as written, text of the value.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .fields
            .iter()
            .map(|field| (self.text(field.name), self.text(field.value)))
    }

    /// All fields in their order: name, name as written, bytes of the value as they came.
    pub fn raw(&self) -> impl Iterator<Item = (HeaderName, &[u8], &[u8])> {
        let bytes = &self.0.bytes[..];
        self.0
            .fields
            .iter()
            .map(move |f| (f.header, f.name.of(bytes), f.value.of(bytes)))
    }

    /// Whether a list header has this option tag or token (Require, Supported, Allow), in any case.
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.values(name).any(|v| v.eq_ignore_ascii_case(token))
    }

    /// Topmost Via, when there is one and it can be read.
    pub fn top_via(&self) -> Option<Via<'_>> {
        Via::parse(text::split_element(self.header(HeaderName::Via)?, b',').0)
    }

    pub fn from(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.header(HeaderName::From)?)
    }

    pub fn to(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.header(HeaderName::To)?)
    }

    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.header(HeaderName::CSeq)?)
    }

    /// Empty when the field is missing.
    pub fn call_id(&self) -> &str {
        self.header(HeaderName::CallId).unwrap_or("")
    }

    /// First contact; `None` also for `*`.
    pub fn contact(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(text::split_element(self.header(HeaderName::Contact)?, b',').0)
    }

    /// 0 to 255; `None` when the field is missing or no such number.
    pub fn max_forwards(&self) -> Option<u8> {
        let n = text::number(self.header(HeaderName::MaxForwards)?, 255)?;
        Some(n as u8)
    }

    /// Seconds. A value beyond 32 bits is the largest (RFC 3261 20.19), one that is no number is none.
    pub fn expires(&self) -> Option<u32> {
        crate::header_value::seconds(self.header(HeaderName::Expires)?)
    }

    /// Type and subtype with parameters, as written.
    pub fn content_type(&self) -> Option<&str> {
        self.header(HeaderName::ContentType)
    }

    pub fn body(&self) -> &[u8] {
        self.0.body.of(&self.0.bytes)
    }

    /// The body, sharing the bytes of the message.
    pub fn body_bytes(&self) -> Bytes {
        self.0.bytes.slice_ref(self.body())
    }

    /// The bytes as they came (unfolded when they were folded).
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    pub fn defect(&self) -> Option<Defect> {
        self.0.defect
    }

    /// How many fields of that name there are.
    pub fn count(&self, name: HeaderName) -> usize {
        self.fields(name).count()
    }

    fn first(&self, name: HeaderName) -> Option<&Field> {
        if name == HeaderName::Other {
            return None;
        }
        self.0.fields.get(usize::from(self.0.first[name as usize]))
    }

    fn fields(&self, name: HeaderName) -> impl Iterator<Item = &Field> + Clone {
        let first = usize::from(self.0.first[name as usize]);
        let fields = self.0.fields.get(first..).unwrap_or(&[]);
        fields.iter().filter(move |field| field.header == name)
    }

    fn text(&self, span: Span) -> &str {
        match std::str::from_utf8(span.of(&self.0.bytes)) {
            Ok(text) => text,
            Err(_) => self
                .0
                .repaired
                .iter()
                .find(|(of, _)| *of == span)
                .map_or("", |(_, text)| text),
        }
    }
}

impl fmt::Debug for Message {
    // Names and numbers of people stay out of logs: what kind of message it is says enough.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.start {
            Start::Request { method, .. } => write!(f, "Message({method})"),
            Start::Response { status, .. } => write!(f, "Message({status})"),
        }
    }
}
