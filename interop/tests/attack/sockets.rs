//! Connections that say nothing.

use crate::world::*;
use cp_interop::Server;
use cp_interop::probe::Probe;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Opened at a time, to the API and to SIP over TCP each half.
const SOCKETS: u32 = 10_000;

#[test]
fn ten_thousand_silent_sockets_leave_room_for_the_others() {
    let mut server = Server::start(&world());
    // A process of its own: the limit of open files of this one may be lower.
    let script = "import resource,socket,sys\n\
        soft,hard=resource.getrlimit(resource.RLIMIT_NOFILE)\n\
        resource.setrlimit(resource.RLIMIT_NOFILE,(hard,hard))\n\
        n=min(int(sys.argv[3]),hard-100)\n\
        held=[]\n\
        for i in range(n):\n\
        \x20s=socket.socket()\n\
        \x20s.settimeout(5)\n\
        \x20try:\n\
        \x20\x20s.connect(('127.0.0.1',int(sys.argv[1+i%2])))\n\
        \x20\x20held.append(s)\n\
        \x20except OSError:\n\
        \x20\x20pass\n\
        print(len(held),flush=True)\n\
        sys.stdin.read()\n";
    let mut opener = Command::new("python3")
        .args([
            "-c",
            script,
            &server.http.addr.port().to_string(),
            &server.sip.port().to_string(),
            &SOCKETS.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    let mut out = BufReader::new(opener.stdout.take().expect("its output"));
    out.read_line(&mut line).expect("a line");
    let opened: u32 = line.trim().parse().expect("a number");
    assert!(opened >= SOCKETS / 2, "only {opened} were opened");
    // Everybody else is served: the API, a phone by UDP, another source by TCP.
    assert_eq!(server.http.get("/healthz").expect("an answer").status, 200);
    server.get("/v1/queues");
    let number = format!("sip:answer@{}", server.sip);
    Probe::udp(CARRIER, 0).normal_call(&number, server.sip, "the sockets");
    let over_tcp = format!("{number};transport=tcp");
    Probe::tcp(CARRIER, server.sip).normal_call(&over_tcp, server.sip, "the sockets");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).map_or(0, Iterator::count);
    println!("{opened} opened, {open} files open at the server");
    unharmed(&mut server, "the sockets");
    drop(opener.stdin.take());
    opener.wait().expect("it ends");
}
