//! The ring card of a call (S3.1) as it is published: what is shown, how it is proven, or why the
//! call rings with its caller id alone.

use crate::schema::vocabulary as published;
use cp_store::{Store, StoreError};
use cp_vocab::card::RingCard;
use cp_vocab::{Event, InteractionId, StreamId, TenantId};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Records of a call that are looked through.
const RECORDS_MAX: usize = 1_000;

/// What a call shows while it rings.
#[derive(ToSchema)]
#[schema(as = RingCard)]
#[allow(dead_code)]
pub(crate) struct CardView {
    /// Otherwise it rings with its caller id alone, and `why` says why.
    shown: bool,
    /// `no_metadata`, `not_trusted`, `not_verified`, `metadata_malformed`, `caller_is_not_source`,
    /// `source_is_not_caller`, `metadata_of_another_call`, `link_refused`, `incentive_refused`,
    /// `caller_is_reported`.
    why: Option<String>,
    /// `signed`: by a token that was verified; `trunk`: by the word of a trunk that is trusted.
    proof: Option<String>,
    /// Who vouches: the provider's code, the trunk's name.
    by: Option<String>,
    name: Option<String>,
    reason: Option<String>,
    /// Path of our own copy of the picture.
    picture: Option<String>,
    /// Filled for this call.
    link: Option<String>,
    incentive: Option<IncentiveView>,
    /// What was to be fetched, and how it went.
    #[schema(value_type = Vec<Object>)]
    content: Value,
    /// Outgoing calls: the brand that was shown to who was called.
    brand: Option<published::BrandId>,
}

#[derive(ToSchema)]
#[schema(as = RingIncentive)]
#[allow(dead_code)]
pub(crate) struct IncentiveView {
    id: String,
    text: String,
    /// The call was accepted, so it counts.
    given: bool,
}

/// What the log of a call says of its card.
#[derive(Default)]
struct Found {
    card: Option<RingCard>,
    why: Option<String>,
    /// Kind, and where it stands.
    content: Vec<(String, Value)>,
    brand: Option<Value>,
    sent: Option<(Value, bool)>,
}

pub(crate) fn card(
    store: &dyn Store,
    tenant: TenantId,
    id: InteractionId,
) -> Result<Value, StoreError> {
    let mut found = Found::default();
    for record in store.stream(StreamId::Interaction(id), 1, RECORDS_MAX)? {
        if record.tenant == tenant {
            found.take(&record.event);
        }
    }
    Ok(found.document())
}

impl Found {
    fn take(&mut self, event: &Event) {
        match event {
            Event::CardDecoded {
                picture,
                details,
                link,
                ..
            } => {
                self.card = RingCard::begun(event);
                let of = [("picture", picture), ("details", details), ("link", link)];
                let wanted = of.into_iter().filter(|(_, a)| a.is_some());
                let waiting = |(of, _): (&str, _)| {
                    let document = json!({ "of": of, "state": "waiting" });
                    (of.to_string(), document)
                };
                self.content = wanted.map(waiting).collect();
            }
            Event::CardRefused { why, .. } => self.why = Some(why.clone()),
            Event::CardContent {
                of,
                fault,
                after_ms,
                ..
            } => {
                let of = word(of);
                let state = fault.as_ref().map_or_else(|| "shown".to_string(), word);
                let document = json!({ "of": of, "state": state, "after_ms": after_ms });
                if let Some((_, at)) = self.content.iter_mut().find(|(o, _)| *o == of) {
                    *at = document;
                }
                self.add(event);
            }
            Event::CardSent {
                brand, incentive, ..
            } => {
                self.brand = Some(json!(brand));
                self.sent = incentive.as_ref().map(|i| (json!(i), false));
            }
            Event::CardIncentiveGiven { brand, .. } => match (brand, &mut self.sent) {
                (Some(_), Some((_, given))) => *given = true,
                _ => self.add(event),
            },
            _ => {}
        }
    }

    fn add(&mut self, event: &Event) {
        if let Some(card) = &mut self.card {
            card.add(event);
        }
    }

    fn document(self) -> Value {
        let shown = self.card.is_some();
        let why = self.why.or_else(|| (!shown).then(|| "no_metadata".into()));
        let mut body = match &self.card {
            Some(card) => serde_json::to_value(card).expect("a card is plain data"),
            None => json!({
                "proof": null, "by": null, "name": null, "reason": null, "picture": null,
                "link": null, "incentive": null,
            }),
        };
        let given = self.card.as_ref().is_some_and(|c| c.incentive_given);
        let own = body["incentive"].take();
        let offered = match self.sent {
            Some(sent) => Some(sent),
            None => (!own.is_null()).then_some((own, given)),
        };
        body["incentive"] = match offered {
            Some((mut incentive, given)) => {
                incentive["given"] = given.into();
                incentive
            }
            None => Value::Null,
        };
        if let Some(map) = body.as_object_mut() {
            map.remove("incentive_given");
        }
        body["shown"] = shown.into();
        body["why"] = why.into();
        body["content"] = self.content.into_iter().map(|(_, c)| c).collect();
        body["brand"] = self.brand.unwrap_or_default();
        body
    }
}

fn word(of: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(of).expect("a word is plain data");
    text.as_str().unwrap_or_default().to_string()
}
