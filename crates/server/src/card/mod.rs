//! Content of ring cards that lies elsewhere (S3.1): pictures, business cards and what a link
//! brings, fetched while it rings and told to the call. Nothing of this is in the path of a call:
//! a telephone rings at once, and what comes too late is not shown any more.

mod content;
mod pictures;

pub use pictures::Pictures;

use crate::drive::Handle;
use crate::tail::{self, Follow};
use content::Wanted;
use cp_edge::Clock;
use cp_fetch::Client;
use cp_identity::canonical::canonical;
use cp_store::{Store, StoreError};
use cp_vocab::event::{EventRecord, StreamId};
use cp_vocab::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Contents being fetched at a time; further ones are told to be missing (`busy`).
const FETCHES_MAX: usize = 128;
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
        store: store.clone(),
    };
    tail::start(follower, store, handle, runtime)
}

impl Follow for Follower {
    const NAME: &'static str = "cards";

    fn take(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        for wanted in Wanted::of(record, || self.caller(record)) {
            let cards = self.cards.clone();
            tokio::spawn(async move { cards.bring(wanted).await });
        }
        Ok(())
    }
}

impl Follower {
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
