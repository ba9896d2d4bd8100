//! Who somebody is here whom an identity provider vouches for: found, linked, made, or refused.

use crate::problem::Problem;
use crate::resource::users::keep_one_administrator;
use crate::state::ApiState;
use cp_store::{
    Edit, ExternalIdentity, IdentityProvider, RoleRule, Store, StoreError, StoreExt, User,
};
use cp_vocab::command::Actor;
use cp_vocab::{Pii, Timestamp, UserId};
use serde_json::{Map, Value};

/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 100;
/// Values of the roles claim that are looked at; further ones give nothing.
const VALUES_MAX: usize = 500;

/// Why somebody the provider vouches for does not come in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("nobody here belongs to this account, and accounts are not made by themselves")]
    Unknown,
    #[error("the account has no usable value in the claim that names people")]
    Nameless,
    #[error("somebody else has this sign-in name")]
    Taken,
    #[error("this person is disabled")]
    Disabled,
    #[error("the account gives no role here")]
    NoRole,
    #[error("the store failed")]
    Store,
}

impl Refused {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "oidc_person_unknown",
            Self::Nameless => "oidc_person_nameless",
            Self::Taken => "oidc_name_taken",
            Self::Disabled => "oidc_person_disabled",
            Self::NoRole => "oidc_no_role",
            Self::Store => "store_unavailable",
        }
    }
}

impl From<StoreError> for Refused {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

/// The person of these claims, brought up to date.
pub(crate) async fn person(
    state: &ApiState,
    provider: &IdentityProvider,
    claims: &Map<String, Value>,
) -> Result<User, Refused> {
    let (provider, claims) = (provider.clone(), claims.clone());
    let (id, now) = (state.new_id(), state.now());
    let found = state
        .edit(move |s| Ok::<_, Problem>(settle(s, &provider, &claims, id, now)))
        .await;
    found.unwrap_or(Err(Refused::Store))
}

fn settle(
    store: &dyn Store,
    provider: &IdentityProvider,
    claims: &Map<String, Value>,
    id: UserId,
    now: Timestamp,
) -> Result<User, Refused> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::trim);
    let subject = text("sub").ok_or(Refused::Nameless)?;
    let edit = || Edit::new(provider.tenant, Actor::System, now);
    if let Some(known) = store.user_by_subject(provider.id, subject)? {
        if known.row.disabled {
            return Err(Refused::Disabled);
        }
        let after = with_roles(provider, claims, known.row.clone());
        if after == known.row {
            return Ok(after);
        }
        // Whoever administers alone keeps that, whatever the provider says: somebody must.
        if keep_one_administrator(store, provider.tenant, Some(&known.row), Some(&after)).is_err() {
            return Ok(known.row);
        }
        store.update(edit(), after.clone(), Some(known.version))?;
        return Ok(after);
    }
    let login = text(&provider.login_claim).filter(|l| !l.is_empty() && l.len() <= 100);
    let login = login.ok_or(Refused::Nameless)?;
    let external = ExternalIdentity {
        provider: provider.id,
        subject: Pii(subject.to_string()),
    };
    let same = store.users_by_login(login)?;
    let same = same.into_iter().find(|u| u.row.tenant == provider.tenant);
    if let Some(found) = same {
        // An address that nobody verified proves nothing about who has it.
        let verified = provider.login_claim != "email"
            || claims.get("email_verified") == Some(&Value::Bool(true));
        if !provider.link_by_login || !verified || found.row.external.is_some() {
            return Err(Refused::Taken);
        }
        if found.row.disabled {
            return Err(Refused::Disabled);
        }
        let linked = User {
            external: Some(external),
            ..found.row
        };
        store.update(edit(), linked.clone(), Some(found.version))?;
        return Ok(linked);
    }
    if !provider.provision {
        return Err(Refused::Unknown);
    }
    let name: String = text("name")
        .unwrap_or(login)
        .chars()
        .take(NAME_CHARS_MAX)
        .collect();
    let name = if name.is_empty() { login } else { &name };
    let mut made = User::new(
        id,
        provider.tenant,
        login,
        name,
        provider.default_roles.clone(),
    );
    made.external = Some(external);
    let made = with_roles(provider, claims, made);
    if made.roles.is_empty() && made.custom_roles.is_empty() {
        return Err(Refused::NoRole);
    }
    store.create(edit(), made.clone())?;
    Ok(made)
}

/// The roles that the claims give; without a roles claim they are given here and stay.
fn with_roles(provider: &IdentityProvider, claims: &Map<String, Value>, mut user: User) -> User {
    if provider.roles_claim.is_empty() {
        return user;
    }
    let values: Vec<&str> = match claims.get(&provider.roles_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all
            .iter()
            .take(VALUES_MAX)
            .filter_map(Value::as_str)
            .collect(),
        _ => vec![],
    };
    user.roles = provider.default_roles.clone();
    user.custom_roles = Vec::new();
    let given = |r: &&RoleRule| values.contains(&r.value.as_str());
    for rule in provider.role_rules.iter().filter(given) {
        user.roles.extend(&rule.roles);
        user.custom_roles.extend(&rule.custom_roles);
    }
    user.roles.sort();
    user.roles.dedup();
    user.custom_roles.sort();
    user.custom_roles.dedup();
    user
}
