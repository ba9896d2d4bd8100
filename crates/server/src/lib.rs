//! The server: configuration, wiring, and the thread that drives the engine.

pub mod backend;
pub mod card;
pub mod config;
pub mod customers;
pub mod demo;
pub mod drive;
mod followers;
pub mod identity;
pub mod lent;
pub mod metrics;
mod outside;
pub mod provision;
pub mod push;
mod restore;
mod revocations;
pub mod secrets;
pub mod serve;
pub mod sounds;
mod tail;
pub mod telemetry;
pub mod traces;
