//! How long things are kept, and who is told of recordings.

use super::{change, patched, published, read, refuse};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Document, if_match};
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::HeaderMap;
use cp_vocab::dialling::is_country;
use cp_vocab::safety::{RecordingConsent, Retention, Safety};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::PrivacyRead];
const WRITE: &[Permission] = &[Permission::PrivacyWrite];

/// Days things are kept after an interaction ended; 0: for ever.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Retention)]
#[serde(deny_unknown_fields)]
struct RetentionInput {
    #[schema(maximum = 36500)]
    recordings_days: u32,
    /// Then numbers, names and words are taken out of the log; the rest stays.
    #[schema(maximum = 36500)]
    personal_days: u32,
    /// Then nothing of the interaction is left.
    #[schema(maximum = 36500)]
    events_days: u32,
    /// Nothing is deleted while it is set, whoever asks.
    #[schema(min_length = 3, max_length = 300)]
    legal_hold: Option<String>,
}

/// Who must know of a recording before it begins.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = RecordingConsent)]
#[serde(deny_unknown_fields)]
struct RecordingInput {
    policy: PolicyInput,
    /// Where your people are: `DE`, `US-CA`.
    #[schema(max_length = 5)]
    home: String,
    /// What is said; empty: a beep.
    #[schema(max_length = 500)]
    announcement: String,
}

/// `silent`: you see to consent by other means. `by_place`: the stricter of both places decides.
/// `announce`: everybody is told.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = RecordingPolicy)]
#[serde(rename_all = "snake_case")]
enum PolicyInput {
    Silent,
    ByPlace,
    Announce,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Privacy";
    api.add(
        operation::get(
            "/v1/retention",
            "getRetention",
            tag,
            "Read how long things are kept",
        )
        .needs(READ)
        .replies::<RetentionInput>(200, "Days"),
        get_retention,
    );
    api.add(
        operation::patch(
            "/v1/retention",
            "changeRetention",
            tag,
            "Change how long things are kept",
        )
        .needs(WRITE)
        .header("If-Match", "The `ETag` you read.")
        .merge_patch::<RetentionInput>()
        .replies::<RetentionInput>(200, "Changed"),
        patch_retention,
    );
    api.add(
        operation::get(
            "/v1/recording-consent",
            "getRecordingConsent",
            tag,
            "Read who is told of recordings",
        )
        .needs(READ)
        .replies::<RecordingInput>(200, "The policy"),
        get_recording,
    );
    api.add(
        operation::patch(
            "/v1/recording-consent",
            "changeRecordingConsent",
            tag,
            "Change who is told of recordings",
        )
        .needs(WRITE)
        .header("If-Match", "The `ETag` you read.")
        .merge_patch::<RecordingInput>()
        .replies::<RecordingInput>(200, "Changed"),
        patch_recording,
    );
}

fn retention(safety: &Safety) -> Value {
    published(&safety.retention, &[])
}
fn recording(safety: &Safety) -> Value {
    published(&safety.recording, &[])
}

async fn get_retention(State(state): State<ApiState>, caller: Caller) -> Reply {
    read(&state, &caller, retention).await
}

async fn patch_retention(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let expected = if_match(&headers)?;
    change(&state, caller, expected, retention, move |safety, _| {
        safety.retention = patched::<RetentionInput, Retention>(&safety.retention, &[], patch)?;
        Ok(())
    })
    .await
}

async fn get_recording(State(state): State<ApiState>, caller: Caller) -> Reply {
    read(&state, &caller, recording).await
}

async fn patch_recording(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let expected = if_match(&headers)?;
    change(&state, caller, expected, recording, move |safety, _| {
        let new = patched::<RecordingInput, RecordingConsent>(&safety.recording, &[], patch)?;
        let country = new.home.split('-').next().unwrap_or("");
        if !new.home.is_empty() && !is_country(country) {
            return Err(refuse(
                "/home",
                "format",
                "a country (DE), or a country and state (US-CA)",
            ));
        }
        safety.recording = new;
        Ok(())
    })
    .await
}
