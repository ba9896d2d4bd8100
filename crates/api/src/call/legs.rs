//! Commands to one leg: the agent's own, most of the time.

use super::{Nothing, add_command};
use crate::operation::{Api, post};
use crate::schema::vocabulary as published;
use cp_vocab::media::Sound;
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
