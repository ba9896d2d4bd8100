//! The one writer thread: takes all that waits, makes it one transaction, syncs once, tells.

use super::queue::Job;
use super::records::{INSERT, Records};
use super::shared::Shared;
use super::{CommitOutcome, GROUP_RECORDS_MAX};
use crate::error::{Health, Result, StoreError};
use crate::projection::{self, Watch};
use crate::sqlite::checkpoint::Wal;
use crate::sqlite::connect::failed;
use crate::vault::Vault;
use cp_vocab::EventRecord;
use cp_vocab::event::LogPosition;
use rusqlite::{CachedStatement, Connection};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// First wait after a failed commit; it doubles up to [`RETRY_WAIT_MAX`].
const RETRY_WAIT_MIN: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(2);

/// What an edit may touch: the open transaction and what the writer knows.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    records: &'a mut Records,
    watch: &'a Watch,
    vault: Option<&'a Vault>,
    /// The configuration snapshot changed.
    pub(crate) snapshot_changed: bool,
    /// Rows the projections look at changed.
    pub(crate) watch_changed: bool,
}

impl Tx<'_> {
    /// Appends a record with the next number of its stream (`seq` is not read).
    pub(crate) fn append(&mut self, mut record: EventRecord) -> Result<()> {
        record.seq = 0;
        let mut numbers = Vec::with_capacity(1);
        self.records
            .number(self.conn, std::slice::from_ref(&record), &mut numbers)?;
        let mut insert = self.conn.prepare_cached(INSERT).map_err(failed)?;
        let cursor = self.records.insert(&mut insert, &record, numbers[0])?;
        projection::apply(self.conn, self.watch, &record, cursor)
    }

    pub(crate) fn watch(&self) -> &Watch {
        self.watch
    }

    pub(crate) fn vault(&self) -> Option<&Vault> {
        self.vault
    }
}

/// A change with a caller who waits for it.
pub(crate) trait EditJob: Send {
    /// Carries it out; called once. On an error the caller of this rolls back to before it.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()>;
    /// Tells the waiting caller; `Ok` only after the commit.
    fn settle(self: Box<Self>, outcome: Result<()>);
}

/// How one job of a group went, before the commit.
type Verdict = Result<()>;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    conn: Connection,
    records: Records,
    watch: Watch,
    vault: Option<Arc<Vault>>,
    wal: Wal,
    /// Set while commits fail.
    retry_at: Option<Instant>,
    attempts: u32,
    /// One job per transaction, to find the one that the database refuses.
    isolate: bool,
    numbers: Vec<u64>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        conn: Connection,
        records: Records,
        watch: Watch,
        wal: Wal,
        vault: Option<Arc<Vault>>,
    ) -> Self {
        Self {
            vault,
            shared,
            conn,
            records,
            watch,
            wal,
            retry_at: None,
            attempts: 0,
            isolate: false,
            numbers: Vec::new(),
        }
    }

    /// Runs until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _closes = CloseOnExit(&shared);
        let mut pending = VecDeque::new();
        loop {
            let open = shared.queue.take(&mut pending, self.retry_at);
            if pending.is_empty() && !open {
                break;
            }
            if let Some(at) = self.retry_at
                && open
                && Instant::now() < at
            {
                self.refuse_edits(&mut pending);
                continue;
            }
            while !pending.is_empty() && self.commit(&mut pending) {
                self.wal.after_commit(&self.conn, &shared.counts);
            }
            if !open && self.retry_at.is_some() {
                self.give_up(&mut pending);
            }
        }
        self.wal.finish(&self.conn);
    }

    /// One transaction from the front of `pending`. Returns whether it went well.
    fn commit(&mut self, pending: &mut VecDeque<Job>) -> bool {
        let started = Instant::now();
        self.shared
            .set_page_limit(&self.conn)
            .unwrap_or_else(|e| tracing::warn!(error = %e, "cannot set the size limit"));
        let size = self.group_size(pending);
        let head = self.records.head();
        match self.attempt(pending, size) {
            Ok(verdicts) => {
                let records = self.records.head() - head;
                self.shared.counts.committed(records, started.elapsed());
                self.recovered();
                self.settle(pending, verdicts);
                true
            }
            Err(error) => {
                self.roll_back();
                self.failed(pending, size, error)
            }
        }
    }

    /// Jobs of the next transaction.
    fn group_size(&self, pending: &VecDeque<Job>) -> usize {
        if self.isolate {
            return 1;
        }
        let mut records = 0;
        let mut size = 0;
        for job in pending {
            records += job.records();
            if size > 0 && records > GROUP_RECORDS_MAX {
                break;
            }
            size += 1;
        }
        size
    }

    fn attempt(&mut self, pending: &mut VecDeque<Job>, size: usize) -> Result<Vec<Verdict>> {
        run(&self.conn, "BEGIN IMMEDIATE")?;
        let mut verdicts = Vec::with_capacity(size);
        let mut changed = Changed::default();
        {
            let mut insert = self.conn.prepare_cached(INSERT).map_err(failed)?;
            for job in pending.iter_mut().take(size) {
                verdicts.push(match job {
                    Job::Append { batch, .. } => append(
                        &self.conn,
                        &mut self.records,
                        &self.watch,
                        &mut self.numbers,
                        &mut insert,
                        batch,
                    )?,
                    Job::Edit(job) => edit(
                        &self.conn,
                        &mut self.records,
                        (&self.watch, self.vault.as_deref()),
                        &mut changed,
                        job.as_mut(),
                    )?,
                });
            }
        }
        run(&self.conn, "COMMIT")?;
        if changed.watch {
            match Watch::load(&self.conn) {
                Ok(watch) => self.watch = watch,
                Err(e) => tracing::error!(error = %e, "cannot read webhooks and queues again"),
            }
        }
        if changed.snapshot {
            self.shared.snapshot_changed();
        }
        Ok(verdicts)
    }

    /// After a commit: tells everybody, in the order they came.
    fn settle(&mut self, pending: &mut VecDeque<Job>, verdicts: Vec<Verdict>) {
        let (mut records, mut edits) = (0, 0);
        let mut durable = None;
        let jobs = pending.drain(..verdicts.len());
        for (job, verdict) in jobs.zip(verdicts) {
            records += job.records();
            match (job, verdict) {
                (Job::Append { position, .. }, Ok(())) => durable = Some(position),
                (Job::Append { position, .. }, Err(error)) => {
                    self.tell(durable.take(), None);
                    self.shared.counts.refused();
                    tracing::error!(code = error.code(), %error, "batch refused");
                    self.tell(Some(position), Some(error));
                }
                (Job::Edit(job), verdict) => {
                    edits += 1;
                    job.settle(verdict);
                }
            }
        }
        // Room first, so that whoever is told finds it.
        self.shared.queue.settled(records, edits);
        self.tell(durable, None);
    }

    fn tell(&self, upto: Option<LogPosition>, error: Option<StoreError>) {
        if let Some(upto) = upto {
            self.shared.committed(CommitOutcome { upto, error });
        }
    }

    fn roll_back(&mut self) {
        // A full disk or an I/O error may have ended the transaction already.
        if !self.conn.is_autocommit()
            && let Err(e) = run(&self.conn, "ROLLBACK")
        {
            tracing::error!(error = %e, "cannot roll back");
        }
        if let Err(e) = self.records.forget(&self.conn) {
            tracing::error!(error = %e, "cannot find the head of the log");
        }
    }

    /// A transaction failed: edits are told, records are held for another try. Returns whether
    /// to go on at once.
    fn failed(&mut self, pending: &mut VecDeque<Job>, size: usize, error: StoreError) -> bool {
        self.shared.counts.failed();
        if matches!(
            error,
            StoreError::Database { .. } | StoreError::Unreadable { .. }
        ) {
            // The disk is well; some job is at fault.
            if size == 1 {
                self.isolate = false;
                tracing::error!(code = error.code(), %error, "the database refused a job");
                self.settle(pending, vec![Err(error)]);
            } else {
                self.isolate = true;
            }
            return true;
        }
        let wait = RETRY_WAIT_MAX.min(RETRY_WAIT_MIN * 2u32.pow(self.attempts.min(10)));
        self.attempts += 1;
        self.retry_at = Some(Instant::now() + wait);
        self.shared.set_health(Health::Failing {
            error,
            attempts: self.attempts,
        });
        self.refuse_edits(pending);
        false
    }

    fn recovered(&mut self) {
        if self.retry_at.take().is_some() {
            self.attempts = 0;
            self.shared.set_health(Health::Ok);
        }
    }

    /// Nobody is made to wait for a disk that fails.
    fn refuse_edits(&mut self, pending: &mut VecDeque<Job>) {
        let Health::Failing { error, .. } = self.shared.health() else {
            return;
        };
        let mut kept = VecDeque::with_capacity(pending.len());
        let mut edits = 0;
        for job in pending.drain(..) {
            match job {
                Job::Edit(job) => {
                    edits += 1;
                    job.settle(Err(error.clone()));
                }
                append => kept.push_back(append),
            }
        }
        *pending = kept;
        self.shared.queue.settled(0, edits);
    }

    /// Closed with the disk still failing: what is held was never acknowledged and is told so.
    fn give_up(&mut self, pending: &mut VecDeque<Job>) {
        tracing::error!(
            batches = pending.len(),
            "closed while the disk fails; records that were never acknowledged are given up"
        );
        let verdicts = pending.iter().map(|_| Err(StoreError::Closed)).collect();
        self.settle(pending, verdicts);
    }
}

#[derive(Default)]
struct Changed {
    snapshot: bool,
    watch: bool,
}

/// Inserts a batch with its projections, or says why it is refused.
fn append(
    conn: &Connection,
    records: &mut Records,
    watch: &Watch,
    numbers: &mut Vec<u64>,
    insert: &mut CachedStatement<'_>,
    batch: &[EventRecord],
) -> Result<Verdict> {
    match records.number(conn, batch, numbers) {
        Ok(()) => {}
        Err(e @ (StoreError::SequenceConflict { .. } | StoreError::Invalid { .. })) => {
            return Ok(Err(e));
        }
        Err(e) => return Err(e),
    }
    for (record, seq) in batch.iter().zip(&*numbers) {
        let cursor = records.insert(insert, record, *seq)?;
        projection::apply(conn, watch, record, cursor)?;
    }
    Ok(Ok(()))
}

/// Runs an edit so that its failure leaves the rest of the transaction as it was.
fn edit(
    conn: &Connection,
    records: &mut Records,
    (watch, vault): (&Watch, Option<&Vault>),
    changed: &mut Changed,
    job: &mut dyn EditJob,
) -> Result<Verdict> {
    let head = records.head();
    run(conn, "SAVEPOINT edit")?;
    let mut tx = Tx {
        conn,
        records,
        watch,
        vault,
        snapshot_changed: false,
        watch_changed: false,
    };
    match job.run(&mut tx) {
        Ok(()) => {
            changed.snapshot |= tx.snapshot_changed;
            changed.watch |= tx.watch_changed;
            run(conn, "RELEASE edit")?;
            Ok(Ok(()))
        }
        // The disk failed, or SQLite gave up the whole transaction.
        Err(
            e @ (StoreError::Full { .. }
            | StoreError::Io { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Corrupt { .. }),
        ) => Err(e),
        Err(e) if conn.is_autocommit() => Err(e),
        Err(e) => {
            run(conn, "ROLLBACK TO edit")?;
            run(conn, "RELEASE edit")?;
            records.rewind(head);
            Ok(Err(e))
        }
    }
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)
        .and_then(|mut s| s.execute([]))
        .map(|_| ())
        .map_err(failed)
}

/// However the writer ends, nobody waits for it in vain.
struct CloseOnExit<'a>(&'a Shared);

impl Drop for CloseOnExit<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
        let mut left = VecDeque::new();
        self.0.queue.take(&mut left, None);
        // Dropped edits wake their callers with `Closed`.
        drop(left);
        self.0.set_health(Health::Closed);
    }
}
