//! Scores a file of test cases: the format is one JSON object with `certs` (name to PEM), `x5u`
//! (address to names joined by `+`, leaf first), `iat` (the Date of compact tokens) and `cases`.
//! A case that cannot be read is a line of its own and spoils no other.

use crate::canonical::{Region, canonical};
use crate::certificate::{Credential, Trust};
use crate::verify::{Call, Directory, Lookup, Policy, Report, verify};
use crate::{Fault, Verdict};
use cp_vocab::Timestamp;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest file that is read.
pub const FILE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Numbers of one listed range that go into the inventory of holders; the rest is left out.
const INVENTORY_RANGES_MAX: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("the file is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the file is not in the format of identity cases")]
    Format(#[from] serde_json::Error),
    #[error("the roots cannot be read: {0}")]
    Roots(Fault),
}

impl CheckError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Format(_) => "format",
            Self::Roots(_) => "roots",
        }
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    certs: BTreeMap<String, String>,
    #[serde(default)]
    x5u: BTreeMap<String, Names>,
    /// Names of trusted certificates; the one called `root` without this.
    roots: Option<Vec<String>>,
    iat: Option<i64>,
    cases: Vec<serde_json::Value>,
}

/// Certificates of one address: names joined by `+`, a list of names, or PEM as it stands.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Joined(String),
    List(Vec<String>),
}

impl Names {
    /// The file at the address; `None` when a name is not known.
    fn pem(&self, certs: &BTreeMap<String, String>) -> Option<String> {
        let known = |name: &str| certs.get(name.trim()).map(String::as_str);
        match self {
            Self::Joined(text) if text.contains("-----BEGIN") => Some(text.clone()),
            Self::Joined(text) => text.split('+').map(known).collect(),
            Self::List(names) => names.iter().map(|n| known(n)).collect(),
        }
    }
}

/// One header value or several; a number as text or as digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Party {
    Text(String),
    Digits(u64),
}

impl Party {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Digits(digits) => digits.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct Case {
    id: String,
    identity: Option<OneOrMany>,
    request_uri_tn: Option<Party>,
    from_tn: Option<Party>,
    now: Option<i64>,
    /// Date header, where it differs from the file's `iat`; it must then be fresh as well.
    date: Option<i64>,
    /// Certificates of this case alone.
    #[serde(default)]
    x5u: BTreeMap<String, Names>,
    #[serde(default)]
    trusted_transfer: bool,
    /// The offer, for `mky`; its `a=fingerprint` lines count. Without it `mky` is not compared.
    sdp: Option<String>,
}

/// One case's result; [`run`] writes it as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    pub id: String,
    pub verdict: Verdict,
    pub sip_code: Option<u16>,
    /// [`Fault::code`]; null when valid.
    pub reason: Option<&'static str>,
}

/// Checks every case; one JSON object per line. `now` stands in for cases without a time.
pub fn run(json_text: &str, now: Timestamp) -> Result<Vec<String>, CheckError> {
    let lines = check(json_text, now)?;
    lines
        .iter()
        .map(|l| serde_json::to_string(l).map_err(CheckError::from))
        .collect()
}

/// The same as values.
pub fn check(json_text: &str, now: Timestamp) -> Result<Vec<Line>, CheckError> {
    if json_text.len() > FILE_BYTES_MAX {
        return Err(CheckError::TooLarge);
    }
    let file: File = serde_json::from_str(json_text)?;
    let trust = trust(&file)?;
    let holders = holders(&file, &trust);
    let shared = Book::read(&file.x5u, &file, &trust);
    let lines = file.cases.iter().enumerate().map(|(at, value)| {
        let case: Case = match serde_json::from_value(value.clone()) {
            Ok(case) => case,
            Err(_) => return unreadable(value, at),
        };
        let case = &case;
        let own = Book::read(&case.x5u, &file, &trust);
        let files = Files {
            own: &own,
            shared: &shared,
            holders: &holders,
        };
        line(case, &file, &files, &trust, now)
    });
    Ok(lines.collect())
}

fn trust(file: &File) -> Result<Trust, CheckError> {
    let fallback = vec!["root".to_string()];
    let names = file.roots.as_ref().unwrap_or(&fallback);
    let pems: Vec<&str> = names
        .iter()
        .filter_map(|n| file.certs.get(n).map(String::as_str))
        .collect();
    Trust::new(&pems.concat()).map_err(CheckError::Roots)
}

/// The line of a case that is not in the format.
fn unreadable(case: &serde_json::Value, at: usize) -> Line {
    let id = case["id"].as_str().map(str::to_string);
    let fault = Fault::HeaderMalformed;
    Line {
        id: id.unwrap_or_else(|| format!("case {at}")),
        verdict: fault.verdict(),
        sip_code: fault.sip_code(),
        reason: Some(fault.code()),
    }
}

fn line(case: &Case, file: &File, files: &Files<'_>, trust: &Trust, now: Timestamp) -> Line {
    let from = case.from_tn.as_ref().map(Party::text);
    let to = case.request_uri_tn.as_ref().map(Party::text);
    let orig = from.as_deref().filter(|f| !is_anonymous(f)).map(party);
    let dest = to.as_deref().map(party).unwrap_or_default();
    let now = match case.now {
        Some(s) => Timestamp::from_secs(u64::try_from(s).unwrap_or(0)),
        None => now,
    };
    let values: Vec<&str> = match &case.identity {
        None => Vec::new(),
        Some(OneOrMany::One(value)) => vec![value],
        Some(OneOrMany::Many(values)) => values.iter().map(String::as_str).collect(),
    };
    let prints = case.sdp.as_deref().map(fingerprints);
    let call = Call {
        orig: orig.as_deref(),
        dest: &dest,
        date_s: case.date.or(file.iat),
        date_binds: case.date.is_some(),
        fingerprints: prints.as_deref(),
        trusted_transfer: case.trusted_transfer,
    };
    let report: Report = verify(&values, &call, files, trust, &Policy::default(), now);
    Line {
        id: case.id.clone(),
        verdict: report.verdict,
        sip_code: report.sip_code(),
        reason: report.fault.map(Fault::code),
    }
}

fn is_anonymous(from: &str) -> bool {
    let from = from.trim().to_ascii_lowercase();
    from.is_empty() || from == "anonymous" || from.contains("anonymous.invalid")
}

/// Canonical form; what has none is compared as it stands, and must then equal what was signed.
fn party(text: &str) -> String {
    match canonical(text, Region::find("US")) {
        Some(id) => id.as_str().to_string(),
        None => text.to_string(),
    }
}

/// `a=fingerprint:sha-256 AB:CD` lines (RFC 8122 5), each pair once.
fn fingerprints(sdp: &str) -> Vec<(&str, &str)> {
    let mut found: Vec<_> = sdp
        .lines()
        .filter_map(|l| l.trim().strip_prefix("a=fingerprint:")?.split_once(' '))
        .collect();
    found.dedup();
    found
}

/// Certificates by address, read once.
struct Book(FxHashMap<String, Result<Credential, Fault>>);

impl Book {
    fn read(urls: &BTreeMap<String, Names>, file: &File, trust: &Trust) -> Self {
        let entry = |(url, names): (&String, &Names)| {
            let read = match names.pem(&file.certs) {
                Some(pem) => Credential::read(pem.as_bytes(), trust),
                None => Err(Fault::FetchFailed),
            };
            (url.clone(), read)
        };
        Self(urls.iter().map(entry).collect())
    }
}

struct Files<'f> {
    own: &'f Book,
    shared: &'f Book,
    holders: &'f [(crate::tnauth::TnAuthList, String)],
}

impl Directory for Files<'_> {
    fn credential(&self, x5u: &str) -> Lookup<'_> {
        match self.own.0.get(x5u).or_else(|| self.shared.0.get(x5u)) {
            Some(Ok(c)) => Lookup::Ready(c),
            Some(Err(fault)) => Lookup::Failed(*fault),
            None => Lookup::Failed(Fault::FetchFailed),
        }
    }

    fn holder(&self, number: &str) -> Option<&str> {
        self.holders
            .iter()
            .find(|(list, _)| list.covers(number))
            .map(|(_, code)| code.as_str())
    }
}

/// Who holds which number, from the file's certificates that list numbers and lead to a root: the
/// stand-in for an operator's number inventory.
fn holders(file: &File, trust: &Trust) -> Vec<(crate::tnauth::TnAuthList, String)> {
    let authorities = file
        .certs
        .get("intermediate")
        .map(String::as_str)
        .unwrap_or("");
    let mut out = Vec::new();
    for pem in file.certs.values() {
        let read = Credential::read(format!("{pem}{authorities}").as_bytes(), trust);
        if let Ok(c) = read
            && c.tn_auth().has_numbers()
            && let Some(code) = c.spc()
            && out.len() < INVENTORY_RANGES_MAX
        {
            out.push((c.tn_auth().clone(), code.to_string()));
        }
    }
    out
}
