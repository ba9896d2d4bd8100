//! What guards a tenant, part by part: outgoing calls, emergency calls, privacy. Each part is read
//! and changed by itself and lives in the tenant's row.

mod emergency;
mod outbound;
mod privacy;

use crate::auth::Caller;
use crate::crud::with_tag;
use crate::extract::{from_value, merge_patch};
use crate::operation::Api;
use crate::problem::{FieldError, Problem, Reply};
use crate::state::ApiState;
use axum::http::StatusCode;
use axum::response::Response;
use cp_store::{Edit, StoreError, StoreExt, Version};
use cp_vocab::model::{Snapshot, Tenant};
use cp_vocab::safety::Safety;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

pub(crate) fn add(api: &mut Api) {
    outbound::add(api);
    emergency::add(api);
    privacy::add(api);
}

/// A prefix of a number, as rules and rates name it.
const PREFIX: &str = "^\\+?[0-9]{0,15}$";

/// Reads the caller's tenant and gives a part of it with the row's tag.
async fn read(state: &ApiState, caller: &Caller, view: impl Fn(&Safety) -> Value) -> Reply {
    let tenant = caller.tenant;
    let row = state
        .store(move |s| s.get::<Tenant>(tenant, tenant))
        .await?;
    Ok(with_tag(StatusCode::OK, row.version, view(&row.row.safety)))
}

/// Changes the caller's tenant with nobody else in between.
async fn change(
    state: &ApiState,
    caller: Caller,
    expected: Option<Version>,
    view: impl Fn(&Safety) -> Value + Send + 'static,
    edit: impl FnOnce(&mut Safety, &Snapshot) -> Result<(), Problem> + Send + 'static,
) -> Reply {
    let (now, tenant) = (state.now(), caller.tenant);
    let response: Response = state
        .edit(move |store| {
            let before = store.get::<Tenant>(tenant, tenant)?;
            if let Some(expected) = expected.filter(|e| *e != before.version) {
                let current = before.version;
                return Err(StoreError::VersionMismatch { current, expected }.into());
            }
            let mut row = before.row.clone();
            edit(&mut row.safety, store.snapshot()?.as_ref())?;
            if row == before.row {
                return Ok(with_tag(StatusCode::OK, before.version, view(&row.safety)));
            }
            let body = view(&row.safety);
            let edit = Edit::new(tenant, caller.actor(), now);
            let version = store.update(edit, row, Some(before.version))?;
            Ok(with_tag(StatusCode::OK, version, body))
        })
        .await?;
    state.publish_configuration(tenant).await;
    Ok(response)
}

/// Patches a part: what is published of it is checked, then read as the vocabulary has it. What is
/// not published (`keep`) stays as it was.
fn patched<Published, Part>(part: &Part, keep: &[&str], patch: Value) -> Result<Part, Problem>
where
    Published: DeserializeOwned + Serialize + ToSchema,
    Part: Serialize + DeserializeOwned,
{
    let before = serde_json::to_value(part).expect("plain data");
    let mut document = before.clone();
    let fields = document.as_object_mut().expect("an object");
    keep.iter().for_each(|name| drop(fields.remove(*name)));
    merge_patch(&mut document, patch);
    let published: Published = from_value(document)?;
    let mut document = serde_json::to_value(published).expect("plain data");
    for name in keep {
        document[*name] = before[*name].clone();
    }
    serde_json::from_value(document)
        .map_err(|e| Problem::invalid(vec![FieldError::new("", "format", e.to_string())]))
}

/// A part without what is not published of it.
fn published<Part: Serialize>(part: &Part, keep: &[&str]) -> Value {
    let mut document = serde_json::to_value(part).expect("plain data");
    let fields = document.as_object_mut().expect("an object");
    keep.iter().for_each(|name| drop(fields.remove(*name)));
    document
}

fn refuse(pointer: impl Into<String>, code: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, code, detail)])
}
