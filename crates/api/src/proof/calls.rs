//! The customer of a call: who it is, how well proven, and asking for more.

use super::{TAG, desk, published as form};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id};
use crate::involvement::involves;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cp_proof::{Entry, Witnessed};
use cp_vocab::person::ProofMethod;
use cp_vocab::{InteractionId, PersonId, Pii};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

const SEE: &[Permission] = &[Permission::ProofsRead, Permission::ProofsReadOwn];
const ASK: &[Permission] = &[Permission::ProofsAsk, Permission::ProofsAskOwn];

/// Who the customer is.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimInput {
    #[schema(value_type = published::PersonId)]
    person: PersonId,
}

/// What the caller is to be asked for on the line.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AskInput {
    /// `pin`, `totp`, `code` or `link`.
    #[schema(value_type = published::ProofMethod)]
    method: ProofMethod,
    /// For this alone; without it for anything.
    #[serde(default)]
    #[schema(max_length = 100)]
    intent: Option<String>,
}

/// A proof that the agent takes down or sees: one of them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WitnessInput {
    /// The code that was sent to the customer.
    #[serde(default)]
    #[schema(max_length = 20)]
    code: Option<String>,
    /// Of the customer's authenticator app.
    #[serde(default)]
    #[schema(max_length = 20)]
    totp: Option<String>,
    /// By the ids of the questions.
    #[serde(default)]
    answers: Option<BTreeMap<String, String>>,
    /// The picture was compared with the one kept.
    #[serde(default)]
    photo_matches: Option<bool>,
    #[serde(default)]
    #[schema(max_length = 100)]
    intent: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IntentInput {
    #[schema(min_length = 1, max_length = 100)]
    intent: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AssertionInput {
    #[schema(max_length = 8192)]
    assertion: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpgradeInput {
    /// Send it to an address of the customer; otherwise it is in the answer.
    #[serde(default)]
    send: bool,
}

pub(crate) fn add(api: &mut Api) {
    add_seeing(api);
    add_asking(api);
}

fn add_seeing(api: &mut Api) {
    api.add(
        operation::get("/v1/interactions/{id}/customer", "getCustomer", TAG, "The customer of a call")
            .describe("Secure fields are locked until the caller is proven; read again at each `proof.changed`.")
            .needs(SEE)
            .path_id("int")
            .replies::<form::Customer>(200, "The customer"),
        customer,
    );
    api.add(
        operation::get(
            "/v1/interactions/{id}/proof",
            "getProofAssertion",
            TAG,
            "The signed assertion of who is proven",
        )
        .needs(SEE)
        .path_id("int")
        .replies::<form::ProofAssertion>(200, "The assertion"),
        assertion,
    );
    api.add(
        operation::post(
            "/v1/interactions/{id}/proof/allow",
            "proofAllows",
            TAG,
            "Whether the caller may have what it asks for",
        )
        .needs(SEE)
        .path_id("int")
        .body::<IntentInput>()
        .replies::<form::ProofAllowed>(200, "The answer"),
        allowed,
    );
    api.add(
        operation::post(
            "/v1/interactions/{id}/proof/verify",
            "verifyProofAssertion",
            TAG,
            "Check an assertion against this call",
        )
        .needs(SEE)
        .path_id("int")
        .body::<AssertionInput>()
        .replies::<form::ProofVerdict>(200, "The verdict"),
        verify,
    );
    api.add(
        operation::get(
            "/.well-known/jwks.json",
            "proofKeys",
            TAG,
            "The keys that verify our assertions and notices",
        )
        .open()
        .replies::<form::KeySet>(200, "The keys"),
        keys,
    );
}

fn add_asking(api: &mut Api) {
    api.add(
        operation::put(
            "/v1/interactions/{id}/customer",
            "claimCustomer",
            TAG,
            "Say who the customer is",
        )
        .describe("What was proven of somebody else counts no more.")
        .needs(ASK)
        .path_id("int")
        .body::<ClaimInput>()
        .empty("Done"),
        claim,
    );
    api.add(
        operation::post("/v1/interactions/{id}/proof/ask", "askForProof", TAG, "Ask the caller on the line for a proof")
            .describe("Digits are entered in private: nobody hears them, the recording pauses, they are in no log.")
            .needs(ASK)
            .path_id("int")
            .body::<AskInput>()
            .idempotent()
            .empty("The caller is being asked; follow `proof.changed`"),
        ask,
    );
    api.add(
        operation::post(
            "/v1/interactions/{id}/proof",
            "giveProof",
            TAG,
            "Give a proof that the customer told or showed",
        )
        .needs(ASK)
        .path_id("int")
        .body::<WitnessInput>()
        .idempotent()
        .empty("It is proven"),
        witness,
    );
    api.add(
        operation::post(
            "/v1/interactions/{id}/proof/questions",
            "proofQuestions",
            TAG,
            "Questions to ask, the last resort",
        )
        .needs(ASK)
        .path_id("int")
        .idempotent()
        .replies::<form::ProofQuestions>(200, "The questions"),
        questions,
    );
    api.add(
        operation::post(
            "/v1/interactions/{id}/channel-upgrade",
            "upgradeChannel",
            TAG,
            "Open a page beside the call",
        )
        .describe("A link that opens once; the page asks for the number that the caller is told.")
        .needs(ASK)
        .path_id("int")
        .body::<UpgradeInput>()
        .idempotent()
        .replies::<form::ChannelUpgrade>(200, "Made"),
        upgrade,
    );
}

/// That the call is the caller's to see, or they may see any.
async fn own(state: &ApiState, caller: &Caller, id: InteractionId, broad: Permission) -> Reply<()> {
    let caller = caller.clone();
    state
        .store(move |store| -> Reply<()> {
            store.interaction(caller.tenant, id)?;
            if caller.has(broad) {
                return Ok(());
            }
            let agent = caller.own_agent()?;
            if involves(store, agent, id)? {
                return Ok(());
            }
            Err(Problem::not_found("interaction"))
        })
        .await
}

async fn customer(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsRead).await?;
    let view = desk(&state, move |d| d.customer(caller.tenant, id)).await?;
    Ok(Json(view).into_response())
}

async fn assertion(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsRead).await?;
    let token = desk(&state, move |d| d.assertion(caller.tenant, id)).await?;
    Ok(Json(json!({ "assertion": token })).into_response())
}

async fn allowed(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    Body(input): Body<IntentInput>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsRead).await?;
    let answer = desk(&state, move |d| d.allowed(caller.tenant, id, &input.intent)).await?;
    Ok(Json(answer).into_response())
}

async fn verify(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    Body(input): Body<AssertionInput>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsRead).await?;
    let verdict = desk(&state, move |d| {
        d.verify_assertion(caller.tenant, id, &input.assertion)
    })
    .await?;
    let body = match verdict {
        Ok(claims) => json!({ "valid": true, "fault": null, "claims": claims }),
        Err(fault) => json!({ "valid": false, "fault": fault.code(), "claims": null }),
    };
    Ok(Json(body).into_response())
}

async fn keys(State(state): State<ApiState>) -> Reply {
    Ok(Json(state.proofs()?.key_set()).into_response())
}

async fn claim(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    Body(input): Body<ClaimInput>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsAsk).await?;
    desk(&state, move |d| d.claim(caller.tenant, id, input.person)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn ask(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    Body(input): Body<AskInput>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsAsk).await?;
    desk(&state, move |d| {
        d.ask_for(caller.tenant, id, input.method, input.intent)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn witness(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    Body(input): Body<WitnessInput>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsAsk).await?;
    let intent = input.intent.clone();
    let what = witnessed(input)?;
    let by = caller.principal.to_string();
    desk(&state, move |d| {
        d.witness(caller.tenant, id, &what, intent, &by)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn witnessed(input: WitnessInput) -> Reply<Witnessed> {
    let answers = input.answers.map(|a| {
        let told = a.into_iter().map(|(q, a)| (q, Pii(a)));
        Witnessed::Entry(Entry::Answers(told.collect()))
    });
    let code = input.code.map(|c| Witnessed::Entry(Entry::Code(Pii(c))));
    let totp = input.totp.map(|c| Witnessed::Entry(Entry::Totp(Pii(c))));
    let photo = input.photo_matches;
    let photo = photo.map(|matches| Witnessed::Photo { matches });
    let mut given = [answers, code, totp, photo].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            let detail = "give one of code, totp, answers and photo_matches";
            Err(Problem::new(cp_vocab::Code::BadRequest, detail))
        }
    }
}

async fn questions(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsAsk).await?;
    let questions = desk(&state, move |d| d.questions(caller.tenant, id)).await?;
    Ok(Json(json!({ "questions": questions })).into_response())
}

async fn upgrade(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<InteractionId>,
    Body(input): Body<UpgradeInput>,
) -> Reply {
    own(&state, &caller, id, Permission::ProofsAsk).await?;
    let made = desk(&state, move |d| d.upgrade(caller.tenant, id, input.send)).await?;
    Ok(Json(made).into_response())
}
