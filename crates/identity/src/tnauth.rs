//! What numbers and claims a certificate may speak for: TNAuthList (RFC 8226 9) and the claim
//! constraints (RFC 8226 8, RFC 9118).

use crate::der::{self, Reader};
use crate::json::{Object, Value};

/// Entries of one list; a certificate with more is not read.
pub const ENTRIES_MAX: usize = 1_000;
const NUMBER_DIGITS_MAX: usize = 15;
const SPC_BYTES_MAX: usize = 64;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TnEntry {
    /// A service provider code (OCN, SPID or one of the other forms).
    Spc(String),
    /// `count` numbers from `start` on, all with the length of `start`.
    Range {
        start: String,
        count: u64,
    },
    One(String),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TnAuthList(pub Vec<TnEntry>);

impl TnAuthList {
    /// Reads the extension's content. `None` when it is malformed, implicitly tagged, empty, or
    /// over [`ENTRIES_MAX`].
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut outer = Reader(bytes);
        let mut list = outer.nested(der::SEQUENCE)?;
        if !outer.is_empty() {
            return None;
        }
        let mut entries = Vec::new();
        while !list.is_empty() {
            if entries.len() == ENTRIES_MAX {
                return None;
            }
            let (tag, content) = list.any()?;
            entries.push(entry(tag, Reader(content))?);
        }
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// Whether a number entry covers it. Service provider codes cover no number by themselves:
    /// no public table leads from a code to its numbers.
    pub fn covers(&self, number: &str) -> bool {
        self.0.iter().any(|e| match e {
            TnEntry::Spc(_) => false,
            TnEntry::One(one) => one == number,
            TnEntry::Range { start, count } => in_range(number, start, *count),
        })
    }

    pub fn has_numbers(&self) -> bool {
        self.0.iter().any(|e| !matches!(e, TnEntry::Spc(_)))
    }

    /// The first service provider code.
    pub fn spc(&self) -> Option<&str> {
        self.0.iter().find_map(|e| match e {
            TnEntry::Spc(code) => Some(code.as_str()),
            _ => None,
        })
    }

    /// Whether every entry lies within `parent` (RFC 9060 5). A parent with codes only may
    /// delegate numbers, since what a code holds cannot be seen from here.
    pub fn within(&self, parent: &Self) -> bool {
        self.0.iter().all(|e| match e {
            TnEntry::Spc(code) => parent
                .0
                .iter()
                .any(|p| matches!(p, TnEntry::Spc(c) if c == code)),
            _ if !parent.has_numbers() => true,
            TnEntry::One(number) => parent.covers(number),
            TnEntry::Range { start, count } => {
                number(start).is_some_and(|from| parent.holds(start.len(), from, from + count))
            }
        })
    }

    /// Whether the entries together have every number of so many digits from one up to, but not
    /// with, another: they are additive (RFC 8226 9).
    fn holds(&self, digits: usize, from: u64, until: u64) -> bool {
        let span = |e: &TnEntry| {
            let (start, count) = match e {
                TnEntry::Spc(_) => return None,
                TnEntry::One(one) => (one, 1),
                TnEntry::Range { start, count } => (start, *count),
            };
            let from = number(start).filter(|_| start.len() == digits)?;
            Some((from, from + count))
        };
        let mut spans: Vec<(u64, u64)> = self.0.iter().filter_map(span).collect();
        spans.sort_unstable();
        let mut next = from;
        for (begin, end) in spans {
            if begin <= next {
                next = next.max(end);
            }
        }
        next >= until
    }
}

fn entry(tag: u8, mut content: Reader<'_>) -> Option<TnEntry> {
    let found = match tag {
        t if t == der::explicit(0) => {
            let code = content.text(der::IA5_STRING)?;
            let good = !code.is_empty()
                && code.len() <= SPC_BYTES_MAX
                && code.bytes().all(|b| b.is_ascii_alphanumeric());
            good.then(|| TnEntry::Spc(code.to_string()))?
        }
        t if t == der::explicit(1) => {
            let mut range = content.nested(der::SEQUENCE)?;
            let start = tn(range.text(der::IA5_STRING)?)?;
            let count = range.unsigned()?;
            // The sequence is extensible: what follows is left for a later version.
            let end = number(&start)?.checked_add(count)?;
            let room = 10u64.checked_pow(start.len() as u32)?;
            (count >= 2 && end < room).then_some(TnEntry::Range { start, count })?
        }
        t if t == der::explicit(2) => TnEntry::One(tn(content.text(der::IA5_STRING)?)?),
        _ => return None,
    };
    content.is_empty().then_some(found)
}

fn tn(text: &str) -> Option<String> {
    let good = (1..=NUMBER_DIGITS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'#' | b'*'));
    good.then(|| text.to_string())
}

fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty()
        && digits.len() <= NUMBER_DIGITS_MAX
        && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

fn in_range(n: &str, start: &str, count: u64) -> bool {
    n.len() == start.len()
        && match (number(n), number(start)) {
            (Some(n), Some(from)) => n >= from && n - from < count,
            _ => false,
        }
}

/// Which claims a certificate demands, limits or forbids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClaimConstraints {
    pub must_include: Vec<String>,
    /// Claim and the values it may have.
    pub permitted: Vec<(String, Vec<String>)>,
    /// Only in the enhanced form (RFC 9118).
    pub must_exclude: Vec<String>,
}

impl ClaimConstraints {
    /// Reads JWTClaimConstraints, or with `enhanced` EnhancedJWTClaimConstraints.
    pub fn parse(bytes: &[u8], enhanced: bool) -> Option<Self> {
        let mut outer = Reader(bytes);
        let mut body = outer.nested(der::SEQUENCE)?;
        let mut found = Self::default();
        let empty = body.is_empty();
        if body.peek_tag() == Some(der::explicit(0)) {
            found.must_include = names(body.nested(der::explicit(0))?)?;
        }
        if body.peek_tag() == Some(der::explicit(1)) {
            let mut wrapped = body.nested(der::explicit(1))?;
            let mut list = wrapped.nested(der::SEQUENCE)?;
            while !list.is_empty() {
                let mut item = list.nested(der::SEQUENCE)?;
                let claim = item.text(der::IA5_STRING)?.to_string();
                let values = texts(item.nested(der::SEQUENCE)?, der::UTF8_STRING)?;
                (item.is_empty() && found.permitted.len() < ENTRIES_MAX).then_some(())?;
                found.permitted.push((claim, values));
            }
            wrapped.is_empty().then_some(())?;
        }
        if enhanced && body.peek_tag() == Some(der::explicit(2)) {
            found.must_exclude = names(body.nested(der::explicit(2))?)?;
        }
        (outer.is_empty() && body.is_empty() && !empty).then_some(found)
    }

    pub fn allows(&self, claims: &Object) -> bool {
        self.must_include.iter().all(|c| claims.contains_key(c))
            && !self.must_exclude.iter().any(|c| claims.contains_key(c))
            && self.permitted.iter().all(|(claim, values)| {
                claims.get(claim).is_none_or(|v| match v {
                    Value::Text(t) => values.contains(t),
                    other => values.contains(&other.canonical()),
                })
            })
    }
}

fn names(mut wrapped: Reader<'_>) -> Option<Vec<String>> {
    let list = wrapped.nested(der::SEQUENCE)?;
    wrapped.is_empty().then_some(())?;
    texts(list, der::IA5_STRING)
}

fn texts(mut list: Reader<'_>, tag: u8) -> Option<Vec<String>> {
    let mut out = Vec::new();
    while !list.is_empty() {
        (out.len() < ENTRIES_MAX).then_some(())?;
        out.push(list.text(tag)?.to_string());
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests;
