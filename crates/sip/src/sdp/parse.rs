//! Reads the lines of an SDP into what negotiation needs. Line ends may be CRLF or LF; unknown lines
//! and attributes are passed over; a line that is not `x=` is an error.

use super::{ATTRIBUTES_MAX, FORMATS_MAX, MEDIA_LINES_MAX, SDP_BYTES_MAX, SdpError};
use crate::message::text;
use smallvec::SmallVec;
use std::net::IpAddr;

#[derive(Default, Debug)]
pub(super) struct Session<'a> {
    pub(super) connection: Option<Connection>,
    pub(super) direction: Option<Direction>,
    /// `t=` as written; the answer repeats it (RFC 3264 6).
    pub(super) time: Option<&'a str>,
    pub(super) media: SmallVec<[Media<'a>; 2]>,
}

/// `c=` line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Connection {
    Ip(IpAddr),
    /// A name, another network type, or a multicast address: nothing we send to.
    Unusable,
}

/// As the one who wrote the SDP sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Direction {
    pub(super) send: bool,
    pub(super) receive: bool,
}

impl Direction {
    pub(super) fn attribute(self) -> &'static str {
        match (self.send, self.receive) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        }
    }
}

#[derive(Debug)]
pub(super) struct Media<'a> {
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    pub(super) formats: SmallVec<[&'a str; 12]>,
    pub(super) connection: Option<Connection>,
    pub(super) direction: Option<Direction>,
    pub(super) maps: SmallVec<[RtpMap<'a>; 8]>,
    /// Payload types whose `a=fmtp` says `stereo=1` (RFC 7587 6.1).
    pub(super) stereo: SmallVec<[u8; 2]>,
    /// Values of `a=crypto`.
    pub(super) crypto: SmallVec<[&'a str; 2]>,
    pub(super) ptime_ms: Option<u16>,
    pub(super) maxptime_ms: Option<u16>,
    pub(super) rtcp: Option<(u16, Option<Connection>)>,
    pub(super) rtcp_mux: bool,
    pub(super) mid: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RtpMap<'a> {
    pub(super) payload_type: u8,
    pub(super) name: &'a str,
    pub(super) clock_hz: u32,
    pub(super) channels: u8,
}

/// Reads a whole description.
pub(super) fn session(bytes: &[u8]) -> Result<Session<'_>, SdpError> {
    if bytes.len() > SDP_BYTES_MAX {
        return Err(SdpError::TooLarge);
    }
    let mut session = Session::default();
    let mut begun = false;
    for (at, line) in bytes.split(|&c| c == b'\n').enumerate() {
        let malformed = SdpError::Malformed { line: at + 1 };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let &[kind, b'=', ref value @ ..] = line else {
            return Err(malformed);
        };
        if !begun && (kind, value) != (b'v', b"0") {
            return Err(malformed);
        }
        begun = true;
        if !matches!(kind, b'm' | b'c' | b'a' | b't') {
            // s=, i=, o=, u= and others may hold any bytes (RFC 8866 5.3) and do not matter to us.
            continue;
        }
        let value = match std::str::from_utf8(value) {
            Ok(value) if !value.contains(['\r', '\0']) => value.trim_end(),
            _ if kind == b'a' => continue,
            _ => return Err(malformed),
        };
        match kind {
            b'm' if session.media.len() == MEDIA_LINES_MAX => return Err(SdpError::TooLarge),
            b'm' => session.media.push(media(value)?.ok_or(malformed)?),
            b'c' => {
                let connection = Some(connection(value).ok_or(malformed)?);
                match session.media.last_mut() {
                    Some(media) => media.connection = connection,
                    None => session.connection = connection,
                }
            }
            b't' if session.time.is_none() => {
                let plain = value.bytes().all(|c| c.is_ascii_digit() || c == b' ');
                session.time = Some(value).filter(|_| plain && !value.is_empty());
            }
            _ => attribute(&mut session, value),
        }
    }
    if begun {
        Ok(session)
    } else {
        Err(SdpError::Malformed { line: 1 })
    }
}

/// `audio 49170[/2] RTP/AVP 0 8`. `None` when malformed.
fn media(value: &str) -> Result<Option<Media<'_>>, SdpError> {
    if value.bytes().any(|c| !(b' '..0x7f).contains(&c)) {
        return Ok(None);
    }
    let mut words = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
    else {
        return Ok(None);
    };
    let port = port.split_once('/').map_or(port, |(port, _)| port);
    let Some(port) = text::number(port, 65_535) else {
        return Ok(None);
    };
    let mut formats = SmallVec::new();
    for format in words {
        if formats.len() == FORMATS_MAX {
            return Err(SdpError::TooLarge);
        }
        formats.push(format);
    }
    if formats.is_empty() {
        return Ok(None);
    }
    Ok(Some(Media {
        kind,
        port: port as u16,
        protocol,
        formats,
        connection: None,
        direction: None,
        maps: SmallVec::new(),
        stereo: SmallVec::new(),
        crypto: SmallVec::new(),
        ptime_ms: None,
        maxptime_ms: None,
        rtcp: None,
        rtcp_mux: false,
        mid: None,
    }))
}

/// `IN IP4 192.0.2.1[/ttl]`.
fn connection(value: &str) -> Option<Connection> {
    let mut words = value.split_ascii_whitespace();
    let (network, family, address) = (words.next()?, words.next()?, words.next()?);
    let address = address.split_once('/').map_or(address, |(a, _)| a);
    if network != "IN" || !matches!(family, "IP4" | "IP6") {
        return Some(Connection::Unusable);
    }
    let Ok(ip) = address.parse::<IpAddr>() else {
        // A name is allowed (RFC 8866 5.7); to look it up is not our work.
        return text::is_host(address).then_some(Connection::Unusable);
    };
    let ip = ip.to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    Some(if ip.is_multicast() || broadcast {
        Connection::Unusable
    } else {
        Connection::Ip(ip)
    })
}

fn attribute<'a>(session: &mut Session<'a>, value: &'a str) {
    let (name, value) = match value.split_once(':') {
        Some((name, value)) => (name, value.trim()),
        None => (value, ""),
    };
    let direction = match name {
        "sendrecv" => Some((true, true)),
        "sendonly" => Some((true, false)),
        "recvonly" => Some((false, true)),
        "inactive" => Some((false, false)),
        _ => None,
    };
    let direction = direction.map(|(send, receive)| Direction { send, receive });
    let Some(media) = session.media.last_mut() else {
        session.direction = direction.or(session.direction);
        return;
    };
    match name {
        _ if direction.is_some() => media.direction = direction,
        "rtpmap" if media.maps.len() < ATTRIBUTES_MAX => media.maps.extend(rtpmap(value)),
        "fmtp" if media.stereo.len() < ATTRIBUTES_MAX => media.stereo.extend(stereo(value)),
        "crypto" if media.crypto.len() < ATTRIBUTES_MAX => media.crypto.push(value),
        // Some write fractions; the whole milliseconds are what matters.
        "ptime" => media.ptime_ms = millis(value),
        "maxptime" => media.maxptime_ms = millis(value),
        "rtcp-mux" => media.rtcp_mux = true,
        "rtcp" => {
            let (port, rest) = value.split_once(' ').unwrap_or((value, ""));
            media.rtcp = text::number(port, 65_535)
                .filter(|port| *port > 0)
                .map(|port| (port as u16, connection(rest)));
        }
        "mid" if text::is_token(value.as_bytes()) => media.mid = Some(value),
        _ => {}
    }
}

/// The payload type of an `a=fmtp` that wants two channels.
fn stereo(value: &str) -> Option<u8> {
    let (payload_type, parameters) = value.split_once(' ')?;
    let mut each = parameters.split(';').map(str::trim);
    let wanted = each.any(|p| p.eq_ignore_ascii_case("stereo=1"));
    text::number(payload_type, 127)
        .filter(|_| wanted)
        .map(|pt| pt as u8)
}

fn millis(value: &str) -> Option<u16> {
    let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
    text::number(whole, 1_000).map(|ms| ms as u16)
}

/// `96 opus/48000/2`; ill-formed ones are passed over.
fn rtpmap(value: &str) -> Option<RtpMap<'_>> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    Some(RtpMap {
        payload_type: text::number(payload_type, 127)? as u8,
        name: parts.next()?,
        clock_hz: text::number(parts.next()?, 1_000_000)? as u32,
        channels: match parts.next() {
            Some(channels) => text::number(channels, 255)? as u8,
            None => 1,
        },
    })
}
