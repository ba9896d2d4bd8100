//! Which browsers ring, read off the log: a leg that rings for a person rings at their browsers
//! too, and stops there when it is answered or over. Nothing of this is in the path of a call.

use super::{Failed, Push};
use crate::drive::Handle;
use crate::tail::{self, Follow};
use cp_channels::push::payload::{Message, RingEnd};
use cp_identity::rcd::inert;
use cp_store::{PushRow, StoreError};
use cp_vocab::card::RingCard;
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::event::{Direction, StreamId};
use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Rings that are remembered until they end; beyond it further ones are not pushed.
const RINGS_MAX: usize = 10_000;
/// Pushes under way at a time; further ones wait their turn.
const SENDS_MAX: usize = 256;
/// How long a ring is kept by a push service, and the notification believes in it.
const RING_S: u32 = 45;
/// Records of a call that are looked through for its card: it is among the first.
const CARD_RECORDS_MAX: usize = 200;
/// Longest name or number that is told.
const TITLE_CHARS_MAX: usize = 128;
/// Tries of one push when its service asks to wait a moment.
const TRIES_MAX: u32 = 3;
/// Longest wait between two tries.
const WAIT_S_MAX: u32 = 5;
/// Messages of one ring that may wait for its browser's push service: the ring, what comes to its
/// card, its end. What comes to the card is left out when there is no room.
const MESSAGES_MAX: usize = 6;

/// A leg that rings, and the ways to the browsers that were told.
struct Ring {
    tenant: TenantId,
    interaction: InteractionId,
    browsers: Vec<mpsc::Sender<Message>>,
}

/// What all sends share.
struct Line {
    push: Arc<Push>,
    handle: Handle,
    ids: Mutex<IdSource>,
    sends: Semaphore,
}

pub struct Follower {
    line: Arc<Line>,
    rings: FxHashMap<LegId, Ring>,
}

/// Follows from the newest record on until the process ends.
pub fn start(
    push: Arc<Push>,
    handle: &Handle,
    ids: IdSource,
    runtime: &tokio::runtime::Handle,
) -> Result<(), StoreError> {
    let store = push.store.clone();
    let line = Line {
        push,
        handle: handle.clone(),
        ids: Mutex::new(ids),
        sends: Semaphore::new(SENDS_MAX),
    };
    let follower = Follower {
        line: Arc::new(line),
        rings: FxHashMap::default(),
    };
    tail::start(follower, store, handle, runtime)
}

impl Follow for Follower {
    const NAME: &'static str = "pushes";

    fn take(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        match &record.event {
            Event::LegAdded {
                leg,
                direction: Direction::Outbound,
                agent: Some(agent),
                ..
            } => self.begin(record, *leg, *agent),
            Event::CardContent { fault: None, .. } => self.renew(record),
            Event::LegAnswered { leg, .. } => {
                self.end(*leg, RingEnd::AnsweredElsewhere);
                Ok(())
            }
            Event::LegEnded { leg, .. } => {
                self.end(*leg, RingEnd::Missed);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nobody can say any more which of them still ring.
    fn passed_over(&mut self) {
        self.rings.clear();
    }
}

impl Follower {
    fn begin(
        &mut self,
        record: &EventRecord,
        leg: LegId,
        agent: AgentId,
    ) -> Result<(), StoreError> {
        let rows = self.browsers_of(record.tenant, agent)?;
        let StreamId::Interaction(interaction) = record.stream else {
            return Ok(());
        };
        if rows.is_empty() || self.rings.len() >= RINGS_MAX {
            return Ok(());
        }
        let mut ring = Ring {
            tenant: record.tenant,
            interaction,
            browsers: Vec::with_capacity(rows.len()),
        };
        let message = self.message(&ring, leg, record.at, false)?;
        for row in rows {
            let (way, messages) = mpsc::channel(MESSAGES_MAX);
            // The channel is empty: there is room.
            let _ = way.try_send(message.clone());
            tokio::spawn(speak(self.line.clone(), row, agent, messages));
            ring.browsers.push(way);
        }
        self.rings.insert(leg, ring);
        Ok(())
    }

    /// What is told of a call that rings: as its card has it by now.
    fn message(
        &self,
        ring: &Ring,
        leg: LegId,
        at: Timestamp,
        renewed: bool,
    ) -> Result<Message, StoreError> {
        let store = &self.line.push.store;
        let call = store.interaction(ring.tenant, ring.interaction)?;
        let stream = StreamId::Interaction(ring.interaction);
        let mut card: Option<RingCard> = None;
        for record in store.stream(stream, 1, CARD_RECORDS_MAX)? {
            match &mut card {
                None => card = RingCard::begun(&record.event),
                Some(card) => {
                    card.add(&record.event);
                }
            }
        }
        let outbound = call.direction == Direction::Outbound;
        let other = if outbound { &call.to } else { &call.from };
        let number = other.expose().user().to_string();
        let told = call.from_name.filter(|_| !outbound).map(Pii::into_inner);
        let (name, reason, picture) = match card {
            Some(c) => (c.name.map(Pii::into_inner), c.reason, c.picture),
            None => (None, None, None),
        };
        let name = name.or(told).map(|n| inert(&n, TITLE_CHARS_MAX));
        let number = inert(&number, TITLE_CHARS_MAX);
        let reason = reason.map(Pii::into_inner);
        let beside = name.as_ref().map(|_| number.clone());
        let body: Vec<String> = reason.into_iter().chain(beside).collect();
        Ok(Message::Ring {
            ring: leg.to_string(),
            title: name.unwrap_or(number),
            body: Some(body.join(" · ")).filter(|b| !b.is_empty()),
            picture,
            url: format!("/app/desk?answer={leg}"),
            until_ms: at.as_millis() + u64::from(RING_S) * 1_000,
            renewed,
        })
    }

    /// The card of a call has more by now: what rings for it shows it.
    fn renew(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        let StreamId::Interaction(interaction) = record.stream else {
            return Ok(());
        };
        for (leg, ring) in &self.rings {
            if ring.interaction == interaction {
                let message = self.message(ring, *leg, record.at, true)?;
                for way in &ring.browsers {
                    // The last place is kept for the end.
                    if way.capacity() > 1 {
                        let _ = way.try_send(message.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, leg: LegId, how: RingEnd) {
        if let Some(ring) = self.rings.remove(&leg) {
            let ring_id = leg.to_string();
            let message = Message::RingEnded { ring: ring_id, how };
            for way in ring.browsers {
                // A way is closed when its browser is gone: there is nobody to be told.
                let _ = way.try_send(message.clone());
            }
        }
    }

    fn browsers_of(&self, tenant: TenantId, agent: AgentId) -> Result<Vec<PushRow>, StoreError> {
        let store = &self.line.push.store;
        let snapshot = store.snapshot()?;
        let agent = snapshot
            .agents
            .iter()
            .find(|a| a.id == agent && a.tenant == tenant);
        match agent.and_then(|a| a.user) {
            Some(user) => store.push_subscriptions(tenant, user),
            None => Ok(Vec::new()),
        }
    }
}

/// Tells one browser of one ring, each message after the one before: an end that overtook its ring
/// would leave it ringing.
async fn speak(
    line: Arc<Line>,
    row: PushRow,
    agent: AgentId,
    mut messages: mpsc::Receiver<Message>,
) {
    while let Some(message) = messages.recv().await {
        // The semaphore is never closed.
        let Ok(_permit) = line.sends.acquire().await else {
            return;
        };
        if deliver(&line.push, &row, &message).await {
            continue;
        }
        return line.gone(&row, agent).await;
    }
}

/// A few tries, as long as somebody might still answer; `false`: its service no longer knows the
/// browser.
async fn deliver(push: &Push, row: &PushRow, message: &Message) -> bool {
    for _ in 0..TRIES_MAX {
        match push.send(row, message, RING_S).await {
            Ok(()) => return true,
            Err(Failed::Gone) => return false,
            Err(Failed::Later { after_s }) => {
                let wait = Duration::from_secs(after_s.min(WAIT_S_MAX).into());
                tokio::time::sleep(wait).await;
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "a push was not sent");
                return true;
            }
        }
    }
    true
}

impl Line {
    /// A browser was forgotten: without another one its agent rings no more when no tab is open.
    async fn gone(&self, row: &PushRow, agent: AgentId) {
        let (store, tenant, user) = (self.push.store.clone(), row.tenant, row.user);
        let left = tokio::task::spawn_blocking(move || store.push_subscriptions(tenant, user));
        if !matches!(left.await, Ok(Ok(rows)) if rows.is_empty()) {
            return;
        }
        let now = self.push.clock.now();
        let id = self
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next(now);
        let envelope = CommandEnvelope {
            id,
            tenant,
            actor: Actor::System,
            command: Command::Pushed { agent, on: false },
        };
        // Not heard, the agent is rung in vain once more, and this is said again.
        let (reply, _) = oneshot::channel();
        let _ = self
            .handle
            .send(crate::drive::Message::Command { envelope, reply });
    }
}
