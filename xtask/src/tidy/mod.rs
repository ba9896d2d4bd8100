//! What no compiler checks and no reviewer should have to: crate edges, banned calls, sizes,
//! leftovers. Runs in seconds over the tracked files; every finding names file, line and rule.

mod edges;
mod rules;
mod sinners;
mod source;
#[cfg(test)]
mod tests;
mod text;

use anyhow::{Context, Result, bail};
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: &'static str,
    /// Relative to the root, `/` as separator.
    pub(crate) path: String,
    /// From 1; 0 when the file as a whole is meant.
    pub(crate) line: usize,
    pub(crate) what: String,
    /// For rules of size: how large it is, so that the list of sinners can hold it there.
    pub(crate) size: Option<usize>,
}

impl Finding {
    fn new(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            rule,
            path: path.to_string(),
            line,
            what: what.into(),
            size: None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {} [{}]", self.what, self.rule)
    }
}

pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let files = tracked(root)?;
    let mut findings = edges::check(&edges::read(root)?);
    findings.extend(text::missing_pages(&files));
    // A file git lists may be deleted and not yet committed, or binary.
    let texts: Vec<(&String, String)> = files
        .iter()
        .filter_map(|path| Some((path, std::fs::read_to_string(root.join(path)).ok()?)))
        .collect();
    let rust = || texts.iter().filter(|(path, _)| path.ends_with(".rs"));
    let tests = rust()
        .flat_map(|(path, text)| rules::test_files(path, text))
        .collect();
    findings.extend(
        texts
            .iter()
            .flat_map(|(path, text)| text::check(path, text)),
    );
    findings.extend(rust().flat_map(|(path, text)| rules::check(path, text, &tests)));
    let list = std::fs::read_to_string(root.join(sinners::FILE)).unwrap_or_default();
    let findings = sinners::apply(findings, &list);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, nothing found", files.len());
        Ok(ExitCode::SUCCESS)
    } else {
        println!("tidy: {} findings in {} files", findings.len(), files.len());
        Ok(ExitCode::FAILURE)
    }
}

/// Files git knows or would add, relative to the root.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("run git ls-files")?;
    if !output.status.success() {
        return Ok(walk(root, ""));
    }
    let list = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    let files: Vec<String> = list.lines().map(str::to_string).collect();
    if files.is_empty() {
        bail!("no files under {}", root.display());
    }
    Ok(files)
}

/// A source archive has no git: take what lies there, build products and data left out.
fn walk(root: &Path, below: &str) -> Vec<String> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(root.join(below)) else {
        return files;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".git") || ["target", "data", "node_modules"].contains(&name.as_str()) {
            continue;
        }
        let path = format!("{below}{name}");
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            files.extend(walk(root, &format!("{path}/")));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
