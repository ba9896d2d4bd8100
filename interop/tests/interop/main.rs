//! Real clients against the real program. One binary, a module per kind of thing.

mod clients;
