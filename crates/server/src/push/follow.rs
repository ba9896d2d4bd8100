//! Which browsers ring, read off the log: a leg that rings for a person rings at their browsers
//! too, and stops there when it is answered or over. Nothing of this is in the path of a call.

use super::{Failed, Push};
use crate::drive::Handle;
use cp_channels::push::payload::{Message, RingEnd};
use cp_store::{PushRow, StoreError};
use cp_vocab::event::{Direction, LogPosition, StreamId};
use cp_vocab::{AgentId, Event, EventRecord, LegId, TenantId};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Records looked at in one round.
const RECORDS_PER_ROUND: usize = 1_000;
/// Records behind the newest at most; what is further back has stopped ringing.
const BEHIND_MAX: u64 = 20_000;
/// Rings that are remembered until they end; beyond it further ones are not pushed.
const RINGS_MAX: usize = 10_000;
/// Pushes under way at a time; beyond it further ones are left out, for they would come too late.
const SENDS_MAX: usize = 256;
/// How long a ring is kept by a push service, and the notification believes in it.
const RING_S: u32 = 45;
/// Tries of one push when its service asks to wait a moment.
const TRIES_MAX: u32 = 3;
/// Longest wait between two tries.
const WAIT_S_MAX: u32 = 5;
/// Pause after the log could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// A leg that rings, and the browsers that were told.
struct Ring {
    rows: Vec<PushRow>,
}

pub struct Follower {
    push: Arc<Push>,
    sends: Arc<Semaphore>,
    rings: FxHashMap<LegId, Ring>,
    cursor: u64,
}

/// Follows from the newest record on until the process ends.
pub fn start(
    push: Arc<Push>,
    handle: &Handle,
    runtime: &tokio::runtime::Handle,
) -> Result<(), StoreError> {
    let cursor = push.store.head()?;
    let follower = Follower {
        push,
        sends: Arc::new(Semaphore::new(SENDS_MAX)),
        rings: FxHashMap::default(),
        cursor,
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
                tracing::warn!(code = error.code(), "pushes: the log cannot be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Follower {
    /// Looks at what is new; `true` when there is more.
    fn look(&mut self, runtime: &tokio::runtime::Handle) -> Result<bool, StoreError> {
        let head = self.push.store.head()?;
        if head.saturating_sub(self.cursor) > BEHIND_MAX {
            self.cursor = head;
            self.rings.clear();
        }
        let records = self.push.store.follow(self.cursor, RECORDS_PER_ROUND)?;
        let more = records.len() == RECORDS_PER_ROUND;
        for (cursor, record) in records {
            self.take(&record, runtime)?;
            self.cursor = cursor;
        }
        Ok(more)
    }

    fn take(
        &mut self,
        record: &EventRecord,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), StoreError> {
        match &record.event {
            Event::LegAdded {
                leg,
                direction: Direction::Outbound,
                agent: Some(agent),
                ..
            } => self.begin(record, *leg, *agent, runtime),
            Event::LegAnswered { leg, .. } => {
                self.end(*leg, RingEnd::AnsweredElsewhere, runtime);
                Ok(())
            }
            Event::LegEnded { leg, .. } => {
                self.end(*leg, RingEnd::Missed, runtime);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        record: &EventRecord,
        leg: LegId,
        agent: AgentId,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), StoreError> {
        let rows = self.browsers_of(record.tenant, agent)?;
        let StreamId::Interaction(interaction) = record.stream else {
            return Ok(());
        };
        if rows.is_empty() || self.rings.len() >= RINGS_MAX {
            return Ok(());
        }
        let call = self.push.store.interaction(record.tenant, interaction)?;
        let number = call.from.expose().user().to_string();
        let name = call.from_name.map(cp_vocab::Pii::into_inner);
        let message = Message::Ring {
            ring: leg.to_string(),
            title: name.clone().unwrap_or_else(|| number.clone()),
            body: name.map(|_| number),
            picture: None,
            url: format!("/#/answer/{leg}"),
            until_ms: record.at.as_millis() + u64::from(RING_S) * 1_000,
        };
        self.send(&rows, &message, runtime);
        self.rings.insert(leg, Ring { rows });
        Ok(())
    }

    fn end(&mut self, leg: LegId, how: RingEnd, runtime: &tokio::runtime::Handle) {
        if let Some(ring) = self.rings.remove(&leg) {
            let ring_id = leg.to_string();
            let message = Message::RingEnded { ring: ring_id, how };
            self.send(&ring.rows, &message, runtime);
        }
    }

    fn browsers_of(&self, tenant: TenantId, agent: AgentId) -> Result<Vec<PushRow>, StoreError> {
        let snapshot = self.push.store.snapshot()?;
        let agent = snapshot
            .agents
            .iter()
            .find(|a| a.id == agent && a.tenant == tenant);
        match agent.and_then(|a| a.user) {
            Some(user) => self.push.store.push_subscriptions(tenant, user),
            None => Ok(Vec::new()),
        }
    }

    fn send(&self, rows: &[PushRow], message: &Message, runtime: &tokio::runtime::Handle) {
        for row in rows {
            let Ok(permit) = self.sends.clone().try_acquire_owned() else {
                tracing::warn!("a push is left out: too many are under way");
                return;
            };
            let (push, row, message) = (self.push.clone(), row.clone(), message.clone());
            runtime.spawn(async move {
                deliver(&push, &row, &message).await;
                drop(permit);
            });
        }
    }
}

/// A few tries, as long as somebody might still answer.
async fn deliver(push: &Push, row: &PushRow, message: &Message) {
    for _ in 0..TRIES_MAX {
        match push.send(row, message, RING_S).await {
            Ok(()) | Err(Failed::Gone) => return,
            Err(Failed::Later { after_s }) => {
                let wait = Duration::from_secs(after_s.min(WAIT_S_MAX).into());
                tokio::time::sleep(wait).await;
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "a push was not sent");
                return;
            }
        }
    }
}
