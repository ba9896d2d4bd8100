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

/// WebSockets wanted without signing in: of the API, of customers' calls and of SIP softphones in turns.
/// In `make attack` ten times as many.
const HANDSHAKES: u32 = 2_400;
const HANDSHAKES_LONG: u32 = 24_000;

#[test]
fn web_sockets_without_sign_in_leave_room_for_the_others() {
    let handshakes = match length() {
        1 => HANDSHAKES,
        _ => HANDSHAKES_LONG,
    };
    let ws = cp_interop::ports::one();
    let listen = format!("127.0.0.1:{ws}");
    let mut server = Server::start_with(&world(), &[("CROSSPOINT_SIP_WS", listen.as_str())]);
    // Each asks for the upgrade, reads the answer and stays. SIP has to let them in, since a softphone
    // proves itself by its REGISTER; the API says no.
    let script = "import resource,socket,sys\n\
        soft,hard=resource.getrlimit(resource.RLIMIT_NOFILE)\n\
        resource.setrlimit(resource.RLIMIT_NOFILE,(hard,hard))\n\
        http,ws,n=int(sys.argv[1]),int(sys.argv[2]),min(int(sys.argv[3]),hard-100)\n\
        doors=[(ws,'/'),(http,'/v1/events'),(ws,'/'),(http,'/v1/customer/call?token=forged')]\n\
        held,answers=[],{}\n\
        for i in range(n):\n\
        \x20port,path=doors[i%4]\n\
        \x20s=socket.socket()\n\
        \x20s.settimeout(5)\n\
        \x20try:\n\
        \x20\x20s.connect(('127.0.0.1',port))\n\
        \x20\x20s.sendall(('GET %s HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\nSec-WebSocket-Protocol: sip\\r\\n\\r\\n'%(path,port)).encode())\n\
        \x20\x20a=s.recv(4096)[9:12].decode() or 'closed'\n\
        \x20\x20held.append(s)\n\
        \x20except OSError:\n\
        \x20\x20a='closed'\n\
        \x20answers[(path[:6],a)]=answers.get((path[:6],a),0)+1\n\
        print(sorted(answers.items()),flush=True)\n\
        sys.stdin.read()\n";
    let mut opener = Command::new("python3")
        .args([
            "-c",
            script,
            &server.http.addr.port().to_string(),
            &ws.to_string(),
            &handshakes.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    let mut out = BufReader::new(opener.stdout.take().expect("its output"));
    out.read_line(&mut line).expect("a line");
    // Nobody gets a socket of the API without signing in, and one address only so many of SIP.
    assert!(!line.contains("'/v1/ev', '101'"), "{line}");
    assert!(!line.contains("'/v1/cu', '101'"), "{line}");
    assert!(line.contains("('/v1/ev', '401')"), "{line}");
    assert_eq!(server.http.get("/healthz").expect("an answer").status, 200);
    server.get("/v1/queues");
    let number = format!("sip:answer@{}", server.sip);
    Probe::udp(CARRIER, 0).normal_call(&number, server.sip, "the web sockets");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).map_or(0, Iterator::count);
    println!("answers {}; {open} files open at the server", line.trim());
    assert!(open < 4_000, "{open} files are open");
    unharmed(&mut server, "the web sockets");
    drop(opener.stdin.take());
    opener.wait().expect("it ends");
}
