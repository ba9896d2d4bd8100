//! What somebody can prove themselves with besides a password, and checking it.

use super::{Challenge, totp};
use crate::auth::{audit, token};
use crate::people::passkeys::{self, PasskeyAssertion};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::http::HeaderMap;
use cp_store::{AuditEntry, Factor, FactorKind, User};
use cp_vocab::Code;
use cp_vocab::command::Actor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// One of the three.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondProof {
    /// Six digits of the authenticator app.
    #[serde(default)]
    #[schema(max_length = 16, example = "123456")]
    pub(crate) code: Option<String>,
    /// One of the recovery codes; it is used up by this.
    #[serde(default)]
    #[schema(max_length = 32, example = "7KQ2M-XW4PA")]
    pub(crate) recovery_code: Option<String>,
    /// What `navigator.credentials.get()` gave, as JSON.
    #[serde(default)]
    pub(crate) passkey: Option<PasskeyAssertion>,
}

/// The credentials of a person by kind.
#[derive(Default)]
pub(crate) struct Factors {
    pub(crate) totp: Option<Factor>,
    pub(crate) passkeys: Vec<Factor>,
    pub(crate) recovery_codes: Vec<Factor>,
}

impl Factors {
    pub(crate) async fn of(state: &ApiState, user: &User) -> Reply<Self> {
        let (tenant, id) = (user.tenant, user.id);
        let all = state.store(move |s| s.factors_of(tenant, id)).await?;
        let mut factors = Self::default();
        for c in all {
            match c.kind {
                FactorKind::Passkey => factors.passkeys.push(c),
                FactorKind::RecoveryCode => factors.recovery_codes.push(c),
                FactorKind::Totp => factors.totp = Some(c),
            }
        }
        Ok(factors)
    }

    /// The app, once its owner has shown that it works.
    pub(crate) fn confirmed_totp(&self) -> Option<&Factor> {
        self.totp.as_ref().filter(|c| c.body["confirmed"] == true)
    }

    /// Whether a password alone does not open.
    pub(crate) fn any(&self) -> bool {
        self.confirmed_totp().is_some() || !self.passkeys.is_empty()
    }

    /// The ways that are open, in the order a page should offer them.
    pub(crate) fn methods(&self) -> Vec<&'static str> {
        let mut methods = Vec::new();
        if !self.passkeys.is_empty() {
            methods.push("passkey");
        }
        if self.confirmed_totp().is_some() {
            methods.push("totp");
        }
        if self.any() && !self.recovery_codes.is_empty() {
            methods.push("recovery_code");
        }
        methods
    }
}

/// Checks a proof; gives the method by RFC 8176. Each code and each signature is good once.
///
/// # Errors
/// 401 when it does not hold, 400 when it is none or several.
pub(crate) async fn prove(
    state: &ApiState,
    headers: &HeaderMap,
    user: &User,
    proof: &SecondProof,
    challenge: &Challenge,
) -> Reply<&'static str> {
    let factors = Factors::of(state, user).await?;
    let proven = match (&proof.code, &proof.recovery_code, &proof.passkey) {
        (Some(code), None, None) => totp::prove(state, &factors, code).await?.then_some("otp"),
        (None, Some(code), None) => use_recovery_code(state, user, &factors, code)
            .await?
            .then_some("kba"),
        (None, None, Some(passkey)) => {
            let found = factors.passkeys.iter();
            let mut of_id = found.filter(|c| passkey.names(&c.key));
            match of_id.next() {
                Some(c) => passkeys::prove(state, headers, c, passkey, challenge)
                    .await?
                    .then_some("hwk"),
                None => None,
            }
        }
        _ => {
            let detail = "Send one of code, recovery_code and passkey.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
    };
    proven.ok_or_else(wrong)
}

/// One answer for whatever did not hold.
pub(crate) fn wrong() -> Problem {
    let detail = "This did not prove that it is you. Try again, or use another way.";
    Problem::new(Code::Unauthenticated, detail)
}

async fn use_recovery_code(
    state: &ApiState,
    user: &User,
    factors: &Factors,
    typed: &str,
) -> Reply<bool> {
    let key = recovery_key(user, typed);
    let same = |c: &&Factor| token::same(&token::hex(&c.key), &token::hex(&key));
    let Some(code) = factors.recovery_codes.iter().find(same) else {
        return Ok(false);
    };
    let (tenant, id) = (code.tenant, code.id);
    // Of two who show the same code, one finds it.
    let used = state.store(move |s| s.factor_remove(tenant, id)).await?;
    if used {
        let left = factors.recovery_codes.len() - 1;
        note(state, user, "recovery_code.used", json!({ "left": left })).await;
    }
    Ok(used)
}

/// What a recovery code is kept as: it is random enough for a plain hash.
pub(crate) fn recovery_key(user: &User, typed: &str) -> [u8; 32] {
    let plain: String = typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    token::sha256(format!("recovery {} {plain}", user.id).as_bytes())
}

/// An entry about somebody's credentials, in their own name.
pub(crate) async fn note(state: &ApiState, user: &User, action: &str, detail: serde_json::Value) {
    let entry = AuditEntry {
        tenant: user.tenant,
        at: state.now(),
        actor: Actor::User(user.id),
        action: action.into(),
        target: user.id.to_string(),
        address: String::new(),
        detail,
    };
    audit::keep(state, entry).await;
}
