//! Customers: who they are over all their numbers, addresses and devices.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::crud::{self, Making, Resource};
use crate::extract::{Body, Id};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use cp_store::{Change, Edit, Store, StoreExt, Versioned};
use cp_vocab::person::{Fact, Field, Identity, Person};
use cp_vocab::{Code, PersonId, Pii};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Persons that may be merged into one; more are refused with 409.
const MERGED_MAX: usize = 100;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonInput {
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// How the person is known; each belongs to one person of the tenant.
    #[serde(default)]
    #[schema(value_type = Vec<published::Identity>, max_items = 50)]
    pub(crate) identities: Vec<Identity>,
    /// What agents see. Secure fields are marked until the caller is proven.
    #[serde(default)]
    #[schema(value_type = Vec<published::Field>, max_items = 100)]
    pub(crate) fields: Vec<Field>,
    /// What routing may use once the caller is proven: flags, numbers, words by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, published::Fact>)]
    pub(crate) facts: BTreeMap<String, Fact>,
    /// Where the picture is kept that an agent compares with.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(crate) photo: Option<String>,
}

/// Which person is the same one.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeInput {
    /// Goes away; its identities, credentials and interactions become the other's.
    #[schema(value_type = published::PersonId)]
    pub(crate) from: PersonId,
}

pub(crate) struct Persons;

impl Resource for Persons {
    type Id = PersonId;
    type Row = Person;
    type Input = PersonInput;
    const PATHS: (&'static str, &'static str) = ("/v1/persons", "/v1/persons/{id}");
    const IDS: [&'static str; 5] = [
        "listPersons",
        "createPerson",
        "getPerson",
        "changePerson",
        "removePerson",
    ];
    const TAG: &'static str = "Persons";
    const SCHEMA: &'static str = "Person";
    const READ: &'static [Permission] = &[Permission::PersonsRead];
    const WRITE: &'static [Permission] = &[Permission::PersonsWrite];
    const IN_SNAPSHOT: bool = false;

    fn id(row: &Person) -> PersonId {
        row.id
    }
    fn input(row: &Person) -> PersonInput {
        PersonInput {
            name: row.name.expose().clone(),
            identities: row.identities.clone(),
            fields: row.fields.clone(),
            facts: row.facts.clone(),
            photo: row.photo.clone().map(Pii::into_inner),
        }
    }
    fn build(
        input: PersonInput,
        of: &Making<'_, PersonId, Person>,
    ) -> Result<Person, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut identities: Vec<Identity> = Vec::new();
        for (i, given) in input.identities.iter().enumerate() {
            let canonical = Identity::canonical(given.kind, given.value.expose());
            if canonical.value.expose().is_empty() {
                let at = format!("/identities/{i}/value");
                errors.push(FieldError::new(at, "too_short", "an identity has a value"));
            }
            if !identities.contains(&canonical) {
                identities.push(canonical);
            }
        }
        for (i, field) in input.fields.iter().enumerate() {
            if input.fields[..i].iter().any(|f| f.name == field.name) {
                let at = format!("/fields/{i}/name");
                let detail = "another field has this name";
                errors.push(FieldError::new(at, "taken", detail));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Person {
            id: of.id,
            tenant: of.tenant,
            name: Pii(input.name),
            identities,
            fields: input.fields,
            facts: input.facts,
            photo: input.photo.map(Pii),
            merged: of.before.map(|b| b.merged.clone()).unwrap_or_default(),
        })
    }
}

pub(crate) fn add(api: &mut Api) {
    crud::add::<Persons>(api);
    api.add(
        operation::post(
            "/v1/persons/{id}/merge",
            "mergePersons",
            Persons::TAG,
            "Take another person into this one",
        )
        .describe("Identities, fields that this one lacks, and credentials move; the other's id leads here from then on.")
        .needs(Persons::WRITE)
        .path_id("per")
        .body::<MergeInput>()
        .idempotent()
        .replies_row::<PersonInput>(200, Persons::SCHEMA, "The person as it is now"),
        merge,
    );
}

async fn merge(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<PersonId>,
    Body(input): Body<MergeInput>,
) -> Reply {
    let now = state.now();
    let after = state
        .edit(move |store| merge_rows(store, &caller, id, input.from, now))
        .await?;
    let body = crud::view::<Persons>(&after);
    Ok(crud::with_tag(StatusCode::OK, after.version, body))
}

fn merge_rows(
    store: &dyn Store,
    caller: &Caller,
    into: PersonId,
    from: PersonId,
    now: cp_vocab::Timestamp,
) -> Reply<Versioned<Person>> {
    let kept = store.get::<Person>(caller.tenant, into)?;
    if into == from {
        let detail = "a person cannot be merged into itself";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let gone = store.get::<Person>(caller.tenant, from)?;
    let row = united(kept.row, gone.row);
    if row.merged.len() > MERGED_MAX {
        let detail = "too many persons are merged into this one";
        return Err(Problem::new(Code::Conflict, detail));
    }
    // First, so that removing the other takes nothing of it away.
    store.credentials_move(caller.tenant, from, into)?;
    let changes = vec![
        Change::Delete {
            id: from.into(),
            expected: Some(gone.version),
        },
        Change::Update {
            row: row.clone().into(),
            expected: Some(kept.version),
        },
    ];
    let versions = store.apply(Edit::new(caller.tenant, caller.actor(), now), changes)?;
    Ok(Versioned {
        version: versions.last().copied().unwrap_or_default(),
        created_at: kept.created_at,
        updated_at: now,
        row,
    })
}

fn united(mut kept: Person, gone: Person) -> Person {
    kept.identities.extend(gone.identities);
    for field in gone.fields {
        if kept.fields.iter().all(|f| f.name != field.name) {
            kept.fields.push(field);
        }
    }
    for (name, fact) in gone.facts {
        kept.facts.entry(name).or_insert(fact);
    }
    kept.photo = kept.photo.or(gone.photo);
    kept.merged.push(gone.id);
    kept.merged.extend(gone.merged);
    kept
}
