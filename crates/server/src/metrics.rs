//! The Prometheus page: what every part counts, collected when somebody asks.
//!
//! Numbers only. Labels are closed sets (method, status, state) or the queues that are configured;
//! nothing that callers bring makes a line.

use crate::drive::{Handle, Message};
use crate::traces;
use cp_edge::media::WorkerCounters;
use cp_edge::signalling::Counters as SignalCounters;
use cp_engine::Stats;
use cp_routing::QueueStats;
use cp_sip::ua::TableSizes;
use cp_speech::SpeechStats;
use cp_store::Store;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Queues on the page at most; a house with more reads them from the API.
pub const QUEUES_MAX: usize = 1_000;
/// How long the engine's thread may take to answer; without it the page says so and has the rest.
const ENGINE_TIME_MAX: Duration = Duration::from_secs(1);

/// SIP methods counted by name; all others are `other`.
const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "PRACK",
    "UPDATE",
    "REFER",
    "NOTIFY",
    "INFO",
    "SUBSCRIBE",
    "MESSAGE",
    "PUBLISH",
    "other",
];
/// Statuses 100 to 699.
const STATUSES: usize = 600;

/// SIP messages of one direction by method and status.
#[derive(Clone)]
pub struct SipCounts {
    requests: [u64; METHODS.len()],
    responses: Box<[u64]>,
}

impl Default for SipCounts {
    fn default() -> Self {
        Self {
            requests: [0; METHODS.len()],
            responses: vec![0; STATUSES].into(),
        }
    }
}

impl SipCounts {
    /// Counts a message by its first bytes; what is neither request nor response counts as `other`.
    pub fn count(&mut self, message: &[u8]) {
        if let Some(status) = message.strip_prefix(b"SIP/2.0 ") {
            let digits = status.get(..3).and_then(|d| std::str::from_utf8(d).ok());
            let status: Option<usize> = digits.and_then(|d| d.parse().ok());
            if let Some(n) = status.and_then(|s| self.responses.get_mut(s.wrapping_sub(100))) {
                *n += 1;
            }
            return;
        }
        // No method counted by name is longer than nine letters.
        let end = message.iter().take(10).position(|b| *b == b' ');
        let word = message.get(..end.unwrap_or(0)).unwrap_or_default();
        let found = METHODS.iter().position(|m| m.as_bytes() == word);
        self.requests[found.unwrap_or(METHODS.len() - 1)] += 1;
    }
}

/// What only the engine's thread knows; it answers [`Message::Figures`] with this.
pub struct Figures {
    pub received: SipCounts,
    pub sent: SipCounts,
    pub tables: TableSizes,
    pub queues: Vec<QueueStats>,
    pub workers: Vec<WorkerCounters>,
    pub speech: SpeechStats,
    pub batches_waiting: usize,
    pub replies_waiting: usize,
}

/// Everything the page is made of.
pub struct Sources {
    pub handle: Handle,
    pub store: Arc<dyn Store>,
    pub signalling: Arc<SignalCounters>,
    /// Set when traces are followed.
    pub traces: OnceLock<Arc<traces::Counters>>,
}

impl Sources {
    /// The whole page. Waits for the engine's thread: call it where blocking is allowed.
    pub fn page(&self) -> String {
        let (reply, answer) = sync_channel(1);
        let asked = self.handle.send(Message::Figures(reply));
        let figures = asked
            .then(|| answer.recv_timeout(ENGINE_TIME_MAX).ok())
            .flatten();
        let mut page = Page::default();
        let answers = u64::from(figures.is_some());
        page.gauge(
            "engine_answers",
            "1 when the engine's thread answered for this page.",
            answers,
        );
        self.calls(&mut page);
        self.log(&mut page);
        self.signalling(&mut page);
        if let Some(f) = &figures {
            sip(&mut page, f);
            queues(&mut page, &f.queues);
            media(&mut page, &f.workers);
            speech(&mut page, &f.speech);
        }
        if let Some(t) = self.traces.get() {
            page.counter("trace_spans_total", "Spans sent.", t.spans.load(Relaxed));
            page.counter(
                "trace_export_failures_total",
                "Batches the collector did not take.",
                t.failures.load(Relaxed),
            );
            page.counter(
                "trace_records_skipped_total",
                "Records left out because tracing was too far behind.",
                t.skipped.load(Relaxed),
            );
            page.gauge(
                "trace_records_behind",
                "Records tracing has still to look at.",
                t.behind.load(Relaxed),
            );
        }
        process(&mut page);
        page.text
    }

    fn calls(&self, page: &mut Page) {
        let shared = self.handle.shared();
        let s: Stats = shared.stats.lock().map(|s| *s).unwrap_or_default();
        page.gauge("interactions", "Interactions in memory.", s.interactions);
        page.gauge("legs", "Legs in memory.", s.legs);
        page.gauge(
            "media_ports_in_use",
            "RTP port pairs in use.",
            s.ports_in_use,
        );
        page.counter(
            "interactions_started_total",
            "Interactions started.",
            s.started,
        );
        page.counter("interactions_ended_total", "Interactions ended.", s.ended);
        page.counter(
            "calls_refused_total",
            "Calls refused before they began.",
            s.refused,
        );
        page.counter(
            "interaction_faults_total",
            "Interactions ended by a fault of ours.",
            s.faults,
        );
        page.counter(
            "sip_denied_total",
            "SIP requests denied.",
            shared.denied.load(Relaxed),
        );
        let draining = u64::from(shared.draining.load(Relaxed));
        page.gauge("draining", "1 while new calls are refused.", draining);
    }

    fn log(&self, page: &mut Page) {
        let shared = self.handle.shared();
        let f = self.store.figures();
        let held = shared.held.load(Relaxed);
        page.gauge("held_outputs", "Messages waiting for the log.", held);
        let last = shared.committed.load(Relaxed);
        page.gauge("log_position", "Last durable record of this process.", last);
        page.counter("log_records_total", "Records made durable.", f.records);
        page.counter("log_commits_total", "Transactions of the log.", f.commits);
        page.counter(
            "log_commit_failures_total",
            "Transactions that failed.",
            f.commit_failures,
        );
        page.counter(
            "log_batches_refused_total",
            "Batches refused for good.",
            f.batches_refused,
        );
        page.gauge(
            "log_records_queued",
            "Records waiting for the writer.",
            f.queued,
        );
        page.counter(
            "log_commit_seconds_total",
            "Time of all commits.",
            f.commit_us_total as f64 / 1e6,
        );
        page.gauge(
            "log_commit_seconds_max",
            "The longest commit.",
            f.commit_us_max as f64 / 1e6,
        );
        page.counter(
            "log_checkpoints_total",
            "Checkpoints of the database.",
            f.checkpoints,
        );
        page.gauge(
            "log_wal_pages",
            "Pages of the write-ahead log.",
            f.wal_pages,
        );
        let writable = u64::from(self.store.health().is_ok());
        page.gauge("store_writable", "1 while the log takes records.", writable);
    }

    fn signalling(&self, page: &mut Page) {
        let c = &self.signalling;
        let rows: [(&str, &str, &AtomicU64); 10] = [
            ("datagrams_in", "UDP datagrams received.", &c.datagrams_in),
            ("datagrams_out", "UDP datagrams sent.", &c.datagrams_out),
            (
                "datagrams_dropped",
                "UDP datagrams the kernel did not take.",
                &c.datagrams_dropped,
            ),
            (
                "messages_in",
                "SIP messages received over connections.",
                &c.messages_in,
            ),
            (
                "messages_out",
                "SIP messages sent over connections.",
                &c.messages_out,
            ),
            (
                "connections_accepted",
                "Connections accepted.",
                &c.connections_accepted,
            ),
            (
                "connections_opened",
                "Connections opened by us.",
                &c.connections_opened,
            ),
            (
                "connections_refused",
                "Connections closed at a limit.",
                &c.connections_refused,
            ),
            (
                "handshakes_failed",
                "TLS and WebSocket handshakes that failed.",
                &c.handshakes_failed,
            ),
            (
                "connections_expelled",
                "Connections closed for what they did.",
                &c.connections_expelled,
            ),
        ];
        for (name, help, value) in rows {
            page.counter(&format!("sip_{name}_total"), help, value.load(Relaxed));
        }
        let open = c.connections_open.load(Relaxed);
        page.gauge("sip_connections_open", "Connections open now.", open);
    }
}

fn sip(page: &mut Page, f: &Figures) {
    let directions = [("in", &f.received), ("out", &f.sent)];
    page.family("sip_requests_total", "counter", "SIP requests by method.");
    for (way, counts) in directions {
        for (method, n) in METHODS.iter().zip(counts.requests) {
            page.row(&[("direction", way), ("method", method)], n);
        }
    }
    page.family("sip_responses_total", "counter", "SIP responses by status.");
    for (way, counts) in directions {
        let seen = counts.responses.iter().enumerate().filter(|(_, n)| **n > 0);
        for (i, n) in seen {
            let status = (i + 100).to_string();
            page.row(&[("direction", way), ("status", &status)], *n);
        }
    }
    let t = f.tables;
    page.family("sip_table_entries", "gauge", "Entries of the SIP tables.");
    for (table, n) in [
        ("calls", t.calls),
        ("requests", t.requests),
        ("client_transactions", t.client_transactions),
        ("server_transactions", t.server_transactions),
        ("bindings", t.bindings),
        ("sources", t.sources),
        ("timers", t.timers),
    ] {
        page.row(&[("table", table)], n);
    }
    page.gauge(
        "log_batches_waiting",
        "Batches the store has not taken.",
        f.batches_waiting,
    );
    page.gauge(
        "commands_waiting",
        "Commands whose answer is outstanding.",
        f.replies_waiting,
    );
}

fn queues(page: &mut Page, queues: &[QueueStats]) {
    let mut family =
        |name: &str, kind: &'static str, help: &str, value: &dyn Fn(&QueueStats) -> f64| {
            page.family(name, kind, help);
            for q in queues {
                let id = q.queue.to_string();
                page.row(&[("queue", &id), ("name", &q.name)], value(q));
            }
        };
    family(
        "queue_waiting",
        "gauge",
        "Callers waiting, offered ones included.",
        &|q| q.waiting.into(),
    );
    family(
        "queue_ringing",
        "gauge",
        "Callers being offered to an agent.",
        &|q| q.ringing.into(),
    );
    family(
        "queue_longest_wait_seconds",
        "gauge",
        "The longest wait of those waiting.",
        &|q| q.longest_wait_ms as f64 / 1e3,
    );
    // These start again at midnight: gauges, not counters.
    family(
        "queue_answered_today",
        "gauge",
        "Answered since midnight.",
        &|q| q.answered as f64,
    );
    family(
        "queue_abandoned_today",
        "gauge",
        "Abandoned since midnight.",
        &|q| q.abandoned as f64,
    );
    family(
        "queue_overflowed_today",
        "gauge",
        "Overflowed since midnight.",
        &|q| q.overflowed as f64,
    );
    family(
        "queue_refused_today",
        "gauge",
        "Refused since midnight.",
        &|q| q.refused as f64,
    );
    family(
        "queue_service_level_ratio",
        "gauge",
        "Share of today's calls answered in time; NaN before the first.",
        &|q| q.service_level_pct.map_or(f64::NAN, |p| p / 100.0),
    );
    page.family("queue_agents", "gauge", "Agents of the queue by state.");
    for q in queues {
        let id = q.queue.to_string();
        let a = &q.agents;
        for (state, n) in [
            ("available", a.available),
            ("unreachable", a.unreachable),
            ("offered", a.offered),
            ("interacting", a.interacting),
            ("wrap_up", a.wrap_up),
            ("not_responding", a.not_responding),
            ("away", a.away),
            ("offline", a.offline),
        ] {
            page.row(&[("queue", &id), ("name", &q.name), ("state", state)], n);
        }
    }
}

fn media(page: &mut Page, workers: &[WorkerCounters]) {
    let sum = |of: &dyn Fn(&WorkerCounters) -> u64| workers.iter().map(of).sum::<u64>();
    page.gauge("media_workers", "Media threads.", workers.len());
    page.family("media_worker_legs", "gauge", "Legs by media thread.");
    for (i, w) in workers.iter().enumerate() {
        page.row(&[("worker", &i.to_string())], w.legs);
    }
    page.family(
        "media_worker_panics_total",
        "counter",
        "Faults of a media thread; its legs were lost.",
    );
    for (i, w) in workers.iter().enumerate() {
        page.row(&[("worker", &i.to_string())], w.panics);
    }
    let rows: [(&str, &str, u64); 6] = [
        (
            "media_packets_in",
            "Datagrams received.",
            sum(&|w| w.packets_in),
        ),
        (
            "media_packets_out",
            "Datagrams sent.",
            sum(&|w| w.packets_out),
        ),
        (
            "media_send_errors",
            "Datagrams the kernel refused.",
            sum(&|w| w.send_errors),
        ),
        (
            "media_rtp_received",
            "RTP packets accepted.",
            sum(&|w| w.node.received),
        ),
        ("media_rtp_sent", "RTP packets sent.", sum(&|w| w.node.sent)),
        (
            "media_rtp_relayed",
            "RTP packets passed on without decoding.",
            sum(&|w| w.node.relayed),
        ),
    ];
    for (name, help, n) in rows {
        page.counter(&format!("{name}_total"), help, n);
    }
    page.family(
        "media_rtp_discarded_total",
        "counter",
        "Packets not used, by reason.",
    );
    let discarded: [(&str, u64); 11] = [
        ("no_leg", sum(&|w| w.node.no_leg)),
        ("unwanted", sum(&|w| w.node.unwanted)),
        ("malformed", sum(&|w| w.node.malformed)),
        ("stranger", sum(&|w| w.node.stranger)),
        (
            "unknown_payload_type",
            sum(&|w| w.node.unknown_payload_type),
        ),
        ("srtp_authentication", sum(&|w| w.node.srtp_authentication)),
        ("srtp_replay", sum(&|w| w.node.srtp_replay)),
        ("duplicate", sum(&|w| w.node.duplicate)),
        ("stale", sum(&|w| w.node.stale)),
        ("flood", sum(&|w| w.node.flood)),
        ("rtcp_malformed", sum(&|w| w.node.rtcp_malformed)),
    ];
    for (reason, n) in discarded {
        page.row(&[("reason", reason)], n);
    }
}

fn speech(page: &mut Page, s: &SpeechStats) {
    page.family(
        "speech_prompts_total",
        "counter",
        "Prompts asked for, by how it went.",
    );
    for (how, n) in [
        ("ready", s.ready),
        ("pending", s.pending),
        ("spoken", s.spoken),
        ("from_disk", s.from_disk),
        ("failed", s.failed),
        ("fallback", s.fallbacks),
    ] {
        page.row(&[("how", how)], n);
    }
}

/// What the system says of this process, by the names every exporter uses. Missing where there is no `/proc`.
fn process(page: &mut Page) {
    page.prefix = "process_";
    if let Some(kib) = status_kib("VmRSS:") {
        page.gauge(
            "resident_memory_bytes",
            "Memory held.",
            kib.saturating_mul(1_024),
        );
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.gauge("open_fds", "Open files and sockets.", files.count());
    }
    page.prefix = "crosspoint_";
    page.family(
        "build_info",
        "gauge",
        "Always 1; the version is in the label.",
    );
    page.row(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn status_kib(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Writes families in the text format of Prometheus (version 0.0.4).
struct Page {
    text: String,
    prefix: &'static str,
    family: String,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            text: String::new(),
            prefix: "crosspoint_",
            family: String::new(),
        }
    }
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.family = format!("{}{name}", self.prefix);
        let name = &self.family;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn row(&mut self, labels: &[(&str, &str)], value: impl Number) {
        self.text.push_str(&self.family);
        for (i, (name, value)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {}", value.text());
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Number) {
        self.family(name, "gauge", help);
        self.row(&[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Number) {
        self.family(name, "counter", help);
        self.row(&[], value);
    }
}

/// A value of the page. Whole numbers stay whole.
trait Number {
    fn text(&self) -> String;
}
macro_rules! numbers {
    ($($t:ty),*) => {$(impl Number for $t {
        fn text(&self) -> String { self.to_string() }
    })*};
}
numbers!(u64, u32, usize, i32, f64);

/// A label's value: backslash, quote and line end are escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_their_first_line() {
        let mut c = SipCounts::default();
        for m in [
            "INVITE sip:a SIP/2.0\r\n",
            "INVITE sip:b SIP/2.0\r\n",
            "BYE sip:a SIP/2.0\r\n",
            "FANCYMETHOD sip:a SIP/2.0\r\n",
            "other x",
            "",
            "\u{0}\u{1}",
        ] {
            c.count(m.as_bytes());
        }
        for m in [
            "SIP/2.0 200 OK\r\n",
            "SIP/2.0 200",
            "SIP/2.0 20",
            "SIP/2.0 999 No",
            "SIP/2.0 099 No",
        ] {
            c.count(m.as_bytes());
        }
        assert_eq!((c.requests[0], c.requests[2]), (2, 1));
        assert_eq!(c.requests[METHODS.len() - 1], 4);
        assert_eq!(c.responses.iter().sum::<u64>(), 2);
        assert_eq!(c.responses[100], 2);
    }

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.family("x", "gauge", "An x.");
        page.row(&[("name", "a\"b\\c\nd"), ("state", "s")], 1.5);
        assert_eq!(
            page.text,
            "# HELP crosspoint_x An x.\n# TYPE crosspoint_x gauge\ncrosspoint_x{name=\"a\\\"b\\\\c\\nd\",state=\"s\"} 1.5\n"
        );
    }
}
