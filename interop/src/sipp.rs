//! SIPp with scenarios of our own (`interop/sipp/*.xml`).

use crate::process::Process;
use crate::{ports, wait};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// SIPp itself gives up after this.
const TIMEOUT_S: u64 = 40;

/// Settings of one SIPp run.
pub struct Sipp {
    scenario: String,
    /// Replaces `{{NAME}}` in the scenario.
    values: Vec<(String, String)>,
    local: IpAddr,
    port: u16,
    service: String,
    calls: u32,
    hold_ms: u32,
    rate: u32,
    tcp: bool,
    auth: Option<(String, String)>,
}

/// A SIPp process.
pub struct Running {
    process: Process,
    folder: TempDir,
    pub addr: SocketAddr,
}

impl Sipp {
    /// `scenario` names a file in `interop/sipp` without `.xml`.
    pub fn new(scenario: &str) -> Self {
        Self {
            scenario: scenario.to_string(),
            values: vec![],
            local: Ipv4Addr::new(127, 0, 0, 2).into(),
            port: ports::one(),
            service: "answer".into(),
            calls: 1,
            hold_ms: 300,
            rate: 50,
            tcp: false,
            auth: None,
        }
    }

    /// Replaces `{{name}}` in the scenario.
    pub fn value(mut self, name: &str, value: impl ToString) -> Self {
        self.values.push((name.to_string(), value.to_string()));
        self
    }

    /// The address it calls from (by default 127.0.0.2, the trunk of the tests).
    pub fn from(mut self, local: [u8; 4]) -> Self {
        self.local = Ipv4Addr::from(local).into();
        self
    }

    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// User part it dials.
    pub fn dial(mut self, service: &str) -> Self {
        self.service = service.to_string();
        self
    }

    pub fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    pub fn hold_ms(mut self, hold_ms: u32) -> Self {
        self.hold_ms = hold_ms;
        self
    }

    /// New calls a second.
    pub fn rate(mut self, rate: u32) -> Self {
        self.rate = rate;
        self
    }

    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    pub fn auth(mut self, user: &str, password: &str) -> Self {
        self.auth = Some((user.to_string(), password.to_string()));
        self
    }

    /// Starts it towards `target`.
    pub fn start(self, target: SocketAddr) -> Running {
        let folder = tempfile::Builder::new()
            .prefix("sipp")
            .tempdir()
            .expect("a temporary folder");
        let file = folder.path().join(format!("{}.xml", self.scenario));
        std::fs::write(&file, self.text()).expect("write the scenario");
        // SIPp takes four: audio and video, each with RTCP.
        let media = ports::block(5);
        let media = media + media % 2;
        let mut command = Command::new("sipp");
        command
            .arg(target.to_string())
            .arg("-sf")
            .arg(&file)
            .args(["-i", &self.local.to_string(), "-p", &self.port.to_string()])
            .args(["-mi", &self.local.to_string(), "-mp", &media.to_string()])
            .args(["-s", &self.service, "-m", &self.calls.to_string()])
            .args(["-d", &self.hold_ms.to_string(), "-l", "50"])
            .args(["-r", &self.rate.to_string()])
            .args(["-timeout", &TIMEOUT_S.to_string(), "-timeout_error"])
            .args(["-nostdin", "-trace_err", "-trace_msg", "-aa"])
            .args(["-message_file", "messages.log", "-error_file", "errors.log"])
            .current_dir(folder.path())
            .env("TERM", "dumb");
        if self.tcp {
            command.args(["-t", "t1"]);
        }
        if let Some((user, password)) = &self.auth {
            command.args(["-au", user, "-ap", password]);
        }
        let mut process = Process::start("sipp", folder.path(), &mut command);
        let addr = SocketAddr::new(self.local, self.port);
        // Ready when its port is taken; a callee must not miss the first call.
        wait::until("SIPp's socket", || {
            let taken = if self.tcp {
                TcpListener::bind(addr).is_err()
            } else {
                UdpSocket::bind(addr).is_err()
            };
            (taken || !process.is_running()).then_some(())
        });
        Running {
            process,
            folder,
            addr,
        }
    }

    /// Runs it to its end, which must be a good one.
    ///
    /// # Panics
    /// When a call failed; shows SIPp's errors and messages.
    pub fn run(self, target: SocketAddr) -> String {
        self.start(target).succeed()
    }

    fn text(&self) -> String {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("sipp")
            .join(format!("{}.xml", self.scenario));
        let mut text = std::fs::read_to_string(&path)
            .unwrap_or_else(|e| panic!("scenario {}: {e}", path.display()));
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        // Further header lines of the first request; most have none.
        text = text.replace("{{EXTRA}}", "");
        if let Some(at) = text.find("{{") {
            let name: String = text[at..].chars().take(30).collect();
            panic!("scenario {} has no value for {name}", self.scenario);
        }
        text
    }
}

impl Running {
    /// Waits for the end, which must be a good one; gives the messages sent and received.
    ///
    /// # Panics
    /// When a call failed; shows SIPp's errors and messages.
    pub fn succeed(mut self) -> String {
        let status = self.process.wait(Duration::from_secs(TIMEOUT_S + 10));
        let messages = self.messages();
        if !status.success() {
            let errors = self.read("errors.log");
            let from = messages.len().saturating_sub(8_000);
            let from = (from..=messages.len()).find(|i| messages.is_char_boundary(*i));
            let tail = &messages[from.unwrap_or(0)..];
            panic!("SIPp ended with {status}\n--- errors ---\n{errors}\n--- messages ---\n{tail}");
        }
        messages
    }

    /// All messages sent and received so far.
    pub fn messages(&self) -> String {
        self.read("messages.log")
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
