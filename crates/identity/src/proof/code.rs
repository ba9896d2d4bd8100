//! One-time codes and links: drawn by the caller's random bytes, kept as hashes.

use crate::b64;
use aws_lc_rs::digest::{SHA256, digest};

/// Digits of a code: 26 bits, more than the 20 that are asked for, and easy to key in.
pub const CODE_DIGITS: usize = 8;

/// A code from 8 random bytes.
pub fn code(random: [u8; 8]) -> String {
    let most = 10u64.pow(CODE_DIGITS as u32);
    // The bias of the remainder is below one in 10^11.
    format!("{:08}", u64::from_be_bytes(random) % most)
}

/// A link's or channel's token from 32 random bytes.
pub fn token(random: &[u8; 32]) -> String {
    b64::encode(random)
}

/// What is kept of a secret: bound to what it is for, so that a code of one call opens no other.
pub fn key(purpose: &str, secret: &str) -> [u8; 32] {
    let text = format!("{}:{purpose}:{secret}", purpose.len());
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

/// What people key in or type: spaces and dashes do not count.
pub fn plain(entered: &str) -> String {
    entered
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect()
}
