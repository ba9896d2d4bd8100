//! Real clients against the real program. One binary, a module per kind of thing.

mod calls;
mod card;
mod clients;
mod devices;
mod emergency;
mod far;
mod identity;
mod limits;
mod parking;
mod phones;
mod proof;
mod queues;
mod recovery;
mod stir;
mod supervision;
mod torture;
mod trunks;
mod workers;
mod world;
