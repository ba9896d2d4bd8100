//! Commands to one leg: the agent's own, most of the time.

use super::{Nothing, add_command};
use crate::operation::{Api, post};
use crate::schema::vocabulary as published;
use cp_vocab::media::{SeatAt, SeatsAsk, Selected, Sound};
use cp_vocab::model::{Destination, DialTarget};
use cp_vocab::{Command, LegId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MuteInput {
    muted: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferInput {
    #[schema(value_type = published::Destination)]
    destination: Destination,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConsultInput {
    #[schema(value_type = published::DialTarget)]
    target: DialTarget,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ParkInput {
    /// A slot of your choice; a free one when left out.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 32)]
    slot: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlayInput {
    #[schema(value_type = Vec<published::Sound>, max_items = 20)]
    sounds: Vec<Sound>,
    /// A digit of the listener stops it.
    #[serde(default)]
    barge_in: bool,
    /// The call goes on below it.
    #[serde(default)]
    mix_with_call: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DigitsInput {
    /// 0 to 9, *, #, A to D.
    #[schema(min_length = 1, max_length = 64)]
    digits: String,
}

/// What the listener at a leg wants of the places of the voices it hears. What is left out stays.
#[derive(Serialize, Deserialize, ToSchema, Default)]
pub(crate) struct SeatsInput {
    /// Each voice on a track of its own (browsers): as many as it offered audio lines for.
    #[serde(default)]
    tracks: Option<bool>,
    /// Pictures moved by hand.
    #[serde(default)]
    #[schema(max_items = 64)]
    seats: Vec<SeatInput>,
    /// Whose voice comes near for a time; the others move.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    select: Option<LegId>,
    /// How long it stays near, in ms.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 60_000, default = 8_000)]
    near_ms: Option<u32>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SeatInput {
    #[schema(value_type = String)]
    leg: LegId,
    /// From -1 (left) to 1 (right).
    #[schema(minimum = -1, maximum = 1)]
    x: f32,
    /// From 0 (front) to 1 (back).
    #[schema(minimum = 0, maximum = 1)]
    y: f32,
}

/// How long a selected voice stays near unless it is said.
const NEAR_MS: u32 = 8_000;

impl From<SeatsInput> for SeatsAsk {
    fn from(input: SeatsInput) -> Self {
        // Out of the room stays out of the room: the engine refuses it.
        let part = |v: f32| (v * 1_000.0).clamp(-32_000.0, 32_000.0) as i16;
        let seat = |s: SeatInput| SeatAt {
            leg: s.leg,
            x: part(s.x),
            y: part(s.y),
        };
        Self {
            tracks: input.tracks,
            seats: input.seats.into_iter().map(seat).collect(),
            select: input.select.map(|leg| Selected {
                leg,
                near_ms: input.near_ms.unwrap_or(NEAR_MS),
            }),
        }
    }
}

pub(crate) fn add(api: &mut Api) {
    add_plain(api);
    let at = |path, id, summary| post(path, id, "Legs", summary);
    add_command(
        api,
        at("/v1/legs/{id}/mute", "muteLeg", "Mute or unmute"),
        |leg, b: MuteInput| Command::Mute {
            leg,
            muted: b.muted,
        },
    );
    let transfer = at(
        "/v1/legs/{id}/transfer",
        "transferLeg",
        "Leave, and send the other party there",
    );
    add_command(api, transfer, |leg, b: TransferInput| {
        Command::BlindTransfer {
            leg,
            target: b.destination,
        }
    });
    let consult = at(
        "/v1/legs/{id}/consult",
        "consult",
        "Hold the other party and ring a third one",
    );
    add_command(api, consult, |leg, b: ConsultInput| Command::Consult {
        leg,
        target: b.target,
    });
    let park = at(
        "/v1/legs/{id}/park",
        "parkLeg",
        "Put the other party where anybody may pick it up",
    );
    add_command(api, park, |leg, b: ParkInput| Command::Park {
        leg,
        slot: b.slot,
    });
    let play = at("/v1/legs/{id}/play", "playToLeg", "Play sounds to this leg");
    add_command(api, play, |leg, b: PlayInput| Command::Play {
        leg,
        sounds: b.sounds,
        barge_in: b.barge_in,
        mix_with_call: b.mix_with_call,
    });
    let seats = at(
        "/v1/legs/{id}/seats",
        "placeVoices",
        "Say where the voices this leg hears come from",
    );
    add_command(api, seats, |leg, b: SeatsInput| Command::Seats {
        leg,
        seats: b.into(),
    });
    let digits = at(
        "/v1/legs/{id}/digits",
        "sendDigits",
        "Send digits from this leg",
    );
    add_command(api, digits, |leg, b: DigitsInput| Command::SendDigits {
        leg,
        digits: b.digits,
    });
}

/// Those that need no body.
fn add_plain(api: &mut Api) {
    type Make = fn(LegId, Nothing) -> Command;
    let plain: [(&'static str, &'static str, &str, Make); 7] = [
        (
            "/v1/legs/{id}/hang-up",
            "hangUpLeg",
            "End this leg",
            |leg, _| Command::HangUpLeg { leg },
        ),
        (
            "/v1/legs/{id}/hold",
            "holdLeg",
            "Put the other parties on hold, with music",
            |leg, _| Command::Hold { leg },
        ),
        (
            "/v1/legs/{id}/resume",
            "resumeLeg",
            "Take them off hold",
            |leg, _| Command::Resume { leg },
        ),
        (
            "/v1/legs/{id}/complete",
            "completeTransfer",
            "Connect the held with the consulted party and leave",
            |leg, _| Command::CompleteTransfer { leg },
        ),
        (
            "/v1/legs/{id}/merge",
            "mergeLegs",
            "All three together",
            |leg, _| Command::Merge { leg },
        ),
        (
            "/v1/legs/{id}/cancel-consult",
            "cancelConsult",
            "Drop the consulted party and return",
            |leg, _| Command::CancelConsult { leg },
        ),
        (
            "/v1/legs/{id}/stop-playing",
            "stopPlaying",
            "Stop what plays to this leg",
            |leg, _| Command::StopPlaying { leg },
        ),
    ];
    for (path, id, summary, make) in plain {
        add_command(api, post(path, id, "Legs", summary), make);
    }
}
