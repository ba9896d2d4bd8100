//! Commands to a whole interaction.

use super::{Nothing, add_command};
use crate::operation::{Api, post};
use crate::schema::vocabulary as published;
use cp_vocab::model::DialTarget;
use cp_vocab::{Command, InteractionId, QueueId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QueueChoice {
    #[schema(value_type = published::QueueId)]
    queue: QueueId,
    /// In the new queue.
    #[serde(default)]
    #[schema(minimum = -1000, maximum = 1000)]
    priority: i32,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PriorityInput {
    #[schema(minimum = -1000, maximum = 1000)]
    priority: i32,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PartyInput {
    #[schema(value_type = published::DialTarget)]
    target: DialTarget,
}

pub(crate) fn add(api: &mut Api) {
    type Id = InteractionId;
    type Make = fn(Id, Nothing) -> Command;
    let at = |path, id, summary| post(path, id, "Interactions", summary);
    let plain: [(&'static str, &'static str, &str, Make); 5] = [
        (
            "/v1/interactions/{id}/hang-up",
            "hangUp",
            "End it for all",
            |interaction, _| Command::HangUp { interaction },
        ),
        (
            "/v1/interactions/{id}/recording/start",
            "startRecording",
            "Start recording",
            |interaction, _| Command::StartRecording { interaction },
        ),
        (
            "/v1/interactions/{id}/recording/pause",
            "pauseRecording",
            "Pause recording",
            |interaction, _| Command::PauseRecording { interaction },
        ),
        (
            "/v1/interactions/{id}/recording/resume",
            "resumeRecording",
            "Go on recording",
            |interaction, _| Command::ResumeRecording { interaction },
        ),
        (
            "/v1/interactions/{id}/recording/stop",
            "stopRecording",
            "Stop recording",
            |interaction, _| Command::StopRecording { interaction },
        ),
    ];
    for (path, id, summary, make) in plain {
        add_command(api, at(path, id, summary), make);
    }
    let report = at(
        "/v1/interactions/{id}/report-caller",
        "reportCaller",
        "Report the caller as abusive",
    );
    let report = report.describe(
        "From the next call on they are shown here without name and picture; elsewhere once three tenants have said so. Counts for 90 days.",
    );
    add_command(api, report, |interaction: Id, _: Nothing| {
        Command::ReportCaller { interaction }
    });
    add_with_body(api);
}

fn add_with_body(api: &mut Api) {
    type Id = InteractionId;
    let at = |path, id, summary| post(path, id, "Interactions", summary);
    add_command(
        api,
        at(
            "/v1/interactions/{id}/queue",
            "requeue",
            "Move a waiting interaction to another queue",
        ),
        |interaction: Id, b: QueueChoice| Command::Requeue {
            interaction,
            queue: b.queue,
            priority: b.priority,
        },
    );
    add_command(
        api,
        at(
            "/v1/interactions/{id}/priority",
            "setPriority",
            "Change its priority in the queue",
        ),
        |interaction: Id, b: PriorityInput| Command::SetPriority {
            interaction,
            priority: b.priority,
        },
    );
    add_command(
        api,
        at(
            "/v1/interactions/{id}/parties",
            "addParty",
            "Bring another party into the call",
        ),
        |interaction: Id, b: PartyInput| Command::AddParty {
            interaction,
            target: b.target,
        },
    );
}
