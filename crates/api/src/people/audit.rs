//! The audit log: reading, verifying, taking along.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{PageView, Query};
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use cp_store::{AuditFilter, AuditRecord, PAGE_ROWS_MAX, PageRequest};
use cp_vocab::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Entries of one export at most; longer spans are taken in parts by `from` and `until`.
const EXPORT_ENTRIES_MAX: usize = 100_000;

/// Somebody did something.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditView {
    /// Number in the tenant's chain.
    seq: u64,
    at: String,
    /// Who: `kind` and `id`.
    #[schema(value_type = Object, example = json!({ "kind": "user", "id": "usr_01J…" }))]
    actor: Value,
    /// A change (`user.updated`), an operation (`recordingAudio`), or `session.opened`.
    #[schema(example = "user.updated")]
    action: String,
    /// Id of what it was done to.
    target: String,
    /// Where it came from.
    #[schema(example = "192.0.2.7")]
    address: String,
    /// `before` and `after` of a change, without secrets; `status` of an operation.
    #[schema(value_type = Object)]
    detail: Value,
    /// SHA-256 over this entry and the hash before it.
    hash: String,
}

/// What walking the chain found.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditVerification {
    ok: bool,
    entries: u64,
    /// Hash of the last entry. Keep it elsewhere to prove later that the log only grew.
    head: String,
    /// The first thing that is wrong.
    #[schema(example = "entry 17 was changed")]
    fault: Option<String>,
    /// Stable: `audit_missing`, `audit_changed`, `audit_cut`, `audit_forged`, `audit_key_missing`.
    code: Option<&'static str>,
}

const READ: &[Permission] = &[Permission::AuditRead];

pub(crate) fn add(api: &mut Api) {
    let tag = "Audit";
    let list = operation::get(
        "/v1/audit-log",
        "listAuditLog",
        tag,
        "Who did what, newest first",
    );
    api.add(
        filtered(list.needs(READ).paged()).lists::<AuditView>("A page"),
        list_entries,
    );
    api.add(
        operation::get(
            "/v1/audit-log/verification",
            "verifyAuditLog",
            tag,
            "Verify the chain of the audit log",
        )
        .needs(READ)
        .replies::<AuditVerification>(200, "What was found"),
        verify,
    );
    let export = operation::get(
        "/v1/audit-log/export",
        "exportAuditLog",
        tag,
        "The audit log as JSON lines, newest first",
    );
    api.add(
        filtered(export.needs(READ).audited()).content(
            200,
            "application/x-ndjson",
            "One entry per line",
        ),
        export_entries,
    );
}

fn filtered(op: operation::Op) -> operation::Op {
    let text = json!({ "type": "string", "maxLength": 100 });
    let time = json!({ "type": "string", "format": "date-time" });
    op.query("actor", text.clone(), "Id of who did it.")
        .query(
            "action",
            text.clone(),
            "The action, or its beginning and `*`.",
        )
        .query("target", text, "Id of what it was done to.")
        .query("from", time.clone(), "Not before this.")
        .query("until", time, "Before this.")
}

fn filter(query: &Query) -> AuditFilter {
    let time = |name| {
        query.parse(name, "a time such as 2026-11-20T12:00:00Z", |v| {
            Timestamp::parse_rfc3339(v)
        })
    };
    AuditFilter {
        actor: query.text("actor"),
        action: query.text("action"),
        target: query.text("target"),
        from: time("from"),
        until: time("until"),
    }
}

fn view(r: AuditRecord) -> AuditView {
    AuditView {
        seq: r.seq,
        at: r.entry.at.to_rfc3339(),
        actor: serde_json::to_value(r.entry.actor).expect("an actor is plain data"),
        action: r.entry.action,
        target: r.entry.target,
        address: r.entry.address,
        detail: r.entry.detail,
        hash: crate::auth::token::hex(&r.hash),
    }
}

async fn list_entries(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let (page, filter, tenant) = (query.page(), filter(&query), caller.tenant);
    query.finish()?;
    let found = state
        .store(move |s| s.audit(tenant, &filter, &page))
        .await?;
    let found = found.map(view);
    Ok(axum::Json(PageView {
        items: found.items,
        next: found.next,
    })
    .into_response())
}

async fn verify(State(state): State<ApiState>, caller: Caller) -> Reply {
    let tenant = caller.tenant;
    let verdict = state.store(move |s| s.audit_verify(tenant)).await?;
    let found = AuditVerification {
        ok: verdict.fault.is_none(),
        entries: verdict.entries,
        head: verdict.head,
        code: verdict.fault.as_ref().map(|f| f.code()),
        fault: verdict.fault.map(|f| f.to_string()),
    };
    Ok(axum::Json(found).into_response())
}

async fn export_entries(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let (filter, tenant) = (filter(&query), caller.tenant);
    query.finish()?;
    let lines = state
        .store(move |s| {
            let mut page = PageRequest::first(PAGE_ROWS_MAX);
            let (mut lines, mut entries) = (String::new(), 0);
            loop {
                let found = s.audit(tenant, &filter, &page)?;
                entries += found.items.len();
                for record in found.items {
                    lines += &serde_json::to_string(&view(record)).expect("plain data");
                    lines.push('\n');
                }
                match found.next {
                    Some(_) if entries < EXPORT_ENTRIES_MAX => page.after = found.next,
                    _ => return Ok::<_, cp_store::StoreError>(lines),
                }
            }
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"audit-log.jsonl\"",
        ),
    ];
    Ok((headers, lines).into_response())
}
