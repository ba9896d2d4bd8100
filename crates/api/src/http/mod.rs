//! Sockets, headers and static files around the operations.

pub(crate) mod connection;
pub(crate) mod layers;
pub(crate) mod serve;
pub(crate) mod web;
