//! Rows derived from the log for lists, searches and restarts, written in the same transaction as
//! the records they come from. They can be dropped and built again at any time.

mod rows;

pub use rows::*;
