//! The stereo picture as phones hear it (S3.6): which ear, how loud, for how long, and what it costs.

use super::world::World;
use super::*;
use crate::measure::power_at;
use cp_vocab::media::{SeatAt, SeatsAsk, Selected};

const A_HZ: f64 = 500.0;
const B_HZ: f64 = 1_500.0;
const RATE_HZ: u32 = crate::codec::STEREO_RATE_HZ;

struct Room {
    w: World,
    mix: MixId,
}

impl Room {
    /// A and B speak, from the left and from the right.
    fn new() -> Self {
        let mut w = World::new();
        let mix = w.ids.next(t(0));
        let mut room = Self { w, mix };
        for hz in [A_HZ, B_HZ] {
            let p = room.w.phone(Codec::Pcmu);
            room.joins(p, true);
            room.w.sings(p, hz);
        }
        room
    }
    fn joins(&mut self, phone: usize, speaks: bool) {
        self.w.hear(phone, &[], Some(self.mix));
        let (leg, into) = (self.w.leg(phone), speaks.then_some(self.mix));
        self.w.command(MediaCommand::Speak { leg, into });
    }
    /// A phone that plays two channels.
    fn stereo(&mut self, speaks: bool) -> usize {
        let n = self.w.phones.len() as u16;
        let phone = self.w.phone_with(MediaPlan {
            stereo: true,
            ..plan(Codec::Opus, n)
        });
        self.joins(phone, speaks);
        phone
    }
    fn asks(&mut self, phone: usize, seats: SeatsAsk) {
        let leg = self.w.leg(phone);
        self.w.command(MediaCommand::Seats { leg, seats });
    }
    fn select(&mut self, phone: usize, whom: usize, near_ms: u32) {
        let leg = self.w.leg(whom);
        let select = Some(Selected { leg, near_ms });
        self.asks(
            phone,
            SeatsAsk {
                select,
                ..SeatsAsk::default()
            },
        );
    }
    /// Level in dB of a tone in both ears over the last `ms`.
    fn ears(&self, phone: usize, hz: f64, ms: u64) -> [f64; 2] {
        let mut decoder = opus::Decoder::new(RATE_HZ, opus::Channels::Stereo).unwrap();
        let mut heard = Vec::new();
        for (at, _, payload) in &self.w.phones[phone].received {
            let mut frame = vec![0i16; 2 * 960];
            let n = decoder.decode(payload, &mut frame, false).unwrap();
            assert_eq!(n, 960);
            if at + ms > self.w.ms {
                heard.extend(frame);
            }
        }
        [0, 1].map(|ear| {
            let one: Vec<i16> = heard.iter().skip(ear).step_by(2).copied().collect();
            10.0 * power_at(&one, hz, RATE_HZ).max(1.0).log10()
        })
    }
    fn loudest(&self, phone: usize, hz: f64) -> f64 {
        let [left, right] = self.ears(phone, hz, 400);
        left.max(right)
    }
    fn encoded(&mut self, ms: u64) -> u64 {
        let before = self.w.node.counters().stereo_encoded;
        self.w.run(ms);
        self.w.node.counters().stereo_encoded - before
    }
}

/// Rules 1, 3 to 6 and the page's "must pass", on the server; and listeners with the same places share
/// one encoder.
#[test]
fn each_voice_comes_from_its_seat_and_the_selected_one_near_for_a_time() {
    let mut r = Room::new();
    let (one, two) = (r.stereo(false), r.stereo(false));
    r.w.run(1_000);
    let [left, right] = r.ears(one, A_HZ, 400);
    assert!(left - right > 3.0, "A at the left: {left} {right}");
    let [left, right] = r.ears(one, B_HZ, 400);
    assert!(right - left > 3.0, "B at the right: {left} {right}");
    let before = [r.loudest(one, A_HZ), r.loudest(one, B_HZ)];
    let encoded = r.encoded(1_000);
    assert!((49..=51).contains(&encoded), "two share: {encoded}");

    r.select(one, 0, 2_000);
    r.w.run(1_000);
    let near = [r.loudest(one, A_HZ), r.loudest(one, B_HZ)];
    assert!(near[0] > before[0] + 1.0, "A nearer: {near:?} {before:?}");
    assert!(near[0] - near[1] >= 5.5, "above the other: {near:?}");
    assert!((near[1] - before[1]).abs() > 1.0, "B moves too: {near:?}");
    let other = [r.loudest(two, A_HZ), r.loudest(two, B_HZ)];
    assert!(
        other.iter().zip(before).all(|(a, b)| (a - b).abs() < 0.5),
        "only for who selected: {other:?} {before:?}"
    );
    // It goes back by itself, and the two share again.
    r.w.run(1_500);
    let back = [r.loudest(one, A_HZ), r.loudest(one, B_HZ)];
    assert!(
        back.iter().zip(before).all(|(a, b)| (a - b).abs() < 0.5),
        "{back:?} {before:?}"
    );
    let encoded = r.encoded(1_000);
    assert!((49..=51).contains(&encoded), "two share again: {encoded}");
    r.w.assert_continuous(one);
}

#[test]
fn a_picture_moved_by_hand_is_heard_from_there() {
    let mut r = Room::new();
    let one = r.stereo(false);
    r.w.run(500);
    let [a, b] = [0, 1].map(|n| r.w.leg(n));
    let seat = |leg, x| SeatAt { leg, x, y: 200 };
    r.asks(
        one,
        SeatsAsk {
            seats: vec![seat(a, 900), seat(b, -900)],
            ..SeatsAsk::default()
        },
    );
    r.w.run(1_000);
    let [left, right] = r.ears(one, A_HZ, 400);
    assert!(right - left > 6.0, "A at the right now: {left} {right}");
    let [left, right] = r.ears(one, B_HZ, 400);
    assert!(left - right > 6.0, "B at the left now: {left} {right}");
}

#[test]
fn nobody_hears_itself_who_is_silent_shares_and_a_mono_phone_hears_the_mix() {
    let mut r = Room::new();
    let speaks = r.stereo(true);
    r.w.sings(speaks, 900.0);
    let rest: Vec<usize> = (0..8).map(|_| r.stereo(true)).collect();
    let mono = r.w.phone(Codec::Pcmu);
    r.joins(mono, false);
    r.w.run(2_500);
    let own = r.loudest(speaks, 900.0);
    let others = r.loudest(rest[0], 900.0);
    assert!(others - own > 20.0, "{own} {others}");
    for p in [speaks, rest[7]] {
        assert!(r.loudest(p, A_HZ) > 40.0 && r.loudest(p, B_HZ) > 40.0);
    }
    let encoded = r.encoded(1_000);
    assert!((98..=102).contains(&encoded), "nine listeners: {encoded}");
    assert!(r.w.phones[mono].level(A_HZ) > 4_000.0 && r.w.phones[mono].level(900.0) > 4_000.0);
    // Two are a call: mono, as it came.
    for p in rest.iter().chain([&speaks]) {
        let leg = r.w.leg(*p);
        r.w.command(MediaCommand::Close { leg });
    }
    let encoded = r.encoded(500);
    assert_eq!(encoded, 0);
}

#[test]
fn a_recorded_listener_in_stereo_is_recorded_all_the_same() {
    let mut r = Room::new();
    let one = r.stereo(true);
    let recording = r.w.ids.next(t(0));
    let left = r.w.leg(one);
    r.w.command(MediaCommand::Record {
        recording,
        left,
        right: None,
        path: "x.wav".into(),
    });
    r.w.run(2_000);
    assert!(r.loudest(one, A_HZ) > 40.0);
    r.w.command(MediaCommand::StopRecording { recording });
    r.w.run(20);
    let bytes: usize =
        r.w.writes
            .iter()
            .map(|(_, op)| match op {
                WriteOp::Append(bytes) => bytes.iter().filter(|b| **b != 0).count(),
                _ => 0,
            })
            .sum();
    assert!(bytes > 10_000, "{bytes}");
}
