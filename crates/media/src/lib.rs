#![cfg_attr(test, allow(clippy::unwrap_used))]
//! Media of Crosspoint, sans-IO: RTP and RTCP, SRTP, jitter buffer, codecs, mixing, digits, prompts
//! and recording. Sockets, clock and threads are the shell's; see [`Node`].

pub mod codec;
pub mod comfort;
pub mod conceal;
pub mod dtmf;
pub mod error;
pub mod jitter;
pub mod latch;
pub mod measure;
pub mod music;
pub mod node;
pub mod record;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stats;
pub mod tones;
pub mod wav;

pub use error::MediaError;
pub use node::{Counters, MediaCommand, Node, NodeConfig, Sink};
pub use record::WriteOp;
