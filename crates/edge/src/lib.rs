//! The edge: sockets, connections, media workers and the clock. It carries; it decides nothing.
//!
//! Two halves that do not know each other:
//! - [`signalling`]: one object owned by the engine's thread. UDP is read and written in batches on
//!   that thread; TCP, TLS, WS and WSS live in tokio tasks that feed it through one bounded queue.
//! - [`media`]: one thread per core that owns bound port pairs and a media node. Packets go from
//!   socket to node to socket there and never reach the engine.
//!
//! This is the only crate with `unsafe`, and only in [`sys`]: batched socket calls, epoll, eventfd.

pub mod clock;
pub mod error;
pub mod media;
pub mod signalling;
mod sys;
mod wake;

pub use clock::Clock;
pub use error::EdgeError;
pub use media::{MediaConfig, MediaWorkers};
pub use signalling::{ListenConfig, SignalIn, Signalling};
pub use sys::process::raise_file_limit;
pub use wake::Waker;
