//! What a customer's page asks, without an account: bounded, counted, and by the origins of the point.

use super::context;
use super::matching::{Match, meet};
use super::message::{becomes_message, written};
use super::visit::Visit;
use crate::extract::Body;
use crate::operation::{Api, Op, get, post};
use crate::problem::{FieldError, Problem};
use crate::schema::vocabulary as published;
use axum::http::StatusCode;
use axum::response::Response;
use cp_store::{AskedMode, Contact, ContactKind, ContactState, Mode, NumberLease};
use cp_vocab::id::TypedId;
use cp_vocab::{Code, ContactId, Pii, PointId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
struct PointView {
    title: String,
    consent: String,
    /// What is taken at this moment.
    #[schema(value_type = Vec<published::Mode>)]
    modes: Vec<Mode>,
    /// Whether somebody can be talked to now at all.
    open: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RequestInput {
    #[schema(value_type = published::Mode)]
    mode: Mode,
    /// What the customer's device can do; all when left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<published::Mode>>, max_items = 3)]
    can: Option<Vec<Mode>>,
    /// True, or nothing is taken.
    consent: bool,
    #[serde(default)]
    #[schema(max_length = 100)]
    name: Option<String>,
    /// `url`, `title`, `language`, and `fields` of texts: 8 KiB at most.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
}

/// What comes of a request.
#[derive(Serialize, ToSchema)]
struct RequestView {
    #[schema(value_type = published::ContactId)]
    contact: ContactId,
    /// `start`: begin; `offered`: another mode, say yes or no; `message`: leave one.
    state: &'static str,
    #[schema(value_type = Option<published::Mode>)]
    mode: Option<Mode>,
    /// Shown by the page in later requests as `X-Contact-Secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Opens `/v1/customer/call`, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct YesOrNo {
    pub(super) accept: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TalkMode {
    #[schema(value_type = published::Mode)]
    pub(super) mode: Mode,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AskedView {
    #[schema(value_type = published::Mode)]
    mode: Mode,
    by_customer: bool,
}

/// Which mode holds, and which change waits for an answer.
#[derive(Serialize, ToSchema)]
pub(super) struct ContactStatus {
    #[schema(value_type = Option<published::Mode>)]
    mode: Option<Mode>,
    pub(super) asked: Option<AskedView>,
    /// Of a call: whether somebody has answered; until then the customer waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    talking: Option<bool>,
}

impl From<&Contact> for ContactStatus {
    fn from(c: &Contact) -> Self {
        let view = |a: AskedMode| AskedView {
            mode: a.mode,
            by_customer: a.by_customer,
        };
        Self {
            mode: c.mode,
            asked: c.asked.map(view),
            talking: None,
        }
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallbackInput {
    #[schema(min_length = 3, max_length = 32)]
    number: String,
    #[serde(default)]
    #[schema(max_length = 100)]
    name: Option<String>,
    /// When it suits, RFC 3339; as soon as possible when left out.
    #[serde(default)]
    #[schema(max_length = 40)]
    at: Option<String>,
    consent: bool,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MessageInput {
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
    /// E-mail address or telephone number for the answer.
    #[schema(min_length = 3, max_length = 200)]
    reply_to: String,
    #[serde(default)]
    #[schema(max_length = 100)]
    name: Option<String>,
    consent: bool,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
    /// The request that came to nothing but this message: it becomes the message, with what it brought.
    /// Its secret goes along as `X-Contact-Secret`.
    #[serde(default)]
    #[schema(value_type = Option<published::ContactId>)]
    request: Option<ContactId>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LendInput {
    consent: bool,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    context: Option<Value>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Kept {
    #[schema(value_type = published::ContactId)]
    pub(super) contact: ContactId,
}

#[derive(Serialize, ToSchema)]
struct LentNumber {
    number: String,
    /// Until then a call to it carries this page's context.
    expires_at: String,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Customers";
    let of_point = |op: Op| {
        op.page()
            .path_param("id", crate::schema::id_schema(PointId::PREFIX))
    };
    api.add(
        of_point(get(
            "/v1/contact/{id}",
            "viewPoint",
            tag,
            "What a communication point offers now",
        ))
        .replies::<PointView>(200, "The point"),
        view,
    );
    api.add(
        of_point(post("/v1/contact/{id}/requests", "requestContact", tag, "Ask to talk"))
            .describe("What the customer chose is matched with what the business takes now. Consent first; the context is kept and shown before anybody answers.")
            .body::<RequestInput>()
            .replies::<RequestView>(201, "Begin, another mode, or leave a message"),
        request,
    );
    let callback = post(
        "/v1/contact/{id}/callbacks",
        "requestCallback",
        tag,
        "Ask to be called back",
    );
    api.add(
        of_point(callback)
            .body::<CallbackInput>()
            .replies::<Kept>(201, "Kept"),
        callback_request,
    );
    api.add(
        of_point(post(
            "/v1/contact/{id}/messages",
            "leaveMessage",
            tag,
            "Leave a message",
        ))
        .body::<MessageInput>()
        .replies::<Kept>(201, "Kept"),
        message,
    );
    api.add(
        of_point(post(
            "/v1/contact/{id}/number",
            "borrowNumber",
            tag,
            "A number that carries this page's context",
        ))
        .describe("For customers who rather dial: a free number of the point, theirs for a while.")
        .body::<LendInput>()
        .replies::<LentNumber>(201, "Lent"),
        number,
    );
    add_of_contact(api, tag);
}

fn add_of_contact(api: &mut Api, tag: &'static str) {
    let of_contact = |op: Op| {
        op.page()
            .path_param("id", crate::schema::id_schema(PointId::PREFIX))
            .path_param("contact", crate::schema::id_schema(ContactId::PREFIX))
            .header("X-Contact-Secret", "What the request was answered with.")
    };
    api.add(
        of_contact(get(
            "/v1/contact/{id}/requests/{contact}",
            "contactStatus",
            tag,
            "Which mode holds, and what is asked",
        ))
        .replies::<ContactStatus>(200, "Status"),
        status,
    );
    api.add(
        of_contact(post(
            "/v1/contact/{id}/requests/{contact}/answer",
            "answerOffer",
            tag,
            "Take the offered mode, or leave a message",
        ))
        .body::<YesOrNo>()
        .replies::<RequestView>(200, "Begin, or leave a message"),
        answer,
    );
    api.add(
        of_contact(post(
            "/v1/contact/{id}/requests/{contact}/mode",
            "askMode",
            tag,
            "Ask the other side for another mode",
        ))
        .body::<TalkMode>()
        .replies::<ContactStatus>(200, "Asked"),
        ask_mode,
    );
    api.add(
        of_contact(post(
            "/v1/contact/{id}/requests/{contact}/mode/answer",
            "answerMode",
            tag,
            "Agree to another mode, or not",
        ))
        .body::<YesOrNo>()
        .replies::<ContactStatus>(200, "Answered"),
        answer_mode,
    );
}

async fn view(visit: Visit) -> Response {
    visit
        .run(StatusCode::OK, async |v: &Visit| {
            Ok(PointView {
                title: v.point.title.clone(),
                consent: v.point.consent.clone(),
                modes: v.point.now.clone(),
                open: !v.point.now.is_empty(),
            })
        })
        .await
}

async fn request(visit: Visit, body: Result<Body<RequestInput>, Problem>) -> Response {
    visit
        .run(StatusCode::CREATED, async |v: &Visit| {
            let Body(input) = body?;
            let (mut contact, secret) =
                v.contact(ContactKind::Call, input.consent, input.context)?;
            let all = vec![Mode::Audio, Mode::Video, Mode::Chat];
            let can = input.can.unwrap_or(all);
            contact.wanted = Some(input.mode);
            contact.name = input.name.map(Pii);
            let met = meet(input.mode, &can, &v.point.now);
            let (state, mode) = match met {
                Match::Start(m) => (ContactState::Taken, Some(m)),
                Match::Offer(m) => (ContactState::Offered, Some(m)),
                Match::Message => (ContactState::Done, None),
            };
            (contact.state, contact.mode) = (state, mode);
            let token = match met {
                Match::Start(Mode::Audio | Mode::Video) => Some(v.token(&contact)),
                _ => None,
            };
            let view = RequestView {
                contact: contact.id,
                state: match met {
                    Match::Start(_) => "start",
                    Match::Offer(_) => "offered",
                    Match::Message => "message",
                },
                mode,
                secret: Some(secret),
                token,
            };
            v.keep(contact).await?;
            Ok(view)
        })
        .await
}

async fn answer(visit: Visit, body: Result<Body<YesOrNo>, Problem>) -> Response {
    visit
        .run(StatusCode::OK, async |v: &Visit| {
            let accept = body?.0.accept;
            let now = v.point.now.clone();
            let after = v
                .change(move |c| {
                    if c.state != ContactState::Offered {
                        let detail = "nothing is offered any more";
                        return Err(Problem::new(Code::Conflict, detail));
                    }
                    let still = c.mode.is_some_and(|m| now.contains(&m));
                    (c.state, c.mode) = match (accept && still, c.mode) {
                        (true, mode) => (ContactState::Taken, mode),
                        (false, _) => (ContactState::Done, None),
                    };
                    Ok(())
                })
                .await?;
            let token = match after.mode {
                Some(Mode::Audio | Mode::Video) => Some(v.token(&after)),
                _ => None,
            };
            Ok(RequestView {
                contact: after.id,
                state: if after.mode.is_some() {
                    "start"
                } else {
                    "message"
                },
                mode: after.mode,
                secret: v.secret.clone(),
                token,
            })
        })
        .await
}

async fn status(visit: Visit) -> Response {
    visit
        .run(StatusCode::OK, async |v: &Visit| {
            let contact = v.own().await?;
            let mut status = ContactStatus::from(&contact);
            if let Some(interaction) = contact.interaction {
                let row = v
                    .state
                    .store(move |s| s.interaction(contact.tenant, interaction))
                    .await?;
                status.talking = Some(row.answered_at.is_some());
            }
            Ok(status)
        })
        .await
}

async fn ask_mode(visit: Visit, body: Result<Body<TalkMode>, Problem>) -> Response {
    visit
        .run(StatusCode::OK, async |v: &Visit| {
            let mode = body?.0.mode;
            let offered = v.point.modes.clone();
            let after = v.change(move |c| ask(c, mode, true, &offered)).await?;
            Ok(ContactStatus::from(&after))
        })
        .await
}

async fn answer_mode(visit: Visit, body: Result<Body<YesOrNo>, Problem>) -> Response {
    visit
        .run(StatusCode::OK, async |v: &Visit| {
            let accept = body?.0.accept;
            let after = v.change(move |c| agree(c, accept, false)).await?;
            Ok(ContactStatus::from(&after))
        })
        .await
}

/// One side asks for another mode in the call. Going back to voice alone needs nobody's consent.
pub(super) fn ask(
    c: &mut Contact,
    mode: Mode,
    by_customer: bool,
    offered: &[Mode],
) -> Result<(), Problem> {
    if c.state != ContactState::Taken {
        return Err(Problem::new(Code::Conflict, "there is no call going on"));
    }
    if mode == Mode::Chat || !offered.contains(&mode) {
        let detail = "this point does not offer that mode in a call";
        let error = FieldError::new("/mode", "not_one_of", detail);
        return Err(Problem::invalid(vec![error]));
    }
    if mode == Mode::Audio {
        (c.mode, c.asked) = (Some(Mode::Audio), None);
        return Ok(());
    }
    if c.asked
        .is_some_and(|a| a.mode == mode && a.by_customer != by_customer)
    {
        // Both asked for the same: both agree.
        (c.mode, c.asked) = (Some(mode), None);
        return Ok(());
    }
    if c.mode != Some(mode) {
        c.asked = Some(AskedMode { mode, by_customer });
    }
    Ok(())
}

/// The other side says yes or no.
pub(super) fn agree(c: &mut Contact, accept: bool, asked_by_customer: bool) -> Result<(), Problem> {
    let asked = c.asked.filter(|a| a.by_customer == asked_by_customer);
    let Some(asked) = asked else {
        let detail = "the other side does not ask for anything";
        return Err(Problem::new(Code::Conflict, detail));
    };
    if accept {
        c.mode = Some(asked.mode);
    }
    c.asked = None;
    Ok(())
}

async fn callback_request(visit: Visit, body: Result<Body<CallbackInput>, Problem>) -> Response {
    visit
        .run(StatusCode::CREATED, async |v: &Visit| {
            let Body(input) = body?;
            let (mut contact, _) =
                v.contact(ContactKind::Callback, input.consent, input.context)?;
            let invalid = |at: &str, detail: &str| {
                Problem::invalid(vec![FieldError::new(at, "format", detail)])
            };
            let number = context::number(&input.number).ok_or_else(|| {
                invalid(
                    "/number",
                    "a telephone number has 3 to 15 digits, perhaps with + in front",
                )
            })?;
            if let Some(at) = &input.at {
                let parsed = at.parse::<jiff::Timestamp>().ok();
                let us = parsed
                    .map(|t| t.as_microsecond())
                    .and_then(|us| u64::try_from(us).ok());
                let us =
                    us.ok_or_else(|| invalid("/at", "a time looks like 2026-01-31T12:00:00Z"))?;
                let now = v.state.now();
                if us + AT_LATE_US_MAX < now.0 || us > now.0 + AT_AHEAD_US_MAX {
                    let detail = "the time lies in the past, or more than a year ahead";
                    return Err(invalid("/at", detail));
                }
                contact.at = Some(Timestamp(us));
            }
            contact.number = Some(Pii(number));
            contact.name = input.name.map(Pii);
            let id = contact.id;
            v.keep(contact).await?;
            Ok(Kept { contact: id })
        })
        .await
}

/// How late a wished time may be, for clocks that go wrong, and how far ahead.
const AT_LATE_US_MAX: u64 = 3_600 * 1_000_000;
const AT_AHEAD_US_MAX: u64 = 366 * 24 * 3_600 * 1_000_000;

async fn message(visit: Visit, body: Result<Body<MessageInput>, Problem>) -> Response {
    visit
        .run(StatusCode::CREATED, async |v: &Visit| {
            let Body(input) = body?;
            let (mut contact, _) = v.contact(ContactKind::Message, input.consent, input.context)?;
            written(&input.text, &input.reply_to)?;
            if let Some(request) = input.request {
                let (text, reply_to) = (input.text, input.reply_to);
                return becomes_message(v, request, text, reply_to, input.name).await;
            }
            contact.wanted = Some(Mode::Chat);
            contact.text = Some(Pii(input.text));
            contact.reply_to = Some(Pii(input.reply_to));
            contact.name = input.name.map(Pii);
            let id = contact.id;
            v.keep(contact).await?;
            Ok(Kept { contact: id })
        })
        .await
}

async fn number(visit: Visit, body: Result<Body<LendInput>, Problem>) -> Response {
    visit
        .run(StatusCode::CREATED, async |v: &Visit| {
            let Body(input) = body?;
            let (mut contact, _) = v.contact(ContactKind::Call, input.consent, input.context)?;
            (contact.state, contact.wanted) = (ContactState::Taken, Some(Mode::Audio));
            let now = v.state.now();
            let until = now + Duration::from_secs(v.point.number_ttl_s.into());
            let lease = NumberLease {
                number: String::new(),
                tenant: v.point.tenant,
                point: v.point.id,
                contact: Some(contact.id),
                account: None,
                payment: None,
                until: Some(until),
            };
            v.keep(contact).await?;
            let pool = v.point.numbers.clone();
            let lent = v
                .state
                .store(move |s| s.number_lend(pool, lease, now))
                .await?;
            let number = lent.ok_or_else(|| {
                let detail = "all numbers of this point are taken at the moment";
                Problem::new(Code::Overload, detail).retry_after_s(60)
            })?;
            let expires_at = until.to_rfc3339();
            Ok(LentNumber { number, expires_at })
        })
        .await
}
