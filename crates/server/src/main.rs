//! `crosspoint`: serve, demo, check.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cp_server::config::Config;
use cp_server::{demo, serve};
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
