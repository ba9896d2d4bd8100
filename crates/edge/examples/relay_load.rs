//! How much one media worker carries: relays G.711 calls between two sides that this process plays,
//! and prints the worker's share of a core, loss and latency.
//!
//! `cargo run --release -p cp-edge --example relay_load -- [calls] [seconds]`

use cp_edge::media::{MediaCommand, event_queue};
use cp_edge::{
    Clock, ListenConfig, MediaConfig, MediaWorkers, Signalling, Waker, raise_file_limit,
};
use cp_vocab::LegId;
use cp_vocab::id::TypedId;
use cp_vocab::media::{Codec, Hears, MediaEvent, MediaPlan};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SLOTS: usize = 20;
/// 20 ms of G.711 behind an RTP header.
const PACKET_BYTES: usize = 172;
const WARM_MS: u64 = 1_000;

fn plan(remote: SocketAddr) -> MediaPlan {
    MediaPlan {
        remote,
        remote_rtcp: None,
        codec: Codec::Pcmu,
        payload_type_send: 0,
        payload_type_receive: 0,
        // As agreed with nearly every phone; without it tones are looked for in the audio.
        dtmf: Some((101, 101)),
        ptime_ms: 20,
        send: true,
        receive: true,
        srtp: None,
        comfort_noise: false,
        stereo: false,
    }
}

/// One side of all calls: a socket that sends to many ports and measures what comes.
struct Side {
    socket: UdpSocket,
    addr: SocketAddr,
    latencies_us: Vec<u32>,
}

impl Side {
    fn new() -> Self {
        let domain = socket2::Domain::IPV4;
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None).expect("socket");
        socket.set_recv_buffer_size(4 << 20).expect("buffer");
        socket.set_nonblocking(true).expect("option");
        socket.bind(&SocketAddr::new(HERE, 0).into()).expect("bind");
        let socket: UdpSocket = socket.into();
        let addr = socket.local_addr().expect("addr");
        Self {
            socket,
            addr,
            latencies_us: Vec::new(),
        }
    }

    fn send(&self, to: SocketAddr, n: u16, ssrc: u32, origin: Instant) {
        let mut packet = [0u8; PACKET_BYTES];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&n.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        let sent_us = origin.elapsed().as_micros() as u64;
        packet[12..20].copy_from_slice(&sent_us.to_be_bytes());
        let _ = self.socket.send_to(&packet, to);
    }

    fn receive(&mut self, origin: Instant) {
        let mut buffer = [0; 2_000];
        while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
            let now = origin.elapsed().as_micros() as u64;
            // RTCP comes to the same port.
            if length != PACKET_BYTES {
                continue;
            }
            let stamp = buffer[12..20].try_into().expect("eight bytes");
            let sent = u64::from_be_bytes(stamp);
            self.latencies_us.push(now.saturating_sub(sent) as u32);
        }
    }
}

/// CPU time of the media threads so far, from the scheduler (proc(5) `schedstat`).
fn media_cpu() -> Duration {
    let mut total = 0;
    for entry in std::fs::read_dir("/proc/self/task")
        .expect("proc")
        .flatten()
    {
        let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        if read("comm").starts_with("media-") {
            let text = read("schedstat");
            total += text
                .split(' ')
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    Duration::from_nanos(total)
}

fn percentile(sorted: &[u32], p: f64) -> u32 {
    let at = (sorted.len().saturating_sub(1) as f64 * p) as usize;
    sorted.get(at).copied().unwrap_or(0)
}

/// The worker under load, its ports opened as `calls` pairs of legs that hear one another.
struct Bridge {
    media: MediaWorkers,
    ports: Vec<SocketAddr>,
}

impl Bridge {
    fn start(calls: usize, sides: &[Side; 2], waker: Waker) -> Self {
        let (sink, source) = event_queue(waker);
        let config = MediaConfig {
            workers: Some(1),
            pairs_at_start: calls * 2,
            ..MediaConfig::new(HERE, 20_000..=60_000, std::env::temp_dir())
        };
        let media = MediaWorkers::start(config, Clock::start(), sink).expect("start");
        let mut events = Vec::new();
        source.drain(&mut events);
        let ports: Vec<_> = events
            .into_iter()
            .flat_map(|event| match event {
                MediaEvent::Ports { ports } => ports,
                _ => Vec::new(),
            })
            .collect();
        let leg = |n: usize| LegId::from_u128(n as u128 + 1);
        for (n, port) in ports.iter().enumerate() {
            let open = MediaCommand::Open {
                leg: leg(n),
                port: *port,
                plan: Some(plan(sides[n % 2].addr)),
            };
            media.send(0, open).expect("taken");
            let hears = Hears::leg(leg(n ^ 1));
            let hear = MediaCommand::Hear { leg: leg(n), hears };
            media.send(0, hear).expect("taken");
        }
        Self {
            media,
            ports: ports.iter().map(|p| p.rtp).collect(),
        }
    }

    /// Send what is due in millisecond `ms`; each call has its own of the 20 of a frame.
    fn talk(&self, ms: u64, sides: &[Side; 2], origin: Instant) -> u64 {
        let frame = (ms / SLOTS as u64) as u16;
        let calls = self.ports.len() / 2;
        let mut sent = 0;
        for call in (ms as usize % SLOTS..calls).step_by(SLOTS) {
            for leg in [call * 2, call * 2 + 1] {
                sides[leg % 2].send(self.ports[leg], frame, leg as u32 + 1, origin);
                sent += 1;
            }
        }
        sent
    }
}

/// What was measured after the warm-up.
struct Result {
    sent: u64,
    cpu: Duration,
    wall: Duration,
}

fn run(bridge: &Bridge, sides: &mut [Side; 2], origin: Instant, seconds: u64) -> Result {
    let (mut sent, mut cpu, mut from) = (0, Duration::ZERO, origin);
    for ms in 0..WARM_MS + seconds * 1_000 {
        let at = origin + Duration::from_millis(ms);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        for side in sides.iter_mut() {
            side.receive(origin);
            if ms == WARM_MS {
                side.latencies_us.clear();
            }
        }
        if ms == WARM_MS {
            (cpu, from, sent) = (media_cpu(), Instant::now(), 0);
        }
        sent += bridge.talk(ms, sides, origin);
    }
    let (wall, cpu) = (from.elapsed(), media_cpu() - cpu);
    let end = Instant::now() + Duration::from_millis(50);
    while Instant::now() < end {
        sides.iter_mut().for_each(|side| side.receive(origin));
    }
    Result { sent, cpu, wall }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let calls: usize = args.next().map_or(100, |a| a.parse().expect("calls"));
    let seconds: u64 = args.next().map_or(5, |a| a.parse().expect("seconds"));
    raise_file_limit(calls as u64 * 4 + 1_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let listen = ListenConfig::default();
    let signalling = Signalling::bind(listen, runtime.handle(), Clock::start()).expect("bind");
    let mut sides = [Side::new(), Side::new()];
    let bridge = Bridge::start(calls, &sides, signalling.waker());
    let result = run(&bridge, &mut sides, Instant::now(), seconds);
    let mut latencies: Vec<u32> = sides
        .iter()
        .flat_map(|s| s.latencies_us.iter().copied())
        .collect();
    latencies.sort_unstable();
    let received = latencies.len() as f64;
    println!(
        "calls={calls} packets/s={:.0} worker_cpu_pct={:.2} us_per_packet={:.2} loss_pct={:.3} latency_us p50={} p99={} max={}",
        received / result.wall.as_secs_f64(),
        result.cpu.as_secs_f64() / result.wall.as_secs_f64() * 100.0,
        result.cpu.as_micros() as f64 / received,
        (result.sent as f64 - received) / result.sent as f64 * 100.0,
        percentile(&latencies, 0.5),
        percentile(&latencies, 0.99),
        percentile(&latencies, 1.0),
    );
    println!("{:?}", bridge.media.counters(0));
}
