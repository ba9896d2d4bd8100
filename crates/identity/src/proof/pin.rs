//! Personal numbers, kept as argon2id (19 MiB, two passes, one lane).

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

pub const DIGITS_MIN: usize = 4;
pub const DIGITS_MAX: usize = 12;

/// Why a new PIN is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WeakPin {
    #[error("a PIN has 4 to 12 digits")]
    Length,
    #[error("a PIN has digits only")]
    Digits,
    #[error("a PIN must not repeat one digit or count up or down")]
    Guessable,
}

/// # Errors
/// What is wrong with it as a new PIN.
pub fn check(pin: &str) -> Result<(), WeakPin> {
    let digits = pin.as_bytes();
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(WeakPin::Digits);
    }
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
        return Err(WeakPin::Length);
    }
    let steps = |by: u8| {
        digits
            .windows(2)
            .all(|w| (w[1].wrapping_sub(w[0]).wrapping_add(10)) % 10 == by)
    };
    if steps(0) || steps(1) || steps(9) {
        return Err(WeakPin::Guessable);
    }
    Ok(())
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(19_456, 2, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string. `salt`: 16 random bytes. Takes tens of milliseconds.
pub fn hash(secret: &str, salt: &[u8; 16]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = argon2()?.hash_password(secret.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether it is the one that was hashed. Takes the same time when it is not.
pub fn verify(secret: &str, phc: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(phc) else {
        return false;
    };
    argon2().is_some_and(|a| a.verify_password(secret.as_bytes(), &parsed).is_ok())
}
