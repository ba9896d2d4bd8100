use super::*;
use crate::codec::Encoder;
use crate::measure::{sine, tone_snr_db};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

struct Network {
    loss: f64,
    jitter_ms: u64,
}

/// Sends `seconds` of a tone over a bad network and returns what is heard and the counters.
fn hear(
    codec: Codec,
    network: &Network,
    seconds: u64,
    seed: u64,
) -> (Vec<i16>, PlayoutCounters, u32) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut chance = move || f64::from(rng.next_u32()) / f64::from(u32::MAX);
    let rate = crate::codec::working_rate_hz(codec, 16_000);
    let frame = rate as usize / 50;
    let units = codec.clock_hz() / 50;
    let frames = seconds * 50;
    let tone = sine(250.0, 8_000.0, rate, frame * frames as usize);
    let mut encoder = Encoder::new(codec, 16_000).unwrap();
    let mut arrivals = Vec::new();
    for (i, f) in tone.chunks(frame).enumerate() {
        let mut bytes = Vec::new();
        encoder.encode(f, &mut bytes).unwrap();
        if chance() < network.loss {
            continue;
        }
        let at = i as u64 * 20_000 + (chance() * network.jitter_ms as f64 * 1_000.0) as u64;
        arrivals.push((at, i as u32, bytes));
    }
    arrivals.sort_by_key(|a| a.0);
    let mut playout = Playout::new(codec, 16_000, 1).unwrap();
    let mut heard = Vec::new();
    let mut out = Vec::new();
    let mut arrivals = arrivals.into_iter().peekable();
    for tick in 0..frames {
        let now = tick * 20_000 + 7_000;
        while let Some((at, i, bytes)) = arrivals.next_if(|a| a.0 <= now) {
            let timestamp = 4_294_960_000u32.wrapping_add(i * units);
            let at = Timestamp(1_000_000_000 + at);
            playout.insert(at, 0, 70_000 + i, timestamp, Content::Audio, &bytes);
        }
        playout.frame(Timestamp(1_000_000_000 + now), &mut out);
        assert_eq!(out.len(), frame);
        heard.extend_from_slice(&out);
    }
    (heard, playout.counters(), playout.target_ms())
}

const CODECS: [Codec; 3] = [Codec::Pcmu, Codec::G722, Codec::Opus];

#[test]
fn a_clean_stream_is_heard_whole_with_little_delay() {
    for codec in CODECS {
        let n = Network {
            loss: 0.0,
            jitter_ms: 0,
        };
        let (heard, c, target) = hear(codec, &n, 10, 1);
        let rate = heard.len() as u32 / 10;
        assert!(target <= 15, "{codec:?}: {target} ms");
        assert_eq!((c.concealed, c.late, c.shrunk), (0, 0, 0), "{codec:?}");
        let snr = tone_snr_db(&heard[rate as usize / 2..], 250.0, rate);
        assert!(snr > 25.0, "{codec:?}: {snr}");
    }
}

#[test]
fn loss_is_concealed() {
    for codec in CODECS {
        for (loss, floor) in [(0.05, 11.0), (0.10, 8.0)] {
            let n = Network { loss, jitter_ms: 0 };
            let (heard, c, _) = hear(codec, &n, 20, 7);
            let rate = heard.len() as u32 / 20;
            // The tone must stand above all disturbance in nearly every tenth of a second.
            let blocks: Vec<f64> = heard[rate as usize..]
                .chunks_exact(rate as usize / 10)
                .map(|b| tone_snr_db(b, 250.0, rate))
                .collect();
            let mean = blocks.iter().sum::<f64>() / blocks.len() as f64;
            assert!(mean > floor, "{codec:?} at {loss}: {mean} dB");
            let expected = 1_000.0 * loss;
            assert!((c.concealed as f64) < expected * 1.6, "{codec:?} {c:?}");
        }
    }
}

#[test]
fn jitter_and_reordering_are_smoothed_out() {
    for jitter_ms in [10, 30, 60, 100] {
        let n = Network {
            loss: 0.0,
            jitter_ms,
        };
        let (heard, c, target) = hear(Codec::Pcmu, &n, 30, 3);
        assert!(
            (jitter_ms as f64 * 0.8..jitter_ms as f64 * 1.3 + 15.0).contains(&f64::from(target)),
            "{jitter_ms} ms: target {target}"
        );
        assert!(c.late < 60, "{jitter_ms} ms: {c:?}");
        let tail = &heard[8_000 * 10..];
        let quiet = tail
            .chunks(160)
            .filter(|f| f.iter().all(|s| s.abs() < 500))
            .count();
        assert!(quiet < 10, "{jitter_ms} ms: {quiet} silent frames, {c:?}");
    }
}

#[test]
fn delay_comes_down_after_jitter_ends() {
    let mut p = Playout::new(Codec::Pcmu, 16_000, 1).unwrap();
    let mut out = Vec::new();
    let mut rng = StdRng::seed_from_u64(5);
    let mut pending: Vec<(u64, u32)> = Vec::new();
    let mut shrunk_before = 0;
    for i in 0..3_000u64 {
        let now = i * 20_000;
        let late = if i < 500 {
            u64::from(rng.next_u32() % 100_000)
        } else {
            0
        };
        pending.push((now + late, i as u32));
        pending.sort_unstable();
        while let Some(&(at, n)) = pending.first() {
            if at > now + 10_000 {
                break;
            }
            pending.remove(0);
            p.insert(
                Timestamp(1_000_000 + at),
                0,
                70_000 + n,
                n * 160,
                Content::Audio,
                &[0x55; 160],
            );
        }
        p.frame(Timestamp(1_000_000 + now + 10_000), &mut out);
        if i == 1_500 {
            shrunk_before = p.counters().shrunk;
        }
    }
    assert!(p.target_ms() <= 15, "{}", p.target_ms());
    assert!(p.counters().shrunk > 2, "{:?}", p.counters());
    // And then it stays calm.
    assert!(
        p.counters().shrunk - shrunk_before < 8,
        "{:?}",
        p.counters()
    );
}

#[test]
fn pauses_floods_and_restarts_are_bounded() {
    let mut p = Playout::new(Codec::Pcmu, 16_000, 1).unwrap();
    let mut out = Vec::new();
    let t = |ms: u64| Timestamp::from_millis(1_000 + ms);
    // A burst of 500 packets at once.
    for i in 0..500u32 {
        p.insert(t(0), 0, 70_000 + i, i * 160, Content::Audio, &[1; 160]);
    }
    assert!(p.counters().overflowed >= 400);
    for i in 0..200 {
        p.frame(t(i * 20), &mut out);
    }
    assert!(out.iter().all(|s| *s == 0), "starved streams fall silent");
    // A new SSRC with other numbers plays at once.
    for i in 0..50u32 {
        let at = 4_000 + u64::from(i) * 20;
        p.insert(
            t(at),
            1,
            900_000 + i,
            5 + i * 160,
            Content::Audio,
            &[1; 160],
        );
        p.frame(t(at + 10), &mut out);
    }
    assert!(out.iter().any(|s| *s != 0));
    // Comfort noise fills the pause after it.
    p.insert(t(5_010), 1, 900_050, 5 + 50 * 160, Content::Noise, &[50]);
    for i in 0..20u64 {
        p.frame(t(5_020 + i * 20), &mut out);
    }
    let peak = out.iter().map(|s| s.abs()).max().unwrap();
    assert!((20..500).contains(&peak), "{peak}");
    // Speech after the pause comes back.
    for i in 0..10u32 {
        let at = 5_420 + u64::from(i) * 20;
        p.insert(
            t(at),
            1,
            900_051 + i,
            5 + (70 + i) * 160,
            Content::Audio,
            &[1; 160],
        );
        p.frame(t(at + 10), &mut out);
    }
    assert!(out.iter().all(|s| s.abs() > 10_000), "{:?}", &out[..8]);
}

#[test]
fn packets_of_other_lengths_are_taken() {
    for (ms, units) in [(10u64, 80usize), (30, 240), (40, 320)] {
        let mut p = Playout::new(Codec::Pcmu, 16_000, 1).unwrap();
        let tone = sine(500.0, 8_000.0, 8_000, 8_000 * 4);
        let mut bytes = Vec::new();
        Encoder::new(Codec::Pcmu, 16_000)
            .unwrap()
            .encode(&tone, &mut bytes)
            .unwrap();
        let mut packets = bytes.chunks_exact(units).enumerate().peekable();
        let (mut out, mut heard) = (Vec::new(), Vec::new());
        for tick in 0..180u64 {
            let now = tick * 20;
            while let Some((i, b)) = packets.next_if(|(i, _)| *i as u64 * ms <= now) {
                p.insert(
                    Timestamp::from_millis(1_000 + i as u64 * ms),
                    0,
                    70_000 + i as u32,
                    (i * units) as u32,
                    Content::Audio,
                    b,
                );
            }
            p.frame(Timestamp::from_millis(1_005 + now), &mut out);
            heard.extend_from_slice(&out);
        }
        let snr = tone_snr_db(&heard[4_000..], 500.0, 8_000);
        assert!(snr > 25.0, "{ms} ms: {snr} dB {:?}", p.counters());
    }
}
