//! Configuration: defaults, then a TOML file, then `CROSSPOINT_*` of the environment.
//!
//! One list of keys drives reading, `crosspoint check` and the sample file. Everything wrong is
//! found in one go: unknown keys, wrong types, values out of range, values that contradict.

mod customers;
mod file;
mod keys;

pub use keys::KEYS;

use crate::customers::mail::MailConfig;
use crate::customers::sms::SmsConfig;
use cp_fetch::Allowed;
use cp_store::Durability;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// What is wrong with one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub key: String,
    /// Of the file, from 1, when it stands there.
    pub line: Option<usize>,
    pub what: String,
}

/// Everything that is wrong, in the order of the keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        write!(
            f,
            "the configuration has {n} error{}:",
            if n == 1 { "" } else { "s" }
        )?;
        for p in &self.0 {
            match p.line {
                Some(line) => write!(f, "\n  {}: {} (line {line})", p.key, p.what)?,
                None => write!(f, "\n  {}: {}", p.key, p.what)?,
            }
        }
        Ok(())
    }
}
impl std::error::Error for Problems {}

#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pub data: PathBuf,
    pub provision: Option<PathBuf>,
    pub durability: Durability,
    pub http_listen: SocketAddr,
    pub http_tls: bool,
    pub http_origins: Vec<String>,
    pub http_behind_proxy: bool,
    pub http_step_up_s: u64,
    pub http_leaked_passwords: Option<PathBuf>,
    pub uploads_scanner: String,
    pub uploads_scan_required: bool,
    /// Keys themselves, from the environment; they win over the file.
    pub secrets_key: String,
    pub secrets_key_file: Option<PathBuf>,
    pub sip_udp: Vec<SocketAddr>,
    pub sip_tcp: Vec<SocketAddr>,
    pub sip_tls: Vec<SocketAddr>,
    pub sip_ws: Vec<SocketAddr>,
    pub sip_wss: Vec<SocketAddr>,
    /// What peers are told when we listen on all addresses.
    pub sip_advertised: Option<IpAddr>,
    pub sip_certificate: Option<PathBuf>,
    pub sip_key: Option<PathBuf>,
    pub sip_client_authorities: Option<PathBuf>,
    pub sip_server_authorities: Option<PathBuf>,
    pub session_expires_s: u32,
    pub interactions_max: usize,
    pub media_address: IpAddr,
    pub media_advertised: Option<IpAddr>,
    pub media_ports: RangeInclusive<u16>,
    pub media_workers: Option<usize>,
    pub media_silent_ms: u64,
    pub webrtc_port: WebRtcPort,
    pub webrtc_advertised: Vec<IpAddr>,
    pub webrtc_tcp: bool,
    pub webrtc_turn: Vec<String>,
    pub webrtc_turn_secret: Option<String>,
    pub webrtc_turn_ttl_s: u64,
    pub speech_voice: String,
    pub speech_command: String,
    pub log_filter: String,
    pub log_json: bool,
    pub otlp_endpoint: Option<String>,
    pub drain_ms_max: u64,
    /// Targets beside the public internet that Crosspoint may fetch from.
    pub fetch_allow: Vec<Allowed>,
    pub fetch_authorities: Option<PathBuf>,
    pub emergency_live: bool,
    /// The demo's shop page is served.
    pub demo_shop: bool,
    /// Where customers' browsers reach this server; none: `http://localhost` and the port.
    pub public_url: Option<String>,
    pub mail: Option<MailConfig>,
    pub sms: Option<SmsConfig>,
    /// Whom to believe about callers (PEM); without it no Identity header is verified.
    pub identity_roots: Option<PathBuf>,
    pub identity_revocations: Option<PathBuf>,
    pub identity_revocations_url: String,
    pub identity_revocations_signer: Option<PathBuf>,
    pub identity_public_url: String,
    pub card_content_ms_max: u64,
    pub identity_freshness_s: u64,
    pub identity_wait_ms_max: u64,
    pub identity_forward_threshold_pct: f64,
    pub identity_forward_calls_min: u32,
    pub identity_forward_retention_s: u64,
    pub fetch_hosts: Vec<Host>,
    pub fetch_name_servers: Vec<SocketAddr>,
}

/// A name and its address, as `name=address`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    pub name: String,
    pub addr: IpAddr,
}

impl FromStr for Host {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, addr) = text.split_once('=').ok_or(())?;
        Ok(Self {
            name: name.trim().to_ascii_lowercase(),
            addr: addr.trim().parse().map_err(|_| ())?,
        })
    }
}

/// Values by key as text, with where each came from.
struct Reader {
    values: BTreeMap<String, String>,
    /// Where in the file a value stands.
    lines: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

impl Reader {
    fn text(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }
    fn problem(&mut self, key: &str, what: impl Into<String>) {
        self.problems.push(Problem {
            key: key.to_string(),
            line: self.lines.get(key).copied(),
            what: what.into(),
        });
    }
    fn parse<T: FromStr>(&mut self, key: &str, fallback: T, wanted: &str) -> T {
        let text = self.text(key).to_string();
        match text.parse() {
            Ok(v) => v,
            Err(_) => {
                self.problem(key, format!("{text:?} is not {wanted}"));
                fallback
            }
        }
    }
    fn optional<T: FromStr>(&mut self, key: &str, wanted: &str) -> Option<T> {
        let text = self.text(key).to_string();
        if text.is_empty() {
            return None;
        }
        match text.parse() {
            Ok(v) => Some(v),
            Err(_) => {
                self.problem(key, format!("{text:?} is not {wanted}"));
                None
            }
        }
    }
    fn bool(&mut self, key: &str) -> bool {
        self.parse(key, false, "true or false")
    }
    fn list<T: FromStr>(&mut self, key: &str, wanted: &str) -> Vec<T> {
        let text = self.text(key).to_string();
        let mut out = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match part.parse() {
                Ok(v) => out.push(v),
                Err(_) => self.problem(key, format!("{part:?} is not {wanted}")),
            }
        }
        out
    }
    fn file(&mut self, key: &str) -> Option<PathBuf> {
        let path: Option<PathBuf> = self.optional(key, "a path");
        if let Some(p) = &path
            && !p.is_file()
        {
            let what = format!("{} is not a file", p.display());
            self.problem(key, what);
        }
        path
    }
    fn bounded(&mut self, key: &str, fallback: u64, range: RangeInclusive<u64>) -> u64 {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        let v = self.parse(key, fallback, &wanted);
        if range.contains(&v) {
            v
        } else {
            self.problem(key, format!("{v} is not {wanted}"));
            fallback
        }
    }
}

impl Config {
    /// Reads a TOML text (empty: only defaults) and the environment.
    pub fn load(
        toml: &str,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut values: BTreeMap<String, String> = KEYS
            .iter()
            .map(|(k, d, _)| (k.to_string(), d.to_string()))
            .collect();
        let (settings, mut problems) = file::read(toml);
        let mut lines = BTreeMap::new();
        for s in settings {
            lines.insert(s.key.clone(), s.line);
            values.insert(s.key, s.value);
        }
        for (name, value) in env {
            let Some(rest) = name.strip_prefix("CROSSPOINT_") else {
                continue;
            };
            let key = values
                .keys()
                .find(|k| k.replace('.', "_").eq_ignore_ascii_case(rest))
                .cloned();
            match key {
                Some(key) => {
                    lines.remove(&key);
                    values.insert(key, value);
                }
                None => problems.push(Problem {
                    key: name.clone(),
                    line: None,
                    what: "is not a setting of Crosspoint".into(),
                }),
            }
        }
        let mut r = Reader {
            values,
            lines,
            problems,
        };
        let config = Self::build(&mut r);
        if r.problems.is_empty() {
            Ok(config)
        } else {
            Err(Problems(r.problems))
        }
    }

    fn build(r: &mut Reader) -> Self {
        let durability = match r.text("durability") {
            "full" => Durability::Full,
            "os" => Durability::Os,
            other => {
                let what = format!("{other:?} is neither full nor os");
                r.problem("durability", what);
                Durability::Full
            }
        };
        let address = "an address with port, such as 0.0.0.0:5060";
        let mut config = Self {
            data: PathBuf::from(r.text("data")),
            provision: r.file("provision"),
            durability,
            http_listen: r.parse(
                "http.listen",
                ([127, 0, 0, 1], 8080).into(),
                "an address with port",
            ),
            http_tls: r.bool("http.tls"),
            http_origins: origins(r),
            http_behind_proxy: r.bool("http.behind_proxy"),
            http_step_up_s: r.bounded("http.step_up_s", 900, 5..=86_400),
            http_leaked_passwords: r.file("http.leaked_passwords"),
            uploads_scanner: r.text("uploads.scanner").to_string(),
            uploads_scan_required: r.bool("uploads.scan_required"),
            secrets_key: r.text("secrets.key").to_string(),
            secrets_key_file: r.optional("secrets.key_file", "a path"),
            sip_udp: r.list("sip.udp", address),
            sip_tcp: r.list("sip.tcp", address),
            sip_tls: r.list("sip.tls", address),
            sip_ws: r.list("sip.ws", address),
            sip_wss: r.list("sip.wss", address),
            sip_advertised: r.optional("sip.advertised", "an IP address"),
            sip_certificate: r.file("sip.certificate"),
            sip_key: r.file("sip.key"),
            sip_client_authorities: r.file("sip.client_authorities"),
            sip_server_authorities: r.file("sip.server_authorities"),
            session_expires_s: r.bounded("sip.session_expires_s", 1_800, 0..=86_400) as u32,
            interactions_max: r.bounded("sip.interactions_max", 200_000, 1..=1_000_000) as usize,
            media_address: r.parse("media.address", [0, 0, 0, 0].into(), "an IP address"),
            media_advertised: r.optional("media.advertised", "an IP address"),
            media_ports: 10_000..=30_000,
            media_workers: r.optional("media.workers", "a number of threads"),
            media_silent_ms: r.bounded("media.silent_ms", 20_000, 1_000..=3_600_000),
            webrtc_port: webrtc_port(r),
            webrtc_advertised: r.list("webrtc.advertised", "an IP address"),
            webrtc_tcp: r.bool("webrtc.tcp"),
            webrtc_turn: r.list("webrtc.turn", "a URL"),
            webrtc_turn_secret: r.optional("webrtc.turn_secret", "a text"),
            webrtc_turn_ttl_s: r.bounded("webrtc.turn_ttl_s", 3_600, 60..=86_400),
            speech_voice: r.text("speech.voice").to_string(),
            speech_command: r.text("speech.command").to_string(),
            log_filter: r.text("log.filter").to_string(),
            log_json: r.bool("log.json"),
            otlp_endpoint: r.optional("otlp.endpoint", "a URL"),
            fetch_allow: r.list(
                "fetch.allow",
                "a host, host:port or network such as 10.1.0.0/16",
            ),
            fetch_authorities: r.file("fetch.authorities"),
            drain_ms_max: r.bounded("drain_ms_max", 30_000, 0..=3_600_000),
            emergency_live: r.bool("emergency.live"),
            demo_shop: false,
            identity_roots: r.file("identity.roots"),
            identity_revocations: r.file("identity.revocations"),
            identity_revocations_url: r.text("identity.revocations_url").to_string(),
            identity_revocations_signer: r.file("identity.revocations_signer"),
            identity_public_url: r.text("identity.public_url").to_string(),
            card_content_ms_max: r.bounded("card.content_ms_max", 800, 0..=10_000),
            identity_freshness_s: r.bounded("identity.freshness_s", 60, 15..=300),
            identity_wait_ms_max: r.bounded("identity.wait_ms_max", 1_500, 0..=2_000),
            identity_forward_threshold_pct: r.parse(
                "identity.forward_threshold_pct",
                5.0,
                "a percentage",
            ),
            identity_forward_calls_min: r.bounded("identity.forward_calls_min", 5, 1..=100) as u32,
            identity_forward_retention_s: r.bounded(
                "identity.forward_retention_s",
                120,
                10..=10_800,
            ),
            fetch_hosts: r.list("fetch.hosts", "name=address"),
            fetch_name_servers: r.list("fetch.name_servers", "an address with port"),
            public_url: customers::url(r, "http.public_url"),
            mail: customers::mail(r),
            sms: customers::sms(r),
        };
        config.media_ports = ports(r);
        config.cross_check(r);
        config
    }

    /// What is right by itself and wrong together.
    fn cross_check(&self, r: &mut Reader) {
        let secure = !self.sip_tls.is_empty() || !self.sip_wss.is_empty();
        if secure && (self.sip_certificate.is_none() || self.sip_key.is_none()) {
            r.problem(
                "sip.certificate",
                "tls and wss need sip.certificate and sip.key",
            );
        }
        if self.sip_udp.is_empty() && self.sip_tcp.is_empty() && !secure && self.sip_ws.is_empty() {
            r.problem("sip.udp", "nothing is listened on for SIP");
        }
        if self.session_expires_s != 0 && self.session_expires_s < 90 {
            r.problem(
                "sip.session_expires_s",
                "is below 90, the least RFC 4028 allows",
            );
        }
        if let Some(n) = self.media_workers
            && (n == 0 || n > 256)
        {
            r.problem("media.workers", "must be 1 to 256");
        }
        let url = &self.identity_public_url;
        if !url.is_empty() && cp_identity::fetch::check_url(url).is_err() {
            r.problem(
                "identity.public_url",
                "must be https://name or https://name:8443; verifiers fetch from nothing else",
            );
        }
        let url = &self.identity_revocations_url;
        if !url.is_empty() && cp_identity::fetch::check_url(url).is_err() {
            let wanted = "must be https://name or https://name:8443 with a path";
            r.problem("identity.revocations_url", wanted);
        }
        let lists = usize::from(self.identity_revocations.is_some()) + usize::from(!url.is_empty());
        if lists != usize::from(self.identity_revocations_signer.is_some()) {
            let wanted =
                "a list (a file or an address) and identity.revocations_signer go together";
            r.problem("identity.revocations", wanted);
        }
        if !(0.0..=100.0).contains(&self.identity_forward_threshold_pct) {
            r.problem("identity.forward_threshold_pct", "must be 0 to 100");
        }
        if let Some(url) = &self.otlp_endpoint
            && !url.starts_with("http://")
        {
            r.problem(
                "otlp.endpoint",
                "must start with http://; a collector beside us passes on over TLS",
            );
        }
    }

    /// A commented file with every key at its default.
    pub fn sample() -> String {
        let mut text = String::from(
            "# Crosspoint. Each key can also be set in the environment: http.listen is CROSSPOINT_HTTP_LISTEN.\n",
        );
        let mut section = "";
        for (key, default, what) in KEYS {
            let (s, name) = key.split_once('.').unwrap_or(("", key));
            if s.is_empty() && !section.is_empty() {
                continue;
            }
            if s != section {
                text.push_str(&format!("\n[{s}]\n"));
                section = s;
            }
            text.push_str(&format!("# {what}\n# {name} = {default:?}\n"));
        }
        text
    }
}

/// Scheme, host and port, as a browser's Origin header spells it.
fn origins(r: &mut Reader) -> Vec<String> {
    let origins: Vec<String> = r.list("http.origins", "an origin");
    for origin in &origins {
        let rest = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let fine = |h: &str| !h.is_empty() && !h.contains(['/', '?', '#', '@', '*', ' ']);
        if !rest.is_some_and(fine) || origin.to_ascii_lowercase() != *origin {
            let what = format!(
                "{origin:?} is not an origin such as https://desk.example (lower case, no path)"
            );
            r.problem("http.origins", what);
        }
    }
    origins
}

/// Which port browsers come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WebRtcPort {
    Off,
    /// The usual one, or any when that is taken.
    Auto,
    Fixed(u16),
}

/// The usual port for browsers.
pub const WEBRTC_PORT: u16 = 40_000;

fn webrtc_port(r: &mut Reader) -> WebRtcPort {
    let text = r.text("webrtc.port").to_string();
    match (text.as_str(), text.parse()) {
        ("off", _) => WebRtcPort::Off,
        ("auto", _) => WebRtcPort::Auto,
        (_, Ok(port)) => WebRtcPort::Fixed(port),
        _ => {
            let what = format!("{text:?} is neither auto, off nor a port");
            r.problem("webrtc.port", what);
            WebRtcPort::Auto
        }
    }
}

fn ports(r: &mut Reader) -> RangeInclusive<u16> {
    let text = r.text("media.ports").to_string();
    let parsed = text
        .split_once('-')
        .and_then(|(a, b)| Some((a.trim().parse::<u16>().ok()?, b.trim().parse::<u16>().ok()?)));
    match parsed {
        Some((a, b)) if a >= 1024 && b > a => a..=b,
        _ => {
            r.problem(
                "media.ports",
                format!("{text:?} is not a range such as 10000-30000 above 1023"),
            );
            10_000..=30_000
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, env: &[(&str, &str)]) -> Result<Config, Problems> {
        Config::load(
            toml,
            env.iter().map(|(a, b)| (a.to_string(), b.to_string())),
        )
    }

    #[test]
    fn needs_nothing() {
        let c = load("", &[]).unwrap();
        assert_eq!(c.http_listen.to_string(), "127.0.0.1:8080");
        assert_eq!(c.sip_udp, vec!["0.0.0.0:5060".parse().unwrap()]);
        assert_eq!(c.durability, Durability::Full);
        assert!(!c.emergency_live);
    }

    #[test]
    fn environment_beats_file_beats_default() {
        let file = "data = \"/a\"\n[http]\nlisten = \"127.0.0.1:1\"\n[sip]\nudp = [\"127.0.0.1:2\", \"127.0.0.1:3\"]\n";
        let c = load(
            file,
            &[("CROSSPOINT_HTTP_LISTEN", "127.0.0.1:9"), ("HOME", "/x")],
        )
        .unwrap();
        assert_eq!(c.http_listen.port(), 9);
        assert_eq!(c.sip_udp.len(), 2);
        assert_eq!(c.data, PathBuf::from("/a"));
    }

    #[test]
    fn ten_errors_are_ten_lines() {
        let file = "durability = \"some\"\nnonsense = 1\n[http]\nlisten = \"here\"\ntls = \"maybe\"\n[sip]\nudp = \"5060\"\ntls = \"0.0.0.0:5061\"\nsession_expires_s = 5\n[media]\nports = \"9-3\"\nworkers = 0\nsilent_ms = 1\n";
        let problems = load(file, &[]).unwrap_err();
        let keys: Vec<&str> = problems.0.iter().map(|p| p.key.as_str()).collect();
        for key in [
            "durability",
            "nonsense",
            "http.listen",
            "http.tls",
            "sip.udp",
            "sip.certificate",
            "sip.session_expires_s",
            "media.ports",
            "media.workers",
            "media.silent_ms",
        ] {
            assert!(keys.contains(&key), "{key} is missing in {keys:?}");
        }
        assert_eq!(keys.len(), 10, "{problems}");
        assert!(
            problems
                .to_string()
                .starts_with("the configuration has 10 errors:")
        );
    }

    #[test]
    fn origins_are_whole_and_nothing_else() {
        let c = load("[http]\norigins = [\"https://a.example\", \"http://b.example:8443\"]\nbehind_proxy = true\n", &[]).unwrap();
        assert_eq!(c.http_origins.len(), 2);
        assert!(c.http_behind_proxy);
        for bad in [
            "desk.example",
            "https://",
            "https://a.example/",
            "https://*.example",
            "https://A.example",
            "ftp://a",
        ] {
            let file = format!("[http]\norigins = {bad:?}\n");
            assert_eq!(load(&file, &[]).unwrap_err().0.len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_slip_is_recognised() {
        let problems = load("[http]\nlisen = \"127.0.0.1:1\"\n", &[]).unwrap_err();
        assert!(
            problems.to_string().contains("did you mean http.listen?"),
            "{problems}"
        );
        let problems = load("", &[("CROSSPOINT_HTPP_LISTEN", "x")]).unwrap_err();
        assert_eq!(problems.0.len(), 1);
    }

    #[test]
    fn the_sample_is_valid() {
        assert!(load(&Config::sample(), &[]).is_ok());
        let all: String = Config::sample()
            .lines()
            .map(|l| {
                l.strip_prefix("# ")
                    .filter(|l| l.contains(" = "))
                    .unwrap_or(l)
            })
            .collect::<Vec<_>>()
            .join("\n");
        assert!(load(&all, &[]).is_ok(), "{all}");
    }
}
