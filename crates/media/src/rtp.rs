//! RTP headers (RFC 3550 5.1), read and written in place.

use crate::error::MediaError;
use std::ops::Range;

/// Length of the header we write: no CSRC, no extension.
pub const HEADER_LEN: usize = 12;

/// The fields of a header that matter to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    /// In units of the codec's RTP clock.
    pub timestamp: u32,
    pub ssrc: u32,
}

/// A packet taken apart: its header and where its payload lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed {
    pub header: Header,
    /// Byte range of the payload after CSRC list and extension, before padding.
    pub payload: Range<usize>,
}

/// Whether a datagram on an RTP port is RTCP multiplexed with it (RFC 5761 4: second byte 192 to 223).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && (192..=223).contains(&bytes[1])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads a header whose payload may still be encrypted: padding is left alone.
///
/// # Errors
/// [`MediaError::RtpTruncated`] and [`MediaError::RtpVersion`].
pub fn parse_header(bytes: &[u8]) -> Result<Parsed, MediaError> {
    let len = bytes.len();
    if len < HEADER_LEN {
        return Err(MediaError::RtpTruncated(len));
    }
    let version = bytes[0] >> 6;
    if version != 2 {
        return Err(MediaError::RtpVersion(version));
    }
    let mut at = HEADER_LEN + 4 * usize::from(bytes[0] & 0x0f);
    if bytes[0] & 0x10 != 0 {
        if len < at + 4 {
            return Err(MediaError::RtpTruncated(len));
        }
        at += 4 + 4 * usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
    if len < at {
        return Err(MediaError::RtpTruncated(len));
    }
    Ok(Parsed {
        header: Header {
            marker: bytes[1] & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: u32_at(bytes, 4),
            ssrc: u32_at(bytes, 8),
        },
        payload: at..len,
    })
}

/// Cuts the padding (RFC 3550 5.1, P bit) off a plain packet read by [`parse_header`].
///
/// # Errors
/// [`MediaError::RtpPadding`] when the count is zero or larger than the payload.
pub fn strip_padding(bytes: &[u8], parsed: &mut Parsed) -> Result<(), MediaError> {
    if bytes[0] & 0x20 == 0 {
        return Ok(());
    }
    let count = if parsed.payload.is_empty() {
        0
    } else {
        usize::from(bytes[parsed.payload.end - 1])
    };
    if count == 0 || count > parsed.payload.len() {
        return Err(MediaError::RtpPadding);
    }
    parsed.payload.end -= count;
    Ok(())
}

/// Reads a plain packet.
///
/// # Errors
/// As [`parse_header`] and [`strip_padding`].
pub fn parse(bytes: &[u8]) -> Result<Parsed, MediaError> {
    let mut parsed = parse_header(bytes)?;
    strip_padding(bytes, &mut parsed)?;
    Ok(parsed)
}

impl Header {
    /// The twelve bytes on the wire.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut b = [0u8; HEADER_LEN];
        b[0] = 0x80;
        b[1] = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        b[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        b[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        b[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            marker: true,
            payload_type: 101,
            sequence: 65_535,
            timestamp: 0xdead_beef,
            ssrc: 0x0102_0304,
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let mut bytes = header().to_bytes().to_vec();
        bytes.extend_from_slice(b"abc");
        let parsed = parse(&bytes).unwrap();
        assert_eq!(parsed.header, header());
        assert_eq!(&bytes[parsed.payload], b"abc");
    }

    #[test]
    fn steps_over_csrc_extension_and_padding() {
        let mut bytes = header().to_bytes().to_vec();
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend_from_slice(b"voice");
        bytes.extend_from_slice(&[0, 0, 3]);
        let parsed = parse(&bytes).unwrap();
        assert_eq!(&bytes[parsed.payload], b"voice");
    }

    #[test]
    fn refuses_bad_packets_by_name() {
        let plain = header().to_bytes().to_vec();
        let with = |first: u8, tail: &[u8]| {
            let mut b = plain.clone();
            b[0] = first;
            b.extend_from_slice(tail);
            b
        };
        for (bytes, code) in [
            (vec![], "rtp_truncated"),
            (plain[..11].to_vec(), "rtp_truncated"),
            (with(0x00, b""), "rtp_version"),
            (with(0x40, b""), "rtp_version"),
            (with(0xc0, b""), "rtp_version"),
            (with(0x8f, b"only a little"), "rtp_truncated"),
            (with(0x90, b"\x01\x02"), "rtp_truncated"),
            (with(0x90, b"\x00\x00\xff\xffxx"), "rtp_truncated"),
            (with(0xa0, b""), "rtp_padding"),
            (with(0xa0, b"ab\x00"), "rtp_padding"),
            (with(0xa0, b"ab\x04"), "rtp_padding"),
        ] {
            assert_eq!(parse(&bytes).unwrap_err().code(), code, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_inside(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(p) = parse(&bytes) {
                prop_assert!(p.payload.end <= bytes.len() && p.payload.start >= HEADER_LEN);
            }
        }
    }
}
