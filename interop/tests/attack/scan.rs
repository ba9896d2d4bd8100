//! Scanners: SIPVicious looks for extensions, probes ask for more than they may.

use crate::world::*;
use cp_interop::probe::Probe;
use cp_interop::server::metric;
use cp_interop::{Server, ports};
use std::process::Command;
use std::time::Duration;

/// Asked for in all: a full attack goes through these; 1001 and 1002, which are there, come first.
const EXTENSIONS: u32 = 10_000;
const FIRST: u32 = 1_001;
/// svwar stops at the first answer it takes for strange, and every refusal of ours is strange to it. How
/// far it got by then is a race; beyond its own trial of a name that nobody has it asks for one at least.
const ASKED_MIN: u32 = 2;

#[test]
fn svwar_finds_no_extension() {
    let mut server = Server::start(&world());
    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        let name = format!("crosspoint_sip_requests_total{{direction=\"in\",method=\"{method}\"}}");
        let counted = |server: &Server| {
            let metrics = server.http.get("/metrics").expect("metrics").text();
            metric(&metrics, &name).unwrap_or(0.0) as u32
        };
        let (mut next, last) = (FIRST, FIRST + EXTENSIONS - 1);
        // A full attack begins again where svwar stopped, until all are asked for.
        for _run in 0..length().min(EXTENSIONS) {
            let before = counted(&server);
            let text = svwar(&server, method, next, last.min(next + 199));
            let named = |l: &str| l.split('|').nth(1)?.trim().parse::<u32>().ok();
            let found: Vec<u32> = text.lines().filter_map(named).collect();
            assert!(
                !found.iter().any(|e| (next..=last).contains(e)),
                "svwar -m {method} found {found:?}:\n{text}"
            );
            let asked = counted(&server) - before;
            assert!(
                asked >= ASKED_MIN,
                "svwar -m {method} asked {asked} times only:\n{text}"
            );
            next += asked - 1;
            if next > last {
                break;
            }
        }
        println!(
            "svwar -m {method}: {} extensions asked for, 0 found",
            next - FIRST
        );
    }
    // The house still answers those it knows.
    let number = format!("sip:answer@{}", server.sip);
    Probe::udp(CARRIER, 0).normal_call(&number, server.sip, "the scan");
    unharmed(&mut server, "the scan");
}

/// What svwar says of some extensions.
fn svwar(server: &Server, method: &str, first: u32, last: u32) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let range = format!("-e{first}-{last}");
    let port = server.sip.port().to_string();
    // A port of its own: what others send to 5060 it would take for answers.
    let own = ports::one().to_string();
    let told = Command::new("svwar")
        .args([
            "-m",
            method,
            &range,
            "-p",
            &port,
            "--force",
            "-t",
            "0",
            "-P",
            &own,
            "127.0.0.1",
        ])
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .output()
        .expect("svwar, of the Debian package sipvicious");
    String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr)
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
