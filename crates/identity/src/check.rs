//! Scores a file of test cases: the format is one JSON object with `certs` (name to PEM), `x5u`
//! (address to names joined by `+`, leaf first), `iat` (the Date of compact tokens) and `cases`.

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
    x5u: BTreeMap<String, String>,
    /// Names of trusted certificates; the one called `root` without this.
    roots: Option<Vec<String>>,
    iat: Option<i64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    #[serde(default)]
    identity: Vec<String>,
    request_uri_tn: Option<String>,
    from_tn: Option<String>,
    now: Option<i64>,
    /// Date header, where it differs from the file's `iat`.
    date: Option<i64>,
    /// Certificates of this case alone.
    #[serde(default)]
    x5u: BTreeMap<String, String>,
    #[serde(default)]
    trusted_transfer: bool,
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
    let lines = file.cases.iter().map(|case| {
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

fn line(case: &Case, file: &File, files: &Files<'_>, trust: &Trust, now: Timestamp) -> Line {
    let us = Region::find("US");
    let number = |text: &Option<String>| {
        text.as_deref()
            .and_then(|t| canonical(t, us))
            .map(|id| id.as_str().to_string())
    };
    // What is no canonical number is compared as it stands: it must then equal what was signed.
    let orig = match case.from_tn.as_deref() {
        None | Some("" | "anonymous") => None,
        Some(as_written) => number(&case.from_tn).or(Some(as_written.to_string())),
    };
    let dest = number(&case.request_uri_tn)
        .or_else(|| case.request_uri_tn.clone())
        .unwrap_or_default();
    let now = match case.now {
        Some(s) => Timestamp::from_secs(u64::try_from(s).unwrap_or(0)),
        None => now,
    };
    let values: Vec<&str> = case.identity.iter().map(String::as_str).collect();
    let call = Call {
        orig: orig.as_deref(),
        dest: &dest,
        date_s: case.date.or(file.iat),
        fingerprints: None,
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

/// Certificates by address, read once.
struct Book(FxHashMap<String, Result<Credential, Fault>>);

impl Book {
    fn read(urls: &BTreeMap<String, String>, file: &File, trust: &Trust) -> Self {
        let entry = |(url, names): (&String, &String)| {
            let pems: Option<String> = names
                .split('+')
                .map(|n| file.certs.get(n.trim()).map(String::as_str))
                .collect();
            let read = match pems {
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
