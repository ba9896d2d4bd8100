//! One interaction: legs, bridge, hold, transfer, consult, conference, park, supervision, prompts,
//! and the shared state of related calls (S1.3).
//!
//! It knows legs, never SIP or SQL. What becomes true is an [`Event`](cp_vocab::Event); the durable
//! [`State`] changes only by [`State::apply`], live and in replay alike, so that replay is a test
//! and not a second implementation. Everything else (who hears whom, which music plays) is derived.

pub mod directory;
pub mod io;
mod machine;
pub mod shared;
pub mod state;
mod switched;
pub mod topology;

pub use directory::{Directory, Resolved};
pub use io::{Input, LegCommand, LegEvent, Output, RouteAsk, RouteEvent, TimerKind};
pub use machine::{Ctx, Interaction};
pub use state::{Leg, LegStatus, Room, State};

#[cfg(test)]
mod tests;
