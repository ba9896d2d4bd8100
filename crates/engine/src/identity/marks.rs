//! What the headers of a request say about who calls, who diverted, and which call it was.

use cp_identity::Verdict;
use cp_identity::canonical::{Identifier, canonical};
use cp_identity::forward::{CallKey, Kept};
use cp_identity::marks::read_verstat;
use cp_sip::header::HeaderName;
use cp_sip::header_value::NameAddr;
use cp_sip::message::Message;
use cp_sip::uri::SipUri;
use cp_vocab::Address;
use cp_vocab::party::NumberRules;

/// Our own header that carries the key of a call to a device and, with luck, back.
pub(super) const KEY_HEADER: &str = "X-Crosspoint-Call";
/// Bare digits from this many on are a number, as trunks without a `+` send them.
const DIGITS_MIN: usize = 7;
/// Entries of History-Info that are looked at.
const HISTORY_MAX: usize = 32;

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid => "invalid",
        Verdict::Stale => "stale",
        Verdict::Refused => "refused",
        Verdict::None => "none",
    }
}

pub(super) fn kept_word(kept: Kept) -> &'static str {
    match kept {
        Kept::Stored => "stored",
        Kept::NotLikely => "not_likely",
        Kept::NotVerified => "not_verified",
        Kept::Anonymous => "anonymous",
        Kept::TooLarge => "too_large",
    }
}

/// A URI as an identifier: by the trunk's rules when they make a number of it.
pub(crate) fn identifier(uri: &str, rules: &NumberRules) -> Option<Identifier> {
    let user = match SipUri::parse(uri) {
        Some(u) if u.is_sip() => u.user_decoded().into_owned(),
        _ => match uri.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel") => {
                rest.split(';').next().unwrap_or("").to_string()
            }
            _ => return canonical(uri, None),
        },
    };
    of_address(&rules.normalise(&user)).or_else(|| canonical(uri, None))
}

/// An address as an identifier; `None` for what only means something inside a tenant.
pub(crate) fn of_address(address: &Address) -> Option<Identifier> {
    match address {
        Address::Number(n) => Some(Identifier::Number(n.trim_start_matches('+').to_string())),
        Address::Extension(e) if e.len() >= DIGITS_MIN => {
            let digits = e.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| Identifier::Number(e.clone()))
        }
        Address::Extension(_) | Address::Anonymous => None,
        Address::Sip(uri) => canonical(uri, None),
    }
}

/// Who calls; `None`: anonymous. A trusted trunk's P-Asserted-Identity goes before From, `tel:`
/// before `sip:`.
pub(super) fn caller(invite: &Message, rules: &NumberRules, trusted: bool) -> Option<Identifier> {
    if trusted && let Some(uri) = asserted(invite) {
        return identifier(&uri, rules);
    }
    let private = invite
        .values(HeaderName::Privacy)
        .flat_map(|v| v.split(';'))
        .any(|p| p.trim().eq_ignore_ascii_case("id"));
    let from = invite.from()?;
    let anonymous = SipUri::parse(from.uri).is_some_and(|u| {
        u.user_decoded().eq_ignore_ascii_case("anonymous")
            || u.host.eq_ignore_ascii_case("anonymous.invalid")
    });
    if private || anonymous {
        return None;
    }
    identifier(from.uri, rules)
}

/// The URI of P-Asserted-Identity.
pub(crate) fn asserted(invite: &Message) -> Option<String> {
    let all: Vec<NameAddr<'_>> = invite
        .values(HeaderName::PAssertedIdentity)
        .filter_map(NameAddr::parse)
        .collect();
    let is_tel = |a: &&NameAddr<'_>| {
        a.uri
            .get(..4)
            .is_some_and(|s| s.eq_ignore_ascii_case("tel:"))
    };
    all.iter()
        .find(is_tel)
        .or(all.first())
        .map(|a| a.uri.to_string())
}

/// The verdict a trunk put beside the caller.
pub(super) fn word_of_trunk(invite: &Message) -> Option<Verdict> {
    let sources = [HeaderName::PAssertedIdentity, HeaderName::From];
    sources.into_iter().find_map(|name| {
        invite.headers(name).find_map(|value| {
            let at = value.to_ascii_lowercase().find("verstat=")?;
            let rest = &value[at + "verstat=".len()..];
            let end = rest
                .find([';', '@', '>', '?', ',', ' '])
                .unwrap_or(rest.len());
            read_verstat(&rest[..end])
        })
    })
}

/// Who sent the call on: by History-Info (RFC 7044), else by the top-most Diversion (RFC 5806).
pub(super) fn diverting(invite: &Message, rules: &NumberRules) -> Option<Identifier> {
    by_history(invite, rules).or_else(|| {
        let top = invite.values(HeaderName::Diversion).next()?;
        identifier(NameAddr::parse(top)?.uri, rules)
    })
}

fn by_history(invite: &Message, rules: &NumberRules) -> Option<Identifier> {
    let entries: Vec<NameAddr<'_>> = invite
        .values(HeaderName::HistoryInfo)
        .take(HISTORY_MAX)
        .filter_map(NameAddr::parse)
        .collect();
    let param = |entry: &NameAddr<'_>, name: &str| entry.params.get(name).map(str::to_string);
    // The last entry that came of a change of target says which entry it was made from.
    let from = entries
        .iter()
        .rev()
        .find_map(|e| param(e, "mp").or_else(|| param(e, "rc")));
    let entry = match from {
        Some(index) => entries
            .iter()
            .find(|e| param(e, "index").as_ref() == Some(&index))?,
        None => entries
            .len()
            .checked_sub(2)
            .and_then(|at| entries.get(at))?,
    };
    identifier(entry.uri.split('?').next().unwrap_or(""), rules)
}

/// The key of one of our calls, in the header we sent it in.
pub(super) fn our_key(invite: &Message) -> Option<CallKey> {
    parse_key(invite.other(KEY_HEADER)?)
}

/// What may be our key because we sent it as session id (RFC 7989).
pub(super) fn session_keys(invite: &Message) -> impl Iterator<Item = CallKey> + '_ {
    let value = invite.header(HeaderName::SessionId).unwrap_or("");
    value
        .split(';')
        .filter_map(|part| parse_key(part.trim().trim_start_matches("remote=")))
        .filter(|k| k.0 != 0)
}

fn parse_key(text: &str) -> Option<CallKey> {
    let text = text.trim();
    (text.len() == 32)
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
        .map(CallKey)
}
