//! Content of ring cards that lies elsewhere (S3.1): pictures, business cards and what a link
//! brings, fetched while it rings and told to the call. Nothing of this is in the path of a call:
//! a telephone rings at once, and what comes too late is not shown any more.

mod content;
mod pictures;

pub use pictures::Pictures;

use crate::drive::Handle;
use content::Wanted;
use cp_edge::Clock;
use cp_fetch::Client;
use cp_identity::canonical::canonical;
use cp_store::{Store, StoreError};
use cp_vocab::event::{EventRecord, LogPosition, StreamId};
use cp_vocab::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Records looked at in one round.
const RECORDS_PER_ROUND: usize = 1_000;
/// Records behind the newest at most; calls further back have stopped ringing.
const BEHIND_MAX: u64 = 20_000;
/// Contents being fetched at a time; further ones are told to be missing (`busy`).
const FETCHES_MAX: usize = 128;
/// Pause after the log could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// What fetching needs, shared by all that is under way.
pub(crate) struct Cards {
    client: Client,
    pictures: Arc<Pictures>,
    handle: Handle,
    ids: Mutex<IdSource>,
    clock: Clock,
    /// From the call's arrival to the last moment in which content is shown.
    wait: Duration,
    fetches: Semaphore,
}

struct Follower {
    cards: Arc<Cards>,
    store: Arc<dyn Store>,
    cursor: u64,
}

/// What [`start`] needs beside the store.
pub struct Parts {
    pub client: Client,
    pub pictures: Arc<Pictures>,
    pub clock: Clock,
    pub ids: IdSource,
    /// How long content may take.
    pub wait: Duration,
}

/// Follows from the newest record on until the process ends.
pub fn start(
    parts: Parts,
    store: Arc<dyn Store>,
    handle: &Handle,
    runtime: &tokio::runtime::Handle,
) -> Result<(), StoreError> {
    let cards = Cards {
        client: parts.client,
        pictures: parts.pictures,
        handle: handle.clone(),
        ids: Mutex::new(parts.ids),
        clock: parts.clock,
        wait: parts.wait,
        fetches: Semaphore::new(FETCHES_MAX),
    };
    let follower = Follower {
        cards: Arc::new(cards),
        cursor: store.head()?,
        store,
    };
    let commits = handle.shared().commits.subscribe();
    runtime.spawn(follow(follower, commits));
    Ok(())
}

async fn follow(mut follower: Follower, mut commits: tokio::sync::watch::Receiver<LogPosition>) {
    loop {
        let runtime = tokio::runtime::Handle::current();
        let look = tokio::task::spawn_blocking(move || {
            let more = follower.look(&runtime);
            (follower, more)
        });
        // The blocking thread is gone only when the process ends.
        let Ok((back, more)) = look.await else {
            return;
        };
        follower = back;
        match more {
            Ok(true) => {}
            Ok(false) => {
                if commits.changed().await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "cards: the log cannot be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Follower {
    /// Looks at what is new; `true` when there is more.
    fn look(&mut self, runtime: &tokio::runtime::Handle) -> Result<bool, StoreError> {
        let head = self.store.head()?;
        if head.saturating_sub(self.cursor) > BEHIND_MAX {
            self.cursor = head;
        }
        let records = self.store.follow(self.cursor, RECORDS_PER_ROUND)?;
        let more = records.len() == RECORDS_PER_ROUND;
        for (cursor, record) in records {
            for wanted in Wanted::of(&record, || self.caller(&record)) {
                let cards = self.cards.clone();
                runtime.spawn(async move { cards.bring(wanted).await });
            }
            self.cursor = cursor;
        }
        Ok(more)
    }

    /// The caller of a call in canonical form.
    fn caller(&self, record: &EventRecord) -> Option<String> {
        let StreamId::Interaction(id) = record.stream else {
            return None;
        };
        let call = self.store.interaction(record.tenant, id).ok()?;
        let found = canonical(call.from.expose().user(), None)?;
        Some(found.as_str().to_string())
    }
}
