//! OpenID Connect providers that people of a tenant sign in with.

use crate::auth::Caller;
use crate::auth::permission::{Permission, Permissions};
use crate::crud::{Making, Resource};
use crate::problem::{FieldError, Problem, Reply};
use crate::resource::roles::permissions;
use crate::resource::secret;
use crate::schema::vocabulary as published;
use cp_store::{IdentityProvider, Role, RoleRule, Store, User};
use cp_vocab::id::TypedId;
use cp_vocab::{Code, IdentityProviderId, Pii, RoleId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityProviderInput {
    /// What the button on the sign-in page says.
    #[schema(min_length = 1, max_length = 100, example = "Company account")]
    pub(crate) name: String,
    /// As the provider spells it; its discovery document lies below.
    #[schema(
        min_length = 1,
        max_length = 500,
        example = "https://login.example.com"
    )]
    pub(crate) issuer: String,
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) client_id: String,
    /// Sealed at rest; never given out. Without one this is a public client.
    #[serde(default, skip_serializing_if = "secret")]
    #[schema(write_only, max_length = 500)]
    pub(crate) client_secret: Option<String>,
    /// Asked for besides `openid`.
    #[serde(default = "scopes")]
    #[schema(max_items = 20, default = json!(["email", "profile"]))]
    pub(crate) scopes: Vec<String>,
    /// Claim that becomes the sign-in name of people who are made or linked.
    #[serde(default = "email")]
    #[schema(min_length = 1, max_length = 100, default = "email")]
    pub(crate) login_claim: String,
    /// Claim whose values give roles (`groups`); empty: roles are given here.
    #[serde(default)]
    #[schema(max_length = 100, example = "groups")]
    pub(crate) roles_claim: String,
    #[serde(default)]
    #[schema(max_items = 100)]
    pub(crate) role_rules: Vec<RoleRuleInput>,
    /// What everybody gets who comes from there.
    #[serde(default)]
    #[schema(value_type = Vec<published::Role>, max_items = 4)]
    pub(crate) default_roles: Vec<Role>,
    /// Make people who are not known yet.
    #[serde(default)]
    pub(crate) provision: bool,
    /// Link people of the same sign-in name, when the provider says that the address is verified.
    #[serde(default)]
    pub(crate) link_by_login: bool,
    #[serde(default)]
    pub(crate) disabled: bool,
}

/// Whoever has `value` in the roles claim gets these.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = RoleRule)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleRuleInput {
    #[schema(min_length = 1, max_length = 200, example = "callcentre-leads")]
    value: String,
    #[serde(default)]
    #[schema(value_type = Vec<published::Role>, max_items = 4)]
    roles: Vec<Role>,
    #[serde(default)]
    #[schema(value_type = Vec<published::RoleId>, max_items = 20)]
    custom_roles: Vec<RoleId>,
}

fn scopes() -> Vec<String> {
    vec!["email".into(), "profile".into()]
}
fn email() -> String {
    "email".into()
}

pub(crate) struct IdentityProviders;

impl Resource for IdentityProviders {
    type Id = IdentityProviderId;
    type Row = IdentityProvider;
    type Input = IdentityProviderInput;
    const PATHS: (&'static str, &'static str) =
        ("/v1/identity-providers", "/v1/identity-providers/{id}");
    const IDS: [&'static str; 5] = [
        "listIdentityProviders",
        "createIdentityProvider",
        "getIdentityProvider",
        "changeIdentityProvider",
        "removeIdentityProvider",
    ];
    const TAG: &'static str = "Identity providers";
    const SCHEMA: &'static str = "IdentityProvider";
    const READ: &'static [Permission] = &[Permission::IdentityProvidersRead];
    const WRITE: &'static [Permission] = &[Permission::IdentityProvidersWrite];
    const IN_SNAPSHOT: bool = false;
    const STEP_UP: bool = true;

    fn id(row: &IdentityProvider) -> IdentityProviderId {
        row.id
    }
    fn input(row: &IdentityProvider) -> IdentityProviderInput {
        let rule = |r: &RoleRule| RoleRuleInput {
            value: r.value.clone(),
            roles: r.roles.clone(),
            custom_roles: r.custom_roles.clone(),
        };
        IdentityProviderInput {
            name: row.name.clone(),
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            client_secret: None,
            scopes: row.scopes.clone(),
            login_claim: row.login_claim.clone(),
            roles_claim: row.roles_claim.clone(),
            role_rules: row.role_rules.iter().map(rule).collect(),
            default_roles: row.default_roles.clone(),
            provision: row.provision,
            link_by_login: row.link_by_login,
            disabled: row.disabled,
        }
    }
    fn build(
        input: IdentityProviderInput,
        of: &Making<'_, IdentityProviderId, IdentityProvider>,
    ) -> Result<IdentityProvider, Vec<FieldError>> {
        let http = ["https://", "http://"]
            .iter()
            .any(|s| input.issuer.starts_with(s));
        if !http || input.issuer.contains(['?', '#', ' ']) {
            let detail =
                "issuer must be an address such as https://login.example.com, without query";
            return Err(vec![FieldError::new("/issuer", "format", detail)]);
        }
        let kept = of.before.map(|b| b.client_secret.clone());
        let rule = |r: RoleRuleInput| RoleRule {
            value: r.value,
            roles: r.roles,
            custom_roles: r.custom_roles,
        };
        Ok(IdentityProvider {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            issuer: input.issuer.trim_end_matches('/').to_string(),
            client_id: input.client_id,
            client_secret: input.client_secret.map(Pii).or(kept).unwrap_or_default(),
            scopes: input.scopes,
            login_claim: input.login_claim,
            roles_claim: input.roles_claim,
            role_rules: input.role_rules.into_iter().map(rule).collect(),
            default_roles: input.default_roles,
            provision: input.provision,
            link_by_login: input.link_by_login,
            disabled: input.disabled,
        })
    }
    /// A provider hands out roles, so whoever connects it must have them.
    fn guard(
        store: &dyn Store,
        caller: &Caller,
        before: Option<&IdentityProvider>,
        after: Option<&IdentityProvider>,
    ) -> Reply<()> {
        // Whoever says where people sign in can become any of them.
        if !caller
            .permissions
            .may_grant(Permissions::of_roles(&[Role::Administrator]))
        {
            let detail =
                "only an administrator connects identity providers: they decide who is who";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        for provider in [before, after].into_iter().flatten() {
            if !caller.permissions.may_grant(gives(store, provider)?) {
                let detail = "a provider cannot give roles beyond what its maker may do";
                return Err(Problem::new(Code::Forbidden, detail));
            }
        }
        Ok(())
    }
}

/// All that people of this provider can be given.
fn gives(store: &dyn Store, p: &IdentityProvider) -> Reply<Permissions> {
    let mut somebody = User::new(
        UserId::from_u128(0),
        p.tenant,
        "",
        "",
        p.default_roles.clone(),
    );
    for rule in &p.role_rules {
        somebody.roles.extend(&rule.roles);
        somebody.custom_roles.extend(&rule.custom_roles);
    }
    Ok(permissions(store, &somebody)?)
}
