//! Cuts messages out of a byte stream (TCP, TLS) by Content-Length (RFC 3261 18.3), and knows the
//! keep-alives of RFC 5626 3.5.1. WebSocket needs none of it: there a message is a frame (RFC 7118).

use crate::header::HeaderName;
use crate::message::{MESSAGE_BYTES_MAX, text};
use bytes::{Buf, Bytes, BytesMut};

/// Longest head, in bytes, start line to empty line. A longer one ends the connection.
pub const HEAD_BYTES_MAX: usize = 32_768;

/// What came on a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// One whole message.
    Message(Bytes),
    /// Double CRLF: answer with one CRLF.
    Ping,
    /// A single CRLF: the answer to a ping of ours, or the first half of one of theirs, or nothing.
    Pong,
}

/// The stream cannot be followed any further: answer `head`, where there is one, and close. The head
/// parses as a message and [`crate::validate::validate`] says what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    #[error("no end of the head within {HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    #[error("not SIP")]
    NotSip,
    #[error("a message of more than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge { head: Bytes },
    #[error("no telling where the message ends")]
    Length { head: Bytes },
}

impl FrameError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::HeadTooLong => "frame_head_too_long",
            Self::NotSip => "frame_not_sip",
            Self::TooLarge { .. } => "frame_too_large",
            Self::Length { .. } => "frame_length",
        }
    }

    /// What to hand on as a last message before closing.
    pub fn head(&self) -> Option<&Bytes> {
        match self {
            Self::TooLarge { head } | Self::Length { head } => Some(head),
            _ => None,
        }
    }
}

/// The bytes of one stream that are not yet a message. Holds at most one message and what one push
/// brought.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How far the end of the head was looked for.
    searched: usize,
    /// Whole length of the message at the front, once its head is there.
    length: Option<usize>,
    /// The last frame was a CRLF; another one makes both a ping.
    half_ping: bool,
    broken: bool,
}

impl Framer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read. Take all frames with [`Framer::frame`] before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether a message has begun and not ended: its sender is to be given a limited time.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// How many bytes wait.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole frame; `None` until more bytes come. After an error nothing follows.
    pub fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.broken {
            return Ok(None);
        }
        let next = self.next();
        if next.is_err() {
            self.broken = true;
            self.buffer = BytesMut::new();
        }
        next
    }

    fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.length.is_none() {
            if let Some(frame) = self.blank() {
                return Ok(Some(frame));
            }
            if matches!(self.buffer.first(), None | Some(b'\r')) {
                return Ok(None);
            }
            let Some(head) = self.head_end()? else {
                return Ok(None);
            };
            self.length = Some(self.whole_length(head)?);
        }
        match self.length {
            Some(length) if self.buffer.len() >= length => {
                self.length = None;
                self.searched = 0;
                let message = self.buffer.split_to(length).freeze();
                Ok(Some(Frame::Message(message)))
            }
            _ => Ok(None),
        }
    }

    /// Takes line ends before a message. A ping may come in two reads, so a CRLF is a pong at first
    /// and becomes a ping with the next.
    fn blank(&mut self) -> Option<Frame> {
        loop {
            if !self.half_ping && self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                return Some(Frame::Ping);
            }
            if self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
                self.half_ping = !self.half_ping;
                return Some(if self.half_ping {
                    Frame::Pong
                } else {
                    Frame::Ping
                });
            }
            match self.buffer.first() {
                Some(b'\n') => self.buffer.advance(1),
                Some(b'\r') if self.buffer.len() > 1 => self.buffer.advance(1),
                Some(b'\r') | None => return None,
                Some(_) => {
                    self.half_ping = false;
                    return None;
                }
            }
        }
    }

    /// Where the head ends, empty line included.
    fn head_end(&mut self) -> Result<Option<usize>, FrameError> {
        // The empty line may straddle what was searched before.
        let from = self.searched.saturating_sub(3);
        match memchr::memmem::find(&self.buffer[from..], b"\r\n\r\n") {
            Some(at) if from + at + 4 <= HEAD_BYTES_MAX => Ok(Some(from + at + 4)),
            None if self.buffer.len() < HEAD_BYTES_MAX => {
                self.searched = self.buffer.len();
                self.looks_like_sip().map(|()| None)
            }
            _ => Err(FrameError::HeadTooLong),
        }
    }

    /// A first line that cannot be SIP ends the connection at once, not after 32 kB.
    fn looks_like_sip(&self) -> Result<(), FrameError> {
        let line = &self.buffer[..memchr::memchr(b'\n', &self.buffer).unwrap_or(self.buffer.len())];
        let whole = line.len() < self.buffer.len();
        let plausible = match line.first() {
            None => true,
            Some(c) => text::is_token_char(*c),
        };
        let sip = memchr::memmem::find(line, b"SIP/").is_some()
            || memchr::memmem::find(line, b"sip/").is_some();
        if plausible && (!whole || sip) {
            Ok(())
        } else {
            Err(FrameError::NotSip)
        }
    }

    fn whole_length(&self, head_end: usize) -> Result<usize, FrameError> {
        self.looks_like_sip()?;
        let head = || Bytes::copy_from_slice(&self.buffer[..head_end]);
        let mut length = None;
        let mut typed = false;
        for line in self.buffer[..head_end].split(|&c| c == b'\n').skip(1) {
            let Some(colon) = memchr::memchr(b':', line) else {
                continue;
            };
            match HeaderName::from_bytes(line[..colon].trim_ascii_end()) {
                HeaderName::ContentLength => {
                    let value = std::str::from_utf8(&line[colon + 1..]).unwrap_or("");
                    let value = text::number(text::trim(value), u64::from(u32::MAX));
                    // Two lengths that differ, or one that is none: no telling (RFC 4475 3.3.9, 3.1.2.3).
                    match (value, length) {
                        (None, _) => return Err(FrameError::Length { head: head() }),
                        (a, Some(_)) if a != length => {
                            return Err(FrameError::Length { head: head() });
                        }
                        _ => length = value,
                    }
                }
                HeaderName::ContentType => typed = true,
                _ => {}
            }
        }
        match length {
            // RFC 3261 20.14 demands it on streams; without body there is nothing to miss.
            None if !typed => Ok(head_end),
            None => Err(FrameError::Length { head: head() }),
            Some(length) => {
                let whole = head_end as u64 + length;
                if whole > MESSAGE_BYTES_MAX as u64 {
                    Err(FrameError::TooLarge { head: head() })
                } else {
                    Ok(whole as usize)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BYE: &str = "BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    const TALK: &str = "MESSAGE sip:a@b SIP/2.0\r\nl : 5\r\nContent-Type: text/plain\r\n\r\nhello";

    /// What comes out when `stream` arrives in pieces of `step` bytes: frames in a line each.
    fn told(stream: &[u8], step: usize) -> Vec<String> {
        let mut framer = Framer::new();
        let mut out = Vec::new();
        for piece in stream.chunks(step) {
            framer.push(piece);
            loop {
                match framer.frame() {
                    Ok(Some(Frame::Message(m))) => {
                        out.push(String::from_utf8_lossy(&m).into_owned())
                    }
                    Ok(Some(Frame::Ping)) => out.push("ping".into()),
                    Ok(Some(Frame::Pong)) => out.push("pong".into()),
                    Ok(None) => break,
                    Err(e) => out.push(e.code().into()),
                }
            }
        }
        out
    }

    #[test]
    fn messages_come_whole_whatever_the_pieces() {
        let stream = format!("{BYE}{TALK}{TALK}{BYE}");
        for step in 1..stream.len() {
            let got = told(stream.as_bytes(), step);
            assert_eq!(got, [BYE, TALK, TALK, BYE], "pieces of {step}");
        }
    }

    #[test]
    fn keep_alives() {
        let whole = |s: &str| told(s.as_bytes(), usize::MAX);
        assert_eq!(whole("\r\n\r\n"), ["ping"]);
        assert_eq!(whole("\r\n"), ["pong"]);
        assert_eq!(whole(&format!("\r\n{BYE}\r\n\r\n")), ["pong", BYE, "ping"]);
        assert_eq!(whole("\r\n\r\n\r\n\r\n"), ["ping", "ping"]);
        // In halves the ping is still answered.
        assert_eq!(told(b"\r\n\r\n", 2), ["pong", "ping"]);
        assert_eq!(told(b"\r\n\r\n", 1), ["pong", "ping"]);
        assert_eq!(whole(&format!("\n\r\r{BYE}")), [BYE]);
    }

    #[test]
    fn where_the_end_cannot_be_told_the_head_is_given_and_the_stream_ends() {
        for (length, code) in [
            ("Content-Length: -999", "frame_length"),
            ("Content-Length: x", "frame_length"),
            ("Content-Length: 13\r\nl: 5", "frame_length"),
            ("Content-Type: application/sdp", "frame_length"),
            ("Content-Length: 65536", "frame_too_large"),
            ("Content-Length: 99999999999999999999", "frame_length"),
        ] {
            let head = format!("INVITE sip:a@b SIP/2.0\r\n{length}\r\n\r\n");
            let mut framer = Framer::new();
            framer.push(head.as_bytes());
            framer.push(BYE.as_bytes());
            let error = framer.frame().expect_err(length);
            assert_eq!(error.code(), code, "{length}");
            assert_eq!(error.head().map(|h| &h[..]), Some(head.as_bytes()));
            framer.push(BYE.as_bytes());
            assert_eq!(framer.frame(), Ok(None));
            assert_eq!(framer.buffered(), 0);
        }
        let same_twice = "BYE sip:a@b SIP/2.0\r\nl: 0\r\nl: 0\r\n\r\n";
        assert_eq!(told(same_twice.as_bytes(), 7), [same_twice]);
        let none = "OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n";
        assert_eq!(told(none.as_bytes(), 7), [none]);
    }

    #[test]
    fn what_is_not_sip_ends_the_stream_early() {
        for stream in [
            &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"SSH-2.0-x\r\n",
            b" INVITE sip:a@b SIP/2.0\r\n",
        ] {
            assert_eq!(told(stream, usize::MAX), ["frame_not_sip"]);
        }
        let endless = format!(
            "INVITE sip:a@b SIP/2.0\r\nX: {}",
            "y".repeat(HEAD_BYTES_MAX)
        );
        assert_eq!(told(endless.as_bytes(), 999), ["frame_head_too_long"]);
        let endless = "INVITE".repeat(HEAD_BYTES_MAX);
        assert_eq!(told(endless.as_bytes(), 4_096), ["frame_head_too_long"]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_nothing_panics(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b'l'), Just(b'1'), any::<u8>()],
                0..200,
            ),
            at in any::<prop::sample::Index>(),
            step in 1_usize..50,
        ) {
            let mut stream = format!("{TALK}{BYE}").into_bytes();
            let at = at.index(stream.len());
            stream.splice(at..at, bytes);
            let messages = |step| {
                let mut frames = told(&stream, step);
                frames.retain(|f| f != "ping" && f != "pong");
                frames
            };
            prop_assert_eq!(messages(step), messages(usize::MAX));
        }
    }
}
