//! Passkeys of people: registering, listing what a browser needs, checking its answers.

use super::factors::{note, wrong};
use super::totp::me;
use super::{Challenge, Step, challenge};
use crate::auth::Caller;
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::people::Factors;
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use cp_identity::b64;
use cp_identity::webauthn::{
    Algorithm, Assertion, Policy, Registration, RelyingParty, WebAuthnError, authenticate, register,
};
use cp_store::{Factor, FactorKind, StoreError, User};
use cp_vocab::{Code, FactorId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Milliseconds a browser waits for its user; the challenge here lasts as long.
const TIMEOUT_MS: u64 = 5 * 60 * 1_000;

/// What a page gives to `navigator.credentials`, and the token to answer with.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyOptions {
    /// Goes back with the answer; good for five minutes and once.
    pub(crate) token: String,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    #[schema(value_type = Object)]
    pub(crate) public_key: Value,
}

/// `PublicKeyCredential.toJSON()` of a new passkey.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PasskeyCreated {
    response: CreatedResponse,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedResponse {
    #[serde(rename = "clientDataJSON")]
    #[schema(max_length = 8192)]
    client_data_json: String,
    #[schema(max_length = 32_768)]
    attestation_object: String,
}

/// `PublicKeyCredential.toJSON()` of a passkey that was used.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PasskeyAssertion {
    #[schema(max_length = 2048)]
    id: String,
    response: AssertionResponse,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AssertionResponse {
    #[serde(rename = "clientDataJSON")]
    #[schema(max_length = 8192)]
    client_data_json: String,
    #[schema(max_length = 8192)]
    authenticator_data: String,
    #[schema(max_length = 2048)]
    signature: String,
}

impl PasskeyAssertion {
    pub(crate) fn key(&self) -> Option<Vec<u8>> {
        b64::decode(&self.id)
    }
    pub(crate) fn names(&self, key: &[u8]) -> bool {
        self.key().is_some_and(|k| k == key)
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MyPasskeyInput {
    #[schema(min_length = 1, max_length = 100)]
    token: String,
    /// What the person calls it: "my phone".
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    credential: PasskeyCreated,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyMade {
    #[schema(value_type = published::FactorId)]
    id: FactorId,
    /// When these are the first: told once.
    recovery_codes: Vec<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "My sign-in";
    api.add(
        operation::post(
            "/v1/me/passkeys/options",
            "passkeyOptions",
            tag,
            "Begin to add a passkey",
        )
        .step_up()
        .unaudited()
        .replies::<PasskeyOptions>(200, "For `navigator.credentials.create()`"),
        options,
    );
    api.add(
        operation::post("/v1/me/passkeys", "addPasskey", tag, "Add a passkey")
            .describe("From now on a password alone does not open.")
            .body::<MyPasskeyInput>()
            .replies::<PasskeyMade>(201, "Added"),
        create,
    );
}

/// Whom passkeys are made for: the first of the origins set, or the host that was asked.
pub(crate) fn relying_party(state: &ApiState, headers: &HeaderMap) -> RelyingParty {
    let configured = &state.0.settings.origins;
    let origins = match configured.as_slice() {
        [] => {
            let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
            let scheme = if state.0.settings.tls {
                "https"
            } else {
                "http"
            };
            vec![format!("{scheme}://{}", host.unwrap_or("localhost"))]
        }
        some => some.to_vec(),
    };
    let host = origins[0].split_once("://").map_or("", |(_, h)| h);
    let id = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    RelyingParty {
        id: id.to_string(),
        origins,
    }
}

/// A passkey is both factors: its device, and the finger, face or PIN that opens it.
fn policy() -> Policy {
    Policy {
        user_verification: true,
        ..Policy::default()
    }
}

async fn options(State(state): State<ApiState>, caller: Caller, headers: HeaderMap) -> Reply {
    let user = me(&state, &caller).await?;
    let factors = Factors::of(&state, &user).await?;
    let challenge = challenge();
    let known = factors.passkeys.iter().map(descriptor).collect::<Vec<_>>();
    let algorithms = Algorithm::ALL.map(|a| json!({ "type": "public-key", "alg": a.cose() }));
    let public_key = json!({
        "challenge": b64::encode(&challenge),
        "rp": { "id": relying_party(&state, &headers).id, "name": "Crosspoint" },
        "user": {
            "id": b64::encode(user.id.to_string().as_bytes()),
            "name": user.login.expose(), "displayName": user.name.expose(),
        },
        "pubKeyCredParams": algorithms,
        "timeout": TIMEOUT_MS,
        "excludeCredentials": known,
        "authenticatorSelection": { "residentKey": "preferred", "userVerification": "required" },
        "attestation": "none",
    });
    let step = Step::Register {
        user: user.id,
        challenge,
    };
    let token = state.0.steps.put(state.now(), step);
    Ok(axum::Json(PasskeyOptions { token, public_key }).into_response())
}

fn descriptor(c: &Factor) -> Value {
    json!({ "type": "public-key", "id": b64::encode(&c.key) })
}

/// What `navigator.credentials.get()` is called with; without `passkeys` the browser offers its own.
pub(crate) fn request(
    state: &ApiState,
    headers: &HeaderMap,
    challenge: &Challenge,
    passkeys: &[Factor],
) -> Value {
    json!({
        "challenge": b64::encode(challenge),
        "rpId": relying_party(state, headers).id,
        "timeout": TIMEOUT_MS,
        "userVerification": "required",
        "allowCredentials": passkeys.iter().map(descriptor).collect::<Vec<_>>(),
    })
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Body(input): Body<MyPasskeyInput>,
) -> Reply {
    let user = me(&state, &caller).await?;
    let challenge = match state.0.steps.take(state.now(), &input.token) {
        Some(Step::Register {
            user: of,
            challenge,
        }) if of == user.id => challenge,
        _ => {
            let detail = "This took too long or was answered before. Begin again.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
    };
    let rp = relying_party(&state, &headers);
    let new = created(&rp, &challenge, &input.credential).map_err(|e| {
        let fault = FieldError::new("/credential", e.code(), e.to_string());
        Problem::invalid(vec![fault])
    })?;
    let row = Factor {
        id: state.new_id(),
        tenant: user.tenant,
        user: user.id,
        kind: FactorKind::Passkey,
        key: new.id.clone(),
        mark: u64::from(new.sign_count),
        created_at: state.now(),
        used_at: None,
        body: json!({
            "name": input.name, "rp": rp.id, "algorithm": new.algorithm.word(),
            "public_key": b64::encode(&new.public_key), "backup_eligible": new.backup_eligible,
            "aaguid": crate::auth::token::hex(&new.aaguid),
        }),
    };
    let id = row.id;
    match state.store(move |s| s.factors_add(vec![row])).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => {
            let detail = "This passkey is registered already.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        Err(e) => return Err(e.into()),
    }
    let recovery_codes = match Factors::of(&state, &user).await?.recovery_codes.len() {
        0 => super::totp::make_codes(&state, &user).await?,
        _ => Vec::new(),
    };
    let made = PasskeyMade { id, recovery_codes };
    Ok((StatusCode::CREATED, axum::Json(made)).into_response())
}

fn created(
    rp: &RelyingParty,
    challenge: &Challenge,
    made: &PasskeyCreated,
) -> Result<cp_identity::webauthn::Credential, WebAuthnError> {
    let client =
        b64::decode(&made.response.client_data_json).ok_or(WebAuthnError::ClientDataMalformed)?;
    let object = b64::decode(&made.response.attestation_object)
        .ok_or(WebAuthnError::AttestationMalformed)?;
    let new = Registration {
        client_data_json: &client,
        attestation_object: &object,
    };
    register(rp, policy(), challenge, new)
}

/// Whether the browser's answer holds for this passkey; keeps its counter.
pub(crate) async fn prove(
    state: &ApiState,
    headers: &HeaderMap,
    credential: &Factor,
    used: &PasskeyAssertion,
    challenge: &Challenge,
) -> Reply<bool> {
    let rp = relying_party(state, headers);
    let proof = match check(&rp, credential, used, challenge) {
        Ok(proof) => proof,
        Err(e) => {
            if e == WebAuthnError::CounterBack {
                let user = User::new(credential.user, credential.tenant, "", "", vec![]);
                note(
                    state,
                    &user,
                    "passkey.counter_back",
                    json!({ "credential": credential.id }),
                )
                .await;
            }
            tracing::warn!(code = e.code(), "a passkey was refused");
            return Ok(false);
        }
    };
    let (id, before, after) = (credential.id, credential.mark, u64::from(proof.sign_count));
    let now = state.now();
    Ok(state
        .store(move |s| s.factor_used(id, before, after, now))
        .await?)
}

fn check(
    rp: &RelyingParty,
    kept: &Factor,
    used: &PasskeyAssertion,
    challenge: &Challenge,
) -> Result<cp_identity::webauthn::Proof, WebAuthnError> {
    let malformed = WebAuthnError::ClientDataMalformed;
    let text = |name: &str| kept.body[name].as_str().unwrap_or_default();
    if text("rp") != rp.id {
        return Err(WebAuthnError::RelyingPartyMismatch);
    }
    let id = used.key().ok_or(WebAuthnError::CredentialMismatch)?;
    let client = b64::decode(&used.response.client_data_json).ok_or(malformed)?;
    let data = b64::decode(&used.response.authenticator_data).ok_or(malformed)?;
    let signature = b64::decode(&used.response.signature).ok_or(malformed)?;
    let algorithm = Algorithm::ALL
        .into_iter()
        .find(|a| a.word() == text("algorithm"));
    let credential = cp_identity::webauthn::Credential {
        id: kept.key.clone(),
        public_key: b64::decode(text("public_key")).unwrap_or_default(),
        algorithm: algorithm.ok_or(WebAuthnError::KeyUnsupported)?,
        sign_count: u32::try_from(kept.mark).unwrap_or(u32::MAX),
        backup_eligible: kept.body["backup_eligible"] == true,
        backed_up: false,
        aaguid: [0; 16],
        user_verified: true,
    };
    let assertion = Assertion {
        credential_id: &id,
        client_data_json: &client,
        authenticator_data: &data,
        signature: &signature,
    };
    authenticate(rp, policy(), challenge, &credential, assertion)
}

/// The passkey a browser used and its owner, by the key's own id.
pub(crate) async fn find(state: &ApiState, used: &PasskeyAssertion) -> Reply<Factor> {
    let key = used.key().ok_or_else(wrong)?;
    let found = state
        .store(move |s| s.factor_by_key(FactorKind::Passkey, &key))
        .await?;
    found.ok_or_else(wrong)
}
