//! Scanners: SIPVicious looks for extensions, probes ask for more than they may.

use crate::line::Line;
use crate::world::*;
use cp_interop::probe::Probe;
use cp_interop::{Server, ports};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Asked for by each method in every test run, and in a full attack; 1001 and 1002, which are there, come first.
const EXTENSIONS: usize = 2_000;
const EXTENSIONS_MAX: usize = 10_000;
const FIRST: usize = 1_001;
/// Passwords on the list, and where the right one stands: soon, and yet after those that are looked at.
const PASSWORDS: usize = 10_000;
const RIGHT: usize = 51;
/// Times svwar is sent out for what got lost on the way, at most.
const ROUNDS_MAX: usize = 8;
/// Seconds between two packets of a tool: what the line keeps up with.
const PACE_S: &str = "0.0005";

/// svwar stops at an answer it takes for strange, and every refusal of ours is strange to it. So it
/// sits on a line that lets it ask for all of them before the first answer comes, and from many addresses.
#[test]
fn svwar_finds_no_extension() {
    let mut server = Server::start(&world());
    let count = (EXTENSIONS * length() as usize).min(EXTENSIONS_MAX);
    let all = FIRST..FIRST + count;
    let methods = [("REGISTER", 10), ("INVITE", 11), ("OPTIONS", 12)];
    std::thread::scope(|scope| {
        for (method, net) in methods {
            let (target, all) = (server.sip, all.clone());
            scope.spawn(move || {
                let line = Line::to(target, net, true);
                let told = || line.told.lock().expect("told");
                let mut missing: Vec<usize> = all.clone().collect();
                for _round in 0..ROUNDS_MAX {
                    let found = svwar(line.addr, method, &missing);
                    assert!(found.is_empty(), "svwar -m {method} found {found:?}");
                    missing.retain(|e| !told().answered.contains_key(&e.to_string()));
                    if missing.is_empty() {
                        break;
                    }
                }
                let left = missing.len();
                assert_eq!(left, 0, "svwar -m {method} got no answer for these");
                let told = told();
                let answers = |e: usize| &told.answered[&e.to_string()][0];
                let others = all.filter(|e| answers(*e) != answers(FIRST));
                assert_eq!(others.count(), 0, "svwar -m {method}: answers differ");
                let status = answers(FIRST);
                println!("svwar -m {method}: {count} of {count} extensions answered, all {status}: 0 found");
            });
        }
    });
    // The house still answers those it knows.
    let number = format!("sip:answer@{}", server.sip);
    Probe::udp(CARRIER, 0).normal_call(&number, server.sip, "the scan");
    unharmed(&mut server, "the scan");
}

/// The test above would see it: a house that tells who is there.
#[test]
fn svwar_would_find_an_extension_that_is_told() {
    let house = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    house
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a limit");
    let line = Line::to(house.local_addr().expect("its address"), 13, true);
    let done = AtomicBool::new(false);
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 8_192];
            while !done.load(Ordering::SeqCst) {
                let Ok((n, from)) = house.recv_from(&mut buffer) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&buffer[..n]);
                let there = text.contains("sip:1005@");
                let status = if there {
                    "401 Unauthorized"
                } else {
                    "404 Not Found"
                };
                let names = ["Via", "From", "To", "Call-ID", "CSeq"];
                let ours = text
                    .lines()
                    .filter(|l| names.iter().any(|n| l.starts_with(&format!("{n}:"))));
                let echo: String = ours.map(|l| format!("{l}\r\n")).collect();
                let answer = format!("SIP/2.0 {status}\r\n{echo}Content-Length: 0\r\n\r\n");
                let _ = house.send_to(answer.as_bytes(), from);
            }
        });
        let found = svwar(line.addr, "REGISTER", &[1_004, 1_005, 1_006]);
        done.store(true, Ordering::SeqCst);
        found
    });
    assert_eq!(found, [1_005]);
}

/// The extensions that svwar says it found, of those it is to look for.
fn svwar(target: SocketAddr, method: &str, wanted: &[usize]) -> Vec<usize> {
    // As ranges: `1001-1500,1502`.
    let runs = wanted.chunk_by(|a, b| a + 1 == *b);
    let runs = runs.map(|r| format!("{}-{}", r[0], r[r.len() - 1]));
    let range = format!("-e{}", runs.collect::<Vec<_>>().join(","));
    let text = vicious(
        "svwar",
        target,
        &["-m", method, &range, "--force", "-t", PACE_S],
    );
    let named = |l: &str| l.split('|').nth(1)?.trim().parse::<usize>().ok();
    let found = text.lines().filter_map(named);
    found.filter(|e| wanted.contains(e)).collect()
}

/// What a tool of SIPVicious says.
fn vicious(tool: &str, target: SocketAddr, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    // A port of its own: what others send to 5060 it would take for answers.
    let (port, own) = (target.port().to_string(), ports::one().to_string());
    let told = Command::new(tool)
        .args(arguments)
        .args(["-p", &port, "-P", &own, "127.0.0.1"])
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap_or_else(|e| panic!("{tool}, of the Debian package sipvicious: {e}"));
    String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr)
}

/// svcrack, from many addresses and from one, with the right password on its list; the phone whose
/// password it is goes on as before.
#[test]
fn svcrack_gets_ten_guesses_and_the_phone_still_registers() {
    let mut server = Server::start(&world());
    let right = cp_interop::server::password("1001");
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("passwords");
    let word = |n: usize| match n {
        RIGHT => right.clone(),
        n => format!("guess{n}"),
    };
    let words: String = (1..=PASSWORDS).map(|n| word(n) + "\n").collect();
    std::fs::write(&list, words).expect("a list");
    let mut phone = Probe::udp(Ipv4Addr::new(127, 0, 0, 44), 0);
    let domain = cp_interop::server::DOMAIN;
    let registers = |phone: &mut Probe| {
        let algorithm = cp_interop::digest::Algorithm::Sha256;
        let answer = phone.register("1001", domain, &right, algorithm, server.sip);
        assert_eq!(answer.map(|a| a.status), Some(200), "the phone registers");
    };
    registers(&mut phone);
    let (domain, list) = (format!("--domain={domain}"), list.display().to_string());
    let arguments = [
        "-u",
        "1001",
        "-d",
        &list,
        &domain,
        "-t",
        PACE_S,
        "--maximumtime=2",
    ];
    let line = Line::to(server.sip, 20, false);
    let text = vicious("svcrack", line.addr, &arguments);
    {
        let told = line.told.lock().expect("told");
        let answers = told.answered.get("1001").cloned().unwrap_or_default();
        let refused = answers.iter().filter(|s| *s == "403").count();
        println!(
            "svcrack from 20 addresses: {refused} guesses before all were banned, 0 passwords"
        );
        assert!(
            refused > RIGHT,
            "{refused} refused: the right one was not among them\n{text}"
        );
        assert!(
            !answers.iter().any(|s| s == "200"),
            "svcrack came in:\n{text}"
        );
    }
    let text = text + &vicious("svcrack", server.sip, &arguments);
    assert!(!text.contains(&right), "svcrack knows it:\n{text}");
    registers(&mut phone);
    unharmed(&mut server, "svcrack");
}

/// svmap is answered with a name and no version; the string that breaks its own tools is kept harmless.
#[test]
fn svmap_learns_no_version() {
    let mut server = Server::start(&world());
    for method in ["OPTIONS", "INVITE", "REGISTER"] {
        let text = vicious("svmap", server.sip, &["-m", method]);
        let row = text
            .lines()
            .find(|l| l.contains(&format!(":{}", server.sip.port())));
        println!("svmap -m {method}: {}", row.unwrap_or("nothing"));
        // Address and port apart, no digit is told.
        let product = row.map_or("", |r| r.split('|').nth(2).unwrap_or(""));
        assert!(!product.contains(|c: char| c.is_ascii_digit()), "{text}");
    }
    unharmed(&mut server, "svmap");
}

/// Every method from a stranger: the same answer whether the extension is there or not, and none
/// that lets anything happen.
#[test]
fn strangers_learn_nothing_by_any_method() {
    let server = Server::start(&world());
    for method in [
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "SUBSCRIBE",
        "MESSAGE",
        "PUBLISH",
        "REFER",
        "INFO",
        "NOTIFY",
        "UPDATE",
        "BYE",
        "PRACK",
        "NOSUCH",
    ] {
        let ask = |user: &str, n: u8| {
            // An address of its own for each question: none is out of tokens.
            let mut probe = Probe::udp(std::net::Ipv4Addr::new(127, 0, 2, n), 0);
            probe.patience = Duration::from_millis(1_500);
            let uri = format!("sip:{user}@{}", server.sip);
            let answer = probe.request(
                method,
                &uri,
                user,
                server.sip,
                &["Expires: 60".into(), "Event: presence".into()],
                None,
            );
            answer.map(|a| {
                let product = format!("{} {}", a.header("Server"), a.header("User-Agent"));
                (a.status, product)
            })
        };
        let (there, not_there) = (ask("1001", 1), ask("7777", 2));
        assert_eq!(there, not_there, "{method} tells who is there");
        let status = there.as_ref().map_or(0, |t| t.0);
        // OPTIONS outside a dialog is a greeting; everything else is refused.
        let greeted = method == "OPTIONS" && status == 200;
        assert!(
            greeted || status == 0 || status >= 400,
            "{method}: {status}"
        );
        // The name of the product may be told, its version not.
        let version = there.is_some_and(|t| t.1.contains(|c: char| c.is_ascii_digit()));
        assert!(!version, "{method} tells a version");
    }
    assert!(server.trails().is_empty(), "a stranger made an interaction");
}

#[test]
fn bans_are_seen_and_taken_back_by_api() {
    let server = Server::start(&world());
    let operator = server.client(
        cp_interop::server::OPERATOR.0,
        cp_interop::server::OPERATOR.1,
    );
    let mut thief = Probe::udp(STRANGER, 0);
    let guess = |probe: &mut Probe| {
        let algorithm = cp_interop::digest::Algorithm::Md5;
        probe.register(
            "1001",
            cp_interop::server::DOMAIN,
            "wrong",
            algorithm,
            server.sip,
        )
    };
    thief.patience = Duration::from_millis(1_000);
    let banned = || {
        let answer = operator.get("/v1/node/bans").expect("an answer").json();
        cp_interop::events::items(&answer).len()
    };
    assert_eq!(banned(), 0);
    let mut tries = 0;
    while banned() == 0 {
        tries += 1;
        assert!(tries <= 20, "no ban after {tries} wrong passwords");
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| guess(&mut thief)));
    }
    assert!(
        thief.options(server.sip).is_none(),
        "who is banned gets no answer"
    );
    let answer = operator
        .send("DELETE", &format!("/v1/node/bans/{STRANGER}"), None)
        .expect("an answer");
    assert_eq!(answer.status, 204);
    assert_eq!(banned(), 0);
    assert!(
        thief.options(server.sip).is_some(),
        "and answers when it is taken back"
    );
    // An administrator of a tenant may not.
    assert_eq!(
        server.http.get("/v1/node/bans").expect("an answer").status,
        403
    );
}
