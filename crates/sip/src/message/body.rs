//! The SDP of a message, alone or in a multipart body (RFC 5621).

use super::{Message, text};
use crate::header_value::Params;

/// Most parts of a multipart body that are looked at; SDP after them is not found.
pub const PARTS_MAX: usize = 16;

impl Message {
    /// The session description, when the body is one or has one among its parts. An untyped body is
    /// none.
    pub fn sdp(&self) -> Option<&[u8]> {
        if self.body().is_empty() {
            return None;
        }
        let (kind, params) = kind(self.content_type()?);
        if kind.eq_ignore_ascii_case("application/sdp") {
            return Some(self.body());
        }
        let multipart = kind
            .get(..10)
            .is_some_and(|k| k.eq_ignore_ascii_case("multipart/"));
        let boundary = params.get("boundary").filter(|b| !b.is_empty());
        parts(self.body(), boundary.filter(|_| multipart)?)
            .find(|(content_type, _)| {
                kind_of_bytes(content_type).eq_ignore_ascii_case("application/sdp")
            })
            .map(|(_, body)| body)
    }
}

/// Type and subtype, and the parameters after it.
fn kind(content_type: &str) -> (&str, Params<'_>) {
    let end = memchr::memchr(b';', content_type.as_bytes()).unwrap_or(content_type.len());
    (
        text::trim(&content_type[..end]),
        Params(&content_type[end..]),
    )
}

fn kind_of_bytes(content_type: &[u8]) -> &str {
    kind(std::str::from_utf8(content_type).unwrap_or("")).0
}

/// Content-Type and content of each part (RFC 2046 5.1).
fn parts<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let delimiter = format!("--{boundary}");
    let mut rest = memchr::memmem::find(body, delimiter.as_bytes())
        .map(|at| &body[at + delimiter.len()..])
        .filter(|rest| rest.starts_with(b"\r\n"));
    let next = format!("\r\n{delimiter}");
    let mut seen = 0;
    std::iter::from_fn(move || {
        let part = rest?;
        seen += 1;
        let end = memchr::memmem::find(part, next.as_bytes())?;
        rest = Some(&part[end + next.len()..])
            .filter(|rest| rest.starts_with(b"\r\n") && seen < PARTS_MAX);
        let part = &part[..end];
        // `part` begins with the line end of the delimiter, so a part without a head has its empty
        // line right there.
        let head = memchr::memmem::find(part, b"\r\n\r\n");
        let (head, content) = match head {
            Some(at) => (&part[..at], &part[at + 4..]),
            None => (part, &part[part.len()..]),
        };
        let content_type = head.split(|&c| c == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let name = line[..colon].trim_ascii();
            let is_type = name.eq_ignore_ascii_case(b"Content-Type");
            (is_type || name.eq_ignore_ascii_case(b"c")).then(|| line[colon + 1..].trim_ascii())
        });
        Some((content_type.unwrap_or(b"text/plain"), content))
    })
}
