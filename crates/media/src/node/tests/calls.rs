//! Digits, prompts, recordings, SRTP, reports, silence.

use super::world::World;
use super::*;
use crate::dtmf::event::Event;
use crate::dtmf::tone;
use crate::measure::{power, power_at, sine};
use crate::rtcp;
use cp_vocab::PlaybackId;
use cp_vocab::media::{Playback, Samples, SrtpKeys, SrtpSuite};

fn digits(w: &World, n: usize) -> String {
    w.events
        .iter()
        .filter_map(|(_, e)| match e {
            MediaEvent::Digit { leg, digit, .. } if *leg == w.leg(n) => Some(*digit),
            _ => None,
        })
        .collect()
}

fn press(w: &mut World, n: usize, code: u8, lose: &[usize]) {
    let ts = w.phones[n].ts;
    for i in 0..8usize {
        let e = Event {
            code,
            end: i >= 5,
            volume: 10,
            duration: (i.min(4) as u16 + 1) * 160,
        };
        let seq = w.phones[n].seq;
        w.phones[n].seq = seq.wrapping_add(1);
        if !lose.contains(&i) {
            let p = packet(101, seq, ts, 1_000 + n as u32, &e.to_bytes());
            w.inject(n, p);
        }
        w.run(20);
    }
}

fn play(
    w: &mut World,
    n: usize,
    sounds: Vec<Samples>,
    f: impl FnOnce(&mut Playback<Samples>),
) -> PlaybackId {
    let id = w.ids.next(t(w.ms));
    let mut playback = Playback {
        id,
        sounds,
        repeat: false,
        barge_in: false,
        mix_with_call: false,
    };
    f(&mut playback);
    let leg = w.leg(n);
    w.command(MediaCommand::Play { leg, playback });
    id
}

fn tone_samples(hz: f64, rate_hz: u32, ms: usize) -> Samples {
    Samples {
        rate_hz,
        data: sine(hz, 6_000.0, rate_hz, rate_hz as usize * ms / 1_000).into(),
    }
}

fn ended(w: &World, id: PlaybackId) -> Vec<(u64, bool)> {
    w.events
        .iter()
        .filter_map(|(at, e)| match e {
            MediaEvent::PlaybackEnded {
                playback,
                interrupted,
                ..
            } if *playback == id => Some((*at, *interrupted)),
            _ => None,
        })
        .collect()
}

#[test]
fn digits_are_told_once_and_forwarded() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.run(100);
    press(&mut w, a, 5, &[]);
    press(&mut w, a, 5, &[0, 1, 2]);
    press(&mut w, a, 11, &[5, 6]);
    press(&mut w, a, 1, &[5, 6, 7]);
    w.run(2_000);
    assert_eq!(digits(&w, a), "55#1");
    let events = w.phones[b]
        .received
        .iter()
        .filter(|r| r.1.payload_type == 101);
    assert_eq!(events.count(), 8 + 5 + 6 + 5);
}

#[test]
fn digits_cross_a_transcoding_bridge() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Opus));
    w.bridge(a, b);
    w.sings(a, 1_000.0);
    w.run(200);
    press(&mut w, a, 7, &[]);
    w.run(600);
    let got: Vec<_> = w.phones[b]
        .received
        .iter()
        .filter(|r| r.1.payload_type == 101)
        .map(|r| (r.1.timestamp, Event::parse(&r.2).unwrap()))
        .collect();
    assert_eq!(got.len(), 8);
    assert!(got.iter().all(|g| g.0 == got[0].0 && g.1.code == 7));
    assert_eq!(got.iter().filter(|g| g.1.end).count(), 3);
    assert_eq!(got[7].1.duration, 4_800);
    w.assert_continuous(b);
}

#[test]
fn events_become_tones_for_one_who_did_not_agree_to_them() {
    let mut w = World::new();
    let a = w.phone(Codec::Pcmu);
    let mut p = plan(Codec::Pcmu, 1);
    p.dtmf = None;
    let b = w.phone_with(p);
    w.bridge(a, b);
    w.run(200);
    press(&mut w, a, 9, &[]);
    w.run(500);
    press(&mut w, a, 4, &[]);
    w.run(1_000);
    let mut heard = String::new();
    let mut d = crate::dtmf::detect::Detector::default();
    d.feed(&w.phones[b].heard, |h| {
        if let crate::dtmf::detect::Heard::Pressed(c) = h {
            heard.push(c);
        }
    });
    assert_eq!(heard, "94");
    assert!(w.phones[b].received.iter().all(|r| r.1.payload_type == 0));
    w.assert_continuous(b);
}

#[test]
fn digits_in_the_voice_are_heard_only_without_events() {
    for agreed in [false, true] {
        let mut w = World::new();
        let mut p = plan(Codec::Pcmu, 0);
        p.dtmf = agreed.then_some((101, 101));
        let a = w.phone_with(p);
        let mut signal = vec![0; 1_600];
        for d in "159#".chars() {
            signal.extend(tone::samples(d, 80, 8_000));
            signal.resize(signal.len() + 800, 0);
        }
        for f in signal.chunks_exact(160) {
            let mut bytes = Vec::new();
            w.phones[a].encoder.encode(f, &mut bytes).unwrap();
            let p = w.phones[a].sends(0, &bytes);
            w.inject(a, p);
            w.run(20);
        }
        w.run(300);
        assert_eq!(digits(&w, a), if agreed { "" } else { "159#" });
    }
}

#[test]
fn digits_are_sent_as_agreed() {
    // As events.
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(b, 500.0);
    w.run(500);
    let leg = w.leg(a);
    w.command(MediaCommand::SendDigits {
        leg,
        digits: "42*".into(),
    });
    w.run(2_000);
    let codes: Vec<u8> = w.phones[a]
        .received
        .iter()
        .filter(|r| r.1.payload_type == 101 && r.1.marker)
        .map(|r| r.2[0])
        .collect();
    assert_eq!(codes, [4, 2, 10]);
    w.assert_continuous(a);
    let relayed = w.node.counters().relayed;
    w.run(200);
    assert!(
        w.node.counters().relayed >= relayed + 10,
        "back on the fast path"
    );
    // As tones.
    let mut w = World::new();
    let mut p = plan(Codec::Pcmu, 0);
    p.dtmf = None;
    let a = w.phone_with(p);
    let leg = w.leg(a);
    w.command(MediaCommand::SendDigits {
        leg,
        digits: "90D".into(),
    });
    w.run(2_000);
    let mut heard = String::new();
    let mut d = crate::dtmf::detect::Detector::default();
    d.feed(&w.phones[a].heard, |h| {
        if let crate::dtmf::detect::Heard::Pressed(c) = h {
            heard.push(c);
        }
    });
    assert_eq!(heard, "90D");
}

#[test]
fn prompts_play_in_order_and_end() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut w = World::new();
        let a = w.phone(codec);
        let sounds = vec![
            tone_samples(500.0, 8_000, 1_000),
            tone_samples(900.0, 22_050, 1_000),
        ];
        let id = play(&mut w, a, sounds, |_| ());
        w.run(3_000);
        let ends = ended(&w, id);
        assert_eq!(ends.len(), 1);
        assert!(
            (2_000..2_060).contains(&ends[0].0) && !ends[0].1,
            "{ends:?}"
        );
        let rate = w.phones[a].rate() as usize;
        let heard = &w.phones[a].heard;
        let level = |from: usize, hz: f64| {
            (2.0 * power_at(&heard[from..from + rate / 2], hz, rate as u32)).sqrt()
        };
        assert!(level(rate / 4, 500.0) > 5_000.0, "{codec:?}");
        assert!(level(rate / 4 + rate, 900.0) > 5_000.0, "{codec:?}");
        assert!(level(rate / 4 + rate, 500.0) < 300.0, "{codec:?}");
        // After the end: nothing but what keeps the path open.
        assert!(w.phones[a].received.len() <= 103);
        w.assert_continuous(a);
    }
}

#[test]
fn music_repeats_until_stopped_and_is_encoded_once() {
    let mut w = World::new();
    let music = tone_samples(440.0, 16_000, 500);
    let phones: Vec<usize> = (0..20).map(|_| w.phone(Codec::Pcmu)).collect();
    let ids: Vec<_> = phones
        .iter()
        .map(|p| play(&mut w, *p, vec![music.clone()], |p| p.repeat = true))
        .collect();
    w.run(3_000);
    for p in &phones {
        assert!(w.phones[*p].snr(440.0, 0.1) > 15.0);
        assert!((148..=151).contains(&w.phones[*p].received.len()));
    }
    assert!(ids.iter().all(|id| ended(&w, *id).is_empty()));
    let leg = w.leg(0);
    w.command(MediaCommand::Stop {
        leg,
        playback: ids[0],
    });
    w.run(100);
    assert_eq!(ended(&w, ids[0]), [(3_000, true)]);
    // Stopping again says nothing more.
    w.command(MediaCommand::Stop {
        leg,
        playback: ids[0],
    });
    w.run(100);
    assert_eq!(ended(&w, ids[0]).len(), 1);
}

#[test]
fn a_key_interrupts_a_prompt_that_may_be() {
    for barge_in in [true, false] {
        let mut w = World::new();
        let a = w.phone(Codec::Pcmu);
        let id = play(&mut w, a, vec![tone_samples(500.0, 8_000, 5_000)], |p| {
            p.barge_in = barge_in;
        });
        w.run(1_000);
        press(&mut w, a, 3, &[]);
        w.run(300);
        assert_eq!(digits(&w, a), "3");
        let ends = ended(&w, id);
        assert_eq!(ends.len(), usize::from(barge_in));
        if barge_in {
            assert!(
                ends[0].1 && ends[0].0 == 1_000,
                "at the press, not the release"
            );
        }
    }
}

#[test]
fn an_announcement_lies_over_the_call() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(b, 1_000.0);
    w.run(500);
    let id = play(&mut w, a, vec![tone_samples(400.0, 8_000, 1_500)], |p| {
        p.mix_with_call = true
    });
    w.run(1_300);
    let (call, prompt) = (w.phones[a].level(1_000.0), w.phones[a].level(400.0));
    assert!(
        prompt > 5_000.0 && (1_200.0..1_800.0).contains(&call),
        "{prompt} {call}"
    );
    w.run(2_000);
    assert_eq!(ended(&w, id).len(), 1);
    assert!(w.phones[a].level(1_000.0) > 5_000.0);
    w.assert_continuous(a);
}

#[test]
fn empty_and_replaced_playbacks_end() {
    let mut w = World::new();
    let a = w.phone(Codec::Pcmu);
    let none = Samples {
        rate_hz: 8_000,
        data: Vec::new().into(),
    };
    let wrong = Samples {
        rate_hz: 0,
        data: vec![1; 100].into(),
    };
    let empty = play(&mut w, a, vec![none, wrong], |p| p.repeat = true);
    w.run(100);
    assert_eq!(ended(&w, empty).len(), 1);
    let first = play(&mut w, a, vec![tone_samples(400.0, 8_000, 900)], |_| ());
    let second = play(&mut w, a, vec![tone_samples(400.0, 8_000, 500)], |_| ());
    w.run(1_000);
    assert!(ended(&w, first)[0].1 && !ended(&w, second)[0].1);
}

/// The file a recording's operations make.
fn file(w: &World, id: RecordingId) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (r, op) in &w.writes {
        if *r != id {
            continue;
        }
        match op {
            WriteOp::Create { path, header } => {
                assert_eq!(path, "a/b.wav");
                bytes = header.clone();
            }
            WriteOp::Append(b) => bytes.extend_from_slice(b),
            WriteOp::PatchHeader(h) => {
                bytes[..h.len()].copy_from_slice(h);
                // Whole after every patch.
                hound::WavReader::new(std::io::Cursor::new(&bytes)).unwrap();
            }
            WriteOp::Finish => {}
        }
    }
    bytes
}

fn channels(bytes: &[u8]) -> (u32, Vec<i16>, Vec<i16>) {
    let mut r = hound::WavReader::new(std::io::Cursor::new(bytes)).unwrap();
    let all: Vec<i16> = r.samples().map(|s| s.unwrap()).collect();
    let pick = |c: usize| all.iter().skip(c).step_by(2).copied().collect();
    (r.spec().sample_rate, pick(0), pick(1))
}

#[test]
fn recording_has_both_sides_and_silence_while_paused() {
    for (codec, rate) in [(Codec::Pcmu, 8_000), (Codec::Opus, 16_000)] {
        let mut w = World::new();
        let (a, b) = (w.phone(codec), w.phone(codec));
        w.bridge(a, b);
        w.sings(a, 500.0);
        w.sings(b, 800.0);
        w.run(500);
        let recording: RecordingId = w.ids.next(t(0));
        let (left, right) = (w.leg(a), Some(w.leg(b)));
        w.command(MediaCommand::Record {
            recording,
            left,
            right,
            path: "a/b.wav".into(),
        });
        let relayed = w.node.counters().relayed;
        w.run(3_000);
        assert_eq!(
            w.node.counters().relayed - relayed,
            300,
            "still the fast path"
        );
        w.command(MediaCommand::PauseRecording {
            recording,
            paused: true,
        });
        w.run(2_000);
        w.command(MediaCommand::PauseRecording {
            recording,
            paused: false,
        });
        w.run(1_000);
        w.command(MediaCommand::StopRecording { recording });
        w.run(100);
        let end = w.events.iter().find_map(|(_, e)| match e {
            MediaEvent::RecordingEnded {
                duration_ms, error, ..
            } => Some((*duration_ms, error.clone())),
            _ => None,
        });
        assert_eq!(end, Some((6_000, None)));
        let (hz, l, r) = channels(&file(&w, recording));
        assert_eq!((hz, l.len()), (rate, 6 * rate as usize));
        let s = rate as usize;
        for (channel, own, other) in [(&l, 500.0, 800.0), (&r, 800.0, 500.0)] {
            for at in [s..2 * s, 2 * s..3 * s - s / 50, 5 * s + s / 10..6 * s] {
                let part = &channel[at];
                let level = (2.0 * power_at(part, own, hz)).sqrt();
                assert!(level > 5_000.0, "{codec:?} {level}");
                assert!(power_at(part, other, hz).sqrt() < 100.0);
            }
            assert_eq!(
                power(&channel[3 * s + s / 50..5 * s - s / 50]),
                0.0,
                "paused"
            );
        }
        assert_eq!(w.writes.last().unwrap().1, WriteOp::Finish);
        // The decoders are gone again.
        let relayed = w.node.counters().relayed;
        w.run(100);
        assert_eq!(w.node.counters().relayed - relayed, 10);
    }
}

#[test]
fn recording_of_a_conference_has_what_the_customer_hears() {
    let mut w = World::new();
    let mix: MixId = w.ids.next(t(0));
    for hz in [500.0, 800.0, 1_200.0] {
        let p = w.phone(Codec::Pcmu);
        w.hear(p, &[], Some(mix));
        let leg = w.leg(p);
        w.command(MediaCommand::Speak {
            leg,
            into: Some(mix),
        });
        w.sings(p, hz);
    }
    let recording: RecordingId = w.ids.next(t(0));
    let left = w.leg(0);
    w.command(MediaCommand::Record {
        recording,
        left,
        right: None,
        path: "a/b.wav".into(),
    });
    w.run(2_500);
    w.command(MediaCommand::Close { leg: left });
    w.run(50);
    assert!(
        w.events
            .iter()
            .any(|(_, e)| matches!(e, MediaEvent::RecordingEnded { error: None, .. }))
    );
    let (hz, l, r) = channels(&file(&w, recording));
    let level = |c: &[i16], f: f64| (2.0 * power_at(&c[8_000..16_000], f, hz)).sqrt();
    assert!(level(&l, 500.0) > 5_000.0 && level(&l, 800.0) < 50.0);
    assert!(level(&r, 800.0) > 5_000.0 && level(&r, 1_200.0) > 5_000.0 && level(&r, 500.0) < 50.0);
}

/// Legs that hear one another through frames share a phase of the clock. What is recorded before
/// they are connected moves with its leg; and time passes in the file while nobody sends.
#[test]
fn a_recording_loses_no_time_when_its_leg_is_connected_or_held() {
    for (of_left, of_right) in [(0, 1), (1, 0)] {
        let mut w = World::new();
        let legs = [w.phone(Codec::Pcmu), w.phone(Codec::Pcma)];
        let (a, b) = (legs[of_left], legs[of_right]);
        w.sings(a, 500.0);
        w.sings(b, 800.0);
        let recording: RecordingId = w.ids.next(t(0));
        let (left, right) = (w.leg(a), Some(w.leg(b)));
        w.command(MediaCommand::Record {
            recording,
            left,
            right,
            path: "a/b.wav".into(),
        });
        w.run(1_000);
        w.bridge(a, b);
        w.run(2_000);
        // Both hold, as `inactive` has it: nothing goes either way.
        for n in [a, b] {
            let mut plan = w.phones[n].plan.clone();
            (plan.send, plan.receive) = (false, false);
            let leg = w.leg(n);
            w.command(MediaCommand::Plan { leg, plan });
        }
        w.run(1_000);
        w.command(MediaCommand::StopRecording { recording });
        w.run(20);
        let (hz, l, r) = channels(&file(&w, recording));
        let ms = l.len() * 1_000 / hz as usize;
        assert!((3_960..=4_040).contains(&ms), "{ms} ms, left is {a}");
        let level = |c: &[i16], f: f64| (2.0 * power_at(&c[12_000..20_000], f, hz)).sqrt();
        assert!(level(&l, 500.0) > 5_000.0, "left is {a}");
        assert!(level(&r, 800.0) > 5_000.0, "left is {a}");
        assert!(power(&l[28_000..]) < 10.0 && power(&r[28_000..]) < 10.0);
    }
}

#[test]
fn a_recording_whose_disk_fails_ends_and_the_call_goes_on() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(a, 500.0);
    let recording: RecordingId = w.ids.next(t(0));
    let (left, right) = (w.leg(a), Some(w.leg(b)));
    w.command(MediaCommand::Record {
        recording,
        left,
        right,
        path: "a/b.wav".into(),
    });
    w.run(1_000);
    let now = w.now();
    w.node
        .recording_failed(now, recording, "no space left".into());
    let writes = w.writes.len();
    w.run(1_000);
    assert_eq!(w.writes.len(), writes);
    let ends = w.events.iter().filter(|(_, e)| {
        matches!(e, MediaEvent::RecordingEnded { error: Some(e), .. } if e == "no space left")
    });
    assert_eq!(ends.count(), 1);
    assert!(w.phones[b].level(500.0) > 5_000.0);
    // A leg that is not there.
    let gone: LegId = w.ids.next(t(0));
    let recording: RecordingId = w.ids.next(t(1));
    w.command(MediaCommand::Record {
        recording,
        left: gone,
        right: None,
        path: "a/b.wav".into(),
    });
    w.run(10);
    assert!(matches!(
        w.events.last(),
        Some((_, MediaEvent::RecordingEnded { error: Some(_), .. }))
    ));
}

/// Packets with a wrong tag at one leg.
const FORGED: u32 = 33_400;

#[test]
fn srtp_legs_talk_to_plain_ones_and_strangers_are_silent() {
    for suite in [
        SrtpSuite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32,
        SrtpSuite::AeadAes256Gcm,
    ] {
        let (k, s) = suite.key_and_salt_len();
        let keys = SrtpKeys {
            suite,
            local: vec![1; k + s],
            remote: vec![2; k + s],
        };
        let theirs = SrtpKeys {
            suite,
            local: vec![2; k + s],
            remote: vec![1; k + s],
        };
        let (mut out, mut incoming) = crate::srtp::pair(&theirs).unwrap();
        let mut ids = IdSource::from_u64(1);
        let mut node = Node::new(NodeConfig::default());
        let mut secure = plan(Codec::Pcmu, 0);
        secure.srtp = Some(keys.clone());
        let a = open(&mut node, &mut ids, 0, secure.clone());
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
        for i in 0..50u16 {
            let now = t(u64::from(i) * 20);
            let payload = vec![i as u8; 160];
            let plain = packet(0, i, u32::from(i) * 160, 9, &payload);
            let mut wire = Vec::new();
            out.rtp(&plain, &mut wire).unwrap();
            let mut tampered = wire.clone();
            tampered[20] ^= 1;
            node.receive(now, local(0), false, phone(0), &mut tampered);
            node.receive(now, local(0), false, phone(0), &mut plain.clone());
            let replay = wire.clone();
            node.receive(now, local(0), false, phone(0), &mut wire);
            node.receive(now, local(0), false, phone(0), &mut replay.clone());
            let got = drain(&mut node).packets;
            assert_eq!(got.len(), 1);
            assert_eq!(&got[0].3[12..], &payload[..]);
            let mut back = packet(0, i, u32::from(i) * 160, 8, &payload);
            node.receive(now, local(1), false, phone(1), &mut back);
            let mut got = drain(&mut node).packets.remove(0).3;
            let n = incoming.rtp(&mut got).unwrap();
            assert_eq!(&got[12..n], &payload[..]);
        }
        let c = node.counters();
        assert_eq!(
            (c.srtp_authentication, c.srtp_replay),
            (100, 50),
            "{suite:?}"
        );
        // A flood of forged packets from the right address, 100,200 over the suites (ASVS 17.2.5): none is heard,
        // each is counted, and the next good one is.
        for i in 0..FORGED {
            let mut forged = packet(0, 50 + i as u16, i, 9, &[0; 32]);
            node.receive(t(1_000), local(0), false, phone(0), &mut forged);
        }
        assert!(drain(&mut node).packets.is_empty(), "{suite:?}");
        let c = node.counters();
        let refused = c.srtp_authentication - 100;
        assert_eq!(refused + c.flood, u64::from(FORGED), "{suite:?}");
        let plain = packet(0, 50, 50 * 160, 9, &[7; 160]);
        let mut wire = Vec::new();
        out.rtp(&plain, &mut wire).unwrap();
        node.receive(t(2_000), local(0), false, phone(0), &mut wire);
        assert_eq!(drain(&mut node).packets.len(), 1, "{suite:?}");
        // A re-INVITE with the same keys goes on; a wrong key length leaves the leg silent.
        node.command(
            t(2_000),
            MediaCommand::Plan {
                leg: a,
                plan: secure.clone(),
            },
        );
        let mut wire = Vec::new();
        out.rtp(&packet(0, 60, 0, 9, &[1; 160]), &mut wire).unwrap();
        node.receive(t(2_000), local(0), false, phone(0), &mut wire);
        assert_eq!(drain(&mut node).packets.len(), 1);
        secure.srtp = Some(SrtpKeys {
            local: vec![1; 3],
            ..keys
        });
        node.command(
            t(2_001),
            MediaCommand::Plan {
                leg: a,
                plan: secure,
            },
        );
        let mut plain = packet(0, 61, 0, 9, &[1; 160]);
        node.receive(t(2_002), local(0), false, phone(0), &mut plain);
        assert!(drain(&mut node).packets.is_empty());
        assert_eq!(node.counters().bad_plan, 1);
    }
}

#[test]
fn new_keys_for_one_direction_leave_the_other_running() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let mut ids = IdSource::from_u64(1);
    let mut node = Node::new(NodeConfig::default());
    let mut secure = plan(Codec::Pcmu, 0);
    let keys = SrtpKeys {
        suite,
        local: vec![1; 30],
        remote: vec![2; 30],
    };
    secure.srtp = Some(keys.clone());
    let a = open(&mut node, &mut ids, 0, secure.clone());
    let b = open(&mut node, &mut ids, 1, plan(Codec::Pcmu, 1));
    node.command(
        t(0),
        MediaCommand::Hear {
            leg: a,
            hears: Hears::leg(b),
        },
    );
    let mut incoming = crate::srtp::unprotect(suite, &keys.local).unwrap();
    // More packets than there are sequence numbers, so that the roll-over counter matters.
    for i in 0..70_000u32 {
        let mut p = packet(0, i as u16, i * 160, 8, &[i as u8; 20]);
        let now = t(u64::from(i) * 20);
        node.receive(now, local(1), false, phone(1), &mut p);
        if i == 68_000 {
            secure.srtp = Some(SrtpKeys {
                remote: vec![3; 30],
                ..keys.clone()
            });
            node.command(
                now,
                MediaCommand::Plan {
                    leg: a,
                    plan: secure.clone(),
                },
            );
        }
        let mut got = drain(&mut node).packets.remove(0).3;
        let n = incoming.rtp(&mut got).unwrap();
        assert_eq!(&got[12..n], &[i as u8; 20], "{i}");
    }
}

#[test]
fn duplicates_and_early_packets_are_not_forwarded() {
    let mut ids = IdSource::from_u64(1);
    let mut node = Node::new(NodeConfig::default());
    let a = ids.next(t(0));
    let rtp = SocketAddr::from(([127, 0, 0, 1], local(0)));
    let port = PortPair { worker: 0, rtp };
    node.command(
        t(0),
        MediaCommand::Open {
            leg: a,
            port,
            plan: None,
        },
    );
    let b = open(&mut node, &mut ids, 1, plan(Codec::Pcmu, 1));
    node.command(
        t(0),
        MediaCommand::Hear {
            leg: b,
            hears: Hears::leg(a),
        },
    );
    node.receive(
        t(0),
        local(0),
        false,
        phone(0),
        &mut packet(0, 1, 0, 7, &[1; 160]),
    );
    assert!(drain(&mut node).packets.is_empty());
    assert_eq!(node.counters().unwanted, 1);
    node.command(
        t(10),
        MediaCommand::Plan {
            leg: a,
            plan: plan(Codec::Pcmu, 0),
        },
    );
    for _ in 0..3 {
        node.receive(
            t(20),
            local(0),
            false,
            phone(0),
            &mut packet(0, 2, 160, 7, &[1; 160]),
        );
    }
    let out = drain(&mut node);
    assert_eq!(out.packets.len(), 1);
    assert_eq!(out.events, [MediaEvent::Flowing { leg: a }]);
    assert_eq!(node.counters().duplicate, 2);
}

#[test]
fn reports_are_sent_and_read() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(a, 500.0);
    w.run(12_000);
    let sent = w.phones[b].rtcp.len();
    assert!((2..=4).contains(&sent), "{sent}");
    let ours = w.phones[b].received[0].1.ssrc;
    let s = rtcp::parse(w.phones[b].rtcp.last().unwrap(), 1).unwrap();
    assert_eq!(s.reporter, ours);
    let middle = s.sr_middle.expect("sender report");
    // The far side answers 100 ms later, having held it 60 ms.
    let sent_at = w.ms;
    let mut bytes = Vec::new();
    let block = rtcp::Block {
        ssrc: ours,
        fraction_lost: 64,
        last_sr: rtcp::ntp_middle(w.now()),
        delay_since_sr: 65_536 * 60 / 1_000,
        ..Default::default()
    };
    assert_ne!(middle, 0);
    rtcp::write(&mut bytes, 77, None, Some(block), "x", false);
    w.run(100);
    let now = w.now();
    let mut forged = bytes.clone();
    node_rtcp(
        &mut w,
        now,
        SocketAddr::from(([203, 0, 113, 9], 9)),
        &mut forged,
    );
    assert_eq!(w.node.counters().stranger, 1);
    node_rtcp(&mut w, now, phone(1), &mut bytes);
    node_rtcp(&mut w, now, phone(1), &mut [0x80, 200, 0, 9, 1, 2, 3, 4]);
    assert_eq!(
        (
            w.node.counters().rtcp_received,
            w.node.counters().rtcp_malformed
        ),
        (1, 1)
    );
    assert!(sent_at < w.ms);
    w.run(10_500);
    let q = w.events.iter().rev().find_map(|(_, e)| match e {
        MediaEvent::Quality {
            leg,
            quality,
            last: false,
        } if *leg == w.leg(1) => Some(*quality),
        _ => None,
    });
    let q = q.unwrap();
    assert!((q.rtt_ms.unwrap() - 40.0).abs() < 1.0, "{q:?}");
    assert_eq!(q.remote_loss_pct, Some(25.0));
}

fn node_rtcp(w: &mut World, now: Timestamp, from: SocketAddr, bytes: &mut [u8]) {
    w.node.receive(now, local(1), false, from, bytes);
}

#[test]
fn silence_and_icmp_are_told_once_and_end_with_a_packet() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(a, 500.0);
    w.sings(b, 600.0);
    w.run(1_000);
    w.phones[a].tone = None;
    for _ in 0..250 {
        let now = w.now();
        w.node.unreachable(now, local(a as u16));
        w.run(100);
    }
    let told = |w: &World| {
        let silent = w
            .events
            .iter()
            .filter(|(_, e)| matches!(e, MediaEvent::Silent { leg, .. } if *leg == w.leg(0)))
            .count();
        let icmp = w
            .events
            .iter()
            .filter(|(_, e)| matches!(e, MediaEvent::Unreachable { leg } if *leg == w.leg(0)))
            .count();
        (silent, icmp)
    };
    assert_eq!(told(&w), (1, 1));
    let at = w
        .events
        .iter()
        .find(|(_, e)| matches!(e, MediaEvent::Silent { .. }))
        .unwrap()
        .0;
    assert!((20_900..22_100).contains(&at), "{at}");
    let at = w
        .events
        .iter()
        .find(|(_, e)| matches!(e, MediaEvent::Unreachable { .. }))
        .unwrap()
        .0;
    assert!((3_000..3_300).contains(&at), "{at}");
    w.sings(a, 500.0);
    w.run(1_000);
    w.phones[a].tone = None;
    w.run(22_000);
    assert_eq!(told(&w).0, 2);
    // Held: they send nothing and nobody minds.
    let mut held = plan(Codec::Pcmu, 1);
    held.receive = false;
    let leg = w.leg(b);
    w.command(MediaCommand::Plan { leg, plan: held });
    w.phones[b].tone = None;
    w.run(25_000);
    assert!(
        !w.events
            .iter()
            .any(|(_, e)| matches!(e, MediaEvent::Silent { leg: l, .. } if *l == leg))
    );
}

#[test]
fn bad_packets_are_counted_by_reason_and_the_call_goes_on() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::G722));
    w.bridge(a, b);
    w.sings(a, 1_000.0);
    w.run(500);
    let good = packet(0, 9, 9, 1_000, &[0; 160]);
    let mut version = good.clone();
    version[0] = 0x40;
    let mut csrc = good[..20].to_vec();
    csrc[0] = 0x8f;
    let mut extension = good[..16].to_vec();
    extension[0] = 0x90;
    extension[14..16].copy_from_slice(&[0xff, 0xff]);
    for bad in [vec![], vec![0x80], version, csrc, extension] {
        w.inject(a, bad);
    }
    assert_eq!(w.node.counters().malformed, 5);
    w.inject(a, packet(77, 1, 1, 1_000, &[0; 160]));
    assert_eq!(w.node.counters().unknown_payload_type, 1);
    w.inject(a, packet(101, 65_100, 1, 1_000, &[5]));
    assert_eq!(w.node.counters().malformed, 6);
    // Ours as their SSRC: ours moves.
    let ours = w.phones[a].received.last().unwrap().1.ssrc;
    w.inject(a, packet(0, 1, 1, ours, &[0x7f; 160]));
    assert_eq!(w.node.counters().ssrc_collision, 1);
    // A flood from the right address is cut at the packet rate a leg may have.
    for i in 0..5_000u16 {
        w.inject(a, packet(0, i, u32::from(i) * 160, 55, &[0x7f; 160]));
    }
    assert!(w.node.counters().flood >= 3_900);
    w.run(4_000);
    assert!(w.phones[b].level(1_000.0) > 5_000.0);
    // Packets for a port nobody has, commands for legs that are gone.
    let now = w.now();
    w.node.receive(now, 1, false, phone(0), &mut good.clone());
    let leg: LegId = w.ids.next(t(0));
    for c in [
        MediaCommand::Close { leg },
        MediaCommand::Hear {
            leg,
            hears: Hears::nobody(),
        },
        MediaCommand::SendDigits {
            leg,
            digits: "1".into(),
        },
    ] {
        w.command(c);
    }
    assert_eq!(
        (w.node.counters().no_leg, w.node.counters().unknown_target),
        (1, 3)
    );
}

#[test]
fn codec_and_address_may_change_in_the_call() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(b, 1_000.0);
    w.run(1_000);
    let plan2 = plan(Codec::G722, 0);
    let leg = w.leg(a);
    w.command(MediaCommand::Plan {
        leg,
        plan: plan2.clone(),
    });
    let p = &mut w.phones[a];
    p.codec = Codec::G722;
    p.plan = plan2.clone();
    p.decoder = crate::codec::Decoder::new(Codec::G722, 16_000).unwrap();
    p.heard.clear();
    w.run(2_000);
    assert!(w.phones[a].snr(1_000.0, 0.5) > 18.0);
    w.assert_continuous(a);
    // They moved: packets go to the new address at once.
    let mut moved = plan2;
    moved.remote = SocketAddr::from(([192, 0, 2, 99], 7_000));
    w.phones[a].plan = moved.clone();
    w.command(MediaCommand::Plan { leg, plan: moved });
    w.run(100);
    w.assert_continuous(a);
    // On hold by them: nothing is sent.
    let mut held = plan(Codec::G722, 0);
    held.send = false;
    w.command(MediaCommand::Plan { leg, plan: held });
    let before = w.phones[a].received.len();
    w.run(500);
    assert_eq!(w.phones[a].received.len(), before);
}

#[test]
fn ports_and_slots_are_used_again() {
    let mut w = World::new();
    for _ in 0..50 {
        let n = w.phones.len();
        let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcma));
        w.bridge(a, b);
        w.sings(a, 700.0);
        w.run(60);
        for p in [n, n + 1] {
            let leg = w.leg(p);
            w.command(MediaCommand::Close { leg });
            w.phones[p].tone = None;
        }
    }
    w.run(1_000);
    assert_eq!((w.node.leg_count(), w.node.legs.len()), (0, 2));
    assert!(w.node.heard_by.is_empty() && w.node.mix_by_id.is_empty());
    assert!(w.node.phases.iter().all(|p| p.is_empty()));
    assert_eq!(w.node.next_timeout(), None);
}

#[test]
fn a_prompt_to_one_who_holds_us_ends_all_the_same() {
    let mut w = World::new();
    let mut p = plan(Codec::Pcmu, 0);
    p.send = false;
    let a = w.phone_with(p);
    let id = play(&mut w, a, vec![tone_samples(400.0, 16_000, 700)], |_| ());
    w.run(1_000);
    assert_eq!(ended(&w, id).len(), 1);
    assert!(w.phones[a].received.is_empty());
}

#[test]
fn an_attacker_neither_speaks_nor_listens() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(a, 500.0);
    w.sings(b, 800.0);
    w.run(500);
    let evil = SocketAddr::from(([203, 0, 113, 66], 4_444));
    for i in 0..3_000u32 {
        let now = w.now();
        let mut p = packet(0, 60_000 + i as u16, i * 160, 0xbad, &[0x7f; 160]);
        w.node.receive(now, local(0), false, evil, &mut p);
        if i % 100 == 0 {
            // `collect` checks that packets for a phone go to its own address only.
            w.run(60);
        }
    }
    assert_eq!(w.node.counters().stranger, 3_000);
    assert!(w.phones[b].level(500.0) > 5_000.0);
    w.assert_continuous(b);
    // First come: the attacker has the leg until the real phone talks.
    let c = w.phone(Codec::Pcmu);
    w.hear(b, &[c], None);
    let now = w.now();
    w.node.receive(
        now,
        local(2),
        false,
        evil,
        &mut packet(0, 1, 1, 0xbad, &[0x7f; 160]),
    );
    w.sings(c, 900.0);
    w.run(3_000);
    assert!(w.phones[b].level(900.0) > 5_000.0);
    w.assert_continuous(b);
}

mod random {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Act {
        Bytes(u16, bool, Vec<u8>),
        Rtp(u16, u8, u16, u32, Vec<u8>),
        Hear(usize, Vec<usize>, bool),
        Speak(usize, bool),
        Mute(usize, bool),
        Play(usize, u32, usize, bool),
        Digits(usize),
        Record(usize, Option<usize>),
        Close(usize),
        Reopen(usize, u8, u16),
        Unreachable(u16),
        Wait(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        let leg = 0usize..5;
        let bytes = proptest::collection::vec(any::<u8>(), 0..60);
        prop_oneof![
            (0u16..6, any::<bool>(), bytes.clone()).prop_map(|(n, r, b)| Act::Bytes(n, r, b)),
            (
                0u16..5,
                prop_oneof![Just(0u8), Just(9), Just(96), Just(101), Just(13)],
                any::<u16>(),
                any::<u32>(),
                bytes
            )
                .prop_map(|(n, pt, s, t, b)| Act::Rtp(n, pt, s, t, b)),
            (
                leg.clone(),
                proptest::collection::vec(0usize..5, 0..4),
                any::<bool>()
            )
                .prop_map(|(a, l, m)| Act::Hear(a, l, m)),
            (leg.clone(), any::<bool>()).prop_map(|(a, m)| Act::Speak(a, m)),
            (leg.clone(), any::<bool>()).prop_map(|(a, m)| Act::Mute(a, m)),
            (leg.clone(), 0u32..50_000, 0usize..2_000, any::<bool>())
                .prop_map(|(a, r, l, b)| Act::Play(a, r, l, b)),
            leg.clone().prop_map(Act::Digits),
            (leg.clone(), proptest::option::of(0usize..5)).prop_map(|(a, b)| Act::Record(a, b)),
            leg.clone().prop_map(Act::Close),
            (leg, 0u8..4, 0u16..70).prop_map(|(a, c, p)| Act::Reopen(a, c, p)),
            (0u16..6).prop_map(Act::Unreachable),
            (1u64..300).prop_map(Act::Wait),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Whatever comes in whatever order: no panic, and a node that is emptied is empty.
        #[test]
        fn no_order_of_things_breaks_a_node(acts in proptest::collection::vec(act(), 1..80)) {
            let mut ids = IdSource::from_u64(1);
            let mut node = Node::new(NodeConfig::default());
            let mix: MixId = ids.next(t(0));
            let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
            let mut legs: Vec<LegId> = (0..5)
                .map(|n| open(&mut node, &mut ids, n, plan(codecs[n as usize % 4], n)))
                .collect();
            let mut ms = 0u64;
            for a in acts {
                let now = t(ms);
                match a {
                    Act::Bytes(n, r, mut b) => node.receive(now, local(n), r, phone(n), &mut b),
                    Act::Rtp(n, pt, s, ts, b) => {
                        node.receive(now, local(n), false, phone(n), &mut packet(pt, s, ts, 5, &b));
                    }
                    Act::Hear(l, from, m) => {
                        let hears = Hears { mix: m.then_some(mix), legs: from.iter().map(|f| legs[*f]).collect() };
                        node.command(now, MediaCommand::Hear { leg: legs[l], hears });
                    }
                    Act::Speak(l, m) => node.command(now, MediaCommand::Speak { leg: legs[l], into: m.then_some(mix) }),
                    Act::Mute(l, muted) => node.command(now, MediaCommand::Mute { leg: legs[l], muted }),
                    Act::Play(l, rate_hz, len, repeat) => {
                        let playback = Playback {
                            id: ids.next(now),
                            sounds: vec![Samples { rate_hz, data: vec![9; len].into() }; 2],
                            repeat,
                            barge_in: repeat,
                            mix_with_call: len % 2 == 0,
                        };
                        node.command(now, MediaCommand::Play { leg: legs[l], playback });
                    }
                    Act::Digits(l) => node.command(now, MediaCommand::SendDigits { leg: legs[l], digits: "1#".into() }),
                    Act::Record(l, r) => node.command(now, MediaCommand::Record {
                        recording: ids.next(now),
                        left: legs[l],
                        right: r.map(|r| legs[r]),
                        path: "p".into(),
                    }),
                    Act::Close(l) => node.command(now, MediaCommand::Close { leg: legs[l] }),
                    Act::Reopen(l, c, ptime) => {
                        let mut p = plan(codecs[usize::from(c)], l as u16);
                        p.ptime_ms = ptime;
                        legs[l] = open(&mut node, &mut ids, l as u16, p);
                    }
                    Act::Unreachable(n) => node.unreachable(now, local(n)),
                    Act::Wait(w) => {
                        for _ in 0..w / 5 {
                            ms += 5;
                            node.tick(t(ms));
                        }
                    }
                }
                drain(&mut node);
            }
            for leg in &legs {
                node.command(t(ms), MediaCommand::Close { leg: *leg });
            }
            drain(&mut node);
            prop_assert_eq!(node.leg_count(), 0);
            prop_assert!(node.heard_by.is_empty() && node.mix_by_id.is_empty() && node.recordings.is_empty());
            prop_assert!(node.phases.iter().all(|p| p.is_empty()));
            prop_assert_eq!(node.next_timeout(), None);
        }
    }
}

#[test]
fn a_node_moves_to_its_worker_thread() {
    fn movable<T: Send>() {}
    movable::<Node>();
}

/// A parked party whose music was stopped at once, or before it began, hears who picks it up.
#[test]
fn who_picks_up_a_parked_call_is_heard() {
    let music = [(false, 0), (false, 130), (true, 0), (true, 10), (true, 130)];
    let seqs = [60_000, 65_003, 65_030, 100, 30_000];
    for ((music, gap_ms), seq) in music
        .into_iter()
        .flat_map(|m| seqs.into_iter().map(move |s| (m, s)))
    {
        let mut w = World::new();
        let a = w.phone(Codec::Pcmu);
        let b = w.phone(Codec::Pcmu);
        w.bridge(a, b);
        w.sings(a, 1_000.0);
        w.sings(b, 600.0);
        w.run(400);
        w.hear(a, &[], None);
        w.hear(b, &[], None);
        let leg = w.leg(b);
        w.command(MediaCommand::Close { leg });
        let samples = crate::music::samples();
        let playing = music.then(|| play(&mut w, a, vec![samples], |p| p.repeat = true));
        w.run(gap_ms);
        let c = w.phone(Codec::Pcmu);
        // Sequence numbers start anywhere: below those of the one whose slot the newcomer took.
        w.phones[c].seq = seq;
        w.hear(a, &[c], None);
        w.hear(c, &[a], None);
        if let Some(playback) = playing {
            let leg = w.leg(a);
            w.command(MediaCommand::Stop { leg, playback });
        }
        w.sings(c, 2_000.0);
        let before = w.phones[a].heard.len();
        w.run(1_000);
        let new = w.phones[a].heard[before..].to_vec();
        assert!(
            new.len() > 6_000,
            "music {music}, gap {gap_ms} ms, seq {seq}: {} samples",
            new.len()
        );
        w.assert_continuous(a);
    }
}
