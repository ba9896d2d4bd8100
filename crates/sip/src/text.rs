//! Tags and branches of ours (64 random bits in base 32), and hashing of what strangers choose.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 13 digits of 5 bits hold 64.
pub(crate) const TOKEN_LEN: usize = 13;

/// Writes 64 bits as a token of [`TOKEN_LEN`] characters.
pub(crate) fn push_token(out: &mut String, value: u64) {
    for i in (0..TOKEN_LEN).rev() {
        out.push(char::from(DIGITS[((value >> (5 * i)) & 31) as usize]));
    }
}

pub(crate) fn token(value: u64) -> String {
    let mut out = String::with_capacity(TOKEN_LEN);
    push_token(&mut out, value);
    out
}

/// Reads what [`push_token`] wrote; `None` for a token that is not one of ours.
pub(crate) fn token_value(text: &str) -> Option<u64> {
    if text.len() != TOKEN_LEN {
        return None;
    }
    let mut value: u64 = 0;
    for (i, c) in text.bytes().enumerate() {
        let digit = match c {
            b'a'..=b'z' => c - b'a',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        if i == 0 && digit > 15 {
            return None;
        }
        value = (value << 5) | u64::from(digit);
    }
    Some(value)
}

/// The value in a branch of ours.
pub(crate) fn branch_value(branch: &str) -> Option<u64> {
    token_value(branch.strip_prefix("z9hG4bK")?)
}

/// A keyed 128-bit hash (SipHash twice), so that strangers cannot choose texts that collide.
pub(crate) fn keyed_hash(secret: u64, text: &str) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(secret ^ salt);
        hasher.write(text.as_bytes());
        hasher.finish()
    };
    (u128::from(half(0)) << 64) | u128::from(half(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        for value in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(token_value(&token(value)), Some(value));
        }
        for bad in ["", "abc", "zzzzzzzzzzzzz", "aaaaaaaaaaaa1", "AAAAAAAAAAAAA"] {
            assert_eq!(token_value(bad), None, "{bad}");
        }
        assert_ne!(keyed_hash(1, "a"), keyed_hash(2, "a"));
    }
}
