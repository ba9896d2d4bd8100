//! Communication points: made by administrators, switched by whoever answers.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::crud::{self, Making, Resource, with_tag};
use crate::extract::{Body, Id};
use crate::operation::{Api, delete, get, post, put};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use cp_store::{Change, Edit, Mode, NumberLease, Point, PointKind, Store, StoreExt, Versioned};
use cp_vocab::id::TypedId;
use cp_vocab::model::Destination;
use cp_vocab::{Pii, PointId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A number that is lent to a context stays with it this long when nothing else is said.
const NUMBER_TTL_S: u32 = 1_800;

const READ: &[Permission] = &[Permission::PointsRead];

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    #[serde(default)]
    #[schema(value_type = published::PointKind)]
    pub(crate) kind: PointKind,
    /// Where its calls lead.
    #[schema(value_type = published::Destination)]
    pub(crate) destination: Destination,
    /// What it offers at all.
    #[schema(value_type = Vec<published::Mode>, min_items = 1, max_items = 3)]
    pub(crate) modes: Vec<Mode>,
    /// What is taken at this moment; all modes when left out. See also `PUT /v1/points/{id}/now`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<published::Mode>>, max_items = 3)]
    pub(crate) now: Option<Vec<Mode>>,
    /// Origins (`https://shop.example`) whose pages may use it; its own always may.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub(crate) origins: Vec<String>,
    /// Names of the page's fields that come along.
    #[serde(default)]
    #[schema(max_items = 40)]
    pub(crate) fields: Vec<String>,
    /// What the customer agrees to first; the house's own sentence when empty.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(crate) consent: String,
    /// Above the choice of modes.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub(crate) title: String,
    /// Numbers of the tenant that may be lent to a context or assigned to an account.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub(crate) numbers: Vec<String>,
    #[serde(default = "ttl")]
    #[schema(minimum = 60, maximum = 86_400)]
    pub(crate) number_ttl_s: u32,
    #[serde(default)]
    pub(crate) disabled: bool,
}

fn ttl() -> u32 {
    NUMBER_TTL_S
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NowInput {
    /// None at all: messages and callbacks only.
    #[schema(value_type = Vec<published::Mode>, max_items = 3)]
    modes: Vec<Mode>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AssignInput {
    /// One of the point's numbers.
    #[schema(min_length = 1, max_length = 32)]
    number: String,
    /// Whose it is from now on; callers to it reach the point's destination with this account shown.
    #[schema(min_length = 1, max_length = 128)]
    account: String,
    /// Reference of the payment at whoever took it.
    #[schema(min_length = 1, max_length = 128)]
    payment: String,
}

/// A number of a point: free, lent, or assigned.
#[derive(Serialize, ToSchema)]
struct PointNumber {
    number: String,
    free: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<published::ContactId>)]
    contact: Option<cp_vocab::ContactId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct PointNumbers {
    items: Vec<PointNumber>,
}

/// What to paste where.
#[derive(Serialize, ToSchema)]
struct Snippets {
    /// For a page.
    script: String,
    /// For a link, a chat, a printed page.
    link: String,
    /// For an e-mail signature.
    email: String,
    /// Where its QR code is.
    qr: String,
}

pub(crate) struct Points;

impl Resource for Points {
    type Id = PointId;
    type Row = Point;
    type Input = PointInput;
    const PATHS: (&'static str, &'static str) = ("/v1/points", "/v1/points/{id}");
    const IDS: [&'static str; 5] = [
        "listPoints",
        "createPoint",
        "getPoint",
        "changePoint",
        "removePoint",
    ];
    const TAG: &'static str = "Communication points";
    const SCHEMA: &'static str = "Point";
    const READ: &'static [Permission] = READ;
    const WRITE: &'static [Permission] = &[Permission::PointsWrite];
    const IN_SNAPSHOT: bool = false;

    fn id(row: &Point) -> PointId {
        row.id
    }
    fn input(row: &Point) -> PointInput {
        PointInput {
            name: row.name.clone(),
            kind: row.kind,
            destination: row.destination.clone(),
            modes: row.modes.clone(),
            now: Some(row.now.clone()),
            origins: row.origins.clone(),
            fields: row.fields.clone(),
            consent: row.consent.clone(),
            title: row.title.clone(),
            numbers: row.numbers.clone(),
            number_ttl_s: row.number_ttl_s,
            disabled: row.disabled,
        }
    }
    fn build(input: PointInput, of: &Making<'_, PointId, Point>) -> Result<Point, Vec<FieldError>> {
        let mut errors = Vec::new();
        for (i, origin) in input.origins.iter().enumerate() {
            if !is_origin(origin) {
                let detail =
                    "an origin is a scheme, a host and perhaps a port: https://shop.example";
                errors.push(FieldError::new(format!("/origins/{i}"), "format", detail));
            }
        }
        for (i, number) in input.numbers.iter().enumerate() {
            let known = |n: &cp_vocab::model::Number| n.tenant == of.tenant && n.number == *number;
            if !of.snapshot.numbers.iter().any(known) {
                let detail =
                    "no number of the tenant; make it first and lead it to the destination";
                let at = format!("/numbers/{i}");
                errors.push(FieldError::new(at, "missing_reference", detail));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let modes = once(input.modes);
        let now = once(input.now.unwrap_or_else(|| modes.clone()));
        Ok(Point {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            kind: input.kind,
            destination: input.destination,
            now: now.into_iter().filter(|m| modes.contains(m)).collect(),
            modes,
            origins: input.origins,
            fields: input.fields,
            consent: input.consent,
            title: input.title,
            numbers: input.numbers,
            number_ttl_s: input.number_ttl_s,
            disabled: input.disabled,
        })
    }
}

fn once(mut modes: Vec<Mode>) -> Vec<Mode> {
    modes.sort_unstable();
    modes.dedup();
    modes
}

/// `scheme://host[:port]` and nothing behind it.
fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or(text.strip_prefix("http://"));
    rest.is_some_and(|host| {
        let fine = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        (1..=255).contains(&host.len()) && host.chars().all(fine)
    })
}

pub(super) fn add(api: &mut Api) {
    crud::add::<Points>(api);
    let tag = Points::TAG;
    api.add(
        put(
            "/v1/points/{id}/now",
            "setPointNow",
            tag,
            "Say what is taken at this moment",
        )
        .describe("The callee's own choice: it holds for the next request at once.")
        .needs(&[Permission::PointsNow])
        .path_id(PointId::PREFIX)
        .body::<NowInput>()
        .replies_row::<PointInput>(200, Points::SCHEMA, "Changed"),
        set_now,
    );
    api.add(
        get(
            "/v1/points/{id}/snippets",
            "getPointSnippets",
            tag,
            "Script tag, link, signature, QR code",
        )
        .needs(READ)
        .path_id(PointId::PREFIX)
        .replies::<Snippets>(200, "What to paste where"),
        snippets,
    );
    api.add(
        get(
            "/v1/points/{id}/qr",
            "getPointQr",
            tag,
            "The link as a QR code",
        )
        .needs(READ)
        .path_id(PointId::PREFIX)
        .content(200, "image/svg+xml", "A picture"),
        qr,
    );
    api.add(
        get(
            "/v1/points/{id}/numbers",
            "listPointNumbers",
            tag,
            "The point's numbers and whose they are",
        )
        .needs(READ)
        .path_id(PointId::PREFIX)
        .replies::<PointNumbers>(200, "Numbers"),
        numbers,
    );
    api.add(
        post("/v1/points/{id}/numbers", "assignPointNumber", tag, "Assign a free number to an account")
            .describe("After the account picked it from the list and paid; `payment` is the reference of that.")
            .needs(&[Permission::PointsWrite])
            .path_id(PointId::PREFIX)
            .body::<AssignInput>()
            .idempotent()
            .replies::<PointNumber>(201, "Assigned"),
        assign,
    );
    api.add(
        delete(
            "/v1/points/{id}/numbers/{number}",
            "freePointNumber",
            tag,
            "Take a number back",
        )
        .needs(&[Permission::PointsWrite])
        .path_id(PointId::PREFIX)
        .path_param(
            "number",
            serde_json::json!({ "type": "string", "maxLength": 32 }),
        )
        .empty("Free again"),
        free,
    );
}

async fn set_now(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<PointId>,
    Body(input): Body<NowInput>,
) -> Reply {
    let now = state.now();
    let after = state
        .edit(move |store| switch(store, &caller, id, input.modes, now))
        .await?;
    Ok(with_tag(
        StatusCode::OK,
        after.version,
        crud::view::<Points>(&after),
    ))
}

fn switch(
    store: &dyn Store,
    caller: &Caller,
    id: PointId,
    modes: Vec<Mode>,
    now: cp_vocab::Timestamp,
) -> Reply<Versioned<Point>> {
    let before = store.get::<Point>(caller.tenant, id)?;
    let modes = once(modes);
    if let Some(at) = modes.iter().position(|m| !before.row.modes.contains(m)) {
        let detail = "this point does not offer that mode at all";
        let error = FieldError::new(format!("/modes/{at}"), "not_one_of", detail);
        return Err(Problem::invalid(vec![error]));
    }
    let row = Point {
        now: modes,
        ..before.row
    };
    let change = Change::Update {
        row: row.clone().into(),
        expected: Some(before.version),
    };
    let versions = store.apply(Edit::new(caller.tenant, caller.actor(), now), vec![change])?;
    Ok(Versioned {
        version: versions.first().copied().unwrap_or_default(),
        created_at: before.created_at,
        updated_at: now,
        row,
    })
}

async fn of(state: &ApiState, tenant: TenantId, id: PointId) -> Reply<Point> {
    Ok(state.store(move |s| s.get::<Point>(tenant, id)).await?.row)
}

/// Where this server is, as whoever asks reached it.
pub(crate) fn base(state: &ApiState, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let fine = |h: &&str| {
        h.chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
    };
    let scheme = if state.0.settings.tls {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", host.filter(fine).unwrap_or("localhost"))
}

async fn snippets(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<PointId>,
    headers: HeaderMap,
) -> Reply {
    let point = of(&state, caller.tenant, id).await?;
    let base = base(&state, &headers);
    let link = format!("{base}/c/{id}");
    let word = if point.title.is_empty() {
        "Talk to us"
    } else {
        &point.title
    };
    let word = word
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    Ok(axum::Json(Snippets {
        script: format!("<script src=\"{base}/widget.js\" data-point=\"{id}\" async></script>"),
        email: format!("<a href=\"{link}\" style=\"text-decoration:none\">&#9742; {word}</a>"),
        qr: format!("{base}/v1/points/{id}/qr"),
        link,
    })
    .into_response())
}

async fn qr(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<PointId>,
    headers: HeaderMap,
) -> Reply {
    of(&state, caller.tenant, id).await?;
    let picture = crate::qr::svg(&format!("{}/c/{id}", base(&state, &headers)))?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

fn view(lease: Option<&NumberLease>, number: &str) -> PointNumber {
    PointNumber {
        number: number.to_string(),
        free: lease.is_none(),
        account: lease.and_then(|l| l.account.as_ref().map(|a| a.0.clone())),
        contact: lease.and_then(|l| l.contact),
        until: lease.and_then(|l| l.until.map(|u| u.to_rfc3339())),
    }
}

async fn numbers(State(state): State<ApiState>, caller: Caller, Id(id): Id<PointId>) -> Reply {
    let (tenant, now) = (caller.tenant, state.now());
    let point = of(&state, tenant, id).await?;
    let leases = state
        .store(move |s| s.number_leases(tenant, id, now))
        .await?;
    let items = point
        .numbers
        .iter()
        .map(|n| view(leases.iter().find(|l| l.number == *n), n))
        .collect();
    Ok(axum::Json(PointNumbers { items }).into_response())
}

async fn assign(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<PointId>,
    Body(input): Body<AssignInput>,
) -> Reply {
    let (tenant, now) = (caller.tenant, state.now());
    let point = of(&state, tenant, id).await?;
    if !point.numbers.contains(&input.number) {
        let detail = "this is not one of the point's numbers";
        let error = FieldError::new("/number", "not_one_of", detail);
        return Err(Problem::invalid(vec![error]));
    }
    let lease = NumberLease {
        number: input.number,
        tenant,
        point: id,
        contact: None,
        account: Some(Pii(input.account)),
        payment: Some(input.payment),
        until: None,
    };
    let kept = lease.clone();
    state.store(move |s| s.number_assign(kept, now)).await?;
    let view = view(Some(&lease), &lease.number);
    Ok((StatusCode::CREATED, axum::Json(view)).into_response())
}

async fn free(
    State(state): State<ApiState>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
) -> Reply {
    let id: PointId = id.parse().map_err(|_| Problem::not_found("point"))?;
    let tenant = caller.tenant;
    let point = of(&state, tenant, id).await?;
    if !point.numbers.contains(&number) {
        return Err(Problem::not_found("number of this point"));
    }
    state.store(move |s| s.number_free(tenant, &number)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
pub(super) fn tests_point(fields: &[&str]) -> Point {
    Point {
        id: PointId::from_u128(1),
        tenant: TenantId::from_u128(2),
        name: "Shop".into(),
        kind: PointKind::Page,
        destination: Destination::Echo,
        modes: vec![Mode::Audio, Mode::Video, Mode::Chat],
        now: vec![Mode::Audio],
        origins: vec!["https://shop.example".into()],
        fields: fields.iter().map(|f| (*f).to_string()).collect(),
        consent: String::new(),
        title: String::new(),
        numbers: vec![],
        number_ttl_s: NUMBER_TTL_S,
        disabled: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (text, fine) in [
            ("https://shop.example", true),
            ("http://localhost:3000", true),
            ("https://shop.example/", false),
            ("shop.example", false),
            ("https://", false),
            ("javascript:alert(1)", false),
            ("*", false),
        ] {
            assert_eq!(is_origin(text), fine, "{text}");
        }
    }
}
