//! Emergency numbers in every dress, from a phone: nothing arrives at the carrier.

use cp_interop::probe::Probe;
use cp_interop::server::{number, password, phone, tenant, trunk};
use cp_interop::{Server, ports};
use serde_json::json;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// As a Request-URI's user; `@` and the host follow, unless it is a URI of another kind.
const DIALLED: &[&str] = &[
    "911",
    "112",
    "999",
    "000",
    "110",
    "119",
    "+911",
    "+112",
    "9911",
    "9-911",
    "9.911",
    "0112",
    "00112",
    "1911",
    "011911",
    "90911",
    "99112",
    "(911)",
    "9.1.1",
    "+49112",
    "+1911",
    "777911",
    "15",
    "017",
    "08",
    "%39%31%31",
    "%2539%2531%2531",
    "911;phone-context=+1",
    "911;ext=1",
    "911:secret",
    "%EF%BC%99%EF%BC%91%EF%BC%91",
    "sos",
    "9%2D911",
    "9%20911",
];
const WHOLE: &[&str] = &[
    "tel:911",
    "tel:112;phone-context=+1",
    "urn:service:sos",
    "urn:service:sos.fire",
    "URN:SERVICE:SOS",
];

#[test]
fn thirty_ways_to_dial_help_reach_no_carrier_in_a_test() {
    let carrier = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 3), 0)).expect("a socket");
    carrier
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a limit");
    let host = carrier.local_addr().expect("an address").to_string();
    let mut caller = phone("1001");
    caller["may_dial_out"] = json!(true);
    // A trunk that takes everything, and one that strips what is dialled before it.
    let mut open = trunk("carrier", &["127.0.0.3/32"], &host);
    open["rules"] = json!({"country_code": "49", "national_prefix": "0", "international_prefix": "00", "digits_min": 3});
    let world = tenant(json!({
        "phones": [caller],
        "trunks": [open, trunk("plain", &["127.0.0.4/32"], &host)],
        "numbers": [
            number("forward", json!({"to": "trunk", "trunk": "plain", "number": "112"})),
            number("away", json!({"to": "uri", "uri": format!("sip:911@{host}")})),
        ],
    }));
    let server = Server::start(&world);
    let mut probe = Probe::udp(Ipv4Addr::new(127, 0, 0, 20), ports::one());
    let users = DIALLED.iter().map(|u| format!("sip:{u}@{}", server.sip));
    let all: Vec<String> = users
        .chain(WHOLE.iter().map(|u| u.to_string()))
        .chain(
            ["forward", "away"]
                .iter()
                .map(|u| format!("sip:{u}@{}", server.sip)),
        )
        .collect();
    assert!(all.len() > 30);
    for uri in &all {
        let (answer, dialog) = probe.invite_as("1001", &password("1001"), uri, server.sip);
        let status = answer.as_ref().map_or(0, |a| a.status);
        assert!(dialog.is_none() && status >= 400, "{uri}: {status}");
    }
    // By API, at a trunk and at an address.
    let trunk = server.id_of("trunks", "name", "plain");
    let queue = json!({"to": "echo"});
    for target in [
        json!({"kind": "trunk", "trunk": trunk, "number": "112"}),
        json!({"kind": "uri", "uri": format!("sip:911@{host}")}),
        json!({"kind": "extension", "extension": "9911"}),
    ] {
        let answer = server.post(
            "/v1/calls",
            &json!({"target": target, "destination": queue}),
        );
        assert!(
            answer.status >= 400,
            "{target}: {} {}",
            answer.status,
            answer.text()
        );
    }
    // Only what no call is may have come (a trunk's OPTIONS, were it set to ask).
    let mut buffer = [0; 4_096];
    while let Ok((n, _)) = carrier.recv_from(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..n]);
        assert!(text.starts_with("OPTIONS"), "this left the house:\n{text}");
    }
}
