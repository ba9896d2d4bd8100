//! People who want in, or want us down, over real sockets, while good calls go on. The runs here are
//! short; `make attack` makes them long (`CP_ATTACK` multiplies what is sent).

mod emergency;
mod flood;
mod line;
mod malformed;
mod mutate;
mod scan;
mod sockets;
mod strangers;
mod world;
