//! What a listener hears and sees: the page's own tests (S3.6 rule 10), and what a frame sounds like.

use super::*;
use cp_vocab::id::TypedId;
use cp_vocab::{LegId, Timestamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn leg(n: u128) -> LegId {
    LegId::from_u128(n)
}

fn two() -> Room {
    let mut room = Room::default();
    room.seat(leg(1), Seat::new(-0.7, 0.4));
    room.seat(leg(2), Seat::new(0.7, 0.4));
    room
}

/// A left, B right; A is clicked: A nearer, B moves too; after the time A goes back outward.
#[test]
fn the_selected_one_comes_near_for_a_time_and_the_other_moves() {
    let mut room = two();
    let (a, b) = (room.place_of(leg(1)), room.place_of(leg(2)));
    assert!(a.azimuth_deg < 0.0 && b.azimuth_deg > 0.0);
    room.select(NOW, leg(1), NEAR_FOR);
    let (near, other) = (room.place_of(leg(1)), room.place_of(leg(2)));
    assert!(near.distance < a.distance && near.gain_db > a.gain_db);
    assert!(other != b && other.distance > b.distance);
    assert!(near.gain_db - other.gain_db >= 6.0, "{near:?} {other:?}");
    assert!(near.azimuth_deg < 0.0, "it stays on its side");
    assert_eq!(room.next_timeout(), Some(NOW + NEAR_FOR));
    room.timeout(NOW);
    assert_eq!(room.place_of(leg(1)), near, "not before its time");
    room.timeout(NOW + NEAR_FOR);
    assert_eq!((room.place_of(leg(1)), room.place_of(leg(2))), (a, b));
    assert_eq!(room.next_timeout(), None);
}

#[test]
fn selecting_another_takes_the_place_of_the_first_and_who_leaves_is_forgotten() {
    let mut room = two();
    room.select(NOW, leg(1), NEAR_FOR);
    room.select(NOW, leg(2), NEAR_FOR);
    assert!(room.place_of(leg(2)).gain_db > room.place_of(leg(1)).gain_db);
    room.leave(leg(2));
    assert_eq!(room.next_timeout(), None);
    room.select(NOW, leg(9), NEAR_FOR);
    assert_eq!(room.next_timeout(), None, "nobody there to be selected");
}

#[test]
fn ones_own_picture_close_to_another_whispers_to_it() {
    let room = two();
    assert_eq!(room.whispers_to(Seat::new(0.0, 0.4)), None);
    assert_eq!(
        room.whispers_to(Seat::new(0.7 - WHISPER_DISTANCE + 0.01, 0.4)),
        Some(leg(2))
    );
    assert_eq!(room.whispers_to(Seat::new(-0.7, 0.45)), Some(leg(1)));
}

#[test]
fn a_half_circle_goes_from_left_to_right() {
    let mut room = Room::default();
    let legs: Vec<LegId> = (1..=5).map(leg).collect();
    room.arrange(&legs);
    let azimuths: Vec<i32> = legs
        .iter()
        .map(|l| room.place_of(*l).azimuth_deg.round() as i32)
        .collect();
    assert_eq!(azimuths, [-49, -27, 0, 27, 49]);
}

#[test]
fn content_makes_the_room() {
    assert_eq!(acoustics(Category::Whisper).wet, 0.0);
    assert!(acoustics(Category::Music).decay_ms > acoustics(Category::Speech).decay_ms);
}

proptest! {
    /// Further to the right on the screen is further to the right in the ear.
    #[test]
    fn azimuth_is_monotone(x in -1f32..0.98, step in 0.01f32..0.5, y in 0f32..=1.0) {
        let (a, b) = (Seat::new(x, y), Seat::new(x + step, y));
        prop_assert!(azimuth_deg(a) < azimuth_deg(b));
    }

    #[test]
    fn whoever_is_selected_is_six_decibels_louder_and_all_return(
        seats in proptest::collection::vec((-1f32..=1.0, 0f32..=1.0), 2..12), pick in 0usize..12,
    ) {
        let mut room = Room::default();
        for (i, (x, y)) in seats.iter().enumerate() {
            room.seat(leg(i as u128), Seat::new(*x, *y));
        }
        let all: Vec<LegId> = (0..seats.len() as u128).map(leg).collect();
        let home: Vec<Place> = all.iter().map(|l| room.place_of(*l)).collect();
        let selected = all[pick % all.len()];
        room.select(NOW, selected, NEAR_FOR);
        let near = room.place_of(selected);
        for l in all.iter().filter(|l| **l != selected) {
            prop_assert!(near.gain_db - room.place_of(*l).gain_db >= 6.0);
        }
        room.timeout(NOW + NEAR_FOR);
        let back: Vec<Place> = all.iter().map(|l| room.place_of(*l)).collect();
        prop_assert_eq!(home, back);
    }

    /// Whatever is said of a seat, it is in the room.
    #[test]
    fn seats_stay_in_the_room(x in proptest::num::f32::ANY, y in proptest::num::f32::ANY) {
        let s = Seat::new(x, y);
        prop_assert!((-1.0..=1.0).contains(&s.x) && (0.0..=1.0).contains(&s.y));
    }
}

fn tone(hz: f32, from: usize) -> Vec<i16> {
    let at = |i: usize| (from + i) as f32 / 48_000.0 * hz * std::f32::consts::TAU;
    (0..FRAME_SAMPLES)
        .map(|i| (at(i).sin() * 8_000.0) as i16)
        .collect()
}

fn heard(renderer: &mut Renderer, frame: &[i16], place: Place) -> (Vec<i16>, Vec<i16>) {
    let mut out = vec![0i16; FRAME_SAMPLES * 2];
    let source = Source {
        leg: leg(1),
        frame,
        place,
    };
    renderer.render(&[source], &mut out);
    (
        out.iter().step_by(2).copied().collect(),
        out.iter().skip(1).step_by(2).copied().collect(),
    )
}

fn level_db(ear: &[i16]) -> f32 {
    let sum: f64 = ear.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    (10.0 * (sum / ear.len() as f64).max(1.0).log10()) as f32
}

/// By how many samples the right ear hears later than the left.
fn lag(left: &[i16], right: &[i16]) -> i32 {
    let score = |by: i32| -> f64 {
        (64..FRAME_SAMPLES as i32 - 64)
            .map(|i| f64::from(left[i as usize]) * f64::from(right[(i + by) as usize]))
            .sum()
    };
    (-40..=40)
        .max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .unwrap()
}

fn noise() -> Vec<i16> {
    let mut seed = 1u32;
    (0..FRAME_SAMPLES)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 16) as i16) / 4
        })
        .collect()
}

/// Golden: level of each ear in dB below the source, and the delay, over the half circle.
#[test]
fn what_both_ears_get_of_each_direction() {
    let noise = noise();
    let source = level_db(&noise);
    let got: Vec<(i32, i32, i32, i32)> = [-90i32, -45, 0, 45, 90]
        .into_iter()
        .map(|azimuth| {
            let place = Place {
                azimuth_deg: azimuth as f32,
                distance: 1.0,
                gain_db: 0.0,
            };
            let mut renderer = Renderer::default();
            heard(&mut renderer, &noise, place);
            let (l, r) = heard(&mut renderer, &noise, place);
            let below = |ear: &[i16]| (level_db(ear) - source).round().max(-60.0) as i32;
            let lag = if azimuth.abs() == 90 { 0 } else { lag(&l, &r) };
            (azimuth, below(&l), below(&r), lag)
        })
        .collect();
    assert_eq!(
        got,
        [
            (-90, 0, -60, 0),
            (-45, -1, -12, 18),
            (0, -3, -3, 0),
            (45, -12, -1, -18),
            (90, -60, 0, 0)
        ]
    );
}

#[test]
fn the_power_stays_while_a_voice_moves_and_nothing_clicks() {
    let mut renderer = Renderer::default();
    let mut last = None;
    for i in 0..40usize {
        let azimuth_deg = (i as f32 - 20.0) * 4.0;
        let place = Place {
            azimuth_deg,
            distance: 1.0,
            gain_db: 0.0,
        };
        let frame = tone(300.0, i * FRAME_SAMPLES);
        let (l, r) = heard(&mut renderer, &frame, place);
        let power = 10f32.powf(level_db(&l) / 10.0) + 10f32.powf(level_db(&r) / 10.0);
        let change = 10.0 * power.log10() - level_db(&frame);
        assert!(change.abs() < 0.8, "{azimuth_deg}: {change} dB");
        for ear in [&l, &r] {
            let step = ear
                .windows(2)
                .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
                .max();
            assert!(step < Some(900), "{azimuth_deg}: a step of {step:?}");
        }
        if let Some((ll, lr)) = last.replace((l[FRAME_SAMPLES - 1], r[FRAME_SAMPLES - 1])) {
            let seam = (i32::from(l[0]) - i32::from(ll)).abs();
            let other = (i32::from(r[0]) - i32::from(lr)).abs();
            assert!(seam.max(other) < 900, "between frames at {azimuth_deg}");
        }
    }
}

#[test]
fn a_crowd_is_loud_but_not_broken() {
    let frame = vec![30_000i16; FRAME_SAMPLES];
    let sources: Vec<Source<'_>> = (0..40)
        .map(|n| Source {
            leg: leg(n),
            frame: &frame,
            place: Place {
                azimuth_deg: 0.0,
                distance: 1.0,
                gain_db: 0.0,
            },
        })
        .collect();
    let mut out = vec![0i16; FRAME_SAMPLES * 2];
    Renderer::default().render(&sources, &mut out);
    assert!(out.iter().all(|s| *s > 30_000));
    // Nobody speaks: silence, and nothing is remembered.
    let mut renderer = Renderer::default();
    renderer.render(&sources, &mut out);
    renderer.render(&[], &mut out);
    assert!(out.iter().all(|s| *s == 0));
}
