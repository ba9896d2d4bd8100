//! What customers prove themselves with.

use super::{TAG, desk, published as form};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id, PageView};
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::qr;
use crate::schema::id_schema;
use crate::state::ApiState;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_identity::b64;
use cp_identity::proof::device::KeyKind;
use cp_proof::NewCredential;
use cp_vocab::{Code, CredentialId, PersonId, Pii};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// A credential to keep. Passkeys are made by the customer's own browser: `…/enrolment`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
enum CredentialInput {
    /// Takes the place of the one before.
    Pin {
        #[schema(min_length = 4, max_length = 12)]
        pin: String,
    },
    /// For an authenticator app; the answer has what it scans, once.
    Totp {
        /// The seed of an app that has one (base 32).
        #[serde(default)]
        #[schema(max_length = 200)]
        seed: Option<String>,
    },
    DeviceKey {
        kind: DeviceKeyKind,
        /// Ed25519: 32 bytes; ES256: the uncompressed point; base64url.
        #[schema(max_length = 100)]
        key: String,
        #[serde(default)]
        #[schema(max_length = 100)]
        label: String,
    },
    /// A question and its answer, of which two are asked.
    Knowledge {
        #[schema(min_length = 1, max_length = 200)]
        question: String,
        #[schema(min_length = 1, max_length = 200)]
        answer: String,
    },
}

#[derive(Serialize, Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum DeviceKeyKind {
    Ed25519,
    Es256,
}

/// A link for the customer's browser or app.
#[derive(Serialize, ToSchema)]
struct Enrolment {
    /// Good once, for a quarter of an hour.
    link: String,
}

pub(crate) fn add(api: &mut Api) {
    let read = &[Permission::PersonsRead];
    let write = &[Permission::PersonsWrite];
    api.add(
        operation::get(
            "/v1/persons/{id}/credentials",
            "listCredentials",
            TAG,
            "What a customer can prove itself with",
        )
        .needs(read)
        .path_id("per")
        .lists::<form::CredentialDocument>("All of them"),
        list,
    );
    api.add(
        operation::post(
            "/v1/persons/{id}/credentials",
            "createCredential",
            TAG,
            "Give a customer something to prove itself with",
        )
        .needs(write)
        .step_up()
        .path_id("per")
        .body::<CredentialInput>()
        .idempotent()
        .replies::<form::CredentialMade>(201, "Made"),
        create,
    );
    api.add(
        operation::delete(
            "/v1/persons/{id}/credentials/{credential}",
            "removeCredential",
            TAG,
            "Take it back",
        )
        .needs(write)
        .path_id("per")
        .path_param("credential", id_schema("crd"))
        .empty("Gone"),
        remove,
    );
    api.add(
        operation::post(
            "/v1/persons/{id}/enrolment",
            "enrolPerson",
            TAG,
            "A link by which the customer's browser makes a passkey",
        )
        .needs(write)
        .step_up()
        .path_id("per")
        .idempotent()
        .replies::<Enrolment>(200, "Made"),
        enrol,
    );
}

async fn list(State(state): State<ApiState>, caller: Caller, Id(id): Id<PersonId>) -> Reply {
    let items = desk(&state, move |d| d.credentials(caller.tenant, id)).await?;
    Ok(Json(PageView { items, next: None }).into_response())
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<PersonId>,
    Body(input): Body<CredentialInput>,
) -> Reply {
    let (label, new) = match input {
        CredentialInput::Pin { pin } => ("PIN".to_string(), NewCredential::Pin(Pii(pin))),
        CredentialInput::Totp { seed: None } => ("Authenticator".into(), NewCredential::Totp),
        CredentialInput::Totp { seed: Some(seed) } => {
            ("Authenticator".into(), NewCredential::TotpSeed(Pii(seed)))
        }
        CredentialInput::DeviceKey { kind, key, label } => {
            let key = b64::decode(&key).ok_or_else(|| {
                Problem::new(Code::BadRequest, "key is base64url without padding")
            })?;
            let kind = match kind {
                DeviceKeyKind::Ed25519 => KeyKind::Ed25519,
                DeviceKeyKind::Es256 => KeyKind::Es256,
            };
            (label, NewCredential::DeviceKey { kind, key })
        }
        CredentialInput::Knowledge { question, answer } => {
            let answer = Pii(answer);
            (
                "Question".into(),
                NewCredential::Knowledge { question, answer },
            )
        }
    };
    let made = desk(&state, move |d| {
        d.add_credential(caller.tenant, id, &label, new)
    })
    .await?;
    let qr = made.1.as_deref().map(qr::svg).transpose()?;
    let body = json!({ "id": made.0, "otpauth": made.1, "qr": qr });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Path((person, credential)): Path<(String, String)>,
) -> Reply {
    let unknown = || Problem::not_found("credential");
    let person: PersonId = person.parse().map_err(|_| unknown())?;
    let credential: CredentialId = credential.parse().map_err(|_| unknown())?;
    desk(&state, move |d| {
        d.remove_credential(caller.tenant, person, credential)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn enrol(State(state): State<ApiState>, caller: Caller, Id(id): Id<PersonId>) -> Reply {
    let link = desk(&state, move |d| d.enrolment(caller.tenant, id)).await?;
    Ok(Json(Enrolment { link }).into_response())
}
