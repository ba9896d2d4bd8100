//! List, read, make, change and remove configuration rows: written once for every kind.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{
    Body, Document, Id, PageView, Query, etag, from_value, if_match, merge_patch, none_match,
    not_modified,
};
use crate::idempotency::{Key, MaybeKey, replay};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::references;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cp_store::{
    Change, ConfigId, Entity, Store, StoreError, StoreExt, StoredResponse, Version, Versioned,
};
use cp_vocab::id::TypedId;
use cp_vocab::model::Snapshot;
use cp_vocab::{TenantId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use std::str::FromStr;
use utoipa::ToSchema;

/// A kind of row that people and programs edit.
pub(crate) trait Resource: Send + Sync + 'static {
    type Id: TypedId + FromStr + Display + Into<ConfigId> + Send + Sync + 'static;
    type Row: Entity<Id = Self::Id> + Clone + PartialEq + Send + 'static;
    /// What is written, and (without its secrets, which it does not serialise) what is read.
    type Input: DeserializeOwned + Serialize + ToSchema + Send + 'static;

    /// `/v1/queues` and `/v1/queues/{id}`.
    const PATHS: (&'static str, &'static str);
    /// Operation ids: list, create, get, change, remove.
    const IDS: [&'static str; 5];
    /// Tag in the document; the name of the row's schema is the tag's last word in singular.
    const TAG: &'static str;
    /// Name of the row's schema.
    const SCHEMA: &'static str;
    const READ: &'static [Permission];
    const WRITE: &'static [Permission];

    /// The row as it would be written.
    fn input(row: &Self::Row) -> Self::Input;
    /// The row from what was written.
    fn build(
        input: Self::Input,
        of: &Making<'_, Self::Id, Self::Row>,
    ) -> Result<Self::Row, Vec<FieldError>>;

    fn id(row: &Self::Row) -> Self::Id;
    /// Whether this caller may see this row, besides the permission.
    fn visible(_: &Caller, _: &Self::Row) -> bool {
        true
    }
    /// Changes of other rows that go with this one, in the same transaction. `after` is none when it is removed.
    fn mirrored(_: &Snapshot, _: Self::Id, _after: Option<&Self::Row>) -> Vec<Change> {
        Vec::new()
    }
    /// Refuses a making (`before` is none), a change or a removal (`after` is none) for a reason of this kind.
    fn guard(
        _: &dyn Store,
        _: &Caller,
        _before: Option<&Self::Row>,
        _after: Option<&Self::Row>,
    ) -> Reply<()> {
        Ok(())
    }
    /// What follows a change or a removal outside the configuration.
    fn settled(
        _: &dyn Store,
        _before: &Self::Row,
        _after: Option<&Self::Row>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
    /// Whether a session must have been proven lately to change these rows.
    const STEP_UP: bool = false;
    /// Whether the engine works from these rows.
    const IN_SNAPSHOT: bool = true;
}

/// What a row is made from besides its input.
pub(crate) struct Making<'a, I, R> {
    pub(crate) id: I,
    pub(crate) tenant: TenantId,
    pub(crate) before: Option<&'a R>,
    pub(crate) snapshot: &'a Snapshot,
}

/// Adds the five operations of a kind.
pub(crate) fn add<R: Resource>(api: &mut Api) {
    add_reading::<R>(api);
    let noun = noun::<R>();
    api.add(
        operation::post(R::PATHS.0, R::IDS[1], R::TAG, &format!("Make a {noun}"))
            .needs(R::WRITE)
            .step_up_if(R::STEP_UP)
            .audited_by_edit()
            .body::<R::Input>()
            .idempotent_edit()
            .replies_row::<R::Input>(201, R::SCHEMA, "Made"),
        create::<R>,
    );
    add_changing::<R>(api);
    add_removing::<R>(api);
}

pub(crate) fn add_reading<R: Resource>(api: &mut Api) {
    let (list_path, item) = R::PATHS;
    let noun = noun::<R>();
    api.add(
        operation::get(
            list_path,
            R::IDS[0],
            R::TAG,
            &format!("List every {noun}, oldest first"),
        )
        .needs(R::READ)
        .paged()
        .lists_rows::<R::Input>(R::SCHEMA, "A page"),
        list::<R>,
    );
    api.add(
        operation::get(item, R::IDS[2], R::TAG, &format!("Read a {noun}"))
            .needs(R::READ)
            .path_id(R::Id::PREFIX)
            .header(
                "If-None-Match",
                "An `ETag` you have; 304 when it is still right.",
            )
            .replies_row::<R::Input>(200, R::SCHEMA, "The row"),
        read::<R>,
    );
}

pub(crate) fn add_changing<R: Resource>(api: &mut Api) {
    let (item, noun) = (R::PATHS.1, noun::<R>());
    api.add(
        operation::patch(item, R::IDS[3], R::TAG, &format!("Change a {noun}"))
            .describe("A merge patch (RFC 7396).")
            .needs(R::WRITE)
            .step_up_if(R::STEP_UP)
            .audited_by_edit()
            .path_id(R::Id::PREFIX)
            .if_match()
            .merge_patch::<R::Input>()
            .replies_row::<R::Input>(200, R::SCHEMA, "Changed"),
        change::<R>,
    );
}

pub(crate) fn add_removing<R: Resource>(api: &mut Api) {
    api.add(
        operation::delete(
            R::PATHS.1,
            R::IDS[4],
            R::TAG,
            &format!("Remove a {}", noun::<R>()),
        )
        .describe("409 while others name it.")
        .needs(R::WRITE)
        .step_up_if(R::STEP_UP)
        .audited_by_edit()
        .path_id(R::Id::PREFIX)
        .if_match()
        .empty("Removed"),
        remove::<R>,
    );
}

fn noun<R: Resource>() -> String {
    R::Row::KIND.word().replace('_', " ")
}

/// The row as it is sent: what may be read of its input, with id, version and times.
pub(crate) fn view<R: Resource>(row: &Versioned<R::Row>) -> Value {
    let mut value = serde_json::to_value(R::input(&row.row)).expect("a row is plain data");
    let map = value.as_object_mut().expect("a row is an object");
    map.insert("id".into(), R::id(&row.row).to_string().into());
    map.insert("version".into(), row.version.0.into());
    map.insert("created_at".into(), row.created_at.to_rfc3339().into());
    map.insert("updated_at".into(), row.updated_at.to_rfc3339().into());
    value
}

async fn list<R: Resource>(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let page = query.page();
    query.finish()?;
    let tenant = caller.tenant;
    let rows = state
        .store(move |s| s.list::<R::Row>(tenant, &page))
        .await?;
    let visible = rows.items.iter().filter(|v| R::visible(&caller, &v.row));
    let items: Vec<Value> = visible.map(view::<R>).collect();
    let next = rows.next;
    Ok(axum::Json(PageView { items, next }).into_response())
}

async fn read<R: Resource>(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<R::Id>,
    headers: HeaderMap,
) -> Reply {
    let tenant = caller.tenant;
    let row = state.store(move |s| s.get::<R::Row>(tenant, id)).await?;
    if !R::visible(&caller, &row.row) {
        return Err(Problem::not_found(&noun::<R>()));
    }
    let tag = etag(row.version);
    if none_match(&headers, &tag) {
        return Ok(not_modified(tag));
    }
    Ok(with_tag(StatusCode::OK, row.version, view::<R>(&row)))
}

async fn create<R: Resource>(
    State(state): State<ApiState>,
    caller: Caller,
    MaybeKey(key): MaybeKey,
    Body(input): Body<R::Input>,
) -> Reply {
    let (id, now, tenant) = (state.new_id(), state.now(), caller.tenant);
    let response = state
        .edit(move |store| make::<R>(store, &caller, key, id, now, input))
        .await?;
    settle_snapshot::<R>(&state, tenant).await;
    Ok(response)
}

fn make<R: Resource>(
    store: &dyn Store,
    caller: &Caller,
    key: Option<Key>,
    id: R::Id,
    now: Timestamp,
    input: R::Input,
) -> Reply {
    let snapshot = store.snapshot()?;
    let built = build::<R>(store, caller, &snapshot, id, None, input);
    let row = match (built, &key) {
        (Ok(row), _) => row,
        // What was made the first time may be what stands in the way now.
        (Err(fault), Some(key)) => match key.answered(store, caller.tenant, now)? {
            Some(response) => return Ok(response),
            None => return Err(fault),
        },
        (Err(fault), None) => return Err(fault),
    };
    R::guard(store, caller, None, Some(&row))?;
    let body = view::<R>(&Versioned {
        version: Version(1),
        created_at: now,
        updated_at: now,
        row: row.clone(),
    });
    let mut edit = caller.edit(now);
    edit.idempotency = key.map(|k| k.keeping(made_response(&body)));
    let mut changes = R::mirrored(&snapshot, id, Some(&row));
    changes.insert(0, Change::Create(row.into()));
    match store.apply(edit, changes) {
        Ok(_) => Ok(made(R::PATHS.0, body)),
        Err(StoreError::AlreadyDone(kept)) => Ok(replay(*kept)),
        Err(e) => Err(e.into()),
    }
}

/// What is kept of a 201 for a repetition.
pub(crate) fn made_response(body: &Value) -> StoredResponse {
    StoredResponse {
        status: 201,
        content_type: "application/json".into(),
        body: body.to_string().into_bytes(),
    }
}

/// 201 with the row, its tag and where it is.
pub(crate) fn made(list_path: &str, body: Value) -> Response {
    let location = format!("{list_path}/{}", body["id"].as_str().unwrap_or_default());
    let mut response = with_tag(StatusCode::CREATED, Version(1), body);
    if let Ok(v) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, v);
    }
    response
}

async fn change<R: Resource>(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<R::Id>,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let (expected, now, tenant) = (if_match(&headers)?, state.now(), caller.tenant);
    let response = state
        .edit(move |store| patch_row::<R>(store, &caller, id, expected, now, patch))
        .await?;
    settle_snapshot::<R>(&state, tenant).await;
    Ok(response)
}

fn patch_row<R: Resource>(
    store: &dyn Store,
    caller: &Caller,
    id: R::Id,
    expected: Option<Version>,
    now: Timestamp,
    patch: Value,
) -> Reply {
    let before = store.get::<R::Row>(caller.tenant, id)?;
    if let Some(expected) = expected
        && expected != before.version
    {
        let current = before.version;
        return Err(StoreError::VersionMismatch { current, expected }.into());
    }
    let mut document = serde_json::to_value(R::input(&before.row)).expect("a row is plain data");
    merge_patch(&mut document, patch);
    let input = from_value::<R::Input>(document)?;
    let snapshot = store.snapshot()?;
    let row = build::<R>(store, caller, &snapshot, id, Some(&before.row), input)?;
    if row == before.row {
        return Ok(with_tag(StatusCode::OK, before.version, view::<R>(&before)));
    }
    R::guard(store, caller, Some(&before.row), Some(&row))?;
    let mut changes = R::mirrored(&snapshot, id, Some(&row));
    changes.insert(
        0,
        Change::Update {
            row: row.clone().into(),
            expected: Some(before.version),
        },
    );
    let versions = store.apply(caller.edit(now), changes)?;
    R::settled(store, &before.row, Some(&row))?;
    let after = Versioned {
        version: versions.first().copied().unwrap_or_default(),
        created_at: before.created_at,
        updated_at: now,
        row,
    };
    Ok(with_tag(StatusCode::OK, after.version, view::<R>(&after)))
}

async fn remove<R: Resource>(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<R::Id>,
    headers: HeaderMap,
) -> Reply {
    let (expected, now, tenant) = (if_match(&headers)?, state.now(), caller.tenant);
    state
        .edit(move |store| {
            let before = store.get::<R::Row>(caller.tenant, id)?;
            R::guard(store, &caller, Some(&before.row), None)?;
            let snapshot = store.snapshot()?;
            let mut changes = R::mirrored(&snapshot, id, None);
            changes.push(Change::Delete {
                id: id.into(),
                expected,
            });
            store.apply(caller.edit(now), changes)?;
            R::settled(store, &before.row, None)?;
            Ok(())
        })
        .await?;
    settle_snapshot::<R>(&state, tenant).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The row, with the faults of references and of the kind's own rules told together.
fn build<R: Resource>(
    store: &dyn Store,
    caller: &Caller,
    snapshot: &Snapshot,
    id: R::Id,
    before: Option<&R::Row>,
    input: R::Input,
) -> Reply<R::Row> {
    let written = serde_json::to_value(&input).expect("an input is plain data");
    let mut errors = references::missing(store, snapshot, caller.tenant, &written)?;
    let making = Making {
        id,
        tenant: caller.tenant,
        before,
        snapshot,
    };
    match R::build(input, &making) {
        Ok(row) if errors.is_empty() => Ok(row),
        Ok(_) => Err(Problem::invalid(errors)),
        Err(more) => {
            errors.extend(more);
            Err(Problem::invalid(errors))
        }
    }
}

pub(crate) fn with_tag(status: StatusCode, version: Version, body: Value) -> Response {
    (status, [(header::ETAG, etag(version))], axum::Json(body)).into_response()
}

pub(crate) async fn settle_snapshot<R: Resource>(state: &ApiState, tenant: TenantId) {
    if R::IN_SNAPSHOT {
        state.publish_configuration(tenant).await;
    }
}
