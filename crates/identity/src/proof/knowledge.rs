//! Questions, the last resort: several at once, all right, few tries, and the lowest level.

/// Questions asked at a time, of those that are kept.
pub const ASKED: usize = 2;

/// Answers are compared without case, accents of spacing and punctuation.
pub fn plain(answer: &str) -> String {
    answer
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Which questions are asked now, from random bytes: indices without repetition.
pub fn choose(kept: usize, random: &[u8; 8]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..kept).collect();
    let mut chosen = Vec::new();
    for byte in random.iter().take(ASKED) {
        if left.is_empty() {
            break;
        }
        chosen.push(left.swap_remove(usize::from(*byte) % left.len()));
    }
    chosen
}
