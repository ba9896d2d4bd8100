//! Finds a target by its name.

/// Runs one input.
///
/// # Panics
/// When the target breaks, which is what is looked for, or there is none of that name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = cp_fuzz::TARGETS.iter().find(|(n, _)| *n == name);
    target.expect("a target of that name").1(bytes);
}
