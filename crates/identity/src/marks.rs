//! The verdict on the wire: the Reason header (RFC 9410), `verstat`, and the trust marks of
//! strangers that must not come in.

use crate::canonical::is_canonical_number;
use crate::{Fault, Verdict};
use std::borrow::Cow;

/// How a failure is told upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReasonForm {
    /// `STIR` as protocol, with the token's compact form (RFC 9410).
    #[default]
    Stir,
    /// `SIP` as protocol, for peers from before it.
    Legacy,
}

/// Value of a Reason header for one failed Identity header; `None` where the fault has no code.
/// `ppi` is the compact form of the token it is about.
pub fn reason(fault: Fault, ppi: Option<&str>, form: ReasonForm) -> Option<String> {
    let code = fault.sip_code()?;
    let phrase = fault.phrase();
    Some(match form {
        ReasonForm::Legacy => format!("SIP;cause={code};text=\"{phrase}\""),
        ReasonForm::Stir => {
            let mut out = format!("STIR ;cause={code} ;text=\"{phrase}\"");
            if let Some(ppi) = ppi {
                out.push_str(&format!(" ;ppi=\"{ppi}\""));
            }
            out
        }
    })
}

/// Whether a Reason value speaks of one of our own tokens: an authentication service keeps that to
/// itself (RFC 9410 4).
pub fn reason_is_about(value: &str, our_tokens: &[&str]) -> bool {
    let is_stir = value
        .split(';')
        .next()
        .is_some_and(|p| p.trim().eq_ignore_ascii_case("STIR"));
    is_stir
        && our_tokens.iter().any(|t| {
            t.rsplit('.')
                .next()
                .is_some_and(|signature| !signature.is_empty() && value.contains(signature))
        })
}

/// What an operator wants done with a verdict. Emergency calls are never refused for identity:
/// ask with `is_emergency`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnFailure {
    /// The call goes on and carries its verdict.
    #[default]
    Continue,
    /// The call is answered with the fault's code, absent identity included.
    Reject,
    /// As above, but a call without identity goes on.
    RejectFailed,
}

impl OnFailure {
    /// Code and phrase to answer the request with; `None` to go on.
    pub fn answer(self, fault: Option<Fault>, is_emergency: bool) -> Option<(u16, &'static str)> {
        let fault = fault.filter(|_| !is_emergency)?;
        let refuse = match self {
            Self::Continue => false,
            Self::Reject => true,
            Self::RejectFailed => fault.verdict() != Verdict::None,
        };
        refuse
            .then(|| fault.sip_code().map(|c| (c, fault.phrase())))
            .flatten()
    }
}

/// The `verstat` value of a verdict (3GPP TS 24.229 7.2A.20).
pub fn verstat(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "TN-Validation-Passed",
        Verdict::None => "No-TN-Validation",
        Verdict::Invalid | Verdict::Stale | Verdict::Refused => "TN-Validation-Failed",
    }
}

/// A `verstat` a trusted peer sent. Peers append a level (`-B`, `-C`) or more: unknown endings are
/// taken as the word they follow.
pub fn read_verstat(value: &str) -> Option<Verdict> {
    let starts = |word: &str| {
        value
            .get(..word.len())
            .is_some_and(|v| v.eq_ignore_ascii_case(word))
    };
    if starts("TN-Validation-Passed") {
        Some(Verdict::Valid)
    } else if starts("TN-Validation-Failed") {
        Some(Verdict::Invalid)
    } else if starts("No-TN-Validation") {
        Some(Verdict::None)
    } else {
        None
    }
}

/// A caller URI for a trusted peer: `tel:` with the verdict for a number, unchanged otherwise.
pub fn with_verstat<'a>(canonical: &'a str, verdict: Verdict) -> Cow<'a, str> {
    if is_canonical_number(canonical) {
        Cow::Owned(format!("tel:+{canonical};verstat={}", verstat(verdict)))
    } else {
        Cow::Borrowed(canonical)
    }
}

/// Header fields that only a trusted peer may set.
const TRUSTED_ONLY: &[&str] = &[
    "p-attestation-indicator",
    "p-origination-id",
    "attestation-info",
    "origination-id",
    "p-identity-bypass",
    "p-asserted-verstat",
    "p-verstat",
    "x-verstat",
    "verstat",
];

/// What becomes of one header from a peer we do not trust: `None` drops it, otherwise its value,
/// changed where it held a mark. `name` is the parsed name, so `Call-Info :` is met as well.
pub fn strip<'a>(name: &str, value: &'a str) -> Option<Cow<'a, str>> {
    let name = name.trim().to_ascii_lowercase();
    if TRUSTED_ONLY.contains(&name.as_str()) {
        return None;
    }
    match name.as_str() {
        "from"
        | "f"
        | "p-asserted-identity"
        | "p-preferred-identity"
        | "remote-party-id"
        | "contact"
        | "m"
        | "diversion"
        | "history-info" => Some(without_verstat(value)),
        "call-info" => {
            let kept: Vec<&str> = split_values(value)
                .into_iter()
                .filter(|v| !is_rich(v))
                .collect();
            match kept.len() {
                0 => None,
                n if n == split_values(value).len() => Some(Cow::Borrowed(value)),
                _ => Some(Cow::Owned(kept.join(","))),
            }
        }
        _ => Some(Cow::Borrowed(value)),
    }
}

/// `purpose=jcard|icon`, `call-reason`, `verified` or `integrity` (RFC 9796).
fn is_rich(value: &str) -> bool {
    let params = value.rsplit_once('>').map_or(value, |(_, p)| p);
    params.split(';').any(|p| {
        let (name, v) = p.split_once('=').unwrap_or((p, ""));
        let (name, v) = (name.trim().to_ascii_lowercase(), v.trim().trim_matches('"'));
        matches!(name.as_str(), "call-reason" | "verified" | "integrity")
            || (name == "purpose"
                && (v.eq_ignore_ascii_case("jcard") || v.eq_ignore_ascii_case("icon")))
    })
}

/// Splits at commas outside of quotes and angle brackets.
pub(crate) fn split_values(value: &str) -> Vec<&str> {
    let (mut out, mut start) = (Vec::new(), 0);
    let (mut quoted, mut bracket, mut escaped) = (false, false, false);
    for (i, b) in value.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => bracket = true,
            b'>' if !quoted => bracket = false,
            b',' if !quoted && !bracket => {
                out.push(&value[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&value[start..]);
    out
}

/// Removes every `;verstat` or `;verstat=…`, in the URI, its user part or behind it.
fn without_verstat(value: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(value);
    while let Some((start, end)) = find_verstat(&out) {
        let mut kept = out[..start].to_string();
        kept.push_str(&out[end..]);
        out = Cow::Owned(kept);
    }
    out
}

/// Where a `verstat` parameter begins (at its `;`) and ends. Case and space do not hide it, nor
/// does an escape in the user part.
fn find_verstat(text: &str) -> Option<(usize, usize)> {
    const NAME: &str = "verstat";
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices([';', '%']) {
        let mut i = match bytes[at] {
            b';' => at + 1,
            _ if text
                .get(at..at + 3)
                .is_some_and(|e| e.eq_ignore_ascii_case("%3B")) =>
            {
                at + 3
            }
            _ => continue,
        };
        while bytes.get(i).is_some_and(|b| b.is_ascii_whitespace()) {
            i += 1;
        }
        let Some(after) = text
            .get(i..i + NAME.len())
            .filter(|n| n.eq_ignore_ascii_case(NAME))
            .map(|_| i + NAME.len())
        else {
            continue;
        };
        let rest = &text[after..];
        if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            continue;
        }
        let end = rest
            .find([';', '@', '>', '?', ','])
            .map_or(text.len(), |n| after + n);
        return Some((at, end));
    }
    None
}

#[cfg(test)]
mod tests;
