//! Ways out of the house that are not a call: one adapter module each. The modules encode and judge;
//! what goes over HTTP goes through the guarded client of `cp-fetch`, driven by the server.

pub mod push;
