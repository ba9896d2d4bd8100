//! The tenant's rules of proof.

use super::TAG;
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::crud;
use crate::extract::{Body, if_match};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::references;
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use cp_store::{Change, Edit, PageRequest, Store, StoreError, StoreExt, Version, Versioned};
use cp_vocab::person::ProofMethod;
use cp_vocab::proof::{AskNumber, LockedFields, PlacementRule, ProofPolicy};
use cp_vocab::{Code, ProofPolicyId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How secure fields look before proof.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum LockedFieldsForm {
    /// Whole, marked as not to be spoken.
    Marked,
    /// Marked, all but the last characters covered.
    Masked,
    /// Marked, without a value.
    Hidden,
}

/// Whether callers are asked for their customer number before they prove themselves by telephone.
#[derive(Deserialize, ToSchema)]
#[schema(as = AskNumber)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum AskNumberForm {
    Never,
    /// Those whose number belongs to nobody.
    Unknown,
    Always,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum FactTestForm {
    Equals,
    AtLeast,
    AtMost,
}

/// Where a proven caller waits, by a fact of its record. The first rule that holds is taken.
#[derive(Deserialize, ToSchema)]
#[schema(as = PlacementRule)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct PlacementForm {
    /// Proven at least to this level.
    #[schema(minimum = 1, maximum = 4)]
    level: u8,
    /// For callers on their way to, or waiting in, this queue; without it any.
    #[schema(value_type = Option<published::QueueId>)]
    #[serde(default)]
    from: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    fact: String,
    test: FactTestForm,
    value: published::Fact,
    /// Without it the caller stays and only the priority changes.
    #[schema(value_type = Option<published::QueueId>)]
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    #[schema(minimum = -1000, maximum = 1000)]
    priority: i32,
}

/// What is left out takes the default.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProofPolicyInput {
    /// What a way of proof is worth, 0 (not accepted) to 4, where it is not the default.
    #[schema(value_type = BTreeMap<String, u8>)]
    levels: BTreeMap<ProofMethod, u8>,
    /// What is asked for, and the level it takes.
    intents: BTreeMap<String, u8>,
    /// Asked for in this order on the telephone: `pin`, `totp`, `code`, `link`.
    #[schema(value_type = Vec<published::ProofMethod>, max_items = 10)]
    phone_methods: Vec<ProofMethod>,
    #[schema(value_type = Vec<PlacementForm>, max_items = 100)]
    placement: Vec<PlacementRule>,
    /// A proof older than this counts no more.
    #[schema(minimum = 60, maximum = 86_400)]
    proof_s_max: u32,
    #[schema(value_type = LockedFieldsForm)]
    locked_fields: LockedFields,
    /// Whether callers key their customer number first (an identity of kind `account`).
    #[schema(value_type = AskNumberForm)]
    ask_number: AskNumber,
    /// Wrong entries in one call before it counts as not proven.
    #[schema(minimum = 1, maximum = 10)]
    tries_per_call: u8,
    /// How long a code or link is good.
    #[schema(minimum = 30, maximum = 600)]
    code_s_max: u32,
}

impl Default for ProofPolicyInput {
    fn default() -> Self {
        let (none, nobody) = (0u128, 0u128);
        use cp_vocab::id::TypedId;
        input(ProofPolicy::with_defaults(
            ProofPolicyId::from_u128(none),
            TenantId::from_u128(nobody),
        ))
    }
}

fn input(p: ProofPolicy) -> ProofPolicyInput {
    ProofPolicyInput {
        levels: p.levels,
        intents: p.intents,
        phone_methods: p.phone_methods,
        placement: p.placement,
        proof_s_max: p.proof_s_max,
        locked_fields: p.locked_fields,
        ask_number: p.ask_number,
        tries_per_call: p.tries_per_call,
        code_s_max: p.code_s_max,
    }
}

pub(crate) fn add(api: &mut Api) {
    api.add(
        operation::get(
            "/v1/proof-policy",
            "getProofPolicy",
            TAG,
            "The rules of proof",
        )
        .describe("The `ETag` names the version: send it as `If-Match` with a change.")
        .needs(&[Permission::ProofPolicyRead])
        .replies::<ProofPolicyInput>(200, "The rules"),
        read,
    );
    api.add(
        operation::put(
            "/v1/proof-policy",
            "setProofPolicy",
            TAG,
            "Set the rules of proof",
        )
        .needs(&[Permission::ProofPolicyWrite])
        .step_up()
        .header(
            "If-Match",
            "The `ETag` that was read: 412 when somebody was faster. Without it the last one wins.",
        )
        .body::<ProofPolicyInput>()
        .replies::<ProofPolicyInput>(200, "As they are now"),
        write,
    );
}

/// The rules as they are kept; none when the defaults hold.
fn kept(store: &dyn Store, tenant: TenantId) -> Result<Option<Versioned<ProofPolicy>>, StoreError> {
    let page = PageRequest::first(1);
    let rows = store.list::<ProofPolicy>(tenant, &page)?;
    Ok(rows.items.into_iter().next())
}

/// The version of rules that nobody set.
const UNSET: Version = Version(0);

fn shown(rules: ProofPolicyInput, version: Version) -> Response {
    let body = serde_json::to_value(rules).expect("an input is plain data");
    crud::with_tag(StatusCode::OK, version, body)
}

async fn read(State(state): State<ApiState>, caller: Caller) -> Reply {
    let tenant = caller.tenant;
    let found = state.store(move |s| kept(s, tenant)).await?;
    let version = found.as_ref().map_or(UNSET, |v| v.version);
    let rules = found.map_or_else(ProofPolicyInput::default, |v| input(v.row));
    Ok(shown(rules, version))
}

async fn write(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Body(wanted): Body<ProofPolicyInput>,
) -> Reply {
    check(&wanted)?;
    let read = match headers.contains_key(header::IF_MATCH) {
        true => if_match(&headers)?,
        false => None,
    };
    let (now, fresh) = (state.now(), state.new_id());
    state
        .edit(move |store| set(store, &caller, fresh, now, read, wanted))
        .await
}

/// `read`: the version that the change was made from, when it says so.
fn set(
    store: &dyn Store,
    caller: &Caller,
    fresh: ProofPolicyId,
    now: Timestamp,
    read: Option<Version>,
    wanted: ProofPolicyInput,
) -> Reply {
    let snapshot = store.snapshot()?;
    let document = serde_json::to_value(&wanted).expect("an input is plain data");
    let missing = references::missing(store, &snapshot, caller.tenant, &document)?;
    if !missing.is_empty() {
        return Err(Problem::invalid(missing));
    }
    let before = kept(store, caller.tenant)?;
    let version = before.as_ref().map_or(UNSET, |v| v.version);
    if read.is_some_and(|r| r != version) {
        let detail = "Somebody changed the rules in the meantime. Read them again and repeat.";
        return Err(Problem::new(Code::PreconditionFailed, detail));
    }
    let row = ProofPolicy {
        id: before.as_ref().map_or(fresh, |v| v.row.id),
        tenant: caller.tenant,
        levels: wanted.levels,
        intents: wanted.intents,
        phone_methods: wanted.phone_methods,
        placement: wanted.placement,
        proof_s_max: wanted.proof_s_max,
        locked_fields: wanted.locked_fields,
        ask_number: wanted.ask_number,
        tries_per_call: wanted.tries_per_call,
        code_s_max: wanted.code_s_max,
    };
    let change = match before {
        None => Change::Create(row.clone().into()),
        Some(_) => Change::Update {
            row: row.clone().into(),
            expected: Some(version),
        },
    };
    let versions = store.apply(Edit::new(caller.tenant, caller.actor(), now), vec![change])?;
    let version = versions.last().copied().unwrap_or_default();
    Ok(shown(input(row), version))
}

fn check(wanted: &ProofPolicyInput) -> Reply<()> {
    let mut errors = Vec::new();
    let levels = wanted
        .levels
        .iter()
        .map(|(m, l)| (format!("/levels/{}", m.as_str()), l));
    let intents = wanted
        .intents
        .iter()
        .map(|(i, l)| (format!("/intents/{i}"), l));
    for (at, level) in levels.chain(intents) {
        if *level > cp_identity::proof::LEVEL_MAX {
            errors.push(FieldError::new(at, "too_large", "levels are 0 to 4"));
        }
    }
    let asked = [
        ProofMethod::Pin,
        ProofMethod::Totp,
        ProofMethod::Code,
        ProofMethod::Link,
    ];
    for (i, method) in wanted.phone_methods.iter().enumerate() {
        if !asked.contains(method) {
            let detail = "on the telephone pin, totp, code and link can be asked for";
            errors.push(FieldError::new(
                format!("/phone_methods/{i}"),
                "not_one_of",
                detail,
            ));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}
