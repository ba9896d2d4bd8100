#![cfg_attr(test, allow(clippy::unwrap_used))]
//! Media of Crosspoint, sans-IO: RTP and RTCP, SRTP, jitter buffer, codecs, mixing, digits, prompts
//! and recording. Sockets, clock, files and threads are the shell's; see [`Node`].
//!
//! The path of a packet: [`Node::receive`] finds the leg by its port, the latch judges the source, SRTP
//! is taken off, [`stats`] tells new from old. If exactly one leg hears it in the same codec, the
//! payload goes out at once under that leg's own numbers. If it is mixed, transcoded, recorded or
//! listened to for digits, it also goes into the leg's [`jitter::Playout`], and every 20 ms
//! [`Node::tick`] decodes a frame of each such leg, sums mixes once per rate, takes each hearer's own
//! voice out, encodes (once for all who hear the same) and sends.

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
pub mod peer;
pub mod record;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod seats;
pub mod srtp;
pub mod stats;
pub mod tones;
pub mod wav;

pub use error::MediaError;
pub use node::{Counters, MediaCommand, MovingLeg, Node, NodeConfig, PeerConfig, Sink};
pub use record::WriteOp;
