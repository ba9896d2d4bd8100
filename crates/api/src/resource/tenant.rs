//! The caller's own tenant.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::call::REASON_CHARS_MAX;
use crate::crud::with_tag;
use crate::extract::{Document, from_value, if_match, merge_patch};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use cp_store::{StoreError, StoreExt, Versioned};
use cp_vocab::model::Tenant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What a tenant may change of itself. Its domain is fixed: the secrets of its phones are made with it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) record_by_default: bool,
    /// Reasons to be away of your own, beside break, meal, meeting and training.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) presence_reasons: Vec<String>,
}

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::get("/v1/tenant", "getTenant", "Tenant", "Read your tenant")
            .needs(&[Permission::TenantRead])
            .replies_row::<TenantInput>(200, "Tenant", "The tenant"),
        read,
    );
    api.add(
        operation::patch("/v1/tenant", "changeTenant", "Tenant", "Change your tenant")
            .needs(&[Permission::TenantWrite])
            .audited_by_edit()
            .if_match()
            .merge_patch::<TenantInput>()
            .replies_row::<TenantInput>(200, "Tenant", "Changed"),
        change,
    );
}

fn input(row: &Tenant) -> TenantInput {
    TenantInput {
        name: row.name.clone(),
        record_by_default: row.record_by_default,
        presence_reasons: row.presence_reasons.clone(),
    }
}

/// The reasons as they are kept: trimmed, each once, each as `SetPresence` takes it.
fn reasons(given: Vec<String>) -> Result<Vec<String>, Problem> {
    let mut kept: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for (n, reason) in given.iter().map(|r| r.trim()).enumerate() {
        let pointer = format!("/presence_reasons/{n}");
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            let detail = format!("a reason has 1 to {REASON_CHARS_MAX} characters");
            errors.push(FieldError::new(pointer, "format", detail));
        } else if kept.iter().any(|k| k.eq_ignore_ascii_case(reason)) {
            errors.push(FieldError::new(
                pointer,
                "duplicate",
                "this reason is there already",
            ));
        } else {
            kept.push(reason.to_string());
        }
    }
    if errors.is_empty() {
        Ok(kept)
    } else {
        Err(Problem::invalid(errors))
    }
}

fn view(row: &Versioned<Tenant>) -> Value {
    json!({
        "id": row.row.id, "name": row.row.name, "domain": row.row.domain,
        "record_by_default": row.row.record_by_default,
        "presence_reasons": row.row.presence_reasons,
        "interactions_max": row.row.interactions_max,
        "version": row.version.0,
        "created_at": row.created_at.to_rfc3339(), "updated_at": row.updated_at.to_rfc3339(),
    })
}

async fn read(State(state): State<ApiState>, caller: Caller) -> Reply {
    let tenant = caller.tenant;
    let row = state
        .store(move |s| s.get::<Tenant>(tenant, tenant))
        .await?;
    Ok(with_tag(StatusCode::OK, row.version, view(&row)))
}

async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let (expected, now, tenant) = (if_match(&headers)?, state.now(), caller.tenant);
    let response = state
        .edit(move |store| {
            let mut row = store.get::<Tenant>(tenant, tenant)?;
            if let Some(expected) = expected.filter(|e| *e != row.version) {
                let current = row.version;
                return Err(StoreError::VersionMismatch { current, expected }.into());
            }
            let mut document = serde_json::to_value(input(&row.row)).expect("plain data");
            merge_patch(&mut document, patch);
            let input: TenantInput = from_value(document)?;
            row.row.name = input.name;
            row.row.record_by_default = input.record_by_default;
            row.row.presence_reasons = reasons(input.presence_reasons)?;
            let edit = caller.edit(now);
            row.version = store.update(edit, row.row.clone(), Some(row.version))?;
            row.updated_at = now;
            Ok(with_tag(StatusCode::OK, row.version, view(&row)))
        })
        .await?;
    state.publish_configuration(tenant).await;
    Ok(response)
}
