//! Interactions: search, one with its legs, the event trail, why it was routed so.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Id, PageView, Query};
use crate::involvement::may_read;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use crate::stream::cloud_event::{CloudEvent, readable_times};
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{InteractionFilter, PAGE_ROWS_MAX};
use cp_vocab::id::TypedId;
use cp_vocab::{AgentId, Code, Command, InteractionId, QueueId, StreamId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

const READ: &[Permission] = &[
    Permission::InteractionsRead,
    Permission::InteractionsReadOwn,
];

/// An interaction as it is published; built from the store's row.
#[derive(ToSchema)]
#[schema(as = Interaction)]
#[allow(dead_code)]
pub(crate) struct InteractionView {
    id: published::InteractionId,
    direction: published::Direction,
    from: published::Address,
    from_name: Option<String>,
    to: published::Address,
    /// Shared by the related calls of one operation.
    uci: published::Uci,
    number: Option<published::NumberId>,
    trunk: Option<published::TrunkId>,
    /// The last queue it was in.
    queue: Option<published::QueueId>,
    /// Agents who answered, in order.
    agents: Vec<published::AgentId>,
    /// `started`, `queued`, `connected`, `parked`, `ended`.
    state: String,
    #[schema(format = DateTime)]
    started_at: String,
    answered_at: Option<String>,
    ended_at: Option<String>,
    waited_ms: u64,
    talk_ms: u64,
    end_reason: Option<String>,
    recordings: u32,
    wrap_up_code: Option<published::WrapUpCodeId>,
    /// Only when one interaction is read.
    #[schema(value_type = Option<Vec<Object>>)]
    legs: Option<Value>,
    /// How well it is proven who calls. Only when one interaction is read.
    trust: Option<crate::identity::TrustView>,
    /// What it shows while it rings. Only when one interaction is read.
    card: Option<crate::card::CardView>,
}

/// Why offers went where they went.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// The routing's own account; its form may grow.
    #[schema(value_type = Object)]
    explanation: Value,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Interactions";
    let words = |w: &[&str]| json!({ "type": "string", "enum": w });
    let time = || json!({ "type": "string", "format": "date-time" });
    api.add(
        operation::get(
            "/v1/interactions",
            "listInteractions",
            tag,
            "Search interactions, newest first",
        )
        .describe("Agents without interactions:read see those they answered.")
        .needs(READ)
        .paged()
        .query("from", time(), "Started at or after.")
        .query("until", time(), "Started before.")
        .query(
            "state",
            words(&["started", "queued", "connected", "parked", "ended"]),
            "State.",
        )
        .query(
            "open",
            json!({ "type": "boolean" }),
            "Not ended yet, or ended.",
        )
        .query(
            "direction",
            words(&["inbound", "outbound", "internal"]),
            "Direction.",
        )
        .query("queue", crate::schema::id_schema("que"), "Queue.")
        .query(
            "agent",
            crate::schema::id_schema("agt"),
            "An agent who answered.",
        )
        .query("end_reason", json!({ "type": "string" }), "How it ended.")
        .query(
            "party",
            json!({ "type": "string", "maxLength": 100 }),
            "Part of a number, address or name.",
        )
        .query("uci", crate::schema::id_schema("uci"), "Related calls.")
        .lists::<InteractionView>("A page"),
        list,
    );
    add_one(api, tag);
}

fn add_one(api: &mut Api, tag: &'static str) {
    let one = |path, id, summary| {
        operation::get(path, id, tag, summary)
            .needs(READ)
            .path_id(InteractionId::PREFIX)
    };
    api.add(
        one(
            "/v1/interactions/{id}",
            "getInteraction",
            "One interaction with its legs",
        )
        .replies::<InteractionView>(200, "The interaction"),
        read,
    );
    api.add(
        one(
            "/v1/interactions/{id}/events",
            "interactionEvents",
            "Its event trail",
        )
        .paged()
        .lists::<CloudEvent>("A page of CloudEvents"),
        events,
    );
    api.add(
        one(
            "/v1/interactions/{id}/explain",
            "explainInteraction",
            "Why it was routed as it was",
        )
        .replies::<Explanation>(200, "The account"),
        explain,
    );
}

async fn list(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let time = |name| query.parse::<Timestamp>(name, "an RFC 3339 time", Timestamp::parse_rfc3339);
    let mut filter = InteractionFilter {
        from: time("from"),
        until: time("until"),
        state: query.word("state"),
        open: query.parse("open", "true or false", |v| v.parse().ok()),
        direction: query.word("direction"),
        queue: query.id::<QueueId>("queue"),
        agent: query.id::<AgentId>("agent"),
        end_reason: query.word("end_reason"),
        party: query.text("party"),
        uci: query.id("uci"),
    };
    let page = query.page();
    query.finish()?;
    if !caller.has(Permission::InteractionsRead) {
        filter.agent = Some(caller.own_agent()?);
    }
    let tenant = caller.tenant;
    let rows = state
        .store(move |s| s.interactions(tenant, &filter, &page))
        .await?;
    let next = rows.next;
    let items: Vec<Value> = rows.items.iter().map(view).collect();
    Ok(axum::Json(PageView { items, next }).into_response())
}

/// A row of the store as it is sent: readable times, and nothing of the house.
pub(crate) fn view(row: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(row).expect("a row is plain data");
    if let Some(map) = value.as_object_mut() {
        for private in ["tenant", "dialog", "path"] {
            map.remove(private);
        }
    }
    readable_times(&mut value);
    value
}

async fn read(State(state): State<ApiState>, caller: Caller, Id(id): Id<InteractionId>) -> Reply {
    let now = state.now();
    let body = state
        .store(move |store| -> Reply<Value> {
            let row = may_read(store, &caller, id)?;
            let legs = store.legs(caller.tenant, id)?;
            let mut body = view(&row);
            body["legs"] = legs.iter().map(view).collect();
            body["trust"] = crate::identity::trust(store, caller.tenant, id, now)?;
            body["card"] = crate::card::card(store, caller.tenant, id)?;
            Ok(body)
        })
        .await?;
    Ok(axum::Json(body).into_response())
}

async fn events(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    query: Query,
) -> Reply {
    let after = query.parse("cursor", "`next` of a page before", |v| {
        v.parse::<u64>().ok()
    });
    let limit = query.parse("limit", "a number from 1 on", |v| {
        v.parse::<usize>().ok().filter(|n| *n > 0)
    });
    query.finish()?;
    let limit = limit.unwrap_or(200).min(PAGE_ROWS_MAX);
    let from_seq = after.unwrap_or(0).saturating_add(1);
    let records = state
        .store(move |store| -> Reply<_> {
            may_read(store, &caller, id)?;
            Ok(store.stream(StreamId::Interaction(id), from_seq, limit)?)
        })
        .await?;
    let full = records.len() == limit;
    let next = records.last().filter(|_| full).map(|r| r.seq.to_string());
    let items: Vec<CloudEvent> = records.iter().map(|r| CloudEvent::of(r, None)).collect();
    Ok(axum::Json(PageView { items, next }).into_response())
}

async fn explain(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
) -> Reply {
    let (tenant, actor) = (caller.tenant, caller.actor());
    state
        .store(move |store| may_read(store, &caller, id).map(|_| ()))
        .await?;
    let command = Command::Explain { interaction: id };
    let reply = state.command(tenant, actor, command).await?;
    let none = || Problem::new(Code::NotFound, "nothing was decided about this interaction");
    let mut explanation = reply.document.ok_or_else(none)?;
    readable_times(&mut explanation);
    Ok(axum::Json(Explanation { explanation }).into_response())
}
