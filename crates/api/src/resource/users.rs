//! People who sign in.

use crate::auth::Caller;
use crate::auth::password;
use crate::auth::permission::Permission;
use crate::auth::permission::Permissions;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use crate::problem::{Problem, Reply};
use crate::resource::roles::permissions;
use crate::resource::secret;
use crate::schema::vocabulary as published;
use cp_store::{PAGE_ROWS_MAX, PageRequest, Role, Store, StoreError, StoreExt, User};
use cp_vocab::{Code, Pii, RoleId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserInput {
    /// Sign-in name, unique in the tenant whatever the case; an e-mail address or any other word.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) login: String,
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// Kept as argon2id; never given out. A new one ends the person's sessions. Without one the
    /// person cannot sign in.
    #[serde(default, skip_serializing_if = "secret")]
    #[schema(write_only, min_length = 8, max_length = 256)]
    pub(crate) password: Option<String>,
    #[schema(value_type = Vec<published::Role>, max_items = 4)]
    pub(crate) roles: Vec<Role>,
    /// Roles of the tenant's own making, besides. Nobody can be given more than the giver may do.
    #[serde(default)]
    #[schema(value_type = Vec<published::RoleId>, max_items = 20)]
    pub(crate) custom_roles: Vec<RoleId>,
    #[serde(default)]
    pub(crate) disabled: bool,
}

pub(crate) struct Users;

impl Resource for Users {
    type Id = UserId;
    type Row = User;
    type Input = UserInput;
    const PATHS: (&'static str, &'static str) = ("/v1/users", "/v1/users/{id}");
    const IDS: [&'static str; 5] = [
        "listUsers",
        "createUser",
        "getUser",
        "changeUser",
        "removeUser",
    ];
    const TAG: &'static str = "Users";
    const SCHEMA: &'static str = "User";
    const READ: &'static [Permission] = &[Permission::UsersRead];
    const WRITE: &'static [Permission] = &[Permission::UsersWrite];

    fn id(row: &User) -> UserId {
        row.id
    }
    const IN_SNAPSHOT: bool = false;
    const STEP_UP: bool = true;

    fn input(row: &User) -> UserInput {
        UserInput {
            login: row.login.expose().clone(),
            name: row.name.expose().clone(),
            password: None,
            roles: row.roles.clone(),
            custom_roles: row.custom_roles.clone(),
            disabled: row.disabled,
        }
    }
    fn build(input: UserInput, of: &Making<'_, UserId, User>) -> Result<User, Vec<FieldError>> {
        if input.login.trim() != input.login {
            let detail = "login must not begin or end with a space";
            return Err(vec![FieldError::new("/login", "format", detail)]);
        }
        let kept = of.before.map(|b| b.password_hash.clone());
        let password_hash = match input.password {
            Some(p) if password::is_weak(&p, &[&input.login, &input.name]) => {
                let weak = FieldError::new("/password", "too_weak", password::WEAK);
                return Err(vec![weak]);
            }
            Some(p) => Pii(password::hash(&p)),
            None => kept.unwrap_or_default(),
        };
        Ok(User {
            id: of.id,
            tenant: of.tenant,
            login: Pii(input.login),
            name: Pii(input.name),
            password_hash,
            roles: input.roles,
            custom_roles: input.custom_roles,
            disabled: input.disabled,
            external: of.before.and_then(|b| b.external.clone()),
            external_id: of.before.and_then(|b| b.external_id.clone()),
        })
    }
    fn guard(
        store: &dyn Store,
        caller: &Caller,
        before: Option<&User>,
        after: Option<&User>,
    ) -> Reply<()> {
        may_touch(store, caller, before, after)?;
        keep_one_administrator(store, caller.tenant, before, after)
    }
    fn settled(store: &dyn Store, before: &User, after: Option<&User>) -> Result<(), StoreError> {
        let stays = after.is_some_and(|a| {
            !a.disabled
                && a.password_hash == before.password_hash
                && a.roles == before.roles
                && a.custom_roles == before.custom_roles
        });
        if !stays {
            store.sessions_end_of(before.tenant, before.id)?;
        }
        Ok(())
    }
}

/// Nobody makes, changes or removes somebody who may do more than they may themselves: a new
/// password for an administrator would be a way to become one.
///
/// # Errors
/// 403.
pub(crate) fn may_touch(
    store: &dyn Store,
    caller: &Caller,
    before: Option<&User>,
    after: Option<&User>,
) -> Reply<()> {
    for user in [before, after].into_iter().flatten() {
        if !caller.permissions.may_grant(permissions(store, user)?) {
            let detail = "you cannot give, change or take away more than you may do yourself";
            return Err(Problem::new(Code::Forbidden, detail));
        }
    }
    Ok(())
}

/// # Errors
/// 409 when nobody would be left to administer the tenant.
pub(crate) fn keep_one_administrator(
    store: &dyn Store,
    tenant: TenantId,
    before: Option<&User>,
    after: Option<&User>,
) -> Reply<()> {
    if before.is_some_and(administers) && !after.is_some_and(administers) {
        let first = PageRequest::first(PAGE_ROWS_MAX);
        let people = store.list::<User>(tenant, &first)?;
        let other = |u: &User| administers(u) && Some(u.id) != before.map(|b| b.id);
        if !people.items.iter().any(|u| other(&u.row)) {
            let detail = "this is the last person who can administer the tenant";
            return Err(Problem::new(Code::Conflict, detail));
        }
    }
    Ok(())
}

fn administers(user: &User) -> bool {
    !user.disabled && Permissions::of_roles(&user.roles).has(Permission::UsersWrite)
}
