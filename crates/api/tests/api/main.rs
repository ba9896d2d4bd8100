//! The API over a real listening socket, a real store and a client of our own; only the engine is
//! doubled.

mod client;
mod crud;
mod events;
mod isolation;
mod operations;
mod sign_in;
mod world;
