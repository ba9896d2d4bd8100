//! The ring card (S3.1): what is shown of a call while it rings, and how well it is proven.

use crate::event::Event;
use crate::pii::Pii;
use serde::{Deserialize, Serialize};

/// Who stands behind a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardProof {
    /// A token that was verified (RFC 9795).
    Signed,
    /// The word of a trunk that is trusted with it (RFC 9796).
    Trunk,
}

/// What came late or wrong is left out, and why is told in one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentFault {
    /// It was not there in time (S3.1 rule 10).
    Late,
    /// It could not be fetched, or its address may not be.
    Unreachable,
    /// Its bytes are not those that were signed.
    NotAsSigned,
    /// It is no picture or card that is shown, or too large.
    Unfit,
    /// It speaks for another caller than this call's.
    OtherCaller,
    /// Too much was being fetched at that moment.
    Busy,
}

/// What fetched content was named by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentOf {
    Picture,
    /// A business card at an address of its own (`jcl`).
    Details,
    /// What activating the link brought.
    Link,
}

/// Something offered to who answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CardIncentive {
    pub id: String,
    pub text: String,
}

/// What may be shown, as far as it is there yet. All texts are one line of plain text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RingCard {
    pub proof: CardProof,
    /// Who vouches: the provider's code, the trunk's name.
    pub by: Option<String>,
    pub name: Option<Pii<String>>,
    pub reason: Option<Pii<String>>,
    /// Path of our own copy: nothing is loaded from elsewhere while it rings.
    pub picture: Option<String>,
    /// Filled for this call.
    pub link: Option<Pii<String>>,
    pub incentive: Option<CardIncentive>,
    /// Whether the incentive was given: the call was accepted.
    pub incentive_given: bool,
}

impl RingCard {
    /// The card that an event begins.
    pub fn begun(event: &Event) -> Option<Self> {
        let Event::CardDecoded {
            proof,
            by,
            name,
            reason,
            link,
            incentive,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            proof: *proof,
            by: by.clone(),
            name: name.clone(),
            reason: reason.clone(),
            picture: None,
            link: link.clone(),
            incentive: incentive.clone(),
            incentive_given: false,
        })
    }

    /// Takes over what an event adds; says whether anything changed.
    pub fn add(&mut self, event: &Event) -> bool {
        match event {
            Event::CardContent {
                name,
                reason,
                picture,
                fault: None,
                ..
            } => {
                let before = self.clone();
                // What was in the metadata itself goes before what was fetched, but for the text of
                // the link, which is there to adjust it.
                self.name = name.clone().or_else(|| self.name.take());
                self.reason = reason.clone().or_else(|| self.reason.take());
                self.picture = picture.clone().or_else(|| self.picture.take());
                *self != before
            }
            Event::CardIncentiveGiven { .. } => !std::mem::replace(&mut self.incentive_given, true),
            _ => false,
        }
    }
}
