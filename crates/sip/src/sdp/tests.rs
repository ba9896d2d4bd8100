//! One table for offers we answer, one for answers to our offer; hostile and broken ones included.
//! In the tables `|` is a line end, and every text without `v=` gets the usual session lines first.

use super::*;
use cp_vocab::media::Codec::{G722, Opus, Pcma, Pcmu};
use proptest::prelude::*;

const ALL: &[Codec] = &[Opus, G722, Pcma, Pcmu];
const KEY30: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const KEY44: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKis=";

fn local(codecs: &[Codec], srtp: SrtpPolicy) -> LocalMedia {
    LocalMedia {
        rtp: "198.51.100.7:20000".parse().expect("an address"),
        codecs: codecs.to_vec(),
        srtp,
        srtp_key: [9; 44],
        send: true,
        receive: true,
        session_id: 7,
        version: 1,
        ptime_ms: 20,
    }
}

fn text(row: &str) -> String {
    let whole = row.starts_with("v=") || row.starts_with('!');
    let head = match (whole, row.contains("c=")) {
        (true, _) => "",
        (false, true) => "v=0|o=- 1 1 IN IP4 192.0.2.1|s=-|t=0 0|",
        (false, false) => "v=0|o=- 1 1 IN IP4 192.0.2.1|s=-|c=IN IP4 192.0.2.1|t=0 0|",
    };
    let end = if whole { "" } else { "|" };
    format!("{head}{}{end}", row.trim_start_matches('!'))
        .replace('|', "\r\n")
        .replace("KEY30", KEY30)
        .replace("KEY44", KEY44)
        .replace("LIFE", "|2^20")
        .replace("MKI", "|1:4")
}

/// What the media leg would do, in a line: codec, payload types, events, ms, direction, addresses.
fn told(plan: &MediaPlan) -> String {
    let direction = match (plan.send, plan.receive) {
        (true, true) => "both",
        (true, false) => "send",
        (false, true) => "receive",
        (false, false) => "none",
    };
    let mut out = format!(
        "{} {}/{} {} {direction} {}",
        plan.codec.name(),
        plan.payload_type_send,
        plan.payload_type_receive,
        plan.ptime_ms,
        plan.remote
    );
    match plan.remote_rtcp {
        Some(a) if a.port() == plan.remote.port() + 1 && a.ip() == plan.remote.ip() => {}
        Some(a) => out += &format!(" rtcp={a}"),
        None => out += " mux",
    }
    if let Some((send, receive)) = plan.dtmf {
        out += &format!(" events={send}/{receive}");
    }
    if let Some(keys) = &plan.srtp {
        assert_ne!(keys.local, keys.remote);
        let (key, salt) = keys.suite.key_and_salt_len();
        assert_eq!(
            (keys.local.len(), keys.remote.len()),
            (key + salt, key + salt)
        );
        out += &format!(" {}", keys.suite.name());
    }
    if plan.comfort_noise {
        out += " cn";
    }
    out
}

use SrtpPolicy::{Allow, Off, Require};

/// Name, what we can, SRTP, the offer, what becomes of it.
type Row = (
    &'static str,
    &'static [Codec],
    SrtpPolicy,
    &'static str,
    &'static str,
);

const OFFERS: &[Row] = &[
    (
        "static types need no rtpmap",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0 8",
        "PCMA 8/8 20 both 192.0.2.1:4000",
    ),
    (
        "our preference decides",
        &[Pcmu, Pcma],
        Off,
        "m=audio 4000 RTP/AVP 8 0",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "G.722 static",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 9 0",
        "G722 9/9 20 both 192.0.2.1:4000",
    ),
    (
        "G.722 with the wrong clock",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 9|a=rtpmap:9 G722/16000",
        "G722 9/9 20 both 192.0.2.1:4000",
    ),
    (
        "dynamic Opus number comes back",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 111 0|a=rtpmap:111 OPUS/48000/2",
        "opus 111/111 20 both 192.0.2.1:4000",
    ),
    (
        "Opus not wanted",
        &[Pcmu],
        Off,
        "m=audio 4000 RTP/AVP 111 0|a=rtpmap:111 opus/48000/2",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "a static number given another meaning",
        &[Pcmu, Pcma],
        Off,
        "m=audio 4000 RTP/AVP 0 8|a=rtpmap:0 G729/8000",
        "PCMA 8/8 20 both 192.0.2.1:4000",
    ),
    (
        "events at 8000",
        &[Pcmu],
        Off,
        "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15",
        "PCMU 0/0 20 both 192.0.2.1:4000 events=101/101",
    ),
    (
        "events follow the clock of the codec",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 111 0 110 126|a=rtpmap:111 opus/48000/2|a=rtpmap:110 telephone-event/48000|a=rtpmap:126 telephone-event/8000",
        "opus 111/111 20 both 192.0.2.1:4000 events=110/110",
    ),
    (
        "events at 8000 beside Opus when there are no others",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 111 126|a=rtpmap:111 opus/48000/2|a=rtpmap:126 telephone-event/8000",
        "opus 111/111 20 both 192.0.2.1:4000 events=126/126",
    ),
    (
        "no events at 48000 for G.711",
        &[Pcmu],
        Off,
        "m=audio 4000 RTP/AVP 0 110|a=rtpmap:110 telephone-event/48000",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "comfort noise",
        &[Pcmu],
        Off,
        "m=audio 4000 RTP/AVP 0 13",
        "PCMU 0/0 20 both 192.0.2.1:4000 cn",
    ),
    (
        "comfort noise is for G.711",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 9 13",
        "G722 9/9 20 both 192.0.2.1:4000",
    ),
    (
        "hold by sendonly",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=sendonly",
        "PCMU 0/0 20 receive 192.0.2.1:4000",
    ),
    (
        "recvonly",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=recvonly",
        "PCMU 0/0 20 send 192.0.2.1:4000",
    ),
    (
        "hold by inactive",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=inactive",
        "PCMU 0/0 20 none 192.0.2.1:4000",
    ),
    (
        "hold for the session",
        ALL,
        Off,
        "a=sendonly|m=audio 4000 RTP/AVP 0",
        "PCMU 0/0 20 receive 192.0.2.1:4000",
    ),
    (
        "the line overrules the session",
        ALL,
        Off,
        "a=inactive|m=audio 4000 RTP/AVP 0|a=sendrecv",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "hold by 0.0.0.0",
        ALL,
        Off,
        "c=IN IP4 0.0.0.0|m=audio 4000 RTP/AVP 0",
        "PCMU 0/0 20 receive 0.0.0.0:4000",
    ),
    (
        "c= of the line overrules",
        ALL,
        Off,
        "c=IN IP4 192.0.2.9|m=audio 4000 RTP/AVP 0|c=IN IP4 192.0.2.10",
        "PCMU 0/0 20 both 192.0.2.10:4000",
    ),
    (
        "video is refused",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|m=video 4002 RTP/AVP 31",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "video first",
        ALL,
        Off,
        "m=video 4002 RTP/AVP 31|m=audio 4000 RTP/AVP 0",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "the first of two audio lines",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|m=audio 4010 RTP/AVP 8",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "an audio line that is off is passed over",
        ALL,
        Off,
        "m=audio 0 RTP/AVP 0|m=audio 4010 RTP/AVP 8",
        "PCMA 8/8 20 both 192.0.2.1:4010",
    ),
    (
        "SRTP line before a plain one",
        ALL,
        Allow,
        "m=audio 4000 RTP/AVP 0|m=audio 4010 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:4010 AES_CM_128_HMAC_SHA1_80",
    ),
    (
        "the plain one when SRTP is off",
        ALL,
        Off,
        "m=audio 4010 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30|m=audio 4000 RTP/AVP 0",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "RTP/SAVP",
        ALL,
        Require,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30LIFE",
        "PCMU 0/0 20 both 192.0.2.1:4000 AES_CM_128_HMAC_SHA1_80",
    ),
    (
        "an MKI is not ours to write",
        ALL,
        Require,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30LIFEMKI",
        "sdp_srtp_refused",
    ),
    (
        "an MKI without lifetime",
        ALL,
        Require,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30MKI",
        "sdp_srtp_refused",
    ),
    (
        "first suite we know, in their order",
        ALL,
        Require,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:KEY44|a=crypto:2 AEAD_AES_256_GCM inline:KEY44|a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:4000 AEAD_AES_256_GCM",
    ),
    (
        "SHA1_32",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:4000 AES_CM_128_HMAC_SHA1_32",
    ),
    (
        "best effort: crypto in RTP/AVP",
        ALL,
        Allow,
        "m=audio 4000 RTP/AVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:4000 AES_CM_128_HMAC_SHA1_80",
    ),
    (
        "best effort and SRTP off",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "feedback profile",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVPF 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:4000 AES_CM_128_HMAC_SHA1_80",
    ),
    (
        "plain where SRTP is required",
        ALL,
        Require,
        "m=audio 4000 RTP/AVP 0",
        "sdp_srtp_required",
    ),
    (
        "SRTP where it is off",
        ALL,
        Off,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "sdp_srtp_refused",
    ),
    (
        "RTP/SAVP without a key",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVP 0",
        "sdp_srtp_refused",
    ),
    (
        "a key of the wrong length",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "sdp_srtp_refused",
    ),
    (
        "a key for the wrong suite",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AEAD_AES_256_GCM inline:KEY30",
        "sdp_srtp_refused",
    ),
    (
        "SRTP without encryption is not SRTP",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30 UNENCRYPTED_SRTP",
        "sdp_srtp_refused",
    ),
    (
        "window hint is harmless",
        ALL,
        Allow,
        "m=audio 4000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30 WSH=128",
        "PCMU 0/0 20 both 192.0.2.1:4000 AES_CM_128_HMAC_SHA1_80",
    ),
    (
        "DTLS is for another leg",
        ALL,
        Allow,
        "m=audio 4000 UDP/TLS/RTP/SAVPF 111|a=rtpmap:111 opus/48000/2|a=fingerprint:sha-256 00",
        "sdp_no_audio",
    ),
    (
        "rtcp-mux",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=rtcp-mux",
        "PCMU 0/0 20 both 192.0.2.1:4000 mux",
    ),
    (
        "a=rtcp with a port",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=rtcp:5000",
        "PCMU 0/0 20 both 192.0.2.1:4000 rtcp=192.0.2.1:5000",
    ),
    (
        "a=rtcp with an address",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=rtcp:5000 IN IP4 192.0.2.3",
        "PCMU 0/0 20 both 192.0.2.1:4000 rtcp=192.0.2.3:5000",
    ),
    (
        "ptime as they ask",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=ptime:30",
        "PCMU 0/0 30 both 192.0.2.1:4000",
    ),
    (
        "no Opus of 30 ms",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 111|a=rtpmap:111 opus/48000/2|a=ptime:30",
        "opus 111/111 20 both 192.0.2.1:4000",
    ),
    (
        "maxptime",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=ptime:60|a=maxptime:40",
        "PCMU 0/0 40 both 192.0.2.1:4000",
    ),
    (
        "absurd ptime",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 0|a=ptime:999999999999",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "unknown formats are passed over",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 18 97 x 300 -1 0|a=rtpmap:97 iLBC/8000",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "a number that would look like RTCP",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 72|a=rtpmap:72 PCMU/8000",
        "sdp_no_codec",
    ),
    (
        "no codec in common",
        &[Opus],
        Off,
        "m=audio 4000 RTP/AVP 0 8 18",
        "sdp_no_codec",
    ),
    (
        "stereo G.711 is not G.711",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP 97|a=rtpmap:97 PCMU/8000/2",
        "sdp_no_codec",
    ),
    (
        "fax only",
        ALL,
        Off,
        "m=image 4000 udptl t38",
        "sdp_no_audio",
    ),
    ("no m-line at all", ALL, Off, "a=sendrecv", "sdp_no_audio"),
    (
        "audio switched off",
        ALL,
        Off,
        "m=audio 0 RTP/AVP 0",
        "sdp_no_audio",
    ),
    (
        "a name instead of an address",
        ALL,
        Off,
        "c=IN IP4 media.example.com|m=audio 4000 RTP/AVP 0",
        "sdp_address",
    ),
    (
        "multicast",
        ALL,
        Off,
        "c=IN IP4 224.2.1.1/127|m=audio 4000 RTP/AVP 0",
        "sdp_address",
    ),
    (
        "broadcast",
        ALL,
        Off,
        "c=IN IP4 255.255.255.255|m=audio 4000 RTP/AVP 0",
        "sdp_address",
    ),
    (
        "IPv6 to an IPv4 leg",
        ALL,
        Off,
        "c=IN IP6 2001:db8::1|m=audio 4000 RTP/AVP 0",
        "sdp_address",
    ),
    (
        "mapped IPv4",
        ALL,
        Off,
        "c=IN IP6 ::ffff:192.0.2.5|m=audio 4000 RTP/AVP 0",
        "PCMU 0/0 20 both 192.0.2.5:4000",
    ),
    (
        "no c= anywhere",
        ALL,
        Off,
        "v=0|o=- 1 1 IN IP4 192.0.2.1|s=-|t=0 0|m=audio 4000 RTP/AVP 0|",
        "sdp_address",
    ),
    (
        "broken c=",
        ALL,
        Off,
        "c=IN IP4 192.0.2.1.7!|m=audio 4000 RTP/AVP 0",
        "sdp_malformed",
    ),
    (
        "only line feeds, no s=, no t=",
        ALL,
        Off,
        "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "port with a count",
        ALL,
        Off,
        "m=audio 4000/2 RTP/AVP 0",
        "PCMU 0/0 20 both 192.0.2.1:4000",
    ),
    (
        "the last port has no next one",
        ALL,
        Off,
        "m=audio 65535 RTP/AVP 0",
        "PCMU 0/0 20 both 192.0.2.1:65535 mux",
    ),
    (
        "port too large",
        ALL,
        Off,
        "m=audio 65536 RTP/AVP 0",
        "sdp_malformed",
    ),
    (
        "negative port",
        ALL,
        Off,
        "m=audio -1 RTP/AVP 0",
        "sdp_malformed",
    ),
    (
        "m-line without formats",
        ALL,
        Off,
        "m=audio 4000 RTP/AVP",
        "sdp_malformed",
    ),
    (
        "a line that is none",
        ALL,
        Off,
        "m =audio 4000 RTP/AVP 0",
        "sdp_malformed",
    ),
    ("empty", ALL, Off, "!", "sdp_malformed"),
    ("not SDP", ALL, Off, "!<audio/>|", "sdp_malformed"),
    (
        "another version",
        ALL,
        Off,
        "v=1|m=audio 4000 RTP/AVP 0|",
        "sdp_malformed",
    ),
];

#[test]
fn offers_are_answered_by_the_table() {
    assert!(OFFERS.len() >= 40);
    let mut wrong = Vec::new();
    for (name, codecs, srtp, offer, want) in OFFERS {
        let got = match answer(&local(codecs, *srtp), text(offer).as_bytes()) {
            Ok(answered) => {
                check_answer(name, &text(offer), &answered);
                told(&answered.plan)
            }
            Err(e) => {
                assert!([400, 413, 488].contains(&e.sip_status()));
                e.code().to_owned()
            }
        };
        if got != *want {
            wrong.push(format!("{name}: {got} instead of {want}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What holds for every answer: as many m-lines as offered, in order, one of them taken; and the one
/// who offered reads from it what we read from the offer, the other way round.
fn check_answer(name: &str, offer: &str, answered: &Answered) {
    let theirs = parse::session(offer.as_bytes()).expect("an offer");
    let ours = parse::session(answered.sdp.as_bytes()).expect("an answer");
    assert_eq!(theirs.media.len(), ours.media.len(), "{name}");
    let taken = ours.media.iter().filter(|m| m.port != 0).count();
    assert_eq!(taken, 1, "{name}");
    for (a, b) in theirs.media.iter().zip(&ours.media) {
        assert_eq!((a.kind, a.protocol), (b.kind, b.protocol), "{name}");
        if b.port == 0 {
            assert_eq!(a.formats, b.formats, "{name}");
        } else {
            assert_eq!(b.crypto.len(), usize::from(answered.plan.srtp.is_some()));
            assert!(b.formats.iter().all(|f| a.formats.contains(f)), "{name}");
        }
    }
}

/// Name, our codecs, SRTP, the answer to our offer, what becomes of it.
const ANSWERS: &[Row] = &[
    (
        "plain",
        ALL,
        Off,
        "m=audio 5000 RTP/AVP 0|a=rtcp-mux",
        "PCMU 0/0 20 both 192.0.2.1:5000 mux",
    ),
    (
        "their first codec",
        ALL,
        Off,
        "m=audio 5000 RTP/AVP 8 0 101|a=rtpmap:101 telephone-event/8000",
        "PCMA 8/8 20 both 192.0.2.1:5000 events=101/101",
    ),
    (
        "their own numbers",
        ALL,
        Off,
        "m=audio 5000 RTP/AVP 107 121|a=rtpmap:107 opus/48000/2|a=rtpmap:121 telephone-event/48000",
        "opus 107/96 20 both 192.0.2.1:5000 events=121/110",
    ),
    (
        "our number without rtpmap",
        ALL,
        Off,
        "m=audio 5000 RTP/AVP 96 101",
        "opus 96/96 20 both 192.0.2.1:5000 events=101/101",
    ),
    (
        "a codec we did not offer",
        &[Pcmu],
        Off,
        "m=audio 5000 RTP/AVP 8 0",
        "PCMU 0/0 20 both 192.0.2.1:5000",
    ),
    (
        "only codecs we did not offer",
        &[Pcmu],
        Off,
        "m=audio 5000 RTP/AVP 8",
        "sdp_no_codec",
    ),
    ("refused", ALL, Off, "m=audio 0 RTP/AVP 0", "sdp_refused"),
    (
        "on hold",
        ALL,
        Off,
        "m=audio 5000 RTP/AVP 0|a=inactive",
        "PCMU 0/0 20 none 192.0.2.1:5000",
    ),
    (
        "listens only",
        ALL,
        Off,
        "m=audio 5000 RTP/AVP 0|a=recvonly",
        "PCMU 0/0 20 send 192.0.2.1:5000",
    ),
    (
        "SRTP taken up",
        ALL,
        Require,
        "m=audio 5000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "PCMU 0/0 20 both 192.0.2.1:5000 AES_CM_128_HMAC_SHA1_80",
    ),
    (
        "best effort taken up",
        ALL,
        Allow,
        "m=audio 5000 RTP/AVP 0|a=crypto:2 AEAD_AES_256_GCM inline:KEY44",
        "PCMU 0/0 20 both 192.0.2.1:5000 AEAD_AES_256_GCM",
    ),
    (
        "best effort not taken up",
        ALL,
        Allow,
        "m=audio 5000 RTP/AVP 0",
        "PCMU 0/0 20 both 192.0.2.1:5000",
    ),
    (
        "SRTP demanded, not answered",
        ALL,
        Require,
        "m=audio 5000 RTP/SAVP 0",
        "sdp_srtp_required",
    ),
    (
        "a suite we did not offer under that tag",
        ALL,
        Require,
        "m=audio 5000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:KEY30",
        "sdp_srtp_required",
    ),
    (
        "a tag we did not offer",
        ALL,
        Require,
        "m=audio 5000 RTP/SAVP 0|a=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "sdp_srtp_required",
    ),
    (
        "tag zero",
        ALL,
        Require,
        "m=audio 5000 RTP/SAVP 0|a=crypto:0 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "sdp_srtp_required",
    ),
    (
        "SRTP out of nothing",
        ALL,
        Off,
        "m=audio 5000 RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY30",
        "sdp_srtp_refused",
    ),
    (
        "video in place of audio",
        ALL,
        Off,
        "m=video 5000 RTP/AVP 31",
        "sdp_no_audio",
    ),
    ("nothing", ALL, Off, "a=sendrecv", "sdp_no_audio"),
    ("garbage", ALL, Off, "!garbage", "sdp_malformed"),
];

#[test]
fn answers_complete_our_offer_by_the_table() {
    let mut wrong = Vec::new();
    for (name, codecs, srtp, answer, want) in ANSWERS {
        let got = match complete(&local(codecs, *srtp), text(answer).as_bytes()) {
            Ok(plan) => told(&plan),
            Err(e) => e.code().to_owned(),
        };
        if got != *want {
            wrong.push(format!("{name}: {got} instead of {want}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_we_send() {
    let offered = offer(&local(&[Opus, Pcma], Allow));
    expect_test::expect![[r#"
        v=0
        o=- 7 1 IN IP4 198.51.100.7
        s=-
        c=IN IP4 198.51.100.7
        t=0 0
        m=audio 20000 RTP/AVP 96 8 101 110 13
        a=rtpmap:96 opus/48000/2
        a=fmtp:96 useinbandfec=1
        a=rtpmap:8 PCMA/8000
        a=rtpmap:101 telephone-event/8000
        a=fmtp:101 0-16
        a=rtpmap:110 telephone-event/48000
        a=fmtp:110 0-16
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…
        a=crypto:2 AEAD_AES_256_GCM inline:…
        a=ptime:20
        a=rtcp-mux
        a=sendrecv
    "#]]
    .assert_eq(&without_keys(&offered));
    let answered = answer(
        &local(ALL, Allow),
        text("a=group:BUNDLE x|m=video 1 RTP/AVP 31 34|m=audio 4000 RTP/SAVP 111 0 126 13|a=mid:x|a=rtpmap:111 opus/48000/2|a=rtpmap:126 telephone-event/8000|a=crypto:5 AES_CM_128_HMAC_SHA1_80 inline:KEY30|a=sendonly")
            .as_bytes(),
    )
    .expect("an answer");
    expect_test::expect![[r#"
        v=0
        o=- 7 1 IN IP4 198.51.100.7
        s=-
        c=IN IP4 198.51.100.7
        t=0 0
        m=video 0 RTP/AVP 31 34
        m=audio 20000 RTP/SAVP 111 126
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 useinbandfec=1
        a=rtpmap:126 telephone-event/8000
        a=fmtp:126 0-16
        a=crypto:5 AES_CM_128_HMAC_SHA1_80 inline:…
        a=mid:x
        a=ptime:20
        a=recvonly
    "#]]
    .assert_eq(&without_keys(&answered.sdp));
}

fn without_keys(sdp: &str) -> String {
    sdp.lines()
        .map(|line| match line.split_once("inline:") {
            Some((before, _)) => format!("{before}inline:…\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn two_of_us_agree_with_every_policy_that_can() {
    for (caller, callee, secure) in [
        (Off, Off, false),
        (Off, Allow, false),
        (Allow, Off, false),
        (Allow, Allow, true),
        (Allow, Require, true),
        (Require, Allow, true),
        (Require, Require, true),
    ] {
        let (mut a, mut b) = (local(ALL, caller), local(&[Pcmu, G722], callee));
        b.rtp = "203.0.113.4:30000".parse().expect("an address");
        b.srtp_key = [3; 44];
        b.send = false;
        a.ptime_ms = 40;
        let answered = answer(&b, offer(&a).as_bytes()).expect("an answer");
        let plan = complete(&a, answered.sdp.as_bytes()).expect("a plan");
        assert_eq!(plan.codec, answered.plan.codec);
        assert_eq!(plan.srtp.is_some(), secure);
        assert_eq!((plan.remote, answered.plan.remote), (b.rtp, a.rtp));
        assert_eq!((plan.send, plan.receive), (true, false));
        assert_eq!((answered.plan.send, answered.plan.receive), (false, true));
        assert_eq!((plan.ptime_ms, answered.plan.ptime_ms), (40, 40));
        assert_eq!(plan.dtmf, Some((101, 101)));
        if let (Some(a), Some(b)) = (plan.srtp, answered.plan.srtp) {
            assert_eq!(
                (a.suite, &a.local, &a.remote),
                (b.suite, &b.remote, &b.local)
            );
        }
    }
    for (caller, callee) in [(Off, Require), (Require, Off)] {
        assert!(answer(&local(ALL, callee), offer(&local(ALL, caller)).as_bytes()).is_err());
    }
}

#[test]
fn ipv6_both_ways() {
    let mut ours = local(&[Pcma], Off);
    ours.rtp = "[2001:db8::7]:20000".parse().expect("an address");
    assert!(offer(&ours).contains("c=IN IP6 2001:db8::7\r\n"));
    let theirs = text("c=IN IP6 2001:db8::1|m=audio 4000 RTP/AVP 8");
    let answered = answer(&ours, theirs.as_bytes()).expect("an answer");
    assert_eq!(told(&answered.plan), "PCMA 8/8 20 both [2001:db8::1]:4000");
    let theirs = text("m=audio 4000 RTP/AVP 8");
    assert_eq!(answer(&ours, theirs.as_bytes()), Err(SdpError::Address));
}

#[test]
fn limits_hold() {
    let many = |what: &str, n: usize| {
        let mut sdp = text("m=audio 4000 RTP/AVP 0");
        sdp.extend(std::iter::repeat_n(what, n));
        answer(&local(ALL, Off), sdp.as_bytes()).map(|a| told(&a.plan))
    };
    assert_eq!(
        many("m=video 1 RTP/AVP 31\r\n", 32),
        Err(SdpError::TooLarge)
    );
    assert!(many("m=video 1 RTP/AVP 31\r\n", 31).is_ok());
    assert!(many("a=rtpmap:97 x/8000\r\n", 500).is_ok());
    assert_eq!(many("a=x\r\n", 4_000), Err(SdpError::TooLarge));
    let formats = format!("m=audio 4000 RTP/AVP{}", " 0".repeat(65));
    assert_eq!(
        answer(&local(ALL, Off), text(&formats).as_bytes()),
        Err(SdpError::TooLarge)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = answer(&local(ALL, Allow), &bytes);
        let _ = complete(&local(ALL, Allow), &bytes);
    }

    #[test]
    fn mutated_offers_are_read_without_panic_and_answers_stay_whole(
        row in 0..OFFERS.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = text(OFFERS[row].3).into_bytes();
        for (at, byte) in edits {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        for srtp in [Off, Allow, Require] {
            if let Ok(answered) = answer(&local(ALL, srtp), &bytes) {
                let ours = parse::session(answered.sdp.as_bytes()).expect("our answer reads");
                prop_assert_eq!(ours.media.iter().filter(|m| m.port != 0).count(), 1);
                prop_assert!(!answered.sdp.contains('\0'));
            }
            let _ = complete(&local(ALL, srtp), &bytes);
        }
    }
}

/// RFC 7587 6.1: who says `stereo=1` for the payload type that is used is sent two channels (S3.6).
#[test]
fn who_plays_stereo_says_so() {
    let lines = "m=audio 4000 RTP/AVP 111 0|a=rtpmap:111 opus/48000/2|";
    let cases = [
        ("a=fmtp:111 stereo=1;sprop-stereo=1", true),
        ("a=fmtp:111 minptime=10; stereo=1", true),
        ("a=fmtp:111 stereo=0", false),
        ("a=fmtp:111 sprop-stereo=1", false),
        ("a=fmtp:112 stereo=1", false),
        ("a=fmtp:111", false),
        ("a=fmtp:999999 stereo=1", false),
    ];
    for (fmtp, wanted) in cases {
        let sdp = text(&format!("{lines}{fmtp}"));
        let ours = local(&[Opus, Pcmu], Off);
        let offered = answer(&ours, sdp.as_bytes()).expect("an answer").plan;
        assert_eq!(offered.stereo, wanted, "offered {fmtp}");
        let answered = complete(&ours, sdp.as_bytes()).expect("a plan");
        assert_eq!(answered.stereo, wanted, "answered {fmtp}");
    }
    let narrow = text("m=audio 4000 RTP/AVP 0|a=fmtp:0 stereo=1");
    let plan = complete(&local(&[Pcmu], Off), narrow.as_bytes()).expect("a plan");
    assert!(!plan.stereo);
}
