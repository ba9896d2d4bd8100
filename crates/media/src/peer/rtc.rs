//! [`Peer`] on str0m: ICE-lite, DTLS 1.2 and 1.3, RTP in and out packet by packet.
//!
//! That library counts in `Instant`; ours are laid on its line from one anchor, which the shell
//! gives once. It draws keys and SSRCs from the operating system by itself (docs/adr/0008).

use super::*;
use std::sync::Arc;
use std::time::Instant;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::DtlsVersion;
use str0m::format::{Codec as RtcCodec, FormatParams, PayloadParams};
use str0m::media::{Direction, Frequency, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

/// Payload types of telephone events we offer, by clock; Chromium uses these numbers too.
const EVENTS: [(u8, Frequency); 2] = [
    (110, Frequency::FORTY_EIGHT_KHZ),
    (126, Frequency::EIGHT_KHZ),
];
/// m-lines a description may have: one audio, one video, a track per voice, and some refused.
const MEDIA_LINES_MAX: usize = 8 + TRACKS_MAX;
/// Candidates a description may bring; the rest of it is refused. A laptop with VPNs has a dozen.
const CANDIDATES_MAX: usize = 64;
/// Packets kept for repetition, per stream.
const SEND_BUFFER: usize = 256;

/// Makes [`RtcPeer`]s.
pub struct RtcMaker {
    config: RtcConfig,
    anchor: Anchor,
    addresses: PeerAddresses,
}

/// One moment on both lines.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    pub instant: Instant,
    pub at: Timestamp,
}

impl Anchor {
    fn instant(&self, now: Timestamp) -> Instant {
        self.instant + now.since(self.at)
    }
    fn timestamp(&self, instant: Instant) -> Timestamp {
        // "Not happening" is many years ahead.
        self.at + instant.saturating_duration_since(self.instant)
    }
}

impl RtcMaker {
    /// One certificate for all: made here, lost with the process.
    pub fn new(anchor: Anchor, addresses: PeerAddresses) -> Self {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = provider.dtls_provider.generate_certificate();
        let mut config = Rtc::builder()
            .set_crypto_provider(provider)
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_dtls_version(DtlsVersion::Auto)
            .set_send_buffer_audio(SEND_BUFFER)
            .set_send_buffer_video(SEND_BUFFER)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_pcmu(true, false)
            .enable_pcma(true, false)
            .enable_vp8(true)
            .enable_h264(true);
        for (payload_type, clock) in EVENTS {
            let format = FormatParams::default();
            let tele = RtcCodec::Tele;
            config
                .codec_config()
                .add_config(payload_type.into(), None, tele, clock, None, format);
        }
        if let Some(certificate) = certificate {
            config = config.set_dtls_cert(certificate);
        }
        Self {
            config,
            anchor,
            addresses,
        }
    }
}

impl PeerMaker for RtcMaker {
    fn make(&self, now: Timestamp) -> Box<dyn Peer> {
        let mut rtc = self.config.clone().build(self.anchor.instant(now));
        for addr in &self.addresses.udp {
            if let Ok(c) = Candidate::host(*addr, Protocol::Udp) {
                rtc.add_local_candidate(c);
            }
        }
        for addr in &self.addresses.tcp {
            let passive = Candidate::builder().tcp().host(*addr);
            if let Ok(c) = passive.tcptype(TcpType::Passive).build() {
                rtc.add_local_candidate(c);
            }
        }
        Box::new(RtcPeer {
            rtc,
            anchor: self.anchor,
            addresses: self.addresses.clone(),
            pending: None,
            audio: None,
            video: None,
            tracks: Vec::new(),
            agreed: None,
            counters: [Extended::default(); 2 + TRACKS_MAX],
            connected: false,
            closed: false,
        })
    }
}

/// Sequence numbers of 16 bits counted on, from the first: SRTP begins at roll-over 0.
#[derive(Clone, Copy, Default)]
struct Extended(Option<u64>);

impl Extended {
    fn next(&mut self, sequence: u16) -> u64 {
        let next = match self.0 {
            None => u64::from(sequence),
            Some(last) => {
                let ahead = sequence.wrapping_sub(last as u16) as i16;
                last.saturating_add_signed(i64::from(ahead))
            }
        };
        self.0 = Some(self.0.map_or(next, |last| last.max(next)));
        next
    }
}

struct RtcPeer {
    rtc: Rtc,
    anchor: Anchor,
    addresses: PeerAddresses,
    pending: Option<SdpPendingOffer>,
    audio: Option<Mid>,
    video: Option<Mid>,
    /// Audio lines beyond the first.
    tracks: Vec<Mid>,
    agreed: Option<Agreed>,
    /// Of audio, video and tracks.
    counters: [Extended; 2 + TRACKS_MAX],
    connected: bool,
    closed: bool,
}

impl RtcPeer {
    /// Which local candidate a datagram came to: the first of its kind and family.
    fn destination(&self, tcp: bool, from: SocketAddr) -> Option<SocketAddr> {
        let list = if tcp {
            &self.addresses.tcp
        } else {
            &self.addresses.udp
        };
        let same = |a: &&SocketAddr| a.is_ipv4() == from.is_ipv4();
        list.iter().find(same).copied()
    }

    /// Notes what a description that holds on both sides came to.
    fn settle(&mut self, lines: &str, theirs: &str) -> Result<(), PeerError> {
        let ids = media_ids(lines);
        self.audio = ids.audio.or(self.audio);
        self.video = ids.video.or(self.video);
        self.tracks = ids.tracks;
        let audio = self.params(self.audio);
        let no_audio = || PeerError::NoAudio("the audio line was refused".into());
        let (direction, params) = audio.ok_or_else(no_audio)?;
        let voice = params
            .iter()
            .find_map(|p| Some((voice_codec(p.spec().codec)?, *p.pt())));
        let (codec, payload_type) = voice.ok_or(PeerError::NoCodec)?;
        let mut events: SmallVec<[(u8, u32); 2]> = params
            .iter()
            .filter(|p| p.spec().codec == RtcCodec::Tele)
            .map(|p| (*p.pt(), p.spec().clock_rate.get()))
            .collect();
        // The clock of the voice first: its timestamps go on through a digit.
        events.sort_by_key(|(_, clock)| *clock != codec.clock_hz());
        let video = self
            .params(self.video)
            .map(|(direction, params)| AgreedVideo {
                formats: params.iter().filter_map(video_format).collect(),
                send: direction.is_sending(),
                receive: direction.is_receiving(),
            });
        self.agreed = Some(Agreed {
            codec,
            payload_type,
            events,
            send: direction.is_sending(),
            receive: direction.is_receiving(),
            video: video.filter(|v| !v.formats.is_empty() && (v.send || v.receive)),
            stereo: codec == Codec::Opus && plays_stereo(theirs, payload_type),
            tracks: self.tracks.iter().map(|m| self.track_line(*m)).collect(),
        });
        Ok(())
    }

    fn track_line(&self, mid: Mid) -> TrackLine {
        let media = self.rtc.media(mid).filter(|m| !m.disabled());
        TrackLine {
            mid: mid.to_string(),
            send: media.is_some_and(|m| m.direction().is_sending()),
        }
    }

    /// Direction as we see it, and what may be sent, of one m-line that lives.
    fn params(&self, mid: Option<Mid>) -> Option<(Direction, Vec<PayloadParams>)> {
        let media = self.rtc.media(mid?).filter(|m| !m.disabled())?;
        let wanted = media.remote_pts();
        let params = self.rtc.codec_config().params();
        let agreed = params.iter().filter(|p| wanted.contains(&p.pt()));
        Some((media.direction(), agreed.copied().collect()))
    }

    fn event(&mut self, event: Event, out: &mut dyn FnMut(PeerOutput<'_>)) {
        match event {
            Event::Connected => {
                self.connected = true;
                out(PeerOutput::Connected);
            }
            Event::RtpPacket(p) => {
                let pt: u8 = *p.header.payload_type;
                let ssrc = p.header.ssrc;
                let mid = self.rtc.direct_api().stream_rx(&ssrc).map(|s| s.mid());
                // What a browser sends on a line that is for its ear alone is nobody's voice.
                if mid.is_some_and(|m| self.tracks.contains(&m)) {
                    return;
                }
                out(PeerOutput::Packet(Incoming {
                    video: mid.is_some() && mid == self.video,
                    payload_type: pt,
                    marker: p.header.marker,
                    sequence: *p.seq_no,
                    timestamp: p.header.timestamp,
                    ssrc: *ssrc,
                    payload: p.payload,
                }));
            }
            Event::KeyframeRequest(_) => out(PeerOutput::PictureWanted),
            Event::Closed => self.ended(out),
            _ => {}
        }
    }

    fn ended(&mut self, out: &mut dyn FnMut(PeerOutput<'_>)) {
        if !std::mem::replace(&mut self.closed, true) {
            out(PeerOutput::Closed);
        }
    }
}

impl Peer for RtcPeer {
    fn take_offer(&mut self, sdp: &str) -> Result<String, PeerError> {
        check(sdp)?;
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|e| PeerError::Malformed(brief(&e)))?;
        self.pending = None;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        let ours = answer.to_sdp_string();
        self.settle(&ours, sdp)?;
        Ok(ours)
    }

    fn make_offer(&mut self) -> Result<String, PeerError> {
        let mut api = self.rtc.sdp_api();
        match self.audio {
            None => {
                let both = Direction::SendRecv;
                api.add_media(MediaKind::Audio, both, None, None, None);
            }
            // Something has to be new in an offer: it is the path.
            Some(_) => {
                api.ice_restart(true);
            }
        }
        let nothing = PeerError::State("there is nothing to offer");
        let (offer, pending) = api.apply().ok_or(nothing)?;
        self.pending = Some(pending);
        Ok(offer.to_sdp_string())
    }

    fn take_answer(&mut self, sdp: &str) -> Result<(), PeerError> {
        check(sdp)?;
        let answer =
            SdpAnswer::from_sdp_string(sdp).map_err(|e| PeerError::Malformed(brief(&e)))?;
        let none = PeerError::State("there is no offer of ours to answer");
        let pending = self.pending.take().ok_or(none)?;
        let api = self.rtc.sdp_api();
        api.accept_answer(pending, answer).map_err(refused)?;
        self.settle(sdp, sdp)
    }

    fn add_candidate(&mut self, candidate: &str) -> Result<(), PeerError> {
        let text = candidate.strip_prefix("a=").unwrap_or(candidate);
        // The end of candidates, and names only the browser's own network resolves.
        if text.is_empty() || text.contains(".local ") {
            return Ok(());
        }
        if text.len() > 512 {
            return Err(PeerError::Candidate("it is too long".into()));
        }
        let parsed = Candidate::from_sdp_string(text);
        let parsed = parsed.map_err(|e| PeerError::Candidate(brief(&e)))?;
        self.rtc.add_remote_candidate(parsed);
        Ok(())
    }

    fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    fn ufrag(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    fn receive(&mut self, now: Timestamp, tcp: bool, from: SocketAddr, bytes: &[u8]) -> bool {
        let Some(to) = self.destination(tcp, from) else {
            return false;
        };
        let proto = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let Ok(receive) = Receive::new(proto, from, to, bytes) else {
            return false;
        };
        let input = Input::Receive(self.anchor.instant(now), receive);
        if !self.rtc.accepts(&input) {
            return false;
        }
        // A packet that makes no sense changes nothing; DTLS that failed for good shows below.
        let _ = self.rtc.handle_input(input);
        true
    }

    fn send(&mut self, now: Timestamp, packet: &Outgoing<'_>) {
        let (mid, counter) = match packet.line {
            Line::Audio => (self.audio, 0),
            Line::Video => (self.video, 1),
            Line::Track(n) => (self.tracks.get(usize::from(n)).copied(), 2 + usize::from(n)),
        };
        let Some(mid) = mid.filter(|_| self.connected) else {
            return;
        };
        let at = self.anchor.instant(now);
        let sequence = self.counters[counter].next(packet.sequence);
        let pt = Pt::from(packet.payload_type);
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(mid, None) {
            let write = RtpWrite::new(pt, sequence.into(), packet.timestamp, at, packet.payload);
            let repeat = packet.line == Line::Video;
            stream.write_rtp(write.marker(packet.marker).nackable(repeat));
        }
    }

    fn request_picture(&mut self) {
        let Some(mid) = self.video else { return };
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    fn advance(&mut self, now: Timestamp) {
        let _ = self
            .rtc
            .handle_input(Input::Timeout(self.anchor.instant(now)));
    }

    fn close(&mut self, now: Timestamp) {
        let _ = self.rtc.close();
        self.advance(now);
    }

    fn drain(&mut self, out: &mut dyn FnMut(PeerOutput<'_>)) -> Timestamp {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(t)) => out(PeerOutput::Send {
                    tcp: t.proto == Protocol::Tcp,
                    to: t.destination,
                    bytes: &t.contents,
                }),
                Ok(Output::Event(event)) => self.event(event, out),
                Ok(Output::Timeout(at)) => {
                    if !self.rtc.is_alive() {
                        self.ended(out);
                        return Timestamp::FAR;
                    }
                    return self.anchor.timestamp(at);
                }
                Err(_) => {
                    self.rtc.disconnect();
                    self.ended(out);
                    return Timestamp::FAR;
                }
            }
        }
    }
}

fn voice_codec(codec: RtcCodec) -> Option<Codec> {
    match codec {
        RtcCodec::Opus => Some(Codec::Opus),
        RtcCodec::PCMU => Some(Codec::Pcmu),
        RtcCodec::PCMA => Some(Codec::Pcma),
        _ => None,
    }
}

fn video_format(p: &PayloadParams) -> Option<(u8, VideoFormat)> {
    let spec = p.spec();
    let format = match spec.codec {
        RtcCodec::Vp8 => VideoFormat::Vp8,
        RtcCodec::H264 => VideoFormat::H264 {
            mode: spec.format.packetization_mode.unwrap_or(0),
            profile: (spec.format.profile_level_id.unwrap_or(0x42_e01f) >> 8) as u16,
        },
        _ => return None,
    };
    Some((*p.pt(), format))
}

/// Bounds that hold before a parser sees it.
fn check(sdp: &str) -> Result<(), PeerError> {
    if sdp.len() > cp_vocab::web::SDP_BYTES_MAX {
        return Err(PeerError::Malformed("it is too large".into()));
    }
    let lines = sdp.lines().filter(|l| l.starts_with("m=")).count();
    if lines > MEDIA_LINES_MAX {
        return Err(PeerError::Malformed("it has too many m-lines".into()));
    }
    let candidates = sdp.lines().filter(|l| l.starts_with("a=candidate")).count();
    if candidates > CANDIDATES_MAX {
        return Err(PeerError::Malformed("it has too many candidates".into()));
    }
    if !sdp.lines().any(|l| l.starts_with("m=audio ")) {
        return Err(PeerError::NoAudio("there is no m=audio line".into()));
    }
    Ok(())
}

fn refused(error: RtcError) -> PeerError {
    PeerError::NoAudio(brief(&error))
}

/// A library's words, at a length fit for a person; they hold no addresses.
fn brief(error: &impl std::fmt::Display) -> String {
    error.to_string().chars().take(160).collect()
}

/// Whether `a=fmtp` of the payload type says `stereo=1` (RFC 7587 6.1).
fn plays_stereo(sdp: &str, payload_type: u8) -> bool {
    let head = format!("a=fmtp:{payload_type} ");
    sdp.lines()
        .filter_map(|l| l.strip_prefix(head.as_str()))
        .flat_map(|l| l.split(';'))
        .any(|parameter| parameter.trim() == "stereo=1")
}

#[derive(Default)]
struct MediaIds {
    audio: Option<Mid>,
    video: Option<Mid>,
    /// Audio lines beyond the first; more than [`TRACKS_MAX`] stay unused.
    tracks: Vec<Mid>,
}

/// The ids of a description's lines.
fn media_ids(sdp: &str) -> MediaIds {
    let mut ids = MediaIds::default();
    let mut kind = "";
    for line in sdp.lines() {
        if let Some(rest) = line.strip_prefix("m=") {
            kind = rest.split(' ').next().unwrap_or("");
        } else if let Some(mid) = line.strip_prefix("a=mid:") {
            let mid = Mid::from(mid.trim());
            match kind {
                "audio" if ids.audio.is_none() => ids.audio = Some(mid),
                "audio" if ids.tracks.len() < TRACKS_MAX => ids.tracks.push(mid),
                "video" => ids.video = ids.video.or(Some(mid)),
                _ => {}
            }
        }
    }
    ids
}
