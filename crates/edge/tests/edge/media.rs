use crate::site::PATIENCE;
use cp_edge::media::{EventSource, MediaCommand, NodeConfig, event_queue};
use cp_edge::{Clock, ListenConfig, MediaConfig, MediaWorkers, Signalling};
use cp_vocab::id::TypedId;
use cp_vocab::media::{Codec, Hears, MediaEvent, MediaPlan, PortPair};
use cp_vocab::{LegId, RecordingId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Ports of these tests are below the range from which the system gives free ones.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Media workers with the engine's side of them.
struct House {
    media: MediaWorkers,
    source: EventSource,
    signalling: Signalling,
    clock: Clock,
    _runtime: Runtime,
    dir: tempfile::TempDir,
    seen: Vec<MediaEvent>,
    ports: Vec<PortPair>,
}

fn config(ports: RangeInclusive<u16>, dir: &tempfile::TempDir) -> MediaConfig {
    MediaConfig {
        workers: Some(1),
        pairs_at_start: 8,
        ..MediaConfig::new(HERE, ports, dir.path().to_owned())
    }
}

impl House {
    fn new(ports: RangeInclusive<u16>, change: impl FnOnce(&mut MediaConfig)) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        let clock = Clock::start();
        let signalling =
            Signalling::bind(ListenConfig::default(), runtime.handle(), clock).expect("bind");
        let (sink, source) = event_queue(signalling.waker());
        let dir = tempfile::tempdir().expect("directory");
        let mut config = config(ports, &dir);
        change(&mut config);
        let media = MediaWorkers::start(config, clock, sink).expect("start");
        let mut house = Self {
            media,
            source,
            signalling,
            clock,
            _runtime: runtime,
            dir,
            seen: Vec::new(),
            ports: Vec::new(),
        };
        house.source.drain(&mut house.seen);
        house.take_ports();
        house
    }

    fn take_ports(&mut self) {
        let ports = &mut self.ports;
        self.seen.retain(|event| match event {
            MediaEvent::Ports { ports: new } => {
                ports.extend(new);
                false
            }
            _ => true,
        });
    }

    /// Wait for an event; `meanwhile` runs every few milliseconds.
    fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&MediaEvent) -> Option<T>,
        mut meanwhile: impl FnMut(),
    ) -> T {
        let end = self.clock.now() + PATIENCE;
        loop {
            self.take_ports();
            for i in 0..self.seen.len() {
                if let Some(found) = pick(&self.seen[i]) {
                    self.seen.remove(i);
                    return found;
                }
            }
            let now = self.clock.now();
            assert!(now < end, "no {what}; seen: {:?}", self.seen);
            meanwhile();
            let soon = now + Duration::from_millis(5);
            self.signalling.poll(Some(soon), &mut Vec::new());
            self.source.drain(&mut self.seen);
        }
    }

    /// Wait until `done`; `meanwhile` runs every few milliseconds.
    fn wait(&mut self, what: &str, done: impl Fn() -> bool, mut meanwhile: impl FnMut()) {
        let end = self.clock.now() + PATIENCE;
        while !done() {
            let now = self.clock.now();
            assert!(now < end, "no {what}; seen: {:?}", self.seen);
            meanwhile();
            let soon = now + Duration::from_millis(5);
            self.signalling.poll(Some(soon), &mut Vec::new());
            self.source.drain(&mut self.seen);
        }
    }

    fn order(&self, command: MediaCommand) {
        self.media.send(0, command).expect("taken");
    }

    /// Open a leg to `phone` on a free port; the address the phone sends to.
    fn open(&mut self, leg: LegId, phone: SocketAddr) -> SocketAddr {
        let port = self.ports.pop().expect("a free port");
        self.order(MediaCommand::Open {
            leg,
            port,
            plan: Some(plan(phone)),
        });
        port.rtp
    }
}

fn plan(remote: SocketAddr) -> MediaPlan {
    MediaPlan {
        remote,
        remote_rtcp: None,
        codec: Codec::Pcmu,
        payload_type_send: 0,
        payload_type_receive: 0,
        dtmf: None,
        ptime_ms: 20,
        send: true,
        receive: true,
        srtp: None,
        comfort_noise: false,
        stereo: false,
    }
}

fn leg(n: u128) -> LegId {
    LegId::from_u128(n)
}

fn phone() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((HERE, 0)).expect("bind");
    socket.set_read_timeout(Some(PATIENCE)).expect("time-out");
    let addr = socket.local_addr().expect("addr");
    (socket, addr)
}

/// A G.711 packet of 20 ms whose audio says `n` (RFC 3550 5.1).
fn rtp(n: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(n.to_be_bytes());
    packet.extend((u32::from(n) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([n as u8; 160]);
    packet
}

fn audio_of(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_000];
    let (length, from) = socket.recv_from(&mut buffer).expect("a packet");
    (buffer[12..length].to_vec(), from)
}

#[test]
fn packets_are_relayed_both_ways_from_the_ports_that_were_named() {
    let mut house = House::new(31_000..=31_063, |_| {});
    let ((a, a_addr), (b, b_addr)) = (phone(), phone());
    let a_port = house.open(leg(1), a_addr);
    let b_port = house.open(leg(2), b_addr);
    for (hearer, heard) in [(1, 2), (2, 1)] {
        house.order(MediaCommand::Hear {
            leg: leg(hearer),
            hears: Hears::leg(leg(heard)),
        });
    }
    for n in 1..=50 {
        a.send_to(&rtp(n, 7), a_port).expect("send");
        assert_eq!(audio_of(&b), (vec![n as u8; 160], b_port));
        b.send_to(&rtp(n + 100, 8), b_port).expect("send");
        assert_eq!(audio_of(&a), (vec![(n + 100) as u8; 160], a_port));
    }
    for n in [1, 2] {
        house.until(
            "flow",
            |e| (*e == MediaEvent::Flowing { leg: leg(n) }).then_some(()),
            || {},
        );
        house.order(MediaCommand::Close { leg: leg(n) });
        let quality = house.until(
            "last quality",
            |e| match e {
                MediaEvent::Quality {
                    leg: l,
                    quality,
                    last: true,
                } if *l == leg(n) => Some(*quality),
                _ => None,
            },
            || {},
        );
        assert_eq!((quality.packets_received, quality.packets_lost), (50, 0));
    }
    let counters = house.media.counters(0).expect("worker 0");
    assert!(
        counters.packets_in >= 100 && counters.packets_out >= 100,
        "{counters:?}"
    );
}

/// Two calls that are to become one may have begun on different cores.
#[test]
fn a_leg_goes_to_another_worker_with_its_sockets_and_numbers() {
    let mut house = House::new(31_640..=31_699, |c| c.workers = Some(2));
    let ((a, a_addr), (b, b_addr)) = (phone(), phone());
    let port_of = |house: &House, worker: u16| {
        let port = house.ports.iter().find(|p| p.worker == worker);
        *port.expect("a port of the worker")
    };
    let ports = [port_of(&house, 0), port_of(&house, 1)];
    for (worker, phone) in [(0, a_addr), (1, b_addr)] {
        let open = MediaCommand::Open {
            leg: leg(u128::from(worker) + 1),
            port: ports[usize::from(worker)],
            plan: Some(plan(phone)),
        };
        house.media.send(worker, open).expect("taken");
    }
    let hear = |house: &House, worker: u16, hearer: u128, heard: u128| {
        let order = MediaCommand::Hear {
            leg: leg(hearer),
            hears: Hears::leg(leg(heard)),
        };
        house.media.send(worker, order).expect("taken");
    };
    // Each hears itself, so that numbers have been used on both workers.
    let own = [(0, 1, &a, ports[0].rtp), (1, 2, &b, ports[1].rtp)];
    for (worker, n, phone, port) in own {
        hear(&house, worker, n, n);
        phone.send_to(&rtp(1, 7), port).expect("send");
        assert_eq!(audio_of(phone), (vec![1; 160], port));
    }
    // To and fro; orders for the leg need not wait for it.
    let mut port = ports[0];
    let mut last = None;
    for (turn, to) in [1, 0, 1].into_iter().enumerate() {
        house.media.move_leg(leg(1), port, to).expect("taken");
        port.worker = to;
        hear(&house, to, 1, if to == 1 { 2 } else { 1 });
        hear(&house, 1, 2, 1);
        let n = 10 * (turn as u16 + 1);
        a.send_to(&rtp(n, 7), ports[0].rtp).expect("send");
        let (hearer, speaker) = if to == 1 { (&b, &b) } else { (&a, &a) };
        let from = if to == 1 { ports[1].rtp } else { ports[0].rtp };
        assert_eq!(audio_of(hearer), (vec![n as u8; 160], from), "turn {turn}");
        if to == 1 {
            speaker.send_to(&rtp(n, 8), ports[1].rtp).expect("send");
            let mut buffer = [0; 2_000];
            let (length, from) = a.recv_from(&mut buffer).expect("a packet");
            assert_eq!(
                (&buffer[12..length], from),
                (&[n as u8; 160][..], ports[0].rtp)
            );
            // One stream to the far side, whoever carries it.
            let ssrc = buffer[8..12].to_vec();
            assert_eq!(*last.get_or_insert(ssrc.clone()), ssrc);
        }
    }
    // It ends where it is.
    house
        .media
        .send(1, MediaCommand::Close { leg: leg(1) })
        .expect("taken");
    let quality = house.until(
        "last quality",
        |e| match e {
            MediaEvent::Quality {
                leg: l,
                quality,
                last: true,
            } if *l == leg(1) => Some(*quality),
            _ => None,
        },
        || {},
    );
    assert_eq!(quality.packets_received, 4);
    // A port without a leg goes too: its call is still ringing.
    let free = *house.ports.iter().rfind(|p| p.worker == 0).expect("a port");
    house.media.move_leg(leg(3), free, 1).expect("taken");
    let open = MediaCommand::Open {
        leg: leg(3),
        port: PortPair { worker: 1, ..free },
        plan: Some(plan(a_addr)),
    };
    house.media.send(1, open).expect("taken");
    hear(&house, 1, 3, 2);
    // Who is heard talks on; the first packets meet nobody, since nothing waits for the leg.
    let got = std::cell::Cell::new(None);
    a.set_nonblocking(true).expect("set");
    let mut n = 90;
    house.wait(
        "audio",
        || got.get().is_some(),
        || {
            n += 1;
            b.send_to(&rtp(n, 8), ports[1].rtp).expect("send");
            got.set(a.recv_from(&mut [0; 2_000]).ok());
        },
    );
    assert_eq!(got.get().map(|g| g.1), Some(free.rtp));
}

#[test]
fn nobody_at_the_far_side_is_seen_by_icmp() {
    let mut house = House::new(31_100..=31_163, |config| {
        config.node = NodeConfig {
            unreachable_after: Duration::from_millis(40),
            unreachable_after_start: Duration::from_millis(40),
            ..NodeConfig::default()
        };
    });
    let (talker, talker_addr) = phone();
    let (_, gone) = phone();
    let talker_port = house.open(leg(1), talker_addr);
    house.open(leg(2), gone);
    house.order(MediaCommand::Hear {
        leg: leg(2),
        hears: Hears::leg(leg(1)),
    });
    let mut n = 0;
    house.until(
        "unreachable",
        |e| (*e == MediaEvent::Unreachable { leg: leg(2) }).then_some(()),
        || {
            n += 1;
            talker.send_to(&rtp(n, 7), talker_port).expect("send");
        },
    );
}

#[test]
fn ports_grow_in_pieces_until_the_range_is_used_up_and_foreign_ones_are_skipped() {
    let _taken = UdpSocket::bind((HERE, 31_205)).expect("bind");
    let mut house = House::new(31_200..=31_299, |c| c.pairs_at_start = 4);
    let numbers =
        |house: &House| -> Vec<u16> { house.ports.iter().map(|p| p.rtp.port()).collect() };
    assert_eq!(numbers(&house), [31_200, 31_202, 31_206, 31_208]);
    house.media.grow(0, 40).expect("taken");
    house.media.grow(0, 40).expect("taken");
    house.until(
        "exhausted",
        |e| matches!(e, MediaEvent::PortsExhausted { worker: 0 }).then_some(()),
        || {},
    );
    let expected: Vec<u16> = (31_200..31_300)
        .step_by(2)
        .filter(|p| *p != 31_204)
        .collect();
    assert_eq!(numbers(&house), expected);
    // Every port that was named is open: nobody else can have it.
    for port in numbers(&house) {
        assert!(UdpSocket::bind((HERE, port)).is_err(), "{port} is free");
        assert!(
            UdpSocket::bind((HERE, port + 1)).is_err(),
            "{} is free",
            port + 1
        );
    }
    house.media.grow(0, 1).expect("taken");
    house.until(
        "exhausted again",
        |e| matches!(e, MediaEvent::PortsExhausted { worker: 0 }).then_some(()),
        || {},
    );
}

#[test]
fn workers_share_the_range_and_the_advertised_address_is_told() {
    let advertised: IpAddr = [203, 0, 113, 9].into();
    let house = House::new(31_300..=31_399, |c| {
        c.workers = Some(2);
        c.advertised = advertised;
    });
    assert_eq!(house.media.count(), 2);
    for worker in [0, 1] {
        let own = house.ports.iter().filter(|p| p.worker == worker);
        assert_eq!(own.count(), 8);
    }
    assert!(house.ports.iter().all(|p| p.rtp.ip() == advertised));
    let error = house.media.grow(2, 1).expect_err("no such worker");
    assert_eq!(error.code(), "no_such_worker");
}

#[test]
fn a_range_without_a_free_port_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().expect("directory");
    let _taken: Vec<_> = (31_400..31_404)
        .map(|p| UdpSocket::bind((HERE, p)).expect("bind"))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let clock = Clock::start();
    let signalling =
        Signalling::bind(ListenConfig::default(), runtime.handle(), clock).expect("bind");
    for (ports, code) in [
        (31_400..=31_403, "no_media_ports"),
        (31_401..=31_402, "port_range_too_small"),
        (RangeInclusive::new(31_403, 31_400), "port_range_too_small"),
    ] {
        let (sink, _source) = event_queue(signalling.waker());
        let Err(error) = MediaWorkers::start(config(ports, &dir), clock, sink) else {
            panic!("started without ports");
        };
        assert_eq!(error.code(), code, "{error}");
    }
}

#[test]
fn garbage_and_oversize_packets_harm_nobody() {
    let mut house = House::new(31_500..=31_563, |_| {});
    let ((a, a_addr), (b, b_addr)) = (phone(), phone());
    let a_port = house.open(leg(1), a_addr);
    house.open(leg(2), b_addr);
    house.order(MediaCommand::Hear {
        leg: leg(2),
        hears: Hears::leg(leg(1)),
    });
    let (stranger, _) = phone();
    let rtcp: SocketAddr = (a_port.ip(), a_port.port() + 1).into();
    let unused = house.ports[0].rtp;
    for bytes in [
        vec![],
        vec![0; 3],
        vec![0x80; 5_000],
        vec![0xff; 200],
        vec![0x80; 65_507],
    ] {
        for to in [a_port, rtcp, unused] {
            stranger.send_to(&bytes, to).expect("send");
        }
    }
    a.send_to(&rtp(1, 7), a_port).expect("send");
    assert_eq!(audio_of(&b).0, vec![1; 160]);
}

/// Two phones on a relayed call: the socket and the port to send to, of each.
fn call(house: &mut House) -> [(UdpSocket, SocketAddr); 2] {
    let ((a, a_addr), (b, b_addr)) = (phone(), phone());
    let a_port = house.open(leg(1), a_addr);
    let b_port = house.open(leg(2), b_addr);
    for (hearer, heard) in [(1, 2), (2, 1)] {
        house.order(MediaCommand::Hear {
            leg: leg(hearer),
            hears: Hears::leg(leg(heard)),
        });
    }
    [(a, a_port), (b, b_port)]
}

fn record(house: &House, n: u128, path: &str) -> RecordingId {
    let recording = RecordingId::from_u128(n);
    house.order(MediaCommand::Record {
        recording,
        left: leg(1),
        right: Some(leg(2)),
        path: path.to_owned(),
    });
    recording
}

fn recording_end(house: &mut House, recording: RecordingId) -> (u64, Option<String>) {
    house.until(
        "end of the recording",
        |e| match e {
            MediaEvent::RecordingEnded {
                recording: r,
                duration_ms,
                error,
            } if *r == recording => Some((*duration_ms, error.clone())),
            _ => None,
        },
        || {},
    )
}

#[test]
fn a_recording_becomes_a_file_and_stays_whole_when_the_server_stops() {
    let mut house = House::new(31_700..=31_763, |_| {});
    let [(a, a_port), _b] = call(&mut house);
    let stopped = record(&house, 1, "tenant/one.wav");
    let running = record(&house, 2, "tenant/two.wav");
    let dir = house.dir.path().join("tenant");
    let length = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |m| m.len());
    let mut n = 0;
    house.wait(
        "audio in the files",
        || length("one.wav") > 10_000 && length("two.wav") > 10_000,
        || {
            n += 1;
            a.send_to(&rtp(n, 7), a_port).expect("send");
        },
    );
    house.order(MediaCommand::StopRecording { recording: stopped });
    let (duration_ms, error) = recording_end(&mut house, stopped);
    assert_eq!(error, None);
    let House {
        media,
        source,
        dir: root,
        mut seen,
        ..
    } = house;
    drop(media);
    source.drain(&mut seen);
    let ended = |e: &MediaEvent| matches!(e, MediaEvent::RecordingEnded { recording, error: None, .. } if *recording == running);
    assert!(seen.iter().any(ended), "{seen:?}");
    for name in ["one.wav", "two.wav"] {
        let bytes = std::fs::read(root.path().join("tenant").join(name)).expect("a file");
        let size = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        assert_eq!(
            (&bytes[..4], &bytes[8..12]),
            (&b"RIFF"[..], &b"WAVE"[..]),
            "{name}"
        );
        assert_eq!(
            size(4) as usize,
            bytes.len() - 8,
            "{name}: the header tells the length"
        );
        if name == "one.wav" {
            // Two channels of 16 bit at 8 kHz.
            assert_eq!((bytes.len() as u64 - 44) / 32, duration_ms);
        }
    }
}

#[test]
fn a_recording_that_cannot_be_written_ends_with_an_error_and_the_call_lives() {
    let mut house = House::new(31_800..=31_863, |_| {});
    let [(a, a_port), (b, b_port)] = call(&mut house);
    let dir = house.dir.path().to_owned();
    std::os::unix::fs::symlink("/dev/full", dir.join("full.wav")).expect("link");
    std::fs::write(dir.join("kept.wav"), "evidence").expect("write");
    for (n, path) in ["full.wav", "kept.wav", "kept.wav/below.wav", "../out.wav"]
        .iter()
        .enumerate()
    {
        let recording = record(&house, n as u128 + 1, path);
        let (_, error) = recording_end(&mut house, recording);
        assert!(error.is_some(), "{path} was recorded");
        let n = n as u16 + 1;
        a.send_to(&rtp(n, 7), a_port).expect("send");
        assert_eq!(audio_of(&b), (vec![n as u8; 160], b_port));
    }
    assert_eq!(
        std::fs::read(dir.join("kept.wav")).expect("kept"),
        b"evidence"
    );
}

#[test]
fn stopping_frees_the_ports() {
    let house = House::new(31_600..=31_631, |_| {});
    let port = house.ports[0].rtp;
    assert!(house.dir.path().exists());
    drop(house);
    UdpSocket::bind(port).expect("free again");
}
