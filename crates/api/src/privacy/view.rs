//! Asking for an erasure, and seeing how far it is.

use super::erase::{Whom, new_job};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id, PageView, Query};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as words;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_identity::proof::jws::SigningKey;
use cp_store::{Change, Edit, IDENTIFIERS_MAX, PrivacyJob, Store};
use cp_vocab::command::Actor;
use cp_vocab::id::TypedId;
use cp_vocab::model::Tenant;
use cp_vocab::person::{Identity, IdentityKind};
use cp_vocab::{Code, Command, PersonId, Pii, PrivacyJobId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::PrivacyRead];
const WRITE: &[Permission] = &[Permission::PrivacyWrite];

/// Whom to forget: a person with all its identities and everybody merged into it, or numbers and
/// addresses alone.
#[derive(Deserialize, ToSchema)]
#[schema(as = ErasureMaking)]
#[serde(deny_unknown_fields)]
struct ErasureInput {
    person: Option<words::PersonId>,
    #[serde(default)]
    #[schema(max_items = 50)]
    identifiers: Vec<String>,
    #[schema(min_length = 3, max_length = 300)]
    reason: String,
}

#[derive(ToSchema)]
#[schema(as = PrivacyJob)]
#[allow(dead_code)]
struct JobView {
    id: String,
    /// `erasure` or `retention`.
    kind: String,
    /// `waiting`, `running`, `held` (by a legal hold), `done`.
    state: String,
    requested_by: String,
    total: u64,
    done: u64,
    erased: Value,
    /// A JWS (ES256) over what was erased.
    certificate: Option<String>,
    /// The key to check it with, as a JWK.
    key: Option<Value>,
    #[schema(format = DateTime)]
    created_at: String,
    finished_at: Option<String>,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Privacy";
    api.add(
        operation::post("/v1/erasures", "erasePerson", tag, "Erase a customer")
            .describe("Recordings are deleted; numbers, names and words are taken out of the log and of all rows; what proves who the customer is goes. 409 while a legal hold is set.")
            .needs(WRITE)
            .body::<ErasureInput>()
            .idempotent()
            .replies::<JobView>(202, "It will be done"),
        erase,
    );
    api.add(
        operation::get(
            "/v1/privacy-jobs",
            "listPrivacyJobs",
            tag,
            "List erasures and sweeps, oldest first",
        )
        .needs(READ)
        .paged()
        .lists::<JobView>("A page"),
        list,
    );
    api.add(
        operation::get(
            "/v1/privacy-jobs/{id}",
            "getPrivacyJob",
            tag,
            "See how far an erasure is, and its certificate",
        )
        .needs(READ)
        .path_id(PrivacyJobId::PREFIX)
        .replies::<JobView>(200, "The job"),
        read,
    );
}

fn view(job: &PrivacyJob, key: Option<Value>) -> Value {
    json!({
        "id": job.id, "kind": job.kind, "state": job.state, "requested_by": job.requested_by,
        "total": job.total, "done": job.done,
        "erased": serde_json::from_str::<Value>(&job.counts).unwrap_or_default(),
        "certificate": job.certificate, "key": key,
        "created_at": job.created_at.to_rfc3339(), "finished_at": job.finished_at.map(|t| t.to_rfc3339()),
    })
}

async fn erase(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<ErasureInput>,
) -> Reply {
    let (now, id) = (state.now(), state.new_id());
    let tenant = caller.tenant;
    let (numbers, response) = state
        .edit(move |store| {
            let settings = cp_store::StoreExt::get::<Tenant>(store, tenant, tenant)?;
            if let Some(hold) = settings.row.safety.retention.legal_hold {
                let detail = format!("a legal hold is set: {hold}");
                return Err(Problem::new(Code::Conflict, detail));
            }
            let whom = whom(store, &caller, input, now)?;
            let job = new_job(
                id,
                tenant,
                "erasure",
                &caller.principal.to_string(),
                &whom,
                now,
            );
            store.privacy_job_put(job.clone())?;
            let numbers: Vec<Pii<String>> = whom.identifiers.into_iter().map(Pii).collect();
            let accepted = (StatusCode::ACCEPTED, axum::Json(view(&job, None)));
            Ok((numbers, accepted.into_response()))
        })
        .await?;
    // What is held in memory only is no part of the job: it goes by itself when its time is over.
    let forget = Command::IdentityForget { numbers };
    if state.command(tenant, Actor::System, forget).await.is_err() {
        tracing::warn!("kept identities could not be forgotten; they expire");
    }
    Ok(response)
}

/// Gathers every identity of the person, and removes its row.
fn whom(
    store: &dyn Store,
    caller: &Caller,
    input: ErasureInput,
    now: cp_vocab::Timestamp,
) -> Result<Whom, Problem> {
    let tenant = caller.tenant;
    let canonical = |text: &String| {
        let kind = if text.contains('@') {
            IdentityKind::Email
        } else {
            IdentityKind::Phone
        };
        Identity::canonical(kind, text)
    };
    let given: Vec<Identity> = input.identifiers.iter().map(canonical).collect();
    let mut whom = Whom {
        reason: input.reason,
        identifiers: given
            .iter()
            .map(|i| i.value.expose().clone())
            .filter(|i| !i.is_empty())
            .collect(),
        ..Whom::default()
    };
    let named = match input.person {
        Some(id) => {
            let id: PersonId = id.0.parse().map_err(|_| Problem::not_found("person"))?;
            Some(
                store
                    .person(tenant, id)?
                    .ok_or_else(|| Problem::not_found("person"))?,
            )
        }
        None => None,
    };
    let mut found: Vec<_> = named.into_iter().collect();
    for identity in &given {
        found.extend(store.person_by_identity(tenant, identity)?);
    }
    found.sort_by_key(|p| p.row.id);
    found.dedup_by_key(|p| p.row.id);
    let mut removed = Vec::new();
    for person in found {
        let row = person.row;
        whom.persons.push(row.id);
        whom.persons.extend(&row.merged);
        whom.identifiers
            .extend(row.identities.iter().map(|i| i.value.expose().clone()));
        removed.push(Change::Delete {
            id: row.id.into(),
            expected: None,
        });
    }
    whom.identifiers.sort();
    whom.identifiers.dedup();
    if whom.identifiers.is_empty() && whom.persons.is_empty() {
        let detail = "name a person, or numbers and addresses";
        return Err(Problem::invalid(vec![FieldError::new(
            "/person", "required", detail,
        )]));
    }
    if whom.identifiers.len() * 2 > IDENTIFIERS_MAX {
        let detail = "the person has too many identities; erase them in parts";
        return Err(Problem::new(Code::TooLarge, detail));
    }
    if !removed.is_empty() {
        store.apply(Edit::new(tenant, caller.actor(), now), removed)?;
    }
    Ok(whom)
}

async fn list(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let page = query.page();
    query.finish()?;
    let tenant = caller.tenant;
    let rows = state.store(move |s| s.privacy_jobs(tenant, &page)).await?;
    let items: Vec<Value> = rows.items.iter().map(|j| view(j, None)).collect();
    let next = rows.next;
    Ok(axum::Json(PageView { items, next }).into_response())
}

async fn read(State(state): State<ApiState>, caller: Caller, Id(id): Id<PrivacyJobId>) -> Reply {
    let tenant = caller.tenant;
    let (job, keys) = state
        .store(move |s| {
            Ok::<_, cp_store::StoreError>((s.privacy_job(tenant, id)?, s.signing_keys()?))
        })
        .await?;
    let signed = job.certificate.is_some();
    let keys = keys
        .iter()
        .filter_map(|k| SigningKey::from_pkcs8(&k.id, k.pkcs8.expose()));
    let jwks: Vec<Value> = keys.map(|k| k.jwk()).collect();
    let key = signed.then(|| json!({ "keys": jwks }));
    Ok(axum::Json(view(&job, key)).into_response())
}
