//! Verifying a request's Identity headers (RFC 8224 6.2, RFC 8946 4.2): every token for itself,
//! then the diversions as chains, then one verdict.

mod chain;
mod token;

use crate::certificate::{Credential, Trust};
use crate::passport::{Attestation, Leniency, Passport};
use crate::{Fault, Verdict};
use cp_vocab::Timestamp;
use std::time::Duration;

/// Identity headers of one request; with more the request's identity is invalid.
pub const HEADERS_MAX: usize = 12;
/// Diversions of one call that are followed (five, as the French plan has it).
pub const DIVERSIONS_MAX: usize = 5;

/// What an operator may choose.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How far `iat` may lie from now, on both sides (RFC 8224 6.2: 60 s; 15–60 is sensible).
    pub freshness: Duration,
    /// The same for the tokens inside a diversion that a trusted party passed on (RFC 8946 4.2:
    /// up to three hours).
    pub transfer_freshness: Duration,
    pub leniency: Leniency,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            freshness: Duration::from_secs(60),
            transfer_freshness: Duration::from_secs(3 * 3_600),
            leniency: Leniency::default(),
        }
    }
}

/// What the request itself says.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Caller in canonical form; `None` when anonymous.
    pub orig: Option<&'a str>,
    /// Request-URI in canonical form.
    pub dest: &'a str,
    /// The Date header, seconds since 1970; the compact form needs it.
    pub date_s: Option<i64>,
    /// Whether Date must be fresh itself (RFC 8224 6.2 step 4), or only stands in for `iat`.
    pub date_binds: bool,
    /// `a=fingerprint` lines as (hash, hexadecimal digits in capitals without colons). `None` when
    /// the offer is not known here: then `mky` is not compared.
    pub fingerprints: Option<&'a [(&'a str, &'a str)]>,
    /// The request comes from a party whose transfers may carry older tokens.
    pub trusted_transfer: bool,
}

/// What is known of the certificate at an address.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    Ready(&'a Credential),
    /// Fetched or tried, and no good.
    Failed(Fault),
}

/// Where certificates and number holders come from.
pub trait Directory {
    fn credential(&self, x5u: &str) -> Lookup<'_>;
    /// Service provider code that holds the number, by our own inventory; `None` if unknown.
    fn holder(&self, number: &str) -> Option<&str>;
}

/// The result for one header, in the order of the request.
#[derive(Clone, Debug)]
pub struct HeaderOutcome {
    pub outcome: Result<(), Fault>,
    /// Compact form of the token, where it could be read that far.
    pub ppi: Option<String>,
}

/// The result for a request.
#[derive(Clone, Debug)]
pub struct Report {
    pub verdict: Verdict,
    /// Why it is not valid.
    pub fault: Option<Fault>,
    /// Of the innermost token that holds.
    pub attestation: Option<Attestation>,
    pub origid: Option<String>,
    /// When the innermost token that holds was signed, in seconds since 1970, and where its
    /// certificate is.
    pub signed: Option<(i64, String)>,
    /// Diverting identifiers, innermost first.
    pub diversions: Vec<String>,
    pub headers: Vec<HeaderOutcome>,
}

impl Report {
    fn failed(fault: Fault, headers: Vec<HeaderOutcome>) -> Self {
        Self {
            verdict: fault.verdict(),
            fault: Some(fault),
            attestation: None,
            origid: None,
            signed: None,
            diversions: Vec::new(),
            headers,
        }
    }

    pub fn sip_code(&self) -> Option<u16> {
        self.fault.and_then(Fault::sip_code)
    }
}

/// The certificate addresses a request needs, without repeats, refused ones left out. Fetch (or
/// look up) these, then call [`verify`].
pub fn needed(values: &[&str], policy: &Policy) -> Vec<String> {
    let mut urls = Vec::new();
    for value in values.iter().take(HEADERS_MAX) {
        for x5u in token::addresses(value, policy) {
            if !urls.contains(&x5u) && crate::fetch::check_url(&x5u).is_ok() {
                urls.push(x5u);
            }
        }
    }
    urls
}

/// Verifies all Identity header values of a request, in any order.
pub fn verify(
    values: &[&str],
    call: &Call<'_>,
    directory: &dyn Directory,
    trust: &Trust,
    policy: &Policy,
    now: Timestamp,
) -> Report {
    if values.is_empty() {
        return Report::failed(Fault::NoIdentity, Vec::new());
    }
    let Some(orig) = call.orig else {
        return Report::failed(Fault::Anonymous, Vec::new());
    };
    if values.len() > HEADERS_MAX {
        return Report::failed(Fault::TooLarge, Vec::new());
    }
    let check = token::Check {
        call,
        orig,
        directory,
        trust,
        policy,
        now,
    };
    let mut headers = Vec::with_capacity(values.len());
    let mut tokens = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        // A bridge that writes each header twice is common: the copy counts once.
        if values[..i].contains(value) {
            headers.push(HeaderOutcome {
                outcome: Ok(()),
                ppi: None,
            });
            continue;
        }
        let mut read = check.header(value);
        read.index = i;
        headers.push(HeaderOutcome {
            outcome: read.fault.map_or(Ok(()), Err),
            ppi: read.tokens.first().map(|t| t.passport.compact()),
        });
        tokens.push(read);
    }
    chain::judge(&check, tokens, headers)
}

/// One token with what is wrong with it by itself.
pub(crate) struct Checked<'a> {
    pub(crate) passport: Passport<'a>,
    pub(crate) fault: Option<Fault>,
    /// Outside the window of a fresh token; how far decides the chain.
    pub(crate) age_s: i64,
}

/// What one header gave: one token, several for a div-o (innermost first), or none.
pub(crate) struct Read<'a> {
    pub(crate) tokens: Vec<Checked<'a>>,
    pub(crate) fault: Option<Fault>,
    /// Which header of the request.
    pub(crate) index: usize,
}
