//! Call tokens: what lets a page without an account start one call. Signed, short-lived, spent by use.

use super::WebRtcSettings;
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::auth::token::{fill_random, hex};
use crate::extract::Body;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::references;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use aws_lc_rs::hmac;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cp_vocab::model::Destination;
use cp_vocab::{Code, LegId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Mutex;
use utoipa::ToSchema;

/// Tokens hold for this long at most, and unless said otherwise.
const TTL_S_MAX: u64 = 3_600;
const TTL_S_DEFAULT: u64 = 600;
/// A call can be resumed this long after it began; no call lasts longer in a browser.
const RESUME_TTL_S: u64 = 24 * 3_600;
/// Spent tokens remembered; beyond it no token is taken until some have expired.
const SPENT_MAX: usize = 100_000;
const TOKEN_BYTES_MAX: usize = 4_000;
const ORIGINS_MAX: usize = 20;
const PREFIX: &str = "cct_";

/// What a call token says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallClaims {
    pub tenant: TenantId,
    /// Where the call leads.
    pub destination: Destination,
    /// Pages that may use it (`https://shop.example`); none: pages of this server.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Shown to the agent when the caller gives no name.
    #[serde(default)]
    pub name: Option<String>,
    /// Opaque mark of whoever made the token; told by `customer.context`.
    #[serde(default)]
    pub subject: Option<String>,
    #[serde(default)]
    pub video: bool,
}

#[derive(Serialize, Deserialize)]
struct Signed<T> {
    /// Kind, so that one sort of token is never taken for another.
    k: String,
    /// Serial number, for spending.
    n: String,
    /// Expires at, in seconds since 1970.
    e: u64,
    c: T,
}

/// The right to take a call up again.
#[derive(Serialize, Deserialize)]
pub(super) struct Resume {
    pub(super) tenant: TenantId,
    pub(super) leg: LegId,
    pub(super) origins: Vec<String>,
    pub(super) video: bool,
}

/// A token for one call within `ttl_s` seconds.
pub fn mint(state: &ApiState, claims: CallClaims, ttl_s: u64) -> (String, Timestamp) {
    let ttl_s = ttl_s.clamp(1, TTL_S_MAX);
    let expires = state.now() + std::time::Duration::from_secs(ttl_s);
    let settings = &state.0.settings.webrtc;
    (sign(settings, "call", claims, expires), expires)
}

pub(super) fn resume_of(state: &ApiState, resume: Resume) -> String {
    let expires = state.now() + std::time::Duration::from_secs(RESUME_TTL_S);
    sign(&state.0.settings.webrtc, "resume", resume, expires)
}

fn key(settings: &WebRtcSettings) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &settings.secret)
}

fn sign<T: Serialize>(settings: &WebRtcSettings, kind: &str, claims: T, at: Timestamp) -> String {
    let mut serial = [0; 16];
    fill_random(&mut serial);
    let body = Signed {
        k: kind.to_string(),
        n: hex(&serial),
        e: at.as_micros() / 1_000_000,
        c: claims,
    };
    let body = serde_json::to_vec(&body).expect("claims are plain data");
    let mac = hmac::sign(&key(settings), &body);
    format!("{PREFIX}{}.{}", hex(&body), hex(mac.as_ref()))
}

/// A token's claims and serial, when it is ours, of this kind, and not expired.
pub(super) fn verify<T: for<'de> Deserialize<'de>>(
    settings: &WebRtcSettings,
    kind: &str,
    token: &str,
    now: Timestamp,
) -> Result<(T, String, u64), Problem> {
    let refused = |why: &str| Problem::new(Code::Unauthenticated, why.to_string());
    let forged = || refused("the call token is not one of ours");
    if token.len() > TOKEN_BYTES_MAX {
        return Err(forged());
    }
    let rest = token.strip_prefix(PREFIX).ok_or_else(forged)?;
    let (body, mac) = rest.split_once('.').ok_or_else(forged)?;
    let body = unhex(body).ok_or_else(forged)?;
    let mac = unhex(mac).ok_or_else(forged)?;
    hmac::verify(&key(settings), &body, &mac).map_err(|_| forged())?;
    let signed: Signed<T> = serde_json::from_slice(&body).map_err(|_| forged())?;
    if signed.k != kind {
        return Err(forged());
    }
    if signed.e <= now.as_micros() / 1_000_000 {
        return Err(refused("the call token has expired; load the page again"));
    }
    Ok((signed.c, signed.n, signed.e))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|p| Some(digit(p[0])? << 4 | digit(p[1])?))
        .collect()
}

/// Serial numbers of tokens that were used, until they expire.
#[derive(Default)]
pub(crate) struct Spent(Mutex<HashMap<String, u64>>);

impl Spent {
    /// Spends a token; `false` when it was spent before, or nothing more can be remembered.
    pub(super) fn spend(&self, serial: String, expires_s: u64, now: Timestamp) -> bool {
        let now_s = now.as_micros() / 1_000_000;
        let mut spent = self.0.lock().expect("no panic while held");
        if spent.len() >= SPENT_MAX {
            spent.retain(|_, e| *e > now_s);
        }
        if spent.len() >= SPENT_MAX || spent.contains_key(&serial) {
            return false;
        }
        spent.insert(serial, expires_s);
        true
    }

    pub(super) fn is_spent(&self, serial: &str) -> bool {
        let spent = self.0.lock().expect("no panic while held");
        spent.contains_key(serial)
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallTokenInput {
    #[schema(value_type = published::Destination)]
    destination: Destination,
    /// Pages that may use it, as `https://shop.example`; none: pages of this server.
    #[serde(default)]
    #[schema(max_items = 20)]
    origins: Vec<String>,
    /// Shown to the agent when the caller gives no name.
    #[serde(default)]
    #[schema(max_length = 64)]
    name: Option<String>,
    /// Opaque; told by the event `customer.context`.
    #[serde(default)]
    #[schema(max_length = 128)]
    subject: Option<String>,
    #[serde(default)]
    video: bool,
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3_600)]
    ttl_s: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct CallToken {
    /// For `/v1/customer/call?token=`.
    token: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

pub(super) fn add(api: &mut Api) {
    api.add(
        operation::post(
            "/v1/call-tokens",
            "makeCallToken",
            "Calls",
            "Let a page start one call",
        )
        .describe("The token opens `/v1/customer/call` once. It ends with this process.")
        .needs(&[Permission::CallsOriginate])
        .body::<CallTokenInput>()
        .idempotent()
        .replies::<CallToken>(201, "The token"),
        make,
    );
}

async fn make(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<CallTokenInput>,
) -> Reply<Response> {
    if input.origins.len() > ORIGINS_MAX {
        return Err(Problem::new(Code::BadRequest, "too many origins"));
    }
    let named = serde_json::to_value(&input).expect("an input is plain data");
    let tenant = caller.tenant;
    let missing = state
        .store(move |s| references::missing(s, &*s.snapshot()?, tenant, &named))
        .await?;
    if !missing.is_empty() {
        return Err(Problem::invalid(missing));
    }
    let claims = CallClaims {
        tenant,
        destination: input.destination,
        origins: input.origins,
        name: input.name,
        subject: input.subject,
        video: input.video,
    };
    let (token, expires) = mint(&state, claims, input.ttl_s.unwrap_or(TTL_S_DEFAULT));
    let made = CallToken {
        token,
        expires_at: expires.to_rfc3339(),
    };
    Ok((StatusCode::CREATED, axum::Json(made)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::id::TypedId;

    fn claims() -> CallClaims {
        CallClaims {
            tenant: TenantId::from_u128(1),
            destination: Destination::Echo,
            origins: vec!["https://shop.example".into()],
            name: None,
            subject: Some("s".into()),
            video: false,
        }
    }

    #[test]
    fn a_token_says_what_was_put_in_and_nothing_else() {
        let settings = WebRtcSettings::default();
        let (at, now) = (Timestamp::from_secs(100), Timestamp::from_secs(99));
        let token = sign(&settings, "call", claims(), at);
        let (read, serial, _) = verify::<CallClaims>(&settings, "call", &token, now).unwrap();
        assert_eq!(read, claims());
        let wrong: [(&str, String, Timestamp); 6] = [
            ("expired", token.clone(), at),
            ("cut", token[..token.len() - 2].to_string(), now),
            ("no mac", token.split_once('.').unwrap().0.to_string(), now),
            (
                "other key",
                sign(&WebRtcSettings::default(), "call", claims(), at),
                now,
            ),
            ("other kind", sign(&settings, "resume", claims(), at), now),
            ("changed", token.replacen("cct_7b", "cct_7c", 1), now),
        ];
        for (what, token, now) in wrong {
            let refused = verify::<CallClaims>(&settings, "call", &token, now);
            let code = refused.map(|_| ()).unwrap_err().code;
            assert_eq!(code, Code::Unauthenticated, "{what}");
        }
        let spent = Spent::default();
        assert!(spent.spend(serial.clone(), 100, now));
        assert!(!spent.spend(serial, 100, now));
    }
}
