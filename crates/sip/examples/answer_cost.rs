//! CPU cost of answering a call, without sockets: INVITE in, 100 and 200 out, ACK in, BYE in, 200
//! out; and the memory of an idle dialog.
//!
//! `cargo run --release -p cp-sip --example answer_cost [calls]`

use bytes::Bytes;
use cp_sip::message::{Message, Method};
use cp_sip::ua::*;
use cp_vocab::net::{Flow, Target, Transport};
use cp_vocab::{IdSource, Timestamp, TrunkId};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|s| s.split(' ').nth(1)?.parse::<usize>().ok())
        .map_or(0, |pages| pages * 4096)
}

/// One secret for all: hashing passwords is not what is measured.
const HA1: &str = "9b2d7c1e0f9b2d7c1e0f9b2d7c1e0f9b2d7c1e0f9b2d7c1e0f9b2d7c1e0f9b2d";
const OFFER: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// Admits all as a trunk; those who register must prove it.
struct Everybody(TrunkId);
impl Directory for Everybody {
    fn admit(&self, _: &Flow, _: Option<&str>, request: &Message) -> Admission {
        match request.method() {
            Method::Register => Admission::Challenge {
                realm: "bench".into(),
            },
            _ => Admission::Trunk(self.0),
        }
    }
    fn credential(&self, _: &str, user: &str) -> Option<Credential> {
        let n: u64 = user.strip_prefix('u')?.parse().ok()?;
        Some(Credential {
            ha1_md5: String::new(),
            ha1_sha256: HA1.into(),
            principal: Principal::Phone(IdSource::from_u64(n).next(Timestamp::ZERO)),
        })
    }
}

struct Bench {
    ua: UserAgent,
    flow: Flow,
    directory: Everybody,
    now: Timestamp,
}

impl Bench {
    fn new(session_expires_s: u32) -> Self {
        let local: SocketAddr = "127.0.0.1:5060".parse().expect("an address");
        let listen = vec![Listen {
            transport: Transport::Udp,
            local,
            advertised: local,
        }];
        let mut config = UaConfig::new(1, [1; 32], listen);
        config.session_expires_s = session_expires_s;
        config.limits.calls_max = 10_000_000;
        config.limits.server_transactions_max = 10_000_000;
        Self {
            ua: UserAgent::new(config),
            flow: Flow {
                transport: Transport::Udp,
                local,
                remote: "127.0.0.1:6060".parse().expect("an address"),
                connection: None,
            },
            directory: Everybody(IdSource::from_u64(1).next(Timestamp::ZERO)),
            now: Timestamp::from_secs(1_000),
        }
    }

    fn receive(&mut self, text: String) {
        self.ua.receive(
            self.now,
            &self.flow,
            None,
            Bytes::from(text),
            &self.directory,
        );
    }

    /// The To tag of the 200 is all a caller needs of it; reading it is part of the measured cost.
    fn drain(&mut self) -> (Option<CallRef>, Option<Bytes>) {
        let (mut call, mut sent) = (None, None);
        while let Some(output) = self.ua.poll() {
            match output {
                UaOutput::Event(UaEvent::Incoming { call: new, .. }) => call = Some(new),
                UaOutput::Transmit { target, bytes, .. } => {
                    assert!(matches!(target, Target::Flow(_)));
                    sent = Some(bytes);
                }
                _ => {}
            }
        }
        (call, sent)
    }

    fn invite(&mut self, n: usize, timer: &str) -> (CallRef, String) {
        self.receive(format!(
            "INVITE sip:service@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6060;branch=z9hG4bK-{n}-0\r\n\
             From: sipp <sip:sipp@127.0.0.1:6060>;tag=t{n}\r\nTo: service <sip:service@127.0.0.1:5060>\r\n\
             Call-ID: {n}-1234@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: sip:sipp@127.0.0.1:6060\r\n\
             Max-Forwards: 70\r\nSubject: Performance Test\r\n{timer}Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{OFFER}",
            OFFER.len()
        ));
        let call = self.drain().0.expect("a call");
        self.ua
            .answer(self.now, call, OFFER.to_string())
            .expect("answered");
        let ok = self.drain().1.expect("a 200");
        let text = std::str::from_utf8(&ok).expect("text");
        let to = text
            .split("To: ")
            .nth(1)
            .and_then(|t| t.split("\r\n").next())
            .expect("a To");
        (call, to.to_string())
    }

    /// REGISTER, 401, REGISTER with SHA-256, 200.
    fn register(&mut self, n: usize) {
        let user = n % 10_000;
        let text = |cseq: usize, extra: &str| {
            format!(
                "REGISTER sip:bench SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6060;branch=z9hG4bK-r{n}-{cseq}\r\n\
                 From: <sip:u{user}@bench>;tag=t{n}\r\nTo: <sip:u{user}@bench>\r\nCall-ID: r{n}\r\n\
                 CSeq: {cseq} REGISTER\r\nContact: <sip:u{user}@127.0.0.1:6060>\r\nMax-Forwards: 70\r\n\
                 Expires: 300\r\n{extra}Content-Length: 0\r\n\r\n"
            )
        };
        self.receive(text(1, ""));
        let challenge = self.drain().1.expect("a 401");
        let challenge = std::str::from_utf8(&challenge).expect("text");
        let nonce = challenge
            .split("nonce=\"")
            .nth(1)
            .and_then(|t| t.split('"').next())
            .expect("a nonce");
        let sha256 = |text: String| -> String {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
            digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
        };
        let ha2 = sha256("REGISTER:sip:bench".into());
        let response = sha256(format!("{HA1}:{nonce}:00000001:c:auth:{ha2}"));
        self.receive(text(
            2,
            &format!(
                "Authorization: Digest username=\"u{user}\", realm=\"bench\", nonce=\"{nonce}\", uri=\"sip:bench\", \
                 response=\"{response}\", algorithm=SHA-256, cnonce=\"c\", qop=auth, nc=00000001\r\n"
            ),
        ));
        let ok = self.drain().1.expect("a 200");
        assert!(ok.starts_with(b"SIP/2.0 200"));
    }

    fn request(&mut self, n: usize, to: &str, method: &str, cseq: u32, branch: u32) {
        self.receive(format!(
            "{method} sip:service@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6060;branch=z9hG4bK-{n}-{branch}\r\n\
             From: sipp <sip:sipp@127.0.0.1:6060>;tag=t{n}\r\nTo: {to}\r\nCall-ID: {n}-1234@127.0.0.1\r\n\
             CSeq: {cseq} {method}\r\nContact: sip:sipp@127.0.0.1:6060\r\nMax-Forwards: 70\r\n\
             Subject: Performance Test\r\nContent-Length: 0\r\n\r\n"
        ));
        self.drain();
    }
}

/// CPU time of this thread in seconds: other load on the machine does not count.
fn cpu_s() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|s| s.split(' ').next()?.parse::<f64>().ok())
        .map_or(0.0, |ns| ns / 1e9)
}

fn main() {
    let calls: usize = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(500_000);

    // Memory: dialogs that are up and idle, 60 s after their last message.
    // Kept to the end, so that no figure is flattered by memory another gave back.
    let mut kept = Vec::new();
    for (what, timer) in [
        ("without session timer", ""),
        (
            "with session timer",
            "Supported: timer\r\nSession-Expires: 1800\r\n",
        ),
    ] {
        let count = 50_000;
        let before = resident();
        let mut bench = Bench::new(1_800);
        for n in 0..count {
            let (_, to) = bench.invite(n, timer);
            bench.request(n, &to, "ACK", 1, 1);
        }
        bench.now = bench.now + Duration::from_secs(60);
        bench.ua.handle_timeout(bench.now);
        let held = resident().saturating_sub(before);
        kept.push(bench);
        println!(
            "idle dialog {what}: {} bytes ({:?})",
            held / count,
            kept[kept.len() - 1].ua.table_sizes()
        );
    }

    // Cost: 5,000 calls/s of virtual time, so that all timers and lingering transactions take part.
    let mut bench = Bench::new(1_800);
    let (start, cpu) = (Instant::now(), cpu_s());
    for n in 0..calls {
        bench.now = bench.now + Duration::from_micros(200);
        if bench.ua.next_timeout().is_some_and(|t| t <= bench.now) {
            bench.ua.handle_timeout(bench.now);
            bench.drain();
        }
        let (_, to) = bench.invite(n, "");
        bench.request(n, &to, "ACK", 1, 1);
        bench.request(n, &to, "BYE", 2, 2);
    }
    let per_call = (cpu_s() - cpu) * 1e6 / calls as f64;
    let wall = start.elapsed().as_secs_f64() * 1e6 / calls as f64;
    let sizes = bench.ua.table_sizes();
    println!(
        "answer path: {per_call:.2} us CPU ({wall:.2} us wall) per call over {calls} calls at 5,000/s ({sizes:?})"
    );
    drop(bench);

    // Registrations at 25,000/s, the phone's own hashing included.
    let mut bench = Bench::new(1_800);
    let cpu = cpu_s();
    let count = calls / 4;
    for n in 0..count {
        bench.now = bench.now + Duration::from_micros(40);
        if bench.ua.next_timeout().is_some_and(|t| t <= bench.now) {
            bench.ua.handle_timeout(bench.now);
            bench.drain();
        }
        bench.register(n);
    }
    let per_register = (cpu_s() - cpu) * 1e6 / count.max(1) as f64;
    println!(
        "registration: {per_register:.2} us CPU with the phone's side, over {count} at 25,000/s ({:?})",
        bench.ua.table_sizes()
    );
    drop(bench);
}
