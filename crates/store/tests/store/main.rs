//! The store as its callers see it. `conformance` is written against `dyn Store` and holds every
//! implementation; the rest is about SQLite and its disk.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod conformance;
mod crash;
mod faults;
mod migration;
mod sealed;
mod sequences;
mod support;
