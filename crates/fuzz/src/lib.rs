//! What is fuzzed: one plain function for each place where bytes come in from outside. A target
//! must neither panic nor run away, whatever it is given; some check more (what is written is read
//! back as the same).
//!
//! `cargo test -p cp-fuzz` gives each a bounded number of mutated inputs from `fuzz/corpus`, the same for
//! the same seed; `make fuzz` runs them under libFuzzer for as long as one likes. An input that
//! broke something is put into the corpus and is tried in every run from then on.

pub mod mutate;
mod targets;

pub use targets::{TARGETS, Target};

#[cfg(test)]
mod tests;
