//! The list of old sinners: what broke a rule before the rule, or for a reason that a person
//! accepted. It may only shrink: an entry that is no longer needed, or larger than needed, is a
//! finding itself, and [`ENTRIES_MAX`] is lowered with it.

use super::Finding;
use super::rules::FILE_LINES_MAX;

pub(crate) const FILE: &str = "xtask/tidy-sinners.txt";

/// How many entries the list may have. Lower it when one goes; raising it is a decision to defend.
pub(crate) const ENTRIES_MAX: usize = 0;

#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    line: usize,
    rule: &'a str,
    path: &'a str,
    size: Option<usize>,
}

/// Takes the findings the list excuses away and adds those about the list itself.
pub(crate) fn apply(findings: Vec<Finding>, list: &str) -> Vec<Finding> {
    apply_within(findings, list, ENTRIES_MAX)
}

pub(crate) fn apply_within(findings: Vec<Finding>, list: &str, entries_max: usize) -> Vec<Finding> {
    let (entries, mut out) = parse(list);
    if entries.len() > entries_max {
        let what = format!(
            "{} entries, at most {entries_max}: mend instead",
            entries.len()
        );
        out.push(Finding::new("sinners", FILE, 0, what));
    }
    for entry in &entries {
        let largest = findings
            .iter()
            .filter(|f| f.rule == entry.rule && f.path == entry.path)
            .map(|f| f.size)
            .max();
        let complaint = match (largest, entry.size) {
            (None, _) => Some("no longer needed: remove it".to_string()),
            (Some(Some(now)), Some(listed)) if now < listed => Some(format!("lower it to {now}")),
            _ => None,
        };
        if let Some(what) = complaint {
            let what = format!("{} {}: {what}", entry.rule, entry.path);
            out.push(Finding::new("sinners", FILE, entry.line, what));
        }
    }
    out.extend(findings.into_iter().filter(|f| !excused(f, &entries)));
    out
}

fn excused(finding: &Finding, entries: &[Entry<'_>]) -> bool {
    if finding.rule == "file-lines" && finding.size.is_some_and(|s| s > FILE_LINES_MAX) {
        return false;
    }
    entries.iter().any(|e| {
        e.rule == finding.rule
            && e.path == finding.path
            && finding
                .size
                .is_none_or(|now| e.size.is_some_and(|s| now <= s))
    })
}

/// `rule path [size]` a line; `#` starts a comment.
fn parse(list: &str) -> (Vec<Entry<'_>>, Vec<Finding>) {
    let mut entries = Vec::new();
    let mut findings = Vec::new();
    for (i, line) in list.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next().map(str::parse)) {
            (Some(rule), Some(path), None) => entries.push(Entry {
                line: i + 1,
                rule,
                path,
                size: None,
            }),
            (Some(rule), Some(path), Some(Ok(size))) => entries.push(Entry {
                line: i + 1,
                rule,
                path,
                size: Some(size),
            }),
            _ => findings.push(Finding::new(
                "sinners",
                FILE,
                i + 1,
                "not `rule path [size]`",
            )),
        }
    }
    (entries, findings)
}
