//! What customers agreed to: who, to what, when, how, and when it was taken back.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id, PageView, Query};
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::schema::vocabulary as words;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_store::Consent;
use cp_vocab::id::TypedId;
use cp_vocab::person::{Identity, IdentityKind};
use cp_vocab::{ConsentId, Event, Pii};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::PrivacyRead];
const WRITE: &[Permission] = &[Permission::ConsentsWrite];

#[derive(Deserialize, ToSchema)]
#[schema(as = ConsentMaking)]
#[serde(deny_unknown_fields)]
struct ConsentInput {
    /// The number or address it is of.
    #[schema(min_length = 1, max_length = 254)]
    identifier: String,
    /// To what: `recording`, `marketing`, `transcript`, …
    #[schema(min_length = 1, max_length = 64)]
    what: String,
    /// How it was given: "said yes on the recorded line", "ticked the box of version 3".
    #[schema(min_length = 3, max_length = 500)]
    how: String,
    interaction: Option<words::InteractionId>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ConsentWithdrawing)]
#[serde(deny_unknown_fields)]
struct WithdrawInput {
    #[schema(min_length = 3, max_length = 500)]
    how: String,
}

#[derive(ToSchema)]
#[schema(as = Consent)]
#[allow(dead_code)]
struct ConsentView {
    id: String,
    identifier: String,
    what: String,
    how: String,
    interaction: Option<words::InteractionId>,
    #[schema(format = DateTime)]
    given_at: String,
    recorded_by: String,
    withdrawn_at: Option<String>,
    withdrawn_how: Option<String>,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Privacy";
    api.add(
        operation::post("/v1/consents", "recordConsent", tag, "Write down a consent")
            .needs(WRITE)
            .body::<ConsentInput>()
            .idempotent()
            .replies::<ConsentView>(201, "Written down"),
        give,
    );
    api.add(
        operation::get(
            "/v1/consents",
            "listConsents",
            tag,
            "List consents, oldest first",
        )
        .needs(READ)
        .paged()
        .query(
            "identifier",
            json!({ "type": "string", "maxLength": 254 }),
            "Of one number or address.",
        )
        .lists::<ConsentView>("A page"),
        list,
    );
    api.add(
        operation::post(
            "/v1/consents/{id}/withdraw",
            "withdrawConsent",
            tag,
            "Write down that a consent was taken back",
        )
        .needs(WRITE)
        .path_id(ConsentId::PREFIX)
        .body::<WithdrawInput>()
        .idempotent()
        .replies::<ConsentView>(200, "Taken back"),
        withdraw,
    );
}

fn view(c: &Consent) -> Value {
    let withdrawn = c.withdrawn.as_ref();
    json!({
        "id": c.id, "identifier": c.identifier.expose(), "what": c.what, "how": c.how,
        "interaction": c.interaction, "given_at": c.given_at.to_rfc3339(), "recorded_by": c.recorded_by,
        "withdrawn_at": withdrawn.map(|w| w.0.to_rfc3339()), "withdrawn_how": withdrawn.map(|w| &w.1),
    })
}

fn canonical(text: &str) -> String {
    let kind = if text.contains('@') {
        IdentityKind::Email
    } else {
        IdentityKind::Phone
    };
    Identity::canonical(kind, text).value.into_inner()
}

async fn give(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<ConsentInput>,
) -> Reply {
    let (now, tenant) = (state.now(), caller.tenant);
    let interaction = input.interaction.and_then(|i| i.0.parse().ok());
    let consent = Consent {
        id: state.new_id(),
        tenant,
        identifier: Pii(canonical(&input.identifier)),
        what: input.what,
        how: input.how,
        interaction,
        given_at: now,
        recorded_by: caller.principal.to_string(),
        withdrawn: None,
    };
    let body = view(&consent);
    state
        .store(move |s| {
            if let Some(i) = consent.interaction {
                s.interaction(tenant, i)?;
            }
            let told = Event::ConsentChanged {
                consent: consent.id,
                what: consent.what.clone(),
                given: true,
            };
            s.consent_put(consent)?;
            s.tell(tenant, now, vec![told])
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

async fn list(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let page = query.page();
    let of = query.text("identifier").map(|i| canonical(&i));
    query.finish()?;
    let tenant = caller.tenant;
    let rows = state
        .store(move |s| s.consents(tenant, of.as_deref(), &page))
        .await?;
    let next = rows.next;
    let items: Vec<Value> = rows.items.iter().map(view).collect();
    Ok(axum::Json(PageView { items, next }).into_response())
}

async fn withdraw(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<ConsentId>,
    Body(input): Body<WithdrawInput>,
) -> Reply {
    let (now, tenant) = (state.now(), caller.tenant);
    let row = state
        .store(move |s| {
            let row = s.consent_withdraw(tenant, id, now, input.how)?;
            let told = Event::ConsentChanged {
                consent: id,
                what: row.what.clone(),
                given: false,
            };
            s.tell(tenant, now, vec![told])?;
            Ok::<_, cp_store::StoreError>(row)
        })
        .await?;
    Ok(axum::Json(view(&row)).into_response())
}
