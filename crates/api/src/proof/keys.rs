//! Renewing the key that signs assertions and notices.

use super::{TAG, desk};
use crate::auth::permission::Permission;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a renewal did.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)]
struct SigningKeyRenewed {
    /// Name of the key that signs from now on.
    kid: String,
    /// Those before it: they verify what they signed, until then.
    retiring: Vec<String>,
    #[schema(format = DateTime)]
    retired_at: String,
}

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::post(
            "/v1/node/signing-keys",
            "renewSigningKey",
            TAG,
            "Sign proofs with a new key from now on",
        )
        .describe(
            "Assertions and notices that were signed before stay good until they end; \
             `/.well-known/jwks.json` has the keys of both.",
        )
        .needs(&[Permission::NodeKeys])
        .step_up()
        .replies::<SigningKeyRenewed>(201, "Renewed"),
        renew,
    );
}

async fn renew(State(state): State<ApiState>) -> Reply {
    let renewed = desk(&state, cp_proof::Desk::renew_signing_key).await?;
    tracing::info!(kid = renewed.kid, "the signing key was renewed");
    Ok((StatusCode::CREATED, Json(renewed)).into_response())
}
