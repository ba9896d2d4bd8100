//! How many browsers one media worker carries: peer connections over real sockets of loopback, each
//! sending and getting 50 Opus packets a second. The CPU time is that of the worker's thread.
//!
//! `cargo run --release -p cp-edge --example browsers -- 200 bridged 10`

use cp_edge::media::{BrowserConfig, MediaCommand, MediaConfig, MediaWorkers, event_queue};
use cp_edge::{Clock, ListenConfig, Signalling, raise_file_limit};
use cp_vocab::LegId;
use cp_vocab::id::IdSource;
use cp_vocab::media::{Hears, MediaEvent};
use cp_vocab::web::{PeerAsk, PeerSaid};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

const PAYLOAD: [u8; 80] = [0x78; 80];

struct Client {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    leg: LegId,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    connected: bool,
    sent: u64,
    heard: u64,
    /// When the library wants to be called.
    due: Instant,
}

type Failure = Box<dyn std::error::Error>;

impl Client {
    fn new(leg: LegId) -> Result<(Self, String), Failure> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let mut config = Rtc::builder().clear_codecs().enable_opus(true, false);
        // As browsers do: without events every voice would be decoded to listen for tones.
        let (clock, format) = (Frequency::FORTY_EIGHT_KHZ, FormatParams::default());
        config
            .codec_config()
            .add_config(110.into(), None, Codec::Tele, clock, None, format);
        let mut rtc = config.set_rtp_mode(true).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, Protocol::Udp)?);
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = api.apply().ok_or("nothing to offer")?;
        let client = Self {
            rtc,
            socket,
            local,
            leg,
            mid,
            pending: Some(pending),
            connected: false,
            sent: 0,
            heard: 0,
            due: Instant::now(),
        };
        Ok((client, offer.to_sdp_string()))
    }

    fn answered(&mut self, sdp: &str) -> Result<(), Failure> {
        let pending = self.pending.take().ok_or("answered twice")?;
        let api = self.rtc.sdp_api();
        api.accept_answer(pending, SdpAnswer::from_sdp_string(sdp)?)?;
        Ok(())
    }

    fn speak(&mut self, now: Instant) {
        let pt = self.rtc.codec_config().params()[0].pt();
        let (sequence, time) = (self.sent + 1, self.sent as u32 * 960);
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(self.mid, None) {
            stream.write_rtp(RtpWrite::new(pt, sequence.into(), time, now, PAYLOAD));
            self.sent += 1;
        }
        self.due = now;
    }

    fn run(&mut self) -> Result<(), RtcError> {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            if let Ok(r) = Receive::new(Protocol::Udp, from, self.local, &buffer[..length]) {
                self.rtc.handle_input(Input::Receive(Instant::now(), r))?;
                // One input at a time: the next would push out what this one brought.
                self.drain()?;
            }
        }
        let now = Instant::now();
        if now < self.due {
            return Ok(());
        }
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.due = at;
                    return Ok(());
                }
                Output::Transmit(t) => {
                    let _ = self.socket.send_to(&t.contents, t.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(_)) => self.heard += 1,
                Output::Event(_) => {}
            }
        }
    }
}

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().map_or(Ok(100), |a| a.parse())?;
    let bridged = args.next().is_some_and(|a| a == "bridged");
    let seconds: u64 = args.next().map_or(Ok(10), |a| a.parse())?;

    let clock = Clock::start();
    raise_file_limit(count as u64 + 1_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let signalling = Signalling::bind(ListenConfig::default(), runtime.handle(), clock)?;
    let (sink, source) = event_queue(signalling.waker());
    let folder = std::env::temp_dir().join("cp-browsers");
    let mut config = MediaConfig::new(Ipv4Addr::LOCALHOST.into(), 20_000..=20_100, folder);
    config.workers = Some(1);
    config.pairs_at_start = 1;
    let mut browsers = BrowserConfig::new(Ipv4Addr::LOCALHOST.into(), 0);
    browsers.half_open_max = count;
    config.browsers = Some(browsers);
    let media = MediaWorkers::start(config, clock, sink)?;

    let mut ids = IdSource::from_u64(1);
    let mut clients = Vec::new();
    let mut events = Vec::new();
    let began = Instant::now();
    for _ in 0..count {
        let (client, sdp) = Client::new(ids.next(clock.now()))?;
        let leg = client.leg;
        let ask = PeerAsk::TakeOffer { sdp, fresh: false };
        media.send(0, MediaCommand::Peer { leg, ask })?;
        clients.push(client);
    }
    while clients.iter().any(|c| !c.connected) {
        source.drain(&mut events);
        for event in events.drain(..) {
            if let MediaEvent::Peer {
                leg,
                said: PeerSaid::Answer { sdp, .. },
            } = event
                && let Some(c) = clients.iter_mut().find(|c| c.leg == leg)
            {
                c.answered(&sdp)?;
            }
        }
        for c in &mut clients {
            c.run()?;
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err("not everybody connected".into());
        }
    }
    println!(
        "{count} connected after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    for i in 0..count {
        let other = if bridged { i ^ 1 } else { i };
        let other = clients.get(other).map_or(clients[i].leg, |c| c.leg);
        let (leg, hears) = (clients[i].leg, Hears::leg(other));
        media.send(0, MediaCommand::Hear { leg, hears })?;
    }
    let warm = Instant::now() + Duration::from_secs(2);
    let (mut cpu, mut heard, mut sent, mut measured) = (0, 0, 0, None);
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next {
            next += Duration::from_millis(20);
            clients.iter_mut().for_each(|c| c.speak(now));
        }
        for c in &mut clients {
            c.run()?;
        }
        if measured.is_none() && now >= warm {
            cpu = worker_ticks()?;
            heard = clients.iter().map(|c| c.heard).sum();
            sent = clients.iter().map(|c| c.sent).sum();
            measured = Some(now);
        }
        if let Some(from) = measured
            && from.elapsed() >= Duration::from_secs(seconds)
        {
            let took = from.elapsed().as_secs_f64();
            let busy = (worker_ticks()? - cpu) as f64 / 100.0 / took;
            let heard = clients.iter().map(|c| c.heard).sum::<u64>() - heard;
            let sent = clients.iter().map(|c| c.sent).sum::<u64>() - sent;
            let each = busy * 100.0 / count as f64;
            println!(
                "{} of {count} browsers: {:.1} % of a core, {each:.3} % each, {:.0} a core; sent {:.0}/s, heard {:.0}/s",
                if bridged { "bridged" } else { "echo" },
                busy * 100.0,
                100.0 / each,
                sent as f64 / took,
                heard as f64 / took,
            );
            return Ok(());
        }
    }
}

/// CPU time of the worker's thread, in hundredths of a second.
fn worker_ticks() -> Result<u64, Failure> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        if stat.contains("(media-0)") {
            let fields: Vec<&str> = stat
                .rsplit(')')
                .next()
                .unwrap_or("")
                .split_whitespace()
                .collect();
            let at = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok());
            return Ok(at(11).unwrap_or(0) + at(12).unwrap_or(0));
        }
    }
    Err("no worker".into())
}
