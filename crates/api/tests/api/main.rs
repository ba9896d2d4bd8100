//! The API over a real listening socket, a real store and a client of our own; only the engine is
//! doubled.

#![allow(clippy::unwrap_used)] // A test that cannot go on says so by panicking.

mod brands;
mod client;
mod contact;
mod crud;
mod events;
mod isolation;
mod operations;
mod people;
mod privacy;
mod proof;
mod push;
mod safety;
mod schedules;
mod scim;
mod sign_in;
mod world;
