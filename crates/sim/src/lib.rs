//! The simulator: the engine of the server under virtual time, with virtual phones, a network that
//! loses and delays, a log that is slow or fails, and restarts. One seed gives one run.

pub mod check;
pub mod house;
pub mod ladder;
pub mod log;
pub mod media;
pub mod network;
pub mod people;
pub mod phone;
pub mod scenario;
pub mod seeds;
pub mod story;
pub mod world;

#[cfg(test)]
mod tests;

pub use check::{Invariant, check_invariants};
pub use phone::{Answer, Phone};
pub use scenario::{play, play_in};
pub use world::{Fault, World};
