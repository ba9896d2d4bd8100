//! Rich call data between a card and the claims of a token.

use super::{INCENTIVE_CLAIM, Incentive, LINK_CLAIM};
use crate::header::IdentityHeader;
use crate::json::{Object, Value};
use crate::passport::{Leniency, Passport, Ppt};
use crate::rcd;

/// Claims that a card is made of.
const CLAIMS: [&str; 4] = ["rcd", "crn", LINK_CLAIM, INCENTIVE_CLAIM];
/// Tokens within one another that are looked into, as many as a chain may have.
const NESTED_MAX: usize = crate::verify::DIVERSIONS_MAX + 1;

/// The claims of a token with rich call data; its signature is for others to verify.
#[derive(Clone, PartialEq, Debug)]
pub struct Rich {
    pub claims: Object,
    /// Seconds since 1970.
    pub iat: i64,
    /// Where the signer's certificate is.
    pub x5u: String,
    /// Signed by somebody else than who vouches for the number (RFC 9795 14).
    pub third_party: bool,
    /// A token for nothing else: it goes before one that has the data beside the number.
    pub own_token: bool,
}

/// What an Identity header value has for a card, in its innermost token. `None`: nothing, or it
/// cannot be read.
pub fn of_header(value: &str, leniency: Leniency) -> Option<Rich> {
    let header = IdentityHeader::parse(value).ok()?;
    let mut passport = Passport::parse(header.token, leniency).ok()?;
    for _ in 0..NESTED_MAX {
        let Some(nested) = passport.opt.take() else {
            break;
        };
        passport = Passport::read(nested.into(), leniency).ok()?;
    }
    let claims = passport.claims;
    CLAIMS
        .iter()
        .any(|c| claims.contains_key(*c))
        .then(|| Rich {
            third_party: claims.contains_key("iss"),
            own_token: passport.ppt == Ppt::Rcd,
            iat: passport.iat,
            x5u: passport.x5u,
            claims,
        })
}

/// The claims that show a card of ours: name, reason, picture with its digest, template of the
/// link, what is offered.
pub fn made(
    name: &str,
    reason: &str,
    picture: Option<(&str, &str)>,
    link: &str,
    incentive: Option<&Incentive>,
) -> Object {
    let mut data = Object::from([("nam".to_string(), name.into())]);
    let mut claims = Object::new();
    if let Some((address, digest)) = picture {
        data.insert("icn".into(), address.into());
        let digests = Object::from([("/icn".to_string(), digest.into())]);
        claims.insert("rcdi".into(), Value::Object(digests));
    }
    claims.insert("rcd".into(), Value::Object(data));
    if !reason.is_empty() {
        claims.insert(
            "crn".into(),
            rcd::inert(reason, rcd::REASON_CHARS_MAX).into(),
        );
    }
    if !link.is_empty() {
        claims.insert(LINK_CLAIM.into(), link.into());
    }
    if let Some(i) = incentive {
        let offer = [("id", &i.id), ("text", &i.text)];
        let offer = offer.map(|(k, v)| (k.to_string(), v.as_str().into()));
        claims.insert(INCENTIVE_CLAIM.into(), Value::Object(Object::from(offer)));
    }
    claims
}
