//! Making div and div-o tokens when a call leaves for another number than it came to (RFC 8946).

use crate::Fault;
use crate::canonical::Identifier;
use crate::header::IdentityHeader;
use crate::json::{Object, Value};
use crate::passport::sign::{Signed, Signer, many, one};
use crate::passport::{Leniency, Passport, Ppt};
use crate::verify::DIVERSIONS_MAX;
use aws_lc_rs::rand::SecureRandom;

/// One diversion.
#[derive(Clone, Debug)]
pub struct Diversion<'a> {
    /// Where the call came to, and what our certificate must speak for.
    pub from: &'a Identifier,
    /// The new Request-URI.
    pub to: &'a Identifier,
    /// Seconds since 1970. A B2BUA writes a new Date, so its new INVITE takes that (RFC 8946 4.1).
    pub iat: i64,
    /// Index of the History-Info entry, if there is one.
    pub history_index: Option<&'a str>,
}

/// Why no div was made; the originals go on alone, marked so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoDiv {
    #[error("the request has no token to divert")]
    NoIdentity,
    #[error("the destination did not change")]
    Unchanged,
    #[error("our certificate does not speak for the diverting number")]
    NotOurs,
    #[error("the call was diverted as often as we follow")]
    TooMany,
    #[error("no token of the request ends at the diverting number")]
    Unlinked,
    #[error("signing failed: {0}")]
    Signing(Fault),
}

impl NoDiv {
    pub fn code(self) -> &'static str {
        match self {
            Self::NoIdentity => "no_identity",
            Self::Unchanged => "unchanged",
            Self::NotOurs => "not_ours",
            Self::TooMany => "too_many",
            Self::Unlinked => "unlinked",
            Self::Signing(_) => "signing",
        }
    }
}

/// The div headers to add beside the kept originals: one for each caller whose token (or chain)
/// ends at `from`. One div serves all tokens that share caller and destination.
pub fn diversions(
    originals: &[&str],
    diversion: &Diversion<'_>,
    signer: &Signer,
    rng: &dyn SecureRandom,
) -> Result<Vec<Signed>, NoDiv> {
    let (tokens, known) = read_all(originals);
    if tokens.is_empty() {
        return Err(if known {
            NoDiv::Unlinked
        } else {
            NoDiv::NoIdentity
        });
    }
    permitted(&tokens, diversion, signer)?;
    let mut origs: Vec<&str> = Vec::new();
    for t in &tokens {
        let ends_here = t.dest.iter().any(|d| d == diversion.from.as_str());
        if ends_here && !origs.contains(&t.orig.as_str()) {
            origs.push(&t.orig);
        }
    }
    if origs.is_empty() {
        return Err(NoDiv::Unlinked);
    }
    origs
        .into_iter()
        .map(|orig| {
            let claims = claims(&identifier(orig), diversion);
            signer
                .sign_claims(Ppt::Div.as_str(), claims, rng)
                .map_err(NoDiv::Signing)
        })
        .collect()
}

/// One div-o that holds `original` inside, for where only one header may pass (RFC 8946 5).
pub fn nested(
    original: &str,
    diversion: &Diversion<'_>,
    signer: &Signer,
    rng: &dyn SecureRandom,
) -> Result<Signed, NoDiv> {
    let (tokens, _) = read_all(&[original]);
    let token = tokens.first().ok_or(NoDiv::NoIdentity)?;
    permitted(&tokens, diversion, signer)?;
    if token.ppt == Ppt::Div || !token.dest.iter().any(|d| d == diversion.from.as_str()) {
        return Err(NoDiv::Unlinked);
    }
    if depth(token) >= DIVERSIONS_MAX {
        return Err(NoDiv::TooMany);
    }
    let mut claims = claims(&identifier(&token.orig), diversion);
    claims.insert("opt".into(), token.token.as_ref().into());
    signer
        .sign_claims(Ppt::DivO.as_str(), claims, rng)
        .map_err(NoDiv::Signing)
}

/// The tokens that can be read, and whether any header was there at all.
fn read_all<'a>(values: &[&'a str]) -> (Vec<Passport<'a>>, bool) {
    let leniency = Leniency {
        iat_as_text: true,
        origid_any: true,
    };
    let tokens = values
        .iter()
        .filter_map(|v| {
            let header = IdentityHeader::parse(v).ok()?;
            Passport::parse(header.token, leniency).ok()
        })
        .collect();
    (tokens, !values.is_empty())
}

fn permitted(
    tokens: &[Passport<'_>],
    diversion: &Diversion<'_>,
    signer: &Signer,
) -> Result<(), NoDiv> {
    if diversion.from == diversion.to {
        return Err(NoDiv::Unchanged);
    }
    // Back to where it has been: no verifier would follow the circle.
    let been = |id: &str| tokens.iter().any(|t| t.div.as_deref() == Some(id));
    let divs = tokens.iter().filter(|t| t.ppt == Ppt::Div).count();
    if divs >= DIVERSIONS_MAX || been(diversion.to.as_str()) {
        return Err(NoDiv::TooMany);
    }
    if !signer.speaks_for(diversion.from.as_str()) {
        return Err(NoDiv::NotOurs);
    }
    Ok(())
}

fn claims(orig: &Identifier, diversion: &Diversion<'_>) -> Object {
    let mut div = one(diversion.from);
    if let Some(index) = diversion.history_index {
        div.insert("hi".into(), index.into());
    }
    Object::from([
        ("orig".to_string(), Value::Object(one(orig))),
        (
            "dest".to_string(),
            Value::Object(many(std::slice::from_ref(diversion.to))),
        ),
        ("div".to_string(), Value::Object(div)),
        ("iat".to_string(), Value::Int(diversion.iat)),
    ])
}

fn identifier(text: &str) -> Identifier {
    if text.contains(':') {
        Identifier::Uri(text.to_string())
    } else {
        Identifier::Number(text.to_string())
    }
}

/// Diversions nested in a div-o; bounded, since each level is smaller than the one around it and
/// the outermost is at most a header long.
fn depth(token: &Passport<'_>) -> usize {
    let mut n = usize::from(token.ppt == Ppt::DivO);
    let mut inner = token.opt.clone();
    while let Some(text) = inner.take().filter(|_| n <= DIVERSIONS_MAX) {
        if let Ok(p) = Passport::parse(&text, Leniency::default()) {
            n += usize::from(p.ppt == Ppt::DivO);
            inner = p.opt.clone();
        }
    }
    n
}
