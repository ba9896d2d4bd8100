//! Announced calls (S4.3): tokens by which a caller says beforehand from which number it will call,
//! and our own signed notices when the house is the caller.

use super::jws::{SigningKey, TokenFault, Unverified, sign_shared};
use aws_lc_rs::rand::SecureRandom;
use cp_vocab::proof::CallerPartner;
use cp_vocab::*;
use serde::{Deserialize, Serialize};

pub const KIND: &str = "cp-precall+jwt";
pub const NOTICE_KIND: &str = "cp-precall-notice+jwt";
/// A token is made for now: its time may differ from ours by this much.
pub const SKEW_S: u64 = 60;
/// Bytes of a nonce, at least and at most.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;
/// Characters of an identifier, a name, a reason at most.
const TEXT_MAX: usize = 200;

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Announcement {
    /// The nonce: a token is good once.
    pub jti: String,
    pub iat: u64,
    /// Until when the call may come.
    pub exp: u64,
    /// The identifier the caller chose: what the call will show as its caller.
    pub from: Pii<String>,
    /// The number that will be called; any of the tenant without it.
    #[serde(default)]
    pub to: Option<Pii<String>>,
    /// Who calls, as far as it says so: what verifies the user.
    #[serde(default)]
    pub name: Option<Pii<String>>,
    #[serde(default)]
    pub reason: Option<Pii<String>>,
    /// An identity of the customer on whose behalf it calls (`email:…`, `account:…`).
    #[serde(default)]
    pub customer: Option<Pii<String>>,
}

/// The one form of an identifier: numbers without separators, names as they are.
pub fn identifier(text: &str) -> String {
    let text = text.trim();
    let number = |c: char| c.is_ascii_digit() || " +-.()/".contains(c);
    if text.chars().all(number) {
        text.chars()
            .filter(|c| c.is_ascii_digit() || *c == '+')
            .collect()
    } else {
        text.to_lowercase()
    }
}

/// Whose token it says it is: for looking up the secret, nothing else.
pub fn partner_of(token: &str) -> Option<CallerPartnerId> {
    Unverified::parse(token, KIND).ok()?.kid.parse().ok()
}

/// # Errors
/// Why no record is made.
pub fn verify(
    token: &str,
    partner: &CallerPartner,
    now: Timestamp,
) -> Result<Announcement, TokenFault> {
    let secret = crate::b64::decode(partner.secret.expose()).ok_or(TokenFault::UnknownKey)?;
    let said: Announcement = Unverified::parse(token, KIND)?.verify_shared(&secret)?;
    let now = now.as_millis() / 1_000;
    if partner.disabled {
        return Err(TokenFault::Revoked);
    }
    if said.exp <= now || said.iat + SKEW_S < now {
        return Err(TokenFault::Expired);
    }
    if said.iat > now + SKEW_S {
        return Err(TokenFault::NotYet);
    }
    if said.exp.saturating_sub(said.iat) > partner.valid_s_max.into() {
        return Err(TokenFault::TooLong);
    }
    let long = |t: &Option<Pii<String>>| t.as_ref().is_some_and(|t| t.0.chars().count() > TEXT_MAX);
    let from = identifier(said.from.expose());
    let fits = NONCE.contains(&said.jti.len())
        && (1..=TEXT_MAX).contains(&from.chars().count())
        && ![&said.to, &said.name, &said.reason, &said.customer]
            .iter()
            .any(|t| long(t));
    if fits {
        Ok(said)
    } else {
        Err(TokenFault::Claim)
    }
}

/// A token as a partner makes it.
pub fn announce(partner: &CallerPartner, said: &Announcement) -> Option<String> {
    let secret = crate::b64::decode(partner.secret.expose())?;
    sign_shared(&partner.id.to_string(), KIND, said, &secret)
}

/// What the house tells somebody it is about to call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The house, by its name.
    pub iss: String,
    pub tenant: TenantId,
    pub jti: String,
    pub iat: u64,
    pub exp: u64,
    /// The number the call will show.
    pub from: Pii<String>,
    /// The number that will ring.
    pub to: Pii<String>,
    #[serde(default)]
    pub reason: Option<Pii<String>>,
}

pub fn sign_notice(key: &SigningKey, notice: &Notice, rng: &dyn SecureRandom) -> Option<String> {
    key.sign(NOTICE_KIND, notice, rng)
}

/// # Errors
/// Why it is no notice of ours, or no longer one.
pub fn verify_notice(
    keys: &[SigningKey],
    token: &str,
    now: Timestamp,
) -> Result<Notice, TokenFault> {
    let notice: Notice = Unverified::parse(token, NOTICE_KIND)?.verify(keys)?;
    let now = now.as_millis() / 1_000;
    if notice.exp <= now {
        return Err(TokenFault::Expired);
    }
    if notice.iat > now + SKEW_S {
        return Err(TokenFault::NotYet);
    }
    Ok(notice)
}
