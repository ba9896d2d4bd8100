//! One content of a card: fetched, held against what was signed and against the call, made inert.

use super::Cards;
use crate::drive::Message;
use bytes::Bytes;
use cp_fetch::{FetchError, Limits, Ports, Request};
use cp_identity::canonical::canonical;
use cp_identity::card::call_info::parse;
use cp_identity::card::vcard::BusinessCard;
use cp_identity::json::Value;
use cp_identity::rcd::{self, NAME_CHARS_MAX, REASON_CHARS_MAX};
use cp_vocab::card::{CardProof, ContentFault, ContentOf};
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::event::{EventRecord, StreamId};
use cp_vocab::*;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::oneshot;

/// Bytes of a business card or of what a link brings.
const TEXT_BYTES_MAX: usize = 64 * 1_024;

/// Something of a card to be fetched.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    of: ContentOf,
    address: String,
    /// What the bytes must have; a trunk's word has none.
    digest: Option<String>,
    /// Pointer and digest of what a business card names in turn.
    inside: Vec<(String, String)>,
    /// Nothing without a digest is shown.
    signed: bool,
    /// Whether the card has a name already: details do not change it.
    named: bool,
    tenant: TenantId,
    interaction: InteractionId,
    at: Timestamp,
    /// The caller in canonical form, where there is one.
    caller: Option<String>,
}

/// What was found to show.
#[derive(Default)]
struct Found {
    name: Option<String>,
    reason: Option<String>,
    picture: Option<String>,
}

impl Wanted {
    /// What an event says is to be fetched.
    pub(super) fn of(record: &EventRecord, caller: impl Fn() -> Option<String>) -> Vec<Self> {
        let (
            StreamId::Interaction(interaction),
            Event::CardDecoded {
                proof,
                name,
                picture,
                picture_digest,
                details,
                details_digests,
                link,
                ..
            },
        ) = (record.stream, &record.event)
        else {
            return Vec::new();
        };
        let digest = |at: &str| {
            let found = details_digests.iter().find(|(pointer, _)| pointer == at);
            found.map(|(_, digest)| digest.clone())
        };
        let of = [
            (ContentOf::Picture, picture, picture_digest.clone()),
            (ContentOf::Details, details, digest("")),
            (ContentOf::Link, link, None),
        ];
        let each = of.into_iter().filter_map(|(of, address, digest)| {
            Some(Self {
                of,
                address: address.as_ref()?.expose().clone(),
                digest,
                inside: details_digests.clone(),
                signed: *proof == CardProof::Signed,
                named: name.is_some(),
                tenant: record.tenant,
                interaction,
                at: record.at,
                caller: None,
            })
        });
        let mut all: Vec<Self> = each.collect();
        if !all.is_empty() {
            let caller = caller();
            all.iter_mut().for_each(|w| w.caller.clone_from(&caller));
        }
        all
    }
}

impl Cards {
    /// Fetches one content and tells the call what came, in time or not.
    pub(super) async fn bring(&self, wanted: Wanted) {
        let begun = self.clock.now();
        let passed = Duration::from_micros(begun.as_micros().saturating_sub(wanted.at.as_micros()));
        let left = self.wait.saturating_sub(passed);
        let outcome = match self.fetches.try_acquire() {
            Err(_) => Err(ContentFault::Busy),
            Ok(_slot) => match tokio::time::timeout(left, self.content(&wanted, left)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(ContentFault::Late),
            },
        };
        let (found, fault) = match outcome {
            Ok(found) => (found, None),
            Err(fault) => (Found::default(), Some(fault)),
        };
        let now = self.clock.now();
        let event = Event::CardContent {
            of: wanted.of,
            name: found.name.map(Pii),
            reason: found.reason.map(Pii),
            picture: found.picture,
            fault,
            after_ms: now.as_millis().saturating_sub(wanted.at.as_millis()),
        };
        self.tell(&wanted, now, event);
    }

    fn tell(&self, wanted: &Wanted, now: Timestamp, event: Event) {
        let id = self
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next(now);
        let envelope = CommandEnvelope {
            id,
            tenant: wanted.tenant,
            actor: Actor::System,
            command: Command::Tell {
                interaction: wanted.interaction,
                event: Box::new(event),
            },
        };
        // Nobody waits for the answer; a call that is over by now needs no picture.
        let (reply, _) = oneshot::channel();
        if !self.handle.send(Message::Command { envelope, reply }) {
            tracing::warn!("the engine is busy: a card stays without its content");
        }
    }

    async fn content(&self, wanted: &Wanted, left: Duration) -> Result<Found, ContentFault> {
        let picture = wanted.of == ContentOf::Picture;
        if wanted.signed && wanted.digest.is_none() && wanted.of != ContentOf::Link {
            return Err(ContentFault::NotAsSigned);
        }
        let (bytes, kind) = self.get(&wanted.address, picture, left).await?;
        if !is_as_signed(&bytes, wanted.digest.as_deref()) {
            return Err(ContentFault::NotAsSigned);
        }
        if picture || kind.starts_with("image/") {
            let picture = self.pictures.keep(&bytes).ok_or(ContentFault::Unfit)?;
            return Ok(Found {
                picture: Some(picture),
                ..Found::default()
            });
        }
        match parse(&bytes) {
            Some(card) => self.card(wanted, card, left).await,
            None if wanted.of == ContentOf::Link => self.adjusted(wanted, &bytes, left).await,
            None => Err(ContentFault::Unfit),
        }
    }

    /// A business card: its name where none was told, and its picture.
    async fn card(
        &self,
        wanted: &Wanted,
        card: BusinessCard,
        left: Duration,
    ) -> Result<Found, ContentFault> {
        if !card.numbers.is_empty() && !card.numbers.iter().any(|n| wanted.is_caller(n)) {
            return Err(ContentFault::OtherCaller);
        }
        let strict = wanted.signed && wanted.of == ContentOf::Details;
        let picture = match card.picture {
            None => None,
            Some((address, pointer)) => {
                let digest = wanted.inside.iter().find(|(at, _)| *at == pointer);
                let digest = digest.map(|(_, d)| d.as_str());
                match (strict, digest) {
                    (true, None) => None,
                    _ => Some(self.picture(&address, digest, left).await?),
                }
            }
        };
        Ok(Found {
            name: card
                .name
                .filter(|_| !wanted.named || wanted.of == ContentOf::Link),
            reason: None,
            picture,
        })
    }

    /// What the link's function answers: `{"name", "reason", "picture", "caller"}`, each optional.
    async fn adjusted(
        &self,
        wanted: &Wanted,
        bytes: &[u8],
        left: Duration,
    ) -> Result<Found, ContentFault> {
        let value = Value::parse(bytes).ok_or(ContentFault::Unfit)?;
        let object = value.as_object().ok_or(ContentFault::Unfit)?;
        let text = |name: &str| object.get(name).and_then(Value::as_text);
        if text("caller").is_some_and(|c| !wanted.is_caller(c)) {
            return Err(ContentFault::OtherCaller);
        }
        let line = |name: &str, chars_max: usize| {
            let line = rcd::inert(text(name)?.trim(), chars_max);
            Some(line).filter(|l| !l.trim().is_empty())
        };
        let picture = match text("picture") {
            Some(address) => Some(self.picture(address, None, left).await?),
            None => None,
        };
        Ok(Found {
            name: line("name", NAME_CHARS_MAX),
            reason: line("reason", REASON_CHARS_MAX),
            picture,
        })
    }

    async fn picture(
        &self,
        address: &str,
        digest: Option<&str>,
        left: Duration,
    ) -> Result<String, ContentFault> {
        let (bytes, _) = self.get(address, true, left).await?;
        if !is_as_signed(&bytes, digest) {
            return Err(ContentFault::NotAsSigned);
        }
        self.pictures.keep(&bytes).ok_or(ContentFault::Unfit)
    }

    async fn get(
        &self,
        address: &str,
        picture: bool,
        left: Duration,
    ) -> Result<(Bytes, String), ContentFault> {
        let body_bytes_max = match picture {
            true => super::pictures::PICTURE_BYTES_MAX,
            // A link may lead to a picture.
            false => super::pictures::PICTURE_BYTES_MAX.max(TEXT_BYTES_MAX),
        };
        let limits = Limits {
            total: left,
            first_byte: left,
            body_bytes_max,
            ..Limits::default()
        };
        let request = Request::get(address)
            .limits(limits)
            .ports(Ports::HttpsAndHigh);
        let answer = self.client.fetch(request).await.map_err(fault_of)?;
        if !answer.is_success() {
            return Err(ContentFault::Unreachable);
        }
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        if !kind.starts_with("image/") && !picture && answer.body.len() > TEXT_BYTES_MAX {
            return Err(ContentFault::Unfit);
        }
        Ok((answer.body, kind))
    }
}

impl Wanted {
    fn is_caller(&self, number: &str) -> bool {
        let named = canonical(number, None);
        named.is_some() && named.as_ref().map(|n| n.as_str()) == self.caller.as_deref()
    }
}

/// By the bytes as they came, or for JSON by its one-line form, which is what the examples of
/// RFC 9795 digest.
fn is_as_signed(bytes: &[u8], digest: Option<&str>) -> bool {
    let Some(digest) = digest else {
        return true;
    };
    rcd::digest_of(bytes) == digest
        || Value::parse(bytes).is_some_and(|v| rcd::digest_of(v.canonical().as_bytes()) == digest)
}

fn fault_of(error: FetchError) -> ContentFault {
    match error {
        FetchError::TimedOut | FetchError::FirstByteLate => ContentFault::Late,
        FetchError::BodyTooLarge { .. } | FetchError::HeaderTooLarge => ContentFault::Unfit,
        FetchError::Busy => ContentFault::Busy,
        _ => ContentFault::Unreachable,
    }
}
