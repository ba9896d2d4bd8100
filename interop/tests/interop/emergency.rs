//! The live path of emergency calls: a desk phone (baresip) dials, a simulated emergency centre (SIPp) on
//! the loopback answers and calls back. Nothing of it leaves the machine.

use cp_interop::http::Http;
use cp_interop::phone::Setup;
use cp_interop::server::{phone, tenant, trunk};
use cp_interop::sipp::Sipp;
use cp_interop::{Server, ports};
use serde_json::{Value, json};
use std::net::SocketAddr;

const CALLBACK: &str = "+4930123456";
const SECOND: (&str, &str) = ("second@interop.test", "second password");

fn centre() -> (Sipp, SocketAddr) {
    let port = ports::one();
    let sipp = Sipp::new("uas").from([127, 0, 0, 3]).port(port);
    (sipp, SocketAddr::from(([127, 0, 0, 3], port)))
}

fn server(centre: SocketAddr) -> Server {
    let trunk = trunk("psap", &["127.0.0.3/32"], &centre.to_string());
    let world = tenant(json!({
        "users": [{"email": SECOND.0, "password": SECOND.1, "role": "administrator"}],
        "phones": [phone("1001")],
        "trunks": [trunk],
    }));
    Server::start_with(&world, &[("CROSSPOINT_EMERGENCY_LIVE", "true")])
}

/// The status and body of a step.
fn step(http: &Http, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut http = http.clone();
    http.headers.push(("If-Match".into(), "*".into()));
    let answer = http.send(method, path, Some(body)).expect("an answer");
    (answer.status, answer.json())
}

/// Two people agree that calls for help leave by these trunks.
fn go_live(server: &Server, trunks: &[String]) {
    let one = server.http.clone();
    let two = server.client(SECOND.0, SECOND.1);
    let path = json!({
        "trunk": trunks[0],
        "further_trunks": trunks[1..],
        "callback": CALLBACK,
        "location": {"country": "DE", "city": "Berlin", "street": "Alexanderplatz", "house_number": "1", "floor": "4"},
    });
    let (status, told) = step(&one, "PATCH", "/v1/emergency", &path);
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        step(&one, "POST", "/v1/emergency/request", &json!({})).0,
        200
    );
    let alone = step(&one, "POST", "/v1/emergency/approve", &json!({}));
    assert_eq!(alone.0, 403, "one person is not two: {}", alone.1);
    let (status, live) = step(&two, "POST", "/v1/emergency/approve", &json!({}));
    assert_eq!((status, &live["state"]), (200, &json!("on")), "{live}");
}

#[test]
fn a_way_that_is_down_or_busy_is_passed_over_and_the_phone_rings_when_they_call_back() {
    let (psap, addr) = centre();
    let busy_port = ports::one();
    let mut secure = trunk(
        "secure",
        &["127.0.0.6/32"],
        &format!("127.0.0.6:{}", ports::one()),
    );
    secure["transport"] = json!("tls");
    let mut desk = phone("1001");
    desk["forward"] = json!({"when": "always", "to": "1002"});
    let world = tenant(json!({
        "users": [{"email": SECOND.0, "password": SECOND.1, "role": "administrator"}],
        "phones": [desk, phone("1002")],
        "trunks": [secure, trunk("busy", &["127.0.0.5/32"], &format!("127.0.0.5:{busy_port}")), trunk("psap", &["127.0.0.3/32"], &addr.to_string())],
    }));
    let server = Server::start_with(&world, &[("CROSSPOINT_EMERGENCY_LIVE", "true")]);
    let trunks = ["secure", "busy", "psap"].map(|t| server.id_of("trunks", "name", t));
    let mut twice = trunks.to_vec();
    twice.push(trunks[1].clone());
    let wrong = json!({ "trunk": twice[0], "further_trunks": twice[1..] });
    let (status, told) = step(&server.http, "PATCH", "/v1/emergency", &wrong);
    assert_eq!(
        (status, &told["errors"][0]["pointer"]),
        (400, &json!("/further_trunks/2")),
        "{told}"
    );
    go_live(&server, &trunks);
    let busy = Sipp::new("uas_refuses")
        .value("STATUS", 486)
        .from([127, 0, 0, 5])
        .port(busy_port);
    let (busy, psap) = (busy.start(server.sip), psap.start(server.sip));
    let mut desk = Setup::new("1001").start(&server);
    desk.dial("112");
    desk.expect("CALL_ESTABLISHED");
    desk.hang_up();
    busy.succeed();
    psap.succeed();
    // 1001 forwards everything to 1002, but not now.
    let back = Sipp::new("uac").from([127, 0, 0, 3]).dial(CALLBACK);
    let back = back.hold_ms(200).start(server.sip);
    desk.expect("CALL_INCOMING");
    desk.accept();
    back.succeed();
}

#[test]
fn two_people_switch_it_on_the_centre_gets_place_and_number_and_calls_back() {
    let (psap, addr) = centre();
    let server = server(addr);
    let mut desk = Setup::new("1001").start(&server);

    // Not live yet: refused, and the centre hears nothing.
    desk.dial("112");
    desk.expect("CALL_CLOSED");

    let trunks = [server.id_of("trunks", "name", "psap")];
    go_live(&server, &trunks);

    let psap = psap.start(server.sip);
    desk.dial("112");
    desk.expect("CALL_ESTABLISHED");
    desk.hang_up();
    let told = psap.succeed();
    let invite = told.split("INVITE ").nth(1).expect("an INVITE came");
    for part in [
        "urn:service:sos SIP/2.0",
        "Geolocation: <cid:",
        "Geolocation-Routing: yes",
        "Priority: emergency",
        "Resource-Priority: esnet.1",
        "application/pidf+xml",
        "Alexanderplatz",
        "application/sdp",
    ] {
        assert!(invite.contains(part), "no {part} in\n{invite}");
    }
    let asserted = invite
        .lines()
        .find(|l| l.starts_with("P-Asserted-Identity:"));
    assert!(
        asserted.is_some_and(|l| l.contains(CALLBACK)),
        "{asserted:?}"
    );

    // The centre calls the number back: it is the phone that asked for help that rings.
    let back = Sipp::new("uac").from([127, 0, 0, 3]).dial(CALLBACK);
    let back = back.hold_ms(200).start(server.sip);
    desk.expect("CALL_INCOMING");
    desk.accept();
    back.succeed();
    // Both calls are told whole, the refused one too.
    let ended = |number: &str| {
        let ended = |t: &&cp_interop::events::Trail| {
            let to = t
                .find("interaction.started")
                .map(|e| e["to"]["value"].clone());
            to == Some(json!(number)) && t.find("interaction.ended").is_some()
        };
        server.trails().iter().filter(ended).count()
    };
    cp_interop::wait::until("the log tells of the calls", || {
        (ended("112") >= 1 && ended(CALLBACK) == 1).then_some(())
    });
}
