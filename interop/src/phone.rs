//! baresip as a desk phone: a tone instead of a microphone, a file instead of an ear, driven by
//! its control socket.

use crate::process::Process;
use crate::server::{DOMAIN, Server, password};
use crate::tone::Audio;
use crate::{ports, wait};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// RTP ports a phone gets.
const RTP_PORTS: u16 = 20;
/// Audio looked at when asking what is heard.
const EAR_MS: u32 = 400;

/// How a phone is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    user: String,
    password: String,
    codecs: String,
    tone_hz: u32,
    srtp: bool,
    transport: &'static str,
    auto_answer: bool,
    register: bool,
    proxy: Option<SocketAddr>,
    domain: String,
}

/// A running baresip with one account.
pub struct Phone {
    pub user: String,
    tone_hz: u32,
    process: Process,
    folder: TempDir,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
    /// Events before this have been looked at.
    seen: usize,
}

impl Setup {
    /// A phone of the tests' tenant; it sends 1 kHz in G.711 µ-law and rings until told to answer.
    pub fn new(user: &str) -> Self {
        Self {
            user: user.to_string(),
            password: password(user),
            codecs: "PCMU".into(),
            tone_hz: 1_000,
            srtp: false,
            transport: "udp",
            auto_answer: false,
            register: true,
            proxy: None,
            domain: DOMAIN.into(),
        }
    }
    /// baresip's names: `PCMU`, `PCMA`, `G722/16000/1`, `opus/48000/2`, comma-separated.
    pub fn codecs(mut self, codecs: &str) -> Self {
        self.codecs = codecs.into();
        self
    }
    /// The tone it sends.
    pub fn tone(mut self, hz: u32) -> Self {
        self.tone_hz = hz;
        self
    }
    /// SDES-SRTP, mandatory.
    pub fn srtp(mut self) -> Self {
        self.srtp = true;
        self
    }
    pub fn tcp(mut self) -> Self {
        self.transport = "tcp";
        self
    }
    /// Answers each call at once.
    pub fn auto_answer(mut self) -> Self {
        self.auto_answer = true;
        self
    }
    pub fn unregistered(mut self) -> Self {
        self.register = false;
        self
    }
    pub fn password(mut self, password: &str) -> Self {
        self.password = password.into();
        self
    }

    /// Starts it against a Crosspoint and, unless told otherwise, waits for its registration.
    pub fn start(self, server: &Server) -> Phone {
        self.start_at(server.sip)
    }

    /// Starts it against any registrar or proxy.
    pub fn start_at(mut self, proxy: SocketAddr) -> Phone {
        self.proxy = Some(proxy);
        let register = self.register;
        let mut phone = self.launch();
        if register {
            phone.expect("REGISTER_OK");
        }
        phone
    }

    /// Starts it without looking at how its registration ends.
    pub fn launch_at(mut self, proxy: SocketAddr) -> Phone {
        self.proxy = Some(proxy);
        self.launch()
    }

    fn launch(self) -> Phone {
        // baresip builds recording names in 128 bytes: the folder's name must be short.
        let folder = tempfile::Builder::new()
            .prefix("ph")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let control = ports::one();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).expect("write a setting")
        };
        write("config", self.config(control, &folder));
        write(
            "accounts",
            "# added by command, once somebody listens\n".into(),
        );
        write("contacts", String::new());
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path());
        let mut process = Process::start("baresip", folder.path(), &mut command).impolite();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, control));
        let stream = wait::until("baresip's control socket", || {
            assert!(
                process.is_running(),
                "baresip ended: {}",
                process.log_tail()
            );
            TcpStream::connect(address).ok()
        });
        let events = Arc::new(Mutex::new(Vec::new()));
        listen(stream.try_clone().expect("a second handle"), events.clone());
        let mut phone = Phone {
            user: self.user.clone(),
            tone_hz: self.tone_hz,
            process,
            folder,
            control: stream,
            events,
            seen: 0,
        };
        // The account is registered only now, so that no event is missed.
        phone.command("uanew", &self.account());
        phone
    }

    fn account(&self) -> String {
        let proxy = self.proxy.map_or(String::new(), |p| {
            format!(";outbound=\"sip:{p};transport={}\"", self.transport)
        });
        format!(
            "<sip:{}@{};transport={}>;auth_pass={}{proxy};regint={};audio_codecs={}{}{}",
            self.user,
            self.domain,
            self.transport,
            self.password,
            if self.register { 600 } else { 0 },
            self.codecs,
            if self.srtp { ";mediaenc=srtp-mand" } else { "" },
            if self.auto_answer {
                ";answermode=auto"
            } else {
                ""
            },
        )
    }

    fn config(&self, control: u16, folder: &TempDir) -> String {
        let sip = ports::block(3);
        let rtp = ports::block(RTP_PORTS);
        format!(
            "poll_method epoll\n\
             net_interface 127.0.0.1\n\
             sip_listen 127.0.0.1:{sip}\n\
             call_local_timeout 120\n\
             call_max_calls 4\n\
             audio_source ausine,{tone}\n\
             audio_player none,none\n\
             audio_alert none,none\n\
             ausrc_srate 48000\nausrc_channels 2\n\
             auplay_srate 48000\nauplay_channels 2\n\
             audio_buffer 20-160\n\
             rtp_ports {rtp}-{rtp_end}\n\
             rtcp_enable yes\n\
             jitter_buffer_delay 0-0\n\
             module_path /usr/lib/baresip/modules\n\
             module g711.so\nmodule g722.so\nmodule opus.so\nmodule srtp.so\n\
             module ausine.so\nmodule sndfile.so\n\
             module_tmp uuid.so\nmodule_tmp account.so\n\
             module_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n\
             snd_path {path}\n",
            tone = self.tone_hz,
            rtp_end = rtp + RTP_PORTS - 1,
            path = folder.path().display(),
        )
    }
}

/// Reads netstrings with JSON until the socket closes.
fn listen(mut stream: TcpStream, events: Arc<Mutex<Vec<Value>>>) {
    std::thread::spawn(move || {
        let mut buffer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(n) = stream.read(&mut chunk) {
            if n == 0 {
                return;
            }
            buffer.extend(&chunk[..n]);
            while let Some((message, used)) = netstring(&buffer) {
                let value = serde_json::from_slice(message).unwrap_or(Value::Null);
                events.lock().expect("no panic while held").push(value);
                buffer.drain(..used);
            }
        }
    });
}

/// The first whole `length:bytes,` and how many bytes it takes.
fn netstring(buffer: &[u8]) -> Option<(&[u8], usize)> {
    let colon = buffer.iter().position(|b| *b == b':')?;
    let length: usize = std::str::from_utf8(&buffer[..colon]).ok()?.parse().ok()?;
    let end = colon + 1 + length;
    (buffer.len() > end).then(|| (&buffer[colon + 1..end], end + 1))
}

impl Phone {
    /// A registered phone with the usual settings.
    pub fn start(user: &str, server: &Server) -> Self {
        Setup::new(user).start(server)
    }

    fn command(&mut self, command: &str, parameters: &str) {
        let message = json!({"command": command, "params": parameters}).to_string();
        let framed = format!("{}:{message},", message.len());
        let sent = self.control.write_all(framed.as_bytes());
        sent.unwrap_or_else(|e| panic!("phone {}: {e}\n{}", self.user, self.process.log_tail()));
    }

    /// Dials a user of its domain, or a whole SIP URI.
    pub fn dial(&mut self, target: &str) {
        self.command("dial", target);
    }
    pub fn accept(&mut self) {
        self.command("accept", "");
    }
    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }
    /// Re-INVITE with `sendonly`.
    pub fn hold(&mut self) {
        self.command("hold", "");
    }
    pub fn resume(&mut self) {
        self.command("resume", "");
    }
    /// REFER.
    pub fn transfer(&mut self, target: &str) {
        self.command("transfer", target);
    }
    /// RFC 4733 events, one after the other.
    pub fn digits(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.command("sndcode", &digit.to_string());
            // A released key is an empty code; baresip ends the event with it.
            self.command("sndcode", "");
        }
    }

    /// Waits for the next event of a type (`CALL_INCOMING`, `CALL_RINGING`, `CALL_ESTABLISHED`,
    /// `CALL_CLOSED`, `CALL_PROGRESS`, `CALL_DTMF_START`, `REGISTER_OK`, `REGISTER_FAIL` …) after those
    /// already looked at.
    ///
    /// # Panics
    /// When it does not come; shows what came instead.
    pub fn expect(&mut self, kind: &str) -> Value {
        let found = wait::try_until(wait::PATIENCE, || self.next(kind));
        found.unwrap_or_else(|| {
            let events = self.events.lock().expect("no panic while held");
            let kinds: Vec<_> = events.iter().map(|e| &e["type"]).collect();
            panic!(
                "phone {} got no {kind}, only {kinds:?}\n{}",
                self.user,
                self.process.log_tail()
            )
        })
    }

    fn next(&mut self, kind: &str) -> Option<Value> {
        let events = self.events.lock().expect("no panic while held");
        let at = events[self.seen..].iter().position(|e| e["type"] == kind)?;
        self.seen += at + 1;
        Some(events[self.seen - 1].clone())
    }

    /// Whether such an event has come at all.
    pub fn has_seen(&self, kind: &str) -> bool {
        let events = self.events.lock().expect("no panic while held");
        events.iter().any(|e| e["type"] == kind)
    }

    /// The recording of what it hears in its newest call.
    pub fn heard(&self) -> Option<Audio> {
        Audio::read(&self.newest_recording()?, 0)
    }

    fn newest_recording(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).ok()?;
        files
            .flatten()
            .map(|f| f.path())
            .filter(|p| p.to_string_lossy().ends_with("-dec.wav"))
            .max()
    }

    /// Waits until it hears this tone and nothing else to speak of.
    pub fn hears(&self, hz: f64) {
        self.listen_for(&format!("{hz} Hz"), |a| a.has(hz));
    }

    /// Waits until it hears something that is not this tone, nor silence.
    pub fn hears_something_but(&self, hz: f64) {
        let what = format!("something but {hz} Hz");
        self.listen_for(&what, |a| {
            a.level() > crate::tone::SILENCE && a.purity(hz) < 0.2
        });
    }

    /// Waits until it hears two tones at once, and not its own.
    pub fn hears_both(&self, one: f64, other: f64) {
        let what = format!("{one} and {other} Hz");
        let own = f64::from(self.tone_hz);
        self.listen_for(&what, |a| {
            a.purity(one) > 0.2 && a.purity(other) > 0.2 && a.purity(own) < 0.05
        });
    }

    /// Waits until nothing new reaches its ear, or only silence.
    pub fn hears_nothing(&self) {
        let mut last = None;
        wait::until(&format!("silence at phone {}", self.user), || {
            let now = self.heard();
            let length = now.as_ref().map_or(0, |a| a.samples.len());
            let silent = now
                .and_then(|a| a.last(EAR_MS))
                .is_none_or(|a| a.level() < crate::tone::SILENCE);
            let (since, before) = *last.get_or_insert((std::time::Instant::now(), length));
            if length != before {
                last = Some((std::time::Instant::now(), length));
            }
            let stopped = length == before && since.elapsed() > Duration::from_millis(500);
            (silent || stopped).then_some(())
        });
    }

    fn listen_for(&self, what: &str, fits: impl Fn(&Audio) -> bool) {
        let mut last = Audio::default();
        let found = wait::try_until(wait::PATIENCE, || {
            last = self.heard()?.last(EAR_MS)?;
            fits(&last).then_some(())
        });
        assert!(
            found.is_some(),
            "phone {} does not hear {what}: level {:.4}, 1000 Hz {:.2}, 600 Hz {:.2}\n{}",
            self.user,
            last.level(),
            last.purity(1_000.0),
            last.purity(600.0),
            self.process.log_tail()
        );
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Gone without a word: no BYE, no RTCP BYE, no de-registration.
    pub fn vanish(&mut self) {
        self.process.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netstrings_are_cut() {
        assert_eq!(netstring(b"2:{},3:abc,"), Some((&b"{}"[..], 5)));
        assert_eq!(netstring(b"3:ab"), None);
        assert_eq!(netstring(b"3:abc"), None);
    }
}
