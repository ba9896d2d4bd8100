//! `crosspoint`: serve, demo, check, identity.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cp_server::config::Config;
use cp_server::{demo, secrets, serve};
use cp_vocab::Timestamp;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "crosspoint",
    version,
    about = "Contact-centre and call-control server"
)]
struct Args {
    #[command(subcommand)]
    command: Option<Sub>,
}

#[derive(Subcommand)]
enum Sub {
    /// Run the server (the default). Needs no argument.
    Serve {
        /// TOML file; `crosspoint sample` prints one.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Run the server with the demo tenant and callers of its own, with a live table.
    Demo(demo::Options),
    /// Read a configuration and report everything that is wrong with it.
    Check { file: Option<PathBuf> },
    /// Print a configuration file with every setting at its default.
    Sample,
    /// The keys that seal secrets in the database. Stop the server first.
    #[command(subcommand)]
    Secrets(Secrets),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Call identity: score cases, spell numbers.
    #[command(subcommand)]
    Identity(Identity),
}

#[derive(Subcommand)]
enum Secrets {
    /// Print a new key.
    NewKey,
    /// Show which key sealed how much.
    Status {
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Seal everything with a new key.
    Rotate {
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum Audit {
    /// Walk the chain of every tenant; stop the server first, or ask `GET /v1/audit-log/verification`.
    Verify {
        #[arg(long)]
        config: Option<PathBuf>,
        /// A head that was noted earlier: some chain must end there.
        #[arg(long)]
        expect: Option<String>,
    },
}

#[derive(Subcommand)]
enum Identity {
    /// Verify the cases of a file; one JSON line per case.
    Check { file: PathBuf },
    /// Numbers on standard input; one canonical form or INVALID per line.
    Canonical {
        /// Country whose dialling habits bare digits are read by (ISO 3166, two letters).
        #[arg(long, visible_alias = "default-region", default_value = "US")]
        region: String,
    },
}

fn identity(what: Identity) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match what {
        Identity::Check { file } => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            // Cases carry their own time; those without are judged by the wall clock.
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            for line in cp_identity::check::run(&text, Timestamp::from_secs(since.as_secs()))? {
                writeln!(out, "{line}")?;
            }
        }
        Identity::Canonical { region } => {
            if !region.is_empty() && cp_identity::canonical::Region::find(&region).is_none() {
                anyhow::bail!("no country {region:?}: --region takes two letters, such as GB");
            }
            // Bytes, not text: a line that is no UTF-8 is one INVALID, not the end.
            for line in std::io::stdin().lock().split(b'\n') {
                let line = String::from_utf8(line?).unwrap_or_default();
                writeln!(out, "{}", cp_identity::canonical::line(&line, &region))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn read(path: Option<&PathBuf>) -> Result<Config> {
    let text = match path {
        Some(p) => {
            std::fs::read_to_string(p).with_context(|| format!("cannot read {}", p.display()))?
        }
        None => String::new(),
    };
    let config = Config::load(&text, std::env::vars())?;
    Ok(config)
}

fn run() -> Result<()> {
    match Args::parse().command.unwrap_or(Sub::Serve { config: None }) {
        Sub::Serve { config } => serve::run(read(config.as_ref())?),
        Sub::Demo(options) => demo::run(options),
        Sub::Check { file } => {
            read(file.as_ref())?;
            println!("The configuration is valid.");
            Ok(())
        }
        Sub::Sample => {
            print!("{}", Config::sample());
            Ok(())
        }
        Sub::Identity(what) => identity(what),
        Sub::Secrets(Secrets::NewKey) => secrets::new_key(),
        Sub::Secrets(Secrets::Status { config }) => secrets::status(&read(config.as_ref())?),
        Sub::Secrets(Secrets::Rotate { config }) => secrets::rotate(&read(config.as_ref())?),
        Sub::Audit(Audit::Verify { config, expect }) => {
            secrets::verify_audit(&read(config.as_ref())?, expect.as_deref())
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("crosspoint: {e:#}");
            ExitCode::FAILURE
        }
    }
}
