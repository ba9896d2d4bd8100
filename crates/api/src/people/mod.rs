//! People and programs: how they prove who they are, what they may, and who did what.

mod audit;
mod credentials;
mod factors;
mod form;
mod oauth;
mod oidc;
mod oidc_logout;
mod passkeys;
mod provisioning;
mod sessions;
mod setup;
mod sign_in;
mod step_up;
mod tenants;
mod totp;

use crate::operation::Api;
use crate::session::SessionKind;
use cp_vocab::{SessionId, TenantId, UserId};
pub use setup::SETUP_TOKEN_BYTES;

/// Bytes of a challenge for a passkey.
pub(crate) type Challenge = [u8; cp_identity::webauthn::CHALLENGE_BYTES];

/// What waits for its second half.
pub(crate) enum Step {
    /// The password was right; the second factor is wanted.
    SecondFactor {
        tenant: TenantId,
        user: UserId,
        kind: SessionKind,
        challenge: Challenge,
        tries: u32,
    },
    /// A passkey is to say who signs in.
    Passkey { challenge: Challenge },
    /// A new passkey is to be registered.
    Register { user: UserId, challenge: Challenge },
    /// Somebody is on the way to an identity provider and back.
    Oidc(Box<oidc::Flow>),
    /// A session is to be proven again.
    Again {
        session: SessionId,
        challenge: Challenge,
    },
}

pub(crate) fn add(api: &mut Api) {
    sign_in::add(api);
    step_up::add(api);
    credentials::add(api);
    totp::add(api);
    passkeys::add(api);
    sessions::add(api);
    oauth::add(api);
    oidc::add(api);
    oidc_logout::add(api);
    tenants::add(api);
    audit::add(api);
    setup::add(api);
}

pub(crate) use factors::Factors;
pub(crate) use sign_in::{SecondFactorNeeded, needed};

fn challenge() -> Challenge {
    let mut challenge = Challenge::default();
    crate::auth::token::fill_random(&mut challenge);
    challenge
}
