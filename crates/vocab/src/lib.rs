//! The vocabulary everything in Crosspoint speaks: typed ids, time, addresses, the configuration
//! snapshot, commands, events, and the words between the engine and its media workers.
//!
//! Pure data: nothing here reads a clock, draws a random number or opens a socket. Ids are drawn
//! from an [`id::IdSource`] that the caller seeds.

pub mod brand;
pub mod card;
pub mod command;
pub mod dialling;
pub mod end;
pub mod erase;
pub mod event;
pub mod id;
pub mod live;
pub mod media;
pub mod model;
pub mod net;
pub mod pace;
pub mod party;
pub mod person;
pub mod pii;
pub mod proof;
pub mod recording;
pub mod refusal;
pub mod safety;
pub mod schedule;
pub mod time;
pub mod trust;
pub mod web;

pub use command::{Command, CommandReply};
pub use end::EndReason;
pub use event::{Event, EventRecord, StreamId};
pub use id::*;
pub use party::Address;
pub use pii::Pii;
pub use refusal::{Code, Refusal};
pub use time::Timestamp;
pub use trust::{Trust, TrustLevel, TrustMethod};
