//! Customers and their proof over HTTP: what agents see and ask, what customers' browsers and apps
//! bring, the rules, and announced calls. What is decided, is decided by [`cp_proof`].

mod calls;
mod channel;
mod credentials;
mod keys;
mod policy;
mod precall;
mod published;

use crate::operation::Api;
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use cp_proof::{Desk, ProofError};
use cp_vocab::Code;

pub(crate) use precall::places;

pub(crate) const TAG: &str = "Proof";

pub(crate) fn add(api: &mut Api) {
    calls::add(api);
    credentials::add(api);
    channel::add(api);
    policy::add(api);
    precall::add(api);
    keys::add(api);
}

/// Runs a call of the proof desk where blocking is allowed.
async fn desk<T: Send + 'static>(
    state: &ApiState,
    call: impl FnOnce(&Desk) -> cp_proof::Result<T> + Send + 'static,
) -> Reply<T> {
    let desk = state.proofs()?;
    let done = state.store(move |_| call(&desk)).await;
    done.map_err(problem)
}

fn problem(error: ProofError) -> Problem {
    match error {
        ProofError::Store(e) => e.into(),
        ProofError::Locked { wait_s } => {
            Problem::new(Code::TooManyRequests, error.to_string()).retry_after_s(wait_s)
        }
        ProofError::Crypto => {
            tracing::error!(%error, "proof");
            Problem::new(Code::Internal, error.to_string())
        }
        other => Problem::new(other.code(), other.to_string()),
    }
}
