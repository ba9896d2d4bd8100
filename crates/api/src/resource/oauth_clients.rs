//! Programs that get tokens by the client credentials grant; their secrets are shown once.

use crate::auth::permission::Permission;
use crate::auth::{Caller, token};
use crate::crud::{self, Making, Resource};
use crate::extract::{Body, Id};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::resource::roles::{of_words, unknown};
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{ClientSecret, OAuthClient, Store, StoreError, StoreExt, Version, Versioned};
use cp_vocab::id::TypedId;
use cp_vocab::{Code, OAuthClientId, Pii, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How long the old secret goes on opening after it was replaced, unless told otherwise.
const OVERLAP_S: u32 = 24 * 60 * 60;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthClientInput {
    #[schema(min_length = 1, max_length = 100, example = "CRM sync")]
    pub(crate) name: String,
    /// Permissions a token may carry; none may be beyond the maker's own.
    #[schema(min_items = 1, max_items = 128, example = json!(["interactions:read"]))]
    pub(crate) scopes: Vec<String>,
    /// How long a token lasts, in seconds.
    #[serde(default = "token_s")]
    #[schema(minimum = 60, maximum = 86_400, default = 3_600)]
    pub(crate) token_s: u32,
    #[serde(default)]
    pub(crate) disabled: bool,
}

fn token_s() -> u32 {
    3_600
}

/// A client as it is answered when it was made or got a new secret: the only time it is told.
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthClientMade {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `client_id` of the token request is `id`; this is `client_secret`.
    #[schema(example = "cpc_…")]
    pub(crate) secret: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) token_s: u32,
    pub(crate) version: u64,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRotation {
    /// How long the old secret goes on opening; 0 ends it and the tokens made with it at once.
    #[serde(default = "overlap_s")]
    #[schema(maximum = 2_592_000, default = 86_400)]
    pub(crate) overlap_s: u32,
}

fn overlap_s() -> u32 {
    OVERLAP_S
}

pub(crate) struct OAuthClients;

impl Resource for OAuthClients {
    type Id = OAuthClientId;
    type Row = OAuthClient;
    type Input = OAuthClientInput;
    const PATHS: (&'static str, &'static str) = ("/v1/oauth-clients", "/v1/oauth-clients/{id}");
    const IDS: [&'static str; 5] = [
        "listOAuthClients",
        "createOAuthClient",
        "getOAuthClient",
        "changeOAuthClient",
        "removeOAuthClient",
    ];
    const TAG: &'static str = "OAuth clients";
    const SCHEMA: &'static str = "OAuthClient";
    const READ: &'static [Permission] = &[Permission::OAuthClientsRead];
    const WRITE: &'static [Permission] = &[Permission::OAuthClientsWrite];
    const IN_SNAPSHOT: bool = false;
    const STEP_UP: bool = true;

    fn id(row: &OAuthClient) -> OAuthClientId {
        row.id
    }
    fn input(row: &OAuthClient) -> OAuthClientInput {
        OAuthClientInput {
            name: row.name.clone(),
            scopes: row.scopes.clone(),
            token_s: row.token_s,
            disabled: row.disabled,
        }
    }
    fn build(
        input: OAuthClientInput,
        of: &Making<'_, OAuthClientId, OAuthClient>,
    ) -> Result<OAuthClient, Vec<FieldError>> {
        let errors = unknown(&input.scopes, "/scopes");
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(OAuthClient {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            secrets: of.before.map(|b| b.secrets.clone()).unwrap_or_default(),
            scopes: input.scopes,
            token_s: input.token_s,
            disabled: input.disabled,
        })
    }
    fn guard(
        _: &dyn Store,
        caller: &Caller,
        before: Option<&OAuthClient>,
        after: Option<&OAuthClient>,
    ) -> Reply<()> {
        for client in [before, after].into_iter().flatten() {
            if !caller.permissions.may_grant(of_words(&client.scopes)) {
                let detail = "a client cannot be given more than its maker may do";
                return Err(Problem::new(Code::Forbidden, detail));
            }
        }
        Ok(())
    }
    fn settled(
        store: &dyn Store,
        before: &OAuthClient,
        after: Option<&OAuthClient>,
    ) -> Result<(), StoreError> {
        if after.is_none_or(|a| a.disabled || a.scopes != before.scopes) {
            store.access_tokens_end_of(before.tenant, before.id)?;
        }
        Ok(())
    }
}

pub(crate) fn add(api: &mut Api) {
    crud::add_reading::<OAuthClients>(api);
    crud::add_changing::<OAuthClients>(api);
    crud::add_removing::<OAuthClients>(api);
    api.add(
        operation::post(
            "/v1/oauth-clients",
            "createOAuthClient",
            OAuthClients::TAG,
            "Make an OAuth 2 client",
        )
        .describe("The secret is told in this answer only.")
        .needs(OAuthClients::WRITE)
        .step_up()
        .audited_by_edit()
        .body::<OAuthClientInput>()
        .replies::<OAuthClientMade>(201, "Made"),
        create,
    );
    api.add(
        operation::post(
            "/v1/oauth-clients/{id}/secret",
            "rotateOAuthClientSecret",
            OAuthClients::TAG,
            "Give a client a new secret",
        )
        .describe("The old one opens for a while longer, so that the program can change over.")
        .needs(OAuthClients::WRITE)
        .step_up()
        .audited_by_edit()
        .path_id(OAuthClientId::PREFIX)
        .optional_body::<SecretRotation>()
        .replies::<OAuthClientMade>(200, "The new secret"),
        rotate,
    );
}

fn new_secret() -> (String, ClientSecret) {
    let secret = token::generate(token::CLIENT_PREFIX);
    let kept = ClientSecret {
        hash: Pii(token::sha256(secret.as_bytes())),
        expires_at: None,
    };
    (secret, kept)
}

fn told(row: &OAuthClient, secret: String, version: Version) -> OAuthClientMade {
    OAuthClientMade {
        id: row.id.to_string(),
        name: row.name.clone(),
        secret,
        scopes: row.scopes.clone(),
        token_s: row.token_s,
        version: version.0,
    }
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<OAuthClientInput>,
) -> Reply {
    let (id, now) = (state.new_id(), state.now());
    let (secret, kept) = new_secret();
    let made = state
        .edit(move |store| {
            let snapshot = store.snapshot()?;
            let of = Making {
                id,
                tenant: caller.tenant,
                before: None,
                snapshot: &snapshot,
            };
            let mut row = OAuthClients::build(input, &of).map_err(Problem::invalid)?;
            OAuthClients::guard(store, &caller, None, Some(&row))?;
            row.secrets = vec![kept];
            let version = store.create(caller.edit(now), row.clone())?;
            Ok(told(&row, secret, version))
        })
        .await?;
    Ok((axum::http::StatusCode::CREATED, axum::Json(made)).into_response())
}

async fn rotate(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<OAuthClientId>,
    Body(input): Body<SecretRotation>,
) -> Reply {
    let now = state.now();
    let (secret, kept) = new_secret();
    let made = state
        .edit(move |store| {
            let before = store.get::<OAuthClient>(caller.tenant, id)?;
            OAuthClients::guard(store, &caller, Some(&before.row), None)?;
            let Versioned {
                version, mut row, ..
            } = before;
            row.secrets = replaced(row.secrets, kept, input.overlap_s, now);
            let version = store.update(caller.edit(now), row.clone(), Some(version))?;
            if input.overlap_s == 0 {
                store.access_tokens_end_of(row.tenant, row.id)?;
            }
            Ok(told(&row, secret, version))
        })
        .await?;
    Ok(axum::Json(made).into_response())
}

/// The new secret, and the one before it until the overlap is over; older ones end now.
fn replaced(
    old: Vec<ClientSecret>,
    new: ClientSecret,
    overlap_s: u32,
    now: Timestamp,
) -> Vec<ClientSecret> {
    let until = now + Duration::from_secs(u64::from(overlap_s));
    let live = |s: &ClientSecret| s.expires_at.is_none_or(|at| at > now);
    let last = old.into_iter().find(live).filter(|_| overlap_s > 0);
    let last = last.map(|s| ClientSecret {
        expires_at: Some(s.expires_at.map_or(until, |at| at.min(until))),
        ..s
    });
    std::iter::once(new).chain(last).collect()
}

/// Whether this is a secret of the client.
pub(crate) fn opens(client: &OAuthClient, secret: &str, now: Timestamp) -> bool {
    let shown = token::hex(&token::sha256(secret.as_bytes()));
    let fits = |s: &ClientSecret| {
        let live = s.expires_at.is_none_or(|at| at > now);
        live && token::same(&token::hex(s.hash.expose()), &shown)
    };
    // Every secret is looked at, so that the time does not tell which one is close.
    client.secrets.iter().filter(|s| fits(s)).count() > 0
}
