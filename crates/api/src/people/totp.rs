//! Authenticator apps, and the recovery codes for the day the phone is lost.

use super::factors::{Factors, note, recovery_key, wrong};
use crate::auth::{Caller, token};
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::qr;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_identity::totp::{SEED_BYTES, Totp, secret_bytes, secret_text};
use cp_store::{Factor, FactorKind, StoreExt, User};
use cp_vocab::{Code, FactorId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Recovery codes made at a time.
const RECOVERY_CODES: usize = 10;

/// A new app, told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotpMade {
    #[schema(value_type = published::FactorId)]
    id: FactorId,
    /// To type into the app.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// What the QR code says.
    #[schema(example = "otpauth://totp/Crosspoint:ann?secret=GEZD…")]
    uri: String,
    /// The QR code, as an SVG picture.
    #[schema(example = "<svg …")]
    qr: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotpConfirm {
    /// What the app shows now.
    #[schema(min_length = 6, max_length = 16, example = "123456")]
    code: String,
}

/// Told once: each opens in place of the second factor, and once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    #[schema(example = json!(["7KQ2M-XW4PA"]))]
    recovery_codes: Vec<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "My sign-in";
    api.add(
        operation::post("/v1/me/totp", "addTotp", tag, "Add an authenticator app")
            .describe("It counts once a code of it was sent to `/v1/me/totp/confirm`.")
            .step_up()
            .replies::<TotpMade>(201, "Made; to be confirmed"),
        create,
    );
    api.add(
        operation::post(
            "/v1/me/totp/confirm",
            "confirmTotp",
            tag,
            "Show that the authenticator app works",
        )
        .describe("From now on a password alone does not open. Gives recovery codes, if there are none yet.")
        .body::<TotpConfirm>()
        .replies::<RecoveryCodes>(200, "It counts; recovery codes, told once"),
        confirm,
    );
    api.add(
        operation::post(
            "/v1/me/recovery-codes",
            "makeRecoveryCodes",
            tag,
            "Make new recovery codes",
        )
        .describe("The old ones end.")
        .step_up()
        .replies::<RecoveryCodes>(201, "Told once"),
        renew_codes,
    );
}

pub(super) async fn me(state: &ApiState, caller: &Caller) -> Reply<User> {
    let ((id, _), tenant) = (caller.person()?, caller.tenant);
    Ok(state.store(move |s| s.get::<User>(tenant, id)).await?.row)
}

async fn create(State(state): State<ApiState>, caller: Caller) -> Reply {
    let user = me(&state, &caller).await?;
    let factors = Factors::of(&state, &user).await?;
    if factors.confirmed_totp().is_some() {
        let detail = "You have an authenticator app. Remove it before adding another one.";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let mut seed = [0u8; SEED_BYTES];
    token::fill_random(&mut seed);
    let credential = Factor {
        id: state.new_id(),
        tenant: user.tenant,
        user: user.id,
        kind: FactorKind::Totp,
        key: user.id.to_string().into_bytes(),
        mark: 0,
        created_at: state.now(),
        used_at: None,
        body: json!({ "seed": secret_text(&seed), "confirmed": false }),
    };
    let id = credential.id;
    let unconfirmed = factors.totp.map(|c| c.id);
    let tenant = user.tenant;
    state
        .edit(move |s| {
            if let Some(old) = unconfirmed {
                s.factor_remove(tenant, old)?;
            }
            Ok(s.factors_add(vec![credential])?)
        })
        .await?;
    let uri = Totp::default().uri(&seed, "Crosspoint", user.login.expose());
    let made = TotpMade {
        id,
        secret: secret_text(&seed),
        qr: qr::svg(&uri)?,
        uri,
    };
    Ok((StatusCode::CREATED, axum::Json(made)).into_response())
}

async fn confirm(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<TotpConfirm>,
) -> Reply {
    let user = me(&state, &caller).await?;
    let factors = Factors::of(&state, &user).await?;
    let Some(totp) = factors
        .totp
        .as_ref()
        .filter(|c| c.body["confirmed"] != true)
    else {
        let detail = "There is no authenticator app to be confirmed. Add one first.";
        return Err(Problem::new(Code::Conflict, detail));
    };
    if !check(&state, totp, &input.code).await? {
        return Err(wrong().with_status(StatusCode::BAD_REQUEST));
    }
    let (tenant, id) = (user.tenant, totp.id);
    let body = json!({ "seed": totp.body["seed"], "confirmed": true });
    state
        .store(move |s| s.factor_change(tenant, id, body))
        .await?;
    note(&state, &user, "totp.confirmed", json!({})).await;
    let recovery_codes = match factors.recovery_codes.len() {
        0 => make_codes(&state, &user).await?,
        _ => Vec::new(),
    };
    Ok(axum::Json(RecoveryCodes { recovery_codes }).into_response())
}

async fn renew_codes(State(state): State<ApiState>, caller: Caller) -> Reply {
    let user = me(&state, &caller).await?;
    let factors = Factors::of(&state, &user).await?;
    let (tenant, old) = (user.tenant, factors.recovery_codes);
    state
        .store(move |s| {
            let mut ids = old.iter().map(|c| c.id);
            ids.try_for_each(|id| s.factor_remove(tenant, id).map(|_| ()))
        })
        .await?;
    let recovery_codes = make_codes(&state, &user).await?;
    let made = axum::Json(RecoveryCodes { recovery_codes });
    Ok((StatusCode::CREATED, made).into_response())
}

/// Fifty random bits each, in letters that are not mistaken for each other.
pub(super) async fn make_codes(state: &ApiState, user: &User) -> Reply<Vec<String>> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    let mut rows = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut random = [0u8; 7];
        token::fill_random(&mut random);
        let text = secret_text(&random);
        let code = format!("{}-{}", &text[..5], &text[5..10]);
        rows.push(Factor {
            id: state.new_id(),
            tenant: user.tenant,
            user: user.id,
            kind: FactorKind::RecoveryCode,
            key: recovery_key(user, &code).to_vec(),
            mark: 0,
            created_at: state.now(),
            used_at: None,
            body: json!({}),
        });
        codes.push(code);
    }
    state.store(move |s| s.factors_add(rows)).await?;
    Ok(codes)
}

/// Whether a code of a confirmed app holds, and marks its step as used.
pub(super) async fn prove(state: &ApiState, factors: &Factors, typed: &str) -> Reply<bool> {
    match factors.confirmed_totp() {
        Some(totp) => check(state, totp, typed).await,
        None => Ok(false),
    }
}

async fn check(state: &ApiState, totp: &Factor, typed: &str) -> Reply<bool> {
    let seed = totp.body["seed"].as_str().and_then(secret_bytes);
    let seed = seed.ok_or_else(|| Problem::new(Code::Internal, "the app's seed is unreadable"))?;
    let now = state.now();
    let last = Some(totp.mark).filter(|m| *m > 0);
    let Ok(step) = Totp::default().verify(&seed, typed, now.as_micros() / 1_000_000, last) else {
        return Ok(false);
    };
    let (id, before) = (totp.id, totp.mark);
    Ok(state
        .store(move |s| s.factor_used(id, before, step, now))
        .await?)
}
