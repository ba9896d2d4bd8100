//! Costs of the media path, in CPU time without sockets: `cargo run --release -p cp-media --example bench`.

use cp_media::{
    MediaCommand, Node, NodeConfig, Sink, WriteOp, codec::Encoder, measure, music, rtp,
};
use cp_vocab::id::IdSource;
use cp_vocab::media::{
    Codec, Hears, MediaEvent, MediaPlan, Playback, PortPair, SrtpKeys, SrtpSuite,
};
use cp_vocab::{LegId, MixId, RecordingId, Timestamp};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Count {
    sent: u64,
    bytes: u64,
}
impl Sink for Count {
    fn send(&mut self, _port: u16, _rtcp: bool, _to: SocketAddr, bytes: &[u8]) {
        self.sent += 1;
        self.bytes += bytes.len() as u64;
    }
    fn send_peer(&mut self, _: bool, _: SocketAddr, _: &[u8]) {}
    fn event(&mut self, _event: MediaEvent) {}
    fn write(&mut self, _recording: RecordingId, _op: WriteOp) {}
}

struct Bench {
    node: Node,
    ids: IdSource,
    legs: Vec<(LegId, Codec)>,
    payloads: Vec<Vec<Vec<u8>>>,
    now: Timestamp,
    frame: u32,
}

fn plan(codec: Codec, n: u16, srtp: Option<SrtpKeys>) -> MediaPlan {
    MediaPlan {
        remote: SocketAddr::from(([127, 0, 0, 1], 20_000 + n)),
        remote_rtcp: None,
        codec,
        payload_type_send: codec.default_payload_type(),
        payload_type_receive: codec.default_payload_type(),
        dtmf: Some((101, 101)),
        ptime_ms: 20,
        send: true,
        receive: true,
        srtp,
        comfort_noise: false,
        stereo: false,
    }
}

/// One second of a tone with some noise, encoded, in 50 payloads.
fn payloads(codec: Codec, hz: f64) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, 16_000).expect("codec");
    let rate = encoder.rate_hz();
    let frame = rate as usize / 50;
    measure::sine(hz, 3_000.0, rate, rate as usize)
        .chunks_exact(frame)
        .map(|f| {
            let mut bytes = Vec::new();
            encoder.encode(f, &mut bytes).expect("frame");
            bytes
        })
        .collect()
}

impl Bench {
    fn new(legs: &[Codec], srtp: Option<SrtpKeys>) -> Self {
        let mut b = Self {
            node: Node::new(NodeConfig::default()),
            ids: IdSource::from_u64(1),
            legs: vec![],
            payloads: vec![],
            now: Timestamp::from_secs(1_700_000_000),
            frame: 0,
        };
        for (n, codec) in legs.iter().enumerate() {
            let leg = b.ids.next(b.now);
            let rtp = SocketAddr::from(([127, 0, 0, 1], 10_000 + 2 * n as u16));
            let keys = srtp.clone().filter(|_| n % 2 == 1);
            b.node.command(
                b.now,
                MediaCommand::Open {
                    leg,
                    port: PortPair { worker: 0, rtp },
                    plan: Some(plan(*codec, n as u16, keys)),
                },
            );
            b.legs.push((leg, *codec));
            b.payloads.push(payloads(*codec, 300.0 + 7.0 * n as f64));
        }
        b
    }
    fn pairs(&mut self) {
        for i in (0..self.legs.len()).step_by(2) {
            for (a, b) in [(i, i + 1), (i + 1, i)] {
                let (leg, hears) = (self.legs[a].0, Hears::leg(self.legs[b].0));
                self.node
                    .command(self.now, MediaCommand::Hear { leg, hears });
            }
        }
    }
    fn mix(&mut self, speakers: usize) {
        let mix: MixId = self.ids.next(self.now);
        for (i, (leg, _)) in self.legs.clone().into_iter().enumerate() {
            self.node.command(
                self.now,
                MediaCommand::Hear {
                    leg,
                    hears: Hears::mix(mix),
                },
            );
            let into = (i < speakers).then_some(mix);
            self.node
                .command(self.now, MediaCommand::Speak { leg, into });
        }
    }
    /// Runs `seconds` of traffic of the first `senders` legs; returns CPU and datagrams.
    fn run(&mut self, seconds: u32, senders: usize) -> (Duration, Count) {
        let mut count = Count::default();
        let mut spent = Duration::ZERO;
        // Packets are made outside the clock, a frame at a time, as the sockets would hand them over.
        for _ in 0..seconds * 50 {
            let mut packets: Vec<Vec<u8>> = (0..senders)
                .map(|n| {
                    let codec = self.legs[n].1;
                    let mut p = rtp::Header {
                        marker: false,
                        payload_type: codec.default_payload_type(),
                        sequence: self.frame as u16,
                        timestamp: self.frame.wrapping_mul(codec.clock_hz() / 50),
                        ssrc: 7_000 + n as u32,
                    }
                    .to_bytes()
                    .to_vec();
                    p.extend_from_slice(&self.payloads[n][self.frame as usize % 50]);
                    p
                })
                .collect();
            let began = cpu();
            for quarter in 0..4usize {
                let (from, to) = (senders * quarter / 4, senders * (quarter + 1) / 4);
                for (n, packet) in packets.iter_mut().enumerate().take(to).skip(from) {
                    let remote = SocketAddr::from(([127, 0, 0, 1], 20_000 + n as u16));
                    self.node
                        .receive(self.now, 10_000 + 2 * n as u16, false, remote, packet);
                }
                self.node.tick(self.now);
                self.node.drain(&mut count);
                self.now = self.now + Duration::from_millis(5);
            }
            spent += cpu().saturating_sub(began);
            self.frame += 1;
        }
        (spent, count)
    }
}

/// CPU time of this thread, so that a busy machine does not show; wall time where that is not told.
fn cpu() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|s| s.split(' ').next()?.parse().ok())
        .map_or_else(
            || START.get_or_init(Instant::now).elapsed(),
            Duration::from_nanos,
        )
}

fn report(name: &str, seconds: u32, legs: usize, spent: Duration, count: &Count) {
    let per_leg = spent.as_secs_f64() * 1e6 / f64::from(seconds * 50) / legs as f64;
    println!(
        "{name:<46} {:>7.2} % core  {per_leg:>7.3} us/leg/frame  {:>9} datagrams",
        spent.as_secs_f64() * 100.0 / f64::from(seconds),
        count.sent,
    );
}

/// Virtual seconds of each run.
const SECONDS: u32 = 20;

fn main() {
    relays();
    conferences();
    transcoding();
    music_on_hold();
    recording_and_srtp();
}

fn relays() {
    let seconds = SECONDS;
    for (name, codec) in [("PCMU", Codec::Pcmu), ("Opus", Codec::Opus)] {
        let mut b = Bench::new(&vec![codec; 1_000], None);
        b.pairs();
        let (spent, count) = b.run(seconds, 1_000);
        report(
            &format!("relay, 500 calls, {name}"),
            seconds,
            1_000,
            spent,
            &count,
        );
        let ns = spent.as_nanos() as f64 / count.sent as f64;
        println!(
            "{:>46} {ns:>7.0} ns/packet, {:.2} M packets/s",
            "",
            1e3 / ns
        );
    }
}

fn conferences() {
    let seconds = SECONDS;
    for codec in [Codec::Pcmu, Codec::G722] {
        for (speakers, what) in [(100, "all speak"), (3, "3 speak")] {
            let mut b = Bench::new(&[codec; 100], None);
            b.mix(speakers);
            let (spent, count) = b.run(seconds, speakers);
            report(
                &format!("conference of 100, {}, {what}", codec.name()),
                seconds,
                100,
                spent,
                &count,
            );
        }
    }
    let mut b = Bench::new(&[Codec::Opus; 100], None);
    b.mix(3);
    let (spent, count) = b.run(seconds, 3);
    report(
        "conference of 100, opus, 3 speak",
        seconds,
        100,
        spent,
        &count,
    );
}

fn transcoding() {
    let seconds = SECONDS;
    for (a, c) in [
        (Codec::Pcmu, Codec::Pcma),
        (Codec::Pcmu, Codec::G722),
        (Codec::Pcmu, Codec::Opus),
    ] {
        let legs: Vec<Codec> = (0..100).map(|i| if i % 2 == 0 { a } else { c }).collect();
        let mut b = Bench::new(&legs, None);
        b.pairs();
        let (spent, count) = b.run(seconds, 100);
        report(
            &format!("transcode, 50 calls, {} and {}", a.name(), c.name()),
            seconds,
            100,
            spent,
            &count,
        );
    }
}

fn music_on_hold() {
    let seconds = SECONDS;
    let music = music::samples();
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut b = Bench::new(&vec![codec; 1_500], None);
        for (leg, _) in b.legs.clone() {
            let playback = Playback {
                id: b.ids.next(b.now),
                sounds: vec![music.clone()],
                repeat: true,
                barge_in: false,
                mix_with_call: false,
            };
            b.node.command(b.now, MediaCommand::Play { leg, playback });
        }
        let (spent, count) = b.run(seconds, 0);
        report(
            &format!("hold music for 1,500, {}", codec.name()),
            seconds,
            1_500,
            spent,
            &count,
        );
    }
}

fn recording_and_srtp() {
    let seconds = SECONDS;
    let mut b = Bench::new(&[Codec::Pcmu; 200], None);
    b.pairs();
    for i in (0..200).step_by(2) {
        let recording = b.ids.next(b.now);
        let (left, right) = (b.legs[i].0, Some(b.legs[i + 1].0));
        b.node.command(
            b.now,
            MediaCommand::Record {
                recording,
                left,
                right,
                path: "x".into(),
            },
        );
    }
    let (spent, count) = b.run(seconds, 200);
    report(
        "relay and recording, 100 calls, PCMU",
        seconds,
        200,
        spent,
        &count,
    );
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let keys = SrtpKeys {
        suite,
        local: vec![1; 30],
        remote: vec![2; 30],
    };
    let mut b = Bench::new(&[Codec::Pcmu; 200], Some(keys));
    b.pairs();
    let (spent, count) = b.run(seconds, 200);
    // The protected legs' packets are plain here and refused: this is one protect per call and frame.
    report(
        "relay into SRTP, 100 calls, one direction",
        seconds,
        200,
        spent,
        &count,
    );
}
