//! Tenants, for whoever runs the platform: make, limit, suspend.

use crate::auth::permission::Permission;
use crate::auth::{Caller, password};
use crate::crud::with_tag;
use crate::extract::{Body, Document, Id, PageView, Query, from_value, if_match, merge_patch};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use cp_store::{Change, Role, Store, StoreError, StoreExt, User, Versioned};
use cp_vocab::id::TypedId;
use cp_vocab::model::Tenant;
use cp_vocab::{Code, Pii, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A tenant with its limits, as the platform sees it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantLimits {
    #[schema(min_length = 1, max_length = 100, example = "Example Ltd")]
    pub(crate) name: String,
    /// Interactions at a time; 0: no limit of its own.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub(crate) interactions_max: u32,
    /// Nobody signs in and no call is taken or placed.
    #[serde(default)]
    pub(crate) suspended: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantNew {
    #[schema(min_length = 1, max_length = 100, example = "Example Ltd")]
    pub(crate) name: String,
    /// SIP domain of its phones and what its people add to sign in; it does not change later.
    #[schema(min_length = 1, max_length = 253, example = "example.com")]
    pub(crate) domain: String,
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub(crate) interactions_max: u32,
    /// Its first person, who can make all others.
    pub(crate) administrator: FirstPerson,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstPerson {
    #[schema(min_length = 1, max_length = 100, example = "ann@example.com")]
    pub(crate) login: String,
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    #[schema(write_only, min_length = 8, max_length = 256)]
    pub(crate) password: String,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Tenants";
    api.add(
        operation::get(
            "/v1/tenants",
            "listTenants",
            tag,
            "All tenants, oldest first",
        )
        .needs(&[Permission::TenantsRead])
        .paged()
        .lists_rows::<TenantLimits>("TenantRow", "A page"),
        list,
    );
    api.add(
        operation::get("/v1/tenants/{id}", "getTenantById", tag, "One tenant")
            .needs(&[Permission::TenantsRead])
            .path_id(TenantId::PREFIX)
            .replies_row::<TenantLimits>(200, "TenantRow", "The tenant"),
        read,
    );
    api.add(
        operation::post("/v1/tenants", "createTenant", tag, "Make a tenant")
            .needs(&[Permission::TenantsWrite])
            .step_up()
            .idempotent()
            .body::<TenantNew>()
            .replies_row::<TenantLimits>(201, "TenantRow", "Made"),
        create,
    );
    api.add(
        operation::patch(
            "/v1/tenants/{id}",
            "changeTenantById",
            tag,
            "Rename, limit or suspend a tenant",
        )
        .describe("A merge patch (RFC 7396). Suspending ends all its sessions' rights at once; calls that run may end.")
        .needs(&[Permission::TenantsWrite])
        .step_up()
        .path_id(TenantId::PREFIX)
        .if_match()
        .merge_patch::<TenantLimits>()
        .replies_row::<TenantLimits>(200, "TenantRow", "Changed"),
        change,
    );
}

fn view(row: &Versioned<Tenant>) -> Value {
    json!({
        "id": row.row.id, "name": row.row.name, "domain": row.row.domain,
        "interactions_max": row.row.interactions_max, "suspended": row.row.suspended,
        "version": row.version.0,
        "created_at": row.created_at.to_rfc3339(), "updated_at": row.updated_at.to_rfc3339(),
    })
}

async fn list(State(state): State<ApiState>, query: Query) -> Reply {
    let page = query.page();
    query.finish()?;
    let found = state.store(move |s| s.tenants(&page)).await?;
    let items: Vec<Value> = found.items.iter().map(view).collect();
    Ok(axum::Json(PageView {
        items,
        next: found.next,
    })
    .into_response())
}

async fn read(State(state): State<ApiState>, Id(id): Id<TenantId>) -> Reply {
    let row = state.store(move |s| s.get::<Tenant>(id, id)).await?;
    Ok(with_tag(StatusCode::OK, row.version, view(&row)))
}

/// A tenant and its first person, in one edit.
pub(super) fn make(
    store: &dyn Store,
    edit: cp_store::Edit,
    (tenant, user): (TenantId, UserId),
    new: TenantNew,
    roles: Vec<Role>,
) -> Reply<Versioned<Tenant>> {
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    if !new.domain.is_empty() && !new.domain.chars().all(fine) {
        let detail = "a domain has letters, digits, dots and dashes";
        return Err(Problem::invalid(vec![FieldError::new(
            "/domain", "format", detail,
        )]));
    }
    let row = Tenant {
        id: tenant,
        name: new.name,
        domain: new.domain,
        interactions_max: new.interactions_max,
        record_by_default: false,
        suspended: false,
        presence_reasons: vec![],
        safety: Default::default(),
    };
    let person = new.administrator;
    if password::is_weak(&person.password, &[&person.login, &person.name, &row.name]) {
        let weak = FieldError::new("/administrator/password", "too_weak", password::WEAK);
        return Err(Problem::invalid(vec![weak]));
    }
    let first = User {
        password_hash: Pii(password::hash(&person.password)),
        ..User::new(user, tenant, person.login.trim(), &person.name, roles)
    };
    let at = edit.at;
    let changes = vec![
        Change::Create(row.clone().into()),
        Change::Create(first.into()),
    ];
    let versions = store.apply(edit, changes)?;
    Ok(Versioned {
        version: versions.first().copied().unwrap_or_default(),
        created_at: at,
        updated_at: at,
        row,
    })
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<TenantNew>,
) -> Reply {
    let ids = (state.new_id(), state.new_id());
    let tenant = ids.0;
    let edit = of_tenant(&caller, tenant, state.now());
    let made = state
        .edit(move |s| make(s, edit, ids, input, vec![Role::Administrator]))
        .await?;
    state.publish_configuration(tenant).await;
    Ok(with_tag(StatusCode::CREATED, made.version, view(&made)))
}

/// An edit of another tenant in the operator's name.
fn of_tenant(caller: &Caller, tenant: TenantId, now: Timestamp) -> cp_store::Edit {
    cp_store::Edit {
        tenant,
        ..caller.edit(now)
    }
}

async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TenantId>,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let (expected, now) = (if_match(&headers)?, state.now());
    let response = state
        .edit(move |store| {
            let mut row = store.get::<Tenant>(id, id)?;
            if let Some(expected) = expected.filter(|e| *e != row.version) {
                let current = row.version;
                return Err(StoreError::VersionMismatch { current, expected }.into());
            }
            let limits = TenantLimits {
                name: row.row.name.clone(),
                interactions_max: row.row.interactions_max,
                suspended: row.row.suspended,
            };
            let mut document = serde_json::to_value(limits).expect("plain data");
            merge_patch(&mut document, patch);
            let input: TenantLimits = from_value(document)?;
            if input.suspended && id == caller.tenant {
                let detail = "you would lock yourself out: this is your own tenant";
                return Err(Problem::new(Code::Conflict, detail));
            }
            row.row.name = input.name;
            row.row.interactions_max = input.interactions_max;
            row.row.suspended = input.suspended;
            let edit = of_tenant(&caller, id, now);
            row.version = store.update(edit, row.row.clone(), Some(row.version))?;
            row.updated_at = now;
            Ok(with_tag(StatusCode::OK, row.version, view(&row)))
        })
        .await?;
    state.publish_configuration(id).await;
    Ok(response)
}
