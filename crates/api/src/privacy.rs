//! Erasing people, deleting what was kept long enough, and consents. An erasure is a job: it is asked
//! for here, carried out step by step by [`run`], and ends in a signed certificate of what went.

mod consents;
mod erase;
mod ledger;
mod view;

pub use ledger::{Ledger, Repeated};

use crate::operation::Api;
use crate::state::ApiState;
use cp_store::StoreError;
use std::time::Duration;

pub(crate) fn add(api: &mut Api) {
    view::add(api);
    consents::add(api);
}

/// Interactions taken in one step; the progress is written down after each.
const STEP: usize = 100;
/// Open jobs looked at in one round; the rest waits for the next.
const JOBS_PER_ROUND: usize = 20;
/// How often open jobs are looked for, and how often what was kept long enough.
const ROUND: Duration = Duration::from_secs(2);
const SWEEP: Duration = Duration::from_secs(3_600);

/// Carries out erasures and retention until the runtime ends. Jobs that a crash interrupted go on.
pub async fn run(state: ApiState) {
    let mut rounds = tokio::time::interval(ROUND);
    let mut swept: Option<tokio::time::Instant> = None;
    loop {
        rounds.tick().await;
        let due = swept.is_none_or(|at| at.elapsed() >= SWEEP);
        if due {
            swept = Some(tokio::time::Instant::now());
        }
        let worked = if due {
            sweep(&state).await
        } else {
            work(&state).await
        };
        if let Err(e) = worked {
            tracing::warn!(code = e.code(), "erasures and retention have to wait");
        }
    }
}

/// Looks for what was kept long enough, and carries out every open job.
///
/// # Errors
/// An outage of the store, or a file that cannot be deleted; the rest is for the next round.
pub async fn sweep(state: &ApiState) -> Result<(), StoreError> {
    let (now, key) = (state.now(), state.clone());
    state
        .store(move |store| erase::plan_sweeps(store, &key, now))
        .await?;
    work(state).await
}

async fn work(state: &ApiState) -> Result<(), StoreError> {
    let now = state.now();
    let folder = state.0.settings.recordings.clone();
    let ledger = state.0.settings.erasures.clone();
    let _turn = state.0.erasing.lock().await;
    state
        .store(move |store| erase::work(store, &folder, ledger.as_deref(), now))
        .await
}
