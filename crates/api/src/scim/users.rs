//! People by SCIM.

use super::patch::{Change as Patched, Op, changes};
use super::{
    GROUP, MIME, NEEDS, ScimError, TAG, USER, document, filter, listed, listing, query, told,
};
use crate::auth::{Caller, password};
use crate::crud::Resource;
use crate::extract::Id;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::resource::users::{Users, keep_one_administrator, may_touch};
use crate::state::ApiState;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use cp_store::{PAGE_ROWS_MAX, PageRequest, Store, StoreExt, User, Version, Versioned};
use cp_vocab::id::TypedId;
use cp_vocab::{Pii, Timestamp, UserId};
use serde_json::{Value, json};

/// Characters of names and ids that are taken.
const TEXT_CHARS_MAX: usize = 100;

pub(super) fn add(api: &mut Api) {
    let one = "/scim/v2/Users/{id}";
    let users = "/scim/v2/Users";
    api.add(
        listing(
            operation::get(users, "scimListUsers", TAG, "People"),
            "`userName eq \"ann\"`; also `externalId` and `id`.",
        ),
        list,
    );
    api.add(
        operation::post(users, "scimCreateUser", TAG, "Make a person")
            .needs(NEEDS)
            .content(201, MIME, "Made"),
        create,
    );
    api.add(
        operation::get(one, "scimGetUser", TAG, "One person")
            .needs(NEEDS)
            .path_id(UserId::PREFIX)
            .content(200, MIME, "The person"),
        read,
    );
    api.add(
        operation::put(one, "scimReplaceUser", TAG, "Replace a person")
            .needs(NEEDS)
            .path_id(UserId::PREFIX)
            .content(200, MIME, "Replaced"),
        replace,
    );
    api.add(
        operation::patch(one, "scimPatchUser", TAG, "Change a person")
            .describe("`active: false` ends all sessions of the person at once.")
            .needs(NEEDS)
            .path_id(UserId::PREFIX)
            .content(200, MIME, "Changed"),
        change,
    );
    api.add(
        operation::delete(one, "scimDeleteUser", TAG, "Remove a person")
            .needs(NEEDS)
            .path_id(UserId::PREFIX)
            .empty("Removed"),
        remove,
    );
}

/// Everybody of a tenant, by pages.
pub(super) fn everybody(
    store: &dyn Store,
    caller: &Caller,
) -> Result<Vec<Versioned<User>>, ScimError> {
    let mut page = PageRequest::first(PAGE_ROWS_MAX);
    let mut all = Vec::new();
    loop {
        let found = store.list::<User>(caller.tenant, &page)?;
        all.extend(found.items);
        match found.next {
            None => return Ok(all),
            after => page.after = after,
        }
    }
}

fn view(v: &Versioned<User>) -> Value {
    let user = &v.row;
    let built_in = user
        .roles
        .iter()
        .map(|r| serde_json::to_value(r).unwrap_or_default());
    let custom = user.custom_roles.iter().map(|r| json!(r));
    let groups: Vec<Value> = built_in
        .chain(custom)
        .map(|id| json!({ "value": id, "type": "direct" }))
        .collect();
    let mut body = json!({
        "schemas": [USER], "id": user.id, "userName": user.login.expose(),
        "displayName": user.name.expose(), "name": { "formatted": user.name.expose() },
        "active": !user.disabled, "groups": groups,
        "meta": {
            "resourceType": "User", "created": v.created_at.to_rfc3339(),
            "lastModified": v.updated_at.to_rfc3339(), "version": format!("W/\"{}\"", v.version.0),
            "location": format!("/scim/v2/Users/{}", user.id),
        },
    });
    if let Some(id) = &user.external_id {
        body["externalId"] = json!(id);
    }
    body
}

async fn list(State(state): State<ApiState>, caller: Caller, uri: Uri) -> Reply {
    let found = state.store(move |s| {
        let query = query(&uri)?;
        let wanted = filter(&query)?;
        let mut all = everybody(s, &caller)?;
        if let Some((attribute, value)) = wanted {
            match attribute.as_str() {
                "username" => all.retain(|u| u.row.login.expose().eq_ignore_ascii_case(&value)),
                "externalid" => all.retain(|u| u.row.external_id.as_ref() == Some(&value)),
                "id" => all.retain(|u| u.row.id.to_string() == value),
                _ => {
                    let detail = "people are found by userName, externalId and id";
                    return Err(ScimError::bad("invalidFilter", detail));
                }
            }
        }
        listed(all.iter().map(view).collect(), &query)
    });
    told(found.await.map(|b| (StatusCode::OK, b)))
}

async fn read(State(state): State<ApiState>, caller: Caller, Id(id): Id<UserId>) -> Reply {
    let found = state.store(move |s| of(s, &caller, id));
    told(found.await.map(|u| (StatusCode::OK, view(&u))))
}

fn of(store: &dyn Store, caller: &Caller, id: UserId) -> Result<Versioned<User>, ScimError> {
    let found = store.get::<User>(caller.tenant, id);
    found.map_err(|_| ScimError::missing("person"))
}

fn text(value: &Value, name: &str) -> Result<String, ScimError> {
    let text = value.as_str().map(str::trim).unwrap_or_default();
    if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        let detail = format!("{name} must be a text of 1 to {TEXT_CHARS_MAX} characters");
        return Err(ScimError::bad("invalidValue", detail));
    }
    Ok(text.to_string())
}

/// Some systems send booleans as words.
fn boolean(value: &Value) -> Result<bool, ScimError> {
    let word = value.as_str().map(str::to_ascii_lowercase);
    match (value, word.as_deref()) {
        (Value::Bool(b), _) => Ok(*b),
        (_, Some("true")) => Ok(true),
        (_, Some("false")) => Ok(false),
        _ => Err(ScimError::bad(
            "invalidValue",
            "active must be true or false",
        )),
    }
}

/// Sets one attribute; those that are not kept here are passed over (RFC 7644 3.3).
fn set(user: &mut User, attribute: &str, value: &Value) -> Result<(), ScimError> {
    match attribute {
        "username" => user.login = Pii(text(value, "userName")?),
        "displayname" | "name.formatted" => user.name = Pii(text(value, "displayName")?),
        "externalid" if value.is_null() => user.external_id = None,
        "externalid" => user.external_id = Some(text(value, "externalId")?),
        "active" => user.disabled = !boolean(value)?,
        "password" => {
            let new = value.as_str().unwrap_or_default();
            let length = new.chars().count();
            if length < password::PASSWORD_CHARS_MIN || new.len() > password::PASSWORD_BYTES_MAX {
                let detail = "a password has 8 to 256 characters";
                return Err(ScimError::bad("invalidValue", detail));
            }
            if password::is_weak(new, &[user.login.expose(), user.name.expose()]) {
                return Err(ScimError::bad("invalidValue", password::WEAK));
            }
            user.password_hash = Pii(password::hash(new));
        }
        _ => {}
    }
    Ok(())
}

/// All attributes of a whole resource.
fn set_all(user: &mut User, body: &Value) -> Result<(), ScimError> {
    user.login = Pii(text(&body["userName"], "userName")?);
    let joined = || {
        let part = |n: &str| body["name"][n].as_str().unwrap_or_default().to_string();
        let whole = format!("{} {}", part("givenName"), part("familyName"));
        (!whole.trim().is_empty()).then(|| json!(whole))
    };
    let names = [
        body["displayName"].clone(),
        body["name"]["formatted"].clone(),
    ];
    let name = names.into_iter().find(Value::is_string).or_else(joined);
    set(
        user,
        "displayname",
        &name.unwrap_or_else(|| body["userName"].clone()),
    )?;
    for attribute in ["externalId", "active", "password"] {
        if let Some(value) = body.get(attribute) {
            set(user, &attribute.to_ascii_lowercase(), value)?;
        }
    }
    Ok(())
}

async fn create(State(state): State<ApiState>, caller: Caller, body: Bytes) -> Reply {
    let (id, now): (UserId, _) = (state.new_id(), state.now());
    let made = state.edit(move |s| {
        let make = || {
            let mut user = User::new(id, caller.tenant, "", "", vec![]);
            set_all(&mut user, &document(&body)?)?;
            may_touch(s, &caller, None, Some(&user))?;
            s.create(caller.edit(now), user.clone())?;
            Ok::<_, ScimError>((StatusCode::CREATED, view(&versioned(user, Version(1), now))))
        };
        Ok(make())
    });
    told(made.await?)
}

fn versioned(row: User, version: Version, now: Timestamp) -> Versioned<User> {
    Versioned {
        version,
        created_at: now,
        updated_at: now,
        row,
    }
}

/// Writes a changed person and does what follows from it: whoever is deactivated, or has another
/// password or other roles, is signed out everywhere.
pub(super) fn write(
    store: &dyn Store,
    caller: &Caller,
    before: Versioned<User>,
    after: User,
    now: Timestamp,
) -> Result<Versioned<User>, ScimError> {
    if after == before.row {
        return Ok(before);
    }
    may_touch(store, caller, Some(&before.row), Some(&after))?;
    keep_one_administrator(store, caller.tenant, Some(&before.row), Some(&after))?;
    let version = store.update(caller.edit(now), after.clone(), Some(before.version))?;
    Users::settled(store, &before.row, Some(&after))?;
    Ok(Versioned {
        created_at: before.created_at,
        ..versioned(after, version, now)
    })
}

async fn edited(
    state: &ApiState,
    caller: Caller,
    id: UserId,
    edit: impl FnOnce(&mut User) -> Result<(), ScimError> + Send + 'static,
) -> Reply {
    let now = state.now();
    let done = state.edit(move |s| {
        let change = || {
            let before = of(s, &caller, id)?;
            let mut after = before.row.clone();
            edit(&mut after)?;
            let after = write(s, &caller, before, after, now)?;
            Ok::<_, ScimError>((StatusCode::OK, view(&after)))
        };
        Ok(change())
    });
    told(done.await?)
}

async fn replace(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<UserId>,
    body: Bytes,
) -> Reply {
    edited(&state, caller, id, move |user| {
        user.external_id = None;
        set_all(user, &document(&body)?)
    })
    .await
}

async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<UserId>,
    body: Bytes,
) -> Reply {
    edited(&state, caller, id, move |user| {
        for Patched {
            op,
            attribute,
            value,
            ..
        } in changes(&document(&body)?)?
        {
            match op {
                Op::Remove if attribute == "externalid" => user.external_id = None,
                Op::Remove if ["username", "active"].contains(&attribute.as_str()) => {
                    let detail = format!("{attribute} cannot be taken away");
                    return Err(ScimError::bad("mutability", detail));
                }
                Op::Remove => {}
                Op::Add | Op::Replace => set(user, &attribute, &value)?,
            }
        }
        Ok(())
    })
    .await
}

async fn remove(State(state): State<ApiState>, caller: Caller, Id(id): Id<UserId>) -> Reply {
    let now = state.now();
    let done = state.edit(move |s| {
        let remove = || {
            let before = of(s, &caller, id)?;
            may_touch(s, &caller, Some(&before.row), None)?;
            keep_one_administrator(s, caller.tenant, Some(&before.row), None)?;
            s.delete(caller.edit(now), id, Some(before.version))?;
            Ok::<_, ScimError>((StatusCode::NO_CONTENT, json!({ "schemas": [GROUP] })))
        };
        Ok(remove())
    });
    told(done.await?)
}
