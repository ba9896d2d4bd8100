//! Secrets that programs and browsers show: random, prefixed, kept only as SHA-256.

use aws_lc_rs::{constant_time, digest, rand};

/// What every API key starts with, so that scanners find one that leaked.
pub const API_KEY_PREFIX: &str = "cp_";
/// What every session token starts with.
pub const SESSION_PREFIX: &str = "cps_";
/// What every token of an OAuth 2 client starts with.
pub const ACCESS_PREFIX: &str = "cpa_";
/// What every secret of an OAuth 2 client starts with.
pub const CLIENT_PREFIX: &str = "cpc_";
/// What the token of a step of signing in starts with.
pub const STEP_PREFIX: &str = "cpx_";
/// Random bytes in a token.
const SECRET_BYTES: usize = 32;

/// Fills `out` from the operating system.
///
/// # Panics
/// When the operating system has no randomness, in which case nothing safe can go on.
pub fn fill_random(out: &mut [u8]) {
    rand::fill(out).expect("the operating system gives randomness");
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0u8; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        out.push(DIGITS[(b >> 4) as usize] as char);
        out.push(DIGITS[(b & 15) as usize] as char);
    }
    out
}

/// A new secret with a prefix.
pub fn generate(prefix: &str) -> String {
    let mut bytes = [0u8; SECRET_BYTES];
    fill_random(&mut bytes);
    format!("{prefix}{}", hex(&bytes))
}

/// The CSRF value of a session: derived from its token, so nothing more is kept, and useless to
/// whoever cannot read answers of this origin.
pub fn csrf(session_token: &str) -> String {
    hex(&sha256(format!("csrf:{session_token}").as_bytes())[..16])
}

/// Compares without telling by the time where the difference is.
pub fn same(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_hash() {
        let (a, b) = (generate(API_KEY_PREFIX), generate(API_KEY_PREFIX));
        assert_ne!(a, b);
        assert_eq!(a.len(), 3 + 64);
        assert_eq!(
            hex(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(same(&csrf(&a), &csrf(&a)) && !same(&csrf(&a), &csrf(&b)));
    }
}
