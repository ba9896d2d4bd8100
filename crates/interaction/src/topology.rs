//! Who hears whom, and which background each leg has: pure functions of the state.
//!
//! The machine computes both after every input and sends only what changed, so that no operation
//! has media steps of its own to forget.

use crate::state::{Leg, Room, State};
use cp_vocab::command::SuperviseMode;
use cp_vocab::event::LegRole;
use cp_vocab::media::{Hears, Tone};
use cp_vocab::*;
use smallvec::SmallVec;

/// What a leg hears and where its voice goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Path {
    pub hears: Hears,
    pub speaks: Option<MixId>,
}

/// What plays to a leg that hears nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ambient {
    None,
    /// Hold or queue music.
    Music,
    Tone(Tone),
}

/// The mix of one interaction, and of one conference room: their own 128 bits, so that no table is needed.
pub fn mix_of(interaction: InteractionId) -> MixId {
    MixId::from_u128(interaction.as_u128())
}
pub fn mix_of_conference(conference: ConferenceId) -> MixId {
    MixId::from_u128(conference.as_u128())
}

/// Legs that are talking now: in the talk room, answered, not held, not away in a consultation.
fn conversation(state: &State) -> SmallVec<[&Leg; 4]> {
    let away = state.consult.as_ref().map(|c| c.by);
    state
        .talkers()
        .filter(|l| !l.held && !l.holding && Some(l.id) != away)
        .collect()
}

/// The path of one live leg.
pub fn path(state: &State, leg: &Leg) -> Path {
    if let Room::Conference(c) = leg.room {
        let mix = mix_of_conference(c);
        return Path {
            hears: Hears::mix(mix),
            speaks: Some(mix),
        };
    }
    if let Some(c) = &state.consult {
        let other = if c.by == leg.id {
            Some(c.leg)
        } else if c.leg == leg.id {
            Some(c.by)
        } else {
            None
        };
        if let Some(o) = other {
            return match state.leg(o) {
                Some(l) if (l.is_answered() || l.early_media) && !l.holding => {
                    heard(Hears::leg(o), None)
                }
                _ => Path::default(),
            };
        }
    }
    // Before the answer: the caller hears the early media of the one that rings for it.
    if !in_conversation(state, leg) {
        return early_path(state, leg);
    }
    let talk = conversation(state);
    match leg.supervise {
        Some(SuperviseMode::Listen | SuperviseMode::Whisper) => listener_path(state, &talk),
        _ => talker_path(state, leg, &talk),
    }
}

fn in_conversation(state: &State, leg: &Leg) -> bool {
    if !leg.is_answered() || leg.room != Room::Talk {
        return false;
    }
    leg.supervise.is_some() || conversation(state).iter().any(|l| l.id == leg.id)
}

fn heard(hears: Hears, speaks: Option<MixId>) -> Path {
    Path { hears, speaks }
}

fn early_path(state: &State, leg: &Leg) -> Path {
    let early = state.legs.iter().find(|l| {
        l.is_live()
            && !l.is_answered()
            && l.early_media
            && l.id != leg.id
            && !matches!(l.role, LegRole::Consulted)
    });
    match early {
        Some(e)
            if !leg.held
                && leg.supervise.is_none()
                && matches!(leg.room, Room::Alone | Room::Talk) =>
        {
            heard(Hears::leg(e.id), None)
        }
        _ => Path::default(),
    }
}

fn talker_path(state: &State, leg: &Leg, talk: &[&Leg]) -> Path {
    let mut hears = if talk.len() > 2 {
        Hears::mix(mix_of(state.id))
    } else {
        talk.iter()
            .find(|l| l.id != leg.id)
            .map(|l| Hears::leg(l.id))
            .unwrap_or_default()
    };
    // A whisper reaches the agent alone.
    if leg.role == LegRole::Agent && leg.supervise.is_none() {
        let whisperers = state
            .legs
            .iter()
            .filter(|l| l.is_answered() && l.supervise == Some(SuperviseMode::Whisper))
            .map(|l| l.id);
        hears.legs.extend(whisperers);
    }
    heard(hears, (talk.len() > 2).then(|| mix_of(state.id)))
}

fn listener_path(state: &State, talk: &[&Leg]) -> Path {
    let hears = if talk.len() > 2 {
        Hears::mix(mix_of(state.id))
    } else {
        Hears {
            mix: None,
            legs: talk.iter().map(|l| l.id).collect(),
        }
    };
    heard(hears, None)
}

/// What plays to a leg beneath prompts. `ringing_for`: somebody is being rung for this leg.
pub fn ambient(state: &State, leg: &Leg) -> Ambient {
    if !leg.is_answered() || leg.supervise.is_some() {
        return Ambient::None;
    }
    match &leg.room {
        Room::Conference(_) => Ambient::None,
        Room::Parked(_) => Ambient::Music,
        Room::Talk => talk_ambient(state, leg),
        Room::Alone => {
            if leg.role == LegRole::Consulted {
                return Ambient::None;
            }
            if state.waiting.is_some() && state.waiting_party().map(|l| l.id) == Some(leg.id) {
                return Ambient::Music;
            }
            ringing_ambient(state, leg)
        }
    }
}

fn ringing_ambient(state: &State, leg: &Leg) -> Ambient {
    let rung = state.legs.iter().any(|l| {
        l.id != leg.id
            && l.is_live()
            && !l.is_answered()
            && !l.early_media
            && l.supervise.is_none()
            && l.direction == cp_vocab::event::Direction::Outbound
    });
    if rung {
        Ambient::Tone(Tone::Ringback)
    } else {
        Ambient::None
    }
}

fn talk_ambient(state: &State, leg: &Leg) -> Ambient {
    if let Some(c) = &state.consult
        && c.by == leg.id
    {
        return match state.leg(c.leg) {
            Some(l) if l.is_answered() || l.early_media => Ambient::None,
            _ => Ambient::Tone(Tone::Ringback),
        };
    }
    if leg.holding {
        return Ambient::None;
    }
    if leg.held {
        return Ambient::Music;
    }
    let others = state.talkers().filter(|l| l.id != leg.id);
    let mut any = false;
    let mut reachable = false;
    let away = state.consult.as_ref().map(|c| c.by);
    for l in others {
        any = true;
        reachable |= !l.held && !l.holding && Some(l.id) != away;
    }
    match (any, reachable) {
        (true, false) => {
            // The agent who put the others on hold hears nothing; whoever is left waiting hears music.
            let i_hold_them = state.talkers().any(|l| l.id != leg.id && l.held);
            if i_hold_them {
                Ambient::None
            } else {
                Ambient::Music
            }
        }
        (true, true) => Ambient::None,
        (false, _) => ringing_ambient(state, leg),
    }
}
