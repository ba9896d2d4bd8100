//! The 49 messages of RFC 4475 over UDP and TCP; a normal call must work after each.

use crate::world::server;
use cp_interop::probe::Probe;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// Messages the RFC calls wrong in themselves: never accepted.
const WRONG: &[&str] = &[
    "badinv01",
    "clerr",
    "ncl",
    "scalar02",
    "quotbal",
    "lwsruri",
    "lwsstart",
    "trws",
    "badvers",
    "mismatch01",
    "mismatch02",
    "multi01",
    "mcl01",
];
/// A trunk may call from here; most messages ask for their answer at port 5060.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// How long an answer to a torture message is waited for; many get none, rightly.
const ANSWER: Duration = Duration::from_millis(50);

/// The messages by name, from the shared folder beside the repository.
fn messages() -> Option<Vec<(String, Vec<u8>)>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/rfc4475");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(
            std::env::var_os("CP_NO_SHARED").is_some(),
            "no RFC 4475 messages in {}; CP_NO_SHARED=1 does without",
            folder.display()
        );
        return None;
    };
    let mut found: Vec<(String, Vec<u8>)> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "dat"))
        .map(|p| {
            let name = p
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read(&p).expect("a readable message"))
        })
        .collect();
    found.sort();
    assert!(
        found.len() >= 49,
        "only {} in {}",
        found.len(),
        folder.display()
    );
    Some(found)
}

fn judge(name: &str, over: &str, answer: Option<u16>) {
    if WRONG.contains(&name) {
        let accepted = answer.is_some_and(|s| s < 300 && s != 100);
        assert!(!accepted, "{name} over {over} was answered {answer:?}");
    }
}

#[test]
fn over_udp() {
    let Some(messages) = messages() else { return };
    let mut server = server();
    let mut caller = Probe::udp(SOURCE, 0);
    for (name, bytes) in &messages {
        let mut sender = Probe::udp(SOURCE, 0);
        sender.send(bytes, server.sip);
        judge(name, "UDP", sender.receive(ANSWER).map(|a| a.status));
        let number = format!("sip:answer@{}", server.sip);
        caller.normal_call(&number, server.sip, name);
        assert!(server.is_running(), "{name} ended the server");
    }
}

#[test]
fn over_tcp() {
    let Some(messages) = messages() else { return };
    let mut server = server();
    for (name, bytes) in &messages {
        let mut sender = Probe::tcp(SOURCE, server.sip);
        sender.send(bytes, server.sip);
        judge(name, "TCP", sender.receive(ANSWER).map(|a| a.status));
        let mut caller = Probe::tcp(SOURCE, server.sip);
        let number = format!("sip:answer@{};transport=tcp", server.sip);
        caller.normal_call(&number, server.sip, name);
        assert!(server.is_running(), "{name} ended the server");
    }
}

#[test]
fn noise_is_survived() {
    let mut server = server();
    let mut caller = Probe::udp(SOURCE, 0);
    let number = format!("sip:answer@{}", server.sip);
    let invite = format!("INVITE {number} SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n");
    let rubbish: [&[u8]; 8] = [
        b"",
        b"\r\n\r\n",
        b"\0\0\0\0",
        &[0xff; 1_400],
        &[b'A'; 60_000],
        b"INVITE sip:a@b SIP/2.0\r\n\r\n",
        invite.as_bytes(),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKnobody\r\n\r\n",
    ];
    for (i, bytes) in rubbish.iter().enumerate() {
        caller.send(bytes, server.sip);
        let mut stream = Probe::tcp(SOURCE, server.sip);
        stream.send(bytes, server.sip);
        caller.normal_call(&number, server.sip, &format!("rubbish {i}"));
    }
    assert!(server.is_running());
}
