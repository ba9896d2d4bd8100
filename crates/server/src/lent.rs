//! A call to a number that was lent to a page carries that page's context (S4.2): read off the log,
//! told to the call before it is offered to anybody who takes a second to answer. Nothing of this is
//! in the path of a call.

use crate::drive::{Handle, Message};
use cp_store::{Store, StoreError};
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::event::{EventRecord, LogPosition, StreamId};
use cp_vocab::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Records looked at in one round.
const RECORDS_PER_ROUND: usize = 1_000;
/// Records behind the newest at most; calls further back have been answered long ago.
const BEHIND_MAX: u64 = 20_000;
/// Pause after the log could not be read.
const RETRY: Duration = Duration::from_secs(1);

struct Follower {
    store: Arc<dyn Store>,
    handle: Handle,
    ids: IdSource,
    cursor: u64,
}

/// Follows from the newest record on until the process ends.
pub fn start(
    store: Arc<dyn Store>,
    handle: &Handle,
    ids: IdSource,
    runtime: &tokio::runtime::Handle,
) -> Result<(), StoreError> {
    let follower = Follower {
        cursor: store.head()?,
        store,
        handle: handle.clone(),
        ids,
    };
    let commits = handle.shared().commits.subscribe();
    runtime.spawn(follow(follower, commits));
    Ok(())
}

async fn follow(mut follower: Follower, mut commits: tokio::sync::watch::Receiver<LogPosition>) {
    loop {
        let look = tokio::task::spawn_blocking(move || {
            let more = follower.look();
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
                tracing::warn!(code = error.code(), "lent numbers: the log cannot be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Follower {
    /// Looks at what is new; `true` when there is more.
    fn look(&mut self) -> Result<bool, StoreError> {
        let head = self.store.head()?;
        if head.saturating_sub(self.cursor) > BEHIND_MAX {
            self.cursor = head;
        }
        let records = self.store.follow(self.cursor, RECORDS_PER_ROUND)?;
        let more = records.len() == RECORDS_PER_ROUND;
        for (cursor, record) in records {
            self.take(&record)?;
            self.cursor = cursor;
        }
        Ok(more)
    }

    fn take(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        let (
            Event::Started {
                number: Some(_),
                to,
                ..
            },
            StreamId::Interaction(interaction),
        ) = (&record.event, record.stream)
        else {
            return Ok(());
        };
        let (tenant, at) = (record.tenant, record.at);
        let Some(lease) = self.store.number_lease(tenant, to.0.user(), at)? else {
            return Ok(());
        };
        let context = match (&lease.contact, &lease.account) {
            (Some(contact), _) => self.store.contact(tenant, *contact)?.context.0,
            (None, Some(account)) => serde_json::json!({ "account": account.0 }),
            (None, None) => return Ok(()),
        };
        let envelope = CommandEnvelope {
            id: self.ids.next(at),
            tenant,
            actor: Actor::System,
            command: Command::TellContext {
                interaction,
                subject: lease.contact.map(|c| c.to_string()),
                context: context.to_string(),
            },
        };
        // Nobody waits for the answer; a call that is over by now needs no context.
        let (reply, _) = oneshot::channel();
        if !self.handle.send(Message::Command { envelope, reply }) {
            tracing::warn!("the engine is busy: a call came without its page's context");
        }
        Ok(())
    }
}
