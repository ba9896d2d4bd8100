//! Browsers that ring when no tab is open: Web Push subscriptions of whoever is signed in (S3.1).

use crate::auth::{Caller, Principal};
use crate::backend::{PushRefused, Pusher};
use crate::crud;
use crate::extract::{Body, Id, PageView};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_store::PushRow;
use cp_vocab::command::Actor;
use cp_vocab::{Code, Command, Pii, PushId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `PushSubscription.toJSON()` gives, and a name for the browser.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushInput {
    #[schema(min_length = 1, max_length = 2048)]
    pub(crate) endpoint: String,
    pub(crate) keys: PushKeys,
    /// What the person calls this browser.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub(crate) label: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushKeys {
    /// The browser's public key: 65 bytes in URL-safe Base64.
    #[schema(max_length = 128)]
    pub(crate) p256dh: String,
    /// 16 bytes in URL-safe Base64.
    #[schema(max_length = 64)]
    pub(crate) auth: String,
}

/// A browser that rings. Its endpoint is not told again: who has it can send.
#[derive(Serialize, ToSchema)]
#[schema(as = PushSubscription)]
pub(crate) struct PushView {
    #[schema(value_type = published::PushId)]
    id: PushId,
    label: String,
    /// Host of the browser maker's push service.
    service: String,
    created_at: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PushKey)]
pub(crate) struct KeyView {
    /// Give it to `pushManager.subscribe` as `applicationServerKey`.
    public_key: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PushTest)]
pub(crate) struct TestView {
    /// Whether the push service took it. What it no longer knows was forgotten here too.
    taken: bool,
    /// One sentence for a person.
    detail: String,
}

const TAG: &str = "Push";

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::get(
            "/v1/push-key",
            "pushKey",
            TAG,
            "The key that a browser subscribes with",
        )
        .replies::<KeyView>(200, "The key"),
        key,
    );
    api.add(
        operation::get(
            "/v1/push-subscriptions",
            "listPushSubscriptions",
            TAG,
            "One's own browsers that ring",
        )
        .lists::<PushView>("The browsers, oldest first"),
        list,
    );
    api.add(
        operation::post(
            "/v1/push-subscriptions",
            "createPushSubscription",
            TAG,
            "Let this browser ring when no tab is open",
        )
        .describe(
            "From then on the person is rung by direct calls though no tab is open: the push tells the \
             browser, which opens one to answer. The same endpoint again replaces what was kept. A person has eight at most; a ninth drops \
             the oldest. An endpoint that leads to an address inside the house is refused.",
        )
        .body::<PushInput>()
        .idempotent()
        .replies::<PushView>(201, "Kept"),
        create,
    );
    api.add(
        operation::delete(
            "/v1/push-subscriptions/{id}",
            "removePushSubscription",
            TAG,
            "Let a browser ring no more",
        )
        .path_id("psh")
        .empty("Forgotten"),
        remove,
    );
    api.add(
        operation::post(
            "/v1/push-subscriptions/{id}/test",
            "testPushSubscription",
            TAG,
            "Send a message to try it",
        )
        .path_id("psh")
        .idempotent()
        .replies::<TestView>(200, "How it went"),
        test,
    );
}

fn person(caller: &Caller) -> Result<UserId, Problem> {
    match caller.principal {
        Principal::User { id, .. } => Ok(id),
        _ => {
            let detail = "browsers belong to people: sign in as one, API keys have none";
            Err(Problem::new(Code::Forbidden, detail))
        }
    }
}

fn pusher(state: &ApiState) -> Result<&dyn Pusher, Problem> {
    let missing = || Problem::new(Code::NotFound, "this server sends no pushes");
    state.0.backend.pusher().ok_or_else(missing)
}

fn view(row: &PushRow) -> PushView {
    let rest = row.endpoint.expose().strip_prefix("https://");
    let host = rest.and_then(|r| r.split('/').next()).unwrap_or_default();
    PushView {
        id: row.id,
        label: row.label.clone(),
        service: host.into(),
        created_at: row.created_at.to_rfc3339(),
    }
}

impl From<PushRefused> for Problem {
    fn from(refused: PushRefused) -> Self {
        let PushRefused { pointer, detail } = refused;
        Problem::invalid(vec![FieldError::new(pointer, "format", detail)])
    }
}

async fn key(State(state): State<ApiState>, _caller: Caller) -> Reply {
    let public_key = pusher(&state)?.public_key();
    Ok(Json(KeyView { public_key }).into_response())
}

/// From now on the person's agent is rung though no tab is open, or no more.
async fn rings(state: &ApiState, caller: &Caller, on: bool) -> Result<(), Problem> {
    let Some(agent) = caller.agent else {
        return Ok(());
    };
    let command = Command::Pushed { agent, on };
    state
        .command(caller.tenant, Actor::System, command)
        .await
        .map(|_| ())
}

async fn list(State(state): State<ApiState>, caller: Caller) -> Reply {
    let (tenant, user) = (caller.tenant, person(&caller)?);
    let rows = state
        .store(move |s| s.push_subscriptions(tenant, user))
        .await?;
    let items: Vec<PushView> = rows.iter().map(view).collect();
    Ok(Json(PageView { items, next: None }).into_response())
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<PushInput>,
) -> Reply {
    let row = PushRow {
        id: state.new_id(),
        tenant: caller.tenant,
        user: person(&caller)?,
        endpoint: Pii(input.endpoint),
        p256dh: Pii(input.keys.p256dh),
        auth: Pii(input.keys.auth),
        label: input.label,
        created_at: state.now(),
    };
    pusher(&state)?.check(&row).await?;
    let body = serde_json::to_value(view(&row)).expect("a view of texts serialises");
    state.store(move |s| s.push_subscribe(row)).await?;
    rings(&state, &caller, true).await?;
    Ok(crud::made("/v1/push-subscriptions", body))
}

async fn remove(State(state): State<ApiState>, caller: Caller, Id(id): Id<PushId>) -> Reply {
    let (tenant, user) = (caller.tenant, person(&caller)?);
    let there = state
        .store(move |s| s.push_unsubscribe(tenant, user, id))
        .await?;
    if !there {
        return Err(Problem::not_found("push subscription"));
    }
    let left = state
        .store(move |s| s.push_subscriptions(tenant, user))
        .await?;
    if left.is_empty() {
        rings(&state, &caller, false).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn test(State(state): State<ApiState>, caller: Caller, Id(id): Id<PushId>) -> Reply {
    let (tenant, user) = (caller.tenant, person(&caller)?);
    let rows = state
        .store(move |s| s.push_subscriptions(tenant, user))
        .await?;
    let row = rows.into_iter().find(|r| r.id == id);
    let row = row.ok_or_else(|| Problem::not_found("push subscription"))?;
    let told = pusher(&state)?.test(row).await;
    let view = match told {
        Ok(()) => TestView {
            taken: true,
            detail: "The push service took it; the browser shows it in a moment.".into(),
        },
        Err(refused) => TestView {
            taken: false,
            detail: refused.detail,
        },
    };
    Ok(Json(view).into_response())
}

/// Whether a link can be filled for any call: the fields of `cp_identity::card`, which fills it.
pub(crate) fn link_is_sound(template: &str) -> bool {
    let Some(rest) = template.strip_prefix("https://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let mut fields = template.split('{').skip(1);
    let known = fields.all(|f| {
        let name = f.split_once('}').map(|(name, _)| name);
        matches!(name, Some("caller" | "called" | "ring" | "language"))
    });
    known
        && !host.is_empty()
        && !host.contains(['@', '{', '}', '\\'])
        && template.bytes().all(|b| b.is_ascii_graphic())
        && template.matches('{').count() == template.matches('}').count()
}
