//! House-keeping that is code: `cargo xtask tidy`.

mod tidy;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let command = std::env::args().nth(1);
    match command.as_deref() {
        Some("tidy") => tidy::run(&root()?),
        other => bail!("usage: cargo xtask tidy (got {other:?})"),
    }
}

/// The workspace root: the folder above this crate.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("xtask lies in the workspace root")
}
