//! Writes our descriptions.

use super::crypto::{OFFERED, encode64, own_key};
use super::negotiate::{COMFORT_NOISE, Choice, EVENTS_8000, EVENTS_48000};
use super::parse::{Direction, Session};
use super::{LocalMedia, SrtpPolicy};
use cp_vocab::media::Codec;
use std::fmt::Write;

/// Room for a description, in bytes.
const ROOM: usize = 640;

pub(super) fn offer(local: &LocalMedia) -> String {
    let mut out = head(local, "0 0");
    let protocol = match local.srtp {
        SrtpPolicy::Require => "RTP/SAVP",
        _ => "RTP/AVP",
    };
    let narrow = local
        .codecs
        .iter()
        .any(|c| matches!(c, Codec::Pcmu | Codec::Pcma));
    let wide_clock = local.codecs.contains(&Codec::Opus);
    let _ = write!(out, "m=audio {} {protocol}", local.rtp.port());
    for codec in &local.codecs {
        let _ = write!(out, " {}", codec.default_payload_type());
    }
    let _ = write!(out, " {EVENTS_8000}");
    if wide_clock {
        let _ = write!(out, " {EVENTS_48000}");
    }
    if narrow {
        let _ = write!(out, " {COMFORT_NOISE}");
    }
    out.push_str("\r\n");
    for codec in &local.codecs {
        put_codec(&mut out, *codec, codec.default_payload_type());
    }
    put_events(&mut out, EVENTS_8000, 8_000);
    if wide_clock {
        put_events(&mut out, EVENTS_48000, 48_000);
    }
    if local.srtp != SrtpPolicy::Off {
        for (i, suite) in OFFERED.iter().enumerate() {
            put_crypto(
                &mut out,
                i as u32 + 1,
                suite.name(),
                &own_key(&local.srtp_key, *suite),
            );
        }
    }
    let direction = Direction {
        send: local.send,
        receive: local.receive,
    };
    let _ = write!(
        out,
        "a=ptime:{}\r\na=rtcp-mux\r\na={}\r\n",
        local.ptime_ms,
        direction.attribute()
    );
    out
}

pub(super) fn answer(local: &LocalMedia, offer: &Session<'_>, choice: &Choice) -> String {
    let mut out = head(local, offer.time.unwrap_or("0 0"));
    let plan = &choice.plan;
    for (line, media) in offer.media.iter().enumerate() {
        if line != choice.line {
            // RFC 3264 6: refused by port 0, with the formats as they were.
            let _ = write!(out, "m={} 0 {}", media.kind, media.protocol);
            for format in &media.formats {
                let _ = write!(out, " {format}");
            }
            out.push_str("\r\n");
            continue;
        }
        let pt = plan.payload_type_receive;
        let _ = write!(out, "m=audio {} {} {pt}", local.rtp.port(), media.protocol);
        if let Some((_, events)) = plan.dtmf {
            let _ = write!(out, " {events}");
        }
        if plan.comfort_noise {
            let _ = write!(out, " {COMFORT_NOISE}");
        }
        out.push_str("\r\n");
        put_codec(&mut out, plan.codec, pt);
        if let Some((_, events)) = plan.dtmf {
            put_events(&mut out, events, choice.events_clock_hz);
        }
        if let Some(keys) = &plan.srtp {
            put_crypto(&mut out, choice.crypto_tag, keys.suite.name(), &keys.local);
        }
        if let Some(mid) = media.mid {
            let _ = write!(out, "a=mid:{mid}\r\n");
        }
        if choice.rtcp_mux {
            out.push_str("a=rtcp-mux\r\n");
        }
        let theirs = media.direction.or(offer.direction);
        let direction = Direction {
            send: local.send && theirs.is_none_or(|d| d.receive),
            receive: plan.receive,
        };
        let _ = write!(
            out,
            "a=ptime:{}\r\na={}\r\n",
            plan.ptime_ms,
            direction.attribute()
        );
    }
    out
}

/// Session part. Writing into a string cannot fail.
fn head(local: &LocalMedia, time: &str) -> String {
    let mut out = String::with_capacity(ROOM);
    let ip = local.rtp.ip().to_canonical();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let _ = write!(
        out,
        "v=0\r\no=- {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt={time}\r\n",
        local.session_id, local.version
    );
    out
}

fn put_codec(out: &mut String, codec: Codec, pt: u8) {
    let channels = if codec == Codec::Opus { "/2" } else { "" };
    let _ = write!(
        out,
        "a=rtpmap:{pt} {}/{}{channels}\r\n",
        codec.name(),
        codec.clock_hz()
    );
    if codec == Codec::Opus {
        let _ = write!(out, "a=fmtp:{pt} useinbandfec=1\r\n");
    }
}

fn put_events(out: &mut String, pt: u8, clock_hz: u32) {
    let _ = write!(
        out,
        "a=rtpmap:{pt} telephone-event/{clock_hz}\r\na=fmtp:{pt} 0-16\r\n"
    );
}

fn put_crypto(out: &mut String, tag: u32, suite: &str, key: &[u8]) {
    let _ = write!(out, "a=crypto:{tag} {suite} inline:{}\r\n", encode64(key));
}
