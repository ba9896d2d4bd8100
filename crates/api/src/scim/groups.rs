//! Roles as SCIM groups: the built-in ones by their word, a tenant's own by their id. What a role
//! allows is settled by administrators, not by the provisioning system; who has it is settled here.

use super::patch::{Op, changes};
use super::users::{everybody, write};
use super::{GROUP, MIME, NEEDS, ScimError, TAG, document, filter, listed, listing, query, told};
use crate::auth::Caller;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::state::ApiState;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use cp_store::{CustomRole, PAGE_ROWS_MAX, PageRequest, Role, Store, StoreExt, User, Versioned};
use cp_vocab::id::TypedId;
use cp_vocab::{RoleId, Timestamp, UserId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const BUILT_IN: [(Role, &str); 4] = [
    (Role::Agent, "agent"),
    (Role::Supervisor, "supervisor"),
    (Role::Administrator, "administrator"),
    (Role::Operator, "operator"),
];

/// A role as a group.
#[derive(Clone)]
enum Group {
    BuiltIn(Role, &'static str),
    Own(CustomRole),
}

impl Group {
    fn id(&self) -> String {
        match self {
            Self::BuiltIn(_, word) => (*word).to_string(),
            Self::Own(role) => role.id.to_string(),
        }
    }
    fn name(&self) -> &str {
        match self {
            Self::BuiltIn(_, word) => word,
            Self::Own(role) => &role.name,
        }
    }
    fn has(&self, user: &User) -> bool {
        match self {
            Self::BuiltIn(role, _) => user.roles.contains(role),
            Self::Own(role) => user.custom_roles.contains(&role.id),
        }
    }
    /// The person with the role, or without it.
    fn given(&self, mut user: User, has: bool) -> User {
        match self {
            Self::BuiltIn(role, _) => {
                user.roles.retain(|r| r != role);
                user.roles.extend(has.then_some(*role));
                user.roles.sort();
            }
            Self::Own(role) => {
                user.custom_roles.retain(|r| *r != role.id);
                user.custom_roles.extend(has.then_some(role.id));
                user.custom_roles.sort();
            }
        }
        user
    }
}

pub(super) fn add(api: &mut Api) {
    let groups = "/scim/v2/Groups";
    let one = "/scim/v2/Groups/{id}";
    let id = || crate::schema::id_schema(RoleId::PREFIX);
    api.add(
        listing(
            operation::get(groups, "scimListGroups", TAG, "Roles as groups"),
            "`displayName eq \"agent\"`; also `id`.",
        ),
        list,
    );
    api.add(
        operation::post(
            groups,
            "scimCreateGroup",
            TAG,
            "Make a role that allows nothing yet",
        )
        .needs(NEEDS)
        .content(201, MIME, "Made"),
        create,
    );
    api.add(
        operation::get(one, "scimGetGroup", TAG, "One role and its people")
            .describe("`agent`, `supervisor`, `administrator`, `operator`, or the id of a role of the tenant.")
            .needs(NEEDS)
            .path_param("id", id())
            .content(200, MIME, "The group"),
        read,
    );
    api.add(
        operation::patch(
            one,
            "scimPatchGroup",
            TAG,
            "Give a role to people or take it from them",
        )
        .needs(NEEDS)
        .path_param("id", id())
        .content(200, MIME, "Changed"),
        change,
    );
    api.add(
        operation::put(one, "scimReplaceGroup", TAG, "Say who has a role")
            .needs(NEEDS)
            .path_param("id", id())
            .content(200, MIME, "Replaced"),
        replace,
    );
    api.add(
        operation::delete(one, "scimDeleteGroup", TAG, "Remove a role of the tenant")
            .needs(NEEDS)
            .path_param("id", id())
            .empty("Removed"),
        remove,
    );
}

fn all(store: &dyn Store, caller: &Caller) -> Result<Vec<Group>, ScimError> {
    let own = store.list::<CustomRole>(caller.tenant, &PageRequest::first(PAGE_ROWS_MAX))?;
    let built_in = BUILT_IN.map(|(role, word)| Group::BuiltIn(role, word));
    let own = own.items.into_iter().map(|r| Group::Own(r.row));
    Ok(built_in.into_iter().chain(own).collect())
}

fn find(store: &dyn Store, caller: &Caller, id: &str) -> Result<Group, ScimError> {
    let found = all(store, caller)?.into_iter().find(|g| g.id() == id);
    found.ok_or_else(|| ScimError::missing("group"))
}

fn view(group: &Group, people: &[Versioned<User>]) -> Value {
    let members = people.iter().filter(|u| group.has(&u.row));
    let members: Vec<Value> = members
        .map(|u| json!({ "value": u.row.id, "display": u.row.name.expose(), "$ref": format!("/scim/v2/Users/{}", u.row.id) }))
        .collect();
    json!({
        "schemas": [GROUP], "id": group.id(), "displayName": group.name(), "members": members,
        "meta": { "resourceType": "Group", "location": format!("/scim/v2/Groups/{}", group.id()) },
    })
}

async fn list(State(state): State<ApiState>, caller: Caller, uri: Uri) -> Reply {
    let found = state.store(move |s| {
        let query = query(&uri)?;
        let mut groups = all(s, &caller)?;
        match filter(&query)? {
            None => {}
            Some((a, v)) if a == "displayname" => {
                groups.retain(|g| g.name().eq_ignore_ascii_case(&v))
            }
            Some((a, v)) if a == "id" => groups.retain(|g| g.id() == v),
            Some(_) => {
                let detail = "groups are found by displayName and id";
                return Err(ScimError::bad("invalidFilter", detail));
            }
        }
        let people = everybody(s, &caller)?;
        listed(groups.iter().map(|g| view(g, &people)).collect(), &query)
    });
    told(found.await.map(|b| (StatusCode::OK, b)))
}

async fn read(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Reply {
    let found = state.store(move |s| {
        let group = find(s, &caller, &id)?;
        Ok::<_, ScimError>((StatusCode::OK, view(&group, &everybody(s, &caller)?)))
    });
    told(found.await)
}

fn ids(value: &Value) -> Result<BTreeSet<UserId>, ScimError> {
    let one = |v: &Value| {
        let id = v["value"].as_str().or(v.as_str());
        id.and_then(|id| id.parse().ok()).ok_or_else(|| {
            ScimError::bad("invalidValue", "a member is named by the id of a person")
        })
    };
    match value {
        Value::Null => Ok(BTreeSet::new()),
        Value::Array(all) => all.iter().map(one).collect(),
        single => Ok(BTreeSet::from([one(single)?])),
    }
}

/// Gives the role to these and takes it from all others.
fn settle(
    store: &dyn Store,
    caller: &Caller,
    group: &Group,
    wanted: &BTreeSet<UserId>,
    now: Timestamp,
) -> Result<Value, ScimError> {
    let people = everybody(store, caller)?;
    let known = |id: &UserId| people.iter().any(|u| u.row.id == *id);
    if !wanted.iter().all(known) {
        return Err(ScimError::bad(
            "invalidValue",
            "a member is nobody of this tenant",
        ));
    }
    let mut after = Vec::with_capacity(people.len());
    for person in people {
        let row = group.given(person.row.clone(), wanted.contains(&person.row.id));
        after.push(if group.has(&person.row) == group.has(&row) {
            person
        } else {
            write(store, caller, person, row, now)?
        });
    }
    Ok(view(group, &after))
}

fn members(
    store: &dyn Store,
    caller: &Caller,
    group: &Group,
) -> Result<BTreeSet<UserId>, ScimError> {
    let people = everybody(store, caller)?;
    Ok(people
        .iter()
        .filter(|u| group.has(&u.row))
        .map(|u| u.row.id)
        .collect())
}

async fn create(State(state): State<ApiState>, caller: Caller, body: Bytes) -> Reply {
    let (id, now): (RoleId, _) = (state.new_id(), state.now());
    let made = state.edit(move |s| {
        let make = || {
            let body = document(&body)?;
            let name = body["displayName"]
                .as_str()
                .map(str::trim)
                .unwrap_or_default();
            let taken = BUILT_IN.iter().any(|(_, w)| w.eq_ignore_ascii_case(name));
            if name.is_empty() || name.chars().count() > 100 || taken {
                let detail =
                    "displayName must be a text of 1 to 100 characters and not a built-in role";
                return Err(ScimError::bad("invalidValue", detail));
            }
            let role = CustomRole {
                id,
                tenant: caller.tenant,
                name: name.to_string(),
                description: "Made by SCIM; allows nothing until an administrator says what."
                    .into(),
                permissions: vec![],
            };
            s.create(caller.edit(now), role.clone())?;
            let group = Group::Own(role);
            let body = settle(s, &caller, &group, &ids(&body["members"])?, now)?;
            Ok((StatusCode::CREATED, body))
        };
        Ok(make())
    });
    told(made.await?)
}

async fn replace(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let now = state.now();
    let done = state.edit(move |s| {
        let replace = || {
            let group = find(s, &caller, &id)?;
            let body = document(&body)?;
            let body = settle(s, &caller, &group, &ids(&body["members"])?, now)?;
            Ok::<_, ScimError>((StatusCode::OK, body))
        };
        Ok(replace())
    });
    told(done.await?)
}

async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let now = state.now();
    let done = state.edit(move |s| {
        let change = || {
            let group = find(s, &caller, &id)?;
            let mut wanted = members(s, &caller, &group)?;
            for c in changes(&document(&body)?)? {
                if c.attribute != "members" {
                    // A role is named by administrators; other attributes are not kept.
                    continue;
                }
                let named = match &c.selected {
                    Some(one) => ids(&json!(one))?,
                    None => ids(&c.value)?,
                };
                match c.op {
                    Op::Add => wanted.extend(named),
                    Op::Replace => wanted = named,
                    Op::Remove if c.selected.is_none() && c.value.is_null() => wanted.clear(),
                    Op::Remove => wanted.retain(|id| !named.contains(id)),
                }
            }
            let body = settle(s, &caller, &group, &wanted, now)?;
            Ok::<_, ScimError>((StatusCode::OK, body))
        };
        Ok(change())
    });
    told(done.await?)
}

async fn remove(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Reply {
    let now = state.now();
    let done = state.edit(move |s| {
        let remove = || {
            let group = find(s, &caller, &id)?;
            let Group::Own(role) = &group else {
                return Err(ScimError::bad(
                    "mutability",
                    "a built-in role cannot be removed",
                ));
            };
            settle(s, &caller, &group, &BTreeSet::new(), now)?;
            s.delete(caller.edit(now), role.id, None)?;
            Ok((StatusCode::NO_CONTENT, json!({})))
        };
        Ok(remove())
    });
    told(done.await?)
}
