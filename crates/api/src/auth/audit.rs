//! Entries of the audit log for requests: who asked for what, and what came of it.

use super::Caller;
use super::gate::{Audited, Gate};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::response::Response;
use cp_store::AuditEntry;
use serde_json::json;

/// A request about to be carried out.
pub(crate) struct Did {
    which: Audited,
    action: &'static str,
    target: String,
    caller: Option<Caller>,
}

impl Did {
    pub(crate) fn new(gate: Gate, caller: &Caller, path: &str) -> Self {
        // What the path names: its last part that is an id.
        let id = |s: &&str| s.len() == 30 && s.as_bytes().get(3) == Some(&b'_');
        let target = path.rsplit('/').find(id).unwrap_or_default();
        Self {
            which: gate.audit,
            action: gate.id,
            target: target.to_string(),
            caller: (gate.audit != Audited::No).then(|| caller.clone()),
        }
    }

    /// The entry, if there is one to write.
    pub(crate) fn entry(self, state: &ApiState, result: &Reply<Response>) -> Option<AuditEntry> {
        let caller = self.caller?;
        let status = match result {
            Ok(response) => response.status(),
            Err(problem) => problem.status(),
        };
        let done = status.is_success() && self.which == Audited::Yes;
        if !done && status.as_u16() != 403 {
            return None;
        }
        let mut detail = json!({ "status": status.as_u16() });
        if let Err(Problem { code, .. }) = result {
            detail["code"] = json!(code.as_str());
        }
        Some(AuditEntry {
            tenant: caller.tenant,
            at: state.now(),
            actor: caller.actor(),
            action: self.action.to_string(),
            target: self.target,
            address: caller.address,
            detail,
        })
    }
}

/// Adds an entry. What was done is done: when the log cannot be written the fault is logged, so
/// that calls can be controlled while the disk is full.
pub(crate) async fn keep(state: &ApiState, entry: AuditEntry) {
    if let Err(e) = state.store(move |s| s.audit_append(entry)).await {
        tracing::error!(code = e.code(), "an audit entry was lost");
    }
}
