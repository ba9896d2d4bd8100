//! Customers' proofs beside the calls: a follower of events that asks callers for proof, counts
//! their tries, keeps who is proven in which call, and tells the engine by commands. What counts as
//! proof is decided in `cp_identity::proof`, what is known lies in the store; this carries.
//!
//! Everything here blocks (the store, a password hash, a mail server): it is called where blocking
//! is allowed, and one call's work is done one after the other.

mod ask;
mod channel;
mod credential;
mod customer;
mod desk;
mod enrol;
mod error;
mod follow;
mod keys;
mod message;
mod precall;
mod settle;
mod verify;

pub use channel::{ChannelProof, ChannelState, Opened, Upgrade};
pub use credential::{CredentialView, NewCredential};
pub use customer::{Allowed, CustomerView, ProofView, Question};
pub use desk::{Desk, Engine, Parts, Settings};
pub use error::{ProofError, Result};
pub use keys::KeyRenewed;
pub use message::{Messages, Route, SendFault};
pub use precall::{NoticeMade, NoticeWish};
pub use verify::{Entry, Witnessed};
