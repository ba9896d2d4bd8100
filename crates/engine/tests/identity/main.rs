//! Call identity in whole calls: SIP messages in, SIP messages and records out.
#![allow(clippy::unwrap_used)]

mod bench;
mod card;
mod forwarding;
mod incoming;
mod outgoing;
