//! The newest of the log, for whoever acts beside a call while it is new: pushes, cards, lent numbers. One
//! loop for all; each says what a record means to it. What must see every record keeps a cursor of its own
//! (`traces`, `customers`).

use crate::drive::Handle;
use cp_store::{Store, StoreError};
use cp_vocab::event::{EventRecord, LogPosition};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Records looked at in one round.
const RECORDS_PER_ROUND: usize = 1_000;
/// Records behind the newest at most; calls further back have been answered or have stopped ringing.
const BEHIND_MAX: u64 = 20_000;
/// Pause after the log could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// Acts on records; called where blocking is allowed, inside the runtime.
pub(crate) trait Follow: Send + 'static {
    /// What the operator's log calls it.
    const NAME: &'static str;
    /// A record that failed is shown again.
    fn take(&mut self, record: &EventRecord) -> Result<(), StoreError>;
    /// Too many came at once: records were left out.
    fn passed_over(&mut self) {}
}

struct Tail<F> {
    store: Arc<dyn Store>,
    cursor: u64,
    follower: F,
}

/// Follows from the newest record on until the process ends.
pub(crate) fn start<F: Follow>(
    follower: F,
    store: Arc<dyn Store>,
    handle: &Handle,
    runtime: &tokio::runtime::Handle,
) -> Result<(), StoreError> {
    let cursor = store.head()?;
    let tail = Tail {
        store,
        cursor,
        follower,
    };
    let commits = handle.shared().commits.subscribe();
    runtime.spawn(follow(tail, commits));
    Ok(())
}

async fn follow<F: Follow>(mut tail: Tail<F>, mut commits: watch::Receiver<LogPosition>) {
    loop {
        let look = tokio::task::spawn_blocking(move || {
            let more = tail.look();
            (tail, more)
        });
        // The blocking thread is gone only when the process ends.
        let Ok((back, more)) = look.await else {
            return;
        };
        tail = back;
        match more {
            Ok(true) => {}
            Ok(false) => {
                if commits.changed().await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let code = error.code();
                tracing::warn!(code, follower = F::NAME, "the log cannot be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl<F: Follow> Tail<F> {
    /// Looks at what is new; `true` when there is more.
    fn look(&mut self) -> Result<bool, StoreError> {
        let head = self.store.head()?;
        if head.saturating_sub(self.cursor) > BEHIND_MAX {
            self.cursor = head;
            self.follower.passed_over();
        }
        let records = self.store.follow(self.cursor, RECORDS_PER_ROUND)?;
        let more = records.len() == RECORDS_PER_ROUND;
        for (cursor, record) in records {
            self.follower.take(&record)?;
            self.cursor = cursor;
        }
        Ok(more)
    }
}
