//! Call identity: how numbers forward, what was kept and found again, and one call step by step.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Id, Query};
use crate::involvement::may_read;
use crate::operation::{self, Api};
use crate::problem::Reply;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{PAGE_ROWS_MAX, Store, StoreError};
use cp_vocab::command::Actor;
use cp_vocab::id::TypedId;
use cp_vocab::trust::{Trust, TrustLevel, TrustMethod};
use cp_vocab::{Command, Event, EventRecord, InteractionId, StreamId, TenantId, Timestamp};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Interactions a call came through that are looked at for its trust.
const ORIGINS_MAX: usize = 5;
/// Records of one interaction that are looked at; what proves a caller comes early.
const RECORDS_MAX: usize = PAGE_ROWS_MAX;

/// How well it is proven who the other party is.
#[derive(ToSchema)]
#[schema(as = Trust)]
#[allow(dead_code)]
pub(crate) struct TrustView {
    /// Canonical number, SIP URI or customer id; null: nobody is proven.
    who: Option<String>,
    /// `refuted`, `unknown`, `asserted`, `number`, `person` or `strong`.
    level: String,
    /// `passport`, `diversion`, `trunk_word`, `own_device`, `call_token`, `passkey` …
    methods: Vec<String>,
    /// Service provider code, trunk, proof provider or person that proves it.
    by: Option<String>,
    #[schema(format = DateTime)]
    at: String,
    /// Seconds since then.
    age_s: u64,
    scope: Vec<String>,
    /// Stable codes that say why it is no more.
    reasons: Vec<String>,
    /// Verdict on the call's identity: `valid`, `invalid`, `stale`, `refused`, `none`; null: not looked at.
    verdict: Option<String>,
    /// The SIP status that goes with the verdict.
    code: Option<u16>,
    attestation: Option<String>,
    /// Who diverted the call, first to last.
    diversions: Vec<String>,
    /// All that was found out, oldest first.
    #[schema(value_type = Vec<Object>)]
    facts: Value,
}

/// Forwarding of numbers and the identities kept for it.
#[derive(ToSchema)]
#[schema(as = IdentityForwarding)]
#[allow(dead_code)]
pub(crate) struct ForwardingView {
    /// Per number: calls and forwarded ones in its last hundred, rate, whether it is likely to
    /// forward, identities kept, hits and misses.
    #[schema(value_type = Vec<Object>)]
    numbers: Value,
    /// Per trunk: its settings, calls, kept, hits, misses, ambiguous.
    #[schema(value_type = Vec<Object>)]
    trunks: Value,
    kept_now: u64,
    threshold_percent: f64,
    calls_min: u32,
    retention_s: u64,
    /// Whether this node has roots to verify by.
    verifies: bool,
}

/// One call step by step: verified, decided, kept, matched, attached, diverted, signed.
#[derive(ToSchema)]
#[schema(as = IdentityTrace)]
#[allow(dead_code)]
pub(crate) struct TraceView {
    interaction: published::InteractionId,
    /// The call whose identity was attached to this one.
    original: Option<published::InteractionId>,
    /// In order of time; each has `interaction`, `at`, `step`, `detail`, `number`.
    #[schema(value_type = Vec<Object>)]
    steps: Value,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Call identity";
    let get = |path, id, summary| operation::get(path, id, tag, summary);
    api.add(
        get(
            "/v1/identity/forwarding",
            "identityForwarding",
            "How numbers forward, and what was kept for it",
        )
        .describe("Counters begin with the node. Numbers called last come first, at most 1,000.")
        .needs(&[Permission::IdentityRead])
        .query(
            "number",
            json!({ "type": "string", "maxLength": 32 }),
            "One number, as +E.164.",
        )
        .replies::<ForwardingView>(200, "Rates, hits and misses"),
        forwarding,
    );
    api.add(
        get(
            "/v1/identity/traces/{id}",
            "identityTrace",
            "What was done with one call's identity, step by step",
        )
        .needs(&[Permission::IdentityRead])
        .path_id(InteractionId::PREFIX)
        .replies::<TraceView>(200, "The steps"),
        trace,
    );
}

async fn forwarding(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let number = query.text("number");
    query.finish()?;
    let command = Command::IdentityForwarding { number };
    let reply = state.command(caller.tenant, Actor::System, command).await?;
    Ok(axum::Json(reply.document.unwrap_or(Value::Null)).into_response())
}

async fn trace(State(state): State<ApiState>, caller: Caller, Id(id): Id<InteractionId>) -> Reply {
    let body = state
        .store(move |store| -> Reply<Value> {
            may_read(store, &caller, id)?;
            let own = records(store, id)?;
            let original = own.iter().find_map(|r| match &r.event {
                Event::IdentityStepTaken { original, .. } => *original,
                _ => None,
            });
            let mut all = own;
            if let Some(original) = original {
                all.extend(
                    records(store, original)?
                        .into_iter()
                        .filter(|r| r.tenant == caller.tenant),
                );
            }
            all.sort_by_key(|r| (r.at, r.seq));
            let steps: Vec<Value> = all.iter().filter_map(step).collect();
            Ok(json!({ "interaction": id, "original": original, "steps": steps }))
        })
        .await?;
    Ok(axum::Json(body).into_response())
}

fn records(store: &dyn Store, id: InteractionId) -> Result<Vec<EventRecord>, StoreError> {
    store.stream(StreamId::Interaction(id), 1, RECORDS_MAX)
}

fn step(record: &EventRecord) -> Option<Value> {
    let (step, detail, number, leg) = match &record.event {
        Event::IdentityStepTaken {
            leg,
            step,
            detail,
            number,
            ..
        } => (step.as_str(), detail.clone(), number.clone(), *leg),
        Event::IdentityJudged {
            leg,
            verdict,
            trust,
            ..
        } => {
            let why = trust.reasons.join(" ");
            let by = trust.by.clone().unwrap_or_default();
            let detail = [verdict.as_str(), &why, &by].join(" ");
            (
                "judged",
                detail.trim().to_string(),
                trust.who.clone(),
                Some(*leg),
            )
        }
        _ => return None,
    };
    Some(json!({
        "interaction": record.stream.to_string(), "at": record.at.to_rfc3339(), "leg": leg,
        "step": step, "detail": detail, "number": number,
    }))
}

/// What is proven of an interaction's other party, facts from the calls it came of included.
pub(crate) fn trust(
    store: &dyn Store,
    tenant: TenantId,
    id: InteractionId,
    now: Timestamp,
) -> Result<Value, StoreError> {
    let mut found = Found::default();
    let mut queue = vec![id];
    let mut seen = Vec::new();
    while let Some(id) = queue.pop() {
        if seen.contains(&id) || seen.len() >= ORIGINS_MAX {
            continue;
        }
        seen.push(id);
        for record in records(store, id)?
            .into_iter()
            .filter(|r| r.tenant == tenant)
        {
            // A party that came from another call brings what was proven there.
            if let Event::LegMovedIn { from, .. } = &record.event {
                queue.push(*from);
            }
            found.take(record);
        }
    }
    Ok(found.document(now))
}

/// What the logs say about who calls.
#[derive(Default)]
struct Found {
    facts: Vec<Trust>,
    started: Option<(Timestamp, bool)>,
    judged: Option<Event>,
}

impl Found {
    fn take(&mut self, record: EventRecord) {
        match record.event {
            Event::Started { direction, .. } => {
                let internal = direction == cp_vocab::event::Direction::Internal;
                self.started.get_or_insert((record.at, internal));
            }
            Event::IdentityJudged { ref trust, .. } => {
                self.facts.push(trust.clone());
                self.judged.get_or_insert(record.event);
            }
            _ => {}
        }
    }

    fn document(mut self, now: Timestamp) -> Value {
        if self.facts.is_empty() {
            let (at, internal) = self.started.unwrap_or((now, false));
            let mut fact = Trust::unknown(at, "not_checked");
            if internal {
                fact.level = TrustLevel::Number;
                fact.methods = vec![TrustMethod::OwnDevice];
                fact.reasons.clear();
            }
            self.facts.push(fact);
        }
        self.facts.sort_by_key(|f| f.at);
        let best = Trust::strongest(&self.facts).expect("there is one at least");
        let mut body = serde_json::to_value(best).expect("a fact is plain data");
        body["age_s"] = now.since(best.at).as_secs().into();
        let mut facts = serde_json::to_value(&self.facts).expect("facts are plain data");
        for (shown, fact) in facts.as_array_mut().into_iter().flatten().zip(&self.facts) {
            shown["at"] = fact.at.to_rfc3339().into();
        }
        let nothing = (Value::Null, Value::Null, Value::Null, json!([]));
        let (verdict, code, attestation, diversions) = match &self.judged {
            Some(Event::IdentityJudged {
                verdict,
                code,
                attestation,
                diversions,
                ..
            }) => (
                json!(verdict),
                json!(code),
                json!(attestation),
                json!(diversions),
            ),
            _ => nothing,
        };
        body["verdict"] = verdict;
        body["code"] = code;
        body["attestation"] = attestation;
        body["diversions"] = diversions;
        body["at"] = best.at.to_rfc3339().into();
        body["facts"] = facts;
        body
    }
}
