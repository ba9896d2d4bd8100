//! Rules on every tracked text file: nothing that ties the tree to one machine, and a page of
//! documentation for each thing the product can do.

use super::Finding;

/// A capability has a page `docs/<name>.md`, and `docs/README.md` leads to it.
pub(crate) const CAPABILITIES: &[&str] = &[
    "calls",
    "queues",
    "agents",
    "trunks",
    "phones",
    "recording",
    "api",
    "operations",
    "demo",
    "simulation",
    "benchmarks",
];

/// The only sources a lock file may name.
const CARGO_SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM_SOURCE: &str = "https://registry.npmjs.org/";

/// Folders of somebody's machine. Spelt in parts so that this file does not find itself.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("C:\\Us", "ers"),
];

pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if let Some(found) = machine_path(line) {
            let what = format!("{found} is a path of one machine");
            findings.push(Finding::new("machine-path", path, i + 1, what));
        }
        if let Some(what) = foreign_source(path, line) {
            findings.push(Finding::new("registry", path, i + 1, what));
        }
        if line.ends_with([' ', '\t']) && (path.ends_with(".rs") || path.ends_with(".sh")) {
            findings.push(Finding::new("blanks", path, i + 1, "blanks at the end"));
        }
    }
    findings
}

/// An absolute path of somebody's machine: not preceded by a part of a longer relative one.
fn machine_path(line: &str) -> Option<&'static str> {
    MACHINE_PATHS.iter().copied().find(|needle| {
        line.match_indices(needle).any(|(i, _)| {
            let before = line[..i].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-}/*".contains(c))
        })
    })
}

fn foreign_source(path: &str, line: &str) -> Option<&'static str> {
    let line = line.trim();
    if path.ends_with("Cargo.lock") {
        let source = line.strip_prefix("source = \"")?.strip_suffix('"')?;
        return (source != CARGO_SOURCE).then_some("a lock file names only crates.io");
    }
    if path.ends_with("package-lock.json") {
        let url = line.strip_prefix("\"resolved\": \"")?;
        // A workspace of our own is a path.
        return (url.contains("://") && !url.starts_with(NPM_SOURCE))
            .then_some("a lock file names only registry.npmjs.org");
    }
    if path.starts_with(".cargo/") || path.ends_with(".npmrc") {
        let setting = line.starts_with("[source") || line.starts_with("[registr");
        return (setting || line.starts_with("registry"))
            .then_some("a registry is the machine's business");
    }
    None
}

pub(crate) fn missing_pages(files: &[String]) -> Vec<Finding> {
    let pages = CAPABILITIES.iter().map(|c| format!("docs/{c}.md"));
    pages
        .filter(|page| !files.contains(page))
        .map(|page| Finding::new("docs", &page, 0, "a capability without its page"))
        .collect()
}
