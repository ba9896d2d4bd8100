//! CPU cost of answering a call, without sockets: INVITE in, 100 and 200 out, ACK in, BYE in, 200
//! out; and the memory of an idle dialog.
//!
//! `cargo run --release -p cp-sip --example answer_cost [calls]`

use bytes::Bytes;
use cp_sip::message::Message;
use cp_sip::ua::*;
use cp_vocab::net::{Flow, Target, Transport};
use cp_vocab::{IdSource, Timestamp, TrunkId};
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counts what is held, so that the figure does not depend on the allocator's page habits.
struct Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
// SAFETY: every call goes to the system allocator unchanged; only a counter is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const OFFER: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

struct Everybody(TrunkId);
impl Directory for Everybody {
    fn admit(&self, _: &Flow, _: Option<&str>, _: &Message) -> Admission {
        Admission::Trunk(self.0)
    }
    fn credential(&self, _: &str, _: &str) -> Option<Credential> {
        None
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

    // Memory: dialogs that are up and idle, 60 s after their last message.
    for (what, timer) in [
        ("without session timer", ""),
        (
            "with session timer",
            "Supported: timer\r\nSession-Expires: 1800\r\n",
        ),
    ] {
        let count = 20_000;
        let before = HELD.load(Relaxed);
        let mut bench = Bench::new(1_800);
        for n in 0..count {
            let (_, to) = bench.invite(n, timer);
            bench.request(n, &to, "ACK", 1, 1);
        }
        bench.now = bench.now + Duration::from_secs(60);
        bench.ua.handle_timeout(bench.now);
        let held = HELD.load(Relaxed) - before;
        println!(
            "idle dialog {what}: {} bytes ({:?})",
            held / count,
            bench.ua.table_sizes()
        );
    }
}
