//! What the phones hear.

use super::world::World;
use super::*;

#[test]
fn transcoding_carries_a_tone_between_all_codecs() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
    for a in codecs {
        for b in codecs.into_iter().filter(|b| *b != a) {
            let mut w = World::new();
            let (x, y) = (w.phone(a), w.phone(b));
            w.bridge(x, y);
            w.sings(x, 1_000.0);
            w.sings(y, 600.0);
            w.run(3_000);
            for (p, hz) in [(x, 600.0), (y, 1_000.0)] {
                let snr = w.phones[p].snr(hz, 1.0);
                assert!(snr > 18.0, "{a:?} to {b:?}, phone {p}: {snr} dB");
                let level = w.phones[p].level(hz);
                assert!((5_000.0..7_000.0).contains(&level), "{a:?} {b:?}: {level}");
                w.assert_continuous(p);
                assert!((145..=151).contains(&w.phones[p].received.len()));
            }
            assert_eq!(w.node.counters().relayed, 0);
        }
    }
}

#[test]
fn opus_may_run_at_full_band() {
    let mut w = World::with(NodeConfig {
        opus_rate_hz: 48_000,
        ..NodeConfig::default()
    });
    let (a, b) = (w.phone(Codec::Opus), w.phone(Codec::G722));
    w.bridge(a, b);
    w.sings(a, 1_000.0);
    w.sings(b, 3_000.0);
    w.run(2_000);
    assert!(w.phones[b].snr(1_000.0, 0.5) > 18.0);
    assert!(w.phones[a].snr(3_000.0, 0.5) > 18.0);
    w.assert_continuous(a);
}

#[test]
fn everyone_in_a_mix_hears_the_others_and_never_themselves() {
    let mut w = World::new();
    let mix: MixId = w.ids.next(t(0));
    let codecs = [
        Codec::Pcmu,
        Codec::Pcma,
        Codec::G722,
        Codec::Opus,
        Codec::Pcmu,
    ];
    let tones = [400.0, 600.0, 900.0, 1_300.0, 1_900.0];
    for (i, c) in codecs.into_iter().enumerate() {
        let p = w.phone(c);
        w.hear(p, &[], Some(mix));
        let leg = w.leg(p);
        w.command(MediaCommand::Speak {
            leg,
            into: Some(mix),
        });
        w.sings(p, tones[i]);
        w.phones[p].tone = Some((tones[i], 3_000.0));
    }
    // And one who only listens.
    let quiet = w.phone(Codec::Pcmu);
    w.hear(quiet, &[], Some(mix));
    w.run(4_000);
    for p in 0..6 {
        for (i, hz) in tones.into_iter().enumerate() {
            let level = w.phones[p].level(hz);
            if i == p {
                assert!(level < 60.0, "phone {p} hears itself: {level}");
            } else {
                assert!(
                    (2_600.0..3_400.0).contains(&level),
                    "phone {p}, {hz}: {level}"
                );
            }
        }
        w.assert_continuous(p);
    }
    // Muted: gone for all; unmuted: back.
    let leg = w.leg(2);
    w.command(MediaCommand::Mute { leg, muted: true });
    w.run(1_500);
    assert!(w.phones[0].level(900.0) < 30.0 && w.phones[0].level(600.0) > 2_600.0);
    w.command(MediaCommand::Mute { leg, muted: false });
    w.run(1_500);
    assert!(w.phones[0].level(900.0) > 2_600.0);
    // One leaves the mix.
    let leg = w.leg(1);
    w.command(MediaCommand::Speak { leg, into: None });
    w.command(MediaCommand::Hear {
        leg,
        hears: Hears::nobody(),
    });
    w.run(1_500);
    assert!(w.phones[0].level(600.0) < 30.0);
    w.command(MediaCommand::Close { leg });
    w.run(500);
    w.assert_continuous(0);
}

#[test]
fn a_silent_conference_still_sends() {
    let mut w = World::new();
    let mix: MixId = w.ids.next(t(0));
    for _ in 0..3 {
        let p = w.phone(Codec::Pcmu);
        w.hear(p, &[], Some(mix));
    }
    w.run(1_000);
    assert!(w.phones[1].received.len() >= 49);
    assert!(w.phones[1].heard.iter().all(|s| *s == 0));
}

#[test]
fn supervisor_matrix() {
    // customer 0, agent 1, supervisor 2
    let mut w = World::new();
    for hz in [500.0, 800.0, 1_200.0] {
        let p = w.phone(Codec::Pcmu);
        w.sings(p, hz);
    }
    let hears = |w: &World, p: usize, hz: f64| w.phones[p].level(hz) > 4_000.0;
    // (name, customer hears, agent hears, supervisor hears)
    type Step<'a> = (&'a str, &'a [usize], &'a [usize], &'a [usize]);
    let steps: [Step<'_>; 4] = [
        ("bridge", &[1], &[0], &[]),
        ("listen", &[1], &[0], &[0, 1]),
        ("whisper", &[1], &[0, 2], &[0, 1]),
        ("barge", &[1, 2], &[0, 2], &[0, 1]),
    ];
    for (name, c, a, s) in steps {
        for (p, sources) in [(0, c), (1, a), (2, s)] {
            w.hear(p, sources, None);
        }
        let relayed = w.node.counters().relayed;
        w.run(2_000);
        for (p, sources) in [(0, c), (1, a), (2, s)] {
            for (q, hz) in [500.0, 800.0, 1_200.0].into_iter().enumerate() {
                if p == 2 && s.is_empty() {
                    continue;
                }
                assert_eq!(
                    hears(&w, p, hz),
                    sources.contains(&q),
                    "{name}: {p} hears {q}"
                );
            }
            w.assert_continuous(p);
        }
        let relayed = w.node.counters().relayed - relayed;
        // Bridge and listen keep both directions on the fast path, whisper one.
        let expected = match name {
            "bridge" | "listen" => 200,
            "whisper" => 100,
            _ => 0,
        };
        assert_eq!(relayed, expected, "{name}");
    }
}

#[test]
fn an_echo_test_gives_back_what_was_said() {
    let mut w = World::new();
    let a = w.phone(Codec::G722);
    w.hear(a, &[a], None);
    w.sings(a, 700.0);
    w.run(1_500);
    assert!(w.phones[a].snr(700.0, 0.3) > 18.0);
    assert!(w.node.counters().relayed >= 74);
    // With an announcement over it, which takes the way through the decoder.
    let leg = w.leg(a);
    let playback = cp_vocab::media::Playback {
        id: w.ids.next(t(0)),
        sounds: vec![crate::tones::silence(3_000)],
        repeat: false,
        barge_in: false,
        mix_with_call: true,
    };
    w.command(MediaCommand::Play { leg, playback });
    w.run(2_000);
    assert!((1_200.0..1_800.0).contains(&w.phones[a].level(700.0)));
    w.run(2_500);
    assert!(w.phones[a].level(700.0) > 5_000.0);
    w.assert_continuous(a);
    w.command(MediaCommand::Close { leg });
    assert_eq!(w.node.leg_count(), 0);
}

#[test]
fn packets_have_the_agreed_length() {
    for (codec, ptime, bytes, units) in [
        (Codec::Pcmu, 10, 80, 80),
        (Codec::Pcmu, 30, 240, 240),
        (Codec::Pcma, 40, 320, 320),
        (Codec::G722, 10, 80, 80),
        (Codec::G722, 30, 240, 240),
        (Codec::Opus, 40, 0, 1_920),
        (Codec::Opus, 10, 0, 480),
        (Codec::Opus, 30, 0, 960),
    ] {
        let mut w = World::new();
        let mut p = plan(codec, 0);
        p.ptime_ms = ptime;
        let x = w.phone_with(p);
        let y = w.phone(if codec == Codec::Pcma {
            Codec::Pcmu
        } else {
            Codec::Pcma
        });
        w.bridge(x, y);
        w.sings(y, 1_000.0);
        w.run(2_000);
        let got = &w.phones[x].received;
        for pair in got.windows(2) {
            assert_eq!(pair[1].1.timestamp.wrapping_sub(pair[0].1.timestamp), units);
        }
        if bytes > 0 {
            assert!(got.iter().all(|r| r.2.len() == bytes), "{codec:?} {ptime}");
        }
        let snr = w.phones[x].snr(1_000.0, 0.5);
        assert!(snr > 18.0, "{codec:?} {ptime}: {snr}");
    }
}

#[test]
fn a_muted_leg_leaves_silence_on_the_line() {
    let mut w = World::new();
    let (a, b) = (w.phone(Codec::Pcmu), w.phone(Codec::Pcmu));
    w.bridge(a, b);
    w.sings(a, 1_000.0);
    w.run(1_000);
    let leg = w.leg(a);
    w.command(MediaCommand::Mute { leg, muted: true });
    w.run(1_200);
    assert!(w.phones[b].level(1_000.0) < 1.0);
    let got = w.phones[b].received.len();
    assert!(got >= 108, "{got}");
    w.command(MediaCommand::Mute { leg, muted: false });
    w.run(1_500);
    assert!(w.phones[b].level(1_000.0) > 5_000.0);
    w.assert_continuous(b);
}

#[test]
fn comfort_noise_replaces_silence_when_agreed() {
    let mut w = World::new();
    let mut p = plan(Codec::Pcmu, 0);
    p.comfort_noise = true;
    let x = w.phone_with(p);
    let y = w.phone(Codec::Pcma);
    w.bridge(x, y);
    w.run(100);
    w.sings(y, 700.0);
    w.run(2_000);
    let leg = w.leg(y);
    w.command(MediaCommand::Mute { leg, muted: true });
    w.phones[x].received.clear();
    w.run(3_000);
    let noise = w.phones[x]
        .received
        .iter()
        .filter(|r| r.1.payload_type == 13)
        .count();
    let audio = w.phones[x]
        .received
        .iter()
        .filter(|r| r.1.payload_type == 0)
        .count();
    assert!((4..8).contains(&noise) && audio <= 12, "{noise} {audio}");
    w.command(MediaCommand::Mute { leg, muted: false });
    w.run(1_000);
    // The timestamps went on while nothing was sent.
    let first = w.phones[x]
        .received
        .iter()
        .find(|r| r.1.payload_type == 0)
        .unwrap();
    let last = w.phones[x].received.last().unwrap();
    let units = last.1.timestamp.wrapping_sub(first.1.timestamp);
    let passed = (last.0 - first.0) * 8;
    assert!(
        (i64::from(units) - passed as i64).abs() <= 200,
        "{units} {passed}"
    );
    w.assert_continuous(x);
}
