//! The tenant most tests run against.

use cp_interop::Server;
use cp_interop::server::{number, phone, tenant, trunk};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Source address of the trunk that calls come in by.
pub(crate) const CALLER: [u8; 4] = [127, 0, 0, 2];
/// What the two phones of a call send.
pub(crate) const HIGH: f64 = 1_000.0;
pub(crate) const LOW: f64 = 600.0;

/// Phones 1001 to 1003, a carrier at 127.0.0.2 and 127.0.0.3, and a number for each destination.
/// `far` is where the number `out` and the trunk lead.
pub(crate) fn world(far: Option<SocketAddr>) -> Value {
    let host = far.map(|a| a.to_string()).unwrap_or_default();
    let mut numbers = vec![
        number("answer", json!({"to": "answer"})),
        number("echo", json!({"to": "echo"})),
        number("conf", json!({"to": "conference", "conference": "room"})),
        number("reject", json!({"to": "reject", "status": 486})),
        number("menu", menu()),
    ];
    for user in ["1001", "1002", "1003"] {
        let destination = json!({"to": "phone", "phone": user});
        numbers.push(number(&format!("+1555010{user}"), destination));
    }
    if far.is_some() {
        let uri = format!("sip:uas@{host}");
        numbers.push(number("out", json!({"to": "uri", "uri": uri})));
        numbers.push(number(
            "carrier",
            json!({"to": "trunk", "trunk": "carrier", "number": "2001"}),
        ));
    }
    tenant(json!({
        "phones": [dialling("1001"), dialling("1002"), dialling("1003")],
        "conferences": [{"name": "room", "members_max": 20}],
        "trunks": [trunk("carrier", &["127.0.0.2/31", "127.0.0.9/32"], &host)],
        "numbers": numbers,
    }))
}

/// [`world`] whose phones of the list take no call without SRTP.
pub(crate) fn world_with_srtp(users: &[&str]) -> Value {
    let mut world = world(None);
    let phones = world["tenants"][0]["phones"].as_array_mut();
    for phone in phones.expect("the phones of the tenant") {
        let user = phone["user"].as_str().unwrap_or("");
        phone["require_srtp"] = json!(users.contains(&user));
    }
    world
}

/// A phone that may dial out.
fn dialling(user: &str) -> Value {
    let mut row = phone(user);
    row["may_dial_out"] = json!(true);
    row
}

/// 1 leads to the echo, 2 to phone 1002, anything else ends in a refusal.
fn menu() -> Value {
    json!({
        "to": "menu",
        "prompt": {"kind": "tone", "tone": "beep"},
        "choices": {"1": {"to": "echo"}, "2": {"to": "phone", "phone": "1002"}},
        "timeout_ms": 15_000,
        "fallback": {"to": "reject", "status": 480},
    })
}

pub(crate) fn server() -> Server {
    Server::start(&world(None))
}

pub(crate) fn server_with(far: SocketAddr) -> Server {
    Server::start(&world(Some(far)))
}
