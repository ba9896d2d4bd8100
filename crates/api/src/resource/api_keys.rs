//! Keys for programs: shown once, kept as a hash.

use crate::auth::permission::Permission;
use crate::auth::permission::Permissions;
use crate::auth::{Caller, token};
use crate::crud;
use crate::crud::{Making, Resource};
use crate::extract::Body;
use crate::idempotency::{MaybeKey, replay};
use crate::operation::{self, Api};
use crate::problem::FieldError;
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use cp_store::{ApiKey, Role, StoreError, StoreExt, Version, Versioned};
use cp_vocab::{ApiKeyId, Code, Pii, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Give `scopes`, or `roles` for all that a role may do.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// Permissions (`resource:action`) of the key; none may be beyond its maker's.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Vec<published::Role>, max_items = 4)]
    pub(crate) roles: Vec<Role>,
    /// RFC 3339; without it the key does not expire.
    #[serde(default, with = "cp_vocab::time::rfc3339_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
}

pub(crate) struct ApiKeys;

impl Resource for ApiKeys {
    type Id = ApiKeyId;
    type Row = ApiKey;
    type Input = ApiKeyInput;
    const PATHS: (&'static str, &'static str) = ("/v1/api-keys", "/v1/api-keys/{id}");
    const IDS: [&'static str; 5] = [
        "listApiKeys",
        "createApiKey",
        "getApiKey",
        "changeApiKey",
        "removeApiKey",
    ];
    const TAG: &'static str = "API keys";
    const SCHEMA: &'static str = "ApiKey";
    const READ: &'static [Permission] = &[Permission::ApiKeysRead];
    const WRITE: &'static [Permission] = &[Permission::ApiKeysWrite];

    fn id(row: &ApiKey) -> ApiKeyId {
        row.id
    }
    const IN_SNAPSHOT: bool = false;
    const STEP_UP: bool = true;

    fn input(row: &ApiKey) -> ApiKeyInput {
        ApiKeyInput {
            name: row.name.clone(),
            scopes: row.scopes.clone(),
            roles: row.roles.clone(),
            expires_at: row.expires_at,
        }
    }
    /// Only the name and the end change; what a key may do is settled when it is made.
    fn build(
        input: ApiKeyInput,
        of: &Making<'_, ApiKeyId, ApiKey>,
    ) -> Result<ApiKey, Vec<FieldError>> {
        let before = of.before.expect("keys are made by their own operation");
        if input.scopes != before.scopes || input.roles != before.roles {
            let detail = "a key's rights are settled when it is made; make another one";
            return Err(vec![FieldError::new("/scopes", "conflict", detail)]);
        }
        Ok(ApiKey {
            name: input.name,
            expires_at: input.expires_at,
            ..before.clone()
        })
    }
}

/// A key as it is answered when it was made: the only time its secret is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyMade {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `cp_…`; null when this is the answer to a repeated request.
    pub(crate) secret: Option<String>,
    pub(crate) scopes: Vec<String>,
    #[schema(value_type = Vec<published::Role>)]
    pub(crate) roles: Vec<Role>,
    pub(crate) expires_at: Option<String>,
    pub(crate) created_at: String,
}

pub(crate) fn add(api: &mut Api) {
    crud::add_reading::<ApiKeys>(api);
    crud::add_changing::<ApiKeys>(api);
    crud::add_removing::<ApiKeys>(api);
    api.add(
        operation::post(
            "/v1/api-keys",
            "createApiKey",
            ApiKeys::TAG,
            "Make an API key",
        )
        .describe("The secret is told in this answer only.")
        .needs(ApiKeys::WRITE)
        .step_up()
        .audited_by_edit()
        .body::<ApiKeyInput>()
        .idempotent_edit()
        .replies::<ApiKeyMade>(201, "Made"),
        create,
    );
}

/// What a key may do.
pub(crate) fn permissions(key: &ApiKey) -> Permissions {
    let scopes = key
        .scopes
        .iter()
        .filter_map(|s| s.parse::<Permission>().ok());
    let of_roles = Permissions::of_roles(&key.roles);
    scopes.chain(of_roles.iter()).collect()
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    MaybeKey(idempotency): MaybeKey,
    Body(input): Body<ApiKeyInput>,
) -> Reply {
    check_scopes(&input)?;
    let secret = token::generate(token::API_KEY_PREFIX);
    let now = state.now();
    let key = ApiKey {
        id: state.new_id(),
        tenant: caller.tenant,
        name: input.name,
        secret_hash: Pii(token::sha256(secret.as_bytes())),
        roles: input.roles,
        scopes: input.scopes,
        created_at: now,
        expires_at: input.expires_at,
    };
    if !caller.permissions.may_grant(permissions(&key)) {
        let detail = "a key cannot be given more than its maker may do";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let mut body = crud::view::<ApiKeys>(&Versioned {
        version: Version(1),
        created_at: now,
        updated_at: now,
        row: key.clone(),
    });
    // What is kept for a repetition has no secret in it.
    body["secret"] = Value::Null;
    let mut edit = caller.edit(now);
    edit.idempotency = idempotency.map(|k| k.keeping(crud::made_response(&body)));
    match state.store(move |s| s.create(edit, key)).await {
        Ok(_) => {
            body["secret"] = secret.into();
            Ok(crud::made("/v1/api-keys", body))
        }
        Err(StoreError::AlreadyDone(kept)) => Ok(replay(*kept)),
        Err(e) => Err(e.into()),
    }
}

fn check_scopes(input: &ApiKeyInput) -> Result<(), Problem> {
    let mut errors = Vec::new();
    for (i, scope) in input.scopes.iter().enumerate() {
        if scope.parse::<Permission>().is_err() {
            let detail = "there is no such permission; /openapi.json lists them";
            errors.push(FieldError::new(
                format!("/scopes/{i}"),
                "not_one_of",
                detail,
            ));
        }
    }
    if input.scopes.is_empty() && input.roles.is_empty() {
        errors.push(FieldError::new(
            "/scopes",
            "required",
            "give scopes or roles",
        ));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid(errors))
}
