//! Which stream, codec, key and direction come of two descriptions.

use super::crypto::{Crypto, OFFERED, own_key};
use super::parse::{Connection, Direction, Media, RtpMap, Session};
use super::{LocalMedia, SdpError, SrtpPolicy};
use cp_vocab::media::{Codec, MediaPlan, SrtpKeys};
use std::net::SocketAddr;

/// Payload types we offer for RFC 4733 events, by clock.
pub(super) const EVENTS_8000: u8 = 101;
pub(super) const EVENTS_48000: u8 = 110;
/// RFC 3389 comfort noise at 8 kHz.
pub(super) const COMFORT_NOISE: u8 = 13;

/// The audio line we take of an offer.
#[derive(Debug)]
pub(super) struct Choice {
    /// Index of the m-line.
    pub(super) line: usize,
    pub(super) plan: MediaPlan,
    /// Tag of the crypto attribute taken.
    pub(super) crypto_tag: u32,
    /// Clock of the event payload type in the plan, in Hz.
    pub(super) events_clock_hz: u32,
    pub(super) rtcp_mux: bool,
}

/// Picks the audio line of an offer: a secure one first, unless SRTP is off. When none fits, the
/// error of the one that came nearest is told.
pub(super) fn choose(local: &LocalMedia, offer: &Session<'_>) -> Result<Choice, SdpError> {
    let mut best: Option<Choice> = None;
    let mut error = SdpError::NoAudio;
    for (line, media) in offer.media.iter().enumerate() {
        match take(local, offer, line, media) {
            Ok(choice) => {
                let better = best
                    .as_ref()
                    .is_none_or(|b| choice.plan.srtp.is_some() && b.plan.srtp.is_none());
                if better {
                    best = Some(choice);
                }
            }
            Err(SdpError::NoAudio) => {}
            Err(e) => error = e,
        }
    }
    best.ok_or(error)
}

/// Whether the protocol is RTP as we do it, and whether it says SRTP.
fn rtp_protocol(protocol: &str) -> Option<bool> {
    match protocol {
        "RTP/AVP" | "RTP/AVPF" => Some(false),
        "RTP/SAVP" | "RTP/SAVPF" => Some(true),
        _ => None,
    }
}

fn take(
    local: &LocalMedia,
    offer: &Session<'_>,
    line: usize,
    media: &Media<'_>,
) -> Result<Choice, SdpError> {
    let secure = match rtp_protocol(media.protocol) {
        Some(secure) if media.kind == "audio" && media.port != 0 => secure,
        _ => return Err(SdpError::NoAudio),
    };
    let crypto = match local.srtp {
        SrtpPolicy::Off => None,
        _ => media.crypto.iter().find_map(|c| Crypto::parse(c)),
    };
    match (&crypto, secure, local.srtp) {
        (None, true, _) => return Err(SdpError::SrtpRefused),
        (None, false, SrtpPolicy::Require) => return Err(SdpError::SrtpRequired),
        _ => {}
    }
    let maps = Formats(media);
    let (codec, payload_type) = local
        .codecs
        .iter()
        .find_map(|codec| Some((*codec, maps.of_codec(*codec)?)))
        .ok_or(SdpError::NoCodec)?;
    let events = maps.events(codec.clock_hz());
    let remote = remote(local, offer, media)?;
    let theirs = direction(offer, media);
    let (send, receive) = (local.send && theirs.receive, local.receive && theirs.send);
    let crypto_tag = crypto.as_ref().map_or(0, |c| c.tag);
    Ok(Choice {
        line,
        crypto_tag,
        events_clock_hz: events.map_or(0, |(_, clock)| clock),
        rtcp_mux: media.rtcp_mux,
        plan: MediaPlan {
            remote,
            remote_rtcp: remote_rtcp(remote, media),
            codec,
            // The answer repeats the numbers of the offer, so both ways are the same.
            payload_type_send: payload_type,
            payload_type_receive: payload_type,
            dtmf: events.map(|(pt, _)| (pt, pt)),
            ptime_ms: ptime(local, codec, media),
            // RFC 3264 8.4: nothing is sent to 0.0.0.0, an old form of hold.
            send: send && !remote.ip().is_unspecified(),
            receive,
            srtp: crypto.map(|c| SrtpKeys {
                local: own_key(&local.srtp_key, c.suite),
                suite: c.suite,
                remote: c.key,
            }),
            comfort_noise: is_narrow(codec) && maps.comfort_noise(),
            stereo: plays_stereo(media, codec, payload_type),
        },
    })
}

/// The plan after our offer was answered.
pub(super) fn complete(local: &LocalMedia, answer: &Session<'_>) -> Result<MediaPlan, SdpError> {
    let media = answer.media.first().ok_or(SdpError::NoAudio)?;
    let secure = rtp_protocol(media.protocol).filter(|_| media.kind == "audio");
    let secure = secure.ok_or(SdpError::NoAudio)?;
    if media.port == 0 {
        return Err(SdpError::Refused);
    }
    let srtp = agreed_keys(local, media);
    match (&srtp, local.srtp) {
        (None, SrtpPolicy::Require) => return Err(SdpError::SrtpRequired),
        (None, _) if secure => return Err(SdpError::SrtpRefused),
        _ => {}
    }
    let formats = Formats(media);
    let (codec, payload_type) = formats
        .in_order()
        .find_map(|pt| {
            let codec = formats.codec(pt).or_else(|| offered_dynamic(local, pt))?;
            local.codecs.contains(&codec).then_some((codec, pt))
        })
        .ok_or(SdpError::NoCodec)?;
    let dtmf = formats
        .events(codec.clock_hz())
        .map(|(pt, clock)| (pt, own_events(local, clock)))
        .or_else(|| offered_events(local, &formats));
    let remote = remote(local, answer, media)?;
    let theirs = direction(answer, media);
    Ok(MediaPlan {
        remote,
        remote_rtcp: remote_rtcp(remote, media),
        codec,
        payload_type_send: payload_type,
        payload_type_receive: codec.default_payload_type(),
        dtmf,
        ptime_ms: ptime(local, codec, media),
        send: local.send && theirs.receive && !remote.ip().is_unspecified(),
        receive: local.receive && theirs.send,
        srtp,
        comfort_noise: is_narrow(codec) && formats.comfort_noise(),
        stereo: plays_stereo(media, codec, payload_type),
    })
}

/// The crypto attribute that takes one of ours up: same tag, same suite (RFC 4568 5.1.3).
fn agreed_keys(local: &LocalMedia, media: &Media<'_>) -> Option<SrtpKeys> {
    if local.srtp == SrtpPolicy::Off {
        return None;
    }
    media.crypto.iter().find_map(|value| {
        let crypto = Crypto::parse(value)?;
        let ours = OFFERED.get((crypto.tag as usize).checked_sub(1)?)?;
        (*ours == crypto.suite).then(|| SrtpKeys {
            suite: crypto.suite,
            local: own_key(&local.srtp_key, crypto.suite),
            remote: crypto.key,
        })
    })
}

/// An answer that repeats our dynamic number without its rtpmap.
fn offered_dynamic(local: &LocalMedia, pt: u8) -> Option<Codec> {
    let mut codecs = local.codecs.iter().copied();
    codecs.find(|c| c.default_payload_type() == pt)
}

fn own_events(local: &LocalMedia, clock_hz: u32) -> u8 {
    if clock_hz == 48_000 && local.codecs.contains(&Codec::Opus) {
        EVENTS_48000
    } else {
        EVENTS_8000
    }
}

fn offered_events(local: &LocalMedia, formats: &Formats<'_, '_>) -> Option<(u8, u8)> {
    let repeated = |own: u8| formats.in_order().any(|pt| pt == own) && formats.map(own).is_none();
    [own_events(local, 48_000), EVENTS_8000]
        .into_iter()
        .find(|own| repeated(*own))
        .map(|own| (own, own))
}

/// They say that they play two channels: what several voices come from (S3.6).
fn plays_stereo(media: &Media<'_>, codec: Codec, payload_type: u8) -> bool {
    codec == Codec::Opus && media.stereo.contains(&payload_type)
}

fn is_narrow(codec: Codec) -> bool {
    matches!(codec, Codec::Pcmu | Codec::Pcma)
}

/// Payload types of one m-line and what they mean.
struct Formats<'m, 'a>(&'m Media<'a>);

impl<'m, 'a> Formats<'m, 'a> {
    /// Numbers in their order. 64 to 95 look like RTCP on a shared port (RFC 5761 4) and are not used.
    fn in_order(&self) -> impl Iterator<Item = u8> + use<'m, 'a> {
        self.0
            .formats
            .iter()
            .filter_map(|f| crate::message::text::number(f, 127))
            .map(|pt| pt as u8)
            .filter(|pt| !(64..96).contains(pt))
    }

    fn map(&self, pt: u8) -> Option<&'m RtpMap<'a>> {
        self.0.maps.iter().find(|m| m.payload_type == pt)
    }

    /// By rtpmap, or by the static numbers of RFC 3551 6 when it is missing.
    fn codec(&self, pt: u8) -> Option<Codec> {
        let Some(map) = self.map(pt) else {
            return match pt {
                0 => Some(Codec::Pcmu),
                8 => Some(Codec::Pcma),
                9 => Some(Codec::G722),
                _ => None,
            };
        };
        let is = |codec: Codec| map.name.eq_ignore_ascii_case(codec.name());
        match (map.clock_hz, map.channels) {
            (48_000, 1 | 2) if is(Codec::Opus) => Some(Codec::Opus),
            (8_000, 1) if is(Codec::Pcmu) => Some(Codec::Pcmu),
            (8_000, 1) if is(Codec::Pcma) => Some(Codec::Pcma),
            // 16000 is the sampling rate; RFC 3551 4.5.2 says 8000, not everybody does.
            (8_000 | 16_000, 1) if is(Codec::G722) => Some(Codec::G722),
            _ => None,
        }
    }

    fn of_codec(&self, codec: Codec) -> Option<u8> {
        self.in_order().find(|pt| self.codec(*pt) == Some(codec))
    }

    /// Event payload type and its clock: with the clock of the codec when there is one, else 8000.
    fn events(&self, clock_hz: u32) -> Option<(u8, u32)> {
        let of = |clock: u32| {
            self.in_order().find_map(|pt| {
                let map = self.map(pt)?;
                let found =
                    map.name.eq_ignore_ascii_case("telephone-event") && map.clock_hz == clock;
                found.then_some((pt, clock))
            })
        };
        of(clock_hz).or_else(|| of(8_000))
    }

    fn comfort_noise(&self) -> bool {
        self.in_order().any(|pt| {
            pt == COMFORT_NOISE
                && self
                    .map(pt)
                    .is_none_or(|m| m.name.eq_ignore_ascii_case("CN"))
        })
    }
}

fn direction(session: &Session<'_>, media: &Media<'_>) -> Direction {
    media.direction.or(session.direction).unwrap_or(Direction {
        send: true,
        receive: true,
    })
}

/// Where they receive. A missing `c=` is an error, as is another family than ours.
fn remote(
    local: &LocalMedia,
    session: &Session<'_>,
    media: &Media<'_>,
) -> Result<SocketAddr, SdpError> {
    match media.connection.or(session.connection) {
        Some(Connection::Ip(ip))
            if ip.is_unspecified() || ip.is_ipv4() == local.rtp.ip().to_canonical().is_ipv4() =>
        {
            Ok(SocketAddr::new(ip, media.port))
        }
        _ => Err(SdpError::Address),
    }
}

/// RFC 3605, RFC 5761; the next port otherwise. None when multiplexed, or when there is no next port.
fn remote_rtcp(remote: SocketAddr, media: &Media<'_>) -> Option<SocketAddr> {
    if media.rtcp_mux {
        return None;
    }
    match media.rtcp {
        Some((port, Some(Connection::Ip(ip)))) if ip.is_ipv4() == remote.is_ipv4() => {
            Some(SocketAddr::new(ip, port))
        }
        Some((port, _)) => Some(SocketAddr::new(remote.ip(), port)),
        None => Some(SocketAddr::new(remote.ip(), remote.port().checked_add(1)?)),
    }
}

/// The packet time they ask for when we do it, ours otherwise; never above their maximum.
fn ptime(local: &LocalMedia, codec: Codec, media: &Media<'_>) -> u16 {
    const ALLOWED_MS: [u16; 5] = [60, 40, 30, 20, 10];
    let allowed = |ms: u16| ALLOWED_MS.contains(&ms) && !(codec == Codec::Opus && ms == 30);
    let wanted = media
        .ptime_ms
        .filter(|ms| allowed(*ms))
        .unwrap_or(local.ptime_ms);
    match media.maxptime_ms {
        Some(max) if wanted > max => ALLOWED_MS
            .into_iter()
            .find(|ms| *ms <= max && allowed(*ms))
            .unwrap_or(wanted),
        _ => wanted,
    }
}
