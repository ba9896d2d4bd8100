//! Passwords: argon2id for people, digest HA1 for phones and trunks.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use md5::{Digest, Md5};
use std::fmt::Write;
use std::sync::LazyLock;

/// Shortest password of a person (NIST SP 800-63B asks for 8) and of a phone.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest; argon2 itself would take any length, and hashing megabytes is a way to be slowed down.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// New passwords have to resist a million guesses of somebody who knows the common ones, keyboards, dates
/// and the words about the person (NIST SP 800-63B 3.1.1.2, ASVS 6.2.4, 6.2.11).
const SCORE_MIN: zxcvbn::Score = zxcvbn::Score::Two;
/// What `too_weak` says.
pub const WEAK: &str = "this password is among the first that are guessed, or known from a leak; take several words, or let a password manager make one";
/// Argon2id cost: 19 MiB, two passes, one lane (the OWASP minimum, about 20 ms here).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constant parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether a new password is easily guessed, or on the operator's list of leaked ones. `own` are words that everybody connects with the person: the
/// sign-in name, the name, the house's.
pub fn is_weak(password: &str, own: &[&str]) -> bool {
    let parts = own.iter().flat_map(|w| w.split(['@', '.', ' ', '-', '_']));
    let words: Vec<&str> = own
        .iter()
        .copied()
        .chain(parts)
        .chain(["crosspoint"])
        .filter(|w| w.len() > 2)
        .collect();
    zxcvbn::zxcvbn(password, &words).score() < SCORE_MIN || crate::leaks::holds(password)
}

/// A PHC string for a new password. Takes tens of milliseconds: call it where blocking is allowed.
pub fn hash(password: &str) -> String {
    let mut salt = [0u8; 16];
    super::token::fill_random(&mut salt);
    let salt = SaltString::encode_b64(&salt).expect("16 bytes make a salt");
    hasher()
        .hash_password(password.as_bytes(), &salt)
        .expect("constant parameters")
        .to_string()
}

/// Whether `password` is the one behind `phc`. With `None` (unknown user) or an empty hash (user
/// without a password) the same work is done against a hash that no password has, so that the
/// time tells nothing.
pub fn verify(phc: Option<&str>, password: &str) -> bool {
    static DECOY: LazyLock<String> = LazyLock::new(|| {
        let mut random = [0u8; 32];
        super::token::fill_random(&mut random);
        hash(&super::token::hex(&random))
    });
    let known = phc.filter(|p| !p.is_empty());
    let Ok(parsed) = PasswordHash::new(known.unwrap_or(&DECOY)) else {
        return false;
    };
    let right = hasher()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    right && known.is_some()
}

/// The two digest secrets of a SIP account (RFC 8760): `H(user:realm:password)` in lower-case hex.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestSecrets {
    pub ha1_md5: String,
    pub ha1_sha256: String,
}

/// Computes what is kept of a SIP password; the password itself is not.
pub fn digest_secrets(user: &str, realm: &str, password: &str) -> DigestSecrets {
    let text = format!("{user}:{realm}:{password}");
    let mut ha1_md5 = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        let _ = write!(ha1_md5, "{byte:02x}");
    }
    DigestSecrets {
        ha1_md5,
        ha1_sha256: super::token::hex(&super::token::sha256(text.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_wrong_and_unknown() {
        let phc = hash("correct horse");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(Some(&phc), "correct horse"));
        assert!(!verify(Some(&phc), "correct horsf"));
        assert!(!verify(Some(""), "correct horse"));
        assert!(!verify(None, "correct horse"));
        assert!(!verify(Some("$nonsense"), "correct horse"));
    }

    #[test]
    fn ha1_of_rfc2617_and_rfc7616() {
        // The user, realm and password of RFC 2617 3.5 and of RFC 7616 3.9.1.
        let s = digest_secrets("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(s.ha1_md5, "939e7578ed9e3c518a452acee763bce9");
        let s = digest_secrets("Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(
            s.ha1_sha256,
            "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
        );
    }
}
