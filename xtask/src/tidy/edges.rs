//! Which crate may know which. The graph is read from `cargo metadata`; a new edge is a decision
//! and needs a line here and a record in docs/adr.

use super::Finding;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Crates without clock, randomness, sockets, threads and await.
pub(crate) const SANS_IO: &[&str] = &[
    "vocab",
    "sip",
    "media",
    "interaction",
    "routing",
    "identity",
    "engine",
];

/// Folder under `crates/` (or the root) and the siblings it may depend on, tests included.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("vocab", &[]),
    ("sip", &["vocab"]),
    ("media", &["vocab"]),
    ("interaction", &["vocab"]),
    ("routing", &["vocab"]),
    ("identity", &["vocab"]),
    (
        "engine",
        &["vocab", "sip", "interaction", "routing", "identity"],
    ),
    ("store", &["vocab"]),
    ("edge", &["vocab", "media", "sip"]),
    ("speech", &["vocab"]),
    ("fetch", &["vocab"]),
    ("channels", &["vocab"]),
    ("proof", &["vocab", "identity", "store"]),
    ("api", &["vocab", "store", "identity", "proof"]),
    (
        "sim",
        &[
            "vocab",
            "sip",
            "media",
            "interaction",
            "routing",
            "identity",
            "engine",
            "store",
        ],
    ),
    (
        "server",
        &[
            "vocab",
            "sip",
            "media",
            "interaction",
            "routing",
            "identity",
            "engine",
            "store",
            "edge",
            "speech",
            "fetch",
            "proof",
            "channels",
            "api",
            "sim",
        ],
    ),
    // Fuzzed are the places where bytes come in.
    (
        "fuzz",
        &["vocab", "sip", "media", "identity", "engine", "sim"],
    ),
    // Black boxes: they see the program from outside.
    ("interop", &[]),
    ("xtask", &[]),
];

/// Third-party crates that only these may use.
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["store"], "only store speaks SQL"),
    ("axum", &["api"], "only api speaks HTTP to people"),
    (
        "hyper",
        &["api", "fetch"],
        "only api serves HTTP, only fetch asks for it",
    ),
    ("reqwest", &[], "only fetch asks for HTTP"),
    ("ureq", &[], "only fetch asks for HTTP"),
    ("isahc", &[], "only fetch asks for HTTP"),
    ("curl", &[], "only fetch asks for HTTP"),
    ("minreq", &[], "only fetch asks for HTTP"),
    ("attohttpc", &[], "only fetch asks for HTTP"),
    ("tower-http", &["api"], "only api speaks HTTP to people"),
    ("utoipa", &["api"], "only api describes the HTTP surface"),
];

/// Third-party crates that no sans-IO crate may use, in whatever role.
const NOT_SANS_IO: &[&str] = &[
    "tokio",
    "mio",
    "async-std",
    "futures-util",
    "socket2",
    "libc",
    "tracing",
    "log",
    "rayon",
    "crossbeam-channel",
    "getrandom",
    "chrono",
];

#[derive(Debug, Clone)]
pub(crate) struct Crate {
    /// Folder name: `sip`, `server`, `interop`.
    pub(crate) folder: String,
    pub(crate) manifest: String,
    /// Folders of siblings, and names of third-party crates.
    pub(crate) siblings: Vec<String>,
    pub(crate) others: Vec<String>,
}

pub(crate) fn read(root: &Path) -> Result<Vec<Crate>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    parse(&serde_json::from_slice(&output.stdout)?, root)
}

pub(crate) fn parse(metadata: &Value, root: &Path) -> Result<Vec<Crate>> {
    let packages = metadata["packages"].as_array().context("packages")?;
    packages.iter().map(|p| one(p, root)).collect()
}

fn one(package: &Value, root: &Path) -> Result<Crate> {
    let manifest = Path::new(package["manifest_path"].as_str().context("manifest_path")?);
    let folder = folder_of(manifest.parent().context("manifest in a folder")?)?;
    let mut made = Crate {
        folder,
        manifest: manifest
            .strip_prefix(root)
            .unwrap_or(manifest)
            .display()
            .to_string(),
        siblings: vec![],
        others: vec![],
    };
    for dependency in package["dependencies"].as_array().context("dependencies")? {
        match dependency["path"].as_str() {
            Some(path) => made.siblings.push(folder_of(Path::new(path))?),
            None => made
                .others
                .push(dependency["name"].as_str().context("name")?.to_string()),
        }
    }
    Ok(made)
}

fn folder_of(path: &Path) -> Result<String> {
    let name = path.file_name().context("a crate lies in a folder")?;
    Ok(name.to_string_lossy().into_owned())
}

pub(crate) fn check(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for c in crates {
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(folder, _)| *folder == c.folder) else {
            findings.push(Finding::new(
                "crate-edge",
                &c.manifest,
                0,
                format!("crate {} has no row in xtask/src/tidy/edges.rs", c.folder),
            ));
            continue;
        };
        for sibling in &c.siblings {
            // A crate's tests may turn on a feature of their own crate.
            if *sibling != c.folder && !allowed.contains(&sibling.as_str()) {
                findings.push(Finding::new(
                    "crate-edge",
                    &c.manifest,
                    0,
                    format!("{} may not depend on {sibling}", c.folder),
                ));
            }
        }
        findings.extend(c.others.iter().filter_map(|name| third_party(c, name)));
    }
    findings
}

fn third_party(c: &Crate, name: &str) -> Option<Finding> {
    if SANS_IO.contains(&c.folder.as_str()) && NOT_SANS_IO.contains(&name) {
        let what = format!("{} is sans-IO and may not use {name}", c.folder);
        return Some(Finding::new("crate-edge", &c.manifest, 0, what));
    }
    let (_, _, why) = RESERVED
        .iter()
        .find(|(reserved, owners, _)| *reserved == name && !owners.contains(&c.folder.as_str()))?;
    let what = format!("{} may not use {name}: {why}", c.folder);
    Some(Finding::new("crate-edge", &c.manifest, 0, what))
}
