//! What was before with the same customer: for whoever has the interaction in hand.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Id, PageView, Query};
use crate::interactions::view;
use crate::involvement::may_read;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{InteractionFilter, InteractionRow, PageRequest, Store};
use cp_vocab::event::Direction;
use cp_vocab::id::TypedId;
use cp_vocab::{Address, Event, InteractionId, StreamId};
use serde_json::Value;
use utoipa::ToSchema;

/// Earlier interactions told at most.
const EARLIER_MAX: usize = 50;
/// Rows looked through for them: the search knows parts of numbers, the customer is a whole one.
const LOOKED_THROUGH_MAX: usize = 400;
/// Records of each that are looked through for its note.
const RECORDS_MAX: usize = 1_000;

/// An earlier interaction of the customer, in short.
#[derive(ToSchema)]
#[schema(as = EarlierInteraction)]
#[allow(dead_code)]
struct EarlierView {
    id: published::InteractionId,
    direction: published::Direction,
    #[schema(format = DateTime)]
    started_at: String,
    ended_at: Option<String>,
    queue: Option<published::QueueId>,
    agents: Vec<published::AgentId>,
    talk_ms: u64,
    waited_ms: u64,
    end_reason: Option<String>,
    wrap_up_code: Option<published::WrapUpCodeId>,
    /// What the agents noted, newest last.
    note: Option<String>,
}

pub(crate) fn add(api: &mut Api) {
    let limit = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": EARLIER_MAX, "default": 20 });
    api.add(
        operation::get(
            "/v1/interactions/{id}/history",
            "interactionHistory",
            "Interactions",
            "What was before with the same customer",
        )
        .describe(
            "Newest first. Whoever may read the interaction may read this, also where others answered: \
             a customer should not have to tell everything again.",
        )
        .needs(&[Permission::InteractionsRead, Permission::InteractionsReadOwn])
        .path_id(InteractionId::PREFIX)
        .query("limit", limit, "How many at most.")
        .lists::<EarlierView>("Earlier interactions"),
        earlier,
    );
}

async fn earlier(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    query: Query,
) -> Reply {
    let limit = query.parse("limit", "a number from 1 on", |v| {
        v.parse::<usize>().ok().filter(|n| *n > 0)
    });
    query.finish()?;
    let limit = limit.unwrap_or(20).min(EARLIER_MAX);
    let items = state
        .store(move |store| -> Reply<Vec<Value>> {
            let row = may_read(store, &caller, id)?;
            let found = before(store, &row, limit)?;
            found.iter().map(|r| told(store, r)).collect()
        })
        .await?;
    Ok(axum::Json(PageView { items, next: None }).into_response())
}

/// The address the interaction is about.
fn customer(row: &InteractionRow) -> &Address {
    match row.direction {
        Direction::Outbound => &row.to.0,
        _ => &row.from.0,
    }
}

fn before(store: &dyn Store, of: &InteractionRow, limit: usize) -> Reply<Vec<InteractionRow>> {
    let who = customer(of);
    let searched = match who {
        Address::Number(n) => n.clone(),
        Address::Extension(e) => e.clone(),
        Address::Sip(s) => s.clone(),
        // Nobody in particular: what others without a number said is not theirs.
        Address::Anonymous => return Ok(vec![]),
    };
    let filter = InteractionFilter {
        until: Some(of.started_at),
        party: Some(searched),
        ..InteractionFilter::default()
    };
    let mut found = Vec::new();
    let mut page = PageRequest::first(cp_store::PAGE_ROWS_MAX);
    let mut seen = 0;
    while seen < LOOKED_THROUGH_MAX {
        let rows = store.interactions(of.tenant, &filter, &page)?;
        seen += rows.items.len();
        let same = |r: &InteractionRow| r.id != of.id && customer(r) == who;
        found.extend(rows.items.into_iter().filter(same));
        match rows.next {
            Some(next) if found.len() < limit => page.after = Some(next),
            _ => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn told(store: &dyn Store, row: &InteractionRow) -> Reply<Value> {
    let whole = view(row);
    let mut value = serde_json::Map::new();
    for name in [
        "id",
        "direction",
        "started_at",
        "ended_at",
        "queue",
        "agents",
        "talk_ms",
        "waited_ms",
        "end_reason",
        "wrap_up_code",
    ] {
        value.insert(name.into(), whole[name].clone());
    }
    let records = store.stream(StreamId::Interaction(row.id), 1, RECORDS_MAX)?;
    let notes: Vec<&str> = records
        .iter()
        .filter_map(|r| match &r.event {
            Event::WrapUpNoted { note: Some(n), .. } => Some(n.0.as_str()),
            _ => None,
        })
        .collect();
    let note = (!notes.is_empty()).then(|| notes.join("\n"));
    value.insert("note".into(), note.into());
    Ok(value.into())
}
