//! What a customer's browser or app brings beside the call. Open to anybody: who has the secret of
//! a channel is its holder, and a wrong one is told nothing.

use super::{TAG, desk, published as form};
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_identity::b64;
use cp_proof::{ChannelProof, Entry};
use cp_vocab::{Code, CredentialId, Pii};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Opening a channel and trying a proof: thirty a minute from one address.
const TRY_WEIGHT: u32 = 4;
/// Looking how a channel stands, which pages do every second.
const LOOK_WEIGHT: u32 = 1;

/// By the link that was sent, or, for an app, by who calls whom.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenInput {
    #[serde(default)]
    #[schema(max_length = 100)]
    link: Option<String>,
    #[serde(default)]
    #[schema(max_length = 64)]
    caller: Option<String>,
    #[serde(default)]
    #[schema(max_length = 64)]
    called: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionInput {
    #[schema(max_length = 100)]
    session: String,
}

/// The number of the live call once more, and a proof.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AuthInput {
    #[schema(max_length = 100)]
    session: String,
    /// What the caller calls from, or the number told on the telephone.
    #[schema(max_length = 64)]
    number: String,
    proof: ProofInput,
    #[serde(default)]
    #[schema(max_length = 100)]
    intent: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "method", rename_all = "snake_case")]
enum ProofInput {
    /// That the link was opened.
    Link,
    Pin {
        #[schema(max_length = 20)]
        pin: String,
    },
    Totp {
        #[schema(max_length = 20)]
        code: String,
    },
    Code {
        #[schema(max_length = 20)]
        code: String,
    },
    /// Over `challenge`; base64url.
    DeviceKey {
        #[schema(value_type = published::CredentialId)]
        credential: CredentialId,
        #[schema(max_length = 200)]
        signature: String,
    },
    /// What `navigator.credentials.get` gave for `passkey_challenge`; all base64url.
    Passkey {
        #[schema(max_length = 1400)]
        id: String,
        #[schema(max_length = 6000)]
        client_data_json: String,
        #[schema(max_length = 6000)]
        authenticator_data: String,
        #[schema(max_length = 1400)]
        signature: String,
    },
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnrolInput {
    #[schema(max_length = 100)]
    link: String,
}

/// What `navigator.credentials.create` gave; base64url.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyInput {
    #[schema(max_length = 100)]
    link: String,
    #[serde(default)]
    #[schema(max_length = 100)]
    label: String,
    #[schema(max_length = 6000)]
    client_data_json: String,
    #[schema(max_length = 24_000)]
    attestation_object: String,
}

/// What the browser needs to make a passkey.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)]
struct EnrolOptions {
    challenge: String,
    rp_id: String,
    user_id: String,
    user_name: String,
    algorithms: Vec<i64>,
}

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::post("/v1/data-sessions", "openDataSession", TAG, "Open a data channel beside a call")
            .describe("By the link that was sent (opens once), or by who calls whom. The answer is the same whether there is such a call or not.")
            .open()
            .weighs(TRY_WEIGHT)
            .body::<OpenInput>()
            .replies::<form::DataSession>(201, "Opened"),
        open,
    );
    api.add(
        operation::post("/v1/data-sessions/auth", "proveOverDataSession", TAG, "Tie the channel to the call, and prove who calls")
            .describe("403 whatever is wrong: the number, the proof, the call. After three the channel is closed.")
            .open()
            .weighs(TRY_WEIGHT)
            .body::<AuthInput>()
            .replies::<form::DataSessionState>(200, "Proven"),
        auth,
    );
    api.add(
        operation::post(
            "/v1/data-sessions/state",
            "dataSessionState",
            TAG,
            "How the channel stands",
        )
        .open()
        .weighs(LOOK_WEIGHT)
        .body::<SessionInput>()
        .replies::<form::DataSessionState>(200, "State"),
        standing,
    );
    api.add(
        operation::post(
            "/v1/data-sessions/enrol-options",
            "enrolOptions",
            TAG,
            "What a browser needs to make a passkey",
        )
        .open()
        .weighs(TRY_WEIGHT)
        .body::<EnrolInput>()
        .replies::<EnrolOptions>(200, "Options"),
        enrol_options,
    );
    api.add(
        operation::post(
            "/v1/data-sessions/enrol",
            "enrolPasskey",
            TAG,
            "Keep the passkey that a browser made",
        )
        .open()
        .weighs(TRY_WEIGHT)
        .body::<PasskeyInput>()
        .empty("Kept"),
        enrol,
    );
}

async fn open(State(state): State<ApiState>, Body(input): Body<OpenInput>) -> Reply {
    let opened = match (input.link, input.caller, input.called) {
        (Some(link), None, None) => desk(&state, move |d| d.open_link(&link)).await?,
        (None, Some(caller), Some(called)) => {
            desk(&state, move |d| d.open_channel(&caller, &called)).await?
        }
        _ => {
            let detail = "give link, or caller and called";
            return Err(Problem::new(Code::BadRequest, detail));
        }
    };
    Ok((StatusCode::CREATED, Json(opened)).into_response())
}

fn bytes(text: &str) -> Reply<Vec<u8>> {
    let detail = "binary values are base64url without padding";
    b64::decode(text).ok_or_else(|| Problem::new(Code::BadRequest, detail))
}

async fn auth(State(state): State<ApiState>, Body(input): Body<AuthInput>) -> Reply {
    let proof = match input.proof {
        ProofInput::Link => ChannelProof::Link,
        ProofInput::Pin { pin } => ChannelProof::Entry(Entry::Pin(Pii(pin))),
        ProofInput::Totp { code } => ChannelProof::Entry(Entry::Totp(Pii(code))),
        ProofInput::Code { code } => ChannelProof::Entry(Entry::Code(Pii(code))),
        ProofInput::DeviceKey {
            credential,
            signature,
        } => ChannelProof::DeviceKey {
            credential,
            signature: bytes(&signature)?,
        },
        ProofInput::Passkey {
            id,
            client_data_json,
            authenticator_data,
            signature,
        } => ChannelProof::Passkey {
            id: bytes(&id)?,
            client_data_json: bytes(&client_data_json)?,
            authenticator_data: bytes(&authenticator_data)?,
            signature: bytes(&signature)?,
        },
    };
    let (session, number, intent) = (input.session, input.number, input.intent);
    let after = desk(&state, move |d| {
        d.channel_auth(&session, &number, &proof, intent)
    })
    .await?;
    Ok(Json(after).into_response())
}

async fn standing(State(state): State<ApiState>, Body(input): Body<SessionInput>) -> Reply {
    let found = desk(&state, move |d| d.channel_state(&input.session)).await?;
    Ok(Json(found).into_response())
}

async fn enrol_options(State(state): State<ApiState>, Body(input): Body<EnrolInput>) -> Reply {
    let options = desk(&state, move |d| d.enrol_options(&input.link)).await?;
    Ok(Json(options).into_response())
}

async fn enrol(State(state): State<ApiState>, Body(input): Body<PasskeyInput>) -> Reply {
    let client = bytes(&input.client_data_json)?;
    let object = bytes(&input.attestation_object)?;
    let label = if input.label.is_empty() {
        "Passkey".to_string()
    } else {
        input.label
    };
    let id = desk(&state, move |d| {
        d.enrol_passkey(&input.link, &label, &client, &object)
    })
    .await?;
    tracing::info!(credential = %id, "a passkey was registered");
    Ok(StatusCode::NO_CONTENT.into_response())
}
