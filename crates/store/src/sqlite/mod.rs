//! The store on SQLite, inside the binary.

mod options;

pub use options::{Durability, Options};
