//! Who may come in, and which requests were answered before.

pub(crate) mod access;
pub(crate) mod factor;
pub(crate) mod idempotency;
pub(crate) mod session;

pub use access::{AccessToken, TOKENS_OF_CLIENT_MAX};
pub use factor::{FACTORS_OF_USER_MAX, Factor, FactorKind};

use cp_vocab::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Agent,
    Supervisor,
    Administrator,
    /// Runs the platform: sees and makes tenants.
    Operator,
}

/// A person who signs in. Secrets are hashes made by the caller.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub tenant: TenantId,
    /// Unique in the tenant, whatever the case.
    pub login: Pii<String>,
    pub name: Pii<String>,
    /// PHC string (argon2id). Empty: cannot sign in by password.
    pub password_hash: Pii<String>,
    pub roles: Vec<Role>,
    /// Roles of the tenant's own making, besides.
    #[serde(default)]
    pub custom_roles: Vec<RoleId>,
    #[serde(default)]
    pub disabled: bool,
    /// Who they are at an identity provider; such a person needs no password here.
    #[serde(default)]
    pub external: Option<ExternalIdentity>,
    /// What a provisioning system calls them (SCIM `externalId`).
    #[serde(default)]
    pub external_id: Option<String>,
}

impl User {
    /// Somebody without password, second factor and outside identity.
    pub fn new(id: UserId, tenant: TenantId, login: &str, name: &str, roles: Vec<Role>) -> Self {
        Self {
            id,
            tenant,
            login: Pii(login.into()),
            name: Pii(name.into()),
            password_hash: Pii(String::new()),
            roles,
            custom_roles: Vec::new(),
            disabled: false,
            external: None,
            external_id: None,
        }
    }
}

/// `sub` of a person at an identity provider; the pair is unique.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExternalIdentity {
    pub provider: IdentityProviderId,
    pub subject: Pii<String>,
}

/// A role that a tenant made for itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustomRole {
    pub id: RoleId,
    pub tenant: TenantId,
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// `resource:action`; words this release does not know give nothing.
    pub permissions: Vec<String>,
}

/// A program that gets tokens by the client credentials grant (RFC 6749 4.4).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OAuthClient {
    pub id: OAuthClientId,
    pub tenant: TenantId,
    pub name: String,
    /// The present secret and, while it is being replaced, the one before.
    pub secrets: Vec<ClientSecret>,
    /// Permissions a token may carry.
    pub scopes: Vec<String>,
    /// How long a token lasts, in seconds.
    pub token_s: u32,
    #[serde(default)]
    pub disabled: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientSecret {
    /// SHA-256 of the secret, which is shown once and never kept.
    pub hash: Pii<[u8; 32]>,
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// An OpenID Connect provider people of a tenant sign in with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IdentityProvider {
    pub id: IdentityProviderId,
    pub tenant: TenantId,
    pub name: String,
    /// `https://login.example.com`; its discovery document lies below.
    pub issuer: String,
    pub client_id: String,
    /// Empty for a public client.
    pub client_secret: Pii<String>,
    /// Asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Claim that becomes the sign-in name.
    pub login_claim: String,
    /// Claim whose values give roles; empty: none.
    pub roles_claim: String,
    pub role_rules: Vec<RoleRule>,
    /// What everybody gets.
    pub default_roles: Vec<Role>,
    /// Make people who are not known yet.
    pub provision: bool,
    /// Take over people of the same sign-in name, if the provider says that the address is theirs.
    pub link_by_login: bool,
    #[serde(default)]
    pub disabled: bool,
}

/// Whoever has `value` in the roles claim gets these.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoleRule {
    pub value: String,
    #[serde(default)]
    pub roles: Vec<Role>,
    #[serde(default)]
    pub custom_roles: Vec<RoleId>,
}

/// A key for programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub tenant: TenantId,
    pub name: String,
    /// SHA-256 of the secret, which is shown once and never kept.
    pub secret_hash: Pii<[u8; 32]>,
    pub roles: Vec<Role>,
    /// Permissions (`resource:action`) besides those of the roles.
    #[serde(default)]
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A signed-in browser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    pub id: SessionId,
    pub tenant: TenantId,
    pub user: UserId,
    /// SHA-256 of the token.
    pub token_hash: Pii<[u8; 32]>,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
    /// When its person last proved who they are; dangerous changes want it to be recent.
    pub proved_at: Timestamp,
    pub origin: Origin,
}

/// Where a session came from, for the list of sessions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    #[serde(default)]
    pub address: Pii<String>,
    /// `User-Agent`, cut.
    #[serde(default)]
    pub agent: String,
    /// How the person proved themselves (RFC 8176): `pwd`, `otp`, `hwk`, `fed`.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The identity provider that vouched, and its own name of the session.
    #[serde(default)]
    pub provider: Option<IdentityProviderId>,
    #[serde(default)]
    pub provider_session: Option<Pii<String>>,
}

/// An answer kept for a repeated request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredResponse {
    pub status: u16,
    pub content_type: String,
    /// At most [`RESPONSE_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// Answers kept for repetition are at most this long; longer ones are refused with `Invalid`.
pub const RESPONSE_BYTES_MAX: usize = 256 * 1024;
/// Idempotency keys are at most this long; longer ones are refused with `Invalid`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How long an answer is kept.
pub const IDEMPOTENCY_HOURS: u64 = 24;

/// What is known of an idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Idempotency {
    /// Not seen before: reserved for the caller, who finishes or abandons it.
    New,
    /// The same request is being carried out.
    InProgress,
    Done(StoredResponse),
}

/// An idempotency key whose answer is kept in the same transaction as the edit it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotent {
    pub key: String,
    pub request_hash: [u8; 32],
    pub response: StoredResponse,
}
