//! Browsers at a node, played by the same library from the other side: in virtual time, without sockets.
#![allow(clippy::unwrap_used)]

use cp_media::peer::PeerAddresses;
use cp_media::peer::rtc::Anchor;
use cp_media::{MediaCommand, Node, NodeConfig, PeerConfig, Sink, WriteOp};
use cp_vocab::id::IdSource;
use cp_vocab::media::{Hears, MediaEvent, SeatsAsk};
use cp_vocab::web::{PeerAsk, PeerSaid};
use cp_vocab::{LegId, MixId, RecordingId, Timestamp};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

const STEP: Duration = Duration::from_millis(5);

fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 40_000))
}

#[derive(Default)]
struct Out {
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
    events: Vec<MediaEvent>,
}
impl Sink for Out {
    fn send(&mut self, _: u16, _: bool, _: SocketAddr, _: &[u8]) {}
    fn send_peer(&mut self, _: bool, to: SocketAddr, bytes: &[u8]) {
        self.datagrams.push((to, bytes.to_vec()));
    }
    fn event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }
    fn write(&mut self, _: RecordingId, _: WriteOp) {}
}

/// A browser.
struct Client {
    rtc: Rtc,
    address: SocketAddr,
    leg: LegId,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    connected: bool,
    /// Payloads heard on the first line, and on others by their id.
    heard: Vec<Vec<u8>>,
    apart: Vec<(String, Vec<u8>)>,
    sent: u64,
}

struct World {
    node: Node,
    ids: IdSource,
    anchor: Anchor,
    now: Timestamp,
    clients: Vec<Client>,
    events: Vec<MediaEvent>,
}

impl World {
    fn new(half_open_max: usize) -> Self {
        let at = Timestamp::from_secs(1_700_000_000);
        let anchor = Anchor {
            instant: Instant::now(),
            at,
        };
        let addresses = PeerAddresses {
            udp: vec![server()],
            tcp: vec![],
        };
        Self {
            node: Node::new(NodeConfig {
                peers: Some(PeerConfig {
                    anchor,
                    addresses,
                    legs_max: 100,
                    half_open_max,
                }),
                ..NodeConfig::default()
            }),
            ids: IdSource::from_u64(1),
            anchor,
            now: at,
            clients: vec![],
            events: vec![],
        }
    }

    fn instant(&self) -> Instant {
        self.anchor.instant + self.now.since(self.anchor.at)
    }

    fn drain(&mut self) -> Out {
        let mut out = Out::default();
        self.node.drain(&mut out);
        self.events.append(&mut out.events);
        out
    }

    /// A browser offers; what the node says to it.
    fn offer(&mut self) -> PeerSaid {
        self.offer_with(0)
    }

    /// With lines to hear voices alone.
    fn offer_with(&mut self, tracks: usize) -> PeerSaid {
        self.offer_edited(tracks, |sdp| sdp)
    }

    /// As it looks when somebody changed it on its way.
    fn offer_edited(&mut self, tracks: usize, edit: impl Fn(String) -> String) -> PeerSaid {
        let leg: LegId = self.ids.next(self.now);
        let n = self.clients.len() as u8;
        let address = SocketAddr::from(([198, 51, 100, n + 1], 5_000));
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .build(self.instant());
        let host = Candidate::host(address, Protocol::Udp).unwrap();
        rtc.add_local_candidate(host);
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        for _ in 0..tracks {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = api.apply().unwrap();
        let sdp = offer.to_sdp_string();
        self.clients.push(Client {
            rtc,
            address,
            leg,
            mid,
            pending: Some(pending),
            connected: false,
            heard: vec![],
            apart: vec![],
            sent: 0,
        });
        let sdp = edit(sdp);
        let ask = PeerAsk::TakeOffer { sdp, fresh: false };
        self.node.command(self.now, MediaCommand::Peer { leg, ask });
        self.drain();
        let Some(MediaEvent::Peer { said, .. }) = self.events.pop() else {
            panic!("no word of the node: {:?}", self.events);
        };
        said
    }

    fn browser(&mut self) -> usize {
        self.browser_with(0)
    }

    fn browser_with(&mut self, tracks: usize) -> usize {
        let said = self.offer_with(tracks);
        self.answered(said)
    }

    /// The browser that offered last takes the answer.
    fn answered(&mut self, said: PeerSaid) -> usize {
        let PeerSaid::Answer { sdp, agreed } = said else {
            panic!("not answered");
        };
        assert!(agreed.send && agreed.receive && !agreed.video);
        let client = self.clients.last_mut().unwrap();
        let answer = SdpAnswer::from_sdp_string(&sdp).unwrap();
        let pending = client.pending.take().unwrap();
        let api = client.rtc.sdp_api();
        api.accept_answer(pending, answer).unwrap();
        self.clients.len() - 1
    }

    fn hear(&mut self, who: usize, whom: usize) {
        let (leg, other) = (self.clients[who].leg, self.clients[whom].leg);
        let hears = Hears::leg(other);
        self.node
            .command(self.now, MediaCommand::Hear { leg, hears });
    }

    /// Everybody of them talks to all of them.
    fn confer(&mut self, mix: MixId, who: &[usize]) {
        for leg in who.iter().map(|w| self.clients[*w].leg) {
            let hears = Hears::mix(mix);
            let into = Some(mix);
            self.node
                .command(self.now, MediaCommand::Hear { leg, hears });
            self.node
                .command(self.now, MediaCommand::Speak { leg, into });
        }
    }

    fn ask_tracks(&mut self, who: usize) {
        let seats = SeatsAsk {
            tracks: Some(true),
            ..SeatsAsk::default()
        };
        let leg = self.clients[who].leg;
        self.node
            .command(self.now, MediaCommand::Seats { leg, seats });
        self.drain();
    }

    /// What a browser was told last of whom it hears.
    fn tracks(&self, who: usize) -> (Vec<(LegId, Option<String>)>, usize) {
        let own = self.clients[who].leg;
        let told = self.events.iter().rev().find_map(|e| match e {
            MediaEvent::Peer {
                leg,
                said: PeerSaid::Tracks { tracks, lacking },
            } if *leg == own => Some((tracks.clone(), *lacking)),
            _ => None,
        });
        told.unwrap()
    }

    /// A packet of 20 ms from a browser.
    fn speak(&mut self, who: usize, payload: &[u8]) {
        let at = self.instant();
        let client = &mut self.clients[who];
        let pt = client.rtc.codec_config().params()[0].pt();
        let (sequence, time) = (client.sent + 100, client.sent as u32 * 960);
        client.sent += 1;
        let mut api = client.rtc.direct_api();
        let stream = api.stream_tx_by_mid(client.mid, None).unwrap();
        stream.write_rtp(RtpWrite::new(
            pt,
            sequence.into(),
            time,
            at,
            payload.to_vec(),
        ));
    }

    /// Everybody does what is to be done, for a while.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = self.now + STEP;
            self.node.tick(self.now);
            for i in 0..self.clients.len() {
                self.run_client(i);
            }
            let out = self.drain();
            for (to, bytes) in out.datagrams {
                self.deliver(to, &bytes);
            }
        }
    }

    fn deliver(&mut self, to: SocketAddr, bytes: &[u8]) {
        let at = self.instant();
        if let Some(i) = self.clients.iter().position(|c| c.address == to) {
            let receive = Receive::new(Protocol::Udp, server(), to, bytes).unwrap();
            let _ = self.clients[i]
                .rtc
                .handle_input(Input::Receive(at, receive));
            // One input at a time: the next would push out what this one brought.
            self.run_client(i);
        }
    }

    fn run_client(&mut self, i: usize) {
        let (now, at) = (self.now, self.instant());
        let client = &mut self.clients[i];
        client.rtc.handle_input(Input::Timeout(at)).unwrap();
        loop {
            match client.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(t) => {
                    self.node.receive_peer(now, false, t.source, &t.contents);
                }
                Output::Event(Event::Connected) => client.connected = true,
                Output::Event(Event::RtpPacket(p)) => {
                    let mut api = client.rtc.direct_api();
                    let mid = api.stream_rx(&p.header.ssrc).unwrap().mid();
                    let payload = p.payload.to_vec();
                    if mid == client.mid {
                        client.heard.push(payload);
                    } else {
                        client.apart.push((mid.to_string(), payload));
                    }
                }
                Output::Event(_) => {}
            }
        }
    }
}

#[test]
fn two_browsers_hear_one_another_packet_by_packet() {
    let mut w = World::new(10);
    let (a, b) = (w.browser(), w.browser());
    w.hear(a, b);
    w.hear(b, a);
    w.run(Duration::from_secs(2));
    assert!(w.clients.iter().all(|c| c.connected));
    for n in 0..50u8 {
        w.speak(a, &[n; 40]);
        w.speak(b, &[100 + n; 40]);
        w.run(Duration::from_millis(20));
    }
    let wanted = |from: u8| (from..from + 50).map(|n| vec![n; 40]).collect::<Vec<_>>();
    assert_eq!(w.clients[b].heard, wanted(0));
    assert_eq!(w.clients[a].heard, wanted(100));
}

/// S3.6 rule 9: the server sends separate tracks, not a mix; without enough of them it mixes.
#[test]
fn who_hears_several_gets_each_on_a_line_of_its_own() {
    let mut w = World::new(10);
    let a = w.browser_with(2);
    let (b, c, d) = (w.browser(), w.browser(), w.browser());
    let mix: MixId = w.ids.next(w.now);
    w.confer(mix, &[a, b, c]);
    w.run(Duration::from_secs(2));
    assert!(w.clients.iter().all(|c| c.connected));
    w.ask_tracks(a);
    let (told, lacking) = w.tracks(a);
    let leg = |w: &World, n: usize| w.clients[n].leg;
    assert_eq!(lacking, 0);
    assert_eq!(
        told.iter().map(|t| t.0).collect::<Vec<_>>(),
        [leg(&w, b), leg(&w, c)]
    );
    let line = |n: usize| told[n].1.clone().unwrap();
    assert_ne!(line(0), line(1));

    w.clients[a].heard.clear();
    let say = |w: &mut World, who: &[usize], n: u8| {
        for (i, who) in who.iter().enumerate() {
            w.speak(*who, &[n + 100 * i as u8; 40]);
        }
        w.run(Duration::from_millis(20));
    };
    (0..25).for_each(|n| say(&mut w, &[b, c], n));
    let of = |w: &World, line: &str| -> Vec<u8> {
        let apart = w.clients[a].apart.iter();
        apart.filter(|p| p.0 == line).map(|p| p.1[0]).collect()
    };
    assert_eq!(of(&w, &line(0)), (0..25).collect::<Vec<u8>>());
    assert_eq!(of(&w, &line(1)), (100..125).collect::<Vec<u8>>());
    assert_eq!(w.clients[a].heard.len(), 0, "nothing comes mixed");
    assert!(w.clients[b].apart.is_empty() && !w.clients[b].heard.is_empty());

    // Who is muted is not heard on any line.
    let muted = leg(&w, b);
    let mute = |on| MediaCommand::Mute {
        leg: muted,
        muted: on,
    };
    w.node.command(w.now, mute(true));
    w.clients[a].apart.clear();
    (0..5).for_each(|n| say(&mut w, &[b, c], n));
    assert_eq!(of(&w, &line(0)).len(), 0);
    assert_eq!(of(&w, &line(1)).len(), 5);
    w.node.command(w.now, mute(false));

    // A fourth comes: one line is missing, so all come mixed until the browser has offered it.
    w.confer(mix, &[d]);
    w.drain();
    let (told, lacking) = w.tracks(a);
    assert_eq!((told.len(), lacking), (3, 1));
    assert!(told.iter().all(|t| t.1.is_none()));
    w.clients[a].apart.clear();
    (0..25).for_each(|n| say(&mut w, &[b, c, d], n));
    assert!(w.clients[a].apart.is_empty());
    assert!(w.clients[a].heard.len() >= 20);

    // It goes again.
    w.node
        .command(w.now, MediaCommand::Close { leg: leg(&w, d) });
    w.drain();
    let (told, lacking) = w.tracks(a);
    assert_eq!((told.len(), lacking), (2, 0));
    assert!(told.iter().all(|t| t.1.is_some()));
    let told: Vec<LegId> = told.iter().map(|t| t.0).collect();
    assert_eq!(told, [leg(&w, b), leg(&w, c)]);

    // Two are a call: no lines are needed, and the packets come as they are.
    w.node
        .command(w.now, MediaCommand::Close { leg: leg(&w, c) });
    w.hear(a, b);
    w.clients[a].heard.clear();
    (0..5).for_each(|n| say(&mut w, &[b], n));
    assert_eq!(w.clients[a].heard.len(), 5);
    w.node
        .command(w.now, MediaCommand::Close { leg: leg(&w, a) });
    (0..5).for_each(|n| say(&mut w, &[b], n));
}

#[test]
fn what_strangers_send_changes_nothing() {
    let mut w = World::new(10);
    let (a, b) = (w.browser(), w.browser());
    w.hear(b, a);
    w.run(Duration::from_secs(2));
    w.speak(a, &[1; 40]);
    w.run(Duration::from_millis(20));
    assert_eq!(w.clients[b].heard.len(), 1);
    let before = w.node.counters().stranger;

    let strangers = |n: u16| SocketAddr::from(([203, 0, 113, n as u8], 1_024 + n));
    // DTLS ClientHellos by the thousand, from everywhere.
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1];
    hello.resize(60, 0);
    for n in 0..5_000 {
        w.node.receive_peer(w.now, false, strangers(n), &hello);
    }
    // STUN requests that name a browser, without and with a wrong MESSAGE-INTEGRITY.
    let answer = {
        let api = w.clients[a].rtc.direct_api().local_ice_credentials();
        api.ufrag
    };
    for n in 0..1_000u16 {
        // The right name with no, or a wrong proof; a wrong name; by its own address and others.
        let known = if n % 4 == 3 { "nobody" } else { &answer };
        let mac = (n % 4 != 0).then_some([n as u8; 20]);
        let from = if n % 8 == 1 {
            w.clients[a].address
        } else {
            strangers(n % 250)
        };
        let stun = binding_request(&format!("guess:{known}"), mac, n);
        w.node.receive_peer(w.now, false, from, &stun);
    }
    // What came by the browser's own address is dropped without a word, or counted with the rest.
    assert!(w.node.counters().stranger >= before + 5_000 + 875);
    let out = w.drain();
    assert!(
        out.datagrams
            .iter()
            .all(|(to, _)| !to.ip().to_string().starts_with("203."))
    );

    w.speak(a, &[2; 40]);
    w.run(Duration::from_millis(20));
    assert_eq!(w.clients[b].heard.len(), 2);
}

/// RFC 8489: a request to bind, proven by `mac` if at all.
fn binding_request(name: &str, mac: Option<[u8; 20]>, transaction: u16) -> Vec<u8> {
    let mut body = vec![0, 6, 0, name.len() as u8];
    body.extend(name.bytes());
    body.resize(body.len().next_multiple_of(4), 0);
    // USE-CANDIDATE: the path would move to whoever sent this.
    body.extend([0, 0x25, 0, 0]);
    if let Some(mac) = mac {
        body.extend([0, 8, 0, 20]);
        body.extend(mac);
    }
    let mut stun = vec![0, 1, 0, body.len() as u8, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([9; 10]);
    stun.extend(transaction.to_be_bytes());
    stun.extend(body);
    stun
}

/// ASVS 17.2.8: who shows another certificate than the description names is not let in.
#[test]
fn a_browser_with_another_certificate_is_not_heard() {
    let mut w = World::new(10);
    let honest = w.browser();
    let said = w.offer_edited(0, |sdp| {
        let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
        let other = if &sdp[at..at + 2] == "00" { "01" } else { "00" };
        format!("{}{other}{}", &sdp[..at], &sdp[at + 2..])
    });
    let forged = w.answered(said);
    let third = w.browser();
    w.hear(honest, forged);
    w.hear(third, honest);
    w.run(Duration::from_secs(2));
    for n in 0..20u8 {
        if w.clients[forged].connected {
            w.speak(forged, &[n; 40]);
        }
        w.speak(honest, &[100 + n; 40]);
        w.run(Duration::from_millis(20));
    }
    assert!(w.clients[honest].heard.is_empty());
    assert!(w.clients[forged].heard.is_empty());
    assert_eq!(w.clients[third].heard.len(), 20, "the others go on");
}

#[test]
fn half_open_ones_are_few_and_given_up() {
    let mut w = World::new(3);
    for _ in 0..3 {
        assert!(matches!(w.offer(), PeerSaid::Answer { .. }));
    }
    let PeerSaid::Refused { code, open, .. } = w.offer() else {
        panic!("a fourth is taken");
    };
    assert_eq!((code, open), ("busy_worker", false));
    // They never check: after 30 s the engine is told, and closes them.
    let legs: Vec<LegId> = w.clients.drain(..).map(|c| c.leg).collect();
    w.run(Duration::from_secs(32));
    for leg in &legs[..3] {
        assert!(w.events.contains(&MediaEvent::Unreachable { leg: *leg }));
        w.node.command(w.now, MediaCommand::Close { leg: *leg });
    }
    assert_eq!(w.node.leg_count(), 0);
    assert!(matches!(w.offer(), PeerSaid::Answer { .. }));
}

#[test]
fn malformed_descriptions_and_candidates_are_refused_by_name() {
    let mut w = World::new(10);
    let a = w.browser();
    let leg = w.clients[a].leg;
    w.run(Duration::from_secs(2));
    let line = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
    let many = "a=candidate:1 1 udp 1 192.0.2.9 1 typ host\r\n".repeat(100);
    let cases = [
        ("", "sdp_no_audio"),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "sdp_no_audio"),
        (&format!("v=0\r\n{line}"), "sdp_malformed"),
        (&line.repeat(20), "sdp_malformed"),
        (&format!("v=0\r\n{line}{many}"), "sdp_malformed"),
        (&"x".repeat(50_000), "sdp_malformed"),
    ];
    for (sdp, wanted) in cases {
        let ask = PeerAsk::TakeOffer {
            sdp: sdp.to_string(),
            fresh: true,
        };
        w.node.command(w.now, MediaCommand::Peer { leg, ask });
        w.drain();
        let Some(MediaEvent::Peer { said, .. }) = w.events.pop() else {
            panic!("no word")
        };
        let PeerSaid::Refused { code, open, .. } = said else {
            panic!("taken: {sdp}")
        };
        assert_eq!((code, open), (wanted, true), "{sdp}");
    }
    for candidate in [
        "candidate:nonsense",
        "candidate:1 1 udp 1 not-an-address 1 typ host",
    ] {
        let candidate = candidate.to_string();
        let ask = PeerAsk::Candidate { candidate };
        w.node.command(w.now, MediaCommand::Peer { leg, ask });
        w.drain();
        let Some(MediaEvent::Peer { said, .. }) = w.events.pop() else {
            panic!("no word")
        };
        let PeerSaid::Refused { code, .. } = said else {
            panic!("taken")
        };
        assert_eq!(code, "candidate_malformed");
    }
    // The call goes on.
    let b = w.browser();
    w.hear(b, a);
    w.run(Duration::from_secs(2));
    w.speak(a, &[3; 40]);
    w.run(Duration::from_millis(20));
    assert_eq!(w.clients[b].heard, vec![vec![3; 40]]);
}
