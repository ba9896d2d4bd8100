//! What was erased, kept beside the database: a backup that is restored knows nothing of erasures
//! that came after it, and is cleaned by this before anybody is served.
//!
//! One line for each erasure: the job's id, when, and whom it was about, sealed with the key that
//! does not lie in the database. A line is written before its erasure begins.

use super::erase::{self, Whom};
use cp_store::{Change, Edit, Store, StoreError, Vault};
use cp_vocab::command::Actor;
use cp_vocab::{PersonId, PrivacyJobId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an erasure is remembered. A backup that is older must not be restored.
const KEPT: Duration = Duration::from_secs(400 * 86_400);
/// Length of the file at most; a node that is past it takes no erasures until the oldest are over.
const BYTES_MAX: u64 = 256 << 20;

/// The file and what seals it.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    vault: Arc<Vault>,
    /// One writer at a time.
    turn: Mutex<()>,
}

/// One erasure, as it was carried out: with everybody who was merged by then.
#[derive(Serialize, Deserialize)]
struct Entry {
    tenant: TenantId,
    requested_by: String,
    whom: Whom,
}

/// What a restored database was missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Repeated {
    pub erasures: usize,
    /// They wait for the end of a legal hold.
    pub held: usize,
}

fn unreadable(what: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |e| StoreError::Unreadable {
        what,
        detail: e.to_string(),
    }
}

const WHAT: &str = "the list of erasures (erasures.log)";

/// The rows of the persons themselves: they went when the erasure was asked for.
fn remove_persons(store: &dyn Store, entry: &Entry, now: Timestamp) -> Result<(), StoreError> {
    let tenant = entry.tenant;
    let mut found = Vec::new();
    for id in &entry.whom.persons {
        found.extend(store.person(tenant, *id)?.map(|p| p.row.id));
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Ok(());
    }
    let delete = |id: PersonId| Change::Delete {
        id: id.into(),
        expected: None,
    };
    let changes = found.into_iter().map(delete).collect();
    let edit = Edit::new(tenant, Actor::System, now);
    store.apply(edit, changes).map(drop)
}

impl Ledger {
    pub fn new(path: PathBuf, vault: Arc<Vault>) -> Self {
        let turn = Mutex::new(());
        Self { path, vault, turn }
    }

    /// Writes an erasure down, durably.
    pub(super) fn note(
        &self,
        job: PrivacyJobId,
        tenant: TenantId,
        requested_by: &str,
        whom: &Whom,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry {
            tenant,
            requested_by: requested_by.to_string(),
            whom: whom.clone(),
        };
        let plain = serde_json::to_vec(&entry).expect("plain data");
        let sealed = self.vault.seal(job.to_string().as_bytes(), &plain);
        let sealed = sealed.map_err(|e| StoreError::Unreadable {
            what: WHAT,
            detail: e.to_string(),
        })?;
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600);
        let mut file = file.open(&self.path).map_err(unreadable(WHAT))?;
        if file.metadata().map_err(unreadable(WHAT))?.len() > BYTES_MAX {
            return Err(StoreError::Invalid {
                field: "erasures.log",
                problem: "is full",
            });
        }
        let line = format!("\n{job} {} {sealed}\n", now.as_millis() / 1_000);
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(unreadable(WHAT))
    }

    /// Every whole line that is not over: job, second, sealed text. Lines that are over are removed.
    fn lines(&self, now: Timestamp) -> Result<Vec<(PrivacyJobId, u64, String)>, StoreError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(unreadable(WHAT)(e)),
        };
        let parsed = |line: &str| {
            let mut parts = line.split(' ');
            let (job, at) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((job, at, parts.next()?.to_string()))
        };
        // A line that was cut by a crash belongs to an erasure that had not begun.
        let all: Vec<(PrivacyJobId, u64, String)> = text.lines().filter_map(parsed).collect();
        let oldest = (now.as_millis() / 1_000).saturating_sub(KEPT.as_secs());
        let count = all.len();
        let kept: Vec<_> = all.into_iter().filter(|(_, at, _)| *at >= oldest).collect();
        if kept.len() < count {
            self.rewrite(&kept)?;
        }
        Ok(kept)
    }

    fn rewrite(&self, lines: &[(PrivacyJobId, u64, String)]) -> Result<(), StoreError> {
        let new = self.path.with_extension("new");
        let line =
            |(job, at, sealed): &(PrivacyJobId, u64, String)| format!("{job} {at} {sealed}\n");
        let text: String = lines.iter().map(line).collect();
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        file.open(&new)
            .and_then(|mut f| f.write_all(text.as_bytes()).and_then(|()| f.sync_all()))
            .and_then(|()| std::fs::rename(&new, &self.path))
            .map_err(unreadable(WHAT))
    }

    /// Erases again what this database does not know to be erased. To be called before anybody is
    /// served.
    ///
    /// # Errors
    /// The file cannot be read or a key for it is missing, or an outage of the store: nobody may be
    /// served then.
    pub fn repeat(
        &self,
        store: &dyn Store,
        recordings: &Path,
        now: Timestamp,
    ) -> Result<Repeated, StoreError> {
        let tenants = store.snapshot()?;
        let mut repeated = Repeated::default();
        for (job, _, sealed) in self.lines(now)? {
            let opened = self.vault.open(job.to_string().as_bytes(), &sealed);
            let entry = opened.map_err(|e| e.to_string()).and_then(|plain| {
                serde_json::from_slice::<Entry>(&plain).map_err(|e| e.to_string())
            });
            let entry = entry.map_err(|detail| StoreError::Unreadable { what: WHAT, detail })?;
            // Not done: it goes on by itself. Tenants that came later are not in this database.
            let known = store.privacy_job(entry.tenant, job).is_ok();
            if known || !tenants.tenants.iter().any(|t| t.id == entry.tenant) {
                continue;
            }
            let by = entry.requested_by.as_str();
            let again = erase::new_job(job, entry.tenant, "erasure", by, &entry.whom, now);
            store.privacy_job_put(again)?;
            remove_persons(store, &entry, now)?;
            repeated.erasures += 1;
        }
        // Jobs of the backup that were open come first; each round takes some.
        while repeated.erasures > 0 {
            let open = |state: &str| -> Result<usize, StoreError> {
                let open = store.privacy_jobs_open(usize::from(u16::MAX))?;
                let erasures = open.iter().filter(|j| j.kind == "erasure");
                Ok(erasures
                    .filter(|j| (j.state == "held") == (state == "held"))
                    .count())
            };
            let before = open("waiting")?;
            if before > 0 {
                erase::work(store, recordings, None, now)?;
            }
            if open("waiting")? == before {
                repeated.held = open("held")?;
                break;
            }
        }
        Ok(repeated)
    }
}
