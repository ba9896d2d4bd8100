//! What a job does, step by step. Every step may be repeated: a crash between two of them loses nothing.

use super::ledger::Ledger;
use super::{JOBS_PER_ROUND, STEP};
use crate::auth::token;
use crate::state::ApiState;
use aws_lc_rs::rand::SystemRandom;
use cp_identity::proof::jws::SigningKey;
use cp_store::{PageRequest, PrivacyJob, SigningKey as StoredKey, Store, StoreError};
use cp_vocab::safety::Retention;
use cp_vocab::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Media type of the certificate (RFC 7515 4.1.9).
pub(super) const CERTIFICATE_TYPE: &str = "erasure+jwt";
/// Sweeps waiting or running of one tenant at a time.
const DAY: Duration = Duration::from_secs(86_400);

/// Whom to forget. Kept with the job until it is done.
#[derive(Serialize, Deserialize, Clone, Default)]
pub(super) struct Whom {
    pub(super) persons: Vec<PersonId>,
    pub(super) identifiers: Vec<String>,
    pub(super) reason: String,
    /// How far the job has come.
    #[serde(default)]
    pub(super) after: Option<InteractionId>,
    /// For a sweep: which of its three parts is being done.
    #[serde(default)]
    pub(super) part: usize,
}

#[derive(Serialize, Deserialize, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) interactions: u64,
    pub(super) records: u64,
    pub(super) recordings: u64,
    pub(super) recordings_missing: u64,
    pub(super) rows: u64,
    pub(super) removed: u64,
}

/// Asks for a sweep of each tenant that keeps things for a time only.
pub(super) fn plan_sweeps(
    store: &dyn Store,
    state: &ApiState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let open = store.privacy_jobs_open(usize::from(u16::MAX))?;
    for tenant in &store.snapshot()?.tenants {
        let r = &tenant.safety.retention;
        let any = r.recordings_days + r.personal_days + r.events_days > 0;
        let running = open
            .iter()
            .any(|j| j.tenant == tenant.id && j.kind == "retention");
        if !any || r.legal_hold.is_some() || running || !anything_due(store, tenant.id, r, now)? {
            continue;
        }
        store.privacy_job_put(new_job(
            state.new_id(),
            tenant.id,
            "retention",
            "retention",
            &Whom::default(),
            now,
        ))?;
    }
    Ok(())
}

fn anything_due(
    store: &dyn Store,
    tenant: TenantId,
    r: &Retention,
    now: Timestamp,
) -> Result<bool, StoreError> {
    for (days, part) in parts(r) {
        if days > 0 && !due(store, tenant, part, cut(now, days), None, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Recordings,
    Personal,
    Everything,
}

/// The parts of a sweep in their order: what is removed whole need not be cleaned before.
fn parts(r: &Retention) -> [(u32, Part); 3] {
    [
        (r.events_days, Part::Everything),
        (r.personal_days, Part::Personal),
        (r.recordings_days, Part::Recordings),
    ]
}

fn cut(now: Timestamp, days: u32) -> Timestamp {
    let back = DAY.saturating_mul(days).as_micros() as u64;
    Timestamp(now.0.saturating_sub(back))
}

/// Interactions that a part has something to do with; those that were done before are left out.
fn due(
    store: &dyn Store,
    tenant: TenantId,
    part: Part,
    before: Timestamp,
    after: Option<InteractionId>,
    limit: usize,
) -> Result<Vec<InteractionId>, StoreError> {
    let mut after = after;
    loop {
        let found = store.interactions_before(tenant, before, after, limit.max(STEP))?;
        let Some(last) = found.last().copied() else {
            return Ok(vec![]);
        };
        let mut due = Vec::new();
        for id in found {
            if still_has(store, tenant, id, part)? {
                due.push(id);
            }
        }
        if !due.is_empty() {
            due.truncate(limit);
            return Ok(due);
        }
        after = Some(last);
    }
}

fn still_has(
    store: &dyn Store,
    tenant: TenantId,
    id: InteractionId,
    part: Part,
) -> Result<bool, StoreError> {
    Ok(match part {
        Part::Everything => true,
        Part::Personal => {
            let row = store.interaction(tenant, id)?;
            row.from.expose() != &Address::Anonymous || row.to.expose() != &Address::Anonymous
        }
        Part::Recordings => {
            let page = store.recordings(tenant, Some(id), &PageRequest::first(100))?;
            page.items
                .iter()
                .any(|r| r.error.as_deref() != Some(DELETED))
        }
    })
}

/// What a recording's row says of a file that we deleted.
const DELETED: &str = "deleted";

pub(super) fn new_job(
    id: PrivacyJobId,
    tenant: TenantId,
    kind: &str,
    by: &str,
    whom: &Whom,
    now: Timestamp,
) -> PrivacyJob {
    PrivacyJob {
        id,
        tenant,
        kind: kind.into(),
        state: "waiting".into(),
        requested_by: by.into(),
        request: Pii(serde_json::to_string(whom).expect("plain data")),
        total: 0,
        done: 0,
        counts: serde_json::to_string(&Counts::default()).expect("plain data"),
        certificate: None,
        created_at: now,
        finished_at: None,
    }
}

/// Takes every open job to its end.
pub(super) fn work(
    store: &dyn Store,
    folder: &Path,
    ledger: Option<&Ledger>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for mut job in store.privacy_jobs_open(JOBS_PER_ROUND)? {
        let snapshot = store.snapshot()?;
        let tenant = snapshot.tenants.iter().find(|t| t.id == job.tenant);
        let Some(retention) = tenant.map(|t| t.safety.retention.clone()) else {
            continue;
        };
        if retention.legal_hold.is_some() {
            if job.state != "held" {
                job.state = "held".into();
                store.privacy_job_put(job)?;
            }
            continue;
        }
        job.state = "running".into();
        match job.kind.as_str() {
            "erasure" => {
                let (whom, _) = read(&job);
                if let (Some(ledger), None) = (ledger, whom.after) {
                    ledger.note(job.id, job.tenant, &job.requested_by, &whom, now)?;
                }
                erasure(store, folder, job, now)?;
            }
            _ => sweep(store, folder, job, &retention, now)?,
        }
    }
    Ok(())
}

fn read(job: &PrivacyJob) -> (Whom, Counts) {
    let whom = serde_json::from_str(job.request.expose()).unwrap_or_default();
    (whom, serde_json::from_str(&job.counts).unwrap_or_default())
}

fn progress(
    store: &dyn Store,
    job: &mut PrivacyJob,
    whom: &Whom,
    counts: &Counts,
) -> Result<(), StoreError> {
    job.request = Pii(serde_json::to_string(whom).expect("plain data"));
    job.counts = serde_json::to_string(counts).expect("plain data");
    store.privacy_job_put(job.clone())
}

fn erasure(
    store: &dyn Store,
    folder: &Path,
    mut job: PrivacyJob,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut whom, mut counts) = read(&job);
    let looked_for = spellings(&whom.identifiers);
    loop {
        let found =
            store.interactions_of(job.tenant, &looked_for, &whom.persons, whom.after, STEP)?;
        let Some(last) = found.last().copied() else {
            break;
        };
        job.total += found.len() as u64;
        for id in found {
            delete_recordings(store, folder, job.tenant, id, "erasure", now, &mut counts)?;
            counts.records += store.erase_interaction(job.tenant, id)?.records;
            counts.interactions += 1;
            job.done += 1;
        }
        whom.after = Some(last);
        progress(store, &mut job, &whom, &counts)?;
    }
    counts.rows += store.erase_persons(job.tenant, &whom.persons, &looked_for)?;
    let claims = json!({
        "sub": job.id, "tenant": job.tenant, "persons": whom.persons, "requested_by": job.requested_by,
        "reason": whom.reason, "requested_at": job.created_at.to_rfc3339(), "iat": now.as_millis() / 1_000,
        "identifiers": whom.identifiers.len(), "erased": counts, "log_head": store.head()?,
    });
    job.certificate = sign(store, &claims, now)?;
    finish(store, job, &counts, now)?;
    // Last, so that what the job itself held is gone too.
    store.scrub()
}

fn finish(
    store: &dyn Store,
    mut job: PrivacyJob,
    counts: &Counts,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (whom, _) = read(&job);
    job.state = "done".into();
    // Whom it was about is forgotten with the rest.
    job.request = Pii("{}".into());
    job.counts = serde_json::to_string(counts).expect("plain data");
    job.finished_at = Some(now);
    let by = job.requested_by.clone();
    let told = whom.persons.iter().map(|person| Event::PersonErased {
        person: *person,
        by: by.clone(),
        job: job.id,
    });
    let told: Vec<Event> = told.collect();
    let tenant = job.tenant;
    store.privacy_job_put(job)?;
    store.tell(tenant, now, told)
}

fn sweep(
    store: &dyn Store,
    folder: &Path,
    mut job: PrivacyJob,
    r: &Retention,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut whom, mut counts) = read(&job);
    while let Some((days, part)) = parts(r).get(whom.part).copied() {
        let found = match days {
            0 => vec![],
            days => due(store, job.tenant, part, cut(now, days), whom.after, STEP)?,
        };
        let Some(last) = found.last().copied() else {
            (whom.part, whom.after) = (whom.part + 1, None);
            continue;
        };
        job.total += found.len() as u64;
        for id in found {
            delete_recordings(store, folder, job.tenant, id, "retention", now, &mut counts)?;
            match part {
                Part::Recordings => {}
                Part::Personal => {
                    counts.records += store.erase_interaction(job.tenant, id)?.records
                }
                Part::Everything => {
                    counts.records += store.remove_interaction(job.tenant, id)?.records;
                    counts.removed += 1;
                }
            }
            counts.interactions += 1;
            job.done += 1;
        }
        whom.after = Some(last);
        progress(store, &mut job, &whom, &counts)?;
    }
    finish(store, job, &counts, now)?;
    store.scrub()
}

/// Deletes the files first: when the process dies in between, the rows still say where they were.
fn delete_recordings(
    store: &dyn Store,
    folder: &Path,
    tenant: TenantId,
    interaction: InteractionId,
    why: &str,
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let page = store.recordings(tenant, Some(interaction), &PageRequest::first(500))?;
    let mut told = Vec::new();
    for recording in page
        .items
        .iter()
        .filter(|r| r.error.as_deref() != Some(DELETED))
    {
        let Some(path) = crate::recordings::inside(folder, &recording.path) else {
            continue;
        };
        match std::fs::remove_file(&path) {
            Ok(()) => counts.recordings += 1,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => counts.recordings_missing += 1,
            Err(e) => {
                return Err(StoreError::Unreadable {
                    what: "a recording to be deleted",
                    detail: e.to_string(),
                });
            }
        }
        told.push(Event::RecordingDeleted {
            recording: recording.id,
            interaction,
            why: why.to_string(),
        });
    }
    if told.is_empty() {
        Ok(())
    } else {
        store.tell(tenant, now, told)
    }
}

/// The forms in which a number or address may stand in a log.
fn spellings(identifiers: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for i in identifiers {
        all.push(i.clone());
        if let Some(bare) = i.strip_prefix('+') {
            all.push(bare.to_string());
        } else if i.bytes().all(|b| b.is_ascii_digit()) && i.len() > 6 {
            all.push(format!("+{i}"));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Signs with the newest key of the node; makes one when there is none.
fn sign(
    store: &dyn Store,
    claims: &serde_json::Value,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let rng = SystemRandom::new();
    let keys = store.signing_keys()?;
    let stored = match keys.into_iter().next() {
        Some(key) => key,
        None => {
            let Some(der) = SigningKey::generate(&rng) else {
                return Ok(None);
            };
            let mut name = [0u8; 8];
            token::fill_random(&mut name);
            let id: String = name.iter().map(|b| format!("{b:02x}")).collect();
            let key = StoredKey {
                id,
                created_at: now,
                pkcs8: Pii(der),
            };
            store.signing_key_put(key.clone())?;
            key
        }
    };
    let key = SigningKey::from_pkcs8(&stored.id, stored.pkcs8.expose());
    Ok(key.and_then(|k| k.sign(CERTIFICATE_TYPE, claims, &rng)))
}
