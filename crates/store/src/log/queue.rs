//! The bounded queue before the writer.

use super::RECORDS_QUEUED_MAX;
use super::writer::EditJob;
use crate::error::StoreError;
use cp_vocab::event::{EventRecord, LogPosition};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Edits that may wait for the writer; one beyond is refused with `Backlogged`.
const EDITS_QUEUED_MAX: usize = 1_000;

/// Something the writer is to make durable.
pub(crate) enum Job {
    Append {
        batch: Vec<EventRecord>,
        position: LogPosition,
    },
    /// A change somebody waits for, with its own all-or-nothing.
    Edit(Box<dyn EditJob>),
}

impl Job {
    pub(crate) fn records(&self) -> usize {
        match self {
            Self::Append { batch, .. } => batch.len(),
            Self::Edit(_) => 0,
        }
    }
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Records handed over and not yet settled, also those the writer holds.
    records: usize,
    edits: usize,
    closed: bool,
    /// The writer sleeps; only then is waking it worth a system call.
    idle: bool,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, or gives it back with the reason.
    pub(crate) fn push(&self, job: Job) -> Result<(), (Job, StoreError)> {
        let mut state = self.state();
        if state.closed {
            return Err((job, StoreError::Closed));
        }
        let records = job.records();
        // A batch longer than the queue still fits an empty one.
        let full = match job {
            Job::Append { .. } => state.records > 0 && state.records + records > RECORDS_QUEUED_MAX,
            Job::Edit(_) => state.edits >= EDITS_QUEUED_MAX,
        };
        if full {
            let queued = state.records;
            return Err((job, StoreError::Backlogged { queued }));
        }
        match job {
            Job::Append { .. } => state.records += records,
            Job::Edit(_) => state.edits += 1,
        }
        state.jobs.push_back(job);
        if std::mem::take(&mut state.idle) {
            drop(state);
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Moves everything queued to the end of `pending`. Sleeps until there is something, the queue
    /// closes, or `until` passes. Returns whether the queue is still open.
    pub(crate) fn take(&self, pending: &mut VecDeque<Job>, until: Option<Instant>) -> bool {
        let mut state = self.state();
        loop {
            if !state.jobs.is_empty() || state.closed {
                break;
            }
            let wait = match until {
                Some(at) => match at.checked_duration_since(Instant::now()) {
                    Some(wait) if !wait.is_zero() => Some(wait),
                    _ => break,
                },
                None if pending.is_empty() => None,
                None => break,
            };
            state.idle = true;
            state = match wait {
                Some(wait) => {
                    self.wake
                        .wait_timeout(state, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.idle = false;
        if pending.is_empty() {
            std::mem::swap(&mut state.jobs, pending);
        } else {
            pending.append(&mut state.jobs);
        }
        !state.closed
    }

    /// Says that the writer has settled this much.
    pub(crate) fn settled(&self, records: usize, edits: usize) {
        let mut state = self.state();
        state.records -= records;
        state.edits -= edits;
    }

    /// Takes no more jobs; the writer ends when it has done what is left.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_one();
    }

    /// Records not yet settled.
    pub(crate) fn records(&self) -> usize {
        self.state().records
    }
}
