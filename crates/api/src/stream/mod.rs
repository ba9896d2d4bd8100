//! Events as they happen, over WebSocket, resumable by cursor.

pub(crate) mod cloud_event;
pub(crate) mod fanout;
mod leases;
mod scope;
pub(crate) mod socket;

pub(crate) use leases::Leases;
