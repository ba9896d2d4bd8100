//! One reader of the log for all sockets: a commit wakes it, it reads what is new once, and every
//! socket takes it from a ring. A socket that falls out of the ring reads the log itself.

use super::cloud_event::CloudEvent;
use crate::problem::Reply;
use crate::state::ApiState;
use cp_vocab::EventRecord;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, broadcast, watch};

/// Records kept for sockets; who is further behind reads the log again.
pub(crate) const RING_RECORDS: usize = 4_096;
/// Records read from the log at a time.
pub(crate) const READ_RECORDS: usize = 500;
/// The log is looked at this often without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A record at its place in the log.
pub(crate) struct Committed {
    pub(crate) cursor: u64,
    pub(crate) record: EventRecord,
    text: OnceLock<String>,
}

impl Committed {
    pub(crate) fn new(cursor: u64, record: EventRecord) -> Self {
        Self {
            cursor,
            record,
            text: OnceLock::new(),
        }
    }
    /// As it is sent; written once for all sockets.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let event = CloudEvent::of(&self.record, Some(self.cursor));
            serde_json::to_string(&event).expect("an event is plain data")
        })
    }
}

pub(crate) struct Fanout {
    ring: broadcast::Sender<Arc<Committed>>,
    running: Mutex<bool>,
    nudge: Notify,
    closing: watch::Sender<bool>,
}

impl Default for Fanout {
    fn default() -> Self {
        Self {
            ring: broadcast::Sender::new(RING_RECORDS),
            running: Mutex::new(false),
            nudge: Notify::new(),
            closing: watch::Sender::new(false),
        }
    }
}

impl Fanout {
    /// Records committed from now on. The reader runs while anybody listens.
    pub(crate) async fn subscribe(
        &self,
        state: &ApiState,
    ) -> Reply<broadcast::Receiver<Arc<Committed>>> {
        let mut running = self.running.lock().await;
        let receiver = self.ring.subscribe();
        if !*running {
            let head = state.store(|s| s.head()).await?;
            *running = true;
            tokio::spawn(follow(state.clone(), head));
        }
        Ok(receiver)
    }
    /// Something was written that the driver's commits do not tell of.
    pub(crate) fn nudge(&self) {
        self.nudge.notify_one();
    }
    /// The node goes down: sockets close.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }
}

async fn follow(state: ApiState, mut cursor: u64) {
    let mut commits = state.0.backend.commits();
    let fanout = &state.0.fanout;
    loop {
        let read = state.store(move |s| s.follow(cursor, READ_RECORDS)).await;
        let full = match read {
            Ok(records) => {
                let full = records.len() == READ_RECORDS;
                for (at, record) in records {
                    cursor = at;
                    // Nobody listening is not an error.
                    let _ = fanout.ring.send(Arc::new(Committed::new(at, record)));
                }
                full
            }
            Err(e) => {
                tracing::warn!(code = e.code(), "the log cannot be followed");
                false
            }
        };
        if fanout.ring.receiver_count() == 0 {
            let mut running = fanout.running.lock().await;
            if fanout.ring.receiver_count() == 0 {
                *running = false;
                return;
            }
        }
        if full {
            continue;
        }
        tokio::select! {
            changed = commits.changed() => {
                if changed.is_err() {
                    // The driver is gone; what remains is looked for by time.
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            () = fanout.nudge.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
