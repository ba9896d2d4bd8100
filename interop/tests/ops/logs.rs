//! No line of the log tells who called, from where, or with what password.

use crate::world::{CALLED, QUEUED, call, carrier, hang_up, refused, server};
use cp_interop::Server;
use cp_interop::digest::Algorithm;
use cp_interop::probe::Probe;
use cp_interop::server::{ADMIN, DOMAIN, password};
use serde_json::json;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What this scenario brings in that must not come out.
const SECRETS: [&str; 9] = [
    "5557650001",
    "5557650002",
    "5557659876",
    "pw-1001",
    "pw-1002",
    "a long enough password",
    "wrong-secret",
    "Example",
    "wanderer",
];

/// Why a line may not be in a log; `None` when it may.
fn offence(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    if let Some(secret) = SECRETS
        .iter()
        .find(|s| lower.contains(&s.to_ascii_lowercase()))
    {
        return Some(format!("{secret:?}"));
    }
    for scheme in ["sip:", "sips:", "tel:", "mailto:"] {
        if lower.contains(scheme) {
            return Some(format!("a {scheme} URI"));
        }
    }
    let words = lower.split(|c: char| !(c.is_ascii_alphanumeric() || "@._-+:[]".contains(c)));
    words.into_iter().find_map(|word| {
        let mail = word
            .split_once('@')
            .is_some_and(|(a, b)| !a.is_empty() && b.contains('.'));
        let ip = word.trim_matches([':', '.', '-']);
        let inner = ip.trim_start_matches('[').split(']').next().unwrap_or("");
        let v4 = ip
            .split(':')
            .next()
            .unwrap_or("")
            .parse::<Ipv4Addr>()
            .is_ok();
        let v6 = inner.matches(':').count() > 1 && inner.parse::<Ipv6Addr>().is_ok();
        let plus = word
            .split_once('+')
            .is_some_and(|(_, n)| n.bytes().take_while(u8::is_ascii_digit).count() > 5);
        // Ids are letters and digits and may have seven digits in a row; times have six.
        let number = (7..=15).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
        let what = [
            (mail, "an e-mail address"),
            (v4 || v6, "an IP address"),
            (plus || number, "a phone number"),
        ];
        what.iter()
            .find(|(is, _)| *is)
            .map(|(_, what)| format!("{what}: {word}"))
    })
}

#[test]
fn the_check_finds_what_it_is_for() {
    for bad in [
        "INFO call from=+15551234567",
        "number=15551234567",
        "peer=192.0.2.7:5060 refused",
        "peer=[2001:db8::1]:5060",
        "to=<sip:bob@x>",
        "login=jo@example.org failed",
        "password=pw-1001",
    ] {
        assert!(offence(bad).is_some(), "{bad}");
    }
    for good in [
        "2026-11-20T14:08:55.123456Z  INFO ready http_port=8080 sip=2",
        "{\"timestamp\":\"2026-11-20T14:08:55.123456Z\",\"level\":\"INFO\",\"message\":\"ready\"}",
        "interaction=int_01KAHGT1234567890ABCDEFGHJ took_us=123456 at crates/x.rs:12:3",
    ] {
        assert_eq!(offence(good), None, "{good}");
    }
}

/// Calls, registrations and requests of all sorts, good and bad.
fn live_through(server: &Server) {
    let mut trunk = carrier();
    let dialog = call(&mut trunk, server, CALLED);
    hang_up(&mut trunk, dialog);
    let dialog = call(&mut trunk, server, QUEUED);
    hang_up(&mut trunk, dialog);
    assert_eq!(refused(&mut trunk, server, "+15557650404"), 404);

    let mut phone = Probe::udp(Ipv4Addr::LOCALHOST, 0);
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        phone.register("1001", DOMAIN, &password("1001"), algorithm, server.sip);
        phone.register("1001", DOMAIN, "wrong-secret", algorithm, server.sip);
        phone.register("wanderer", DOMAIN, "wrong-secret", algorithm, server.sip);
    }
    let (answer, dialog) =
        phone.invite_as("1001", &password("1001"), &server.uri(CALLED), server.sip);
    let status = answer.map(|a| a.status);
    hang_up(
        &mut phone,
        dialog.unwrap_or_else(|| panic!("a phone's call: {status:?}")),
    );

    let mut tcp = Probe::tcp(Ipv4Addr::LOCALHOST, server.sip);
    tcp.options(server.sip);
    tcp.send(
        b"INVITE sip:+15557650001 garbage\r\n\r\n\r\n\0\xff",
        server.sip,
    );
    for broken in [
        "INVITE sip:+15557650001@interop.test SIP/2.0\r\n\r\n",
        "REGISTER sip:interop.test SIP/2.0\r\nVia: nonsense\r\nFrom: <sip:+15557659876@192.0.2.1>\r\n\r\n",
        "SIP/2.0 200 OK\r\nFrom: <sip:wanderer@192.0.2.1>\r\n\r\n",
    ] {
        phone.send(broken.as_bytes(), server.sip);
    }
    phone.options(server.sip);

    let http = cp_interop::http::Http::new(server.http.addr);
    let wrong = json!({"login": ADMIN.0, "password": "wrong-secret", "kind": "token"});
    assert_eq!(
        http.post("/v1/sessions", &wrong).map(|r| r.status).ok(),
        Some(401)
    );
    let _ = http.get("/v1/interactions?from=%2B15557659876");
    let _ = server.http.get("/v1/interactions?from=%2B15557659876");
    let _ = server.http.get("/v1/nothing/+15557659876");
    server.trails();
}

fn check(settings: &[(&str, &str)]) -> String {
    let mut server = server(settings);
    live_through(&server);
    crate::world::signal(&server, "TERM");
    server.process().wait(std::time::Duration::from_secs(20));
    let log = server.log();
    for line in log.lines() {
        if let Some(what) = offence(line) {
            panic!("the log has {what} in: {line}");
        }
    }
    log
}

#[test]
fn lines_of_text_tell_nothing_of_people() {
    let log = check(&[("CROSSPOINT_LOG_FILTER", "trace")]);
    assert!(
        log.lines().any(|l| l.contains(" INFO ready http_port=")),
        "{log}"
    );
    assert!(
        log.lines().any(|l| l.contains("request method=")),
        "requests are told: {log}"
    );
}

#[test]
fn lines_of_json_tell_nothing_of_people() {
    let settings = [
        ("CROSSPOINT_LOG_FILTER", "trace"),
        ("CROSSPOINT_LOG_JSON", "true"),
    ];
    let log = check(&settings);
    let mut messages = Vec::new();
    for line in log.lines() {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for key in ["timestamp", "level", "message"] {
            assert!(value[key].is_string(), "{key}: {line}");
        }
        messages.push(value["message"].as_str().unwrap_or("").to_string());
    }
    assert!(messages.iter().any(|m| m == "ready"), "{messages:?}");
}
