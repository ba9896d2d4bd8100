//! Announced calls (S4.3): who may announce, the announcements, and notices of our own calls.

use super::{TAG, desk, published};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::crud::{self, Making, Resource};
use crate::extract::{Body, Id, PageView};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Reply};
use crate::schema::vocabulary;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_proof::{NoticeWish, Route};
use cp_store::{Edit, Precall, StoreExt, Version, Versioned};
use cp_vocab::proof::CallerPartner;
use cp_vocab::{CallerPartnerId, PersonId, Pii, PrecallId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Announcements looked at a time; one that comes when so many wait is dropped, and answered the same.
const ANNOUNCEMENTS_WAITING_MAX: usize = 64;

/// What an announcement weighs of its address's share of a minute: 60 of them fit.
const ANNOUNCEMENT_WEIGHT: u32 = 2;
const NOTICE_WEIGHT: u32 = 1;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallerPartnerInput {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The customer it always calls for, when it is one.
    #[serde(default)]
    #[schema(value_type = Option<vocabulary::PersonId>)]
    person: Option<PersonId>,
    /// Announced calls that may be open at a time.
    #[serde(default = "open_max")]
    #[schema(minimum = 1, maximum = 1000)]
    open_max: u32,
    /// Longest time from announcement to call.
    #[serde(default = "valid_s_max")]
    #[schema(minimum = 30, maximum = 86_400)]
    valid_s_max: u32,
    #[serde(default)]
    disabled: bool,
}

fn open_max() -> u32 {
    10
}
fn valid_s_max() -> u32 {
    600
}

/// One that may announce, as it is answered when it was made: the only time its secret is told.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)]
struct CallerPartnerMade {
    #[schema(value_type = vocabulary::CallerPartnerId)]
    id: String,
    name: String,
    /// Signs its tokens (HMAC-SHA-256); base64url.
    secret: String,
}

pub(crate) struct CallerPartners;

impl Resource for CallerPartners {
    type Id = CallerPartnerId;
    type Row = CallerPartner;
    type Input = CallerPartnerInput;
    const PATHS: (&'static str, &'static str) = ("/v1/caller-partners", "/v1/caller-partners/{id}");
    const IDS: [&'static str; 5] = [
        "listCallerPartners",
        "createCallerPartner",
        "getCallerPartner",
        "changeCallerPartner",
        "removeCallerPartner",
    ];
    const TAG: &'static str = TAG;
    const SCHEMA: &'static str = "CallerPartner";
    const READ: &'static [Permission] = &[Permission::PrecallsRead];
    const WRITE: &'static [Permission] = &[Permission::PrecallsWrite];
    const IN_SNAPSHOT: bool = false;
    const STEP_UP: bool = true;

    fn id(row: &CallerPartner) -> CallerPartnerId {
        row.id
    }
    fn input(row: &CallerPartner) -> CallerPartnerInput {
        CallerPartnerInput {
            name: row.name.clone(),
            person: row.person,
            open_max: row.open_max,
            valid_s_max: row.valid_s_max,
            disabled: row.disabled,
        }
    }
    fn build(
        input: CallerPartnerInput,
        of: &Making<'_, CallerPartnerId, CallerPartner>,
    ) -> Result<CallerPartner, Vec<FieldError>> {
        let before = of.before.expect("partners are made by their own operation");
        Ok(CallerPartner {
            name: input.name,
            person: input.person,
            open_max: input.open_max,
            valid_s_max: input.valid_s_max,
            disabled: input.disabled,
            ..before.clone()
        })
    }
}

/// An announcement.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PrecallInput {
    /// Signed by the shared secret; see docs/caller-mfa.md.
    #[schema(max_length = 8192)]
    token: String,
}

/// An announced call on the list.
#[derive(Serialize, ToSchema)]
#[schema(as = Precall)]
struct PrecallView {
    #[schema(value_type = vocabulary::PrecallId)]
    id: PrecallId,
    #[schema(value_type = vocabulary::CallerPartnerId)]
    partner: CallerPartnerId,
    /// What the call will show as its caller.
    identifier: String,
    /// The number that will be called; any without it.
    called: Option<String>,
    name: Option<String>,
    reason: Option<String>,
    made_at: String,
    expires_at: String,
    /// The call that uses it, while it runs.
    #[schema(value_type = Option<vocabulary::InteractionId>)]
    interaction: Option<cp_vocab::InteractionId>,
}

/// What the house announces.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoticeInput {
    /// The number the call will show.
    #[schema(min_length = 1, max_length = 64)]
    from: String,
    /// The number that will ring.
    #[schema(min_length = 1, max_length = 64)]
    to: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    reason: Option<String>,
    #[serde(default = "notice_s")]
    #[schema(minimum = 30, maximum = 3_600)]
    valid_s: u64,
    /// Send it to this address.
    #[serde(default)]
    send_to: Option<NoticeAddress>,
}

fn notice_s() -> u64 {
    600
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
enum NoticeAddress {
    Email {
        #[schema(min_length = 3, max_length = 200)]
        address: String,
    },
    Sms {
        #[schema(min_length = 3, max_length = 32)]
        number: String,
    },
}

#[derive(Deserialize, ToSchema)]
#[allow(dead_code)]
struct PrecallNotice {
    /// Signed by a key of `/.well-known/jwks.json`.
    notice: String,
    /// A page that says whose it is.
    link: String,
    expires_at: String,
    sent: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoticeCheck {
    #[schema(max_length = 8192)]
    notice: String,
}

pub(crate) fn add(api: &mut Api) {
    crud::add_reading::<CallerPartners>(api);
    crud::add_changing::<CallerPartners>(api);
    crud::add_removing::<CallerPartners>(api);
    api.add(
        operation::post(
            "/v1/caller-partners",
            "createCallerPartner",
            TAG,
            "Let somebody announce calls",
        )
        .describe("The pre-authentication phase of S4.3: the secret is told in this answer only.")
        .needs(CallerPartners::WRITE)
        .step_up()
        .body::<CallerPartnerInput>()
        .idempotent()
        .replies::<CallerPartnerMade>(201, "Made"),
        create_partner,
    );
    api.add(
        operation::post("/v1/precall", "precall", TAG, "Announce a call")
            .describe("Always 202 at once, whatever becomes of the token: who may announce does not show.")
            .open()
            .weighs(ANNOUNCEMENT_WEIGHT)
            .body::<PrecallInput>()
            .content(202, "application/json", "Received"),
        precall,
    );
    api.add(
        operation::get(
            "/v1/precalls",
            "listPrecalls",
            TAG,
            "Calls that are announced, or were and run",
        )
        .needs(&[Permission::PrecallsRead])
        .lists::<PrecallView>("The newest first"),
        list,
    );
    api.add(
        operation::delete(
            "/v1/precalls/{id}",
            "removePrecall",
            TAG,
            "Take an announcement off the list",
        )
        .needs(&[Permission::PrecallsWrite])
        .path_id("pre")
        .empty("Gone"),
        remove,
    );
    api.add(
        operation::post(
            "/v1/precall-notices",
            "announceCall",
            TAG,
            "Announce a call of the house to who will be called",
        )
        .needs(&[Permission::PrecallsSend])
        .body::<NoticeInput>()
        .idempotent()
        .replies::<PrecallNotice>(201, "Signed, and sent when it was to be"),
        notice,
    );
    api.add(
        operation::post(
            "/v1/precall-notices/verify",
            "verifyNotice",
            TAG,
            "Whether a notice is ours and still good",
        )
        .open()
        .weighs(NOTICE_WEIGHT)
        .body::<NoticeCheck>()
        .replies::<published::ProofVerdict>(200, "The verdict"),
        verify,
    );
}

async fn create_partner(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<CallerPartnerInput>,
) -> Reply {
    let mut secret = [0u8; 32];
    crate::auth::token::fill_random(&mut secret);
    let secret = cp_identity::b64::encode(&secret);
    let (now, id) = (state.now(), state.new_id());
    let row = CallerPartner {
        id,
        tenant: caller.tenant,
        name: input.name,
        secret: Pii(secret.clone()),
        person: input.person,
        open_max: input.open_max,
        valid_s_max: input.valid_s_max,
        disabled: input.disabled,
    };
    let (tenant, actor, kept) = (caller.tenant, caller.actor(), row.clone());
    state
        .store(move |s| s.create(Edit::new(tenant, actor, now), kept))
        .await?;
    let mut body = crud::view::<CallerPartners>(&Versioned {
        version: Version(1),
        created_at: now,
        updated_at: now,
        row,
    });
    body["secret"] = secret.into();
    Ok(crud::made(CallerPartners::PATHS.0, body))
}

/// Answered before it is looked at, so that time tells as little as the answer.
async fn precall(State(state): State<ApiState>, Body(input): Body<PrecallInput>) -> Reply {
    let desk = state.proofs()?;
    let places = &state.0.announcements;
    if let Ok(place) = places.clone().try_acquire_owned() {
        tokio::task::spawn_blocking(move || {
            let _place = place;
            desk.announced(&input.token);
        });
    } else {
        tracing::warn!("announcements come faster than they are looked at; one was dropped");
    }
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}

pub(crate) fn places() -> tokio::sync::Semaphore {
    tokio::sync::Semaphore::new(ANNOUNCEMENTS_WAITING_MAX)
}

fn view(p: &Precall) -> PrecallView {
    let said: Value = serde_json::from_str(p.body.expose()).unwrap_or_default();
    let text = |name: &str| said[name].as_str().map(str::to_string);
    PrecallView {
        id: p.id,
        partner: p.partner,
        identifier: p.identifier.expose().clone(),
        called: Some(p.called.expose().clone()).filter(|c| !c.is_empty()),
        name: text("name"),
        reason: text("reason"),
        made_at: p.made_at.to_rfc3339(),
        expires_at: p.expires_at.to_rfc3339(),
        interaction: p.interaction,
    }
}

async fn list(State(state): State<ApiState>, caller: Caller) -> Reply {
    let (tenant, now) = (caller.tenant, state.now());
    let rows = state.store(move |s| s.precalls(tenant, now)).await?;
    let items: Vec<PrecallView> = rows.iter().map(view).collect();
    Ok(Json(PageView { items, next: None }).into_response())
}

async fn remove(State(state): State<ApiState>, caller: Caller, Id(id): Id<PrecallId>) -> Reply {
    let tenant = caller.tenant;
    state.store(move |s| s.precall_delete(tenant, id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn notice(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<NoticeInput>,
) -> Reply {
    let wish = NoticeWish {
        from: input.from,
        to: input.to,
        reason: input.reason,
        valid_s: input.valid_s,
        send: input.send_to.map(|a| match a {
            NoticeAddress::Email { address } => (Route::Email, address),
            NoticeAddress::Sms { number } => (Route::Sms, number),
        }),
    };
    let made = desk(&state, move |d| d.notice(caller.tenant, &wish)).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

async fn verify(State(state): State<ApiState>, Body(input): Body<NoticeCheck>) -> Reply {
    let desk = state.proofs()?;
    let body = match desk.verify_notice(&input.notice) {
        Ok(n) => json!({ "valid": true, "fault": null, "claims": n }),
        Err(fault) => json!({ "valid": false, "fault": fault.code(), "claims": null }),
    };
    Ok(Json(body).into_response())
}
