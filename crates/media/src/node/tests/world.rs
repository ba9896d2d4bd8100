//! Phones around a node, in virtual time.

use super::*;
use crate::codec::{Decoder, Encoder, working_rate_hz};
use crate::measure::{sine_from, tone_snr_db};
use crate::rtp::{self, Header};

pub(super) struct Phone {
    pub(super) leg: LegId,
    pub(super) n: u16,
    pub(super) codec: Codec,
    pub(super) plan: MediaPlan,
    /// Frequency it sings, if any, and amplitude.
    pub(super) tone: Option<(f64, f64)>,
    pub(super) seq: u16,
    pub(super) ts: u32,
    pub(super) frames: usize,
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    pub(super) received: Vec<(u64, Header, Vec<u8>)>,
    pub(super) heard: Vec<i16>,
    pub(super) rtcp: Vec<Vec<u8>>,
}

impl Phone {
    pub(super) fn rate(&self) -> u32 {
        working_rate_hz(self.codec, 16_000)
    }
    pub(super) fn snr(&self, hz: f64, from_s: f64) -> f64 {
        let from = (from_s * f64::from(self.rate())) as usize;
        let tail = self.heard.get(from..).unwrap_or(&[]);
        tone_snr_db(tail, hz, self.rate())
    }
    /// Amplitude of a tone over the last second.
    pub(super) fn level(&self, hz: f64) -> f64 {
        let len = self.rate() as usize;
        let tail = &self.heard[self.heard.len().saturating_sub(len)..];
        (2.0 * crate::measure::power_at(tail, hz, self.rate())).sqrt()
    }
    pub(super) fn sends(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let p = packet(
            payload_type,
            self.seq,
            self.ts,
            1_000 + u32::from(self.n),
            payload,
        );
        self.seq = self.seq.wrapping_add(1);
        p
    }
}

pub(super) struct World {
    pub(super) node: Node,
    pub(super) ids: IdSource,
    pub(super) ms: u64,
    pub(super) phones: Vec<Phone>,
    pub(super) events: Vec<(u64, MediaEvent)>,
    pub(super) writes: Vec<(RecordingId, WriteOp)>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(NodeConfig::default())
    }
    pub(super) fn with(config: NodeConfig) -> Self {
        Self {
            node: Node::new(config),
            ids: IdSource::from_u64(3),
            ms: 0,
            phones: vec![],
            events: vec![],
            writes: vec![],
        }
    }
    pub(super) fn phone(&mut self, codec: Codec) -> usize {
        let n = self.phones.len() as u16;
        self.phone_with(plan(codec, n))
    }
    pub(super) fn phone_with(&mut self, plan: MediaPlan) -> usize {
        let n = self.phones.len() as u16;
        let codec = plan.codec;
        let leg = open(&mut self.node, &mut self.ids, n, plan.clone());
        self.phones.push(Phone {
            leg,
            n,
            codec,
            plan,
            tone: None,
            seq: 65_000 + n,
            ts: 4_294_000_000,
            frames: 0,
            encoder: Encoder::new(codec, 16_000).unwrap(),
            decoder: Decoder::new(codec, 16_000).unwrap(),
            received: vec![],
            heard: vec![],
            rtcp: vec![],
        });
        usize::from(n)
    }
    pub(super) fn now(&self) -> Timestamp {
        t(self.ms)
    }
    pub(super) fn leg(&self, n: usize) -> LegId {
        self.phones[n].leg
    }
    pub(super) fn command(&mut self, c: MediaCommand) {
        let now = self.now();
        self.node.command(now, c);
    }
    pub(super) fn hear(&mut self, n: usize, sources: &[usize], mix: Option<MixId>) {
        let hears = Hears {
            mix,
            legs: sources.iter().map(|s| self.leg(*s)).collect(),
        };
        let leg = self.leg(n);
        self.command(MediaCommand::Hear { leg, hears });
    }
    pub(super) fn bridge(&mut self, a: usize, b: usize) {
        self.hear(a, &[b], None);
        self.hear(b, &[a], None);
    }
    pub(super) fn sings(&mut self, n: usize, hz: f64) {
        self.phones[n].tone = Some((hz, 6_000.0));
    }
    pub(super) fn inject(&mut self, n: usize, mut bytes: Vec<u8>) {
        let now = self.now();
        self.node
            .receive(now, local(n as u16), false, phone(n as u16), &mut bytes);
        self.collect();
    }
    pub(super) fn collect(&mut self) {
        let out = drain(&mut self.node);
        for (port, is_rtcp, to, bytes) in out.packets {
            let p = &mut self.phones[usize::from((port - 40_000) / 2)];
            if is_rtcp || rtp::is_rtcp(&bytes) {
                p.rtcp.push(bytes);
                continue;
            }
            assert_eq!(to, p.plan.remote);
            let parsed = rtp::parse(&bytes).unwrap();
            let payload = bytes[parsed.payload].to_vec();
            if parsed.header.payload_type == p.plan.payload_type_send {
                p.decoder.decode(&payload, &mut p.heard).unwrap();
            }
            p.received.push((self.ms, parsed.header, payload));
        }
        let ms = self.ms;
        self.events.extend(out.events.into_iter().map(|e| (ms, e)));
        self.writes.extend(out.writes);
    }
    /// Lets time pass; phones send every 20 ms, each a little off the others.
    pub(super) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            for n in 0..self.phones.len() {
                if (self.ms + 3 * n as u64) % 20 == 1 {
                    self.send_frame(n);
                }
            }
            let now = self.now();
            if self.node.next_timeout().is_some_and(|at| at <= now) {
                self.node.tick(now);
            }
            self.collect();
            self.ms += 1;
        }
    }
    fn send_frame(&mut self, n: usize) {
        let p = &mut self.phones[n];
        let rate = p.rate();
        let frame = rate as usize / 50;
        let from = p.frames * frame;
        p.frames += 1;
        let units = p.codec.clock_hz() / 50;
        if let Some((hz, amplitude)) = p.tone {
            let piece = sine_from(hz, amplitude, rate, from, frame);
            let mut payload = Vec::new();
            p.encoder.encode(&piece, &mut payload).unwrap();
            let bytes = p.sends(p.plan.payload_type_receive, &payload);
            self.inject(n, bytes);
        }
        let p = &mut self.phones[n];
        p.ts = p.ts.wrapping_add(units);
    }
    /// Checks that every phone got one unbroken stream.
    pub(super) fn assert_continuous(&self, n: usize) {
        let p = &self.phones[n];
        for pair in p.received.windows(2) {
            let (a, b) = (&pair[0].1, &pair[1].1);
            assert_eq!(a.ssrc, b.ssrc);
            assert_eq!(b.sequence, a.sequence.wrapping_add(1), "phone {n}");
            assert!(
                (b.timestamp.wrapping_sub(a.timestamp) as i32) >= 0,
                "phone {n}"
            );
        }
    }
}
