//! The one signed assertion: who is proven, how, how strongly, how long ago, for what, in which call.
//! It is bound to the person, the tenant, the interaction and the leg; a proof for another call is
//! no proof here.

use super::jws::{SigningKey, TokenFault, Unverified};
use aws_lc_rs::rand::SecureRandom;
use cp_vocab::person::ProofMethod;
use cp_vocab::*;
use serde::{Deserialize, Serialize};

pub const KIND: &str = "cp-proof+jwt";
pub const ISSUER: &str = "crosspoint";
/// An assertion lasts this long at most; it is renewed while the call lives.
pub const ASSERTION_S_MAX: u64 = 15 * 60;
/// Clocks may differ by this much.
pub const SKEW_S: u64 = 60;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confirmation {
    pub leg: LegId,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    /// The tenant it is good in.
    pub aud: TenantId,
    pub sub: PersonId,
    /// The interaction it is good in.
    pub cid: InteractionId,
    /// The party it is good for.
    pub cnf: Confirmation,
    pub jti: String,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    /// When the person proved itself.
    pub auth_time: u64,
    /// The level.
    pub acr: u8,
    pub methods: Vec<ProofMethod>,
    /// The same in the words of RFC 8176.
    pub amr: Vec<String>,
    /// What it is enough for.
    pub scp: Vec<String>,
}

/// Where an assertion is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    pub tenant: TenantId,
    pub interaction: InteractionId,
    pub leg: LegId,
    /// The one that is good now; every other was replaced or revoked.
    pub current: Option<&'a str>,
}

pub fn sign(key: &SigningKey, claims: &Claims, rng: &dyn SecureRandom) -> Option<String> {
    key.sign(KIND, claims, rng)
}

/// # Errors
/// What is wrong with it; nothing it says is used before the signature holds.
pub fn verify(
    keys: &[SigningKey],
    token: &str,
    place: Place<'_>,
    now: Timestamp,
) -> Result<Claims, TokenFault> {
    let claims: Claims = Unverified::parse(token, KIND)?.verify(keys)?;
    let now = now.as_millis() / 1_000;
    if claims.iss != ISSUER {
        return Err(TokenFault::Claim);
    }
    if claims.aud != place.tenant {
        return Err(TokenFault::Tenant);
    }
    if claims.cid != place.interaction {
        return Err(TokenFault::Interaction);
    }
    if claims.cnf.leg != place.leg {
        return Err(TokenFault::Leg);
    }
    if claims.exp <= now {
        return Err(TokenFault::Expired);
    }
    if claims.nbf > now + SKEW_S || claims.iat > now + SKEW_S || claims.auth_time > now + SKEW_S {
        return Err(TokenFault::NotYet);
    }
    if claims.exp.saturating_sub(claims.iat) > ASSERTION_S_MAX {
        return Err(TokenFault::TooLong);
    }
    if place.current != Some(claims.jti.as_str()) {
        return Err(TokenFault::Revoked);
    }
    Ok(claims)
}
