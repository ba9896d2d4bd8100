//! Roles that a tenant makes for itself, and the list of all that can be allowed.

use crate::auth::Caller;
use crate::auth::permission::{Permission, Permissions};
use crate::crud::{Making, Resource};
use crate::extract::PageView;
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use axum::response::IntoResponse;
use cp_store::{CustomRole, Role, Store, StoreError, StoreExt, User};
use cp_vocab::{Code, RoleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleInput {
    #[schema(min_length = 1, max_length = 100, example = "Night shift lead")]
    pub(crate) name: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(crate) description: String,
    /// `resource:action`; `GET /v1/permissions` lists them. None may be beyond the maker's own.
    #[schema(max_items = 128, example = json!(["queues:read", "presence:set"]))]
    pub(crate) permissions: Vec<String>,
}

pub(crate) struct Roles;

impl Resource for Roles {
    type Id = RoleId;
    type Row = CustomRole;
    type Input = RoleInput;
    const PATHS: (&'static str, &'static str) = ("/v1/roles", "/v1/roles/{id}");
    const IDS: [&'static str; 5] = [
        "listRoles",
        "createRole",
        "getRole",
        "changeRole",
        "removeRole",
    ];
    const TAG: &'static str = "Roles";
    const SCHEMA: &'static str = "CustomRole";
    const READ: &'static [Permission] = &[Permission::RolesRead];
    const WRITE: &'static [Permission] = &[Permission::RolesWrite];
    const IN_SNAPSHOT: bool = false;
    const STEP_UP: bool = true;

    fn id(row: &CustomRole) -> RoleId {
        row.id
    }
    fn input(row: &CustomRole) -> RoleInput {
        RoleInput {
            name: row.name.clone(),
            description: row.description.clone(),
            permissions: row.permissions.clone(),
        }
    }
    fn build(
        input: RoleInput,
        of: &Making<'_, RoleId, CustomRole>,
    ) -> Result<CustomRole, Vec<FieldError>> {
        let mut permissions = input.permissions;
        permissions.sort();
        permissions.dedup();
        let errors = unknown(&permissions, "/permissions");
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(CustomRole {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            description: input.description,
            permissions,
        })
    }
    /// Whoever changes a role changes what all its people may do.
    fn guard(
        _: &dyn Store,
        caller: &Caller,
        before: Option<&CustomRole>,
        after: Option<&CustomRole>,
    ) -> Reply<()> {
        for role in [before, after].into_iter().flatten() {
            if !caller.permissions.may_grant(of_words(&role.permissions)) {
                let detail = "a role cannot hold more than its maker may do";
                return Err(Problem::new(Code::Forbidden, detail));
            }
        }
        Ok(())
    }
}

/// A fault for each word that is no permission.
pub(crate) fn unknown(words: &[String], pointer: &str) -> Vec<FieldError> {
    let bad = words
        .iter()
        .enumerate()
        .filter(|(_, w)| w.parse::<Permission>().is_err());
    bad.map(|(i, _)| {
        let detail = "there is no such permission; GET /v1/permissions lists them";
        FieldError::new(format!("{pointer}/{i}"), "not_one_of", detail)
    })
    .collect()
}

/// The permissions these words name.
pub(crate) fn of_words(words: &[String]) -> Permissions {
    words
        .iter()
        .filter_map(|w| w.parse::<Permission>().ok())
        .collect()
}

/// All that somebody may do.
pub(crate) fn permissions(store: &dyn Store, user: &User) -> Result<Permissions, StoreError> {
    let mut all = Permissions::of_roles(&user.roles);
    for role in &user.custom_roles {
        match store.get::<CustomRole>(user.tenant, *role) {
            Ok(role) => all = all.union(of_words(&role.row.permissions)),
            // Rows that name a role keep it there; a gap gives nothing.
            Err(StoreError::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(all)
}

/// One thing that can be allowed.
#[derive(Serialize, ToSchema)]
pub(crate) struct PermissionView {
    #[schema(example = "queues:write")]
    permission: &'static str,
    /// One line for people.
    what: &'static str,
    /// Built-in roles that have it.
    #[schema(value_type = Vec<published::Role>)]
    roles: Vec<Role>,
    /// Whether whoever asks may hand it out.
    grantable: bool,
}

pub(crate) fn add_catalogue(api: &mut Api) {
    api.add(
        operation::get(
            "/v1/permissions",
            "listPermissions",
            Roles::TAG,
            "All that can be allowed, and which built-in role allows it",
        )
        .lists::<PermissionView>("All of them"),
        catalogue,
    );
}

async fn catalogue(caller: Caller) -> Reply {
    let roles = [
        Role::Agent,
        Role::Supervisor,
        Role::Administrator,
        Role::Operator,
    ];
    let view = |p: &Permission| PermissionView {
        permission: p.as_str(),
        what: p.what(),
        roles: roles
            .into_iter()
            .filter(|r| Permissions::of_roles(&[*r]).has(*p))
            .collect(),
        grantable: caller.permissions.may_grant(Permissions::from_iter([*p])),
    };
    let items: Vec<PermissionView> = Permission::ALL.iter().map(view).collect();
    Ok(axum::Json(PageView { items, next: None }).into_response())
}
