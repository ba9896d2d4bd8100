//! Who a customer is and how well it is proven: what each way of proof is worth, what is enough for
//! what is asked, the one signed assertion that goes along with the caller, and what only a proven
//! caller's record may decide (S0.1). Announced calls (S4.3) stand in [`precall`].

pub mod assertion;
pub mod code;
pub mod device;
pub mod fields;
pub mod jws;
pub mod knowledge;
pub mod pairing;
pub mod pin;
pub mod placement;
pub mod precall;
pub mod record;
#[cfg(test)]
mod tests;
pub mod tries;

use cp_vocab::person::ProofMethod;
use cp_vocab::proof::ProofPolicy;

/// The strongest level there is.
pub const LEVEL_MAX: u8 = 4;

/// What a way of proof rests on. Two of different kinds are worth more than two of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Factor {
    Knows,
    Has,
    Is,
}

pub fn factor(method: ProofMethod) -> Factor {
    match method {
        ProofMethod::Knowledge | ProofMethod::Pin => Factor::Knows,
        ProofMethod::Code
        | ProofMethod::Link
        | ProofMethod::Totp
        | ProofMethod::DeviceKey
        | ProofMethod::Announced => Factor::Has,
        ProofMethod::Passkey | ProofMethod::Photo => Factor::Is,
    }
}

/// What a way of proof alone is worth: the policy's word, or the default.
pub fn worth(policy: &ProofPolicy, method: ProofMethod) -> u8 {
    let set = policy.levels.get(&method).copied();
    set.unwrap_or(match method {
        ProofMethod::Knowledge => 1,
        ProofMethod::Code
        | ProofMethod::Link
        | ProofMethod::Pin
        | ProofMethod::Totp
        | ProofMethod::Photo
        | ProofMethod::Announced => 2,
        ProofMethod::DeviceKey | ProofMethod::Passkey => 3,
    })
    .min(LEVEL_MAX)
}

/// The level of several proofs together: the best of them, and one more when two good ones (2 or
/// better) rest on different factors.
pub fn level(policy: &ProofPolicy, methods: impl IntoIterator<Item = ProofMethod>) -> u8 {
    let mut best = 0;
    let mut factors: Vec<Factor> = Vec::new();
    for method in methods {
        let worth = worth(policy, method);
        best = best.max(worth);
        if worth >= 2 && !factors.contains(&factor(method)) {
            factors.push(factor(method));
        }
    }
    if factors.len() >= 2 {
        (best + 1).min(LEVEL_MAX)
    } else {
        best
    }
}

/// The level that what is asked for takes; what the policy does not name takes none.
pub fn needed(policy: &ProofPolicy, intent: &str) -> u8 {
    policy.intents.get(intent).copied().unwrap_or(0)
}

/// Authentication method references (RFC 8176) of our ways of proof.
pub fn amr(method: ProofMethod) -> &'static str {
    match method {
        ProofMethod::Knowledge => "kba",
        ProofMethod::Code | ProofMethod::Link | ProofMethod::Totp => "otp",
        ProofMethod::Pin => "pin",
        ProofMethod::DeviceKey => "swk",
        ProofMethod::Passkey => "hwk",
        ProofMethod::Photo => "face",
        ProofMethod::Announced => "mca",
    }
}
