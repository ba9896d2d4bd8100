//! From pictures on a screen to directions and nearness: pure functions and one small state.

use cp_vocab::{LegId, Timestamp};
use std::time::Duration;

/// How long a selected one stays near when nothing else is said.
pub const NEAR_FOR: Duration = Duration::from_secs(8);
/// Pictures that seats are kept for; further ones sit at the back in the middle.
pub const SEATS_MAX: usize = 64;
/// One's own picture dragged this close to another speaks to that one (rule 7).
pub const WHISPER_DISTANCE: f32 = 0.22;
/// How far the others move aside, and back, when one is selected.
const ASIDE: f32 = 0.3;
const BACK: f32 = 0.5;
/// The listener sits this far before the front row.
const BEFORE_FRONT: f32 = 0.45;
/// Nearest that a voice may come, so that none is louder than one's own.
const DISTANCE_MIN: f32 = 0.3;
/// By how much at least the selected one is louder than each other, in dB.
const EMPHASIS_DB: f32 = 6.5;

/// A picture's place on the screen: `x` from -1 (left) to 1 (right), `y` from 0 (front) to 1 (back).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seat {
    pub x: f32,
    pub y: f32,
}

impl Seat {
    /// Inside the room, whatever was said.
    pub fn new(x: f32, y: f32) -> Self {
        let within = |v: f32, min: f32| {
            if v.is_finite() {
                v.clamp(min, 1.0)
            } else {
                0.0
            }
        };
        Self {
            x: within(x, -1.0),
            y: within(y, 0.0),
        }
    }
    fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Where a voice comes from, and how loud.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// -90 (left) … 0 (ahead) … 90 (right).
    pub azimuth_deg: f32,
    /// Distance in units of half the screen's width.
    pub distance: f32,
    pub gain_db: f32,
}

/// Direction of a seat as the listener hears it; grows with `x` at every `y`.
pub fn azimuth_deg(seat: Seat) -> f32 {
    seat.x.atan2(BEFORE_FRONT + seat.y).to_degrees()
}

/// Place of a seat nobody selected: quieter with distance, as in a room.
pub fn place(seat: Seat) -> Place {
    let distance = seat.x.hypot(BEFORE_FRONT + seat.y).max(DISTANCE_MIN);
    Place {
        azimuth_deg: azimuth_deg(seat),
        distance,
        // Half of what free field would do: a person at the back is still understood.
        gain_db: -10.0 * (distance / DISTANCE_MIN).log10(),
    }
}

/// What is talked about: the room sounds accordingly (rule 8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Category {
    Speech,
    Whisper,
    Presentation,
    Music,
}

/// Reverberation: how much, and how long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Acoustics {
    /// Share of the reverberated sound, 0 to 1.
    pub wet: f32,
    pub decay_ms: u32,
}

/// The room for a category of content.
pub fn acoustics(category: Category) -> Acoustics {
    let (wet, decay_ms) = match category {
        Category::Speech => (0.06, 180),
        Category::Whisper => (0.0, 0),
        Category::Presentation => (0.14, 450),
        Category::Music => (0.22, 900),
    };
    Acoustics { wet, decay_ms }
}

struct Member {
    leg: LegId,
    home: Seat,
    by_hand: bool,
}

/// Everybody's seats as one listener sees them.
#[derive(Default)]
pub struct Room {
    members: Vec<Member>,
    selected: Option<(LegId, Timestamp)>,
}

impl Room {
    /// Gives a picture its seat; the oldest seats stay when there are too many.
    pub fn seat(&mut self, leg: LegId, seat: Seat) {
        let full = self.members.len() >= SEATS_MAX;
        match self.members.iter_mut().find(|m| m.leg == leg) {
            Some(m) => (m.home, m.by_hand) = (seat, true),
            None if full => {}
            None => self.members.push(Member {
                leg,
                home: seat,
                by_hand: true,
            }),
        }
    }

    pub fn leave(&mut self, leg: LegId) {
        self.members.retain(|m| m.leg != leg);
        self.selected.take_if(|(s, _)| *s == leg);
    }

    /// Seats everybody in a half circle, first at the left, unless they were moved by hand. Who is not
    /// among them has left.
    pub fn arrange(&mut self, legs: &[LegId]) {
        self.members.retain(|m| legs.contains(&m.leg));
        self.selected.take_if(|(s, _)| !legs.contains(s));
        let n = legs.len().max(1) as f32;
        for (i, leg) in legs.iter().enumerate() {
            let angle = ((i as f32 + 0.5) / n - 0.5) * 150f32.to_radians();
            let home = Seat::new(angle.sin(), angle.cos() * 0.6);
            let full = self.members.len() >= SEATS_MAX;
            match self.members.iter_mut().find(|m| m.leg == *leg) {
                Some(m) if m.by_hand => {}
                Some(m) => m.home = home,
                None if full => {}
                None => self.members.push(Member {
                    leg: *leg,
                    home,
                    by_hand: false,
                }),
            }
        }
    }

    /// One picture is selected: it comes near, the others move aside, for a time.
    pub fn select(&mut self, now: Timestamp, leg: LegId, near_for: Duration) {
        if self.members.iter().any(|m| m.leg == leg) {
            self.selected = Some((leg, now + near_for));
        }
    }

    /// When the places change by themselves.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.selected.map(|(_, until)| until)
    }

    /// The time of [`Room::next_timeout`] has come: everybody is back where they were.
    pub fn timeout(&mut self, now: Timestamp) {
        self.selected.take_if(|(_, until)| *until <= now);
    }

    /// One's own picture was dragged to `own`: whom it is close enough to whisper to.
    pub fn whispers_to(&self, own: Seat) -> Option<LegId> {
        self.members
            .iter()
            .map(|m| (own.distance(m.home), m.leg))
            .filter(|(d, _)| *d <= WHISPER_DISTANCE)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, leg)| leg)
    }

    /// Where a picture is drawn now.
    pub fn seat_of(&self, leg: LegId) -> Seat {
        let home = |l: LegId| self.members.iter().find(|m| m.leg == l).map(|m| m.home);
        let own = home(leg).unwrap_or(Seat { x: 0.0, y: 1.0 });
        match self.selected.and_then(|(s, _)| Some((s, home(s)?))) {
            None => own,
            Some((s, at)) if s == leg => Seat::new(at.x * 0.5, 0.0),
            Some((_, at)) => {
                // Away from the selected one; from the same column, to the emptier side.
                let side = match own.x - at.x {
                    d if d.abs() < 1e-3 => -at.x.signum(),
                    d => d.signum(),
                };
                Seat::new(own.x + side * ASIDE, own.y + BACK)
            }
        }
    }

    /// Where a voice comes from now: it agrees with the picture.
    pub fn place_of(&self, leg: LegId) -> Place {
        let mut place = place(self.seat_of(leg));
        if let Some((selected, _)) = self.selected
            && selected != leg
        {
            let near = super::place(self.seat_of(selected)).gain_db;
            place.gain_db = place.gain_db.min(near - EMPHASIS_DB);
        }
        place
    }
}
