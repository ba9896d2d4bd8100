//! How well it is proven who the other party of an interaction is: one shape for every kind of
//! proof, so that flows, routing, desktops and the record of a call read all of them alike.
//!
//! A proof is a fact of its own time: it is never changed, a further one is added. What holds for
//! the interaction now is the strongest of its facts ([`Trust::strongest`]).

use crate::pii::Pii;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the other party is proven; later is more.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum TrustLevel {
    /// Something was claimed and is not so: a wrong signature, a failed challenge.
    Refuted,
    /// Nothing was claimed, or nothing of it could be checked.
    #[default]
    Unknown,
    /// Somebody we know vouches for the way the call came, not for the number: a trunk's word,
    /// attestation B or C.
    Asserted,
    /// The number (or the device) is proven: signed with attestation A, or one of our own phones.
    Number,
    /// The person gave one proof: PIN, one-time code, pre-call token, a named colleague's word.
    Person,
    /// Two independent proofs, or one that cannot be phished (passkey, device key).
    Strong,
}

/// By what means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustMethod {
    /// A PASSporT of the originating provider (RFC 8588, RFC 8225).
    Passport,
    /// A chain of diversions (RFC 8946) that begins with one.
    Diversion,
    /// The word of a trunk that is trusted with it (`verstat`, P-Asserted-Identity).
    TrunkWord,
    /// One of our own phones or browsers, signed in.
    OwnDevice,
    /// A pre-call request with a token (S4.3).
    CallToken,
    Passkey,
    DeviceKey,
    Pin,
    Totp,
    /// One-time code by another channel.
    OneTimeCode,
    /// One-time link by another channel.
    OneTimeLink,
    /// A person compared a photo, or a provider did.
    Photo,
    /// Questions only the customer should be able to answer.
    Knowledge,
    /// An assertion carried from another interaction or channel (S0.1).
    Assertion,
}

/// One fact about who the other party is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trust {
    /// Who is proven: canonical number (digits), SIP URI, or the customer's id. `None`: nobody.
    pub who: Option<Pii<String>>,
    pub level: TrustLevel,
    /// All that took part, the first to be told first.
    pub methods: Vec<TrustMethod>,
    /// Who proves it: the service provider code or certificate name, the trunk, the proof provider,
    /// the person who looked. Never the customer.
    pub by: Option<String>,
    /// When it was proven (for signatures: when it was signed); its age is the reader's now less this.
    pub at: Timestamp,
    /// What it is good for, in the words of who asked for the proof (`account:read`); empty: to say
    /// who calls, no more.
    #[serde(default)]
    pub scope: Vec<String>,
    /// Stable codes that say why it is no more than it is (`attestation_b`, `stale`, `no_identity`).
    #[serde(default)]
    pub reasons: Vec<String>,
}

impl Trust {
    /// Nothing is known, and why.
    pub fn unknown(at: Timestamp, reason: impl Into<String>) -> Self {
        Self {
            who: None,
            level: TrustLevel::Unknown,
            methods: vec![],
            by: None,
            at,
            scope: vec![],
            reasons: vec![reason.into()],
        }
    }

    /// The fact that counts: the highest level, of equals the latest. A refuted claim counts only
    /// where nothing better is known: a forged signature does not undo the customer's own passkey.
    pub fn strongest<'t>(facts: impl IntoIterator<Item = &'t Trust>) -> Option<&'t Trust> {
        facts.into_iter().max_by_key(|t| (t.level.rank(), t.at))
    }
}

impl TrustLevel {
    /// Refuted tells more than unknown, and less than any proof.
    fn rank(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Refuted => 1,
            other => other as u8,
        }
    }

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuted => "refuted",
            Self::Unknown => "unknown",
            Self::Asserted => "asserted",
            Self::Number => "number",
            Self::Person => "person",
            Self::Strong => "strong",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(level: TrustLevel, at_s: u64) -> Trust {
        Trust {
            level,
            ..Trust::unknown(Timestamp::from_secs(at_s), "x")
        }
    }

    #[test]
    fn the_strongest_fact_counts() {
        use TrustLevel::*;
        let table = [
            (vec![(Unknown, 1), (Refuted, 2)], Refuted, 2),
            (vec![(Refuted, 2), (Number, 1)], Number, 1),
            (vec![(Number, 1), (Person, 2), (Refuted, 3)], Person, 2),
            (vec![(Person, 1), (Person, 4), (Asserted, 9)], Person, 4),
        ];
        for (facts, level, at) in table {
            let facts: Vec<_> = facts.iter().map(|(l, at)| fact(*l, *at)).collect();
            let best = Trust::strongest(&facts).unwrap();
            assert_eq!((best.level, best.at), (level, Timestamp::from_secs(at)));
        }
        assert_eq!(Trust::strongest(&[]), None);
    }

    #[test]
    fn is_read_as_it_is_written() {
        let t = Trust {
            who: Some(Pii("12155551212".into())),
            methods: vec![TrustMethod::Passport],
            ..fact(TrustLevel::Number, 7)
        };
        let json = serde_json::to_value(&t).unwrap();
        assert_eq!(json["level"], "number");
        assert_eq!(json["methods"][0], "passport");
        assert_eq!(serde_json::from_value::<Trust>(json).unwrap(), t);
    }
}
