//! The tenant of these tests.

use cp_interop::probe::{Dialog, Probe};
use cp_interop::server::{media_ports, number, phone, tenant, trunk};
use cp_interop::{Server, wait};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// Enough for two hundred legs; many of these servers run side by side.
const MEDIA_PORTS: u16 = 400;

/// Source address of the trunk.
pub(crate) const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Numbers and people that must be found nowhere but in the log of events.
pub(crate) const CALLED: &str = "+15557650001";
pub(crate) const QUEUED: &str = "+15557650002";
pub(crate) const CALLER: &str = "+15557659876";

/// Who may drain the node.
pub(crate) const OPERATOR: (&str, &str) = ("operator@interop.test", "another long password");

/// An announcement at [`CALLED`], a queue without agents at [`QUEUED`], phones 1001 and 1002, the latter with
/// SRTP only.
pub(crate) fn world() -> Value {
    let mut secure = phone("1002");
    secure["require_srtp"] = json!(true);
    tenant(json!({
        "phones": [phone("1001"), secure],
        "agents": [{"name": "Ann Example", "extension": "201", "queues": ["support"], "phone": "1001"}],
        "users": [{"email": OPERATOR.0, "password": OPERATOR.1, "role": "operator"}],
        "queues": [{"name": "support"}],
        "trunks": [trunk("carrier", &["127.0.0.2/32"], "")],
        "numbers": [
            number(CALLED, json!({"to": "answer"})),
            number(QUEUED, json!({"to": "queue", "queue": "support"})),
        ],
    }))
}

pub(crate) fn server(settings: &[(&str, &str)]) -> Server {
    let media = media_ports(MEDIA_PORTS);
    let mut settings = settings.to_vec();
    settings.push(("CROSSPOINT_MEDIA_PORTS", &media));
    Server::start_with(&world(), &settings)
}

/// A client at the trunk's address.
pub(crate) fn carrier() -> Probe {
    Probe::udp(CARRIER, 0)
}

/// A call that is up.
pub(crate) fn call(probe: &mut Probe, server: &Server, to: &str) -> Dialog {
    let (answer, dialog) = probe.invite(&server.uri(to), CALLER, server.sip, &[]);
    let status = answer.map(|a| a.status);
    dialog.unwrap_or_else(|| panic!("call to {to}: {status:?}\n{}", server.log_tail()))
}

/// The final status of a call that is not taken, 0 for none.
pub(crate) fn refused(probe: &mut Probe, server: &Server, to: &str) -> u16 {
    let (answer, dialog) = probe.invite(&server.uri(to), CALLER, server.sip, &[]);
    assert!(dialog.is_none(), "the call to {to} was taken");
    answer.map_or(0, |a| a.status)
}

pub(crate) fn hang_up(probe: &mut Probe, mut dialog: Dialog) {
    let bye = probe.in_dialog(&mut dialog, "BYE", &[]);
    assert_eq!(bye.map(|b| b.status), Some(200), "BYE");
}

/// Waits until `/readyz` has this status and gives its body.
pub(crate) fn readyz(server: &Server, status: u16) -> Value {
    wait::until_within(wait::PATIENCE, &format!("/readyz {status}"), || {
        let answer = server.http.get("/readyz").ok()?;
        (answer.status == status).then(|| answer.json())
    })
}

/// SIGTERM, SIGHUP … by name, to the program alone.
pub(crate) fn signal(server: &Server, name: &str) {
    let pid = server.pid().to_string();
    let sent = std::process::Command::new("kill")
        .args([&format!("-{name}"), &pid])
        .status();
    assert!(sent.is_ok_and(|s| s.success()), "kill -{name} {pid}");
}
