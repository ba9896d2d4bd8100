//! The client against real servers on loopback, well-behaved and hostile ones.

mod places;
mod server;
mod talk;
