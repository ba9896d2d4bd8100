//! The client against real servers on loopback, well-behaved and hostile ones.

#![allow(clippy::unwrap_used)] // helpers of tests, which the lint takes for production code

mod places;
mod server;
mod talk;
