//! Real clients against the real program. One binary, a module per kind of thing.

mod calls;
mod clients;
mod devices;
mod limits;
mod phones;
mod queues;
mod recovery;
mod torture;
mod trunks;
mod world;
