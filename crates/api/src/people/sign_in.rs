//! The second half of signing in, and signing in by passkey alone.

use super::factors::{self, Factors, SecondProof, wrong};
use super::passkeys::{self, PasskeyAssertion, PasskeyOptions};
use super::{Challenge, Step, challenge};
use crate::auth::pending::STEP_TIME_MAX;
use crate::extract::Body;
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::session::{SessionKind, SessionView, Visitor, begin, open};
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use cp_store::{StoreExt, User};
use cp_vocab::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Wrong answers to one step; then it begins anew with the password.
const TRIES_MAX: u32 = 5;

/// The password was right; one more proof is wanted.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactorNeeded {
    /// Goes to `/v1/sessions/second-factor` with the proof.
    token: String,
    /// `passkey`, `totp`, `recovery_code`: those that are open to this person.
    #[schema(example = json!(["passkey", "totp", "recovery_code"]))]
    methods: Vec<&'static str>,
    /// For `navigator.credentials.get()`, when there are passkeys.
    #[schema(value_type = Option<Object>)]
    passkey: Option<Value>,
    expires_at: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactor {
    #[schema(min_length = 1, max_length = 100)]
    token: String,
    proof: SecondProof,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeySignIn {
    #[schema(min_length = 1, max_length = 100)]
    token: String,
    credential: PasskeyAssertion,
    #[serde(default)]
    kind: SessionKind,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Sessions";
    api.add(
        operation::post(
            "/v1/sessions/second-factor",
            "signInSecondFactor",
            tag,
            "Sign in: the second factor",
        )
        .describe("After `POST /v1/sessions` answered 202.")
        .open()
        .unaudited()
        .body::<SecondFactor>()
        .replies::<SessionView>(201, "Signed in"),
        second_factor,
    );
    api.add(
        operation::post(
            "/v1/sessions/passkey/options",
            "passkeySignInOptions",
            tag,
            "Begin to sign in by passkey, without a name",
        )
        .open()
        .unaudited()
        .replies::<PasskeyOptions>(200, "For `navigator.credentials.get()`"),
        options,
    );
    api.add(
        operation::post(
            "/v1/sessions/passkey",
            "signInByPasskey",
            tag,
            "Sign in by passkey",
        )
        .open()
        .unaudited()
        .body::<PasskeySignIn>()
        .replies::<SessionView>(201, "Signed in"),
        by_passkey,
    );
}

/// 202: what is wanted besides the password.
pub(crate) fn needed(
    state: &ApiState,
    headers: &HeaderMap,
    user: &User,
    factors: &Factors,
    kind: SessionKind,
) -> axum::response::Response {
    let challenge = challenge();
    let passkey = (!factors.passkeys.is_empty())
        .then(|| passkeys::request(state, headers, &challenge, &factors.passkeys));
    let now = state.now();
    let step = Step::SecondFactor {
        tenant: user.tenant,
        user: user.id,
        kind,
        challenge,
        tries: 0,
    };
    let needed = SecondFactorNeeded {
        token: state.0.steps.put(now, step),
        methods: factors.methods(),
        passkey,
        expires_at: (now + STEP_TIME_MAX).to_rfc3339(),
    };
    (StatusCode::ACCEPTED, axum::Json(needed)).into_response()
}

async fn second_factor(
    State(state): State<ApiState>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    Body(input): Body<SecondFactor>,
) -> Reply {
    let visitor = Visitor::of(&state, connection.as_ref().map(|c| &c.0), &headers);
    let Some(Step::SecondFactor {
        tenant,
        user,
        kind,
        challenge,
        tries,
    }) = state.0.steps.take(state.now(), &input.token)
    else {
        return Err(expired());
    };
    let name = format!("second factor {user}");
    let again = |tries| Step::SecondFactor {
        tenant,
        user,
        kind,
        challenge,
        tries,
    };
    if let Err(wait) = begin(&state, &name, visitor.source) {
        state
            .0
            .steps
            .put_back(state.now(), input.token, again(tries));
        return Err(wait);
    }
    let row = state.store(move |s| s.get::<User>(tenant, user)).await?.row;
    if row.disabled {
        return Err(wrong());
    }
    match factors::prove(&state, &headers, &row, &input.proof, &challenge).await {
        Ok(method) => {
            state.0.lockout.succeeded(&name, visitor.source);
            open(
                &state,
                row,
                kind,
                StatusCode::CREATED,
                visitor.proven(&["pwd", method]),
            )
            .await
        }
        Err(problem) => {
            refused(&state, &row, &visitor).await;
            if tries + 1 < TRIES_MAX {
                let now = state.now();
                state.0.steps.put_back(now, input.token, again(tries + 1));
            }
            Err(problem)
        }
    }
}

async fn refused(state: &ApiState, user: &User, visitor: &Visitor) {
    state.0.meters.sign_ins_failed.add(1);
    visitor
        .note(state, user, "session.refused", "second_factor")
        .await;
}

fn expired() -> Problem {
    let detail = "This took too long or was answered before. Begin to sign in again.";
    Problem::new(Code::Unauthenticated, detail)
}

async fn options(State(state): State<ApiState>, headers: HeaderMap) -> Reply {
    let challenge: Challenge = challenge();
    let public_key = passkeys::request(&state, &headers, &challenge, &[]);
    let token = state.0.steps.put(state.now(), Step::Passkey { challenge });
    Ok(axum::Json(PasskeyOptions { token, public_key }).into_response())
}

async fn by_passkey(
    State(state): State<ApiState>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    Body(input): Body<PasskeySignIn>,
) -> Reply {
    let visitor = Visitor::of(&state, connection.as_ref().map(|c| &c.0), &headers);
    let Some(Step::Passkey { challenge }) = state.0.steps.take(state.now(), &input.token) else {
        return Err(expired());
    };
    let credential = passkeys::find(&state, &input.credential).await?;
    let name = format!("passkey {}", credential.id);
    begin(&state, &name, visitor.source)?;
    let (tenant, user) = (credential.tenant, credential.user);
    let row = state.store(move |s| s.get::<User>(tenant, user)).await?.row;
    let right =
        passkeys::prove(&state, &headers, &credential, &input.credential, &challenge).await?;
    if !right || row.disabled {
        refused(&state, &row, &visitor).await;
        return Err(wrong());
    }
    state.0.lockout.succeeded(&name, visitor.source);
    open(
        &state,
        row,
        input.kind,
        StatusCode::CREATED,
        visitor.proven(&["hwk", "user"]),
    )
    .await
}
