//! Proving once more that it is oneself, before something dangerous.

use super::factors::{self, Factors, SecondProof, wrong};
use super::passkeys::{self, PasskeyOptions};
use super::totp::me;
use super::{Challenge, Step, challenge};
use crate::auth::{Caller, password};
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::session::begin;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use cp_vocab::Code;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A password for those without a second factor; one of the others for those with one.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepUp {
    #[serde(default)]
    #[schema(max_length = 256)]
    password: Option<String>,
    /// `code`, `recovery_code` or `passkey`.
    #[serde(default)]
    proof: Option<SecondProof>,
    /// Of `/v1/sessions/current/step-up/options`, with a passkey.
    #[serde(default)]
    #[schema(max_length = 100)]
    token: Option<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Sessions";
    api.add(
        operation::post(
            "/v1/sessions/current/step-up/options",
            "stepUpOptions",
            tag,
            "Begin to prove the session again by passkey",
        )
        .unaudited()
        .replies::<PasskeyOptions>(200, "For `navigator.credentials.get()`"),
        options,
    );
    api.add(
        operation::post(
            "/v1/sessions/current/step-up",
            "stepUp",
            tag,
            "Prove again that it is you",
        )
        .describe(
            "Asked for (403 `step_up_required`) before dangerous changes when the last proof is older than 15 minutes. \
             Who has a second factor proves by that, others by their password.",
        )
        .body::<StepUp>()
        .empty("Proven"),
        step_up,
    );
}

async fn options(State(state): State<ApiState>, caller: Caller, headers: HeaderMap) -> Reply {
    let (_, session) = caller.person()?;
    let user = me(&state, &caller).await?;
    let passkeys = Factors::of(&state, &user).await?.passkeys;
    let challenge = challenge();
    let public_key = passkeys::request(&state, &headers, &challenge, &passkeys);
    let step = Step::Again { session, challenge };
    let token = state.0.steps.put(state.now(), step);
    Ok(axum::Json(PasskeyOptions { token, public_key }).into_response())
}

async fn step_up(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Body(input): Body<StepUp>,
) -> Reply {
    let (id, session) = caller.person()?;
    let user = me(&state, &caller).await?;
    let name = format!("second factor {id}");
    begin(&state, &name, None)?;
    let strong = Factors::of(&state, &user).await?.any();
    match (&input.proof, input.password) {
        (Some(proof), None) if strong => {
            let now = state.now();
            let token = input.token.unwrap_or_default();
            let challenge = match state.0.steps.take(now, &token) {
                Some(Step::Again {
                    session: of,
                    challenge,
                }) if of == session => challenge,
                // Codes need none; a passkey's answer to this one does not hold.
                _ => Challenge::default(),
            };
            if proof.passkey.is_some() && challenge == Challenge::default() {
                return Err(wrong());
            }
            factors::prove(&state, &headers, &user, proof, &challenge).await?;
        }
        (None, Some(typed)) if !strong => {
            let _turn = state.password_check_turn().await?;
            let hash = user.password_hash.expose().clone();
            let right = move || Ok::<_, Problem>(password::verify(Some(&hash), &typed));
            if !state.store(move |_| right()).await? {
                return Err(wrong());
            }
        }
        _ => {
            let detail = if strong {
                "Prove it with a passkey, a code of your app, or a recovery code."
            } else if user.password_hash.expose().is_empty() {
                "You have no password here. Sign in again at your identity provider."
            } else {
                "Prove it with your password."
            };
            return Err(Problem::new(Code::BadRequest, detail));
        }
    }
    state.0.lockout.succeeded(&name, None);
    let now = state.now();
    state.store(move |s| s.session_proved(session, now)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
