//! One pass over the bytes: line ends are found with `memchr`, each field becomes a span. Nothing is
//! copied unless a field is folded (then a copy has the folds replaced by spaces of the same length)
//! or not UTF-8 (then a readable text is kept beside the bytes).

use super::{Defect, Field, Inner, Message, Method, Span, Start, text};
use crate::header::HeaderName;
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// Largest message we take, in bytes: what fits a UDP datagram. A larger one is refused by the framer
/// (the connection is closed after a 513) and by `parse` with [`ParseError::TooLarge`].
pub const MESSAGE_BYTES_MAX: usize = 65_535;
/// Most header fields of one message. Those beyond are not read and the message counts as malformed.
pub const HEADER_FIELDS_MAX: usize = 250;

/// Not a SIP message at all: nothing to answer to, so the bytes are dropped in silence.
/// Everything that has a SIP start line parses, and what is wrong with it is told by
/// [`crate::validate::validate`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    #[error("only line ends: a keep-alive")]
    KeepAlive,
    #[error("no SIP start line")]
    NotSip,
    #[error("larger than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
}

impl ParseError {
    pub fn code(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep_alive",
            Self::NotSip => "not_sip",
            Self::TooLarge => "too_large",
        }
    }
    /// The status to answer with: always `None`, since there is no Via to answer to.
    pub fn status(self) -> Option<u16> {
        None
    }
}

impl Message {
    /// Reads one whole message (a datagram, a WebSocket message, or what the framer cut out).
    /// Bytes beyond Content-Length are left out of the body; without Content-Length the body runs to
    /// the end (RFC 3261 18.3).
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        // RFC 3261 7.5: line ends before the start line are ignored.
        let lead = bytes
            .iter()
            .take_while(|&&c| c == b'\r' || c == b'\n')
            .count();
        if lead == bytes.len() {
            return Err(ParseError::KeepAlive);
        }
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(ParseError::TooLarge);
        }
        let mut scan = Scan {
            bytes: &bytes,
            fields: SmallVec::new(),
            first: [NONE; HeaderName::COUNT],
            folds: SmallVec::new(),
            defect: None,
        };
        let (start_end, next) = scan.line_end(lead);
        let start = start_line(&bytes, lead, start_end, &mut scan.defect)?;
        let head_end = scan.fields(next);
        let Scan {
            fields,
            first,
            folds,
            defect,
            ..
        } = scan;
        let bytes = unfold(bytes, &folds);
        let mut inner = Inner {
            body: Span::new(head_end, bytes.len()),
            start,
            fields,
            first,
            repaired: Vec::new(),
            defect,
            bytes,
        };
        repair(&mut inner, lead, head_end);
        limit_body(&mut inner);
        Ok(Self(std::sync::Arc::new(inner)))
    }
}

/// No field of that name.
pub(super) const NONE: u8 = 0xff;

struct Scan<'a> {
    bytes: &'a [u8],
    fields: SmallVec<[Field; 24]>,
    first: [u8; HeaderName::COUNT],
    /// Where the two bytes of a fold stand.
    folds: SmallVec<[u16; 4]>,
    defect: Option<Defect>,
}

impl Scan<'_> {
    fn spoil(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }

    /// End of the line that begins at `from` (without its line end), and the start of the next one.
    /// A lone CR or LF ends the line as well, since some peer will read it so, and spoils the message.
    fn line_end(&mut self, from: usize) -> (usize, usize) {
        match memchr::memchr2(b'\r', b'\n', &self.bytes[from..]) {
            Some(at) => {
                let end = from + at;
                if self.bytes[end] == b'\r' && self.bytes.get(end + 1) == Some(&b'\n') {
                    (end, end + 2)
                } else {
                    self.spoil(Defect::LineEnd);
                    (end, end + 1)
                }
            }
            None => {
                self.spoil(Defect::HeadIncomplete);
                (self.bytes.len(), self.bytes.len())
            }
        }
    }

    /// All fields from `at` to the empty line; gives where the body begins.
    fn fields(&mut self, mut at: usize) -> usize {
        loop {
            if at >= self.bytes.len() {
                self.spoil(Defect::HeadIncomplete);
                return at;
            }
            let line = at;
            let (mut end, mut next) = self.line_end(line);
            if end == line {
                return next;
            }
            let name_end = memchr::memchr(b':', &self.bytes[line..end]);
            while matches!(self.bytes.get(next), Some(b' ' | b'\t')) {
                // The two bytes of CRLF become spaces; a lone CR or LF is one byte.
                self.folds.extend((end..next).map(|i| i as u16));
                (end, next) = self.line_end(next);
            }
            at = next;
            match name_end {
                Some(colon) => self.field(line, line + colon, end),
                None => self.spoil(Defect::HeaderLine),
            }
            if self.fields.len() == HEADER_FIELDS_MAX {
                self.spoil(Defect::TooManyFields);
                return match memchr::memmem::find(&self.bytes[at..], b"\r\n\r\n") {
                    Some(end) => at + end + 4,
                    None => self.bytes.len(),
                };
            }
        }
    }

    fn field(&mut self, line: usize, colon: usize, end: usize) {
        let bytes = self.bytes;
        let mut name_end = colon;
        while name_end > line && matches!(bytes[name_end - 1], b' ' | b'\t') {
            name_end -= 1;
        }
        let name = &bytes[line..name_end];
        let (mut from, mut to) = (colon + 1, end);
        while from < to && text::is_blank(bytes[from]) {
            from += 1;
        }
        while to > from && text::is_blank(bytes[to - 1]) {
            to -= 1;
        }
        let header = HeaderName::from_bytes(name);
        if header == HeaderName::Other && !text::is_token(name) {
            self.spoil(Defect::HeaderLine);
            return;
        }
        let slot = &mut self.first[header as usize];
        if *slot == NONE {
            *slot = self.fields.len() as u8;
        }
        self.fields.push(Field {
            header,
            name: Span::new(line, name_end),
            value: Span::new(from, to),
        });
    }
}

/// Request-Line or Status-Line (RFC 3261 7.1, 7.2). What is no SIP line at all is an error; a SIP line
/// with a flaw gives the parts that can be told and a defect.
fn start_line(
    bytes: &[u8],
    from: usize,
    to: usize,
    defect: &mut Option<Defect>,
) -> Result<Start, ParseError> {
    let line = &bytes[from..to];
    if line.len() > 8 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        let space = memchr::memchr(b' ', line).ok_or(ParseError::NotSip)?;
        if !line[..space].eq_ignore_ascii_case(b"SIP/2.0") {
            defect.get_or_insert(Defect::Version);
        }
        let rest = &line[space + 1..];
        let digits = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let status = std::str::from_utf8(&rest[..digits])
            .ok()
            .filter(|digits| digits.len() == 3)
            .and_then(|digits| text::number(digits, 699))
            .filter(|status| *status >= 100)
            .unwrap_or_else(|| {
                defect.get_or_insert(Defect::StatusCode);
                0
            });
        let reason = from + (space + 1 + digits + 1).min(line.len());
        return Ok(Start::Response {
            status: status as u16,
            reason: Span::new(reason, to),
        });
    }
    let mut trimmed = line;
    while let [rest @ .., b' ' | b'\t'] = trimmed {
        trimmed = rest;
    }
    let first = memchr::memchr(b' ', trimmed).ok_or(ParseError::NotSip)?;
    let last = memchr::memrchr(b' ', trimmed).ok_or(ParseError::NotSip)?;
    let (method, version) = (&line[..first], &trimmed[last + 1..]);
    if first == last
        || !text::is_token(method)
        || !version
            .get(..4)
            .is_some_and(|sip| sip.eq_ignore_ascii_case(b"SIP/"))
    {
        return Err(ParseError::NotSip);
    }
    let (mut uri, mut uri_end) = (first + 1, last);
    while uri < uri_end && line[uri] == b' ' {
        uri += 1;
    }
    while uri_end > uri && line[uri_end - 1] == b' ' {
        uri_end -= 1;
    }
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        defect.get_or_insert(Defect::Version);
    }
    let single_spaces = uri == first + 1 && uri_end == last && trimmed.len() == line.len();
    if !single_spaces || uri == uri_end || line[uri..uri_end].iter().any(|c| *c <= b' ') {
        defect.get_or_insert(Defect::RequestLine);
    }
    let method = std::str::from_utf8(method).map_err(|_| ParseError::NotSip)?;
    Ok(Start::Request {
        method: Method::from_token(method),
        uri: Span::new(from + uri, from + uri_end),
    })
}

/// Replaces every fold by spaces in a copy, so that all spans stay as they are.
fn unfold(bytes: Bytes, folds: &[u16]) -> Bytes {
    if folds.is_empty() {
        return bytes;
    }
    let mut copy = BytesMut::from(&bytes[..]);
    for &at in folds {
        copy[at as usize] = b' ';
    }
    copy.freeze()
}

/// Keeps a text for each value that is not UTF-8. Such bytes are Latin-1 in practice, and every byte is
/// a Latin-1 letter, so the text says what was meant and no field is lost.
fn repair(inner: &mut Inner, lead: usize, head_end: usize) {
    if std::str::from_utf8(&inner.bytes[lead..head_end]).is_ok() {
        return;
    }
    let start = match inner.start {
        Start::Request { uri, .. } => uri,
        Start::Response { reason, .. } => reason,
    };
    let spans = std::iter::once(start).chain(inner.fields.iter().map(|f| f.value));
    inner.repaired = spans
        .filter_map(|span| {
            let raw = span.of(&inner.bytes);
            std::str::from_utf8(raw)
                .is_err()
                .then(|| (span, raw.iter().map(|&c| char::from(c)).collect()))
        })
        .collect();
}

/// Cuts the body to Content-Length (RFC 3261 18.3, 20.14); tells when there is less than promised.
fn limit_body(inner: &mut Inner) {
    let i = inner.first[HeaderName::ContentLength as usize];
    let Some(field) = inner.fields.get(i as usize) else {
        return;
    };
    let length = std::str::from_utf8(field.value.of(&inner.bytes))
        .ok()
        .and_then(|digits| text::number(digits, u64::from(u32::MAX)));
    let there = inner.body.len();
    match length {
        None => {
            inner.defect.get_or_insert(Defect::ContentLength);
        }
        Some(length) if length > MESSAGE_BYTES_MAX as u64 => {
            inner.defect.get_or_insert(Defect::TooLarge);
        }
        Some(length) if length as usize > there => {
            inner.defect.get_or_insert(Defect::BodyTooShort);
        }
        Some(length) => {
            let from = inner.body.from as usize;
            inner.body = Span::new(from, from + length as usize);
        }
    }
}
