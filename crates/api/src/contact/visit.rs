//! A request of a customer's page before anything is done with it: which point, whether this page may,
//! whether there were too many; and what every request keeps, changes and may be told.

use super::{context, cors};
use crate::auth::gate::source;
use crate::auth::token;
use crate::http::connection::Connection;
use crate::problem::{FieldError, Problem, Reply};
use crate::state::ApiState;
use crate::webrtc::{CallClaims, mint};
use axum::Extension;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cp_store::{Contact, ContactKind, ContactState, Mode, Point, StoreError};
use cp_vocab::{Code, ContactId, Event, Pii, PointId};
use serde::Serialize;
use serde_json::Value;

/// How long the token of a request begins a call.
const TOKEN_TTL_S: u64 = 120;

/// A page's request, as far as it may come.
pub(super) struct Visit {
    pub(super) state: ApiState,
    pub(super) point: Point,
    origin: Option<HeaderValue>,
    pub(super) secret: Option<String>,
    contact: Option<ContactId>,
    /// Already refused, in a way the page may read.
    refused: Option<Problem>,
}

impl FromRequestParts<ApiState> for Visit {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Path(path) =
            Path::<std::collections::HashMap<String, String>>::from_request_parts(parts, state)
                .await
                .map_err(|_| Problem::not_found("communication point"))?;
        let missing = || Problem::not_found("communication point");
        let id: PointId = path
            .get("id")
            .and_then(|p| p.parse().ok())
            .ok_or_else(missing)?;
        let point = state
            .store(move |s| s.point(id))
            .await
            .map_err(|e| match e {
                StoreError::NotFound { .. } => missing(),
                e => e.into(),
            })?;
        let origin = cors::allowed(&point, &parts.headers)?;
        let connection = parts.extensions.get::<Connection>().cloned().map(Extension);
        let from = source(state, connection.as_ref().map(|c| &c.0), &parts.headers);
        let looks = parts.method == axum::http::Method::GET && path.contains_key("contact");
        let refused = if point.disabled {
            Some(missing())
        } else if !state.0.taps.pass(state.now(), id, from, looks) {
            let detail = "too many requests from here; wait a minute";
            Some(Problem::new(Code::TooManyRequests, detail).retry_after_s(60))
        } else {
            None
        };
        Ok(Self {
            state: state.clone(),
            point,
            origin,
            secret: header(&parts.headers, "x-contact-secret"),
            contact: path.get("contact").and_then(|c| c.parse().ok()),
            refused,
        })
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_string)
}

impl Visit {
    /// Runs the rest, and lets the page read whatever comes of it.
    pub(super) async fn run<T: Serialize>(
        mut self,
        status: StatusCode,
        rest: impl AsyncFnOnce(&Visit) -> Reply<T>,
    ) -> Response {
        let done = match self.refused.take() {
            Some(problem) => Err(problem),
            None => rest(&self).await,
        };
        let mut response = match done {
            Ok(value) => (status, axum::Json(value)).into_response(),
            Err(problem) => problem.into_response(),
        };
        cors::open(&mut response, self.origin);
        response
    }

    pub(super) fn contact(
        &self,
        kind: ContactKind,
        consent: bool,
        context: Option<Value>,
    ) -> Reply<(Contact, String)> {
        if !consent {
            let detail = "the customer has to agree first";
            return Err(Problem::invalid(vec![FieldError::new(
                "/consent", "required", detail,
            )]));
        }
        let context = context::checked(&self.point, context)?;
        let secret = token::generate("ctk_");
        let contact = Contact {
            id: self.state.new_id(),
            tenant: self.point.tenant,
            point: self.point.id,
            kind,
            state: ContactState::Open,
            created_at: self.state.now(),
            wanted: None,
            mode: None,
            asked: None,
            name: None,
            number: None,
            reply_to: None,
            text: None,
            at: None,
            context: Pii(context),
            interaction: None,
            agent: None,
            secret_hash: Pii(token::sha256(secret.as_bytes())),
        };
        Ok((contact, secret))
    }

    pub(super) async fn keep(&self, contact: Contact) -> Reply<()> {
        let told = came(&contact);
        Ok(self
            .state
            .store(move |s| s.contact_create(contact, told))
            .await?)
    }

    /// Changes the request that this page made.
    pub(super) async fn change(
        &self,
        change: impl FnOnce(&mut Contact) -> Result<(), Problem> + Send + 'static,
    ) -> Reply<Contact> {
        let (tenant, now) = (self.point.tenant, self.state.now());
        let found = self.own().await?;
        let mut refused = None;
        let mut after = found.clone();
        match change(&mut after) {
            Ok(()) => {}
            Err(problem) => refused = Some(problem),
        }
        if let Some(problem) = refused {
            return Err(problem);
        }
        let changed = changed(&after);
        let write = Box::new(move |c: &mut Contact| {
            replace(c, after);
            Ok(Some(changed))
        });
        Ok(self
            .state
            .store(move |s| s.contact_change(tenant, found.id, now, write))
            .await?)
    }

    /// The request of the path, shown to whoever made it.
    pub(super) async fn own(&self) -> Reply<Contact> {
        let missing = || Problem::not_found("request of this page");
        self.own_of(self.contact.ok_or_else(missing)?).await
    }

    /// A request that this page made, by its secret.
    pub(super) async fn own_of(&self, id: ContactId) -> Reply<Contact> {
        let missing = || Problem::not_found("request of this page");
        let tenant = self.point.tenant;
        let contact = self.state.store(move |s| s.contact(tenant, id)).await?;
        let shown = self.secret.as_deref().unwrap_or("");
        let right = token::sha256(shown.as_bytes()) == *contact.secret_hash.expose();
        if !right || contact.point != self.point.id {
            return Err(missing());
        }
        Ok(contact)
    }

    /// The origin this very page has: the token is for no other.
    fn origins(&self) -> Vec<String> {
        let own = self.origin.as_ref().and_then(|o| o.to_str().ok());
        own.map(str::to_string).into_iter().collect()
    }

    /// A token that begins one call to the point's destination.
    pub(super) fn token(&self, contact: &Contact) -> String {
        let claims = CallClaims {
            tenant: self.point.tenant,
            destination: self.point.destination.clone(),
            origins: self.origins(),
            name: Some(self.point.name.clone()),
            subject: Some(contact.id.to_string()),
            video: self.point.modes.contains(&Mode::Video),
        };
        mint(&self.state, claims, TOKEN_TTL_S).0
    }
}

/// Writes what was read and changed, keeping what was noted of its call meanwhile.
pub(super) fn replace(c: &mut Contact, mut after: Contact) {
    after.interaction = after.interaction.or(c.interaction);
    if c.kind == ContactKind::Call && c.state == ContactState::Done {
        after.state = c.state;
    }
    *c = after;
}

/// Told to the tenant's desktops when something came.
pub(super) fn came(c: &Contact) -> Event {
    Event::ContactCame {
        contact: c.id,
        point: c.point,
        what: word(c.kind),
        mode: c.mode.or(c.wanted).map(word),
    }
}

pub(super) fn changed(c: &Contact) -> Event {
    Event::ContactChanged {
        contact: c.id,
        state: word(c.state),
        mode: c.mode.map(word),
        asked: c.asked.map(|a| word(a.mode)),
        asked_by_customer: c.asked.is_some_and(|a| a.by_customer),
        interaction: c.interaction,
    }
}

pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(s)) => s,
        _ => String::new(),
    }
}
