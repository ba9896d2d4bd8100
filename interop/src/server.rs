//! One running Crosspoint on ports of its own, with a data folder of its own.

use crate::events::{self, Trail};
use crate::http::{Http, Response};
use crate::process::Process;
use crate::{ports, wait};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

pub const ADMIN: (&str, &str) = ("admin@interop.test", "a long enough password");
/// Runs the node; administrators of a tenant may not.
pub const OPERATOR: (&str, &str) = ("operator@interop.test", "another long password");
pub const DOMAIN: &str = "interop.test";
/// Media ports a server gets; each call leg takes two, each of two workers binds 256 pairs at once.
const MEDIA_PORTS: u16 = 1_100;
/// "Healthy within 2 s of its start" on a quiet machine; tests share theirs.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The `crosspoint` binary: `CP_BIN`, or built once by cargo.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("CP_BIN") {
            return path.into();
        }
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build
            .args([
                "build",
                "--quiet",
                "--package",
                "crosspoint",
                "--bin",
                "crosspoint",
            ])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let status = build.status().expect("cargo starts");
        assert!(status.success(), "crosspoint does not build");
        // This test runs from target/<profile>/deps.
        let exe = std::env::current_exe().expect("path of this test");
        let profile = exe
            .ancestors()
            .nth(2)
            .expect("target/<profile>/deps/<test>");
        let path = profile.join("crosspoint");
        assert!(path.exists(), "no {}", path.display());
        path
    })
}

pub struct Server {
    process: Option<Process>,
    /// Where SIP is served, UDP and TCP.
    pub sip: SocketAddr,
    pub http: Http,
    folder: TempDir,
    media_ports: String,
    settings: Vec<(String, String)>,
}

impl Server {
    /// Starts with a provisioning document and waits until it is healthy.
    pub fn start(provision: &Value) -> Self {
        Self::start_with(provision, &[])
    }

    /// [`Server::start`] with further `CROSSPOINT_*` settings.
    pub fn start_with(provision: &Value, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("cp")
            .tempdir()
            .expect("a temporary folder");
        let file = folder.path().join("provision.json");
        std::fs::write(&file, provision.to_string()).expect("write the provisioning file");
        let own = settings
            .iter()
            .find(|(k, _)| *k == "CROSSPOINT_MEDIA_PORTS");
        let media_ports =
            own.map_or_else(|| media_ports(MEDIA_PORTS), |(_, range)| range.to_string());
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut server = Self {
            process: None,
            sip: local(ports::one()),
            http: Http::new(local(ports::one())),
            folder,
            media_ports,
            settings: settings
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        };
        server.launch();
        server.sign_in(ADMIN.0, ADMIN.1);
        server
    }

    fn launch(&mut self) {
        let mut command = Command::new(binary());
        command
            .arg("serve")
            .current_dir(self.folder.path())
            .env("CROSSPOINT_HTTP_LISTEN", self.http.addr.to_string())
            .env("CROSSPOINT_SIP_UDP", self.sip.to_string())
            .env("CROSSPOINT_SIP_TCP", self.sip.to_string())
            .env("CROSSPOINT_DATA", self.folder.path().join("data"))
            .env("CROSSPOINT_MEDIA_ADDRESS", "127.0.0.1")
            .env("CROSSPOINT_MEDIA_PORTS", &self.media_ports)
            .env(
                "CROSSPOINT_PROVISION",
                self.folder.path().join("provision.json"),
            )
            .envs(self.settings.iter().map(|(k, v)| (k, v)));
        self.process = Some(Process::start(
            "crosspoint",
            self.folder.path(),
            &mut command,
        ));
        wait::until_within(START_LIMIT, "GET /healthz answers 200", || {
            assert!(self.is_running(), "crosspoint ended: {}", self.log_tail());
            let answer = self.http.get("/healthz").ok()?;
            (answer.status == 200).then_some(())
        });
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The running program, for signals and its end.
    ///
    /// # Panics
    /// When it is not running.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a started server")
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    pub fn log_tail(&self) -> String {
        self.process
            .as_ref()
            .map(Process::log_tail)
            .unwrap_or_default()
    }

    /// `kill -9`, and start again on the same data.
    pub fn crash_and_restart(&mut self) {
        self.crash_meanwhile(|_| ());
    }

    /// [`Server::crash_and_restart`] with other settings from now on.
    pub fn crash_with(&mut self, settings: &[(&str, &str)]) {
        for (name, value) in settings {
            self.settings.retain(|(n, _)| n != name);
            self.settings.push((name.to_string(), value.to_string()));
        }
        self.crash_and_restart();
    }

    /// [`Server::crash_and_restart`]; something is done to the data folder before the start.
    pub fn crash_meanwhile(&mut self, to: impl FnOnce(&Path)) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
        to(self.folder.path());
        self.launch();
        self.http.headers.clear();
        self.sign_in(ADMIN.0, ADMIN.1);
    }

    /// Opens a session and keeps it for later requests.
    pub fn sign_in(&mut self, email: &str, password: &str) {
        self.http.headers = self.session(email, password);
    }

    /// The header that carries a session of this person.
    ///
    /// # Panics
    /// When the server does not let them in.
    pub fn session(&self, login: &str, password: &str) -> Vec<(String, String)> {
        let body = json!({"login": login, "password": password, "kind": "token"});
        let answer = Http::new(self.http.addr).post("/v1/sessions", &body);
        let answer = answer.expect("POST /v1/sessions");
        assert_eq!(answer.status, 201, "sign in: {}", answer.text());
        let view = answer.json();
        let token = view["token"].as_str().expect("a token for programs");
        vec![("Authorization".into(), format!("Bearer {token}"))]
    }

    /// A client signed in as somebody else.
    pub fn client(&self, email: &str, password: &str) -> Http {
        Http {
            addr: self.http.addr,
            headers: self.session(email, password),
        }
    }

    pub fn get(&self, path: &str) -> Value {
        let answer = self
            .http
            .get(path)
            .unwrap_or_else(|e| panic!("GET {path}: {e}"));
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        let answer = self.http.post(path, body);
        answer.unwrap_or_else(|e| panic!("POST {path}: {e}"))
    }

    /// [`Server::post`] that must succeed; the body of the answer.
    pub fn command(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body);
        assert!(
            answer.status < 300,
            "POST {path} {body}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    /// Id of the row of a collection (`phones`, `queues`, `agents` …) whose `field` is `value`.
    ///
    /// # Panics
    /// When there is none.
    pub fn id_of(&self, collection: &str, field: &str, value: &str) -> String {
        let page = self.get(&format!("/v1/{collection}?limit=200"));
        let rows = events::items(&page);
        let row = rows.iter().find(|r| r[field] == value);
        let id = row.and_then(|r| r["id"].as_str());
        id.unwrap_or_else(|| panic!("no {field} {value} in {collection}: {page}"))
            .to_string()
    }

    /// The event trails of all interactions, oldest first.
    pub fn trails(&self) -> Vec<Trail> {
        let mut ids: Vec<String> = events::items(&self.get("/v1/interactions?limit=200"))
            .iter()
            .filter_map(|i| i["id"].as_str().map(str::to_string))
            .collect();
        ids.sort(); // ids sort by time
        ids.iter().map(|id| self.trail(id)).collect()
    }

    pub fn trail(&self, interaction: &str) -> Trail {
        let page = self.get(&format!("/v1/interactions/{interaction}/events?limit=1000"));
        Trail {
            interaction: interaction.to_string(),
            events: events::items(&page),
        }
    }

    /// Waits for an interaction whose trail fits.
    pub fn wait_trail(&self, what: &str, fits: impl Fn(&Trail) -> bool) -> Trail {
        let mut seen = Vec::new();
        let found = wait::try_until(wait::PATIENCE, || {
            seen = self.trails();
            seen.iter().find(|t| fits(t)).cloned()
        });
        found.unwrap_or_else(|| {
            let kinds: Vec<_> = seen.iter().map(|t| (&t.interaction, t.kinds())).collect();
            panic!(
                "no interaction with {what} in {kinds:#?}\n{}",
                self.log_tail()
            )
        })
    }

    /// Waits for the end of the only interaction there is.
    pub fn wait_only_trail(&self) -> Trail {
        let trail = self.wait_trail("an end", Trail::is_over);
        assert_eq!(self.trails().len(), 1, "one interaction");
        trail
    }

    /// `sip:user@domain` as phones of the tenant dial it.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{DOMAIN}")
    }
}

/// A free range of so many media ports, as the setting has it.
pub fn media_ports(count: u16) -> String {
    let first = ports::block(count + 1);
    let first = first + first % 2;
    format!("{first}-{}", first + count - 1)
}

/// One value of `/metrics`; labels as they are printed, if any.
pub fn metric(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|l| {
        l.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '{']))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

/// A tenant `interop.test` with an administrator and nothing else; tests add what they need.
pub fn tenant(parts: Value) -> Value {
    let mut tenant = json!({
        "name": "Interop",
        "domain": DOMAIN,
        "admin": {"email": ADMIN.0, "password": ADMIN.1},
        "users": [{"email": OPERATOR.0, "password": OPERATOR.1, "role": "operator"}],
    });
    if let (Some(tenant), Value::Object(parts)) = (tenant.as_object_mut(), parts) {
        tenant.extend(parts);
    }
    json!({"tenants": [tenant]})
}

/// A phone row for [`tenant`]; its password is `pw-<user>`.
pub fn phone(user: &str) -> Value {
    json!({"user": user, "password": password(user), "name": format!("Phone {user}")})
}

pub fn password(user: &str) -> String {
    format!("pw-{user}")
}

/// A number that trunks may reach.
pub fn number(number: &str, destination: Value) -> Value {
    json!({"number": number, "name": number, "public": true, "destination": destination})
}

/// A trunk known by its source address; calls leave to `host`.
pub fn trunk(name: &str, networks: &[&str], host: &str) -> Value {
    json!({
        "name": name,
        "auth": {"by": "address", "networks": networks},
        "host": host,
        "transport": "udp",
        "dial_prefixes": [""],
    })
}
