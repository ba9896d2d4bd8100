//! What the browser says about the page (5.8.1).

use super::{CHALLENGE_BYTES_MIN, CLIENT_DATA_BYTES_MAX, RelyingParty, WebAuthnError};
use crate::b64;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;

/// Members besides these are for browsers to come.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

pub(super) fn check(
    ceremony: &str,
    rp: &RelyingParty,
    challenge: &[u8],
    json: &[u8],
) -> Result<(), WebAuthnError> {
    if json.len() > CLIENT_DATA_BYTES_MAX {
        return Err(WebAuthnError::TooLarge);
    }
    let said: ClientData =
        serde_json::from_slice(json).map_err(|_| WebAuthnError::ClientDataMalformed)?;
    if said.ceremony != ceremony {
        return Err(WebAuthnError::WrongCeremony);
    }
    let answered = b64::decode(&said.challenge).ok_or(WebAuthnError::ClientDataMalformed)?;
    // A challenge that was lost on the way to here must not match an empty answer.
    if challenge.len() < CHALLENGE_BYTES_MIN
        || verify_slices_are_equal(&answered, challenge).is_err()
    {
        return Err(WebAuthnError::ChallengeMismatch);
    }
    if !rp.origins.contains(&said.origin) {
        return Err(WebAuthnError::OriginMismatch);
    }
    if said.cross_origin || said.top_origin.is_some() {
        return Err(WebAuthnError::CrossOrigin);
    }
    Ok(())
}
