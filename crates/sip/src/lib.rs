//! SIP, without sockets, clock or randomness of its own: messages, transactions, dialogs, the user
//! agent, and SDP as a pure function. What arrives comes in as bytes with a time; what is to be sent
//! goes out as bytes with a target.

pub mod build;
pub mod digest;
pub mod framer;
pub mod header;
pub mod header_value;
pub mod message;
pub mod sdp;
pub mod uri;
pub mod validate;

pub mod dialog;
pub mod locate;
pub mod transaction;
pub mod ua;

mod accounts;
mod io;
mod limits;
mod registrar;
mod table;
mod text;
mod timer;
mod trunk;
