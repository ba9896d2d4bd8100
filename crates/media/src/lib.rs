//! Media of Crosspoint, sans-IO: RTP and RTCP, SRTP, jitter buffer, codecs, mixing, digits, prompts
//! and recording. Sockets, clock and threads are the shell's; see [`Node`].

pub mod error;
pub mod latch;
pub mod node;
pub mod record;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stats;

pub use error::MediaError;
pub use node::{Counters, MediaCommand, Node, NodeConfig, Sink};
pub use record::WriteOp;
