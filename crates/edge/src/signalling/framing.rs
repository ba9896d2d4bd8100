//! From a byte stream to whole SIP messages (RFC 3261 18.3, RFC 5626 4.4.1).

use bytes::{Buf, Bytes, BytesMut};

/// Longest header block, in bytes; one without an end by then is not SIP.
const HEAD_BYTES_MAX: usize = 32_768;

#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) enum Frame {
    /// One message, head and body.
    Message(Bytes),
    /// A message whose length cannot be told: it is given as far as its head, for the answer 400,
    /// and nothing after it can be read.
    Broken(Bytes),
    /// CRLF CRLF: answer with CRLF.
    Ping,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum FrameError {
    TooLong,
    NotSip,
}

impl FrameError {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::TooLong => "message_too_long",
            Self::NotSip => "not_sip",
        }
    }
}

/// Collects stream bytes and gives whole messages. Holds at most one message and a read chunk.
pub(super) struct Framing {
    buffer: BytesMut,
    /// Bytes already searched for the end of the head.
    searched: usize,
    message_bytes_max: usize,
}

impl Framing {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            message_bytes_max,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and is not whole yet.
    pub(super) fn is_partial(&self) -> bool {
        self.buffer.first().is_some_and(|b| *b != b'\r')
    }

    /// The next whole thing, `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        match self.skip_empty_lines() {
            Lines::Ping => return Ok(Some(Frame::Ping)),
            Lines::Unclear => return Ok(None),
            Lines::Skipped => {}
        }
        let Some(first) = self.buffer.first() else {
            // Give the memory of the last message back: idle connections are many.
            self.buffer = BytesMut::new();
            return Ok(None);
        };
        // A request or status line begins with a token (RFC 3261 25.1).
        if !first.is_ascii_alphanumeric() && !b"-.!%*_+`'~".contains(first) {
            return Err(FrameError::NotSip);
        }
        let from = self.searched.saturating_sub(3);
        let Some(at) = memchr::memmem::find(&self.buffer[from..], b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            if self.buffer.len() > HEAD_BYTES_MAX.min(self.message_bytes_max) {
                return Err(FrameError::TooLong);
            }
            return Ok(None);
        };
        let head = from + at + 4;
        if head > HEAD_BYTES_MAX.min(self.message_bytes_max) {
            return Err(FrameError::TooLong);
        }
        let Ok(body) = content_length(&self.buffer[..head]) else {
            let message = self.take(head);
            self.buffer = BytesMut::new();
            return Ok(Some(Frame::Broken(message)));
        };
        let total = head.saturating_add(body);
        if total > self.message_bytes_max {
            return Err(FrameError::TooLong);
        }
        if self.buffer.len() < total {
            return Ok(None);
        }
        Ok(Some(Frame::Message(self.take(total))))
    }

    /// One exact copy, so that a kept message keeps no read buffer alive.
    fn take(&mut self, length: usize) -> Bytes {
        let message = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        self.searched = 0;
        message
    }

    /// Skip line ends between messages (RFC 3261 7.5).
    fn skip_empty_lines(&mut self) -> Lines {
        loop {
            match *self.buffer {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return Lines::Ping;
                }
                // Maybe the first half of a ping; maybe a pong or the odd keep-alive.
                [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Lines::Unclear,
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                _ => return Lines::Skipped,
            }
        }
    }
}

enum Lines {
    Ping,
    Unclear,
    Skipped,
}

/// The body length a head declares; none means no body. `Err` when it is no number or said twice
/// with different values.
fn content_length(head: &[u8]) -> Result<usize, ()> {
    let mut length = None;
    for line in head.split(|b| *b == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let name = line[..colon].trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = line[colon + 1..].trim_ascii();
        if value.is_empty() || value.len() > 9 || !value.iter().all(u8::is_ascii_digit) {
            return Err(());
        }
        let value = value
            .iter()
            .fold(0usize, |n, digit| n * 10 + usize::from(digit - b'0'));
        if length.is_some_and(|l| l != value) {
            return Err(());
        }
        length = Some(value);
    }
    Ok(length.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

    fn feed(pieces: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
        let mut framing = Framing::new(1_000);
        let mut frames = Vec::new();
        for piece in pieces {
            framing.push(piece);
            loop {
                match framing.next() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(e) => return (frames, Some(e)),
                }
            }
        }
        (frames, None)
    }

    fn message(bytes: &[u8]) -> Frame {
        Frame::Message(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn every_split_gives_the_same_messages() {
        let both = [b"\r\n\r\n", OPTIONS, b"\r\n", OPTIONS].concat();
        let expected = vec![Frame::Ping, message(OPTIONS), message(OPTIONS)];
        for cut in 0..both.len() {
            let (left, right) = both.split_at(cut);
            assert_eq!(feed(&[left, right]), (expected.clone(), None), "cut {cut}");
        }
        let bytes: Vec<&[u8]> = both.chunks(1).collect();
        assert_eq!(feed(&bytes), (expected, None));
    }

    #[test]
    fn lengths_in_their_forms() {
        let head = |l: &str| format!("A sip:b SIP/2.0\r\n{l}\r\n");
        for (lines, body) in [
            ("l:2\r\n", 2),
            ("CONTENT-LENGTH : 2\r\n", 2),
            ("", 0),
            ("l: 2\r\nContent-Length: 2\r\n", 2),
        ] {
            let text = head(lines) + "xyz"[..body].as_ref();
            assert_eq!(
                feed(&[text.as_bytes()]),
                (vec![message(text.as_bytes())], None)
            );
        }
        for lines in [
            "l: -1\r\n",
            "l: 1\r\nl: 2\r\n",
            "l: x\r\n",
            "l:\r\n",
            "l: 9999999999\r\n",
        ] {
            let text = head(lines);
            let broken = Frame::Broken(Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(feed(&[text.as_bytes()]), (vec![broken], None), "{lines:?}");
        }
    }

    #[test]
    fn what_is_not_sip_or_too_long_is_refused() {
        let long_head = [b"A sip:b SIP/2.0\r\nX: ".as_slice(), &[b'x'; 1_000]].concat();
        let long_body = b"A sip:b SIP/2.0\r\nl: 5000\r\n\r\n";
        for (bytes, error) in [
            (&b"\x16\x03\x01\x02\x00"[..], FrameError::NotSip),
            (b"\rX", FrameError::NotSip),
            (b"\r\n\rX", FrameError::NotSip),
            (b"\n", FrameError::NotSip),
            (&long_head, FrameError::TooLong),
            (long_body, FrameError::TooLong),
        ] {
            assert_eq!(feed(&[bytes]).1, Some(error), "{bytes:?}");
        }
    }

    #[test]
    fn a_keep_alive_is_no_message_begun() {
        let mut framing = Framing::new(1_000);
        framing.push(b"\r\n");
        assert_eq!(framing.next(), Ok(None));
        assert!(!framing.is_partial());
        framing.push(b"OPT");
        assert_eq!(framing.next(), Ok(None));
        assert!(framing.is_partial());
    }
}
