//! What the terminal shows: what to try, and then what happens.

use super::phones::Figures;
use super::tenant::{People, SUPPORT_NUMBER};
use crate::serve::Running;
use cp_vocab::event::EventRecord;
use cp_vocab::*;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Interactions shown; older ones scroll off.
const ROWS_MAX: usize = 12;
/// Records read from the log at a time.
const READ_MAX: usize = 1_000;

/// The table `make run` ends with.
pub(super) fn print_welcome(running: &Running, people: &People) {
    let url = format!("http://{}", running.http);
    let sip = running.sip.first().map(|(_, a)| *a);
    let port = sip.map_or(5060, |a| a.port());
    println!();
    println!("  Crosspoint is running.\n");
    println!("  Desktop        {url}/");
    println!("  Customer page  {url}/shop/");
    println!("  API            {url}/docs    {url}/openapi.json");
    let host = &running.sip_host;
    let here = match host.as_str() {
        "127.0.0.1" => String::new(),
        _ => format!("; on this machine also 127.0.0.1:{port}"),
    };
    println!("  SIP            {host}:{port} (UDP and TCP), domain demo.example{here}\n");
    println!(
        "  {:<19} {:<20} {:<20} {:<10} SIP password",
        "Who", "Sign in as", "Password", "Extension"
    );
    for p in &people.people {
        println!(
            "  {:<19} {:<20} {:<20} {:<10} {}",
            format!("{} ({})", p.name, short(&p.role)),
            p.email,
            p.password,
            p.extension.as_deref().unwrap_or("-"),
            p.sip_password.as_deref().unwrap_or("-"),
        );
    }
    println!("\n  Try this");
    let tips = [
        format!("Sign in as Anna at {url}/, allow the microphone, press Become available."),
        format!(
            "Open {url}/shop/ in a second tab, press Talk to us, then Call: Anna rings and sees which lamp it is about."
        ),
        "Answer with Alt A. Hold, consult, transfer; virtual callers ring too, when the robots are busy.".into(),
        "Sign in as Sofia in another browser: watch, listen, whisper, barge.".into(),
        format!(
            "With a softphone: register 1001 at {host}:{port} with Anna's SIP password, and choose Phone > Use the desk\n      phone on her page. Dial 600 support, 602 team room, 603 echo, 604 music, 605 menu."
        ),
    ];
    for (n, tip) in tips.iter().enumerate() {
        println!("   {}. {tip}", n + 1);
    }
    println!(
        "  Numbers outside are answered by a virtual carrier on this machine; nothing leaves it. The support line as"
    );
    println!("  callers dial it is {SUPPORT_NUMBER}. Stop with Ctrl+C.\n");
}

fn short(role: &str) -> &str {
    match role {
        "administrator" => "admin",
        other => other,
    }
}

pub(super) struct Screen {
    stop: tokio::sync::watch::Sender<bool>,
}

impl Screen {
    pub(super) fn stop(self) {
        self.stop.send_replace(true);
    }
}

#[derive(Default)]
struct Row {
    from: String,
    state: String,
    agent: String,
    since: Timestamp,
    over: bool,
}

/// Follows the log and shows what happens.
pub(super) fn start(running: &Running, plain: bool, lines: Vec<Arc<Figures>>) -> Screen {
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let store = running.store.clone();
    let mut commits = running.handle.shared().commits.subscribe();
    let live = !plain && std::io::stdout().is_terminal();
    running.runtime().spawn(async move {
        let mut cursor = store.head().unwrap_or(0);
        let mut board = Board::default();
        loop {
            let wait = tokio::time::timeout(Duration::from_secs(1), commits.changed());
            tokio::select! {
                _ = stopped.wait_for(|s| *s) => return,
                _ = wait => {}
            }
            let reader = store.clone();
            let from = cursor;
            let read = tokio::task::spawn_blocking(move || reader.follow(from, READ_MAX)).await;
            for (at, record) in read.ok().and_then(Result::ok).unwrap_or_default() {
                cursor = at;
                let line = board.take(&record);
                if let (false, Some(line)) = (live, line) {
                    println!("{line}");
                }
            }
            if live {
                board.draw(&lines);
            }
        }
    });
    Screen { stop }
}

#[derive(Default)]
struct Board {
    rows: BTreeMap<InteractionId, Row>,
    drawn: usize,
    agents: BTreeMap<AgentId, String>,
}

impl Board {
    /// Notes a record; the line for plain output, when it is worth one.
    fn take(&mut self, r: &EventRecord) -> Option<String> {
        let cp_vocab::event::StreamId::Interaction(id) = r.stream else {
            if let Event::RoutingStateChanged { agent, state, .. } = &r.event {
                self.agents.insert(*agent, format!("{state:?}"));
            }
            return None;
        };
        // What comes after a call scrolled off (its wrap-up, its quality) brings no empty row back.
        let row = match &r.event {
            Event::Started { .. } => self.rows.entry(id).or_default(),
            _ => self.rows.get_mut(&id)?,
        };
        let state = match &r.event {
            Event::Started { from, .. } => {
                row.from = from.expose().user().to_string();
                "called".to_string()
            }
            Event::Queued { position, .. } => format!("waiting, place {position}"),
            Event::OfferMade { agent, .. } => {
                row.agent = agent.to_string();
                "ringing an agent".to_string()
            }
            Event::Bridged { .. } => "talking".to_string(),
            Event::WrapUpStarted { .. } => "wrap-up".to_string(),
            Event::Ended { reason, .. } => {
                row.over = true;
                format!("ended: {}", reason.code())
            }
            _ => return None,
        };
        row.state = state;
        row.since = r.at;
        let line = format!("{}  {:<14} {}", r.at.to_rfc3339(), row.from, row.state);
        self.forget_old();
        Some(line)
    }

    fn forget_old(&mut self) {
        while self.rows.len() > ROWS_MAX {
            let oldest = self.rows.iter().find(|(_, r)| r.over).map(|(i, _)| *i);
            match oldest.or_else(|| self.rows.keys().next().copied()) {
                Some(id) => self.rows.remove(&id),
                None => return,
            };
        }
    }

    fn draw(&mut self, lines: &[Arc<Figures>]) {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        let placed: u64 = lines.iter().map(|l| l.placed.load(Ordering::Relaxed)).sum();
        let talking: u64 = lines
            .iter()
            .map(|l| l.talking.load(Ordering::Relaxed))
            .sum();
        text.push_str(&format!(
            "\x1b[2K  {placed} virtual calls placed, {talking} virtual phones on a call\n"
        ));
        text.push_str(&format!(
            "\x1b[2K  {:<30} {:<16} {:<26} Since (UTC)\n",
            "Interaction", "Caller", "State"
        ));
        for (id, row) in self.rows.iter().rev() {
            let since = row.since.to_rfc3339();
            text.push_str(&format!(
                "\x1b[2K  {:<30} {:<16} {:<26} {}\n",
                id.to_string(),
                row.from,
                row.state,
                since.get(11..19).unwrap_or(&since)
            ));
        }
        // Rows that are gone leave nothing below.
        text.push_str("\x1b[J");
        self.drawn = self.rows.len() + 2;
        let mut out = std::io::stdout().lock();
        // A terminal that went away is no reason to stop the server.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
