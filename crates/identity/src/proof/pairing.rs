//! Tying a data channel to a live call: the channel repeats a number of the call, the caller's own
//! or a short one that was spoken to the caller, and nothing else (S0.1 rule 2).

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Digits of the spoken number.
pub const SPOKEN_DIGITS: usize = 4;
/// Wrong numbers before the data channel is closed.
pub const TRIES_MAX: u32 = 3;

/// A number to be spoken, from 4 random bytes.
pub fn spoken(random: [u8; 4]) -> String {
    format!("{:04}", u32::from_be_bytes(random) % 10_000)
}

fn plain(number: &str) -> String {
    number
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '+')
        .collect()
}

/// Whether the number repeated over the data channel is one of the live call.
pub fn matches(repeated: &str, caller: &str, spoken: Option<&str>) -> bool {
    let repeated = plain(repeated);
    let same = |of: &str| {
        let of = plain(of);
        !of.is_empty() && verify_slices_are_equal(repeated.as_bytes(), of.as_bytes()).is_ok()
    };
    let by_caller = same(caller);
    let by_spoken = spoken.is_some_and(same);
    by_caller || by_spoken
}
