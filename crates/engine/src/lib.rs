//! The engine: composes SIP, interactions and routing into one machine with one closed input and
//! one closed output. It reads no clock, opens no socket and awaits nothing; the server and the
//! simulator drive the same code.

mod arrival;
mod attempt;
mod calls;
mod card;
mod command;
mod core;
mod device;
mod divert;
mod emergency;
mod gate;
pub mod guard;
mod identity;
pub mod index;
mod io;
mod leg;
mod live;
mod lookup;
mod media;
mod outbound;
mod outgoing;
mod place;
mod ports;
mod recent;
mod registration;
mod reports;
mod restore;
mod route;
mod run;
mod seats;
mod sipdir;
mod status;
mod switch;
mod web;
mod workers;

pub use core::{Engine, EngineConfig, Stats};
pub use identity::IdentityConfig;
pub use io::{Forwarded, Input, Note, Output, Restore};
pub use lookup::PARK_SLOTS;
pub use recent::RECENT_MAX;
pub use reports::Reported;
pub use switch::FETCH_CODE;

#[cfg(test)]
mod tests;
