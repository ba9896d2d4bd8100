//! `crosspoint demo`: a tenant to try everything with, and callers so that the queue lives.

mod outside;
mod phones;
mod screen;
mod tenant;

use crate::config::Config;
use crate::{serve, telemetry};
use anyhow::{Context, Result};
use cp_vocab::media::Samples;
use phones::{Line, Role};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Options {
    /// TOML file, as for `serve`.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Calls per minute of the virtual callers; 0: none.
    #[arg(long, default_value_t = 3.0)]
    calls_per_minute: f64,
    /// Virtual agents who help in the support queue.
    #[arg(long, default_value_t = 3)]
    robots: u8,
    /// No live table: one line per event of interest instead.
    #[arg(long)]
    plain: bool,
}

/// What virtual callers say, over and over.
const CALLER_WORDS: &[&str] = &[
    "Hello, I would like to ask about my order. It has not arrived yet.",
    "Hi there. My invoice shows the wrong amount, can you help me with that?",
    "Good day. I want to change the address of my contract, please.",
];
const ROBOT_WORDS: &[&str] = &[
    "Hello, this is the Crosspoint demo. I am a robot agent. I am looking into it, one moment please.",
];

/// Runs the demo until it is stopped.
pub fn run(options: Options) -> Result<()> {
    let text = match &options.config {
        Some(p) => {
            std::fs::read_to_string(p).with_context(|| format!("cannot read {}", p.display()))?
        }
        None => String::new(),
    };
    let mut config = Config::load(&text, std::env::vars())?;
    // Nothing of a demo may reach the outside.
    config.emergency_live = false;
    config.demo_shop = true;
    if std::env::var_os("CROSSPOINT_LOG_FILTER").is_none() {
        config.log_filter = "warn".into();
    }
    serve::make_data_folder(&config.data)?;
    let people = tenant::people(&config.data)?;
    if config.provision.is_none() {
        config.provision = Some(tenant::provision_file(&config.data, &people)?);
    }
    telemetry::start(&config)?;
    let speech = config.clone();
    let running = serve::start(config)?;
    screen::print_welcome(&running, &people);

    let lines = start_lines(&options, &running, &people, &speech);
    let screen = screen::start(
        &running,
        options.plain,
        lines.iter().map(Line::figures).collect(),
    );
    running.wait_for_signal()?;
    screen.stop();
    for line in lines {
        line.stop();
    }
    running.stop()
}

/// The virtual phones. What fails here is said and does not stop the demo: people can still call.
fn start_lines(
    options: &Options,
    running: &serve::Running,
    people: &tenant::People,
    config: &Config,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let Some(server) = running
        .sip
        .iter()
        .find(|(t, _)| *t == cp_vocab::net::Transport::Udp)
        .map(|(_, a)| *a)
    else {
        return lines;
    };
    let mut start = |role: Role, words: &[&str], host: u8| {
        let voices: Vec<Samples> = words
            .iter()
            .filter_map(|w| crate::sounds::speak(config, w))
            .collect();
        match Line::start(role, voices, host, server.port(), running.runtime()) {
            Ok(line) => lines.push(line),
            Err(error) => eprintln!("a virtual phone could not start: {error:#}"),
        }
    };
    for robot in people.robots.iter().take(usize::from(options.robots)) {
        let role = Role::Agent {
            user: robot.user.clone(),
            password: robot.password.clone(),
        };
        start(role, ROBOT_WORDS, robot.host);
    }
    let per_minute = options.calls_per_minute;
    let every = (per_minute > 0.0).then(|| Duration::from_secs_f64(60.0 / per_minute));
    let number = tenant::SUPPORT_NUMBER.into();
    start(
        Role::Outside { number, every },
        CALLER_WORDS,
        tenant::OUTSIDE_HOST,
    );
    if let Some(outside) = lines.last()
        && outside.address().ip() == tenant::outside()
        && let Err(error) = outside::lead(running, outside.address())
    {
        eprintln!("calls to numbers outside will fail: {error:#}");
    }
    lines
}
