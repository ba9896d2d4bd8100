//! Crosspoint from outside: real clients against the real program.
//!
//! A test starts a [`Server`] with a provisioning document on free ports, drives SIPp
//! ([`sipp::Sipp`]), baresip ([`phone::Phone`]) and Kamailio ([`kamailio::Kamailio`]) against it,
//! measures what each phone hears ([`tone`]), and reads the event log by the HTTP API. Nothing here
//! knows a crate of the product. Waiting is by condition with a deadline ([`wait::until`]).
//!
//! The helpers panic with a message that names what was awaited and shows the client's log: they
//! are the assertions of the tests.

pub mod digest;
pub mod events;
pub mod http;
pub mod kamailio;
pub mod phone;
pub mod ports;
pub mod probe;
pub mod process;
pub mod server;
pub mod sipp;
pub mod tone;
pub mod wait;

pub use events::Trail;
pub use phone::Phone;
pub use server::Server;
pub use sipp::Sipp;
