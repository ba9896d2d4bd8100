//! What came by the points, for those who answer: callbacks to be placed, messages, changes of mode.

use super::public::{ContactStatus, TalkMode, YesOrNo, agree, ask};
use super::visit::{changed, replace};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Id, PageView, Query};
use crate::operation::{Api, Op, get, post};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{Contact, ContactFilter, ContactKind, ContactState, Mode, Point, StoreExt};
use cp_vocab::id::TypedId;
use cp_vocab::model::DialTarget;
use cp_vocab::{AgentId, Code, Command, ContactId, InteractionId, PointId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::ContactsRead];
const HANDLE: &[Permission] = &[Permission::ContactsHandle];

/// A request that came by a communication point.
#[derive(Serialize, ToSchema)]
#[schema(as = Contact)]
struct ContactView {
    #[schema(value_type = published::ContactId)]
    id: ContactId,
    #[schema(value_type = published::PointId)]
    point: PointId,
    #[schema(value_type = published::ContactKind)]
    kind: ContactKind,
    #[schema(value_type = published::ContactState)]
    state: ContactState,
    created_at: String,
    #[schema(value_type = Option<published::Mode>)]
    wanted: Option<Mode>,
    #[schema(value_type = Option<published::Mode>)]
    mode: Option<Mode>,
    name: Option<String>,
    number: Option<String>,
    reply_to: Option<String>,
    text: Option<String>,
    /// When a callback suits.
    at: Option<String>,
    /// What the page said of itself: texts, never to be shown as markup.
    #[schema(value_type = Object)]
    context: Value,
    #[schema(value_type = Option<published::InteractionId>)]
    interaction: Option<InteractionId>,
    #[schema(value_type = Option<published::AgentId>)]
    agent: Option<AgentId>,
    /// A change of mode that waits for an answer.
    asked: Option<super::public::AskedView>,
}

impl From<Contact> for ContactView {
    fn from(c: Contact) -> Self {
        let status = ContactStatus::from(&c);
        Self {
            id: c.id,
            point: c.point,
            kind: c.kind,
            state: c.state,
            created_at: c.created_at.to_rfc3339(),
            wanted: c.wanted,
            mode: c.mode,
            name: c.name.map(|v| v.0),
            number: c.number.map(|v| v.0),
            reply_to: c.reply_to.map(|v| v.0),
            text: c.text.map(|v| v.0),
            at: c.at.map(|t| t.to_rfc3339()),
            context: c.context.0,
            interaction: c.interaction,
            agent: c.agent,
            asked: status.asked,
        }
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallBackInput {
    /// Whose phone; your own when left out.
    #[serde(default)]
    #[schema(value_type = Option<published::AgentId>)]
    agent: Option<AgentId>,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Contacts";
    let kinds = json!({ "type": "string", "enum": ["call", "callback", "message"] });
    let states = json!({ "type": "string", "enum": ["offered", "open", "taken", "done"] });
    api.add(
        get(
            "/v1/contacts",
            "listContacts",
            tag,
            "What came by communication points, newest first",
        )
        .needs(READ)
        .query("kind", kinds, "Of this kind.")
        .query("state", states, "In this state.")
        .query(
            "point",
            crate::schema::id_schema(PointId::PREFIX),
            "By this point.",
        )
        .paged()
        .lists::<ContactView>("A page"),
        list,
    );
    let of = |op: Op| op.path_id(ContactId::PREFIX);
    api.add(
        of(get(
            "/v1/contacts/{id}",
            "getContact",
            tag,
            "One of them, with its context",
        ))
        .needs(READ)
        .replies::<ContactView>(200, "The request"),
        read,
    );
    api.add(
        of(post(
            "/v1/contacts/{id}/call",
            "callContact",
            tag,
            "Call back",
        ))
        .describe("Rings the agent's phone, then the customer's number.")
        .needs(HANDLE)
        .optional_body::<CallBackInput>()
        .idempotent()
        .replies::<ContactView>(200, "Being called"),
        call,
    );
    api.add(
        of(post(
            "/v1/contacts/{id}/done",
            "finishContact",
            tag,
            "Put aside as done",
        ))
        .needs(HANDLE)
        .optional_body::<crate::call::Nothing>()
        .idempotent()
        .replies::<ContactView>(200, "Done"),
        done,
    );
    api.add(
        of(post(
            "/v1/contacts/{id}/mode",
            "askContactMode",
            tag,
            "Ask the customer for another mode in the call",
        ))
        .needs(HANDLE)
        .body::<TalkMode>()
        .idempotent()
        .replies::<ContactView>(200, "Asked"),
        ask_mode,
    );
    api.add(
        of(post(
            "/v1/contacts/{id}/mode/answer",
            "answerContactMode",
            tag,
            "Agree to the mode the customer asks for, or not",
        ))
        .needs(HANDLE)
        .body::<YesOrNo>()
        .idempotent()
        .replies::<ContactView>(200, "Answered"),
        answer_mode,
    );
}

async fn list(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let page = query.page();
    let word = |v: &str| Value::String(v.to_string());
    let filter = ContactFilter {
        kind: query.parse("kind", "call, callback or message", |v| {
            serde_json::from_value(word(v)).ok()
        }),
        state: query.parse("state", "offered, open, taken or done", |v| {
            serde_json::from_value(word(v)).ok()
        }),
        point: query.id("point"),
    };
    query.finish()?;
    let tenant = caller.tenant;
    let rows = state
        .store(move |s| s.contacts(tenant, &filter, &page))
        .await?;
    let page = rows.map(ContactView::from);
    let (items, next) = (page.items, page.next);
    Ok(axum::Json(PageView { items, next }).into_response())
}

async fn read(State(state): State<ApiState>, caller: Caller, Id(id): Id<ContactId>) -> Reply {
    let tenant = caller.tenant;
    let row = state.store(move |s| s.contact(tenant, id)).await?;
    Ok(axum::Json(ContactView::from(row)).into_response())
}

async fn change(
    state: &ApiState,
    caller: &Caller,
    id: ContactId,
    change: impl FnOnce(&mut Contact) -> Result<(), Problem> + Send + 'static,
) -> Reply {
    let (tenant, now) = (caller.tenant, state.now());
    let after = state
        .edit(move |store| {
            let mut contact = store.contact(tenant, id)?;
            change(&mut contact)?;
            let told = changed(&contact);
            let write = Box::new(move |c: &mut Contact| {
                replace(c, contact);
                Ok(Some(told))
            });
            Ok(store.contact_change(tenant, id, now, write)?)
        })
        .await?;
    Ok(axum::Json(ContactView::from(after)).into_response())
}

async fn call(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<ContactId>,
    Body(input): Body<CallBackInput>,
) -> Reply {
    let agent = match input.agent {
        Some(agent) => caller
            .own_unless(agent, Permission::CallsControl)
            .map(|()| agent)?,
        None => caller.own_agent()?,
    };
    let tenant = caller.tenant;
    let contact = state.store(move |s| s.contact(tenant, id)).await?;
    let Some(number) = contact
        .number
        .filter(|_| contact.state != ContactState::Done)
    else {
        let detail = "there is no number to be called, or the request is done";
        return Err(Problem::new(Code::Conflict, detail));
    };
    let target = DialTarget::Extension {
        extension: number.0,
    };
    let actor = caller.actor_with(Permission::CallsControl)?;
    let command = Command::Dial { agent, target };
    let reply = state.command(tenant, actor, command).await?;
    change(&state, &caller, id, move |c| {
        c.state = ContactState::Taken;
        c.agent = Some(agent);
        c.interaction = reply.interaction;
        Ok(())
    })
    .await
}

async fn done(State(state): State<ApiState>, caller: Caller, Id(id): Id<ContactId>) -> Reply {
    change(&state, &caller, id, |c| {
        c.state = ContactState::Done;
        Ok(())
    })
    .await
}

async fn ask_mode(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<ContactId>,
    Body(input): Body<TalkMode>,
) -> Reply {
    let tenant = caller.tenant;
    let offered = state
        .store(move |s| {
            let point = s.contact(tenant, id)?.point;
            Ok::<_, cp_store::StoreError>(s.get::<Point>(tenant, point)?.row.modes)
        })
        .await?;
    change(&state, &caller, id, move |c| {
        ask(c, input.mode, false, &offered)
    })
    .await
}

async fn answer_mode(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<ContactId>,
    Body(input): Body<YesOrNo>,
) -> Reply {
    change(&state, &caller, id, move |c| agree(c, input.accept, true)).await
}
