//! That every id a body names belongs to the same tenant: one check for all kinds, since ids carry
//! their kind in their prefix.

use crate::problem::FieldError;
use cp_store::{CustomRole, Entity, IdentityProvider, Store, StoreError, StoreExt, User};
use cp_vocab::model::Snapshot;
use cp_vocab::{IdentityProviderId, PersonId, RoleId, TenantId, UserId};
use serde_json::Value;
use std::str::FromStr;

/// A fault for each id in `document` that names nothing of this tenant.
pub(crate) fn missing(
    store: &dyn Store,
    snapshot: &Snapshot,
    tenant: TenantId,
    document: &Value,
) -> Result<Vec<FieldError>, StoreError> {
    let mut named = Vec::new();
    gather(document, String::new(), &mut named);
    let mut errors = Vec::new();
    for (pointer, id) in named {
        if !exists(store, snapshot, tenant, id)? {
            let detail = format!("{id} does not exist");
            errors.push(FieldError::new(pointer, "missing_reference", detail));
        }
    }
    Ok(errors)
}

/// Strings of a document that are ids, with their places.
fn gather<'v>(value: &'v Value, at: String, out: &mut Vec<(String, &'v str)>) {
    match value {
        Value::String(s) if looks_like_id(s) => out.push((at, s)),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                gather(item, format!("{at}/{i}"), out);
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                gather(item, format!("{at}/{name}"), out);
            }
        }
        _ => {}
    }
}

fn looks_like_id(s: &str) -> bool {
    s.len() == 30
        && s.as_bytes()[3] == b'_'
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn exists(
    store: &dyn Store,
    snapshot: &Snapshot,
    tenant: TenantId,
    id: &str,
) -> Result<bool, StoreError> {
    macro_rules! among {
        ($rows:ident) => {
            id.parse().is_ok_and(|id| {
                snapshot
                    .$rows
                    .iter()
                    .any(|r| r.id == id && r.tenant == tenant)
            })
        };
    }
    Ok(match &id[..3] {
        "agt" => among!(agents),
        "que" => among!(queues),
        "skl" => among!(skills),
        "num" => among!(numbers),
        "trk" => among!(trunks),
        "phn" => among!(phones),
        "cnf" => among!(conferences),
        "wuc" => among!(wrap_up_codes),
        "usr" => kept::<User, UserId>(store, tenant, id)?,
        "rol" => kept::<CustomRole, RoleId>(store, tenant, id)?,
        "idp" => kept::<IdentityProvider, IdentityProviderId>(store, tenant, id)?,
        "sch" => among!(schedules),
        "crt" => among!(certificates),
        "brd" => among!(brands),
        "pic" => among!(pictures),
        "per" => match id.parse::<PersonId>() {
            Ok(person) => store
                .person(tenant, person)?
                .is_some_and(|p| p.row.id == person),
            Err(_) => false,
        },
        // A text that only looks like an id (a name of 30 letters) is no reference.
        _ => true,
    })
}

/// Rows that the engine does not know, looked up in the store.
fn kept<T: Entity<Id = I>, I: FromStr + Copy + Into<cp_store::ConfigId>>(
    store: &dyn Store,
    tenant: TenantId,
    id: &str,
) -> Result<bool, StoreError> {
    let Ok(id) = id.parse::<I>() else {
        return Ok(false);
    };
    match store.get::<T>(tenant, id) {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}
