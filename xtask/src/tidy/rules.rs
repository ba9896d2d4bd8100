//! Rules on Rust sources: banned calls, sizes, leftovers.

use super::Finding;
use super::edges::SANS_IO;
use super::source::{Source, is_word_at};
use std::collections::BTreeSet;

/// Lines outside tests: above the first the file must be on the list of sinners, above the second nothing helps.
pub(crate) const FILE_LINES_QUESTION: usize = 600;
pub(crate) const FILE_LINES_MAX: usize = 1_000;
pub(crate) const FUNCTION_LINES_MAX: usize = 100;

/// What a sans-IO crate may not say outside tests, and what it says instead.
const SANS_IO_BANS: &[(&str, &str)] = &[
    ("Instant", "time comes in as cp_vocab::Timestamp"),
    ("SystemTime", "time comes in as cp_vocab::Timestamp"),
    ("rand::rng", "randomness comes in as a seed or an IdSource"),
    ("thread_rng", "randomness comes in as a seed or an IdSource"),
    ("OsRng", "randomness comes in as a seed or an IdSource"),
    ("SysRng", "randomness comes in as a seed or an IdSource"),
    (
        "from_os_rng",
        "randomness comes in as a seed or an IdSource",
    ),
    (
        "from_entropy",
        "randomness comes in as a seed or an IdSource",
    ),
    ("UdpSocket", "sockets live in edge"),
    ("TcpStream", "sockets live in edge"),
    ("TcpListener", "sockets live in edge"),
    ("std::fs", "files live in the shells"),
    ("WavWriter::create", "files live in the shells"),
    ("WavReader::open", "files live in the shells"),
    ("std::thread", "threads live in the shells"),
    ("std::process", "processes live in the shells"),
    ("std::env", "settings come in as arguments"),
    ("async", "sans-IO code does not wait"),
    (".await", "sans-IO code does not wait"),
    ("tokio", "sans-IO code does not wait"),
    ("println!", "sans-IO code returns what it has to say"),
    ("eprintln!", "sans-IO code returns what it has to say"),
    ("print!", "sans-IO code returns what it has to say"),
];

/// Where one of those words may stand all the same: a library at the border speaks it.
const SANS_IO_BORDERS: &[(&str, &str)] = &[
    // str0m counts in it; the anchor that lays our time on its line comes in from the shell.
    ("crates/media/src/peer/rtc.rs", "Instant"),
];

/// Banned everywhere, tests included.
const LEFTOVERS: &[(&str, &str)] = &[
    ("todo!", "finish it or leave it out"),
    ("unimplemented!", "finish it or leave it out"),
    ("dbg!", "a debugging aid"),
    ("#[ignore", "a test that does not run is not a test"),
];

/// Waiting blindly; tests wait for a condition with a deadline.
const SLEEPS: &[&str] = &["thread::sleep", "time::sleep", "sleep_ms", "sleep_until"];

/// How an SQL text begins.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "ALTER TABLE ",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
];

/// Where in the house a file lies.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    /// Crate folder, empty outside `crates/`.
    folder: &'a str,
    /// A file that is a test as a whole.
    test_file: bool,
    /// Benchmarks and examples: measured by people, so they may read clocks.
    tool: bool,
}

impl<'a> Place<'a> {
    fn of(path: &'a str, tests: &BTreeSet<String>) -> Self {
        let mut parts = path.split('/');
        let folder = match parts.next() {
            Some("crates") => parts.next().unwrap_or(""),
            Some(top @ ("interop" | "xtask")) => top,
            _ => "",
        };
        let test_file = path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs")
            || folder == "interop"
            || tests.contains(path);
        let tool = path.contains("/examples/") || path.contains("/benches/");
        Self {
            path,
            folder,
            test_file,
            tool,
        }
    }
}

/// Files that a `#[cfg(test)] mod name;` in `path` points at.
pub(crate) fn test_files(path: &str, text: &str) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    let below = match stem {
        "mod" | "lib" | "main" => folder.to_string(),
        _ => format!("{folder}/{stem}"),
    };
    let modules = Source::new(text).test_modules();
    let both = |name| {
        [
            format!("{below}/{name}.rs"),
            format!("{below}/{name}/mod.rs"),
        ]
    };
    modules.iter().flat_map(both).collect()
}

/// `tests`: files known to be tests as a whole, from [`test_files`].
pub(crate) fn check(path: &str, text: &str, tests: &BTreeSet<String>) -> Vec<Finding> {
    let place = Place::of(path, tests);
    let source = Source::new(text);
    let mut findings = Vec::new();
    sizes(place, &source, &mut findings);
    leftovers(place, &source, &mut findings);
    sleeps(place, &source, &mut findings);
    connections(place, &source, &mut findings);
    if SANS_IO.contains(&place.folder) && !place.test_file && !place.tool {
        sans_io(place, &source, &mut findings);
    }
    if !place.test_file && !place.tool {
        unwraps(place, &source, &mut findings);
    }
    if place.folder != "store" && place.folder != "xtask" {
        sql(place, &source, &mut findings);
    }
    findings
}

fn sizes(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    if place.test_file {
        return;
    }
    let lines = source.production_len();
    if lines > FILE_LINES_QUESTION {
        let what = format!(
            "{lines} lines outside tests ({FILE_LINES_QUESTION} is a question, {FILE_LINES_MAX} a stop)"
        );
        let mut finding = Finding::new("file-lines", place.path, 0, what);
        finding.size = Some(lines);
        findings.push(finding);
    }
    for (line, name, length) in source.functions() {
        if length > FUNCTION_LINES_MAX {
            let what = format!("fn {name} is {length} lines, at most {FUNCTION_LINES_MAX}");
            let mut finding = Finding::new("fn-lines", place.path, line, what);
            finding.size = Some(length);
            findings.push(finding);
        }
    }
}

fn leftovers(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.all() {
        for (word, why) in LEFTOVERS {
            if contains(code, word) {
                findings.push(Finding::new(
                    "leftover",
                    place.path,
                    line,
                    format!("{word}: {why}"),
                ));
            }
        }
    }
    for (i, comment) in source.comments.lines().enumerate() {
        // Spelt in two parts so that this file does not find itself.
        for word in [concat!("FIX", "ME"), concat!("XX", "X")] {
            if contains(comment, word) {
                let what = format!("{word}: finish it or open an issue");
                findings.push(Finding::new("leftover", place.path, i + 1, what));
            }
        }
    }
}

fn sleeps(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.all() {
        let in_test = place.test_file || source.is_test_line(line);
        if in_test && SLEEPS.iter().any(|s| contains(code, s)) {
            let what = "a sleep in a test: wait for a condition with a deadline";
            findings.push(Finding::new("sleep", place.path, line, what));
        }
    }
}

/// Who may open a connection outwards: `edge` for SIP, `fetch` (behind its guard) for everything else.
const MAY_CONNECT: &[&str] = &["edge", "fetch"];
const CONNECTS: &[&str] = &["TcpStream::connect", "connect_timeout", "TcpSocket::new"];

fn connections(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    if place.test_file
        || place.tool
        || !place.path.starts_with("crates/")
        || MAY_CONNECT.contains(&place.folder)
    {
        return;
    }
    for (line, code) in source.production() {
        if CONNECTS.iter().any(|c| contains(code, c)) {
            let what = "a connection outwards: ask crates/fetch, which keeps to public addresses";
            findings.push(Finding::new("connect", place.path, line, what));
        }
    }
}

fn sans_io(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.production() {
        for (word, instead) in SANS_IO_BANS {
            if contains(code, word) && !SANS_IO_BORDERS.contains(&(place.path, word)) {
                findings.push(Finding::new(
                    "sans-io",
                    place.path,
                    line,
                    format!("{word} in a sans-IO crate: {instead}"),
                ));
            }
        }
    }
}

fn unwraps(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.production() {
        if code.contains(".unwrap()") {
            let what = "unwrap() outside tests: handle it, or expect(\"the invariant\")";
            findings.push(Finding::new("unwrap", place.path, line, what));
        }
    }
}

fn sql(place: Place<'_>, source: &Source, findings: &mut Vec<Finding>) {
    for literal in &source.literals {
        let text = literal.text.trim_start();
        if SQL.iter().any(|s| text.starts_with(s)) {
            let what = "SQL outside store: ask it in domain words";
            findings.push(Finding::new("sql", place.path, literal.line, what));
        }
    }
}

/// Whether `word` occurs in `code` as a whole word at those ends that are letters.
pub(crate) fn contains(code: &str, word: &str) -> bool {
    let bytes = code.as_bytes();
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts = letters(word.as_bytes()[0]);
    let ends = letters(word.as_bytes()[word.len() - 1]);
    code.match_indices(word).any(|(i, _)| {
        let before = i > 0 && letters(bytes[i - 1]);
        let after = bytes.get(i + word.len()).is_some_and(|b| letters(*b));
        match (starts, ends) {
            (true, true) => is_word_at(bytes, i, word.as_bytes()),
            (true, false) => !before,
            (false, true) => !after,
            (false, false) => true,
        }
    })
}
