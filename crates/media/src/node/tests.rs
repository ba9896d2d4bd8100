//! What a shell sees of a node.

use super::*;
use cp_vocab::id::IdSource;
use cp_vocab::media::{Codec, Hears, MediaPlan, PortPair};

pub(super) struct Out {
    pub(super) packets: Vec<(u16, bool, SocketAddr, Vec<u8>)>,
    pub(super) events: Vec<MediaEvent>,
    pub(super) writes: Vec<(RecordingId, WriteOp)>,
}
impl Sink for Out {
    fn send(&mut self, port: u16, rtcp: bool, to: SocketAddr, bytes: &[u8]) {
        self.packets.push((port, rtcp, to, bytes.to_vec()));
    }
    fn send_peer(&mut self, _tcp: bool, to: SocketAddr, bytes: &[u8]) {
        self.packets.push((0, false, to, bytes.to_vec()));
    }
    fn event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }
    fn write(&mut self, recording: RecordingId, op: WriteOp) {
        self.writes.push((recording, op));
    }
}

pub(super) fn drain(node: &mut Node) -> Out {
    let mut out = Out {
        packets: vec![],
        events: vec![],
        writes: vec![],
    };
    node.drain(&mut out);
    out
}

pub(super) fn phone(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 30_000 + 2 * n))
}

pub(super) fn plan(codec: Codec, n: u16) -> MediaPlan {
    MediaPlan {
        remote: phone(n),
        remote_rtcp: None,
        codec,
        payload_type_send: codec.default_payload_type(),
        payload_type_receive: codec.default_payload_type(),
        dtmf: Some((101, 101)),
        ptime_ms: 20,
        send: true,
        receive: true,
        srtp: None,
        comfort_noise: false,
        stereo: false,
    }
}

pub(super) fn t(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

pub(super) fn local(n: u16) -> u16 {
    40_000 + 2 * n
}

pub(super) fn open(node: &mut Node, ids: &mut IdSource, n: u16, plan: MediaPlan) -> LegId {
    let leg = ids.next(t(0));
    node.command(
        t(0),
        MediaCommand::Open {
            leg,
            port: PortPair {
                worker: 0,
                rtp: SocketAddr::from(([127, 0, 0, 1], local(n))),
            },
            plan: Some(plan),
        },
    );
    leg
}

pub(super) fn packet(pt: u8, seq: u16, ts: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut p = crate::rtp::Header {
        marker: false,
        payload_type: pt,
        sequence: seq,
        timestamp: ts,
        ssrc,
    }
    .to_bytes()
    .to_vec();
    p.extend_from_slice(payload);
    p
}

#[test]
fn two_bridged_legs_pass_payloads_bit_exact() {
    let mut ids = IdSource::from_u64(1);
    let mut node = Node::new(NodeConfig::default());
    let a = open(&mut node, &mut ids, 0, plan(Codec::Pcmu, 0));
    let b = open(&mut node, &mut ids, 1, plan(Codec::Pcmu, 1));
    node.command(
        t(0),
        MediaCommand::Hear {
            leg: a,
            hears: Hears::leg(b),
        },
    );
    node.command(
        t(0),
        MediaCommand::Hear {
            leg: b,
            hears: Hears::leg(a),
        },
    );
    let mut last: Option<(u16, u32)> = None;
    for i in 0..500u32 {
        let payload: Vec<u8> = (0..160).map(|k| (k * 7 + i) as u8).collect();
        let mut bytes = packet(0, 65_400u16.wrapping_add(i as u16), i * 160, 77, &payload);
        node.receive(t(u64::from(i) * 20), local(0), false, phone(0), &mut bytes);
        let out = drain(&mut node);
        assert_eq!(out.packets.len(), 1);
        let (port, rtcp, to, bytes) = &out.packets[0];
        assert_eq!((*port, *rtcp, *to), (local(1), false, phone(1)));
        let parsed = crate::rtp::parse(bytes).unwrap();
        assert_eq!(&bytes[parsed.payload], &payload[..]);
        assert_ne!(parsed.header.ssrc, 77);
        let now = (parsed.header.sequence, parsed.header.timestamp);
        if let Some((s, ts)) = last {
            assert_eq!(now, (s.wrapping_add(1), ts.wrapping_add(160)));
        }
        last = Some(now);
        let flowing = out.events.contains(&MediaEvent::Flowing { leg: a });
        assert_eq!(flowing, i == 0);
    }
    node.command(t(10_000), MediaCommand::Close { leg: a });
    let out = drain(&mut node);
    let MediaEvent::Quality { leg, quality, last } = &out.events[0] else {
        panic!("{:?}", out.events)
    };
    assert!(*leg == a && *last);
    assert_eq!((quality.packets_received, quality.packets_lost), (500, 0));
    assert!(quality.mos > 4.3);
}

#[test]
fn strangers_are_counted_and_not_heard() {
    let mut ids = IdSource::from_u64(1);
    let mut node = Node::new(NodeConfig::default());
    let a = open(&mut node, &mut ids, 0, plan(Codec::Pcmu, 0));
    let b = open(&mut node, &mut ids, 1, plan(Codec::Pcmu, 1));
    node.command(
        t(0),
        MediaCommand::Hear {
            leg: b,
            hears: Hears::leg(a),
        },
    );
    let good = packet(0, 1, 0, 7, &[1; 160]);
    node.receive(t(0), local(0), false, phone(0), &mut good.clone());
    for i in 0..5_000u16 {
        let mut bad = packet(0, i, 0, 8, &[9; 160]);
        node.receive(t(10), local(0), false, phone(5), &mut bad);
    }
    let mut second = packet(0, 2, 160, 7, &[2; 160]);
    node.receive(t(20), local(0), false, phone(0), &mut second);
    let out = drain(&mut node);
    assert_eq!(out.packets.len(), 2);
    assert_eq!(node.counters().stranger, 5_000);
}

mod audio;
mod calls;
mod seats;
mod world;

#[test]
fn a_leg_is_small() {
    // 60 kB per bridged call is the limit for all of Crosspoint; a leg without decoder takes little of it.
    let size = std::mem::size_of::<Leg>();
    assert!(size < 1_600, "{size} bytes");
}
