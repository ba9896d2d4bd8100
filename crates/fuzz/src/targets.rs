//! The targets, by name.

use bytes::Bytes;
use cp_engine::{Engine, EngineConfig, Input, Restore, guard};
use cp_identity::proof::jws;
use cp_identity::{
    canonical, card, certificate, crl, header, json, oidc, passport, rcd, tnauth, webauthn,
};
use cp_media::dtmf::event::Event;
use cp_media::peer::rtc::{Anchor, RtcMaker};
use cp_media::peer::{PeerAddresses, PeerMaker, PeerOutput};
use cp_media::{rtcp, rtp, srtp};
use cp_sim::house::House;
use cp_sip::digest::ClientSession;
use cp_sip::framer::{Frame, Framer};
use cp_sip::header_value::{NameAddr, Via};
use cp_sip::message::Message;
use cp_sip::sdp::{self, LocalMedia, SrtpPolicy};
use cp_sip::ua::Listen;
use cp_sip::uri::{self, SipUri};
use cp_vocab::media::{Codec, MediaEvent, PortPair, SrtpSuite};
use cp_vocab::net::{Flow, Transport};
use cp_vocab::{Timestamp, model};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

/// A name (also that of its folder in the corpus) and what is done with the input.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("sip", sip),
    ("sip_stream", sip_stream),
    ("sip_agent", sip_agent),
    ("sdp", session),
    ("uri", address),
    ("digest", digest),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("srtp", srtp),
    ("stun", stun),
    ("identity_header", identity_header),
    ("passport", token),
    ("tn_auth_list", tn_auth_list),
    ("certificate", certificate),
    ("rich_call_data", rich_call_data),
    ("call_info", call_info),
    ("number", number),
    ("emergency", emergency),
    ("mime", mime),
    ("documents", documents),
    ("events", events),
    ("browser", browser),
    ("telephone_event", telephone_event),
    ("passkey", passkey),
    ("signed_token", signed_token),
];

/// A datagram: parsed, and its parts looked at.
fn sip(bytes: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let _ = (
        message.method(),
        message.status(),
        message.call_id().len(),
        message.body().len(),
    );
    let _ = (
        message.from().map(|f| f.display_text().len()),
        message.to().map(|t| t.uri.len()),
    );
    let _ = SipUri::parse(message.uri()).map(|u| u.user_decoded().len());
    let _ = cp_sip::validate::validate(&message, Transport::Udp);
}

/// A stream in pieces: the messages must not depend on where it was cut.
fn sip_stream(bytes: &[u8]) {
    let whole = frames(&[bytes]);
    let cut = bytes.len() / 2;
    let halves = frames(&[&bytes[..cut], &bytes[cut..]]);
    assert_eq!(whole, halves, "messages depend on the cut");
}

fn frames(pieces: &[&[u8]]) -> (usize, bool) {
    let mut framer = Framer::new();
    let mut count = 0;
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.frame() {
                Ok(Some(Frame::Message(_))) => count += 1,
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => break,
                Err(_) => return (count, false),
            }
        }
    }
    (count, true)
}

/// Inputs one engine gets before it is replaced by a new one.
const INPUTS_PER_ENGINE: u32 = 200;

/// A message as a carrier sends it: through transactions, dialogs, interactions and routing.
fn sip_agent(bytes: &[u8]) {
    thread_local! {
        static ENGINE: RefCell<Option<(Engine, u32)>> = const { RefCell::new(None) };
    }
    ENGINE.with(|slot| {
        let mut slot = slot.borrow_mut();
        let (engine, given) = slot.get_or_insert_with(|| (engine(), 0));
        *given += 1;
        let now = Timestamp::from_secs(1_800_000_000)
            + std::time::Duration::from_millis(u64::from(*given) * 40);
        let local: SocketAddr = ([10, 0, 0, 1], 5060).into();
        let flow = Flow {
            transport: Transport::Udp,
            local,
            remote: ([10, 0, 1, 200], 5060).into(),
            connection: None,
        };
        let bytes = Bytes::copy_from_slice(bytes);
        engine.handle(
            now,
            Input::Datagram {
                flow,
                tls_name: None,
                bytes,
            },
        );
        while engine.poll().is_some() {}
        engine.handle(now, Input::Timeout);
        while engine.poll().is_some() {}
        assert_eq!(engine.stats().faults, 0, "an interaction had a fault");
        if *given >= INPUTS_PER_ENGINE {
            *slot = None;
        }
    });
}

fn engine() -> Engine {
    let local: SocketAddr = ([10, 0, 0, 1], 5060).into();
    let listen = Listen {
        transport: Transport::Udp,
        local,
        advertised: local,
    };
    let mut engine = Engine::new(EngineConfig::new([3; 32], [4; 32], vec![listen]));
    let ports = (0..500).map(|i| PortPair {
        worker: 0,
        rtp: ([10, 0, 0, 1], 20_000 + i * 2).into(),
    });
    let now = Timestamp::from_secs(1_800_000_000);
    engine.handle(
        now,
        Input::Media(MediaEvent::Ports {
            ports: ports.collect(),
        }),
    );
    let snapshot = Arc::new(House::build().1);
    let restore = Restore {
        snapshot,
        ..Restore::default()
    };
    engine.handle(now, Input::Restore(Box::new(restore)));
    while engine.poll().is_some() {}
    engine
}

fn local_media() -> LocalMedia {
    LocalMedia {
        rtp: ([10, 0, 0, 1], 20_000).into(),
        codecs: vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
        srtp: SrtpPolicy::Allow,
        srtp_key: [7; 44],
        send: true,
        receive: true,
        session_id: 1,
        version: 1,
        ptime_ms: 20,
    }
}

/// An offer and an answer. What we answer must be something that we ourselves take.
fn session(bytes: &[u8]) {
    let local = local_media();
    if let Ok(answered) = sdp::answer(&local, bytes) {
        let _ = sdp::complete(&local, answered.sdp.as_bytes());
    }
    let _ = sdp::complete(&local, bytes);
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn address(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(parsed) = SipUri::parse(&text) {
        assert!(parsed.equivalent(&parsed), "an address is itself");
        let user = parsed.user_decoded();
        assert_eq!(
            uri::decode(&uri::encode_user(&user)),
            user,
            "escapes come back"
        );
    }
    let _ = NameAddr::parse(&text).map(|a| a.display_text().len());
    let _ = Via::parse(&text).map(|v| v.rfc3261_branch().is_some());
}

fn digest(bytes: &[u8]) {
    let text = text(bytes);
    let lines = text.lines();
    if let Some(challenge) = ClientSession::pick(lines, "cnonce") {
        let _ = challenge.realm().len();
    }
    let _ = cp_sip::digest::Authorization::parse(&text);
}

fn rtp(bytes: &[u8]) {
    let _ = rtp::is_rtcp(bytes);
    if let Ok(parsed) = rtp::parse(bytes) {
        let mut again = parsed;
        let _ = rtp::strip_padding(bytes, &mut again);
    }
}

fn rtcp(bytes: &[u8]) {
    let _ = rtcp::parse(bytes, 0x1234_5678);
}

/// Nothing that was not protected with the key may pass.
fn srtp(bytes: &[u8]) {
    for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes128Gcm] {
        let (key, salt) = suite.key_and_salt_len();
        let Ok(mut incoming) = srtp::unprotect(suite, &[9; 60][..key + salt]) else {
            continue;
        };
        let mut packet = bytes.to_vec();
        let _ = incoming.rtp(&mut packet);
        let mut packet = bytes.to_vec();
        let _ = incoming.rtcp(&mut packet);
    }
}

fn identity_header(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(h) = header::IdentityHeader::parse(&text) {
        let _ = h.is_compact();
    }
}

fn token(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(p) = passport::Passport::parse(&text, passport::Leniency::default()) {
        let _ = (p.signing_input().len(), p.compact().len());
    }
    if let Some(value) = json::Value::parse(bytes) {
        let once = value.canonical();
        let again = json::Value::parse(once.as_bytes()).map(|v| v.canonical());
        assert_eq!(
            again.as_deref(),
            Some(once.as_str()),
            "the canonical form is its own"
        );
    }
}

fn tn_auth_list(bytes: &[u8]) {
    if let Some(list) = tnauth::TnAuthList::parse(bytes) {
        let _ = (
            list.covers("12155551212"),
            list.spc().is_some(),
            list.has_numbers(),
        );
        assert!(list.within(&list), "a list is within itself");
    }
    let _ = tnauth::ClaimConstraints::parse(bytes, true);
    let _ = tnauth::ClaimConstraints::parse(bytes, false);
}

fn certificate(bytes: &[u8]) {
    if let Some(c) = certificate::Certificate::parse(bytes) {
        let _ = (c.common_name().is_some(), c.issuer_and_serial().1.len());
        let _ = crl::RevocationList::read(bytes, &c);
    }
    let _ = certificate::Trust::new(&text(bytes));
}

fn rich_call_data(bytes: &[u8]) {
    if let Some(object) = json::Value::parse(bytes)
        .as_ref()
        .and_then(json::Value::as_object)
    {
        let _ = rcd::read(object);
        let _ = card::judge(object, &ringing());
    }
    let text = text(bytes);
    assert!(rcd::inert(&text, 64).chars().count() <= 64, "cut to length");
}

/// What rings when a card comes.
fn ringing() -> card::Call<'static> {
    card::Call {
        caller: "+12155551212",
        called: "+12155551213",
        ring: "leg_1",
        language: "en",
        region: None,
    }
}

/// Call-Info values, one a line; a business card in them or fetched. What is shown of it is one line.
fn call_info(bytes: &[u8]) {
    let text = text(bytes);
    let values: Vec<&str> = text.lines().collect();
    let _ = card::call_info::is_rich(&values);
    let call = ringing();
    let judged = card::call_info::judge(&values, values.first().copied(), call.caller, &call);
    let details = card::call_info::parse(bytes);
    let names = judged.iter().flat_map(|c| [&c.name, &c.reason]);
    for line in names.chain(details.iter().map(|d| &d.name)).flatten() {
        let inert = !line.contains(|c: char| c.is_control());
        assert!(inert && line.chars().count() <= 128, "{line:?}");
    }
    if let Some(details) = details {
        let _ = card::call_info::speaks_for(&details, &call);
    }
}

fn number(bytes: &[u8]) {
    let text = text(bytes);
    for region in ["", "US", "DE", "IT", "MX", "AR", "BR", "RU"] {
        let _ = canonical::line(&text, region);
    }
    let rules = cp_vocab::party::NumberRules {
        country_code: "49".into(),
        national_prefix: "0".into(),
        international_prefix: "00".into(),
        ..Default::default()
    };
    let _ = rules.render(&rules.normalise(&text));
    let _ = cp_vocab::dialling::country_of(&text);
}

/// The guard may refuse what is fine, but must not let out what it refused in plainer dress.
fn emergency(bytes: &[u8]) {
    let text = text(bytes);
    let plain = guard::is_emergency(&text);
    if plain && !text.contains(['@', ':', '%']) {
        assert!(
            guard::is_emergency(&format!("tel:{text}")),
            "a scheme hides it: {text:?}"
        );
    }
}

/// A body of several parts in an INVITE.
fn mime(bytes: &[u8]) {
    let head = format!(
        "INVITE sip:queue@test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.200;branch=z9hG4bK{}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@10.0.1.200>;tag=1\r\nTo: <sip:queue@test>\r\nCall-ID: m{}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:a@10.0.1.200>\r\nContent-Type: multipart/mixed;boundary=b\r\nContent-Length: {}\r\n\r\n",
        bytes.len(),
        bytes.iter().map(|b| u64::from(*b)).sum::<u64>(),
        bytes.len()
    );
    sip_agent(&[head.as_bytes(), bytes].concat());
}

/// Rows and verbs as JSON: what people and programs send.
fn documents(bytes: &[u8]) {
    let _ = serde_json::from_slice::<model::Destination>(bytes);
    let _ = serde_json::from_slice::<cp_vocab::Command>(bytes);
    let _ = serde_json::from_slice::<cp_vocab::safety::Safety>(bytes);
    if let Ok(snapshot) = serde_json::from_slice::<model::Snapshot>(bytes) {
        let text = serde_json::to_vec(&snapshot).unwrap_or_default();
        assert_eq!(
            serde_json::from_slice::<model::Snapshot>(&text).ok(),
            Some(snapshot),
            "what is written is read back"
        );
    }
}

/// Bodies of events, as they are kept and as receivers get them.
fn events(bytes: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<cp_vocab::Event>(bytes) {
        let text = serde_json::to_vec(&event).unwrap_or_default();
        assert!(
            serde_json::from_slice::<cp_vocab::Event>(&text).is_ok(),
            "an event is read back"
        );
    }
}

thread_local! {
    static BROWSERS: RtcMaker = {
        let at = Timestamp::from_secs(1_800_000_000);
        let anchor = Anchor { instant: std::time::Instant::now(), at };
        let udp = vec![([10, 0, 0, 1], 40_000).into()];
        RtcMaker::new(anchor, PeerAddresses { udp, tcp: vec![] })
    };
}

/// What a browser offered, for those who send to its peer afterwards.
const OFFER: &str = include_str!("../../../fuzz/corpus/browser/offer");

/// What a browser signals: a description with ICE and DTLS attributes and candidates.
fn browser(bytes: &[u8]) {
    let text = text(bytes);
    let now = Timestamp::from_secs(1_800_000_000);
    let mut peer = BROWSERS.with(|b| b.make(now));
    if peer.take_offer(&text).is_ok() {
        assert!(peer.agreed().is_some(), "an answer agrees on something");
        let _ = peer.make_offer().map(|_| peer.take_answer(&text));
    }
    let _ = peer.add_candidate(&text);
    peer.drain(&mut |_| ());
}

/// A datagram at the port of all browsers (STUN, DTLS, SRTP) from somebody who knows no password: it
/// is nobody's, and nothing goes back.
fn stun(bytes: &[u8]) {
    let _ = rtp::is_rtcp(bytes);
    let _ = rtp::parse(bytes);
    sip(bytes);
    let _ = cp_media::peer::stun::addressee(bytes).map(str::len);
    let now = Timestamp::from_secs(1_800_000_000);
    let mut peer = BROWSERS.with(|b| b.make(now));
    assert!(peer.take_offer(OFFER).is_ok(), "the offer is good");
    peer.drain(&mut |_| ());
    let from = ([192, 0, 2, 66], 6_666).into();
    assert!(
        !peer.receive(now, false, from, bytes),
        "a stranger was taken for the browser"
    );
    peer.drain(&mut |out| {
        assert!(
            !matches!(out, PeerOutput::Send { to, .. } if to == from),
            "a stranger was answered"
        );
    });
}

/// Digits by RFC 4733: what is read is written back as the same.
fn telephone_event(bytes: &[u8]) {
    if let Ok(event) = Event::parse(bytes) {
        let again = event.to_bytes();
        let read = Event::parse(&again).map(|e| (e.code, e.end, e.volume, e.duration));
        let was = (event.code, event.end, event.volume, event.duration);
        assert_eq!(read.ok(), Some(was));
    }
}

/// A passkey's attestation (CBOR, COSE, X.509) and its later use.
fn passkey(bytes: &[u8]) {
    let party = webauthn::RelyingParty {
        id: "desk.example".into(),
        origins: vec!["https://desk.example".into()],
    };
    let challenge = [0; 32];
    let client = |kind: &str| {
        let challenge = "A".repeat(43);
        format!(
            r#"{{"type":"{kind}","challenge":"{challenge}","origin":"https://desk.example","crossOrigin":false}}"#
        )
    };
    let policy = webauthn::Policy::default();
    let made = client("webauthn.create");
    let new = webauthn::Registration {
        client_data_json: made.as_bytes(),
        attestation_object: bytes,
    };
    let registered = webauthn::register(&party, policy, &challenge, new);
    // The browser's words are strangers' words as well.
    let other = webauthn::Registration {
        client_data_json: bytes,
        attestation_object: bytes,
    };
    let _ = webauthn::register(&party, policy, &challenge, other);
    if let Ok(credential) = registered {
        let used = client("webauthn.get");
        let used = webauthn::Assertion {
            credential_id: &credential.id,
            client_data_json: used.as_bytes(),
            authenticator_data: bytes,
            signature: bytes,
        };
        let proof = webauthn::authenticate(&party, policy, &challenge, &credential, used);
        assert!(proof.is_err(), "a signature came out of nothing");
    }
}

/// Tokens and documents of identity providers, and our own assertions. Nothing that was not signed holds.
fn signed_token(bytes: &[u8]) {
    let text = text(bytes);
    let keys = oidc::Keys::read(bytes);
    let _ = oidc::Discovery::read(bytes, "https://idp.example");
    let expected = oidc::Expected {
        issuer: "https://idp.example",
        client_id: "desk",
        nonce: "n",
        now_s: 1_800_000_000,
    };
    if let Ok(keys) = oidc::Keys::read(br#"{"keys":[]}"#) {
        assert!(oidc::verify(&text, &keys, expected).is_err(), "no key fits");
    }
    if let Ok(keys) = keys {
        let _ = oidc::verify(&text, &keys, expected);
    }
    let _ = oidc::says_it_is_for(&text, "https://idp.example", "desk");
    if let Ok(token) = jws::Unverified::parse(&text, "proof+jwt") {
        assert!(
            token.verify::<serde_json::Value>(&[]).is_err(),
            "no key fits"
        );
    }
}
