//! A few worker threads for what may block.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    stopping: bool,
}

/// Ends its threads when dropped, after the job each is at; jobs not begun are dropped.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    jobs_max: usize,
}

fn locked(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(crate) fn new(threads: usize, jobs_max: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let mut pool = Self {
            shared,
            threads: Vec::new(),
            jobs_max,
        };
        for n in 0..threads.max(1) {
            let shared = pool.shared.clone();
            let thread = std::thread::Builder::new().name(format!("speech-{n}"));
            pool.threads.push(thread.spawn(move || work(&shared))?);
        }
        Ok(pool)
    }

    /// Hands the job back when too many wait already.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Job> {
        let mut state = locked(&self.shared);
        if state.jobs.len() >= self.jobs_max {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = locked(&self.shared);
        state.stopping = true;
        state.jobs.clear();
        drop(state);
        self.shared.wake.notify_all();
        let me = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last owner may be a callback on one of our own threads.
            if thread.thread().id() != me {
                let _ = thread.join();
            }
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let mut state = locked(shared);
        let job = loop {
            if state.stopping {
                return;
            }
            if let Some(job) = state.jobs.pop_front() {
                break job;
            }
            state = shared
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a speech job panicked");
        }
    }
}
